"""The Frey Face column of Table 3 at the paper's resolution, in steps instead of epochs; errors of sigma.

Plan S19 of the specification. The printed bound of the shared sigma, -49.78, says how far its learned scale had come:
the step T at which the shared model's held-out bound crosses it is looked for, and the optimal sigma is measured
after as many steps. The unit Gaussian runs for 120. Held-out bounds of the shared model are taken every 10 steps from
800 on, with one posterior sample.

The data set is the paper's, resized to 28x28, and the network is the paper's own, with 32 feature maps: 5 seeds take
about two hours of one core. At the gpu scale the discrete decoders come too. Digits beside it, 500 steps, for claims
that are about both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.sigma_vae import _estimates, _runs

SHARED, OPTIMAL, GAUSSIAN, PER_IMAGE = "shared", "optimal", "gaussian", "per_image"
PRINTED = {GAUSSIAN: 726.4, "beta": -420.0, SHARED: -49.78, OPTIMAL: -1622.0}
DISCRETE = {
    "categorical": {"name": "categorical"},
    "bitwise": {"name": "bitwise"},
    "mixture": {"name": "logistic_mixture"},
}
DISCRETE_PRINTED = {"categorical": 2454.0, "bitwise": 3173.0, "mixture": 2562.0}
DISCRETE_STEPS = (160, 1000, 3000, 10000)
SEEDS = {"smoke": 1, "night": 5, "gpu": 5}
LIMITS = {"smoke": (2, 4), "night": (800, 1500), "gpu": (800, 1500)}
"""First step at which the crossing is looked for, and the last one."""
GAUSSIAN_STEPS = {"smoke": 2, "night": 120, "gpu": 1000}
DIGIT_STEPS = {"smoke": 10, "night": 500, "gpu": 3000}
LOOK_EVERY = 10
FEWER_ENCODINGS = 10
"""Of Frey Face, where 60 would take as long as 300 steps."""

METRICS = (
    _runs.METRICS
    | _runs.REAL_METRICS
    | _estimates.STANDARD_ERRORS
    | _estimates.PER_IMAGE
    | {
        "crossing": Metric("steps", "first at which the shared model's held-out bound is below the printed one"),
        "miss": Metric("1", "relative distance of the bound from the printed one"),
        "least_miss": Metric("1", "largest relative distance of the discrete bounds, at the best common checkpoint"),
    }
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed for Frey Face, where it is at hand, and one for digits."""
    if scale not in SEEDS:
        return []
    own = [digits(scale)] + ([faces(scale)] if data.has("frey-face") else [])
    if scale == "gpu" and data.has("frey-face"):
        own.append(discrete(scale))
    return [Unit(config, seed) for config in own for seed in reported_seeds(seeds or SEEDS[scale])]


def faces(scale: str) -> dict[str, Any]:
    """Return the configuration of the densities on Frey Face."""
    first, last = LIMITS[scale]
    arms: dict[str, dict[str, Any]] = {
        SHARED: {"decoder": {"name": "shared"}, "steps": last},
        OPTIMAL: {"decoder": {"name": "optimal"}, "steps": last},
        GAUSSIAN: {"decoder": {"name": "gaussian"}, "steps": GAUSSIAN_STEPS[scale]},
    }
    return _runs.configuration(scale, "frey28", arms, part="densities", look_from=first, **_own_network(scale))


def digits(scale: str) -> dict[str, Any]:
    """Return the configuration of the same questions on digits."""
    steps = DIGIT_STEPS[scale]
    arms = {name: {"decoder": {"name": name}, "steps": steps} for name in (OPTIMAL, GAUSSIAN, PER_IMAGE)}
    return _runs.configuration(scale, "digits16", arms, part="digits")


def discrete(scale: str) -> dict[str, Any]:
    """Return the configuration of the masses on Frey Face."""
    arms = {
        name: {"decoder": decoder, "steps": DISCRETE_STEPS[-1], "measure": list(DISCRETE_STEPS[:-1])}
        for name, decoder in DISCRETE.items()
    }
    return _runs.configuration(scale, "frey28", arms, part="masses", **_own_network(scale))


def _own_network(scale: str) -> dict[str, Any]:
    """Field of the configuration that says the paper's width, also on a CPU."""
    return {} if scale == "smoke" else {"model": {"features": _runs.FEATURES["paper"]}}


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train and measure one part of one seed."""
    job = _runs.prepare(config, seed, context)
    part = {"densities": _densities, "digits": _digits, "masses": _masses}[config["part"]]
    return part(job, config)


def _densities(job: _runs.Job, config: Mapping[str, Any]) -> list[Row]:
    """Shared sigma to its crossing, optimal sigma to the same step, unit Gaussian."""
    arms = dict(config["arms"])
    total = sum(arm["steps"] for arm in arms.values())
    crossing, row, shared_steps = shared_to_crossing(job, arms[SHARED], config["look_from"], total)
    rows = [row]
    models = {}
    done = arms[SHARED]["steps"]
    for name in (OPTIMAL, GAUSSIAN):
        arm = arms[name] | ({"steps": shared_steps} if name == OPTIMAL else {})
        found, models[name] = _runs.run_arm(job, name, arm, (done, total))
        found[-1]["arm"]["steps"] = config["arms"][name]["steps"]
        rows += found
        done += arms[name]["steps"]
    for row in rows:
        row["metrics"]["miss"] = abs(row["metrics"]["nelbo"] / PRINTED[row["arm"]["arm"]] - 1)
    rows += _sigma_rows(job, models[OPTIMAL], models[OPTIMAL])
    summary = {} if crossing is None else {"crossing": crossing}
    return [*rows, {"arm": {"dataset": job.dataset.id, "summary": "crossing"}, "metrics": summary}, _runs.real_row(job)]


def shared_to_crossing(
    job: _runs.Job, arm: Mapping[str, Any], look_from: int, total: int
) -> tuple[int | None, Row, int]:
    """Train the shared sigma until its held-out bound crosses the printed one; the step, its row, and the last step."""
    from vaes.image_training import Trajectory

    trainer, trace = _runs.trainer_of(job, arm), Trajectory()
    hooks = [
        (_runs.TRACE_EVERY, trace),
        (_runs.TRACE_EVERY, lambda current, _: job.context.progress(current.step, total)),
    ]
    crossing = None
    trainer.run(until=min(look_from, arm["steps"]), hooks=hooks)
    while True:
        if _runs.bound(job, trainer.evaluation_model(), samples=1)["nelbo"] < PRINTED[SHARED]:
            crossing = trainer.step
        if crossing is not None or trainer.step >= arm["steps"]:
            break
        trainer.run(until=min(trainer.step + LOOK_EVERY, arm["steps"]), hooks=hooks)
    model = trainer.evaluation_model()
    series = _runs.trajectory_series(trace) | (_runs.images_to_show(job, model) if job.shown else {})
    # Named by the planned steps: the place of the crossing differs from seed to seed.
    row = {
        "arm": _runs.identity(job, SHARED, arm, arm["steps"]),
        "metrics": _runs.measure(job, model),
        "series": series,
    }
    return crossing, row, trainer.step


def _digits(job: _runs.Job, config: Mapping[str, Any]) -> list[Row]:
    rows, models = _runs.run_arms(job, config["arms"])
    return rows + _sigma_rows(job, models[OPTIMAL], models[PER_IMAGE])


def _sigma_rows(job: _runs.Job, optimal: Any, scored: Any) -> list[Row]:
    """Standard errors of the optimal model's sigma, and one sigma per test image on another model's errors."""
    encodings = job.effort["encodings"]
    if job.dataset.id != "digits16":
        encodings = min(encodings, FEWER_ENCODINGS)
    errors = _runs.errors(job, optimal, "train", encodings)
    found = {
        "standard_errors": _estimates.standard_errors(errors, job.seed),
        "per_image_scoring": _estimates.per_image(job, scored),
    }
    return [{"arm": {"dataset": job.dataset.id, "summary": name}, "metrics": values} for name, values in found.items()]


def _masses(job: _runs.Job, config: Mapping[str, Any]) -> list[Row]:
    rows, _ = _runs.run_arms(job, config["arms"])
    for row in rows:
        printed = DISCRETE_PRINTED.get(row["arm"]["arm"])
        if printed is not None:
            row["metrics"]["miss"] = abs(row["metrics"]["nelbo"] / printed - 1)
    worst = [
        max(_runs.row_of(rows, arm=name, steps=steps)["metrics"]["miss"] for name in DISCRETE)
        for steps in DISCRETE_STEPS
    ]
    return [*rows, {"arm": {"dataset": job.dataset.id, "summary": "masses"}, "metrics": {"least_miss": min(worst)}}]


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw log sigma and bound against the step, and samples of the three models."""
    from reproductions.sigma_vae import _figures

    return _figures.frey_figures(table, style)


REPRODUCTION = Reproduction(
    id="sigma-vae/frey",
    title="Frey Face at the paper's resolution, and sigma's errors",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(*_runs.SOURCES, "reproductions/sigma_vae/_estimates.py"),
)

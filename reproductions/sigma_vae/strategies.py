"""Ways of fitting sigma: from the batch, from a running average, with more samples, per image with or without penalty.

Plans S10 and S12 of the specification on digits16, and the number of posterior samples in training. A unit is all of
them for one seed, 600 steps instead of 3000. Bounds are of frozen scales: one sigma from all training images, or one
per image under a log-normal prior that is fitted to the training images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.sigma_vae import _estimates, _runs

BATCH, MANY, GREEDY, PENALISED = "batch", "eight_samples", "greedy", "penalised"
RUNNING = {f"running_{decay:g}": decay for decay in (0.9, 0.99)}
STEPS = {"smoke": 10, "night": 600, "gpu": 3000}
SEEDS = {"smoke": 1, "night": 5, "gpu": 5}

METRICS = (
    _runs.METRICS
    | _runs.REAL_METRICS
    | _estimates.PER_IMAGE
    | {"bound_change": Metric("1", "size of the difference of the bound from that of the batch's sigma, relative")}
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed."""
    if scale not in SEEDS:
        return []
    return [Unit(configuration(scale), seed) for seed in reported_seeds(seeds or SEEDS[scale])]


def configuration(scale: str) -> dict[str, Any]:
    """Return the plain configuration of one unit."""
    optimal: dict[str, Any] = {"name": "optimal"}
    arms: dict[str, dict[str, Any]] = {BATCH: {"decoder": optimal}}
    for name, decay in RUNNING.items():
        arms[name] = {"decoder": optimal | {"scale_estimate": "running", "decay": decay}}
    arms[MANY] = {"decoder": optimal, "posterior_samples": 8}
    arms[GREEDY] = {"decoder": {"name": "per_image"}}
    arms[PENALISED] = {"decoder": {"name": "per_image", "variational": True}}
    steps = {"steps": STEPS[scale]}
    return _runs.configuration(scale, "digits16", {name: arm | steps for name, arm in arms.items()})


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train and measure all ways of one seed."""
    job = _runs.prepare(config, seed, context)
    rows, models = _runs.run_arms(job, config["arms"])
    reference = _runs.row_of(rows, arm=BATCH)["metrics"]["nelbo"]
    for name in (*RUNNING, MANY):
        metrics = _runs.row_of(rows, arm=name)["metrics"]
        metrics["bound_change"] = abs(metrics["nelbo"] / reference - 1)
    for name in (GREEDY, PENALISED):
        _runs.row_of(rows, arm=name)["metrics"].update(_estimates.per_image(job, models[name]))
    return rows


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the bounds of all ways relative to the batch's, seed by seed."""
    from reproductions.sigma_vae import _figures

    return _figures.strategy_figures(table, style)


REPRODUCTION = Reproduction(
    id="sigma-vae/strategies",
    title="Ways of fitting sigma: batch, running average, more samples, per image",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(*_runs.SOURCES, "reproductions/sigma_vae/_estimates.py"),
)

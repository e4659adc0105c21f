"""Tables 3 and 4: KL annealing, free bits and importance samples against the Hermite VAE, after equal numbers of steps.

Plans E7, E9 and E10 of the specification on two shapes, 8-8-8-8 and the pyramid 8-6-4-3, digits. The schedule of the KL
annealing is the paper's as shares of the run: zero for 1%, then a ramp over 50%. A unit is all methods of one shape and
seed; members share parameters at the start, data order and, but for the importance-weighted one, noise. Of the four
values of free bits the claims use 1, the one with the best L_100 on pilot seeds, as the paper shows the best of them.

At the gpu scale the shapes are the paper's, 40-40-40-40 and 64-32-16-8, on MNIST, 100,000 steps. What a step takes on
one CPU core is measured in ``step_times.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.hvae import _arms, _sweep

SAMPLES = 5
FREE_BITS = (0.5, 1.0, 2.0, 3.0)
NO_WARMUP = {"warmup": False}
BASELINES: dict[str, dict[str, Any]] = {
    "vae": NO_WARMUP,
    "annealing": {},
    **{f"free_bits_{value:g}": NO_WARMUP | {"free_bits": value} for value in FREE_BITS},
}
HERMITE: dict[str, dict[str, Any]] = {
    **{f"hermite_{rho:g}": NO_WARMUP | {"rho": rho} for rho in (0.85, 0.9, 0.95)},
    "hermite_0.95_annealing": {"rho": 0.95},
}
IMPORTANCE = "importance_weighted"
REFERENCE = "hermite_0.9"
FLAT, PYRAMID = "flat", "pyramid"
LATENTS = {FLAT: (8, 8, 8, 8), PYRAMID: (8, 6, 4, 3)}
PAPER_LATENTS = {FLAT: ((40,) * 4, (200,) * 4), PYRAMID: ((64, 32, 16, 8), (512, 256, 128, 64))}
SEEDS = {"smoke": {FLAT: 2, PYRAMID: 2}, "night": {FLAT: 8, PYRAMID: 5}, "gpu": {FLAT: 8, PYRAMID: 5}}
METRICS = _arms.METRICS | {
    "top_kl_lead": Metric("nats", "top KL of the Hermite VAE at rho = 0.9 minus that of the arm, same seed"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per shape and seed."""
    if scale not in SEEDS or (scale == "gpu" and not data.has("mnist10k")):
        return []
    return [
        Unit(configuration(scale, shape), seed)
        for shape, count in SEEDS[scale].items()
        for seed in reported_seeds(seeds or count)
    ]


def configuration(scale: str, shape: str) -> dict[str, Any]:
    """Return the plain configuration of one unit."""
    recipe: dict[str, Any] = {"steps": 3000, "batch": 64, "learning_rate": 2e-3}
    model = _arms.model_fields("digits/static", LATENTS[shape], 8 if scale == "smoke" else 64)
    if scale == "smoke":
        recipe |= {"steps": 20}
    if scale == "gpu":
        recipe |= {"steps": 100_000, "batch": 100, "learning_rate": 1e-3, "schedule": "cosine"}
        model = _arms.model_fields("mnist10k/static", *PAPER_LATENTS[shape])
    recipe |= {"warmup_start": recipe["steps"] / 100, "warmup_length": recipe["steps"] / 2, "samples": SAMPLES}
    dataset = "mnist10k/static" if scale == "gpu" else "digits/static"
    return {"dataset": dataset, "shape": shape, "model": model, "recipe": recipe}


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train all methods; return one row for each."""
    stacks = (
        (config["recipe"], BASELINES | HERMITE),
        # k importance samples are a property of the whole stack.
        (config["recipe"] | {"importance": SAMPLES}, {IMPORTANCE: NO_WARMUP}),
    )
    outcomes: dict[str, _arms.Outcome] = {}
    for index, (recipe, arms) in enumerate(stacks):
        ensemble = _arms.Ensemble(config["dataset"], config["model"], recipe, arms)
        outcomes |= _arms.train_arms(ensemble, seed, context, part=(index, len(stacks)))
    return [_row(config, name, outcome, outcomes[REFERENCE]) for name, outcome in outcomes.items()]


def _row(config: Mapping[str, Any], name: str, outcome: _arms.Outcome, reference: _arms.Outcome) -> Row:
    lead = reference.metrics["top_kl"] - outcome.metrics["top_kl"]  # type: ignore[operator]
    arm = {"method": name, "shape": config["shape"], "dataset": config["dataset"].split("/")[0]}
    return {"arm": arm, "metrics": outcome.metrics | {"top_kl_lead": lead}, "series": {"top_kl": outcome.top_kl}}


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw top KL, active units, information and bound of all methods on both shapes."""
    from reproductions.hvae import _comparison_figures

    return _comparison_figures.baseline_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/baselines",
    title="Annealing, free bits and importance samples against the Hermite VAE",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(*_sweep.SOURCES, "reproductions/hvae/_arms.py"),
)

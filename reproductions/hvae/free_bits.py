"""Section 5.1: free bits slow training down, and from four nats on make it unstable.

Slowness: four layers of 8 units on digits; the number of steps after which the bound L_1 on held-out images reaches the
value that the plain VAE of the same seed has half-way. A run that never gets there counts as its whole length.
Stability: four layers of 10 units on MNIST (night scale, where the data directory holds it); a run is unstable if a
parameter or loss is not finite, or a loss lies more than ten standard deviations above the mean of the 100 before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.hvae import _arms, _sweep

SLOWNESS, STABILITY = "slowness", "stability"
FLOORS = {SLOWNESS: (0.0, 0.5, 1.0, 2.0, 3.0), STABILITY: (1.0, 2.0, 3.0, 4.0, 6.0)}
"""Nats per layer; 0 is the plain VAE."""
UNSTABLE_FROM = 4.0
WINDOW, SPIKE = 100, 10.0
MEASURE_EVERY, MEASURE_SAMPLES = 25, 10
SEEDS = {"smoke": 2, "night": 5}
METRICS = {
    "steps_to_target": Metric("steps", "to the held-out L_1 that the plain VAE has half-way; the whole run if never"),
    "reached": Metric("1", "1 if it was reached", "exact"),
    "elbo": _sweep.METRICS["elbo"],
    "unstable": Metric("1", "1 if the loss jumped by over 10 standard deviations or a number was not finite", "exact"),
    "unstable_rate": Metric("1", "share of the runs of one seed that were unstable"),
    "largest_jump": Metric("standard deviations", "largest loss above the mean of the 100 before, over the run"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per experiment and seed; the one on MNIST only where it is at hand."""
    if scale not in SEEDS:
        return []
    smoke = scale == "smoke"
    recipe = {"steps": 100 if smoke else 3000, "batch": 64, "learning_rate": 2e-3}
    datasets = {SLOWNESS: ("digits/static", 8)}
    if smoke:
        datasets[STABILITY] = ("digits/static", 3)
    elif data.has("mnist10k"):
        datasets[STABILITY] = ("mnist10k/static", 10)
    return [
        Unit(
            {
                "experiment": experiment,
                "dataset": dataset,
                "model": _arms.model_fields(dataset, (width,) * 4, 16 if smoke else 64),
                "recipe": recipe | ({"steps": WINDOW + 20} if smoke and experiment == STABILITY else {}),
            },
            seed,
        )
        for experiment, (dataset, width) in datasets.items()
        for seed in reported_seeds(seeds or SEEDS[scale])
    ]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Run one experiment for one seed."""
    experiment = {SLOWNESS: _slowness, STABILITY: _stability}[config["experiment"]]
    return experiment(config, seed, context)


def _trainer(config: Mapping[str, Any], floors: Sequence[float], seed: int, context: Context) -> Any:
    import torch

    from vaes.data import load
    from vaes.ensembles import ensemble_trainer
    from vaes.models.hvae import HVAEConfig
    from vaes.training import Member, Recipe

    torch.set_num_threads(context.threads)
    members = [Member(seed=seed, free_bits=floor or None) for floor in floors]
    model, recipe = HVAEConfig.from_dict(config["model"]), Recipe(**config["recipe"])
    return ensemble_trainer(model, recipe, members, load(config["dataset"], context.data_dir), device=context.device)


def _slowness(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    from vaes.evaluation import Protocol, evaluate

    floors = FLOORS[SLOWNESS]
    trainer = _trainer(config, floors, seed, context)
    images, total = trainer.dataset.test.to(context.device), trainer.recipe.steps
    protocol = Protocol(samples=MEASURE_SAMPLES, gap_samples=0, information_images=0)
    curves: list[list[float]] = [[] for _ in floors]

    def measure(current: Any, _: Any) -> None:
        for curve, values in zip(curves, evaluate(current.model, images, seed=seed, protocol=protocol), strict=True):
            curve.append(values["elbo"])  # type: ignore[arg-type]
        context.progress(current.step, total)

    trainer.run(hooks=[(MEASURE_EVERY, measure)])
    target = curves[0][total // (2 * MEASURE_EVERY) - 1]
    rows: list[Row] = []
    for floor, curve in zip(floors, curves, strict=True):
        steps = steps_to(target, curve)
        metrics = {"steps_to_target": steps or total, "reached": float(steps is not None), "elbo": curve[-1]}
        arm = {"experiment": SLOWNESS, "free_bits": floor}
        rows.append({"arm": arm, "metrics": metrics, "series": {"elbo": curve}})
    return rows


def steps_to(target: float, curve: Sequence[float]) -> int | None:
    """Step of the first measurement that reaches ``target``; None if none does."""
    reached = np.flatnonzero(np.asarray(curve) >= target)
    return MEASURE_EVERY * (int(reached[0]) + 1) if len(reached) else None


def _stability(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    rows: list[Row] = []
    for index, floor in enumerate(FLOORS[STABILITY]):
        losses, finite = _losses(config, floor, seed, context, (index, len(FLOORS[STABILITY])))
        jump = largest_jump(losses)
        unstable = not finite or jump > SPIKE
        arm = {"experiment": STABILITY, "free_bits": floor}
        rows.append({"arm": arm, "metrics": {"unstable": float(unstable), "largest_jump": jump}})
    high = [row["metrics"]["unstable"] for row in rows if row["arm"]["free_bits"] >= UNSTABLE_FROM]
    low = [row["metrics"]["unstable"] for row in rows if row["arm"]["free_bits"] < UNSTABLE_FROM]
    groups = {"four_or_more": high, "three_or_less": low}
    return rows + [
        {"arm": {"experiment": STABILITY, "group": name}, "metrics": {"unstable_rate": fmean(values)}}
        for name, values in groups.items()
    ]


def _losses(
    config: Mapping[str, Any], floor: float, seed: int, context: Context, part: tuple[int, int]
) -> tuple[list[float], bool]:
    """Losses of all steps of one run, and whether it stayed finite to its end."""
    from vaes.models.hvae import objective
    from vaes.training import NonFinite

    trainer = _trainer(config, (floor,), seed, context)
    losses: list[float] = []

    def record(current: Any, terms: Any) -> None:
        losses.append(-objective(terms, free_bits=floor).item())
        if current.step % _sweep.TRACE_EVERY == 0:
            context.progress(part[0] + current.step / current.recipe.steps, part[1])

    try:
        trainer.run(hooks=[(1, record)])
    except NonFinite:
        return losses, False
    return losses, True


def largest_jump(losses: Sequence[float]) -> float:
    """Largest distance of a loss above the mean of the `WINDOW` before it, in their standard deviations."""
    values = np.asarray(losses, dtype=float)
    if len(values) <= WINDOW:
        return 0.0
    before = np.lib.stride_tricks.sliding_window_view(values, WINDOW)[:-1]
    return float(np.max((values[WINDOW:] - before.mean(1)) / before.std(1, ddof=1)))


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the bound over training for every free-bits value, and the largest jumps of the loss."""
    from reproductions.hvae import _comparison_figures

    return _comparison_figures.free_bits_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/free_bits",
    title="Free bits: speed and stability of training",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(*_sweep.SOURCES, "reproductions/hvae/_arms.py"),
)

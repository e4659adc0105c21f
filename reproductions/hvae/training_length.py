"""Does the critical rho move with the length of training? (Plan E16; the paper says that it is fixed for a model.)

Three layers of 8 units on digits. The learning rate is constant, so that the first 750 steps of a run are the run of
750 steps: one ensemble of 6000 steps is measured on its way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.hvae import _arms, _sweep
from reproductions.hvae.transition_by_shape import GRID, curve_row

SEEDS = {"smoke": 2, "night": 5}
LENGTHS = {"smoke": (10, 20), "night": (750, 1500, 3000, 6000)}
WHOLE_CURVE = ("rho_half", "rho_on", "sharpness", "max_drop", "transition_width")
METRICS = {
    "top_kl": _sweep.METRICS["top_kl"],
    "elbo": _sweep.METRICS["elbo"],
    **{
        name: Metric("1" if name.startswith("rho") else "", "of one seed's monotone curve of top KL over rho")
        for name in WHOLE_CURVE
    },
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed."""
    if scale not in SEEDS:
        return []
    smoke = scale == "smoke"
    config = {
        "dataset": "digits/static",
        "rho": list(GRID[::2] if smoke else GRID),
        "lengths": list(LENGTHS[scale]),
        "model": _arms.model_fields("digits/static", (8, 8, 8), 16 if smoke else 64),
        "recipe": {"steps": max(LENGTHS[scale]), "batch": 32, "learning_rate": 2e-3, "samples": 5},
    }
    return [Unit(config, seed) for seed in reported_seeds(seeds or SEEDS[scale])]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train one grid and measure it at every length; one row per length and rho, and one per length."""
    import torch

    from vaes.data import load
    from vaes.ensembles import ensemble_trainer
    from vaes.evaluation import Protocol, evaluate
    from vaes.models.hvae import HVAEConfig
    from vaes.training import Member, Recipe

    torch.set_num_threads(context.threads)
    dataset = load(config["dataset"], context.data_dir)
    recipe, model = Recipe(**config["recipe"]), HVAEConfig.from_dict(config["model"])
    members = [Member(rho=rho, seed=seed) for rho in config["rho"]]
    trainer = ensemble_trainer(model, recipe, members, dataset, device=context.device)
    images, protocol = dataset.test.to(context.device), Protocol(samples=50, gap_samples=0, information_images=0)

    def progress(current: Any, _: Any) -> None:
        context.progress(current.step, recipe.steps)

    rows: list[Row] = []
    for length in config["lengths"]:
        trainer.run(until=length, hooks=[(_sweep.TRACE_EVERY, progress)])
        measured = evaluate(trainer.model, images, seed=seed, protocol=protocol)
        rows += _rows_at(length, [member.rho for member in trainer.members], measured, model)
    return rows


def _rows_at(length: int, rhos: Sequence[float], measured: Sequence[Mapping[str, Any]], model: Any) -> list[Row]:
    common = {"dataset": "digits", "K": 5, "width": model.latents[0], "depth": model.depth}
    rows: list[Row] = [
        {"arm": {**common, "steps": length, "rho": rho}, "metrics": {name: values[name] for name in ("top_kl", "elbo")}}
        for rho, values in zip(rhos, measured, strict=True)
    ]
    whole = curve_row(rows)
    # A field of its own: a selector of points must not find the row about the curve.
    whole["arm"] = {"length": length}
    return [*rows, whole]


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the curve at every length, and the place of the drop against the length."""
    from reproductions.hvae import _shape_figures

    return _shape_figures.length_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/training_length",
    title="The transition at other lengths of training",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(
        *_sweep.SOURCES,
        "claims/transition.py",
        "reproductions/hvae/_arms.py",
        "reproductions/hvae/transition_by_shape.py",
    ),
)

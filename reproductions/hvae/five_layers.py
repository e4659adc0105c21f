"""Table 2: is the pyramid of five layers at least as good as that of four?

The pyramids 8-6-4-3 and 8-6-4-3-2 at rho = 0.95 on digits, the bound L_100. The margin of the claim's test is one
standard error of eight pairs of pilot seeds; three times as many seeds are run, so that an interval can lie above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import Context, DataInfo, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.hvae import _arms, _sweep

RHO, SAMPLES = 0.95, 5
PYRAMID = (8, 6, 4, 3, 2)
SEEDS = {"smoke": 2, "night": 24}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed."""
    if scale not in SEEDS:
        return []
    smoke = scale == "smoke"
    config = {
        "dataset": "digits/static",
        "rho": RHO,
        "hidden": 16 if smoke else 64,
        "recipe": {"steps": 20 if smoke else 3000, "batch": 64, "learning_rate": 2e-3, "samples": SAMPLES},
    }
    return [Unit(config, seed) for seed in reported_seeds(seeds or SEEDS[scale])]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train both pyramids of one seed; return one row for each."""
    rows: list[Row] = []
    for index, depth in enumerate((4, 5)):
        model = _arms.model_fields(config["dataset"], PYRAMID[:depth], config["hidden"])
        arms = {"hermite": {"rho": config["rho"]}}
        ensemble = _arms.Ensemble(config["dataset"], model, config["recipe"], arms)
        outcome = _arms.train_arms(ensemble, seed, context, part=(index, 2))["hermite"]
        rows.append({"arm": {"depth": depth, "rho": config["rho"]}, "metrics": outcome.metrics})
    return rows


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the difference of the bounds, one dot per seed."""
    from reproductions.hvae import _comparison_figures

    return _comparison_figures.depth_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/five_layers",
    title="Five layers against four",
    tier="scaled",
    units=units,
    run=run,
    metrics=_arms.METRICS,
    figures=figures,
    sources=(*_sweep.SOURCES, "reproductions/hvae/_arms.py"),
)

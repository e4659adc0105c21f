"""Figure 3: inactive units over a grid of depths and widths, for the VAE (rho = 1) and the Hermite VAE (rho = 0.9).

Plan E11 of the specification: depth 1 to 4, width 2 to 40, digits, batches of 32. A unit is the whole grid of one seed,
so that what the claims say about the grid (its trends, the share of its cells) is measured within a seed.

At the gpu scale the grid is the paper's on MNIST: 200 hidden units, widths up to 60, 100,000 steps. What a step of each
cell takes on one CPU core is measured in ``step_times.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import fmean
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.hvae import _arms, _sweep

SMOOTHED = 0.9
SAMPLES = 5
DEPTHS, WIDTHS = (1, 2, 3, 4), (2, 5, 10, 20, 40)
SEEDS = {"smoke": 2, "night": 5, "gpu": 5}
FEW_INACTIVE, MANY_INACTIVE = 0.1, 0.3
SIMILAR = 0.5
"""Nats per image within which two bounds on 8x8 images count as similar."""

_CELLS = "share of the cells of one seed's grid"
NOT_MEASURED = ("top_down_gap", "information_top")
"""They are not part of this figure, and cost more than the rest."""

METRICS = {name: metric for name, metric in _arms.METRICS.items() if name not in NOT_MEASURED} | {
    "bound_gain": Metric("nats", "L_100 at rho = 0.9 minus at rho = 1, same seed"),
    "cells_active": Metric("1", f"{_CELLS} with at most 10% inactive units"),
    "deep_cells_inactive": Metric("1", f"{_CELLS} with at least 2 layers that have over 30% inactive units"),
    "cells_similar": Metric("1", f"{_CELLS} where the bounds at rho = 0.9 and 1 differ by at most 0.5 nat"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed."""
    if scale not in SEEDS or (scale == "gpu" and not data.has("mnist10k")):
        return []
    config: dict[str, Any] = {"dataset": "digits/static", "depths": list(DEPTHS), "widths": list(WIDTHS)}
    recipe: dict[str, Any] = {"steps": 3000, "batch": 32, "learning_rate": 2e-3, "samples": SAMPLES}
    config |= {"hidden": 64, "recipe": recipe}
    if scale == "smoke":
        config |= {"depths": [1, 2, 3], "widths": [2, 3, 4], "hidden": 8, "recipe": recipe | {"steps": 10}}
    if scale == "gpu":
        recipe |= {"steps": 100_000, "batch": 100, "learning_rate": 1e-3, "schedule": "cosine"}
        config |= {"dataset": "mnist10k/static", "widths": [*WIDTHS, 60], "hidden": 200}
    return [Unit(config, seed) for seed in reported_seeds(seeds or SEEDS[scale])]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train both arms in every cell; return the cells, the means over rows and columns, and the shares of cells."""
    shapes = list(product(config["depths"], config["widths"]))
    cells: list[Row] = []
    for index, (depth, width) in enumerate(shapes):
        cells += _cell(config, depth, width, seed, context, (index, len(shapes)))
    return [*cells, *_margins(cells), *_shares(cells)]


def _cell(
    config: Mapping[str, Any], depth: int, width: int, seed: int, context: Context, part: tuple[int, int]
) -> list[Row]:
    model = _arms.model_fields(config["dataset"], [width] * depth, config["hidden"])
    arms = {"plain": {"rho": 1.0}, "smoothed": {"rho": SMOOTHED}}
    ensemble = _arms.Ensemble(config["dataset"], model, config["recipe"], arms)
    outcome = _arms.train_arms(ensemble, seed, context, part=part, protocol={"information_images": 0, "gap_samples": 0})
    bound = f"iw_bound_k{_sweep.IMPORTANCE_SAMPLES}"
    gain = outcome["smoothed"].metrics[bound] - outcome["plain"].metrics[bound]  # type: ignore[operator]
    return [
        {
            "arm": {"rho": arms[name]["rho"], "depth": depth, "width": width},
            "metrics": outcome[name].metrics | {"bound_gain": gain},
        }
        for name in arms
    ]


def _margins(cells: Sequence[Row]) -> list[Row]:
    """Mean share of inactive units over the widths of each depth, and over the depths of each width."""
    rows: list[Row] = []
    for rho in (1.0, SMOOTHED):
        for along, name in (("depth", "layers"), ("width", "units")):
            for value in sorted({row["arm"][along] for row in cells}):
                group = [row for row in cells if row["arm"]["rho"] == rho and row["arm"][along] == value]
                mean = fmean(row["metrics"]["inactive_fraction"] for row in group)
                rows.append(
                    {"arm": {"rho": rho, "mean_over": along, name: value}, "metrics": {"inactive_fraction": mean}}
                )
    return rows


def _shares(cells: Sequence[Row]) -> list[Row]:
    """Shares of cells that the claims count, one row per arm."""
    rows: list[Row] = []
    for rho in (1.0, SMOOTHED):
        own = [row for row in cells if row["arm"]["rho"] == rho]
        deep = [row for row in own if row["arm"]["depth"] >= 2]
        metrics = {
            "cells_active": fmean(row["metrics"]["inactive_fraction"] <= FEW_INACTIVE for row in own),
            "deep_cells_inactive": fmean(row["metrics"]["inactive_fraction"] > MANY_INACTIVE for row in deep),
            "cells_similar": fmean(abs(row["metrics"]["bound_gain"]) <= SIMILAR for row in own),
        }
        rows.append({"arm": {"rho": rho, "cells": "all"}, "metrics": metrics})
    return rows


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the twin of Figure 3 and the difference of the bounds over the grid."""
    from reproductions.hvae import _shape_figures

    return _shape_figures.grid_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/depth_width",
    title="Inactive units over depth and width",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(*_sweep.SOURCES, "reproductions/hvae/_arms.py"),
)

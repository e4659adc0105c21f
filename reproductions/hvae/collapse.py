"""Figure 2: does the posterior of the top layer collapse, does smoothing prevent it, and does the bound improve?

Plan E1 and E7 of the specification: four layers of 8 units on digits, 8 seeds, 3000 steps, rho from 1 (the ordinary
VAE) down to 0.8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import DataInfo, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.hvae import _sweep

GRID = (1.0, 0.95, 0.9, 0.85, 0.8)
SAMPLES = 5
SEEDS = {"smoke": 2, "laptop": 8, "night": 8}
STEPS = {"smoke": 60, "laptop": 3000, "night": 3000}
DEPTH = 4


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed."""
    if scale not in SEEDS:
        return []
    grid = (1.0, 0.9) if scale == "smoke" else GRID
    config = _sweep.configuration("digits/static", SAMPLES, grid, depth=DEPTH, steps=STEPS[scale])
    return [Unit(config, seed) for seed in reported_seeds(seeds or SEEDS[scale])]


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the twin of Figure 2: top KL against the step, and the paired gain of the bound."""
    from reproductions.hvae import _figures

    return _figures.collapse_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/collapse",
    title="Collapse of the top layer over training, and the bound, at four layers",
    tier="scaled",
    units=units,
    run=_sweep.train_and_measure,
    metrics=_sweep.METRICS,
    figures=figures,
    sources=_sweep.SOURCES,
)

"""Does the transition depend on the width, the depth and the data? Figure 1 in six shapes of the model.

Plans E4 to E6 of the specification, one grid of rho as one ensemble for each shape, data set and seed: three layers of
2, 8, 20 and 40 units, and three, four and five layers of 8 units, on digits; two of these shapes on photograph patches.
Batches of 32 are the smallest with which the plain model collapses within the 3000 steps.

At the gpu scale the shapes are the paper's own: 4 layers of 40 units and 3 layers of 200, and the pyramid of Table 3,
100,000 steps each. What a step of the 11 members takes on one CPU core is measured in ``step_times.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.hvae import _arms, _sweep

GRID = (0.7, 0.8, 0.85, 0.88, 0.91, 0.94, 0.96, 0.98, 1.0)
FINE_GRID = tuple(round(0.8 + 0.02 * i, 2) for i in range(11))
SAMPLES = 5
SHAPES = ((2,) * 3, (8,) * 3, (20,) * 3, (40,) * 3, (8,) * 4, (8,) * 5)
ON_PATCHES = ((8,) * 3, (20,) * 3)
SEEDS = {"smoke": 2, "night": 5, "gpu": 5}
METRICS = _sweep.METRICS | {
    "max_drop": Metric("nats per unit of rho", "steepest descent of one seed's monotone curve of top KL over rho"),
    "sharpness": Metric("1 per unit of rho", "the same for the curve divided by its start"),
    "transition_width": Metric("1", "rho at 10% less rho at 90% of the start of one seed's monotone curve"),
    "rho_half": Metric("1", "rho at which one seed's monotone curve falls below half of its start"),
    "rho_on": Metric("1", "rho at which one seed's monotone curve falls below 5% of its start"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per data set, shape and seed."""
    if scale not in SEEDS:
        return []
    return [
        Unit(configuration, seed)
        for configuration in _configurations(scale, data)
        for seed in reported_seeds(seeds or SEEDS[scale])
    ]


def _configurations(scale: str, data: DataInfo) -> list[dict[str, Any]]:
    if scale == "gpu":
        wide: list[tuple[str, tuple[int, ...], Any]] = [
            ("mnist10k", (40,) * 4, 200),
            ("omniglot-small", (40,) * 4, 200),
            ("omniglot-small", (200,) * 3, 200),
            ("mnist10k", (64, 32, 16, 8), (512, 256, 128, 64)),
        ]
        recipe = {"steps": 100_000, "batch": 100, "learning_rate": 1e-3, "schedule": "cosine"}
        return [
            configuration(f"{name}/static", latents, hidden, FINE_GRID, recipe)
            for name, latents, hidden in wide
            if data.has(name)
        ]
    shapes = [("digits/static", shape) for shape in SHAPES] + [("patches/static", shape) for shape in ON_PATCHES]
    if scale == "smoke":
        recipe = {"steps": 20, "batch": 32, "learning_rate": 2e-3}
        return [configuration(*shape, 16, GRID[::2], recipe) for shape in (shapes[0], shapes[-1])]
    recipe = {"steps": 3000, "batch": 32, "learning_rate": 2e-3}
    return [configuration(*shape, 64, GRID, recipe) for shape in shapes]


def configuration(
    dataset: str, latents: Sequence[int], hidden: Any, grid: Sequence[float], recipe: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the plain configuration of one unit, in the form that `_sweep.train_and_measure` reads."""
    return {
        "dataset": dataset,
        "K": SAMPLES,
        "rho": list(grid),
        "model": _arms.model_fields(dataset, latents, hidden),
        "recipe": {**recipe, "samples": SAMPLES},
    }


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train one grid; return one row per rho and one row about the whole curve."""
    rows = _sweep.train_and_measure(config, seed, context)
    return [*rows, curve_row(rows)]


def curve_row(rows: Sequence[Row]) -> Row:
    """Place and sharpness of the drop of one seed's curve (procedure C12); its arm has fields of its own."""
    from claims.transition import phase_transition

    ordered = sorted(rows, key=lambda row: row["arm"]["rho"])
    grid = np.array([row["arm"]["rho"] for row in ordered])
    found = phase_transition(grid, np.array([[row["metrics"]["top_kl"] for row in ordered]]), resamples=1)
    arm = {name: ordered[0]["arm"][name] for name in ("dataset", "K")}
    arm |= {"units": ordered[0]["arm"]["width"], "layers": ordered[0]["arm"]["depth"]}
    names = {"transition_width": "width"} | {name: name for name in ("max_drop", "sharpness", "rho_half", "rho_on")}
    return {"arm": arm, "metrics": {name: found[key] for name, key in names.items()}}


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the curves of all shapes, and place and sharpness of the drop against width and depth."""
    from reproductions.hvae import _shape_figures

    return _shape_figures.transition_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/transition_by_shape",
    title="The transition at other widths, depths and data",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(*_sweep.SOURCES, "claims/transition.py", "reproductions/hvae/_arms.py"),
)

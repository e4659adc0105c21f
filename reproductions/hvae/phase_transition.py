"""Figure 1: the KL of the top layer against rho, with the control K = 1 and the collapse of curves of equal strength.

Plan E4, E5 and E8 of the specification: three layers of 8 units, 5 seeds, 3000 steps. Digits and photograph patches
come with the project; MNIST and OMNIGLOT join at the night scale when the data directory holds them.

The arms with K = 2 belong to the night scale: no claim asks for them, they add points to the curve of equal strength,
and without them all laptop runs of the paper take about 960 seconds of one core, 8 minutes on two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import DataInfo, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.hvae import _sweep

GRID = (0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.975, 0.99, 1.0)
SAMPLES = 5
PIVOT = 0.85
SEEDS = {"smoke": 2, "laptop": 5, "night": 5}
STEPS = {"smoke": 60, "laptop": 3000, "night": 3000}
DEPTH = 3


def rho_of_equal_strength(samples: int) -> float:
    """Return the rho at which K samples have the strength r of 5 samples at rho = 0.85."""
    strength = PIVOT**2 + (1 - PIVOT**2) / SAMPLES
    return math.sqrt((strength - 1 / samples) / (1 - 1 / samples))


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per dataset, K and seed: a full grid at K = 5, and the controls on digits."""
    if scale not in SEEDS:
        return []
    sweeps: list[tuple[str, int, Sequence[float]]] = [("digits/static", SAMPLES, GRID)]
    if scale == "smoke":
        sweeps = [("digits/static", SAMPLES, (0.8, 1.0)), ("digits/static", 1, (0.8,))]
    else:
        sweeps += [
            ("patches/static", SAMPLES, GRID),
            ("digits/static", 1, (0.7, PIVOT)),
            ("digits/static", 10, (PIVOT,)),
            ("digits/static", 20, (PIVOT, rho_of_equal_strength(20))),
        ]
    if scale == "night":
        sweeps.append(("digits/static", 2, (PIVOT, rho_of_equal_strength(2))))
        found = [name for name in ("mnist10k", "omniglot-small") if data.has(name)]
        sweeps += [(f"{name}/static", SAMPLES, GRID) for name in found]
    return [
        Unit(_sweep.configuration(dataset, samples, rho, depth=DEPTH, steps=STEPS[scale]), seed)
        for dataset, samples, rho in sweeps
        for seed in reported_seeds(seeds or SEEDS[scale])
    ]


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the twin of Figure 1, the control and equal-strength arms, and the use that the decoder makes of the top."""
    from reproductions.hvae import _figures

    return _figures.phase_transition_figures(table, style, samples=SAMPLES, pivot=PIVOT)


REPRODUCTION = Reproduction(
    id="hvae/phase_transition",
    title="Top-layer KL against the smoothing correlation rho",
    tier="scaled",
    units=units,
    run=_sweep.train_and_measure,
    metrics=_sweep.METRICS,
    figures=figures,
    sources=_sweep.SOURCES,
)

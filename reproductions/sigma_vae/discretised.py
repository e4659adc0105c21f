"""Table 4 in small: a Gaussian density read as masses, discretised Gaussian and logistic, categorical; and mixtures.

Plan S07 of the specification and the capacity of mixtures, on digits16 with its 16 levels. A unit is all decoders of
one seed. Planned were 10000 steps: a learned scale that starts at 1 needs thousands of steps to arrive, so that here
all learned scales start near where they end (log scale -2; of logistics -2.6, the same standard deviation), and 500
steps do. At the gpu scale Frey Face with its 256 levels joins, with the planned start and steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.sigma_vae import _runs

CATEGORICAL, GAUSSIAN = "categorical", "gaussian"
SCALAR = ("sigma", "disc_gaussian", "disc_logistic")
START = {"sigma": -2.0, "disc_gaussian": -2.0, "disc_logistic": -2.6}
STEPS = {"smoke": 10, "night": 500, "gpu": 10000}
SEEDS = {"smoke": 1, "night": 5, "gpu": 5}

METRICS = (
    _runs.METRICS
    | _runs.REAL_METRICS
    | {
        "spread": Metric("1", "largest over smallest mass bound of the rows with one scalar scale, less 1"),
        "least_excess": Metric("1", "smallest of those mass bounds over the categorical one, less 1"),
        "unit_excess": Metric(
            "1", "mass bound of the unit Gaussian over that of the Gaussian with fitted sigma, less 1"
        ),
    }
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per data set and seed."""
    if scale not in SEEDS:
        return []
    images = ["digits16", "frey28"] if scale == "gpu" and data.has("frey-face") else ["digits16"]
    return [Unit(configuration(scale, name), seed) for name in images for seed in reported_seeds(seeds or SEEDS[scale])]


def configuration(scale: str, images: str) -> dict[str, Any]:
    """Return the plain configuration of one unit."""
    decoders: dict[str, dict[str, Any]] = {
        CATEGORICAL: {"name": "categorical"},
        GAUSSIAN: {"name": "gaussian"},
        "sigma": {"name": "shared"},
        "disc_gaussian": {"name": "discretised_gaussian"},
        "disc_logistic": {"name": "discretised_logistic"},
        "mixture_5": {"name": "logistic_mixture", "components": 5},
        "mixture_1": {"name": "logistic_mixture", "components": 1},
    }
    arms = {name: {"decoder": decoder, "steps": STEPS[scale]} for name, decoder in decoders.items()}
    if scale != "gpu":
        arms = {name: arm | ({"log_scale": START[name]} if name in START else {}) for name, arm in arms.items()}
    return _runs.configuration(scale, images, arms)


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train and measure all rows of one data set and seed."""
    job = _runs.prepare(config, seed, context)
    rows, _ = _runs.run_arms(job, config["arms"])
    mass = {row["arm"]["arm"]: row["metrics"].get("mass_nelbo") for row in rows}
    scalar = [mass[name] for name in SCALAR]
    summary = {
        "spread": max(scalar) / min(scalar) - 1,
        "least_excess": min(scalar) / mass[CATEGORICAL] - 1,
        "unit_excess": mass[GAUSSIAN] / mass["sigma"] - 1,
    }
    return [*rows, {"arm": {"dataset": job.dataset.id, "summary": "table 4"}, "metrics": summary}]


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the bounds on masses of all rows, seed by seed."""
    from reproductions.sigma_vae import _figures

    return _figures.discretised_figures(table, style)


REPRODUCTION = Reproduction(
    id="sigma-vae/discretised",
    title="Densities, discretised densities, categorical and mixtures on the mass of the levels",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=_runs.SOURCES,
)

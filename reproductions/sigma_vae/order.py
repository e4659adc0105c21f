"""Is the order of the nine decoders of Table 3 by sample quality the same on every data set?

Plan S21 of the specification: Frechet distances of decoder means (features of a classifier for digits, of a random
network for faces), and Kendall's tau of their order between digits16, MNIST and Frey Face. A unit is all data sets of
one seed. It needs the gpu scale: a step of the 28x28 network with 256 logits for each pixel takes 2.5 core-seconds
(`step_times.json`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.sigma_vae import _runs, decoders

IMAGES = {"smoke": ("digits16", "photo8"), "gpu": ("digits16", "mnist28", "frey28")}
STEPS = {"smoke": 10, "gpu": 3000}
SEEDS = {"smoke": 1, "gpu": 5}

METRICS = (
    _runs.METRICS
    | _runs.REAL_METRICS
    | {
        "agreement": Metric("1", "Kendall's tau-b of the distances of the nine decoders on two data sets"),
        "least_agreement": Metric("1", "smallest agreement over all pairs of data sets"),
    }
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed, where all data sets are at hand."""
    if scale not in SEEDS or (scale == "gpu" and not all(data.has(_runs.DATASETS[name]) for name in IMAGES[scale])):
        return []
    return [Unit(configuration(scale), seed) for seed in reported_seeds(seeds or SEEDS[scale])]


def configuration(scale: str) -> dict[str, Any]:
    """Return the plain configuration of one unit: one part for each data set."""
    parts = []
    for images in IMAGES[scale]:
        known = decoders.configuration(scale, images)["arms"]
        arms = {name: {"decoder": known[name]["decoder"], "steps": STEPS[scale]} for name in decoders.NINE}
        parts.append(_runs.configuration(scale, images, arms))
    named = dict.fromkeys(name for part in parts for name in part["datasets"])
    return {"images": ", ".join(IMAGES[scale]), "datasets": list(named), "parts": parts}


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train and measure the nine decoders on every data set of one seed."""
    import torch

    from vaes.ops import decisions

    rows: list[Row] = []
    distances = {}
    for part in config["parts"]:
        found, _ = _runs.run_arms(_runs.prepare(part, seed, context), part["arms"])
        rows += found
        distances[part["images"]] = torch.tensor(
            [_runs.row_of(found, arm=name)["metrics"]["fd_mean"] for name in decoders.NINE], dtype=torch.float64
        )
    agreements = []
    for one, two in itertools.combinations(distances, 2):
        agreements.append(decisions.rank_concordance(distances[one], distances[two]).item())
        rows.append({"arm": {"first": one, "second": two}, "metrics": {"agreement": agreements[-1]}})
    return [*rows, {"arm": {"summary": "order"}, "metrics": {"least_agreement": min(agreements)}}]


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the distance of every decoder on every data set."""
    from reproductions.sigma_vae import _figures

    return _figures.order_figures(table, style)


REPRODUCTION = Reproduction(
    id="sigma-vae/order",
    title="The order of the decoders on several data sets",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(*_runs.SOURCES, "reproductions/sigma_vae/decoders.py", "vaes/ops/decisions.py"),
)

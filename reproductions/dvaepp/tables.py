"""Arithmetic on the printed tables: trends, signs of differences and cells that must agree.

Every number of the paper is read from its claims, where it is written down once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import claims
from reference import bounds
from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit

Metrics = dict[str, float]
CIFAR_DIMS = 3 * 32 * 32


@functools.cache
def inventory() -> dict[str, claims.Claim]:
    """Return the claims of the paper by the part of their id after the paper."""
    return {claim.id.removeprefix("dvaepp/"): claim for claim in claims.load_paper("dvaepp").claims}


def printed(claim: str) -> dict[str, Any]:
    """Return the numbers of a claim by what they are the value of."""
    return {number.of: number.value for number in inventory()[claim].numbers}


def nats(bits: float) -> float:
    """Nats per CIFAR10 image of a number of bits per dimension."""
    return bits / float(bounds.bits_per_dim(-1.0, CIFAR_DIMS))


def table_5_trend() -> Metrics:
    """Bits per dimension against the number of local groups."""
    cells = list(printed("table-5/bits-per-dim-by-local-groups").values())
    total = cells[0] - cells[-1]
    return {
        "increases": sum(later > earlier for earlier, later in pairwise(cells)),
        "total": total,
        "total_nats": nats(total),
        "step_16_to_20": cells[2] - cells[3],
    }


def table_6_trend() -> Metrics:
    """Bits per dimension against the number of global groups."""
    cells = [value for name, value in printed("table-6/bits-per-dim-by-global-groups").items() if "global" in name]
    steps = [earlier - later for earlier, later in pairwise(cells)]
    return {
        "not_decreasing": sum(step <= 0 for step in steps),
        "smallest_step": min(steps),
        "step_nats": nats(printed("table-6/printed-trend")["gain per doubling of groups"]),
    }


def table_7_signs() -> Metrics:
    """Gain of the conditional decoder per data set (positive = better)."""
    cells = printed("table-7/values")
    sets = ("MNIST static", "MNIST dynamic", "OMNIGLOT", "Caltech-101", "CIFAR10")
    # CIFAR10 is in bits per dimension, where less is better.
    sign = dict.fromkeys(sets, 1) | {"CIFAR10": -1}
    gain = [sign[name] * (cells[f"conditional / {name}"] - cells[f"unconditional / {name}"]) for name in sets]
    stated = printed("table-7/all-but-mnist-arithmetic").values()
    return {
        "sign_errors": sum((g > 0) == name.startswith("MNIST") for g, name in zip(gain, sets, strict=True)),
        "difference_error": max(abs(g - wanted) for g, wanted in zip(gain, stated, strict=True)),
    }


def table_8_losses() -> Metrics:
    """Loss from removing the global latents or the balancing, six comparisons (positive = loss)."""
    cells = printed("table-8/values")
    sets = {"MNIST static": 1, "OMNIGLOT": 1, "CIFAR10": -1}
    loss = {
        (part, name): sign * (cells[f"DVAE++ / {name}"] - cells[f"without {part} / {name}"])
        for part in ("global latents", "KL balancing")
        for name, sign in sets.items()
    }
    stated = [value for row in printed("table-8/typically-decreases-arithmetic").values() for value in row]
    exceptions = {key for key, value in loss.items() if value <= 0}
    return {
        "losses": len(loss) - len(exceptions),
        "other_exceptions": len(exceptions - {("global latents", "MNIST static")}),
        "difference_error": max(abs(found - wanted) for found, wanted in zip(loss.values(), stated, strict=True)),
    }


def same_rows() -> Metrics:
    """Cells of Tables 6, 7 and 8 that belong to the same model."""
    six = printed("table-6/bits-per-dim-by-global-groups")
    seven, eight = printed("table-7/values"), printed("table-8/values")
    pairs = [
        (seven["unconditional / MNIST static"], eight["DVAE++ / MNIST static"]),
        (seven["conditional / OMNIGLOT"], eight["DVAE++ / OMNIGLOT"]),
        (seven["conditional / CIFAR10"], eight["DVAE++ / CIFAR10"]),
        (six["4 global groups"], eight["DVAE++ / CIFAR10"]),
    ]
    five = printed("table-5/bits-per-dim-by-local-groups")["16 local groups"]
    return {
        "unequal_cells": sum(a != b for a, b in pairs),
        "table_5_minus_table_6": five - six["4 global groups"],
    }


CHECKS: dict[str, Callable[[], Metrics]] = {
    "dvaepp/table-5/printed-trend": table_5_trend,
    "dvaepp/table-6/printed-trend": table_6_trend,
    "dvaepp/table-7/all-but-mnist-arithmetic": table_7_signs,
    "dvaepp/table-8/typically-decreases-arithmetic": table_8_losses,
    "dvaepp/table-7-8/same-rows-cross-check": same_rows,
}


def _described(unit: str, reduction: str, *names: str) -> dict[str, Metric]:
    return {name: Metric(unit=unit, reduction=f"{reduction} of printed numbers", kind="exact") for name in names}


METRICS: dict[str, Metric] = (
    _described("1", "count", "increases", "not_decreasing", "sign_errors", "losses", "other_exceptions")
    | _described("1", "count", "unequal_cells")
    | _described("bits/dim", "difference", "total", "step_16_to_20", "smallest_step", "table_5_minus_table_6")
    | _described("nats/image", "difference", "total_nats", "step_nats")
    | _described("nats or bits/dim", "largest error of a difference", "difference_error")
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit: all of it is arithmetic."""
    return [Unit({}, 1000)]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Recompute every claim about the printed tables."""
    return [{"arm": {"claim": claim}, "metrics": check()} for claim, check in CHECKS.items()]


REPRODUCTION = Reproduction(
    id="dvaepp/tables",
    title="Arithmetic on the printed tables",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=("claims/dvaepp.yaml", "reference/bounds.py"),
)

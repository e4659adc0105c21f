"""Arithmetic on the printed tables: ranks, gaps and internal consistency.

Every number is read from the claims of the paper, where it is written down once.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import claims
from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit

Metrics = dict[str, float]
PYRAMID = re.compile(r"\((\d+(?:-\d+)+)\)")


@functools.cache
def inventory() -> dict[str, claims.Claim]:
    """Return the paper's claims by name; the file is read once."""
    return {claim.id.removeprefix("hvae/"): claim for claim in claims.load_paper("hvae").claims}


def printed(claim: str) -> dict[str, float]:
    """Return the numbers of a claim by what they are the value of."""
    numbers = inventory()[claim].numbers
    return {number.of: number.value for number in numbers if not isinstance(number.value, tuple)}


def by_model(claim: str) -> dict[str, dict[str, float]]:
    """Return the numbers named ``model / quantity`` as one mapping for each model."""
    table: dict[str, dict[str, float]] = {}
    for name, value in printed(claim).items():
        model, quantity = name.split(" / ")
        table.setdefault(model, {})[quantity] = value
    return table


def half_unit(value: float) -> float:
    """Return half a unit of the last printed digit."""
    _, _, decimals = str(value).partition(".")
    return 0.5 * 10.0 ** -len(decimals)


def table_1_ranking() -> Metrics:
    """HVAE among the five models of Table 1, test log likelihood."""
    hvae = printed("table-1/hvae-static-mnist-test")["HVAE(L=4), L5000"]
    quoted = printed("table-1/quoted-baselines")
    return {
        "rank": 1 + sum(value > hvae for value in quoted.values()),
        "gap_vae": hvae - quoted["VAE (L=2)"],
        "gap_vae_nf": hvae - quoted["VAE (L=1)+NF"],
        "gap_iwae": hvae - quoted["IWAE (L=2)"],
        "gap_vamp": hvae - quoted["VampPrior (L=2)"],
    }


def table_3_l1_below_l100() -> Metrics:
    """One-sample bound (reconstruction - KLD) against the 100-sample bound, nine rows."""
    rows = by_model("table-3/baseline-elbo-reconstruction-kld") | by_model("table-3/hvae-elbo-reconstruction-kld")
    gaps = [row["V. ELBO L100"] - (row["reconstruction"] - row["KLD"]) for row in rows.values()]
    listed = _listed_gaps(inventory()["table-3/l1-below-l100"].check)
    if len(listed) != len(gaps):
        raise ValueError(f"listed gaps must be {len(gaps)}, one per row, got {len(listed)}")
    return {
        "negative_gaps": sum(gap < 0 for gap in gaps),
        "gap_error": max(abs(gap - wanted) for gap, wanted in zip(gaps, listed, strict=True)),
        "smallest_gap": min(gaps),
        "largest_gap": max(gaps),
    }


def _listed_gaps(check: str) -> list[float]:
    """The numbers of ``gaps 4.82,4.85,... nats`` in the text of the check, in the order of the table's rows."""
    found = re.search(r"gaps ([\d.,]+) nats", check)
    return [float(text) for text in found.group(1).split(",")] if found else []


def table_3_active_counts() -> Metrics:
    """Active units against layer widths, for both readings of the order in which a row lists its layers."""
    excess = {"as printed": 0, "reversed": 0}
    for model, layers in by_model("table-3/active-units").items():
        widths = _widths(model)
        for layer, active in layers.items():
            bottom_up = int(re.match(r"layer (\d+)", layer).group(1))  # type: ignore[union-attr]
            excess["as printed"] += active > widths[bottom_up - 1]
            # Read the other way, the number belongs to the layer at the other end.
            excess["reversed"] += active > widths[-bottom_up]
    return {"cells_over_width": excess["as printed"], "cells_over_width_reversed": excess["reversed"]}


def _widths(model: str) -> list[int]:
    """Latent widths bottom to top from a name like ``IWAE (64-32-16-8)``."""
    found = PYRAMID.search(model)
    if found is None:
        raise ValueError(f"model must name its widths as in 'IWAE (64-32-16-8)', got {model!r}")
    return [int(width) for width in found.group(1).split("-")]


def table_4_plain_hvae() -> Metrics:
    """Order of the validation bounds of Table 4."""
    elbo = printed("table-4/elbo")
    strong, weak = elbo["HVAE rho=.85"], elbo["HVAE rho=.9"]
    order = [
        elbo["VAE+KL"] > elbo["IWAE (5 samples)"],
        elbo["IWAE (5 samples)"] > max(strong, weak),
        min(strong, weak) > elbo["VAE"],
        elbo["VAE"] > elbo["VAE+Freebits"],
    ]
    return {
        "rank_errors": order.count(False),
        "gap_iwae": elbo["IWAE (5 samples)"] - strong,
        "gap_vae_kl": elbo["VAE+KL"] - strong,
        "gap_vae": strong - elbo["VAE"],
    }


def table_4_active_counts() -> Metrics:
    """Active units of Table 4 against the width of every layer."""
    table = by_model("table-4/active-units")
    width = printed("table-4/active-counts-fit-architecture")["units per layer"]
    return {
        "cells_over_width": sum(active > width for layers in table.values() for active in layers.values()),
        "active_rho_09": sum(table["HVAE rho=.9"].values()),
    }


def omniglot_quoted_baselines() -> Metrics:
    """HVAE (validation) against quoted test results on OMNIGLOT."""
    hvae = printed("sec-5-2-1/omniglot-resnet")["HVAE ResNet validation ELBO"]
    quoted = printed("sec-5-2-1/omniglot-quoted-baselines")
    return {"gap_vae": hvae - quoted["VAE (L=2)"], "gap_vamp": hvae - quoted["VampPrior (L=2)"]}


def table_5_counts_not_affine() -> Metrics:
    """Parameters per added layer, with the intervals that rounding allows."""
    counts = printed("table-5/hvae-parameter-counts")
    three, four, six = (counts[f"{depth} layers"] for depth in (3, 4, 6))
    slow, fast = (six - four) / 2, four - three
    slow_slack = (half_unit(six) + half_unit(four)) / 2
    fast_slack = half_unit(four) + half_unit(three)
    return {
        "intervals_overlap": float(abs(fast - slow) <= slow_slack + fast_slack),
        "step_4_to_6": slow,
        "step_3_to_4": fast,
    }


def table_5_parameter_ratio() -> Metrics:
    """Parameters of the Ladder VAE over those of the 3-layer HVAE, by either count of the former."""
    numbers = printed("table-5/about-seven-times-fewer-parameters")
    other = printed("table-5/comparator-parameter-counts")["LVAE, table 6"]
    hvae = numbers["HVAE 3 layers"]
    return {"ratio": numbers["LVAE"] / hvae, "ratio_table_6": other / hvae}


def table_5_competitive() -> Metrics:
    """Bits per dimension of the 3-layer HVAE+ against the ladders and the better models (lower is better)."""
    own = printed("table-5/hvae-bits-per-dim")
    quoted = printed("table-5/baseline-bits-per-dim")
    one, hundred = own["HVAE+ L1, 3 layers"], own["HVAE+ L100, 3 layers"]
    better = [quoted[name] for name in ("BIVA 15 layers", "NVAE", "VAE+IAF", "Discrete VAE++")]
    return {
        "lvae_minus_l1": quoted["LVAE 15 layers"] - one,
        "lvae_minus_l100": quoted["LVAE 15 layers"] - hundred,
        "lvae_plus_minus_l1": quoted["LVAE+ 15 layers"] - one,
        "lvae_plus_minus_l100": quoted["LVAE+ 15 layers"] - hundred,
        "comparators_not_better": sum(value >= hundred for value in better),
    }


def table_6_memory() -> Metrics:
    """Memory of the 6-layer HVAE against the 15-layer LVAE and BIVA."""
    memory = printed("table-6/memory-values")
    hvae, lvae, biva = memory["HVAE, 6 layers"], memory["LVAE, 15 layers"], memory["BIVA, 15 layers"]
    return {
        "rank_errors": [hvae < lvae, hvae < biva].count(False),
        "lvae_minus_hvae": lvae - hvae,
        "biva_minus_hvae": biva - hvae,
    }


CHECKS: dict[str, Callable[[], Metrics]] = {
    "hvae/table-1/ranking": table_1_ranking,
    "hvae/table-3/l1-below-l100": table_3_l1_below_l100,
    "hvae/table-3/active-counts-fit-architecture": table_3_active_counts,
    "hvae/table-4/plain-hvae-not-best-elbo": table_4_plain_hvae,
    "hvae/table-4/active-counts-fit-architecture": table_4_active_counts,
    "hvae/sec-5-2-1/omniglot-quoted-baselines": omniglot_quoted_baselines,
    "hvae/table-5/counts-not-affine-in-depth": table_5_counts_not_affine,
    "hvae/table-5/about-seven-times-fewer-parameters": table_5_parameter_ratio,
    "hvae/table-5/competitive-with-fifteen-layer-ladder": table_5_competitive,
    "hvae/table-6/six-layer-hvae-below-ladder": table_6_memory,
}


def _printed(unit: str, reduction: str) -> Metric:
    return Metric(unit=unit, reduction=f"{reduction} of printed numbers", kind="exact")


METRICS: dict[str, Metric] = {
    **{
        name: _printed("nats", "difference")
        for name in (
            "gap_vae",
            "gap_vae_nf",
            "gap_iwae",
            "gap_vamp",
            "gap_vae_kl",
            "gap_error",
            "smallest_gap",
            "largest_gap",
        )
    },
    **{
        name: _printed("1", "count")
        for name in (
            "rank",
            "rank_errors",
            "negative_gaps",
            "cells_over_width",
            "cells_over_width_reversed",
            "intervals_overlap",
            "comparators_not_better",
        )
    },
    **{
        name: _printed("bits/dim", "difference")
        for name in ("lvae_minus_l1", "lvae_minus_l100", "lvae_plus_minus_l1", "lvae_plus_minus_l100")
    },
    **{name: _printed("G", "difference") for name in ("lvae_minus_hvae", "biva_minus_hvae")},
    **{name: _printed("M", "difference per layer") for name in ("step_4_to_6", "step_3_to_4")},
    **{name: _printed("x", "ratio") for name in ("ratio", "ratio_table_6")},
    "active_rho_09": _printed("units", "sum"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit: all of it is arithmetic."""
    return [Unit({}, 1000)]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Recompute every claim about the printed tables."""
    return [{"arm": {"claim": claim}, "metrics": check()} for claim, check in CHECKS.items()]


REPRODUCTION = Reproduction(
    id="hvae/tables",
    title="Arithmetic on the printed tables",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=("claims/hvae.yaml",),
)

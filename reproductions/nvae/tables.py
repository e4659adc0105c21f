"""Arithmetic on the printed tables: ranks, gaps and internal consistency.

Every number is read from the claims of the paper, where it is written down once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import claims
from reference import architecture, schedules
from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit

Metrics = dict[str, float]
# The blocks of Table 1: models without autoregressive parts (VAEs and flows); all others have them.
NON_AUTOREGRESSIVE = frozenset(
    {"BIVA", "IAF-VAE", "DVAE++", "Conv Draw", "VFlow", "ANF", "Flow++", "Residual flow", "GLOW", "Real NVP"}
)
# Autoregressive models of the CIFAR-10 column that the check names as better.
STRONGER = {"delta-VAE", "PixelVAE++", "PixelSNAIL", "Image Transformer"}
COLUMNS = ("mnist", "cifar-10", "celeba-64", "celeba-hq")
CONFIGURATIONS = ("mnist", "cifar-10", "imagenet-32", "celeba-64", "celeba-hq", "ffhq")
CIFAR_IMAGES = 50_000


@cache
def inventory() -> dict[str, claims.Claim]:
    """Return the claims of the paper by the part of the id after the slug."""
    return {claim.id.removeprefix("nvae/"): claim for claim in claims.load_paper("nvae").claims}


def printed(claim: str) -> dict[str, float]:
    """Return the numbers of a claim by what they are the value of."""
    return {number.of: number.value for number in inventory()[claim].numbers if not isinstance(number.value, tuple)}


def quoted(column: str, autoregressive: bool) -> dict[str, float]:
    """Return the other models of a column of Table 1, with or without autoregressive parts."""
    rows = {name.split(" / ")[1]: value for name, value in printed(f"table-1/{column}-ranking").items()}
    return {row: value for row, value in rows.items() if (row not in NON_AUTOREGRESSIVE) == autoregressive}


def own(column: str) -> dict[str, float]:
    """Return the two rows of NVAE of a column: with and without flows."""
    rows = printed(f"table-1/{column}-own-results")
    return {"with" if "w/ flow" in name else "without": value for name, value in rows.items()}


def setting(column: str) -> dict[str, float]:
    """Return a column of Table 6 by the name of the row."""
    return {name.split(" / ")[1]: value for name, value in printed(f"table-6/{column}-configuration").items()}


def group_counts(column: str) -> list[int]:
    """Latent groups of a column of Table 6, coarse to fine."""
    return [int(value) for name, value in setting(column).items() if name.startswith("groups at scale")]


def cifar10_best() -> Metrics:
    """NVAE against the best model without autoregressive parts on CIFAR-10."""
    best = min(quoted("cifar-10", False).values())
    return {"best_before": best, "improvement": best - own("cifar-10")["with"]}


def best_on_four() -> Metrics:
    """Columns in which the better row of NVAE is below every model without autoregressive parts."""
    won = [min(own(column).values()) < min(quoted(column, False).values()) for column in COLUMNS]
    return {"not_best": won.count(False), "best_on": won.count(True)}


def outperforms_iaf() -> Metrics:
    """NVAE against the VAE with inverse autoregressive flows."""
    gaps = {c: quoted(c, False)["IAF-VAE"] - min(own(c).values()) for c in ("cifar-10", "mnist")}
    return {"gap_cifar": gaps["cifar-10"], "gap_mnist": gaps["mnist"]}


def speed_up() -> Metrics:
    """Ratio of throughputs, and the larger batch that the two memory savings allow."""
    rate = list(printed("sec-3-1-3/throughput-34-to-64").values())
    savings = [
        printed("sec-3-1-3/mixed-precision-40-percent")["memory reduction by mixed precision"] / 100,
        printed("sec-3-1-3/fused-bn-swish-18-percent")["further memory reduction by fusion"] / 100,
    ]
    return {
        "throughput_ratio": rate[1] / rate[0],
        "memory_product": float(architecture.capacity_gain(savings)),
    }


def throughput_versus_time() -> Metrics:
    """Images per second of the CIFAR-10 run, over all devices and for one."""
    column = setting("cifar-10")
    workers, batch = int(column["GPUs"]), int(column["batch size per GPU"])
    images = int(schedules.steps_per_epoch(CIFAR_IMAGES, workers, batch)) * workers * batch
    hours = printed("table-6/train-times")["CIFAR-10 / total train time"]
    rate = float(architecture.throughput(images, column["epochs"], hours))
    return {"images_per_second": rate, "images_per_second_per_gpu": rate / workers}


def mnist_ranking() -> Metrics:
    """Both rows of NVAE against BIVA and the best decoder with autoregressive parts."""
    best = min(quoted("mnist", False).values())
    behind = min(own("mnist").values()) - min(quoted("mnist", True).values())
    return {
        "rows_not_better": sum(value >= best for value in own("mnist").values()),
        "behind_autoregressive": behind,
    }


def cifar10_ranking() -> Metrics:
    """Models that NVAE beats, and those that it does not."""
    value = own("cifar-10")["with"]
    stronger = {row for row, other in quoted("cifar-10", True).items() if other < value}
    return {
        "beaten": sum(value < other for other in quoted("cifar-10", False).values()),
        "not_beaten": len(stronger),
        "unexpected_names": len(stronger ^ STRONGER),
    }


def imagenet32_ranking() -> Metrics:
    """Models without autoregressive parts that are better than NVAE, and those that tie."""
    value = own("imagenet-32")["with"]
    rows = quoted("imagenet-32", False)
    better = {row for row, other in rows.items() if other < value}
    return {
        "strictly_better": len(better),
        "better_other_than_flowpp": len(better - {"Flow++"}),
        "ties": sum(other == value for other in rows.values()),
    }


def celeba64_ranking() -> Metrics:
    """Both rows of NVAE against BIVA and Real NVP."""
    rows = quoted("celeba-64", False)
    return {
        "rows_not_better": sum(value >= min(rows.values()) for value in own("celeba-64").values()),
        "smallest_gap_biva": rows["BIVA"] - max(own("celeba-64").values()),
    }


def celeba_hq_ranking() -> Metrics:
    """NVAE between the flows and the models with autoregressive parts."""
    value = own("celeba-hq")["with"]
    return {
        "not_beaten": sum(value >= other for other in quoted("celeba-hq", False).values()),
        "autoregressive_beaten": sum(value <= other for other in quoted("celeba-hq", True).values()),
    }


def flow_gains() -> Metrics:
    """What flows in the encoder gain; negative where they harm."""
    gain = {c: own(c)["without"] - own(c)["with"] for c in ("cifar-10", "celeba-64", "ffhq", "mnist")}
    return {
        "gain_cifar": gain["cifar-10"],
        "gain_celeba": gain["celeba-64"],
        "gain_ffhq": gain["ffhq"],
        "gain_mnist": gain["mnist"],
        "harmed": sum(value < 0 for value in gain.values()),
    }


def without_flows() -> Metrics:
    """Models of the CIFAR-10 column that NVAE without flows beats."""
    value = own("cifar-10")["without"]
    beaten = {kind: sum(value < other for other in quoted("cifar-10", kind).values()) for kind in (False, True)}
    return {"beaten": beaten[False], "autoregressive_beaten": beaten[True]}


def gaps_to_autoregressive() -> Metrics:
    """Gap to the best model with autoregressive parts, without and with NVAE."""
    metrics = {}
    for column, name in (
        ("cifar-10", "cifar"),
        ("celeba-hq", "celeba_hq"),
        ("mnist", "mnist"),
        ("imagenet-32", "imagenet"),
    ):
        best = min(quoted(column, True).values())
        metrics[f"{name}_before"] = min(quoted(column, False).values()) - best
        metrics[f"{name}_after"] = min(own(column).values()) - best
    return metrics


def table_2_order() -> Metrics:
    """Order of the three normalisations at every depth of Table 2."""
    cells = printed("table-2/values")
    depths = sorted({name.split("L=")[1] for name in cells})
    order = []
    for depth in depths:
        swish, elu, weight = (cells[f"{kind}, L={depth}"] for kind in ("BN+Swish", "BN+ELU", "WN+ELU"))
        order += [swish < elu, elu <= weight]
    return {"order_errors": order.count(False)}


def table_4_sums() -> Metrics:
    """The bound as the sum of its parts, and the test value that Tables 2 and 5 repeat."""
    cells = printed("table-4/values")
    gaps = [
        cells[f"{arm} / training KL"] + cells[f"{arm} / reconstruction"] - cells[f"{arm} / L_VAE"]
        for arm in ("with residual", "without")
    ]
    again = (printed("table-2/values")["BN+Swish, L=40"], printed("table-5/values")["NVAE"])
    return {
        "sum_error": max(map(abs, gaps)),
        "test_differences": sum(value != cells["with residual / test LL"] for value in again),
    }


def sampling_speed() -> Metrics:
    """Time per image, and against MaCow."""
    row = printed("sec-4-3/sampling-speed")
    each = 1000 * row["time per batch"] / row["images per batch"]
    return {"milliseconds_per_image": each, "speed_ratio": row["MaCow time per image"] / each}


def warmup_iterations() -> Metrics:
    """30 percent of the iterations of the CIFAR-10 run."""
    column = setting("cifar-10")
    steps = schedules.steps_per_epoch(CIFAR_IMAGES, int(column["GPUs"]), int(column["batch size per GPU"]))
    portion = printed("app-a/kl-warmup")["portion of training"] / 100
    found = portion * column["epochs"] * int(steps)
    return {"iterations": found, "iterations_from_epochs": round(found)}


def thirty_groups() -> Metrics:
    """Groups and cells per group of Table 6 against the text of Appendix A."""
    text = inventory()["app-a/around-30-groups-two-cells"].check
    found = re.search(r"totals: ([\d, ]+) groups", text)
    if found is None:
        raise ValueError(f"check must list the totals, got {text!r}")
    listed = [int(number) for number in found.group(1).split(",")]
    totals = [sum(group_counts(column)) for column in CONFIGURATIONS]
    cells = printed("app-a/around-30-groups-two-cells")["residual cells per group"]
    return {
        "total_differences": sum(a != b for a, b in zip(totals, listed, strict=True)),
        "cell_exceptions_but_mnist": sum(
            setting(column)["residual cells per group"] != cells for column in CONFIGURATIONS if column != "mnist"
        ),
    }


def at_most_a_week() -> Metrics:
    """Hours between a week and the longest training time."""
    weeks = printed("app-a/at-most-a-week")["weeks"]
    return {"slack": weeks * 7 * 24 - max(printed("table-6/train-times").values())}


def implied_total() -> Metrics:
    """Iterations of a run of which 30 percent end at the printed end of the warm-up."""
    end = printed("fig-10/residual-keeps-more-active-early")["end of KL warm-up"]
    return {"total_steps": end / (printed("app-a/kl-warmup")["portion of training"] / 100)}


CHECKS: dict[str, Callable[[], Metrics]] = {
    "nvae/abstract/cifar10-sota-2-98-to-2-91": cifar10_best,
    "nvae/abstract/sota-on-four-datasets": best_on_four,
    "nvae/sec-1/outperforms-iaf-vae-by-large-gap": outperforms_iaf,
    "nvae/sec-5/two-times-faster": speed_up,
    "nvae/sec-3-1-3/throughput-roughly-doubles": speed_up,
    "nvae/sec-3-1-3/throughput-versus-train-time": throughput_versus_time,
    "nvae/table-1/mnist-ranking": mnist_ranking,
    "nvae/table-1/cifar-10-ranking": cifar10_ranking,
    "nvae/table-1/imagenet-32-ranking": imagenet32_ranking,
    "nvae/table-1/celeba-64-ranking": celeba64_ranking,
    "nvae/table-1/celeba-hq-ranking": celeba_hq_ranking,
    "nvae/table-1/flows-help-slightly-except-mnist": flow_gains,
    "nvae/table-1/no-flow-model-outperforms-many": without_flows,
    "nvae/table-1/gap-to-autoregressive-reduced": gaps_to_autoregressive,
    "nvae/table-2/printed-differences": table_2_order,
    "nvae/table-4/bound-is-kl-plus-reconstruction": table_4_sums,
    "nvae/sec-4-3/eight-times-faster-than-macow": sampling_speed,
    "nvae/sec-4-3/warmup-25000-iterations": warmup_iterations,
    "nvae/app-a/around-30-groups-two-cells": thirty_groups,
    "nvae/app-a/at-most-a-week": at_most_a_week,
    "nvae/fig-10/warmup-implies-total-steps": implied_total,
}


def _printed(unit: str, reduction: str) -> Metric:
    return Metric(unit=unit, reduction=f"{reduction} of printed numbers", kind="exact")


COUNTS = (
    "autoregressive_beaten",
    "beaten",
    "best_on",
    "better_other_than_flowpp",
    "cell_exceptions_but_mnist",
    "harmed",
    "not_beaten",
    "not_best",
    "order_errors",
    "rows_not_better",
    "strictly_better",
    "test_differences",
    "ties",
    "total_differences",
    "unexpected_names",
)
BITS = (
    "celeba_hq_after",
    "celeba_hq_before",
    "cifar_after",
    "cifar_before",
    "gain_celeba",
    "gain_cifar",
    "gain_ffhq",
    "gap_cifar",
    "imagenet_after",
    "imagenet_before",
    "improvement",
    "smallest_gap_biva",
    "sum_error",
)

METRICS: dict[str, Metric] = {
    **{name: _printed("1", "count") for name in COUNTS},
    **{name: _printed("bits/dim", "difference") for name in BITS},
    **{
        name: _printed("nats", "difference")
        for name in ("behind_autoregressive", "gain_mnist", "gap_mnist", "mnist_after", "mnist_before")
    },
    **{name: _printed("x", "ratio") for name in ("memory_product", "speed_ratio", "throughput_ratio")},
    **{name: _printed("images/s", "ratio") for name in ("images_per_second", "images_per_second_per_gpu")},
    **{name: _printed("steps", "product") for name in ("iterations", "iterations_from_epochs", "total_steps")},
    "best_before": _printed("bits/dim", "minimum"),
    "milliseconds_per_image": _printed("ms", "ratio"),
    "slack": _printed("h", "difference"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit: all of it is arithmetic."""
    return [Unit({}, 1000)]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Recompute every claim about the printed tables."""
    return [{"arm": {"claim": claim}, "metrics": check()} for claim, check in CHECKS.items()]


REPRODUCTION = Reproduction(
    id="nvae/tables",
    title="Arithmetic on the printed tables",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=("claims/nvae.yaml", "reference/architecture.py", "reference/schedules.py"),
)

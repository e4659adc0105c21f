"""Arithmetic on the printed tables: gains, ranks and internal consistency.

Every number is read from the claims of the paper, where it is written down once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import claims
from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit

Metrics = dict[str, float]
DATA_SETS = ("CIFAR-10", "ImageNet 32", "ImageNet 64", "FFHQ 256 5-bit")
OURS = ("C1", "C2")
CELL = re.compile(r"(?P<quantity>.+), (?P<data>.+) (?P<model>C1|C2|VDVAE)")
LAYERS = re.compile(r"layers at (?P<side>\d+)x(?P=side), row (?P<row>[\d-]+)")
OWN_ROW, BOUNDED_ROW = "Efficient-VDVAE section 6", "Efficient-VDVAE bounded"
# Rows that the paper marks as trained with augmented data.
AUGMENTED = ("Aug. Sparse Transformer (augmented)", "VDM (asterisk: augmented)", "CR-NVAE (augmented)")
# Updates of the released VDVAE checkpoints of CIFAR-10, four seeds; they are not in the paper.
RELEASED_UPDATES = (650_000, 900_000, 1_050_000, 1_050_000)


@cache
def inventory(slug: str) -> dict[str, claims.Claim]:
    """Return the claims of a paper by the part of the id after the slug."""
    return {claim.id.split("/", 1)[1]: claim for claim in claims.load_paper(slug).claims}


def find(claim: str) -> claims.Claim:
    """Return a claim of the paper by the part of its id after the slug."""
    return inventory("efficient-vdvae")[claim]


def printed(claim: str) -> dict[str, float]:
    """Return the numbers of a claim by what they are the value of."""
    return {number.of: number.value for number in find(claim).numbers if not isinstance(number.value, tuple)}


def table_3(claim: str) -> dict[tuple[str, str], float]:
    """Return a row of Table 3 by data set and model."""
    cells = {}
    for name, value in printed(f"table-3/{claim}").items():
        found = CELL.fullmatch(name.replace("NLL ", "NLL, "))
        if found is None:
            raise ValueError(f"cell must be named 'quantity, data set model', got {name!r}")
        cells[found["data"], found["model"]] = value
    return cells


def losses() -> dict[tuple[str, str], float]:
    """Return the NLL row of Table 3, in bits per dimension."""
    names = ("nll-cifar-10", "nll-imagenet-32", "nll-imagenet-64", "nll-ffhq-256-5-bit")
    return {cell: value for name in names for cell, value in table_3(name).items()}


def gains(claim: str) -> dict[tuple[str, str], float]:
    """Return a row of Table 3 for VDVAE, divided by that of each of our models."""
    row = table_3(claim)
    return {(data, model): row[data, "VDVAE"] / row[data, model] for data in DATA_SETS for model in OURS}


def table_4() -> dict[str, dict[str, float]]:
    """Return Table 4 as one mapping from row names to numbers for each column."""
    columns: dict[str, dict[str, float]] = {}
    quoted = [claim for claim in inventory("efficient-vdvae") if claim.startswith("table-4/quoted-")]
    for claim in (*quoted, "table-4/efficient-bounded-row", "table-4/efficient-unbounded-row"):
        for name, value in printed(claim).items():
            row, column = name.rsplit(", ", 1)
            columns.setdefault(column, {})[row] = value
    return columns


def others(column: Mapping[str, float], augmented: bool) -> dict[str, float]:
    """Return the rows of a column that are not ours, with or without those trained with augmented data."""
    drop = {OWN_ROW, BOUNDED_ROW, *(() if augmented else AUGMENTED)}
    return {row: value for row, value in column.items() if row not in drop}


def faster_convergence() -> Metrics:
    """Largest gain in hours."""
    found = gains("clock-time")
    return {
        "largest_gain": max(found.values()),
        "not_the_maximum": sum(value > found["ImageNet 32", "C1"] for value in found.values()),
    }


def memory_saving() -> Metrics:
    """Largest gain in memory."""
    return {"largest_gain": max(gains("memory-cells").values())}


def seven_data_sets() -> Metrics:
    """Data sets of Table 4, and how much worse than the best row each column is."""
    columns = table_4()
    names = {re.sub(r" (\(nats\)|\d+)( \d-bit)?$", "", c) if "ImageNet" not in c else c for c in columns}
    excess = []
    for column in columns.values():
        rows = others(column, augmented=False)
        if rows:
            excess.append(100 * (column[OWN_ROW] / min(rows.values()) - 1))
    return {"data_sets": len(names), "worst_excess": max(0.0, *excess)}


def worst_case_memory() -> Metrics:
    """Smallest gain in memory."""
    return {"smallest_gain": min(gains("memory-cells").values())}


def worst_case_updates() -> Metrics:
    """Smallest gain in updates, and the gains from the released checkpoints."""
    own = table_3("iterations")["CIFAR-10", "C2"]
    return {
        "smallest_gain": min(gains("iterations").values()),
        "released_mean_gain": sum(RELEASED_UPDATES) / len(RELEASED_UPDATES) / own,
        "released_largest_gain": max(RELEASED_UPDATES) / own,
    }


def worst_case_clock() -> Metrics:
    """Smallest gain in hours."""
    return {"smallest_gain": min(gains("clock-time").values())}


def compact_imagenet32() -> Metrics:
    """The three gains of ImageNet 32 C1."""
    rows = {"memory": "memory-cells", "update": "iterations", "clock": "clock-time"}
    return {f"{name}_gain": gains(row)["ImageNet 32", "C1"] for name, row in rows.items()}


def loss_percent() -> Metrics:
    """Loss in NLL of C1 against C2 on ImageNet 32, in percent."""
    nll = losses()
    return {"loss_percent": 100 * (nll["ImageNet 32", "C1"] / nll["ImageNet 32", "C2"] - 1)}


def similar_or_better() -> Metrics:
    """C2 and C1 against VDVAE in NLL."""
    nll = losses()
    return {
        "c2_worse": sum(nll[data, "C2"] > nll[data, "VDVAE"] for data in DATA_SETS),
        "c1_worst_excess": max(0.0, *(100 * (nll[data, "C1"] / nll[data, "VDVAE"] - 1) for data in DATA_SETS)),
    }


def sota_all_but_cifar() -> Metrics:
    """Columns other than CIFAR-10 in which some other row is better."""
    lost = 0
    for name, column in table_4().items():
        rows = others(column, augmented=True)
        lost += name != "CIFAR-10" and bool(rows) and column[OWN_ROW] > min(rows.values())
    return {"columns_not_best": lost}


def layer_rows() -> dict[str, dict[int, float]]:
    """Return the rows of Table 1a, each a mapping from the side to the number of layers."""
    rows: dict[str, dict[int, float]] = {}
    for name, value in printed("table-1a/layer-rows").items():
        found = LAYERS.fullmatch(name)
        if found is None:
            raise ValueError(f"cell must be named 'layers at SxS, row A-B-...', got {name!r}")
        rows.setdefault(found["row"], {})[int(found["side"])] = value
    return rows


def table_1a_rows() -> Metrics:
    """Sums, fixed resolutions, and the row that is the model of Table 6."""
    rows = list(layer_rows().values())
    sums = _numbers(r"Row sums are ([\d, ]+);", find("table-1a/layer-rows").check)
    model = printed("table-6/imagenet-32")
    return {
        "row_sum_errors": sum(sum(row.values()) != total for row, total in zip(rows, sums, strict=True)),
        "row_3_differences": sum(
            value != model[f"C1 and C2, layers at {side}x{side}"] for side, value in rows[2].items()
        ),
        "changes_at_4_and_1": sum(row[side] != rows[0][side] for row in rows for side in (4, 1)),
        "changes_at_8_rows_1_to_4": sum(row[8] != rows[0][8] for row in rows[:4]),
        "changes_at_8_row_5": int(rows[4][8] != rows[0][8]),
    }


def _numbers(pattern: str, text: str) -> list[float]:
    """The comma-separated numbers that a pattern captures in the text of a check."""
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"check must contain {pattern!r}, got {text!r}")
    return [float(number) for number in found.group(1).replace(" ", "").split(",")]


def best_at_73_layers() -> Metrics:
    """The smallest NLL of Table 1a and the first row that has it."""
    nll, memory = printed("table-1a/diminishing-returns"), printed("table-1a/memory-grows-with-high-res")
    best = min(nll.values())
    first = next(name.removeprefix("NLL, row ") for name, value in nll.items() if value == best)
    again = (losses()["ImageNet 32", "C2"], table_3("memory-cells")["ImageNet 32", "C2"])
    found = (best, memory[f"memory, row {first}"])
    return {
        "smallest_nll": found[0],
        "first_memory": found[1],
        "first_layers": sum(layer_rows()[first].values()),
        "differences_from_table_3": sum(a != b for a, b in zip(found, again, strict=True)),
    }


def width_rows() -> Metrics:
    """Table 1b continues the last row of Table 1a."""
    last = list(layer_rows())[-1]
    wide = "widths 512-512-512-512-512"
    memory = printed("table-1b/memory-by-width")[f"memory, {wide}"]
    nll = printed("table-1b/nll-by-width")[f"NLL, {wide}"]
    layers = printed("table-1b/width-rows")["stochastic layers of all rows"]
    return {
        "layer_error": layers - sum(layer_rows()[last].values()),
        "memory_difference": memory - printed("table-1a/memory-grows-with-high-res")[f"memory, row {last}"],
        "nll_difference": nll - printed("table-1a/diminishing-returns")[f"NLL, row {last}"],
    }


def clock_faster_everywhere() -> Metrics:
    """Eight comparisons in hours, and the gains that the check lists."""
    found = list(gains("clock-time").values())
    listed = _numbers(r"gains ([\d., ]+)\)", find("table-3/clock-faster-everywhere").check)
    return {
        "not_faster": sum(value <= 1 for value in found),
        "gain_error": max(abs(a - b) for a, b in zip(found, listed, strict=True)),
    }


def quoted_nvae() -> Metrics:
    """Quoted rows of NVAE against the results in the claims of its own paper."""
    own = {"MNIST (nats)": "mnist", "CIFAR-10": "cifar-10", "ImageNet 32": "imagenet-32", "CelebA 64": "celeba-64"}
    own |= {"CelebAHQ 256 5-bit": "celeba-hq", "FFHQ 256 5-bit": "ffhq"}
    wrong = 0
    for name, value in printed("table-4/quoted-nvae").items():
        numbers = inventory("nvae")[f"table-1/{own[name.removeprefix('NVAE, ')]}-own-results"].numbers
        wrong += value != min(number.value for number in numbers)
    return {"differences": wrong}


def quoted_vdvae() -> Metrics:
    """Published values in nats per dimension, converted to bits."""
    nats = _numbers(r"published nats/dim ([\d., ]+) convert", find("table-4/quoted-vdvae").check)
    quoted = printed("table-4/quoted-vdvae")
    columns = ("ImageNet 32", "ImageNet 64", "FFHQ 256 5-bit", "FFHQ 1024")
    pairs = zip(nats, (quoted[f"VDVAE, {column}"] for column in columns), strict=True)
    return {"conversion_error": max(abs(value / math.log(2) - bits) for value, bits in pairs)}


def mnist_not_sota() -> Metrics:
    """Rows of the MNIST column that do not beat ours."""
    row = printed("table-4/mnist-not-sota")
    own = row.pop("Efficient-VDVAE")
    return {"others_not_better": sum(value >= own for value in row.values())}


def encoded_size_column() -> Metrics:
    """133 GB at 3 percent, scaled to every other share and rounded."""
    numbers = printed("table-5/encoded-size-column")
    sizes = {name: value for name, value in numbers.items() if name.startswith("size at")}
    base = sizes["size at 3 percent"] / 0.03
    shares = (float(name.split()[2]) / 100 for name in sizes)
    return {"rounding_errors": sum(round(base * f) != value for f, value in zip(shares, sizes.values(), strict=True))}


def elbo_split() -> Metrics:
    """Reconstruction and KL against their printed sum."""
    cells = printed("table-5/elbo-split")
    gaps: Iterator[float] = (
        cells[f"reconstruction at {share}"] + cells[f"KL at {share}"] - value
        for share, value in ((name[9:], value) for name, value in cells.items() if name.startswith("NELBO at "))
    )
    return {"split_error": max(map(abs, gaps))}


def smaller_33_times() -> Metrics:
    """Encoded data set at 100 against 3 percent."""
    sizes = printed("table-5/encoded-size-column")
    return {"reduction": sizes["size at 100 percent"] / sizes["size at 3 percent"]}


def better_than_nvae() -> Metrics:
    """Columns that VDVAE and NVAE share."""
    row = printed("sec-3/vdvae-better-than-nvae")
    columns = [name.removeprefix("VDVAE ") for name in row if name.startswith("VDVAE ")]
    return {"not_lower": sum(row[f"VDVAE {column}"] >= row[f"NVAE {column}"] for column in columns)}


def five_bit_gains() -> Metrics:
    """Gains over the best other row on the 5-bit columns, in percent."""
    columns = table_4()
    gain = {}
    for name in ("CelebAHQ", "FFHQ"):
        column = columns[f"{name} 256 5-bit"]
        gain[f"{name.lower()}_gain"] = 100 * (1 - column[OWN_ROW] / min(others(column, augmented=True).values()))
    return gain


CHECKS: dict[str, Callable[[], Metrics]] = {
    f"efficient-vdvae/{name}": check
    for name, check in {
        "abstract/faster-convergence": faster_convergence,
        "abstract/memory-saving": memory_saving,
        "abstract/seven-data-sets": seven_data_sets,
        "sec-5-3-1/worst-case-memory": worst_case_memory,
        "sec-5-3-1/worst-case-updates": worst_case_updates,
        "sec-5-3-1/worst-case-clock": worst_case_clock,
        "sec-5-3-1/compact-imagenet32": compact_imagenet32,
        "sec-5-3-1/nll-loss-002-percent": loss_percent,
        "sec-5-3-1/nll-similar-or-better-than-vdvae": similar_or_better,
        "sec-5-3-2/sota-all-but-cifar": sota_all_but_cifar,
        "table-1a/layer-rows": table_1a_rows,
        "table-1a/best-at-73-layers": best_at_73_layers,
        "table-1b/width-rows": width_rows,
        "table-3/clock-faster-everywhere": clock_faster_everywhere,
        "table-4/quoted-nvae": quoted_nvae,
        "table-4/quoted-vdvae": quoted_vdvae,
        "table-4/mnist-not-sota": mnist_not_sota,
        "table-5/encoded-size-column": encoded_size_column,
        "table-5/elbo-split": elbo_split,
        "table-5/33-times-smaller": smaller_33_times,
        "sec-3/vdvae-better-than-nvae": better_than_nvae,
        "sec-6-2/much-better-5-bit-sota": five_bit_gains,
    }.items()
}


def _printed(unit: str, reduction: str) -> Metric:
    return Metric(unit=unit, reduction=f"{reduction} of printed numbers", kind="exact")


COUNTS = (
    "c2_worse",
    "changes_at_4_and_1",
    "changes_at_8_row_5",
    "changes_at_8_rows_1_to_4",
    "columns_not_best",
    "data_sets",
    "differences",
    "differences_from_table_3",
    "not_faster",
    "not_lower",
    "not_the_maximum",
    "others_not_better",
    "rounding_errors",
    "row_3_differences",
    "row_sum_errors",
)
RATIOS = (
    "clock_gain",
    "largest_gain",
    "memory_gain",
    "reduction",
    "released_largest_gain",
    "released_mean_gain",
    "smallest_gain",
    "update_gain",
)
PERCENT = ("c1_worst_excess", "celebahq_gain", "ffhq_gain", "loss_percent", "worst_excess")

METRICS: dict[str, Metric] = {
    **{name: _printed("1", "count") for name in COUNTS},
    **{name: _printed("x", "ratio") for name in RATIOS},
    **{name: _printed("percent", "relative difference") for name in PERCENT},
    **{name: _printed("bits/dim", "difference") for name in ("conversion_error", "nll_difference", "split_error")},
    "first_layers": _printed("layers", "sum"),
    "first_memory": _printed("GB", "selection"),
    "gain_error": _printed("x", "largest difference"),
    "layer_error": _printed("layers", "difference"),
    "memory_difference": _printed("GB", "difference"),
    "smallest_nll": _printed("bits/dim", "minimum"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit: all of it is arithmetic."""
    return [Unit({}, 1000)]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Recompute every claim about the printed tables."""
    return [{"arm": {"claim": claim}, "metrics": check()} for claim, check in CHECKS.items()]


REPRODUCTION = Reproduction(
    id="efficient-vdvae/tables",
    title="Arithmetic on the printed tables",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=("claims/efficient-vdvae.yaml", "claims/nvae.yaml"),
)

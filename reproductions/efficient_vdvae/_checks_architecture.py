"""Checks that count layers, parameters, latents and bytes of the released configurations.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from reference import architecture, pruning
from reproductions.efficient_vdvae import _configurations as released
from reproductions.efficient_vdvae import tables

Metrics = dict[str, float]
Check = Callable[[np.random.Generator], Metrics]
MODELS = ("C1", "C2", "VDVAE")
# Images of the data sets that the text and the caption of Table 5 name.
FFHQ_IMAGES, FFHQ_TRAINING, CELEBAHQ_IMAGES = 70_000, 63_000, (27_000, 30_000)
GIGA, GIBI, MEGA = 1e9, 2**30, 1e6
FLOAT_BYTES = 4


def parameters(data: str, model: str) -> Check:
    """Return the check of one cell of the parameter row of Table 3."""

    def check(rng: np.random.Generator) -> Metrics:
        own = released.VDVAE[data].parameters() if model == "VDVAE" else None
        count = released.parameters(released.EFFICIENT[data, model]) if own is None else own
        return {"count_error": count - _listed_count(data, model), "millions": count / MEGA}

    return check


def _listed_count(data: str, model: str) -> int:
    """The exact count in the text of the check."""
    name = f"table-3/params-{data.lower().replace(' ', '-')}-{model.lower()}"
    found = re.search(r"by formula: (\d+(?: \d{3})+)", tables.find(name).check)
    if found is None:
        raise ValueError(f"check of {name} must hold a count")
    return int(found.group(1).replace(" ", ""))


def layers(rng: np.random.Generator) -> Metrics:
    """Layers of the twelve files against the cells of Table 3."""
    cells = tables.table_3("layers")
    return {"differences": sum(sum(released.layers(*cell).values()) != value for cell, value in cells.items())}


def layers_per_resolution(data: str, claim: str) -> Check:
    """Return the check of one column of Table 6."""

    def check(rng: np.random.Generator) -> Metrics:
        wrong = 0
        for name, value in tables.printed(f"table-6/{claim}").items():
            models, place = name.split(", layers at ")
            side = int(place.split("x")[0])
            wrong += sum(released.layers(data, model)[side] != value for model in MODELS if model in models)
        totals = tables.table_3("layers")
        return {
            "differences": wrong,
            "sum_differences": sum(sum(released.layers(data, m).values()) != totals[data, m] for m in MODELS),
        }

    return check


def widths(rng: np.random.Generator) -> Metrics:
    """Widths of the files: constant for C2 and VDVAE, falling with the resolution for C1."""
    wrong = 0
    printed = dict(zip(released.VDVAE, tables.printed("table-3/width").values(), strict=True))
    for data, width in printed.items():
        wrong += int(np.sum(released.EFFICIENT[data, "C2"][:, 4] != width)) + (released.VDVAE[data].width != width)
    found = re.search(r"equal to ([\d., ]+)\.", tables.find("table-3/width").check)
    if found is None:
        raise ValueError("check of table-3/width must list the ranges")
    ranges = [tuple(map(int, pair.split(".."))) for pair in found.group(1).split(", ")]
    compact = [released.EFFICIENT[data, "C1"][:, 4] for data in printed]
    return {
        "c2_differences": wrong,
        # Rows go from high to low resolution.
        "c1_increases": sum(int(np.sum(np.diff(row) < 0)) for row in compact),
        "c1_range_errors": sum((row.min(), row.max()) != ends for row, ends in zip(compact, ranges, strict=True)),
    }


def differs_only_in_width(rng: np.random.Generator) -> Metrics:
    """Fields other than the width in which a C1 file differs from the released baseline."""
    other = {"ratios": 0, "latents": 0, "layers": 0}
    for data, baseline in released.BASELINES.items():
        compact = released.EFFICIENT[data, "C1"]
        other["ratios"] += int(np.sum(compact[:, 5] * baseline[:, 4] != baseline[:, 5] * compact[:, 4]))
        other["latents"] += int(np.sum(compact[:, 6] != baseline[:, 6]))
        other["layers"] += int(np.sum(compact[:, :4] != baseline[:, :4]))
    return {"other_differences": sum(other.values())}


def batches(rng: np.random.Generator) -> Metrics:
    """Printed batch sizes against the files, and the images seen that follow from them."""
    batch, steps = tables.table_3("batch"), tables.table_3("iterations")
    wrong = sum(batch[data, m] != released.BATCHES[data][m == "VDVAE"] for data, m in batch)
    found = re.search(r"ours ([\dM., ]+); VDVAE ([\dM., ]+) \(", tables.find("table-3/batch").check)
    if found is None:
        raise ValueError("check of table-3/batch must list the images seen")
    errors = []
    for model, listed in zip(("C2", "VDVAE"), found.groups(), strict=True):
        millions = [float(text.strip(" M")) for text in listed.split(",")]
        seen = [float(architecture.images_seen(batch[d, model], steps[d, model])) / MEGA for d in tables.DATA_SETS]
        errors += [abs(round(a, 1) - b) for a, b in zip(seen, millions, strict=True)]
    return {"file_differences": wrong, "images_seen_error": max(errors)}


def learning_rates(rng: np.random.Generator) -> Metrics:
    """Printed learning rates against those of the two codes."""
    own, theirs = tables.printed("table-3/optimiser-and-rate").values()
    return {
        "own_differences": sum(rate != own for rate, _ in released.RATES.values()),
        "vdvae_differences": sum(rate != theirs for _, rate in released.RATES.values()),
    }


def spectrum(rng: np.random.Generator) -> Metrics:
    """Symmetric, asymmetric and mixed designs, counted by one formula."""
    return {
        "symmetric": released.parameters(released.SYMMETRIC_75),
        "one_link": released.parameters(released.EFFICIENT["CIFAR-10", "C2"]),
        "mixed": released.parameters(released.CIFAR_BASELINE),
    }


def pool_kernel(rng: np.random.Generator) -> Metrics:
    """The count of the CIFAR-10 baseline with pools of one pixel and with pools as large as the stride."""
    table = released.CIFAR_BASELINE
    sides, width = table[:, 0], table[:, 4]
    strides = sides[:-1] // sides[1:]
    surplus = int(np.sum((strides**2 - 1) * width[:-1] * width[1:]))
    found = re.search(r"would have (\d+ \d+ \d+) minus", tables.find("app-a-1/pool-is-1x1").check)
    if found is None:
        raise ValueError("check of app-a-1/pool-is-1x1 must hold the released count")
    difference = released.parameters(table) - int(found.group(1).replace(" ", ""))
    return {"printed_form_difference": difference - surplus, "strided_form_difference": difference}


def encoded_size(rng: np.random.Generator) -> Metrics:
    """Bytes of all latents of FFHQ under the 75-layer model, in float32."""
    dims = released.latents(released.SYMMETRIC_75)
    share = 0.03
    rounded = round(float(pruning.encoded_dataset_bytes(1, dims, share)) / MEGA, 1)
    return {
        "gigabytes": float(pruning.encoded_dataset_bytes(FFHQ_IMAGES, dims, 1.0)) / GIGA,
        "megabytes_per_image": rounded,
        "gigabytes_from_rounded": rounded * MEGA * FFHQ_IMAGES / GIGA / share,
        "gigabytes_69_layers": float(
            pruning.encoded_dataset_bytes(FFHQ_IMAGES, released.latents(released.FFHQ_8_BIT), 1.0)
        )
        / GIGA,
    }


def pixel_size(rng: np.random.Generator) -> Metrics:
    """Bytes of the pixels of FFHQ 256, as float32 and as bytes, and the code of 3 percent against them."""
    side = released.SIDES[0]
    whole = float(pruning.pixel_bytes(FFHQ_IMAGES, side, FLOAT_BYTES))
    as_bytes = pruning.pixel_bytes(FFHQ_IMAGES, side)
    code = tables.printed("table-5/encoded-size-column")["size at 3 percent"] * GIGA
    return {
        "gibibytes_70000": whole / GIBI,
        "gigabytes_63000": float(pruning.pixel_bytes(FFHQ_TRAINING, side, FLOAT_BYTES)) / GIGA,
        "gigabytes_70000": whole / GIGA,
        "code_to_pixels": float(pruning.code_to_pixel_ratio(code, whole)),
        "code_to_byte_pixels": float(pruning.code_to_pixel_ratio(code, as_bytes)),
    }


def data_set(rng: np.random.Generator) -> Metrics:
    """Which data set gives the printed size of the encoded data, and the printed NELBO."""
    size = tables.printed("table-5/encoded-size-dense")["encoded size at 100 percent"]
    models = (released.EFFICIENT["FFHQ 256 5-bit", "C2"], released.FFHQ_8_BIT, released.SYMMETRIC_75)

    def fits(images: int, table: released.Counts) -> bool:
        found = float(pruning.encoded_dataset_bytes(images, released.latents(table), 1.0)) / GIGA
        return abs(found / size - 1) <= 0.01

    nelbo = tables.printed("table-5/elbo-split")["NELBO at 100 percent"]
    row = tables.printed("table-4/efficient-unbounded-row")
    return {
        "celebahq_fits": sum(fits(images, table) for images in CELEBAHQ_IMAGES for table in models),
        "ffhq_75_layer_fits": int(fits(FFHQ_IMAGES, released.SYMMETRIC_75)),
        "nelbo_difference_ffhq": nelbo - row[f"{tables.OWN_ROW}, FFHQ 256 8-bit"],
        "nelbo_difference_celebahq": nelbo - row[f"{tables.OWN_ROW}, CelebAHQ 256 8-bit"],
    }

"""Checks that count groups, latents, parameters, operations and kept maps of the layouts.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import stats

from reference import architecture, top_down
from reproductions.nvae import tables
from reproductions.nvae._configurations import EXPANSION, LAYOUTS

Metrics = dict[str, float]
Check = Callable[[np.random.Generator], Metrics]
MILLION = 1e6


def _listed(claim: str, pattern: str) -> list[float]:
    """The comma-separated numbers that a pattern captures in the text of a check."""
    text = tables.inventory()[claim].check
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"check of {claim} must contain {pattern!r}, got {text!r}")
    return [float(number) for number in re.split(r", *", found.group(1))]


def _expected(column: str, what: str) -> int:
    """The total that the check of a column of Table 6 expects."""
    text = tables.inventory()[f"table-6/{column}-configuration"].check
    patterns = {
        "groups": r"(\d+)(?: groups)?; latents",
        "latents": r"latents ([\d,]+)",
        "parameters": r"parameters ([\d,]+)",
    }
    found = re.search(patterns[what], text)
    if found is None:
        raise ValueError(f"check of {column} must name its {what}, got {text!r}")
    return int(found.group(1).rstrip(",").replace(",", ""))


def configuration(column: str) -> Check:
    """Return the check of one column of Table 6."""

    def check(rng: np.random.Generator) -> Metrics:
        layout, printed = LAYOUTS[column], tables.setting(column)
        sides = [value for name, value in printed.items() if name.startswith("latent side")]
        return {
            "group_differences": _unlike(tables.group_counts(column), layout.groups[::-1]),
            "side_differences": _unlike(sides, layout.sides[::-1]),
            "flow_difference": printed["normalizing flows"] - 2 * layout.flow_pairs,
            "group_total_error": int(layout.groups.sum()) - _expected(column, "groups"),
            "latent_error": layout.latent_dims() - _expected(column, "latents"),
            "parameter_error": layout.parameters() - _expected(column, "parameters"),
        }

    return check


def _unlike(printed: list[float] | list[int], found: architecture.Counts) -> int:
    """Number of entries that differ."""
    return sum(a != b for a, b in zip(printed, found.tolist(), strict=True))


def smaller_model(rng: np.random.Generator) -> Metrics:
    """The channels that the note prints against those of the table, and the models of both and of the small one."""
    note = tables.printed("table-6/smaller-model-costs-0-01")["full initial channels as printed in the note"]
    layout = LAYOUTS["celeba-hq"]
    millions = {
        f"millions_{channels}": replace(layout, channels=channels).parameters() / MILLION for channels in (24, 30, 32)
    }
    own = tables.printed("table-6/smaller-model-note-consistency")["initial channels in the table"]
    return {"printed_difference": note - own, **millions}


def scales_double(rng: np.random.Generator) -> Metrics:
    """Successive sides and channels of all layouts."""
    sides = [layout.sides for layout in LAYOUTS.values()]
    widths = [layout.widths for layout in LAYOUTS.values()]
    return {
        "side_ratio_errors": sum(int(np.sum(row[:-1] != 2 * row[1:])) for row in sides),
        "channel_ratio_errors": sum(int(np.sum(row[1:] != 2 * row[:-1])) for row in widths),
    }


def channels_double(rng: np.random.Generator) -> Metrics:
    """Channels at each halving, from the first to the learned constant on top."""
    factor = tables.printed("app-a/channels-double")["channel factor per downsampling"]
    ratio_errors = width_errors = 0
    for layout in LAYOUTS.values():
        widths = layout.widths
        ratio_errors += int(np.sum(widths[1:] != factor * widths[:-1]))
        width_errors += int(np.sum(widths != layout.channels * 2 ** np.arange(len(widths))))
    return {"ratio_errors": ratio_errors, "width_errors": width_errors}


def five_scales(rng: np.random.Generator) -> Metrics:
    """Sides of the CelebA HQ latents against the figure."""
    layout, row = LAYOUTS["celeba-hq"], tables.printed("fig-12/five-scales")
    wanted = _listed("fig-12/five-scales", r"sides ([\d,]+) on")
    sides = sorted(layout.sides.tolist())
    found = (len(sides), layout.resolution, sides[0], sides[-1])
    printed = (row["scales"], row["image side"], row["smallest side"], row["largest side"])
    return {"side_differences": sum(a != b for a, b in zip(found, printed, strict=True)) + (sides != wanted)}


def mnist_example(rng: np.random.Generator) -> Metrics:
    """Shapes of the MNIST groups against the caption of Table 6."""
    layout, row = LAYOUTS["mnist"], tables.printed("table-6/caption-mnist-example")
    groups, sides = layout.groups[::-1].tolist(), layout.sides[::-1].tolist()
    found = [sum(groups), *groups, *sides, layout.latents, layout.scales]
    return {
        "differences": sum(a != b for a, b in zip(found, row.values(), strict=True)),
        "latents": layout.latent_dims(),
    }


def groups_8_to_128(rng: np.random.Generator) -> Metrics:
    """Groups, sides and cells of the CelebA HQ towers."""
    layout = LAYOUTS["celeba-hq"]
    total, between = int(layout.groups.sum()), layout.scales - 1
    text = tables.inventory()["sec-4-1/36-groups-8-to-128"].check
    found = re.search(r"(\d+) encoder-tower and (\d+) decoder-tower", text)
    if found is None:
        raise ValueError(f"check must list the cells of both towers, got {text!r}")
    encoder, decoder = map(int, found.groups())
    return {
        "groups": total,
        "smallest_side": int(layout.sides.min()),
        "largest_side": int(layout.sides.max()),
        "encoder_cells_error": layout.cells * total + between - encoder,
        # The first group has no cells before it.
        "decoder_cells_error": layout.cells * (total - 1) + between - decoder,
    }


def ablation_model(rng: np.random.Generator) -> Metrics:
    """The CIFAR-10 layout without flows at half the channels, against the full one."""
    full = replace(LAYOUTS["cifar-10"], flow_pairs=0)
    small = replace(full, channels=full.channels // 2).parameters()
    return {"parameters": small, "ratio": small / full.parameters()}


def more_latents(rng: np.random.Generator) -> Metrics:
    """Latents over data dimensions."""
    ratios = [layout.latent_dims() / layout.data_dims for layout in LAYOUTS.values()]
    listed = _listed("sec-4-3/more-latents-than-data", r"data dims: ([\d., ]+), all")
    return {
        "not_more": sum(ratio <= 1 for ratio in ratios),
        "ratio_error": max(abs(a - b) for a, b in zip(ratios, listed, strict=True)),
    }


def sampling_stages(rng: np.random.Generator) -> Metrics:
    """Groups are the stages; the density of one group is a sum over its variables."""
    listed = _listed("sec-3-2/parallel-sampling-within-group", r"equals L \(([\d, ]+)\)")
    stages = [int(layout.groups.sum()) for layout in LAYOUTS.values()]
    z, mean, scale = rng.standard_normal(50), rng.standard_normal(50), rng.uniform(0.2, 2, 50)
    together = float(top_down.log_density([z], [mean], [scale]))
    return {
        "stage_differences": sum(a != b for a, b in zip(stages, listed, strict=True)),
        "density_error": abs(together - float(stats.norm.logpdf(z, mean, scale).sum())),
    }


def convolution_counts(rng: np.random.Generator) -> Metrics:
    """Parameters and operations of dense and depthwise convolutions against PyTorch's, on the meta device."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    parameters = operations = 0
    for size in (1, 3, 5, 11):
        for channels in (1, 8, 30, 256):
            for groups in (1, channels):
                layer = torch.nn.Conv2d(
                    channels, channels, size, padding=size // 2, groups=groups, bias=False, device="meta"
                )
                row = [[channels, channels, size, groups, 0, 0]]
                formula = size**2 * channels * (channels // groups)
                count = int(architecture.parameter_count(row, []))
                parameters += not count == layer.weight.numel() == formula
                with FlopCounterMode(display=False) as counter:
                    layer(torch.empty(1, channels, 12, 12, device="meta"))
                adds = int(architecture.multiply_adds(row, [144]))
                operations += not 2 * adds == counter.get_total_flops() == 2 * 144 * formula
    return {"parameter_differences": parameters, "operation_differences": operations}


def depthwise_ratio(rng: np.random.Generator) -> Metrics:
    """Dense over depthwise cost of every 5x5 layer."""
    widths = sorted({width for layout in LAYOUTS.values() for width in layout.depthwise_widths()})

    def cost(width: int, groups: int) -> int:
        return int(architecture.multiply_adds([[width, width, 5, groups, 0, 0]], [1]))

    ratios = {width: cost(width, 1) / cost(width, width) for width in widths}
    return {
        "smallest_ratio": min(ratios.values()),
        "ratio_minus_channels": max(abs(ratio - width) for width, ratio in ratios.items()),
    }


def receptive_fields(rng: np.random.Generator) -> Metrics:
    """Fields and parameters of the two cells at 256 channels, and a dense 5x5 at the expanded width."""
    width = 256
    hidden, squeezed = EXPANSION * width, width // 16
    squeeze = 2 * width * squeezed + squeezed + width
    separable = [[width, hidden, 1, 1, 0, 0], [hidden, hidden, 5, hidden, 0, 0], [hidden, width, 1, 1, 0, 0]]
    # Two vectors for each batch normalisation.
    separable_rest = [2 * width, 2 * hidden, 2 * hidden, 2 * width, squeeze]
    regular = 2 * [[width, width, 3, 1, 1, 1]]
    dense = int(architecture.multiply_adds([[hidden, hidden, 5, 1, 0, 0]], [1]))
    fields = [int(architecture.receptive_field(k, [1] * len(k))) for k in ((1, 5, 1), (3, 3))]
    return {
        "field_difference": fields[0] - fields[1],
        "separable_parameters": int(architecture.parameter_count(separable, separable_rest)),
        "regular_parameters": int(architecture.parameter_count(regular, [4 * width, squeeze])),
        "dense_error": dense - 900 * width**2,
    }


def _maps(cell: str, expansion: int, fused: bool) -> int:
    return int(architecture.saved_maps(cell, expansion, fused, squeeze=True))


def regular_needs_less(rng: np.random.Generator) -> Metrics:
    """Maps that both cells keep."""
    found = {
        f"{cell}_{'fused' if fused else 'unfused'}": _maps(cell, EXPANSION, fused)
        for cell in ("regular", "separable")
        for fused in (True, False)
    }
    worse = sum(found[f"regular_{kind}"] >= found[f"separable_{kind}"] for kind in ("fused", "unfused"))
    return {**found, "not_smaller": worse}


def one_map_per_operation(rng: np.random.Generator) -> Metrics:
    """Maps by the formulas of the check; fusing saves one map for each pair of normalisation and nonlinearity."""
    row = list(tables.printed("sec-3-1-3/one-map-per-operation").values())
    saved_per_pair = row[0] - row[1]
    formula = pair = 0
    for expansion in (3, EXPANSION):
        found = [_maps("separable", expansion, fused) for fused in (False, True)]
        formula += found != [4 + 6 * expansion, 4 + 4 * expansion]
        pair += found[0] - found[1] != 2 * expansion * saved_per_pair
    found = [_maps("regular", EXPANSION, fused) for fused in (False, True)]
    formula += found != [7, 5]
    pair += found[0] - found[1] != 2 * saved_per_pair
    return {"formula_errors": formula, "pair_errors": pair}

"""The released configurations as tables of layers, for the counts of Tables 3, 5 and 6.

A row is a resolution, high to low: side, bottom-up blocks, links, top-down layers, width, middle width, latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reference import architecture
from reference.architecture import Counts

SIDES = (256, 128, 64, 32, 16, 8, 4, 1)
PUBLIC_OUTPUTS = 100
COLOURS = 3
VDVAE_LATENTS = 16


def _table(
    up: Sequence[int],
    links: Sequence[int],
    down: Sequence[int],
    widths: Sequence[int],
    ratios: Sequence[float],
    latents: int,
) -> Counts:
    """Rows of a configuration; a short list of ratios goes on with its last entry."""
    sides = SIDES[-len(up) :]
    ratios = [*ratios, *[ratios[-1]] * (len(up) - len(ratios))]
    middle = [int(width * ratio) for width, ratio in zip(widths, ratios, strict=True)]
    return np.array(list(zip(sides, up, links, down, widths, middle, [latents] * len(up), strict=True)))


_CIFAR = ((12, 7, 7, 4, 3), (22, 11, 7, 4, 3))
_IMAGENET_32 = ((16, 10, 9, 7, 6), (16, 25, 19, 7, 6))
_IMAGENET_64 = ((5, 16, 10, 9, 7, 6), (11, 16, 25, 19, 7, 6))
_FFHQ = ((4, 9, 13, 18, 8, 6, 6, 4), (1, 8, 13, 18, 8, 5, 4, 2), (1, 8, 14, 22, 10, 5, 4, 2))
_FFHQ_8_BIT = ((6, 13, 13, 12, 8, 6, 6, 4), (6, 13, 13, 12, 8, 5, 4, 2), (6, 13, 13, 16, 10, 5, 4, 2))
_SYMMETRIC = (4, 9, 14, 22, 10, 6, 6, 4)

CIFAR_BASELINE = _table(_CIFAR[0], _CIFAR[0], _CIFAR[1], [384] * 5, [0.25], 32)
FFHQ_8_BIT = _table(*_FFHQ_8_BIT, [512] * 8, [0.25], 64)
SYMMETRIC_75 = _table(_SYMMETRIC, _SYMMETRIC, _SYMMETRIC, [512] * 8, [0.25], 32)

EFFICIENT: dict[tuple[str, str], Counts] = {
    ("CIFAR-10", "C1"): _table(_CIFAR[0], _CIFAR[0], _CIFAR[1], (48, 96, 192, 384, 384), (1, 0.5, 0.25), 16),
    # The first public version: the later baseline has more links and latents.
    ("CIFAR-10", "C2"): _table(_CIFAR[0], [1] * 5, _CIFAR[1], [384] * 5, [0.25], 16),
    ("ImageNet 32", "C1"): _table(
        _IMAGENET_32[0], _IMAGENET_32[0], _IMAGENET_32[1], (64, 128, 256, 512, 512), (1, 0.5, 0.25), 48
    ),
    ("ImageNet 32", "C2"): _table(_IMAGENET_32[0], _IMAGENET_32[0], _IMAGENET_32[1], [512] * 5, [0.25], 32),
    ("ImageNet 64", "C1"): _table(
        _IMAGENET_64[0], _IMAGENET_64[0], _IMAGENET_64[1], (64, 64, 256, 256, 512, 512), (1, 0.5, 0.25), 64
    ),
    ("ImageNet 64", "C2"): _table(_IMAGENET_64[0], _IMAGENET_64[0], _IMAGENET_64[1], [512] * 6, [0.25], 32),
    ("FFHQ 256 5-bit", "C1"): _table(*_FFHQ, (128, 128, 128, 256, 256, 512, 512, 512), (1, 0.5, 0.25), 32),
    ("FFHQ 256 5-bit", "C2"): _table(*_FFHQ, [512] * 8, [0.25], 32),
}
# Files to compare field by field: the released baselines.
BASELINES = {data: EFFICIENT[data, "C2"] for data, model in EFFICIENT if model == "C2"} | {"CIFAR-10": CIFAR_BASELINE}


@dataclass(frozen=True)
class Vdvae:
    """A VDVAE of one width: encoder blocks and decoder layers at each side."""

    width: int
    sides: tuple[int, ...]
    encoder: tuple[int, ...]
    decoder: tuple[int, ...]

    def parameters(self) -> int:
        """Number of parameters."""
        rows = list(zip(self.sides, self.encoder, self.decoder, strict=True))
        return int(architecture.vdvae_parameter_count(rows, self.width, VDVAE_LATENTS))


VDVAE = {
    "CIFAR-10": Vdvae(384, (32, 16, 8, 4, 1), (12, 7, 7, 4, 3), (22, 11, 6, 3, 1)),
    "ImageNet 32": Vdvae(512, (32, 16, 8, 4, 1), (16, 10, 9, 7, 6), (41, 20, 10, 5, 2)),
    "ImageNet 64": Vdvae(512, (64, 32, 16, 8, 4, 1), (12, 21, 10, 9, 8, 5), (13, 32, 16, 8, 4, 2)),
    "FFHQ 256 5-bit": Vdvae(512, SIDES, (4, 9, 13, 18, 8, 6, 6, 4), (1, 8, 14, 22, 10, 5, 4, 2)),
}
# Images per update over all devices, as the files of the two codes say.
BATCHES = {
    "CIFAR-10": (32, 16 * 2),
    "ImageNet 32": (64, 8 * 32),
    "ImageNet 64": (32, 4 * 32),
    "FFHQ 256 5-bit": (16, 1 * 32),
}
# First learning rates of the two codes (files of Efficient-VDVAE, defaults of VDVAE).
RATES = {
    "CIFAR-10": (1e-3, 2e-4),
    "ImageNet 32": (1e-3, 1.5e-4),
    "ImageNet 64": (1e-3, 1.5e-4),
    "FFHQ 256 5-bit": (1e-3, 1.5e-4),
}


def parameters(table: Counts) -> int:
    """Number of parameters of an Efficient-VDVAE for colour images."""
    return int(architecture.efficient_vdvae_parameter_count(table, COLOURS, PUBLIC_OUTPUTS))


def layers(data: str, model: str) -> dict[int, int]:
    """Stochastic layers of a model at each side, from its links and what is added after them."""
    if model == "VDVAE":
        own = VDVAE[data]
        rows = [(side, 1, down) for side, down in zip(own.sides, own.decoder, strict=True)]
    else:
        rows = [(side, links, down) for side, _, links, down, *_ in EFFICIENT[data, model].tolist()]
    return {side: int(architecture.layer_count([down - links] + [0] * (links - 1))) for side, links, down in rows}


def latents(table: Counts) -> int:
    """Latent dimensions of one image."""
    return int(architecture.latent_dims(table[:, 3], table[:, 6], table[:, 0]))

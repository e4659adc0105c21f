"""Grids of pixel levels: bins, rounding, bits, and what a density says about the mass of a bin."""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def bin_edges(
    levels: int, low: float = 0.0, high: float = 1.0, convention: str = "centred"
) -> tuple[Tensor, Tensor, Tensor]:
    """Value, lower and upper edge of the bin of each level (float64); ``"left"`` is the grid of k/L."""
    _one_of("convention", convention, ("centred", "left"))
    steps = torch.arange(levels, dtype=torch.float64)
    parts = levels if convention == "left" else levels - 1
    # Both ends weighted: the last centred level is ``high`` exactly.
    values = (low * (parts - steps) + high * steps) / parts
    shift = 0.0 if convention == "left" else 0.5 * (high - low) / parts
    edges, infinity = values[1:] - shift, torch.full((1,), math.inf, dtype=torch.float64)
    return values, torch.cat([-infinity, edges]), torch.cat([edges, infinity])


def quantise(x: Tensor, levels: int) -> Tensor:
    """Level of an intensity in [0, 1]: one of ``levels`` equal parts of the unit interval."""
    return (x.double() * levels).floor().long().clamp(0, levels - 1)


def nearest_code(x: Tensor, levels: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Level nearest to a value on the grid from ``low`` to ``high``; values beyond the ends take the end's level."""
    unit = (x.double() - low) / (high - low)
    return (unit * (levels - 1)).round().clamp(0, levels - 1).long()


def quantise_bits(pixels: Tensor, bits: int) -> Tensor:
    """Leading ``bits`` bits of 8-bit pixels."""
    return pixels.long() >> (8 - bits)


def scale_pixels(codes: Tensor, bits: int, convention: str = "bytes") -> Tensor:
    """Values in [-1, 1] of b-bit codes (float64); ``"bytes"`` scales the reduced byte, ``"levels"`` ends at 1."""
    _one_of("convention", convention, ("bytes", "levels"))
    top = 255.0 / 2 ** (8 - bits) if convention == "bytes" else 2.0**bits - 1
    return (2 * codes.double() - top) / top


def half_bin(bits: int, convention: str = "proper") -> Tensor:
    """Half width (0-d, float64) of a bin of b-bit bytes in [-1, 1]; ``"official"`` bins overlap below 8 bits."""
    _one_of("convention", convention, ("proper", "official"))
    width = (1 << (8 - bits)) / 255 if convention == "proper" else 1 / ((1 << bits) - 1)
    return torch.tensor(width, dtype=torch.float64)


def to_bits(codes: Tensor, count: int) -> Tensor:
    """Binary digits of integer codes (...), least significant first: (..., count)."""
    return (codes.long()[..., None] >> torch.arange(count, device=codes.device)) & 1


def from_bits(digits: Tensor) -> Tensor:
    """Integer codes of binary digits (..., n), least significant first."""
    return (digits.long() << torch.arange(digits.shape[-1], device=digits.device)).sum(-1)


def density_to_mass(x: Tensor, mean: Tensor, scale: Tensor, width: Tensor) -> Tensor:
    """Log mass of a bin from a Gaussian density at its centre, to second order in the width."""
    t, ratio = (x - mean) / scale, width / scale
    # t may be large where the product with the width is small.
    return _log_mass(t, ratio) + ((ratio * t).square() - ratio.square()) / 24


def dequantised_log_mass(x: Tensor, mean: Tensor, scale: Tensor, width: Tensor) -> Tensor:
    """Mean log Gaussian density over a bin plus log width: the dequantisation bound on the log mass."""
    t, ratio = (x - mean) / scale, width / scale
    return _log_mass(t, ratio) - ratio.square() / 24


def decoder_output_bytes(
    decoder: str, channels: int, height: int, width: int, levels: int = 256, components: int = 10
) -> Tensor:
    """Bytes (0-d) of a decoder's float32 output for one image, from its shape on the meta device."""
    values = {
        "gaussian": (channels,),
        "gaussian_map": (2, channels),
        "categorical": (levels, channels),
        "bitwise": ((levels - 1).bit_length(), channels),
        "mixture": (1 + 2 * channels, components),
        "mixture_autoregressive": (1 + (3 if channels > 1 else 2) * channels, components),
    }
    _one_of("decoder", decoder, tuple(values))
    output = torch.empty(*values[decoder], height, width, dtype=torch.float32, device="meta")
    return torch.tensor(output.numel() * output.element_size())


def _log_mass(t: Tensor, ratio: Tensor) -> Tensor:
    return ratio.log() - 0.5 * t.square() - HALF_LOG_TWO_PI


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")

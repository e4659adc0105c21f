"""Faults of the grids of pixel levels."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import quantisation


@killed_by("test_bins_cover_the_line")
def bin_edges__tails_not_absorbed(levels, low=0.0, high=1.0, convention="centred"):
    values, lower, upper = quantisation.bin_edges(levels, low, high, convention)
    return values, lower.clamp(min=low), upper.clamp(max=high)


@killed_by("test_value")
def bin_edges__levels_for_steps(levels, low=0.0, high=1.0, convention="centred"):
    return quantisation.bin_edges(levels, low, high, "left")


@killed_by("test_quantise_stays_on_the_grid")
def quantise__top_overflows(x, levels):
    return (x.double() * levels).floor().long()


@killed_by("test_value")
def quantise__rounded(x, levels):
    return quantisation.nearest_code(x, levels)


@killed_by("test_value")
def nearest_code__truncated(x, levels, low=0.0, high=1.0):
    return ((x.double().clamp(low, high) - low) / (high - low) * (levels - 1)).long()


@killed_by("test_value")
def quantise_bits__low_bits(pixels, bits):
    return pixels % 2**bits


@killed_by("test_value")
def scale_pixels__ends_at_one(codes, bits, convention="bytes"):
    return quantisation.scale_pixels(codes, bits, "levels")


@killed_by("test_value")
def half_bin__official_for_proper(bits, convention="proper"):
    return quantisation.half_bin(bits, "official")


@killed_by("test_bits_come_back")
def to_bits__most_significant_first(codes, count):
    return quantisation.to_bits(codes, count).flip(-1)


@killed_by("test_bits_come_back")
def from_bits__byte_wide(digits):
    return quantisation.from_bits(digits[..., :4])


@killed_by("test_value")
def density_to_mass__width_forgotten(x, mean, scale, width):
    return quantisation.density_to_mass(x, mean, scale, width) - width.log()


@killed_by("test_value")
def density_to_mass__first_order(x, mean, scale, width):
    return torch.distributions.Normal(mean, scale).log_prob(x) + width.log()


@killed_by("test_dequantisation_costs_less_than_nothing")
def dequantised_log_mass__sign_of_the_correction(x, mean, scale, width):
    return quantisation.dequantised_log_mass(x, mean, scale, width) + (width / scale).square() / 12


@killed_by("test_value")
def decoder_output_bytes__values_for_bytes(decoder, channels, height, width, levels=256, components=10):
    return quantisation.decoder_output_bytes(decoder, channels, height, width, levels, components) // 4

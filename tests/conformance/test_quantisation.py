"""Grids of pixel levels: bins, rounding, bits, densities and masses, memory."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import integrate, stats

from reference import quantisation
from tests.conformance.inputs import quantisation as inputs

BYTES = np.arange(256)
BINS = [(0.3, 0.5, 0.07, 1 / 255), (0.0, 0.9, 0.5, 1 / 15), (1.0, 1.0, 1.0, 1 / 255), (-0.1, 0.1, 0.3, 0.1)]


def test_bin_edges_of_bytes() -> None:
    values, lower, upper = quantisation.bin_edges(256)
    np.testing.assert_allclose(values, BYTES / 255, rtol=1e-15)
    assert (lower[0], upper[-1]) == (-np.inf, np.inf)
    np.testing.assert_array_equal(upper[:-1], lower[1:])
    np.testing.assert_allclose(upper[0], 1 / 510, rtol=1e-15)
    # Half a bin is 1/255 on [-1, 1].
    np.testing.assert_allclose(np.diff(quantisation.bin_edges(256, -1, 1)[1][1:]), 2 / 255, rtol=1e-12)


def test_bin_edges_are_where_rounding_changes() -> None:
    values, lower, upper = quantisation.bin_edges(16)
    np.testing.assert_array_equal(quantisation.nearest_code(values, 16), np.arange(16))
    np.testing.assert_array_equal(quantisation.nearest_code(lower[1:] + 1e-9, 16), np.arange(1, 16))
    np.testing.assert_array_equal(quantisation.nearest_code(upper[:-1] - 1e-9, 16), np.arange(15))


def test_bin_edges_that_equal_the_ends_leave_too_few_bins() -> None:
    """With (-inf, 0] and [1, inf) as the end bins, the centres of 254 equal bins are not the levels."""
    centres = (np.arange(254) + 0.5) / 254
    assert np.abs(centres - BYTES[1:-1] / 255).max() > 0.4 / 255


def test_left_bin_edges_are_the_grid_of_parts() -> None:
    values, lower, upper = quantisation.bin_edges(256, convention="left")
    np.testing.assert_allclose(values, BYTES / 256, rtol=1e-15)
    np.testing.assert_array_equal(lower[1:], values[1:])
    assert upper[-2] == 255 / 256
    # The two conventions differ by D log(256/255) nats: 9.2 for a 28 x 28 colour image.
    assert 2352 * math.log(256 / 255) == pytest.approx(9.2, abs=0.05)


def test_quantise_returns_bytes_as_they_were() -> None:
    np.testing.assert_array_equal(quantisation.quantise(BYTES / 255, 256), BYTES)


@given(inputs.quantise())
def test_quantise_matches_digitize(case) -> None:
    inner = np.arange(1, case["levels"]) / case["levels"]
    np.testing.assert_array_equal(quantisation.quantise(**case), np.digitize(case["x"], inner))


def test_nearest_code_inverts_the_levels() -> None:
    for levels, low, high in itertools.product((2, 16, 256), (-1.0, 0.0), (1.0, 0.945)):
        values = quantisation.bin_edges(levels, low, high)[0]
        np.testing.assert_array_equal(quantisation.nearest_code(values, levels, low, high), np.arange(levels))


@given(inputs.nearest_code())
def test_nearest_code_is_the_nearest(case) -> None:
    values = quantisation.bin_edges(case["levels"], case["low"], case["high"])[0]
    distance = np.abs(case["x"][..., None] - values)
    chosen = np.take_along_axis(distance, quantisation.nearest_code(**case)[..., None], -1)[..., 0]
    np.testing.assert_allclose(chosen, distance.min(-1), atol=1e-12)


@pytest.mark.parametrize("bits", range(1, 9))
def test_quantise_bits_is_a_shift(bits: int) -> None:
    codes = quantisation.quantise_bits(BYTES, bits)
    np.testing.assert_array_equal(codes, BYTES >> (8 - bits))
    assert len(np.unique(codes)) == 2**bits
    reduced = codes * 2 ** (8 - bits)
    np.testing.assert_array_equal(quantisation.quantise_bits(reduced, bits), codes)
    assert np.max(BYTES - reduced) == 2 ** (8 - bits) - 1


def test_quantise_bits_from_reals_is_exact_in_every_precision() -> None:
    """floor(255 (k/255) / 8) = k // 8 for every byte, also in half precision."""
    for dtype in (np.float16, np.float32, np.float64):
        x = (BYTES.astype(dtype) / dtype(255)) * dtype(255)
        np.testing.assert_array_equal(np.floor(x / dtype(8)), quantisation.quantise_bits(BYTES, 5))


def test_scale_pixels_of_the_papers() -> None:
    last = quantisation.scale_pixels(31, 5)
    assert float(last) == pytest.approx(0.9450980, abs=5e-8)
    five = quantisation.scale_pixels(np.arange(32), 5)
    np.testing.assert_allclose(np.diff(five), 0.0627451, atol=5e-8)
    np.testing.assert_allclose(np.diff(quantisation.scale_pixels(np.arange(32), 5, "levels")), 2 / 31, rtol=1e-13)


def test_scale_pixels_conventions_agree_for_bytes() -> None:
    one, two = (quantisation.scale_pixels(BYTES, 8, convention) for convention in ("bytes", "levels"))
    np.testing.assert_allclose(one, two, atol=1e-15)
    np.testing.assert_allclose(one, 2 * BYTES / 255 - 1, atol=1e-15)
    # To the last digit next to the middle, too.
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("bits", range(1, 9))
def test_proper_half_bin_is_half_the_spacing(bits: int) -> None:
    spacing = np.diff(quantisation.scale_pixels(np.arange(2**bits), bits))
    np.testing.assert_allclose(2 * quantisation.half_bin(bits), spacing, rtol=1e-12)


def test_official_half_bin_overlaps_below_eight_bits() -> None:
    assert float(quantisation.half_bin(8, "official")) == pytest.approx(float(quantisation.half_bin(8)), rel=1e-15)
    overlap = 2 * (quantisation.half_bin(5, "official") - quantisation.half_bin(5))
    assert float(overlap) == pytest.approx(0.0017710, abs=5e-8)


def test_bits_of_bytes_match_unpackbits() -> None:
    wanted = np.unpackbits(BYTES.astype(np.uint8)[:, None], axis=1, bitorder="little")
    np.testing.assert_array_equal(quantisation.to_bits(BYTES, 8), wanted)
    np.testing.assert_array_equal(quantisation.from_bits(wanted), BYTES)


@given(inputs.to_bits())
def test_bits_make_a_round_trip(case) -> None:
    digits = quantisation.to_bits(**case)
    assert set(np.unique(digits)) <= {0, 1}
    np.testing.assert_array_equal(quantisation.from_bits(digits), case["codes"])


def exact_mass(x: float, mean: float, scale: float, width: float) -> float:
    return integrate.quad(
        lambda y: stats.norm.pdf(y, mean, scale), x - width / 2, x + width / 2, epsabs=0, epsrel=1e-13
    )[0]


@pytest.mark.parametrize("case", BINS)
def test_density_to_mass_matches_quadrature(case) -> None:
    x, mean, scale, width = case
    ratio, t = width / scale, (x - mean) / scale
    error = abs(float(quantisation.density_to_mass(*case)) - math.log(exact_mass(*case)))
    assert error < ratio**4 * (1 + t**4) / 300
    # Without the second-order term the error is of second order.
    first = float(stats.norm.logpdf(x, mean, scale)) + math.log(width)
    assert abs(first - math.log(exact_mass(*case))) > 10 * error


def test_density_to_mass_of_unit_gaussian_pixels() -> None:
    """An interior pixel costs at least 6.460 nats under a unit-variance Gaussian."""
    assert -float(quantisation.density_to_mass(0.5, 0.5, 1.0, 1 / 255)) == pytest.approx(6.460, abs=5e-4)


@pytest.mark.parametrize("case", BINS)
def test_dequantised_log_mass_is_the_mean_log_density(case) -> None:
    x, mean, scale, width = case
    total, _ = integrate.quad(lambda y: stats.norm.logpdf(y, mean, scale), x - width / 2, x + width / 2)
    assert float(quantisation.dequantised_log_mass(*case)) == pytest.approx(total / width + math.log(width), rel=1e-12)


@pytest.mark.parametrize("case", BINS)
def test_dequantised_log_mass_is_a_lower_bound(case) -> None:
    assert float(quantisation.dequantised_log_mass(*case)) <= math.log(exact_mass(*case)) + 1e-14


def test_decoder_output_bytes_of_the_paper() -> None:
    """A 1024 x 1024 colour image: 3 GiB categorical, 12 MiB Gaussian, 96 MiB bitwise, 280 and 400 MiB mixtures."""
    mib = {
        name: quantisation.decoder_output_bytes(name, 3, 1024, 1024) / 2**20
        for name in ("categorical", "gaussian", "bitwise", "mixture", "mixture_autoregressive")
    }
    assert mib == {"categorical": 3072, "gaussian": 12, "bitwise": 96, "mixture": 280, "mixture_autoregressive": 400}


@pytest.mark.parametrize("channels", [1, 3])
def test_decoder_output_bytes_are_those_of_the_arrays(channels: int) -> None:
    shape = (channels, 4, 5)
    arrays = {
        "gaussian": [shape],
        "gaussian_map": [shape, shape],
        "categorical": [(16, *shape)],
        "bitwise": [(4, *shape)],
        "mixture": [(3, 4, 5), (3, *shape), (3, *shape)],
    }
    arrays["mixture_autoregressive"] = arrays["mixture"] + ([(3, *shape)] if channels == 3 else [])
    for name, shapes in arrays.items():
        wanted = sum(np.zeros(s, np.float32).nbytes for s in shapes)
        assert quantisation.decoder_output_bytes(name, *shape, levels=16, components=3) == wanted


@given(inputs.bin_edges())
def test_bins_cover_the_line(implementation, case) -> None:
    values, lower, upper = implementation.call("quantisation.bin_edges", **case)
    assert (lower[0], upper[-1]) == (-np.inf, np.inf)
    np.testing.assert_array_equal(lower[1:], upper[:-1])
    assert ((lower <= values) & (values < upper)).all()
    assert (np.diff(values) > 0).all()


@given(inputs.quantise())
def test_quantise_stays_on_the_grid(implementation, case) -> None:
    codes = implementation.call("quantisation.quantise", **case)
    assert codes.min() >= 0
    assert codes.max() <= case["levels"] - 1
    assert (np.abs(codes - case["x"] * case["levels"]) <= 1).all()


@given(inputs.to_bits())
def test_bits_come_back(implementation, case) -> None:
    digits = implementation.call("quantisation.to_bits", **case)
    np.testing.assert_array_equal(implementation.call("quantisation.from_bits", digits=digits), case["codes"])


@given(inputs.density_to_mass())
def test_dequantisation_costs_less_than_nothing(implementation, case) -> None:
    mass, bound = (
        implementation.call(f"quantisation.{n}", **case) for n in ("density_to_mass", "dequantised_log_mass")
    )
    t, ratio = (case["x"] - case["mean"]) / case["scale"], case["width"] / case["scale"]
    np.testing.assert_allclose(mass - bound, (ratio * t) ** 2 / 24, rtol=1e-6, atol=1e-9 * (1 + t**2).max())


@given(inputs.decoder_output_bytes())
def test_decoder_output_bytes_scale_with_the_image(implementation, case) -> None:
    one, two = (
        implementation.call("quantisation.decoder_output_bytes", **{**case, "height": k * case["height"]})
        for k in (1, 2)
    )
    assert two == 2 * one


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantisation.bin_edges(1), "levels must be an integer >= 2, got 1"),
        (lambda: quantisation.bin_edges(4, 1.0, 0.0), "high - low must be > 0, got -1.0"),
        (lambda: quantisation.bin_edges(4, convention="right"), "convention must be 'centred' or 'left', got 'right'"),
        (lambda: quantisation.quantise(1.5, 256), r"x must lie in \[0, 1\], got 1.5"),
        (lambda: quantisation.nearest_code(np.nan, 4), "x must not contain NaN"),
        (lambda: quantisation.quantise_bits(256, 5), r"pixels must lie in \[0, 255\], got 256"),
        (lambda: quantisation.quantise_bits(3, 9), "bits must be <= 8, got 9"),
        (lambda: quantisation.scale_pixels(32, 5), r"codes must lie in \[0, 31\], got 32"),
        (lambda: quantisation.half_bin(5, "half"), "convention must be 'proper' or 'official', got 'half'"),
        (lambda: quantisation.to_bits(16, 4), r"codes must lie in \[0, 15\], got 16"),
        (lambda: quantisation.from_bits([0, 2]), r"digits must lie in \[0, 1\], got 2.0 at index \(1,\)"),
        (lambda: quantisation.density_to_mass(0, 0, 1, 0), "width must be > 0, got 0.0"),
        (lambda: quantisation.dequantised_log_mass(0, 0, -1, 1), "scale must be > 0, got -1.0"),
        (lambda: quantisation.decoder_output_bytes("student", 3, 8, 8), "decoder must be one of .* got 'student'"),
        (lambda: quantisation.decoder_output_bytes("bitwise", 3, 8, 8, 17), "levels must be a power of two .* got 17"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_twin_refuses_unknown_names() -> None:
    from vaes.ops import quantisation as twin

    with pytest.raises(ValueError, match="convention must be one of bytes, levels, got 'bits'"):
        twin.scale_pixels(torch.tensor([1]), 5, "bits")

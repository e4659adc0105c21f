"""Inputs of the grids: two levels, alphabets that are no powers of two, both ends, values beyond them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers, shapes, together

LEVELS = st.sampled_from([2, 3, 6, 16, 32, 256])
BITS = st.sampled_from([1, 4, 5, 8])
RANGES = st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (-1.0, 0.9453125)])
# Grids are made once and in float64; scaling of pixels likewise.
DTYPES = dict.fromkeys(("bin_edges", "scale_pixels", "half_bin", "to_bits", "from_bits"), ("float64",))
DTYPES |= dict.fromkeys(("quantise_bits", "decoder_output_bytes"), ("float64",))


def codes(draw: DrawFn, levels: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draw levels; the first and the last come often."""
    elements = st.one_of(st.sampled_from([0, levels - 1]), st.integers(0, levels - 1))
    return draw(hnp.arrays(np.int64, shape, elements=elements))


@st.composite
def bin_edges(draw: DrawFn) -> dict[str, Any]:
    low, high = draw(RANGES)
    return {"levels": draw(LEVELS), "low": low, "high": high, "convention": draw(st.sampled_from(["centred", "left"]))}


@st.composite
def quantise(draw: DrawFn) -> dict[str, Any]:
    levels = draw(LEVELS)
    grid = st.integers(0, levels - 1).map(lambda k: k / (levels - 1))
    # Off the centres of the parts, where the nearest of the levels is another one.
    quarters = st.builds(lambda k, part: (k + part) / levels, st.integers(0, levels - 1), st.sampled_from([0.25, 0.75]))
    return {"x": array(draw, st.one_of(grid, quarters, st.floats(0, 1, width=16)), draw(shapes())), "levels": levels}


@st.composite
def nearest_code(draw: DrawFn) -> dict[str, Any]:
    low, high = draw(RANGES)
    x = array(draw, st.one_of(st.sampled_from([low, high]), real_numbers(2)), draw(shapes()))
    return {"x": x, "levels": draw(LEVELS), "low": low, "high": high}


@st.composite
def quantise_bits(draw: DrawFn) -> dict[str, Any]:
    return {"pixels": codes(draw, 256, draw(shapes())), "bits": draw(BITS)}


@st.composite
def scale_pixels(draw: DrawFn) -> dict[str, Any]:
    bits = draw(BITS)
    convention = draw(st.sampled_from(["bytes", "levels"]))
    return {"codes": codes(draw, 2**bits, draw(shapes())), "bits": bits, "convention": convention}


def half_bin() -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"bits": st.integers(1, 8), "convention": st.sampled_from(["proper", "official"])})


@st.composite
def to_bits(draw: DrawFn) -> dict[str, Any]:
    count = draw(BITS)
    return {"codes": codes(draw, 2**count, draw(shapes())), "count": count}


@st.composite
def from_bits(draw: DrawFn) -> dict[str, Any]:
    return {"digits": codes(draw, 2, (*draw(shapes()), draw(BITS)))}


def density_to_mass() -> SearchStrategy[dict[str, Any]]:
    return together(
        x=real_numbers(2), mean=real_numbers(2), scale=scale_numbers(0.01, 10), width=scale_numbers(1e-3, 0.1)
    )


def dequantised_log_mass() -> SearchStrategy[dict[str, Any]]:
    return density_to_mass()


def decoder_output_bytes() -> SearchStrategy[dict[str, Any]]:
    decoders = ["gaussian", "gaussian_map", "categorical", "bitwise", "mixture", "mixture_autoregressive"]
    sides, few = st.sampled_from([1, 28, 1024]), st.sampled_from([1, 5, 10])
    fixed = {"decoder": st.sampled_from(decoders), "channels": st.sampled_from([1, 3]), "height": sides, "width": sides}
    return st.fixed_dictionaries({**fixed, "levels": st.sampled_from([2, 16, 256]), "components": few})

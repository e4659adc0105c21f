"""Inputs of the pruning functions: ties, all and none kept, layers of very different resolution."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers

# Counts and thresholds: no float input, or one whose rounding would move a channel across the threshold.
DTYPES = {"prune_mask": ("float64", "float32"), "kept_fraction": ("float64",), "pixel_bytes": ("float64",)}


@st.composite
def average_kl_per_variate(draw: DrawFn) -> dict[str, Any]:
    side = draw(st.sampled_from([1, 2, 3]))
    return {"kl": array(draw, scale_numbers(), (draw(st.integers(1, 3)), draw(st.integers(1, 3)), side, side))}


@st.composite
def prune_mask(draw: DrawFn) -> dict[str, Any]:
    # Multiples of 1/8 tie often and are exact in every dtype; a fraction of 1/8 steps keeps the quantile exact too.
    values = array(draw, st.integers(0, 40).map(lambda k: k / 8), (draw(st.integers(1, 9)),))
    return {"average_kl": values, "fraction": draw(st.sampled_from([0.0, 0.03125, 0.125, 0.25, 0.5, 0.875, 1.0]))}


@st.composite
def pruned_latent(draw: DrawFn) -> dict[str, Any]:
    side, channels = draw(st.sampled_from([1, 2])), draw(st.integers(1, 3))
    posterior, prior = (array(draw, real_numbers(), (2, channels, side, side)) for _ in range(2))
    mask = np.asarray(draw(st.lists(st.booleans(), min_size=channels, max_size=channels)))
    return {"posterior": posterior, "prior": prior, "mask": mask}


@st.composite
def kept_fraction(draw: DrawFn) -> dict[str, Any]:
    layers = draw(st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=1, max_size=4))
    resolutions = draw(st.lists(st.sampled_from([1, 4, 8, 256]), min_size=len(layers), max_size=len(layers)))
    return {"masks": [np.asarray(layer) for layer in layers], "resolutions": resolutions}


@st.composite
def encoded_dataset_bytes(draw: DrawFn) -> dict[str, Any]:
    counts = {"images": draw(st.sampled_from([1, 70_000])), "dims": draw(st.sampled_from([1, 15_760_512]))}
    fraction = array(draw, st.one_of(st.sampled_from([0.0, 0.03, 1.0]), st.floats(0.01, 1)), (2,))
    return {**counts, "fraction": fraction, "bytes_per_value": draw(st.sampled_from([1, 4, 8]))}


@st.composite
def pixel_bytes(draw: DrawFn) -> dict[str, Any]:
    sizes = {"images": draw(st.sampled_from([1, 70_000])), "resolution": draw(st.sampled_from([1, 28, 256, 1024]))}
    return {**sizes, "bytes_per_value": draw(st.sampled_from([1, 4])), "channels": draw(st.sampled_from([1, 3]))}


def code_to_pixel_ratio() -> SearchStrategy[dict[str, Any]]:
    counts = scale_numbers(1e-4, 1e12)
    return st.builds(
        lambda code, pixels: {"code_bytes": np.asarray([code, 0.0]), "pixel_bytes": np.asarray(pixels)}, counts, counts
    )

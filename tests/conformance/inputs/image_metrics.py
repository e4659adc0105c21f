"""Inputs of the image metrics: few images, small sides, constant and equal ones, features of full and low spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, scale_numbers

# Eigenvalues, ties of distances and least squares of rounded inputs: two dtypes tell all.
DTYPES = {"linear_probe": ("float64", "float32"), "nearest_training_image": ("float64", "float32")}
PIXELS = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.integers(0, 64).map(lambda k: k / 64))


@st.composite
def frechet_distance(draw: DrawFn) -> dict[str, Any]:
    # Well inside the rounding of half precision too, and of full rank: a root has no derivative at a singular matrix.
    width = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scale, shift = draw(scale_numbers(0.1, 10)), draw(st.sampled_from([0.0, 0.5, 3.0]))
    one, two = (rng.normal(size=(width + draw(st.integers(2, 5)), width)) for _ in range(2))
    return {"features": one, "other": scale * two + shift}


@st.composite
def ssim(draw: DrawFn) -> dict[str, Any]:
    padding = draw(st.booleans())
    side = draw(st.sampled_from([1, 4, 12] if padding else [11, 13]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    a = np.round(255 * rng.random((draw(st.integers(1, 2)), draw(st.sampled_from([1, 3])), side, side)))
    change = draw(st.sampled_from(["none", "noise", "other", "constant"]))
    b = {"none": a, "noise": np.clip(a + 8, 0, 255), "other": 255 - a, "constant": np.full_like(a, 128.0)}[change]
    return {"a": a, "b": b, "padding": padding}


@st.composite
def sharpness_ratio(draw: DrawFn) -> dict[str, Any]:
    drawn = {name: draw(images(draw(st.integers(2, 3)))) for name in ("samples", "data")}
    data = drawn["data"]
    assume((np.diff(data, axis=2) ** 2).mean() + (np.diff(data, axis=3) ** 2).mean() > 0.01)
    assume(data.var(axis=0, ddof=1).sum() > 0.01)
    return drawn


def variance_ratio() -> SearchStrategy[dict[str, Any]]:
    return sharpness_ratio()


@st.composite
def saturation_ratio(draw: DrawFn) -> dict[str, Any]:
    drawn = {name: draw(images(2, channels=3)) for name in ("samples", "data")}
    assume((drawn["data"].max(axis=1) - drawn["data"].min(axis=1)).mean() > 0.01)
    return drawn


def diversity_ratio() -> SearchStrategy[dict[str, Any]]:
    return sharpness_ratio()


def colour_means() -> SearchStrategy[dict[str, Any]]:
    return images(2, channels=3).map(lambda drawn: {"images": drawn})


def chroma_error() -> SearchStrategy[dict[str, Any]]:
    return images(4, channels=3).map(lambda drawn: {"images": drawn[:2], "reconstructions": drawn[2:]})


@st.composite
def linear_probe(draw: DrawFn) -> dict[str, Any]:
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    width, targets = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    weights, noise = rng.normal(size=(width, targets)), draw(st.sampled_from([0.125, 1.0]))
    drawn: dict[str, Any] = {}
    for prefix, count in (("", width + 8), ("test_", 6)):
        latents = rng.normal(size=(count, width)) + 1
        drawn[prefix + "latents"] = latents
        drawn[prefix + "targets"] = latents @ weights + noise * rng.normal(size=(count, targets))
    return drawn


@st.composite
def nearest_training_image(draw: DrawFn) -> dict[str, Any]:
    factor, cells = draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 4]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    shape = (1, factor * cells, factor * cells)
    samples, training = rng.random((2, *shape)), rng.random((draw(st.integers(1, 4)), *shape))
    return {"samples": samples, "training": training, "factor": factor}


def nearest_training_distance() -> SearchStrategy[dict[str, Any]]:
    return nearest_training_image()


@st.composite
def images(draw: DrawFn, count: int, channels: int | None = None) -> np.ndarray:
    """Images (count, C, H, W) with pixels in [0, 1], some of them flat."""
    shape = (count, channels or draw(st.sampled_from([1, 3])), draw(st.integers(2, 3)), draw(st.integers(2, 3)))
    return draw(hnp.arrays(np.float64, shape, elements=PIXELS)) if draw(st.booleans()) else array(draw, PIXELS, shape)

"""Inputs of the pixel likelihoods: edge levels, means on and between levels and beyond the ends, scales from far below
a bin to far above the range, saturated and equal logits, channels that depend on each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers, shapes
from tests.conformance.inputs.quantisation import BITS, LEVELS, codes

MEANS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 1.75, 127 / 255, 1 / 510]),
    st.floats(-1.5, 1.5, width=32).map(lambda x: x if abs(x) > 1e-6 else 0.0),
)
SCALES = scale_numbers(2.0**-10, 16.0)
LOGITS = st.one_of(real_numbers(20), st.sampled_from([0.0, 5.0, -5.0]))
HALVES = st.sampled_from([None, None, 1 / 31, 0.125])
GREY = (0.0, 1.0)
COLOUR = (-1.0, 1.0)
# A level next to a threshold of the public form falls on either side of it in a narrow type.
DTYPES = {"thresholded_logistic": ("float64",)}


@st.composite
def categorical(draw: DrawFn) -> dict[str, Any]:
    levels, shape = draw(LEVELS), draw(shapes())
    return {"codes": codes(draw, levels, shape), "logits": array(draw, LOGITS, (*shape, levels))}


@st.composite
def bitwise(draw: DrawFn) -> dict[str, Any]:
    count, shape = draw(BITS), draw(shapes())
    return {"codes": codes(draw, 2**count, shape), "logits": array(draw, LOGITS, (*shape, count))}


@st.composite
def discretised_gaussian(draw: DrawFn) -> dict[str, Any]:
    return _located(draw, GREY)


@st.composite
def discretised_logistic(draw: DrawFn) -> dict[str, Any]:
    return {**_located(draw, draw(st.sampled_from([GREY, COLOUR]))), "half_bin": draw(HALVES)}


@st.composite
def thresholded_logistic(draw: DrawFn) -> dict[str, Any]:
    drawn = _located(draw, COLOUR)
    names = ("codes", "mean", "scale", "levels")
    edges = {"bottom": -0.999, "top": draw(st.sampled_from([0.999, 0.99]))}
    return {**{n: drawn[n] for n in names}, "half_bin": None, **edges, "high": draw(st.sampled_from([1.0, 0.9453125]))}


@st.composite
def mixture_of_logistics(draw: DrawFn) -> dict[str, Any]:
    channels, components, levels = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([1, 2, 5])), draw(LEVELS)
    batch = draw(st.sampled_from([(), (2,)]))
    drawn = _parameters(draw, batch, channels, components)
    grid = {"levels": levels, "low": -1.0, "high": draw(st.sampled_from([1.0, 0.9453125])), "half_bin": draw(HALVES)}
    return {
        "codes": codes(draw, levels, (*batch, channels, 1, 2)),
        **drawn,
        **grid,
        "floor": draw(st.sampled_from([-7.0, -14.0, -2.0])),
    }


@st.composite
def split_mixture(draw: DrawFn) -> dict[str, Any]:
    channels, components, both = draw(st.sampled_from([1, 3])), draw(st.sampled_from([1, 2, 5])), draw(st.booleans())
    width = components * (1 + (3 if both else 2) * channels)
    outputs = np.arange(2 * width * 2, dtype=float).reshape(2, width, 2, 1)
    return {"outputs": outputs, "components": components, "channels": channels, "coefficients": both}


@st.composite
def mixture_log_scale(draw: DrawFn) -> dict[str, Any]:
    # -2000 underflows in every type, and the lowest floor does not hide it.
    deep = st.sampled_from([-160.0, -2000.0, -31.0])
    activation = draw(st.sampled_from([deep, st.one_of(st.sampled_from([0.0, 50.0, -7.0]), deep, real_numbers(50))]))
    slope = st.sampled_from([0.6931472, 0.4, 1.0])
    drawn = {"activation": array(draw, activation, draw(shapes())), "slope": np.asarray(draw(slope))}
    return {
        **drawn,
        "floor": draw(st.sampled_from([-2500.0, -7.0])),
        "form": draw(st.sampled_from(["softplus", "exponential"])),
    }


def scale_gradient() -> SearchStrategy[dict[str, Any]]:
    return discretised_logistic()


@st.composite
def total_mass(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    drawn = {"mean": array(draw, MEANS, shape), "scale": array(draw, SCALES, shape)}
    high = draw(st.sampled_from([1.0, 0.9453125]))
    return {**drawn, "levels": draw(st.sampled_from([2, 16, 32])), "low": -1.0, "high": high, "half_bin": draw(HALVES)}


@st.composite
def mixture_sample(draw: DrawFn) -> dict[str, Any]:
    channels, components = draw(st.sampled_from([1, 3])), draw(st.sampled_from([1, 2, 5]))
    drawn = {"coefficients": None, **_parameters(draw, (2,), channels, components)}
    noises = {
        "component_noise": _distinct(draw, (2, components, 1, 2)),
        "noise": array(draw, st.floats(0, 1, width=16), (2, channels, 1, 2)),
    }
    return {
        **drawn,
        **noises,
        "low": -1.0,
        "high": 1.0,
        "temperature": draw(st.sampled_from([1.0, 0.5])),
        "margin": 2.0**-10,
    }


@st.composite
def mixture_mean(draw: DrawFn) -> dict[str, Any]:
    channels = draw(st.sampled_from([1, 3]))
    drawn = {"coefficients": None, **_parameters(draw, (2,), channels, draw(st.sampled_from([1, 2, 5])))}
    return {n: drawn[n] for n in ("logits", "means", "coefficients")} | {"low": -1.0, "high": 1.0}


@st.composite
def categorical_sample(draw: DrawFn) -> dict[str, Any]:
    shape = (*draw(shapes()), draw(st.sampled_from([2, 6, 16])))
    return {"logits": array(draw, LOGITS, shape), "noise": _distinct(draw, shape)}


@st.composite
def categorical_mean(draw: DrawFn) -> dict[str, Any]:
    return {"logits": array(draw, LOGITS, (*draw(shapes()), draw(LEVELS)))}


@st.composite
def bitwise_sample(draw: DrawFn) -> dict[str, Any]:
    shape = (*draw(shapes()), draw(BITS))
    return {"logits": array(draw, LOGITS, shape), "noise": _distinct(draw, shape)}


@st.composite
def bitwise_mean(draw: DrawFn) -> dict[str, Any]:
    return {"logits": array(draw, LOGITS, (*draw(shapes()), draw(BITS)))}


@st.composite
def logistic_sample(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    drawn = {"mean": array(draw, MEANS, shape), "scale": array(draw, SCALES, shape)}
    return {**drawn, "noise": array(draw, st.floats(2.0**-10, 1 - 2.0**-7, width=16), shape)}


def _located(draw: DrawFn, ends: tuple[float, float]) -> dict[str, Any]:
    shape, levels = draw(shapes()), draw(LEVELS)
    drawn = {
        "codes": codes(draw, levels, shape),
        "mean": array(draw, MEANS, shape),
        "scale": array(draw, SCALES, shape),
    }
    return {**drawn, "levels": levels, "low": ends[0], "high": ends[1]}


def _parameters(draw: DrawFn, batch: tuple[int, ...], channels: int, components: int) -> dict[str, Any]:
    shape = (*batch, channels, components, 1, 2)
    log_scales = st.one_of(st.sampled_from([-7.5, -2.5, 0.0, 3.0]), st.floats(-4, 3, width=16))
    drawn = {
        "logits": array(draw, LOGITS, (*batch, components, 1, 2)),
        "means": array(draw, MEANS, shape),
        "log_scales": array(draw, log_scales, shape),
    }
    if channels == 3 and draw(st.booleans()):
        drawn["coefficients"] = array(draw, real_numbers(3), (*batch, 3, components, 1, 2))
    return drawn


def _distinct(draw: DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform noise without ties, on a grid that bfloat16 can tell apart."""
    size = int(np.prod(shape))
    order = np.random.default_rng(draw(st.integers(0, 10_000))).permutation(size)
    return ((order + 0.37) / size).reshape(shape)

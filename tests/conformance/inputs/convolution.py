"""Inputs of the convolutions: groups and depthwise, strides, uneven padding, one-pixel maps, even and odd sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

SIZES = st.sampled_from([1.0, 1.0, 2.0**-6, 30.0])


def normal(draw: DrawFn, shape: tuple[int, ...], size: float | None = None) -> np.ndarray:
    """Draw a Gaussian array by its seed: dense, without ties, so that no rectifier is met at its kink."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return rng.normal(size=shape) * (draw(SIZES) if size is None else size)


def feature_maps(draw: DrawFn, channels: int, multiple: int = 1, least: int = 1) -> np.ndarray:
    """Draw maps of one or two images; the sides are multiples of a number and need not be equal."""
    batch = draw(st.integers(1, 2))
    height, width = (multiple * max(draw(st.integers(1, 4)), least) for _ in range(2))
    return normal(draw, (batch, channels, height, width))


@st.composite
def layer(draw: DrawFn) -> dict[str, np.ndarray]:
    """Draw a kernel and its bias with maps that it fits: dense, grouped or depthwise."""
    groups, inputs, outputs, size = (draw(st.integers(1, 3)) for _ in range(4))
    x = feature_maps(draw, groups * inputs, least=3)
    weight, bias = normal(draw, (groups * outputs, inputs, size, size)), normal(draw, (groups * outputs,))
    return {"x": x, "weight": weight, "bias": bias}


@st.composite
def convolve(draw: DrawFn) -> dict[str, Any]:
    before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    return {**draw(layer()), "stride": draw(st.integers(1, 3)), "before": before, "after": after}


@st.composite
def same(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(layer())
    return {**drawn, "stride": draw(st.integers(1, drawn["weight"].shape[-1]))}


@st.composite
def transposed(draw: DrawFn) -> dict[str, Any]:
    inputs, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size, stride, padding = draw(st.sampled_from([(1, 1, 0), (4, 2, 1), (3, 1, 1), (2, 2, 0), (3, 2, 0)]))
    x = feature_maps(draw, inputs)
    weight, bias = normal(draw, (inputs, outputs, size, size)), normal(draw, (outputs,))
    return {"x": x, "weight": weight, "bias": bias, "stride": stride, "padding": padding}


@st.composite
def pool(draw: DrawFn) -> dict[str, Any]:
    inputs, outputs, size = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 4]))
    x = feature_maps(draw, inputs, multiple=size)
    weight, bias = normal(draw, (outputs, inputs, size, size)), normal(draw, (outputs,))
    return {"x": x, "weight": weight, "bias": bias, "slope": draw(st.sampled_from([0.1, 0.0, 0.5]))}


@st.composite
def average_pool(draw: DrawFn) -> dict[str, Any]:
    size = draw(st.sampled_from([1, 2, 4]))
    return {"x": feature_maps(draw, 2, multiple=size), "size": size}


@st.composite
def nearest(draw: DrawFn) -> dict[str, Any]:
    return {"x": feature_maps(draw, 2), "scale": draw(st.sampled_from([1, 2, 3, 4]))}


@st.composite
def unpool(draw: DrawFn) -> dict[str, Any]:
    inputs, outputs, scale = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 4]))
    y = feature_maps(draw, inputs)
    position_bias = normal(draw, (outputs, scale * y.shape[2], scale * y.shape[3]))
    weight, bias = normal(draw, (outputs, inputs, 1, 1)), normal(draw, (outputs,))
    return {"y": y, "weight": weight, "bias": bias, "position_bias": position_bias, "scale": scale}


@st.composite
def mixin(draw: DrawFn) -> dict[str, Any]:
    y, scale = feature_maps(draw, 2), draw(st.sampled_from([1, 2, 4]))
    return {"y": y, "bias": normal(draw, (2, scale * y.shape[2], scale * y.shape[3])), "scale": scale}


@st.composite
def squeeze_excite(draw: DrawFn) -> dict[str, Any]:
    channels, hidden = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    x, weight_in, bias_in = feature_maps(draw, channels), normal(draw, (hidden, channels)), normal(draw, (hidden,))
    weight_out, bias_out = normal(draw, (channels, hidden)), normal(draw, (channels,))
    return {
        "x": x,
        "weight_in": weight_in,
        "bias_in": bias_in,
        "weight_out": weight_out,
        "bias_out": bias_out,
        "activation": draw(st.sampled_from(["relu", "elu"])),
    }

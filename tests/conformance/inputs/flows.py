"""Inputs of the flows: one channel and several, one-pixel maps, maps smaller than the kernels, both directions."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers
from tests.conformance.inputs.convolution import feature_maps, normal


@st.composite
def dense_mask(draw: DrawFn) -> dict[str, Any]:
    blocks, size = draw(st.integers(1, 4)), draw(st.sampled_from([1, 3, 5]))
    inputs, outputs = (blocks * draw(st.integers(1, 4)) for _ in range(2))
    drawn = {"strict": draw(st.booleans()), "mirrored": draw(st.booleans())}
    return {"inputs": inputs, "outputs": outputs, "blocks": blocks, "size": size, **drawn}


@st.composite
def depthwise_mask(draw: DrawFn) -> dict[str, Any]:
    drawn = {"strict": draw(st.booleans()), "mirrored": draw(st.booleans())}
    return {"channels": draw(st.integers(1, 6)), "size": draw(st.sampled_from([1, 3, 5])), **drawn}


@st.composite
def network(draw: DrawFn, outputs_per_channel: int = 1) -> dict[str, Any]:
    """Draw latents and the kernels of a flow step; their size is that of a trained step, not tiny."""
    n, ratio = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    z = feature_maps(draw, n)
    outputs = n * outputs_per_channel
    shapes = [(n * ratio, n, 3, 3), (n * ratio, 1, 5, 5), (outputs, n * ratio, 1, 1)]
    weights = [normal(draw, shape, draw(st.sampled_from([0.25, 1.0]))) for shape in shapes]
    return {"z": z, "weights": weights, "bias": normal(draw, (outputs,), 0.5), "mirrored": draw(st.booleans())}


def autoregressive_shift() -> SearchStrategy[dict[str, Any]]:
    return network()


def additive_step() -> SearchStrategy[dict[str, Any]]:
    return network()


@st.composite
def affine_step(draw: DrawFn) -> dict[str, Any]:
    return {**draw(network(2)), "bound": draw(st.sampled_from([5.0, 1.0]))}


@st.composite
def posterior_log_density(draw: DrawFn) -> dict[str, Any]:
    shape = draw(st.sampled_from([(), (3,), (2, 2)]))
    steps = draw(st.integers(0, 4))
    start = array(draw, real_numbers(300), shape)
    return {"log_density": start, "log_determinants": np.asarray(array(draw, real_numbers(50), (steps, *shape)))}

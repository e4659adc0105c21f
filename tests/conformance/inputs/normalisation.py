"""Inputs of the normalisations: one and several axes of space, constant channels, large offsets, zero gains."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers

# Two values per channel at least: the unbiased variance needs them.
SHAPES = st.sampled_from([(2, 1), (4, 3), (3, 2, 2), (1, 2, 2, 2), (2, 3, 1, 2)])
GAINS = st.one_of(st.sampled_from([0.0, 1.0, -1.0]), real_numbers(4))
VALUES = real_numbers(8)


@st.composite
def batch_norm(draw: DrawFn) -> dict[str, Any]:
    x = draw(activations())
    gain, bias = (array(draw, GAINS, x.shape[1:2]) for _ in range(2))
    return {"x": x, "gain": gain, "bias": bias, **draw(st.sampled_from([{}, {"epsilon": 0.01}]))}


@st.composite
def batch_norm_eval(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(batch_norm())
    channels = drawn["x"].shape[1:2]
    mean, variance = array(draw, real_numbers(8), channels), array(draw, scale_numbers(1e-2, 1e2), channels)
    return {**drawn, "mean": mean, "variance": variance}


@st.composite
def running_statistics(draw: DrawFn) -> dict[str, Any]:
    x = draw(activations())
    return {**_running(draw, x.shape[1:2]), "x": x, "momentum": draw(st.sampled_from([0.0, 0.05, 0.2, 1.0]))}


@st.composite
def readjusted_statistics(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.integers(1, 5)), *draw(SHAPES))
    batches = array(draw, VALUES, shape)
    return {**_running(draw, shape[2:3]), "batches": batches, "momentum": draw(st.sampled_from([0.05, 0.2, 1.0]))}


@st.composite
def effective_batches(draw: DrawFn) -> dict[str, Any]:
    return {"momentum": array(draw, st.one_of(st.sampled_from([0.05, 0.2, 1.0]), st.floats(0.0078125, 0.9375)), (3,))}


def batch_norm_swish() -> SearchStrategy[dict[str, Any]]:
    return batch_norm()


def batch_norm_swish_eval() -> SearchStrategy[dict[str, Any]]:
    return batch_norm_eval()


@st.composite
def gain_penalty(draw: DrawFn) -> dict[str, Any]:
    return {"gains": [array(draw, GAINS, (draw(st.integers(1, 4)),)) for _ in range(draw(st.integers(1, 3)))]}


@st.composite
def weight_norm(draw: DrawFn) -> dict[str, Any]:
    direction = draw(directions())
    return {
        "direction": direction,
        "gain": array(draw, GAINS, direction.shape[:1]),
        "epsilon": draw(st.sampled_from([0.0, 1e-5])),
    }


@st.composite
def initial_log_gain(draw: DrawFn) -> dict[str, Any]:
    return {"direction": draw(directions())}


@st.composite
def init_by_deviation(draw: DrawFn) -> dict[str, Any]:
    return {"output": _varied(draw(activations())), **draw(st.sampled_from([{}, {"target": 1.0}]))}


@st.composite
def init_by_variance(draw: DrawFn) -> dict[str, Any]:
    return {"output": _varied(draw(activations())), **draw(st.sampled_from([{}, {"target": 1.0}]))}


@st.composite
def activations(draw: DrawFn) -> np.ndarray:
    return array(draw, VALUES, draw(SHAPES))


@st.composite
def directions(draw: DrawFn) -> np.ndarray:
    shape = draw(st.sampled_from([(1, 2), (3, 2), (2, 2, 3), (2, 1, 2, 2)]))
    return array(draw, st.one_of(st.sampled_from([1.0, -1.0]), scale_numbers(1e-2, 1e2)), shape)


def _varied(x: np.ndarray) -> np.ndarray:
    """A slope over the images or pixels that x / 4, at most 2 in size, cannot undo.

    A constant channel has no standard deviation and an infinite slope of it.
    """
    return x / 4 + 5 * np.moveaxis(np.arange(x.size // x.shape[1]).reshape(x.shape[0], *x.shape[2:], 1), -1, 1)


def _running(draw: DrawFn, channels: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {"mean": array(draw, VALUES, channels), "variance": array(draw, scale_numbers(1e-2, 1e2), channels)}

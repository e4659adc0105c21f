"""Inputs of the Bernoulli functions: binary and grey targets, saturated logits."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, shapes, together


def log_likelihood() -> SearchStrategy[dict[str, Any]]:
    targets = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1, width=16))
    return together(x=targets, logits=st.one_of(real_numbers(), st.sampled_from([100.0, -100.0, 1e-6])))


@st.composite
def padded_log_likelihood(draw: DrawFn) -> dict[str, Any]:
    margin, shape = draw(st.integers(0, 2)), (draw(st.sampled_from([1, 2])), 6, 5)
    x = array(draw, st.sampled_from([0.0, 1.0, 0.25]), shape)
    return {"x": x, "logits": array(draw, real_numbers(), shape), "margin": margin}


def log_normaliser() -> SearchStrategy[dict[str, Any]]:
    return together(logits=st.one_of(real_numbers(), st.sampled_from([0.0, 1e-6, -1e-3, 100.0, -1e4])))


def binarise() -> SearchStrategy[dict[str, Any]]:
    intensities = st.one_of(st.sampled_from([0.0, 1.0, 1 / 255, 0.5]), st.floats(0, 1, width=16))
    return together(intensity=intensities, noise=st.one_of(st.sampled_from([0.0, 0.5]), st.floats(0, 0.9375, width=16)))


@st.composite
def centre_and_bias(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    means = st.one_of(st.sampled_from([0.0, 1.0, 0.001, 0.5]), st.floats(0, 1, width=16))
    return {"x": array(draw, st.floats(0, 1, width=16), shape), "mean": array(draw, means, shape), "margin": 0.0078125}

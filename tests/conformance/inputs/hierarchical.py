"""Inputs of the hierarchical terms: one to four layers of different widths, small scales."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers


@st.composite
def layer_terms(draw: DrawFn) -> dict[str, Any]:
    batch, depth = draw(st.sampled_from([(), (3,)])), draw(st.integers(1, 4))
    shapes = [(*batch, draw(st.integers(1, 3))) for _ in range(depth)]
    reals, scales = real_numbers(10), scale_numbers(1e-2, 1e2)
    return {
        "z": [array(draw, reals, shape) for shape in shapes],
        "mean_q": [array(draw, reals, shape) for shape in shapes],
        "scale_q": [array(draw, scales, shape) for shape in shapes],
        "mean_p": [array(draw, reals, shape) for shape in shapes[:-1]],
        "scale_p": [array(draw, scales, shape) for shape in shapes[:-1]],
    }


@st.composite
def elbo(draw: DrawFn) -> dict[str, Any]:
    batch, depth = draw(st.sampled_from([(), (3,)])), draw(st.integers(1, 4))
    terms = array(draw, real_numbers(100), (depth, *batch))
    return {"log_likelihood": array(draw, real_numbers(300), batch), "layer_terms": terms}


@st.composite
def smoothed_conditional(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.sampled_from([1, 2, 5])), *draw(st.sampled_from([(2,), (2, 3)])))
    return {"mean_p": array(draw, real_numbers(), shape), "scale_p": array(draw, scale_numbers(), shape)}


def smoothed_conditional_ratio() -> SearchStrategy[dict[str, Any]]:
    return smoothed_conditional()

"""Inputs of the nonlinearities: zero and its neighbourhood on both sides, both tails."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, shapes

VALUES = st.one_of(real_numbers(), st.sampled_from([2.0**-20, -(2.0**-20), -1.278465, -12.0]))


def silu() -> SearchStrategy[dict[str, Any]]:
    return _alone()


def gelu() -> SearchStrategy[dict[str, Any]]:
    # From -14 on single precision cannot hold the value.
    return _alone(st.one_of(real_numbers(8), st.just(-12.0)))


@st.composite
def leaky_relu(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_alone()), "slope": draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))}


@st.composite
def elu(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_alone()), **draw(st.sampled_from([{}, {"alpha": 1.75}]))}


def selu() -> SearchStrategy[dict[str, Any]]:
    return _alone()


@st.composite
def _alone(draw: DrawFn, values: SearchStrategy[float] = VALUES) -> dict[str, Any]:
    return {"u": array(draw, values, draw(shapes()))}

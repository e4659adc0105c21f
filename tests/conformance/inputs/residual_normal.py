"""Inputs of the residual Normals: zero and tiny residuals, saturated clamps, collapsing scales."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers, shapes, together

SLOPES = st.sampled_from([math.log(2), 0.4, 1.0, 0.125])


def parameters() -> SearchStrategy[dict[str, Any]]:
    return together(
        mean_p=real_numbers(), scale_p=scale_numbers(), mean_shift=real_numbers(), scale_ratio=scale_numbers()
    )


def kl() -> SearchStrategy[dict[str, Any]]:
    # Near equality, and only there, the digits of the scale part can cancel.
    near = st.sampled_from([1 + 2**-7, 1 - 2**-7, 1.0])
    return st.one_of(
        together(mean_shift=st.sampled_from([0.0, 1e-3]), scale_p=scale_numbers(0.5, 2), scale_ratio=near),
        together(mean_shift=real_numbers(), scale_p=scale_numbers(), scale_ratio=scale_numbers()),
    )


@st.composite
def soft_clamp(draw: DrawFn) -> dict[str, Any]:
    return {"raw": array(draw, real_numbers(60), draw(shapes())), "bound": draw(st.sampled_from([5.0, 1.0, 0.5]))}


@st.composite
def bounded_parameters(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(together(raw_mean=real_numbers(), raw_log_scale=real_numbers()))
    return drawn | draw(st.sampled_from([{}, {"temperature": 0.7}]))


def bounded_kl() -> SearchStrategy[dict[str, Any]]:
    moderate = real_numbers(8)
    return together(
        raw_mean_p=moderate, raw_log_scale_p=moderate, raw_mean_shift=moderate, raw_log_scale_shift=moderate
    )


@st.composite
def softplus_scale(draw: DrawFn) -> dict[str, Any]:
    # 30 lies where a library that turns linear at 20 still loses digits.
    raws = st.one_of(real_numbers(30), real_numbers(60))
    return {"raw": array(draw, raws, draw(shapes())), "slope": draw(SLOPES)}


@st.composite
def log_softplus_scale(draw: DrawFn) -> dict[str, Any]:
    return {"raw": array(draw, real_numbers(1000), draw(shapes())), "slope": draw(SLOPES)}


@st.composite
def scale_gradients(draw: DrawFn) -> dict[str, Any]:
    return {"raw": array(draw, real_numbers(30), draw(shapes())), "slope": draw(SLOPES)}


@st.composite
def exponential_scale(draw: DrawFn) -> dict[str, Any]:
    drawn = {"raw": array(draw, real_numbers(), draw(shapes())), "slope": draw(SLOPES)}
    return drawn | draw(st.sampled_from([{}, {"floor": -7.0}, {"floor": 0.0}]))


@st.composite
def exponential_kl(draw: DrawFn) -> dict[str, Any]:
    raws, means = real_numbers(8), real_numbers()
    return {**draw(together(mean_q=means, raw_q=raws, mean_p=means, raw_p=raws)), "slope": draw(SLOPES)}


@st.composite
def softplus_parameters(draw: DrawFn) -> dict[str, Any]:
    reals = real_numbers()
    drawn = draw(together(mean_p=reals, scale_p=scale_numbers(), mean_shift=reals, raw_ratio=reals))
    return {**drawn, "slope": draw(SLOPES)}

"""Inputs of the optimisers: first steps from zero state, zero gradients, spikes, norms that are not finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers, shapes

# A decay of 0.999 is 1 in bfloat16: states and counts stay in single precision.
STATES = ("float64", "float32")
DTYPES = {"adam": STATES, "adamw": STATES, "adamax": STATES, "ema": STATES, "loss_scale": STATES}
REALS = real_numbers()
RATES = st.sampled_from([1e-3, 1e-2, 0.5])


@st.composite
def adam(draw: DrawFn) -> dict[str, Any]:
    return {**_state(draw, "second"), **draw(_betas())}


@st.composite
def adamw(draw: DrawFn) -> dict[str, Any]:
    return {**_state(draw, "second"), "decay": draw(st.sampled_from([0.0, 0.01, 0.5])), **draw(_betas())}


@st.composite
def adamax(draw: DrawFn) -> dict[str, Any]:
    return {**_state(draw, "norm"), **draw(st.sampled_from([{}, {"decay": 3e-4}])), **draw(_betas())}


@st.composite
def ema(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    average, parameter = (array(draw, real_numbers(), shape) for _ in range(2))
    return {"average": average, "parameter": parameter, "decay": draw(st.sampled_from([0.0, 0.5, 0.999, 0.9999, 1.0]))}


@st.composite
def global_norm(draw: DrawFn) -> dict[str, Any]:
    return {"gradients": draw(_lists())}


@st.composite
def clip_by_global_norm(draw: DrawFn) -> dict[str, Any]:
    return {"gradients": draw(_lists()), "most": draw(st.sampled_from([0.5, 1.0, 20.0, 1000.0]))}


@st.composite
def skips(draw: DrawFn) -> dict[str, Any]:
    threshold = draw(st.sampled_from([800.0, 1.0, math.inf]))
    norms = st.one_of(st.sampled_from([0.0, 800.0, 799.0, 1e6, math.inf, math.nan]), scale_numbers())
    return {"norm": array(draw, norms, (draw(st.integers(1, 8)),)), "threshold": threshold}


def skip_rate() -> SearchStrategy[dict[str, Any]]:
    return skips()


@st.composite
def diverged(draw: DrawFn) -> dict[str, Any]:
    patience = draw(st.integers(1, 4))
    if draw(st.booleans()):
        return {**draw(skips()), "patience": patience}
    # Runs of skipped updates that are just long enough, or fall one short and only add up, with applied ones between.
    runs = draw(st.lists(st.sampled_from([patience - 1, patience - 1, patience]), min_size=1, max_size=3))
    skipped = st.sampled_from([800.0, 1e6, math.inf, math.nan])
    norms = [norm for run in runs for norm in [1.0, *(draw(skipped) for _ in range(run))]]
    return {"norm": np.asarray(norms), "threshold": 800.0, "patience": patience}


@st.composite
def unscale(draw: DrawFn) -> dict[str, Any]:
    return {**draw(all_finite()), "scale": np.asarray(2.0 ** draw(st.integers(-3, 16)))}


@st.composite
def all_finite(draw: DrawFn) -> dict[str, Any]:
    broken = st.one_of(real_numbers(), st.sampled_from([math.inf, -math.inf, math.nan]))
    return {"gradients": draw(_lists(broken if draw(st.booleans()) else REALS))}


@st.composite
def loss_scale(draw: DrawFn) -> dict[str, Any]:
    interval = draw(st.sampled_from([1, 3, 2000]))
    streak = draw(st.integers(0, interval - 1) | st.just(interval - 1))
    scale = np.asarray(2.0 ** draw(st.integers(-3, 16)))
    return {"scale": scale, "streak": streak, "usable": draw(st.booleans()), "interval": interval}


@st.composite
def weight_decay_penalty(draw: DrawFn) -> dict[str, Any]:
    return {"weights": draw(_lists()), "coefficient": draw(st.sampled_from([0.0, 1e-4, 1.0]))}


@st.composite
def gradient_variance(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.integers(2, 5)), draw(st.integers(1, 4)))
    # A slope keeps the draws apart: without variance the ratio is infinite and its rounding means nothing.
    return {"gradients": array(draw, real_numbers(10), shape) / 8 + 4 * np.arange(shape[0])[:, None]}


@st.composite
def _lists(draw: DrawFn, elements: SearchStrategy[float] = REALS) -> list[np.ndarray]:
    return [array(draw, elements, draw(shapes())) for _ in range(draw(st.integers(1, 3)))]


def _betas() -> SearchStrategy[dict[str, float]]:
    return st.sampled_from([{}, {"beta1": 0.9, "beta2": 0.9}, {"beta1": 0.0}, {"epsilon": 1e-3}])


def _state(draw: DrawFn, last: str) -> dict[str, Any]:
    shape = draw(shapes())
    parameter, gradient = array(draw, real_numbers(), shape), array(draw, real_numbers(), shape)
    count = draw(st.sampled_from([1, 2, 10, 1000]))
    zero = np.zeros(shape)
    first = zero if count == 1 else array(draw, real_numbers(3), shape)
    norms = zero if count == 1 else array(draw, scale_numbers(1e-6, 1e4), shape)
    return {
        "parameter": parameter, "gradient": gradient, "first": first, last: norms, "count": count, "rate": draw(RATES)
    }  # fmt: skip

"""Inputs of the balancing functions: negative terms, terms below, at and above the floor."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers

DTYPES = {"scale_weights": ("float64",)}


@st.composite
def free_bits(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 5)))
    return {
        "layer_terms": array(draw, real_numbers(10), shape),
        "floor": draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0])),
    }


def free_bits_per_image() -> SearchStrategy[dict[str, Any]]:
    return free_bits()


@st.composite
def soft_free_bits(draw: DrawFn) -> dict[str, Any]:
    group_kl = draw(_tables())
    rates = array(draw, st.sampled_from([0.03125, 0.25, 0.5, 1.0]), group_kl.shape[:1])
    return {"rates": rates, "group_kl": group_kl, "target": draw(st.sampled_from([0.0, 1.0, 3.0]))}


@st.composite
def balance_weights(draw: DrawFn) -> dict[str, Any]:
    group_kl = draw(_tables())
    if draw(st.booleans()):
        group_kl[draw(st.integers(0, len(group_kl) - 1))] = 0
    factor = array(draw, scale_numbers(2**-8, 2**8), group_kl.shape[:1])
    return {"group_kl": group_kl, "factor": factor, "floor": draw(st.sampled_from([0.0, 0.015625, 0.125]))}


def scale_weights() -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"groups": st.lists(st.integers(1, 36), min_size=1, max_size=5).map(np.array)})


@st.composite
def balance_excess(draw: DrawFn) -> dict[str, Any]:
    group_kl = array(draw, st.one_of(st.just(0.0), scale_numbers(1e-2, 1e3)), (draw(st.integers(1, 6)),))
    return {"group_kl": group_kl, "floor": draw(st.sampled_from([0.125, 1.0]))}


@st.composite
def training_loss(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_losses()), "dims": draw(st.sampled_from([1, 784, 3072]))}


@st.composite
def regularised_loss(draw: DrawFn) -> dict[str, Any]:
    penalties = array(draw, scale_numbers(1e-2, 1e2), (draw(st.integers(1, 4)),))
    return {**draw(_losses()), "penalties": penalties, "coefficient": draw(st.sampled_from([0.0, 0.015625, 10.0]))}


@st.composite
def _losses(draw: DrawFn) -> dict[str, Any]:
    group_kl = draw(_tables())
    groups, images = group_kl.shape
    return {
        "negative_log_likelihood": array(draw, real_numbers(300), (images,)),
        "group_kl": group_kl,
        "weight": draw(st.sampled_from([0.0, 0.25, 1.0])),
        "group_weights": array(draw, st.sampled_from([0.0, 0.5, 1.0, 2.0]), (groups,)),
    }


@st.composite
def _tables(draw: DrawFn) -> np.ndarray:
    return array(draw, real_numbers(10), (draw(st.integers(1, 4)), draw(st.integers(1, 5))))

"""Inputs of the smoothing bias: small posteriors, rho at both ends, several coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, rho_numbers, scale_numbers
from tests.conformance.inputs.hermite import networks, with_indices


@st.composite
def moments(draw: DrawFn) -> dict[str, Any]:
    dims = draw(st.integers(1, 2))
    mean_q, scale_q = array(draw, real_numbers(2), (2, dims)), array(draw, scale_numbers(0.0625, 2), (2, dims))
    return {"f": draw(networks(dims)), "mean_q": mean_q, "scale_q": scale_q, "nodes": 8}


@st.composite
def cross_term(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(moments())
    scale_p = np.asarray(draw(scale_numbers(0.125, 8)))
    return {"mean_p": drawn.pop("f"), "scale_p": scale_p, "z1": array(draw, real_numbers(3), (2, 2)), **drawn}


def quadratic_term() -> SearchStrategy[dict[str, Any]]:
    return cross_term()


@st.composite
def spectral_term(draw: DrawFn) -> dict[str, Any]:
    scale_p, rho = np.asarray(draw(scale_numbers(0.125, 8))), np.asarray(draw(rho_numbers()))
    return {**draw(with_indices()), "scale_p": scale_p, "rho": rho}


def bias() -> SearchStrategy[dict[str, Any]]:
    return spectral_term()


def bias_bounds() -> SearchStrategy[dict[str, Any]]:
    return spectral_term()


@st.composite
def sample_bias(draw: DrawFn) -> dict[str, Any]:
    return {"bias": np.abs(array(draw, real_numbers(), (3,))), "samples": draw(st.sampled_from([1, 2, 5, 10]))}

"""Inputs of the Ornstein-Uhlenbeck functions: correlations 0, 1 and next to 1, one sample, constant functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, rho_numbers, scale_numbers, shapes
from tests.conformance.inputs.hermite import networks, polynomials, with_indices


@st.composite
def correlated_noise(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    noise, fresh = (array(draw, real_numbers(8), shape) for _ in range(2))
    return {"noise": noise, "fresh": fresh, "rho": np.asarray(draw(rho_numbers()))}


@st.composite
def correlated_sample(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(correlated_noise())
    shape = drawn["noise"].shape
    return {"mean": array(draw, real_numbers(), shape), "scale": array(draw, scale_numbers(), shape), **drawn}


@st.composite
def operator(draw: DrawFn) -> dict[str, Any]:
    dims = draw(st.integers(1, 2))
    f = draw(st.one_of(polynomials(dims), networks(dims)))
    return {"f": f, "z": array(draw, real_numbers(3), (2, dims)), "rho": draw(rho_numbers()), "nodes": 8}


@st.composite
def affine_operator(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(operator())
    dims = drawn["z"].shape[1]
    mean, scale = array(draw, real_numbers(2), (dims,)), array(draw, scale_numbers(0.25, 4), (dims,))
    return {**drawn, "mean": mean, "scale": scale}


def on_coefficients() -> SearchStrategy[dict[str, Any]]:
    return _with_rho()


def generator() -> SearchStrategy[dict[str, Any]]:
    return with_indices()


@st.composite
def mehler_kernel(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    x, y = (array(draw, real_numbers(2), shape) for _ in range(2))
    # The kernel is a delta at rho = 1 and overflows next to it.
    return {"x": x, "y": y, "rho": np.asarray(min(draw(rho_numbers()), 1 - 2**-5))}


def variance() -> SearchStrategy[dict[str, Any]]:
    return _with_rho()


def covariance() -> SearchStrategy[dict[str, Any]]:
    return _with_rho()


def dirichlet_energy() -> SearchStrategy[dict[str, Any]]:
    return with_indices()


@st.composite
def hypercontractive_exponent(draw: DrawFn) -> dict[str, Any]:
    p = array(draw, st.floats(1.0625, 8), (3,))
    return {"p": p, "rho": np.asarray(max(draw(rho_numbers()), 2**-10))}


@st.composite
def monte_carlo(draw: DrawFn) -> dict[str, Any]:
    dims, samples = draw(st.integers(1, 2)), draw(st.sampled_from([1, 2, 5]))
    noise, fresh = array(draw, real_numbers(3), (2, dims)), array(draw, real_numbers(3), (samples, 2, dims))
    f = draw(st.one_of(polynomials(dims), networks(dims)))
    return {"f": f, "noise": noise, "fresh": fresh, "rho": np.asarray(draw(rho_numbers()))}


@st.composite
def effective_strength(draw: DrawFn) -> dict[str, Any]:
    rho = np.asarray(draw(rho_numbers()))
    return {"rho": rho, "samples": draw(st.sampled_from([1, 2, 5, 1000])), "degree": draw(st.integers(0, 4))}


def monte_carlo_variance() -> SearchStrategy[dict[str, Any]]:
    return _with_samples()


def monte_carlo_error() -> SearchStrategy[dict[str, Any]]:
    return _with_samples()


def variance_lost() -> SearchStrategy[dict[str, Any]]:
    return _with_rho()


@st.composite
def _with_rho(draw: DrawFn) -> dict[str, Any]:
    return {**draw(with_indices()), "rho": np.asarray(draw(rho_numbers()))}


@st.composite
def _with_samples(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_with_rho()), "samples": draw(st.sampled_from([1, 2, 5, 10]))}

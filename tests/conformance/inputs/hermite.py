"""Inputs of the Hermite functions: degrees 0 and 1, zero variables, small sets of multi-indices, random polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from reference.hermite import multi_indices as all_indices
from tests.conformance.functions import Polynomial, TanhNetwork
from tests.conformance.inputs.common import array, real_numbers, shapes

FLOAT64 = ("float64",)
DTYPES = {
    "rule": FLOAT64,
    "inner_product": FLOAT64,
    "coefficients": FLOAT64,
    "multi_indices": FLOAT64,
    "total_degree": FLOAT64,
}

# Functions whose work or result has a size that is read from the values of the indices: no static graph exists.
DATA_DEPENDENT = ("multi_basis", "coefficients", "expand", "spectral_profile")


@st.composite
def basis(draw: DrawFn) -> dict[str, Any]:
    return {"z": array(draw, real_numbers(5), draw(shapes())), "degree": draw(st.integers(0, 8))}


def multi_indices() -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"dims": st.integers(0, 3), "degree": st.integers(0, 4)})


@st.composite
def multi_basis(draw: DrawFn) -> dict[str, Any]:
    indices = draw(index_sets())
    return {"z": array(draw, real_numbers(3), (draw(st.integers(1, 3)), indices.shape[1])), "indices": indices}


def rule() -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"nodes": st.sampled_from([1, 2, 5, 16, 33]), "dims": st.integers(1, 2)})


@st.composite
def inner_product(draw: DrawFn) -> dict[str, Any]:
    dims = draw(st.integers(1, 2))
    f, g = (draw(polynomials(dims)) for _ in range(2))
    return {"f": f, "g": g, "nodes": draw(st.integers(8, 16)), "dims": dims}


@st.composite
def coefficients(draw: DrawFn) -> dict[str, Any]:
    indices = draw(index_sets())
    f = draw(st.one_of(polynomials(indices.shape[1]), networks(indices.shape[1])))
    return {"f": f, "indices": indices, "nodes": draw(st.integers(10, 20))}


@st.composite
def expand(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(with_indices())
    return {**drawn, "z": array(draw, real_numbers(3), (2, drawn["indices"].shape[1]))}


def squared_norm() -> SearchStrategy[dict[str, Any]]:
    return with_indices().map(lambda drawn: {"coefficients": drawn["coefficients"]})


def mean() -> SearchStrategy[dict[str, Any]]:
    return with_indices()


def variance() -> SearchStrategy[dict[str, Any]]:
    return with_indices()


def spectral_profile() -> SearchStrategy[dict[str, Any]]:
    return with_indices()


def total_degree() -> SearchStrategy[dict[str, Any]]:
    return index_sets().map(lambda indices: {"indices": indices})


def index_sets() -> SearchStrategy[np.ndarray]:
    """Complete sets of multi-indices of one or two variables."""
    return st.sampled_from([all_indices(dims, degree) for dims in (1, 2) for degree in (0, 1, 4)])


@st.composite
def with_indices(draw: DrawFn) -> dict[str, Any]:
    """Coefficients (A,) or (A, 2) with their multi-indices."""
    indices = draw(index_sets())
    tail = draw(st.sampled_from([(), (2,)]))
    return {"coefficients": array(draw, real_numbers(10), (len(indices), *tail)), "indices": indices}


def polynomials(variables: int) -> SearchStrategy[Polynomial]:
    return st.integers(0, 99).map(lambda seed: Polynomial.random(seed, variables, degree=4))


def networks(inputs: int, outputs: int = 2) -> SearchStrategy[TanhNetwork]:
    return st.integers(0, 99).map(lambda seed: TanhNetwork.random(seed, inputs, outputs=outputs))

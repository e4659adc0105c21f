"""Inputs of the spectral norms: dense and depthwise kernels, rank one, zero weights, layers of equal and other shapes.

Norms of exact operators are drawn away from ties of singular values; estimates that carry gradients are drawn where
the iteration has converged, because the vectors count as constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.convolution import normal

SHAPES = ((1, 1, 1, 1), (3, 2, 3, 3), (4, 4, 1, 1), (4, 1, 5, 5), (2, 5))
DTYPES = {"conv_norm_estimate": ("float64", "float32")}


@st.composite
def power_iteration(draw: DrawFn) -> dict[str, Any]:
    shape = draw(st.sampled_from(SHAPES))
    weight = draw(st.one_of(st.just(None), st.just("zero"), st.just("rank one")))
    left = normal(draw, shape[:1], 1.0)
    if weight == "zero":
        drawn = np.zeros(shape)
    elif weight == "rank one":
        drawn = (normal(draw, shape[:1])[:, None] * normal(draw, (1, int(np.prod(shape[1:]))), 1.0)).reshape(shape)
    else:
        drawn = normal(draw, shape)
    return {"weight": drawn, "vector": left, "iterations": draw(st.sampled_from([1, 2, 4]))}


@st.composite
def power_iterations(draw: DrawFn) -> dict[str, Any]:
    layers = [draw(power_iteration()) for _ in range(draw(st.integers(1, 4)))]
    weights, vectors = [one["weight"] for one in layers], [one["vector"] for one in layers]
    return {"weights": weights, "vectors": vectors, "iterations": draw(st.sampled_from([1, 2, 4]))}


@st.composite
def norm_estimate(draw: DrawFn) -> dict[str, Any]:
    shape = draw(st.sampled_from(SHAPES))
    right = normal(draw, (int(np.prod(shape[1:])),), 1.0)
    return {"weight": normal(draw, shape), "left": normal(draw, shape[:1], 1.0), "right": right}


@st.composite
def dominated(draw: DrawFn, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A weight whose largest singular value is at least ten times the next, and a start that sees it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    rows, columns = shape[0], int(np.prod(shape[1:]))
    left, right = rng.normal(size=rows), rng.normal(size=columns)
    rest = rng.normal(size=(rows, columns))
    matrix = np.outer(left / np.linalg.norm(left), right / np.linalg.norm(right)) + 0.09 * rest / np.linalg.norm(rest)
    return draw(st.sampled_from([1.0, 2.0**-5, 20.0])) * matrix.reshape(shape), left + 0.1


@st.composite
def regulariser(draw: DrawFn) -> dict[str, Any]:
    pairs = [draw(dominated(draw(st.sampled_from(SHAPES)))) for _ in range(draw(st.integers(1, 4)))]
    return {"weights": [w for w, _ in pairs], "vectors": [u for _, u in pairs], "iterations": 12}


@st.composite
def conv_norm(draw: DrawFn) -> dict[str, Any]:
    size = draw(st.sampled_from([1, 2, 3]))
    weight = normal(draw, (draw(st.integers(1, 3)), draw(st.integers(1, 3)), size, size))
    return {"weight": weight, "height": draw(st.integers(size, 6)), "width": draw(st.integers(size, 6))}


@st.composite
def conv_norm_estimate(draw: DrawFn) -> dict[str, Any]:
    size, inputs = draw(st.sampled_from([1, 3])), draw(st.integers(1, 2))
    weight = normal(draw, (draw(st.integers(1, 3)), inputs, size, size))
    start = normal(draw, (inputs, draw(st.integers(2, 4)), draw(st.integers(2, 4))), 1.0)
    return {"weight": weight, "start": start, "iterations": draw(st.sampled_from([1, 3]))}


@st.composite
def lipschitz_bounds(draw: DrawFn) -> dict[str, Any]:
    groups, size = draw(st.integers(1, 3)), draw(st.sampled_from([1, 3, 5]))
    shape = (groups * draw(st.integers(1, 3)), draw(st.integers(1, 3)), size, size)
    return {"weight": normal(draw, shape), "groups": groups}


def network_bound() -> SearchStrategy[dict[str, Any]]:
    norms = st.lists(st.floats(0.25, 4), min_size=1, max_size=8)
    return norms.map(lambda values: {"norms": np.asarray(values)})

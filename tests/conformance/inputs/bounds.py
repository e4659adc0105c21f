"""Inputs of the bounds: one sample, equal weights, weights that under- and overflow."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, shapes


@st.composite
def importance_weighted(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.sampled_from([1, 2, 5, 20])), *draw(st.sampled_from([(), (1,), (3,)])))
    centre = draw(st.sampled_from([0.0, -90.0, -7500.0, 800.0]))
    return {"log_weights": centre + array(draw, real_numbers(), shape)}


def importance_weights() -> SearchStrategy[dict[str, Any]]:
    return importance_weighted()


@st.composite
def bits_per_dim(draw: DrawFn) -> dict[str, Any]:
    return {
        "log_likelihood": array(draw, real_numbers(1e4), draw(shapes())),
        "dims": draw(st.sampled_from([1, 784, 3072])),
    }


def log_weight_arrays() -> SearchStrategy[np.ndarray]:
    return importance_weighted().map(lambda drawn: drawn["log_weights"])

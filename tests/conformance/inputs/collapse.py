"""Inputs of the collapse diagnostics: dead units, noisy units, informative units, all mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers


@st.composite
def posterior_means(draw: DrawFn) -> np.ndarray:
    """Means (S, N, n) with between-image and within-image parts of very different size."""
    draws, images, units = draw(st.integers(2, 4)), draw(st.integers(2, 5)), draw(st.integers(1, 3))
    # No zeros and no equal entries: exact cancellation leaves rounding alone, which no comparison can judge. Dead
    # units and equal draws have tests of their own.
    sizes = st.sampled_from([2.0**-5, 2.0**-3, 1.0])
    values = st.one_of(st.floats(0.125, 2), st.floats(-2, -0.125))
    parts = []
    for shape in ((1, images, units), (draws, images, units)):
        entries = draw(hnp.arrays(np.float64, shape, elements=values, fill=st.nothing()))
        parts.append(entries * array(draw, sizes, (units,)))
    means = parts[0] + parts[1]
    assume((means.var(axis=0) > 1e-6).all() and (means.mean(axis=0).var(axis=0) > 1e-6).all())
    return means


def _means() -> SearchStrategy[dict[str, Any]]:
    return posterior_means().map(lambda means: {"posterior_means": means})


def within_variance() -> SearchStrategy[dict[str, Any]]:
    return _means()


def between_variance() -> SearchStrategy[dict[str, Any]]:
    return _means()


def active_units() -> SearchStrategy[dict[str, Any]]:
    return _means()


def between_fraction() -> SearchStrategy[dict[str, Any]]:
    return _means()


@st.composite
def top_down_gap(draw: DrawFn) -> dict[str, Any]:
    images = draw(st.integers(1, 5))
    own, other = (array(draw, real_numbers(100), (images,)) for _ in range(2))
    return {"log_likelihood_own": own, "log_likelihood_other": other}

"""Inputs of the initialisations: matrices and kernels, one layer and many."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array
from tests.conformance.inputs.convolution import normal

SHAPES = st.sampled_from([(1, 1), (3, 5), (4, 2, 3, 3), (1, 6, 1, 1), (6, 1, 5, 5)])


@st.composite
def xavier_uniform(draw: DrawFn) -> dict[str, Any]:
    entries = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1).map(lambda u: u if abs(u) > 1e-30 else 0.0))
    return {"uniform": array(draw, entries, draw(SHAPES))}


def kaiming_uniform_default() -> SearchStrategy[dict[str, Any]]:
    return xavier_uniform()


@st.composite
def stable_scale(draw: DrawFn) -> dict[str, Any]:
    return {"weight": normal(draw, draw(SHAPES)), "layers": draw(st.sampled_from([1, 2, 47, 78]))}

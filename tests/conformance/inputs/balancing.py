"""Inputs of the balancing functions: negative terms, terms below, at and above the floor."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.conformance.inputs.common import array, real_numbers


@st.composite
def free_bits(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 5)))
    return {
        "layer_terms": array(draw, real_numbers(10), shape),
        "floor": draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0])),
    }

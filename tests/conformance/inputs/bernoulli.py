"""Inputs of the Bernoulli functions: binary and grey targets, saturated logits."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.conformance.inputs.common import real_numbers, together


def log_likelihood() -> SearchStrategy[dict[str, Any]]:
    targets = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1, width=16))
    return together(x=targets, logits=st.one_of(real_numbers(), st.sampled_from([100.0, -100.0, 1e-6])))

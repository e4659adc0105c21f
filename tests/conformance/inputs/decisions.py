"""Inputs of the decisions: ties, reversed orders, seeds of one sign, one outlier, noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.conformance.inputs.common import array

# Decisions at thresholds: inputs that every dtype here holds exactly.
DTYPES = {"paired_decision": ("float64", "float32")}


@st.composite
def rank_concordance(draw: DrawFn) -> dict[str, Any]:
    size = draw(st.integers(2, 8))
    scores = st.integers(-8, 8).map(float)
    return {name: array(draw, scores, (size,)) for name in ("first", "second")}


@st.composite
def paired_decision(draw: DrawFn) -> dict[str, Any]:
    """Clear, unclear, and those that only one half of the rule decides: some seeds against a clear mean."""
    size, centre = draw(st.integers(3, 10)), draw(st.sampled_from([-8.0, -1.0, 0.0, 1.0, 8.0]))
    differences = centre + array(draw, st.integers(-32, 32).map(lambda k: k / 16), (size,))
    # One seed more against than the rule allows, and just short of zero, leaves the mean clear.
    against = draw(st.sampled_from([0, 0, size // 5, size // 5 + 1]))
    differences[:against] = -np.sign(centre) / 16
    error = differences.std(ddof=1) / np.sqrt(size)
    assume(error == 0 or abs(abs(differences.mean()) / error - 2) > 1e-3)
    return {"differences": differences, "standard_errors": 2.0}

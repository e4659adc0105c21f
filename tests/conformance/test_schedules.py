"""Schedules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from reference import schedules
from tests.conformance.inputs import schedules as inputs


@given(inputs.kl_warmup())
def test_kl_warmup_matches_interpolation(case) -> None:
    start, end = case["start"], case["start"] + case["length"]
    np.testing.assert_allclose(schedules.kl_warmup(**case), np.interp(case["step"], [start, end], [0, 1]), atol=1e-12)


@pytest.mark.parametrize(
    ("step", "weight"), [(0, 0), (10_000, 0), (260_000, 0.5), (500_000, 0.98), (510_000, 1), (10**6, 1)]
)
def test_kl_warmup_of_the_paper(step: int, weight: float) -> None:
    """The weight reaches 1 at step 510,000, not 500,000."""
    assert float(schedules.kl_warmup(step, 10_000, 500_000)) == pytest.approx(weight)


@given(inputs.kl_warmup())
def test_kl_warmup_never_falls(implementation, case) -> None:
    weights = implementation.call("schedules.kl_warmup", **{**case, "step": np.sort(case["step"])})
    assert (np.diff(weights) >= 0).all()
    assert weights.min() >= 0
    assert weights.max() <= 1

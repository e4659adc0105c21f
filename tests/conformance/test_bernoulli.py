"""Bernoulli observations."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given
from scipy import special, stats

from reference import bernoulli
from tests.conformance.first_principles import at_50_digits
from tests.conformance.inputs import bernoulli as inputs


@given(inputs.log_likelihood())
def test_log_likelihood_matches_scipy(case) -> None:
    x, logits = np.round(case["x"]), np.clip(case["logits"], -30, 30)
    wanted = stats.bernoulli.logpmf(x, special.expit(logits)).sum(-1)
    np.testing.assert_allclose(bernoulli.log_likelihood(x, logits), wanted, rtol=1e-4, atol=1e-10)


@pytest.mark.parametrize(("x", "logit"), [(1, 100), (0, 100), (1, -100), (0, -800), (1, 40), (0.25, 3), (1, 1e-9)])
def test_log_likelihood_at_50_digits(x: float, logit: float) -> None:
    wanted = at_50_digits(lambda x, t: x * t - mpmath.log1p(mpmath.exp(t)), x, logit)
    assert float(bernoulli.log_likelihood([x], [logit])) == pytest.approx(wanted, rel=1e-14)


@given(inputs.log_likelihood())
def test_binary_outcomes_sum_to_one(case) -> None:
    logits = case["logits"].reshape(-1)[:3]
    outcomes = np.array(list(itertools.product([0, 1], repeat=len(logits))))
    assert np.exp(bernoulli.log_likelihood(outcomes, logits)).sum() == pytest.approx(1, abs=1e-13)


@given(inputs.log_likelihood())
def test_log_likelihood_is_symmetric(implementation, case) -> None:
    mirrored = {"x": 1 - case["x"], "logits": -case["logits"]}
    got, wanted = (implementation.call("bernoulli.log_likelihood", **c) for c in (mirrored, case))
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)
    assert (got <= 0).all()

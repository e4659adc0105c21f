"""Importance-weighted bounds and units."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from reference import bounds, hermite
from tests.conformance.first_principles import SAMPLES, assert_mean
from tests.conformance.inputs import bounds as inputs

# x | z ~ N(1.3 z, 0.7^2), z ~ N(0, 1), x = 0.8, q = N(0.2, 0.6^2).
SLOPE, NOISE, X = 1.3, 0.7, 0.8


def log_weights(z: np.ndarray, mean: float, scale: float) -> np.ndarray:
    joint = stats.norm.logpdf(X, SLOPE * z, NOISE) + stats.norm.logpdf(z)
    return joint - stats.norm.logpdf(z, mean, scale)


def log_evidence() -> float:
    return float(stats.norm.logpdf(X, 0, math.hypot(SLOPE, NOISE)))


@given(inputs.log_weight_arrays())
def test_importance_weighted_at_50_digits(log_w: np.ndarray) -> None:
    columns = log_w.reshape(len(log_w), -1).T
    got = np.atleast_1d(bounds.importance_weighted(log_w)).ravel()
    weights = bounds.importance_weights(log_w).reshape(len(log_w), -1).T
    with mpmath.workdps(50):
        for column, value, share in zip(columns, got, weights, strict=True):
            terms = [mpmath.exp(mpmath.mpf(float(w))) for w in column]
            assert value == pytest.approx(float(mpmath.log(mpmath.fsum(terms) / len(terms))), rel=1e-14, abs=1e-14)
            np.testing.assert_allclose(share, [float(t / mpmath.fsum(terms)) for t in terms], rtol=1e-12, atol=1e-300)


def test_importance_weighted_of_the_worked_example() -> None:
    assert log_evidence() == pytest.approx(-1.455390, abs=1e-6)
    points, weights = hermite.rule(100)
    log_w = log_weights(0.2 + 0.6 * points[:, 0], 0.2, 0.6)
    assert weights @ bounds.importance_weighted(log_w[None]) == pytest.approx(-1.691457, abs=1e-6)
    pairs = bounds.importance_weighted(np.stack(np.broadcast_arrays(log_w[:, None], log_w)))
    assert weights @ pairs @ weights == pytest.approx(-1.543034, abs=1e-6)


def test_importance_weighted_approaches_the_evidence(rng) -> None:
    """L_50 by sampling; the gap at large k is Var(w / p(x)) / (2 k)."""
    z = 0.2 + 0.6 * rng.standard_normal((50, SAMPLES // 20))
    draws = bounds.importance_weighted(log_weights(z, 0.2, 0.6))
    assert_mean(draws, -1.45812, planted=0.01)
    assert draws.mean() < log_evidence()


def test_importance_weighted_is_tight_at_the_posterior(rng) -> None:
    precision = 1 + SLOPE**2 / NOISE**2
    mean, scale = X * SLOPE / NOISE**2 / precision, precision**-0.5
    for k in (1, 5, 100):
        z = mean + scale * rng.standard_normal((k, 10))
        np.testing.assert_allclose(bounds.importance_weighted(log_weights(z, mean, scale)), log_evidence(), rtol=1e-12)


def test_importance_weights_are_the_gradient() -> None:
    log_w, h = np.array([-90.0, -91.0, -88.5, -95.0]), 1e-5
    slope = [
        (bounds.importance_weighted(log_w + h * e) - bounds.importance_weighted(log_w - h * e)) / (2 * h)
        for e in np.eye(4)
    ]
    np.testing.assert_allclose(slope, bounds.importance_weights(log_w), atol=1e-8)


def test_uniform_bytes_have_eight_bits() -> None:
    assert float(bounds.bits_per_dim(-3072 * math.log(256), 3072)) == pytest.approx(8, rel=1e-14)


@pytest.mark.parametrize(("bits", "nats"), [(3.5, 7452.7), (3.39, 7218.5)])
def test_bits_per_dim_of_the_paper(bits: float, nats: float) -> None:
    assert float(bounds.bits_per_dim(-nats, 3072)) == pytest.approx(bits, abs=1e-4)


@given(inputs.log_weight_arrays())
def test_importance_weighted_lies_between_mean_and_maximum(implementation, log_w: np.ndarray) -> None:
    got = implementation.call("bounds.importance_weighted", log_weights=log_w)
    slack = 1e-12 * (1 + np.abs(log_w).max())
    assert (got >= log_w.mean(0) - slack).all()
    assert (got <= log_w.max(0) + slack).all()


@given(inputs.log_weight_arrays())
def test_importance_weighted_follows_a_shift(implementation, log_w: np.ndarray) -> None:
    plain, shifted = (implementation.call("bounds.importance_weighted", log_weights=log_w + c) for c in (0.0, 64.0))
    np.testing.assert_allclose(shifted - plain, 64, atol=1e-9)


@given(inputs.log_weight_arrays())
def test_importance_weights_sum_to_one(implementation, log_w: np.ndarray) -> None:
    got = implementation.call("bounds.importance_weights", log_weights=log_w)
    np.testing.assert_allclose(got.sum(0), 1, rtol=1e-12)
    assert (got >= 0).all()


@given(inputs.bits_per_dim())
def test_bits_per_dim_halves_when_an_image_doubles(implementation, case) -> None:
    one, two = (implementation.call("bounds.bits_per_dim", **{**case, "dims": k * case["dims"]}) for k in (1, 2))
    np.testing.assert_allclose(one, 2 * two, rtol=1e-14)
    assert (np.sign(one) == -np.sign(case["log_likelihood"])).all()

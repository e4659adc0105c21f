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


def test_uniform_levels_have_their_bits() -> None:
    """Uniform over 2^n levels: exactly n bits, 8 and 5; the published 2.6364 nats per dimension are 3.80 bits."""
    for bits in (5, 8):
        entropy = 3072 * stats.entropy(np.full(2**bits, 2.0**-bits))
        assert float(bounds.bits_per_dim(-entropy, 3072)) == pytest.approx(bits, rel=1e-13)
    for nats, published in ((2.6364, 3.80), (2.44, 3.52), (0.4232, 0.61), (1.678, 2.42)):
        assert float(bounds.bits_per_dim(-nats, 1)) == pytest.approx(published, abs=6e-3)


def test_bits_per_dim_of_the_calibrated_decoders() -> None:
    """10673 nats are 6.547 bits per dimension at 28 x 28 x 3 and 5.012 at 32 x 32 x 3."""
    assert float(bounds.bits_per_dim(-10673, 2352)) == pytest.approx(6.547, abs=5e-4)
    assert float(bounds.bits_per_dim(-10673, 3072)) == pytest.approx(5.012, abs=5e-4)


def test_importance_weighted_of_the_toy_model(rng) -> None:
    """p(z) = N(0, 1), p(x|z) = N(z, 1), q = N(x/2 + 0.3, 0.8), x = 1.3: log p(x) = -1.688012; K = 1, 10, 100."""
    x = 1.3
    assert stats.norm.logpdf(x, 0, math.sqrt(2)) == pytest.approx(-1.688012, abs=5e-7)
    for k, wanted, error in ((1, -1.7813, 0.0113), (10, -1.6975, 0.0027), (100, -1.6890, 0.0009)):
        z = x / 2 + 0.3 + 0.8 * rng.standard_normal((k, 100_000 // k))
        log_w = stats.norm.logpdf(z) + stats.norm.logpdf(x, z) - stats.norm.logpdf(z, x / 2 + 0.3, 0.8)
        draws = bounds.importance_weighted(log_w)
        assert draws.mean() == pytest.approx(wanted, abs=4 * error)
        assert draws.mean() < -1.688012 + 4 * error


def test_negative_elbo_of_a_linear_gaussian_model() -> None:
    """Expected over the exact posterior it is -log p(x): E[-log p(x|z)] and the KL by Gauss-Hermite quadrature."""
    precision = 1 + SLOPE**2 / NOISE**2
    mean, scale = X * SLOPE / NOISE**2 / precision, precision**-0.5
    points, weights = hermite.rule(50)
    z = mean + scale * points[:, 0]
    kl = 0.5 * (mean**2 + scale**2 - 1) - math.log(scale)
    value = bounds.negative_elbo(stats.norm.logpdf(X, SLOPE * z, NOISE), np.full((50, 1), kl))
    assert weights @ value == pytest.approx(-log_evidence(), rel=1e-12)


@given(inputs.negative_elbo())
def test_negative_elbo_by_exact_sums(case) -> None:
    got = bounds.negative_elbo(**case).ravel()
    layers = case["kl"].reshape(got.size, -1)
    for value, log_p, kl in zip(got, case["log_likelihood"].ravel(), layers, strict=True):
        assert value == pytest.approx(math.fsum([-log_p, *kl]), rel=1e-12, abs=1e-10)


@given(inputs.negative_elbo())
def test_negative_elbo_moves_with_each_layer(implementation, case) -> None:
    moved = {**case, "kl": case["kl"] + 1.0}
    one, two = (implementation.call("bounds.negative_elbo", **c) for c in (case, moved))
    np.testing.assert_allclose(two - one, case["kl"].shape[-1], rtol=1e-9)
    np.testing.assert_allclose(one + case["log_likelihood"], case["kl"].sum(-1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bounds.importance_weighted([np.nan]), "log_weights must not contain NaN"),
        (lambda: bounds.importance_weights([np.inf]), "log_weights must be finite"),
        (lambda: bounds.bits_per_dim(1.0, 0), "dims must be an integer >= 1, got 0"),
        (lambda: bounds.negative_elbo(1.0, 2.0), "kl must have a last axis of layers"),
        (lambda: bounds.negative_elbo([1.0, 2.0], np.zeros((3, 4))), "shapes must broadcast together"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

"""The bias of smoothing: Eq. 6 to 9, the worked example, orders, K samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import hermite, smoothing
from reference import ornstein_uhlenbeck as ou
from tests.conformance.first_principles import SAMPLES, assert_mean, gaussian_integral
from tests.conformance.functions import Sign, TanhNetwork, worked_mean, worked_tanh
from tests.conformance.inputs import smoothing as inputs

# The example of the specification: mu_p = sin(1.5 z) + 0.3 z^2, q(z2|z1) = N(0.4, 0.6^2), z1 = 0.7, sigma_p = 0.5.
MEAN_Q, SCALE_Q, Z1, SCALE_P = np.array([[0.4]]), np.array([[0.6]]), np.array([[0.7]]), 0.5
LINE = hermite.multi_indices(1, 60)
WORKED = hermite.coefficients(lambda e: worked_mean(0.4 + 0.6 * e)[..., 0], LINE, 200)
RHO = st.floats(0, 1)
SEEDS = st.integers(0, 10_000)


def affine(slope: float, offset: float):
    return lambda z: slope * z + offset


def test_cross_term_of_the_worked_example() -> None:
    got = smoothing.cross_term(worked_mean, SCALE_P, Z1, MEAN_Q, SCALE_Q, 100)
    assert float(got[0]) == pytest.approx(-1.16817976, abs=5e-9)

    def log_density(z: float) -> float:
        return -0.5 * ((0.7 - float(worked_mean(np.array(z)))) / 0.5) ** 2 - math.log(0.5) - 0.5 * math.log(2 * math.pi)

    assert float(got[0]) == pytest.approx(gaussian_integral(log_density, 0.4, 0.6), abs=1e-10)


def test_cross_term_by_sampling(rng) -> None:
    from scipy import stats

    z2 = 0.4 + 0.6 * rng.standard_normal(SAMPLES)
    draws = stats.norm.logpdf(0.7, worked_mean(z2), 0.5)
    assert_mean(draws, float(smoothing.cross_term(worked_mean, SCALE_P, Z1, MEAN_Q, SCALE_Q, 100)[0]))


@given(inputs.cross_term())
def test_cross_term_splits_into_quadratic_and_constant(implementation, case) -> None:
    whole = implementation.call("smoothing.cross_term", **case)
    quadratic = implementation.call("smoothing.quadratic_term", **case)
    constant = 2 * (np.log(case["scale_p"]) + 0.5 * math.log(2 * math.pi))
    np.testing.assert_allclose(-whole, quadratic + constant, rtol=1e-9, atol=1e-9)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-2, 2))
def test_quadratic_term_of_an_affine_mean(slope: float, offset: float, z1: float) -> None:
    """Var = slope^2 sigma_q^2, E = slope mean_q + offset."""
    got = smoothing.quadratic_term(affine(slope, offset), SCALE_P, [[z1]], MEAN_Q, SCALE_Q, 8)
    wanted = ((z1 - slope * 0.4 - offset) ** 2 + slope**2 * 0.36) / (2 * SCALE_P**2)
    assert float(got[0]) == pytest.approx(wanted, abs=1e-11)


def test_quadratic_term_matches_adaptive_quadrature() -> None:
    got = smoothing.quadratic_term(worked_mean, SCALE_P, Z1, MEAN_Q, SCALE_Q, 100)
    wanted = gaussian_integral(lambda z: (0.7 - float(worked_mean(np.array(z)))) ** 2 / 0.5, 0.4, 0.6)
    assert float(got[0]) == pytest.approx(wanted, abs=1e-10)


def test_moments_of_an_affine_mean() -> None:
    mean, variance = smoothing.moments(affine(-1.5, 0.2), MEAN_Q, SCALE_Q, 4)
    np.testing.assert_allclose([mean[0, 0], variance[0, 0]], [-1.5 * 0.4 + 0.2, 1.5**2 * 0.36], atol=1e-13)


def test_moments_match_adaptive_quadrature() -> None:
    mean, variance = (float(m[0, 0]) for m in smoothing.moments(worked_mean, MEAN_Q, SCALE_Q, 100))
    assert mean == pytest.approx(gaussian_integral(lambda z: worked_mean(np.array(z)), 0.4, 0.6), abs=1e-11)
    wanted = gaussian_integral(lambda z: (worked_mean(np.array(z)) - mean) ** 2, 0.4, 0.6)
    assert variance == pytest.approx(wanted, abs=1e-11)


def test_spectral_term_matches_moments() -> None:
    mean, variance = smoothing.moments(worked_mean, MEAN_Q, SCALE_Q, 200)
    wanted = float((mean**2 + variance)[0, 0]) / (2 * SCALE_P**2)
    assert float(smoothing.spectral_term(WORKED, LINE, SCALE_P)) == pytest.approx(wanted, abs=1e-8)


def test_coefficients_depend_on_the_posterior() -> None:
    other = hermite.coefficients(lambda e: worked_mean(1.1 + 0.6 * e)[..., 0], LINE, 200)
    assert np.abs(other - WORKED).max() > 0.1


@given(st.floats(-3, 3), st.floats(-3, 3), RHO)
def test_spectral_term_of_an_affine_mean(slope: float, offset: float, rho: float) -> None:
    """Coefficients (E mu, slope sigma_q): the linear one is scaled by rho^2."""
    found = np.array([slope * 0.4 + offset, slope * 0.6])
    got = smoothing.spectral_term(found, LINE[:2], SCALE_P, rho)
    assert float(got) == pytest.approx((found[0] ** 2 + rho**2 * found[1] ** 2) / (2 * SCALE_P**2), abs=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 1.0])
def test_smoothed_spectral_term_matches_quadrature(rho: float) -> None:
    """Square the smoothed function on the grid of the posterior."""
    points, weights = hermite.rule(100)
    smoothed = ou.affine_operator(worked_mean, 0.4 + 0.6 * points, [0.4], [0.6], rho, 100)[:, 0]
    wanted = weights @ smoothed**2 / (2 * SCALE_P**2)
    assert float(smoothing.spectral_term(WORKED, LINE, SCALE_P, rho)) == pytest.approx(wanted, abs=1e-8)


@pytest.mark.parametrize(("rho", "printed"), [(0.0, 0.886345), (0.5, 0.680553), (0.9, 0.187398), (1.0, 0.0)])
def test_bias_of_the_worked_example(rho: float, printed: float) -> None:
    assert float(smoothing.bias(WORKED, LINE, SCALE_P, rho)) == pytest.approx(printed, abs=1e-6)
    plain = smoothing.cross_term(worked_mean, SCALE_P, Z1, MEAN_Q, SCALE_Q, 100)

    def smoothed(z):
        flat = ou.affine_operator(worked_mean, z.reshape(-1, 1), [0.4], [0.6], rho, 100)
        return flat.reshape(z.shape)

    wanted = smoothing.cross_term(smoothed, SCALE_P, Z1, MEAN_Q, SCALE_Q, 100) - plain
    assert float(smoothing.bias(WORKED, LINE, SCALE_P, rho)) == pytest.approx(float(wanted[0]), abs=1e-8)


@given(st.floats(-3, 3), RHO)
def test_bias_of_an_affine_mean(slope: float, rho: float) -> None:
    got = smoothing.bias([0.7, slope * 0.6], LINE[:2], SCALE_P, rho)
    assert float(got) == pytest.approx((1 - rho**2) * slope**2 * 0.36 / (2 * SCALE_P**2), abs=1e-12)


@given(SEEDS, RHO)
def test_bias_lies_between_its_bounds(seed: int, rho: float) -> None:
    network = TanhNetwork.random(seed, 1)
    found = hermite.coefficients(lambda z: network(z)[..., 0], LINE, 200)
    lower, upper = smoothing.bias_bounds(found, LINE, SCALE_P, rho)
    assert lower - 1e-12 <= smoothing.bias(found, LINE, SCALE_P, rho) <= upper + 1e-12


@pytest.mark.parametrize(("rho", "wanted"), [(0.5, 0.6601), (0.9, 0.8364), (0.99, 0.9849), (0.999, 1.0101)])
def test_bias_order_of_the_worked_example(rho: float, wanted: float) -> None:
    """For tanh(2 z + 0.3) the lost variance over 1 - rho^2 rises to the Dirichlet energy, 1.0132."""
    indices = hermite.multi_indices(1, 100)
    found = hermite.coefficients(worked_tanh, indices, 200)
    lost = float(ou.variance_lost(found, indices, rho)) / (1 - rho**2)
    assert lost == pytest.approx(wanted, abs=2e-4)
    lower, upper = (
        float(b) * 2 * SCALE_P**2 / (1 - rho**2) for b in smoothing.bias_bounds(found, indices, SCALE_P, rho)
    )
    assert (lower, upper) == pytest.approx((0.6268, 1.0132), abs=1e-4)
    assert lower < lost < upper


def test_bias_of_a_step_is_not_of_the_stated_order() -> None:
    """Erratum: for sign(z) the lost variance is 1 - (2/pi) arcsin(rho^2), of order sqrt(1 - rho^2)."""
    ratios = []
    for rho, printed in ((0.9, 0.9152), (0.99, 0.9018), (0.999, 0.9005)):
        lost = 1 - 2 / math.pi * math.asin(rho**2)
        assert lost / math.sqrt(1 - rho**2) == pytest.approx(printed, abs=1e-4)
        ratios.append(lost / (1 - rho**2))
    assert ratios[2] > 2.5 * ratios[1] > 2.5 * 2.5 * ratios[0]
    indices = hermite.multi_indices(1, 150)
    series = float(ou.variance_lost([Sign().coefficient(k) for k in range(151)], indices, 0.5))
    assert series == pytest.approx(1 - 2 / math.pi * math.asin(0.25), abs=0.06)


@pytest.mark.parametrize("samples", [1, 5])
def test_sample_bias_by_sampling(rng, samples: int) -> None:
    """The objective with K correlated samples, drawn: its excess over the plain one is (1 - 1/K) of the bias."""
    rho, size = 0.5, SAMPLES // 2
    noise, fresh = rng.standard_normal((size, 1)), rng.standard_normal((samples, size, 1))
    averaged = worked_mean(ou.correlated_sample(0.4, 0.6, noise, fresh, rho)).mean(0)
    quadratic = (0.7 - averaged[:, 0]) ** 2 / (2 * SCALE_P**2)
    full = float(smoothing.quadratic_term(worked_mean, SCALE_P, Z1, MEAN_Q, SCALE_Q, 100)[0])
    expected = full - float(smoothing.sample_bias(smoothing.bias(WORKED, LINE, SCALE_P, rho), samples))
    assert_mean(quadratic, expected, planted=0.02)


@given(RHO, st.integers(1, 20))
def test_sample_bias_from_effective_strength(rho: float, samples: int) -> None:
    """For a linear mean the realised bias is (1 - kappa_1) of the linear variance: (rho, K) enter only so."""
    linear = [0.0, 0.9]
    realised = float(smoothing.sample_bias(smoothing.bias(linear, LINE[:2], SCALE_P, rho), samples))
    strength = float(ou.effective_strength(rho, samples))
    assert realised == pytest.approx((1 - strength) * 0.81 / (2 * SCALE_P**2), abs=1e-12)


@given(inputs.spectral_term())
def test_bias_is_the_spectral_difference(implementation, case) -> None:
    bias, smoothed = (implementation.call(f"smoothing.{n}", **case) for n in ("bias", "spectral_term"))
    plain = implementation.call("smoothing.spectral_term", **{**case, "rho": np.asarray(1.0)})
    np.testing.assert_allclose(bias + smoothed, plain, rtol=1e-9, atol=1e-9)
    assert (bias >= 0).all()


@given(inputs.sample_bias())
def test_one_sample_has_no_bias(implementation, case) -> None:
    np.testing.assert_array_equal(implementation.call("smoothing.sample_bias", **{**case, "samples": 1}), 0)

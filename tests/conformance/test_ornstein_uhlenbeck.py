"""The Ornstein-Uhlenbeck operator: closed forms, laws, correlated samples, Monte Carlo smoothing."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import hermite
from reference import ornstein_uhlenbeck as ou
from tests.conformance.first_principles import SAMPLES, assert_mean, at_50_digits, gaussian_integral
from tests.conformance.functions import (
    KINKED,
    SMOOTH,
    Exponential,
    NormalCdf,
    Polynomial,
    Sign,
    Square,
    TanhNetwork,
    worked_tanh,
)
from tests.conformance.inputs import ornstein_uhlenbeck as inputs

RHOS = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)
LINE = hermite.multi_indices(1, 30)
DEEP = hermite.multi_indices(1, 150)
POINTS, WEIGHTS = hermite.rule(200)
SEEDS = st.integers(0, 10_000)
RHO = st.floats(0, 1)
TANH = hermite.coefficients(worked_tanh, hermite.multi_indices(1, 100), 200)
TANH_INDICES = hermite.multi_indices(1, 100)


def norm(values: np.ndarray, p: float) -> float:
    """L^p norm under the standard Gaussian of values on the 200-node grid."""
    return float(WEIGHTS @ np.abs(values) ** p) ** (1 / p)


def test_correlated_noise_has_its_law(rng) -> None:
    z, fresh = rng.standard_normal((2, SAMPLES))
    other = ou.correlated_noise(z, fresh, 0.7)
    assert_mean(other**2, 1.0)
    assert_mean(z * other, 0.7, planted=0.02)
    assert_mean(other + 1, 1.0)
    # Exchangeable: the third mixed moments agree too.
    assert_mean(z**2 * other**2, 1 + 2 * 0.7**2, planted=0.03)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9, 1 - 2.0**-20, 1 - 2.0**-45, 1.0])
def test_correlated_noise_at_50_digits(rho: float) -> None:
    wanted = at_50_digits(lambda z, w, r: r * z + mpmath.sqrt(1 - r * r) * w, 1.25, -2.5, rho)
    assert float(ou.correlated_noise(1.25, -2.5, rho)) == pytest.approx(wanted, rel=4e-16)


@given(inputs.correlated_noise())
def test_correlated_noise_at_the_ends(implementation, case) -> None:
    one, zero = (
        implementation.call("ornstein_uhlenbeck.correlated_noise", **{**case, "rho": np.asarray(r)}) for r in (1.0, 0.0)
    )
    np.testing.assert_array_equal(one, case["noise"])
    np.testing.assert_array_equal(zero, case["fresh"])


@given(inputs.correlated_sample())
def test_correlated_sample_has_two_forms(case) -> None:
    mean, scale, noise, fresh = (case[n].ravel() for n in ("mean", "scale", "noise", "fresh"))
    for got, m, s, e, w in zip(ou.correlated_sample(**case).ravel(), mean, scale, noise, fresh, strict=True):
        wanted = at_50_digits(
            lambda m, s, e, w, r: r * (m + s * e) + (1 - r) * m + s * mpmath.sqrt(1 - r * r) * w,
            m,
            s,
            e,
            w,
            case["rho"],
        )
        assert got == pytest.approx(wanted, rel=1e-14, abs=1e-14 * (abs(m) + s * (abs(e) + abs(w))))


def test_correlated_sample_has_its_law(rng) -> None:
    noise, fresh = rng.standard_normal((2, SAMPLES))
    z, other = 2 + 0.5 * noise, ou.correlated_sample(2.0, 0.5, noise, fresh, 0.8)
    assert_mean(other, 2.0)
    assert_mean((other - 2) ** 2, 0.25)
    assert_mean((z - 2) * (other - 2), 0.8 * 0.25, planted=0.02)


@given(inputs.correlated_sample())
def test_correlated_sample_at_rho_one_is_the_sample(implementation, case) -> None:
    got = implementation.call("ornstein_uhlenbeck.correlated_sample", **{**case, "rho": np.asarray(1.0)})
    wanted = implementation.call("gaussian.reparameterise", **{n: case[n] for n in ("mean", "scale", "noise")})
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("f", SMOOTH, ids=lambda f: type(f).__name__)
def test_operator_matches_closed_forms(f, rho: float) -> None:
    z = np.linspace(-3, 3, 50)[:, None]
    np.testing.assert_allclose(ou.operator(f, z, rho, 120), f.smoothed(z[:, 0], rho), atol=1e-9)


@given(SEEDS, RHO)
def test_operator_scales_coefficients(seed: int, rho: float) -> None:
    f, indices = Polynomial.random(seed, 2, degree=5), hermite.multi_indices(2, 5)
    smoothed = hermite.coefficients(lambda z: ou.operator(f, z, rho, 8), indices, 12)
    plain = hermite.coefficients(f, indices, 12)
    np.testing.assert_allclose(smoothed, ou.on_coefficients(plain, indices, rho), atol=1e-9 * (1 + np.abs(plain).max()))


@pytest.mark.parametrize("rho", RHOS)
def test_smoothed_exponential_coefficients(rho: float) -> None:
    """U_rho exp(t z) is exp(t^2 (1 - rho^2)/2) exp(rho t z): another exponential, with known coefficients."""
    t = 0.8
    plain = [Exponential(t).coefficient(k) for k in range(31)]
    wanted = [math.exp(t**2 * (1 - rho**2) / 2) * Exponential(rho * t).coefficient(k) for k in range(31)]
    np.testing.assert_allclose(ou.on_coefficients(plain, LINE, rho), wanted, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_mehler_kernel_is_the_series(rho: float) -> None:
    x, y = np.meshgrid(np.linspace(-2, 2, 5), np.linspace(-2, 2, 5))
    terms = rho ** np.arange(201)[:, None, None] * hermite.basis(x, 200) * hermite.basis(y, 200)
    np.testing.assert_allclose(ou.mehler_kernel(x[..., None], y[..., None], rho), terms.sum(0), rtol=1e-9, atol=1e-14)


def test_mehler_kernel_composes() -> None:
    """Chapman-Kolmogorov, and total mass one."""
    x, y = np.array([[0.4]]), np.array([[-1.1]])
    left, right = ou.mehler_kernel(x, POINTS, 0.7), ou.mehler_kernel(POINTS, y, 0.6)
    assert WEIGHTS @ (left * right) == pytest.approx(float(ou.mehler_kernel(x, y, 0.42)[0]), abs=1e-10)
    assert WEIGHTS @ left == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_operator_is_the_kernel_integral(rho: float) -> None:
    z = np.array([[-1.0], [0.3], [2.0]])
    integral = [WEIGHTS @ (ou.mehler_kernel(point, POINTS, rho) * worked_tanh(POINTS)) for point in z]
    np.testing.assert_allclose(ou.operator(worked_tanh, z, rho, 200), integral, atol=1e-6)


@given(SEEDS, RHO, RHO)
def test_operators_form_a_semigroup(seed: int, a: float, b: float) -> None:
    f, z = Polynomial.random(seed, 1, degree=8), np.linspace(-2, 2, 5)[:, None]
    twice = ou.operator(lambda y: ou.operator(f, y.reshape(-1, 1), b, 10).reshape(y.shape[:-1]), z, a, 10)
    np.testing.assert_allclose(twice, ou.operator(f, z, a * b, 10), atol=1e-9 * (1 + np.abs(f(z)).max()))


@given(SEEDS, RHO)
def test_operator_is_self_adjoint(seed: int, rho: float) -> None:
    f, g = Polynomial.random(seed, 1, degree=8), Polynomial.random(seed + 1, 1, degree=8)
    one = hermite.inner_product(f, lambda z: ou.operator(g, z, rho, 12), 12)
    two = hermite.inner_product(lambda z: ou.operator(f, z, rho, 12), g, 12)
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-8)


def test_generator_is_the_derivative_of_the_semigroup() -> None:
    t = 1e-6
    slope = (ou.on_coefficients(TANH[:30], LINE[:30], math.exp(-t)) - TANH[:30]) / t
    np.testing.assert_allclose(slope, ou.generator(TANH[:30], LINE[:30]), atol=1e-3)


def test_generator_is_laplacian_minus_drift() -> None:
    """For f = z^3 + 2 z: f'' - z f' = 6 z - 3 z^3 - 2 z."""
    indices = hermite.multi_indices(1, 3)
    plain = hermite.coefficients(lambda z: z[..., 0] ** 3 + 2 * z[..., 0], indices, 8)
    wanted = hermite.coefficients(lambda z: 4 * z[..., 0] - 3 * z[..., 0] ** 3, indices, 8)
    np.testing.assert_allclose(ou.generator(plain, indices), wanted, atol=1e-12)


@given(SEEDS, RHO)
def test_smoothing_keeps_the_mean(seed: int, rho: float) -> None:
    f = Polynomial.random(seed, 2, degree=6)
    points, weights = hermite.rule(10, 2)
    mean, scale = np.random.default_rng(seed).uniform(0.5, 1.5, size=(2, 2))
    wanted = weights @ f(mean + scale * points)
    got = weights @ ou.affine_operator(f, mean + scale * points, mean, scale, rho, 10)
    assert got == pytest.approx(wanted, abs=1e-10 * (1 + np.abs(f(mean + 5 * scale * points)).max()))


def test_smoothing_interpolates() -> None:
    f, mean = Polynomial(((3,), (1,), (0,)), (1.0, -2.0, 0.5)), 0.5
    z = POINTS[60:140]
    np.testing.assert_allclose(ou.operator(f, z, 1.0, 10), f(z), atol=1e-12)
    np.testing.assert_allclose(ou.operator(f, z, 0.0, 10), mean, atol=1e-12)
    distance = [
        norm(ou.operator(worked_tanh, POINTS, rho, 80) - worked_tanh(POINTS), 2) for rho in (0.5, 0.9, 1 - 1e-6)
    ]
    assert distance[0] > distance[1] > distance[2]
    assert distance[2] < 1e-3
    # Mean square, not pointwise: at its jump the smoothed step stays at the mean of both sides.
    assert float(Sign().smoothed(np.array([0.0]), 0.999)[0]) == 0


def test_interpolation_distances_from_coefficients() -> None:
    degree = hermite.total_degree(TANH_INDICES)
    last = (np.inf, -np.inf)
    for rho in np.linspace(0, 0.99, 12):
        smoothed = ou.operator(worked_tanh, POINTS, rho, 200)
        away, spread = norm(smoothed - worked_tanh(POINTS), 2), norm(smoothed - WEIGHTS @ smoothed, 2)
        assert away**2 == pytest.approx(np.sum((1 - rho**degree) ** 2 * TANH**2), abs=1e-5)
        assert spread**2 <= rho**2 * float(hermite.variance(TANH, TANH_INDICES)) + 1e-6
        assert away <= last[0] + 1e-9
        assert spread >= last[1] - 1e-9
        last = (away, spread)


@given(SEEDS, RHO, st.sampled_from([1.0, 2.0, 4.0]))
def test_smoothing_contracts_norms(seed: int, rho: float, p: float) -> None:
    network = TanhNetwork.random(seed, 1)
    plain, smoothed = network(POINTS)[:, 0], ou.operator(network, POINTS, rho, 100)[:, 0]
    assert norm(smoothed, p) <= norm(plain, p) + 1e-4
    assert plain.min() - 1e-9 <= smoothed.min()
    assert smoothed.max() <= plain.max() + 1e-9
    np.testing.assert_allclose(ou.operator(lambda z: np.ones(z.shape[:-1]), POINTS[:3], rho, 20), 1, atol=1e-13)


@given(SEEDS, RHO)
def test_variance_decay_matches_quadrature(seed: int, rho: float) -> None:
    f, indices = Polynomial.random(seed, 1, degree=8), hermite.multi_indices(1, 8)
    found = hermite.coefficients(f, indices, 20)
    points, weights = hermite.rule(20)
    smoothed = ou.operator(f, points, rho, 12)
    wanted = weights @ (smoothed - weights @ smoothed) ** 2
    full = float(hermite.variance(found, indices))
    assert float(ou.variance(found, indices, rho)) == pytest.approx(wanted, rel=1e-9, abs=1e-9 * (1 + full))
    assert ou.variance(found, indices, rho) <= rho**2 * full * (1 + 1e-12)


def test_variance_of_the_worked_example() -> None:
    """tanh(2 z + 0.3): Var 0.626801, smoothed at rho = 0.8 0.354337, bound 0.401152; averages over K at rho = 0.9."""
    found = hermite.coefficients(worked_tanh, hermite.multi_indices(1, 100), 200)
    full = float(hermite.variance(found, TANH_INDICES))
    assert full == pytest.approx(0.626801, abs=2e-6)
    assert float(ou.variance(found, TANH_INDICES, 0.8)) == pytest.approx(0.354337, abs=1e-6)
    assert 0.64 * full == pytest.approx(0.401152, abs=2e-6)
    for samples, wanted in ((1, 0.6268), (2, 0.5473), (5, 0.4997), (10, 0.4838)):
        assert float(ou.monte_carlo_variance(found, TANH_INDICES, 0.9, samples)) == pytest.approx(wanted, abs=6e-5)


def test_printed_middle_member_of_variance_decay_is_false() -> None:
    """Without the operator the middle member is Var f: it differs from both ends for rho < 1."""
    printed = WEIGHTS @ (worked_tanh(POINTS) - TANH[0]) ** 2
    assert printed == pytest.approx(0.626801, abs=1e-6)
    assert abs(printed - float(ou.variance(TANH, TANH_INDICES, 0.8))) > 0.25


def test_smoothed_exponential_variance() -> None:
    t, rho = 0.8, 0.6
    plain = [Exponential(t).coefficient(k) for k in range(31)]
    wanted = math.exp(t**2) * math.expm1(rho**2 * t**2)
    assert float(ou.variance(plain, LINE, rho)) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.8])
def test_noise_stability_of_sign_is_sheppards(rho: float) -> None:
    plain = [Sign().coefficient(int(k)) for k in DEEP[:, 0]]
    assert float(ou.covariance(plain, DEEP, rho)) == pytest.approx(2 / math.pi * math.asin(rho), abs=1e-9)


def test_noise_stability_by_correlated_samples(rng) -> None:
    z, fresh = rng.standard_normal((2, SAMPLES, 1))
    other = ou.correlated_noise(z, fresh, 0.9)
    product = (worked_tanh(z) - TANH[0]) * (worked_tanh(other) - TANH[0])
    assert_mean(product, float(ou.covariance(TANH, TANH_INDICES, 0.9)))


@given(SEEDS)
def test_dirichlet_energy_is_the_mean_squared_gradient(seed: int) -> None:
    f, indices = Polynomial.random(seed, 2, degree=5), hermite.multi_indices(2, 5)
    found = hermite.coefficients(f, indices, 12)
    points, weights = hermite.rule(12, 2)
    h = 1e-5 * np.eye(2)
    slopes = [(f(points + h[i]) - f(points - h[i])) / 2e-5 for i in range(2)]
    energy = float(ou.dirichlet_energy(found, indices))
    assert energy == pytest.approx(weights @ (slopes[0] ** 2 + slopes[1] ** 2), rel=1e-5, abs=1e-8)
    assert energy >= float(hermite.variance(found, indices)) * (1 - 1e-12)


def test_dirichlet_energy_of_the_worked_example() -> None:
    assert float(ou.dirichlet_energy(TANH, TANH_INDICES)) == pytest.approx(1.01318, abs=5e-5)


def test_gradient_commutes_up_to_rho() -> None:
    rho, h, z = 0.7, 1e-5, np.linspace(-2, 2, 9)[:, None]
    network = TanhNetwork.random(3, 1)
    slope = (ou.operator(network, z + h, rho, 100) - ou.operator(network, z - h, rho, 100)) / (2 * h)
    inner = ou.operator(lambda y: (network(y + h) - network(y - h)) / (2 * h), z, rho, 100)
    np.testing.assert_allclose(slope, rho * inner, atol=1e-7)


@pytest.mark.parametrize(("p", "q"), [(2.0, 4.0), (1.5, 3.0)])
def test_hypercontractivity_is_sharp_for_exponentials(p: float, q: float) -> None:
    t, rho = 0.7, math.sqrt((p - 1) / (q - 1))
    assert float(ou.hypercontractive_exponent(p, rho)) == pytest.approx(q, rel=1e-14)

    def ratio(r: float) -> float:
        return math.exp(t**2 * (1 - r**2) / 2 + q * r**2 * t**2 / 2 - p * t**2 / 2)

    assert ratio(rho) == pytest.approx(1, rel=1e-12)
    assert ratio(rho * 1.01) > 1 > ratio(rho * 0.99)


@given(SEEDS, st.floats(0.1, 1), st.sampled_from([1.5, 2.0, 3.0]))
def test_hypercontractivity_of_polynomials(seed: int, rho: float, p: float) -> None:
    f, q = Polynomial.random(seed, 1, degree=3), float(ou.hypercontractive_exponent(p, rho))
    plain = f(POINTS)
    if q <= 8:
        assert norm(ou.operator(f, POINTS, rho, 10), q) <= norm(plain, p) * (1 + 1e-3) + 1e-12


@pytest.mark.parametrize("rho", [0.0, 0.6, 1.0])
def test_affine_operator_of_polynomials(rho: float) -> None:
    """For z^2 under N(m, s^2): m^2 + 2 m s rho e + s^2 (rho^2 e^2 + 1 - rho^2), e = (z - m)/s."""
    mean, scale, z = 0.7, 0.4, np.linspace(-1, 2, 7)
    e = (z - mean) / scale
    wanted = mean**2 + 2 * mean * scale * rho * e + scale**2 * Square().smoothed(e, rho)
    got = ou.affine_operator(lambda y: y[..., 0] ** 2, z[:, None], [mean], [scale], rho, 8)
    np.testing.assert_allclose(got, wanted, atol=1e-13)


def test_affine_operator_keeps_points_next_to_zero(implementation) -> None:
    """Of y at z = 0 it is (1 - rho) mean: nothing of the mean's rounding may stay in it."""
    rho, arguments = 1 - 2.0**-20, {"z": np.zeros((1, 1)), "mean": np.array([2.3]), "scale": np.array([0.7])}
    arguments |= {"f": lambda y: y[..., 0], "rho": rho, "nodes": 9}
    for found in (
        ou.affine_operator(**arguments),
        implementation.call("ornstein_uhlenbeck.affine_operator", **arguments),
    ):
        assert found == pytest.approx([2.0**-20 * 2.3], rel=1e-12, abs=0)


def test_affine_operator_by_correlated_samples(rng) -> None:
    mean, scale, noise = 1.0, 0.5, 0.4
    draws = ou.correlated_sample(mean, scale, noise, rng.standard_normal(SAMPLES), 0.8)
    wanted = ou.affine_operator(worked_tanh, [[mean + scale * noise]], [mean], [scale], 0.8, 200)
    assert_mean(worked_tanh(draws[:, None]), float(wanted[0]))


@pytest.mark.parametrize("samples", [1, 5, 10])
def test_monte_carlo_is_unbiased(rng, samples: int) -> None:
    z = np.full((SAMPLES // 4, 1), 0.8)
    draws = ou.monte_carlo(NormalCdf(), z, rng.standard_normal((samples, *z.shape)), 0.7)
    assert_mean(draws, float(NormalCdf().smoothed(np.array(0.8), 0.7)))


@given(inputs.monte_carlo())
def test_monte_carlo_is_the_mean_of_values(case) -> None:
    f, noise, fresh, rho = (case[n] for n in ("f", "noise", "fresh", "rho"))
    values = [f(rho * noise + np.sqrt((1 - rho) * (1 + rho)) * w) for w in fresh]
    np.testing.assert_allclose(ou.monte_carlo(**case), sum(values) / len(values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_monte_carlo_error_and_variance(rng, samples: int) -> None:
    z = rng.standard_normal((SAMPLES // 2, 1))
    draws = ou.monte_carlo(worked_tanh, z, rng.standard_normal((samples, *z.shape)), 0.9)
    grid = np.linspace(-6, 6, 2001)[:, None]
    smoothed = np.interp(z[:, 0], grid[:, 0], ou.operator(worked_tanh, grid, 0.9, 100))
    assert_mean((draws - smoothed) ** 2, float(ou.monte_carlo_error(TANH, TANH_INDICES, 0.9, samples)), planted=0.03)
    assert_mean((draws - TANH[0]) ** 2, float(ou.monte_carlo_variance(TANH, TANH_INDICES, 0.9, samples)))


def test_monte_carlo_error_matches_quadrature() -> None:
    smoothed = ou.operator(worked_tanh, POINTS, 0.8, 200)
    squares = ou.operator(lambda z: worked_tanh(z) ** 2, POINTS, 0.8, 200)
    for samples in (1, 5):
        wanted = WEIGHTS @ (squares - smoothed**2) / samples
        assert float(ou.monte_carlo_error(TANH, TANH_INDICES, 0.8, samples)) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("rho", "samples"), [(0.9, 1), (0.9, 5), (0.5, 2)])
def test_effective_strength_of_a_linear_function(rng, rho: float, samples: int) -> None:
    z = rng.standard_normal((SAMPLES, 1))
    draws = ou.monte_carlo(lambda y: y[..., 0], z, rng.standard_normal((samples, SAMPLES, 1)), rho)
    assert_mean(draws**2, float(ou.effective_strength(rho, samples)))


@given(RHO, st.integers(1, 50), st.integers(0, 6))
def test_effective_strength_at_the_ends(rho: float, samples: int, degree: int) -> None:
    strength = float(ou.effective_strength(rho, samples, degree))
    assert 1 / samples - 1e-15 <= strength <= 1
    assert float(ou.effective_strength(rho, 1, degree)) == pytest.approx(1)
    assert float(ou.effective_strength(1.0, samples, degree)) == 1
    assert float(ou.effective_strength(0.0, samples, degree)) == (1 if degree == 0 else 1 / samples)


@pytest.mark.parametrize("rho", [0.0, 0.5, 1 - 1e-12, 1.0])
def test_variance_lost_at_50_digits(rho: float) -> None:
    found, indices = [0.5, 1.5, -2.0, 0.25], hermite.multi_indices(1, 3)

    def lost(r):
        return sum((1 - r ** (2 * d)) * mpmath.mpf(c) ** 2 for d, c in enumerate(found) if d)

    assert float(ou.variance_lost(found, indices, rho)) == pytest.approx(at_50_digits(lost, rho), rel=1e-13)


@given(inputs.variance())
def test_variance_lost_is_the_difference(implementation, case) -> None:
    lost, kept = (implementation.call(f"ornstein_uhlenbeck.{n}", **case) for n in ("variance_lost", "variance"))
    arguments = {n: case[n] for n in ("coefficients", "indices")}
    full = implementation.call("hermite.variance", **arguments)
    np.testing.assert_allclose(lost + kept, full, rtol=1e-12, atol=1e-12)
    assert (lost >= 0).all()
    energy = implementation.call("ornstein_uhlenbeck.dirichlet_energy", **arguments)
    assert (lost <= (1 - case["rho"]) * (1 + case["rho"]) * energy * (1 + 1e-9) + 1e-12).all()


@given(inputs.variance())
def test_covariance_lies_between_the_variances(implementation, case) -> None:
    """rho^(2d) <= rho^d <= 1: a power of |alpha|, not of 2|alpha|."""
    covariance, variance = (implementation.call(f"ornstein_uhlenbeck.{n}", **case) for n in ("covariance", "variance"))
    twice = implementation.call("ornstein_uhlenbeck.covariance", **{**case, "rho": case["rho"] ** 2})
    np.testing.assert_allclose(twice, variance, rtol=1e-9, atol=1e-9)
    assert (covariance >= variance * (1 - 1e-9) - 1e-12).all()


@given(inputs.monte_carlo())
def test_monte_carlo_at_rho_one_is_the_function(implementation, case) -> None:
    got = implementation.call("ornstein_uhlenbeck.monte_carlo", **{**case, "rho": np.asarray(1.0)})
    np.testing.assert_allclose(got, case["f"](case["noise"]), rtol=1e-9, atol=1e-9)


@given(inputs.mehler_kernel())
def test_mehler_kernel_is_symmetric_and_positive(implementation, case) -> None:
    one = implementation.call("ornstein_uhlenbeck.mehler_kernel", **case)
    two = implementation.call("ornstein_uhlenbeck.mehler_kernel", **{**case, "x": case["y"], "y": case["x"]})
    np.testing.assert_allclose(one, two, rtol=1e-9)
    assert (one > 0).all()


@pytest.mark.parametrize("f", KINKED, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize(("rho", "z"), [(0.5, 0.7), (0.9, -0.3)])
def test_closed_forms_of_kinked_functions(f, rho: float, z: float) -> None:
    """The kinked rows of the table of closed forms, against split quadrature of the definition."""
    spread = math.sqrt(1 - rho**2)
    kink = -rho * z / spread
    wanted = gaussian_integral(lambda w: float(f(np.array([rho * z + spread * w]))), kinks=(kink,))
    assert float(f.smoothed(np.array(z), rho)) == pytest.approx(wanted, abs=1e-9)

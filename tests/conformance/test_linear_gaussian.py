"""The linear-Gaussian model of collapse: objective, profile over the valley, saddle, escape, excess over log p(x)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import optimize

from reference import gaussian, hermite, linear_gaussian
from reference import ornstein_uhlenbeck as ou
from tests.conformance.first_principles import SAMPLES, assert_mean
from tests.conformance.inputs import linear_gaussian as inputs

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
POINT = {"slope_q": 0.6, "slope_p": 0.9, "scale_q": 0.7, "scale_p": 0.5, "variance": 1.3}
NAMES = ("slope_q", "slope_p", "scale_q", "scale_p")


def minimum(function, start) -> float:
    """Least value that BFGS finds."""
    found = optimize.minimize(function, start, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000})
    return float(found.fun)


@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0])
def test_objective_matches_quadrature(strength: float) -> None:
    """Minus the expected log conditional, with the noise of q damped, plus the KL of q from the top prior."""
    a, w, t, s, v = (POINT[name] for name in (*NAMES, "variance"))
    points, weights = hermite.rule(3, 2)
    z1 = math.sqrt(v) * points[:, 0]
    mean = w * (a * z1 + math.sqrt(strength) * t * points[:, 1])
    expected = weights @ gaussian.log_density(z1[:, None], mean[:, None], s)
    divergence = weights @ gaussian.kl_standard(a * z1[:, None], [t])
    wanted = -expected - HALF_LOG_TWO_PI + divergence
    assert float(linear_gaussian.objective(**POINT, strength=strength)) == pytest.approx(wanted, abs=1e-13)


def test_objective_by_sampling(rng) -> None:
    """K correlated samples of z2 in the conditional: the strength is that of (rho, K)."""
    rho, samples, size = 0.6, 3, SAMPLES
    a, w, t, s, v = (POINT[name] for name in (*NAMES, "variance"))
    z1, noise, fresh = (rng.standard_normal(shape) for shape in (size, size, (samples, size)))
    z1 *= math.sqrt(v)
    mean = w * ou.correlated_sample(a * z1, t, noise, fresh, rho).mean(0)
    draws = -gaussian.log_density(z1[:, None], mean[:, None], s) - HALF_LOG_TWO_PI
    draws += gaussian.kl_standard(a * z1[:, None], np.array([t]))
    strength = ou.effective_strength(rho, samples)
    assert_mean(draws, float(linear_gaussian.objective(**POINT, strength=strength)), planted=0.02)


def test_top_kl_matches_quadrature() -> None:
    points, weights = hermite.rule(2)
    wanted = weights @ gaussian.kl_standard(0.6 * math.sqrt(1.3) * points, [0.7])
    assert float(linear_gaussian.top_kl(0.6, 0.7, 1.3)) == pytest.approx(wanted, abs=1e-14)


def test_top_kl_at_and_near_collapse() -> None:
    assert float(linear_gaussian.top_kl(0.0, 1.0, 2.0)) == 0
    assert float(linear_gaussian.top_kl(0.0, 1 + 2.0**-30, 2.0)) == pytest.approx(2.0**-60, rel=1e-6)


@pytest.mark.parametrize("variance", [0.1, 1.0, 7.0])
def test_collapsed_objective_is_the_entropy_of_the_layer_below(variance: float) -> None:
    wanted = float(gaussian.entropy([math.sqrt(variance)])) - HALF_LOG_TWO_PI
    assert float(linear_gaussian.collapsed_objective(variance)) == pytest.approx(wanted, abs=1e-14)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_collapsed_objective_is_the_objective_at_collapse(strength: float) -> None:
    got = linear_gaussian.objective(0, 0, 1, math.sqrt(1.7), 1.7, strength)
    assert float(got) == pytest.approx(float(linear_gaussian.collapsed_objective(1.7)), abs=1e-14)


@pytest.mark.parametrize("strength", [0.2, 0.81, 1.0])
@pytest.mark.parametrize("ratio", [0.05, 1.0, 6.0])
def test_profile_matches_direct_minimisation(ratio: float, strength: float) -> None:
    variance = 1.7

    def at(theta) -> float:
        slope_q = math.exp(theta[0])
        scale_q, scale_p = slope_q * math.sqrt(ratio * variance), math.exp(theta[2])
        return float(linear_gaussian.objective(slope_q, theta[1], scale_q, scale_p, variance, strength))

    gain, divergence = linear_gaussian.profile(ratio, strength)
    wanted = minimum(at, [-1.0, 0.5, 0.0]) - float(linear_gaussian.collapsed_objective(variance))
    assert float(gain) == pytest.approx(wanted, abs=1e-10)
    # The scale at the minimum: a^2 v = 1/(1 + u), t^2 = u/(1 + u).
    slope_q, scale_q = math.sqrt(1 / ((1 + ratio) * variance)), math.sqrt(ratio / (1 + ratio))
    assert float(divergence) == pytest.approx(float(linear_gaussian.top_kl(slope_q, scale_q, variance)), abs=1e-14)


def test_profile_limits() -> None:
    """Without smoothing a flat valley; with it at most -log(strength)/2 nats, gained at zero noise."""
    np.testing.assert_array_equal(linear_gaussian.profile([1e-3, 1.0, 1e3], 1.0)[0], 0)
    assert float(linear_gaussian.profile(1e-12, 0.81)[0]) == pytest.approx(0.5 * math.log(0.81), abs=1e-11)
    gain, divergence = linear_gaussian.profile(1e20, 0.5)
    # The printed quotient is exactly 1 here.
    assert float(gain) == pytest.approx(-0.5e-20, rel=1e-12)
    assert float(divergence) == pytest.approx(0.5e-20, rel=1e-12)
    assert (np.diff(linear_gaussian.profile(np.geomspace(1e-3, 1e3, 50), 0.7)[0]) > 0).all()


def test_profile_of_a_small_strength_keeps_its_digits(implementation) -> None:
    ratio, strength = np.array([0.25, 1.0, 8.0]), 2.0 ** np.array([-40.0, -20.0, -14.0])
    wanted = 0.5 * np.log(strength * (1 + ratio) / (1 + strength * ratio))
    np.testing.assert_allclose(linear_gaussian.profile(ratio, strength)[0], wanted, rtol=1e-15)
    found = implementation.call("linear_gaussian.profile", "float32", ratio=ratio, strength=strength)[0]
    np.testing.assert_allclose(found, wanted, rtol=2e-7)


def test_hessian_matches_autograd() -> None:
    """Of the objective written once more, in torch."""
    variance, strength = 1.7, 0.81

    def written(theta: torch.Tensor) -> torch.Tensor:
        w, a = theta
        quadratic = variance * (1 - w * a) ** 2 + strength * w**2
        return quadratic / (2 * variance) + 0.5 * a**2 * variance

    wanted = torch.autograd.functional.hessian(written, torch.zeros(2, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(linear_gaussian.hessian_at_collapse(variance, strength), wanted, rtol=1e-14)


def test_hessian_matches_finite_differences() -> None:
    h, variance, strength = 1e-4, 1.7, 0.81

    def at(w: float, a: float) -> float:
        return float(linear_gaussian.objective(a, w, 1.0, math.sqrt(variance), variance, strength))

    found = linear_gaussian.hessian_at_collapse(variance, strength)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        e, d = h * np.eye(2)[i], h * np.eye(2)[j]
        second = (at(*(e + d)) - at(*(e - d)) - at(*(d - e)) + at(*(-e - d))) / (4 * h**2)
        assert second == pytest.approx(found[i, j], abs=1e-6)


def test_hessian_of_the_worked_example() -> None:
    eigenvalues = np.linalg.eigvalsh(linear_gaussian.hessian_at_collapse(1.0, 0.9))
    assert float(eigenvalues[0]) == pytest.approx(-0.051249, abs=1e-6)


@pytest.mark.parametrize("floor", [0.05, 0.9])
def test_descend_is_gradient_descent(floor: float) -> None:
    """Against autograd on the objective written once more, in torch, with t and s in their logarithms."""
    strength, variance, rate, start = 0.5, 1.3, 0.1, 0.4
    theta = torch.tensor([start, start, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    for _ in range(60):
        a, w, log_t, log_s2 = theta
        quadratic = variance * (1 - w * a) ** 2 + strength * w**2 * (2 * log_t).exp()
        loss = 0.5 * log_s2 + quadratic / (2 * log_s2.exp()) + 0.5 * (a**2 * variance + (2 * log_t).exp()) - log_t
        (gradient,) = torch.autograd.grad(loss, theta)
        theta = (theta - rate * gradient).detach()
        theta[2].clamp_(min=math.log(floor))
        theta[3].clamp_(min=2 * math.log(floor))
        theta.requires_grad_()
    a, w, log_t, log_s2 = theta.tolist()
    got = linear_gaussian.descend([strength], 60, rate, start, floor, variance)
    wanted = [a, w, math.exp(log_t), math.exp(log_s2 / 2)]
    np.testing.assert_allclose(np.concatenate(got), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("samples", "steps", "onset"),
    [(None, 300, 0.76), (None, 1000, 0.93), (None, 3000, 0.975), (5, 300, 0.69), (5, 1000, 0.91), (5, 3000, 0.97)],
)
def test_descend_escapes_at_the_stated_correlation(samples: int | None, steps: int, onset: float) -> None:
    """The apparent critical rho of a fixed number of steps: the largest of the grid with a top KL above 0.1."""
    rho = np.arange(100, 201) / 200
    strength = rho**2 if samples is None else ou.effective_strength(rho, samples)
    slope_q, _, scale_q, _ = linear_gaussian.descend(strength, steps)
    escaped = linear_gaussian.top_kl(slope_q, scale_q, 1.0) > 0.1
    assert rho[escaped].max() == pytest.approx(onset)
    assert not escaped[rho > onset].any()


def test_descend_never_escapes_with_one_sample() -> None:
    slope_q, _, scale_q, _ = linear_gaussian.descend(ou.effective_strength([0.0, 0.5, 0.9], 1), 2000)
    assert (linear_gaussian.top_kl(slope_q, scale_q, 1.0) < 1e-3).all()


def test_descend_reaches_the_profile_at_the_floor() -> None:
    """Left to run, the noise of the posterior shrinks to its floor; there the profile says the rest."""
    a, w, t, s = (float(p) for p in linear_gaussian.descend(0.5, 20_000))
    ratio = (t / a) ** 2
    gain, divergence = linear_gaussian.profile(ratio, 0.5)
    found = linear_gaussian.objective(a, w, t, s, 1.0, 0.5) - linear_gaussian.collapsed_objective(1.0)
    assert float(gain) - 1e-12 <= float(found) < 0
    assert float(linear_gaussian.top_kl(a, t, 1.0)) == pytest.approx(float(divergence), rel=0.1)


# x | z1 ~ N(z1, 0.4^2), z1 | z2 ~ N(0.9 z2, 0.5^2), z2 ~ N(0, 1), x = 0.7.
X, NOISE, SLOPE, SCALE = 0.7, 0.4, 0.9, 0.5


def smoothed_elbo(theta, strength: float) -> float:
    """The objective of q(z1|x) = N(m, d^2), q(z2|z1) = N(a z1 + b, t^2), by its moments."""
    m, a, b = theta[:3]
    d, t = math.exp(theta[3]), math.exp(theta[4])
    likelihood = float(gaussian.log_density([X], [m], [NOISE])) - d**2 / (2 * NOISE**2)
    mean, slope = m - SLOPE * (a * m + b), 1 - SLOPE * a
    conditional = -(mean**2 + slope**2 * d**2 + strength * SLOPE**2 * t**2) / (2 * SCALE**2) - math.log(SCALE)
    prior = -((a * m + b) ** 2 + a**2 * d**2 + t**2) / 2
    return likelihood + conditional + prior - 2 * HALF_LOG_TWO_PI + float(gaussian.entropy([d, t]))


def best_posterior(strength: float):
    found = optimize.minimize(
        lambda theta: -smoothed_elbo(theta, strength), np.zeros(5), method="BFGS", options={"gtol": 1e-9}
    )
    return found.x


LOG_EVIDENCE = float(gaussian.log_density([X], [0.0], [math.sqrt(NOISE**2 + SCALE**2 + SLOPE**2)]))


@pytest.mark.parametrize(
    ("strength", "printed", "elbo"),
    [(1.0, -1.219184, -1.219184), (0.81, -1.140746, -1.225671), (0.5, -0.978489, -1.287649)],
)
def test_smoothed_excess_of_the_worked_example(strength: float, printed: float, elbo: float) -> None:
    got = LOG_EVIDENCE + float(linear_gaussian.smoothed_excess(SLOPE, SCALE, strength))
    assert got == pytest.approx(printed, abs=1e-6)
    assert smoothed_elbo(best_posterior(strength), 1.0) == pytest.approx(elbo, abs=2e-6)


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.81, 1.0])
def test_smoothed_excess_matches_direct_maximisation(strength: float) -> None:
    wanted = smoothed_elbo(best_posterior(strength), strength) - LOG_EVIDENCE
    assert float(linear_gaussian.smoothed_excess(SLOPE, SCALE, strength)) == pytest.approx(wanted, abs=1e-10)


def test_printed_excess_loses_its_digits() -> None:
    """Why the reference uses log1p: the quotient of sums rounds to 1 for a weak conditional."""
    wanted = 0.5 * 0.5 * 1e-18
    assert math.log((1 + 1e-18) / (1 + 0.5e-18)) == 0
    assert float(linear_gaussian.smoothed_excess(1e-9, 1.0, 0.5)) == pytest.approx(wanted, rel=1e-12)


@given(inputs.objective())
def test_objective_grows_with_the_strength(implementation, case) -> None:
    got = implementation.call("linear_gaussian.objective", **case)
    weak = implementation.call("linear_gaussian.objective", **{**case, "strength": 0.5 * case["strength"]})
    slope = 0.25 * case["strength"] * (case["slope_p"] * case["scale_q"] / case["scale_p"]) ** 2
    np.testing.assert_allclose(got - weak, slope, rtol=1e-9, atol=1e-9 * (1 + np.abs(got).max()))


@given(inputs.objective())
def test_objective_is_bounded_by_the_profile(implementation, case) -> None:
    """No point lies more than -log(strength)/2 below collapse."""
    case = {**case, "strength": np.maximum(case["strength"], 0.0625)}
    got = implementation.call("linear_gaussian.objective", **case)
    collapsed = implementation.call("linear_gaussian.collapsed_objective", variance=case["variance"])
    assert (got - collapsed >= 0.5 * np.log(case["strength"]) - 1e-9 * (1 + np.abs(got))).all()


@given(inputs.top_kl())
def test_top_kl_is_non_negative(implementation, case) -> None:
    assert (implementation.call("linear_gaussian.top_kl", **case) >= 0).all()


@given(inputs.top_kl())
def test_top_kl_vanishes_at_collapse(implementation, case) -> None:
    zero, one = np.zeros_like(case["slope_q"]), np.ones_like(case["scale_q"])
    collapsed = {"slope_q": zero, "scale_q": one, "variance": case["variance"]}
    np.testing.assert_array_equal(implementation.call("linear_gaussian.top_kl", **collapsed), 0)


@given(inputs.collapsed_objective())
def test_collapsed_objective_follows_the_units(implementation, case) -> None:
    one, four = (
        implementation.call("linear_gaussian.collapsed_objective", variance=c * case["variance"]) for c in (1, 4)
    )
    np.testing.assert_allclose(four - one, math.log(2), atol=1e-12)


@given(inputs.profile())
def test_profile_lies_between_collapse_and_its_infimum(implementation, case) -> None:
    gain, divergence = implementation.call("linear_gaussian.profile", **case)
    assert (gain <= 0).all()
    assert (gain >= 0.5 * np.log(case["strength"]) - 1e-12).all()
    assert (divergence > 0).all()


@given(inputs.hessian_at_collapse())
def test_collapse_is_a_saddle_exactly_below_strength_one(implementation, case) -> None:
    found = implementation.call("linear_gaussian.hessian_at_collapse", **case)
    np.testing.assert_allclose(np.linalg.det(found), case["strength"] - 1, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found, np.swapaxes(found, -1, -2))


@given(inputs.descend())
def test_descend_keeps_the_symmetry_of_the_signs(implementation, case) -> None:
    one = implementation.call("linear_gaussian.descend", **case)
    two = implementation.call("linear_gaussian.descend", **{**case, "start": -case["start"]})
    for first, second, sign in zip(one, two, (-1, -1, 1, 1), strict=True):
        np.testing.assert_allclose(first, sign * second, rtol=1e-12)
    assert min(one[2].min(), one[3].min()) >= case["floor"] * (1 - 1e-12)


@given(inputs.smoothed_excess())
def test_smoothed_excess_vanishes_only_without_smoothing(implementation, case) -> None:
    assert (implementation.call("linear_gaussian.smoothed_excess", **case) >= 0).all()
    plain = {**case, "strength": np.ones_like(case["strength"])}
    np.testing.assert_array_equal(implementation.call("linear_gaussian.smoothed_excess", **plain), 0)

"""Checks of Section 3: the quadratic term of the KL in Hermite coefficients, and the bias of smoothing.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from reference import (
    gaussian,
    hermite,
    ornstein_uhlenbeck,
    smoothing,
)
from reference.hermite import Array, Function
from reproductions.hvae._functions import (
    Networks,
    known_functions,
    largest,
    line_coefficients,
    split_rule,
    worked_mean,
    worked_tanh,
)

Metrics = dict[str, float]
NODES = 100
LINE = hermite.multi_indices(1, 60)

# The worked example of Section 3: mu_p = worked_mean, q(z2|z1) = N(0.4, 0.6^2), z1 = 0.7, sigma_p = 0.5.
MEAN_Q, SCALE_Q, Z1, SCALE_P = 0.4, 0.6, 0.7, 0.5


def _mean_of_noise(e: Array, mean_q: float = MEAN_Q) -> Array:
    """The mean function of the example in the standardised variable of the posterior, (..., 1) to (...)."""
    return worked_mean(mean_q + SCALE_Q * e)[..., 0]


def cross_term_factorises(rng: np.random.Generator) -> Metrics:
    """E over z1 of the inner expectation over z2, against one two-dimensional quadrature and Monte Carlo."""
    mean_1, scale_1, slope = Z1, 0.3, 0.5

    def posterior(z1: Array) -> Array:
        return MEAN_Q + slope * (z1 - mean_1)

    points, weights = hermite.rule(60)
    z1 = mean_1 + scale_1 * points
    nested = weights @ smoothing.cross_term(worked_mean, SCALE_P, z1, posterior(z1), np.full_like(z1, SCALE_Q), NODES)
    grid, grid_weights = hermite.rule(80, 2)

    def log_density(e: Array) -> Array:
        first = mean_1 + scale_1 * e[:, :1]
        return gaussian.log_density(first, worked_mean(posterior(first) + SCALE_Q * e[:, 1:]), SCALE_P)

    draws = log_density(rng.standard_normal((1_000_000, 2)))
    return {
        "nested_error": abs(float(nested - grid_weights @ log_density(grid))),
        "mc_standard_errors": abs(float(draws.mean() - nested)) / float(draws.std() / math.sqrt(draws.size)),
    }


def quadratic_term_contains_variance(rng: np.random.Generator) -> Metrics:
    """E mu^2 and E (z1 - mu)^2 by split panels, against mean and variance by Gauss-Hermite quadrature."""
    fine, fine_weights = split_rule(width=0.25)
    quadratic, completed = [], []
    for mean_q, scale_q, z1 in ((MEAN_Q, SCALE_Q, Z1), *rng.uniform((-1, 0.2, -2), (1, 1, 2), (20, 3))):
        values = worked_mean(mean_q + scale_q * fine)
        mean, variance = smoothing.moments(worked_mean, [[mean_q]], [[scale_q]], NODES)
        quadratic.append(fine_weights @ values**2 - (mean**2 + variance))
        whole = smoothing.quadratic_term(worked_mean, SCALE_P, [[z1]], [[mean_q]], [[scale_q]], NODES)
        completed.append(fine_weights @ (z1 - values) ** 2 - 2 * SCALE_P**2 * whole)
    return {"quadratic_error": largest(*quadratic), "completed_error": largest(*completed)}


def spectral_form(rng: np.random.Generator) -> Metrics:
    """Squared coefficients against the moments, and coefficients for two posteriors (two values of z1)."""
    found = hermite.coefficients(_mean_of_noise, LINE, 2 * NODES)
    mean, variance = smoothing.moments(worked_mean, [[MEAN_Q]], [[SCALE_Q]], NODES)
    direct = float((mean**2 + variance)[0, 0]) / (2 * SCALE_P**2)
    # A posterior mean that follows z1 with slope 1/2 and is the example's at z1 = 0.7.
    other = hermite.coefficients(lambda e: _mean_of_noise(e, MEAN_Q + 0.5 * (-Z1 - Z1)), LINE, 2 * NODES)
    return {
        "spectral_gap": abs(float(smoothing.spectral_term(found, LINE, SCALE_P)) - direct),
        "coefficient_change": largest(found - other),
    }


def smoothed_spectral_form(rng: np.random.Generator) -> Metrics:
    """The weighted sum of squared coefficients against the quadrature of the squared smoothed function."""
    found = hermite.coefficients(_mean_of_noise, LINE, 2 * NODES)
    gaps = []
    for rho in (0.0, 0.5, 0.9, 1.0):
        smoothed, weights = _smoothed_on_rule(rho)
        direct = weights @ smoothed**2 / (2 * SCALE_P**2)
        gaps.append(float(smoothing.spectral_term(found, LINE, SCALE_P, rho)) - float(direct))
    return {"smoothed_gap": largest(*gaps)}


def _smoothed_on_rule(rho: float) -> tuple[Array, Array]:
    """U_rho mu_p at the points of the posterior's rule, and the weights."""
    points, weights = hermite.rule(NODES)
    z2 = MEAN_Q + SCALE_Q * points
    return ornstein_uhlenbeck.affine_operator(worked_mean, z2, [MEAN_Q], [SCALE_Q], rho, NODES)[:, 0], weights


def new_variance_order_rho_squared(rng: np.random.Generator) -> Metrics:
    """Log-log slope of the smoothed variance near rho = 0, and its bound."""
    rho = np.geomspace(1e-3, 1e-2, 5)
    named = {f.name: f for f in known_functions() if f.kink is None}
    linear: list[Function] = [worked_tanh, worked_mean, *(named[name] for name in ("exp", "sin", "normal cdf"))]
    slopes = [_slope(f, rho) for f in linear]
    networks = Networks.random(rng, 200)
    violations = 0
    functions: list[Function] = [*linear, named["cos"], named["square"], networks]
    for f in functions:
        points, weights = hermite.rule(200)
        full = _weighted_variance(np.asarray(f(points)), weights)
        smoothed = [(r, _smoothed_variance(f, r)) for r in (1e-3, 1e-2, 0.1, 0.9)]
        violations += sum(int(np.sum(variance > r**2 * full + 1e-12)) for r, variance in smoothed)
    return {
        "slope": max(slopes, key=lambda s: abs(s - 2)),
        "bound_violations": violations,
        "even_slope": _slope(named["cos"], rho),
    }


def _smoothed_variance(f: Function, rho: float, nodes: int = 200) -> Array:
    points, weights = hermite.rule(nodes)
    values = ornstein_uhlenbeck.operator(f, points, rho, nodes)
    return _weighted_variance(values, weights)


def _slope(f: Function, rho: Array) -> float:
    variances = [float(np.squeeze(_smoothed_variance(f, r))) for r in rho]
    return float(np.polyfit(np.log(rho), np.log(variances), 1)[0])


def bias_is_variance_difference(rng: np.random.Generator) -> Metrics:
    """Smoothed less original expected log density, by quadrature, against the formula; its sign on 1000 networks."""
    points, weights = hermite.rule(NODES)
    plain = gaussian.log_density(Z1, worked_mean(MEAN_Q + SCALE_Q * points), SCALE_P) @ weights
    values = _mean_of_noise(points)
    errors, biases = [], {}
    for name, rho in (("0", 0.0), ("05", 0.5), ("09", 0.9), ("1", 1.0)):
        smoothed, _ = _smoothed_on_rule(rho)
        bias = float(gaussian.log_density(Z1, smoothed[:, None], SCALE_P) @ weights - plain)
        lost = _weighted_variance(values, weights) - _weighted_variance(smoothed, weights)
        errors.append(bias - float(lost) / (2 * SCALE_P**2))
        found = hermite.coefficients(_mean_of_noise, LINE, 2 * NODES)
        errors.append(bias - float(smoothing.bias(found, LINE, SCALE_P, rho)))
        biases[f"bias_rho_{name}"] = bias
    return {"bias_error": largest(*errors), **biases, "sign_violations": _negative_biases(rng)}


def _weighted_variance(values: Array, weights: Array) -> Array:
    return weights @ (values - weights @ values) ** 2


def _negative_biases(rng: np.random.Generator) -> int:
    """Examples among 1000 random networks, posteriors and z1 whose expected log density falls by smoothing."""
    networks, count = Networks.random(rng, 1000), 0
    mean_q, scale_q, z1 = rng.normal(size=1000), rng.uniform(0.1, 1.5, 1000), rng.normal(size=1000)
    standardised = Networks(
        networks.inner * scale_q[:, None], networks.offset + networks.inner * mean_q[:, None], networks.outer
    )
    points, weights = hermite.rule(NODES)
    for rho in (0.0, 0.5, 0.9):
        smoothed = ornstein_uhlenbeck.operator(standardised, points, rho, NODES)
        change = weights @ ((z1 - standardised(points)) ** 2 - (z1 - smoothed) ** 2)
        count += int(np.sum(change < 0))
    return count


def bias_order_one_minus_rho_squared(rng: np.random.Generator) -> Metrics:
    """Both bounds on random networks, the limit for tanh, and the different order for a step."""
    networks = Networks.random(rng, 200)
    points, weights = hermite.rule(200)
    full = _weighted_variance(networks(points), weights)
    energy = weights @ networks.slope(points) ** 2
    violations = 0
    for rho in (0.5, 0.9, 0.99):
        lost = full - _smoothed_variance(networks, rho)
        lower, upper = (1 - rho**2) * full - 1e-5, (1 - rho**2) * energy + 1e-5
        violations += int(np.sum(lost < lower) + np.sum(lost > upper))
    series, line = line_coefficients(worked_tanh, 150, 200), hermite.multi_indices(1, 150)
    tanh_lost = _smoothed_variance(worked_tanh, 1.0) - _smoothed_variance(worked_tanh, 0.999)
    limit = float(ornstein_uhlenbeck.dirichlet_energy(series, line))
    close = np.linspace(0.99, 0.999, 10)
    steps = [_step_variance_lost(rho) for rho in close]
    return {
        "bound_violations": violations,
        "limit_gap": abs(float(tanh_lost) / (1 - 0.999**2) / limit - 1),
        "sign_slope": float(np.polyfit(np.log(1 - close**2), np.log(steps), 1)[0]),
    }


def _step_variance_lost(rho: float) -> float:
    """Var sign - Var U_rho sign, by quadrature of the smoothed step (an error function)."""
    points, weights = split_rule(0.0, width=0.01)
    return 1 - float(weights @ special.erf(rho * points / math.sqrt(2 * (1 - rho**2))) ** 2)


def state_dependent_sigma_analogue(rng: np.random.Generator) -> Metrics:
    """sigma(z2) = exp(0.4 z2), rho = 0.9: smoothing the residual, and smoothing the ratio mu / sigma alone."""
    rho = 0.9
    points, weights = hermite.rule(NODES)

    def inverse_scale(e: Array) -> Array:
        return np.exp(-0.4 * (MEAN_Q + SCALE_Q * e[..., 0]))

    def ratio(e: Array) -> Array:
        return _mean_of_noise(e) * inverse_scale(e)

    def residual(e: Array) -> Array:
        return Z1 * inverse_scale(e) - ratio(e)

    r, a, b = residual(points), inverse_scale(points), ratio(points)
    smooth_r, smooth_b = (ornstein_uhlenbeck.operator(f, points, rho, NODES) for f in (residual, ratio))
    change = weights @ (r**2 - smooth_r**2) / 2
    wanted = (_weighted_variance(r, weights) - _weighted_variance(smooth_r, weights)) / 2
    ratio_change = weights @ (r**2 - (Z1 * a - smooth_b) ** 2) / 2
    ratio_wanted = (_weighted_variance(b, weights) - _weighted_variance(smooth_b, weights)) / 2
    centred = a - weights @ a
    cross = Z1 * float(weights @ (centred * b) - weights @ (centred * smooth_b))
    return {
        "residual_error": abs(float(change - wanted)),
        "corrected_ratio_error": abs(float(ratio_change - ratio_wanted) + cross),
        "cross_term": abs(cross),
    }

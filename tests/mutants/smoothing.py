"""Faults of the smoothing bias."""

from __future__ import annotations

from tests.mutants import killed_by
from vaes.ops import smoothing


@killed_by("test_value")
def moments__sample_variance(f, mean_q, scale_q, nodes):
    mean, variance = smoothing.moments(f, mean_q, scale_q, nodes)
    return mean, variance * nodes / (nodes - 1)


@killed_by("test_cross_term_splits_into_quadratic_and_constant")
def cross_term__log_of_the_variance(mean_p, scale_p, z1, mean_q, scale_q, nodes):
    return smoothing.cross_term(mean_p, scale_p, z1, mean_q, scale_q, nodes) - z1.shape[-1] * scale_p.log()


@killed_by("test_value")
def quadratic_term__variance_forgotten(mean_p, scale_p, z1, mean_q, scale_q, nodes):
    expected, _ = smoothing.moments(mean_p, mean_q, scale_q, nodes)
    return 0.5 * ((z1 - expected) / scale_p).square().sum(-1)


@killed_by("test_value")
def spectral_term__rho_not_squared(coefficients, indices, scale_p, rho=1.0):
    return smoothing.spectral_term(coefficients, indices, scale_p, rho**0.5)


@killed_by("test_bias_is_the_spectral_difference")
def bias__half_missing(coefficients, indices, scale_p, rho):
    return 2 * smoothing.bias(coefficients, indices, scale_p, rho)


@killed_by("test_value")
def bias_bounds__order_one_minus_rho(coefficients, indices, scale_p, rho):
    return tuple(bound / (1 + rho) for bound in smoothing.bias_bounds(coefficients, indices, scale_p, rho))


@killed_by("test_one_sample_has_no_bias")
def sample_bias__ideal(bias, samples):
    return bias

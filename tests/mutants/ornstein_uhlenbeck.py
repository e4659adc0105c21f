"""Faults of the Ornstein-Uhlenbeck functions."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import hermite
from vaes.ops import ornstein_uhlenbeck as ou


@killed_by("test_value")
def correlated_noise__root_lost(noise, fresh, rho):
    return rho * noise + (1 - rho) * (1 + rho) * fresh


@killed_by("test_value")
def correlated_noise__rho_squared_rounds(noise, fresh, rho):
    return rho * noise + (1 - rho.float() ** 2).clamp(min=0).sqrt().to(noise.dtype) * fresh


@killed_by("test_correlated_noise_at_the_ends")
def correlated_noise__rho_reversed(noise, fresh, rho):
    return ou.correlated_noise(fresh, noise, rho)


@killed_by("test_gradient")
def correlated_noise__gradient_of_rho_detached(noise, fresh, rho):
    return ou.correlated_noise(noise, fresh, rho.detach())


@killed_by("test_value")
def correlated_sample__around_zero(mean, scale, noise, fresh, rho):
    """Eq. 3 in place of Eq. 4: the sample is correlated around 0 and not around the posterior mean."""
    return ou.correlated_noise(mean + scale * noise, fresh, rho)


@killed_by("test_correlated_sample_at_rho_one_is_the_sample")
def correlated_sample__scale_forgotten(mean, scale, noise, fresh, rho):
    return mean + ou.correlated_noise(noise, fresh, rho)


@killed_by("test_value")
def operator__function_of_the_mean(f, z, rho, nodes):
    return f(rho * z)


@killed_by("test_value")
def affine_operator__not_standardised(f, z, mean, scale, rho, nodes):
    return ou.operator(f, z, rho, nodes)


@killed_by("test_value")
def on_coefficients__power_per_axis(coefficients, indices, rho):
    degree = indices.max(1).values.reshape(-1, *[1] * (coefficients.ndim - 1))
    return rho**degree * coefficients


@killed_by("test_value")
def generator__sign(coefficients, indices):
    return -ou.generator(coefficients, indices)


@killed_by("test_value")
def mehler_kernel__root_of_the_determinant_missing(x, y, rho):
    return ou.mehler_kernel(x, y, rho) * ((1 - rho) * (1 + rho))[..., None].sqrt().sum(-1)


@killed_by("test_mehler_kernel_is_symmetric_and_positive")
def mehler_kernel__transition_density(x, y, rho):
    """The kernel against Lebesgue measure: the factor exp(y^2 / 2) is left out."""
    return ou.mehler_kernel(x, y, rho) * (-0.5 * y.square()).exp().prod(-1)


@killed_by("test_covariance_lies_between_the_variances")
def variance__power_not_doubled(coefficients, indices, rho):
    return ou.covariance(coefficients, indices, rho)


@killed_by("test_value")
def variance__printed_middle_member(coefficients, indices, rho):
    """Eq. 5 as printed: the operator is missing, so nothing decays."""
    return hermite.variance(coefficients, indices)


@killed_by("test_value")
def covariance__squared_mean_included(coefficients, indices, rho):
    return ou.covariance(coefficients, indices, rho) + hermite.mean(coefficients, indices) ** 2


@killed_by("test_value")
def dirichlet_energy__degree_squared(coefficients, indices):
    degree = hermite.total_degree(indices).to(coefficients).reshape(-1, *[1] * (coefficients.ndim - 1))
    return ou.dirichlet_energy(coefficients * degree.sqrt(), indices)


@killed_by("test_value")
def hypercontractive_exponent__rho_not_squared(p, rho):
    return 1 + (p - 1) / rho


@killed_by("test_monte_carlo_at_rho_one_is_the_function")
def monte_carlo__sum_for_mean(f, noise, fresh, rho):
    return ou.monte_carlo(f, noise, fresh, rho) * fresh.shape[0]


@killed_by("test_value")
def monte_carlo__function_of_the_average(f, noise, fresh, rho):
    return f(ou.correlated_noise(noise, fresh, rho).mean(0))


@killed_by("test_value")
def effective_strength__sample_noise_forgotten(rho, samples, degree=1):
    return rho ** (2 * degree)


@killed_by("test_value")
def monte_carlo_variance__ideal_smoothing(coefficients, indices, rho, samples):
    return ou.variance(coefficients, indices, rho)


@killed_by("test_value")
def monte_carlo_error__samples_squared(coefficients, indices, rho, samples):
    return ou.monte_carlo_error(coefficients, indices, rho, samples) / samples


@killed_by("test_variance_lost_is_the_difference")
def variance_lost__power_not_doubled(coefficients, indices, rho):
    return hermite.variance(coefficients, indices) - ou.covariance(coefficients, indices, rho)


@killed_by("test_gradient")
def variance_lost__gradient_nan_at_zero(coefficients, indices, rho):
    degree = hermite.total_degree(indices).to(coefficients)
    lost = -torch.expm1(2 * degree.clamp(min=1) * rho.log())
    return hermite.weighted_sum(coefficients.square(), torch.where(degree > 0, lost, 0))

"""Faults of the calibration functions."""

from __future__ import annotations

import math

import torch

from tests.mutants import killed_by
from vaes.ops import calibration


@killed_by("test_squared_errors_ignore_the_order_of_pixels")
def sse__absolute_error(x, mean):
    return (x - mean).abs().sum(-1)


@killed_by("test_value")
def mse__sum_for_mean(x, mean):
    return calibration.sse(x, mean)


@killed_by("test_value")
def gaussian_nll__log_variance_for_log_sigma(x, mean, log_sigma):
    return calibration.gaussian_nll(x, mean, 0.5 * log_sigma)


@killed_by("test_value")
def gaussian_nll__constant_dropped(x, mean, log_sigma):
    return calibration.gaussian_nll(x, mean, log_sigma) - 0.5 * math.log(2 * math.pi) * x.shape[-1]


@killed_by("test_gaussian_nll_is_finite_where_the_inverse_variance_overflows")
def gaussian_nll__squared_before_scaled(x, mean, log_sigma):
    element = 0.5 * (x - mean).square() * (-2 * log_sigma).exp() + log_sigma + 0.5 * math.log(2 * math.pi)
    return element.sum(-1)


@killed_by("test_constant_map_of_sigmas_is_the_shared_sigma")
def gaussian_nll__sigma_counted_once(x, mean, log_sigma):
    quadratic = 0.5 * ((x - mean) * (-log_sigma).exp()).square().sum(-1)
    return quadratic + log_sigma.sum() + 0.5 * math.log(2 * math.pi) * x.shape[-1]


@killed_by("test_unit_gaussian_floor_is_the_nll_of_an_exact_reconstruction")
def unit_gaussian_floor__per_dimension(dims, log_sigma=0.0):
    return calibration.unit_gaussian_floor(1, log_sigma)


@killed_by("test_beta_is_the_variance")
def beta_vae_objective__half_missing(squared_error, kl, beta):
    return squared_error + beta * kl


@killed_by("test_beta_is_the_variance")
def beta_as_variance__beta_is_sigma(objective, beta, dims):
    return calibration.beta_as_variance(objective, beta.square(), dims)


@killed_by("test_value")
def beta_as_variance__constant_forgotten(objective, beta, dims):
    return objective / beta


@killed_by("test_equivalent_variance_makes_losses_proportional")
def equivalent_variance__batch_forgotten(
    dims, batch, kl_weight=1.0, error_mean_over_dims=True, error_mean_over_batch=True, kl_mean_over_batch=True
):
    return calibration.equivalent_variance(dims, 1, kl_weight, error_mean_over_dims)


@killed_by("test_beta_grid_is_geometric")
def beta_grid__linear(highest=100.0, lowest=1e-4, per_decade=1):
    steps = len(calibration.beta_grid(highest, lowest, per_decade))
    return torch.linspace(highest, lowest, steps, dtype=torch.float64)


@killed_by("test_value")
def shared_sigma_objective__sigma_for_variance(squared_error, kl, log_sigma, dims):
    return calibration.shared_sigma_objective(squared_error * log_sigma.exp(), kl, log_sigma, dims)


@killed_by("test_gradient")
def shared_sigma_objective__sigma_detached(squared_error, kl, log_sigma, dims):
    return calibration.shared_sigma_objective(squared_error, kl, log_sigma.detach(), dims)


@killed_by("test_shared_sigma_gradient_vanishes_at_the_optimum")
def shared_sigma_gradient__sum_over_the_batch(squared_error, log_sigma, dims):
    return dims - 2 * squared_error.sum() * (-2 * log_sigma).exp()


@killed_by("test_drift_floor_starts_at_the_unit_gaussian")
def drift_floor__variance_drifts(steps, learning_rate, dims):
    return calibration.drift_floor(steps, 0.5 * learning_rate, dims)


@killed_by("test_optimal_sigma_averages_variances")
def optimal_sigma__is_the_mse(squared_error, dims, floor=0.0):
    """Eq. 11 as printed."""
    return (squared_error.mean() / dims).clamp(min=floor)


@killed_by("test_value")
def optimal_sigma__mean_of_sigmas(squared_error, dims, floor=0.0):
    return (squared_error / dims).sqrt().mean().clamp(min=floor)


@killed_by("test_calibration_gap_is_quadratic_near_the_optimum")
def calibration_gap__sign_of_delta(sigma, optimal, dims):
    return -calibration.calibration_gap(optimal, sigma, dims)


@killed_by("test_value")
def batch_optimal_sigma_loss__floor_on_the_variance(squared_error, kl, dims, floor=0.0):
    return calibration.batch_optimal_sigma_loss(squared_error, kl, dims, math.sqrt(floor))


@killed_by("test_batch_optimal_loss_moves_with_the_scale_of_the_data")
def batch_optimal_sigma_loss__half_missing(squared_error, kl, dims, floor=0.0):
    return calibration.batch_optimal_sigma_loss(squared_error, kl, 2 * dims, floor)


@killed_by("test_gradient")
def batch_optimal_sigma_loss__log_variance_detached(squared_error, kl, dims, floor=0.0):
    return calibration.batch_optimal_sigma_loss(squared_error.detach(), kl, dims, floor) + 0 * squared_error.sum()


@killed_by("test_per_image_loss_is_the_batch_loss_of_one_image")
def per_image_sigma_loss__sigma_of_the_batch(squared_error, kl, dims, floor=0.0):
    return calibration.batch_optimal_sigma_loss(squared_error, 0 * kl, dims, floor) + kl


@killed_by("test_per_image_gain_is_non_negative")
def per_image_gain__sign(squared_error, dims):
    return -calibration.per_image_gain(squared_error, dims)


@killed_by("test_soft_clip_lies_above_both")
def soft_clip__hard(value, minimum=-6.0):
    return torch.maximum(value, minimum) - 1e-3


@killed_by("test_value")
def soft_clip__bound_added_twice(value, minimum=-6.0):
    return calibration.soft_clip(value, minimum) + 0.1 * minimum


@killed_by("test_value")
def error_variances__noise_counted_as_images(errors):
    return errors.mean(0).var(), errors.var(0).mean()


@killed_by("test_error_variances_follow_the_law_of_total_variance")
def error_variances__population(errors):
    between, within = calibration.error_variances(errors)
    return between, within * (errors.shape[0] - 1) / errors.shape[0]


@killed_by("test_value")
def sigma_standard_error__of_the_variance(mean, variance, images, population=None):
    return 2 * calibration.sigma_standard_error(mean, variance, images, population)


@killed_by("test_sigma_standard_error_ignores_units")
def sigma_standard_error__variance_for_deviation(mean, variance, images, population=None):
    return calibration.sigma_standard_error(mean, variance.square(), images, population)


@killed_by("test_sigma_biases_have_their_signs")
def same_batch_bias__pessimistic(dims, numbers):
    return -calibration.same_batch_bias(dims, numbers)


@killed_by("test_value")
def same_batch_bias__degrees_not_halved(dims, numbers):
    return calibration.same_batch_bias(dims, 2 * numbers)


@killed_by("test_value")
def same_batch_bias__cancels_for_large_batches(dims, numbers):
    half = (0.5 * numbers).float()
    return (0.5 * dims * (torch.digamma(half) - half.log())).to(numbers.dtype)


@killed_by("test_sigma_biases_have_their_signs")
def held_out_sigma_bias__as_in_the_same_batch(dims, numbers):
    return calibration.same_batch_bias(dims, numbers)


@killed_by("test_running_variance_keeps_a_constant")
def running_variance__start_not_corrected(variances, decay):
    steps = torch.arange(1, variances.shape[0] + 1).reshape(-1, *[1] * (variances.ndim - 1))
    return calibration.running_variance(variances, decay) * (1 - decay**steps)


@killed_by("test_value")
def running_variance__of_deviations(variances, decay):
    return calibration.running_variance(variances.sqrt(), decay).square()


@killed_by("test_variational_sigma_bound_charges_both")
def variational_sigma_bound__printed_signs(log_likelihood, kl, kl_sigma):
    """Eq. 12 as printed: not a lower bound."""
    return log_likelihood + kl + kl_sigma


@killed_by("test_value")
def gamma_kl__scale_for_rate(shape_q, rate_q, shape_p, rate_p):
    return calibration.gamma_kl(shape_q, 1 / rate_q, shape_p, 1 / rate_p)


@killed_by("test_gamma_kl_is_non_negative")
def gamma_kl__sign(shape_q, rate_q, shape_p, rate_p):
    return -calibration.gamma_kl(shape_q, rate_q, shape_p, rate_p)


@killed_by("test_gamma_precision_bound_is_below_the_marginal")
def gamma_precision_bound__kl_added(squared_error, dims, shape_q, rate_q, shape_p, rate_p):
    kl = calibration.gamma_kl(shape_q, rate_q, shape_p, rate_p)
    return calibration.gamma_precision_bound(squared_error, dims, shape_q, rate_q, shape_p, rate_p) + 2 * kl


@killed_by("test_value")
def gamma_precision_bound__log_of_the_mean_precision(squared_error, dims, shape_q, rate_q, shape_p, rate_p):
    bound = calibration.gamma_precision_bound(squared_error, dims, shape_q, rate_q, shape_p, rate_p)
    return bound + 0.5 * dims * (shape_q.log() - torch.digamma(shape_q))


@killed_by("test_optimal_gamma_counts_half_a_value_each")
def optimal_gamma__half_missing(squared_error, dims, shape_p, rate_p):
    return shape_p + dims, rate_p + squared_error


@killed_by("test_gamma_marginal_moves_with_the_scale_of_the_data")
def gamma_marginal__one_over_rate(squared_error, dims, shape_p, rate_p):
    return calibration.gamma_marginal(squared_error, dims, shape_p, 1 / rate_p)


@killed_by("test_lognormal_sigma_bound_of_a_narrow_posterior")
def lognormal_sigma_bound__constant_missing(squared_error, dims, mean_q, variance_q, mean_p, variance_p):
    bound = calibration.lognormal_sigma_bound(squared_error, dims, mean_q, variance_q, mean_p, variance_p)
    return bound + 0.5 * dims * math.log(2 * math.pi)


@killed_by("test_value")
def lognormal_sigma_bound__precision_at_the_mean(squared_error, dims, mean_q, variance_q, mean_p, variance_p):
    """exp(-2 m) for E exp(-2 log sigma): the width of the posterior is forgotten."""
    error = squared_error * (-2 * variance_q).exp()
    return calibration.lognormal_sigma_bound(error, dims, mean_q, variance_q, mean_p, variance_p)


@killed_by("test_optimal_lognormal_is_stationary")
def optimal_lognormal__greedy(squared_error, dims, mean_p, variance_p):
    mean = 0.5 * (squared_error / dims).log() + 0 * mean_p
    return mean, 1 / (2 * dims + 1 / variance_p)


@killed_by("test_gradient")
def optimal_lognormal__root_detached(squared_error, dims, mean_p, variance_p):
    mean, variance = calibration.optimal_lognormal(squared_error.detach(), dims, mean_p, variance_p)
    return mean + 0 * squared_error, variance


@killed_by("test_nelbo_is_a_sum")
def nelbo__kl_subtracted(nll, kl):
    return nll - kl


@killed_by("test_rate_distortion_adds_up")
def rate_distortion__rate_left_out(squared_error, kl, log_sigma, dims):
    _, nll, rate, error = calibration.rate_distortion(squared_error, kl, log_sigma, dims)
    return nll, nll, rate, error


@killed_by("test_convergence_step_is_the_first_of_a_settled_tail")
def convergence_step__first_visit(log_sigma, log_reference, tolerance=0.1):
    inside = (log_sigma - log_reference).abs() < tolerance
    return (inside.cumsum(0) == 0).sum(0)


@killed_by("test_gamma_kl_at_50_digits")
def gamma_kl__gamma_functions_cancel(shape_q, rate_q, shape_p, rate_p):
    shapes = (shape_q - shape_p) * shape_q.digamma() - shape_q.lgamma() + shape_p.lgamma()
    return shapes + shape_p * (rate_q / rate_p).log() + shape_q * (rate_p - rate_q) / rate_q


@killed_by("test_per_image_gain_at_50_digits")
def per_image_gain__difference_of_logarithms(squared_error, dims):
    return 0.5 * dims * (squared_error.mean().log() - squared_error.log().mean())


@killed_by("test_error_variances_of_equal_errors_are_nothing")
def error_variances__about_a_rounded_mean(errors):
    within = errors.var(0).mean()
    return errors.mean(0).var() - within / errors.shape[0], within

"""Faults of the residual Normals."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import residual_normal as rn


@killed_by("test_parameters_of_no_residual_are_the_prior")
def parameters__absolute(mean_p, scale_p, mean_shift, scale_ratio):
    return mean_shift, scale_ratio


@killed_by("test_value")
def parameters__shift_in_units_of_scale(mean_p, scale_p, mean_shift, scale_ratio):
    return mean_p + scale_p * mean_shift, scale_p * scale_ratio


@killed_by("test_kl_is_least_at_the_prior")
def kl__variance_reading(mean_shift, scale_p, scale_ratio):
    return rn.kl(mean_shift, scale_p.sqrt(), scale_ratio.sqrt())


@killed_by("test_value")
def kl__printed_form_cancels(mean_shift, scale_p, scale_ratio):
    square = scale_ratio.square()
    return 0.5 * ((mean_shift / scale_p).square() + square - square.log() - 1).sum(-1)


@killed_by("test_soft_clamp_is_odd_bounded_and_increasing")
def soft_clamp__not_rescaled(raw, bound=5.0):
    return torch.tanh(raw / bound) * bound**2


@killed_by("test_gradient")
def soft_clamp__hard_gradient(raw, bound=5.0):
    return raw + (rn.soft_clamp(raw, bound) - raw).detach()


@killed_by("test_bounded_parameters_stay_in_range")
def bounded_parameters__no_floor(raw_mean, raw_log_scale, temperature=1.0):
    return rn.soft_clamp(raw_mean), temperature * (rn.soft_clamp(raw_log_scale).exp() - 0.01)


@killed_by("test_value")
def bounded_parameters__temperature_before_the_floor(raw_mean, raw_log_scale, temperature=1.0):
    return rn.soft_clamp(raw_mean), 0.5 * rn.soft_clamp(raw_log_scale).exp() + 0.01


@killed_by("test_value")
def bounded_kl__residual_after_the_clamp(raw_mean_p, raw_log_scale_p, raw_mean_shift, raw_log_scale_shift):
    scale_p = rn.bounded_parameters(raw_mean_p, raw_log_scale_p)[1]
    return rn.kl(rn.soft_clamp(raw_mean_shift), scale_p, rn.soft_clamp(raw_log_scale_shift).exp())


@killed_by("test_bounded_kl_at_50_digits")
def bounded_kl__difference_after_the_clamp(raw_mean_p, raw_log_scale_p, raw_mean_shift, raw_log_scale_shift):
    mean, scale = rn.bounded_parameters(raw_mean_p + raw_mean_shift, raw_log_scale_p + raw_log_scale_shift)
    mean_p, scale_p = rn.bounded_parameters(raw_mean_p, raw_log_scale_p)
    return rn.kl(mean - mean_p, scale_p, scale / scale_p)


@killed_by("test_bounded_kl_vanishes_without_residual")
def bounded_kl__unclamped(raw_mean_p, raw_log_scale_p, raw_mean_shift, raw_log_scale_shift):
    return 1e-3 + rn.kl(raw_mean_shift, raw_log_scale_p.exp(), raw_log_scale_shift.exp())


@killed_by("test_softplus_scale_identities")
def softplus_scale__not_divided(raw, slope):
    return rn.softplus_scale(raw, slope) * slope


@killed_by("test_value")
def softplus_scale__library_threshold(raw, slope):
    return torch.nn.functional.softplus(raw, beta=slope)


@killed_by("test_log_softplus_scale_is_increasing")
def log_softplus_scale__logarithm_of_the_scale(raw, slope):
    return rn.softplus_scale(raw, slope).log()


@killed_by("test_gradient")
def log_softplus_scale__clamped(raw, slope):
    return rn.log_softplus_scale(raw.clamp(min=-10), slope)


@killed_by("test_scale_gradients_in_terms_of_the_scale")
def scale_gradients__inverse_not_squared(raw, slope):
    by_scale, by_log_scale, _ = rn.scale_gradients(raw, slope)
    return by_scale, by_log_scale, -by_log_scale


@killed_by("test_value")
def scale_gradients__slope_forgotten(raw, slope):
    return rn.scale_gradients(raw, 1.0)


@killed_by("test_exponential_scale_respects_the_floor")
def exponential_scale__floor_on_the_log_scale(raw, slope, floor=-float("inf")):
    return (slope * raw).clamp(min=floor).exp()


@killed_by("test_exponential_kl_is_the_gaussian_divergence")
def exponential_kl__slope_missing(mean_q, raw_q, mean_p, raw_p, slope):
    """The last term as in the official JAX code."""
    return rn.exponential_kl(mean_q, raw_q, mean_p, raw_p, slope) + ((slope - 1) * (raw_q - raw_p)).sum(-1)


@killed_by("test_softplus_parameters_at_raw_zero_keep_the_scale")
def softplus_parameters__not_relative(mean_p, scale_p, mean_shift, raw_ratio, slope):
    return mean_p + mean_shift, rn.softplus_scale(raw_ratio, slope)

"""Faults of the Gaussian functions."""

from __future__ import annotations

import math

import torch

from tests.mutants import killed_by
from vaes.ops import gaussian


@killed_by("test_value")
def log_density__sigma_for_variance(z, mean, scale):
    return gaussian.log_density(z, mean, scale.sqrt())


@killed_by("test_value")
def log_density__mean_for_sum(z, mean, scale):
    return gaussian.log_density(z, mean, scale) / z.shape[-1]


@killed_by("test_value")
def log_density__half_log_two_pi_missing(z, mean, scale):
    return gaussian.log_density(z, mean, scale) + 0.5 * math.log(2 * math.pi) * z.shape[-1]


@killed_by("test_kl_vanishes_only_between_equals")
def kl__half_missing(mean_q, scale_q, mean_p, scale_p):
    quadratic = ((mean_q - mean_p) / scale_p).square().sum(-1)
    return gaussian.kl(mean_q, scale_q, mean_p, scale_p) + 0.5 * quadratic


@killed_by("test_value")
def kl__arguments_swapped(mean_q, scale_q, mean_p, scale_p):
    return gaussian.kl(mean_p, scale_p, mean_q, scale_q)


@killed_by("test_value")
def kl__printed_form_cancels(mean_q, scale_q, mean_p, scale_p):
    log_ratio = (scale_p / scale_q).log()
    return (log_ratio + (scale_q.square() + (mean_q - mean_p).square()) / (2 * scale_p.square()) - 0.5).sum(-1)


@killed_by("test_gradient")
def kl__gradient_of_scale_detached(mean_q, scale_q, mean_p, scale_p):
    return gaussian.kl(mean_q, scale_q.detach(), mean_p, scale_p)


@killed_by("test_kl_is_non_negative")
def kl__sign(mean_q, scale_q, mean_p, scale_p):
    return -gaussian.kl(mean_q, scale_q, mean_p, scale_p)


@killed_by("test_kl_standard_is_kl_to_the_standard_gaussian")
def kl_standard__log_variance_once(mean, scale):
    return gaussian.kl_standard(mean, scale) + 0.5 * scale.log().sum(-1)


@killed_by("test_value")
def entropy__e_missing(scale):
    return gaussian.entropy(scale) - 0.5 * scale.shape[-1]


@killed_by("test_value")
def reparameterise__variance_for_scale(mean, scale, noise):
    return mean + scale.square() * noise


@killed_by("test_gradient")
def reparameterise__noise_scale_detached(mean, scale, noise):
    return mean + scale.detach() * noise


@killed_by("test_kl_gradient_is_that_of_kl")
def kl_gradient__by_scale_for_log_scale(mean_q, scale_q, mean_p, scale_p):
    by_mean, by_log_scale = gaussian.kl_gradient(mean_q, scale_q, mean_p, scale_p)
    return by_mean, by_log_scale / scale_p


@killed_by("test_value")
def kl_gradient__scale_not_squared(mean_q, scale_q, mean_p, scale_p):
    by_mean, by_log_scale = gaussian.kl_gradient(mean_q, scale_q, mean_p, scale_p)
    return by_mean * scale_p, by_log_scale


@killed_by("test_value")
def tempered_sample__variance_times_temperature(mean, scale, noise, temperature):
    return gaussian.tempered_sample(mean, scale, noise, temperature.sqrt())


@killed_by("test_tempered_sample_at_the_ends")
def tempered_sample__log_temperature(mean, scale, noise, temperature):
    return mean + (scale.log() + temperature.clamp(min=1e-3).log()).exp() * noise


@killed_by("test_value")
def precision_merge__weights_swapped(mean_a, scale_a, mean_b, scale_b):
    return gaussian.precision_merge(mean_a, scale_b, mean_b, scale_a)


@killed_by("test_precision_merge_keeps_the_digits_of_a_small_share")
def precision_merge__shares_by_logarithms(mean_a, scale_a, mean_b, scale_b):
    _, scale = gaussian.precision_merge(mean_a, scale_a, mean_b, scale_b)
    doubled = 2 * (scale_b / scale_a).log()
    return torch.sigmoid(doubled) * mean_a + torch.sigmoid(-doubled) * mean_b, scale


@killed_by("test_precision_merge_is_symmetric_and_narrows")
def precision_merge__scales_averaged(mean_a, scale_a, mean_b, scale_b):
    mean, _ = gaussian.precision_merge(mean_a, scale_a, mean_b, scale_b)
    return mean, 0.5 * (scale_a + scale_b)

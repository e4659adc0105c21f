"""Faults of the pixel likelihoods."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import softplus

from tests.mutants import killed_by
from vaes.ops import likelihoods
from vaes.ops.quantisation import from_bits, to_bits


@killed_by("test_categorical_sums_to_one")
def categorical__logits_not_normalised(codes, logits):
    return logits.gather(-1, codes[..., None])[..., 0]


@killed_by("test_value")
def categorical__level_off_by_one(codes, logits):
    return likelihoods.categorical((codes - 1).clamp(min=0), logits)


@killed_by("test_value")
def bitwise__bits_reversed(codes, logits):
    return likelihoods.bitwise(codes, logits.flip(-1))


@killed_by("test_bitwise_sums_to_one")
def bitwise__zeros_cost_nothing(codes, logits):
    return -(to_bits(codes, logits.shape[-1]) * softplus(-logits)).sum(-1)


def normal_difference(codes, mean, scale, levels, low, high):
    half = 0.5 * (high - low) / (levels - 1)
    offset = low + 2 * half * codes - mean
    return torch.special.ndtr((offset + half) / scale), torch.special.ndtr((offset - half) / scale)


@killed_by("test_discretised_gaussian_is_a_mass")
def discretised_gaussian__tails_not_absorbed(codes, mean, scale, levels=256, low=0.0, high=1.0):
    upper, lower = normal_difference(codes, mean, scale, levels, low, high)
    return (upper - lower).log()


@killed_by("test_value")
def discretised_gaussian__difference_with_epsilon(codes, mean, scale, levels=256, low=0.0, high=1.0):
    upper, lower = normal_difference(codes, mean, scale, levels, low, high)
    upper, lower = upper.masked_fill(codes == levels - 1, 1), lower.masked_fill(codes == 0, 0)
    return (upper - lower).clamp(min=1e-12).log()


@killed_by("test_value")
def discretised_gaussian__variance_for_scale(codes, mean, scale, levels=256, low=0.0, high=1.0):
    return likelihoods.discretised_gaussian(codes, mean, scale.square(), levels, low, high)


@killed_by("test_gradient")
def discretised_gaussian__scale_detached(codes, mean, scale, levels=256, low=0.0, high=1.0):
    return likelihoods.discretised_gaussian(codes, mean, scale.detach(), levels, low, high)


@killed_by("test_value")
def discretised_logistic__bin_of_half_width(codes, mean, scale, levels=256, low=0.0, high=1.0, half_bin=None):
    half = (high - low) / (levels - 1) / 4 if half_bin is None else half_bin / 2
    return likelihoods.discretised_logistic(codes, mean, scale, levels, low, high, half)


@killed_by("test_discretised_logistic_is_a_mass")
def discretised_logistic__one_level_more(codes, mean, scale, levels=256, low=0.0, high=1.0, half_bin=None):
    return likelihoods.discretised_logistic(codes, mean, scale, levels + 1, low, high, half_bin)


@killed_by("test_value")
def discretised_logistic__threshold(codes, mean, scale, levels=256, low=0.0, high=1.0, half_bin=None):
    """The public form on the exact edges."""
    half = 0.5 * (high - low) / (levels - 1) if half_bin is None else half_bin
    offset = low + (high - low) / (levels - 1) * codes - mean
    a, b, u = ((offset + h) / scale for h in (half, -half, 0))
    difference = a.sigmoid() - b.sigmoid()
    density = u - scale.log() - 2 * softplus(u) + math.log(2 * half)
    inside = torch.where(difference > 1e-5, difference.clamp(min=1e-12).log(), density)
    return torch.where(codes == 0, -softplus(-a), torch.where(codes == levels - 1, -softplus(b), inside))


@killed_by("test_gradient")
def discretised_logistic__mean_detached(codes, mean, scale, levels=256, low=0.0, high=1.0, half_bin=None):
    return likelihoods.discretised_logistic(codes, mean.detach(), scale, levels, low, high, half_bin)


@killed_by("test_value")
def thresholded_logistic__exact(codes, mean, scale, levels=256, half_bin=None, bottom=-0.999, top=0.999, high=1.0):
    return likelihoods.discretised_logistic(codes, mean, scale, levels, -1.0, high, half_bin)


@killed_by("test_thresholded_logistic_is_a_log_mass_or_less")
def thresholded_logistic__density_without_width(
    codes, mean, scale, levels=256, half_bin=None, bottom=-0.999, top=0.999, high=1.0
):
    return likelihoods.thresholded_logistic(codes, mean, scale, levels, half_bin, bottom, top, high) + math.log(127.5)


@killed_by("test_value")
def mixture_of_logistics__mixture_per_channel(
    codes, logits, means, log_scales, coefficients=None, levels=256, low=-1.0, high=1.0, half_bin=None, floor=-math.inf
):
    each = [
        likelihoods.mixture_of_logistics(
            codes[..., [c], :, :],
            logits,
            means[..., [c], :, :, :],
            log_scales[..., [c], :, :, :],
            None,
            levels,
            low,
            high,
            half_bin,
            floor,
        )
        for c in range(codes.shape[-3])
    ]
    return sum(each)


@killed_by("test_value")
def mixture_of_logistics__logits_not_normalised(
    codes, logits, means, log_scales, coefficients=None, levels=256, low=-1.0, high=1.0, half_bin=None, floor=-math.inf
):
    value = likelihoods.mixture_of_logistics(
        codes, logits, means, log_scales, coefficients, levels, low, high, half_bin, floor
    )
    return value + logits.logsumexp(-3)


@killed_by("test_mixture_forgets_a_common_shift_of_the_logits")
def mixture_of_logistics__digits_of_the_logits_alone(
    codes, logits, means, log_scales, coefficients=None, levels=256, low=-1.0, high=1.0, half_bin=None, floor=-math.inf
):
    value = likelihoods.mixture_of_logistics(
        codes, logits, means, log_scales, coefficients, levels, low, high, half_bin, floor
    )
    largest = logits.amax(-3)
    return (largest + value) - largest


@killed_by("test_value")
def mixture_of_logistics__floor_forgotten(
    codes, logits, means, log_scales, coefficients=None, levels=256, low=-1.0, high=1.0, half_bin=None, floor=-math.inf
):
    return likelihoods.mixture_of_logistics(codes, logits, means, log_scales, coefficients, levels, low, high, half_bin)


@killed_by("test_value")
def mixture_of_logistics__tanh_forgotten(
    codes, logits, means, log_scales, coefficients=None, levels=256, low=-1.0, high=1.0, half_bin=None, floor=-math.inf
):
    raw = None if coefficients is None else coefficients.clamp(-0.999, 0.999).atanh()
    return likelihoods.mixture_of_logistics(codes, logits, means, log_scales, raw, levels, low, high, half_bin, floor)


@killed_by("test_value")
def mixture_of_logistics__bins_overlap(
    codes, logits, means, log_scales, coefficients=None, levels=256, low=-1.0, high=1.0, half_bin=None, floor=-math.inf
):
    half = (high - low) / (levels - 1) * 0.51 if half_bin is None else half_bin
    return likelihoods.mixture_of_logistics(
        codes, logits, means, log_scales, coefficients, levels, low, high, half, floor
    )


@killed_by("test_gradient")
def mixture_of_logistics__scales_detached(
    codes, logits, means, log_scales, coefficients=None, levels=256, low=-1.0, high=1.0, half_bin=None, floor=-math.inf
):
    return likelihoods.mixture_of_logistics(
        codes, logits, means, log_scales.detach(), coefficients, levels, low, high, half_bin, floor
    )


@killed_by("test_value")
def split_mixture__parameter_major(outputs, components, channels, coefficients):
    kinds = 3 if coefficients else 2
    logits, rest = outputs.split([components, kinds * channels * components], -3)
    return (logits, *rest.unflatten(-3, (kinds, channels, components)).unbind(-5))


@killed_by("test_gradient")
def split_mixture__one_part_detached(outputs, components, channels, coefficients):
    logits, means, *others = likelihoods.split_mixture(outputs, components, channels, coefficients)
    return (logits, means.detach(), *others)


@killed_by("test_value")
def mixture_log_scale__softplus_underflows(activation, slope, floor=-math.inf, form="softplus"):
    if form == "exponential":
        return likelihoods.mixture_log_scale(activation, slope, floor, form)
    return (softplus(slope * activation) / slope).log().clamp(min=floor)


@killed_by("test_mixture_log_scale_rises_with_its_input")
def mixture_log_scale__no_floor(activation, slope, floor=-math.inf, form="softplus"):
    return likelihoods.mixture_log_scale(activation, slope, -math.inf, form)


@killed_by("test_scale_gradient_is_the_derivative")
def scale_gradient__by_log_scale(codes, mean, scale, levels=256, low=-1.0, high=1.0, half_bin=None):
    return scale * likelihoods.scale_gradient(codes, mean, scale, levels, low, high, half_bin)


@killed_by("test_value")
def scale_gradient__of_the_density(codes, mean, scale, levels=256, low=-1.0, high=1.0, half_bin=None):
    u = (low + (high - low) / (levels - 1) * codes - mean) / scale
    return (u * torch.tanh(u / 2) - 1) / scale


@killed_by("test_scale_gradient_far_in_the_tail_is_not_flushed")
def scale_gradient__flushed_where_the_logistic_function_is(
    codes, mean, scale, levels=256, low=-1.0, high=1.0, half_bin=None
):
    value = likelihoods.scale_gradient(codes, mean, scale, levels, low, high, half_bin)
    distance = (low + (high - low) / (levels - 1) * codes - mean).abs() / scale
    return torch.where(torch.sigmoid(-distance) == 0, 0, value)


@killed_by("test_value")
def total_mass__one(mean, scale, levels=256, low=-1.0, high=1.0, half_bin=None):
    return torch.ones_like(mean * scale)


@killed_by("test_total_mass_is_one_in_single_precision")
def total_mass__edges_rounded_bin_by_bin(mean, scale, levels=256, low=-1.0, high=1.0, half_bin=None):
    masses = likelihoods.discretised_logistic(
        torch.arange(levels), mean[..., None], scale[..., None], levels, low, high, half_bin
    )
    return masses.exp().sum(-1)


@killed_by("test_total_mass_is_one_without_overlap")
def total_mass__tails_missing(mean, scale, levels=256, low=-1.0, high=1.0, half_bin=None):
    half = 0.5 * (high - low) / (levels - 1)
    tails = torch.sigmoid((low - half - mean) / scale) + torch.sigmoid(-(high + half - mean) / scale)
    return likelihoods.total_mass(mean, scale, levels, low, high, half_bin) - tails


@killed_by("test_value")
def mixture_sample__noise_divided_by_temperature(
    logits, means, log_scales, coefficients, component_noise, noise, low=-1.0, high=1.0, temperature=1.0, margin=1e-5
):
    scales = log_scales - 2 * math.log(temperature)
    return likelihoods.mixture_sample(
        logits, means, scales, coefficients, component_noise, noise, low, high, temperature, margin
    )


@killed_by("test_mixture_sample_stays_between_the_ends")
def mixture_sample__not_clipped(
    logits, means, log_scales, coefficients, component_noise, noise, low=-1.0, high=1.0, temperature=1.0, margin=1e-5
):
    return likelihoods.mixture_sample(
        logits, means, log_scales, coefficients, component_noise, noise, 9 * low, 9 * high, temperature, margin
    )


@killed_by("test_value")
def mixture_mean__green_not_clipped(logits, means, coefficients=None, low=-1.0, high=1.0):
    return likelihoods.mixture_mean(logits, means, coefficients, -math.inf, math.inf).clamp(low, high)


@killed_by("test_mixture_mean_lies_between_the_locations")
def mixture_mean__weights_not_normalised(logits, means, coefficients=None, low=-1.0, high=1.0):
    return (logits.exp()[..., None, :, :, :] * means).sum(-3).clamp(low, high)


@killed_by("test_value")
def categorical_sample__mode(logits, noise):
    return logits.argmax(-1)


@killed_by("test_value")
def categorical_mean__mode(logits):
    return logits.argmax(-1).to(logits.dtype)


@killed_by("test_value")
def bitwise_sample__most_significant_first(logits, noise):
    return likelihoods.bitwise_sample(logits.flip(-1), noise.flip(-1))


@killed_by("test_value")
def bitwise_mean__most_significant_first(logits):
    return likelihoods.bitwise_mean(logits.flip(-1))


@killed_by("test_value")
def logistic_sample__standard_deviation_for_scale(mean, scale, noise):
    return likelihoods.logistic_sample(mean, scale * math.sqrt(3) / math.pi, noise)


@killed_by("test_logistic_sample_is_the_mean_in_the_middle")
def logistic_sample__half_of_the_logit(mean, scale, noise):
    return mean - scale * noise.log()


@killed_by("test_categorical_sample_in_half_precision")
def categorical_sample__clocks_in_half_precision(logits, noise):
    return (logits - (-noise.log()).log()).argmax(-1)


@killed_by("test_bitwise_sample_in_half_precision")
def bitwise_sample__scores_in_half_precision(logits, noise):
    return from_bits(torch.logit(noise) < logits)

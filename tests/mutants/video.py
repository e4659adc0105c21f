"""Faults of the video functions."""

from __future__ import annotations

from tests.mutants import killed_by
from vaes.ops import video


@killed_by("test_value")
def sequence_nelbo__mean_over_frames(squared_error, kl, log_sigma, dims):
    return video.sequence_nelbo(squared_error, kl, log_sigma, dims) / squared_error.shape[0]


@killed_by("test_sequence_nelbo_adds_frames")
def sequence_nelbo__constant_of_one_frame(squared_error, kl, log_sigma, dims):
    one = video.sequence_nelbo(0 * squared_error[:1], 0 * kl[:1], log_sigma, dims)
    return video.sequence_nelbo(squared_error, kl, log_sigma, dims) - (squared_error.shape[0] - 1) * one


@killed_by("test_ratios_are_linear_in_the_prediction")
def ink_ratio__squared(predicted, true):
    return predicted.square().sum((-2, -1)) / true.square().sum((-2, -1))


@killed_by("test_ratios_are_linear_in_the_prediction")
def peak_ratio__first_pixel(predicted, true):
    return predicted[..., 0, 0] / true.amax((-2, -1))


@killed_by("test_presence_ignores_brightness_and_contrast")
def presence__not_centred(predicted, template, threshold=0.5):
    return video.presence(predicted - 0.25, template, threshold) & (predicted.amax((-2, -1)) < 0.3)


@killed_by("test_value")
def presence__inverted(predicted, template, threshold=0.5):
    return ~video.presence(predicted, template, threshold)


@killed_by("test_best_of_n_sse_is_the_least")
def best_of_n_sse__mean_for_least(rollouts, true):
    return (rollouts - true).square().sum((-2, -1)).mean(0)


@killed_by("test_value")
def best_of_n_sse__pixel_by_pixel(rollouts, true):
    return (rollouts - true).square().amin(0).sum((-2, -1))


@killed_by("test_value")
def rollout_diversity__population(rollouts):
    return rollouts.var(0, correction=0).sum((-2, -1))


@killed_by("test_slope_of_the_diversity_of_near_rollouts_keeps_its_digits")
def rollout_diversity__around_a_rounded_mean(rollouts):
    return rollouts.var(0).sum((-2, -1))


@killed_by("test_rollout_diversity_vanishes_for_copies")
def rollout_diversity__over_pixels(rollouts):
    return rollouts.flatten(-2).var(-1, correction=0).sum(0)


@killed_by("test_psnr_ignores_the_scale_of_the_data")
def psnr__range_not_squared(mean_squared_error, data_range=1.0):
    return video.psnr(mean_squared_error, data_range**0.5)

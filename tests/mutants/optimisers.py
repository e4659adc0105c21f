"""Faults of the optimisers."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import optimisers as ops


@killed_by("test_value")
def adam__bias_not_corrected(parameter, gradient, first, second, count, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    return ops.adam(parameter, gradient, first, second, 100_000, rate, beta1, beta2, epsilon)


@killed_by("test_value")
def adam__epsilon_inside_the_root(
    parameter, gradient, first, second, count, rate, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    _, first, second = ops.adam(parameter, gradient, first, second, count, rate, beta1, beta2, epsilon)
    root = (second / (1 - beta2**count) + epsilon).sqrt()
    return parameter - rate * first / (1 - beta1**count) / root, first, second


@killed_by("test_adam_is_scale_invariant")
def adam__second_moment_not_squared(
    parameter, gradient, first, second, count, rate, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    return ops.adam(parameter, gradient, first, second, count, rate, beta1, beta2, 1e-2)


@killed_by("test_adamw_without_decay_is_adam")
def adamw__decay_in_the_gradient(
    parameter, gradient, first, second, count, rate, decay, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    gradient = gradient + decay * parameter
    return ops.adam(parameter, gradient, first, second, count, rate, beta1, beta2, epsilon)


@killed_by("test_value")
def adamw__decay_without_rate(
    parameter, gradient, first, second, count, rate, decay, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    return ops.adamw(parameter, gradient, first, second, count, rate, decay / rate, beta1, beta2, epsilon)


@killed_by("test_value")
def adamax__epsilon_in_the_denominator(
    parameter, gradient, first, norm, count, rate, decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    """TensorFlow's form."""
    gradient = gradient + decay * parameter
    first = beta1 * first + (1 - beta1) * gradient
    norm = torch.maximum(beta2 * norm, gradient.abs())
    return parameter - rate / (1 - beta1**count) * first / (norm + 1e-3), first, norm


@killed_by("test_adamax_first_step_is_at_most_the_rate")
def adamax__norm_corrected_too(
    parameter, gradient, first, norm, count, rate, decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    return ops.adamax(parameter, gradient, first, norm, count, rate / (1 - beta2**count), decay, beta1, beta2, epsilon)


@killed_by("test_ema_lies_between")
def ema__weights_swapped(average, parameter, decay):
    return ops.ema(average, parameter, 1 - decay)


@killed_by("test_value")
def ema__bias_corrected(average, parameter, decay):
    return ops.ema(average, parameter, decay) / (1 - decay**2 + 1e-3)


@killed_by("test_value")
def global_norm__sum_of_norms(gradients):
    return torch.stack([torch.linalg.vector_norm(g) for g in gradients]).sum()


@killed_by("test_global_norm_is_homogeneous")
def global_norm__square_overflows(gradients):
    return torch.stack([g.square().sum() for g in gradients]).sum().sqrt()


@killed_by("test_clip_by_global_norm_keeps_the_direction")
def clip_by_global_norm__by_value(gradients, most):
    return tuple(g.clamp(-most, most) for g in gradients)


@killed_by("test_value")
def clip_by_global_norm__always_rescaled(gradients, most):
    factor = most / ops.global_norm(gradients)
    return tuple(g * factor for g in gradients)


@killed_by("test_skips_are_the_complement_of_applied_updates")
def skips__nan_passes(norm, threshold):
    return norm >= threshold


@killed_by("test_value")
def skips__threshold_passes(norm, threshold):
    return torch.logical_not(norm <= threshold)


@killed_by("test_skip_rate_falls_with_the_threshold")
def skip_rate__nan_passes(norm, threshold):
    return (norm >= threshold).double().mean()


@killed_by("test_value")
def skip_rate__count_for_share(norm, threshold):
    return ops.skips(norm, threshold).double().sum()


@killed_by("test_value")
def diverged__total_for_consecutive(norm, threshold, patience=100):
    return ops.skips(norm, threshold).sum() >= patience


@killed_by("test_diverged_ignores_what_comes_after")
def diverged__at_the_end_only(norm, threshold, patience=100):
    return ops.diverged(norm[-patience:], threshold, patience)


@killed_by("test_all_finite_sees_one_bad_entry")
def all_finite__nan_only(gradients):
    return torch.stack([~torch.isnan(g).any() for g in gradients]).all()


@killed_by("test_value")
def all_finite__sum_may_cancel(gradients):
    return torch.isfinite(torch.stack([g.nan_to_num(posinf=1.0, neginf=-1.0).sum() for g in gradients]).sum())


@killed_by("test_unscale_loses_no_digits")
def unscale__first_only(gradients, scale):
    return gradients[0] / scale, *gradients[1:]


@killed_by("test_value")
def unscale__multiplied(gradients, scale):
    return ops.unscale(gradients, 1 / scale)


@killed_by("test_loss_scale_rules")
def loss_scale__streak_kept_after_overflow(scale, streak, usable, interval=2000):
    new, _ = ops.loss_scale(scale, streak, usable, interval)
    return new, torch.full_like(scale, streak + 1)


@killed_by("test_value")
def loss_scale__grows_one_step_late(scale, streak, usable, interval=2000):
    return ops.loss_scale(scale, streak - 1, usable, interval)


@killed_by("test_value")
def weight_decay_penalty__half_missing(weights, coefficient):
    return 2 * ops.weight_decay_penalty(weights, coefficient)


@killed_by("test_weight_decay_penalty_is_quadratic")
def weight_decay_penalty__norm_not_squared(weights, coefficient):
    return coefficient * torch.stack([torch.linalg.vector_norm(w) for w in weights]).sum()


@killed_by("test_value")
def gradient_variance__biased(gradients):
    variance, ratio = ops.gradient_variance(gradients)
    shrink = (gradients.shape[0] - 1) / gradients.shape[0]
    return variance * shrink, ratio / shrink


@killed_by("test_gradient_variance_ignores_a_shift")
def gradient_variance__second_moment(gradients):
    return gradients.square().sum() / (gradients.shape[0] - 1), ops.gradient_variance(gradients)[1]


@killed_by("test_adam_carries_no_gradient")
def adam__gradient_not_stopped(parameter, gradient, first, second, count, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    return ops.adam.__wrapped__(parameter, gradient, first, second, count, rate, beta1, beta2, epsilon)


@killed_by("test_adamw_carries_no_gradient")
def adamw__gradient_not_stopped(
    parameter, gradient, first, second, count, rate, decay, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    return ops.adam.__wrapped__(
        parameter * (1 - rate * decay), gradient, first, second, count, rate, beta1, beta2, epsilon
    )


@killed_by("test_adamax_carries_no_gradient")
def adamax__gradient_not_stopped(
    parameter, gradient, first, norm, count, rate, decay=0.0, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    return ops.adamax.__wrapped__(parameter, gradient, first, norm, count, rate, decay, beta1, beta2, epsilon)


@killed_by("test_ema_carries_no_gradient")
def ema__gradient_not_stopped(average, parameter, decay):
    return ops.ema.__wrapped__(average, parameter, decay)


@killed_by("test_skip_rate_carries_no_gradient")
def skip_rate__gradient_of_a_smooth_threshold(norm, threshold):
    return torch.sigmoid(norm - threshold).mean()

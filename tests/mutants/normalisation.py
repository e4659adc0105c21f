"""Faults of the normalisations."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import normalisation as ops


@killed_by("test_batch_norm_forgets_scale_and_shift")
def batch_norm__unbiased_variance(x, gain, bias, epsilon=1e-5):
    count = x.numel() // x.shape[1]
    return ops.batch_norm(x, gain * ((count - 1) / count) ** 0.5, bias, epsilon)


@killed_by("test_batch_norm_of_two_images_knows_their_difference_alone")
def batch_norm__around_a_rounded_mean(x, gain, bias, epsilon=1e-5):
    variance, mean = torch.var_mean(x, dim=(0, *range(2, x.ndim)), correction=0)
    return ops.batch_norm_eval(x, gain, bias, mean, variance, epsilon)


@killed_by("test_batch_norm_gradient_sums_to_zero")
def batch_norm__statistics_detached(x, gain, bias, epsilon=1e-5):
    variance, mean = torch.var_mean(x.detach(), dim=(0, *range(2, x.ndim)), correction=0)
    return ops.batch_norm_eval(x, gain, bias, mean, variance, epsilon)


@killed_by("test_value")
def batch_norm__epsilon_outside_the_root(x, gain, bias, epsilon=1e-5):
    variance, mean = torch.var_mean(x, dim=(0, *range(2, x.ndim)), correction=0)
    return ops.batch_norm_eval(x, gain, bias, mean, (variance.sqrt() + epsilon).square(), 0.0)


@killed_by("test_batch_norm_eval_is_affine")
def batch_norm_eval__variance_for_deviation(x, gain, bias, mean, variance, epsilon=1e-5):
    return ops.batch_norm_eval(x, gain, bias, mean, variance.square(), epsilon)


@killed_by("test_value")
def running_statistics__biased_variance(mean, variance, x, momentum):
    count = x.numel() // x.shape[1]
    new_mean, new_variance = ops.running_statistics(mean, variance, x, momentum)
    kept = (1 - momentum) * variance
    return new_mean, kept + (new_variance - kept) * (count - 1) / count


@killed_by("test_running_statistics_at_the_ends")
def running_statistics__momentum_of_tensorflow(mean, variance, x, momentum):
    return ops.running_statistics(mean, variance, x, 1 - momentum)


@killed_by("test_readjusted_statistics_are_repeated_updates")
def readjusted_statistics__plain_average(mean, variance, batches, momentum):
    axes = (1, *range(3, batches.ndim))
    return batches.mean(axes).mean(0), batches.var(axes).mean(0)


@killed_by("test_value")
def readjusted_statistics__order_reversed(mean, variance, batches, momentum):
    return ops.readjusted_statistics(mean, variance, batches.flip(0), momentum)


@killed_by("test_effective_batches_lie_between_one_and_twice_the_memory")
def effective_batches__memory(momentum):
    return 1 / momentum


@killed_by("test_batch_norm_swish_backward_is_exact")
def batch_norm_swish__activation_kept(x, gain, bias, epsilon=1e-5):
    return torch.nn.functional.silu(ops.batch_norm(x, gain, bias, epsilon))


@killed_by("test_batch_norm_swish_is_swish_of_batch_norm")
def batch_norm_swish__bias_after_swish(x, gain, bias, epsilon=1e-5):
    shift = bias.reshape(-1, *[1] * (x.ndim - 2))
    return ops.batch_norm_swish(x, gain, torch.zeros_like(bias), epsilon) + shift


@killed_by("test_gradient")
def batch_norm_swish__backward_of_evaluation(x, gain, bias, epsilon=1e-5):
    variance, mean = torch.var_mean(x.detach(), dim=(0, *range(2, x.ndim)), correction=0)
    return ops.batch_norm_swish_eval(x, gain, bias, mean, variance, epsilon)


@killed_by("test_batch_norm_swish_eval_is_swish_of_the_affine_map")
def batch_norm_swish_eval__rectifier(x, gain, bias, mean, variance, epsilon=1e-5):
    return ops.batch_norm_eval(x, gain, bias, mean, variance, epsilon).relu()


@killed_by("test_value")
def batch_norm_swish_eval__batch_statistics(x, gain, bias, mean, variance, epsilon=1e-5):
    return ops.batch_norm_swish(x, gain, bias, epsilon)


@killed_by("test_gain_penalty_shares_the_gradient_between_ties")
def gain_penalty__first_of_the_ties(gains):
    return torch.stack([g.abs().max(0).values for g in gains]).sum()


@killed_by("test_value")
def gain_penalty__signed(gains):
    return torch.stack([g.amax() for g in gains]).sum()


@killed_by("test_weight_norm_forgets_the_size_of_the_direction")
def weight_norm__square_missing_root(direction, gain, epsilon=0.0):
    norm = direction.flatten(1).square().sum(1)
    return direction * (gain / (norm + epsilon)).reshape(-1, *[1] * (direction.ndim - 1))


@killed_by("test_weight_norm_gradient_is_orthogonal_to_the_direction")
def weight_norm__norm_detached(direction, gain, epsilon=0.0):
    norm = torch.linalg.vector_norm(direction.detach().flatten(1), dim=1)
    return direction * (gain / (norm + epsilon)).reshape(-1, *[1] * (direction.ndim - 1))


@killed_by("test_initial_log_gain_exceeds_the_norm")
def initial_log_gain__logarithm_of_the_norm(direction):
    return torch.linalg.vector_norm(direction.flatten(1), dim=1).log()


@killed_by("test_init_centres_the_output")
def init_by_deviation__bias_not_scaled(output, target=0.2, epsilon=1e-5):
    gain, bias = ops.init_by_deviation(output, target, epsilon)
    return gain, bias / gain


@killed_by("test_value")
def init_by_deviation__biased(output, target=0.2, epsilon=1e-5):
    count = output.numel() // output.shape[1]
    gain, bias = ops.init_by_deviation(output, target, epsilon)
    return gain * (count / (count - 1)) ** 0.5, bias * (count / (count - 1)) ** 0.5


@killed_by("test_init_centres_the_output")
def init_by_variance__sign_of_the_bias(output, target=0.01, epsilon=1e-8):
    gain, bias = ops.init_by_variance(output, target, epsilon)
    return gain, -bias


@killed_by("test_value")
def init_by_variance__unbiased(output, target=0.01, epsilon=1e-8):
    count = output.numel() // output.shape[1]
    gain, bias = ops.init_by_variance(output, target, epsilon)
    return gain * ((count - 1) / count) ** 0.5, bias * ((count - 1) / count) ** 0.5

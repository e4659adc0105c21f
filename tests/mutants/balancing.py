"""Faults of the balancing functions."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import balancing


@killed_by("test_value")
def free_bits__maximum_per_image(layer_terms, floor):
    return layer_terms.clamp(min=floor).mean(1).sum()


@killed_by("test_free_bits_never_fall_below_the_allowance")
def free_bits__subtracted(layer_terms, floor):
    return (layer_terms.mean(1) - floor).clamp(min=0).sum()


@killed_by("test_free_bits_give_no_gradient_below_the_floor")
def free_bits__gradient_through_the_floor(layer_terms, floor):
    mean = layer_terms.mean(1)
    return (mean + (mean.clamp(min=floor) - mean).detach()).sum()


@killed_by("test_free_bits_per_image_do_not_mix_images")
def free_bits_per_image__maximum_of_the_mean(layer_terms, floor):
    return balancing.free_bits(layer_terms, floor).expand(layer_terms.shape[1])


@killed_by("test_value")
def free_bits_per_image__floor_on_the_sum(layer_terms, floor):
    return layer_terms.sum(0).clamp(min=floor * layer_terms.shape[0])


@killed_by("test_soft_free_bits_stay_in_range")
def soft_free_bits__direction_reversed(rates, group_kl, target, step=0.1, least=0.01):
    return balancing.soft_free_bits(rates, group_kl, target, -step, least)


@killed_by("test_value")
def soft_free_bits__additive_step(rates, group_kl, target, step=0.1, least=0.01):
    above = group_kl.mean(1) > target
    return torch.where(above, rates + step, rates - step).clamp(least, 1)


@killed_by("test_soft_free_bits_carry_no_gradient")
def soft_free_bits__gradient_not_stopped(rates, group_kl, target, step=0.1, least=0.01):
    return balancing.soft_free_bits.__wrapped__(rates, group_kl, target, step, least)


@killed_by("test_balance_weights_have_mean_one")
def balance_weights__sum_one(group_kl, factor, floor):
    return balancing.balance_weights(group_kl, factor, floor) / factor.shape[0]


@killed_by("test_value")
def balance_weights__size_divided(group_kl, factor, floor):
    """The two readings of NVAE exchanged."""
    return balancing.balance_weights(group_kl, 1 / factor, floor)


@killed_by("test_value")
def balance_weights__sign_cancels(group_kl, factor, floor):
    return balancing.balance_weights(group_kl.mean(1, keepdim=True), factor, floor)


@killed_by("test_balance_weights_carry_no_gradient")
def balance_weights__gradient_not_stopped(group_kl, factor, floor):
    raw = factor * (group_kl.abs().mean(1) + floor)
    return raw / raw.mean()


@killed_by("test_scale_weights_start_at_one")
def scale_weights__not_rescaled(groups):
    return 4.0 ** torch.arange(groups.shape[0], dtype=torch.float64) / groups


@killed_by("test_value")
def scale_weights__twice_per_scale(groups):
    size = 2.0 ** torch.arange(groups.shape[0], dtype=torch.float64) / groups
    return size / size.amin()


@killed_by("test_balance_excess_is_never_negative")
def balance_excess__sign(group_kl, floor):
    return -balancing.balance_excess(group_kl, floor) - 1e-3


@killed_by("test_balance_excess_of_equal_groups_is_nothing")
def balance_excess__around_a_rounded_mean(group_kl, floor):
    mean = group_kl.mean()
    return (group_kl - mean).square().sum() / (mean + floor)


@killed_by("test_value")
def balance_excess__unbiased_variance(group_kl, floor):
    groups = group_kl.shape[0]
    return balancing.balance_excess(group_kl, floor) * groups / max(groups - 1, 1)


@killed_by("test_training_loss_is_a_mean")
def training_loss__sum_over_images(negative_log_likelihood, group_kl, weight, group_weights, dims):
    loss = balancing.training_loss(negative_log_likelihood, group_kl, weight, group_weights, dims)
    return loss * negative_log_likelihood.shape[0]


@killed_by("test_value")
def training_loss__likelihood_not_divided(negative_log_likelihood, group_kl, weight, group_weights, dims):
    zero = torch.zeros_like(negative_log_likelihood)
    return negative_log_likelihood.mean() + balancing.training_loss(zero, group_kl, weight, group_weights, dims)


@killed_by("test_regularised_loss_grows_with_the_penalties")
def regularised_loss__penalty_subtracted(
    negative_log_likelihood, group_kl, weight, group_weights, penalties, coefficient
):
    return balancing.regularised_loss(negative_log_likelihood, group_kl, weight, group_weights, penalties, -coefficient)


@killed_by("test_value")
def regularised_loss__penalties_averaged(
    negative_log_likelihood, group_kl, weight, group_weights, penalties, coefficient
):
    mean = penalties.mean(0, keepdim=True)
    return balancing.regularised_loss(negative_log_likelihood, group_kl, weight, group_weights, mean, coefficient)

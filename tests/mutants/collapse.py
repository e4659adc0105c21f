"""Faults of the collapse diagnostics."""

from __future__ import annotations

import math

import torch

from tests.mutants import killed_by
from vaes.ops import collapse


@killed_by("test_value")
def within_variance__population(posterior_means):
    return posterior_means.var(0, correction=0).mean(0)


@killed_by("test_within_variance_of_equal_draws_is_nothing")
def within_variance__about_a_rounded_mean(posterior_means):
    return posterior_means.var(0).mean(0)


@killed_by("test_value")
def between_variance__noise_counted(posterior_means):
    return posterior_means.mean(0).var(0)


@killed_by("test_between_variance_of_nearly_equal_means_keeps_its_digits")
def between_variance__of_rounded_means(posterior_means):
    within = (posterior_means - posterior_means[0]).var(0).mean(0)
    return posterior_means.mean(0).var(0) - within / posterior_means.shape[0]


@killed_by("test_value")
def between_variance__one_sample(posterior_means):
    return posterior_means[0].var(0)


@killed_by("test_active_units_are_those_above_the_threshold")
def active_units__inverted(posterior_means, threshold=0.01):
    return ~collapse.active_units(posterior_means, threshold)


@killed_by("test_value")
def active_units__standard_deviation(posterior_means, threshold=0.01):
    return collapse.between_variance(posterior_means).clamp(min=0).sqrt() > threshold


@killed_by("test_between_fraction_is_a_share")
def between_fraction__ratio(posterior_means):
    return collapse.between_variance(posterior_means).sum() / collapse.within_variance(posterior_means).sum()


@killed_by("test_top_down_gap_changes_sign_with_its_sides")
def top_down_gap__absolute(log_likelihood_own, log_likelihood_other):
    return (log_likelihood_own - log_likelihood_other).abs().mean()


@killed_by("test_rate_is_the_sum_over_the_count")
def rate__sum_for_mean(kl):
    return kl.sum()


@killed_by("test_is_collapsed_needs_both")
def is_collapsed__either(active, kl, kl_threshold=0.1):
    return ~active.any(-1) | (kl < kl_threshold)


@killed_by("test_active_channels_of_the_paper_are_among_those_of_the_code")
def active_channels__readings_swapped(kl, threshold=0.1, mean_over_space=True):
    return collapse.active_channels(kl, threshold, not mean_over_space)


@killed_by("test_value")
def active_channels__in_bits(kl, threshold=0.1, mean_over_space=True):
    return collapse.active_channels(kl, 0.69314718 * threshold, mean_over_space)


@killed_by("test_kl_per_group_adds_up")
def kl_per_group__mean_over_space(kl):
    return torch.stack([group.mean() for group in kl])


@killed_by("test_inactive_groups_never_take_the_largest")
def inactive_groups__of_the_sum(group_kl, fraction=0.01):
    return group_kl < 100 * fraction * group_kl.sum()


@killed_by("test_value")
def active_groups__in_nats(group_kl, dims, threshold=1e-4):
    return collapse.active_groups(group_kl, [d / 0.69314718 for d in dims], threshold)


@killed_by("test_active_groups_fall_with_the_threshold")
def active_groups__inactive_counted(group_kl, dims, threshold=1e-4):
    return len(dims) - collapse.active_groups(group_kl, dims, threshold)


@killed_by("test_generalisation_gap_changes_sign_with_its_sides")
def generalisation_gap__absolute(validation, training):
    return (validation.mean() - training.mean()).abs()


@killed_by("test_mutual_information_is_bounded_by_the_images")
def mutual_information__marginal_not_averaged(log_density):
    return collapse.mutual_information(log_density) + log_density.shape[0]


@killed_by("test_mutual_information_at_50_digits")
def mutual_information__log_count_subtracted(log_density):
    per_image = log_density.logsumexp(-1)
    return (per_image.diagonal() - per_image.logsumexp(1)).mean() + math.log(log_density.shape[0])


@killed_by("test_value")
def mutual_information__log_of_each_draw(log_density):
    own = log_density.diagonal(dim1=0, dim2=1).mean()
    return own - (log_density.flatten(1).logsumexp(1) - log_density[0].numel() ** 0.5).mean()


@killed_by("test_value")
def phase_transition__raw_curve(rho, curve):
    """Without the monotone fit, noise decides the sharpness."""
    half, onset, width, _ = collapse.phase_transition(rho, curve)
    return half, onset, width, (curve.diff() / rho.diff() / curve[0]).abs().max()


@killed_by("test_phase_transition_ignores_the_unit_of_the_curve")
def phase_transition__not_normalised(rho, curve):
    half, onset, width, sharpness = collapse.phase_transition(rho, curve)
    return half, onset, width, sharpness * curve[0]


@killed_by("test_same_critical_rho_is_symmetric")
def same_critical_rho__one_sided(first, second, step, half_width):
    return first - second <= torch.maximum(step, half_width)


@killed_by("test_value")
def same_critical_rho__smaller_of_both(first, second, step, half_width):
    return (first - second).abs() <= torch.minimum(step, half_width)

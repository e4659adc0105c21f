"""Faults of the linear-Gaussian model of collapse."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import linear_gaussian


@killed_by("test_objective_is_bounded_by_the_profile")
def objective__sign_of_the_entropy(slope_q, slope_p, scale_q, scale_p, variance, strength):
    return linear_gaussian.objective(slope_q, slope_p, scale_q, scale_p, variance, strength) + 2 * scale_q.log()


@killed_by("test_objective_grows_with_the_strength")
def objective__strength_squared(slope_q, slope_p, scale_q, scale_p, variance, strength):
    return linear_gaussian.objective(slope_q, slope_p, scale_q, scale_p, variance, strength.square())


@killed_by("test_value")
def objective__squared_mean_smoothed_too(slope_q, slope_p, scale_q, scale_p, variance, strength):
    extra = (strength - 1) * variance * ((1 - slope_p * slope_q) / scale_p).square()
    return linear_gaussian.objective(slope_q, slope_p, scale_q, scale_p, variance, strength) + 0.5 * extra


@killed_by("test_gradient")
def objective__no_gradient_to_the_posterior(slope_q, slope_p, scale_q, scale_p, variance, strength):
    return linear_gaussian.objective(slope_q.detach(), slope_p, scale_q, scale_p, variance, strength)


@killed_by("test_top_kl_vanishes_at_collapse")
def top_kl__one_forgotten(slope_q, scale_q, variance):
    return linear_gaussian.top_kl(slope_q, scale_q, variance) + 0.5


@killed_by("test_top_kl_is_non_negative")
def top_kl__sign(slope_q, scale_q, variance):
    return -linear_gaussian.top_kl(slope_q, scale_q, variance)


@killed_by("test_value")
def top_kl__cancels(slope_q, scale_q, variance):
    return 0.5 * (slope_q.square() * variance + scale_q.square() - 1 - scale_q.square().log())


@killed_by("test_collapsed_objective_follows_the_units")
def collapsed_objective__half_missing(variance):
    return variance.log() + 0.5


@killed_by("test_profile_lies_between_collapse_and_its_infimum")
def profile__sign(ratio, strength):
    gain, divergence = linear_gaussian.profile(ratio, strength)
    return -gain, divergence


@killed_by("test_profile_of_a_small_strength_keeps_its_digits")
def profile__of_what_is_lost(ratio, strength):
    divergence = linear_gaussian.profile(ratio, strength)[1]
    return 0.5 * torch.log1p(-(1 - strength) / (1 + strength * ratio)), divergence


@killed_by("test_value")
def profile__printed_form_cancels(ratio, strength):
    gain = 0.5 * (strength * (1 + ratio) / (1 + strength * ratio)).log()
    return gain, linear_gaussian.profile(ratio, strength)[1]


@killed_by("test_value")
def profile__half_missing(ratio, strength):
    gain, divergence = linear_gaussian.profile(ratio, strength)
    return gain, 2 * divergence


@killed_by("test_collapse_is_a_saddle_exactly_below_strength_one")
def hessian_at_collapse__cross_term_missing(variance, strength):
    found = linear_gaussian.hessian_at_collapse(variance, strength)
    return found * torch.eye(2, dtype=found.dtype)


@killed_by("test_value")
def hessian_at_collapse__order_swapped(variance, strength):
    return linear_gaussian.hessian_at_collapse(variance, strength).flip(-1, -2)


@killed_by("test_value")
def descend__one_step_too_many(strength, steps, rate=0.05, start=0.02, floor=0.05, variance=1.0):
    return linear_gaussian.descend(strength, steps + 1, rate, start, floor, variance)


@killed_by("test_value")
def descend__floor_of_the_variance(strength, steps, rate=0.05, start=0.02, floor=0.05, variance=1.0):
    return linear_gaussian.descend(strength, steps, rate, start, floor**2, variance)


@killed_by("test_descend_keeps_the_symmetry_of_the_signs")
def descend__slopes_start_apart(strength, steps, rate=0.05, start=0.02, floor=0.05, variance=1.0):
    slope_q, *others = linear_gaussian.descend(strength, steps, rate, start, floor, variance)
    return slope_q.abs(), *others


@killed_by("test_gradient")
def descend__strength_detached(strength, steps, rate=0.05, start=0.02, floor=0.05, variance=1.0):
    found = linear_gaussian.descend(strength.detach(), steps, rate, start, floor, variance)
    return tuple(value + 0 * strength for value in found)


@killed_by("test_smoothed_excess_vanishes_only_without_smoothing")
def smoothed_excess__as_without_a_posterior(slope_p, scale_p, strength):
    signal = (slope_p / scale_p).square()
    return 0.5 * torch.log1p(signal / (1 + strength * signal))


@killed_by("test_value")
def smoothed_excess__half_missing(slope_p, scale_p, strength):
    return 2 * linear_gaussian.smoothed_excess(slope_p, scale_p, strength)

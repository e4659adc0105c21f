"""Faults of the collapse diagnostics."""

from __future__ import annotations

from tests.mutants import killed_by
from vaes.ops import collapse


@killed_by("test_value")
def within_variance__population(posterior_means):
    return posterior_means.var(0, correction=0).mean(0)


@killed_by("test_value")
def between_variance__noise_counted(posterior_means):
    return posterior_means.mean(0).var(0)


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

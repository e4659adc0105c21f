"""Faults of the samplers."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import sampling


@killed_by("test_value")
def tempered__variance_multiplied(mean, scale, noise, temperature):
    return sampling.tempered(mean, scale, noise, temperature.sqrt())


@killed_by("test_tempered_between_the_mode_and_the_model")
def tempered__mean_shrunk_too(mean, scale, noise, temperature):
    return temperature * sampling.tempered(mean, scale, noise, 1.0)


@killed_by("test_fixed_scales_keeps_a_prefix")
def fixed_scales__bottom_kept(kept, fresh, groups, fixed):
    return sampling.fixed_scales(fresh, kept, groups, len(groups) - fixed)


@killed_by("test_value")
def fixed_scales__groups_for_scales(kept, fresh, groups, fixed):
    return (*kept[:fixed], *fresh[fixed:])


@killed_by("test_value")
def explained_share__within_not_subtracted(images):
    means = images.mean(1)
    within = images.var(1).mean(0).sum()
    between = means.var(0).sum()
    return between / (between + within)


@killed_by("test_explained_share_ignores_units_and_means")
def explained_share__share_of_the_rest(images):
    return 1 - sampling.explained_share(images)


@killed_by("test_value")
def smoothed_posterior_sample__log_scales_averaged(f, mean, scale, noise, fresh, upper_noise, rho):
    def same_log_scale(z):
        means, log_scales = f(z).chunk(2, -1)
        return torch.cat([means, log_scales.mean(0, keepdim=True).expand_as(means)], -1)

    return sampling.smoothed_posterior_sample(same_log_scale, mean, scale, noise, fresh, upper_noise, rho)


@killed_by("test_smoothed_posterior_at_rho_one_is_the_posterior")
def smoothed_posterior_sample__upper_noise_ignored(f, mean, scale, noise, fresh, upper_noise, rho):
    return sampling.smoothed_posterior_sample(f, mean, scale, noise, fresh, 0 * upper_noise, rho)

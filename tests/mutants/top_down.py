"""Faults of the top-down hierarchies."""

from __future__ import annotations

from tests.mutants import killed_by
from vaes.ops import top_down


@killed_by("test_value")
def log_density__first_group_forgotten(z, mean, scale):
    return top_down.log_density(z[1:], mean[1:], scale[1:]) if len(z) > 1 else top_down.log_density(z, mean, scale)


@killed_by("test_log_density_of_a_permuted_group")
def log_density__last_group_twice(z, mean, scale):
    return top_down.log_density([*z, z[-1]], [*mean, mean[-1]], [*scale, scale[-1]])


@killed_by("test_log_joint_adds_the_prior_once")
def log_joint__conditional_returned(log_likelihood, z, mean_p, scale_p):
    return log_likelihood + 0 * top_down.log_density(z, mean_p, scale_p)


@killed_by("test_value")
def group_kl__mean_over_variables(mean_q, scale_q, mean_p, scale_p):
    return top_down.group_kl(mean_q, scale_q, mean_p, scale_p) / mean_q[0].shape[-1]


@killed_by("test_group_kl_does_not_mix_groups")
def group_kl__running_sum(mean_q, scale_q, mean_p, scale_p):
    return top_down.group_kl(mean_q, scale_q, mean_p, scale_p).cumsum(0)


@killed_by("test_value")
def elbo__mean_over_groups(log_likelihood, mean_q, scale_q, mean_p, scale_p):
    return log_likelihood - top_down.group_kl(mean_q, scale_q, mean_p, scale_p).mean(0)


@killed_by("test_elbo_without_divergence_is_the_likelihood")
def elbo__sign(log_likelihood, mean_q, scale_q, mean_p, scale_p):
    return log_likelihood + top_down.group_kl(mean_q, scale_q, mean_p, scale_p).sum(0)

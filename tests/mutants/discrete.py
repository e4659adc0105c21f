"""Faults of the binary variables and their bounds."""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from tests.mutants import killed_by
from vaes.ops import discrete


@killed_by("test_value")
def bernoulli_log_pmf__probability_for_logit(z, logits):
    return discrete.bernoulli_log_pmf(z, logits.sigmoid())


@killed_by("test_value")
def bernoulli_log_pmf__mean_for_sum(z, logits):
    return discrete.bernoulli_log_pmf(z, logits) / logits.shape[-1]


@killed_by("test_bernoulli_pmf_sums_to_one")
def bernoulli_log_pmf__clipped_probability(z, logits):
    p = logits.sigmoid().clamp(0.01, 0.99)
    return torch.where(z > 0, p, 1 - p).log().sum(-1) * 0.9


@killed_by("test_value")
def bernoulli_entropy__printed_form_at_certain_values(logits):
    return (softplus(logits) - logits * logits.sigmoid()).sum(-1)


@killed_by("test_bernoulli_entropy_is_even_and_bounded")
def bernoulli_entropy__bits(logits):
    return discrete.bernoulli_entropy(logits) * 1.4426950408889634


@killed_by("test_gradient")
def bernoulli_entropy__gradient_detached(logits):
    return discrete.bernoulli_entropy(logits.detach()) + 0 * logits.clamp(-1e3, 1e3).sum(-1)


@killed_by("test_value")
def bernoulli_kl__printed_form_cancels(logits, prior_logits):
    terms = logits.sigmoid() * (logits - prior_logits) + softplus(prior_logits) - softplus(logits)
    return terms.sum(-1)


@killed_by("test_value")
def bernoulli_kl__arguments_swapped(logits, prior_logits):
    return discrete.bernoulli_kl(prior_logits, logits)


@killed_by("test_bernoulli_kl_is_non_negative")
def bernoulli_kl__sign(logits, prior_logits):
    return -discrete.bernoulli_kl(logits, prior_logits)


@killed_by("test_gradient")
def bernoulli_kl__prior_detached(logits, prior_logits):
    return discrete.bernoulli_kl(logits, prior_logits.detach())


@killed_by("test_posterior_given_zeta_is_a_probability")
def posterior_given_zeta__prior_forgotten(logits, log_ratio):
    return log_ratio.sigmoid()


@killed_by("test_value")
def posterior_given_zeta__ratio_reversed(logits, log_ratio):
    return (logits - log_ratio).sigmoid()


@killed_by("test_value")
def joint_elbo__divergence_added(log_likelihood, logits, prior_logits):
    return log_likelihood.mean(0) + discrete.bernoulli_kl(logits, prior_logits)


@killed_by("test_bounds_agree_for_equal_distributions")
def joint_elbo__sum_over_samples(log_likelihood, logits, prior_logits):
    return log_likelihood.sum(0) - discrete.bernoulli_kl(logits, prior_logits)


@killed_by("test_value")
def marginal_elbo__joint_divergence(log_likelihood, logits, prior_logits, log_ratio):
    """The divergence of the joint bound in the marginal one."""
    return discrete.joint_elbo(log_likelihood, logits, prior_logits)


@killed_by("test_value")
def marginal_elbo__normalisers_forgotten(log_likelihood, logits, prior_logits, log_ratio):
    ratio = softplus(logits + log_ratio) - softplus(prior_logits + log_ratio)
    return (log_likelihood - ratio.sum(-1)).mean(0)


@killed_by("test_gap_at_the_ends")
def joint_marginal_gap__prior_not_updated(logits, prior_logits, log_ratio):
    return discrete.bernoulli_kl(logits + log_ratio, prior_logits + 0 * logits).mean(0)


@killed_by("test_value")
def joint_marginal_gap__sum_over_samples(logits, prior_logits, log_ratio):
    return discrete.joint_marginal_gap(logits, prior_logits, log_ratio) * log_ratio.shape[0]


@killed_by("test_value")
def directed_elbo__last_group_forgotten(log_likelihood, logits, prior_logits, log_ratio=None):
    shorter = None if log_ratio is None else [*log_ratio[:-1], 0 * log_ratio[-1]]
    return discrete.directed_elbo(
        log_likelihood, [*logits[:-1], 0 * logits[-1]], [*prior_logits[:-1], 0 * prior_logits[-1]], shorter
    )


@killed_by("test_directed_bound_of_one_group_is_the_plain_bound")
def directed_elbo__always_joint(log_likelihood, logits, prior_logits, log_ratio=None):
    return discrete.directed_elbo(log_likelihood, logits, prior_logits)


@killed_by("test_value")
def rbm_marginal_density__prior_partition_forgotten(log_density_0, log_ratio, bias_1, bias_2, weights):
    own = discrete.rbm_marginal_density(0 * log_density_0, bias_1.new_ones(()) * 0 * log_ratio, bias_1, bias_2, weights)
    return discrete.rbm_marginal_density(log_density_0, log_ratio, bias_1, bias_2, 0 * weights) + own


@killed_by("test_value")
def rbm_marginal_density__layers_exchanged(log_density_0, log_ratio, bias_1, bias_2, weights):
    turned = torch.cat([log_ratio[:, -1:], log_ratio[:, :-1]], 1)
    return discrete.rbm_marginal_density(log_density_0, turned, bias_1, bias_2, weights)


@killed_by("test_value")
def active_units__sample_variance(logits, threshold=0.05):
    return logits.sigmoid().var(0) > threshold


@killed_by("test_active_units_are_those_above_the_threshold")
def active_units__variance_of_logits(logits, threshold=0.05):
    return logits.var(0, correction=0) > threshold

"""Faults of the Boltzmann machines."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import boltzmann


@killed_by("test_value")
def energy__sign(left, right, bias_left, bias_right, coupling):
    return -boltzmann.energy(left, right, bias_left, bias_right, coupling)


@killed_by("test_value")
def energy__biases_left_out(left, right, bias_left, bias_right, coupling):
    return boltzmann.energy(left, right, 0 * bias_left, 0 * bias_right, coupling)


@killed_by("test_conditionals_are_differences_of_energies")
def conditionals__swapped_biases(left, right, bias_left, bias_right, coupling):
    one, two = boltzmann.conditionals(left, right, 0 * bias_left, 0 * bias_right, coupling)
    return torch.sigmoid(one.logit() + bias_left.flip(-1)), torch.sigmoid(two.logit() + bias_right.flip(-1))


@killed_by("test_block_gibbs_with_certain_units")
def block_gibbs__inverted(right, bias_left, bias_right, coupling, uniforms_left, uniforms_right):
    return boltzmann.block_gibbs(right, -bias_left, -bias_right, -coupling, uniforms_left, uniforms_right)


@killed_by("test_value")
def block_gibbs__one_update(right, bias_left, bias_right, coupling, uniforms_left, uniforms_right):
    return boltzmann.block_gibbs(right, bias_left, bias_right, coupling, uniforms_left[:1], uniforms_right[:1])


@killed_by("test_value")
def block_gibbs__both_layers_at_once(right, bias_left, bias_right, coupling, uniforms_left, uniforms_right):
    left = torch.zeros_like(uniforms_left[0])
    for one, two in zip(uniforms_left, uniforms_right, strict=True):
        p_left, p_right = boltzmann.conditionals(left, right, bias_left, bias_right, coupling)
        left, right = (one < p_left).to(coupling), (two < p_right).to(coupling)
    return left, right


@killed_by("test_value")
def persistent_update__chains_reset(right, bias_left, bias_right, coupling, uniforms_left, uniforms_right):
    return boltzmann.persistent_update(
        torch.zeros_like(right), bias_left, bias_right, coupling, uniforms_left, uniforms_right
    )


@killed_by("test_value")
def persistent_update__mean_of_the_old_state(right, bias_left, bias_right, coupling, uniforms_left, uniforms_right):
    left, right, _ = boltzmann.persistent_update(right, bias_left, bias_right, coupling, uniforms_left, uniforms_right)
    return left, right, right


@killed_by("test_log_partition_grows_by_a_free_unit")
def log_partition__mean_for_sum(bias_left, bias_right, coupling):
    return boltzmann.log_partition(bias_left, bias_right, coupling) - len(bias_left) * 0.6931471805599453


@killed_by("test_value")
def log_partition__largest_state(bias_left, bias_right, coupling):
    states = boltzmann.all_states(len(bias_left), bias_left)
    terms = states @ bias_left + torch.nn.functional.softplus(bias_right + states @ coupling).sum(-1)
    return terms.max()


@killed_by("test_moments_lie_within_their_bounds")
def moments__pairs_centred(bias_left, bias_right, coupling):
    one, two, pairs = boltzmann.moments(bias_left, bias_right, coupling)
    return one, two, pairs - one[:, None] * two


@killed_by("test_value")
def moments__pairs_of_means(bias_left, bias_right, coupling):
    one, two, _ = boltzmann.moments(bias_left, bias_right, coupling)
    return one, two, one[:, None] * two


@killed_by("test_value")
def log_partition_surrogate__sign(left, right, bias_left, bias_right, coupling):
    return -boltzmann.log_partition_surrogate(left, right, bias_left, bias_right, coupling)


@killed_by("test_gradient")
def log_partition_surrogate__detached(left, right, bias_left, bias_right, coupling):
    return boltzmann.log_partition_surrogate(left, right, bias_left, bias_right, coupling.detach())


@killed_by("test_surrogate_sends_no_gradient_into_the_samples")
def log_partition_surrogate__samples_attached(left, right, bias_left, bias_right, coupling):
    return -boltzmann.energy(left, right, bias_left, bias_right, coupling).mean(0)


def _cross_entropy(logits_left, logits_right, seen_left, bias_left, bias_right, coupling, log_partition):
    mean_left, mean_right = torch.sigmoid(logits_left), torch.sigmoid(logits_right)
    pairs = ((seen_left @ coupling) * mean_right).sum(-1)
    return log_partition - mean_left @ bias_left - mean_right @ bias_right - pairs


@killed_by("test_cross_entropy_sees_the_smoothed_latents")
def hierarchical_cross_entropy__plain_mean(
    logits_left, logits_right, ratios_left, ratios_right, groups_left, groups_right, bias_left, bias_right, coupling,
    log_partition,
):  # fmt: skip
    seen = torch.sigmoid(logits_left)
    return _cross_entropy(logits_left, logits_right, seen, bias_left, bias_right, coupling, log_partition)


@killed_by("test_cross_entropy_sees_the_smoothed_latents")
def hierarchical_cross_entropy__always_left_first(
    logits_left, logits_right, ratios_left, ratios_right, groups_left, groups_right, bias_left, bias_right, coupling,
    log_partition,
):  # fmt: skip
    seen = torch.sigmoid(logits_left + ratios_left)
    return _cross_entropy(logits_left, logits_right, seen, bias_left, bias_right, coupling, log_partition)


@killed_by("test_cross_entropy_sees_the_smoothed_latents")
def hierarchical_cross_entropy__pair_detached(
    logits_left, logits_right, ratios_left, ratios_right, groups_left, groups_right, bias_left, bias_right, coupling,
    log_partition,
):  # fmt: skip
    return boltzmann.hierarchical_cross_entropy(
        logits_left, logits_right, ratios_left.detach(), ratios_right.detach(), groups_left, groups_right, bias_left,
        bias_right, coupling, log_partition,
    )  # fmt: skip


@killed_by("test_kl_vanishes_at_an_independent_prior")
def hierarchical_kl__entropy_added(
    logits_left, logits_right, ratios_left, ratios_right, groups_left, groups_right, bias_left, bias_right, coupling,
    log_partition,
):  # fmt: skip
    arguments = (ratios_left, ratios_right, groups_left, groups_right, bias_left, bias_right, coupling, log_partition)
    cross_entropy = boltzmann.hierarchical_cross_entropy(logits_left, logits_right, *arguments)
    return 2 * cross_entropy - boltzmann.hierarchical_kl(logits_left, logits_right, *arguments)


@killed_by("test_spike_exp_surrogate_has_both_gradients")
def spike_exp_surrogate__pathwise_only(logits, left, mean_right, coupling):
    return ((left.to(coupling) @ coupling) * mean_right).sum(-1)


@killed_by("test_value")
def spike_exp_gradient__all_draws(logits, left, mean_right, coupling):
    return boltzmann.spike_exp_gradient(logits, torch.zeros_like(left), mean_right, coupling)


@killed_by("test_value")
def spike_exp_gradient__of_the_probability(logits, left, mean_right, coupling):
    return boltzmann.spike_exp_gradient(logits, left, mean_right, coupling) * torch.exp(-logits)


@killed_by("test_elbo_subtracts_every_divergence")
def elbo__mean_over_groups(log_likelihood, discrete_kl, group_kls):
    local = group_kls.mean(-1) if group_kls.shape[-1] else 0
    return log_likelihood - discrete_kl - local


@killed_by("test_value")
def log_weight__posterior_added(
    log_likelihood,
    left,
    right,
    logits_left,
    logits_right,
    bias_left,
    bias_right,
    coupling,
    log_partition,
    local_log_ratio,
):
    zeros = torch.zeros_like(log_partition), torch.zeros_like(local_log_ratio)
    plain = boltzmann.log_weight(
        torch.zeros_like(log_likelihood), left, right, logits_left, logits_right, 0 * bias_left, 0 * bias_right,
        0 * coupling, *zeros,
    )  # fmt: skip
    return -2 * plain + boltzmann.log_weight(
        log_likelihood, left, right, logits_left, logits_right, bias_left, bias_right, coupling, log_partition,
        local_log_ratio,
    )  # fmt: skip


@killed_by("test_log_weight_falls_with_log_partition")
def log_weight__unnormalised_prior(
    log_likelihood,
    left,
    right,
    logits_left,
    logits_right,
    bias_left,
    bias_right,
    coupling,
    log_partition,
    local_log_ratio,
):
    return boltzmann.log_weight(
        log_likelihood, left, right, logits_left, logits_right, bias_left, bias_right, coupling, 0 * log_partition,
        local_log_ratio,
    )  # fmt: skip


@killed_by("test_correction_is_undone_by_its_reverse")
def corrected_log_likelihood__used_left_out(log_likelihood, log_partition_used, log_partition):
    return log_likelihood - log_partition


@killed_by("test_value")
def corrected_log_likelihood__sign(log_likelihood, log_partition_used, log_partition):
    return log_likelihood + log_partition - log_partition_used

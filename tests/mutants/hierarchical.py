"""Faults of the hierarchical terms."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import gaussian, hierarchical


@killed_by("test_value")
def layer_terms__analytic_kl_below_the_top(z, mean_q, scale_q, mean_p, scale_p):
    """The formula printed as Eq. 1: an analytic KL for layers whose upper neighbour was drawn from them."""
    right = hierarchical.layer_terms(z, mean_q, scale_q, mean_p, scale_p)
    layers = zip(mean_q, scale_q, mean_p, scale_p, strict=False)
    return torch.stack([*(gaussian.kl(*layer) for layer in layers), right[-1]])


@killed_by("test_layer_terms_vanish_where_posterior_is_prior")
def layer_terms__top_prior_forgotten(z, mean_q, scale_q, mean_p, scale_p):
    right = hierarchical.layer_terms(z, mean_q, scale_q, mean_p, scale_p)
    top = gaussian.log_density(z[-1], mean_q[-1], scale_q[-1])
    return torch.cat([right[:-1], top[None]])


@killed_by("test_layer_terms_at_50_digits")
def layer_terms__difference_of_log_densities(z, mean_q, scale_q, mean_p, scale_p):
    prior_mean, prior_scale = [*mean_p, torch.zeros_like(z[-1])], [*scale_p, torch.ones_like(z[-1])]
    posterior = [gaussian.log_density(*layer) for layer in zip(z, mean_q, scale_q, strict=True)]
    prior = [gaussian.log_density(*layer) for layer in zip(z, prior_mean, prior_scale, strict=True)]
    return torch.stack(posterior) - torch.stack(prior)


@killed_by("test_elbo_charges_every_layer")
def elbo__mean_over_layers(log_likelihood, layer_terms):
    return log_likelihood - layer_terms.mean(0)


@killed_by("test_value")
def elbo__sign(log_likelihood, layer_terms):
    return log_likelihood + layer_terms.sum(0)


@killed_by("test_value")
def smoothed_conditional__root_mean_square_scale(mean_p, scale_p):
    return mean_p.mean(0), scale_p.square().mean(0).sqrt()


@killed_by("test_one_sample_is_not_smoothed")
def smoothed_conditional__sum(mean_p, scale_p):
    return mean_p.sum(0), scale_p.sum(0) * 2


@killed_by("test_value")
def smoothed_conditional_ratio__ratio_of_means(mean_p, scale_p):
    return mean_p.mean(0), scale_p.mean(0)


@killed_by("test_generated_layers_are_reparameterised")
def generate__deviation_squared(noise, conditionals):
    squared = [lambda z, f=f: (f(z)[0], f(z)[1].square()) for f in conditionals]
    samples = hierarchical.generate(noise, squared)
    return (*samples[:-1], samples[-1] + 0) if len(conditionals) else samples


@killed_by("test_value")
def generate__top_first(noise, conditionals):
    return tuple(reversed(hierarchical.generate(noise, conditionals)))


@killed_by("test_inferred_layers_follow_the_layer_below")
def infer__mean_fed_upwards(x, noise, conditionals):
    """The layer above sees the mean and not the sample."""
    samples, below = [], x
    for layer_noise, conditional in zip(noise, conditionals, strict=True):
        mean, scale = conditional(below)
        samples.append(mean + scale * layer_noise)
        below = mean
    return tuple(samples)


@killed_by("test_log_joint_and_layer_terms_share_the_prior")
def log_joint__top_prior_forgotten(log_likelihood, z, mean_p, scale_p):
    top = hierarchical.log_joint(0 * log_likelihood, z[-1:], [], [])
    return hierarchical.log_joint(log_likelihood, z, mean_p, scale_p) - top


@killed_by("test_total_kld_completes_the_elbo")
def total_kld__mean_over_layers(layer_terms):
    return layer_terms.mean(0)


@killed_by("test_value")
def smoothed_elbo__top_layer_not_weighted(log_likelihood, z, mean_q, scale_q, mean_p, scale_p, beta=1.0):
    bound = hierarchical.smoothed_elbo(log_likelihood, z, mean_q, scale_q, mean_p, scale_p, beta)
    return bound - (1 - beta) * hierarchical.layer_terms(z[-1:], mean_q[-1:], scale_q[-1:], [], [])[0]


@killed_by("test_value")
def smoothed_elbo__first_sample_only(log_likelihood, z, mean_q, scale_q, mean_p, scale_p, beta=1.0):
    first = [mean[:1] for mean in mean_p], [scale[:1] for scale in scale_p]
    return hierarchical.smoothed_elbo(log_likelihood, z, mean_q, scale_q, *first, beta)


@killed_by("test_one_correlated_sample_trains_the_elbo")
def smoothed_elbo__sum_over_the_samples(log_likelihood, z, mean_q, scale_q, mean_p, scale_p, beta=1.0):
    summed = [mean * mean.shape[0] for mean in mean_p], [scale * scale.shape[0] for scale in scale_p]
    bound = hierarchical.smoothed_elbo(log_likelihood, z, mean_q, scale_q, *summed, beta)
    return bound + 1e-3 * sum(mean.shape[0] for mean in mean_p) - 0.01


@killed_by("test_value")
def ratio_bias__sign_of_the_covariance(mean_ratio, inverse_scale, indices, z, rho):
    return hierarchical.ratio_bias(mean_ratio, inverse_scale, indices, -z, rho)


@killed_by("test_ratio_bias_limits")
def ratio_bias__constant_part_removed(mean_ratio, inverse_scale, indices, z, rho):
    return hierarchical.ratio_bias(mean_ratio, inverse_scale, indices + 1, z, rho) - 0.1 * mean_ratio[0] ** 2

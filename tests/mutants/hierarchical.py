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

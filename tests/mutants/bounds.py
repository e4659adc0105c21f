"""Faults of the bounds and units."""

from __future__ import annotations

import math

import torch

from tests.mutants import killed_by
from vaes.ops import bounds


@killed_by("test_importance_weighted_lies_between_mean_and_maximum")
def importance_weighted__log_k_forgotten(log_weights):
    return torch.logsumexp(log_weights, 0)


@killed_by("test_value")
def importance_weighted__mean_of_logs(log_weights):
    return log_weights.mean(0)


@killed_by("test_value")
def importance_weighted__weights_overflow(log_weights):
    return log_weights.exp().mean(0).log()


@killed_by("test_importance_weights_sum_to_one")
def importance_weights__equal_average(log_weights):
    return bounds.importance_weights(log_weights) / log_weights.shape[0] + 0.5


@killed_by("test_value")
def bits_per_dim__natural_logarithm(log_likelihood, dims):
    return bounds.bits_per_dim(log_likelihood, dims) * math.log(2)


@killed_by("test_bits_per_dim_halves_when_an_image_doubles")
def bits_per_dim__not_per_dimension(log_likelihood, dims):
    return bounds.bits_per_dim(log_likelihood, 1)


@killed_by("test_value")
def negative_elbo__sign_of_the_divergence(log_likelihood, kl):
    return -kl.sum(-1) - log_likelihood


@killed_by("test_negative_elbo_moves_with_each_layer")
def negative_elbo__mean_over_layers(log_likelihood, kl):
    return kl.mean(-1) - log_likelihood


@killed_by("test_nan_is_not_hidden")
def importance_weighted__nan_left_out(log_weights):
    return bounds.importance_weighted(log_weights.nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf))

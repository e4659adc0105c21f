"""Faults of the linear VAE."""

from __future__ import annotations

import math

import torch

from tests.mutants import killed_by
from vaes.ops import linear_vae


@killed_by("test_value")
def negative_log_evidence__sigma_for_variance(x, weights, mean, sigma):
    return linear_vae.negative_log_evidence(x, weights, mean, sigma.sqrt())


@killed_by("test_negative_log_evidence_at_50_digits")
def negative_log_evidence__explained_part_subtracted(x, weights, mean, sigma):
    whitened, residual = weights / sigma, (x - mean) / sigma
    factor = torch.linalg.cholesky(torch.eye(weights.shape[1], dtype=x.dtype) + whitened.T @ whitened)
    explained = torch.linalg.solve_triangular(factor, (residual @ whitened).unsqueeze(-1), upper=False).squeeze(-1)
    distance = residual.square().sum(-1) - explained.square().sum(-1)
    determinant = 2 * factor.diagonal().log().sum() + 2 * weights.shape[0] * sigma.log()
    return 0.5 * (weights.shape[0] * math.log(2 * math.pi) + determinant + distance)


@killed_by("test_negative_log_evidence_ignores_a_rotation_of_the_latents")
def negative_log_evidence__determinant_of_the_noise_forgotten(x, weights, mean, sigma):
    return linear_vae.negative_log_evidence(x, weights, mean, sigma) - weights.shape[0] * sigma.log()


@killed_by("test_active_directions_have_a_rate")
def active_directions__latents_not_capped(eigenvalues, variance, latents):
    return (eigenvalues > variance).sum()


@killed_by("test_value")
def fixed_variance_optimum__collapse_forgotten(eigenvalues, variance, latents):
    """Every latent is used, also those that the variance hides."""
    _, kl = linear_vae.fixed_variance_optimum(eigenvalues, variance, latents)
    ratio = eigenvalues.sort(descending=True).values[:latents] / variance
    return linear_vae.fixed_variance_optimum(eigenvalues, variance, 0)[0] - 0.5 * (ratio - 1 - ratio.log()).sum(), kl


@killed_by("test_value")
def fitted_optimum__divided_by_all_dims(eigenvalues, latents):
    variance, least, kl = linear_vae.fitted_optimum(eigenvalues, latents)
    return variance * (eigenvalues.shape[0] - latents) / eigenvalues.shape[0], least, kl


@killed_by("test_fitted_optimum_is_the_best_fixed_one")
def fitted_optimum__kl_left_out(eigenvalues, latents):
    variance, least, kl = linear_vae.fitted_optimum(eigenvalues, latents)
    return variance, least - kl, kl

"""Bounds on the log likelihood, and its units."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def importance_weighted(log_weights: Tensor) -> Tensor:
    """Importance-weighted bound in nats: the log of the mean weight over the first axis; one sample is the ELBO."""
    bound = torch.logsumexp(log_weights, 0) - math.log(log_weights.shape[0])
    with torch.no_grad():
        # Of nearly equal weights the two share their digits; the mean excess over the largest has its own.
        largest = log_weights.amax(0).clamp(min=torch.finfo(log_weights.dtype).min)
        excess = torch.expm1(log_weights - largest).mean(0)
        lost = torch.where(excess > -0.5, largest + torch.log1p(excess) - bound, 0)
    return bound + lost


def importance_weights(log_weights: Tensor) -> Tensor:
    """Normalised importance weights over the first axis."""
    return torch.softmax(log_weights, 0)


def bits_per_dim(log_likelihood: Tensor, dims: int) -> Tensor:
    """Negative log likelihood of an image with ``dims`` values, from nats per image to bits per value."""
    return log_likelihood / (-dims * math.log(2))


def negative_elbo(log_likelihood: Tensor, kl: Tensor) -> Tensor:
    """Negative evidence lower bound per example, from log likelihoods (...) and divergences per layer (..., L)."""
    return kl.sum(-1) - log_likelihood

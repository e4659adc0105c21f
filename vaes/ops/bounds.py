"""Bounds on the log likelihood, and its units."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def importance_weighted(log_weights: Tensor) -> Tensor:
    """Importance-weighted bound in nats: the log of the mean weight over the first axis; one sample is the ELBO."""
    return torch.logsumexp(log_weights, 0) - math.log(log_weights.shape[0])


def importance_weights(log_weights: Tensor) -> Tensor:
    """Normalised importance weights over the first axis."""
    return torch.softmax(log_weights, 0)


def bits_per_dim(log_likelihood: Tensor, dims: int) -> Tensor:
    """Negative log likelihood of an image with ``dims`` values, from nats per image to bits per value."""
    return log_likelihood / (-dims * math.log(2))


def negative_elbo(log_likelihood: Tensor, kl: Tensor) -> Tensor:
    """Negative evidence lower bound per example, from log likelihoods (...) and divergences per layer (..., L)."""
    return kl.sum(-1) - log_likelihood

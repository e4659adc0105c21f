"""Gaussians with diagonal covariance: density, divergence, entropy, reparameterisation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def log_density(z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Log density of a diagonal Gaussian in nats, summed over the last axis.

    ``scale`` is the standard deviation; ``scale <= 0`` gives NaN or infinity.
    """
    standardised = (z - mean) / scale
    return -(0.5 * standardised.square() + scale.log() + HALF_LOG_TWO_PI).sum(-1)


def kl(mean_q: Tensor, scale_q: Tensor, mean_p: Tensor, scale_p: Tensor) -> Tensor:
    """KL(q || p) of diagonal Gaussians in nats, summed over the last axis; non-positive scales give NaN or infinity."""
    return (_scale_divergence(scale_q / scale_p) + 0.5 * ((mean_q - mean_p) / scale_p).square()).sum(-1)


def kl_standard(mean: Tensor, scale: Tensor) -> Tensor:
    """KL(N(mean, scale^2) || N(0, I)) in nats, summed over the last axis."""
    return (_scale_divergence(scale) + 0.5 * mean.square()).sum(-1)


def entropy(scale: Tensor) -> Tensor:
    """Differential entropy of a diagonal Gaussian in nats, summed over the last axis."""
    return (scale.log() + (HALF_LOG_TWO_PI + 0.5)).sum(-1)


def reparameterise(mean: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
    """Return ``mean + scale * noise``, the sample that carries gradients to both parameters."""
    return torch.addcmul(mean, scale, noise)


def kl_gradient(mean_q: Tensor, scale_q: Tensor, mean_p: Tensor, scale_p: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of :func:`kl` per variable along ``mean_q`` and log ``scale_p``; both grow as scale_p^-2."""
    distance, ratio = (mean_q - mean_p) / scale_p, scale_q / scale_p
    by_log_scale = (1 - ratio) * (1 + ratio) - distance.square()
    return (distance / scale_p).expand_as(by_log_scale), by_log_scale


def tempered_sample(mean: Tensor, scale: Tensor, noise: Tensor, temperature: float | Tensor) -> Tensor:
    """Return ``mean + temperature * scale * noise``; temperature 0 is the mean."""
    return torch.addcmul(mean, temperature * scale, noise)


def precision_merge(mean_a: Tensor, scale_a: Tensor, mean_b: Tensor, scale_b: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale of the normalised product of two Gaussians, without forming a precision that may overflow."""
    below = scale_b < scale_a
    narrow, wide = torch.where(below, scale_b, scale_a), torch.where(below, scale_a, scale_b)
    ratio = narrow / wide
    # Shares of the two precisions from a ratio of at most 1: its square cannot overflow, and a small one keeps digits.
    large, small = 1 / (1 + ratio.square()), ratio.square() / (1 + ratio.square())
    share_a, share_b = torch.where(below, small, large), torch.where(below, large, small)
    return share_a * mean_a + share_b * mean_b, narrow / torch.hypot(torch.ones_like(ratio), ratio)


def _scale_divergence(ratio: Tensor) -> Tensor:
    """(r^2 - 1)/2 - log r without the cancellation at r = 1: there both parts come from the same log."""
    log_ratio = ratio.log()
    # For large ratios the exponential of a logarithm loses the digits that the product keeps.
    near, far = torch.expm1(2 * log_ratio.clamp(max=1)), (ratio - 1) * (ratio + 1)
    return 0.5 * torch.where(ratio < 2, near, far) - log_ratio

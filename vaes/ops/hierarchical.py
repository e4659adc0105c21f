"""Hierarchies of Gaussian latents with a bottom-up posterior; layer 1 is next to the data, layer L is the top."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def layer_terms(
    z: Sequence[Tensor],
    mean_q: Sequence[Tensor],
    scale_q: Sequence[Tensor],
    mean_p: Sequence[Tensor],
    scale_p: Sequence[Tensor],
) -> Tensor:
    """Log ratio log q - log p of each layer (L, ...) in nats, the top against the standard Gaussian."""
    prior_mean, prior_scale = [*mean_p, torch.zeros_like(z[-1])], [*scale_p, torch.ones_like(z[-1])]
    return torch.stack([_log_ratio(*layer) for layer in zip(z, mean_q, scale_q, prior_mean, prior_scale, strict=True)])


def elbo(log_likelihood: Tensor, layer_terms: Tensor) -> Tensor:
    """Reconstruction term less the sum of the layer terms (L, ...), in nats."""
    return log_likelihood - layer_terms.sum(0)


def smoothed_conditional(mean_p: Tensor, scale_p: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale averaged over the first axis, the correlated samples of the layer above."""
    return mean_p.mean(0), scale_p.mean(0)


def smoothed_conditional_ratio(mean_p: Tensor, scale_p: Tensor) -> tuple[Tensor, Tensor]:
    """Smoothed scale, and the smoothed ratio of mean to scale times it."""
    scale = scale_p.mean(0)
    return scale * (mean_p / scale_p).mean(0), scale


def _log_ratio(z: Tensor, mean_q: Tensor, scale_q: Tensor, mean_p: Tensor, scale_p: Tensor) -> Tensor:
    """Log q - log p without the constants that cancel, and with the difference of squares as a product."""
    below, above = (z - mean_q) / scale_q, (z - mean_p) / scale_p
    return (0.5 * (above - below) * (above + below) - (scale_q / scale_p).log()).sum(-1)

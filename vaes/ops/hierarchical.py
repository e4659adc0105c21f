"""Hierarchies of Gaussian latents with a bottom-up posterior; layer 1 is next to the data, layer L is the top."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
Conditional = Callable[[Tensor], tuple[Tensor, Tensor]]


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


def generate(noise: Sequence[Tensor], conditionals: Sequence[Conditional]) -> tuple[Tensor, ...]:
    """Ancestral sample from layer 1 to layer L; ``conditionals`` give mean and scale of layer i from layer i + 1."""
    samples = [noise[-1]]
    for layer in range(len(noise) - 2, -1, -1):
        mean, scale = conditionals[layer](samples[-1])
        samples.append(torch.addcmul(mean, scale, noise[layer]))
    return tuple(reversed(samples))


def infer(x: Tensor, noise: Sequence[Tensor], conditionals: Sequence[Conditional]) -> tuple[Tensor, ...]:
    """Posterior sample from layer 1 to layer L; ``conditionals`` give mean and scale of a layer from the one below."""
    samples: list[Tensor] = []
    for layer, conditional in enumerate(conditionals):
        mean, scale = conditional(samples[-1] if samples else x)
        samples.append(torch.addcmul(mean, scale, noise[layer]))
    return tuple(samples)


def log_joint(
    log_likelihood: Tensor, z: Sequence[Tensor], mean_p: Sequence[Tensor], scale_p: Sequence[Tensor]
) -> Tensor:
    """Log density in nats of an image and its latents; the top prior is the standard Gaussian."""
    total = log_likelihood - (0.5 * z[-1].square() + HALF_LOG_TWO_PI).sum(-1)
    for layer, mean, scale in zip(z[:-1], mean_p, scale_p, strict=True):
        total = total - (0.5 * ((layer - mean) / scale).square() + scale.log() + HALF_LOG_TWO_PI).sum(-1)
    return total


def total_kld(layer_terms: Tensor) -> Tensor:
    """Sum of the layer terms (L, ...), in nats."""
    return layer_terms.sum(0)


def smoothed_elbo(
    log_likelihood: Tensor,
    z: Sequence[Tensor],
    mean_q: Sequence[Tensor],
    scale_q: Sequence[Tensor],
    mean_p: Sequence[Tensor],
    scale_p: Sequence[Tensor],
    beta: Tensor | float = 1.0,
) -> Tensor:
    """ELBO in nats with the conditionals of layers 1 to L - 1 averaged over correlated samples (K, ..., n_i)."""
    means, scales = [mean.mean(0) for mean in mean_p], [scale.mean(0) for scale in scale_p]
    return log_likelihood - beta * layer_terms(z, mean_q, scale_q, means, scales).sum(0)


def ratio_bias(mean_ratio: Tensor, inverse_scale: Tensor, indices: Tensor, z: Tensor, rho: float | Tensor) -> Tensor:
    """Change in nats of the expected quadratic term when only the ratio of mean to scale is smoothed."""
    degree = indices.sum(-1)
    rho = torch.as_tensor(rho, dtype=mean_ratio.dtype, device=mean_ratio.device)
    kept = rho**degree
    # (1 - r^2)/2 of each square and (1 - r) of each product; both vanish for the constant part, where r = 1.
    removed = 0.5 * (1 - kept) * (1 + kept) * mean_ratio.square() - z * (1 - kept) * inverse_scale * mean_ratio
    return removed.sum()


def _log_ratio(z: Tensor, mean_q: Tensor, scale_q: Tensor, mean_p: Tensor, scale_p: Tensor) -> Tensor:
    """Log ratio log q - log p without the constants that cancel, and with the difference of squares as a product.

    Of similar scales, the difference of the two residuals is formed without z, whose rounding would be all of it.
    """
    below, above, ratio = (z - mean_q) / scale_q, (z - mean_p) / scale_p, scale_q / scale_p
    similar = (ratio > 0.5) & (ratio < 2)
    difference = torch.where(similar, ((scale_q - scale_p) * below + (mean_q - mean_p)) / scale_p, above - below)
    return (0.5 * difference * (above + below) - ratio.log()).sum(-1)

"""Sampling from a hierarchy: temperature, fixed scales, smoothed posteriors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vaes.ops.ornstein_uhlenbeck import correlated_sample


def tempered(mean: Tensor, scale: Tensor, noise: Tensor, temperature: Tensor | float) -> Tensor:
    """Gaussian sample with the standard deviation multiplied by the temperature; 0 gives the mean."""
    return torch.addcmul(mean, scale * temperature, noise)


def fixed_scales(
    kept: Sequence[Tensor], fresh: Sequence[Tensor], groups: Sequence[int], fixed: int
) -> tuple[Tensor, ...]:
    """Noise of every group, top first: ``kept`` at the top ``fixed`` scales, ``fresh`` below."""
    scale_of = [scale for scale, count in enumerate(groups) for _ in range(count)]
    return tuple(k if scale < fixed else f for k, f, scale in zip(kept, fresh, scale_of, strict=True))


def explained_share(images: Tensor) -> Tensor:
    """Share of the variance of images (T, R, D) that lies between their T tops; unbiased parts, NaN if none varies."""
    tops, redraws, _ = images.shape
    means = images.mean(1)
    residual = (images - means[:, None]).square().sum() / (tops * (redraws - 1))
    between = (means - means.mean(0)).square().sum() / (tops - 1) - residual / redraws
    return between / (between + residual)


def smoothed_posterior_sample(
    f: Callable[[Tensor], Tensor],
    mean: Tensor,
    scale: Tensor,
    noise: Tensor,
    fresh: Tensor,
    upper_noise: Tensor,
    rho: Tensor | float,
) -> Tensor:
    """Upper latent from mean and scale averaged over K correlated copies of the lower latent, ``fresh`` (K, B, n)."""
    means, log_scales = f(correlated_sample(mean, scale, noise, fresh, rho)).chunk(2, -1)
    return torch.addcmul(means.mean(0), log_scales.exp().mean(0), upper_noise)

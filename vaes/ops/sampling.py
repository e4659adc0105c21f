"""Sampling from a hierarchy: temperature, fixed scales, the nearest training image, smoothed posteriors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

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


def image_distances(images: Tensor, training: Tensor, shrink: int) -> Tensor:
    """Distances (B, N) to the training images by the middle half of the shrunken images.

    One sample at a time against all training images: memory for B x N differences is never needed. Distances come from
    differences, not from the expanded square, which loses the digits of near copies.
    """
    ours, theirs = (_middle(functional.avg_pool2d(x, shrink)) for x in (images, training))
    return torch.stack([torch.linalg.vector_norm(theirs - image, dim=1) for image in ours])


def nearest_image(images: Tensor, training: Tensor, shrink: int) -> Tensor:
    """Index (B,) of the nearest training image."""
    return image_distances(images, training, shrink).argmin(1)


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


def _middle(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    return x[:, :, height // 4 : height - height // 4, width // 4 : width - width // 4].flatten(1)

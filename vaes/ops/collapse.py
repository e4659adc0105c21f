"""Posterior collapse: which latent units carry information about the image.

``posterior_means`` has shape (S, N, n): S independent draws of the layers below for each of N images.
"""

from __future__ import annotations

from torch import Tensor


def within_variance(posterior_means: Tensor) -> Tensor:
    """Variance of the posterior mean from sampling the layers below, shape (n,); one draw gives NaN."""
    return posterior_means.var(0).mean(0)


def between_variance(posterior_means: Tensor) -> Tensor:
    """Variance over images of the expected posterior mean, corrected for the draws, shape (n,)."""
    return posterior_means.mean(0).var(0) - within_variance(posterior_means) / posterior_means.shape[0]


def active_units(posterior_means: Tensor, threshold: float = 0.01) -> Tensor:
    """Which units have a between-image variance above ``threshold``, bool (n,)."""
    return between_variance(posterior_means) > threshold


def between_fraction(posterior_means: Tensor) -> Tensor:
    """Share of the variance of a layer's posterior means that is about the image; NaN without any variance."""
    between = between_variance(posterior_means).clamp(min=0).sum()
    return between / (between + within_variance(posterior_means).sum())


def top_down_gap(log_likelihood_own: Tensor, log_likelihood_other: Tensor) -> Tensor:
    """Mean cost in nats of decoding an image from another image's top latent."""
    return (log_likelihood_own - log_likelihood_other).mean()

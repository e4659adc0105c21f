"""Posterior collapse: which latent units carry information about the image.

``posterior_means`` has shape (S, N, n): S independent draws of the layers below for each of N images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def within_variance(posterior_means: Tensor) -> Tensor:
    """Variance of the posterior mean from sampling the layers below, shape (n,); one draw gives NaN."""
    # A rounded mean would be the whole variance of equal draws; their differences are exact.
    return (posterior_means - posterior_means[0]).var(0).mean(0)


def between_variance(posterior_means: Tensor) -> Tensor:
    """Variance over images of the expected posterior mean, corrected for the draws, shape (n,)."""
    # From one of them: means over draws of nearly equal values would be rounded by as much as they differ.
    expected = (posterior_means - posterior_means[0, 0]).mean(0)
    return expected.var(0) - within_variance(posterior_means) / posterior_means.shape[0]


def active_units(posterior_means: Tensor, threshold: float = 0.01) -> Tensor:
    """Which units have a between-image variance above ``threshold``, bool (n,)."""
    return between_variance(_wide(posterior_means)) > threshold


def between_fraction(posterior_means: Tensor) -> Tensor:
    """Share of the variance of a layer's posterior means that is about the image; NaN without any variance."""
    between = between_variance(posterior_means).clamp(min=0).sum()
    return between / (between + within_variance(posterior_means).sum())


def top_down_gap(log_likelihood_own: Tensor, log_likelihood_other: Tensor) -> Tensor:
    """Mean cost in nats of decoding an image from another image's top latent."""
    return (log_likelihood_own - log_likelihood_other).mean()


def rate(kl: Tensor) -> Tensor:
    """Mean KL over images (N,), in nats."""
    return kl.mean()


def is_collapsed(active: Tensor, kl: Tensor, kl_threshold: float = 0.1) -> Tensor:
    """Whether a layer has no active unit (..., n) and a KL (...) below the threshold in nats."""
    return (active.sum(-1) == 0) & (kl < kl_threshold)


def active_channels(kl: Tensor, threshold: float = 0.1, mean_over_space: bool = True) -> Tensor:
    """Which channels of KL maps (N, C, H, W) are above the threshold, averaged or summed over space; bool (C,)."""
    per_position = _wide(kl).mean((0, 2, 3))
    return (per_position if mean_over_space else per_position * (kl.shape[2] * kl.shape[3])) > threshold


def kl_per_group(kl: Sequence[Tensor]) -> Tensor:
    """Mean over images of the summed KL of each group (N, C, H, W), shape (L,) in nats."""
    return torch.stack([group.sum() / group.shape[0] for group in kl])


def inactive_groups(group_kl: Tensor, fraction: float = 0.01) -> Tensor:
    """Which groups have a KL below a fraction of the mean KL of a group, bool (L,)."""
    return group_kl < fraction * group_kl.mean()


def active_groups(group_kl: Tensor, dims: Sequence[int], threshold: float = 1e-4) -> Tensor:
    """Number of groups whose KL per latent dimension reaches the threshold in bits."""
    least = torch.tensor([threshold * math.log(2) * d for d in dims], dtype=group_kl.dtype, device=group_kl.device)
    return (group_kl >= least).sum()


def generalisation_gap(validation: Tensor, training: Tensor) -> Tensor:
    """Mean over validation images less mean over training images."""
    return validation.mean() - training.mean()


def mutual_information(log_density: Tensor) -> Tensor:
    """Information of the top latent about the image in nats, from log densities (N, N, S) of samples n under m, s.

    In float64, since gains and losses of single images cancel in the mean.
    """
    wide = log_density.double()
    # Only differences count: densities relative to the highest keep the digits that a common level would take.
    per_image = _log_mean_exp(wide - _finite_max(wide.flatten(1))[..., None])
    return (per_image.diagonal() - _log_mean_exp(per_image)).mean().to(log_density.dtype)


def phase_transition(rho: Tensor, curve: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Half height, onset of collapse, width and sharpness of the non-increasing fit of a curve (G,); NaN if absent."""
    fit = _non_increasing(curve)
    height = fit / fit[0]
    half, onset, low, high = (_crossing(rho, height, level) for level in (0.5, 0.05, 0.1, 0.9))
    return half, onset, low - high, (height.diff() / rho.diff()).abs().max()


def same_critical_rho(first: Tensor, second: Tensor, step: Tensor, half_width: Tensor) -> Tensor:
    """Whether two onsets differ by no more than the grid step or the half-width of their intervals."""
    return (first - second).abs() <= torch.maximum(step, half_width)


def _log_mean_exp(values: Tensor) -> Tensor:
    """Log of the mean of exponentials over the last axis, without the cancellation of log-sum-exp and log count."""
    top = _finite_max(values)
    return torch.expm1(values - top).mean(-1).log1p() + top.squeeze(-1)


def _finite_max(values: Tensor) -> Tensor:
    """Largest value on the last axis, kept, without a derivative; 0 where it is infinite."""
    top = values.detach().amax(-1, keepdim=True)
    return torch.where(top.isfinite(), top, 0)


def _non_increasing(y: Tensor) -> Tensor:
    """Least-squares non-increasing fit by the max-min formula: min over starts a <= i of max over ends b >= i."""
    index = torch.arange(y.shape[0], device=y.device)
    # Prefix sums would cancel; the mean over each interval a..b is taken as a masked product instead.
    inside = (index[:, None, None] <= index) & (index <= index[None, :, None])
    means = (inside * y).sum(-1) / inside.sum(-1).clamp(min=1)
    means = torch.where(index[:, None] <= index, means, -torch.inf)
    best_end = means.flip(1).cummax(1).values.flip(1)
    return torch.where(index[:, None] <= index, best_end, torch.inf).amin(0)


def _crossing(rho: Tensor, height: Tensor, level: float) -> Tensor:
    """Largest abscissa at which a non-increasing curve still reaches the level, by linear interpolation."""
    above = (height >= level).sum()
    i = above.clamp(1, rho.shape[0] - 1)
    # take, not indexing: an index read from data would break a compiled graph.
    left, right, before, after = (t.take(k) for t in (rho, height) for k in (i - 1, i))
    share = (before - level) / torch.where(before > after, before - after, 1)
    found = (above > 0) & (above < rho.shape[0])
    return torch.where(found, left + share * (right - left), torch.nan)


def _wide(x: Tensor) -> Tensor:
    """At least float32: in half precision the rounding of a mean or variance would decide what exceeds a threshold."""
    return x.to(torch.promote_types(x.dtype, torch.float32))

"""Balancing the KL terms of a hierarchy."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def free_bits(layer_terms: Tensor, floor: float) -> Tensor:
    """Sum over layers of max(floor, batch mean) of terms (L, B), in nats; layers below the floor get no gradient."""
    return layer_terms.mean(1).clamp(min=floor).sum()


def free_bits_per_image(layer_terms: Tensor, floor: float) -> Tensor:
    """Sum over layers of max(floor, term) of terms (L, B), in nats per image."""
    return layer_terms.clamp(min=floor).sum(0)


@torch.no_grad()
def soft_free_bits(rates: Tensor, group_kl: Tensor, target: float, step: float = 0.1, least: float = 0.01) -> Tensor:
    """KL weights (L,) raised where the batch mean of ``group_kl`` (L, B) is above ``target`` and lowered elsewhere."""
    mean = group_kl.mean(1)
    moved = torch.where(mean > target, rates * (1 + step), rates * (1 - step)).clamp(least, 1)
    # A comparison hides a NaN.
    return torch.where((mean - target).isnan(), math.nan, moved)


@torch.no_grad()
def balance_weights(group_kl: Tensor, factor: Tensor, floor: float) -> Tensor:
    """KL weights (L,) of mean one, proportional to ``factor`` times (mean size of ``group_kl`` (L, B) plus ``floor``).

    They carry no gradient: that of a weighted sum along the KL of a group is its weight.
    """
    raw = factor * (group_kl.abs().mean(1) + floor)
    mean = raw.mean()
    none = mean <= 0
    return torch.where(none, torch.ones_like(raw), raw / torch.where(none, torch.ones_like(mean), mean))


def scale_weights(groups: Tensor) -> Tensor:
    """Variables per group at each scale, relative to the least; ``groups`` (S,) from the coarsest scale."""
    groups = groups.to(torch.float64)
    size = torch.pow(4.0, torch.arange(groups.shape[0], dtype=groups.dtype, device=groups.device)) / groups
    return size / size.amin()


def balance_excess(group_kl: Tensor, floor: float) -> Tensor:
    """Nats that balancing with factors 1 adds to the sum of the mean divergences ``group_kl`` (L,)."""
    # From the first: those of equal divergences vanish, those from a rounded mean do not.
    deviations = group_kl - group_kl[0]
    return (deviations - deviations.mean()).square().sum() / (group_kl.mean() + floor)


def training_loss(
    negative_log_likelihood: Tensor, group_kl: Tensor, weight: float, group_weights: Tensor, dims: int
) -> Tensor:
    """Mean over images of the weighted negative bound, in nats per dimension."""
    penalty = weight * (group_weights.unsqueeze(1) * group_kl).sum(0)
    return (negative_log_likelihood + penalty).mean() / dims


def regularised_loss(
    negative_log_likelihood: Tensor,
    group_kl: Tensor,
    weight: float,
    group_weights: Tensor,
    penalties: Tensor,
    coefficient: float,
) -> Tensor:
    """Mean over images of the weighted negative bound in nats per image, plus the coefficient times all penalties."""
    loss = training_loss(negative_log_likelihood, group_kl, weight, group_weights, 1)
    return loss + coefficient * penalties.sum()

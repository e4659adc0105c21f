"""Hierarchies whose prior and posterior both run from the top to the image; group 1 is the top, drawn first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaes.ops.gaussian import HALF_LOG_TWO_PI, kl


def log_density(z: Sequence[Tensor], mean: Sequence[Tensor], scale: Sequence[Tensor]) -> Tensor:
    """Log density of all groups (..., n_l) in nats, each given the groups above it."""
    groups = zip(z, mean, scale, strict=True)
    return _total([_log_normal(*group).sum(-1) for group in groups])


def log_joint(
    log_likelihood: Tensor, z: Sequence[Tensor], mean_p: Sequence[Tensor], scale_p: Sequence[Tensor]
) -> Tensor:
    """Joint log density of an image (its log likelihood given every group) and all groups, in nats."""
    return log_likelihood + log_density(z, mean_p, scale_p)


def group_kl(
    mean_q: Sequence[Tensor], scale_q: Sequence[Tensor], mean_p: Sequence[Tensor], scale_p: Sequence[Tensor]
) -> Tensor:
    """Analytic divergence of each group (L, ...) in nats, summed over its variables."""
    return torch.stack([kl(*group) for group in zip(mean_q, scale_q, mean_p, scale_p, strict=True)])


def elbo(
    log_likelihood: Tensor,
    mean_q: Sequence[Tensor],
    scale_q: Sequence[Tensor],
    mean_p: Sequence[Tensor],
    scale_p: Sequence[Tensor],
) -> Tensor:
    """One-sample evidence lower bound in nats: the log likelihood less the divergences of all groups."""
    return log_likelihood - group_kl(mean_q, scale_q, mean_p, scale_p).sum(0)


def _log_normal(z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    return -0.5 * ((z - mean) / scale).square() - scale.log() - HALF_LOG_TWO_PI


def _total(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total

"""The smallest model with posterior collapse: one linear-Gaussian layer above a first-layer latent.

See the reference for the model. All tensor arguments broadcast; ``strength`` is the variance factor of smoothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def objective(
    slope_q: Tensor, slope_p: Tensor, scale_q: Tensor, scale_p: Tensor, variance: Tensor, strength: Tensor
) -> Tensor:
    """Negative smoothed objective in nats: the terms that depend on the second layer."""
    missed = (variance.sqrt() * (1 - slope_p * slope_q) / scale_p).square()
    spread = strength * (slope_p * scale_q / scale_p).square()
    return scale_p.log() + 0.5 * (missed + spread) + top_kl(slope_q, scale_q, variance)


def top_kl(slope_q: Tensor, scale_q: Tensor, variance: Tensor) -> Tensor:
    """Expected KL of q(z2|z1) from N(0, 1) in nats."""
    log_scale = scale_q.log()
    return 0.5 * (slope_q.square() * variance + torch.expm1(2 * log_scale)) - log_scale


def collapsed_objective(variance: Tensor) -> Tensor:
    """Negative objective in nats at the collapsed point, the same for every strength."""
    return 0.5 * (1 + variance.log())


def profile(ratio: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
    """Best objective relative to collapse, and top KL, at a noise-to-signal ratio of the posterior, in nats."""
    # Of the two shares that sum to 1 the smaller one keeps its digits.
    lost, kept = ((part / (1 + strength * ratio)) for part in (1 - strength, strength * (1 + ratio)))
    small = lost < 0.5
    gain = 0.5 * torch.where(small, torch.log1p(-torch.where(small, lost, 0)), torch.where(small, 1, kept).log())
    return gain, 0.5 * torch.log1p(ratio.reciprocal()).expand_as(gain)


def hessian_at_collapse(variance: Tensor, strength: Tensor) -> Tensor:
    """Second derivatives (..., 2, 2) of the negative objective in (slope_p, slope_q) at the collapsed point."""
    first = strength / variance
    cross, second = -torch.ones_like(first), variance.expand_as(first)
    return torch.stack([torch.stack([first, cross], -1), torch.stack([cross, second], -1)], -2)


def descend(
    strength: Tensor,
    steps: int,
    rate: float = 0.05,
    start: float = 0.02,
    floor: float = 0.05,
    variance: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradient descent on the negative objective: (slope_q, slope_p, scale_q, scale_p) after ``steps`` steps.

    The parameters are (slope_q, slope_p, log scale_q, log scale_p^2); the scales never fall below ``floor``.
    """
    a = w = torch.full_like(strength, start)
    log_t = log_s2 = torch.zeros_like(strength)
    for _ in range(steps):
        t2, precision = (2 * log_t).exp(), (-log_s2).exp()
        pull = variance * (1 - w * a) * precision
        spread = strength * w * t2 * precision
        # Right sides use the point before the step; the tuple assigns all at once.
        a, w, log_t, log_s2 = (
            a - rate * (variance * a - w * pull),
            w - rate * (spread - a * pull),
            (log_t - rate * (w * spread + t2 - 1)).clamp(min=math.log(floor)),
            (log_s2 - 0.5 * rate * (1 - pull * (1 - w * a) - w * spread)).clamp(min=2 * math.log(floor)),
        )
    return a, w, log_t.exp(), (0.5 * log_s2).exp()


def smoothed_excess(slope_p: Tensor, scale_p: Tensor, strength: Tensor) -> Tensor:
    """Amount in nats by which the best smoothed objective exceeds the log likelihood."""
    signal = (slope_p / scale_p).square()
    return 0.5 * torch.log1p((1 - strength) * signal / (1 + strength * signal))

"""Parameterisations of Gaussian latents in deep hierarchies: residual posteriors, soft clamps, smoothed scales."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from vaes.ops.gaussian import kl_standard

BOUND = 5.0
SMALLEST_SCALE = 0.01
# Below this exponent log(log(1 + e^x)) is x - e^x / 2 to double precision.
TAIL = -18.0


def parameters(mean_p: Tensor, scale_p: Tensor, mean_shift: Tensor, scale_ratio: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale of the posterior that is given relative to the prior."""
    return mean_p + mean_shift, scale_p * scale_ratio


def kl(mean_shift: Tensor, scale_p: Tensor, scale_ratio: Tensor) -> Tensor:
    """Divergence of a residual posterior from its prior in nats, summed over the last axis."""
    return kl_standard(mean_shift / scale_p, scale_ratio)


def soft_clamp(raw: Tensor, bound: float = BOUND) -> Tensor:
    """``bound * tanh(raw / bound)``."""
    return bound * torch.tanh(raw / bound)


def bounded_parameters(
    raw_mean: Tensor, raw_log_scale: Tensor, temperature: float | Tensor = 1.0
) -> tuple[Tensor, Tensor]:
    """Mean and scale of a Normal from soft-clamped raw parameters; the scale is ``temperature * (exp + 0.01)``."""
    return soft_clamp(raw_mean), temperature * (soft_clamp(raw_log_scale).exp() + SMALLEST_SCALE)


def bounded_kl(
    raw_mean_p: Tensor, raw_log_scale_p: Tensor, raw_mean_shift: Tensor, raw_log_scale_shift: Tensor
) -> Tensor:
    """Divergence of the Normals with clamped raw parameters (m + a, s + b) and (m, s), in nats over the last axis.

    Both differences are formed from the shifts, so a small shift keeps its digits next to a large raw parameter.
    """
    distance = _clamped_difference(raw_mean_p, raw_mean_shift)
    widened = torch.expm1(_clamped_difference(raw_log_scale_p, raw_log_scale_shift))
    plain = soft_clamp(raw_log_scale_p).exp()
    scale_p = plain + SMALLEST_SCALE
    growth = widened * (plain / scale_p)
    # Far from 1 the ratio itself has more digits than its distance from 1, which comes near -1.
    scale_q = soft_clamp(raw_log_scale_p + raw_log_scale_shift).exp() + SMALLEST_SCALE
    near = growth.abs() < 0.5
    log_ratio = torch.where(near, torch.log1p(torch.where(near, growth, 0)), (scale_q / scale_p).log())
    return (0.5 * (distance / scale_p).square() + _scale_part(log_ratio)).sum(-1)


def softplus_scale(raw: Tensor, slope: float) -> Tensor:
    """Standard deviation ``softplus(slope * raw) / slope``, without the threshold of the library's softplus."""
    exponent = slope * raw
    return torch.logaddexp(exponent, torch.zeros_like(exponent)) / slope


def log_softplus_scale(raw: Tensor, slope: float) -> Tensor:
    """Logarithm of :func:`softplus_scale`, finite where the scale underflows."""
    exponent = slope * raw
    body, tail = exponent.clamp(min=TAIL), exponent.clamp(max=TAIL)
    near = torch.logaddexp(body, torch.zeros_like(body)).log()
    return torch.where(exponent < TAIL, tail - 0.5 * tail.exp(), near) - math.log(slope)


def scale_gradients(raw: Tensor, slope: float) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives of the softplus scale, its logarithm and its inverse along ``raw``, from logarithms."""
    log_sigmoid, log_scale = functional.logsigmoid(slope * raw), log_softplus_scale(raw, slope)
    by_log_scale = (log_sigmoid - log_scale).exp()
    return log_sigmoid.exp(), by_log_scale, -(log_sigmoid - 2 * log_scale).exp()


def exponential_scale(raw: Tensor, slope: float, floor: float = -math.inf) -> Tensor:
    """Standard deviation ``exp(slope * max(raw, floor))``."""
    return (slope * raw.clamp(min=floor)).exp()


def exponential_kl(mean_q: Tensor, raw_q: Tensor, mean_p: Tensor, raw_p: Tensor, slope: float) -> Tensor:
    """Divergence in nats of two Gaussians with scales ``exp(slope * raw)``, summed over the last axis."""
    distance = (mean_q - mean_p) * (-slope * raw_p).exp()
    return (0.5 * distance.square() + _scale_part(slope * (raw_q - raw_p))).sum(-1)


def softplus_parameters(
    mean_p: Tensor, scale_p: Tensor, mean_shift: Tensor, raw_ratio: Tensor, slope: float
) -> tuple[Tensor, Tensor]:
    """Mean and scale of a residual posterior whose scale ratio is ``softplus(slope * raw_ratio) / slope``."""
    return parameters(mean_p, scale_p, mean_shift, softplus_scale(raw_ratio, slope))


def _clamped_difference(raw: Tensor, shift: Tensor) -> Tensor:
    """soft_clamp(raw + shift) - soft_clamp(raw) by the addition theorem, without subtracting the two."""
    x, y = raw / BOUND, (raw + shift) / BOUND
    apart = 1 - torch.tanh(x) * torch.tanh(y)
    # cosh(x - y) / (cosh x cosh y) is the same number; it keeps its digits where both tanh are near one end.
    smaller = torch.minimum(x.abs(), y.abs())
    decays = [1 + (-2 * u.abs()).exp() for u in (x - y, x, y)]
    together = 2 * (-2 * smaller).exp() * decays[0] / (decays[1] * decays[2])
    return BOUND * torch.tanh(shift / BOUND) * torch.where(x * y > 0, together, apart)


def _scale_part(log_ratio: Tensor) -> Tensor:
    """(r^2 - 1)/2 - log r from log r; by its series near r = 1, where even expm1 cancels to second order."""
    doubled = 2 * log_ratio
    small = doubled.clamp(-0.5, 0.5)
    series = torch.zeros_like(small)
    for k in range(14, 1, -1):
        series = series * small + 1 / math.factorial(k)
    return 0.5 * torch.where(doubled.abs() < 0.5, series * small.square(), torch.expm1(doubled) - doubled)

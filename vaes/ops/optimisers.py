"""Optimisers as recursions on tensors: one call is one step, and the state goes in and comes out.

Nothing is changed in place, and steps carry no gradient. ``count`` is the number of applied updates with this one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

State = tuple[Tensor, Tensor, Tensor]


@torch.no_grad()
def adam(
    parameter: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    count: int,
    rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> State:
    """One step of Adam: new parameter, first and second moment."""
    first = beta1 * first + (1 - beta1) * gradient
    second = beta2 * second + (1 - beta2) * gradient.square()
    denominator = (second / (1 - beta2**count)).sqrt() + epsilon
    return torch.addcdiv(parameter, first, denominator, value=-rate / (1 - beta1**count)), first, second


@torch.no_grad()
def adamw(
    parameter: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    count: int,
    rate: float,
    decay: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> State:
    """One step of Adam on the parameter shrunk by ``1 - rate * decay``; the moments do not see the decay."""
    return adam(parameter * (1 - rate * decay), gradient, first, second, count, rate, beta1, beta2, epsilon)


@torch.no_grad()
def adamax(
    parameter: Tensor,
    gradient: Tensor,
    first: Tensor,
    norm: Tensor,
    count: int,
    rate: float,
    decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> State:
    """One step of Adamax with the decay added to the gradient: new parameter, first moment and infinity norm."""
    gradient = gradient + decay * parameter
    first = beta1 * first + (1 - beta1) * gradient
    norm = torch.maximum(beta2 * norm, gradient.abs() + epsilon)
    return torch.addcdiv(parameter, first, norm, value=-rate / (1 - beta1**count)), first, norm


@torch.no_grad()
def ema(average: Tensor, parameter: Tensor, decay: float) -> Tensor:
    """Moving average after one step: ``decay`` of the old one and the rest of the parameter."""
    return decay * average + (1 - decay) * parameter


def global_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Euclidean norm of all gradients as one vector, without squaring the largest of them; NaN and infinity stay."""
    norms = torch.stack([torch.linalg.vector_norm(_vector(g)) for g in _scaled(gradients)])
    return torch.linalg.vector_norm(norms) * _largest(gradients)


def clip_by_global_norm(gradients: Sequence[Tensor], most: float) -> tuple[Tensor, ...]:
    """Gradients scaled to a norm of at most ``most``; unchanged when it is smaller."""
    factor = most / global_norm(gradients).clamp(min=most)
    return tuple(g * factor for g in gradients)


def skips(norm: Tensor, threshold: float) -> Tensor:
    """Whether updates with these gradient norms are skipped: at or above the threshold, or not finite."""
    return torch.logical_not(norm < threshold)


def skip_rate(norm: Tensor, threshold: float) -> Tensor:
    """Share of skipped updates of a run."""
    return skips(norm, threshold).to(torch.float64).mean()


def diverged(norm: Tensor, threshold: float, patience: int = 100) -> Tensor:
    """Whether ``patience`` updates in a row were skipped."""
    applied = torch.logical_not(skips(norm, threshold)).long()
    if norm.shape[0] < patience:
        return torch.zeros((), dtype=torch.bool, device=norm.device)
    # Applied updates among the last ``patience``: a difference of two running counts.
    counts = torch.cat([applied.new_zeros(1), applied.cumsum(0)])
    return (counts[patience:] == counts[:-patience]).any()


def unscale(gradients: Sequence[Tensor], scale: Tensor) -> tuple[Tensor, ...]:
    """Gradients divided by the loss scale."""
    return tuple(g / scale for g in gradients)


def all_finite(gradients: Sequence[Tensor]) -> Tensor:
    """Whether every gradient is finite, without synchronising with the host."""
    return torch.stack([torch.isfinite(g).all() for g in gradients]).all()


def loss_scale(scale: Tensor, streak: int, usable: bool, interval: int = 2000) -> tuple[Tensor, Tensor]:
    """New loss scale and streak: halved after an overflow, doubled after ``interval`` steps without one."""
    grown = usable and streak + 1 == interval
    factor = 2.0 if grown else 1.0 if usable else 0.5
    kept = streak + 1 if usable and not grown else 0
    return scale * factor, torch.full_like(scale, kept)


def weight_decay_penalty(weights: Sequence[Tensor], coefficient: float) -> Tensor:
    """Half the coefficient times the sum of squares of all weights."""
    return 0.5 * coefficient * torch.stack([w.square().sum() for w in weights]).sum()


def gradient_variance(gradients: Tensor) -> tuple[Tensor, Tensor]:
    """Unbiased variance over draws (S, P) summed over parameters, and the squared mean gradient over it."""
    mean = gradients.mean(0)
    variance = (gradients - mean).square().sum() / (gradients.shape[0] - 1)
    return variance, mean.square().sum() / variance


def _largest(gradients: Sequence[Tensor]) -> Tensor:
    return torch.stack([torch.linalg.vector_norm(_vector(g), torch.inf) for g in gradients]).amax().detach()


def _scaled(gradients: Sequence[Tensor]) -> list[Tensor]:
    size = _largest(gradients)
    # Zero, infinity and NaN divide nothing: the product with the largest entry brings them back.
    usable = (size > 0) & torch.isfinite(size)
    divisor = torch.where(usable, size, torch.ones_like(size))
    return [torch.where(usable, g / divisor, torch.ones_like(g)) for g in gradients]


def _vector(gradient: Tensor) -> Tensor:
    return gradient.reshape(-1)

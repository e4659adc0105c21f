"""Schedules: functions of the optimiser step, counted from 0."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def kl_warmup(step: Tensor, start: float, length: float) -> Tensor:
    """Weight of the KL term: 0 up to step ``start``, then linear to 1 over ``length`` steps."""
    return torch.clamp((step - start) / length, 0, 1)


def kl_warmup_shifted(step: Tensor, start: float, length: float, floor: float) -> Tensor:
    """Weight of the KL term: ``(step - start) / (start + length)`` clipped to [floor, 1]."""
    return torch.clamp((step - start) / (start + length), floor, 1)


def kl_warmup_portion(step: Tensor, total: float, delay: float, portion: float, floor: float) -> Tensor:
    """Weight of the KL term over a portion of a run of ``total`` steps, in [floor, 1]; portion 0 gives 1."""
    if portion == 0:
        return torch.ones_like(step)
    return torch.clamp((step - delay * total) / (portion * total), floor, 1)


def kl_warmup_logistic(step: Tensor, midpoint: float, rate: float) -> Tensor:
    """Weight of the KL term along a logistic curve."""
    return torch.sigmoid(rate * (step - midpoint))


def geometric_interpolation(weight: Tensor, first: float, last: float) -> Tensor:
    """Value between ``first`` (weight 0) and ``last`` (weight 1), linear in the logarithm."""
    return first * (weight * math.log(last / first)).exp()


def warmup_then_cosine(
    step: Tensor,
    steps_per_epoch: int,
    warmup_epochs: int,
    epochs: int,
    peak: float,
    floor: float,
    carry_deficit: bool = False,
) -> Tensor:
    """Learning rate: linear per step for ``warmup_epochs``, then a cosine per epoch down to ``floor``."""
    ramp = warmup_epochs * steps_per_epoch
    start = peak * (ramp - 1) / ramp if carry_deficit else peak
    epoch = torch.floor(step / steps_per_epoch)
    # cos^2 of half the angle as the sine of what is left: exactly zero at the end.
    left = (epochs - 1 - epoch) * (0.5 * math.pi / (epochs - warmup_epochs - 1))
    decayed = floor + (start - floor) * left.sin().square()
    return torch.where(step < ramp, step * (peak / ramp), decayed)


def steps_per_epoch(images: Tensor, workers: int, batch: int) -> Tensor:
    """Steps per epoch with equal padded shares of the images and the last partial batch dropped."""
    return -(-images // workers) // batch


def hold_then_cosine(
    step: Tensor, peak: float, floor: float, warmup: float, start: float, length: float, recursive: bool = False
) -> Tensor:
    """Learning rate: warm-up, constant, cosine to ``floor``; ``recursive`` is the rate of the official PyTorch code."""
    if recursive:
        entered = math.sin(0.5 * math.pi * (length - start + 1) / length) ** 2
        divisor = torch.where(step <= length, entered, torch.ones_like(step))
        left = length - step
    else:
        divisor = torch.ones_like(step)
        left = torch.clamp(start + length - step, 0, length)
    share = (left * (0.5 * math.pi / length)).sin().square() / divisor
    return torch.where(step < start, peak * (step / warmup).clamp(max=1), floor + (peak - floor) * share)


def exponential_decay(step: Tensor, initial: float, factor: float, floor: float) -> Tensor:
    """Learning rate ``initial * factor^step``, at least ``floor``."""
    return (initial * (step * math.log(factor)).exp()).clamp(min=floor)


def step_decay(step: Tensor, initial: float, factors: Tensor, milestones: Tensor) -> Tensor:
    """Learning rate multiplied by ``factors[i]`` from step ``milestones[i]`` on."""
    passed = step.unsqueeze(-1) >= milestones
    return initial * torch.where(passed, factors, torch.ones_like(factors)).prod(-1)


def plateau_decay(values: Tensor, initial: float, factor: float, patience: int, most: int) -> Tensor:
    """Learning rate after each evaluation, lowered when ``values`` (T,) have not risen for more than ``patience``."""
    best = torch.full_like(values[:1], -math.inf)
    waited = torch.zeros_like(best, dtype=torch.long)
    decreases, counts = torch.zeros_like(waited), []
    for value in values.split(1):
        waited = torch.where(value > best, 0, waited + 1)
        best = torch.maximum(best, value)
        tired = waited > patience
        waited = torch.where(tired, 0, waited)
        decreases = torch.where(tired, (decreases + 1).clamp(max=most), decreases)
        counts.append(decreases)
    return initial * torch.as_tensor(factor, dtype=values.dtype, device=values.device) ** torch.cat(counts)


def linear_ramp(links: int, first: float, last: float) -> Tensor:
    """Temperatures ``first + i (last - first) / links`` of the links; ``last`` itself is not reached."""
    return first + torch.arange(links, dtype=torch.float64) * ((last - first) / links)

"""Conditional video models: bound per sequence, and proxies for predicted frames (..., H, W)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def sequence_nelbo(squared_error: Tensor, kl: Tensor, log_sigma: Tensor, dims: int) -> Tensor:
    """NELBO in nats of sequences whose frames lie along the first axis."""
    # The inverse deviation enters twice: its square overflows where the product does not.
    inverse = (-log_sigma).exp()
    constant = squared_error.shape[0] * dims * (log_sigma + HALF_LOG_TWO_PI)
    return constant + 0.5 * squared_error.sum(0) * inverse * inverse + kl.sum(0)


def ink_ratio(predicted: Tensor, true: Tensor) -> Tensor:
    """Total intensity of predicted frames over that of the true ones."""
    return predicted.sum((-2, -1)) / true.sum((-2, -1))


def peak_ratio(predicted: Tensor, true: Tensor) -> Tensor:
    """Highest intensity of predicted frames over that of the true ones."""
    return predicted.amax((-2, -1)) / true.amax((-2, -1))


def presence(predicted: Tensor, template: Tensor, threshold: float = 0.5) -> Tensor:
    """Whether the best normalised correlation of a window with the template is above the threshold; in float64."""
    frames, pattern = predicted.double().reshape(-1, 1, *predicted.shape[-2:]), template.double()
    pattern = pattern - pattern.mean()
    # One matrix of all windows (frames, pixels of a window, positions).
    windows = F.unfold(frames, template.shape)
    centred = windows - windows.mean(1, keepdim=True)
    norms = centred.square().sum(1).sqrt()
    products = torch.einsum("fwp,w->fp", centred, pattern.flatten() / pattern.square().sum().sqrt())
    correlation = torch.where(norms > 1e-12, products / norms.clamp(min=1e-12), 0)
    return (correlation.amax(1) > threshold).reshape(predicted.shape[:-2])


def best_of_n_sse(rollouts: Tensor, true: Tensor) -> Tensor:
    """Least squared error over predictions along the first axis."""
    return (rollouts - true).square().sum((-2, -1)).amin(0)


def rollout_diversity(rollouts: Tensor) -> Tensor:
    """Variance over predictions along the first axis, summed over pixels."""
    # From the first: near rollouts differ by less than the rounding of their mean.
    return (rollouts - rollouts[0]).var(0).sum((-2, -1))


def psnr(mean_squared_error: Tensor, data_range: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio in decibels."""
    return 20 * math.log10(data_range) - 10 * mean_squared_error.log10()

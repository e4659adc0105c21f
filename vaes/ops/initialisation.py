"""Initial weights: uniform laws from explicit uniform draws, and the scale that keeps deep hierarchies stable."""

from __future__ import annotations

import math

from torch import Tensor


def xavier_uniform(uniform: Tensor) -> Tensor:
    """Draws in [-1, 1] times Glorot's bound for their shape (c_out, c_in, ...)."""
    fans = uniform.shape[:2]
    return uniform * math.sqrt(6 / (sum(fans) * uniform[0, 0].numel()))


def kaiming_uniform_default(uniform: Tensor) -> Tensor:
    """Draws in [-1, 1] times PyTorch's default bound for their shape (c_out, c_in, ...)."""
    return uniform * uniform[0].numel() ** -0.5


def stable_scale(weight: Tensor, layers: int) -> Tensor:
    """Weight divided by the root of the number of layers."""
    return weight * layers**-0.5

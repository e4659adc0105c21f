"""Pointwise nonlinearities."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


def silu(u: Tensor) -> Tensor:
    """``u * sigmoid(u)`` by the library's kernel, whose backward recomputes the sigmoid and saves ``u`` alone.

    In float32 it is -0 below -88.7, where exp(-u) overflows; the values lost are smaller than 3e-37.
    """
    return torch.nn.functional.silu(u)


def gelu(u: Tensor) -> Tensor:
    """``u`` times the standard Gaussian distribution function, which keeps its digits in the lower tail."""
    return 0.5 * u * torch.erfc(u * -math.sqrt(0.5))


def leaky_relu(u: Tensor, slope: float) -> Tensor:
    """``u`` above zero and ``slope * u`` below."""
    return torch.where(u > 0, u, slope * u)


def elu(u: Tensor, alpha: float = 1.0) -> Tensor:
    """``u`` above zero and ``alpha * expm1(u)`` below."""
    return torch.where(u > 0, u, alpha * torch.expm1(u.clamp(max=0)))


def selu(u: Tensor) -> Tensor:
    """ELU with the two constants that keep mean 0 and variance 1 under a standard Gaussian input."""
    return SELU_SCALE * elu(u, SELU_ALPHA)

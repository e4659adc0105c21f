"""Bernoulli observations."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """Log likelihood of targets ``x`` in [0, 1] from logits, in nats, summed over the last axis.

    Targets outside [0, 1] give the value of the same formula, which is then no log likelihood.
    """
    # logsigmoid, not softplus: torch's softplus drops exp(-|l|) beyond l = 20, which float64 still sees.
    return (x * logsigmoid(logits) + (1 - x) * logsigmoid(-logits)).sum(-1)


def padded_log_likelihood(x: Tensor, logits: Tensor, margin: int = 2) -> Tensor:
    """Log likelihood of images (..., H, W) without the outer ``margin`` pixels, in nats per image."""
    height, width = x.shape[-2:]
    inner = (..., slice(margin, height - margin), slice(margin, width - margin))
    return log_likelihood(x[inner].flatten(-2), logits[inner].flatten(-2))


def log_normaliser(logits: Tensor) -> Tensor:
    """Log of the integral of the Bernoulli formula over grey values in [0, 1], at most log(1/2)."""
    # Even in the logits: (1 - q) / ((1 + q) l) with q = exp(-l) for l > 0.
    size = logits.abs()
    tiny = size < 1e-4
    safe = size.masked_fill(tiny, 1)
    ratio = -torch.expm1(-safe) / (safe * (1 + (-safe).exp()))
    series = -math.log(2) - logits.square() / 12
    return torch.where(tiny, series, ratio.log())


def binarise(intensity: Tensor, noise: Tensor) -> Tensor:
    """Binary image: one where the uniform ``noise`` in [0, 1) lies below the intensity."""
    return (noise < intensity).to(intensity.dtype)


def centre_and_bias(x: Tensor, mean: Tensor, margin: float = 0.001) -> tuple[Tensor, Tensor]:
    """Centred input of the encoder, and the logits of the mean image that the decoder adds to its own."""
    # torch.logit takes no notice of a margin that is NaN.
    return x - mean, torch.logit(mean, eps=margin) + 0 * margin

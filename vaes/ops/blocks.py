"""Blocks of deep hierarchical VAEs as pure functions of explicit weights.

A layer is a list ``[weight, bias]``, a bottleneck cell four of them in one list: ``[W0, b0, W1, b1, W2, b2, W3, b3]``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from vaes.ops import activations
from vaes.ops.convolution import pool, squeeze_excite

Layer = Sequence[Any]


def bottleneck(x: Tensor, cell: Layer, activation: str, residual: bool) -> Tensor:
    """Nonlinearity (silu or exact gelu) and convolution, four times; ``residual`` adds the input."""
    # The library's gelu forms 1 + erf, which cancels in the lower tail.
    acts: dict[str, Callable[..., Tensor]] = {"silu": functional.silu, "gelu": activations.gelu}
    act = acts[activation]
    w0, b0, w1, b1, w2, b2, w3, b3 = cell
    h = functional.conv2d(act(x), w0, b0)
    h = functional.conv2d(act(h), w1, b1, padding="same")
    h = functional.conv2d(act(h), w2, b2, padding="same")
    h = functional.conv2d(act(h), w3, b3)
    return x + h if residual else h


def bottom_up(x: Tensor, cell: Layer, skip: Layer, pooling: Layer) -> tuple[Tensor, Tensor]:
    """Residual cell; returns the state after the pooling (an empty list: none) and the features from before it."""
    state = bottleneck(x, cell, "silu", True)
    features = functional.conv2d(state, *skip)
    return (pool(state, *pooling) if len(pooling) else state), features


def prior(y: Tensor, cell: Layer, head: Layer, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    """Residual, mean and scale of a top-down block's prior."""
    residual, features = bottleneck(y, cell, "silu", False).chunk(2, 1)
    return residual, *_normal(functional.conv2d(features, *head), beta)


def posterior(y: Tensor, features: Tensor, cell: Layer, head: Layer, beta: float) -> tuple[Tensor, Tensor]:
    """Mean and scale of a top-down block's posterior, from the state and the bottom-up features."""
    hidden = bottleneck(torch.cat([y, features], 1), cell, "silu", False)
    return _normal(functional.conv2d(hidden, *head), beta)


def merge(y: Tensor, residual: Tensor, z: Tensor, latent: Layer, cell: Layer, activation: str) -> Tensor:
    """State with the prior's residual and the latent, through the residual cell at the end of the block."""
    return bottleneck(y + residual + functional.conv2d(z, *latent), cell, activation, True)


def vdvae_prior(y: Tensor, cell: Layer) -> tuple[Tensor, Tensor, Tensor]:
    """Residual, mean and scale of a VDVAE block's prior: a cell with 2 v + w outputs."""
    outputs = bottleneck(y, cell, "gelu", False)
    latents = (outputs.shape[1] - y.shape[1]) // 2
    mean, log_scale, residual = outputs.split([latents, latents, y.shape[1]], 1)
    return residual, mean, log_scale.exp()


def vdvae_posterior(y: Tensor, features: Tensor, cell: Layer) -> tuple[Tensor, Tensor]:
    """Mean and scale of a VDVAE block's posterior."""
    mean, log_scale = bottleneck(torch.cat([y, features], 1), cell, "gelu", False).chunk(2, 1)
    return mean, log_scale.exp()


def residual_block(x: Tensor, layers: Layer, skip: Layer, excite: Layer, resize: str, crop: int = 0) -> Tensor:
    """ELU and convolution, twice, with squeeze-and-excitation; ``resize``: none, down, up; ``crop`` cuts the end."""
    first, bias, second, second_bias = layers
    stride = 2 if resize == "down" else 1
    act = functional.elu
    if resize == "up":
        h = functional.conv_transpose2d(act(x), first, bias, stride=2, padding=1)
        x = functional.conv_transpose2d(x, *cast("tuple[Tensor, Tensor]", skip), stride=2)
        h, x = (m[..., : m.shape[-2] - crop, : m.shape[-1] - crop] for m in (h, x))
    else:
        h = functional.conv2d(act(x), first, bias, stride=stride, padding=1)
        x = functional.conv2d(x, *cast("tuple[Tensor, Tensor]", skip), stride=stride) if len(skip) else x
    y = functional.conv2d(act(h), second, second_bias, padding=1)
    gate = cast("tuple[Tensor, Tensor, Tensor, Tensor]", excite)
    return x + (squeeze_excite(y, *gate, activation="elu") if len(excite) else y)


def stochastic_skip(features: Tensor, latents: Sequence[Tensor], weights: Sequence[Tensor], bias: Tensor) -> Tensor:
    """First feature map plus a 1x1 convolution of every higher latent, all of them at once."""
    if not len(latents):
        return features + bias[:, None, None]
    return features + functional.conv2d(torch.cat(list(latents), 1), torch.cat(list(weights), 1), bias)


def _normal(outputs: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """Mean and softplus scale, without the threshold of the library's softplus."""
    mean, raw = outputs.chunk(2, 1)
    return mean, torch.logaddexp(beta * raw, torch.zeros_like(raw)) / beta

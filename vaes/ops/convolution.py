"""Convolutions of feature maps and what is built from one: pooling, unpooling, squeeze-and-excitation.

Feature maps are (B, C, H, W), weights (C_out, C_in / groups, k, k); the number of groups follows from the two.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional


def convolve(x: Tensor, weight: Tensor, bias: Tensor, stride: int, before: int, after: int) -> Tensor:
    """Convolution with ``before`` zeros above and left of the map, ``after`` below and right."""
    groups = x.shape[1] // weight.shape[1]
    if before == after:
        return functional.conv2d(x, weight, bias, stride=stride, padding=before, groups=groups)
    padded = functional.pad(x, (before, after, before, after))
    return functional.conv2d(padded, weight, bias, stride=stride, groups=groups)


def same(x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """Convolution that keeps the size of the map, divided by the stride; an odd pixel of padding goes first."""
    padding = weight.shape[-1] - stride
    return convolve(x, weight, bias, stride, (padding + 1) // 2, padding // 2)


def transposed(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """Transposed convolution with weight (C_in, C_out, k, k)."""
    return functional.conv_transpose2d(x, weight, bias, stride=stride, padding=padding)


def pool(x: Tensor, weight: Tensor, bias: Tensor, slope: float = 0.1) -> Tensor:
    """Convolution whose stride is its kernel, then a leaky rectifier.

    The disjoint squares are moved into the channels, so that the convolution is one matrix product.
    """
    squares = functional.pixel_unshuffle(x, weight.shape[-1])
    y = functional.conv2d(squares, weight.flatten(1)[:, :, None, None], bias)
    return functional.leaky_relu(y, slope)


def average_pool(x: Tensor, size: int) -> Tensor:
    """Mean over disjoint squares."""
    return functional.avg_pool2d(x, size)


def nearest(x: Tensor, scale: int) -> Tensor:
    """Nearest-neighbour enlargement."""
    batch, channels, height, width = x.shape
    larger = x[:, :, :, None, :, None].expand(batch, channels, height, scale, width, scale)
    return larger.reshape(batch, channels, height * scale, width * scale)


def unpool(y: Tensor, weight: Tensor, bias: Tensor, position_bias: Tensor, scale: int, slope: float = 0.1) -> Tensor:
    """1x1 convolution and leaky rectifier, enlarged, plus a bias per channel and position."""
    return nearest(functional.leaky_relu(functional.conv2d(y, weight, bias), slope), scale) + position_bias


def mixin(y: Tensor, bias: Tensor, scale: int) -> Tensor:
    """Coarser state enlarged, plus a bias per channel and position."""
    return nearest(y, scale) + bias


def squeeze_excite(
    x: Tensor, weight_in: Tensor, bias_in: Tensor, weight_out: Tensor, bias_out: Tensor, activation: str = "relu"
) -> Tensor:
    """Every channel multiplied by a gate computed from the means of all channels; ``activation`` is relu or elu."""
    nonlinearities: dict[str, Callable[..., Tensor]] = {"relu": functional.relu, "elu": functional.elu}
    hidden = nonlinearities[activation](functional.linear(x.mean((-2, -1)), weight_in, bias_in))
    return x * functional.linear(hidden, weight_out, bias_out).sigmoid()[:, :, None, None]

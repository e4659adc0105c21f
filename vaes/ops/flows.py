"""Volume-preserving and affine inverse autoregressive flows on feature maps, from masked convolutions.

The order of the variables is (row, column, channel); a mirrored step reverses rows and columns, not channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def dense_mask(inputs: int, outputs: int, blocks: int, size: int, strict: bool, mirrored: bool) -> Tensor:
    """Mask (outputs, inputs, size, size) of a dense kernel, in float64; ``blocks`` latent channels."""
    row, column = torch.arange(blocks)[:, None], torch.arange(blocks)
    centre = (column < row) if strict else (column <= row)
    centre = centre.repeat_interleave(outputs // blocks, 0).repeat_interleave(inputs // blocks, 1)
    return _mask(centre[:, :, None], size, mirrored)


def depthwise_mask(channels: int, size: int, strict: bool, mirrored: bool) -> Tensor:
    """Mask (channels, 1, size, size) of a depthwise kernel, in float64."""
    return _mask(torch.full((channels, 1, 1), not strict), size, mirrored)


def autoregressive_shift(z: Tensor, weights: Sequence[Tensor], bias: Tensor, mirrored: bool) -> Tensor:
    """Network of a flow step: strict dense, inclusive depthwise and 1x1 convolution, with one ELU and then two.

    The mirrored network runs on turned maps with turned kernels.
    """
    first, depthwise, last = weights
    hidden, n, size, _ = first.shape
    if mirrored:
        z, first, depthwise = z.flip(-1, -2), first.flip(-1, -2), depthwise.flip(-1, -2)
    first = first * dense_mask(n, hidden, n, size, True, False).to(first)
    depthwise = depthwise * depthwise_mask(hidden, depthwise.shape[-1], False, False).to(depthwise)
    last = last * dense_mask(hidden, last.shape[0], n, 1, False, False).to(last)
    x = functional.elu(functional.conv2d(z, first, padding="same"))
    x = functional.elu(functional.elu(functional.conv2d(x, depthwise, padding="same", groups=hidden)))
    shift = functional.conv2d(x, last, bias)
    return shift.flip(-1, -2) if mirrored else shift


def additive_step(z: Tensor, weights: Sequence[Tensor], bias: Tensor, mirrored: bool) -> Tensor:
    """Volume-preserving step ``z + shift(z)``."""
    return z + autoregressive_shift(z, weights, bias, mirrored)


def affine_step(
    z: Tensor, weights: Sequence[Tensor], bias: Tensor, mirrored: bool, bound: float = 5.0
) -> tuple[Tensor, Tensor]:
    """Affine step and its log determinant (B,); the network gives shift and raw log scale of a variable in turn."""
    shift, raw = autoregressive_shift(z, weights, bias, mirrored).unflatten(1, (z.shape[1], 2)).unbind(2)
    log_scale = bound * torch.tanh(raw / bound)
    return torch.addcmul(shift, log_scale.exp(), z), log_scale.flatten(1).sum(1)


def posterior_log_density(log_density: Tensor, log_determinants: Tensor) -> Tensor:
    """Log density of the first variable less the log determinants (K, ...) of the steps."""
    return log_density - log_determinants.sum(0)


def _mask(centre: Tensor, size: int, mirrored: bool) -> Tensor:
    """Kernel mask from its centre (outputs, inputs, 1): what comes before is seen, what comes after is not."""
    before = size * size // 2
    seen = torch.ones((), dtype=torch.bool).expand(*centre.shape[:2], before)
    mask = torch.cat([seen, centre, ~seen], -1).unflatten(-1, (size, size)).double()
    return mask.flip(-1, -2) if mirrored else mask

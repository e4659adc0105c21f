"""Gated residual blocks of weight-normalised convolutions, set up from the first batch.

Every convolution keeps the size of the map divided (transposed: multiplied) by its stride; of an odd number of padded
or cropped pixels the extra one is at the bottom and right.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vaes.ops.convolution import convolve, transposed
from vaes.ops.normalisation import init_by_variance, weight_norm

START = 0.05
"""Standard deviation of the directions at the start."""


class NormalisedConv(nn.Module):
    """Convolution whose weight is ``gain * direction / |direction|`` per output channel: (B, C, H, W).

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Side of the kernel.
    stride : int
    up : bool
        Transposed convolution, which multiplies the size by the stride.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        up: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        self.stride, self.up = stride, up
        channels = (inputs, outputs) if up else (outputs, inputs)
        self.direction = nn.Parameter(torch.empty(*channels, kernel, kernel, **options))
        self.gain = nn.Parameter(torch.empty(outputs, **options))
        self.bias = nn.Parameter(torch.empty(outputs, **options))
        self.from_data = False

    @property
    def weight(self) -> Tensor:
        """The normalised weight, in the layout of ``direction``."""
        if self.up:
            return weight_norm(self.direction.transpose(0, 1), self.gain).transpose(0, 1)
        return weight_norm(self.direction, self.gain)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution; while ``from_data`` is set, fit gain and bias to this input first."""
        if self.from_data:
            with torch.no_grad():
                self.gain.fill_(1)
                self.bias.zero_()
                gain, bias = init_by_variance(self._whole(x))
                self.gain.copy_(gain)
                self.bias.copy_(bias)
        y = self._whole(x)
        return self._cropped(y) if self.up else y

    def initialise(self, generator: torch.Generator) -> None:
        """Draw a direction, with gain 1 and bias 0; drawn in float64, so that both precisions start alike."""
        with torch.no_grad():
            draw = torch.randn(self.direction.shape, generator=generator, dtype=torch.float64)
            self.direction.copy_(START * draw)
            self.gain.fill_(1)
            self.bias.zero_()

    def _whole(self, x: Tensor) -> Tensor:
        """Output before the crop of a transposed convolution: its moments are what the start is fitted to."""
        if self.up:
            return transposed(x, self.weight, self.bias, self.stride, 0)
        padding = self.direction.shape[-1] - self.stride
        return convolve(x, self.weight, self.bias, self.stride, padding // 2, padding - padding // 2)

    def _cropped(self, y: Tensor) -> Tensor:
        surplus = self.direction.shape[-1] - self.stride
        before, after = surplus // 2, surplus - surplus // 2
        return y[..., before : y.shape[-2] - after, before : y.shape[-1] - after]


class GatedBlock(nn.Module):
    """Convolution, ELU, gated convolution, and a shortcut where the shapes allow one.

    Maps (B, inputs, H, W) to (B, width, H', W').

    Parameters
    ----------
    inputs, width : int
        Channels of the input and of the output.
    kernel, stride : int
        Of the two convolutions; the stride belongs to the second one.
    up : bool
        The stride enlarges the map.
    residual : bool
        Whether the input passes an ELU and, where its shape allows it, is added to the output.
    skip : int
        Channels of a second input, 0 for none.
    skip_stride : int
        How much smaller than the input the second input is.
    dropout : float
        Share of hidden values set to zero in training mode; drawn from the global generator of PyTorch, see
        `vaes.seeding.global_generators`.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        kernel: int,
        *,
        stride: int = 1,
        up: bool = False,
        residual: bool = True,
        skip: int = 0,
        skip_stride: int = 1,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        self.residual, self.stride = residual, stride
        self.shortcut = residual and width <= inputs and not (up and stride > 1)
        self.width, self.dropout = width, dropout
        self.first = NormalisedConv(inputs, width, kernel, **options)
        side = kernel if skip_stride > 1 else 1
        self.skip = NormalisedConv(skip, width, side, skip_stride, skip_stride > 1, **options) if skip else None
        self.second = NormalisedConv(width, 2 * width, kernel, stride, up and stride > 1, **options)

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """Apply the block; ``skip`` (B, skip, H / skip_stride, W / skip_stride) where it has a second input."""
        if (skip is None) != (self.skip is None):
            raise ValueError(f"skip must be {'absent' if self.skip is None else 'given'}, got the opposite")
        y = self.first(functional.elu(x) if self.residual else x)
        if self.skip is not None and skip is not None:
            y = y + self.skip(functional.elu(skip))
        y = functional.dropout(functional.elu(y), self.dropout, self.training)
        y = functional.glu(self.second(y), 1)
        if not self.shortcut:
            return y
        x = x[:, : self.width]
        return y + (_same_average(x, self.stride) if self.stride > 1 else x)


def _same_average(x: Tensor, stride: int) -> Tensor:
    """Mean over 3x3 windows, padded zeros counted."""
    padding = 3 - stride
    before = padding // 2
    padded = functional.pad(x, (before, padding - before, before, padding - before))
    return functional.avg_pool2d(padded, 3, stride)

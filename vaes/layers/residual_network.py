"""Residual convolutional networks without normalisation, on feature maps that come and go as flat vectors.

Flat means channels first, (..., C * H * W), so that a network can stand where a perceptron stands: samples of a
convolutional latent are vectors like those of any other.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import elu

from vaes.ops.convolution import average_pool, nearest
from vaes.ops.initialisation import stable_scale, xavier_uniform


class ResidualBlock(nn.Module):
    """``conv2(ELU(conv1(ELU(x)))) + shortcut(x)``: (B, inputs, H, W) -> (B, outputs, H', W').

    Where the width changes there is no shortcut, and no ELU on the input.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Side of both kernels, odd.
    resize : str
        "none"; "down" halves the map by a stride in conv2 and average pooling; "up" doubles it by a transposed conv2
        and nearest neighbours.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        resize: str = "none",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"padding": kernel // 2, "device": device, "dtype": dtype}
        self.resize, self.same_width = resize, inputs == outputs
        self.conv1 = nn.Conv2d(inputs, outputs, kernel, **options)
        self.conv2: nn.Module
        if resize == "up":
            self.conv2 = nn.ConvTranspose2d(outputs, outputs, kernel, stride=2, output_padding=1, **options)
        else:
            self.conv2 = nn.Conv2d(outputs, outputs, kernel, stride=2 if resize == "down" else 1, **options)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        if not self.same_width:
            return self.conv2(elu(self.conv1(x)))
        y = self.conv2(elu(self.conv1(elu(x))))
        if self.resize == "none":
            return y + x
        return y + (average_pool(x, 2) if self.resize == "down" else nearest(x, 2))


class ResidualNetwork(nn.Module):
    """[First convolution,] residual blocks, ELU and a head: (..., inputs) -> (..., outputs), both flat maps.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the input.
    outputs : int
        Channels of the output.
    maps, blocks, kernel : int
        Width, number and kernel side of the residual blocks.
    stem : bool
        Whether a 3x3 convolution widens the input to ``maps``; otherwise the first block does.
    head : int
        Kernel side of the last convolution.
    resize, halvings : str, int
        The last ``halvings`` blocks halve the map ("down"), or the first ones double it ("up").
    further : int
        Channels of further maps that follow those of ``shape`` in the input. They reach the first feature map through
        one 1x1 convolution.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        outputs: int,
        *,
        maps: int,
        blocks: int,
        kernel: int,
        stem: bool = True,
        head: int = 3,
        resize: str = "down",
        halvings: int = 0,
        further: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        channels, height, width = shape
        self.shape, self.further = shape, further
        self.inputs = (channels + further) * height * width
        scale = 2**halvings
        self.outputs = outputs * (height * width * scale**2 if resize == "up" else height * width // scale**2)
        self.stem = nn.Conv2d(channels, maps, 3, padding=1, **options) if stem else None
        self.skip = nn.Conv2d(further, maps, 1, **options) if further else None
        resizes = [resize] * halvings + ["none"] * (blocks - halvings)
        widths = [maps if stem else channels] + [maps] * (blocks - 1)
        order = resizes if resize == "up" else resizes[::-1]
        pairs = zip(widths, order, strict=True)
        self.blocks = nn.Sequential(*(ResidualBlock(width, maps, kernel, each, **options) for width, each in pairs))
        self.head = nn.Conv2d(maps, outputs, head, padding=head // 2, **options)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the network.

        Raises
        ------
        ValueError
            If the last axis of ``x`` does not hold the input's maps.
        """
        if x.shape[-1] != self.inputs:
            raise ValueError(f"x must hold {self.inputs} values in its last axis, got {x.shape[-1]}")
        channels, height, width = self.shape
        h, further = x.reshape(-1, channels + self.further, height, width).split([channels, self.further], 1)
        if self.stem is not None:
            h = self.stem(h)
        if self.skip is not None:
            h = h + self.skip(further)
        return self.head(elu(self.blocks(h))).reshape(*x.shape[:-1], self.outputs)


def glorot_(network: ResidualNetwork, heads: int, generator: torch.Generator, stable: bool = False) -> None:
    """Glorot-uniform weights and zero biases; each of ``heads`` equal parts of the output counts as its own layer.

    ``stable`` divides what each block adds at first by the root of the number of blocks: without normalisation the
    variance grows with every block. Drawn in float64 and rounded, so that models of either precision start from the
    same numbers.
    """
    with torch.no_grad():
        for layer in network.modules():
            if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                continue
            draw = torch.rand(layer.weight.shape, generator=generator, dtype=torch.float64)
            parts = (2 * draw - 1).chunk(heads if layer is network.head else 1)
            layer.weight.copy_(torch.cat([xavier_uniform(part) for part in parts]))
            if layer.bias is not None:
                layer.bias.zero_()
        blocks: list[Any] = list(network.blocks)
        for block in blocks if stable else []:
            block.conv2.weight.copy_(stable_scale(block.conv2.weight, len(blocks)))

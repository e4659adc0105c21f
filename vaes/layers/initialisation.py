"""Initial parameters from a named stream, for modules that torch would initialise from its global generator."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from vaes.ops import initialisation

Module = TypeVar("Module", bound=nn.Module)
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def torch_default_(module: Module, generator: torch.Generator) -> Module:
    """PyTorch's default law for all linear layers and convolutions of ``module``, in the order of its modules.

    Weights and biases are uniform within 1 / sqrt(fan-in). Drawn in float64 and rounded, so that models of either
    precision start from the same numbers.
    """
    with torch.no_grad():
        for layer in module.modules():
            if not isinstance(layer, LAYERS):
                continue
            draw = 2 * torch.rand(layer.weight.shape, generator=generator, dtype=torch.float64) - 1
            layer.weight.copy_(initialisation.kaiming_uniform_default(draw))
            if layer.bias is not None:
                draw = 2 * torch.rand(layer.bias.shape, generator=generator, dtype=torch.float64) - 1
                layer.bias.copy_(draw * layer.weight[0].numel() ** -0.5)
    return module

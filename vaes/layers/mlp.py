"""Multilayer perceptrons with tanh: one model, and many models as one.

`MLP` is the textbook module. `StackedMLP` holds the parameters of M such modules along a first axis and evaluates all
of them in one batched product per layer; member m gives the numbers of the m-th module up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ACTIVATIONS = ("tanh", "identity")


class MLP(nn.Module):
    """Linear layers with an activation between them: (..., sizes[0]) -> (..., sizes[-1])."""

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.activation = activation
        pairs = pairwise(sizes)
        self.layers = nn.ModuleList(nn.Linear(*pair, device=device, dtype=dtype) for pair in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the network to the last axis of ``x``."""
        for layer in self.layers[:-1]:
            x = layer(x)
            if self.activation == "tanh":
                x = x.tanh()
        return self.layers[-1](x)


class StackedMLP(nn.Module):
    """M networks of one shape: (M or 1, rows, sizes[0]) -> (M, rows, sizes[-1]).

    Weights are stored as (M, in, out) and biases as (M, 1, out), the layout that the batched product reads.
    """

    def __init__(
        self,
        members: int,
        sizes: Sequence[int],
        activation: str = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.activation = activation
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        pairs = list(pairwise(sizes))
        self.weights = nn.ParameterList(nn.Parameter(torch.empty(members, i, o, **options)) for i, o in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.empty(members, 1, o, **options)) for _, o in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """Apply member m to ``x[m]`` (to ``x[0]`` where one input serves all members)."""
        return self._apply_stack(x, [p for pair in zip(self.weights, self.biases, strict=True) for p in pair])

    def split(self, first: int) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """Two functions, for the first ``first`` members and for the others."""
        sizes = [first, len(self.weights[0]) - first]
        parts = [p.split(sizes) for pair in zip(self.weights, self.biases, strict=True) for p in pair]
        one, two = ([part[side] for part in parts] for side in (0, 1))
        return partial(self._apply_stack, parameters=one), partial(self._apply_stack, parameters=two)

    def load_member(self, member: int, network: MLP) -> None:
        """Copy the parameters of a single network into row ``member``."""
        with torch.no_grad():
            layers: Any = network.layers
            for weight, bias, layer in zip(self.weights, self.biases, layers, strict=True):
                weight[member].copy_(layer.weight.T)
                bias[member, 0].copy_(layer.bias)

    def store_member(self, member: int, network: MLP) -> None:
        """Copy row ``member`` into a single network."""
        with torch.no_grad():
            layers: Any = network.layers
            for weight, bias, layer in zip(self.weights, self.biases, layers, strict=True):
                layer.weight.copy_(weight[member].T)
                layer.bias.copy_(bias[member, 0])

    def _apply_stack(self, x: Tensor, parameters: list[Tensor]) -> Tensor:
        x = x.expand(len(parameters[0]), -1, -1)
        if self.activation == "tanh":
            return _TanhStack.apply(x, *parameters)
        for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
            x = torch.baddbmm(bias, x, weight)
        return x


def glorot_(network: MLP, heads: int, generator: torch.Generator) -> None:
    """Glorot-uniform weights and zero biases; each of ``heads`` equal parts of the output counts as its own layer.

    Drawn in float64 and rounded, so that models of either precision start from the same numbers.
    """
    with torch.no_grad():
        layers: Any = network.layers
        for layer in layers:
            last = layer is layers[-1]
            bound = math.sqrt(6 / (layer.in_features + layer.out_features // (heads if last else 1)))
            draw = torch.rand(layer.weight.shape, generator=generator, dtype=torch.float64)
            layer.weight.copy_((2 * draw - 1) * bound)
            layer.bias.zero_()


class _TanhStack(torch.autograd.Function):
    """Batched tanh network with activations overwritten in place.

    tanh(a) is computed as 2 sigmoid(2a) - 1, with an absolute error of 2e-7 in float32: PyTorch's vectorised sigmoid
    is six times faster on CPU than its tanh, which otherwise takes most of the time of a small network. The factor 2
    is exact on the (small) parameters.
    """

    @staticmethod
    def forward(ctx, x: Tensor, *parameters: Tensor) -> Tensor:  # type: ignore[override, no-untyped-def]
        weights, biases = parameters[::2], parameters[1::2]
        inputs = [x]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append(torch.baddbmm(bias + bias, inputs[-1], weight + weight).sigmoid_().mul_(2).sub_(1))
        ctx.save_for_backward(*inputs, *weights)
        return torch.baddbmm(biases[-1], inputs[-1], weights[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[override, no-untyped-def]
        depth = len(ctx.saved_tensors) // 2
        inputs, weights = ctx.saved_tensors[:depth], ctx.saved_tensors[depth:]
        gradients: list[Tensor | None] = []
        for layer in range(depth - 1, -1, -1):
            gradients += [grad.sum(1, keepdim=True), torch.bmm(inputs[layer].transpose(1, 2), grad)]
            if layer == 0 and not ctx.needs_input_grad[0]:
                return (None, *reversed(gradients))
            grad = torch.bmm(grad, weights[layer].transpose(1, 2))
            if layer > 0:
                torch.ops.aten.tanh_backward.grad_input(grad, inputs[layer], grad_input=grad)
        return (grad, *reversed(gradients))

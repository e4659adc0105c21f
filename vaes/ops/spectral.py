"""Spectral norms of convolutions: power iteration, the exact operator, Lipschitz bounds, the regulariser.

Layers whose reshaped weights have one shape are iterated together as a batch of matrices. Iterations run in float32 at
least, whatever the dtype of the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST = 1e-3


def power_iteration(weight: Tensor, vector: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Approximate leading singular vectors (left, right) of a reshaped weight; no gradient."""
    left, right = power_iterations([weight], [vector], iterations)
    return left, right


def power_iterations(weights: Sequence[Tensor], vectors: Sequence[Tensor], iterations: int) -> tuple[Tensor, ...]:
    """Approximate leading singular vectors of many layers, all left ones, then all right ones; no gradient."""
    groups = [_iterate(members, weights, vectors, iterations) for members in _equal_shapes(weights)]
    order = [i for members in _equal_shapes(weights) for i in members]
    lefts, rights = ([v for group in groups for v in group[k].to(weights[0].dtype).unbind()] for k in (0, 1))
    places = sorted(range(len(order)), key=order.__getitem__)
    return (*(lefts[p] for p in places), *(rights[p] for p in places))


def norm_estimate(weight: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Bilinear form left^T W right; its gradient along the weight is the outer product of the vectors."""
    wide = _wide(weight.dtype)
    return torch.mv(weight.flatten(1).to(wide), right.to(wide)).dot(left.to(wide)).to(weight.dtype)


def regulariser(weights: Sequence[Tensor], vectors: Sequence[Tensor], iterations: int) -> Tensor:
    """Sum of the estimated spectral norms after some iterations from ``vectors``.

    Compiles without graph breaks; :func:`batched_step` is the faster way to the same gradients when not compiled.
    """
    found = power_iterations(weights, vectors, iterations)
    pairs = zip(weights, found[: len(weights)], found[len(weights) :], strict=True)
    return torch.stack([norm_estimate(w, u, v) for w, u, v in pairs]).sum()


def batched_step(weights: Sequence[Tensor], vectors: Sequence[Tensor], iterations: int) -> tuple[Tensor, list[Tensor]]:
    """One step of a regulariser that keeps its vectors: norm estimates (N,) and the vectors to start the next from.

    The estimates carry gradients to the weights, the vectors none.
    """
    shapes = _equal_shapes(weights)
    groups = [_iterate(members, weights, vectors, iterations) for members in shapes]
    order = [i for members in shapes for i in members]
    lefts: list[Tensor] = list(vectors)
    for members, (left, _, _) in zip(shapes, groups, strict=True):
        for i, vector in zip(members, left.to(weights[0].dtype).unbind(), strict=True):
            lefts[i] = vector
    places = sorted(range(len(order)), key=order.__getitem__)
    values = torch.cat([norms for _, _, norms in groups])[places]
    pairs = [vectors for left, right, _ in groups for vectors in (left, right)]
    return _OuterGradient.apply(values, order, *pairs, *(weights[i] for i in order)), lefts


def conv_norm(weight: Tensor, height: int, width: int) -> Tensor:
    """Exact norm of a dense convolution with stride 1 and circular padding on maps of the given size.

    A real kernel has conjugate blocks at opposite frequencies, so half of them are enough.
    """
    blocks = torch.fft.rfft2(weight.to(_wide(weight.dtype)), (height, width)).permute(2, 3, 0, 1)
    return torch.linalg.svdvals(blocks).amax().to(weight.dtype)


def conv_norm_estimate(weight: Tensor, start: Tensor, iterations: int) -> Tensor:
    """Norm of a dense convolution with stride 1 and zero padding by power iteration on maps; differentiable."""
    wide = _wide(weight.dtype)
    kernel, x, padding = weight.to(wide), start.to(wide)[None], weight.shape[-1] // 2
    for _ in range(iterations):
        y = functional.conv2d(x, kernel, padding=padding)
        x = functional.conv_transpose2d(y, kernel, padding=padding)
        x = x / torch.linalg.vector_norm(x)
    return torch.linalg.vector_norm(functional.conv2d(x, kernel, padding=padding)).to(weight.dtype)


def lipschitz_bounds(weight: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Lower and upper bound on the norm of a convolution from its reshaped weight, group by group."""
    blocks = weight.to(_wide(weight.dtype)).reshape(groups, weight.shape[0] // groups, -1)
    lower = torch.linalg.svdvals(blocks).amax().to(weight.dtype)
    return lower, weight.shape[-1] * lower


def network_bound(norms: Tensor) -> Tensor:
    """Product of the norms of the layers, a bound on the Lipschitz constant of their chain."""
    return norms.prod()


def _equal_shapes(weights: Sequence[Tensor]) -> list[list[int]]:
    """Positions of the weights, those of one reshaped shape together."""
    shapes: dict[tuple[int, int], list[int]] = {}
    for i, weight in enumerate(weights):
        shapes.setdefault((weight.shape[0], weight.numel() // weight.shape[0]), []).append(i)
    return list(shapes.values())


@torch.no_grad()
def _iterate(
    members: list[int], weights: Sequence[Tensor], vectors: Sequence[Tensor], iterations: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Left vectors, right vectors and norms of weights of one shape.

    Vectors are rows, not columns: on CPU a batched product with a single column takes up to ten times as long. The last
    iteration already holds W v, whose product with u is the norm.
    """
    matrices = torch.stack([weights[i].flatten(1) for i in members]).to(_wide(weights[0].dtype))
    transposes = matrices.mT
    product = right = left = torch.stack([vectors[i] for i in members]).to(matrices.dtype)[:, None]
    for _ in range(iterations):
        right = _normalised(left @ matrices)
        product = right @ transposes
        left = _normalised(product)
    return left[:, 0], right[:, 0], (left * product).sum((1, 2))


class _OuterGradient(torch.autograd.Function):
    """Norm estimates, given as values, with the outer products of their vectors as gradients along the weights.

    The vectors count as constants: neither the stacked weights nor the iterations are kept for the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, order: list[int], *tensors: Tensor) -> Tensor:
        weights, pairs = tensors[-len(order) :], tensors[: -len(order)]
        ctx.save_for_backward(*pairs)
        ctx.order = order
        ctx.shapes, ctx.dtype = [weight.shape for weight in weights], weights[0].dtype
        return values.to(ctx.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        pairs = ctx.saved_tensors
        lefts, rights = pairs[::2], pairs[1::2]
        parts = gradient[ctx.order].split([left.shape[0] for left in lefts])
        outers: list[Tensor] = []
        for g, left, right in zip(parts, lefts, rights, strict=True):
            outer = (g.to(left.dtype)[:, None] * left)[:, :, None] * right[:, None]
            outers += outer.to(ctx.dtype).unbind()
        flat = (outer.reshape(shape) for outer, shape in zip(outers, ctx.shapes, strict=True))
        return None, None, *(None for _ in pairs), *flat


def _normalised(rows: Tensor) -> Tensor:
    return rows / torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_min_(SMALLEST)


def _wide(dtype: torch.dtype) -> torch.dtype:
    """Float32 for narrower dtypes: half precision loses the small singular directions."""
    return torch.promote_types(dtype, torch.float32)

"""Spectral norms of convolutions: power iteration, the exact operator, Lipschitz bounds, the regulariser.

Layers with as many outputs are iterated together as a batch of matrices, where that is cheap with zeros appended to the
narrower ones. Iterations run in float32 at least, whatever the dtype of the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST = 1e-3
# Entries up to which a padded matrix costs less than another call.
SMALL_MATRIX = 4096
# Positions of weights of one shape, for each shape of a batch.
Batch = list[list[int]]


def power_iteration(weight: Tensor, vector: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Approximate leading singular vectors (left, right) of a reshaped weight; no gradient."""
    left, right = power_iterations([weight], [vector], iterations)
    return left, right


def power_iterations(weights: Sequence[Tensor], vectors: Sequence[Tensor], iterations: int) -> tuple[Tensor, ...]:
    """Approximate leading singular vectors of many layers, all left ones, then all right ones; no gradient."""
    lefts, rights = list(vectors), list(vectors)
    for batch in _batches(weights):
        left, right, _ = _iterate(batch, weights, vectors, iterations)
        for row, i in enumerate(i for members in batch for i in members):
            lefts[i] = left[row].to(weights[i].dtype)
            rights[i] = right[row, : weights[i][0].numel()].to(weights[i].dtype)
    return (*lefts, *rights)


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
    batches = _batches(weights)
    found = [_iterate(batch, weights, vectors, iterations) for batch in batches]
    order = [i for batch in batches for members in batch for i in members]
    lefts: list[Tensor] = list(vectors)
    for i, row in zip(order, (r for left, _, _ in found for r in left.to(weights[0].dtype).unbind()), strict=True):
        lefts[i] = row
    pairs = (pair for left, right, _ in found for pair in (left, right))
    norms = torch.cat([norms for _, _, norms in found])
    estimates = _OuterGradient.apply(norms, batches, *pairs, *(weights[i] for i in order))
    return estimates[sorted(range(len(order)), key=order.__getitem__)], lefts


def conv_norm(weight: Tensor, height: int, width: int) -> Tensor:
    """Exact norm of a dense convolution with stride 1 and circular padding on maps of the given size.

    A real kernel has conjugate blocks at opposite frequencies, so half of them are enough. For a weight that is NaN or
    infinite, torch's factorisation raises ``torch.linalg.LinAlgError`` (on CPU).
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
    """Lower and upper bound on the norm of a convolution from its reshaped weight, group by group.

    For a weight that is NaN or infinite, torch's factorisation raises ``torch.linalg.LinAlgError`` (on CPU).
    """
    blocks = weight.to(_wide(weight.dtype)).reshape(groups, weight.shape[0] // groups, -1)
    lower = torch.linalg.svdvals(blocks).amax().to(weight.dtype)
    return lower, weight.shape[-1] * lower


def network_bound(norms: Tensor) -> Tensor:
    """Product of the norms of the layers, a bound on the Lipschitz constant of their chain."""
    return norms.prod()


def _batches(weights: Sequence[Tensor]) -> list[Batch]:
    """Weights to be iterated together: as many outputs, widest first, those of one shape next to each other."""
    shapes: dict[tuple[int, int, torch.Size], list[int]] = {}
    for i, weight in enumerate(weights):
        shape = weight.shape
        shapes.setdefault((shape[0], shape[1:].numel(), shape), []).append(i)
    batches: list[Batch] = []
    first = (0, 0)
    for (rows, columns, _), members in sorted(shapes.items(), reverse=True):
        if rows == first[0] and (first[1] <= 2 * columns or rows * first[1] <= SMALL_MATRIX):
            batches[-1].append(members)
        else:
            first = rows, columns
            batches.append([members])
    return batches


def _stacked(batch: Batch, weights: Sequence[Tensor]) -> Tensor:
    """Reshaped weights of a batch (n, rows, columns), with zeros beside the narrower ones."""
    dtype = _wide(weights[0].dtype)
    groups = [torch.stack([weights[i] for i in members]).flatten(2).to(dtype) for members in batch]
    if len(groups) == 1:
        return groups[0]
    matrices = groups[0].new_zeros(sum(map(len, groups)), *groups[0].shape[1:])
    for part, group in zip(matrices.split([len(group) for group in groups]), groups, strict=True):
        part[:, :, : group.shape[2]] = group
    return matrices


@torch.no_grad()
def _iterate(
    batch: Batch, weights: Sequence[Tensor], vectors: Sequence[Tensor], iterations: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Left vectors, right vectors and norms of a batch.

    Vectors are rows, not columns: on CPU a batched product with a single column takes up to ten times as long. The last
    iteration already holds W v, whose product with u is the norm.
    """
    matrices = _stacked(batch, weights)
    transposes = matrices.mT
    starts = torch.stack([vectors[i] for members in batch for i in members])
    product = right = left = starts.to(matrices.dtype)[:, None]
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
    def forward(ctx: Any, values: Tensor, batches: list[Batch], *tensors: Tensor) -> Tensor:
        pairs, weights = tensors[: 2 * len(batches)], tensors[2 * len(batches) :]
        ctx.save_for_backward(*pairs)
        ctx.batches, ctx.dtype = batches, weights[0].dtype
        ctx.shapes = [weight.shape for weight in weights]
        return values.to(ctx.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        pairs, outers, start = ctx.saved_tensors, [], 0
        for batch, left, right in zip(ctx.batches, pairs[::2], pairs[1::2], strict=True):
            scaled = gradient[start : start + len(left), None].to(left.dtype) * left
            at = 0
            for members in batch:
                here, shape = slice(at, at + len(members)), ctx.shapes[start + at]
                outer = scaled[here, :, None] * right[here, None, : shape[1:].numel()]
                outers += outer.to(ctx.dtype).view(-1, *shape).unbind()
                at += len(members)
            start += at
        return None, None, *(None for _ in pairs), *outers


def _normalised(rows: Tensor) -> Tensor:
    return rows / torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_min_(SMALLEST)


def _wide(dtype: torch.dtype) -> torch.dtype:
    """Float32 for narrower dtypes: half precision loses the small singular directions."""
    return torch.promote_types(dtype, torch.float32)

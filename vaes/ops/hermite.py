"""Hermite polynomials: the orthonormal basis of functions of a standard Gaussian variable.

A function ``f`` of n variables takes points (..., n) and returns values (...) or (..., m). Multi-indices are an
integer tensor (A, n); coefficients have shape (A,) or (A, m).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def basis(z: Tensor, degree: int) -> Tensor:
    """Normalised probabilists' Hermite polynomials h_0..h_degree at ``z``, shape (degree + 1, *z.shape)."""
    values = [torch.ones_like(z), z]
    for n in range(1, degree):
        values.append((z * values[n] - math.sqrt(n) * values[n - 1]) / math.sqrt(n + 1))
    return torch.stack(values[: degree + 1])


def multi_indices(dims: int, degree: int) -> Tensor:
    """All multi-indices (A, dims) of total degree at most ``degree``, in graded lexicographic order."""
    grid = torch.cartesian_prod(*[torch.arange(degree + 1)] * dims).reshape(-1, dims) if dims else torch.zeros(1, 0)
    total = grid.sum(1)
    order = torch.argsort(total, stable=True)
    return grid[order][total[order] <= degree].long()


def multi_basis(z: Tensor, indices: Tensor) -> Tensor:
    """Products of univariate Hermite polynomials: points (..., n) and multi-indices (A, n) give (..., A)."""
    degree = max(indices.flatten().tolist(), default=0)
    table = basis(z, degree).movedim(0, -1)
    positions = indices.T.expand(*z.shape, indices.shape[0])
    return table.gather(-1, positions).prod(-2)


def rule(nodes: int, dims: int = 1) -> tuple[Tensor, Tensor]:
    """Gauss-Hermite points (nodes^dims, dims) and weights for the standard Gaussian measure, in float64.

    The nodes are the eigenvalues of the Jacobi matrix of the recursion, polished by a Newton step; the weights are
    Christoffel's sums, since the squared components of the eigenvectors have no correct digit in the tails.
    """
    off_diagonal = torch.arange(1, nodes, dtype=torch.float64).sqrt()
    axis = torch.linalg.eigvalsh(torch.diag(off_diagonal, 1) + torch.diag(off_diagonal, -1))
    table = basis(axis, nodes)
    axis = axis - table[nodes] / (math.sqrt(nodes) * table[nodes - 1])
    axis = 0.5 * (axis - axis.flip(0))
    weight = basis(axis, nodes - 1).square().sum(0).reciprocal()
    points = torch.stack(torch.meshgrid(*[axis] * dims, indexing="ij"), -1).reshape(-1, dims)
    weights = torch.stack(torch.meshgrid(*[weight] * dims, indexing="ij"), -1).prod(-1).reshape(-1)
    return points, weights


def inner_product(f: Function, g: Function, nodes: int, dims: int = 1) -> Tensor:
    """E[f(z) g(z)] under the standard Gaussian measure, by quadrature in float64."""
    points, weights = rule(nodes, dims)
    return torch.tensordot(weights, f(points) * g(points), 1)


def coefficients(f: Function, indices: Tensor, nodes: int) -> Tensor:
    """Hermite coefficients E[f(z) h_alpha(z)] by quadrature in float64, shape (A,) or (A, m)."""
    points, weights = rule(nodes, indices.shape[1])
    values = f(points)
    return torch.tensordot(weights[:, None] * multi_basis(points, indices), values, dims=([0], [0]))


def expand(coefficients: Tensor, indices: Tensor, z: Tensor) -> Tensor:
    """Sum of the Hermite series with these coefficients at points (..., n)."""
    return torch.tensordot(multi_basis(z, indices), coefficients, 1)


def squared_norm(coefficients: Tensor) -> Tensor:
    """Squared norm of a function from its Hermite coefficients (Plancherel)."""
    return coefficients.square().sum(0)


def mean(coefficients: Tensor, indices: Tensor) -> Tensor:
    """Mean of a function: its constant coefficient."""
    return weighted_sum(coefficients, (total_degree(indices) == 0).to(coefficients))


def variance(coefficients: Tensor, indices: Tensor) -> Tensor:
    """Variance of a function: the sum of its squared non-constant coefficients."""
    return weighted_sum(coefficients.square(), (total_degree(indices) > 0).to(coefficients))


def spectral_profile(coefficients: Tensor, indices: Tensor) -> Tensor:
    """Sum of squared coefficients by total degree, shape (D + 1,) or (D + 1, m)."""
    degree = total_degree(indices)
    profile = coefficients.new_zeros((max(degree.tolist(), default=0) + 1, *coefficients.shape[1:]))
    return profile.index_add(0, degree, coefficients.square())


def total_degree(indices: Tensor) -> Tensor:
    """Total degree of each multi-index, shape (A,)."""
    return indices.sum(1)


def weighted_sum(values: Tensor, weights: Tensor) -> Tensor:
    """Sum over the first axis of ``values`` (A, ...) with weights (A,)."""
    return torch.tensordot(weights, values, 1)

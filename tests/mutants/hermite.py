"""Faults of the Hermite functions."""

from __future__ import annotations

import math

import torch

from tests.mutants import killed_by
from vaes.ops import hermite


@killed_by("test_value")
def basis__not_normalised(z, degree):
    norms = torch.tensor([math.sqrt(math.factorial(n)) for n in range(degree + 1)], dtype=z.dtype)
    return hermite.basis(z, degree) * norms.reshape(-1, *[1] * z.ndim)


@killed_by("test_value")
def basis__physicists_polynomials(z, degree):
    return hermite.basis(z * math.sqrt(2), degree)


@killed_by("test_basis_has_parity")
def basis__shifted(z, degree):
    return hermite.basis(z + 0.1, degree)


@killed_by("test_value")
def multi_indices__degree_per_axis(dims, degree):
    if dims == 0:
        return hermite.multi_indices(dims, degree)
    return torch.cartesian_prod(*[torch.arange(degree + 1)] * dims).reshape(-1, dims)


@killed_by("test_value")
def multi_basis__sum_for_product(z, indices):
    return sum(hermite.multi_basis(z[..., [i]], indices[:, [i]]) for i in range(z.shape[-1]))


@killed_by("test_value")
def rule__physicists_weight(nodes, dims=1):
    points, weights = hermite.rule(nodes, dims)
    return points / math.sqrt(2), weights


@killed_by("test_rule_at_50_digits")
def rule__weights_of_eigenvectors(nodes, dims=1):
    points, weights = hermite.rule(nodes, dims)
    if dims != 1:
        return points, weights
    off_diagonal = torch.arange(1, nodes, dtype=torch.float64).sqrt()
    _, vectors = torch.linalg.eigh(torch.diag(off_diagonal, 1) + torch.diag(off_diagonal, -1))
    return points, vectors[0].square()


@killed_by("test_value")
def inner_product__weights_not_normalised(f, g, nodes, dims=1):
    return hermite.inner_product(f, g, nodes, dims) * math.sqrt(2 * math.pi) ** dims


@killed_by("test_constant_shifts_only_the_mean_coefficient")
def coefficients__shifted_nodes(f, indices, nodes):
    return hermite.coefficients(lambda z: f(z) * (1 + 0.1 * z[..., :1]), indices, nodes)


@killed_by("test_value")
def coefficients__factorial_of_the_basis(f, indices, nodes):
    scale = torch.tensor([math.prod(math.factorial(a) for a in row) for row in indices.tolist()], dtype=torch.float64)
    values = hermite.coefficients(f, indices, nodes)
    return values * scale.reshape(-1, *[1] * (values.ndim - 1)) ** 0.5


@killed_by("test_value")
def expand__constant_left_out(coefficients, indices, z):
    return hermite.expand(coefficients, indices, z) - hermite.mean(coefficients, indices)


@killed_by("test_mean_and_variance_make_the_norm")
def squared_norm__absolute_values(coefficients):
    return coefficients.abs().sum(0)


@killed_by("test_value")
def mean__average_of_coefficients(coefficients, indices):
    return coefficients.mean(0)


@killed_by("test_mean_and_variance_make_the_norm")
def variance__constant_included(coefficients, indices):
    return coefficients.square().sum(0)


@killed_by("test_value")
def spectral_profile__not_squared(coefficients, indices):
    return hermite.spectral_profile(coefficients.abs().sqrt(), indices)


@killed_by("test_value")
def total_degree__largest_exponent(indices):
    return indices.max(1).values

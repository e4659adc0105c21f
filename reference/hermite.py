"""Hermite polynomials: the orthonormal basis of functions of a standard Gaussian variable.

A function ``f`` of n variables takes points of shape (..., n) and returns values of shape (...) or (..., m). A set of
multi-indices is an integer array of shape (A, n); coefficients have shape (A,) or (A, m).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Array, integer, real

Function = Callable[[Array], Array]
Indices = NDArray[np.int64]

MAX_NODES = 300
MAX_GRID = 10_000_000


def basis(z: ArrayLike, degree: int) -> Array:
    r"""Normalised probabilists' Hermite polynomials of degree 0 to ``degree``.

    .. math:: h_0=1,\quad h_1(z)=z,\quad h_{n+1}(z)=\frac{z\,h_n(z)-\sqrt n\,h_{n-1}(z)}{\sqrt{n+1}},
              \qquad h_n=\frac{He_n}{\sqrt{n!}}

    Parameters
    ----------
    z : array_like, any shape
        Points :math:`z`.
    degree : int
        Highest degree :math:`n\ge0`.

    Returns
    -------
    ndarray (degree + 1, *z.shape)
        Values :math:`h_0(z),\dots,h_n(z)`; large for large \|z\| (:math:`h_{60}(12)` is of order 1e14).

    Raises
    ------
    ValueError
        If ``z`` contains NaN or ``degree`` is not an integer >= 0.

    Source: Hermite VAE, Section 2.1. Erratum: the extracted text loses the square in :math:`h_2=(z^2-1)/\sqrt2`.
    """
    z, degree = real("z", z), integer("degree", degree, 0)
    values = np.ones((degree + 1, *z.shape))
    if degree > 0:
        values[1] = z
    # The recursion of the normalised polynomials: He_n / sqrt(n!) overflows at n = 171.
    for n in range(1, degree):
        values[n + 1] = (z * values[n] - math.sqrt(n) * values[n - 1]) / math.sqrt(n + 1)
    return values


def multi_indices(dims: int, degree: int) -> Indices:
    r"""All multi-indices of total degree at most ``degree``, in graded lexicographic order.

    .. math:: \{\alpha\in\mathbb N^n:|\alpha|\le N\},\qquad \text{of size}\ \binom{n+N}{n}

    Parameters
    ----------
    dims : int
        Number of variables :math:`n\ge0`.
    degree : int
        Highest total degree :math:`N\ge0`.

    Returns
    -------
    ndarray of int (A, dims)
        One multi-index per row; the first row is :math:`\alpha=0`.

    Raises
    ------
    ValueError
        If an argument is not an integer >= 0.

    Source: Hermite VAE, Section 2.1.
    """
    dims, degree = integer("dims", dims, 0), integer("degree", degree, 0)
    everything = itertools.product(range(degree + 1), repeat=dims)
    kept = sorted((alpha for alpha in everything if sum(alpha) <= degree), key=lambda alpha: (sum(alpha), alpha))
    return np.array(kept, dtype=np.int64).reshape(len(kept), dims)


def multi_basis(z: ArrayLike, indices: Indices) -> Array:
    r"""Products of univariate Hermite polynomials over multi-indices.

    .. math:: h_\alpha(z)=\prod_{i=1}^n h_{\alpha_i}(z_i)

    Parameters
    ----------
    z : array_like (..., n)
        Points :math:`z`.
    indices : ndarray of int (A, n)
        Multi-indices :math:`\alpha`.

    Returns
    -------
    ndarray (..., A)

    Raises
    ------
    ValueError
        If ``z`` contains NaN, ``indices`` has a negative entry, or the number of variables differs.

    Source: Hermite VAE, Section 2.1.
    """
    z, indices = real("z", z), np.asarray(indices)
    _same_dims(z, indices)
    tables = basis(z, int(indices.max(initial=0)))
    factors = [tables[indices[:, i], ..., i] for i in range(indices.shape[1])]
    product = np.prod(factors, axis=0) if factors else np.ones((len(indices), *z.shape[:-1]))
    return np.moveaxis(product, 0, -1)


def rule(nodes: int, dims: int = 1) -> tuple[Array, Array]:
    r"""Gauss-Hermite quadrature for the standard Gaussian measure, as a tensor product.

    .. math:: \mathbb E_{z\sim\mathcal N(0,I)}f(z)=\sum_j w_jf(z_j),\qquad\sum_jw_j=1

    Parameters
    ----------
    nodes : int
        Nodes per axis :math:`m`, 1 to 300; exact for polynomials of degree at most :math:`2m-1` in each variable.
    dims : int
        Number of variables; the grid has ``nodes ** dims`` points, 10^7 at most.

    Returns
    -------
    points : ndarray (Q, dims)
    weights : ndarray (Q,)

    Raises
    ------
    ValueError
        If ``nodes`` leaves 1..300 (NumPy's rule returns NaN near 400) or the grid is larger than 10^7 points.

    Source: Hermite VAE, relied on by Section 2.1.
    """
    nodes, dims = integer("nodes", nodes, 1), integer("dims", dims, 0)
    if nodes > MAX_NODES:
        raise ValueError(f"nodes must be <= {MAX_NODES}, got {nodes}")
    if nodes**dims > MAX_GRID:
        raise ValueError(f"nodes ** dims must be <= {MAX_GRID}, got {nodes} ** {dims}; use Monte Carlo")
    axis, weight = np.polynomial.hermite_e.hermegauss(nodes)
    weight = weight / weight.sum()
    points = np.stack(np.meshgrid(*[axis] * dims, indexing="ij"), axis=-1) if dims else np.zeros((1, 0))
    weights = np.prod(np.meshgrid(*[weight] * dims, indexing="ij"), axis=0) if dims else np.ones(1)
    return points.reshape(-1, dims), weights.reshape(-1)


def inner_product(f: Function, g: Function, nodes: int, dims: int = 1) -> Array:
    r"""Inner product of two functions under the standard Gaussian measure.

    .. math:: \langle f,g\rangle=\mathbb E_{z\sim\mathcal N(0,I)}[f(z)\,g(z)]

    Parameters
    ----------
    f, g : callable
        Functions of points (..., n); vector values are paired coordinate by coordinate.
    nodes : int
        Nodes of the rule per axis.
    dims : int
        Number of variables n, at most 3 in practice.

    Returns
    -------
    ndarray () or (m,)

    Raises
    ------
    ValueError
        As :func:`rule`. A function that is not square integrable (exp(z^2)) is not recognised: any rule returns a
        finite number for it.

    Source: Hermite VAE, Section 2.1.
    """
    points, weights = rule(nodes, dims)
    return np.tensordot(weights, np.asarray(f(points)) * np.asarray(g(points)), axes=1)


def coefficients(f: Function, indices: Indices, nodes: int) -> Array:
    r"""Hermite coefficients of a function, by quadrature.

    .. math:: \hat f(\alpha)=\langle f,h_\alpha\rangle=\mathbb E_{z\sim\mathcal N(0,I)}[f(z)\,h_\alpha(z)]

    Parameters
    ----------
    f : callable
        Function of points (..., n).
    indices : ndarray of int (A, n)
        Multi-indices :math:`\alpha`; degrees above half of ``nodes`` are aliased and refused.
    nodes : int
        Nodes of the rule per axis.

    Returns
    -------
    ndarray (A,) or (A, m)

    Raises
    ------
    ValueError
        As :func:`rule`, and if a degree per axis exceeds ``nodes / 2``.

    Source: Hermite VAE, Section 2.1.
    """
    indices = np.asarray(indices)
    degree = int(indices.max(initial=0))
    if degree > nodes / 2:
        raise ValueError(f"nodes must be at least twice the degree {degree} (above it is aliased), got {nodes}")
    points, weights = rule(nodes, indices.shape[1])
    return np.einsum("q,qa,q...->a...", weights, multi_basis(points, indices), np.asarray(f(points)))


def expand(coefficients: ArrayLike, indices: Indices, z: ArrayLike) -> Array:
    r"""Sum of a Hermite series at given points.

    .. math:: f(z)=\sum_\alpha\hat f(\alpha)\,h_\alpha(z)\qquad\text{in }L^2

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.
    z : array_like (..., n)
        Points.

    Returns
    -------
    ndarray (...) or (..., m)
        The series converges in mean square, in general not at every point.

    Raises
    ------
    ValueError
        If an argument contains NaN or the shapes disagree.

    Source: Hermite VAE, Section 2.1.
    """
    coefficients = _matching(coefficients, indices)
    return np.tensordot(multi_basis(z, indices), coefficients, axes=1)


def squared_norm(coefficients: ArrayLike) -> Array:
    r"""Squared norm of a function from its Hermite coefficients (Plancherel).

    .. math:: \langle f,f\rangle=\sum_\alpha\hat f(\alpha)^2

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`; a finite set gives a lower bound (Bessel).

    Returns
    -------
    ndarray () or (m,)

    Raises
    ------
    ValueError
        If ``coefficients`` contains NaN.

    Source: Hermite VAE, Eq. 2.
    """
    return np.sum(real("coefficients", coefficients) ** 2, axis=0)


def mean(coefficients: ArrayLike, indices: Indices) -> Array:
    r"""Mean of a function from its Hermite coefficients.

    .. math:: \mathbb E f=\hat f(0)

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.

    Returns
    -------
    ndarray () or (m,)

    Raises
    ------
    ValueError
        If ``coefficients`` contains NaN or the shapes disagree.

    Source: Hermite VAE, Section 2.2.
    """
    coefficients = _matching(coefficients, indices)
    return coefficients[total_degree(indices) == 0].sum(axis=0)


def variance(coefficients: ArrayLike, indices: Indices) -> Array:
    r"""Variance of a function from its Hermite coefficients.

    .. math:: \mathrm{Var} f=\sum_{|\alpha|>0}\hat f(\alpha)^2

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.

    Returns
    -------
    ndarray () or (m,)

    Raises
    ------
    ValueError
        If ``coefficients`` contains NaN or the shapes disagree.

    Source: Hermite VAE, Section 2.2.
    """
    coefficients = _matching(coefficients, indices)
    return np.sum(coefficients[total_degree(indices) > 0] ** 2, axis=0)


def spectral_profile(coefficients: ArrayLike, indices: Indices) -> Array:
    r"""Squared norm of a function by total degree.

    .. math:: W_d=\sum_{|\alpha|=d}\hat f(\alpha)^2

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.

    Returns
    -------
    ndarray (D + 1,) or (D + 1, m)
        :math:`W_0,\dots,W_D` with D the largest total degree; unchanged by a rotation of the input.

    Raises
    ------
    ValueError
        If ``coefficients`` contains NaN or the shapes disagree.

    Source: Hermite VAE, Section 2.2 (spectral complexity).
    """
    coefficients = _matching(coefficients, indices)
    profile = np.zeros((int(total_degree(indices).max(initial=0)) + 1, *coefficients.shape[1:]))
    np.add.at(profile, total_degree(indices), coefficients**2)
    return profile


def total_degree(indices: Indices) -> NDArray[np.int64]:
    r"""Total degree of each multi-index.

    .. math:: |\alpha|=\sum_i\alpha_i

    Parameters
    ----------
    indices : ndarray of int (A, n)
        Multi-indices :math:`\alpha`.

    Returns
    -------
    ndarray of int (A,)

    Source: Hermite VAE, Section 2.1.
    """
    return np.asarray(indices).sum(axis=1)


def _same_dims(z: Array, indices: Indices) -> None:
    if indices.ndim != 2 or z.ndim == 0 or z.shape[-1] != indices.shape[1]:
        raise ValueError(f"z (..., n) and indices (A, n) must have the same n, got {z.shape} and {indices.shape}")
    if (indices < 0).any():
        raise ValueError(f"indices must be >= 0, got {int(indices.min())}")


def _matching(coefficients: ArrayLike, indices: Indices) -> Array:
    array = real("coefficients", coefficients)
    if array.ndim == 0 or len(array) != len(np.asarray(indices)):
        raise ValueError(
            f"coefficients (A, ...) and indices (A, n) must have the same A, got {array.shape} and {np.shape(indices)}"
        )
    return array

"""Spectral norms of convolutions: power iteration, the exact operator, Lipschitz bounds, the regulariser.

Two norms must not be confused: the norm of the weight *reshaped* to a matrix (what NVAE regularises) and the norm of
the convolution as a linear operator on maps (its gain). :func:`lipschitz_bounds` relates them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, each, finite, integer, non_negative
from reference.convolution import convolve, transposed

SMALLEST = 1e-3


def power_iteration(weight: ArrayLike, vector: ArrayLike, iterations: int) -> tuple[Array, Array]:
    r"""Approximate leading singular vectors of a weight reshaped to a matrix.

    .. math:: v\leftarrow\nu(W^\top u),\quad u\leftarrow\nu(Wv),\qquad
              \nu(t)=\frac t{\max(\|t\|_2,10^{-3})},\quad\text{repeated }n\text{ times}

    Parameters
    ----------
    weight : array_like (C_out, ...)
        Weight; all axes after the first are flattened to give :math:`W`.
    vector : array_like (C_out,)
        Start :math:`u`: Gaussian at first, then the vector of the previous step (a warm start).
    iterations : int
        Number :math:`n\ge1` of repetitions. NVAE's code does 4 per training step and 40 at the first.

    Returns
    -------
    left : ndarray (C_out,)
        :math:`u`, to start the next call from.
    right : ndarray (prod of the other axes,)
        :math:`v`. Both are constants for differentiation.

    Raises
    ------
    ValueError
        If an argument is not finite, the shapes do not fit, or ``iterations`` is no integer >= 1.

    Source: NVAE, Section 3.2 (the paper does one repetition per step).
    """
    matrix, left = _matrix(weight), finite("vector", vector)
    if left.shape != matrix.shape[:1]:
        raise ValueError(f"vector must be ({matrix.shape[0]},), got shape {left.shape}")
    for _ in range(integer("iterations", iterations, 1)):
        right = _normalised(matrix.T @ left)
        left = _normalised(matrix @ right)
    return left, right


def power_iterations(weights: Sequence[ArrayLike], vectors: Sequence[ArrayLike], iterations: int) -> tuple[Array, ...]:
    r"""Approximate leading singular vectors of many layers.

    .. math:: (u_i,v_i)=\text{power iteration of }W_i\text{ from }u_i,\qquad i=1,\dots,N

    Parameters
    ----------
    weights : sequence of array_like (C_out, ...)
        Weights :math:`W_i` of the layers.
    vectors : sequence of array_like (C_out,)
        Starts :math:`u_i`.
    iterations : int
        Number of repetitions, at least 1.

    Returns
    -------
    tuple of ndarray
        :math:`u_1,\dots,u_N,v_1,\dots,v_N`.

    Raises
    ------
    ValueError
        As :func:`power_iteration`, or if there are not as many vectors as weights.

    Source: NVAE, Section 3.2 (the public code iterates layers of one shape as a batch; the result is that of the loop).
    """
    weights, vectors = each(finite, "weights", weights), each(finite, "vectors", vectors)
    if len(weights) != len(vectors):
        raise ValueError(f"vectors must be as many as weights ({len(weights)}), got {len(vectors)}")
    pairs = [power_iteration(w, u, iterations) for w, u in zip(weights, vectors, strict=True)]
    return (*(u for u, _ in pairs), *(v for _, v in pairs))


def norm_estimate(weight: ArrayLike, left: ArrayLike, right: ArrayLike) -> Array:
    r"""Estimate of the spectral norm of a reshaped weight from approximate singular vectors.

    .. math:: \hat\sigma=u^\top Wv\le\sigma_{\max}(W),\qquad\frac{\partial\hat\sigma}{\partial W}=uv^\top

    Parameters
    ----------
    weight : array_like (C_out, ...)
        Weight; all axes after the first are flattened to give :math:`W`.
    left : array_like (C_out,)
        :math:`u`, of norm at most 1.
    right : array_like (prod of the other axes,)
        :math:`v`, of norm at most 1.

    Returns
    -------
    ndarray ()

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not fit.

    Source: NVAE, Section 3.2.
    """
    matrix, left, right = _matrix(weight), finite("left", left), finite("right", right)
    if (*left.shape, *right.shape) != matrix.shape:
        raise ValueError(f"left and right must fit the matrix {matrix.shape}, got {left.shape} and {right.shape}")
    return np.asarray(left @ matrix @ right)


def regulariser(weights: Sequence[ArrayLike], vectors: Sequence[ArrayLike], iterations: int) -> Array:
    r"""Spectral regulariser: the sum of the estimated spectral norms of all reshaped weights.

    .. math:: \mathcal L_{SR}=\sum_i\hat\sigma_i=\sum_iu_i^\top W_iv_i

    Parameters
    ----------
    weights : sequence of array_like (C_out, ...)
        Weights :math:`W_i` of all convolutions, after weight normalisation.
    vectors : sequence of array_like (C_out,)
        Starts of the power iterations.
    iterations : int
        Repetitions before the estimate, at least 1.

    Returns
    -------
    ndarray ()
        To be multiplied by lambda and added to the negative bound.

    Raises
    ------
    ValueError
        As :func:`power_iterations`.

    Source: NVAE, Section 3.2. Erratum: the text adds lambda times the sum to the bound, which is maximised; it must be
    subtracted from it.
    """
    vectors = power_iterations(weights, vectors, iterations)
    lefts, rights = vectors[: len(weights)], vectors[len(weights) :]
    return np.sum([norm_estimate(w, u, v) for w, u, v in zip(weights, lefts, rights, strict=True)])


def conv_norm(weight: ArrayLike, height: int, width: int) -> Array:
    r"""Exact norm of a convolution with stride 1 and circular padding, as an operator on maps.

    .. math:: \|\mathrm{conv}\|_2=\max_{\omega}
              \left\|\sum_{p,q}W_{\cdot\cdot pq}\,e^{-2\pi i(\omega_1p/H+\omega_2q/W)}\right\|_2

    Parameters
    ----------
    weight : array_like (C_out, C_in, k, k)
        Kernel :math:`W`; dense (groups = 1).
    height, width : int
        Size :math:`H\times W` of the map, at least k.

    Returns
    -------
    ndarray ()
        Largest singular value: the Fourier transform makes the operator block diagonal, one C_out x C_in block per
        frequency :math:`\omega`.

    Raises
    ------
    ValueError
        If ``weight`` is not finite or not (C_out, C_in, k, k), or the map is smaller than the kernel.

    Source: derived, as a check of NVAE, Section 3.2.
    """
    weight = finite("weight", weight)
    if weight.ndim != 4:
        raise ValueError(f"weight must be (C_out, C_in, k, k), got shape {weight.shape}")
    height, width = (integer(n, v, weight.shape[-1]) for n, v in (("height", height), ("width", width)))
    blocks = np.fft.fft2(weight, (height, width)).transpose(2, 3, 0, 1)
    return np.linalg.norm(blocks, 2, axis=(2, 3)).max()


def conv_norm_estimate(weight: ArrayLike, start: ArrayLike, iterations: int) -> Array:
    r"""Norm of a convolution with stride 1 and zero padding by power iteration on maps.

    .. math:: x\leftarrow\frac{A^\top Ax}{\|A^\top Ax\|},\qquad
              \|A\|_2\approx\|Ax\|\text{ from below},\qquad A=\mathrm{conv}_W

    Parameters
    ----------
    weight : array_like (C_out, C_in, k, k)
        Kernel of odd size; dense (groups = 1).
    start : array_like (C_in, H, W)
        Start :math:`x`, not in the kernel of A; its size is that of the maps.
    iterations : int
        Number of repetitions, at least 1.

    Returns
    -------
    ndarray ()

    Raises
    ------
    ValueError
        If an argument is not finite, the kernel is even, the shapes do not fit, or A start vanishes.

    Source: derived, as a check of NVAE, Section 3.2.
    """
    weight, start = finite("weight", weight), finite("start", start)
    if weight.ndim != 4 or start.ndim != 3 or len(start) != weight.shape[1]:
        raise ValueError(f"weight, start must be (o, i, k, k), (i, H, W), got {weight.shape}, {start.shape}")
    x = start[None]
    padding = weight.shape[-1] // 2
    if weight.shape[-1] % 2 == 0:
        raise ValueError(f"weight must have an odd kernel, got {weight.shape[-1]}")
    for _ in range(integer("iterations", iterations, 1)):
        y = convolve(x, weight, np.zeros(len(weight)), 1, padding, padding)
        x = transposed(y, weight, np.zeros(weight.shape[1]), 1, padding)
        if not x.any():
            raise ValueError("start must not be mapped to zero, got A start = 0")
        x = x / np.linalg.norm(x)
    return np.asarray(np.linalg.norm(convolve(x, weight, np.zeros(len(weight)), 1, padding, padding)))


def lipschitz_bounds(weight: ArrayLike, groups: int) -> tuple[Array, Array]:
    r"""Bounds on the norm of a convolution (stride 1, circular padding) from its reshaped weight.

    .. math:: \max_g\sigma(W_g)\le\|\mathrm{conv}\|_2\le k\max_g\sigma(W_g)

    Parameters
    ----------
    weight : array_like (C_out, C_in / groups, k, k)
        Kernel; :math:`W_g` is the part of group g reshaped to (C_out / groups, C_in k^2 / groups).
    groups : int
        Number of groups; with C_out (depthwise) the bounds are :math:`\max_c\|w_c\|` and k times that.

    Returns
    -------
    lower, upper : ndarray ()
        For a depthwise convolution the norm of the whole reshaped weight is *not* between the same bounds.

    Raises
    ------
    ValueError
        If ``weight`` is not finite or not (C_out, C_in / groups, k, k), or ``groups`` does not divide C_out.

    Source: NVAE, Section 3.2 (the paper calls the reshaped norm the layer's Lipschitz constant). Erratum: it is not;
    the gain may be up to k times larger.
    """
    weight = finite("weight", weight)
    if weight.ndim != 4 or len(weight) % integer("groups", groups, 1):
        raise ValueError(f"weight must be (C_out, C_in / groups, k, k) with groups {groups}, got shape {weight.shape}")
    blocks = weight.reshape(groups, len(weight) // groups, -1)
    lower = np.linalg.norm(blocks, 2, axis=(1, 2)).max()
    return lower, weight.shape[-1] * lower


def network_bound(norms: ArrayLike) -> Array:
    r"""Bound on the Lipschitz constant of a chain of layers with 1-Lipschitz activations.

    .. math:: \mathrm{Lip}(f_N\circ\dots\circ f_1)\le\prod_i\|A_i\|

    Parameters
    ----------
    norms : array_like (N,)
        Operator norms :math:`\|A_i\|\ge0` of the layers.

    Returns
    -------
    ndarray ()

    Raises
    ------
    ValueError
        If ``norms`` is not finite or negative.

    Source: NVAE, Section 3.2.
    """
    return non_negative("norms", norms).prod()


def _matrix(weight: ArrayLike) -> Array:
    array = finite("weight", weight)
    if array.ndim < 2:
        raise ValueError(f"weight must have at least two axes, got shape {array.shape}")
    return array.reshape(len(array), -1)


def _normalised(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), SMALLEST)

"""Initial weights: uniform laws from explicit uniform draws, and the scale that keeps deep hierarchies stable."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, finite, integer, within


def xavier_uniform(uniform: ArrayLike) -> Array:
    r"""Glorot's uniform initialisation.

    .. math:: W=a\,u,\qquad a=\sqrt{\frac6{(c_{\text{in}}+c_{\text{out}})k^2}},\qquad u\sim U(-1,1)

    Parameters
    ----------
    uniform : array_like (c_out, c_in, ...)
        Draws :math:`u\in[-1,1]` in the shape of the weight; :math:`k^2` is the size of the axes after the first two.

    Returns
    -------
    ndarray (c_out, c_in, ...)
        Variance :math:`a^2/3`.

    Raises
    ------
    ValueError
        If ``uniform`` leaves [-1, 1] or has fewer than two axes.

    Source: Efficient-VDVAE, Appendix C (every convolution but the first of a cell in one of the public versions).
    """
    uniform = _draws(uniform)
    positions = np.prod(uniform.shape[2:])
    return np.sqrt(6 / ((uniform.shape[0] + uniform.shape[1]) * positions)) * uniform


def kaiming_uniform_default(uniform: ArrayLike) -> Array:
    r"""PyTorch's default initialisation of linear and convolutional weights.

    .. math:: W=a\,u,\qquad a=\frac1{\sqrt{c_{\text{in}}k^2}},\qquad u\sim U(-1,1)

    Parameters
    ----------
    uniform : array_like (c_out, c_in, ...)
        Draws :math:`u\in[-1,1]` in the shape of the weight.

    Returns
    -------
    ndarray (c_out, c_in, ...)
        Variance :math:`a^2/3`; biases have the same bound.

    Raises
    ------
    ValueError
        If ``uniform`` leaves [-1, 1] or has fewer than two axes.

    Source: Efficient-VDVAE, Appendix C; NVAE, public code.
    """
    uniform = _draws(uniform)
    return uniform / np.sqrt(np.prod(uniform.shape[1:]))


def stable_scale(weight: ArrayLike, layers: int) -> Array:
    r"""Initial weight of a residual branch, scaled so that the sum over the depth does not grow.

    .. math:: W\leftarrow\frac W{\sqrt L},\qquad
              \sum_{l\le L}\mathrm{Var}\big(L^{-1/2}W_lz_l\big)\text{ independent of }L

    Parameters
    ----------
    weight : array_like
        Last weight of a residual cell, or the weight that takes a latent to the state.
    layers : int
        Depth :math:`L\ge1`: the top-down layers in Efficient-VDVAE, also in the bottom-up network; in VDVAE each
        network has its own number of blocks.

    Returns
    -------
    ndarray
        Of the shape of ``weight``. Cells of priors and posteriors are not scaled.

    Raises
    ------
    ValueError
        If ``weight`` is not finite or ``layers`` is no integer >= 1.

    Source: Efficient-VDVAE, Appendix C.1.
    """
    return finite("weight", weight) / np.sqrt(integer("layers", layers, 1))


def _draws(uniform: ArrayLike) -> Array:
    array = within("uniform", uniform, -1, 1)
    if array.ndim < 2:
        raise ValueError(f"uniform must be (c_out, c_in, ...), got shape {array.shape}")
    return array

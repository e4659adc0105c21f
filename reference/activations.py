"""Pointwise nonlinearities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from reference.checks import Array, finite, positive, within

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


def silu(u: ArrayLike) -> Array:
    r"""Sigmoid-weighted linear unit, called Swish by NVAE.

    .. math:: f(u)=u\,s(u),\qquad s(u)=\frac1{1+e^{-u}},\qquad f'(u)=s(u)\,\big(1+u\,(1-s(u))\big)

    Parameters
    ----------
    u : array_like
        Input :math:`u`.

    Returns
    -------
    ndarray
        At least -0.278465, at u = -1.278465.

    Raises
    ------
    ValueError
        If ``u`` is not finite.

    Source: NVAE, Section 3.1.1; Efficient-VDVAE, cells.
    """
    u = finite("u", u)
    return u * special.expit(u)


def gelu(u: ArrayLike) -> Array:
    r"""Gaussian error linear unit, in its exact form.

    .. math:: f(u)=u\,\Phi(u)

    Parameters
    ----------
    u : array_like
        Input :math:`u`; :math:`\Phi` is the standard Gaussian cumulative distribution function.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If ``u`` is not finite.

    Source: Efficient-VDVAE, Section 4 (the cells of the baseline VDVAE; not the tanh approximation).
    """
    u = finite("u", u)
    return u * special.ndtr(u)


def leaky_relu(u: ArrayLike, slope: float) -> Array:
    r"""Rectifier with a slope below zero.

    .. math:: f(u)=\max(u,au)

    Parameters
    ----------
    u : array_like
        Input :math:`u`.
    slope : float
        Slope :math:`a\in[0,1]` for negative inputs; 0.1 in the paper's pooling layers.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If ``u`` is not finite or ``slope`` leaves [0, 1].

    Source: Efficient-VDVAE, Appendix A.1.
    """
    u, slope = finite("u", u), within("slope", slope, 0, 1)
    return np.maximum(u, slope * u)


def elu(u: ArrayLike, alpha: float = 1.0) -> Array:
    r"""Exponential linear unit.

    .. math:: f(u)=\begin{cases}u&u>0\\\alpha(e^u-1)&u\le0\end{cases}

    Parameters
    ----------
    u : array_like
        Input :math:`u`.
    alpha : float
        Limit :math:`\alpha>0` to the left.

    Returns
    -------
    ndarray
        Above :math:`-\alpha`. Applying it twice is not applying it once: at u = -1, -0.4685 and not -0.6321.

    Raises
    ------
    ValueError
        If ``u`` is not finite or ``alpha`` is not positive.

    Source: NVAE, Appendix A (flows); DVAE++, Appendix G.
    """
    u, alpha = finite("u", u), positive("alpha", alpha)
    # expm1: exp(u) - 1 has no digit left for small u. The minimum keeps the unused branch from overflowing.
    return np.where(u > 0, u, alpha * np.expm1(np.minimum(u, 0)))


def selu(u: ArrayLike) -> Array:
    r"""Self-normalising exponential linear unit.

    .. math:: f(u)=\lambda\begin{cases}u&u>0\\\alpha(e^u-1)&u\le0\end{cases},\qquad
              \lambda=1.0507009873554805,\quad\alpha=1.6732632423543772

    Parameters
    ----------
    u : array_like
        Input :math:`u`.

    Returns
    -------
    ndarray
        With mean 0 and variance 1 for a standard Gaussian input: this fixes both constants.

    Raises
    ------
    ValueError
        If ``u`` is not finite.

    Source: DVAE++, Appendix G.
    """
    return SELU_SCALE * elu(u, SELU_ALPHA)

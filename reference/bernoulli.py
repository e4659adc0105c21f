"""Bernoulli observations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, broadcast, finite, integer, positive, within


def log_likelihood(x: ArrayLike, logits: ArrayLike) -> Array:
    r"""Log likelihood of binary data from logits.

    .. math:: \log p(x)=\sum_j\big[x_jl_j-\log(1+e^{l_j})\big]

    Parameters
    ----------
    x : array_like (..., n)
        Targets in [0, 1]; binary data are 0 or 1.
    logits : array_like (..., n)
        Logits :math:`l`.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis.

    Raises
    ------
    ValueError
        If ``x`` leaves [0, 1], ``logits`` is not finite, or the shapes do not broadcast.

    Source: Hermite VAE, Section 5 (binary MNIST and OMNIGLOT).
    """
    x, logits = within("x", x, 0, 1), finite("logits", logits)
    broadcast(x=x, logits=logits)
    # log(1 + exp(l)) overflows for l > 709 and drops l < -37; logaddexp does neither. The product is taken as
    # -x*softplus(-l) - (1-x)*softplus(l), because x*l - softplus(l) cancels for large l and x near 1.
    return np.sum(-x * np.logaddexp(0, -logits) - (1 - x) * np.logaddexp(0, logits), axis=-1)


def padded_log_likelihood(x: ArrayLike, logits: ArrayLike, margin: int = 2) -> Array:
    r"""Log likelihood of binary images that were padded for the network: the padding does not count.

    .. math:: \log p(x)=\sum_{i,j=p}^{H-p-1}\big[x_{ij}l_{ij}-\log(1+e^{l_{ij}})\big]

    Parameters
    ----------
    x : array_like (..., H, W)
        Padded targets in [0, 1].
    logits : array_like (..., H, W)
        Logits :math:`l` on the padded canvas.
    margin : int
        Padding :math:`p\ge0` on each side; 2 makes 32 x 32 of 28 x 28.

    Returns
    -------
    ndarray (...)
        Nats per image.

    Raises
    ------
    ValueError
        As :func:`log_likelihood`, and if ``margin`` is not an integer >= 0 that leaves a pixel.

    Source: NVAE and Efficient-VDVAE (MNIST).
    """
    margin, x, logits = integer("margin", margin, 0), finite("x", x), finite("logits", logits)
    if min(x.ndim, logits.ndim) < 2 or 2 * margin >= min(x.shape[-2:]):
        raise ValueError(f"margin must leave a pixel of x (..., H, W), got {margin} and shape {x.shape}")
    inner = (..., slice(margin, x.shape[-2] - margin), slice(margin, x.shape[-1] - margin))
    return np.sum(log_likelihood(x[inner], logits[inner]), axis=-1)


def log_normaliser(logits: ArrayLike) -> Array:
    r"""Log of what the Bernoulli formula integrates to over grey values in [0, 1].

    .. math:: \log\int_0^1\lambda^x(1-\lambda)^{1-x}dx=\log\frac{2\lambda-1}{\log\lambda-\log(1-\lambda)}
              =\log\frac{\tanh(l/2)}l,\qquad\lambda=\frac1{1+e^{-l}}

    Parameters
    ----------
    logits : array_like
        Logits :math:`l`.

    Returns
    -------
    ndarray
        Nats per value, at most log(1/2) (at l = 0): the cross-entropy of grey images is no log likelihood.

    Raises
    ------
    ValueError
        If ``logits`` is not finite.

    Source: sigma-VAE, Table 3 (no log likelihood is given for the Bernoulli decoder); derived.
    """
    half = finite("logits", logits) / 2
    # tanh(h)/h at h = 0 is 0/0; below 1e-8 it is 1 to all digits.
    safe = np.where(np.abs(half) < 1e-8, 1, half)
    return np.where(np.abs(half) < 1e-8, 0, np.log(np.tanh(safe) / safe)) - np.log(2)


def binarise(intensity: ArrayLike, noise: ArrayLike) -> Array:
    r"""Binary image drawn from grey intensities.

    .. math:: x=\mathbb 1[u<p],\qquad u\sim U[0,1)

    Parameters
    ----------
    intensity : array_like
        Probability :math:`p\in[0,1]` of each pixel (byte / 255).
    noise : array_like
        Uniform noise :math:`u\in[0,1)`: fresh at every presentation (dynamic), or drawn once (static).

    Returns
    -------
    ndarray
        Zeros and ones of the broadcast shape; intensities 0 and 1 are kept.

    Raises
    ------
    ValueError
        If an argument leaves [0, 1] or the shapes do not broadcast.

    Source: NVAE, Section 4 (dynamically binarised MNIST); Hermite VAE, Section 5.
    """
    intensity, noise = within("intensity", intensity, 0, 1), within("noise", noise, 0, 1)
    broadcast(intensity=intensity, noise=noise)
    return (noise < intensity).astype(np.float64)


def centre_and_bias(x: ArrayLike, mean: ArrayLike, margin: float = 0.001) -> tuple[Array, Array]:
    r"""Centred input of the encoder, and the constant that the decoder adds to its logits.

    .. math:: x-\bar x,\qquad\log\frac p{1-p},\quad p=\mathrm{clip}(\bar x,\epsilon,1-\epsilon)

    Parameters
    ----------
    x : array_like
        Images.
    mean : array_like
        Mean training image :math:`\bar x\in[0,1]`.
    margin : float
        Least probability :math:`\epsilon\in(0,1/2)`.

    Returns
    -------
    centred, bias : ndarray
        A decoder whose output is zero then reconstructs the (clipped) mean image.

    Raises
    ------
    ValueError
        If ``x`` is not finite, ``mean`` leaves [0, 1], or ``margin`` leaves (0, 0.5).

    Source: DVAE++, Appendix G (public code).
    """
    x, mean, margin = finite("x", x), within("mean", mean, 0, 1), within("margin", positive("margin", margin), 0, 0.499)
    broadcast(x=x, mean=mean)
    p = np.clip(mean, margin, 1 - margin)
    return x - mean, np.log(p) - np.log1p(-p)

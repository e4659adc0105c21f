"""Gaussians with diagonal covariance: density, divergence, entropy, reparameterisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, broadcast, finite, positive


def log_density(z: ArrayLike, mean: ArrayLike, scale: ArrayLike) -> Array:
    r"""Log density of a diagonal Gaussian.

    .. math:: \log\mathcal N(z;\mu,\sigma^2)
              =\sum_j\Big[-\frac12\Big(\frac{z_j-\mu_j}{\sigma_j}\Big)^2-\log\sigma_j-\frac12\log 2\pi\Big]

    Parameters
    ----------
    z : array_like (..., n)
        Point :math:`z`.
    mean : array_like (..., n)
        Mean :math:`\mu`.
    scale : array_like (..., n)
        Standard deviation :math:`\sigma>0` (never the variance).

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` is not positive, or the shapes do not broadcast.

    Source: Hermite VAE, Section 1. Erratum: the text calls the standard deviation a variance (Sections 1, 2.2).
    """
    z, mean, scale = finite("z", z), finite("mean", mean), positive("scale", scale)
    broadcast(z=z, mean=mean, scale=scale)
    # Divide first, then square: (z - mean)**2 / scale**2 overflows or underflows long before the quotient does.
    standardised = (z - mean) / scale
    return np.sum(-0.5 * standardised**2 - np.log(scale) - 0.5 * np.log(2 * np.pi), axis=-1)


def kl(mean_q: ArrayLike, scale_q: ArrayLike, mean_p: ArrayLike, scale_p: ArrayLike) -> Array:
    r"""Kullback-Leibler divergence between two diagonal Gaussians.

    .. math:: \mathrm{KL}(q\,\|\,p)
              =\sum_j\Big[\log\frac{\sigma_{p,j}}{\sigma_{q,j}}
              +\frac{\sigma_{q,j}^2+(\mu_{q,j}-\mu_{p,j})^2}{2\sigma_{p,j}^2}-\frac12\Big]

    Parameters
    ----------
    mean_q, scale_q : array_like (..., n)
        Mean :math:`\mu_q` and standard deviation :math:`\sigma_q>0` of the first Gaussian.
    mean_p, scale_p : array_like (..., n)
        Mean :math:`\mu_p` and standard deviation :math:`\sigma_p>0` of the second Gaussian.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis; zero exactly when the Gaussians agree.

    Raises
    ------
    ValueError
        If an argument is not finite, a scale is not positive, or the shapes do not broadcast.

    Source: Hermite VAE, Eq. 1 and Tables 3-4 (top layer).
    """
    mean_q, scale_q = finite("mean_q", mean_q), positive("scale_q", scale_q)
    mean_p, scale_p = finite("mean_p", mean_p), positive("scale_p", scale_p)
    broadcast(mean_q=mean_q, scale_q=scale_q, mean_p=mean_p, scale_p=scale_p)
    # With t = log(sigma_q / sigma_p) the scale part is (exp(2t) - 1)/2 - t. The printed sum cancels near
    # sigma_q = sigma_p and loses every digit there; expm1 keeps them.
    log_ratio = np.log(scale_q / scale_p)
    return np.sum(0.5 * np.expm1(2 * log_ratio) - log_ratio + 0.5 * ((mean_q - mean_p) / scale_p) ** 2, axis=-1)


def kl_standard(mean: ArrayLike, scale: ArrayLike) -> Array:
    r"""Kullback-Leibler divergence from a diagonal Gaussian to the standard Gaussian.

    .. math:: \mathrm{KL}(\mathcal N(\mu,\sigma^2)\,\|\,\mathcal N(0,I))
              =\frac12\sum_j\big[\mu_j^2+\sigma_j^2-1-2\log\sigma_j\big]

    Parameters
    ----------
    mean : array_like (..., n)
        Mean :math:`\mu`.
    scale : array_like (..., n)
        Standard deviation :math:`\sigma>0`.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` is not positive, or the shapes do not broadcast.

    Source: Hermite VAE, Tables 3-4 (KL of the top layer).
    """
    return kl(mean, scale, np.zeros(()), np.ones(()))


def entropy(scale: ArrayLike) -> Array:
    r"""Differential entropy of a diagonal Gaussian.

    .. math:: H=\sum_j\Big[\log\sigma_j+\frac12\log(2\pi e)\Big]

    Parameters
    ----------
    scale : array_like (..., n)
        Standard deviation :math:`\sigma>0`.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis; negative for small scales.

    Raises
    ------
    ValueError
        If ``scale`` is not finite or not positive.

    Source: Hermite VAE, Section 1 (the term -log q in expectation).
    """
    scale = positive("scale", scale)
    return np.sum(np.log(scale) + 0.5 * np.log(2 * np.pi * np.e), axis=-1)


def reparameterise(mean: ArrayLike, scale: ArrayLike, noise: ArrayLike) -> Array:
    r"""Gaussian sample as a differentiable function of its parameters.

    .. math:: z=\mu+\sigma\odot\epsilon,\qquad\epsilon\sim\mathcal N(0,I)

    Parameters
    ----------
    mean : array_like
        Mean :math:`\mu`.
    scale : array_like
        Standard deviation :math:`\sigma>0`.
    noise : array_like
        Standard Gaussian noise :math:`\epsilon`, drawn by the caller.

    Returns
    -------
    ndarray
        The sample, of the broadcast shape.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` is not positive, or the shapes do not broadcast.

    Source: Hermite VAE, Eq. 4 (first half).
    """
    mean, scale, noise = finite("mean", mean), positive("scale", scale), finite("noise", noise)
    broadcast(mean=mean, scale=scale, noise=noise)
    return mean + scale * noise

"""Gaussians with diagonal covariance: density, divergence, entropy, reparameterisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, broadcast, finite, non_negative, positive


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
    ratio = scale_q / scale_p
    log_ratio = np.log(ratio)
    # For large ratios it is the other way round: the exponential of a logarithm loses digits.
    excess = np.where(ratio < 2, np.expm1(2 * log_ratio), ratio**2 - 1)
    return np.sum(0.5 * excess - log_ratio + 0.5 * ((mean_q - mean_p) / scale_p) ** 2, axis=-1)


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
    mean, scale = finite("mean", mean), positive("scale", scale)
    broadcast(mean=mean, scale=scale)
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


def kl_gradient(mean_q: ArrayLike, scale_q: ArrayLike, mean_p: ArrayLike, scale_p: ArrayLike) -> tuple[Array, Array]:
    r"""Gradient of the Gaussian divergence along the posterior mean and the logarithm of the prior scale.

    .. math:: \frac{\partial\mathrm{KL}}{\partial\mu_q}=\frac{\mu_q-\mu_p}{\sigma_p^2},\qquad
              \frac{\partial\mathrm{KL}}{\partial\log\sigma_p}=1-\frac{\sigma_q^2+(\mu_q-\mu_p)^2}{\sigma_p^2}

    Parameters
    ----------
    mean_q, scale_q : array_like
        Mean :math:`\mu_q` and standard deviation :math:`\sigma_q>0` of the first Gaussian.
    mean_p, scale_p : array_like
        Mean :math:`\mu_p` and standard deviation :math:`\sigma_p>0` of the second Gaussian.

    Returns
    -------
    by_mean_q, by_log_scale_p : ndarray
        Per variable, not summed. Both grow as :math:`\sigma_p^{-2}` when the prior narrows: no bound.

    Raises
    ------
    ValueError
        If an argument is not finite, a scale is not positive, or the shapes do not broadcast.

    Source: NVAE, Section 3.2 ("taming the unbounded KL term"); Efficient-VDVAE, Section 4.2.
    """
    mean_q, scale_q = finite("mean_q", mean_q), positive("scale_q", scale_q)
    mean_p, scale_p = finite("mean_p", mean_p), positive("scale_p", scale_p)
    broadcast(mean_q=mean_q, scale_q=scale_q, mean_p=mean_p, scale_p=scale_p)
    distance, ratio = (mean_q - mean_p) / scale_p, scale_q / scale_p
    return distance / scale_p + 0 * ratio, 1 - ratio**2 - distance**2


def tempered_sample(mean: ArrayLike, scale: ArrayLike, noise: ArrayLike, temperature: ArrayLike) -> Array:
    r"""Sample of a diagonal Gaussian at a temperature, which multiplies its standard deviation.

    .. math:: z=\mu+t\,\sigma\odot\epsilon,\qquad\epsilon\sim\mathcal N(0,I)

    Parameters
    ----------
    mean, scale : array_like
        Mean :math:`\mu` and standard deviation :math:`\sigma>0`.
    noise : array_like
        Standard Gaussian noise :math:`\epsilon`, drawn by the caller.
    temperature : array_like
        Temperature :math:`t\ge0`: 1 is the model, 0 the mean (so it must not enter as :math:`\log t`).

    Returns
    -------
    ndarray
        The sample, of the broadcast shape.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` is not positive, ``temperature`` is negative, or the shapes do not
        broadcast.

    Source: Efficient-VDVAE, Section 4.2 and Figure 1 (prior only, at generation only).
    """
    mean, scale, noise = finite("mean", mean), positive("scale", scale), finite("noise", noise)
    temperature = non_negative("temperature", temperature)
    broadcast(mean=mean, scale=scale, noise=noise, temperature=temperature)
    return mean + temperature * scale * noise


def precision_merge(
    mean_a: ArrayLike, scale_a: ArrayLike, mean_b: ArrayLike, scale_b: ArrayLike
) -> tuple[Array, Array]:
    r"""Precision-weighted merge of two Gaussians: their normalised product.

    .. math:: \sigma^2=\frac1{\sigma_a^{-2}+\sigma_b^{-2}},\qquad
              \mu=\sigma^2\big(\mu_a\sigma_a^{-2}+\mu_b\sigma_b^{-2}\big)

    Parameters
    ----------
    mean_a, scale_a : array_like
        Mean :math:`\mu_a` and standard deviation :math:`\sigma_a>0`, from the bottom-up pass.
    mean_b, scale_b : array_like
        Mean :math:`\mu_b` and standard deviation :math:`\sigma_b>0`, from the top-down pass.

    Returns
    -------
    mean, scale : ndarray
        Parameters of the merged Gaussian, narrower than both.

    Raises
    ------
    ValueError
        If an argument is not finite, a scale is not positive, or the shapes do not broadcast.

    Source: ladder VAE, the comparator of Hermite VAE, Table 2.
    """
    mean_a, scale_a = finite("mean_a", mean_a), positive("scale_a", scale_a)
    mean_b, scale_b = finite("mean_b", mean_b), positive("scale_b", scale_b)
    broadcast(mean_a=mean_a, scale_a=scale_a, mean_b=mean_b, scale_b=scale_b)
    precision_a, precision_b = scale_a**-2.0, scale_b**-2.0
    variance = 1 / (precision_a + precision_b)
    return variance * (mean_a * precision_a + mean_b * precision_b), np.sqrt(variance)

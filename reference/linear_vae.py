"""The linear VAE (probabilistic PCA) in closed form: what a Gaussian decoder can reach, with sigma fixed or fitted.

``eigenvalues`` are those of the data covariance (population divisor), in any order; all D of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, finite, integer, positive, single


def negative_log_evidence(x: ArrayLike, weights: ArrayLike, mean: ArrayLike, sigma: ArrayLike) -> Array:
    r"""Exact negative log evidence of a linear decoder: the NELBO at the exact posterior.

    .. math:: -\log\mathcal N(x;\mu,WW^\top+\sigma^2I)

    Parameters
    ----------
    x : array_like (..., D)
        Images.
    weights : array_like (D, q)
        Decoder :math:`W`.
    mean : array_like (D,)
        Offset :math:`\mu`.
    sigma : array_like ()
        Standard deviation of the decoder :math:`\sigma>0`.

    Returns
    -------
    ndarray (...)
        Nats per image.

    Raises
    ------
    ValueError
        If an argument is not finite, ``sigma`` is not positive, or the shapes do not agree.

    Source: derived; reference point for sigma-VAE, Eq. 11.
    """
    x, weights, mean = finite("x", x), finite("weights", weights), finite("mean", mean)
    if weights.ndim != 2 or mean.shape != weights.shape[:1] or x.shape[-1:] != mean.shape:
        raise ValueError(
            f"x, weights, mean must be (..., D), (D, q), (D,), got {x.shape}, {weights.shape}, {mean.shape}"
        )
    # Along the principal axes the covariance is diagonal: nothing is inverted that is nearly singular
    axes, lengths, _ = np.linalg.svd(weights)
    variances = np.full(len(mean), single("sigma", positive("sigma", sigma)) ** 2)
    variances[: len(lengths)] += lengths**2
    return np.sum(0.5 * np.log(2 * np.pi * variances) + ((x - mean) @ axes) ** 2 / (2 * variances), axis=-1)


def active_directions(eigenvalues: ArrayLike, variance: ArrayLike, latents: int) -> Array:
    r"""Number of latents that the optimum uses at a fixed decoder variance.

    .. math:: |A|=\#\{j\le q:\lambda_j>\sigma^2\}

    Parameters
    ----------
    eigenvalues : array_like (D,)
        Eigenvalues :math:`\lambda_j>0`.
    variance : array_like ()
        Decoder variance :math:`\sigma^2>0`.
    latents : int
        Latents :math:`0\le q\le D`.

    Returns
    -------
    ndarray of int ()
        Unit variance keeps only directions of variance above 1: collapse is then optimal, not a failure.

    Raises
    ------
    ValueError
        If an eigenvalue or ``variance`` is not positive or ``latents`` leaves 0..D.

    Source: derived; reference point for sigma-VAE, Figures 5-6.
    """
    descending, latents = _descending(eigenvalues, latents)
    return (descending[:latents] > single("variance", positive("variance", variance))).sum()


def fixed_variance_optimum(eigenvalues: ArrayLike, variance: ArrayLike, latents: int) -> tuple[Array, Array]:
    r"""Least NELBO of a linear VAE at a fixed decoder variance, and its KL.

    .. math:: \min\mathcal L=\frac12\Big[D\log2\pi+\sum_A(\log\lambda_j+1)
              +\sum_{\bar A}\Big(\log\sigma^2+\frac{\lambda_j}{\sigma^2}\Big)\Big],\qquad
              \mathrm{KL}=\frac12\sum_A\log\frac{\lambda_j}{\sigma^2},\qquad A=\{j\le q:\lambda_j>\sigma^2\}

    Parameters
    ----------
    eigenvalues : array_like (D,)
        Eigenvalues :math:`\lambda_j>0`.
    variance : array_like ()
        Decoder variance :math:`\sigma^2>0`; the KL weight of a beta-VAE.
    latents : int
        Latents :math:`0\le q\le D`.

    Returns
    -------
    nelbo, kl : ndarray ()
        Nats per image, means over the data.

    Raises
    ------
    ValueError
        As :func:`active_directions`.

    Source: derived; reference point for sigma-VAE, Table 3 (Gaussian and beta rows).
    """
    descending, latents = _descending(eigenvalues, latents)
    variance = single("variance", positive("variance", variance))
    kept = (np.arange(len(descending)) < latents) & (descending > variance)
    used, left = descending[kept], descending[~kept]
    terms = np.sum(np.log(used) + 1) + np.sum(np.log(variance) + left / variance)
    return 0.5 * (len(descending) * np.log(2 * np.pi) + terms), 0.5 * np.sum(np.log(used / variance))


def fitted_optimum(eigenvalues: ArrayLike, latents: int) -> tuple[Array, Array, Array]:
    r"""Fitted decoder variance of a linear VAE, its least NELBO, and its KL.

    .. math:: \sigma^2_{ML}=\frac1{D-q}\sum_{j>q}\lambda_j,\qquad
              \min\mathcal L=\frac12\Big[D\log2\pi+\sum_{j\le q}\log\lambda_j+(D-q)\log\sigma^2_{ML}+D\Big],\qquad
              \mathrm{KL}=\frac12\sum_{j\le q}\log\frac{\lambda_j}{\sigma^2_{ML}}

    Parameters
    ----------
    eigenvalues : array_like (D,)
        Eigenvalues :math:`\lambda_j>0`.
    latents : int
        Latents :math:`0\le q<D`.

    Returns
    -------
    variance, nelbo, kl : ndarray ()
        Variance, and nats per image.

    Raises
    ------
    ValueError
        If an eigenvalue is not positive or ``latents`` leaves 0..D-1.

    Source: derived; reference point for sigma-VAE, Eq. 11 (Tipping and Bishop).
    """
    descending, latents = _descending(eigenvalues, latents)
    if latents == len(descending):
        raise ValueError(f"latents must be < {len(descending)} to leave a variance to fit, got {latents}")
    variance = descending[latents:].mean()
    return variance, *fixed_variance_optimum(descending, variance, latents)


def _descending(eigenvalues: ArrayLike, latents: int) -> tuple[Array, int]:
    values, latents = positive("eigenvalues", eigenvalues), integer("latents", latents, 0)
    if values.ndim != 1 or latents > len(values):
        raise ValueError(f"eigenvalues must be (D,) with D >= latents, got shape {values.shape}, {latents}")
    return np.sort(values)[::-1], latents

"""Bounds on the log likelihood, and its units."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from reference.checks import Array, broadcast, finite, integer, real


def importance_weighted(log_weights: ArrayLike) -> Array:
    r"""Importance-weighted bound from the log weights of k samples.

    .. math:: L_k=\mathbb E_{z^{(1..k)}\sim q}\Big[\log\frac1k\sum_{j=1}^kw_j\Big],
              \qquad\log w_j=\log p(x,z^{(j)})-\log q(z^{(j)}|x)

    Parameters
    ----------
    log_weights : array_like (k, ...)
        Log weights :math:`\log w_j`, samples along the first axis; whole trajectories z = (z_1..z_L) are the samples.

    Returns
    -------
    ndarray (...)
        One-draw estimate of :math:`L_k` in nats; k = 1 gives the ELBO. Its mean never falls as k grows and never
        exceeds log p(x).

    Raises
    ------
    ValueError
        If ``log_weights`` contains NaN or holds no sample.

    Source: Hermite VAE, Section 5 (L_1, L_100, L_5000); Burda et al.
    """
    log_weights = real("log_weights", log_weights)
    if log_weights.ndim == 0 or len(log_weights) == 0:
        raise ValueError(f"log_weights must hold at least one sample (k, ...), got shape {log_weights.shape}")
    # The weights themselves under- and overflow (log w is of order -100 to -10000).
    bound = logsumexp(log_weights, axis=0) - np.log(len(log_weights))
    # Of nearly equal weights the two logs share their digits; the mean excess over the largest has its own.
    largest = np.max(log_weights, axis=0)
    with np.errstate(invalid="ignore"):
        excess = log_weights - largest
    near = np.min(excess, axis=0) > -1
    return np.where(near, largest + np.log1p(np.mean(np.expm1(np.where(near, excess, 0)), axis=0)), bound)


def importance_weights(log_weights: ArrayLike) -> Array:
    r"""Normalised importance weights: the weights of the gradient of the bound.

    .. math:: \bar w_j=\frac{w_j}{\sum_iw_i},\qquad\nabla L_k=\mathbb E\Big[\sum_j\bar w_j\nabla\log w_j\Big]

    Parameters
    ----------
    log_weights : array_like (k, ...)
        Log weights :math:`\log w_j`, samples along the first axis.

    Returns
    -------
    ndarray (k, ...)
        Positive, of sum 1 over the first axis.

    Raises
    ------
    ValueError
        If ``log_weights`` is not finite.

    Source: Hermite VAE, Section 5 (baseline IWAE with 5 samples).
    """
    log_weights = finite("log_weights", log_weights)
    # Less the largest first: log w and the log of their sum agree in most digits.
    weights = np.exp(log_weights - log_weights.max(axis=0))
    return weights / weights.sum(axis=0)


def bits_per_dim(log_likelihood: ArrayLike, dims: int) -> Array:
    r"""Negative log likelihood in bits per dimension.

    .. math:: b=-\frac{\mathcal L}{D\log2}

    Parameters
    ----------
    log_likelihood : array_like
        Log likelihood or bound :math:`\mathcal L` in nats per image.
    dims : int
        Number of values :math:`D\ge1` of an image (3072 for 32x32 colour).

    Returns
    -------
    ndarray
        Bits per value; uniform 8-bit data have exactly 8.

    Raises
    ------
    ValueError
        If ``log_likelihood`` is not finite or ``dims`` is not an integer >= 1.

    Source: Hermite VAE, Section 5.2.2.
    """
    return -finite("log_likelihood", log_likelihood) / (integer("dims", dims, 1) * np.log(2))


def negative_elbo(log_likelihood: ArrayLike, kl: ArrayLike) -> Array:
    r"""Negative evidence lower bound from its two parts.

    .. math:: -\mathcal L=-\log p(x|z)+\sum_l\mathrm{KL}_l

    Parameters
    ----------
    log_likelihood : array_like (...)
        Log likelihood of each example given its sample, in nats.
    kl : array_like (..., L)
        Divergence of each layer, in nats; single-sample estimates may be negative.

    Returns
    -------
    ndarray (...)
        Nats per example.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not agree.

    Source: Efficient-VDVAE, all tables; they print the bound of one sample, not an importance-weighted estimate.
    """
    log_likelihood, kl = finite("log_likelihood", log_likelihood), finite("kl", kl)
    if kl.ndim == 0:
        raise ValueError(f"kl must have a last axis of layers, got shape {kl.shape}")
    total = kl.sum(axis=-1)
    broadcast(log_likelihood=log_likelihood, kl=total)
    return total - log_likelihood

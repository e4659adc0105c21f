"""Posterior collapse: which latent units carry information about the image.

``posterior_means`` has shape (S, N, n): for each of N images, S independent draws of the layers below, the posterior
mean of n units given each draw. For the bottom layer the draws agree and S = 2 equal copies are enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Array, broadcast, finite, non_negative


def within_variance(posterior_means: ArrayLike) -> Array:
    r"""Variance of the posterior mean that comes from sampling the layers below, not from the image.

    .. math:: W_j=\mathbb E_x\,\mathrm{Var}_s\big[\mu_j(z_{l-1}^{(s)})\,\big|\,x\big]

    Parameters
    ----------
    posterior_means : array_like (S, N, n)
        Posterior means, at least two draws.

    Returns
    -------
    ndarray (n,)
        Unbiased estimate (divisor S - 1), >= 0.

    Raises
    ------
    ValueError
        If ``posterior_means`` is not finite or has fewer than 2 draws or 2 images.

    Source: Burda et al., used by Hermite VAE, Tables 3-4; the correction is derived.
    """
    return _draws(posterior_means).var(axis=0, ddof=1).mean(axis=0)


def between_variance(posterior_means: ArrayLike) -> Array:
    r"""Activity of a unit: the variance over images of its expected posterior mean.

    .. math:: A_j=\mathrm{Var}_x\Big(\mathbb E_{q(z_{1:l-1}|x)}\big[\mu_j(z_{l-1})\big]\Big)

    Parameters
    ----------
    posterior_means : array_like (S, N, n)
        Posterior means, at least two draws.

    Returns
    -------
    ndarray (n,)
        Unbiased estimate: the variance over images of the mean over draws, less W / S. It may be slightly negative.
        The uncorrected variance (S = 1 above all) counts the noise of the layer below as activity.

    Raises
    ------
    ValueError
        If ``posterior_means`` is not finite or has fewer than 2 draws or 2 images.

    Source: Burda et al., used by Hermite VAE, Tables 3-4; the paper does not state its definition.
    """
    means = _draws(posterior_means)
    return means.mean(axis=0).var(axis=0, ddof=1) - within_variance(means) / len(means)


def active_units(posterior_means: ArrayLike, threshold: float = 0.01) -> NDArray[np.bool_]:
    r"""Active units of a layer.

    .. math:: \text{unit }j\text{ is active}\iff A_j>\delta

    Parameters
    ----------
    posterior_means : array_like (S, N, n)
        Posterior means, at least two draws.
    threshold : float
        Threshold :math:`\delta\ge0`, 0.01 by custom.

    Returns
    -------
    ndarray of bool (n,)

    Raises
    ------
    ValueError
        As :func:`between_variance`, and if ``threshold`` is negative.

    Source: Burda et al., used by Hermite VAE, Tables 3-4 and Figure 3.
    """
    return between_variance(posterior_means) > non_negative("threshold", threshold)


def between_fraction(posterior_means: ArrayLike) -> Array:
    r"""Share of the variance of a layer's posterior means that is about the image.

    .. math:: \frac{\sum_jA_j}{\sum_j(A_j+W_j)}

    Parameters
    ----------
    posterior_means : array_like (S, N, n)
        Posterior means, at least two draws.

    Returns
    -------
    ndarray ()
        In [0, 1]; NaN when the posterior means do not vary at all.

    Raises
    ------
    ValueError
        As :func:`between_variance`.

    Source: derived as a control of Hermite VAE, Tables 3-4 (an active unit may carry only noise).
    """
    between = np.maximum(between_variance(posterior_means), 0).sum()
    total = between + within_variance(posterior_means).sum()
    return np.divide(between, total) if total > 0 else np.asarray(np.nan)


def top_down_gap(log_likelihood_own: ArrayLike, log_likelihood_other: ArrayLike) -> Array:
    r"""Use that the decoder makes of the top latent: what another image's top latent costs.

    .. math:: \mathrm{gap}=\mathbb E\big[\log p(x|z_L(x))-\log p(x|z_L(x'))\big]

    Parameters
    ----------
    log_likelihood_own : array_like (N,)
        Log likelihood of each image, decoded from its own top latent :math:`z_L(x)` through fresh lower latents.
    log_likelihood_other : array_like (N,)
        The same from the top latent of another image :math:`x'`, with the same noise.

    Returns
    -------
    ndarray ()
        Nats per image; zero when the top layer has collapsed or the decoder ignores it.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes differ.

    Source: derived as a control of Hermite VAE, Figure 1 (the top KL does not involve the decoder).
    """
    own = finite("log_likelihood_own", log_likelihood_own)
    other = finite("log_likelihood_other", log_likelihood_other)
    broadcast(log_likelihood_own=own, log_likelihood_other=other)
    return np.asarray(np.mean(own - other))


def _draws(posterior_means: ArrayLike) -> Array:
    means = finite("posterior_means", posterior_means)
    if means.ndim != 3 or means.shape[0] < 2 or means.shape[1] < 2:
        raise ValueError(f"posterior_means must be (S >= 2, N >= 2, n), got shape {means.shape}")
    return means

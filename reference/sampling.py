"""Sampling from a hierarchy: temperature, fixed scales, smoothed posteriors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, broadcast, finite, integer, non_negative, positive, within
from reference.ornstein_uhlenbeck import correlated_sample


def tempered(mean: ArrayLike, scale: ArrayLike, noise: ArrayLike, temperature: ArrayLike) -> Array:
    r"""Sample of a Gaussian group at a temperature.

    .. math:: z_l=\mu_l+t\,\sigma_l\odot\epsilon,\qquad z_l\sim\mathcal N\big(\mu_l,(t\sigma_l)^2\big)

    Parameters
    ----------
    mean : array_like
        Prior mean :math:`\mu_l`.
    scale : array_like
        Prior standard deviation :math:`\sigma_l>0`.
    noise : array_like
        Standard Gaussian noise :math:`\epsilon`.
    temperature : array_like
        Temperature :math:`t\ge0`, the same in every group (the first too); 1 is the model, 0 the path of the modes.

    Returns
    -------
    ndarray
        Of the broadcast shape. The temperature multiplies the standard deviation, not the variance.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` not positive, ``temperature`` negative, or the shapes do not broadcast.

    Source: NVAE, Sections 4.1, 4.2. The pixel likelihood is not tempered.
    """
    mean, scale, noise = finite("mean", mean), positive("scale", scale), finite("noise", noise)
    temperature = non_negative("temperature", temperature)
    broadcast(mean=mean, scale=scale, noise=noise, temperature=temperature)
    return mean + temperature * scale * noise


def fixed_scales(
    kept: Sequence[ArrayLike], fresh: Sequence[ArrayLike], groups: Sequence[int], fixed: int
) -> tuple[Array, ...]:
    r"""Noise of a sample that shares its top scales with another.

    .. math:: \epsilon_l=\epsilon^{\text{kept}}_l\text{ if group }l\text{ is at one of the top }j\text{ scales, else }
              \epsilon_l=\epsilon^{\text{fresh}}_l

    Parameters
    ----------
    kept, fresh : sequence of array_like
        Standard Gaussian noise of every group, top first.
    groups : sequence of int
        Groups per scale, top (coarsest) scale first.
    fixed : int
        Number :math:`j` of scales to keep, 0 (an independent sample) to all (the same latents).

    Returns
    -------
    tuple of ndarray
        Noise of every group. To keep the noise of the groups on top is to keep their latents; everything below is drawn
        anew, with the priors recomputed on the way down.

    Raises
    ------
    ValueError
        If an entry is not finite, the groups do not add up, or ``fixed`` is not between 0 and the number of scales.

    Source: NVAE, Figure 12.
    """
    top, below = [finite("kept", k) for k in kept], [finite("fresh", f) for f in fresh]
    counts = [integer("groups", g, 1) for g in groups]
    if not len(top) == len(below) == sum(counts):
        raise ValueError(f"kept and fresh must have {sum(counts)} groups, got {len(top)} and {len(below)}")
    within("fixed", fixed, 0, len(counts))
    held = sum(counts[: integer("fixed", fixed, 0)])
    return (*top[:held], *below[held:])


def explained_share(images: ArrayLike) -> Array:
    r"""Share of the variance of images that their fixed top scales explain.

    .. math:: \mathrm{share}=\frac{\mathrm{Var}\,\mathbb E[x|\text{top}]}{\mathrm{Var}\,x},\qquad
              \widehat{\mathrm{Var}\,\mathbb E}=B-\frac WR,\quad\widehat{\mathrm{Var}}=B-\frac WR+W

    Parameters
    ----------
    images : array_like (T, R, D)
        R >= 2 redraws below each of T >= 2 tops, D pixels (raw or averaged over squares).
        :math:`W` is the variance within a top, meaned over tops, and :math:`B` the variance of the means of the tops,
        both unbiased and summed over pixels.

    Returns
    -------
    ndarray ()
        About 1 if the top decides the image, about 0 (slightly negative by chance) if it does not matter; NaN if
        nothing varies.

    Raises
    ------
    ValueError
        If ``images`` is not finite or has fewer than 2 tops or redraws.

    Source: derived as a measure of NVAE, Figure 12 (law of total variance).
    """
    images = finite("images", images)
    if images.ndim != 3 or min(images.shape[:2]) < 2:
        raise ValueError(f"images must be (T >= 2, R >= 2, D), got shape {images.shape}")
    within_tops = images.var(axis=1, ddof=1).mean(axis=0).sum()
    between = images.mean(axis=1).var(axis=0, ddof=1).sum() - within_tops / images.shape[1]
    total = between + within_tops
    return between / total if total > 0 else np.asarray(np.nan)


def smoothed_posterior_sample(
    f: Callable[[Array], Array],
    mean: ArrayLike,
    scale: ArrayLike,
    noise: ArrayLike,
    fresh: ArrayLike,
    upper_noise: ArrayLike,
    rho: ArrayLike,
) -> Array:
    r"""Sample of the upper latent when the posterior, too, is averaged over correlated copies of the lower latent.

    .. math:: z_{i+1}=\frac1K\sum_k\mu_q(z'_{i,k})+\Big(\frac1K\sum_k\sigma_q(z'_{i,k})\Big)\odot\epsilon,\qquad
              z'_{i,k}=\mu+\sigma\odot\big(\rho\,\epsilon_1+\sqrt{1-\rho^2}\,\epsilon_{2,k}\big)

    Parameters
    ----------
    f : callable
        Network of :math:`q(z_{i+1}|z_i)`: points (..., n) to (..., 2 m), means, then log standard deviations.
    mean, scale : array_like (B, n)
        Posterior :math:`\mu,\sigma>0` of the lower latent.
    noise : array_like (B, n)
        Noise :math:`\epsilon_1` of the lower latent.
    fresh : array_like (K, B, n)
        Noise :math:`\epsilon_{2,k}` of its correlated copies.
    upper_noise : array_like (B, m)
        Noise :math:`\epsilon` of the upper latent.
    rho : array_like
        Correlation :math:`\rho\in[0,1]`; 1 is the unsmoothed posterior.

    Returns
    -------
    ndarray (B, m)

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` not positive, ``rho`` outside [0, 1], or the shapes do not agree.

    Source: Hermite VAE, Section 2.2 (reported there to be of little benefit).
    """
    upper_noise = finite("upper_noise", upper_noise)
    outputs = np.asarray(f(correlated_sample(mean, scale, noise, fresh, rho)))
    if outputs.shape[-1] != 2 * upper_noise.shape[-1]:
        raise ValueError(f"upper_noise must be (B, {outputs.shape[-1] // 2}), got shape {upper_noise.shape}")
    means, log_scales = np.split(outputs, 2, axis=-1)
    return means.mean(axis=0) + np.exp(log_scales).mean(axis=0) * upper_noise

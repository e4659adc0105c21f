"""Posterior collapse: which latent units carry information about the image.

``posterior_means`` has shape (S, N, n): for each of N images, S independent draws of the layers below, the posterior
mean of n units given each draw. For the bottom layer the draws agree and S = 2 equal copies are enough.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from reference.checks import Array, broadcast, finite, integer, non_negative, positive, real


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
    expected = (means - means[0, 0]).mean(axis=0)
    return expected.var(axis=0, ddof=1) - within_variance(means) / len(means)


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


def rate(kl: ArrayLike) -> Array:
    r"""Rate of a layer or model: its mean KL.

    .. math:: R=\mathbb E_x\,\mathrm{KL}(q(z|x)\,\|\,p(z))

    Parameters
    ----------
    kl : array_like (N,)
        KL of each image in nats.

    Returns
    -------
    ndarray ()
        Nats per image; below 0.1 a layer without active units counts as collapsed, see :func:`is_collapsed`.

    Raises
    ------
    ValueError
        If ``kl`` is not finite or empty.

    Source: sigma-VAE, Figures 5-6 (implied).
    """
    return _per_image("kl", kl).mean()


def is_collapsed(active: ArrayLike, kl: ArrayLike, kl_threshold: float = 0.1) -> NDArray[np.bool_]:
    r"""Whether a layer has collapsed: no active unit, and almost no KL.

    .. math:: \#\{j:\text{active}\}=0\quad\text{and}\quad\mathrm{KL}<\epsilon

    Parameters
    ----------
    active : array_like of bool (..., n)
        Active units, from :func:`active_units`.
    kl : array_like (...)
        Mean KL of the layer in nats, analytic for the top layer.
    kl_threshold : float
        Threshold :math:`\epsilon\ge0` in nats.

    Returns
    -------
    ndarray of bool (...)

    Raises
    ------
    ValueError
        If ``kl`` is not finite, ``kl_threshold`` is negative, or the shapes do not agree.

    Source: derived from Hermite VAE, Tables 3-4 and Figure 1 (the paper does not define collapse).
    """
    active, kl = np.asarray(active, dtype=bool), finite("kl", kl)
    if active.shape[:-1] != kl.shape or active.ndim == 0:
        raise ValueError(f"active must be (*{kl.shape}, n), got shape {active.shape}")
    return ~active.any(axis=-1) & (kl < non_negative("kl_threshold", kl_threshold))


def active_channels(kl: ArrayLike, threshold: float = 0.1, mean_over_space: bool = True) -> NDArray[np.bool_]:
    r"""Latent channels of a group whose mean KL is above a threshold.

    .. math:: \text{channel }c\text{ is active}\iff
              \frac1{NA}\sum_{n,a,b}\mathrm{KL}(n,c,a,b)>\delta,\qquad A=HW\text{ (paper) or }1\text{ (public code)}

    Parameters
    ----------
    kl : array_like (N, C, H, W)
        KL of every latent value in nats.
    threshold : float
        Threshold :math:`\delta\ge0` in nats.
    mean_over_space : bool
        Average over space as the paper says, or sum over it as the public code does.

    Returns
    -------
    ndarray of bool (C,)
        The sum finds at least as many channels as the mean.

    Raises
    ------
    ValueError
        If ``kl`` is not finite or not (N >= 1, C, H, W), or ``threshold`` is negative.

    Source: NVAE, footnote 5 and Figure 10. Erratum: the public code sums over space, a far laxer test on large maps.
    """
    maps = _maps(kl)
    per_channel = maps.mean(axis=0).mean(axis=(1, 2)) if mean_over_space else maps.mean(axis=0).sum(axis=(1, 2))
    return per_channel > non_negative("threshold", threshold)


def kl_per_group(kl: Sequence[ArrayLike]) -> Array:
    r"""KL of each group of a hierarchy.

    .. math:: \mathrm{KL}_l=\frac1N\sum_n\sum_{c,a,b}\mathrm{KL}(n,l,c,a,b)

    Parameters
    ----------
    kl : sequence of L array_like (N, C_l, H_l, W_l)
        KL of every latent value of each group in nats.

    Returns
    -------
    ndarray (L,)
        Nats per image; the sum is the rate of the model.

    Raises
    ------
    ValueError
        If there is no group, or an array is not finite or not (N >= 1, C, H, W).

    Source: NVAE, Figure 5b.
    """
    if len(kl) == 0:
        raise ValueError("kl must hold L >= 1 groups, got 0")
    return np.stack([_maps(group).sum(axis=(1, 2, 3)).mean() for group in kl])


def inactive_groups(group_kl: ArrayLike, fraction: float = 0.01) -> NDArray[np.bool_]:
    r"""Groups that a hierarchy does not use: those far below the mean KL of a group.

    .. math:: \mathrm{KL}_l<\phi\,\frac1L\sum_k\mathrm{KL}_k

    Parameters
    ----------
    group_kl : array_like (L,)
        KL of each group in nats, from :func:`kl_per_group`.
    fraction : float
        Fraction :math:`\phi\ge0` of the mean; the paper does not define when a group is off.

    Returns
    -------
    ndarray of bool (L,)

    Raises
    ------
    ValueError
        If ``group_kl`` is not finite or empty, or ``fraction`` is negative.

    Source: NVAE, Figure 5b (definition ours).
    """
    group_kl = _per_image("group_kl", group_kl)
    return group_kl < non_negative("fraction", fraction) * group_kl.mean()


def active_groups(group_kl: ArrayLike, dims: Sequence[int], threshold: float = 1e-4) -> Array:
    r"""Number of groups whose KL per latent dimension reaches a threshold in bits.

    .. math:: \#\{l:\mathrm{KL}_l\ge\epsilon D_l\log2\}

    Parameters
    ----------
    group_kl : array_like (L,)
        KL of each group in nats per image, from :func:`kl_per_group`.
    dims : sequence of L int
        Latent dimensions :math:`D_l\ge1` of each group.
    threshold : float
        Threshold :math:`\epsilon\ge0` in bits per latent dimension.

    Returns
    -------
    ndarray of int ()

    Raises
    ------
    ValueError
        If ``group_kl`` is not finite or empty, the lengths differ, an integer is not >= 1, or ``threshold`` < 0.

    Source: Efficient-VDVAE, public code (debugging metric).
    """
    group_kl, sizes = _per_image("group_kl", group_kl), np.array([integer("dims", d, 1) for d in dims])
    if sizes.shape != group_kl.shape:
        raise ValueError(f"dims must hold one size for each of {len(group_kl)} groups, got {len(sizes)}")
    return np.sum(group_kl / (sizes * np.log(2)) >= non_negative("threshold", threshold))


def generalisation_gap(validation: ArrayLike, training: ArrayLike) -> Array:
    r"""How much larger a mean is on validation images than on training images.

    .. math:: \frac1{N_v}\sum_n K_n^{\text{val}}-\frac1{N_t}\sum_n K_n^{\text{train}}

    Parameters
    ----------
    validation, training : array_like (N,)
        KL (or NELBO) of each image, same weights and same number of posterior samples.

    Returns
    -------
    ndarray ()
        In the unit of the arguments; positive when the model fits its training images better.

    Raises
    ------
    ValueError
        If an argument is not finite or empty.

    Source: Efficient-VDVAE, Appendix C.4.
    """
    return _per_image("validation", validation).mean() - _per_image("training", training).mean()


def mutual_information(log_density: ArrayLike) -> Array:
    r"""Information that the top latent carries about the image, under the posterior.

    .. math:: \hat I=\frac1N\sum_n\Big[\log\frac1S\sum_sq(z_n|z_{L-1}^{(s)}(x_n))
              -\log\frac1{NS}\sum_{m,s}q(z_n|z_{L-1}^{(s)}(x_m))\Big]

    Parameters
    ----------
    log_density : array_like (N, N, S)
        Log density in nats of the sample :math:`z_n` of image n under draw s of the posterior of image m; axes n, m, s.

    Returns
    -------
    ndarray ()
        Nats, at most log N: few images cannot show more. Zero for a collapsed layer, in expectation below the KL.

    Raises
    ------
    ValueError
        If ``log_density`` contains NaN or is not (N, N, S >= 1).

    Source: derived as a control of Hermite VAE, Figure 1.
    """
    log_density = real("log_density", log_density)
    if log_density.ndim != 3 or log_density.shape[0] != log_density.shape[1] or log_density.size == 0:
        raise ValueError(f"log_density must be (N, N, S >= 1), got shape {log_density.shape}")
    images = np.arange(len(log_density))
    # Only differences count: densities relative to the highest keep the digits that a common level would take.
    highest = np.max(log_density, axis=(1, 2), keepdims=True)
    log_density = log_density - np.where(np.isfinite(highest), highest, 0)
    own = _log_mean_exp(log_density[images, images])
    return np.asarray(np.mean(own - _log_mean_exp(log_density.reshape(len(images), -1))))


def phase_transition(rho: ArrayLike, curve: ArrayLike) -> tuple[Array, Array, Array, Array]:
    r"""Where and how sharply a curve drops: half height, onset of collapse, width, sharpness.

    .. math:: m=\frac{\mathrm{iso}(y)}{\mathrm{iso}(y)_1},\qquad m(\rho_{1/2})=\frac12,\quad m(\rho_{\text{on}})=0.05,
              \quad w=\rho(0.1)-\rho(0.9),\quad S=\max_i\Big|\frac{\Delta m_i}{\Delta\rho_i}\Big|

    Parameters
    ----------
    rho : array_like (G,)
        Strictly increasing grid, at least 2 points.
    curve : array_like (G,)
        Order parameter :math:`y` (top KL, median over seeds) in any unit; its first value must be positive.

    Returns
    -------
    half, onset, width, sharpness : ndarray ()
        Read off the least-squares non-increasing fit by linear interpolation, at the largest rho that reaches the
        level; NaN where the level is not crossed on the grid.

    Raises
    ------
    ValueError
        If ``rho`` does not increase, the shapes differ, or the fit does not start above zero.

    Source: derived from Hermite VAE, Figure 1 (procedure ours). The decision whether there is a transition at all also
    needs the seeds.
    """
    rho, curve = finite("rho", rho), finite("curve", curve)
    if rho.ndim != 1 or len(rho) < 2 or curve.shape != rho.shape or not (np.diff(rho) > 0).all():
        raise ValueError(f"rho must increase and curve have its shape (G >= 2,), got {rho.shape}, {curve.shape}")
    fit = optimize.isotonic_regression(curve, increasing=False).x
    height = fit / positive("start of the curve", fit[0])

    def crossing(level: float) -> float:
        below = np.flatnonzero(height < level)
        if len(below) == 0 or below[0] == 0:
            return np.nan
        i = below[0]
        share = (height[i - 1] - level) / (height[i - 1] - height[i])
        return rho[i - 1] + share * (rho[i] - rho[i - 1])

    width = crossing(0.1) - crossing(0.9)
    sharpness = np.max(np.abs(np.diff(height) / np.diff(rho)))
    return np.asarray(crossing(0.5)), np.asarray(crossing(0.05)), np.asarray(width), sharpness


def same_critical_rho(first: ArrayLike, second: ArrayLike, step: ArrayLike, half_width: ArrayLike) -> NDArray[np.bool_]:
    r"""Whether two onsets of collapse agree within what the grid and the seeds can tell.

    .. math:: |\rho_{\text{on}}^{(1)}-\rho_{\text{on}}^{(2)}|\le\max(\text{grid step},\text{half-width})

    Parameters
    ----------
    first, second : array_like
        Onsets, from :func:`phase_transition`.
    step : array_like
        Grid step > 0 at the onsets.
    half_width : array_like
        Pooled half-width >= 0 of their bootstrap intervals.

    Returns
    -------
    ndarray of bool

    Raises
    ------
    ValueError
        If an argument is not finite, ``step`` is not positive, ``half_width`` is negative, or shapes do not broadcast.

    Source: derived from Hermite VAE, Figure 1 (procedure ours).
    """
    first, second = finite("first", first), finite("second", second)
    step, half_width = positive("step", step), non_negative("half_width", half_width)
    broadcast(first=first, second=second, step=step, half_width=half_width)
    return np.abs(first - second) <= np.maximum(step, half_width)


def _log_mean_exp(values: Array) -> Array:
    """Logarithm of the mean of exp(values) over the last axis.

    Log-sum-exp less the logarithm of the count loses the digits of a result near 0, which near-equal values have (a
    collapsed layer).
    """
    top = np.max(values, axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return top[..., 0] + np.log1p(np.mean(np.expm1(values - top), axis=-1))


def _per_image(name: str, value: ArrayLike) -> Array:
    values = finite(name, value)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} must be (n >= 1,), got shape {values.shape}")
    return values


def _maps(kl: ArrayLike) -> Array:
    maps = finite("kl", kl)
    if maps.ndim != 4 or len(maps) == 0:
        raise ValueError(f"kl must be (N >= 1, C, H, W), got shape {maps.shape}")
    return maps


def _draws(posterior_means: ArrayLike) -> Array:
    means = finite("posterior_means", posterior_means)
    if means.ndim != 3 or means.shape[0] < 2 or means.shape[1] < 2:
        raise ValueError(f"posterior_means must be (S >= 2, N >= 2, n), got shape {means.shape}")
    return means

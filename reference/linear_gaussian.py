"""The smallest model with posterior collapse: one linear-Gaussian layer above a first-layer latent.

The first-layer latent z1 has mean 0 and a given ``variance`` under the data. The posterior is
q(z2|z1) = N(slope_q z1, scale_q^2), the conditional p(z1|z2) = N(slope_p z2, scale_p^2), the top prior N(0, 1).
``strength`` is the factor by which smoothing scales the variance of a linear function, see
:func:`reference.ornstein_uhlenbeck.effective_strength`: 1 is no smoothing. All arguments broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, broadcast, finite, integer, positive, within


def objective(
    slope_q: ArrayLike,
    slope_p: ArrayLike,
    scale_q: ArrayLike,
    scale_p: ArrayLike,
    variance: ArrayLike,
    strength: ArrayLike,
) -> Array:
    r"""Negative smoothed objective: the terms that depend on the second layer.

    .. math:: J_\kappa=\frac12\log s^2+\frac{v(1-wa)^2+\kappa w^2t^2}{2s^2}+\frac12(a^2v+t^2-1-\log t^2)

    Parameters
    ----------
    slope_q, slope_p : array_like
        Slopes :math:`a` of the posterior and :math:`w` of the conditional.
    scale_q, scale_p : array_like
        Standard deviations :math:`t>0` of the posterior and :math:`s>0` of the conditional.
    variance : array_like
        Variance :math:`v>0` of the first-layer latent.
    strength : array_like
        Strength :math:`\kappa\in[0,1]`; 1 is the negative ELBO.

    Returns
    -------
    ndarray
        Nats, to be minimised.

    Raises
    ------
    ValueError
        If an argument is not finite, a scale or ``variance`` is not positive, ``strength`` leaves [0, 1], or the
        shapes do not broadcast.

    Source: derived from Hermite VAE, Eq. 9 and Figure 1, for a linear-Gaussian second layer.
    """
    slope_q, slope_p = finite("slope_q", slope_q), finite("slope_p", slope_p)
    scale_p, strength = positive("scale_p", scale_p), within("strength", strength, 0, 1)
    scale_q, variance = positive("scale_q", scale_q), positive("variance", variance)
    broadcast(slope_q=slope_q, slope_p=slope_p, scale_q=scale_q, scale_p=scale_p, variance=variance, strength=strength)
    residual = variance * (1 - slope_p * slope_q) ** 2 + strength * slope_p**2 * scale_q**2
    return np.log(scale_p) + residual / (2 * scale_p**2) + top_kl(slope_q, scale_q, variance)


def top_kl(slope_q: ArrayLike, scale_q: ArrayLike, variance: ArrayLike) -> Array:
    r"""Expected divergence of the posterior from the top prior.

    .. math:: \mathbb E\,\mathrm{KL}(\mathcal N(az_1,t^2)\,\|\,\mathcal N(0,1))=\frac12(a^2v+t^2-1-\log t^2)

    Parameters
    ----------
    slope_q : array_like
        Slope :math:`a` of the posterior.
    scale_q : array_like
        Standard deviation :math:`t>0` of the posterior.
    variance : array_like
        Variance :math:`v>0` of the first-layer latent.

    Returns
    -------
    ndarray
        Nats; zero exactly at the collapsed posterior a = 0, t = 1.

    Raises
    ------
    ValueError
        If an argument is not finite, or ``scale_q`` or ``variance`` is not positive.

    Source: Hermite VAE, Figure 1 (top KL), for a linear-Gaussian posterior.
    """
    slope_q, scale_q = finite("slope_q", slope_q), positive("scale_q", scale_q)
    variance = positive("variance", variance)
    broadcast(slope_q=slope_q, scale_q=scale_q, variance=variance)
    # t^2 - 1 - log t^2 cancels near t = 1; expm1 of log t^2 does not.
    log_square = 2 * np.log(scale_q)
    return 0.5 * (slope_q**2 * variance + np.expm1(log_square) - log_square)


def collapsed_objective(variance: ArrayLike) -> Array:
    r"""Negative objective at the collapsed point.

    .. math:: J_\kappa\big|_{w=a=0,\ t=1,\ s^2=v}=\frac12\log v+\frac12

    Parameters
    ----------
    variance : array_like
        Variance :math:`v>0` of the first-layer latent.

    Returns
    -------
    ndarray
        Nats; the same for every strength.

    Raises
    ------
    ValueError
        If ``variance`` is not finite or not positive.

    Source: derived from Hermite VAE, Figure 1.
    """
    return 0.5 * np.log(positive("variance", variance)) + 0.5


def profile(ratio: ArrayLike, strength: ArrayLike) -> tuple[Array, Array]:
    r"""Best objective relative to collapse, and top KL, at a given noise-to-signal ratio of the posterior.

    .. math:: \min_{s,w,a}J_\kappa-J_{\text{collapse}}=\frac12\log\frac{\kappa(1+u)}{1+\kappa u},\qquad
              \mathrm{KL}=\frac12\log\Big(1+\frac1u\Big),\qquad u=\frac{t^2}{a^2v}

    Parameters
    ----------
    ratio : array_like
        Noise-to-signal ratio :math:`u>0`; collapse is the limit of large :math:`u`.
    strength : array_like
        Strength :math:`\kappa\in(0,1]`.

    Returns
    -------
    gain : ndarray
        Nats, at most 0. Without smoothing it is 0 for every ratio (a flat valley); with smoothing it falls
        monotonically to log(strength)/2 as the ratio goes to 0, whatever the data.
    top_kl : ndarray
        Nats.

    Raises
    ------
    ValueError
        If ``ratio`` is not positive or ``strength`` leaves (0, 1].

    Source: derived from Hermite VAE, Figure 1.
    """
    ratio, strength = positive("ratio", ratio), within("strength", positive("strength", strength), 0, 1)
    broadcast(ratio=ratio, strength=strength)
    # The quotient is 1 - lost: the printed one rounds to 1 for large ratios, and 1 - lost to 0 for small strengths
    lost, kept = ((part / (1 + strength * ratio)) for part in (1 - strength, strength * (1 + ratio)))
    with np.errstate(divide="ignore"):
        gain = 0.5 * np.where(lost < 0.5, np.log1p(-lost), np.log(kept))
    return gain, np.broadcast_to(0.5 * np.log1p(1 / ratio), gain.shape)


def hessian_at_collapse(variance: ArrayLike, strength: ArrayLike) -> Array:
    r"""Second derivatives of the negative objective in the two slopes, at the collapsed point.

    .. math:: \nabla^2_{(w,a)}J_\kappa=\begin{pmatrix}\kappa/v&-1\\-1&v\end{pmatrix},\qquad\det=\kappa-1

    Parameters
    ----------
    variance : array_like
        Variance :math:`v>0` of the first-layer latent.
    strength : array_like
        Strength :math:`\kappa\in[0,1]`.

    Returns
    -------
    ndarray (..., 2, 2)
        In the order (slope_p, slope_q). Collapse is a saddle exactly when the strength is below 1.

    Raises
    ------
    ValueError
        If ``variance`` is not positive or ``strength`` leaves [0, 1].

    Source: derived from Hermite VAE, Figure 1.
    """
    variance, strength = positive("variance", variance), within("strength", strength, 0, 1)
    shape = broadcast(variance=variance, strength=strength)
    entries = np.broadcast_arrays(strength / variance, -np.ones(shape), -np.ones(shape), variance)
    return np.stack(entries, axis=-1).reshape(*shape, 2, 2)


def descend(
    strength: ArrayLike,
    steps: int,
    rate: float = 0.05,
    start: float = 0.02,
    floor: float = 0.05,
    variance: float = 1.0,
) -> tuple[Array, Array, Array, Array]:
    r"""Plain gradient descent on the negative objective from a point close to collapse.

    .. math:: \theta\leftarrow\max(\theta-\eta\nabla_\theta J_\kappa,\text{floor}),\qquad
              \theta=(a,w,\log t,\log s^2),\qquad\theta_0=(\delta,\delta,0,0)

    Parameters
    ----------
    strength : array_like
        Strengths :math:`\kappa\in[0,1]`, one run for each.
    steps : int
        Number of steps, at least 0.
    rate : float
        Step size :math:`\eta>0`.
    start : float
        Slopes :math:`\delta` at the start.
    floor : float
        Least value > 0 of both standard deviations; the slopes have none.
    variance : float
        Variance :math:`v>0` of the first-layer latent.

    Returns
    -------
    slope_q, slope_p, scale_q, scale_p : ndarray of the shape of ``strength``
        The point reached. The escape from collapse takes about 2 log(1/start) / (rate (1 - strength)) steps.

    Raises
    ------
    ValueError
        If ``strength`` leaves [0, 1], ``steps`` is not an integer >= 0, ``start`` is not finite, or another number
        is not positive.

    Source: derived from Hermite VAE, Figure 1 (a fixed number of steps at each rho).
    """
    strength, steps = within("strength", strength, 0, 1), integer("steps", steps, 0)
    eta, v = positive("rate", rate), positive("variance", variance)
    log_floor = np.log(positive("floor", floor))
    slope_q = slope_p = np.full(strength.shape, finite("start", start))
    log_scale_q = log_square_p = np.zeros(strength.shape)
    for _ in range(steps):
        square_q, square_p = np.exp(2 * log_scale_q), np.exp(log_square_p)
        miss = 1 - slope_p * slope_q
        noise = strength * slope_p**2 * square_q
        slopes = (
            v * (slope_q - slope_p * miss / square_p),
            (strength * slope_p * square_q - v * slope_q * miss) / square_p,
        )
        scales = noise / square_p + square_q - 1, 0.5 - (v * miss**2 + noise) / (2 * square_p)
        slope_q, slope_p = slope_q - eta * slopes[0], slope_p - eta * slopes[1]
        log_scale_q = np.maximum(log_scale_q - eta * scales[0], log_floor)
        log_square_p = np.maximum(log_square_p - eta * scales[1], 2 * log_floor)
    return slope_q, slope_p, np.exp(log_scale_q), np.exp(0.5 * log_square_p)


def smoothed_excess(slope_p: ArrayLike, scale_p: ArrayLike, strength: ArrayLike) -> Array:
    r"""Amount by which the best smoothed objective exceeds the log likelihood: it is no lower bound.

    .. math:: \max_qJ_\kappa-\log p(x)=\frac12\log\frac{s^2+w^2}{s^2+\kappa w^2}\ \ge\ 0

    Parameters
    ----------
    slope_p : array_like
        Slope :math:`w` of p(z1|z2) = N(w z2, s^2), below the top prior N(0, 1).
    scale_p : array_like
        Its standard deviation :math:`s>0`.
    strength : array_like
        Strength :math:`\kappa\in[0,1]`.

    Returns
    -------
    ndarray
        Nats, whatever x and whatever the linear-Gaussian p(x|z1); zero without smoothing. The maximum is over
        linear-Gaussian posteriors q(z1|x) q(z2|z1).

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale_p`` is not positive, ``strength`` leaves [0, 1], or the shapes do not
        broadcast.

    Source: derived from Hermite VAE, Section 2.2 (the objective with smoothed conditionals).
    """
    slope_p, scale_p = finite("slope_p", slope_p), positive("scale_p", scale_p)
    strength = within("strength", strength, 0, 1)
    broadcast(slope_p=slope_p, scale_p=scale_p, strength=strength)
    # A small excess (a weak conditional, a strength close to 1) keeps its digits, which the printed quotient loses.
    signal = (slope_p / scale_p) ** 2
    return 0.5 * np.log1p((1 - strength) * signal / (1 + strength * signal))

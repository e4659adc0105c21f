"""Parameterisations of Gaussian latents in deep hierarchies: residual posteriors, soft clamps, smoothed scales."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from reference.checks import Array, broadcast, finite, positive, real

BOUND = 5.0
SMALLEST_SCALE = 0.01


def parameters(
    mean_p: ArrayLike, scale_p: ArrayLike, mean_shift: ArrayLike, scale_ratio: ArrayLike
) -> tuple[Array, Array]:
    r"""Posterior given relative to the prior.

    .. math:: q=\mathcal N(\mu_p+\Delta\mu,\ \sigma_p\cdot\Delta\sigma)

    Parameters
    ----------
    mean_p, scale_p : array_like
        Mean :math:`\mu_p` and standard deviation :math:`\sigma_p>0` of the prior.
    mean_shift : array_like
        Shift :math:`\Delta\mu` of the mean.
    scale_ratio : array_like
        Factor :math:`\Delta\sigma>0` of the standard deviation.

    Returns
    -------
    mean_q, scale_q : ndarray
        Parameters of the posterior; those of the prior at shift 0 and ratio 1.

    Raises
    ------
    ValueError
        If an argument is not finite, a scale or ratio is not positive, or the shapes do not broadcast.

    Source: NVAE, Section 3.2.
    """
    mean_p, scale_p = finite("mean_p", mean_p), positive("scale_p", scale_p)
    mean_shift, scale_ratio = finite("mean_shift", mean_shift), positive("scale_ratio", scale_ratio)
    broadcast(mean_p=mean_p, scale_p=scale_p, mean_shift=mean_shift, scale_ratio=scale_ratio)
    return mean_p + mean_shift, scale_p * scale_ratio


def kl(mean_shift: ArrayLike, scale_p: ArrayLike, scale_ratio: ArrayLike) -> Array:
    r"""Divergence of a residual posterior from its prior.

    .. math:: \mathrm{KL}=\frac12\sum_j\Big(\frac{\Delta\mu_j^2}{\sigma_{p,j}^2}+\Delta\sigma_j^2
              -\log\Delta\sigma_j^2-1\Big)

    Parameters
    ----------
    mean_shift : array_like (..., n)
        Shift :math:`\Delta\mu` of the mean.
    scale_p : array_like (..., n)
        Standard deviation :math:`\sigma_p>0` of the prior (the formula is wrong for a variance).
    scale_ratio : array_like (..., n)
        Factor :math:`\Delta\sigma>0` of the standard deviation.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis; it does not depend on the prior's mean.

    Raises
    ------
    ValueError
        If an argument is not finite, a scale or ratio is not positive, or the shapes do not broadcast.

    Source: NVAE, Eq. 2; Efficient-VDVAE, Section 4.2. It is still unbounded: for a narrow prior, and for a ratio that
    tends to 0 or infinity.
    """
    mean_shift, scale_p = finite("mean_shift", mean_shift), positive("scale_p", scale_p)
    scale_ratio = positive("scale_ratio", scale_ratio)
    broadcast(mean_shift=mean_shift, scale_p=scale_p, scale_ratio=scale_ratio)
    # For large ratios the square itself has more digits than the exponential of a logarithm.
    far = scale_ratio**2 - 1 - 2 * np.log(scale_ratio)
    scale_part = np.where(scale_ratio < 2, _twice_scale_part(np.log(scale_ratio)), far)
    return 0.5 * np.sum((mean_shift / scale_p) ** 2 + scale_part, axis=-1)


def soft_clamp(raw: ArrayLike, bound: float = BOUND) -> Array:
    r"""Smooth limit of a raw network output.

    .. math:: \mathrm{clamp}_c(u)=c\tanh(u/c)

    Parameters
    ----------
    raw : array_like
        Raw output :math:`u`.
    bound : float
        Limit :math:`c>0`; 5 in the public code.

    Returns
    -------
    ndarray
        In [-c, c]; odd, increasing, close to the identity near 0.

    Raises
    ------
    ValueError
        If ``raw`` is not finite or ``bound`` is not positive.

    Source: NVAE, public code (Appendix B.5 reports a narrower range as unsuccessful).
    """
    raw, bound = finite("raw", raw), positive("bound", bound)
    return bound * np.tanh(raw / bound)


def bounded_parameters(
    raw_mean: ArrayLike, raw_log_scale: ArrayLike, temperature: ArrayLike = 1.0
) -> tuple[Array, Array]:
    r"""Mean and scale of a Normal whose raw parameters are soft-clamped.

    .. math:: \mu=\mathrm{clamp}_5(m),\qquad\sigma=t\,\big(\exp(\mathrm{clamp}_5(s))+0.01\big)

    Parameters
    ----------
    raw_mean, raw_log_scale : array_like
        Raw outputs :math:`m` and :math:`s`.
    temperature : array_like
        Temperature :math:`t>0`, 1 but for sampling.

    Returns
    -------
    mean, scale : ndarray
        Mean in [-5, 5] and standard deviation in [0.016738, 148.423] (at temperature 1). At m = s = 0 the scale is
        1.01, so the first prior of the public code is not quite the standard Normal.

    Raises
    ------
    ValueError
        If an argument is not finite, ``temperature`` is not positive, or the shapes do not broadcast.

    Source: NVAE, public code.
    """
    raw_mean, raw_log_scale = finite("raw_mean", raw_mean), finite("raw_log_scale", raw_log_scale)
    temperature = positive("temperature", temperature)
    broadcast(raw_mean=raw_mean, raw_log_scale=raw_log_scale, temperature=temperature)
    return soft_clamp(raw_mean), temperature * (np.exp(soft_clamp(raw_log_scale)) + SMALLEST_SCALE)


def bounded_kl(
    raw_mean_p: ArrayLike, raw_log_scale_p: ArrayLike, raw_mean_shift: ArrayLike, raw_log_scale_shift: ArrayLike
) -> Array:
    r"""Divergence that is optimised when raw sums are clamped: residual before the clamp, not after it.

    .. math:: \mathrm{KL}\big(\mathcal N(\mu(m+a),\sigma(s+b)^2)\,\|\,\mathcal N(\mu(m),\sigma(s)^2)\big)

    Parameters
    ----------
    raw_mean_p, raw_log_scale_p : array_like (..., n)
        Raw outputs :math:`m` and :math:`s` of the prior.
    raw_mean_shift, raw_log_scale_shift : array_like (..., n)
        Raw outputs :math:`a` and :math:`b` of the encoder.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis; zero at a = b = 0, at most 3.95e7 per variable.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not broadcast.

    Source: NVAE, public code; mu(.), sigma(.) as in :func:`bounded_parameters`. Erratum: Eq. 2 of the paper on the raw
    values is another number (1492 for 145.1 nats at m, s, a, b = 2, -4, 1, -2).
    """
    raw_mean_p, raw_log_scale_p = finite("raw_mean_p", raw_mean_p), finite("raw_log_scale_p", raw_log_scale_p)
    raw_mean_shift = finite("raw_mean_shift", raw_mean_shift)
    raw_log_scale_shift = finite("raw_log_scale_shift", raw_log_scale_shift)
    broadcast(
        raw_mean_p=raw_mean_p, raw_log_scale_p=raw_log_scale_p, raw_mean_shift=raw_mean_shift,
        raw_log_scale_shift=raw_log_scale_shift,
    )  # fmt: skip
    _, scale_q = bounded_parameters(0.0, raw_log_scale_p + raw_log_scale_shift)
    _, scale_p = bounded_parameters(0.0, raw_log_scale_p)
    # A small shift of a large raw value has no digits left once the two are clamped: both differences start from it.
    distance = _clamped_difference(raw_mean_p, raw_mean_shift) / scale_p
    growth = np.expm1(_clamped_difference(raw_log_scale_p, raw_log_scale_shift)) * (1 - SMALLEST_SCALE / scale_p)
    near = np.abs(growth) < 0.5
    t = np.where(near, np.log1p(np.where(near, growth, 0)), np.log(scale_q / scale_p))
    # (exp(2 t) - 1)/2 - t in one function without cancellation: Kummer's, t^2 (1 + 2 t/3 + ...).
    return np.sum(t**2 * special.hyp1f1(1, 3, 2 * t) + 0.5 * distance**2, axis=-1)


def softplus_scale(raw: ArrayLike, slope: float) -> Array:
    r"""Standard deviation as a smoothed rectifier of a raw network output.

    .. math:: \sigma=\mathrm{Softplus}(y,\beta)=\frac1\beta\log(1+e^{\beta y})

    Parameters
    ----------
    raw : array_like
        Raw output :math:`y`.
    slope : float
        Slope parameter :math:`\beta>0`: log 2 in the paper (then :math:`\sigma(0)=1`), 0.4 for images of 1024 pixels.

    Returns
    -------
    ndarray
        Standard deviation > 0, until it underflows far to the left (in single precision from beta y = -104 on).

    Raises
    ------
    ValueError
        If ``raw`` is not finite or ``slope`` is not positive.

    Source: Efficient-VDVAE, Section 4.2.
    """
    raw, slope = finite("raw", raw), positive("slope", slope)
    return np.logaddexp(0, slope * raw) / slope


def log_softplus_scale(raw: ArrayLike, slope: float) -> Array:
    r"""Logarithm of the softplus scale, finite where the scale itself has underflowed.

    .. math:: \log\sigma=\log\log(1+e^{\beta y})-\log\beta\ \to\ \beta y-\log\beta\quad(y\to-\infty)

    Parameters
    ----------
    raw : array_like
        Raw output :math:`y`.
    slope : float
        Slope parameter :math:`\beta>0`.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If ``raw`` is not finite or ``slope`` is not positive.

    Source: Efficient-VDVAE, Section 4.2 (needed by the divergence).
    """
    raw, slope = finite("raw", raw), positive("slope", slope)
    exponent = slope * raw
    with np.errstate(divide="ignore"):
        plain = np.log(np.logaddexp(0, exponent))
    # log(1 + t) = t (1 - t/2 + ...): its logarithm without forming t = exp(beta y), which underflows.
    return np.where(exponent < -18, exponent - 0.5 * np.exp(np.minimum(exponent, 0)), plain) - np.log(slope)


def scale_gradients(raw: ArrayLike, slope: float) -> tuple[Array, Array, Array]:
    r"""Derivatives of the softplus scale, of its logarithm and of its inverse along the raw output.

    .. math:: \frac{d\sigma}{dy}=s(\beta y)=1-e^{-\beta\sigma},\qquad
              \frac{d\log\sigma}{dy}=\frac{1-e^{-\beta\sigma}}\sigma\le\beta,\qquad
              \frac{d(1/\sigma)}{dy}=-\frac{s(\beta y)}{\sigma^2}

    Parameters
    ----------
    raw : array_like
        Raw output :math:`y`.
    slope : float
        Slope parameter :math:`\beta>0`; :math:`s` is the logistic function.

    Returns
    -------
    by_scale, by_log_scale, by_inverse_scale : ndarray
        At a collapsing scale they tend to 0, :math:`\beta` and :math:`-\beta^2e^{-\beta y}`; with
        :math:`\sigma=e^y` the second is 1 throughout.

    Raises
    ------
    ValueError
        If ``raw`` is not finite or ``slope`` is not positive.

    Source: Efficient-VDVAE, Section 4.2 (named in prose as the gradients of the inverse std).
    """
    raw, slope = finite("raw", raw), positive("slope", slope)
    scale, sigmoid = softplus_scale(raw, float(slope)), special.expit(slope * raw)
    return sigmoid, sigmoid / scale, -sigmoid / scale**2


def exponential_scale(raw: ArrayLike, slope: float, floor: float = -math.inf) -> Array:
    r"""Standard deviation as an exponential of a raw network output.

    .. math:: \sigma=e^{\beta\max(y,y_{\min})}

    Parameters
    ----------
    raw : array_like
        Raw output :math:`y`.
    slope : float
        Slope parameter :math:`\beta>0`; 1 for VDVAE.
    floor : float
        Least raw output :math:`y_{\min}`; none by default.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If ``raw`` is not finite, ``slope`` is not positive or ``floor`` is NaN.

    Source: Efficient-VDVAE, official option; the scales of VDVAE.
    """
    raw, slope, floor = finite("raw", raw), positive("slope", slope), real("floor", floor)
    return np.exp(slope * np.maximum(raw, floor))


def exponential_kl(mean_q: ArrayLike, raw_q: ArrayLike, mean_p: ArrayLike, raw_p: ArrayLike, slope: float) -> Array:
    r"""Divergence of two Gaussians whose scales are exponentials of raw outputs.

    .. math:: \mathrm{KL}=\sum_j\Big[\frac12\big((\mu_q-\mu_p)e^{-\beta y_p}\big)^2
              +\frac12e^{2\beta(y_q-y_p)}-\frac12-\beta(y_q-y_p)\Big]_j

    Parameters
    ----------
    mean_q, raw_q : array_like (..., n)
        Mean :math:`\mu_q` and raw output :math:`y_q` of the first Gaussian.
    mean_p, raw_p : array_like (..., n)
        Mean :math:`\mu_p` and raw output :math:`y_p` of the second Gaussian.
    slope : float
        Slope parameter :math:`\beta>0`.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis.

    Raises
    ------
    ValueError
        If an argument is not finite, ``slope`` is not positive, or the shapes do not broadcast.

    Source: Efficient-VDVAE, official option. Erratum: the official JAX code has :math:`-y_q+y_p` for the last term,
    right only at slope 1.
    """
    mean_q, raw_q, slope = finite("mean_q", mean_q), finite("raw_q", raw_q), positive("slope", slope)
    mean_p, raw_p = finite("mean_p", mean_p), finite("raw_p", raw_p)
    broadcast(mean_q=mean_q, raw_q=raw_q, mean_p=mean_p, raw_p=raw_p)
    distance = (mean_q - mean_p) * np.exp(-slope * raw_p)
    return 0.5 * np.sum(distance**2 + _twice_scale_part(slope * (raw_q - raw_p)), axis=-1)


def softplus_parameters(
    mean_p: ArrayLike, scale_p: ArrayLike, mean_shift: ArrayLike, raw_ratio: ArrayLike, slope: float
) -> tuple[Array, Array]:
    r"""Residual posterior whose scale ratio is a softplus.

    .. math:: \mu_q=\mu_p+\Delta\mu,\qquad\sigma_q=\sigma_p\,\mathrm{Softplus}(\Delta y,\beta)

    Parameters
    ----------
    mean_p, scale_p : array_like
        Mean :math:`\mu_p` and standard deviation :math:`\sigma_p>0` of the prior.
    mean_shift, raw_ratio : array_like
        Shift :math:`\Delta\mu` and raw ratio :math:`\Delta y`; the ratio is 1 at :math:`\Delta y=0` for slope log 2.
    slope : float
        Slope parameter :math:`\beta>0`.

    Returns
    -------
    mean_q, scale_q : ndarray

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale_p`` or ``slope`` is not positive, the shapes do not broadcast, or the
        ratio underflows to 0.

    Source: Efficient-VDVAE, official option (off in every configuration).
    """
    return parameters(mean_p, scale_p, mean_shift, softplus_scale(finite("raw_ratio", raw_ratio), slope))


def _twice_scale_part(log_ratio: Array) -> Array:
    """r^2 - 1 - log r^2 from log r: the printed sum cancels near r = 1, and there expm1 to second order still."""
    x = 2 * log_ratio
    # exp(x) - 1 - x = x^2/2 1F1(1; 3; x)
    near = 0.5 * x**2 * special.hyp1f1(1, 3, np.clip(x, -0.5, 0.5))
    return np.where(np.abs(x) < 0.5, near, np.expm1(x) - x)


def _clamped_difference(raw: Array, shift: Array) -> Array:
    """soft_clamp(raw + shift) - soft_clamp(raw) by the addition theorem of tanh, with no subtraction of neighbours."""
    x, y = raw / BOUND, (raw + shift) / BOUND
    # 1 - tanh(x) tanh(y); where both saturate at one end, from the distances 1 - |tanh| to that end.
    ends = [2 * special.expit(-2 * np.abs(u)) for u in (x, y)]
    rest = np.where(x * y > 0, ends[0] + ends[1] - ends[0] * ends[1], 1 - np.tanh(x) * np.tanh(y))
    return BOUND * np.tanh(shift / BOUND) * rest

"""Calibrated Gaussian decoders: one scalar standard deviation, and what happens when it is fixed, fitted or averaged.

Arguments that mean the same everywhere:

- images are flattened on the last axis; ``dims`` is its length D, the values per image;
- ``squared_error`` is the sum of squared errors of an image (SSE) over that axis, never the mean;
- ``kl`` is the divergence of the latent of an image, in nats;
- ``log_sigma`` is the logarithm s of the standard deviation of the decoder.

Axis B is the batch. All likelihoods are densities in nats per image, with their constant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from reference.checks import Array, broadcast, finite, integer, non_negative, positive, single, within

HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)
ORDERS = np.arange(2.0, 60.0)


def sse(x: ArrayLike, mean: ArrayLike) -> Array:
    r"""Sum of squared errors of an image.

    .. math:: \mathrm{SSE}(x,\mu)=\sum_i(x_i-\mu_i)^2

    Parameters
    ----------
    x : array_like (..., D)
        Image :math:`x`.
    mean : array_like (..., D)
        Decoder mean :math:`\mu`.

    Returns
    -------
    ndarray (...)

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not broadcast.

    Source: sigma-VAE, main text and Section B.
    """
    x, mean = finite("x", x), finite("mean", mean)
    broadcast(x=x, mean=mean)
    return np.sum((x - mean) ** 2, axis=-1)


def mse(x: ArrayLike, mean: ArrayLike) -> Array:
    r"""Mean squared error of an image: the mean over its values, not their sum.

    .. math:: \mathrm{MSE}(x,\mu)=\frac1D\sum_i(x_i-\mu_i)^2

    Parameters
    ----------
    x : array_like (..., D)
        Image :math:`x`.
    mean : array_like (..., D)
        Decoder mean :math:`\mu`.

    Returns
    -------
    ndarray (...)

    Raises
    ------
    ValueError
        As :func:`sse`.

    Source: sigma-VAE, Eq. 11.
    """
    return sse(x, mean) / broadcast(x=finite("x", x), mean=finite("mean", mean))[-1]


def gaussian_nll(x: ArrayLike, mean: ArrayLike, log_sigma: ArrayLike) -> Array:
    r"""Negative log density of an image under a Gaussian decoder, parameterised by the log standard deviation.

    .. math:: -\log\mathcal N(x;\mu,\sigma^2)
              =\sum_i\Big[\frac12\big((x_i-\mu_i)e^{-s_i}\big)^2+s_i+\frac12\log2\pi\Big],\qquad s=\log\sigma

    Parameters
    ----------
    x : array_like (..., D)
        Image :math:`x`.
    mean : array_like (..., D)
        Decoder mean :math:`\mu`.
    log_sigma : array_like
        Log standard deviation :math:`s` (not the log variance), any shape that broadcasts with the images: () for one
        shared value, (..., 1) for one per image, (..., D) for one per value.

    Returns
    -------
    ndarray (...)
        Nats per image; a density, so it may be negative.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not broadcast.

    Source: sigma-VAE, main text; Section D for a standard deviation per image.
    """
    x, mean, log_sigma = finite("x", x), finite("mean", mean), finite("log_sigma", log_sigma)
    shape = broadcast(x=x, mean=mean, log_sigma=log_sigma)
    # Multiply first, then square: exp(-2 s) overflows long before the standardised residual does.
    element = 0.5 * ((x - mean) * np.exp(-log_sigma)) ** 2 + log_sigma + HALF_LOG_TWO_PI
    return np.sum(np.broadcast_to(element, shape), axis=-1)


def unit_gaussian_floor(dims: int, log_sigma: ArrayLike = 0.0) -> Array:
    r"""Least NELBO that a Gaussian decoder of fixed standard deviation can reach, on any data with any model.

    .. math:: \mathcal L\ge D\Big(s+\frac12\log2\pi\Big)

    Parameters
    ----------
    dims : int, >= 1
    log_sigma : array_like
        Log standard deviation :math:`s`; 0 is the unit Gaussian.

    Returns
    -------
    ndarray
        Nats per image: squared error and KL are both zero there.

    Raises
    ------
    ValueError
        If ``dims`` is not an integer >= 1 or ``log_sigma`` is not finite.

    Source: derived from sigma-VAE, main text. Erratum: the CIFAR cells 1409 (Table 3) and 740.5 (Table 4) of the
    unit-variance Gaussian lie below this floor (2161.3 for 28x28x3) and are impossible.
    """
    return integer("dims", dims, 1) * (finite("log_sigma", log_sigma) + HALF_LOG_TWO_PI)


def beta_vae_objective(squared_error: ArrayLike, kl: ArrayLike, beta: ArrayLike) -> Array:
    r"""Objective of the beta-VAE with a unit-variance Gaussian decoder, without its constant.

    .. math:: \mathcal L_\beta=\frac12\mathrm{SSE}+\beta\,\mathrm{KL}

    Parameters
    ----------
    squared_error : array_like (...), >= 0
    kl : array_like (...)
    beta : array_like
        Weight :math:`\beta>0`.

    Returns
    -------
    ndarray (...)

    Raises
    ------
    ValueError
        If ``squared_error`` is negative, ``kl`` is not finite, ``beta`` is not positive, or shapes do not broadcast.

    Source: sigma-VAE, Table 3 and Figure 9 (baseline).
    """
    squared_error, kl, beta = non_negative("squared_error", squared_error), finite("kl", kl), positive("beta", beta)
    broadcast(squared_error=squared_error, kl=kl, beta=beta)
    return 0.5 * squared_error + beta * kl


def beta_as_variance(objective: ArrayLike, beta: ArrayLike, dims: int) -> Array:
    r"""NELBO at constant variance :math:`\sigma^2=\beta` from the objective of a beta-VAE.

    .. math:: \mathcal L_{\sigma^2=\beta}=\frac{\mathcal L_\beta}\beta+\frac D2\log(2\pi\beta)

    Parameters
    ----------
    objective : array_like (...)
        Objective :math:`\mathcal L_\beta` of :func:`beta_vae_objective`.
    beta : array_like
        Weight :math:`\beta>0`, which is the variance and not the standard deviation.
    dims : int, >= 1

    Returns
    -------
    ndarray (...)
        Nats per image, with a KL weight of 1.

    Raises
    ------
    ValueError
        If ``objective`` is not finite, ``beta`` is not positive, or ``dims`` is not an integer >= 1.

    Source: sigma-VAE, main text and Figure 9.
    """
    objective, beta = finite("objective", objective), positive("beta", beta)
    broadcast(objective=objective, beta=beta)
    return objective / beta + 0.5 * integer("dims", dims, 1) * np.log(2 * np.pi * beta)


def equivalent_variance(
    dims: int,
    batch: int,
    kl_weight: ArrayLike = 1.0,
    error_mean_over_dims: bool = True,
    error_mean_over_batch: bool = True,
    kl_mean_over_batch: bool = True,
) -> Array:
    r"""Constant variance that a loss "squared error (no 1/2) plus weighted KL" stands for, given how each is reduced.

    .. math:: \sigma^2=\frac\beta2\,D^{[\text{error: mean over values}]}\,
              B^{[\text{error: mean over batch}]-[\text{KL: mean over batch}]}

    Parameters
    ----------
    dims : int, >= 1
    batch : int
        Images per batch :math:`B\ge1`.
    kl_weight : array_like
        Weight :math:`\beta>0` of the KL, which is summed over the latent dimensions.
    error_mean_over_dims, error_mean_over_batch, kl_mean_over_batch : bool
        Whether a term is averaged (true) or summed (false) over that axis.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If an integer is out of range or ``kl_weight`` is not positive.

    Source: derived from sigma-VAE, main text ("sum, do not average"); the last row is the video model of Section B.
    """
    dims, batch = integer("dims", dims, 1), integer("batch", batch, 1)
    factor = (dims if error_mean_over_dims else 1) * (batch if error_mean_over_batch else 1)
    return 0.5 * positive("kl_weight", kl_weight) * factor / (batch if kl_mean_over_batch else 1)


def beta_grid(highest: float = 100.0, lowest: float = 1e-4, per_decade: int = 1) -> Array:
    r"""Geometric grid of KL weights, from the highest down.

    .. math:: \beta_i=\beta_{\max}\,10^{-i/m},\qquad i=0,\dots,m\log_{10}\frac{\beta_{\max}}{\beta_{\min}}

    Parameters
    ----------
    highest, lowest : float
        Ends :math:`\beta_{\max}>\beta_{\min}>0`, a whole number of steps apart.
    per_decade : int
        Steps per decade :math:`m\ge1`.

    Returns
    -------
    ndarray (n,)

    Raises
    ------
    ValueError
        If an end is not positive, they are not a whole number of steps apart, or ``per_decade`` is not an integer >= 1.

    Source: sigma-VAE, Figure 9 (100 to 0.0001; the spacing is not stated).
    """
    per_decade = integer("per_decade", per_decade, 1)
    steps = per_decade * float(np.log10(positive("highest", highest) / positive("lowest", lowest)))
    if steps < 0 or abs(steps - round(steps)) > 1e-9:
        raise ValueError(f"highest must be a whole number of steps above lowest, got {highest!r}, {lowest!r}")
    return highest * 10.0 ** (-np.arange(round(steps) + 1) / per_decade)


def shared_sigma_objective(squared_error: ArrayLike, kl: ArrayLike, log_sigma: ArrayLike, dims: int) -> Array:
    r"""NELBO of a batch under one learned standard deviation.

    .. math:: \mathcal L(s)=\frac1B\sum_b\Big[Ds+\frac{\mathrm{SSE}_b}2e^{-2s}+\mathrm{KL}_b\Big]+\frac D2\log2\pi

    Parameters
    ----------
    squared_error : array_like (B,), >= 0
    kl : array_like (B,)
    log_sigma : array_like ()
        Log standard deviation :math:`s`, a free parameter.
    dims : int, >= 1

    Returns
    -------
    ndarray ()
        Nats per image, mean over the batch; convex in ``log_sigma``.

    Raises
    ------
    ValueError
        If ``squared_error`` is negative, ``kl`` or ``log_sigma`` is not finite, or ``dims`` is not an integer >= 1.

    Source: sigma-VAE, main text (shared sigma-VAE).
    """
    squared_error, kl = non_negative("squared_error", squared_error), finite("kl", kl)
    broadcast(squared_error=squared_error, kl=kl)
    log_sigma, dims = finite("log_sigma", log_sigma), integer("dims", dims, 1)
    error = np.mean(squared_error) * np.exp(-2 * log_sigma)
    return dims * (log_sigma + HALF_LOG_TWO_PI) + 0.5 * error + np.mean(kl)


def shared_sigma_gradient(squared_error: ArrayLike, log_sigma: ArrayLike, dims: int) -> Array:
    r"""Derivative of the NELBO with respect to the log standard deviation.

    .. math:: \frac{\partial\mathcal L}{\partial s}=D-\overline{\mathrm{SSE}}\,e^{-2s}

    Parameters
    ----------
    squared_error : array_like (B,), >= 0
    log_sigma : array_like ()
    dims : int, >= 1

    Returns
    -------
    ndarray ()
        Zero exactly at :func:`optimal_sigma`.

    Raises
    ------
    ValueError
        If ``squared_error`` is negative, ``log_sigma`` is not finite, or ``dims`` is not an integer >= 1.

    Source: derived from sigma-VAE, main text.
    """
    squared_error, log_sigma = non_negative("squared_error", squared_error), finite("log_sigma", log_sigma)
    return integer("dims", dims, 1) - np.mean(squared_error) * np.exp(-2 * log_sigma)


def drift_floor(steps: int, learning_rate: ArrayLike, dims: int) -> Array:
    r"""Least NELBO that a shared standard deviation can reach after some Adam steps from 1.

    .. math:: \mathcal L\ge D\Big(-\eta T+\frac12\log2\pi\Big)

    Parameters
    ----------
    steps : int
        Steps :math:`T\ge0`; Adam moves :math:`s` by at most about :math:`\eta` per step while its gradient keeps its
        sign (the hard bound per step is 3.16 :math:`\eta` for the default decay rates).
    learning_rate : array_like
        Learning rate :math:`\eta>0`, or the hard bound.
    dims : int, >= 1

    Returns
    -------
    ndarray
        Nats per image.

    Raises
    ------
    ValueError
        If an integer is out of range or ``learning_rate`` is not positive.

    Source: derived from sigma-VAE, Section B and Figure 9 (initial period of convergence).
    """
    travel = integer("steps", steps, 0) * positive("learning_rate", learning_rate)
    return unit_gaussian_floor(dims, -travel)


def optimal_sigma(squared_error: ArrayLike, dims: int, floor: float = 0.0) -> Array:
    r"""Maximum-likelihood standard deviation of the decoder: the root of the mean squared error.

    .. math:: \sigma^{\star2}=\mathbb E_x\mathbb E_{q(z|x)}\mathrm{MSE}(x,\mu_\theta(z))

    Parameters
    ----------
    squared_error : array_like
        Sum of squared errors :math:`\ge0` of posterior samples (not of posterior means); the mean runs over all axes.
    dims : int, >= 1
    floor : float
        Least standard deviation returned, >= 0.

    Returns
    -------
    ndarray ()
        Variances are averaged and one root is taken at the end.

    Raises
    ------
    ValueError
        If ``squared_error`` or ``floor`` is negative, or ``dims`` is not an integer >= 1.

    Source: sigma-VAE, Eq. 11. Erratum: the print equates the arg max over the standard deviation with the mean squared
    error, which is the variance.
    """
    squared_error, floor = non_negative("squared_error", squared_error), non_negative("floor", floor)
    return np.maximum(np.sqrt(np.mean(squared_error) / integer("dims", dims, 1)), floor)


def calibration_gap(sigma: ArrayLike, optimal: ArrayLike, dims: int) -> Array:
    r"""Nats per image that a wrong standard deviation costs.

    .. math:: \mathcal L(\sigma)-\mathcal L(\sigma^\star)=D\Big(\delta+\frac12e^{-2\delta}-\frac12\Big)
              \approx D\delta^2,
              \qquad\delta=\log\frac\sigma{\sigma^\star}

    Parameters
    ----------
    sigma : array_like
        Standard deviation in use :math:`\sigma>0`.
    optimal : array_like
        Root of the mean squared error :math:`\sigma^\star>0`.
    dims : int, >= 1

    Returns
    -------
    ndarray
        Never negative; D times the KL from N(0, optimal^2) to N(0, sigma^2).

    Raises
    ------
    ValueError
        If a standard deviation is not positive or ``dims`` is not an integer >= 1.

    Source: derived from sigma-VAE, Eq. 11.
    """
    sigma, optimal = positive("sigma", sigma), positive("optimal", optimal)
    broadcast(sigma=sigma, optimal=optimal)
    delta = np.log(sigma / optimal)
    return integer("dims", dims, 1) * (delta + 0.5 * np.expm1(-2 * delta))


def batch_optimal_sigma_loss(squared_error: ArrayLike, kl: ArrayLike, dims: int, floor: float = 0.0) -> Array:
    r"""Loss of the optimal sigma-VAE: the NELBO of a batch at the batch's own optimal variance.

    .. math:: \frac D2\Big(\log v+\frac{\hat\sigma^2}v+\log2\pi\Big)+\overline{\mathrm{KL}},\qquad
              \hat\sigma^2=\frac1{BD}\sum_b\mathrm{SSE}_b,\qquad v=\max(\hat\sigma^2,\sigma_{\min}^2)

    Parameters
    ----------
    squared_error : array_like (B,), >= 0
    kl : array_like (B,)
    dims : int, >= 1
    floor : float
        Least standard deviation :math:`\sigma_{\min}\ge0`; without it an exact reconstruction has no finite loss.

    Returns
    -------
    ndarray ()
        Nats per image, mean over the batch. Where the floor does not act, differentiating through the variance or
        holding it constant gives the same gradient of the decoder.

    Raises
    ------
    ValueError
        If ``squared_error`` or ``floor`` is negative, both errors and floor are zero, ``kl`` is not finite, or ``dims``
        is not an integer >= 1.

    Source: sigma-VAE, Eq. 11 and Section C (optimal sigma-VAE).
    """
    squared_error, kl = non_negative("squared_error", squared_error), finite("kl", kl)
    broadcast(squared_error=squared_error, kl=kl)
    dims, variance = integer("dims", dims, 1), squared_error.mean() / dims
    return _nll_at(variance, dims, floor) + np.mean(kl)


def per_image_sigma_loss(squared_error: ArrayLike, kl: ArrayLike, dims: int, floor: float = 0.0) -> Array:
    r"""Loss of the optimal per-image sigma-VAE: each image at its own optimal variance.

    .. math:: \frac D2\Big(\log v_x+\frac{\mathrm{MSE}_x}{v_x}+\log2\pi\Big)+\mathrm{KL},\qquad
              v_x=\max(\mathrm{MSE}_x,\sigma_{\min}^2)

    Parameters
    ----------
    squared_error : array_like (...), >= 0
    kl : array_like (...)
    dims : int, >= 1
    floor : float
        Least standard deviation :math:`\sigma_{\min}\ge0`.

    Returns
    -------
    ndarray (...)
        Nats per image. No bound on the likelihood: the variance is read off the image that it scores.

    Raises
    ------
    ValueError
        As :func:`batch_optimal_sigma_loss`.

    Source: sigma-VAE, Section D (optimal per-image sigma-VAE).
    """
    squared_error, kl = non_negative("squared_error", squared_error), finite("kl", kl)
    broadcast(squared_error=squared_error, kl=kl)
    dims = integer("dims", dims, 1)
    return _nll_at(squared_error / dims, dims, floor) + kl


def per_image_gain(squared_error: ArrayLike, dims: int) -> Array:
    r"""Nats per image by which variances per image beat the one shared variance, before any price is paid for them.

    .. math:: \frac D2\Big(\log\overline m-\overline{\log m}\Big)\ge0,\qquad m_x=\mathrm{MSE}_x

    Parameters
    ----------
    squared_error : array_like (B,), > 0
    dims : int, >= 1

    Returns
    -------
    ndarray ()
        Zero iff all errors are equal (arithmetic and geometric mean); about D/4 times their squared coefficient of
        variation.

    Raises
    ------
    ValueError
        If ``squared_error`` is not positive or ``dims`` is not an integer >= 1.

    Source: derived from sigma-VAE, Section D.
    """
    errors = positive("squared_error", squared_error)
    # Written as the mean of r - 1 - log r >= 0 with r = m / mean(m): the two logarithms of the formula agree in most
    # digits, and the logarithms of r cancel in their mean.
    ratio, excess = errors / errors.mean(), (errors - errors.mean()) / errors.mean()
    log_ratio = np.where(excess > -0.5, np.log1p(np.maximum(excess, -0.5)), np.log(ratio))
    return 0.5 * integer("dims", dims, 1) * np.mean(excess - log_ratio)


def soft_clip(value: ArrayLike, minimum: ArrayLike = -6.0) -> Array:
    r"""Smooth lower bound on the log standard deviation, as in the public code.

    .. math:: \mathrm{softclip}(v,m)=m+\log(1+e^{v-m})

    Parameters
    ----------
    value : array_like
        Value :math:`v`.
    minimum : array_like
        Bound :math:`m`.

    Returns
    -------
    ndarray
        Above both arguments: it is no clip, and raises ordinary values too (0 becomes 0.0025, -3.5 becomes -3.42).

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not broadcast.

    Source: sigma-VAE, public code (all modes, minimum -6); not in the paper.
    """
    value, minimum = finite("value", value), finite("minimum", minimum)
    broadcast(value=value, minimum=minimum)
    # log(e^v + e^m): adding m back to log(1 + e^(v - m)) cancels where the result is near 0.
    return np.logaddexp(value, minimum)


def error_variances(errors: ArrayLike) -> tuple[Array, Array]:
    r"""Variance of the squared error between images, and from the encoder's noise.

    .. math:: \mathrm{Var}(m)=\mathrm{Var}_x(\mathbb E_zm)+\mathbb E_x\mathrm{Var}_z(m)

    Parameters
    ----------
    errors : array_like (S, N)
        Errors :math:`m` of N >= 2 images, each encoded S >= 2 times.

    Returns
    -------
    between, within : ndarray ()
        Unbiased estimates; the first may be slightly negative.

    Raises
    ------
    ValueError
        If ``errors`` is not finite or not (S >= 2, N >= 2).

    Source: sigma-VAE, Section C (the two approximations).
    """
    errors = finite("errors", errors)
    if errors.ndim != 2 or min(errors.shape) < 2:
        raise ValueError(f"errors must be (S >= 2, N >= 2), got shape {errors.shape}")
    within_images = np.mean(np.var(errors, axis=0, ddof=1))
    # A difference: where the images hardly differ it keeps the absolute accuracy of its terms, and no more.
    return np.var(np.mean(errors, axis=0), ddof=1) - within_images / len(errors), within_images


def sigma_standard_error(mean: ArrayLike, variance: ArrayLike, images: int, population: int | None = None) -> Array:
    r"""Relative standard error of a standard deviation that was fitted on some images.

    .. math:: \frac{\mathrm{SE}(\hat\sigma)}\sigma\approx\frac{\sqrt{\mathrm{Var}(m)}}{2\,\mathbb E(m)\sqrt n}
              \sqrt{1-\frac nN}

    Parameters
    ----------
    mean : array_like
        Mean squared error per image :math:`\mathbb E(m)>0`.
    variance : array_like
        Its variance :math:`\ge0`: the whole of it for a batch, the encoder's part when all images are used.
    images : int
        Images :math:`n\ge1` that were averaged.
    population : int, optional
        Number of images :math:`N\ge n` from which they were drawn without replacement; none is an infinite number.

    Returns
    -------
    ndarray
        Fraction of the standard deviation, by the delta method.

    Raises
    ------
    ValueError
        If ``mean`` is not positive, ``variance`` is negative, or an integer is out of range.

    Source: sigma-VAE, Section C (2 % for a batch of 128, 0.26 % for one sample per image).
    """
    mean, variance, images = positive("mean", mean), non_negative("variance", variance), integer("images", images, 1)
    broadcast(mean=mean, variance=variance)
    share = 0.0 if population is None else images / integer("population", population, images)
    return 0.5 * np.sqrt(variance / images * (1 - share)) / mean


def same_batch_bias(dims: int, numbers: ArrayLike) -> Array:
    r"""Expected error of the NELBO when the variance comes from the batch that is scored, for Gaussian residuals.

    .. math:: \frac D2\,\mathbb E\log\frac{\hat v}m=\frac D2\Big[\psi\Big(\frac n2\Big)-\log\frac n2\Big]<0

    Parameters
    ----------
    dims : int, >= 1
    numbers : array_like
        Residuals in the batch :math:`n=BD>0`, independent and of equal variance.

    Returns
    -------
    ndarray
        Nats per image: the NELBO looks better than it is. To first order D/(2n), and in general D times the squared
        relative standard error of the standard deviation.

    Raises
    ------
    ValueError
        If ``dims`` is not an integer >= 1 or ``numbers`` is not positive.

    Source: sigma-VAE, Section C (bias, stated without a number).
    """
    return 0.5 * integer("dims", dims, 1) * _digamma_less_log(positive("numbers", numbers) / 2)


def held_out_sigma_bias(dims: int, numbers: ArrayLike) -> Array:
    r"""Expected error of the NELBO when the variance comes from another batch, for Gaussian residuals.

    .. math:: \mathbb E\Big[\frac D2\Big(\log\hat v'+\frac{\hat v}{\hat v'}\Big)\Big]-\frac D2(\log m+1)
              =\frac D2\Big[\psi\Big(\frac n2\Big)-\log\frac n2+\frac2{n-2}\Big]>0

    Parameters
    ----------
    dims : int, >= 1
    numbers : array_like
        Residuals in the other batch :math:`n>2`.

    Returns
    -------
    ndarray
        Nats per image: a valid bound, pessimistic by as much as :func:`same_batch_bias` is optimistic, to first order.

    Raises
    ------
    ValueError
        If ``dims`` is not an integer >= 1 or ``numbers`` is not > 2.

    Source: sigma-VAE, Section C. Erratum: a different batch does not correct the bias, it turns its sign.
    """
    excess = positive("numbers - 2", finite("numbers", numbers) - 2)
    return 0.5 * integer("dims", dims, 1) * (_digamma_less_log(1 + excess / 2) + 2 / excess)


def running_variance(variances: ArrayLike, decay: ArrayLike) -> Array:
    r"""Exponential average of the variances of successive batches, corrected for its start.

    .. math:: a_t=\rho a_{t-1}+(1-\rho)\hat v_t,\quad a_0=0,\qquad\tilde v_t=\frac{a_t}{1-\rho^t}

    Parameters
    ----------
    variances : array_like (T, ...)
        Batch variances :math:`\hat v_t\ge0` (never standard deviations), steps along the first axis.
    decay : array_like ()
        Decay :math:`\rho\in[0,1)`; 0 is the batch itself.

    Returns
    -------
    ndarray (T, ...)
        Averages :math:`\tilde v_t`. Step t contains its own batch; use step t - 1 for a valid bound on batch t.

    Raises
    ------
    ValueError
        If ``variances`` is negative or a scalar, or ``decay`` leaves [0, 1).

    Source: sigma-VAE, Section C (running average, "appropriate decay").
    """
    variances, decay = non_negative("variances", variances), within("decay", decay, 0, 1)
    if variances.ndim == 0:
        raise ValueError(f"variances must be (T, ...), got shape {variances.shape}")
    if single("decay", decay) >= 1:
        raise ValueError(f"decay must be < 1, got {float(decay)!r}")
    average, weight, averages = np.zeros(variances.shape[1:]), 0.0, []
    for variance in variances:
        average = decay * average + (1 - decay) * variance
        # 1 - rho^t as the average of ones: next to rho = 1 the difference has no digits.
        weight = decay * weight + (1 - decay)
        averages.append(average / weight)
    return np.stack(averages)


def variational_sigma_bound(log_likelihood: ArrayLike, kl: ArrayLike, kl_sigma: ArrayLike) -> Array:
    r"""Lower bound on the log likelihood with a variational posterior over the standard deviation of each image.

    .. math:: \log p_\theta(x)\ge\mathbb E_{q(z|x)q(\sigma|x)}[\log p_\theta(x|z,\sigma)]
              -\mathrm{KL}(q(z|x)\|p(z))-\mathrm{KL}(q(\sigma|x)\|p(\sigma))

    Parameters
    ----------
    log_likelihood : array_like (...)
        Expected log density of the image in nats.
    kl, kl_sigma : array_like (...)
        KL of the latent and of the standard deviation in nats. A point mass for the standard deviation has an infinite
        KL to a continuous prior, so it needs a posterior of finite width.

    Returns
    -------
    ndarray (...)
        Nats per image.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not broadcast.

    Source: sigma-VAE, Eq. 12. Erratum: both KL terms are printed with a plus sign, which is not a lower bound.
    """
    log_likelihood, kl = finite("log_likelihood", log_likelihood), finite("kl", kl)
    kl_sigma = finite("kl_sigma", kl_sigma)
    broadcast(log_likelihood=log_likelihood, kl=kl, kl_sigma=kl_sigma)
    return log_likelihood - kl - kl_sigma


def gamma_kl(shape_q: ArrayLike, rate_q: ArrayLike, shape_p: ArrayLike, rate_p: ArrayLike) -> Array:
    r"""Kullback-Leibler divergence between two gamma distributions.

    .. math:: \mathrm{KL}=(a-a_0)\psi(a)-\log\Gamma(a)+\log\Gamma(a_0)+a_0(\log b-\log b_0)+a\frac{b_0-b}b

    Parameters
    ----------
    shape_q, rate_q, shape_p, rate_p : array_like, > 0
        Shape :math:`a` and rate :math:`b` of the first, :math:`a_0` and :math:`b_0` of the second.

    Returns
    -------
    ndarray
        Nats.

    Raises
    ------
    ValueError
        If an argument is not positive or the shapes do not broadcast.

    Source: sigma-VAE, Section D (construction of Stirn and Knowles).
    """
    a, b, a0, b0 = _gammas(shape_q, rate_q, shape_p, rate_p)
    # The logarithms of the gamma functions are in the hundreds where the result is below one. With Stirling's main
    # terms taken out, they and the rates combine to a0 (m - 1 - log m), where m is the ratio of the means.
    log_means = np.log(a / a0) + np.log(b0 / b)
    means = a0 * (np.expm1(log_means) - log_means)
    return means + 0.5 * np.log(a / a0) + (a - a0) * _digamma_less_log(a) - _stirling(a) + _stirling(a0)


def gamma_precision_bound(
    squared_error: ArrayLike,
    dims: int,
    shape_q: ArrayLike,
    rate_q: ArrayLike,
    shape_p: ArrayLike,
    rate_p: ArrayLike,
) -> Array:
    r"""Bound on the log density of an image whose precision has a gamma prior and a gamma posterior.

    .. math:: \mathbb E_q\log p(x|z,\lambda)-\mathrm{KL}(q\|p)
              =\frac D2(\psi(a)-\log b-\log2\pi)-\frac a{2b}\mathrm{SSE}-\mathrm{KL}(q\|p),\qquad\lambda=\sigma^{-2}

    Parameters
    ----------
    squared_error : array_like, >= 0
    dims : int, >= 1
    shape_q, rate_q, shape_p, rate_p : array_like, > 0
        Shape :math:`a` and rate :math:`b` of the posterior of the precision :math:`\lambda`, and of its prior.

    Returns
    -------
    ndarray
        Nats per image; at most :func:`gamma_marginal`, reached at :func:`optimal_gamma`.

    Raises
    ------
    ValueError
        If ``squared_error`` is negative, another argument is not positive, or the shapes do not broadcast.

    Source: sigma-VAE, Section D (construction of Stirn and Knowles).
    """
    squared_error, dims = non_negative("squared_error", squared_error), integer("dims", dims, 1)
    a, b, _, _ = _gammas(shape_q, rate_q, shape_p, rate_p)
    broadcast(squared_error=squared_error, shape_q=a)
    expected = 0.5 * dims * (special.digamma(a) - np.log(b) - np.log(2 * np.pi)) - a / (2 * b) * squared_error
    return expected - gamma_kl(shape_q, rate_q, shape_p, rate_p)


def optimal_gamma(squared_error: ArrayLike, dims: int, shape_p: ArrayLike, rate_p: ArrayLike) -> tuple[Array, Array]:
    r"""Posterior of the precision of an image, under a gamma prior.

    .. math:: a=a_0+\frac D2,\qquad b=b_0+\frac{\mathrm{SSE}}2

    Parameters
    ----------
    squared_error : array_like, >= 0
    dims : int, >= 1
    shape_p, rate_p : array_like, > 0
        Shape :math:`a_0` and rate :math:`b_0` of the prior.

    Returns
    -------
    shape, rate : ndarray

    Raises
    ------
    ValueError
        If ``squared_error`` is negative, another argument is not positive, or the shapes do not broadcast.

    Source: sigma-VAE, Section D (construction of Stirn and Knowles).
    """
    squared_error, dims = non_negative("squared_error", squared_error), integer("dims", dims, 1)
    shape_p, rate_p = positive("shape_p", shape_p), positive("rate_p", rate_p)
    broadcast(squared_error=squared_error, shape_p=shape_p, rate_p=rate_p)
    return shape_p + dims / 2, rate_p + squared_error / 2


def gamma_marginal(squared_error: ArrayLike, dims: int, shape_p: ArrayLike, rate_p: ArrayLike) -> Array:
    r"""Log density of an image with its precision integrated out: a multivariate Student t.

    .. math:: \log p(x|z)=\log\frac{\Gamma(a_0+D/2)}{\Gamma(a_0)}-\frac D2\log(2\pi b_0)
              -\Big(a_0+\frac D2\Big)\log\Big(1+\frac{\mathrm{SSE}}{2b_0}\Big)

    Parameters
    ----------
    squared_error : array_like, >= 0
    dims : int, >= 1
    shape_p, rate_p : array_like, > 0
        Shape :math:`a_0` and rate :math:`b_0` of the prior.

    Returns
    -------
    ndarray
        Nats per image.

    Raises
    ------
    ValueError
        As :func:`optimal_gamma`.

    Source: derived from sigma-VAE, Section D.
    """
    a, _ = optimal_gamma(squared_error, dims, shape_p, rate_p)
    a0, b0 = positive("shape_p", shape_p), positive("rate_p", rate_p)
    # The logarithms of the gamma functions without Stirling's main terms, which are in the thousands.
    gammas = (a0 - 0.5) * np.log1p(0.5 * dims / a0) - 0.5 * dims + _stirling(a) - _stirling(a0)
    body = a * np.log1p(np.asarray(squared_error) / (2 * b0)) + 0.5 * dims * np.log(2 * np.pi * b0 / a)
    return gammas - body


def lognormal_sigma_bound(
    squared_error: ArrayLike,
    dims: int,
    mean_q: ArrayLike,
    variance_q: ArrayLike,
    mean_p: ArrayLike,
    variance_p: ArrayLike,
) -> Array:
    r"""Bound on the log density of an image whose log standard deviation has a Gaussian prior and posterior.

    .. math:: \mathcal B(m,v)=-Dm-\frac12\mathrm{SSE}\,e^{-2m+2v}-\frac D2\log2\pi
              -\frac12\Big[\frac{v+(m-m_0)^2}{v_0}-1+\log\frac{v_0}v\Big]

    Parameters
    ----------
    squared_error : array_like, >= 0
    dims : int, >= 1
    mean_q, variance_q : array_like
        Mean :math:`m` and variance :math:`v>0` of the posterior of log sigma.
    mean_p, variance_p : array_like
        Mean :math:`m_0` and variance :math:`v_0>0` of its prior, fitted on training images only.

    Returns
    -------
    ndarray
        Nats per image.

    Raises
    ------
    ValueError
        If ``squared_error`` is negative, a variance is not positive, a mean is not finite, or shapes do not broadcast.

    Source: sigma-VAE, Section D (Eq. 12 with a log-normal standard deviation).
    """
    squared_error, dims = non_negative("squared_error", squared_error), integer("dims", dims, 1)
    m, v = finite("mean_q", mean_q), positive("variance_q", variance_q)
    m0, v0 = finite("mean_p", mean_p), positive("variance_p", variance_p)
    broadcast(squared_error=squared_error, mean_q=m, variance_q=v, mean_p=m0, variance_p=v0)
    kl = 0.5 * ((v + (m - m0) ** 2) / v0 - 1 + np.log(v0 / v))
    return -dims * (m + HALF_LOG_TWO_PI) - 0.5 * squared_error * np.exp(-2 * m + 2 * v) - kl


def optimal_lognormal(
    squared_error: ArrayLike, dims: int, mean_p: ArrayLike, variance_p: ArrayLike
) -> tuple[Array, Array]:
    r"""Best log-normal posterior of the standard deviation of an image.

    .. math:: \mathrm{SSE}\,e^{-2m+2v}=D+\frac{m-m_0}{v_0}=:P,\qquad v=\frac1{2P+1/v_0}

    Parameters
    ----------
    squared_error : array_like, > 0
    dims : int, >= 1
    mean_p, variance_p : array_like
        Mean :math:`m_0` and variance :math:`v_0>0` of the prior of log sigma.

    Returns
    -------
    mean, variance : ndarray
        The unique maximum of :func:`lognormal_sigma_bound`.

    Raises
    ------
    ValueError
        If ``squared_error`` or ``variance_p`` is not positive, ``mean_p`` is not finite, or shapes do not broadcast.

    Source: derived from sigma-VAE, Section D.
    """
    squared_error, dims = positive("squared_error", squared_error), integer("dims", dims, 1)
    mean_p, variance_p = finite("mean_p", mean_p), positive("variance_p", variance_p)
    shape = broadcast(squared_error=squared_error, mean_p=mean_p, variance_p=variance_p)

    def log_pull(log_error: float, v0: float) -> float:
        """The root w = log P of a decreasing function, with its bracket (log_error is log SSE - 2 m0)."""

        def residual(w: float) -> float:
            pull = np.exp(w)
            return log_error - 2 * v0 * (pull - dims) + 2 / (2 * pull + 1 / v0) - w

        low, high = min(np.log(dims), log_error) - 1, max(np.log(dims), log_error + 1 / dims) + 1
        w = optimize.brentq(residual, low, high, xtol=1e-15, rtol=1e-15)
        # The bracket stays some ulps wide, which are a dozen of P: a Newton step.
        pull = np.exp(w)
        return w + residual(w) / (2 * v0 * pull + 4 * pull / (2 * pull + 1 / v0) ** 2 + 1)

    logs = np.log(squared_error) - 2 * mean_p
    w = np.vectorize(log_pull, otypes=[float])(np.broadcast_to(logs, shape), variance_p)
    pull = np.exp(w)
    variance = 1 / (2 * pull + 1 / variance_p)
    # The logarithm of the first equation cancels for a narrow prior, the second form of P for a wide one.
    narrow = variance_p * np.maximum(pull, dims) < 1
    mean = np.where(narrow, mean_p + variance_p * (pull - dims), 0.5 * (np.log(squared_error) - w) + variance)
    return mean, variance


def nelbo(nll: ArrayLike, kl: ArrayLike) -> Array:
    r"""Negative evidence lower bound: distortion plus rate.

    .. math:: \mathcal L(x)=\mathbb E_{q(z|x)}[-\log p(x|z)]+\mathrm{KL}(q(z|x)\|p(z))\ge-\log p(x)

    Parameters
    ----------
    nll : array_like (...)
        Negative log likelihood of the reconstruction per image: the distortion, the bits that correct it.
    kl : array_like (...)
        KL per image, in the same unit: the rate, the bits that send the latent.

    Returns
    -------
    ndarray (...)
        In the unit of the arguments.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not broadcast.

    Source: sigma-VAE, Tables 3-4; Efficient-VDVAE, Section 6.1.
    """
    nll, kl = finite("nll", nll), finite("kl", kl)
    broadcast(nll=nll, kl=kl)
    return nll + kl


def rate_distortion(
    squared_error: ArrayLike, kl: ArrayLike, log_sigma: ArrayLike, dims: int
) -> tuple[Array, Array, Array, Array]:
    r"""What every logged step reports: bound, distortion, rate, mean squared error.

    .. math:: \mathcal L=\mathrm{NLL}+\mathrm{KL},\qquad
              \mathrm{NLL}=D\Big(s+\frac12\log2\pi\Big)+\frac12\overline{\mathrm{SSE}}\,e^{-2s}

    Parameters
    ----------
    squared_error : array_like (B,), >= 0
    kl : array_like (B,)
    log_sigma : array_like ()
    dims : int, >= 1

    Returns
    -------
    nelbo, nll, rate, error : ndarray ()
        Nats per image, means over the batch; the error is the mean over images and values. At the batch's own optimum
        the quadratic part of the NLL is D/2.

    Raises
    ------
    ValueError
        As :func:`shared_sigma_objective`.

    Source: sigma-VAE, Tables 3-4 and Figure 9 (implied).
    """
    total = shared_sigma_objective(squared_error, kl, log_sigma, dims)
    nll = shared_sigma_objective(squared_error, 0.0, log_sigma, dims)
    return total, nll, finite("kl", kl).mean(), np.asarray(squared_error).mean() / dims


def convergence_step(log_sigma: ArrayLike, log_reference: ArrayLike, tolerance: float = 0.1) -> Array:
    r"""First step from which the log standard deviation stays near its final value.

    .. math:: t_{\mathrm{conv}}=\min\{t:|s_u-s_{\mathrm{ref}}|<\epsilon\ \text{for all}\ u\ge t\}

    Parameters
    ----------
    log_sigma : array_like (T, ...)
        Trajectory :math:`s_t=\log\sigma_t`, steps along the first axis.
    log_reference : array_like (...)
        Log of the optimal standard deviation of the converged run :math:`s_{\mathrm{ref}}`.
    tolerance : float
        Tolerance :math:`\epsilon>0` in nats.

    Returns
    -------
    ndarray of int (...)
        Index of the step; T when the trajectory ends outside.

    Raises
    ------
    ValueError
        If an argument is not finite, ``log_sigma`` is a scalar, or ``tolerance`` is not positive.

    Source: sigma-VAE, Figure 9.
    """
    log_sigma, log_reference = finite("log_sigma", log_sigma), finite("log_reference", log_reference)
    if log_sigma.ndim == 0:
        raise ValueError(f"log_sigma must be (T, ...), got shape {log_sigma.shape}")
    broadcast(log_sigma=log_sigma, log_reference=log_reference)
    outside = np.abs(log_sigma - log_reference) >= positive("tolerance", tolerance)
    after = np.where(outside, np.arange(1, len(log_sigma) + 1).reshape(-1, *[1] * (outside.ndim - 1)), 0)
    return np.max(after, axis=0, initial=0)


def _nll_at(error: Array, dims: int, floor: float) -> Array:
    """NLL at the variance max(error, floor^2), for a mean squared error."""
    variance = positive("squared_error or floor", np.maximum(error, non_negative("floor", floor) ** 2))
    return 0.5 * dims * (np.log(variance) + error / variance) + dims * HALF_LOG_TWO_PI


def _digamma_less_log(a: Array) -> Array:
    r"""psi(a) - log a, which cancel, by the series :math:`-\sum_{m\ge2}(-1)^m\zeta(m,a)/m`.

    Below 2 it starts at a + 2; a step down from x + 1 adds log(1 + 1/x) - 1/x.
    """
    series = -_hurwitz_sum(1 / ORDERS, np.where(a < 2, a + 2, a))
    return series + np.where(a < 2, sum((2 * _log_step(x) - 1 / x) / (2 * x + 1) for x in (a, a + 1)), 0)


def _stirling(a: Array) -> Array:
    r"""Log Gamma(a) less Stirling's (a - 1/2) log a - a + log(2 pi)/2, by a series as above.

    .. math:: \sum_{m\ge2}(-1)^m\frac{m-1}{2m(m+1)}\,\zeta(m,a)

    Below 2 it starts at a + 2; a step down from x + 1 adds (x + 1/2) log(1 + 1/x) - 1.
    """
    series = _hurwitz_sum((ORDERS - 1) / (2 * ORDERS * (ORDERS + 1)), np.where(a < 2, a + 2, a))
    return series + np.where(a < 2, _log_step(a) + _log_step(a + 1), 0)


def _log_step(x: Array) -> Array:
    r"""(x + 1/2) log(1 + 1/x) - 1; where the two cancel as artanh(v)/v - 1 at v = 1/(2 x + 1)."""
    square = (2 * x + 1) ** -2
    return np.where(x < 0.5, (x + 0.5) * np.log1p(1 / x) - 1, square / 3 * special.hyp2f1(1, 1.5, 2.5, square))


def _hurwitz_sum(coefficients: Array, a: Array) -> Array:
    """Alternating sum of Hurwitz zeta functions over ``ORDERS``, for a >= 2 (the terms fall as 2^-m)."""
    return special.zeta(ORDERS, np.maximum(a, 2)[..., None]) @ ((-1) ** ORDERS * coefficients)


def _gammas(*parameters: ArrayLike) -> list[Array]:
    names = ("shape_q", "rate_q", "shape_p", "rate_p")
    arrays = {name: positive(name, value) for name, value in zip(names, parameters, strict=True)}
    broadcast(**arrays)
    return list(arrays.values())

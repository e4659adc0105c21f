"""Schedules: functions of the optimiser step, counted from 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reference.checks import Array, finite, integer, non_negative, positive, within


def kl_warmup(step: ArrayLike, start: float, length: float) -> Array:
    r"""Weight of the KL term that is zero at first and then rises linearly to one.

    .. math:: \beta(t)=\min\Big(1,\max\Big(0,\frac{t-t_0}{T}\Big)\Big)

    Parameters
    ----------
    step : array_like
        Optimiser step :math:`t\ge0`.
    start : float
        Last step of weight zero :math:`t_0\ge0` (10,000 in the paper).
    length : float
        Length of the ramp :math:`T>0` (500,000 in the paper: the weight is 1 from step 510,000 on).

    Returns
    -------
    ndarray
        Weight in [0, 1].

    Raises
    ------
    ValueError
        If ``step`` or ``start`` is negative or ``length`` is not positive.

    Source: Hermite VAE, Section 5.1.
    """
    step, start, length = non_negative("step", step), finite("start", start), positive("length", length)
    return np.clip((step - start) / length, 0, 1)


def kl_warmup_shifted(step: ArrayLike, start: float, length: float, floor: float) -> Array:
    r"""Linear KL warm-up whose denominator counts the start twice, with a floor.

    .. math:: \beta(t)=\mathrm{clip}\Big(\frac{t-t_0}{t_0+T},\ \beta_{\min},\ 1\Big)

    Parameters
    ----------
    step : array_like
        Optimiser step :math:`t\ge0`.
    start : float
        Last step of the flat part :math:`t_0\ge0` (21 in the public code).
    length : float
        Nominal length :math:`T>0` (5000; 500 for MNIST). The weight reaches 1 at :math:`2t_0+T`, not at :math:`t_0+T`.
    floor : float
        Least weight :math:`\beta_{\min}\in[0,1]` (1e-4).

    Returns
    -------
    ndarray
        Weight in [floor, 1].

    Raises
    ------
    ValueError
        If ``step`` or ``start`` is negative, ``length`` is not positive or ``floor`` leaves [0, 1].

    Source: Efficient-VDVAE, Appendix A.1 (the form is that of the official code).
    """
    step, start, length = non_negative("step", step), non_negative("start", start), positive("length", length)
    return np.clip((step - start) / (start + length), within("floor", floor, 0, 1), 1)


def kl_warmup_portion(step: ArrayLike, total: float, delay: float, portion: float, floor: float) -> Array:
    r"""Linear KL warm-up over a portion of the training run, with a floor.

    .. math:: \beta(k)=\max\Big(\min\Big(\frac{k-dT}{pT},1\Big),\beta_{\min}\Big)

    Parameters
    ----------
    step : array_like
        Optimiser step :math:`k\ge0`.
    total : float
        Steps of the run :math:`T>0`.
    delay : float
        Portion :math:`d\ge0` before the rise (1e-4 in the public code).
    portion : float
        Portion :math:`p\ge0` of the rise (0.3); 0 means no warm-up, a weight of 1 throughout.
    floor : float
        Least weight :math:`\beta_{\min}\in[0,1]` (1e-4): the first weight is never 0.

    Returns
    -------
    ndarray
        Weight in [floor, 1].

    Raises
    ------
    ValueError
        If ``step``, ``delay`` or ``portion`` is negative, ``total`` is not positive or ``floor`` leaves [0, 1].

    Source: NVAE, Section 4 (first 30 % of training; delay and floor are those of the public code).
    """
    step, total, delay = non_negative("step", step), positive("total", total), non_negative("delay", delay)
    portion, floor = non_negative("portion", portion), within("floor", floor, 0, 1)
    if portion == 0:
        return np.ones_like(step)
    return np.maximum(np.minimum((step - delay * total) / (portion * total), 1), floor)


def kl_warmup_logistic(step: ArrayLike, midpoint: float, rate: float) -> Array:
    r"""KL warm-up along a logistic curve.

    .. math:: \beta(t)=\frac1{1+e^{-g(t-a)}}

    Parameters
    ----------
    step : array_like
        Optimiser step :math:`t\ge0`.
    midpoint : float
        Step :math:`a` of weight one half (10,000 in the public code).
    rate : float
        Rate :math:`g>0` per step (1e-5: then it starts at 0.475 and needs 3e5 steps).

    Returns
    -------
    ndarray
        Weight in (0, 1); it never reaches 1.

    Raises
    ------
    ValueError
        If ``step`` is negative, ``midpoint`` is not finite or ``rate`` is not positive.

    Source: Efficient-VDVAE, official option (unused).
    """
    step, midpoint, rate = non_negative("step", step), finite("midpoint", midpoint), positive("rate", rate)
    return special.expit(rate * (step - midpoint))


def geometric_interpolation(weight: ArrayLike, first: float, last: float) -> Array:
    r"""Interpolation that is linear in the logarithm.

    .. math:: \lambda(\beta)=\exp\big((1-\beta)\log\lambda_0+\beta\log\lambda_1\big)

    Parameters
    ----------
    weight : array_like
        Position :math:`\beta\in[0,1]`, the KL weight in the paper.
    first, last : float
        Values :math:`\lambda_0,\lambda_1>0` at 0 and 1.

    Returns
    -------
    ndarray
        Between the two values; exponential in the step only while the weight is linear in it.

    Raises
    ------
    ValueError
        If ``weight`` leaves [0, 1] or an end is not positive.

    Source: NVAE, Appendix A (coefficient of the spectral regularisation).
    """
    weight, first, last = within("weight", weight, 0, 1), positive("first", first), positive("last", last)
    return np.exp((1 - weight) * np.log(first) + weight * np.log(last))


def warmup_then_cosine(
    step: ArrayLike,
    steps_per_epoch: int,
    warmup_epochs: int,
    epochs: int,
    peak: float,
    floor: float,
    carry_deficit: bool = False,
) -> Array:
    r"""Learning rate with a linear warm-up per step and a cosine decay per epoch.

    .. math:: \eta(k)=\frac{\eta k}{Wn}\ (e<W),\qquad
              \eta(k)=\eta_{\min}+\frac{\eta-\eta_{\min}}2\Big(1+\cos\frac{\pi(e-W)}{E-W-1}\Big)\ (e\ge W),
              \qquad e=\lfloor k/n\rfloor

    Parameters
    ----------
    step : array_like
        Optimiser step :math:`k\ge0` (whole numbers below :math:`nE`).
    steps_per_epoch, warmup_epochs, epochs : int
        Steps per epoch :math:`n\ge1`, epochs of warm-up :math:`W\ge1` and in all :math:`E>W+1`.
    peak, floor : float
        Rates :math:`\eta>\eta_{\min}\ge0` (1e-2 and 1e-4 in the paper).
    carry_deficit : bool
        Start the cosine from the last rate of the warm-up, :math:`\eta(1-1/(Wn))`, as the public code does in effect:
        nothing resets the rate, and a cosine by recursion keeps the deficit to the end.

    Returns
    -------
    ndarray
        Learning rate.

    Raises
    ------
    ValueError
        If a step lies outside the run, a count is out of range or the rates are not ordered.

    Source: NVAE, Appendix A and public code.
    """
    n, warm = integer("steps_per_epoch", steps_per_epoch, 1), integer("warmup_epochs", warmup_epochs, 1)
    epochs = integer("epochs", epochs, warm + 2)
    step, floor = within("step", step, 0, n * epochs - 1), non_negative("floor", floor)
    peak = floor + positive("peak - floor", finite("peak", peak) - floor)
    start = peak * (1 - 1 / (warm * n)) if carry_deficit else peak
    epoch = np.floor(step / n)
    cosine = floor + (start - floor) * _cosine_share(epochs - 1 - epoch, epochs - warm - 1)
    return np.where(epoch < warm, peak * step / (warm * n), cosine)


def steps_per_epoch(images: ArrayLike, workers: int, batch: int) -> NDArray[np.int64]:
    r"""Optimiser steps in an epoch when the images are shared out and the last partial batch is dropped.

    .. math:: \left\lfloor\frac{\lceil N/G\rceil}b\right\rfloor

    Parameters
    ----------
    images : array_like of int
        Number of images :math:`N\ge1` of one or several data sets.
    workers, batch : int
        Workers :math:`G\ge1`, images per worker and step :math:`b\ge1`.

    Returns
    -------
    ndarray of int
        0 when a worker has fewer images than a batch.

    Raises
    ------
    ValueError
        If a count is not an integer >= 1.

    Source: NVAE, Table 6 and public code (the sampler pads to equal shares).
    """
    count = np.vectorize(lambda n: integer("images", n, 1), otypes=[np.int64])(images)
    shares = -(-count // integer("workers", workers, 1))
    return shares // integer("batch", batch, 1)


def hold_then_cosine(
    step: ArrayLike, peak: float, floor: float, warmup: float, start: float, length: float, recursive: bool = False
) -> Array:
    r"""Learning rate with a short warm-up, a constant part and a cosine decay.

    .. math:: \eta(t)=\eta_0\min(1,t/w)\ (t<s),\qquad
              \eta(t)=\eta_1+\frac{\eta_0-\eta_1}2\Big(1+\cos\frac{\pi\min(t-s,T)}T\Big)\ (t\ge s)

    Parameters
    ----------
    step : array_like
        Optimiser step :math:`t\ge0`.
    peak, floor : float
        Rates :math:`\eta_0>\eta_1\ge0`.
    warmup, start, length : float
        Warm-up :math:`w>0`, start of the decay :math:`s\ge w` and its length :math:`T>s`.
    recursive : bool
        The rate of the official PyTorch code, which enters the cosine by recursion at the absolute step:
        :math:`\eta_1+(\eta_0-\eta_1)\frac{1+\cos(\pi t/T)}{1+\cos(\pi(s-1)/T)}` up to :math:`t=T`, and
        :math:`\eta_1+\frac{\eta_0-\eta_1}2(1+\cos(\pi t/T))` beyond, where it rises again.

    Returns
    -------
    ndarray
        Learning rate.

    Raises
    ------
    ValueError
        If ``step`` is negative, the rates are not ordered, or the lengths are out of range.

    Source: Efficient-VDVAE, Table 3; the plain form is that of the official JAX code.
    """
    step, floor = non_negative("step", step), non_negative("floor", floor)
    gap, warmup = positive("peak - floor", finite("peak", peak) - floor), positive("warmup", warmup)
    decay = non_negative("start - warmup", finite("start", start) - warmup) + warmup
    length = decay + positive("length - start", finite("length", length) - decay)
    if recursive:
        share = _cosine_share(length - step, length)
        share = share / np.where(step <= length, _cosine_share(length - (decay - 1), length), 1)
    else:
        share = _cosine_share(np.clip(decay + length - step, 0, length), length)
    return np.where(step < decay, (floor + gap) * np.minimum(1, step / warmup), floor + gap * share)


def exponential_decay(step: ArrayLike, initial: float, factor: float, floor: float) -> Array:
    r"""Learning rate that falls by a constant factor per step, to a floor.

    .. math:: \eta_t=\max(\eta_0\gamma^t,\eta_{\min})

    Parameters
    ----------
    step : array_like
        Optimiser step :math:`t\ge0`.
    initial : float
        First rate :math:`\eta_0>0` (2e-3 in the paper).
    factor : float
        Factor :math:`\gamma\in(0,1]` per step (0.999999).
    floor : float
        Least rate :math:`\eta_{\min}\ge0` (1e-4).

    Returns
    -------
    ndarray
        Learning rate.

    Raises
    ------
    ValueError
        If ``step`` or ``floor`` is negative, ``initial`` is not positive or ``factor`` leaves (0, 1].

    Source: Sigma-VAE, hierarchical experiments.
    """
    step, initial = non_negative("step", step), positive("initial", initial)
    factor = within("factor", positive("factor", factor), 0, 1)
    return np.maximum(initial * factor**step, non_negative("floor", floor))


def step_decay(step: ArrayLike, initial: float, factors: ArrayLike, milestones: ArrayLike) -> Array:
    r"""Learning rate that is multiplied by a factor at each milestone.

    .. math:: \eta(t)=\eta_0\prod_{i:\,t\ge m_i}f_i

    Parameters
    ----------
    step : array_like
        Optimiser step :math:`t\ge0`.
    initial : float
        First rate :math:`\eta_0>0`.
    factors : array_like (M,)
        Factors :math:`f_i>0`, 0.3 each in DVAE++.
    milestones : array_like (M,)
        First step :math:`m_i\ge0` at the new rate (600, 750, 950 thousand in DVAE++).

    Returns
    -------
    ndarray
        Learning rate.

    Raises
    ------
    ValueError
        If ``step`` or a milestone is negative, a rate or factor is not positive, or the lengths differ.

    Source: DVAE++, Appendix F. Erratum: the public code differs (base/10 for 2 % of the run, base, base/3 from 60 %,
    base/10 from 75 %, base/33 from 95 %), that is initial base/10 and factors 10, 1/3, 3/10, 10/33.
    """
    step, initial = non_negative("step", step), positive("initial", initial)
    factors, milestones = positive("factors", factors), non_negative("milestones", milestones)
    if factors.ndim != 1 or factors.shape != milestones.shape:
        raise ValueError(f"factors and milestones must both be (M,), got {factors.shape} and {milestones.shape}")
    return initial * np.prod(np.where(step[..., None] >= milestones, factors, 1), axis=-1)


def plateau_decay(values: ArrayLike, initial: float, factor: float, patience: int, most: int) -> Array:
    r"""Learning rate that falls when a validation bound has stopped rising.

    .. math:: \eta_{i+1}=f\,\eta_i\ \text{ if }\ \max_{j\le i}v_j\text{ was reached more than }P\text{ evaluations ago
              (and the last decrease too)},\quad\text{else }\eta_i

    Parameters
    ----------
    values : array_like (T,)
        Validation bound :math:`v_i` at each evaluation, higher is better.
    initial : float
        First rate :math:`\eta_0>0`.
    factor : float
        Factor :math:`f\in(0,1]`.
    patience : int
        Evaluations :math:`P\ge0` without a strict improvement that are still tolerated.
    most : int
        Largest number of decreases.

    Returns
    -------
    ndarray (T,)
        Rate after each evaluation.

    Raises
    ------
    ValueError
        If ``values`` is not finite or not of one axis, ``initial`` is not positive, ``factor`` leaves (0, 1], or an
        integer is negative.

    Source: DVAE++, Appendix G (factor, patience and number of decreases are not stated; 0.5, 10, 4 are assumed).
    """
    values, rate = finite("values", values), float(positive("initial", initial))
    factor = float(within("factor", positive("factor", factor), 0, 1))
    patience, most = integer("patience", patience, 0), integer("most", most, 0)
    if values.ndim != 1:
        raise ValueError(f"values must have shape (T,), got {values.shape}")
    best, waited, decreases, rates = -np.inf, 0, 0, []
    for value in values:
        waited = 0 if value > best else waited + 1
        best = max(best, value)
        if waited > patience:
            waited = 0
            if decreases < most:
                rate, decreases = rate * factor, decreases + 1
        rates.append(rate)
    return np.array(rates)


def linear_ramp(links: int, first: float, last: float) -> Array:
    r"""Temperatures of the links of a hierarchy on a line that stops one step short.

    .. math:: t_i=t_{\min}+\frac in(t_{\max}-t_{\min}),\qquad i=0,\ldots,n-1

    Parameters
    ----------
    links : int
        Number of links :math:`n\ge1` (layers that reuse a link share its temperature).
    first, last : float
        Ends :math:`t_{\min}` and :math:`t_{\max}`, >= 0; the second is never reached.

    Returns
    -------
    ndarray (n,)

    Raises
    ------
    ValueError
        If ``links`` is not an integer >= 1 or an end is negative.

    Source: Efficient-VDVAE, official synthesis option.
    """
    links, first, last = integer("links", links, 1), non_negative("first", first), non_negative("last", last)
    return first + np.arange(links) * (last - first) / links


def _cosine_share(left: Array, length: Array | int) -> Array:
    r""":math:`\frac12(1+\cos\frac{\pi t}T)` from what is left, :math:`T-t`: next to the end the sum cancels."""
    return -0.5 * special.cosm1(np.pi * left / length)

"""Optimisers as recursions on arrays: one call is one step, and the state goes in and comes out.

``count`` is the number of the step, from 1; it counts applied updates, so a skipped step does not advance it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Array, broadcast, finite, integer, non_negative, positive, within

GROWTH, BACKOFF = 2.0, 0.5


def adam(
    parameter: ArrayLike,
    gradient: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    count: int,
    rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[Array, Array, Array]:
    r"""One step of Adam.

    .. math:: m\leftarrow\beta_1m+(1-\beta_1)g,\qquad v\leftarrow\beta_2v+(1-\beta_2)g^2,\qquad
              \theta\leftarrow\theta-\eta\,\frac{m/(1-\beta_1^t)}{\sqrt{v/(1-\beta_2^t)}+\varepsilon}

    Parameters
    ----------
    parameter, gradient : array_like
        Parameter :math:`\theta` and gradient :math:`g`.
    first, second : array_like
        Moments :math:`m` and :math:`v\ge0` before the step, 0 before the first.
    count : int
        Number :math:`t\ge1` of this step.
    rate : float
        Learning rate :math:`\eta>0`.
    beta1, beta2 : float
        Decay rates in [0, 1).
    epsilon : float
        :math:`\varepsilon\ge0`, outside the root; 1e-3 for the RBM-VAE of DVAE++.

    Returns
    -------
    parameter, first, second : ndarray
        State after the step.

    Raises
    ------
    ValueError
        If an argument is not finite or leaves its domain, or the shapes do not broadcast.

    Source: Efficient-VDVAE, Section 4.2; Sigma-VAE and Hermite VAE (experiments); DVAE++, public code.
    """
    theta, g, m, v = _state(parameter, gradient, first, non_negative("second", second))
    count, rate, epsilon = integer("count", count, 1), positive("rate", rate), non_negative("epsilon", epsilon)
    beta1, beta2 = _decay("beta1", beta1), _decay("beta2", beta2)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    corrected = m / (1 - beta1**count)
    return theta - rate * corrected / (np.sqrt(v / (1 - beta2**count)) + epsilon), m, v


def adamw(
    parameter: ArrayLike,
    gradient: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    count: int,
    rate: float,
    decay: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[Array, Array, Array]:
    r"""One step of Adam with decoupled weight decay.

    .. math:: \theta\leftarrow(1-\eta\lambda)\,\theta-\eta\,\frac{m/(1-\beta_1^t)}{\sqrt{v/(1-\beta_2^t)}+\varepsilon}

    Parameters
    ----------
    parameter, gradient, first, second : array_like
        As :func:`adam`; the moments :math:`m,v` are updated as there, from the gradient alone.
    count : int
        Number :math:`t\ge1` of this step.
    rate : float
        Learning rate :math:`\eta>0`.
    decay : float
        Decay :math:`\lambda\ge0` (0.01 for VDVAE).
    beta1, beta2, epsilon : float
        As :func:`adam`; both betas are 0.9 for VDVAE.

    Returns
    -------
    parameter, first, second : ndarray
        State after the step.

    Raises
    ------
    ValueError
        As :func:`adam`, and if ``decay`` is negative.

    Source: Efficient-VDVAE, Section 4.2 (the baseline VDVAE).
    """
    decay = non_negative("decay", decay)
    stepped, m, v = adam(parameter, gradient, first, second, count, rate, beta1, beta2, epsilon)
    return stepped - rate * decay * finite("parameter", parameter), m, v


def adamax(
    parameter: ArrayLike,
    gradient: ArrayLike,
    first: ArrayLike,
    norm: ArrayLike,
    count: int,
    rate: float,
    decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[Array, Array, Array]:
    r"""One step of Adamax, with weight decay added to the gradient.

    .. math:: g\leftarrow g+\lambda\theta,\qquad m\leftarrow\beta_1m+(1-\beta_1)g,\qquad
              u\leftarrow\max(\beta_2u,|g|+\varepsilon),\qquad
              \theta\leftarrow\theta-\frac{\eta}{1-\beta_1^t}\frac mu

    Parameters
    ----------
    parameter, gradient : array_like
        Parameter :math:`\theta` and gradient :math:`g`.
    first, norm : array_like
        Moment :math:`m` and weighted infinity norm :math:`u\ge0` before the step, 0 before the first.
    count : int
        Number :math:`t\ge1` of this step.
    rate : float
        Learning rate :math:`\eta>0`.
    decay : float
        Decay :math:`\lambda\ge0` (3e-4 for NVAE, on all parameters).
    beta1, beta2 : float
        Decay rates in [0, 1).
    epsilon : float
        :math:`\varepsilon>0`, inside the maximum: without it a zero first gradient gives 0/0. It is 1e-3 for NVAE, so
        that small gradients take steps of plain gradient descent.

    Returns
    -------
    parameter, first, norm : ndarray
        State after the step.

    Raises
    ------
    ValueError
        If an argument is not finite or leaves its domain, or the shapes do not broadcast.

    Source: NVAE, Appendix A; Efficient-VDVAE, Section 4.2; DVAE++, Appendices F and G; Sigma-VAE (hierarchical).
    """
    theta, g, m, u = _state(parameter, gradient, first, non_negative("norm", norm))
    count, rate, epsilon = integer("count", count, 1), positive("rate", rate), positive("epsilon", epsilon)
    beta1, beta2 = _decay("beta1", beta1), _decay("beta2", beta2)
    g = g + non_negative("decay", decay) * theta
    m = beta1 * m + (1 - beta1) * g
    u = np.maximum(beta2 * u, np.abs(g) + epsilon)
    return theta - rate / (1 - beta1**count) * m / u, m, u


def ema(average: ArrayLike, parameter: ArrayLike, decay: float) -> Array:
    r"""One step of an exponential moving average of the parameters.

    .. math:: \bar\theta\leftarrow\rho\bar\theta+(1-\rho)\theta

    Parameters
    ----------
    average, parameter : array_like
        Average :math:`\bar\theta` (the first parameters at the start, so nothing is corrected) and parameter
        :math:`\theta` after an applied update.
    decay : float
        Decay :math:`\rho\in[0,1]`: 0.9999, 0.9995 or 0.999 in the papers.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If an argument is not finite, ``decay`` leaves [0, 1], or the shapes do not broadcast.

    Source: Efficient-VDVAE, Table 3; Sigma-VAE (hierarchical).
    """
    average, parameter, decay = finite("average", average), finite("parameter", parameter), within("decay", decay, 0, 1)
    broadcast(average=average, parameter=parameter)
    return decay * average + (1 - decay) * parameter


def global_norm(gradients: Sequence[ArrayLike]) -> Array:
    r"""Euclidean norm of all gradients as one vector.

    .. math:: \|g\|=\Big(\sum_i\|g_i\|_2^2\Big)^{1/2}

    Parameters
    ----------
    gradients : sequence of array_like
        Gradients :math:`g_i` of the parameters; may be infinite or NaN, and so is the norm then.

    Returns
    -------
    ndarray ()

    Raises
    ------
    ValueError
        If there is no gradient.

    Source: Efficient-VDVAE, Section 4.2. It is linear in the loss: thresholds hold for nats per dimension.
    """
    size = _largest(gradients)
    if size == 0 or not np.isfinite(size):
        return np.asarray(size)
    # Scaled by the largest entry: its square may overflow.
    return size * np.sqrt(sum(np.sum((np.asarray(g, dtype=np.float64) / size) ** 2) for g in gradients))


def clip_by_global_norm(gradients: Sequence[ArrayLike], most: float) -> tuple[Array, ...]:
    r"""Gradients scaled down to a largest norm.

    .. math:: g\leftarrow g\cdot\min\Big(1,\frac c{\|g\|}\Big)

    Parameters
    ----------
    gradients : sequence of array_like
        Gradients :math:`g_i`, finite.
    most : float
        Largest norm :math:`c>0`.

    Returns
    -------
    tuple of ndarray
        Gradients of norm at most c, in the same direction; unchanged bit for bit when the norm is below c.

    Raises
    ------
    ValueError
        If a gradient is not finite, there is none, or ``most`` is not positive.

    Source: Efficient-VDVAE, Section 4.2 (optional there; VDVAE clips).
    """
    arrays = [finite("gradients", g) for g in gradients]
    norm, most = global_norm(arrays), positive("most", most)
    return tuple(g * (most / norm if norm > most else 1.0) for g in arrays)


def skips(norm: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    r"""Whether an update is skipped because of its gradient norm.

    .. math:: \text{skip}\iff\|g\|\ge\tau\ \text{ or }\ \|g\|\notin\mathbb R

    Parameters
    ----------
    norm : array_like
        Gradient norms before clipping; may be infinite or NaN.
    threshold : float
        Threshold :math:`\tau>0` (800 in the paper, for a loss in nats per dimension); infinity skips only what is not
        finite.

    Returns
    -------
    ndarray of bool
        A skipped update leaves parameters, moments and moving averages alone; the schedules go on.

    Raises
    ------
    ValueError
        If ``threshold`` is NaN or not positive.

    Source: Efficient-VDVAE, Section 4.2 and Tables 2, 7.
    """
    if not threshold > 0:
        raise ValueError(f"threshold must be > 0, got {threshold!r}")
    # Written with "<": a NaN compares false and is skipped.
    return ~(np.asarray(norm, dtype=np.float64) < threshold)


def skip_rate(norm: ArrayLike, threshold: float) -> Array:
    r"""Share of updates that are skipped.

    .. math:: \frac1T\sum_{t=1}^T\mathbf 1\big[\|g_t\|\ge\tau\text{ or }\|g_t\|\notin\mathbb R\big]

    Parameters
    ----------
    norm : array_like (T,)
        Gradient norms of a run.
    threshold : float
        Threshold :math:`\tau>0`.

    Returns
    -------
    ndarray ()
        In [0, 1]; the tables print counts, T times this. A run that has :func:`diverged` has no meaningful rate.

    Raises
    ------
    ValueError
        As :func:`skips`, and if there is no norm.

    Source: Efficient-VDVAE, Tables 2 and 7.
    """
    skipped = skips(norm, threshold)
    if skipped.ndim != 1 or not len(skipped):
        raise ValueError(f"norm must have shape (T >= 1,), got {skipped.shape}")
    return np.asarray(np.mean(skipped))


def diverged(norm: ArrayLike, threshold: float, patience: int = 100) -> NDArray[np.bool_]:
    r"""Whether a run has stopped learning for good: too many skipped updates in a row.

    .. math:: \exists t:\ \text{updates }t,\ldots,t+P-1\text{ are all skipped}

    Parameters
    ----------
    norm : array_like (T,)
        Gradient norms of a run.
    threshold : float
        Threshold :math:`\tau>0`.
    patience : int
        Number :math:`P\ge1` of consecutive skips.

    Returns
    -------
    ndarray of bool ()

    Raises
    ------
    ValueError
        As :func:`skip_rate`, and if ``patience`` is not an integer >= 1.

    Source: derived for Efficient-VDVAE, Tables 2 and 7 (a run with NaN weights would count every later step).
    """
    skipped, longest, run = skips(norm, threshold), 0, 0
    if skipped.ndim != 1 or not len(skipped):
        raise ValueError(f"norm must have shape (T >= 1,), got {skipped.shape}")
    for skip in skipped:
        run = run + 1 if skip else 0
        longest = max(longest, run)
    return np.asarray(longest >= integer("patience", patience, 1))


def unscale(gradients: Sequence[ArrayLike], scale: ArrayLike) -> tuple[Array, ...]:
    r"""Gradients of a scaled loss, brought back to the scale of the loss.

    .. math:: g=\frac{\nabla(S\mathcal L)}S

    Parameters
    ----------
    gradients : sequence of array_like
        Gradients of :math:`S\mathcal L`; may be infinite or NaN after an overflow in half precision.
    scale : array_like
        Loss scale :math:`S>0`, a power of two, so that it costs no digits.

    Returns
    -------
    tuple of ndarray
        Gradients of the loss; the step is skipped unless they are :func:`all_finite`.

    Raises
    ------
    ValueError
        If there is no gradient or ``scale`` is not positive.

    Source: NVAE, Section 3.1.3 (mixed precision).
    """
    _largest(gradients)
    scale = positive("scale", scale)
    return tuple(np.asarray(g, dtype=np.float64) / scale for g in gradients)


def all_finite(gradients: Sequence[ArrayLike]) -> NDArray[np.bool_]:
    r"""Whether a step may be taken: no gradient has overflowed.

    .. math:: g_i\in\mathbb R^{n_i}\ \text{ for all }i

    Parameters
    ----------
    gradients : sequence of array_like
        Gradients :math:`g_i`.

    Returns
    -------
    ndarray of bool ()

    Raises
    ------
    ValueError
        If there is no gradient.

    Source: NVAE, Section 3.1.3 (mixed precision).
    """
    return np.asarray(np.isfinite(_largest(gradients)))


def loss_scale(scale: ArrayLike, streak: int, usable: bool, interval: int = 2000) -> tuple[Array, Array]:
    r"""Dynamic loss scale: halved after an overflow, doubled after many steps without one.

    .. math:: (S,n)\leftarrow\begin{cases}(S/2,\,0)&\text{overflow}\\(2S,\,0)&n+1=N\\(S,\,n+1)&\text{else}\end{cases}

    Parameters
    ----------
    scale : array_like
        Loss scale :math:`S>0` (2^10 at the start of NVAE).
    streak : int
        Steps :math:`n\ge0` without overflow since the last change.
    usable : bool
        Whether the gradients of this step were finite.
    interval : int
        Steps :math:`N\ge1` after which the scale grows.

    Returns
    -------
    scale : ndarray
        New scale.
    streak : ndarray
        New streak.

    Raises
    ------
    ValueError
        If ``scale`` is not positive or an integer is out of range.

    Source: NVAE, Section 3.1.3 (mixed precision; the rule is that of the framework).
    """
    scale, streak = positive("scale", scale), integer("streak", streak, 0) + 1
    interval = integer("interval", interval, 1)
    if not usable:
        return scale * BACKOFF, np.zeros(())
    if streak == interval:
        return scale * GROWTH, np.zeros(())
    return scale, np.asarray(float(streak))


def weight_decay_penalty(weights: Sequence[ArrayLike], coefficient: float) -> Array:
    r"""Squared-norm penalty on a set of weights.

    .. math:: \frac\lambda2\sum_i\|W_i\|_2^2

    Parameters
    ----------
    weights : sequence of array_like
        Weights :math:`W_i`: dense kernels, batch-norm gains and the coupling of the Boltzmann machine, no biases.
    coefficient : float
        Coefficient :math:`\lambda\ge0` (1e-4).

    Returns
    -------
    ndarray ()
        Added to the loss; its gradient is :math:`\lambda W_i`.

    Raises
    ------
    ValueError
        If a weight is not finite, there is none, or ``coefficient`` is negative.

    Source: DVAE++, public code.
    """
    _largest(weights)
    total = sum(np.sum(finite("weights", w) ** 2) for w in weights)
    return np.asarray(0.5 * non_negative("coefficient", coefficient) * total)


def gradient_variance(gradients: ArrayLike) -> tuple[Array, Array]:
    r"""Variance of a stochastic gradient over noise draws at fixed parameters and data, and its signal-to-noise ratio.

    .. math:: V=\sum_p\mathrm{Var}_s(g_{s,p}),\qquad\mathrm{SNR}=\frac{\|\bar g\|^2}V,\qquad
              \bar g_p=\frac1S\sum_sg_{s,p}

    Parameters
    ----------
    gradients : array_like (S, P)
        Gradients of P parameters for :math:`S\ge2` draws of the noise.

    Returns
    -------
    variance : ndarray ()
        Unbiased (divisor S - 1), summed over parameters.
    ratio : ndarray ()
        Infinite when the gradient does not vary, NaN when it vanishes too. The squared mean is not corrected for the
        V / S that noise adds to it.

    Raises
    ------
    ValueError
        If ``gradients`` is not finite or not of shape (S >= 2, P).

    Source: Hermite VAE, Section 1 (motivation).
    """
    gradients = finite("gradients", gradients)
    if gradients.ndim != 2 or len(gradients) < 2:
        raise ValueError(f"gradients must have shape (S >= 2, P), got {gradients.shape}")
    variance = gradients.var(axis=0, ddof=1).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return variance, np.sum(gradients.mean(axis=0) ** 2) / variance


def _state(parameter: ArrayLike, gradient: ArrayLike, first: ArrayLike, last: Array) -> tuple[Array, ...]:
    theta, g, m = finite("parameter", parameter), finite("gradient", gradient), finite("first", first)
    broadcast(parameter=theta, gradient=g, first=m, last=last)
    return theta, g, m, last


def _decay(name: str, value: float) -> Array:
    return within(name, value, 0, np.nextafter(1, 0))


def _largest(arrays: Sequence[ArrayLike]) -> np.float64:
    if not len(arrays):
        raise ValueError("at least one array is needed, got none")
    return np.max([np.max(np.abs(np.asarray(a, dtype=np.float64)), initial=0.0) for a in arrays])

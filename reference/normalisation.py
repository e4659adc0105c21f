"""Normalisation of activations and weights: batch norm, its fusion with Swish, weight norm and its initialisation.

Activations are (B, C, ...): images, channels, any axes of space. Statistics run over all axes but the channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from reference import activations
from reference.checks import Array, finite, non_negative, positive, within

EPSILON = 1e-5


def batch_norm(x: ArrayLike, gain: ArrayLike, bias: ArrayLike, epsilon: float = EPSILON) -> Array:
    r"""Batch normalisation with the statistics of the batch.

    .. math:: y=g\,\frac{x-\bar x}{\sqrt{\hat v+\epsilon}}+b

    Parameters
    ----------
    x : array_like (B, C, ...)
        Activations :math:`x`; :math:`\bar x` and :math:`\hat v` are mean and biased variance of each channel.
    gain, bias : array_like (C,)
        Gain :math:`g` and bias :math:`b`.
    epsilon : float
        :math:`\epsilon>0`: 1e-5 for NVAE, 1e-2 for DVAE++.

    Returns
    -------
    ndarray (B, C, ...)
        The bias where a channel is constant.

    Raises
    ------
    ValueError
        If an argument is not finite, ``epsilon`` is not positive or the shapes do not agree.

    Source: NVAE, Section 3.1.1; DVAE++, Appendix G.
    """
    x = _activations("x", x)
    # Twice: what the first mean was rounded by is the mean of what is left
    x = x - x.mean(axis=(0, *range(2, x.ndim)), keepdims=True)
    mean, variance = _moments(x)
    return batch_norm_eval(x, gain, bias, mean, variance, epsilon)


def batch_norm_eval(
    x: ArrayLike,
    gain: ArrayLike,
    bias: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    epsilon: float = EPSILON,
) -> Array:
    r"""Batch normalisation with given statistics: an affine map of each channel.

    .. math:: y=g\,\frac{x-m}{\sqrt{v+\epsilon}}+b

    Parameters
    ----------
    x : array_like (B, C, ...)
        Activations :math:`x`.
    gain, bias : array_like (C,)
        Gain :math:`g` and bias :math:`b`.
    mean, variance : array_like (C,)
        Running mean :math:`m` and variance :math:`v\ge0`.
    epsilon : float
        :math:`\epsilon>0`.

    Returns
    -------
    ndarray (B, C, ...)

    Raises
    ------
    ValueError
        If an argument is not finite or leaves its domain, or the shapes do not agree.

    Source: NVAE, Section 3.1.1 (evaluation).
    """
    x, epsilon = _activations("x", x), positive("epsilon", epsilon)
    gain, bias = _channels(x, gain=finite("gain", gain), bias=finite("bias", bias))
    mean, variance = _channels(x, mean=finite("mean", mean), variance=non_negative("variance", variance))
    return gain * (x - mean) / np.sqrt(variance + epsilon) + bias


def running_statistics(mean: ArrayLike, variance: ArrayLike, x: ArrayLike, momentum: float) -> tuple[Array, Array]:
    r"""Running statistics of batch normalisation after one batch.

    .. math:: m\leftarrow(1-\mu)\,m+\mu\,\bar x,\qquad v\leftarrow(1-\mu)\,v+\mu\,\frac{N}{N-1}\hat v

    Parameters
    ----------
    mean, variance : array_like (C,)
        Running mean :math:`m` and variance :math:`v\ge0`.
    x : array_like (B, C, ...)
        Activations with :math:`N\ge2` values per channel, of mean :math:`\bar x` and biased variance :math:`\hat v`.
    momentum : float
        Weight :math:`\mu\in[0,1]` of the new batch: 0.05 for NVAE, 0.2 for DVAE++ (0.8 in TensorFlow's convention).

    Returns
    -------
    mean, variance : ndarray (C,)
        The variance enters unbiased, unlike in the normalisation itself.

    Raises
    ------
    ValueError
        If an argument is not finite or leaves its domain, the shapes do not agree or N is 1.

    Source: NVAE, Section 3.1.1 (the momentum is that of the public code).
    """
    x, momentum = _activations("x", x), within("momentum", momentum, 0, 1)
    count = x.size // x.shape[1]
    if count < 2:
        raise ValueError(f"x must hold at least 2 values per channel, got shape {x.shape}")
    batch_mean, batch_variance = _moments(x)
    _channels(x, mean=finite("mean", mean), variance=non_negative("variance", variance))
    new_mean = (1 - momentum) * np.asarray(mean) + momentum * batch_mean
    return new_mean, (1 - momentum) * np.asarray(variance) + momentum * batch_variance * count / (count - 1)


def readjusted_statistics(
    mean: ArrayLike, variance: ArrayLike, batches: ArrayLike, momentum: float
) -> tuple[Array, Array]:
    r"""Running statistics of batch normalisation after batches of generated samples.

    .. math:: m\leftarrow(1-\mu)^Nm+\mu\sum_{i=1}^N(1-\mu)^{N-i}\bar x_i,\qquad
              v\leftarrow(1-\mu)^Nv+\mu\sum_{i=1}^N(1-\mu)^{N-i}\tilde v_i

    Parameters
    ----------
    mean, variance : array_like (C,)
        Running statistics :math:`m,v` of the training run.
    batches : array_like (N, B, C, ...)
        Activations in N generative passes at the sampling temperature, of mean :math:`\bar x_i` and unbiased variance
        :math:`\tilde v_i`.
    momentum : float
        Weight :math:`\mu\in[0,1]` of a batch (0.05).

    Returns
    -------
    mean, variance : ndarray (C,)
        For sampling only: likelihoods are evaluated with the statistics of the training run.

    Raises
    ------
    ValueError
        As :func:`running_statistics`.

    Source: NVAE, Section 4.2 (500 passes). It is a moving average, not a plain one: see :func:`effective_batches`.
    """
    for batch in finite("batches", batches):
        mean, variance = running_statistics(mean, variance, batch, momentum)
    return finite("mean", mean), finite("variance", variance)


def effective_batches(momentum: ArrayLike) -> Array:
    r"""Number of batches that a plain average would need for the same variance as the moving average.

    .. math:: \frac1{\sum_iw_i^2}=\frac{2-\mu}\mu,\qquad w_i=\mu(1-\mu)^i

    Parameters
    ----------
    momentum : array_like
        Weight :math:`\mu\in(0,1]` of the newest batch.

    Returns
    -------
    ndarray
        39 for 0.05, however many batches are run.

    Raises
    ------
    ValueError
        If ``momentum`` leaves (0, 1].

    Source: derived for NVAE, Section 4.2.
    """
    momentum = within("momentum", positive("momentum", momentum), 0, 1)
    return (2 - momentum) / momentum


def batch_norm_swish(x: ArrayLike, gain: ArrayLike, bias: ArrayLike, epsilon: float = EPSILON) -> Array:
    r"""Batch normalisation followed by Swish, as one operation.

    .. math:: f(y),\quad y=g\hat x+b,\quad\hat x=\frac{x-\bar x}{\sqrt{\hat v+\epsilon}},\qquad
              \frac{\partial L}{\partial x}=\frac{g}{\sqrt{\hat v+\epsilon}}
              \Big[\delta-\frac1N\sum\delta-\hat x\,\frac1N\sum\delta\,\hat x\Big],\quad
              \delta=\frac{\partial L}{\partial f}f'(y)

    Parameters
    ----------
    x : array_like (B, C, ...)
        Activations; the sums run over the N values of a channel.
    gain, bias : array_like (C,)
        Gain :math:`g` and bias :math:`b`.
    epsilon : float
        :math:`\epsilon>0`.

    Returns
    -------
    ndarray (B, C, ...)
        The backward pass needs x and the statistics alone; y is computed again.

    Raises
    ------
    ValueError
        As :func:`batch_norm`.

    Source: NVAE, Section 3.1.3.
    """
    return activations.silu(batch_norm(x, gain, bias, epsilon))


def batch_norm_swish_eval(
    x: ArrayLike,
    gain: ArrayLike,
    bias: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    epsilon: float = EPSILON,
) -> Array:
    r"""Batch normalisation with given statistics followed by Swish.

    .. math:: f\Big(g\,\frac{x-m}{\sqrt{v+\epsilon}}+b\Big),\qquad
              \frac{\partial L}{\partial x}=\frac{g}{\sqrt{v+\epsilon}}\,\delta

    Parameters
    ----------
    x : array_like (B, C, ...)
        Activations.
    gain, bias, mean, variance : array_like (C,)
        As :func:`batch_norm_eval`.
    epsilon : float
        :math:`\epsilon>0`.

    Returns
    -------
    ndarray (B, C, ...)

    Raises
    ------
    ValueError
        As :func:`batch_norm_eval`.

    Source: NVAE, Section 3.1.3 (evaluation).
    """
    return activations.silu(batch_norm_eval(x, gain, bias, mean, variance, epsilon))


def gain_penalty(gains: Sequence[ArrayLike]) -> Array:
    r"""Penalty on the gains of all batch norms: the sum of their largest sizes.

    .. math:: \sum_j\max_c|g_{j,c}|

    Parameters
    ----------
    gains : sequence of array_like (C_j,)
        Gains :math:`g_j` of each layer.

    Returns
    -------
    ndarray ()
        The number of layers at the start, where all gains are 1 (364 for CIFAR-10). Tied channels share the gradient.

    Raises
    ------
    ValueError
        If a gain is not finite or a layer is empty.

    Source: NVAE, Section 3.1.1 (the norm is that of the public code).
    """
    arrays = [finite("gains", g) for g in gains]
    if not all(g.size for g in arrays):
        raise ValueError(f"gains must hold at least one channel per layer, got sizes {[g.size for g in arrays]}")
    return np.asarray(sum(np.max(np.abs(g)) for g in arrays), dtype=np.float64)


def weight_norm(direction: ArrayLike, gain: ArrayLike, epsilon: float = 0.0) -> Array:
    r"""Weight with separate direction and size for each output channel.

    .. math:: w=g\,\frac v{\|v\|_2+\epsilon}

    Parameters
    ----------
    direction : array_like (O, ...)
        Direction :math:`v`; the norm runs over all axes but the output channels.
    gain : array_like (O,)
        Size :math:`g`; the exponential of a learned logarithm in NVAE.
    epsilon : float
        :math:`\epsilon\ge0`: 1e-5 for NVAE, 0 for Sigma-VAE.

    Returns
    -------
    ndarray (O, ...)

    Raises
    ------
    ValueError
        If an argument is not finite, a direction vanishes without epsilon, or the shapes do not agree.

    Source: NVAE, Appendix A and public code; Sigma-VAE (hierarchical).
    """
    v, gain, epsilon = finite("direction", direction), finite("gain", gain), non_negative("epsilon", epsilon)
    if v.ndim < 2 or gain.shape != v.shape[:1]:
        raise ValueError(f"direction (O, ...) and gain (O,) must agree, got {v.shape} and {gain.shape}")
    shape = (-1, *[1] * (v.ndim - 1))
    norm = positive("norm of direction + epsilon", np.sqrt(np.sum(v**2, axis=tuple(range(1, v.ndim)))) + epsilon)
    return np.reshape(gain / norm, shape) * v


def initial_log_gain(direction: ArrayLike) -> Array:
    r"""First logarithm of the size in weight norm: a little more than that of the direction.

    .. math:: \ell=\log(\|v\|_2+0.01)

    Parameters
    ----------
    direction : array_like (O, ...)
        Direction :math:`v` at the default initialisation.

    Returns
    -------
    ndarray (O,)

    Raises
    ------
    ValueError
        If ``direction`` is not finite or has no axes besides the channels.

    Source: NVAE, public code.
    """
    v = finite("direction", direction)
    if v.ndim < 2:
        raise ValueError(f"direction must have shape (O, ...), got {v.shape}")
    return np.log(np.sqrt(np.sum(v**2, axis=tuple(range(1, v.ndim)))) + 0.01)


def init_by_deviation(output: ArrayLike, target: float = 0.2, epsilon: float = EPSILON) -> tuple[Array, Array]:
    r"""Data-dependent initialisation of weight norm, from the standard deviation of the first outputs.

    .. math:: g=\frac1{d/\tau+\epsilon},\qquad b=-\frac{m}{d/\tau+\epsilon}

    Parameters
    ----------
    output : array_like (B, C, ...)
        Outputs of the convolution with unit-norm directions and no bias on the first batch, of mean :math:`m` and
        unbiased standard deviation :math:`d` per channel.
    target : float
        Standard deviation :math:`\tau>0` after it (0.2, where the common choice is 1).
    epsilon : float
        :math:`\epsilon>0`.

    Returns
    -------
    gain, bias : ndarray (C,)

    Raises
    ------
    ValueError
        If ``output`` is not finite or has fewer than 2 values per channel, or a number is not positive.

    Source: NVAE, public code (the variant with weight norm and ELU).
    """
    x, target, epsilon = _activations("output", output), positive("target", target), positive("epsilon", epsilon)
    count = x.size // x.shape[1]
    if count < 2:
        raise ValueError(f"output must hold at least 2 values per channel, got shape {x.shape}")
    mean, variance = _moments(x)
    gain = 1 / (np.sqrt(variance * count / (count - 1)) / target + epsilon)
    return gain, -mean * gain


def init_by_variance(output: ArrayLike, target: float = 0.01, epsilon: float = 1e-8) -> tuple[Array, Array]:
    r"""Data-dependent initialisation of weight norm, from the variance of the first outputs.

    .. math:: g=\frac\tau{\sqrt{\nu+\epsilon}},\qquad b=-\frac{\tau\,m}{\sqrt{\nu+\epsilon}}

    Parameters
    ----------
    output : array_like (B, C, ...)
        Outputs of the convolution at size 1 and bias 0 on the first batch, of mean :math:`m` and (biased) variance
        :math:`\nu` per channel. For a transposed convolution they are taken before the crop.
    target : float
        Standard deviation :math:`\tau>0` after it (0.01).
    epsilon : float
        :math:`\epsilon>0`.

    Returns
    -------
    gain, bias : ndarray (C,)

    Raises
    ------
    ValueError
        If ``output`` is not finite, or a number is not positive.

    Source: Sigma-VAE, hierarchical experiments.
    """
    x, target, epsilon = _activations("output", output), positive("target", target), positive("epsilon", epsilon)
    mean, variance = _moments(x)
    gain = target / np.sqrt(variance + epsilon)
    return gain, -mean * gain


def _activations(name: str, value: ArrayLike) -> Array:
    x = finite(name, value)
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"{name} must have shape (B, C, ...) and not be empty, got {x.shape}")
    return x


def _moments(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each channel."""
    axes = (0, *range(2, x.ndim))
    return x.mean(axis=axes), x.var(axis=axes)


def _channels(x: Array, **values: Array) -> list[Array]:
    """Values (C,) with one axis for each axis of space."""
    for name, value in values.items():
        if value.shape != x.shape[1:2]:
            raise ValueError(f"{name} must have shape ({x.shape[1]},), got {value.shape}")
    return [np.reshape(value, (-1, *[1] * (x.ndim - 2))) for value in values.values()]

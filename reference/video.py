"""Conditional video models: bound per sequence, and proxies for the quality of predicted frames.

Frames are (..., H, W), intensities in [0, 1] on a dark background; rollouts and sequences are leading axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.calibration import HALF_LOG_TWO_PI
from reference.checks import Array, broadcast, finite, integer, non_negative, positive


def sequence_nelbo(squared_error: ArrayLike, kl: ArrayLike, log_sigma: ArrayLike, dims: int) -> Array:
    r"""Negative evidence lower bound of a sequence, one standard deviation for all frames.

    .. math:: \sum_{t=2}^T\Big[D\Big(s+\frac12\log2\pi\Big)+\frac12\mathrm{SSE}_te^{-2s}
              +\mathrm{KL}\big(q(z_t|x_{\le t})\,\|\,p(z_t|x_{<t})\big)\Big]

    Parameters
    ----------
    squared_error : array_like (T - 1, ...)
        Sum of squared errors :math:`\mathrm{SSE}_t\ge0` of each predicted frame, frames along the first axis.
    kl : array_like (T - 1, ...)
        KL of each frame in nats.
    log_sigma : array_like
        Log standard deviation :math:`s`; shape () or (...).
    dims : int
        Values per frame :math:`D\ge1`.

    Returns
    -------
    ndarray (...)
        Nats per sequence. Two frames make a conditional VAE.

    Raises
    ------
    ValueError
        If ``squared_error`` is negative, another argument is not finite, shapes differ, or ``dims`` is not >= 1.

    Source: sigma-VAE, Section B and Figure 7 (SVG-LP with a calibrated decoder).
    """
    squared_error, kl = non_negative("squared_error", squared_error), finite("kl", kl)
    if squared_error.ndim == 0 or squared_error.shape != kl.shape:
        raise ValueError(f"squared_error, kl must have one shape (T - 1, ...), got {squared_error.shape}, {kl.shape}")
    log_sigma, dims = finite("log_sigma", log_sigma), integer("dims", dims, 1)
    broadcast(squared_error=squared_error, log_sigma=log_sigma)
    nll = dims * (log_sigma + HALF_LOG_TWO_PI) + 0.5 * squared_error * np.exp(-2 * log_sigma)
    return np.sum(nll + kl, axis=0)


def ink_ratio(predicted: ArrayLike, true: ArrayLike) -> Array:
    r"""Total intensity of a predicted frame, relative to the true one.

    .. math:: \frac{\sum_{ij}\hat x_{ij}}{\sum_{ij}x_{ij}}

    Parameters
    ----------
    predicted, true : array_like (..., H, W)
        Frames.

    Returns
    -------
    ndarray (...)

    Raises
    ------
    ValueError
        If a frame is not finite, the shapes do not broadcast, or a true frame has no positive total.

    Source: sigma-VAE, Figure 7 (proxy ours).
    """
    predicted, true = _frames(predicted, true)
    return predicted.sum(axis=(-2, -1)) / positive("total of true", true.sum(axis=(-2, -1)))


def peak_ratio(predicted: ArrayLike, true: ArrayLike) -> Array:
    r"""Highest intensity of a predicted frame, relative to the true one.

    .. math:: \frac{\max_{ij}\hat x_{ij}}{\max_{ij}x_{ij}}

    Parameters
    ----------
    predicted, true : array_like (..., H, W)
        Frames.

    Returns
    -------
    ndarray (...)
        Below 1 where a prediction averages over several positions of an object.

    Raises
    ------
    ValueError
        If a frame is not finite, the shapes do not broadcast, or a true frame has no positive peak.

    Source: sigma-VAE, Figure 7 (proxy ours).
    """
    predicted, true = _frames(predicted, true)
    return predicted.max(axis=(-2, -1)) / positive("peak of true", true.max(axis=(-2, -1)))


def presence(predicted: ArrayLike, template: ArrayLike, threshold: float = 0.5) -> NDArray[np.bool_]:
    r"""Whether an object is somewhere in a frame: best normalised correlation with its template.

    .. math:: \max_{u}\frac{\langle\hat x_u-\overline{\hat x_u},\,y-\bar y\rangle}
              {\|\hat x_u-\overline{\hat x_u}\|\,\|y-\bar y\|}>\delta

    Parameters
    ----------
    predicted : array_like (..., H, W)
        Frames; :math:`\hat x_u` is the window of the template's size at offset u, inside the frame.
    template : array_like (h, w)
        Template :math:`y` that is not constant, no larger than a frame.
    threshold : float
        Threshold :math:`\delta\ge0`.

    Returns
    -------
    ndarray of bool (...)
        The correlation of a constant window is 0.

    Raises
    ------
    ValueError
        If an argument is not finite, the template is constant or larger than a frame, or ``threshold`` is negative.

    Source: sigma-VAE, Figure 7 (proxy ours).
    """
    predicted, template = finite("predicted", predicted), finite("template", template)
    if template.ndim != 2 or predicted.ndim < 2 or (np.array(predicted.shape[-2:]) < template.shape).any():
        raise ValueError(f"template must fit into a frame, got shapes {template.shape}, {predicted.shape}")
    pattern = template - template.mean()
    size = positive("variation of template", np.sqrt(np.sum(pattern**2)))
    windows = np.lib.stride_tricks.sliding_window_view(predicted, template.shape, axis=(-2, -1))
    centred = windows - windows.mean(axis=(-2, -1), keepdims=True)
    norms = np.sqrt(np.sum(centred**2, axis=(-2, -1)))
    products = np.sum(centred * pattern, axis=(-2, -1))
    correlation = np.divide(products, norms * size, out=np.zeros_like(products), where=norms > 1e-12)
    return correlation.max(axis=(-2, -1)) > non_negative("threshold", threshold)


def best_of_n_sse(rollouts: ArrayLike, true: ArrayLike) -> Array:
    r"""Least squared error among several predictions of a frame.

    .. math:: \min_{k\le n}\|\hat x^{(k)}-x\|^2

    Parameters
    ----------
    rollouts : array_like (n, ..., H, W)
        Predictions, drawn from the prior.
    true : array_like (..., H, W)
        True frames.

    Returns
    -------
    ndarray (...)
        Falls with n: compare equal n.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not agree.

    Source: sigma-VAE, Figure 7 (proxy ours, n = 8).
    """
    rollouts, true = finite("rollouts", rollouts), finite("true", true)
    if rollouts.shape[1:] != true.shape or true.ndim < 2 or len(rollouts) == 0:
        raise ValueError(f"rollouts must be (n >= 1, *true), got {rollouts.shape}, {true.shape}")
    return np.sum((rollouts - true) ** 2, axis=(-2, -1)).min(axis=0)


def rollout_diversity(rollouts: ArrayLike) -> Array:
    r"""Variance over predictions of the same frame, summed over pixels.

    .. math:: \sum_{ij}\mathrm{Var}_k\big(\hat x^{(k)}_{ij}\big)

    Parameters
    ----------
    rollouts : array_like (n, ..., H, W)
        Predictions, n >= 2.

    Returns
    -------
    ndarray (...)
        Unbiased (divisor n - 1); 0 for a model whose latent has collapsed.

    Raises
    ------
    ValueError
        If ``rollouts`` is not finite or holds fewer than 2.

    Source: sigma-VAE, Figure 7 (proxy ours).
    """
    rollouts = finite("rollouts", rollouts)
    if rollouts.ndim < 3 or len(rollouts) < 2:
        raise ValueError(f"rollouts must be (n >= 2, ..., H, W), got shape {rollouts.shape}")
    # Around the first: near rollouts differ by less than the rounding of their mean
    return np.var(rollouts - rollouts[0], axis=0, ddof=1).sum(axis=(-2, -1))


def psnr(mean_squared_error: ArrayLike, data_range: float = 1.0) -> Array:
    r"""Peak signal-to-noise ratio.

    .. math:: 10\log_{10}\frac{R^2}{\mathrm{MSE}}

    Parameters
    ----------
    mean_squared_error : array_like
        Mean squared error per value, > 0.
    data_range : float
        Range :math:`R>0` of the data.

    Returns
    -------
    ndarray
        Decibels.

    Raises
    ------
    ValueError
        If an argument is not positive.

    Source: sigma-VAE, Figure 7 (usual metric of the video model).
    """
    return 10 * np.log10(positive("data_range", data_range) ** 2 / positive("mean_squared_error", mean_squared_error))


def _frames(predicted: ArrayLike, true: ArrayLike) -> tuple[Array, Array]:
    predicted, true = finite("predicted", predicted), finite("true", true)
    if min(predicted.ndim, true.ndim) < 2:
        raise ValueError(f"predicted, true must be (..., H, W), got shapes {predicted.shape}, {true.shape}")
    broadcast(predicted=predicted, true=true)
    return predicted, true

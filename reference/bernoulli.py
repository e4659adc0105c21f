"""Bernoulli observations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, broadcast, finite, within


def log_likelihood(x: ArrayLike, logits: ArrayLike) -> Array:
    r"""Log likelihood of binary data from logits.

    .. math:: \log p(x)=\sum_j\big[x_jl_j-\log(1+e^{l_j})\big]

    Parameters
    ----------
    x : array_like (..., n)
        Targets in [0, 1]; binary data are 0 or 1.
    logits : array_like (..., n)
        Logits :math:`l`.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis.

    Raises
    ------
    ValueError
        If ``x`` leaves [0, 1], ``logits`` is not finite, or the shapes do not broadcast.

    Source: Hermite VAE, Section 5 (binary MNIST and OMNIGLOT).
    """
    x, logits = within("x", x, 0, 1), finite("logits", logits)
    broadcast(x=x, logits=logits)
    # log(1 + exp(l)) overflows for l > 709 and drops l < -37; logaddexp does neither. The product is taken as
    # -x*softplus(-l) - (1-x)*softplus(l), because x*l - softplus(l) cancels for large l and x near 1.
    return np.sum(-x * np.logaddexp(0, -logits) - (1 - x) * np.logaddexp(0, logits), axis=-1)

"""Balancing the KL terms of a hierarchy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, finite, non_negative


def free_bits(layer_terms: ArrayLike, floor: float) -> Array:
    r"""KL part of the loss with a free allowance per stochastic layer.

    .. math:: \sum_i\max\Big(\lambda,\frac1B\sum_bT_{i,b}\Big)

    Parameters
    ----------
    layer_terms : array_like (L, B)
        Layer terms :math:`T_{i,b}` in nats, one row per layer, one column per image; may be negative.
    floor : float
        Allowance :math:`\lambda\ge0` in nats per layer, the same for every layer.

    Returns
    -------
    ndarray ()
        Nats per image. A layer whose batch mean is below the floor has gradient exactly zero.

    Raises
    ------
    ValueError
        If ``layer_terms`` is not finite or has other than two axes, or ``floor`` is negative.

    Source: Hermite VAE, Section 5.1. The batch mean is inside the maximum; the text leaves open whether the unit is
    nats (taken here) or bits.
    """
    terms, floor = finite("layer_terms", layer_terms), non_negative("floor", floor)
    if terms.ndim != 2 or terms.shape[1] == 0:
        raise ValueError(f"layer_terms must have shape (layers, images), got {terms.shape}")
    return np.sum(np.maximum(floor, terms.mean(axis=1)))

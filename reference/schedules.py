"""Schedules: functions of the optimiser step, counted from 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, finite, non_negative, positive


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

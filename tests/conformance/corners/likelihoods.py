"""First, second, last but one and last levels; means on and off the grid and far outside; scales from 1e-30 to 100."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product

NO_GRADIENTS = {"scale_gradient": "it is a derivative"}
CODES = np.array([0, 1, 127, 254, 255])
MEANS = np.unique(np.concatenate([both_signs(1 / 255, 0.5, 1, 1.3, 1.7, 30), [126.5 / 255, 127 / 255, 127.4 / 255]]))
SCALES = np.array([1e-6, np.exp(-7), 0.002, 0.01, 0.03, 0.07, 0.3, 1, 10, 100])
LOG_SCALES = np.array([-14.0, -12.0, -7.0, -5.0, -3.0, 0.0, 2.0, 5.0])
LOGITS = both_signs(1e-3, 1, 17, 100)


def discretised_gaussian() -> list[dict[str, Any]]:
    return product(codes=CODES, mean=MEANS, scale=SCALES[1:])


def discretised_logistic() -> list[dict[str, Any]]:
    # For the least scale no mean next to the edge of a bin: there rounding decides between 0 and infinity.
    inside = np.array([-30.0, -1.0, 0.0, 0.25, 1.0, 1.7, 30.0])
    return product(codes=CODES, mean=MEANS, scale=SCALES) + product(codes=CODES, mean=inside, scale=np.array([1e-30]))


def scale_gradient() -> list[dict[str, Any]]:
    return product(codes=CODES, mean=MEANS, scale=SCALES[1:])


def total_mass() -> list[dict[str, Any]]:
    # Five bits with proper bins: spacing 16/255, from -1 to 0.945.
    five = {"levels": 32, "low": -1.0, "high": 2 * 248 / 255 - 1}
    return product({"levels": 256}, mean=MEANS, scale=SCALES[1:]) + product(five, mean=MEANS, scale=SCALES[1:])


def mixture_log_scale() -> list[dict[str, Any]]:
    activation = both_signs(1e-6, 1, 7, 14, 20, 31, 100, 150, 160, 250, 1000)
    return [
        point
        for form in ("softplus", "exponential")
        for floor in (-7.0, -14.0, -250.0)
        for point in product({"form": form, "floor": floor}, activation=activation, slope=np.array([0.4, 0.6931472, 1]))
    ]


def mixture_of_logistics() -> list[dict[str, Any]]:
    """Grey pixels: one component, then two with any weights; with the bound on the scale, and without any."""
    bounded = [_mixture(LOG_SCALES, -7.0, weights) for weights in ((0.0,), (0.0, -100.0), (0.0, 0.0), (-1e4, 17.0))]
    # The twin stops at exp(-80): below, the reciprocal of the scale leaves single precision.
    return [*bounded, _mixture(np.array([-79.0, -60.0, -20.0]), -250.0, (0.0,))]


def _mixture(scales: np.ndarray, floor: float, weights: tuple[float, ...]) -> dict[str, Any]:
    """Return every level at every mean and scale as one row of pixels; a second component has the means reversed."""
    codes, means, log_scales = (a.reshape(1, -1) for a in np.broadcast_arrays(*np.ix_(CODES, MEANS, scales)))
    count, size = len(weights), codes.shape[1]
    return {
        "codes": codes[:, None].astype(np.int64),
        "logits": np.tile(np.reshape(weights, (count, 1, 1)), (1, 1, size)),
        "means": np.stack([means, means[:, ::-1]], 1)[:, :count, None, :],
        "log_scales": np.stack([log_scales] * count, 1)[:, :, None],
        "floor": floor,
    }


def categorical() -> list[dict[str, Any]]:
    """All levels equal, one certain, two that tie far above the others."""
    return [{"codes": np.arange(6), "logits": np.tile(point["logits"], (6, 1))} for point in categorical_mean()]


def categorical_mean() -> list[dict[str, Any]]:
    rows = [np.zeros(6), *(height * np.eye(6)[2] for height in LOGITS), 1e4 * (np.eye(6)[1] + np.eye(6)[4])]
    return [{"logits": row} for row in rows]


def bitwise() -> list[dict[str, Any]]:
    return [{"codes": np.arange(4), "logits": np.tile(point["logits"], (4, 1))} for point in bitwise_mean()]


def bitwise_mean() -> list[dict[str, Any]]:
    heights = both_signs(1e-6, 17, 1e4)
    return [{"logits": np.array([first, second])} for first in heights for second in heights]


def logistic_sample() -> list[dict[str, Any]]:
    noise = np.array([2.0**-126, 1e-30, 1e-5, 0.25, 0.5, 0.75, 1 - 1e-5, 1 - 2.0**-24])
    return product(mean=MEANS, scale=SCALES, noise=noise)


def mixture_sample() -> list[dict[str, Any]]:
    """One component, so that only the noise is tempered."""
    noise = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    mean, log_scale = (a.reshape(1, 1, 1, -1) for a in np.meshgrid(np.array([-1.0, 0.25]), np.array([-7.0, -3.0, 0.0])))
    size = mean.shape[-1]
    fixed = {"logits": np.zeros((1, 1, size)), "means": mean, "log_scales": log_scale, "coefficients": None}
    return [
        {**fixed, "component_noise": np.full((1, 1, size), 0.5), "noise": np.full((1, 1, size), u), "temperature": t}
        for u in noise
        for t in (0.5, 1.0)
    ]

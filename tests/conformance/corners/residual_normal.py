"""Raw parameters from -250 to 250, the neighbourhood of the identity, scales that underflow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product
from tests.conformance.corners.gaussian import SCALES

SLOPES = (math.log(2), 0.4, 1.0)
RAW = both_signs(1e-20, 1e-6, 1e-3, 0.1, 1, 3, 8, 16.5, 18, 20, 31, 46, 60)
FAR = np.union1d(RAW, both_signs(87, 89, 100, 104, 150, 160, 250))
SHIFTS = both_signs(1e-10, 1e-4, 0.1, 2, 30)


def kl() -> list[dict[str, Any]]:
    near_1 = 1 + both_signs(*2.0 ** -np.arange(3, 24, 2))
    return product(summed=True, mean_shift=SHIFTS, scale_p=SCALES, scale_ratio=np.concatenate([SCALES, near_1]))


def soft_clamp() -> list[dict[str, Any]]:
    return product(raw=FAR)


def bounded_parameters() -> list[dict[str, Any]]:
    return product(raw_mean=FAR, raw_log_scale=FAR)


def bounded_kl() -> list[dict[str, Any]]:
    raw = both_signs(1e-3, 1, 8, 46)
    axes = {"raw_mean_p": raw, "raw_log_scale_p": raw, "raw_mean_shift": SHIFTS, "raw_log_scale_shift": SHIFTS}
    return product(summed=True, **axes)


def softplus_scale() -> list[dict[str, Any]]:
    return _per_slope(FAR)


def log_softplus_scale() -> list[dict[str, Any]]:
    return _per_slope(np.union1d(FAR, [-1e4, -1e3, 1e3, 1e4]))


def scale_gradients() -> list[dict[str, Any]]:
    # From -44 / slope on the gradient of the inverse is beyond the type's range.
    return _per_slope(FAR)


def exponential_scale() -> list[dict[str, Any]]:
    return _per_slope(FAR)


def exponential_kl() -> list[dict[str, Any]]:
    """Equal means with scales whose squares leave the range: the product 0 times infinity must not appear."""
    raw = both_signs(1e-6, 1e-3, 1, 8, 40, 46)
    means = both_signs(1e-10, 1.0)
    return [
        point
        for slope in SLOPES
        for point in product({"slope": slope}, summed=True, mean_q=means, raw_q=raw, mean_p=means, raw_p=raw)
    ]


def _per_slope(raw: np.ndarray) -> list[dict[str, Any]]:
    return [point for slope in SLOPES for point in product({"slope": slope}, raw=raw)]

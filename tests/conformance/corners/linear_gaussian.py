"""Collapse and its neighbourhood: no smoothing and almost none, signals that vanish and that explode."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product

STRENGTHS = np.array([0.0, 0.05, 0.2, 0.5, 0.9, 1 - 2.0**-10, 1 - 2.0**-20, 1 - 2.0**-24, 1.0])
RATIOS = np.array([1e-10, 1e-6, 1e-3, 0.1, 1, 10, 1e3, 1e6, 1e10])


def profile() -> list[dict[str, Any]]:
    return product(ratio=RATIOS, strength=STRENGTHS[1:])


def smoothed_excess() -> list[dict[str, Any]]:
    return product(slope_p=both_signs(1e-10, 1e-3, 1, 30), scale_p=np.array([1e-4, 0.5, 1, 1e4]), strength=STRENGTHS)


def top_kl() -> list[dict[str, Any]]:
    near_1 = 1 + both_signs(*2.0 ** -np.arange(3, 24, 4))
    scales = np.concatenate([near_1, [1e-15, 1e-4, 1e4, 1e15]])
    return product(slope_q=both_signs(1e-10, 1e-3, 1), scale_q=scales, variance=np.array([0.1, 1, 10]))

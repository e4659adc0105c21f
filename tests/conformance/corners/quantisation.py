"""Bins much wider and much narrower than the density, points far in its tails."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product


def density_to_mass() -> list[dict[str, Any]]:
    scales = np.array([0.01, 0.07, 1.0, 10.0, 1e4])
    return product(x=both_signs(1, 2), mean=np.array([0.0, 0.5]), scale=scales, width=np.array([1e-6, 1 / 255, 0.1]))


def dequantised_log_mass() -> list[dict[str, Any]]:
    return density_to_mass()

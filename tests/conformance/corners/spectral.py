"""Weights that are zero or have equal singular values."""

from __future__ import annotations

from typing import Any

import numpy as np


def regulariser() -> list[dict[str, Any]]:
    start = np.array([0.6, 0.8])
    weights = (
        np.zeros((2, 3)),
        np.eye(2, 3),
        1e4 * np.eye(2, 3),
        1e-10 * np.eye(2, 3),
        np.array([[1.0, 0.0], [0.0, 0.0]]),
    )
    return [{"weights": [weight], "vectors": [start], "iterations": 4} for weight in weights]


def norm_estimate() -> list[dict[str, Any]]:
    return [{"weight": np.zeros((2, 3)), "left": np.array([0.6, 0.8]), "right": np.array([1.0, 0.0, 0.0])}]

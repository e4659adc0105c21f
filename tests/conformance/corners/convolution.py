"""States of both signs and of every size, with and without biases."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs


def unpool() -> list[dict[str, Any]]:
    fixed = {"weight": np.array([[[[0.5]]], [[[-2.0]]]]), "bias": np.array([0.0, 0.25]), "scale": 2}
    return [
        {**fixed, "y": np.full((1, 1, 1, 1), y), "position_bias": np.full((2, 2, 2), position)}
        for y in both_signs(1e-20, 1, 1e10)
        for position in (0.0, 1.0)
    ]

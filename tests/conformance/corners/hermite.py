"""Degrees 0, 1 and high ones, far from the origin."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs


def basis() -> list[dict[str, Any]]:
    return [{"z": np.array([z]), "degree": d} for z in both_signs(1e-20, 1, 12, 20) for d in (0, 1, 60)]

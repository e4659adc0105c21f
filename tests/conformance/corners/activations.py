"""Both zeros and their neighbourhood, both tails."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product

VALUES = np.append(both_signs(1e-30, 1e-10, 1e-6, 1e-3, 0.1, 1, 1.278465, 5, 12, 20, 87, 89, 100, 104, 1e3), -0.0)


def silu() -> list[dict[str, Any]]:
    return product(u=VALUES)


def gelu() -> list[dict[str, Any]]:
    return product(u=VALUES)


def elu() -> list[dict[str, Any]]:
    return product(u=VALUES)


def selu() -> list[dict[str, Any]]:
    return product(u=VALUES)

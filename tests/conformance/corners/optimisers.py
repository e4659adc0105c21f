"""Gradients of exactly zero at the first step, and gradients whose squares leave single precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product

GRADIENTS = both_signs(1e-30, 1e-10, 1e-3, 1, 1e4)
FIRST = {"parameter": np.array([0.5]), "first": np.zeros(1), "count": 1, "rate": 1e-3}
NO_GRADIENTS = dict.fromkeys(
    ("adam", "adamax", "adamw", "clip_by_global_norm"), "nobody differentiates a step of the optimiser"
)


def adam() -> list[dict[str, Any]]:
    return product({**FIRST, "second": np.zeros(1)}, gradient=GRADIENTS)


def adamax() -> list[dict[str, Any]]:
    return product({**FIRST, "norm": np.zeros(1)}, gradient=GRADIENTS)


def adamw() -> list[dict[str, Any]]:
    return product({**FIRST, "second": np.zeros(1), "decay": 0.01}, gradient=GRADIENTS)


def global_norm() -> list[dict[str, Any]]:
    sizes = (1e-38, 1e-30, 1e-20, 1.0, 1e20, 1e30, 1e38)
    return [{"gradients": [np.full(3, size), np.array([0.5 * size])]} for size in sizes]


def clip_by_global_norm() -> list[dict[str, Any]]:
    return [{**point, "most": 20.0} for point in global_norm()]

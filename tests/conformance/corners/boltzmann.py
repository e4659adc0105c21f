"""Huge biases, no coupling, one unit on a side."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np


def log_partition() -> list[dict[str, Any]]:
    """Biases from -50 to 50 on both sides, with and without coupling."""
    machines = []
    for left, right, coupling in itertools.product((-50.0, 0.0, 50.0), (-50.0, 1.0, 50.0), (0.0, -30.0)):
        for n1, n2 in ((1, 1), (3, 2)):
            biases = {"bias_left": np.full(n1, left), "bias_right": np.full(n2, right)}
            machines.append({**biases, "coupling": np.full((n1, n2), coupling)})
    return machines


def moments() -> list[dict[str, Any]]:
    return log_partition()

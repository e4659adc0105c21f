"""Groups without any divergence, alone and among others."""

from __future__ import annotations

from typing import Any

import numpy as np


def balance_weights() -> list[dict[str, Any]]:
    tables = [np.zeros((3, 2)), np.array([[0.0, 0.0], [1.0, 3.0]]), np.array([[1e-30], [1e30], [0.0]]), np.ones((1, 4))]
    cases = [(table, np.ones(len(table))) for table in tables] + [(np.array([[16.0], [64.0]]), np.array([1.0, 0.25]))]
    return [{"group_kl": table, "factor": f, "floor": floor} for table, f in cases for floor in (0.0, 0.015625)]


def balance_excess() -> list[dict[str, Any]]:
    return [
        {"group_kl": np.array(values), "floor": 0.125} for values in ([0.0, 0.0], [5.0], [0.0, 64.0], [1e-10, 1e10])
    ]


def free_bits() -> list[dict[str, Any]]:
    tables = [np.zeros((2, 2)), np.full((2, 3), 0.5), np.array([[-4.0, 1.0], [3.0, 0.25]])]
    return [{"layer_terms": table, "floor": 0.5} for table in tables]


def regularised_loss() -> list[dict[str, Any]]:
    table = {"group_kl": np.array([[1.0, 0.0], [0.0, 3.0]]), "group_weights": np.array([0.5, 1.5])}
    fixed = {**table, "negative_log_likelihood": np.array([90.0, 1e4]), "weight": 1.0, "coefficient": 0.01}
    return [{**fixed, "penalties": np.full(3, size)} for size in (0.0, 1e-3, 1.0, 364.0)]

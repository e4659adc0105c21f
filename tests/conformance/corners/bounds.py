"""Log weights that under- and overflow, one sample, equal samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs


def importance_weighted() -> list[dict[str, Any]]:
    """Spreads up to exp(+-1000) around every centre."""
    spreads = [np.zeros(1), np.zeros(5), *(np.linspace(-size, size, 5) for size in (1e-3, 1.0, 90.0, 1000.0))]
    return [{"log_weights": (c + spread)[:, None]} for c in both_signs(1, 90, 7500) for spread in spreads]


def importance_weights() -> list[dict[str, Any]]:
    return importance_weighted()

"""Equal energies and energies that are far apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs


def swap_probability() -> list[dict[str, Any]]:
    apart = both_signs(1e-6, 1, 30, 200, 1e4)
    energies = np.stack([np.full_like(apart, 5.0), 5.0 + apart], -1)
    return [{"energies": energies, "inverse_temperatures": np.array([0.25, 1.0])}]

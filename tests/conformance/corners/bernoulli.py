"""Binary and grey targets with logits from -10000 to 10000."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product

LOGITS = both_signs(1e-20, 1e-6, 1e-4, 1e-3, 0.1, 1, 5, 16, 17.5, 20, 30, 88, 89, 100, 104, 1e3, 1e4)
TARGETS = np.array([0.0, 2.0**-20, 1 / 255, 0.25, 0.5, 254 / 255, 1 - 2.0**-24, 1.0])


def log_likelihood() -> list[dict[str, Any]]:
    return product(summed=True, x=TARGETS, logits=LOGITS)


def log_normaliser() -> list[dict[str, Any]]:
    return product(logits=LOGITS)


def centre_and_bias() -> list[dict[str, Any]]:
    # Pixels that are always black or white.
    return product({"margin": 0.0078125}, x=np.array([0.0, 1.0]), mean=TARGETS)

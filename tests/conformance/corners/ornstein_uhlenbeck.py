"""Correlations 0, 1 and down to one rounding below 1; scales that underflow when squared."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product

RHOS = np.array([0.0, 1e-30, 1e-6, 0.1, 0.5, 0.9, 0.99, 1 - 1e-4, 1 - 2.0**-20, 1 - 2.0**-23, 1 - 2.0**-24, 1.0])
VALUES = both_signs(1e-20, 1e-3, 1, 8)
NO_GRADIENTS = dict.fromkeys(
    ("correlated_noise.rho", "correlated_sample.rho"), "rho is a setting; sqrt(1 - rho^2) has an infinite slope at 1"
)


def correlated_noise() -> list[dict[str, Any]]:
    return product(noise=VALUES, fresh=VALUES, rho=RHOS)


def correlated_sample() -> list[dict[str, Any]]:
    return product(mean=both_signs(1), scale=np.array([1e-20, 1.0, 1e4]), noise=VALUES, fresh=VALUES, rho=RHOS)


def mehler_kernel() -> list[dict[str, Any]]:
    # At rho = 1 it is a delta.
    points = both_signs(1e-3, 1, 2, 5)
    return [point for rho in RHOS[:-1] for point in product({"rho": np.asarray(rho)}, summed=True, x=points, y=points)]


def effective_strength() -> list[dict[str, Any]]:
    return [
        {"rho": np.asarray(rho), "samples": k, "degree": d} for rho in RHOS for k in (1, 5, 1000) for d in (0, 1, 9)
    ]


def variance_lost() -> list[dict[str, Any]]:
    indices = np.arange(6)[:, None]
    return [{"coefficients": np.full(6, 0.5), "indices": indices, "rho": np.asarray(rho)} for rho in RHOS]


def variance() -> list[dict[str, Any]]:
    return variance_lost()

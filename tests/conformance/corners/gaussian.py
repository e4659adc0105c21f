"""Equal means, equal and nearly equal scales, scales whose squares leave single precision, far tails."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product, together

# Log variances from -90 to 83: a variance formed on its own leaves the type's range below -87.
SCALES = np.array([3e-20, 1e-15, 1e-10, 1e-4, 0.5, 1 - 2.0**-10, 1.0, 1 + 2.0**-20, 3.0, 1e4, 1e10, 1e18])
NO_GRADIENTS = {"kl_gradient": "it is a derivative"}
MEANS = both_signs(1e-20, 1e-4, 1.0, 30.0)


def log_density() -> list[dict[str, Any]]:
    # Standardised distances up to 1e4 and far beyond.
    return product(summed=True, z=both_signs(1e-4, 1.0, 1e4), mean=both_signs(1e-4, 1.0), scale=SCALES)


def kl() -> list[dict[str, Any]]:
    return product(summed=True, mean_q=MEANS, scale_q=SCALES, mean_p=MEANS, scale_p=SCALES) + _near_equality()


def kl_gradient() -> list[dict[str, Any]]:
    return product(mean_q=MEANS, scale_q=SCALES, mean_p=MEANS, scale_p=SCALES)


def kl_standard() -> list[dict[str, Any]]:
    near_1 = 1 + both_signs(*2.0 ** -np.arange(3, 24, 2))
    return product(summed=True, mean=MEANS, scale=np.concatenate([SCALES, near_1]))


def entropy() -> list[dict[str, Any]]:
    return product(summed=True, scale=SCALES)


def reparameterise() -> list[dict[str, Any]]:
    return product(mean=MEANS, scale=SCALES, noise=both_signs(1e-4, 1.0, 8.0))


def tempered_sample() -> list[dict[str, Any]]:
    temperatures = np.array([0.0, 0.3, 0.85, 1.0])
    return product(mean=MEANS, scale=SCALES, noise=both_signs(1e-4, 1.0, 8.0), temperature=temperatures)


def _near_equality() -> list[dict[str, Any]]:
    """Scales that differ by 2^-3 to 2^-23 of themselves, at equal means."""
    scale_p, off = np.meshgrid(SCALES, both_signs(*2.0 ** -np.arange(3, 24, 2)))
    columns = {"scale_q": scale_p * (1 + off), "scale_p": scale_p}
    mean = np.full((scale_p.size, 1), 0.25)
    return together(mean_q=mean, mean_p=mean, **{name: v.reshape(-1, 1) for name, v in columns.items()})

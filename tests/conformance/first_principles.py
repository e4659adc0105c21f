"""Independent ways to a number: adaptive quadrature, 50 digits, sampling with a stated false-alarm rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import mpmath
import numpy as np
from scipy import integrate, stats

FALSE_ALARM = 1e-4
SAMPLES = 1_000_000


def gaussian_integral(f: Callable[[float], float], mean: float = 0.0, scale: float = 1.0, kinks: tuple = ()) -> float:
    """E f(z) for z ~ N(mean, scale^2) by adaptive quadrature, split at kinks."""
    edges = sorted({mean - 12 * scale, mean, mean + 12 * scale, *kinks})

    def integrand(z: float) -> float:
        return float(f(z)) * math.exp(-0.5 * ((z - mean) / scale) ** 2) / (scale * math.sqrt(2 * math.pi))

    pieces = pairwise(edges)
    return sum(integrate.quad(integrand, a, b, epsabs=1e-13, epsrel=1e-13, limit=200)[0] for a, b in pieces)


def at_50_digits(f: Callable[..., mpmath.mpf], *arguments: float) -> float:
    """Evaluate with mpmath at 50 digits on exact copies of float64 arguments."""
    with mpmath.workdps(50):
        return float(f(*(mpmath.mpf(float(a)) for a in arguments)))


def assert_mean(samples: np.ndarray, expected: float, planted: float = 0.01) -> None:
    """Assert that ``samples`` have mean ``expected``, and that the test has power.

    A z-test with two-sided false-alarm rate 1e-4 (samples come from a fixed seed, so it is drawn once). A planted
    relative bias of 1 % must be caught with a probability of 99.8 %, else the test proves little.
    """
    critical = stats.norm.isf(FALSE_ALARM / 2)
    error = samples.std(ddof=1) / math.sqrt(samples.size)
    z = (samples.mean() - expected) / error
    assert abs(z) < critical, f"mean {samples.mean():.6g} +- {error:.2g}, expected {expected:.6g}: z = {z:.1f}"
    power = abs(planted * expected) / error
    assert power > critical + 3, f"no power: a bias of {planted:.0%} is only {power:.1f} standard errors"

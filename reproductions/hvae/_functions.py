"""Functions of a Gaussian variable with known answers, and a quadrature that may be split at a kink.

A function takes points (..., n) and returns (...) or (..., m), as in :mod:`reference.hermite`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from reference import hermite
from reference.hermite import Array, Function

REACH = 14.0
"""Gaussian tails beyond this many standard deviations are below float64 resolution."""


@dataclass(frozen=True)
class Known:
    """A function of one variable with its Hermite data in closed form.

    ``at(z)`` and ``smoothed(z, rho)`` take plain arrays z; ``smoothed`` is for rho < 1.
    """

    name: str
    at: Callable[[Array], Array]
    coefficient: Callable[[int], float]
    smoothed: Callable[[Array, float], Array]
    mean_square: float
    kink: float | None = None

    def __call__(self, z: Array) -> Array:
        return self.at(z[..., 0])

    def under_operator(self, z: Array, rho: float) -> Array:
        """U_rho f in closed form, also at rho = 1."""
        return self.at(z) if rho == 1 else self.smoothed(z, rho)


def known_functions() -> tuple[Known, ...]:
    """The eight test functions of the specification: six smooth ones, and two with a kink at 0."""
    return (
        _exponential(0.7),
        _cosine(1.3),
        _sine(1.3),
        Known(
            "square",
            lambda z: z**2,
            lambda k: {0: 1.0, 2: math.sqrt(2)}.get(k, 0.0),
            lambda z, rho: rho**2 * z**2 + 1 - rho**2,
            3.0,
        ),
        Known(
            "normal cdf",
            special.ndtr,
            _cdf_coefficient,
            lambda z, rho: special.ndtr(rho * z / math.sqrt(2 - rho**2)),
            1 / 3,
        ),
        _polynomial_of_degree(5),
        Known("sign", np.sign, _sign_coefficient, _smoothed_sign, 1.0, kink=0.0),
        Known("relu", lambda z: np.maximum(z, 0), _relu_coefficient, _smoothed_relu, 0.5, kink=0.0),
    )


def _exponential(t: float) -> Known:
    return Known(
        "exp",
        lambda z: np.exp(t * z),
        lambda k: math.exp(t**2 / 2) * t**k / math.sqrt(math.factorial(k)),
        lambda z, rho: np.exp(rho * t * z + t**2 * (1 - rho**2) / 2),
        math.exp(2 * t**2),
    )


def _cosine(t: float) -> Known:
    return Known(
        "cos",
        lambda z: np.cos(t * z),
        lambda k: _wave_coefficient(t, k) if k % 2 == 0 else 0.0,
        lambda z, rho: math.exp(-(t**2) * (1 - rho**2) / 2) * np.cos(rho * t * z),
        (1 + math.exp(-2 * t**2)) / 2,
    )


def _sine(t: float) -> Known:
    return Known(
        "sin",
        lambda z: np.sin(t * z),
        lambda k: _wave_coefficient(t, k) if k % 2 == 1 else 0.0,
        lambda z, rho: math.exp(-(t**2) * (1 - rho**2) / 2) * np.sin(rho * t * z),
        (1 - math.exp(-2 * t**2)) / 2,
    )


def _wave_coefficient(t: float, k: int) -> float:
    return math.exp(-(t**2) / 2) * (-1) ** (k // 2) * t**k / math.sqrt(math.factorial(k))


def _polynomial_of_degree(degree: int) -> Known:
    def at(z: Array) -> Array:
        return special.eval_hermitenorm(degree, z) / math.sqrt(math.factorial(degree))

    return Known(f"h_{degree}", at, lambda k: float(k == degree), lambda z, rho: rho**degree * at(z), mean_square=1.0)


def _hermite_at_zero(k: int) -> float:
    """He_k(0): zero for odd k, (-1)^(k/2) (k-1)!! for even k."""
    return 0.0 if k % 2 else (-1) ** (k // 2) * float(special.factorial2(k - 1) if k else 1)


def _sign_coefficient(k: int) -> float:
    return math.sqrt(2 / math.pi) * _hermite_at_zero(k - 1) / math.sqrt(math.factorial(k)) if k % 2 else 0.0


def _smoothed_sign(z: Array, rho: float) -> Array:
    return special.erf(rho * z / math.sqrt(2 * (1 - rho**2)))


def _relu_coefficient(k: int) -> float:
    if k < 2:
        return (1 / math.sqrt(2 * math.pi), 0.5)[k]
    return _hermite_at_zero(k - 2) / math.sqrt(2 * math.pi * math.factorial(k))


def _smoothed_relu(z: Array, rho: float) -> Array:
    spread = math.sqrt(1 - rho**2)
    u = rho * z / spread
    return rho * z * special.ndtr(u) + spread * np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)


def _cdf_coefficient(k: int) -> float:
    if k % 2 == 0:
        return 0.5 if k == 0 else 0.0
    odd = float(special.factorial2(k - 2)) if k > 1 else 1.0
    return (-0.5) ** ((k - 1) // 2) * odd / (2 * math.sqrt(math.pi * math.factorial(k)))


def worked_tanh(z: Array) -> Array:
    """tanh(2 z + 0.3), the one-dimensional example of the specification."""
    return np.tanh(2 * z[..., 0] + 0.3)


def worked_mean(z: Array) -> Array:
    """sin(1.5 z) + 0.3 z^2, the mean function of the example in Section 3; values (..., 1)."""
    return np.sin(1.5 * z) + 0.3 * z**2


@dataclass(frozen=True)
class Networks:
    """Many networks of one variable with four tanh units and standard normal parameters: (..., 1) to (..., count)."""

    inner: Array
    offset: Array
    outer: Array

    @classmethod
    def random(cls, rng: np.random.Generator, count: int, hidden: int = 4) -> Networks:
        """Draw ``count`` networks."""
        return cls(*(rng.standard_normal((count, hidden)) for _ in range(3)))

    def __call__(self, z: Array) -> Array:
        points = z.reshape(-1, 1)
        total = np.zeros((len(points), len(self.inner)))
        # Blocks of points, one hidden unit at a time and in place: temporaries stay in the cache.
        for start in range(0, len(points), 256):
            block, part = points[start : start + 256], total[start : start + 256]
            for w, b, v in zip(self.inner.T, self.offset.T, self.outer.T, strict=True):
                unit = block * w
                unit += b
                np.tanh(unit, out=unit)
                unit *= v
                part += unit
        return total.reshape(*z.shape[:-1], len(self.inner))

    def slope(self, z: Array) -> Array:
        """Derivative, (..., count)."""
        total = 0.0
        for w, b, v in zip(self.inner.T, self.offset.T, self.outer.T, strict=True):
            total = total + v * w / np.cosh(z * w + b) ** 2
        return np.asarray(total)


@dataclass(frozen=True)
class Polynomials:
    """Many random polynomials, (..., n) to (..., count), of unit norm under the standard Gaussian.

    ``factors`` (A, count) multiply the monomials with ``powers`` (A, n).
    """

    powers: hermite.Indices
    factors: Array

    @classmethod
    def random(cls, rng: np.random.Generator, count: int, degree: int, dims: int = 1) -> Polynomials:
        """Draw standard normal factors of all monomials up to ``degree``, then normalise."""
        powers = hermite.multi_indices(dims, degree)
        factors = rng.standard_normal((len(powers), count))
        return cls(powers, factors / np.sqrt(cls(powers, factors).mean_square()))

    def __call__(self, z: Array) -> Array:
        monomials = np.prod(z[..., None, :] ** self.powers, axis=-1)
        return monomials @ self.factors

    def mean(self) -> Array:
        """Exact means (count,), from the moments of the Gaussian."""
        return _moments(self.powers) @ self.factors

    def mean_square(self) -> Array:
        """Exact squared norms (count,)."""
        products = _moments(self.powers[:, None, :] + self.powers[None, :, :])
        return np.einsum("ac,ab,bc->c", self.factors, products, self.factors)


def _moments(powers: hermite.Indices) -> Array:
    """E of monomials: (p - 1)!! for even powers, 0 for odd ones."""
    table = [0.0 if p % 2 else float(special.factorial2(p - 1)) if p else 1.0 for p in range(powers.max() + 1)]
    return np.prod(np.array(table)[powers], axis=-1)


def split_rule(kink: float | None = None, width: float = 0.5) -> tuple[Array, Array]:
    """Points and weights (Q,) for E f(z): Gauss-Legendre panels that end at ``kink``.

    It converges where Gauss-Hermite does not (jumps, bends, steep functions) and shares nothing with it.
    """
    edges = np.linspace(-REACH, REACH, round(2 * REACH / width) + 1)
    if kink is not None and abs(kink) < REACH:
        edges = np.unique(np.append(edges, kink))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(edges)[:, None] / 2
    points = edges[:-1, None] + half * (1 + nodes)
    density = np.exp(-(points**2) / 2) / math.sqrt(2 * math.pi)
    return points.ravel(), (half * weights * density).ravel()


def line_coefficients(f: Function, degree: int, nodes: int) -> Array:
    """Inner products of ``f`` with h_0..h_degree on a Gauss-Hermite rule, also above half of its nodes."""
    points, weights = hermite.rule(nodes)
    values = np.asarray(f(points))
    table = hermite.basis(points[:, 0], degree) * weights
    return np.tensordot(table, values, axes=1)


def largest(*values: Array | float) -> float:
    """Largest absolute entry of all arguments."""
    return max(float(np.max(np.abs(value), initial=0.0)) for value in values)

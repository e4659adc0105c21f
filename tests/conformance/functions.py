"""Functions of a Gaussian variable on NumPy arrays and on tensors, some with their Hermite data in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import special


def library(x: Any) -> Any:
    """NumPy or torch, whichever ``x`` belongs to."""
    return torch if isinstance(x, torch.Tensor) else np


def like(values: Any, x: Any) -> Any:
    """Constants as an array or tensor of the kind of ``x``."""
    return (
        torch.as_tensor(values, dtype=x.dtype, device=x.device) if isinstance(x, torch.Tensor) else np.asarray(values)
    )


@dataclass(frozen=True)
class Exponential:
    """exp(t z), summed over the axes of z: the generating function of the basis."""

    t: float

    def __call__(self, z: Any) -> Any:
        return library(z).exp(self.t * z.sum(-1))

    def coefficient(self, k: int) -> float:
        return math.exp(self.t**2 / 2) * self.t**k / math.sqrt(math.factorial(k))

    def smoothed(self, z: np.ndarray, rho: float) -> np.ndarray:
        return np.exp(rho * self.t * z + self.t**2 * (1 - rho**2) / 2)


@dataclass(frozen=True)
class Cosine:
    t: float

    def __call__(self, z: Any) -> Any:
        return library(z).cos(self.t * z.sum(-1))

    def coefficient(self, k: int) -> float:
        even = math.exp(-(self.t**2) / 2) * (-1) ** (k // 2) * self.t**k / math.sqrt(math.factorial(k))
        return even if k % 2 == 0 else 0.0

    def smoothed(self, z: np.ndarray, rho: float) -> np.ndarray:
        return np.exp(-(self.t**2) * (1 - rho**2) / 2) * np.cos(rho * self.t * z)


@dataclass(frozen=True)
class Sine:
    t: float

    def __call__(self, z: Any) -> Any:
        return library(z).sin(self.t * z.sum(-1))

    def coefficient(self, k: int) -> float:
        odd = math.exp(-(self.t**2) / 2) * (-1) ** ((k - 1) // 2) * self.t**k / math.sqrt(math.factorial(k))
        return odd if k % 2 == 1 else 0.0

    def smoothed(self, z: np.ndarray, rho: float) -> np.ndarray:
        return np.exp(-(self.t**2) * (1 - rho**2) / 2) * np.sin(rho * self.t * z)


@dataclass(frozen=True)
class Square:
    def __call__(self, z: Any) -> Any:
        return z.sum(-1) ** 2

    def coefficient(self, k: int) -> float:
        return {0: 1.0, 2: math.sqrt(2)}.get(k, 0.0)

    def smoothed(self, z: np.ndarray, rho: float) -> np.ndarray:
        return rho**2 * z**2 + 1 - rho**2


@dataclass(frozen=True)
class Sign:
    kink = 0.0

    def __call__(self, z: Any) -> Any:
        return library(z).sign(z.sum(-1))

    def coefficient(self, k: int) -> float:
        return math.sqrt(2 / math.pi) * hermite_at_zero(k - 1) / math.sqrt(math.factorial(k)) if k % 2 else 0.0

    def smoothed(self, z: np.ndarray, rho: float) -> np.ndarray:
        return special.erf(rho * z / math.sqrt(2 * (1 - rho**2)))


@dataclass(frozen=True)
class Rectifier:
    kink = 0.0

    def __call__(self, z: Any) -> Any:
        return z.sum(-1).clip(0, None)

    def coefficient(self, k: int) -> float:
        if k < 2:
            return (1 / math.sqrt(2 * math.pi), 0.5)[k]
        return hermite_at_zero(k - 2) / math.sqrt(2 * math.pi * math.factorial(k))

    def smoothed(self, z: np.ndarray, rho: float) -> np.ndarray:
        spread = math.sqrt(1 - rho**2)
        u = rho * z / spread
        return rho * z * special.ndtr(u) + spread * np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class NormalCdf:
    def __call__(self, z: Any) -> Any:
        z = z.sum(-1)
        return torch.special.ndtr(z) if isinstance(z, torch.Tensor) else special.ndtr(z)

    def coefficient(self, k: int) -> float:
        if k % 2 == 0:
            return 0.5 if k == 0 else 0.0
        odd = float(special.factorial2(k - 2)) if k > 1 else 1.0
        return (-0.5) ** ((k - 1) // 2) * odd / (2 * math.sqrt(math.pi * math.factorial(k)))

    def smoothed(self, z: np.ndarray, rho: float) -> np.ndarray:
        return special.ndtr(rho * z / math.sqrt(2 - rho**2))


SMOOTH = (Exponential(0.7), Cosine(1.3), Sine(1.3), Square(), NormalCdf())
KINKED = (Sign(), Rectifier())


def hermite_at_zero(k: int) -> float:
    """He_k(0): zero for odd k, (-1)^(k/2) (k-1)!! for even k."""
    return 0.0 if k % 2 else (-1) ** (k // 2) * float(special.factorial2(k - 1) if k else 1)


@dataclass(frozen=True)
class TanhNetwork:
    """One hidden tanh layer, (..., n) to (..., m): stands for the networks of the models."""

    weights_in: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]
    weights_out: tuple[tuple[float, ...], ...]

    def __call__(self, z: Any) -> Any:
        hidden = library(z).tanh(z @ like(self.weights_in, z) + like(self.bias, z))
        return hidden @ like(self.weights_out, z)

    def perturbed(self, step: float, rng: np.random.Generator) -> TanhNetwork:
        return TanhNetwork(
            *(_tuples(np.asarray(part) * (1 + step * rng.uniform(-1, 1, size=np.shape(part)))) for part in self._parts)
        )

    @property
    def _parts(self) -> tuple[Any, ...]:
        return self.weights_in, self.bias, self.weights_out

    @classmethod
    def random(cls, seed: int, inputs: int, hidden: int = 4, outputs: int = 1) -> TanhNetwork:
        rng = np.random.default_rng(seed)
        shapes = ((inputs, hidden), (hidden,), (hidden, outputs))
        return cls(*(_tuples(rng.normal(size=shape)) for shape in shapes))


@dataclass(frozen=True)
class Polynomial:
    """Sum of c z^alpha over the last axis of z; exact under quadrature."""

    powers: tuple[tuple[int, ...], ...]
    factors: tuple[float, ...]

    def __call__(self, z: Any) -> Any:
        return sum(
            c * library(z).stack([z[..., i] ** p for i, p in enumerate(alpha)], -1).prod(-1)
            for alpha, c in zip(self.powers, self.factors, strict=True)
        )

    def perturbed(self, step: float, rng: np.random.Generator) -> Polynomial:
        return Polynomial(self.powers, tuple(f * (1 + step * rng.uniform(-1, 1)) for f in self.factors))

    @classmethod
    def random(cls, seed: int, variables: int, degree: int, terms: int = 4) -> Polynomial:
        rng = np.random.default_rng(seed)
        powers = [rng.multinomial(rng.integers(degree + 1), np.ones(variables) / variables) for _ in range(terms)]
        return cls(tuple(tuple(int(p) for p in alpha) for alpha in powers), tuple(rng.normal(size=terms).tolist()))


def _tuples(array: np.ndarray) -> tuple[Any, ...]:
    """Nested tuples of Python floats, so that the function is hashable and its constants are no arrays."""
    return tuple(map(tuple, array.tolist())) if array.ndim == 2 else tuple(array.tolist())


def worked_tanh(z: Any) -> Any:
    """tanh(2 z + 0.3), the one-dimensional example of the specification."""
    return library(z).tanh(2 * z[..., 0] + 0.3)


def worked_mean(z: Any) -> Any:
    """sin(1.5 z) + 0.3 z^2, the mean function of the example in Section 3; values (..., 1)."""
    return library(z).sin(1.5 * z) + 0.3 * z**2

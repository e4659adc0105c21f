"""Checks of normalisation, balancing and of what breaks the order of a flow.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reference import balancing, convolution, flows, normalisation
from reproductions.nvae._checks_training import CHANNELS, SIDE, random_flow, variable_order

Metrics = dict[str, float]
Array = NDArray[np.float64]
EPSILON = 1e-5
# Small against every variance that occurs: as good as none.
NO_EPSILON = 1e-300
KL_FLOOR = 0.01


@dataclass(frozen=True)
class Layer:
    """A linear map and batch normalisation with running statistics."""

    weight: Array
    gain: Array
    bias: Array
    mean: Array
    variance: Array

    @classmethod
    def random(cls, rng: np.random.Generator, width: int) -> Layer:
        """Draw one; gains above 1 amplify."""
        gain, bias, mean = rng.standard_normal((3, width)) * np.array([[3.0], [1.0], [1.0]])
        return cls(rng.standard_normal((width, width)), gain, bias, mean, rng.uniform(0.1, 3, width))

    def __call__(self, x: Array, shift: Array | float = 0.0) -> Array:
        """Apply it, with a running mean that is off by ``shift``."""
        h = x @ self.weight.T
        return normalisation.batch_norm_eval(h, self.gain, self.bias, self.mean + shift, self.variance, EPSILON)

    def factor(self) -> Array:
        """What the normalisation multiplies each channel by."""
        return self.gain / np.sqrt(self.variance + EPSILON)


def shift_amplified(rng: np.random.Generator) -> Metrics:
    """A wrong running mean in the first of five linear layers with normalisation, and its way through them."""
    errors, beyond, width = [], 0, 8
    for _ in range(200):
        first, *later = (Layer.random(rng, width) for _ in range(5))
        x, delta = rng.standard_normal((4, width)), rng.standard_normal(width) * 10.0 ** rng.uniform(-3, 0)
        right, wrong = first(x), first(x, delta)
        exact = -first.factor() * delta
        errors.append(float(np.max(np.abs(wrong - right - exact)) / np.max(np.abs(right))))
        limit = float(np.linalg.norm(exact))
        for layer in later:
            right, wrong = layer(right), layer(wrong)
            limit *= float(np.max(np.abs(layer.factor())) * np.linalg.norm(layer.weight, 2))
            # Rounding in the difference of two large outputs.
            slack = 1e-12 * float(np.max(np.abs(right)))
            beyond += bool(np.max(np.linalg.norm(wrong - right, axis=1)) > limit * (1 + 1e-9) + slack)
    return {"shift_error": max(errors), "bound_violations": beyond}


def scale_of_weights(rng: np.random.Generator) -> Metrics:
    """Batch normalisation after a convolution whose weights are multiplied by a constant."""
    x, weight = rng.standard_normal((2, 3, 8, 8)), rng.standard_normal((5, 3, 3, 3))
    gain, bias = rng.uniform(0.5, 2, 5), np.zeros(5)
    plain = convolution.same(x, weight, np.zeros(5), 1)
    wanted = normalisation.batch_norm(plain, gain, bias, NO_EPSILON)
    variance = plain.var(axis=(0, 2, 3), keepdims=True)
    differences, beyond = [], 0
    for c in (0.1, 10.0):
        scaled = convolution.same(x, c * weight, np.zeros(5), 1)
        differences.append(np.max(np.abs(normalisation.batch_norm(scaled, gain, bias, NO_EPSILON) - wanted)))
        deviation = np.abs(normalisation.batch_norm(scaled, gain, bias, EPSILON) / wanted - 1)
        # Entries next to zero carry the rounding of the mean.
        slack = 1e-12 / np.abs(wanted)
        beyond += int(np.sum(deviation > EPSILON / (2 * c**2 * variance) + slack))
    return {"output_difference": float(max(differences)), "bound_violations": beyond}


def broken_order(rng: np.random.Generator) -> Metrics:
    """Entries of the Jacobian above the diagonal with a layer inserted at the end of the masked cell."""
    weights, bias = random_flow(rng)
    z = rng.standard_normal((1, CHANNELS, SIDE, SIDE))
    gain, offset = rng.uniform(0.5, 2, CHANNELS), rng.standard_normal(CHANNELS)
    mean, variance = rng.standard_normal(CHANNELS), rng.uniform(0.5, 2, CHANNELS)
    excite = (
        rng.standard_normal((4, CHANNELS)),
        rng.standard_normal(4),
        rng.standard_normal((CHANNELS, 4)),
        np.zeros(CHANNELS),
    )
    inserted: dict[str, Callable[[Array], Array]] = {
        "nothing": lambda h: h,
        "evaluated": lambda h: normalisation.batch_norm_eval(h, gain, offset, mean, variance, EPSILON),
        "normalised": lambda h: normalisation.batch_norm(h, gain, offset, EPSILON),
        "excited": lambda h: convolution.squeeze_excite(h, *excite),
    }
    return {f"above_diagonal_{name}": _above(z, weights, bias, layer) for name, layer in inserted.items()}


def _above(z: Array, weights: list[Array], bias: Array, layer: Callable[[Array], Array]) -> float:
    """Largest move of a predecessor when one variable takes a unit step, each image on its own."""

    def step(value: Array) -> Array:
        return (value + layer(flows.autoregressive_shift(value, weights, bias, False))).ravel()

    base = step(z)
    units = np.eye(z.size).reshape(z.size, *z.shape)
    jacobian = np.stack([step(z + unit) - base for unit in units], axis=1)
    order = variable_order(False)
    return float(np.max(np.abs(np.triu(jacobian[np.ix_(order, order)], 1))))


def size_factor(rng: np.random.Generator) -> Metrics:
    """Balancing weights of two groups of 4x4 and 8x8 with one nat per place, by three rules."""
    sizes = np.array([16.0, 64.0])
    kl = sizes[:, None]
    weights = {
        "printed": balancing.balance_weights(kl, sizes, KL_FLOOR),
        "public": balancing.balance_weights(kl, 1 / balancing.scale_weights([1, 1]), KL_FLOOR),
        "plain": balancing.balance_weights(kl, np.ones(2), KL_FLOOR),
    }
    names = ("coarse", "fine")
    found = {f"{rule}_{name}": float(v) for rule, pair in weights.items() for name, v in zip(names, pair, strict=True)}
    ratio = weights["printed"][1] / weights["printed"][0] / (weights["public"][1] / weights["public"][0])
    return {**found, "log_ratio_printed_to_public": math.log(float(ratio))}

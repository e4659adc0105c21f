"""Full grids of the corners that the specifications promise, in single precision.

One module per topic, one function per function under test, under its own name. It returns the argument dictionaries
that together are the grid: ``corners.grid("gaussian.kl")`` is ``corners.gaussian.kl()``. Axes broadcast against each
other, so that a dictionary is one call.
"""

from __future__ import annotations

import inspect
import itertools
import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np


class Product(dict[str, Any]):
    """Arguments whose arrays broadcast to a cartesian product, one axis each."""


class Ridge(Product):
    """Points at which rounding an input changes the result beyond measure: it must be finite, no digits are asked."""


def functions() -> list[str]:
    """Return every function that has a grid, sorted."""
    found = []
    for topic in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{topic.name}")
        own = inspect.getmembers(module, lambda f, m=module: inspect.isfunction(f) and f.__module__ == m.__name__)
        found += [f"{topic.name}.{name}" for name, _ in own if not name.startswith("_")]
    return sorted(found)


def grid(function: str) -> list[dict[str, Any]]:
    """Return the argument dictionaries of a function's grid."""
    topic, name = function.split(".")
    return getattr(import_module(f"{__name__}.{topic}"), name)()


def without_gradient(function: str, argument: str = "") -> str | None:
    """Return why no gradient is asked of a function, or of one argument of it; None where it must be finite.

    The reasons stand in the topic's table ``NO_GRADIENTS``, under ``name`` or ``name.argument``.
    """
    topic, name = function.split(".")
    reasons = getattr(import_module(f"{__name__}.{topic}"), "NO_GRADIENTS", {})
    return reasons.get(f"{name}.{argument}" if argument else name)


def residual(function: str) -> Callable[..., np.ndarray] | None:
    """Return the topic's measure of a round trip in ulps, for functions that the specification judges by it, or None.

    It takes the outputs and the arguments; an inverse needs it where its own condition is bad.
    """
    topic, name = function.split(".")
    return getattr(import_module(f"{__name__}.{topic}"), "RESIDUALS", {}).get(name)


def product(fixed: dict[str, Any] | None = None, *, summed: bool = False, **axes: Any) -> list[dict[str, Any]]:
    """Return the cartesian product of the axes, apart for every combination of zero and non-zero values.

    A zero is perturbed by the rounding unit of its array, so it must not share one with large numbers. ``summed``
    appends the axis of length 1 that the function sums over; ``fixed`` holds arguments that are no axes.
    """
    parts = []
    for axis in (np.asarray(values) for values in axes.values()):
        zero = (axis == 0) if axis.dtype.kind == "f" else np.zeros(axis.shape, dtype=bool)
        parts.append([part for part in (axis[~zero], axis[zero][:1]) if part.size])
    rank = len(parts) + summed
    return [
        Product(
            {
                name: part.reshape([-1 if i == place else 1 for i in range(rank)])
                for place, (name, part) in enumerate(zip(axes, chosen, strict=True))
            }
            | (fixed or {})
        )
        for chosen in itertools.product(*parts)
    ]


def together(**arrays: Any) -> list[dict[str, Any]]:
    """Return one dictionary of arrays that run side by side: a curve through the grid."""
    return [Product({name: np.asarray(values) for name, values in arrays.items()})]


def both_signs(*sizes: float) -> np.ndarray:
    """Sizes with both signs, in increasing order, and zero."""
    return np.array(sorted({0.0, *sizes, *(-size for size in sizes)}))


def probabilities() -> np.ndarray:
    """Uniform noise from 0 to 1 with the neighbourhoods of both ends, in single precision."""
    small = [2.0**-126, 1e-30, 1e-20, 1e-10, 2.0**-24, 1e-5, 1e-3, 0.01, 0.1]
    middle = [0.25, 0.3, 0.45, 0.5, 0.55, 0.6, 0.75]
    return np.array([0.0, *small, *middle, 0.9, 0.99, 0.999, 1 - 1e-5, 1 - 2.0**-23, 1 - 2.0**-24, 1.0])


def logits(certain: bool = True) -> np.ndarray:
    """Logits from -100 to 100 with the neighbourhood of 0, and (``certain``) the infinite ones."""
    finite = both_signs(1e-6, 1e-3, 0.1, 0.5, 1, 2, 5, 8, 12, 16, 17.5, 30, 60, 88, 100)
    return np.concatenate([[-np.inf], finite, [np.inf]]) if certain else finite

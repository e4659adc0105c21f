"""What the reference functions demand of their arguments: one check, one clear ``ValueError``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def real(name: str, value: ArrayLike) -> Array:
    """Return ``value`` as a float64 array; raise if an entry is not a number (NaN)."""
    array = np.asarray(value, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError(f"{name} must not contain NaN, got {_shown(array)}")
    return array


def finite(name: str, value: ArrayLike) -> Array:
    """Return ``value`` as a float64 array; raise unless every entry is finite."""
    array = real(name, value)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {_shown(array, ~np.isfinite(array))}")
    return array


def positive(name: str, value: ArrayLike) -> Array:
    """Return ``value`` as a float64 array; raise unless every entry is finite and > 0."""
    array = finite(name, value)
    if not (array > 0).all():
        raise ValueError(f"{name} must be > 0, got {_shown(array, ~(array > 0))}")
    return array


def non_negative(name: str, value: ArrayLike) -> Array:
    """Return ``value`` as a float64 array; raise unless every entry is finite and >= 0."""
    array = finite(name, value)
    if not (array >= 0).all():
        raise ValueError(f"{name} must be >= 0, got {_shown(array, ~(array >= 0))}")
    return array


def within(name: str, value: ArrayLike, low: float, high: float) -> Array:
    """Return ``value`` as a float64 array; raise unless every entry lies in [low, high]."""
    array = finite(name, value)
    inside = (array >= low) & (array <= high)
    if not inside.all():
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {_shown(array, ~inside)}")
    return array


def integer(name: str, value: int, at_least: int) -> int:
    """Return ``value`` as an int; raise unless it is an integer >= ``at_least``."""
    if isinstance(value, bool) or int(value) != value or value < at_least:
        raise ValueError(f"{name} must be an integer >= {at_least}, got {value!r}")
    return int(value)


def single(name: str, array: Array) -> Array:
    """Return a checked array; raise unless it is one number, without axes."""
    if array.ndim:
        raise ValueError(f"{name} must be one number, got shape {array.shape}")
    return array


def each(check: Callable[[str, ArrayLike], Array], name: str, values: Sequence[ArrayLike]) -> list[Array]:
    """Return every array of a sequence, checked under its own name ``name[i]``."""
    return [check(f"{name}[{i}]", value) for i, value in enumerate(values)]


def broadcast(**arrays: NDArray[Any]) -> tuple[int, ...]:
    """Return the common shape; raise with the names and shapes if there is none."""
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"shapes must broadcast together, got {shapes}") from None


def _shown(array: Array, wrong: NDArray[np.bool_] | None = None) -> str:
    """The offending value: the array itself when it is a scalar, else its first wrong entry and index."""
    if array.ndim == 0:
        return repr(float(array))
    wrong = np.isnan(array) if wrong is None else wrong
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{float(array[index])!r} at index {index}"

"""Building blocks of the strategies: shapes, reals, scales, correlations, with their corners drawn often."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn, SearchStrategy

SHAPES = ((1,), (3,), (2, 1), (2, 3), (1, 4), (2, 2, 2))


def shapes() -> SearchStrategy[tuple[int, ...]]:
    """Shapes (..., n) of a batch of vectors."""
    return st.sampled_from(SHAPES)


def real_numbers(bound: float = 30.0) -> SearchStrategy[float]:
    """Reals of moderate size; zero, ones and the bound come often."""
    return st.one_of(
        st.sampled_from([0.0, 1.0, -1.0, 1e-3, float(bound), -float(bound)]), st.floats(-bound, bound).map(_normal)
    )


def scale_numbers(low: float = 1e-4, high: float = 1e4) -> SearchStrategy[float]:
    """Positive numbers, uniform in the logarithm; one and its neighbourhood come often."""
    logs = st.floats(math.log(low), math.log(high)).map(math.exp)
    return st.one_of(st.sampled_from([1.0, 1.0 + 2**-7, 1.0 - 2**-7, float(low), float(high)]), logs)


def rho_numbers() -> SearchStrategy[float]:
    """Correlations in [0, 1]; both ends and the neighbourhood of 1 come often."""
    corners = [0.0, 1.0, 0.5, 0.9, 1 - 2**-7, 1 - 2**-20, 1 - 2**-40, 2**-10]
    return st.one_of(st.sampled_from(corners), st.floats(0, 1).map(_normal))


def array(draw: DrawFn, elements: SearchStrategy[float], shape: tuple[int, ...]) -> np.ndarray:
    """Draw a float64 array."""
    return draw(hnp.arrays(np.float64, shape, elements=elements))


def together(**strategies: SearchStrategy[float]) -> SearchStrategy[dict[str, Any]]:
    """Draw arrays of one common shape, one per keyword."""

    @st.composite
    def build(draw: DrawFn) -> dict[str, Any]:
        shape = draw(shapes())
        return {name: array(draw, elements, shape) for name, elements in strategies.items()}

    return build()


def _normal(x: float) -> float:
    """Flush numbers too small for float32 and bfloat16 to zero: their loss is not the function's error."""
    return x if abs(x) > 1e-30 else 0.0

"""Inputs of the linear-Gaussian model: collapse and its neighbourhood, no smoothing and almost none."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, rho_numbers, scale_numbers, together

# Rounding accumulates over the steps: in bfloat16 nothing of the path is left.
DTYPES = {"descend": ("float64", "float32")}


def objective() -> SearchStrategy[dict[str, Any]]:
    return together(
        slope_q=real_numbers(4),
        slope_p=real_numbers(4),
        scale_q=moderate(),
        scale_p=moderate(),
        variance=moderate(),
        strength=rho_numbers(),
    )


def top_kl() -> SearchStrategy[dict[str, Any]]:
    return together(slope_q=real_numbers(), scale_q=scale_numbers(), variance=moderate())


def collapsed_objective() -> SearchStrategy[dict[str, Any]]:
    return together(variance=scale_numbers())


def profile() -> SearchStrategy[dict[str, Any]]:
    strengths = st.one_of(st.sampled_from([1.0, 1 - 2**-7, 1 - 2**-20, 0.5, 0.0625, 2**-14]), st.floats(2**-14, 1))
    return together(ratio=scale_numbers(), strength=strengths)


def hessian_at_collapse() -> SearchStrategy[dict[str, Any]]:
    return together(variance=scale_numbers(), strength=rho_numbers())


@st.composite
def descend(draw: DrawFn) -> dict[str, Any]:
    return {
        "strength": array(draw, rho_numbers(), (3,)),
        "steps": draw(st.sampled_from([0, 1, 5, 20])),
        "rate": draw(st.sampled_from([0.0625, 0.125])),
        "start": draw(st.sampled_from([0.015625, 0.5, -0.5])),
        "floor": draw(st.sampled_from([0.0625, 0.875])),
        "variance": draw(st.sampled_from([1.0, 0.5, 1.5])),
    }


def smoothed_excess() -> SearchStrategy[dict[str, Any]]:
    return together(slope_p=real_numbers(), scale_p=scale_numbers(), strength=rho_numbers())


def moderate() -> SearchStrategy[float]:
    """Scales and variances within a factor of 16 of 1."""
    return scale_numbers(0.0625, 16.0)

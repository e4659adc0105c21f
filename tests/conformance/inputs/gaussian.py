"""Inputs of the Gaussian functions: equal and nearly equal scales, very small and very large ones, broadcasting."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import real_numbers, scale_numbers, together


def log_density() -> SearchStrategy[dict[str, Any]]:
    return together(z=real_numbers(), mean=real_numbers(), scale=scale_numbers())


def kl() -> SearchStrategy[dict[str, Any]]:
    apart = together(mean_q=real_numbers(), scale_q=scale_numbers(), mean_p=real_numbers(), scale_p=scale_numbers())
    return st.one_of(apart, _nearly_equal())


@st.composite
def _nearly_equal(draw: DrawFn) -> dict[str, Any]:
    """Equal means, and scales that differ by a small factor: there the printed sum cancels."""
    drawn = draw(kl_standard())
    mean, scale = drawn["mean"], drawn["scale"]
    factor = 1 + draw(st.sampled_from([2.0**-7, 2.0**-10, 2.0**-20]))
    return {"mean_q": mean, "scale_q": scale, "mean_p": mean, "scale_p": scale * factor}


def kl_standard() -> SearchStrategy[dict[str, Any]]:
    return together(mean=real_numbers(), scale=scale_numbers())


def entropy() -> SearchStrategy[dict[str, Any]]:
    return together(scale=scale_numbers())


def reparameterise() -> SearchStrategy[dict[str, Any]]:
    return together(mean=real_numbers(), scale=scale_numbers(), noise=real_numbers(8))

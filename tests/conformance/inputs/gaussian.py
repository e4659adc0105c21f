"""Inputs of the Gaussian functions: equal and nearly equal scales, very small and very large ones, broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import real_numbers, scale_numbers, together


def log_density() -> SearchStrategy[dict[str, Any]]:
    return together(z=real_numbers(), mean=real_numbers(), scale=scale_numbers())


@st.composite
def kl(draw: DrawFn) -> dict[str, Any]:
    scales = scale_numbers()
    drawn = draw(together(mean_q=real_numbers(), scale_q=scales, mean_p=real_numbers(), scale_p=scales))
    if draw(st.booleans()):
        # Nearly equal Gaussians, where a sum that cancels loses its digits.
        # In single precision autograd's slope, r^2 less 1, is then good to 4e-6 of its scale: far below the noise of
        # any training, and no reason for a backward pass by hand.
        drawn["mean_q"], drawn["scale_q"] = drawn["mean_p"], drawn["scale_p"] * (1 + 2.0**-8)
    return drawn


def kl_standard() -> SearchStrategy[dict[str, Any]]:
    return together(mean=real_numbers(), scale=scale_numbers())


def entropy() -> SearchStrategy[dict[str, Any]]:
    return together(scale=scale_numbers())


def reparameterise() -> SearchStrategy[dict[str, Any]]:
    return together(mean=real_numbers(), scale=scale_numbers(), noise=real_numbers(8))


def kl_gradient() -> SearchStrategy[dict[str, Any]]:
    return kl()


@st.composite
def tempered_sample(draw: DrawFn) -> dict[str, Any]:
    temperature = draw(st.sampled_from([0.0, 0.3, 0.7, 0.85, 1.0]))
    return {**draw(reparameterise()), "temperature": np.asarray(temperature)}


def precision_merge() -> SearchStrategy[dict[str, Any]]:
    return together(mean_a=real_numbers(), scale_a=scale_numbers(), mean_b=real_numbers(), scale_b=scale_numbers())

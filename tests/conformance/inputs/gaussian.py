"""Inputs of the Gaussian functions: equal and nearly equal scales, very small and very large ones, broadcasting."""

from __future__ import annotations

from typing import Any

from hypothesis.strategies import SearchStrategy

from tests.conformance.inputs.common import real_numbers, scale_numbers, together


def log_density() -> SearchStrategy[dict[str, Any]]:
    return together(z=real_numbers(), mean=real_numbers(), scale=scale_numbers())


def kl() -> SearchStrategy[dict[str, Any]]:
    return together(mean_q=real_numbers(), scale_q=scale_numbers(), mean_p=real_numbers(), scale_p=scale_numbers())


def kl_standard() -> SearchStrategy[dict[str, Any]]:
    return together(mean=real_numbers(), scale=scale_numbers())


def entropy() -> SearchStrategy[dict[str, Any]]:
    return together(scale=scale_numbers())


def reparameterise() -> SearchStrategy[dict[str, Any]]:
    return together(mean=real_numbers(), scale=scale_numbers(), noise=real_numbers(8))

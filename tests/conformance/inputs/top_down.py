"""Inputs of the top-down hierarchies: one to four groups of different widths, small and equal scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.conformance.inputs.common import array, real_numbers, scale_numbers

Groups = dict[str, list[np.ndarray]]


def _groups(draw: DrawFn, batch: tuple[int, ...], reals: tuple[str, ...], scales: tuple[str, ...]) -> Groups:
    shapes = [(*batch, draw(st.integers(1, 3))) for _ in range(draw(st.integers(1, 4)))]
    drawn = {name: [array(draw, real_numbers(10), shape) for shape in shapes] for name in reals}
    return drawn | {name: [array(draw, scale_numbers(1e-2, 1e2), shape) for shape in shapes] for name in scales}


def _batch(draw: DrawFn) -> tuple[int, ...]:
    return draw(st.sampled_from([(), (3,)]))


@st.composite
def log_density(draw: DrawFn) -> dict[str, Any]:
    return _groups(draw, _batch(draw), ("z", "mean"), ("scale",))


@st.composite
def log_joint(draw: DrawFn) -> dict[str, Any]:
    batch = _batch(draw)
    likelihood = array(draw, real_numbers(300), batch)
    return {"log_likelihood": likelihood, **_groups(draw, batch, ("z", "mean_p"), ("scale_p",))}


@st.composite
def group_kl(draw: DrawFn) -> dict[str, Any]:
    return _groups(draw, _batch(draw), ("mean_q", "mean_p"), ("scale_q", "scale_p"))


@st.composite
def elbo(draw: DrawFn) -> dict[str, Any]:
    batch = _batch(draw)
    likelihood = array(draw, real_numbers(300), batch)
    return {"log_likelihood": likelihood, **_groups(draw, batch, ("mean_q", "mean_p"), ("scale_q", "scale_p"))}

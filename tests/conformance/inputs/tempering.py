"""Inputs of the tempered machines: one rung, no coupling, equal energies, no rejections, disjoint energies."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.boltzmann import SAMPLED, bits, machines, uniforms
from tests.conformance.inputs.common import array, real_numbers

# Bisection and the searched ladder resolve no more than the dtype.
NARROW = ("parallel_tempering", "adaptive_ladder", "bennett", "log_partition_bar", "annealed_log_weights")
DTYPES = dict.fromkeys(NARROW, SAMPLED)


@st.composite
def ladders(draw: DrawFn, least: int = 2) -> np.ndarray:
    """From 0 to 1 with unequal steps; one rung is the machine itself."""
    steps = draw(st.lists(st.integers(1, 4), min_size=least - 1, max_size=4))
    return np.cumsum([0, *steps]) / sum(steps) if steps else np.ones(1)


@st.composite
def tempered(draw: DrawFn) -> dict[str, Any]:
    return {**draw(machines()), "inverse_temperatures": draw(ladders(least=1))}


def energy_moments() -> SearchStrategy[dict[str, Any]]:
    return tempered()


@st.composite
def swap_probability(draw: DrawFn) -> dict[str, Any]:
    ladder = draw(ladders(least=1))
    energies = array(draw, real_numbers(30), (*draw(st.sampled_from([(), (3,), (2, 2)])), len(ladder)))
    return {"energies": energies, "inverse_temperatures": ladder}


@st.composite
def parallel_tempering(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(tempered())
    n1, n2 = drawn["coupling"].shape
    rungs, systems, sweeps = len(drawn["inverse_temperatures"]), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    return {
        "right": bits(draw, (systems, rungs, n2)),
        **drawn,
        "uniforms_left": uniforms(draw, (sweeps, systems, rungs, n1)),
        "uniforms_right": uniforms(draw, (sweeps, systems, rungs, n2)),
        "uniforms_swap": uniforms(draw, (sweeps, systems, rungs - 1)),
    }


@st.composite
def adaptive_ladder(draw: DrawFn) -> dict[str, Any]:
    ladder = draw(ladders())
    rejections = array(
        draw, st.one_of(st.sampled_from([0.0, 0.25, 0.75]), st.floats(0.015625, 0.96875)), (len(ladder) - 1,)
    )
    # Where neighbouring slopes agree the monotone interpolant has a kink, and no derivative to compare.
    rejections = rejections * np.linspace(1, 0.9, len(rejections))
    return {"inverse_temperatures": ladder, "rejections": rejections, "rungs": draw(st.integers(2, 6))}


@st.composite
def bennett(draw: DrawFn) -> dict[str, Any]:
    # Samples of the colder machine lie lower; where they lie far above, both sides of the equation saturate.
    spread, apart = draw(st.sampled_from([(0.0, 0.0), (0.0, 5.0), (1.0, 0.0), (1.0, 5.0), (3.0, 5.0), (10.0, 50.0)]))
    first, second = (
        array(draw, real_numbers(spread) if spread else st.just(1.0), (draw(st.integers(1, 4)),)) for _ in range(2)
    )
    return {
        "energies": first,
        "energies_next": second - apart,
        "difference": np.asarray(draw(st.sampled_from([0.0625, 0.25, 1.0]))),
    }


@st.composite
def log_partition_bar(draw: DrawFn, least: int = 1) -> dict[str, Any]:
    ladder = draw(ladders())
    shape = (draw(st.integers(least, 4)), draw(st.integers(1, 2)), len(ladder))
    drift = draw(st.sampled_from([0.0, 10.0]))
    energies = array(draw, real_numbers(draw(st.sampled_from([0.5, 8.0]))), shape) - drift * ladder
    base = np.asarray(draw(st.sampled_from([0.0, 1.375, 20.0])))
    return {"energies": energies, "inverse_temperatures": ladder, "log_partition_base": base}


def log_partition_ti() -> SearchStrategy[dict[str, Any]]:
    return log_partition_bar(least=2)


@st.composite
def replicates(draw: DrawFn) -> dict[str, Any]:
    tail = draw(st.sampled_from([(), (2,)]))
    # Unequal on purpose: at equal estimates the standard error has no derivative.
    spread = np.arange(8.0).reshape(-1, *[1] * len(tail))
    rows = draw(st.integers(2, 8))
    return {"estimates": array(draw, st.floats(-0.25, 0.25).map(lambda x: round(x, 6)), (rows, *tail)) + spread[:rows]}


@st.composite
def annealed_log_weights(draw: DrawFn) -> dict[str, Any]:
    machine, ladder = draw(machines()), draw(ladders())[1:]
    n1, n2 = machine["coupling"].shape
    chains, steps = draw(st.integers(1, 3)), len(ladder)
    return {
        **machine,
        "inverse_temperatures": ladder,
        "uniforms_left": uniforms(draw, (steps - 1, chains, n1)),
        "uniforms_right": uniforms(draw, (steps, chains, n2)),
    }


@st.composite
def log_partition_ais(draw: DrawFn) -> dict[str, Any]:
    size = draw(st.integers(2, 6))
    shift = draw(st.sampled_from([0.0, 900.0, -900.0]))
    weights = array(draw, st.floats(-3, 3).map(lambda x: round(x, 6)), (size,)) + 0.25 * np.arange(size)
    return {"log_weights": weights + shift, "log_partition_base": np.asarray(draw(st.sampled_from([1.375, 20.0])))}


def chains() -> SearchStrategy[np.ndarray]:
    """Energies (n, 3) for properties."""
    return hnp.arrays(np.float64, (6, 3), elements=st.floats(-5, 5))

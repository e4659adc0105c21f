"""Inputs of the Boltzmann machines: no coupling, one unit in a layer, biases of 50, bits and means, saturated logits.

States are integers (nothing to differentiate) except where means are allowed too. Uniform noise lies between the
multiples of 1/64, away from the probability 1/2 of a unit without field: both sides then draw the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers

SAMPLED = ("float64", "float32")
DTYPES = {"block_gibbs": SAMPLED, "persistent_update": SAMPLED}
SIZES = ((1, 1), (2, 3), (3, 2), (1, 4), (4, 1))
BATCHES = ((), (1,), (3,), (2, 2))


@st.composite
def machines(draw: DrawFn) -> dict[str, Any]:
    """Parameters; often without couplings, sometimes with saturating biases."""
    n1, n2 = draw(st.sampled_from(SIZES))
    weight, bias = draw(st.sampled_from([0.0, 0.5, 4.0])), draw(st.sampled_from([0.5, 3.0, 50.0]))
    return {
        "bias_left": array(draw, real_numbers(bias), (n1,)),
        "bias_right": array(draw, real_numbers(bias), (n2,)),
        "coupling": array(draw, real_numbers(weight), (n1, n2)) if weight else np.zeros((n1, n2)),
    }


@st.composite
def energy(draw: DrawFn) -> dict[str, Any]:
    machine, batch = draw(machines()), draw(st.sampled_from(BATCHES))
    n1, n2 = machine["coupling"].shape
    means = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0078125, 1))
    return {"left": array(draw, means, (*batch, n1)), "right": array(draw, means, (*batch, n2)), **machine}


def conditionals() -> SearchStrategy[dict[str, Any]]:
    return _with_bits()


@st.composite
def block_gibbs(draw: DrawFn) -> dict[str, Any]:
    machine, batch = draw(machines()), draw(st.sampled_from(BATCHES))
    n1, n2 = machine["coupling"].shape
    updates = draw(st.integers(1, 3))
    return {
        "right": bits(draw, (*batch, n2)),
        **machine,
        "uniforms_left": uniforms(draw, (updates, *batch, n1)),
        "uniforms_right": uniforms(draw, (updates, *batch, n2)),
    }


def persistent_update() -> SearchStrategy[dict[str, Any]]:
    return block_gibbs()


def log_partition() -> SearchStrategy[dict[str, Any]]:
    return machines()


def moments() -> SearchStrategy[dict[str, Any]]:
    return machines()


def log_partition_surrogate() -> SearchStrategy[dict[str, Any]]:
    return _with_bits(batches=((1,), (3,), (5,)))


@st.composite
def hierarchical_cross_entropy(draw: DrawFn) -> dict[str, Any]:
    machine, batch = draw(machines()), draw(st.sampled_from(BATCHES))
    n1, n2 = machine["coupling"].shape
    groups = draw(st.sampled_from([1, 2, 3]))
    return {
        "logits_left": array(draw, logits(), (*batch, n1)),
        "logits_right": array(draw, logits(), (*batch, n2)),
        "ratios_left": array(draw, real_numbers(10), (*batch, n1)),
        "ratios_right": array(draw, real_numbers(10), (*batch, n2)),
        "groups_left": draw(hnp.arrays(np.int64, n1, elements=st.integers(0, groups - 1))),
        "groups_right": draw(hnp.arrays(np.int64, n2, elements=st.integers(0, groups - 1))),
        **machine,
        "log_partition": np.asarray(draw(real_numbers(30))),
    }


def hierarchical_kl() -> SearchStrategy[dict[str, Any]]:
    return hierarchical_cross_entropy()


@st.composite
def spike_exp_gradient(draw: DrawFn) -> dict[str, Any]:
    machine, batch = draw(machines()), draw(st.sampled_from(BATCHES))
    n1, n2 = machine["coupling"].shape
    return {
        "logits": array(draw, logits(), (*batch, n1)),
        "left": bits(draw, (*batch, n1)),
        "mean_right": array(draw, st.floats(0.0078125, 1), (*batch, n2)),
        "coupling": machine["coupling"],
    }


@st.composite
def elbo(draw: DrawFn) -> dict[str, Any]:
    batch, groups = draw(st.sampled_from(BATCHES)), draw(st.sampled_from([0, 1, 4]))
    return {
        "log_likelihood": array(draw, real_numbers(500), batch),
        "discrete_kl": array(draw, real_numbers(30), batch),
        "group_kls": array(draw, st.floats(0, 30), (*batch, groups)),
    }


@st.composite
def log_weight(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(hierarchical_cross_entropy())
    batch = drawn["logits_left"].shape[:-1]
    kept = {
        n: drawn[n] for n in ("logits_left", "logits_right", "bias_left", "bias_right", "coupling", "log_partition")
    }
    return {
        "log_likelihood": array(draw, real_numbers(500), batch),
        "left": bits(draw, drawn["logits_left"].shape),
        "right": bits(draw, drawn["logits_right"].shape),
        **kept,
        "local_log_ratio": array(draw, real_numbers(30), batch),
    }


@st.composite
def corrected_log_likelihood(draw: DrawFn) -> dict[str, Any]:
    return {
        "log_likelihood": array(draw, real_numbers(500), draw(st.sampled_from(BATCHES))),
        "log_partition_used": np.asarray(draw(real_numbers(30))),
        "log_partition": np.asarray(draw(real_numbers(30))),
    }


def logits() -> SearchStrategy[float]:
    """Posterior logits; undecided and saturated ones come often."""
    return st.one_of(st.sampled_from([100.0, -100.0]), real_numbers(20))


def bits(draw: DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """Draw states 0 or 1, int64."""
    return draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 1)))


def uniforms(draw: DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """Draw uniform noise (k + 1/2)/64."""
    return array(draw, st.integers(0, 63).map(lambda k: (k + 0.5) / 64), shape)


@st.composite
def _with_bits(draw: DrawFn, batches: tuple[tuple[int, ...], ...] = BATCHES) -> dict[str, Any]:
    machine, batch = draw(machines()), draw(st.sampled_from(batches))
    n1, n2 = machine["coupling"].shape
    return {"left": bits(draw, (*batch, n1)), "right": bits(draw, (*batch, n2)), **machine}

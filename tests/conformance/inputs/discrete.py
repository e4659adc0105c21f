"""Inputs of the binary variables: certain values, equal and nearly equal distributions, huge log ratios."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.conformance.inputs.common import array, real_numbers, shapes
from tests.conformance.inputs.relaxations import finite_logits, logit_arrays

SAMPLES, BATCH, UNITS = 3, 2, 2


@st.composite
def bernoulli_log_pmf(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    z = np.asarray(array(draw, st.sampled_from([0.0, 1.0]), shape), dtype=np.int64)
    return {"z": z, "logits": logit_arrays(draw, shape)}


@st.composite
def bernoulli_entropy(draw: DrawFn) -> dict[str, Any]:
    return {"logits": logit_arrays(draw, draw(shapes()))}


@st.composite
def bernoulli_kl(draw: DrawFn) -> dict[str, Any]:
    """Independent, equal and nearly equal logits."""
    shape = draw(shapes())
    logits, prior_logits = logit_arrays(draw, shape), array(draw, finite_logits(), shape)
    distance = draw(st.sampled_from([None, None, 0.0, 2**-20, 2**-7, 0.2, 0.3, 0.99, 1.01]))
    if distance is not None:
        logits = prior_logits + distance
    return {"logits": logits, "prior_logits": prior_logits}


@st.composite
def posterior_given_zeta(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    return {"logits": array(draw, finite_logits(), shape), "log_ratio": logit_arrays(draw, shape)}


@st.composite
def joint_elbo(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(marginal_elbo())
    return {name: drawn[name] for name in ("log_likelihood", "logits", "prior_logits")}


@st.composite
def marginal_elbo(draw: DrawFn) -> dict[str, Any]:
    return {"log_likelihood": _log_likelihood(draw), **draw(joint_marginal_gap())}


@st.composite
def joint_marginal_gap(draw: DrawFn) -> dict[str, Any]:
    logits = array(draw, finite_logits(30), (BATCH, UNITS))
    prior_logits = (
        logits + draw(st.sampled_from([0.0, 1.0, -3.0]))
        if draw(st.booleans())
        else array(draw, finite_logits(30), (UNITS,))
    )
    return {
        "logits": logits,
        "prior_logits": prior_logits,
        "log_ratio": array(draw, finite_logits(60), (SAMPLES, BATCH, UNITS)),
    }


@st.composite
def directed_elbo(draw: DrawFn) -> dict[str, Any]:
    widths = draw(st.sampled_from([(1,), (2, 1), (1, 2, 2)]))
    logits = [array(draw, finite_logits(30), (SAMPLES, BATCH, n)) for n in widths]
    prior_logits = [
        array(draw, finite_logits(30), (n,) if i == 0 else (SAMPLES, BATCH, n)) for i, n in enumerate(widths)
    ]
    drawn = {"log_likelihood": _log_likelihood(draw), "logits": logits, "prior_logits": prior_logits}
    if draw(st.booleans()):
        drawn["log_ratio"] = [array(draw, finite_logits(60), (SAMPLES, BATCH, n)) for n in widths]
    return drawn


@st.composite
def rbm_marginal_density(draw: DrawFn) -> dict[str, Any]:
    first, second = draw(st.sampled_from([(1, 1), (3, 1), (1, 2), (2, 3)]))
    biases = [array(draw, real_numbers(50 if draw(st.integers(0, 4)) == 0 else 3), (n,)) for n in (first, second)]
    weights = array(draw, real_numbers(3), (first, second)) * draw(st.sampled_from([0.0, 1.0]))
    shape = (BATCH, first + second)
    log_density_0, log_ratio = array(draw, real_numbers(5), shape), array(draw, real_numbers(20), shape)
    return {
        "log_density_0": log_density_0,
        "log_ratio": log_ratio,
        "bias_1": biases[0],
        "bias_2": biases[1],
        "weights": weights,
    }


@st.composite
def active_units(draw: DrawFn) -> dict[str, Any]:
    logits = array(draw, finite_logits(), (4, 3))
    if draw(st.booleans()):
        logits[:, 0] = logits[0, 0]
    return {"logits": logits, "threshold": draw(st.sampled_from([0.05, 0.0078125, 0.2]))}


def _log_likelihood(draw: DrawFn) -> np.ndarray:
    return -np.abs(array(draw, real_numbers(100), (SAMPLES, BATCH)))

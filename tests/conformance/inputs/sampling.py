"""Inputs of the samplers: temperature 0 and 1, no and all scales fixed, one-pixel crops, correlations at both ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.conformance.functions import TanhNetwork
from tests.conformance.inputs.common import array, real_numbers, rho_numbers, scale_numbers, shapes
from tests.conformance.inputs.convolution import normal

# The index of a nearest neighbour is decided by differences that bfloat16 does not have.


@st.composite
def tempered(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    mean, noise = array(draw, real_numbers(), shape), array(draw, real_numbers(8), shape)
    temperature = draw(st.one_of(st.sampled_from([0.0, 1.0, 0.7]), st.floats(0.0625, 1)))
    scale = array(draw, scale_numbers(), shape)
    return {"mean": mean, "scale": scale, "noise": noise, "temperature": np.asarray(temperature)}


@st.composite
def fixed_scales(draw: DrawFn) -> dict[str, Any]:
    groups = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    each = [(2, scale + 1) for scale, count in enumerate(groups) for _ in range(count)]
    kept, fresh = ([normal(draw, shape, 1.0) for shape in each] for _ in range(2))
    return {"kept": kept, "fresh": fresh, "groups": tuple(groups), "fixed": draw(st.integers(0, len(groups)))}


@st.composite
def explained_share(draw: DrawFn) -> dict[str, Any]:
    tops, redraws, pixels = draw(st.integers(2, 4)), draw(st.integers(2, 4)), draw(st.integers(1, 5))
    between = normal(draw, (tops, 1, pixels), draw(st.sampled_from([1.0, 4.0, 0.5])))
    return {"images": between + normal(draw, (tops, redraws, pixels), draw(st.sampled_from([1.0, 0.125])))}


@st.composite
def smoothed_posterior_sample(draw: DrawFn) -> dict[str, Any]:
    batch, n, m, samples = 2, draw(st.integers(1, 2)), draw(st.sampled_from([1, 3])), draw(st.sampled_from([1, 2, 5]))
    return {
        "f": TanhNetwork.random(draw(st.integers(0, 10_000)), n, outputs=2 * m),
        "mean": array(draw, real_numbers(2), (batch, n)),
        "scale": array(draw, scale_numbers(0.25, 4), (batch, n)),
        "noise": normal(draw, (batch, n), 1.0),
        "fresh": normal(draw, (samples, batch, n), 1.0),
        "upper_noise": normal(draw, (batch, m), 1.0),
        "rho": np.asarray(draw(rho_numbers())),
    }

"""Inputs of the hierarchical terms: one to four layers of different widths, small scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.functions import TanhNetwork, library
from tests.conformance.inputs.common import array, real_numbers, rho_numbers, scale_numbers
from tests.conformance.inputs.hermite import with_indices


@st.composite
def layer_terms(draw: DrawFn) -> dict[str, Any]:
    batch, depth = draw(st.sampled_from([(), (3,)])), draw(st.integers(1, 4))
    shapes = [(*batch, draw(st.integers(1, 3))) for _ in range(depth)]
    reals, scales = real_numbers(10), scale_numbers(1e-2, 1e2)
    return {
        "z": [array(draw, reals, shape) for shape in shapes],
        "mean_q": [array(draw, reals, shape) for shape in shapes],
        "scale_q": [array(draw, scales, shape) for shape in shapes],
        "mean_p": [array(draw, reals, shape) for shape in shapes[:-1]],
        "scale_p": [array(draw, scales, shape) for shape in shapes[:-1]],
    }


@st.composite
def elbo(draw: DrawFn) -> dict[str, Any]:
    batch, depth = draw(st.sampled_from([(), (3,)])), draw(st.integers(1, 4))
    terms = array(draw, real_numbers(100), (depth, *batch))
    return {"log_likelihood": array(draw, real_numbers(300), batch), "layer_terms": terms}


@st.composite
def smoothed_conditional(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.sampled_from([1, 2, 5])), *draw(st.sampled_from([(2,), (2, 3)])))
    return {"mean_p": array(draw, real_numbers(), shape), "scale_p": array(draw, scale_numbers(), shape)}


def smoothed_conditional_ratio() -> SearchStrategy[dict[str, Any]]:
    return smoothed_conditional()


@dataclass(frozen=True)
class Network:
    """Mean and positive scale of a layer, as tanh networks of the layer beside it."""

    mean: TanhNetwork
    log_scale: TanhNetwork

    def __call__(self, z: Any) -> Any:
        return self.mean(z), library(z).exp(0.5 * self.log_scale(z))

    def perturbed(self, step: float, rng: np.random.Generator) -> Network:
        return Network(self.mean.perturbed(step, rng), self.log_scale.perturbed(step, rng))

    @classmethod
    def random(cls, seed: int, inputs: int, outputs: int) -> Network:
        return cls(*(TanhNetwork.random(2 * seed + i, inputs, outputs=outputs) for i in range(2)))


@st.composite
def generate(draw: DrawFn) -> dict[str, Any]:
    widths, seed = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3)), draw(st.integers(0, 10_000))
    noise = [array(draw, real_numbers(3), (2, width)) for width in widths]
    sides = zip(widths[1:], widths, strict=False)
    return {"noise": noise, "conditionals": [Network.random(seed + i, *pair) for i, pair in enumerate(sides)]}


@st.composite
def infer(draw: DrawFn) -> dict[str, Any]:
    widths, seed = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3)), draw(st.integers(0, 10_000))
    noise = [array(draw, real_numbers(3), (2, width)) for width in widths]
    sides = zip([3, *widths], widths, strict=False)
    conditionals = [Network.random(seed + i, *pair) for i, pair in enumerate(sides)]
    return {"x": array(draw, real_numbers(2), (2, 3)), "noise": noise, "conditionals": conditionals}


@st.composite
def log_joint(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(layer_terms())
    likelihood = array(draw, real_numbers(300), drawn["z"][0].shape[:-1])
    return {"log_likelihood": likelihood, **{name: drawn[name] for name in ("z", "mean_p", "scale_p")}}


@st.composite
def total_kld(draw: DrawFn) -> dict[str, Any]:
    return {"layer_terms": draw(elbo())["layer_terms"]}


@st.composite
def smoothed_elbo(draw: DrawFn) -> dict[str, Any]:
    drawn, copies = draw(layer_terms()), draw(st.sampled_from([1, 2, 5]))
    for name, values in (("mean_p", real_numbers(10)), ("scale_p", scale_numbers(1e-1, 1e2))):
        drawn[name] = [array(draw, values, (copies, *layer.shape)) for layer in drawn[name]]
    likelihood = array(draw, real_numbers(300), drawn["z"][0].shape[:-1])
    return {"log_likelihood": likelihood, **drawn, "beta": np.asarray(draw(st.sampled_from([0.0, 0.5, 1.0])))}


@st.composite
def ratio_bias(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(with_indices())
    while drawn["coefficients"].ndim > 1:
        drawn["coefficients"] = np.ascontiguousarray(drawn["coefficients"][..., 0])
    other = array(draw, real_numbers(3), drawn["coefficients"].shape)
    shared = {"indices": drawn["indices"], "z": np.asarray(draw(real_numbers(3))), "rho": draw(rho_numbers())}
    return {"mean_ratio": drawn["coefficients"], "inverse_scale": other, **shared}

"""Inputs of the video functions: one and several frames, one rollout, templates as large as the frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers

# A correlation compared with a threshold: its inputs are exact in float32, not in bfloat16.
DTYPES = {"presence": ("float64", "float32")}
SHAPES = ((), (3,), (2, 2))


@st.composite
def sequence_nelbo(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.integers(1, 4)), *draw(st.sampled_from([(), (2,)])))
    errors, kl = array(draw, scale_numbers(1e-2, 1e3), shape), array(draw, real_numbers(50), shape)
    log_sigma = np.asarray(draw(st.one_of(st.sampled_from([0.0, -2.2, -6.0]), st.floats(-6, 2))))
    return {"squared_error": errors, "kl": kl, "log_sigma": log_sigma, "dims": draw(st.sampled_from([1, 256, 4096]))}


@st.composite
def ink_ratio(draw: DrawFn) -> dict[str, Any]:
    predicted, true = _random(draw, 2)
    return {"predicted": predicted, "true": true}


def peak_ratio() -> SearchStrategy[dict[str, Any]]:
    return ink_ratio()


@st.composite
def presence(draw: DrawFn) -> dict[str, Any]:
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    side, size = draw(st.sampled_from([3, 5])), draw(st.sampled_from([2, 3]))
    template = rng.integers(0, 256, (size, size)) / 256
    template[0, 0] = template[-1, -1] + 0.5
    frames = (
        draw(st.sampled_from([0.0, 0.1, 1.0]))
        * rng.integers(0, 256, (*draw(st.sampled_from(SHAPES)), side, side))
        / 256
    )
    if draw(st.booleans()):
        frames[..., -size:, :size] += template
    return {"predicted": frames, "template": template}


@st.composite
def best_of_n_sse(draw: DrawFn) -> dict[str, Any]:
    frames = _random(draw, draw(st.integers(2, 5)))
    return {"rollouts": np.stack(frames[1:]), "true": frames[0]}


@st.composite
def rollout_diversity(draw: DrawFn) -> dict[str, Any]:
    return {"rollouts": np.stack(_random(draw, draw(st.integers(2, 5))))}


@st.composite
def psnr(draw: DrawFn) -> dict[str, Any]:
    errors = array(draw, scale_numbers(1e-6, 1.0), (3,))
    return {"mean_squared_error": errors, "data_range": draw(st.sampled_from([1.0, 2.0, 255.0]))}


def _random(draw: DrawFn, count: int) -> list[np.ndarray]:
    """Frames without ties, so that maxima and minima have gradients."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    shape = (*draw(st.sampled_from(SHAPES)), draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return [0.05 + 0.95 * rng.random(shape) for _ in range(count)]

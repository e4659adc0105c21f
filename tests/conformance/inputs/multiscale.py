"""Inputs of the scale-by-scale decoder: one scale, sizes that no stride divides, logits of 100."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from reference.multiscale import pixel_subsets as subsets
from tests.conformance.inputs.boltzmann import logits
from tests.conformance.inputs.common import array, real_numbers

STRIDES = ([1], [2, 1], [4, 2, 1], [3, 1])


@st.composite
def pixel_subsets(draw: DrawFn) -> dict[str, Any]:
    return {
        "height": draw(st.integers(1, 9)),
        "width": draw(st.integers(1, 9)),
        "strides": draw(st.sampled_from(STRIDES)),
    }


@st.composite
def visible(draw: DrawFn) -> dict[str, Any]:
    masks, shape = draw(_grids())
    return {"image": array(draw, real_numbers(1), shape), "masks": masks}


@st.composite
def log_likelihood(draw: DrawFn) -> dict[str, Any]:
    masks, shape = draw(_grids())
    pixels = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0078125, 1))
    return {
        "image": array(draw, pixels, shape),
        "logits": array(draw, logits(), (len(masks), *shape)),
        "masks": masks,
    }


@st.composite
def _grids(draw: DrawFn) -> tuple[np.ndarray, tuple[int, ...]]:
    height, width = draw(st.sampled_from([(1, 1), (2, 3), (4, 4)]))
    masks = subsets(height, width, draw(st.sampled_from(STRIDES)))
    return masks, (*draw(st.sampled_from([(), (2,)])), height, width)

"""Inputs of the blocks: 1x1 and 3x3 cells, one-pixel maps, uneven widths, with and without pooling and skips."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.conformance.inputs.convolution import normal

WIDTHS = st.integers(1, 3)
BETAS = st.sampled_from([float(np.log(2)), 0.4, 1.0])


def layer(draw: DrawFn, inputs: int, outputs: int, size: int = 1) -> list[np.ndarray]:
    """Draw a weight whose outputs are about as large as its inputs, and a bias."""
    scale = 1 / np.sqrt(inputs * size * size)
    return [normal(draw, (outputs, inputs, size, size), scale), normal(draw, (outputs,), 0.5)]


def cell(draw: DrawFn, inputs: int, outputs: int) -> list[np.ndarray]:
    """Draw a bottleneck cell."""
    middle, size = draw(WIDTHS), draw(st.sampled_from([1, 3]))
    shapes = [(inputs, middle, 1), (middle, middle, size), (middle, middle, size), (middle, outputs, 1)]
    return [array for shape in shapes for array in layer(draw, *shape)]


def state(draw: DrawFn, channels: int, sides: tuple[int, int]) -> np.ndarray:
    return normal(draw, (1, channels, *sides), draw(st.sampled_from([1.0, 0.125, 4.0])))


@st.composite
def bottleneck(draw: DrawFn) -> dict[str, Any]:
    inputs, residual = draw(WIDTHS), draw(st.booleans())
    outputs = inputs if residual else draw(WIDTHS)
    x = normal(draw, (2, inputs, *draw(SIDES)), draw(st.sampled_from([1.0, 0.125, 4.0])))
    drawn = {"x": x, "cell": cell(draw, inputs, outputs), "residual": residual}
    return {**drawn, "activation": draw(st.sampled_from(["silu", "gelu"]))}


SIDES = st.sampled_from([(1, 1), (2, 2), (3, 2)])


@st.composite
def bottom_up(draw: DrawFn) -> dict[str, Any]:
    width, size = draw(WIDTHS), draw(st.sampled_from([1, 2, 4]))
    pooling = layer(draw, width, draw(WIDTHS), size) if size > 1 else []
    x = state(draw, width, (size, 2 * size))
    return {"x": x, "cell": cell(draw, width, width), "skip": layer(draw, width, width), "pooling": pooling}


@st.composite
def prior(draw: DrawFn) -> dict[str, Any]:
    width, latents = draw(WIDTHS), draw(WIDTHS)
    y, head = state(draw, width, draw(SIDES)), layer(draw, width, 2 * latents)
    return {"y": y, "cell": cell(draw, width, 2 * width), "head": head, "beta": draw(BETAS)}


@st.composite
def posterior(draw: DrawFn) -> dict[str, Any]:
    width, linked, latents, sides = draw(WIDTHS), draw(WIDTHS), draw(WIDTHS), draw(SIDES)
    y, features = state(draw, width, sides), state(draw, linked, sides)
    head = layer(draw, width, 2 * latents)
    return {"y": y, "features": features, "cell": cell(draw, width + linked, width), "head": head, "beta": draw(BETAS)}


@st.composite
def merge(draw: DrawFn) -> dict[str, Any]:
    width, latents, sides = draw(WIDTHS), draw(WIDTHS), draw(SIDES)
    y, residual, z = (state(draw, c, sides) for c in (width, width, latents))
    drawn = {"y": y, "residual": residual, "z": z, "latent": layer(draw, latents, width)}
    return {**drawn, "cell": cell(draw, width, width), "activation": draw(st.sampled_from(["silu", "gelu"]))}


@st.composite
def vdvae_prior(draw: DrawFn) -> dict[str, Any]:
    width, latents = draw(WIDTHS), draw(WIDTHS)
    return {"y": state(draw, width, draw(SIDES)), "cell": cell(draw, width, 2 * latents + width)}


@st.composite
def vdvae_posterior(draw: DrawFn) -> dict[str, Any]:
    width, linked, latents, sides = draw(WIDTHS), draw(WIDTHS), draw(WIDTHS), draw(SIDES)
    y, features = state(draw, width, sides), state(draw, linked, sides)
    return {"y": y, "features": features, "cell": cell(draw, width + linked, 2 * latents)}


@st.composite
def residual_block(draw: DrawFn) -> dict[str, Any]:
    # More often down: on a map of one pixel it does not matter which convolution has the stride.
    resize, sides = (
        draw(st.sampled_from(["none", "down", "down", "up"])),
        draw(st.sampled_from([(2, 4), (3, 3), (1, 1)])),
    )
    inputs, outputs = draw(WIDTHS), draw(WIDTHS)
    first, skip = layer(draw, inputs, outputs, 3), layer(draw, inputs, outputs)
    if resize == "up":
        first, skip = layer(draw, inputs, outputs, 4), layer(draw, inputs, outputs, 2)
        first[0], skip[0] = (w.swapaxes(0, 1).copy() for w in (first[0], skip[0]))
    elif resize == "none" and inputs == outputs:
        skip = []
    hidden = max(1, outputs // 4)
    excite = [normal(draw, shape, 1.0) for shape in ((hidden, outputs), (hidden,), (outputs, hidden), (outputs,))]
    return {
        "x": state(draw, inputs, sides),
        "layers": [*first, *layer(draw, outputs, outputs, 3)],
        "skip": skip,
        "excite": excite if draw(st.booleans()) else [],
        "resize": resize,
        "crop": draw(st.integers(0, 1)) if resize == "up" else 0,
    }


@st.composite
def stochastic_skip(draw: DrawFn) -> dict[str, Any]:
    width, latents, sides = draw(WIDTHS), draw(WIDTHS), draw(SIDES)
    edges = draw(st.integers(0, 3))
    return {
        "features": state(draw, width, sides),
        "latents": [state(draw, latents, sides) for _ in range(edges)],
        "weights": [layer(draw, latents, width)[0] for _ in range(edges)],
        "bias": normal(draw, (width,), 0.5),
    }

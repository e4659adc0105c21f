"""Inputs of the accounting: small tables, depthwise rows, one resolution, narrow squeezes, one cell per block."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, shapes

SMALL = st.integers(1, 6)


@st.composite
def convolutions(draw: DrawFn) -> np.ndarray:
    """Draw a table of one to five convolutions, some grouped, some depthwise."""
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        groups = draw(SMALL)
        inputs, outputs = groups * draw(SMALL), groups * draw(SMALL)
        rows.append(
            [
                inputs,
                outputs,
                draw(st.sampled_from([1, 3, 5])),
                groups,
                draw(st.integers(0, 1)),
                draw(st.integers(0, 1)),
            ]
        )
    return np.array(rows)


@st.composite
def parameter_count(draw: DrawFn) -> dict[str, Any]:
    others = draw(st.lists(st.integers(0, 1000), max_size=4))
    return {"convolutions": draw(convolutions()), "others": np.array(others, dtype=np.int64)}


@st.composite
def multiply_adds(draw: DrawFn) -> dict[str, Any]:
    table = draw(convolutions())
    positions = draw(st.lists(st.integers(1, 1024), min_size=len(table), max_size=len(table)))
    return {"convolutions": table, "positions": np.array(positions)}


@st.composite
def groups_per_scale(draw: DrawFn) -> dict[str, Any]:
    groups = draw(st.integers(1, 40))
    least = draw(st.integers(1, groups))
    return {"groups": groups, "scales": draw(st.integers(1, 6)), "adaptive": draw(st.booleans()), "least": least}


@st.composite
def channel_schedule(draw: DrawFn) -> dict[str, Any]:
    return {"channels": draw(st.integers(1, 200)), "halvings": draw(st.integers(0, 6))}


@st.composite
def scale_sizes(draw: DrawFn) -> dict[str, Any]:
    halvings, scales = draw(st.integers(0, 2)), draw(st.integers(1, 4))
    return {"resolution": draw(SMALL) * 2 ** (halvings + scales - 1), "halvings": halvings, "scales": scales}


@st.composite
def latent_dims(draw: DrawFn) -> dict[str, Any]:
    scales = draw(st.integers(1, 5))
    groups, sizes = (np.array([draw(st.integers(1, 64)) for _ in range(scales)]) for _ in range(2))
    return {"groups": groups, "channels": np.asarray(draw(st.integers(1, 64))), "sizes": sizes}


def layer_count() -> SearchStrategy[dict[str, Any]]:
    return st.lists(st.integers(0, 10), min_size=1, max_size=8).map(lambda extra: {"extra": np.array(extra)})


@st.composite
def nvae_parameter_count(draw: DrawFn) -> dict[str, Any]:
    return {
        "image_channels": draw(st.sampled_from([1, 3])),
        "outputs": draw(st.sampled_from([1, 100])),
        "channels": draw(st.integers(1, 80)),
        "pre_blocks": draw(st.integers(0, 2)),
        "pre_cells": draw(st.integers(1, 3)),
        "groups": tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))),
        "latents": draw(st.integers(1, 20)),
        "flow_pairs": draw(st.integers(0, 2)),
        "top": draw(st.integers(1, 16)),
        "cells": draw(st.integers(1, 2)),
    }


@st.composite
def efficient_vdvae_parameter_count(draw: DrawFn) -> dict[str, Any]:
    rows, side = [], 1
    for _ in range(draw(st.integers(1, 4))):
        links = draw(st.integers(1, 3))
        up, down = links + draw(st.integers(0, 2)), links + draw(st.integers(0, 2))
        rows.append([side, up, links, down, draw(st.integers(1, 32)), draw(st.integers(1, 16)), draw(SMALL)])
        side *= draw(st.sampled_from([2, 4]))
    channels, outputs = draw(st.sampled_from([(1, 1), (3, 100)]))
    return {"table": np.array(rows[::-1]), "image_channels": channels, "outputs": outputs}


@st.composite
def vdvae_parameter_count(draw: DrawFn) -> dict[str, Any]:
    sides = draw(st.lists(st.sampled_from([1, 2, 4, 32, 64, 128]), min_size=1, max_size=4, unique=True))
    table = [[side, draw(st.integers(0, 4)), draw(st.integers(1, 4))] for side in sorted(sides, reverse=True)]
    return {"table": np.array(table), "width": 4 * draw(st.integers(1, 16)), "latents": draw(st.integers(1, 32))}


@st.composite
def receptive_field(draw: DrawFn) -> dict[str, Any]:
    layers = draw(st.integers(1, 5))
    kernels = [draw(st.sampled_from([1, 3, 5, 4])) for _ in range(layers)]
    return {"kernels": np.array(kernels), "strides": np.array([draw(st.integers(1, 3)) for _ in range(layers)])}


@st.composite
def saved_maps(draw: DrawFn) -> dict[str, Any]:
    cell = draw(st.sampled_from(["separable", "regular", "plain"]))
    return {"cell": cell, "expansion": draw(SMALL), "fused": draw(st.booleans()), "squeeze": draw(st.booleans())}


@st.composite
def activation_bytes(draw: DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 5))
    elements = np.array([draw(st.integers(1, 10**6)) for _ in range(count)])
    widths = np.array([draw(st.sampled_from([2, 4, 8])) for _ in range(count)])
    return {"elements": elements, "widths": widths, "batch": draw(st.integers(1, 64))}


def training_bytes() -> SearchStrategy[dict[str, Any]]:
    names = ("activation", "batch", "parameters", "replicas", "per_parameter", "overhead")
    return positives(*names)


def throughput() -> SearchStrategy[dict[str, Any]]:
    return positives("images", "epochs", "hours")


@st.composite
def capacity_gain(draw: DrawFn) -> dict[str, Any]:
    elements = st.one_of(st.sampled_from([0.0, 0.5, 0.4]), st.floats(0, 0.875).map(lambda x: x if x > 1e-3 else 0.0))
    return {"savings": array(draw, elements, (draw(st.integers(1, 4)),))}


def gain() -> SearchStrategy[dict[str, Any]]:
    return positives("baseline", "ours")


def images_seen() -> SearchStrategy[dict[str, Any]]:
    return positives("batch", "iterations")


def seconds_per_update() -> SearchStrategy[dict[str, Any]]:
    return positives("hours", "iterations")


@st.composite
def compute_overhead(draw: DrawFn) -> dict[str, Any]:
    samples = np.asarray(draw(st.sampled_from([1.0, 2.0, 5.0, 10.0, 100.0])))
    return {**draw(positives("encoder", "upper", "bottom")), "samples": samples}


@st.composite
def positives(draw: DrawFn, *names: str) -> dict[str, Any]:
    """Draw arrays of one shape, positive amounts between 1 and a thousand."""
    shape = draw(st.one_of(st.just(()), shapes()))
    return {name: np.asarray(array(draw, st.floats(1, 1000), shape)) for name in names}

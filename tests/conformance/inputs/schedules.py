"""Inputs of the schedules: steps before, on and after every break."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers

# Steps run to a million, which bfloat16 cannot count.
COUNTING = ("float64", "float32")
DTYPES = {
    "kl_warmup": COUNTING,
    "kl_warmup_shifted": COUNTING,
    "kl_warmup_portion": COUNTING,
    "kl_warmup_logistic": COUNTING,
    "warmup_then_cosine": COUNTING,
    "steps_per_epoch": ("float64",),
    "hold_then_cosine": COUNTING,
    "exponential_decay": COUNTING,
    "step_decay": COUNTING,
    "linear_ramp": ("float64",),
}


@st.composite
def kl_warmup(draw: DrawFn) -> dict[str, Any]:
    start = draw(st.sampled_from([0.0, 10.0, 10_000.0]))
    length = draw(st.sampled_from([1.0, 100.0, 500_000.0]))
    steps = st.one_of(st.sampled_from([0.0, start, start + 1, start + length]), st.integers(0, 600_000).map(float))
    return {"step": np.asarray(array(draw, steps, (4,))), "start": start, "length": length}


def _steps(draw: DrawFn, corners: list[float], last: int) -> np.ndarray:
    kept = [float(c) for c in corners if 0 <= c <= last]
    return array(draw, st.one_of(st.sampled_from(kept), st.integers(0, last).map(float)), (4,))


@st.composite
def kl_warmup_shifted(draw: DrawFn) -> dict[str, Any]:
    start, length = draw(st.sampled_from([(21.0, 5000.0), (21.0, 500.0), (0.0, 10.0)]))
    steps = _steps(draw, [0, start, start + 1, start + length, 2 * start + length], 6000)
    return {"step": steps, "start": start, "length": length, "floor": draw(st.sampled_from([0.0, 1e-4, 0.25]))}


@st.composite
def kl_warmup_portion(draw: DrawFn) -> dict[str, Any]:
    total = draw(st.sampled_from([100.0, 7692.0, 78_000.0]))
    portion = draw(st.sampled_from([0.0, 0.3, 0.5, 1.0]))
    steps = _steps(draw, [0, 1, np.ceil(1e-4 * total), np.ceil((portion + 1e-4) * total)], int(total))
    return {
        "step": steps,
        "total": total,
        "delay": draw(st.sampled_from([0.0, 1e-4])),
        "portion": portion,
        "floor": 1e-4,
    }


@st.composite
def kl_warmup_logistic(draw: DrawFn) -> dict[str, Any]:
    midpoint, rate = draw(st.sampled_from([0.0, 10_000.0])), draw(st.sampled_from([1e-5, 1e-3, 1e-2]))
    return {"step": _steps(draw, [0, midpoint, 2 * midpoint], 20_000), "midpoint": midpoint, "rate": rate}


@st.composite
def geometric_interpolation(draw: DrawFn) -> dict[str, Any]:
    ends = st.sampled_from([1e-2, 0.1, 1.0, 10.0])
    weight = array(draw, st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.0625, 1)), (4,))
    return {"weight": weight, "first": draw(ends), "last": draw(ends)}


@st.composite
def warmup_then_cosine(draw: DrawFn) -> dict[str, Any]:
    n, warm = draw(st.sampled_from([1, 5, 195])), draw(st.sampled_from([1, 5]))
    epochs = warm + draw(st.sampled_from([2, 3, 50]))
    ramp, end = warm * n, n * epochs - 1
    run = {"steps_per_epoch": n, "warmup_epochs": warm, "epochs": epochs, "peak": 0.01, "floor": 1e-4}
    return {"step": _steps(draw, [0, ramp - 1, ramp, ramp + n, end], end), **run, "carry_deficit": draw(st.booleans())}


@st.composite
def steps_per_epoch(draw: DrawFn) -> dict[str, Any]:
    counts = st.one_of(st.sampled_from([1, 50_000, 60_000]), st.integers(1, 10**7))
    return {
        "images": np.array(draw(st.lists(counts, min_size=1, max_size=3))),
        "workers": draw(st.sampled_from([1, 2, 7, 8])),
        "batch": draw(st.sampled_from([1, 16, 32, 200])),
    }


@st.composite
def hold_then_cosine(draw: DrawFn) -> dict[str, Any]:
    start, length = draw(st.sampled_from([(50_000.0, 750_000.0), (100.0, 1000.0)]))
    corners = [0, 50, 100, start - 1, start, start + 1, start + length / 2, length, length + 1, start + length]
    run = {
        "peak": 1e-3,
        "floor": draw(st.sampled_from([1e-5, 2e-4])),
        "warmup": 100.0,
        "start": start,
        "length": length,
    }
    return {"step": _steps(draw, corners, int(start + length)), **run, "recursive": draw(st.booleans())}


@st.composite
def exponential_decay(draw: DrawFn) -> dict[str, Any]:
    factor, floor = draw(st.sampled_from([0.999999, 0.99, 1.0])), draw(st.sampled_from([0.0, 1e-4]))
    return {"step": _steps(draw, [0, 1, 30_000], 100_000), "initial": 2e-3, "factor": factor, "floor": floor}


@st.composite
def step_decay(draw: DrawFn) -> dict[str, Any]:
    milestones = np.array(draw(st.sampled_from([[6e5, 7.5e5, 9.5e5], [0.0, 10.0], [5.0]])))
    steps = _steps(draw, [0, *(milestones - 1), *milestones, *(milestones + 1)], 1_000_000)
    factors = array(draw, st.sampled_from([0.25, 0.5, 1.0, 10.0]), milestones.shape)
    return {"step": steps, "initial": 0.003, "factors": factors, "milestones": milestones}


@st.composite
def plateau_decay(draw: DrawFn) -> dict[str, Any]:
    values = st.one_of(st.sampled_from([-90.0, -89.0, -88.5]), real_numbers(100))
    drawn = array(draw, values, (draw(st.integers(1, 12)),))
    choice = {"patience": draw(st.integers(0, 3)), "most": draw(st.integers(0, 3))}
    return {"values": drawn, "initial": 1e-3, "factor": draw(st.sampled_from([0.5, 0.3, 1.0])), **choice}


def linear_ramp() -> SearchStrategy[dict[str, Any]]:
    ends = st.sampled_from([0.0, 0.4, 0.85, 1.0])
    return st.fixed_dictionaries({"links": st.integers(1, 12), "first": ends, "last": ends})

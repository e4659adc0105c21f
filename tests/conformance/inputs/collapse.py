"""Inputs of the collapse diagnostics: dead units, noisy units, informative units, all mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn, SearchStrategy
from scipy.optimize import isotonic_regression

from tests.conformance.inputs.common import array, real_numbers, scale_numbers

# Thresholds are compared in the dtypes in which the inputs, multiples of small powers of two, are exact.
EXACT = ("float64", "float32")
DTYPES = dict.fromkeys(("active_channels", "inactive_groups", "active_groups", "same_critical_rho"), EXACT)
DTYPES["phase_transition"] = EXACT


@st.composite
def posterior_means(draw: DrawFn) -> np.ndarray:
    """Means (S, N, n) with between-image and within-image parts of very different size."""
    draws, images, units = draw(st.integers(2, 4)), draw(st.integers(2, 5)), draw(st.integers(1, 3))
    # No zeros and no equal entries: exact cancellation leaves rounding alone, which no comparison can judge. Dead
    # units and equal draws have tests of their own.
    sizes = st.sampled_from([2.0**-5, 2.0**-3, 1.0])
    values = st.one_of(st.floats(0.125, 2), st.floats(-2, -0.125))
    parts = []
    for shape in ((1, images, units), (draws, images, units)):
        entries = draw(hnp.arrays(np.float64, shape, elements=values, fill=st.nothing()))
        parts.append(entries * array(draw, sizes, (units,)))
    means = parts[0] + parts[1]
    assume((means.var(axis=0) > 1e-6).all() and (means.mean(axis=0).var(axis=0) > 1e-6).all())
    return means


def _means() -> SearchStrategy[dict[str, Any]]:
    return posterior_means().map(lambda means: {"posterior_means": means})


def within_variance() -> SearchStrategy[dict[str, Any]]:
    return _means()


def between_variance() -> SearchStrategy[dict[str, Any]]:
    return _means()


def active_units() -> SearchStrategy[dict[str, Any]]:
    return _means()


def between_fraction() -> SearchStrategy[dict[str, Any]]:
    return _means()


@st.composite
def top_down_gap(draw: DrawFn) -> dict[str, Any]:
    images = draw(st.integers(1, 5))
    own, other = (array(draw, real_numbers(100), (images,)) for _ in range(2))
    return {"log_likelihood_own": own, "log_likelihood_other": other}


@st.composite
def rate(draw: DrawFn) -> dict[str, Any]:
    return {"kl": array(draw, real_numbers(100), (draw(st.integers(1, 5)),))}


@st.composite
def is_collapsed(draw: DrawFn) -> dict[str, Any]:
    layers, units = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    active = draw(hnp.arrays(np.bool_, (layers, units)))
    # 0.1 itself is not a bfloat16: the threshold is one that every dtype holds.
    kl = array(draw, st.sampled_from([0.0, 0.0625, 0.125, 0.25, 5.0, -0.5]), (layers,))
    return {"active": active, "kl": kl, "kl_threshold": 0.125}


@st.composite
def active_channels(draw: DrawFn) -> dict[str, Any]:
    # Sums of quarters are exact, and their means over 1, 2, 4 values are no nearer to 0.1 than rounding.
    side, images = draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 2]))
    values = st.integers(0, 4).map(lambda k: k / 32)
    maps = array(draw, values, (images, draw(st.integers(1, 3)), side, side))
    return {"kl": maps, "threshold": 0.1, "mean_over_space": draw(st.booleans())}


@st.composite
def kl_per_group(draw: DrawFn) -> dict[str, Any]:
    images, sides = draw(st.integers(1, 3)), draw(st.lists(st.sampled_from([1, 2]), min_size=1, max_size=3))
    return {"kl": [array(draw, scale_numbers(), (images, draw(st.integers(1, 2)), side, side)) for side in sides]}


@st.composite
def inactive_groups(draw: DrawFn) -> dict[str, Any]:
    values = st.sampled_from([0.0, 2.0**-8, 2.0**-4, 1.0, 3.0, 64.0])
    return {"group_kl": array(draw, values, (draw(st.integers(1, 5)),)), "fraction": 0.01}


@st.composite
def active_groups(draw: DrawFn) -> dict[str, Any]:
    dims = draw(st.lists(st.sampled_from([1, 16, 4096]), min_size=1, max_size=4))
    # Some lie between the threshold in bits and the same number in nats.
    values = st.sampled_from([0.0, 2.0**-14, 1.25 * 2.0**-14, 1.25 * 2.0**-10, 0.25, 0.3125, 3.0])
    return {"group_kl": array(draw, values, (len(dims),)), "dims": dims, "threshold": 1e-4}


@st.composite
def generalisation_gap(draw: DrawFn) -> dict[str, Any]:
    sizes = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    validation, training = (array(draw, real_numbers(100), (size,)) for size in sizes)
    return {"validation": validation, "training": training}


@st.composite
def mutual_information(draw: DrawFn) -> dict[str, Any]:
    images, draws = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    return {"log_density": array(draw, real_numbers(20), (images, images, draws))}


@st.composite
def phase_transition(draw: DrawFn) -> dict[str, Any]:
    # Generic curves, exact in float32: ties of slopes and plateaus at a level are kinks, which have tests of their own.
    size, rng = draw(st.integers(2, 8)), np.random.default_rng(draw(st.integers(0, 10_000)))
    rho, curve = np.cumsum(rng.integers(64, 256, size)) / 2048, rng.integers(0, 2**18, size) / 2**13
    curve = np.sort(curve)[::-1].copy() if draw(st.booleans()) else curve
    curve[0] = curve.max() + 1
    fit = isotonic_regression(curve, increasing=False).x
    slopes = np.sort(np.abs(np.diff(fit) / np.diff(rho)))
    assume(size == 2 or slopes[-1] > 1.05 * slopes[-2])
    assume((np.abs(fit[:, None] / fit[0] - [0.5, 0.05, 0.1, 0.9]) > 1e-2).all())
    return {"rho": rho, "curve": curve}


@st.composite
def same_critical_rho(draw: DrawFn) -> dict[str, Any]:
    first, second = (array(draw, st.integers(20, 32).map(lambda k: k / 32), (3,)) for _ in range(2))
    step, width = (np.asarray(draw(st.sampled_from([0.015625, 0.0625, 0.125]))) for _ in range(2))
    return {"first": first, "second": second, "step": step, "half_width": width}

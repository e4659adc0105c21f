"""Inputs of the relaxations: noise and probabilities at and next to 0 and 1, very blunt and very sharp families."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from scipy.special import expit

from tests.conformance.inputs.common import array, scale_numbers, shapes

# The printed roots and the closed forms without anchors have digits in double precision only.
DTYPES = dict.fromkeys(
    (
        "overlap_exp_icdf_quadratic",
        "overlap_exp_icdf_asinh",
        "overlap_logistic_icdf_quadratic",
        "overlap_logistic_icdf_mprime",
        "overlap_logistic_icdf_asinh",
    ),
    ("float64",),
)
BETAS = {"low": 1e-6, "high": 1e3}
SCALES = {"low": 1e-6, "high": 10.0}


def noise(ends: bool = True) -> SearchStrategy[float]:
    """Uniform noise; the smallest and largest values come often."""
    corners = [1e-30, 2**-24, 0.25, 0.5, 0.75, 1 - 2**-8, 1 - 2**-24, 1 - 2**-53, 0.0, 1.0]
    # Without the ends: nothing that bfloat16 rounds to 1.
    inside = st.floats(2**-20, 1 - (2**-20 if ends else 2**-8))
    return st.one_of(st.sampled_from(corners if ends else corners[:6]), inside)


def finite_logits(bound: float = 100.0) -> SearchStrategy[float]:
    corners = [0.0, 1e-3, -1e-3, 1.0, -1.0, bound, -bound]
    return st.one_of(st.sampled_from(corners), st.floats(-12, 12).map(lambda x: x if abs(x) > 1e-3 else 0.0))


def logit_arrays(draw: DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """Finite logits, or certain values only (an infinity among finite ones has no relative neighbourhood)."""
    certain = draw(st.integers(0, 7)) == 0
    return array(draw, st.sampled_from([np.inf, -np.inf]) if certain else finite_logits(), shape)


def unit_points() -> SearchStrategy[float]:
    """Points of [0, 1], both ends, and outside."""
    return st.one_of(st.sampled_from([0.0, 1.0, 0.5, 2**-20, 1 - 2**-20, -0.5, 1.5]), st.floats(2**-20, 1))


@st.composite
def _noisy(draw: DrawFn, ends: bool = True) -> dict[str, Any]:
    shape = draw(shapes())
    return {"rho": array(draw, noise(ends), shape), "logits": logit_arrays(draw, shape)}


@st.composite
def _sharp(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_noisy()), "beta": np.asarray(draw(scale_numbers(**BETAS)))}


@st.composite
def _located(draw: DrawFn, low: float = 1e-6) -> dict[str, Any]:
    mean_0 = draw(st.sampled_from([0.0, -1.0, 0.5]))
    mean_1 = mean_0 + draw(st.sampled_from([1.0, 1.0, 2.0, 0.0]))
    scale = draw(scale_numbers(low, 10.0))
    return {"mean_0": np.asarray(mean_0), "mean_1": np.asarray(mean_1), "scale": np.asarray(scale)}


FAMILIES = {
    "spike_exp": (0.125, 100.0),
    "overlap_exp": (0.125, 100.0),
    "overlap_logistic": (0.01, 3.0),
    "normal": (0.02, 3.0),
}


@st.composite
def family_settings(draw: DrawFn, *without: str) -> dict[str, Any]:
    family = draw(st.sampled_from([name for name in FAMILIES if name not in without]))
    low, high = FAMILIES[family]
    return {"family": family, "setting": draw(st.one_of(st.sampled_from([low, high]), st.floats(low, high)))}


@st.composite
def smoothing_inverse_cdf(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    rho, logits = array(draw, noise(ends=False), shape), array(draw, finite_logits(8), shape)
    drawn = {"rho": rho, "logits": logits, **draw(family_settings())}
    # Bisection cannot see between two sharper peaks, where the distribution function is flat to the last bit.
    low, high = {"overlap_logistic": (0.05, 3.0), "normal": (0.15, 3.0)}.get(drawn["family"], (0.125, 20.0))
    return {**drawn, "setting": min(max(drawn["setting"], low), high)}


@st.composite
def smoothed_log_density(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    return {
        "zeta": array(draw, unit_points(), shape),
        "logits": logit_arrays(draw, shape),
        **draw(family_settings("spike_exp")),
    }


@st.composite
def spike_exp_cdf(draw: DrawFn) -> dict[str, Any]:
    shape, beta = draw(shapes()), np.asarray(draw(scale_numbers(**BETAS)))
    return {"zeta": array(draw, unit_points(), shape), "logits": logit_arrays(draw, shape), "beta": beta}


def spike_exp_icdf() -> SearchStrategy[dict[str, Any]]:
    return _sharp()


@st.composite
def spike_exp_grad(draw: DrawFn) -> dict[str, Any]:
    """Away from the jump at rho = 1 - q, where a rounded input lies on either side."""
    drawn = draw(_sharp())
    rest = np.abs(drawn["rho"] - expit(-drawn["logits"]))
    assume((rest > 0.05 * np.minimum(expit(drawn["logits"]), expit(-drawn["logits"]))).all())
    return drawn


@st.composite
def overlap_exp_log_pdf(draw: DrawFn) -> dict[str, Any]:
    shape, beta = draw(shapes()), np.asarray(draw(scale_numbers(**BETAS)))
    z = np.asarray(array(draw, st.sampled_from([0.0, 1.0]), shape), dtype=np.int64)
    return {"zeta": array(draw, unit_points(), shape), "z": z, "beta": beta}


def overlap_exp_cdf() -> SearchStrategy[dict[str, Any]]:
    return spike_exp_cdf()


def overlap_exp_icdf() -> SearchStrategy[dict[str, Any]]:
    return _sharp()


def overlap_exp_grad() -> SearchStrategy[dict[str, Any]]:
    return _sharp()


@st.composite
def _moderate(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    return {
        name: array(draw, st.one_of(st.sampled_from([0.01, 0.25, 0.5, 0.99]), st.floats(0.01, 0.99)), shape)
        for name in ("rho", "q")
    }


def _mirrored(drawn: dict[str, Any], b: np.ndarray) -> dict[str, Any]:
    """Turn b above 1 to its negative: there the printed root cancels on both sides, and only noise is compared.

    That it does so is tested with the erratum, in ``test_printed_root_of_overlapping_exponentials_fails`` and
    ``test_printed_roots_of_overlapping_logistics_fail``.
    """
    return {**drawn, **{name: np.where(b > 1, 1 - drawn[name], drawn[name]) for name in ("rho", "q")}}


@st.composite
def overlap_exp_icdf_quadratic(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(overlap_exp_icdf_asinh())
    d = np.exp(-drawn["beta"])
    return _mirrored(drawn, (drawn["rho"] + d * (drawn["q"] - drawn["rho"])) / (1 - drawn["q"]) - 1)


@st.composite
def overlap_exp_icdf_asinh(draw: DrawFn) -> dict[str, Any]:
    """With noise from 1/4 on: next to 0 the sample is a small difference, or the log of nearly 1, without digits."""
    drawn = {**draw(_moderate()), "beta": np.asarray(draw(st.floats(1, 8)))}
    return {**drawn, "rho": np.maximum(drawn["rho"], 0.25)}


@st.composite
def overlap_exp_moments(draw: DrawFn) -> dict[str, Any]:
    logits = logit_arrays(draw, draw(shapes()))
    return {"logits": logits, "beta": np.asarray(draw(scale_numbers(**BETAS)))}


@st.composite
def overlap_exp_bernoulli_limit(draw: DrawFn) -> dict[str, Any]:
    logits = array(draw, finite_logits(60), draw(shapes()))
    return {"logits": logits, "beta": np.asarray(draw(scale_numbers(**BETAS)))}


@st.composite
def overlap_normal_cdf(draw: DrawFn) -> dict[str, Any]:
    shape, scale = draw(shapes()), np.asarray(draw(scale_numbers(1e-6, 10)))
    return {
        "zeta": array(draw, st.floats(-1, 2).filter(lambda x: abs(x) > 1e-12), shape),
        "logits": logit_arrays(draw, shape),
        "scale": scale,
    }


@st.composite
def overlap_normal_icdf(draw: DrawFn) -> dict[str, Any]:
    shape, scale = draw(shapes()), np.asarray(draw(scale_numbers(1e-3, 10)))
    return {"rho": array(draw, noise(ends=False), shape), "logits": logit_arrays(draw, shape), "scale": scale}


@st.composite
def logistic_log_pdf(draw: DrawFn) -> dict[str, Any]:
    zeta = array(draw, st.floats(-40, 40).map(lambda x: x if abs(x) > 1e-12 else 0.0), draw(shapes()))
    return {
        "zeta": zeta,
        "mean": np.asarray(draw(st.sampled_from([0.0, 1.0, -2.5]))),
        "scale": np.asarray(draw(scale_numbers(**SCALES))),
    }


@st.composite
def overlap_logistic_cdf(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    zeta = array(draw, st.floats(-1, 2).filter(lambda x: abs(x) > 1e-12), shape)
    return {"zeta": zeta, "logits": logit_arrays(draw, shape), **draw(_located())}


@st.composite
def overlap_logistic_icdf(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_noisy()), **draw(_located())}


def overlap_logistic_offsets() -> SearchStrategy[dict[str, Any]]:
    return overlap_logistic_icdf()


@st.composite
def overlap_logistic_grad(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_noisy(ends=False)), **draw(_located())}


@st.composite
def overlap_logistic_icdf_quadratic(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(overlap_logistic_icdf_asinh())
    half = (drawn["mean_1"] - drawn["mean_0"]) / (2 * drawn["scale"])
    rho, q = drawn["rho"], drawn["q"]
    return _mirrored(drawn, np.exp(-half) * (rho - q) + np.exp(half) * (rho + q - 1))


def overlap_logistic_icdf_mprime() -> SearchStrategy[dict[str, Any]]:
    return overlap_logistic_icdf_quadratic()


@st.composite
def overlap_logistic_icdf_asinh(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_moderate()), **draw(_located(0.25))}


@st.composite
def overlap_logistic_bernoulli_limit(draw: DrawFn) -> dict[str, Any]:
    return {"logits": array(draw, finite_logits(60), draw(shapes())), **draw(_located())}


@st.composite
def binary_concrete_logit(draw: DrawFn) -> dict[str, Any]:
    shape, temperature = draw(shapes()), np.asarray(draw(scale_numbers(1e-2, 10)))
    return {
        "rho": array(draw, noise(), shape),
        "logits": array(draw, finite_logits(), shape),
        "temperature": temperature,
    }


def binary_concrete_icdf() -> SearchStrategy[dict[str, Any]]:
    return binary_concrete_logit()


@st.composite
def binary_concrete_log_density(draw: DrawFn) -> dict[str, Any]:
    shape, temperature = draw(shapes()), np.asarray(draw(scale_numbers(1e-2, 10)))
    return {
        "y": array(draw, finite_logits(300), shape),
        "logits": array(draw, finite_logits(), shape),
        "temperature": temperature,
    }


@st.composite
def gumbel_softmax(draw: DrawFn) -> dict[str, Any]:
    shape = (*draw(shapes()), draw(st.sampled_from([1, 2, 5])))
    temperature = draw(st.sampled_from([1e-2, 0.5, 1.0, 10.0]))
    uniform = array(draw, st.floats(2**-6, 1 - 2**-6), shape)
    return {"log_weights": array(draw, finite_logits(30), shape), "uniform": uniform, "temperature": temperature}


@st.composite
def inverse_cdf_curve(draw: DrawFn) -> dict[str, Any]:
    """Probabilities with both ends; the spike family away from its jump."""
    q = array(draw, st.one_of(st.sampled_from([0.0, 0.0, 1.0, 0.1, 0.5]), st.floats(2**-10, 1 - 2**-8)), draw(shapes()))
    rho, family = draw(st.sampled_from([0.25, 0.5, 0.625])), draw(st.sampled_from(["concrete", *FAMILIES]))
    family = "concrete" if family == "normal" else family
    assume(family != "spike_exp" or (np.abs(rho + q - 1) > 0.02).all())
    settings = {"concrete": [1.0, 2 / 3, 1 / 3, 0.5, 0.1], "overlap_logistic": [0.2, 0.1, 0.05]}
    return {
        "q": q,
        "rho": np.asarray(rho),
        "family": family,
        "setting": draw(st.sampled_from(settings.get(family, [5.0, 8.0, 10.0]))),
    }


@st.composite
def smoothing_log_ratio(draw: DrawFn) -> dict[str, Any]:
    return {"zeta": array(draw, unit_points(), draw(shapes())), **draw(family_settings())}

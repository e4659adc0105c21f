"""Inputs of the calibration functions: tiny and large scales, floors that act, one-image batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers, shapes

# float64 whatever the input: the grid has none.
DTYPES = {"beta_grid": ("float64",)}
DIMS = st.sampled_from([1, 3, 64, 784, 2352])
ERRORS = scale_numbers(1e-3, 1e3)
LOG_SIGMAS = st.one_of(st.sampled_from([0.0, -2.2, -6.0, 3.0]), st.floats(-6, 3))
FLOORS = st.sampled_from([0.0, 2.0**-8, 0.5])


@st.composite
def sse(draw: DrawFn) -> dict[str, Any]:
    shape = draw(shapes())
    mean = shape if draw(st.booleans()) else shape[-1:]
    return {"x": array(draw, real_numbers(2), shape), "mean": array(draw, real_numbers(2), mean)}


def mse() -> SearchStrategy[dict[str, Any]]:
    return sse()


@st.composite
def gaussian_nll(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(sse())
    shape = drawn["x"].shape
    kind = draw(st.sampled_from([(), (*shape[:-1], 1), shape]))
    return {**drawn, "log_sigma": array(draw, LOG_SIGMAS, kind)}


@st.composite
def unit_gaussian_floor(draw: DrawFn) -> dict[str, Any]:
    return {"dims": draw(DIMS), "log_sigma": array(draw, LOG_SIGMAS, (2,))}


@st.composite
def beta_vae_objective(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_batch()), "beta": np.asarray(draw(scale_numbers()))}


@st.composite
def beta_as_variance(draw: DrawFn) -> dict[str, Any]:
    objective = array(draw, real_numbers(1000), (3,))
    return {"objective": objective, "beta": np.asarray(draw(scale_numbers())), "dims": draw(DIMS)}


@st.composite
def equivalent_variance(draw: DrawFn) -> dict[str, Any]:
    flags = ("error_mean_over_dims", "error_mean_over_batch", "kl_mean_over_batch")
    drawn = {"dims": draw(DIMS), "batch": draw(st.sampled_from([1, 7, 128]))}
    return {**drawn, "kl_weight": np.asarray(draw(scale_numbers())), **{flag: draw(st.booleans()) for flag in flags}}


@st.composite
def beta_grid(draw: DrawFn) -> dict[str, Any]:
    highest, decades = draw(st.sampled_from([100.0, 1.0, 0.1])), draw(st.integers(0, 6))
    return {"highest": highest, "lowest": highest / 10.0**decades, "per_decade": draw(st.integers(1, 3))}


@st.composite
def shared_sigma_objective(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_batch()), "log_sigma": np.asarray(draw(LOG_SIGMAS)), "dims": draw(DIMS)}


@st.composite
def shared_sigma_gradient(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(shared_sigma_objective())
    drawn.pop("kl")
    return drawn


@st.composite
def drift_floor(draw: DrawFn) -> dict[str, Any]:
    steps = draw(st.sampled_from([0, 1, 160, 10_000]))
    return {"steps": steps, "learning_rate": np.asarray(draw(scale_numbers(1e-5, 1e-1))), "dims": draw(DIMS)}


@st.composite
def optimal_sigma(draw: DrawFn) -> dict[str, Any]:
    return {"squared_error": draw(_errors()), "dims": draw(DIMS), "floor": draw(FLOORS)}


@st.composite
def calibration_gap(draw: DrawFn) -> dict[str, Any]:
    sigma, optimal = (array(draw, scale_numbers(1e-3, 1e3), (3,)) for _ in range(2))
    return {"sigma": sigma, "optimal": optimal, "dims": draw(DIMS)}


@st.composite
def batch_optimal_sigma_loss(draw: DrawFn) -> dict[str, Any]:
    return {**draw(_batch()), "dims": draw(DIMS), "floor": draw(FLOORS)}


def per_image_sigma_loss() -> SearchStrategy[dict[str, Any]]:
    return batch_optimal_sigma_loss()


@st.composite
def per_image_gain(draw: DrawFn) -> dict[str, Any]:
    return {"squared_error": draw(_errors()), "dims": draw(DIMS)}


@st.composite
def soft_clip(draw: DrawFn) -> dict[str, Any]:
    values = st.one_of(st.sampled_from([0.0, -2.2, -3.5, -6.0, 100.0, -100.0]), st.floats(-30, 30))
    return {"value": array(draw, values, (3,)), "minimum": np.asarray(draw(st.sampled_from([-6.0, 0.0, -3.0])))}


@st.composite
def error_variances(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.integers(2, 4)), draw(st.integers(2, 5)))
    return {"errors": array(draw, scale_numbers(0.1, 10), shape)}


@st.composite
def sigma_standard_error(draw: DrawFn) -> dict[str, Any]:
    mean, variance = (array(draw, scale_numbers(), (2,)) for _ in range(2))
    images = draw(st.sampled_from([1, 60, 128]))
    return {
        "mean": mean,
        "variance": variance,
        "images": images,
        "population": draw(st.sampled_from([None, 129, 73257])),
    }


@st.composite
def same_batch_bias(draw: DrawFn) -> dict[str, Any]:
    return {"dims": draw(DIMS), "numbers": array(draw, scale_numbers(0.5, 1e6), (3,))}


@st.composite
def held_out_sigma_bias(draw: DrawFn) -> dict[str, Any]:
    return {"dims": draw(DIMS), "numbers": array(draw, scale_numbers(2.25, 1e6).map(lambda n: max(n, 2.25)), (3,))}


@st.composite
def running_variance(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.integers(1, 6)), *draw(st.sampled_from([(), (2,)])))
    decay = draw(st.one_of(st.sampled_from([0.0, 0.5, 0.9375, 0.9921875]), st.floats(0.0625, 0.9921875)))
    return {"variances": array(draw, scale_numbers(), shape), "decay": np.asarray(decay)}


@st.composite
def variational_sigma_bound(draw: DrawFn) -> dict[str, Any]:
    log_likelihood, kl, kl_sigma = (array(draw, real_numbers(300), (3,)) for _ in range(3))
    return {"log_likelihood": log_likelihood, "kl": kl, "kl_sigma": kl_sigma}


@st.composite
def gamma_kl(draw: DrawFn) -> dict[str, Any]:
    names = ("shape_q", "rate_q", "shape_p", "rate_p")
    # The textbook form of the reference cancels between large shapes; those are tested through the marginal.
    drawn = {name: array(draw, scale_numbers(0.1, 64), (2,)) for name in names}
    # Near equality the divergence is of second order and its gradient of first; equality has a test of its own.
    factors = st.one_of(st.floats(1.25, 100), st.floats(0.01, 0.8))
    return {**drawn, "shape_q": np.clip(drawn["shape_p"] * array(draw, factors, (2,)), 0.05, 128)}


@st.composite
def gamma_precision_bound(draw: DrawFn) -> dict[str, Any]:
    return {"squared_error": array(draw, ERRORS, (2,)), "dims": draw(DIMS), **draw(gamma_kl())}


@st.composite
def optimal_gamma(draw: DrawFn) -> dict[str, Any]:
    error, rate = (array(draw, scale_numbers(0.1, 1e3), (2,)) for _ in range(2))
    shape = array(draw, scale_numbers(0.1, 64), (2,))
    return {"squared_error": error, "dims": draw(DIMS), "shape_p": shape, "rate_p": rate}


def gamma_marginal() -> SearchStrategy[dict[str, Any]]:
    return optimal_gamma()


@st.composite
def lognormal_sigma_bound(draw: DrawFn) -> dict[str, Any]:
    mean_q, mean_p = (array(draw, LOG_SIGMAS, (2,)) for _ in range(2))
    variance_q, variance_p = (array(draw, scale_numbers(1e-3, 4), (2,)) for _ in range(2))
    drawn = {"mean_q": mean_q, "variance_q": variance_q, "mean_p": mean_p, "variance_p": variance_p}
    return {"squared_error": array(draw, ERRORS, (2,)), "dims": draw(DIMS), **drawn}


@st.composite
def optimal_lognormal(draw: DrawFn) -> dict[str, Any]:
    drawn = draw(lognormal_sigma_bound())
    return {name: drawn[name] for name in ("squared_error", "dims", "mean_p", "variance_p")}


@st.composite
def nelbo(draw: DrawFn) -> dict[str, Any]:
    return {name: array(draw, real_numbers(1000), (3,)) for name in ("nll", "kl")}


def rate_distortion() -> SearchStrategy[dict[str, Any]]:
    return shared_sigma_objective()


@st.composite
def convergence_step(draw: DrawFn) -> dict[str, Any]:
    shape = (draw(st.integers(1, 8)), *draw(st.sampled_from([(), (2,)])))
    # Multiples of 1/8: no entry is as near to the tolerance as rounding.
    values = st.integers(-12, 12).map(lambda k: k / 64)
    reference = array(draw, st.sampled_from([0.0, -1.0 / 64]), shape[1:])
    return {"log_sigma": array(draw, values, shape), "log_reference": reference, "tolerance": 0.1}


@st.composite
def _errors(draw: DrawFn) -> np.ndarray:
    return array(draw, ERRORS, (draw(st.sampled_from([1, 4])),))


@st.composite
def _batch(draw: DrawFn) -> dict[str, Any]:
    errors = draw(_errors())
    return {"squared_error": errors, "kl": array(draw, real_numbers(50), errors.shape)}

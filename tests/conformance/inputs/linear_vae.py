"""Inputs of the linear VAE: flat and steep spectra, no latent, all latents, variances on either side."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.conformance.inputs.common import array, real_numbers, scale_numbers


@st.composite
def negative_log_evidence(draw: DrawFn) -> dict[str, Any]:
    dims, latents = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    x = array(draw, real_numbers(3), (*draw(st.sampled_from([(), (3,)])), dims))
    weights, mean = array(draw, real_numbers(2), (dims, latents)), array(draw, real_numbers(2), (dims,))
    return {"x": x, "weights": weights, "mean": mean, "sigma": np.asarray(draw(scale_numbers(0.25, 4)))}


@st.composite
def fixed_variance_optimum(draw: DrawFn) -> dict[str, Any]:
    spectrum = draw(fitted_optimum())
    variance = draw(scale_numbers(1e-2, 1e2))
    # At the threshold itself the direction changes nothing but the count.
    assume((np.abs(np.log(spectrum["eigenvalues"] / variance)) > 0.05).all())
    latents = draw(st.integers(0, len(spectrum["eigenvalues"])))
    return {**spectrum, "variance": np.asarray(variance), "latents": latents}


def active_directions() -> SearchStrategy[dict[str, Any]]:
    return fixed_variance_optimum()


@st.composite
def fitted_optimum(draw: DrawFn) -> dict[str, Any]:
    dims = draw(st.integers(1, 6))
    return {"eigenvalues": array(draw, scale_numbers(1e-2, 1e2), (dims,)), "latents": draw(st.integers(0, dims - 1))}

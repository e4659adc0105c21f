"""Hierarchical bounds: a linear-Gaussian hierarchy where everything is known, layer terms, smoothed conditionals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reference import gaussian, hierarchical
from tests.conformance.first_principles import SAMPLES, assert_mean
from tests.conformance.inputs import hierarchical as inputs

# Two layers: x | z1 ~ N(z1, 0.4^2), z1 | z2 ~ N(0.9 z2, 0.5^2), z2 ~ N(0, 1); x = 0.7 has log density -1.219184.
NOISE, SLOPE, SPREAD, X = 0.4, 0.9, 0.5, 0.7


def log_evidence(x: float) -> float:
    return float(stats.norm.logpdf(x, 0, np.sqrt(SLOPE**2 + SPREAD**2 + NOISE**2)))


def posterior() -> tuple[tuple[float, float], tuple[float, float]]:
    """q(z1|x) = N(m, s^2) and the slope and scale of q(z2|z1), exact."""
    prior_variance = SLOPE**2 + SPREAD**2
    s2 = 1 / (1 / prior_variance + 1 / NOISE**2)
    t2 = 1 / (1 + SLOPE**2 / SPREAD**2)
    return (X / NOISE**2 * s2, np.sqrt(s2)), (t2 * SLOPE / SPREAD**2, np.sqrt(t2))


def one_draw(rng, bottom: tuple[float, float], top: tuple[float, float], size: int) -> np.ndarray:
    """One-sample ELBO estimates under q(z1|x) = N(*bottom), q(z2|z1) = N(top[0] z1, top[1]^2)."""
    z1 = bottom[0] + bottom[1] * rng.standard_normal((size, 1))
    z2 = top[0] * z1 + top[1] * rng.standard_normal((size, 1))
    terms = hierarchical.layer_terms(
        [z1, z2], [np.full((size, 1), bottom[0]), top[0] * z1], [[bottom[1]], [top[1]]], [SLOPE * z2], [[SPREAD]]
    )
    return hierarchical.elbo(gaussian.log_density([X], z1, [NOISE]), terms)


def test_elbo_is_tight_at_the_posterior(rng) -> None:
    assert log_evidence(X) == pytest.approx(-1.219184, abs=1e-6)
    draws = one_draw(rng, *posterior(), size=1000)
    np.testing.assert_allclose(draws, log_evidence(X), rtol=1e-12)


def test_elbo_of_a_linear_gaussian_hierarchy(rng) -> None:
    """Away from the posterior the gap is the KL of the two joint Gaussians, in closed form."""
    bottom, top = (0.3, 0.5), (0.4, 0.7)
    (m, s), (a, t) = posterior()
    top_gap = (
        0.5 * ((top[0] - a) ** 2 * (bottom[0] ** 2 + bottom[1] ** 2) + top[1] ** 2) / t**2 - 0.5 + np.log(t / top[1])
    )
    gap = float(gaussian.kl([bottom[0]], [bottom[1]], [m], [s])) + top_gap
    draws = one_draw(rng, bottom, top, SAMPLES)
    assert_mean(draws, log_evidence(X) - gap)
    assert draws.mean() < log_evidence(X)


def test_layer_term_is_not_the_analytic_kl(rng) -> None:
    """Erratum of Eq. 1: q(z1) = N(.5, .8), q(z2|z1) = N(1.2 z1, .3), p(z1|z2) = N(.7 z2, .4)."""
    z1 = 0.5 + 0.8 * rng.standard_normal((SAMPLES, 1))
    z2 = 1.2 * z1 + 0.3 * rng.standard_normal((SAMPLES, 1))
    terms = hierarchical.layer_terms([z1, z2], [np.full_like(z1, 0.5), 1.2 * z1], [[0.8], [0.3]], [0.7 * z2], [[0.4]])
    assert_mean(terms[0], -0.98413)
    assert_mean(gaussian.kl([0.5], [0.8], 0.7 * z2, [0.4]), 2.37587)


@given(inputs.layer_terms())
def test_layer_terms_sum_to_the_joint_log_ratio(case) -> None:
    def joint(means, scales):
        rows = zip(case["z"], means, scales, strict=True)
        return sum(stats.norm.logpdf(z, m, s).sum(-1) for z, m, s in rows)

    top = np.zeros_like(case["z"][-1])
    wanted = joint(case["mean_q"], case["scale_q"]) - joint([*case["mean_p"], top], [*case["scale_p"], top + 1])
    got = hierarchical.layer_terms(**case).sum(0)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-7)


@given(inputs.layer_terms())
def test_layer_terms_vanish_where_posterior_is_prior(implementation, case) -> None:
    equal = {
        **case,
        "mean_q": [*case["mean_p"], 0 * case["z"][-1]],
        "scale_q": [*case["scale_p"], 0 * case["z"][-1] + 1],
    }
    np.testing.assert_allclose(implementation.call("hierarchical.layer_terms", **equal), 0, atol=1e-9)


@given(inputs.elbo())
def test_elbo_charges_every_layer(implementation, case) -> None:
    got = implementation.call("hierarchical.elbo", **case)
    more = {**case, "layer_terms": case["layer_terms"] + 1}
    np.testing.assert_allclose(
        got - implementation.call("hierarchical.elbo", **more), len(case["layer_terms"]), atol=1e-9
    )


@given(inputs.smoothed_conditional())
def test_smoothed_conditional_is_the_mean(case) -> None:
    mean, scale = hierarchical.smoothed_conditional(**case)
    copies = len(case["mean_p"])
    np.testing.assert_allclose(mean, sum(case["mean_p"]) / copies, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(scale, sum(case["scale_p"]) / copies, rtol=1e-12)
    ratio_mean, ratio_scale = hierarchical.smoothed_conditional_ratio(**case)
    ratios = sum(m / s for m, s in zip(case["mean_p"], case["scale_p"], strict=True)) / copies
    np.testing.assert_allclose(ratio_mean / ratio_scale, ratios, rtol=1e-9, atol=1e-9)


@given(inputs.smoothed_conditional())
def test_ratio_variant_at_constant_scale(case) -> None:
    constant = {"mean_p": case["mean_p"], "scale_p": np.ones_like(case["scale_p"]) * case["scale_p"][0]}
    for got, wanted in zip(
        hierarchical.smoothed_conditional_ratio(**constant), hierarchical.smoothed_conditional(**constant), strict=True
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def test_averaging_log_densities_does_not_smooth(rng) -> None:
    """Trap: the mean over K of log densities has the unsmoothed expectation; one density of mean parameters has not."""
    from reference import ornstein_uhlenbeck as ou

    rho, samples, size = 0.5, 5, SAMPLES // 2
    noise = rng.standard_normal((size, 1))
    z1 = 0.7 * noise + 0.3 * rng.standard_normal((size, 1))
    copies = ou.correlated_noise(noise, rng.standard_normal((samples, size, 1)), rho)
    mean, scale = hierarchical.smoothed_conditional(0.7 * copies, np.full_like(copies, 0.3))
    strength = float(ou.effective_strength(rho, samples))
    error = 0.3**2 + 0.49 * (1 + strength - 2 * rho)
    expected = -0.5 * error / 0.09 - np.log(0.3) - 0.5 * np.log(2 * np.pi)
    assert_mean(gaussian.log_density(z1, mean, scale), expected, planted=0.02)
    each = gaussian.log_density(z1, 0.7 * copies, [0.3]).mean(0)
    plain = -0.5 * (0.3**2 + 0.49 * (2 - 2 * rho)) / 0.09 - np.log(0.3) - 0.5 * np.log(2 * np.pi)
    assert_mean(each, plain, planted=0.02)


@given(inputs.smoothed_conditional(), st.sampled_from(["smoothed_conditional", "smoothed_conditional_ratio"]))
def test_one_sample_is_not_smoothed(implementation, case, name: str) -> None:
    first = {key: value[:1] for key, value in case.items()}
    for got, wanted in zip(implementation.call(f"hierarchical.{name}", **first), first.values(), strict=True):
        np.testing.assert_allclose(got, wanted[0], rtol=1e-12, atol=1e-12)

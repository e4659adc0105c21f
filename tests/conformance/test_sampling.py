"""Samplers: temperature, fixed scales, nearest training image, smoothed posteriors."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given

from reference import gaussian, hierarchical, ornstein_uhlenbeck, sampling
from tests.conformance.first_principles import SAMPLES, assert_mean, at_50_digits
from tests.conformance.inputs import sampling as inputs


def test_tempered_sample_has_its_law(rng) -> None:
    z = sampling.tempered(1.5, 2.0, rng.standard_normal(SAMPLES), 0.7)
    assert_mean(z, 1.5)
    assert_mean((z - 1.5) ** 2, 1.4**2)


@given(inputs.tempered())
def test_tempered_at_50_digits(case) -> None:
    for g, m, s, e in zip(
        sampling.tempered(**case).ravel(), *(case[n].ravel() for n in ("mean", "scale", "noise")), strict=True
    ):
        wanted = at_50_digits(lambda m, s, e, t: m + t * s * e, m, s, e, case["temperature"])
        assert g == pytest.approx(wanted, rel=1e-14, abs=1e-14 * (abs(m) + abs(s * e)))


def test_temperature_is_no_factor_of_the_variance() -> None:
    """Reading t as a factor of the variance would give 1 + 2 * sqrt(0.25) = 2 here."""
    assert float(sampling.tempered(1.0, 2.0, 1.0, 0.25)) == 1.5
    assert float(1 + mpmath.sqrt(0.25) * 2) == 2


@given(inputs.tempered())
def test_tempered_between_the_mode_and_the_model(implementation, case) -> None:
    cold, model = (
        implementation.call("sampling.tempered", **{**case, "temperature": np.asarray(t)}) for t in (0.0, 1.0)
    )
    np.testing.assert_array_equal(cold, case["mean"])
    np.testing.assert_allclose(
        model, gaussian.reparameterise(case["mean"], case["scale"], case["noise"]), rtol=1e-12, atol=1e-9
    )


@given(inputs.fixed_scales())
def test_fixed_scales_by_enumeration(case) -> None:
    got = sampling.fixed_scales(**case)
    place = 0
    for scale, count in enumerate(case["groups"]):
        for _ in range(count):
            source = case["kept"] if scale < case["fixed"] else case["fresh"]
            np.testing.assert_array_equal(got[place], source[place])
            place += 1
    assert len(got) == place


def linear_images(rng, weights: list[float], fixed: int, tops: int, redraws: int) -> np.ndarray:
    """Images of a linear decoder: pixel = sum of weight times the noise of its scale (one group per scale)."""
    images = np.empty((tops, redraws, 4))
    for top in range(tops):
        kept = [rng.standard_normal(4) for _ in weights]
        for redraw in range(redraws):
            fresh = [rng.standard_normal(4) for _ in weights]
            noise = sampling.fixed_scales(kept, fresh, [1] * len(weights), fixed)
            images[top, redraw] = sum(w * e for w, e in zip(weights, noise, strict=True))
    return images


@pytest.mark.parametrize("fixed", [0, 1, 2, 3])
def test_shares_of_a_linear_decoder(rng, fixed: int) -> None:
    """Scales that contribute variances 4, 2 and 1: the top j explain 0, 4, 6 and 7 sevenths."""
    images = linear_images(rng, [2.0, np.sqrt(2.0), 1.0], fixed, 1500, 4)
    assert float(sampling.explained_share(images)) == pytest.approx([0, 4, 6, 7][fixed] / 7, abs=0.02)


def test_fixed_scales_at_the_ends() -> None:
    kept, fresh = [np.zeros(2), np.zeros(3)], [np.ones(2), np.ones(3)]
    assert all((e == 1).all() for e in sampling.fixed_scales(kept, fresh, [1, 1], 0))
    assert all((e == 0).all() for e in sampling.fixed_scales(kept, fresh, [1, 1], 2))


@given(inputs.explained_share())
def test_explained_share_matches_the_analysis_of_variance(case) -> None:
    """By mean squares: F statistic of one-way analysis of variance, summed over pixels."""
    images = case["images"]
    tops, redraws, _ = images.shape
    means = images.mean(1, keepdims=True)
    mean_square_within = ((images - means) ** 2).sum() / (tops * (redraws - 1))
    mean_square_between = redraws * ((means - means.mean(0)) ** 2).sum() / (tops - 1)
    between = (mean_square_between - mean_square_within) / redraws
    wanted = between / (between + mean_square_within)
    np.testing.assert_allclose(sampling.explained_share(images), wanted, rtol=1e-9, atol=1e-9)


def test_naive_share_is_biased(rng) -> None:
    """Without the correction W / R a decoder that ignores its top seems to explain a quarter with four redraws."""
    images = rng.normal(size=(4000, 4, 3))
    naive = images.mean(1).var(0, ddof=1).sum() / images.var(axis=(0, 1)).sum()
    assert naive == pytest.approx(0.25, abs=0.02)
    assert float(sampling.explained_share(images)) == pytest.approx(0, abs=0.02)


@given(inputs.explained_share())
def test_explained_share_ignores_units_and_means(implementation, case) -> None:
    once = implementation.call("sampling.explained_share", **case)
    moved = implementation.call("sampling.explained_share", images=4 * case["images"] + 2)
    np.testing.assert_allclose(moved, once, rtol=1e-9, atol=1e-9)
    equal = implementation.call("sampling.explained_share", images=case["images"][:, :1].repeat(3, axis=1))
    np.testing.assert_allclose(equal, 1, rtol=1e-9)


@given(inputs.smoothed_posterior_sample())
def test_smoothed_posterior_is_the_smoothed_conditional(case) -> None:
    """The same averages as for the generative networks, applied to the posterior's parameters."""
    copies = np.stack(
        [
            ornstein_uhlenbeck.correlated_sample(case["mean"], case["scale"], case["noise"], fresh, case["rho"])
            for fresh in case["fresh"]
        ]
    )
    outputs = case["f"](copies)
    m = outputs.shape[-1] // 2
    mean, scale = hierarchical.smoothed_conditional(outputs[..., :m], np.exp(outputs[..., m:]))
    wanted = gaussian.reparameterise(mean, scale, case["upper_noise"])
    np.testing.assert_allclose(sampling.smoothed_posterior_sample(**case), wanted, rtol=1e-12, atol=1e-12)


def test_smoothed_posterior_of_a_linear_network_has_its_law(rng) -> None:
    """Affine mean, constant scale: the variance between correlated copies shrinks by rho^2 + (1 - rho^2) / K."""

    def f(z: np.ndarray) -> np.ndarray:
        return np.concatenate([2 * z, np.zeros_like(z)], axis=-1)

    batch, samples, rho = 200_000, 5, 0.8
    noise, fresh = rng.standard_normal((batch, 1)), rng.standard_normal((samples, batch, 1))
    z = sampling.smoothed_posterior_sample(
        f, np.ones((batch, 1)), np.full((batch, 1), 0.5), noise, fresh, np.zeros((batch, 1)), rho
    )
    assert_mean(z, 2.0)
    assert_mean((z - 2) ** 2, rho**2 + (1 - rho**2) / samples, planted=0.03)


@given(inputs.smoothed_posterior_sample())
def test_smoothed_posterior_at_rho_one_is_the_posterior(implementation, case) -> None:
    outputs = case["f"](gaussian.reparameterise(case["mean"], case["scale"], case["noise"]))
    m = outputs.shape[-1] // 2
    wanted = gaussian.reparameterise(outputs[..., :m], np.exp(outputs[..., m:]), case["upper_noise"])
    got = implementation.call("sampling.smoothed_posterior_sample", **{**case, "rho": np.asarray(1.0)})
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@given(inputs.fixed_scales())
def test_fixed_scales_keeps_a_prefix(implementation, case) -> None:
    got = implementation.call("sampling.fixed_scales", **case)
    held = sum(case["groups"][: case["fixed"]])
    for source, part in ((case["kept"], slice(0, held)), (case["fresh"], slice(held, None))):
        for one, two in zip(got[part], source[part], strict=True):
            np.testing.assert_array_equal(one, two)


IMAGES = np.ones((2, 1, 4, 4))


@pytest.mark.parametrize(
    ("function", "arguments", "match"),
    [
        ("tempered", (0.0, 1.0, 0.0, -1.0), "temperature must be >= 0, got -1.0"),
        ("tempered", (0.0, 0.0, 0.0, 1.0), "scale must be > 0, got 0.0"),
        ("tempered", (np.ones(2), np.ones(3), 0.0, 1.0), r"mean \(2,\), scale \(3,\)"),
        ("fixed_scales", ([np.ones(1)], [np.ones(1)], [2], 0), "kept and fresh must have 2 groups, got 1 and 1"),
        ("fixed_scales", ([np.ones(1)], [np.ones(1)], [1], 2), r"fixed must lie in \[0, 1\], got 2.0"),
        ("explained_share", (np.ones((1, 2, 3)),), r"images must be \(T >= 2, R >= 2, D\), got shape \(1, 2, 3\)"),
        (
            "smoothed_posterior_sample",
            (lambda z: z, np.ones((1, 2)), np.ones((1, 2)), np.ones((1, 2)), np.ones((3, 1, 2)), np.ones((1, 2)), 0.5),
            r"upper_noise must be \(B, 1\), got shape \(1, 2\)",
        ),
    ],
)
def test_bad_input_is_named(function: str, arguments: tuple, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        getattr(sampling, function)(*arguments)

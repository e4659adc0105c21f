"""Diagnostics of posterior collapse, on encoders whose activity is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import collapse
from tests.conformance.first_principles import assert_mean
from tests.conformance.inputs import collapse as inputs


def encoder(rng, between: float, within: float, draws: int = 2, images: int = 50, units: int = 2000) -> np.ndarray:
    """Posterior means of independent units with known between-image and within-image variance."""
    about = np.sqrt(between) * rng.standard_normal((1, images, units))
    return about + np.sqrt(within) * rng.standard_normal((draws, images, units))


@pytest.mark.parametrize(("between", "within"), [(1.0, 0.5), (0.2, 1.0), (0.5, 0.0)])
def test_between_and_within_variance_are_unbiased(rng, between: float, within: float) -> None:
    """Every unit is one estimate; their mean over 40000 units is the truth."""
    means = encoder(rng, between, within, units=40_000)
    assert_mean(collapse.between_variance(means), between, planted=0.03)
    if within:
        assert_mean(collapse.within_variance(means), within)
    else:
        np.testing.assert_allclose(collapse.within_variance(means), 0, atol=1e-30)


def test_active_units_of_known_encoders() -> None:
    """Equal draws: the between-image variance is the sample variance; 0.2 and 0.05 lie on either side of 0.1^2."""
    images = np.array([-1.0, 1.0, -1.0, 1.0]) * np.sqrt(3 / 4)
    means = np.stack([0.2 * images, 0.05 * images, 0 * images], axis=-1)[None].repeat(2, axis=0)
    np.testing.assert_allclose(collapse.between_variance(means), [0.04, 0.0025, 0], atol=1e-15)
    assert collapse.active_units(means).tolist() == [True, False, False]
    assert collapse.active_units(means, threshold=0.001).tolist() == [True, True, False]


def test_active_units_ignore_the_noise_below(rng) -> None:
    """A unit that only passes on the noise of the layer below: one draw calls it active, the definition does not."""
    means = encoder(rng, 0.0, 1.0, draws=50, images=500, units=200)
    assert means[0].var(axis=0, ddof=1).min() > 0.5
    assert collapse.active_units(means, threshold=0.01).mean() < 0.05
    np.testing.assert_allclose(collapse.within_variance(means).mean(), 1, atol=0.01)


def test_between_fraction_of_known_encoders(rng) -> None:
    assert float(collapse.between_fraction(encoder(rng, 1.0, 3.0, draws=20, images=400))) == pytest.approx(
        0.25, abs=0.01
    )


def test_between_fraction_limits(rng) -> None:
    assert float(collapse.between_fraction(encoder(rng, 1.0, 0.0))) == pytest.approx(1)
    assert float(collapse.between_fraction(encoder(rng, 0.0, 1.0, images=500))) < 0.06
    assert np.isnan(collapse.between_fraction(np.ones((2, 3, 1))))


def test_top_down_gap_of_a_linear_gaussian_decoder(rng) -> None:
    """X = z + noise of scale s: own minus other costs E[(z - z')^2] / (2 s^2) = 1 / s^2."""
    z, noise = rng.standard_normal((2, 200_000))
    x, other = z + 0.5 * noise, np.roll(z, 1)
    own_ll, other_ll = (-0.5 * ((x - c) / 0.5) ** 2 for c in (z, other))
    assert_mean(own_ll - other_ll, 4.0, planted=0.03)
    assert float(collapse.top_down_gap(own_ll, other_ll)) == pytest.approx(4, abs=0.1)


@given(st.lists(st.floats(-100, 0), min_size=1))
def test_top_down_gap_of_a_collapsed_layer(log_likelihood) -> None:
    assert float(collapse.top_down_gap(log_likelihood, log_likelihood)) == 0


@given(inputs.posterior_means(), st.randoms(use_true_random=False))
def test_between_variance_ignores_the_order(implementation, means: np.ndarray, random) -> None:
    order = random.sample(range(means.shape[1]), means.shape[1])
    for name in ("between_variance", "within_variance"):
        plain, shuffled = (
            implementation.call(f"collapse.{name}", posterior_means=m) for m in (means, means[::-1][:, order])
        )
        np.testing.assert_allclose(shuffled, plain, rtol=1e-9, atol=1e-9)


@given(inputs.posterior_means())
def test_between_variance_is_exact_for_equal_draws(implementation, means: np.ndarray) -> None:
    equal = means[:1].repeat(3, axis=0)
    got = implementation.call("collapse.between_variance", posterior_means=equal)
    np.testing.assert_allclose(got, means[0].var(axis=0, ddof=1), rtol=1e-9, atol=1e-12)


@given(inputs.posterior_means())
def test_active_units_are_those_above_the_threshold(implementation, means: np.ndarray) -> None:
    active = implementation.call("collapse.active_units", posterior_means=means, threshold=0.01)
    np.testing.assert_array_equal(
        active, implementation.call("collapse.between_variance", posterior_means=means) > 0.01
    )


@given(inputs.posterior_means())
def test_between_fraction_is_a_share(implementation, means: np.ndarray) -> None:
    share = implementation.call("collapse.between_fraction", posterior_means=means)
    assert np.isnan(share) or 0 <= share <= 1


@given(inputs.top_down_gap())
def test_top_down_gap_changes_sign_with_its_sides(implementation, case) -> None:
    swapped = dict(zip(case, reversed(case.values()), strict=True))
    one, two = (implementation.call("collapse.top_down_gap", **c) for c in (case, swapped))
    np.testing.assert_allclose(one, -two, atol=1e-9)

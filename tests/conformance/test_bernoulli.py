"""Bernoulli observations."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given
from scipy import integrate, special, stats

from reference import bernoulli
from tests.conformance.first_principles import SAMPLES, assert_mean, at_50_digits
from tests.conformance.gradients import assert_no_gradient
from tests.conformance.inputs import bernoulli as inputs


@given(inputs.log_likelihood())
def test_log_likelihood_matches_scipy(case) -> None:
    x, logits = np.round(case["x"]), np.clip(case["logits"], -30, 30)
    wanted = stats.bernoulli.logpmf(x, special.expit(logits)).sum(-1)
    np.testing.assert_allclose(bernoulli.log_likelihood(x, logits), wanted, rtol=1e-4, atol=1e-10)


@pytest.mark.parametrize(("x", "logit"), [(1, 100), (0, 100), (1, -100), (0, -800), (1, 40), (0.25, 3), (1, 1e-9)])
def test_log_likelihood_at_50_digits(x: float, logit: float) -> None:
    wanted = at_50_digits(lambda x, a: x * a - mpmath.log1p(mpmath.exp(a)), x, logit)
    assert float(bernoulli.log_likelihood([x], [logit])) == pytest.approx(wanted, rel=1e-14)


@given(inputs.log_likelihood())
def test_binary_outcomes_sum_to_one(case) -> None:
    logits = case["logits"].reshape(-1)[:3]
    outcomes = np.array(list(itertools.product([0, 1], repeat=len(logits))))
    assert np.exp(bernoulli.log_likelihood(outcomes, logits)).sum() == pytest.approx(1, abs=1e-13)


@given(inputs.log_likelihood())
def test_log_likelihood_is_symmetric(implementation, case) -> None:
    mirrored = {"x": 1 - case["x"], "logits": -case["logits"]}
    got, wanted = (implementation.call("bernoulli.log_likelihood", **c) for c in (mirrored, case))
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)
    assert (got <= 0).all()


@given(inputs.padded_log_likelihood())
def test_padded_log_likelihood_is_that_of_the_crop(case) -> None:
    x, logits, p = case["x"], case["logits"], case["margin"]
    inside = np.s_[:, p : 6 - p, p : 5 - p]
    wanted = x * special.log_expit(logits) + (1 - x) * special.log_expit(-logits)
    np.testing.assert_allclose(bernoulli.padded_log_likelihood(**case), wanted[inside].sum((1, 2)), rtol=1e-12)


def test_padded_log_likelihood_of_equal_logits() -> None:
    """A 32 x 32 canvas with zero logits costs 784 log 2 nats, not 1024 log 2."""
    got = float(bernoulli.padded_log_likelihood(np.zeros((32, 32)), np.zeros((32, 32))))
    assert got == pytest.approx(-784 * np.log(2), rel=1e-13)


@given(inputs.padded_log_likelihood())
def test_padding_does_not_count(implementation, case) -> None:
    p, inside = case["margin"], np.zeros((6, 5), bool)
    inside[p : 6 - p, p : 5 - p] = True
    other = np.where(inside, case["logits"], 3 - case["logits"])
    got = implementation.call("bernoulli.padded_log_likelihood", **{**case, "logits": other})
    np.testing.assert_array_equal(got, implementation.call("bernoulli.padded_log_likelihood", **case))


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.93])
def test_log_normaliser_matches_quadrature(chance: float) -> None:
    total, _ = integrate.quad(lambda x: chance**x * (1 - chance) ** (1 - x), 0, 1)
    assert float(bernoulli.log_normaliser(special.logit(chance))) == pytest.approx(np.log(total), rel=1e-12)
    assert total == pytest.approx({0.1: 0.3641, 0.5: 0.5, 0.93: 0.3325}[chance], abs=5e-5)


@pytest.mark.parametrize("logit", [1e-9, 1e-3, 0.3, -2.0, 40.0, -700.0, 1e4])
def test_log_normaliser_at_50_digits(logit: float) -> None:
    wanted = at_50_digits(lambda a: mpmath.log(mpmath.tanh(a / 2) / a), logit)
    assert float(bernoulli.log_normaliser(logit)) == pytest.approx(wanted, rel=1e-14)


@given(inputs.log_normaliser())
def test_log_normaliser_is_even_and_below_half(implementation, case) -> None:
    one, two = (implementation.call("bernoulli.log_normaliser", logits=s * case["logits"]) for s in (1, -1))
    np.testing.assert_array_equal(one, two)
    assert (one <= -np.log(2) + 1e-15).all()
    assert (one >= -np.log(2 + np.abs(case["logits"])) - 1e-12).all()


def test_binarised_pixels_have_their_intensity(rng) -> None:
    for byte in (1, 77, 254):
        assert_mean(bernoulli.binarise(byte / 255, rng.random(SAMPLES)) + 1, 1 + byte / 255)


def test_binarised_pixels_are_fresh_or_fixed(rng) -> None:
    """Fresh noise changes the image (dynamic); the same noise gives the same image (static)."""
    grey, noise = rng.random((20, 20)), rng.random((2, 20, 20))
    assert (bernoulli.binarise(grey, noise[0]) != bernoulli.binarise(grey, noise[1])).any()
    np.testing.assert_array_equal(bernoulli.binarise(grey, noise[0]), bernoulli.binarise(grey, noise[0]))
    np.testing.assert_array_equal(bernoulli.binarise([0.0, 1.0], [0.0, 1 - 2.0**-53]), [0, 1])


@given(inputs.binarise())
def test_binarise_carries_no_gradient(implementation, case) -> None:
    assert_no_gradient(implementation, "bernoulli.binarise", case)


@given(inputs.binarise())
def test_binarise_gives_zeros_and_ones(implementation, case) -> None:
    got = implementation.call("bernoulli.binarise", **case)
    assert set(np.unique(got)) <= {0.0, 1.0}
    assert (got[case["intensity"] == 0] == 0).all()
    assert (got[case["intensity"] == 1] == 1).all()


@given(inputs.centre_and_bias())
def test_bias_of_a_zero_decoder_is_the_mean_image(case) -> None:
    centred, bias = bernoulli.centre_and_bias(**case)
    margin = case["margin"]
    np.testing.assert_allclose(special.expit(bias), np.clip(case["mean"], margin, 1 - margin), rtol=1e-12)
    np.testing.assert_array_equal(centred, case["x"] - case["mean"])


def test_centre_and_bias_at_50_digits() -> None:
    for mean, clipped in ((0.3, 0.3), (0.0, 0.001), (1.0, 0.999)):
        wanted = at_50_digits(lambda p: mpmath.log(p / (1 - p)), clipped)
        assert float(bernoulli.centre_and_bias(0.5, mean)[1]) == pytest.approx(wanted, rel=1e-12)


@given(inputs.centre_and_bias())
def test_bias_is_bounded_by_the_margin(implementation, case) -> None:
    _, bias = implementation.call("bernoulli.centre_and_bias", **case)
    assert (np.abs(bias) <= special.logit(1 - case["margin"]) * (1 + 1e-12)).all()
    np.testing.assert_allclose(bias[case["mean"] == 0.5], 0, atol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bernoulli.log_likelihood([1.5], [0.0]), r"x must lie in \[0, 1\], got 1.5 at index \(0,\)"),
        (lambda: bernoulli.padded_log_likelihood(np.zeros((4, 4)), np.zeros((4, 4)), 2), "margin must leave a pixel"),
        (
            lambda: bernoulli.padded_log_likelihood(np.zeros((4, 4)), np.zeros((4, 4)), -1),
            "margin must be an integer >= 0",
        ),
        (lambda: bernoulli.log_normaliser(np.nan), "logits must not contain NaN"),
        (lambda: bernoulli.binarise(1.5, 0.5), r"intensity must lie in \[0, 1\], got 1.5"),
        (lambda: bernoulli.centre_and_bias(0.5, 0.5, 0.0), "margin must be > 0, got 0.0"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

"""Gaussians: density, divergence, entropy, reparameterisation."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import stats

from reference import gaussian
from tests.conformance.first_principles import SAMPLES, assert_mean, at_50_digits, gaussian_integral
from tests.conformance.inputs import gaussian as inputs

PAIRS = [(0.3, 0.8, -0.2, 1.1), (0.0, 1.0, 0.0, 1.0), (2.0, 0.1, -1.0, 3.0), (1.0, 1.0 + 1e-9, 1.0, 1.0)]


@given(inputs.log_density())
def test_log_density_matches_scipy(case) -> None:
    wanted = stats.norm.logpdf(case["z"], case["mean"], case["scale"]).sum(-1)
    np.testing.assert_allclose(gaussian.log_density(**case), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (-1.5, 0.2), (3.0, 7.0)])
def test_density_integrates_to_one(mean: float, scale: float) -> None:
    from scipy import integrate

    def density(z: float) -> float:
        return math.exp(gaussian.log_density([z], [mean], [scale]))

    total, _ = integrate.quad(density, mean - 40 * scale, mean + 40 * scale, points=[mean], limit=200)
    assert total == pytest.approx(1, abs=1e-10)


@given(inputs.entropy())
def test_entropy_matches_scipy(case) -> None:
    wanted = stats.norm.entropy(scale=case["scale"]).sum(-1)
    np.testing.assert_allclose(gaussian.entropy(**case), wanted, rtol=1e-12, atol=1e-12)


def test_entropy_is_the_expected_log_density() -> None:
    wanted = -gaussian_integral(lambda z: gaussian.log_density([z], [0.4], [0.6]), 0.4, 0.6)
    assert float(gaussian.entropy([0.6])) == pytest.approx(wanted, abs=1e-11)


@pytest.mark.parametrize("pair", PAIRS)
def test_kl_matches_quadrature(pair) -> None:
    mean_q, scale_q, mean_p, scale_p = pair

    def log_ratio(z: float) -> float:
        return float(gaussian.log_density([z], [mean_q], [scale_q]) - gaussian.log_density([z], [mean_p], [scale_p]))

    wanted = gaussian_integral(log_ratio, mean_q, scale_q)
    assert float(gaussian.kl(*([x] for x in pair))) == pytest.approx(wanted, abs=1e-11)


def kl_50(mean_q, scale_q, mean_p, scale_p):
    return mpmath.log(scale_p / scale_q) + (scale_q**2 + (mean_q - mean_p) ** 2) / (2 * scale_p**2) - mpmath.mpf(1) / 2


@pytest.mark.parametrize("pair", [*PAIRS, (0.0, 1e-6, 0.0, 1e6), (1e3, 1e-3, 0.0, 1e3), (0.5, 1 + 2**-30, 0.5, 1.0)])
def test_kl_at_50_digits(pair) -> None:
    wanted = at_50_digits(kl_50, *pair)
    # Near equality the divergence is of second order in log(scale_q / scale_p) and inherits its rounding.
    assert float(gaussian.kl(*([x] for x in pair))) == pytest.approx(wanted, rel=1e-7, abs=1e-22)


def test_printed_form_of_kl_loses_its_digits() -> None:
    """Why the reference uses expm1: at scale_q = 1 + 2^-30 the printed sum has no correct digit left."""
    scale_q = 1 + 2.0**-30
    wanted = at_50_digits(kl_50, 0.0, scale_q, 0.0, 1.0)
    printed = math.log(1 / scale_q) + scale_q**2 / 2 - 0.5
    assert abs(printed / wanted - 1) > 0.5
    assert float(gaussian.kl([0.0], [scale_q], [0.0], [1.0])) == pytest.approx(wanted, rel=1e-6)


def test_kl_of_the_worked_example() -> None:
    assert float(gaussian.kl([0.3], [0.8], [-0.2], [1.1])) == pytest.approx(0.18622233, abs=5e-9)


@given(inputs.kl())
def test_kl_matches_torch_distributions(case) -> None:
    q, p = (
        torch.distributions.Normal(torch.as_tensor(case[f"mean_{n}"]), torch.as_tensor(case[f"scale_{n}"]))
        for n in "qp"
    )
    wanted = torch.distributions.kl_divergence(q, p).sum(-1).numpy()
    np.testing.assert_allclose(gaussian.kl(**case), wanted, rtol=1e-9, atol=1e-9)
    top = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(-1).numpy()
    np.testing.assert_allclose(gaussian.kl_standard(case["mean_q"], case["scale_q"]), top, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (1.2, 0.3), (-0.4, 2.5)])
def test_kl_standard_matches_quadrature(mean: float, scale: float) -> None:
    def log_ratio(z: float) -> float:
        return float(gaussian.log_density([z], [mean], [scale]) - gaussian.log_density([z], [0.0], [1.0]))

    wanted = gaussian_integral(log_ratio, mean, scale)
    assert float(gaussian.kl_standard([mean], [scale])) == pytest.approx(wanted, abs=1e-11)


def test_reparameterised_sample_has_its_law(rng) -> None:
    z = gaussian.reparameterise(1.5, 0.5, rng.standard_normal(SAMPLES))
    assert_mean(z, 1.5)
    assert_mean((z - 1.5) ** 2, 0.25)


@given(inputs.reparameterise())
def test_reparameterise_at_50_digits(case) -> None:
    got = gaussian.reparameterise(**case).ravel()
    for g, m, s, e in zip(got, *(case[n].ravel() for n in ("mean", "scale", "noise")), strict=True):
        assert g == pytest.approx(
            at_50_digits(lambda m, s, e: m + s * e, m, s, e), rel=1e-14, abs=1e-14 * (1 + abs(s * e))
        )


@given(inputs.kl())
def test_kl_is_non_negative(implementation, case) -> None:
    assert (implementation.call("gaussian.kl", **case) >= 0).all()


@given(inputs.kl_standard())
def test_kl_vanishes_only_between_equals(implementation, case) -> None:
    mean, scale = case["mean"], case["scale"]
    np.testing.assert_array_equal(
        implementation.call("gaussian.kl", mean_q=mean, scale_q=scale, mean_p=mean, scale_p=scale), 0
    )
    shifted = implementation.call("gaussian.kl", mean_q=mean + scale, scale_q=scale, mean_p=mean, scale_p=scale)
    np.testing.assert_allclose(shifted, 0.5 * mean.shape[-1], rtol=1e-9)


@given(inputs.kl_standard())
def test_kl_standard_is_kl_to_the_standard_gaussian(implementation, case) -> None:
    wanted = implementation.call(
        "gaussian.kl", mean_q=case["mean"], scale_q=case["scale"], mean_p=np.zeros(1), scale_p=np.ones(1)
    )
    np.testing.assert_allclose(implementation.call("gaussian.kl_standard", **case), wanted, rtol=1e-12, atol=1e-12)


@given(inputs.log_density())
def test_log_density_is_highest_at_the_mean(implementation, case) -> None:
    at_mean = implementation.call("gaussian.log_density", **{**case, "z": case["mean"]})
    assert (implementation.call("gaussian.log_density", **case) <= at_mean + 1e-9).all()
    np.testing.assert_allclose(
        at_mean,
        case["mean"].shape[-1] / 2 - implementation.call("gaussian.entropy", scale=case["scale"]),
        rtol=1e-9,
        atol=1e-9,
    )


@given(inputs.reparameterise())
def test_reparameterise_is_the_mean_without_noise(implementation, case) -> None:
    got = implementation.call("gaussian.reparameterise", **{**case, "noise": np.zeros_like(case["noise"])})
    np.testing.assert_array_equal(got, case["mean"])


@pytest.mark.parametrize("pair", PAIRS)
def test_kl_gradient_by_finite_differences(pair) -> None:
    mean_q, scale_q, mean_p, scale_p = pair
    by_mean, by_log_scale = gaussian.kl_gradient(*pair)
    h = 1e-5

    def kl_at(shift: float, log_shift: float) -> float:
        return float(gaussian.kl([mean_q + shift], [scale_q], [mean_p], [scale_p * math.exp(log_shift)]))

    assert float(by_mean) == pytest.approx((kl_at(h, 0) - kl_at(-h, 0)) / (2 * h), rel=1e-6, abs=1e-7)
    assert float(by_log_scale) == pytest.approx((kl_at(0, h) - kl_at(0, -h)) / (2 * h), rel=1e-6, abs=1e-7)


def test_kl_gradient_grows_as_the_inverse_square() -> None:
    """Section 3.2 of NVAE: on logarithmic axes both derivatives have slope -2 against the prior scale."""
    scales = np.array([1e-3, 1e-4])
    for derivative in gaussian.kl_gradient(0.3, 0.5, 0.1, scales):
        size = np.log10(np.abs(derivative))
        assert size[0] - size[1] == pytest.approx(-2, abs=1e-5)


@given(inputs.kl_gradient())
def test_kl_gradient_is_that_of_kl(implementation, case) -> None:
    tensors = implementation.tensors(case, "float64")
    log_scale = tensors["scale_p"].log().requires_grad_()
    mean = tensors["mean_q"].clone().requires_grad_()
    value = implementation.find("gaussian.kl")(mean, tensors["scale_q"], tensors["mean_p"], log_scale.exp()).sum()
    got = implementation.call("gaussian.kl_gradient", **case)
    for derivative, wanted in zip(got, torch.autograd.grad(value, [mean, log_scale]), strict=True):
        wanted = wanted.cpu().numpy()
        np.testing.assert_allclose(derivative, wanted, rtol=1e-9, atol=1e-9 * (1 + np.abs(wanted).max()))


@pytest.mark.parametrize("temperature", [0.4, 1.0])
def test_tempered_sample_has_its_law(rng, temperature: float) -> None:
    z = gaussian.tempered_sample(1.5, 0.5, rng.standard_normal(SAMPLES), temperature)
    assert_mean((z - 1.5) ** 2, (0.5 * temperature) ** 2)
    assert stats.kstest(z[:100_000], stats.norm(1.5, 0.5 * temperature).cdf).pvalue > 1e-4


@given(inputs.tempered_sample())
def test_tempered_sample_matches_the_location_scale_family(case) -> None:
    """Scipy's inverse cumulative distribution of N(mean, (t scale)^2) at the probability of the noise."""
    wanted = (
        case["mean"] + stats.norm.ppf(stats.norm.cdf(case["noise"].clip(-5, 5))) * case["scale"] * case["temperature"]
    )
    got = gaussian.tempered_sample(**{**case, "noise": case["noise"].clip(-5, 5)})
    np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-8 * (1 + case["scale"].max()))


@given(inputs.tempered_sample())
def test_tempered_sample_at_the_ends(implementation, case) -> None:
    cold = implementation.call("gaussian.tempered_sample", **{**case, "temperature": np.asarray(0.0)})
    np.testing.assert_array_equal(cold, case["mean"])
    warm = implementation.call("gaussian.tempered_sample", **{**case, "temperature": np.asarray(1.0)})
    plain = {name: case[name] for name in ("mean", "scale", "noise")}
    np.testing.assert_array_equal(warm, implementation.call("gaussian.reparameterise", **plain))


@pytest.mark.parametrize("pair", [(0.3, 0.8, -0.2, 1.1), (2.0, 0.1, -1.0, 3.0), (0.0, 1.0, 0.0, 1.0)])
def test_precision_merge_is_the_normalised_product(pair) -> None:
    mean_a, scale_a, mean_b, scale_b = pair

    def other(z: float) -> float:
        return float(stats.norm.pdf(z, mean_b, scale_b))

    total = gaussian_integral(other, mean_a, scale_a)
    mean = gaussian_integral(lambda z: z * other(z), mean_a, scale_a) / total
    variance = gaussian_integral(lambda z: (z - mean) ** 2 * other(z), mean_a, scale_a) / total
    got = gaussian.precision_merge(*pair)
    np.testing.assert_allclose(got, (mean, math.sqrt(variance)), rtol=1e-9, atol=1e-10)


@given(inputs.precision_merge())
def test_precision_merge_solves_the_linear_system(case) -> None:
    """The posterior of a Gaussian prior after one Gaussian observation, by the Kalman gain."""
    gain = case["scale_b"] ** 2 / (case["scale_a"] ** 2 + case["scale_b"] ** 2)
    mean, scale = gaussian.precision_merge(**case)
    wanted = case["mean_b"] + gain * (case["mean_a"] - case["mean_b"])
    np.testing.assert_allclose(mean, wanted, rtol=1e-9, atol=1e-12 * (1 + np.abs(case["mean_b"])).max())
    np.testing.assert_allclose(scale, case["scale_a"] * np.sqrt(gain), rtol=1e-9)


@given(inputs.precision_merge())
def test_precision_merge_is_symmetric_and_narrows(implementation, case) -> None:
    mean, scale = implementation.call("gaussian.precision_merge", **case)
    swapped = {
        "mean_a": case["mean_b"],
        "scale_a": case["scale_b"],
        "mean_b": case["mean_a"],
        "scale_b": case["scale_a"],
    }
    other_mean, other_scale = implementation.call("gaussian.precision_merge", **swapped)
    np.testing.assert_allclose(other_mean, mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(other_scale, scale, rtol=1e-12)
    assert (scale <= np.minimum(case["scale_a"], case["scale_b"])).all()
    # An uninformative side changes nothing.
    wide = implementation.call("gaussian.precision_merge", **{**case, "scale_a": 0 * case["scale_a"] + 1e300})
    np.testing.assert_allclose(wide, (case["mean_b"], case["scale_b"]), rtol=1e-12)


def test_precision_merge_keeps_the_digits_of_a_small_share(implementation) -> None:
    for dtype, largest, digits in (("float64", 1e60, 1e-15), ("float32", 1e18, 5e-7)):
        # Powers of 2 are the same number in both types, so that the share is known to the last digit.
        ratio = 2.0 ** np.arange(1, np.log2(largest))
        case = {"mean_a": ratio**0, "mean_b": 0 * ratio, "scale_a": ratio, "scale_b": 3 / ratio}
        share = 9 / (9 + ratio**4)
        np.testing.assert_allclose(gaussian.precision_merge(**case)[0], share, rtol=1e-15)
        tensors = implementation.tensors(case, dtype)
        leaves = [tensors[name].requires_grad_() for name in case]
        mean, scale = implementation.find("gaussian.precision_merge")(**tensors)
        np.testing.assert_allclose(mean.detach().cpu(), share, rtol=digits, atol=1e-38)
        assert all(slope.isfinite().all() for slope in torch.autograd.grad((mean + scale).sum(), leaves))


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (gaussian.kl_gradient, (0.0, 1.0, 0.0, 0.0), r"scale_p must be > 0, got 0\.0"),
        (gaussian.tempered_sample, (0.0, 1.0, 0.0, -0.5), r"temperature must be >= 0, got -0\.5"),
        (gaussian.precision_merge, (0.0, -1.0, 0.0, 1.0), r"scale_a must be > 0, got -1\.0"),
        (gaussian.log_density, (np.nan, 0.0, 1.0), r"z must not contain NaN, got nan"),
    ],
)
def test_bad_input_is_named(function, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)

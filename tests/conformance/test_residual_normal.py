"""Residual Normals, soft clamps and smoothed scales."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference import gaussian, residual_normal
from tests.conformance.first_principles import at_50_digits, gaussian_integral
from tests.conformance.inputs import residual_normal as inputs

LN2 = math.log(2)
# Raw prior mean and log scale, raw residuals; divergence with the clamp; Eq. 2 on the raw values.
RAW = [((0, -8, 0.1, 0), 12.54, 44431), ((2, -4, 1, -2), 145.1, 1492), ((0.5, -1, 0.3, -0.5), 0.4526, 0.5164)]


def quadrature_kl(mean_q: float, scale_q: float, mean_p: float, scale_p: float) -> float:
    def log_ratio(z: float) -> float:
        return float(gaussian.log_density([z], [mean_q], [scale_q]) - gaussian.log_density([z], [mean_p], [scale_p]))

    return gaussian_integral(log_ratio, mean_q, scale_q)


@given(inputs.parameters())
def test_parameters_undo_standardisation(case) -> None:
    """Standardised by the prior, the posterior has mean shift / scale_p and scale ratio."""
    mean, scale = residual_normal.parameters(**case)
    size = 1 + np.abs(case["mean_p"]).max() + np.abs(case["mean_shift"]).max()
    np.testing.assert_allclose(mean - case["mean_p"], case["mean_shift"], atol=1e-14 * size)
    np.testing.assert_allclose(np.log(scale) - np.log(case["scale_p"]), np.log(case["scale_ratio"]), atol=1e-13)


@given(inputs.parameters())
def test_kl_is_the_gaussian_divergence(case) -> None:
    """With the prior at mean 0; any other mean gives the same up to rounding of the shift."""
    mean, scale = residual_normal.parameters(**{**case, "mean_p": 0 * case["mean_p"]})
    wanted = gaussian.kl(mean, scale, 0 * case["mean_p"], case["scale_p"])
    got = residual_normal.kl(case["mean_shift"], case["scale_p"], case["scale_ratio"])
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", [(0.7, 2.0, 0.6), (-0.3, 0.2, 1.4), (0.0, 1.0, 1.0)])
def test_kl_matches_quadrature(case) -> None:
    shift, scale_p, ratio = case
    mean_q, scale_q = residual_normal.parameters(0.4, scale_p, shift, ratio)
    wanted = quadrature_kl(float(mean_q), float(scale_q), 0.4, scale_p)
    assert float(residual_normal.kl([shift], [scale_p], [ratio])) == pytest.approx(wanted, abs=1e-11)


def test_variance_reading_of_eq_2_is_false() -> None:
    """Read as variances, sigma = 2, dmu = .7, dsigma = .6 would give 0.17791 in place of 0.25208."""
    assert float(residual_normal.kl([0.7], [2.0], [0.6])) == pytest.approx(0.25208, abs=5e-6)
    variance_reading = 0.5 * (0.7**2 / 2 + 0.6 - math.log(0.6) - 1)
    assert variance_reading == pytest.approx(0.17791, abs=5e-6)
    assert quadrature_kl(0.7, 1.2, 0.0, 2.0) == pytest.approx(0.25208, abs=5e-6)


def test_printed_form_of_kl_loses_its_digits() -> None:
    ratio = 1 + 2.0**-30
    wanted = at_50_digits(lambda r: (r * r - mpmath.log(r * r) - 1) / 2, ratio)
    assert abs(0.5 * (ratio**2 - math.log(ratio**2) - 1) / wanted - 1) > 0.5
    assert float(residual_normal.kl([0.0], [1.0], [ratio])) == pytest.approx(wanted, rel=1e-6)


@given(inputs.kl())
def test_kl_is_least_at_the_prior(implementation, case) -> None:
    got = implementation.call("residual_normal.kl", **case)
    assert (got >= 0).all()
    at_prior = {**case, "mean_shift": 0 * case["mean_shift"], "scale_ratio": 0 * case["scale_ratio"] + 1}
    np.testing.assert_array_equal(implementation.call("residual_normal.kl", **at_prior), 0)
    one_away = {**at_prior, "mean_shift": case["scale_p"]}
    np.testing.assert_allclose(implementation.call("residual_normal.kl", **one_away), 0.5 * case["scale_p"].shape[-1])


@given(inputs.parameters())
def test_parameters_of_no_residual_are_the_prior(implementation, case) -> None:
    nothing = {**case, "mean_shift": 0 * case["mean_shift"], "scale_ratio": 0 * case["scale_ratio"] + 1}
    mean, scale = implementation.call("residual_normal.parameters", **nothing)
    np.testing.assert_array_equal(mean, case["mean_p"])
    np.testing.assert_array_equal(scale, case["scale_p"])


def test_residual_divergence_ignores_the_prior_mean() -> None:
    """Along the prior's mean nothing changes, along its log scale the slope is -(shift / scale)^2."""
    mean = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor([-0.4], dtype=torch.float64, requires_grad=True)
    from vaes.ops import gaussian as twins

    scale = log_scale.exp()
    value = twins.kl(mean + 0.7, scale * 0.6, mean, scale).sum()
    by_mean, by_log_scale = torch.autograd.grad(value, [mean, log_scale])
    assert float(by_mean) == 0
    h = 1e-6
    slope = (
        residual_normal.kl([0.7], [np.exp(-0.4 + h)], [0.6]) - residual_normal.kl([0.7], [np.exp(-0.4 - h)], [0.6])
    ) / (2 * h)
    assert float(by_log_scale) == pytest.approx(-((0.7 / math.exp(-0.4)) ** 2), rel=1e-12)
    assert float(slope) == pytest.approx(float(by_log_scale), rel=1e-7)


@given(inputs.soft_clamp())
def test_soft_clamp_is_odd_bounded_and_increasing(implementation, case) -> None:
    got = implementation.call("residual_normal.soft_clamp", **case)
    assert (np.abs(got) <= case["bound"]).all()
    mirrored = implementation.call("residual_normal.soft_clamp", **{**case, "raw": -case["raw"]})
    np.testing.assert_array_equal(mirrored, -got)
    ordered = implementation.call("residual_normal.soft_clamp", **{**case, "raw": np.sort(case["raw"].ravel())})
    assert (np.diff(ordered) >= 0).all()


@pytest.mark.parametrize("raw", [0.0, 1e-9, 0.3, -2.0, 7.5, 40.0])
def test_soft_clamp_at_50_digits(raw: float) -> None:
    wanted = at_50_digits(lambda u: 5 * (mpmath.exp(2 * u / 5) - 1) / (mpmath.exp(2 * u / 5) + 1), raw)
    assert float(residual_normal.soft_clamp(raw)) == pytest.approx(wanted, rel=1e-14)


def test_soft_clamp_is_near_the_identity() -> None:
    u = np.linspace(-1, 1, 201)
    assert np.abs(residual_normal.soft_clamp(u) - u).max() == pytest.approx(0.0132, abs=5e-4)
    assert np.abs(residual_normal.soft_clamp(2 * u) - 2 * u).max() == pytest.approx(0.1003, abs=5e-4)
    saturated = torch.tensor([46.0, -46.0], requires_grad=True)
    from vaes.ops import residual_normal as twins

    twins.soft_clamp(saturated).sum().backward()
    assert (saturated.grad == 0).all()


def test_bounded_parameters_have_their_range() -> None:
    """Sigma in [0.016738, 148.423]; the prior at raw zero has scale 1.01, 9.84e-5 nats from the standard Normal."""
    mean, scale = residual_normal.bounded_parameters([-1e6, 0, 1e6], [-1e6, 0, 1e6])
    np.testing.assert_allclose(mean, [-5, 0, 5])
    np.testing.assert_allclose(scale, [0.016738, 1.01, 148.423], rtol=1e-5)
    assert float(gaussian.kl([0.0], [1.0], [0.0], [1.01])) == pytest.approx(9.84e-5, abs=5e-8)
    worst = float(gaussian.kl([5.0], [scale[2]], [-5.0], [scale[0]]))
    assert worst == pytest.approx(3.949e7, rel=1e-3)


@pytest.mark.parametrize("raw", [-12.0, -1.0, 0.0, 0.5, 9.0])
def test_bounded_parameters_at_50_digits(raw: float) -> None:
    wanted = at_50_digits(lambda s: mpmath.exp(5 * mpmath.tanh(s / 5)) + mpmath.mpf("0.01"), raw)
    assert float(residual_normal.bounded_parameters(0.0, raw)[1]) == pytest.approx(wanted, rel=1e-13)


@given(inputs.bounded_parameters())
def test_bounded_parameters_stay_in_range(implementation, case) -> None:
    mean, scale = implementation.call("residual_normal.bounded_parameters", **case)
    temperature = case.get("temperature", 1.0)
    assert (np.abs(mean) <= 5).all()
    assert (scale >= temperature * (math.exp(-5) + 0.01) * (1 - 1e-12)).all()
    assert (scale <= temperature * (math.exp(5) + 0.01) * (1 + 1e-12)).all()


@pytest.mark.parametrize(("raw", "clamped", "unclamped"), RAW)
def test_bounded_kl_is_not_eq_2(raw, clamped: float, unclamped: float) -> None:
    m, s, a, b = raw
    assert float(residual_normal.bounded_kl(*([float(x)] for x in raw))) == pytest.approx(clamped, rel=1e-3)
    eq_2 = residual_normal.kl([float(a)], [math.exp(s)], [math.exp(b)])
    assert float(eq_2) == pytest.approx(unclamped, rel=1e-3)
    sigma = [math.exp(5 * math.tanh(x / 5)) + 0.01 for x in (s + b, s)]
    mean = [5 * math.tanh(x / 5) for x in (m + a, m)]
    if clamped < 1:
        assert quadrature_kl(mean[0], sigma[0], mean[1], sigma[1]) == pytest.approx(clamped, rel=1e-3)


def test_bounded_kl_at_50_digits(implementation) -> None:
    """Small shifts of large raw values, both ends of the clamp, both means saturated, a scale ratio of 9000."""

    def clamp(u):
        return 5 * mpmath.tanh(u / 5)

    def exact(m, s, a, b):
        q, p = (mpmath.exp(clamp(u)) + mpmath.mpf("0.01") for u in (s + b, s))
        return mpmath.log(p / q) + (q**2 + (clamp(m + a) - clamp(m)) ** 2) / (2 * p**2) - mpmath.mpf(1) / 2

    small = [(4.0, -3.0, 1e-6, 1e-6), (-8.0, 0.0, 0.0, -1e-3), (3.06653326, 0.0, 1e-3, 1e-3), (12.0, 8.0, -1e-4, 1e-3)]
    large = [(0.5, 7.0, -2.0, 1.0), (0.0, -60.0, 0.0, 120.0), (0.0, 60.0, 0.0, -120.0), (40.0, 0.0, -1.0, 1.0)]
    for case in small + large:
        wanted = at_50_digits(exact, *case)
        assert float(residual_normal.bounded_kl(*([u] for u in case))) == pytest.approx(wanted, rel=2e-13, abs=0)
        names = ("raw_mean_p", "raw_log_scale_p", "raw_mean_shift", "raw_log_scale_shift")
        arguments = dict(zip(names, np.array(case)[:, None], strict=True))
        assert float(implementation.call("residual_normal.bounded_kl", **arguments)) == pytest.approx(
            wanted, rel=2e-13, abs=0
        )


@given(inputs.bounded_kl())
def test_bounded_kl_vanishes_without_residual(implementation, case) -> None:
    got = implementation.call("residual_normal.bounded_kl", **case)
    assert (got >= 0).all()
    assert (got <= 3.95e7 * case["raw_mean_p"].shape[-1]).all()
    nothing = {**case, "raw_mean_shift": 0 * case["raw_mean_p"], "raw_log_scale_shift": 0 * case["raw_mean_p"]}
    np.testing.assert_array_equal(implementation.call("residual_normal.bounded_kl", **nothing), 0)


def test_clamped_gradient_stops_growing() -> None:
    """With the clamp the slope of the gradient against the prior's scale flattens at sigma = 0.0167."""
    raw = np.array([-2.0, -4.0, -30.0, -60.0])
    mean, scale = residual_normal.bounded_parameters(0 * raw, raw)
    steep = np.abs(gaussian.kl_gradient(0.3, 0.5, mean, scale)[1])
    assert steep[1] / steep[0] > 10
    assert steep[3] / steep[2] == pytest.approx(1, rel=1e-4)


@given(inputs.softplus_scale())
def test_softplus_scale_identities(implementation, case) -> None:
    got = implementation.call("residual_normal.softplus_scale", **case)
    mirrored = implementation.call("residual_normal.softplus_scale", **{**case, "raw": -case["raw"]})
    np.testing.assert_allclose(got - mirrored, case["raw"], rtol=1e-12, atol=1e-12)
    unit = implementation.call("residual_normal.softplus_scale", raw=case["slope"] * case["raw"], slope=1.0)
    np.testing.assert_allclose(got, unit / case["slope"], rtol=1e-12)
    assert (got > np.maximum(case["raw"], 0) * (1 - 1e-12)).all()


@pytest.mark.parametrize("raw", [-300.0, -40.0, -18.1, -1.0, 0.0, 2.5, 50.0])
@pytest.mark.parametrize("slope", [LN2, 0.4, 1.0])
def test_softplus_scale_at_50_digits(raw: float, slope: float) -> None:
    wanted = at_50_digits(lambda y, b: mpmath.log1p(mpmath.exp(b * y)) / b, raw, slope)
    assert float(residual_normal.softplus_scale(raw, slope)) == pytest.approx(wanted, rel=1e-13)
    log_wanted = at_50_digits(lambda y, b: mpmath.log(mpmath.log1p(mpmath.exp(b * y)) / b), raw, slope)
    assert float(residual_normal.log_softplus_scale(raw, slope)) == pytest.approx(log_wanted, rel=1e-13, abs=1e-14)


def test_softplus_scale_at_zero() -> None:
    assert float(residual_normal.softplus_scale(0.0, LN2)) == pytest.approx(1, abs=1e-15)
    assert float(residual_normal.softplus_scale(0.0, 0.4)) == pytest.approx(1.7329, abs=5e-5)


def test_single_precision_softplus_underflows_but_its_logarithm_does_not() -> None:
    from vaes.ops import residual_normal as twins

    raw = torch.tensor([-160.0])
    assert float(twins.softplus_scale(raw, LN2)) == 0
    assert float(twins.log_softplus_scale(raw, LN2)) == pytest.approx(-160 * LN2 - math.log(LN2), rel=1e-6)


@given(inputs.log_softplus_scale())
def test_log_softplus_scale_is_increasing(implementation, case) -> None:
    ordered = np.sort(case["raw"].ravel())
    got = implementation.call("residual_normal.log_softplus_scale", **{**case, "raw": ordered})
    assert np.isfinite(got).all()
    assert (np.diff(got) >= -1e-12).all()
    # A logarithm rises by at most slope per unit of its argument.
    assert (np.diff(got) <= case["slope"] * np.diff(ordered) + 1e-9).all()


@pytest.mark.parametrize("raw", [-20.0, -1.0, 0.3, 6.0])
@pytest.mark.parametrize("slope", [LN2, 0.4, 1.0])
def test_scale_gradients_by_differentiation_at_50_digits(raw: float, slope: float) -> None:
    def scale(y):
        return mpmath.log1p(mpmath.exp(mpmath.mpf(slope) * y)) / mpmath.mpf(slope)

    with mpmath.workdps(50):
        wanted = [float(mpmath.diff(f, raw)) for f in (scale, lambda y: mpmath.log(scale(y)), lambda y: 1 / scale(y))]
    np.testing.assert_allclose([float(g) for g in residual_normal.scale_gradients(raw, slope)], wanted, rtol=1e-12)


@given(inputs.scale_gradients())
def test_scale_gradients_in_terms_of_the_scale(implementation, case) -> None:
    """The logistic function of slope * raw is 1 - exp(-slope * scale)."""
    by_scale, by_log_scale, by_inverse = implementation.call("residual_normal.scale_gradients", **case)
    scale = residual_normal.softplus_scale(**case)
    np.testing.assert_allclose(by_scale, -np.expm1(-case["slope"] * scale), rtol=1e-9)
    np.testing.assert_allclose(by_log_scale * scale, by_scale, rtol=1e-9)
    np.testing.assert_allclose(by_inverse * scale, -by_log_scale, rtol=1e-9)
    assert (by_log_scale <= case["slope"] * (1 + 1e-12)).all()


def test_smaller_slopes_tame_the_inverse_scale() -> None:
    sizes = [-float(residual_normal.scale_gradients(-20.0, slope)[2]) for slope in (1.0, LN2, 0.4)]
    np.testing.assert_allclose(sizes, [4.9e8, 5.0e5, 4.8e2], rtol=0.02)
    # At equal scale, where the papers' claim has to be read, the derivative of log scale falls with the slope as well.
    raws = [math.log(math.expm1(slope * 0.01)) / slope for slope in (1.0, LN2, 0.4)]
    steps = [float(residual_normal.scale_gradients(r, s)[1]) for r, s in zip(raws, (1.0, LN2, 0.4), strict=True)]
    assert steps[0] > steps[1] > steps[2]


@given(inputs.exponential_scale())
def test_exponential_scale_respects_the_floor(implementation, case) -> None:
    got = implementation.call("residual_normal.exponential_scale", **case)
    floor = case.get("floor", -np.inf)
    wanted = [math.exp(case["slope"] * (y if y > floor else floor)) for y in case["raw"].ravel().tolist()]
    np.testing.assert_allclose(got.ravel(), wanted, rtol=1e-12)


@pytest.mark.parametrize("raw", [-30.0, -7.0, 0.0, 2.5])
def test_exponential_scale_at_50_digits(raw: float) -> None:
    wanted = at_50_digits(lambda y: mpmath.exp(mpmath.mpf(0.4) * max(y, -7)), raw)
    assert float(residual_normal.exponential_scale(raw, 0.4, -7.0)) == pytest.approx(wanted, rel=1e-14)


@given(inputs.exponential_scale())
def test_exponential_scale_matches_a_power(case) -> None:
    wanted = np.power(np.e, case["slope"] * np.maximum(case["raw"], case.get("floor", -np.inf)))
    np.testing.assert_allclose(residual_normal.exponential_scale(**case), wanted, rtol=1e-12)


def test_exponential_kl_of_the_worked_example() -> None:
    """Slope .4, y_q = -.9, y_p = .3: 0.42317 nats; without the slope in the last term it would be 1.1432."""
    case = {"mean_q": [0.3], "raw_q": [-0.9], "mean_p": [-0.5], "raw_p": [0.3], "slope": 0.4}
    got = float(residual_normal.exponential_kl(**case))
    assert got == pytest.approx(0.42317, abs=5e-6)
    assert quadrature_kl(0.3, math.exp(-0.36), -0.5, math.exp(0.12)) == pytest.approx(got, abs=1e-11)
    assert got + (0.4 - 1) * (-0.9 - 0.3) == pytest.approx(1.1432, abs=5e-5)


def test_exponential_kl_next_to_equality_at_50_digits(implementation) -> None:
    """The scale part is of second order in the difference of the raw values: neither side may lose it to rounding."""
    for raw, slope in ((1e-3, math.log(2)), (-1e-6, 1.0), (0.2, 1.0), (-0.2, 1.5)):
        case = {name: np.array([value]) for name, value in (("mean_q", 0.0), ("mean_p", 0.0), ("raw_p", 0.0))}
        case |= {"raw_q": np.array([raw]), "slope": slope}
        with mpmath.workdps(50):
            doubled = 2 * mpmath.mpf(slope) * mpmath.mpf(raw)
            wanted = float((mpmath.expm1(doubled) - doubled) / 2)
        assert float(residual_normal.exponential_kl(**case)) == pytest.approx(wanted, rel=2e-15, abs=0)
        assert float(implementation.call("residual_normal.exponential_kl", **case)) == pytest.approx(
            wanted, rel=2e-15, abs=0
        )


@given(inputs.exponential_kl())
def test_exponential_kl_is_the_gaussian_divergence(implementation, case) -> None:
    scale_q, scale_p = (np.exp(case["slope"] * case[name]) for name in ("raw_q", "raw_p"))
    wanted = gaussian.kl(case["mean_q"], scale_q, case["mean_p"], scale_p)
    got = implementation.call("residual_normal.exponential_kl", **case)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)
    assert (got >= 0).all()


@given(inputs.softplus_parameters())
def test_softplus_parameters_have_the_residual_divergence(case) -> None:
    mean, scale = residual_normal.softplus_parameters(**case)
    ratio = np.log1p(np.exp(case["slope"] * case["raw_ratio"])) / case["slope"]
    np.testing.assert_allclose(scale, case["scale_p"] * ratio, rtol=1e-8)
    size = 1 + np.abs(case["mean_p"]).max() + np.abs(case["mean_shift"]).max()
    np.testing.assert_allclose(mean - case["mean_p"], case["mean_shift"], atol=1e-14 * size)
    zero = 0 * case["mean_p"]
    wanted = gaussian.kl(case["mean_shift"], scale, zero, case["scale_p"])
    np.testing.assert_allclose(
        residual_normal.kl(case["mean_shift"], case["scale_p"], ratio), wanted, rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize(("shift", "raw"), [(0.0, 0.0), (0.7, -1.5), (-0.3, 2.0)])
def test_softplus_parameters_match_quadrature(shift: float, raw: float) -> None:
    mean, scale = residual_normal.softplus_parameters(0.2, 0.9, shift, raw, LN2)
    wanted = quadrature_kl(float(mean), float(scale), 0.2, 0.9)
    ratio = residual_normal.softplus_scale(raw, LN2)
    assert float(residual_normal.kl([shift], [0.9], [ratio])) == pytest.approx(wanted, abs=1e-11)


@given(inputs.softplus_parameters(), st.sampled_from([0.0, 0.5]))
def test_softplus_parameters_at_raw_zero_keep_the_scale(implementation, case, shift: float) -> None:
    at_zero = {**case, "raw_ratio": 0 * case["raw_ratio"], "mean_shift": 0 * case["mean_p"] + shift, "slope": LN2}
    mean, scale = implementation.call("residual_normal.softplus_parameters", **at_zero)
    np.testing.assert_allclose(scale, case["scale_p"], rtol=1e-12)
    np.testing.assert_allclose(mean, case["mean_p"] + shift, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (residual_normal.parameters, (0.0, 1.0, 0.0, 0.0), r"scale_ratio must be > 0, got 0\.0"),
        (residual_normal.kl, ([0.0], [-1.0], [1.0]), r"scale_p must be > 0, got -1\.0"),
        (residual_normal.soft_clamp, (0.0, 0.0), r"bound must be > 0, got 0\.0"),
        (residual_normal.bounded_parameters, (0.0, 0.0, 0.0), r"temperature must be > 0, got 0\.0"),
        (residual_normal.bounded_kl, ([np.inf], [0.0], [0.0], [0.0]), r"raw_mean_p must be finite, got inf"),
        (residual_normal.softplus_scale, (0.0, -1.0), r"slope must be > 0, got -1\.0"),
        (residual_normal.log_softplus_scale, (np.nan, 1.0), r"raw must not contain NaN, got nan"),
        (residual_normal.scale_gradients, (0.0, 0.0), r"slope must be > 0, got 0\.0"),
        (residual_normal.exponential_scale, (0.0, 1.0, np.nan), r"floor must not contain NaN, got nan"),
        (residual_normal.exponential_kl, ([0.0], [0.0], [0.0], [0.0], 0.0), r"slope must be > 0, got 0\.0"),
        (residual_normal.softplus_parameters, (0.0, 0.0, 0.0, 0.0, 1.0), r"scale_p must be > 0, got 0\.0"),
    ],
)
def test_bad_input_is_named(function, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)

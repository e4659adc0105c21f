"""Likelihoods of discrete pixels: normalisation, 50 digits, limits, laws of the draws, the forms of public codes."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from reference import bernoulli, likelihoods, quantisation
from tests.conformance.first_principles import SAMPLES, assert_mean, at_50_digits
from tests.conformance.implementation import DTYPES
from tests.conformance.inputs import likelihoods as inputs

LOCATIONS = [(0.5, 0.07), (-0.3, 0.2), (1.7, 0.05), (0.2, 10.0), (0.4, 1e-3), (0.5, 1e4)]
BYTES = np.arange(256)
MASSES = ("discretised_gaussian", "discretised_logistic")


def law(pixels: np.ndarray, components: int = 2, seed: int = 0) -> dict[str, np.ndarray]:
    """Parameters of a colour mixture with one pixel, for images along the first axis."""
    rng = np.random.default_rng(seed)
    shape = (3, components, 1, 1)
    drawn = {
        "logits": rng.normal(size=shape[1:]),
        "means": rng.normal(scale=0.4, size=shape),
        "log_scales": rng.normal(-1, 0.5, shape),
    }
    return {name: np.broadcast_to(a, (len(pixels), *a.shape)) for name, a in drawn.items()} | {
        "coefficients": rng.normal(size=shape)
    }


def colours(levels: int) -> np.ndarray:
    """All colours, as images of one pixel."""
    return np.array(list(itertools.product(range(levels), repeat=3)))[..., None, None]


def chi_square(counts: np.ndarray, chances: np.ndarray) -> float:
    """P-value of counts, with rare outcomes pooled."""
    expected = chances / chances.sum() * counts.sum()
    rare = expected < 10
    pooled = [np.append(v[~rare], v[rare].sum()) for v in (counts, expected)]
    if pooled[1][-1] < 10:
        pooled = [v[:-1] * (counts.sum() / v[:-1].sum() if i else 1) for i, v in enumerate(pooled)]
        pooled[1] *= pooled[0].sum() / pooled[1].sum()
    return float(stats.chisquare(*pooled).pvalue)


def logistic_50(k, mean, scale, levels=256, low=0, high=1):
    """Textbook difference of distribution functions."""
    spacing = (mpmath.mpf(high) - low) / (levels - 1)
    a, b = ((low + k * spacing - mean + s * spacing / 2) / scale for s in (1, -1))
    above = mpmath.mpf(1) if k == levels - 1 else 1 / (1 + mpmath.exp(-a))
    return mpmath.log(above - (0 if k == 0 else 1 / (1 + mpmath.exp(-b))))


def gaussian_50(k, mean, scale, levels=256):
    spacing = mpmath.mpf(1) / (levels - 1)
    a, b = ((k * spacing - mean + s * spacing / 2) / scale for s in (1, -1))
    if k == levels - 1:
        a, b, k = -b, None, 0
    # ncdf of both ends in the lower tail, where it keeps its digits.
    if k and a + b > 0:
        a, b = -b, -a
    return mpmath.log(mpmath.ncdf(a) - (0 if k == 0 else mpmath.ncdf(b)))


def test_categorical_matches_scipy(rng) -> None:
    logits, codes = rng.normal(size=(50, 7)), rng.integers(0, 7, 50)
    wanted = special.log_softmax(logits, axis=-1)[np.arange(50), codes]
    np.testing.assert_allclose(likelihoods.categorical(codes, logits), wanted, rtol=1e-13)
    assert -float(likelihoods.categorical(3, np.zeros(256))) * 2352 == pytest.approx(13042.26, abs=5e-3)


def test_categorical_at_50_digits_next_to_certainty() -> None:
    """The usual log-softmax gives 0 here; the log of an odds does not."""
    wanted = at_50_digits(lambda a, b: -mpmath.log1p(mpmath.exp(b - a)), 30.0, -30.0)
    assert float(likelihoods.categorical(0, [30.0, -30.0])) == pytest.approx(wanted, rel=1e-12)
    assert special.log_softmax([30.0, -30.0])[0] == 0


@given(inputs.categorical())
def test_categorical_sums_to_one(implementation, case) -> None:
    logits = case["logits"]
    all_levels = [np.full(case["codes"].shape, k) for k in range(logits.shape[-1])]
    total = sum(np.exp(implementation.call("likelihoods.categorical", codes=k, logits=logits)) for k in all_levels)
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_bitwise_is_a_categorical_of_products(rng) -> None:
    logits = rng.normal(scale=2, size=8)
    digits = quantisation.to_bits(BYTES, 8)
    chances = np.prod(stats.bernoulli.pmf(digits, special.expit(logits)), axis=-1)
    np.testing.assert_allclose(np.exp(likelihoods.bitwise(BYTES, np.tile(logits, (256, 1)))), chances, rtol=1e-12)
    assert chances.sum() == pytest.approx(1)


def test_bitwise_is_a_sum_of_bernoullis(rng) -> None:
    codes, logits = rng.integers(0, 16, 20), rng.normal(scale=20, size=(20, 4))
    wanted = bernoulli.log_likelihood(quantisation.to_bits(codes, 4), logits)
    np.testing.assert_allclose(likelihoods.bitwise(codes, logits), wanted, rtol=1e-13)
    assert -float(likelihoods.bitwise(5, np.zeros(8))) == pytest.approx(math.log(256))


@given(inputs.bitwise())
def test_bitwise_sums_to_one(implementation, case) -> None:
    logits = case["logits"]
    levels = 2 ** logits.shape[-1]
    codes = np.arange(levels).reshape(levels, *[1] * (logits.ndim - 1)) + np.zeros(logits.shape[:-1], int)
    every = implementation.call(
        "likelihoods.bitwise", codes=codes, logits=np.broadcast_to(logits, (levels, *logits.shape)).copy()
    )
    np.testing.assert_allclose(np.exp(every).sum(0), 1, rtol=1e-12)


@pytest.mark.parametrize(("mean", "scale"), LOCATIONS)
def test_discretised_gaussian_at_50_digits(mean: float, scale: float) -> None:
    for k in (0, 1, 100, 128, 254, 255):
        got = float(likelihoods.discretised_gaussian(k, mean, scale))
        assert got == pytest.approx(at_50_digits(lambda m, s, k=k: gaussian_50(k, m, s), mean, scale), rel=1e-11), k


@pytest.mark.parametrize(("mean", "scale"), LOCATIONS)
@pytest.mark.parametrize("name", MASSES)
def test_discretised_masses_sum_to_one(name: str, mean: float, scale: float) -> None:
    assert np.exp(getattr(likelihoods, name)(BYTES, mean, scale)).sum() == pytest.approx(1, abs=1e-12)


def test_discretised_gaussian_matches_scipy() -> None:
    _, lower, upper = quantisation.bin_edges(256)
    wanted = stats.norm.logcdf(upper, 0.5, 0.2) + np.log1p(
        -np.exp(stats.norm.logcdf(lower, 0.5, 0.2) - stats.norm.logcdf(upper, 0.5, 0.2))
    )
    np.testing.assert_allclose(likelihoods.discretised_gaussian(BYTES, 0.5, 0.2), wanted, rtol=1e-9)


def test_discretised_gaussian_of_saturated_pixels() -> None:
    """Under a unit-variance Gaussian a pixel at the end costs 0.69, 0.77, 1.14 nats, one inside at least 6.460."""
    got = [-float(likelihoods.discretised_gaussian(0, d, 1.0)) for d in (0, 0.1, 0.47)]
    np.testing.assert_allclose(got, [0.69, 0.77, 1.14], atol=6e-3)
    assert -float(likelihoods.discretised_gaussian(128, 128 / 255, 1.0)) == pytest.approx(6.460, abs=5e-4)


def test_plain_differences_lose_bins_in_float32() -> None:
    """Why log-space forms: of 254 inner bins 203 (Gaussian, sigma 0.01) and 86 (logistic, s 0.01) have no mass left."""
    lower, upper = (quantisation.bin_edges(256)[i][1:-1].astype(np.float32) for i in (1, 2))
    for cdf, lost in ((special.ndtr, 203), (special.expit, 86)):
        half, one = np.float32(0.5), np.float32(0.01)
        empty = int((cdf((upper - half) / one) - cdf((lower - half) / one) == 0).sum())
        assert empty == pytest.approx(lost, abs=4)
    for name in MASSES:
        assert np.isfinite(getattr(likelihoods, name)(BYTES, 0.5, 0.01)).all()


@pytest.mark.parametrize(("mean", "scale"), LOCATIONS)
def test_discretised_logistic_at_50_digits(mean: float, scale: float) -> None:
    with mpmath.workdps(900):
        for k in (0, 1, 100, 128, 254, 255):
            wanted = float(logistic_50(k, mpmath.mpf(mean), mpmath.mpf(scale)))
            assert float(likelihoods.discretised_logistic(k, mean, scale)) == pytest.approx(wanted, rel=1e-12), k


def test_discretised_logistic_matches_scipy() -> None:
    _, lower, upper = quantisation.bin_edges(256)
    wanted = np.log(stats.logistic.cdf(upper, 0.5, 0.1) - stats.logistic.cdf(lower, 0.5, 0.1))
    np.testing.assert_allclose(likelihoods.discretised_logistic(BYTES, 0.5, 0.1), wanted, rtol=1e-9)


@pytest.mark.parametrize("name", MASSES)
def test_discretised_masses_at_the_limits(name: str) -> None:
    mass = getattr(likelihoods, name)
    np.testing.assert_allclose(np.exp(mass(np.array([0, 100, 255]), 0.3, 1e8)), [0.5, 0, 0.5], atol=1e-8)
    np.testing.assert_allclose(np.exp(mass(np.array([99, 100, 101]), 100 / 255, 1e-6)), [0, 1, 0], atol=1e-12)


@pytest.mark.parametrize("name", MASSES)
@given(case=inputs.discretised_gaussian())
def test_discretised_masses_are_symmetric(name: str, case) -> None:
    mirrored = {**case, "codes": case["levels"] - 1 - case["codes"], "mean": 1 - case["mean"]}
    one, two = (getattr(likelihoods, name)(**c) for c in (case, mirrored))
    np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", MASSES)
@pytest.mark.parametrize(("dtype", "within"), [("float64", 1e-12), ("float32", 2e-5)])
def test_masses_of_the_implementation_sum_to_one(implementation, name: str, dtype: str, within: float) -> None:
    """All 256 levels, means inside, on the ends and beyond, scales from a quarter of a bin to 40 times the range."""
    mean, scale = (
        a.reshape(-1, 1) for a in np.meshgrid([0.0, 0.5, 100 / 255, 1.0, -0.3, 1.7], np.geomspace(1e-3, 40, 12))
    )
    masses = implementation.call(f"likelihoods.{name}", dtype, codes=BYTES, mean=mean, scale=scale)
    np.testing.assert_allclose(np.exp(masses).sum(-1), 1, rtol=within)


@given(inputs.discretised_gaussian())
def test_discretised_gaussian_is_a_mass(implementation, case) -> None:
    every = [np.full_like(case["codes"], k) for k in range(case["levels"])]
    masses = [np.exp(implementation.call("likelihoods.discretised_gaussian", **{**case, "codes": k})) for k in every]
    np.testing.assert_allclose(sum(masses), 1, rtol=1e-9)


@given(inputs.discretised_logistic())
def test_discretised_logistic_is_a_mass(implementation, case) -> None:
    case = {**case, "half_bin": None}
    every = [np.full_like(case["codes"], k) for k in range(case["levels"])]
    masses = [np.exp(implementation.call("likelihoods.discretised_logistic", **{**case, "codes": k})) for k in every]
    np.testing.assert_allclose(sum(masses), 1, rtol=1e-9)


def test_thresholded_logistic_is_exact_above_the_threshold() -> None:
    exact = likelihoods.discretised_logistic(BYTES, 0.1, 0.05, low=-1)
    public = likelihoods.thresholded_logistic(BYTES, 0.1, 0.05)
    inside = np.exp(exact) > 1e-5
    assert inside.sum() > 50
    np.testing.assert_allclose(public[inside], exact[inside], atol=1e-9)


@pytest.mark.parametrize(("levels", "gap"), [(256, 2.148), (32, 31.116)])
def test_thresholded_logistic_is_too_low_in_the_tails(levels: int, gap: float) -> None:
    """By w/2 + log(1 - e^-w) - log w at log s = -7: 2.148 nats for 8 bits, 31.116 for 5."""
    scale = math.exp(-7)
    w = 2 / (levels - 1) / scale
    assert w / 2 + math.log(-math.expm1(-w)) - math.log(w) == pytest.approx(gap, abs=1e-3)
    k = levels // 4
    difference = likelihoods.discretised_logistic(k, 0.5, scale, levels, -1.0) - likelihoods.thresholded_logistic(
        k, 0.5, scale, levels
    )
    assert float(difference) == pytest.approx(gap, abs=1e-3)


def test_thresholded_logistic_with_the_low_top_edge_is_improper() -> None:
    """Level 254 lies at 0.992 > 0.99, so it also takes everything above: the mass of level 255 counts twice."""
    for mean, scale in ((1.0, 0.02), (0.9, 0.2)):
        masses = np.exp(likelihoods.thresholded_logistic(BYTES, mean, scale, top=0.99))
        extra = float(np.exp(likelihoods.discretised_logistic(255, mean, scale, low=-1)))
        assert masses.sum() == pytest.approx(1 + extra, abs=1e-3)
        assert extra > 0.1
    codes = np.arange(32)
    np.testing.assert_array_equal(*(likelihoods.thresholded_logistic(codes, 0.9, 0.1, 32, top=t) for t in (0.99, 0.94)))


def test_thresholded_logistic_never_reaches_the_top_of_5_bits() -> None:
    """The last 5-bit level is 0.945 < 0.999: at mean 0.95 and s = 0.02 a fifth of the mass is missing."""
    masses = np.exp(likelihoods.thresholded_logistic(np.arange(32), 0.95, 0.02, 32, 1 / 31, high=0.9450980392156862))
    assert masses.sum() == pytest.approx(0.808, abs=5e-4)


@given(inputs.thresholded_logistic())
def test_thresholded_logistic_is_a_log_mass_or_less(implementation, case) -> None:
    assert (implementation.call("likelihoods.thresholded_logistic", **case) <= 1e-9).all()


def test_mixture_of_one_component_is_a_sum() -> None:
    codes, rng = np.random.default_rng(1).integers(0, 256, (2, 3, 2, 2)), np.random.default_rng(2)
    means, log_scales = rng.normal(size=(2, 2, 3, 1, 2, 2))
    got = likelihoods.mixture_of_logistics(codes, np.zeros((2, 1, 2, 2)), means, log_scales)
    wanted = likelihoods.discretised_logistic(codes, means[:, :, 0], np.exp(log_scales[:, :, 0]), low=-1.0).sum(1)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


@pytest.mark.parametrize("coefficients", [True, False])
def test_mixture_of_colours_sums_to_one(coefficients: bool) -> None:
    """All 6^3 colours of a 6-level pixel."""
    pixels = colours(6)
    drawn = law(pixels)
    kept = np.broadcast_to(drawn["coefficients"], (216, *drawn["coefficients"].shape)) if coefficients else None
    masses = np.exp(likelihoods.mixture_of_logistics(pixels, **{**drawn, "coefficients": kept}, levels=6))
    assert masses.sum() == pytest.approx(1, abs=1e-12)
    joint = masses.reshape(6, 6, 6)
    product = np.einsum("i,j,k->ijk", *(joint.sum(axis=a) for a in ((1, 2), (0, 2), (0, 1))))
    assert np.abs(joint - product).max() > 1e-3


def test_mixture_of_logistics_at_50_digits() -> None:
    """Two components, three channels, coefficients, one pixel: the printed formula with differences of F."""
    a, m = [0.3, -0.8], [[0.1, -0.4], [0.2, 0.0], [-0.3, 0.5]]
    s, r, k = [[-2.0, -9.0], [-1.0, -3.0], [-3.0, -2.0]], [[0.5, -1.0], [0.3, 2.0], [-0.7, 0.1]], [10, 0, 255]
    column = [np.reshape(v, (*np.shape(v), 1, 1)) for v in (a, m, s, r)]
    with mpmath.workdps(400):
        x = [-1 + mpmath.mpf(2 * v) / 255 for v in k]
        total = mpmath.mpf(0)
        for j in range(2):
            t = [mpmath.tanh(mpmath.mpf(row[j])) for row in r]
            shifts = (0, t[0] * x[0], t[1] * x[0] + t[2] * x[1])
            logs = [logistic_50(k[c], m[c][j] + shifts[c], mpmath.exp(max(s[c][j], -7)), low=-1) for c in range(3)]
            total += mpmath.exp(mpmath.mpf(a[j]) + sum(logs))
        wanted = float(mpmath.log(total / sum(mpmath.exp(mpmath.mpf(v)) for v in a)))
    got = likelihoods.mixture_of_logistics(np.reshape(k, (3, 1, 1)), *column, floor=-7.0)
    assert float(got[0, 0]) == pytest.approx(wanted, rel=1e-12)


def test_mixture_ignores_impossible_and_merges_equal_components() -> None:
    codes = np.array([3, 250, 17]).reshape(3, 1, 1)
    drawn = {n: a[0] for n, a in law(codes[None, ..., 0], 1).items() if n != "coefficients"}
    one = likelihoods.mixture_of_logistics(codes, **drawn)
    double = {n: np.concatenate([a, a], axis=-3) for n, a in drawn.items()}
    np.testing.assert_allclose(likelihoods.mixture_of_logistics(codes, **double), one, rtol=1e-12)
    impossible = {
        **double,
        "logits": double["logits"] + np.array([0, -800.0]).reshape(2, 1, 1),
        "means": double["means"] + np.array([0, 0.5]).reshape(2, 1, 1),
    }
    np.testing.assert_allclose(likelihoods.mixture_of_logistics(codes, **impossible), one, rtol=1e-12)


@given(inputs.mixture_of_logistics(), st.randoms(use_true_random=False))
def test_mixture_ignores_the_order_of_components(implementation, case, random) -> None:
    order = random.sample(range(case["logits"].shape[-3]), case["logits"].shape[-3])
    parameters = [n for n in ("logits", "means", "log_scales", "coefficients") if n in case]
    shuffled = {**case, **{n: np.take(case[n], order, axis=-3) for n in parameters}}
    one, two = (implementation.call("likelihoods.mixture_of_logistics", **c) for c in (case, shuffled))
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


def test_mixture_forgets_a_common_shift_of_the_logits(implementation) -> None:
    """To the last digit of a log mass near log(1/2), which beside a logit of 128 would keep no more than its own."""
    case = {"codes": np.zeros((1, 1, 1), dtype=int), "means": np.array([0.125, 0.5]).reshape(1, 2, 1, 1)}
    case |= {"log_scales": np.zeros((1, 2, 1, 1)), "levels": 2}
    for dtype in DTYPES:
        near, far = (
            implementation.find("likelihoods.mixture_of_logistics")(
                **implementation.tensors({**case, "logits": np.array([shift, shift - 1]).reshape(2, 1, 1)}, dtype)
            )
            for shift in (0.0, 128.0)
        )
        assert near.item() == far.item()


@given(inputs.mixture_of_logistics())
def test_mixture_with_zero_coefficients_is_without(implementation, case) -> None:
    if case["codes"].shape[-3] == 3:
        zero = np.zeros_like(case["means"])
        one, two = (
            implementation.call("likelihoods.mixture_of_logistics", **{**case, "coefficients": c}) for c in (zero, None)
        )
        np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "within"), [("float64", 1e-12), ("float32", 1e-5)])
def test_mixture_of_the_implementation_sums_to_one(implementation, dtype: str, within: float) -> None:
    """All 8^3 colours with coefficients, and all 256 grey levels, at log scales from -7 to 3."""
    pixels = colours(8)
    drawn = {
        n: np.array(np.broadcast_to(a, (512, *a.shape[-a.ndim + (n != "coefficients") :])))
        for n, a in law(pixels, 3).items()
    }
    masses = implementation.call("likelihoods.mixture_of_logistics", dtype, codes=pixels, **drawn, levels=8)
    assert np.exp(masses).sum() == pytest.approx(1, abs=within)
    log_scales = np.linspace(-7, 3, 40).reshape(1, 1, 40)[:, None] + np.zeros((256, 1, 1, 1, 40))
    grey = {"logits": np.zeros((256, 1, 1, 40)), "means": np.full((256, 1, 1, 1, 40), 0.3), "log_scales": log_scales}
    codes = np.broadcast_to(BYTES.reshape(256, 1, 1, 1), (256, 1, 1, 40)).copy()
    masses = implementation.call("likelihoods.mixture_of_logistics", dtype, codes=codes, **grey)
    np.testing.assert_allclose(np.exp(masses).sum(0), 1, rtol=within)


def twin_case(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(3)
    codes = torch.randint(0, 256, (2, 3, 2, 2), generator=generator)
    codes[0, :, 0, 0], codes[0, :, 0, 1] = 0, 255
    parameters = [
        torch.randn(2, *s, 2, 2, generator=generator, dtype=torch.float64) for s in ((4,), (3, 4), (3, 4), (3, 4))
    ]
    return codes, [p.to(dtype).requires_grad_() for p in parameters]


@pytest.mark.parametrize("coefficients", [True, False])
def test_gradient_of_the_mixture_is_checked(coefficients: bool) -> None:
    """Gradcheck of the custom backward pass, with a floor that some log scales lie under."""
    from vaes.ops.likelihoods import mixture_of_logistics

    codes, parameters = twin_case()
    parameters = parameters if coefficients else parameters[:3]
    assert torch.autograd.gradcheck(lambda *p: mixture_of_logistics(codes, *p, floor=-0.5), parameters)


@pytest.mark.parametrize("name", MASSES)
@pytest.mark.parametrize("scale", [0.02, 0.3, 5.0])
def test_gradient_of_the_masses_is_checked(name: str, scale: float) -> None:
    from vaes.ops import likelihoods as twin

    codes = torch.tensor([0, 1, 100, 128, 200, 254, 255])
    mean = torch.linspace(-0.2, 1.1, 7, dtype=torch.float64, requires_grad=True)
    scales = torch.full((7,), scale, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m, s: getattr(twin, name)(codes, m, s), (mean, scales), eps=1e-7, rtol=1e-4)


def test_mixture_keeps_no_more_than_its_parameters() -> None:
    from vaes.ops.likelihoods import mixture_of_logistics

    codes, parameters = twin_case(torch.float32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        mixture_of_logistics(codes, *parameters)
    assert sum(kept) <= sum(p.numel() for p in parameters)
    with torch.no_grad():
        assert not mixture_of_logistics(codes, *parameters).requires_grad


@pytest.mark.parametrize("per_block", [1, 2])
def test_mixture_in_blocks_is_the_mixture(per_block: int, monkeypatch) -> None:
    """Five images at once, one by one, and two by two with one left over: values and gradients are the same."""
    from vaes.ops import likelihoods as twin

    codes, parameters = twin_case()
    order, weights = torch.tensor([0, 1, 1, 0, 1]), torch.linspace(1, 2, 20, dtype=torch.float64).reshape(5, 2, 2)

    def run(numbers: int) -> tuple[torch.Tensor, ...]:
        monkeypatch.setattr(twin, "BLOCK", -(-numbers // torch.get_num_threads()))
        value = twin.mixture_of_logistics(codes[order], *(p[order] for p in parameters), floor=-0.5)
        return value.detach(), *torch.autograd.grad((weights * value).sum(), parameters)

    for got, wanted in zip(run(per_block * parameters[1][0].numel()), run(1_000_000), strict=True):
        torch.testing.assert_close(got, wanted)


def test_mixture_shares_parameters_between_images() -> None:
    """Parameters without the axis of the images serve all of them, and get the sum of their gradients."""
    from vaes.ops.likelihoods import mixture_of_logistics

    codes, parameters = twin_case()
    shared = [p[0].detach().requires_grad_() for p in parameters]
    value = mixture_of_logistics(codes, *shared)
    each = [mixture_of_logistics(image, *shared) for image in codes]
    torch.testing.assert_close(value, torch.stack(each))
    wanted = torch.autograd.grad(sum(v.sum() for v in each), shared)
    for got, want in zip(torch.autograd.grad(value.sum(), shared), wanted, strict=True):
        torch.testing.assert_close(got, want)


def test_gradient_of_a_network_output_also_compiled() -> None:
    """Gradcheck through the parts of one tensor, as a network gives it; the same without breaks when compiled."""
    from vaes.ops.likelihoods import mixture_of_logistics, split_mixture

    codes, _ = twin_case()
    outputs = torch.randn(2, 40, 2, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def log_mass(outputs: torch.Tensor) -> torch.Tensor:
        return mixture_of_logistics(codes, *split_mixture(outputs, 4, 3, True), floor=-0.5)

    outputs.requires_grad_()
    assert torch.autograd.gradcheck(log_mass, outputs)
    torch._dynamo.reset()
    compiled = torch.compile(log_mass, fullgraph=True, backend="eager")
    got, wanted = (torch.autograd.grad(f(outputs).sum(), outputs)[0] for f in (compiled, log_mass))
    torch.testing.assert_close(got, wanted)


# Dynamo makes an instance of torch.autograd.Function, which torch deprecates.
def test_mixture_compiles_with_its_gradient() -> None:
    from vaes.ops.likelihoods import mixture_of_logistics

    codes, parameters = twin_case()
    torch._dynamo.reset()
    compiled = torch.compile(mixture_of_logistics, fullgraph=True, backend="eager")
    wanted = torch.autograd.grad(mixture_of_logistics(codes, *parameters).sum(), parameters)
    for got, want in zip(torch.autograd.grad(compiled(codes, *parameters).sum(), parameters), wanted, strict=True):
        torch.testing.assert_close(got, want)


def test_split_mixture_is_the_layout_of_the_head() -> None:
    """Channel by channel: logits 0..M-1, then per colour M means, M log scales, M coefficients."""
    outputs = np.arange(100.0).reshape(100, 1, 1)
    logits, means, log_scales, coefficients = (a[..., 0, 0] for a in likelihoods.split_mixture(outputs, 10, 3, True))
    np.testing.assert_array_equal(logits, np.arange(10))
    for colour in range(3):
        start = 10 + 30 * colour
        for part, offset in ((means, 0), (log_scales, 10), (coefficients, 20)):
            np.testing.assert_array_equal(part[colour], np.arange(start + offset, start + offset + 10))


@given(inputs.split_mixture())
def test_split_mixture_loses_nothing(implementation, case) -> None:
    parts = implementation.call("likelihoods.split_mixture", **case)
    assert sorted(np.concatenate([p.ravel() for p in parts])) == sorted(case["outputs"].ravel())
    assert len(parts) == (4 if case["coefficients"] else 3)


def test_split_mixture_counts_of_the_papers() -> None:
    for width, arguments in ((100, (10, 3, True)), (70, (10, 3, False)), (30, (10, 1, False))):
        assert likelihoods.split_mixture(np.zeros((width, 2, 2)), *arguments)[0].shape == (10, 2, 2)


@pytest.mark.parametrize("slope", [math.log(2), 0.4, 1.0])
@pytest.mark.parametrize("y", [-1000.0, -160.0, -44.0, -29.0, -1.0, 0.0, 5.0, 60.0])
def test_mixture_log_scale_at_50_digits(y: float, slope: float) -> None:
    wanted = at_50_digits(lambda y, b: mpmath.log(mpmath.log1p(mpmath.exp(b * y)) / b), y, slope)
    assert float(likelihoods.mixture_log_scale(y, slope)) == pytest.approx(wanted, rel=1e-13, abs=1e-14)


def test_mixture_log_scale_floor_and_forms() -> None:
    """Smoothed scale 1 at y = 0 for slope log 2, 1.7329 for 0.4; -250 is no floor in float32."""
    assert float(likelihoods.mixture_log_scale(0.0, math.log(2))) == pytest.approx(0, abs=1e-15)
    assert math.exp(likelihoods.mixture_log_scale(0.0, 0.4)) == pytest.approx(1.7329, abs=5e-5)
    assert float(likelihoods.mixture_log_scale(-100.0, 1.0, -7.0)) == -7
    assert math.exp(-7) == pytest.approx(9.1e-4, abs=5e-6)
    assert float(likelihoods.mixture_log_scale(-100.0, 0.5, -7.0, "exponential")) == -3.5
    assert np.exp(np.float32(-250)) == 0
    np.testing.assert_allclose(
        likelihoods.mixture_log_scale([1.0, -3.0], 1.0, -2.0, "exponential"), np.maximum([1.0, -3.0], -2)
    )


@given(inputs.mixture_log_scale())
def test_mixture_log_scale_rises_with_its_input(implementation, case) -> None:
    one = implementation.call("likelihoods.mixture_log_scale", **case)
    two = implementation.call("likelihoods.mixture_log_scale", **{**case, "activation": case["activation"] + 1})
    assert (two >= one).all()
    least = case["floor"] * (float(case["slope"]) if case["form"] == "exponential" else 1)
    assert (one >= least * (1 + 1e-12)).all()


def test_smoothed_scale_gradient() -> None:
    """D log s / dy = (1 - e^(-beta s)) / s: at most beta, where a plain log scale has 1."""
    y, slope, h = np.linspace(-20, 20, 9), math.log(2), 1e-5
    numeric = (likelihoods.mixture_log_scale(y + h, slope) - likelihoods.mixture_log_scale(y - h, slope)) / (2 * h)
    s = np.exp(likelihoods.mixture_log_scale(y, slope))
    np.testing.assert_allclose(numeric, -np.expm1(-slope * s) / s, rtol=1e-7)
    assert (numeric <= slope + 1e-9).all()


@pytest.mark.parametrize(
    ("k", "mean", "scale"), [(0, -0.9, 0.1), (255, 0.2, 0.3), (128, 0.05, 0.002), (10, 0.9, 0.01), (60, 0.1, 50.0)]
)
def test_scale_gradient_matches_mpmath_diff(k: int, mean: float, scale: float) -> None:
    with mpmath.workdps(900):
        wanted = float(mpmath.diff(lambda s: logistic_50(k, mpmath.mpf(mean), s, low=-1), mpmath.mpf(scale)))
    assert float(likelihoods.scale_gradient(k, mean, scale)) == pytest.approx(wanted, rel=1e-10)


def test_scale_gradient_of_the_worked_example() -> None:
    """Distance 0.05 from the mean, s = 0.002, h = 1/255: 11480.0, limit (|c| - h)/s^2 = 11519.6."""
    mean = 2 * 128 / 255 - 1 - 0.05
    assert float(likelihoods.scale_gradient(128, mean, 0.002)) == pytest.approx(11480.0, abs=0.05)
    assert pytest.approx(11519.6, abs=0.05) == (0.05 - 1 / 255) / 0.002**2
    sharp = 1e-6
    assert float(likelihoods.scale_gradient(128, mean, sharp)) == pytest.approx((0.05 - 1 / 255) / sharp**2, rel=1e-3)
    assert float(likelihoods.scale_gradient(128, 2 * 128 / 255 - 1, sharp)) == 0


def test_scale_gradient_far_in_the_tail_is_not_flushed(implementation) -> None:
    """90 scales beyond the end: float32's logistic function is 0 there, its product with a / s is not."""
    case = {"codes": np.array([0, 255]), "mean": np.array([-0.234375, 1.234375]), "scale": np.full(2, 2.0**-8.57)}
    options = {"levels": 256, "low": 0.0, "high": 1.0}
    case["scale"] = case["scale"].astype(np.float32).astype(float)
    wanted = likelihoods.scale_gradient(**case, **options)
    assert (np.abs(wanted) > 1e-36).all()
    found = implementation.call("likelihoods.scale_gradient", "float32", **case, **options)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=0)


@given(inputs.scale_gradient())
def test_scale_gradient_is_the_derivative(implementation, case) -> None:
    scale = torch.tensor(case["scale"], requires_grad=True)
    tensors = implementation.tensors({**case, "scale": None}, "float64")
    value = implementation.find("likelihoods.discretised_logistic")(**{**tensors, "scale": scale}).sum()
    wanted = torch.autograd.grad(value, scale)[0].numpy()
    got = implementation.call("likelihoods.scale_gradient", **case)
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6 / case["scale"].min())


def five_bits(mean, scale, half: str) -> np.ndarray:
    return likelihoods.total_mass(mean, scale, 32, -1.0, 0.9450980392156862, float(quantisation.half_bin(5, half)))


def test_total_mass_is_one_for_the_proper_half_bin() -> None:
    mean, scale = np.meshgrid(np.linspace(-1.5, 1.5, 13), np.geomspace(math.exp(-14), 30, 9))
    np.testing.assert_allclose(five_bits(mean, scale, "proper"), 1, atol=1e-12)
    np.testing.assert_allclose(likelihoods.total_mass(mean, scale), 1, atol=1e-12)


def test_total_mass_is_one_in_single_precision(implementation) -> None:
    """A scale of a ninth of a bin: edges rounded bin by bin would not fit together (60 ulps)."""
    case = {"mean": np.array([0.938613, -0.2]), "scale": np.array([0.00785398, 0.01]), "levels": 16}
    got = implementation.call("likelihoods.total_mass", dtype="float32", **case)
    np.testing.assert_allclose(got, 1, atol=2.0**-23)


@pytest.mark.parametrize(
    ("scale", "wanted"), [(0.05, 1.0282), (0.3, 1.0261), (0.01, 1.0449), (math.exp(-7), 1.4507), (math.exp(-14), 2.0)]
)
def test_total_mass_of_5_bit_public_codes_exceeds_one(scale: float, wanted: float) -> None:
    """Largest over the mean. Neighbouring bins overlap, by the more the smaller the scale."""
    step = 16 / 255
    means = np.concatenate([np.linspace(-1, 0.945, 4001), -1 + step * (np.arange(31) + 0.5)])
    assert five_bits(means, np.full_like(means, scale), "official").max() == pytest.approx(wanted, abs=6e-5)


def test_total_mass_is_the_telescoped_sum() -> None:
    values, h = quantisation.scale_pixels(np.arange(32), 5), 1 / 31
    for mean, scale in ((0.1, 0.05), (0.94, 0.2), (-0.5, 1e-3)):
        overlaps = special.expit((values[:-1] + h - mean) / scale) - special.expit((values[1:] - h - mean) / scale)
        assert float(five_bits(mean, scale, "official")) == pytest.approx(1 + overlaps.sum(), abs=1e-12)


@given(inputs.total_mass())
def test_total_mass_is_one_without_overlap(implementation, case) -> None:
    np.testing.assert_allclose(
        implementation.call("likelihoods.total_mass", **{**case, "half_bin": None}), 1, rtol=1e-9
    )


def test_mixture_sample_follows_its_mass(rng) -> None:
    """Rounded draws of one colour pixel against the enumerated colours: a chi-square test with rate 1e-4."""
    count, levels = 100_000, 6
    drawn = {n: np.array(a[0] if n != "coefficients" else a) for n, a in law(colours(2)).items()}
    noises = rng.random((count, 2, 1, 1)), rng.random((count, 3, 1, 1))
    draws = likelihoods.mixture_sample(
        **{n: np.broadcast_to(a, (count, *a.shape)) for n, a in drawn.items()},
        component_noise=noises[0],
        noise=noises[1],
    )
    assert np.abs(draws).max() <= 1
    red = quantisation.nearest_code(draws[:, 0, 0, 0], levels, -1.0, 1.0)
    pixels = colours(levels)
    expanded = {n: np.broadcast_to(a, (len(pixels), *a.shape)) for n, a in drawn.items()}
    chances = np.exp(likelihoods.mixture_of_logistics(pixels, **expanded, levels=levels)).reshape(6, 6, 6).sum((1, 2))
    assert chi_square(np.bincount(red, minlength=levels), chances) > 1e-4


def test_mixture_sample_keeps_the_law_of_later_channels(rng) -> None:
    """With a narrow red channel on a level, green given red has the shifted logistic law."""
    count = SAMPLES // 4
    shape = (count, 3, 1, 1, 1)
    means, log_scales, r = (
        np.broadcast_to(np.reshape(v, (3, 1, 1, 1)), shape)
        for v in ([0.5, 0.1, 0.0], [-12.0, -3.0, -3.0], [0.7, 0.0, -0.4])
    )
    draws = likelihoods.mixture_sample(
        np.zeros(shape[:1] + shape[2:]),
        means,
        log_scales,
        r,
        rng.random((count, 1, 1, 1)),
        rng.random((count, 3, 1, 1)),
    )[..., 0, 0]
    assert_mean(draws[:, 1], 0.1 + math.tanh(0.7) * 0.5)
    assert_mean((draws[:, 1] - 0.1 - math.tanh(0.7) * 0.5) ** 2, math.exp(-6) * math.pi**2 / 3, planted=0.03)
    assert_mean(draws[:, 2], math.tanh(-0.4) * (0.1 + math.tanh(0.7) * 0.5), planted=0.02)


@given(inputs.mixture_sample())
def test_mixture_sample_stays_between_the_ends(implementation, case) -> None:
    draws = implementation.call("likelihoods.mixture_sample", **case)
    assert np.abs(draws).max() <= 1
    cold = implementation.call("likelihoods.mixture_sample", **{**case, "temperature": 1e-9})
    best = np.take_along_axis(case["means"], case["logits"].argmax(-3)[..., None, None, :, :], -3)[..., 0, :, :]
    sure = np.ptp(np.sort(case["logits"], -3)[..., -2:, :, :], axis=-3) > 1e-3
    if case["logits"].shape[-3] == 1 or sure.all():
        np.testing.assert_allclose(cold[..., 0, :, :], np.clip(best[..., 0, :, :], -1, 1), atol=1e-6)


def test_mixture_mean_of_one_component_is_the_chain() -> None:
    means, r = np.array([0.4, 0.9, -0.2]).reshape(3, 1, 1, 1), np.array([0.6, -1.0, 0.2]).reshape(3, 1, 1, 1)
    green = min(0.9 + math.tanh(0.6) * 0.4, 1)
    blue = -0.2 + math.tanh(-1.0) * 0.4 + math.tanh(0.2) * green
    got = likelihoods.mixture_mean(np.zeros((1, 1, 1)), means, r)[..., 0, 0]
    np.testing.assert_allclose(got, [0.4, green, blue], rtol=1e-13)


def test_mixture_mean_is_not_the_mean_of_the_mixture(rng) -> None:
    """Opposite coefficients and reds: the product of averages vanishes, the average of products does not."""
    means = np.array([[0.5, -0.5], [0.0, 0.0], [0.0, 0.0]]).reshape(3, 2, 1, 1)
    r = np.array([[2.0, -2.0], [0.0, 0.0], [0.0, 0.0]]).reshape(3, 2, 1, 1)
    np.testing.assert_allclose(likelihoods.mixture_mean(np.zeros((2, 1, 1)), means, r), 0, atol=1e-15)
    assert 0.5 * math.tanh(2.0) > 0.4


@given(inputs.mixture_mean())
def test_mixture_mean_lies_between_the_locations(implementation, case) -> None:
    got = implementation.call("likelihoods.mixture_mean", **case)
    red = np.clip(case["means"][..., 0, :, :, :], -1, 1)
    between = (got[..., 0, :, :] >= red.min(-3) - 1e-12) & (got[..., 0, :, :] <= red.max(-3) + 1e-12)
    assert between.all()
    assert np.abs(got).max() <= 1


def test_categorical_sample_follows_its_mass(rng) -> None:
    logits = np.array([0.3, -1.0, 2.0, 0.0])
    draws = likelihoods.categorical_sample(np.broadcast_to(logits, (SAMPLES // 5, 4)), rng.random((SAMPLES // 5, 4)))
    assert chi_square(np.bincount(draws, minlength=4), special.softmax(logits)) > 1e-4
    assert_mean(draws.astype(float), float(likelihoods.categorical_mean(logits)), planted=0.02)


def half_precision_misses(implementation, draw: str) -> float:
    """Share of draws whose level is not that of the rounded inputs."""
    rng = np.random.default_rng(20200101)
    arguments = {"logits": 3 * rng.normal(size=(20_000, 6)), "noise": rng.uniform(1 / 256, 1 - 1 / 256, (20_000, 6))}
    rounded = {name: torch.as_tensor(value).bfloat16().double().numpy() for name, value in arguments.items()}
    wanted = getattr(likelihoods, draw)(**rounded)
    got = implementation.call(f"likelihoods.{draw}", dtype="bfloat16", **arguments)
    return float(np.mean(got != wanted))


# Scores in half precision would tie and choose another level in 0.2 % of these draws.
def test_categorical_sample_in_half_precision(implementation) -> None:
    assert half_precision_misses(implementation, "categorical_sample") < 2e-4


def test_bitwise_sample_in_half_precision(implementation) -> None:
    assert half_precision_misses(implementation, "bitwise_sample") < 2e-4


def test_categorical_sample_of_a_certain_level() -> None:
    noise = (np.arange(6) + 0.5) / 6
    assert int(likelihoods.categorical_sample([0.0, 0, 0, 500, 0, 0], noise)) == 3
    assert float(likelihoods.categorical_mean([0.0, 0, 0, 500, 0, 0])) == pytest.approx(3)


def test_categorical_mean_by_enumeration(rng) -> None:
    logits = rng.normal(size=(3, 16))
    chances = [np.exp(likelihoods.categorical(np.full(3, k), logits)) for k in range(16)]
    np.testing.assert_allclose(
        likelihoods.categorical_mean(logits), sum(k * p for k, p in enumerate(chances)), rtol=1e-12
    )


def test_bitwise_sample_follows_its_mass(rng) -> None:
    logits = np.array([0.5, -1.0, 2.0])
    draws = likelihoods.bitwise_sample(np.broadcast_to(logits, (SAMPLES // 5, 3)), rng.random((SAMPLES // 5, 3)))
    chances = np.exp(likelihoods.bitwise(np.arange(8), np.tile(logits, (8, 1))))
    assert chi_square(np.bincount(draws, minlength=8), chances) > 1e-4
    assert_mean(draws.astype(float), float(likelihoods.bitwise_mean(logits)), planted=0.02)


def test_bitwise_sample_of_certain_bits() -> None:
    assert int(likelihoods.bitwise_sample([60.0, -60.0, 60.0], [0.5, 0.5, 0.5])) == 5
    assert float(likelihoods.bitwise_mean([60.0, -60.0, 60.0])) == pytest.approx(5)


def test_bitwise_mean_by_enumeration(rng) -> None:
    logits = rng.normal(size=8)
    chances = np.exp(likelihoods.bitwise(BYTES, np.tile(logits, (256, 1))))
    assert float(likelihoods.bitwise_mean(logits)) == pytest.approx(BYTES @ chances, rel=1e-12)


def test_logistic_sample_has_its_law(rng) -> None:
    draws = likelihoods.logistic_sample(0.4, 0.05, rng.random(SAMPLES))
    assert_mean(draws, 0.4)
    assert_mean((draws - 0.4) ** 2, 0.05**2 * math.pi**2 / 3, planted=0.02)
    codes = quantisation.nearest_code(draws, 16)
    assert (
        chi_square(
            np.bincount(codes, minlength=16), np.exp(likelihoods.discretised_logistic(np.arange(16), 0.4, 0.05, 16))
        )
        > 1e-4
    )


@given(inputs.logistic_sample())
def test_logistic_sample_matches_scipy(case) -> None:
    wanted = stats.logistic.ppf(case["noise"], case["mean"], case["scale"])
    np.testing.assert_allclose(likelihoods.logistic_sample(**case), wanted, rtol=1e-9, atol=1e-9)


@given(inputs.logistic_sample())
def test_logistic_sample_is_the_mean_in_the_middle(implementation, case) -> None:
    middle = implementation.call("likelihoods.logistic_sample", **{**case, "noise": np.full_like(case["noise"], 0.5)})
    np.testing.assert_array_equal(middle, case["mean"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: likelihoods.categorical(3, [0.0, 0.0, 0.0]), r"codes must lie in \[0, 2\], got 3.0"),
        (lambda: likelihoods.categorical(0, [0.0, np.inf]), "logits must be finite, got inf"),
        (lambda: likelihoods.bitwise(4, [0.0, 0.0]), r"codes must lie in \[0, 3\], got 4.0"),
        (lambda: likelihoods.discretised_gaussian(0.5, 0, 1), "codes must be integers, got 0.5"),
        (lambda: likelihoods.discretised_gaussian(3, 0, 0), "scale must be > 0, got 0.0"),
        (lambda: likelihoods.discretised_logistic([1, 2], [0, 0, 0], 1), "shapes must broadcast together"),
        (lambda: likelihoods.discretised_logistic(1, 0, 1, half_bin=0), "half_bin must be > 0, got 0.0"),
        (lambda: likelihoods.thresholded_logistic(1, np.nan, 1), "mean must not contain NaN"),
        (lambda: likelihoods.mixture_of_logistics([[0]], [0.0], [0.0], [0.0]), r"codes must be \(..., C, H, W\)"),
        (
            lambda: likelihoods.mixture_of_logistics(
                np.zeros((1, 1, 1)), *(np.zeros(s) for s in ((1, 1, 1), *[(1, 1, 1, 1)] * 3))
            ),
            "coefficients must be .* for three channels, got 1 channels",
        ),
        (lambda: likelihoods.split_mixture(np.zeros((99, 1, 1)), 10, 3, True), r"outputs must be \(..., 100, H, W\)"),
        (lambda: likelihoods.mixture_log_scale(0, 0), "slope must be > 0, got 0.0"),
        (
            lambda: likelihoods.mixture_log_scale(0, 1, form="square"),
            "form must be 'softplus' or 'exponential', got 'square'",
        ),
        (lambda: likelihoods.scale_gradient(256, 0, 1), r"codes must lie in \[0, 255\], got 256.0"),
        (lambda: likelihoods.total_mass(0, -1), "scale must be > 0, got -1.0"),
        (
            lambda: likelihoods.mixture_sample(*[np.zeros((1, 1, 1, 1))] * 3, None, 2.0, 0.5),
            r"component_noise must lie in \[0, 1\]",
        ),
        (lambda: likelihoods.mixture_mean([[[np.nan]]], np.zeros((1, 1, 1, 1))), "logits must not contain NaN"),
        (lambda: likelihoods.categorical_sample([0.0, 0.0], [0.0, 0.5]), "noise must be > 0, got 0.0 at index"),
        (lambda: likelihoods.categorical_mean([np.inf]), "logits must be finite"),
        (lambda: likelihoods.bitwise_sample([0.0], [1.5]), r"noise must lie in \[0, 1\], got 1.5"),
        (lambda: likelihoods.bitwise_mean([np.nan]), "logits must not contain NaN"),
        (lambda: likelihoods.logistic_sample(0, 1, 1.0), "1 - noise must be > 0, got 0.0"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

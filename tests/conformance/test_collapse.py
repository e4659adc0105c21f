"""Diagnostics of posterior collapse, on encoders whose activity is known."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from reference import collapse, gaussian, linear_vae, registry
from tests.conformance.first_principles import assert_mean, at_50_digits
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


@pytest.mark.parametrize("function", ["collapse.active_units", "collapse.active_channels", "discrete.active_units"])
def test_half_precision_decides_as_its_inputs_say(implementation, rng, function: str) -> None:
    """A per cent around the threshold, where the rounding of a bfloat16 variance or mean would decide by itself."""
    argument = {"active_units": "posterior_means", "active_channels": "kl"}[function.split(".")[1]]
    units, threshold, nearly = 400, 0.01, rng.uniform(0.97, 1.03, 400)
    if function == "collapse.active_channels":
        values = (threshold * nearly * rng.uniform(0.5, 1.5, (6, 1, 2, units))).transpose(0, 3, 1, 2)
    else:
        noise = rng.standard_normal((6, units))
        corrected = function.startswith("collapse")
        shares = 0.5 + np.sqrt(threshold) * nearly * (noise - noise.mean(0)) / noise.std(0, ddof=int(corrected))
        values = np.stack([shares, shares]) if corrected else special.logit(shares)
        argument = argument if corrected else "logits"
    exact = torch.as_tensor(values).bfloat16().double().numpy()
    wanted = registry.resolve(registry.functions()[function][0].id)(exact, threshold=threshold)
    got = implementation.call(function, "bfloat16", **{argument: exact}, threshold=threshold)
    assert 0.2 < wanted.mean() < 0.8
    assert np.array_equal(got.astype(bool), wanted)


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
    """Decoder x = z + noise of scale s: own minus other costs E[(z - z')^2] / (2 s^2) = 1 / s^2."""
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


BAD = [
    ("rate", {"kl": []}, r"kl must be \(n >= 1,\), got shape \(0,\)"),
    ("is_collapsed", {"active": [True], "kl": [0.0, 1.0]}, r"active must be \(\*\(2,\), n\), got shape \(1,\)"),
    ("active_channels", {"kl": [1.0]}, r"kl must be \(N >= 1, C, H, W\), got shape \(1,\)"),
    ("kl_per_group", {"kl": []}, r"kl must hold L >= 1 groups, got 0"),
    ("inactive_groups", {"group_kl": [1.0], "fraction": -1.0}, r"fraction must be >= 0, got -1\.0"),
    ("active_groups", {"group_kl": [1.0, 2.0], "dims": [3]}, r"dims must hold one size for each of 2 groups, got 1"),
    ("generalisation_gap", {"validation": [np.nan], "training": [0.0]}, r"validation must not contain NaN"),
    ("mutual_information", {"log_density": np.zeros((2, 3, 1))}, r"must be \(N, N, S >= 1\), got shape \(2, 3, 1\)"),
    ("phase_transition", {"rho": [1.0, 0.5], "curve": [1.0, 0.0]}, r"rho must increase"),
    ("phase_transition", {"rho": [0.5, 1.0], "curve": [0.0, 0.0]}, r"start of the curve must be > 0, got 0\.0"),
    ("same_critical_rho", {"first": 0.9, "second": 0.9, "step": 0.0, "half_width": 0.0}, r"step must be > 0, got 0\.0"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(BAD)])
def test_bad_input_is_named(name: str, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(collapse, name)(**arguments)


def linear_posterior(eigenvalues: np.ndarray, variance: float, latents: int, images: np.ndarray) -> tuple:
    """Posterior means (2, N, q) and KL (N,) of the optimal linear VAE on data with a diagonal covariance."""
    leading = np.maximum(eigenvalues[:latents], variance)
    means = images[:, :latents] * np.sqrt(leading - variance) / leading
    scales = np.broadcast_to(np.sqrt(variance / leading), means.shape)
    return means[None].repeat(2, axis=0), gaussian.kl_standard(means, scales)


def test_active_units_and_rate_of_the_linear_vae(rng) -> None:
    """The optimal linear VAE uses exactly the directions above its variance, at the closed-form rate."""
    eigenvalues = np.array([4.0, 1.5, 0.3, 0.1])
    images = np.sqrt(eigenvalues) * rng.standard_normal((200_000, 4))
    means, kl = linear_posterior(eigenvalues, 0.5, 3, images)
    assert collapse.active_units(means).sum() == int(linear_vae.active_directions(eigenvalues, 0.5, 3)) == 2
    assert_mean(kl, float(linear_vae.fixed_variance_optimum(eigenvalues, 0.5, 3)[1]))
    assert float(collapse.rate(kl)) == pytest.approx(
        float(linear_vae.fixed_variance_optimum(eigenvalues, 0.5, 3)[1]), rel=0.02
    )


def test_between_variance_of_nearly_equal_means_keeps_its_digits(implementation) -> None:
    rng = np.random.default_rng(3)
    steps = rng.integers(-50, 50, (3, 5, 40))
    # Numbers of single precision, whose means over draws are not: a variance in units of 2^-40 is exact in integers.
    means = 1 + steps * 2.0**-20
    wanted = collapse.between_variance(steps.astype(float)) * 2.0**-40
    np.testing.assert_allclose(collapse.between_variance(means), wanted, rtol=1e-13, atol=0)
    found = implementation.call("collapse.between_variance", "float32", posterior_means=means)
    np.testing.assert_allclose(found, wanted, atol=1e-6 * np.abs(wanted).max())


def test_within_variance_of_equal_draws_is_nothing(implementation) -> None:
    """In single precision the mean of three equal numbers may be another number; neither value nor slope see it."""
    means = (
        torch.full((3, 2, 50), 1.0, device=implementation.device) + torch.arange(50, device=implementation.device) / 7
    )
    means.requires_grad_()
    found = implementation.find("collapse.within_variance")(means)
    found.sum().backward()
    assert (found == 0).all()
    assert (means.grad == 0).all()


def test_rate_of_a_known_posterior(rng) -> None:
    """Means N(0, 0.25), scale 0.6: half of 0.25 + 0.36 - 1 - log 0.36 nats on average."""
    kl = gaussian.kl_standard(0.5 * rng.standard_normal((100_000, 1)), np.full((100_000, 1), 0.6))
    assert float(collapse.rate(kl)) == pytest.approx(0.5 * (0.25 + 0.36 - 1 - np.log(0.36)), rel=0.01)


@given(inputs.rate())
def test_rate_is_the_sum_over_the_count(implementation, case) -> None:
    got = implementation.call("collapse.rate", **case)
    np.testing.assert_allclose(got * len(case["kl"]), case["kl"].sum(), rtol=1e-9, atol=1e-9)


def test_is_collapsed_for_known_encoders(rng) -> None:
    """The prior as posterior is collapsed, the identity is not; neither is a layer with a KL but no active unit."""
    images = rng.standard_normal((500, 2))
    nothing = np.zeros((2, 500, 2))
    for means, scale, wanted in [(nothing, 1.0, True), (np.stack([images, images]), 0.1, False), (nothing, 0.3, False)]:
        kl = collapse.rate(gaussian.kl_standard(means[0], np.full((500, 2), scale)))
        assert bool(collapse.is_collapsed(collapse.active_units(means), kl)) is wanted


def test_is_collapsed_at_the_edge_of_the_threshold() -> None:
    assert collapse.is_collapsed([[False], [False], [True]], [0.1, 0.0999, 0.0]).tolist() == [False, True, False]
    assert collapse.is_collapsed(np.zeros((1, 0), bool), [0.0]).tolist() == [True]


@given(inputs.is_collapsed())
def test_is_collapsed_needs_both(implementation, case) -> None:
    got = implementation.call("collapse.is_collapsed", **case)
    wanted = [not any(a) and k < case["kl_threshold"] for a, k in zip(case["active"], case["kl"], strict=True)]
    assert got.tolist() == wanted


def test_active_channels_of_planted_maps() -> None:
    """0.2 nats at every position, 0.2 at one of sixteen, nothing: the mean finds one channel, the sum finds two."""
    maps = np.zeros((3, 3, 4, 4))
    maps[:, 0] = 0.2
    maps[:, 1, 0, 0] = 0.2
    assert collapse.active_channels(maps).tolist() == [True, False, False]
    assert collapse.active_channels(maps, mean_over_space=False).tolist() == [True, True, False]


@given(inputs.active_channels())
def test_active_channels_by_enumeration(case) -> None:
    images, channels, rows, columns = case["kl"].shape
    area = rows * columns if case["mean_over_space"] else 1
    wanted = [sum(case["kl"][:, c].ravel().tolist()) / (images * area) > 0.1 for c in range(channels)]
    assert collapse.active_channels(**case).tolist() == wanted


@given(inputs.active_channels())
def test_active_channels_of_the_paper_are_among_those_of_the_code(implementation, case) -> None:
    strict, lax = (
        implementation.call("collapse.active_channels", **{**case, "mean_over_space": mean}) for mean in (True, False)
    )
    assert not (strict & ~lax).any()


def test_kl_per_group_of_planted_gaussians() -> None:
    """Group l has n latents of posterior mean 0.5 l: n l^2/8 nats; the group that equals its prior has none."""
    sides = (1, 2, 4)
    kl = [np.full((5, 3, r, r), float(gaussian.kl_standard([0.5 * level], [1.0]))) for level, r in enumerate(sides)]
    wanted = [3 * r * r * level**2 / 8 for level, r in enumerate(sides)]
    np.testing.assert_allclose(collapse.kl_per_group(kl), wanted, rtol=1e-12)
    assert collapse.inactive_groups(collapse.kl_per_group(kl)).tolist() == [True, False, False]


@given(inputs.kl_per_group())
def test_kl_per_group_adds_up(implementation, case) -> None:
    got = implementation.call("collapse.kl_per_group", **case)
    images = len(case["kl"][0])
    total = sum(float(group[n].sum()) for group in case["kl"] for n in range(images)) / images
    np.testing.assert_allclose(got.sum(), total, rtol=1e-9)


def test_inactive_groups_at_the_edge() -> None:
    """With a mean of 1 a group of exactly 0.01 is still on."""
    assert collapse.inactive_groups([0.01, 1.99, 1.0]).tolist() == [False, False, False]
    assert collapse.inactive_groups([0.0099, 1.9901, 1.0]).tolist() == [True, False, False]


@given(inputs.inactive_groups())
def test_inactive_groups_never_take_the_largest(implementation, case) -> None:
    off = implementation.call("collapse.inactive_groups", **case)
    assert not off[np.argmax(case["group_kl"])]
    mean = sum(case["group_kl"].tolist()) / len(off)
    assert off.tolist() == [bool(k < 0.01 * mean) for k in case["group_kl"]]


def test_active_groups_by_hand() -> None:
    """One dimension needs 6.9e-5 nats, ten thousand need 0.69; where posterior and prior agree there is nothing."""
    assert int(collapse.active_groups([7e-5, 0.7, 0.6], [1, 10_000, 10_000])) == 2
    assert int(collapse.active_groups([0.0, 0.0], [1, 4])) == 0
    assert int(collapse.active_groups([0.0, 0.0], [1, 4], threshold=0.0)) == 2


@given(inputs.active_groups())
def test_active_groups_by_enumeration(case) -> None:
    per_dim = [k / d / np.log(2) for k, d in zip(case["group_kl"], case["dims"], strict=True)]
    assert int(collapse.active_groups(**case)) == sum(bits >= 1e-4 for bits in per_dim)


@given(inputs.active_groups())
def test_active_groups_fall_with_the_threshold(implementation, case) -> None:
    counts = [
        int(implementation.call("collapse.active_groups", **{**case, "threshold": t})) for t in (0.0, 1e-4, 1e-2, 9.0)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == len(case["dims"])


def test_generalisation_gap_of_shifted_sets(rng) -> None:
    training = rng.exponential(size=50)
    assert float(collapse.generalisation_gap(training, training)) == 0
    assert float(collapse.generalisation_gap(training + 0.25, training)) == pytest.approx(0.25)


def test_generalisation_gap_at_initialisation_is_noise(rng) -> None:
    """Both sets from one law: Welch's interval covers the gap at its nominal rate."""
    validation, training = rng.exponential(size=(2000, 30)), rng.exponential(size=(2000, 60))
    covered = 0
    for v, t in zip(validation, training, strict=True):
        gap = float(collapse.generalisation_gap(v, t))
        covered += abs(gap) < 1.96 * np.sqrt(v.var(ddof=1) / 30 + t.var(ddof=1) / 60)
    assert 0.92 < covered / 2000 < 0.97


@given(inputs.generalisation_gap())
def test_generalisation_gap_changes_sign_with_its_sides(implementation, case) -> None:
    swapped = {"validation": case["training"], "training": case["validation"]}
    one, two = (implementation.call("collapse.generalisation_gap", **c) for c in (case, swapped))
    np.testing.assert_allclose(one, -two, atol=1e-9)


def channel(rng, signal: float, images: int) -> np.ndarray:
    """Log densities (N, N, 1) of z = signal x + sqrt(1 - signal^2) noise under every image's posterior."""
    x, noise = rng.standard_normal((2, images))
    spread = np.sqrt(1 - signal**2)
    z = signal * x + spread * noise
    return stats.norm.logpdf(z[:, None], signal * x, spread)[..., None]


@pytest.mark.parametrize("signal", [0.3, 0.7, 0.9])
def test_mutual_information_of_a_gaussian_channel(rng, signal: float) -> None:
    """-log(1 - signal^2)/2 nats; 1500 images, averaged over 5 sets."""
    got = np.mean([collapse.mutual_information(channel(rng, signal, 1500)) for _ in range(5)])
    assert got == pytest.approx(-0.5 * np.log(1 - signal**2), abs=0.03)


def test_mutual_information_limits(rng) -> None:
    """A collapsed posterior says nothing; separated posteriors say which of the N images it is."""
    constant = np.broadcast_to(stats.norm.logpdf(rng.standard_normal(50))[:, None, None], (50, 50, 2))
    assert float(collapse.mutual_information(constant)) == pytest.approx(0, abs=1e-12)
    separate = np.where(np.eye(8, dtype=bool), 0.0, -800.0)[..., None].repeat(3, axis=2)
    assert float(collapse.mutual_information(separate)) == pytest.approx(np.log(8), rel=1e-12)


def test_mutual_information_at_50_digits(implementation) -> None:
    """Near-equal densities (a collapsed layer), one draw above all others, separate images far below one."""

    def exact(*values: mpmath.mpf) -> mpmath.mpf:
        size = log_density.shape
        table = np.array([mpmath.exp(v) for v in values], dtype=object).reshape(size)
        own = [mpmath.fsum(table[n, n]) / size[2] for n in range(size[0])]
        mixture = [mpmath.fsum(table[n].ravel()) / (size[0] * size[2]) for n in range(size[0])]
        return mpmath.fsum(mpmath.log(o / m) for o, m in zip(own, mixture, strict=True)) / size[0]

    near = np.array([[[1e-3], [1e-3]], [[0.0], [-1e-5]]])
    one_draw = np.array([[[1.3862623027396523, 1.0], [1e-3, -20.0]], [[1e-3, -5.2040712844813335], [0.0, 20.0]]])
    separate = -700 * (1 - np.eye(3))[..., None] - 80.0
    for log_density in (near, one_draw, near - 50.0, separate):
        wanted = at_50_digits(exact, *log_density.ravel())
        assert float(collapse.mutual_information(log_density)) == pytest.approx(wanted, rel=1e-13, abs=0)
        got = implementation.call("collapse.mutual_information", log_density=log_density)
        assert float(got) == pytest.approx(wanted, rel=1e-13, abs=0)


def test_mutual_information_of_impossible_samples(implementation) -> None:
    """A density of zero is a number: under every other image (log N), under its own (minus infinity)."""
    separate = np.where(np.eye(4, dtype=bool), 0.0, -np.inf)[..., None]
    impossible = np.array([[[-np.inf], [0.0]], [[0.0], [0.0]]])
    for table, wanted in [(separate, np.log(4)), (impossible, -np.inf)]:
        assert float(collapse.mutual_information(table)) == pytest.approx(wanted)
        assert float(implementation.call("collapse.mutual_information", log_density=table)) == pytest.approx(wanted)


def test_mutual_information_is_at_most_the_top_kl(rng) -> None:
    """Posterior N(0.8 x, 0.3): the KL to the prior also pays for the marginal's mismatch."""
    x, noise = rng.standard_normal((2, 1500))
    z = 0.8 * x + 0.3 * noise
    information = collapse.mutual_information(stats.norm.logpdf(z[:, None], 0.8 * x, 0.3)[..., None])
    assert information < gaussian.kl_standard(0.8 * x[:, None], np.full((1500, 1), 0.3)).mean()


@given(inputs.mutual_information())
def test_mutual_information_is_bounded_by_the_images(implementation, case) -> None:
    got = implementation.call("collapse.mutual_information", **case)
    assert got <= np.log(len(case["log_density"])) + 1e-9
    shifted = {"log_density": case["log_density"] + np.arange(len(case["log_density"]))[:, None, None]}
    np.testing.assert_allclose(implementation.call("collapse.mutual_information", **shifted), got, rtol=1e-9, atol=1e-9)


GRID = np.linspace(0.7, 1.0, 61)


def test_phase_transition_of_a_logistic_curve() -> None:
    """Centre 0.85, scale 0.01: levels at 0.85 + 0.01 log((1 - m)/m), width 0.01 * 2 log 9, slope 1/(4 * 0.01)."""
    curve = 7 / (1 + np.exp((GRID - 0.85) / 0.01))
    half, onset, width, sharpness = collapse.phase_transition(GRID, curve)
    assert float(half) == pytest.approx(0.85, abs=1e-6)
    assert float(onset) == pytest.approx(0.85 + 0.01 * np.log(19), abs=5e-4)
    assert float(width) == pytest.approx(0.02 * np.log(9), abs=5e-4)
    assert float(sharpness) == pytest.approx(25, rel=0.03)


def test_phase_transition_of_a_root() -> None:
    """sqrt(1 - rho/0.9) from 0.7 on, then nothing: half height at 0.85, onset just below 0.9."""
    curve = np.sqrt(np.maximum(0.9 - GRID, 0) / 0.2)
    half, onset, _, _ = collapse.phase_transition(GRID, curve)
    assert float(half) == pytest.approx(0.85, abs=1e-9)
    assert 0.895 <= float(onset) <= 0.9


def test_phase_transition_without_a_crossing() -> None:
    half, onset, width, sharpness = collapse.phase_transition([0.7, 0.8, 0.9], [2.0, 1.9, 1.6])
    assert np.isnan([half, onset, width]).all()
    assert float(sharpness) == pytest.approx(1.5)


def test_phase_transition_agrees_with_the_procedure_of_the_claims() -> None:
    """An independent code of the same procedure decides the claims; a noisy, non-monotone curve."""
    from claims.transition import phase_transition

    noise = 0.2 * np.random.default_rng(3).normal(size=GRID.size)
    curve = 5 / (1 + np.exp((GRID - 0.9) / 0.02)) + noise - noise[0] + 0.3
    wanted = phase_transition(GRID, curve[None], resamples=2)
    half, onset, width, sharpness = collapse.phase_transition(GRID, curve)
    pairs = [(half, "rho_half"), (onset, "rho_on"), (width, "width"), (sharpness, "sharpness")]
    for got, name in pairs:
        assert float(got) == pytest.approx(np.nan if wanted[name] is None else wanted[name], rel=1e-9, nan_ok=True)


@given(inputs.phase_transition())
def test_phase_transition_ignores_the_unit_of_the_curve(implementation, case) -> None:
    plain = implementation.call("collapse.phase_transition", **case)
    scaled = implementation.call("collapse.phase_transition", **{**case, "curve": 4 * case["curve"]})
    np.testing.assert_allclose(scaled, plain, rtol=1e-9)
    moved = implementation.call("collapse.phase_transition", **{**case, "rho": case["rho"] + 0.25})
    np.testing.assert_allclose(moved, np.add(plain, (0.25, 0.25, 0, 0)), rtol=1e-9, atol=1e-12)
    half, onset, width, _ = plain
    assert np.isnan(half) or np.isnan(onset) or onset >= half
    assert np.isnan(width) or width >= 0


def test_same_critical_rho_of_shifted_curves() -> None:
    """Identical curves agree; curves three grid steps apart do not, unless the seeds are that noisy."""
    curve = 7 / (1 + np.exp((GRID - 0.85) / 0.01))
    onset, same = collapse.phase_transition(GRID, curve)[1], collapse.phase_transition(GRID, 2 * curve)[1]
    far = collapse.phase_transition(GRID + 0.015, curve)[1]
    assert bool(collapse.same_critical_rho(onset, same, 0.005, 0.001))
    assert not bool(collapse.same_critical_rho(onset, far, 0.005, 0.001))
    assert bool(collapse.same_critical_rho(onset, far, 0.005, 0.02))


def test_same_critical_rho_at_the_edge() -> None:
    got = collapse.same_critical_rho([0.5, 0.5, 0.5], [0.75, 0.7501, 0.25], 0.25, 0.125)
    assert got.tolist() == [True, False, True]


@given(inputs.same_critical_rho())
def test_same_critical_rho_is_symmetric(implementation, case) -> None:
    swapped = {**case, "first": case["second"], "second": case["first"]}
    one, two = (implementation.call("collapse.same_critical_rho", **c) for c in (case, swapped))
    np.testing.assert_array_equal(one, two)
    assert one[case["first"] == case["second"]].all()
    far = {**case, "second": case["first"] + 0.25}
    assert not implementation.call("collapse.same_critical_rho", **far).any()

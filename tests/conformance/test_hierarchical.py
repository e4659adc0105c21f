"""Hierarchical bounds: a linear-Gaussian hierarchy where everything is known, layer terms, smoothed conditionals."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch.distributions import Normal

from reference import gaussian, hierarchical
from tests.conformance.first_principles import SAMPLES, assert_mean, at_50_digits
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


def test_layer_terms_at_50_digits(implementation) -> None:
    """A posterior next to the prior, with a sample far out: the log densities agree in ten digits."""

    def exact(z, m, s, m0, s0):
        return ((z - m0) / s0) ** 2 / 2 - ((z - m) / s) ** 2 / 2 - mpmath.log(s / s0)

    corners = [(-1.0, 1e-3, 1.0, 0.0, 1.0), (7.0, 1e-9, 1 + 2.0**-30, 0.0, 1.0), (3.0, -2.0, 0.01, 0.0, 1.0)]
    for corner in corners:
        wanted = at_50_digits(exact, *corner)
        z, m, s = (np.array([v]) for v in corner[:3])
        case = {"z": [z], "mean_q": [m], "scale_q": [s], "mean_p": [], "scale_p": []}
        assert float(hierarchical.layer_terms(**case)[0]) == pytest.approx(wanted, rel=1e-13, abs=0)
        assert implementation.call("hierarchical.layer_terms", **case)[0] == pytest.approx(wanted, rel=1e-13, abs=0)


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
def test_layer_terms_are_those_of_torch_distributions(implementation, case) -> None:
    """Single layers, which a sum could mix up, and the densities of another library."""
    top = np.zeros_like(case["z"][-1])
    z = [torch.as_tensor(layer) for layer in case["z"]]
    sides = ((case["mean_q"], case["scale_q"]), ([*case["mean_p"], top], [*case["scale_p"], top + 1]))
    posterior, prior = (
        [Normal(torch.as_tensor(m), torch.as_tensor(s)) for m, s in zip(means, scales, strict=True)]
        for means, scales in sides
    )
    rows = zip(z, posterior, prior, strict=True)
    wanted = torch.stack([(q.log_prob(layer) - p.log_prob(layer)).sum(-1) for layer, q, p in rows])
    for got in (hierarchical.layer_terms(**case), implementation.call("hierarchical.layer_terms", **case)):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-9, atol=1e-7)


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


BAD = [
    ("generate", {"noise": [], "conditionals": []}, r"L - 1 layers for L >= 1 of noise, got 0, 0"),
    ("infer", {"x": [0.0], "noise": [[0.0]], "conditionals": []}, r"must hold L >= 1 layers, got 1, 0"),
    (
        "log_joint",
        {"log_likelihood": 0.0, "z": [[0.0]], "mean_p": [[0.0]], "scale_p": []},
        r"L - 1 layers, got 1, 1, 0",
    ),
    ("total_kld", {"layer_terms": np.zeros((0, 2))}, r"layer_terms must hold at least one sample"),
    (
        "ratio_bias",
        {"mean_ratio": [1.0], "inverse_scale": [], "indices": np.zeros((1, 1), int), "z": 0.0, "rho": 0.5},
        r"one shape",
    ),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=[name for name, _, _ in BAD])
def test_bad_input_is_named(name: str, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(hierarchical, name)(**arguments)


def test_generated_samples_have_the_covariance_of_the_recursion(rng) -> None:
    """A linear stack of three layers; x-side layer 1 has variance 0.9^2 (0.7^2 + 0.3^2) + 0.5^2."""
    noise = [rng.standard_normal((SAMPLES, 1)) for _ in range(3)]
    layers = hierarchical.generate(noise, [lambda z: (0.9 * z, 0 * z + 0.5), lambda z: (0.7 * z, 0 * z + 0.3)])
    z1, z2, z3 = (layer[:, 0] for layer in layers)
    assert_mean(z3**2, 1.0)
    assert_mean(z2**2, 0.7**2 + 0.3**2)
    assert_mean(z1**2, 0.9**2 * (0.7**2 + 0.3**2) + 0.5**2)
    assert_mean(z1 * z3, 0.9 * 0.7, planted=0.02)


def test_generated_sample_by_hand() -> None:
    """Top 2; below mean 2^2 and scale 1/2; one more with mean 3 z: the order is from layer 1 to the top."""
    got = hierarchical.generate(
        [np.array([1.0]), np.array([-1.0]), np.array([2.0])], [lambda z: (3 * z, 0 * z + 1), lambda z: (z**2, 1 / z)]
    )
    np.testing.assert_allclose(np.concatenate(got), [11.5, 3.5, 2.0])


@given(inputs.generate())
def test_generated_layers_are_reparameterised(implementation, case) -> None:
    layers = implementation.call("hierarchical.generate", **case)
    np.testing.assert_array_equal(layers[-1], case["noise"][-1])
    for i, conditional in enumerate(case["conditionals"]):
        mean, scale = conditional(layers[i + 1])
        np.testing.assert_allclose(layers[i], mean + scale * case["noise"][i], rtol=1e-9, atol=1e-9)


def test_inferred_top_of_a_linear_encoder(rng) -> None:
    """z2 = 0.8 (0.5 x + 0.4 e1) + 0.6 e2 is Gaussian with mean 0.4 x and variance 0.32^2 + 0.36."""
    noise = [rng.standard_normal((SAMPLES, 1)) for _ in range(2)]
    x = np.full((SAMPLES, 1), 3.0)
    bottom, top = hierarchical.infer(x, noise, [lambda x: (0.5 * x, 0 * x + 0.4), lambda z: (0.8 * z, 0 * z + 0.6)])
    assert_mean(bottom[:, 0], 1.5)
    assert_mean(top[:, 0], 1.2)
    assert_mean((top[:, 0] - 1.2) ** 2, 0.32**2 + 0.36)


def test_inference_passes_gradients_through_the_layers() -> None:
    """The derivative of z2 along a parameter of q(z1|x), by differences: reparameterisation passes through."""

    def top(slope: float) -> float:
        conditionals = [lambda x: (slope * x, 0 * x + 0.4), lambda z: (np.tanh(z), 0.1 + z**2)]
        return float(hierarchical.infer([2.0], [[0.5], [-1.0]], conditionals)[1][0])

    z1 = 0.3 * 2.0 + 0.4 * 0.5
    assert (top(0.3 + 1e-6) - top(0.3 - 1e-6)) / 2e-6 == pytest.approx(2 * (1 / np.cosh(z1) ** 2 - 2 * z1), rel=1e-6)


@given(inputs.infer())
def test_inferred_layers_follow_the_layer_below(implementation, case) -> None:
    layers = implementation.call("hierarchical.infer", **case)
    for below, layer, noise, conditional in zip(
        [case["x"], *layers], layers, case["noise"], case["conditionals"], strict=False
    ):
        mean, scale = conditional(below)
        np.testing.assert_allclose(layer, mean + scale * noise, rtol=1e-9, atol=1e-9)


@given(inputs.log_joint())
def test_log_joint_matches_scipy(case) -> None:
    top = np.zeros_like(case["z"][-1])
    rows = zip(case["z"], [*case["mean_p"], top], [*case["scale_p"], top + 1], strict=True)
    wanted = case["log_likelihood"] + sum(stats.norm.logpdf(z, m, s).sum(-1) for z, m, s in rows)
    np.testing.assert_allclose(hierarchical.log_joint(**case), wanted, rtol=1e-9, atol=1e-9)


def test_joint_density_integrates_to_the_evidence() -> None:
    """Two layers, by quadrature over both latents: the evidence of the linear-Gaussian hierarchy."""
    grid = np.linspace(-8, 8, 801)
    z1, z2 = np.meshgrid(grid, grid, indexing="ij")
    likelihood = stats.norm.logpdf(X, z1, NOISE)
    joint = hierarchical.log_joint(likelihood, [z1[..., None], z2[..., None]], [SLOPE * z2[..., None]], [[SPREAD]])
    assert np.log(np.exp(joint).sum() * (grid[1] - grid[0]) ** 2) == pytest.approx(log_evidence(X), abs=1e-9)


@given(inputs.layer_terms(), st.floats(-100, 100))
def test_log_joint_and_layer_terms_share_the_prior(implementation, case, likelihood: float) -> None:
    """Joint less posterior, log p(x, z) - log q(z|x) is the ELBO of the draw."""
    batch = np.full(case["z"][0].shape[:-1], likelihood)
    arguments = {name: case[name] for name in ("z", "mean_p", "scale_p")}
    joint = implementation.call("hierarchical.log_joint", log_likelihood=batch, **arguments)
    posterior = sum(
        gaussian.log_density(z, m, s) for z, m, s in zip(case["z"], case["mean_q"], case["scale_q"], strict=True)
    )
    bound = hierarchical.elbo(batch, hierarchical.layer_terms(**case))
    np.testing.assert_allclose(joint - posterior, bound, rtol=1e-9, atol=1e-6)


@given(inputs.layer_terms())
def test_total_kld_is_the_joint_log_ratio(case) -> None:
    top = np.zeros_like(case["z"][-1])
    priors = zip(case["z"], [*case["mean_p"], top], [*case["scale_p"], top + 1], strict=True)
    posteriors = zip(case["z"], case["mean_q"], case["scale_q"], strict=True)
    wanted = sum(stats.norm.logpdf(*q).sum(-1) for q in posteriors) - sum(stats.norm.logpdf(*p).sum(-1) for p in priors)
    got = hierarchical.total_kld(hierarchical.layer_terms(**case))
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-7)


def test_total_kld_of_a_linear_gaussian_hierarchy(rng) -> None:
    """Its mean is the KL of two joint Gaussians in closed form: covariances of (z1, z2) under q and p."""
    mean, scale, slope, spread = 0.3, 0.5, 0.4, 0.7
    z1 = mean + scale * rng.standard_normal((SAMPLES, 1))
    z2 = slope * z1 + spread * rng.standard_normal((SAMPLES, 1))
    terms = hierarchical.layer_terms(
        [z1, z2], [np.full_like(z1, mean), slope * z1], [[scale], [spread]], [SLOPE * z2], [[SPREAD]]
    )
    q = np.array([[scale**2, slope * scale**2], [slope * scale**2, slope**2 * scale**2 + spread**2]])
    p = np.array([[SLOPE**2 + SPREAD**2, SLOPE], [SLOPE, 1.0]])
    centre = np.array([mean, slope * mean])
    trace = np.trace(np.linalg.solve(p, q)) + centre @ np.linalg.solve(p, centre) - 2
    assert_mean(
        hierarchical.total_kld(terms), 0.5 * (trace + np.log(np.linalg.det(p) / np.linalg.det(q))), planted=0.02
    )


@given(inputs.elbo())
def test_total_kld_completes_the_elbo(implementation, case) -> None:
    kld = implementation.call("hierarchical.total_kld", layer_terms=case["layer_terms"])
    np.testing.assert_allclose(case["log_likelihood"] - kld, hierarchical.elbo(**case), rtol=1e-9, atol=1e-9)


@given(inputs.smoothed_elbo())
def test_smoothed_elbo_matches_scipy(case) -> None:
    """Written out with scipy's densities at the averaged parameters."""
    top = np.zeros_like(case["z"][-1])
    means, scales = (
        [*(np.mean(layer, axis=0) for layer in case[name]), end]
        for name, end in (("mean_p", top), ("scale_p", top + 1))
    )
    prior = sum(stats.norm.logpdf(*row).sum(-1) for row in zip(case["z"], means, scales, strict=True))
    posterior = sum(
        stats.norm.logpdf(*row).sum(-1) for row in zip(case["z"], case["mean_q"], case["scale_q"], strict=True)
    )
    wanted = case["log_likelihood"] + case["beta"] * (prior - posterior)
    np.testing.assert_allclose(hierarchical.smoothed_elbo(**case), wanted, rtol=1e-9, atol=1e-6)


def test_smoothed_elbo_of_a_linear_hierarchy(rng) -> None:
    """One-layer-up slope w, K samples at rho: the quadratic term has mean v + w^2 t^2 (1 + kappa - 2 rho)."""
    from reference import ornstein_uhlenbeck as ou

    rho, samples, size = 0.5, 5, SAMPLES // 4
    noise, e1 = rng.standard_normal((2, size, 1))
    copies = ou.correlated_noise(noise, rng.standard_normal((samples, size, 1)), rho)
    z1 = 0.7 * noise + 0.3 * e1
    got = hierarchical.smoothed_elbo(
        np.zeros(size), [z1, noise], [z1, 0 * noise], [[1.0], [1.0]], [0.7 * copies], [np.full_like(copies, 0.3)]
    )
    strength = float(ou.effective_strength(rho, samples))
    error = 0.3**2 + 0.49 * (1 + strength - 2 * rho)
    # q(z1) is centred at z1 itself with scale 1 and q(z2) is the prior, so only their constants are left.
    assert_mean(got + np.log(0.3), -0.5 * error / 0.09, planted=0.05)


@given(inputs.smoothed_elbo())
def test_one_correlated_sample_trains_the_elbo(implementation, case) -> None:
    """Without smoothing (one sample, or equal ones) and at weight 1 the objective is the ELBO that is reported."""
    first = {name: [layer[0] for layer in case[name]] for name in ("mean_p", "scale_p")}
    copies = {name: [np.stack([layer[0]] * 3) for layer in case[name]] for name in ("mean_p", "scale_p")}
    got = implementation.call("hierarchical.smoothed_elbo", **{**case, **copies, "beta": np.asarray(1.0)})
    posterior = {name: case[name] for name in ("z", "mean_q", "scale_q")}
    wanted = implementation.call(
        "hierarchical.elbo",
        log_likelihood=case["log_likelihood"],
        layer_terms=hierarchical.layer_terms(**posterior, **first),
    )
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-6)


def test_evaluation_has_no_smoothing_to_switch_on(rng) -> None:
    """The reported bound takes neither rho nor K, so one checkpoint has one number; training with them has another."""
    import inspect

    assert not {"rho", "samples", "smoothed", "beta"} & set(inspect.signature(hierarchical.elbo).parameters)
    z, mean = [rng.normal(size=(4, 1)) for _ in range(2)], rng.normal(size=(3, 4, 1))
    posterior = {"z": z, "mean_q": [0 * z[0], 0 * z[1]], "scale_q": [[1.0], [1.0]]}
    plain = hierarchical.elbo(np.zeros(4), hierarchical.layer_terms(**posterior, mean_p=[mean[0]], scale_p=[[0.5]]))
    smoothed = hierarchical.smoothed_elbo(np.zeros(4), **posterior, mean_p=[mean], scale_p=[np.full((3, 1, 1), 0.5)])
    assert np.abs(plain - smoothed).min() > 1e-3
    np.testing.assert_array_equal(
        plain, hierarchical.elbo(np.zeros(4), hierarchical.layer_terms(**posterior, mean_p=[mean[0]], scale_p=[[0.5]]))
    )


def test_single_sample_terms_average_to_the_kl(rng) -> None:
    """One layer: the mean of the one-sample terms is the closed form, while single draws are often negative."""
    z = 0.4 + 0.8 * rng.standard_normal((SAMPLES, 1))
    terms = hierarchical.layer_terms([z], [np.full_like(z, 0.4)], [[0.8]], [], [])
    assert_mean(terms[0], float(gaussian.kl_standard([0.4], [0.8])), planted=0.03)
    assert (terms[0] < 0).mean() > 0.2


INDICES = np.arange(41)[:, None]


def coefficients_of(f) -> np.ndarray:
    from reference import hermite

    return hermite.coefficients(lambda z: f(z[..., 0]), INDICES, 120)


@pytest.mark.parametrize(("z", "rho"), [(0.7, 0.9), (-1.2, 0.5), (0.0, 0.8)])
def test_ratio_bias_matches_quadrature(z: float, rho: float) -> None:
    """Mean sin 1.5 z + 0.3 z^2 and scale exp(0.4 z): both expectations on a Gauss-Hermite grid."""
    from reference import hermite
    from reference import ornstein_uhlenbeck as ou

    def ratio(z2: np.ndarray) -> np.ndarray:
        return (np.sin(1.5 * z2) + 0.3 * z2**2) * np.exp(-0.4 * z2)

    points, weights = hermite.rule(120)
    a, b = np.exp(-0.4 * points[:, 0]), ratio(points[:, 0])
    smooth = ou.operator(lambda t: ratio(t[..., 0]), points, rho, 120)
    wanted = weights @ (-0.5 * (z * a - smooth) ** 2 + 0.5 * (z * a - b) ** 2)
    got = hierarchical.ratio_bias(coefficients_of(ratio), coefficients_of(lambda t: np.exp(-0.4 * t)), INDICES, z, rho)
    assert float(got) == pytest.approx(wanted, abs=1e-8)


def test_ratio_bias_of_a_constant_scale_is_the_bias() -> None:
    """Scale 0.5 everywhere: the bias of Eq. 9, whatever the first-layer latent."""
    from reference import smoothing

    mean = coefficients_of(lambda t: np.tanh(2 * t + 0.3))
    constant = np.where(INDICES[:, 0] == 0, 2.0, 0.0)
    for z in (-1.0, 3.0):
        got = hierarchical.ratio_bias(2 * mean, constant, INDICES, z, 0.7)
        assert float(got) == pytest.approx(float(smoothing.bias(mean, INDICES, 0.5, 0.7)), rel=1e-12)


def test_smoothing_the_scale_lowers_the_log_term() -> None:
    """Jensen: at rho = 0.9 and sigma = exp(0.4 z) the mean of -log U sigma is -0.16547 less than nothing, not 0."""
    from reference import hermite
    from reference import ornstein_uhlenbeck as ou

    points, weights = hermite.rule(60)
    smooth = ou.operator(lambda t: np.exp(0.4 * t[..., 0]), points, 0.9, 60)
    change = -weights @ np.log(smooth)
    assert change == pytest.approx(-0.5 * 0.16 * (1 - 0.81), abs=1e-9)
    assert change < 0


@given(inputs.ratio_bias())
def test_ratio_bias_limits(implementation, case) -> None:
    at_one = implementation.call("hierarchical.ratio_bias", **{**case, "rho": 1.0})
    np.testing.assert_allclose(at_one, 0, atol=1e-9)
    plain = implementation.call("hierarchical.ratio_bias", **{**case, "inverse_scale": 0 * case["inverse_scale"]})
    assert plain >= -1e-9
    both = [implementation.call("hierarchical.ratio_bias", **{**case, "z": np.asarray(z)}) for z in (1.5, -1.5)]
    np.testing.assert_allclose(np.mean(both), plain, rtol=1e-9, atol=1e-9)


def test_ratio_bias_next_to_no_smoothing(implementation) -> None:
    """Of degree 1 it is (1 - rho^2) b^2 / 2 - z (1 - rho) a b; the variances that are subtracted agree to 12 digits."""
    lost = 2.0**-40
    parts = {"mean_ratio": np.array([0.0, 0.3]), "inverse_scale": np.array([0.0, 0.7]), "z": np.array(1.3)}
    arguments = parts | {"indices": np.array([[0], [1]]), "rho": 1 - lost}
    wanted = 0.5 * lost * (2 - lost) * 0.3**2 - 1.3 * lost * 0.3 * 0.7
    for found in (hierarchical.ratio_bias(**arguments), implementation.call("hierarchical.ratio_bias", **arguments)):
        assert float(found) == pytest.approx(wanted, rel=1e-13, abs=0)

"""Binary variables: probabilities, the posterior given a smoothed copy, and the bounds of a model that uses it."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import special, stats

from reference import discrete, relaxations
from tests.conformance.first_principles import assert_mean, at_50_digits
from tests.conformance.inputs import discrete as inputs

PAIRS = [(0.8, 0.3), (-5.0, 2.0), (100.0, -100.0), (1.0, 1.0), (1.0, 1.0 + 1e-9), (-40.0, -40.001), (30.0, 29.5)]
PAIRS += [(6.2, 5.9), (-0.7, -1.0), (0.1, -0.85), (-0.1, 0.85)]
# (beta, log p(x), marginal bound, joint bound) for p = 0.3, q = 0.8, p(x=1|zeta) = sigma(3 zeta - 1)
WORKED = [
    (2, -0.576027, -0.593873, -0.993009),
    (5, -0.659302, -0.792790, -0.920845),
    (8, -0.703554, -0.869533, -0.900592),
    (20, -0.756837, -0.893659, -0.893738),
]
POSTERIOR, PRIOR = float(special.logit(0.8)), float(special.logit(0.3))


def smoothed_rule(logit: float, beta: float, panels: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Composite Gauss-Legendre points of [0, 1], weighted by the density of the overlapping exponentials."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(0, 1, panels + 1)
    points = (edges[:-1, None] + 0.5 * (nodes + 1) / panels).reshape(-1)
    density = np.exp(relaxations.smoothed_log_density(points, logit, "overlap_exp", beta))
    return points, np.tile(0.5 * weights / panels, panels) * density


def log_likelihood(zeta: np.ndarray) -> np.ndarray:
    return special.log_expit(3 * zeta - 1)


def divergence(logit: float, prior: float) -> float:
    """Two terms at 50 digits."""

    def terms(a, b):
        q, p = 1 / (1 + mpmath.exp(-a)), 1 / (1 + mpmath.exp(-b))
        q_not, p_not = 1 / (1 + mpmath.exp(a)), 1 / (1 + mpmath.exp(b))
        return q * mpmath.log(q / p) + q_not * mpmath.log(q_not / p_not)

    return at_50_digits(terms, logit, prior)


@given(inputs.bernoulli_log_pmf())
def test_bernoulli_pmf_matches_scipy(case) -> None:
    z, logits = case["z"], np.clip(case["logits"], -30, 30)
    wanted = np.where(z == 1, np.log(special.expit(logits)), np.log(special.expit(-logits)))
    np.testing.assert_allclose(discrete.bernoulli_log_pmf(z, logits), wanted.sum(-1), rtol=1e-12, atol=1e-12)
    direct = stats.bernoulli.logpmf(z, special.expit(np.clip(logits, -12, 12))).sum(-1)
    np.testing.assert_allclose(discrete.bernoulli_log_pmf(z, np.clip(logits, -12, 12)), direct, rtol=1e-9, atol=1e-9)


@given(inputs.bernoulli_entropy())
def test_bernoulli_pmf_sums_to_one(implementation, case) -> None:
    logits = case["logits"].reshape(-1)[:3]
    states = np.array(list(itertools.product([0, 1], repeat=logits.size)))
    rows = np.broadcast_to(logits, states.shape).copy()
    total = np.exp(implementation.call("discrete.bernoulli_log_pmf", z=states, logits=rows)).sum()
    assert total == pytest.approx(1, abs=1e-12)
    assert np.exp(discrete.bernoulli_log_pmf(states, rows)).sum() == pytest.approx(1, abs=1e-12)


@given(inputs.bernoulli_entropy())
def test_bernoulli_entropy_matches_scipy(case) -> None:
    wanted = stats.bernoulli.entropy(special.expit(np.clip(case["logits"], -15, 15))).sum(-1)
    got = discrete.bernoulli_entropy(np.clip(case["logits"], -15, 15))
    np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("logit", [0.0, 1e-9, 0.7, -3.0, 40.0, -100.0])
def test_bernoulli_entropy_by_enumeration_at_50_digits(logit: float) -> None:
    def terms(a):
        return sum(-p * mpmath.log(p) for p in (1 / (1 + mpmath.exp(-a)), 1 / (1 + mpmath.exp(a))))

    assert float(discrete.bernoulli_entropy([logit])) == pytest.approx(at_50_digits(terms, logit), rel=1e-14)


@given(inputs.bernoulli_entropy())
def test_bernoulli_entropy_is_even_and_bounded(implementation, case) -> None:
    one, two = (implementation.call("discrete.bernoulli_entropy", logits=s * case["logits"]) for s in (1, -1))
    np.testing.assert_array_equal(one, two)
    assert (one >= 0).all()
    assert (one <= case["logits"].shape[-1] * math.log(2) * (1 + 1e-15)).all()


@pytest.mark.parametrize(("logit", "prior"), PAIRS)
def test_bernoulli_kl_by_enumeration_at_50_digits(implementation, logit: float, prior: float) -> None:
    wanted = divergence(logit, prior)
    # Next to equality the difference of the logits itself is known to 1e-7 only.
    assert float(discrete.bernoulli_kl([logit], [prior])) == pytest.approx(wanted, rel=1e-13, abs=1e-40)
    found = implementation.call("discrete.bernoulli_kl", logits=np.array([logit]), prior_logits=np.array([prior]))
    assert float(found) == pytest.approx(wanted, rel=2e-15, abs=1e-40)


@given(inputs.bernoulli_kl())
def test_bernoulli_kl_matches_torch(case) -> None:
    logits, prior = (torch.as_tensor(np.clip(case[n], -15, 15)) for n in ("logits", "prior_logits"))
    wanted = torch.distributions.kl_divergence(*(torch.distributions.Bernoulli(logits=a) for a in (logits, prior)))
    got = discrete.bernoulli_kl(logits.numpy(), prior.numpy())
    np.testing.assert_allclose(got, wanted.sum(-1), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("logit", [0.0, 2.0, -7.0])
def test_bernoulli_kl_next_to_equality_is_quadratic(implementation, logit: float) -> None:
    """KL = q (1-q) (l-k)^2 / 2 (1 + O(l-k)); the sum of the printed terms has no digit left at 1e-9."""
    for step in (2.0**-30, -(2.0**-30)):
        wanted = special.expit(logit) * special.expit(-logit) * step**2 / 2
        arguments = {"logits": np.array([logit + step]), "prior_logits": np.array([logit])}
        assert float(discrete.bernoulli_kl(**arguments)) == pytest.approx(wanted, rel=1e-8)
        assert float(implementation.call("discrete.bernoulli_kl", **arguments)) == pytest.approx(wanted, rel=1e-8)
    printed = special.expit(2.0) * 2.0**-30 + np.logaddexp(0, 2.0 - 2.0**-30) - np.logaddexp(0, 2.0)
    assert abs(printed / (special.expit(2.0) * special.expit(-2.0) * 2.0**-61) - 1) > 1e-3


@given(inputs.bernoulli_kl())
def test_bernoulli_kl_is_non_negative(implementation, case) -> None:
    """Zero only between equals, and the difference of cross-entropy and entropy."""
    found = implementation.call("discrete.bernoulli_kl", **case)
    assert (found >= 0).all()
    same = implementation.call("discrete.bernoulli_kl", logits=case["prior_logits"], prior_logits=case["prior_logits"])
    np.testing.assert_array_equal(same, 0)


def test_certain_values() -> None:
    """Infinite logits: no entropy; a divergence that is finite only if the prior allows the value."""
    inf = np.inf
    np.testing.assert_array_equal(discrete.bernoulli_entropy([[inf], [-inf]]), [0, 0])
    np.testing.assert_array_equal(
        discrete.bernoulli_kl([[inf], [-inf], [inf], [0.0]], [[inf], [inf], [-inf], [inf]]), [0, inf, inf, inf]
    )
    assert float(discrete.bernoulli_kl([inf], [1.0])) == pytest.approx(np.log1p(np.exp(-1)), rel=1e-15)
    np.testing.assert_array_equal(discrete.bernoulli_log_pmf([[1], [0]], [[inf], [inf]]), [0, -inf])


@pytest.mark.parametrize("logit", [0.0, 1e-3, 0.4, -3.0, 20.0, 100.0])
def test_bernoulli_gradients_are_exact(implementation, logit: float) -> None:
    """dH/dl = -l q (1-q); dKL/dl = (l-k) q (1-q), dKL/dk = p - q, against 50 digits and gradcheck."""
    logits = torch.tensor([logit, logit + 0.1], dtype=torch.float64, requires_grad=True)
    entropy, kl = (implementation.find(f"discrete.bernoulli_{n}") for n in ("entropy", "kl"))
    (found,) = torch.autograd.grad(entropy(logits), logits)
    q = special.expit(logits.detach().numpy()) * special.expit(-logits.detach().numpy())
    np.testing.assert_allclose(found, -logits.detach().numpy() * q, rtol=1e-13, atol=1e-300)
    slope = at_50_digits(
        lambda a: mpmath.diff(lambda t: mpmath.log1p(mpmath.exp(t)) - t / (1 + mpmath.exp(-t)), a), logit
    )
    assert float(found[0]) == pytest.approx(slope, rel=1e-10, abs=1e-25)
    assert float(discrete.bernoulli_entropy([logit])) == pytest.approx(float(entropy(logits[:1].detach())), rel=1e-14)
    prior = torch.tensor([0.3, logit], dtype=torch.float64, requires_grad=True)
    if abs(logit) < 10:
        assert torch.autograd.gradcheck(entropy, logits)
        assert torch.autograd.gradcheck(kl, (logits, prior))


@pytest.mark.parametrize("family", ["overlap_exp", "overlap_logistic", "normal"])
@pytest.mark.parametrize(("logit", "zeta"), [(0.3, 0.2), (-2.0, 0.9), (5.0, 0.5)])
def test_posterior_given_zeta_is_bayes_rule(family: str, logit: float, zeta: float) -> None:
    setting = {"overlap_exp": 6.0, "overlap_logistic": 0.1, "normal": 0.3}[family]
    up, down = (np.exp(relaxations.smoothed_log_density(zeta, s, family, setting)) for s in (np.inf, -np.inf))
    q = special.expit(logit)
    ratio = relaxations.smoothing_log_ratio(zeta, family, setting)
    wanted = q * up / (q * up + (1 - q) * down)
    assert float(discrete.posterior_given_zeta(logit, ratio)) == pytest.approx(wanted, rel=1e-12, abs=0)


@pytest.mark.parametrize("beta", [1.0, 8.0])
@pytest.mark.parametrize("logit", [-3.0, 0.0, 1.5])
def test_posterior_given_zeta_averages_to_the_probability(logit: float, beta: float) -> None:
    points, weights = smoothed_rule(logit, beta)
    found = discrete.posterior_given_zeta(logit, relaxations.smoothing_log_ratio(points, "overlap_exp", beta))
    assert weights @ found == pytest.approx(special.expit(logit), rel=1e-12)


@given(inputs.posterior_given_zeta())
def test_posterior_given_zeta_is_a_probability(implementation, case) -> None:
    one = implementation.call("discrete.posterior_given_zeta", **case)
    two = implementation.call("discrete.posterior_given_zeta", **{n: -v for n, v in case.items()})
    np.testing.assert_allclose(one + two, 1, rtol=1e-12)
    neutral = implementation.call("discrete.posterior_given_zeta", logits=case["logits"], log_ratio=0 * case["logits"])
    np.testing.assert_allclose(neutral, special.expit(case["logits"]), rtol=1e-12)


@pytest.mark.parametrize(("beta", "log_p", "marginal", "joint"), WORKED)
def test_bounds_of_one_unit_by_quadrature(beta: float, log_p: float, marginal: float, joint: float) -> None:
    """The worked example: both bounds, their gap, and the log likelihood above them."""
    points, weights = smoothed_rule(POSTERIOR, beta)
    prior_points, prior_weights = smoothed_rule(PRIOR, beta)
    exact = math.log(prior_weights @ np.exp(log_likelihood(prior_points)))
    ratio = relaxations.smoothing_log_ratio(points, "overlap_exp", beta)[:, None]
    ll = log_likelihood(points)
    # One sample at a time: each quadrature point is a sample whose weight is applied outside.
    each = np.array(
        [float(discrete.marginal_elbo(ll[i : i + 1], [POSTERIOR], [PRIOR], ratio[i : i + 1])) for i in range(len(ll))]
    )
    gaps = np.array(
        [float(discrete.joint_marginal_gap([POSTERIOR], [PRIOR], ratio[i : i + 1])) for i in range(len(ll))]
    )
    found_joint = float(discrete.joint_elbo([weights @ ll], [POSTERIOR], [PRIOR]))
    assert exact == pytest.approx(log_p, abs=1e-6)
    assert weights @ each == pytest.approx(marginal, abs=1e-6)
    assert found_joint == pytest.approx(joint, abs=1e-6)
    assert weights @ gaps == pytest.approx(weights @ each - found_joint, abs=1e-9)
    assert found_joint < weights @ each < exact


def test_bounds_of_one_unit_by_sampling(rng) -> None:
    beta, n = 5.0, 400_000
    zeta = relaxations.overlap_exp_icdf(rng.uniform(size=n), POSTERIOR, beta)
    ratio = relaxations.smoothing_log_ratio(zeta, "overlap_exp", beta)
    ll = log_likelihood(zeta)
    pointwise = ll - (special.log_expit(-POSTERIOR - ratio) * -1 + special.log_expit(-POSTERIOR))
    pointwise += special.log_expit(-PRIOR - ratio) * -1 + special.log_expit(-PRIOR)
    assert_mean(pointwise, -0.792790, planted=0.02)
    assert float(discrete.marginal_elbo(ll, [POSTERIOR], [PRIOR], ratio[:, None])) == pytest.approx(
        pointwise.mean(), abs=1e-10
    )
    assert float(discrete.joint_elbo(ll, [POSTERIOR], [PRIOR])) == pytest.approx(-0.920845, abs=5e-3)


@given(inputs.marginal_elbo())
def test_marginal_bound_uses_the_mixture_densities(case) -> None:
    """Against log(A + q e^Lambda) taken from the probabilities, at moderate arguments."""
    logits, prior = np.clip(case["logits"], -8, 8), np.clip(case["prior_logits"], -8, 8)
    ratio = np.clip(case["log_ratio"], -8, 8)
    densities = [np.log(special.expit(-a) + special.expit(a) * np.exp(ratio)) for a in (logits, prior)]
    wanted = np.mean(case["log_likelihood"] - (densities[0] - densities[1]).sum(-1), axis=0)
    got = discrete.marginal_elbo(case["log_likelihood"], logits, prior, ratio)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@given(inputs.marginal_elbo())
def test_bounds_agree_for_equal_distributions(implementation, case) -> None:
    """Q = p: no penalty in either bound, no gap."""
    same = {**case, "prior_logits": case["logits"]}
    for name, names in (("joint_elbo", 3), ("marginal_elbo", 4)):
        arguments = dict(list(same.items())[:names])
        found = implementation.call(f"discrete.{name}", **arguments)
        np.testing.assert_allclose(found, case["log_likelihood"].mean(0), rtol=1e-12, atol=1e-12)
    gap = {n: same[n] for n in ("logits", "prior_logits", "log_ratio")}
    np.testing.assert_array_equal(implementation.call("discrete.joint_marginal_gap", **gap), 0)


@given(inputs.joint_marginal_gap())
def test_gap_at_the_ends(implementation, case) -> None:
    """No information in zeta (log ratio 0): the whole divergence. Separate supports (infinite): nothing."""
    blunt = {**case, "log_ratio": 0 * case["log_ratio"]}
    wanted = discrete.bernoulli_kl(case["logits"], case["prior_logits"])
    np.testing.assert_allclose(
        implementation.call("discrete.joint_marginal_gap", **blunt), wanted, rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(discrete.joint_marginal_gap(**blunt), wanted, rtol=1e-12, atol=1e-14)
    sharp = {**case, "log_ratio": np.where(case["log_ratio"] > 0, np.inf, -np.inf)}
    np.testing.assert_array_equal(implementation.call("discrete.joint_marginal_gap", **sharp), 0)
    np.testing.assert_array_equal(discrete.joint_marginal_gap(**sharp), 0)
    assert (implementation.call("discrete.joint_marginal_gap", **case) >= 0).all()


@pytest.mark.parametrize("log_ratio", [60.0, -60.0, 4.5, 0.0])
@pytest.mark.parametrize(("logit", "prior"), [(1e-3, 0.0), (0.0, 1e-3), (-2.0, -2.3), (-0.7, -1.6), (5.0, 3.5)])
def test_gap_at_50_digits(implementation, logit: float, prior: float, log_ratio: float) -> None:
    """The sum of a logit and a large log ratio is rounded; the difference of two such sums must not be."""

    def terms(logit, prior, log_ratio):
        a, b = logit + log_ratio, prior + log_ratio
        q, q_not = 1 / (1 + mpmath.exp(-a)), 1 / (1 + mpmath.exp(a))
        shares = (1 + mpmath.exp(-b)) / (1 + mpmath.exp(-a)), (1 + mpmath.exp(b)) / (1 + mpmath.exp(a))
        return q * mpmath.log(shares[0]) + q_not * mpmath.log(shares[1])

    wanted = at_50_digits(terms, logit, prior, log_ratio)
    arguments = {"logits": np.array([logit]), "prior_logits": np.array([prior]), "log_ratio": np.array([[log_ratio]])}
    assert float(discrete.joint_marginal_gap(**arguments)) == pytest.approx(wanted, rel=1e-13, abs=0)
    assert float(implementation.call("discrete.joint_marginal_gap", **arguments)) == pytest.approx(
        wanted, rel=1e-13, abs=0
    )
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in arguments.items()}
    gap = implementation.find("discrete.joint_marginal_gap")(**tensors)
    found = torch.autograd.grad(gap, list(tensors.values()))
    with mpmath.workdps(120):
        at = [mpmath.mpf(x) for x in (logit, prior, log_ratio)]
        slopes = [float(mpmath.diff(terms, at, n)) for n in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    assert [float(slope) for slope in found] == pytest.approx(slopes, rel=1e-12, abs=1e-15 * wanted)


def test_gap_decays_with_the_overlap() -> None:
    """The gap falls like exp(-beta/2) for the overlapping exponentials."""
    for beta, wanted in ((8.0, 1.70), (20.0, 1.74)):
        points, weights = smoothed_rule(POSTERIOR, beta)
        ratio = relaxations.smoothing_log_ratio(points, "overlap_exp", beta)[:, None]
        gap = sum(
            w * float(discrete.joint_marginal_gap([POSTERIOR], [PRIOR], r[None]))
            for w, r in zip(weights, ratio, strict=True)
        )
        assert gap * math.exp(beta / 2) == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("marginal", [False, True])
def test_directed_bound_of_two_groups(rng, marginal: bool) -> None:
    """Two groups of one unit, the second one conditioned on the first zeta: nested quadrature against sampling."""
    beta, n = 4.0, 200_000

    def networks(first):
        return 2.0 * first - 0.7, -1.0 * first + 0.4

    def value(first, second, *weights):
        posterior, prior = networks(first)
        ll = special.log_expit(first + 2 * second - 1)
        logits, priors = (
            [np.full((*first.shape, 1), 0.5), posterior[..., None]],
            [np.full((*first.shape, 1), -0.3), prior[..., None]],
        )
        ratios = [relaxations.smoothing_log_ratio(z, "overlap_exp", beta)[..., None] for z in (first, second)]
        return discrete.directed_elbo(
            ll[None],
            *([v[None] for v in vs] for vs in (logits, priors)),
            [v[None] for v in ratios] if marginal else None,
        )

    points, weights = smoothed_rule(0.5, beta, panels=3)
    total = 0.0
    for point, weight in zip(points, weights, strict=True):
        inner, inner_weights = smoothed_rule(float(networks(point)[0]), beta, panels=3)
        total += weight * (inner_weights @ value(np.full(inner.shape, point), inner))
    first = relaxations.overlap_exp_icdf(rng.uniform(size=n), 0.5, beta)
    second = relaxations.overlap_exp_icdf(rng.uniform(size=n), networks(first)[0], beta)
    assert_mean(value(first, second), total, planted=0.02)


@given(inputs.marginal_elbo())
def test_directed_bound_of_one_group_is_the_plain_bound(implementation, case) -> None:
    logits = np.broadcast_to(case["logits"], case["log_ratio"].shape).copy()
    groups = {"log_likelihood": case["log_likelihood"], "logits": [logits], "prior_logits": [case["prior_logits"]]}
    joint = discrete.joint_elbo(case["log_likelihood"], case["logits"], case["prior_logits"])
    marginal = discrete.marginal_elbo(**case)
    for call in (lambda **a: implementation.call("discrete.directed_elbo", **a), discrete.directed_elbo):
        np.testing.assert_allclose(call(**groups), joint, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(call(**groups, log_ratio=[case["log_ratio"]]), marginal, rtol=1e-9, atol=1e-9)


@given(inputs.rbm_marginal_density())
def test_rbm_marginal_is_a_ratio_of_partition_functions(case) -> None:
    """The closed form with Z(a + Lambda, W) / Z(a, W), both by brute force."""

    def log_z(biases: np.ndarray) -> float:
        split = case["bias_1"].size
        states = itertools.product([0, 1], repeat=biases.size)
        terms = [np.dot(z, biases) + np.dot(z[:split], case["weights"] @ np.array(z[split:])) for z in states]
        return special.logsumexp(terms)

    biases = np.concatenate([case["bias_1"], case["bias_2"]])
    wanted = [
        log_0.sum() + log_z(biases + ratio) - log_z(biases)
        for log_0, ratio in zip(case["log_density_0"], case["log_ratio"], strict=True)
    ]
    np.testing.assert_allclose(discrete.rbm_marginal_density(**case), wanted, rtol=1e-10, atol=1e-10)


def test_rbm_marginal_integrates_to_one() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(40)
    points, weights = 0.5 * (nodes + 1), 0.5 * weights
    zeta = np.stack(np.meshgrid(points, points, indexing="ij"), axis=-1)
    log_0 = relaxations.overlap_exp_log_pdf(zeta, 0, 5.0)
    ratio = relaxations.smoothing_log_ratio(zeta, "overlap_exp", 5.0)
    density = np.exp(discrete.rbm_marginal_density(log_0, ratio, [0.3], [-0.4], [[1.5]]))
    assert weights @ density @ weights == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    ("bias_1", "bias_2", "ratio"),
    [
        ([0.0, 1.0], [50.0], [0.0, 0.0, 0.0]),
        ([1.0], [38.0, -0.5], [1e-9, -1.8, 1e-12]),
        ([-44.0], [-44.0], [-20.0, -20.0]),
        ([0.3], [-44.0, 37.0], [20.0, -20.0, -40.0]),
    ],
    ids=["no ratio", "certain unit", "improbable units", "reversed"],
)
def test_rbm_marginal_density_at_50_digits(implementation, bias_1, bias_2, ratio) -> None:
    """Certain and improbable units, whose logarithms are large or whose share of the result is tiny."""
    weights = np.linspace(-0.7, 0.9, len(bias_1) * len(bias_2)).reshape(len(bias_1), len(bias_2))
    with mpmath.workdps(50):
        sums = [mpmath.mpf(0), mpmath.mpf(0)]
        for z in itertools.product([0, 1], repeat=len(ratio)):
            first, second = z[: len(bias_1)], z[len(bias_1) :]
            value = mpmath.fsum(mpmath.mpf(b) * bit for b, bit in zip([*bias_1, *bias_2], z, strict=True))
            value += mpmath.fsum(mpmath.mpf(weights[i, j]) * first[i] * second[j] for i, j in np.ndindex(weights.shape))
            lifted = value + mpmath.fsum(mpmath.mpf(r) * bit for r, bit in zip(ratio, z, strict=True))
            sums = [sums[0] + mpmath.exp(value), sums[1] + mpmath.exp(lifted)]
        wanted = float(mpmath.log(sums[1] / sums[0]))
    parts = {"log_density_0": np.zeros(len(ratio)), "log_ratio": ratio, "bias_1": bias_1, "bias_2": bias_2}
    arguments = {name: np.array(values) for name, values in parts.items()} | {"weights": weights}
    for found in (
        discrete.rbm_marginal_density(**arguments),
        implementation.call("discrete.rbm_marginal_density", **arguments),
    ):
        assert float(found) == pytest.approx(wanted, rel=1e-14, abs=0)


@given(inputs.rbm_marginal_density())
def test_rbm_marginal_of_transposed_layers_is_the_same(implementation, case) -> None:
    split = case["bias_1"].size
    swapped = {
        "log_density_0": case["log_density_0"],
        "log_ratio": np.concatenate([case["log_ratio"][:, split:], case["log_ratio"][:, :split]], axis=1),
        "bias_1": case["bias_2"],
        "bias_2": case["bias_1"],
        "weights": case["weights"].T.copy(),
    }
    one, two = (implementation.call("discrete.rbm_marginal_density", **c) for c in (case, swapped))
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


def test_active_units_of_known_logits() -> None:
    """Probabilities 0.2 and 0.8 have variance 0.09, 0.4 and 0.6 have 0.01, a constant none."""
    low, high = special.logit([0.2, 0.4, 0.5]), special.logit([0.8, 0.6, 0.5])
    logits = np.stack([low, high])
    assert discrete.active_units(logits).tolist() == [True, False, False]
    assert discrete.active_units(logits, threshold=0.005).tolist() == [True, True, False]
    # Population variance: the sample variance of the first unit would pass 0.1.
    assert discrete.active_units(logits, threshold=0.1).tolist() == [False, False, False]


def test_active_units_of_random_logits(rng) -> None:
    """Uniform probabilities have variance 1/12 > 0.05, half as wide ones 1/48."""
    uniform = rng.uniform(size=(5000, 2)) * [1, 0.5] + [0, 0.25]
    assert discrete.active_units(special.logit(uniform)).tolist() == [True, False]


@given(inputs.active_units())
def test_active_units_are_those_above_the_threshold(implementation, case) -> None:
    wanted = special.expit(case["logits"]).var(0) > case["threshold"]
    np.testing.assert_array_equal(implementation.call("discrete.active_units", **case), wanted)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: discrete.bernoulli_log_pmf([0.5], [0.0]), "z must be 0 or 1, got 0.5"),
        (lambda: discrete.bernoulli_entropy([np.nan]), "logits must not contain NaN"),
        (lambda: discrete.bernoulli_kl([0.0, 1.0], [0.0, 1.0, 2.0]), "shapes must broadcast together"),
        (lambda: discrete.posterior_given_zeta(np.inf, 0.0), "logits must be finite, got inf"),
        (lambda: discrete.joint_elbo(0.0, [0.0], [0.0]), "log_likelihood must have at least one sample"),
        (lambda: discrete.marginal_elbo([0.0], [0.0], [0.0], 0.0), "log_ratio must have a sample axis"),
        (lambda: discrete.joint_marginal_gap([0.0], [0.0], 0.0), "log_ratio must have a sample axis"),
        (lambda: discrete.directed_elbo([0.0], [[0.0]], []), "must hold the same groups"),
        (lambda: discrete.rbm_marginal_density([0.0] * 2, [0.0] * 2, [0.0], [0.0], [[0, 1]]), "weights must be"),
        (lambda: discrete.active_units([0.0]), "logits must have shape"),
        (lambda: discrete.active_units([[0.0]], -1.0), "threshold must be >= 0, got -1.0"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_joint_bound_of_a_boltzmann_prior_is_the_looser_one() -> None:
    """One unit a side, factorial posterior: marginal bound by quadrature over both zetas, joint by enumeration."""
    beta, bias, weight, logits = 4.0, np.array([0.3, -0.4]), 1.5, np.array([0.5, -0.7])
    states = np.array(list(itertools.product([0, 1], repeat=2)))
    log_prior = states @ bias + weight * states[:, 0] * states[:, 1]
    log_prior -= special.logsumexp(log_prior)
    log_q = np.array([float(discrete.bernoulli_log_pmf(z, logits)) for z in states])
    joint = float(np.exp(log_q) @ (log_q - log_prior))
    rules = [smoothed_rule(float(a), beta, panels=4) for a in logits]
    zeta = np.stack(np.meshgrid(rules[0][0], rules[1][0], indexing="ij"), axis=-1)
    log_0 = relaxations.overlap_exp_log_pdf(zeta, 0, beta)
    ratio = relaxations.smoothing_log_ratio(zeta, "overlap_exp", beta)
    log_p = discrete.rbm_marginal_density(log_0, ratio, bias[:1], bias[1:], [[weight]])
    log_density = relaxations.smoothed_log_density(zeta, logits, "overlap_exp", beta).sum(-1)
    marginal = rules[0][1] @ (log_density - log_p) @ rules[1][1]
    assert 0 < marginal < joint

"""Top-down hierarchies, on a linear-Gaussian one where density, evidence and posterior are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from reference import gaussian, top_down
from tests.conformance.first_principles import SAMPLES, assert_mean, gaussian_integral
from tests.conformance.inputs import top_down as inputs

# z1 ~ N(0, 1), z2 | z1 ~ N(0.8 z1, 0.6^2), x | z1, z2 ~ N(z2 + 0.5 z1, 0.4^2): x depends on both groups.
SLOPE, SPREAD, DIRECT, NOISE, X = 0.8, 0.6, 0.5, 0.4, 0.9
COVARIANCE = np.array([[1, SLOPE], [SLOPE, SLOPE**2 + SPREAD**2]])
READOUT = np.array([DIRECT, 1.0])
VARIANCE_X = READOUT @ COVARIANCE @ READOUT + NOISE**2
LOG_EVIDENCE = float(stats.norm.logpdf(X, 0, np.sqrt(VARIANCE_X)))
GAIN = COVARIANCE @ READOUT / VARIANCE_X
POSTERIOR_MEAN, POSTERIOR_COVARIANCE = GAIN * X, COVARIANCE - np.outer(GAIN, READOUT @ COVARIANCE)


def prior(z1: np.ndarray) -> dict[str, list[np.ndarray]]:
    return {"mean_p": [0 * z1, SLOPE * z1], "scale_p": [np.ones(1), np.full(1, SPREAD)]}


def exact_posterior(z1: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Parameters of q(z1|x) and q(z2|z1,x) from the joint posterior by conditioning."""
    (m1, m2), ((v11, v12), (_, v22)) = POSTERIOR_MEAN, POSTERIOR_COVARIANCE
    slope = v12 / v11
    scales = [np.full(1, np.sqrt(v11)), np.full(1, np.sqrt(v22 - slope * v12))]
    return {"mean_q": [np.full_like(z1, m1), m2 + slope * (z1 - m1)], "scale_q": scales}


def log_likelihood(z1: np.ndarray, z2: np.ndarray) -> np.ndarray:
    return gaussian.log_density([X], DIRECT * z1 + z2, [NOISE])


def sampled(rng, scale: float, size: int) -> dict:
    """A sample of a posterior: the exact one with scales multiplied by ``scale``, with all that a bound needs."""
    first = exact_posterior(np.zeros((size, 1)))
    z1 = first["mean_q"][0] + scale * first["scale_q"][0] * rng.standard_normal((size, 1))
    q = exact_posterior(z1)
    q["scale_q"] = [scale * s for s in q["scale_q"]]
    z2 = q["mean_q"][1] + q["scale_q"][1] * rng.standard_normal((size, 1))
    return {"z": [z1, z2], **q, **prior(z1), "log_likelihood": log_likelihood(z1, z2)}


def bound_of(draw: dict) -> np.ndarray:
    return top_down.elbo(**{name: value for name, value in draw.items() if name != "z"})


def flow_form(draw: dict) -> np.ndarray:
    """Log p(x, z) - log q(z|x): the other unbiased estimate, the one that flows need."""
    joint = top_down.log_joint(draw["log_likelihood"], draw["z"], draw["mean_p"], draw["scale_p"])
    return joint - top_down.log_density(draw["z"], draw["mean_q"], draw["scale_q"])


def test_log_density_of_a_linear_gaussian_chain(rng) -> None:
    z = rng.standard_normal((20, 2))
    got = top_down.log_density([z[:, :1], z[:, 1:]], *prior(z[:, :1]).values())
    np.testing.assert_allclose(got, stats.multivariate_normal([0, 0], COVARIANCE).logpdf(z), rtol=1e-11)


def test_ancestral_samples_have_the_joint_covariance(rng) -> None:
    z1 = rng.standard_normal((SAMPLES, 1))
    z2 = SLOPE * z1 + SPREAD * rng.standard_normal((SAMPLES, 1))
    assert_mean((z1 * z2).ravel(), COVARIANCE[0, 1], planted=0.02)
    # The density of those samples: its expectation is minus the joint entropy.
    entropy = float(stats.multivariate_normal([0, 0], COVARIANCE).entropy())
    assert_mean(top_down.log_density([z1, z2], *prior(z1).values()), -entropy)


@given(inputs.log_density())
def test_log_density_matches_scipy(case) -> None:
    groups = zip(case["z"], case["mean"], case["scale"], strict=True)
    wanted = sum(stats.norm.logpdf(*group).sum(-1) for group in groups)
    np.testing.assert_allclose(top_down.log_density(**case), wanted, rtol=1e-11, atol=1e-9)


def test_log_joint_of_a_linear_gaussian_model(rng) -> None:
    z = rng.standard_normal((20, 2))
    joint = np.block([[COVARIANCE, (COVARIANCE @ READOUT)[:, None]], [(COVARIANCE @ READOUT)[None], VARIANCE_X]])
    wanted = stats.multivariate_normal(np.zeros(3), joint).logpdf(np.column_stack([z, np.full(20, X)]))
    got = top_down.log_joint(log_likelihood(z[:, :1], z[:, 1:]), [z[:, :1], z[:, 1:]], *prior(z[:, :1]).values())
    np.testing.assert_allclose(got, wanted, rtol=1e-10)


def test_log_joint_integrates_to_the_evidence() -> None:
    """One group z ~ N(0, 1), x | z ~ N(2 z + 0.3, 0.7^2): the integral over z is N(0.3, 4 + 0.49)."""

    def joint_over_prior(z: float) -> float:
        likelihood = gaussian.log_density([X], [2 * z + 0.3], [0.7])
        joint = top_down.log_joint(likelihood, [[z]], [[0.0]], [[1.0]])
        return float(np.exp(joint - stats.norm.logpdf(z)))

    assert gaussian_integral(joint_over_prior) == pytest.approx(stats.norm.pdf(X, 0.3, np.sqrt(4.49)), rel=1e-10)


def test_printed_joint_does_not_integrate_to_one() -> None:
    """Erratum of Eq. 4: over x the right side leaves p(z), so it cannot be the conditional density p(x|z)."""
    z1, z2 = np.array([0.4]), np.array([-0.7])
    x = np.linspace(-10, 10, 20_001)
    likelihood = stats.norm.logpdf(x, DIRECT * z1 + z2, NOISE)
    total = np.exp(top_down.log_joint(likelihood, [z1, z2], *prior(z1).values())).sum() * 1e-3
    assert total == pytest.approx(float(np.exp(top_down.log_density([z1, z2], *prior(z1).values()))), rel=1e-6)
    assert total < 0.2
    # The image depends on the first group also when the last one is held fixed.
    assert log_likelihood(z1, z2) != pytest.approx(float(log_likelihood(z1 + 1, z2)))


def test_elbo_is_tight_at_the_posterior(rng) -> None:
    draw = sampled(rng, 1.0, SAMPLES // 2)
    np.testing.assert_allclose(flow_form(draw), LOG_EVIDENCE, rtol=1e-10)
    assert_mean(bound_of(draw), LOG_EVIDENCE)
    assert bound_of(draw).std() > 0.1  # the analytic form keeps a variance there


@pytest.mark.parametrize("scale", [0.6, 1.5])
def test_elbo_gap_is_the_divergence_from_the_posterior(rng, scale: float) -> None:
    """Both forms of the estimate have the mean log p(x) - KL(q || posterior)."""
    # q has the posterior's conditional means and multiplied scales, so each group costs the same for every z1.
    gap = scale**2 - 1 - 2 * np.log(scale)
    draw = sampled(rng, scale, SAMPLES // 2)
    assert_mean(bound_of(draw), LOG_EVIDENCE - gap)
    assert_mean(flow_form(draw), LOG_EVIDENCE - gap)


@given(inputs.group_kl())
def test_group_kl_is_the_gaussian_divergence(case) -> None:
    got = top_down.group_kl(**case)
    for row, *group in zip(got, *(case[n] for n in ("mean_q", "scale_q", "mean_p", "scale_p")), strict=True):
        mq, sq, mp, sp = group
        wanted = (np.log(sp / sq) + (sq**2 + (mq - mp) ** 2) / (2 * sp**2) - 0.5).sum(-1)
        np.testing.assert_allclose(row, wanted, rtol=1e-9, atol=1e-9)


def test_group_kl_is_the_expected_log_ratio(rng) -> None:
    draw = sampled(rng, 1.5, SAMPLES // 2)
    ratio = top_down.log_density(draw["z"], draw["mean_q"], draw["scale_q"])
    ratio = ratio - top_down.log_density(draw["z"], draw["mean_p"], draw["scale_p"])
    kl = top_down.group_kl(draw["mean_q"], draw["scale_q"], draw["mean_p"], draw["scale_p"])
    assert_mean(ratio, kl.sum(0).mean(), planted=0.02)


@given(inputs.elbo())
def test_elbo_without_divergence_is_the_likelihood(implementation, case) -> None:
    equal = {**case, "mean_q": case["mean_p"], "scale_q": case["scale_p"]}
    np.testing.assert_array_equal(implementation.call("top_down.elbo", **equal), case["log_likelihood"])
    assert (implementation.call("top_down.elbo", **case) <= case["log_likelihood"] + 1e-9).all()


@given(inputs.group_kl())
def test_group_kl_does_not_mix_groups(implementation, case) -> None:
    got = implementation.call("top_down.group_kl", **case)
    assert (got >= 0).all()
    backwards = {name: groups[::-1] for name, groups in case.items()}
    np.testing.assert_array_equal(implementation.call("top_down.group_kl", **backwards), got[::-1])


@given(inputs.log_joint())
def test_log_joint_adds_the_prior_once(implementation, case) -> None:
    prior_part = {"z": case["z"], "mean": case["mean_p"], "scale": case["scale_p"]}
    wanted = case["log_likelihood"] + implementation.call("top_down.log_density", **prior_part)
    np.testing.assert_allclose(implementation.call("top_down.log_joint", **case), wanted, rtol=1e-12)


@given(inputs.log_density())
def test_log_density_of_a_permuted_group(implementation, case) -> None:
    """Independent variables of a group may be renamed, and groups added up in any order."""
    moved = {name: [group[..., ::-1].copy() for group in groups[::-1]] for name, groups in case.items()}
    got = implementation.call("top_down.log_density", **moved)
    np.testing.assert_allclose(got, implementation.call("top_down.log_density", **case), rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (top_down.log_density, ([], [], []), r"z, mean, scale must hold the same number L >= 1"),
        (
            top_down.log_joint,
            (0.0, [[1.0]], [[0.0]], []),
            r"must hold the same number L >= 1 of groups, got \[1, 1, 0\]",
        ),
        (top_down.group_kl, ([[0.0]], [[-1.0]], [[0.0]], [[1.0]]), r"scale_q must be > 0, got -1\.0"),
        (top_down.elbo, (np.inf, [[0.0]], [[1.0]], [[0.0]], [[1.0]]), r"log_likelihood must be finite, got inf"),
    ],
)
def test_bad_input_is_named(function, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)

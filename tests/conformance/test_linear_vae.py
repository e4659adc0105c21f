"""The linear VAE: closed forms against matrix algebra, numerical minimisation, and real data."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from scipy import optimize, stats

from reference import linear_vae
from tests.conformance.inputs import linear_vae as inputs

BAD = [
    (
        "negative_log_evidence",
        {"x": [1.0], "weights": [[1.0], [2.0]], "mean": [0.0], "sigma": 1.0},
        r"must be \(\.\.\., D\)",
    ),
    (
        "active_directions",
        {"eigenvalues": [1.0, 0.0], "variance": 1.0, "latents": 1},
        r"eigenvalues must be > 0, got 0\.0",
    ),
    (
        "fixed_variance_optimum",
        {"eigenvalues": [1.0], "variance": 1.0, "latents": 2},
        r"D >= latents, got shape \(1,\), 2",
    ),
    ("fitted_optimum", {"eigenvalues": [1.0], "latents": 1}, r"latents must be < 1 .*, got 1"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=[name for name, _, _ in BAD])
def test_bad_input_is_named(name: str, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(linear_vae, name)(**arguments)


def digits() -> np.ndarray:
    """Eigenvalues of the covariance of the bundled digits at 16 levels, in [0, 1]."""
    from sklearn.datasets import load_digits

    images = np.minimum(load_digits().data, 15) / 15
    return np.linalg.eigvalsh(np.cov(images.T, bias=True))


def nelbo(weights: np.ndarray, covariance: np.ndarray, variance: float) -> float:
    """Mean NELBO at the exact posterior of a linear decoder, over data of mean zero with this covariance."""
    model = weights @ weights.T + variance * np.eye(len(covariance))
    trace = np.trace(np.linalg.solve(model, covariance))
    return 0.5 * (len(covariance) * math.log(2 * math.pi) + np.linalg.slogdet(model)[1] + trace)


def best(covariance: np.ndarray, latents: int, variance: float | None, rng: np.random.Generator) -> float:
    """Least NELBO over the decoder (and its variance) by a generic minimiser, from several starts."""
    dims = len(covariance)

    def objective(t: np.ndarray) -> float:
        return nelbo(
            t[: dims * latents].reshape(dims, latents), covariance, math.exp(t[-1]) if variance is None else variance
        )

    starts = rng.normal(size=(4, dims * latents + 1))
    return min(optimize.minimize(objective, start).fun for start in starts)


@given(inputs.negative_log_evidence())
def test_negative_log_evidence_matches_scipy(case) -> None:
    covariance = case["weights"] @ case["weights"].T + case["sigma"] ** 2 * np.eye(len(case["mean"]))
    wanted = -stats.multivariate_normal(case["mean"], covariance).logpdf(case["x"])
    np.testing.assert_allclose(linear_vae.negative_log_evidence(**case), wanted, rtol=1e-9, atol=1e-9)


def test_negative_log_evidence_by_quadrature() -> None:
    """One latent, two values: integrate the latent out."""
    from tests.conformance.first_principles import gaussian_integral

    x, w = np.array([0.4, -0.3]), np.array([0.8, 0.5])
    density = gaussian_integral(lambda z: float(np.prod(stats.norm.pdf(x, w * z + 0.1, 0.6))))
    assert float(linear_vae.negative_log_evidence(x, w[:, None], [0.1, 0.1], 0.6)) == pytest.approx(
        -math.log(density), abs=1e-10
    )


def test_negative_log_evidence_at_50_digits(implementation) -> None:
    """A small noise next to large weights: what the latents explain is nearly all of the residual."""
    x, mean = np.array([-2.0, 0.0]), np.array([0.40751835, -2.0])
    for weights, sigma in [([[1.87243233, 0.40751835], [-2.0, 1.0]], 0.25), ([[3.0], [-2.5]], 2.0**-10)]:
        with mpmath.workdps(50):
            decoder, residual = mpmath.matrix(weights), mpmath.matrix((x - mean).tolist())
            covariance = decoder * decoder.T + mpmath.mpf(sigma) ** 2 * mpmath.eye(2)
            distance = (residual.T * covariance**-1 * residual)[0]
            wanted = float((2 * mpmath.log(2 * mpmath.pi) + mpmath.log(mpmath.det(covariance)) + distance) / 2)
        case = {"x": x, "weights": np.array(weights), "mean": mean, "sigma": np.array(sigma)}
        # The condition number of the covariance is 1e7 in the second case.
        assert float(linear_vae.negative_log_evidence(**case)) == pytest.approx(wanted, rel=1e-12, abs=0)
        got = implementation.call("linear_vae.negative_log_evidence", **case)
        assert float(got) == pytest.approx(wanted, rel=1e-14, abs=0)


@given(inputs.negative_log_evidence())
def test_negative_log_evidence_ignores_a_rotation_of_the_latents(implementation, case) -> None:
    got = implementation.call("linear_vae.negative_log_evidence", **case)
    turned = {**case, "weights": -case["weights"][:, ::-1].copy()}
    wanted = implementation.call("linear_vae.negative_log_evidence", **turned)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)
    silent = implementation.call("linear_vae.negative_log_evidence", **{**case, "weights": 0 * case["weights"]})
    plain = -stats.norm.logpdf(case["x"], case["mean"], case["sigma"]).sum(-1)
    np.testing.assert_allclose(silent, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("variance", [0.1, 0.6, 5.0])
def test_fixed_variance_optimum_is_the_numeric_minimum(rng, variance: float) -> None:
    eigenvalues = np.array([0.3, 2.0, 0.8, 0.05])
    found = best(np.diag(eigenvalues), 2, variance, rng)
    assert float(linear_vae.fixed_variance_optimum(eigenvalues, variance, 2)[0]) == pytest.approx(found, abs=1e-7)


def test_fitted_optimum_is_the_numeric_minimum(rng) -> None:
    eigenvalues = np.array([0.3, 2.0, 0.8, 0.05])
    variance, least, _ = linear_vae.fitted_optimum(eigenvalues, 2)
    assert float(least) == pytest.approx(best(np.diag(eigenvalues), 2, None, rng), abs=1e-7)
    assert float(variance) == pytest.approx(0.175)


def test_kl_of_the_optimum_is_the_rate_of_the_posterior() -> None:
    """Directions one by one: w^2 = lambda - s2, posterior gain w/lambda and variance s2/lambda."""
    eigenvalues, variance = np.array([3.0, 1.5, 0.2]), 0.5
    w = np.sqrt(eigenvalues[:2] - variance)
    kl = 0.5 * (w**2 / eigenvalues[:2] + variance / eigenvalues[:2] - 1 - np.log(variance / eigenvalues[:2])).sum()
    assert float(linear_vae.fixed_variance_optimum(eigenvalues, variance, 2)[1]) == pytest.approx(kl, rel=1e-12)


def test_active_directions_of_a_numeric_minimum(rng) -> None:
    """A generic minimiser drives the decoder columns of inactive directions to zero."""
    eigenvalues, variance = np.array([2.0, 0.8, 0.3]), 0.5

    def objective(t: np.ndarray) -> float:
        return nelbo(t.reshape(3, 3), np.diag(eigenvalues), variance)

    found = optimize.minimize(objective, rng.normal(size=9), options={"gtol": 1e-8}).x.reshape(3, 3)
    used = np.linalg.eigvalsh(found @ found.T) > 1e-3
    assert used.sum() == int(linear_vae.active_directions(eigenvalues, variance, 3)) == 2


def test_active_directions_count_up_to_the_latents() -> None:
    assert int(linear_vae.active_directions([3.0, 0.5, 2.0], 1.0, 3)) == 2
    assert int(linear_vae.active_directions([3.0, 0.5, 2.0], 1.0, 1)) == 1
    assert int(linear_vae.active_directions([3.0, 0.5, 2.0], 3.0, 3)) == 0


def test_optimum_on_digits() -> None:
    """No eigenvalue above 1: unit variance collapses (61.3, 0 nats of KL); fitted, -24.7 with 25.2 nats."""
    eigenvalues = digits()
    assert int(linear_vae.active_directions(eigenvalues[eigenvalues > 1e-9], 1.0, 20)) == 0
    spectrum = np.maximum(eigenvalues, 1e-12)
    collapsed, kl = linear_vae.fixed_variance_optimum(spectrum, 1.0, 20)
    assert float(collapsed) == pytest.approx(61.3, abs=0.05)
    assert float(kl) == 0
    variance, least, rate = linear_vae.fitted_optimum(spectrum, 20)
    np.testing.assert_allclose([math.sqrt(variance), least, rate], [0.1109, -24.7, 25.2], atol=0.05)
    assert math.sqrt(variance) == pytest.approx(0.1109, abs=5e-5)


@given(inputs.fixed_variance_optimum())
def test_active_directions_have_a_rate(implementation, case) -> None:
    count = implementation.call("linear_vae.active_directions", **case)
    _, kl = implementation.call("linear_vae.fixed_variance_optimum", **case)
    assert 0 <= count <= case["latents"]
    assert (kl > 0) == (count > 0)


@given(inputs.fitted_optimum())
def test_fitted_optimum_is_the_best_fixed_one(implementation, case) -> None:
    variance, least, kl = implementation.call("linear_vae.fitted_optimum", **case)
    at_fit, rate = implementation.call("linear_vae.fixed_variance_optimum", **case, variance=np.asarray(variance))
    np.testing.assert_allclose([at_fit, rate], [least, kl], rtol=1e-9, atol=1e-9)
    for factor in (0.5, 0.95, 1.05, 2):
        other, _ = implementation.call(
            "linear_vae.fixed_variance_optimum", **case, variance=np.asarray(factor * variance)
        )
        assert other >= least - 1e-9 * (1 + abs(least))

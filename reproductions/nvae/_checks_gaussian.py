"""Checks of the bound, of the Gaussian divergences and of the residual parameters.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reference import bounds, gaussian, hermite, residual_normal, top_down

Metrics = dict[str, float]
Array = NDArray[np.float64]
IMAGE, SAMPLES, REPLICATES = 1.3, 10_000, 200


def one_evidence(rng: np.random.Generator) -> Metrics:
    """Importance-weighted estimates of log p(x) of z ~ N(0, 1), x ~ N(z, 1) from two encoders."""
    exact = float(stats.norm.logpdf(IMAGE, 0, math.sqrt(2)))
    limits, first = [], []
    for mean, scale in ((IMAGE / 2 + 0.3, 0.8), (IMAGE / 2 - 0.5, 1.2)):
        z = mean + scale * rng.standard_normal((SAMPLES, REPLICATES))
        log_weights = stats.norm.logpdf(IMAGE, z, 1) + stats.norm.logpdf(z) - stats.norm.logpdf(z, mean, scale)
        estimate = bounds.importance_weighted(log_weights)
        limits.append(abs(estimate.mean() - exact) / (estimate.std() / math.sqrt(REPLICATES)))
        single = bounds.importance_weighted(log_weights.reshape(1, -1))
        first.append((single.mean(), single.var() / single.size))
    apart = abs(first[0][0] - first[1][0]) / math.sqrt(first[0][1] + first[1][1])
    return {"limit_standard_errors": float(max(limits)), "first_bounds_apart": float(apart)}


def _parameters(z: Array, noise: Array, model: dict[str, Array], mean: Array, factor: Array) -> list[list[Array]]:
    """Posterior and prior parameters of each group along samples z = mean + factor noise."""
    groups = range(z.shape[-1])
    posterior_mean = [mean[g] + noise @ np.tril(factor, -1)[g] for g in groups]
    prior_mean = [z @ model["weights"][g] for g in groups]
    scales = ([np.full(len(z), factor[g, g]) for g in groups], [np.full(len(z), model["scales"][g]) for g in groups])
    return [[v[:, None] for v in part] for part in (posterior_mean, scales[0], prior_mean, scales[1])]


def _model(rng: np.random.Generator, groups: int) -> dict[str, Array]:
    """A linear chain of groups of one variable, an image of three values, and its exact moments."""
    weights = np.tril(rng.standard_normal((groups, groups)), -1)
    scales = rng.uniform(0.5, 1.5, groups)
    decoder = rng.standard_normal((3, groups))
    spread = np.linalg.inv(np.eye(groups) - weights) * scales
    prior = spread @ spread.T
    noise = rng.uniform(0.5, 1.5)
    image = rng.standard_normal(3)
    gain = prior @ decoder.T @ np.linalg.inv(decoder @ prior @ decoder.T + noise**2 * np.eye(3))
    evidence = stats.multivariate_normal(np.zeros(3), decoder @ prior @ decoder.T + noise**2 * np.eye(3)).logpdf(image)
    return {
        "weights": weights,
        "scales": scales,
        "decoder": decoder,
        "noise": np.asarray(noise),
        "image": image,
        "evidence": np.asarray(evidence),
        "mean": gain @ image,
        "covariance": prior - gain @ decoder @ prior,
    }


def _terms(model: dict[str, Array], mean: Array, factor: Array, noise: Array) -> tuple[Array, Array]:
    """Both estimators of the bound at given noise: with the analytic divergences, and with densities alone."""
    z = mean + noise @ factor.T
    fit = gaussian.log_density(model["image"], z @ model["decoder"].T, np.full((len(z), 3), float(model["noise"])))
    parameters = _parameters(z, noise, model, mean, factor)
    groups = [z[:, [g]] for g in range(z.shape[-1])]
    first = top_down.elbo(fit, *parameters)
    second = top_down.log_joint(fit, groups, *parameters[2:]) - top_down.log_density(groups, *parameters[:2])
    return first, second


def elbo_lower_bound(rng: np.random.Generator) -> Metrics:
    """Hierarchies of two and three groups: gap against the exact divergence, both estimators, and equality."""
    relative, errors, equality, gaps = [], [], [], []
    for groups in (2, 3):
        nodes, weights = hermite.rule(6, groups)
        for _ in range(20):
            model = _model(rng, groups)
            mean, factor = rng.standard_normal(groups), np.tril(rng.standard_normal((groups, groups)) * 0.4, -1)
            factor += np.diag(rng.uniform(0.3, 1.2, groups))
            bound = float(weights @ _terms(model, mean, factor, nodes)[0])
            gap = float(model["evidence"]) - bound
            gaps.append(gap)
            relative.append(abs(gap / _divergence(mean, factor, model) - 1))
            exact = np.asarray(np.linalg.cholesky(model["covariance"]), dtype=np.float64)
            tight = float(weights @ _terms(model, model["mean"], exact, nodes)[0])
            equality.append(abs(float(model["evidence"]) - tight))
        for values in _terms(model, mean, factor, rng.standard_normal((100_000, groups))):
            errors.append(abs(values.mean() - bound) / (values.std() / math.sqrt(len(values))))
    return {
        "gap_relative_error": max(relative),
        "estimators_standard_errors": float(max(errors)),
        "gap_at_posterior": max(equality),
        "smallest_gap": min(gaps),
    }


def _divergence(mean: Array, factor: Array, model: dict[str, Array]) -> float:
    """KL of N(mean, factor factor^T) from the exact posterior."""
    precision = np.linalg.inv(model["covariance"])
    distance = mean - model["mean"]
    logs = np.linalg.slogdet(model["covariance"])[1] - 2 * np.sum(np.log(np.diag(factor)))
    trace = np.trace(precision @ factor @ factor.T)
    return float((trace + distance @ precision @ distance - len(mean) + logs) / 2)


def _log_slope(x: Array, y: Array) -> float:
    return float(np.polyfit(np.log(x), np.log(np.abs(y)), 1)[0])


def unbounded_divergence(rng: np.random.Generator) -> Metrics:
    """Growth as the prior narrows and as the posterior narrows; the largest value under the soft clamp."""
    scale = np.geomspace(1e-7, 1e-3, 41)
    divergence = [float(gaussian.kl([1.0], [0.5], [0.0], [s])) for s in scale]
    slopes = [_log_slope(scale, g) for g in gaussian.kl_gradient(np.ones(41), np.full(41, 0.5), np.zeros(41), scale)]
    narrow = [float(gaussian.kl([0.0], [s], [0.0], [1.0])) for s in scale]
    growth = np.polyfit(-np.log(scale), narrow, 1)[0]
    far = np.array([1e3])
    return {
        "divergence_slope_error": abs(_log_slope(scale, np.array(divergence)) + 2),
        "gradient_slope_error": max(abs(slope + 2) for slope in slopes),
        "logarithm_slope_error": abs(float(growth) - 1),
        "clamped_maximum": float(residual_normal.bounded_kl(-far, -far, 2 * far, 2 * far)),
    }


def residual_closed_form(rng: np.random.Generator) -> Metrics:
    """Eq. 2 against quadrature, its reading with variances, and the public clamp."""
    points, weights = hermite.rule(20)
    errors, variance, clamped = [], [], []
    for _ in range(1000):
        mean, shift = rng.standard_normal(2)
        scale, ratio = np.exp(rng.uniform(-1.5, 1.5, 2))
        z = mean + shift + scale * ratio * points[:, 0]
        exact = weights @ (stats.norm.logpdf(z, mean + shift, scale * ratio) - stats.norm.logpdf(z, mean, scale))
        found = float(residual_normal.kl([shift], [scale], [ratio]))
        errors.append(abs(found / exact - 1))
        variance.append(abs((shift**2 / scale + ratio - math.log(ratio) - 1) / 2 / exact - 1))
        raw = residual_normal.bounded_kl([mean], [math.log(scale)], [shift], [math.log(ratio)])
        clamped.append(abs(float(raw) / exact - 1))
    return {
        "relative_error": max(errors),
        "variance_reading_error": float(np.median(variance)),
        "clamped_deviation": float(np.median(clamped)),
    }


def moves_with_prior(rng: np.random.Generator) -> Metrics:
    """The divergence after the prior moved, with residual parameters and with absolute ones."""
    shifts, slopes, errors = [], [], []
    step = 2.0**-6
    for _ in range(200):
        # Multiples of 1/64: sums of them carry no rounding.
        mean, shift = rng.integers(-128, 128, 2) / 64
        scale, ratio = np.exp(rng.uniform(-1, 1, 2))

        def residual(centre: float, shift: float = shift, scale: float = scale, ratio: float = ratio) -> float:
            own = residual_normal.parameters([centre], [scale], [shift], [ratio])
            return float(gaussian.kl(*own, [centre], [scale]))

        shifts.append(abs(residual(mean + 3) - residual(mean)))
        slopes.append(abs(residual(mean + step) - residual(mean - step)) / (2 * step))
        absolute = [float(gaussian.kl([shift], [ratio], [mean + h], [scale])) for h in (step, -step)]
        wanted = -float(gaussian.kl_gradient(shift, ratio, mean, scale)[0])
        errors.append(abs((absolute[0] - absolute[1]) / (2 * step) - wanted))
    return {"shift_difference": max(shifts), "slope_in_mean": max(slopes), "absolute_slope_error": max(errors)}


def relative_parameters(rng: np.random.Generator) -> Metrics:
    """Slope of the divergence in the log scale of the prior, its bound for a floor, and its growth without."""
    errors, beyond, equality = [], 0, []
    step = 1e-5
    for _ in range(200):
        shift, floor, ratio = rng.standard_normal() + 2, rng.uniform(0.05, 0.5), np.exp(rng.uniform(-1, 1))
        scale = floor * np.exp(rng.uniform(0, 3))
        moved = [float(residual_normal.kl([shift], [scale * np.exp(h)], [ratio])) for h in (step, -step)]
        slope = abs(moved[0] - moved[1]) / (2 * step)
        # The derivative in closed form: the ratio of scales does not enter.
        exact = shift**2 / scale**2
        errors.append(abs(slope / exact - 1) if exact > 1e-2 else 0.0)
        beyond += exact > shift**2 / floor**2
        at_floor = 2 * float(residual_normal.kl([shift], [floor], [1.0]))
        equality.append(abs(at_floor / (shift**2 / floor**2) - 1))
    growth = float(residual_normal.kl([1.0], [1e-5], [1.0])) / float(residual_normal.kl([1.0], [0.1], [1.0]))
    return {
        "slope_error": max(errors),
        "bound_violations": beyond,
        "equality_error": max(equality),
        "growth": growth,
    }

"""Checks of Sections 1 and 5 and of Figure 1: KL terms, bounds, schedules, and the exactly solvable transition.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize

import claims
from reference import (
    balancing,
    bounds,
    gaussian,
    hermite,
    hierarchical,
    linear_gaussian,
    ornstein_uhlenbeck,
    schedules,
)
from reference.hermite import Array
from reproductions.hvae._functions import largest

Metrics = dict[str, float]


def layer_terms_are_kl_divergences(rng: np.random.Generator) -> Metrics:
    """q(z1) = N(.5, .8), q(z2|z1) = N(1.2 z1, .3), p(z1|z2) = N(.7 z2, .4): the terms by (exact) quadrature."""
    grid, weights = hermite.rule(6, 2)
    z1 = 0.5 + 0.8 * grid[:, :1]
    z2 = 1.2 * z1 + 0.3 * grid[:, 1:]
    count = len(grid)
    mean_1, scale_1 = np.full((count, 1), 0.5), np.full((count, 1), 0.8)
    scale_2, scale_p = np.full((count, 1), 0.3), np.full((count, 1), 0.4)
    terms = hierarchical.layer_terms([z1, z2], [mean_1, 1.2 * z1], [scale_1, scale_2], [0.7 * z2], [scale_p])
    first, second = terms @ weights
    analytic = weights @ gaussian.kl(mean_1, scale_1, 0.7 * z2, scale_p)
    top = weights @ gaussian.kl_standard(1.2 * z1, scale_2)
    return {
        "intermediate_layer_error": abs(float(analytic - first)),
        "top_layer_error": abs(float(top - second)),
        "sum_error": abs(float(first + second) - _joint_kl()),
    }


def _joint_kl() -> float:
    """KL of the two joint Gaussians over (z1, z2) by linear algebra."""
    q_map, p_map = np.array([[0.8, 0], [1.2 * 0.8, 0.3]]), np.array([[0.4, 0.7], [0, 1.0]])
    q_cov, p_cov = q_map @ q_map.T, p_map @ p_map.T
    mean = np.array([0.5, 1.2 * 0.5])
    precision = np.linalg.inv(p_cov)
    log_ratio = np.linalg.slogdet(p_cov)[1] - np.linalg.slogdet(q_cov)[1]
    return float(0.5 * (np.trace(precision @ q_cov) + mean @ precision @ mean - 2 + log_ratio))


def elbo_lower_bounds_log_likelihood(rng: np.random.Generator) -> Metrics:
    """1000 random linear-Gaussian hierarchies: the ELBO of a random posterior and of the exact one."""
    model = _random_models(rng, 1000)
    random = {name: rng.normal(size=1000) for name in ("m", "a", "b")}
    random |= {name: np.exp(rng.normal(size=1000)) for name in ("d", "t")}
    evidence = gaussian.log_density(
        model["x"][:, None],
        (model["c"] * model["b"] + model["offset"])[:, None],
        np.sqrt(model["noise"] ** 2 + model["c"] ** 2 * (model["s"] ** 2 + model["w"] ** 2))[:, None],
    )
    gap = _elbo(model, random) - evidence
    return {
        "bound_violations": int(np.sum(gap > 1e-9)),
        "equality_error": largest(_elbo(model, _exact_posterior(model)) - evidence),
        "smoothed_excess_081": _excess_of_smoothed_objective(0.81),
        "smoothed_excess_05": _excess_of_smoothed_objective(0.5),
    }


def _random_models(rng: np.random.Generator, count: int) -> dict[str, Array]:
    """x|z1 = N(c z1 + offset, noise), z1|z2 = N(w z2 + b, s), z2 = N(0, 1), and an observation x."""
    model = {name: rng.normal(size=count) for name in ("c", "offset", "w", "b", "x")}
    return model | {name: np.exp(0.5 * rng.normal(size=count)) for name in ("noise", "s")}


def _elbo(model: dict[str, Array], q: dict[str, Array]) -> Array:
    """ELBO with q(z1|x) = N(m, d), q(z2|z1) = N(a z1 + b, t); three nodes are exact for quadratics."""
    grid, weights = hermite.rule(3, 2)
    column = {name: value[:, None] for name, value in model.items()}
    posterior = {name: value[:, None] for name, value in q.items()}
    z1 = posterior["m"] + posterior["d"] * grid[:, 0]
    mean_2 = posterior["a"] * z1 + posterior["b"]
    z2 = mean_2 + posterior["t"] * grid[:, 1]

    def units(*arrays: Array) -> list[Array]:
        return [np.broadcast_to(array, z1.shape)[..., None] for array in arrays]

    terms = hierarchical.layer_terms(
        units(z1, z2),
        units(posterior["m"], mean_2),
        units(posterior["d"], posterior["t"]),
        units(column["w"] * z2 + column["b"]),
        units(column["s"]),
    )
    likelihood = gaussian.log_density(*units(column["x"], column["c"] * z1 + column["offset"], column["noise"]))
    return hierarchical.elbo(likelihood, terms) @ weights


def _exact_posterior(model: dict[str, Array]) -> dict[str, Array]:
    """p(z1|x) and p(z2|z1), which are Gaussian."""
    variance = model["s"] ** 2 + model["w"] ** 2
    precision = 1 / variance + (model["c"] / model["noise"]) ** 2
    pull = model["b"] / variance + model["c"] * (model["x"] - model["offset"]) / model["noise"] ** 2
    slope = model["w"] / variance
    return {
        "m": pull / precision,
        "d": precision**-0.5,
        "a": slope,
        "b": -slope * model["b"],
        "t": model["s"] / np.sqrt(variance),
    }


def _excess_of_smoothed_objective(strength: float) -> float:
    """Best smoothed objective over linear-Gaussian posteriors less log p(x), by direct maximisation.

    x|z1 = N(z1, .4), z1|z2 = N(.9 z2, .5), x = .7. (linear_gaussian.smoothed_excess is its closed form.)
    """
    x, noise, w, s = 0.7, 0.4, 0.9, 0.5
    model = {name: np.array([v]) for name, v in (("c", 1.0), ("offset", 0.0), ("w", w), ("b", 0.0), ("x", x))}
    model |= {"noise": np.array([noise]), "s": np.array([s])}

    def loss(theta: Array) -> float:
        q = {name: np.array([v]) for name, v in zip("mab", theta[:3], strict=True)}
        q |= {name: np.array([math.exp(v)]) for name, v in zip("dt", theta[3:], strict=True)}
        # Smoothing multiplies the variance of the linear mean w z2 by the strength.
        gain = (1 - strength) * (w * q["t"] / s) ** 2 / 2
        return -float((_elbo(model, q) + gain)[0])

    best = -float(optimize.minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-8}).fun)
    return best - float(gaussian.log_density([x], [0.0], [math.sqrt(noise**2 + s**2 + w**2)]))


def toy_transition_exact(rng: np.random.Generator) -> Metrics:
    """Gradient descent in the linear-Gaussian model from near collapse, for a grid of rho and four budgets."""
    rate, rho = 0.05, np.arange(100, 201) / 200
    products, escapes = [], 0
    for samples in (None, 5, 1):
        strength = rho**2 if samples is None else ornstein_uhlenbeck.effective_strength(rho, samples)
        for steps in (300, 1000, 3000, 10_000):
            slope_q, _, scale_q, _ = linear_gaussian.descend(strength, steps, rate)
            escaped = linear_gaussian.top_kl(slope_q, scale_q, 1.0) > 0.1
            if samples == 1:
                escapes += int(escaped.sum())
            else:
                critical = float(strength[escaped].max(initial=0.0))
                products.append((1 - critical) * rate * steps)
    variance = np.array([0.3, 1.0, 4.0])[:, None]
    strength = np.linspace(0, 1, 21)
    determinant = np.linalg.det(linear_gaussian.hessian_at_collapse(variance, strength))
    return {
        "onset_product_smallest": min(products),
        "onset_product_largest": max(products),
        "escapes_k1": escapes,
        "hessian_error": largest(determinant - (strength - 1)),
    }


def importance_samples(rng: np.random.Generator) -> Metrics:
    """x|z = N(1.3 z, .7), x = .8, q = N(.2, .6): L_k by quadrature for small k, nested samples for large k."""
    mean, scale = 0.2, 0.6

    def log_weight(e: Array) -> Array:
        z = (mean + scale * e)[..., None]
        joint = gaussian.log_density(0.8, 1.3 * z, 0.7) + gaussian.log_density(z, 0.0, 1.0)
        return joint - gaussian.log_density(z, mean, scale)

    points, weights = hermite.rule(100)
    exact = []
    for k in (1, 2, 3):
        axes = np.stack(np.meshgrid(*[log_weight(points[:, 0])] * k, indexing="ij"))
        value = bounds.importance_weighted(axes)
        for _ in range(k):
            value = value @ weights
        exact.append(float(value))
    expected = (
        -((0.8 - 1.3 * mean) ** 2 + 1.3**2 * scale**2) / (2 * 0.7**2) - math.log(0.7) - 0.5 * math.log(2 * math.pi)
    )
    elbo = expected - float(gaussian.kl_standard([mean], [scale]))
    drawn = log_weight(rng.standard_normal((5000, 20)))
    sampled = [_mean_bound(drawn, k) for k in (1, 5, 10, 50, 100, 500, 5000)]
    chunks = np.stack([bounds.importance_weighted(chunk) for chunk in np.split(drawn, 50)])
    whole = bounds.importance_weighted(drawn)
    return {
        "decreases": int(np.sum(np.diff(exact) < 0) + np.sum(np.diff(sampled) < 0)),
        "l1_error": abs(exact[0] - elbo),
        "l2": exact[1],
        "chunk_error": largest(bounds.importance_weighted(chunks) - whole),
    }


def _mean_bound(log_weights: Array, k: int) -> float:
    """Mean of L_k over groups of k draws; larger groups are unions of smaller ones, so the order must be exact."""
    return float(bounds.importance_weighted(log_weights.reshape(-1, k, *log_weights.shape[1:]).swapaxes(0, 1)).mean())


def importance_samples_tighten(rng: np.random.Generator) -> Metrics:
    """L_100 against L_1 in 100 random exact models, and the printed difference in nats per image."""
    model = _random_models(rng, 100)
    mean, scale = rng.normal(size=(100, 1)), np.exp(0.5 * rng.normal(size=(100, 1)))
    column = {name: value[:, None] for name, value in model.items()}
    # One latent per model; 2000 draws, in groups of 100.
    z = (mean + scale * rng.standard_normal((2000, 100, 1)))[..., None]
    joint = gaussian.log_density(column["x"][..., None], column["c"][..., None] * z, column["noise"][..., None])
    log_weights = joint + gaussian.log_density(z, 0.0, 1.0) - gaussian.log_density(z, mean[..., None], scale[..., None])
    groups = bounds.importance_weighted(log_weights[..., 0].reshape(20, 100, 100).swapaxes(0, 1)).mean(0)
    numbers = claims.find("hvae/table-5/importance-samples-tighten").numbers
    printed = {number.of: number.value for number in numbers if not isinstance(number.value, tuple)}
    nats_per_bit = -1 / float(bounds.bits_per_dim(1.0, 3072))
    return {
        "bound_violations": int(np.sum(groups < log_weights[..., 0].mean(0))),
        "nats_difference": (printed["L1"] - printed["L100"]) * nats_per_bit,
    }


def kl_annealing_schedule(rng: np.random.Generator) -> Metrics:
    """The weight at the break points and at 1000 random steps."""
    start, length = 10_000, 500_000
    at = schedules.kl_warmup([0, 10_000, 260_000, 510_000], start, length)
    steps = np.sort(rng.integers(0, 1_000_001, 1000))
    weight = schedules.kl_warmup(steps, start, length)
    return {
        "break_point_error": largest(at - np.array([0, 0, 0.5, 1])),
        "decreases": int(np.sum(np.diff(weight) < 0)),
        "interpolation_error": largest(weight - np.interp(steps, [start, start + length], [0, 1])),
    }


def free_bits_values(rng: np.random.Generator) -> Metrics:
    """The four values of the paper: loss, gradient below the floor (by autograd), and order in the value."""
    import torch

    from vaes.ops import balancing as twin

    errors, gradients, decreases = [], [], 0
    for _ in range(50):
        terms = rng.normal(1.5, 1.5, size=(4, 1)) + rng.normal(size=(4, 16))
        losses = []
        for floor in (0.5, 1.0, 2.0, 3.0):
            losses.append(float(balancing.free_bits(terms, floor)))
            errors.append(losses[-1] - sum(max(floor, float(np.mean(row))) for row in terms))
            tensor = torch.tensor(terms, requires_grad=True)
            loss = twin.free_bits(tensor, floor)
            errors.append(losses[-1] - loss.item())
            (gradient,) = torch.autograd.grad(loss, tensor)
            below = terms.mean(1) < floor
            gradients.append(largest(gradient.numpy()[below]))
            # The others must keep theirs, or a loss without any gradient would pass.
            errors.append(largest(gradient.numpy()[~below] - 1 / 16))
        decreases += int(np.sum(np.diff(losses) < 0))
    return {"loss_error": largest(*errors), "gradient_below_floor": max(gradients), "decreases": decreases}

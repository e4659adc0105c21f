"""Checks of the bound, the gradient smoothing, the optimisers and the 5-bit likelihood.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reference import gaussian, likelihoods, optimisers, quantisation, residual_normal, top_down

Metrics = dict[str, float]
Array = NDArray[np.float64]

SLOPES = (0.1, 0.4, math.log(2), 1.0)
SMOOTHING = math.log(2)
DRAWS = 200_000
# Bounds on the log scale: that of VDVAE and the one of the 5-bit configurations.
BOUNDED, UNBOUNDED = -7, -14
LEVELS = 32


def softplus_formula(rng: np.random.Generator) -> Metrics:
    """The scale against 120 decimal digits, at zero, and against the rectifier for a steep slope."""
    raw = np.linspace(-200, 200, 401)
    errors, at_zero = [], []
    for slope in SLOPES:
        found = residual_normal.softplus_scale(raw, slope)
        errors += [_relative(value, _decimal_softplus(y, slope)) for value, y in zip(found, raw, strict=True)]
        at_zero.append(float(residual_normal.softplus_scale(0.0, slope)) * slope / math.log(2) - 1)
    steep = residual_normal.softplus_scale(raw, 1000.0)
    return {
        "relative_error": max(errors),
        "value_at_zero_error": max(map(abs, at_zero)),
        "relu_distance": float(np.max(np.abs(steep - np.maximum(raw, 0)))),
    }


def _decimal_softplus(raw: float, slope: float) -> Decimal:
    with localcontext(prec=120):
        beta = Decimal(slope)
        return (1 + (beta * Decimal(raw)).exp()).ln() / beta


def _relative(value: float, exact: Decimal) -> float:
    with localcontext(prec=120):
        return float(abs(Decimal(float(value)) / exact - 1))


def inverse_scale_gradient(rng: np.random.Generator) -> Metrics:
    """Derivatives at equal scale against complex steps; their order in the slope; the gradient of the mean."""
    sigma = np.geomspace(1e-4, 10, 200)
    errors, mean_changes, magnitudes, beyond = [], [], [], 0
    by_mean = gaussian.kl_gradient(0.7, 1.0, 0.0, sigma)[0]
    for slope in (0.4, SMOOTHING, 1.0):
        raw = np.log(np.expm1(slope * sigma)) / slope
        found = residual_normal.scale_gradients(raw, slope)
        step = np.log1p(np.exp(slope * (raw + 1e-30j))) / slope
        wanted = (step.imag / 1e-30, np.log(step).imag / 1e-30, (1 / step).imag / 1e-30)
        errors += [float(np.max(np.abs(a / b - 1))) for a, b in zip(found, wanted, strict=True)]
        again = gaussian.kl_gradient(0.7, 1.0, 0.0, residual_normal.softplus_scale(raw, slope))[0]
        mean_changes.append(float(np.max(np.abs(again / by_mean - 1))))
        magnitudes.append(np.abs(np.stack(found[1:])))
        # With the scale as an exponential the derivatives are 1 and -1 / sigma.
        limit = slope * np.stack([np.ones_like(sigma), 1 / sigma])
        beyond += int(np.sum(magnitudes[-1] > limit * (1 + 1e-9)))
    return {
        "closed_form_error": max(errors),
        "not_increasing_in_slope": int(np.sum(np.diff(np.stack(magnitudes), axis=0) <= 0)),
        "beyond_slope": beyond,
        "mean_gradient_change": max(mean_changes),
    }


def optimiser_recursions(rng: np.random.Generator) -> Metrics:
    """49 steps of both optimisers against those of PyTorch, gradients over six decades."""
    import torch

    torch.set_num_threads(1)
    gradients = rng.standard_normal((49, 20)) * 10.0 ** rng.uniform(-3, 3, (49, 20))
    start = rng.standard_normal(20)
    errors = {}
    for name, theirs, ours in (
        ("adam", torch.optim.Adam, optimisers.adam),
        ("adamax", torch.optim.Adamax, optimisers.adamax),
    ):
        weight = torch.nn.Parameter(torch.tensor(start))
        optimiser = theirs([weight], lr=1e-3)
        state = (start, np.zeros(20), np.zeros(20))
        worst = 0.0
        for count, gradient in enumerate(gradients, start=1):
            weight.grad = torch.tensor(gradient)
            optimiser.step()
            state = ours(state[0], gradient, state[1], state[2], count=count, rate=1e-3)
            worst = max(worst, float(np.max(np.abs(weight.detach().numpy() - state[0]))))
        errors[f"{name}_error"] = worst
    return errors


def joint_factorisation(rng: np.random.Generator) -> Metrics:
    """Likelihood times prior of a linear model against one Gaussian density of image and latent."""
    worst = 0.0
    for _ in range(100):
        weight, offset, noise = rng.standard_normal((4, 3)), rng.standard_normal(4), rng.uniform(0.3, 2)
        z, x = rng.standard_normal(3), rng.standard_normal(4)
        found = top_down.log_joint(
            gaussian.log_density(x, weight @ z + offset, np.full(4, noise)), [z], [np.zeros(3)], [np.ones(3)]
        )
        image = weight @ weight.T + noise**2 * np.eye(4)
        covariance = np.block([[image, weight], [weight.T, np.eye(3)]])
        exact = stats.multivariate_normal(np.append(offset, np.zeros(3)), covariance).logpdf(np.append(x, z))
        worst = max(worst, abs(float(found) - float(exact)))
    return {"joint_error": worst}


def elbo_bound(rng: np.random.Generator) -> Metrics:
    """The bound plus the divergence from the posterior is the log evidence of a linear model."""
    errors, negative = [], 0
    for _ in range(1000):
        weight, offset, noise = rng.standard_normal((4, 3)), rng.standard_normal(4), rng.uniform(0.3, 2)
        x, mean, scale = rng.standard_normal(4), rng.standard_normal(3), rng.uniform(0.1, 2, 3)
        residual = x - weight @ mean - offset
        spread = np.sum(weight**2 * scale**2)
        fit = -(residual @ residual + spread) / (2 * noise**2) - 4 * math.log(2 * math.pi * noise**2) / 2
        bound = float(top_down.elbo(fit, [mean], [scale], [np.zeros(3)], [np.ones(3)]))
        image = weight @ weight.T + noise**2 * np.eye(4)
        evidence = float(stats.multivariate_normal(offset, image).logpdf(x))
        precision = np.asarray(np.eye(3) + weight.T @ weight / noise**2, dtype=np.float64)
        centre: Array = np.asarray(np.linalg.solve(precision, weight.T @ (x - offset)) / noise**2, dtype=np.float64)
        divergence = _divergence(mean, scale, centre, precision)
        errors.append(abs(bound + divergence - evidence))
        negative += evidence < bound
    return {"gap_error": max(errors), "negative_gaps": negative}


def _divergence(mean: Array, scale: Array, centre: Array, precision: Array) -> float:
    """KL of a diagonal Gaussian from one with full precision."""
    distance = mean - centre
    trace = float(np.diag(precision) @ scale**2)
    logs = -2 * np.sum(np.log(scale)) - np.linalg.slogdet(precision)[1]
    return float((trace + distance @ precision @ distance - len(mean) + logs) / 2)


def joint_misprinted(rng: np.random.Generator) -> Metrics:
    """Totals of the corrected joint and of the printed right side, read as a conditional of the image."""
    prior = rng.dirichlet(np.ones(4))
    given = rng.dirichlet(np.ones(5), size=4)
    right = given * prior[:, None]
    return {
        "corrected_total_error": abs(float(right.sum()) - 1),
        "printed_total_error": float(np.max(np.abs(right.sum(axis=1) - 1))),
    }


def hierarchical_elbo(rng: np.random.Generator) -> Metrics:
    """Sampled log q - log p of three layers against the sum of their divergences; one layer is Eq. 2."""
    z: list[Array] = []
    parameters: list[list[Array]] = [[], [], [], []]
    state = np.zeros((DRAWS, 2))
    for layer in range(3):
        mean_q, mean_p = np.sin(state + 0.5 * layer), 0.5 * np.tanh(state)
        scale_q, scale_p = 0.4 + 0.2 * np.cos(state) ** 2, 0.8 + 0.1 * np.sin(state)
        noise = rng.standard_normal((DRAWS, 2))
        z.append(gaussian.reparameterise(mean_q, scale_q, noise))
        for own, value in zip(parameters, (mean_q, scale_q, mean_p, scale_p), strict=True):
            own.append(value)
        state = state @ np.array([[0.6, -0.3], [0.2, 0.7]]) + z[-1]
    sampled = top_down.log_density(z, parameters[0], parameters[1]) - top_down.log_density(
        z, parameters[2], parameters[3]
    )
    analytic = top_down.group_kl(*parameters).sum(axis=0)
    difference = sampled - analytic
    fit, (mean, scale) = rng.standard_normal(5), rng.uniform(0.3, 2, (2, 5, 3))
    other = (np.zeros((5, 3)), np.ones((5, 3)))
    one = top_down.elbo(fit, [mean], [scale], [other[0]], [other[1]])
    direct = fit - np.sum((mean**2 + scale**2 - 1) / 2 - np.log(scale), axis=-1)
    return {
        "mc_standard_errors": abs(float(difference.mean())) / float(difference.std() / math.sqrt(DRAWS)),
        "single_layer_error": float(np.max(np.abs(one - direct))),
    }


def _grid() -> tuple[float, float]:
    """Value of the last 5-bit level of the public code, and its half bin."""
    return float(quantisation.scale_pixels(LEVELS - 1, 5)), float(quantisation.half_bin(5, "official"))


def _largest_mass(scale: float, bits: int) -> float:
    """Largest total mass over the means, on a grid that holds the levels and their midpoints."""
    levels = 2**bits
    high, half = float(quantisation.scale_pixels(levels - 1, bits)), float(quantisation.half_bin(bits, "official"))
    means = np.unique(np.concatenate([np.linspace(-1, high, 2 * levels - 1), np.linspace(-1.1, 1.1, 2201)]))
    masses = likelihoods.total_mass(means, np.full_like(means, scale), levels, -1.0, high, half)
    return float(masses[np.argmax(np.abs(masses - 1))]) if bits == 8 else float(masses.max())


def five_bit_mass(rng: np.random.Generator) -> Metrics:
    """Total mass of the 32 levels with the half bin of the public code, and of the 256 levels."""
    scales = {"005": 0.05, "03": 0.3, "bounded": math.exp(BOUNDED), "unbounded": math.exp(UNBOUNDED)}
    mass = {f"mass_{name}": _largest_mass(scale, 5) for name, scale in scales.items()}
    return {
        **mass,
        "mass_excess": max(mass.values()) - 1,
        "eight_bit_error": max(abs(_largest_mass(scales[name], 8) - 1) for name in ("005", "03", "bounded")),
        # Edges of neighbouring bins differ by a rounding, which so small a scale magnifies.
        "eight_bit_error_unbounded": abs(_largest_mass(scales["unbounded"], 8) - 1),
    }


def bound_gain(rng: np.random.Generator) -> Metrics:
    """Two equally likely adjacent 5-bit levels (1 bit), one logistic fitted to them with Adamax."""
    _, official = _grid()
    proper = float(quantisation.half_bin(5, "proper"))
    return {
        f"{name}_{bound}": _fitted_bits(half, floor)
        for name, half in (("official", official), ("proper", proper))
        for bound, floor in (("bounded", BOUNDED), ("unbounded", UNBOUNDED))
    }


def _fitted_bits(half: float, floor: int, steps: int = 4000, rate: float = 0.01) -> float:
    """NLL in bits after training the location and the raw scale from between the levels, off the middle."""
    high, _ = _grid()
    codes = np.array([15, 16])
    least = math.exp(floor)
    where = quantisation.scale_pixels(codes, 5)
    state = (np.array([float(where.mean()) + 0.01, -4.0]), np.zeros(2), np.zeros(2))
    for count in range(1, steps + 1):
        mean, raw = state[0]
        free = float(residual_normal.softplus_scale(raw, SMOOTHING))
        scale = max(free, least)
        a, b = (where - mean + half) / scale, (where - mean - half) / scale
        # The logarithm of F(a) - F(b) has the slopes s(-a) - s(b) in the location and two terms in the scale.
        by_mean = -(_logistic(-a) - _logistic(b)) / scale
        tail = 2 * half / scale**2 / math.expm1(2 * half / scale) if half / scale < 300 else 0.0
        by_scale = (-a * _logistic(-a) + b * _logistic(b)) / scale - tail
        slope = float(_logistic(SMOOTHING * raw)) if free > least else 0.0
        gradient = -np.array([by_mean.mean(), by_scale.mean() * slope])
        weights, first, norm = state
        state = optimisers.adamax(weights, gradient, first, norm, count=count, rate=rate)
    mean, raw = state[0]
    scale = max(float(residual_normal.softplus_scale(raw, SMOOTHING)), least)
    masses = likelihoods.discretised_logistic(codes, mean, scale, LEVELS, -1.0, high, half)
    return float(-masses.mean() / math.log(2))


def _logistic(t: Array | float) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0, -np.asarray(t))))

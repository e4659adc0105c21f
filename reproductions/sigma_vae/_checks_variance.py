"""Checks of the fitted variance: optimum, gradients, errors of its estimates, and the bounds of Section D."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import integrate, linalg, optimize, special, stats

from reference import calibration, image_metrics, optimisers

Metrics = dict[str, float]
Generator = np.random.Generator


def largest(*values: Any) -> float:
    """Largest absolute value over all arrays."""
    return max(float(np.max(np.abs(value))) for value in values)


def argmax_sigma(squared_error: np.ndarray, dims: int) -> float:
    """Standard deviation at the maximum of the likelihood: root in its logarithm, by Brent's method."""
    middle = 0.5 * math.log(float(np.mean(squared_error)) / dims)
    shift = 1.7

    def slope(s: float) -> float:
        return float(calibration.shared_sigma_gradient(squared_error, s, dims))

    return math.exp(optimize.brentq(slope, middle - shift, middle + 2 * shift, xtol=1e-14))


def optimal_variance(rng: Generator) -> Metrics:
    """Numeric argmax against the mean squared error and against a fit with zero mean."""
    argmax, fit = [], []
    for _ in range(200):
        dims, images = int(rng.integers(1, 501)), int(rng.integers(1, 9))
        residual = rng.standard_normal((images, dims)) * math.exp(rng.uniform(-4, 3)) + rng.normal()
        variance = float(np.mean(residual**2))
        errors = calibration.sse(residual, np.zeros(dims))
        argmax.append(argmax_sigma(errors, dims) ** 2 / variance - 1)
        fitted = stats.norm.fit(residual.ravel(), floc=0)[1]
        fit.append(float(calibration.optimal_sigma(errors, dims)) / fitted - 1)
    return {"argmax_error": largest(*argmax), "fit_error": largest(*fit)}


def sigma_is_not_variance(rng: Generator) -> Metrics:
    """The argmax over sigma against the mean squared error, as printed, on residuals of mean square .19206."""
    residual = rng.standard_normal((8, 30))
    residual *= math.sqrt(0.19206 / np.mean(residual**2))
    found = argmax_sigma(calibration.sse(residual, np.zeros(30)), 30)
    variance = float(np.mean(calibration.mse(residual, np.zeros(30))))
    return {"printed_error": abs(found - variance), "argmax_example": found, "mse_example": variance}


def _small_vae(rng: Generator) -> tuple[Sequence[Any], Callable[[Sequence[Any]], tuple[Any, Any]], int]:
    """Parameters of a VAE with a hidden layer, and its squared errors and KL per image at fixed noise."""
    import torch

    dims, latents, hidden, batch = 12, 3, 7, 5

    def tensor(*shape: int) -> Any:
        return torch.tensor(0.5 * rng.standard_normal(shape))

    x, noise = tensor(batch, dims), tensor(batch, latents)
    parameters = [tensor(dims, 2 * latents), tensor(latents, hidden), tensor(hidden), tensor(hidden, dims)]

    def terms(parameters: Sequence[Any]) -> tuple[Any, Any]:
        encoder, inner, bias, outer = parameters
        mean, log_variance = (x @ encoder).chunk(2, dim=-1)
        z = mean + (log_variance / 2).exp() * noise
        output = torch.tanh(z @ inner + bias) @ outer
        kl = 0.5 * (mean**2 + torch.expm1(log_variance) - log_variance).sum(-1)
        return ((x - output) ** 2).sum(-1), kl

    return parameters, terms, dims


def _gradients(objective: Callable[[Sequence[Any]], Any], parameters: Sequence[Any]) -> list[Any]:
    import torch

    leaves = [p.clone().requires_grad_() for p in parameters]
    return list(torch.autograd.grad(objective(leaves), leaves))


def _relative(first: Sequence[Any], second: Sequence[Any]) -> float:
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(first, second, strict=True))


def beta_is_constant_variance(rng: Generator) -> Metrics:
    """Gradients and trajectories of a beta-VAE against those of a VAE with constant variance beta."""
    from vaes.ops import calibration as twin

    parameters, terms, dims = _small_vae(rng)
    gradient, trajectory, wrong = [], [], []
    for beta in calibration.beta_grid().tolist():

        def weighted(p: Sequence[Any], beta: float = beta) -> Any:
            return twin.beta_vae_objective(*terms(p), beta).mean()

        def constant(p: Sequence[Any], log_sigma: float = 0.5 * math.log(beta)) -> Any:
            error, kl = terms(p)
            return twin.shared_sigma_objective(error, kl, error.new_tensor(log_sigma), dims)

        found, same = _gradients(weighted, parameters), _gradients(constant, parameters)
        gradient.append(_relative(found, [beta * g for g in same]))
        if beta != 1:
            other = _gradients(functools.partial(constant, log_sigma=math.log(beta)), parameters)
            wrong.append(_relative(found, [beta * g for g in other]))
        first, second, rate = list(parameters), list(parameters), 1e-3 / max(1.0, beta)
        for _ in range(50):
            first = [p - rate * g for p, g in zip(first, _gradients(weighted, first), strict=True)]
            second = [p - rate * beta * g for p, g in zip(second, _gradients(constant, second), strict=True)]
        trajectory.append(_relative(first, second))
    return {
        "gradient_difference": max(gradient),
        "trajectory_difference": max(trajectory),
        "wrong_reading_difference": min(wrong),
    }


def adam_first_steps(rng: Generator) -> Metrics:
    """Adam against another implementation on a quadratic, and its step under a constant gradient."""
    import torch

    root, rate, eps = rng.standard_normal((6, 6)), 1e-3, 1e-8
    matrix, start = root @ root.T + np.eye(6), rng.standard_normal(6)
    theta, first, second = start, np.zeros(6), np.zeros(6)
    other = torch.tensor(start, requires_grad=True)
    optimiser = torch.optim.Adam([other], lr=rate)
    worst = 0.0
    for count in range(1, 101):
        theta, first, second = optimisers.adam(theta, matrix @ theta, first, second, count, rate)
        optimiser.zero_grad()
        (0.5 * other @ torch.tensor(matrix) @ other).backward()
        optimiser.step()
        worst = max(worst, largest(theta - other.detach().numpy()))
    sizes = np.array([1.0, -1.0, 1e-4, 30.0])
    place, m, v = np.zeros(4), np.zeros(4), np.zeros(4)
    errors = []
    for count in range(1, 51):
        moved, m, v = optimisers.adam(place, sizes, m, v, count, rate)
        errors.append((place - moved) / (rate * sizes / (np.abs(sizes) + eps)) - 1)
        place = moved
    return {"trajectory_difference": worst, "constant_gradient_error": largest(*errors)}


def frechet_routes(rng: Generator) -> Metrics:
    """The distance against two other routes, relative to the traces: the distance is a difference of these."""
    routes, itself, scaling = [], [], []
    for samples, dims in ((200, 6), (40, 12), (20, 22)):
        a, b = rng.standard_normal((samples, dims)), rng.standard_normal((samples, dims)) * 1.5 + 0.3
        found = float(image_metrics.frechet_distance(a, b))
        centred = [(f - f.mean(axis=0)) / math.sqrt(samples - 1) for f in (a, b)]
        shift = float(np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2))
        own, other = (float(np.sum(f**2)) for f in centred)
        # The singular values of A B' are the roots of the eigenvalues of S1 S2, also where S1 has no inverse.
        nuclear = 2 * float(np.sum(np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False)))
        routes.append((found - shift - own - other + nuclear) / (own + other))
        if samples > dims:
            product = centred[0].T @ centred[0] @ centred[1].T @ centred[1]
            root = 2 * float(np.trace(linalg.sqrtm(product)).real)
            routes.append((found - shift - own - other + root) / (own + other))
        itself.append(float(image_metrics.frechet_distance(a, a)) / (2 * own))
        scaling += [float(image_metrics.frechet_distance(s * a, s * b)) / (s**2 * found) - 1 for s in (0.5, 3.0)]
    return {
        "route_difference": largest(*routes),
        "distance_to_itself": largest(*itself),
        "scaling_error": largest(*scaling),
    }


def envelope_gradient(rng: Generator) -> Metrics:
    """Gradient of the mean with the fitted sigma differentiated or held constant, with and without the soft clip."""
    import torch

    from vaes.ops import calibration as twin

    exact, clipped = [], []
    for images, dims in ((1, 7), (4, 30), (16, 5)):
        x = torch.tensor(rng.random((images, dims)))
        mean = (x + 0.4 * torch.tensor(rng.standard_normal((images, dims)))).requires_grad_()
        error = twin.sse(x, mean)
        (through,) = torch.autograd.grad(twin.batch_optimal_sigma_loss(error, torch.zeros(images), dims), mean)
        log_sigma = twin.optimal_sigma(twin.sse(x, mean), dims).log()
        (held,) = torch.autograd.grad(twin.gaussian_nll(x, mean, log_sigma.detach()).mean(), mean)
        exact.append(float((through - held).abs().max()))
        soft = twin.soft_clip(log_sigma)
        (through,) = torch.autograd.grad(twin.gaussian_nll(x, mean, soft).mean(), mean, retain_graph=True)
        (held,) = torch.autograd.grad(twin.gaussian_nll(x, mean, soft.detach()).mean(), mean)
        clipped.append(float((through - held).abs().max() / held.abs().max()))
    return {"gradient_difference": max(exact), "clipped_difference": min(clipped)}


def delta_method(rng: Generator) -> Metrics:
    """Standard error of sigma for Gaussian residuals: delta method, chi distribution, Monte Carlo."""
    relative, scores = [], []
    draws = 20000
    for images, dims in ((1, 50), (5, 10), (2, 64), (128, 4), (128, 784)):
        count = images * dims
        exact = float(stats.chi(count).std()) / math.sqrt(count)
        # Errors per image are chi-square over D: squared coefficient of variation 2 / D.
        found = float(calibration.sigma_standard_error(1.0, 2 / dims, images))
        relative.append(found / exact - 1)
        sample = np.sqrt(rng.chisquare(count, draws) / count)
        scores.append((sample.std(ddof=1) / exact - 1) * math.sqrt(2 * draws))
    return {"relative_error": largest(*relative), "mc_standard_errors": largest(*scores)}


NUMBERS = (4, 20, 200, 2000)


def same_batch_biased(rng: Generator) -> Metrics:
    """Bias of the NELBO when one batch gives sigma and is scored, D = 4."""
    dims, draws = 4, 400_000
    exact = calibration.same_batch_bias(dims, NUMBERS)
    scores, approximation = [], []
    for count, bias in zip(NUMBERS, exact, strict=True):
        sample = 0.5 * dims * np.log(rng.chisquare(count, draws) / count)
        scores.append((sample.mean() - bias) / (sample.std() / math.sqrt(draws)))
        if count >= 20:
            approximation.append(float(bias) / (-dims / (2 * count)) - 1)
    return {
        "non_negative_biases": int(np.sum(exact >= 0)),
        "mc_standard_errors": largest(*scores),
        "approximation_error": largest(*approximation),
    }


def different_batch(rng: Generator) -> Metrics:
    """Signs of both biases and the size of their mean, n from 4 to 10000."""
    numbers = np.array([4, 10, 20, 50, 100, 200, 1000, 2000, 10000])
    same, other = calibration.same_batch_bias(4, numbers), calibration.held_out_sigma_bias(4, numbers)
    share = np.abs(same + other) / 2 / np.minimum(np.abs(same), np.abs(other))
    return {
        "non_positive_biases": int(np.sum(other <= 0)),
        "same_batch_non_negative": int(np.sum(same >= 0)),
        "mean_bias_share": float(np.max(share[numbers >= 100])),
    }


def running_average_variance(rng: Generator) -> Metrics:
    """Stationary variance of the average over that of its inputs; a constant input; no memory."""
    scores, constant = [], []
    chains = 3000
    for decay, steps in ((0.9, 120), (0.99, 1200)):
        # Variance 1, so far above 0 that none is negative.
        last = calibration.running_variance(9 + rng.standard_normal((steps, chains)), decay)[-1]
        wanted = (1 - decay) / (1 + decay)
        scores.append((last.var(ddof=1) / wanted - 1) * math.sqrt(chains / 2))
        constant.append(calibration.running_variance(np.full(200, 0.37), decay) / 0.37 - 1)
    inputs = rng.random(50)
    return {
        "mc_standard_errors": largest(*scores),
        "constant_error": largest(*constant),
        "no_memory_difference": largest(calibration.running_variance(inputs, 0.0) - inputs),
    }


def running_average_convergence(rng: Generator) -> Metrics:
    """Decay 1 - 1/t: the arithmetic mean, and the size of its error over 1e5 steps in 20 chains."""
    steps, chains = 100_000, 20
    inputs = rng.standard_normal((steps, chains)) + 5
    average, errors = np.zeros(chains), np.empty((steps, chains))
    for t, value in enumerate(inputs, start=1):
        average = (1 - 1 / t) * average + value / t
        errors[t - 1] = average - 5
    count = np.arange(1, steps + 1)[:, None]
    mean = np.cumsum(inputs, axis=0) / count
    scaled = np.abs(errors) * np.sqrt(count)
    return {
        "mean_error": largest(errors + 5 - mean),
        "scaled_squared_error": float(np.max(scaled**2)),
        "tail_error": float(np.max(scaled[steps // 2 :])),
    }


def printed_bound(rng: Generator) -> Metrics:
    """Eq. 12 with both KL terms added, at the exact posterior of the precision, against the exact marginal."""
    error, dims, prior = 0.8, 6, (2.0, 0.05)
    posterior = calibration.optimal_gamma(error, dims, *prior)
    bound = float(calibration.gamma_precision_bound(error, dims, *posterior, *prior))
    printed = bound + 2 * float(calibration.gamma_kl(*posterior, *prior))
    marginal = float(calibration.gamma_marginal(error, dims, *prior))
    return {"excess_over_marginal": max(0.0, printed - marginal), "printed_value": printed, "marginal": marginal}


def corrected_bound(rng: Generator) -> Metrics:
    """With the KL terms subtracted: below the exact marginal, equal to it at the exact posterior."""
    violations, equality, marginals = 0, [], []
    for _ in range(500):
        dims, error = int(rng.integers(1, 60)), math.exp(rng.uniform(-3, 4))
        shape, rate, shape_q, rate_q = np.exp(rng.uniform(-1.5, 2.5, size=4))
        exact = stats.multivariate_t(np.zeros(dims), np.eye(dims) * rate / shape, df=2 * shape)
        wanted = float(exact.logpdf(np.r_[math.sqrt(error), np.zeros(dims - 1)]))
        marginals.append(float(calibration.gamma_marginal(error, dims, shape, rate)) - wanted)
        posterior = calibration.optimal_gamma(error, dims, shape, rate)
        # Anywhere, and next to the optimum, where a bound that is a little too high would pass its limit.
        near = [part * math.exp(rng.uniform(-0.01, 0.01)) for part in posterior]
        for a, b in ((shape_q, rate_q), (near[0], near[1])):
            bound = float(calibration.gamma_precision_bound(error, dims, a, b, shape, rate))
            violations += bound > wanted + 1e-9
        equality.append(float(calibration.gamma_precision_bound(error, dims, *posterior, shape, rate)) - wanted)
    return {
        "bound_violations": violations,
        "equality_error": largest(*equality),
        "marginal_error": largest(*marginals),
        "lognormal_violations": sum(_lognormal_violation(rng) for _ in range(50)),
    }


def _lognormal_violation(rng: Generator) -> bool:
    """Whether the best log-normal bound exceeds the marginal by quadrature over log sigma."""
    dims, error = int(rng.integers(1, 40)), math.exp(rng.uniform(-2, 3))
    mean, variance = rng.normal(), math.exp(rng.uniform(-3, 1))
    best = calibration.optimal_lognormal(error, dims, mean, variance)
    bound = float(calibration.lognormal_sigma_bound(error, dims, *best, mean, variance))
    s = np.linspace(mean - 12 * math.sqrt(variance), mean + 12 * math.sqrt(variance), 20001)
    log_joint = -dims * s - 0.5 * error * np.exp(-2 * s) - 0.5 * dims * math.log(2 * math.pi)
    log_joint = log_joint - 0.5 * (s - mean) ** 2 / variance - 0.5 * math.log(2 * math.pi * variance)
    top = float(log_joint.max())
    return bound > top + math.log(integrate.trapezoid(np.exp(log_joint - top), s)) + 1e-9


def _lognormal_kl(mean: float, variance: float, mean_p: float, variance_p: float) -> float:
    """KL inside the bound: expected log likelihood of an image without error less the bound."""
    dims = 1
    bound = float(calibration.lognormal_sigma_bound(0.0, dims, mean, variance, mean_p, variance_p))
    return -mean - 0.5 * math.log(2 * math.pi) - bound


def greedy_penalty(rng: Generator) -> Metrics:
    """KL of a narrowing posterior, and the price of the best one against its closed form."""
    narrow, narrower = _lognormal_kl(0.2, 1e-6, 0.0, 0.25), _lognormal_kl(0.2, 1e-8, 0.0, 0.25)
    slope = (narrower - narrow) / (math.log(1e-8) - math.log(1e-6))
    errors = []
    for dims in (50, 200, 784, 2352):
        for variance in (0.25, 1.0):
            for distance in (0.0, 0.5):
                found, closed = _penalties(dims, variance, distance)
                errors.append(found / closed - 1)
    return {
        "divergence_slope": slope,
        "penalty_error": largest(*errors),
        "penalty_2352": _penalties(2352, 0.25, 0.0)[0],
    }


def _penalties(dims: int, variance: float, distance: float) -> tuple[float, float]:
    """Nats between the greedy per-image value and the best bound, and the closed form, m that far from the prior."""
    error, mean = 0.01 * dims, math.log(0.1) - distance
    greedy = -float(calibration.per_image_sigma_loss(error, 0.0, dims))
    best = calibration.optimal_lognormal(error, dims, mean, variance)
    found = greedy - float(calibration.lognormal_sigma_bound(error, dims, *best, mean, variance))
    return found, 0.5 * math.log(2 * dims * variance + 1) + distance**2 / (2 * variance)


BETA = 0.03


def scale_invariance(rng: Generator) -> Metrics:
    """Data and output multiplied by a: loss, gradients and the equivalent beta."""
    import torch

    from vaes.ops import calibration as twin

    parameters, terms, dims = _small_vae(rng)
    x = torch.tensor(rng.random((6, 9)))
    mean = x + 0.3 * torch.tensor(rng.standard_normal((6, 9)))

    def loss(scale: float, place: Any) -> Any:
        return twin.batch_optimal_sigma_loss(twin.sse(scale * x, place), torch.zeros(6), 9)

    shift, by_mean, by_weight, beta_error = [], [], [], []
    (plain,) = torch.autograd.grad(loss(1.0, leaf := mean.clone().requires_grad_()), leaf)
    weights = _gradients(lambda p: _optimal(p, 1.0, terms, dims), parameters)
    for scale in (0.5, 2.0, 255.0):
        moved = (scale * mean).requires_grad_()
        value = loss(scale, moved)
        size = float(value.detach())
        shift.append((size - float(loss(1.0, mean)) - 9 * math.log(scale)) / max(1.0, abs(size)))
        (found,) = torch.autograd.grad(value, moved)
        by_mean.append(_relative([scale * found], [plain]))
        objective = functools.partial(_optimal, scale=scale, terms=terms, dims=dims)
        by_weight.append(_relative(_gradients(objective, parameters), weights))

        def weighted(p: Sequence[Any], a: float = scale) -> Any:
            error, kl = terms(p)
            return twin.beta_vae_objective(a**2 * error, kl, BETA * a**2).mean()

        scaled = _gradients(weighted, parameters)
        unscaled = [scale**2 * g for g in _gradients(functools.partial(weighted, a=1.0), parameters)]
        beta_error.append(_relative(scaled, unscaled))
    return {
        "loss_shift_error": largest(*shift),
        "mean_gradient_error": max(by_mean),
        "weight_gradient_error": max(by_weight),
        "beta_error": max(beta_error),
    }


def _optimal(parameters: Sequence[Any], scale: float, terms: Callable[..., tuple[Any, Any]], dims: int) -> Any:
    from vaes.ops import calibration as twin

    error, kl = terms(parameters)
    return twin.batch_optimal_sigma_loss(scale**2 * error, kl, dims)


def sum_not_mean(rng: Generator) -> Metrics:
    """Four reductions of the squared error against the constant variance that each stands for."""
    from vaes.ops import calibration as twin

    parameters, terms, dims = _small_vae(rng)
    batch, beta = 5, 1e-4
    # Divisor of the summed squared error, divisor and weight of the summed KL, and the reduction it is.
    cases = (
        (batch, batch, 1.0, (False, True, True)),
        (batch * dims, batch, 1.0, (True, True, True)),
        (batch * dims, 1, 1.0, (True, True, False)),
        (batch * dims, batch, beta, (True, True, True)),
    )
    worst = []
    for error_divisor, kl_divisor, weight, reduction in cases:
        variance = float(calibration.equivalent_variance(dims, batch, weight, *reduction))

        def reduced(p: Sequence[Any], a: float = error_divisor, b: float = kl_divisor / weight) -> Any:
            error, kl = terms(p)
            return error.sum() / a + kl.sum() / b

        def constant(p: Sequence[Any], log_sigma: float = 0.5 * math.log(variance)) -> Any:
            error, kl = terms(p)
            return twin.shared_sigma_objective(error, kl, error.new_tensor(log_sigma), dims)

        factor = weight * batch / kl_divisor
        worst.append(_relative(_gradients(reduced, parameters), [factor * g for g in _gradients(constant, parameters)]))
    public = calibration.equivalent_variance(2352, 128, 1.0, True, True, False)
    return {"gradient_difference": max(worst), "public_variance": float(public)}


def softclip_bias(rng: Generator) -> Metrics:
    """Shift of the log standard deviation by the public soft clip, and what it costs the optimal mode."""
    shift = {value: float(calibration.soft_clip(value)) - value for value in (0.0, -2.2, -3.5)}

    def cost(value: float, dims: int) -> float:
        return float(calibration.calibration_gap(np.exp(calibration.soft_clip(value)), math.exp(value), dims))

    return {
        "shift_0": shift[0.0],
        "shift_2_2": shift[-2.2],
        "shift_3_5": shift[-3.5],
        "cost_celeba": cost(-2.2, 2352),
        "cost_frey": cost(-3.5, 784),
    }


def bernoulli_has_no_likelihood(rng: Generator) -> Metrics:
    """Integral of the Bernoulli formula over grey values: quadrature against its closed form, nine parameters."""
    from reference import bernoulli

    errors, masses = [], []
    for value in np.linspace(0.1, 0.9, 9):
        mass = integrate.quad(lambda x, p=value: p**x * (1 - p) ** (1 - x), 0, 1, epsabs=1e-13)[0]
        errors.append(mass - math.exp(float(bernoulli.log_normaliser(special.logit(value)))))
        masses.append(mass)
    return {"normaliser_error": largest(*errors), "values_not_below_one": sum(mass >= 1 for mass in masses)}

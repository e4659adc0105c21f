"""Calibrated Gaussian decoders: one scalar standard deviation, and what happens when it is fixed, fitted or averaged.

Images are flattened on the last axis, of length ``dims``; ``squared_error`` is the sum over that axis, never the mean.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
SHIFT = 16
ARTANH_TERMS = 26
NEWTON_STEPS = 24


def sse(x: Tensor, mean: Tensor) -> Tensor:
    """Sum of squared errors over the last axis."""
    return (x - mean).square().sum(-1)


def mse(x: Tensor, mean: Tensor) -> Tensor:
    """Mean of squared errors over the last axis."""
    return (x - mean).square().mean(-1)


def gaussian_nll(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """Negative log density in nats, summed over the last axis; ``log_sigma`` is shared, per image or per value."""
    return (0.5 * ((x - mean) * (-log_sigma).exp()).square() + log_sigma + HALF_LOG_TWO_PI).sum(-1)


def unit_gaussian_floor(dims: int, log_sigma: Tensor | float = 0.0) -> Tensor | float:
    """Least NELBO in nats of a Gaussian decoder of fixed standard deviation."""
    return dims * (log_sigma + HALF_LOG_TWO_PI)


def beta_vae_objective(squared_error: Tensor, kl: Tensor, beta: Tensor | float) -> Tensor:
    """Half the squared error plus ``beta`` times the KL."""
    return 0.5 * squared_error + beta * kl


def beta_as_variance(objective: Tensor, beta: Tensor, dims: int) -> Tensor:
    """NELBO in nats at the constant variance ``beta`` from the objective of the beta-VAE."""
    return objective / beta + dims * (0.5 * beta.log() + HALF_LOG_TWO_PI)


def equivalent_variance(
    dims: int,
    batch: int,
    kl_weight: Tensor | float = 1.0,
    error_mean_over_dims: bool = True,
    error_mean_over_batch: bool = True,
    kl_mean_over_batch: bool = True,
) -> Tensor | float:
    """Constant variance that "squared error plus weighted KL" stands for, given how each term is reduced."""
    exponent = int(error_mean_over_batch) - int(kl_mean_over_batch)
    return 0.5 * kl_weight * (dims if error_mean_over_dims else 1) * float(batch) ** exponent


def beta_grid(highest: float = 100.0, lowest: float = 1e-4, per_decade: int = 1) -> Tensor:
    """Geometric grid of KL weights from ``highest`` down to ``lowest``, float64; NaN raises ``ValueError``."""
    steps = round(per_decade * math.log10(highest / lowest))
    return torch.logspace(math.log10(highest), math.log10(lowest), steps + 1, dtype=torch.float64)


def shared_sigma_objective(squared_error: Tensor, kl: Tensor, log_sigma: Tensor, dims: int) -> Tensor:
    """NELBO of a batch in nats per image under one standard deviation."""
    # The inverse deviation enters twice: its square overflows where the product does not.
    inverse = (-log_sigma).exp()
    return dims * (log_sigma + HALF_LOG_TWO_PI) + 0.5 * squared_error.mean() * inverse * inverse + kl.mean()


def shared_sigma_gradient(squared_error: Tensor, log_sigma: Tensor, dims: int) -> Tensor:
    """Derivative of the NELBO with respect to the log standard deviation."""
    inverse = (-log_sigma).exp()
    return dims - squared_error.mean() * inverse * inverse


def drift_floor(steps: int, learning_rate: Tensor | float, dims: int) -> Tensor | float:
    """Least NELBO in nats that a shared standard deviation can reach ``steps`` Adam steps away from 1."""
    return dims * (HALF_LOG_TWO_PI - steps * learning_rate)


def optimal_sigma(squared_error: Tensor, dims: int, floor: float = 0.0) -> Tensor:
    """Root of the mean squared error over all images and values, at least ``floor``."""
    # The variance is held above the floor before the root, whose slope at zero is infinite.
    return (squared_error.mean() / dims).clamp(min=floor * floor).sqrt().clamp(min=floor)


def calibration_gap(sigma: Tensor, optimal: Tensor, dims: int) -> Tensor:
    """Nats per image that ``sigma`` costs where ``optimal`` is the root of the mean squared error."""
    return dims * _ScaleDivergence.apply(_log_ratio(sigma, optimal))


def batch_optimal_sigma_loss(squared_error: Tensor, kl: Tensor, dims: int, floor: float = 0.0) -> Tensor:
    """NELBO of a batch in nats per image at the batch's own optimal variance; gradients pass through it."""
    return _nll_at(squared_error.mean() / dims, dims, floor) + kl.mean()


def per_image_sigma_loss(squared_error: Tensor, kl: Tensor, dims: int, floor: float = 0.0) -> Tensor:
    """Nats per image, each at its own optimal variance; no bound on the likelihood."""
    return _nll_at(squared_error / dims, dims, floor) + kl


def per_image_gain(squared_error: Tensor, dims: int) -> Tensor:
    """Nats per image by which variances per image beat one shared variance."""
    ratio = squared_error / squared_error.mean()
    excess = (squared_error - squared_error.mean()) / squared_error.mean()
    # The mean of the excess is 0: adding it makes every term non-negative, and leaves nothing to cancel between them.
    return 0.5 * dims * (excess - torch.where(excess > -0.5, torch.log1p(excess.clamp(min=-0.5)), ratio.log())).mean()


def soft_clip(value: Tensor, minimum: Tensor | float = -6.0) -> Tensor:
    """Smooth lower bound on the log standard deviation: log(exp(value) + exp(minimum))."""
    minimum = torch.as_tensor(minimum, dtype=value.dtype, device=value.device)
    return torch.maximum(value, minimum) + torch.log1p((-(value - minimum).abs()).exp())


def error_variances(errors: Tensor) -> tuple[Tensor, Tensor]:
    """Variance of errors (S, N) between images, and from the encoder's noise."""
    # A rounded mean would be the whole variance of equal errors; their differences are exact.
    noise = errors - errors[0]
    within, means = noise.var(0).mean(), errors[0] + noise.mean(0)
    return (means - means[0]).var() - within / errors.shape[0], within


def sigma_standard_error(mean: Tensor, variance: Tensor, images: int, population: int | None = None) -> Tensor:
    """Relative standard error of a standard deviation fitted on ``images`` images, by the delta method."""
    left_out = 1.0 if population is None else 1 - images / population
    return 0.5 * variance.sqrt() / mean * math.sqrt(left_out / images)


def same_batch_bias(dims: int, numbers: Tensor) -> Tensor:
    """Expected error of the NELBO in nats when the variance comes from the batch that is scored."""
    return 0.5 * dims * _digamma_less_log(0.5 * numbers)


def held_out_sigma_bias(dims: int, numbers: Tensor) -> Tensor:
    """Expected error of the NELBO in nats when the variance comes from another batch."""
    return dims * (0.5 * _digamma_less_log(0.5 * numbers) + 1 / (numbers - 2))


def running_variance(variances: Tensor, decay: Tensor) -> Tensor:
    """Exponential averages of variances (T, ...), corrected for their start: one matrix of normalised weights."""
    steps = torch.arange(variances.shape[0], device=variances.device)
    age = steps[:, None] - steps
    # Powers of a 0-d tensor keep 0^0 = 1; a sum of powers does not cancel near decay 1 as 1 - decay^t does.
    weights = torch.where(age >= 0, decay ** age.clamp(min=0), 0)
    return torch.tensordot(weights / weights.sum(1, keepdim=True), variances, dims=1)


def variational_sigma_bound(log_likelihood: Tensor, kl: Tensor, kl_sigma: Tensor) -> Tensor:
    """Log likelihood less both KL terms, in nats."""
    return log_likelihood - kl - kl_sigma


def gamma_kl(shape_q: Tensor, rate_q: Tensor, shape_p: Tensor, rate_p: Tensor) -> Tensor:
    """KL between gamma distributions in nats: mismatch of the means, then of the shapes, each without cancellation."""
    a, b, a0, b0 = (_wide(t) for t in (shape_q, rate_q, shape_p, rate_p))
    log_mean_ratio = (a / a0).log() + (b0 / b).log()
    # Far apart, the exponential of a logarithm loses the digits that the product keeps.
    near, far = torch.expm1(log_mean_ratio.clamp(max=1)), (a / a0) * (b0 / b) - 1
    means = a0 * (torch.where(log_mean_ratio < 1, near, far) - log_mean_ratio)
    return (means + _ShapeDivergence.apply(*torch.broadcast_tensors(a, a0))).to(shape_q.dtype)


def gamma_precision_bound(
    squared_error: Tensor, dims: int, shape_q: Tensor, rate_q: Tensor, shape_p: Tensor, rate_p: Tensor
) -> Tensor:
    """Bound in nats on the log density of an image whose precision has a gamma prior and posterior."""
    precision = shape_q / rate_q
    log_precision = _digamma_less_log(shape_q) + precision.log()
    expected = dims * (0.5 * log_precision - HALF_LOG_TWO_PI) - 0.5 * precision * squared_error
    return expected - gamma_kl(shape_q, rate_q, shape_p, rate_p)


def optimal_gamma(squared_error: Tensor, dims: int, shape_p: Tensor, rate_p: Tensor) -> tuple[Tensor, Tensor]:
    """Shape and rate of the gamma posterior of the precision of an image."""
    return shape_p + 0.5 * dims, rate_p + 0.5 * squared_error


def gamma_marginal(squared_error: Tensor, dims: int, shape_p: Tensor, rate_p: Tensor) -> Tensor:
    """Log density of a multivariate Student t in nats."""
    error, a0, b0 = (_wide(t) for t in (squared_error, shape_p, rate_p))
    a = a0 + 0.5 * dims
    # log Gamma(a) - log Gamma(a0) - (D/2) log(b0) with the large logarithms taken together.
    gammas = (a0 - 0.5) * torch.log1p(0.5 * dims / a0) - 0.5 * dims + _stirling(a) - _stirling(a0)
    body = 0.5 * dims * (a / b0).log() - a * torch.log1p(0.5 * error / b0)
    return (gammas + body - dims * HALF_LOG_TWO_PI).to(squared_error.dtype)


def lognormal_sigma_bound(
    squared_error: Tensor, dims: int, mean_q: Tensor, variance_q: Tensor, mean_p: Tensor, variance_p: Tensor
) -> Tensor:
    """Bound in nats on the log density of an image whose log standard deviation has a Gaussian prior and posterior."""
    log_ratio = (variance_q / variance_p).log()
    kl = 0.5 * (torch.expm1(log_ratio) - log_ratio + (mean_q - mean_p).square() / variance_p)
    inverse = (variance_q - mean_q).exp()
    return -dims * (mean_q + HALF_LOG_TWO_PI) - 0.5 * squared_error * inverse * inverse - kl


def optimal_lognormal(squared_error: Tensor, dims: int, mean_p: Tensor, variance_p: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the best log-normal posterior of the standard deviation of an image.

    The root is found without a graph; one more Newton step carries its exact derivatives.
    """
    error, mean, variance = (_wide(t) for t in (squared_error, mean_p, variance_p))
    log_error = error.log() - 2 * mean
    with torch.no_grad():
        w = torch.maximum(log_error + 1 / dims, torch.zeros_like(variance) + math.log(dims))
        for _ in range(NEWTON_STEPS):
            w = _newton_step(w, log_error, variance, dims)
    w = _newton_step(w, log_error, variance, dims)
    pull = w.exp()
    width = variance / (2 * pull * variance + 1)
    # From P = D + (m - m0)/v0; the other form, log P = log SSE - 2 m + 2 v, is better where that cancels: wide priors.
    moved = mean + variance * (pull - dims)
    best = torch.where(variance * pull.clamp(min=dims) < 1, moved, 0.5 * (error.log() - w) + width)
    return best.to(squared_error.dtype), width.to(squared_error.dtype)


def nelbo(nll: Tensor, kl: Tensor) -> Tensor:
    """Distortion plus rate, in the unit of the arguments."""
    return nll + kl


def rate_distortion(
    squared_error: Tensor, kl: Tensor, log_sigma: Tensor, dims: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """NELBO, NLL and rate in nats per image, and the mean squared error, over a batch."""
    rate = kl.mean()
    nll = shared_sigma_objective(squared_error, torch.zeros_like(rate), log_sigma, dims)
    return nll + rate, nll, rate, squared_error.mean() / dims


def convergence_step(log_sigma: Tensor, log_reference: Tensor, tolerance: float = 0.1) -> Tensor:
    """First step from which a trajectory (T, ...) stays within ``tolerance``; T when it ends outside."""
    outside = (log_sigma - log_reference).abs() >= tolerance
    settled = outside.flip(0).cumsum(0) == 0
    return outside.shape[0] - settled.sum(0)


def _nll_at(error: Tensor, dims: int, floor: float) -> Tensor:
    variance = error.clamp(min=floor**2)
    return dims * (0.5 * (variance.log() + error / variance) + HALF_LOG_TWO_PI)


def _newton_step(w: Tensor, log_error: Tensor, variance: Tensor, dims: int) -> Tensor:
    """One step towards the root of log_error - 2 v0 (e^w - D) + 2 / (2 e^w + 1/v0) - w."""
    pull = w.exp()
    posterior = variance / (2 * pull * variance + 1)
    residual = log_error - 2 * variance * (pull - dims) + 2 * posterior - w
    slope = -2 * variance * pull - 4 * pull * posterior.square() - 1
    return w - residual / slope


class _ScaleDivergence(torch.autograd.Function):
    """delta + (exp(-2 delta) - 1)/2, with a derivative that does not cancel near 0."""

    @staticmethod
    def forward(ctx, delta: Tensor) -> Tensor:
        ctx.save_for_backward(delta)
        return delta + 0.5 * torch.expm1(-2 * delta)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (delta,) = ctx.saved_tensors
        return -gradient * torch.expm1(-2 * delta)


class _ShapeDivergence(torch.autograd.Function):
    """KL of gamma distributions of one mean with shapes a and a0; the derivatives of its terms cancel each other."""

    @staticmethod
    def forward(ctx, a: Tensor, a0: Tensor) -> Tensor:
        ctx.save_for_backward(a, a0)
        return 0.5 * (a / a0).log() + (a - a0) * _digamma_less_log(a) - _stirling(a) + _stirling(a0)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        a, a0 = ctx.saved_tensors
        by_prior = _digamma_less_log(a0) - _digamma_less_log(a)
        return gradient * (a - a0) * _trigamma_less_reciprocal(a), gradient * by_prior


def _log_ratio(a: Tensor, b: Tensor) -> Tensor:
    """Logarithm of a / b; the difference of near neighbours is exact where their ratio is rounded."""
    excess = (a - b) / b
    near = excess.abs() < 0.5
    return torch.where(near, torch.log1p(torch.where(near, excess, 0)), (a / b).log())


def _wide(x: Tensor) -> Tensor:
    """At least float32: half precision has no digamma, and its logarithms lose the result."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _digamma_less_log(a: Tensor) -> Tensor:
    """psi(a) - log a by Stirling's series."""
    start, _, below = _stirling_start(_wide(a))
    u = start.square().reciprocal()
    series = u * (1 / 12 - u * (1 / 120 - u * (1 / 252 - u * (1 / 240 - u / 132))))
    return (below - 0.5 / start - series).to(a.dtype)


def _trigamma_less_reciprocal(a: Tensor) -> Tensor:
    """psi'(a) - 1/a, the derivative of psi(a) - log a: a step from x + 1 to x adds 1 / (x^2 (x + 1))."""
    x = a[..., None] + torch.arange(SHIFT, device=a.device)
    small = a < SHIFT
    start = torch.where(small, a + SHIFT, a)
    u = start.square().reciprocal()
    series = (1 / 6 - u * (1 / 30 - u * (1 / 42 - u * (1 / 30 - u * (5 / 66 - u * 691 / 2730))))) / start
    return torch.where(small, (1 / (x.square() * (x + 1))).sum(-1), 0) + u * (0.5 + series)


def _stirling(a: Tensor) -> Tensor:
    """Log Gamma(a) less Stirling's main term (a - 1/2) log a - a + log(2 pi)/2, by the rest of the series."""
    start, below, _ = _stirling_start(a)
    u = start.square().reciprocal()
    return below + (1 / 12 - u * (1 / 360 - u * (1 / 1260 - u * (1 / 1680 - u / 1188)))) / start


def _stirling_start(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where to start Stirling's series, a + SHIFT for small a, and the sums of log Gamma and of psi down from there.

    A step from x + 1 to x adds (x + 1/2) log(1 + 1/x) - 1 to the one, and log(1 + 1/x) - 1/x to the other. With
    v = 1/(2 x + 1) the first is t = artanh(v)/v - 1, the second 2 v t - v/x: no digits cancel.
    """
    x = a[..., None] + torch.arange(SHIFT, device=a.device)
    v = (2 * x + 1).reciprocal()
    square, series = v.clamp(max=0.5).square(), torch.zeros_like(v)
    for order in range(ARTANH_TERMS, 0, -1):
        series = (series + 1 / (2 * order + 1)) * square
    t = torch.where(v < 0.5, series, (x + 0.5) * torch.log1p(x.reciprocal()) - 1)
    small = a < SHIFT
    sums = [torch.where(small, steps.sum(-1), 0) for steps in (t, 2 * v * t - v / x)]
    return torch.where(small, a + SHIFT, a), sums[0], sums[1]

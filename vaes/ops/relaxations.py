"""Continuous stand-ins for binary variables: smoothing transformations with their inverse distribution functions.

A binary variable is given by its logit (infinite: a certain value) and its smoothed copy zeta by uniform noise ``rho``.
Samples carry closed-form gradients to noise, logits and the family's parameters; they are finite and exact in value
for every logit, for ``rho`` from 0 to 1 and for the sharpest settings of the family. The functions named ``*_grad``
return these derivatives and are not differentiable themselves. Numbers narrower than float32 are computed in float32.
Arguments outside the domain give NaN or the value of the same formula.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

FAMILIES = ("spike_exp", "overlap_exp", "overlap_logistic", "normal")
LOG_2 = math.log(2)
LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)
# B_2n / (2n)!: x/2 coth(x/2) = 1 + sum of these times x^(2n)
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
COTANGENT = [b / math.factorial(2 * n) for n, b in enumerate(BERNOULLI, start=1)]


def smoothing_inverse_cdf(rho: Tensor, logits: Tensor, family: str, setting: float) -> Tensor:
    """Sample of any family (``FAMILIES``) with its sharpness or scale; locations 0 and 1."""
    if family == "spike_exp":
        return spike_exp_icdf(rho, logits, setting)
    if family == "overlap_exp":
        return overlap_exp_icdf(rho, logits, setting)
    if family == "overlap_logistic":
        return overlap_logistic_icdf(rho, logits, 0.0, 1.0, setting)
    if family == "normal":
        return overlap_normal_icdf(rho, logits, setting)
    raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {family!r}")


def smoothed_log_density(zeta: Tensor, logits: Tensor, family: str, setting: float) -> Tensor:
    """Log density of the smoothed variable in nats, elementwise; ``spike_exp`` has none."""
    dtype, (zeta, logits) = _prepare(zeta, logits)
    if family == "overlap_exp" and setting < 1:
        return _blunt_log_density(zeta, logits, setting).to(dtype)
    if family == "overlap_exp":
        parts = [overlap_exp_log_pdf(zeta, z, setting) for z in (0, 1)]
    elif family == "overlap_logistic":
        parts = [logistic_log_pdf(zeta, float(z), setting) for z in (0, 1)]
    elif family == "normal":
        parts = [-0.5 * ((zeta - z) / setting).square() - (math.log(setting) + LOG_ROOT_TWO_PI) for z in (0, 1)]
    else:
        raise ValueError(f"family must be overlap_exp, overlap_logistic or normal, got {family!r}")
    return torch.logaddexp(logsigmoid(-logits) + parts[0], logsigmoid(logits) + parts[1]).to(dtype)


def spike_exp_cdf(zeta: Tensor, logits: Tensor, beta: float | Tensor) -> Tensor:
    """Mass at or below ``zeta`` of a spike at 0 and an exponential on [0, 1]; it jumps at 0."""
    dtype, (zeta, logits, beta) = _prepare(zeta, logits, beta)
    inside = zeta.clamp(0, 1)
    ratio = torch.exp(-beta * (1 - inside)) * _below(inside, beta)
    return torch.where(zeta < 0, 0, torch.sigmoid(-logits) + logits.sigmoid() * ratio).to(dtype)


def spike_exp_icdf(rho: Tensor, logits: Tensor, beta: float | Tensor) -> Tensor:
    """Sample of a spike at 0 and an exponential on [0, 1]; 0 for ``rho`` up to the spike's mass."""
    dtype, arguments = _prepare(rho, logits, beta)
    return _SpikeExponential.apply(*arguments).to(dtype)


def spike_exp_grad(rho: Tensor, logits: Tensor, beta: float | Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Derivatives of the sample by q, logits, rho and beta; zero for ``rho`` up to the spike's mass."""
    dtype, arguments = _prepare(rho, logits, beta)
    with torch.no_grad():
        by_q, by_logits, by_rho, by_beta = (part.to(dtype) for part in _spike_exp_slopes(*arguments))
        return by_q, by_logits, by_rho, by_beta


def overlap_exp_log_pdf(zeta: Tensor, z: int | Tensor, beta: float | Tensor) -> Tensor:
    """Log density in nats of the exponential that belongs to ``z``; -inf outside [0, 1]."""
    dtype, (zeta, beta) = _prepare(zeta, beta)
    z = torch.as_tensor(z, device=zeta.device)
    blunt, sharp = beta.clamp(max=1), beta.clamp(min=1)
    small = torch.log1p(-_second_antiderivative(blunt) / blunt)
    log_normaliser = torch.where(beta < 1, small, torch.log(-torch.expm1(-sharp)) - sharp.log())
    distance = torch.where(z == 1, 1 - zeta, zeta)
    return torch.where((zeta < 0) | (zeta > 1), -torch.inf, -beta * distance - log_normaliser).to(dtype)


def overlap_exp_cdf(zeta: Tensor, logits: Tensor, beta: float | Tensor) -> Tensor:
    """Mass below ``zeta`` of the mixture of two overlapping exponentials."""
    dtype, (zeta, logits, beta) = _prepare(zeta, logits, beta)
    zeta = zeta.clamp(0, 1)
    weight = torch.sigmoid(-logits) + torch.exp(logsigmoid(logits) - beta * (1 - zeta))
    return (_below(zeta, beta) * weight).to(dtype)


def overlap_exp_icdf_quadratic(rho: Tensor, q: Tensor, beta: float | Tensor) -> Tensor:
    """Sample by the root as printed, for comparison only: it cancels for ``rho > 1 - q`` (use ``overlap_exp_icdf``)."""
    d = torch.exp(-torch.as_tensor(beta, dtype=rho.dtype, device=rho.device))
    half_b = 0.5 * ((rho + d * (q - rho)) / (1 - q) - 1)
    return -torch.log((half_b.square() + q * d / (1 - q)).sqrt() - half_b) / beta


def overlap_exp_icdf(rho: Tensor, logits: Tensor, beta: float | Tensor) -> Tensor:
    """Sample of the mixture of two overlapping exponentials on [0, 1]."""
    dtype, arguments = _prepare(rho, logits, beta)
    return _OverlapExponential.apply(*arguments).to(dtype)


def overlap_exp_icdf_asinh(rho: Tensor, q: Tensor, beta: float | Tensor) -> Tensor:
    """Sample in one closed form, for moderate ``beta`` and probabilities only (use ``overlap_exp_icdf``)."""
    half = 0.5 * torch.as_tensor(beta, dtype=rho.dtype, device=rho.device)
    growing, falling = (rho + q - 1) * half.exp(), (q - rho) * torch.exp(-half)
    return 0.5 + (torch.asinh(0.5 * (growing + falling) / (q * (1 - q)).sqrt()) - 0.5 * torch.logit(q)) / beta


def overlap_exp_grad(rho: Tensor, logits: Tensor, beta: float | Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Derivatives of the sample by q, logits, rho and beta."""
    dtype, arguments = _prepare(rho, logits, beta)
    with torch.no_grad():
        by_q, by_logits, by_rho, by_beta = (part.to(dtype) for part in _overlap_exp_slopes(*arguments))
        return by_q, by_logits, by_rho, by_beta


def overlap_exp_moments(logits: Tensor, beta: float | Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the mixture of two overlapping exponentials."""
    dtype, (logits, beta) = _prepare(logits, beta)
    # With c = beta/2 coth(beta/2) - 1: the mean given 0 is 1/2 - c/beta, so the two means are 2 c/beta apart.
    gap = 2 * _cotangent_excess(beta) / beta
    # The variance given z is 1/beta^2 - 1/(4 sinh^2(beta/2)): with e = sinh(y)/y - 1 at y = beta/2 the two join.
    blunt, sharp = beta.clamp(max=4), beta.clamp(min=1)
    excess = _sinh_excess(0.5 * blunt)
    joined = excess * (2 + excess) / (blunt * (1 + excess)).square()
    apart = sharp.square().reciprocal() - torch.exp(-sharp) / torch.expm1(-sharp).square()
    within = torch.where(beta < 4, joined, apart)
    mean = 0.5 + 0.5 * gap * torch.tanh(0.5 * logits)
    # For q near 0 the mean is e_0 = 1/2 - gap/2, which cancels for large beta: 1/beta - 1/(e^beta - 1).
    e_0 = sharp.reciprocal() - torch.exp(-sharp) / -torch.expm1(-sharp)
    mean = torch.where(beta < 2, mean, torch.sigmoid(-logits) * e_0 + logits.sigmoid() * (1 - e_0))
    variance = within + logits.sigmoid() * torch.sigmoid(-logits) * gap.square()
    return mean.to(dtype), variance.to(dtype)


def overlap_exp_bernoulli_limit(logits: Tensor, beta: float | Tensor) -> Tensor:
    """Wasserstein distance between the mixture of two overlapping exponentials and the Bernoulli variable."""
    dtype, (logits, beta) = _prepare(logits, beta)
    q, a, half = logits.sigmoid(), torch.sigmoid(-logits), 0.5 * logits
    # The point c with F(c) = 1 - q is 1/2 plus an odd function of the logit: a difference of two arcsinh, joined so
    # that it does not cancel.
    shrunk = torch.exp(-0.5 * beta) * torch.sinh(half)
    bottom = torch.exp(-0.5 * beta) * torch.cosh(half) + torch.hypot(torch.ones_like(shrunk), shrunk)
    offset = torch.asinh(torch.sinh(half) * torch.expm1(-beta) / bottom) / beta
    low, high = (0.5 + offset).clamp(0, 1), (0.5 - offset).clamp(0, 1)
    scale = -beta * torch.expm1(-beta)
    near = a * _first_moment(beta * low) + q * _first_moment(beta * high)
    far = q * torch.exp(-beta * high) * _second_antiderivative(beta * low)
    far = far + a * torch.exp(-beta * low) * _second_antiderivative(beta * high)
    return ((near + far) / scale).to(dtype)


def overlap_normal_cdf(zeta: Tensor, logits: Tensor, scale: float | Tensor) -> Tensor:
    """Mass below ``zeta`` of the mixture of two normals around 0 and 1 with one standard deviation."""
    dtype, (zeta, logits, scale) = _prepare(zeta, logits, scale)
    return _normal_mass(zeta, logits, scale).to(dtype)


def overlap_normal_icdf(rho: Tensor, logits: Tensor, scale: float | Tensor) -> Tensor:
    """Sample of the mixture of two normals around 0 and 1: bisection to the last bit, closed-form gradients."""
    dtype, arguments = _prepare(rho, logits, scale)
    return _OverlapNormal.apply(*arguments).to(dtype)


def logistic_log_pdf(zeta: Tensor, mean: float | Tensor, scale: float | Tensor) -> Tensor:
    """Log density of a logistic variable in nats, elementwise."""
    dtype, (zeta, mean, scale) = _prepare(zeta, mean, scale)
    return (_log_bell((zeta - mean) / scale) - scale.log()).to(dtype)


def overlap_logistic_cdf(
    zeta: Tensor, logits: Tensor, mean_0: float | Tensor, mean_1: float | Tensor, scale: float | Tensor
) -> Tensor:
    """Mass below ``zeta`` of the mixture of two logistics."""
    dtype, (zeta, logits, mean_0, mean_1, scale) = _prepare(zeta, logits, mean_0, mean_1, scale)
    below_0, below_1 = (_logistic_mass((zeta - mean) / scale) for mean in (mean_0, mean_1))
    return (torch.sigmoid(-logits) * below_0 + logits.sigmoid() * below_1).to(dtype)


def overlap_logistic_icdf_quadratic(
    rho: Tensor, q: Tensor, mean_0: float | Tensor, mean_1: float | Tensor, scale: float | Tensor
) -> Tensor:
    """Sample by the root as printed, for comparison only: it overflows and cancels (use ``overlap_logistic_icdf``)."""
    _, (rho, q, mean_0, mean_1, scale) = _prepare(rho, q, mean_0, mean_1, scale)
    d_0, d_1 = (mean_0 / scale).exp(), (mean_1 / scale).exp()
    a, half_b = rho * d_0 * d_1, 0.5 * (d_0 * (rho - q) + d_1 * (rho + q - 1))
    return scale * (a.log() - torch.log((half_b.square() + a * (1 - rho)).sqrt() - half_b))


def overlap_logistic_icdf_mprime(
    rho: Tensor, q: Tensor, mean_0: float | Tensor, mean_1: float | Tensor, scale: float | Tensor
) -> Tensor:
    """Sample by the change of variable as printed, for comparison only (use ``overlap_logistic_icdf``)."""
    _, (rho, q, mean_0, mean_1, scale) = _prepare(rho, q, mean_0, mean_1, scale)
    growth = torch.exp(0.5 * (mean_1 - mean_0) / scale)
    half_b = 0.5 * ((rho - q) / growth + growth * (rho + q - 1))
    root = (half_b.square() + rho * (1 - rho)).sqrt()
    return 0.5 * (mean_0 + mean_1) + scale * (rho.log() - torch.log(root - half_b))


def overlap_logistic_icdf(
    rho: Tensor, logits: Tensor, mean_0: float | Tensor, mean_1: float | Tensor, scale: float | Tensor
) -> Tensor:
    """Sample of the mixture of two logistics; infinite for ``rho`` 0 or 1."""
    dtype, arguments = _prepare(rho, logits, mean_0, mean_1, scale)
    return _OverlapLogistic.apply(*arguments).to(dtype)


def overlap_logistic_offsets(
    rho: Tensor, logits: Tensor, mean_0: float | Tensor, mean_1: float | Tensor, scale: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Sample measured from both locations in units of the scale: what a rounded sample cannot resolve."""
    dtype, (rho, logits, mean_0, mean_1, scale) = _prepare(rho, logits, mean_0, mean_1, scale)
    kappa = (mean_1 - mean_0) / scale
    # With scale 1 and locations 0 and kappa the offset from the lower one is the sample itself.
    return tuple(part.to(dtype) for part in _UnitLogistic.apply(rho, logits, kappa))


def overlap_logistic_icdf_asinh(
    rho: Tensor, q: Tensor, mean_0: float | Tensor, mean_1: float | Tensor, scale: float | Tensor
) -> Tensor:
    """Sample in one closed form, for moderate scales only (use ``overlap_logistic_icdf``)."""
    _, (rho, q, mean_0, mean_1, scale) = _prepare(rho, q, mean_0, mean_1, scale)
    half = 0.5 * (mean_1 - mean_0) / scale
    argument = 0.5 * (half.exp() * (rho + q - 1) + torch.exp(-half) * (rho - q)) / (rho * (1 - rho)).sqrt()
    return 0.5 * (mean_0 + mean_1) + scale * (0.5 * torch.logit(rho) + torch.asinh(argument))


def overlap_logistic_grad(
    rho: Tensor, logits: Tensor, mean_0: float | Tensor, mean_1: float | Tensor, scale: float | Tensor
) -> tuple[Tensor, ...]:
    """Derivatives of the sample by q, logits, rho, mean_0, mean_1 and scale."""
    dtype, (rho, logits, mean_0, mean_1, scale) = _prepare(rho, logits, mean_0, mean_1, scale)
    with torch.no_grad():
        kappa = (mean_1 - mean_0) / scale
        return tuple(part.to(dtype) for part in _logistic_slopes(rho, logits, kappa, scale))


def overlap_logistic_bernoulli_limit(
    logits: Tensor, mean_0: float | Tensor, mean_1: float | Tensor, scale: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Wasserstein distance to the Bernoulli variable on the two locations, and the mass above their middle."""
    dtype, (logits, mean_0, mean_1, scale) = _prepare(logits, mean_0, mean_1, scale)
    half, q, a = 0.5 * (mean_1 - mean_0) / scale, logits.sigmoid(), torch.sigmoid(-logits)
    crossing = -0.5 * logits - torch.asinh(torch.exp(-half) * torch.sinh(0.5 * logits))
    crossing = torch.minimum(torch.maximum(crossing, -half), half)
    missing = a * logsigmoid(crossing + half) + q * logsigmoid(half - crossing)
    distance = 2 * scale * (LOG_2 - logsigmoid(2 * half) + missing)
    upper = q * _logistic_mass(half) + a * _logistic_mass(-half)
    return distance.to(dtype), upper.to(dtype)


def binary_concrete_logit(rho: Tensor, logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Logit of a sample of the binary Concrete distribution; infinite for ``rho`` 0 or 1."""
    dtype, (rho, logits, temperature) = _prepare(rho, logits, temperature)
    return ((logits + (rho.log() - torch.log1p(-rho))) / temperature).to(dtype)


def binary_concrete_icdf(rho: Tensor, logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Sample of the binary Concrete distribution."""
    dtype, arguments = _prepare(rho, logits, temperature)
    return _Concrete.apply(*arguments).to(dtype)


def binary_concrete_log_density(y: Tensor, logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Log density in nats of the logit ``y`` of a binary Concrete variable, elementwise."""
    dtype, (y, logits, temperature) = _prepare(y, logits, temperature)
    return (_log_bell(temperature * y - logits) + temperature.log()).to(dtype)


def gumbel_softmax(log_weights: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Relaxed categorical sample (..., K) from log weights and uniform noise in (0, 1)."""
    dtype, (log_weights, uniform) = _prepare(log_weights, uniform)
    return ((log_weights - torch.log(-uniform.log())) / temperature).softmax(-1).to(dtype)


def inverse_cdf_curve(q: Tensor, rho: Tensor, family: str, setting: float) -> tuple[Tensor, Tensor]:
    """Sample at fixed noise over the probability ``q`` (ends included), and its slope there; not differentiable."""
    dtype, (q, rho) = _prepare(q, rho)
    with torch.no_grad():
        logits = q.log() - torch.log1p(-q)
        if family == "spike_exp":
            curve = spike_exp_icdf(rho, logits, setting), spike_exp_grad(rho, logits, setting)[0]
        elif family == "overlap_exp":
            curve = overlap_exp_icdf(rho, logits, setting), overlap_exp_grad(rho, logits, setting)[0]
        elif family == "overlap_logistic":
            arguments = rho, logits, 0.0, 1.0, setting
            curve = overlap_logistic_icdf(*arguments), overlap_logistic_grad(*arguments)[0]
        elif family == "concrete":
            curve = _concrete_curve(q, rho, setting)
        else:
            raise ValueError(f"family must be concrete, spike_exp, overlap_exp or overlap_logistic, got {family!r}")
        return curve[0].to(dtype), curve[1].to(dtype)


def smoothing_log_ratio(zeta: Tensor, family: str, setting: float) -> Tensor:
    """Log ratio of the densities of a smoothed variable given 1 and given 0, elementwise."""
    dtype, (zeta,) = _prepare(zeta)
    if family == "overlap_exp":
        ratio = setting * (zeta - (1 - zeta))
    elif family == "normal":
        ratio = (zeta - 0.5) / setting**2
    elif family == "overlap_logistic":
        ratio = _logistic_log_ratio(zeta / setting, (zeta - 1) / setting, torch.full_like(zeta, 1 / setting))
    elif family == "spike_exp":
        ratio = torch.where(zeta > 0, torch.inf, torch.where(zeta <= 0, -torch.inf, torch.nan))
    else:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {family!r}")
    return ratio.to(dtype)


class _SpikeExponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rho: Tensor, logits: Tensor, beta: Tensor) -> Tensor:
        ctx.save_for_backward(rho, logits, beta)
        return _spike_exp_sample(rho, logits, beta)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        _, by_logits, by_rho, by_beta = _spike_exp_slopes(*ctx.saved_tensors)
        return _chain(gradient, by_rho, by_logits, by_beta)


class _OverlapExponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rho: Tensor, logits: Tensor, beta: Tensor) -> Tensor:
        ctx.save_for_backward(rho, logits, beta)
        return _overlap_exp_root(rho, logits, beta)[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        _, by_logits, by_rho, by_beta = _overlap_exp_slopes(*ctx.saved_tensors)
        return _chain(gradient, by_rho, by_logits, by_beta)


class _OverlapNormal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rho: Tensor, logits: Tensor, scale: Tensor) -> Tensor:
        # Offsets from the nearer location: a sample next to 1 would round them away.
        nearer = (_normal_mass(torch.full_like(rho, 0.5), logits, scale) < rho).to(rho)
        low = scale * torch.special.ndtri(rho) - nearer
        high = low + 1
        for _ in range(66 if rho.dtype == torch.float64 else 36):
            middle = 0.5 * (low + high)
            reached = _normal_mass(middle, logits, scale, nearer) >= rho
            low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
        high = torch.where(logits.isnan(), logits, high)
        ctx.save_for_backward(high, nearer, logits, scale)
        return high + nearer

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        offset, nearer, logits, scale = ctx.saved_tensors
        x_0, x_1 = (offset + nearer) / scale, (offset + (nearer - 1)) / scale
        log_q, log_a = logsigmoid(logits), logsigmoid(-logits)
        log_density = torch.logaddexp(log_a - 0.5 * x_0.square(), log_q - 0.5 * x_1.square())
        log_density = log_density - scale.log() - LOG_ROOT_TWO_PI
        # Phi(x_0) - Phi(x_1), taken in the tail that both are in
        flip = x_1 > 0
        between = _ndtr(torch.where(flip, -x_1, x_0)) - _ndtr(torch.where(flip, -x_0, x_1))
        shift = logits + (offset + (nearer - 0.5)) / scale.square()
        by_scale = torch.where(shift > 0, x_1 + torch.sigmoid(-shift) / scale, x_0 - shift.sigmoid() / scale)
        by_logits = between * torch.exp(log_q + log_a - log_density)
        return _chain(gradient, torch.exp(-log_density), by_logits, by_scale)


class _OverlapLogistic(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rho: Tensor, logits: Tensor, mean_0: Tensor, mean_1: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(rho, logits, mean_0, mean_1, scale)
        x_0, x_1, low, *_ = _logistic_root(rho, logits, (mean_1 - mean_0) / scale)
        return torch.where(low, mean_0 + scale * x_0, mean_1 + scale * x_1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        rho, logits, mean_0, mean_1, scale = ctx.saved_tensors
        slopes = _logistic_slopes(rho, logits, (mean_1 - mean_0) / scale, scale)
        _, by_logits, by_rho, by_mean_0, by_mean_1, by_scale = slopes
        return _chain(gradient, by_rho, by_logits, by_mean_0, by_mean_1, by_scale)


class _UnitLogistic(torch.autograd.Function):
    """Offsets from both locations; with unit scale d x_0 / d kappa = w_1 and d x_1 / d kappa = w_1 - 1."""

    @staticmethod
    def forward(ctx: Any, rho: Tensor, logits: Tensor, kappa: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(rho, logits, kappa)
        return _logistic_root(rho, logits, kappa)[:2]

    @staticmethod
    def backward(ctx: Any, gradient_0: Tensor, gradient_1: Tensor) -> tuple[Tensor, ...]:
        rho, logits, kappa = ctx.saved_tensors
        slopes = _logistic_slopes(rho, logits, kappa, torch.ones_like(kappa))
        _, by_logits, by_rho, by_mean_0, by_mean_1, _ = slopes
        both = _chain(gradient_0 + gradient_1, by_rho, by_logits)
        return *both, gradient_0 * by_mean_1 - gradient_1 * by_mean_0


class _Concrete(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rho: Tensor, logits: Tensor, temperature: Tensor) -> Tensor:
        y = (logits + (rho.log() - torch.log1p(-rho))) / temperature
        ctx.save_for_backward(rho, y, temperature)
        return y.sigmoid()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        rho, y, temperature = ctx.saved_tensors
        log_slope = _log_bell(y) - temperature.log()
        by_logits = log_slope.exp()
        by_rho = torch.exp(log_slope - rho.log() - torch.log1p(-rho))
        # At the ends of the noise the sample stays 0 or 1.
        slopes = (by_rho, by_logits, -by_logits * y)
        return _chain(gradient, *(torch.where(y.isfinite(), slope, 0) for slope in slopes))


def _prepare(*arguments: float | Tensor) -> tuple[torch.dtype, tuple[Tensor, ...]]:
    """Dtype of the result, and the arguments with one shape in a dtype of at least 32 bits."""
    first = next(a for a in arguments if isinstance(a, Tensor) and a.is_floating_point())
    work = torch.promote_types(first.dtype, torch.float32)
    # A Python float must not pass through the default dtype.
    tensors = [torch.as_tensor(a, dtype=work, device=first.device) for a in arguments]
    return first.dtype, tuple(torch.broadcast_tensors(*tensors))


def _chain(gradient: Tensor, *slopes: Tensor) -> tuple[Tensor, ...]:
    """Products with the incoming gradient, cut like the slopes to the dtype's range (0 times inf would be NaN)."""
    largest = torch.finfo(gradient.dtype).max
    return tuple((gradient * slope.clamp(-largest, largest)).clamp(-largest, largest) for slope in slopes)


def _above(rho: Tensor, logits: Tensor) -> Tensor:
    """Return ``rho + q - 1`` from the smaller probabilities, none of them rounded to 1 first."""
    # In float32 the library's logistic function is 0 from 89 on, where the exponential still has digits.
    a = torch.where(logits > 80, torch.exp(-logits), torch.sigmoid(-logits))
    return torch.where(rho < 0.5, rho - a, logits.sigmoid() - (1 - rho))


def _log_root(b: Tensor, log_c: Tensor) -> tuple[Tensor, Tensor]:
    """Log of (|b| + s)/2 and of s, for s = sqrt(b^2 + 4 c): the arcsinh form, which has no overflow for any log c."""
    log_b = b.abs().log()
    size = log_b - LOG_2 - 0.5 * log_c
    near = size > 0
    ratio = torch.exp(-2 * size.abs())
    large = log_b + torch.log1p(0.5 * ratio / (1 + (1 + ratio).sqrt()))
    log_sum = torch.where(near, large, 0.5 * log_c + torch.asinh(torch.exp(-size.abs())))
    return log_sum, torch.where(near, log_b, LOG_2 + 0.5 * log_c) + 0.5 * torch.log1p(ratio)


def _below(zeta: Tensor, beta: Tensor) -> Tensor:
    """(1 - e^(-beta zeta)) / (1 - e^-beta)."""
    return torch.expm1(-beta * zeta) / torch.expm1(-beta)


def _cotangent_excess(x: Tensor) -> Tensor:
    """Return x/2 coth(x/2) - 1, by its series for x < 1."""
    square = x.square()
    total = torch.zeros_like(x)
    for coefficient in reversed(COTANGENT):
        total = square * (coefficient + total)
    large = x.clamp(min=1)
    return torch.where(x < 1, total, 0.5 * large / torch.tanh(0.5 * large) - 1)


def _sinh_excess(x: Tensor) -> Tensor:
    """Return sinh(x)/x - 1 for |x| up to 2, by its series."""
    square, total = x.square(), torch.zeros_like(x)
    for k in range(14, 0, -1):
        total = square / (2 * k * (2 * k + 1)) * (1 + total)
    return total


def _first_moment(x: Tensor) -> Tensor:
    """1 - e^-x (1 + x), positive and of second order in x."""
    small = x.clamp(max=1)
    total = torch.ones_like(x)
    for k in range(20, 2, -1):
        total = 1 + small / k * total
    # e^-x (e^x - 1 - x), the bracket by its series
    return torch.where(x < 1, torch.exp(-small) * 0.5 * small.square() * total, -torch.expm1(-x) - x * torch.exp(-x))


def _second_antiderivative(x: Tensor) -> Tensor:
    """Return x - 1 + e^-x, of second order in x."""
    small = x.clamp(max=1)
    total = torch.ones_like(x)
    for k in range(20, 2, -1):
        total = 1 - small / k * total
    return torch.where(x < 1, 0.5 * small.square() * total, x + torch.expm1(-x))


def _spike_exp_sample(rho: Tensor, logits: Tensor, beta: Tensor) -> Tensor:
    above = _above(rho, logits)
    t = torch.where(rho >= 1, 1, above / logits.sigmoid())
    moderate = torch.log1p(torch.expm1(beta.clamp(max=30)) * t) / beta
    # The argument of the logarithm is e^beta t + (1 - t) with 1 - t = (1 - rho)/q.
    large = 1 + torch.logaddexp(t.log(), torch.log1p(-rho) - logsigmoid(logits) - beta) / beta
    # Next to the jump that argument is 1 + e^beta t, and 1 less the distance from 1 has no digits.
    growth = beta + t.log()
    large = torch.where(growth < 0, torch.log1p(growth.clamp(max=0).exp()) / beta, large)
    zeta = torch.where(beta < 30, moderate, large).clamp(0, 1)
    return torch.where(_beyond_spike(rho, logits), zeta, 0)


def _beyond_spike(rho: Tensor, logits: Tensor) -> Tensor:
    """Whether the noise exceeds the mass of the spike, which is less than 1 even where q underflows."""
    # Negated: NaN shall not pass for a sample in the spike.
    return ~torch.where(rho >= 1, logits == -torch.inf, _above(rho, logits) <= 0)


def _spike_exp_slopes(rho: Tensor, logits: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    zeta, above, rise = _spike_exp_sample(rho, logits, beta), _above(rho, logits), -torch.expm1(-beta)
    q, log_q = logits.sigmoid(), logsigmoid(logits)
    bottom = q * torch.exp(-beta) + rise * above
    steepest = torch.exp(torch.log(rise / beta) - log_q)
    by_rho = torch.where(rho >= 1, steepest, rise / beta / bottom)
    by_logits = (1 - rho) * rise * torch.exp(logsigmoid(-logits) - beta.log() - bottom.log())
    beyond = (1 - rho) / q
    by_q = beyond * by_rho
    # 1 - zeta is not read off a rounded sample, which may lie next to 1.
    log_m = torch.where(bottom < 0.5 * q, bottom.log() - log_q, torch.log1p(-beyond * rise))
    rest = -log_m / beta
    # - (d log t / d beta) t / r(zeta | 1), with the slope of a log distribution function from the mirrored exponential
    sharp = above * (rest - _log_slope(zeta, rest, beta)) * by_rho
    by_beta = torch.where(beta < 2, _blunt_slope(zeta, rest, torch.ones_like(zeta), beta), sharp)
    # At rho = 1 the sample stays 1, however steep it is there.
    active = _beyond_spike(rho, logits)
    moving = active & ~(rho >= 1)
    by_q, by_logits, by_beta = (torch.where(moving, slope, 0) for slope in (by_q, by_logits, by_beta))
    return by_q, by_logits, torch.where(active, by_rho, 0), by_beta


def _log_slope(zeta: Tensor, rest: Tensor, beta: Tensor, log_weight: float | Tensor = 0.0) -> Tensor:
    """Derivative by beta >= 2 of log((1 - e^(-beta zeta)) / (1 - e^-beta)), times ``e^log_weight``; rest = 1 - zeta.

    The weight is joined because it may overflow where the slope vanishes.
    """
    rise, weight = -torch.expm1(-beta), torch.as_tensor(log_weight, dtype=beta.dtype, device=beta.device)
    # 1 / (e^(beta zeta) - 1), weighted
    decay = torch.exp(weight - beta * zeta) / -torch.expm1(-beta * zeta)
    low = torch.where(zeta == 0, weight.exp() / beta, zeta * decay) - torch.exp(weight - beta) / rise
    high = (-torch.expm1(-beta * rest) - rest * rise) * decay / rise
    return torch.where(zeta < 0.5, low, high)


def _blunt_slope(zeta: Tensor, rest: Tensor, tilt: Tensor, beta: Tensor) -> Tensor:
    """Derivative by beta < 2 of a sample of two overlapping exponentials; ``tilt`` is tanh(logit/2), 2 q - 1.

    From sinh(x + l/2) = (2 rho - 1) sinh(beta/2) cosh(l/2) + cosh(beta/2) sinh(l/2), x = beta (zeta - 1/2), with
    sinh(y)/y in place of all differences: an odd part of first and an even part of second order in beta.
    """
    beta = beta.clamp(max=2)
    odd = (_sinh_excess(beta * zeta) - _sinh_excess(beta * rest)) / beta
    half_0, half_1 = ((1 + _sinh_excess(0.5 * beta * part)).square() for part in (zeta, rest))
    even = 0.5 * tilt * (zeta * half_0 + rest * half_1)
    x = 0.5 * beta * (zeta - rest)
    return zeta * rest * (odd + even) / ((1 + _sinh_excess(0.5 * beta)) * (torch.cosh(x) + tilt * torch.sinh(x)))


def _blunt_log_density(zeta: Tensor, logits: Tensor, beta: float) -> Tensor:
    """Log density of two overlapping exponentials for beta < 1, when it is nearly 0 everywhere.

    With x = beta (zeta - 1/2): log(cosh x + tanh(l/2) sinh x) - log(sinh(beta/2) / (beta/2)), each term small.
    """
    x = beta * (zeta.clamp(0, 1) - 0.5)
    log_density = 0.5 * torch.log1p(torch.sinh(x).square()) + torch.log1p(torch.tanh(0.5 * logits) * torch.tanh(x))
    log_density = log_density - torch.log1p(_sinh_excess(torch.full_like(x, 0.5 * beta)))
    return torch.where((zeta < 0) | (zeta > 1), -torch.inf, log_density)


def _overlap_exp_root(rho: Tensor, logits: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sample, one less the sample (neither read off the other), and the log of the root S."""
    q, a, log_q, log_a = logits.sigmoid(), torch.sigmoid(-logits), logsigmoid(logits), logsigmoid(-logits)
    d, rise = torch.exp(-beta), -torch.expm1(-beta)
    b = _above(rho, logits) + d * (q - rho)
    log_sum, log_s = _log_root(b, log_a + log_q - beta)
    upper = (b < 0) | ((b == 0) & (q <= 0.5))
    # Logs of e^(-beta zeta) and e^(-beta (1 - zeta)) by the root that does not cancel, and both complements to 1.
    log_m = torch.where(upper, log_sum - log_a, log_q - beta - log_sum)
    log_m_rest = torch.where(upper, log_a - beta - log_sum, log_sum - log_q)
    w = 2 * rho * rise / (a + q * d + rho * rise + log_s.exp())
    w_rest = 2 * (1 - rho) * rise / (q + a * d + (1 - rho) * rise + log_s.exp())
    zeta, rest = (
        (torch.where(less < 0.5, -torch.log1p(-less), -log) / beta).clamp(0, 1)
        for less, log in ((w, log_m), (w_rest, log_m_rest))
    )
    low, high = rho <= 0, rho >= 1
    # At the ends of the noise the root is that of the ends of the sample, also where b and c both underflow.
    log_s = torch.where(low, torch.logaddexp(log_a, log_q - beta), log_s)
    log_s = torch.where(high, torch.logaddexp(log_q, log_a - beta), log_s)
    return zeta.masked_fill(low, 0).masked_fill(high, 1), rest.masked_fill(low, 1).masked_fill(high, 0), log_s


def _overlap_exp_slopes(rho: Tensor, logits: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    zeta, rest, log_s = _overlap_exp_root(rho, logits, beta)
    log_q, log_a = logsigmoid(logits), logsigmoid(-logits)
    w, w_rest = -torch.expm1(-beta * zeta), -torch.expm1(-beta * rest)
    by_q, by_logits = (w * w_rest / beta * torch.exp(weight - log_s) for weight in (0, log_q + log_a))
    toward_0 = w * _log_slope(zeta, rest, beta, log_a - log_s)
    toward_1 = w_rest * _log_slope(rest, zeta, beta, log_q - log_s)
    blunt = _blunt_slope(zeta, rest, torch.tanh(0.5 * logits), beta)
    by_beta = torch.where(beta < 2, blunt, (toward_1 - toward_0) / beta)
    at_edge = (rho <= 0) | (rho >= 1)
    by_q, by_logits, by_beta = (torch.where(at_edge, 0, s) for s in (by_q, by_logits, by_beta))
    # One exponential: that of -log S alone may overflow where the slope does not.
    by_rho = torch.exp(torch.log(-torch.expm1(-beta) / beta) - log_s)
    return by_q, by_logits, by_rho, by_beta


def _ndtr(x: Tensor) -> Tensor:
    """Normal distribution function; torch.special.ndtr is 0 left of -8.4 in double precision."""
    return 0.5 * torch.special.erfc(-math.sqrt(0.5) * x)


def _logistic_mass(x: Tensor) -> Tensor:
    """Logistic distribution function; torch.sigmoid's slope near 1 is mostly the rounding of its value."""
    return torch.where(x < 0, x.sigmoid(), 1 - torch.sigmoid(-x))


def _normal_mass(offset: Tensor, logits: Tensor, scale: Tensor, location: float | Tensor = 0.0) -> Tensor:
    """Mass below ``location + offset``, for a location of 0 or 1."""
    below_0, below_1 = _ndtr((offset + location) / scale), _ndtr((offset + (location - 1)) / scale)
    return torch.sigmoid(-logits) * below_0 + logits.sigmoid() * below_1


def _log_bell(x: Tensor) -> Tensor:
    """Log of sigma(x) sigma(-x)."""
    return -x.abs() - 2 * torch.log1p(torch.exp(-x.abs()))


def _logistic_root(rho: Tensor, logits: Tensor, kappa: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Offsets from both locations, which of them the sample is anchored at, and the logs of (|B| + S)/2 and of S."""
    log_rho, log_rest = rho.log(), torch.log1p(-rho)
    b = _above(rho, logits) + torch.exp(-kappa) * (rho - logits.sigmoid())
    log_sum, log_s = _log_root(b, log_rho + log_rest - kappa)
    left, right = log_rho - log_sum, log_sum - log_rest
    low = (b < 0) | ((b == 0) & (rho <= 0.5))
    x_0, x_1 = torch.where(low, left, right + kappa), torch.where(low, left - kappa, right)
    edge = torch.where(rho <= 0, -torch.inf, torch.inf)
    at_edge = (rho <= 0) | (rho >= 1)
    x_0, x_1 = torch.where(at_edge, edge, x_0), torch.where(at_edge, edge, x_1)
    return x_0, x_1, torch.where(at_edge, rho <= 0, low), log_sum, log_s


def _logistic_log_ratio(x_0: Tensor, x_1: Tensor, kappa: Tensor) -> Tensor:
    """Log r(zeta|1) - log r(zeta|0): |x_0| - |x_1| is x_0 + x_1 cut off at kappa, without any cancellation.

    Of two blunt densities nearly all cancels: there with (cosh a - cosh b) / (cosh a + cosh b) as a product of tanh.
    """
    bulk = torch.minimum(torch.maximum(x_0 + x_1, -kappa), kappa)
    sharp = bulk + 2 * (torch.log1p(torch.exp(-x_0.abs())) - torch.log1p(torch.exp(-x_1.abs())))
    blunt = 4 * torch.atanh(torch.tanh(0.25 * (x_0 + x_1)) * torch.tanh(0.25 * kappa.clamp(max=2)))
    return torch.where(kappa < 2, blunt, sharp)


def _logistic_slopes(
    rho: Tensor, logits: Tensor, kappa: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    x_0, x_1, low, log_sum, log_s = _logistic_root(rho, logits, kappa)
    log_q, log_a = logsigmoid(logits), logsigmoid(-logits)
    spread = -scale * torch.expm1(-kappa)
    by_q, by_logits = (spread * torch.exp(weight - log_s) for weight in (0, log_q + log_a))
    shift = logits + _logistic_log_ratio(x_0, x_1, kappa)
    w_0, w_1 = torch.sigmoid(-shift), shift.sigmoid()
    # The density over e^x_0 or e^-x_1, which is the noise over (|B| + S)/2: exp(x) of a far x has lost digits.
    left = torch.logaddexp(log_a + 2 * logsigmoid(-x_0), log_q - kappa + 2 * logsigmoid(-x_1))
    right = torch.logaddexp(log_q + 2 * logsigmoid(x_1), log_a - kappa + 2 * logsigmoid(x_0))
    by_rho = scale * torch.exp(log_sum - torch.where(low, left, right)) / torch.where(low, rho, 1 - rho)
    by_scale = torch.where(low, x_0 - w_1 * kappa, x_1 + w_0 * kappa)
    return by_q, by_logits, by_rho, w_0, w_1, by_scale


def _concrete_curve(q: Tensor, rho: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    power = 1 / temperature
    log_q, log_a, log_odds = q.log(), torch.log1p(-q), power * (rho.log() - torch.log1p(-rho))
    log_bottom = torch.logaddexp(power * log_a, log_odds + power * log_q)
    edge = torch.xlogy(power - 1, q) + torch.special.xlog1py(power - 1, -q)
    return torch.exp(log_odds + power * log_q - log_bottom), power * torch.exp(log_odds + edge - 2 * log_bottom)

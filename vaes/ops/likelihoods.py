"""Likelihoods of discrete pixels: categorical, bitwise, discretised Gaussian and logistic, mixture of logistics.

``codes`` are integer levels. Mixtures have images in the last axes: codes (..., C, H, W), logits (..., M, H, W), means
and log scales (..., C, M, H, W). Half-precision arguments are computed in float32.

The logistic kernel mirrors every level so that the nearer end of its bin comes first, and puts the edge bins in the
same formula: with c = |x - mean| (-(x - mean) for the first, x - mean for the last level), b = (c - h)/s,
u = exp(-(c + h)/s) (0 in an edge bin), v = exp(-|b|), E = 1 - exp(-2h/s) (1 in an edge bin),

    log P = -max(b, 0) - log1p(R),    R = (u + v + u v + 1 - E) / E,

a sum of terms of one sign: no digits are lost near P = 1, in the tails, or for bins that are narrow or wide.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid, one_hot

from vaes.ops.quantisation import from_bits, to_bits

Grid = tuple[int, float, float]
HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
ROOT_HALF = math.sqrt(0.5)
# exp of the negative log scale must not overflow float32. x - mean has no digits below exp(-80).
LARGEST_LOG_SCALE = 80.0
OUT_OF_REACH = 1e38
# Gauss-Legendre rule of 12 nodes on [-1, 1]: positive half.
NODES = (
    0.1252334085114689,
    0.3678314989981802,
    0.5873179542866175,
    0.7699026741943047,
    0.9041172563704749,
    0.9815606342467192,
)
WEIGHTS = (
    0.2491470458134028,
    0.2334925365383548,
    0.2031674267230659,
    0.1600783285433462,
    0.1069393259953184,
    0.0471753363865118,
)


def categorical(codes: Tensor, logits: Tensor) -> Tensor:
    """Log mass of levels ``codes`` (...) from logits (..., L), in nats per value."""
    wide, codes = _wide(logits), codes.long()[..., None]
    others = wide.scatter(-1, codes, -math.inf) - wide.gather(-1, codes)
    # log p = log F(-logsumexp of the other logits): next to p = 1 the difference of logsumexp has no digits.
    return logsigmoid(-torch.logsumexp(others, -1)).to(logits.dtype)


def bitwise(codes: Tensor, logits: Tensor) -> Tensor:
    """Log mass of levels with independent bits, logits (..., n) with the least significant bit first."""
    signs = 2 * to_bits(codes, logits.shape[-1]) - 1
    return logsigmoid(signs * logits).sum(-1)


def discretised_gaussian(
    codes: Tensor, mean: Tensor, scale: Tensor, levels: int = 256, low: float = 0.0, high: float = 1.0
) -> Tensor:
    """Log mass of levels under N(mean, scale^2) with the tails in the edge bins, in nats per value."""
    codes, mean, scale = torch.broadcast_tensors(codes, mean, scale)
    arguments = (codes, mean, scale, (levels, low, high), _half(levels, low, high, None))
    return _DiscretisedGaussian.apply(*arguments) if _needs_gradient(mean, scale) else _gaussian(*arguments)


def discretised_logistic(
    codes: Tensor,
    mean: Tensor,
    scale: Tensor,
    levels: int = 256,
    low: float = 0.0,
    high: float = 1.0,
    half_bin: float | None = None,
) -> Tensor:
    """Log mass of levels under a logistic distribution with the tails in the edge bins, in nats per value."""
    codes, mean, scale = torch.broadcast_tensors(codes, mean, scale)
    arguments = (codes, mean, scale, (levels, low, high), _half(levels, low, high, half_bin))
    return _DiscretisedLogistic.apply(*arguments) if _needs_gradient(mean, scale) else _logistic(*arguments)


def thresholded_logistic(
    codes: Tensor,
    mean: Tensor,
    scale: Tensor,
    levels: int = 256,
    half_bin: float | None = None,
    bottom: float = -0.999,
    top: float = 0.999,
    high: float = 1.0,
) -> Tensor:
    """Log mass of levels in the form of the public codes, which is not normalised: for comparisons only."""
    half = 1 / (levels - 1) if half_bin is None else half_bin
    value = _value(codes, (levels, -1.0, high), mean)
    a, b, u = ((value - mean + shift) / scale for shift in (half, -half, 0))
    # F(a) - F(b) as one product, so that the test of its size means the same in every precision.
    difference = torch.sigmoid(a) * torch.sigmoid(-b) * -torch.expm1(-2 * half / scale)
    density = logsigmoid(u) + logsigmoid(-u) - scale.log() + math.log(2 * half)
    inside = torch.where(difference > 1e-5, difference.clamp(min=1e-12).log(), density)
    return torch.where(value < bottom, logsigmoid(a), torch.where(value > top, logsigmoid(-b), inside))


def mixture_of_logistics(
    codes: Tensor,
    logits: Tensor,
    means: Tensor,
    log_scales: Tensor,
    coefficients: Tensor | None = None,
    levels: int = 256,
    low: float = -1.0,
    high: float = 1.0,
    half_bin: float | None = None,
    floor: float = -math.inf,
) -> Tensor:
    """Log mass of pixels (..., H, W) under a mixture of discretised logistics, in nats per pixel.

    ``coefficients`` (..., 3, M, H, W), before tanh, make green depend on red, and blue on both. Log scales below
    ``floor`` count as ``floor`` and get no gradient. Differentiable once; for the backward pass it keeps as many
    numbers as it has parameters, and none without gradients.
    """
    if coefficients is not None and (codes.shape[-3] != 3 or coefficients.shape[-4] != 3):
        raise ValueError(f"coefficients need three channels, got {codes.shape[-3]} and {tuple(coefficients.shape)}")
    half = _half(levels, low, high, half_bin)
    grid, learned = (levels, low, high), [t for t in (logits, means, log_scales, coefficients) if t is not None]
    if not _needs_gradient(*learned):
        return _evaluate(codes, logits, means, log_scales, coefficients, grid, half, floor, False)[0]
    return _Mixture.apply(codes, logits, means, log_scales, coefficients, grid, half, floor)


def split_mixture(outputs: Tensor, components: int, channels: int, coefficients: bool) -> tuple[Tensor, ...]:
    """Views of a network's output (..., M (1 + P C), H, W): logits, then means, log scales (and coefficients)."""
    kinds = 3 if coefficients else 2
    logits, rest = outputs.split([components, kinds * channels * components], -3)
    return (logits, *rest.unflatten(-3, (channels, kinds, components)).unbind(-4))


def mixture_log_scale(
    activation: Tensor, slope: Tensor | float, floor: float = -math.inf, form: str = "softplus"
) -> Tensor:
    """Log scale of a logistic from a network's output, ``"softplus"`` (smoothed) or ``"exponential"``, with a floor."""
    if form == "exponential":
        return slope * activation.clamp(min=floor)
    if form != "softplus":
        raise ValueError(f"form must be softplus or exponential, got {form!r}")
    slope = torch.as_tensor(slope, dtype=activation.dtype, device=activation.device)
    u = slope * activation
    # log(softplus(u)) = u - exp(u)/2 to the last digit below -30, where softplus itself soon underflows.
    small = u < -30
    log_softplus = torch.where(small, u - 0.5 * u.clamp(max=0).exp(), (-logsigmoid(-u.clamp(min=-30))).log())
    return (log_softplus - slope.log()).clamp(min=floor)


def scale_gradient(
    codes: Tensor,
    mean: Tensor,
    scale: Tensor,
    levels: int = 256,
    low: float = -1.0,
    high: float = 1.0,
    half_bin: float | None = None,
) -> Tensor:
    """Derivative of the log mass of a discretised logistic with respect to its scale."""
    inverse = _wide(scale).reciprocal()
    half = _half(levels, low, high, half_bin)
    offset = _value(codes, (levels, low, high), mean) - mean
    a, b, d = (offset + half) * inverse, (offset - half) * inverse, 2 * half * inverse
    first, last = a * torch.sigmoid(-a), -b * torch.sigmoid(b)
    # d / (e^d - 1) with exponentials that do not overflow.
    inside = first + last - d * (-d).exp() / torch.expm1(-d)
    chosen = torch.where(codes == 0, first, torch.where(codes == levels - 1, last, inside))
    return (-chosen * inverse).to(mean.dtype)


def total_mass(
    mean: Tensor, scale: Tensor, levels: int = 256, low: float = -1.0, high: float = 1.0, half_bin: float | None = None
) -> Tensor:
    """Sum of the masses of all levels under a discretised logistic: one, unless ``half_bin`` is another."""
    mean, scale = torch.broadcast_tensors(mean, scale)
    codes = torch.arange(levels, device=mean.device)
    masses = discretised_logistic(codes, _wide(mean)[..., None], _wide(scale)[..., None], levels, low, high, half_bin)
    return masses.exp().sum(-1).to(mean.dtype)


def mixture_sample(
    logits: Tensor,
    means: Tensor,
    log_scales: Tensor,
    coefficients: Tensor | None,
    component_noise: Tensor,
    noise: Tensor,
    low: float = -1.0,
    high: float = 1.0,
    temperature: float = 1.0,
    margin: float = 1e-5,
) -> Tensor:
    """Draw pixels (..., C, H, W) from a mixture of logistics with the caller's uniform noise; not rounded to levels."""
    gumbel = -(-(margin + (1 - 2 * margin) * _wide(component_noise)).log()).log()
    chosen = (logits + temperature * gumbel).argmax(-3)
    picked = one_hot(chosen, logits.shape[-3]).movedim(-1, -3)[..., None, :, :, :] == 1

    def pick(values: Tensor) -> Tensor:
        return _wide(values).where(picked, 0).sum(-3)

    drawn = pick(means) + temperature * pick(log_scales).exp() * torch.logit(margin + (1 - 2 * margin) * _wide(noise))
    return _in_order(drawn, None if coefficients is None else pick(coefficients).tanh(), low, high).to(means.dtype)


def mixture_mean(
    logits: Tensor, means: Tensor, coefficients: Tensor | None = None, low: float = -1.0, high: float = 1.0
) -> Tensor:
    """Averaged location of a mixture of logistics, channel after channel (what public codes show as its mean)."""
    weights = logits.softmax(-3)[..., None, :, :, :]
    ratios = None if coefficients is None else (weights * coefficients.tanh()).sum(-3)
    return _in_order((weights * means).sum(-3), ratios, low, high)


def categorical_sample(logits: Tensor, noise: Tensor) -> Tensor:
    """Draw levels from logits (..., L) by the Gumbel maximum, with uniform noise of the same shape."""
    # The least of exponential clocks with rates exp(a).
    return (logits - (-noise.log()).log()).argmax(-1)


def categorical_mean(logits: Tensor) -> Tensor:
    """Mean level of a categorical distribution."""
    weights = logits.softmax(-1)
    return weights @ torch.arange(logits.shape[-1], device=logits.device).to(weights)


def bitwise_sample(logits: Tensor, noise: Tensor) -> Tensor:
    """Draw levels bit by bit from logits (..., n), with uniform noise of the same shape."""
    return from_bits(torch.logit(noise) < logits)


def bitwise_mean(logits: Tensor) -> Tensor:
    """Mean level of independent bits."""
    chances = logits.sigmoid()
    return chances @ (2 ** torch.arange(logits.shape[-1], device=logits.device)).to(chances)


def logistic_sample(mean: Tensor, scale: Tensor, noise: Tensor) -> Tensor:
    """Draw from a logistic distribution with uniform noise."""
    return mean + scale * torch.logit(noise)


class _DiscretisedLogistic(torch.autograd.Function):
    """Element by element; the backward pass computes the kernel again from the arguments."""

    @staticmethod
    def forward(ctx: Any, codes: Tensor, mean: Tensor, scale: Tensor, grid: Grid, half: float) -> Tensor:
        ctx.save_for_backward(codes, mean, scale)
        ctx.grid, ctx.half = grid, half
        return _logistic(codes, mean, scale, grid, half)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        codes, mean, scale = ctx.saved_tensors
        inverse = _wide(scale).reciprocal()
        offset, side, sign = _mirrored(codes, _value(codes, ctx.grid, mean) - mean, ctx.grid[0])
        by_offset, by_log_scale = _slopes(_terms(offset, ctx.half, inverse, side))
        grad = grad * inverse
        return None, (-grad * sign * by_offset).to(mean.dtype), (grad * by_log_scale).to(scale.dtype), None, None


class _DiscretisedGaussian(torch.autograd.Function):
    """Element by element; torch's derivative of log_ndtr cancels in the tails, the hazard rate does not."""

    @staticmethod
    def forward(ctx: Any, codes: Tensor, mean: Tensor, scale: Tensor, grid: Grid, half: float) -> Tensor:
        ctx.save_for_backward(codes, mean, scale)
        ctx.grid, ctx.half = grid, half
        return _gaussian(codes, mean, scale, grid, half)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        codes, mean, scale = ctx.saved_tensors
        inverse = _wide(scale).reciprocal()
        offset, side, sign = _mirrored(codes, _value(codes, ctx.grid, mean) - mean, ctx.grid[0])
        distance, half, edge = offset * inverse, ctx.half * inverse, side != 0
        _, density = _gaussian_terms(distance, half, edge)
        # Density at the far end of the bin over that at the near end.
        decay = (-2 * distance * half).exp().masked_fill(edge, 0)
        by_centre = density * torch.where(edge, 1, -torch.expm1(-2 * distance * half))
        by_log_scale = (distance - half) * by_centre - 2 * half * (density * decay)
        grad = grad * inverse
        return None, (grad * sign * by_centre).to(mean.dtype), (grad * by_log_scale).to(scale.dtype), None, None


def _logistic(codes: Tensor, mean: Tensor, scale: Tensor, grid: Grid, half: float) -> Tensor:
    offset, side, _ = _mirrored(codes, _value(codes, grid, mean) - mean, grid[0])
    return _log_mass(_terms(offset, half, _wide(scale).reciprocal(), side)).to(mean.dtype)


def _gaussian(codes: Tensor, mean: Tensor, scale: Tensor, grid: Grid, half: float) -> Tensor:
    offset, side, _ = _mirrored(codes, _value(codes, grid, mean) - mean, grid[0])
    inverse = _wide(scale).reciprocal()
    return _gaussian_terms(offset * inverse, half * inverse, side != 0)[0].to(mean.dtype)


class _Mixture(torch.autograd.Function):
    """Keeps the derivatives by its arguments (if asked for), found on the way to the value, and nothing else.

    The textbook composition keeps some fifteen tensors of the size of ``means``.
    """

    @staticmethod
    def forward(
        ctx: Any,
        codes: Tensor,
        logits: Tensor,
        means: Tensor,
        log_scales: Tensor,
        coefficients: Tensor | None,
        grid: Grid,
        half: float,
        floor: float,
    ) -> Tensor:
        output, *found = _evaluate(codes, logits, means, log_scales, coefficients, grid, half, floor, True)
        ctx.save_for_backward(*found)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        by_logits, *others = ctx.saved_tensors
        grad = grad[..., None, :, :]
        by_others = (None if slope is None else slope * grad[..., None, :, :, :] for slope in others)
        return None, by_logits * grad, *by_others, None, None, None


def _evaluate(
    codes: Tensor,
    logits: Tensor,
    means: Tensor,
    log_scales: Tensor,
    coefficients: Tensor | None,
    grid: Grid,
    half: float,
    floor: float,
    keep: bool,
) -> tuple[Tensor, *tuple[Tensor | None, ...]]:
    """Log mass per pixel, and (if asked for) its derivatives by logits, means, log scales and coefficients."""
    offset, inverse, ratios = _prepared(codes, means, log_scales, coefficients, grid, floor)
    offset, side, sign = _mirrored(codes[..., None, :, :], offset, grid[0])
    terms = _terms(offset, half, inverse, side)
    masses, logits_ = _log_mass(terms).sum(-4), _wide(logits)
    joint, prior = masses + logits_, torch.softmax(logits_, -3)
    # 1 - p as a sum of terms of one sign: log p keeps its digits next to 0.
    rest = (prior * torch.expm1(masses)).sum(-3)
    tail = torch.logsumexp(joint, -3) - torch.logsumexp(logits_, -3)
    value = torch.where(rest > -0.5, torch.log1p(rest), tail)
    if not keep:
        return value.to(means.dtype), None, None, None, None
    shares = torch.softmax(joint, -3)
    # shares - prior = prior * expm1(gain) without the cancellation of equal shares.
    gain = masses - value[..., None, :, :]
    by_logits = torch.where(gain < 1, prior * torch.expm1(gain.clamp(max=1)), shares - prior)
    by_mean, by_log_scale = _slopes(terms)
    shares = shares[..., None, :, :, :]
    by_mean = by_mean.mul_(inverse).mul_(sign).mul_(shares).neg_()
    by_log_scale = by_log_scale.mul_(shares)
    if floor > -math.inf:
        by_log_scale = by_log_scale.mul_(log_scales >= floor)
    by_coefficients = None
    if ratios is not None:
        by_coefficients = _by_coefficients(_value(codes, grid, means)[..., None, :, :], by_mean, ratios)
    found = (by_logits, by_mean, by_log_scale, by_coefficients)
    return value.to(means.dtype), *(None if g is None else g.to(means.dtype) for g in found)


def _prepared(
    codes: Tensor, means: Tensor, log_scales: Tensor, coefficients: Tensor | None, grid: Grid, floor: float
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Distance of the levels from the locations, inverse scales, and tanh of the coefficients."""
    x = _value(codes, grid, means)[..., None, :, :]
    offset, ratios = x - means, None
    if coefficients is not None:
        # tanh(r) = 2 F(2r) - 1 in a sixth of the time; its rounding is that of x, to which it is applied.
        ratios = (2 * _wide(coefficients)).sigmoid_().mul_(2).sub_(1)
        red, green = x[..., 0, :, :, :], x[..., 1, :, :, :]
        offset[..., 1, :, :, :].addcmul_(ratios[..., 0, :, :, :], red, value=-1)
        offset[..., 2, :, :, :].addcmul_(ratios[..., 1, :, :, :], red, value=-1)
        offset[..., 2, :, :, :].addcmul_(ratios[..., 2, :, :, :], green, value=-1)
    lowest = max(floor, -LARGEST_LOG_SCALE)
    return offset, _wide(log_scales).clamp(lowest, LARGEST_LOG_SCALE).neg_().exp_(), ratios


def _by_coefficients(x: Tensor, by_mean: Tensor, ratios: Tensor) -> Tensor:
    """Derivatives by the coefficients before tanh; ``ratios`` is overwritten."""
    red, green = x[..., 0, :, :, :], x[..., 1, :, :, :]
    slopes = ratios.square_().neg_().add_(1)
    slopes[..., 0, :, :, :].mul_(by_mean[..., 1, :, :, :]).mul_(red)
    slopes[..., 1, :, :, :].mul_(by_mean[..., 2, :, :, :]).mul_(red)
    slopes[..., 2, :, :, :].mul_(by_mean[..., 2, :, :, :]).mul_(green)
    return slopes


def _value(codes: Tensor, grid: Grid, like: Tensor) -> Tensor:
    """Values of levels, at least in float32."""
    levels, low, high = grid
    return codes.to(torch.promote_types(like.dtype, torch.float32)) * ((high - low) / (levels - 1)) + low


def _mirrored(codes: Tensor, offset: Tensor, levels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Distances with the near end of the bin first, side of the edge bins (-1, 1; 0 inside), sign of the mirror.

    ``offset`` is overwritten.
    """
    side = (codes == levels - 1).to(offset) - (codes == 0).to(offset)
    # Arithmetic in place of torch.where, which costs more than an exponential.
    sign = offset.sign().mul_(1 - side.abs()).add_(side)
    return offset.mul_(sign), side, sign


Terms = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def _terms(offset: Tensor, half: float, inverse: Tensor, side: Tensor) -> Terms:
    """(b, d, u, v, E, 1 - E, [b > 0]) of the module's docstring, with d = 2h/s; ``offset`` is overwritten by b."""
    b = offset.sub_(half).mul_(inverse)
    # The far end of an edge bin is out of reach: u = 0 and E = 1.
    d = torch.add(side.abs() * OUT_OF_REACH, inverse, alpha=2 * half)
    u, v, inside = (b + d).neg_().exp_(), b.abs().neg_().exp_(), d.neg().expm1_().neg_()
    above = b.sign().clamp_(min=0)
    # exp(-d) is u v where that keeps its digits (b <= 0), elsewhere it stands next to terms that are not small.
    outside = (u * v).lerp_(1 - inside, above)
    return b, d, u, v, inside, outside, above


def _log_mass(terms: Terms) -> Tensor:
    b, _, u, v, inside, outside, above = terms
    return (u + v).addcmul_(u, v).add_(outside).div_(inside).log1p_().addcmul_(b, above).neg_()


def _slopes(terms: Terms) -> tuple[Tensor, Tensor]:
    """Derivatives of the log mass with respect to offset (times the scale) and log scale; the terms are used up."""
    b, d, u, v, inside, outside, above = terms
    near = torch.maximum(v, above).div_(v.add_(1))
    far = u.div_(1 + u)
    by_log_scale = outside.div_(inside).add_(far).mul_(d)
    by_offset = far.sub_(near)
    return by_offset, by_log_scale.addcmul_(b, by_offset).neg_()


def _gaussian_terms(distance: Tensor, half: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
    """Log mass of [-distance - half, -distance + half] under N(0, 1), and the density at its upper end over the mass.

    The lower end of an edge bin is -inf. Three exact forms: an integral where the bin is narrow for the density, scaled
    complementary error functions in the tail, complementary error functions where the bin holds the mean.
    """
    upper, product = half - distance, distance * half
    narrow = ~edge & (2 * half * (1 + distance) < 1)
    p, h = product.where(narrow, 0), half.where(narrow, 0.5)
    integral = sum(
        w * torch.exp(-0.5 * (x * h).square()) * torch.cosh(x * p) for x, w in zip(NODES, WEIGHTS, strict=True)
    )
    narrow_mass = (2 * h * integral).log() - 0.5 * distance.square() - HALF_LOG_TWO_PI
    narrow_density = (p - 0.5 * h.square()).exp() / (2 * h * integral)

    scaled = torch.special.erfcx(upper.clamp(max=0) * -ROOT_HALF)
    below = torch.special.erfcx((distance + half).clamp(min=0) * ROOT_HALF) * (-2 * product).clamp(max=0).exp()
    share = (below / scaled).masked_fill(edge, 0).where(~narrow & (upper <= 0), 0)
    tail_mass = (0.5 * scaled).log() - 0.5 * upper.clamp(max=0).square() + torch.log1p(-share)
    tail_density = (2 * ROOT_HALF / math.sqrt(math.pi)) / (scaled * (1 - share))

    above, beneath = (0.5 * torch.special.erfc(e.clamp(min=0) * ROOT_HALF) for e in (upper, distance + half))
    outside = (above + beneath.masked_fill(edge, 0)).where(~narrow & (upper > 0), 0)
    centre_mass = torch.log1p(-outside)
    centre_density = (-0.5 * upper.square() - HALF_LOG_TWO_PI).exp() / (1 - outside)

    def choose(narrow_form: Tensor, centre_form: Tensor, tail_form: Tensor) -> Tensor:
        return torch.where(narrow, narrow_form, torch.where(upper > 0, centre_form, tail_form))

    return choose(narrow_mass, centre_mass, tail_mass), choose(narrow_density, centre_density, tail_density)


def _in_order(values: Tensor, ratios: Tensor | None, low: float, high: float) -> Tensor:
    """Clip the channels one after the other, each after the contribution of the clipped earlier ones."""
    if ratios is None:
        return values.clamp(low, high)
    first, second, third = values.unbind(-3)
    to_green, red_to_blue, green_to_blue = ratios.unbind(-3)
    red = first.clamp(low, high)
    green = torch.addcmul(second, to_green, red).clamp(low, high)
    blue = torch.addcmul(torch.addcmul(third, red_to_blue, red), green_to_blue, green)
    return torch.stack([red, green, blue.clamp(low, high)], -3)


def _half(levels: int, low: float, high: float, half_bin: float | None) -> float:
    return 0.5 * (high - low) / (levels - 1) if half_bin is None else half_bin


def _wide(value: Tensor) -> Tensor:
    """Half precision as float32; other tensors as they are."""
    return value.to(torch.promote_types(value.dtype, torch.float32))


def _needs_gradient(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)

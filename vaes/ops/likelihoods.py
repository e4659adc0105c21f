"""Likelihoods of discrete pixels: categorical, bitwise, discretised Gaussian and logistic, mixture of logistics.

``codes`` are integer levels. Mixtures have images in the last axes: codes (..., C, H, W), logits (..., M, H, W), means
and log scales (..., C, M, H, W). Half-precision arguments are computed in float32.

The logistic kernel mirrors every level so that the nearer end of its bin comes first, and puts the edge bins in the
same formula: with c = |x - mean| (-(x - mean) for the first, x - mean for the last level), b = (c - h)/s, d = 2h/s
(infinite in an edge bin), F the logistic function, u = F(-b - d), v = F(-|b|), t = 1/(exp(d) - 1),

    log P = -max(b, 0) - log1p(R),    R = (t + u + (1 - u) v) / ((1 - u) (1 - v)),

a sum of terms of one sign: no digits are lost near P = 1, in the tails, or for bins that are narrow or wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid, one_hot

from vaes.ops.quantisation import from_bits, to_bits

Grid = tuple[int, float, float]
# Grid, half of a bin's width, least log scale.
Kernel = tuple[Grid, float, float]
HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
ROOT_HALF = math.sqrt(0.5)
# exp of the negative log scale must not overflow float32. x - mean has no digits below exp(-80).
LARGEST_LOG_SCALE = 80.0
OUT_OF_REACH = 1e38
# Numbers in an array of which some ten fit a core's cache.
BLOCK = 2**17
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
    given = [t for t in (codes, logits, means, log_scales, coefficients) if t is not None]
    axes = (3, 3, 4, 4, 4)[: len(given)]
    images = torch.broadcast_shapes(*(t.shape[:-n] for t, n in zip(given, axes, strict=True)))
    codes, *learned = (
        t.expand(*images, *t.shape[-n:]).reshape(-1, *t.shape[-n:]) for t, n in zip(given, axes, strict=True)
    )
    kernel = ((levels, low, high), _half(levels, low, high, half_bin), floor)
    value = _Mixture.apply(codes, kernel, *learned) if _needs_gradient(*learned) else _evaluate(codes, kernel, learned)
    return value.reshape(*images, *value.shape[-2:])


def split_mixture(outputs: Tensor, components: int, channels: int, coefficients: bool) -> tuple[Tensor, ...]:
    """Views of a network's output (..., M (1 + P C), H, W): logits, then means, log scales (and coefficients)."""
    layout = (components, channels, 3 if coefficients else 2)
    return _SplitMixture.apply(outputs, *layout) if _needs_gradient(outputs) else _views(outputs, *layout)


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
    # The library's logistic function is 0 below -88 in float32, where a small scale still makes a number of the slope.
    first, last = a * logsigmoid(-a).exp(), -b * logsigmoid(b).exp()
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
    # In float64: each bin rounds its own edges, which add up to the edges of its neighbours only before rounding.
    masses = discretised_logistic(
        codes, mean.double()[..., None], scale.double()[..., None], levels, low, high, half_bin
    )
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

    # The odds from both sides: 1 - margin has lost digits of the margin.
    below, above = (margin + (1 - 2 * margin) * side for side in (_wide(noise), 1 - _wide(noise)))
    drawn = pick(means) + temperature * pick(log_scales).exp() * (below / above).log()
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
    # The least of exponential clocks with rates exp(a); in half precision clocks would tie.
    return (_wide(logits) - (-_wide(noise).log()).log()).argmax(-1)


def categorical_mean(logits: Tensor) -> Tensor:
    """Mean level of a categorical distribution."""
    weights = logits.softmax(-1)
    return weights @ torch.arange(logits.shape[-1], device=logits.device).to(weights)


def bitwise_sample(logits: Tensor, noise: Tensor) -> Tensor:
    """Draw levels bit by bit from logits (..., n), with uniform noise of the same shape."""
    return from_bits(torch.logit(_wide(noise)) < logits)


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
        by_offset, by_log_scale = _slopes(_terms(_room(offset), ctx.half, inverse, side))
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
    return _log_mass(_terms(_room(offset), half, _wide(scale).reciprocal(), side)).to(mean.dtype)


def _gaussian(codes: Tensor, mean: Tensor, scale: Tensor, grid: Grid, half: float) -> Tensor:
    offset, side, _ = _mirrored(codes, _value(codes, grid, mean) - mean, grid[0])
    inverse = _wide(scale).reciprocal()
    return _gaussian_terms(offset * inverse, half * inverse, side != 0)[0].to(mean.dtype)


class _Mixture(torch.autograd.Function):
    """Keeps the derivatives by its parameters, found on the way to the value, and nothing else.

    The textbook composition keeps some fifteen tensors of the size of ``means``.
    """

    @staticmethod
    def forward(ctx: Any, codes: Tensor, kernel: Kernel, *parameters: Tensor) -> Tensor:
        slopes = [torch.empty_like(p, memory_format=torch.contiguous_format) for p in parameters]
        value = _evaluate(codes, kernel, parameters, slopes)
        ctx.save_for_backward(*slopes)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        by_logits, *others = ctx.saved_tensors
        grad = grad[:, None]
        return None, None, by_logits * grad, *(slope * grad[:, None] for slope in others)


class _SplitMixture(torch.autograd.Function):
    """Views forwards; backwards one copy of each gradient into one tensor, where autograd's own way takes two."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, components: int, channels: int, kinds: int) -> tuple[Tensor, ...]:
        ctx.layout, ctx.shape = (components, channels, kinds), outputs.shape
        return _views(outputs, *ctx.layout)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        packed = gradients[0].new_empty(ctx.shape)
        for view, gradient in zip(_views(packed, *ctx.layout), gradients, strict=True):
            view.copy_(gradient)
        return packed, None, None, None


def _views(outputs: Tensor, components: int, channels: int, kinds: int) -> tuple[Tensor, ...]:
    logits, rest = outputs.split([components, kinds * channels * components], -3)
    return (logits, *rest.unflatten(-3, (channels, kinds, components)).unbind(-4))


def _blocks(means: Tensor) -> Iterator[tuple[Tensor, slice]]:
    """Room for ten intermediate arrays, and the images that fit it, one block after the other.

    On CPU the room of a block stays in the cache; arrays of all images would be fetched anew for every operation.
    """
    count = len(means)
    if means.device.type == "cpu" and not torch.compiler.is_compiling():
        count = min(count, max(1, BLOCK * torch.get_num_threads() // max(1, means.shape[1:].numel())))
    space = means.new_empty((10, count, *means.shape[1:]), dtype=torch.promote_types(means.dtype, torch.float32))
    for start in range(0, len(means), max(1, count)):
        yield space[:, : len(means) - start], slice(start, start + count)


def _evaluate(codes: Tensor, kernel: Kernel, parameters: Sequence[Tensor], slopes: Sequence[Tensor] = ()) -> Tensor:
    """Log mass per pixel; its derivatives by the parameters are written into ``slopes``, if given."""
    values = parameters[1].new_empty(len(codes), *codes.shape[-2:])
    for space, images in _blocks(parameters[1]):
        here = [p[images] for p in parameters]
        masses = _log_masses(codes[images], kernel, here, space)
        value, prior, shares = _mixed(masses, here[0])
        values[images] = value
        if slopes:
            by_logits, *others = (slope[images] for slope in slopes)
            # shares - prior without the cancellation of equal shares, and without overflow.
            gain = masses.sub_(value[:, None])
            size = gain.abs().neg_().expm1_().neg_()
            torch.mul(size.mul_(torch.maximum(prior, shares)), gain.sign_(), out=by_logits)
            _differentiate(codes[images], kernel, here[2], shares[:, None], space, others)
    return values


def _differentiate(
    codes: Tensor, kernel: Kernel, log_scales: Tensor, shares: Tensor, space: Tensor, slopes: Sequence[Tensor]
) -> None:
    """Write the derivatives of a block by means, log scales and coefficients into ``slopes``; uses up ``space``."""
    grid, _, floor = kernel
    ratios, inverse, sign, *terms = space
    by_mean, by_log_scale = _slopes(terms)
    slopes[0].copy_(by_mean.mul_(inverse).mul_(sign).mul_(shares).neg_())
    if floor > -math.inf:
        by_log_scale.mul_(torch.ge(log_scales, floor, out=inverse))
    torch.mul(by_log_scale, shares, out=slopes[1])
    if len(slopes) == 3:
        red, green = _value(codes, grid, by_mean)[:, :2, None].unbind(1)
        ratios.square_().neg_().add_(1)
        for i, (later, earlier) in enumerate(((1, red), (2, red), (2, green))):
            slopes[2][:, i].copy_(ratios[:, i].mul_(by_mean[:, later]).mul_(earlier))


def _log_masses(codes: Tensor, kernel: Kernel, parameters: Sequence[Tensor], space: Tensor) -> Tensor:
    """Log masses (N, M, H, W) of a block under each component.

    Leaves tanh of the coefficients, inverse scales, signs of the mirror and the kernel's terms in ``space``.
    """
    grid, half, floor = kernel
    _, means, log_scales, *coefficients = parameters
    ratios, inverse, sign, b, *_ = space
    x = _value(codes, grid, b)[:, :, None]
    torch.sub(x, means, out=b)
    if coefficients:
        # tanh(r) = 2 F(2r) - 1 in a sixth of the time; its rounding is that of x, to which it is applied.
        torch.mul(coefficients[0], 2, out=ratios).sigmoid_().mul_(2).sub_(1)
        for i, (later, earlier) in enumerate(((1, 0), (2, 0), (2, 1))):
            b[:, later].addcmul_(ratios[:, i], x[:, earlier], value=-1)
    torch.mul(log_scales, -1, out=inverse).clamp_(-LARGEST_LOG_SCALE, min(-floor, LARGEST_LOG_SCALE)).exp_()
    _, side, _ = _mirrored(codes[:, :, None], b, grid[0], out=sign)
    return _log_mass(_terms(space[3:].unbind(), half, inverse, side)).sum(1)


def _mixed(masses: Tensor, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log of the mixed masses, and the components' shares before and after."""
    # From the largest logit: added to a logit of 20 a log mass would keep only the digits of 20.
    logits = _wide(logits) - logits.amax(1, keepdim=True)
    joint = masses + logits
    prior, shares = logits.softmax(1), joint.softmax(1)
    # 1 - p as a sum of terms of one sign: log p keeps its digits next to 0.
    # Clamped where the result is -1 in any precision: it is slow where its exponential underflows.
    rest = (prior * torch.expm1(masses.clamp(min=-40))).sum(1)
    # logsumexp(a) = max(a) - log(max(softmax(a))), without its slow exponentials.
    tail = joint.amax(1) + (prior.amax(1) / shares.amax(1)).log()
    return torch.where(rest > -0.5, torch.log1p(rest), tail), prior, shares


def _value(codes: Tensor, grid: Grid, like: Tensor) -> Tensor:
    """Values of levels, at least in float32: one quotient of whole numbers, so that levels next to 0 keep digits."""
    levels, low, high = grid
    wide = codes.to(torch.promote_types(like.dtype, torch.float32))
    return (wide * (high - low) + low * (levels - 1)) / (levels - 1)


def _mirrored(codes: Tensor, offset: Tensor, levels: int, out: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Distances with the near end of the bin first, side of the edge bins (-1, 1; 0 inside), sign of the mirror.

    ``offset`` is overwritten.
    """
    side = (codes == levels - 1).to(offset) - (codes == 0).to(offset)
    # Arithmetic in place of torch.where, which costs more than an exponential.
    sign = torch.add(offset, side, alpha=OUT_OF_REACH, out=out).sign_()
    return offset.mul_(sign), side, sign


def _room(offset: Tensor) -> list[Tensor]:
    """``offset`` and room for the other terms of the kernel."""
    return [offset, *offset.new_empty((6, *offset.shape)).unbind()]


def _terms(room: Sequence[Tensor], half: float, inverse: Tensor, side: Tensor) -> Sequence[Tensor]:
    """(-b, d, u, v, t) of the module's docstring and two arrays more, in ``room``, whose first array is the distance.

    The logistic function is faster than the exponential, which is slow where it underflows.
    """
    b, d, u, v, t, _, _ = room
    torch.sub(half, b, out=b).mul_(inverse)
    # The far end of an edge bin is out of reach: u = 0 and t = 0.
    torch.add(side.abs() * OUT_OF_REACH, inverse, alpha=2 * half, out=d)
    torch.sub(b, d, out=u).sigmoid_()
    torch.abs(b, out=v).neg_().sigmoid_()
    torch.expm1(d, out=t).reciprocal_()
    return room


def _log_mass(terms: Sequence[Tensor]) -> Tensor:
    """Log mass from the terms, whose v is used up."""
    b, _, u, v, t, value, rest = terms
    torch.sub(1, u, out=rest)
    torch.addcmul(t, rest, v, out=value).add_(u)
    value.div_(rest.addcmul_(rest, v, value=-1)).log1p_()
    return torch.clamp(b, max=0, out=v).sub_(value)


def _slopes(terms: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Derivatives of the log mass with respect to offset (times the scale) and log scale; the terms are used up."""
    b, d, u, v, t, _, _ = terms
    by_log_scale = t.add_(u).mul_(d)
    by_offset = u.sub_(torch.sigmoid(b.neg_(), out=v))
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

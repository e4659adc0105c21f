"""Tempered restricted Boltzmann machines: parallel tempering, its ladder, and estimates of the log partition function.

All temperatures and all chains advance together: a sweep is two matrix products. Samplers take their uniform noise as
arguments and record no gradient. Energies are those of the untempered machine.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from vaes.ops.boltzmann import all_states

LEAST_REJECTION = 0.01
BISECTIONS, NEWTON_STEPS = 40, 3


def tempered(
    bias_left: Tensor, bias_right: Tensor, coupling: Tensor, inverse_temperatures: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Parameters (K, n1), (K, n2), (K, n1, n2) of the machine at each inverse temperature."""
    t = inverse_temperatures[:, None]
    return t * bias_left, t * bias_right, t[..., None] * coupling


def energy_moments(
    bias_left: Tensor, bias_right: Tensor, coupling: Tensor, inverse_temperatures: Tensor
) -> tuple[Tensor, Tensor]:
    """Exact mean and variance (K,) of the negative energy at each inverse temperature; memory grows as 2^min(n1, n2).

    Given the left layer the right units are independent: means and variances are summed, and the law of total variance
    joins them.
    """
    if len(bias_right) < len(bias_left):
        bias_left, bias_right, coupling = bias_right, bias_left, coupling.T
    # Energies relative to those of the likelier state of every unit at its bias alone: large biases cancel exactly.
    states = all_states(len(bias_left), bias_left)
    base = torch.where(states > 0, -(-bias_left).relu(), -bias_left.relu()).sum(-1)
    pull, right_share = states @ coupling, bias_right.relu()
    fields, relative = bias_right + pull, pull - (-bias_right).relu()
    t = inverse_temperatures[:, None]
    log_sums = torch.logaddexp(-t[..., None] * right_share, t[..., None] * relative)
    weights = torch.softmax(t * base + log_sums.sum(-1), -1)
    on, off = torch.sigmoid(t[..., None] * fields), torch.sigmoid(-t[..., None] * fields)
    given_left = base + torch.where(bias_right > 0, on * pull - off * bias_right, on * fields).sum(-1)
    mean = (weights * given_left).sum(-1)
    spread = (on * off * fields.square()).sum(-1) + (given_left - mean[:, None]).square()
    return mean + bias_left.relu().sum() + right_share.sum(), (weights * spread).sum(-1)


def swap_probability(energies: Tensor, inverse_temperatures: Tensor) -> Tensor:
    """Probability (..., K - 1) of accepting the swap of each two neighbours, from energies (..., K)."""
    return (inverse_temperatures.diff() * energies.diff()).clamp(max=0).exp()


@torch.no_grad()
def parallel_tempering(
    right: Tensor,
    bias_left: Tensor,
    bias_right: Tensor,
    coupling: Tensor,
    inverse_temperatures: Tensor,
    uniforms_left: Tensor,
    uniforms_right: Tensor,
    uniforms_swap: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Systems (R, K, n2) after as many sweeps as the noise is long: left, right, and energies (sweeps, R, K).

    Each sweep is a block Gibbs update at every temperature, its energies, then swaps of the even (odd) pairs in even
    (odd) sweeps, counted from 0.
    """
    right, t = right.to(coupling), inverse_temperatures[:, None]
    left_bias, right_bias, flipped = t * bias_left, t * bias_right, coupling.T
    steps = inverse_temperatures.diff()
    left, kept = right.new_zeros(()), []
    noise = zip(uniforms_left, uniforms_right, uniforms_swap, strict=True)
    for sweep, (noise_left, noise_right, noise_swap) in enumerate(noise):
        left = (noise_left < torch.addcmul(left_bias, t, right @ flipped).sigmoid_()).to(coupling)
        field = left @ coupling
        right = (noise_right < torch.addcmul(right_bias, t, field).sigmoid_()).to(coupling)
        energies = -(left @ bias_left + field.add_(bias_right).mul_(right).sum(-1))
        kept.append(energies)
        accepted = noise_swap < (steps * energies.diff()).clamp_(max=0).exp_()
        # The next sweep draws the left states anew: they need not be carried along.
        right = _swapped(right, accepted, sweep % 2)
        if sweep == len(uniforms_left) - 1:
            left = _swapped(left, accepted, sweep % 2)
    return left, right, torch.stack(kept)


def adaptive_ladder(inverse_temperatures: Tensor, rejections: Tensor, rungs: int) -> Tensor:
    """Ladder (rungs,) with equal rejection between neighbours, from the rejections (K - 1,) on an old one.

    The rungs are equidistant in the cumulative rejection; between the old rungs a monotone cubic (Fritsch and Butland)
    interpolates.
    """
    widths = rejections.clamp(min=LEAST_REJECTION)
    barrier = torch.cat([widths.new_zeros(1), widths.cumsum(0)])
    slopes = inverse_temperatures.diff() / widths
    tangents = _monotone_tangents(widths, slopes)
    at = barrier[-1] * torch.linspace(0, 1, rungs, dtype=widths.dtype, device=widths.device)
    interval = (torch.searchsorted(barrier.detach(), at.detach(), right=True) - 1).clamp(0, len(widths) - 1)
    # From the nearer rung: the last one must be reached exactly, however short its interval.
    below, above = at - barrier[interval], barrier[interval + 1] - at
    u = torch.where(below < above, below / widths[interval], 1 - above / widths[interval])
    rise, first, last = (v[interval] for v in (slopes, tangents[:-1], tangents[1:]))
    # Hermite cubic on [0, 1], written around the chord so that the old rungs come back unchanged.
    bend = u * (1 - u) * ((1 - u) * (first - rise) - u * (last - rise))
    return inverse_temperatures[interval] + widths[interval] * (u * rise + bend)


def bennett(energies: Tensor, energies_next: Tensor, difference: Tensor) -> Tensor:
    """Bennett's log ratio of the partition functions at two temperatures, from energies (n,) and (m,) sampled there."""
    return _bennett(energies[:, None], energies_next[:, None], difference[None])[0]


def log_partition_bar(energies: Tensor, inverse_temperatures: Tensor, log_partition_base: Tensor) -> Tensor:
    """Log partition function (R,) in nats at a ladder's end, from energies (samples, R, K), by Bennett's ratios."""
    ratios = _bennett(energies[..., :-1], energies[..., 1:], inverse_temperatures.diff())
    return log_partition_base + ratios.sum(-1)


def log_partition_ti(energies: Tensor, inverse_temperatures: Tensor, log_partition_base: Tensor) -> Tensor:
    """Log partition function (R,) in nats at the end of a ladder, from energies (samples, R, K), by integration.

    Trapezoids with the correction that the slope of the integrand, the variance of the energy, allows.
    """
    steps = inverse_temperatures.diff()
    mean, variance = -energies.mean(0), energies.var(0)
    area = steps * (0.5 * (mean[:, :-1] + mean[:, 1:]) - steps * variance.diff() / 12)
    return log_partition_base + area.sum(-1)


def replicates(estimates: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of independent estimates (R, ...) and its standard error."""
    return estimates.mean(0), estimates.std(0) / math.sqrt(len(estimates))


@torch.no_grad()
def annealed_log_weights(
    bias_left: Tensor,
    bias_right: Tensor,
    coupling: Tensor,
    inverse_temperatures: Tensor,
    uniforms_left: Tensor,
    uniforms_right: Tensor,
) -> Tensor:
    """Log weights (N,) of annealed importance sampling along a ladder (T,) preceded by 0, left layer summed out."""

    def increment(below: Tensor | float, above: Tensor, right: Tensor, fields: Tensor) -> Tensor:
        # log(1 + e^x) is x^+ + log(1 + e^-|x|), and with increasing t fields keep their sign: each part is a difference
        # of its own, that of the second one as 1 + a relative change. Weak fields then keep their digits.
        step = above - below
        change = torch.sigmoid(-(below * fields).abs()) * torch.expm1(-(step * fields).abs())
        return step * (right @ bias_right) + (step * fields.relu() + torch.log1p(change)).sum(-1)

    right = (uniforms_right[0] < 0.5).to(coupling)
    fields = bias_left + right @ coupling.T
    log_weights = increment(0.0, inverse_temperatures[0], right, fields)
    for k in range(1, len(uniforms_right)):
        below, above = inverse_temperatures[k - 1], inverse_temperatures[k]
        left = (uniforms_left[k - 1] < torch.sigmoid(below * fields)).to(coupling)
        right = (uniforms_right[k] < torch.sigmoid(below * (bias_right + left @ coupling))).to(coupling)
        fields = bias_left + right @ coupling.T
        log_weights = log_weights + increment(below, above, right, fields)
    return log_weights


def log_partition_ais(log_weights: Tensor, log_partition_base: Tensor) -> tuple[Tensor, Tensor]:
    """Log partition function in nats from annealed log weights (N,), and its standard error."""
    largest = log_weights.detach().max()
    weights = (log_weights - largest).exp()
    mean = weights.mean()
    return log_partition_base + (largest + mean.log()), weights.std() / (mean * math.sqrt(len(log_weights)))


def _bennett(energies: Tensor, energies_next: Tensor, difference: Tensor) -> Tensor:
    """Log ratios over the first axis of both, all other axes at once.

    The difference of the logs of both sides is decreasing: bisection, then Newton steps, of which the last one carries
    the gradient (the derivative of a root is that of one Newton step at it).
    """
    first, second = difference * energies, difference * energies_next
    share = len(first) / (len(first) + len(second))
    shift = math.log(len(first) / len(second))

    def gap(c: Tensor) -> Tensor:
        one, two = first + c, second + c
        far = _log_ratio_of_sums(shift + one, shift + two)
        # Nearly equal temperatures: both logs less the one that they have at equal energies, log(n m / (n + m)).
        near = torch.maximum(one.abs().amax(0), two.abs().amax(0)) < 1
        return torch.where(near, _excess(share, one.clamp(-1, 1)) - _excess(1 - share, -two.clamp(-1, 1)), far)

    def slope(c: Tensor) -> Tensor:
        one, two = shift + first + c, shift + second + c
        # Means of sigma(+-x) under the weights sigma(-+x).
        down = (torch.softmax(logsigmoid(-one), 0) * torch.sigmoid(one)).sum(0)
        up = (torch.softmax(logsigmoid(two), 0) * torch.sigmoid(-two)).sum(0)
        return -(down + up)

    with torch.no_grad():
        low = -torch.maximum(first.amax(0), second.amax(0))
        high = -torch.minimum(first.amin(0), second.amin(0))
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            above = gap(middle) > 0
            low, high = torch.where(above, middle, low), torch.where(above, high, middle)
        root = 0.5 * (low + high)
        for _ in range(NEWTON_STEPS - 1):
            root = root - gap(root) / slope(root)
        tangent = slope(root)
    return root - gap(root) / tangent


def _log_ratio_of_sums(one: Tensor, two: Tensor) -> Tensor:
    """Log of the sum of sigma(-one) over that of sigma(two), over the first axis.

    Sums of small terms as logarithms. Terms near 1 are counted: what they lack of 1 has its own digits.
    """
    log_one, log_two = logsigmoid(-one).logsumexp(0), logsigmoid(two).logsumexp(0)
    lacking = [torch.where(x < 0, -x.sigmoid(), torch.sigmoid(-x)).sum(0) for x in (one, two)]
    difference = ((one < 0).sum(0) - (two >= 0).sum(0)) + lacking[0] + lacking[1]
    counted = torch.minimum(log_one, log_two) > -math.log(2)
    excess = torch.where(counted, difference, 0) / torch.where(counted, log_two, 0).exp()
    return torch.where(counted, excess.log1p(), log_one - log_two)


def _excess(share: float, x: Tensor) -> Tensor:
    """Log of the mean over the first axis of 1 / (1 - share + share e^x), without cancellation for small x."""
    return torch.expm1(-torch.log1p(share * torch.expm1(x))).mean(0).log1p()


def _swapped(states: Tensor, accepted: Tensor, first: int) -> Tensor:
    """States (R, K, n) after the swaps of pairs ``first``, ``first + 2``, ... that ``accepted`` (R, K - 1) allows."""
    pairs = (states.shape[1] - first) // 2
    if pairs == 0:
        return states
    middle = states[:, first : first + 2 * pairs].unflatten(1, (pairs, 2))
    middle = torch.where(accepted[:, first::2, None, None], middle.flip(2), middle).flatten(1, 2)
    return torch.cat([states[:, :first], middle, states[:, first + 2 * pairs :]], 1)


def _monotone_tangents(widths: Tensor, slopes: Tensor) -> Tensor:
    """Tangents of the monotone cubic at all knots: weighted harmonic means inside, limited parabolas at both ends."""
    if len(slopes) == 1:
        return slopes.expand(2)
    before, after = widths[1:] + 2 * widths[:-1], 2 * widths[1:] + widths[:-1]
    inner = (before + after) / (after / slopes[:-1] + before / slopes[1:])
    ends = [_end_tangent(*(v[i] for v in (widths, slopes) for i in pair)) for pair in ((0, 1), (-1, -2))]
    return torch.cat([ends[0][None], inner, ends[1][None]])


def _end_tangent(width: Tensor, next_width: Tensor, slope: Tensor, next_slope: Tensor) -> Tensor:
    """Slope of the parabola through three knots, not below zero (all slopes are positive)."""
    return (((2 * width + next_width) * slope - width * next_slope) / (width + next_width)).clamp(min=0)

"""Binary latent variables: their probabilities, their posterior given a smoothed copy, and the bounds built on them.

Bernoulli variables are given by logits; infinite logits are certain values. Sums run over the last axis, the units.
A smoothed variable enters through its log ratio, see :func:`vaes.ops.relaxations.smoothing_log_ratio`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def bernoulli_log_pmf(z: Tensor, logits: Tensor) -> Tensor:
    """Log probability of binary ``z`` in nats, summed over the last axis; other ``z`` give no log probability."""
    return logsigmoid(torch.where(z > 0.5, logits, -logits)).sum(-1)


def bernoulli_entropy(logits: Tensor) -> Tensor:
    """Entropy in nats, summed over the last axis."""
    return _Entropy.apply(logits).sum(-1)


def bernoulli_kl(logits: Tensor, prior_logits: Tensor) -> Tensor:
    """KL of two factorial Bernoullis in nats, summed over the last axis; infinite if the prior excludes a value."""
    return _Divergence.apply(*torch.broadcast_tensors(logits, prior_logits, logits.new_zeros(()))).sum(-1)


def posterior_given_zeta(logits: Tensor, log_ratio: Tensor) -> Tensor:
    """Probability that z = 1 when the smoothed copy is known, elementwise."""
    return (logits + log_ratio).sigmoid()


def joint_elbo(log_likelihood: Tensor, logits: Tensor, prior_logits: Tensor) -> Tensor:
    """Bound in nats that keeps z and zeta: mean of ``log_likelihood`` over its first axis less KL(q(z|x) || p(z))."""
    return log_likelihood.mean(0) - bernoulli_kl(logits, prior_logits)


def marginal_elbo(log_likelihood: Tensor, logits: Tensor, prior_logits: Tensor, log_ratio: Tensor) -> Tensor:
    """Bound in nats with z summed out, from the log ratios at the samples of ``log_likelihood`` (first axis)."""
    return (log_likelihood - _smoothed_log_ratio(logits, prior_logits, log_ratio)).mean(0)


def joint_marginal_gap(logits: Tensor, prior_logits: Tensor, log_ratio: Tensor) -> Tensor:
    """Marginal less joint bound in nats: the mean over samples of KL(q(z|x,zeta) || p(z|zeta))."""
    work = torch.promote_types(logits.dtype, torch.float32)
    arguments = torch.broadcast_tensors(logits.to(work), prior_logits.to(work), log_ratio.to(work))
    return _Divergence.apply(*arguments).sum(-1).mean(0).to(logits.dtype)


def directed_elbo(
    log_likelihood: Tensor,
    logits: Sequence[Tensor],
    prior_logits: Sequence[Tensor],
    log_ratio: Sequence[Tensor] | None = None,
) -> Tensor:
    """Bound in nats of groups of binary units with a directed prior: joint, or marginal where log ratios are given."""
    pairs = list(zip(logits, prior_logits, strict=True))
    if log_ratio is None:
        terms = [bernoulli_kl(posterior, prior) for posterior, prior in pairs]
    else:
        terms = [_smoothed_log_ratio(*pair, ratio) for pair, ratio in zip(pairs, log_ratio, strict=True)]
    return (log_likelihood - sum(terms)).mean(0)


def rbm_marginal_density(
    log_density_0: Tensor, log_ratio: Tensor, bias_1: Tensor, bias_2: Tensor, weights: Tensor
) -> Tensor:
    """Log density in nats of smoothed variables under a Boltzmann machine, averaged over the machine's states.

    The layer with fewer units is enumerated (``2 ** min(n1, n2)`` states), the other one summed in closed form.
    """
    split = bias_1.shape[0]
    if split > bias_2.shape[0]:
        weights, bias_1, bias_2 = weights.T, bias_2, bias_1
        log_ratio = torch.cat([log_ratio[..., split:], log_ratio[..., :split]], -1)
        split = bias_1.shape[0]
    states = (torch.arange(2**split, device=weights.device)[:, None] >> torch.arange(split, device=weights.device)) & 1
    states = states.to(weights)

    # The mean of a factor over the states, not a quotient of two sums: it has digits where the log ratios are small.
    pull = states @ weights
    # Relative to the likelier state of every unit at its bias alone: large biases cancel exactly.
    chosen = torch.where(states > 0, -(-bias_1).relu(), -bias_1.relu()).sum(-1)
    log_sums = torch.logaddexp(-bias_2.relu(), pull - (-bias_2).relu()).sum(-1)
    log_probability = (chosen + log_sums).log_softmax(-1)
    given_units = _log_mean_ratio(bias_2 + pull, log_ratio[..., None, split:]).sum(-1)
    factors = log_ratio[..., :split] @ states.T + given_units
    return log_density_0.sum(-1) + _log_mean_exp(log_probability, factors)


def active_units(logits: Tensor, threshold: float = 0.05) -> Tensor:
    """Units of ``logits`` (B, n) whose posterior probability varies over the images by more than ``threshold``."""
    # At least float32: in half precision the rounding of the variance would decide.
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return wide.sigmoid().var(0, correction=0) > threshold


class _Entropy(torch.autograd.Function):
    """Elementwise entropy; autograd of the sum cancels near 0 and gives inf * 0 at infinity."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:
        ctx.save_for_backward(logits)
        size = logits.abs().clamp(max=1e3)
        return size * torch.sigmoid(-size) - logsigmoid(size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (logits,) = ctx.saved_tensors
        clipped = logits.clamp(-1e3, 1e3)
        return -gradient * clipped * clipped.sigmoid() * torch.sigmoid(-clipped)


class _Divergence(torch.autograd.Function):
    """Elementwise divergence of two Bernoullis with logits l + shift and k + shift.

    The difference is taken before the shift, which would round it away. With q and p the two probabilities the slopes
    are (l - k) q (1 - q) by l, p - q by k, and their sum by the shift, of second order in l - k.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, prior_logits: Tensor, shift: Tensor) -> Tensor:
        ctx.save_for_backward(logits, prior_logits, shift)
        work = torch.promote_types(logits.dtype, torch.float32)
        return _divergence(logits.to(work), prior_logits.to(work), shift.to(work)).to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, prior_logits, shift = ctx.saved_tensors
        difference = logits - prior_logits
        q, q_not = (logits + shift).sigmoid(), torch.sigmoid(-logits - shift)
        p, p_not = (prior_logits + shift).sigmoid(), torch.sigmoid(-prior_logits - shift)
        by_logits = torch.where(q * q_not == 0, 0, difference * q * q_not)
        # p - q = p (1-q) (1 - e^(l-k)), with the exponent kept negative
        by_prior = torch.where(difference > 0, q * p_not, -p * q_not) * torch.expm1(-difference.abs())
        # Infinitely far apart one of the two is 0 or 1: the form in which that one is 0 rounds nothing away.
        exact = torch.where(torch.maximum(logits, prior_logits) == torch.inf, q_not - p_not, p - q)
        by_prior = torch.where(difference.isfinite(), by_prior, exact)
        small = difference.clamp(-1, 1)
        bend = _expm1_remainder(small) - 4 * p * torch.sinh(0.5 * small).square()
        by_shift = torch.where(difference.abs() < 1, q * q_not * bend, by_logits + by_prior)
        return gradient * by_logits, gradient * by_prior, gradient * by_shift


def _divergence(logits: Tensor, prior_logits: Tensor, shift: Tensor) -> Tensor:
    difference = logits - prior_logits
    logits, prior_logits = logits + shift, prior_logits + shift
    # Far apart: two terms, each zero where its probability is. Sums of logs lose nothing there.
    q, q_not = logits.sigmoid(), torch.sigmoid(-logits)
    up = torch.where(q == 0, 0, q * (logsigmoid(logits) - logsigmoid(prior_logits)))
    down = torch.where(q_not == 0, 0, q_not * (logsigmoid(-logits) - logsigmoid(-prior_logits)))
    # Close together: with d = l - k towards the less likely value (q <= 1/2) it is q (d + expm1(-d)) plus
    # log1p(x) - x at x = q expm1(-d); both are of second order and at most half of the first cancels.
    less = torch.minimum(q, q_not)
    d = torch.where(logits > 0, -difference, difference)
    x = less * torch.expm1(-d)
    near = less * _expm1_remainder(d) + _log1p_remainder(x)
    return torch.where(difference.abs() < 1, near, up + down)


def _expm1_remainder(d: Tensor) -> Tensor:
    """Return d + expm1(-d) for |d| < 1, by its series (terms d^2/2 - d^3/6 + ...)."""
    total = torch.ones_like(d)
    for k in range(19, 2, -1):
        total = 1 - d / k * total
    return 0.5 * d * d * total


def _log1p_remainder(x: Tensor) -> Tensor:
    """Return log1p(x) - x for -1/3 < x < 1, from log1p(x) = 2 artanh(r) with r = x / (2 + x), |r| < 1/3."""
    r = x / (2 + x)
    square = r * r
    total = torch.zeros_like(x)
    for k in range(35, 1, -2):
        total = square * total + 2 / k
    return r * (square * total - x)


def _smoothed_log_ratio(logits: Tensor, prior_logits: Tensor, log_ratio: Tensor) -> Tensor:
    """Return log q(zeta) - log p(zeta), summed over units; r(zeta|0) cancels."""
    # Where the state 1 dominates both, the ratio is a large part that they share: states exchanged, it is none.
    sign = torch.where(logits + prior_logits + log_ratio > 0, -1, 1)
    posterior, prior = (_log_mean_ratio(sign * side, sign * log_ratio) for side in (logits, prior_logits))
    return (posterior - prior).sum(-1)


def _log_mean_exp(log_probability: Tensor, values: Tensor) -> Tensor:
    """Logarithm of sum p e^value over the last axis; near the likeliest state's value by what the others add."""
    likeliest = values.index_select(-1, log_probability.argmax(-1, keepdim=True))
    above, probability = values - likeliest, log_probability.exp()
    strong = (log_probability + above).clamp(max=1).exp() - probability
    added = torch.where(above.abs() < 1, probability * torch.expm1(above.clamp(-1, 1)), strong).sum(-1)
    near = added.abs() < 0.5
    nearly = likeliest[..., 0] + torch.log1p(torch.where(near, added, 0))
    return torch.where(near, nearly, (log_probability + values).logsumexp(-1))


def _log_mean_ratio(logits: Tensor, log_ratio: Tensor) -> Tensor:
    """log(1 - q + q e^ratio); where the ratio is weak the logarithms of both weights share their digits."""
    weak = torch.log1p(torch.sigmoid(logits) * torch.expm1(log_ratio.clamp(-1, 1)))
    # Where the state 1 dominates before and after, the ratio itself is the large part of both logarithms.
    dominant = (logits > 0) & (logits + log_ratio > 0)
    sign = torch.where(dominant, -1, 1)
    strong = logsigmoid(-sign * logits) - logsigmoid(-sign * (logits + log_ratio))
    return torch.where(log_ratio.abs() < 1, weak, strong + torch.where(dominant, log_ratio, 0))

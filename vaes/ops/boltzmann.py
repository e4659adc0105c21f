"""Restricted Boltzmann machines as priors: energy, block Gibbs, exact sums, and the terms of a bound with such a prior.

States of a left (n1) and a right layer (n2) are tensors of any dtype; results have the dtype of the parameters.
Samplers take their uniform noise as arguments and record no gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

BLOCK = 16  # units of a layer that are enumerated in one tensor: 65536 states


def energy(left: Tensor, right: Tensor, bias_left: Tensor, bias_right: Tensor, coupling: Tensor) -> Tensor:
    """Energy in nats of states or means ``left`` (..., n1) and ``right`` (..., n2); ``coupling`` is (n1, n2)."""
    left, right = left.to(coupling), right.to(coupling)
    return -(left @ bias_left + ((left @ coupling + bias_right) * right).sum(-1))


def conditionals(
    left: Tensor, right: Tensor, bias_left: Tensor, bias_right: Tensor, coupling: Tensor
) -> tuple[Tensor, Tensor]:
    """Probabilities of a one in the left layer given the right one (..., n1), and the other way round (..., n2)."""
    return _given_right(right.to(coupling), bias_left, coupling), _given_left(left.to(coupling), bias_right, coupling)


@torch.no_grad()
def block_gibbs(
    right: Tensor,
    bias_left: Tensor,
    bias_right: Tensor,
    coupling: Tensor,
    uniforms_left: Tensor,
    uniforms_right: Tensor,
) -> tuple[Tensor, Tensor]:
    """Chains (..., n2) after as many updates as the first axis of the noise is long: left and right states, 0. or 1."""
    right = right.to(coupling)
    left = coupling.new_zeros(())
    for noise_left, noise_right in zip(uniforms_left, uniforms_right, strict=True):
        left = (noise_left < _given_right(right, bias_left, coupling)).to(coupling)
        right = (noise_right < _given_left(left, bias_right, coupling)).to(coupling)
    return left, right


@torch.no_grad()
def persistent_update(
    right: Tensor,
    bias_left: Tensor,
    bias_right: Tensor,
    coupling: Tensor,
    uniforms_left: Tensor,
    uniforms_right: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Persistent chains (L, n2) after some updates: left, right, and the right layer's conditional mean."""
    left, right = block_gibbs(right, bias_left, bias_right, coupling, uniforms_left, uniforms_right)
    return left, right, _given_left(left, bias_right, coupling)


def log_partition(bias_left: Tensor, bias_right: Tensor, coupling: Tensor) -> Tensor:
    """Exact log partition function in nats; time and memory grow as 2^min(n1, n2)."""
    if len(bias_right) < len(bias_left):
        bias_left, bias_right, coupling = bias_right, bias_left, coupling.T
    log_weights = torch.stack([block for _, block, _ in _blocks(bias_left, bias_right, coupling)]).flatten()
    largest, where = log_weights.max(0)
    # The largest term apart: log Z of a machine that is nearly always off is the sum of the others.
    others = (log_weights - largest).exp().index_fill(0, where, 0).sum()
    return others.log1p() + largest + (bias_left.relu().sum() + bias_right.relu().sum())


def moments(bias_left: Tensor, bias_right: Tensor, coupling: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Exact means (n1,), (n2,) and (n1, n2) of both layers and of their products: the gradient of ``log_partition``."""
    if len(bias_right) < len(bias_left):
        mean_right, mean_left, pairs = moments(bias_right, bias_left, coupling.T)
        return mean_left, mean_right, pairs.T
    # The weights span many orders of magnitude.
    wide = torch.promote_types(coupling.dtype, torch.float32)
    blocks = _blocks(bias_left.to(wide), bias_right.to(wide), coupling.to(wide))
    log_weights = torch.stack([block for _, block, _ in blocks])
    # Normalised together; exp(log weight - log Z) would lose what both have in common.
    weights = torch.softmax(log_weights.flatten(), 0).unflatten(0, log_weights.shape)
    mean_left, mean_right, pairs = (torch.zeros_like(p, dtype=wide) for p in (bias_left, bias_right, coupling))
    for block, (states, _, fields) in zip(weights, blocks, strict=True):
        weighted = block[:, None] * torch.sigmoid(fields)
        mean_left, mean_right = mean_left + block @ states, mean_right + weighted.sum(0)
        pairs = pairs + states.T @ weighted
    return mean_left.to(coupling), mean_right.to(coupling), pairs.to(coupling)


def log_partition_surrogate(
    left: Tensor, right: Tensor, bias_left: Tensor, bias_right: Tensor, coupling: Tensor
) -> Tensor:
    """Negative mean energy of samples (L, n1), (L, n2): its gradient estimates that of log Z, its value means nothing.

    Add it to a loss that is minimised. No gradient flows into the samples.
    """
    left, right = left.detach().to(coupling), right.detach().to(coupling)
    return left.mean(0) @ bias_left + right.mean(0) @ bias_right + (left.T @ right * coupling).sum() / len(left)


def hierarchical_cross_entropy(
    logits_left: Tensor,
    logits_right: Tensor,
    ratios_left: Tensor,
    ratios_right: Tensor,
    groups_left: Tensor,
    groups_right: Tensor,
    bias_left: Tensor,
    bias_right: Tensor,
    coupling: Tensor,
    log_partition: Tensor,
) -> Tensor:
    """Cross-entropy (...) in nats of a hierarchical posterior with the machine, from one draw of the smoothed latents.

    ``groups`` number the units in the order of sampling; of a pair in different groups the earlier unit enters by its
    mean given its own smoothed latent (``sigmoid(logits + ratios)``), the later one by its plain mean.
    """
    mean_left, mean_right = torch.sigmoid(logits_left), torch.sigmoid(logits_right)
    seen_left, seen_right = torch.sigmoid(logits_left + ratios_left), torch.sigmoid(logits_right + ratios_right)
    # Three masked couplings instead of a tensor (..., n1, n2).
    order = groups_left[:, None] - groups_right
    same, left_first, right_first = (coupling * mask for mask in (order == 0, order < 0, order > 0))
    from_left = mean_left @ same + seen_left @ left_first
    pairs = (from_left * mean_right).sum(-1) + ((mean_left @ right_first) * seen_right).sum(-1)
    return log_partition - mean_left @ bias_left - mean_right @ bias_right - pairs


def hierarchical_kl(
    logits_left: Tensor,
    logits_right: Tensor,
    ratios_left: Tensor,
    ratios_right: Tensor,
    groups_left: Tensor,
    groups_right: Tensor,
    bias_left: Tensor,
    bias_right: Tensor,
    coupling: Tensor,
    log_partition: Tensor,
) -> Tensor:
    """KL (...) in nats of a hierarchical posterior from the machine over bits and smoothed latents, from one draw."""
    cross_entropy = hierarchical_cross_entropy(
        logits_left,
        logits_right,
        ratios_left,
        ratios_right,
        groups_left,
        groups_right,
        bias_left,
        bias_right,
        coupling,
        log_partition,
    )
    return cross_entropy - _entropy(logits_left) - _entropy(logits_right)


def spike_exp_gradient(logits: Tensor, left: Tensor, mean_right: Tensor, coupling: Tensor) -> Tensor:
    """Part (..., n1) of the gradient of the pair term that autodiff misses when the left layer has a spike at zero."""
    return torch.sigmoid(logits) * (1 - left.to(coupling)) * (mean_right @ coupling.T)


def spike_exp_surrogate(logits: Tensor, left: Tensor, mean_right: Tensor, coupling: Tensor) -> Tensor:
    """Pair term z^T W mu (...) with the right gradient for a left layer that is smoothed with a spike at zero."""
    missing = spike_exp_gradient(logits, left, mean_right, coupling).detach()
    pairs = ((left.detach().to(coupling) @ coupling) * mean_right).sum(-1)
    return pairs + ((logits - logits.detach()) * missing).sum(-1)


def elbo(log_likelihood: Tensor, discrete_kl: Tensor, group_kls: Tensor) -> Tensor:
    """Bound (...) in nats: log likelihood less the divergences of the binary code and of the local groups (..., G)."""
    return log_likelihood - (discrete_kl + group_kls.sum(-1))


def log_weight(
    log_likelihood: Tensor,
    left: Tensor,
    right: Tensor,
    logits_left: Tensor,
    logits_right: Tensor,
    bias_left: Tensor,
    bias_right: Tensor,
    coupling: Tensor,
    log_partition: Tensor,
    local_log_ratio: Tensor,
) -> Tensor:
    """Log importance weight (...) in nats of bits drawn from the posterior with these logits."""
    left, right = left.to(coupling), right.to(coupling)
    log_posterior = logsigmoid((2 * left - 1) * logits_left).sum(-1) + logsigmoid((2 * right - 1) * logits_right).sum(
        -1
    )
    negative_energy = -energy(left, right, bias_left, bias_right, coupling)
    return log_likelihood + (negative_energy - log_partition) - log_posterior + local_log_ratio


def corrected_log_likelihood(log_likelihood: Tensor, log_partition_used: Tensor, log_partition: Tensor) -> Tensor:
    """Log likelihoods in nats after a better estimate of log Z than the one used in them."""
    return log_likelihood + (log_partition_used - log_partition)


def all_states(units: int, like: Tensor) -> Tensor:
    """Every state (2^units, units) of a layer, in the dtype and on the device of ``like``."""
    numbers = torch.arange(2**units, device=like.device)
    return (numbers[:, None] >> torch.arange(units, device=like.device) & 1).to(like)


def _blocks(bias_left: Tensor, bias_right: Tensor, coupling: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """All left states with their log weights and the fields of the right layer, in blocks.

    The fields of the states with unit i on are those with it off plus one row of the couplings: sums by doubling. Log
    weights are relative to those of the likelier state of every unit at its bias alone, so that large biases do not
    drown the rest: log(1 + e^f) over the right layer becomes log(e^-b + e^(f-b)) for a bias b > 0.
    """
    units = len(bias_left)
    inner = min(units, BLOCK)
    states, base, pull = all_states(inner, bias_left), bias_left.new_zeros(1), torch.zeros_like(bias_right)[None]
    off, on = -bias_left.relu(), -(-bias_left).relu()
    for i in range(inner):
        base, pull = torch.cat([base + off[i], base + on[i]]), torch.cat([pull, pull + coupling[i]])
    blocks = []
    for head in all_states(units - inner, bias_left):
        outer = torch.where(head > 0, on[inner:], off[inner:]).sum()
        block_pull = pull + head @ coupling[inner:]
        relative = torch.logaddexp(-bias_right.relu(), block_pull - (-bias_right).relu())
        block_states = torch.cat([states, head.expand(len(states), -1)], 1)
        blocks.append((block_states, base + outer + relative.sum(-1), bias_right + block_pull))
    return blocks


def _entropy(logits: Tensor) -> Tensor:
    """Entropy of independent bits: |l| sigmoid(-|l|) - log sigmoid(|l|), an even function without cancellation."""
    size = logits.abs()
    return (size * torch.sigmoid(-size) - logsigmoid(size)).sum(-1)


def _given_left(left: Tensor, bias_right: Tensor, coupling: Tensor) -> Tensor:
    return torch.sigmoid(bias_right + left @ coupling)


def _given_right(right: Tensor, bias_left: Tensor, coupling: Tensor) -> Tensor:
    return torch.sigmoid(bias_left + right @ coupling.T)

"""Checks of the two bounds, the Boltzmann prior and the two evaluations, on models small enough to sum."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
from scipy.special import expit, log_expit

from reference import bernoulli, boltzmann, discrete, relaxations
from reproductions.dvaepp._checks_smoothing import Array, Generator, Metrics, gauss, largest

FAMILY = "overlap_exp"


def _density(nodes: Array, logits: Any, beta: float) -> Array:
    return np.exp(relaxations.smoothed_log_density(nodes, logits, FAMILY, beta))


def _ratio(nodes: Array, beta: float) -> Array:
    return relaxations.smoothing_log_ratio(nodes, FAMILY, beta)


def marginal_is_tighter(rng: Generator) -> Metrics:
    """Joint bound, marginal bound and log evidence by quadrature: one unit, two groups, and a Boltzmann prior."""
    violations, gaps = 0, []
    nodes, weights = gauss(np.linspace(0, 1, 41))
    for _ in range(300):
        posterior, prior, beta = rng.uniform(-4, 4), rng.uniform(-4, 4), math.exp(rng.uniform(-1, 3))
        joint, marginal, evidence, gap = _one_unit(rng, posterior, prior, beta, nodes, weights)
        violations += not joint <= marginal + 1e-12 <= evidence + 2e-12
        gaps.append(marginal - joint - gap)
    for bounds in (_two_groups(rng) for _ in range(20)):
        violations += not bounds[0] <= bounds[1] + 1e-10 <= bounds[2] + 2e-10
    for bounds in (_boltzmann_prior(rng) for _ in range(20)):
        violations += not bounds[0] <= bounds[1] + 1e-10 <= bounds[2] + 2e-10
    equal = [_one_unit(rng, 0.7, 0.7, beta, nodes, weights) for beta in (1.0, 5.0, 12.0)]
    spike = discrete.joint_marginal_gap(np.full(1, 1.3), np.full(1, -0.4), np.array([[-np.inf], [np.inf]]))
    return {
        "violations": violations,
        "gap_error": largest(*gaps),
        "equality_error": largest(*(marginal - joint for joint, marginal, _, _ in equal), spike),
    }


def _log_likelihood(zeta: Array, pixels: Array, slope: Array, offset: Array) -> Array:
    """Bernoulli log likelihood of the pixels at smoothed latents (..., n)."""
    return bernoulli.log_likelihood(np.broadcast_to(pixels, (*zeta.shape[:-1], len(offset))), zeta @ slope + offset)


def _one_unit(
    rng: Generator, posterior: float, prior: float, beta: float, nodes: Array, weights: Array
) -> tuple[float, float, float, float]:
    """Joint bound, marginal bound, log evidence and the gap formula for one unit and one pixel."""
    likelihood = _log_likelihood(
        nodes[:, None], rng.integers(0, 2, 1), 3 * rng.standard_normal((1, 1)), rng.normal(size=1)
    )
    by_q, ratio = weights * _density(nodes, posterior, beta), _ratio(nodes, beta)[None, :, None]
    shape = (len(nodes), 1)
    q, p = np.full(shape, posterior), np.full(shape, prior)
    joint = float(by_q @ discrete.joint_elbo(likelihood[None], q, p))
    marginal = float(by_q @ discrete.marginal_elbo(likelihood[None], q, p, ratio))
    evidence = math.log(float((weights * _density(nodes, prior, beta)) @ np.exp(likelihood)))
    return joint, marginal, evidence, float(by_q @ discrete.joint_marginal_gap(q, p, ratio))


def _pairs(panels: int = 16) -> tuple[Array, Array]:
    """Tensor rule on the square: points (N, 2) and weights."""
    nodes, weights = gauss(np.linspace(0, 1, panels + 1), 8)
    first, second = np.meshgrid(nodes, nodes, indexing="ij")
    return np.stack([first.ravel(), second.ravel()], axis=-1), np.outer(weights, weights).ravel()


def _two_groups(rng: Generator) -> tuple[float, float, float]:
    """Two units in order, posterior and prior of the second one conditional on the first."""
    points, weights = _pairs()
    beta, (a, b, c, d) = math.exp(rng.uniform(0, 2.3)), rng.normal(size=4)
    q = [np.full((len(points), 1), 2 * a), (3 * b * points[:, :1] + c)]
    p = [np.full((len(points), 1), d), (2 * c * points[:, :1] - a)]
    ratio = _ratio(points, beta)
    likelihood = _log_likelihood(points, rng.integers(0, 2, 3), 2 * rng.standard_normal((2, 3)), rng.normal(size=3))

    def mass(logits: list[Array]) -> Array:
        return weights * np.prod([_density(points[:, i], logits[i][:, 0], beta) for i in (0, 1)], axis=0)

    ratios = [ratio[None, :, :1], ratio[None, :, 1:]]
    joint = float(mass(q) @ discrete.directed_elbo(likelihood[None], q, p))
    marginal = float(mass(q) @ discrete.directed_elbo(likelihood[None], q, p, ratios))
    return joint, marginal, math.log(float(mass(p) @ np.exp(likelihood)))


def _machine(rng: Generator, left: int, right: int, scale: float = 1.0) -> tuple[Array, Array, Array]:
    return rng.normal(size=left), rng.normal(size=right), scale * rng.standard_normal((left, right))


def _boltzmann_prior(rng: Generator) -> tuple[float, float, float]:
    """Factorial posterior over one unit on each side of a machine."""
    points, weights = _pairs()
    beta, machine, logits = math.exp(rng.uniform(0, 2.3)), _machine(rng, 1, 1, 2.0), 2 * rng.normal(size=2)
    likelihood = _log_likelihood(points, rng.integers(0, 2, 3), 2 * rng.standard_normal((2, 3)), rng.normal(size=3))
    by_q = weights * np.prod(_density(points, logits, beta), axis=-1)
    ratio, at_0 = _ratio(points, beta), relaxations.overlap_exp_log_pdf(points, 0, beta)
    one = np.zeros(1, dtype=int)
    kl = boltzmann.hierarchical_kl(
        logits[:1], logits[1:], ratio[0, :1], ratio[0, 1:], one, one, *machine, boltzmann.log_partition(*machine)
    )
    prior = discrete.rbm_marginal_density(at_0, ratio, *machine)
    log_q = relaxations.smoothed_log_density(points, logits, FAMILY, beta).sum(axis=-1)
    joint = float(by_q @ likelihood - kl)
    marginal = float(by_q @ (likelihood + prior - log_q))
    return joint, marginal, math.log(float(weights @ np.exp(prior + likelihood)))


def log_z_and_other_parameters(rng: Generator) -> Metrics:
    """Gradients of the exact log Z: none along encoder and decoder, the moments along the machine's own."""
    import torch

    from vaes.ops import boltzmann as twin

    machine = _machine(rng, 6, 9, 0.7)
    own = [torch.tensor(part, requires_grad=True) for part in machine]
    others = [torch.tensor(rng.normal(size=5), requires_grad=True) for _ in ("encoder", "decoder")]
    found = torch.autograd.grad(twin.log_partition(*own), [*others, *own], allow_unused=True)
    moments = zip(found[2:], boltzmann.moments(*machine), strict=True)
    return {
        "other_gradients": sum(gradient is not None and bool(gradient.any()) for gradient in found[:2]),
        "moment_difference": largest(*(gradient.numpy() - wanted for gradient, wanted in moments)),
    }


def gradient_of_log_z(rng: Generator) -> Metrics:
    """Exact moments against central differences of the exact log Z, all entries of 6 + 9 units."""
    machine, step, worst = _machine(rng, 6, 9, 0.7), 1e-3, []
    for which, moments in enumerate(boltzmann.moments(*machine)):
        for index in np.ndindex(machine[which].shape):
            moved = {}
            for multiple in (-2, -1, 1, 2):
                parts = [part.copy() for part in machine]
                parts[which][index] += multiple * step
                moved[multiple] = float(boltzmann.log_partition(*parts))
            slope = (8 * (moved[1] - moved[-1]) - (moved[2] - moved[-2])) / (12 * step)
            worst.append(float(moments[index]) - slope)
    return {"difference": largest(*worst)}


def negative_energy_trick(rng: Generator) -> Metrics:
    """Gradient of the negative mean energy against sample moments, and with the weights of all states."""
    import torch

    from vaes.ops import boltzmann as twin

    machine = _machine(rng, 3, 4)
    left, right = rng.integers(0, 2, (50, 3)).astype(float), rng.integers(0, 2, (50, 4)).astype(float)
    own = [torch.tensor(part, requires_grad=True) for part in machine]
    surrogate = twin.log_partition_surrogate(torch.tensor(left), torch.tensor(right), *own)
    found = torch.autograd.grad(surrogate, own)
    wanted = (left.mean(axis=0), right.mean(axis=0), left.T @ right / len(left))
    states = np.array(list(product((0.0, 1.0), repeat=7)))
    chances = np.exp(-boltzmann.energy(states[:, :3], states[:, 3:], *machine) - boltzmann.log_partition(*machine))
    energies = twin.energy(torch.tensor(states[:, :3]), torch.tensor(states[:, 3:]), *own)
    exact = torch.autograd.grad(-(torch.tensor(chances) * energies).sum(), own)
    moments = boltzmann.moments(*machine)
    return {
        "sample_difference": largest(*(a.numpy() - b for a, b in zip(found, wanted, strict=True))),
        "enumeration_difference": largest(*(a.numpy() - b for a, b in zip(exact, moments, strict=True))),
    }


def no_gradient_through_chains(rng: Generator) -> Metrics:
    """Gradient of the energy of persistent chains with and without their explicit detachment."""
    import torch

    from vaes.ops import boltzmann as twin

    machine = [torch.tensor(part, requires_grad=True) for part in _machine(rng, 4, 5)]
    start = torch.tensor(rng.integers(0, 2, (64, 5)).astype(float))
    noise = [torch.tensor(rng.random((40, 64, units))) for units in (4, 5)]
    left, right, _ = twin.persistent_update(start, *machine, *noise)
    plain = torch.autograd.grad(-twin.energy(left, right, *machine).mean(), machine, retain_graph=True)
    held = torch.autograd.grad(-twin.energy(left.detach(), right.detach(), *machine).mean(), machine)
    return {"gradient_difference": max(float((a - b).abs().max()) for a, b in zip(plain, held, strict=True))}


def cross_entropy_is_unbiased(rng: Generator) -> Metrics:
    """Estimator against enumeration and quadrature; its pathwise gradient, and the one that the spike breaks."""
    errors = [_cross_entropy_error(rng, family, setting) for family, setting in _SETTINGS]
    return {
        "enumeration_error": largest(*errors),
        "gradient_standard_errors": _gradient_scores(rng),
        "spike_naive_standard_errors": _spike_score(rng),
    }


_SETTINGS = (("overlap_exp", 6.0), ("overlap_logistic", 0.2))


def _cross_entropy_error(rng: Generator, family: str, setting: float) -> float:
    """Two left units and one right unit whose logit depends on both smoothed latents."""
    machine, logits, slope, offset = _machine(rng, 2, 1), rng.normal(size=2), 2 * rng.normal(size=2), rng.normal()
    edges = np.linspace(0, 1, 21) if family == FAMILY else np.linspace(-38 * setting, 1 + 38 * setting, 121)
    nodes, weights = gauss(edges, 8)
    points = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    area = np.outer(weights, weights).ravel()
    right, log_z = points @ slope + offset, boltzmann.log_partition(*machine)
    exact = 0.0
    for left in product((0.0, 1.0), repeat=2):
        known = np.where(left, 60.0, -60.0)
        density = np.exp(relaxations.smoothed_log_density(points, known, family, setting).sum(axis=-1))
        chance = float(np.exp(np.sum(_log_mass(np.array(left), logits))))
        for bit in (0.0, 1.0):
            state = -boltzmann.energy(np.array(left), np.array([bit]), *machine) - log_z
            mass = float((area * density) @ expit(right if bit else -right))
            exact -= chance * mass * float(state)
    ratio = relaxations.smoothing_log_ratio(points, family, setting)
    values = boltzmann.hierarchical_cross_entropy(
        logits, right[:, None], ratio, np.zeros((len(points), 1)), np.zeros(2, int), np.ones(1, int), *machine, log_z
    )
    by_q = np.exp(relaxations.smoothed_log_density(points, logits, family, setting).sum(axis=-1))
    return float((area * by_q) @ values) - exact


def _log_mass(bits: Array, logits: Array) -> Array:
    """Log mass of each bit."""
    return np.where(bits > 0, log_expit(logits), log_expit(-logits))


def _gradient_scores(rng: Generator, draws: int = 200_000) -> float:
    """Mean pathwise gradient of the KL (1 + 1 units) against differences of the exact KL, in standard errors."""
    import torch

    from vaes.ops import boltzmann as twin
    from vaes.ops import relaxations as smooth

    beta, machine = 6.0, (np.array([0.3]), np.array([-0.4]), np.array([[1.5]]))
    values = np.array([0.5, 2.0, -0.7])
    log_z = float(boltzmann.log_partition(*machine))
    # One copy of the parameters for each draw gives the gradient of each draw.
    own = torch.tensor(np.broadcast_to(values, (draws, 3)).copy(), requires_grad=True)
    zeta = smooth.overlap_exp_icdf(torch.tensor(rng.random((draws, 1))), own[:, :1], beta)
    ratio = smooth.smoothing_log_ratio(zeta, FAMILY, beta)
    prior: Any = [torch.tensor(part) for part in (*machine, np.array(log_z))]
    groups: Any = (torch.tensor([0]), torch.tensor([1]))
    right = own[:, 1:2] * zeta + own[:, 2:]
    kl = twin.hierarchical_kl(own[:, :1], right, ratio, torch.zeros_like(ratio), *groups, *prior)
    (gradient,) = torch.autograd.grad(kl.sum(), own)
    found = gradient.numpy()
    scores = []
    for i in range(3):
        step = 1e-4 * np.eye(3)[i]
        slope = (_exact_kl(values + step, beta, machine) - _exact_kl(values - step, beta, machine)) / 2e-4
        scores.append((found[:, i].mean() - slope) / (found[:, i].std() / math.sqrt(draws)))
    return largest(*scores)


def _exact_kl(values: Array, beta: float, machine: tuple[Array, ...]) -> float:
    """KL of the joint over bits and smoothed latents by enumeration and quadrature."""
    nodes, weights = gauss(np.linspace(0, 1, 41))
    left_logit, right = float(values[0]), values[1] * nodes + values[2]
    total, log_z = 0.0, float(boltzmann.log_partition(*machine))
    for left, bit in product((0.0, 1.0), repeat=2):
        log_left = float(log_expit(left_logit if left else -left_logit))
        log_right = log_expit(right if bit else -right)
        prior = -float(boltzmann.energy(np.array([left]), np.array([bit]), *machine)) - log_z
        density = np.exp(relaxations.overlap_exp_log_pdf(nodes, left, beta))
        total += math.exp(log_left) * float((weights * density * np.exp(log_right)) @ (log_left + log_right - prior))
    return total


def _spike_score(rng: Generator, draws: int = 200_000) -> float:
    """The same for the pair term of one unit under the spike: what plain differentiation leaves out."""
    beta, own, slope, offset, weight = 5.0, 0.4, 2.0, -0.7, 1.5
    rho, chance = rng.random(draws), float(expit(own))
    zeta, by_logit = relaxations.spike_exp_icdf(rho, own, beta), relaxations.spike_exp_grad(rho, own, beta)[1]
    mean = expit(slope * zeta + offset)
    naive = (zeta > 0) * weight * mean * (1 - mean) * slope * by_logit
    nodes, weights = gauss(np.linspace(0, 1, 41))
    density = beta * np.exp(beta * (nodes - 1)) / -math.expm1(-beta)
    exact = chance * (1 - chance) * weight * float((weights * density) @ expit(slope * nodes + offset))
    return abs(float(naive.mean()) - exact) / (float(naive.std()) / math.sqrt(draws))


def two_evaluations(rng: Generator) -> Metrics:
    """Importance weights with bits and with smoothed latents, each against its own exact p(x)."""
    beta, draws = 8.0, 200_000
    machine, logits, pixels = _machine(rng, 1, 1, 1.5), rng.normal(size=3), rng.integers(0, 2, 4)
    decoder = (1.5 * rng.standard_normal((2, 4)), rng.normal(size=4))
    log_z = float(boltzmann.log_partition(*machine))
    exact_binary = _exact_evidence(None, machine, pixels, decoder)
    exact_smoothed = _exact_evidence(beta, machine, pixels, decoder)
    scores = {}
    for name, exact in (("binary", exact_binary), ("smoothed", exact_smoothed)):
        seen: list[Array] = []
        bits: list[Array] = []
        given: list[Array] = []
        for i in (0, 1):
            # The second unit is drawn given what the networks see of the first.
            given.append(np.full(draws, logits[0]) if i == 0 else logits[1] + 2 * logits[2] * seen[0])
            bits.append((rng.random(draws) < expit(given[i])).astype(float))
            uniform = rng.random(draws)
            seen.append(bits[i] if name == "binary" else _given_bit(uniform, bits[i], beta))
        likelihood = _log_likelihood(np.stack(seen, axis=-1), pixels, *decoder)
        units: Any = [value[:, None] for value in (*bits, *given)]
        arguments: Any = (*units, *machine, log_z, 0.0)
        weight = np.exp(boltzmann.log_weight(likelihood, *arguments))
        scores[f"{name}_standard_errors"] = abs(weight.mean() - exact) / (weight.std() / math.sqrt(draws))
    sharp = _exact_evidence(1e5, machine, pixels, decoder)
    return {
        **{name: float(score) for name, score in scores.items()},
        "difference": abs(exact_binary - exact_smoothed),
        "limit_difference": abs(sharp / exact_binary - 1),
    }


def _given_bit(uniform: Array, bits: Array, beta: float) -> Array:
    """Draw of r(zeta | z): a truncated exponential from 0, or its mirror image from 1."""
    zeta = -np.log1p(uniform * math.expm1(-beta)) / beta
    return np.where(bits > 0, 1 - zeta, zeta)


def _exact_evidence(
    beta: float | None, machine: tuple[Array, ...], pixels: Array, decoder: tuple[Array, Array]
) -> float:
    """p(x) by enumeration of the bits and, unless they are seen themselves, quadrature over the smoothed latents."""
    log_z, total = float(boltzmann.log_partition(*machine)), 0.0
    # Uniform variables of the two latents: any sharpness is smooth in them.
    edges = np.unique(np.concatenate([np.linspace(0, 1, 9), 1 - 0.125 * 2.0 ** -np.arange(1, 30)]))
    nodes, weights = gauss(edges, 8)
    for bits in product((0.0, 1.0), repeat=2):
        prior = math.exp(-float(boltzmann.energy(np.array(bits[:1]), np.array(bits[1:]), *machine)) - log_z)
        if beta is None:
            seen, area = np.array([bits]), np.ones(1)
        else:
            single = [_given_bit(nodes, np.full(len(nodes), bit), beta) for bit in bits]
            seen = np.stack(np.meshgrid(*single, indexing="ij"), axis=-1).reshape(-1, 2)
            area = np.outer(weights, weights).ravel()
        total += prior * float(area @ np.exp(_log_likelihood(seen, pixels, *decoder)))
    return total

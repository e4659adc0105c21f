"""Checks of schedules, balancing, likelihoods and the decoder from coarse to fine."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from reference import balancing, boltzmann, likelihoods, multiscale, optimisers, schedules
from reproductions.dvaepp._checks_smoothing import Generator, Metrics, largest
from reproductions.dvaepp.tables import printed


def annealing(rng: Generator) -> Metrics:
    """Weight of the KL at four steps."""
    steps = np.array([0, 150_000, 300_000, 1_000_000])
    found = schedules.kl_warmup(steps, 0, printed("app-f/kl-annealing-300k")["annealing length"])
    return {"schedule_error": largest(found - [0, 0.5, 1, 1])}


def learning_rate(rng: Generator) -> Metrics:
    """Learning rate at both ends of its four segments."""
    cells = printed("app-f/learning-rate-schedule")
    steps = np.array([0, 599_999, 600_000, 749_999, 750_000, 949_999, 950_000, 999_999])
    found = schedules.step_decay(steps, cells["initial rate"], [cells["factor"]] * 3, cells["milestones"])
    return {"schedule_error": largest(found - np.repeat([3e-3, 9e-4, 2.7e-4, 8.1e-5], 2))}


def adamax(rng: Generator) -> Metrics:
    """Adamax at the printed rate against another implementation, 100 steps on a quadratic."""
    import torch

    rate = printed("app-g/optimisation")["learning rate"]
    root, start = rng.standard_normal((6, 6)), rng.standard_normal(6)
    matrix = root @ root.T + np.eye(6)
    theta, first, norm = start, np.zeros(6), np.zeros(6)
    other = torch.tensor(start, requires_grad=True)
    optimiser = torch.optim.Adamax([other], lr=rate)
    worst = 0.0
    for count in range(1, 101):
        theta, first, norm = optimisers.adamax(theta, matrix @ theta, first, norm, count, rate)
        optimiser.zero_grad()
        (0.5 * other @ torch.tensor(matrix) @ other).backward()
        optimiser.step()
        worst = max(worst, largest(theta - other.detach().numpy()))
    return {"trajectory_difference": worst}


def output_channels(rng: Generator) -> Metrics:
    """Channels of ten components for three colours, and total masses of one channel and of a colour."""
    width = [n for n in range(1, 130) if _splits(n)]
    mean, log_scale = rng.uniform(-1.3, 1.7, 300), rng.uniform(-12, 5, 300)
    masses = [likelihoods.total_mass(mean, np.exp(log_scale)) - 1]
    levels = 8
    colours = np.array(list(itertools.product(range(levels), repeat=3))).T[:, :, None]
    shape = (3, 4, 1, 1)
    parts = (rng.standard_normal((4, 1, 1)), rng.uniform(-1, 1, shape), rng.uniform(-4, 1, shape))
    wide = [np.broadcast_to(p, (*p.shape[:-2], levels**3, 1)) for p in (*parts, rng.standard_normal(shape))]
    arguments: Any = (colours, *wide, levels)
    masses.append(np.exp(likelihoods.mixture_of_logistics(*arguments)).sum() - 1)
    return {"channels": sum(width), "mass_error": largest(*masses)}


def _splits(width: int) -> bool:
    components = printed("app-g/decoder-output-channels")["mixture components"]
    try:
        likelihoods.split_mixture(np.zeros((width, 1, 1)), components, 3, True)
    except ValueError:
        return False
    return True


def pixel_subsets(rng: Generator) -> Metrics:
    """Sizes and nesting of the subsets of three image sizes."""
    cases = (
        (16, (4, 2, 1), (16, 48, 192)),
        (32, (8, 4, 2, 1), (16, 48, 192, 768)),
        (28, (8, 4, 2, 1), (16, 33, 147, 588)),
    )
    overlaps, sizes, nesting = 0, 0, 0
    for side, strides, wanted in cases:
        masks = multiscale.pixel_subsets(side, side, strides)
        overlaps += int(np.sum(masks.sum(axis=0) != 1))
        sizes += sum(int(mask.sum()) != size for mask, size in zip(masks, wanted, strict=True))
        # Up to each scale the pixels are a regular grid.
        for stride, grid in zip(strides, np.cumsum(masks, axis=0).astype(bool), strict=True):
            regular = np.zeros_like(grid)
            regular[::stride, ::stride] = True
            nesting += int(np.sum(grid != regular))
    return {"overlaps": overlaps, "size_errors": sizes, "not_nested": nesting}


def consistent_decoder(rng: Generator) -> Metrics:
    """Mass of all binary 4x4 images under a random network, and when given pixels are generated again."""
    masks = multiscale.pixel_subsets(4, 4, (2, 1))
    codes = np.arange(2**16)
    images = ((codes[:, None] >> np.arange(16)) & 1).reshape(-1, 4, 4).astype(float)
    seen = multiscale.visible(images, masks)
    inner, outer = rng.standard_normal((2, 16, 8)), rng.standard_normal((2, 8, 16))
    hidden = np.tanh(np.einsum("sni,sij->snj", seen.reshape(2, -1, 16), inner))
    logits = np.einsum("snj,sjk->snk", hidden, outer).reshape(2, -1, 4, 4)
    mass = float(np.exp(multiscale.log_likelihood(images, logits, masks)).sum())
    # The wrong variant counts every pixel of a scale's grid.
    again = -np.logaddexp(0, np.where(images > 0, -logits, logits))
    wrong = float(np.exp(again[0][:, ::2, ::2].sum((1, 2)) + again[1].sum((1, 2))).sum())
    return {"mass_error": abs(mass - 1), "wrong_variant_error": abs(wrong - 1)}


EPSILON = 0.1


def _weights(group_kl: np.ndarray, floor: float = EPSILON) -> np.ndarray:
    return balancing.balance_weights(group_kl[:, None], np.ones(len(group_kl)), floor)


def balancing_formula(rng: Generator) -> Metrics:
    """Sum, equality, order and excess of the weights of random groups."""
    total, equal, excess, wrong = [], [], [], 0
    for _ in range(1000):
        groups = int(rng.integers(2, 33))
        kl = np.exp(rng.uniform(-8, 4, groups))
        alpha = _weights(kl)
        total.append(alpha.sum() / groups - 1)
        equal.append(_weights(np.full(groups, kl[0])) - 1)
        wrong += int(np.any(np.diff(alpha[np.argsort(kl)]) < 0))
        added = float(alpha @ kl - kl.sum())
        wanted = groups * kl.var() / (kl.mean() + EPSILON)
        excess.append((added - wanted) / kl.sum())
        excess.append((float(balancing.balance_excess(kl, EPSILON)) - wanted) / kl.sum())
    equal.append(_weights(np.zeros(5)) - 1)
    return {
        "sum_error": largest(*total),
        "equal_error": largest(*equal),
        "order_errors": wrong,
        "excess_error": largest(*excess),
    }


def smaller_is_penalised_less(rng: Generator) -> Metrics:
    """Side of 1 of each weight against the side of the mean of its group."""
    wrong = 0
    for _ in range(1000):
        kl = np.exp(rng.uniform(-8, 4, int(rng.integers(2, 33))))
        wrong += int(np.sum((_weights(kl) > 1) != (kl > kl.mean())))
    return {"sign_errors": wrong}


def epsilon_softens(rng: Generator) -> Metrics:
    """Small KL values with the softening, and ratios without it."""
    near, ratio = [], []
    for _ in range(200):
        near.append(_weights(rng.uniform(0, 1e-3, 12)) - 1)
        kl = np.exp(rng.uniform(-8, 4, 6))
        alpha = _weights(kl, 0.0)
        ratio.append(np.outer(alpha, 1 / alpha) / np.outer(kl, 1 / kl) - 1)
    with np.errstate(invalid="ignore"):
        undefined = np.zeros(6) / np.zeros(6).sum()
    return {
        "distance_from_one": largest(*near),
        "ratio_error": largest(*ratio),
        "finite_at_all_zero": int(np.sum(np.isfinite(undefined))),
    }


def stop_gradient(rng: Generator) -> Metrics:
    """Gradient of the balanced penalty with the weights held and with them differentiated."""
    import torch

    from vaes.ops import balancing as twin

    errors = []
    for _ in range(50):
        groups, gamma = int(rng.integers(2, 17)), rng.uniform(0, 1)
        kl = torch.tensor(np.exp(rng.uniform(-6, 3, groups)), requires_grad=True)
        alpha = twin.balance_weights(kl[:, None], torch.ones(groups, dtype=kl.dtype), EPSILON).detach()
        (found,) = torch.autograd.grad(gamma * (alpha * kl).sum(), kl)
        errors.append(found.numpy() - gamma * _weights(kl.detach().numpy()))
    pair = torch.tensor([1.0, 4.0], dtype=torch.float64, requires_grad=True)
    weights = _weights(np.array([1.0, 4.0]))
    raw = pair + EPSILON
    (full,) = torch.autograd.grad((2 * raw / raw.sum() * pair).sum(), pair)
    return {
        "gradient_error": largest(*errors),
        "stopped_1": float(weights[0]),
        "stopped_2": float(weights[1]),
        "full_1": float(full[0]),
        "full_2": float(full[1]),
    }


def only_during_annealing(rng: Generator) -> Metrics:
    """Objective at the end of annealing against the negative bound, and before it against its definition."""
    at_one, below = [], []
    for _ in range(200):
        groups, gamma = int(rng.integers(2, 17)), rng.uniform(0, 1)
        # Multiples of 1/1024: every sum is exact, so that equality does not depend on its order.
        nll, kl = rng.integers(0, 2**16, 8) / 1024, rng.integers(0, 2**14, (groups, 8)) / 1024
        found = balancing.regularised_loss(nll, kl, 1.0, np.ones(groups), np.zeros(1), 0.0)
        at_one.append(found + np.mean(boltzmann.elbo(-nll, kl[0], kl[1:].T)))
        alpha = _weights(kl.mean(axis=1))
        found = balancing.regularised_loss(nll, kl, gamma, alpha, np.zeros(1), 0.0)
        below.append(found / np.mean(nll + gamma * (alpha @ kl)) - 1)
    return {"loss_difference_at_one": largest(*at_one), "loss_difference_below_one": largest(*below)}

"""Checks of schedules, optimiser, data, likelihoods, the spectral penalty and the flows.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from reference import (
    activations,
    bernoulli,
    bounds,
    collapse,
    flows,
    gaussian,
    likelihoods,
    optimisers,
    quantisation,
    schedules,
    spectral,
)
from reproductions.nvae import tables

Metrics = dict[str, float]
Array = NDArray[np.float64]
# Public settings: delay and floor of the KL warm-up; epsilon, decay and least rate of the optimiser.
DELAY, FLOOR = 1e-4, 1e-4
EPSILON, DECAY, LEAST_RATE = 1e-3, 3e-4, 1e-4
SWISH_SLOPE = 1.0998393194


def kl_warmup(rng: np.random.Generator) -> Metrics:
    """The schedule of the public code against the line of the paper."""
    portion = tables.printed("app-a/kl-warmup")["portion of training"] / 100
    errors, decreases, ends = [], 0, []
    for total in (60_000.0, 78_000.0, 131_200.0):
        steps = np.arange(0, total + 1, 10)
        found = schedules.kl_warmup_portion(steps, total, DELAY, portion, FLOOR)
        errors.append(np.max(np.abs(found - np.minimum(steps / (portion * total), 1))))
        decreases += int(np.sum(np.diff(found) < 0))
        last = schedules.kl_warmup_portion(math.ceil((portion + DELAY) * total), total, DELAY, portion, FLOOR)
        ends += [abs(float(found[0])), abs(float(last) - 1), abs(float(found[-1]) - 1)]
    return {"schedule_error": float(max(errors)), "decreases": decreases, "end_point_error": max(ends)}


def lambda_schedule(rng: np.random.Generator) -> Metrics:
    """End points of the annealed coefficient, and its logarithm on an even grid of the KL weight."""
    row = tables.printed("app-a/lambda-values")
    ends, bends = [], []
    for first, last in itertools.product(
        (row["annealing start"], 1.0), (row["usual lambda, small"], row["usual lambda, large"])
    ):
        found = schedules.geometric_interpolation(np.linspace(0, 1, 101), first, last)
        ends += [abs(found[0] / first - 1), abs(found[-1] / last - 1)]
        bends.append(np.max(np.abs(np.diff(np.log(found), 2))))
    return {"end_point_error": float(max(ends)), "second_difference": float(max(bends))}


def optimiser_settings(rng: np.random.Generator) -> Metrics:
    """50 steps of Adamax against PyTorch's with the public settings; ends of the rate; printed rates."""
    import torch

    torch.set_num_threads(1)
    row = tables.printed("app-a/optimiser-settings")
    rate = row["learning rate"]
    start = rng.standard_normal(20)
    weight = torch.nn.Parameter(torch.tensor(start))
    optimiser = torch.optim.Adamax([weight], lr=rate, eps=EPSILON, weight_decay=DECAY)
    state = (start, np.zeros(20), np.zeros(20))
    worst = 0.0
    for count in range(1, 51):
        gradient = rng.standard_normal(20) * 10.0 ** rng.uniform(-4, 2, 20)
        weight.grad = torch.tensor(gradient)
        optimiser.step()
        state = optimisers.adamax(state[0], gradient, *state[1:], count=count, rate=rate, decay=DECAY, epsilon=EPSILON)
        worst = max(worst, float(np.max(np.abs(weight.detach().numpy() - state[0]))))
    ends = schedules.warmup_then_cosine(np.array([0, 5 * 195, 399 * 195]), 195, 5, 400, rate, LEAST_RATE)
    return {
        "trajectory_error": worst,
        "rate_end_point_error": float(np.max(np.abs(ends - [0, rate, LEAST_RATE]))),
        "rate": rate,
        "rate_ffhq": row["learning rate FFHQ"],
    }


def data_sets(rng: np.random.Generator) -> Metrics:
    """The 5-bit quantiser, a uniform model, and the split of FFHQ."""
    row = tables.printed("app-a/datasets")
    bits, side = int(row["bits per channel"]), int(row["image side"])
    pixels = np.arange(256)
    codes = quantisation.quantise_bits(pixels, bits)
    dims = 3 * side**2
    split = row["FFHQ train images"] + row["FFHQ test images"]
    return {
        "quantiser_differences": int(np.sum(codes != pixels // 8)),
        "levels": len(np.unique(codes)),
        "uniform_bits": float(bounds.bits_per_dim(-dims * math.log(2**bits), dims)),
        "split_difference": split - 70_000,
    }


def likelihood_totals(rng: np.random.Generator) -> Metrics:
    """Totals of both likelihoods over their supports, and of the public rule at the upper edge of 8 bits."""
    masses = []
    for levels in (32, 256):
        shape = (1, 10, 1, levels)
        means, scales = (
            np.broadcast_to(v, shape) for v in (rng.uniform(-1, 1, (1, 10, 1, 1)), rng.uniform(-7, 0, (1, 10, 1, 1)))
        )
        logits = np.broadcast_to(rng.standard_normal((10, 1, 1)), (10, 1, levels))
        codes = np.arange(levels).reshape(1, 1, levels)
        masses.append(np.exp(likelihoods.mixture_of_logistics(codes, logits, means, scales, levels=levels)).sum())
    # All colours of a pixel of four levels, with the coefficients that tie them.
    codes = np.array(list(itertools.product(range(4), repeat=3))).T.reshape(3, 1, 64)
    wide = (3, 10, 1, 64)
    parts = [np.broadcast_to(rng.uniform(low, high, (3, 10, 1, 1)), wide) for low, high in ((-1, 1), (-3, 0), (-1, 1))]
    logits = np.broadcast_to(rng.standard_normal((10, 1, 1)), (10, 1, 64))
    means, scales, ties = parts
    masses.append(np.exp(likelihoods.mixture_of_logistics(codes, logits, means, scales, ties, levels=4)).sum())
    logit = rng.uniform(-30, 30, (100, 1))
    binary = sum(np.exp(bernoulli.log_likelihood(np.full((100, 1), float(x)), logit)) for x in (0, 1))
    edge = []
    for mean, scale in ((0.6, 0.3), (0.9, 0.25)):
        public = np.exp(likelihoods.thresholded_logistic(np.arange(256), mean, scale, top=0.99)).sum()
        last = np.exp(likelihoods.discretised_logistic(255, mean, scale, 256, -1.0, 1.0))
        edge.append(public - 1 - last)
    return {
        "mixture_mass_error": float(np.max(np.abs(np.array(masses) - 1))),
        "bernoulli_mass_error": float(np.max(np.abs(binary - 1))),
        "public_edge_error": float(np.max(np.abs(edge))),
    }


def unconditional_decoder(rng: np.random.Generator) -> Metrics:
    """Terms of the log likelihood after one pixel changed."""
    elsewhere = {"bernoulli": 0, "mixture": 0}
    unchanged = 0
    logits = rng.standard_normal((6, 6, 1))
    image = rng.integers(0, 2, (6, 6, 1)).astype(float)
    means, coefficients = rng.uniform(-1, 1, (2, 3, 5, 6, 6))
    scales, weights = rng.uniform(-4, -1, (3, 5, 6, 6)), rng.standard_normal((5, 6, 6))
    codes = rng.integers(0, 256, (3, 6, 6))
    terms = bernoulli.log_likelihood(image, logits)
    mixture = likelihoods.mixture_of_logistics(codes, weights, means, scales, coefficients)
    for place in itertools.product(range(6), repeat=2):
        other = image.copy()
        other[place] = 1 - other[place]
        changed = codes.copy()
        changed[:, place[0], place[1]] = (changed[:, place[0], place[1]] + 40) % 256
        now = (
            bernoulli.log_likelihood(other, logits) != terms,
            likelihoods.mixture_of_logistics(changed, weights, means, scales, coefficients) != mixture,
        )
        for name, moved in zip(elsewhere, now, strict=True):
            unchanged += not moved[place]
            elsewhere[name] += int(moved.sum()) - int(moved[place])
    return {**{f"{name}_changes_elsewhere": count for name, count in elsewhere.items()}, "unchanged_there": unchanged}


def swish_definition(rng: np.random.Generator) -> Metrics:
    """Swish against its definition and PyTorch, its minimum and its slope."""
    import torch

    u = np.linspace(-30, 30, 6001)
    found = activations.silu(u)
    unit = np.spacing(np.abs(found)) + (found == 0)
    direct = u / (1 + np.exp(-u))
    theirs = torch.nn.functional.silu(torch.tensor(u)).numpy()
    place = optimize.brentq(lambda t: _slope(t), -2.0, -0.5, xtol=1e-14)
    step = 1e-5
    difference = (activations.silu(u + step) - activations.silu(u - step)) / (2 * step)
    return {
        "ulps_from_definition": float(np.max(np.abs(found - direct) / unit)),
        "ulps_from_torch": float(np.max(np.abs(found - theirs) / unit)),
        "minimum": float(activations.silu(place)),
        "place_of_minimum": place,
        "slope_error": float(np.max(np.abs(difference - _slope(u)))),
    }


def _slope(u: Array | float) -> Array:
    """Derivative of Swish."""
    gate = 1 / (1 + np.exp(-np.asarray(u)))
    return gate * (1 + u * (1 - gate))


def swish_not_in_place(rng: np.random.Generator) -> Metrics:
    """Two inputs of Swish with one output and two slopes; ELU and ReLU give the slope from the output."""
    lowest = -1.278465
    values, slopes = [], []
    for target in np.linspace(-0.278, -0.001, 100):
        left = optimize.brentq(lambda t, y=target: float(activations.silu(t)) - y, -40, lowest, xtol=1e-14)
        right = optimize.brentq(lambda t, y=target: float(activations.silu(t)) - y, lowest, 0, xtol=1e-14)
        values.append(abs(float(activations.silu(left) - activations.silu(right))))
        slopes.append(abs(float(_slope(left) - _slope(right))))
    u = np.concatenate([np.linspace(-5, -0.01, 200), np.linspace(0.01, 5, 200)])
    step = 1e-6
    elu = activations.elu(u)
    exact = (activations.elu(u + step) - activations.elu(u - step)) / (2 * step)
    rectified = activations.leaky_relu(u, 0.0)
    wrong = int(np.sum(np.abs(np.where(elu > 0, 1, elu + 1) - exact) > 1e-8))
    wrong += int(np.sum((rectified > 0) != (u > 0)))
    return {"value_difference": max(values), "slope_difference": min(slopes), "elu_relu_failures": wrong}


def power_iteration(rng: np.random.Generator) -> Metrics:
    """One warm-started update per step on drifting weights, and one update from a cold start."""
    late, excess = [], []
    for ratio in (0.5, 0.9, 0.99):
        left, _, right = np.linalg.svd(rng.standard_normal((24, 54)), full_matrices=False)
        weight = left @ np.diag(np.concatenate([[1.0], ratio * np.linspace(1, 0.1, 23)])) @ right
        vector = rng.standard_normal(24)
        for step in range(500):
            drift = rng.standard_normal(weight.shape)
            weight = weight + 1e-3 * np.linalg.norm(weight) / np.linalg.norm(drift) * drift
            vector, other = spectral.power_iteration(weight, vector, 1)
            found = float(spectral.norm_estimate(weight, vector, other))
            exact = float(np.linalg.norm(weight, 2))
            excess.append(found - exact)
            if step >= 100:
                late.append(abs(found / exact - 1))
    weight = rng.standard_normal((24, 54))
    vector, other = spectral.power_iteration(weight, rng.standard_normal(24), 1)
    cold = 1 - float(spectral.norm_estimate(weight, vector, other)) / float(np.linalg.norm(weight, 2))
    return {"tracking_error": max(late), "excess": max(0.0, *excess), "cold_start_error": cold}


def lipschitz(rng: np.random.Generator) -> Metrics:
    """Bounds of 1000 dense and depthwise convolutions, and slopes of chains of two of them."""
    outside = steep = depthwise = 0
    side = 6
    for trial in range(1000):
        size = (1, 3, 5)[trial % 3]
        first, second = rng.standard_normal((2, 3, 3, size, size))
        norms = [float(spectral.conv_norm(weight, side, side)) for weight in (first, second)]
        for weight, norm in zip((first, second), norms, strict=True):
            low, high = (float(v) for v in spectral.lipschitz_bounds(weight, 1))
            outside += not low * (1 - 1e-9) <= norm <= high * (1 + 1e-9)
        single = first[:, :1]
        low, high = (float(v) for v in spectral.lipschitz_bounds(single, 3))
        norm = float(np.max(np.abs(np.fft.fft2(single, (side, side)))))
        depthwise += not low * (1 - 1e-9) <= norm <= high * (1 + 1e-9)
        limit = float(spectral.network_bound([*norms, SWISH_SLOPE if trial % 2 else 1.0]))
        x = rng.standard_normal((3, side, side))
        shift = rng.standard_normal(x.shape) * 10.0 ** rng.uniform(-3, 0)
        moved = _chain(x + shift, first, second, trial % 2) - _chain(x, first, second, trial % 2)
        steep += bool(np.linalg.norm(moved) > limit * np.linalg.norm(shift) * (1 + 1e-9))
    return {"bound_violations": outside, "slope_violations": steep, "depthwise_violations": depthwise}


def _chain(x: Array, first: Array, second: Array, swish: int) -> Array:
    """Two circular convolutions with Swish or ReLU between them."""
    hidden = _circular(x, first)
    hidden = activations.silu(hidden) if swish else activations.leaky_relu(hidden, 0.0)
    return _circular(hidden, second)


def _circular(x: Array, weight: Array) -> Array:
    """Convolution with circular padding, through the Fourier transform."""
    kernel = np.fft.fft2(weight, x.shape[-2:])
    return np.fft.ifft2(np.einsum("oiab,iab->oab", kernel, np.fft.fft2(x))).real


CHANNELS, SIDE, HIDDEN = 3, 5, 6


def random_flow(rng: np.random.Generator) -> tuple[list[Array], Array]:
    """Random kernels of one step, of the size at which the shift is of order one."""
    weights = [
        rng.standard_normal((HIDDEN, CHANNELS, 3, 3)) / 3,
        rng.standard_normal((HIDDEN, 1, 5, 5)) / 3,
        rng.standard_normal((CHANNELS, HIDDEN, 1, 1)) / 2,
    ]
    return weights, rng.standard_normal(CHANNELS)


def variable_order(mirrored: bool) -> NDArray[np.int64]:
    """Positions of the flattened (channel, row, column) array in the order of the flow."""
    index = np.arange(CHANNELS * SIDE**2).reshape(CHANNELS, SIDE, SIDE)
    if mirrored:
        index = index[:, ::-1, ::-1]
    return index.transpose(1, 2, 0).ravel()


def _invert(z: Array, weights: list[Array], bias: Array, mirrored: bool) -> Array:
    """One variable after the other in the order of the flow."""
    found, flat = np.zeros_like(z), z.ravel()
    for place in variable_order(mirrored):
        shift = flows.autoregressive_shift(found, weights, bias, mirrored).ravel()
        found.ravel()[place] = flat[place] - shift[place]
    return found


def volume_preserving(rng: np.random.Generator) -> Metrics:
    """Finite Jacobian of a plain and of a mirrored step in their order, and sequential inversion."""
    above, diagonal, inversion, logs = 0.0, 0.0, 0.0, 0.0
    for mirrored in (False, True):
        weights, bias = random_flow(rng)
        z = rng.standard_normal((1, CHANNELS, SIDE, SIDE))
        base = flows.additive_step(z, weights, bias, mirrored)
        steps = z + np.eye(z.size).reshape(z.size, CHANNELS, SIDE, SIDE)
        moved = flows.additive_step(steps, weights, bias, mirrored) - base
        order = variable_order(mirrored)
        jacobian = moved.reshape(z.size, z.size).T[np.ix_(order, order)]
        above = max(above, float(np.max(np.abs(np.triu(jacobian, 1)))))
        diagonal = max(diagonal, float(np.max(np.abs(np.diag(jacobian) - 1))))
        logs = max(logs, abs(float(np.sum(np.log(np.abs(np.diag(jacobian)))))))
        inversion = max(inversion, float(np.max(np.abs(_invert(base, weights, bias, mirrored) - z))))
    return {
        "above_diagonal": above,
        "diagonal_error": diagonal,
        "log_determinant": logs,
        "inversion_error": inversion,
    }


def no_inversion(rng: np.random.Generator) -> Metrics:
    """Log density carried forward through a pair of steps, against the one at the inverted sample."""
    pair = [(*random_flow(rng), mirrored) for mirrored in (False, True)]
    worst = 0.0
    for _ in range(5):
        z = rng.standard_normal((1, CHANNELS, SIDE, SIDE))
        mean, scale = rng.standard_normal(z.size), rng.uniform(0.3, 2, z.size)
        forward = flows.posterior_log_density(gaussian.log_density(z.ravel(), mean, scale), np.zeros(len(pair)))
        last = z
        for weights, bias, mirrored in pair:
            last = flows.additive_step(last, weights, bias, mirrored)
        for weights, bias, mirrored in reversed(pair):
            last = _invert(last, weights, bias, mirrored)
        # The determinant is 1: the Jacobian is triangular (app-a/flow-is-volume-preserving).
        worst = max(worst, abs(float(forward - gaussian.log_density(last.ravel(), mean, scale))))
    return {"density_difference": worst}


def active_channels(rng: np.random.Generator) -> Metrics:
    """Planted channels just below and above the threshold, and the count of the public code on random maps."""
    threshold = tables.printed("footnote-5/active-channel-definition")["threshold"]
    levels = threshold * np.array([1 - 1e-6, 1 + 1e-6, 0.5, 2.0])
    maps = rng.uniform(0.5, 1.5, (16, 4, 8, 8))
    maps *= (levels / maps.mean(axis=(0, 2, 3)))[:, None, None]
    mistakes = int(np.sum(collapse.active_channels(maps, threshold) != (levels > threshold)))
    smaller = 0
    for _ in range(200):
        kl = rng.exponential(10.0 ** rng.uniform(-4, 0, (1, 10, 1, 1)), (4, 10, 8, 8))
        paper, public = (collapse.active_channels(kl, threshold, mean_over_space=mean).sum() for mean in (True, False))
        smaller += bool(public < paper)
    return {"mistakes": mistakes, "smaller_counts": smaller}

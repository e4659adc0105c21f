"""Checks of the discrete decoders of Section E: bits, bins, logistics and mixtures of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import integrate, stats
from scipy.special import logit

from reference import bernoulli, discrete, likelihoods, quantisation

Metrics = dict[str, float]
Generator = np.random.Generator


def _largest(*values: np.ndarray | float) -> float:
    return max(float(np.max(np.abs(value))) for value in values)


def bitwise_eight_values(rng: Generator) -> Metrics:
    """Eight Bernoulli bits as a distribution over 256 codes, and the memory they take."""
    codes = np.arange(256)
    mass, difference = [], []
    for _ in range(50):
        logits = 4 * rng.standard_normal(8)
        found = likelihoods.bitwise(codes, np.broadcast_to(logits, (256, 8)))
        mass.append(np.exp(found).sum() - 1)
        chances = 1 / (1 + np.exp(-logits))
        binary = np.array(list(itertools.product((0, 1), repeat=8)))[:, ::-1]
        difference.append(found - stats.bernoulli.logpmf(binary, chances).sum(axis=-1))
    size = quantisation.decoder_output_bytes("bitwise", 3, 1024, 1024)
    return {
        "codes": len(np.unique(codes)),
        "mass_error": _largest(*mass),
        "loss_difference": _largest(*difference),
        "memory_gib": size / 2**30,
        "memory_ratio": quantisation.decoder_output_bytes("categorical", 3, 1024, 1024) / size,
        "round_trip_errors": int(np.sum(quantisation.from_bits(quantisation.to_bits(codes, 8)) != codes)),
    }


def categorical_head_memory(rng: Generator) -> Metrics:
    """GiB of output, saved tensors and gradient of a head at 1024 x 1024 x 3, by tensors without storage."""
    import torch

    from vaes.ops import calibration

    def held(shape: tuple[int, ...], loss: Callable[[Any], Any]) -> float:
        saved: list[int] = []

        def keep(tensor: Any) -> Any:
            saved.append(tensor.nbytes)
            return tensor

        output = torch.empty(shape, device="meta", requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            value = loss(output).sum()
        (gradient,) = torch.autograd.grad(value, output)
        return (output.nbytes + sum(saved) + gradient.nbytes) / 2**30

    def categorical(images: int) -> float:
        codes = torch.zeros(images, 1, 3, 1024, 1024, dtype=torch.int64, device="meta")
        return held((images, 256, 3, 1024, 1024), lambda logits: torch.log_softmax(logits, 1).gather(1, codes))

    def gaussian(images: int) -> float:
        x, log_sigma = torch.empty(images, 3 * 1024**2, device="meta"), torch.zeros((), device="meta")
        return held((images, 3 * 1024**2), lambda mean: calibration.gaussian_nll(x, mean, log_sigma))

    return {"categorical_head": categorical(1), "categorical_batch": categorical(16), "gaussian_batch": gaussian(16)}


def cross_entropy_is_log_likelihood(rng: Generator) -> Metrics:
    """Cross-entropy on bits against the Bernoulli log mass; on grey targets it also holds their entropy."""
    logits = np.concatenate([np.linspace(-500, 500, 1001), rng.standard_normal(500)])
    bits = rng.integers(0, 2, logits.size).astype(float)
    # The smaller of the two chances keeps its digits.
    flip = logits > 0
    chance = np.exp(-np.abs(logits)) / (1 + np.exp(-np.abs(logits)))
    wanted = stats.bernoulli.logpmf(np.where(flip, 1 - bits, bits), chance)
    found = bernoulli.log_likelihood(bits[:, None], logits[:, None])
    grey, near = rng.uniform(0.02, 0.98, 500), 3 * rng.standard_normal(500)
    cross = -bernoulli.log_likelihood(grey[:, None], near[:, None])
    entropy = cross - discrete.bernoulli_kl(logit(grey)[:, None], near[:, None])
    return {
        "difference": _largest(found - wanted),
        "grey_difference": float(entropy.min()),
        "entropy_error": _largest(entropy - stats.bernoulli.entropy(grey)),
    }


def bitwise_general_format(rng: Generator) -> Metrics:
    """Bytes, words, two's complement and half floats as bits: there and back, mass, cost of zero logits."""
    formats: dict[str, tuple[np.ndarray, int]] = {
        "uint8": (np.arange(256, dtype=np.uint8), 8),
        "uint16": (rng.integers(0, 2**16, 2000).astype(np.uint16), 16),
        "int8": (np.arange(-128, 128).astype(np.int8), 8),
        "float16": (rng.standard_normal(2000).astype(np.float16), 16),
    }
    wrong, mass, cost = 0, [], []
    for values, count in formats.values():
        unsigned: Any = np.uint8 if count == 8 else np.uint16
        codes = values.view(unsigned).astype(np.int64)
        back = quantisation.from_bits(quantisation.to_bits(codes, count)).astype(unsigned).view(values.dtype)
        wrong += int(np.sum(back != values))
        logits = np.broadcast_to(rng.standard_normal(count), (2**count, count))
        mass.append(np.exp(likelihoods.bitwise(np.arange(2**count), logits)).sum() - 1)
        cost.append(likelihoods.bitwise(codes, np.zeros((len(codes), count))) + count * math.log(2))
    return {"round_trip_errors": wrong, "mass_error": _largest(*mass), "zero_logit_error": _largest(*cost)}


FAMILIES = {
    "logistic": (likelihoods.discretised_logistic, stats.logistic),
    "gaussian": (likelihoods.discretised_gaussian, stats.norm),
}


def bins_integrate_density(rng: Generator) -> Metrics:
    """Masses against quadrature of the density, against 50 digits, and their sum."""
    means = np.concatenate([rng.uniform(-0.3, 1.3, 196), [-2.0, 0.0, 1.0, 3.0]])
    scales = np.concatenate([np.exp(rng.uniform(math.log(1e-3), math.log(10), 196)), [1e-3, 10.0, 1e-3, 10.0]])
    codes = np.arange(256)
    total, quadrature, digits = [], [], []
    for name, (mass, family) in FAMILIES.items():
        table = mass(codes[:, None], means, scales)
        total.append(np.exp(table).sum(axis=0) - 1)
        for i in range(0, 200, 20):
            for k in (0, 1, 90, 200, 255):
                found = math.exp(float(table[k, i]))
                quadrature.append(found - _quadrature(family, k, float(means[i]), float(scales[i])))
                digits.append(float(table[k, i]) / _exact_log_mass(name, k, float(means[i]), float(scales[i])) - 1)
    return {
        "quadrature_error": _largest(*quadrature),
        "sum_error": _largest(*total),
        "mpmath_error": _largest(*digits),
    }


def _quadrature(family: stats.rv_continuous, code: int, mean: float, scale: float) -> float:
    """Integral of the density over a bin; an open bin in pieces out to where nothing is left."""
    lower = (code - 0.5) / 255 if code > 0 else min(mean, 0.0) - 60 * scale
    upper = (code + 0.5) / 255 if code < 255 else max(mean, 1.0) + 60 * scale
    marks = mean + scale * np.array([-30, -10, -3, -1, 0, 1, 3, 10, 30])
    edges = [lower, *(m for m in marks if lower < m < upper), upper]
    density = family(mean, scale).pdf
    return sum(integrate.quad(density, a, b, epsabs=1e-14)[0] for a, b in itertools.pairwise(edges))


def _exact_log_mass(name: str, code: int, mean: float, scale: float) -> float:
    import mpmath

    with mpmath.workdps(50):
        mean, scale = mpmath.mpf(mean), mpmath.mpf(scale)
        edges = [(mpmath.mpf(code) + mpmath.mpf(side) / 2) / 255 for side in (-1, 1)]
        # Towards the tail, where the smaller of the two values of the distribution function keeps its digits.
        sign = -1 if sum(edges) > 2 * mean else 1

        def cumulative(edge: mpmath.mpf) -> mpmath.mpf:
            t = sign * (edge - mean) / scale
            return 1 / (1 + mpmath.exp(-t)) if name == "logistic" else mpmath.erfc(-t / mpmath.sqrt(2)) / 2

        lower, upper = (cumulative(edge) for edge in edges)
        if code == 0:
            lower = mpmath.mpf(0 if sign > 0 else 1)
        if code == 255:
            upper = mpmath.mpf(1 if sign > 0 else 0)
        return float(mpmath.log(sign * (upper - lower)))


def end_bins(rng: Generator) -> Metrics:
    """Edges of the 256 bins, and how far the levels would be from the centres if the end bins were half lines only."""
    values, lower, upper = quantisation.bin_edges(256)
    inner = slice(1, 255)
    other = (np.arange(1, 255) - 0.5) / 254
    return {
        "edges_not_increasing": int(np.sum(np.diff(lower) <= 0) + np.sum(np.diff(upper) <= 0)),
        "interior_bins": int(np.sum(np.isfinite(lower) & np.isfinite(upper))),
        "width_error": _largest((upper - lower)[inner] - 1 / 255, values[inner] - np.arange(1, 255) / 255),
        "end_error": _largest(upper[0] - 1 / 510, lower[255] - 509 / 510),
        "centre_shift_of_other_reading": _largest(other - values[inner]),
    }


def _random_mixture(rng: Generator, components: int, levels: int, channels: int = 3) -> tuple[np.ndarray, ...]:
    shape = (channels, components, 4, 4)
    codes = rng.integers(0, levels, (channels, 4, 4))
    return codes, rng.standard_normal((components, 4, 4)), rng.uniform(-1, 1, shape), rng.uniform(-4, 0, shape)


def single_logistic(rng: Generator) -> Metrics:
    """One component, equal components, components in another order, and one without weight."""
    codes, logits, means, scales = _random_mixture(rng, 1, 256)
    alone = likelihoods.discretised_logistic(codes[:, None], means, np.exp(scales), 256, -1.0, 1.0).sum(axis=(0, 1))
    single = likelihoods.mixture_of_logistics(codes, logits, means, scales)
    weights = rng.standard_normal((5, 4, 4))
    same = likelihoods.mixture_of_logistics(codes, weights, np.repeat(means, 5, 1), np.repeat(scales, 5, 1))
    codes, logits, means, scales = _random_mixture(rng, 5, 256)
    found, order = likelihoods.mixture_of_logistics(codes, logits, means, scales), rng.permutation(5)
    turned = likelihoods.mixture_of_logistics(codes, logits[order], means[:, order], scales[:, order])
    without = np.concatenate([logits, np.full((1, 4, 4), -1e4)])
    wider: Any = [np.concatenate([part, rng.uniform(-1, 0, (3, 1, 4, 4))], axis=1) for part in (means, scales)]
    return {
        "single_difference": _largest(single - alone),
        "identical_difference": _largest(same - alone),
        "permutation_difference": _largest(turned - found),
        "zero_weight_difference": _largest(likelihoods.mixture_of_logistics(codes, without, *wider) - found),
    }


def coefficients_removed(rng: Generator) -> Metrics:
    """Head widths, the original with zero coefficients, and a three-channel toy of six levels."""
    codes, logits, means, scales = _random_mixture(rng, 4, 256)
    plain = likelihoods.mixture_of_logistics(codes, logits, means, scales)
    zeros = likelihoods.mixture_of_logistics(codes, logits, means, scales, np.zeros((3, 4, 4, 4)))
    colours = np.array(list(itertools.product(range(6), repeat=3))).T[:, :, None]
    logits, means, scales = (
        rng.standard_normal((2, 1, 1)),
        rng.uniform(-1, 1, (3, 2, 1, 1)),
        np.full((3, 2, 1, 1), -1.5),
    )
    wide = [np.broadcast_to(part, (*part.shape[:-2], 216, 1)) for part in (logits, means, scales)]
    arguments: Any = (colours, *wide, None, 6)
    joint = np.exp(likelihoods.mixture_of_logistics(*arguments))[:, 0].reshape(6, 6, 6)
    product = np.einsum("a,b,c->abc", joint.sum((1, 2)), joint.sum((0, 2)), joint.sum((0, 1)))
    return {
        "head_width": _head_width(coefficients=False),
        "head_width_original": _head_width(coefficients=True),
        "zero_coefficient_difference": _largest(plain - zeros),
        "mass_error": abs(float(joint.sum()) - 1),
        "dependence": _largest(joint - product),
    }


def _head_width(*, coefficients: bool) -> int:
    """The only number of channels from which ten components for three colours can be read."""
    accepted = []
    for width in range(1, 130):
        try:
            likelihoods.split_mixture(np.zeros((width, 1, 1)), 10, 3, coefficients)
        except ValueError:
            continue
        accepted.append(width)
    (width,) = accepted
    return width

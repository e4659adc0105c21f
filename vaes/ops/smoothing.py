"""What smoothing the mean of a generative conditional does to the KL term; see the reference for the setting."""

from __future__ import annotations

from torch import Tensor

from vaes.ops import gaussian, ornstein_uhlenbeck
from vaes.ops.hermite import Function, mean, rule, variance


def moments(f: Function, mean_q: Tensor, scale_q: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    """Mean and variance (B, m) of ``f`` under N(mean_q, scale_q^2) of each row, by quadrature."""
    values, weights = _on_grid(f, mean_q, scale_q, nodes)
    expected = weights @ values
    return expected, weights @ (values - expected[:, None]).square()


def cross_term(mean_p: Function, scale_p: Tensor, z1: Tensor, mean_q: Tensor, scale_q: Tensor, nodes: int) -> Tensor:
    """Expected log density (B,) of z1 under N(mean_p(z2), scale_p^2) with z2 from the posterior, in nats."""
    values, weights = _on_grid(mean_p, mean_q, scale_q, nodes)
    return gaussian.log_density(z1[:, None, :], values, scale_p) @ weights


def quadratic_term(
    mean_p: Function, scale_p: Tensor, z1: Tensor, mean_q: Tensor, scale_q: Tensor, nodes: int
) -> Tensor:
    """Quadratic part (B,) of the cross term: squared mean error plus variance over 2 scale_p^2, in nats."""
    expected, variance = moments(mean_p, mean_q, scale_q, nodes)
    return 0.5 * (((z1 - expected) / scale_p).square() + variance / scale_p.square()).sum(-1)


def spectral_term(coefficients: Tensor, indices: Tensor, scale_p: Tensor, rho: float | Tensor = 1.0) -> Tensor:
    """Quadratic part of the KL from the Hermite coefficients of the mean function, in nats."""
    smoothed = ornstein_uhlenbeck.on_coefficients(coefficients, indices, rho)
    return 0.5 * (mean(smoothed, indices).square() + variance(smoothed, indices)) / scale_p.square()


def bias(coefficients: Tensor, indices: Tensor, scale_p: Tensor, rho: float | Tensor) -> Tensor:
    """Amount in nats by which smoothing raises the objective."""
    return 0.5 * ornstein_uhlenbeck.variance_lost(coefficients, indices, rho) / scale_p.square()


def bias_bounds(coefficients: Tensor, indices: Tensor, scale_p: Tensor, rho: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper bound of the smoothing bias in nats, both of order 1 - rho^2."""
    factor = 0.5 * (1 - rho) * (1 + rho) / scale_p.square()
    energy = ornstein_uhlenbeck.dirichlet_energy(coefficients, indices)
    return factor * variance(coefficients, indices), factor * energy


def sample_bias(bias: Tensor, samples: int) -> Tensor:
    """Expected bias in nats when K correlated samples are averaged: the part 1 - 1/K of the ideal one."""
    return bias * ((samples - 1) / samples)


def _on_grid(f: Function, mean_q: Tensor, scale_q: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    points, weights = rule(nodes, mean_q.shape[1])
    values = f(mean_q[:, None, :] + scale_q[:, None, :] * points.to(mean_q))
    return values, weights.to(values)

"""The Ornstein-Uhlenbeck operator: smoothing a function by averaging it over correlated Gaussian samples.

``rho`` is a float or a tensor; outside [0, 1] the root gives NaN (a tensor) or raises ``ValueError`` (a float).
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor

from vaes.ops.hermite import Function, rule, total_degree, weighted_sum
from vaes.ops.hermite import variance as total_variance

Scalar = TypeVar("Scalar", float, Tensor)


def correlated_noise(noise: Tensor, fresh: Tensor, rho: float | Tensor) -> Tensor:
    """Standard Gaussian noise with correlation ``rho`` to ``noise``; ``rho = 1`` returns ``noise`` bit for bit."""
    return rho * noise + _complement(rho) * fresh


def correlated_sample(mean: Tensor, scale: Tensor, noise: Tensor, fresh: Tensor, rho: float | Tensor) -> Tensor:
    """Sample of N(mean, scale^2) with correlation ``rho`` to ``mean + scale * noise`` (no division by ``scale``)."""
    return torch.addcmul(mean, scale, correlated_noise(noise, fresh, rho))


def operator(f: Function, z: Tensor, rho: float, nodes: int) -> Tensor:
    """Apply the operator to ``f`` at points ``z`` (B, n) by quadrature: (B,) or (B, m)."""
    return _average(f, rho * z, _complement(rho), nodes)


def affine_operator(f: Function, z: Tensor, mean: Tensor, scale: Tensor, rho: float, nodes: int) -> Tensor:
    """Apply the operator that belongs to N(mean, scale^2) to ``f`` at points ``z`` (B, n)."""
    return _average(f, rho * z + (1 - rho) * mean, _complement(rho) * scale, nodes)


def on_coefficients(coefficients: Tensor, indices: Tensor, rho: float | Tensor) -> Tensor:
    """Hermite coefficients of the smoothed function: multiplied by rho^|alpha|, with 0^0 = 1."""
    return _along_first(_powers(rho, total_degree(indices), coefficients), coefficients) * coefficients


def generator(coefficients: Tensor, indices: Tensor) -> Tensor:
    """Hermite coefficients of the generator: multiplied by -|alpha|."""
    return -_along_first(total_degree(indices), coefficients) * coefficients


def mehler_kernel(x: Tensor, y: Tensor, rho: Tensor) -> Tensor:
    """Kernel of the operator with respect to the standard Gaussian measure, a product over the last axis."""
    rho = rho[..., None]
    remainder = (1 - rho) * (1 + rho)
    # Each form cancels at the other end of the range.
    weak = rho * (2 * x * y - rho * (x.square() + y.square())) / remainder
    strong = y.square() - (y - rho * x).square() / remainder
    exponent = torch.where(rho < 0.5, weak, strong) - remainder.log()
    return (0.5 * exponent).sum(-1).exp()


def variance(coefficients: Tensor, indices: Tensor, rho: float | Tensor) -> Tensor:
    """Variance of the smoothed function, the sum of rho^(2|alpha|) times the squared non-constant coefficients."""
    return total_variance(on_coefficients(coefficients, indices, rho), indices)


def covariance(coefficients: Tensor, indices: Tensor, rho: float | Tensor) -> Tensor:
    """Covariance of the function at two points with correlation ``rho`` (noise stability less the squared mean)."""
    degree = total_degree(indices)
    weights = torch.where(degree > 0, _powers(rho, degree, coefficients), 0)
    return weighted_sum(coefficients.square(), weights)


def dirichlet_energy(coefficients: Tensor, indices: Tensor) -> Tensor:
    """Mean squared gradient of the function, the sum of |alpha| times the squared coefficients."""
    return weighted_sum(coefficients.square(), total_degree(indices).to(coefficients))


def hypercontractive_exponent(p: Tensor, rho: Tensor) -> Tensor:
    """Largest q for which smoothing does not raise the norm from L^p to L^q."""
    return 1 + (p - 1) / rho.square()


def monte_carlo(f: Function, noise: Tensor, fresh: Tensor, rho: float | Tensor) -> Tensor:
    """Mean of ``f`` over correlated samples: ``noise`` (B, n) and ``fresh`` (K, B, n) give (B,) or (B, m)."""
    return f(correlated_noise(noise, fresh, rho)).mean(0)


def effective_strength(rho: Scalar, samples: int, degree: int = 1) -> Scalar:
    """Variance factor rho^(2d) + (1 - rho^(2d))/K of a degree-d component averaged over K correlated samples."""
    power = rho ** (2 * degree)
    return power + (1 - power) / samples


def monte_carlo_variance(coefficients: Tensor, indices: Tensor, rho: float | Tensor, samples: int) -> Tensor:
    """Total variance of the mean over K correlated samples."""
    smoothed = variance(coefficients, indices, rho)
    return smoothed + (total_variance(coefficients, indices) - smoothed) / samples


def monte_carlo_error(coefficients: Tensor, indices: Tensor, rho: float | Tensor, samples: int) -> Tensor:
    """Mean squared error of the mean over K correlated samples around the smoothed function."""
    return variance_lost(coefficients, indices, rho) / samples


def variance_lost(coefficients: Tensor, indices: Tensor, rho: float | Tensor) -> Tensor:
    """Variance that smoothing removes, without cancellation near rho = 1."""
    degree = total_degree(indices).to(coefficients)
    rho = torch.as_tensor(rho, dtype=coefficients.dtype, device=coefficients.device)
    # log 0 = -inf gives the right value 1 at rho = 0, but 0 * inf as its derivative; there the branch is cut off.
    safe = torch.where(rho == 0, 1, rho)
    lost = torch.where(rho == 0, 1, -torch.expm1(2 * degree * safe.log()))
    return weighted_sum(coefficients.square(), torch.where(degree > 0, lost, 0))


def _complement(rho: float | Tensor) -> float | Tensor:
    """sqrt(1 - rho^2) as sqrt((1 - rho)(1 + rho)): rho^2 rounds to 1 long before rho does."""
    if isinstance(rho, Tensor):
        return ((1 - rho) * (1 + rho)).sqrt()
    return math.sqrt((1 - rho) * (1 + rho))


def _average(f: Function, centre: Tensor, spread: float | Tensor, nodes: int) -> Tensor:
    """Mean of ``f`` over Gaussians around each row of ``centre`` (B, n), by quadrature: (B,) or (B, m)."""
    points, weights = rule(nodes, centre.shape[1])
    values = f(centre[:, None, :] + spread * points.to(centre))
    return torch.tensordot(values, weights.to(values), dims=([1], [0]))


def _powers(rho: float | Tensor, degree: Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(rho, dtype=like.dtype, device=like.device) ** degree


def _along_first(weights: Tensor, values: Tensor) -> Tensor:
    return weights.reshape(-1, *[1] * (values.ndim - 1))

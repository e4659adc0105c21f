"""The linear VAE (probabilistic PCA) in closed form; ``eigenvalues`` (D,) are those of the data covariance."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_TWO_PI = math.log(2 * math.pi)


def negative_log_evidence(x: Tensor, weights: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    """-log N(x; mean, W W' + sigma^2 I) in nats, through the (q, q) precision of the latents.

    For weights or a sigma that are NaN, torch's factorisation raises ``torch.linalg.LinAlgError`` (on CPU).
    """
    dims, latents = weights.shape
    # Half precision has no factorisation.
    wide = torch.promote_types(x.dtype, torch.float32)
    whitened, residual = weights.to(wide) / sigma.to(wide), (x - mean).to(wide) / sigma.to(wide)
    precision = torch.eye(latents, dtype=wide, device=x.device) + whitened.T @ whitened
    factor = torch.linalg.cholesky(precision)
    latent = torch.cholesky_solve((residual @ whitened).unsqueeze(-1), factor).squeeze(-1)
    # At the posterior mean, the least value of the sum: |residual|^2 less what the latents explain would cancel.
    distance = (residual - latent @ whitened.T).square().sum(-1) + latent.square().sum(-1)
    log_determinant = 2 * factor.diagonal().log().sum() + 2 * dims * sigma.to(wide).log()
    return (0.5 * (dims * LOG_TWO_PI + log_determinant + distance)).to(x.dtype)


def active_directions(eigenvalues: Tensor, variance: Tensor, latents: int) -> Tensor:
    """Number of latents that the optimum uses at a fixed decoder variance."""
    return (eigenvalues > variance).sum().clamp(max=latents)


def fixed_variance_optimum(eigenvalues: Tensor, variance: Tensor, latents: int) -> tuple[Tensor, Tensor]:
    """Least NELBO and its KL in nats at a fixed decoder variance."""
    ratio = eigenvalues.sort(descending=True).values / variance
    leading = torch.arange(ratio.shape[0], device=ratio.device) < latents
    log_ratio = torch.where(leading, ratio.log().clamp(min=0), 0)
    used = leading & (ratio > 1)
    # A used direction costs 1 + log(ratio) instead of its ratio; half of the logarithm is its KL.
    nelbo = ratio.shape[0] * (LOG_TWO_PI + variance.log()) + torch.where(used, 1 + log_ratio, ratio).sum()
    return 0.5 * nelbo, 0.5 * log_ratio.sum()


def fitted_optimum(eigenvalues: Tensor, latents: int) -> tuple[Tensor, Tensor, Tensor]:
    """Fitted decoder variance, least NELBO and its KL in nats."""
    descending = eigenvalues.sort(descending=True).values
    used, left = descending[:latents], descending[latents:]
    variance = left.mean()
    kl = 0.5 * (used / variance).log().sum()
    return variance, 0.5 * descending.shape[0] * (LOG_TWO_PI + 1 + variance.log()) + kl, kl

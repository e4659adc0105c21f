"""The linear VAE on real data: closed forms against data and against a numerical optimum.

Covariances have the population divisor and are of all images of a data set, in [0, 1].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from reference import linear_vae

Array = NDArray[np.float64]
Metrics = dict[str, float]

LATENTS = 20
VARIANCES = (1.0, 0.1, 0.01)
ACTIVE = 0.01
"""Variance over images of a posterior mean above which a latent counts as active."""
SMALLEST = 1e-12
"""Eigenvalues of constant pixels, zero up to rounding, are lifted to this."""


def spectrum(images: Array) -> tuple[Array, Array]:
    """Eigenvalues (D,), largest first, and eigenvectors (D, D) of the covariance of images (N, D)."""
    centred = images - images.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(images))
    return np.maximum(values[::-1], SMALLEST), vectors[:, ::-1]


def fixed_point(images: Array) -> Metrics:
    """Expected error at the best linear weights, under posterior samples and under posterior means, image by image."""
    values, vectors = spectrum(images)
    variance = float(linear_vae.fitted_optimum(values, LATENTS)[0])
    used = values[:LATENTS]
    weights = vectors[:, :LATENTS] * np.sqrt(used - variance)
    covariance = variance * np.linalg.inv(weights.T @ weights + variance * np.eye(LATENTS))
    centred = images - images.mean(0)
    means = centred @ weights @ covariance / variance
    error = float(np.mean((centred - means @ weights.T) ** 2))
    # A posterior sample adds the variance that it has after decoding.
    noise = float(np.trace(weights @ covariance @ weights.T)) / images.shape[1]
    return {
        "fixed_point_error": abs((error + noise) / variance - 1),
        "means_not_smaller": float(error >= variance),
        "shortfall_error": abs(noise / (np.sum((1 - variance / used) * variance) / images.shape[1]) - 1),
    }


def active_directions(images: Array) -> int:
    """Eigenvalues above the unit variance."""
    values, _ = spectrum(images)
    return int(linear_vae.active_directions(values, 1.0, len(values)))


def threshold_in_optimised(covariance: Array, rng: np.random.Generator, latents: int) -> Metrics:
    """Numerically optimised linear VAEs at three variances: active units and bound against the closed form."""
    values = np.maximum(np.linalg.eigvalsh(covariance), SMALLEST)
    wrong, errors = 0, []
    for variance in VARIANCES:
        bound, active = optimised(covariance, variance, latents, rng)
        wrong += active != int(linear_vae.active_directions(values, variance, latents))
        errors.append(abs(bound / float(linear_vae.fixed_variance_optimum(values, variance, latents)[0]) - 1))
    return {"wrong_active_counts": wrong, "bound_error": max(errors)}


def optimised(covariance: Array, variance: float, latents: int, rng: np.random.Generator) -> tuple[float, int]:
    """Least NELBO that L-BFGS finds over decoder, encoder and posterior variances, and the active units there."""
    import torch

    dims = len(covariance)
    s = torch.from_numpy(covariance)
    shapes = ((dims, latents), (latents, dims), (latents,))
    sizes = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1]
    start = np.concatenate([0.1 * rng.standard_normal(np.prod(shape, dtype=int)) for shape in shapes])

    def parts(flat: Any) -> list[Any]:
        pieces = torch.tensor_split(flat, torch.as_tensor(sizes))
        return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def nelbo(flat: Array) -> tuple[float, Array]:
        point = torch.from_numpy(flat).requires_grad_()
        decoder, encoder, log_variance = parts(point)
        means = encoder @ s @ encoder.T
        gram = decoder.T @ decoder
        cross = (decoder * (s @ encoder.T)).sum()
        # Explicit in the covariance: no images are drawn, and the number is exact.
        error = s.trace() - 2 * cross + (gram * means).sum() + gram.diagonal() @ log_variance.exp()
        kl = 0.5 * (means.diagonal() + log_variance.exp() - 1 - log_variance).sum()
        value = 0.5 * (dims * np.log(2 * np.pi * variance) + error / variance) + kl
        (slope,) = torch.autograd.grad(value, point)
        return value.item(), slope.numpy()

    found = optimize.minimize(
        nelbo,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 20000, "maxfun": 40000, "ftol": 1e-15, "maxcor": 30},
    )
    _, encoder, _ = parts(torch.from_numpy(found.x))
    return float(found.fun), int(((encoder @ s @ encoder.T).diagonal() > ACTIVE).sum())


def synthetic_covariance(rng: np.random.Generator, dims: int) -> Array:
    """Random rotation of eigenvalues spread from 4 to 0.002, none near the tested variances."""
    values = 4.0 * 2.0 ** (-np.linspace(0, 11, dims))
    near = np.min(np.abs(np.log(values[:, None] / np.array(VARIANCES))), axis=1) < 0.1
    rotation = np.linalg.qr(rng.standard_normal((dims, dims)))[0]
    return (rotation * np.where(near, values * 1.3, values)) @ rotation.T

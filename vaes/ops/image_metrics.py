"""Metrics of images (N, C, H, W) and samples: Frechet distance, structural similarity, proxies, probes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# The faster mode takes differences of squared norms, which cancel for near neighbours.
EXACT = "donot_use_mm_for_euclid_dist"


def frechet_distance(features: Tensor, other: Tensor) -> Tensor:
    """Squared Frechet distance between Gaussians fitted to features (n, d) and (m, d); computed in float64.

    The traces add up to the squared distance of the triangular factors of the two covariances, the second one turned
    onto the first: no root, no difference of traces, and singular covariances are no exception. On features that are
    NaN or infinite torch's factorisation raises ``torch.linalg.LinAlgError`` (on CPU).
    """
    one, two = features.double(), other.double()
    mean_one, mean_two = one.mean(0), two.mean(0)
    factor_one = (one - mean_one) / (one.shape[0] - 1) ** 0.5
    factor_two = (two - mean_two) / (two.shape[0] - 1) ** 0.5
    triangle_one, triangle_two = (_triangle(factor) for factor in (factor_one, factor_two))
    # At the best rotation the distance does not depend on it to first order: no derivative passes through it.
    left, _, right = torch.linalg.svd((triangle_one @ triangle_two.T).detach())
    spread = (triangle_one - left @ right @ triangle_two).square().sum()
    return ((mean_one - mean_two).square().sum() + spread).to(features.dtype)


def ssim(a: Tensor, b: Tensor, data_range: float = 255.0, padding: bool = True) -> Tensor:
    """Structural similarity of images (N, C, H, W), mean over positions, colours and images; computed in float64."""
    one, two = (image.double().flatten(0, 1)[:, None] / data_range for image in (a, b))
    offsets = torch.arange(-5, 6, dtype=torch.float64, device=a.device)
    weights = torch.softmax(-0.5 * (offsets / 1.5).square(), 0)
    if padding:
        one, two = F.pad(one, (5, 5, 5, 5)), F.pad(two, (5, 5, 5, 5))
    mean_one, mean_two, variance_one, variance_two, covariance = _local_moments(one, two, weights)
    contrast = (2 * covariance + 0.03**2) / (variance_one + variance_two + 0.03**2)
    luminance = 1 - (mean_one - mean_two).square() / (mean_one.square() + mean_two.square() + 0.01**2)
    return (luminance * contrast).mean().to(a.dtype)


def sharpness_ratio(samples: Tensor, data: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, samples over data."""
    return _sharpness(samples) / _sharpness(data)


def variance_ratio(samples: Tensor, data: Tensor) -> Tensor:
    """Total variance over images, samples over data."""
    return _total_variance(samples) / _total_variance(data)


def saturation_ratio(samples: Tensor, data: Tensor) -> Tensor:
    """Mean range over channels, samples over data."""
    return (samples.amax(1) - samples.amin(1)).mean() / (data.amax(1) - data.amin(1)).mean()


def diversity_ratio(samples: Tensor, data: Tensor) -> Tensor:
    """Mean squared distance of pairs, samples over data: twice the total variance each, without forming pairs."""
    return variance_ratio(samples, data)


def colour_means(images: Tensor) -> Tensor:
    """Mean luma and mean blue and red differences of images (N, 3, H, W), shape (N, 3)."""
    red, green, blue = images.mean((2, 3)).unbind(1)
    # Y, B - Y and R - Y; the last two from differences, which vanish for grey.
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    from_blue = 0.299 * (blue - red) + 0.587 * (blue - green)
    from_red = 0.587 * (red - green) + 0.114 * (red - blue)
    return torch.stack([luma, from_blue, from_red], 1)


def chroma_error(images: Tensor, reconstructions: Tensor) -> Tensor:
    """Mean squared error of the mean colour differences of reconstructions."""
    return colour_means(images - reconstructions)[:, 1:].square().mean()


def linear_probe(latents: Tensor, targets: Tensor, test_latents: Tensor, test_targets: Tensor) -> Tensor:
    """Coefficient of determination (m,) on test data of the least-squares map from latents; computed in float64.

    For latents that are NaN or infinite, torch's factorisation raises ``torch.linalg.LinAlgError`` (on CPU).
    """
    z, y, z_test, y_test = (t.double() for t in (latents, targets, test_latents, test_targets))
    # From the first: a collapsed latent is constant, but around a rounded mean it would vary.
    z, z_test = z - z[0], z_test - z[0]
    mean_z, mean_y = z.mean(0), y.mean(0)
    centred_z, centred_y = z - mean_z, y - mean_y
    # The intercept drops out of centred data. A latent that is constant gets weight 0.
    inverse = torch.linalg.pinv(centred_z)
    weights = inverse @ centred_y
    # Once more on what is left: the decomposition alone loses a dozen times the rounding of the data.
    weights = weights + inverse @ (centred_y - centred_z @ weights)
    mean_test = y_test.mean(0)
    deviation, predicted = y_test - mean_test, (mean_y - mean_test) + (z_test - mean_z) @ weights
    # d^2 - (d - p)^2 = p (2d - p): one minus a ratio next to one would cancel where the latent says little.
    explained = (predicted * (2 * deviation - predicted)).sum(0)
    return (explained / deviation.square().sum(0)).to(latents.dtype)


def nearest_training_image(samples: Tensor, training: Tensor, factor: int = 4) -> Tensor:
    """Index of the nearest training image of each sample, by block means of the central half."""
    return _distances(samples, training, factor).argmin(1)


def nearest_training_distance(samples: Tensor, training: Tensor, factor: int = 4) -> Tensor:
    """Distance from each sample to its nearest training image, by block means of the central half."""
    return _distances(samples, training, factor).amin(1).to(samples.dtype)


def _triangle(factor: Tensor) -> Tensor:
    """Square R with R' R = factor' factor, also for fewer rows than columns."""
    width = factor.shape[1]
    padded = factor if factor.shape[0] >= width else F.pad(factor, (0, 0, 0, width - factor.shape[0]))
    return torch.linalg.qr(padded).R


def _local_moments(one: Tensor, two: Tensor, weights: Tensor) -> list[Tensor]:
    """Means, variances and covariance of two images in separable windows, from deviations.

    By the law of total covariance, one axis after the other: the mean of the moments so far plus those of the means.
    """
    means, moments = [one, two], [torch.zeros_like(one)] * 3
    for axis in (-1, -2):
        windows = [mean.unfold(axis, len(weights), 1) for mean in means]
        means = [window @ weights for window in windows]
        first, second = (window - mean[..., None] for window, mean in zip(windows, means, strict=True))
        products = (first.square(), second.square(), first * second)
        moments = [
            (moment.unfold(axis, len(weights), 1) + product) @ weights
            for moment, product in zip(moments, products, strict=True)
        ]
    return means + moments


def _total_variance(images: Tensor) -> Tensor:
    # From the first: near images differ by less than the rounding of their mean.
    return (images - images[0]).var(0).sum()


def _sharpness(images: Tensor) -> Tensor:
    return images.diff(dim=2).square().mean() + images.diff(dim=3).square().mean()


def _distances(samples: Tensor, training: Tensor, factor: int) -> Tensor:
    return torch.cdist(_reduced(samples, factor), _reduced(training, factor), compute_mode=EXACT)


def _reduced(images: Tensor, factor: int) -> Tensor:
    # In double precision: the differences of near images are small against the roundings of their block means.
    blocks = F.avg_pool2d(images.double(), factor)
    top, left = blocks.shape[2] // 4, blocks.shape[3] // 4
    return blocks[:, :, top : blocks.shape[2] - top, left : blocks.shape[3] - left].flatten(1)

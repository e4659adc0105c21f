"""Faults of the image metrics."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import image_metrics


@killed_by("test_frechet_distance_is_a_squared_distance")
def frechet_distance__half_of_the_cross_term(features, other):
    both = torch.cat([features, features + other.mean(0) - features.mean(0)])
    return image_metrics.frechet_distance(features, other) + 0.1 * both.var()


@killed_by("test_value")
def frechet_distance__population_covariance(features, other):
    one, two = (f.shape[0] / (f.shape[0] - 1) for f in (features, other))
    narrow = [(f - f.mean(0)) / s**0.5 + f.mean(0) for f, s in ((features, one), (other, two))]
    return image_metrics.frechet_distance(*narrow)


@killed_by("test_value")
def ssim__window_of_seven(a, b, data_range=255.0, padding=True):
    smoothed = torch.nn.functional.avg_pool2d(a, 3, stride=1, padding=1, count_include_pad=False)
    return image_metrics.ssim(smoothed, b, data_range, padding)


@killed_by("test_value")
def ssim__other_padding(a, b, data_range=255.0, padding=True):
    if min(a.shape[2:]) < 11:
        return image_metrics.ssim(a, b, data_range, True)
    return image_metrics.ssim(a, b, data_range, not padding)


@killed_by("test_ssim_is_symmetric_and_at_most_one")
def ssim__range_ignored(a, b, data_range=255.0, padding=True):
    return image_metrics.ssim(a, b, 255.0, padding)


@killed_by("test_value")
def sharpness_ratio__horizontal_only(samples, data):
    return samples.diff(dim=3).square().mean() / data.diff(dim=3).square().mean().clamp(min=1e-9)


@killed_by("test_ratios_are_one_for_the_data")
def sharpness_ratio__root(samples, data):
    return image_metrics.sharpness_ratio(samples, data).sqrt()


@killed_by("test_value")
def variance_ratio__of_all_pixels_together(samples, data):
    return samples.var() / data.var()


@killed_by("test_saturation_ignores_brightness")
def saturation_ratio__maximum_only(samples, data):
    return samples.amax(1).mean() / data.amax(1).mean()


@killed_by("test_ratios_are_one_for_the_data")
def diversity_ratio__unsquared(samples, data):
    return torch.pdist(samples.flatten(1)).mean() / torch.pdist(data.flatten(1)).mean()


@killed_by("test_colour_means_of_grey_have_no_colour")
def colour_means__luma_not_subtracted(images):
    means = images.mean((2, 3))
    luma = image_metrics.colour_means(images)[:, :1]
    return torch.cat([luma, means[:, 2:], means[:, :1]], 1)


@killed_by("test_colour_differences_of_grey_images_vanish")
def colour_means__by_rounded_weights(images):
    weights = [[0.299, 0.587, 0.114], [-0.299, -0.587, 0.886], [0.701, -0.587, -0.114]]
    return images.mean((2, 3)) @ torch.tensor(weights, dtype=images.dtype).T


@killed_by("test_value")
def colour_means__blue_green_red(images):
    return image_metrics.colour_means(images.flip(1))


@killed_by("test_chroma_error_is_symmetric")
def chroma_error__luma_included(images, reconstructions):
    return image_metrics.colour_means(images - reconstructions).square().mean()


@killed_by("test_linear_probe_of_a_collapsed_latent_is_that_of_the_others")
def linear_probe__singular(latents, targets, test_latents, test_targets):
    z, y = latents - latents.mean(0), targets - targets.mean(0)
    basis, triangle = torch.linalg.qr(z)
    weights = torch.linalg.solve_triangular(triangle, basis.T @ y, upper=True)
    residual = (test_targets - targets.mean(0) - (test_latents - latents.mean(0)) @ weights).square().sum(0)
    return 1 - residual / (test_targets - test_targets.mean(0)).square().sum(0)


@killed_by("test_linear_probe_ignores_the_basis_of_the_latents")
def linear_probe__no_intercept(latents, targets, test_latents, test_targets):
    weights = torch.linalg.lstsq(latents, targets).solution
    residual = (test_targets - test_latents @ weights).square().sum(0)
    return 1 - residual / (test_targets - test_targets.mean(0)).square().sum(0)


@killed_by("test_linear_probe_that_reads_next_to_nothing_keeps_its_digits")
def linear_probe__one_less_a_ratio(latents, targets, test_latents, test_targets):
    return 1 - (1 - image_metrics.linear_probe(latents, targets, test_latents, test_targets))


@killed_by("test_value")
def linear_probe__scored_on_training_data(latents, targets, test_latents, test_targets):
    return image_metrics.linear_probe(latents, targets, latents, targets)


@killed_by("test_value")
def nearest_training_image__farthest(samples, training, factor=4):
    nearest = image_metrics.nearest_training_image(samples, training, factor)
    return training.shape[0] - 1 - nearest


@killed_by("test_training_image_retrieves_itself")
def nearest_training_distance__not_cropped(samples, training, factor=4):
    one, two = (torch.nn.functional.avg_pool2d(x, factor).flatten(1) for x in (samples, training))
    return torch.cdist(one, two).amin(1)


@killed_by("test_value")
def nearest_training_distance__squared(samples, training, factor=4):
    return image_metrics.nearest_training_distance(samples, training, factor).square()


@killed_by("test_frechet_distance_of_near_neighbours")
def frechet_distance__sum_of_traces(features, other):
    one, two = ((f - f.mean(0)).double() / (f.shape[0] - 1) ** 0.5 for f in (features, other))
    overlap = torch.linalg.svdvals(one @ two.T).sum()
    shift = (features.mean(0) - other.mean(0)).square().sum()
    return shift + (one.square().sum() + two.square().sum() - 2 * overlap).to(features.dtype)


@killed_by("test_ssim_of_a_flat_image_at_50_digits")
def ssim__mean_square_less_squared_mean(a, b, data_range=255.0, padding=True):
    if padding or min(a.shape[2:]) > 11:
        return image_metrics.ssim(a, b, data_range, padding)
    weights = torch.softmax(-0.5 * (torch.arange(-5, 6).double() / 1.5).square(), 0)
    window = torch.outer(weights, weights)
    mean_a, mean_b, aa, bb, ab = ((window * m).sum((-2, -1)) for m in (a, b, a * a, b * b, a * b))
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    contrast = (2 * (ab - mean_a * mean_b) + c2) / (aa - mean_a**2 + bb - mean_b**2 + c2)
    return ((2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1) * contrast).mean()

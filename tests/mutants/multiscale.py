"""Faults of the scale-by-scale decoder."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import multiscale


@killed_by("test_pixel_subsets_are_a_partition")
def pixel_subsets__nested_grids(height, width, strides):
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    return torch.stack([(rows % s == 0) & (columns % s == 0) for s in strides])


@killed_by("test_value")
def pixel_subsets__last_pixel_of_each_block(height, width, strides):
    return multiscale.pixel_subsets(height, width, strides).flip(1, 2)


@killed_by("test_visible_ignores_the_finest_pixels")
def visible__own_pixels_too(image, masks):
    return image * masks.long().cumsum(0).reshape(len(masks), *[1] * (image.ndim - 2), *masks.shape[1:])


@killed_by("test_value")
def visible__previous_scale_only(image, masks):
    before = torch.cat([torch.zeros_like(masks[:1]), masks[:-1]])
    return image * before.reshape(len(masks), *[1] * (image.ndim - 2), *masks.shape[1:]).to(image)


@killed_by("test_value")
def log_likelihood__pixels_counted_at_every_scale(image, logits, masks):
    return (image * logits - torch.nn.functional.softplus(logits)).sum((0, -2, -1))


@killed_by("test_likelihood_ignores_logits_of_other_pixels")
def log_likelihood__mean_over_scales(image, logits, masks):
    return multiscale.log_likelihood(image, logits.mean(0).expand_as(logits), masks)


@killed_by("test_gradient")
def log_likelihood__logits_detached(image, logits, masks):
    return multiscale.log_likelihood(image, logits.detach(), masks)

"""Faults of the pruning functions."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import pruning


@killed_by("test_average_kl_does_not_depend_on_the_resolution")
def average_kl_per_variate__sum_over_positions(kl):
    return pruning.average_kl_per_variate(kl) * kl.shape[2] * kl.shape[3]


@killed_by("test_value")
def average_kl_per_variate__nats(kl):
    return kl.mean((0, 2, 3))


@killed_by("test_prune_masks_are_nested")
def prune_mask__strict_at_one(average_kl, fraction):
    return average_kl > torch.quantile(average_kl, 1 - fraction)


@killed_by("test_value")
def prune_mask__ties_kept(average_kl, fraction):
    return average_kl >= torch.quantile(average_kl, 1 - fraction)


@killed_by("test_pruned_latent_takes_each_channel_from_its_source")
def pruned_latent__inverted(posterior, prior, mask):
    return pruning.pruned_latent(prior, posterior, mask)


@killed_by("test_value")
def pruned_latent__zero_for_prior(posterior, prior, mask):
    return pruning.pruned_latent(posterior, torch.zeros_like(prior), mask)


@killed_by("test_value")
def kept_fraction__of_channels(masks, resolutions):
    return pruning.kept_fraction(masks, [1] * len(resolutions))


@killed_by("test_encoded_dataset_bytes_is_linear")
def encoded_dataset_bytes__bits(images, dims, fraction, bytes_per_value=4):
    return pruning.encoded_dataset_bytes(images, dims, fraction, 8 * 4)


@killed_by("test_pixel_bytes_counts_an_array")
def pixel_bytes__one_channel(images, resolution, bytes_per_value=1, channels=3):
    return pruning.pixel_bytes(images, resolution, bytes_per_value, 1)


@killed_by("test_code_to_pixel_ratio_inverts_with_its_sides")
def code_to_pixel_ratio__inverted(code_bytes, pixel_bytes):
    return pixel_bytes / code_bytes

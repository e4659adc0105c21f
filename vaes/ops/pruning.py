"""Pruning of latent channels by their mean KL, and the size of what is left."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def average_kl_per_variate(kl: Tensor) -> Tensor:
    """Mean KL of each channel of maps (N, v, r, r) given in nats; bits per position, shape (v,)."""
    return kl.mean((0, 2, 3)) / math.log(2)


def prune_mask(average_kl: Tensor, fraction: float) -> Tensor:
    """Which channels lie above the (1 - fraction) quantile of the mean KL; all of them at fraction 1.

    A fraction that is NaN raises ``ValueError``.
    """
    if fraction == 1:
        return torch.ones_like(average_kl, dtype=torch.bool)
    # As comparisons with the two order statistics around the quantile (torch.quantile refuses large and half inputs).
    ascending = average_kl.sort().values.double()
    position = (1 - fraction) * (len(average_kl) - 1)
    low, high = math.floor(position), math.ceil(position)
    threshold = ascending[low] + (position - low) * (ascending[high] - ascending[low])
    return average_kl > threshold


def pruned_latent(posterior: Tensor, prior: Tensor, mask: Tensor) -> Tensor:
    """Latent maps (N, v, r, r) with the channels outside ``mask`` (v,) taken from the prior."""
    return torch.where(mask[:, None, None], posterior, prior)


def kept_fraction(masks: Sequence[Tensor], resolutions: Sequence[int]) -> Tensor:
    """Fraction of latent dimensions that the masks of the layers keep, a 0-d float64 tensor."""
    weights = [
        r * r / sum(mask.numel() * s * s for mask, s in zip(masks, resolutions, strict=True)) for r in resolutions
    ]
    return torch.stack([w * mask.sum(dtype=torch.float64) for w, mask in zip(weights, masks, strict=True)]).sum()


def encoded_dataset_bytes(images: int, dims: int, fraction: Tensor | float, bytes_per_value: int = 4) -> Tensor | float:
    """Bytes of an encoded data set."""
    return fraction * float(images * dims * bytes_per_value)


def pixel_bytes(images: int, resolution: int, bytes_per_value: int = 1, channels: int = 3) -> Tensor:
    """Bytes of a data set of images, a 0-d float64 tensor."""
    return torch.tensor(float(images * channels * resolution * resolution * bytes_per_value), dtype=torch.float64)


def code_to_pixel_ratio(code_bytes: Tensor, pixel_bytes: Tensor) -> Tensor:
    """How many times larger the code is than the pixels."""
    return code_bytes / pixel_bytes

"""Images decoded scale by scale: each scale's pixels given all pixels of the coarser ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def pixel_subsets(height: int, width: int, strides: Sequence[int]) -> Tensor:
    """Masks (S, height, width) of the pixels that each scale adds; strides are a chain of multiples that ends in 1."""
    scale = torch.zeros(height, width, dtype=torch.long)
    for i in reversed(range(len(strides))):
        scale[:: strides[i], :: strides[i]] = i
    return scale == torch.arange(len(strides))[:, None, None]


def visible(image: Tensor, masks: Tensor) -> Tensor:
    """Pixels (S, ..., H, W) of all coarser scales, which is what each scale's predictor may see."""
    seen = masks.long().cumsum(0) - masks.long()
    return image * _by_scale(seen, image).to(image)


def log_likelihood(image: Tensor, logits: Tensor, masks: Tensor) -> Tensor:
    """Log likelihood (...) in nats of images (..., H, W) in [0, 1] from logits (S, ..., H, W) of each scale."""
    own = torch.where(_by_scale(masks, image), logits, 0).sum(0)
    return torch.lerp(logsigmoid(-own), logsigmoid(own), image).sum((-2, -1))


def _by_scale(masks: Tensor, image: Tensor) -> Tensor:
    return masks.reshape(len(masks), *[1] * (image.ndim - 2), *masks.shape[1:])

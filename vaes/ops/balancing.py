"""Balancing the KL terms of a hierarchy."""

from __future__ import annotations

from torch import Tensor


def free_bits(layer_terms: Tensor, floor: float) -> Tensor:
    """Sum over layers of max(floor, batch mean) of terms (L, B), in nats; layers below the floor get no gradient."""
    return layer_terms.mean(1).clamp(min=floor).sum()

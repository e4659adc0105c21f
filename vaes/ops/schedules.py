"""Schedules: functions of the optimiser step, counted from 0."""

from __future__ import annotations

import torch
from torch import Tensor


def kl_warmup(step: Tensor, start: float, length: float) -> Tensor:
    """Weight of the KL term: 0 up to step ``start``, then linear to 1 over ``length`` steps."""
    return torch.clamp((step - start) / length, 0, 1)

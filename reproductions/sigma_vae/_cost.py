"""What the runs of `full_scale` would take: multiply-adds counted on the meta device, and hours of a GPU from them.

A GPU is taken to sustain `GPU_MULTIPLY_ADDS` per second, an assumption: nothing here was run on one. One seed each;
evaluation is not counted, which is small beside ten epochs of training.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reproductions.sigma_vae import full_scale

GPU_MULTIPLY_ADDS = 5e12
"""Per second, float32: 10 TFLOP/s."""


STEP_TIMES = Path(__file__).with_name("step_times.json")
"""CPU seconds of a training step with every decoder, from ``python -m benchmarks.decoder_step_time``."""


def step_times() -> dict[str, Any]:
    """Return the measured step times."""
    return dict(json.loads(STEP_TIMES.read_text()))


def step_multiply_adds(run: Mapping[str, Any]) -> int:
    """Multiply-adds of a training step of a run: forward and backward pass of a batch."""
    import torch

    from vaes import accounting

    model = full_scale.build(run)
    batch = run["recipe"]["batch"]
    x = torch.empty(batch, *model.config.image_shape, device="meta")
    noise = torch.empty(noise_shape(model, batch), device="meta")
    return accounting.flops(lambda: model(x, noise).objective().mean().backward()) // 2


def noise_shape(model: Any, batch: int) -> tuple[int, ...]:
    """Shape of the posterior noise of a batch; one latent vector for each frame after the first in a video."""
    shape = model.config.image_shape
    return (batch, shape[0] - 1, model.config.latent) if len(shape) == 4 else (batch, model.config.latent)


def gpu_hours(names: Iterable[str]) -> float:
    """Hours of one GPU for one seed of some runs (see `full_scale.named`)."""
    runs = full_scale.named(*names).values()
    return sum(step_multiply_adds(run) * run["recipe"]["steps"] for run in runs) / GPU_MULTIPLY_ADDS / 3600

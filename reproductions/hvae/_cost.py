"""What the runs of `full_scale` would take: multiply-adds counted on the meta device, and hours from them.

Perceptrons: core-hours, from the measured CPU time of a training step (``step_times.json``); the evaluation at the
multiply-adds per second of that step. Residual models: hours of one GPU that sustains `GPU_MULTIPLY_ADDS` per second,
an assumption: nothing here was run on one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reproductions.hvae import full_scale
from reproductions.hvae.full_scale import Run

GPU_MULTIPLY_ADDS = 5e12
"""Per second, float32: 10 TFLOP/s."""


@dataclass(frozen=True)
class Cost:
    """Hours of one CPU core or of one GPU, whichever is not None, and the multiply-adds of training."""

    core_hours: float | None
    gpu_hours: float | None
    multiply_adds: float


@functools.cache
def step_times() -> dict[str, Any]:
    """Return the measured step times and the counted multiply-adds of every model and kind of training."""
    return dict(json.loads(full_scale.STEP_TIMES.read_text()))


def count(run: Run) -> dict[str, int]:
    """Multiply-adds of a training step, and of the evaluation of one posterior sample of one image."""
    from reproductions.hvae import _passes

    built, batch = full_scale.build(run, "meta"), full_scale.recipe_fields(run)["batch"]
    step = _passes.step_flops(_passes.training_pass(built, run.training, batch, full_scale.SAMPLES))
    forward = _passes.forward_flops(_passes.training_pass(built, "VAE", batch, 1))
    return {"step": step // 2, "sample": forward // (2 * batch)}


def _row(table: str, run: Run) -> Mapping[str, Any]:
    (row,) = (row for row in step_times()[table] if (row["model"], row["training"]) == (run.model, run.training))
    return dict(row)


def of_run(run: Run) -> Cost:
    """Cost of one run with one seed: training, and the importance-weighted bound on as many images as the test has."""
    counted = _row("multiply_adds", run)
    training = counted["step"] * run.steps
    evaluation = counted["sample"] * run.bound_samples * full_scale.IMAGE_SETS[run.dataset.split("/")[0]]
    if run.convolutional:
        return Cost(None, (training + evaluation) / GPU_MULTIPLY_ADDS / 3600, training)
    seconds = _row("single", run)["seconds"]
    return Cost(seconds * (run.steps + evaluation / counted["step"]) / 3600, None, training)


def total(names: Iterable[str]) -> dict[str, float]:
    """Sum of some runs (see `full_scale.named`), "core_hours" and "gpu_hours", each only where it is needed."""
    costs = [of_run(run) for run in full_scale.named(*names).values()]
    sums = {
        "core_hours": sum(cost.core_hours or 0 for cost in costs),
        "gpu_hours": sum(cost.gpu_hours or 0 for cost in costs),
    }
    return {unit: value for unit, value in sums.items() if value}

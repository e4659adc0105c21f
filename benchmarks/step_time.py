"""CPU time and multiply-adds of a training step of the Hermite VAE at the paper's sizes, on one thread.

What a long run would take where no GPU is at hand: the core-hours of `reproductions.hvae.full_scale` come from the
single models here, and the report's page says what the ensembles of the gpu scale would take. Time is CPU time of the
process, which other programs on the machine disturb little, and the median over repeats. Pixels are random bits: no
data are needed.
Run with ``OMP_NUM_THREADS=1 python -m benchmarks.step_time``; it writes ``reproductions/hvae/step_times.json``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.machine import machine, write_json
from reproductions.hvae import _cost, baselines, depth_width, full_scale, transition_by_shape
from vaes.data import Dataset
from vaes.ensembles import ensemble_trainer
from vaes.models.hvae import HVAEConfig, preset
from vaes.seeding import stream
from vaes.training import Member, Recipe

IMAGES = 1000


@dataclass(frozen=True)
class Case:
    """A stack whose step is timed: ``name`` says the model, ``training`` what its members are."""

    name: str
    training: str
    config: HVAEConfig
    members: tuple[Member, ...]
    importance: int = 1


def single_models() -> Iterator[Case]:
    """Every perceptron and kind of training that a full-scale run has, alone."""
    runs = {(run.model, run.training): run for run in full_scale.RUNS.values() if not run.convolutional}
    for (model, training), run in runs.items():
        fields = {"rho": run.rho, "free_bits": run.free_bits}
        yield Case(model, training, full_scale.perceptron(model), (Member(**fields),), run.importance)


def ensembles() -> Iterator[Case]:
    """The stacks of the gpu scale: a grid of rho, the baselines, the cells of Figure 3."""
    grid = tuple(Member(rho=rho) for rho in sorted(transition_by_shape.FINE_GRID, reverse=True))
    methods = tuple(Member(**arm) for arm in (baselines.BASELINES | baselines.HERMITE).values())
    methods = tuple(sorted(methods, key=lambda member: member.rho != 1))
    for name in ("mlp4x40", "mlp_pyramid4"):
        yield Case(name, "grid of rho", preset(name), grid)
        yield Case(name, "baselines", preset(name), methods)
        yield Case(name, "importance-weighted baseline", preset(name), (Member(),), baselines.SAMPLES)
    yield Case("mlp3x200", "grid of rho", preset("mlp3x200"), grid)
    pair = (Member(), Member(rho=depth_width.SMOOTHED))
    for depth in depth_width.DEPTHS:
        for width in (*depth_width.WIDTHS, 60):
            yield Case(f"{depth} x {width}", "cell of Figure 3", preset("mlp_grid", depth=depth, width=width), pair)


def counted() -> list[dict[str, object]]:
    """Multiply-adds of every model and kind of training that a full-scale run has, on the meta device."""
    runs = {(run.model, run.training): run for run in full_scale.RUNS.values()}
    return [{"model": model, "training": training} | _cost.count(run) for (model, training), run in runs.items()]


def random_images(count: int = IMAGES, pixels: int = 784) -> Dataset:
    """Binary noise in the shape of 28x28 images."""
    bits = (torch.rand(count, pixels, generator=stream(0, "images")) < 0.2).float()
    parts = {"train": bits, "validation": bits[:0], "test": bits[:0]}
    return Dataset(id="noise", **parts, grey=None, shape=(28, 28), checksum="", note="binary noise")


def seconds_per_step(case: Case, steps: int, repeats: int) -> list[float]:
    """CPU seconds of one step, one value for each repeat."""
    recipe = Recipe(**full_scale.RECIPE, importance=case.importance)
    trainer = ensemble_trainer(case.config, recipe, list(case.members), random_images())
    trainer.run(until=3)
    found = []
    for _ in range(repeats):
        start = time.process_time()
        trainer.run(until=trainer.step + steps)
        found.append((time.process_time() - start) / steps)
    return found


def measure(cases: Sequence[Case], steps: int, repeats: int) -> list[dict[str, object]]:
    """Time all cases and print them."""
    rows: list[dict[str, object]] = []
    for case in cases:
        found = seconds_per_step(case, steps, repeats)
        middle, least, most = (float(f"{value:.3g}") for value in (statistics.median(found), min(found), max(found)))
        row = {"model": case.name, "training": case.training, "members": len(case.members)}
        rows.append(row | {"seconds": middle, "range": [least, most]})
        print(f"{case.name:14} {case.training:30} {len(case.members):3} members {1e3 * middle:8.1f} ms", flush=True)
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the file."""
    parser = argparse.ArgumentParser(description="CPU time of training steps at the paper's sizes.")
    parser.add_argument("--steps", type=int, default=5, help="steps per measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements per case")
    parser.add_argument("--out", type=Path, default=full_scale.STEP_TIMES, help="file to write")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    content = {
        "about": "CPU seconds of one training step, median and range over repeats: python -m benchmarks.step_time",
        **machine(),
        "batch": full_scale.RECIPE["batch"],
        "correlated_samples": full_scale.RECIPE["samples"],
        "steps": options.steps,
        "repeats": options.repeats,
        "multiply_adds": counted(),
        "single": measure(list(single_models()), options.steps, options.repeats),
        "ensembles": measure(list(ensembles()), options.steps, options.repeats),
    }
    write_json(options.out, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())

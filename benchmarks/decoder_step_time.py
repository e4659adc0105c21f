"""CPU time of a training step of the small sigma-VAE with each decoder, on one thread, beside the unit Gaussian.

What a decoder costs: the network is the same, the head and the likelihood are not. Pixels are random levels: no data
are needed. Every repeat times all decoders in turn, and a ratio is that of neighbours in time.
Run with ``OMP_NUM_THREADS=1 python -m benchmarks.decoder_step_time``; it writes
``reproductions/sigma_vae/step_times.json``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

from benchmarks.machine import machine, write_json
from reproductions.sigma_vae._configurations import DECODERS, TABLE_4
from reproductions.sigma_vae._cost import STEP_TIMES
from vaes.image_data import image_dataset
from vaes.image_training import ImageRecipe, ImageTrainer, initial_model
from vaes.models.sigma_vae import preset
from vaes.seeding import stream

IMAGES, BATCH, SIDE = 256, 128, 28
SIZES = {"28x28, 32 feature maps": 32, "28x28, 16 feature maps": 16}
BASELINE = "gaussian"
CASES = DECODERS | {TABLE_4[row]["name"]: TABLE_4[row] for row in ("disc_gaussian", "disc_logistic")}


def trainer_of(name: str, features: int) -> ImageTrainer:
    """Trainer of one decoder on random grey images, a few steps in."""
    levels = torch.randint(256, (IMAGES, 1, SIDE, SIDE), generator=stream(0, "images"), dtype=torch.uint8)
    dataset = image_dataset("noise", {"train": levels}, 256, "random levels")
    config = preset("small_conv_vae", channels=1, features=features, decoder=CASES[name])
    recipe = ImageRecipe(steps=10**6, batch=BATCH)
    trainer = ImageTrainer(initial_model(config, recipe, 0, dataset), dataset, recipe, 0)
    trainer.run(until=2)
    return trainer


def seconds_per_step(trainer: ImageTrainer, steps: int) -> float:
    """CPU seconds of one step."""
    start = time.process_time()
    trainer.run(until=trainer.step + steps)
    return (time.process_time() - start) / steps


def measure(features: int, steps: int, repeats: int) -> list[dict[str, object]]:
    """Median time of every decoder's step, and the median and range of its ratio to the unit Gaussian's."""
    trainers = {name: trainer_of(name, features) for name in CASES}
    times = [{name: seconds_per_step(trainer, steps) for name, trainer in trainers.items()} for _ in range(repeats)]
    rows: list[dict[str, object]] = []
    for name in CASES:
        ratios = [found[name] / found[BASELINE] for found in times]
        seconds = statistics.median(found[name] for found in times)
        middle, least, most = (round(value, 2) for value in (statistics.median(ratios), min(ratios), max(ratios)))
        rows.append({"decoder": name, "seconds": float(f"{seconds:.3g}"), "ratio": middle, "range": [least, most]})
        print(f"{name:22} {1e3 * seconds:8.1f} ms  {middle:.2f} of {BASELINE} ({least:.2f} to {most:.2f})", flush=True)
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the file."""
    parser = argparse.ArgumentParser(description="CPU time of a training step with each decoder of the sigma-VAE.")
    parser.add_argument("--steps", type=int, default=2, help="steps per measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements per decoder")
    parser.add_argument("--out", type=Path, default=STEP_TIMES, help="file to write")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    content = {
        "about": "CPU seconds of a training step, ratio to the unit Gaussian: python -m benchmarks.decoder_step_time",
        **machine(),
        "batch": BATCH,
        "steps": options.steps,
        "repeats": options.repeats,
    }
    for title, features in SIZES.items():
        print(title)
        content[title] = measure(features, options.steps, options.repeats)
    write_json(options.out, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())

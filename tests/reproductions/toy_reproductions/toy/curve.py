"""A well-behaved reproduction for the tests of the harness: a noisy difference, no heavy imports."""

from __future__ import annotations

import os
import random
import time

from reproductions.harness import Metric, Reproduction, Unit

ARMS = (0.0, 1.0)
SEEDS = {"smoke": 2, "laptop": 6}


def units(scale, seeds, data):
    count = seeds or SEEDS.get(scale, 6)
    dataset = os.environ.get("TOY_DATASET")
    config = {"slope": 2.0} | ({"dataset": dataset} if dataset else {})
    return [Unit(config, 1000 + i) for i in range(count)]


def run(config, seed, context):
    noise = random.Random(seed)
    for step in range(3):
        time.sleep(float(os.environ.get("TOY_DELAY", "0")) / 3)
        context.progress(step + 1, 3, height=float(step))
    return [
        {"arm": {"strength": arm}, "metrics": {"height": config["slope"] * arm + 0.01 * noise.random()}} for arm in ARMS
    ]


REPRODUCTION = Reproduction(
    id="toy/curve",
    title="A slope",
    tier="scaled",
    units=units,
    run=run,
    metrics={"height": Metric(unit="1", reduction="none", kind="exact")},
)

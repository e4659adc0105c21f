"""A reproduction whose units do what the environment variable TOY_TROUBLE says, one unit per word."""

from __future__ import annotations

import os
import signal
import time

from reproductions.harness import Metric, Reproduction, Unit


def units(scale, seeds, data):
    words = os.environ.get("TOY_TROUBLE", "")
    return [Unit({"does": word}, 1000) for word in words.split(",") if word]


def run(config, seed, context):
    does = config["does"]
    if does == "raise":
        raise ArithmeticError("the toy broke")
    if does == "stick":
        error = RuntimeError("skips forever")
        error.status = "stuck"
        raise error
    if does == "exit":
        os._exit(3)
    if does == "sigkill":
        signal.raise_signal(signal.SIGKILL)
    if does == "sleep":
        time.sleep(60)
    if does == "undeclared":
        return [{"arm": {}, "metrics": {"weight": 1.0}}]
    if does == "chatter":
        print("noise on standard output", flush=True)
    value = float("nan") if does == "nan" else 1.0
    return [{"arm": {"does": does}, "metrics": {"height": value}}]


REPRODUCTION = Reproduction(
    id="toy/trouble",
    title="Trouble",
    tier="static",
    units=units,
    run=run,
    metrics={"height": Metric(unit="1", reduction="none", kind="exact")},
)

"""Measure the errors of the twins and write them down: ``python -m tests.conformance.measure [FUNCTION ...]``.

The largest error seen per function, dtype and device, in ulps of the condition scale, goes to
``reference/registry/tolerances.json``; the tests allow four times that. Run it after a change of a twin, a reference
function or a strategy, and read the difference: a number that grows is a twin that got worse.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path

import torch
from hypothesis import HealthCheck, given, settings

from reference import registry
from tests import profiles
from tests.conformance import inputs
from tests.conformance.comparison import gradient_discrepancy, value_discrepancy
from tests.conformance.implementation import DEFAULT, Implementation

TABLE = Path(registry.__file__).with_name("tolerances.json")


def largest(function: str, dtype: str, implementation: Implementation, compare, examples: int) -> float:
    """Return the largest error over ``examples`` drawn inputs, in ulps."""
    worst = 0.0

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(arguments=inputs.strategy(function))
    def look(arguments) -> None:
        nonlocal worst
        found = compare(function, arguments, dtype, implementation)
        if found is not None:
            worst = max(worst, found.ulps)

    look()
    if not math.isfinite(worst):
        raise RuntimeError(f"{function} in {dtype} gives a non-finite value where the reference is finite")
    return round(worst, 2)


def measure(function: str, device: str, examples: int) -> dict[str, dict[str, float]]:
    """Return ``{dtype: {"value": ulps, "gradient": ulps}}`` of one function of the default implementation."""
    implementation = Implementation(DEFAULT, device)
    record: dict[str, dict[str, float]] = {}
    for dtype in inputs.dtypes(function):
        record[dtype] = {"value": largest(function, dtype, implementation, value_discrepancy, examples)}
        if dtype != "bfloat16":
            record[dtype]["gradient"] = largest(function, dtype, implementation, gradient_discrepancy, examples)
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help="default: all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--examples", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    profiles.load()
    known = registry.functions()
    if unknown := [name for name in options.functions if name not in known]:
        parser.error(f"not registered: {', '.join(unknown)}")
    for function in options.functions or sorted(known):
        record = measure(function, options.device, options.examples)
        print(function, json.dumps(record), flush=True)
        table = json.loads(TABLE.read_text(encoding="utf-8"))
        table.setdefault(function, {})[options.device.split(":")[0]] = record
        kept = {name: table[name] for name in sorted(table) if name in known}
        # Whole or not at all: others read the table meanwhile.
        written = TABLE.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        written.replace(TABLE)


if __name__ == "__main__":
    main()

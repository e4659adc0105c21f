"""Measure the errors of the twins and write them down: ``python -m tests.conformance.measure [FUNCTION ...]``.

The largest error seen per function, dtype and device, in ulps of the condition scale, goes to
``reference/registry/tolerances.json``; the tests allow four times that. Run it after a change of a twin, a reference
function or a strategy, and read the difference: a number that grows is a twin that got worse.

With ``--observed FILE`` nothing is drawn: the records are raised to what a session of the tests has seen. Only errors
that the tests allow are taken. One beyond that is a failure to trace first; then name its function to take it too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from hypothesis import HealthCheck, given, settings

from reference import registry
from tests import profiles
from tests.conformance import inputs
from tests.conformance.comparison import allowed, gradient_discrepancy, value_discrepancy
from tests.conformance.implementation import DEFAULT, Implementation

TABLE = Path(registry.__file__).with_name("tolerances.json")
KINDS = {"value": value_discrepancy, "gradient": gradient_discrepancy}
DRAWS, MORE_DRAWS = 300, 2000

# Why the largest error of a function is above LARGE, or so rare that few draws miss it: these get more draws. Each was
# compared at 50 digits on some dozens of draws, and neither side was found to lose more than the function has to.
LARGE = 16.0
HEAVY_TAILS = {
    "calibration.error_variances": "a difference of two estimates keeps the absolute accuracy of its terms",
    "gaussian.entropy": "the sum of logarithms of 10 and more nearly vanishes",
    "likelihoods.categorical_mean": "255 equal weights added to a large one all round the same way",
    "linear_vae.fitted_optimum": "the logarithms of the spectrum cancel each other and the constant",
    "relaxations.gumbel_softmax": "-log u is rounded before its logarithm is divided by a temperature of 0.01; the "
    "slope of a nearly one-hot softmax is a difference",
    "relaxations.overlap_exp_icdf_asinh": "a printed form, a small difference of its terms",
    "relaxations.overlap_exp_icdf_quadratic": "a printed form, whose root cancels",
    "smoothing.moments": "the variance over a narrow posterior is of values that agree in all but their last digits",
    "tempering.energy_moments": "the mean energy nearly vanishes: states of either sign cancel",
}


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


def measure(function: str, device: str, kinds: Iterable[str], examples: int) -> dict[str, dict[str, float]]:
    """Return ``{dtype: {kind: ulps}}`` of one function of the default implementation."""
    implementation = Implementation(DEFAULT, device)
    return {
        dtype: {
            kind: largest(function, dtype, implementation, KINDS[kind], examples)
            for kind in kinds
            if (kind, dtype) != ("gradient", "bfloat16")
        }
        for dtype in inputs.dtypes(function)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help="default: all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--kind", choices=KINDS, help="default: both; a gradient costs a dozen values")
    parser.add_argument("--examples", type=int, help=f"default: {DRAWS}, or {MORE_DRAWS} for heavy tails")
    parser.add_argument("--observed", type=Path, metavar="FILE", help="raise the records to the errors in FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    profiles.load()
    known = registry.functions()
    if unknown := [name for name in options.functions if name not in known]:
        parser.error(f"not registered: {', '.join(unknown)}")
    if options.observed:
        raise_records(json.loads(options.observed.read_text(encoding="utf-8")), options.functions)
        return
    for function in options.functions or sorted(known):
        examples = options.examples or (MORE_DRAWS if function in HEAVY_TAILS else DRAWS)
        record = measure(function, options.device, [options.kind] if options.kind else KINDS, examples)
        print(function, json.dumps(record), flush=True)
        table = json.loads(TABLE.read_text(encoding="utf-8"))
        devices, device = table.setdefault(function, {}), options.device.split(":")[0]
        # A kind that was not measured keeps its record.
        devices[device] = {dtype: {**devices.get(device, {}).get(dtype, {}), **record[dtype]} for dtype in record}
        _write({name: table[name] for name in sorted(table) if name in known})


def raise_records(observed: dict[str, Any], traced: list[str]) -> None:
    """Raise the records to the errors that a session has written; beyond the limits only those of ``traced``."""
    table, device = json.loads(TABLE.read_text(encoding="utf-8")), observed["device"].split(":")[0]
    for function, seen in observed["largest"].items():
        for dtype, kind, ulps in ((d, k, u) for d, kinds in seen.items() for k, u in kinds.items()):
            limit = math.inf if function in traced else allowed(function, kind, dtype, device)
            if math.isfinite(ulps) and ulps <= (limit if function in HEAVY_TAILS else min(limit, LARGE)):
                record = table[function][device][dtype]
                record[kind] = max(record[kind], round(ulps, 2))
            else:
                print(f"{function} {kind} {dtype}: {ulps:.4g} ulps not taken")
    _write(table)


def _write(table: dict[str, Any]) -> None:
    # Whole or not at all: others read the table meanwhile.
    written = TABLE.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    written.replace(TABLE)


if __name__ == "__main__":
    main()

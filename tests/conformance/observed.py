"""The largest errors that a session of the twins' tests sees: what an hour of fuzzing has found is not lost.

``pytest tests/conformance -n0 --hypothesis-profile=thorough --observed=FILE`` writes them, and ``python -m
tests.conformance.measure --observed FILE`` raises the records to them.
"""

from __future__ import annotations

import json
from pathlib import Path

Table = dict[str, dict[str, dict[str, float]]]
LARGEST: Table = {}


def note(function: str, dtype: str, kind: str, ulps: float) -> None:
    """Keep an error if it is the largest of its function, dtype and kind."""
    kinds = LARGEST.setdefault(function, {}).setdefault(dtype, {})
    kinds[kind] = max(kinds.get(kind, 0.0), ulps)


def write(path: Path, device: str) -> None:
    """Write what was kept, under the device that it was seen on."""
    path.write_text(
        json.dumps({"device": device, "largest": LARGEST}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )

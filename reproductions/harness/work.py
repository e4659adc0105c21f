"""Run one unit, in whatever process: from its declaration to its record."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reproductions.harness import channel, provenance
from reproductions.harness.discovery import load
from reproductions.harness.store import SCHEMA, Record, Row, canonical
from reproductions.harness.units import Context, Metric, Reproduction

_PROGRESS_SECONDS = 0.2


@dataclass(frozen=True)
class Task:
    """All that a worker needs to run a unit. Picklable, and small.

    Parameters
    ----------
    key
        Address of the record.
    module
        File of the reproduction.
    reproduction, config, seed, scale, code
        What the address is made of.
    device, threads, data_dir, checkpoint_dir
        The unit's context.
    data
        SHA-256 of each data set that the unit reads.
    """

    key: str
    module: Path
    reproduction: str
    config: Mapping[str, Any]
    seed: int
    scale: str
    code: str
    device: str = "cpu"
    threads: int = 1
    data_dir: Path | None = None
    checkpoint_dir: Path | None = None
    data: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return a short name for progress lines."""
        settings = " ".join(f"{name}={value}" for name, value in self.config.items() if _is_short(value))
        return f"{self.reproduction} seed {self.seed} {settings}".strip()


def _is_short(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 16)


def execute(task: Task) -> Record:
    """Run a unit and return its record; what it raises becomes the status ``failed`` or ``stuck``."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    clock = time.perf_counter()
    provenance.reset_peak_memory()
    metrics: Mapping[str, Metric] = {}
    rows: list[Row] = []
    error: dict[str, Any] | None = None
    status = "done"
    try:
        reproduction = load(task.module)
        metrics = reproduction.metrics
        rows, error = _run(reproduction, task)
    except Exception as raised:
        # A library that must not know the harness marks a run that skips forever by this attribute.
        status = "stuck" if getattr(raised, "status", None) == "stuck" else "failed"
        error = {"type": type(raised).__name__, "message": str(raised), "traceback": traceback.format_exc()}
    record = blank_record(task, status, error, started)
    record["rows"] = rows
    record["metrics_info"] = {name: asdict(metric) for name, metric in metrics.items()}
    record["provenance"]["seconds"] = round(time.perf_counter() - clock, 3)
    record["provenance"]["peak_memory_bytes"] = provenance.peak_memory_bytes()
    return record


def blank_record(task: Task, status: str, error: dict[str, Any] | None, started: str) -> Record:
    """Return the record of a unit that has no rows."""
    return {
        "schema": SCHEMA,
        "key": task.key,
        "reproduction": task.reproduction,
        "config": dict(task.config),
        "seed": task.seed,
        "scale": task.scale,
        "code": task.code,
        "status": status,
        "rows": [],
        "error": error,
        "metrics_info": {},
        "provenance": {
            **provenance.describe(task.device, task.threads, task.data),
            "started": started,
        },
    }


def _run(reproduction: Reproduction, task: Task) -> tuple[list[Row], dict[str, Any] | None]:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(task.threads)
    if task.checkpoint_dir is not None:
        task.checkpoint_dir.mkdir(parents=True, exist_ok=True)
    context = Context(
        device=task.device,
        data_dir=task.data_dir,
        threads=task.threads,
        scale=task.scale,
        checkpoint_dir=task.checkpoint_dir,
        report=_Reporter(task.key),
    )
    returned = reproduction.run(dict(task.config), task.seed, context)
    rows, problems = clean_rows(returned, reproduction.metrics)
    if task.checkpoint_dir is not None:
        # Other units may be using the parent folder: only what is ours goes.
        shutil.rmtree(task.checkpoint_dir, ignore_errors=True)
        with contextlib.suppress(OSError):
            task.checkpoint_dir.parent.rmdir()
    if not problems:
        return rows, None
    return rows, {"type": "NonFiniteMetric", "message": "; ".join(problems), "traceback": None}


class _Reporter:
    """Pass progress on to the parent, a few times a second at most."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._last = -math.inf

    def __call__(self, done: float, total: float, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._last < _PROGRESS_SECONDS and done < total:
            return
        self._last = now
        values = {name: float(value) for name, value in metrics.items()}
        channel.emit({"key": self._key, "done": float(done), "total": float(total), "metrics": values})


def clean_rows(returned: Any, metrics: Mapping[str, Metric]) -> tuple[list[Row], list[str]]:
    """Turn what a unit returned into plain JSON rows.

    Parameters
    ----------
    returned
        List of ``{"arm": {...}, "metrics": {...}, "series": {...}}``; numpy and torch scalars and arrays are
        converted.
    metrics
        The declared metrics.

    Returns
    -------
    tuple
        The rows, with None in place of numbers that are not finite, and one line for each of those.

    Raises
    ------
    ValueError
        If the rows have another form, or a metric is not declared.
    """
    if not isinstance(returned, list):
        raise ValueError(f"a unit returns a list of rows, got {type(returned).__name__}")
    rows: list[Row] = []
    problems: list[str] = []
    for row in returned:
        extra = sorted(set(row) - {"arm", "metrics", "series"}) if isinstance(row, dict) else [repr(row)]
        if extra or not isinstance(row.get("arm"), dict) or not isinstance(row.get("metrics"), dict):
            raise ValueError(f"a row has 'arm', 'metrics' and perhaps 'series', got {row!r}")
        undeclared = sorted(set(row["metrics"]) - set(metrics))
        if undeclared:
            raise ValueError(f"metric {undeclared[0]!r} is not declared in REPRODUCTION.metrics")
        arm = {str(name): _plain(value) for name, value in row["arm"].items()}
        canonical(arm)
        clean: Row = {"arm": arm, "metrics": {}}
        for name, value in row["metrics"].items():
            clean["metrics"][name] = _finite(_number(name, value), f"metric {name!r}", arm, problems)
        if row.get("series"):
            clean["series"] = {
                str(name): [
                    _finite(_number(name, value), f"series {name!r}", arm, problems) for value in _plain(values)
                ]
                for name, values in row["series"].items()
            }
        rows.append(clean)
    return rows, list(dict.fromkeys(problems))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _number(name: str, value: Any) -> float | int | None:
    value = _plain(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, (bool, float)):
        return float(value)
    raise ValueError(f"metric {name!r} must be a number or None, got {value!r}")


def _finite(value: float | int | None, what: str, arm: Mapping[str, Any], problems: list[str]) -> float | int | None:
    if value is None or math.isfinite(value):
        return value
    problems.append(f"{what} is {value} in arm {canonical(arm)}")
    return None

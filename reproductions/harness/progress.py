"""What a run shows while it runs: a bar with rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from statistics import fmean
from typing import Any, TextIO

from reproductions.harness.store import Record
from reproductions.harness.work import Task

_PLAIN_SECONDS = 30.0


class Progress:
    """Plain lines: one per unit that ends, and one at most every half minute for what is running.

    Parameters
    ----------
    total
        Number of units to run.
    stream
        Where lines go; standard error by default.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total = total
        self.finished = 0
        self._stream = stream
        self._running: dict[str, tuple[Task, float]] = {}
        self._weights: dict[str, float] = {}
        self._done = 0.0
        self._begin = time.monotonic()
        self._last_line = self._begin

    def __enter__(self) -> Progress:
        """Start the clock."""
        self._begin = time.monotonic()
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the display as it stands."""

    def expect(self, seconds: Mapping[str, float | None]) -> None:
        """Weigh each unit (by key) by its expected seconds; what is not known counts like the mean of what is."""
        known = [value for value in seconds.values() if value is not None]
        usual = fmean(known) if known else 1.0
        self._weights = {key: usual if value is None else value for key, value in seconds.items()}

    def started(self, task: Task) -> None:
        """Note that a unit was handed to a worker."""
        self._running[task.key] = (task, 0.0)

    def report(self, message: Mapping[str, Any]) -> None:
        """Note a unit's own progress. Called from other threads too."""
        entry = self._running.get(message["key"])
        if entry is None:
            return
        task, _ = entry
        fraction = min(1.0, message["done"] / message["total"]) if message["total"] > 0 else 0.0
        self._running[task.key] = (task, fraction)
        self._show_report(task, message)

    def ended(self, task: Task, record: Record | None) -> None:
        """Note that a unit ended, with its record; None if it was stopped without one."""
        self._running.pop(task.key, None)
        self.finished += 1
        self._done += self._weights.get(task.key, 1.0)
        status = record["status"] if record else "left out"
        seconds = record["provenance"].get("seconds") if record else None
        took = f" in {seconds:.1f} s" if isinstance(seconds, (int, float)) else ""
        why = f": {first_line(record['error']['message'])}" if record and record["error"] else ""
        left = f", about {clock(self.seconds_left())} left" if self.finished < self.total else ""
        self.line(f"[{self.finished}/{self.total}] {task.label}: {status}{took}{left}{why}")

    def line(self, text: str) -> None:
        """Print one line."""
        print(text, file=self._stream or sys.stderr, flush=True)
        self._last_line = time.monotonic()

    def seconds_left(self) -> float:
        """Estimate the time to the end from the work done so far."""
        total = sum(self._weights.values()) or self.total
        done = self._done + sum(self._weights.get(key, 1.0) * part for key, (_, part) in list(self._running.items()))
        if done <= 0:
            return float("nan")
        return (time.monotonic() - self._begin) / done * max(0.0, total - done)

    def _show_report(self, task: Task, message: Mapping[str, Any]) -> None:
        if time.monotonic() - self._last_line >= _PLAIN_SECONDS:
            self.line(
                f"[{self.finished}/{self.total}] {task.label}: {message['done']:g}/{message['total']:g} "
                f"{_moment(message['metrics'])}".rstrip()
            )


class RichProgress(Progress):
    """A bar: units done, time left, the metric of the moment."""

    def __init__(self, total: int, console: Any) -> None:
        super().__init__(total)
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self._console = console
        self._bar = Bar(
            TextColumn("units"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[moment]}", style="dim", markup=False),
            console=console,
        )
        self._id = self._bar.add_task("units", total=total, left="", moment="")

    def __enter__(self) -> RichProgress:
        """Show the bar."""
        super().__enter__()
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop the bar and leave it on the screen."""
        self._bar.stop()

    def line(self, text: str) -> None:
        """Print one line above the bar and move the bar on."""
        self._console.print(text, markup=False, highlight=False)
        self._bar.update(self._id, completed=self.finished, left=f"{clock(self.seconds_left())} left")

    def _show_report(self, task: Task, message: Mapping[str, Any]) -> None:
        done = self.finished + sum(fraction for _, fraction in list(self._running.values()))
        self._bar.update(
            self._id,
            completed=done,
            left=f"{clock(self.seconds_left())} left",
            moment=f"{task.label} {_moment(message['metrics'])}"[:100],
        )


def make(total: int, stream: TextIO | None = None) -> Progress:
    """Return a display for standard error (or ``stream``): a bar on a terminal, plain lines elsewhere."""
    target = stream or sys.stderr
    if not target.isatty():
        return Progress(total, stream)
    from rich.console import Console

    return RichProgress(total, Console(file=target))


def clock(seconds: float) -> str:
    """Return a duration for people: ``45 s``, ``3 min``, ``2.5 h``."""
    if seconds != seconds:
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def first_line(text: str) -> str:
    """Return the first line of a message, shortened."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= 160 else line[:157] + "..."


def _moment(metrics: Mapping[str, float]) -> str:
    return " ".join(f"{name}={value:.4g}" for name, value in metrics.items())

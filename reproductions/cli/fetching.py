"""Downloads that the user asked for, with a bar on a terminal and a plain line elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from reproductions.cli.usage import UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from vaes.data_files import DataFile


def fetch_data(names: list[str], data_dir: Path | None) -> None:
    """Download the files of these data sets into the data directory."""
    from vaes.data_fetch import fetch, fetchable

    if data_dir is None:
        raise UsageError("--fetch needs a data directory (--data-dir or EVIDENCE_DATA), got none")
    for name in names:
        if name not in fetchable():
            raise UsageError(f"--fetch must be one of {', '.join(fetchable())}, got {name!r}")
    with _progress() as progress:
        for name in names:
            fetch(name, data_dir, progress)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[DataFile], Any]]:
    """Yield what tells of a download that begins, and returns its bar where there is a terminal."""
    if not sys.stderr.isatty():
        yield lambda file: typer.echo(f"evidence: fetching {file.url}", err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as display:
        yield lambda file: Bar(display, file.name)


class Bar:
    """A bar as Pooch moves it, in bytes."""

    def __init__(self, display: Progress, label: str) -> None:
        self._display = display
        self._task = display.add_task(label, total=None)

    @property
    def total(self) -> float | None:
        """Size of the download; None until it is known."""
        return self._display.tasks[self._task].total

    @total.setter
    def total(self, size: int) -> None:
        # Zero stands for a size that the server does not tell.
        self._display.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        """Note that so many bytes more have come."""
        self._display.advance(self._task, size)

    def reset(self) -> None:
        """Start again at nothing."""
        self._display.update(self._task, completed=0)

    def close(self) -> None:
        """Leave the bar as it stands."""

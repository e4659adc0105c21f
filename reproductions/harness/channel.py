"""Messages from a running unit to whoever started it. In a worker process they travel up its pipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Sink = Callable[[Any], None]
_sinks: list[Sink] = []


def open_sink(sink: Sink) -> None:
    """Send the messages of this process to ``sink`` from now on."""
    _sinks[:] = [sink]


def emit(message: Any) -> None:
    """Send a picklable message to the parent; drop it when nobody listens."""
    for sink in _sinks:
        sink(message)

"""What stops a report build."""

from __future__ import annotations


class ReportError(RuntimeError):
    """The report could not be built; the message says which page and why."""

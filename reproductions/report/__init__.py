"""The report: pages, notebooks, equation atlas and the figures' style.

It reads the result store, the claims and the equation registry, and runs no experiment.
"""

from __future__ import annotations

from pathlib import Path

from reproductions.report.errors import ReportError

__all__ = ["ReportError", "build"]


def build(out_dir: Path, published: Path, machine: Path | None = None, *, execute: bool = True) -> Path:
    """Build the whole report and return the path of its ``index.html``.

    Parameters
    ----------
    out_dir : Path
        Folder of the report. Files in it that are not the report's own are left alone.
    published : Path
        Result store published with the repository.
    machine : Path or None
        Result store of this machine, shown beside the published one, or None.
    execute : bool
        Execute the notebooks (figures and narrative). Without, the pages list the claims only.

    Raises
    ------
    ReportError
        When a notebook cell, a formula, a template or a link is broken. The old report is then untouched.
    """
    # The builder pulls in nbconvert and jinja2; notebooks import this package without needing either.
    from reproductions.report.builder import build_report

    return build_report(Path(out_dir), Path(published), None if machine is None else Path(machine), execute=execute)

"""Where things are: the source checkout if there is one, else the current folder."""

from __future__ import annotations

from pathlib import Path

from reproductions.harness.discovery import PACKAGE_FOLDER


def checkout() -> Path | None:
    """Return the source checkout that this package is imported from, or None for an installed copy."""
    root = PACKAGE_FOLDER.parent
    return root if (root / "pyproject.toml").is_file() and (root / "claims").is_dir() else None


def project_root() -> Path:
    """Return the checkout, or the current folder where there is none."""
    return checkout() or Path.cwd()


def machine_store() -> Path:
    """Return the default folder for the results of this machine."""
    return project_root() / ".evidence" / "results"


def published_store() -> Path:
    """Return the folder of the results that are published with the project."""
    return project_root() / "reports" / "results"

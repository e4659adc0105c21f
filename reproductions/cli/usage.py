"""What the options and arguments mean: papers, claims, reproductions, stores, settings; wrong usage in one line."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from claims import Claim, Paper
    from reproductions.harness.discovery import Found
    from reproductions.harness.runner import Settings
    from reproductions.harness.store import Store


class UsageError(Exception):
    """Wrong usage; the message is one line."""


def unknown(kind: str, wanted: str, known: Any) -> str:
    """Say that a name is not known, with the nearest one that is."""
    near = difflib.get_close_matches(wanted, list(known), n=1, cutoff=0.5)
    return f"unknown {kind} {wanted!r}" + (f", did you mean {near[0]!r}?" if near else "")


def check_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Refuse an option outside its choices."""
    if value is not None and value not in choices:
        raise UsageError(f"--{name} must be one of {', '.join(choices)}, got {value!r}")


def check_data_dir(data_dir: Path | None) -> None:
    """Refuse a data directory that does not exist."""
    if data_dir is not None and not data_dir.is_dir():
        raise UsageError(f"data directory does not exist: {data_dir}")


def check_device(device: str) -> None:
    """Refuse a device that this machine lacks."""
    check_choice("device", device, ("cpu", "cuda"))
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise UsageError(f"no CUDA device: torch {torch.__version__} finds none")


def settings_of(
    scale: str, device: str, seeds: int | None, fresh: bool, budget: str | None, timeout: str | None
) -> Settings:
    """Return the settings of a run that the options ask for."""
    from reproductions.harness.budget import parse_duration
    from reproductions.harness.runner import Settings
    from reproductions.harness.scales import SCALES

    check_choice("scale", scale, SCALES)
    check_device(device)

    def seconds(name: str, text: str | None) -> float | None:
        try:
            return None if text is None else parse_duration(text)
        except ValueError as error:
            raise UsageError(f"--{name}: {error}") from error

    return Settings(
        scale=scale,
        device=device,
        seeds=seeds,
        fresh=fresh,
        budget=seconds("budget", budget),
        timeout=seconds("timeout", timeout),
    )


def load_papers() -> dict[str, Paper]:
    """Load the claim files: the packaged ones, or those that the environment names."""
    from claims import load_all

    folder = os.environ.get("EVIDENCE_CLAIMS")
    return load_all(directory=Path(folder)) if folder else load_all()


def find_claim(papers: dict[str, Paper], wanted: str) -> Claim:
    """Return the claim with this id."""
    claims = {claim.id: claim for paper in papers.values() for claim in paper.claims}
    if wanted not in claims:
        raise UsageError(unknown("claim", wanted, claims))
    return claims[wanted]


def find_reproductions() -> dict[str, Found]:
    """Return the reproductions by name: the packaged ones, or those that the environment names."""
    from reproductions.harness.discovery import discover

    folder = os.environ.get("EVIDENCE_REPRODUCTIONS")
    return discover(Path(folder) if folder else None)


def open_stores(machine: Path | None) -> dict[str, Store]:
    """Open the published store and that of this machine."""
    from reproductions.harness.paths import machine_store, published_store
    from reproductions.harness.store import Store

    def warn(line: str) -> None:
        typer.echo(f"evidence: {line}", err=True)

    return {"published": Store(published_store(), warn), "machine": Store(machine or machine_store(), warn)}


def describe_data(data_dir: Path | None) -> Any:
    """Describe the data sets as found in a data directory."""
    from vaes.data import describe

    return describe(data_dir)


def find_implementation(module: str) -> str:
    """Return an existing file as an absolute path, or a module name that can be found."""
    import importlib.util

    path = Path(module)
    if path.exists():
        return str(path.resolve())
    if path.suffix == ".py" or os.sep in module:
        raise UsageError(f"no such file: {module}")
    sys.path.insert(0, os.getcwd())
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise UsageError(f"no file and no module {module!r}")
    return module


def select(targets: list[str], tier: str | None, papers: dict[str, Paper], found: dict[str, Found]) -> dict[str, Found]:
    """Return the reproductions that the targets name, in the order of discovery."""
    claims = {claim.id: claim for paper in papers.values() for claim in paper.claims}
    wanted: set[str] = set()
    for target in targets:
        if target in found:
            wanted.add(target)
        elif target in papers or any(entry.reproduction.paper == target for entry in found.values()):
            wanted |= {name for name, entry in found.items() if entry.reproduction.paper == target}
        elif target in claims:
            wanted.add(_deciding(claims[target], found))
        else:
            raise UsageError(unknown("paper, claim or reproduction", target, [*papers, *found, *claims]))
    chosen = {
        name: entry
        for name, entry in found.items()
        if (not targets or name in wanted) and tier in (None, entry.reproduction.tier)
    }
    if not chosen:
        typer.echo("evidence: nothing to run: no reproduction stands for this selection", err=True)
    return chosen


def _deciding(claim: Claim, found: dict[str, Found]) -> str:
    name = claim.reproduction
    if name is None:
        raise UsageError(f"claim {claim.id!r} has no reproduction: {claim.not_run}")
    if name not in found:
        raise UsageError(f"claim {claim.id!r} names reproduction {name!r}, which does not exist")
    return str(name)

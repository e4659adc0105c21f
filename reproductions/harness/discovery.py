"""Find the reproductions: one module per effect, ``<folder>/<paper>/<effect>.py`` with a ``REPRODUCTION``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from reproductions.harness.code_version import code_version
from reproductions.harness.units import HarnessError, Reproduction

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
NOT_PAPERS = ("cli", "harness", "report")


class DiscoveryError(HarnessError):
    """A module that stands where a reproduction should cannot be used as one."""


@dataclass(frozen=True)
class Found:
    """A reproduction and where it comes from.

    Parameters
    ----------
    reproduction
        The declaration.
    path
        Its file.
    root
        Folder that its declared sources are relative to.
    code
        Its code version.
    """

    reproduction: Reproduction
    path: Path
    root: Path
    code: str


def discover(folder: Path | None = None) -> dict[str, Found]:
    """Find all reproductions below ``folder``.

    Parameters
    ----------
    folder
        Folder with one folder per paper; None: the reproductions of this package. Files and folders whose
        name starts with ``_`` or ``.`` are helpers and are passed over.

    Returns
    -------
    dict
        Reproductions by id, sorted.

    Raises
    ------
    DiscoveryError
        If a module cannot be imported, declares no ``REPRODUCTION``, or declares an id that its path does not
        have.
    """
    folder = PACKAGE_FOLDER if folder is None else folder.resolve()
    found = {}
    for path in sorted(folder.glob("*/*.py")):
        if path.parent.name in NOT_PAPERS or path.name.startswith("_") or path.parent.name.startswith((".", "_")):
            continue
        entry = _examine(path, folder)
        found[entry.reproduction.id] = entry
    return dict(sorted(found.items()))


def _examine(path: Path, folder: Path) -> Found:
    reproduction = load(path)
    expected = f"{path.parent.name.replace('_', '-')}/{path.stem}"
    if reproduction.id != expected:
        raise DiscoveryError(f"{path}: id must be {expected!r} as its place says, got {reproduction.id!r}")
    root = folder.parent if folder == PACKAGE_FOLDER else folder
    try:
        code = code_version(path, reproduction.sources, root)
    except ValueError as error:
        raise DiscoveryError(f"{path}: {error}") from error
    return Found(reproduction, path, root, code)


def load(path: Path) -> Reproduction:
    """Import the module at ``path`` and return its ``REPRODUCTION``.

    Raises
    ------
    DiscoveryError
        If the import fails or the module declares none.
    """
    try:
        module = _import(path.resolve())
    except Exception as error:
        raise DiscoveryError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    reproduction = getattr(module, "REPRODUCTION", None)
    if not isinstance(reproduction, Reproduction):
        raise DiscoveryError(f"{path}: declares no REPRODUCTION (a helper module's name starts with '_')")
    return reproduction


def _import(path: Path) -> ModuleType:
    if path.is_relative_to(PACKAGE_FOLDER):
        dotted = ".".join(path.relative_to(PACKAGE_FOLDER.parent).with_suffix("").parts)
        return importlib.import_module(dotted)
    # A folder of somebody's own: no package, so the name is made from the path to keep equal stems apart.
    name = "evidence_reproduction_" + "_".join(part for part in path.with_suffix("").parts[1:])
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no loader for {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module

"""The code version of a reproduction: a hash of the files that its numbers depend on, and of nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path


def code_version(module: Path, sources: Iterable[str], root: Path) -> str:
    """Hash a reproduction's module and its declared sources.

    Package versions are provenance, not part of the hash: a new numpy does not invalidate a night of results.

    Parameters
    ----------
    module
        File of the reproduction.
    sources
        Files, or folders standing for all ``*.py`` files in them, relative to ``root``.
    root
        Folder that holds the packages.

    Returns
    -------
    str
        First 16 hexadecimal digits of a SHA-256.

    Raises
    ------
    ValueError
        If a declared source does not exist.
    """
    digest = hashlib.sha256()
    named = [(f"module:{module.name}", module), *_expand(sources, root)]
    for name, path in named:
        # A checkout with Windows line endings is the same code.
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _expand(sources: Iterable[str], root: Path) -> Iterator[tuple[str, Path]]:
    for source in sorted(set(sources)):
        path = root / source
        if path.is_dir():
            for file in sorted(path.rglob("*.py")):
                yield file.relative_to(root).as_posix(), file
        elif path.is_file():
            yield source, path
        else:
            raise ValueError(f"declared source {source!r} does not exist under {root}")

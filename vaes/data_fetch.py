"""Downloads of the published files of a data set, on request only: no other module downloads anything."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vaes.data import SOURCES
from vaes.data_files import DataError, DataFile, verify


def fetchable() -> dict[str, tuple[DataFile, ...]]:
    """Files by the name that fetches them: a data set, or ``name/static`` for its static images alone."""
    found: dict[str, tuple[DataFile, ...]] = {}
    for source in SOURCES.values():
        levels = source.published.files if source.published else ()
        static = source.static_images.files if source.static_images else ()
        if levels:
            found[source.name] = levels + static
        if static:
            found[f"{source.name}/static"] = static
    return found


def fetch(
    name: str,
    folder: str | os.PathLike[str],
    progress: Callable[[DataFile], Any] | None = None,
) -> list[Path]:
    """Download the files of a data set that are not in a folder yet, and return the paths of all of them.

    A file gets its name once it is whole and its checksum is right; a download that fails or is interrupted leaves
    nothing of it (one that is killed outright leaves a folder ``.fetch-*``). Files that came before it stay.

    Parameters
    ----------
    name : str
        A name of `fetchable`.
    folder : path
        The data directory; it must exist.
    progress : callable, optional
        Called with each file before its download; what it returns is Pooch's progress bar (an object with the
        attribute ``total`` and the methods ``update``, ``reset`` and ``close``) or None.

    Raises
    ------
    DataError
        If the name is unknown, the folder is missing, a file in it has another checksum, or a download fails.
    """
    files = fetchable().get(name)
    if files is None:
        raise DataError(f"a data set to fetch must be one of {', '.join(fetchable())}, got {name!r}")
    if not Path(folder).is_dir():
        raise DataError(f"{name}: the data directory must exist, got {folder}")
    return [_fetch_file(file, Path(folder), progress) for file in files]


def _fetch_file(file: DataFile, folder: Path, progress: Callable[[DataFile], Any] | None) -> Path:
    path = folder / file.name
    if path.is_file():
        try:
            verify(path, file)
        except DataError as error:
            raise DataError(f"{error}; remove it to fetch it anew") from None
        return path
    try:
        # Beside its place, so that the last step is one renaming.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
            part = Path(temporary) / file.name
            _download(file.url, part, None if progress is None else progress(file))
            verify(part, file, name=file.url)
            os.replace(part, path)
    except OSError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{file.url}: must be a file that can be downloaded to {folder}, got {reason}") from None
    return path


def _download(url: str, path: Path, bar: Any) -> None:
    from pooch import HTTPDownloader  # type: ignore[import-untyped]

    with contextlib.ExitStack() as connections:

        def opened(response: Any, **_: Any) -> None:
            connections.callback(response.close)
            # Some servers take the end .gz of a file's name for the encoding of the transfer: it would arrive unpacked.
            response.raw.headers.pop("Content-Encoding", None)

        plain = {"Accept-Encoding": "identity"}
        HTTPDownloader(progressbar=bar or False, headers=plain, hooks={"response": opened})(url, str(path), None)

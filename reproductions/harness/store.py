"""The store: one JSON file per finished unit, content-addressed, written atomically.

A file's name is the hash of what determines its content: reproduction, configuration, seed, scale and code
version. A run that is killed at any moment leaves whole files and, at worst, a temporary one, which nobody
reads.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA = 1
STATUSES = ("done", "failed", "timeout", "stuck", "interrupted")
KEY_LENGTH = 16
_LEFTOVER_SECONDS = 3600.0

Record = dict[str, Any]
Row = dict[str, Any]


class CorruptRecordError(Exception):
    """A file of the store is not a record; the message names it."""


def canonical(value: Any) -> str:
    """Return the one JSON text that stands for ``value``.

    Raises
    ------
    ValueError
        If it holds a number that is not finite or a value that JSON does not know.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"not plain JSON: {error}: {value!r}") from error


def unit_key(reproduction: str, config: Mapping[str, Any], seed: int, scale: str, code: str) -> str:
    """Return the address of a unit's record (64 hexadecimal digits).

    The scale is part of it so that each scale has its own complete table; the runner copies a result that
    another scale has already paid for.
    """
    content = canonical({"reproduction": reproduction, "config": config, "seed": seed, "scale": scale, "code": code})
    return hashlib.sha256(content.encode()).hexdigest()


class Store:
    """A folder of records.

    Parameters
    ----------
    path
        The folder; made on the first write.
    warn
        Called with one line for each file that had to be moved aside.
    """

    def __init__(self, path: Path, warn: Callable[[str], None] | None = None) -> None:
        self.path = path
        self._warn = warn or (lambda line: None)

    def file_of(self, reproduction: str, key: str) -> Path:
        """Return where the record of a unit is, or would be."""
        return self.path / reproduction.replace("/", "__") / f"{key[:KEY_LENGTH]}.json"

    def save(self, record: Record) -> Path:
        """Write a record so that its file is at every moment whole or absent.

        Raises
        ------
        ValueError
            If the record is not one (see `check`).
        """
        check(record)
        path = self.file_of(record["reproduction"], record["key"])
        text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
        return path

    def get(self, reproduction: str, key: str) -> Record | None:
        """Return the record of a unit, or None. A corrupt file is moved aside with a warning."""
        path = self.file_of(reproduction, key)
        record = self._read(path)
        if record is not None and record["key"] != key:
            self._set_aside(path, "it is the record of another unit")
            return None
        return record

    def records(self, reproduction: str | None = None, scale: str | None = None) -> Iterator[Record]:
        """Yield the records of a reproduction (or all) at a scale (or all), in a stable order."""
        folder = "*" if reproduction is None else reproduction.replace("/", "__")
        for path in sorted(self.path.glob(f"{folder}/*.json")):
            if path.name.startswith("."):
                continue
            record = self._read(path)
            if record is not None and (scale is None or record["scale"] == scale):
                yield record

    def clean(self) -> list[Path]:
        """Remove the temporary files of runs that were killed, and return their paths."""
        removed = []
        for path in self.path.glob("*/.*.tmp"):
            if _is_leftover(path):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                    removed.append(path)
        return removed

    def _read(self, path: Path) -> Record | None:
        try:
            return read_record(path)
        except FileNotFoundError:
            return None
        except CorruptRecordError as error:
            self._set_aside(path, str(error))
            return None

    def _set_aside(self, path: Path, why: str) -> None:
        aside = path.with_name(path.name + ".corrupt")
        with contextlib.suppress(FileNotFoundError):
            os.replace(path, aside)
            self._warn(f"corrupt result file {path}: {why}; moved to {aside.name}, its unit will run again")


def read_record(path: Path) -> Record:
    """Read one record.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CorruptRecordError
        If it is not a record.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        check(record)
        if not record["key"].startswith(path.stem):
            raise ValueError(f"key {record['key'][:KEY_LENGTH]} does not belong to this name")
    except ValueError as error:
        # UnicodeDecodeError and JSONDecodeError are ValueErrors too.
        raise CorruptRecordError(str(error)) from error
    return record


def _refuse_constant(name: str) -> float:
    raise ValueError(f"non-finite number {name}")


def check(record: Any) -> None:
    """Raise ValueError, naming the field, unless ``record`` has all fields of a record."""
    if not isinstance(record, dict):
        raise ValueError(f"a record is an object, got {type(record).__name__}")
    if record.get("schema") != SCHEMA:
        raise ValueError(f"schema must be {SCHEMA}, got {record.get('schema')!r}")
    expected: dict[str, type] = {
        "key": str,
        "reproduction": str,
        "config": dict,
        "seed": int,
        "scale": str,
        "code": str,
        "rows": list,
        "metrics_info": dict,
        "provenance": dict,
    }
    for name, kind in expected.items():
        if not isinstance(record.get(name), kind):
            raise ValueError(f"{name} must be a {kind.__name__}, got {record.get(name)!r}")
    if record.get("status") not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}, got {record.get('status')!r}")


def _is_leftover(path: Path) -> bool:
    try:
        writer = int(path.name.split(".")[2])
        age = time.time() - path.stat().st_mtime
    except (IndexError, ValueError, FileNotFoundError):
        return False
    # A store on a shared disk may have a writer on another machine: there only age tells.
    return age > _LEFTOVER_SECONDS or not _is_alive(writer)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def current_code(records: Iterable[Record]) -> str | None:
    """Return the code version of the record that started last, or None if there are no records."""
    latest = max(records, key=lambda record: str(record["provenance"].get("started", "")), default=None)
    return None if latest is None else str(latest["code"])


def rows_of(records: Iterable[Record]) -> list[Row]:
    """Return the rows of finished units, each with its seed and its unit, sorted by configuration and seed.

    Returns
    -------
    list of dict
        ``{"arm", "seed", "metrics", "series", "unit"}``.
    """
    done = [record for record in records if record["status"] == "done"]
    done.sort(key=lambda record: (canonical(record["config"]), record["seed"]))
    return [
        {
            "arm": row["arm"],
            "seed": record["seed"],
            "metrics": row["metrics"],
            "series": row.get("series", {}),
            "unit": record["key"],
        }
        for record in done
        for row in record["rows"]
    ]


def table(store: Store, reproduction: str, scale: str, code: str | None = None) -> list[Row]:
    """Return the result table of a reproduction at a scale.

    Parameters
    ----------
    store
        Where the records are.
    reproduction
        Its id.
    scale
        The scale.
    code
        Code version; None: the one that ran last. Results of two code versions are never mixed.

    Returns
    -------
    list of dict
        As `rows_of`.
    """
    records = list(store.records(reproduction, scale))
    wanted = current_code(records) if code is None else code
    return rows_of(record for record in records if record["code"] == wanted)

"""The store and the code version."""

from __future__ import annotations

import os

import pytest

from reproductions.harness.code_version import code_version
from reproductions.harness.store import CorruptRecordError, Store, current_code, read_record, table, unit_key
from reproductions.harness.work import clean_rows

IDENTITY = {
    "reproduction": "toy/curve",
    "config": {"a": 1, "b": [2.5]},
    "seed": 1000,
    "scale": "laptop",
    "code": "c",
}


def record(**changes):
    identity = IDENTITY | {name: value for name, value in changes.items() if name in IDENTITY}
    base = {
        "schema": 1,
        "key": unit_key(**identity),
        "status": "done",
        "rows": [{"arm": {"x": 1}, "metrics": {"m": 0.5}}],
        "error": None,
        "metrics_info": {},
        "provenance": {"started": "2026-01-01", "seconds": 1.0},
    }
    return base | identity | changes


def test_what_is_saved_comes_back(store):
    path = store.save(record())
    assert path == store.path / "toy__curve" / f"{record()['key'][:16]}.json"
    assert store.get("toy/curve", record()["key"]) == record()


def test_the_key_is_that_of_the_content_not_of_its_order():
    turned = IDENTITY | {"config": {"b": [2.5], "a": 1}}
    assert unit_key(**turned) == unit_key(**IDENTITY)


@pytest.mark.parametrize(
    "change",
    [{"reproduction": "toy/x"}, {"config": {"a": 2}}, {"seed": 1001}, {"scale": "night"}, {"code": "d"}],
)
def test_each_part_of_the_identity_changes_the_key(change):
    assert unit_key(**(IDENTITY | change)) != unit_key(**IDENTITY)


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_a_configuration_is_plain_json(value):
    with pytest.raises(ValueError, match="not plain JSON"):
        unit_key(**(IDENTITY | {"config": {"a": value}}))


def test_a_record_with_nan_is_refused_and_leaves_nothing(store):
    with pytest.raises(ValueError, match="JSON compliant"):
        store.save(record(rows=[{"arm": {}, "metrics": {"m": float("nan")}}]))
    assert list(store.path.rglob("*.json")) == []


def test_a_failed_write_leaves_the_old_file_and_no_other(store, monkeypatch):
    path = store.save(record())
    before = path.read_bytes()

    def full(descriptor):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        store.save(record(status="failed"))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[1]", "a record is an object"),
        ('{"schema": 2}', "schema must be 1, got 2"),
        ('{"schema": NaN}', "non-finite number NaN"),
        ('{"schema": 1, "key": 3}', "key must be a str"),
    ],
)
def test_a_file_that_is_no_record_says_why(tmp_path, text, message):
    path = tmp_path / "0.json"
    path.write_text(text)
    with pytest.raises(CorruptRecordError, match=message):
        read_record(path)


def test_a_record_under_another_name_is_corrupt(store):
    path = store.save(record())
    other = path.with_name("0123456789abcdef.json")
    path.rename(other)
    with pytest.raises(CorruptRecordError, match="does not belong to this name"):
        read_record(other)


def test_clean_removes_leftovers_of_dead_writers_only(store):
    folder = store.save(record()).parent
    dead, alive = folder / ".a.999999999.x.tmp", folder / f".a.{os.getpid()}.x.tmp"
    for path in (dead, alive):
        path.write_text("{")
    assert store.clean() == [dead]
    assert alive.exists()


def test_records_can_be_chosen_by_reproduction_and_scale(store):
    for change in ({}, {"scale": "night"}, {"reproduction": "toy/other"}):
        store.save(record(**change))
    assert len(list(store.records())) == 3
    assert [r["scale"] for r in store.records("toy/curve", "night")] == ["night"]


def test_a_table_never_mixes_code_versions(store):
    store.save(record(code="old"))
    store.save(record(code="new", seed=1001, provenance={"started": "2026-02-01"}))
    assert [row["seed"] for row in table(store, "toy/curve", "laptop")] == [1001]
    assert [row["seed"] for row in table(store, "toy/curve", "laptop", code="old")] == [1000]
    assert current_code([]) is None


def test_rows_take_arrays_and_keep_integers():
    import numpy as np

    returned = [
        {
            "arm": {"x": np.float64(1.5)},
            "metrics": {"m": np.int64(3)},
            "series": {"s": np.array([1.0, np.inf])},
        }
    ]
    rows, problems = clean_rows(returned, {"m": None})
    assert rows == [{"arm": {"x": 1.5}, "metrics": {"m": 3}, "series": {"s": [1.0, None]}}]
    assert problems == ["series 's' is inf in arm {\"x\":1.5}"]


@pytest.mark.parametrize(
    "returned",
    [None, [1], [{"arm": {}}], [{"arm": {}, "metrics": {}, "more": 1}], [{"arm": {}, "metrics": {"m": "1"}}]],
)
def test_rows_of_another_form_are_refused(returned):
    with pytest.raises(ValueError, match=r"a unit returns a list|a row has|must be a number"):
        clean_rows(returned, {"m": None})


def test_the_code_version_follows_the_declared_files_only(tmp_path):
    module, source, folder = tmp_path / "m.py", tmp_path / "a.py", tmp_path / "f"
    folder.mkdir()
    for path in (module, source, folder / "b.py", tmp_path / "other.py"):
        path.write_text("x = 1\n")
    versions = [code_version(module, ("a.py", "f"), tmp_path)]
    (tmp_path / "other.py").write_text("x = 2\n")
    assert code_version(module, ("f", "a.py"), tmp_path) == versions[0]
    source.write_bytes(b"x = 1\r\n")
    assert code_version(module, ("f", "a.py"), tmp_path) == versions[0]
    for path in (module, source, folder / "b.py"):
        path.write_text("x = 3\n")
        versions.append(code_version(module, ("a.py", "f"), tmp_path))
    assert len(set(versions)) == 4
    with pytest.raises(ValueError, match=r"'gone\.py' does not exist"):
        code_version(module, ("gone.py",), tmp_path)


def test_a_missing_store_is_empty(tmp_path):
    assert list(Store(tmp_path / "none").records()) == []

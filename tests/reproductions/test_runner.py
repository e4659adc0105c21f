"""What a run does with units that end well, badly or not at all, over all executors."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from reproductions.harness.provenance import VOLATILE
from reproductions.harness.runner import Settings, plan, publish
from reproductions.harness.store import Store, table
from reproductions.harness.units import DataInfo


def contents(store):
    """Return the records of a store by key, without what two runs may differ in."""
    records = {}
    for record in store.records():
        for name in VOLATILE:
            del record["provenance"][name]
        records[record["key"]] = record
    return records


def stamps(store):
    return {path: path.stat().st_mtime_ns for path in store.path.glob("*/*.json")}


def test_success_fills_the_table(run_toy, executor, store):
    summary = run_toy("toy/curve", executor, seeds=2)
    assert [record["status"] for record in summary.ran] == ["done", "done"]
    rows = table(store, "toy/curve", "laptop")
    assert [(row["seed"], row["arm"]["strength"]) for row in rows] == [
        (1000, 0.0),
        (1000, 1.0),
        (1001, 0.0),
        (1001, 1.0),
    ]
    assert rows[1]["metrics"]["height"] == pytest.approx(2.0, abs=0.02)


def test_each_failure_is_a_record_and_the_others_go_on(run_toy, executor, store, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "raise,exit,sigkill,stick,fine,chatter")
    run_toy("toy/trouble", executor)
    monkeypatch.setenv("TOY_TROUBLE", "sleep")
    run_toy("toy/trouble", executor, timeout=0.5)
    records = {record["config"]["does"]: record for record in store.records()}
    assert {does: record["status"] for does, record in records.items()} == {
        "raise": "failed",
        "exit": "interrupted",
        "sigkill": "interrupted",
        "sleep": "timeout",
        "stick": "stuck",
        "fine": "done",
        "chatter": "done",
    }
    assert records["raise"]["error"]["type"] == "ArithmeticError"
    assert records["raise"]["error"]["message"] == "the toy broke"
    assert 'raise ArithmeticError("the toy broke")' in records["raise"]["error"]["traceback"]
    assert "SIGKILL" in records["sigkill"]["error"]["message"]


def test_resume_keeps_what_is_done_and_retries_what_failed(run_toy, executor, store, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "raise,fine")
    run_toy("toy/trouble", executor)
    before = stamps(store)
    summary = run_toy("toy/trouble", executor)
    assert [task.config["does"] for task in summary.skipped] == ["fine"]
    assert [record["config"]["does"] for record in summary.ran] == ["raise"]
    changed = [path for path, stamp in stamps(store).items() if stamp != before[path]]
    assert [json.loads(path.read_text())["config"]["does"] for path in changed] == ["raise"]


def test_a_unit_that_is_listed_twice_runs_once(run_toy, executor, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "fine,fine")
    assert len(run_toy("toy/trouble", executor).ran) == 1


def test_two_fresh_runs_give_identical_records(run_toy, processes, tmp_path):
    first, second = Store(tmp_path / "first"), Store(tmp_path / "second")
    for store in (first, second):
        run_toy("toy/curve", processes, into=store, fresh=True)
    assert len(contents(first)) == 6
    assert contents(first) == contents(second)


def test_fresh_runs_finished_units_again(run_toy, processes, store):
    run_toy("toy/curve", processes, seeds=2)
    before = stamps(store)
    summary = run_toy("toy/curve", processes, seeds=2, fresh=True)
    assert len(summary.ran) == 2
    assert all(stamp > before[path] for path, stamp in stamps(store).items())


def test_another_scale_takes_over_results_with_the_same_configuration(run_toy, processes, store):
    run_toy("toy/curve", processes, scale="laptop", seeds=2)
    summary = run_toy("toy/curve", processes, scale="night", seeds=3)
    assert (len(summary.skipped), len(summary.ran)) == (2, 1)
    assert len(table(store, "toy/curve", "laptop")) == 4
    assert len(table(store, "toy/curve", "night")) == 6


def test_a_number_that_is_not_finite_becomes_none_and_is_named(run_toy, processes, store, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "nan")
    run_toy("toy/trouble", processes)
    (record,) = store.records()
    assert record["rows"] == [{"arm": {"does": "nan"}, "metrics": {"height": None}}]
    assert record["error"]["message"] == 'metric \'height\' is nan in arm {"does":"nan"}'


def test_a_metric_without_a_meaning_fails_its_unit(run_toy, processes, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "undeclared")
    (record,) = run_toy("toy/trouble", processes).failed
    assert record["error"]["message"] == "metric 'weight' is not declared in REPRODUCTION.metrics"


def test_a_corrupt_file_is_moved_aside_and_its_unit_runs_again(run_toy, processes, store):
    run_toy("toy/curve", processes, seeds=2)
    before = contents(store)
    broken = sorted(store.path.glob("*/*.json"))[0]
    broken.write_text(broken.read_text()[:100])
    warnings = []
    again = Store(store.path, warnings.append)
    summary = run_toy("toy/curve", processes, into=again, seeds=2)
    assert (len(summary.ran), len(summary.skipped)) == (1, 1)
    assert broken.with_name(broken.name + ".corrupt").exists()
    assert len(warnings) == 1
    assert str(broken) in warnings[0]
    assert contents(store) == before


def test_provenance_says_where_a_result_comes_from(run_toy, processes):
    provenance = run_toy("toy/curve", processes, seeds=1).ran[0]["provenance"]
    assert provenance["device"] == "cpu"
    assert provenance["threads"] == 1
    assert {"python", "numpy"} <= set(provenance["versions"])
    assert provenance["peak_memory_bytes"] > 1e6
    assert provenance["seconds"] >= 0


def test_a_data_set_at_hand_is_in_the_provenance_and_a_missing_one_stops_the_plan(toys, store, monkeypatch):
    def describe(data_dir):
        return [
            {"name": "seen", "status": "ok", "sha256": "abc"},
            {"name": "lost", "status": "no file x.npz"},
        ]

    data = DataInfo(None, describe)
    monkeypatch.setenv("TOY_DATASET", "seen/static")
    assert plan([toys["toy/curve"]], Settings("laptop"), data, store)[0].data == {"seen/static": "abc"}
    assert data.has("seen")
    assert not data.has("lost")
    monkeypatch.setenv("TOY_DATASET", "lost")
    with pytest.raises(Exception, match=r"data set 'lost' cannot be used: no file x\.npz"):
        plan([toys["toy/curve"]], Settings("laptop"), data, store)


@pytest.mark.parametrize(
    ("settings", "message"), [({"scale": "huge"}, "scale must be one of"), ({"seeds": 0}, "got 0")]
)
def test_settings_out_of_range_are_named(toys, store, settings, message):
    with pytest.raises(ValueError, match=message):
        plan(toys.values(), Settings(**{"scale": "laptop", **settings}), DataInfo(), store)


def test_publish_copies_finished_units_and_drops_older_code(run_toy, processes, toys, store, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "raise,fine")
    run_toy("toy/trouble", processes)
    published = Store(tmp_path / "published")
    (done,) = [record for record in store.records() if record["status"] == "done"]
    published.save({**done, "code": "0" * 16, "key": "f" * 64})
    assert publish(store, published, {"toy/trouble": toys["toy/trouble"].code}) == {"toy/trouble": 1}
    assert list(published.records()) == [done]


def test_ctrl_c_stops_what_runs_and_leaves_a_consistent_store(command, tmp_path):
    arguments = ("run", "toy/trouble", "--store", tmp_path / "results", "--jobs", 1)
    process = command(*arguments, TOY_TROUBLE="fine,sleep")
    wait_for_files(tmp_path / "results", 1)
    # A terminal sends the signal to all processes of the group.
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert [record["status"] for record in Store(tmp_path / "results").records()] == ["done"]


def test_sigkill_in_the_middle_loses_and_repeats_nothing(command, tmp_path):
    store, calm = Store(tmp_path / "results"), Store(tmp_path / "calm")
    process = command("run", "toy/curve", "--store", store.path, "--jobs", 2, TOY_DELAY="0.4")
    wait_for_files(store.path, 2)
    process.kill()
    process.communicate(timeout=20)
    finished = stamps(store)
    assert 2 <= len(finished) < 6
    # What a kill between writing and renaming leaves behind.
    leftover = next(iter(finished)).with_name(f".0123456789abcdef.{process.pid}.deadbeef.tmp")
    leftover.write_text('{"schema": 1, ')
    for target in (store, calm):
        again = command("run", "toy/curve", "--store", target.path, "--jobs", 2)
        _, errors = again.communicate(timeout=60)
        assert again.returncode == 0, errors
    assert {path: stamp for path, stamp in stamps(store).items() if path in finished} == finished
    assert [path.name for path in store.path.rglob("*") if path.suffix in (".tmp", ".corrupt")] == []
    assert contents(store) == contents(calm)
    assert table(store, "toy/curve", "laptop") == table(calm, "toy/curve", "laptop")


def wait_for_files(folder, count):
    deadline = time.monotonic() + 30
    while len(list(folder.glob("*/*.json"))) < count:
        assert time.monotonic() < deadline, "no results in time"
        time.sleep(0.02)

"""The order of units: durations, costs, the longest first; with a budget how it is spent and what it leaves out."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from reproductions.harness.budget import Costs, longest_first, order, parse_duration
from reproductions.harness.executors import ProcessExecutor
from reproductions.harness.progress import Progress
from reproductions.harness.runner import Settings, plan, run
from reproductions.harness.units import DataInfo
from reproductions.harness.work import Task


def task(reproduction, seed=1000, **config):
    return Task(f"{reproduction}{seed}", Path("x.py"), reproduction, config, seed, "laptop", "c")


def record(reproduction, seconds, status="done", **config):
    return {
        "reproduction": reproduction,
        "scale": "laptop",
        "config": config,
        "status": status,
        "provenance": {"seconds": seconds},
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("1h30m", 5400), (" 2M ", 120)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "-5", "0", "5d", "m", "1e3", "nan"])
def test_what_is_no_duration_is_named(text):
    with pytest.raises(ValueError, match=repr(text)):
        parse_duration(text)


def test_costs_are_those_of_the_configuration_else_of_the_reproduction():
    costs = Costs([record("p/a", 10, x=1), record("p/a", 20, x=1), record("p/a", 90, x=2), record("p/a", 1, "failed")])
    assert costs.expected(task("p/a", x=1)) == 15
    assert costs.expected(task("p/a", x=3)) == 40
    assert costs.expected(task("p/b")) is None


def test_static_first_then_cheap_per_claim_then_unknown_then_what_does_not_fit():
    costs = Costs([record("p/cheap", 10), record("p/many", 30), record("p/static", 50), record("p/huge", 1000)])
    names = ["p/unknown", "p/huge", "p/many", "p/cheap", "p/static"]
    ordered = order(
        [task(name, seed) for name in names for seed in (1000, 1001)],
        costs,
        tiers={"p/static": "static"},
        claims={"p/many": 6, "p/cheap": 1},
        seconds=400,
        slots=1,
    )
    assert [one.reproduction for one in ordered[::2]] == [
        "p/static",
        "p/many",
        "p/cheap",
        "p/unknown",
        "p/huge",
    ]
    assert [one.seed for one in ordered] == [1000, 1001] * 5


def test_the_longest_first_after_those_of_unknown_cost():
    costs = Costs([record("p/short", 1), record("p/long", 90), record("p/middle", 10, x=1)])
    tasks = [task(name, seed) for name in ("p/short", "p/middle", "p/long", "p/unknown") for seed in (1001, 1000)]
    ordered = longest_first(tasks, costs)
    assert [one.reproduction for one in ordered[::2]] == ["p/unknown", "p/long", "p/middle", "p/short"]
    assert [one.seed for one in ordered] == [1001, 1000] * 4


@pytest.mark.parametrize(("jobs", "first"), [(2, "toy/trouble"), (1, "toy/curve")])
def test_several_workers_start_with_the_longest_unit_and_one_keeps_the_order(toys, store, monkeypatch, jobs, first):
    class Starts(Progress):
        seen = ()

        def started(self, task):
            self.seen += (task.reproduction,)
            super().started(task)

    monkeypatch.setenv("TOY_TROUBLE", "fine")
    costs = Costs([record("toy/curve", 1, slope=2.0), record("toy/trouble", 9, does="fine")])
    settings = Settings("laptop", seeds=2)
    tasks = plan([toys["toy/curve"], toys["toy/trouble"]], settings, DataInfo(), store)
    starts = Starts(len(tasks), io.StringIO())
    executor = ProcessExecutor(jobs)
    try:
        run(tasks, executor, store, settings, starts, costs=costs)
    finally:
        executor.kill()
    assert starts.seen[0] == first
    assert sorted(starts.seen) == sorted(task.reproduction for task in tasks)


def test_a_unit_that_does_not_fit_is_not_started(run_toy, processes, store):
    costs = Costs([{**record("toy/curve", 100, slope=2.0)}])
    begin = time.monotonic()
    summary = run_toy("toy/curve", processes, budget=20.0, costs=costs)
    assert time.monotonic() - begin < 5
    assert (len(summary.ran), len(summary.left_out)) == (0, 6)
    assert list(store.records()) == []


def test_a_unit_of_unknown_cost_is_stopped_at_the_end_of_the_budget(run_toy, processes, store, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "fine,sleep")
    summary = run_toy("toy/trouble", processes, budget=2.0)
    assert [record["config"]["does"] for record in summary.ran] == ["fine"]
    assert [left.config["does"] for left in summary.left_out] == ["sleep"]
    assert [record["status"] for record in store.records()] == ["done"]

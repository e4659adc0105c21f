"""The display: plain lines into a file, a bar on a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from reproductions.harness import progress
from reproductions.harness.work import Task

TASKS = [Task(f"k{i}", Path("x.py"), "toy/curve", {"slope": 2.0}, 1000 + i, "laptop", "c") for i in range(2)]
DONE = {"status": "done", "error": None, "provenance": {"seconds": 1.25}}
FAILED = {"status": "failed", "error": {"message": "it broke\nbadly"}, "provenance": {}}


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def play(stream):
    display = progress.make(2, stream)
    with display:
        for task, record in zip(TASKS, (DONE, FAILED), strict=True):
            display.started(task)
            display.report({"key": task.key, "done": 1.0, "total": 4.0, "metrics": {"loss": 0.125}})
            display.ended(task, record)
    return stream.getvalue()


def test_plain_lines_name_each_unit_its_end_and_the_time_left():
    lines = play(io.StringIO()).splitlines()
    assert lines == [
        "[1/2] toy/curve seed 1000 slope=2.0: done in 1.2 s, about 0 s left",
        "[2/2] toy/curve seed 1001 slope=2.0: failed: it broke",
    ]


def test_what_runs_long_shows_its_metrics(monkeypatch):
    monkeypatch.setattr(progress, "_PLAIN_SECONDS", 0.0)
    assert "[0/2] toy/curve seed 1000 slope=2.0: 1/4 loss=0.125" in play(io.StringIO())


def test_a_terminal_gets_a_bar_with_the_metric_of_the_moment():
    shown = play(Terminal())
    for expected in ("units", "2/2", "loss=0.125", "done in 1.2 s", "it broke"):
        assert expected in shown


def test_a_unit_in_progress_counts_as_a_part():
    display = progress.Progress(2, io.StringIO())
    assert display.seconds_left() != display.seconds_left()
    display.started(TASKS[0])
    display.report({"key": "k0", "done": 1.0, "total": 2.0, "metrics": {}})
    display._begin -= 10.0
    assert display.seconds_left() == pytest.approx(30.0, rel=0.01)


def test_the_time_left_is_that_of_the_units_that_are_left():
    display = progress.Progress(3, io.StringIO())
    short = Task("short", Path("x.py"), "toy/curve", {}, 1000, "laptop", "c")
    display.expect({TASKS[0].key: 90.0, TASKS[1].key: None, short.key: 10.0})
    display.started(TASKS[0])
    display.ended(TASKS[0], DONE)
    display._begin -= 45.0
    # Half as long as expected: 90 of 90, so (50 + 10) / 2 are left.
    assert display.seconds_left() == pytest.approx(30.0, rel=0.01)


@pytest.mark.parametrize(("seconds", "text"), [(5.4, "5 s"), (120, "2 min"), (9000, "2.5 h"), (float("nan"), "?")])
def test_durations_for_people(seconds, text):
    assert progress.clock(seconds) == text

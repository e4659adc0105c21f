"""One contract for all executors: the promises of `concurrent.futures`, and calls that go wrong."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError, wait

import pytest

from reproductions.harness import channel
from reproductions.harness.executors import (
    ClusterError,
    DaskExecutor,
    ProcessExecutor,
    UnitTimeoutError,
    WorkerDiedError,
)

PATIENCE = 60


def test_success(executor):
    assert executor.submit(operator.add, 2, 3).result(PATIENCE) == 5


def test_map_keeps_the_order(executor):
    assert list(executor.map(operator.neg, range(5))) == [0, -1, -2, -3, -4]


def test_an_exception_is_that_of_its_call_alone(executor):
    bad, good = executor.submit(operator.truediv, 1, 0), executor.submit(operator.add, 2, 3)
    with pytest.raises(ZeroDivisionError):
        bad.result(PATIENCE)
    assert good.result(PATIENCE) == 5


def test_a_timeout_stops_its_call_alone(executor):
    begin = time.monotonic()
    slow, good = executor.call(time.sleep, 60, timeout=0.5), executor.submit(operator.add, 2, 3)
    with pytest.raises(UnitTimeoutError, match=r"0\.5 s"):
        slow.result(PATIENCE)
    assert good.result(PATIENCE) == 5
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    ("function", "argument", "message"),
    [(os._exit, 3, "exit status 3"), (signal.raise_signal, signal.SIGKILL, "SIGKILL")],
)
def test_the_death_of_a_worker_is_that_of_its_call_alone(executor, function, argument, message):
    before = executor.submit(operator.add, 1, 1)
    dead = executor.submit(function, argument)
    after = [executor.submit(operator.add, 2, i) for i in range(3)]
    with pytest.raises(WorkerDiedError, match=message):
        dead.result(PATIENCE)
    assert before.result(PATIENCE) == 2
    assert [future.result(PATIENCE) for future in after] == [2, 3, 4]


def wait_for_file(path):
    while not path.exists():
        time.sleep(0.01)


def test_what_waits_can_be_cancelled(executor, tmp_path):
    busy = [executor.call(wait_for_file, tmp_path / "go", timeout=PATIENCE) for _ in range(executor.slots)]
    waiting = executor.submit(operator.add, 2, 3)
    assert waiting.cancel()
    (tmp_path / "go").touch()
    with pytest.raises(CancelledError):
        waiting.result(PATIENCE)
    assert not wait(busy, PATIENCE).not_done


def test_the_same_call_twice_runs_twice(executor):
    first, second = (executor.submit(operator.add, 2, 3) for _ in range(2))
    assert first is not second
    assert (first.result(PATIENCE), second.result(PATIENCE)) == (5, 5)


def test_messages_reach_the_caller(executor):
    heard = []
    executor.call(channel.emit, {"done": 1}, on_message=heard.append).result(PATIENCE)
    # On a cluster a message may arrive after the result.
    deadline = time.monotonic() + 10
    while not heard and time.monotonic() < deadline:
        time.sleep(0.02)
    assert heard == [{"done": 1}]


def test_printing_does_not_disturb_the_answer(executor):
    assert executor.submit(print, "hello").result(PATIENCE) is None


def test_workers_have_one_thread(monkeypatch, executor):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert executor.submit(os.getenv, "OMP_NUM_THREADS").result(PATIENCE) == "1"


class StubbornError(Exception):
    """Pickles, but cannot be rebuilt: its constructor wants more than its message."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def be_stubborn():
    raise StubbornError("cannot", "rebuild")


def test_an_exception_that_cannot_be_rebuilt_keeps_its_message(processes):
    with pytest.raises(RuntimeError, match="StubbornError: cannot rebuild"):
        processes.submit(be_stubborn).result(PATIENCE)


def test_kill_ends_running_calls_at_once():
    executor = ProcessExecutor(1)
    future = executor.submit(time.sleep, 60)
    time.sleep(0.5)
    begin = time.monotonic()
    executor.kill()
    with pytest.raises(WorkerDiedError):
        future.result(PATIENCE)
    assert time.monotonic() - begin < 10


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = (
        "import os, sys, time\n"
        "from reproductions.harness.executors import ProcessExecutor\n"
        "executor = ProcessExecutor(1)\n"
        "print(executor.submit(os.getpid).result(), flush=True)\n"
        "executor.submit(time.sleep, 120).result()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(worker)


def _is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        # An orphan that nobody reaps is gone all the same.
        with open(f"/proc/{process}/stat") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_jobs_must_be_positive():
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        ProcessExecutor(0)


def test_without_dask_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match="extra 'cluster'"):
        DaskExecutor("tcp://127.0.0.1:1")

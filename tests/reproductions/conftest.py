"""Fixtures: toy reproductions and claims, executors, and a way to run the command in its own process."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reproductions.harness.discovery import discover
from reproductions.harness.executors import DaskExecutor, ProcessExecutor
from reproductions.harness.progress import Progress
from reproductions.harness.runner import Settings, plan, run
from reproductions.harness.store import Store
from reproductions.harness.units import DataInfo

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TOY_REPRODUCTIONS = HERE / "toy_reproductions"
TOY_CLAIMS = HERE / "toy_claims"


@pytest.fixture(scope="session")
def dask_client():
    """Return a client of a Dask cluster inside this process."""
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0", protocol="inproc"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def _dask(client):
    executor = DaskExecutor(client=client)
    yield executor
    executor.shutdown(wait=False, cancel_futures=True)


def _processes(jobs):
    executor = ProcessExecutor(jobs)
    yield executor
    executor.kill()


@pytest.fixture(params=["one job", "processes", "dask"])
def executor(request):
    """Each of the executors in turn."""
    if request.param == "dask":
        yield from _dask(request.getfixturevalue("dask_client"))
    else:
        yield from _processes(1 if request.param == "one job" else 2)


@pytest.fixture
def processes():
    """Two worker processes."""
    yield from _processes(2)


@pytest.fixture
def toys(monkeypatch):
    """Make the command line use the toy reproductions and claims; return the reproductions."""
    monkeypatch.setenv("EVIDENCE_REPRODUCTIONS", str(TOY_REPRODUCTIONS))
    monkeypatch.setenv("EVIDENCE_CLAIMS", str(TOY_CLAIMS))
    for name in ("TOY_DELAY", "TOY_TROUBLE", "TOY_DATASET", "EVIDENCE_STORE", "EVIDENCE_DATA"):
        monkeypatch.delenv(name, raising=False)
    return discover(TOY_REPRODUCTIONS)


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return Store(tmp_path / "results")


@pytest.fixture
def run_toy(toys, store):
    """Return a function that runs one toy reproduction and returns the summary."""

    def go(name, executor, *, into=None, costs=None, **options):
        settings = Settings(**{"scale": "laptop", **options})
        target = into or store
        tasks = plan([toys[name]], settings, DataInfo(), target)
        return run(tasks, executor, target, settings, Progress(len(tasks), io.StringIO()), costs=costs)

    return go


@pytest.fixture
def command(toys, tmp_path):
    """Return a function that starts ``python -m reproductions`` with the toys."""

    def start(*arguments, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", "reproductions", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            start_new_session=True,
            # Where this process ignores Ctrl-C (started in the background of a script), its children would too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start

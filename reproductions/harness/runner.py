"""Run units: list them, skip those that are finished, hand the rest to an executor, store what comes back."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reproductions.harness import budget as budgeting
from reproductions.harness.discovery import Found
from reproductions.harness.executors import UnitExecutor, UnitTimeoutError, WorkerDiedError
from reproductions.harness.progress import Progress
from reproductions.harness.scales import check_scale
from reproductions.harness.store import Record, Store, canonical, unit_key
from reproductions.harness.units import DataInfo, HarnessError, Unit
from reproductions.harness.work import Task, blank_record, execute

_POLL_SECONDS = 0.5


class DataError(HarnessError):
    """A data set that a unit names is missing or not the right data; the message is one line for the user."""


@dataclass(frozen=True)
class Settings:
    """How to run.

    Parameters
    ----------
    scale
        One of the scales.
    seeds
        Number of seeds per arm, or None for the scale's own.
    device
        ``"cpu"`` or ``"cuda"``.
    threads
        Threads of numerical libraries per unit.
    fresh
        Run finished units again.
    timeout
        Seconds that a unit may take, or None.
    budget
        Seconds that the run may take, or None.
    """

    scale: str
    seeds: int | None = None
    device: str = "cpu"
    threads: int = 1
    fresh: bool = False
    timeout: float | None = None
    budget: float | None = None


@dataclass
class Summary:
    """What a run did.

    Parameters
    ----------
    ran
        Records written.
    skipped
        Tasks that were finished before.
    left_out
        Tasks that did not fit into the budget.
    seconds
        Wall time.
    """

    ran: list[Record] = field(default_factory=list)
    skipped: list[Task] = field(default_factory=list)
    left_out: list[Task] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> list[Record]:
        """Return the records of units that did not end well."""
        return [record for record in self.ran if record["status"] != "done"]


def plan(found: Iterable[Found], settings: Settings, data: DataInfo, store: Store) -> list[Task]:
    """List the units of reproductions as tasks, each once.

    Raises
    ------
    DataError
        If a unit names a data set that is missing or has a wrong checksum.
    ValueError
        If a reproduction returns units that are not plain JSON, or the settings are out of range.
    """
    check_scale(settings.scale)
    if settings.seeds is not None and settings.seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {settings.seeds}")
    tasks: dict[str, Task] = {}
    for entry in found:
        for unit in entry.reproduction.units(settings.scale, settings.seeds, data):
            task = _task(entry, unit, settings, data, store)
            tasks.setdefault(task.key, task)
    return list(tasks.values())


def _task(entry: Found, unit: Unit, settings: Settings, data: DataInfo, store: Store) -> Task:
    name = entry.reproduction.id
    try:
        key = unit_key(name, unit.config, unit.seed, settings.scale, entry.code)
    except ValueError as error:
        raise ValueError(f"configuration of a unit of {name} is {error}") from error
    return Task(
        key=key,
        module=entry.path,
        reproduction=name,
        config=dict(unit.config),
        seed=unit.seed,
        scale=settings.scale,
        code=entry.code,
        device=settings.device,
        threads=settings.threads,
        data_dir=data.data_dir,
        checkpoint_dir=(store.path / ".checkpoints" / key[:16]).absolute(),
        data=_checksums(unit.config, data),
    )


def _checksums(config: Mapping[str, Any], data: DataInfo) -> dict[str, str | None]:
    """Return the checksums of the data sets that a configuration names under ``dataset`` or ``datasets``."""
    named = config.get("datasets", config.get("dataset", ()))
    names = [named] if isinstance(named, str) else list(named)
    checksums: dict[str, str | None] = {}
    for name in names:
        entry = data.datasets.get(name)
        # Names such as "mnist/static" carry options after the name of the data set.
        entry = entry if entry is not None else data.datasets.get(str(name).split("/", 1)[0])
        if entry is None:
            continue
        if entry["status"] != "ok":
            raise DataError(f"data set {name!r} cannot be used: {entry['status']}")
        checksums[name] = entry.get("sha256")
    return checksums


def run(
    tasks: list[Task],
    executor: UnitExecutor,
    store: Store,
    settings: Settings,
    progress: Progress,
    *,
    costs: budgeting.Costs | None = None,
    tiers: Mapping[str, str] | None = None,
    claims: Mapping[str, int] | None = None,
) -> Summary:
    """Run tasks and store each record as it comes.

    An exception in a unit, its timeout or the death of its worker becomes its record; the others go on. On
    Ctrl-C the running units are stopped, nothing is written for them, and ``KeyboardInterrupt`` goes on to
    the caller.

    Parameters
    ----------
    tasks
        From `plan`.
    executor
        Where they run.
    store
        Where records go, and where finished units are looked up.
    settings
        As given to `plan`.
    progress
        The display, made for ``len(tasks)``.
    costs
        Recorded costs, by which units are put in order and the time left is estimated.
    tiers, claims
        For a budget: tier and number of claims of each reproduction.
    """
    return _Run(executor, store, settings, progress, costs or budgeting.Costs()).go(tasks, tiers or {}, claims or {})


def pending(tasks: Iterable[Task], store: Store, *, fresh: bool = False) -> tuple[list[Task], list[Task]]:
    """Split tasks into those to run and those that are finished.

    A unit that another scale has run with the same configuration, seed and code is finished too: its record
    is copied.
    """
    store.clean()
    todo: list[Task] = []
    finished: list[Task] = []
    shared: dict[str, dict[tuple[str, int, str], Record]] = {}
    for task in tasks:
        record = None if fresh else store.get(task.reproduction, task.key)
        if record is None and not fresh:
            if task.reproduction not in shared:
                shared[task.reproduction] = _by_content(store.records(task.reproduction))
            other = shared[task.reproduction].get((canonical(dict(task.config)), task.seed, task.code))
            if other is not None:
                record = {**other, "key": task.key, "scale": task.scale}
                store.save(record)
        (finished if record is not None and record["status"] == "done" else todo).append(task)
    return todo, finished


def _by_content(records: Iterable[Record]) -> dict[tuple[str, int, str], Record]:
    return {
        (canonical(record["config"]), record["seed"], record["code"]): record
        for record in records
        if record["status"] == "done"
    }


class _Run:
    """The state of one run: what waits, what runs, until when."""

    def __init__(
        self,
        executor: UnitExecutor,
        store: Store,
        settings: Settings,
        progress: Progress,
        costs: budgeting.Costs,
    ) -> None:
        self._executor = executor
        self._store = store
        self._settings = settings
        self._progress = progress
        self._costs = costs
        self._summary = Summary()
        self._running: dict[Future[Any], tuple[Task, float | None]] = {}
        self._begin = time.monotonic()

    def go(self, tasks: list[Task], tiers: Mapping[str, str], claims: Mapping[str, int]) -> Summary:
        waiting, self._summary.skipped = pending(tasks, self._store, fresh=self._settings.fresh)
        if self._settings.budget is not None:
            waiting = budgeting.order(
                waiting,
                self._costs,
                tiers=tiers,
                claims=claims,
                seconds=self._settings.budget,
                slots=self._executor.slots,
            )
        elif self._executor.slots > 1:
            waiting = budgeting.longest_first(waiting, self._costs)
        self._progress.total = len(waiting)
        self._progress.expect({task.key: self._costs.expected(task) for task in waiting})
        try:
            with self._progress:
                self._loop(waiting)
        except BaseException:
            self._executor.kill()
            raise
        self._summary.seconds = time.monotonic() - self._begin
        return self._summary

    def _loop(self, waiting: list[Task]) -> None:
        waiting = list(reversed(waiting))
        while waiting or self._running:
            # No more than the workers can take: what waits in an executor can no longer be left out.
            while waiting and len(self._running) < self._executor.slots:
                self._start(waiting.pop())
            done, _ = wait(self._running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                self._finish(future)

    def _remaining(self) -> float | None:
        if self._settings.budget is None:
            return None
        return self._settings.budget - (time.monotonic() - self._begin)

    def _start(self, task: Task) -> None:
        left = self._remaining()
        limit = self._settings.timeout
        budget_limit = None
        if left is not None:
            expected = self._costs.expected(task)
            if left <= 0 or (expected is not None and expected > left):
                self._leave_out(task)
                return
            if limit is None or left < limit:
                limit = budget_limit = left
        if self._settings.fresh and task.checkpoint_dir is not None:
            shutil.rmtree(task.checkpoint_dir, ignore_errors=True)
        future = self._executor.call(execute, task, timeout=limit, on_message=self._progress.report)
        self._running[future] = (task, budget_limit)
        self._progress.started(task)

    def _leave_out(self, task: Task) -> None:
        self._summary.left_out.append(task)
        self._progress.ended(task, None)

    def _finish(self, future: Future[Any]) -> None:
        task, budget_limit = self._running.pop(future)
        try:
            record: Record = future.result()
        except UnitTimeoutError as error:
            if budget_limit is not None:
                self._leave_out(task)
                return
            record = self._lost(task, "timeout", error)
        except (WorkerDiedError, CancelledError) as error:
            record = self._lost(task, "interrupted", error)
        except Exception as error:
            # A cluster reports the loss of its own worker by an exception of its own.
            record = self._lost(task, "interrupted" if type(error).__name__ == "KilledWorker" else "failed", error)
        self._store.save(record)
        self._costs.learn(record)
        self._summary.ran.append(record)
        self._progress.ended(task, record)

    def _lost(self, task: Task, status: str, error: BaseException) -> Record:
        described = {
            "type": type(error).__name__,
            "message": str(error) or type(error).__name__,
            "traceback": "".join(traceback.format_exception(error)),
        }
        return blank_record(task, status, described, datetime.now(UTC).isoformat(timespec="seconds"))


def publish(machine: Store, published: Store, reproductions: Mapping[str, str]) -> dict[str, int]:
    """Copy finished units to the published store and drop what they supersede there.

    Parameters
    ----------
    machine, published
        From and to.
    reproductions
        Current code version of each reproduction to publish; units of other versions stay behind.

    Returns
    -------
    dict
        Number of units published, by reproduction.
    """
    counts: dict[str, int] = {}
    for name, code in reproductions.items():
        ready = [r for r in machine.records(name) if r["status"] == "done" and r["code"] == code]
        for old in list(published.records(name)):
            if ready and old["code"] != code and old["scale"] in {record["scale"] for record in ready}:
                published.file_of(name, old["key"]).unlink(missing_ok=True)
        for record in ready:
            published.save(record)
        counts[name] = len(ready)
    return counts

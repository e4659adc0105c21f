"""Running the chosen reproductions with the executor that the options ask for."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from reproductions.cli.usage import UsageError, describe_data, open_stores

if TYPE_CHECKING:
    from claims import Paper
    from reproductions.harness.discovery import Found
    from reproductions.harness.executors import UnitExecutor
    from reproductions.harness.runner import Settings, Summary
    from reproductions.harness.store import Store


def run_units(
    chosen: dict[str, Found],
    settings: Settings,
    store: Store,
    data_dir: Path | None,
    papers: dict[str, Paper],
    jobs: int | None,
    dask: str | None,
) -> Summary:
    """Run the units of the chosen reproductions that are not finished yet."""
    from reproductions.harness import DataInfo, budget, progress, runner

    resolved = data_dir.resolve() if data_dir is not None else None
    tasks = runner.plan(chosen.values(), settings, DataInfo(resolved, describe_data), store)
    decided = [claim.reproduction for paper in papers.values() for claim in paper.claims if claim.decidable]
    stores = (open_stores(None)["published"], store)
    costs = budget.Costs(record for one in stores for name in chosen for record in one.records(name, settings.scale))
    with contextlib.ExitStack() as stack:
        executor = _executor(settings.device, jobs, dask)
        stack.callback(executor.shutdown)
        return runner.run(
            tasks,
            executor,
            store,
            settings,
            progress.make(len(tasks)),
            costs=costs,
            tiers={name: entry.reproduction.tier for name, entry in chosen.items()},
            claims={name: decided.count(name) for name in chosen},
        )


def _executor(device: str, jobs: int | None, dask: str | None) -> UnitExecutor:
    from reproductions.harness.executors import DaskExecutor, ProcessExecutor

    if dask is not None:
        if jobs is not None:
            raise UsageError("--jobs and --dask exclude each other: a cluster has its own number of workers")
        return DaskExecutor(dask)
    # Several programs on one GPU take turns and share its memory: one at a time unless asked.
    return ProcessExecutor(jobs if jobs is not None else (1 if device == "cuda" else None))

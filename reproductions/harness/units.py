"""What a reproduction declares: units of work, the metrics that they return, the context they run in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

TIERS = ("static", "scaled", "paper-scale")
METRIC_KINDS = ("bound", "estimate", "exact")

Row = dict[str, Any]


class HarnessError(Exception):
    """Something that the user can mend; the message is one line."""


@dataclass(frozen=True)
class Metric:
    """What a number means: nothing leaves a unit without it.

    Parameters
    ----------
    unit
        Physical unit, for example ``"nats"`` or ``"1"``.
    reduction
        How it was reduced, for example ``"sum over latents, mean over test images"``.
    kind
        ``"bound"``, ``"estimate"`` or ``"exact"``.
    samples
        Number of importance samples behind each value (1 where there are none).
    """

    unit: str
    reduction: str
    kind: str = "estimate"
    samples: int = 1

    def __post_init__(self) -> None:
        if self.kind not in METRIC_KINDS:
            raise ValueError(f"metric kind must be one of {', '.join(METRIC_KINDS)}, got {self.kind!r}")


@dataclass(frozen=True)
class Unit:
    """One program run: a configuration (plain JSON values) and a seed."""

    config: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class DataInfo:
    """The data sets that a reproduction can count on when it lists its units.

    Parameters
    ----------
    data_dir
        Folder with the local data files, or None.
    describe
        Called with ``data_dir`` on the first question, returns one mapping per data set with at least
        ``name``, ``status`` (``"ok"`` or why it cannot be used) and ``sha256``.
    """

    data_dir: Path | None = None
    describe: Callable[[Path | None], Iterable[Mapping[str, Any]]] = field(default=lambda data_dir: (), repr=False)

    @cached_property
    def datasets(self) -> dict[str, Mapping[str, Any]]:
        """Return the description of each known data set, by name."""
        return {str(entry["name"]): entry for entry in self.describe(self.data_dir)}

    def has(self, name: str) -> bool:
        """Say whether data set ``name`` is at hand with the right checksum."""
        return self.datasets.get(name, {}).get("status") == "ok"


def _report_nothing(done: float, total: float, metrics: Mapping[str, float]) -> None:
    """Drop a progress report: the default outside the runner."""


@dataclass(frozen=True)
class Context:
    """What a unit may use while it runs.

    Parameters
    ----------
    device
        ``"cpu"`` or ``"cuda"``.
    data_dir
        Folder with local data files, or None.
    threads
        Threads that numerical libraries may use.
    scale
        The scale of the run.
    checkpoint_dir
        Folder of this unit for checkpoints. It survives a kill and is removed when the unit is done.
    """

    device: str = "cpu"
    data_dir: Path | None = None
    threads: int = 1
    scale: str = "smoke"
    checkpoint_dir: Path | None = None
    report: Callable[[float, float, Mapping[str, float]], None] = field(default=_report_nothing, repr=False)

    def progress(self, done: float, total: float, **metrics: float) -> None:
        """Tell the runner that ``done`` of ``total`` steps are behind, with the metrics of the moment."""
        self.report(done, total, metrics)


@dataclass(frozen=True)
class Reproduction:
    """One effect or table of a paper: which units to run, how to run one, and what its numbers mean.

    Parameters
    ----------
    id
        ``"<paper slug>/<module name>"``.
    title
        One line for tables and pages.
    tier
        ``"static"`` (nothing is trained), ``"scaled"`` or ``"paper-scale"``.
    units
        ``units(scale, seeds, data)`` returns the units of a scale; ``seeds`` is None for the scale's own
        number.
    run
        ``run(config, seed, context)`` returns rows ``{"arm": {...}, "metrics": {...}, "series": {...}}``.
    metrics
        The meaning of every metric that ``run`` may return.
    claims
        Claim ids that it decides; empty: the claim files say.
    figures
        ``figures(table, style)`` returns named figures, None where the table does not suffice; called by the
        report only.
    sources
        Files or folders, relative to the project, whose content the results depend on.
    """

    id: str
    title: str
    tier: str
    units: Callable[[str, int | None, DataInfo], Sequence[Unit]]
    run: Callable[[Mapping[str, Any], int, Context], list[Row]]
    metrics: Mapping[str, Metric]
    claims: tuple[str, ...] = ()
    figures: Callable[..., Mapping[str, Any]] | None = None
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.tier not in TIERS:
            raise ValueError(f"tier of {self.id} must be one of {', '.join(TIERS)}, got {self.tier!r}")

    @property
    def paper(self) -> str:
        """Return the paper's slug: the first part of the id."""
        return self.id.split("/", 1)[0]

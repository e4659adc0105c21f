"""In which order units run, from what they took before.

Without a budget the longest go first, so that the short ones fill the workers that the last long ones leave idle. A
budget is spent where it gives most verdicts: static claims first, then by cost per claim decided.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import mean

from reproductions.harness.store import Record, canonical
from reproductions.harness.work import Task

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Return the seconds in a duration such as ``90``, ``90s``, ``10m``, ``1.5h`` or ``1h30m``.

    Raises
    ------
    ValueError
        If ``text`` is not a positive duration.
    """
    stripped = text.strip().lower()
    seconds = 0.0
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        seconds = float(stripped)
    elif re.fullmatch(r"(\d+(\.\d+)?[smh])+", stripped):
        seconds = sum(float(n) * _UNITS[unit] for n, _, unit in re.findall(r"(\d+(\.\d+)?)([smh])", stripped))
    if seconds <= 0:
        raise ValueError(f"a duration is a positive number with s, m or h, as in 10m or 1h30m, got {text!r}")
    return seconds


class Costs:
    """What units cost, from the seconds in records: mean over seeds of a configuration or a reproduction.

    Parameters
    ----------
    records
        Finished records of any store. A new code version does not make their times useless.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._by_config: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        self._by_reproduction: dict[tuple[str, str], list[float]] = defaultdict(list)
        for record in records:
            self.learn(record)

    def learn(self, record: Record) -> None:
        """Add what a finished unit took."""
        seconds = record["provenance"].get("seconds")
        if record["status"] != "done" or not isinstance(seconds, (int, float)):
            return
        key = (record["reproduction"], record["scale"])
        self._by_config[(*key, canonical(record["config"]))].append(float(seconds))
        self._by_reproduction[key].append(float(seconds))

    def expected(self, task: Task) -> float | None:
        """Return the seconds that a unit is expected to take; None if nothing like it ever ran."""
        key = (task.reproduction, task.scale)
        known = self._by_config.get((*key, canonical(dict(task.config)))) or self._by_reproduction.get(key)
        return mean(known) if known else None


def longest_first(tasks: Iterable[Task], costs: Costs) -> list[Task]:
    """Put the tasks in descending order of expected seconds; those of unknown cost, which may be long, come first."""

    def key(task: Task) -> tuple[bool, float]:
        expected = costs.expected(task)
        return expected is not None, -(expected or 0.0)

    return sorted(tasks, key=key)


def order(
    tasks: Iterable[Task],
    costs: Costs,
    *,
    tiers: Mapping[str, str],
    claims: Mapping[str, int],
    seconds: float,
    slots: int,
) -> list[Task]:
    """Put the tasks in the order in which a budget is best spent.

    Static reproductions come first. Then those that fit whole into what is left, by expected seconds per
    claim decided; then those of unknown cost; last those that only a part fits of.

    Parameters
    ----------
    tasks
        Tasks, those of one reproduction in its own order.
    costs
        Recorded costs.
    tiers
        Tier of each reproduction.
    claims
        Number of claims that each reproduction decides.
    seconds
        The budget.
    slots
        How many units run at once.
    """
    groups: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        groups[task.reproduction].append(task)
    totals = {name: _total(group, costs) for name, group in groups.items()}

    def price(name: str) -> tuple[int, float, str]:
        total = totals[name]
        if total is None:
            return (1, 0.0, name)
        return (0, total / max(1, claims.get(name, 0)), name)

    ranked = sorted(groups, key=lambda name: (tiers.get(name) != "static", *price(name)))
    left = seconds * slots
    fitting, oversized = [], []
    for name in ranked:
        total = totals[name] or 0.0
        if total <= left:
            left -= total
            fitting.append(name)
        else:
            oversized.append(name)
    return [task for name in [*fitting, *oversized] for task in groups[name]]


def _total(group: Iterable[Task], costs: Costs) -> float | None:
    known = [costs.expected(task) for task in group]
    return None if any(cost is None for cost in known) else sum(cost for cost in known if cost is not None)

"""Pick from a result table what a test needs, or say by name what is missing.

A result table is a list of rows ``{"arm": {...}, "seed": int, "metrics": {...}, ...}``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Row = Mapping[str, Any]
_ARM_TOLERANCE = 1e-9


class Missing(Exception):  # noqa: N818 (named for what happened)
    """The table lacks something that the test needs (the test is `not run`)."""


class Unusable(Exception):  # noqa: N818 (named for what happened)
    """The table has it, but it cannot be used (the test is an `error`)."""


def same(wanted: Any, got: Any) -> bool:
    """Whether an arm value equals a selector value, floats within 1e-9."""
    numbers = isinstance(wanted, int | float) and isinstance(got, int | float)
    if numbers and not isinstance(wanted, bool) and not isinstance(got, bool):
        return math.isclose(wanted, got, rel_tol=0.0, abs_tol=_ARM_TOLERANCE)
    return type(wanted) is type(got) and bool(wanted == got)


def matches(selector: Mapping[str, Any] | None, arm: Mapping[str, Any]) -> bool:
    """Whether an arm has every field of the selector with its value; None matches all."""
    return all(field in arm and same(value, arm[field]) for field, value in (selector or {}).items())


def described(selector: Mapping[str, Any] | None, *, against: Mapping[str, Any] | None = None) -> str:
    """``rho = 0.9, K = 5``; with ``against``, only the fields in which the two differ."""
    fields = {
        field: value
        for field, value in (selector or {}).items()
        if against is None or field not in against or not same(value, against[field])
    }
    return ", ".join(f"{field} = {value}" for field, value in (fields or selector or {}).items()) or "all rows"


def rows_for(claim_id: str, table: Iterable[Row]) -> list[Row]:
    """Rows that may serve a claim: a row whose arm names another claim in ``claim`` does not."""
    return [row for row in table if row["arm"].get("claim", claim_id) == claim_id]


def select(table: Sequence[Row], selector: Mapping[str, Any] | None) -> list[Row]:
    """Rows that match; raise `Missing` if there are none."""
    found = [row for row in table if matches(selector, row["arm"])]
    if not found:
        raise Missing(f"no rows with {described(selector)}" if selector else "no rows")
    return found


def value_of(row: Row, metric: str) -> float | None:
    """The metric of one row; None when absent, None or not finite."""
    value = row["metrics"].get(metric)
    return float(value) if value is not None and math.isfinite(value) else None


def values(rows: Sequence[Row], metric: str) -> tuple[list[float], int]:
    """Usable values and the number of rows without one; raise if none is usable."""
    _known(rows, metric)
    usable = [value for row in rows if (value := value_of(row, metric)) is not None]
    if not usable:
        raise Unusable(f"metric {metric!r} has no finite value in any row")
    return usable, len(rows) - len(usable)


def by_seed(table: Sequence[Row], selector: Mapping[str, Any], metric: str) -> tuple[dict[int, float], int]:
    """The metric per seed in one arm, and the number of seeds without a usable value."""
    rows = select(table, selector)
    values(rows, metric)
    found: dict[int, float] = {}
    seen: set[int] = set()
    for row in rows:
        if row["seed"] in seen:
            raise Unusable(f"{described(selector)} matches more than one row of seed {row['seed']}; name more fields")
        seen.add(row["seed"])
        value = value_of(row, metric)
        if value is not None:
            found[row["seed"]] = value
    return found, len(seen) - len(found)


def pairs(
    table: Sequence[Row], first: Mapping[str, Any], second: Mapping[str, Any], metric: str
) -> tuple[Array, Array, int]:
    """Values of two arms for the seeds that both have, shape (n,) each, and the number of seeds left out."""
    a, _ = by_seed(table, first, metric)
    b, _ = by_seed(table, second, metric)
    common = sorted(a.keys() & b.keys())
    if not common:
        raise Unusable(f"no seed has {metric!r} both for {described(first)} and for {described(second)}")
    every = {row["seed"] for row in table if matches(first, row["arm"]) or matches(second, row["arm"])}
    return np.array([a[s] for s in common]), np.array([b[s] for s in common]), len(every) - len(common)


def curves(
    table: Sequence[Row], selector: Mapping[str, Any] | None, along: str, metric: str
) -> tuple[Array, Array, int]:
    """Grid (points,), curves (seeds, points) of the complete seeds, and the number of incomplete seeds.

    The grid is the union over all seeds; a seed that lacks a point is left out, never interpolated.
    """
    rows = select(table, selector)
    values(rows, metric)
    if any(along not in row["arm"] for row in rows):
        raise Missing(f"no arm field {along!r} in the rows with {described(selector)}")
    grid = _distinct([float(row["arm"][along]) for row in rows])
    per_seed: dict[int, dict[int, float | None]] = {}
    for row in rows:
        point = int(np.argmin([abs(row["arm"][along] - g) for g in grid]))
        curve = per_seed.setdefault(row["seed"], {})
        if point in curve:
            raise Unusable(
                f"{described(selector)} matches more than one row of seed {row['seed']} at {along} = {grid[point]:g}"
            )
        curve[point] = value_of(row, metric)
    full = [
        [curve[i] for i in range(len(grid))]
        for _, curve in sorted(per_seed.items())
        if len(curve) == len(grid) and None not in curve.values()
    ]
    if not full:
        raise Unusable(f"no seed has {metric!r} at all {len(grid)} values of {along} with {described(selector)}")
    return np.array(grid), np.array(full, dtype=float), len(per_seed) - len(full)


def _known(rows: Sequence[Row], metric: str) -> None:
    if not any(metric in row["metrics"] for row in rows):
        raise Missing(f"metric {metric!r} is not in the results")


def _distinct(numbers: Sequence[float]) -> list[float]:
    kept: list[float] = []
    for number in sorted(numbers):
        if not kept or number - kept[-1] > _ARM_TOLERANCE:
            kept.append(number)
    return kept

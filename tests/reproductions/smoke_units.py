"""What the tests of trained reproductions share: the rows of their smoke units, run once, and their claims."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from typing import Any

from claims import load_paper
from claims.schema import Claim
from reproductions.harness import Context, DataInfo
from reproductions.harness.work import clean_rows

SELECTORS = ("where", "greater", "less", "numerator", "denominator", "first", "second")


def module(reproduction: str) -> Any:
    """Module of a reproduction by its id."""
    return importlib.import_module(f"reproductions.{reproduction.replace('-', '_').replace('/', '.')}")


@functools.cache
def smoke_table(reproduction: str, may_be_missing: str | None = None) -> list[dict[str, Any]]:
    """Rows of the smoke units of a reproduction; no metric but ``may_be_missing`` may lack a finite value."""
    own, rows = module(reproduction), []
    for unit in own.units("smoke", 1, DataInfo()):
        clean, problems = clean_rows(own.run(dict(unit.config), unit.seed, Context()), own.REPRODUCTION.metrics)
        assert all(may_be_missing and may_be_missing in problem for problem in problems), problems
        rows += [{**row, "seed": unit.seed, "series": row.get("series", {})} for row in clean]
    return rows


def claims_of(reproduction: str) -> list[Claim]:
    """Claims that a reproduction decides."""
    paper = reproduction.split("/")[0]
    return [claim for claim in load_paper(paper).claims if claim.reproduction == reproduction]


def selectors(test: Any) -> Iterator[dict[str, Any]]:
    """Arms that a test of a claim selects."""
    return (getattr(test, name) for name in SELECTORS if getattr(test, name, None))

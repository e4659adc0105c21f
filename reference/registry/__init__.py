"""The table of all equations: what is claimed where, which function computes it, and what it was checked against.

One file per paper, rows in the paper's order. Property tests, measured tolerances, the equation atlas and the claims
read this table; a test fails when a public function is missing from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from reference.registry import dvaepp, efficient_vdvae, hvae, nvae, sigma_vae
from reference.registry.row import KINDS, Equation, Oracle

__all__ = ["EQUATIONS", "KINDS", "Equation", "Oracle", "corners", "find", "functions", "resolve", "tolerances"]

TABLES = (sigma_vae.ROWS, efficient_vdvae.ROWS, nvae.ROWS, hvae.ROWS, dvaepp.ROWS)
EQUATIONS: dict[str, Equation] = {row.id: row for table in TABLES for row in table}


def find(equation_id: str) -> Equation:
    """Return the row with this id; raise ``ValueError`` that names the id if there is none."""
    try:
        return EQUATIONS[equation_id]
    except KeyError:
        raise ValueError(
            f"equation id must be one of the registry ({len(EQUATIONS)} rows), got {equation_id!r}"
        ) from None


def resolve(equation_id: str) -> Callable[..., Any]:
    """Return the reference function of an equation."""
    module, name = find(equation_id).function.split(".")
    return getattr(import_module(f"reference.{module}"), name)


def functions() -> dict[str, tuple[Equation, ...]]:
    """Return every registered function (``"gaussian.kl"``) with the rows that it serves, in the table's order."""
    table: dict[str, list[Equation]] = {}
    for row in EQUATIONS.values():
        table.setdefault(row.function, []).append(row)
    return {function: tuple(rows) for function, rows in table.items()}


@cache
def tolerances() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Return the largest errors observed, ``{function: {device: {dtype: {"value": ulps, "gradient": ulps}}}}``."""
    return json.loads(Path(__file__).with_name("tolerances.json").read_text(encoding="utf-8"))


@cache
def corners() -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Return what the corner grids show, ``{function: {device: {dtype: record}}}``.

    A record holds the errors of the twin's ``value`` and ``gradient``, and a list of the ``printed`` forms with their
    ``equation`` and ``label``; all with ``points``, ``ulps`` (worst where finite), ``not_finite``, ``no_digit`` (points
    without a correct digit) and ``where`` (the arguments of the first point that is not finite, else of the worst).
    """
    return json.loads(Path(__file__).with_name("corners.json").read_text(encoding="utf-8"))

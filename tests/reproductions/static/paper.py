"""What the shared tests need to know about one paper's static reproductions, and how to run them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import claims
from claims import decide
from reproductions.harness import Context, DataInfo

SEED = 1000
Row = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """A function to break, and the metric of a claim that must then leave its criterion.

    ``break_it`` takes the right function and returns the wrong one; ``claim`` has no name of the paper in front.
    ``smaller`` are attributes of a module or class that make a slow check cheap, each with its replacement.
    """

    claim: str
    module: ModuleType
    function: str
    break_it: Callable[[Callable[..., Any]], Callable[..., Any]]
    metric: str
    smaller: tuple[tuple[Any, str, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class StaticPaper:
    """The static reproductions of a paper, and what they are known to answer; claims without the paper's name.

    ``reported_only`` are metrics beside those that a claim's tests ask for; ``contradicted`` are the claims that fail,
    each with the metrics that do; ``twice`` are claims whose check is run a second time.
    """

    modules: tuple[ModuleType, ...]
    reported_only: Mapping[str, set[str]]
    contradicted: Mapping[str, set[str]]
    twice: tuple[str, ...]
    faults: Mapping[str, Fault]

    @property
    def slug(self) -> str:
        """Name of the paper in ids of claims."""
        return str(self.modules[0].REPRODUCTION.id).partition("/")[0]

    @functools.cached_property
    def claims(self) -> dict[str, claims.Claim]:
        """All claims of the paper by name."""
        return {claim.id.removeprefix(f"{self.slug}/"): claim for claim in claims.load_paper(self.slug).claims}

    def claims_of(self, module: ModuleType) -> dict[str, claims.Claim]:
        """Claims that the reproduction answers, by name."""
        return {name: claim for name, claim in self.claims.items() if claim.reproduction == module.REPRODUCTION.id}

    @functools.cached_property
    def rows(self) -> dict[str, Row]:
        """All rows of the reproductions by the claim's name, computed once per process; with the harness's seed."""
        found = {}
        for module in self.modules:
            for unit in module.units("laptop", None, DataInfo()):
                for row in module.run(dict(unit.config), unit.seed, Context()):
                    found[row["arm"]["claim"].removeprefix(f"{self.slug}/")] = {**row, "seed": unit.seed}
        return found

    def run_again(self, name: str) -> Row:
        """Compute the row of one claim anew."""
        claim = f"{self.slug}/{name}"
        (module,) = (module for module in self.modules if claim in module.CHECKS)
        if {"claim": claim} in [dict(unit.config) for unit in module.units("laptop", None, DataInfo())]:
            (row,) = module.run({"claim": claim}, SEED, Context())
            return {**row, "seed": SEED}
        # One unit answers all claims of the module: only the wanted one is computed.
        return {"arm": {"claim": claim}, "seed": SEED, "metrics": module.CHECKS[claim]()}

    def decide(self, name: str, row: Row) -> tuple[str, dict[str, str]]:
        """Status of a claim on its row, and the status of each of its tests by metric."""
        claim = self.claims[name]
        verdict = decide(claim, [row], scale="laptop", n_tests_in_family=1)
        tests = zip(claim.tests or (), verdict.tests, strict=True)
        return verdict.status, {test.metric: result.status for test, result in tests}

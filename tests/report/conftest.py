"""A small project of its own: two claims files' worth of claims, two equations, two stores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reproductions.harness.store import Store
from reproductions.report.builder import Inputs, build_report
from reproductions.report.gather import PaperFile


@dataclass(frozen=True)
class FakeClaim:
    id: str
    says: str
    tier: str = "scaled"
    where: str = "Table 1"
    numbers: tuple[Any, ...] = ({"of": "drop", "value": 0.1, "unit": "nats"},)
    kind: str = "ordering"
    check: str = "Five seeds, paired."
    equations: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    reproduction: str | None = None
    tests: tuple[dict[str, Any], ...] | None = None
    not_run: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class FakeResult:
    word: str = "ordering"
    status: str = "supported"
    effect: float | None = 1.25
    interval: tuple[float, float] | None = (1.0, 1.5)
    p: float | None = 0.03125
    p_corrected: float | None = 0.0625
    n: int = 5
    details: dict[str, Any] = field(default_factory=dict)
    sentence: str = "The first arm is larger by 1.25."


@dataclass(frozen=True)
class FakeVerdict:
    claim_id: str
    status: str
    scale: str
    seeds: int = 5
    tests: tuple[FakeResult, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class FakeOracle:
    kind: str
    test: str


@dataclass(frozen=True)
class FakeEquation:
    id: str
    name: str
    latex: str
    function: str = "gaussian.kl"
    where: str = "Section 1"
    oracles: tuple[FakeOracle, ...] = (FakeOracle("quadrature", "test_kl"),)
    names: tuple[str, ...] = ("kl",)
    erratum: str | None = None
    note: str | None = None


MEASURED = {"word": "ordering", "metric": "top_kl", "unit": "nats"}
CLAIMS = (
    FakeClaim(
        "toy/tab-1/measured",
        "The first arm <wins> & the second loses.",
        equations=("toy/A1", "toy/Z9"),
        reproduction="toy/effect",
        tests=(MEASURED,),
    ),
    FakeClaim("toy/tab-1/waiting", "It also holds at full size.", tier="paper-scale", not_run="needs `a week` of GPU"),
    FakeClaim("toy/tab-2/unlucky", "Half the seeds agree.", reproduction="toy/effect", tests=(MEASURED,)),
)
EQUATIONS = {
    "toy/A1": FakeEquation(
        "toy/A1", "Divergence", r"\mathrm{KL}(q\,\|\,p)\ge 0", erratum="The print has the wrong sign."
    ),
    "toy/A2": FakeEquation("toy/A2", "Nothing", r"\frac{1}{2}", function="nowhere.nothing"),
}
TOLERANCES = {"gaussian.kl": {"cpu": {"float32": {"value": 2.5, "gradient": 3.0}}}}


def decide(claims: list[Any], tables: dict[str, list[Any]], scale: str) -> list[FakeVerdict]:
    """Stand in for the real verdicts: smoke never decides; the mean of the metric decides elsewhere."""
    verdicts = []
    for claim in claims:
        rows = tables.get(claim.reproduction or "", [])
        if claim.not_run or not rows:
            verdicts.append(FakeVerdict(claim.id, "not run", scale, 0, (), claim.not_run or "no rows"))
        elif scale == "smoke":
            verdicts.append(FakeVerdict(claim.id, "not run", scale, 2, (), "smoke scale"))
        else:
            mean = sum(row["metrics"]["top_kl"] for row in rows) / len(rows)
            status = "inconclusive" if claim.id.endswith("unlucky") else "supported" if mean > 0 else "contradicted"
            verdicts.append(FakeVerdict(claim.id, status, scale, len(rows), (FakeResult(status=status, effect=mean),)))
    return verdicts


def add_units(store: Path, scale: str, values: list[float], *, started: str = "2026-01-02", code: str = "c1") -> None:
    """Write one finished unit per value."""
    for index, value in enumerate(values):
        key = hashlib.sha256(f"{store.name}{scale}{index}{code}".encode()).hexdigest()
        Store(store).save(
            {
                "schema": 1,
                "key": key,
                "reproduction": "toy/effect",
                "config": {"steps": 3},
                "seed": 1000 + index,
                "scale": scale,
                "code": code,
                "status": "done",
                "rows": [{"arm": {"rho": 0.5}, "metrics": {"top_kl": value}, "series": {}}],
                "error": None,
                "metrics_info": {},
                "provenance": {"started": started, "seconds": 2.5},
            }
        )


def small_project() -> Inputs:
    """Return the small project's claims, equations and verdicts."""
    paper = PaperFile(
        "toy",
        "A toy paper",
        "As written.",
        ({"date": "2026-01-01", "claim": "all", "change": "a", "why": "b"},),
        CLAIMS,
    )
    return Inputs((paper,), EQUATIONS, TOLERANCES, decide)


def published_store(folder: Path) -> Path:
    """Return a store with a laptop and a larger scale that disagree, and a smoke run."""
    store = folder / "reports" / "results"
    add_units(store, "smoke", [9.0])
    add_units(store, "laptop", [-1.0] * 5)
    add_units(store, "gpu", [1.0] * 5)
    return store


def machine_store(folder: Path) -> Path:
    """Return a store of this machine that contradicts the published one."""
    store = folder / "machine"
    add_units(store, "laptop", [-2.0] * 5)
    return store


@pytest.fixture
def inputs() -> Inputs:
    """Return the small project."""
    return small_project()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Return the published store."""
    return published_store(tmp_path)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return the store of this machine."""
    return machine_store(tmp_path)


Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path, inputs: Inputs, published: Path) -> Build:
    """Return a function that builds the small project's report, without notebooks unless asked."""

    def run(machine: Path | None = None, *, execute: bool = False, use: Inputs = inputs) -> Path:
        return build_report(tmp_path / "reports", published, machine, execute=execute, inputs=use)

    return run

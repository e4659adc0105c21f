"""The static reproductions of all papers: they answer what the claims ask, and faults change the answers."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

from reproductions.harness.discovery import discover
from tests.reproductions.static import dvaepp, efficient_vdvae, hvae, nvae, sigma_vae
from tests.reproductions.static.paper import StaticPaper

PAPERS = tuple(module.PAPER for module in (hvae, sigma_vae, efficient_vdvae, nvae, dvaepp))


def case(paper: StaticPaper, *others: object, name: str = "") -> object:
    """Parameters of one paper: one worker, so that its rows are computed once."""
    return pytest.param(
        paper,
        *others,
        id=" ".join(filter(None, (paper.slug, name))),
        marks=pytest.mark.xdist_group(f"{paper.slug} static"),
    )


each_paper = pytest.mark.parametrize("paper", [case(paper) for paper in PAPERS])
each_reproduction = pytest.mark.parametrize(
    ("paper", "module"),
    [case(paper, module, name=module.__name__.rpartition(".")[2]) for paper in PAPERS for module in paper.modules],
)


@each_reproduction
def test_every_claim_of_the_reproduction_has_a_check(paper: StaticPaper, module: ModuleType) -> None:
    assert set(module.CHECKS) == {claim.id for claim in paper.claims_of(module).values()}


@each_reproduction
def test_rows_hold_exactly_the_metrics_that_the_claims_ask_for(paper: StaticPaper, module: ModuleType) -> None:
    for name, claim in paper.claims_of(module).items():
        wanted = {test.metric for test in claim.tests} | paper.reported_only.get(name, set())
        assert set(paper.rows[name]["metrics"]) == wanted, claim.id


@each_reproduction
def test_every_metric_is_described_and_every_description_used(paper: StaticPaper, module: ModuleType) -> None:
    given = {metric for name in paper.claims_of(module) for metric in paper.rows[name]["metrics"]}
    assert given == set(module.METRICS)


@each_paper
def test_metrics_are_finite_numbers(paper: StaticPaper) -> None:
    for name, row in paper.rows.items():
        for metric, value in row["metrics"].items():
            assert np.isfinite(float(value)), f"{name}: {metric} = {value}"


@each_paper
def test_verdicts(paper: StaticPaper) -> None:
    """All claims are supported but the known ones, and those are contradicted by the known tests."""
    failed = {}
    for module in paper.modules:
        for name in paper.claims_of(module):
            status, tests = paper.decide(name, paper.rows[name])
            if status != "supported":
                assert status == "contradicted", name
                failed[name] = {metric for metric, own in tests.items() if own == "contradicted"}
    assert failed == paper.contradicted


@each_paper
def test_names_of_the_expectations_are_names_of_claims(paper: StaticPaper) -> None:
    answered = {name for module in paper.modules for name in paper.claims_of(module)}
    faults = {fault.claim for fault in paper.faults.values()}
    assert {*paper.reported_only, *paper.contradicted, *paper.twice, *faults} <= answered


def test_all_are_discovered() -> None:
    assert {module.REPRODUCTION.id for paper in PAPERS for module in paper.modules} <= set(discover())


def test_none_needs_torch_to_be_listed() -> None:
    names = [module.__name__ for paper in PAPERS for module in paper.modules]
    code = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("paper", "name"), [case(paper, name, name=name) for paper in PAPERS for name in paper.twice])
def test_two_runs_agree_in_every_bit(paper: StaticPaper, name: str) -> None:
    assert paper.run_again(name)["metrics"] == paper.rows[name]["metrics"]


@pytest.mark.parametrize(
    ("paper", "fault"),
    [pytest.param(paper, fault, id=f"{paper.slug} {fault}") for paper in PAPERS for fault in paper.faults],
)
def test_a_planted_fault_is_seen(paper: StaticPaper, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = paper.faults[fault]
    for owner, name, replacement in planted.smaller:
        monkeypatch.setattr(owner, name, replacement)
    if planted.smaller:
        # The full check is judged with the verdicts; a smaller one must pass before a fault can fail it.
        assert paper.decide(planted.claim, paper.run_again(planted.claim))[1][planted.metric] == "supported"
    right = getattr(planted.module, planted.function)
    monkeypatch.setattr(planted.module, planted.function, planted.break_it(right))
    row = paper.run_again(planted.claim)
    assert paper.decide(planted.claim, row)[1][planted.metric] == "contradicted", row["metrics"]

"""Criteria with lists, and what a paper-scale claim would run: on its card and in the summary."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from claims.schema import Configuration, Cost
from reproductions.report.builder import Inputs
from reproductions.report.render import criterion, full_run
from tests.report.conftest import CLAIMS


def test_a_criterion_with_a_list_of_pairs_is_written_as_in_the_claim_file() -> None:
    pair = {"first": {"dataset": "digits", "rho": 0.90}, "second": {"dataset": "patches"}}
    text = criterion({"word": "overlap", "quantity": "sharpness", "pairs": [pair]})
    assert text == (
        "overlap(quantity=sharpness, pairs=[{first: {dataset: digits, rho: 0.9}, second: {dataset: patches}}])"
    )


@pytest.mark.parametrize(
    ("cost", "hours"),
    [
        ({"core_hours": 6.5}, "6.5 core-hours"),
        ({"gpu_hours": 450.0}, "450 GPU-hours"),
        ({"core_hours": 6.5, "gpu_hours": 20}, "6.5 core-hours and 20 GPU-hours"),
    ],
)
def test_what_a_claim_would_run(cost: dict[str, float], hours: str) -> None:
    claim: Any = SimpleNamespace(configuration={"reproduction": "toy/big", "runs": ["a", "b/c"]}, cost=cost)
    assert full_run(claim) == f"runs `a`, `b/c` of `toy/big`, about {hours} for one seed"


def test_a_claim_may_have_nothing_to_run_or_no_plan() -> None:
    quoted: Any = SimpleNamespace(configuration={"reproduction": "toy/big", "runs": []}, cost={"core_hours": 0})
    assert full_run(quoted) == "nothing to run"
    unplanned: Any = SimpleNamespace(configuration=None, cost=None)
    assert full_run(unplanned) == ""


def test_the_plan_is_on_the_card_and_in_the_summary(build: Callable[..., Path], inputs: Inputs) -> None:
    planned = SimpleNamespace(
        **vars(CLAIMS[1]),
        configuration=Configuration(reproduction="hvae/memory", runs=("tab-1",)),
        cost=Cost(gpu_hours=12, estimate="a guess"),
    )
    paper = dataclasses.replace(inputs.papers[0], claims=(CLAIMS[0], planned, CLAIMS[2]))
    root = build(use=dataclasses.replace(inputs, papers=(paper,))).parent
    page = (root / "toy.html").read_text(encoding="utf-8")
    assert "runs <code>tab-1</code> of <code>hvae/memory</code>, about 12 GPU-hours for one seed (a guess)." in page
    assert 'href="code/hvae--memory.html"' in page
    assert (root / "code" / "hvae--memory.html").is_file()
    summary = (root / "summary.md").read_text(encoding="utf-8")
    assert "| needs `a week` of GPU | runs `tab-1` of `hvae/memory`, about 12 GPU-hours for one seed |" in summary

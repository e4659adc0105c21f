"""From tests to verdicts: combination, missing results, scales and the correction over a paper."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import claims
from claims import decide, decide_paper
from claims.schema import Claim

MakeClaim = Callable[..., Claim]
MakeRows = Callable[..., list[dict[str, Any]]]
UP = {"word": "ordering", "metric": "score", "greater": {"rho": 0.9}, "less": {"rho": 1.0}}
DOWN = UP | {"greater": {"rho": 1.0}, "less": {"rho": 0.9}}
UNSURE = UP | {"metric": "noise"}
ABSENT = UP | {"metric": "absent"}
BROKEN = UP | {"metric": "broken"}


@pytest.fixture
def table(make_rows: MakeRows) -> list[dict[str, Any]]:
    rows = make_rows([2.0, 2.1, 1.9, 2.2, 2.0], rho=0.9) + make_rows([1.0] * 5, rho=1.0)
    for i, row in enumerate(rows):
        row["metrics"] |= {"noise": float(i % 3), "broken": None}
    return rows


@pytest.mark.parametrize(
    ("tests", "status"),
    [
        ((UP,), "supported"),
        ((UP, UP), "supported"),
        ((UP, UNSURE), "inconclusive"),
        ((UP, DOWN), "contradicted"),
        ((ABSENT, DOWN), "contradicted"),
        ((UP, ABSENT), "not run"),
        ((UP, BROKEN), "error"),
        ((ABSENT, BROKEN), "error"),
        ((BROKEN, DOWN), "contradicted"),
    ],
)
def test_combination(make_claim: MakeClaim, table: list[dict[str, Any]], tests: Any, status: str) -> None:
    verdict = decide(make_claim(*tests), table, scale="laptop")
    assert verdict.status == status
    assert len(verdict.tests) == len(tests)
    assert verdict.reason
    json.dumps(verdict.to_dict(), allow_nan=False)


def test_smoke_scale_never_yields_a_verdict(make_claim: MakeClaim, table: list[dict[str, Any]]) -> None:
    for tier in ("scaled", "static"):
        verdict = decide(make_claim(UP, tier=tier), table, scale="smoke")
        assert (verdict.status, verdict.reason, verdict.tests) == ("not run", "smoke scale", [])


def test_claim_without_tests_gives_its_reason(make_claim: MakeClaim) -> None:
    verdict = decide(make_claim(), [], scale="laptop")
    assert (verdict.status, verdict.reason) == ("not run", "waits for the model")


def test_nothing_run_and_everything_failed(make_claim: MakeClaim, make_rows: MakeRows) -> None:
    claim = make_claim(UP)
    empty = decide(claim, [], scale="laptop")
    assert empty.status == "not run"
    assert empty.reason == "no results of paper/effect at scale laptop"
    failed = decide(claim, [], scale="laptop", failures=["seed 1000: FloatingPointError in loss"])
    assert failed.status == "error"
    assert "FloatingPointError" in failed.reason
    half = decide(claim, make_rows([1.0] * 5, rho=0.9), scale="laptop", failures=["rho = 1.0: timeout"])
    assert half.status == "error"
    assert "timeout" in half.reason
    half = decide(claim, make_rows([1.0] * 5, rho=0.9), scale="laptop")
    assert half.status == "not run"
    assert "rho = 1.0" in half.reason


def test_few_seeds_are_named(make_claim: MakeClaim, make_rows: MakeRows) -> None:
    rows = make_rows([2.0, 2.1, 1.9], rho=0.9) + make_rows([1.0] * 3, rho=1.0)
    verdict = decide(make_claim(UP), rows, scale="laptop")
    assert verdict.status == "inconclusive"
    assert verdict.seeds == 3
    assert "At least 5 seeds are needed, the least here is 3." in verdict.reason


def test_static_claims_need_no_seeds(make_claim: MakeClaim, make_rows: MakeRows) -> None:
    identity = {"word": "identity", "metric": "error", "tolerance": 1e-9}
    verdict = decide(make_claim(identity, tier="static"), make_rows([0.0], metric="error"), scale="laptop")
    assert verdict.status == "supported"
    assert verdict.tests[0].p is None
    value = {"word": "value_within", "metric": "score", "target": 2.0, "tolerance": 0.1}
    assert decide(make_claim(value, tier="static"), make_rows([2.05]), scale="laptop").status == "supported"
    assert decide(make_claim(value, tier="scaled"), make_rows([2.05]), scale="laptop").status == "inconclusive"


def test_rows_of_another_claim_are_not_used(make_claim: MakeClaim, make_rows: MakeRows) -> None:
    identity = {"word": "identity", "metric": "error", "tolerance": 1e-9}
    rows = make_rows([0.0], metric="error", claim="paper/fig-1/effect")
    rows += make_rows([5.0], metric="error", claim="paper/fig-1/other")
    assert decide(make_claim(identity, tier="static"), rows, scale="laptop").status == "supported"
    other = make_claim(identity, tier="static", name="other")
    assert decide(other, rows, scale="laptop").status == "contradicted"
    third = decide(make_claim(identity, tier="static", name="third"), rows, scale="laptop")
    assert third.status == "not run"


def test_correction_is_shown_and_does_not_decide(make_claim: MakeClaim, table: list[dict[str, Any]]) -> None:
    papers = [make_claim(UP, name=f"c{i}") for i in range(4)] + [
        make_claim(UNSURE, name="noise"),
        make_claim(),
    ]
    verdicts = decide_paper(papers, {"paper/effect": table}, "laptop")
    assert [v.status for v in verdicts] == ["supported"] * 4 + ["inconclusive", "not run"]
    test = verdicts[0].tests[0]
    assert test.p == 1 / 32
    assert test.p_corrected == pytest.approx(5 / 32)
    assert test.details["tests_in_family"] == 5
    assert test.details["survives_correction"] is False
    alone = decide_paper(papers[:1], {"paper/effect": table}, "laptop")[0].tests[0]
    assert alone.p_corrected == 1 / 32
    assert alone.details["survives_correction"] is True


def test_decide_alone_uses_the_size_of_the_family(make_claim: MakeClaim, table: list[dict[str, Any]]) -> None:
    verdict = decide(make_claim(UP), table, scale="laptop", n_tests_in_family=10)
    assert verdict.tests[0].p_corrected == pytest.approx(10 / 32)
    with pytest.raises(ValueError, match="n_tests_in_family must be at least 1, got 0"):
        decide(make_claim(UP), table, scale="laptop", n_tests_in_family=0)


def test_decide_paper_passes_failures(make_claim: MakeClaim) -> None:
    failures = {"paper/effect": [f"seed {i}: stuck" for i in range(5)]}
    verdict = decide_paper([make_claim(UP)], {}, "laptop", failures=failures)[0]
    assert verdict.status == "error"
    assert "and 2 more" in verdict.reason


def test_public_names_exist() -> None:
    for name in claims.__all__:
        assert getattr(claims, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        claims.nothing  # noqa: B018

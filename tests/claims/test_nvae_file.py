"""The claims of NVAE: complete, well connected, and each static one decidable both ways."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from claims import Claim, decide, load_paper
from claims.schema import Count, Identity, Paper, ValueWithin

SLUG = "nvae"
STATIC = {f"{SLUG}/identities", f"{SLUG}/tables"}
EQUATIONS = {f"{SLUG}/E{i}" for i in range(1, 47)} | {f"{SLUG}/E{i}b" for i in (19, 25, 28, 42)}
SUM_OF_NUMBERS = 139294.187


@pytest.fixture(scope="module")
def paper() -> Paper:
    return load_paper(SLUG)


def test_counts_of_the_inventory(paper: Paper) -> None:
    assert len(paper.claims) == 138
    assert sum(len(claim.numbers) for claim in paper.claims) == 302
    assert Counter(c.tier for c in paper.claims) == {"static": 77, "paper-scale": 18, "scaled": 43}
    assert Counter(c.kind for c in paper.claims) == {
        "ordering": 40, "qualitative": 5, "identity": 47, "trend": 9,
        "ratio": 12, "threshold": 6, "value": 19,
    }  # fmt: skip
    provenances = Counter(number.provenance for c in paper.claims for number in c.numbers)
    assert provenances == {None: 272, "derived": 17, "restored": 4, "unverified": 9}
    assert sum(number.unit is not None for c in paper.claims for number in c.numbers) == 302
    total = math.fsum(
        number.value for c in paper.claims for number in c.numbers if isinstance(number.value, int | float)
    )
    assert total == pytest.approx(SUM_OF_NUMBERS, rel=1e-12)


def test_order_of_the_inventory(paper: Paper) -> None:
    ids = [claim.id.removeprefix(f"{SLUG}/") for claim in paper.claims]
    assert ids[0] == "abstract/cifar10-sota-2-98-to-2-91"
    assert ids[60] == "table-1/no-flow-model-outperforms-many"
    assert ids[-1] == "fig-12/lowest-scale-still-long-range"


def test_reproductions_and_reasons(paper: Paper) -> None:
    assert Counter(c.reproduction for c in paper.claims) == {"nvae/tables": 21, None: 74, "nvae/identities": 43}
    for claim in paper.claims:
        assert claim.not_run is None or len(claim.not_run) > 20, claim.id
        if claim.tier == "paper-scale":
            assert claim.not_run is not None
            assert claim.not_run.startswith("paper-scale: "), claim.id
        elif claim.not_run is not None:
            assert claim.not_run.startswith("waits for "), claim.id
        if claim.reproduction in STATIC:
            assert claim.tier == "static", claim.id


def test_equations_exist_and_needs_are_no_equations(paper: Paper) -> None:
    for claim in paper.claims:
        assert set(claim.equations) <= EQUATIONS, claim.id
        assert len(set(claim.equations)) == len(claim.equations), claim.id
        assert not [need for need in claim.needs if "_" in need], claim.id


def test_no_two_claims_say_the_same(paper: Paper) -> None:
    assert len({claim.says for claim in paper.claims}) >= len(paper.claims) - 0


def metrics_for(claim: Claim, spoil: int | None) -> dict[str, float]:
    """Metrics that fulfil every test of a static claim, one of them spoilt."""
    metrics: dict[str, float] = {}
    for i, test in enumerate(claim.tests or ()):
        bad = i == spoil
        if isinstance(test, Identity):
            metrics[test.metric] = test.tolerance + 1 if bad else test.tolerance / 2
        elif isinstance(test, ValueWithin):
            metrics[test.metric] = 2 * test.target + 10 if bad else test.target
        else:
            assert isinstance(test, Count)
            metrics[test.metric] = (test.above or 0) + (-1 if bad else 1)
    return metrics


def test_every_static_claim_can_be_supported_and_each_test_can_contradict(paper: Paper) -> None:
    for claim in paper.claims:
        if claim.reproduction not in STATIC:
            continue
        metrics = [test.metric for test in claim.tests or ()]
        assert len(set(metrics)) == len(metrics), claim.id
        for spoil in (None, *range(len(metrics))):
            row = {"arm": {"claim": claim.id}, "seed": 1000, "metrics": metrics_for(claim, spoil)}
            verdict = decide(claim, [row], scale="laptop")
            assert verdict.status == ("supported" if spoil is None else "contradicted"), (claim.id, spoil)
            assert decide(claim, [row | {"metrics": {}}], scale="laptop").status == "not run"

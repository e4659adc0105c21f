"""The claims of the sigma-VAE: complete against the inventory, well connected, and decidable from plausible results."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from claims import Claim, decide, load_paper
from claims.schema import Count, Identity, Paper, ValueWithin

STATIC = {"sigma-vae/identities", "sigma-vae/tables"}
EQUATIONS = {f"sigma-vae/E{i:02d}" for i in range(1, 54)}
SUM_OF_NUMBERS = 667918.0171


@pytest.fixture(scope="module")
def paper() -> Paper:
    return load_paper("sigma-vae")


def test_counts_of_the_inventory(paper: Paper) -> None:
    assert len(paper.claims) == 123
    assert sum(len(claim.numbers) for claim in paper.claims) == 275
    assert Counter(c.tier for c in paper.claims) == {"static": 69, "scaled": 36, "paper-scale": 18}
    assert Counter(c.kind for c in paper.claims) == {
        "value": 32,
        "identity": 30,
        "ordering": 22,
        "ratio": 13,
        "threshold": 12,
        "trend": 7,
        "qualitative": 7,
    }
    values = [number.value for c in paper.claims for number in c.numbers]
    flat = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
    assert math.fsum(flat) == pytest.approx(SUM_OF_NUMBERS, abs=1e-6)


def test_order_of_the_inventory(paper: Paper) -> None:
    ids = [claim.id for claim in paper.claims]
    assert ids[0] == "sigma-vae/table-3/celeba-nll-discrete"
    assert ids[61] == "sigma-vae/figure-9/svhn-trajectories"
    assert ids[-1] == "sigma-vae/method/softclip-bias"


def test_equations_exist_and_are_named_once(paper: Paper) -> None:
    for claim in paper.claims:
        assert set(claim.equations) <= EQUATIONS, claim.id
        assert len(set(claim.equations)) == len(claim.equations), claim.id


def test_what_is_not_run_says_why(paper: Paper) -> None:
    for claim in paper.claims:
        if claim.tier == "paper-scale":
            assert claim.not_run is not None
            assert claim.not_run.startswith("paper-scale: "), claim.id
        elif claim.not_run is not None:
            assert claim.not_run.startswith(("waits for ", "static check", "not decidable")), claim.id
        if claim.reproduction in STATIC:
            assert claim.tier == "static", claim.id


def static_metrics(claim: Claim, *, spoil: int | None = None) -> dict[str, float]:
    """Metrics that fulfil every test of a static claim, one of them spoilt."""
    metrics: dict[str, float] = {}
    for i, test in enumerate(claim.tests or ()):
        bad = i == spoil
        if isinstance(test, Identity):
            metrics[test.metric] = test.tolerance + 1 if bad else test.tolerance / 2
        elif isinstance(test, ValueWithin):
            metrics[test.metric] = test.target + 10 + abs(test.target) if bad else test.target
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
            row = {"arm": {"claim": claim.id}, "seed": 1000, "metrics": static_metrics(claim, spoil=spoil)}
            verdict = decide(claim, [row], scale="laptop")
            assert verdict.status == ("supported" if spoil is None else "contradicted"), (claim.id, spoil)
            assert decide(claim, [row | {"metrics": {}}], scale="laptop").status == "not run"

"""The claims of the Hermite VAE: complete, well connected, and decidable from plausible results."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from claims import Claim, decide, decide_paper, load_paper
from claims.schema import Count, Identity, Paper, ValueWithin

GRID = np.array([0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.975, 0.99, 1.0])
EQUATIONS = (
    {f"hvae/A{i}" for i in range(1, 26)} | {f"hvae/B{i}" for i in range(1, 23)} | {f"hvae/C{i}" for i in range(1, 22)}
)


@pytest.fixture(scope="module")
def paper() -> Paper:
    return load_paper("hvae")


@pytest.fixture(scope="module")
def by_name(paper: Paper) -> dict[str, Claim]:
    return {claim.id.removeprefix("hvae/"): claim for claim in paper.claims}


def test_counts_of_the_inventory(paper: Paper) -> None:
    assert len(paper.claims) == 107
    assert sum(len(claim.numbers) for claim in paper.claims) == 313
    assert Counter(c.tier for c in paper.claims) == {"static": 61, "scaled": 27, "paper-scale": 19}
    assert Counter(c.kind for c in paper.claims) == {
        "identity": 34, "value": 27, "ordering": 19, "trend": 9, "threshold": 7, "ratio": 6, "qualitative": 5,
    }  # fmt: skip
    assert sum(number.unit is not None for c in paper.claims for number in c.numbers) == 299
    total = math.fsum(
        number.value for c in paper.claims for number in c.numbers if isinstance(number.value, int | float)
    )
    assert total == pytest.approx(SUM_OF_NUMBERS, abs=1e-6)


SUM_OF_NUMBERS = 4367563.278


def test_order_of_the_inventory(paper: Paper) -> None:
    ids = [claim.id for claim in paper.claims]
    assert ids[0] == "hvae/sec-2-1/hermite-basis-orthonormal"
    assert ids[53] == "hvae/table-3/one-million-steps"
    assert ids[-1] == "hvae/table-6/configuration"


def test_tests_xor_reason(paper: Paper) -> None:
    for claim in paper.claims:
        assert (claim.tests is None) != (claim.not_run is None), claim.id
        assert claim.not_run is None or len(claim.not_run) > 20, claim.id
    assert Counter(c.reproduction for c in paper.claims) == {
        None: 55, "hvae/identities": 35, "hvae/tables": 10, "hvae/phase_transition": 5, "hvae/collapse": 2,
    }  # fmt: skip


def test_equations_exist_and_needs_are_no_equations(paper: Paper) -> None:
    for claim in paper.claims:
        assert set(claim.equations) <= EQUATIONS, claim.id
        assert len(set(claim.equations)) == len(claim.equations), claim.id
        names = {need for need in claim.needs if "_" in need}
        assert names <= {"mlp_grid", "mlp_pyramid4", "mlp_pyramid5"}, claim.id


def test_paper_scale_claims_wait(paper: Paper) -> None:
    for claim in paper.claims:
        if claim.tier == "paper-scale":
            assert claim.not_run is not None
            assert claim.not_run.startswith("paper-scale: ")
        elif claim.not_run is not None:
            assert claim.not_run.startswith(("waits for ", "static c")), claim.id
        if claim.reproduction in {"hvae/identities", "hvae/tables"}:
            assert claim.tier == "static"


def static_metrics(claim: Claim, *, spoil: int | None = None) -> dict[str, float]:
    """Metrics that fulfil every test of a static claim, one of them spoilt."""
    metrics: dict[str, float] = {}
    for i, test in enumerate(claim.tests or ()):
        bad = i == spoil
        if isinstance(test, Identity):
            metrics[test.metric] = test.tolerance + 1 if bad else test.tolerance / 2
        elif isinstance(test, ValueWithin):
            metrics[test.metric] = test.target + 10 if bad else test.target
        else:
            assert isinstance(test, Count)
            metrics[test.metric] = (test.above or 0) + (-1 if bad else 1)
    return metrics


def test_every_static_claim_can_be_supported_and_each_test_can_contradict(paper: Paper) -> None:
    for claim in paper.claims:
        if claim.reproduction not in {"hvae/identities", "hvae/tables"}:
            continue
        metrics = [test.metric for test in claim.tests or ()]
        assert len(set(metrics)) == len(metrics), claim.id
        for spoil in (None, *range(len(metrics))):
            row = {"arm": {"claim": claim.id}, "seed": 1000, "metrics": static_metrics(claim, spoil=spoil)}
            verdict = decide(claim, [row], scale="laptop")
            assert verdict.status == ("supported" if spoil is None else "contradicted"), (claim.id, spoil)
            partial = decide(claim, [row | {"metrics": {}}], scale="laptop")
            assert partial.status == "not run"


def phase_rows(
    make_rows: Callable[..., list[dict[str, Any]]],
    *,
    critical: float = 0.92,
    patches: float = 0.92,
    seeds: int = 5,
) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)

    def top_kl(rho: float, place: float) -> np.ndarray:
        clean = 5 / (1 + np.exp((rho - place) / 0.01))
        return np.asarray(clean * (1 + 0.03 * rng.normal(size=seeds)) + 0.01 * rng.random(seeds))

    rows: list[dict[str, Any]] = []
    for dataset, place in (("digits", critical), ("patches", patches)):
        for rho in GRID:
            rows += make_rows(top_kl(rho, place), "top_kl", dataset=dataset, K=5, rho=float(rho), width=8, depth=3)
    for samples, level in ((1, 0.01), (2, 3.0), (10, 5.1), (20, 5.2)):
        rows += make_rows(
            level * (1 + 0.02 * rng.normal(size=seeds)),
            "top_kl",
            dataset="digits",
            K=samples,
            rho=0.85,
            width=8,
            depth=3,
        )
    for row in rows:
        row["metrics"]["active_units_top"] = 8.0 if row["metrics"]["top_kl"] > 1 else 0.0
    return rows


PHASE = (
    "fig-1/sharp-drop-at-critical-rho",
    "sec-6/rho-controls-transition",
    "fig-1/same-critical-rho-across-datasets",
    "sec-2-2/five-to-ten-samples-suffice-in-training",
    "abstract/variance-reduction-mitigates-collapse",
)


def test_phase_transition_claims_are_supported_by_what_they_describe(
    paper: Paper, make_rows: Callable[..., list[dict[str, Any]]]
) -> None:
    rows = phase_rows(make_rows)
    verdicts = {v.claim_id: v for v in decide_paper(paper.claims, {"hvae/phase_transition": rows}, "laptop")}
    for name in PHASE:
        verdict = verdicts[f"hvae/{name}"]
        # Ranks among the collapsed points are noise, so that the trend may miss its .95 with few seeds.
        allowed = {"supported", "inconclusive"} if name.startswith("sec-6") else {"supported"}
        assert verdict.status in allowed, verdict.reason
    assert sum(v.status in {"supported", "inconclusive", "contradicted"} for v in verdicts.values()) == 5


def test_phase_transition_claims_are_contradicted_by_doctored_results(
    by_name: dict[str, Claim], make_rows: Callable[..., list[dict[str, Any]]]
) -> None:
    reversed_rows = phase_rows(make_rows)
    for row in reversed_rows:
        row["metrics"] = {"top_kl": 5.0 - row["metrics"]["top_kl"] * 0.99, "active_units_top": 4.0}
    for name in (PHASE[0], PHASE[1], PHASE[4]):
        assert decide(by_name[name], reversed_rows, scale="laptop").status != "supported"
    assert decide(by_name[PHASE[1]], reversed_rows, scale="laptop").status == "contradicted"
    assert decide(by_name[PHASE[4]], reversed_rows, scale="laptop").status == "contradicted"
    apart = phase_rows(make_rows, patches=0.85)
    assert decide(by_name[PHASE[2]], apart, scale="laptop").status == "contradicted"
    collapsed = phase_rows(make_rows, critical=0.75)
    assert decide(by_name[PHASE[3]], collapsed, scale="laptop").status == "contradicted"


def collapse_rows(make_rows: Callable[..., list[dict[str, Any]]], levels: dict[float, float]) -> list[dict[str, Any]]:
    rng = np.random.default_rng(2)
    rows: list[dict[str, Any]] = []
    for rho, level in levels.items():
        rows += make_rows(level * (1 + 0.05 * rng.normal(size=8)), "top_kl", rho=rho, K=5)
    for row in rows:
        row["metrics"] |= {
            "early_collapse": float(row["metrics"]["top_kl"] < 0.1),
            "iw_bound_k100": -18.0 - 0.1 * (row["arm"]["rho"] == 1.0) + 0.01 * rng.normal(),
        }
    return rows


def test_collapse_claims(by_name: dict[str, Claim], make_rows: Callable[..., list[dict[str, Any]]]) -> None:
    collapse, bound = by_name["fig-2/vae-collapses-hvae-does-not"], by_name["fig-2/improved-validation-elbo"]
    good = collapse_rows(make_rows, {1.0: 0.01, 0.95: 0.8, 0.9: 3.4, 0.85: 4.4, 0.8: 5.0})
    assert decide(collapse, good, scale="laptop").status == "supported"
    assert decide(bound, good, scale="laptop").status == "supported"
    none = collapse_rows(make_rows, {1.0: 3.0, 0.95: 3.0, 0.9: 3.4, 0.85: 4.4, 0.8: 5.0})
    assert decide(collapse, none, scale="laptop").status == "contradicted"
    every = collapse_rows(make_rows, {1.0: 0.01, 0.95: 0.01, 0.9: 0.02, 0.85: 0.02, 0.8: 5.0})
    assert decide(collapse, every, scale="laptop").status == "contradicted"
    middle = collapse_rows(make_rows, {1.0: 0.01, 0.95: 0.3, 0.9: 0.5, 0.85: 0.6, 0.8: 5.0})
    assert decide(collapse, middle, scale="laptop").status == "inconclusive"
    for row in good:
        row["metrics"]["iw_bound_k100"] *= -1
    assert decide(bound, good, scale="laptop").status == "contradicted"

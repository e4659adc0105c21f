"""The trained claims of the sigma-VAE: supported by results that say what they say, and by nothing less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from claims import Claim, decide, load_paper
from claims.schema import Count, Identity, Ordering, RatioAtLeast, ValueWithin

SEEDS = range(1000, 1005)
Cell = tuple[str, str]
TRAINED = [claim for claim in load_paper("sigma-vae").claims if claim.tier == "scaled"]
each_claim = pytest.mark.parametrize("claim", [pytest.param(claim, id=claim.id) for claim in TRAINED])


def key(selector: Any, metric: str) -> Cell:
    return repr(sorted((selector or {}).items())), metric


def wanted(test: Any) -> Iterator[tuple[Any, float]]:
    """Selectors of a test with values that fulfil it."""
    if isinstance(test, Identity):
        yield test.where, 0.0
    elif isinstance(test, ValueWithin):
        yield test.where, test.target
    elif isinstance(test, Count):
        yield test.where, test.above + 1 if test.above is not None else (test.below or 0.0) - 1
    elif isinstance(test, RatioAtLeast):
        yield from ((test.numerator, 10 * test.at_least), (test.denominator, 5.0))
    else:
        assert isinstance(test, Ordering)
        yield from ((test.greater, 3.0 + test.margin), (test.less, 2.0))


def table(claim: Claim, *, spoil: int | None = None) -> list[dict[str, Any]]:
    """Rows of five seeds that fulfil every test of a claim, with the values of one test turned round."""
    cells: dict[Cell, tuple[Any, float]] = {}
    tests = list(enumerate(claim.tests or ()))
    # What names a number binds more than what compares two.
    for _, test in sorted(tests, key=lambda pair: isinstance(pair[1], Ordering | RatioAtLeast)):
        for selector, value in wanted(test):
            cells.setdefault(key(selector, test.metric), (selector, value))
    if spoil is not None:
        cells |= spoilt((claim.tests or ())[spoil], cells)
    rows: dict[str, dict[str, Any]] = {}
    for (name, metric), (selector, value) in cells.items():
        rows.setdefault(name, {"arm": dict(selector or {}), "metrics": {}})["metrics"][metric] = value
    # Seeds differ by a little, in every arm alike.
    return [
        {
            "arm": row["arm"],
            "seed": seed,
            "metrics": {name: v * (1 + 1e-9 * seed) for name, v in row["metrics"].items()},
        }
        for row in rows.values()
        for seed in SEEDS
    ]


def spoilt(test: Any, cells: dict[Cell, tuple[Any, float]]) -> dict[Cell, tuple[Any, float]]:
    pairs = [(selector, key(selector, test.metric)) for selector, _ in wanted(test)]
    if isinstance(test, Ordering | RatioAtLeast):
        (first, one), (second, two) = pairs
        return {
            one: (first, cells[two][1] - test.margin - 1e-3 if isinstance(test, Ordering) else 5.0),
            two: (second, cells[one][1] if isinstance(test, Ordering) else 5.0),
        }
    ((selector, place),) = pairs
    if isinstance(test, Count):
        return {place: (selector, test.above - 1 if test.above is not None else (test.below or 0.0) + 1)}
    if isinstance(test, Identity):
        return {place: (selector, test.tolerance + 1)}
    return {place: (selector, test.target + 10 * (test.tolerance or 0.0) + 10 * abs(test.target))}


@each_claim
def test_a_trained_claim_is_supported_by_what_it_says(claim: Claim) -> None:
    verdict = decide(claim, table(claim), scale="night")
    assert verdict.status == "supported", verdict.reason
    assert verdict.seeds == len(SEEDS)


@each_claim
def test_each_test_of_a_trained_claim_is_needed(claim: Claim) -> None:
    for spoil, test in enumerate(claim.tests or ()):
        verdict = decide(claim, table(claim, spoil=spoil), scale="night")
        assert verdict.status in {"contradicted", "inconclusive"}, (claim.id, test)
        if not (isinstance(test, Count) and test.contradicted_at_most is None):
            assert verdict.status == "contradicted", (claim.id, test, verdict.reason)


@each_claim
def test_three_seeds_decide_nothing(claim: Claim) -> None:
    rows = [row for row in table(claim) if row["seed"] < SEEDS[3]]
    assert decide(claim, rows, scale="night").status == "inconclusive"

"""The claim files: complete against their inventories, well connected, and each static claim decidable both ways."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from claims import Claim, decide
from claims.loading import CLAIMS_DIR
from claims.schema import Count, Identity, ValueWithin
from tests.claims.inventories import INVENTORIES, Inventory

each_file = pytest.mark.parametrize(
    "inventory",
    # One worker reads each file once.
    [pytest.param(item, id=item.slug, marks=pytest.mark.xdist_group(f"{item.slug} claims")) for item in INVENTORIES],
)


def test_every_claim_file_has_an_inventory() -> None:
    assert {path.stem for path in CLAIMS_DIR.glob("*.yaml")} == {inventory.slug for inventory in INVENTORIES}


@each_file
def test_counts_of_the_inventory(inventory: Inventory) -> None:
    numbers = [number for claim in inventory.claims for number in claim.numbers]
    assert len(inventory.claims) == inventory.claim_count
    assert len(numbers) == inventory.number_count
    assert Counter(claim.tier for claim in inventory.claims) == inventory.tiers
    assert Counter(claim.kind for claim in inventory.claims) == inventory.kinds
    assert Counter(number.provenance for number in numbers) == inventory.provenances
    assert sum(number.unit is not None for number in numbers) == inventory.numbers_with_unit
    values = [number.value if isinstance(number.value, tuple) else (number.value,) for number in numbers]
    assert math.fsum(part for value in values for part in value) == pytest.approx(inventory.sum_of_numbers, abs=1e-6)


@each_file
def test_order_of_the_inventory(inventory: Inventory) -> None:
    for place, name in inventory.claims_by_place.items():
        assert inventory.claims[place].id == f"{inventory.slug}/{name}"


@each_file
def test_reproductions_answer_as_many_claims_as_known(inventory: Inventory) -> None:
    names = [claim.reproduction and claim.reproduction.removeprefix(f"{inventory.slug}/") for claim in inventory.claims]
    assert Counter(names) == inventory.reproductions


@each_file
def test_what_is_not_run_says_why(inventory: Inventory) -> None:
    for claim in inventory.claims:
        assert (claim.tests is None) != (claim.not_run is None), claim.id
        if claim.tier == "paper-scale":
            assert claim.not_run is not None, claim.id
        if claim.not_run is not None:
            assert len(claim.not_run) > 20, claim.id
            allowed = ("paper-scale: ",) if claim.tier == "paper-scale" else inventory.reasons
            assert claim.not_run.startswith(allowed), claim.id


@each_file
def test_static_reproductions_answer_static_claims(inventory: Inventory) -> None:
    for claim in inventory.static_claims:
        assert claim.tier == "static", claim.id


@each_file
def test_equations_exist_once_and_needs_are_no_equations(inventory: Inventory) -> None:
    known = {f"{inventory.slug}/{number}" for number in inventory.equations}
    for claim in inventory.claims:
        assert set(claim.equations) <= known, claim.id
        assert len(set(claim.equations)) == len(claim.equations), claim.id
        # Functions have names with underscores; they are named by their equations.
        assert {need for need in claim.needs if "_" in need} <= inventory.needs_with_underscore, claim.id


@each_file
def test_no_two_claims_say_the_same(inventory: Inventory) -> None:
    assert len({claim.says for claim in inventory.claims}) == len(inventory.claims)


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
            limit, inside = (test.above, 1) if test.below is None else (test.below, -1)
            metrics[test.metric] = limit - inside if bad else limit + inside
    return metrics


@each_file
def test_every_static_claim_can_be_supported_and_each_test_can_contradict(inventory: Inventory) -> None:
    for claim in inventory.static_claims:
        metrics = [test.metric for test in claim.tests or ()]
        assert len(set(metrics)) == len(metrics), claim.id
        for spoil in (None, *range(len(metrics))):
            row = {"arm": {"claim": claim.id}, "seed": 1000, "metrics": static_metrics(claim, spoil=spoil)}
            verdict = decide(claim, [row], scale="laptop")
            assert verdict.status == ("supported" if spoil is None else "contradicted"), (claim.id, spoil)
        assert decide(claim, [row | {"metrics": {}}], scale="laptop").status == "not run"

"""Configuration and cost of a paper-scale claim: together, for that tier only, and with hours."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from claims.schema import Claim

WAITING: dict[str, Any] = {
    "id": "toy/tab-1/long",
    "where": "Table 1",
    "says": "It holds at full size.",
    "numbers": (),
    "kind": "value",
    "tier": "paper-scale",
    "check": "Run it.",
    "equations": (),
    "needs": (),
    "not_run": "paper-scale: a long run",
}
CONFIGURATION = {"reproduction": "toy/full_scale", "runs": ["table-1"]}
COST = {"core_hours": 6.5, "estimate": "from a measured step time"}


def test_a_paper_scale_claim_names_its_runs_and_their_cost() -> None:
    claim = Claim(**WAITING, configuration=CONFIGURATION, cost=COST)
    assert claim.configuration is not None
    assert claim.configuration.runs == ("table-1",)
    assert claim.cost is not None
    assert (claim.cost.core_hours, claim.cost.gpu_hours) == (6.5, None)
    nothing = Claim(**WAITING, configuration=CONFIGURATION | {"runs": []}, cost=COST | {"core_hours": 0})
    assert nothing.cost is not None
    assert nothing.cost.core_hours == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"configuration": CONFIGURATION}, "needs configuration and cost together"),
        ({"cost": COST}, "needs configuration and cost together"),
        ({"configuration": CONFIGURATION, "cost": COST, "tier": "scaled"}, "belong to tier paper-scale, not scaled"),
        ({"configuration": CONFIGURATION, "cost": {"estimate": "a guess"}}, "needs one of core_hours, gpu_hours"),
        ({"configuration": CONFIGURATION, "cost": COST | {"core_hours": -1}}, "greater than or equal to 0"),
        ({"configuration": CONFIGURATION, "cost": {"core_hours": 1}}, "estimate"),
    ],
)
def test_half_a_plan_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Claim(**(WAITING | change))

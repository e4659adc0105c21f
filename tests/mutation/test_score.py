"""The published mutation score is complete: counts that add up, and a reason for every mutant that lives."""

from __future__ import annotations

import json

from tests.mutation.__main__ import REASONS, SCORE


def test_every_survivor_has_a_reason() -> None:
    score, reasons = (json.loads(path.read_text(encoding="utf-8")) for path in (SCORE, REASONS))
    assert set(score["survivors"]) == set(reasons)
    assert sum(score["outcomes"].values()) == score["ran"] <= score["population"]
    alive = score["outcomes"].get("survived", 0) + score["outcomes"].get("no test", 0)
    assert len(score["survivors"]) == alive
    assert score["interval"][0] <= score["score"] <= score["interval"][1]

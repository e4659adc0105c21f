"""The published mutation score is complete: counts that add up, and a reason for every mutant that lives."""

from __future__ import annotations

import json

import pytest

from tests.mutation import __main__ as mutation
from tests.mutation.__main__ import ALIVE, REASONS, SCORE


def test_every_survivor_has_a_reason() -> None:
    score, reasons = (json.loads(path.read_text(encoding="utf-8")) for path in (SCORE, REASONS))
    assert set(score["survivors"]) == set(reasons)
    assert sum(score["outcomes"].values()) == score["ran"] <= score["population"]
    alive = sum(score["outcomes"].get(word, 0) for word in ALIVE)
    assert len(score["survivors"]) == alive
    assert score["interval"][0] <= score["score"] <= score["interval"][1]


def test_score_of_a_known_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three killed, one out of time, one alive, one not run: 4 of 5, and the survivor is shown."""
    monkeypatch.setattr(mutation, "difference", lambda name: f"-{name}")
    statuses = {f"reference.a__mutmut_{i}": status for i, status in enumerate([1, 1, 3, 36, 0, None])}
    found = mutation.score(statuses, list(statuses), "commit")
    assert (found["ran"], found["population"], found["score"]) == (5, 6, 0.8)
    assert found["survivors"] == {"reference.a__mutmut_4": "-reference.a__mutmut_4"}
    # Wilson's interval of 4 of 5.
    assert found["interval"] == [0.3755, 0.9638]


def test_a_status_that_is_no_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got 34 \(skipped\)"):
        mutation.outcome(34)


def test_samples_repeat_and_hold_no_name_twice() -> None:
    names = [f"m{i}" for i in range(50)]
    assert mutation.sample(names, 20, 0) == mutation.sample(names[::-1], 20, 0) != mutation.sample(names, 20, 1)
    assert len(set(mutation.sample(names, 20, 0))) == 20

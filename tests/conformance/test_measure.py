"""Records of the largest errors: what a session has seen raises them, and a failure does not."""

from __future__ import annotations

import json
import math

import pytest

from tests.conformance import measure, observed

FUNCTION = "gaussian.kl"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The table of records, as a copy that may be written."""
    copy = tmp_path / "tolerances.json"
    copy.write_text(measure.TABLE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(measure, "TABLE", copy)
    return lambda: json.loads(copy.read_text(encoding="utf-8"))[FUNCTION]["cpu"]["float64"]["value"]


def seen(ulps: float) -> dict:
    return {"device": "cpu", "largest": {FUNCTION: {"float64": {"value": ulps}}}}


def test_records_are_raised_to_what_tests_allow_and_never_lowered(table, capsys) -> None:
    before = table()
    allowed = measure.allowed(FUNCTION, "value", "float64", "cpu")
    for ulps, wanted in ((0.0, before), (0.9 * allowed, round(0.9 * allowed, 2))):
        measure.raise_records(seen(ulps), [])
        assert table() == wanted
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("ulps", "traced"), [(15.0, []), (17.0, [FUNCTION]), (math.inf, [FUNCTION])])
def test_failures_and_large_errors_without_a_reason_are_not_taken(table, capsys, ulps, traced) -> None:
    before = table()
    measure.raise_records(seen(ulps), traced)
    assert table() == before
    assert f"{FUNCTION} value float64: {ulps:.4g} ulps not taken" in capsys.readouterr().out


def test_a_traced_error_is_taken(table) -> None:
    measure.raise_records(seen(15.0), [FUNCTION])
    assert table() == 15.0


def test_a_session_keeps_its_largest_errors(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(observed, "LARGEST", {})
    for ulps in (1.0, 3.0, 2.0):
        observed.note(FUNCTION, "float32", "gradient", ulps)
    observed.write(tmp_path / "seen.json", "cpu")
    wanted = {"device": "cpu", "largest": {FUNCTION: {"float32": {"gradient": 3.0}}}}
    assert json.loads((tmp_path / "seen.json").read_text(encoding="utf-8")) == wanted

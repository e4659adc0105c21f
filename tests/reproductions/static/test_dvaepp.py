"""What only DVAE++ has: a printed formula that fails, and a trend that is read from the claims."""

from __future__ import annotations

import pytest

from reproductions.dvaepp import tables
from tests.reproductions.static.dvaepp import PAPER


@pytest.mark.xdist_group("dvaepp static")
def test_the_printed_root_fails_where_the_stable_one_does_not() -> None:
    metrics = PAPER.rows["app-a/inverse-cdf-by-log"]["metrics"]
    assert metrics["printed_failures_float64"] > 100
    assert metrics["printed_failures_float32"] > 100


def test_a_changed_cell_changes_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers come from the claims: a worse value at 24 groups breaks the trend."""
    right = tables.printed
    monkeypatch.setattr(tables, "printed", lambda claim: right(claim) | {"24 local groups": 3.46})
    assert tables.table_5_trend()["increases"] == 1

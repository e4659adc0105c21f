"""Decisions: rank concordance against scipy and by pairs, the rule for paired seeds by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from reference import decisions
from tests.conformance.inputs import decisions as inputs

BAD = [
    ("rank_concordance", {"first": [1.0], "second": [2.0]}, r"one shape \(n >= 2,\), got \(1,\), \(1,\)"),
    ("paired_decision", {"differences": [1.0, 2.0]}, r"differences must be \(n >= 3,\), got shape \(2,\)"),
    ("paired_decision", {"differences": [1.0] * 3, "standard_errors": 0.0}, r"standard_errors must be > 0, got 0\.0"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(BAD)])
def test_bad_input_is_named(name: str, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(decisions, name)(**arguments)


@given(inputs.rank_concordance())
def test_rank_concordance_matches_scipy(case) -> None:
    wanted = stats.kendalltau(case["first"], case["second"], variant="b").statistic
    assert float(decisions.rank_concordance(**case)) == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_rank_concordance_by_pairs() -> None:
    """Order 1 2 3 4 against 1 3 2 4: five pairs agree, one does not; with a tie the divisor is the root of 6 * 5."""
    assert float(decisions.rank_concordance([1, 2, 3, 4], [1, 3, 2, 4])) == pytest.approx(4 / 6)
    assert float(decisions.rank_concordance([1, 2, 3, 4], [1, 2, 2, 4])) == pytest.approx(5 / np.sqrt(30))
    assert np.isnan(decisions.rank_concordance([1, 1], [1, 2]))


@given(inputs.rank_concordance())
def test_rank_concordance_reads_only_the_order(implementation, case) -> None:
    got = implementation.call("decisions.rank_concordance", **case)
    cubed = {**case, "first": case["first"] ** 3}
    np.testing.assert_allclose(implementation.call("decisions.rank_concordance", **cubed), got, rtol=1e-12)
    turned = {**case, "second": -case["second"]}
    np.testing.assert_allclose(implementation.call("decisions.rank_concordance", **turned), -got, rtol=1e-12)
    if np.ptp(case["first"]):
        own = implementation.call("decisions.rank_concordance", first=case["first"], second=case["first"])
        np.testing.assert_allclose(own, 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("differences", "wanted"),
    [
        ([1.0, 1.1, 0.9], 1),
        ([1.0, 1.1, -0.1], 0),
        ([1.0, 1.1, 0.9, 1.0, -0.1], 1),
        ([1.0, 1.1, 0.9, -0.1, -0.1], 0),
        ([5.0, 0.1, 0.1, 0.1, 0.1], 0),
        ([-1.0, -1.1, -0.9, -1.0, 0.2], -1),
        ([0.0, 0.0, 0.0], 0),
        ([2.0, 2.0, 2.0], 1),
    ],
)
def test_paired_decision_by_hand(differences: list[float], wanted: int) -> None:
    """Signs, then size: three of three or four of five, and a mean beyond two standard errors."""
    assert int(decisions.paired_decision(differences)) == wanted


def test_paired_decision_on_noise(rng) -> None:
    """No difference, five seeds: supported only when t > 2 and at most one sign disagrees, by enumeration of both."""
    noise = rng.standard_normal((20_000, 5))
    t = stats.ttest_1samp(noise, 0, axis=1).statistic
    wanted = np.mean((t > 2) & ((noise > 0).sum(axis=1) >= 4))
    found = np.array([int(decisions.paired_decision(row)) for row in noise])
    assert np.mean(found == 1) == pytest.approx(wanted, abs=1e-12)
    assert np.mean(found == 1) < stats.t.sf(2, 4) + 0.005
    assert np.mean(found == -1) == pytest.approx(np.mean(found == 1), abs=0.01)


@given(inputs.paired_decision())
def test_paired_decision_turns_with_its_sides(implementation, case) -> None:
    got = implementation.call("decisions.paired_decision", **case)
    turned = implementation.call("decisions.paired_decision", **{**case, "differences": -case["differences"]})
    assert int(turned) == -int(got)
    scaled = implementation.call("decisions.paired_decision", **{**case, "differences": 4 * case["differences"]})
    assert int(scaled) == int(got)
    assert int(got) == 0 or np.sign(case["differences"].mean()) == int(got)

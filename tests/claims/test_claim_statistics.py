"""Intervals and exact tests against hand counts, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from claims import statistics


def test_sign_flip_counts_patterns_exactly() -> None:
    assert statistics.sign_flip_p([1, 2, 3, 4, 5]) == 1 / 32
    # Sum of all is 3; of the 8 patterns of (1, 2, -0): hand count with zeros is a tie in both signs.
    assert statistics.sign_flip_p([1.0, 2.0, 0.0]) == 2 / 8
    assert statistics.sign_flip_p([0.0, 0.0]) == 1.0
    assert statistics.sign_flip_p([-1.0, -2.0]) == 1.0


def test_sign_flip_agrees_with_scipy() -> None:
    d = np.random.default_rng(0).normal(0.4, 1, size=9)
    other = stats.permutation_test((d,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf)
    assert statistics.sign_flip_p(d) == pytest.approx(other.pvalue)


def test_sampled_sign_flip_is_near_the_exact_one() -> None:
    d = np.random.default_rng(1).normal(0.4, 1, size=20)
    reference = stats.ttest_1samp(d, 0, alternative="greater").pvalue
    assert statistics.sign_flip_p(d) == pytest.approx(reference, abs=0.02)
    assert statistics.sign_flip_p(d, random_state=3) == statistics.sign_flip_p(d, random_state=3)


def test_sign_flip_needs_a_difference() -> None:
    with pytest.raises(ValueError, match="got none"):
        statistics.sign_flip_p([])


def test_bca_agrees_with_scipy() -> None:
    x = np.random.default_rng(2).lognormal(size=30)
    ours = statistics.bca_interval(x, lambda s: s.mean(axis=-1), resamples=20000)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20000, method="BCa", rng=0).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), rel=0.02)


def test_bca_of_equal_values_is_a_point_and_reproducible() -> None:
    assert statistics.bca_interval([2.0] * 5, lambda s: s.mean(axis=-1)) == (2.0, 2.0)
    x = [1.0, 2.0, 4.0, 8.0, 9.0]
    one = statistics.bca_interval(x, lambda s: s.mean(axis=-1), random_state=4)
    assert one == statistics.bca_interval(x, lambda s: s.mean(axis=-1), random_state=4)
    assert one[0] < np.mean(x) < one[1]


def test_binomial_against_scipy() -> None:
    for hits in range(9):
        expected = stats.binomtest(hits, 8, 0.5, alternative="greater").pvalue
        assert statistics.binomial_p(hits, 8) == pytest.approx(expected)
        interval = stats.binomtest(hits, 8).proportion_ci(0.90, method="exact")
        assert statistics.binomial_interval(hits, 8) == pytest.approx((interval.low, interval.high))


def test_binomial_interval_excludes_a_half_exactly_when_p_is_small() -> None:
    for n in range(5, 30):
        for hits in range(n + 1):
            excludes = statistics.binomial_interval(hits, n)[0] > 0.5
            assert excludes == (statistics.binomial_p(hits, n) < 0.05)


def test_prediction_interval_covers_the_next_run() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(3, 2, size=(4000, 6))
    inside = 0
    for row in x:
        low, high = statistics.prediction_interval(row[:5])
        inside += low <= row[5] <= high
    assert inside / len(x) == pytest.approx(0.95, abs=0.012)


def test_mean_p_is_student() -> None:
    x = np.random.default_rng(6).normal(size=7)
    assert statistics.mean_p(x, 0.3) == pytest.approx(stats.ttest_1samp(x, 0.3, alternative="less").pvalue)
    assert statistics.mean_p([1.0, 1.0], 2.0) == 0.0
    assert statistics.mean_p([1.0, 1.0], 1.0) == 1.0


def test_rank_correlation_against_scipy_and_constant() -> None:
    rng = np.random.default_rng(7)
    x, y = np.arange(12.0), rng.integers(0, 4, size=(3, 12)).astype(float)
    expected = [stats.spearmanr(x, row).statistic for row in y]
    assert statistics.rank_correlation(x, y) == pytest.approx(expected)
    assert statistics.rank_correlation(x, np.ones(12)) == 0.0


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .03 .04 times 4 3 2 1, made monotone.
    assert statistics.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert statistics.holm([0.6, 0.9]) == [1.0, 1.0]
    assert statistics.holm([]) == []

"""Negative controls of every test word, and the rate of false alarms of the statistical ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from claims.schema import TestSpec
from claims.words import TestResult, run_test

Make = Callable[..., list[dict[str, Any]]]
ADAPTER: TypeAdapter[Any] = TypeAdapter(TestSpec)
GRID = np.array([0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.975, 0.99, 1.0])
A, B = {"rho": 0.9}, {"rho": 1.0}

ORDERING = {"word": "ordering", "metric": "score", "greater": A, "less": B, "unit": "nats"}
RATIO = {"word": "ratio_at_least", "metric": "score", "numerator": A, "denominator": B, "at_least": 2.0}
TREND = {
    "word": "trend",
    "metric": "score",
    "along": "rho",
    "direction": "decreasing",
    "min_correlation": 0.8,
}
COUNT = {
    "word": "count",
    "metric": "score",
    "where": A,
    "above": 1.0,
    "at_least": 4,
    "of": 5,
    "contradicted_at_most": 1,
}
VALUE = {"word": "value_within", "metric": "score", "target": 3.0, "tolerance": 0.5}
THRESHOLD = {"word": "threshold", "metric": "top_kl", "along": "rho", "unit": "nats"}
SAME = {"word": "same_transition", "metric": "top_kl", "along": "rho", "first": {"dataset": "digits"},
        "second": {"dataset": "patches"}}  # fmt: skip
IDENTITY = {"word": "identity", "metric": "score", "tolerance": 1e-9}


def ceiling(trials: int, level: float = 0.05) -> float:
    """Level plus three binomial standard errors: what a rate measured in so many trials may show."""
    return level + 3 * float(np.sqrt(level * (1 - level) / trials))


def run(spec: dict[str, Any], table: list[dict[str, Any]], *, exact: bool = False) -> TestResult:
    result = run_test(ADAPTER.validate_python(spec), table, exact=exact)
    json.dumps(result.__dict__, allow_nan=False)
    assert result.sentence.endswith(".")
    assert "\n" not in result.sentence
    return result


def logistic(critical: float = 0.92, scale: float = 0.008, height: float = 5.0) -> np.ndarray:
    return height / (1 + np.exp((GRID - critical) / scale))


def noisy(curve: np.ndarray, rng: np.random.Generator, seeds: int = 5) -> np.ndarray:
    noise = curve * 0.04 * rng.normal(size=(seeds, len(curve)))
    return np.asarray(np.abs(curve + noise + 0.01 * rng.random((seeds, len(curve)))))


# --- identity -----------------------------------------------------------------------------------------------


def test_identity(make_rows: Make) -> None:
    assert run(IDENTITY, make_rows([0.0, 1e-9]), exact=True).status == "supported"
    assert run(IDENTITY, make_rows([0.0, 2e-9]), exact=True).status == "contradicted"
    assert run(IDENTITY, make_rows([0.0, -1.0]), exact=True).status == "contradicted"
    assert run(IDENTITY, make_rows([0.0, float("nan")]), exact=True).status == "error"
    assert run(IDENTITY, make_rows([0.0, None]), exact=True).status == "error"
    assert run(IDENTITY | {"where": {"claim": "x"}}, make_rows([0.0], claim="y"), exact=True).status == "not run"


# --- value_within -------------------------------------------------------------------------------------------


def test_value_within_seeds(make_rows: Make) -> None:
    assert run(VALUE, make_rows([3.0, 3.05, 2.95, 3.02, 2.98])).status == "supported"
    assert run(VALUE, make_rows([5.0, 5.05, 4.95, 5.02, 4.98])).status == "contradicted"
    assert run(VALUE, make_rows([3.0, 5.0, 1.0, 4.0, 2.0])).status == "inconclusive"
    # The mean is surely within .5, the next run is not.
    assert run(VALUE, make_rows([3.0, 3.3, 2.7, 3.2, 2.8])).status == "inconclusive"
    assert run(VALUE, make_rows([3.0, 3.05, 2.95, 3.02])).status == "inconclusive"
    assert run(VALUE, make_rows([3.0])).status == "inconclusive"


def test_value_within_exact_and_the_floor_of_the_last_digit(make_rows: Make) -> None:
    spec = {"word": "value_within", "metric": "score", "target": 7.27, "digits_unit": 0.01}
    assert run(spec, make_rows([7.2724]), exact=True).status == "supported"
    assert run(spec, make_rows([7.2751]), exact=True).status == "contradicted"
    assert run(spec | {"relative": 0.1}, make_rows([7.9]), exact=True).status == "supported"
    third = {"word": "value_within", "metric": "score", "target": 0.3, "tolerance": 0.0}
    assert run(third, make_rows([0.1 + 0.2]), exact=True).status == "supported"
    # Seeds that agree to every digit must not be contradicted by rounding of the printed number.
    assert run(spec, make_rows([7.2724] * 5)).status == "supported"


def test_sentences_write_thousands_in_full(make_rows: Make) -> None:
    spec = {"word": "value_within", "metric": "score", "target": 1100, "tolerance": 200, "unit": "steps"}
    told = run(spec, make_rows([1010.0, 1012.0, 1008.0, 1011.0, 1009.0])).sentence
    assert told.startswith("Score is 1010 steps [1005, 1015]"), told


def test_value_within_false_alarms(make_rows: Make) -> None:
    rng = np.random.default_rng(10)
    edge = [run(VALUE, make_rows(3.5 + 0.1 * rng.normal(size=5))).status for _ in range(300)]
    assert edge.count("supported") <= 300 * ceiling(300)
    assert edge.count("contradicted") <= 300 * ceiling(300)
    power = [run(VALUE, make_rows(3.0 + 0.05 * rng.normal(size=5))).status for _ in range(100)]
    assert power.count("supported") >= 95


# --- ordering -----------------------------------------------------------------------------------------------


def both(make_rows: Make, a: Any, b: Any) -> list[dict[str, Any]]:
    return make_rows(a, rho=0.9, K=5) + make_rows(b, rho=1.0, K=5)


def test_ordering_supported_with_its_sentence(make_rows: Make) -> None:
    result = run(ORDERING, both(make_rows, [3.6, 3.5, 3.4, 3.7, 3.3], [0.1, 0.0, 0.1, 0.0, 0.1]))
    assert result.status == "supported"
    assert result.effect == pytest.approx(3.44)
    assert result.p == 1 / 32
    assert result.n == 5
    assert result.interval is not None
    assert result.interval[0] < 3.44 < result.interval[1]
    low, high = result.interval
    assert result.sentence == (
        f"Score at rho = 0.9 exceeds rho = 1.0 by 3.44 nats [{low:.3g}, {high:.3g}] in 5 of 5 seeds."
    )


def test_ordering_contradicted_noise_and_few_seeds(make_rows: Make) -> None:
    up, down = [3.6, 3.5, 3.4, 3.7, 3.3], [0.1, 0.0, 0.1, 0.0, 0.1]
    reversed_result = run(ORDERING, both(make_rows, down, up))
    assert reversed_result.status == "contradicted"
    assert "is below" in reversed_result.sentence
    assert run(ORDERING, both(make_rows, [1, 2, 3, 4, 5], [5, 4, 3, 2, 1])).status == "inconclusive"
    assert run(ORDERING, both(make_rows, up[:4], down[:4])).status == "inconclusive"
    assert run(ORDERING | {"margin": 3.4}, both(make_rows, up, down)).status == "inconclusive"
    assert run(ORDERING | {"margin": 9.0}, both(make_rows, up, down)).status == "contradicted"
    # One seed of five against it: the exact p is 2/32.
    assert run(ORDERING, both(make_rows, [3, 3, 3, 3, -0.1], [0] * 5)).status == "inconclusive"


def test_ordering_log_transform(make_rows: Make) -> None:
    table = both(make_rows, [2.0, 2.1, 2.2, 2.0, 1.9], [1.0] * 5)
    result = run(ORDERING | {"transform": "log", "margin": 0.5}, table)
    assert result.status == "supported"
    assert result.effect == pytest.approx(np.mean(np.log([2.0, 2.1, 2.2, 2.0, 1.9])))
    assert run(ORDERING | {"transform": "log"}, both(make_rows, [0.0] * 5, [1.0] * 5)).status == "error"


def test_ordering_pairs_by_seed_not_by_position(make_rows: Make) -> None:
    seeds = [10.0, 20.0, 30.0, 40.0, 50.0]
    better = make_rows([s + 1 for s in seeds], rho=0.9)
    worse = make_rows(seeds, rho=1.0)
    assert run(ORDERING, better + worse[::-1]).status == "supported"
    result = run(ORDERING, better + make_rows(seeds, first_seed=1001, rho=1.0))
    assert result.n == 4
    assert result.details["dropped"] == 2


def test_ordering_missing_pieces(make_rows: Make) -> None:
    table = both(make_rows, [1.0] * 5, [0.0] * 5)
    absent = run(ORDERING | {"metric": "other"}, table)
    assert absent.status == "not run"
    assert "'other'" in absent.sentence
    arm = run(ORDERING | {"less": {"rho": 0.5}}, table)
    assert arm.status == "not run"
    assert "rho = 0.5" in arm.sentence
    assert run(ORDERING, both(make_rows, [None] * 5, [0.0] * 5)).status == "error"
    assert run(ORDERING, both(make_rows, [1.0] * 5, [0.0] * 4 + [None])).n == 4
    ambiguous = run(ORDERING, table + make_rows([1.0] * 5, rho=0.9, K=20))
    assert ambiguous.status == "error"
    assert "more than one row" in ambiguous.sentence
    assert run(ORDERING, make_rows([1.0] * 5, rho=0.9) + make_rows([1.0], first_seed=5, rho=1.0)).status == "error"


@pytest.mark.parametrize("seeds", [5, 8])
def test_ordering_false_alarms_and_power(make_rows: Make, seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    # The exact level is 1/32 for 5 pairs and 12/256 for 8; without the exact p it would be about .10.
    null = [run(ORDERING, both(make_rows, *rng.normal(size=(2, seeds)))).status for _ in range(1000)]
    assert null.count("supported") / 1000 <= ceiling(1000)
    assert null.count("contradicted") / 1000 <= ceiling(1000)
    strong = [run(ORDERING, both(make_rows, 3 + rng.normal(size=seeds), rng.normal(size=seeds))) for _ in range(100)]
    assert sum(r.status == "supported" for r in strong) >= 85
    assert not any(r.status == "contradicted" for r in strong)


# --- ratio_at_least -----------------------------------------------------------------------------------------


def test_ratio(make_rows: Make) -> None:
    base = [1.0, 1.1, 0.9, 1.05, 0.95]
    assert run(RATIO, both(make_rows, [3.0, 3.2, 2.9, 3.1, 3.0], base)).status == "supported"
    assert run(RATIO, both(make_rows, [1.0, 1.2, 0.9, 1.1, 1.0], base)).status == "contradicted"
    assert run(RATIO, both(make_rows, [0.5, 4.0, 2.0, 6.0, 1.0], base)).status == "inconclusive"
    middle = RATIO | {"contradicted_below": 1.0}
    assert run(middle, both(make_rows, [1.5, 1.6, 1.4, 1.5, 1.5], base)).status == "inconclusive"
    never = RATIO | {"contradicted_below": 0}
    assert run(never, both(make_rows, [0.0] * 5, base)).status == "inconclusive"
    assert run(RATIO, both(make_rows, [3.0] * 5, [0.0] * 5)).status == "error"
    assert run(RATIO, both(make_rows, [3.0] * 4, [1.0] * 4)).status == "inconclusive"
    assert run(RATIO, both(make_rows, [2.0], [1.0]), exact=True).status == "supported"
    assert run(RATIO, both(make_rows, [1.9], [1.0]), exact=True).status == "contradicted"


def test_ratio_false_alarms_and_power(make_rows: Make) -> None:
    rng = np.random.default_rng(20)

    def table(ratio: float) -> list[dict[str, Any]]:
        base = 5 + 0.3 * rng.normal(size=5)
        # Symmetric about twice the base under the null, with noise of both arms.
        return both(make_rows, ratio * base + 0.5 * rng.normal(size=5), base)

    null = [run(RATIO, table(2.0)).status for _ in range(300)]
    assert null.count("supported") / 300 <= ceiling(300)
    assert null.count("contradicted") / 300 <= ceiling(300)
    assert [run(RATIO, table(3.0)).status for _ in range(60)].count("supported") >= 57


# --- trend --------------------------------------------------------------------------------------------------


def test_trend(make_curves: Make) -> None:
    rng = np.random.default_rng(30)
    falling = noisy(5 - 4 * GRID, rng)
    assert run(TREND, make_curves(GRID, falling, metric="score")).status == "supported"
    assert run(TREND, make_curves(GRID, falling[:, ::-1], metric="score")).status == "contradicted"
    assert run(TREND, make_curves(GRID, rng.normal(size=(5, 12)), metric="score")).status == "inconclusive"
    assert run(TREND, make_curves(GRID, falling[:4], metric="score")).status == "inconclusive"
    rising = TREND | {"direction": "increasing"}
    assert run(rising, make_curves(GRID, falling, metric="score")).status == "contradicted"
    exact = run(TREND, make_curves(GRID, falling[:1], metric="score"), exact=True)
    assert exact.status == "supported"
    assert run(TREND, make_curves(GRID[:2], falling[:, :2], metric="score")).status == "not run"


def test_trend_weaker_than_asked_is_inconclusive(make_curves: Make) -> None:
    rng = np.random.default_rng(31)
    weak = -6 * GRID + rng.normal(size=(8, 12)) * 0.6
    result = run(TREND | {"min_correlation": 0.99}, make_curves(GRID, weak, metric="score"))
    assert result.p is not None
    assert result.p <= 0.05
    assert result.status == "inconclusive"


def test_trend_false_alarms(make_curves: Make) -> None:
    rng = np.random.default_rng(32)
    spec = TREND | {"min_correlation": 0.05}
    null = [run(spec, make_curves(GRID, rng.normal(size=(5, 12)), metric="score")).status for _ in range(200)]
    assert null.count("supported") / 200 <= ceiling(200)
    assert null.count("contradicted") / 200 <= ceiling(200)


def test_trend_incomplete_seed_is_left_out(make_curves: Make) -> None:
    table = make_curves(GRID, noisy(5 - 4 * GRID, np.random.default_rng(0), seeds=6), metric="score")
    table[3]["metrics"]["score"] = None
    result = run(TREND, table)
    assert result.n == 5
    assert result.details["dropped"] == 1


# --- count --------------------------------------------------------------------------------------------------


def test_count_scales_with_the_seeds(make_rows: Make) -> None:
    assert run(COUNT, make_rows([2.0] * 5, rho=0.9)).status == "supported"
    four = run(COUNT, make_rows([2.0] * 4 + [0.0], rho=0.9))
    assert four.status == "inconclusive"  # the registered 4 of 5, but a fair coin does that in .19
    assert four.p == pytest.approx(6 / 32)
    assert run(COUNT, make_rows([2.0] * 7 + [0.0], rho=0.9)).status == "supported"
    six = run(COUNT, make_rows([2.0] * 6 + [0.0] * 2, rho=0.9))
    assert six.status == "inconclusive"
    assert six.details["wanted"] == 7
    assert run(COUNT, make_rows([0.0] * 5, rho=0.9)).status == "contradicted"
    assert run(COUNT | {"contradicted_at_most": None}, make_rows([0.0] * 5, rho=0.9)).status == "inconclusive"
    assert run(COUNT, make_rows([2.0] * 4, rho=0.9)).status == "inconclusive"
    below = {k: v for k, v in COUNT.items() if k != "above"} | {"below": 1.0}
    assert run(below, make_rows([0.5] * 5, rho=0.9)).status == "supported"


def test_count_exact_rows(make_rows: Make) -> None:
    spec = {"word": "count", "metric": "score", "where": A, "above": 0.0, "at_least": 1}
    assert run(spec, make_rows([0.3], rho=0.9), exact=True).status == "supported"
    assert run(spec, make_rows([0.0], rho=0.9), exact=True).status == "contradicted"


def test_count_false_alarms(make_rows: Make) -> None:
    rng = np.random.default_rng(40)
    for seeds in (5, 8, 10):
        null = [run(COUNT, make_rows(1 + rng.normal(size=seeds), rho=0.9)).status for _ in range(300)]
        assert null.count("supported") / 300 <= ceiling(300)
        assert null.count("contradicted") / 300 <= ceiling(300)


# --- threshold ----------------------------------------------------------------------------------------------


def test_threshold(make_curves: Make) -> None:
    rng = np.random.default_rng(50)
    found = run(THRESHOLD, make_curves(GRID, noisy(logistic(), rng)))
    assert found.status == "supported"
    assert found.effect == pytest.approx(0.92 + 0.008 * np.log(19), abs=0.012)
    assert found.p == 1 / 32
    line = run(THRESHOLD, make_curves(GRID, noisy(5 * (1 - GRID) / 0.3, rng)))
    assert line.status == "contradicted"
    assert "loses to" in line.sentence
    assert run(THRESHOLD, make_curves(GRID, noisy(np.full(12, 4.0), rng))).status == "contradicted"
    low = run(THRESHOLD, make_curves(GRID, noisy(np.full(12, 0.02), rng)))
    assert low.status == "inconclusive"
    assert "nothing to drop" in low.sentence
    assert run(THRESHOLD, make_curves(GRID, noisy(logistic(), rng, seeds=4))).status == "inconclusive"
    assert run(THRESHOLD, make_curves(GRID, np.abs(rng.normal(size=(5, 12))))).status != "supported"
    assert run(THRESHOLD, make_curves(GRID[:4], np.ones((5, 4)))).status == "not run"


def test_threshold_one_seed_that_does_not_drop(make_curves: Make) -> None:
    curves = noisy(logistic(), np.random.default_rng(51))
    curves[0] = 4.0
    assert run(THRESHOLD, make_curves(GRID, curves)).status == "inconclusive"


def test_threshold_false_alarms_and_power(make_curves: Make) -> None:
    rng = np.random.default_rng(52)
    straight = 5 * (1 - GRID) / 0.3
    null = [run(THRESHOLD, make_curves(GRID, noisy(straight, rng))).status for _ in range(25)]
    assert null.count("supported") == 0
    noise = [run(THRESHOLD, make_curves(GRID, 1 + rng.normal(size=(5, 12)))).status for _ in range(25)]
    assert noise.count("supported") == 0
    drop = [run(THRESHOLD, make_curves(GRID, noisy(logistic(), rng))).status for _ in range(15)]
    assert drop.count("supported") >= 14
    assert drop.count("contradicted") == 0


# --- same_transition ----------------------------------------------------------------------------------------


def two_sets(make_curves: Make, one: np.ndarray, two: np.ndarray) -> list[dict[str, Any]]:
    return make_curves(GRID, one, dataset="digits") + make_curves(GRID, two, dataset="patches")


def test_same_transition(make_curves: Make) -> None:
    rng = np.random.default_rng(60)
    digits = noisy(logistic(), rng)
    assert run(SAME, two_sets(make_curves, digits, noisy(logistic(), rng))).status == "supported"
    apart = run(SAME, two_sets(make_curves, digits, noisy(logistic(0.85), rng)))
    assert apart.status == "contradicted"
    assert apart.effect == pytest.approx(0.07, abs=0.012)
    flat = run(SAME, two_sets(make_curves, digits, noisy(np.full(12, 4.0), rng)))
    assert flat.status == "inconclusive"
    assert "no onset" in flat.sentence
    few = run(SAME, two_sets(make_curves, digits, noisy(logistic(), rng, seeds=4)))
    assert few.status == "inconclusive"
    scattered = np.stack([logistic(c) for c in (0.75, 0.79, 0.84, 0.9, 0.94)])
    assert run(SAME, two_sets(make_curves, scattered, scattered)).status == "inconclusive"
    other_grid = make_curves(GRID, digits, dataset="digits") + make_curves(GRID - 0.01, digits, dataset="patches")
    assert run(SAME, other_grid).status == "error"
    assert run(SAME, make_curves(GRID, digits, dataset="digits")).status == "not run"


def test_same_transition_error_rates(make_curves: Make) -> None:
    rng = np.random.default_rng(61)

    def curves(centre: float) -> np.ndarray:
        return np.concatenate([noisy(logistic(centre + 0.004 * rng.normal()), rng, seeds=1) for _ in range(5)])

    equal = [run(SAME, two_sets(make_curves, curves(0.92), curves(0.92))).status for _ in range(20)]
    assert equal.count("contradicted") == 0
    assert equal.count("supported") >= 18
    shifted = [run(SAME, two_sets(make_curves, curves(0.86), curves(0.92))).status for _ in range(20)]
    assert shifted.count("supported") == 0
    assert shifted.count("contradicted") >= 18


# --- overlap ------------------------------------------------------------------------------------------------

OVERLAP = {
    "word": "overlap",
    "metric": "top_kl",
    "along": "rho",
    "quantity": "sharpness",
    "pairs": [
        {"first": {"dataset": "digits", "width": width}, "second": {"dataset": "patches", "width": width}}
        for width in (8, 20)
    ],
}


def four_sets(make_curves: Make, scales: tuple[float, ...], rng: np.random.Generator, seeds: int = 5) -> Any:
    arms = [(dataset, width) for width in (8, 20) for dataset in ("digits", "patches")]
    rows: list[dict[str, Any]] = []
    for (dataset, width), scale in zip(arms, scales, strict=True):
        rows += make_curves(GRID, noisy(logistic(scale=scale), rng, seeds=seeds), dataset=dataset, width=width)
    return rows


def test_overlap(make_curves: Make) -> None:
    rng = np.random.default_rng(62)
    same = run(OVERLAP, four_sets(make_curves, (0.02, 0.02, 0.03, 0.03), rng))
    assert same.status == "supported"
    assert "overlapping" in same.sentence
    both_differ = four_sets(make_curves, (0.008, 0.03, 0.03, 0.008), rng)
    assert run(OVERLAP, both_differ).status == "contradicted"
    assert run(OVERLAP | {"quantity": "width"}, both_differ).status != "supported"
    one_differs = four_sets(make_curves, (0.008, 0.03, 0.02, 0.02), rng)
    assert run(OVERLAP, one_differs).status == "inconclusive"
    few = four_sets(make_curves, (0.02, 0.02, 0.03, 0.03), rng, seeds=4)
    assert run(OVERLAP, few).status == "inconclusive"
    scattered = np.stack([logistic(scale=s) for s in (0.004, 0.008, 0.02, 0.05, 0.1)])
    wide = [row for _, width in ((0, 8), (1, 20)) for name in ("digits", "patches")
            for row in make_curves(GRID, scattered, dataset=name, width=width)]  # fmt: skip
    assert run(OVERLAP, wide).status == "inconclusive"
    flat = np.full((5, 12), 0.1)
    none = [row for width in (8, 20) for name in ("digits", "patches")
            for row in make_curves(GRID, flat, dataset=name, width=width)]  # fmt: skip
    assert run(OVERLAP, none).status == "inconclusive"
    assert run(OVERLAP, both_differ[: len(both_differ) // 2]).status == "not run"


# --- selectors ----------------------------------------------------------------------------------------------


def test_selector_tolerates_rounding_of_floats_only(make_rows: Make) -> None:
    table = both(make_rows, [3.0] * 5, [0.0] * 5)
    for row in table:
        row["arm"]["rho"] += 1e-12
    assert run(ORDERING, table).n == 5
    assert run(ORDERING | {"less": {"rho": 1.0 + 1e-6}}, table).status == "not run"
    flags = make_rows([1.0] * 5, rho=0.9, smooth=True) + make_rows([0.0] * 5, rho=0.9, smooth=False)
    spec = ORDERING | {"greater": {"smooth": True}, "less": {"smooth": False}}
    assert run(spec, flags).status == "supported"
    assert run(spec | {"greater": {"smooth": 1}}, flags).status == "not run"

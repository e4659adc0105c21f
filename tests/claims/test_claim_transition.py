"""Phase transition (C12) and equal critical rho (C13) on curves whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from claims.transition import isotonic_decreasing, logistic_gain, phase_transition, same_critical_rho

FINE = np.linspace(0.7, 1.0, 31)
GRID = np.array([0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.975, 0.99, 1.0])


def logistic(rho: np.ndarray, critical: float = 0.9, scale: float = 0.01, height: float = 5.0) -> np.ndarray:
    return height / (1 + np.exp((rho - critical) / scale))


def noisy(curve: np.ndarray, seeds: int = 5, spread: float = 0.03, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return curve * (1 + spread * rng.normal(size=(seeds, len(curve)))) + 0.01 * rng.random((seeds, len(curve)))


def test_logistic_curve_gives_back_its_critical_rho() -> None:
    found = phase_transition(FINE, logistic(FINE)[None])
    assert found["asserted"] is True
    assert found["rho_half"] == pytest.approx(0.9, abs=1e-4)
    assert found["rho_on"] == pytest.approx(0.9 + 0.01 * np.log(19), abs=2e-3)
    assert found["width"] == pytest.approx(2 * 0.01 * np.log(9), abs=4e-3)
    # The steepest interval of a logistic with this scale has slope 1 / (4 scale) at most.
    assert 0.8 / 0.04 < found["sharpness"] <= 1 / 0.04
    assert found["max_drop"] == pytest.approx(5 * found["sharpness"])
    assert found["bic_gain"] > 100


def test_square_root_curve() -> None:
    curve = 4 * np.sqrt(np.maximum(0, (0.93 - FINE) / 0.23))
    found = phase_transition(FINE, curve[None])
    # The places are right.  The logistic of C12 is no good model of a square root, so that the procedure does
    # not assert a transition here: it errs on the side of not claiming one.
    assert found["asserted"] is False
    assert found["rho_half"] == pytest.approx(0.93 - 0.23 / 4, abs=1e-3)
    assert found["rho_on"] == pytest.approx(0.93, abs=5e-3)


def test_flat_low_curve_has_no_order_parameter() -> None:
    found = phase_transition(GRID, noisy(np.full(12, 0.05)))
    assert found["asserted"] is None
    assert found["rho_half"] is None
    assert found["rho_on"] is None
    assert found["end"] is None
    assert found["intervals"]["rho_on"] is None


def test_flat_high_curve_does_not_drop() -> None:
    found = phase_transition(GRID, noisy(np.full(12, 5.0)))
    assert found["asserted"] is False
    assert found["end"] > 0.9
    assert found["rho_half"] is None


def test_straight_line_is_no_transition() -> None:
    line = 5 * (1 - GRID) / 0.3
    found = phase_transition(GRID, noisy(line))
    assert found["bic_gain"] < 0
    assert found["asserted"] is False


def test_non_monotone_curve_reports_the_residual() -> None:
    curve = logistic(GRID)
    curve[3] += 1.0
    found = phase_transition(GRID, curve[None])
    assert found["isotonic_residual"] > 0.4
    assert found["isotonic"] == sorted(found["isotonic"], reverse=True)
    assert phase_transition(GRID, logistic(GRID)[None])["isotonic_residual"] == 0


def test_intervals_come_from_the_seeds_and_are_reproducible() -> None:
    curves = np.stack([logistic(GRID, critical) for critical in (0.89, 0.895, 0.9, 0.905, 0.91)])
    one, two = phase_transition(GRID, curves), phase_transition(GRID, curves)
    assert one == two
    low, high = one["intervals"]["rho_half"]
    assert low < one["rho_half"] < high
    assert 0.885 < low < high < 0.915
    assert phase_transition(GRID, curves, random_state=5)["bootstrap"] != one["bootstrap"]


def test_bic_of_line_against_logistic_by_polynomial_fit() -> None:
    rng = np.random.default_rng(0)
    y = 3 - 2 * GRID + 0.1 * rng.normal(size=12)
    residual = np.sum((y - np.polyval(np.polyfit(GRID, y, 1), GRID)) ** 2)
    assert residual > 0
    from scipy.optimize import curve_fit

    def model(x: np.ndarray, height: float, r: float, b: float) -> np.ndarray:
        return height / (1 + np.exp((x - r) / b))

    fitted, _ = curve_fit(model, GRID, y, p0=(2.0, 1.0, 0.2), maxfev=20000, bounds=([0, 0.55, 3e-4], [99, 1.15, 0.3]))
    expected = 12 * np.log(residual / np.sum((y - model(GRID, *fitted)) ** 2)) - np.log(12)
    assert logistic_gain(GRID, y) == pytest.approx(expected, abs=0.3)


def test_isotonic_against_hand_pools() -> None:
    assert isotonic_decreasing([3, 1, 2, 0]).tolist() == [3, 1.5, 1.5, 0]
    assert isotonic_decreasing([1, 2, 3]).tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("rho", "curves", "message"),
    [
        ([0.7, 0.8, 0.9], np.ones((2, 3)), "at least 5 points"),
        (GRID[::-1], np.ones((2, 12)), "increase strictly"),
        (GRID, np.ones((2, 11)), r"shape \(seeds, 12\)"),
        (GRID, np.full((2, 12), np.nan), "finite"),
    ],
)
def test_bad_input_is_named(rho: np.ndarray, curves: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        phase_transition(rho, curves)


def compare(first: np.ndarray, second: np.ndarray) -> dict[str, object]:
    return same_critical_rho(FINE, phase_transition(FINE, first), phase_transition(FINE, second, random_state=1))


def test_identical_curves_agree() -> None:
    curves = noisy(logistic(FINE))
    found = compare(curves, curves)
    assert found["agree"]
    assert found["precise"]
    assert not found["differ"]
    assert found["difference"] == 0


def test_curves_three_steps_apart_differ() -> None:
    found = compare(noisy(logistic(FINE)), noisy(logistic(FINE, critical=0.93), seed=1))
    assert not found["agree"]
    assert found["differ"]
    assert found["difference"] == pytest.approx(-0.03, abs=0.006)


def test_wide_intervals_agree_but_are_not_precise() -> None:
    spread = np.stack([logistic(FINE, c) for c in (0.8, 0.83, 0.87, 0.91, 0.94)])
    found = compare(spread, spread[::-1])
    assert found["agree"]
    assert not found["precise"]


def test_missing_onset_gives_none() -> None:
    found = compare(noisy(np.full(31, 5.0)), noisy(logistic(FINE)))
    assert found["agree"] is None
    assert found["difference"] is None


def test_step_is_the_local_one_on_an_uneven_grid() -> None:
    one = phase_transition(GRID, logistic(GRID, critical=0.945, scale=0.003)[None])
    found = same_critical_rho(GRID, one, one)
    assert found["step"] == pytest.approx(0.02)

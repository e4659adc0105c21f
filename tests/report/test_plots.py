"""Figures: every seed drawn, repeatable bytes, a dark twin."""

from __future__ import annotations

import numpy as np
import pytest

from reproductions.report import plots, style

RHO = np.linspace(0.5, 1, 6)
CURVES = np.linspace(5, 0, 6) + np.arange(3)[:, None] / 10


def test_each_seed_is_a_line_and_the_median_is_labelled() -> None:
    _, ax = style.subplots()
    plots.curves_with_seeds(ax, RHO, CURVES, "digits")
    assert len(ax.lines) == 4
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), CURVES[1])
    assert ax.lines[-1].get_label() == "digits (3 seeds)"


def test_the_band_holds_the_median() -> None:
    low, high = plots.median_band(CURVES)
    assert (low <= CURVES[1]).all()
    assert (CURVES[1] <= high).all()
    assert (low < high).all()


def test_curves_that_do_not_fit_the_grid_are_refused() -> None:
    _, ax = style.subplots()
    with pytest.raises(ValueError, match=r"curves must have shape \(seeds, 6\), got \(3, 5\)"):
        plots.curves_with_seeds(ax, RHO, CURVES[:, 1:], "digits")


def test_series_differ_in_colour_marker_and_line() -> None:
    looks = [style.look(i) for i in range(6)]
    for part in ("color", "marker", "line"):
        assert len({str(getattr(look, part)) for look in looks}) == 6


@pytest.mark.parametrize(("n_samples", "rho", "expected"), [(5, 0.8, 0.712), (1, 0.3, 1.0), (10, 0.0, 0.1)])
def test_effective_strength(n_samples: int, rho: float, expected: float) -> None:
    assert plots.effective_strength(rho, n_samples) == pytest.approx(expected)


def test_the_phase_transition_figure_is_repeatable_and_has_a_dark_twin() -> None:
    result = {"rho_half": 0.75, "sharpness": 4.0, "intervals": {"rho_half": (0.7, 0.8), "sharpness": None}}

    def draw() -> bytes:
        figure = plots.phase_transition(RHO, {"digits": CURVES, "patches": CURVES}, {"digits": result}, n_samples=5)
        return style.svg_bytes(figure)

    svg = draw()
    assert draw() == svg
    assert b"<metadata" not in svg
    dark = style.darken(svg).decode().lower()
    assert style.PAPER not in dark
    assert style.DARK[style.PAPER] in dark

"""Building blocks of the report's figures: every seed visible, the band and the median on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reproductions.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


def curves_with_seeds(
    ax: Axes,
    x: ArrayLike,
    curves: ArrayLike,
    label: str,
    *,
    index: int = 0,
    level: float = 0.95,
    resamples: int = 2000,
) -> None:
    """Draw one arm: each seed as a thin line, the median over seeds, its bootstrap band.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x : array_like, shape (grid,)
        Abscissa.
    curves : array_like, shape (seeds, grid)
        One row per seed; NaN where a point was not run.
    label : str
        Name in the legend; the number of seeds is added.
    index : int
        Which look of the style.
    level : float
        Level of the band, in (0, 1).
    resamples : int
        Bootstrap resamples over seeds; the random state is fixed.

    Raises
    ------
    ValueError
        When shapes do not fit.
    """
    grid, values = np.asarray(x, dtype=float), np.atleast_2d(np.asarray(curves, dtype=float))
    if grid.ndim != 1 or values.ndim != 2 or values.shape[1] != grid.size:
        raise ValueError(f"curves must have shape (seeds, {grid.size}), got {values.shape}")
    look = style.look(index)
    for seed in values:
        ax.plot(grid, seed, color=look.color, lw=0.7, alpha=0.45, marker=look.marker, ms=2.2, mew=0, zorder=2)
    median = np.nanmedian(values, axis=0)
    if len(values) > 1:
        low, high = median_band(values, level=level, resamples=resamples)
        ax.fill_between(grid, low, high, color=look.color, alpha=0.16, lw=0, zorder=1)
    ax.plot(
        grid,
        median,
        color=look.color,
        ls=look.line,
        marker=look.marker,
        mec=style.PAPER,
        mew=0.7,
        ms=6,
        zorder=4,
        label=f"{label} ({len(values)} seed{'s' if len(values) != 1 else ''})",
    )


def median_band(values: Array, *, level: float = 0.95, resamples: int = 2000) -> tuple[Array, Array]:
    """Return the percentile bootstrap band of the median over seeds, shapes (grid,) and (grid,)."""
    rng = np.random.default_rng(20210507)
    picks = rng.integers(0, len(values), size=(resamples, len(values)))
    medians = np.nanmedian(values[picks], axis=1)
    tail = 100 * (1 - level) / 2
    low, high = np.nanpercentile(medians, [tail, 100 - tail], axis=0)
    return low, high


def mark_interval(
    ax: Axes,
    x: float,
    lo: float | None,
    hi: float | None,
    label: str,
    *,
    index: int = 0,
    height: float = 0.5,
    side: str = "left",
) -> None:
    """Mark a position on the x-axis with its interval, and write the label beside it.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x, lo, hi : float
        Position and interval ends in data coordinates; ends may be None.
    label : str
        Text beside the mark.
    index : int
        Which look of the style.
    height : float
        Where the label stands, as a fraction of the axes' height.
    side : {"left", "right"}
        On which side of the mark.
    """
    look = style.look(index)
    if lo is not None and hi is not None:
        ax.axvspan(lo, hi, color=look.color, alpha=0.13, lw=0, zorder=0)
        ends: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "color": look.color, "zorder": 5}
        ax.plot([lo, hi], [height, height], lw=2.2, solid_capstyle="butt", marker="|", ms=9, mew=1.6, **ends)
    ax.axvline(x, color=look.color, ls=look.line, lw=1.2, zorder=3)
    gap = (-8, 0) if side == "left" else (8, 0)
    anchor = (min(x, lo) if lo is not None else x) if side == "left" else (max(x, hi) if hi is not None else x)
    ax.annotate(
        label,
        (anchor, height),
        xycoords=ax.get_xaxis_transform(),
        xytext=gap,
        textcoords="offset points",
        ha="right" if side == "left" else "left",
        va="center",
        fontsize=9,
        color=style.INK,
        bbox={"boxstyle": "round,pad=0.25", "fc": style.PAPER, "ec": look.color, "lw": 0.7, "alpha": 0.93},
        zorder=6,
    )


def effective_strength(rho: ArrayLike, n_samples: int | float) -> Array:
    """Return r = rho^2 + (1 - rho^2) / K, by which K averaged samples scale the variance of a linear function."""
    square = np.asarray(rho, dtype=float) ** 2
    return square + (1 - square) / n_samples


def strength_axis(ax: Axes, n_samples: int | float) -> None:
    """Add the effective strength r as a second axis on top of an axis in rho."""
    floor = 1 / n_samples

    def forward(rho: ArrayLike) -> Array:
        return effective_strength(rho, n_samples)

    def inverse(strength: ArrayLike) -> Array:
        inside = (np.asarray(strength, dtype=float) - floor) / (1 - floor)
        return np.sqrt(np.clip(inside, 0, None))

    low, high = ax.get_xlim()
    top = ax.twiny()
    top.grid(False)
    top.spines["top"].set_visible(True)
    ticks = np.array([t for t in ax.get_xticks() if max(low, 0.0) <= t <= min(high, 1.0)])
    if len(ticks) < 2:
        ticks = inverse(np.linspace(float(forward(max(low, 0.0))), float(forward(min(high, 1.0))), 5))
    top.set_xlim(low, high)
    top.set_xticks(ticks, [f"{v:.3g}" for v in forward(ticks)])
    top.set_xlabel(rf"effective strength $r=\rho^2+(1-\rho^2)/K$,  $K={n_samples:g}$")


def phase_transition(
    rho: ArrayLike,
    curves: Mapping[str, ArrayLike],
    transitions: Mapping[str, Mapping[str, Any] | None] | None = None,
    *,
    n_samples: int | float,
    ylabel: str = "KL of the top layer (nats)",
    title: str = "",
) -> Figure:
    """Draw the top-layer KL against rho: one arm per dataset, half height and sharpness marked.

    Parameters
    ----------
    rho : array_like, shape (grid,)
        Smoothing parameter.
    curves : mapping of name to array_like, shape (seeds, grid)
        One entry per dataset.
    transitions : mapping of name to mapping, optional
        Per dataset the result of the pre-registered procedure (`claims.transition.phase_transition`): the
        numbers ``rho_half`` and ``sharpness`` and their ``intervals``.
    n_samples : int
        K, the number of correlated samples, for the second axis.
    ylabel, title : str
        Labels.

    Returns
    -------
    Figure
        Not shown, not saved.
    """
    grid = np.asarray(rho, dtype=float)
    with style.applied():
        figure, ax = style.subplots()
        for index, (name, values) in enumerate(curves.items()):
            curves_with_seeds(ax, grid, values, name, index=index)
        ax.set_xlabel(r"correlation $\rho$ of the smoothing samples (1 = the ordinary VAE)")
        ax.set_ylabel(ylabel)
        ax.set_ylim(bottom=0)
        ax.margins(x=0.02)
        for index, name in enumerate(curves):
            result = (transitions or {}).get(name)
            if result:
                _mark_transition(ax, name, result, index)
        if title:
            ax.set_title(title)
        ax.legend(loc="upper right")
        strength_axis(ax, n_samples)
    return figure


def _mark_transition(ax: Axes, name: str, result: Mapping[str, Any], index: int) -> None:
    half, low, high = _with_interval(result, "rho_half")
    if half is None:
        return
    sharpness, s_low, s_high = _with_interval(result, "sharpness")
    text = rf"{name}: $\rho_{{1/2}}$ = {half:.3f}" + _span(low, high)
    if sharpness is not None:
        text += f"\nsharpness {sharpness:.1f}" + _span(s_low, s_high, digits=1)
    mark_interval(ax, half, low, high, text, index=index, height=0.4 - 0.2 * index)


def _with_interval(result: Mapping[str, Any], name: str) -> tuple[float | None, float | None, float | None]:
    value = result.get(name)
    interval: Sequence[float] | None = (result.get("intervals") or {}).get(name)
    low, high = (float(interval[0]), float(interval[1])) if interval is not None else (None, None)
    return (None if value is None else float(value)), low, high


def _span(low: float | None, high: float | None, *, digits: int = 3) -> str:
    return "" if low is None or high is None else f" [{low:.{digits}f}, {high:.{digits}f}]"

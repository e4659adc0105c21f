"""Figures of the Hermite VAE over shapes of the model, data and lengths of training, drawn from result tables alone.

A figure that a table does not suffice for, as after a run that ran out of budget, is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reproductions.hvae._figures import Curves, Table, curves, values_of
from reproductions.report import plots

SMOOTHED = 0.9


def transition_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the curves of all shapes, and place and sharpness of each seed's drop against width and depth."""
    points = [row for row in table if "rho" in row["arm"]]
    wholes = [row for row in table if "units" in row["arm"]]
    if len(values_of(points, "rho")) < 3 or not wholes:
        return {"shapes": None, "drops": None}
    figure, axes = style.subplots(1, 3, figsize=(9.6, 3.8), sharey=True)
    panels: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("width, three layers", "width", {"depth": 3, "dataset": "digits"}),
        ("depth, 8 units", "depth", {"width": 8, "dataset": "digits"}),
        ("data, three layers", "dataset", {"depth": 3}),
    )
    for ax, (title, field, fixed) in zip(axes, panels, strict=True):
        _shape_panel(ax, points, title, field, fixed)
    axes[0].set_ylabel("top KL over its value at the lowest rho")
    return {"shapes": figure, "drops": _drops(wholes, style)}


def _shape_panel(ax: Any, points: Table, title: str, field: str, fixed: Mapping[str, Any]) -> None:
    """Curves over rho of every value of one field, each divided by its start."""
    rows = [row for row in points if all(row["arm"][name] == value for name, value in fixed.items())]
    arms: list[dict[str, Any]] = [{field: value} for value in values_of(rows, field)]
    if field == "dataset":
        arms = [{field: name, "width": width} for width in _shared_widths(rows) for name in values_of(rows, field)]
    for index, arm in enumerate(arms):
        grid, found = curves(rows, "top_kl", **arm)
        name = ", ".join(f"{value} units" if key == "width" else f"{value}" for key, value in arm.items())
        plots.curves_with_seeds(ax, grid, found / found[:, :1], name, index=index)
    ax.set(title=title, xlabel=r"$\rho$")
    ax.set_ylim(bottom=0)
    if arms:
        ax.legend(fontsize=7.5)


def _shared_widths(rows: Table) -> list[int]:
    """Widths that were run on more than one data set."""
    return [
        width
        for width in values_of(rows, "width")
        if len({row["arm"]["dataset"] for row in rows if row["arm"]["width"] == width}) > 1
    ]


def _drops(wholes: Table, style: Any) -> Any:
    """Onset of collapse, steepest drop in nats and sharpness against width (left) and depth (right)."""
    labels = {
        "rho_on": r"onset of collapse $\rho_{on}$",
        "max_drop": r"steepest drop (nats per unit of $\rho$)",
        "sharpness": r"sharpness (1 per unit of $\rho$)",
    }
    figure, axes = style.subplots(2, 3, figsize=(9.6, 6))
    sides = (("units", "layers", 3, "units per layer (three layers)"), ("layers", "units", 8, "layers (8 units)"))
    for row_of_axes, (field, other, fixed, xlabel) in zip(axes, sides, strict=True):
        for ax, (metric, label) in zip(row_of_axes, labels.items(), strict=True):
            for index, dataset in enumerate(values_of(wholes, "dataset")):
                rows = [r for r in wholes if r["arm"][other] == fixed and r["arm"]["dataset"] == dataset]
                _dots(ax, rows, field, metric, style.look(index), dataset)
            ax.set(xlabel=xlabel, ylabel=label)
            _ticks(ax, values_of([r for r in wholes if r["arm"][other] == fixed], field))
    axes[0, 0].legend()
    return figure


def _dots(ax: Any, rows: Table, field: str, metric: str, look: Any, label: str) -> None:
    """One dot per seed, and the median over seeds as a line; a seed without a drop inside of the grid has none."""
    values = values_of(rows, field)
    known = [[r["metrics"][metric] for r in rows if r["arm"][field] == value] for value in values]
    known = [[y for y in column if y is not None] for column in known]
    for value, column in zip(values, known, strict=True):
        ax.plot([value] * len(column), column, look.marker, color=look.color, alpha=0.5)
    medians = [np.median(column) if column else np.nan for column in known]
    ax.plot(values, medians, color=look.color, linestyle=look.line, label=label)


def _ticks(ax: Any, values: Sequence[float]) -> None:
    """Logarithmic axis with exactly these ticks."""
    ax.set_xscale("log")
    ax.set_xticks(values, [f"{value:g}" for value in values])
    ax.set_xticks([], minor=True)


def length_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the curve of top KL at every length of training, and where it drops."""
    points = [row for row in table if "steps" in row["arm"]]
    wholes = [row for row in table if "length" in row["arm"]]
    if len(values_of(points, "rho")) < 3 or not wholes:
        return {"training_length": None}
    figure, (left, right) = style.subplots(1, 2, figsize=(10, 4.2))
    for index, steps in enumerate(values_of(points, "steps")):
        grid, found = curves(points, "top_kl", steps=steps)
        plots.curves_with_seeds(left, grid, found, f"{steps} steps", index=index)
    left.set(xlabel=r"$\rho$", ylabel="KL of the top layer (nats)")
    left.set_ylim(bottom=0)
    left.legend()
    for index, (metric, label) in enumerate((("rho_half", "half of it gone"), ("rho_on", "onset of collapse"))):
        _dots(right, wholes, "length", metric, style.look(index), label)
    _ticks(right, values_of(wholes, "length"))
    right.set(xlabel="optimiser steps", ylabel=r"$\rho$ of the drop")
    right.legend()
    return {"training_length": figure}


def grid_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the twin of Figure 3, inactive units over depth and width, and the gain of the bound."""
    cells = [row for row in table if "width" in row["arm"] and "depth" in row["arm"]]
    if len(values_of(cells, "width")) < 2 or len(values_of(cells, "depth")) < 2:
        return {"figure_3": None}
    figure, axes = style.subplots(1, 3, figsize=(9.6, 3.4))
    panels = (
        (1.0, "inactive_fraction", r"VAE ($\rho=1$): inactive units", "Blues", (0, 1)),
        (SMOOTHED, "inactive_fraction", rf"$\rho={SMOOTHED:g}$: inactive units", "Blues", (0, 1)),
        (SMOOTHED, "bound_gain", rf"$L_{{100}}$ at $\rho={SMOOTHED:g}$ less at 1 (nats)", "PuOr", None),
    )
    for ax, (rho, metric, title, colours, limits) in zip(axes, panels, strict=True):
        _cells(ax, [row for row in cells if row["arm"]["rho"] == rho], metric, colours, limits)
        ax.set_title(title, fontsize=9.5)
    return {"figure_3": figure}


def _cells(ax: Any, rows: Table, metric: str, colours: str, limits: tuple[float, float] | None) -> None:
    """Median over seeds in every cell, as colour and as number."""
    widths, depths = values_of(rows, "width"), values_of(rows, "depth")
    grid: Curves = np.full((len(depths), len(widths)), np.nan)
    for i, depth in enumerate(depths):
        for j, width in enumerate(widths):
            known = [r["metrics"][metric] for r in rows if (r["arm"]["depth"], r["arm"]["width"]) == (depth, width)]
            grid[i, j] = np.median(known) if known else np.nan
    largest = float(np.nanmax(np.abs(grid))) or 1.0
    low, high = limits or (-largest, largest)
    ax.imshow(grid, cmap=colours, vmin=low, vmax=high, aspect="auto", origin="lower")
    for (i, j), value in np.ndenumerate(grid):
        dark = abs(value) > 0.6 * high
        # Adding zero takes the sign off a rounded zero.
        ax.text(
            j,
            i,
            f"{round(value, 2) + 0.0:.2f}",
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if dark else "black",
        )
    ax.grid(False)
    ax.set_xticks(range(len(widths)), [f"{width:g}" for width in widths])
    ax.set_yticks(range(len(depths)), [f"{depth:g}" for depth in depths])
    ax.set(xlabel="units per layer", ylabel="stochastic layers")

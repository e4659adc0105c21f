"""Figures of the Hermite VAE's sweeps, drawn from result tables alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from claims.transition import phase_transition
from reproductions.hvae._sweep import TRACE_EVERY
from reproductions.report import plots

Table = Sequence[Mapping[str, Any]]
Curves = NDArray[np.float64]

THIN = 4


def phase_transition_figures(table: Table, style: Any, *, samples: int, pivot: float) -> dict[str, Any]:
    """Return the twin of Figure 1, the controls, and the use that the decoder makes of the top layer.

    A figure that the table does not suffice for, as after a run that ran out of budget, is None.
    """
    datasets = values_of(table, "dataset")
    grids = {name: curves(table, "top_kl", dataset=name, K=samples) for name in datasets}
    drawn: dict[str, Any] = dict.fromkeys(("figure_1", "top_use", "controls"))
    full = {name: found for name, found in grids.items() if len(found[0]) > 3}
    if full:
        grid = next(iter(full.values()))[0]
        found_curves = {name: found[1] for name, found in full.items()}
        transitions = {name: phase_transition(grid, values) for name, values in found_curves.items()}
        drawn["figure_1"] = plots.phase_transition(grid, found_curves, transitions, n_samples=samples)
        drawn["top_use"] = _top_use(table, style, datasets, samples)
    if len(values_of(table, "K")) > 2:
        drawn["controls"] = _controls(table, style, samples, pivot)
    return drawn


def collapse_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the twin of Figure 2: top KL over training, and the gain of the bound against the ordinary VAE."""
    if len(values_of(table, "rho")) < 3 or 1.0 not in values_of(table, "rho"):
        return {"figure_2": None}
    figure, (left, right) = style.subplots(1, 2, figsize=(10, 4.2))
    for index, rho in enumerate(sorted(values_of(table, "rho"), reverse=True)):
        series = np.array([row["series"]["top_kl"] for row in table if row["arm"]["rho"] == rho], dtype=float)
        steps = TRACE_EVERY * np.arange(1, series.shape[1] + 1)
        plots.curves_with_seeds(left, steps[::THIN], series[:, ::THIN], rf"$\rho={rho:g}$", index=index)
    left.set(xlabel="optimiser step", ylabel="KL of the top layer (nats, training batch)", yscale="log")
    left.legend()
    _gains(right, table, style)
    return {"figure_2": figure}


def _gains(ax: Any, table: Table, style: Any) -> None:
    """Paired differences of the importance-weighted bound against rho = 1, one dot per seed."""
    bounds = {(row["arm"]["rho"], row["seed"]): row["metrics"]["iw_bound_k100"] for row in table}
    rhos = sorted({rho for rho, _ in bounds if rho != 1})
    seeds = sorted({seed for _, seed in bounds})
    for index, rho in enumerate(rhos):
        gains = np.array([bounds[rho, seed] - bounds[1.0, seed] for seed in seeds if (1.0, seed) in bounds])
        # The looks of the left panel, where rho = 1 comes first and the smallest rho last.
        look = style.look(len(rhos) - index)
        ax.plot(index + np.linspace(-0.12, 0.12, len(gains)), gains, look.marker, color=look.color, alpha=0.5)
        ax.plot([index - 0.25, index + 0.25], [gains.mean()] * 2, color=look.color, linewidth=3)
    ax.axhline(0, color="0.4", linewidth=1)
    ax.set_xticks(range(len(rhos)), [f"{rho:g}" for rho in rhos])
    ax.set(xlabel=r"$\rho$", ylabel=r"gain of $L_{100}$ against $\rho=1$ (nats per image)")


def _top_use(table: Table, style: Any, datasets: Iterable[str], samples: int) -> Any:
    """Top-down gap and information about the image, against rho: an active top layer need not be a useful one."""
    figure, axes = style.subplots(1, 2, figsize=(10, 4.2))
    labels = {
        "top_down_gap": "cost of another image's top latent (nats)",
        "information_top": "information of the top latent\nabout the image (nats)",
    }
    for ax, (metric, label) in zip(axes, labels.items(), strict=True):
        for index, name in enumerate(datasets):
            grid, found = curves(table, metric, dataset=name, K=samples)
            plots.curves_with_seeds(ax, grid, found, name, index=index)
        ax.set(xlabel=r"$\rho$", ylabel=label)
        ax.axhline(0, color="0.4", linewidth=1)
        ax.legend()
    return figure


def _controls(table: Table, style: Any, samples: int, pivot: float) -> Any:
    """Top KL against the strength r: arms of any K with equal r should agree, and K = 1 (r = 1) should collapse."""
    figure, ax = style.subplots(figsize=(7, 4.4))
    for index, count in enumerate(sorted(values_of(table, "K"))):
        rows = [row for row in table if row["arm"]["K"] == count and row["arm"]["dataset"] == "digits"]
        strength = np.array([row["metrics"]["strength"] for row in rows])
        top_kl = np.array([row["metrics"]["top_kl"] for row in rows])
        look = style.look(index)
        ax.plot(strength, top_kl, look.marker, color=look.color, alpha=0.7, label=f"$K={count}$")
    ax.axvline(pivot**2 + (1 - pivot**2) / samples, color="0.5", linewidth=1, linestyle=":")
    ax.set(xlabel=r"strength $r=\rho^2+(1-\rho^2)/K$", ylabel="KL of the top layer (nats)")
    ax.set_ylim(bottom=0)
    ax.legend(title="correlated samples")
    return figure


def curves(table: Table, metric: str, **arm: Any) -> tuple[Curves, Curves]:
    """Grid of rho and one curve per seed (seeds, grid) of the rows of an arm; seeds with gaps are left out."""
    rows = [row for row in table if all(row["arm"][key] == value for key, value in arm.items())]
    grid = sorted({row["arm"]["rho"] for row in rows})
    by_seed: dict[int, dict[float, float]] = {}
    for row in rows:
        by_seed.setdefault(row["seed"], {})[row["arm"]["rho"]] = row["metrics"][metric]
    whole = [curve for _, curve in sorted(by_seed.items()) if len(curve) == len(grid)]
    return np.array(grid), np.array([[curve[rho] for rho in grid] for curve in whole], dtype=float)


def values_of(table: Table, field: str) -> list[Any]:
    """Distinct values of an arm's field, sorted."""
    return sorted({row["arm"][field] for row in table})

"""Figures that compare named arms of the Hermite VAE, drawn from result tables alone.

A figure that a table does not suffice for, as after a run that ran out of budget, is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reproductions.hvae._figures import Table, curves, values_of
from reproductions.hvae._sweep import IMPORTANCE_SAMPLES
from reproductions.report import plots

BOUND = f"iw_bound_k{IMPORTANCE_SAMPLES}"
METHODS = {
    "vae": "VAE",
    "annealing": "KL annealing",
    "free_bits_0.5": "free bits 0.5",
    "free_bits_1": "free bits 1",
    "free_bits_2": "free bits 2",
    "free_bits_3": "free bits 3",
    "importance_weighted": "IWAE, 5 samples",
    "hermite_0.95": r"Hermite, $\rho=0.95$",
    "hermite_0.95_annealing": r"Hermite, $\rho=0.95$, annealing",
    "hermite_0.9": r"Hermite, $\rho=0.9$",
    "hermite_0.85": r"Hermite, $\rho=0.85$",
}


def baseline_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the top layer's KL, activity and use, and the bound, of every method: a lane of dots for each."""
    found = [name for name in METHODS if name in values_of(table, "method")] if table else []
    if len(found) < 3:
        return {"baselines": None}
    labels = {
        "top_kl": "KL of the top layer (nats)",
        "active_fraction_top": "active share of the top layer",
        "top_down_gap": "cost of another image's\ntop latent (nats)",
        "information_top": "information of the top\nabout the image (nats)",
        BOUND: "$L_{100}$ (nats per image)",
    }
    figure, axes = style.subplots(2, 3, figsize=(9.6, 9), sharey=True)
    *panels, spare = axes.flat
    spare.set_axis_off()
    for ax, (metric, label) in zip(panels, labels.items(), strict=True):
        for index, shape in enumerate(values_of(table, "shape")):
            rows = [row for row in table if row["arm"]["shape"] == shape]
            for place, name in enumerate(found):
                values = [row["metrics"][metric] for row in rows if row["arm"]["method"] == name]
                _lane(ax, values, len(found) - place + 0.16 * (1 - 2 * index), style.look(index), shape, not place)
        ax.set_xlabel(label)
    panels[0].set_yticks(range(len(found), 0, -1), [METHODS[name] for name in found])
    spare.legend(*panels[0].get_legend_handles_labels(), loc="center", title="shape; bars are medians")
    return {"baselines": figure}


def _lane(ax: Any, values: Sequence[float], height: float, look: Any, label: str, named: bool) -> None:
    """Seeds as dots along a horizontal lane, their median as a bar across it."""
    ax.plot(values, [height] * len(values), look.marker, color=look.color, alpha=0.5, label=label if named else None)
    if len(values):
        ax.plot([np.median(values)] * 2, [height - 0.15, height + 0.15], color=look.color, linewidth=2.5)


def variant_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the differences of the two variants from the default smoothing."""
    if set(values_of(table, "variant") if table else ()) != {"default", "ratio", "posterior"}:
        return {"variants": None}
    labels = {"ratio": "ratio smoothed", "posterior": "posterior smoothed too"}
    return {"variants": _differences(table, style, "variant", labels, "default", "the default")}


def depth_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the difference of the bound between five layers and four."""
    if values_of(table, "depth") != [4, 5]:
        return {"five_layers": None}
    return {"five_layers": _differences(table, style, "depth", {5: "five layers"}, 4, "four")}


def _differences(table: Table, style: Any, field: str, labels: Mapping[Any, str], base: Any, base_name: str) -> Any:
    """Paired differences of the bound and of the top KL from one arm: a dot per seed, the mean as a bar."""
    figure, axes = style.subplots(1, 2, figsize=(9, 1.6 + 0.9 * len(labels)), sharey=True)
    metrics = {BOUND: "$L_{100}$", "top_kl": "top KL"}
    for ax, (metric, name) in zip(axes, metrics.items(), strict=True):
        by_arm = {(row["arm"][field], row["seed"]): row["metrics"][metric] for row in table}
        for index, value in enumerate(labels):
            gaps = [
                y - by_arm[base, seed] for (arm, seed), y in by_arm.items() if arm == value and (base, seed) in by_arm
            ]
            look = style.look(index)
            ax.plot(gaps, index + np.linspace(-0.2, 0.2, len(gaps)), look.marker, color=look.color, alpha=0.5)
            if gaps:
                ax.plot([np.mean(gaps)] * 2, [index - 0.3, index + 0.3], color=look.color, linewidth=3)
        ax.axvline(0, color="0.4", linewidth=1)
        ax.set(xlabel=f"{name} less that of {base_name} (nats)", ylim=(-0.6, len(labels) - 0.4))
    axes[0].set_yticks(range(len(labels)), list(labels.values()))
    return figure


def gradient_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the variance of the gradient relative to rho = 1, for each network."""
    if len(values_of(table, "rho") if table else ()) < 3:
        return {"gradient_variance": None}
    labels = {"gradient_variance_top": "uppermost network", "gradient_variance_bottom": "$p(z_1|z_2)$"}
    figure, ax = style.subplots(figsize=(7, 4.4))
    for index, (metric, label) in enumerate(labels.items()):
        grid, found = curves(table, metric)
        plots.curves_with_seeds(ax, grid, found / found[:, -1:], label, index=index)
    ax.axhline(1, color="0.4", linewidth=1)
    ax.set(xlabel=r"$\rho$ of the gradient, at the parameters of $\rho=1$", ylabel=r"variance over that at $\rho=1$")
    ax.legend()
    return {"gradient_variance": figure}


def free_bits_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the bound over training for every free-bits value, and the largest jump of each run's loss."""
    from reproductions.hvae.free_bits import MEASURE_EVERY, SLOWNESS, SPIKE

    runs = [row for row in table if "free_bits" in row["arm"]]
    slow = [row for row in runs if row["arm"]["experiment"] == SLOWNESS]
    jumps = [row for row in runs if row["arm"]["experiment"] != SLOWNESS]
    if len(values_of(slow, "free_bits")) < 3:
        return {"free_bits": None}
    figure, axes = style.subplots(1, 2 if jumps else 1, figsize=(10 if jumps else 6, 4.2), squeeze=False)
    left = axes[0, 0]
    for index, floor in enumerate(values_of(slow, "free_bits")):
        series = np.array([r["series"]["elbo"] for r in slow if r["arm"]["free_bits"] == floor], dtype=float)
        steps = MEASURE_EVERY * np.arange(1, series.shape[1] + 1)
        label = f"{floor:g} nats per layer" if floor else "plain VAE"
        plots.curves_with_seeds(left, steps[3::4], series[:, 3::4], label, index=index)
    final = np.median([r["series"]["elbo"][-1] for r in slow])
    left.set(xlabel="optimiser step", ylabel="$L_1$ on held-out images (nats)", ylim=(final - 6, final + 4))
    left.legend(fontsize=8, loc="upper left", ncols=2)
    if jumps:
        _jumps(axes[0, 1], jumps, style, SPIKE)
    return {"free_bits": figure}


def _jumps(ax: Any, rows: Table, style: Any, limit: float) -> None:
    """Largest jump of each run's loss, stable and unstable runs told apart."""
    for index, name in enumerate(("stable", "unstable")):
        found = [row for row in rows if row["metrics"]["unstable"] == index]
        look = style.look(index)
        places, heights = ([r["arm"]["free_bits"] for r in found], [r["metrics"]["largest_jump"] for r in found])
        ax.plot(places, heights, look.marker, color=look.color, alpha=0.6, label=f"{name} ({len(found)} runs)")
    ax.axhline(limit, color="0.4", linewidth=1, linestyle="--")
    ax.legend(fontsize=8)
    ax.set(xlabel="free bits (nats per layer)", ylabel="largest jump of the loss (standard deviations)", ylim=(0, None))


def mechanism_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the trained top KL over the closed form, and the gain of leaving the collapsed point over its profile."""
    if len(values_of(table, "rho") if table else ()) < 3:
        return {"mechanism": None}
    samples = max(values_of(table, "K"))
    smoothed = [row for row in table if row["arm"]["K"] == samples]
    figure, (left, right) = style.subplots(1, 2, figsize=(10.5, 4.4))
    for index, steps in enumerate(values_of(smoothed, "steps")):
        grid, found = curves(smoothed, "top_kl", steps=steps)
        plots.curves_with_seeds(left, grid, found, f"trained, {steps} steps", index=index)
        _, exact = curves(smoothed, "top_kl_exact", steps=steps)
        left.plot(grid, exact[0], color="0.2", linewidth=1, linestyle=":", label=None if index else "closed form")
    last = max(values_of(table, "steps"))
    control = [row for row in table if row["arm"]["K"] == 1 and row["arm"]["steps"] == last]
    if control:
        grid, found = curves(control, "top_kl")
        plots.curves_with_seeds(left, grid, found, f"trained, $K=1$, {last} steps", index=3)
    left.set(xlabel=r"$\rho$", ylabel=r"KL of $q(z_2|z_1)$ (nats)", ylim=(-0.05, 2.0))
    left.legend(fontsize=8, loc="upper left", ncols=2)
    final = [row["metrics"] for row in smoothed if row["arm"]["steps"] == last]
    look = style.look(0)
    profile, gain = ([metrics[name] for metrics in final] for name in ("gain_profile", "gain"))
    right.plot(profile, gain, look.marker, color=look.color, alpha=0.5)
    right.axline((0, 0), slope=1, color="0.4", linewidth=1)
    right.set(
        xlabel="closed-form gain of its posterior (nats)",
        ylabel="gain of the trained model (nats)",
    )
    return {"mechanism": figure}


def colour_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return bits per dimension of every model, one dot per seed, models of one seed joined."""
    names = {(2, False): "2 layers", (3, False): "3 layers", (3, True): "3 layers,\nskips", (4, False): "4 layers"}
    found = {((row["arm"]["depth"], row["arm"]["skips"]), row["seed"]): row["metrics"]["bits_per_dim"] for row in table}
    if {arm for arm, _ in found} != set(names):
        return {"colour_patches": None}
    figure, ax = style.subplots(figsize=(7, 4.2))
    look = style.look(0)
    for seed in sorted({seed for _, seed in found}):
        values = [found.get((arm, seed), np.nan) for arm in names]
        ax.plot(range(len(names)), values, look.marker, color=look.color, alpha=0.5, linestyle=":", linewidth=0.8)
    medians = [np.median([value for (arm, _), value in found.items() if arm == wanted]) for wanted in names]
    for place, median in enumerate(medians):
        ax.plot([place - 0.2, place + 0.2], [median] * 2, color=look.color, linewidth=3)
    ax.set_xticks(range(len(names)), list(names.values()))
    ax.set(ylabel="$-L_1$ on held-out patches (bits per dimension)")
    return {"colour_patches": figure}

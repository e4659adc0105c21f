"""Figures of the decoders' reproductions, drawn from result tables alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

from reproductions.report import plots
from reproductions.sigma_vae._runs import SHOWN, TRACE_EVERY

Table = Sequence[Mapping[str, Any]]
SHAPES = {"digits16": (1, 8, 8), "huedigits": (3, 8, 8), "photo8": (3, 8, 8), "frey28": (1, 28, 28)}
LABELS = {
    "gaussian": "unit Gaussian",
    "shared": "shared $\\sigma$",
    "optimal": "optimal $\\sigma$",
    "per_image": "per-image $\\sigma$",
    "mean_mse": "averaged error",
    "disc_gaussian": "discretised Gaussian",
    "disc_logistic": "discretised logistic",
    "sigma": "Gaussian, learned $\\sigma$",
    "mixture_autoregressive": "autoregressive mixture",
    "eight_samples": "eight samples",
    "running_0.9": "running, 0.9",
    "running_0.99": "running, 0.99",
    "greedy": "per image, greedy",
    "penalised": "per image, with penalty",
}
DISTANCE = "Frechet distance of decoder means"


def label(arm: str) -> str:
    """How an arm is called in figures and tables."""
    return LABELS.get(arm, arm.replace("beta_", "$\\beta$ = ").replace("_", " "))


def rows_of(table: Table, **fields: Any) -> list[Mapping[str, Any]]:
    """Rows whose arm has the given fields, by seed."""
    found = [row for row in table if all(row["arm"].get(name) == value for name, value in fields.items())]
    return sorted(found, key=lambda row: row["seed"])


def values(table: Table, metric: str, **fields: Any) -> NDArray[np.float64]:
    """A metric of the rows of an arm, one per seed; rows without it are left out."""
    found = [row["metrics"].get(metric) for row in rows_of(table, **fields)]
    return np.array([value for value in found if value is not None], dtype=float)


def decoder_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the twin of Figure 9, bounds and distances of all decoders, samples and reconstructions on digits."""
    own = rows_of(table, dataset="digits16")
    drawn: dict[str, Any] = dict.fromkeys(("figure_9", "decoders", "samples", "reconstructions"))
    trained = [row for row in own if row.get("series")]
    if not trained:
        return drawn
    drawn["figure_9"] = _trajectories(own, style, {"shared": "late", "optimal": "late"}, constants=(1.0, 0.01))
    arms = [name for name in dict.fromkeys(row["arm"]["arm"] for row in trained) if name != "mean_mse"]
    figure, (left, right) = style.subplots(1, 2, figsize=(11, 4.6))
    _dots(left, style, {label(n): values(own, "fd_mean", arm=n, stage="common") for n in arms})
    left.set(xlabel=DISTANCE)
    _dots(right, style, {label(n): values(own, "mass_nelbo", arm=n, stage="common") for n in arms})
    right.set(xlabel="bound on the mass of the levels (nats per image)")
    for ax in (left, right):
        _log_axis(ax)
    drawn["decoders"] = figure
    return drawn | _pictures(trained, style, "digits16")


def _log_axis(ax: Any) -> None:
    """Make x logarithmic, with 1, 2 and 5 times the powers of ten written out: more labels would overlap."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def _trajectories(table: Table, style: Any, stages: Mapping[str, str], constants: Iterable[float]) -> Any:
    """Log sigma and bound of the training batches against the step; a beta is a constant line."""
    figure, (left, right) = style.subplots(1, 2, figsize=(10, 4.2))
    for index, (name, stage) in enumerate(stages.items()):
        rows = [row for row in rows_of(table, arm=name, stage=stage) if row.get("series")]
        for ax, key in ((left, "log_sigma"), (right, "nelbo")):
            curves = _stacked([row["series"][key] for row in rows])
            if curves.size:
                steps = TRACE_EVERY * np.arange(1, curves.shape[1] + 1)
                thin = max(1, curves.shape[1] // 40)
                plots.curves_with_seeds(ax, steps[::thin], curves[:, ::thin], label(name), index=index)
    for index, beta in enumerate(constants, start=len(stages)):
        look = style.look(index)
        left.axhline(0.5 * np.log(beta), color=look.color, linestyle=look.line, label=rf"$\beta={beta:g}$")
    left.set(xlabel="optimiser step", ylabel=r"$\ln\sigma$")
    right.set(xlabel="optimiser step", ylabel="bound (nats per image, training batch)")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _stacked(series: Sequence[Sequence[float | None]]) -> NDArray[np.float64]:
    """Curves (seeds, points), cut to the shortest."""
    length = min((len(one) for one in series), default=0)
    return np.array([one[:length] for one in series], dtype=float) if length else np.empty((0, 0))


def _dots(ax: Any, style: Any, groups: Mapping[str, NDArray[np.float64]]) -> None:
    """One line of dots per group, one dot per seed, the mean as a bar; groups without values are left out."""
    shown = {name: found for name, found in groups.items() if len(found)}
    for index, found in enumerate(shown.values()):
        look = style.look(index)
        ax.plot(found, index + np.linspace(-0.15, 0.15, len(found)), look.marker, color=look.color, alpha=0.6)
        ax.plot([found.mean()] * 2, [index - 0.3, index + 0.3], color=look.color, linewidth=3)
    ax.set_yticks(range(len(shown)), list(shown))
    ax.invert_yaxis()


def _pictures(rows: Table, style: Any, dataset: str) -> dict[str, Any]:
    """Samples of every arm, and test images above their reconstructions; None where no unit kept images."""
    kept = [row for row in rows if "samples" in row.get("series", {})]
    if not kept:
        return {"samples": None, "reconstructions": None}
    samples = {label(row["arm"]["arm"]): row["series"]["samples"] for row in kept}
    originals = {"test images": kept[0]["series"]["originals"]}
    reconstructions = {label(row["arm"]["arm"]): row["series"]["reconstructions"] for row in kept}
    return {
        "samples": _grid(samples, style, dataset),
        "reconstructions": _grid(originals | reconstructions, style, dataset),
    }


def _grid(pictures: Mapping[str, Sequence[int]], style: Any, dataset: str) -> Any:
    """One row of images for each name."""
    channels, height, width = SHAPES[dataset]
    figure, axes = style.subplots(len(pictures), 1, figsize=(7.2, 0.75 * len(pictures)), squeeze=False)
    for ax, (name, flat) in zip(axes[:, 0], pictures.items(), strict=True):
        images = np.array(flat, dtype=float).reshape(SHOWN, channels, height, width) / 255
        strip = np.concatenate([np.pad(image, ((0, 0), (0, 0), (0, 1)), constant_values=1) for image in images], 2)
        ax.imshow(strip.transpose(1, 2, 0).squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def beta_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return distance and bound against beta, with the optimal sigma's level and its variance."""
    rows = [row for row in table if "beta" in row["arm"] and "annealed" not in row["arm"]["arm"]]
    last = max((row["arm"]["steps"] for row in rows), default=0)
    grid = sorted({row["arm"]["beta"] for row in rows})
    if len(grid) < 2:
        return {"beta": None}
    figure, axes = style.subplots(1, 2, figsize=(10, 4.2))
    for ax, metric, name in zip(axes, ("fd_mean", "nelbo"), (DISTANCE, "bound (nats per image)"), strict=True):
        curves = _stacked(
            np.array([values(table, metric, arm=f"beta_{beta:g}", steps=last) for beta in grid]).T.tolist()
        )
        plots.curves_with_seeds(ax, grid, curves, r"constant variance $\beta$", index=0)
        level = values(table, metric, arm="optimal", steps=last)
        look = style.look(1)
        ax.axhline(level.mean(), color=look.color, linestyle=look.line, label=r"optimal $\sigma$")
        variance = np.exp(2 * values(table, "log_sigma", arm="optimal", steps=last).mean())
        ax.axvline(variance, color="0.5", linewidth=1, linestyle=":", label=r"its variance $\sigma^2$")
        ax.set(xlabel=r"$\beta$", ylabel=name, xscale="log")
    axes[0].set_yscale("log")
    axes[1].set_yscale("symlog", linthresh=50)
    axes[0].legend()
    return {"beta": figure}


def discretised_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the bounds on the mass of the levels, the twin of Table 4."""
    own = [row for row in rows_of(table, dataset="digits16") if "mass_nelbo" in row["metrics"]]
    if not own:
        return {"table_4": None}
    figure, ax = style.subplots()
    arms = dict.fromkeys(row["arm"]["arm"] for row in own)
    _dots(ax, style, {label(name): values(own, "mass_nelbo", arm=name) for name in arms})
    ax.set(xlabel="bound on the mass of the levels (nats per image)")
    return {"table_4": figure}


def colour_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return samples on coloured digits and patches, and colour in the latent."""
    drawn: dict[str, Any] = dict.fromkeys(("samples_huedigits", "samples_photo8", "colour"))
    for dataset in ("huedigits", "photo8"):
        drawn[f"samples_{dataset}"] = _pictures(rows_of(table, dataset=dataset), style, dataset)["samples"]
    metrics = {"rate": "rate (nats)", "chroma_r2": "colour $R^2$ of the probe", "chroma_error": "chroma error of draws"}
    if not any("chroma_r2" in row["metrics"] for row in table):
        return drawn
    figure, axes = style.subplots(1, 3, figsize=(12, 3.6))
    for ax, (metric, name) in zip(axes, metrics.items(), strict=True):
        groups = {
            f"{dataset}, {'AR' if 'auto' in arm else 'no AR'}": values(table, metric, dataset=dataset, arm=arm)
            for dataset in ("huedigits", "photo8")
            for arm in ("mixture", "mixture_autoregressive")
        }
        _dots(ax, style, groups)
        ax.set_xlabel(name)
    drawn["colour"] = figure
    return drawn


def strategy_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the bounds of all ways of fitting sigma."""
    arms = dict.fromkeys(row["arm"]["arm"] for row in table if "nelbo" in row["metrics"])
    if not arms:
        return {"strategies": None}
    figure, ax = style.subplots()
    _dots(ax, style, {label(name): values(table, "nelbo", arm=name) for name in arms})
    ax.set(xlabel="bound with frozen scales (nats per image)")
    return {"strategies": figure}


def frey_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return log sigma and bound against the step on Frey Face, and samples."""
    own = [row for row in rows_of(table, dataset="frey28") if row.get("series")]
    drawn: dict[str, Any] = dict.fromkeys(("trajectories", "samples"))
    marked = [{**row, "arm": {**row["arm"], "stage": "last"}} for row in own]
    if not rows_of(marked, arm="shared") or not rows_of(marked, arm="optimal"):
        return drawn
    stages = dict.fromkeys(("shared", "optimal", "gaussian"), "last")
    drawn["trajectories"] = _trajectories(marked, style, stages, constants=())
    drawn["samples"] = _pictures(own, style, "frey28")["samples"]
    return drawn


def order_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return the distances of the nine decoders, one panel per data set."""
    measured = [row for row in table if "fd_mean" in row["metrics"]]
    datasets = list(dict.fromkeys(row["arm"]["dataset"] for row in measured))
    if not datasets:
        return {"order": None}
    figure, axes = style.subplots(1, len(datasets), figsize=(4.5 * len(datasets), 4.2), squeeze=False)
    for ax, dataset in zip(axes[0], datasets, strict=True):
        arms = dict.fromkeys(row["arm"]["arm"] for row in measured)
        _dots(ax, style, {label(name): values(measured, "fd_mean", dataset=dataset, arm=name) for name in arms})
        ax.set(title=dataset, xlabel=DISTANCE)
        _log_axis(ax)
    return {"order": figure}


def cell(found: NDArray[np.float64]) -> str:
    """Mean and range over seeds as text; a dash where there is nothing."""
    if not len(found):
        return "-"
    return f"{found.mean():.4g} ({found.min():.4g} to {found.max():.4g})"

"""Figures of the hierarchical and the video model under different decoders, drawn from result tables alone.

A figure that a table does not suffice for, as after a run that ran out of budget, is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reproductions.report import plots

Table = Sequence[Mapping[str, Any]]
NAMES = {
    "gaussian": "unit variance",
    "svg_default": "public default",
    "beta": r"$\beta$-VAE",
    "optimal": r"optimal $\sigma$",
}
ABLATIONS = {
    "no_free_bits": r"optimal $\sigma$, no free bits",
    "plain_log_variance": r"optimal $\sigma$, no softplus",
}
BY_FRAME = {
    "sharpness_ratio": "sharpness, predicted over true",
    "presence": "share of frames with the digit",
    "best_sse": "squared error, best of 8 rollouts",
    "diversity": "variance over rollouts",
    "rate": "KL per frame (nats)",
}


def hierarchical_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return prior samples, and sharpness, variance and the KL of every layer, for each decoder and ablation."""
    arms = _hierarchical_arms(table)
    if len(arms) < 3:
        return {"samples": None, "proxies": None}
    return {"samples": _sample_grid(arms, style), "proxies": _proxies(arms, style)}


def _hierarchical_arms(table: Table) -> dict[str, list[Mapping[str, Any]]]:
    """Rows of each arm that has samples, by its label and in the order of the tables above."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for decoder, label in NAMES.items():
        found[label] = [row for row in table if _is(row, decoder=decoder, variant="default")]
    for variant, label in ABLATIONS.items():
        found[label] = [row for row in table if _is(row, decoder="optimal", variant=variant)]
    return {label: rows for label, rows in found.items() if rows}


def _sample_grid(arms: Mapping[str, Sequence[Mapping[str, Any]]], style: Any) -> Any:
    """One row of prior samples for each arm, all of the first seed."""
    figure, axes = style.subplots(len(arms), 1, figsize=(7.2, 1.15 * len(arms)))
    for ax, (label, rows) in zip(axes, arms.items(), strict=True):
        images = np.array(min(rows, key=lambda row: row["seed"])["series"]["samples"])
        side = round((images.size / _shown()) ** 0.5)
        _frames(ax, images.reshape(_shown(), side, side), label)
    return figure


def _proxies(arms: Mapping[str, Sequence[Mapping[str, Any]]], style: Any) -> Any:
    """Seeds as dots, their median as a bar, one lane for each arm; 1 is the data."""
    labels = {
        "nelbo": "NELBO (nats per image)",
        "sharpness_ratio": "sharpness, samples over data",
        "variance_ratio": "variance, samples over data",
        "kl_layer_1": "KL of layer 1 (nats)",
        "kl_layer_2": "KL of layer 2 (nats)",
        "kl_layer_3": "KL of layer 3 (nats)",
    }
    figure, axes = style.subplots(2, 3, figsize=(12, 5.6), sharey=True)
    for ax, (metric, label) in zip(axes.flat, labels.items(), strict=True):
        for place, rows in enumerate(arms.values()):
            values, look = [row["metrics"][metric] for row in rows], style.look(place)
            height = len(arms) - place
            ax.plot(values, [height] * len(values), look.marker, color=look.color, alpha=0.5)
            ax.plot([np.median(values)] * 2, [height - 0.25, height + 0.25], color=look.color, linewidth=2.5)
        if metric.endswith("ratio"):
            ax.axvline(1, color="0.4", linewidth=1)
        ax.set(xlabel=label, ylim=(0.4, len(arms) + 0.6))
        ax.set_yticks(range(len(arms), 0, -1), list(arms))
    return figure


def video_figures(table: Table, style: Any) -> dict[str, Any]:
    """Return one sequence with the predictions of every arm, and all measures against the predicted frame."""
    arms = _video_arms(table)
    if len(arms) < 2:
        return {"rollouts": None, "by_frame": None}
    return {"rollouts": _rollouts(arms, style), "by_frame": _by_frame(arms, style)}


def _video_arms(table: Table) -> dict[str, list[Mapping[str, Any]]]:
    places = {"first": "", "last": ", skips from the last frame"}
    found = {
        label + place: [row for row in table if _is(row, decoder=decoder, skips=skips)]
        for skips, place in places.items()
        for decoder, label in NAMES.items()
    }
    return {label: rows for label, rows in found.items() if rows}


def _rollouts(arms: Mapping[str, Sequence[Mapping[str, Any]]], style: Any) -> Any:
    """The first test sequence, and one prediction by each arm's first seed."""
    first = {label: min(rows, key=lambda row: row["seed"])["series"] for label, rows in arms.items()}
    true = np.array(next(iter(first.values()))["true"])
    predicted = {label: np.array(series["predicted"]) for label, series in first.items()}
    count = len(next(iter(first.values()))["rate"])
    side = round((next(iter(predicted.values())).size / count) ** 0.5)
    figure, axes = style.subplots(1 + len(arms), 1, figsize=(7.2, 1.15 * (1 + len(arms))))
    frames = true.reshape(-1, side, side)
    _frames(axes[0], frames, "true; the first ones are given")
    for ax, (label, values) in zip(axes[1:], predicted.items(), strict=True):
        given = np.zeros((len(frames) - count, side, side))
        _frames(ax, np.concatenate([given, values.reshape(count, side, side)]), label)
    return figure


def _by_frame(arms: Mapping[str, Sequence[Mapping[str, Any]]], style: Any) -> Any:
    figure, axes = style.subplots(2, 3, figsize=(12, 6.4))
    for ax, (name, label) in zip(axes.flat, BY_FRAME.items(), strict=False):
        for index, (arm, rows) in enumerate(arms.items()):
            curves = np.array([row["series"][name] for row in rows], dtype=float)
            plots.curves_with_seeds(ax, np.arange(1, curves.shape[1] + 1), curves, arm, index=index)
        ax.set(xlabel="predicted frame", ylabel=label)
    axes.flat[-1].axis("off")
    axes.flat[-1].legend(*axes.flat[0].get_legend_handles_labels(), loc="center")
    return figure


def _frames(ax: Any, frames: Any, label: str) -> None:
    """Grey frames side by side, a pixel apart."""
    padded = np.pad(frames, ((0, 0), (0, 0), (0, 1)), constant_values=255)
    ax.imshow(np.concatenate(padded, axis=1)[:, :-1], cmap="gray", vmin=0, vmax=255)
    ax.set_title(label, fontsize=9)
    ax.axis("off")


def _shown() -> int:
    from reproductions.sigma_vae.hierarchical import SHOWN

    return SHOWN


def _is(row: Mapping[str, Any], **wanted: str) -> bool:
    return all(row["arm"].get(name) == value for name, value in wanted.items())

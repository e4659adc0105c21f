"""Table 6 and its figure: parameters and memory of training, counted and printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.hvae.tables import printed

Table = Sequence[Mapping[str, Any]]

COLUMNS = (
    "training",
    "layers",
    "parameters (M), paper",
    "parameters (M), ours",
    "memory (G), paper",
    "memory (GiB), ours",
    "relative to the VAE, paper",
    "relative to the VAE, ours",
)


def memory_rows(table: Table, blocks: int = 6) -> list[tuple[Any, ...]]:
    """Return Table 6 with our numbers beside the printed ones, one row per training and depth, as in `COLUMNS`."""
    memory, parameters = printed("table-6/memory-values"), printed("table-6/hvae-adds-no-parameters")
    found = []
    for row in table:
        arm, metrics = row["arm"], row["metrics"]
        training, depth = arm.get("training"), arm.get("depth")
        if arm.get("blocks") != blocks or f"{training}, {depth} layers" not in memory:
            continue
        own, plain = memory[f"{training}, {depth} layers"], memory[f"VAE, {depth} layers"]
        found.append(
            (
                training,
                depth,
                parameters[f"{training} {depth} layers"],
                round(metrics["parameters"] / 1e6, 2),
                own,
                round(metrics["memory"], 2),
                round(own / plain, 2),
                round(metrics["memory_to_vae"], 2),
            )
        )
    return found


def memory_figures(table: Table, style: Any, *, trainings: Sequence[str], blocks: int) -> dict[str, Any]:
    """Return memory in GiB and relative to the plain model, with the printed numbers as open marks."""
    rows = [row for row in table if row["arm"].get("blocks") == blocks and row["arm"].get("training") in trainings]
    if not rows:
        return {"table_6": None}
    values = printed("table-6/memory-values")
    figure, (left, right) = style.subplots(1, 2, figsize=(10, 4.2))
    for index, training in enumerate(trainings):
        look = style.look(index)
        own = sorted((row["arm"]["depth"], row["metrics"]) for row in rows if row["arm"]["training"] == training)
        depths = [depth for depth, _ in own]
        marks = {"color": look.color, "marker": look.marker}
        print_depths = [depth for depth in depths if f"{training}, {depth} layers" in values]
        shown = [values[f"{training}, {depth} layers"] for depth in print_depths]
        relative = [value / values[f"VAE, {d} layers"] for d, value in zip(print_depths, shown, strict=True)]
        for ax, metric, numbers in ((left, "memory", shown), (right, "memory_to_vae", relative)):
            ax.plot(depths, [metrics[metric] for _, metrics in own], **marks, label=f"{training}, counted")
            ax.plot(print_depths, numbers, **marks, linestyle="", mfc="none", ms=11, label=f"{training}, printed")
    left.set(xlabel="stochastic layers", ylabel="memory of a training step (GiB; print: G)", ylim=(0, None))
    right.set(xlabel="stochastic layers", ylabel="memory relative to the VAE", ylim=(0, None))
    left.legend()
    return {"table_6": figure}

"""The paper's tables with our numbers beside the printed ones, as rows for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reproductions.hvae._comparison_figures import BOUND, METHODS
from reproductions.hvae._figures import Table
from reproductions.hvae.baselines import LATENTS, PAPER_LATENTS
from reproductions.hvae.tables import by_model, printed

BASELINE_COLUMNS = (
    "method",
    "top KL (nats), paper",
    "top KL (nats), ours",
    "active top units, paper",
    "active top units, ours",
)
TABLE_3 = {
    "importance_weighted": "IWAE",
    "annealing": "VAE+KL",
    "free_bits_1": "VAE+Freebits",
    "hermite_0.95": "HVAE rho=.95",
    "hermite_0.9": "HVAE rho=.9",
}
TABLE_4 = {
    "vae": "VAE",
    "importance_weighted": "IWAE (5 samples)",
    "annealing": "VAE+KL",
    "free_bits_1": "VAE+Freebits",
    "hermite_0.85": "HVAE rho=.85",
    "hermite_0.9": "HVAE rho=.9",
    "hermite_0.95_annealing": "HVAE+KL rho=.95",
}
"""Our arms and the printed names of the same methods."""


def baseline_tables(table: Table) -> dict[str, list[tuple[Any, ...]]]:
    """Tables 3 and 4, ours (medians over seeds) beside print: captions and rows, none without results."""
    plan: tuple[tuple[str, str, Mapping[str, str]], ...] = (
        ("table-3", "pyramid", TABLE_3),
        ("table-3", "flat", TABLE_3),
        ("table-4", "flat", TABLE_4),
    )
    found: dict[str, list[tuple[Any, ...]]] = {}
    for source, shape, names in plan:
        theirs, ours = ("-".join(map(str, latents)) for latents in (PAPER_LATENTS[shape][0], LATENTS[shape]))
        rows = [
            row
            for method, name in names.items()
            if (
                row := _baseline_row(
                    table, source, method, f"{name} ({theirs})" if source == "table-3" else name, shape
                )
            )
        ]
        if rows:
            place = source.replace("-", " ").capitalize()
            found[f"{place}, the paper's {theirs} and our {ours}; ours are medians over seeds"] = rows
    return found


def _baseline_row(table: Table, source: str, method: str, name: str, shape: str) -> tuple[Any, ...] | None:
    """One method; None where the paper or our results do not have it."""
    top_kl = printed(f"{source}/top-layer-kl").get(name)
    own = [row["metrics"] for row in table if (row["arm"]["method"], row["arm"]["shape"]) == (method, shape)]
    if top_kl is None or not own:
        return None
    active = by_model(f"{source}/active-units")[name]
    top = next(units for layer, units in active.items() if layer.startswith("layer 4"))
    kl, units = (float(np.median([metrics[metric] for metrics in own])) for metric in ("top_kl", "active_units_top"))
    label = METHODS[method].replace("$", "").replace(r"\rho=", "rho = ")
    widths = PAPER_LATENTS[shape][0][-1], LATENTS[shape][-1]
    return label, top_kl, f"{kl:.2f}", f"{top:g} of {widths[0]}", f"{units:g} of {widths[1]}"


DEPTH_COLUMNS = ("model", "bound (nats), paper", "bound (nats), ours")


def depth_rows(table: Table) -> list[tuple[Any, ...]]:
    """Table 2: the printed L_5000 on dynamic MNIST, our mean L_100 on digits, and the differences from four layers."""
    own, quoted = printed("table-2/hvae-dynamic-mnist-test"), printed("table-2/quoted-baselines")
    four, five = (own[f"HVAE (L={depth}), L5000"] for depth in (4, 5))
    means = {
        depth: float(np.mean(found))
        for depth in (4, 5)
        if (found := [row["metrics"][BOUND] for row in table if row["arm"]["depth"] == depth])
    }
    gap = round(means[5] - means[4], 3) if len(means) == 2 else None
    ours = {depth: round(mean, 2) for depth, mean in means.items()}
    return [
        ("Hermite VAE, four layers", four, ours.get(4)),
        ("Hermite VAE, five layers", five, ours.get(5)),
        ("five layers less four", round(five - four, 2), gap),
        *((f"five layers less {name}", round(five - value, 2), None) for name, value in quoted.items()),
    ]


STEP_COLUMNS = ("model", "what is trained", "members", "CPU time of a step (ms)", "100,000 steps on one core (hours)")


def step_rows(times: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What the ensembles of the gpu scale take on one CPU core, from measured step times; Figure 3 as one row."""
    cells = [row for row in times["ensembles"] if row["training"].startswith("cell")]
    others = [row for row in times["ensembles"] if row not in cells]
    rows = [_step_row(row["model"], row["training"], row["members"], row["seconds"]) for row in others]
    total = sum(row["seconds"] for row in cells)
    return [*rows, _step_row("grid of Figure 3", f"{len(cells)} cells", sum(row["members"] for row in cells), total)]


def _step_row(model: str, training: str, members: int, seconds: float) -> tuple[Any, ...]:
    return (model, training, members, round(1e3 * seconds, 1), round(1e5 * seconds / 3600, 1))


PARAMETER_COLUMNS = ("model", "parameters (M), paper", "parameters (M), ours")


def parameter_rows(table: Table) -> list[tuple[Any, ...]]:
    """Table 5: printed parameter counts beside the counts of what is built or listed; empty without results."""
    counted = {name: value for row in table for name, value in row["metrics"].items()}
    own = {
        "Hermite VAE, 3 layers": ("3 layers", "parameters_3_layers"),
        "Hermite VAE, 4 layers": ("4 layers", "parameters_4_layers"),
        "Hermite VAE, 6 layers": ("6 layers", "parameters_6_layers"),
    }
    others = {
        "Ladder VAE, 15 layers (Table 6)": ("LVAE, table 6", "lvae_parameters"),
        "BIVA, 15 layers": ("BIVA, table 5", "biva_parameters"),
    }
    rows: list[tuple[Any, ...]] = []
    for claim, names in (("hvae-parameter-counts", own), ("comparator-parameter-counts", others)):
        values = printed(f"table-5/{claim}")
        rows += [
            (name, str(values[key]), f"{counted[ours]:.2f}") for name, (key, ours) in names.items() if ours in counted
        ]
    return rows

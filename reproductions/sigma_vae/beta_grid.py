"""Does a beta-VAE need tuning where a fitted sigma does not, is the best beta that variance, does annealing help?

Plans S04 and S15 of the specification on digits16: the beta of a beta-VAE is a constant variance, here the seven
decades from 100 to 1e-4, beside the optimal sigma; and two of them with a KL weight that rises linearly over 10% and
50% of the run. A unit is all of that for one seed. Planned were 3000 steps and 13 values of beta; here it is 400
steps and 7 values at the night scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, log10
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.sigma_vae import _runs

OPTIMAL = "optimal"
GRIDS = {"smoke": (1.0, 0.01), "night": (100.0, 10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4)}
ANNEALED = (1.0, 0.01)
"""The unit Gaussian, and the beta that is best or nearly so on pilot seeds."""
SHARES = (0.1, 0.5)
STEPS = {"smoke": 10, "night": 400, "gpu": 3000}
EARLY = {"smoke": (), "night": (200,), "gpu": (300, 1000)}
SEEDS = {"smoke": 1, "night": 5, "gpu": 5}
WORSE = 2.0

METRICS = (
    _runs.METRICS
    | _runs.REAL_METRICS
    | {
        "best_to_optimal": Metric("1", "smallest distance over the grid, over that of the optimal sigma"),
        "share_far": Metric("1", "share of the grid whose distance is more than twice the smallest"),
        "decades_off": Metric("1", "|log10| of the beta of the best bound over the fitted variance"),
        "excess": Metric("1", "bound of the optimal sigma less the best of the grid, relative to its size"),
        "least_margin": Metric("1", "smallest relative excess of a beta's bound over optimal's, all betas and steps"),
        "worse_betas": Metric("1", "betas whose bound is above optimal's at every measured step"),
        "nelbo_gain": Metric("1", "fall of the bound by annealing, relative to its size"),
        "fd_gain": Metric("1", "fall of the distance by annealing, relative"),
    }
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed."""
    if scale not in SEEDS:
        return []
    config = configuration(scale)
    return [Unit(config, seed) for seed in reported_seeds(seeds or SEEDS[scale])]


def configuration(scale: str) -> dict[str, Any]:
    """Return the plain configuration of one unit."""
    steps, measured = STEPS[scale], {"measure": list(EARLY[scale])}
    grid = GRIDS.get(scale, GRIDS["night"])
    arms: dict[str, dict[str, Any]] = {OPTIMAL: {"decoder": {"name": "optimal"}, "steps": steps, **measured}}
    for beta in grid:
        arms[f"beta_{beta:g}"] = {"decoder": {"name": "beta", "beta": beta}, "steps": steps, **measured}
    for beta in ANNEALED:
        for share in SHARES:
            arms[annealed(beta, share)] = {
                "decoder": {"name": "beta", "beta": beta},
                "steps": steps,
                "recipe": {"kl_warmup": share * steps},
            }
    return _runs.configuration(scale, "digits16", arms, grid=list(grid))


def annealed(beta: float, share: float) -> str:
    """Name of an arm with a rising KL weight."""
    return f"beta_{beta:g}_annealed_{share:g}"


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train and measure the grid, the optimal sigma and the annealed arms of one seed."""
    job = _runs.prepare(config, seed, context)
    rows, _ = _runs.run_arms(job, config["arms"])
    steps = config["arms"][OPTIMAL]["steps"]
    last = {row["arm"]["arm"]: row["metrics"] for row in rows if row["arm"].get("steps") == steps}
    found: list[tuple[dict[str, Any], dict[str, float]]] = [
        ({"summary": "grid"}, grid_summary(rows, last, config["grid"]))
    ]
    for beta in ANNEALED:
        for share in SHARES:
            gains = annealing_gains(last[f"beta_{beta:g}"], last[annealed(beta, share)])
            found.append(({"annealing": f"beta_{beta:g}", "share": share}, gains))
    return rows + [{"arm": {"dataset": job.dataset.id, **arm}, "metrics": metrics} for arm, metrics in found]


def grid_summary(
    rows: Sequence[Row], last: Mapping[str, Mapping[str, float]], grid: Sequence[float]
) -> dict[str, float]:
    """What the grid as a whole says, against the optimal sigma of the same seed."""
    optimal = last[OPTIMAL]
    distances = [last[f"beta_{beta:g}"]["fd_mean"] for beta in grid]
    bounds = {beta: last[f"beta_{beta:g}"]["nelbo"] for beta in grid}
    best = min(bounds, key=bounds.__getitem__)
    measured = {row["arm"]["steps"] for row in rows if row["arm"]["arm"] == OPTIMAL}
    margins = {beta: [_margin(rows, beta, steps) for steps in measured] for beta in grid}
    return {
        "best_to_optimal": min(distances) / optimal["fd_mean"],
        "share_far": sum(distance > WORSE * min(distances) for distance in distances) / len(distances),
        "decades_off": abs(log10(best) - 2 * optimal["log_sigma"] / log(10)),
        "excess": (optimal["nelbo"] - bounds[best]) / abs(bounds[best]),
        "least_margin": min(min(values) for values in margins.values()),
        "worse_betas": sum(min(values) > 0 for values in margins.values()),
    }


def _margin(rows: Sequence[Row], beta: float, steps: int) -> float:
    constant, optimal = (
        _runs.row_of(rows, arm=name, steps=steps)["metrics"]["nelbo"] for name in (f"beta_{beta:g}", OPTIMAL)
    )
    return (constant - optimal) / abs(optimal)


def annealing_gains(plain: Mapping[str, float], annealed: Mapping[str, float]) -> dict[str, float]:
    """Relative falls of bound and distance; negative where annealing harms."""
    return {
        "nelbo_gain": (plain["nelbo"] - annealed["nelbo"]) / abs(plain["nelbo"]),
        "fd_gain": 1 - annealed["fd_mean"] / plain["fd_mean"],
    }


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw bound and distance against beta, with the optimal sigma's."""
    from reproductions.sigma_vae import _figures

    return _figures.beta_figures(table, style)


REPRODUCTION = Reproduction(
    id="sigma-vae/beta_grid",
    title="A grid of beta against the optimal sigma, and KL annealing",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=_runs.SOURCES,
)

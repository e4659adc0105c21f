"""Arithmetic on the printed tables and settings: ranks, gaps, floors and what the numbers imply.

Every number of the paper is read from its claims, where it is written down once.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from scipy import stats

import claims
from reference import bounds, calibration, quantisation, schedules
from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit

Metrics = dict[str, float]
Table = dict[str, dict[str, float]]

NLL, FID = "-log p bound", "FID"
DIMS = {"CelebA": 28 * 28 * 3, "CIFAR": 28 * 28 * 3, "Frey Face": 28 * 28}
SHORT = {"CelebA": "celeba", "CIFAR": "cifar", "Frey Face": "frey"}
CALIBRATED = {
    "Categorical VAE",
    "bitwise-categorical VAE",
    "Logistic mixture VAE",
    "Shared sigma-VAE",
    "Optimal sigma-VAE",
    "Opt. per-image sigma-VAE",
}
# Training images of the data sets; the paper does not print them.
IMAGES = {"svhn": 73257, "cifar": 50000, "celeba": 162770, "frey": 1965}
SVHN_TEST_IMAGES = 26032


@functools.cache
def inventory() -> dict[str, claims.Claim]:
    """Return the claims of the paper by the part of their id after the paper."""
    return {claim.id.removeprefix("sigma-vae/"): claim for claim in claims.load_paper("sigma-vae").claims}


def printed(claim: str) -> dict[str, float]:
    """Return the numbers of a claim by what they are the value of."""
    numbers = inventory()[claim].numbers
    return {number.of: number.value for number in numbers if not isinstance(number.value, tuple)}


def columns(claim: str, quantity: str) -> Table:
    """Return the cells named ``row / column / quantity`` as column -> row -> value."""
    table: Table = {}
    for name, value in printed(claim).items():
        row, column, what = name.split(" / ")
        if what == quantity:
            table.setdefault(column, {})[row] = value
    return table


def rows(claim: str, quantity: str) -> dict[str, float]:
    """Return the cells named ``row / quantity`` as row -> value."""
    ending = f" / {quantity}"
    return {name.removesuffix(ending): value for name, value in printed(claim).items() if name.endswith(ending)}


def gaps(claim: str, upper: str, lower: str, quantity: str) -> dict[str, float]:
    """Return ``upper - lower`` per column."""
    return {column: cells[upper] - cells[lower] for column, cells in columns(claim, quantity).items()}


def _named(prefix: str, values: Mapping[str, float]) -> Metrics:
    return {f"{prefix}_{SHORT[column]}": value for column, value in values.items()}


def gaussian_worst_fid() -> Metrics:
    """Unit Gaussian against all nine FIDs of each column."""
    table = columns("table-3/ordering-consistent-print", FID)
    own = columns("table-3/gaussian-worst-fid", FID)
    return {"columns_not_maximum": sum(own[c]["Gaussian VAE"] < max(table[c].values()) for c in table)}


def calibrated_best() -> Metrics:
    """Row of the smallest FID of each column."""
    table = columns("table-3/ordering-consistent-print", FID)
    best = [min(cells, key=cells.__getitem__) for cells in table.values()]
    return {"columns_not_calibrated": sum(row not in CALIBRATED for row in best)}


def optimal_against_shared_nll() -> Metrics:
    """Bound of the analytic against the learned shared variance."""
    found = gaps("table-3/optimal-not-worse-than-shared-nll-print", "Shared sigma-VAE", "Optimal sigma-VAE", NLL)
    return {"columns_not_lower": sum(gap <= 0 for gap in found.values())} | _named("gap", found)


def optimal_against_shared_fid() -> Metrics:
    """FID of the analytic against the learned shared variance."""
    found = gaps("table-3/optimal-vs-shared-fid-print", "Shared sigma-VAE", "Optimal sigma-VAE", FID)
    return {"columns_not_lower": sum(gap <= 0 for gap in found.values())}


def per_image_against_optimal() -> Metrics:
    """Columns in which per-image variance has the smaller FID."""
    found = gaps("table-3/per-image-vs-optimal-print", "Optimal sigma-VAE", "Opt. per-image sigma-VAE", FID)
    return {"columns_lower": sum(gap > 0 for gap in found.values())}


def optimal_against_beta_nll() -> Metrics:
    """Bound of the analytic variance against the tuned beta-VAE."""
    found = gaps("table-3/sigma-vs-beta-nll-print", "beta-VAE", "Optimal sigma-VAE", NLL)
    return {"columns_not_lower": sum(gap <= 0 for gap in found.values())} | _named("gap", found)


def bitwise_worst_nll() -> Metrics:
    """Bitwise decoder against the two other discrete decoders."""
    table = columns("table-3/bitwise-worst-discrete-nll", NLL)
    bitwise = {column: cells["bitwise-categorical VAE"] for column, cells in table.items()}
    excess = {column: 100 * (bitwise[column] / cells["Categorical VAE"] - 1) for column, cells in table.items()}
    wrong = sum(bitwise[column] < max(cells.values()) for column, cells in table.items())
    return {"columns_not_maximum": wrong} | _named("excess", excess)


def bitwise_on_par_fid() -> Metrics:
    """FID of the bitwise decoder over that of the optimal sigma-VAE."""
    table = columns("table-3/bitwise-on-par-fid", FID)
    ratio = {column: cells["bitwise-categorical VAE"] / cells["Optimal sigma-VAE"] for column, cells in table.items()}
    return {"columns_on_par": sum(abs(value - 1) <= 0.25 for value in ratio.values())} | _named("ratio", ratio)


def mixture_best_nll() -> Metrics:
    """Columns in which the mixture does not have the best discrete bound."""
    return _mixture_not_minimum("table-3/mixture-best-discrete-nll-print", NLL)


def mixture_best_fid() -> Metrics:
    """Columns in which the mixture does not have the best discrete FID."""
    return _mixture_not_minimum("table-3/mixture-best-discrete-fid-print", FID)


def _mixture_not_minimum(claim: str, quantity: str) -> Metrics:
    table = columns(claim, quantity)
    return {"columns_not_minimum": sum(cells["Logistic mixture VAE"] > min(cells.values()) for cells in table.values())}


def ordering_consistent() -> Metrics:
    """Kendall's tau-b of the nine FIDs between the columns."""
    table = columns("table-3/ordering-consistent-print", FID)
    tau = {}
    for first, second in (("CelebA", "CIFAR"), ("CelebA", "Frey Face"), ("CIFAR", "Frey Face")):
        names = sorted(table[first])
        pair = stats.kendalltau([table[first][n] for n in names], [table[second][n] for n in names])
        tau[f"tau_{SHORT[first]}_{SHORT[second]}"] = float(pair.statistic)
    return {"pairs_not_above_half": sum(value <= 0.5 for value in tau.values())} | tau


def unit_variance_floor() -> Metrics:
    """Bounds of the unit-variance Gaussian against the least value that any model can reach."""
    cells = printed("table-3/unit-variance-floor")
    below = 0
    for name, value in cells.items():
        column = name.split(" / ")[1]
        below += value < float(calibration.unit_gaussian_floor(DIMS[column]))
    floors = {f"floor_{dims}": float(calibration.unit_gaussian_floor(dims)) for dims in (2352, 784, 3072)}
    return {"cells_below_floor": below} | floors


def resolution() -> Metrics:
    """Largest square image whose floor is below the printed unit-variance bound."""
    table = columns("table-3/resolution-28", NLL)
    found: Metrics = {}
    for column, channels in (("CelebA", 3), ("Frey Face", 1)):
        bound, name = table[column]["Gaussian VAE"], SHORT[column]
        found[f"largest_dims_{name}"] = bound / float(calibration.unit_gaussian_floor(1))
        side = math.isqrt(int(found[f"largest_dims_{name}"]) // channels)
        floor = float(calibration.unit_gaussian_floor(channels * side**2))
        found |= {f"largest_side_{name}": side, f"slack_{name}": bound / floor - 1}
    return found


def implied_log_sigma() -> dict[str, float]:
    """Largest log standard deviation that the printed optimal bounds allow (KL zero), per column."""
    table = columns("table-3/implied-sigma", NLL)
    return {
        column: cells["Optimal sigma-VAE"] / DIMS[column] - 0.5 * math.log(2 * math.pi * math.e)
        for column, cells in table.items()
    }


def implied_sigma() -> Metrics:
    """Standard deviations implied by the bounds, against the closed-form linear VAE as quoted in the check."""
    sigma = {column: math.exp(value) for column, value in implied_log_sigma().items()}
    check = inventory()["table-3/implied-sigma"].check
    linear = {
        "Frey Face": _quoted(check, r"Frey 28x28 (0\.\d+)"),
        "CIFAR": _quoted(check, r"CIFAR 28x28 copy (0\.\d+)"),
    }
    excess = {column: max(0.0, sigma[column] / value - 1) for column, value in linear.items()}
    return _named("sigma", sigma) | _named("relative_excess", excess)


def _quoted(check: str, pattern: str) -> float:
    found = re.search(pattern, check)
    if found is None:
        raise ValueError(f"check must contain {pattern!r}, got {check!r}")
    return float(found.group(1))


def frey_shared_steps() -> Metrics:
    """Least bound after ten epochs of Adam from sigma = 1, against the printed cell."""
    cells = printed("table-3/frey-shared-needs-1000-steps")
    bound = cells["Shared sigma-VAE / Frey Face / -log p bound"]
    rate, dims = cells["learning rate"], DIMS["Frey Face"]
    steps = int(cells["epochs, small network"]) * math.ceil(IMAGES["frey"] / cells["batch size"])
    # No step of Adam is longer than rate (1 - beta1) / sqrt(1 - beta2).
    hard = float(calibration.drift_floor(steps, rate * 0.1 / math.sqrt(0.001), dims))
    return {
        "shortfall": max(0.0, hard - bound),
        "drift_floor": float(calibration.drift_floor(steps, rate, dims)),
        "hard_floor": hard,
        "needed_log_sigma": bound / dims - float(calibration.unit_gaussian_floor(1)),
    }


def sigma_close_to_discretised() -> Metrics:
    """Spread of the three scalar-scale decoders."""
    claim = "table-4/sigma-close-to-discretised-print"
    nll, fid = rows(claim, NLL).values(), rows(claim, FID).values()
    spread = 100 * (max(nll) - min(nll)) / min(nll)
    return {"nll_spread": spread, "nll_spread_percent": spread, "fid_spread": max(fid) - min(fid)}


def categorical_best() -> Metrics:
    """Categorical bound against those of the scalar-scale decoders."""
    cells = rows("table-4/categorical-best-print", NLL)
    own = cells["Categorical VAE"]
    margins = [100 * (1 - own / value) for row, value in cells.items() if "sigma" in row]
    return {
        "rank_error": sum(value < own for value in cells.values()),
        "smallest_margin": min(margins),
        "largest_margin": max(margins),
    }


def unit_gaussian_worst() -> Metrics:
    """Unit Gaussian against the column maxima of Table 4."""
    claim = "table-4/unit-gaussian-worst-print"
    nll, fid = rows(claim, NLL), rows(claim, FID)
    whole = (rows("table-4/categorical-best-print", NLL), rows("table-4/fid-values", FID))
    own = (nll["Gaussian VAE"], fid["Gaussian VAE"])
    return {
        "columns_not_maximum": sum(value < max(cells.values()) for value, cells in zip(own, whole, strict=True)),
        "nll_ratio": nll["Gaussian VAE"] / nll["Gaussian sigma-VAE"],
        "fid_ratio": fid["Gaussian VAE"] / fid["Gaussian sigma-VAE"],
    }


def column_identity() -> Metrics:
    """Density and mass columns: their difference is at most D log 255, and no unit-variance cell is below its floor."""
    density, mass = rows("table-4/column-identity", "-log pdf bound"), rows("table-4/column-identity", NLL)
    difference = {row: mass[row] - density[row] for row in density}
    violations = []
    for dims in (2352, 3072):
        above = sum(value > dims * math.log(255) for value in difference.values())
        violations.append(above + (density["Gaussian VAE"] < float(calibration.unit_gaussian_floor(dims))))
    limit = 2352 * math.log(255)
    return {
        "fewest_violations": min(violations),
        "difference_gaussian": difference["Gaussian VAE"],
        "difference_sigma": difference["Gaussian sigma-VAE"],
        "log_bins": limit,
        "excess_gaussian": difference["Gaussian VAE"] - limit,
        # A saturated pixel gains at most about 6 nats from its open bin.
        "saturated_pixels": (limit - difference["Gaussian sigma-VAE"]) / 6,
    }


def mass_column_consistent() -> Metrics:
    """Mass column from densities at 28x28x3, with the constants that the check quotes for want of a CIFAR copy."""
    mass, limit = rows("table-4/mass-column-consistent", NLL), 2352 * math.log(255)
    shared = printed("table-3/optimal-not-worse-than-shared-nll-print")["Shared sigma-VAE / CIFAR / -log p bound"]
    linear, saturated, gain, gain_sigma = 2195.7, 0.0066 * 2352, 5.7, 46
    expected = {"Gaussian VAE": limit + linear - saturated * gain, "Gaussian sigma-VAE": limit + shared - gain_sigma}
    error = {row: abs(expected[row] / value - 1) for row, value in mass.items()}
    return {"gaussian_error": error["Gaussian VAE"], "sigma_error": error["Gaussian sigma-VAE"]}


def cross_table() -> Metrics:
    """The same CIFAR models in both tables."""
    cells = list(printed("table-4/cross-table-mismatch").values())
    pairs = list(zip(cells[::2], cells[1::2], strict=True))
    return {"pairs_beyond_one_percent": sum(abs(a - b) > 0.01 * max(abs(a), abs(b)) for a, b in pairs)}


def table_4_bits() -> Metrics:
    """Table 4 in bits per dimension at 28x28x3; only the unit Gaussian is worse than the uniform 8 bits."""
    names = {
        "Categorical VAE": "categorical",
        "Gaussian VAE": "unit_gaussian",
        "Gaussian sigma-VAE": "sigma_gaussian",
        "Disc. Gaussian sigma-VAE": "discretised_gaussian",
        "Disc. Logistic sigma-VAE": "discretised_logistic",
    }
    cells = rows("table-4/bits-per-dim", NLL)
    bits = {names[row]: float(bounds.bits_per_dim(-value, 2352)) for row, value in cells.items()}
    wrong = sum((value > 8) != (row == "unit_gaussian") for row, value in bits.items())
    return bits | {"rows_on_the_wrong_side_of_uniform": wrong}


def beta_range() -> Metrics:
    """Range of beta as standard deviations, and implied optima outside it."""
    cells = printed("appendix-b/beta-range")
    high, low = math.sqrt(cells["largest beta"]), math.sqrt(cells["smallest beta"])
    sigma = [math.exp(value) for value in implied_log_sigma().values()]
    return {
        "outside": sum(not low <= value <= high for value in sigma),
        "largest_sigma": high,
        "smallest_sigma": low,
    }


def optimisation_settings() -> Metrics:
    """Steps in ten epochs, and data sets whose implied optimum a learned log sigma cannot reach in them."""
    cells = printed("appendix-b/optimisation-settings")
    steps = {name: cells["epochs"] * math.ceil(images / cells["batch size"]) for name, images in IMAGES.items()}
    needed = {SHORT[column]: -value for column, value in implied_log_sigma().items()}
    unreachable = sum(steps[name] * cells["learning rate"] < distance for name, distance in needed.items())
    return {f"steps_{name}": count for name, count in steps.items()} | {"unreachable_data_sets": unreachable}


def hierarchical_steps() -> Metrics:
    """Epoch equivalents of the hierarchical runs and the learning rate after the shorter one."""
    cells = printed("appendix-b/hierarchical-steps")
    steps, batch = cells["steps, CIFAR"], cells["batch size"]
    return {
        "epochs_cifar": steps * batch / IMAGES["cifar"],
        "epochs_celeba": cells["steps, CelebA"] * batch / IMAGES["celeba"],
        "rate_after_30k": float(schedules.exponential_decay(steps, 2e-3, 0.999999, 1e-4)),
    }


def implied_coefficients_of_variation() -> Metrics:
    """Coefficients of variation that the printed standard errors imply, by what may have been averaged."""
    cells = printed("appendix-c/se-implied-cv")
    batch = int(cells["batch size"])
    total = _implied_cv(cells["SE / sigma, single batch"], batch)
    one_sample = cells["SE / sigma, one sample per data point"]
    readings = {"train": IMAGES["svhn"], "test": SVHN_TEST_IMAGES, "batch": batch}
    noise = {f"noise_cv_{name}": _implied_cv(one_sample, images) for name, images in readings.items()}
    return {"readings_possible": sum(cv <= total for cv in noise.values()), "total_cv": total} | noise


def _implied_cv(percent: float, images: int) -> float:
    """The standard error is proportional to the coefficient of variation: divide by its value at 1."""
    return percent / 100 / float(calibration.sigma_standard_error(1.0, 1.0, images))


def approximations_accurate() -> Metrics:
    """Second-order cost of the printed relative error of sigma, and its share of the printed bound."""
    error = printed("appendix-c/approximations-accurate")["SE / sigma, single batch"] / 100
    bound = printed("table-3/optimal-not-worse-than-shared-nll-print")["Optimal sigma-VAE / CIFAR / -log p bound"]
    cost = 2352 * error**2
    share = 100 * cost / abs(bound)
    return {"share": share, "cost": cost, "share_percent": share}


def categorical_memory() -> Metrics:
    """Bytes of the categorical distribution of the printed image, by formula and by a tensor without storage."""
    import torch

    cells = printed("appendix-e/categorical-memory")
    side, channels, values = (int(cells[n]) for n in ("image side", "channels", "values per pixel and channel"))
    size = quantisation.decoder_output_bytes("categorical", channels, side, side, values)
    tensor = torch.empty(values, channels, side, side, device="meta")
    return {"size": size, "size_gib": size / 2**30, "tensor_difference": tensor.nbytes - size}


def gaussian_memory() -> Metrics:
    """GiB of the Gaussian decoder's mean, and with a map of scales."""
    size = quantisation.decoder_output_bytes("gaussian", 3, 1024, 1024) / 2**30
    value = printed("appendix-e/gaussian-memory")["memory, Gaussian"]
    return {"size_gib": size, "rounding_error": abs(size - value), "with_scale_map": 2 * size}


def memory_ratio() -> Metrics:
    """Memory of the categorical over the Gaussian decoder, exactly and from the rounded print."""
    cells = printed("appendix-e/memory-ratio")
    categorical = quantisation.decoder_output_bytes("categorical", 3, 1024, 1024)
    return {
        "ratio": categorical / quantisation.decoder_output_bytes("gaussian", 3, 1024, 1024),
        "printed_ratio": cells["memory, categorical"] / cells["memory, Gaussian"],
    }


CHECKS: dict[str, Callable[[], Metrics]] = {
    "sigma-vae/table-3/gaussian-worst-fid": gaussian_worst_fid,
    "sigma-vae/table-3/calibrated-best-print": calibrated_best,
    "sigma-vae/table-3/optimal-not-worse-than-shared-nll-print": optimal_against_shared_nll,
    "sigma-vae/table-3/optimal-vs-shared-fid-print": optimal_against_shared_fid,
    "sigma-vae/table-3/per-image-vs-optimal-print": per_image_against_optimal,
    "sigma-vae/table-3/sigma-vs-beta-nll-print": optimal_against_beta_nll,
    "sigma-vae/table-3/bitwise-worst-discrete-nll": bitwise_worst_nll,
    "sigma-vae/table-3/bitwise-on-par-fid": bitwise_on_par_fid,
    "sigma-vae/table-3/mixture-best-discrete-nll-print": mixture_best_nll,
    "sigma-vae/table-3/mixture-best-discrete-fid-print": mixture_best_fid,
    "sigma-vae/table-3/ordering-consistent-print": ordering_consistent,
    "sigma-vae/table-3/unit-variance-floor": unit_variance_floor,
    "sigma-vae/table-3/resolution-28": resolution,
    "sigma-vae/table-3/implied-sigma": implied_sigma,
    "sigma-vae/table-3/frey-shared-needs-1000-steps": frey_shared_steps,
    "sigma-vae/table-4/sigma-close-to-discretised-print": sigma_close_to_discretised,
    "sigma-vae/table-4/categorical-best-print": categorical_best,
    "sigma-vae/table-4/unit-gaussian-worst-print": unit_gaussian_worst,
    "sigma-vae/table-4/column-identity": column_identity,
    "sigma-vae/table-4/mass-column-consistent": mass_column_consistent,
    "sigma-vae/table-4/cross-table-mismatch": cross_table,
    "sigma-vae/table-4/bits-per-dim": table_4_bits,
    "sigma-vae/appendix-b/beta-range": beta_range,
    "sigma-vae/appendix-b/optimisation-settings": optimisation_settings,
    "sigma-vae/appendix-b/hierarchical-steps": hierarchical_steps,
    "sigma-vae/appendix-c/se-implied-cv": implied_coefficients_of_variation,
    "sigma-vae/appendix-c/approximations-accurate": approximations_accurate,
    "sigma-vae/appendix-e/categorical-memory": categorical_memory,
    "sigma-vae/appendix-e/gaussian-memory": gaussian_memory,
    "sigma-vae/appendix-e/memory-ratio": memory_ratio,
}


def _described(unit: str, reduction: str, *names: str) -> dict[str, Metric]:
    return {name: Metric(unit=unit, reduction=f"{reduction} from printed numbers", kind="exact") for name in names}


METRICS: dict[str, Metric] = (
    _described(
        "1",
        "count",
        *("columns_not_maximum", "columns_not_minimum", "columns_not_calibrated", "columns_not_lower", "columns_lower"),
        *("columns_on_par", "pairs_not_above_half", "cells_below_floor", "rank_error", "fewest_violations"),
        *("pairs_beyond_one_percent", "rows_on_the_wrong_side_of_uniform", "outside", "unreachable_data_sets"),
        *("readings_possible", "saturated_pixels", "largest_dims_celeba", "largest_dims_frey"),
    )
    | _described("nats", "difference", "gap_celeba", "gap_cifar", "gap_frey", "difference_gaussian", "difference_sigma")
    | _described("nats", "difference", "excess_gaussian", "shortfall", "log_bins", "cost")
    | _described("nats", "bound", "floor_2352", "floor_784", "floor_3072", "drift_floor", "hard_floor")
    | _described("%", "ratio", "nll_spread", "nll_spread_percent", "smallest_margin", "largest_margin")
    | _described("%", "ratio", "share", "share_percent", "excess_celeba", "excess_cifar", "excess_frey")
    | _described("1", "relative excess", "relative_excess_cifar", "relative_excess_frey")
    | _described("1", "relative excess", "slack_celeba", "slack_frey")
    | _described("1", "relative error", "gaussian_error", "sigma_error")
    | _described("1", "ratio", "ratio_celeba", "ratio_cifar", "ratio_frey", "nll_ratio", "fid_ratio", "ratio")
    | _described("1", "ratio", "printed_ratio", "total_cv", "noise_cv_train", "noise_cv_test", "noise_cv_batch")
    | _described("1", "rank correlation", "tau_celeba_cifar", "tau_celeba_frey", "tau_cifar_frey")
    | _described("intensity", "value", "sigma_celeba", "sigma_cifar", "sigma_frey", "largest_sigma", "smallest_sigma")
    | _described("1", "value", "needed_log_sigma", "rate_after_30k")
    | _described("pixels", "value", "largest_side_celeba", "largest_side_frey")
    | _described("FID", "difference", "fid_spread")
    | _described("bits/dim", "value", "categorical", "unit_gaussian", "sigma_gaussian", "discretised_gaussian")
    | _described("bits/dim", "value", "discretised_logistic")
    | _described("steps", "value", "steps_svhn", "steps_cifar", "steps_celeba", "steps_frey")
    | _described("epochs", "value", "epochs_cifar", "epochs_celeba")
    | _described("bytes", "value", "size", "tensor_difference")
    | _described("GiB", "value", "size_gib", "rounding_error", "with_scale_map")
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit: all of it is arithmetic."""
    return [Unit({}, 1000)]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Recompute every claim about the printed numbers."""
    return [{"arm": {"claim": claim}, "metrics": check()} for claim, check in CHECKS.items()]


REPRODUCTION = Reproduction(
    id="sigma-vae/tables",
    title="Arithmetic on the printed tables and settings",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=(
        "claims/sigma-vae.yaml",
        *(f"reference/{topic}.py" for topic in ("bounds", "calibration", "quantisation", "schedules")),
    ),
)

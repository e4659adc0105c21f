"""Where and how sharply a metric drops along a grid (procedures C12 and C13 of the HVAE specification).

The curve of medians over seeds is made non-increasing, divided by its first value and read by linear
interpolation; a logistic curve against a straight line (BIC) says whether there is a transition at all.
Intervals come from a bootstrap over seeds with an explicit random state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_HALF, _HIGH, _LOW = 0.5, 0.9, 0.1
_QUANTITIES = ("end", "start", "rho_half", "rho_on", "width", "sharpness", "max_drop", "bic_gain")


def phase_transition(
    rho: ArrayLike,
    curves: ArrayLike,
    *,
    drop_below: float = 0.05,
    min_start: float = 0.5,
    min_bic: float = 10.0,
    resamples: int = 1000,
    random_state: int = 0,
) -> dict[str, Any]:
    """Locate a transition and measure its sharpness.

    Parameters
    ----------
    rho : array, shape (grid,)
        Strictly increasing grid, at least 5 points.
    curves : array, shape (seeds, grid)
        The metric, in its own unit.
    drop_below, min_start, min_bic : float
        A transition is asserted iff the normalised curve ends below ``drop_below``, the curve starts above
        ``min_start`` and the logistic beats the line by more than ``min_bic``.
    resamples, random_state : int
        Size and seed of the bootstrap over seeds.

    Returns
    -------
    dict
        ``asserted`` (True, False, or None when the curve starts too low to have an order parameter),
        ``start``, ``end`` (normalised), ``rho_half``, ``rho_on``, ``width``, ``sharpness``, ``max_drop``
        (metric per unit of rho), ``bic_gain``, ``isotonic_residual``, ``rho_min``, ``median``, ``isotonic``,
        ``intervals`` (95%, per quantity), ``found`` (share of bootstrap samples that have it),
        ``bootstrap`` (the drawn ``rho_on`` values).  A quantity that does not exist (crossing outside of the
        grid) is None.

    Raises
    ------
    ValueError
        For a grid that does not increase, is too short, or does not fit the curves.
    """
    x, y = _checked(rho, curves)
    draws = _bootstrap_medians(y, resamples, random_state)
    distinct, index = np.unique(draws, axis=0, return_inverse=True)
    measured = [_measure(x, curve, drop_below, min_start) for curve in distinct]
    spread = {name: np.array([m[name] for m in measured], dtype=float)[index.ravel()] for name in _QUANTITIES}
    median = np.median(y, axis=0)
    result: dict[str, Any] = _measure(x, median, drop_below, min_start)
    fit = isotonic_decreasing(median)
    asserted: bool | None = None
    if result["start"] > min_start:
        asserted = result["end"] < drop_below and result["bic_gain"] > min_bic
    result |= {
        "asserted": asserted,
        "rho_min": float(x[0]),
        "seeds": len(y),
        "isotonic_residual": float(np.max(np.abs(median - fit))),
        "median": median.tolist(),
        "isotonic": fit.tolist(),
        "intervals": {name: _percentiles(values) for name, values in spread.items()},
        "found": {name: float(np.mean(np.isfinite(values))) for name, values in spread.items()},
        "bootstrap": spread["rho_on"][np.isfinite(spread["rho_on"])].tolist(),
    }
    return result


def same_critical_rho(
    rho: ArrayLike, first: dict[str, Any], second: dict[str, Any], *, contradicted_steps: float = 2.0
) -> dict[str, Any]:
    """Compare the onset of two transitions that were measured on the same grid (procedure C13).

    Parameters
    ----------
    rho : array, shape (grid,)
        The common grid.
    first, second : dict
        Results of `phase_transition`.
    contradicted_steps : float
        Gap, in local grid steps, from which disjoint intervals contradict.

    Returns
    -------
    dict
        ``difference`` (first minus second), ``interval`` (95%, of the difference), ``step`` (the larger grid
        step at the two onsets), ``half_width`` (pooled: root of the sum of squares), ``allowed``,
        ``agree``, ``precise`` (``half_width <= contradicted_steps * step``; wider intervals cannot tell),
        ``disjoint``, ``differ``.  All None when either onset does not exist.
    """
    names = (
        "difference",
        "interval",
        "step",
        "half_width",
        "allowed",
        "agree",
        "precise",
        "disjoint",
        "differ",
    )
    onsets = first["rho_on"], second["rho_on"]
    ranges = first["intervals"]["rho_on"], second["intervals"]["rho_on"]
    if None in onsets or None in ranges:
        return dict.fromkeys(names)
    x = np.asarray(rho, dtype=float)
    step = max(_local_step(x, onset) for onset in onsets)
    half_width = float(np.hypot(*((high - low) / 2 for low, high in ranges)))
    difference = onsets[0] - onsets[1]
    allowed = max(step, half_width)
    disjoint = ranges[0][1] < ranges[1][0] or ranges[1][1] < ranges[0][0]
    pairs = np.subtract.outer(np.asarray(first["bootstrap"]), np.asarray(second["bootstrap"])).ravel()
    return {
        "difference": difference,
        "interval": _percentiles(pairs),
        "step": step,
        "half_width": half_width,
        "allowed": allowed,
        # Interpolation puts the onset a few ulps off a grid point.
        "agree": abs(difference) <= allowed + 1e-12,
        "precise": half_width <= contradicted_steps * step,
        "disjoint": disjoint,
        "differ": disjoint and abs(difference) > contradicted_steps * step + 1e-12,
    }


def isotonic_decreasing(y: ArrayLike) -> Array:
    """Least-squares non-increasing fit of a curve, shape (grid,)."""
    from scipy.optimize import isotonic_regression

    fit: Array = isotonic_regression(np.asarray(y, dtype=float), increasing=False).x
    return fit


def logistic_gain(x: ArrayLike, y: ArrayLike) -> float:
    """BIC of the line minus BIC of ``y0 / (1 + exp((x - r) / b))``: positive if the logistic wins."""
    grid, curve = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    n, total = len(grid), float(np.sum((curve - curve.mean()) ** 2))
    if total == 0:
        return -float(np.log(n))  # both fit a constant exactly; the line has one parameter less
    design = np.stack([np.ones(n), grid], axis=1)
    line = float(np.sum((curve - design @ np.linalg.lstsq(design, curve, rcond=None)[0]) ** 2))
    # A residual below 1e-6 of the spread is an exact fit for our purpose; its logarithm must stay finite.
    floor = 1e-6 * total
    gain = n * np.log(max(line, floor) / max(_logistic_residual(grid, curve), floor))
    return float(gain - np.log(n))


def _logistic_residual(x: Array, y: Array) -> float:
    """Smallest squared residual over (r, b), with y0 >= 0 solved exactly; two zooms around the best cell."""
    span = x[-1] - x[0]
    centres = np.linspace(x[0] - span / 2, x[-1] + span / 2, 81)
    scales = np.geomspace(span / 1000, span, 33)
    best = np.inf
    for _ in range(3):
        r, b = np.meshgrid(centres, scales, indexing="ij")
        basis = _sigmoid((r[..., None] - x) / b[..., None])
        norm = np.sum(basis**2, axis=-1)
        height = np.maximum(0, np.divide(basis @ y, norm, out=np.zeros_like(norm), where=norm > 0))
        residual = np.sum((y - height[..., None] * basis) ** 2, axis=-1)
        i, j = np.unravel_index(np.argmin(residual), residual.shape)
        best = min(best, float(residual[i, j]))
        step, factor = centres[1] - centres[0], scales[1] / scales[0]
        centres = np.linspace(centres[i] - step, centres[i] + step, 21)
        scales = np.geomspace(scales[j] / factor, scales[j] * factor, 21)
    return best


def _sigmoid(t: Array) -> Array:
    from scipy.special import expit

    value: Array = expit(t)
    return value


def _checked(rho: ArrayLike, curves: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(rho, dtype=float), np.asarray(curves, dtype=float)
    if x.ndim != 1 or len(x) < 5:
        raise ValueError(f"rho must be one grid of at least 5 points, got shape {x.shape}")
    if not np.all(np.diff(x) > 0):
        raise ValueError(f"rho must increase strictly, got {x.tolist()}")
    if y.ndim != 2 or y.shape[1] != len(x) or len(y) == 0:
        raise ValueError(f"curves must have shape (seeds, {len(x)}), got {y.shape}")
    if not np.all(np.isfinite(y)):
        raise ValueError("curves must be finite, got nan or inf")
    return x, y


def _bootstrap_medians(y: Array, resamples: int, random_state: int) -> Array:
    rng = np.random.default_rng(random_state)
    medians: Array = np.median(y[rng.integers(0, len(y), size=(resamples, len(y)))], axis=1)
    return medians


def _measure(x: Array, curve: Array, drop_below: float, min_start: float) -> dict[str, Any]:
    fit = isotonic_decreasing(curve)
    result: dict[str, Any] = dict.fromkeys(_QUANTITIES)
    result["start"] = float(fit[0])
    result["max_drop"] = float(np.max(-np.diff(fit) / np.diff(x)))
    result["bic_gain"] = logistic_gain(x, curve)
    if fit[0] <= min_start:
        return result
    m = fit / fit[0]
    high, low = _crossing(x, m, _HIGH), _crossing(x, m, _LOW)
    result["end"] = float(m[-1])
    result["rho_half"] = _crossing(x, m, _HALF)
    result["rho_on"] = _crossing(x, m, drop_below)
    result["width"] = None if high is None or low is None else low - high
    result["sharpness"] = float(np.max(-np.diff(m) / np.diff(x)))
    return result


def _crossing(x: Array, m: Array, level: float) -> float | None:
    """Largest x at which the non-increasing curve crosses the level; None if it stays above."""
    at_or_above = np.flatnonzero(m >= level)
    last = int(at_or_above[-1]) if len(at_or_above) else -1
    if last < 0 or last == len(x) - 1:
        return None
    return float(x[last] + (m[last] - level) / (m[last] - m[last + 1]) * (x[last + 1] - x[last]))


def _local_step(x: Array, place: float) -> float:
    right = int(np.clip(np.searchsorted(x, place), 1, len(x) - 1))
    return float(x[right] - x[right - 1])


def _percentiles(values: Array) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return None
    low, high = np.quantile(finite, (0.025, 0.975))
    return float(low), float(high)

"""The test words: each a pure function of a result table.

Every word answers with a `TestResult`.  How it decides is set out in `claims.verdict`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from claims import statistics, tables, transition
from claims.schema import (
    Count,
    Identity,
    Ordering,
    Overlap,
    RatioAtLeast,
    SameTransition,
    TestSpec,
    Threshold,
    Trend,
    ValueWithin,
)
from claims.tables import Array, Row, described

Status = Literal["supported", "contradicted", "inconclusive", "not run", "error"]

LEVEL = 0.05
MIN_SEEDS = 5


@dataclass(frozen=True)
class TestResult:
    """What one test says.

    Attributes
    ----------
    word : str
        The test word.
    status : str
        ``supported``, ``contradicted``, ``inconclusive``, ``not run`` or ``error``.
    effect : float or None
        The estimated quantity, in the unit of the metric unless the sentence says otherwise.
    interval : tuple of float or None
        Its interval.
    p : float or None
        Uncorrected one-sided p-value in the direction that the claim states; None for exact checks.
    p_corrected : float or None
        The same after Holm's correction over the paper's tests; shown, not decisive.
    n : int
        Seeds (rows for exact checks) that were used.
    details : dict
        Everything else worth showing; JSON types only.
    sentence : str
        One sentence for the reader.
    """

    word: str
    status: Status
    effect: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    p_corrected: float | None = None
    n: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    sentence: str = ""


# Not a test class, whatever its name says.
TestResult.__test__ = False  # type: ignore[attr-defined]


def run_test(spec: TestSpec, table: Sequence[Row], *, exact: bool) -> TestResult:
    """Apply one test to a table.

    Parameters
    ----------
    spec : TestSpec
        One of the test words.
    table : sequence of rows
        Rows of the reproduction that may serve the claim.
    exact : bool
        Whether the metrics are deterministic (static claims): no seeds are needed then.

    Returns
    -------
    TestResult
        Never raises for missing or unusable results; they are its status.
    """
    try:
        result = _WORDS[spec.word](spec, table, exact)
    except tables.Missing as gap:
        return TestResult(spec.word, "not run", sentence=f"Not run: {gap}.")
    except tables.Unusable as fault:
        return TestResult(spec.word, "error", sentence=f"Could not be decided: {fault}.")
    dropped = result.details.get("dropped", 0)
    note = f" ({dropped} left out for want of a finite value)" if dropped else ""
    return replace(result, sentence=_capital(result.sentence) + note + ".")


def decided(
    *, n: int, exact: bool, for_it: bool, against_it: bool, p: float | None, p_reversed: float | None
) -> Status:
    """The common rule: enough seeds, the interval beyond the margin, and the exact p at the level."""
    if not exact and n < MIN_SEEDS:
        return "inconclusive"
    if for_it and (p is None or p <= LEVEL):
        return "supported"
    if against_it and (p_reversed is None or p_reversed <= LEVEL):
        return "contradicted"
    return "inconclusive"


def _identity(spec: Identity, table: Sequence[Row], exact: bool) -> TestResult:
    rows = tables.select(table, spec.where)
    found, dropped = tables.values(rows, spec.metric)
    if dropped:
        raise tables.Unusable(f"metric {spec.metric!r} has no finite value in {dropped} of {len(rows)} rows")
    worst = max(abs(value) for value in found)
    status: Status = "supported" if worst <= spec.tolerance else "contradicted"
    relation = "within" if status == "supported" else "beyond"
    return TestResult(
        spec.word,
        status,
        effect=worst,
        n=len(found),
        details={"tolerance": spec.tolerance},
        sentence=(f"{_label(spec.metric)} is {_number(worst, spec)}, {relation} the tolerance {spec.tolerance:g}"),
    )


def _value_within(spec: ValueWithin, table: Sequence[Row], exact: bool) -> TestResult:
    rows = tables.select(table, spec.where)
    found, dropped = tables.values(rows, spec.metric)
    if not exact:
        found = list(tables.by_seed(table, spec.where or {}, spec.metric)[0].values())
    band = max(spec.tolerance or 0.0, (spec.relative or 0.0) * abs(spec.target), (spec.digits_unit or 0.0) / 2)
    mean, n = float(np.mean(found)), len(found)
    details: dict[str, Any] = {"target": spec.target, "band": band, "dropped": dropped}
    head = f"{_label(spec.metric)} is {_number(mean, spec)}"
    tail = f"target {spec.target:g} +- {band:g}"
    if exact:
        # Printed decimals such as 0.18 are not binary fractions: allow the rounding of the arithmetic.
        slack = 1e-12 * max(1.0, abs(spec.target))
        inside = all(abs(value - spec.target) <= band + slack for value in found)
        return TestResult(
            spec.word,
            "supported" if inside else "contradicted",
            effect=mean,
            n=n,
            details=details,
            sentence=f"{head}, {tail}",
        )
    if n < 2:
        return TestResult(spec.word, "inconclusive", mean, n=n, details=details, sentence=f"{head} in one run, {tail}")
    low, high = statistics.prediction_interval(found)
    bottom, top = spec.target - band, spec.target + band
    above, below = statistics.mean_p(-np.array(found), -bottom), statistics.mean_p(found, top)
    p, p_reversed = max(above, below), min(1 - above, 1 - below)
    status = decided(
        n=n,
        exact=False,
        for_it=bottom <= low and high <= top,
        against_it=high < bottom or low > top,
        p=p,
        p_reversed=p_reversed,
    )
    return TestResult(
        spec.word,
        status,
        effect=mean,
        interval=(low, high),
        p=p,
        n=n,
        details=details | {"p_reversed": p_reversed, "interval_kind": "95% prediction interval of one run"},
        sentence=f"{head} [{low:.4g}, {high:.4g}] over {n} seeds, {tail}",
    )


def _ordering(spec: Ordering, table: Sequence[Row], exact: bool) -> TestResult:
    high, low, dropped = tables.pairs(table, spec.greater, spec.less, spec.metric)
    if spec.transform == "log":
        if min(high.min(), low.min()) <= 0:
            raise tables.Unusable(
                f"metric {spec.metric!r} must be positive for the log, got {min(high.min(), low.min())}"
            )
        high, low = np.log(high), np.log(low)
    difference = high - low
    effect, n = float(difference.mean()), len(difference)
    beyond = difference - spec.margin
    better, worse = described(spec.greater, against=spec.less), described(spec.less, against=spec.greater)
    details: dict[str, Any] = {
        "margin": spec.margin,
        "dropped": dropped,
        "pairs_above": int(np.sum(beyond > 0)),
        "differences": difference.tolist(),
    }
    verb = "exceeds" if effect >= 0 else "is below"
    amount = _number(abs(effect), spec) + (" (in logarithms)" if spec.transform == "log" else "")
    head = f"{_label(spec.metric)} at {better} {verb} {worse} by {amount}"
    if exact:
        status: Status = "supported" if bool(np.all(beyond > 0)) else "contradicted"
        return TestResult(spec.word, status, effect, n=n, details=details, sentence=head)
    interval, p, p_reversed = _paired(beyond)
    shown = None if interval is None else (interval[0] + spec.margin, interval[1] + spec.margin)
    agreeing = int(np.sum(difference > 0)) if effect >= 0 else int(np.sum(difference < 0))
    return TestResult(
        spec.word,
        _paired_status(n, interval, interval, p, p_reversed),
        effect=effect,
        interval=shown,
        p=p,
        n=n,
        details=details | {"p_reversed": p_reversed},
        sentence=f"{head}{_range(shown, flip=effect < 0)} in {agreeing} of {n} seeds",
    )


def _ratio_at_least(spec: RatioAtLeast, table: Sequence[Row], exact: bool) -> TestResult:
    top, bottom, dropped = tables.pairs(table, spec.numerator, spec.denominator, spec.metric)
    if bottom.min() <= 0:
        raise tables.Unusable(f"metric {spec.metric!r} must be positive in the denominator, got {bottom.min():g}")
    floor = spec.at_least if spec.contradicted_below is None else spec.contradicted_below
    effect, n = float(np.median(top) / np.median(bottom)), len(top)
    details: dict[str, Any] = {"at_least": spec.at_least, "contradicted_below": floor, "dropped": dropped}
    above, below = (
        described(spec.numerator, against=spec.denominator),
        described(spec.denominator, against=spec.numerator),
    )
    head = f"{_label(spec.metric)} at {above} is {_digits(effect)} times that at {below}"
    if exact:
        ratios = top / bottom
        status: Status = "supported" if bool(np.all(ratios >= spec.at_least)) else "inconclusive"
        status = "contradicted" if bool(np.any(ratios < floor)) else status
        return TestResult(spec.word, status, effect, n=n, details=details, sentence=head)
    interval, p, p_reversed = None, None, None
    if n >= 2:
        interval = statistics.bca_interval(
            np.stack([top, bottom], axis=1),
            lambda s: np.median(s[..., 0], axis=-1) / np.median(s[..., 1], axis=-1),
        )
    p = statistics.sign_flip_p(top - spec.at_least * bottom)
    p_reversed = statistics.sign_flip_p(floor * bottom - top)
    for_it = interval is not None and interval[0] >= spec.at_least
    against_it = interval is not None and interval[1] < floor
    return TestResult(
        spec.word,
        decided(n=n, exact=False, for_it=for_it, against_it=against_it, p=p, p_reversed=p_reversed),
        effect=effect,
        interval=interval,
        p=p,
        n=n,
        details=details | {"p_reversed": p_reversed},
        sentence=f"{head}{_range(interval)} over {n} seeds (at least {spec.at_least:g} wanted)",
    )


def _trend(spec: Trend, table: Sequence[Row], exact: bool) -> TestResult:
    grid, curves, dropped = tables.curves(table, spec.where, spec.along, spec.metric)
    if len(grid) < 3:
        raise tables.Missing(f"a trend needs at least 3 values of {spec.along}, got {len(grid)}")
    sign = 1.0 if spec.direction == "increasing" else -1.0
    per_seed = statistics.rank_correlation(grid, curves)
    effect, n = float(statistics.rank_correlation(grid, np.median(curves, axis=0))), len(curves)
    details: dict[str, Any] = {
        "per_seed": per_seed.tolist(),
        "grid": grid.tolist(),
        "wanted": sign * spec.min_correlation,
        "dropped": dropped,
    }
    head = f"median {_label(spec.metric)} has rank correlation {effect:.3f} with {spec.along}"
    if exact:
        status: Status = "supported" if sign * effect >= spec.min_correlation else "contradicted"
        return TestResult(spec.word, status, effect, n=n, details=details, sentence=head)
    interval = (
        statistics.bca_interval(curves, lambda s: statistics.rank_correlation(grid, np.median(s, axis=-2)))
        if n >= 2
        else None
    )
    p, p_reversed = statistics.sign_flip_p(sign * per_seed), statistics.sign_flip_p(-sign * per_seed)
    ends = None if interval is None else sorted(sign * end for end in interval)
    return TestResult(
        spec.word,
        decided(
            n=n,
            exact=False,
            for_it=ends is not None and ends[0] >= spec.min_correlation,
            against_it=ends is not None and ends[1] < 0,
            p=p,
            p_reversed=p_reversed,
        ),
        effect=effect,
        interval=interval,
        p=p,
        n=n,
        details=details | {"p_reversed": p_reversed},
        sentence=f"{head}{_range(interval)} over {n} seeds ({sign * spec.min_correlation:g} wanted)",
    )


def _threshold(spec: Threshold, table: Sequence[Row], exact: bool) -> TestResult:
    grid, curves, dropped = _grid_for_transition(spec, table, spec.where)
    found = _fitted(spec, grid, curves)
    n = len(curves)
    start, last = curves[:, 0], curves[:, -1]
    ordered = found["asserted"] is not None
    passing = int(np.sum((start > spec.min_start) & (last < spec.drop_below * start)))
    staying = int(np.sum((start > spec.min_start) & (last > spec.contradicted_above * start)))
    straight = sum(transition.logistic_gain(grid, curve) < 0 for curve in curves)
    p = statistics.binomial_p(passing, n)
    p_stays, p_line = statistics.binomial_p(staying, n), statistics.binomial_p(straight, n)
    ranges = found["intervals"]
    for_it = bool(
        found["asserted"]
        and ranges["end"][1] < spec.drop_below
        and ranges["start"][0] > spec.min_start
        and ranges["bic_gain"][0] > 0
    )
    stays = ordered and ranges["end"][0] > spec.contradicted_above and p_stays <= LEVEL
    line_wins = ordered and ranges["bic_gain"][1] < 0 and p_line <= LEVEL
    p_reversed = min(p_stays, p_line)
    details = {name: value for name, value in found.items() if name != "bootstrap"}
    details |= {
        "grid": grid.tolist(),
        "dropped": dropped,
        "p_reversed": p_reversed,
        "seeds_that_drop": passing,
    }
    return TestResult(
        spec.word,
        decided(n=n, exact=False, for_it=for_it, against_it=stays or line_wins, p=p, p_reversed=p_reversed),
        effect=found["rho_on"],
        interval=ranges["rho_on"],
        p=p,
        n=n,
        details=details,
        sentence=_transition_sentence(spec, found, n),
    )


def _transition_sentence(spec: Threshold, found: dict[str, Any], n: int) -> str:
    label = _label(spec.metric)
    start = _number(found["start"], spec)
    if found["asserted"] is None:
        return f"{label} starts at {start} only, not above {spec.min_start:g}: there is nothing to drop, {n} seeds"
    where = "" if found["rho_half"] is None else f", half of it gone at {spec.along} = {found['rho_half']:.3f}"
    onset = (
        ""
        if found["rho_on"] is None
        else f", collapsed from {spec.along} = {found['rho_on']:.3f}{_range(found['intervals']['rho_on'])} on"
    )
    better = "beats" if found["bic_gain"] > 0 else "loses to"
    return (
        f"{label} falls from {start} to {found['end']:.1%} of it{where}{onset}; a logistic {better} a "
        f"line by {abs(found['bic_gain']):.1f} BIC (gain{_range(found['intervals']['bic_gain'])}, "
        f"{spec.min_bic:g} wanted), {n} seeds"
    )


def _same_transition(spec: SameTransition, table: Sequence[Row], exact: bool) -> TestResult:
    grid, one, lost_one = _grid_for_transition(spec, table, spec.first)
    other_grid, two, lost_two = _grid_for_transition(spec, table, spec.second)
    if len(grid) != len(other_grid) or not np.allclose(grid, other_grid, rtol=0, atol=1e-9):
        raise tables.Unusable(f"the two groups have different values of {spec.along}")
    # Different random states, or the two bootstraps would draw the same seeds.
    first, second = _fitted(spec, grid, one), _fitted(spec, grid, two, random_state=1)
    compared = transition.same_critical_rho(grid, first, second, contradicted_steps=spec.contradicted_steps)
    n = min(len(one), len(two))
    names = described(spec.first, against=spec.second), described(spec.second, against=spec.first)
    details = {key: value for key, value in compared.items() if key != "interval"}
    details |= {
        "rho_on": [first["rho_on"], second["rho_on"]],
        "asserted": [first["asserted"], second["asserted"]],
    }
    details |= {"rho_on_intervals": [first["intervals"]["rho_on"], second["intervals"]["rho_on"]]}
    details |= {"grid": grid.tolist(), "dropped": lost_one + lost_two}
    # An onset that is missing from some bootstrap samples has an interval that says too little.
    sure = min(first["found"]["rho_on"], second["found"]["rho_on"]) >= 1 - LEVEL
    if compared["difference"] is None:
        sentence = f"{_label(spec.metric)} has no onset of collapse for {names[0]} or for {names[1]}, {n} seeds each"
        return TestResult(spec.word, "inconclusive", n=n, details=details, sentence=sentence)
    sentence = (
        f"{_label(spec.metric)} collapses at {spec.along} = {first['rho_on']:.3f} for {names[0]} and "
        f"{second['rho_on']:.3f} for {names[1]}, {abs(compared['difference']):.3f} apart where "
        f"{compared['allowed']:.3f} counts as equal, {n} seeds each"
    )
    return TestResult(
        spec.word,
        decided(
            n=n,
            exact=False,
            for_it=sure and compared["agree"] and compared["precise"],
            against_it=sure and compared["differ"],
            p=None,
            p_reversed=None,
        ),
        effect=compared["difference"],
        interval=compared["interval"],
        n=n,
        details=details,
        sentence=sentence,
    )


def _overlap(spec: Overlap, table: Sequence[Row], exact: bool) -> TestResult:
    told, values, intervals = [], [], []
    seeds, lost = [], 0
    for pair in spec.pairs:
        # The first group by all of its fields, or two pairs would read alike.
        names = described(pair.first), described(pair.second, against=pair.first)
        for state, (where, name) in enumerate(zip((pair.first, pair.second), names, strict=True)):
            grid, curves, dropped = _grid_for_transition(spec, table, where)
            # Different random states, or the two bootstraps would draw the same seeds.
            found = _fitted(spec, grid, curves, random_state=state)
            seeds.append(len(curves))
            lost += dropped
            # A quantity that is missing from some bootstrap samples has an interval that says too little.
            sure = found["found"][spec.quantity] >= 1 - LEVEL
            values.append(found[spec.quantity])
            intervals.append(found["intervals"][spec.quantity] if sure else None)
            told.append("none" if values[-1] is None else f"{_digits(values[-1])}{_range(intervals[-1])}")
            told[-1] += f" for {name}"
    ranges = [interval for interval in intervals if interval is not None]
    known = len(ranges) == len(intervals)
    disjoint = [False] * len(spec.pairs)
    if known:
        disjoint = [a[1] < b[0] or b[1] < a[0] for a, b in zip(ranges[::2], ranges[1::2], strict=True)]
    precise = known and all(0 < high <= 2 * low for low, high in ranges)
    sentence = f"{_label(spec.quantity)} of the drop of {_label(spec.metric)} is " + "; ".join(
        f"{one} and {two} ({'apart' if gap else 'overlapping' if known else 'not comparable'})"
        for one, two, gap in zip(told[::2], told[1::2], disjoint, strict=True)
    )
    return TestResult(
        spec.word,
        decided(
            n=min(seeds),
            exact=False,
            for_it=precise and not any(disjoint),
            against_it=known and all(disjoint),
            p=None,
            p_reversed=None,
        ),
        n=min(seeds),
        details={"values": values, "intervals": intervals, "disjoint": disjoint, "precise": precise, "dropped": lost},
        sentence=f"{sentence}, {min(seeds)} seeds each",
    )


def _count(spec: Count, table: Sequence[Row], exact: bool) -> TestResult:
    if exact:
        found, dropped = tables.values(tables.select(table, spec.where), spec.metric)
    else:
        per_seed, dropped = tables.by_seed(table, spec.where, spec.metric)
        found = list(per_seed.values())
    n = len(found)
    hits = sum(_holds(spec, value) for value in found)
    share = n / spec.of if spec.of is not None else 1.0
    # The bounds scale with the number of seeds; 1e-9 keeps 4 of 5 at 4 when n / of is not exact.
    wanted = math.ceil(spec.at_least * share - 1e-9)
    at_most = None if spec.contradicted_at_most is None else math.floor(spec.contradicted_at_most * share + 1e-9)
    for_it, against_it = hits >= wanted, at_most is not None and hits <= at_most
    predicate = f"above {spec.above:g}" if spec.above is not None else f"below {spec.below:g}"
    details: dict[str, Any] = {
        "hits": hits,
        "wanted": wanted,
        "contradicted_at_most": at_most,
        "dropped": dropped,
    }
    unit = "rows" if exact else "seeds"
    place = described(spec.where)
    head = f"{_label(spec.metric)} at {place} is {predicate} in {hits} of {n} {unit} ({wanted} wanted)"
    if exact:
        status = decided(n=n, exact=True, for_it=for_it, against_it=against_it, p=None, p_reversed=None)
        return TestResult(spec.word, status, float(hits), n=n, details=details, sentence=head)
    p, p_reversed = statistics.binomial_p(hits, n), statistics.binomial_p(n - hits, n)
    low, high = statistics.binomial_interval(hits, n)
    return TestResult(
        spec.word,
        decided(n=n, exact=False, for_it=for_it, against_it=against_it, p=p, p_reversed=p_reversed),
        effect=hits / n,
        interval=(low, high),
        p=p,
        n=n,
        details=details | {"p_reversed": p_reversed, "values": found, "interval_kind": "90% Clopper-Pearson"},
        sentence=head,
    )


def _holds(spec: Count, value: float) -> bool:
    if spec.above is not None:
        return value > spec.above
    return spec.below is not None and value < spec.below


def _paired(beyond: Array) -> tuple[tuple[float, float] | None, float, float]:
    interval = statistics.bca_interval(beyond, lambda s: s.mean(axis=-1)) if len(beyond) >= 2 else None
    return interval, statistics.sign_flip_p(beyond), statistics.sign_flip_p(-beyond)


def _paired_status(
    n: int,
    for_interval: tuple[float, float] | None,
    against_interval: tuple[float, float] | None,
    p: float,
    p_reversed: float,
) -> Status:
    return decided(
        n=n,
        exact=False,
        for_it=for_interval is not None and for_interval[0] > 0,
        against_it=against_interval is not None and against_interval[1] < 0,
        p=p,
        p_reversed=p_reversed,
    )


def _grid_for_transition(
    spec: Threshold | SameTransition | Overlap, table: Sequence[Row], where: dict[str, Any] | None
) -> tuple[Array, Array, int]:
    grid, curves, dropped = tables.curves(table, where, spec.along, spec.metric)
    if len(grid) < 5:
        raise tables.Missing(f"a transition needs at least 5 values of {spec.along}, got {len(grid)}")
    return grid, curves, dropped


def _fitted(
    spec: Threshold | SameTransition | Overlap, grid: Array, curves: Array, *, random_state: int = 0
) -> dict[str, Any]:
    return transition.phase_transition(
        grid,
        curves,
        drop_below=spec.drop_below,
        min_start=spec.min_start,
        min_bic=spec.min_bic if isinstance(spec, Threshold) else 10.0,
        random_state=random_state,
    )


def _label(metric: str) -> str:
    capitals = {"kl": "KL", "iw": "IW", "elbo": "ELBO", "vae": "VAE", "hvae": "HVAE", "iwae": "IWAE"}
    return " ".join(capitals.get(part, part) for part in metric.split("_"))


def _number(value: float, spec: TestSpec) -> str:
    return _digits(value) + (f" {spec.unit}" if spec.unit else "")


def _digits(value: float) -> str:
    """Three digits, of thousands all before the point: 1010 steps, not 1.01e+03."""
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"


def _range(interval: tuple[float, float] | None, *, flip: bool = False) -> str:
    if interval is None:
        return ""
    low, high = (-interval[1], -interval[0]) if flip else interval
    return f" [{_digits(low)}, {_digits(high)}]"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


_WORDS: dict[str, Callable[[Any, Sequence[Row], bool], TestResult]] = {
    "identity": _identity,
    "value_within": _value_within,
    "ordering": _ordering,
    "ratio_at_least": _ratio_at_least,
    "trend": _trend,
    "threshold": _threshold,
    "same_transition": _same_transition,
    "overlap": _overlap,
    "count": _count,
}

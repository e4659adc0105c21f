"""How evidence decides a claim.

The rule
--------
Every claim has tests with criteria that were written down before the runs.  All tests supported: the claim is
supported.  One contradicted: contradicted.  One that could not be decided: ``error`` or ``not run``.
Otherwise inconclusive.  The smoke scale never yields a verdict.

A *static* claim rests on deterministic numbers: its criterion is applied to the numbers as they are, without
seeds and without a p-value.

A test over seeds decides only if three things hold together:

1. at least five seeds (pairs of seeds where two arms are compared);
2. the pre-registered criterion holds with the whole interval on its side (95% BCa bootstrap over seeds, a 95%
   prediction interval for values, 90% Clopper-Pearson, that is 5% in each tail, for counts);
3. the one-sided exact p-value is at most .05 (sign flips of paired differences, binomial for counts and for
   the number of seeds that drop; Student for values).

``contradicted`` is the mirror image, with the criterion that the claim names for it; everything between is
``inconclusive``. The exact p-value is what bounds false alarms: a bootstrap interval of five seeds covers
less than it says. Each of "supported" and "contradicted" therefore has a false-alarm rate of at most .05
per test (1/32 at five pairs, where all five must agree). Two words differ. `threshold` needs its criterion
(C12) for the median curve, intervals of the start and of the end beyond their bounds, and a BIC gain whose
interval excludes that the straight line wins; the pre-registered 10 is asked of the median curve.
`same_transition` is an equivalence without a natural exact p-value: it asks for agreement and for intervals
narrow enough to have shown a difference (its error rates are measured in the tests). `overlap` asks the same of
other quantities of the transition, several pairs at once.

Many claims, few seeds
----------------------
With n pairs the smallest one-sided p-value is ``2**-n``: .031 for five seeds.  After a family-wise correction
over more than one test nothing could be supported with five seeds however large the effect.  The corrected
value (Holm, over all tests of the same paper and scale that have a p-value) is therefore *shown* beside each
result, with ``details["survives_correction"]``, and does not decide.  A reader should expect about one false
"supported" in twenty to thirty-two tests of effects that do not exist; a claim that also survives the
correction is stronger evidence.  Claims of the same paper share runs, which Holm allows for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from claims.schema import Claim
from claims.statistics import holm
from claims.tables import Row, rows_for
from claims.words import LEVEL, MIN_SEEDS, Status, TestResult, run_test

__all__ = ["LEVEL", "MIN_SEEDS", "Status", "TestResult", "Verdict", "decide", "decide_paper"]


@dataclass(frozen=True)
class Verdict:
    """The decision about one claim at one scale.

    ``seeds`` is the smallest number of seeds (rows for static claims) that any of its tests used; ``reason``
    says in one sentence why the status is what it is.
    """

    claim_id: str
    status: Status
    scale: str
    seeds: int = 0
    tests: list[TestResult] = field(default_factory=list)
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def decide(
    claim: Claim,
    table: Sequence[Row],
    *,
    scale: str,
    n_tests_in_family: int = 1,
    failures: Sequence[str] = (),
) -> Verdict:
    """Decide one claim.

    Parameters
    ----------
    claim : Claim
        The claim with its tests.
    table : sequence of rows
        Result table of the claim's reproduction at this scale.
    scale : str
        Name of the scale; ``smoke`` never yields a verdict.
    n_tests_in_family : int
        Number of tests with a p-value in the paper; ``p_corrected`` is then Bonferroni's, an upper bound of
        what `decide_paper` shows.
    failures : sequence of str
        One short text per unit that failed; they explain an ``error`` or a missing arm.

    Returns
    -------
    Verdict
        With one `TestResult` per test.

    Raises
    ------
    ValueError
        If ``n_tests_in_family`` is below 1.
    """
    if n_tests_in_family < 1:
        raise ValueError(f"n_tests_in_family must be at least 1, got {n_tests_in_family}")
    verdict = _decide(claim, table, scale, failures)
    corrected = [None if t.p is None else min(1.0, t.p * n_tests_in_family) for t in verdict.tests]
    return _with_corrected(verdict, corrected, n_tests_in_family)


def decide_paper(
    claims: Iterable[Claim],
    tables_by_reproduction: Mapping[str, Sequence[Row]],
    scale: str,
    *,
    failures: Mapping[str, Sequence[str]] | None = None,
) -> list[Verdict]:
    """Decide all claims of a paper at one scale, with Holm's correction over its tests.

    Parameters
    ----------
    claims : iterable of Claim
        The claims of one paper.
    tables_by_reproduction : mapping
        Reproduction id to result table; an absent one counts as empty.
    scale : str
        Name of the scale.
    failures : mapping, optional
        Reproduction id to short texts of the units that failed.

    Returns
    -------
    list of Verdict
        In the order of the claims.
    """
    verdicts = []
    for claim in claims:
        key = claim.reproduction or ""
        failed = (failures or {}).get(key, ())
        verdicts.append(_decide(claim, tables_by_reproduction.get(key, ()), scale, failed))
    p_values = [test.p for verdict in verdicts for test in verdict.tests if test.p is not None]
    adjusted = iter(holm(p_values))
    return [
        _with_corrected(verdict, [None if test.p is None else next(adjusted) for test in verdict.tests], len(p_values))
        for verdict in verdicts
    ]


def _decide(claim: Claim, table: Sequence[Row], scale: str, failures: Sequence[str]) -> Verdict:
    if claim.tests is None:
        return Verdict(claim.id, "not run", scale, reason=claim.not_run or "")
    if scale == "smoke":
        return Verdict(claim.id, "not run", scale, reason="smoke scale")
    rows = rows_for(claim.id, table)
    if not rows:
        if failures:
            reason = f"all units of {claim.reproduction} failed: {_listed(failures)}"
            return Verdict(claim.id, "error", scale, reason=reason)
        return Verdict(claim.id, "not run", scale, reason=f"no results of {claim.reproduction} at scale {scale}")
    results = [run_test(spec, rows, exact=claim.tier == "static") for spec in claim.tests]
    status = _combined([result.status for result in results])
    if status == "not run" and failures:
        status = "error"
    seeds = min(result.n for result in results)
    return Verdict(claim.id, status, scale, seeds, results, _reason(status, results, failures))


def _combined(statuses: Sequence[Status]) -> Status:
    order: tuple[Status, ...] = ("contradicted", "error", "not run", "inconclusive")
    return next((status for status in order if status in statuses), "supported")


def _reason(status: Status, results: Sequence[TestResult], failures: Sequence[str]) -> str:
    told = " ".join(result.sentence for result in results if result.status == status)
    few = [result.n for result in results if result.n < MIN_SEEDS]
    if status == "inconclusive" and few:
        told += f" At least {MIN_SEEDS} seeds are needed, the least here is {min(few)}."
    if failures:
        told += f" Failed units: {_listed(failures)}."
    return told.strip() or next((result.sentence for result in results if result.status == "not run"), "")


def _listed(failures: Sequence[str]) -> str:
    more = f" and {len(failures) - 3} more" if len(failures) > 3 else ""
    return "; ".join(failures[:3]) + more


def _with_corrected(verdict: Verdict, corrected: Sequence[float | None], family: int) -> Verdict:
    tests = [
        test
        if p is None
        else replace(
            test,
            p_corrected=p,
            details=test.details | {"tests_in_family": family, "survives_correction": p <= LEVEL},
        )
        for test, p in zip(verdict.tests, corrected, strict=True)
    ]
    return replace(verdict, tests=tests)

"""What the report shows: claims with their findings, gathered from claim files and result stores.

Plain dataclasses, so that the builder can hand the same picture to the notebooks' own processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SCALES = ("smoke", "laptop", "night", "gpu", "paper")
STATUSES = ("supported", "contradicted", "inconclusive", "error", "not run")
TIERS = ("static", "scaled", "paper-scale")
SOURCES = ("published", "machine")
SOURCE_LABELS = {"published": "Published with the repository", "machine": "This machine"}

Row = dict[str, Any]


def scale_rank(scale: str) -> int:
    """Order of a scale, larger is stronger evidence; an unknown scale ranks below all."""
    return SCALES.index(scale) if scale in SCALES else -1


def anchor_of(claim_id: str) -> str:
    """Fragment of a claim on its paper's page: ``hvae/fig-1/x`` becomes ``fig-1--x``."""
    return claim_id.split("/", 1)[-1].replace("/", "--")


def equation_anchor(equation_id: str) -> str:
    """Fragment of an equation on its paper's atlas page."""
    return "eq-" + equation_id.split("/", 1)[-1].replace("/", "--")


@dataclass(frozen=True)
class UnitLink:
    """One finished or failed unit and where its JSON lies, relative to the report's root."""

    key: str
    seed: int
    status: str
    href: str
    seconds: float | None
    error: str


@dataclass(frozen=True)
class TestView:
    """One decided test of a claim."""

    word: str
    metric: str
    unit: str
    status: str
    effect: float | None
    interval: tuple[float, float] | None
    p: float | None
    p_corrected: float | None
    n: int
    sentence: str
    details: Mapping[str, Any]

    @property
    def label(self) -> str:
        """What was tested, for a table: the word, the metric, its unit."""
        return f"{self.word}: {self.metric.replace('_', ' ')}".rstrip(": ") + (f", {self.unit}" if self.unit else "")


@dataclass(frozen=True)
class Finding:
    """The verdict on one claim from one store at one scale."""

    source: str
    scale: str
    status: str
    seeds: int
    reason: str
    tests: tuple[TestView, ...]
    units: tuple[UnitLink, ...]


@dataclass(frozen=True)
class ClaimView:
    """A claim, its criterion, and every finding about it, strongest first within a source."""

    id: str
    paper: str
    where: str
    says: str
    numbers: tuple[Mapping[str, Any], ...]
    kind: str
    tier: str
    check: str
    equations: tuple[str, ...]
    needs: tuple[str, ...]
    reproduction: str
    criteria: tuple[Mapping[str, Any], ...]
    not_run: str
    note: str
    findings: tuple[Finding, ...]
    configuration: Mapping[str, Any] | None = None
    cost: Mapping[str, Any] | None = None

    @property
    def anchor(self) -> str:
        """Fragment of this claim on its paper's page."""
        return anchor_of(self.id)

    @property
    def href(self) -> str:
        """Address of this claim, relative to the report's root."""
        return f"{self.paper}.html#{self.anchor}"

    def of(self, source: str) -> tuple[Finding, ...]:
        """Findings of one source, largest scale first."""
        return tuple(finding for finding in self.findings if finding.source == source)

    def deciding(self, source: str) -> Finding | None:
        """Return the finding at the largest scale that yields a verdict, else the strongest one, else None."""
        found = self.of(source)
        decided = [finding for finding in found if finding.status not in {"not run", "error"}]
        return next(iter([*decided, *found]), None)

    def status(self, source: str) -> str:
        """Verdict that one source gives."""
        finding = self.deciding(source)
        return finding.status if finding else "not run"

    def reason(self, source: str) -> str:
        """Why there is no verdict from this source; empty when there is one."""
        finding = self.deciding(source)
        if finding is not None and finding.status not in {"not run", "error"}:
            return ""
        if finding is not None and finding.reason:
            return finding.reason
        if self.not_run:
            return self.not_run
        if not self.criteria:
            return "no executable criterion yet"
        return "no results in this store" if not self.reproduction else f"no results of {self.reproduction} yet"


@dataclass(frozen=True)
class PaperView:
    """One paper with its claims in the order of its file."""

    slug: str
    title: str
    decision_rule: str
    changelog: tuple[Mapping[str, str], ...]
    claims: tuple[ClaimView, ...]

    @property
    def href(self) -> str:
        """Address of the paper's page, relative to the report's root."""
        return f"{self.slug}.html"


@dataclass(frozen=True)
class Site:
    """Everything the pages need."""

    papers: tuple[PaperView, ...]
    equations: frozenset[str]
    has_machine: bool
    tables: Mapping[tuple[str, str, str], Sequence[Row]] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources shown: the published results always, this machine's where there are any."""
        return SOURCES if self.has_machine else SOURCES[:1]

    @property
    def claims(self) -> tuple[ClaimView, ...]:
        """All claims, paper by paper."""
        return tuple(claim for paper in self.papers for claim in paper.claims)

    def paper(self, slug: str) -> PaperView:
        """Return one paper.

        Raises
        ------
        ValueError
            When no claim file carries that slug.
        """
        for paper in self.papers:
            if paper.slug == slug:
                return paper
        raise ValueError(f"slug must be one of {[p.slug for p in self.papers]}, got {slug!r}")

    def best_table(self, source: str, reproduction: str) -> tuple[str, Sequence[Row]] | None:
        """Return (scale, rows) of a reproduction at the largest scale that a source holds, or None."""
        scales = [key[1] for key in self.tables if key[0] == source and key[2] == reproduction]
        if not scales:
            return None
        scale = max(scales, key=scale_rank)
        return scale, self.tables[source, scale, reproduction]


def counts(claims: Sequence[ClaimView], source: str) -> dict[str, int]:
    """Return the number of claims per verdict, every verdict present."""
    found = dict.fromkeys(STATUSES, 0)
    for claim in claims:
        found[claim.status(source)] += 1
    return found

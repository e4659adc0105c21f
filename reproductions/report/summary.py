"""The table of verdicts in Markdown, for reading on a forge."""

from __future__ import annotations

from collections.abc import Iterable

from reproductions.report.model import STATUSES, ClaimView, PaperView, Site, TestView, counts
from reproductions.report.render import full_run, number, p_value

PUBLISHED = "published"

_SIGNS = {
    "supported": "\u2714 supported",
    "contradicted": "\u2716 **contradicted**",
    "inconclusive": "\u223c inconclusive",
    "error": "! error",
    "not run": "\u25cb not run",
}


def markdown(site: Site) -> str:
    """Return the whole summary of the published results; links are relative to the report's folder.

    Results of this machine stay out: the summary is committed, and a run must not change it.
    """
    tally = ", ".join(f"{n} {status}" for status, n in counts(site.claims, PUBLISHED).items() if n)
    lines = ["# Evidence: summary", "", f"**Published with the repository:** {tally or 'no claims'}.", ""]
    lines += [
        "The largest scale that was run decides. Effects are given with their 95% interval; p-values are corrected",
        "over all tests of a paper (Holm). Open [index.html](index.html) for figures, criteria and result files.",
        "",
        *_counts(site),
    ]
    for paper in site.papers:
        lines += _paper(paper)
    return "\n".join(lines).rstrip() + "\n"


def _counts(site: Site) -> list[str]:
    rows = [[paper.slug, *counts(paper.claims, PUBLISHED).values(), len(paper.claims)] for paper in site.papers]
    return [*_table(["paper", *STATUSES, "all"], rows), ""]


def _paper(paper: PaperView) -> list[str]:
    lines = [f"## {paper.title}", ""]
    decided = [claim for claim in paper.claims if claim.status(PUBLISHED) != "not run"]
    if decided:
        header = ["claim", "verdict", "effect [95% interval]", "p (corrected)", "seeds", "scale"]
        lines += [*_table(header, [_claim(claim, PUBLISHED) for claim in decided]), ""]
    else:
        lines += ["No claim has a verdict yet.", ""]
    waiting = [claim for claim in paper.claims if claim.status(PUBLISHED) == "not run"]
    if waiting:
        lines += [f"<details><summary>{len(waiting)} claims not run</summary>", ""]
        rows = [[f"[{c.id.split('/', 1)[1]}]({c.href})", c.tier, c.reason(PUBLISHED), full_run(c)] for c in waiting]
        lines += [*_table(["claim", "tier", "reason", "what it would run"], rows), "", "</details>", ""]
    return lines


def _claim(claim: ClaimView, source: str) -> list[object]:
    finding = claim.deciding(source)
    name = f"[{claim.id.split('/', 1)[1]}]({claim.href})"
    if finding is None:
        return [name, _SIGNS["not run"], "", "", "", ""]
    tests = [test for test in finding.tests if test.effect is not None]
    effects = "; ".join(_effect(test) for test in tests)
    p_values = "; ".join(p_value(test.p_corrected) for test in tests if test.p_corrected is not None)
    return [
        name,
        _SIGNS.get(finding.status, finding.status),
        effects or finding.reason,
        p_values,
        finding.seeds,
        finding.scale,
    ]


def _effect(test: TestView) -> str:
    text = number(test.effect)
    return text if test.interval is None else f"{text} [{number(test.interval[0])}, {number(test.interval[1])}]"


def _table(header: Iterable[object], rows: Iterable[Iterable[object]]) -> list[str]:
    titles = list(header)
    lines = [_line(titles), _line(["---"] * len(titles))]
    return lines + [_line(row) for row in rows]


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

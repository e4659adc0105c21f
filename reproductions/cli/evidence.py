"""The verdicts that a store holds, and how the commands tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reproductions.cli.usage import find_reproductions

if TYPE_CHECKING:
    from claims import Claim, Paper, Verdict
    from reproductions.harness.discovery import Found
    from reproductions.harness.store import Record, Store

Entry = tuple["Verdict", str, "list[Record]", bool]


def verdicts_of(
    papers: dict[str, Paper],
    store: Store,
    scale: str | None = None,
    found: dict[str, Found] | None = None,
) -> dict[str, list[Entry]]:
    """Decide the claims from a store, largest scale first.

    Returns for each claim with tests ``(verdict, reproduction, records, of the current code)``, an entry per
    scale that has results. With ``scale`` there is one entry, for that scale and the current code, results or
    not.
    """
    from reproductions.harness.scales import SCALES

    codes = {name: entry.code for name, entry in (find_reproductions() if found is None else found).items()}
    decided: dict[str, list[Entry]] = {}
    groups = _groups(store, scale, codes)
    for one in reversed(SCALES) if scale is None else [scale]:
        here = {name: records for (at, name), records in groups.items() if at == one}
        for paper in papers.values():
            if scale is None and not any(claim.reproduction in here for claim in paper.claims):
                continue
            for claim, verdict in _decide_paper(paper, here, one):
                name = claim.reproduction
                if claim.tests and name and (scale is not None or name in here):
                    records = here.get(name, [])
                    current = all(record["code"] == codes.get(name) for record in records)
                    decided.setdefault(claim.id, []).append((verdict, name, records, current))
    return decided


def _groups(store: Store, scale: str | None, codes: dict[str, str]) -> dict[tuple[str, str], list[Record]]:
    """Return the records by scale and reproduction, of one code version each.

    A run (one scale) reports on the code that it ran. A listing shows what ran last, even when the code has
    moved on.
    """
    from reproductions.harness.store import current_code

    groups: dict[tuple[str, str], list[Record]] = {}
    for record in store.records(scale=scale):
        groups.setdefault((record["scale"], record["reproduction"]), []).append(record)
    for key, records in groups.items():
        code = codes.get(key[1]) if scale is not None else current_code(records)
        groups[key] = [record for record in records if record["code"] == code]
    return groups


def _decide_paper(paper: Paper, here: dict[str, list[Record]], scale: str) -> list[tuple[Claim, Verdict]]:
    from claims import decide_paper
    from reproductions.harness.store import rows_of

    tables = {name: rows_of(records) for name, records in here.items()}
    failures = {name: _failures(records) for name, records in here.items()}
    verdicts = decide_paper(paper.claims, tables, scale, failures=failures)
    return list(zip(paper.claims, verdicts, strict=True))


def _failures(records: list[Record]) -> list[str]:
    from reproductions.harness.progress import first_line

    return [
        f"seed {record['seed']}: {record['status']}: {first_line(record['error']['message'])}"
        for record in records
        if record["status"] != "done" and record["error"]
    ]


def views_of(papers: dict[str, Paper], stores: dict[str, Store]) -> list[dict[str, Any]]:
    """Describe every claim with its verdict in each store, at the largest scale run."""
    found = find_reproductions()
    decided = {name: verdicts_of(papers, store, found=found) for name, store in stores.items()}
    return [
        {
            "id": claim.id,
            "paper": paper.paper,
            "tier": claim.tier,
            "kind": claim.kind,
            "says": claim.says,
            "reproduction": claim.reproduction,
            **{name: _brief(decided[name].get(claim.id, [])) for name in ("published", "machine")},
        }
        for paper in papers.values()
        for claim in paper.claims
    ]


def _brief(entries: list[Entry]) -> dict[str, Any]:
    if not entries:
        return {"verdict": "not run", "scale": None, "seeds": 0, "current_code": None}
    verdict, _, _, current = entries[0]
    return {
        "verdict": verdict.status,
        "scale": verdict.scale,
        "seeds": verdict.seeds,
        "current_code": current,
    }


def finding_of(verdict: Verdict, reproduction: str, records: list[Record], current: bool) -> dict[str, Any]:
    """Describe a verdict with the result files that it rests on."""
    from reproductions.harness.store import KEY_LENGTH

    folder = reproduction.replace("/", "__")
    return {
        **verdict.to_dict(),
        "current_code": current,
        "units": [f"{folder}/{record['key'][:KEY_LENGTH]}.json" for record in records],
    }


def counts_of(views: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Count the described claims by paper, tier and verdict."""
    from collections import Counter

    return {
        "paper": dict(Counter(view["paper"] for view in views)),
        "tier": dict(Counter(view["tier"] for view in views)),
        "published": dict(Counter(view["published"]["verdict"] for view in views)),
        "machine": dict(Counter(view["machine"]["verdict"] for view in views)),
    }

"""From claim files and result stores to the report's model.

Verdicts come from ``claims``; this module only reads records, groups them by scale, and asks.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

from reproductions.harness.store import CorruptRecordError, canonical, current_code, read_record
from reproductions.report.errors import ReportError
from reproductions.report.model import (
    SOURCES,
    ClaimView,
    Finding,
    PaperView,
    Row,
    Site,
    TestView,
    UnitLink,
    scale_rank,
)

RESULT_FOLDERS = {"published": "results", "machine": "results-of-this-machine"}
_NUMBER = {"of": "", "value": None, "unit": "", "provenance": "", "note": ""}
Record = dict[str, Any]
Decide = Callable[[list[Any], dict[str, list[Row]], str], Iterable[Any]]


@dataclass(frozen=True)
class PaperFile:
    """A paper's claim file as the report needs it."""

    slug: str
    title: str
    decision_rule: str
    changelog: tuple[Any, ...]
    claims: tuple[Any, ...]


@dataclass(frozen=True)
class Stored:
    """The usable records of one store, by scale and reproduction, and where each file lies."""

    records: Mapping[tuple[str, str], tuple[Record, ...]]
    files: Mapping[str, Path]


def read_store(folder: Path | None) -> Stored:
    """Read a store without touching it; of each reproduction and scale only the code version that ran last counts.

    Raises
    ------
    ReportError
        When a file is not a record.
    """
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    files: dict[str, Path] = {}
    for path in sorted(folder.glob("*/*.json")) if folder is not None and folder.is_dir() else []:
        if path.name.startswith("."):
            continue
        try:
            record = read_record(path)
        except CorruptRecordError as error:
            raise ReportError(f"result file {path.parent.name}/{path.name} is not a record: {error}") from error
        groups[record["scale"], record["reproduction"]].append(record)
        files[record["key"]] = path
    return Stored({name: _latest(group) for name, group in sorted(groups.items())}, files)


def _latest(records: list[Record]) -> tuple[Record, ...]:
    done = [record for record in records if record["status"] == "done"]
    code = current_code(done or records)
    chosen = [record for record in records if record["code"] == code]
    return tuple(sorted(chosen, key=lambda record: (canonical(record["config"]), record["seed"])))


def table_of(records: Iterable[Record]) -> list[Row]:
    """Return the result table of finished records: one dict per row, with its seed and unit."""
    return [
        {
            "arm": row.get("arm", {}),
            "seed": record["seed"],
            "metrics": row.get("metrics", {}),
            "series": row.get("series", {}),
            "unit": record["key"],
        }
        for record in records
        if record["status"] == "done"
        for row in record["rows"]
    ]


def load_papers() -> list[PaperFile]:
    """Read every claim file of the project."""
    from claims import load_all

    loaded = load_all()
    files = loaded.values() if isinstance(loaded, Mapping) else loaded
    return [paper_file(item) for item in files]


def paper_file(item: Any) -> PaperFile:
    """Reduce a loaded claim file to what the report needs."""
    return PaperFile(
        slug=str(item.paper),
        title=str(item.title),
        decision_rule=str(getattr(item, "decision_rule", "") or ""),
        changelog=tuple(getattr(item, "changelog", ()) or ()),
        claims=tuple(item.claims),
    )


def gather(
    published: Path,
    machine: Path | None,
    *,
    papers: Sequence[PaperFile] | None = None,
    equations: Iterable[str] | None = None,
    decide: Decide | None = None,
) -> tuple[Site, dict[str, Path]]:
    """Read claims and stores, decide every claim at every scale, and return the report's model.

    Returns
    -------
    Site, dict
        The model, and the result files to copy: address relative to the report's root -> file.
    """
    if decide is None:
        from claims.verdict import decide_paper

        decide = decide_paper
    files = load_papers() if papers is None else list(papers)
    stores = {"published": read_store(published), "machine": read_store(machine)}
    known = frozenset(_registry_ids() if equations is None else equations)
    copies: dict[str, Path] = {}
    tables = {
        (source, scale, reproduction): table_of(records)
        for source in SOURCES
        for (scale, reproduction), records in stores[source].records.items()
    }
    views = []
    for file in files:
        findings = {source: _findings(file, source, stores[source], tables, decide, copies) for source in SOURCES}
        views.append(_paper_view(file, findings))
    reproductions = {str(getattr(c, "reproduction", "") or "") for f in files for c in f.claims} - {""}
    reproductions |= {view.configuration["reproduction"] for p in views for view in p.claims if view.configuration}
    reproductions |= {key[2] for key in tables}
    site = Site(
        papers=tuple(views),
        equations=known,
        has_machine=bool(stores["machine"].records),
        tables=tables,
        modules={name: module for name in sorted(reproductions) if (module := module_of(name))},
    )
    return site, copies


def _registry_ids() -> Iterable[str]:
    registry = importlib.import_module("reference.registry")
    return registry.EQUATIONS.keys()


def module_of(reproduction: str) -> str:
    """Return the module of a reproduction (``hvae/x`` -> ``reproductions.hvae.x``), empty where none exists."""
    name = "reproductions." + reproduction.replace("-", "_").replace("/", ".")
    try:
        return name if importlib.util.find_spec(name) else ""
    except ModuleNotFoundError:
        return ""


def _findings(
    file: PaperFile,
    source: str,
    stored: Stored,
    tables: Mapping[tuple[str, str, str], list[Row]],
    decide: Decide,
    copies: dict[str, Path],
) -> dict[str, list[Finding]]:
    """Decide one paper from one store at each of its scales, largest first."""
    found: dict[str, list[Finding]] = defaultdict(list)
    wanted = {str(claim.reproduction) for claim in file.claims if getattr(claim, "reproduction", None)}
    scales = {scale for scale, reproduction in stored.records if reproduction in wanted}
    for scale in sorted(scales, key=scale_rank, reverse=True):
        ran = {name: tables[source, s, name] for s, name in stored.records if s == scale and name in wanted}
        by_id = {verdict.claim_id: verdict for verdict in decide(list(file.claims), ran, scale)}
        for claim in file.claims:
            records = stored.records.get((scale, str(getattr(claim, "reproduction", "") or "")))
            verdict = by_id.get(claim.id)
            if records is None or verdict is None:
                continue
            links = tuple(
                _unit_link(record, source, stored.files[record["key"]], copies)
                for record in records
                if _serves(record, claim.id)
            )
            found[claim.id].append(_finding(claim, verdict, source, scale, links))
    return found


def _serves(record: Record, claim_id: str) -> bool:
    """Say whether a unit may decide a claim: a unit whose rows all name other claims does not."""
    return not record["rows"] or any(row["arm"].get("claim", claim_id) == claim_id for row in record["rows"])


def _unit_link(record: Record, source: str, path: Path, copies: dict[str, Path]) -> UnitLink:
    href = f"{RESULT_FOLDERS[source]}/{path.parent.name}/{path.name}"
    copies[href] = path
    error = record.get("error") or {}
    return UnitLink(
        key=str(record["key"]),
        seed=int(record["seed"]),
        status=str(record["status"]),
        href=href,
        seconds=(record.get("provenance") or {}).get("seconds"),
        error=scrub(f"{error.get('type', '')}: {error.get('message', '')}") if error else "",
    )


def scrub(message: str) -> str:
    """Take the machine's own folders out of a message."""
    for folder, short in ((os.getcwd(), "."), (str(Path.home()), "~")):
        if len(folder) > 1:
            message = message.replace(folder, short)
    return message


def _finding(claim: Any, verdict: Any, source: str, scale: str, units: tuple[UnitLink, ...]) -> Finding:
    criteria: list[Mapping[str, Any]] = [_plain(test) for test in claim.tests or ()]
    criteria += [{}] * (len(verdict.tests) - len(criteria))
    return Finding(
        source=source,
        scale=scale,
        status=str(verdict.status),
        seeds=int(verdict.seeds or 0),
        reason=scrub(str(verdict.reason or "")),
        tests=tuple(_test_view(result, criterion) for result, criterion in zip(verdict.tests, criteria, strict=False)),
        units=units,
    )


def _test_view(result: Any, criterion: Mapping[str, Any]) -> TestView:
    interval = result.interval
    return TestView(
        word=str(result.word),
        metric=str(criterion.get("metric", "")),
        unit=str(criterion.get("unit", "")),
        status=str(result.status),
        effect=result.effect,
        interval=None if interval is None else (float(interval[0]), float(interval[1])),
        p=result.p,
        p_corrected=result.p_corrected,
        n=int(result.n or 0),
        sentence=str(result.sentence or ""),
        details=dict(result.details or {}),
    )


def _plain(value: Any) -> Any:
    """Turn models, dataclasses and tuples into dicts and lists, dropping unset fields."""
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump(exclude_none=True))
    if is_dataclass(value) and not isinstance(value, type):
        return {k: _plain(v) for k, v in vars(value).items() if v is not None}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _paper_view(file: PaperFile, findings: Mapping[str, Mapping[str, list[Finding]]]) -> PaperView:
    claims = tuple(
        _claim_view(claim, file.slug, [f for source in SOURCES for f in findings[source].get(claim.id, [])])
        for claim in file.claims
    )
    changelog = tuple({k: str(v) for k, v in _plain(entry).items()} for entry in file.changelog)
    return PaperView(file.slug, file.title, file.decision_rule, changelog, claims)


def _claim_view(claim: Any, slug: str, findings: list[Finding]) -> ClaimView:
    return ClaimView(
        id=str(claim.id),
        paper=slug,
        where=str(claim.where),
        says=" ".join(str(claim.says).split()),
        numbers=tuple({**_NUMBER, **_plain(number)} for number in claim.numbers or ()),
        kind=str(claim.kind),
        tier=str(claim.tier),
        check=" ".join(str(claim.check).split()),
        equations=tuple(claim.equations or ()),
        needs=tuple(claim.needs or ()),
        reproduction=str(claim.reproduction or ""),
        criteria=tuple(_plain(test) for test in claim.tests or ()),
        not_run=" ".join(str(claim.not_run or "").split()),
        note=" ".join(str(claim.note or "").split()),
        findings=tuple(findings),
        configuration=_plain(getattr(claim, "configuration", None)),
        cost=_plain(getattr(claim, "cost", None)),
    )

"""Build the report beside the old one, check it, then swap it in file by file."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from reproductions.report import atlas, check, gather, notebook, render, sources, summary
from reproductions.report.errors import ReportError
from reproductions.report.model import STATUSES, TIERS, ClaimView, PaperView, Site, counts

MANIFEST = ".report-files.json"


@dataclass(frozen=True)
class Inputs:
    """What the report is built from; tests replace the project's own claims and equations by small ones."""

    papers: Sequence[gather.PaperFile]
    equations: Mapping[str, Any]
    tolerances: Mapping[str, Any]
    decide: gather.Decide
    notebooks: Path = notebook.NOTEBOOKS
    corners: Mapping[str, Any] = field(default_factory=dict)


def project_inputs() -> Inputs:
    """Return the project's claim files, registry and verdicts."""
    from claims.verdict import decide_paper
    from reference import registry

    papers, corners = gather.load_papers(), registry.corners()
    return Inputs(papers, registry.EQUATIONS, registry.tolerances(), decide_paper, corners=corners)


def build_report(
    out_dir: Path,
    published: Path,
    machine: Path | None,
    *,
    execute: bool = True,
    inputs: Inputs | None = None,
) -> Path:
    """Build everything in a temporary folder, check it, and swap it in; see `reproductions.report.build`."""
    inputs = project_inputs() if inputs is None else inputs
    site, copies = gather.gather(
        published, machine, papers=inputs.papers, equations=inputs.equations, decide=inputs.decide
    )
    out_dir.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=".building-", dir=out_dir))
    try:
        _write_pages(stage, site, inputs, execute=execute)
        _copy_results(stage, out_dir, copies)
        _check(stage, site, copies)
        _swap(stage, out_dir)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return out_dir / "index.html"


def _write_pages(stage: Path, site: Site, inputs: Inputs, *, execute: bool) -> None:
    entries = atlas.entries(site, inputs.equations, inputs.tolerances, inputs.corners)
    pages = {"index.html": _index(site), "summary.md": summary.markdown(site), **atlas.pages(site, entries)}
    for paper in site.papers:
        pages.update(_paper(paper, site, inputs, stage, execute=execute))
    for reproduction, module in site.modules.items():
        pages.update(_module_page(reproduction, module, site))
    pages["assets/report.css"] = (render.TEMPLATES / "report.css").read_text(encoding="utf-8")
    for address, text in pages.items():
        path = stage / address
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _index(site: Site) -> str:
    tallies = {source: counts(site.claims, source) for source in site.sources}
    matrix = [(paper, _matrix_rows(paper.claims)) for paper in site.papers]
    return render.page("index.html", "index.html", site, tallies=tallies, matrix=matrix)


def _matrix_rows(claims: Sequence[ClaimView]) -> list[tuple[str, list[tuple[int, int]], int]]:
    """Return per tier the count of each verdict, (published, this machine), and the total."""
    rows = []
    for tier in TIERS:
        members = [claim for claim in claims if claim.tier == tier]
        shown, other = counts(members, "published"), counts(members, "machine")
        if members:
            rows.append((tier, [(shown[status], other[status]) for status in STATUSES], len(members)))
    return rows


def _paper(paper: PaperView, site: Site, inputs: Inputs, stage: Path, *, execute: bool) -> dict[str, str]:
    if not execute:
        cards = "\n".join(render.claim_card(claim, site, level=2) for claim in paper.claims)
        body = f"<h1>{render.prose.plain_inline(paper.title)}</h1>\n{cards}"
        return {
            paper.href: render.page("paper.html", paper.href, site, paper=paper, body=Markup(body), notebook_href="")
        }
    script = notebook.script_for(paper.slug, inputs.notebooks)
    body = notebook.run_notebook(script, paper.slug, site, stage)
    source_page = f"code/notebook--{paper.slug}.html"
    return {
        paper.href: render.page(
            "paper.html", paper.href, site, paper=paper, body=Markup(body), notebook_href=source_page
        ),
        source_page: render.page(
            "code.html",
            source_page,
            site,
            kind="Notebook",
            path=f"reproductions/report/notebooks/{script.name}",
            code=script.read_text(encoding="utf-8"),
        ),
    }


def _module_page(reproduction: str, module: str, site: Site) -> dict[str, str]:
    package, name = module.rsplit(".", 1)
    root = sources.package_root(package)
    if root is None:
        raise ReportError(f"reproduction {reproduction}: module {module} has no file")
    here = render.code_href(reproduction)
    path = module.replace(".", "/") + ".py"
    code = (root / f"{name}.py").read_text(encoding="utf-8")
    return {here: render.page("code.html", here, site, kind="Reproduction", path=path, code=code)}


def _copy_results(stage: Path, out_dir: Path, copies: Mapping[str, Path]) -> None:
    """Copy the linked result files, except those that already lie where the link points."""
    for address, path in copies.items():
        if (out_dir / address).resolve() == path.resolve():
            continue
        target = stage / address
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _check(stage: Path, site: Site, copies: Iterable[str]) -> None:
    faults = []
    for paper in site.papers:
        ids, _, _ = check.parse(stage / paper.href)
        missing = [claim.id for claim in paper.claims if claim.anchor not in ids]
        faults += [f"{paper.href}: claim {identifier} is not shown" for identifier in missing]
    faults += check.problems(stage, elsewhere=copies)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ReportError(f"{faults[0]}{more}")


def _swap(stage: Path, out_dir: Path) -> None:
    """Move each file into place by an atomic rename, the index last, and remove what the last build left over.

    Files that no build wrote (the published results among them) are never touched.
    """
    built = sorted(path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file())
    manifest = out_dir / MANIFEST
    before = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else []
    for address in sorted(built, key=lambda a: (a == "index.html", a)):
        target = out_dir / address
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(stage / address, target)
    for address in sorted(set(before) - set(built)):
        stale = (out_dir / address).resolve()
        if stale.is_relative_to(out_dir.resolve()) and stale.is_file():
            stale.unlink()
    record = stage / MANIFEST
    record.write_text(json.dumps(built, indent=0) + "\n", encoding="utf-8")
    os.replace(record, manifest)

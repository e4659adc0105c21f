"""The equation atlas: each equation with its code, its twin, its oracles and the claims that rest on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reproductions.report import prose, render, sources
from reproductions.report.errors import ReportError
from reproductions.report.mathml import mathml
from reproductions.report.model import ClaimView, Site, equation_anchor

Accuracy = tuple[tuple[str, str, float | None, float | None], ...]
Listing = tuple[str, sources.Source | None, str]


@dataclass(frozen=True)
class CornerRow:
    """What one form made of a corner grid: the twin, its gradient, or a printed or common form with its equation."""

    label: str
    equation: str
    href: str
    points: int
    ulps: float
    not_finite: int
    no_digit: int


@dataclass(frozen=True)
class CornerGrid:
    """The measured forms on the corner grid of one function."""

    function: str
    device: str
    dtype: str
    rows: tuple[CornerRow, ...]


@dataclass(frozen=True)
class Entry:
    """One equation as the atlas shows it."""

    id: str
    paper: str
    number: str
    anchor: str
    href: str
    name: str
    names: tuple[str, ...]
    where: str
    topic: str
    function: str
    latex: str
    math: Markup
    erratum: Markup
    note: Markup
    summary: Markup
    docstring: str
    listings: tuple[Listing, ...]
    oracles: tuple[Any, ...]
    accuracy: Accuracy
    corners: tuple[CornerGrid, ...]
    claims: tuple[ClaimView, ...]


def entries(
    site: Site, equations: Mapping[str, Any], tolerances: Mapping[str, Any], corners: Mapping[str, Any]
) -> list[Entry]:
    """Return the atlas entries in the registry's order.

    Raises
    ------
    ReportError
        When a formula cannot be typeset; the message names the equation.
    """
    resting: dict[str, list[ClaimView]] = defaultdict(list)
    for claim in site.claims:
        for equation in claim.equations:
            resting[equation].append(claim)
    found = []
    for identifier, equation in equations.items():
        try:
            grids = corner_grids(identifier, equation.function, corners)
            found.append(_entry(identifier, equation, tolerances, grids, tuple(resting[identifier])))
        except ValueError as error:
            raise ReportError(f"equation {identifier}: {error}") from error
    return found


def _entry(
    identifier: str,
    equation: Any,
    tolerances: Mapping[str, Any],
    corners: tuple[CornerGrid, ...],
    claims: tuple[ClaimView, ...],
) -> Entry:
    reference = sources.function_source("reference", equation.function)
    twin = sources.function_source("vaes.ops", equation.function)
    slug, number = identifier.split("/", 1)
    return Entry(
        id=identifier,
        paper=slug,
        number=number,
        anchor=equation_anchor(identifier),
        href=render.equation_href(identifier),
        name=equation.name,
        names=tuple(equation.names or ()),
        where=equation.where,
        topic=equation.function.rsplit(".", 1)[0],
        function=equation.function,
        latex=equation.latex,
        math=Markup(mathml(equation.latex)),
        erratum=Markup(prose.inline(equation.erratum or "")),
        note=Markup(prose.inline(equation.note or "")),
        summary=Markup(prose.inline(sources.summary_of(reference.docstring))) if reference else Markup(""),
        docstring=reference.docstring if reference else "",
        listings=(
            ("Reference (NumPy)", reference, f"reference.{equation.function} does not exist yet."),
            ("Twin (PyTorch)", twin, f"vaes.ops.{equation.function} does not exist: this entry has no twin."),
        ),
        oracles=tuple(equation.oracles),
        accuracy=accuracy(tolerances.get(equation.function, {})),
        corners=corners,
        claims=claims,
    )


def accuracy(measured: Mapping[str, Any]) -> Accuracy:
    """Flatten ``{device: {dtype: {"value": ulps, "gradient": ulps}}}`` into rows, widest type first."""
    order = ("float64", "float32", "bfloat16", "float16")
    rows = [
        (device, dtype, cell.get("value"), cell.get("gradient"))
        for device, by_type in measured.items()
        for dtype, cell in by_type.items()
    ]
    rows.sort(key=lambda r: (r[0], order.index(r[1]) if r[1] in order else len(order), r[1]))
    return tuple(rows)


def corner_grids(identifier: str, function: str, measured: Mapping[str, Any]) -> tuple[CornerGrid, ...]:
    """Return the grids of an equation: that of its function, and those on which its printed form was measured."""
    grids = []
    for name, devices in measured.items():
        for device, dtypes in devices.items():
            for dtype, record in dtypes.items():
                own = any(form["equation"] == identifier for form in record["printed"])
                if own or name == function:
                    grids.append(CornerGrid(name, device, dtype, _corner_rows(identifier, record)))
    return tuple(grids)


def _corner_rows(identifier: str, record: Mapping[str, Any]) -> tuple[CornerRow, ...]:
    """Return the twin, its gradient where one is asked, and the other forms, those of this equation first."""
    printed = sorted(record["printed"], key=lambda form: form["equation"] != identifier)
    kinds = [("Twin", "", record["value"]), ("Twin, gradient", "", record["gradient"])]
    kinds += [(form["label"][:1].upper() + form["label"][1:], form["equation"], form) for form in printed]
    return tuple(
        CornerRow(
            label,
            equation,
            render.equation_href(equation) if equation else "",
            *(measured[key] for key in ("points", "ulps", "not_finite", "no_digit")),
        )
        for label, equation, measured in kinds
        if measured["points"]
    )


def pages(site: Site, atlas: list[Entry]) -> dict[str, str]:
    """Render the index and one page per paper, by address relative to the report's root."""
    by_paper: dict[str, list[Entry]] = defaultdict(list)
    by_topic: dict[str, list[Entry]] = defaultdict(list)
    for entry in atlas:
        by_paper[entry.paper].append(entry)
        by_topic[entry.topic].append(entry)
    titles = {paper.slug: paper.title for paper in site.papers}
    rendered = {
        "atlas.html": render.page(
            "atlas_index.html",
            "atlas.html",
            site,
            by_paper=list(by_paper.items()),
            by_topic=sorted(by_topic.items()),
            titles=titles,
            total=len(atlas),
            functions=len({entry.function for entry in atlas}),
            oracles=sum(len(entry.oracles) for entry in atlas),
            errata=sum(bool(entry.erratum) for entry in atlas),
        )
    }
    for slug, listed in by_paper.items():
        here = f"atlas/{slug}.html"
        rendered[here] = render.page(
            "atlas_paper.html", here, site, slug=slug, title=titles.get(slug, slug), entries=listed
        )
    return rendered

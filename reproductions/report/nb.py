"""What a notebook of the report calls: the paper's numbers, its figures, its claims.

A notebook stays a readable narrative::

    from reproductions.report import nb
    paper = nb.paper()
    paper.overview()
    paper.figure("hvae/phase_transition", "figure_1", alt="...", caption="...")
    paper.claims(where="Figure 1")
    paper.remaining()
"""

from __future__ import annotations

import html
import importlib
import os
import pickle
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reproductions.harness import DataInfo
from reproductions.harness.scales import DEFAULT_SCALE
from reproductions.report import render, style
from reproductions.report.errors import ReportError
from reproductions.report.model import SCALES, SOURCE_LABELS, ClaimView, PaperView, Site, counts, scale_rank
from reproductions.report.notebook import CONTEXT_VARIABLE


class Display:
    """HTML that a notebook shows."""

    def __init__(self, markup: str) -> None:
        self.markup = markup

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return f"<{len(self.markup)} characters of HTML>"


class Page:
    """One paper's page while its notebook runs."""

    def __init__(self, slug: str, site: Site, out_dir: Path) -> None:
        self.site = site
        self.view: PaperView = site.paper(slug)
        self.out_dir = out_dir
        self._shown: set[str] = set()
        self._drawn: dict[tuple[str, str], Mapping[str, Any]] = {}

    def overview(self) -> Display:
        """Return the paper's title and its verdicts in numbers, per source."""
        parts = [f"<h1>{html.escape(self.view.title)}</h1>"]
        for source in self.site.sources:
            tally = "".join(
                f"<li>{render.badge(status)} <b>{n}</b></li>" for status, n in counts(self.view.claims, source).items()
            )
            name = f"<b>{SOURCE_LABELS[source]}</b> " if self.site.has_machine else ""
            parts.append(f'<div class="tallybox">{name}<ul class="tally">{tally}</ul></div>')
        return Display("\n".join(parts))

    def contents(self) -> Display:
        """Return links to all claims of the page with their verdicts, folded away."""
        items = []
        for claim in self.view.claims:
            link = f'<a href="#{claim.anchor}">{render.prose.plain_inline(claim.says)}</a>'
            items.append(f"<li>{render.badge(claim.status('published'))} {link}</li>")
        summary = f"<summary>All {len(items)} claims</summary>"
        return Display(f'<details class="jump">{summary}<ul>{"".join(items)}</ul></details>')

    def claims(
        self, *names: str, where: str | None = None, reproduction: str | None = None, decided: bool | None = None
    ) -> Display:
        """Return the cards of claims that no earlier call has shown.

        Parameters
        ----------
        *names : str
            Claim ids, with or without the paper; none means all.
        where : str, optional
            Text that the claim's place must contain.
        reproduction : str, optional
            Id of the reproduction that tests it.
        decided : bool, optional
            Only claims with (True) or without (False) a verdict.

        Raises
        ------
        ValueError
            When a named claim does not exist.
        """
        chosen = self._named(names) if names else self.view.claims
        chosen = [
            claim
            for claim in chosen
            if (where is None or where.lower() in claim.where.lower())
            and (reproduction is None or claim.reproduction == reproduction)
            and (decided is None or decided == self._is_decided(claim))
        ]
        return self._cards(chosen)

    def remaining(self) -> Display:
        """Return the cards of all claims not shown yet, in the paper's order."""
        return self._cards(self.view.claims)

    def figure(self, reproduction: str, name: str, *, alt: str, caption: str) -> Display:
        """Draw a reproduction's figure from its largest scale, published and of this machine side by side.

        Parameters
        ----------
        reproduction : str
            Id, for example ``"hvae/phase_transition"``.
        name : str
            Key of the mapping that the reproduction's ``figures(table, style)`` returns.
        alt, caption : str
            What the figure shows, for who cannot see it; what it means.

        Raises
        ------
        ReportError
            When the reproduction draws no such figure.
        """
        parts = [self._figure_of(source, reproduction, name, alt, caption) for source in self.site.sources]
        drawn = [part for part in parts if part]
        if drawn:
            return Display(f'<div class="figures">{"".join(drawn)}</div>')
        command = f"<code>{html.escape(run_command(self.site, reproduction))}</code>"
        return Display(
            f'<figure class="plot empty"><p class="none">No results yet. {command} makes them.</p>'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )

    def plot(self, figure: Any, name: str, *, alt: str, caption: str) -> Display:
        """Save any matplotlib figure in the report's style and return it with its caption."""
        return Display(f'<div class="figures">{self._save(figure, name, alt, html.escape(caption))}</div>')

    def table(
        self, caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numeric: Sequence[int] = ()
    ) -> Display:
        """Return a captioned table; the first column heads each row, ``numeric`` columns align right."""
        head = "".join(f'<th scope="col"{_right(i, numeric)}>{html.escape(c)}</th>' for i, c in enumerate(columns))
        body = "".join(
            "<tr>"
            + f'<th scope="row">{html.escape(render.number(row[0]))}</th>'
            + "".join(
                f"<td{_right(i, numeric)}>{html.escape(render.number(cell))}</td>"
                for i, cell in enumerate(row[1:], start=1)
            )
            + "</tr>"
            for row in rows
        )
        label = html.escape(caption, quote=True)
        return Display(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table><caption>{label}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _named(self, names: Sequence[str]) -> list[ClaimView]:
        by_id = {claim.id: claim for claim in self.view.claims}
        wanted = [name if name in by_id else f"{self.view.slug}/{name}" for name in names]
        unknown = [name for name in wanted if name not in by_id]
        if unknown:
            raise ValueError(f"no claim {unknown[0]!r} in claims/{self.view.slug}.yaml")
        return [by_id[name] for name in wanted]

    def _is_decided(self, claim: ClaimView) -> bool:
        return any(claim.status(source) not in {"not run", "error"} for source in self.site.sources)

    def _cards(self, claims: Iterable[ClaimView]) -> Display:
        fresh = [claim for claim in claims if claim.id not in self._shown]
        self._shown.update(claim.id for claim in fresh)
        return Display("\n".join(render.claim_card(claim, self.site) for claim in fresh))

    def _figure_of(self, source: str, reproduction: str, name: str, alt: str, caption: str) -> str:
        best = self.site.best_table(source, reproduction)
        if best is None or not best[1] or reproduction not in self.site.modules:
            return ""
        scale, table = best
        if scale == "smoke":
            return ""
        if (source, reproduction) not in self._drawn:
            module = importlib.import_module(self.site.modules[reproduction])
            draw = module.REPRODUCTION.figures
            with style.applied():
                self._drawn[source, reproduction] = draw(list(table), style) if draw else {}
        drawn = self._drawn[source, reproduction]
        if name not in drawn:
            raise ReportError(f"{reproduction} draws no figure {name!r}, only {sorted(drawn)}")
        if drawn[name] is None:
            return ""
        label = f"<b>{SOURCE_LABELS[source]}, {html.escape(scale)} scale.</b> "
        file = f"{reproduction.split('/', 1)[-1]}-{name}" + ("" if source == "published" else "-of-this-machine")
        return self._save(drawn[name], file, alt, label + html.escape(caption))

    def _save(self, figure: Any, name: str, alt: str, caption: str) -> str:
        folder = self.out_dir / "figures" / self.view.slug
        folder.mkdir(parents=True, exist_ok=True)
        light = style.svg_bytes(figure)
        (folder / f"{name}.svg").write_bytes(light)
        (folder / f"{name}-dark.svg").write_bytes(style.darken(light))
        address = f"figures/{self.view.slug}/{name}"
        text = html.escape(alt, quote=True)
        width, height = (round(inches * 96) for inches in figure.get_size_inches())
        return (
            f'<figure class="plot"><picture><source srcset="{address}-dark.svg" media="(prefers-color-scheme: dark)">'
            f'<img src="{address}.svg" alt="{text}" width="{width}" height="{height}"></picture>'
            f"<figcaption>{caption}</figcaption></figure>"
        )


def run_command(site: Site, *reproductions: str) -> str:
    """Return the command that makes results of reproductions, at the smallest scale above smoke that all have."""
    wanted = [_smallest_scale(site.modules[name]) for name in reproductions if name in site.modules]
    scale = max((scale for scale in wanted if scale), key=scale_rank, default=DEFAULT_SCALE)
    return f"evidence run {' '.join(reproductions)}" + ("" if scale == DEFAULT_SCALE else f" --scale {scale}")


def _smallest_scale(module: str) -> str | None:
    """Smallest scale above smoke at which a reproduction has units without local data, None if there is none."""
    units = importlib.import_module(module).REPRODUCTION.units
    return next((scale for scale in SCALES if scale != "smoke" and units(scale, None, DataInfo())), None)


def _right(index: int, numeric: Sequence[int]) -> str:
    return ' class="r num"' if index in numeric else ""


def paper() -> Page:
    """Return the page that this notebook is executed for.

    Raises
    ------
    ReportError
        Outside a report build.
    """
    address = os.environ.get(CONTEXT_VARIABLE)
    if not address:
        raise ReportError(f"{CONTEXT_VARIABLE} is not set: notebooks of the report run inside `evidence report`")
    context = pickle.loads(Path(address).read_bytes())
    return Page(context["slug"], context["site"], Path(context["out_dir"]))

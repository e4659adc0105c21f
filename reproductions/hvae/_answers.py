"""The six questions of the page, answered in sentences whose numbers come from result tables alone.

A sentence whose runs are not there is left out; without any the question says what would answer it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from claims.statistics import bca_interval
from claims.tables import matches
from claims.transition import phase_transition, same_critical_rho
from reproductions.hvae._comparison_figures import BOUND, METHODS
from reproductions.hvae._figures import Curves, Table, curves, values_of
from reproductions.hvae._sweep import COLLAPSED

Tables = Mapping[str, Table]

PLAIN, OWN = "vae", "hermite_0.9"
"""Arms of the baselines: without any remedy, and the Hermite VAE that the others are compared with."""
FULL_GRID = 4
"""Points of rho from which a data set counts as swept."""
USED = 0.9
"""The rho at which the use of the top layer is told: the middle of the paper's values."""


@dataclass(frozen=True)
class Question:
    """A question, the function that answers it, the reproductions that it reads and the claims that decide it."""

    text: str
    answer: Callable[[Tables], Iterator[str]]
    reproductions: tuple[str, ...]
    claims: tuple[str, ...]


def show(page: Any) -> Any:
    """Return the block of questions and answers for a page of the report, one answer per source of results."""
    from reproductions.report import nb, prose, render
    from reproductions.report.model import SOURCE_LABELS

    by_id = {claim.id: claim for claim in page.view.claims}
    parts: list[str] = []
    for question in QUESTIONS:
        parts.append(f"<h3>{html.escape(question.text)}</h3>")
        found = 0
        for source in page.site.sources:
            sentences = " ".join(question.answer(_tables(page.site, source)))
            if sentences:
                found += 1
                name = f"<b>{SOURCE_LABELS[source]}:</b> " if page.site.has_machine else ""
                parts.append(f"<p>{name}{prose.inline(sentences)}</p>")
        if not found:
            command = nb.run_command(page.site, *question.reproductions)
            parts.append(f'<p class="none">No results yet. <code>{html.escape(command)}</code> makes them.</p>')
        claims = [by_id[f"hvae/{name}"] for name in question.claims]
        links = "".join(
            f"<li>{render.badge(claim.status('published'))} "
            f'<a href="#{claim.anchor}">{html.escape(claim.says)}</a></li>'
            for claim in claims
        )
        parts.append(f'<div class="jump"><ul>{links}</ul></div>')
    return nb.Display("\n".join(parts))


def _tables(site: Any, source: str) -> dict[str, Table]:
    """Rows of every reproduction at the largest scale above smoke that a source holds."""
    names = {name for question in QUESTIONS for name in question.reproductions}
    stored = {name: site.best_table(source, name) for name in sorted(names)}
    return {name: best[1] for name, best in stored.items() if best is not None and best[0] != "smoke"}


def _collapses(tables: Tables) -> Iterator[str]:
    table = tables.get("hvae/collapse", ())
    early, last = _values(table, "early_collapse", rho=1.0), _values(table, "top_kl", rho=1.0)
    if len(last):
        yield (
            f"Without smoothing, with four layers, the KL of the top layer falls below {COLLAPSED:g} nat in the first "
            f"quarter of training and stays there in {early.sum():.0f} of {len(early)} runs; on held-out images it "
            f"ends at {_nats(last)}."
        )
    grid = tables.get("hvae/depth_width", ())
    depths = sorted({row["arm"]["layers"] for row in grid if row["arm"].get("mean_over") == "depth"})
    if depths:
        shares = [_values(grid, "inactive_fraction", rho=1.0, layers=depth) for depth in (depths[0], depths[-1])]
        first, last = (f"{100 * np.median(share):.0f}%" for share in shares)
        yield f"Over a grid of widths, {first} of all units are inactive at depth {depths[0]}, {last} at {depths[-1]}."


def _prevents(tables: Tables) -> Iterator[str]:
    table = tables.get("hvae/collapse", ())
    smoothed = sorted({row["arm"]["rho"] for row in table} - {1.0}, reverse=True)
    ends = {rho: _values(table, "top_kl", rho=rho) for rho in smoothed}
    if ends:
        told = "; ".join(f"{_nats(values)} at $\\rho={rho:g}$" for rho, values in ends.items())
        yield f"With smoothing the top layer ends at {told} (medians over {len(next(iter(ends.values())))} runs)."
    yield from _against_remedies(
        tables, "top_kl", "Of the other remedies, after as many steps, {best} keeps most, {most}"
    )


def _against_remedies(tables: Tables, metric: str, sentence: str) -> Iterator[str]:
    """Compare the Hermite VAE with the other method that has most of a metric, on the flat shape."""
    table = tables.get("hvae/baselines", ())
    found = {name: _values(table, metric, method=name, shape="flat") for name in METHODS}
    others = {name: values for name, values in found.items() if "hermite" not in name and len(values)}
    if len(found[OWN]) and others:
        best = max(others, key=lambda name: float(np.median(others[name])))
        told = sentence.format(best=METHODS[best], most=_nats(others[best]))
        yield f"{told}, against {_nats(found[OWN])} at $\\rho=0.9$."


def _sharp(tables: Tables) -> Iterator[str]:
    for name, (grid, found) in _sweeps(tables).items():
        result = phase_transition(grid, found)
        if result["rho_half"] is None or result["rho_on"] is None:
            yield f"On {name} the curve does not fall to half of its start inside of the grid."
            continue
        verb = "a logistic step fits better than" if result["bic_gain"] > 0 else "a step fits no better than"
        yield (
            f"On {name} half of the KL is gone at a $\\rho$ of {_place(result, 'rho_half')} and all but 5% at "
            f"{_place(result, 'rho_on')}; {verb} a straight line (by {result['bic_gain']:.0f} in BIC)."
        )
    wholes = [row for row in tables.get("hvae/transition_by_shape", ()) if "units" in row["arm"]]
    widths = sorted({row["arm"]["units"] for row in wholes if matches({"layers": 3, "dataset": "digits"}, row["arm"])})
    if len(widths) > 1:
        ends = [_values(wholes, "sharpness", layers=3, dataset="digits", units=n) for n in (widths[0], widths[-1])]
        low, high = (f"{np.median(values):.0f}" for values in ends)
        yield (
            f"Relative to its start the curve falls by up to {low} per unit of $\\rho$ at width {widths[0]}, by up to "
            f"{high} at width {widths[-1]}."
        )

    lengths = tables.get("hvae/training_length", ())
    ends = sorted({row["arm"]["length"] for row in lengths if "length" in row["arm"]})
    onsets = [_values(lengths, "rho_on", length=steps) for steps in ends]
    if len(ends) > 1 and len(onsets[0]) and len(onsets[-1]):
        first, last = (f"{np.median(values):.3f}" for values in (onsets[0], onsets[-1]))
        yield f"From {ends[0]} steps of training to {ends[-1]} the onset of collapse goes from {first} to {last}."


def _same(tables: Tables) -> Iterator[str]:
    sweeps = list(_sweeps(tables).items())
    for index, (name, (grid, found)) in enumerate(sweeps):
        for other, (other_grid, other_found) in sweeps[index + 1 :]:
            if not np.array_equal(grid, other_grid):
                continue
            gap = same_critical_rho(grid, phase_transition(grid, found), phase_transition(grid, other_found))
            if gap["difference"] is None:
                continue
            low, high = gap["interval"]
            yield (
                f"The onset of collapse on {name} less that on {other} is {_signed(gap['difference'], 3)} in $\\rho$ "
                f"[{_signed(low, 3)}, {_signed(high, 3)}], where the grid has steps of {gap['step']:.3f}."
            )


def _improves(tables: Tables) -> Iterator[str]:
    table = tables.get("hvae/collapse", ())
    plain = _by_seed(table, BOUND, rho=1.0)
    gains: dict[float, Curves] = {}
    for rho in sorted({row["arm"]["rho"] for row in table} - {1.0}, reverse=True):
        smoothed = _by_seed(table, BOUND, rho=rho)
        gains[rho] = np.array([smoothed[seed] - plain[seed] for seed in smoothed if seed in plain])
    told = [f"{_mean(values)} at $\\rho={rho:g}$" for rho, values in gains.items() if len(values) > 1]
    if told:
        yield f"Against $\\rho=1$, with four layers, $L_{{100}}$ changes by a mean of {'; '.join(told)} (nats)."
    table = tables.get("hvae/baselines", ())
    bounds = {name: _values(table, BOUND, method=name, shape="flat") for name in METHODS}
    ranked = sorted((name for name, values in bounds.items() if len(values)), key=lambda name: -bounds[name].mean())
    if len(ranked) > 3 and PLAIN in ranked:
        best = ", ".join(f"{METHODS[name]} ({_signed(bounds[name].mean())})" for name in ranked[:3])
        plain = _signed(bounds[PLAIN].mean())
        yield f"The highest mean $L_{{100}}$ of {len(ranked)} methods: {best}; the plain VAE has {plain}."


def _used(tables: Tables) -> Iterator[str]:
    for name in _sweeps(tables):
        table = tables["hvae/phase_transition"]
        kl, gap, information = (
            _values(table, metric, dataset=name, K=5, rho=USED)
            for metric in ("top_kl", "top_down_gap", "information_top")
        )
        plain = _values(table, "top_down_gap", dataset=name, K=5, rho=1.0)
        if not len(kl) or not len(plain):
            continue
        yield (
            f"On {name} at $\\rho={USED:g}$ the top layer has a KL of {_nats(kl)}; to decode an image from another "
            f"image's top latent costs {_nats(gap)} (at $\\rho=1$: {_nats(plain)}), and what it knows about the "
            f"image is estimated at {_nats(information)}, by an estimator that is biased low."
        )
    sentence = "Of the other remedies {best} has the decoder use the top layer most, {most} for another image's latent"
    yield from _against_remedies(tables, "top_down_gap", sentence)


def _sweeps(tables: Tables) -> dict[str, tuple[Curves, Curves]]:
    """Grid and curves of top KL of every data set that was swept with five samples."""
    table = tables.get("hvae/phase_transition", ())
    found = {name: curves(table, "top_kl", dataset=name, K=5) for name in values_of(table, "dataset")}
    return {name: one for name, one in found.items() if len(one[0]) > FULL_GRID and len(one[1])}


def _by_seed(table: Table, metric: str, **arm: Any) -> dict[int, float]:
    rows = [row for row in table if matches(arm, row["arm"]) and row["metrics"].get(metric) is not None]
    return {row["seed"]: row["metrics"][metric] for row in rows}


def _values(table: Table, metric: str, **arm: Any) -> Curves:
    return np.array(list(_by_seed(table, metric, **arm).values()), dtype=float)


def _nats(values: Curves) -> str:
    middle = float(np.median(values))
    # Estimates scatter around zero: no minus sign on a rounded zero.
    return f"{0.0 if abs(middle) < 0.005 else middle:.2f} nats"


def _mean(values: Curves) -> str:
    low, high = bca_interval(values, lambda draws: draws.mean(1))
    return f"{_signed(values.mean())} [{_signed(low)}, {_signed(high)}]"


def _signed(value: float, digits: int = 2) -> str:
    return f"{value:+.{digits}f}".replace("-", "\u2212")


def _place(result: Mapping[str, Any], name: str) -> str:
    interval = result["intervals"][name]
    return f"{result[name]:.3f}" + ("" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]")


QUESTIONS = (
    Question(
        "Does the top layer collapse?",
        _collapses,
        ("hvae/collapse", "hvae/depth_width"),
        ("fig-2/vae-collapses-hvae-does-not", "fig-3/vae-inactive-with-depth-and-width"),
    ),
    Question(
        "Does smoothing prevent it?",
        _prevents,
        ("hvae/collapse", "hvae/baselines"),
        ("abstract/variance-reduction-mitigates-collapse", "table-3/hvae-larger-top-kl", "fig-3/hvae-active-over-grid"),
    ),
    Question(
        "Is the transition sharp?",
        _sharp,
        ("hvae/phase_transition", "hvae/transition_by_shape", "hvae/training_length"),
        ("fig-1/sharp-drop-at-critical-rho", "fig-1/more-pronounced-with-width"),
    ),
    Question(
        "Is it the same on two data sets?",
        _same,
        ("hvae/phase_transition",),
        ("fig-1/same-critical-rho-across-datasets", "sec-5-1-1/sharpness-independent-of-dataset"),
    ),
    Question(
        "Does the bound improve?",
        _improves,
        ("hvae/collapse", "hvae/baselines"),
        ("fig-2/improved-validation-elbo", "table-3/hvae-best-elbo"),
    ),
    Question(
        "Are the active units used by the decoder?",
        _used,
        ("hvae/phase_transition", "hvae/baselines"),
        ("abstract/variance-reduction-mitigates-collapse", "table-3/hvae-activity-across-layers"),
    ),
)

"""What the notebooks call: figures of reproductions, tables, claims."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from reproductions.report import ReportError, gather, plots, style
from reproductions.report.builder import Inputs
from reproductions.report.model import Site
from reproductions.report.nb import Page, paper, run_command


@pytest.fixture
def page(tmp_path: Path, inputs: Inputs, published: Path, machine: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    def figures(table: list[dict[str, object]], look: types.ModuleType) -> dict[str, object]:
        figure, ax = look.subplots()
        plots.curves_with_seeds(ax, [0.0, 1.0], np.ones((len(table), 2)), "toy")
        return {"figure_1": figure}

    module = types.ModuleType("toy_effect_module")
    module.REPRODUCTION = types.SimpleNamespace(figures=figures)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_effect_module", module)
    monkeypatch.setattr(gather, "module_of", lambda name: "toy_effect_module")
    site, _ = gather.gather(published, machine, papers=inputs.papers, equations=inputs.equations, decide=inputs.decide)
    return Page("toy", site, tmp_path / "built")


def test_a_figure_is_drawn_per_source_light_and_dark_with_its_scale(page: Page, tmp_path: Path) -> None:
    markup = page.figure("toy/effect", "figure_1", alt="a < b", caption="What it means")._repr_html_()
    assert markup.count("<img") == 2
    assert "Published with the repository, gpu scale." in markup
    assert "This machine, laptop scale." in markup
    assert 'alt="a &lt; b"' in markup
    assert len(list((tmp_path / "built/figures/toy").glob("*.svg"))) == 4


def test_a_figure_that_is_not_drawn_is_an_error(page: Page) -> None:
    with pytest.raises(ReportError, match=r"toy/effect draws no figure 'figure_9', only \['figure_1'\]"):
        page.figure("toy/effect", "figure_9", alt="x", caption="x")


def test_a_figure_without_results_says_how_to_get_them(page: Page) -> None:
    markup = page.figure("toy/other", "figure_1", alt="x", caption="x")._repr_html_()
    assert "<code>evidence run toy/other</code>" in markup


def test_the_command_names_the_smallest_scale_that_all_have() -> None:
    names = ("hvae/collapse", "hvae/five_layers", "hvae/tables", "toy/other")
    site = Site((), frozenset(), False, modules={name: gather.module_of(name) for name in names[:3]})
    assert run_command(site, "hvae/collapse", "hvae/tables") == "evidence run hvae/collapse hvae/tables"
    assert run_command(site, "hvae/five_layers") == "evidence run hvae/five_layers --scale night"
    assert run_command(site, *names[:2]) == "evidence run hvae/collapse hvae/five_layers --scale night"
    assert run_command(site, "toy/other") == "evidence run toy/other"


def test_a_claim_is_shown_once(page: Page) -> None:
    assert page.claims("tab-1/measured")._repr_html_().count("<article") == 1
    assert page.claims(where="table 1")._repr_html_().count("<article") == 2
    assert page.remaining()._repr_html_() == ""


def test_an_unknown_claim_is_named(page: Page) -> None:
    with pytest.raises(ValueError, match="'toy/nothing'"):
        page.claims("nothing")


def test_a_table_has_a_caption_and_scopes(page: Page) -> None:
    markup = page.table("KL <nats>", ["rho", "KL"], [[0.5, -1.25]], numeric=[1])._repr_html_()
    assert "<caption>KL &lt;nats&gt;</caption>" in markup
    assert '<th scope="row">0.5</th><td class="r num">\u22121.25</td>' in markup


def test_outside_of_a_build_there_is_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVIDENCE_REPORT_CONTEXT", raising=False)
    with pytest.raises(ReportError, match="is not set"):
        paper()


def test_the_style_restores_the_users_settings() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with style.applied():
        assert mpl.rcParams["svg.hashsalt"] == "evidence"
    assert dict(mpl.rcParams) == before

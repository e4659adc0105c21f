"""The built site: whole, offline, honest about what was not run."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from reproductions.report import ReportError, check
from reproductions.report.builder import Inputs, build_report
from reproductions.report.gather import read_store, scrub
from reproductions.report.model import STATUSES
from reproductions.report.render import badge
from tests.report.conftest import FakeEquation, add_units, machine_store, published_store, small_project

# One worker: the notebooks are executed once for the tests that only read them.
reads_executed_notebooks = pytest.mark.xdist_group("executed notebooks")


@pytest.fixture(scope="module")
def build_with_notebooks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return a function that builds the small project's report anew, with executed notebooks."""
    folder = tmp_path_factory.mktemp("executed")
    stores = published_store(folder), machine_store(folder)
    return functools.partial(build_report, folder / "reports", *stores, execute=True, inputs=small_project())


@pytest.fixture(scope="module")
def with_notebooks(build_with_notebooks: Callable[[], Path]) -> Path:
    """Return the folder of that report."""
    return build_with_notebooks().parent


def pages(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.suffix in {".html", ".css", ".md", ".svg"})


def text_of(page: Path) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")).split())


def card(page: Path, anchor: str) -> str:
    match = re.search(
        rf'<article class="claim" id="{anchor}".*?</article>', page.read_text(encoding="utf-8"), re.DOTALL
    )
    assert match is not None
    return match.group()


def test_every_link_and_anchor_resolves(build, machine) -> None:
    index = build(machine)
    assert check.problems(index.parent) == []
    assert len(list(index.parent.rglob("*.html"))) == 4


@pytest.mark.parametrize(
    ("markup", "complaint"),
    [
        ('<a href="gone.html">', "does not exist"),
        ('<a href="#gone">', "anchor"),
        ('<img src="https://cdn.example/x.png" alt="x">', "outside the report"),
        ('<a href="../../elsewhere.html">', "leaves the report"),
        ('<p id="a"></p><p id="a"></p>', "used twice"),
        ('<img src="page.html">', "text alternative"),
    ],
)
def test_the_checker_sees_a_planted_fault(tmp_path: Path, markup: str, complaint: str) -> None:
    (tmp_path / "page.html").write_text(markup, encoding="utf-8")
    assert any(complaint in fault for fault in check.problems(tmp_path))


def test_nothing_loads_from_the_network_and_no_path_of_the_machine_shows(build, machine, tmp_path: Path) -> None:
    root = build(machine).parent
    for page in pages(root):
        text = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page.read_text(encoding="utf-8"))
        assert not re.search(r"https?://", text), page.name
        assert str(tmp_path) not in text
        assert str(Path.home()) + "/" not in text
        assert str(Path.cwd()) + "/" not in text


def test_a_message_loses_the_folders_of_the_machine() -> None:
    assert scrub(f"no file {Path.cwd()}/data/x") == "no file ./data/x"


def test_verdicts_have_a_word_a_colour_class_and_a_shape() -> None:
    badges = {status: str(badge(status)) for status in STATUSES}
    for status, markup in badges.items():
        assert f"</svg>{status}</span>" in markup
        assert f'class="badge {status.replace(" ", "-")}"' in markup
    shapes = {re.search(r"<svg.*</svg>", markup, re.DOTALL).group() for markup in badges.values()}  # type: ignore[union-attr]
    assert len(shapes) == len(STATUSES)


def test_a_claim_that_was_not_run_says_why(build) -> None:
    root = build().parent
    for name in ("index.html", "toy.html", "summary.md"):
        assert "needs" in text_of(root / name)
    assert "<code>a week</code> of GPU" in card(root / "toy.html", "tab-1--waiting")


def test_the_largest_scale_decides_and_smaller_ones_stay_visible(build) -> None:
    root = build().parent
    shown = card(root / "toy.html", "tab-1--measured")
    head, table = shown.split("</header>")
    assert "</svg>supported" in head
    assert "gpu scale" in head
    assert "</svg>contradicted" not in head
    assert re.findall(r"<b>(gpu|laptop|smoke)</b>", table) == ["gpu", "laptop", "smoke"]
    assert "</svg>contradicted" in table
    assert "smoke scale" in table


def test_numbers_of_both_sides_criterion_and_files_are_there(build) -> None:
    shown = card(build().parent / "toy.html", "tab-1--measured")
    for wanted in ("0.1", "[1,&nbsp;1.5]", "0.031", "0.062", "Five seeds, paired.", "ordering: top kl, nats"):
        assert wanted in shown
    assert shown.count('href="results/toy__effect/') == 11


def test_machine_and_published_results_stand_apart(build, machine) -> None:
    root = build(machine).parent
    head = card(root / "toy.html", "tab-1--measured").split("</header>")[0]
    assert re.search(
        r"Published with the repository</span>.*supported.*This machine</span>.*contradicted", head, re.DOTALL
    )
    copied = sorted(p.name for p in (root / "results-of-this-machine/toy__effect").glob("*.json"))
    assert copied == sorted(p.name for p in (machine / "toy__effect").glob("*.json"))
    assert not set(copied) & {p.name for p in (root / "results/toy__effect").glob("*.json")}


def test_without_results_of_this_machine_it_is_not_mentioned(build) -> None:
    assert "This machine" not in text_of(build().parent / "index.html")


def test_published_results_are_left_as_they_are(build, published) -> None:
    before = {p: p.stat().st_mtime_ns for p in published.rglob("*.json")}
    build()
    assert {p: p.stat().st_mtime_ns for p in published.rglob("*.json")} == before


@reads_executed_notebooks
def test_same_inputs_give_the_same_bytes(with_notebooks, build_with_notebooks) -> None:
    first = {p: p.read_bytes() for p in with_notebooks.rglob("*") if p.is_file()}
    build_with_notebooks()
    assert {p: p.read_bytes() for p in with_notebooks.rglob("*") if p.is_file()} == first


def test_a_build_removes_what_only_the_last_one_wrote(build, machine) -> None:
    root = build(machine).parent
    (root / "notes.txt").write_text("mine", encoding="utf-8")
    build()
    assert not list(root.glob("results-of-this-machine/*/*.json"))
    assert (root / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert not list(root.glob(".building-*"))


def test_a_failed_build_keeps_the_old_report(build, inputs: Inputs) -> None:
    root = build().parent
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    broken = {**inputs.equations, "toy/A3": FakeEquation("toy/A3", "Broken", r"\unheardof")}
    with pytest.raises(ReportError, match=r"equation toy/A3: .*\\unheardof"):
        build(use=dataclasses.replace(inputs, equations=broken))
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_a_failing_cell_stops_the_build_with_its_message(build, inputs: Inputs, tmp_path: Path) -> None:
    root = build().parent
    before = (root / "toy.html").read_bytes()
    (tmp_path / "toy.py").write_text("# %%\nx = 1\n\n# %%\nraise KeyError('lost')\n", encoding="utf-8")
    with pytest.raises(ReportError, match=r"notebook toy.py, code cell 2 \(raise KeyError.*\): KeyError: 'lost'"):
        build(use=dataclasses.replace(inputs, notebooks=tmp_path), execute=True)
    assert (root / "toy.html").read_bytes() == before


def test_a_notebook_that_forgets_a_claim_stops_the_build(build, inputs: Inputs, tmp_path: Path) -> None:
    source = "# %%\nfrom reproductions.report import nb\nnb.paper().claims('tab-1/measured')\n"
    (tmp_path / "toy.py").write_text(source, encoding="utf-8")
    with pytest.raises(ReportError, match="claim toy/tab-1/waiting is not shown"):
        build(use=dataclasses.replace(inputs, notebooks=tmp_path), execute=True)


@reads_executed_notebooks
def test_the_notebook_of_every_paper_shows_all_claims_without_a_script(with_notebooks) -> None:
    page = (with_notebooks / "toy.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<article [^>]*class="claim"', page)) == 3
    assert "<script" not in page


def test_the_atlas_shows_code_oracles_accuracy_erratum_and_claims(build) -> None:
    page = build().parent / "atlas" / "toy.html"
    text = text_of(page)
    for wanted in (
        "Divergence",
        "Section 1",
        "The print has the wrong sign.",
        "quadrature",
        "float32",
        "2.5",
        "first arm",
    ):
        assert wanted in text
    markup = page.read_text(encoding="utf-8")
    assert "reference/gaussian.py:" in markup
    assert "vaes/ops/gaussian.py:" in markup
    assert "reference.nowhere.nothing does not exist yet" in text
    assert 'href="../toy.html#tab-1--measured"' in markup


def test_only_the_code_version_that_ran_last_counts(tmp_path: Path) -> None:
    add_units(tmp_path / "s", "laptop", [1.0, 2.0], started="2026-02-01", code="old")
    add_units(tmp_path / "s", "laptop", [3.0], started="2026-02-02", code="new")
    records = read_store(tmp_path / "s").records["laptop", "toy/effect"]
    assert [record["code"] for record in records] == ["new"]


def test_a_file_that_is_no_record_is_named(build, published) -> None:
    (published / "toy__effect" / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReportError, match=r"toy__effect/bad.json"):
        build()

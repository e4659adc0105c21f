"""Discovery of reproductions, and what a module that is none is told."""

from __future__ import annotations

import sys

import pytest

from reproductions.harness import Context, Metric, Reproduction
from reproductions.harness.discovery import DiscoveryError, discover
from reproductions.harness.scales import SCALES, rank, reported_seeds

MODULE = """
from reproductions.harness import Metric, Reproduction
REPRODUCTION = Reproduction(id="{id}", title="t", tier="{tier}", units=None, run=None, metrics={{}},
sources=({sources}))
"""


@pytest.fixture
def write(tmp_path):
    def go(name="my_paper/effect.py", id="my-paper/effect", tier="static", sources="", text=None):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(MODULE.format(id=id, tier=tier, sources=sources) if text is None else text)
        return tmp_path

    return go


def test_the_id_is_that_of_the_place(write):
    write("my_paper/_helper.py", text="raise RuntimeError")
    write("harness/x.py", text="raise RuntimeError")
    write("my_paper/second.py", id="my-paper/second")
    assert list(discover(write())) == ["my-paper/effect", "my-paper/second"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"id": "my-paper/other"}, "id must be 'my-paper/effect' as its place says, got 'my-paper/other'"),
        ({"tier": "huge"}, "tier of my-paper/effect must be one of"),
        ({"sources": "'gone.py',"}, r"declared source 'gone\.py' does not exist"),
        ({"text": "x = 1"}, "declares no REPRODUCTION"),
        ({"text": "import no_such_module"}, "cannot be imported: ModuleNotFoundError"),
        ({"text": "def ("}, "cannot be imported: SyntaxError"),
    ],
)
def test_a_faulty_module_is_named_with_its_fault(write, options, message):
    with pytest.raises(DiscoveryError, match=rf"effect\.py: .*{message}"):
        discover(write(**options))


def test_the_packaged_reproductions_are_found_without_torch():
    before = "torch" in sys.modules
    for name, found in discover().items():
        assert found.reproduction.id == name
        assert found.code
    assert ("torch" in sys.modules) == before


def test_a_metric_says_what_kind_it_is():
    with pytest.raises(ValueError, match="got 'guess'"):
        Metric(unit="nats", reduction="sum", kind="guess")


def test_progress_without_a_runner_is_silent():
    Context().progress(1, 2, loss=0.5)


def test_scales_and_seeds():
    assert [rank(scale) for scale in SCALES] == [0, 1, 2, 3, 4]
    assert reported_seeds(3) == (1000, 1001, 1002)
    with pytest.raises(ValueError, match="seeds must be at least 1, got 0"):
        reported_seeds(0)


def test_the_paper_is_the_first_part_of_the_id():
    made = Reproduction("a-b/c", "t", "static", lambda *a: [], lambda *a: [], {})
    assert made.paper == "a-b"

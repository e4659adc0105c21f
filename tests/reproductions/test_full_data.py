"""The whole MNIST, OMNIGLOT and CIFAR-10 for a user: the command that fetches them, the runs that need them."""

from __future__ import annotations

import io
import json
import sys

import pytest
from typer.testing import CliRunner

from reproductions.cli import app, fetching
from reproductions.cli.usage import describe_data
from reproductions.harness import DataInfo
from reproductions.hvae import full_scale
from tests import published_files as tiny
from vaes import data

FILES = tiny.contents()


def answer(request):
    content = FILES.get(request.path.lstrip("/"))
    request.send_response(404 if content is None else 200)
    request.send_header("Content-Length", str(len(content or b"")))
    request.end_headers()
    request.wfile.write(content or b"")


@pytest.fixture
def evidence(monkeypatch):
    """Return a function that runs the command in this process, beside a server of the tiny files."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.delenv(data.DATA_VARIABLE, raising=False)
    with tiny.serve(answer) as url:
        tiny.install(monkeypatch, FILES, url)
        yield lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def statuses(output):
    return {entry["name"]: entry["status"] for entry in json.loads(output)["datasets"]}


def test_fetch_downloads_then_lists(evidence, tmp_path):
    before = statuses(evidence("data", "--json", "--data-dir", tmp_path).stdout)
    assert "must exist" in before["omniglot"]
    result = evidence("data", "--fetch", "omniglot", "--fetch", "mnist/static", "--data-dir", tmp_path, "--json")
    assert result.exit_code == 0
    assert [line.rsplit("/", 1)[1] for line in result.stderr.splitlines()] == [
        "chardata.mat",
        "binarized_mnist_train.amat",
        "binarized_mnist_valid.amat",
        "binarized_mnist_test.amat",
    ]
    after = statuses(result.stdout)
    assert (after["omniglot"], after["mnist/static"]) == ("ok", "ok")
    assert "must exist" in after["mnist"]


def test_wrong_usage_of_fetch_is_one_line(evidence, tmp_path):
    for arguments, message in (
        (("--fetch", "omniglot"), "--fetch needs a data directory (--data-dir or EVIDENCE_DATA), got none"),
        (
            ("--fetch", "omniglot", "--fetch", "svhn", "--data-dir", tmp_path),
            "--fetch must be one of mnist, mnist/static, omniglot, cifar10, got 'svhn'",
        ),
        (("--fetch", "mnist", "--data-dir", tmp_path / "no"), "data directory does not exist"),
    ):
        result = evidence("data", *arguments)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_failed_fetch_is_one_line_and_leaves_nothing(evidence, tmp_path, monkeypatch):
    monkeypatch.delitem(FILES, "chardata.mat")
    result = evidence("data", "--fetch", "omniglot", "--data-dir", tmp_path)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    assert "got 404 Client Error" in result.stderr.splitlines()[1]
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_shows_a_bar(evidence, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    fetching.fetch_data(["cifar10"], tmp_path)
    shown = sys.stderr.getvalue()
    size = len(FILES["cifar-10-python.tar.gz"])
    assert "cifar-10-python.tar.gz" in shown
    assert f"{size}/{size} bytes" in shown or "/".join([f"{size / 1000:.1f}"] * 2) + " kB" in shown


def runs_of(tmp_path):
    found = full_scale.units("paper", None, DataInfo(tmp_path, describe_data))
    return {unit.config["run"] for unit in found}


def test_full_scale_runs_follow_the_files_at_hand(evidence, tmp_path):
    assert runs_of(tmp_path) == set()
    wanted = set()
    for name, dataset in (
        ("mnist/static", "mnist/static"),
        ("omniglot", "omniglot/dynamic"),
        ("cifar10", "cifar10/raw"),
        ("mnist", "mnist/dynamic"),
    ):
        assert evidence("data", "--fetch", name, "--data-dir", tmp_path).exit_code == 0
        own = {key for key, run in full_scale.RUNS.items() if run.dataset == dataset}
        assert own
        wanted |= own
        assert runs_of(tmp_path) == wanted
    assert wanted == set(full_scale.RUNS)


def test_full_scale_runs_have_the_images_that_they_name():
    for name, count in full_scale.IMAGE_SETS.items():
        assert data.SOURCES[name].split[2] == count
    for run in full_scale.RUNS.values():
        assert run.dataset in data.available()
        source = data.SOURCES[run.dataset.split("/")[0]]
        assert not run.bound_samples or source.split[("train", "validation", "test").index(run.images)]

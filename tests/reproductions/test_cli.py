"""The command line: what it prints, its exit status, and one clear line for each thing that can go wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reproductions.cli import app

CURVE = "toy/curve"
STRONG = "toy/sec-1/strong-is-higher"


@pytest.fixture
def evidence(toys, tmp_path, monkeypatch):
    """Return a function that runs the command in this process, with a store of its own."""
    monkeypatch.setenv("EVIDENCE_STORE", str(tmp_path / "results"))

    def go(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)

    return go


def test_run_decides_and_list_and_show_tell(evidence):
    ran = evidence("run", CURVE, "--jobs", 2)
    assert ran.exit_code == 0
    assert "6 units done, 0 failed, 0 finished before, 0 left out" in ran.stdout
    verdicts = {line.split()[0]: line for line in ran.stdout.splitlines() if line.strip().startswith("toy/sec")}
    assert "supported (laptop)" in verdicts[STRONG]
    assert "contradicted (laptop)" in verdicts["toy/sec-1/weak-is-higher"]
    assert "toy/sec-2/exact" not in verdicts

    listed = json.loads(evidence("list", "--json").stdout)
    assert [view["machine"]["verdict"] for view in listed["claims"]] == [
        "supported",
        "contradicted",
        "not run",
        "not run",
    ]
    assert listed["claims"][0]["machine"] == {
        "verdict": "supported",
        "scale": "laptop",
        "seeds": 6,
        "current_code": True,
    }
    assert listed["counts"]["machine"] == {"supported": 1, "contradicted": 1, "not run": 2}
    shown = evidence("show", STRONG).stdout
    for expected in ("difference: 2", "Criterion: Higher by more than 1", "hvae/A1", "interval [", "6 seeds"):
        assert expected in shown
    unit = next(line.split()[-1] for line in shown.splitlines() if line.strip().startswith("unit "))
    assert (Path(json.loads(evidence("run", CURVE, "--json").stdout)["store"]) / unit).is_file()


def test_run_in_json_for_programs(evidence, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "raise,fine")
    result = evidence("run", "toy", "--json", "--seeds", 2, "--jobs", 1)
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (told["done"], told["skipped"], told["left_out"]) == (3, 0, [])
    assert [(failed["status"], failed["error"]["message"]) for failed in told["failed"]] == [
        ("failed", "the toy broke")
    ]
    assert {verdict["claim_id"]: verdict["status"] for verdict in told["verdicts"]}[STRONG] == "inconclusive"


def test_a_failure_gives_status_1_and_names_its_record(evidence, monkeypatch):
    monkeypatch.setenv("TOY_TROUBLE", "raise")
    result = evidence("run", "toy/trouble", "--jobs", 1)
    assert result.exit_code == 1
    assert "does=raise: failed in" in result.stderr
    assert result.stderr.endswith(": the toy broke\n")
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("failed: ")]
    assert json.loads(Path(line.removeprefix("failed: ")).read_text())["status"] == "failed"


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--strict",), 1)])
def test_a_contradicted_claim_is_a_failure_only_with_strict(evidence, options, status):
    assert evidence("run", CURVE, *options).exit_code == status


def test_smoke_runs_and_decides_nothing(evidence):
    told = json.loads(evidence("run", CURVE, "--scale", "smoke", "--json").stdout)
    assert (told["done"], {verdict["status"] for verdict in told["verdicts"]}) == (2, {"not run"})


def test_a_claim_and_a_tier_choose_what_runs(evidence):
    assert json.loads(evidence("run", STRONG, "--seeds", 1, "--json").stdout)["done"] == 1
    result = evidence("run", "--tier", "paper-scale", "--json")
    assert (result.exit_code, json.loads(result.stdout)["done"]) == (0, 0)
    assert "nothing to run" in result.stderr


def test_a_budget_says_what_it_left_out(evidence):
    evidence("run", CURVE, "--seeds", 1)
    time_is_up = evidence("run", CURVE, "--budget", "0.0001s")
    assert time_is_up.exit_code == 0
    assert "The budget left out:\n  toy/curve seed 1001 slope=2.0" in time_is_up.stdout


def test_list_filters_and_counts(evidence):
    assert "4 claims" in evidence("list", "--paper", "toy").stdout
    result = evidence("list", "--tier", "static").stdout
    assert "1 claims\nby paper: 1 toy\nby tier: 1 static\nby published: 1 not run" in result
    assert json.loads(evidence("list", "--verdict", "supported", "--json").stdout)["claims"] == []


def test_results_of_older_code_are_marked(evidence, tmp_path):
    evidence("run", CURVE)
    for path in (tmp_path / "results").glob("*/*.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"code": "0" * 16}))
    assert "supported (laptop), older code" in evidence("list").stdout
    assert "results of older code" in evidence("show", STRONG).stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["show", "toy/sec-1/strong-is-hihger"],
            f"unknown claim 'toy/sec-1/strong-is-hihger', did you mean '{STRONG}'?",
        ),
        (["run", "toyy"], "unknown paper, claim or reproduction 'toyy', did you mean 'toy'?"),
        (["run", "toy/curv"], "unknown paper, claim or reproduction 'toy/curv', did you mean 'toy/curve'?"),
        (["run", "toy/sec-3/too-large"], "claim 'toy/sec-3/too-large' has no reproduction: needs a cluster"),
        (["publish", "toy/curv"], "unknown reproduction 'toy/curv', did you mean 'toy/curve'?"),
        (["list", "--paper", "tyo"], "unknown paper 'tyo', did you mean 'toy'?"),
        (["list", "--tier", "tiny"], "--tier must be one of static, scaled, paper-scale, got 'tiny'"),
        (["list", "--verdict", "no"], "--verdict must be one of"),
        (["run", "--scale", "huge"], "--scale must be one of smoke, laptop, night, gpu, paper, got 'huge'"),
        (["run", "--device", "tpu"], "--device must be one of cpu, cuda, got 'tpu'"),
        (["run", "--budget", "soon"], "--budget: a duration is a positive number"),
        (["run", "--timeout", "-1s"], "--timeout: a duration is a positive number"),
        (["run", "--data-dir", "/no/such/folder"], "data directory does not exist: /no/such/folder"),
        (["data", "--data-dir", "/no/such/folder"], "data directory does not exist: /no/such/folder"),
        (["check", "no/such/file.py"], "no such file: no/such/file.py"),
        (["check", "no_such_module"], "no file and no module 'no_such_module'"),
        (["run", "--dask", "tcp://a:1", "--jobs", "2"], "--jobs and --dask exclude each other"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(evidence, arguments, line):
    result = evidence(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"evidence: {line}")


@pytest.mark.parametrize("arguments", [["run", "--seeds", "0"], ["run", "--jobs", "0"], ["run", "--nope"], ["nope"]])
def test_options_that_do_not_parse_give_status_2(evidence, arguments):
    assert evidence(*arguments).exit_code == 2


def test_cuda_without_a_device(evidence, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = evidence("run", "--device", "cuda")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"evidence: no CUDA device: torch {torch.__version__} finds none\n"


def test_a_fault_in_a_claim_file_is_one_line_with_its_place(evidence, tmp_path, monkeypatch):
    faulty = (Path(__file__).parent / "toy_claims" / "toy.yaml").read_text().replace("tier: static", "teir: static")
    (tmp_path / "toy.yaml").write_text(faulty)
    monkeypatch.setenv("EVIDENCE_CLAIMS", str(tmp_path))
    number = next(i for i, line in enumerate(faulty.splitlines(), 1) if "teir" in line)
    for arguments in (["list"], ["run"], ["show", STRONG]):
        result = evidence(*arguments)
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
        assert f"toy.yaml:{number}: " in result.stderr
        assert "unknown key 'teir'" in result.stderr


def test_a_faulty_reproduction_is_one_line(evidence, tmp_path, monkeypatch):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "bad.py").write_text("1/0")
    monkeypatch.setenv("EVIDENCE_REPRODUCTIONS", str(tmp_path))
    result = evidence("run")
    assert result.exit_code == 2
    assert result.stderr.endswith("bad.py: cannot be imported: ZeroDivisionError: division by zero\n")


def test_a_missing_and_a_corrupt_data_file_are_one_line(evidence, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_DATASET", "mnist10k/static")
    missing = evidence("run", CURVE, "--data-dir", tmp_path)
    assert missing.exit_code == 2
    assert "data set 'mnist10k/static' cannot be used" in missing.stderr
    assert "mnist-10k.npz must exist" in missing.stderr
    (tmp_path / "mnist-10k.npz").write_bytes(b"not an archive")
    corrupt = evidence("run", CURVE, "--data-dir", tmp_path)
    assert corrupt.exit_code == 2
    assert "mnist-10k.npz: sha256 must be" in corrupt.stderr
    assert len(missing.stderr.splitlines()) == len(corrupt.stderr.splitlines()) == 1


def test_data_lists_the_data_sets(evidence, tmp_path):
    entries = {entry["name"]: entry for entry in json.loads(evidence("data", "--json").stdout)["datasets"]}
    assert (entries["digits"]["source"], entries["digits"]["status"]) == ("embedded", "ok")
    (tmp_path / "mnist-10k.npz").write_bytes(b"not an archive")
    told = evidence("data", "--data-dir", tmp_path)
    assert told.exit_code == 0
    assert "sha256 must be" in told.stdout


def test_publish_copies_to_the_published_results(evidence, tmp_path, monkeypatch):
    published = tmp_path / "published"
    monkeypatch.setattr("reproductions.harness.paths.published_store", lambda: published)
    evidence("run", CURVE)
    assert "toy/curve: 6 units" in evidence("publish", CURVE).stdout
    assert len(list(published.glob("toy__curve/*.json"))) == 6
    assert json.loads(evidence("list", "--json").stdout)["claims"][0]["published"]["verdict"] == "supported"


def test_check_outside_a_checkout_says_so(evidence, monkeypatch):
    monkeypatch.setattr("reproductions.harness.paths.checkout", lambda: None)
    result = evidence("check", "json")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "check needs the source checkout" in result.stderr


@pytest.mark.parametrize(("pytest_status", "status"), [(0, 0), (1, 1), (2, 2), (4, 2), (5, 2)])
def test_check_runs_the_conformance_suite(evidence, monkeypatch, tmp_path, pytest_status, status):
    module = tmp_path / "mine.py"
    module.write_text("")
    calls = []

    def fake(command, **options):
        calls.append((command, options["cwd"]))
        return subprocess.CompletedProcess(command, pytest_status)

    monkeypatch.setattr(subprocess, "run", fake)
    assert evidence("check", module, "-k", "kl").exit_code == status
    ((command, folder),) = calls
    assert command[1:] == [
        "-m",
        "pytest",
        "tests/conformance",
        f"--implementation={module}",
        "-q",
        "-x",
        "-k",
        "kl",
    ]
    assert (folder / "tests" / "conformance").is_dir()


def imported(*statements, arguments=()):
    """Return the top-level packages that a fresh interpreter has after the statements."""
    code = "; ".join([*statements, "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_command_line_is_light():
    names = imported("import reproductions.cli")
    assert not names & {"torch", "scipy", "matplotlib", "numpy", "pydantic", "claims"}
    assert "typer" in names


def test_list_and_help_do_not_import_torch():
    for commands in ([["list"]], [["--help"], ["run", "--help"]]):
        names = imported(
            "from typer.testing import CliRunner",
            "from reproductions.cli import app",
            *(f"assert CliRunner().invoke(app, {arguments!r}).exit_code == 0" for arguments in commands),
        )
        assert "torch" not in names
        assert ["list"] in commands or not names & {"scipy", "matplotlib"}


def test_importtime_of_help_shows_no_heavy_package():
    command = [sys.executable, "-X", "importtime", "-m", "reproductions", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    packages = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "typer" in packages
    assert not packages & {"torch", "scipy", "matplotlib"}

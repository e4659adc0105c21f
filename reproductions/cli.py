"""The command ``evidence``.

Everything beyond the option parser is imported inside the commands, so that ``evidence --help`` answers at
once. The environment variables EVIDENCE_REPRODUCTIONS and EVIDENCE_CLAIMS name folders to use in place of the
packaged ones.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from claims import Claim, Paper, Verdict
    from reproductions.harness.discovery import Found
    from reproductions.harness.executors import UnitExecutor
    from reproductions.harness.runner import Settings, Summary
    from reproductions.harness.store import Record, Store

WRONG_USAGE = 2
RUN_FAILED = 1
INTERRUPTED = 130
PIPE_WIDTH = 160
VERDICTS = ("supported", "contradicted", "inconclusive", "not run", "error")
COLOURS = {"supported": "green", "contradicted": "red", "inconclusive": "yellow", "error": "magenta"}

app = typer.Typer(
    name="evidence",
    help="Check the claims of five papers on variational autoencoders: list, run, decide, report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", envvar="EVIDENCE_STORE", help="Folder for the results of this machine."),
]
DataOption = Annotated[
    Path | None, typer.Option("--data-dir", envvar="EVIDENCE_DATA", help="Folder with local data files.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
TierOption = Annotated[str | None, typer.Option("--tier", help="static, scaled or paper-scale.")]


class UsageError(Exception):
    """Wrong usage; the message is one line."""


def main() -> None:
    """Run the command line."""
    app()


@app.command("list")
def list_claims(
    paper: Annotated[str | None, typer.Option(help="Only this paper.")] = None,
    tier: TierOption = None,
    verdict: Annotated[str | None, typer.Option(help="Only this verdict, in either store.")] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """List the claims with their verdicts, published and of this machine, at the largest scale run."""
    with _clear_errors():
        papers = _papers()
        if paper is not None and paper not in papers:
            raise UsageError(_unknown("paper", paper, papers))
        _check_choice("tier", tier, ("static", "scaled", "paper-scale"))
        _check_choice("verdict", verdict, VERDICTS)
        views = _views(papers, _stores(store))
        chosen = [
            view
            for view in views
            if (paper is None or view["paper"] == paper)
            and (tier is None or view["tier"] == tier)
            and (verdict is None or verdict in (view["published"]["verdict"], view["machine"]["verdict"]))
        ]
        if as_json:
            _print_json({"claims": chosen, "counts": _counts(chosen)})
        else:
            _print_claims(chosen)


@app.command()
def show(
    claim: Annotated[str, typer.Argument(help="Claim id.")],
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show one claim: statement, the paper's numbers, equations, criterion, verdicts, result files."""
    with _clear_errors():
        papers = _papers()
        found = _claim(papers, claim)
        only = {found.paper: papers[found.paper]}
        stores = _stores(store)
        evidence = {
            name: [_finding(*entry) for entry in _verdicts(only, one).get(found.id, [])] for name, one in stores.items()
        }
        if as_json:
            _print_json({**found.model_dump(mode="json"), "evidence": evidence})
        else:
            _print_claim(found, evidence)


@app.command()
def run(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Papers, claims or reproductions; all without any.")
    ] = None,
    scale: Annotated[str, typer.Option(help="smoke, laptop, night, gpu or paper.")] = "laptop",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per arm; the scale's own without it.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Units at once; one per core without it.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh/--resume", help="Run finished units again, or keep them.")] = False,
    as_json: JsonOption = False,
    budget: Annotated[str | None, typer.Option(help="Time to spend, such as 10m: most verdicts first.")] = None,
    data_dir: DataOption = None,
    store: StoreOption = None,
    tier: TierOption = None,
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Run on this Dask cluster.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A contradicted claim gives exit status 1.")] = False,
    timeout: Annotated[str | None, typer.Option(help="Longest time for one unit, such as 30m.")] = None,
) -> None:
    """Run what decides the claims, and say what they come to. Finished units are not run again."""
    with _clear_errors():
        settings = _settings(scale, device, seeds, fresh, budget, timeout)
        _check_choice("tier", tier, ("static", "scaled", "paper-scale"))
        _check_data_dir(data_dir)
        papers, reproductions = _papers(), _reproductions()
        chosen = _select(targets or [], tier, papers, reproductions)
        machine = _stores(store)["machine"]
        summary = _run(chosen, settings, machine, data_dir, papers, jobs, dask)
        affected = {
            claim_id: entries[0]
            for claim_id, entries in _verdicts(papers, machine, scale, reproductions).items()
            if entries[0][1] in chosen
        }
        verdicts = [verdict for verdict, *_ in affected.values()]
        if as_json:
            _print_json(_run_as_json(summary, settings, machine, verdicts))
        else:
            _print_run(summary, machine, verdicts)
        if summary.failed or (strict and any(v.status == "contradicted" for v in verdicts)):
            raise typer.Exit(RUN_FAILED)


@app.command()
def report(
    out: Annotated[Path | None, typer.Option(help="Folder of the report.")] = None,
    store: StoreOption = None,
) -> None:
    """Build the report from the results; runs nothing."""
    with _clear_errors():
        from reproductions.harness.paths import project_root, published_store
        from reproductions.report import build

        machine = _stores(store)["machine"]
        typer.echo(build(out or project_root() / "reports", published_store(), machine.path))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def check(
    context: typer.Context,
    module: Annotated[str, typer.Argument(help="Python file or module with functions named as in vaes.ops.")],
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Check your own implementation with the conformance suite. Further options go to pytest."""
    with _clear_errors():
        import subprocess

        from reproductions.harness.paths import checkout

        root = checkout()
        if root is None or not (root / "tests" / "conformance").is_dir():
            raise UsageError("check needs the source checkout: the folder tests/conformance is not installed")
        _check_device(device)
        target = _implementation(module)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "tests/conformance",
            f"--implementation={target}",
            "-q",
            "-x",
        ]
        if device != "cpu":
            command.append(f"--device={device}")
        # The module may import its neighbours by the names that hold where the user stands.
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]),
        }
        status = subprocess.run([*command, *context.args], cwd=root, env=environment, check=False).returncode
        raise typer.Exit(status if status in (0, RUN_FAILED) else WRONG_USAGE)


@app.command()
def data(data_dir: DataOption = None, as_json: JsonOption = False) -> None:
    """List the data sets: embedded or a file, where it was found, and whether its checksum is right."""
    with _clear_errors():
        _check_data_dir(data_dir)
        entries = [dict(entry) for entry in _describe_data(data_dir)]
        if as_json:
            _print_json({"data_dir": None if data_dir is None else str(data_dir), "datasets": entries})
            return
        table = _table("data set", "source", "status", "where", "notes")
        for entry in entries:
            where = entry.get("path") or ("embedded" if entry["source"] == "embedded" else "not found")
            table.add_row(entry["name"], entry["source"], entry["status"], where, entry.get("notes") or "")
        _console().print(table)


@app.command()
def publish(
    targets: Annotated[list[str] | None, typer.Argument(help="Reproductions; all without any.")] = None,
    store: StoreOption = None,
) -> None:
    """Copy the finished units of this machine to the results that are published with the project."""
    with _clear_errors():
        from reproductions.harness.runner import publish as publish_units

        found = _reproductions()
        for name in targets or []:
            if name not in found:
                raise UsageError(_unknown("reproduction", name, found))
        stores = _stores(store)
        codes = {name: found[name].code for name in (targets or found)}
        for name, count in publish_units(stores["machine"], stores["published"], codes).items():
            typer.echo(f"{name}: {count} units")
        typer.echo(f"published in {stores['published'].path}")


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what the user can mend into one line on standard error and exit status 2."""
    from reproductions.harness.units import HarnessError

    try:
        yield
    except (UsageError, HarnessError) as error:
        _fail(error)
    except KeyboardInterrupt:
        typer.echo("evidence: interrupted; finished units are kept, run again to go on", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        # These come from packages that are imported late; any other exception is a fault of ours and shows
        # itself.
        if type(error).__name__ not in ("ClaimFileError", "UnknownClaimError", "ReportError", "DataError"):
            raise
        _fail(error)


def _fail(error: Exception) -> None:
    typer.echo(f"evidence: {' '.join(str(error).split())}", err=True)
    raise typer.Exit(WRONG_USAGE) from None


def _unknown(kind: str, wanted: str, known: Any) -> str:
    near = difflib.get_close_matches(wanted, list(known), n=1, cutoff=0.5)
    return f"unknown {kind} {wanted!r}" + (f", did you mean {near[0]!r}?" if near else "")


def _check_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise UsageError(f"--{name} must be one of {', '.join(choices)}, got {value!r}")


def _check_data_dir(data_dir: Path | None) -> None:
    if data_dir is not None and not data_dir.is_dir():
        raise UsageError(f"data directory does not exist: {data_dir}")


def _check_device(device: str) -> None:
    _check_choice("device", device, ("cpu", "cuda"))
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise UsageError(f"no CUDA device: torch {torch.__version__} finds none")


def _settings(
    scale: str, device: str, seeds: int | None, fresh: bool, budget: str | None, timeout: str | None
) -> Settings:
    from reproductions.harness.budget import parse_duration
    from reproductions.harness.runner import Settings
    from reproductions.harness.scales import SCALES

    _check_choice("scale", scale, SCALES)
    _check_device(device)

    def seconds(name: str, text: str | None) -> float | None:
        try:
            return None if text is None else parse_duration(text)
        except ValueError as error:
            raise UsageError(f"--{name}: {error}") from error

    return Settings(
        scale=scale,
        device=device,
        seeds=seeds,
        fresh=fresh,
        budget=seconds("budget", budget),
        timeout=seconds("timeout", timeout),
    )


def _papers() -> dict[str, Paper]:
    from claims import load_all

    folder = os.environ.get("EVIDENCE_CLAIMS")
    return load_all(directory=Path(folder)) if folder else load_all()


def _claim(papers: dict[str, Paper], wanted: str) -> Claim:
    claims = {claim.id: claim for paper in papers.values() for claim in paper.claims}
    if wanted not in claims:
        raise UsageError(_unknown("claim", wanted, claims))
    return claims[wanted]


def _reproductions() -> dict[str, Found]:
    from reproductions.harness.discovery import discover

    folder = os.environ.get("EVIDENCE_REPRODUCTIONS")
    return discover(Path(folder) if folder else None)


def _stores(machine: Path | None) -> dict[str, Store]:
    from reproductions.harness.paths import machine_store, published_store
    from reproductions.harness.store import Store

    def warn(line: str) -> None:
        typer.echo(f"evidence: {line}", err=True)

    return {"published": Store(published_store(), warn), "machine": Store(machine or machine_store(), warn)}


def _describe_data(data_dir: Path | None) -> Any:
    from vaes.data import describe

    return describe(data_dir)


def _implementation(module: str) -> str:
    """Return an existing file as an absolute path, or a module name that can be found."""
    import importlib.util

    path = Path(module)
    if path.exists():
        return str(path.resolve())
    if path.suffix == ".py" or os.sep in module:
        raise UsageError(f"no such file: {module}")
    sys.path.insert(0, os.getcwd())
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise UsageError(f"no file and no module {module!r}")
    return module


def _select(
    targets: list[str], tier: str | None, papers: dict[str, Paper], found: dict[str, Found]
) -> dict[str, Found]:
    """Return the reproductions that the targets name, in the order of discovery."""
    claims = {claim.id: claim for paper in papers.values() for claim in paper.claims}
    wanted: set[str] = set()
    for target in targets:
        if target in found:
            wanted.add(target)
        elif target in papers or any(entry.reproduction.paper == target for entry in found.values()):
            wanted |= {name for name, entry in found.items() if entry.reproduction.paper == target}
        elif target in claims:
            wanted.add(_deciding(claims[target], found))
        else:
            raise UsageError(_unknown("paper, claim or reproduction", target, [*papers, *found, *claims]))
    chosen = {
        name: entry
        for name, entry in found.items()
        if (not targets or name in wanted) and tier in (None, entry.reproduction.tier)
    }
    if not chosen:
        typer.echo("evidence: nothing to run: no reproduction stands for this selection", err=True)
    return chosen


def _deciding(claim: Claim, found: dict[str, Found]) -> str:
    name = claim.reproduction
    if name is None:
        raise UsageError(f"claim {claim.id!r} has no reproduction: {claim.not_run}")
    if name not in found:
        raise UsageError(f"claim {claim.id!r} names reproduction {name!r}, which does not exist")
    return str(name)


def _run(
    chosen: dict[str, Found],
    settings: Settings,
    store: Store,
    data_dir: Path | None,
    papers: dict[str, Paper],
    jobs: int | None,
    dask: str | None,
) -> Summary:
    from reproductions.harness import DataInfo, budget, progress, runner

    resolved = data_dir.resolve() if data_dir is not None else None
    tasks = runner.plan(chosen.values(), settings, DataInfo(resolved, _describe_data), store)
    decided = [claim.reproduction for paper in papers.values() for claim in paper.claims if claim.decidable]
    costs = budget.Costs()
    if settings.budget is not None:
        for one in (_stores(None)["published"], store):
            for record in one.records(scale=settings.scale):
                costs.learn(record)
    with contextlib.ExitStack() as stack:
        executor = _executor(settings.device, jobs, dask)
        stack.callback(executor.shutdown)
        return runner.run(
            tasks,
            executor,
            store,
            settings,
            progress.make(len(tasks)),
            costs=costs,
            tiers={name: entry.reproduction.tier for name, entry in chosen.items()},
            claims={name: decided.count(name) for name in chosen},
        )


def _executor(device: str, jobs: int | None, dask: str | None) -> UnitExecutor:
    from reproductions.harness.executors import DaskExecutor, ProcessExecutor

    if dask is not None:
        if jobs is not None:
            raise UsageError("--jobs and --dask exclude each other: a cluster has its own number of workers")
        return DaskExecutor(dask)
    # Several programs on one GPU take turns and share its memory: one at a time unless asked.
    return ProcessExecutor(jobs if jobs is not None else (1 if device == "cuda" else None))


Entry = tuple["Verdict", str, "list[Record]", bool]


def _verdicts(
    papers: dict[str, Paper],
    store: Store,
    scale: str | None = None,
    found: dict[str, Found] | None = None,
) -> dict[str, list[Entry]]:
    """Decide the claims from a store, largest scale first.

    Returns for each claim with tests ``(verdict, reproduction, records, of the current code)``, an entry per
    scale that has results. With ``scale`` there is one entry, for that scale and the current code, results or
    not.
    """
    from reproductions.harness.scales import SCALES

    codes = {name: entry.code for name, entry in (_reproductions() if found is None else found).items()}
    decided: dict[str, list[Entry]] = {}
    groups = _groups(store, scale, codes)
    for one in reversed(SCALES) if scale is None else [scale]:
        here = {name: records for (at, name), records in groups.items() if at == one}
        for paper in papers.values():
            if scale is None and not any(claim.reproduction in here for claim in paper.claims):
                continue
            for claim, verdict in _decide_paper(paper, here, one):
                name = claim.reproduction
                if claim.tests and name and (scale is not None or name in here):
                    records = here.get(name, [])
                    current = all(record["code"] == codes.get(name) for record in records)
                    decided.setdefault(claim.id, []).append((verdict, name, records, current))
    return decided


def _groups(store: Store, scale: str | None, codes: dict[str, str]) -> dict[tuple[str, str], list[Record]]:
    """Return the records by scale and reproduction, of one code version each.

    A run (one scale) reports on the code that it ran. A listing shows what ran last, even when the code has
    moved on.
    """
    from reproductions.harness.store import current_code

    groups: dict[tuple[str, str], list[Record]] = {}
    for record in store.records(scale=scale):
        groups.setdefault((record["scale"], record["reproduction"]), []).append(record)
    for key, records in groups.items():
        code = codes.get(key[1]) if scale is not None else current_code(records)
        groups[key] = [record for record in records if record["code"] == code]
    return groups


def _decide_paper(paper: Paper, here: dict[str, list[Record]], scale: str) -> list[tuple[Claim, Verdict]]:
    from claims import decide_paper
    from reproductions.harness.store import rows_of

    tables = {name: rows_of(records) for name, records in here.items()}
    failures = {name: _failures(records) for name, records in here.items()}
    verdicts = decide_paper(paper.claims, tables, scale, failures=failures)
    return list(zip(paper.claims, verdicts, strict=True))


def _failures(records: list[Record]) -> list[str]:
    from reproductions.harness.progress import first_line

    return [
        f"seed {record['seed']}: {record['status']}: {first_line(record['error']['message'])}"
        for record in records
        if record["status"] != "done" and record["error"]
    ]


def _views(papers: dict[str, Paper], stores: dict[str, Store]) -> list[dict[str, Any]]:
    found = _reproductions()
    decided = {name: _verdicts(papers, store, found=found) for name, store in stores.items()}
    return [
        {
            "id": claim.id,
            "paper": paper.paper,
            "tier": claim.tier,
            "kind": claim.kind,
            "says": claim.says,
            "reproduction": claim.reproduction,
            **{name: _brief(decided[name].get(claim.id, [])) for name in ("published", "machine")},
        }
        for paper in papers.values()
        for claim in paper.claims
    ]


def _brief(entries: list[Entry]) -> dict[str, Any]:
    if not entries:
        return {"verdict": "not run", "scale": None, "seeds": 0, "current_code": None}
    verdict, _, _, current = entries[0]
    return {
        "verdict": verdict.status,
        "scale": verdict.scale,
        "seeds": verdict.seeds,
        "current_code": current,
    }


def _finding(verdict: Verdict, reproduction: str, records: list[Record], current: bool) -> dict[str, Any]:
    from reproductions.harness.store import KEY_LENGTH

    folder = reproduction.replace("/", "__")
    return {
        **verdict.to_dict(),
        "current_code": current,
        "units": [f"{folder}/{record['key'][:KEY_LENGTH]}.json" for record in records],
    }


def _counts(views: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    from collections import Counter

    return {
        "paper": dict(Counter(view["paper"] for view in views)),
        "tier": dict(Counter(view["tier"] for view in views)),
        "published": dict(Counter(view["published"]["verdict"] for view in views)),
        "machine": dict(Counter(view["machine"]["verdict"] for view in views)),
    }


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, allow_nan=False))


def _console() -> Console:
    from rich.console import Console

    # Into a pipe a table keeps its columns instead of folding at 80.
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def _table(*columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _told(brief: dict[str, Any]) -> Any:
    from rich.text import Text

    text = brief["verdict"] + (f" ({brief['scale']})" if brief["scale"] else "")
    if brief["current_code"] is False:
        text += ", older code"
    return Text(text, style=COLOURS.get(brief["verdict"], "dim"))


def _print_claims(views: list[dict[str, Any]]) -> None:
    console = _console()
    table = _table("claim", "tier", "published", "this machine")
    for view in views:
        table.add_row(view["id"], view["tier"], _told(view["published"]), _told(view["machine"]))
    console.print(table)
    console.print(f"{len(views)} claims", markup=False)
    for name, counts in _counts(views).items():
        title = "this machine" if name == "machine" else name
        console.print(f"by {title}: " + ", ".join(f"{count} {key}" for key, count in counts.items()), markup=False)


def _print_claim(claim: Claim, evidence: dict[str, list[dict[str, Any]]]) -> None:
    echo = typer.echo
    echo(f"{claim.id}  ({claim.where}; {claim.kind}, {claim.tier})\n\n{claim.says}")
    if claim.numbers:
        echo("\nThe paper's numbers:")
    for number in claim.numbers:
        extra = f" ({number.provenance})" if number.provenance else ""
        echo(f"  {number.of}: {number.value}{' ' + number.unit if number.unit else ''}{extra}")
    echo(f"\nEquations: {', '.join(_named(equation) for equation in claim.equations) or 'none'}")
    echo(f"Criterion: {claim.check}")
    for test in claim.tests or ():
        echo("  " + json.dumps(test.model_dump(mode="json", exclude_none=True)))
    if claim.not_run:
        echo(f"Not run: {claim.not_run}")
    if claim.note:
        echo(f"Note: {claim.note}")
    echo(f"Reproduction: {claim.reproduction or 'none'}")
    for name, findings in evidence.items():
        title = "This machine" if name == "machine" else "Published"
        if not findings:
            echo(f"\n{title}: not run")
        for finding in findings:
            _print_finding(title, finding)


def _named(equation: str) -> str:
    from reference.registry import EQUATIONS

    entry = EQUATIONS.get(equation)
    return f"{equation} ({entry.name}, {entry.function})" if entry else equation


def _print_finding(title: str, finding: dict[str, Any]) -> None:
    echo = typer.echo
    older = "" if finding["current_code"] else ", results of older code"
    echo(f"\n{title}, scale {finding['scale']}: {finding['status']}, {finding['seeds']} seeds{older}")
    if finding["reason"]:
        echo(f"  {finding['reason']}")
    for test in finding["tests"]:
        parts = [f"{test['word']}: {test['status']}", f"n = {test['n']}"]
        if test["effect"] is not None:
            parts.append(f"effect {test['effect']:.4g}")
        if test["interval"]:
            parts.append("interval [{:.4g}, {:.4g}]".format(*test["interval"]))
        if test["p"] is not None:
            parts.append(f"p = {test['p']:.3g}")
        if test["p_corrected"] is not None:
            parts.append(f"corrected {test['p_corrected']:.3g}")
        echo("  " + ", ".join(parts))
    for unit in finding["units"]:
        echo(f"  unit {unit}")


def _run_as_json(summary: Summary, settings: Settings, store: Store, verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        "scale": settings.scale,
        "device": settings.device,
        "store": str(store.path),
        "seconds": round(summary.seconds, 3),
        "done": sum(record["status"] == "done" for record in summary.ran),
        "skipped": len(summary.skipped),
        "failed": [
            {name: record[name] for name in ("reproduction", "config", "seed", "status", "key", "error")}
            for record in summary.failed
        ],
        "left_out": [task.label for task in summary.left_out],
        "verdicts": [verdict.to_dict() for verdict in verdicts],
    }


def _print_run(summary: Summary, store: Store, verdicts: list[Verdict]) -> None:
    from reproductions.harness.progress import clock

    console = _console()
    if verdicts:
        table = _table("claim", "verdict", "seeds", "why")
        for verdict in verdicts:
            told = _told({"verdict": verdict.status, "scale": verdict.scale, "current_code": None})
            table.add_row(verdict.claim_id, told, str(verdict.seeds), verdict.reason)
        console.print(table)
    done = len(summary.ran) - len(summary.failed)
    typer.echo(
        f"{done} units done, {len(summary.failed)} failed, {len(summary.skipped)} finished before, "
        f"{len(summary.left_out)} left out, in {clock(summary.seconds)}"
    )
    if summary.left_out:
        typer.echo("The budget left out:")
    for task in summary.left_out:
        typer.echo(f"  {task.label}")
    for record in summary.failed:
        typer.echo(f"{record['status']}: {store.file_of(record['reproduction'], record['key'])}")
    typer.echo(f"Results: {store.path}")

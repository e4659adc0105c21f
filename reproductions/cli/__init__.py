"""The command ``evidence``.

Everything heavy is imported inside the commands, so that ``evidence --help`` answers at once. The environment variables
EVIDENCE_REPRODUCTIONS and EVIDENCE_CLAIMS name folders to use in place of the packaged ones.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from reproductions.cli.evidence import counts_of, finding_of, verdicts_of, views_of
from reproductions.cli.fetching import fetch_data
from reproductions.cli.printing import (
    make_console,
    make_table,
    print_claim,
    print_claims,
    print_json,
    print_run,
    run_as_json,
)
from reproductions.cli.running import run_units
from reproductions.cli.usage import (
    UsageError,
    check_choice,
    check_data_dir,
    check_device,
    describe_data,
    find_claim,
    find_implementation,
    find_reproductions,
    load_papers,
    open_stores,
    select,
    settings_of,
    unknown,
)

WRONG_USAGE = 2
RUN_FAILED = 1
INTERRUPTED = 130
VERDICTS = ("supported", "contradicted", "inconclusive", "not run", "error")

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
        papers = load_papers()
        if paper is not None and paper not in papers:
            raise UsageError(unknown("paper", paper, papers))
        check_choice("tier", tier, ("static", "scaled", "paper-scale"))
        check_choice("verdict", verdict, VERDICTS)
        views = views_of(papers, open_stores(store))
        chosen = [
            view
            for view in views
            if (paper is None or view["paper"] == paper)
            and (tier is None or view["tier"] == tier)
            and (verdict is None or verdict in (view["published"]["verdict"], view["machine"]["verdict"]))
        ]
        if as_json:
            print_json({"claims": chosen, "counts": counts_of(chosen)})
        else:
            print_claims(chosen)


@app.command()
def show(
    claim: Annotated[str, typer.Argument(help="Claim id.")],
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show one claim: statement, the paper's numbers, equations, criterion, verdicts, result files."""
    with _clear_errors():
        papers = load_papers()
        found = find_claim(papers, claim)
        only = {found.paper: papers[found.paper]}
        stores = open_stores(store)
        evidence = {
            name: [finding_of(*entry) for entry in verdicts_of(only, one).get(found.id, [])]
            for name, one in stores.items()
        }
        if as_json:
            print_json({**found.model_dump(mode="json"), "evidence": evidence})
        else:
            print_claim(found, evidence)


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
        settings = settings_of(scale, device, seeds, fresh, budget, timeout)
        check_choice("tier", tier, ("static", "scaled", "paper-scale"))
        check_data_dir(data_dir)
        papers, reproductions = load_papers(), find_reproductions()
        chosen = select(targets or [], tier, papers, reproductions)
        machine = open_stores(store)["machine"]
        summary = run_units(chosen, settings, machine, data_dir, papers, jobs, dask)
        affected = {
            claim_id: entries[0]
            for claim_id, entries in verdicts_of(papers, machine, scale, reproductions).items()
            if entries[0][1] in chosen
        }
        verdicts = [verdict for verdict, *_ in affected.values()]
        if as_json:
            print_json(run_as_json(summary, settings, machine, verdicts))
        else:
            print_run(summary, machine, verdicts)
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

        machine = open_stores(store)["machine"]
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
        check_device(device)
        target = find_implementation(module)
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
def data(
    data_dir: DataOption = None,
    fetch: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="First download mnist, omniglot or cifar10; may be given again."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the data sets: embedded or a file, where it was found, and whether its checksum is right."""
    with _clear_errors():
        check_data_dir(data_dir)
        if fetch:
            fetch_data(fetch, data_dir)
        entries = [dict(entry) for entry in describe_data(data_dir)]
        if as_json:
            print_json({"data_dir": None if data_dir is None else str(data_dir), "datasets": entries})
            return
        table = make_table("data set", "source", "status", "where", "notes")
        for entry in entries:
            where = entry.get("path") or ("embedded" if entry["source"] == "embedded" else "not found")
            table.add_row(entry["name"], entry["source"], entry["status"], where, entry.get("notes") or "")
        make_console().print(table)


@app.command()
def publish(
    targets: Annotated[list[str] | None, typer.Argument(help="Reproductions; all without any.")] = None,
    store: StoreOption = None,
) -> None:
    """Copy the finished units of this machine to the results that are published with the project."""
    with _clear_errors():
        from reproductions.harness.runner import publish as publish_units

        found = find_reproductions()
        for name in targets or []:
            if name not in found:
                raise UsageError(unknown("reproduction", name, found))
        stores = open_stores(store)
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

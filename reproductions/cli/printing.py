"""What the commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from reproductions.cli.evidence import counts_of

if TYPE_CHECKING:
    from rich.console import Console

    from claims import Claim, Verdict
    from reproductions.harness.runner import Settings, Summary
    from reproductions.harness.store import Store

PIPE_WIDTH = 160
COLOURS = {"supported": "green", "contradicted": "red", "inconclusive": "yellow", "error": "magenta"}


def print_json(value: Any) -> None:
    """Print a value as strict JSON."""
    typer.echo(json.dumps(value, indent=1, allow_nan=False))


def make_console() -> Console:
    """Return a console that fits the terminal, or a pipe."""
    from rich.console import Console

    # Into a pipe a table keeps its columns instead of folding at 80.
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def make_table(*columns: str) -> Any:
    """Return an empty table with these columns."""
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


def print_claims(views: list[dict[str, Any]]) -> None:
    """Print the described claims as a table, and their counts."""
    console = make_console()
    table = make_table("claim", "tier", "published", "this machine")
    for view in views:
        table.add_row(view["id"], view["tier"], _told(view["published"]), _told(view["machine"]))
    console.print(table)
    console.print(f"{len(views)} claims", markup=False)
    for name, counts in counts_of(views).items():
        title = "this machine" if name == "machine" else name
        console.print(f"by {title}: " + ", ".join(f"{count} {key}" for key, count in counts.items()), markup=False)


def print_claim(claim: Claim, evidence: dict[str, list[dict[str, Any]]]) -> None:
    """Print one claim with its criterion and the evidence in each store."""
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
    if claim.configuration is not None and claim.cost is not None:
        runs = ", ".join(claim.configuration.runs) or "nothing to run"
        echo(f"At the paper's size: {claim.configuration.reproduction}, {runs}")
        hours = {"core-hours": claim.cost.core_hours, "GPU-hours": claim.cost.gpu_hours}
        told = " and ".join(f"{value:g} {unit}" for unit, value in hours.items() if value is not None)
        echo(f"Cost for one seed: {told}; {claim.cost.estimate}")
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


def run_as_json(summary: Summary, settings: Settings, store: Store, verdicts: list[Verdict]) -> dict[str, Any]:
    """Describe a finished run for programs."""
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


def print_run(summary: Summary, store: Store, verdicts: list[Verdict]) -> None:
    """Print what a run came to: verdicts, counts, what was left out, what failed."""
    from reproductions.harness.progress import clock

    console = make_console()
    if verdicts:
        table = make_table("claim", "verdict", "seeds", "why")
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

"""Draw a sample of mutmut's mutants, or score the ones that ran: ``python -m tests.mutation sample | score``.

mutmut makes tens of thousands of mutants of ``reference`` and ``vaes/ops``; a run over all of them takes hours, a
uniform sample of a few hundred gives the same score to a few percent. Both commands read the folder ``mutants`` that
``mutmut run`` leaves in the working directory.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from mutmut.stats import status_by_exit_code
from scipy.stats import binomtest

HERE = Path(__file__).parent
SCORE, REASONS = HERE / "score.json", HERE / "reasons.json"
# What mutmut's words for an exit status come to; any other word (skipped, suspicious) is no verdict.
CAUGHT, ALIVE = ("killed", "timeout"), ("survived", "no tests")


def results(folder: Path) -> dict[str, int | None]:
    """Return mutmut's exit status of every mutant by name, None where it has not run."""
    found: dict[str, int | None] = {}
    for path in sorted(folder.rglob("*.meta")):
        found |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    if not found:
        raise SystemExit(f"{folder} holds no mutants: run mutmut first")
    return found


def sample(names: list[str], size: int, seed: int) -> list[str]:
    """Return a uniform sample without replacement, the same for the same names and seed."""
    return sorted(random.Random(seed).sample(sorted(names), min(size, len(names))))


def outcome(status: int) -> str:
    """Return mutmut's word for an exit status; raise if it is no verdict."""
    word = str(status_by_exit_code[status])
    if word not in CAUGHT + ALIVE:
        raise ValueError(f"exit status must mean {', '.join(CAUGHT + ALIVE)}, got {status} ({word})")
    return word


def difference(name: str) -> str:
    """Return the changed lines of a mutant."""
    shown = subprocess.run(["mutmut", "show", name], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def score(statuses: dict[str, int | None], names: list[str], commit: str) -> dict[str, Any]:
    """Return counts, the killed share with its 95 % interval, and every mutant that lives."""
    outcomes = {name: outcome(status) for name in names if (status := statuses[name]) is not None}
    counts = Counter(outcomes.values())
    caught = sum(counts[word] for word in CAUGHT)
    interval = binomtest(caught, len(outcomes)).proportion_ci(method="wilson")
    return {
        "commit": commit,
        "population": len(statuses),
        "ran": len(outcomes),
        "outcomes": dict(sorted(counts.items())),
        "score": round(caught / len(outcomes), 4),
        "interval": [round(interval.low, 4), round(interval.high, 4)],
        "by_package": {
            package: dict(Counter(o for name, o in outcomes.items() if name.startswith(package)))
            for package in ("reference", "vaes.ops")
        },
        "survivors": {name: difference(name) for name, o in outcomes.items() if o in ALIVE},
    }


def report(found: dict[str, Any], reasons: dict[str, str]) -> int:
    """Print the score and the survivors with their reasons; return how many have none."""
    low, high = found["interval"]
    print(f"{found['ran']} of {found['population']} mutants at {found['commit']}: {found['outcomes']}")
    print(f"score {found['score']:.1%} [{low:.1%}, {high:.1%}]")
    for name, changed in found["survivors"].items():
        print(f"\n{name}: {reasons.get(name, 'NO REASON GIVEN')}\n{changed}")
    return len(set(found["survivors"]) - set(reasons))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("sample", "score"))
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutants", type=Path, default=Path("mutants"))
    options = parser.parse_args()
    statuses = results(options.mutants)
    names = sample(list(statuses), options.size, options.seed)
    if options.command == "sample":
        print(*names)
        return 0
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    found = score(statuses, names, commit.strip())
    SCORE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    reasons = json.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}
    return min(report(found, reasons), 1)


if __name__ == "__main__":
    sys.exit(main())

"""What the papers claim, and what decides it.

`load_paper`, `load_all` and `find` read the claim files; `decide` and `decide_paper` turn result tables into
verdicts.  The deciding half needs NumPy and SciPy and is imported on first use, so that the command line can
list claims quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claims.loading import ClaimFileError, UnknownClaimError, find, load_all, load_file, load_paper
from claims.schema import Claim, Paper

if TYPE_CHECKING:
    from claims.verdict import Verdict, decide, decide_paper
    from claims.words import TestResult

__all__ = [
    "Claim",
    "ClaimFileError",
    "Paper",
    "TestResult",
    "UnknownClaimError",
    "Verdict",
    "decide",
    "decide_paper",
    "find",
    "load_all",
    "load_file",
    "load_paper",
]

_LAZY = {"Verdict": "verdict", "decide": "verdict", "decide_paper": "verdict", "TestResult": "words"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'claims' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"claims.{_LAZY[name]}"), name)

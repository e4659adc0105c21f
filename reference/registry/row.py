"""The one row type of the registry."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from importlib import import_module

KINDS = (
    "closed form",
    "enumeration",
    "finite differences",
    "identity",
    "linear algebra",
    "limit",
    "mpmath",
    "monte carlo",
    "printed value",
    "quadrature",
    "scipy",
    "torch",
)


@dataclass(frozen=True)
class Oracle:
    """An independent thing that an equation is checked against, and the conformance test that does it."""

    kind: str
    test: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind of oracle must be one of {', '.join(KINDS)}, got {self.kind!r}")


@dataclass(frozen=True)
class Equation:
    """One equation entry of a paper.

    ``function`` names the reference function and its twin in one: ``"gaussian.kl"`` is ``reference.gaussian.kl`` and
    ``vaes.ops.gaussian.kl``; the strategy that draws its inputs has the same name in the conformance suite.
    ``formula`` is needed only where the equation differs from the formula in the function's docstring.
    """

    id: str
    name: str
    where: str
    function: str
    oracles: tuple[Oracle, ...]
    names: tuple[str, ...] = ()
    formula: str | None = None
    erratum: str | None = None
    note: str | None = None

    @property
    def paper(self) -> str:
        """Slug of the paper."""
        return self.id.split("/")[0]

    @property
    def number(self) -> str:
        """Number of the entry within the paper."""
        return self.id.split("/")[1]

    @property
    def topic(self) -> str:
        """Module of the function."""
        return self.function.split(".")[0]

    @property
    def latex(self) -> str:
        """LaTeX of the equation, without dollar signs."""
        return self.formula or docstring_formula(self.function)


def docstring_formula(function: str) -> str:
    """Return the LaTeX of the ``.. math::`` block in a reference function's docstring."""
    module, name = function.split(".")
    text = inspect.getdoc(getattr(import_module(f"reference.{module}"), name)) or ""
    block = re.search(r"\.\. math::(.*?)(?:\n\s*\n|\Z)", text, re.S)
    if block is None:
        raise ValueError(f"docstring of reference.{function} must hold a '.. math::' block")
    return " ".join(block.group(1).split())

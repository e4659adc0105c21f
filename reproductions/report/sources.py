"""Source code as shown in the report: cut out of files, never imported, highlighted once."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Source:
    """One function as it stands in a file: the code without its docstring, and the docstring."""

    path: str
    line: int
    code: str
    docstring: str


@lru_cache(maxsize=256)
def _parsed(path: Path) -> tuple[ast.Module, tuple[str, ...]]:
    text = path.read_text(encoding="utf-8")
    return ast.parse(text), tuple(text.splitlines())


@lru_cache(maxsize=32)
def package_root(package: str) -> Path | None:
    """Return the folder of an importable package without running more than its parents."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def function_source(package: str, function: str) -> Source | None:
    """Return the source of ``module.function`` in a package, or None where it does not exist.

    Parameters
    ----------
    package : str
        For example ``"reference"`` or ``"vaes.ops"``.
    function : str
        Dotted name below the package, for example ``"hermite.basis"``.
    """
    root = package_root(package)
    if root is None:
        return None
    *modules, name = function.split(".")
    path = root.joinpath(*modules).with_suffix(".py")
    if not modules or not path.is_file():
        return None
    tree, lines = _parsed(path)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            shown = "/".join([*package.split("."), *modules]) + ".py"
            return _cut(node, lines, shown)
    return None


def _cut(node: ast.FunctionDef | ast.ClassDef, lines: tuple[str, ...], shown: str) -> Source:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last = node.end_lineno or node.lineno
    docstring = ast.get_docstring(node) or ""
    keep = list(range(first - 1, last))
    if docstring:
        statement = node.body[0]
        dropped = range(statement.lineno - 1, statement.end_lineno or statement.lineno)
        keep = [index for index in keep if index not in dropped]
    return Source(shown, first, "\n".join(lines[index] for index in keep), docstring)


def summary_of(docstring: str) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join(docstring.strip().split("\n\n", 1)[0].split())


def python_html(code: str) -> str:
    """Return highlighted code; the classes are coloured by the report's own stylesheet."""
    formatter = HtmlFormatter(nowrap=True)
    return str(highlight(code.rstrip() + "\n", PythonLexer(stripnl=False), formatter))

"""Read claim files strictly: any fault is one line with file, line, path, constraint and value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from claims.schema import Claim, Paper

CLAIMS_DIR = Path(__file__).resolve().parent
Location = tuple[str | int, ...]


class ClaimFileError(ValueError):
    """A claim file that does not follow the schema; the message is one line."""


class UnknownClaimError(ValueError):
    """No claim, or no paper, has the wanted name."""


def load_file(path: Path) -> Paper:
    """Load and check one claim file.

    Parameters
    ----------
    path : Path
        A YAML file that follows `claims.schema.Paper`.

    Returns
    -------
    Paper
        The checked content.

    Raises
    ------
    ClaimFileError
        One line ``file:line: path: what is wrong`` for the first fault found.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimFileError(f"{_shown(path)}:1: cannot be read: {error}") from error
    data = _parse(path, text)
    try:
        paper = Paper.model_validate(data)
    except ValidationError as error:
        raise _schema_error(path, text, error) from None
    _check_ids(path, text, paper)
    return paper


def load_paper(slug: str, *, directory: Path = CLAIMS_DIR) -> Paper:
    """Load ``<slug>.yaml``; raise `UnknownClaimError` with a suggestion if there is none."""
    path = directory / f"{slug}.yaml"
    if not re.fullmatch(r"[a-z][a-z0-9-]*", slug) or not path.is_file():
        known = _slugs(directory)
        raise UnknownClaimError(f"no paper {slug!r}{_suggestion(slug, known)}; papers: {', '.join(known) or 'none'}")
    return load_file(path)


def load_all(*, directory: Path = CLAIMS_DIR) -> dict[str, Paper]:
    """Load every claim file of the directory, keyed by slug, in alphabetical order."""
    return {slug: load_file(directory / f"{slug}.yaml") for slug in _slugs(directory)}


def find(claim_id: str, *, directory: Path = CLAIMS_DIR) -> Claim:
    """Return the claim with this id.

    Raises
    ------
    UnknownClaimError
        If there is none; the message suggests the nearest id.
    """
    slug = claim_id.split("/", 1)[0]
    paper = load_paper(slug, directory=directory)
    for claim in paper.claims:
        if claim.id == claim_id:
            return claim
    raise UnknownClaimError(f"no claim {claim_id!r}{_suggestion(claim_id, [claim.id for claim in paper.claims])}")


def _slugs(directory: Path) -> list[str]:
    return sorted(path.stem for path in directory.glob("*.yaml"))


def _suggestion(wanted: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""


def _shown(path: Path) -> str:
    return f"claims/{path.name}" if path.resolve().parent == CLAIMS_DIR else str(path)


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _parse(path: Path, text: str) -> Any:
    try:
        return _yaml().load(text)
    except MarkedYAMLError as error:
        duplicate = _first_duplicate(text)
        if duplicate is not None:
            line, where, key = duplicate
            raise ClaimFileError(f"{_shown(path)}:{line}: {where}: duplicate key {key!r}") from None
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise ClaimFileError(f"{_shown(path)}:{line}: not valid YAML: {error.problem or error.context}") from None
    except ValueError as error:
        # For example an impossible date; the constructor gives no mark.
        raise ClaimFileError(f"{_shown(path)}:1: not valid YAML: {' '.join(str(error).split())}") from None


def _first_duplicate(text: str) -> tuple[int, str, str] | None:
    try:
        root = _yaml().compose(text)
    except MarkedYAMLError:
        return None
    return _duplicate_below(root, ())


def _duplicate_below(node: Node | None, where: Location) -> tuple[int, str, str] | None:
    seen: set[str] = set()
    for step, key_node, child in _children(node):
        if isinstance(node, MappingNode):
            if step in seen:
                return key_node.start_mark.line + 1, _written(where), str(step)
            seen.add(str(step))
        found = _duplicate_below(child, (*where, step))
        if found is not None:
            return found
    return None


def _children(node: Node | None) -> Iterable[tuple[str | int, Node, Node]]:
    if isinstance(node, MappingNode):
        return [(str(key.value), key, value) for key, value in node.value]
    if isinstance(node, SequenceNode):
        return [(index, child, child) for index, child in enumerate(node.value)]
    return []


def _written(location: Location) -> str:
    """``("claims", 4, "tier")`` as ``claims[4].tier``."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else step)
    return text or "file"


def _locate(text: str, location: Location) -> tuple[int, Location]:
    """Line of a location and the part of it that the file has.

    Steps that the file does not have (tags of a union, missing keys) are left out.
    """
    node = _yaml().compose(text)
    line, found = 1, []
    for step in location:
        match = next((item for item in _children(node) if item[0] == step), None)
        if match is None:
            continue
        _, key_node, node = match
        line = key_node.start_mark.line + 1
        found.append(step)
    return line, tuple(found)


def _schema_error(path: Path, text: str, error: ValidationError) -> ClaimFileError:
    faults = error.errors()
    # An unknown key tells more than the missing key that it leaves behind when it is a typing error.
    first = min(faults, key=lambda fault: fault["type"] != "extra_forbidden" and fault["type"] == "missing")
    kind, context = first["type"], first.get("ctx", {})
    location: Location = first["loc"]
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        location = (*location, "word")
    line, found = _locate(text, location)
    if kind == "missing" or (kind == "union_tag_not_found"):
        found = (*found, location[-1])
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return ClaimFileError(f"{_shown(path)}:{line}: {_written(found)}: {_explained(first, kind, context)}{more}")


def _explained(fault: Any, kind: str, context: dict[str, Any]) -> str:
    value = fault.get("input")
    if kind == "missing":
        return "is required"
    if kind == "union_tag_not_found":
        return "is required"
    if kind == "extra_forbidden":
        return f"unknown key {fault['loc'][-1]!r}"
    if kind == "literal_error":
        return f"{value!r} is not one of {_listed(context['expected'])}"
    if kind == "union_tag_invalid":
        return f"{context['tag']!r} is not one of {_listed(context['expected_tags'])}"
    if kind == "value_error":
        reason = str(context["error"])
        return reason if isinstance(value, dict) else f"{value!r} {reason}"
    if kind == "string_pattern_mismatch":
        return f"{value!r} does not match {context['pattern']}"
    message = fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{message}, got {_short(value)}"


def _listed(expected: str) -> str:
    return ", ".join(re.findall(r"'([^']+)'", expected))


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def _check_ids(path: Path, text: str, paper: Paper) -> None:
    """Check what no single claim can know: the prefix, duplicates and the names in the changelog."""
    seen: dict[str, int] = {}
    fault: tuple[Location, str] | None = None
    if path.stem != paper.paper:
        fault = (("paper",), f"{paper.paper!r} is not the name of the file, {path.stem!r}")
    for index, claim in enumerate(paper.claims):
        where: Location = ("claims", index, "id")
        if claim.paper != paper.paper:
            fault = fault or (where, f"{claim.id!r} does not start with '{paper.paper}/'")
        if claim.id in seen:
            fault = fault or (where, f"{claim.id!r} is a duplicate of claims[{seen[claim.id]}].id")
        seen.setdefault(claim.id, index)
    for index, change in enumerate(paper.changelog):
        if change.claim != "all" and change.claim not in seen:
            fault = fault or (
                ("changelog", index, "claim"),
                f"{change.claim!r} is neither 'all' nor the id of a claim",
            )
    if fault is not None:
        line, found = _locate(text, fault[0])
        raise ClaimFileError(f"{_shown(path)}:{line}: {_written(found)}: {fault[1]}")

"""The registry is complete and true: every function registered, every oracle a test that uses the function."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest
from hypothesis.strategies import SearchStrategy

import reference
import vaes.ops
from reference import registry
from tests.conformance import inputs
from tests.conformance.measure import HEAVY_TAILS, LARGE

HERE = Path(__file__).parent
ROWS = list(registry.EQUATIONS.values())
FUNCTIONS = sorted(registry.functions())
TOPICS = [m.name for m in pkgutil.iter_modules(reference.__path__) if m.name not in ("registry", "checks")]


def public_functions(package: str, topic: str) -> set[str]:
    module = importlib.import_module(f"{package}.{topic}")
    found = inspect.getmembers(module, inspect.isfunction)
    return {f"{topic}.{n}" for n, f in found if f.__module__ == module.__name__ and not n.startswith("_")}


@functools.cache
def oracle_tests_of(topic: str) -> dict[str, str]:
    """Functions of a topic's test file, each with its syntax tree as text."""
    tree = ast.parse((HERE / f"test_{topic}.py").read_text(encoding="utf-8"))
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, ast.FunctionDef)}


@functools.cache
def users_of(function: str) -> set[str]:
    """Functions of the topic's test file that use the function, on their own or through one that does."""
    topic, name = function.split(".")
    texts = oracle_tests_of(topic)
    direct = {test for test, text in texts.items() if re.search(rf"\b{name}\b", text)}
    return direct | {test for test, text in texts.items() if any(helper in text for helper in direct)}


ALL_TESTS = {name for topic in TOPICS for name in oracle_tests_of(topic)}


def test_every_public_function_is_registered() -> None:
    found = {function for topic in TOPICS for function in public_functions("reference", topic)}
    assert found == set(FUNCTIONS)


def test_functions_have_twins_inputs_and_signatures() -> None:
    for function in FUNCTIONS:
        topic, name = function.split(".")
        one, two = (getattr(importlib.import_module(f"{p}.{topic}"), name) for p in ("reference", "vaes.ops"))
        assert list(inspect.signature(one).parameters) == list(inspect.signature(two).parameters), function
        assert isinstance(inputs.strategy(function), SearchStrategy), function
        assert set(inputs.dtypes(function)) <= set(registry.tolerances()[function]["cpu"]), function


def test_large_records_have_a_reason() -> None:
    """A twin that loses two digits is either repaired, or the reason is the function's own."""
    for function, devices in registry.tolerances().items():
        largest = max(ulps for dtypes in devices.values() for kinds in dtypes.values() for ulps in kinds.values())
        assert largest <= LARGE or function in HEAVY_TAILS, f"{function}: a record of {largest} ulps without a reason"
    assert set(FUNCTIONS) >= HEAVY_TAILS.keys()


def test_rows_have_two_oracles_that_exist() -> None:
    for row in ROWS:
        assert len({oracle.test for oracle in row.oracles}) >= 2, row.id
        assert len({(oracle.kind, oracle.test) for oracle in row.oracles}) == len(row.oracles), row.id
        for oracle in row.oracles:
            assert oracle.test in ALL_TESTS, f"{row.id}: no test {oracle.test} in tests/conformance"
        # A test in the file of another topic is taken at its word.
        elsewhere = {oracle.test for oracle in row.oracles if oracle.test not in oracle_tests_of(row.topic)}
        using = {oracle.test for oracle in row.oracles} & users_of(row.function)
        assert len(using | elsewhere) >= 2, f"{row.id}: its oracles must use {row.function}"


def test_every_entry_of_the_specifications_is_registered() -> None:
    """All 292 entries of the five papers, each with every name that its specification uses."""
    entries = json.loads((HERE / "specification.json").read_text(encoding="utf-8"))
    assert sum(map(len, entries.values())) == 292
    for paper, numbers in entries.items():
        for number, names in numbers.items():
            assert f"{paper}/{number}" in registry.EQUATIONS
            rows = [row for row in ROWS if re.fullmatch(rf"{paper}/{number}([b-f]|-.*)?", row.id)]
            known = {name for row in rows for name in (*row.names, row.function.split(".")[1])}
            assert set(names) <= known, f"{paper}/{number}: no row for {set(names) - known}"


def test_ids_are_unique_and_functions_resolve() -> None:
    assert len(ROWS) == len({row.id for row in ROWS})
    for row in ROWS:
        assert callable(registry.resolve(row.id))
        assert row.latex


def test_docstrings_say_what_a_reader_needs() -> None:
    for function in FUNCTIONS:
        topic, name = function.split(".")
        text = inspect.getdoc(getattr(importlib.import_module(f"reference.{topic}"), name))
        for part in (".. math::", "Parameters", "Returns", "Source:"):
            assert part in text, f"{function}: docstring has no {part!r}"
        assert inspect.getdoc(getattr(importlib.import_module(f"vaes.ops.{topic}"), name)), function


def test_twins_do_not_import_the_reference() -> None:
    for module in pkgutil.walk_packages(vaes.__path__, "vaes."):
        source = Path(importlib.util.find_spec(module.name).origin).read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) reference\b", source, re.M), module.name


def test_unknown_equation_is_named() -> None:
    with pytest.raises(ValueError, match=r"got 'hvae/Z9'"):
        registry.find("hvae/Z9")


def test_unknown_kind_of_oracle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"kind of oracle must be one of .* got 'intuition'"):
        registry.Oracle("intuition", "test_x")

"""Every faulty implementation is killed by the test that it names; every registered function has one."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from reference import registry
from tests.conformance import inputs, test_bad_input, test_twins
from tests.conformance.implementation import Implementation

HERE = Path(__file__).parent
TESTS = "tests.conformance"
TOPICS = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("__init__", "test_mutants"))


def mutants_of(topic: str) -> dict[str, str]:
    """Fault name to the name of its killer."""
    module = importlib.import_module(f"tests.mutants.{topic}")
    return {name: f.killed_by for name, f in inspect.getmembers(module, inspect.isfunction) if "__" in name}


MUTANTS = [(topic, fault, killer) for topic in TOPICS for fault, killer in mutants_of(topic).items()]


# A killed mutant is enough: its smallest counterexample is for who runs it alone.
NO_SHRINKING = (Phase.explicit, Phase.generate)

# Tests of every function; all other killers are properties of one topic.
GENERIC = {
    "test_value": test_twins.test_value,
    "test_gradient": test_twins.test_gradient,
    "test_nan_is_not_hidden": test_bad_input.test_nan_is_not_hidden,
}


@pytest.fixture(autouse=True)
def more_examples_and_no_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rare corners get more draws than in a plain run of the twins' tests."""
    monkeypatch.setattr(test_twins, "EXAMPLES", 120)
    monkeypatch.setattr(test_twins, "PHASES", NO_SHRINKING)


def property_test(topic: str, name: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a property of a topic, without the shrinking of its counterexamples."""
    test = getattr(importlib.import_module(f"{TESTS}.test_{topic}"), name)
    if own := getattr(test, "_hypothesis_internal_use_settings", None):
        monkeypatch.setattr(test, "_hypothesis_internal_use_settings", settings(own, phases=NO_SHRINKING))
    return test


@pytest.mark.parametrize(("topic", "fault", "killer"), MUTANTS, ids=[f"{t}.{f}" for t, f, _ in MUTANTS])
def test_mutant_is_killed(topic: str, fault: str, killer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = Implementation(f"{HERE / topic}.py::{fault}")
    function = f"{topic}.{fault.split('__')[0]}"
    if killer in GENERIC:
        arguments = {"function": function, "implementation": faulty}
        if killer != "test_nan_is_not_hidden":
            arguments["dtype"] = inputs.dtypes(function)[0]
        run = partial(GENERIC[killer], **arguments)
    else:
        run = partial(property_test(topic, killer, monkeypatch), implementation=Mixed(faulty))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run()


class Mixed(Implementation):
    """The faulty function, with the right ones for everything else that a property calls."""

    def __init__(self, faulty: Implementation) -> None:
        super().__init__()
        self.faulty = faulty

    def find(self, function: str):
        own = f"{self.faulty.topic}.{self.faulty.only.split('__')[0]}"
        return self.faulty.find(function) if function == own else super().find(function)


def test_every_function_has_a_mutant() -> None:
    faulty = {f"{topic}.{fault.split('__')[0]}" for topic, fault, _ in MUTANTS}
    assert faulty >= set(registry.functions())


def test_killers_judge_the_right_implementation_too() -> None:
    """A killer that fails on the right twins would make every kill worthless: it must be a test that pytest runs."""
    for topic, fault, killer in MUTANTS:
        if killer not in GENERIC:
            test = getattr(importlib.import_module(f"{TESTS}.test_{topic}"), killer)
            assert killer.startswith("test_"), fault
            assert list(inspect.signature(test).parameters) == ["implementation"], f"{topic}.{fault}"

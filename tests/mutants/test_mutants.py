"""Every faulty implementation is killed by the test that it names; every registered function has one."""

from __future__ import annotations

import importlib
import inspect
from functools import partial
from pathlib import Path

import pytest
from hypothesis import Phase

from reference import registry
from tests.conformance import inputs, test_twins
from tests.conformance.implementation import Implementation

HERE = Path(__file__).parent
TESTS = "tests.conformance"
TOPICS = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("__init__", "test_mutants"))


def mutants_of(topic: str) -> dict[str, str]:
    """Fault name to the name of its killer."""
    module = importlib.import_module(f"tests.mutants.{topic}")
    return {name: f.killed_by for name, f in inspect.getmembers(module, inspect.isfunction) if "__" in name}


MUTANTS = [(topic, fault, killer) for topic in TOPICS for fault, killer in mutants_of(topic).items()]


@pytest.fixture(autouse=True)
def more_examples_and_no_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rare corners get more draws; a killed mutant is enough, its smallest counterexample is for who runs it alone."""
    monkeypatch.setattr(test_twins, "EXAMPLES", 500)
    monkeypatch.setattr(test_twins, "PHASES", (Phase.explicit, Phase.generate))


@pytest.mark.parametrize(("topic", "fault", "killer"), MUTANTS, ids=[f"{t}.{f}" for t, f, _ in MUTANTS])
def test_mutant_is_killed(topic: str, fault: str, killer: str) -> None:
    faulty = Implementation(f"{HERE / topic}.py::{fault}")
    function = f"{topic}.{fault.split('__')[0]}"
    if killer in ("test_value", "test_gradient"):
        run = partial(getattr(test_twins, killer), function, inputs.dtypes(function)[0], faulty)
    else:
        run = partial(getattr(importlib.import_module(f"{TESTS}.test_{topic}"), killer), implementation=Mixed(faulty))
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


@pytest.mark.parametrize("function", sorted(registry.functions()))
def test_function_has_a_mutant(function: str) -> None:
    topic, name = function.split(".")
    assert any(fault.split("__")[0] == name for fault in mutants_of(topic))


PROPERTIES = sorted({(topic, killer) for topic, _, killer in MUTANTS if killer not in ("test_value", "test_gradient")})


@pytest.mark.parametrize(("topic", "killer"), PROPERTIES)
def test_killer_judges_the_right_implementation_too(topic: str, killer: str) -> None:
    """A killer that fails on the right twins would make every kill worthless: it must be a test that pytest runs."""
    test = getattr(importlib.import_module(f"{TESTS}.test_{topic}"), killer)
    assert killer.startswith("test_")
    assert list(inspect.signature(test).parameters) == ["implementation"]

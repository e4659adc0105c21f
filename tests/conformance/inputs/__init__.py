"""Strategies that draw the arguments of each function, aimed at the corners that the specifications name.

One module per topic, one strategy per function under the function's own name: ``inputs.strategy("gaussian.kl")`` is
``inputs.gaussian.kl()``. A strategy draws a dictionary of keyword arguments: float64 arrays (tensors for the twin),
Python floats and integers (passed as they are), callables.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hypothesis.strategies import SearchStrategy


def strategy(function: str) -> SearchStrategy[dict[str, Any]]:
    """Return the strategy of a registered function; raise ``ValueError`` that names it if there is none."""
    topic, name = function.split(".")
    found = getattr(import_module(f"tests.conformance.inputs.{topic}"), name, None)
    if found is None:
        raise ValueError(f"tests/conformance/inputs/{topic}.py must define {name}() for {function}")
    return found()


def dtypes(function: str) -> tuple[str, ...]:
    """Return the dtypes in which a function is compared; float64 alone where its work is fixed to float64."""
    topic, name = function.split(".")
    return getattr(import_module(f"tests.conformance.inputs.{topic}"), "DTYPES", {}).get(
        name, ("float64", "float32", "bfloat16")
    )


def data_dependent(function: str) -> bool:
    """Whether the size of the function's work is read from values of its arguments, so that no static graph exists."""
    topic, name = function.split(".")
    return name in getattr(import_module(f"tests.conformance.inputs.{topic}"), "DATA_DEPENDENT", ())

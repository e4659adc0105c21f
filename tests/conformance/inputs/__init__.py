"""Strategies that draw the arguments of each function, aimed at the corners that the specifications name.

One module per topic, one strategy per function under the function's own name: ``inputs.strategy("gaussian.kl")`` is
``inputs.gaussian.kl()``. A strategy draws a dictionary of keyword arguments: float64 arrays (tensors for the twin),
Python floats and integers (passed as they are), callables.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


def strategy(function: str) -> SearchStrategy[dict[str, Any]]:
    """Return the strategy of a registered function; raise ``ValueError`` that names it if there is none."""
    topic, name = function.split(".")
    found = getattr(import_module(f"tests.conformance.inputs.{topic}"), name, None)
    if found is None:
        raise ValueError(f"tests/conformance/inputs/{topic}.py must define {name}() for {function}")
    return found()


@cache
def example(function: str) -> dict[str, Any]:
    """Return the largest of the first draws of a strategy, the same in every run; copy what you change."""
    drawn = []

    @settings(max_examples=5, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        drawn.append(data.draw(strategy(function)))

    draw()
    return max(drawn, key=lambda d: sum(np.size(v) for v in d.values() if isinstance(v, np.ndarray)))


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

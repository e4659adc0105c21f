"""Faulty implementations that the conformance suite must catch.

One file per topic, one function per fault, named ``<function>__<fault>``. Any of these files is an implementation for
``pytest tests/conformance --implementation=tests/mutants/<topic>.py`` (``::<function>__<fault>`` picks one fault).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def killed_by(test: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Name the conformance test that must fail on this fault: a property, or a test of every function.

    The latter are ``test_value``, ``test_gradient`` and ``test_nan_is_not_hidden``.
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.killed_by = test  # type: ignore[attr-defined]
        return function

    return mark

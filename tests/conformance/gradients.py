"""The gradient contract of functions whose results are constants of the graph: coefficients, states, decisions.

The generic gradient test has nothing to compare for them, so each has a test of its own that says so.
"""

from __future__ import annotations

from typing import Any

import torch

from tests.conformance.implementation import Implementation


def assert_no_gradient(implementation: Implementation, function: str, arguments: dict[str, Any]) -> None:
    """Assert that no output of a twin requires a gradient although every float argument does."""
    tensors = implementation.tensors(arguments, "float64")
    entries = [entry for value in tensors.values() for entry in (value if isinstance(value, list) else [value])]
    leaves = [t.requires_grad_() for t in entries if isinstance(t, torch.Tensor) and t.is_floating_point()]
    assert leaves, f"{function}: no argument could carry a gradient"
    found = implementation.find(function)(**tensors)
    outputs = found if isinstance(found, tuple) else (found,)
    assert not any(isinstance(o, torch.Tensor) and o.requires_grad for o in outputs), f"{function} carries a gradient"

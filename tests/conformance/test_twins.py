"""Every twin against its reference: values, gradients, and a graph without breaks; one generic test each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings

from reference import registry
from tests.conformance import inputs, observed
from tests.conformance.comparison import allowed, gradient_discrepancy, message, value_discrepancy
from tests.conformance.implementation import DTYPES, Implementation

FUNCTIONS = sorted(registry.functions())
CASES = [(function, dtype) for function in FUNCTIONS for dtype in inputs.dtypes(function)]
GRADIENTS = [(function, dtype) for function, dtype in CASES if dtype != "bfloat16"]
# float64 shows a wrong formula; the narrow types show lost digits, and their corners have grids of their own.
PER_DTYPE = {"float64": 1.0, "float32": 0.5, "bfloat16": 0.5}
# A gradient costs a dozen evaluations of the reference per argument.
PER_KIND = {"value": 1.0, "gradient": 0.5}

# Shares of a whole number of updates.
COUNTED = {"optimisers.skip_rate"}

EXAMPLES: int | None = None
PHASES = tuple(phase for phase in Phase if phase is not Phase.explain)


def run(function: str, dtype: str, implementation: Implementation, compare, kind: str) -> None:
    """Draw inputs and compare; fail with the smallest counterexample as a message."""
    implementation.find(function)
    limit = allowed(function, kind, dtype, implementation.device)
    examples = max(1, int((EXAMPLES or settings.default.max_examples) * PER_DTYPE[dtype] * PER_KIND[kind]))

    @settings(max_examples=examples, phases=PHASES, suppress_health_check=list(HealthCheck))
    @given(arguments=inputs.strategy(function))
    def check(arguments) -> None:
        found = compare(function, arguments, dtype, implementation)
        if found is not None:
            observed.note(function, dtype, kind, found.ulps)
        if found is not None and not found.ulps <= limit:
            raise AssertionError(message(function, dtype, implementation, arguments, found, limit))

    failure = ""
    try:
        check()
    except AssertionError as error:
        failure = str(error)
    if failure:
        pytest.fail(failure, pytrace=False)


@pytest.mark.parametrize(("function", "dtype"), CASES, ids=[f"{f}-{d}" for f, d in CASES])
def test_value(function: str, dtype: str, implementation: Implementation) -> None:
    run(function, dtype, implementation, value_discrepancy, "value")


@pytest.mark.parametrize(("function", "dtype"), GRADIENTS, ids=[f"{f}-{d}" for f, d in GRADIENTS])
def test_gradient(function: str, dtype: str, implementation: Implementation) -> None:
    run(function, dtype, implementation, gradient_discrepancy, "gradient")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_result_has_the_dtype_of_the_arguments(function: str, implementation: Implementation) -> None:
    for dtype in inputs.dtypes(function):
        tensors = implementation.tensors(inputs.example(function), dtype)
        result = implementation.find(function)(**tensors)
        wanted = torch.float64 if function in COUNTED or not _float_tensors(tensors.values()) else DTYPES[dtype]
        found = {part.dtype for part in _float_tensors(result if isinstance(result, tuple) else [result])}
        assert found <= {wanted}, f"{found} for arguments in {dtype}"


def _float_tensors(values: Iterable[Any]) -> list[torch.Tensor]:
    """The floating-point tensors among the values, also inside lists."""
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in flat if torch.is_tensor(item) and item.is_floating_point()]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_compiles_without_graph_breaks(function: str, implementation: Implementation) -> None:
    arguments = inputs.example(function)
    twin = implementation.find(function)
    tensors = implementation.tensors(arguments, "float32" if "float32" in inputs.dtypes(function) else "float64")
    torch._dynamo.reset()
    compiled = torch.compile(twin, fullgraph=True, backend="eager")
    if inputs.data_dependent(function):
        with pytest.raises(torch._dynamo.exc.TorchDynamoException):
            compiled(**tensors)
        return
    torch.testing.assert_close(compiled(**tensors), twin(**tensors), rtol=1e-5, atol=1e-6, equal_nan=True)

"""Balancing of the KL terms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given

from reference import balancing
from tests.conformance.inputs import balancing as inputs


@given(inputs.free_bits())
def test_free_bits_by_cases(case) -> None:
    means = [sum(row) / len(row) for row in case["layer_terms"].tolist()]
    wanted = sum(mean if mean > case["floor"] else case["floor"] for mean in means)
    assert float(balancing.free_bits(**case)) == pytest.approx(wanted, abs=1e-12)


def test_free_bits_limits() -> None:
    terms = np.array([[3.0, 1.0], [0.2, 0.4]])
    assert float(balancing.free_bits(terms, 0.0)) == pytest.approx(terms.mean(1).sum())
    assert float(balancing.free_bits(terms, 100.0)) == 200
    # The maximum is of the batch mean, not of each image: 3 and 1 average to 2.
    assert float(balancing.free_bits(terms[:1], 2.5)) == 2.5


@given(inputs.free_bits())
def test_free_bits_never_fall_below_the_allowance(implementation, case) -> None:
    got = implementation.call("balancing.free_bits", **case)
    assert got >= case["floor"] * len(case["layer_terms"]) - 1e-12
    assert got >= case["layer_terms"].mean(1).sum() - 1e-9


def test_free_bits_give_no_gradient_below_the_floor(implementation) -> None:
    terms = torch.tensor(
        [[3.0, 1.0], [0.2, 0.4]], dtype=torch.float64, device=implementation.device, requires_grad=True
    )
    implementation.find("balancing.free_bits")(terms, 1.0).backward()
    np.testing.assert_array_equal(terms.grad.cpu(), [[0.5, 0.5], [0.0, 0.0]])

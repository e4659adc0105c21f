"""The judge of the twins: what its differences of the reference can say, and what they must not say."""

from __future__ import annotations

import numpy as np

from tests.conformance.comparison import gradient_discrepancy
from tests.conformance.implementation import Implementation


def test_kinks_of_two_outputs_do_not_hide_each_other(implementation: Implementation) -> None:
    """Swaps of equal energies, weighted with opposite signs: no derivative there, so nothing to compare."""
    energies = np.zeros((3, 5))
    energies[0, 4], energies[1, :3] = -1.0, 1e-3
    arguments = {"energies": energies, "inverse_temperatures": np.linspace(0, 1, 5)}
    found = gradient_discrepancy("tempering.swap_probability", arguments, "float64", implementation)
    assert found is None or found.ulps < 1

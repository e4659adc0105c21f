"""Hermite VAE: training."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="hvae/C14",
        name="Variance of the stochastic gradient",
        where="Section 1 (motivation)",
        function="optimisers.gradient_variance",
        oracles=(
            Oracle("closed form", "test_gradient_variance_of_a_linear_model"),
            Oracle("enumeration", "test_gradient_variance_by_pairs"),
        ),
        names=("gradient_variance",),
    ),
    Equation(
        id="hvae/C16",
        name="Precision-weighted merge",
        where="Comparator of Table 2",
        function="gaussian.precision_merge",
        oracles=(
            Oracle("quadrature", "test_precision_merge_is_the_normalised_product"),
            Oracle("closed form", "test_precision_merge_solves_the_linear_system"),
        ),
        names=("lvae_precision_merge",),
    ),
    Equation(
        id="hvae/C21",
        name="Adam",
        where="Experiments (assumed)",
        function="optimisers.adam",
        oracles=(
            Oracle("torch", "test_adam_matches_torch"),
            Oracle("closed form", "test_adam_of_a_constant_gradient"),
        ),
        names=("adam",),
        note="The paper names no optimiser.",
    ),
)

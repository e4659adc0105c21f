"""Hermite VAE: likelihoods and binarisation of the data."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="hvae/C7",
        name="Mixture of discretised logistics",
        where="Section 5 (CIFAR-10; assumed)",
        function="likelihoods.mixture_of_logistics",
        oracles=(
            Oracle("mpmath", "test_mixture_of_logistics_at_50_digits"),
            Oracle("enumeration", "test_mixture_of_colours_sums_to_one"),
            Oracle("identity", "test_mixture_of_one_component_is_a_sum"),
        ),
        names=("discretised_logistic_mixture",),
        note="The paper does not name its likelihood for CIFAR-10; the models that it compares with use this one.",
    ),
    Equation(
        id="hvae/C8",
        name="Static and dynamic binarisation",
        where="Section 5",
        function="bernoulli.binarise",
        oracles=(
            Oracle("monte carlo", "test_binarised_pixels_have_their_intensity"),
            Oracle("limit", "test_binarised_pixels_are_fresh_or_fixed"),
        ),
        names=("static_binarisation", "dynamic_binarisation"),
        note="Static data sets are one fixed draw; dynamic ones are drawn at every presentation in training and once, "
        "with a recorded seed, for validation and test.",
    ),
)

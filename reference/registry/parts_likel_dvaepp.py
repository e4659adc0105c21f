"""DVAE++: likelihoods of the pixels."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="dvaepp/E61",
        name="Centred input and data bias",
        where="Appendix G (public code)",
        function="bernoulli.centre_and_bias",
        oracles=(
            Oracle("scipy", "test_bias_of_a_zero_decoder_is_the_mean_image"),
            Oracle("mpmath", "test_centre_and_bias_at_50_digits"),
        ),
        names=("data_bias_and_centering",),
    ),
    Equation(
        id="dvaepp/E64",
        name="Bernoulli log likelihood",
        where="Appendix G",
        function="bernoulli.log_likelihood",
        oracles=(
            Oracle("scipy", "test_log_likelihood_matches_scipy"),
            Oracle("mpmath", "test_log_likelihood_at_50_digits"),
            Oracle("enumeration", "test_binary_outcomes_sum_to_one"),
        ),
        names=("bernoulli_likelihood",),
    ),
    Equation(
        id="dvaepp/E67",
        name="Mixture of discretised logistics",
        where="Appendix G",
        function="likelihoods.mixture_of_logistics",
        oracles=(
            Oracle("mpmath", "test_mixture_of_logistics_at_50_digits"),
            Oracle("enumeration", "test_mixture_of_colours_sums_to_one"),
            Oracle("identity", "test_mixture_of_one_component_is_a_sum"),
        ),
        names=("discretized_logistic_mixture",),
        note="Ten components of one logit and nine channel parameters are the 100 output channels of Table 4.",
    ),
)

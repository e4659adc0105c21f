"""sigma-VAE: likelihoods, grids and units."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="sigma-vae/E23",
        name="Bernoulli log likelihood",
        where="Table 3",
        function="bernoulli.log_likelihood",
        oracles=(
            Oracle("scipy", "test_log_likelihood_matches_scipy"),
            Oracle("mpmath", "test_log_likelihood_at_50_digits"),
            Oracle("enumeration", "test_binary_outcomes_sum_to_one"),
        ),
        names=("bernoulli_nll",),
        note="For grey values it is a cross-entropy and no log likelihood; hence the table gives none.",
    ),
    Equation(
        id="sigma-vae/E23-normaliser",
        name="Normaliser of the Bernoulli formula",
        where="Table 3 (derived)",
        function="bernoulli.log_normaliser",
        oracles=(
            Oracle("quadrature", "test_log_normaliser_matches_quadrature"),
            Oracle("mpmath", "test_log_normaliser_at_50_digits"),
        ),
    ),
    Equation(
        id="sigma-vae/E24",
        name="Categorical log likelihood",
        where="Section E",
        function="likelihoods.categorical",
        oracles=(
            Oracle("scipy", "test_categorical_matches_scipy"),
            Oracle("mpmath", "test_categorical_at_50_digits_next_to_certainty"),
        ),
        names=("categorical_nll",),
    ),
    Equation(
        id="sigma-vae/E25",
        name="Bitwise-categorical log likelihood",
        where="Section E",
        function="likelihoods.bitwise",
        oracles=(
            Oracle("enumeration", "test_bitwise_is_a_categorical_of_products"),
            Oracle("identity", "test_bitwise_is_a_sum_of_bernoullis"),
        ),
        names=("bitwise_categorical_nll",),
        note="Alphabets that are no powers of two leak mass to codes that do not exist.",
    ),
    Equation(
        id="sigma-vae/E25-to_bits",
        name="Bits of a level",
        where="Section E",
        function="quantisation.to_bits",
        oracles=(
            Oracle("enumeration", "test_bits_of_bytes_match_unpackbits"),
            Oracle("identity", "test_bits_make_a_round_trip"),
        ),
    ),
    Equation(
        id="sigma-vae/E25-from_bits",
        name="Level of bits",
        where="Section E",
        function="quantisation.from_bits",
        oracles=(
            Oracle("enumeration", "test_bits_of_bytes_match_unpackbits"),
            Oracle("identity", "test_bits_make_a_round_trip"),
        ),
    ),
    Equation(
        id="sigma-vae/E26",
        name="Bins of a pixel grid",
        where="Section E",
        function="quantisation.bin_edges",
        oracles=(
            Oracle("closed form", "test_bin_edges_of_bytes"),
            Oracle("identity", "test_bin_edges_are_where_rounding_changes"),
            Oracle("enumeration", "test_left_bin_edges_are_the_grid_of_parts"),
        ),
        names=("bin_edges",),
        erratum="The first and last bins include the half lines beyond 0 and 1; bins that equal them would leave 254 "
        "for the interval, and their centres would miss the levels.",
    ),
    Equation(
        id="sigma-vae/E27",
        name="Discretised Gaussian",
        where="Table 4",
        function="likelihoods.discretised_gaussian",
        oracles=(
            Oracle("mpmath", "test_discretised_gaussian_at_50_digits"),
            Oracle("scipy", "test_discretised_gaussian_matches_scipy"),
            Oracle("printed value", "test_discretised_gaussian_of_saturated_pixels"),
        ),
        names=("discretized_gaussian_logpmf",),
    ),
    Equation(
        id="sigma-vae/E28",
        name="Discretised logistic",
        where="Table 4",
        function="likelihoods.discretised_logistic",
        oracles=(
            Oracle("mpmath", "test_discretised_logistic_at_50_digits"),
            Oracle("scipy", "test_discretised_logistic_matches_scipy"),
        ),
        names=("discretized_logistic_logpmf",),
        note="The scale is not the standard deviation, which is s pi / sqrt 3.",
    ),
    Equation(
        id="sigma-vae/E28-thresholded",
        name="Discretised logistic of the public codes",
        where="Public code",
        function="likelihoods.thresholded_logistic",
        oracles=(
            Oracle("identity", "test_thresholded_logistic_is_exact_above_the_threshold"),
            Oracle("closed form", "test_thresholded_logistic_is_too_low_in_the_tails"),
        ),
    ),
    Equation(
        id="sigma-vae/E29",
        name="Mixture of discretised logistics, channels independent given the component",
        where="Section E",
        function="likelihoods.mixture_of_logistics",
        oracles=(
            Oracle("identity", "test_mixture_of_one_component_is_a_sum"),
            Oracle("enumeration", "test_mixture_of_colours_sums_to_one"),
        ),
        names=("dmol_logpmf",),
        formula=r"\log p(x)=\log\sum_m\pi_m\prod_cP(x_c;m_{cm},s_{cm})",
        note="The channels share the component and so depend on each other; a mixture per channel is another model.",
    ),
    Equation(
        id="sigma-vae/E30",
        name="Mixture of discretised logistics with channel autoregression",
        where="Section E",
        function="likelihoods.mixture_of_logistics",
        oracles=(
            Oracle("mpmath", "test_mixture_of_logistics_at_50_digits"),
            Oracle("enumeration", "test_mixture_of_colours_sums_to_one"),
        ),
        names=("dmol_ar_logpmf",),
    ),
    Equation(
        id="sigma-vae/E31",
        name="Level of a draw or a mean",
        where="Section E",
        function="quantisation.nearest_code",
        oracles=(
            Oracle("enumeration", "test_nearest_code_inverts_the_levels"),
            Oracle("closed form", "test_nearest_code_is_the_nearest"),
        ),
        names=("decoder_mean_and_sample",),
        note="The paper does not say whether means or draws are shown and scored; both are to be recorded.",
    ),
    Equation(
        id="sigma-vae/E31-categorical_sample",
        name="Draw of the categorical decoder",
        where="Section E",
        function="likelihoods.categorical_sample",
        oracles=(
            Oracle("monte carlo", "test_categorical_sample_follows_its_mass"),
            Oracle("limit", "test_categorical_sample_of_a_certain_level"),
        ),
    ),
    Equation(
        id="sigma-vae/E31-categorical_mean",
        name="Mean of the categorical decoder",
        where="Section E",
        function="likelihoods.categorical_mean",
        oracles=(
            Oracle("enumeration", "test_categorical_mean_by_enumeration"),
            Oracle("monte carlo", "test_categorical_sample_follows_its_mass"),
        ),
    ),
    Equation(
        id="sigma-vae/E31-bitwise_sample",
        name="Draw of the bitwise decoder",
        where="Section E",
        function="likelihoods.bitwise_sample",
        oracles=(
            Oracle("monte carlo", "test_bitwise_sample_follows_its_mass"),
            Oracle("limit", "test_bitwise_sample_of_certain_bits"),
        ),
    ),
    Equation(
        id="sigma-vae/E31-bitwise_mean",
        name="Mean of the bitwise decoder",
        where="Section E",
        function="likelihoods.bitwise_mean",
        oracles=(
            Oracle("enumeration", "test_bitwise_mean_by_enumeration"),
            Oracle("monte carlo", "test_bitwise_sample_follows_its_mass"),
        ),
    ),
    Equation(
        id="sigma-vae/E31-logistic_sample",
        name="Draw of a logistic",
        where="Section E",
        function="likelihoods.logistic_sample",
        oracles=(
            Oracle("monte carlo", "test_logistic_sample_has_its_law"),
            Oracle("scipy", "test_logistic_sample_matches_scipy"),
        ),
    ),
    Equation(
        id="sigma-vae/E32",
        name="Mass of a bin from a density",
        where="Table 4",
        function="quantisation.density_to_mass",
        oracles=(
            Oracle("quadrature", "test_density_to_mass_matches_quadrature"),
            Oracle("printed value", "test_density_to_mass_of_unit_gaussian_pixels"),
        ),
        names=("density_to_mass",),
        note="A log density and a log mass are never comparable: D values of L levels differ by D log(L - 1) nats.",
    ),
    Equation(
        id="sigma-vae/E32-dequantised",
        name="Dequantisation bound",
        where="Table 4 (derived)",
        function="quantisation.dequantised_log_mass",
        oracles=(
            Oracle("quadrature", "test_dequantised_log_mass_is_the_mean_log_density"),
            Oracle("limit", "test_dequantised_log_mass_is_a_lower_bound"),
        ),
    ),
    Equation(
        id="sigma-vae/E33",
        name="Bits per dimension",
        where="Tables 3-4",
        function="bounds.bits_per_dim",
        oracles=(
            Oracle("closed form", "test_uniform_bytes_have_eight_bits"),
            Oracle("printed value", "test_bits_per_dim_of_the_calibrated_decoders"),
        ),
        names=("bits_per_dim",),
        note="D is the resolution of the model: 28 x 28 x 3 here.",
    ),
    Equation(
        id="sigma-vae/E34",
        name="Quantisation of intensities",
        where="Section E",
        function="quantisation.quantise",
        oracles=(
            Oracle("identity", "test_quantise_returns_bytes_as_they_were"),
            Oracle("enumeration", "test_quantise_matches_digitize"),
        ),
        names=("quantize",),
    ),
    Equation(
        id="sigma-vae/E36",
        name="Memory of a decoder's output",
        where="Section E",
        function="quantisation.decoder_output_bytes",
        oracles=(
            Oracle("printed value", "test_decoder_output_bytes_of_the_paper"),
            Oracle("enumeration", "test_decoder_output_bytes_are_those_of_the_arrays"),
        ),
        names=("decoder_output_bytes",),
    ),
    Equation(
        id="sigma-vae/E44",
        name="Importance-weighted bound",
        where="Section B (hierarchical VAE, evaluation option)",
        function="bounds.importance_weighted",
        oracles=(
            Oracle("mpmath", "test_importance_weighted_at_50_digits"),
            Oracle("closed form", "test_importance_weighted_is_tight_at_the_posterior"),
            Oracle("monte carlo", "test_importance_weighted_approaches_the_evidence"),
        ),
        names=("iw_bound",),
        note="Not used for the printed bounds, which take one sample.",
    ),
)

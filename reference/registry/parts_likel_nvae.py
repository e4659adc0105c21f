"""NVAE: likelihoods, data and units."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="nvae/E10",
        name="Importance-weighted log likelihood",
        where="Appendix A",
        function="bounds.importance_weighted",
        oracles=(
            Oracle("monte carlo", "test_importance_weighted_of_the_toy_model"),
            Oracle("mpmath", "test_importance_weighted_at_50_digits"),
            Oracle("closed form", "test_importance_weighted_is_tight_at_the_posterior"),
        ),
        names=("iw_log_likelihood",),
    ),
    Equation(
        id="nvae/E11",
        name="Bits per dimension",
        where="Table 1",
        function="bounds.bits_per_dim",
        oracles=(
            Oracle("scipy", "test_uniform_levels_have_their_bits"),
            Oracle("closed form", "test_uniform_bytes_have_eight_bits"),
        ),
        names=("bits_per_dim",),
        note="MNIST is reported in nats per image.",
    ),
    Equation(
        id="nvae/E29",
        name="Bernoulli log likelihood of padded images",
        where="Section 4 (MNIST)",
        function="bernoulli.padded_log_likelihood",
        oracles=(
            Oracle("scipy", "test_padded_log_likelihood_is_that_of_the_crop"),
            Oracle("closed form", "test_padded_log_likelihood_of_equal_logits"),
        ),
        names=("bernoulli_log_prob",),
    ),
    Equation(
        id="nvae/E30",
        name="Dynamic binarisation",
        where="Section 4 (MNIST)",
        function="bernoulli.binarise",
        oracles=(
            Oracle("monte carlo", "test_binarised_pixels_have_their_intensity"),
            Oracle("limit", "test_binarised_pixels_are_fresh_or_fixed"),
        ),
        names=("dynamic_binarisation",),
        note="Drawn afresh at every access, also in the test set: fix the noise to compare models.",
    ),
    Equation(
        id="nvae/E31",
        name="Mixture of discretised logistics",
        where="Section 4",
        function="likelihoods.mixture_of_logistics",
        oracles=(
            Oracle("mpmath", "test_mixture_of_logistics_at_50_digits"),
            Oracle("enumeration", "test_mixture_of_colours_sums_to_one"),
        ),
        names=("discretized_logistic_mixture",),
    ),
    Equation(
        id="nvae/E31-top_edge",
        name="Edge test of the public code",
        where="Public code",
        function="likelihoods.thresholded_logistic",
        oracles=(
            Oracle("closed form", "test_thresholded_logistic_with_the_low_top_edge_is_improper"),
            Oracle("printed value", "test_thresholded_logistic_never_reaches_the_top_of_5_bits"),
        ),
        erratum="The public test for the top level is x > 0.99, which level 254 of 255 passes: its bin too takes "
        "everything above, and 8-bit masses sum to 1 plus the mass of level 255.",
    ),
    Equation(
        id="nvae/E32",
        name="Draw from a mixture of logistics",
        where="Section 4",
        function="likelihoods.mixture_sample",
        oracles=(
            Oracle("monte carlo", "test_mixture_sample_follows_its_mass"),
            Oracle("monte carlo", "test_mixture_sample_keeps_the_law_of_later_channels"),
        ),
        names=("dmol_sample", "dmol_mean"),
        erratum="The public code divides the logistic noise by its temperature: the colder, the noisier. At "
        "temperature 1, which evaluation uses, there is no difference.",
    ),
    Equation(
        id="nvae/E32-mixture_mean",
        name="Averaged location of a mixture of logistics",
        where="Public code",
        function="likelihoods.mixture_mean",
        oracles=(
            Oracle("closed form", "test_mixture_mean_of_one_component_is_the_chain"),
            Oracle("closed form", "test_mixture_mean_is_not_the_mean_of_the_mixture"),
        ),
    ),
    Equation(
        id="nvae/E33",
        name="Reduction to n bits",
        where="Section 4 (5-bit data sets)",
        function="quantisation.quantise_bits",
        oracles=(
            Oracle("enumeration", "test_quantise_bits_is_a_shift"),
            Oracle("enumeration", "test_quantise_bits_from_reals_is_exact_in_every_precision"),
        ),
        names=("quantize_bits",),
        formula=r"\tilde x=\frac1{2^n-1}\Big\lfloor\frac{255x}{2^{8-n}}\Big\rfloor,\qquad x=\frac u{255}",
    ),
)

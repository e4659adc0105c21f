"""Efficient-VDVAE: output layers, quantisation and units."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="efficient-vdvae/E12",
        name="Mixture of discretised logistics",
        where="Sections 4.2, 6",
        function="likelihoods.mixture_of_logistics",
        oracles=(
            Oracle("mpmath", "test_mixture_of_logistics_at_50_digits"),
            Oracle("enumeration", "test_mixture_of_colours_sums_to_one"),
            Oracle("identity", "test_mixture_ignores_impossible_and_merges_equal_components"),
        ),
        names=("mol_log_prob",),
        note="The public evaluation takes a density where the difference is below 1e-5: lower by up to 2.148 nats per "
        "value at s = e^-7 with 8 bits, without limit as s falls.",
    ),
    Equation(
        id="efficient-vdvae/E12-split_mixture",
        name="Channels of the output layer",
        where="Section 4.2",
        function="likelihoods.split_mixture",
        oracles=(
            Oracle("enumeration", "test_split_mixture_is_the_layout_of_the_head"),
            Oracle("printed value", "test_split_mixture_counts_of_the_papers"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E13",
        name="Floor of the logistic scale",
        where="Section 6",
        function="likelihoods.mixture_log_scale",
        oracles=(
            Oracle("closed form", "test_mixture_log_scale_floor_and_forms"),
            Oracle("mpmath", "test_mixture_log_scale_at_50_digits"),
        ),
        names=("mol_scale_floor",),
        erratum="The public floor of -250 is none in float32, where exp(-250) is 0.",
    ),
    Equation(
        id="efficient-vdvae/E14",
        name="Smoothed logistic scale",
        where="Section 4.2",
        function="likelihoods.mixture_log_scale",
        oracles=(
            Oracle("mpmath", "test_mixture_log_scale_at_50_digits"),
            Oracle("finite differences", "test_smoothed_scale_gradient"),
        ),
        names=("mol_smoothed_scale", "mol_scale_gradient"),
        formula=r"\log s=\log\frac{\log(1+e^{\beta y})}\beta,\qquad\frac{d\log s}{dy}=\frac{1-e^{-\beta s}}s",
        note="Smoothing scales the gradient of the scale; the 1/s in the gradient of the mean stays.",
    ),
    Equation(
        id="efficient-vdvae/E14-scale_gradient",
        name="Gradient of the logistic scale",
        where="Section 4.2",
        function="likelihoods.scale_gradient",
        oracles=(
            Oracle("mpmath", "test_scale_gradient_matches_mpmath_diff"),
            Oracle("printed value", "test_scale_gradient_of_the_worked_example"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E15",
        name="Draw from a mixture of logistics",
        where="Section 4.2 (generation)",
        function="likelihoods.mixture_sample",
        oracles=(
            Oracle("monte carlo", "test_mixture_sample_follows_its_mass"),
            Oracle("monte carlo", "test_mixture_sample_keeps_the_law_of_later_channels"),
        ),
        names=("mol_sample",),
    ),
    Equation(
        id="efficient-vdvae/E16",
        name="Bernoulli log likelihood of padded images",
        where="Section 6 (MNIST)",
        function="bernoulli.padded_log_likelihood",
        oracles=(
            Oracle("scipy", "test_padded_log_likelihood_is_that_of_the_crop"),
            Oracle("closed form", "test_padded_log_likelihood_of_equal_logits"),
        ),
        names=("bernoulli_nll",),
        note="Nats per image over 784 pixels, not 1024.",
    ),
    Equation(
        id="efficient-vdvae/E17",
        name="Bits per dimension",
        where="All tables",
        function="bounds.bits_per_dim",
        oracles=(
            Oracle("closed form", "test_uniform_levels_have_their_bits"),
            Oracle("closed form", "test_uniform_bytes_have_eight_bits"),
        ),
        names=("nats_to_bits_per_dim",),
    ),
    Equation(
        id="efficient-vdvae/E17-negative_elbo",
        name="Negative evidence lower bound",
        where="All tables",
        function="bounds.negative_elbo",
        oracles=(
            Oracle("closed form", "test_negative_elbo_of_a_linear_gaussian_model"),
            Oracle("enumeration", "test_negative_elbo_by_exact_sums"),
        ),
        names=("negative_elbo",),
        note="The tables print bounds of one sample, not importance-weighted estimates.",
    ),
    Equation(
        id="efficient-vdvae/E18",
        name="Reduction to b bits",
        where="Section 6.2",
        function="quantisation.quantise_bits",
        oracles=(
            Oracle("enumeration", "test_quantise_bits_is_a_shift"),
            Oracle("enumeration", "test_quantise_bits_from_reals_is_exact_in_every_precision"),
        ),
        names=("quantise_bits",),
        note="The input of the encoder is reduced too in the public code; VDVAE reduces the target alone.",
    ),
    Equation(
        id="efficient-vdvae/E18-scale_pixels",
        name="Scaling of b-bit pixels",
        where="Section 6.2",
        function="quantisation.scale_pixels",
        oracles=(
            Oracle("printed value", "test_scale_pixels_of_the_papers"),
            Oracle("identity", "test_scale_pixels_conventions_agree_for_bytes"),
        ),
        names=("scale_pixels",),
    ),
    Equation(
        id="efficient-vdvae/E19",
        name="Total mass of all levels",
        where="Section 6.2 (derived)",
        function="likelihoods.total_mass",
        oracles=(
            Oracle("closed form", "test_total_mass_is_the_telescoped_sum"),
            Oracle("limit", "test_total_mass_is_one_for_the_proper_half_bin"),
            Oracle("printed value", "test_total_mass_of_5_bit_public_codes_exceeds_one"),
        ),
        names=("mol_total_mass",),
        erratum="With the half bin 1/(2^b - 1) of the public codes the 5-bit bins overlap: the masses sum to 1.028 at "
        "s = 0.05, to 1.45 at the bound s = e^-7 and to 2 at e^-14, so removing the bound buys up to one bit for free.",
    ),
    Equation(
        id="efficient-vdvae/E19-half_bin",
        name="Half width of a bin",
        where="Section 6.2 (derived)",
        function="quantisation.half_bin",
        oracles=(
            Oracle("closed form", "test_proper_half_bin_is_half_the_spacing"),
            Oracle("closed form", "test_official_half_bin_overlaps_below_eight_bits"),
        ),
        names=("proper_half_bin",),
    ),
)

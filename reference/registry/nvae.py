"""NVAE: A Deep Hierarchical Variational Autoencoder."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="nvae/E1",
        name="Hierarchical factorisation",
        where="Section 2",
        function="top_down.log_density",
        oracles=(
            Oracle("linear algebra", "test_log_density_of_a_linear_gaussian_chain"),
            Oracle("monte carlo", "test_ancestral_samples_have_the_joint_covariance"),
            Oracle("scipy", "test_log_density_matches_scipy"),
        ),
        names=("hierarchical_factorisation",),
        erratum="The text lists the groups as z1, z1, ..., zL; the second is z2.",
        note="In the public code p(z_1) has standard deviation 1.01: see nvae/E8-parameters.",
    ),
    Equation(
        id="nvae/E2",
        name="Evidence lower bound of a top-down hierarchy",
        where="Eq. 1",
        function="top_down.elbo",
        oracles=(
            Oracle("linear algebra", "test_elbo_is_tight_at_the_posterior"),
            Oracle("closed form", "test_elbo_gap_is_the_divergence_from_the_posterior"),
        ),
        names=("hierarchical_elbo",),
    ),
    Equation(
        id="nvae/E2-group_kl",
        name="Divergence of each group",
        where="Eq. 1",
        function="top_down.group_kl",
        oracles=(
            Oracle("closed form", "test_group_kl_is_the_gaussian_divergence"),
            Oracle("monte carlo", "test_group_kl_is_the_expected_log_ratio"),
        ),
    ),
    Equation(
        id="nvae/E3",
        name="Reparameterised sample",
        where="Section 2",
        function="gaussian.reparameterise",
        oracles=(
            Oracle("monte carlo", "test_reparameterised_sample_has_its_law"),
            Oracle("mpmath", "test_reparameterise_at_50_digits"),
        ),
        names=("gaussian_reparameterise",),
    ),
    Equation(
        id="nvae/E4",
        name="Gaussian log density",
        where="Section 2",
        function="gaussian.log_density",
        oracles=(
            Oracle("scipy", "test_log_density_matches_scipy"),
            Oracle("quadrature", "test_density_integrates_to_one"),
        ),
        names=("gaussian_log_prob",),
    ),
    Equation(
        id="nvae/E5",
        name="Gaussian KL divergence",
        where="Section 2",
        function="gaussian.kl",
        oracles=(
            Oracle("quadrature", "test_kl_matches_quadrature"),
            Oracle("mpmath", "test_kl_at_50_digits"),
            Oracle("torch", "test_kl_matches_torch_distributions"),
        ),
        names=("gaussian_kl_diag",),
    ),
    Equation(
        id="nvae/E6",
        name="Residual Normal",
        where="Section 3.2",
        function="residual_normal.parameters",
        oracles=(
            Oracle("identity", "test_parameters_undo_standardisation"),
            Oracle("quadrature", "test_kl_matches_quadrature"),
        ),
        names=("residual_normal_params",),
        note="The public code is residual before the soft clamp, not after it: nvae/E8-kl.",
    ),
    Equation(
        id="nvae/E7",
        name="Residual KL divergence",
        where="Eq. 2",
        function="residual_normal.kl",
        oracles=(
            Oracle("identity", "test_kl_is_the_gaussian_divergence"),
            Oracle("quadrature", "test_kl_matches_quadrature"),
            Oracle("printed value", "test_variance_reading_of_eq_2_is_false"),
        ),
        names=("residual_kl",),
        erratum=(
            "Right only when the second argument of N(.,.) is a standard deviation; the bound that the text "
            "promises needs a prior scale bounded from below."
        ),
    ),
    Equation(
        id="nvae/E8",
        name="Soft clamp",
        where="Public code",
        function="residual_normal.soft_clamp",
        oracles=(
            Oracle("mpmath", "test_soft_clamp_at_50_digits"),
            Oracle("printed value", "test_soft_clamp_is_near_the_identity"),
        ),
        names=(
            "soft_clamp",
            "bounded_normal",
        ),
    ),
    Equation(
        id="nvae/E8-kl",
        name="Divergence between bounded Normals",
        where="Public code",
        function="residual_normal.bounded_kl",
        oracles=(
            Oracle("printed value", "test_bounded_kl_is_not_eq_2"),
            Oracle("mpmath", "test_bounded_kl_at_50_digits"),
        ),
        erratum="Eq. 2 of the paper is not what the public code optimises.",
    ),
    Equation(
        id="nvae/E8-parameters",
        name="Bounded Normal",
        where="Public code",
        function="residual_normal.bounded_parameters",
        oracles=(
            Oracle("mpmath", "test_bounded_parameters_at_50_digits"),
            Oracle("printed value", "test_bounded_parameters_have_their_range"),
        ),
        names=("bounded_normal",),
    ),
    Equation(
        id="nvae/E9",
        name="Unbounded gradient of the divergence",
        where="Section 3.2",
        function="gaussian.kl_gradient",
        oracles=(
            Oracle("finite differences", "test_kl_gradient_by_finite_differences"),
            Oracle("limit", "test_kl_gradient_grows_as_the_inverse_square"),
            Oracle("limit", "test_clamped_gradient_stops_growing"),
        ),
        names=("kl_gradient_unbounded",),
    ),
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
        id="nvae/E12",
        name="Training objective",
        where="Section 3.2, Appendix A",
        function="balancing.regularised_loss",
        oracles=(
            Oracle("identity", "test_regularised_loss_is_the_sum_of_its_parts"),
            Oracle("closed form", "test_regularised_loss_of_a_worked_example"),
        ),
        names=("training_objective",),
        erratum=(
            "The text adds the penalty to a bound that is maximised; it is subtracted from the bound, added "
            "to the loss."
        ),
    ),
    Equation(
        id="nvae/E13",
        name="Swish",
        where="Section 3.1.1",
        function="activations.silu",
        oracles=(
            Oracle("mpmath", "test_activations_at_50_digits"),
            Oracle("torch", "test_activations_match_torch"),
            Oracle("printed value", "test_silu_minimum"),
        ),
        names=("swish",),
    ),
    Equation(
        id="nvae/E14",
        name="Exponential linear unit",
        where="Appendix A",
        function="activations.elu",
        oracles=(
            Oracle("mpmath", "test_activations_at_50_digits"),
            Oracle("torch", "test_activations_match_torch"),
            Oracle("printed value", "test_elu_twice_is_not_elu"),
        ),
        names=("elu",),
    ),
    Equation(
        id="nvae/E15",
        name="Batch normalisation",
        where="Section 3.1.1",
        function="normalisation.batch_norm",
        oracles=(
            Oracle("torch", "test_batch_norm_matches_torch"),
            Oracle("enumeration", "test_batch_norm_by_loops"),
        ),
        names=("batch_norm",),
    ),
    Equation(
        id="nvae/E15-eval",
        name="Batch normalisation in evaluation",
        where="Section 3.1.1",
        function="normalisation.batch_norm_eval",
        oracles=(
            Oracle("torch", "test_batch_norm_eval_matches_torch"),
            Oracle("identity", "test_batch_norm_eval_at_the_batch_statistics"),
        ),
    ),
    Equation(
        id="nvae/E15-running",
        name="Running statistics",
        where="Section 3.1.1",
        function="normalisation.running_statistics",
        oracles=(
            Oracle("torch", "test_running_statistics_match_torch"),
            Oracle("enumeration", "test_running_statistics_by_loops"),
        ),
        note="The momentum of 0.05 is that of the public code; the paper says that it is adjusted.",
    ),
    Equation(
        id="nvae/E16",
        name="Fused batch norm and Swish",
        where="Section 3.1.3",
        function="normalisation.batch_norm_swish",
        oracles=(
            Oracle("torch", "test_batch_norm_swish_matches_torch"),
            Oracle("identity", "test_batch_norm_swish_by_pieces"),
            Oracle("finite differences", "test_batch_norm_swish_backward_is_exact"),
        ),
        names=("bn_swish_fused",),
    ),
    Equation(
        id="nvae/E16-eval",
        name="Batch norm and Swish in evaluation",
        where="Section 3.1.3",
        function="normalisation.batch_norm_swish_eval",
        oracles=(
            Oracle("torch", "test_batch_norm_eval_matches_torch"),
            Oracle("enumeration", "test_batch_norm_swish_eval_by_pieces"),
        ),
    ),
    Equation(
        id="nvae/E17",
        name="Squeeze-and-excitation",
        where="Section 3.1.1",
        function="convolution.squeeze_excite",
        oracles=(
            Oracle("enumeration", "test_squeeze_excite_matches_loops"),
            Oracle("limit", "test_squeeze_excite_halves_without_output_weights"),
            Oracle("mpmath", "test_squeeze_excite_at_50_digits"),
        ),
        names=("squeeze_excite",),
    ),
    Equation(
        id="nvae/E18",
        name="Weight normalisation",
        where="Appendix A",
        function="normalisation.weight_norm",
        oracles=(
            Oracle("torch", "test_weight_norm_matches_torch"),
            Oracle("enumeration", "test_weight_norm_has_its_size"),
        ),
        names=("weight_norm",),
        note=(
            "Paper: all convolutions without a batch norm behind them; public code: all but those in the "
            "separable cell."
        ),
    ),
    Equation(
        id="nvae/E18-init",
        name="Data-dependent initialisation",
        where="Public code",
        function="normalisation.init_by_deviation",
        oracles=(
            Oracle("identity", "test_init_by_deviation_sets_the_moments"),
            Oracle("enumeration", "test_init_by_deviation_by_loops"),
        ),
        note="The first outputs have standard deviation 0.2, not 1.",
    ),
    Equation(
        id="nvae/E18-initial",
        name="First size in weight norm",
        where="Public code",
        function="normalisation.initial_log_gain",
        oracles=(
            Oracle("enumeration", "test_initial_log_gain_by_loops"),
            Oracle("printed value", "test_initial_log_gain_enlarges_the_weight"),
        ),
    ),
    Equation(
        id="nvae/E19",
        name="Spectral norm of a reshaped weight by power iteration",
        where="Section 3.2",
        function="spectral.power_iteration",
        oracles=(
            Oracle("linear algebra", "test_power_iteration_finds_the_singular_vectors"),
            Oracle("closed form", "test_power_iteration_matches_the_power_of_the_gram_matrix"),
            Oracle("limit", "test_one_cold_iteration_is_far_off_and_forty_are_not"),
        ),
        names=("spectral_norm_estimate",),
        note="One repetition per step is enough from a warm start only: a cold one misses about a quarter of the norm.",
    ),
    Equation(
        id="nvae/E19-norm_estimate",
        name="Estimate from singular vectors",
        where="Section 3.2",
        function="spectral.norm_estimate",
        oracles=(
            Oracle("enumeration", "test_norm_estimate_is_a_sum_over_entries"),
            Oracle("linear algebra", "test_power_iteration_finds_the_singular_vectors"),
        ),
    ),
    Equation(
        id="nvae/E19-power_iterations",
        name="Power iteration of many layers",
        where="Section 3.2",
        function="spectral.power_iterations",
        oracles=(
            Oracle("enumeration", "test_power_iterations_are_those_of_each_layer"),
            Oracle("linear algebra", "test_power_iterations_find_every_norm"),
        ),
    ),
    Equation(
        id="nvae/E19-regulariser",
        name="Spectral regulariser",
        where="Section 3.2",
        function="spectral.regulariser",
        oracles=(
            Oracle("linear algebra", "test_regulariser_is_the_sum_of_top_singular_values"),
            Oracle("enumeration", "test_regulariser_is_the_sum_of_its_layers"),
        ),
        names=("spectral_regularizer",),
        erratum="The text adds lambda times the sum to the bound, which is maximised; it must be subtracted from it.",
    ),
    Equation(
        id="nvae/E19b",
        name="Lipschitz bounds of a convolution",
        where="Section 3.2",
        function="spectral.lipschitz_bounds",
        oracles=(
            Oracle("linear algebra", "test_lipschitz_bounds_from_each_group"),
            Oracle("identity", "test_lipschitz_bounds_hold"),
            Oracle("limit", "test_reshaped_norm_of_a_depthwise_weight_is_no_bound"),
        ),
        names=("conv_lipschitz_bounds",),
        erratum="The reshaped norm is not the layer's Lipschitz constant: the gain may be k times larger, and for a "
        "depthwise convolution the whole reshaped norm bounds nothing.",
    ),
    Equation(
        id="nvae/E19b-conv_norm",
        name="Exact norm of a circular convolution",
        where="Derived (Section 3.2)",
        function="spectral.conv_norm",
        oracles=(
            Oracle("linear algebra", "test_conv_norm_is_the_singular_value_of_the_unrolled_operator"),
            Oracle("closed form", "test_conv_norm_of_filters_that_are_known"),
        ),
    ),
    Equation(
        id="nvae/E19b-conv_norm_estimate",
        name="Norm of a zero-padded convolution by power iteration on maps",
        where="Derived (Section 3.2)",
        function="spectral.conv_norm_estimate",
        oracles=(
            Oracle("linear algebra", "test_conv_norm_estimate_reaches_the_singular_value_of_the_unrolled_operator"),
            Oracle("closed form", "test_conv_norm_estimate_matches_powers_of_the_unrolled_operator"),
            Oracle("limit", "test_zero_padding_never_exceeds_circular_padding_of_a_larger_map"),
        ),
    ),
    Equation(
        id="nvae/E19b-network_bound",
        name="Lipschitz bound of a chain",
        where="Section 3.2",
        function="spectral.network_bound",
        oracles=(
            Oracle("closed form", "test_network_bound_matches_logarithms"),
            Oracle("finite differences", "test_network_bound_is_never_exceeded"),
        ),
    ),
    Equation(
        id="nvae/E20",
        name="Penalty on the gains",
        where="Section 3.1.1",
        function="normalisation.gain_penalty",
        oracles=(
            Oracle("linear algebra", "test_gain_penalty_is_a_sum_of_norms"),
            Oracle("identity", "test_gain_penalty_is_a_norm"),
        ),
        names=("bn_scale_regularizer",),
    ),
    Equation(
        id="nvae/E21",
        name="KL warm-up over a portion of the run",
        where="Section 4",
        function="schedules.kl_warmup_portion",
        oracles=(
            Oracle("enumeration", "test_kl_warmup_portion_matches_interpolation"),
            Oracle("printed value", "test_kl_warmup_portion_of_the_code"),
        ),
        names=("kl_warmup",),
    ),
    Equation(
        id="nvae/E22",
        name="KL balancing",
        where="Appendix A",
        function="balancing.balance_weights",
        oracles=(
            Oracle("enumeration", "test_balance_weights_by_loops"),
            Oracle("printed value", "test_balance_weights_of_the_readings_of_nvae"),
            Oracle("limit", "test_balance_weights_of_dead_groups"),
        ),
        names=("kl_balance",),
        erratum=(
            "The text multiplies by the size of a group, the code divides by it and multiplies by the number"
            " of groups at the scale; the displayed equality with KL(q || p) holds only when all weights are"
            " 1."
        ),
    ),
    Equation(
        id="nvae/E22-scale",
        name="Size of a scale per group",
        where="Public code",
        function="balancing.scale_weights",
        oracles=(
            Oracle("printed value", "test_scale_weights_of_the_paper"),
            Oracle("enumeration", "test_scale_weights_by_counting"),
        ),
    ),
    Equation(
        id="nvae/E23",
        name="Annealed regularisation coefficient",
        where="Appendix A",
        function="schedules.geometric_interpolation",
        oracles=(
            Oracle("enumeration", "test_geometric_interpolation_matches_geomspace"),
            Oracle("printed value", "test_geometric_interpolation_midpoint"),
        ),
        names=("lambda_anneal",),
        note=("Paper: first coefficient 10 for CelebA-HQ and FFHQ; published commands: 1 for these and for ImageNet."),
    ),
    Equation(
        id="nvae/E24",
        name="Adamax",
        where="Appendix A",
        function="optimisers.adamax",
        oracles=(
            Oracle("torch", "test_adamax_matches_torch"),
            Oracle("closed form", "test_adamax_of_a_constant_gradient"),
        ),
        names=("adamax_step",),
        note="With epsilon 1e-3 gradients much below it take steps of plain gradient descent.",
    ),
    Equation(
        id="nvae/E25",
        name="Learning rate: warm-up, then cosine",
        where="Appendix A",
        function="schedules.warmup_then_cosine",
        oracles=(
            Oracle("torch", "test_warmup_then_cosine_matches_torch"),
            Oracle("printed value", "test_warmup_then_cosine_of_the_paper"),
        ),
        names=("lr_schedule",),
    ),
    Equation(
        id="nvae/E25b",
        name="Steps per epoch",
        where="Table 6 and public code",
        function="schedules.steps_per_epoch",
        oracles=(
            Oracle("printed value", "test_steps_per_epoch_of_the_paper"),
            Oracle("enumeration", "test_steps_per_epoch_by_counting"),
        ),
        names=("iterations",),
        note="30 % of the CIFAR-10 run are 23,400 steps, where the paper says about 25,000.",
    ),
    Equation(
        id="nvae/E26",
        name="Unscaled gradients of a scaled loss",
        where="Section 3.1.3",
        function="optimisers.unscale",
        oracles=(
            Oracle("torch", "test_unscale_matches_the_gradient_scaler"),
            Oracle("limit", "test_update_is_independent_of_the_loss_scale"),
            Oracle("limit", "test_half_precision_forward_is_near_double"),
            Oracle("limit", "test_half_precision_backward_reaches_the_master_weights"),
            Oracle("limit", "test_sums_of_divergences_need_single_precision"),
        ),
        names=("mixed_precision",),
        note=(
            "A residual cell is run forwards and backwards in half precision, with statistics, sums and weights in "
            "single precision. Not covered: the type that a framework's automatic casting gives every operation on an "
            "accelerator, and the speed."
        ),
    ),
    Equation(
        id="nvae/E26-finite",
        name="Whether gradients have overflowed",
        where="Section 3.1.3",
        function="optimisers.all_finite",
        oracles=(
            Oracle("enumeration", "test_all_finite_by_counting"),
            Oracle("torch", "test_unscale_matches_the_gradient_scaler"),
            Oracle("limit", "test_overflow_in_half_precision_is_found"),
        ),
    ),
    Equation(
        id="nvae/E26-scale",
        name="Dynamic loss scale",
        where="Section 3.1.3",
        function="optimisers.loss_scale",
        oracles=(
            Oracle("torch", "test_loss_scale_matches_the_gradient_scaler"),
            Oracle("enumeration", "test_loss_scale_rules"),
        ),
    ),
    Equation(
        id="nvae/E27",
        name="Additive autoregressive flow step",
        where="Appendix A",
        function="flows.additive_step",
        oracles=(
            Oracle("finite differences", "test_jacobian_is_triangular_with_unit_diagonal"),
            Oracle("identity", "test_additive_step_is_inverted_in_sequence"),
            Oracle("limit", "test_additive_step_without_network_is_the_identity"),
        ),
        names=("iaf_additive_step",),
        erratum="Table 6 counts steps, the public commands pairs of them.",
    ),
    Equation(
        id="nvae/E27-autoregressive_shift",
        name="Network of a flow step",
        where="Appendix A, Figure 3a",
        function="flows.autoregressive_shift",
        oracles=(
            Oracle("enumeration", "test_shift_matches_the_definition_on_one_pixel"),
            Oracle("finite differences", "test_jacobian_is_triangular_with_unit_diagonal"),
            Oracle("identity", "test_shift_sees_two_columns_to_the_right_above_at_most"),
        ),
        erratum="The public code has a masked 3x3 convolution in place of the 1x1 expansion, applies the second "
        "nonlinearity twice and ignores the encoder's feature map.",
    ),
    Equation(
        id="nvae/E27-dense_mask",
        name="Mask of a dense kernel",
        where="Appendix A",
        function="flows.dense_mask",
        oracles=(
            Oracle("enumeration", "test_dense_mask_matches_its_definition"),
            Oracle("enumeration", "test_dense_mask_of_a_small_kernel"),
        ),
    ),
    Equation(
        id="nvae/E27-depthwise_mask",
        name="Mask of a depthwise kernel",
        where="Appendix A",
        function="flows.depthwise_mask",
        oracles=(
            Oracle("identity", "test_depthwise_mask_is_the_diagonal_of_the_dense_one"),
            Oracle("enumeration", "test_depthwise_mask_counts_the_past"),
        ),
    ),
    Equation(
        id="nvae/E28",
        name="Posterior log density through flows",
        where="Appendix A",
        function="flows.posterior_log_density",
        oracles=(
            Oracle("quadrature", "test_density_after_affine_steps_integrates_to_one"),
            Oracle("enumeration", "test_posterior_log_density_is_a_running_difference"),
        ),
        names=("flow_posterior_log_density",),
    ),
    Equation(
        id="nvae/E28b",
        name="Affine autoregressive flow step",
        where="Appendix A",
        function="flows.affine_step",
        oracles=(
            Oracle("linear algebra", "test_affine_log_determinant_is_that_of_the_jacobian"),
            Oracle("identity", "test_affine_step_is_inverted_in_sequence"),
            Oracle("quadrature", "test_density_after_affine_steps_integrates_to_one"),
        ),
        names=("iaf_affine_step",),
        note="Examined and dropped in the paper.",
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
        formula=r"\tilde x=\frac1{2^n-1}\left\lfloor\frac{255x}{2^{8-n}}\right\rfloor,\qquad x=\frac u{255}",
    ),
    Equation(
        id="nvae/E34",
        name="Sampling at a temperature",
        where="Sections 4.1, 4.2",
        function="sampling.tempered",
        oracles=(
            Oracle("monte carlo", "test_tempered_sample_has_its_law"),
            Oracle("mpmath", "test_tempered_at_50_digits"),
        ),
        names=("temperature_sampling",),
    ),
    Equation(
        id="nvae/E35",
        name="Readjusted batch statistics",
        where="Section 4.2",
        function="normalisation.readjusted_statistics",
        oracles=(
            Oracle("torch", "test_readjusted_statistics_match_torch"),
            Oracle("enumeration", "test_readjusted_statistics_are_a_weighted_sum"),
            Oracle("limit", "test_readjusted_statistics_forget_the_training_run"),
        ),
        names=("bn_readjust",),
    ),
    Equation(
        id="nvae/E35-effective",
        name="Effective number of batches",
        where="Derived (Section 4.2)",
        function="normalisation.effective_batches",
        oracles=(
            Oracle("closed form", "test_effective_batches_by_summation"),
            Oracle("monte carlo", "test_effective_batches_of_the_paper"),
        ),
        note="500 passes average over no more than 39 batches.",
    ),
    Equation(
        id="nvae/E36",
        name="Active channels",
        where="Footnote 5, Figure 10",
        function="collapse.active_channels",
        oracles=(
            Oracle("closed form", "test_active_channels_of_planted_maps"),
            Oracle("enumeration", "test_active_channels_by_enumeration"),
        ),
        names=("active_channels",),
        erratum="The public code sums over space where the paper averages.",
    ),
    Equation(
        id="nvae/E37",
        name="KL per group",
        where="Figure 5b",
        function="collapse.kl_per_group",
        oracles=(
            Oracle("closed form", "test_kl_per_group_of_planted_gaussians"),
            Oracle("identity", "test_kl_per_group_adds_up"),
        ),
        names=("kl_per_group",),
    ),
    Equation(
        id="nvae/E37-inactive_groups",
        name="Groups that are turned off",
        where="Figure 5b",
        function="collapse.inactive_groups",
        oracles=(
            Oracle("closed form", "test_inactive_groups_at_the_edge"),
            Oracle("enumeration", "test_inactive_groups_never_take_the_largest"),
        ),
        note="The paper does not define 'turned off'; below one hundredth of the mean KL of a group is our reading.",
    ),
    Equation(
        id="nvae/E38",
        name="Samples that share their top scales",
        where="Figure 12",
        function="sampling.fixed_scales",
        oracles=(
            Oracle("enumeration", "test_fixed_scales_by_enumeration"),
            Oracle("closed form", "test_shares_of_a_linear_decoder"),
            Oracle("limit", "test_fixed_scales_at_the_ends"),
        ),
        names=("fixed_scale_sampling",),
    ),
    Equation(
        id="nvae/E38-explained_share",
        name="Share of the variance that the top scales explain",
        where="Derived (Figure 12)",
        function="sampling.explained_share",
        oracles=(
            Oracle("closed form", "test_shares_of_a_linear_decoder"),
            Oracle("identity", "test_explained_share_matches_the_analysis_of_variance"),
            Oracle("monte carlo", "test_naive_share_is_biased"),
        ),
    ),
    Equation(
        id="nvae/E39",
        name="Nearest training image",
        where="Appendix B.1, Figure 6",
        function="image_metrics.nearest_training_image",
        oracles=(
            Oracle("scipy", "test_nearest_training_image_matches_a_tree"),
            Oracle("enumeration", "test_nearest_training_image_by_brute_force"),
        ),
        names=("nearest_training_image",),
        note="The fraction of the crop is not stated; the middle half is our choice.",
    ),
    Equation(
        id="nvae/E39-distance",
        name="Distance to the nearest training image",
        where="Appendix B.1, Figure 6",
        function="image_metrics.nearest_training_distance",
        oracles=(
            Oracle("scipy", "test_nearest_training_image_matches_a_tree"),
            Oracle("enumeration", "test_nearest_training_image_by_brute_force"),
        ),
    ),
    Equation(
        id="nvae/E40",
        name="Groups per scale",
        where="Table 6",
        function="architecture.groups_per_scale",
        oracles=(
            Oracle("printed value", "test_groups_per_scale_of_the_paper"),
            Oracle("closed form", "test_groups_per_scale_by_floor_division"),
        ),
        names=("groups_per_scale",),
    ),
    Equation(
        id="nvae/E41",
        name="Channel schedule",
        where="Section 3.1, Table 6",
        function="architecture.channel_schedule",
        oracles=(
            Oracle("identity", "test_channels_double"),
            Oracle("printed value", "test_channels_of_the_paper"),
        ),
        names=("channel_schedule",),
    ),
    Equation(
        id="nvae/E41-latent_dims",
        name="Latent dimensions",
        where="Table 6",
        function="architecture.latent_dims",
        oracles=(
            Oracle("printed value", "test_latent_dims_of_the_papers"),
            Oracle("enumeration", "test_latent_dims_are_elements_of_the_latents"),
        ),
        names=("latent_dims",),
    ),
    Equation(
        id="nvae/E41-scale_sizes",
        name="Sides of the latent maps",
        where="Table 6",
        function="architecture.scale_sizes",
        oracles=(
            Oracle("printed value", "test_scale_sizes_of_the_paper"),
            Oracle("torch", "test_scale_sizes_are_shapes_of_pooled_maps"),
        ),
    ),
    Equation(
        id="nvae/E42",
        name="Number of parameters",
        where="Table 6",
        function="architecture.nvae_parameter_count",
        oracles=(
            Oracle("printed value", "test_nvae_has_the_parameters_of_the_public_model"),
            Oracle("torch", "test_nvae_matches_modules_on_the_meta_device"),
            Oracle("printed value", "test_nvae_without_flows_and_with_one_cell"),
        ),
        names=("parameter_count",),
        note="Counts of the public model; Table 6 has one cell per group for MNIST, "
        "the public command two (18.9 against 33.4 million).",
    ),
    Equation(
        id="nvae/E42-parameter_count",
        name="Parameters of a table of layers",
        where="Table 6",
        function="architecture.parameter_count",
        oracles=(
            Oracle("torch", "test_parameter_count_matches_modules"),
            Oracle("printed value", "test_parameter_count_of_the_parts_of_nvae"),
        ),
    ),
    Equation(
        id="nvae/E42b",
        name="Cost of a convolution",
        where="Section 3.1.2, footnote 1",
        function="architecture.multiply_adds",
        oracles=(
            Oracle("torch", "test_multiply_adds_match_a_counter_on_the_meta_device"),
            Oracle("closed form", "test_multiply_adds_of_the_cells_of_nvae"),
        ),
        names=("conv_complexity",),
    ),
    Equation(
        id="nvae/E43",
        name="Receptive field",
        where="Section 3.1.2",
        function="architecture.receptive_field",
        oracles=(
            Oracle("torch", "test_receptive_field_is_the_support_of_the_gradient"),
            Oracle("enumeration", "test_receptive_field_of_the_cells"),
        ),
        names=("receptive_field",),
        note="The separable and the regular cell see equally far: 5 pixels.",
    ),
    Equation(
        id="nvae/E44",
        name="Feature maps kept per cell",
        where="Section 3.1.3",
        function="architecture.saved_maps",
        oracles=(
            Oracle("torch", "test_saved_maps_are_those_that_autograd_keeps"),
            Oracle("closed form", "test_saved_maps_of_the_specification"),
        ),
        names=("saved_maps_per_cell",),
    ),
    Equation(
        id="nvae/E45",
        name="Memory of training",
        where="Section 3.1.3, Table 3",
        function="architecture.training_bytes",
        oracles=(
            Oracle("printed value", "test_training_bytes_fit_table_3_of_nvae"),
            Oracle("printed value", "test_training_bytes_of_the_measured_models"),
        ),
        names=("training_memory_model",),
        note="The fit to Table 3 has two free parameters on four points: a check of consistency.",
    ),
    Equation(
        id="nvae/E46",
        name="Throughput of training",
        where="Section 3.1.3, Table 6",
        function="architecture.throughput",
        oracles=(
            Oracle("printed value", "test_throughput_of_the_paper"),
            Oracle("identity", "test_throughput_is_the_inverse_of_time"),
        ),
        names=("throughput_arithmetic",),
        erratum="64 images per second and 55 hours for 400 epochs (100.8 images per second) "
        "cannot describe one setting.",
    ),
    Equation(
        id="nvae/E46-capacity_gain",
        name="Room that savings of memory make",
        where="Section 3.1.3",
        function="architecture.capacity_gain",
        oracles=(
            Oracle("printed value", "test_capacity_gain_of_the_paper"),
            Oracle("enumeration", "test_capacity_gain_in_sequence"),
        ),
    ),
)

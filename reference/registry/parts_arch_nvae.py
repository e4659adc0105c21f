"""NVAE: squeeze-and-excitation, spectral norms, flows, sampling, accounting."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="nvae/E17",
        name="Squeeze-and-excitation",
        where="Section 3.1.1",
        function="convolution.squeeze_excite",
        oracles=(
            Oracle("enumeration", "test_squeeze_excite_matches_loops"),
            Oracle("limit", "test_squeeze_excite_halves_without_output_weights"),
        ),
        names=("squeeze_excite",),
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
        function="sampling.nearest_image",
        oracles=(
            Oracle("enumeration", "test_nearest_image_matches_loops"),
            Oracle("scipy", "test_nearest_image_matches_a_tree"),
        ),
        names=("nearest_training_image",),
    ),
    Equation(
        id="nvae/E39-image_distances",
        name="Distances to the training images",
        where="Appendix B.1, Figure 6",
        function="sampling.image_distances",
        oracles=(
            Oracle("enumeration", "test_nearest_image_matches_loops"),
            Oracle("scipy", "test_nearest_image_matches_a_tree"),
        ),
        note="The size of the central crop is not stated; the middle half is our choice.",
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

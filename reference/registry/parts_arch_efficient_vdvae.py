"""Efficient-VDVAE: convolutions, blocks, initialisation, accounting."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="efficient-vdvae/E29",
        name="Convolution that keeps the size",
        where="Appendix A.1",
        function="convolution.same",
        oracles=(
            Oracle("scipy", "test_same_keeps_the_size_over_the_stride"),
            Oracle("identity", "test_same_puts_the_odd_padding_first"),
        ),
        names=("same_conv",),
    ),
    Equation(
        id="efficient-vdvae/E29-convolve",
        name="Convolution with zero padding",
        where="Appendix A.1",
        function="convolution.convolve",
        oracles=(
            Oracle("scipy", "test_convolve_matches_scipy"),
            Oracle("torch", "test_convolve_matches_torch"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E31",
        name="Trainable pooling",
        where="Figure 5, Appendix A.1",
        function="convolution.pool",
        oracles=(
            Oracle("linear algebra", "test_pool_is_space_to_depth_and_a_matrix"),
            Oracle("limit", "test_pool_with_constant_kernel_is_the_average"),
            Oracle("identity", "test_printed_pool_has_another_shape"),
        ),
        names=("pool",),
        erratum="Appendix A.1 calls it a 1x1 convolution; the printed parameter counts need an s x s kernel.",
    ),
    Equation(
        id="efficient-vdvae/E32",
        name="Trainable unpooling",
        where="Figure 5, Appendix A.1",
        function="convolution.unpool",
        oracles=(
            Oracle("linear algebra", "test_unpool_matches_a_matrix_per_pixel"),
            Oracle("identity", "test_unpool_undone_by_average_pool"),
        ),
        names=("unpool",),
        erratum="Neither the rectifier nor the bias per channel and position is mentioned; the bias holds 44.7 of the "
        "197.7 million parameters of FFHQ C2.",
    ),
    Equation(
        id="efficient-vdvae/E32-nearest",
        name="Nearest-neighbour enlargement",
        where="Figure 5",
        function="convolution.nearest",
        oracles=(
            Oracle("linear algebra", "test_nearest_matches_kron"),
            Oracle("identity", "test_average_pool_undoes_nearest"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E35-average_pool",
        name="Average pooling of VDVAE",
        where="Section 4",
        function="convolution.average_pool",
        oracles=(
            Oracle("enumeration", "test_average_pool_matches_loops"),
            Oracle("identity", "test_average_pool_undoes_nearest"),
        ),
        names=("vdvae_pool",),
    ),
    Equation(
        id="efficient-vdvae/E35-mixin",
        name="Unpooling of VDVAE",
        where="Section 4",
        function="convolution.mixin",
        oracles=(
            Oracle("linear algebra", "test_mixin_matches_kron"),
            Oracle("identity", "test_mixin_without_bias_is_undone_by_the_average"),
        ),
        names=("vdvae_unpool",),
    ),
    Equation(
        id="efficient-vdvae/E27",
        name="Gain over the baseline",
        where="Section 5.3.1, Table 3",
        function="architecture.gain",
        oracles=(
            Oracle("printed value", "test_gain_of_the_paper"),
            Oracle("identity", "test_gain_is_reciprocal"),
            Oracle("identity", "test_clock_gain_is_update_gain_times_seconds_per_update"),
        ),
        names=(
            "memory_gain",
            "update_gain",
            "clock_gain",
        ),
        note="Hours are of different numbers of devices: the clock gain is no speed per device.",
    ),
    Equation(
        id="efficient-vdvae/E27-images_seen",
        name="Images seen",
        where="Section 5.3.1, Table 3",
        function="architecture.images_seen",
        oracles=(
            Oracle("printed value", "test_images_seen_of_the_paper"),
            Oracle("enumeration", "test_images_seen_step_by_step"),
        ),
        names=("images_seen",),
    ),
    Equation(
        id="efficient-vdvae/E27-seconds_per_update",
        name="Seconds per update",
        where="Section 5.3.1, Table 3",
        function="architecture.seconds_per_update",
        oracles=(
            Oracle("identity", "test_seconds_per_update_add_up_to_the_hours"),
            Oracle("identity", "test_clock_gain_is_update_gain_times_seconds_per_update"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E46",
        name="Number of parameters",
        where="Tables 3, 6",
        function="architecture.efficient_vdvae_parameter_count",
        oracles=(
            Oracle("printed value", "test_efficient_vdvae_has_the_parameters_of_the_public_model"),
            Oracle("torch", "test_efficient_vdvae_matches_modules_on_the_meta_device"),
        ),
        names=("param_count",),
        erratum="The printed 51 million of CIFAR C2 is the first public version; "
        "no released file gives the 156 million of ImageNet-32 C2, and FFHQ C1 counts 67.0 million, not 66.",
    ),
    Equation(
        id="efficient-vdvae/E46-vdvae",
        name="Number of parameters of VDVAE",
        where="Table 3",
        function="architecture.vdvae_parameter_count",
        oracles=(
            Oracle("printed value", "test_vdvae_has_the_parameters_of_the_public_model"),
            Oracle("torch", "test_vdvae_matches_modules_on_the_meta_device"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E46-layer_count",
        name="Stochastic layers",
        where="Section 5, Table 3",
        function="architecture.layer_count",
        oracles=(
            Oracle("enumeration", "test_layer_count_by_enumeration"),
            Oracle("printed value", "test_layer_count_of_the_paper"),
        ),
        names=("layer_count",),
    ),
    Equation(
        id="efficient-vdvae/E46-latent_dims",
        name="Latent dimensions",
        where="Section 7",
        function="architecture.latent_dims",
        oracles=(
            Oracle("printed value", "test_latent_dims_of_the_papers"),
            Oracle("enumeration", "test_latent_dims_are_elements_of_the_latents"),
        ),
        names=("latent_dims",),
    ),
    Equation(
        id="efficient-vdvae/E47",
        name="Memory of training",
        where="Tables 1, 3, 8, 9",
        function="architecture.training_bytes",
        oracles=(
            Oracle("printed value", "test_training_bytes_of_the_measured_models"),
            Oracle("printed value", "test_training_bytes_fit_table_3_of_nvae"),
        ),
        names=("training_bytes",),
    ),
    Equation(
        id="efficient-vdvae/E47-activation_bytes",
        name="Memory of activations",
        where="Tables 1, 3, 8, 9",
        function="architecture.activation_bytes",
        oracles=(
            Oracle("torch", "test_activation_bytes_of_a_network_listed_by_hand"),
            Oracle("enumeration", "test_activation_bytes_by_enumeration"),
        ),
        names=("activation_bytes",),
    ),
    Equation(
        id="efficient-vdvae/E30",
        name="Bottleneck cell",
        where="Figure 5",
        function="blocks.bottleneck",
        oracles=(
            Oracle("enumeration", "test_bottleneck_matches_loops"),
            Oracle("torch", "test_bottleneck_matches_modules"),
            Oracle("enumeration", "test_bottleneck_has_the_counted_parameters"),
        ),
        names=("bottleneck_cell",),
    ),
    Equation(
        id="efficient-vdvae/E33",
        name="Bottom-up block",
        where="Figure 5b",
        function="blocks.bottom_up",
        oracles=(
            Oracle("torch", "test_bottom_up_matches_modules"),
            Oracle("limit", "test_bottom_up_of_a_silent_cell"),
        ),
        names=("bottom_up_block",),
    ),
    Equation(
        id="efficient-vdvae/E34",
        name="Top-down block: latent and residual join the state",
        where="Figure 5c",
        function="blocks.merge",
        oracles=(
            Oracle("torch", "test_merge_matches_modules"),
            Oracle("limit", "test_merge_without_latent_and_cell_adds_the_residual"),
            Oracle("identity", "test_generation_with_the_posterior_sample_reproduces_the_training_pass"),
        ),
        names=("top_down_block",),
    ),
    Equation(
        id="efficient-vdvae/E34-prior",
        name="Top-down block: prior",
        where="Figure 5c",
        function="blocks.prior",
        oracles=(
            Oracle("torch", "test_prior_matches_modules"),
            Oracle("limit", "test_prior_of_a_silent_cell_is_its_head_bias"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E34-posterior",
        name="Top-down block: posterior",
        where="Figure 5c",
        function="blocks.posterior",
        oracles=(
            Oracle("torch", "test_posterior_matches_modules"),
            Oracle("identity", "test_posterior_is_the_head_of_the_joined_bottleneck"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E35",
        name="VDVAE block: prior",
        where="Section 4, Appendix A",
        function="blocks.vdvae_prior",
        oracles=(
            Oracle("torch", "test_vdvae_prior_matches_modules"),
            Oracle("limit", "test_vdvae_prior_starts_standard"),
        ),
        names=("vdvae_decoder_block",),
    ),
    Equation(
        id="efficient-vdvae/E35-posterior",
        name="VDVAE block: posterior",
        where="Section 4, Appendix A",
        function="blocks.vdvae_posterior",
        oracles=(
            Oracle("torch", "test_vdvae_posterior_matches_modules"),
            Oracle("scipy", "test_vdvae_posterior_has_the_density_of_its_parameters"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E35-merge",
        name="VDVAE block: latent and residual join the state",
        where="Section 4, Appendix A",
        function="blocks.merge",
        oracles=(
            Oracle("torch", "test_merge_matches_modules"),
            Oracle("limit", "test_merge_without_latent_and_cell_adds_the_residual"),
        ),
    ),
    Equation(
        id="efficient-vdvae/E35-cell",
        name="Bottleneck cell of VDVAE",
        where="Section 4, Appendix A",
        function="blocks.bottleneck",
        oracles=(
            Oracle("enumeration", "test_bottleneck_matches_loops"),
            Oracle("torch", "test_bottleneck_matches_modules"),
        ),
        names=("vdvae_cell",),
    ),
    Equation(
        id="efficient-vdvae/E36",
        name="Scale of residual branches",
        where="Appendix C.1",
        function="initialisation.stable_scale",
        oracles=(
            Oracle("monte carlo", "test_stable_scale_keeps_the_variance_of_the_sum"),
            Oracle("identity", "test_stable_scale_is_a_ratio_of_norms"),
        ),
        names=("stable_init_scale",),
    ),
    Equation(
        id="efficient-vdvae/E37",
        name="Glorot initialisation",
        where="Appendix C",
        function="initialisation.xavier_uniform",
        oracles=(
            Oracle("scipy", "test_xavier_uniform_has_its_law"),
            Oracle("torch", "test_xavier_uniform_is_that_of_torch"),
        ),
        names=("xavier_uniform",),
    ),
    Equation(
        id="efficient-vdvae/E37-kaiming_uniform_default",
        name="Default initialisation",
        where="Appendix C",
        function="initialisation.kaiming_uniform_default",
        oracles=(
            Oracle("scipy", "test_kaiming_uniform_default_has_its_law"),
            Oracle("torch", "test_kaiming_uniform_default_is_that_of_torch_modules"),
        ),
        names=("kaiming_uniform_default",),
    ),
)

"""NVAE: A Deep Hierarchical Variational Autoencoder (NeurIPS 2020)."""

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
        ),
        names=("mixed_precision",),
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
)

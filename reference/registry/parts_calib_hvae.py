"""Hermite VAE: hierarchical terms, diagnostics of collapse and the phase transition."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="hvae/B1",
        name="Generative model",
        where="Section 1",
        function="hierarchical.generate",
        oracles=(
            Oracle("monte carlo", "test_generated_samples_have_the_covariance_of_the_recursion"),
            Oracle("closed form", "test_generated_sample_by_hand"),
        ),
        names=("generative_model",),
    ),
    Equation(
        id="hvae/B1-log_joint",
        name="Joint log density",
        where="Section 1",
        function="hierarchical.log_joint",
        oracles=(
            Oracle("scipy", "test_log_joint_matches_scipy"),
            Oracle("quadrature", "test_joint_density_integrates_to_the_evidence"),
        ),
    ),
    Equation(
        id="hvae/B2-infer",
        name="Inference model",
        where="Section 1",
        function="hierarchical.infer",
        oracles=(
            Oracle("monte carlo", "test_inferred_top_of_a_linear_encoder"),
            Oracle("finite differences", "test_inference_passes_gradients_through_the_layers"),
        ),
        names=("inference_model",),
    ),
    Equation(
        id="hvae/B8",
        name="Total KLD and reconstruction",
        where="Table 3",
        function="hierarchical.total_kld",
        oracles=(
            Oracle("scipy", "test_total_kld_is_the_joint_log_ratio"),
            Oracle("closed form", "test_total_kld_of_a_linear_gaussian_hierarchy"),
        ),
        names=("total_kld", "reconstruction"),
    ),
    Equation(
        id="hvae/B11",
        name="Training objective",
        where="Section 2.2",
        function="hierarchical.smoothed_elbo",
        oracles=(
            Oracle("scipy", "test_smoothed_elbo_matches_scipy"),
            Oracle("closed form", "test_smoothed_elbo_of_a_linear_hierarchy"),
            Oracle("identity", "test_one_correlated_sample_trains_the_elbo"),
        ),
        names=("hvae_training_loss",),
    ),
    Equation(
        id="hvae/B12",
        name="Evaluation of the unsmoothed model",
        where="Section 2.2",
        function="hierarchical.elbo",
        oracles=(
            Oracle("identity", "test_evaluation_has_no_smoothing_to_switch_on"),
            Oracle("closed form", "test_elbo_of_a_linear_gaussian_hierarchy"),
            Oracle("identity", "test_one_correlated_sample_trains_the_elbo"),
        ),
        names=("evaluate_original",),
        note="Protocol: reported numbers, training curves included, use this bound with the unsmoothed conditionals.",
    ),
    Equation(
        id="hvae/B20",
        name="Bias with a scale that depends on the latent",
        where="End of Section 3",
        function="hierarchical.ratio_bias",
        oracles=(
            Oracle("quadrature", "test_ratio_bias_matches_quadrature"),
            Oracle("identity", "test_ratio_bias_of_a_constant_scale_is_the_bias"),
            Oracle("closed form", "test_smoothing_the_scale_lowers_the_log_term"),
        ),
        names=("sigma_dependent_case",),
    ),
    Equation(
        id="hvae/C11",
        name="Mutual information of the top layer",
        where="Derived (Figure 1)",
        function="collapse.mutual_information",
        oracles=(
            Oracle("closed form", "test_mutual_information_of_a_gaussian_channel"),
            Oracle("limit", "test_mutual_information_limits"),
            Oracle("identity", "test_mutual_information_is_at_most_the_top_kl"),
        ),
        names=("mutual_information_top",),
    ),
    Equation(
        id="hvae/C12",
        name="Phase transition",
        where="Figure 1",
        function="collapse.phase_transition",
        oracles=(
            Oracle("closed form", "test_phase_transition_of_a_logistic_curve"),
            Oracle("closed form", "test_phase_transition_of_a_root"),
            Oracle("identity", "test_phase_transition_agrees_with_the_procedure_of_the_claims"),
        ),
        names=("phase_transition",),
        note="One curve; the bootstrap over seeds and the test of logistic against line belong to the claim test.",
    ),
    Equation(
        id="hvae/C13",
        name="Same critical rho",
        where="Figure 1",
        function="collapse.same_critical_rho",
        oracles=(
            Oracle("closed form", "test_same_critical_rho_of_shifted_curves"),
            Oracle("limit", "test_same_critical_rho_at_the_edge"),
        ),
        names=("same_critical_rho",),
    ),
    Equation(
        id="hvae/C15",
        name="Collapse criterion",
        where="Derived (Tables 3-4)",
        function="collapse.is_collapsed",
        oracles=(
            Oracle("closed form", "test_is_collapsed_for_known_encoders"),
            Oracle("limit", "test_is_collapsed_at_the_edge_of_the_threshold"),
        ),
        names=("collapse_criterion",),
    ),
)

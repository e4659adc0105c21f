"""DVAE++: relaxations of binary variables, and the bounds of a model that uses them."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="dvaepp/E1",
        name="Bernoulli log probability",
        where="used throughout",
        function="discrete.bernoulli_log_pmf",
        oracles=(
            Oracle("scipy", "test_bernoulli_pmf_matches_scipy"),
            Oracle("enumeration", "test_bernoulli_pmf_sums_to_one"),
        ),
        names=("bernoulli_log_pmf",),
    ),
    Equation(
        id="dvaepp/E1-entropy",
        name="Bernoulli entropy",
        where="used throughout",
        function="discrete.bernoulli_entropy",
        oracles=(
            Oracle("scipy", "test_bernoulli_entropy_matches_scipy"),
            Oracle("mpmath", "test_bernoulli_entropy_by_enumeration_at_50_digits"),
            Oracle("finite differences", "test_bernoulli_gradients_are_exact"),
        ),
        names=("bernoulli_entropy",),
    ),
    Equation(
        id="dvaepp/E1-kl",
        name="Bernoulli divergence",
        where="used throughout",
        function="discrete.bernoulli_kl",
        oracles=(
            Oracle("mpmath", "test_bernoulli_kl_by_enumeration_at_50_digits"),
            Oracle("torch", "test_bernoulli_kl_matches_torch"),
            Oracle("limit", "test_bernoulli_kl_next_to_equality_is_quadratic"),
        ),
        names=("bernoulli_kl",),
    ),
    Equation(
        id="dvaepp/E2",
        name="Reparameterisation by the inverse distribution function",
        where="Sections 2-3",
        function="relaxations.smoothing_inverse_cdf",
        oracles=(
            Oracle("closed form", "test_generic_inverse_is_the_closed_form"),
            Oracle("monte carlo", "test_ancestral_samples_have_uniform_ranks"),
            Oracle("quadrature", "test_mean_derivative_is_the_distance_of_the_means"),
        ),
        names=("smoothing_inverse_cdf",),
    ),
    Equation(
        id="dvaepp/E3",
        name="Log density of a smoothed variable",
        where="Sections 2-3",
        function="relaxations.smoothed_log_density",
        oracles=(
            Oracle("quadrature", "test_smoothed_density_integrates_to_one"),
            Oracle("finite differences", "test_smoothed_density_is_the_slope_of_the_cdf"),
        ),
        names=("smoothed_log_density",),
    ),
    Equation(
        id="dvaepp/E4",
        name="Sample with a spike and an exponential",
        where="Appendices C, F",
        function="relaxations.spike_exp_icdf",
        oracles=(
            Oracle("mpmath", "test_spike_exp_at_50_digits"),
            Oracle("scipy", "test_spike_exp_matches_truncexpon"),
            Oracle("monte carlo", "test_spike_exp_moments_by_sampling"),
        ),
        names=("spike_exp_icdf",),
    ),
    Equation(
        id="dvaepp/E4-cdf",
        name="Distribution function with a spike and an exponential",
        where="Appendices C, F",
        function="relaxations.spike_exp_cdf",
        oracles=(
            Oracle("scipy", "test_spike_exp_matches_truncexpon"),
            Oracle("identity", "test_spike_exp_cdf_of_its_inverse"),
        ),
        names=("spike_exp_cdf",),
    ),
    Equation(
        id="dvaepp/E4-grad",
        name="Derivatives with a spike and an exponential",
        where="Appendices C, F",
        function="relaxations.spike_exp_grad",
        oracles=(
            Oracle("finite differences", "test_spike_exp_gradient_at_50_digits"),
            Oracle("quadrature", "test_mean_derivative_is_the_distance_of_the_means"),
        ),
        names=("spike_exp_grad",),
    ),
    Equation(
        id="dvaepp/E5",
        name="Density of overlapping exponentials",
        where="Appendix A",
        function="relaxations.overlap_exp_log_pdf",
        oracles=(
            Oracle("scipy", "test_overlap_exp_matches_truncexpon"),
            Oracle("quadrature", "test_overlap_exp_density_integrates_to_one"),
        ),
        names=("overlap_exp_log_pdf",),
    ),
    Equation(
        id="dvaepp/E6",
        name="Distribution function of overlapping exponentials",
        where="Appendix A",
        function="relaxations.overlap_exp_cdf",
        oracles=(
            Oracle("scipy", "test_overlap_exp_matches_truncexpon"),
            Oracle("closed form", "test_overlap_exp_cdf_at_one_half"),
            Oracle("quadrature", "test_overlap_exp_cdf_is_the_integral_of_the_density"),
        ),
        names=("overlap_exp_cdf",),
    ),
    Equation(
        id="dvaepp/E7",
        name="Inverse of overlapping exponentials as printed",
        where="Appendix A",
        function="relaxations.overlap_exp_icdf_quadratic",
        oracles=(
            Oracle("identity", "test_printed_root_of_overlapping_exponentials_where_it_works"),
            Oracle("linear algebra", "test_printed_quadratic_has_these_roots"),
            Oracle("mpmath", "test_printed_root_of_overlapping_exponentials_fails"),
        ),
        names=("overlap_exp_icdf_quadratic",),
        erratum=(
            "Divides by zero at q = 1; for b > 0 the root cancels until the sample is infinite (in double "
            "precision for a third of all draws at beta = 40, half from 50 on; in single precision for "
            "single draws at the paper's beta = 8). dvaepp/E8 is the form to use."
        ),
    ),
    Equation(
        id="dvaepp/E8",
        name="Inverse of overlapping exponentials",
        where="Appendix A",
        function="relaxations.overlap_exp_icdf",
        oracles=(
            Oracle("mpmath", "test_overlap_exp_icdf_at_50_digits"),
            Oracle("scipy", "test_overlap_exp_icdf_by_root_finding"),
            Oracle("closed form", "test_overlap_exp_icdf_special_cases"),
        ),
        names=("overlap_exp_icdf",),
    ),
    Equation(
        id="dvaepp/E8b",
        name="Inverse of overlapping exponentials in one closed form",
        where="Appendix A (derived)",
        function="relaxations.overlap_exp_icdf_asinh",
        oracles=(
            Oracle("printed value", "test_asinh_form_of_overlapping_exponentials_has_these_values"),
            Oracle("identity", "test_asinh_form_of_overlapping_exponentials_where_it_works"),
        ),
        names=("overlap_exp_icdf_asinh",),
    ),
    Equation(
        id="dvaepp/E9",
        name="Derivatives of a sample of overlapping exponentials",
        where="Appendix A",
        function="relaxations.overlap_exp_grad",
        oracles=(
            Oracle("finite differences", "test_overlap_exp_gradient_at_50_digits"),
            Oracle("quadrature", "test_mean_derivative_is_the_distance_of_the_means"),
            Oracle("closed form", "test_overlap_exp_gradient_special_cases"),
        ),
        names=("overlap_exp_grad",),
    ),
    Equation(
        id="dvaepp/E9-moments",
        name="Moments of overlapping exponentials",
        where="Appendix A",
        function="relaxations.overlap_exp_moments",
        oracles=(
            Oracle("scipy", "test_overlap_exp_moments_match_truncexpon"),
            Oracle("quadrature", "test_overlap_exp_moments_by_quadrature"),
        ),
        names=("overlap_exp_moments",),
    ),
    Equation(
        id="dvaepp/E10",
        name="Bernoulli limit of overlapping exponentials",
        where="Section 3",
        function="relaxations.overlap_exp_bernoulli_limit",
        oracles=(
            Oracle("quadrature", "test_exponential_bernoulli_limit_by_quadrature"),
            Oracle("closed form", "test_exponential_bernoulli_limit_special_cases"),
        ),
        names=("overlap_exp_bernoulli_limit",),
        note="In the Wasserstein distance; total variation is 1 for every finite beta.",
    ),
    Equation(
        id="dvaepp/E11",
        name="Inverse of overlapping normals",
        where="Appendix B",
        function="relaxations.overlap_normal_icdf",
        oracles=(
            Oracle("scipy", "test_overlap_normal_icdf_by_root_finding"),
            Oracle("finite differences", "test_overlap_normal_gradient"),
            Oracle("quadrature", "test_mean_derivative_is_the_distance_of_the_means"),
        ),
        names=("normal_smoothing",),
        erratum=(
            "The extracted text keeps only half of the brace: N(0, sigma^2) for z = 0, N(1, sigma^2) for z ="
            " 1, one common sigma."
        ),
    ),
    Equation(
        id="dvaepp/E11-cdf",
        name="Distribution function of overlapping normals",
        where="Appendix B",
        function="relaxations.overlap_normal_cdf",
        oracles=(
            Oracle("scipy", "test_overlap_normal_cdf_matches_scipy"),
            Oracle("finite differences", "test_smoothed_density_is_the_slope_of_the_cdf"),
        ),
        names=("normal_smoothing",),
    ),
    Equation(
        id="dvaepp/E12",
        name="Logistic log density",
        where="Appendix B",
        function="relaxations.logistic_log_pdf",
        oracles=(
            Oracle("scipy", "test_logistic_density_matches_scipy"),
            Oracle("quadrature", "test_logistic_moments"),
            Oracle("closed form", "test_logistic_is_close_to_the_normal"),
        ),
        names=("logistic_log_pdf",),
    ),
    Equation(
        id="dvaepp/E13",
        name="Distribution function of overlapping logistics",
        where="Appendix B",
        function="relaxations.overlap_logistic_cdf",
        oracles=(
            Oracle("scipy", "test_overlap_logistic_cdf_matches_scipy"),
            Oracle("closed form", "test_overlap_logistic_cdf_in_powers"),
        ),
        names=("overlap_logistic_cdf",),
    ),
    Equation(
        id="dvaepp/E14",
        name="Inverse of overlapping logistics as printed",
        where="Appendix B",
        function="relaxations.overlap_logistic_icdf_quadratic",
        oracles=(
            Oracle("identity", "test_printed_roots_of_overlapping_logistics_where_they_work"),
            Oracle("mpmath", "test_printed_roots_of_overlapping_logistics_fail"),
        ),
        names=("overlap_logistic_icdf_quadratic",),
        erratum=(
            "exp(mu/s) and its square overflow, and the root cancels for b > 0: with locations 0 and 1 lost "
            "from s = 0.0028 and s = 0.026 on in double precision. dvaepp/E16 is the form to use."
        ),
    ),
    Equation(
        id="dvaepp/E15",
        name="Inverse of overlapping logistics by the change of variable",
        where="Appendix B",
        function="relaxations.overlap_logistic_icdf_mprime",
        oracles=(
            Oracle("identity", "test_printed_roots_of_overlapping_logistics_where_they_work"),
            Oracle("mpmath", "test_printed_roots_of_overlapping_logistics_fail"),
        ),
        names=("overlap_logistic_icdf_mprime",),
        erratum=(
            "Called stable, but it only halves the exponent (the value is lost from s = 0.0014 instead of "
            "0.0028 on) and does nothing against the cancellation for b' > 0."
        ),
    ),
    Equation(
        id="dvaepp/E16",
        name="Inverse of overlapping logistics",
        where="Appendix B",
        function="relaxations.overlap_logistic_icdf",
        oracles=(
            Oracle("scipy", "test_overlap_logistic_icdf_by_root_finding"),
            Oracle("closed form", "test_overlap_logistic_icdf_special_cases"),
            Oracle("identity", "test_overlap_logistic_icdf_is_equivariant"),
        ),
        names=("overlap_logistic_icdf",),
    ),
    Equation(
        id="dvaepp/E16-offsets",
        name="Inverse of overlapping logistics in units of the scale",
        where="Appendix B",
        function="relaxations.overlap_logistic_offsets",
        oracles=(
            Oracle("mpmath", "test_overlap_logistic_offsets_at_50_digits"),
            Oracle("identity", "test_overlap_logistic_offsets_belong_to_the_sample"),
        ),
        names=("overlap_logistic_icdf",),
    ),
    Equation(
        id="dvaepp/E16b",
        name="Inverse of overlapping logistics in one closed form",
        where="Appendix B (derived)",
        function="relaxations.overlap_logistic_icdf_asinh",
        oracles=(
            Oracle("identity", "test_asinh_form_of_overlapping_logistics_where_it_works"),
            Oracle("mpmath", "test_asinh_form_of_overlapping_logistics_at_50_digits"),
        ),
        names=("overlap_logistic_icdf_asinh",),
    ),
    Equation(
        id="dvaepp/E17",
        name="Derivatives of a sample of overlapping logistics",
        where="Appendix B",
        function="relaxations.overlap_logistic_grad",
        oracles=(
            Oracle("finite differences", "test_overlap_logistic_gradient_at_50_digits"),
            Oracle("identity", "test_overlap_logistic_gradient_is_homogeneous"),
            Oracle("quadrature", "test_mean_derivative_is_the_distance_of_the_means"),
        ),
        names=("overlap_logistic_grad",),
    ),
    Equation(
        id="dvaepp/E18",
        name="Bernoulli limit of overlapping logistics",
        where="Appendix B",
        function="relaxations.overlap_logistic_bernoulli_limit",
        oracles=(
            Oracle("quadrature", "test_logistic_bernoulli_limit_by_quadrature"),
            Oracle("limit", "test_logistic_bernoulli_limit_bounds"),
        ),
        names=("overlap_logistic_bernoulli_limit",),
    ),
    Equation(
        id="dvaepp/E19",
        name="Binary Concrete sample",
        where="Appendix C",
        function="relaxations.binary_concrete_icdf",
        oracles=(
            Oracle("identity", "test_concrete_sample_has_its_cdf"),
            Oracle("monte carlo", "test_concrete_is_the_two_class_gumbel_softmax"),
        ),
        names=("binary_concrete_icdf",),
    ),
    Equation(
        id="dvaepp/E19-logit",
        name="Logit of a binary Concrete sample",
        where="Appendix C",
        function="relaxations.binary_concrete_logit",
        oracles=(
            Oracle("mpmath", "test_concrete_logit_at_50_digits"),
            Oracle("torch", "test_concrete_matches_torch"),
        ),
        names=("binary_concrete_icdf",),
    ),
    Equation(
        id="dvaepp/E19-density",
        name="Binary Concrete log density",
        where="Appendix C",
        function="relaxations.binary_concrete_log_density",
        oracles=(
            Oracle("torch", "test_concrete_matches_torch"),
            Oracle("quadrature", "test_concrete_density_integrates_to_its_cdf"),
        ),
        names=("binary_concrete_icdf",),
    ),
    Equation(
        id="dvaepp/E20",
        name="Gumbel-softmax sample",
        where="Appendix C",
        function="relaxations.gumbel_softmax",
        oracles=(
            Oracle("monte carlo", "test_concrete_is_the_two_class_gumbel_softmax"),
            Oracle("monte carlo", "test_gumbel_argmax_is_categorical"),
            Oracle("limit", "test_gumbel_softmax_becomes_one_hot"),
        ),
        names=("gumbel_softmax",),
    ),
    Equation(
        id="dvaepp/E21",
        name="Inverse distribution functions over the probability",
        where="Fig. 5",
        function="relaxations.inverse_cdf_curve",
        oracles=(
            Oracle("printed value", "test_curves_have_these_values"),
            Oracle("finite differences", "test_curve_slope_is_the_derivative"),
            Oracle("identity", "test_curve_area_is_the_difference_of_its_ends"),
        ),
        names=("fig5_inverse_cdf_curves",),
        erratum=(
            "The figure's claim is local: wherever Concrete (temperature below 1) and the spike are both "
            "flat the overlapping exponentials are steeper, but at temperature 1 Concrete is the steeper at "
            "both ends of q."
        ),
    ),
    Equation(
        id="dvaepp/E22",
        name="Log ratio of the smoothing densities",
        where="main text",
        function="relaxations.smoothing_log_ratio",
        oracles=(
            Oracle("identity", "test_log_ratio_is_the_difference_of_the_densities"),
            Oracle("enumeration", "test_posterior_given_zeta_is_bayes_rule"),
        ),
        names=("smoothing_log_ratio",),
    ),
    Equation(
        id="dvaepp/E23",
        name="Posterior of a binary variable given its smoothed copy",
        where="Appendix D, main text",
        function="discrete.posterior_given_zeta",
        oracles=(
            Oracle("enumeration", "test_posterior_given_zeta_is_bayes_rule"),
            Oracle("quadrature", "test_posterior_given_zeta_averages_to_the_probability"),
        ),
        names=("posterior_given_zeta",),
    ),
    Equation(
        id="dvaepp/E24",
        name="Joint bound",
        where="Appendix D, Fig. 6 (c, d)",
        function="discrete.joint_elbo",
        oracles=(
            Oracle("quadrature", "test_bounds_of_one_unit_by_quadrature"),
            Oracle("monte carlo", "test_bounds_of_one_unit_by_sampling"),
        ),
        names=("joint_elbo",),
    ),
    Equation(
        id="dvaepp/E25",
        name="Marginal bound",
        where="Appendix D, Fig. 6 (e, f)",
        function="discrete.marginal_elbo",
        oracles=(
            Oracle("quadrature", "test_bounds_of_one_unit_by_quadrature"),
            Oracle("monte carlo", "test_bounds_of_one_unit_by_sampling"),
            Oracle("closed form", "test_marginal_bound_uses_the_mixture_densities"),
        ),
        names=("marginal_elbo",),
    ),
    Equation(
        id="dvaepp/E26",
        name="Gap between the joint and the marginal bound",
        where="Appendix D",
        function="discrete.joint_marginal_gap",
        oracles=(
            Oracle("quadrature", "test_bounds_of_one_unit_by_quadrature"),
            Oracle("limit", "test_gap_at_the_ends"),
        ),
        names=("joint_marginal_gap",),
    ),
    Equation(
        id="dvaepp/E27",
        name="Bound with a directed prior",
        where="main text",
        function="discrete.directed_elbo",
        oracles=(
            Oracle("quadrature", "test_directed_bound_of_two_groups"),
            Oracle("identity", "test_directed_bound_of_one_group_is_the_plain_bound"),
        ),
        names=("directed_elbo",),
    ),
    Equation(
        id="dvaepp/E27b",
        name="Smoothed variables under a Boltzmann machine",
        where="main text",
        function="discrete.rbm_marginal_density",
        oracles=(
            Oracle("enumeration", "test_rbm_marginal_is_a_ratio_of_partition_functions"),
            Oracle("quadrature", "test_rbm_marginal_integrates_to_one"),
        ),
        names=("rbm_marginal_density",),
    ),
    Equation(
        id="dvaepp/E68",
        name="Active binary units",
        where="released code",
        function="discrete.active_units",
        oracles=(
            Oracle("enumeration", "test_active_units_of_known_logits"),
            Oracle("monte carlo", "test_active_units_of_random_logits"),
        ),
        names=("active_units_binary",),
        note="Population variance over the batch; the paper does not define the measure.",
    ),
)

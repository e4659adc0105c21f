"""The static claims of the paper that can be computed: equations, propositions, bounds, and what the model does.

One claim is one unit; `CHECKS` says which function checks it. Nothing is trained beyond 200 steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.hvae import _checks_bounds as bound
from reproductions.hvae import _checks_model as model
from reproductions.hvae import _checks_objective as objective
from reproductions.hvae import _checks_operator as operator

SEED = 1000

CHECKS: dict[str, Callable[[np.random.Generator], dict[str, float]]] = {
    "hvae/sec-2-1/hermite-basis-orthonormal": operator.hermite_basis_orthonormal,
    "hvae/sec-2-1/multi-index-product-basis": operator.multi_index_product_basis,
    "hvae/sec-2-1/coefficients-by-inner-product": operator.coefficients_by_inner_product,
    "hvae/eq-2/plancherel": operator.plancherel,
    "hvae/eq-3/ou-operator-definition": operator.ou_operator_definition,
    "hvae/sec-2-1/semigroup": operator.semigroup,
    "hvae/sec-2-1/ou-decays-coefficients-by-degree": operator.ou_decays_coefficients_by_degree,
    "hvae/eq-4/correlated-sample-reparameterised": model.correlated_sample_reparameterised,
    "hvae/prop-1/mean-preserved": operator.mean_preserved,
    "hvae/prop-2/interpolates-variable-and-expectation": operator.interpolates_variable_and_expectation,
    "hvae/sec-2-2/mean-variance-from-coefficients": operator.mean_variance_from_coefficients,
    "hvae/eq-5/variance-decays-by-degree": operator.variance_decays_by_degree,
    "hvae/sec-2-2/smoothed-function-is-smoother": operator.smoothed_function_is_smoother,
    "hvae/sec-2-2/monte-carlo-average-estimates-ou": operator.monte_carlo_average_estimates_ou,
    "hvae/sec-2-2/five-to-ten-samples-realised-smoothing": operator.five_to_ten_samples_realised_smoothing,
    "hvae/eq-6/cross-term-factorises": objective.cross_term_factorises,
    "hvae/eq-7/quadratic-term-contains-variance": objective.quadratic_term_contains_variance,
    "hvae/eq-8/spectral-form": objective.spectral_form,
    "hvae/eq-9/smoothed-spectral-form": objective.smoothed_spectral_form,
    "hvae/sec-3/new-variance-order-rho-squared": objective.new_variance_order_rho_squared,
    "hvae/sec-3/bias-is-variance-difference": objective.bias_is_variance_difference,
    "hvae/sec-3/bias-order-one-minus-rho-squared": objective.bias_order_one_minus_rho_squared,
    "hvae/sec-3/state-dependent-sigma-analogue": objective.state_dependent_sigma_analogue,
    "hvae/eq-1/layer-terms-are-kl-divergences": bound.layer_terms_are_kl_divergences,
    "hvae/sec-1/elbo-lower-bounds-log-likelihood": bound.elbo_lower_bounds_log_likelihood,
    "hvae/sec-1/mean-preserved-high-frequencies-attenuated": model.mean_preserved_high_frequencies_attenuated,
    "hvae/sec-2-2/parameters-have-same-expectation-lower-variance": model.parameters_keep_mean_and_lose_variance,
    "hvae/sec-2-2/only-intermediate-generative-layers-smoothed": model.only_intermediate_generative_layers_smoothed,
    "hvae/sec-2-2/training-only-substitution": model.training_only_substitution,
    "hvae/sec-2-2/rho-one-recovers-original-vae": model.rho_one_recovers_original_vae,
    "hvae/fig-1/top-kl-on-unsmoothed-model": model.top_kl_on_unsmoothed_model,
    "hvae/fig-1/toy-transition-exact": bound.toy_transition_exact,
    "hvae/sec-5/importance-samples": bound.importance_samples,
    "hvae/table-5/importance-samples-tighten": bound.importance_samples_tighten,
    "hvae/sec-5-1/kl-annealing-schedule": bound.kl_annealing_schedule,
    "hvae/sec-5-1/free-bits-values": bound.free_bits_values,
}


def _errors(unit: str = "1") -> Metric:
    return Metric(unit=unit, reduction="largest absolute error over all cases", kind="exact")


def _counts(of: str) -> Metric:
    return Metric(unit="1", reduction=f"number of {of}", kind="exact")


_STANDARD_ERRORS = Metric(unit="standard errors", reduction="largest over all cases", kind="estimate")

METRICS: dict[str, Metric] = {
    **{
        name: _errors()
        for name in (
            "affine_error",
            "break_point_error",
            "chapman_kolmogorov_error",
            "coefficient_change",
            "coefficient_error",
            "completed_error",
            "composition_error",
            "deficit_error",
            "dirichlet_excess",
            "end_point_error",
            "evaluation_difference",
            "exponential_gap",
            "float32_error",
            "float64_error",
            "full_path_error",
            "gradient_below_floor",
            "gram_error",
            "h2_error",
            "hessian_error",
            "identity_error",
            "index_count_error",
            "interpolation_error",
            "limit_distance",
            "limit_gap",
            "network_error",
            "polynomial_error",
            "polynomial_gap",
            "profile_error",
            "quadratic_error",
            "quadrature_error",
            "self_adjoint_error",
            "shortcut_difference",
            "single_layer_difference",
            "tanh_error",
        )
    },
    **{
        name: _errors("nats")
        for name in (
            "bias_error",
            "chunk_error",
            "corrected_ratio_error",
            "equality_error",
            "intermediate_layer_error",
            "l1_error",
            "loss_error",
            "nested_error",
            "residual_error",
            "smoothed_gap",
            "spectral_gap",
            "sum_error",
            "top_kl_difference",
            "top_layer_error",
        )
    },
    **dict.fromkeys(
        (
            "bias_standard_errors",
            "error_standard_errors",
            "mc_standard_errors",
            "mean_standard_errors",
            "moment_standard_errors",
            "profile_standard_errors",
            "variance_excess_standard_errors",
            "variance_standard_errors",
        ),
        _STANDARD_ERRORS,
    ),
    "bound_violations": _counts("cases beyond the bound"),
    "call_count_errors": _counts("networks with a wrong number of rows"),
    "decreases": _counts("steps that fall"),
    "equality_violations": _counts("cases with equality where it must not hold, or without where it must"),
    "escapes_k1": _counts("runs that escape from collapse with one sample"),
    "extra_passes": _counts("passes beyond one for each network"),
    "monotonicity_violations": _counts("steps against the order"),
    "network_error_increases": _counts("refinements of the rule at which the error grows"),
    "profile_increases": _counts("degrees at which the ratio grows"),
    "residual_increases": _counts("degrees at which the residual grows"),
    "rho_one_mismatches": _counts("entries that differ in a bit"),
    "sign_violations": _counts("negative biases"),
    "tanh_residual": Metric(unit="1", reduction="relative L2 norm", kind="exact"),
    "printed_member": Metric(unit="1", reduction="variance under N(0, 1), by quadrature", kind="exact"),
    "smoothed_variance": Metric(unit="1", reduction="variance under N(0, 1), by quadrature", kind="exact"),
    "variance_ratio": Metric(unit="1", reduction="largest over networks and units, smoothed / plain", kind="estimate"),
    "slope": Metric(unit="1", reduction="log-log slope farthest from the target", kind="estimate"),
    "sign_slope": Metric(unit="1", reduction="log-log slope", kind="exact"),
    "even_slope": Metric(unit="1", reduction="log-log slope for an even function", kind="exact"),
    "cross_term": Metric(unit="nats", reduction="absolute value, by quadrature", kind="exact"),
    "l2": Metric(unit="nats", reduction="expectation by quadrature", kind="exact", samples=2),
    "nats_difference": Metric(unit="nats", reduction="per image of 3072 values", kind="exact"),
    **{
        f"fraction_k{samples}": Metric("1", "share of the ideal bias, by quadrature", "exact", samples)
        for samples in (1, 5, 10)
    },
    **{
        f"bias_rho_{rho}": Metric(unit="nats", reduction="expectation by quadrature", kind="exact")
        for rho in ("0", "05", "09", "1")
    },
    **{
        f"smoothed_excess_{strength}": Metric(unit="nats", reduction="maximum over posteriors", kind="exact")
        for strength in ("081", "05")
    },
    **{
        f"onset_product_{which}": Metric(unit="1", reduction=f"{which} over budgets and samples", kind="exact")
        for which in ("smallest", "largest")
    },
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit per claim at every scale: there is nothing to scale, and one seed decides."""
    return [Unit({"claim": claim}, SEED) for claim in CHECKS]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Check one claim; its generator depends on the seed and on the claim."""
    claim = config["claim"]
    metrics = CHECKS[claim](np.random.default_rng([seed, *claim.encode()]))
    return [{"arm": {"claim": claim}, "metrics": metrics}]


REPRODUCTION = Reproduction(
    id="hvae/identities",
    title="Identities, bounds and what the model does, computed",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=(
        "claims/hvae.yaml",
        "reproductions/hvae/_checks_bounds.py",
        "reproductions/hvae/_checks_model.py",
        "reproductions/hvae/_checks_objective.py",
        "reproductions/hvae/_checks_operator.py",
        "reproductions/hvae/_functions.py",
        *(
            f"reference/{topic}.py"
            for topic in (
                "balancing",
                "bounds",
                "gaussian",
                "hermite",
                "hierarchical",
                "linear_gaussian",
                "ornstein_uhlenbeck",
                "schedules",
                "smoothing",
            )
        ),
        "vaes/data.py",
        "vaes/evaluation.py",
        "vaes/layers/mlp.py",
        "vaes/models/configuration.py",
        "vaes/models/hvae.py",
        "vaes/ops",
        "vaes/seeding.py",
        "vaes/training.py",
    ),
)

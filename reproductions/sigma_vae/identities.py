"""The static claims of the paper that can be computed: equations, bounds, errors of estimates, discrete decoders.

One claim is one unit; `CHECKS` says which function checks it. Nothing is trained beyond 50 steps of a toy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.sigma_vae import _checks_discrete as discrete
from reproductions.sigma_vae import _checks_variance as variance

SEED = 1000

CHECKS: dict[str, Callable[[np.random.Generator], dict[str, float]]] = {
    "sigma-vae/table-3/bernoulli-has-no-likelihood": variance.bernoulli_has_no_likelihood,
    "sigma-vae/figure-9/beta-is-constant-variance": variance.beta_is_constant_variance,
    "sigma-vae/appendix-b/adam-first-steps": variance.adam_first_steps,
    "sigma-vae/appendix-b/fid-inception": variance.frechet_routes,
    "sigma-vae/appendix-c/eq-11-optimal-variance": variance.optimal_variance,
    "sigma-vae/appendix-c/eq-11-sigma-vs-variance": variance.sigma_is_not_variance,
    "sigma-vae/appendix-c/envelope-gradient": variance.envelope_gradient,
    "sigma-vae/appendix-c/delta-method": variance.delta_method,
    "sigma-vae/appendix-c/same-batch-biased": variance.same_batch_biased,
    "sigma-vae/appendix-c/different-batch-correction": variance.different_batch,
    "sigma-vae/appendix-c/running-average-variance": variance.running_average_variance,
    "sigma-vae/appendix-c/running-average-convergence": variance.running_average_convergence,
    "sigma-vae/appendix-d/eq-12-signs": variance.printed_bound,
    "sigma-vae/appendix-d/eq-12-corrected-bound": variance.corrected_bound,
    "sigma-vae/appendix-d/greedy-penalty": variance.greedy_penalty,
    "sigma-vae/appendix-e/categorical-impractical": discrete.categorical_head_memory,
    "sigma-vae/appendix-e/bitwise-eight-values": discrete.bitwise_eight_values,
    "sigma-vae/appendix-e/bce-reduces-to-loglik": discrete.cross_entropy_is_log_likelihood,
    "sigma-vae/appendix-e/bitwise-general-format": discrete.bitwise_general_format,
    "sigma-vae/appendix-e/bins-integrate-density": discrete.bins_integrate_density,
    "sigma-vae/appendix-e/end-bins": discrete.end_bins,
    "sigma-vae/appendix-e/single-logistic-special-case": discrete.single_logistic,
    "sigma-vae/appendix-e/coefficients-removed": discrete.coefficients_removed,
    "sigma-vae/method/scale-invariance": variance.scale_invariance,
    "sigma-vae/method/sum-not-mean": variance.sum_not_mean,
    "sigma-vae/method/softclip-bias": variance.softclip_bias,
}


def _described(unit: str, reduction: str, *names: str, kind: str = "exact") -> dict[str, Metric]:
    return {name: Metric(unit=unit, reduction=reduction, kind=kind) for name in names}  # type: ignore[arg-type]


METRICS: dict[str, Metric] = (
    _described(
        "1",
        "largest absolute error over all cases",
        *("normaliser_error", "gradient_difference", "trajectory_difference", "constant_gradient_error"),
        *("route_difference", "distance_to_itself", "scaling_error", "argmax_error", "fit_error", "printed_error"),
        *("relative_error", "approximation_error", "constant_error", "no_memory_difference", "mean_error"),
        *("penalty_error", "mass_error", "zero_logit_error", "quadrature_error", "sum_error", "mpmath_error"),
        *("width_error", "end_error", "centre_shift_of_other_reading", "zero_coefficient_difference", "dependence"),
        *("loss_shift_error", "mean_gradient_error", "weight_gradient_error", "beta_error"),
    )
    | _described(
        "nats",
        "largest absolute error over all cases",
        *("equality_error", "marginal_error", "loss_difference", "difference", "entropy_error"),
        *("single_difference", "identical_difference", "permutation_difference", "zero_weight_difference"),
    )
    | _described("1", "smallest over all cases", "wrong_reading_difference", "clipped_difference")
    | _described("nats", "smallest over all cases", "grey_difference")
    | _described(
        "1",
        "number of cases",
        *("values_not_below_one", "non_negative_biases", "non_positive_biases", "same_batch_non_negative"),
        *("bound_violations", "lognormal_violations", "codes", "round_trip_errors", "edges_not_increasing"),
        *("interior_bins", "head_width", "head_width_original"),
    )
    | _described("standard errors", "largest over all cases", "mc_standard_errors", kind="estimate")
    | _described("1", "largest over steps and chains", "scaled_squared_error", "tail_error", kind="estimate")
    | _described("1", "largest share over batch sizes", "mean_bias_share")
    | _described("1", "worked example", "argmax_example", "mse_example")
    | _described("nats", "worked example", "excess_over_marginal", "printed_value", "marginal", "penalty_2352")
    | _described("nats", "worked example", "cost_celeba", "cost_frey")
    | _described("1", "worked example", "shift_0", "shift_2_2", "shift_3_5", "public_variance", "divergence_slope")
    | _described("GiB", "per image of 1024 x 1024 x 3", "memory_gib", "categorical_head")
    | _described("GiB", "per 16 images of 1024 x 1024 x 3", "categorical_batch", "gaussian_batch")
    | _described("1", "ratio to the categorical", "memory_ratio")
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit per claim at every scale: there is nothing to scale, and one seed decides."""
    return [Unit({"claim": claim}, SEED) for claim in CHECKS]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Check one claim; its generator depends on the seed and on the claim."""
    claim = config["claim"]
    metrics = CHECKS[claim](np.random.default_rng([seed, *claim.encode()]))
    return [{"arm": {"claim": claim}, "metrics": metrics}]


REPRODUCTION = Reproduction(
    id="sigma-vae/identities",
    title="Identities, bounds and errors of estimates, computed",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=(
        "claims/sigma-vae.yaml",
        "reproductions/sigma_vae/_checks_discrete.py",
        "reproductions/sigma_vae/_checks_variance.py",
        *(
            f"reference/{topic}.py"
            for topic in (
                "bernoulli",
                "calibration",
                "discrete",
                "image_metrics",
                "likelihoods",
                "optimisers",
                "quantisation",
            )
        ),
        "vaes/ops/calibration.py",
    ),
)

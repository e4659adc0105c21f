"""The static claims of the paper that can be computed: smoothing, bounds, Boltzmann machine, schedules, balancing.

One claim is one unit; `CHECKS` says which function checks it. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reproductions.dvaepp import _checks_boltzmann as boltzmann
from reproductions.dvaepp import _checks_smoothing as smoothing
from reproductions.dvaepp import _checks_training as training
from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit

SEED = 1000

CHECKS: dict[str, Callable[[np.random.Generator], dict[str, float]]] = {
    "dvaepp/app-a/exponential-mixture-cdf": smoothing.exponential_mixture_cdf,
    "dvaepp/app-a/quadratic-in-m": smoothing.quadratic_in_m,
    "dvaepp/app-a/two-real-roots": smoothing.two_real_roots,
    "dvaepp/app-a/plus-root-is-the-valid-one": smoothing.plus_root,
    "dvaepp/app-a/inverse-cdf-by-log": smoothing.inverse_by_log,
    "dvaepp/app-a/inverse-cdf-differentiable": smoothing.inverse_differentiable,
    "dvaepp/app-b/normal-smoothing-becomes-bernoulli": smoothing.normal_becomes_bernoulli,
    "dvaepp/app-b/logistic-is-normal-like": smoothing.logistic_is_normal_like,
    "dvaepp/app-b/logistic-mixture-quadratic-and-inverse": smoothing.logistic_inverse,
    "dvaepp/app-b/d1-overflows-for-small-s": smoothing.d1_overflows,
    "dvaepp/app-b/change-of-variable-is-numerically-stable": smoothing.change_of_variable,
    "dvaepp/app-b/q-is-the-bernoulli-mean": smoothing.weight_is_bernoulli_mean,
    "dvaepp/fig-5/inverse-cdf-curves": smoothing.inverse_cdf_curves,
    "dvaepp/fig-5/larger-gradient-where-others-are-small": smoothing.larger_gradient,
    "dvaepp/fig-5/spike-exp-dead-zone": smoothing.spike_dead_zone,
    "dvaepp/app-d/marginal-bound-is-tighter": boltzmann.marginal_is_tighter,
    "dvaepp/app-e/log-z-depends-only-on-prior-parameters": boltzmann.log_z_and_other_parameters,
    "dvaepp/app-e/gradient-of-log-z": boltzmann.gradient_of_log_z,
    "dvaepp/app-e/negative-average-energy-trick": boltzmann.negative_energy_trick,
    "dvaepp/app-e/no-gradient-through-chains": boltzmann.no_gradient_through_chains,
    "dvaepp/main/rbm-cross-entropy-is-unbiased": boltzmann.cross_entropy_is_unbiased,
    "dvaepp/app-f/kl-annealing-300k": training.annealing,
    "dvaepp/app-f/learning-rate-schedule": training.learning_rate,
    "dvaepp/app-g/decoder-output-channels": training.output_channels,
    "dvaepp/app-g/optimisation": training.adamax,
    "dvaepp/fig-8/pixel-subsets-partition-the-image": training.pixel_subsets,
    "dvaepp/fig-8/consistent-probabilistic-model": training.consistent_decoder,
    "dvaepp/app-h/balancing-formula": training.balancing_formula,
    "dvaepp/app-h/smaller-kl-is-penalised-less": training.smaller_is_penalised_less,
    "dvaepp/app-h/epsilon-softens-small-kl": training.epsilon_softens,
    "dvaepp/app-h/stop-gradient-on-coefficients": training.stop_gradient,
    "dvaepp/app-h/coefficients-only-during-annealing": training.only_during_annealing,
    "dvaepp/app-i/evaluation-uses-training-beta": boltzmann.two_evaluations,
}


def _described(unit: str, reduction: str, *names: str, kind: str = "exact") -> dict[str, Metric]:
    return {name: Metric(unit=unit, reduction=reduction, kind=kind) for name in names}  # type: ignore[arg-type]


METRICS: dict[str, Metric] = (
    _described(
        "1",
        "largest absolute error over all cases",
        *("cdf_error", "quadrature_error", "residual", "root_residual", "mean_error", "mass_error", "schedule_error"),
        *("bracketing_difference", "asinh_difference", "form_difference", "difference_error", "moment_difference"),
        *("difference", "sample_difference", "enumeration_difference", "gradient_difference", "gradient_error"),
        *("trajectory_difference", "sum_error", "equal_error", "excess_error", "ratio_error", "distance_from_one"),
        *("loss_difference_at_one", "loss_difference_below_one", "limit_difference", "wrong_variant_error"),
        *("distance", "distance_value"),
    )
    | _described("nats", "largest absolute error over all cases", "gap_error", "equality_error", "enumeration_error")
    | _described("eps (1 + zeta density)", "largest over the corner grid", "round_trip_float64", "round_trip_float32")
    | _described("half units of the last digit", "largest over the table", "half_units_zeta", "half_units_gradient")
    | _described(
        "1",
        "number of cases",
        *("violations", "finite_at_q_one", "counterexamples", "printed_failures_float64", "printed_failures_float32"),
        *("not_positive", "bound_violations", "not_decreasing", "set_at_lambda_one", "not_zero_below"),
        *("not_positive_above", "overlapping_not_positive", "other_gradients", "overlaps", "size_errors", "not_nested"),
        *("order_errors", "sign_errors", "finite_at_all_zero", "channels"),
    )
    | _described("1", "scale s", "threshold_float32", "threshold_float64", "returned_float32", "returned_float64")
    | _described("1", "scale s", "cancelling_float32", "cancelling_float64", "largest_failing_s")
    | _described("1", "ratio of scales", "gain_float32", "gain_float64", "cancelling_gain_float32")
    | _described("1", "slope in q at rho = .25", "concrete_minimum", "concrete_mean", "overlapping_mean")
    | _described("1", "slope in q across rho = 1 - q", "spike_jump")
    | _described("1", "gradient of the worked example", "stopped_1", "stopped_2", "full_1", "full_2")
    | _described("1", "p-value of 100,000 draws", "uniform_p", kind="estimate")
    | _described(
        "standard errors",
        "largest over all cases",
        *("gradient_standard_errors", "spike_naive_standard_errors", "smoothed_standard_errors"),
        "binary_standard_errors",
        kind="estimate",
    )
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
    id="dvaepp/identities",
    title="Smoothing, bounds, Boltzmann prior and balancing, computed",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=(
        "claims/dvaepp.yaml",
        "reproductions/dvaepp/_checks_boltzmann.py",
        "reproductions/dvaepp/_checks_smoothing.py",
        "reproductions/dvaepp/_checks_training.py",
        *(
            f"reference/{topic}.py"
            for topic in (
                "balancing",
                "bernoulli",
                "boltzmann",
                "discrete",
                "likelihoods",
                "multiscale",
                "optimisers",
                "relaxations",
                "schedules",
            )
        ),
        *(f"vaes/ops/{topic}.py" for topic in ("balancing", "boltzmann", "relaxations")),
    ),
)

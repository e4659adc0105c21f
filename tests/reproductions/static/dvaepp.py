"""The static reproductions of DVAE++: which claims fail, and faults that must be seen."""

from __future__ import annotations

import numpy as np

from reference import balancing, boltzmann, discrete, multiscale, relaxations, schedules
from reproductions.dvaepp import identities, tables
from tests.reproductions.static.paper import Fault, StaticPaper

REPORTED_ONLY = {
    "app-a/inverse-cdf-by-log": {"printed_failures_float64", "printed_failures_float32"},
}
CONTRADICTED = {
    "app-b/change-of-variable-is-numerically-stable": {"largest_failing_s"},
}
TWICE = (
    "main/rbm-cross-entropy-is-unbiased",
    "app-i/evaluation-uses-training-beta",
    "app-h/balancing-formula",
)

FAULTS = {
    "distribution function a little high": Fault(
        "app-a/exponential-mixture-cdf",
        relaxations,
        "overlap_exp_cdf",
        lambda right: lambda *a: right(*a) + 1e-9,
        "cdf_error",
    ),
    "inverse a millionth off": Fault(
        "app-a/inverse-cdf-by-log",
        relaxations,
        "overlap_exp_icdf",
        lambda right: lambda *a: right(*a) * (1 - 1e-6),
        "round_trip_float64",
    ),
    "slope a millionth off": Fault(
        "app-a/inverse-cdf-differentiable",
        relaxations,
        "overlap_exp_grad",
        lambda right: lambda *a: tuple(g * (1 + 1e-6) for g in right(*a)),
        "difference_error",
    ),
    "offsets from another anchor": Fault(
        "app-b/logistic-mixture-quadratic-and-inverse",
        relaxations,
        "overlap_logistic_offsets",
        lambda right: lambda *a: right(*a)[::-1],
        "round_trip_float64",
    ),
    "ratio of the other sign": Fault(
        "app-b/q-is-the-bernoulli-mean",
        relaxations,
        "smoothing_log_ratio",
        lambda right: lambda *a: -right(*a),
        "mean_error",
    ),
    "a spike that is not one": Fault(
        "fig-5/spike-exp-dead-zone",
        relaxations,
        "inverse_cdf_curve",
        lambda right: lambda *a: tuple(v + 1e-12 for v in right(*a)),
        "not_zero_below",
    ),
    "gap a percent too large": Fault(
        "app-d/marginal-bound-is-tighter",
        discrete,
        "joint_marginal_gap",
        lambda right: lambda *a: 1.01 * right(*a),
        "gap_error",
    ),
    "marginal bound below the joint one": Fault(
        "app-d/marginal-bound-is-tighter",
        discrete,
        "marginal_elbo",
        lambda right: lambda *a: right(*a) - 2,
        "violations",
    ),
    "moments of other biases": Fault(
        "app-e/gradient-of-log-z",
        boltzmann,
        "moments",
        lambda right: lambda a, b, w: right(a, b + 1e-6, w),
        "difference",
    ),
    "pair term with the mean before the draw": Fault(
        "main/rbm-cross-entropy-is-unbiased",
        boltzmann,
        "hierarchical_cross_entropy",
        lambda right: lambda *a: right(*a[:2], 0 * a[2], *a[3:]),
        "enumeration_error",
    ),
    "weights with a forgotten term": Fault(
        "app-i/evaluation-uses-training-beta",
        boltzmann,
        "log_weight",
        lambda right: lambda *a: right(*a[:-1], 0.2),
        "binary_standard_errors",
    ),
    "milestone one step late": Fault(
        "app-f/learning-rate-schedule",
        schedules,
        "step_decay",
        lambda right: lambda step, *rest: right(np.maximum(step - 1, 0), *rest),
        "schedule_error",
    ),
    "weights of sum one": Fault(
        "app-h/balancing-formula",
        balancing,
        "balance_weights",
        lambda right: lambda kl, f, e: right(kl, f, e) / len(kl),
        "sum_error",
    ),
    "softening left out": Fault(
        "app-h/epsilon-softens-small-kl",
        balancing,
        "balance_weights",
        lambda right: lambda kl, f, e: right(kl, f, 0.0),
        "distance_from_one",
    ),
    "weights half way to one": Fault(
        "app-h/coefficients-only-during-annealing",
        balancing,
        "regularised_loss",
        lambda right: lambda n, k, g, a, *rest: right(n, k, g, 0.5 + a / 2, *rest),
        "loss_difference_below_one",
    ),
    "a bit at the end of annealing": Fault(
        "app-h/coefficients-only-during-annealing",
        balancing,
        "regularised_loss",
        lambda right: lambda *a: right(*a) * (1 + 2**-52),
        "loss_difference_at_one",
    ),
    "pixels shared by two scales": Fault(
        "fig-8/pixel-subsets-partition-the-image",
        multiscale,
        "pixel_subsets",
        lambda right: lambda *a: np.cumsum(right(*a), axis=0).astype(bool),
        "overlaps",
    ),
    "predictor sees its own pixels": Fault(
        "fig-8/consistent-probabilistic-model",
        multiscale,
        "visible",
        lambda right: lambda image, masks: np.stack([image] * len(masks)),
        "mass_error",
    ),
}

PAPER = StaticPaper((identities, tables), REPORTED_ONLY, CONTRADICTED, TWICE, FAULTS)

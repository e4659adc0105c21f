"""The static reproductions of NVAE: which claims fail, and faults that must be seen."""

from __future__ import annotations

import numpy as np

from reference import (
    activations,
    architecture,
    balancing,
    bernoulli,
    bounds,
    collapse,
    flows,
    gaussian,
    normalisation,
    optimisers,
    residual_normal,
    schedules,
    spectral,
    top_down,
)
from reproductions.nvae import identities, tables
from tests.reproductions.static.paper import Fault, StaticPaper

REPORTED_ONLY = {
    "table-1/imagenet-32-ranking": {"ties"},
    "table-1/flows-help-slightly-except-mnist": {"gain_mnist"},
    "table-1/gap-to-autoregressive-reduced": {"imagenet_before", "imagenet_after"},
}
CONTRADICTED = {
    "sec-3-1-3/throughput-versus-train-time": {"images_per_second", "images_per_second_per_gpu"},
    "table-1/flows-help-slightly-except-mnist": {"harmed"},
    "table-6/smaller-model-note-consistency": {"printed_difference"},
    "app-a/size-factor-direction": {"log_ratio_printed_to_public"},
}
TWICE = (
    "eq-1/elbo-lower-bound",
    "app-a/optimiser-settings",
)

FAULTS = {
    "mean of the logarithms": Fault(
        "sec-1/likelihood-depends-only-on-generative-model",
        bounds,
        "importance_weighted",
        lambda right: lambda w: np.mean(w, axis=0),
        "limit_standard_errors",
    ),
    "divergence of one percent more": Fault(
        "eq-1/elbo-lower-bound", gaussian, "kl", lambda right: lambda *a: 1.01 * right(*a), "gap_relative_error"
    ),
    "posterior density of the wrong scale": Fault(
        "eq-1/elbo-lower-bound",
        top_down,
        "log_density",
        lambda right: lambda z, m, s: right(z, m, [1.01 * v for v in s]),
        "estimators_standard_errors",
    ),
    "pixels that see each other": Fault(
        "sec-1/unconditional-decoder",
        bernoulli,
        "log_likelihood",
        lambda right: lambda x, a: right(x, a + 0.1 * x.mean()),
        "bernoulli_changes_elsewhere",
    ),
    "bias counted": Fault(
        "footnote-1/conv-parameter-counts",
        architecture,
        "parameter_count",
        lambda right: lambda rows, others: right(rows, others) + rows[0][1],
        "parameter_differences",
    ),
    "swish of twice the slope": Fault(
        "sec-3-1-1/swish-definition",
        activations,
        "silu",
        lambda right: lambda u: right(2 * np.asarray(u)) / 2,
        "ulps_from_definition",
    ),
    "ratio read as a variance": Fault(
        "eq-2/residual-kl-closed-form",
        residual_normal,
        "kl",
        lambda right: lambda m, s, r: right(m, np.sqrt(s), np.sqrt(r)),
        "relative_error",
    ),
    "posterior that stays": Fault(
        "sec-3-2/posterior-moves-with-prior",
        residual_normal,
        "parameters",
        lambda right: lambda m, s, dm, r: (np.asarray(dm), right(m, s, dm, r)[1]),
        "shift_difference",
    ),
    "iteration that forgets": Fault(
        "sec-3-2/power-iteration-estimates-top-singular-value",
        spectral,
        "power_iteration",
        lambda right: lambda w, v, n: right(w, np.ones_like(v), n),
        "tracking_error",
    ),
    "reshaped norm passed off as the operator's": Fault(
        "sec-3-2/lipschitz-per-layer",
        spectral,
        "lipschitz_bounds",
        lambda right: lambda w, g: (right(w, g)[0], right(w, g)[0]),
        "bound_violations",
    ),
    "mask that shows the variable itself": Fault(
        "app-a/flow-is-volume-preserving",
        flows,
        "dense_mask",
        lambda right: lambda *a, **k: right(*a, **(k | {"strict": False})),
        "diagonal_error",
    ),
    "sum where the mean is meant": Fault(
        "footnote-5/active-channel-definition",
        collapse,
        "active_channels",
        lambda right: lambda kl, d=0.1, mean_over_space=True: right(kl, d, False),
        "mistakes",
    ),
    "warm-up of the wrong portion": Fault(
        "app-a/kl-warmup",
        schedules,
        "kl_warmup_portion",
        lambda right: lambda k, t, d, p, f: right(k, t, d, 1.01 * p, f),
        "schedule_error",
    ),
    "epsilon of PyTorch": Fault(
        "app-a/optimiser-settings",
        optimisers,
        "adamax",
        lambda right: lambda *a, **k: right(*a, **(k | {"epsilon": 1e-8})),
        "trajectory_error",
    ),
    "one group too few": Fault(
        "table-6/celeba-hq-configuration",
        architecture,
        "groups_per_scale",
        lambda right: lambda *a: right(*a) - (np.arange(a[1]) == 4),
        "group_differences",
    ),
    "gain forgotten": Fault(
        "sec-3-1-1/bn-shift-amplified-by-gain",
        normalisation,
        "batch_norm_eval",
        lambda right: lambda x, g, *rest: right(x, np.ones_like(g), *rest),
        "shift_error",
    ),
    "statistics of the unscaled batch": Fault(
        "app-a/wn-has-no-effect-under-bn",
        normalisation,
        "batch_norm",
        lambda right: lambda x, g, b, e: right(x, g, b, 0.1),
        "output_difference",
    ),
    "factor left out": Fault(
        "app-a/size-factor-direction",
        balancing,
        "balance_weights",
        lambda right: lambda kl, factor, floor: right(kl, np.ones(2), floor),
        "printed_coarse",
    ),
}

PAPER = StaticPaper((identities, tables), REPORTED_ONLY, CONTRADICTED, TWICE, FAULTS)

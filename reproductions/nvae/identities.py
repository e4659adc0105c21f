"""The static claims of the paper that can be computed: equations, counts, schedules, likelihoods and flows.

One claim is one unit; `CHECKS` says which function checks it. Nothing of the networks is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.nvae import _checks_architecture as architecture
from reproductions.nvae import _checks_gaussian as gaussian
from reproductions.nvae import _checks_layers as layers
from reproductions.nvae import _checks_training as training
from reproductions.nvae._configurations import LAYOUTS

SEED = 1000

CHECKS: dict[str, Callable[[np.random.Generator], dict[str, float]]] = {
    f"nvae/{name}": check
    for name, check in {
        "sec-1/likelihood-depends-only-on-generative-model": gaussian.one_evidence,
        "sec-1/unconditional-decoder": training.unconditional_decoder,
        "eq-1/elbo-lower-bound": gaussian.elbo_lower_bound,
        "sec-3-1/scales-double": architecture.scales_double,
        "footnote-1/conv-parameter-counts": architecture.convolution_counts,
        "sec-3-1-1/depthwise-orders-cheaper": architecture.depthwise_ratio,
        "sec-3-1-1/receptive-field-vs-parameters": architecture.receptive_fields,
        "sec-3-1-1/swish-definition": training.swish_definition,
        "sec-3-1-2/regular-needs-less-memory": architecture.regular_needs_less,
        "sec-3-1-3/one-map-per-operation": architecture.one_map_per_operation,
        "footnote-2/swish-not-in-place": training.swish_not_in_place,
        "sec-3-2/kl-unbounded": gaussian.unbounded_divergence,
        "eq-2/residual-kl-closed-form": gaussian.residual_closed_form,
        "sec-3-2/posterior-moves-with-prior": gaussian.moves_with_prior,
        "sec-3-2/kl-depends-on-relative-parameters": gaussian.relative_parameters,
        "sec-3-2/power-iteration-estimates-top-singular-value": training.power_iteration,
        "sec-3-2/lipschitz-per-layer": training.lipschitz,
        "sec-3-2/iaf-needs-no-inversion": training.no_inversion,
        "sec-3-2/parallel-sampling-within-group": architecture.sampling_stages,
        "sec-4-1/36-groups-8-to-128": architecture.groups_8_to_128,
        "sec-4-3/ablation-model": architecture.ablation_model,
        "footnote-5/active-channel-definition": training.active_channels,
        "sec-4-3/more-latents-than-data": architecture.more_latents,
        "app-a/kl-warmup": training.kl_warmup,
        "app-a/lambda-values": training.lambda_schedule,
        "app-a/flow-is-volume-preserving": training.volume_preserving,
        "app-a/optimiser-settings": training.optimiser_settings,
        "app-a/likelihoods": training.likelihood_totals,
        **{f"table-6/{column}-configuration": architecture.configuration(column) for column in LAYOUTS},
        "table-6/caption-mnist-example": architecture.mnist_example,
        "table-6/smaller-model-note-consistency": architecture.smaller_model,
        "app-a/channels-double": architecture.channels_double,
        "app-a/datasets": training.data_sets,
        "fig-12/five-scales": architecture.five_scales,
        "sec-3-1-1/bn-shift-amplified-by-gain": layers.shift_amplified,
        "app-a/wn-has-no-effect-under-bn": layers.scale_of_weights,
        "app-a/bn-and-se-break-autoregression": layers.broken_order,
        "app-a/size-factor-direction": layers.size_factor,
    }.items()
}


def _exact(unit: str, reduction: str, *names: str) -> dict[str, Metric]:
    return {name: Metric(unit=unit, reduction=reduction, kind="exact") for name in names}


METRICS: dict[str, Metric] = {
    **_exact(
        "1",
        "largest absolute error over all cases",
        "above_diagonal",
        "above_diagonal_evaluated",
        "above_diagonal_excited",
        "above_diagonal_normalised",
        "above_diagonal_nothing",
        "bernoulli_mass_error",
        "diagonal_error",
        "divergence_slope_error",
        "end_point_error",
        "equality_error",
        "gap_relative_error",
        "gradient_slope_error",
        "inversion_error",
        "log_determinant",
        "output_difference",
        "shift_error",
        "logarithm_slope_error",
        "mixture_mass_error",
        "public_edge_error",
        "rate_end_point_error",
        "ratio_error",
        "ratio_minus_channels",
        "relative_error",
        "schedule_error",
        "second_difference",
        "slope_error",
        "trajectory_error",
        "tracking_error",
        "value_difference",
    ),
    **_exact(
        "nats",
        "largest absolute error over all cases",
        "absolute_slope_error",
        "density_difference",
        "density_error",
        "gap_at_posterior",
        "shift_difference",
        "slope_in_mean",
    ),
    **_exact(
        "1",
        "number of cases",
        "bernoulli_changes_elsewhere",
        "bound_violations",
        "channel_ratio_errors",
        "decreases",
        "depthwise_violations",
        "differences",
        "elu_relu_failures",
        "formula_errors",
        "group_differences",
        "levels",
        "mistakes",
        "mixture_changes_elsewhere",
        "not_more",
        "not_smaller",
        "operation_differences",
        "pair_errors",
        "parameter_differences",
        "quantiser_differences",
        "ratio_errors",
        "side_differences",
        "side_ratio_errors",
        "slope_violations",
        "smaller_counts",
        "stage_differences",
        "unchanged_there",
        "width_errors",
    ),
    **_exact(
        "1",
        "difference of counts",
        "decoder_cells_error",
        "dense_error",
        "encoder_cells_error",
        "field_difference",
        "flow_difference",
        "group_total_error",
        "latent_error",
        "parameter_error",
        "printed_difference",
        "split_difference",
    ),
    **_exact(
        "parameters",
        "count by formula",
        "parameters",
        "regular_parameters",
        "separable_parameters",
    ),
    **_exact(
        "M",
        "parameters by formula",
        "millions_24",
        "millions_30",
        "millions_32",
    ),
    **_exact(
        "maps",
        "kept for the backward pass, in units of the input",
        "regular_fused",
        "regular_unfused",
        "separable_fused",
        "separable_unfused",
    ),
    **_exact(
        "1",
        "median relative deviation over the cases",
        "clamped_deviation",
        "variance_reading_error",
    ),
    **_exact(
        "1",
        "largest distance in units in the last place",
        "ulps_from_definition",
        "ulps_from_torch",
    ),
    **_exact(
        "1",
        "value of the function",
        "minimum",
        "place_of_minimum",
        "rate",
        "rate_ffhq",
    ),
    **_exact(
        "x",
        "ratio",
        "growth",
        "ratio",
        "smallest_ratio",
    ),
    **_exact(
        "nats",
        "smallest over the cases",
        "smallest_gap",
    ),
    **_exact(
        "nats",
        "largest under the clamp, per variable",
        "clamped_maximum",
    ),
    **_exact(
        "1",
        "smallest difference of two slopes",
        "slope_difference",
    ),
    **_exact(
        "1",
        "largest estimate above the exact norm, or 0",
        "excess",
    ),
    **_exact(
        "1",
        "relative error of one update",
        "cold_start_error",
    ),
    **_exact(
        "bits/dim",
        "uniform model",
        "uniform_bits",
    ),
    **_exact(
        "1",
        "total of the layout",
        "groups",
        "latents",
    ),
    **_exact(
        "pixels",
        "side of the latents",
        "largest_side",
        "smallest_side",
    ),
    **_exact(
        "1",
        "balancing weight",
        *(f"{rule}_{group}" for rule in ("plain", "printed", "public") for group in ("coarse", "fine")),
    ),
    **_exact("1", "logarithm of a ratio of weights", "log_ratio_printed_to_public"),
    **{
        name: Metric(unit="standard errors", reduction="largest over the cases", kind="estimate")
        for name in ("estimators_standard_errors", "first_bounds_apart", "limit_standard_errors")
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
    id="nvae/identities",
    title="Identities, counts, schedules, likelihoods and flows, computed",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=(
        "claims/nvae.yaml",
        "reproductions/nvae/_checks_architecture.py",
        "reproductions/nvae/_checks_gaussian.py",
        "reproductions/nvae/_checks_layers.py",
        "reproductions/nvae/_checks_training.py",
        "reproductions/nvae/_configurations.py",
        "reproductions/nvae/tables.py",
        *(
            f"reference/{topic}.py"
            for topic in (
                "activations",
                "architecture",
                "balancing",
                "bernoulli",
                "bounds",
                "collapse",
                "convolution",
                "flows",
                "gaussian",
                "hermite",
                "likelihoods",
                "normalisation",
                "optimisers",
                "quantisation",
                "residual_normal",
                "schedules",
                "spectral",
                "top_down",
            )
        ),
    ),
)

"""The static claims of the paper that can be computed: equations, counts and the 5-bit likelihood.

One claim is one unit; `CHECKS` says which function checks it. Nothing of the networks is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reproductions.efficient_vdvae import _checks_architecture as architecture
from reproductions.efficient_vdvae import _checks_objective as objective
from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit

SEED = 1000
DATA_SETS = {"cifar-10": "CIFAR-10", "imagenet-32": "ImageNet 32", "imagenet-64": "ImageNet 64"}

CHECKS: dict[str, Callable[[np.random.Generator], dict[str, float]]] = {
    f"efficient-vdvae/{name}": check
    for name, check in {
        "table-5/encoded-size-dense": architecture.encoded_size,
        "table-5/pixel-size-50-gb": architecture.pixel_size,
        "table-5/data-set-ambiguity": architecture.data_set,
        "table-3/layers": architecture.layers,
        **{
            f"table-3/params-{slug}-{model.lower()}": architecture.parameters(data, model)
            for slug, data in (DATA_SETS | {"ffhq-256-5-bit": "FFHQ 256 5-bit"}).items()
            for model in architecture.MODELS
        },
        "table-3/width": architecture.widths,
        "table-3/c1-differs-only-in-width": architecture.differs_only_in_width,
        "table-3/batch": architecture.batches,
        "table-3/optimiser-and-rate": architecture.learning_rates,
        **{
            f"table-6/{slug}": architecture.layers_per_resolution(data, slug)
            for slug, data in (DATA_SETS | {"ffhq-256": "FFHQ 256 5-bit"}).items()
        },
        "app-c-2/spectrum-buildable": architecture.spectrum,
        "app-a-1/pool-is-1x1": architecture.pool_kernel,
        "sec-6-2/five-bit-likelihood-mass": objective.five_bit_mass,
        "sec-6-2/bound-gain-toy": objective.bound_gain,
        "sec-4-2/softplus-beta-formula": objective.softplus_formula,
        "sec-4-2/smoothing-inverse-std-gradient": objective.inverse_scale_gradient,
        "sec-4-2/adam-second-moment": objective.optimiser_recursions,
        "eq-1/joint-factorisation": objective.joint_factorisation,
        "eq-2/elbo-bound": objective.elbo_bound,
        "eq-4/joint-misprinted": objective.joint_misprinted,
        "eq-5/hierarchical-elbo": objective.hierarchical_elbo,
    }.items()
}


def _exact(unit: str, reduction: str, *names: str) -> dict[str, Metric]:
    return {name: Metric(unit=unit, reduction=reduction, kind="exact") for name in names}


METRICS: dict[str, Metric] = {
    **_exact(
        "1",
        "largest absolute error over all cases",
        "adam_error",
        "adamax_error",
        "closed_form_error",
        "corrected_total_error",
        "eight_bit_error",
        "eight_bit_error_unbounded",
        "mean_gradient_change",
        "printed_total_error",
        "relative_error",
        "relu_distance",
        "value_at_zero_error",
    ),
    **_exact("nats", "largest absolute error over all cases", "gap_error", "joint_error", "single_layer_error"),
    **_exact(
        "1",
        "number of cases",
        "beyond_slope",
        "c1_increases",
        "c1_range_errors",
        "c2_differences",
        "celebahq_fits",
        "differences",
        "ffhq_75_layer_fits",
        "file_differences",
        "negative_gaps",
        "not_increasing_in_slope",
        "other_differences",
        "own_differences",
        "sum_differences",
        "vdvae_differences",
    ),
    **_exact(
        "parameters",
        "count by formula",
        "count_error",
        "mixed",
        "one_link",
        "printed_form_difference",
        "strided_form_difference",
        "symmetric",
    ),
    **_exact("M", "parameters by formula", "millions"),
    **_exact(
        "1", "total of the levels, largest over the means", "mass_005", "mass_03", "mass_bounded", "mass_unbounded"
    ),
    **_exact("1", "largest total of the levels, less 1", "mass_excess"),
    **{
        f"{name}_{bound}": Metric(unit="bits", reduction="mean of two levels after training", kind="estimate")
        for name in ("official", "proper")
        for bound in ("bounded", "unbounded")
    },
    "mc_standard_errors": Metric(unit="standard errors", reduction="difference of the means", kind="estimate"),
    **_exact("GB", "bytes of the data set", "gigabytes", "gigabytes_63000", "gigabytes_69_layers", "gigabytes_70000"),
    **_exact("GB", "bytes of the data set, from rounded bytes per image", "gigabytes_from_rounded"),
    **_exact("GiB", "bytes of the data set", "gibibytes_70000"),
    **_exact("MB", "bytes per image, rounded", "megabytes_per_image"),
    **_exact("x", "ratio of bytes", "code_to_byte_pixels", "code_to_pixels"),
    **_exact("million images", "largest difference", "images_seen_error"),
    **_exact("bits/dim", "difference of printed numbers", "nelbo_difference_celebahq", "nelbo_difference_ffhq"),
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
    id="efficient-vdvae/identities",
    title="Identities, counts and the 5-bit likelihood, computed",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=(
        "claims/efficient-vdvae.yaml",
        "reproductions/efficient_vdvae/_checks_architecture.py",
        "reproductions/efficient_vdvae/_checks_objective.py",
        "reproductions/efficient_vdvae/_configurations.py",
        "reproductions/efficient_vdvae/tables.py",
        *(
            f"reference/{topic}.py"
            for topic in (
                "architecture",
                "gaussian",
                "likelihoods",
                "optimisers",
                "pruning",
                "quantisation",
                "residual_normal",
                "top_down",
            )
        ),
    ),
)

"""Layers, parameters and memory of the paper's networks, counted without memory for them; their settings compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.sigma_vae import _checks_architecture as architecture

SEED = 1000

CHECKS: dict[str, Callable[[], dict[str, float]]] = {
    "sigma-vae/table-4/scalar-scales": architecture.scalar_scales,
    "sigma-vae/appendix-a/five-layer-network": architecture.layer_count,
    "sigma-vae/appendix-b/encoder-decoder-shape": architecture.shapes,
    "sigma-vae/appendix-b/channels-double": architecture.channels,
    "sigma-vae/appendix-b/latent-20": architecture.latent,
    "sigma-vae/appendix-b/hierarchical-15-layers": architecture.hierarchical_layers,
    "sigma-vae/appendix-b/no-top-down-bottom-up": architecture.no_generative_state,
    "sigma-vae/appendix-b/svg-default-is-near-unit-variance": architecture.svg_default,
    "sigma-vae/appendix-b/single-gpu": architecture.single_device,
    "sigma-vae/appendix-b/same-hyperparameters": architecture.same_settings,
    "sigma-vae/appendix-e/mixture-parameter-count": architecture.mixture_parameters,
}


def _exact(unit: str, reduction: str, *names: str) -> dict[str, Metric]:
    return {name: Metric(unit, reduction, "exact") for name in names}


METRICS = (
    _exact(
        "1", "number of trainable parameters", "surplus", "mixture_parameters", "categorical_parameters", "parameters"
    )
    | _exact("1", "largest absolute difference over the counted models", "scale_surplus_error", "count_error")
    | _exact("1", "number", "encoder_layers", "decoder_layers", "layers", "weights", "flat", "heads", "head_inputs")
    | _exact("1", "number", "latent_units", "mixture_head", "categorical_head", "stochastic_layers", "runs")
    | _exact("1", "number of channels", "width_1", "width_2", "width_3")
    | _exact("1", "number of places", "kind_differences", "side_differences", "grid_differences")
    | _exact("1", "number of pairs of runs", "other_differences", "equal_decoders")
    | _exact("1", "distance of the nearest way of counting from the stated number", "nearest_count_error")
    | _exact("nats", "largest absolute error over all cases", "kl_error", "kl_of_prior")
    | _exact("MiB", "per image of 1024 x 1024 x 3", "mixture_output", "categorical_output")
    | _exact("1", "parameters over those that the specification counts for the other type", "share_of_bidirectional")
    | _exact("1", "largest absolute entry", "generative_gradient", "posterior_gradient")
    | _exact("1", "largest relative difference over all cases", "gradient_difference")
    | _exact("1", "constant variance or deviation per value", "variance_colour", "variance_grey", "sigma_colour")
    | _exact("GiB", "kept tensors and 16 B per parameter", "memory_small", "memory_hierarchical", "memory_video")
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit per claim at every scale: there is nothing to scale, and one seed decides."""
    return [Unit({"claim": claim}, SEED) for claim in CHECKS]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Check one claim."""
    claim = config["claim"]
    return [{"arm": {"claim": claim}, "metrics": CHECKS[claim]()}]


REPRODUCTION = Reproduction(
    id="sigma-vae/architectures",
    title="Layers, parameters, memory and settings of the paper's networks, counted",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=(
        "claims/sigma-vae.yaml",
        "reference/calibration.py",
        "reproductions/sigma_vae/_checks_architecture.py",
        "reproductions/sigma_vae/_configurations.py",
        "reproductions/sigma_vae/_cost.py",
        "reproductions/sigma_vae/tables.py",
        "vaes/accounting.py",
        "vaes/layers/gated_block.py",
        "vaes/models/configuration.py",
        "vaes/models/decoders.py",
        "vaes/models/hierarchical_vae.py",
        "vaes/models/sigma_vae.py",
        "vaes/models/svg_lp.py",
        # What a pass keeps depends on how these are computed.
        "vaes/ops/calibration.py",
        "vaes/ops/gaussian.py",
        "vaes/ops/hierarchical.py",
        "vaes/ops/likelihoods.py",
    ),
)

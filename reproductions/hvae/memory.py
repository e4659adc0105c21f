"""Table 6 and Section 2.2, complexity: bytes and operations of a training step, counted on the meta device.

Models have their full size and no memory is allocated. A row is one kind of training of one model: VAE, IWAE with k = 5
importance samples, HVAE with K = 5 correlated ones. Bytes are those of the tensors that the backward pass needs, each
storage once, and 16 per parameter (weight, gradient, two moments). The layers of the convolutional model are a
reconstruction (`vaes.models.hvae_conv`), so its ratios stand for the paper's, not its gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.hvae import _comparators
from reproductions.hvae.tables import printed

Row = dict[str, Any]

SEED = 1000
BATCH, SAMPLES = 64, 5
DEPTHS = range(2, 9)
PRINTED_DEPTHS = (4, 6)
BLOCKS = (6, 5)  # Section 5.2.2 and the parameter counts; caption of Table 6.
SWEEP = range(1, 11)
PERCEPTRONS = ("mlp4x40", "mlp_pyramid4")
CONVOLUTIONAL = "cifar10"
TRAININGS = ("VAE", "HVAE", "IWAE")
BOTTOM_TOO = "HVAE and p(x|z_1)"
GIBI, GIGA = 2**30, 1e9


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit per model and question; beyond smoke there is nothing to scale, and one count decides."""
    perceptrons = [_model(name) for name in PERCEPTRONS]
    if scale == "smoke":
        return [Unit({"of": "training", **model}, SEED) for model in (*perceptrons, _model(CONVOLUTIONAL, 2, 1))]
    layouts = [(depth, BLOCKS[0]) for depth in DEPTHS] + [(depth, BLOCKS[1]) for depth in PRINTED_DEPTHS]
    counted = _model(CONVOLUTIONAL, PRINTED_DEPTHS[0], BLOCKS[0])
    questions: dict[str, list[dict[str, Any]]] = {
        "training": [*perceptrons, *(_model(CONVOLUTIONAL, *layout) for layout in layouts)],
        "parts": [counted],
        "samples": [*perceptrons, counted],
        "configuration": [{}],
    }
    return [Unit({"of": question, **model}, SEED) for question, models in questions.items() for model in models]


def _model(network: str, depth: int | None = None, blocks: int | None = None) -> dict[str, Any]:
    """Arm of a model; perceptrons have their depth in their name."""
    return {"network": network} if depth is None else {"network": network, "depth": depth, "blocks": blocks}


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Count one model."""
    model = {name: value for name, value in config.items() if name != "of"}
    questions = {"training": _trainings, "parts": _parts, "samples": _affine_in_samples}
    if config["of"] == "configuration":
        return [_row({"configuration": "Table 6"}, {"configuration_differences": _configuration_differences()})]
    return [_row({**model, **arm}, metrics) for arm, metrics in questions[config["of"]](model)]


def _row(arm: dict[str, Any], metrics: dict[str, float]) -> Row:
    return {"arm": arm, "metrics": metrics}


def _build(model: Mapping[str, Any]) -> Any:
    from vaes.models.hvae import hvae
    from vaes.models.hvae_conv import hvae_conv

    if model["network"] != CONVOLUTIONAL:
        return hvae(model["network"], device="meta")
    return hvae_conv("cifar10-l4", device="meta", depth=model["depth"], blocks=model["blocks"])


def _trainings(model: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Every kind of training, with its cost relative to the plain model and to the smoothed one."""
    from reproductions.hvae import _passes
    from vaes import accounting

    built = _build(model)
    count = accounting.parameter_count(built)
    wanted = [*TRAININGS, BOTTOM_TOO] if model.get("depth") in PRINTED_DEPTHS else TRAININGS
    memory: dict[str, float] = {}
    for training in wanted:
        each = _passes.training_pass(built, training, BATCH, SAMPLES)
        kept, operations = _passes.kept_and_flops(built, each)
        memory[training] = accounting.training_bytes(kept, count)
        metrics = {
            "parameters": count,
            "memory": memory[training] / GIBI,
            "activations": kept.total / GIBI,
            "inputs": kept.given / GIBI,
            "forward_cost": operations / GIGA,
            "memory_to_vae": memory[training] / memory["VAE"],
        }
        if training != "VAE":
            metrics["memory_to_hvae"] = memory[training] / memory["HVAE"]
        yield {"training": training}, metrics


def _parts(model: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """One network of the generative model at a time."""
    from reproductions.hvae import _passes

    built = _build(model)
    bottom, above = built.config.latents[:2]
    for part, network, latents in (("p(x|z_1)", built.likelihood, bottom), ("p(z_1|z_2)", built.priors[0], above)):
        yield {"part": part}, {"activations": _passes.network_kept(network, BATCH, latents).total / GIBI}


def _affine_in_samples(model: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Cost of a step for K = 1..10: distance from a straight line, and its slope."""
    from reproductions.hvae import _passes

    built = _build(model)
    costs = np.array([_passes.step_flops(_passes.training_pass(built, "HVAE", BATCH, count)) for count in SWEEP])
    upper = _passes.upper_step_flops(built, BATCH)
    samples = np.array(SWEEP, dtype=float)
    line = np.polyval(np.polyfit(samples, costs, 1), samples)
    slope = (costs[-1] - costs[0]) / (len(costs) - 1)
    yield (
        {"sweep": f"K = {SWEEP[0]}..{SWEEP[-1]}"},
        {
            "unexplained": float(np.sum((costs - line) ** 2) / np.sum((costs - np.mean(costs)) ** 2)),
            "slope_error": abs(slope - upper) / upper,
        },
    )


def _configuration_differences() -> int:
    """Numbers of the caption that the counted configuration with 5 blocks does not have."""
    wanted = printed("table-6/configuration")
    built = _build(_model(CONVOLUTIONAL, PRINTED_DEPTHS[0], BLOCKS[1]))
    networks = [*built.posteriors, *built.priors, built.likelihood]
    blocks = [block for network in networks for block in network.blocks]
    held = {
        "deterministic layers per stochastic layer": {len(network.blocks) for network in networks},
        "units per layer": {layer.out_channels for block in blocks for layer in (block.conv1, block.conv2)},
        "OU or importance samples": {SAMPLES},
        "batch size": {BATCH},
        "LVAE and BIVA layers": {len(_comparators.LATENTS)},
    }
    if held.keys() != wanted.keys():
        raise ValueError(f"numbers of the claim must be {', '.join(held)}, got {', '.join(wanted)}")
    return sum(held[name] != {value} for name, value in wanted.items())


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the memory of training against depth, with the numbers of Table 6."""
    from reproductions.hvae import _figures_memory

    return _figures_memory.memory_figures(table, style, trainings=TRAININGS, blocks=BLOCKS[0])


_STEP = f"batch {BATCH}, float32"
METRICS = {
    "parameters": Metric("1", "number", "exact"),
    "memory": Metric("GiB", f"tensors kept for the backward pass and 16 B per parameter, {_STEP}", "exact"),
    "activations": Metric("GiB", f"tensors kept for the backward pass, {_STEP}", "exact"),
    "inputs": Metric("GiB", f"the part of the kept tensors that is images and noise, {_STEP}", "exact"),
    "forward_cost": Metric("GFLOP", f"products and convolutions of the forward pass, {_STEP}", "exact"),
    "memory_to_vae": Metric("1", "memory relative to the VAE of equal depth", "exact"),
    "memory_to_hvae": Metric("1", "memory relative to the HVAE of equal depth", "exact"),
    "unexplained": Metric("1", "share 1 - R^2 of the cost's variance beside a line in K", "exact"),
    "slope_error": Metric("1", "cost per sample against the generative networks between latents, relative", "exact"),
    "configuration_differences": Metric("1", "printed numbers that the counted models do not have", "exact"),
}

REPRODUCTION = Reproduction(
    id="hvae/memory",
    title="Memory and cost of a training step, counted",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(
        "claims/hvae.yaml",
        "reproductions/hvae/_comparators.py",
        "reproductions/hvae/_passes.py",
        "reproductions/hvae/tables.py",
        "vaes/accounting.py",
        "vaes/layers/mlp.py",
        "vaes/layers/residual_network.py",
        "vaes/models/configuration.py",
        "vaes/models/hvae.py",
        "vaes/models/hvae_conv.py",
        # What a pass keeps depends on how these are computed.
        "vaes/ops/bernoulli.py",
        "vaes/ops/bounds.py",
        "vaes/ops/convolution.py",
        "vaes/ops/gaussian.py",
        "vaes/ops/likelihoods.py",
        "vaes/ops/ornstein_uhlenbeck.py",
    ),
)

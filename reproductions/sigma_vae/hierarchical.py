"""A fitted sigma in a hierarchical VAE (Section B, Figures 6 and 8): unit variance, beta-VAE and optimal sigma.

Plan S17 of the specification on 8x8 digits of 16 levels: three stages, 16 filters, batch 48, Adamax at 2e-3, free bits
of 2 nats per layer and image, data-dependent start. A unit is all decoders of one seed; they share parameters at the
start, data order and noise. Beta is 0.01, the one of the decades from 0.1 to 0.001 with the lowest bound on pilot seeds
(1 is the unit-variance model, and everything above collapses like it).

The specification asks for 4000 steps; the night scale has 2000 of three decoders and five seeds, about twenty minutes
of one core. The moving average of the parameters (0.9995 per step) would then still consist of its start by more than
a third: the parameters themselves are evaluated.

Two ablations of the optimal decoder with one seed are shown and decide nothing: no free bits, and log variances without
the softplus. With free bits every layer is paid for up to 2 nats, so a layer above 1 nat need not be a useful one.

At the gpu scale: six stages of 48 filters on MNIST, 10,000 steps; its cost has not been measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row

if TYPE_CHECKING:
    from vaes.image_data import ImageDataset

MAIN: dict[str, dict[str, Any]] = {
    "gaussian": {"decoder": {"name": "gaussian"}},
    "beta": {"decoder": {"name": "beta", "beta": 0.01}},
    "optimal": {"decoder": {"name": "optimal"}},
}
ALLOWED = "beta_plus_1_percent"
ABLATIONS: dict[str, dict[str, Any]] = {
    "no_free_bits": {"decoder": {"name": "optimal"}, "free_bits": 0.0},
    "plain_log_variance": {"decoder": {"name": "optimal"}, "log_variance": "none"},
}
SEEDS = {"smoke": 1, "night": 5, "gpu": 5}
ABLATION_SEEDS = {"smoke": 1, "night": 1, "gpu": 1}
MODELS = {"smoke": ("hvae-s", "digits16"), "night": ("hvae-s", "digits16"), "gpu": ("hvae6", "mnist28")}
STEPS = {"smoke": 2, "night": 2000, "gpu": 10_000}
POSTERIOR_SAMPLES, PRIOR_SAMPLES, SHOWN = 8, 2000, 8
USED_FROM = 1.0
TRACE_EVERY = 25
_TEST = f"mean over test images and {POSTERIOR_SAMPLES} posterior samples, without free bits"
METRICS = {
    "nelbo": Metric("nats", f"log density on [0, 1], {_TEST}", "bound"),
    "nll": Metric("nats", _TEST),
    "kl": Metric("nats", f"sum over layers, single-sample estimate, {_TEST}"),
    "kl_layer_1": Metric("nats", f"layer next to the image, single-sample estimate, {_TEST}"),
    "kl_layer_2": Metric("nats", f"second layer, single-sample estimate, {_TEST}"),
    "kl_layer_3": Metric("nats", f"third layer, single-sample estimate, {_TEST}"),
    "layers_used": Metric("layers", f"layers whose KL is above {USED_FROM:g} nat"),
    "sigma": Metric(
        "1", "standard deviation of the decoder at evaluation, from the training images where it is fitted"
    ),
    "sharpness_ratio": Metric("1", f"neighbouring pixels, {PRIOR_SAMPLES} decoder means of the prior over test images"),
    "variance_ratio": Metric("1", f"total variance, {PRIOR_SAMPLES} decoder means of the prior over test images"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed for the decoders, and one for the ablations."""
    if scale not in SEEDS or (scale == "gpu" and not data.has("mnist10k")):
        return []
    counts = {"decoders": seeds or SEEDS[scale], "ablations": seeds or ABLATION_SEEDS[scale]}
    return [
        Unit(configuration(scale, group), seed) for group, count in counts.items() for seed in reported_seeds(count)
    ]


def configuration(scale: str, group: str) -> dict[str, Any]:
    """Return the plain configuration of one unit."""
    model, dataset = MODELS[scale]
    return {
        "dataset": dataset,
        "model": model,
        "group": group,
        "recipe": {
            "steps": STEPS[scale],
            "batch": 48,
            "learning_rate": 2e-3,
            "optimiser": "adamax",
            "schedule": "exponential",
        },
        "posterior_samples": 1 if scale == "smoke" else POSTERIOR_SAMPLES,
        "prior_samples": 20 if scale == "smoke" else PRIOR_SAMPLES,
    }


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train the arms of one group; return a row for each, and one for the bound that a fitted sigma may reach."""
    import torch

    from vaes.image_data import load_images

    torch.set_num_threads(context.threads)
    dataset = load_images(config["dataset"], context.data_dir)
    arms = MAIN if config["group"] == "decoders" else ABLATIONS
    rows: list[Row] = []
    for index, (name, overrides) in enumerate(arms.items()):
        model = _trained(config, overrides, seed, dataset, context, (index, len(arms)))
        metrics, samples = measure(model, dataset, seed, config["posterior_samples"], config["prior_samples"])
        variant = {"decoder": name, "variant": "default"} if arms is MAIN else {"decoder": "optimal", "variant": name}
        arm = {"dataset": config["dataset"], **variant}
        rows.append({"arm": arm, "metrics": metrics, "series": {"samples": samples}})
    return rows + ([allowance(rows)] if arms is MAIN else [])


def _trained(
    config: Mapping[str, Any],
    overrides: Mapping[str, Any],
    seed: int,
    dataset: ImageDataset,
    context: Context,
    part: tuple[int, int],
) -> Any:
    from vaes.image_training import ImageRecipe, train_image_model
    from vaes.models.hierarchical_vae import preset

    recipe = ImageRecipe(**config["recipe"])
    decoder = {**overrides["decoder"], "levels": dataset.levels}
    model = preset(config["model"], **{**overrides, "decoder": decoder})

    def progress(trainer: Any, terms: Any) -> None:
        context.progress(part[0] + trainer.step / recipe.steps, part[1], kl=terms.kl.mean().item())

    hooks = [(TRACE_EVERY, progress)]
    trainer = train_image_model(model, recipe, seed, dataset, device=context.device, hooks=hooks)
    return trainer.evaluation_model()


def measure(model: Any, dataset: ImageDataset, seed: int, draws: int, count: int) -> tuple[dict[str, float], list[int]]:
    """Metrics of a calibrated model, and a few of its prior samples as whole numbers from 0 to 255.

    ``draws`` posterior samples of every test image and ``count`` prior samples are taken.
    """
    import torch

    from vaes.ops.image_metrics import sharpness_ratio, variance_ratio
    from vaes.seeding import stream

    device = next(model.parameters()).device
    generator = stream(seed, "evaluation", device=device)
    test = dataset.images("test").to(device)
    nll, layer_kl = 0.0, torch.zeros(len(model.config.stages), dtype=torch.float64, device=device)
    with torch.inference_mode():
        for x in test.split(500):
            for _ in range(draws):
                terms = model(x, model.draw_noise(len(x), generator))
                nll += model.decoder.evaluation_nll(terms.output, x).double().sum().item()
                layer_kl += terms.layer_kl.double().sum(1)
        samples = model.generate(count, generator)
    nll, layers = nll / (draws * len(test)), (layer_kl / (draws * len(test))).tolist()
    metrics = {
        "nelbo": nll + sum(layers),
        "nll": nll,
        "kl": sum(layers),
        **{f"kl_layer_{number}": layers[number - 1] for number in (1, 2, 3)},
        "layers_used": float(sum(kl > USED_FROM for kl in layers)),
        "sigma": model.decoder.log_scale.exp().item(),
        "sharpness_ratio": sharpness_ratio(samples, test).item(),
        "variance_ratio": variance_ratio(samples, test).item(),
    }
    return metrics, (255 * samples[:SHOWN]).round().to(torch.int64).flatten().tolist()


def allowance(rows: Sequence[Row]) -> Row:
    """Row with the bound of the beta-VAE raised by 1 % of its size: what a fitted sigma must stay below."""
    (baseline,) = (row for row in rows if row["arm"]["decoder"] == "beta")
    nelbo = baseline["metrics"]["nelbo"]
    return {"arm": {**baseline["arm"], "decoder": ALLOWED}, "metrics": {"nelbo": nelbo + 0.01 * abs(nelbo)}}


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw prior samples of every decoder, their sharpness and variance, and the KL of every layer."""
    from reproductions.sigma_vae import _calibration_figures

    return _calibration_figures.hierarchical_figures(table, style)


REPRODUCTION = Reproduction(
    id="sigma-vae/hierarchical",
    title="Fitted sigma in a hierarchical VAE",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(
        "vaes/data.py",
        "vaes/image_data.py",
        "vaes/image_training.py",
        "vaes/layers/gated_block.py",
        "vaes/models/configuration.py",
        "vaes/models/decoders.py",
        "vaes/models/hierarchical_vae.py",
        "vaes/ops/balancing.py",
        "vaes/ops/calibration.py",
        "vaes/ops/convolution.py",
        "vaes/ops/gaussian.py",
        "vaes/ops/hierarchical.py",
        "vaes/ops/image_metrics.py",
        "vaes/ops/normalisation.py",
        "vaes/ops/schedules.py",
        "vaes/seeding.py",
        "vaes/training_loop.py",
    ),
)

"""Table 5 at a small size: bits per dimension against the number of layers, and with stochastic skips.

The residual convolutional model with 32 feature maps and 2 blocks per network on 8x8 colour patches of scikit-learn's
two photographs (halved in size, 256 levels, discretised logistic), rho = 0.9, K = 5, 1000 steps. Test patches come from
a strip at the right edge that no training patch touches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.hvae import _sweep

if TYPE_CHECKING:
    from vaes.data import Dataset

SIDE, STRIDE, STRIP = 8, 5, 48
TRAIN, TEST = 2600, 400
RHO, SAMPLES = 0.9, 5
VARIANTS = ((2, False), (3, False), (3, True), (4, False))
"""Stochastic layers, and whether there are skips."""
MEASURE_SAMPLES = 20
SEEDS = {"smoke": 2, "night": 5}
_PER_VALUE = "mean over test patches and samples, unsmoothed model"
METRICS = {
    "bits_per_dim": Metric("bits/dim", f"-L_1, {_PER_VALUE}", "bound"),
    f"bits_per_dim_k{MEASURE_SAMPLES}": Metric("bits/dim", "-L_20, mean over test patches", "bound", MEASURE_SAMPLES),
    "top_kl": Metric("nats", f"sum over units, {_PER_VALUE}"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per model and seed."""
    if scale not in SEEDS:
        return []
    smoke = scale == "smoke"
    recipe = {"steps": 2 if smoke else 1000, "batch": 8 if smoke else 32, "learning_rate": 2e-3, "samples": SAMPLES}
    return [
        Unit(
            {
                "model": {
                    "image": [SIDE, SIDE, 3],
                    "depth": depth,
                    "maps": 4 if smoke else 32,
                    "blocks": 1 if smoke else 2,
                    "latent_maps": 2 if smoke else 8,
                    "skips": skips,
                },
                "rho": RHO,
                "recipe": recipe,
            },
            seed,
        )
        for depth, skips in VARIANTS
        for seed in reported_seeds(seeds or SEEDS[scale])
    ]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train one model; return its row."""
    import torch

    from vaes.models.hvae_conv import HVAEConv, HVAEConvConfig
    from vaes.seeding import stream
    from vaes.training import Member, Recipe, Trainer

    torch.set_num_threads(context.threads)
    dataset, recipe = colour_patches(), Recipe(**config["recipe"])
    model = HVAEConv(HVAEConvConfig.from_dict(config["model"])).initialise(stream(seed, "init"))
    trainer = Trainer(model.to(context.device), [Member(rho=config["rho"], seed=seed)], dataset, recipe)

    def progress(current: Any, terms: Any) -> None:
        context.progress(current.step, recipe.steps, top_kl=terms.top_kl.mean().item())

    trainer.run(hooks=[(_sweep.TRACE_EVERY, progress)])
    arm = {"depth": config["model"]["depth"], "skips": config["model"]["skips"], "rho": config["rho"]}
    return [{"arm": arm, "metrics": measure(trainer.model, dataset, seed)}]


def colour_patches() -> Dataset:
    """Patches (N, 192) with values in [0, 1] on 256 levels, channels last."""
    import hashlib

    import torch
    from sklearn.datasets import load_sample_images

    from vaes.data import DATA_SEED, Dataset
    from vaes.seeding import numpy_stream

    photographs = np.stack(load_sample_images().images)
    height, width = photographs.shape[1] // 2 * 2, photographs.shape[2] // 2 * 2
    halved = photographs[:, :height, :width].reshape(len(photographs), height // 2, 2, width // 2, 2, 3)
    levels = np.round(halved.astype(np.float64).mean((2, 4))) / 255
    edge = levels.shape[2] - STRIP
    random = numpy_stream(DATA_SEED, "colour patches", "split")
    train = random.permutation(_windows(levels[:, :, :edge]))[:TRAIN]
    test = random.permutation(_windows(levels[:, :, edge:]))[:TEST]
    parts = {"train": torch.from_numpy(train), "test": torch.from_numpy(test), "validation": torch.from_numpy(test[:0])}
    return Dataset(
        id="colour patches/raw",
        **parts,
        grey=None,
        shape=(SIDE, SIDE, 3),
        checksum=hashlib.sha256(photographs.tobytes()).hexdigest(),
        note="8x8 colour patches of two photographs of scikit-learn, halved in size; test patches from a strip apart",
    )


def _windows(images: Any) -> Any:
    """Overlapping patches of (N, H, W, 3) images as float32 rows, channels last."""
    views = np.lib.stride_tricks.sliding_window_view(images, (SIDE, SIDE), axis=(1, 2))[:, ::STRIDE, ::STRIDE]
    return np.moveaxis(views, 3, -1).reshape(-1, SIDE * SIDE * 3).astype(np.float32)


def measure(model: Any, dataset: Dataset, seed: int) -> dict[str, float]:
    """Bits per dimension of the unsmoothed model on the test patches, for one sample and for many, and the top KL."""
    import torch

    from vaes.ops.bounds import bits_per_dim, importance_weighted
    from vaes.seeding import stream

    device = next(model.parameters()).device
    generator = stream(seed, "evaluation", device=device)
    one, many, top_kl = [], [], []
    with torch.inference_mode():
        for x in dataset.test.to(device).split(100):
            noise = [
                torch.randn(MEASURE_SAMPLES * len(x), units, generator=generator, device=device)
                for units in model.config.latents
            ]
            terms = model(x, noise)
            weights = terms.log_weight.double().unflatten(0, (MEASURE_SAMPLES, len(x)))
            one.append(weights.mean(0))
            many.append(importance_weighted(weights))
            top_kl.append(terms.top_kl.double())
    bounds = (torch.cat(values).mean() for values in (one, many))
    bits = [float(bits_per_dim(bound, dataset.dims)) for bound in bounds]
    return dict(zip(METRICS, (*bits, float(torch.cat(top_kl).mean())), strict=True))


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw bits per dimension against the number of layers, and the pairs with and without skips."""
    from reproductions.hvae import _comparison_figures

    return _comparison_figures.colour_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/colour_patches",
    title="Bits per dimension against depth and with skips, on colour patches",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(
        *_sweep.SOURCES,
        "vaes/layers/residual_network.py",
        "vaes/models/configuration.py",
        "vaes/models/hvae_conv.py",
        "vaes/ops/likelihoods.py",
    ),
)

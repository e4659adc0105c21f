"""The paper's runs as plain configurations: small network, hierarchical VAE, video model, with every decoder.

What the appendix does not state is taken from the public implementations and marked so in the specification: sizes of
the training sets, 28x28 working resolution, soft clip of log sigma at -6.
"""

from __future__ import annotations

from typing import Any

SOFT_CLIP = -6.0
SEEDS = 3
FID = {"samples": 10_000, "kinds": ["mean", "draw"], "reference": "test split at the resolution of the model"}
SMALL_DATA: dict[str, dict[str, Any]] = {
    "svhn": {"channels": 3, "train": 73_257, "test": 26_032},
    "celeba": {"channels": 3, "train": 162_770, "test": 19_962},
    "cifar": {"channels": 3, "train": 50_000, "test": 10_000},
    "frey": {"channels": 1, "train": 1_565, "test": 200},
}
DECODERS: dict[str, dict[str, Any]] = {
    "bernoulli": {"name": "bernoulli"},
    "categorical": {"name": "categorical"},
    "bitwise": {"name": "bitwise"},
    "logistic_mixture": {"name": "logistic_mixture", "components": 10},
    "gaussian": {"name": "gaussian", "soft_clip": SOFT_CLIP},
    "beta": {"name": "beta"},
    "shared": {"name": "shared", "soft_clip": SOFT_CLIP},
    "optimal": {"name": "optimal", "soft_clip": SOFT_CLIP},
    "per_image": {"name": "per_image", "soft_clip": SOFT_CLIP},
}
TABLE_4: dict[str, dict[str, Any]] = {
    "categorical": DECODERS["categorical"],
    "gaussian": DECODERS["gaussian"],
    "sigma": DECODERS["shared"],
    "disc_gaussian": {"name": "discretised_gaussian", "soft_clip": SOFT_CLIP},
    "disc_logistic": {"name": "discretised_logistic", "soft_clip": SOFT_CLIP},
}
HIERARCHICAL_DATA = {"cifar": {"train": 50_000, "steps": 30_000}, "celeba": {"train": 162_770, "steps": 40_000}}
GAUSSIANS = ("gaussian", "beta", "shared", "optimal")
VIDEO: dict[str, dict[str, Any]] = {
    "gaussian": DECODERS["gaussian"],
    # Squared error averaged over 12288 values, KL weight 1e-4: the defaults of the video model.
    "svg_default": {"name": "beta", "beta": 0.6144},
    "optimal": DECODERS["optimal"],
}
VIDEO_STEPS = 300 * 600
EPOCHS, BATCH = 10, 128


def small(dataset: str, decoder: str) -> dict[str, Any]:
    """A row of Table 3, or of Figure 9 on SVHN."""
    data = SMALL_DATA[dataset]
    return {
        "dataset": dataset,
        "preprocessing": "bilinear to 28x28, rounded to uint8, divided by 255",
        "model": {"preset": "small_conv_vae", "channels": data["channels"]},
        "recipe": {"steps": EPOCHS * -(-data["train"] // BATCH), "batch": BATCH, "learning_rate": 1e-3},
        "seeds": SEEDS,
        "evaluation": {"split": "test", "samples": 1, "fid": FID},
        "decoder": DECODERS[decoder],
    }


def table_4(row: str) -> dict[str, Any]:
    """A row of Table 4: CIFAR-10, masses of 256 levels."""
    return {**small("cifar", "gaussian"), "decoder": TABLE_4[row]}


def hierarchical(dataset: str, decoder: str) -> dict[str, Any]:
    """A hierarchical VAE of 15 layers, Section B."""
    return {
        "dataset": dataset,
        "preprocessing": "32x32, divided by 255",
        "model": {"preset": "hvae15"},
        "recipe": {
            "steps": HIERARCHICAL_DATA[dataset]["steps"],
            "batch": 48,
            "learning_rate": 2e-3,
            "optimiser": "adamax",
            "ema": 0.9995,
        },
        "seeds": SEEDS,
        "evaluation": {"split": "test", "samples": 1, "fid": FID},
        "decoder": DECODERS[decoder],
    }


def video(decoder: str) -> dict[str, Any]:
    """A video model on BAIR, Figure 7: two given frames, ten to predict, 300 epochs of 600 steps."""
    return {
        "dataset": "bair",
        "preprocessing": "64x64, divided by 255",
        "model": {"preset": "svg_lp"},
        "recipe": {"steps": VIDEO_STEPS, "batch": 100, "learning_rate": 2e-3},
        "seeds": SEEDS,
        "evaluation": {"split": "test", "sequences": 256},
        "decoder": VIDEO[decoder],
    }


def families() -> dict[str, list[dict[str, Any]]]:
    """Runs that are compared with each other: they differ in the decoder and in nothing else."""
    found = {f"small/{dataset}": [small(dataset, name) for name in DECODERS] for dataset in SMALL_DATA}
    found["table 4"] = [table_4(row) for row in TABLE_4]
    found |= {f"hvae15/{name}": [hierarchical(name, row) for row in GAUSSIANS] for name in HIERARCHICAL_DATA}
    return found | {"svglp/bair": [video(row) for row in VIDEO]}

"""The linear VAE in closed form on real data: the fixed point of Eq. 11, and which directions survive a fixed variance.

A unit is one data set and one question. MNIST and Frey Face need the data directory; without it their rows are missing
and the claims say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.sigma_vae import _checks_linear as linear

SEED = 1000
FIXED_POINT = "sigma-vae/appendix-c/eq-11-linear-fixed-point"
THRESHOLD = "sigma-vae/method/active-units-threshold"
SOURCES = {"digits16": "digits", "mnist28": "mnist10k", "frey28": "frey-face", "frey": "frey-face"}
"""Name in `vaes.data` of what each data set is made from."""
SYNTHETIC = {"synthetic-8": (8, 4), "synthetic-16": (16, 8)}
"""Dimensions and latents of the covariances that are optimised numerically."""
DIGIT_LATENTS = 8


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit per claim and data set that is at hand, the same at every scale."""
    images = [name for name, source in SOURCES.items() if source == "digits" or data.has(source)]
    found = [
        {"claim": claim, "images": name, "datasets": [SOURCES[name]]}
        for claim in (FIXED_POINT, THRESHOLD)
        for name in images
        if (claim, name) != (FIXED_POINT, "frey")
    ]
    found += [{"claim": THRESHOLD, "images": name, "datasets": []} for name in SYNTHETIC]
    return [Unit(config, SEED) for config in found]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Check one claim on one data set."""
    claim, name = config["claim"], config["images"]
    rng = np.random.default_rng([seed, *name.encode()])
    if name in SYNTHETIC:
        dims, latents = SYNTHETIC[name]
        metrics = linear.threshold_in_optimised(linear.synthetic_covariance(rng, dims), rng, latents)
    elif claim == FIXED_POINT:
        metrics = linear.fixed_point(_flat_images(name, context))
    else:
        images = _flat_images(name, context)
        metrics = {"active_directions": float(linear.active_directions(images))}
        if name == "digits16":
            covariance = np.cov(images.T, ddof=0)
            metrics |= linear.threshold_in_optimised(covariance, rng, DIGIT_LATENTS)
    return [{"arm": {"claim": claim, "dataset": name}, "metrics": metrics}]


def _flat_images(name: str, context: Context) -> np.ndarray:
    """All images of a data set, float64 (N, D) in [0, 1]; ``frey`` is Frey Face at its own size."""
    import torch

    from vaes.data import load
    from vaes.image_data import SPLITS, load_images

    if name == "frey":
        raw = load("frey-face/raw", context.data_dir)
        parts = [getattr(raw, split).double() for split in SPLITS]
    else:
        dataset = load_images(name, context.data_dir)
        parts = [dataset.images(split, torch.float64).flatten(1) for split in SPLITS]
    return torch.cat(parts).numpy()


REPRODUCTION = Reproduction(
    id="sigma-vae/linear_vae",
    title="The linear VAE in closed form on real data",
    tier="static",
    units=units,
    run=run,
    metrics={
        "fixed_point_error": Metric("1", "relative, mean over images, expectation over the posterior", "exact"),
        "means_not_smaller": Metric("1", "1 if posterior means do not lower the error", "exact"),
        "shortfall_error": Metric("1", "relative, of the error that posterior means leave out", "exact"),
        "active_directions": Metric("1", "eigenvalues above 1", "exact"),
        "wrong_active_counts": Metric("1", "variances at which the optimised model has another number", "exact"),
        "bound_error": Metric("1", "largest relative error over the variances", "exact"),
    },
    sources=(
        "reference/linear_vae.py",
        "reproductions/sigma_vae/_checks_linear.py",
        "vaes/data.py",
        "vaes/image_data.py",
        "vaes/seeding.py",
    ),
)

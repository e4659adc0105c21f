"""Figures 5 and 8 in small, and what an autoregressive decoder leaves to the latent.

Plans S14 and S16 of the specification: unit Gaussian and optimal sigma on coloured digits, grey digits and photograph
patches; and on the coloured sets the mixture of logistics without and with autoregressive channels, M = 5. A unit is
one data set and seed; 500 steps instead of 3000, of the optimal sigma 1000.

Colour in the latent is measured twice: by a linear probe from posterior means to the mean colour differences of an
image (of coloured digits: to the cosine and sine of their hue), and by the error of those colour differences in draws
from the decoder given the latent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.sigma_vae import _runs

if TYPE_CHECKING:
    from torch import Tensor

GAUSSIAN, OPTIMAL, PLAIN, AUTOREGRESSIVE = "gaussian", "optimal", "mixture", "mixture_autoregressive"
COMPONENTS = 5
STEPS = {"smoke": 10, "night": 500, "gpu": 3000}
OPTIMAL_STEPS = {"smoke": 10, "night": 1000, "gpu": 3000}
"""The unit Gaussian has settled when the optimal sigma still learns."""
SEEDS = {"smoke": 1, "night": 5, "gpu": 5}
IMAGES = ("huedigits", "photo8", "digits16")
PROBE_DROP, CHROMA_RISE = 0.05, 1.1
"""What counts as less colour in the latent: the planned fall of R^2, or a chroma error that is 10% larger."""

METRICS = (
    _runs.METRICS
    | _runs.REAL_METRICS
    | {
        "sharpness_miss": Metric("1", "distance of the sharpness ratio from 1"),
        "variance_miss": Metric("1", "distance of the variance ratio from 1"),
        "saturation_miss": Metric("1", "distance of the saturation ratio from 1"),
        "chroma_r2": Metric("1", "R^2 on test images of a linear probe for colour, mean of two targets"),
        "luma_r2": Metric("1", "R^2 on test images of a linear probe for the mean luma"),
        "chroma_error": Metric("1", "mean squared error of the mean colour differences of draws given the latent"),
        "probe_drop": Metric("1", "colour R^2 without autoregression less that with it"),
        "chroma_rise": Metric("1", "chroma error with autoregression over that without"),
        "colour_lost": Metric("1", "1 if R^2 falls by 0.05, or the chroma error rises by 10%, with autoregression"),
        "colour_gained": Metric("1", "1 if R^2 rises and the chroma error falls with autoregression"),
    }
)


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per data set and seed."""
    if scale not in SEEDS:
        return []
    return [Unit(configuration(scale, name), seed) for name in IMAGES for seed in reported_seeds(seeds or SEEDS[scale])]


def configuration(scale: str, images: str) -> dict[str, Any]:
    """Return the plain configuration of one unit."""
    mixture = {"name": "logistic_mixture", "components": COMPONENTS}
    decoders: dict[str, dict[str, Any]] = {GAUSSIAN: {"name": "gaussian"}, OPTIMAL: {"name": "optimal"}}
    if images != "digits16":
        decoders |= {PLAIN: mixture, AUTOREGRESSIVE: mixture | {"autoregressive": True}}
    arms = {name: {"decoder": decoder, "steps": STEPS[scale]} for name, decoder in decoders.items()}
    arms[OPTIMAL]["steps"] = OPTIMAL_STEPS[scale]
    return _runs.configuration(scale, images, arms)


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train and measure the decoders of one data set and seed."""
    job = _runs.prepare(config, seed, context)
    rows, models = _runs.run_arms(job, config["arms"])
    for row in rows:
        for name in ("sharpness", "variance", "saturation"):
            if f"{name}_ratio" in row["metrics"]:
                row["metrics"][f"{name}_miss"] = abs(row["metrics"][f"{name}_ratio"] - 1)
    if PLAIN not in models:
        return rows
    for name in (PLAIN, AUTOREGRESSIVE):
        _runs.row_of(rows, arm=name)["metrics"].update(colour_in_latent(job, models[name]))
    plain, other = (_runs.row_of(rows, arm=name)["metrics"] for name in (PLAIN, AUTOREGRESSIVE))
    return [*rows, {"arm": {"dataset": job.dataset.id, "summary": "autoregression"}, "metrics": losses(plain, other)}]


def losses(plain: Mapping[str, float], autoregressive: Mapping[str, float]) -> dict[str, float]:
    """Whether the latent holds less colour with autoregressive channels."""
    drop = plain["chroma_r2"] - autoregressive["chroma_r2"]
    rise = autoregressive["chroma_error"] / plain["chroma_error"]
    return {
        "probe_drop": drop,
        "chroma_rise": rise,
        "colour_lost": float(drop >= PROBE_DROP or rise >= CHROMA_RISE),
        "colour_gained": float(drop < 0 and rise < 1),
    }


def colour_in_latent(job: _runs.Job, model: Any) -> dict[str, float]:
    """Probes of the posterior means, and the chroma error of draws from the decoder at a posterior sample."""
    import torch

    from vaes.ops import gaussian, image_metrics
    from vaes.seeding import stream

    generator = stream(job.seed, "chroma", device=job.context.device)
    latents, targets, luma = {}, {}, {}
    with torch.no_grad():
        for split in ("train", "test"):
            x = job.dataset.images(split).to(job.context.device)
            posteriors = [model.encode(part) for part in x.split(500)]
            latents[split] = torch.cat([posterior.mean for posterior in posteriors]).cpu()
            means = image_metrics.colour_means(x).cpu()
            luma[split], targets[split] = means[:, :1], _colour_targets(job, split, means)
        draws = [
            model.decoder.sample(
                model.decode(
                    gaussian.reparameterise(
                        posterior.mean, posterior.scale, model.draw_noise(len(posterior.mean), generator)
                    )
                ),
                generator,
            )
            for posterior in posteriors
        ]
        error = image_metrics.chroma_error(x, torch.cat(draws)).item()
    probes = {
        name: image_metrics.linear_probe(latents["train"], y["train"], latents["test"], y["test"]).mean().item()
        for name, y in (("chroma_r2", targets), ("luma_r2", luma))
    }
    return probes | {"chroma_error": error}


def _colour_targets(job: _runs.Job, split: str, means: Tensor) -> Tensor:
    """Targets (N, 2): the direction of the hue where it is known, else the mean colour differences."""
    import torch

    hue = job.dataset.extra.get(f"{split}/hue")
    if hue is None:
        return means[:, 1:]
    angle = 2 * math.pi * hue
    return torch.stack([angle.cos(), angle.sin()], 1)


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw samples of the two Gaussians, and colour in the latent without and with autoregression."""
    from reproductions.sigma_vae import _figures

    return _figures.colour_figures(table, style)


REPRODUCTION = Reproduction(
    id="sigma-vae/colour",
    title="Blurry and muted samples; colour in the latent of an autoregressive decoder",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=_runs.SOURCES,
)

"""Train ensembles of Hermite VAEs that differ in more than rho, and measure the original models on held-out images.

What `_sweep` is for grids of rho, this is for named arms: annealing, free bits, importance samples, other shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reproductions.harness import Context, Metric
from reproductions.hvae import _sweep

FRACTIONS = {
    "active_fraction_top": Metric("1", "active units of the top layer over its width, corrected for sampling"),
    "inactive_fraction": Metric("1", "inactive units of all layers over all units, corrected for sampling"),
    "between_fraction_top": Metric("1", "share of the variance of the top posterior mean that is between images"),
}
METRICS = {
    name: metric for name, metric in _sweep.METRICS.items() if name not in ("strength", "early_collapse")
} | FRACTIONS
SMALL = 64
"""Values per image of the 8x8 data sets."""


@dataclass(frozen=True)
class Ensemble:
    """What one stacked training run needs, as plain values.

    Parameters
    ----------
    dataset : str
        Id of the data set.
    model, recipe : mapping
        Fields of `vaes.models.hvae.HVAEConfig` and of `vaes.training.Recipe`.
    arms : mapping
        Name of each arm to its fields of `vaes.training.Member` without the seed.
    smooth_posterior : bool
        Whether the posterior too is smoothed.
    """

    dataset: str
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    arms: Mapping[str, Mapping[str, Any]]
    smooth_posterior: bool = False


@dataclass(frozen=True)
class Outcome:
    """One arm after training: metrics of the unsmoothed model, and the top KL of training batches along the run."""

    metrics: dict[str, float | None]
    top_kl: list[float]


def model_fields(dataset: str, latents: Sequence[int], hidden: int | Sequence[int]) -> dict[str, Any]:
    """Return the configuration of a model for a data set; ``hidden`` is one width or one for each layer."""
    small = dataset.split("/")[0] in ("digits", "patches")
    return {
        "data": SMALL if small else 784,
        "latents": list(latents),
        "hidden": [hidden] * len(latents) if isinstance(hidden, int) else list(hidden),
        # Plain models of 28x28 images get stuck near a blank image without these two.
        "centre_input": not small,
        "mean_image_bias": not small,
    }


def train_arms(
    ensemble: Ensemble,
    seed: int,
    context: Context,
    *,
    part: tuple[int, int] = (0, 1),
    protocol: Mapping[str, int] | None = None,
) -> dict[str, Outcome]:
    """Train all arms of one seed as a stack and evaluate them.

    Parameters
    ----------
    ensemble : Ensemble
        What to train.
    seed : int
        Seed of all arms.
    context : Context
        Of the unit.
    part : tuple of int
        Number of this ensemble and how many the unit trains, for the progress bar.
    protocol : mapping, optional
        Fields of `vaes.evaluation.Protocol` other than the default.
    """
    import torch

    from vaes.data import load
    from vaes.ensembles import ensemble_trainer
    from vaes.evaluation import Protocol, evaluate
    from vaes.models.hvae import HVAEConfig
    from vaes.models.hvae_posterior import smoothed_posterior_trainer
    from vaes.training import Member, Recipe

    torch.set_num_threads(context.threads)
    dataset = load(ensemble.dataset, context.data_dir)
    members = {Member(seed=seed, **settings): name for name, settings in ensemble.arms.items()}
    recipe, config = Recipe(**ensemble.recipe), HVAEConfig.from_dict(ensemble.model)
    build = smoothed_posterior_trainer if ensemble.smooth_posterior else ensemble_trainer
    trainer = build(config, recipe, list(members), dataset, device=context.device)
    names = [members[member] for member in trainer.members]
    traces: dict[str, list[float]] = {name: [] for name in names}

    def trace(_: Any, terms: Any) -> None:
        for name, value in zip(names, terms.top_kl.detach().mean(-1).tolist(), strict=True):
            traces[name].append(value)
        context.progress(part[0] + trainer.step / recipe.steps, part[1])

    trainer.run(hooks=[(_sweep.TRACE_EVERY, trace)])
    images = dataset.test.to(context.device)
    settings = {"samples": _sweep.IMPORTANCE_SAMPLES} | dict(protocol or {})
    measured = evaluate(trainer.model, images, seed=seed, protocol=Protocol(**settings))
    return {
        name: Outcome(metrics_of(values, config.latents), traces[name])
        for name, values in zip(names, measured, strict=True)
    }


def metrics_of(values: Mapping[str, float | None], latents: Sequence[int]) -> dict[str, float | None]:
    """Keep the metrics of `METRICS` and add the fractions of active and of inactive units."""
    kept = {name: values[name] for name in METRICS if name in values}
    active, top = values["active_units"], values["active_units_top"]
    return kept | {
        "inactive_fraction": None if active is None else 1 - active / sum(latents),
        "active_fraction_top": None if top is None else top / latents[-1],
    }

"""Train one ensemble of Hermite VAEs that differ in rho alone, and measure the original model on held-out images.

A unit is one ensemble: one dataset, one number K of correlated samples, one seed, all values of rho. Its members share
parameters at the start, data order and posterior noise, so arms of one seed are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.harness import Context, Metric
from reproductions.harness.units import Row

SOURCES = (
    "reproductions/hvae/_sweep.py",
    "vaes/checkpoints.py",
    "vaes/data.py",
    "vaes/data_files.py",
    "vaes/ensembles.py",
    "vaes/evaluation.py",
    "vaes/layers/mlp.py",
    "vaes/models/configuration.py",
    "vaes/models/hvae.py",
    "vaes/ops/bernoulli.py",
    "vaes/ops/bounds.py",
    "vaes/ops/gaussian.py",
    "vaes/ops/ornstein_uhlenbeck.py",
    "vaes/ops/schedules.py",
    "vaes/seeding.py",
    "vaes/training.py",
    "vaes/training_loop.py",
)
TRACE_EVERY = 50
COLLAPSED = 0.1
IMPORTANCE_SAMPLES = 100

_TEST_MEAN = "mean over test images, unsmoothed model"
METRICS = {
    "top_kl": Metric("nats", f"sum over units, {_TEST_MEAN}"),
    "top_down_gap": Metric("nats", f"NLL from another image's top latent minus from its own, {_TEST_MEAN}"),
    "information_top": Metric("nats", "mutual information of image and top latent, nested Monte Carlo"),
    "elbo": Metric("nats", _TEST_MEAN, "bound"),
    f"iw_bound_k{IMPORTANCE_SAMPLES}": Metric("nats", _TEST_MEAN, "bound", IMPORTANCE_SAMPLES),
    "reconstruction": Metric("nats", f"log p(x|z_1), {_TEST_MEAN}"),
    "kl_sum": Metric("nats", f"sum over layers, {_TEST_MEAN}"),
    "active_units_top": Metric("units", "between-image variance > 0.01, corrected for sampling"),
    "active_units_one_sample_top": Metric("units", "variance of a one-sample posterior mean > 0.01"),
    "active_units": Metric("units", "all layers, between-image variance > 0.01, corrected for sampling"),
    "strength": Metric("1", "r = rho^2 + (1 - rho^2)/K", "exact"),
    "early_collapse": Metric("1", "1 if the top KL falls below 0.1 nat in the first quarter and stays there", "exact"),
}


def configuration(dataset: str, samples: int, rho: Sequence[float], *, depth: int, steps: int) -> dict[str, Any]:
    """Return the plain configuration of one unit; every number that a run depends on stands in it."""
    small = dataset.split("/")[0] in ("digits", "patches")
    return {
        "dataset": dataset,
        "K": samples,
        "rho": list(rho),
        "model": {
            "data": 64 if small else 784,
            "latents": [8] * depth,
            "hidden": [64] * depth,
            # Plain models of 28x28 images get stuck near a blank image without these two.
            "centre_input": not small,
            "mean_image_bias": not small,
        },
        "recipe": {"steps": steps, "batch": 64, "learning_rate": 2e-3, "samples": samples},
    }


def train_and_measure(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train the ensemble of one configuration and seed; return one row per rho."""
    import torch

    from vaes.data import load
    from vaes.ensembles import ensemble_trainer
    from vaes.evaluation import Protocol, evaluate
    from vaes.models.hvae import HVAEConfig
    from vaes.training import Member, Recipe

    torch.set_num_threads(context.threads)
    dataset = load(config["dataset"], context.data_dir)
    recipe = Recipe(**config["recipe"])
    members = [Member(rho=rho, seed=seed) for rho in config["rho"]]
    trainer = ensemble_trainer(HVAEConfig.from_dict(config["model"]), recipe, members, dataset, device=context.device)
    traces: list[list[float]] = [[] for _ in members]

    def trace(_: Any, terms: Any) -> None:
        current = terms.top_kl.detach().mean(-1).tolist()
        for curve, value in zip(traces, current, strict=True):
            curve.append(value)
        context.progress(trainer.step, recipe.steps, top_kl=max(current))

    trainer.run(hooks=[(TRACE_EVERY, trace)])
    images = dataset.test.to(context.device)
    measured = evaluate(trainer.model, images, seed=seed, protocol=Protocol(samples=IMPORTANCE_SAMPLES))
    return [
        _row(config, member.rho, values, curve)
        for member, values, curve in zip(trainer.members, measured, traces, strict=True)
    ]


def _row(config: Mapping[str, Any], rho: float, values: Mapping[str, Any], trace: list[float]) -> Row:
    samples = config["K"]
    metrics = {name: values[name] for name in METRICS if name in values}
    metrics["strength"] = rho**2 + (1 - rho**2) / samples
    metrics["early_collapse"] = float(collapses_early(trace))
    latents = config["model"]["latents"]
    arm = {"dataset": config["dataset"].split("/")[0], "K": samples, "rho": rho, "width": latents[0]}
    return {"arm": {**arm, "depth": len(latents)}, "metrics": metrics, "series": {"top_kl": trace}}


def collapses_early(trace: Sequence[float]) -> bool:
    """Say whether a curve is below 0.1 nat from some point in its first quarter to its end."""
    above = [i for i, value in enumerate(trace) if value >= COLLAPSED]
    return len(trace) > 0 and (not above or above[-1] + 1 < len(trace) / 4)

"""The variance of the gradient with and without smoothing, at the same parameters (plan E12, procedure C14).

An ordinary VAE (rho = 1) is trained; then, at its parameters and for one mini-batch, the gradient of the objective is
drawn many times at several rho with the same posterior noise. A stack of copies of the model gives one gradient for
each copy in one backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.hvae import _arms, _sweep

if TYPE_CHECKING:
    from torch import Tensor

    from vaes.models.hvae import HVAE

RHO = (1.0, 0.95, 0.9, 0.8, 0.5)
DEPTH, SAMPLES, BATCH = 3, 5, 64
DRAWS, COPIES = 512, 64
SEEDS = {"smoke": 2, "laptop": 5, "night": 5}
METRICS = {
    "gradient_variance": Metric("nats^2", "sum over the parameters of all p(z_l|z_l+1), over noise draws, one batch"),
    "gradient_variance_top": Metric("nats^2", "sum over the parameters of the uppermost p(z_l|z_l+1)"),
    "gradient_variance_bottom": Metric("nats^2", "sum over the parameters of p(z_1|z_2)"),
    "signal_to_noise": Metric("1", "squared mean gradient over its variance, all p(z_l|z_l+1)"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per seed."""
    if scale not in SEEDS:
        return []
    smoke = scale == "smoke"
    config = {
        "dataset": "digits/static",
        "rho": list(RHO),
        "draws": 16 if smoke else DRAWS,
        "model": _arms.model_fields("digits/static", (8,) * DEPTH, 16 if smoke else 64),
        "recipe": {"steps": 20 if smoke else 3000, "batch": BATCH, "learning_rate": 2e-3, "samples": SAMPLES},
    }
    return [Unit(config, seed) for seed in reported_seeds(seeds or SEEDS[scale])]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train at rho = 1 and measure the gradient's variance at every rho."""
    import torch

    from vaes.data import load
    from vaes.ensembles import train_ensemble
    from vaes.models.hvae import HVAE, HVAEConfig
    from vaes.ops.optimisers import gradient_variance
    from vaes.training import Member, Recipe

    torch.set_num_threads(context.threads)
    dataset, model = load(config["dataset"], context.data_dir), HVAEConfig.from_dict(config["model"])
    trainer = train_ensemble(model, Recipe(**config["recipe"]), [Member(seed=seed)], dataset, device=context.device)
    copies = min(COPIES, config["draws"])
    stack = HVAE.stack([trainer.model.member(0)] * copies)
    images = dataset.train[: config["recipe"]["batch"]].to(context.device)
    rows: list[Row] = []
    for rho in config["rho"]:
        layers = draw_gradients(stack, images, rho, seed, config["draws"])
        variance, ratio = gradient_variance(torch.cat(layers, 1))
        metrics = {"gradient_variance": variance.item(), "signal_to_noise": ratio.item()}
        metrics["gradient_variance_bottom"] = gradient_variance(layers[0])[0].item()
        metrics["gradient_variance_top"] = gradient_variance(layers[-1])[0].item()
        rows.append({"arm": {"rho": rho, "K": SAMPLES}, "metrics": metrics})
        context.progress(len(rows), len(config["rho"]))
    return rows


def draw_gradients(stack: HVAE, images: Tensor, rho: float, seed: int, draws: int) -> list[Tensor]:
    """Gradients (draws, parameters) of the loss in each p(z_l|z_l+1), bottom to top, float64.

    Parameters
    ----------
    stack : HVAE
        Copies of one model; ``draws`` must be a multiple of their number.
    images : Tensor
        The mini-batch (B, data).
    rho : float
        Smoothing; 1 is the ordinary VAE.
    seed : int
        Root of the noise, the same for every rho.
    draws : int
        Number of gradients.

    Raises
    ------
    ValueError
        If ``draws`` is not a multiple of the copies.
    """
    import torch

    from vaes.models.hvae import Smoothing, objective
    from vaes.seeding import stream

    copies, latents = stack.members or 1, stack.config.latents
    if draws % copies:
        raise ValueError(f"draws must be a multiple of the {copies} copies, got {draws}")
    generator = stream(seed, "gradient noise", device=images.device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=images.device)

    found: list[list[Tensor]] = [[] for _ in stack.priors]
    for _ in range(draws // copies):
        noise = [normal(copies, len(images), units) for units in latents]
        fresh = tuple(normal(copies, SAMPLES, len(images), units) for units in latents[1:])
        smoothing = None if rho == 1 else Smoothing(rho, fresh)
        stack.zero_grad(set_to_none=True)
        (-objective(stack(images[None], noise, smoothing)).sum()).backward()
        for layer, network in zip(found, stack.priors, strict=True):
            gradients = [p.grad.flatten(1) for p in network.parameters() if p.grad is not None]
            layer.append(torch.cat(gradients, 1).double())
    return [torch.cat(layer) for layer in found]


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the variance relative to rho = 1, by network."""
    from reproductions.hvae import _comparison_figures

    return _comparison_figures.gradient_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/gradient_variance",
    title="Variance of the gradient against rho at fixed parameters",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(*_sweep.SOURCES, "reproductions/hvae/_arms.py", "vaes/ops/optimisers.py"),
)

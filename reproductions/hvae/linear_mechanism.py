"""The mechanism of Figure 1 in the smallest model that has it: a trained linear-Gaussian layer against its closed form.

z_1 ~ N(0, 1) is given; q(z_2|z_1) and p(z_1|z_2) are linear with free slopes and scales (entry B22 of the
specification). The trained model sees draws only: single samples, K = 5 correlated copies, plain gradient descent from
near collapse. The closed form descends on the exact expectation. Both have the same apparent critical rho, which moves
towards 1 as training gets longer; the gain of leaving the collapsed point, against the posterior's noise, is on the
closed-form profile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row

if TYPE_CHECKING:
    from torch import Tensor

RHO = tuple(round(0.5 + 0.025 * i, 3) for i in range(21))
LENGTHS = (300, 1000, 3000)
SAMPLES, BATCH = 5, 256
RATE, START, FLOOR = 0.05, 0.02, 0.05
SEEDS = {"smoke": 2, "laptop": 5, "night": 5}
METRICS = {
    "top_kl": Metric("nats", "expected KL of q(z_2|z_1), trained model"),
    "top_kl_exact": Metric("nats", "the same after gradient descent on the exact expectation", "exact"),
    "gain": Metric("nats", "exact smoothed objective of the trained model less that of the collapsed point", "exact"),
    "gain_profile": Metric("nats", "largest gain at the trained posterior's noise-to-signal ratio", "exact"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per number of samples and seed; K = 1 is the control."""
    if scale not in SEEDS:
        return []
    lengths = (10, 20) if scale == "smoke" else LENGTHS
    return [
        Unit({"rho": list(RHO), "K": samples, "lengths": list(lengths), "batch": BATCH}, seed)
        for samples in (SAMPLES, 1)
        for seed in reported_seeds(seeds or SEEDS[scale])
    ]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train one model per rho, side by side; return one row per length and rho."""
    import torch

    from reference import linear_gaussian, ornstein_uhlenbeck

    torch.set_num_threads(context.threads)
    rho = np.array(config["rho"])
    # The reference wants K >= 1 and rho = 1 too: there the strength is 1.
    strength = np.asarray(ornstein_uhlenbeck.effective_strength(rho, config["K"]))
    rows: list[Row] = []
    for length, point in train(config["rho"], config["K"], config["lengths"], config["batch"], seed):
        slope_q, slope_p, scale_q, scale_p = point
        exact_q, _, exact_scale, _ = linear_gaussian.descend(strength, length, RATE, START, FLOOR)
        columns = {
            "top_kl": linear_gaussian.top_kl(slope_q, scale_q, 1.0),
            "top_kl_exact": linear_gaussian.top_kl(exact_q, exact_scale, 1.0),
            "gain": linear_gaussian.collapsed_objective(1.0)
            - linear_gaussian.objective(slope_q, slope_p, scale_q, scale_p, 1.0, strength),
            "gain_profile": -linear_gaussian.profile(scale_q**2 / slope_q**2, strength)[0],
        }
        for index, value in enumerate(config["rho"]):
            arm = {"rho": value, "K": config["K"], "steps": length}
            rows.append({"arm": arm, "metrics": {name: float(column[index]) for name, column in columns.items()}})
        context.progress(length, max(config["lengths"]))
    return rows


def train(
    rhos: Sequence[float], samples: int, lengths: Sequence[int], batch: int, seed: int
) -> list[tuple[int, tuple[Any, ...]]]:
    """Plain stochastic gradient descent on the sampled objective, all rho side by side.

    Returns
    -------
    list
        Per length (slope_q, slope_p, scale_q, scale_p), each an array (rho,).
    """
    import torch

    from vaes.seeding import stream

    rho = torch.tensor(rhos, dtype=torch.float64)[:, None]
    generators = {name: stream(seed, name) for name in ("data", "noise", "smoothing")}

    def normal(name: str, *shape: int) -> Tensor:
        return torch.randn(shape, generator=generators[name], dtype=torch.float64)

    start = torch.tensor([START, START, 0.0, 0.0], dtype=torch.float64)
    theta = start[:, None, None].repeat(1, len(rhos), 1).requires_grad_()
    reached = []
    for step in range(1, max(lengths) + 1):
        loss = sampled_objective(
            theta, normal("data", batch), normal("noise", batch), normal("smoothing", samples, 1, batch), rho
        )
        (gradient,) = torch.autograd.grad(loss.sum(), theta)
        with torch.no_grad():
            theta -= RATE * gradient
            theta[2].clamp_(min=np.log(FLOOR))
            theta[3].clamp_(min=2 * np.log(FLOOR))
            if step in lengths:
                slope_q, slope_p, log_scale, log_square = theta[..., 0].numpy().copy()
                reached.append((step, (slope_q, slope_p, np.exp(log_scale), np.exp(0.5 * log_square))))
    return reached


def sampled_objective(theta: Tensor, z1: Tensor, noise: Tensor, fresh: Tensor, rho: Tensor) -> Tensor:
    """Negative smoothed objective (rho,) of one batch: the terms that depend on the second layer.

    Parameters
    ----------
    theta : Tensor
        Slope of q, slope of p, log scale of q, log squared scale of p: (4, rho, 1).
    z1, noise : Tensor
        Draws (B,) of the lower latent and of the upper one's noise.
    fresh : Tensor
        Draws (K, 1, B) for the correlated copies.
    rho : Tensor
        (rho, 1).
    """
    from vaes.ops import gaussian
    from vaes.ops.ornstein_uhlenbeck import correlated_sample

    slope_q, slope_p, log_scale, log_square = theta
    mean, scale = slope_q * z1, log_scale.exp()
    copies = correlated_sample(mean, scale, noise, fresh, rho)
    smoothed = (slope_p * copies).mean(0)
    log_p = gaussian.log_density(z1[None, :, None], smoothed[..., None], (0.5 * log_square).exp()[..., None])
    upper = mean + scale * noise
    log_ratio = 0.5 * (upper.square() - noise.square()) - log_scale
    # A constant of log p(z_1|z_2) is dropped, as in the closed form.
    return (log_ratio - log_p - gaussian.HALF_LOG_TWO_PI).mean(-1)


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw the trained top KL over the closed form at every length, and the gain over the profile."""
    from reproductions.hvae import _comparison_figures

    return _comparison_figures.mechanism_figures(table, style)


REPRODUCTION = Reproduction(
    id="hvae/linear_mechanism",
    title="The mechanism: a trained linear-Gaussian layer against its closed form",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(
        "reference/linear_gaussian.py",
        "reference/ornstein_uhlenbeck.py",
        "vaes/ops/gaussian.py",
        "vaes/ops/ornstein_uhlenbeck.py",
        "vaes/seeding.py",
    ),
)

"""Time of an ensemble against the same members as separate models, in one process on one thread.

The separate models are the textbook way: `torch.nn.Linear` layers, `torch.tanh`, one model after another, Adam (fused,
PyTorch's fastest). The recipe is the laptop one: 3 layers of 8 units, hidden 64, K = 5, batch 64, 12 values of rho x
5 seeds.
Run with ``python -m benchmarks.ensemble``; the exit status is 1 if the median ratio is below the bar.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from vaes import data
from vaes.ensembles import ensemble_trainer
from vaes.models.hvae import preset
from vaes.training import Member, Recipe

RHO = (0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.985, 0.99, 1.0)
BAR = 2.5


class TextbookHVAE(nn.Module):
    """The model as one would write it in a first script; nothing of `vaes` is used."""

    def __init__(self, data: int = 64, latents: int = 8, hidden: int = 64, depth: int = 3) -> None:
        super().__init__()

        def network(inputs: int, outputs: int) -> nn.Sequential:
            layers = (nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
            return nn.Sequential(*layers, nn.Linear(hidden, outputs))

        self.q = nn.ModuleList(network(data if i == 0 else latents, 2 * latents) for i in range(depth))
        self.p = nn.ModuleList(network(latents, 2 * latents) for _ in range(depth - 1))
        self.out = network(latents, data)

    def loss(self, x: Tensor, rho: float, samples: int) -> Tensor:
        """Negative smoothed objective of a batch."""
        z, kept, value = x, [], torch.zeros(len(x))
        for q in self.q:
            mean, scale = split(q(z))
            noise = torch.randn_like(mean)
            z = mean + scale * noise
            value = value - log_normal(z, mean, scale)
            kept.append((mean, scale, noise, z))
        value = value + log_normal(z, torch.zeros(()), torch.ones(()))
        for p, (_, _, _, below), (mean, scale, noise, above) in zip(self.p, kept[:-1], kept[1:], strict=True):
            if rho == 1:
                mean_p, scale_p = split(p(above))
            else:
                mixed = rho * noise + (1 - rho**2) ** 0.5 * torch.randn(samples, *noise.shape)
                mean_p, scale_p = split(p((mean + scale * mixed).flatten(0, 1)))
                mean_p = mean_p.unflatten(0, (samples, -1)).mean(0)
                scale_p = scale_p.unflatten(0, (samples, -1)).mean(0)
            value = value + log_normal(below, mean_p, scale_p)
        logits = self.out(kept[0][3])
        value = value - binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)
        return -value.mean()


def split(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale from a network's output."""
    mean, scale = raw.chunk(2, -1)
    return mean, softplus(scale + 0.5413) + 1e-3


def log_normal(z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Log density, summed over units."""
    return (-0.5 * ((z - mean) / scale) ** 2 - scale.log() - 0.9189385332046727).sum(-1)


def one_after_another(images: Tensor, seeds: int) -> Callable[[int], None]:
    """Function that trains every member for some steps, one model after another."""
    members = []
    for rho in [rho for _ in range(seeds) for rho in RHO]:
        model = TextbookHVAE()
        members.append((model, torch.optim.Adam(model.parameters(), lr=2e-3, fused=True), rho))

    def run(steps: int) -> None:
        for model, optimiser, rho in members:
            for _ in range(steps):
                loss = model.loss(images[torch.randint(len(images), (64,))], rho, 5)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()

    return run


def measure(run: Callable[[int], None], steps: int, members: int) -> float:
    """Milliseconds per member and step."""
    start = time.perf_counter()
    run(steps)
    return (time.perf_counter() - start) / (steps * members) * 1e3


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and compare with the bar."""
    parser = argparse.ArgumentParser(description="Ensemble against separate models, on one thread.")
    parser.add_argument("--seeds", type=int, default=5, help="seeds per rho (12 values)")
    parser.add_argument("--steps", type=int, default=20, help="steps per measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements, interleaved")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    digits = data.load("digits/static")
    members = [Member(rho, seed) for seed in range(options.seeds) for rho in RHO]
    trainer = ensemble_trainer(preset("tiny"), Recipe(), members, digits)
    separate = one_after_another(digits.train, options.seeds)
    trainer.run(10)
    separate(10)
    ensemble_ms, separate_ms = [], []
    for _ in range(options.repeats):
        ensemble_ms.append(measure(lambda n: trainer.run(trainer.step + n), options.steps, len(members)))
        separate_ms.append(measure(separate, options.steps, len(members)))
    ratios = [b / a for a, b in zip(ensemble_ms, separate_ms, strict=True)]
    median = statistics.median(ratios)
    print(f"{len(members)} members, tiny HVAE, K = 5, batch 64, one thread, {options.repeats} repeats (median [range])")
    for name, values in (("ensemble", ensemble_ms), ("one after another", separate_ms)):
        print(f"{name:18} {statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}] ms per member-step")
    print(f"{'ratio':18} {median:.2f} [{min(ratios):.2f}, {max(ratios):.2f}], bar {BAR}")
    return 0 if median >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())

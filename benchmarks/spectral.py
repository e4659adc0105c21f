"""Time of the spectral norms of many layers as one batched step against one call per layer, on one thread.

The textbook way is one layer after another: reshape, a few matrix-vector products, normalise, bilinear form, and the
sum over layers backwards through autograd. The layers are those of a small NVAE of two scales (8 and 16 channels, 4 in
each latent), the size that trains on a CPU: weights of a dozen shapes.
With wider layers the time goes into memory instead of calls, and the ratio falls, below the bar from 32 channels on:
see ``--channels``.
Four iterations per step, gradients included.
Run with ``python -m benchmarks.spectral``; the exit status is 1 if the median ratio is below the bar.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from vaes.ops import spectral

BAR = 3.0


def layer_shapes(channels: int, latents: int = 4) -> list[tuple[int, int, int]]:
    """Outputs, inputs per group and kernel size of the layers of a group, at both scales.

    Two regular cells, a separable cell, both combiners, posterior and prior head.
    """
    return [
        shape
        for w in (channels, 2 * channels)
        for shape in (
            *4 * [(w, w, 3)],
            *[(6 * w, w, 1), (6 * w, 1, 5), (w, 6 * w, 1)],
            *[(w, w, 1), (w, w + latents, 1), (2 * latents, w, 3), (2 * latents, w, 1)],
        )
    ]


def one_after_another(weights: list[Tensor], vectors: list[Tensor], iterations: int) -> Tensor:
    """Sum of the norms, one layer at a time; nothing of `vaes` is used."""
    total = torch.zeros(())
    for i, weight in enumerate(weights):
        matrix, left = weight.reshape(weight.shape[0], -1), vectors[i]
        with torch.no_grad():
            for _ in range(iterations):
                right = matrix.T @ left
                right = right / right.norm().clamp_min(1e-3)
                left = matrix @ right
                left = left / left.norm().clamp_min(1e-3)
            vectors[i] = left
        total = total + left @ (matrix @ right)
    return total


def batched(weights: list[Tensor], vectors: list[Tensor], iterations: int) -> Tensor:
    """Sum of the norms, layers with as many outputs together."""
    norms, vectors[:] = spectral.batched_step(weights, vectors, iterations)
    return norms.sum()


def measure(method: Callable, weights: list[Tensor], vectors: list[Tensor], iterations: int, steps: int) -> float:
    """Milliseconds of this process per step, forwards and backwards: with one thread, the time on an idle machine."""
    start = time.process_time()
    for _ in range(steps):
        torch.autograd.grad(method(weights, vectors, iterations), weights)
    return (time.process_time() - start) / steps * 1e3


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and compare with the bar."""
    parser = argparse.ArgumentParser(description="Batched spectral norms against one call per layer, on one thread.")
    parser.add_argument("--layers", type=int, default=100)
    parser.add_argument("--channels", type=int, default=8, help="channels at the finer scale")
    parser.add_argument("--iterations", type=int, default=4, help="repetitions of the power iteration per step")
    parser.add_argument("--steps", type=int, default=10, help="steps per measurement")
    parser.add_argument("--repeats", type=int, default=7, help="measurements, interleaved")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    kinds = layer_shapes(options.channels)
    shapes = [kinds[i % len(kinds)] for i in range(options.layers)]
    weights = [torch.randn(o, i, k, k).div_(k * i**0.5).requires_grad_() for o, i, k in shapes]
    start = [torch.randn(o) for o, _, _ in shapes]
    states = {batched: list(start), one_after_another: list(start)}
    values = [float(method(weights, state, options.iterations).detach()) for method, state in states.items()]
    if abs(values[0] / values[1] - 1) > 1e-5:
        raise RuntimeError(f"both ways must give one sum, got {values}")
    times: dict[Callable, list[float]] = {method: [] for method in states}
    for _ in range(options.repeats):
        for method, state in states.items():
            times[method].append(measure(method, weights, state, options.iterations, options.steps))
    ratios = [b / a for a, b in zip(times[batched], times[one_after_another], strict=True)]
    median = statistics.median(ratios)
    size = f"{options.layers} layers, {options.channels} channels, {options.iterations} iterations"
    print(f"{size}, one thread, {options.repeats} repeats (median [range])")
    for method, taken in times.items():
        name = method.__name__.replace("_", " ")
        print(f"{name:18} {statistics.median(taken):.2f} [{min(taken):.2f}, {max(taken):.2f}] ms per step")
    print(f"{'ratio':18} {median:.2f} [{min(ratios):.2f}, {max(ratios):.2f}], bar {BAR}")
    return 0 if median >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())

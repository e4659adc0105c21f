"""Time of parallel tempering with all temperatures at once against a loop over temperatures, on one thread.

The loop is the textbook way: for each temperature a block Gibbs update of its chains, for each pair of neighbours a
swap of the accepted ones. Both run in one process, use PyTorch and the same noise, and end in the same states, which is
checked first. The setting is that of the scaled-down models: a machine of 12 + 12 units, 16 temperatures, 16 systems.
Run with ``python -m benchmarks.tempering``; the exit status is 1 if the median ratio is below the bar.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from vaes.ops import tempering

BAR = 5.0
Sampler = Callable[..., tuple[Tensor, Tensor, Tensor]]


@torch.no_grad()
def loop_over_temperatures(
    right: Tensor,
    bias_left: Tensor,
    bias_right: Tensor,
    coupling: Tensor,
    inverse_temperatures: Tensor,
    uniforms_left: Tensor,
    uniforms_right: Tensor,
    uniforms_swap: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Parallel tempering as one would write it first; nothing of `vaes` is used."""
    temperatures = inverse_temperatures.tolist()
    rights = list(right.unbind(1))
    lefts = [torch.zeros(())] * len(temperatures)
    kept = []
    for sweep in range(len(uniforms_left)):
        energies = []
        for k, t in enumerate(temperatures):
            p = torch.sigmoid(t * (bias_left + rights[k] @ coupling.T))
            lefts[k] = (uniforms_left[sweep, :, k] < p).to(p)
            p = torch.sigmoid(t * (bias_right + lefts[k] @ coupling))
            rights[k] = (uniforms_right[sweep, :, k] < p).to(p)
            pairs = ((lefts[k] @ coupling) * rights[k]).sum(-1)
            energies.append(-(lefts[k] @ bias_left + rights[k] @ bias_right + pairs))
        kept.append(torch.stack(energies, 1))
        for k in range(sweep % 2, len(temperatures) - 1, 2):
            gain = (temperatures[k] - temperatures[k + 1]) * (energies[k] - energies[k + 1])
            swap = (uniforms_swap[sweep, :, k] < gain.clamp(max=0).exp())[:, None]
            for states in (lefts, rights):
                one, two = states[k], states[k + 1]
                states[k], states[k + 1] = torch.where(swap, two, one), torch.where(swap, one, two)
    return torch.stack(lefts, 1), torch.stack(rights, 1), torch.stack(kept)


def problem(units: int, rungs: int, systems: int, sweeps: int) -> tuple[Tensor, ...]:
    """Start, parameters, ladder and noise."""
    noise = torch.Generator().manual_seed(0)
    biases = (0.3 * torch.randn(units, generator=noise) for _ in range(2))
    coupling = torch.randn(units, units, generator=noise)
    shapes = ((units,), (units,))
    uniforms = (torch.rand(sweeps, systems, rungs, *shape, generator=noise) for shape in shapes)
    swap = torch.rand(sweeps, systems, rungs - 1, generator=noise)
    return torch.zeros(systems, rungs, units), *biases, coupling, torch.linspace(0, 1, rungs), *uniforms, swap


def sweeps_per_second(sampler: Sampler, arguments: tuple[Tensor, ...]) -> float:
    """Sweeps of all systems and temperatures per second."""
    start = time.perf_counter()
    sampler(*arguments)
    return len(arguments[-1]) / (time.perf_counter() - start)


def main(arguments: list[str] | None = None) -> int:
    """Check that both agree, measure, print, and compare with the bar."""
    parser = argparse.ArgumentParser(
        description="Parallel tempering at once against a loop over temperatures, on one thread."
    )
    parser.add_argument("--units", type=int, default=12, help="units per layer")
    parser.add_argument("--rungs", type=int, default=16, help="temperatures")
    parser.add_argument("--systems", type=int, default=16, help="independent systems")
    parser.add_argument("--sweeps", type=int, default=200, help="sweeps per measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements, interleaved")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    case = problem(options.units, options.rungs, options.systems, options.sweeps)
    double = tuple(value.double() for value in case)
    for at_once, looped in zip(tempering.parallel_tempering(*double), loop_over_temperatures(*double), strict=True):
        torch.testing.assert_close(at_once, looped)
    rates: dict[str, list[float]] = {"at once": [], "loop": []}
    for _ in range(options.repeats):
        rates["at once"].append(sweeps_per_second(tempering.parallel_tempering, case))
        rates["loop"].append(sweeps_per_second(loop_over_temperatures, case))
    ratios = [a / b for a, b in zip(rates["at once"], rates["loop"], strict=True)]
    median = statistics.median(ratios)
    print(
        f"{options.units}+{options.units} units, {options.rungs} temperatures, {options.systems} systems, one thread, "
        f"{options.repeats} repeats (median [range])"
    )
    for name, values in rates.items():
        print(f"{name:8} {statistics.median(values):.0f} [{min(values):.0f}, {max(values):.0f}] sweeps/s")
    print(f"{'ratio':8} {median:.2f} [{min(ratios):.2f}, {max(ratios):.2f}], bar {BAR}")
    return 0 if median >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())

"""Mixture of discretised logistics, forward and backward: time and saved memory against the textbook composition.

Run ``python -m benchmarks.mixture_of_logistics``. Both sides see the same numbers in the same run; the ratios are what
counts. The textbook is the form of the public codes: autograd through clamp, tanh, sigmoid differences with a threshold
and a density below it. Two uses: parameters in tensors of their own, and in one tensor of 100 channels, as a network
gives them, whose parts and gradients are taken apart and put together in the measured time.

Bytes are those of the tensors that autograd keeps between the passes, each storage once, arguments included; the
growth leaves out the arguments, which may live anyway. The exit status is 1 if the time or the bytes of a use miss
their bar.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from vaes.ops.likelihoods import mixture_of_logistics, split_mixture

BATCH, SIZE, COMPONENTS, FLOOR = 16, 32, 10, -7.0
REPEATS = 15
FASTER, SMALLER = 2.0, 0.25
Way = Callable[..., Tensor]


def textbook(codes: Tensor, logits: Tensor, means: Tensor, log_scales: Tensor, coefficients: Tensor) -> Tensor:
    """Log mass per pixel with plain torch calls and autograd."""
    x = (codes.to(means.dtype) / 127.5 - 1)[:, :, None]
    log_scales = log_scales.clamp(min=FLOOR)
    c = torch.tanh(coefficients)
    green = means[:, 1] + c[:, 0] * x[:, 0]
    blue = means[:, 2] + c[:, 1] * x[:, 0] + c[:, 2] * x[:, 1]
    centred = x - torch.stack([means[:, 0], green, blue], 1)
    inverse = torch.exp(-log_scales)
    upper, lower, middle = inverse * (centred + 1 / 255), inverse * (centred - 1 / 255), inverse * centred
    difference = torch.sigmoid(upper) - torch.sigmoid(lower)
    density = middle - log_scales - 2 * softplus(middle)
    inside = torch.where(difference > 1e-5, torch.log(difference.clamp(min=1e-12)), density - 4.8481164)
    first, last = upper - softplus(upper), -softplus(lower)
    masses = torch.where(x < -0.999, first, torch.where(x > 0.999, last, inside))
    return torch.logsumexp(log_softmax(logits, 1) + masses.sum(1), 1)


def ours(codes: Tensor, logits: Tensor, means: Tensor, log_scales: Tensor, coefficients: Tensor) -> Tensor:
    """Log mass per pixel with the library's function."""
    return mixture_of_logistics(codes, logits, means, log_scales, coefficients, floor=FLOOR)


def textbook_packed(codes: Tensor, outputs: Tensor) -> Tensor:
    """The same from the channels of a network's output."""
    logits, rest = outputs.split([COMPONENTS, 9 * COMPONENTS], 1)
    return textbook(codes, logits, *rest.reshape(len(outputs), 3, 3, COMPONENTS, *outputs.shape[2:]).unbind(2))


def ours_packed(codes: Tensor, outputs: Tensor) -> Tensor:
    """The same from the channels of a network's output."""
    return ours(codes, *split_mixture(outputs, COMPONENTS, 3, True))


def seconds(function: Way, codes: Tensor, parameters: list[Tensor]) -> float:
    """Processor time of one forward and backward pass."""
    start = time.process_time()
    torch.autograd.grad(function(codes, *parameters).sum(), parameters)
    return time.process_time() - start


def saved_bytes(function: Way, codes: Tensor, parameters: list[Tensor]) -> tuple[int, int]:
    """Bytes of the storages that autograd keeps between forward and backward: all, and without the arguments."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = function(codes, *parameters)
    # The graph must live until here, or a freed storage's address would be used again.
    del result
    arguments = {tensor.untyped_storage().data_ptr() for tensor in (codes, *parameters)}
    return sum(storages.values()), sum(size for place, size in storages.items() if place not in arguments)


def inputs() -> tuple[Tensor, list[Tensor]]:
    """Codes, and parameters with locations about the targets and scales about a tenth."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), generator=generator)
    logits = torch.randn(BATCH, COMPONENTS, SIZE, SIZE, generator=generator)
    means, log_scales, coefficients = torch.randn(3, BATCH, 3, COMPONENTS, SIZE, SIZE, generator=generator)
    return codes, [p.clone().requires_grad_() for p in (logits, means, log_scales - 2, coefficients)]


def packed(parameters: list[Tensor]) -> list[Tensor]:
    """The parameters as one tensor, in the channels' order of a network's output."""
    logits, *others = (p.detach() for p in parameters)
    return [torch.cat([logits, torch.stack(others, 2).flatten(1, 3)], 1).requires_grad_()]


def measure(repeats: int = REPEATS) -> dict[str, dict[str, float]]:
    """For each use: median times and ratio of interleaved repeats, saved bytes, largest difference of log masses."""
    codes, parameters = inputs()
    uses: dict[str, tuple[Way, Way, list[Tensor]]] = {
        "separate": (textbook, ours, parameters),
        "packed": (textbook_packed, ours_packed, packed(parameters)),
    }
    found = {}
    for use, (theirs, own, arguments) in uses.items():
        difference = (own(codes, *arguments) - theirs(codes, *arguments)).abs().max()
        pairs = [(seconds(theirs, codes, arguments), seconds(own, codes, arguments)) for _ in range(repeats)]
        times = (statistics.median(side) for side in zip(*pairs, strict=True))
        kept = [saved_bytes(function, codes, arguments) for function in (theirs, own)]
        found[use] = {
            **dict(zip(("textbook_seconds", "seconds"), times, strict=True)),
            "times_faster": statistics.median(a / b for a, b in pairs),
            **dict(zip(("textbook_bytes", "bytes"), (k[0] for k in kept), strict=True)),
            "bytes_ratio": kept[1][0] / kept[0][0],
            "growth_ratio": kept[1][1] / kept[0][1],
            "difference": float(difference.detach()),
        }
    return found


def main() -> int:
    torch.set_num_threads(1)
    uses = measure()
    print(f"batch {BATCH}, {SIZE}x{SIZE}x3, {COMPONENTS} components, float32, one thread, {REPEATS} repeats (medians)")
    for use, found in uses.items():
        print(f"{use} parameters")
        print(f"  time   textbook {found['textbook_seconds']:.4f} s, ours {found['seconds']:.4f} s")
        print(f"         {found['times_faster']:.2f} times faster (bar: {FASTER:g})")
        print(f"  saved  textbook {found['textbook_bytes'] / 2**20:.1f} MiB, ours {found['bytes'] / 2**20:.1f} MiB")
        print(f"         ratio {found['bytes_ratio']:.3f} (bar: {SMALLER:g}), growth {found['growth_ratio']:.3f}")
        print(f"  log masses differ by at most {found['difference']:.2g} nats")
    return int(any(f["times_faster"] < FASTER or f["bytes_ratio"] > SMALLER for f in uses.values()))


if __name__ == "__main__":
    sys.exit(main())

"""Mixture of discretised logistics, forward and backward: time and saved memory against the textbook composition.

Run ``python -m benchmarks.mixture_of_logistics``. Both sides see the same numbers in the same run; the ratios are what
counts. The textbook is the form of the public codes: autograd through clamp, tanh, sigmoid differences with a threshold
and a density below it. Bytes are those of the tensors that autograd keeps between the passes, each storage once. The
exit status is 1 if a bar is missed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from vaes.ops.likelihoods import mixture_of_logistics

BATCH, SIZE, COMPONENTS, FLOOR = 16, 32, 10, -7.0
REPEATS = 15
FASTER, SMALLER = 2.0, 0.25


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


def seconds(function: Callable[..., Tensor], codes: Tensor, parameters: list[Tensor]) -> float:
    """Processor time of one forward and backward pass."""
    start = time.process_time()
    torch.autograd.grad(function(codes, *parameters).sum(), parameters)
    return time.process_time() - start


def saved_bytes(function: Callable[..., Tensor], codes: Tensor, parameters: list[Tensor]) -> int:
    """Bytes of the storages that autograd keeps between forward and backward."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = function(codes, *parameters)
    # The graph must live until here, or a freed storage's address would be used again.
    del result
    return sum(storages.values())


def inputs() -> tuple[Tensor, list[Tensor]]:
    """Codes, and parameters with locations about the targets and scales about a tenth."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), generator=generator)
    logits = torch.randn(BATCH, COMPONENTS, SIZE, SIZE, generator=generator)
    means, log_scales, coefficients = torch.randn(3, BATCH, 3, COMPONENTS, SIZE, SIZE, generator=generator)
    return codes, [p.clone().requires_grad_() for p in (logits, means, log_scales - 2, coefficients)]


def measure(repeats: int = REPEATS) -> dict[str, float]:
    """Median time ratio over interleaved repeats, ratio of saved bytes, largest difference of the log masses."""
    codes, parameters = inputs()
    difference = (ours(codes, *parameters) - textbook(codes, *parameters)).abs().max()
    pairs = [(seconds(textbook, codes, parameters), seconds(ours, codes, parameters)) for _ in range(repeats)]
    theirs, own = (statistics.median(side) for side in zip(*pairs, strict=True))
    kept = [saved_bytes(function, codes, parameters) for function in (textbook, ours)]
    return {
        "textbook_seconds": theirs,
        "seconds": own,
        "times_faster": statistics.median(a / b for a, b in pairs),
        "textbook_bytes": kept[0],
        "bytes": kept[1],
        "bytes_ratio": kept[1] / kept[0],
        "difference": float(difference.detach()),
    }


def main() -> int:
    torch.set_num_threads(1)
    found = measure()
    print(f"batch {BATCH}, {SIZE}x{SIZE}x3, {COMPONENTS} components, float32, one thread")
    print(f"time   textbook {found['textbook_seconds']:.4f} s, ours {found['seconds']:.4f} s")
    print(f"       {found['times_faster']:.2f} times faster (bar: {FASTER:g})")
    print(f"saved  textbook {found['textbook_bytes'] / 2**20:.1f} MiB, ours {found['bytes'] / 2**20:.1f} MiB")
    print(f"       ratio {found['bytes_ratio']:.3f} (bar: {SMALLER:g})")
    print(f"log masses differ by at most {found['difference']:.2g} nats")
    return int(found["times_faster"] < FASTER or found["bytes_ratio"] > SMALLER)


if __name__ == "__main__":
    sys.exit(main())

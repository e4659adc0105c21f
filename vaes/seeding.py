"""Random streams by name.

Every random number of a run comes from a stream that is named by the run's root seed and a path of words, for example
``stream(1000, "noise")``. Streams do not depend on the order in which they are asked for, and a new stream never moves
an old one. The global generators of PyTorch and NumPy are not touched, except inside `global_generators`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def stream(root: int, *names: str | int, device: str | torch.device = "cpu") -> torch.Generator:
    """Return the PyTorch generator named ``(root, *names)``.

    Parameters
    ----------
    root : int
        Root seed of the run, any integer.
    *names : str or int
        Path of the stream; ``"1"`` and ``1`` are different names.
    device : str or torch.device
        Where the generator lives. CPU and CUDA generators of one name draw different numbers.

    Raises
    ------
    ValueError
        If the root or a name is not of the types above.
    """
    # The CPU engine of PyTorch keeps 32 bits of a seed, so more would only look stronger than it is.
    seed = int.from_bytes(_digest(root, names)[:4], "big")
    return torch.Generator(device=device).manual_seed(seed)


def numpy_stream(root: int, *names: str | int) -> np.random.Generator:
    """Return the NumPy generator named ``(root, *names)`` (PCG64 seeded with 256 bits)."""
    return np.random.Generator(np.random.PCG64(np.frombuffer(_digest(root, names), dtype=">u4").astype(np.uint32)))


@contextmanager
def global_generators(generator: torch.Generator) -> Iterator[None]:
    """Inside the block PyTorch's global generators draw from the seed of ``generator``; afterwards they are as before.

    For operations that take no generator, such as dropout. Other devices than that of ``generator`` are left alone.
    """
    seed, cuda = generator.initial_seed(), generator.device.type == "cuda"
    with torch.random.fork_rng([generator.device] if cuda else []):
        # Not torch.manual_seed: it seeds every device, and takes a stack trace per kind of device that is not there.
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(generator.device):
                torch.cuda.manual_seed(seed)
        yield


def _digest(root: int, names: tuple[str | int, ...]) -> bytes:
    if isinstance(root, bool) or not isinstance(root, int):
        raise ValueError(f"root must be an integer, got {root!r}")
    for name in names:
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise ValueError(f"names of a stream must be strings or integers, got {name!r}")
    return hashlib.sha256(json.dumps([root, *names], ensure_ascii=True).encode()).digest()

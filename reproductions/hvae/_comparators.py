"""The comparators of Tables 5 and 6 in their public CIFAR-10 configuration, as tables of convolutions.

Fifteen stages, bottom to top. A stage is made of gated residual blocks (a convolution, a skip input by a further one,
a convolution to twice the width), convolutions that make latents as large as the map, and blocks that merge the two
directions. Only what has parameters is listed; nothing here runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from reference import architecture

Layer = tuple[int, int, int, int, int, int]

FILTERS = 96
IMAGE_CHANNELS, OUTPUTS = 3, 100
LATENTS = tuple(range(38, 8, -2))
"""Latents of each stage; their number is the number of stochastic layers."""
HALVING = (1, 11, 15)
MAP_SIDES = (16,) * 10 + (8,) * 4 + (4,)
FIRST_KERNEL, KERNEL = 5, 3


def parameters(model: str, *, gains: bool = True) -> int:
    """Number of parameters of "LVAE" or "BIVA", with or without the gains of weight normalisation."""
    stages = {"LVAE": _lvae_stage, "BIVA": _biva_stage}[model]
    layers = [layer for stage in range(1, len(LATENTS) + 1) for layer in stages(stage)]
    layers.append(_convolution(FILTERS, OUTPUTS, 1))
    return int(architecture.parameter_count([(*layer[:-1], int(gains)) for layer in layers], []))


def _convolution(inputs: int, outputs: int, kernel: int) -> Layer:
    return (inputs, outputs, kernel, 1, 1, 1)


def _block(inputs: int, kernel: int, skip: int = 0, skip_kernel: int = 1) -> Iterator[Layer]:
    """Gated residual block with ``skip`` channels of a skip input, none by default."""
    yield _convolution(inputs, FILTERS, kernel)
    yield _convolution(FILTERS, 2 * FILTERS, kernel)
    if skip:
        yield _convolution(skip, FILTERS, skip_kernel)


def _latent(stage: int) -> Layer:
    """Mean and scale of a latent, from the whole map."""
    return _convolution(FILTERS, 2 * LATENTS[stage - 1], MAP_SIDES[stage - 1])


def _kernel(stage: int) -> int:
    return FIRST_KERNEL if stage == 1 else KERNEL


def _resized_kernel(stage: int) -> int:
    """Kernel of a skip input where the map changes its size within the stage, 1 elsewhere."""
    return _kernel(stage) if stage in HALVING else 1


def _lvae_stage(stage: int) -> Iterator[Layer]:
    top, kernel = stage == len(LATENTS), _kernel(stage)
    yield from _three(IMAGE_CHANNELS if stage == 1 else FILTERS, kernel, FILTERS if stage > 1 else 0, (1, 1, 1))
    yield from [_latent(stage)] * (1 if top else 2)
    yield from _generative(stage, LATENTS[stage - 1])
    yield from _block(FILTERS, kernel, 0 if top else FILTERS)


def _biva_stage(stage: int) -> Iterator[Layer]:
    top, kernel, resized = stage == len(LATENTS), _kernel(stage), _resized_kernel(stage)
    below = IMAGE_CHANNELS if stage == 1 else LATENTS[stage - 2]
    yield from _three(below, kernel, 2 * FILTERS if stage > 1 else 0, (1, 1, 1))
    yield from _three(IMAGE_CHANNELS if stage == 1 else FILTERS, kernel, FILTERS, (resized,) * 3)
    if top:
        yield from _block(2 * FILTERS, kernel)
        yield _latent(stage)
    else:
        yield from [_latent(stage)] * 4
        yield from _block(FILTERS, KERNEL, FILTERS)
    yield from _generative(stage, LATENTS[stage - 1] * (1 if top else 2))


def _three(inputs: int, kernel: int, skip: int, skip_kernels: tuple[int, int, int]) -> Iterator[Layer]:
    """Three gated blocks, the first of which changes the width."""
    for width, skip_kernel in zip((inputs, FILTERS, FILTERS), skip_kernels, strict=True):
        yield from _block(width, kernel, skip, skip_kernel)


def _generative(stage: int, latents: int) -> Iterator[Layer]:
    """The blocks of p: skips from above, except at the top."""
    resized = _resized_kernel(stage)
    skip = 0 if stage == len(LATENTS) else FILTERS
    yield from _three(latents, _kernel(stage), skip, (1, resized, resized))

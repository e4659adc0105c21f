"""Accounting of architectures: parameters, latent dimensions, groups, receptive field, cost, memory, throughput.

A network is an integer table of its convolutions, one row each: inputs, outputs, kernel size, groups, bias, gain. The
counts of the named systems come from closed forms per block; the conformance suite counts every tensor instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def parameter_count(convolutions: Tensor, others: Tensor) -> Tensor:
    """Number of parameters of a table of convolutions (N, 6) and of tensors of the sizes ``others``."""
    _, outputs, _, _, bias, gain = convolutions.unbind(-1)
    return _weights(convolutions).sum() + ((bias + gain) * outputs).sum() + others.sum()


def multiply_adds(convolutions: Tensor, positions: Tensor) -> Tensor:
    """Multiply-adds of a table of convolutions (N, 6) at ``positions`` (N,) outputs each."""
    return torch.sum(_weights(convolutions) * positions)


def groups_per_scale(groups: int, scales: int, adaptive: bool, least: int) -> Tensor:
    """Latent groups at each scale, fine to coarse; adaptive ones are halved down to ``least``."""
    counts = torch.full((scales,), groups)
    if not adaptive:
        return counts
    return torch.bitwise_right_shift(counts, torch.arange(scales)).clamp_min(least)


def channel_schedule(channels: int, halvings: int) -> Tensor:
    """Channels at each resolution, doubled at every halving of the map."""
    return torch.bitwise_left_shift(torch.full((halvings + 1,), channels), torch.arange(halvings + 1))


def scale_sizes(resolution: int, halvings: int, scales: int) -> Tensor:
    """Sides of the maps at each latent scale, fine to coarse."""
    return torch.bitwise_right_shift(torch.full((scales,), resolution), halvings + torch.arange(scales))


def latent_dims(groups: Tensor, channels: Tensor, sizes: Tensor) -> Tensor:
    """Number of latent variables per image."""
    return (groups * channels * sizes.square()).sum()


def layer_count(extra: Tensor) -> Tensor:
    """Stochastic layers of a hierarchy with ``extra`` layers on top of one at each link."""
    return extra.sum() + extra.numel()


def nvae_parameter_count(
    image_channels: int,
    outputs: int,
    channels: int,
    pre_blocks: int,
    pre_cells: int,
    groups: Sequence[int],
    latents: int,
    flow_pairs: int,
    top: int,
    cells: int = 2,
) -> Tensor:
    """Number of parameters of an NVAE (regular encoder cells, separable decoder cells); ``groups`` fine to coarse."""
    n, scales = latents, len(groups)
    ends = 9 * image_channels * channels + 2 * channels + 9 * channels * outputs + 2 * outputs
    outside = 0
    for block in range(pre_blocks):
        c = channels << block
        outside += (
            (pre_cells - 1) * (_regular(c, c) + _separable(c, c, 3)) + _regular(c, 2 * c) + _separable(2 * c, c, 3)
        )
    w_top = channels << (pre_blocks + scales - 1)
    tower = w_top * top * top + w_top * w_top + 2 * w_top
    for scale, count in enumerate(groups):
        w = channels << (pre_blocks + scale)
        last = scale == scales - 1
        posterior, combiner, decoder_combiner = 18 * n * w + 4 * n, w * w + 2 * w, (w + n) * w + 2 * w
        prior, flow = 2 * n * w + 4 * n, 2 * flow_pairs * (60 * n * n + 164 * n)
        tower += count * (cells * _regular(w, w) + posterior + decoder_combiner + flow)
        tower += (count - last) * (combiner + prior + cells * _separable(w, w, 6))
        tower += 0 if last else _regular(w, 2 * w) + _separable(2 * w, w, 6)
    return torch.tensor(ends + outside + tower)


def efficient_vdvae_parameter_count(table: Tensor, image_channels: int, outputs: int) -> Tensor:
    """Number of parameters of an Efficient-VDVAE; rows are side, bottom-up, links, top-down, width, middle, latents."""
    side, up, links, down, w, m, v = table.unbind(-1)
    inside = 2 * (torch.where(side == 1, 1, 9) * m * m + m)
    residual = 2 * w * m + m + w + inside
    bottom_up = up * residual + links * (w * w + w)
    cells = 2 * residual + 2 * w * m + m * w + m + w + inside + w * m + w
    top_down = down * (cells + 2 * (2 * w * v + 2 * v) + w * v + w)
    stride = torch.div(side[:-1], side[1:], rounding_mode="floor")
    pools = stride.square() * w[:-1] * w[1:] + w[1:]
    unpools = w[1:] * w[:-1] + w[:-1] + w[:-1] * side[:-1].square()
    ends = image_channels * w[0] + w[0] + w[-1] + outputs * w[0] + outputs
    return (bottom_up + top_down).sum() + (pools + unpools).sum() + ends


def vdvae_parameter_count(table: Tensor, width: int, latents: int) -> Tensor:
    """Number of parameters of a VDVAE for colour images; rows are side, encoder blocks, decoder layers."""
    side, encoder, decoder = table.unbind(-1)
    w, m, v = width, width // 4, latents
    inside = 2 * (torch.where(side > 2, 9, 1) * m * m + m)
    cell = 2 * w * m + m + w + inside
    posterior, prior = 2 * w * m + m + 2 * v * (m + 1) + inside, w * m + m + (2 * v + w) * (m + 1) + inside
    biases = torch.where(side <= 64, side.square() * w, 0)
    return (encoder * cell + decoder * (posterior + prior + cell + v * w + w) + biases).sum() + 130 * w + 100


def receptive_field(kernels: Tensor, strides: Tensor) -> Tensor:
    """Side of the square of inputs that one output of a chain of convolutions sees."""
    jumps = torch.cat([torch.ones_like(strides[:1]), strides[:-1]]).cumprod(0)
    return 1 + ((kernels - 1) * jumps).sum()


def saved_maps(cell: str, expansion: int, fused: bool, squeeze: bool) -> Tensor:
    """Feature maps that a residual cell keeps for the backward pass, in units of its input."""
    maps = {"separable": 3 + (4 if fused else 6) * expansion, "regular": 4 if fused else 6, "plain": 4}
    return torch.tensor(maps[cell] + squeeze)


def activation_bytes(elements: Tensor, widths: Tensor, batch: int) -> Tensor:
    """Bytes of the tensors kept for the backward pass: elements per image, bytes per element, images."""
    return (batch * elements * widths).sum()


def training_bytes(
    activation: Tensor, batch: Tensor, parameters: Tensor, replicas: Tensor, per_parameter: Tensor, overhead: Tensor
) -> Tensor:
    """Bytes of training: activations of the batch, and on each device its copy of the parameters and an overhead."""
    return torch.addcmul(batch * activation, replicas, torch.addcmul(overhead, per_parameter, parameters))


def throughput(images: Tensor, epochs: Tensor, hours: Tensor) -> Tensor:
    """Images per second of a training run."""
    return images / 3600 * epochs / hours


def capacity_gain(savings: Tensor) -> Tensor:
    """Factor by which a batch can grow when memory is saved in steps, in the logarithm."""
    return (-torch.log1p(-savings).sum()).exp()


def gain(baseline: Tensor, ours: Tensor) -> Tensor:
    """How many times less than the baseline a model needs."""
    return baseline / ours


def images_seen(batch: Tensor, iterations: Tensor) -> Tensor:
    """Images that training has seen."""
    return batch * iterations


def seconds_per_update(hours: Tensor, iterations: Tensor) -> Tensor:
    """Seconds of one update."""
    return hours / iterations * 3600


def compute_overhead(samples: Tensor, encoder: Tensor, upper: Tensor, bottom: Tensor) -> Tensor:
    """Cost of a smoothed hierarchy in units of the unsmoothed one."""
    return (encoder + samples * upper + bottom) / (encoder + upper + bottom)


def _weights(convolutions: Tensor) -> Tensor:
    inputs, outputs, kernel, groups = convolutions.unbind(-1)[:4]
    return torch.div(inputs * outputs, groups, rounding_mode="floor") * kernel.square()


def _squeeze(c: int) -> int:
    hidden = max(c // 16, 4)
    return 2 * c * hidden + hidden + c


def _regular(a: int, b: int) -> int:
    """Regular cell; where the width doubles, with its down-sampling skip."""
    return 9 * a * b + 9 * b * b + 2 * a + 6 * b + _squeeze(b) + (0 if a == b else 2 * a * a + 4 * a)


def _separable(a: int, b: int, expansion: int) -> int:
    """Separable cell; where the width is halved, with its up-sampling skip."""
    wide = expansion * a
    return wide * (a + b + 29) + 2 * a + 2 * b + _squeeze(b) + (0 if a == b else a * b + b)

"""Faults of the accounting."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import architecture


@killed_by("test_parameters_add_over_layers")
def parameter_count__others_twice(convolutions, others):
    return architecture.parameter_count(convolutions, 2 * others)


@killed_by("test_value")
def parameter_count__groups_ignored(convolutions, others):
    inputs, outputs, kernel, _, bias, gain = convolutions.unbind(-1)
    return (inputs * outputs * kernel.square() + (bias + gain) * outputs).sum() + others.sum()


@killed_by("test_depthwise_costs_a_channel_number_less")
def multiply_adds__groups_ignored(convolutions, positions):
    inputs, outputs, kernel = convolutions.unbind(-1)[:3]
    return (inputs * outputs * kernel.square() * positions).sum()


@killed_by("test_value")
def multiply_adds__kernel_not_squared(convolutions, positions):
    inputs, outputs, kernel, groups = convolutions.unbind(-1)[:4]
    return (inputs * outputs // groups * kernel * positions).sum()


@killed_by("test_value")
def groups_per_scale__rounded_up(groups, scales, adaptive, least):
    counts = architecture.groups_per_scale(groups + 1, scales, adaptive, least)
    return counts if adaptive else counts - 1


@killed_by("test_groups_per_scale_never_grow_with_coarseness")
def groups_per_scale__coarse_to_fine(groups, scales, adaptive, least):
    return architecture.groups_per_scale(groups, scales, adaptive, least).flip(0)


@killed_by("test_value")
def channel_schedule__halved(channels, halvings):
    return architecture.channel_schedule(channels, halvings).flip(0)


@killed_by("test_value")
def scale_sizes__pre_processing_forgotten(resolution, halvings, scales):
    return architecture.scale_sizes(resolution, 0, scales)


@killed_by("test_value")
def latent_dims__side_not_squared(groups, channels, sizes):
    return (groups * channels * sizes).sum()


@killed_by("test_value")
def layer_count__links_forgotten(extra):
    return extra.sum()


@killed_by("test_value")
def nvae_parameter_count__prior_head_for_the_first_group(
    image_channels, outputs, channels, pre_blocks, pre_cells, groups, latents, flow_pairs, top, cells=2
):
    right = architecture.nvae_parameter_count(
        image_channels, outputs, channels, pre_blocks, pre_cells, groups, latents, flow_pairs, top, cells
    )
    return right + 2 * latents * (channels << (pre_blocks + len(groups) - 1)) + 4 * latents


@killed_by("test_value")
def nvae_parameter_count__steps_for_pairs(
    image_channels, outputs, channels, pre_blocks, pre_cells, groups, latents, flow_pairs, top, cells=2
):
    return architecture.nvae_parameter_count(
        image_channels, outputs, channels, pre_blocks, pre_cells, groups, latents, 2 * flow_pairs, top, cells
    )


@killed_by("test_value")
def efficient_vdvae_parameter_count__pool_as_printed(table, image_channels, outputs):
    """Appendix A.1 takes the pooling for a 1x1 convolution."""
    right = architecture.efficient_vdvae_parameter_count(table, image_channels, outputs)
    side, width = table[:, 0], table[:, 4]
    stride = torch.div(side[:-1], side[1:], rounding_mode="floor")
    return right - ((stride.square() - 1) * width[:-1] * width[1:]).sum()


@killed_by("test_value")
def efficient_vdvae_parameter_count__position_bias_forgotten(table, image_channels, outputs):
    right = architecture.efficient_vdvae_parameter_count(table, image_channels, outputs)
    return right - (table[:-1, 4] * table[:-1, 0].square()).sum()


@killed_by("test_value")
def vdvae_parameter_count__biases_at_all_resolutions(table, width, latents):
    wide = torch.where(table[:, 0] > 64, table[:, 0].square() * width, 0).sum()
    return architecture.vdvae_parameter_count(table, width, latents) + wide


@killed_by("test_value")
def receptive_field__own_stride_first(kernels, strides):
    return 1 + ((kernels - 1) * strides.cumprod(0)).sum()


@killed_by("test_value")
def saved_maps__nothing_saved_by_fusing(cell, expansion, fused, squeeze):
    return architecture.saved_maps(cell, expansion, False, squeeze)


@killed_by("test_activation_bytes_are_linear_in_the_batch")
def activation_bytes__batch_squared(elements, widths, batch):
    return batch * architecture.activation_bytes(elements, widths, batch)


@killed_by("test_value")
def training_bytes__one_replica(activation, batch, parameters, replicas, per_parameter, overhead):
    return batch * activation + per_parameter * parameters + overhead


@killed_by("test_training_bytes_are_affine_in_every_argument")
def training_bytes__activations_on_every_device(activation, batch, parameters, replicas, per_parameter, overhead):
    right = architecture.training_bytes(activation, batch, parameters, replicas, per_parameter, overhead)
    return right + batch * activation * replicas.square()


@killed_by("test_value")
def throughput__minutes(images, epochs, hours):
    return architecture.throughput(images, epochs, hours) * 60


@killed_by("test_value")
def capacity_gain__savings_added(savings):
    return 1 + savings.sum()


@killed_by("test_value")
def gain__inverted(baseline, ours):
    return ours / baseline


@killed_by("test_value")
def images_seen__epochs(batch, iterations):
    return iterations


@killed_by("test_value")
def seconds_per_update__hours(hours, iterations):
    return hours / iterations


@killed_by("test_compute_overhead_is_affine_in_the_samples")
def compute_overhead__unsmoothed_pass_too(samples, encoder, upper, bottom):
    return architecture.compute_overhead(samples + 1, encoder, upper, bottom)


@killed_by("test_value")
def compute_overhead__bottom_smoothed(samples, encoder, upper, bottom):
    return 1 + (samples - 1) * (upper + bottom) / (encoder + upper + bottom)

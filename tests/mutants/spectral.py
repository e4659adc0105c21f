"""Faults of the spectral norms."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import spectral


@killed_by("test_value")
def power_iteration__one_iteration_always(weight, vector, iterations):
    return spectral.power_iteration(weight, vector, 1)


@killed_by("test_power_iteration_gives_unit_vectors")
def power_iteration__not_normalised(weight, vector, iterations):
    right = weight.flatten(1).T @ vector
    return weight.flatten(1) @ right, right


@killed_by("test_value")
def power_iterations__vectors_of_the_first_layer(weights, vectors, iterations):
    found = spectral.power_iterations(weights, vectors, iterations)
    return tuple(
        found[i - i % len(weights)] if found[i].shape == found[i - i % len(weights)].shape else found[i]
        for i in range(len(found))
    )


@killed_by("test_gradient_of_norm_estimate_is_the_outer_product")
def norm_estimate__frobenius_norm(weight, left, right):
    return weight.flatten(1).square().sum().sqrt()


@killed_by("test_gradient")
def norm_estimate__weight_detached(weight, left, right):
    return spectral.norm_estimate(weight.detach(), left, right)


@killed_by("test_value")
def regulariser__mean_for_sum(weights, vectors, iterations):
    return spectral.regulariser(weights, vectors, iterations) / len(weights)


@killed_by("test_value")
def regulariser__squared_norms(weights, vectors, iterations):
    return spectral.batched_step(weights, vectors, iterations)[0].square().sum()


@killed_by("test_gradient_of_the_regulariser_lifts_one_direction")
def regulariser__gradient_detached_in_part(weights, vectors, iterations):
    value = spectral.regulariser(weights, vectors, iterations)
    return 0.5 * (value + value.detach())


@killed_by("test_value")
def conv_norm__reshaped_weight(weight, height, width):
    return torch.linalg.svdvals(weight.flatten(1)).amax()


@killed_by("test_value")
def conv_norm__mean_frequency(weight, height, width):
    blocks = torch.fft.fft2(weight, (height, width)).permute(2, 3, 0, 1)
    return torch.linalg.svdvals(blocks).amax(-1).mean()


@killed_by("test_value")
def conv_norm_estimate__squared(weight, start, iterations):
    return spectral.conv_norm_estimate(weight, start, iterations).square()


@killed_by("test_lipschitz_bounds_differ_by_the_kernel_size")
def lipschitz_bounds__kernel_area(weight, groups):
    lower, _ = spectral.lipschitz_bounds(weight, groups)
    return lower, weight.shape[-1] ** 2 * lower


@killed_by("test_value")
def lipschitz_bounds__groups_ignored(weight, groups):
    return spectral.lipschitz_bounds(weight, 1)


@killed_by("test_network_bound_grows_with_every_norm")
def network_bound__sum_for_product(norms):
    return norms.sum()

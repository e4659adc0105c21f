"""Faults of the flows."""

from __future__ import annotations

from tests.mutants import killed_by
from vaes.ops import flows


@killed_by("test_dense_mask_shrinks_when_strict")
def dense_mask__never_strict(inputs, outputs, blocks, size, strict, mirrored):
    return flows.dense_mask(inputs, outputs, blocks, size, False, mirrored)


@killed_by("test_value")
def dense_mask__channels_mirrored_too(inputs, outputs, blocks, size, strict, mirrored):
    mask = flows.dense_mask(inputs, outputs, blocks, size, strict, mirrored)
    return mask.flip(0, 1) if mirrored else mask


@killed_by("test_value")
def depthwise_mask__centre_always_seen(channels, size, strict, mirrored):
    return flows.depthwise_mask(channels, size, False, mirrored)


@killed_by("test_later_pixels_never_change_earlier_outputs_of_the_shift")
def autoregressive_shift__direction_reversed(z, weights, bias, mirrored):
    return flows.autoregressive_shift(z, weights, bias, not mirrored)


@killed_by("test_value")
def autoregressive_shift__bias_missing(z, weights, bias, mirrored):
    return flows.autoregressive_shift(z, weights, 0 * bias, mirrored)


@killed_by("test_additive_step_leaves_the_first_variable_to_the_bias")
def additive_step__subtracted(z, weights, bias, mirrored):
    return z - flows.autoregressive_shift(z, weights, bias, mirrored)


@killed_by("test_gradient")
def additive_step__shift_detached(z, weights, bias, mirrored):
    return z + flows.autoregressive_shift(z, weights, bias, mirrored).detach()


@killed_by("test_value")
def affine_step__determinant_of_the_inverse(z, weights, bias, mirrored, bound=5.0):
    moved, log_determinant = flows.affine_step(z, weights, bias, mirrored, bound)
    return moved, -log_determinant


@killed_by("test_affine_step_of_unit_scale_is_additive")
def affine_step__shift_scaled_twice(z, weights, bias, mirrored, bound=5.0):
    moved, log_determinant = flows.affine_step(z, weights, bias, mirrored, bound)
    return moved + (moved - z), log_determinant


@killed_by("test_value")
def posterior_log_density__determinants_added(log_density, log_determinants):
    return log_density + log_determinants.sum(0)


@killed_by("test_posterior_log_density_without_volume_change")
def posterior_log_density__step_counted(log_density, log_determinants):
    return log_density - (log_determinants + 1e-3).sum(0) - 1e-3

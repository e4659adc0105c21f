"""Faults of the convolutions."""

from __future__ import annotations

import torch
from torch.nn import functional

from tests.mutants import killed_by
from vaes.ops import convolution


@killed_by("test_value")
def convolve__kernel_flipped(x, weight, bias, stride, before, after):
    return convolution.convolve(x, weight.flip(-1, -2), bias, stride, before, after)


@killed_by("test_value")
def convolve__padding_swapped(x, weight, bias, stride, before, after):
    return convolution.convolve(x, weight, bias, stride, after, before)


@killed_by("test_convolve_is_linear_in_the_maps")
def convolve__bias_twice(x, weight, bias, stride, before, after):
    return convolution.convolve(x, weight, 2 * bias, stride, before, after)


@killed_by("test_value")
def same__odd_padding_last(x, weight, bias, stride):
    padding = weight.shape[-1] - stride
    return convolution.convolve(x, weight, bias, stride, padding // 2, (padding + 1) // 2)


@killed_by("test_value")
def transposed__kernel_flipped(x, weight, bias, stride, padding):
    return convolution.transposed(x, weight.flip(-1), bias, stride, padding)


@killed_by("test_value")
def transposed__bias_missing(x, weight, bias, stride, padding):
    return convolution.transposed(x, weight, torch.zeros_like(bias), stride, padding)


@killed_by("test_pool_of_nothing_is_its_rectified_bias")
def pool__plain_rectifier(x, weight, bias, slope=0.1):
    return functional.relu(convolution.pool(x, weight, bias, 0.0)) + 0 * slope


@killed_by("test_value")
def pool__rectifier_first(x, weight, bias, slope=0.1):
    return functional.conv2d(functional.leaky_relu(x, slope), weight, bias, stride=weight.shape[-1])


@killed_by("test_value")
def average_pool__maximum(x, size):
    return functional.max_pool2d(x, size)


@killed_by("test_nearest_is_undone_by_striding")
def nearest__tiled(x, scale):
    return x.repeat(1, 1, scale, scale)


@killed_by("test_value")
def unpool__rectifier_missing(y, weight, bias, position_bias, scale, slope=0.1):
    return convolution.unpool(y, weight, bias, position_bias, scale, 1.0)


@killed_by("test_value")
def unpool__position_bias_missing(y, weight, bias, position_bias, scale, slope=0.1):
    return convolution.unpool(y, weight, bias, torch.zeros_like(position_bias), scale, slope)


@killed_by("test_value")
def mixin__bias_subtracted(y, bias, scale):
    return convolution.mixin(y, -bias, scale)


@killed_by("test_value")
def squeeze_excite__sum_for_mean(x, weight_in, bias_in, weight_out, bias_out, activation="relu"):
    return convolution.squeeze_excite(x, weight_in * x[0, 0].numel(), bias_in, weight_out, bias_out, activation)


@killed_by("test_squeeze_excite_commutes_with_permutations_of_pixels")
def squeeze_excite__no_sigmoid(x, weight_in, bias_in, weight_out, bias_out, activation="relu"):
    hidden = functional.relu(functional.linear(x.mean((-2, -1)), weight_in, bias_in))
    return x * (functional.linear(hidden, weight_out, bias_out) + 2)[:, :, None, None]


@killed_by("test_value")
def squeeze_excite__always_relu(x, weight_in, bias_in, weight_out, bias_out, activation="relu"):
    return convolution.squeeze_excite(x, weight_in, bias_in, weight_out, bias_out, "relu")

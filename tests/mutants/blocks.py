"""Faults of the blocks."""

from __future__ import annotations

import torch
from torch.nn import functional

from tests.mutants import killed_by
from vaes.ops import blocks


@killed_by("test_value")
def bottleneck__nonlinearity_after(x, cell, activation, residual):
    act = {"silu": functional.silu, "gelu": functional.gelu}[activation]
    h = x
    for weight, bias in zip(cell[::2], cell[1::2], strict=True):
        h = act(functional.conv2d(h, weight, bias, padding="same"))
    return x + h if residual else h


@killed_by("test_silent_bottleneck_is_the_identity_or_nothing")
def bottleneck__always_residual(x, cell, activation, residual):
    h = blocks.bottleneck(x, cell, activation, False)
    return h + x if h.shape == x.shape else h + x.mean()


@killed_by("test_value")
def bottleneck__gelu_by_tanh(x, cell, activation, residual):
    h = x
    for weight, bias in zip(cell[::2], cell[1::2], strict=True):
        h = functional.silu(h) if activation == "silu" else functional.gelu(h, approximate="tanh")
        h = functional.conv2d(h, weight, bias, padding="same")
    return x + h if residual else h


@killed_by("test_pooling_never_touches_the_features")
def bottom_up__features_after_pooling(x, cell, skip, pooling):
    state, features = blocks.bottom_up(x, cell, skip, pooling)
    return state, features if not len(pooling) else functional.avg_pool2d(features, pooling[0].shape[-1])


@killed_by("test_value")
def bottom_up__features_before_the_cell(x, cell, skip, pooling):
    state, _ = blocks.bottom_up(x, cell, skip, pooling)
    return state, functional.conv2d(x, *skip)


@killed_by("test_value")
def prior__halves_swapped(y, cell, head, beta):
    features, residual = blocks.bottleneck(y, cell, "silu", False).chunk(2, 1)
    mean, raw = functional.conv2d(features, *head).chunk(2, 1)
    return residual, mean, functional.softplus(beta * raw) / beta


@killed_by("test_value")
def prior__softplus_not_divided(y, cell, head, beta):
    residual, mean, scale = blocks.prior(y, cell, head, beta)
    return residual, mean, scale * beta


@killed_by("test_posterior_scale_is_positive")
def posterior__raw_scale(y, features, cell, head, beta):
    hidden = blocks.bottleneck(torch.cat([y, features], 1), cell, "silu", False)
    mean, raw = functional.conv2d(hidden, *head).chunk(2, 1)
    return mean, raw


@killed_by("test_value")
def posterior__features_first(y, features, cell, head, beta):
    hidden = blocks.bottleneck(torch.cat([features, y], 1), cell, "silu", False)
    mean, raw = functional.conv2d(hidden, *head).chunk(2, 1)
    return mean, functional.softplus(beta * raw) / beta


@killed_by("test_value")
def merge__residual_forgotten(y, residual, z, latent, cell, activation):
    return blocks.merge(y, torch.zeros_like(residual), z, latent, cell, activation)


@killed_by("test_gradient")
def merge__latent_detached(y, residual, z, latent, cell, activation):
    return blocks.merge(y, residual, z.detach(), latent, cell, activation)


@killed_by("test_value")
def vdvae_prior__variance_for_scale(y, cell):
    residual, mean, scale = blocks.vdvae_prior(y, cell)
    return residual, mean, scale.sqrt()


@killed_by("test_value")
def vdvae_posterior__log_scale_returned(y, features, cell):
    mean, scale = blocks.vdvae_posterior(y, features, cell)
    return mean, scale.log()


@killed_by("test_value")
def residual_block__resized_by_the_second_convolution(x, layers, skip, excite, resize, crop=0):
    first, bias, second, second_bias = layers
    if resize != "down":
        return blocks.residual_block(x, layers, skip, excite, resize, crop)
    h = functional.conv2d(functional.elu(x), first, bias, padding=1)
    y = functional.conv2d(functional.elu(h), second, second_bias, stride=2, padding=1)
    return functional.conv2d(x, *skip, stride=2) + y


@killed_by("test_residual_block_without_second_convolution_is_the_skip")
def residual_block__no_skip(x, layers, skip, excite, resize, crop=0):
    right = blocks.residual_block(x, layers, skip, excite, resize, crop)
    without = [layers[0], layers[1], 0 * layers[2], 0 * layers[3]]
    return right - blocks.residual_block(x, without, skip, excite, resize, crop)


@killed_by("test_value")
def stochastic_skip__top_latent_only(features, latents, weights, bias):
    return blocks.stochastic_skip(features, latents[-1:], weights[-1:], bias)


@killed_by("test_stochastic_skip_of_zero_weights_is_none")
def stochastic_skip__features_halved(features, latents, weights, bias):
    return blocks.stochastic_skip(0.5 * features, latents, weights, bias)


@killed_by("test_bottleneck_keeps_the_lower_tail_of_gelu")
def bottleneck__gelu_of_the_library(x, cell, activation, residual):
    h = x
    for weight, bias in zip(cell[::2], cell[1::2], strict=True):
        h = functional.conv2d(
            {"silu": functional.silu, "gelu": functional.gelu}[activation](h), weight, bias, padding="same"
        )
    return x + h if residual else h

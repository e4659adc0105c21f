"""Faults of the Bernoulli functions."""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from tests.mutants import killed_by
from vaes.ops import bernoulli


@killed_by("test_log_likelihood_is_symmetric")
def log_likelihood__sign_of_logits(x, logits):
    return bernoulli.log_likelihood(x, logits) + logits.sum(-1)


@killed_by("test_value")
def log_likelihood__epsilon_in_the_log(x, logits):
    p = torch.sigmoid(logits)
    return (x * (p + 1e-7).log() + (1 - x) * (1 - p + 1e-7).log()).sum(-1)


@killed_by("test_value")
def log_likelihood__softplus_with_threshold(x, logits):
    return -(x * softplus(-logits) + (1 - x) * softplus(logits)).sum(-1)


@killed_by("test_value")
def log_likelihood__mean_over_pixels(x, logits):
    return bernoulli.log_likelihood(x, logits) / x.shape[-1]


@killed_by("test_padding_does_not_count")
def padded_log_likelihood__whole_canvas(x, logits, margin=2):
    return bernoulli.log_likelihood(x.flatten(-2), logits.flatten(-2))


@killed_by("test_value")
def padded_log_likelihood__rows_only(x, logits, margin=2):
    return bernoulli.padded_log_likelihood(
        x[..., margin : x.shape[-2] - margin, :], logits[..., margin : x.shape[-2] - margin, :], 0
    )


@killed_by("test_value")
def log_normaliser__chance_for_logit(logits):
    return bernoulli.log_normaliser(torch.sigmoid(logits))


@killed_by("test_value")
def log_normaliser__nan_at_zero(logits):
    return (torch.tanh(logits / 2) / logits).log()


@killed_by("test_binarise_gives_zeros_and_ones")
def binarise__noise_at_or_below(intensity, noise):
    return (noise <= intensity).to(intensity.dtype)


@killed_by("test_value")
def binarise__threshold_at_half(intensity, noise):
    return (intensity > 0.5).to(intensity.dtype)


@killed_by("test_bias_is_bounded_by_the_margin")
def centre_and_bias__not_clipped(x, mean, margin=0.001):
    return x - mean, torch.logit(mean)


@killed_by("test_value")
def centre_and_bias__input_not_centred(x, mean, margin=0.001):
    return x, torch.logit(mean, eps=margin)


@killed_by("test_binarise_carries_no_gradient")
def binarise__straight_through(intensity, noise):
    return bernoulli.binarise(intensity, noise) + intensity - intensity.detach()

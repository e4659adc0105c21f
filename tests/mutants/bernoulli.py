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

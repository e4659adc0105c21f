"""Faults of the nonlinearities."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import activations


@killed_by("test_silu_less_its_mirror_is_the_identity")
def silu__gate_doubled(u):
    return u * torch.sigmoid(1.702 * u) * 0.999


@killed_by("test_gradient")
def silu__gate_detached(u):
    return u * torch.sigmoid(u).detach()


@killed_by("test_silu_backward_is_its_derivative")
def silu__output_saved_too(u):
    return u * torch.sigmoid(u)


@killed_by("test_value")
def gelu__tanh_approximation(u):
    return torch.nn.functional.gelu(u, approximate="tanh")


@killed_by("test_gelu_less_its_mirror_is_the_identity")
def gelu__logistic_approximation(u):
    return u * torch.sigmoid(1.702 * u)


@killed_by("test_value")
def gelu__lower_tail_cancels(u):
    return 0.5 * u * (1 + torch.erf(u * 0.5**0.5))


@killed_by("test_leaky_relu_is_homogeneous")
def leaky_relu__sides_swapped(u, slope):
    return torch.where(u > 0, slope * u, u)


@killed_by("test_value")
def leaky_relu__slope_ignored(u, slope):
    return activations.leaky_relu(u, 0.01)


@killed_by("test_elu_is_bounded_below")
def elu__exponential_minus_one(u, alpha=1.0):
    return torch.where(u > 0, u, alpha * (u.clamp(max=0).exp() - 1))


@killed_by("test_gradient")
def elu__gradient_nan_above(u, alpha=1.0):
    return torch.where(u > 0, u, alpha * torch.expm1(100 * u) / 100)


@killed_by("test_selu_is_a_scaled_elu")
def selu__scale_missing(u):
    return activations.elu(u, activations.SELU_ALPHA)

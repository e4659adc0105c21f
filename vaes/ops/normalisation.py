"""Normalisation of activations (B, C, ...) and weights; statistics are computed in at least single precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

EPSILON = 1e-5


def batch_norm(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Batch normalisation with the mean and biased variance of the batch, per channel."""
    # Twice: what the first mean was rounded by is the mean of what is left. The second alone carries a gradient.
    offset = _wide(x) - _spread(_wide(x.detach()).mean(_axes(x)), x)
    variance, mean = torch.var_mean(offset, dim=_axes(x), correction=0)
    return _affine(offset, gain, bias, mean, variance, epsilon).to(x.dtype)


def batch_norm_eval(
    x: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: float = EPSILON
) -> Tensor:
    """Batch normalisation with given mean and variance."""
    return _affine(_wide(x), gain, bias, _wide(mean), _wide(variance), epsilon).to(x.dtype)


def running_statistics(mean: Tensor, variance: Tensor, x: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    """Running mean and variance after one batch, which enters with weight ``momentum`` and its unbiased variance."""
    batch_variance, batch_mean = torch.var_mean(_wide(x), dim=_axes(x), correction=1)
    new_mean = (1 - momentum) * mean + momentum * batch_mean
    return new_mean.to(mean.dtype), ((1 - momentum) * variance + momentum * batch_variance).to(variance.dtype)


def readjusted_statistics(mean: Tensor, variance: Tensor, batches: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    """Running mean and variance after batches (N, B, C, ...), as one weighted sum over all of them."""
    wide = _wide(batches)
    variances, means = torch.var_mean(wide, dim=(1, *range(3, wide.ndim)), correction=1)
    count = wide.shape[0]
    keep = torch.full((), 1 - momentum, dtype=torch.float64, device=wide.device)
    powers = keep ** torch.arange(count, -1, -1, device=wide.device)
    weights = torch.cat([powers[:1], momentum * powers[1:]]).to(wide.dtype)
    new_mean = weights @ torch.cat([_wide(mean).unsqueeze(0), means])
    return new_mean.to(mean.dtype), (weights @ torch.cat([_wide(variance).unsqueeze(0), variances])).to(variance.dtype)


def effective_batches(momentum: Tensor) -> Tensor:
    """Number of batches in a plain average of the same variance, ``(2 - momentum) / momentum``."""
    return 2 / momentum - 1


def batch_norm_swish(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Batch normalisation and Swish in one; the backward keeps ``x`` and the statistics and recomputes the rest.

    Under ``torch.compile`` it is the plain composition, whose recomputation the compiler arranges itself.
    """
    if torch.compiler.is_compiling():
        return torch.nn.functional.silu(batch_norm(x, gain, bias, epsilon))
    return _BatchNormSwish.apply(x, gain, bias, epsilon)


def batch_norm_swish_eval(
    x: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: float = EPSILON
) -> Tensor:
    """Batch normalisation with given statistics, and Swish."""
    affine = _affine(_wide(x), gain, bias, _wide(mean), _wide(variance), epsilon)
    return torch.nn.functional.silu(affine).to(x.dtype)


def gain_penalty(gains: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the largest absolute gain; tied channels share the gradient."""
    return torch.stack([g.abs().amax() for g in gains]).sum()


def weight_norm(direction: Tensor, gain: Tensor, epsilon: float = 0.0) -> Tensor:
    """Weight ``gain * v / (norm of v + epsilon)`` per output channel, the first axis of ``direction``."""
    norm = torch.linalg.vector_norm(direction.flatten(1), dim=1)
    return direction * (gain / (norm + epsilon)).reshape(-1, *[1] * (direction.ndim - 1))


def initial_log_gain(direction: Tensor) -> Tensor:
    """Logarithm of the norm of each output channel plus 0.01."""
    return (torch.linalg.vector_norm(direction.flatten(1), dim=1) + 0.01).log()


def init_by_deviation(output: Tensor, target: float = 0.2, epsilon: float = EPSILON) -> tuple[Tensor, Tensor]:
    """Gain and bias that bring the first outputs to mean 0 and standard deviation ``target``."""
    deviation, mean = torch.std_mean(_wide(output), dim=_axes(output), correction=1)
    gain = target / (deviation + target * epsilon)
    return gain.to(output.dtype), (-mean * gain).to(output.dtype)


def init_by_variance(output: Tensor, target: float = 0.01, epsilon: float = 1e-8) -> tuple[Tensor, Tensor]:
    """Gain and bias that bring the first outputs to mean 0 and standard deviation ``target``, from the variance."""
    variance, mean = torch.var_mean(_wide(output), dim=_axes(output), correction=0)
    gain = target * (variance + epsilon).rsqrt()
    return gain.to(output.dtype), (-mean * gain).to(output.dtype)


class _BatchNormSwish(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
        wide = _wide(x)
        rounded = wide.mean(_axes(x))
        offset = wide - _spread(rounded, x)
        variance, rest = torch.var_mean(offset, dim=_axes(x), correction=0)
        inverse = (variance + epsilon).rsqrt()
        ctx.save_for_backward(x, gain, bias, rounded, rest, inverse)
        y = (offset - _spread(rest, x)) * _spread(inverse * gain, x) + _spread(bias, x)
        return (y * torch.sigmoid(y)).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, gain, bias, rounded, rest, inverse = ctx.saved_tensors
        axes = _axes(x)
        standardised = (_wide(x) - _spread(rounded, x) - _spread(rest, x)) * _spread(inverse, x)
        y = standardised * _spread(gain, x) + _spread(bias, x)
        gate = torch.sigmoid(y)
        delta = gradient * gate * (1 + y * torch.sigmoid(-y))
        by_bias, by_gain = delta.sum(axes), (delta * standardised).sum(axes)
        count = x.numel() // x.shape[1]
        centred = delta - _spread(by_bias / count, x) - standardised * _spread(by_gain / count, x)
        by_x = centred * _spread(gain * inverse, x)
        return by_x.to(x.dtype), by_gain.to(gain.dtype), by_bias.to(bias.dtype), None


def _affine(x: Tensor, gain: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: float) -> Tensor:
    inverse = (variance + epsilon).rsqrt()
    return (x - _spread(mean, x)) * _spread(gain * inverse, x) + _spread(bias, x)


def _axes(x: Tensor) -> tuple[int, ...]:
    """All axes but that of the channels."""
    return (0, *range(2, x.ndim))


def _spread(values: Tensor, x: Tensor) -> Tensor:
    """Values (C,) with one axis for each axis of space of ``x``."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def _wide(x: Tensor) -> Tensor:
    """Half precision as single precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))

"""Bernoulli observations."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid


def log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """Log likelihood of targets ``x`` in [0, 1] from logits, in nats, summed over the last axis.

    Targets outside [0, 1] give the value of the same formula, which is then no log likelihood.
    """
    # logsigmoid, not softplus: torch's softplus drops exp(-|l|) beyond l = 20, which float64 still sees.
    return (x * logsigmoid(logits) + (1 - x) * logsigmoid(-logits)).sum(-1)

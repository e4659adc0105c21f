"""Training passes on the meta device: what a plain, an importance-weighted and a smoothed step cost.

The numbers in the tensors do not matter and do not exist, so the models have their full size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vaes import accounting
from vaes.models.hvae import HVAE, HierarchicalTerms, Smoothing, objective

RHO = 0.9  # Any value below one: the cost does not depend on it.


@dataclass(frozen=True)
class Pass:
    """A forward pass to the objective, ready to be run, and the tensors that it is given."""

    run: Callable[[], Any]
    inputs: tuple[Tensor, ...]


def training_pass(model: HVAE, training: str, batch: int, samples: int) -> Pass:
    """Return the pass of one kind of training.

    Parameters
    ----------
    model : HVAE
        On the meta device.
    training : str
        "VAE"; "HVAE" with ``samples`` correlated copies; "IWAE" with ``samples`` importance samples; "HVAE and
        p(x|z_1)", which also runs the likelihood's network as often as the smoothed ones.
    batch, samples : int

    Raises
    ------
    ValueError
        If there is no such training.
    """
    if training not in ("VAE", "HVAE", "IWAE", "HVAE and p(x|z_1)"):
        raise ValueError(f"training must be VAE, HVAE, IWAE or HVAE and p(x|z_1), got {training!r}")
    latents = model.config.latents
    importance = samples if training == "IWAE" else 1
    x = torch.empty(batch, model.config.data, device="meta")
    noise = [torch.empty(importance * batch, units, device="meta") for units in latents]
    fresh: tuple[Tensor, ...] = ()
    if training.startswith("HVAE"):
        fresh = tuple(torch.empty(samples, batch, units, device="meta") for units in latents[1:])
    smoothing = Smoothing(RHO, fresh) if fresh else None

    def run() -> tuple[Tensor, ...]:
        terms = model(x, noise, smoothing)
        value = objective(terms, importance=importance)
        return (value, *_repeated_likelihood(model, x, terms, samples if training.endswith(")") else 1))

    return Pass(run, (x, *noise, *fresh))


def _repeated_likelihood(model: HVAE, x: Tensor, terms: HierarchicalTerms, samples: int) -> tuple[Tensor, ...]:
    """The likelihood's network on the copies beyond the first."""
    if samples == 1:
        return ()
    return (model.log_likelihood(x, terms.samples[0].repeat(samples - 1, 1)),)


def kept_and_flops(model: HVAE, each: Pass) -> tuple[accounting.Kept, int]:
    """Bytes that the pass keeps for its backward pass, and its operations."""
    kept: list[accounting.Kept] = []
    operations = accounting.flops(lambda: kept.append(accounting.kept_for_backward(each.run, model, each.inputs)))
    return kept[0], operations


def step_flops(each: Pass) -> int:
    """Operations of the forward and the backward pass."""
    return accounting.flops(lambda: _backward(each.run()))


def forward_flops(each: Pass) -> int:
    """Operations of the forward pass alone."""
    return accounting.flops(each.run)


def network_kept(network: Any, batch: int, units: int) -> accounting.Kept:
    """Bytes that one network keeps, run on a latent of ``units`` for ``batch`` images."""
    z = torch.empty(batch, units, device="meta", requires_grad=True)
    return accounting.kept_for_backward(lambda: network(z), network, (z,))


def upper_step_flops(model: HVAE, batch: int) -> int:
    """Operations, forward and backward, of the networks between latents in the generative model: what K multiplies."""
    inputs = [torch.empty(batch, units, device="meta", requires_grad=True) for units in model.config.latents[1:]]
    networks: list[Any] = list(model.priors)
    return sum(
        accounting.flops(lambda z=z, network=network: _backward((network(z),)))  # type: ignore[misc]
        for z, network in zip(inputs, networks, strict=True)
    )


def _backward(values: tuple[Tensor, ...]) -> None:
    total = values[0].sum()
    for value in values[1:]:
        total = total + value.sum()
    total.backward()

"""What every training run has in common: optimiser steps, hooks, a check of every loss, checkpoints.

A run is a function of (configuration, recipe, dataset, seed): the same bits on the same machine. `vaes.training` trains
Hermite VAEs and stacks of them, `vaes.image_training` models with an image likelihood.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vaes import checkpoints
from vaes.ops import schedules

DTYPES = {"float32": torch.float32, "float64": torch.float64}
SCHEDULES = ("constant", "cosine", "exponential")
OPTIMISERS = ("adam", "adamax")
_LATER_FIELDS = {"optimiser": "adam", "learning_rate_decay": 0.999999}
"""Fields of recipes that older checkpoints do not know, with the values that they were trained with."""


class NonFinite(ArithmeticError):  # noqa: N818 (reads as what happened: raise NonFinite)
    """A number of a run is NaN or infinite; the message names the tensor, the step and whose it is."""


@dataclass(frozen=True)
class LoopRecipe:
    """How many steps of which optimiser.

    Parameters
    ----------
    steps, batch : int
    learning_rate : float
    schedule : str
        "constant"; "cosine" from ``learning_rate`` to ``final_learning_rate`` over the run; "exponential", by the
        factor ``learning_rate_decay`` per step down to ``final_learning_rate``.
    betas, epsilon :
        Of the optimiser.
    dtype : str
        "float32" or "float64".
    optimiser : str
        "adam" or "adamax".
    """

    steps: int = 3000
    batch: int = 64
    learning_rate: float = 2e-3
    schedule: str = "constant"
    final_learning_rate: float = 1e-4
    learning_rate_decay: float = 0.999999
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    dtype: str = "float32"
    optimiser: str = "adam"

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be > 0, got {self.learning_rate}")
        if not 0 < self.learning_rate_decay <= 1:
            raise ValueError(f"learning_rate_decay must be in (0, 1], got {self.learning_rate_decay}")
        choices = (("schedule", SCHEDULES), ("dtype", DTYPES), ("optimiser", OPTIMISERS))
        for name, allowed in choices:
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of optimiser step ``step``, counted from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        if self.schedule == "exponential":
            decay = (self.learning_rate, self.learning_rate_decay, self.final_learning_rate)
            return float(schedules.exponential_decay(torch.tensor(float(step), dtype=torch.float64), *decay))
        half_cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * half_cosine

    def identity(self) -> dict[str, Any]:
        """Fields by name, without those that say nothing beyond what older checkpoints say."""
        return {name: value for name, value in asdict(self).items() if _LATER_FIELDS.get(name) != value}


def optimiser_of(model: nn.Module, recipe: LoopRecipe) -> torch.optim.Optimizer:
    """Optimiser of all parameters of a model."""
    options: dict[str, Any] = {"lr": recipe.learning_rate, "betas": recipe.betas, "eps": recipe.epsilon}
    if recipe.optimiser == "adamax":
        return torch.optim.Adamax(model.parameters(), **options)
    return torch.optim.Adam(model.parameters(), **options, fused=True)


class TrainingLoop(ABC):
    """Optimise the sum of a model's losses; `run` goes on from wherever the loop stands.

    Parameters
    ----------
    model : nn.Module
    recipe : LoopRecipe
    """

    model: Any
    recipe: Any

    def __init__(self, model: nn.Module, recipe: LoopRecipe) -> None:
        self.model, self.recipe = model, recipe
        self.step = 0
        self.device = next(model.parameters()).device
        self.optimiser = optimiser_of(model, recipe)

    def run(self, until: int | None = None, hooks: Sequence[tuple[int, Callable[[Any, Any], None]]] = ()) -> None:
        """Train up to step ``until`` (default: the recipe's).

        ``hooks`` are pairs (every, function): function(trainer, terms) is called after each step whose number is
        a multiple of ``every``, with the terms of the training pass.

        Raises
        ------
        NonFinite
            If a loss or parameter is not finite.
        """
        until = self.recipe.steps if until is None else until
        while self.step < until:
            terms = self._advance()
            for every, hook in hooks:
                if self.step % every == 0:
                    hook(self, terms)
        self._check_parameters()

    def state(self) -> dict[str, Tensor]:
        """Everything that changes during training, as named tensors."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimiser.state[parameter].items():
                tensors[f"{self.recipe.optimiser}.{key}.{name}"] = value
        return tensors | self._streams()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint (safetensors), atomically."""
        checkpoints.write(path, self.state(), {"step": str(self.step), "run": self._identity()})

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on from a checkpoint of the same run, to the same numbers as an uninterrupted one.

        Raises
        ------
        ValueError
            If the checkpoint cannot be read, or belongs to another configuration, recipe, dataset or seed.
        """
        tensors, metadata = checkpoints.read(path, self.device)
        if metadata.get("run") != self._identity():
            raise ValueError(f"checkpoint {path} must belong to this run, got one of {metadata.get('run')}")
        self.model.load_state_dict(checkpoints.below(tensors, "model."))
        moments = checkpoints.below(tensors, f"{self.recipe.optimiser}.")
        names = dict(self.model.named_parameters())
        for key, value in moments.items():
            kind, _, name = key.partition(".")
            self.optimiser.state[names[name]][kind] = value
        self._restore_streams(tensors)
        self.step = int(metadata["step"])

    @abstractmethod
    def _pass(self) -> tuple[Any, Tensor]:
        """Terms of the next batch, and the losses whose sum is minimised."""

    @abstractmethod
    def _named(self, terms: Any) -> Mapping[str, Tensor]:
        """Tensors to look into, in order, when a loss is not finite."""

    @abstractmethod
    def _streams(self) -> dict[str, Tensor]:
        """Where batches and noise stand, and whatever else a subclass carries along."""

    @abstractmethod
    def _restore_streams(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on where `_streams` was taken."""

    @abstractmethod
    def _identity(self) -> str:
        """Text that is equal for runs with equal numbers only."""

    def _where(self, finite: Tensor) -> str:
        """Where a tensor with entries that are not ``finite`` came up."""
        return f"step {self.step}"

    def _advance(self) -> Any:
        terms, losses = self._pass()
        loss = losses.sum()
        if not math.isfinite(loss.item()):
            self._blame(terms, losses)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.param_groups[0]["lr"] = self.recipe.learning_rate_at(self.step)
        self.optimiser.step()
        self.step += 1
        return terms

    def _blame(self, terms: Any, losses: Tensor) -> None:
        """Raise `NonFinite` for the first tensor that is not finite, parameters first."""
        self._check_parameters()
        for name, tensor in {**self._named(terms), "objective": losses}.items():
            self._check(name, tensor)
        raise NonFinite(f"sum of the losses must be finite, got one that is not at step {self.step}")

    def _check_parameters(self) -> None:
        for name, parameter in self.model.named_parameters():
            self._check(f"parameter {name}", parameter)

    def _check(self, name: str, tensor: Tensor) -> None:
        finite = tensor.isfinite()
        if not finite.all():
            raise NonFinite(f"{name} must be finite, got a value that is not at {self._where(finite)}")

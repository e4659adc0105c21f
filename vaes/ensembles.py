"""Many small models as one program.

An ensemble trains M members (arms x seeds) of one architecture, recipe and number K of correlated samples as stacked
parameters: one batched product per layer instead of M small ones, one optimiser call, one draw of data and noise per
seed. Member m gives the numbers of `vaes.training.train` with the same `Member`, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vaes.data import Dataset
from vaes.models.hvae import HVAE, HVAEConfig
from vaes.training import Hook, Member, Recipe, Trainer, initial_model


def ensemble_trainer(
    config: HVAEConfig,
    recipe: Recipe,
    members: Sequence[Member],
    dataset: Dataset,
    *,
    device: torch.device | str = "cpu",
) -> Trainer:
    """Build the trainer of a stack; ``trainer.members`` is the order of the stack: rho = 1 first, else as given.

    Members without smoothing lead so that they form one slice that skips the K-fold pass.

    Raises
    ------
    ValueError
        If there are no members or two are equal.
    """
    if not members:
        raise ValueError("members must be non-empty, got none")
    if len(set(members)) != len(members):
        raise ValueError(f"members must differ, got {list(members)}")
    order = sorted(members, key=lambda member: member.rho != 1)
    # Arms of one seed start from the same parameters.
    fresh = {seed: initial_model(config, recipe, seed, dataset) for seed in {member.seed for member in order}}
    model = HVAE.stack([fresh[member.seed] for member in order])
    return Trainer(model.to(device), order, dataset, recipe)


def train_ensemble(
    config: HVAEConfig,
    recipe: Recipe,
    members: Sequence[Member],
    dataset: Dataset,
    *,
    device: torch.device | str = "cpu",
    hooks: Sequence[tuple[int, Hook]] = (),
) -> Trainer:
    """Train a stack from scratch; ``.model`` is the stacked model, ``.members`` says which row is which member."""
    trainer = ensemble_trainer(config, recipe, members, dataset, device=device)
    trainer.run(hooks=hooks)
    return trainer

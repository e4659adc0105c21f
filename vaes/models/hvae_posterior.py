"""The Hermite VAE with a smoothed posterior: the paper's variant that "brings little benefit".

In training mean and scale of q(z_{l+1}|z_l) too are averaged over K copies correlated with z_l under q(z_l|z_{l-1}).
q(z_1|x) sees no latent and stays as it is. The model that is evaluated is the ordinary one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaes.data import Dataset
from vaes.models.hvae import HVAE, Gaussian, HierarchicalTerms, HVAEConfig, Smoothing
from vaes.ops import gaussian
from vaes.training import Member, Recipe, Trainer, initial_model


class SmoothedPosteriorHVAE(HVAE):
    """The model; ``smoothing.fresh`` ends with one more array, (K, B, n_1), for the copies of the bottom latent."""

    _smoothing: Smoothing | None = None

    def forward(self, x: Tensor, noise: Sequence[Tensor], smoothing: Smoothing | None = None) -> HierarchicalTerms:
        """Terms of the objective, as `HVAE.forward`; one posterior sample per image where smoothed."""
        if smoothing is not None and smoothing.plain:
            raise ValueError(f"all members must be smoothed, got {smoothing.plain} with rho = 1")
        # `HVAE.forward` calls `infer`, which must know what belongs to this pass alone.
        self._smoothing = smoothing
        try:
            return super().forward(x, noise, smoothing)
        finally:
            self._smoothing = None

    def infer(self, x: Tensor, noise: Sequence[Tensor]) -> tuple[tuple[Gaussian, ...], tuple[Tensor, ...]]:
        """Posterior parameters and samples of all layers, bottom to top; smoothed within a smoothed pass."""
        smoothing = self._smoothing
        if smoothing is None:
            return super().infer(x, noise)
        fresh = (smoothing.fresh[-1], *smoothing.fresh[:-1])
        q = self._gaussian(self.posteriors[0](x if self.centre is None else x - self.centre))
        posterior, samples = [q], [gaussian.reparameterise(*q, noise[0])]
        for below in range(self.config.depth - 1):
            network = self.posteriors[below + 1]
            q = self._smoothed(network, samples[-1], posterior[-1], noise[below], fresh[below], smoothing.rho)
            posterior.append(q)
            samples.append(gaussian.reparameterise(*q, noise[below + 1]))
        return tuple(posterior), tuple(samples)


def smoothed_posterior_trainer(
    config: HVAEConfig,
    recipe: Recipe,
    members: Sequence[Member],
    dataset: Dataset,
    *,
    device: torch.device | str = "cpu",
) -> Trainer:
    """Build the trainer of a stack with smoothed posteriors; start, data and posterior noise as without.

    Raises
    ------
    ValueError
        If a member has rho = 1 or the recipe has importance samples.
    """
    if any(member.rho == 1 for member in members):
        raise ValueError(f"rho must be below 1, got {[member.rho for member in members]}")
    if recipe.importance > 1:
        raise ValueError(f"importance must be 1, got {recipe.importance}")
    models = [initial_model(config, recipe, member.seed, dataset) for member in members]
    trainer = Trainer(SmoothedPosteriorHVAE.stack(models).to(device), members, dataset, recipe)
    for feed in trainer.feeds:
        feed.fresh_shapes.append((recipe.samples, recipe.batch, config.latents[0]))
    return trainer

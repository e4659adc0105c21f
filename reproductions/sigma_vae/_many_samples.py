"""Training with several posterior samples per image."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vaes.image_training import ImageRecipe, ImageTrainer, LevelImages
from vaes.models.sigma_vae import ImageTerms
from vaes.ops import gaussian
from vaes.training_loop import DTYPES


class ManySamplesTrainer(ImageTrainer):
    """The trainer, with the mean over several posterior samples in place of one; images are encoded once."""

    def __init__(self, model: nn.Module, dataset: LevelImages, recipe: ImageRecipe, seed: int, samples: int) -> None:
        super().__init__(model, dataset, recipe, seed)
        self.samples = samples

    def _pass(self) -> tuple[Any, Tensor]:
        x = self.levels[self.batches.next()].to(DTYPES[self.recipe.dtype]) / (self.dataset.levels - 1)
        posterior = self.model.encode(x)
        mean, scale = (part.repeat(self.samples, 1) for part in posterior)
        z = gaussian.reparameterise(mean, scale, self.model.draw_noise(len(x) * self.samples, self.noise))
        output, images = self.model.decode(z), x.repeat(self.samples, 1, 1, 1)
        kl = gaussian.kl_standard(*posterior).repeat(self.samples)
        terms = ImageTerms(images, self.model.decoder.nll(output, images), kl, output, posterior, z)
        return terms, terms.objective(self.recipe.kl_weight_at(self.step)).mean()

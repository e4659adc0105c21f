"""Train a sigma-VAE on your own images, keep it in a file, and use it: one call each."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from vaes import checkpoints
from vaes.image_data import ImageDataset
from vaes.image_folder import image_folder
from vaes.image_training import Hook, ImageRecipe, train_image_model
from vaes.models.decoders import DecoderConfig
from vaes.models.sigma_vae import SigmaVAE, SigmaVAEConfig
from vaes.seeding import stream

FORMAT = "vaes.fit 1"


@dataclass(frozen=True)
class FittedVAE:
    """A trained model; images are float tensors (N, C, H, W) with values in [0, 1].

    Parameters
    ----------
    model : SigmaVAE
        The model, calibrated, in evaluation mode.
    """

    model: SigmaVAE

    def sample(self, count: int, seed: int = 0, *, draw: bool = False) -> Tensor:
        """New images (count, C, H, W): means of the likelihood, or draws from it, which show its noise.

        Raises
        ------
        ValueError
            If ``count`` is not positive.
        """
        if count < 1:
            raise ValueError(f"count must be >= 1, got {count}")
        device = next(self.model.parameters()).device
        return self.model.generate(count, stream(seed, "sample", device=device), draw)

    def reconstruct(self, images: Tensor) -> Tensor:
        """What the model keeps of images (N, C, H, W).

        Raises
        ------
        ValueError
            If the images are not those of the model in shape, or their values are not floats in [0, 1].
        """
        return self.model.reconstruct(self._checked(images))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters and configuration into one safetensors file, whole or not at all."""
        metadata = {"format": FORMAT, "config": json.dumps(asdict(self.model.config))}
        checkpoints.write(path, self.model.state_dict(), metadata)

    def _checked(self, images: Tensor) -> Tensor:
        channels, height, width = self.model.config.image_shape
        if images.ndim != 4 or len(images) < 1:
            got = tuple(images.shape)
            raise ValueError(f"images must have shape (N >= 1, {channels}, {height}, {width}), got {got}")
        if images.shape[1] != channels:
            raise ValueError(f"images must have {channels} channels, got {images.shape[1]}")
        if tuple(images.shape[2:]) != (height, width):
            raise ValueError(f"images must be {height}x{width}, got {images.shape[2]}x{images.shape[3]}")
        if not images.dtype.is_floating_point:
            raise ValueError(f"images must be floats in [0, 1], got {images.dtype}")
        low, high = images.min().item(), images.max().item()
        # Also false for NaN.
        if not (low >= 0 and high <= 1):
            raise ValueError(f"images must have values in [0, 1], got values from {low:g} to {high:g}")
        return images.to(next(self.model.parameters()))


def fit_folder(
    folder: str | os.PathLike[str],
    decoder: str | DecoderConfig = "optimal",
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    **options: Any,
) -> FittedVAE:
    """Train on all images below a folder.

    Parameters
    ----------
    folder : path
        See `vaes.image_folder.image_folder`, also for ``size`` (height, width) and ``channels``.
    decoder : str or DecoderConfig
        Likelihood: a name of `vaes.models.decoders.DECODERS`, or a configuration.
    options :
        Of `fit_images`.

    Raises
    ------
    ValueError
        If the folder, a file in it, or an option is not usable; the message is one line.
    """
    # A wrong name should not wait for the images.
    likelihood = DecoderConfig(decoder) if isinstance(decoder, str) else decoder
    return fit_images(image_folder(folder, size=size, channels=channels, held_out=0.0), likelihood, **options)


def fit_images(
    dataset: ImageDataset,
    decoder: str | DecoderConfig = "optimal",
    *,
    steps: int = 3000,
    seed: int = 0,
    batch: int = 128,
    learning_rate: float = 1e-3,
    features: int = 32,
    latent: int = 20,
    device: torch.device | str = "cpu",
    hooks: Sequence[tuple[int, Hook]] = (),
) -> FittedVAE:
    """Train on the ``train`` split of a dataset of levels.

    Parameters
    ----------
    dataset : ImageDataset
    decoder : str or DecoderConfig
        Likelihood; a configuration must have the number of levels of the dataset.
    steps, batch, learning_rate :
        Of Adam; a batch has at most as many images as there are.
    seed : int
        The result is a function of it and of the other arguments.
    features, latent : int
        Of the network, see `vaes.models.sigma_vae.SigmaVAEConfig`.
    hooks :
        Pairs (every, function), see `vaes.training_loop.TrainingLoop.run`.

    Raises
    ------
    NonFinite
        If training breaks down.
    """
    likelihood = DecoderConfig(decoder, levels=dataset.levels) if isinstance(decoder, str) else decoder
    config = SigmaVAEConfig(*dataset.shape, features=features, latent=latent, decoder=likelihood)
    recipe = ImageRecipe(steps=steps, batch=min(batch, len(dataset.train)), learning_rate=learning_rate)
    trainer = train_image_model(config, recipe, seed, dataset, device=device, hooks=hooks)
    return FittedVAE(trainer.evaluation_model())


def load(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> FittedVAE:
    """Read what `FittedVAE.save` wrote.

    Raises
    ------
    ValueError
        If the file is missing, damaged, or something else; the message is one line.
    """
    tensors, metadata = checkpoints.read(path, device)
    if metadata.get("format") != FORMAT:
        raise ValueError(f"checkpoint {path} must have the format {FORMAT!r}, got {metadata.get('format')!r}")
    model = SigmaVAE(SigmaVAEConfig.from_dict(json.loads(metadata["config"])), device)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"checkpoint {path} must hold the tensors of its configuration, got {reason}") from None
    return FittedVAE(model.eval())

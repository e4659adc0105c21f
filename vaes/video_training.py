"""Training of the conditional video model on sequences that are drawn as they are needed.

Streams of a seed: "init" (parameters), "data" (sequences), "noise" (posterior samples). The public script steps five
Adam optimisers of equal settings, one for each part of the model; Adam is elementwise, so that one is the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from vaes.models.svg_lp import SVGLP, SVGConfig, VideoTerms
from vaes.moving_digits import MovingDigits
from vaes.seeding import stream
from vaes.training_loop import DTYPES, LoopRecipe, TrainingLoop

CHUNK = 256
Hook = Callable[["VideoTrainer", VideoTerms], None]


class VideoTrainer(TrainingLoop):
    """Minimise the NELBO per sequence, mean over a batch.

    Parameters
    ----------
    model : SVGLP
    source : MovingDigits
    recipe : LoopRecipe
    seed : int
        Root seed of the streams.

    Raises
    ------
    ValueError
        If the frames of the source are not those of the model.
    """

    model: SVGLP

    def __init__(self, model: SVGLP, source: MovingDigits, recipe: LoopRecipe, seed: int) -> None:
        shape = (model.config.channels, model.config.size)
        if shape != (1, source.size):
            raise ValueError(f"channels and size must be {(1, source.size)} for {source.name}, got {shape}")
        super().__init__(model, recipe)
        self.source, self.seed = source, seed
        # Sequences are drawn on the CPU: the same ones on every device.
        self.generators = {"data": stream(seed, "data"), "noise": stream(seed, "noise", device=self.device)}

    def _pass(self) -> tuple[VideoTerms, Tensor]:
        length = self.model.config.length
        drawn = self.source.sequences("train", self.recipe.batch, length, self.generators["data"])
        frames = drawn.frames.to(self.device, DTYPES[self.recipe.dtype])
        terms = self.model(frames, self.model.draw_noise(len(frames), self.generators["noise"]))
        return terms, terms.objective() / len(frames)

    def _named(self, terms: VideoTerms) -> Mapping[str, Tensor]:
        return {"output": terms.output, "frame_nll": terms.frame_nll, "frame_kl": terms.frame_kl}

    def _streams(self) -> dict[str, Tensor]:
        return {f"stream.{name}": generator.get_state() for name, generator in self.generators.items()}

    def _restore_streams(self, tensors: Mapping[str, Tensor]) -> None:
        for name, generator in self.generators.items():
            generator.set_state(tensors[f"stream.{name}"].cpu())

    def _identity(self) -> str:
        parts = (asdict(self.model.config), self.recipe.identity(), self.seed)
        return json.dumps([*parts, self.source.name, self.source.checksum], sort_keys=True)


def train_video_model(
    config: SVGConfig,
    recipe: LoopRecipe,
    seed: int,
    source: MovingDigits,
    *,
    device: torch.device | str = "cpu",
    hooks: Sequence[tuple[int, Hook]] = (),
) -> VideoTrainer:
    """Train one model from scratch and return its trainer (``.model`` is the model)."""
    model = SVGLP(config, dtype=DTYPES[recipe.dtype]).initialise(stream(seed, "init")).to(device)
    trainer = VideoTrainer(model, source, recipe, seed)
    trainer.run(hooks=hooks)
    return trainer


@torch.no_grad()
def calibrate(model: SVGLP, frames: Tensor, generator: torch.Generator) -> None:
    """Freeze the decoder's scale: root mean squared error of posterior samples of training sequences (N, T, ...)."""
    errors = []
    for part in frames.split(CHUNK):
        terms = model(part, model.draw_noise(len(part), generator))
        errors.append(model.decoder.squared_error(terms.output.flatten(0, 1), part[:, 1:].flatten(0, 1)))
    model.decoder.calibrate(torch.cat(errors), model.config.dims)


@torch.no_grad()
def evaluation_nll(model: SVGLP, terms: VideoTerms) -> Tensor:
    """Negative log density (B, T - 1) in nats per frame at the frozen scale."""
    nll: Any = model.decoder.evaluation_nll(terms.output.flatten(0, 1), terms.images[:, 1:].flatten(0, 1))
    return nll.unflatten(0, (len(terms.images), -1))

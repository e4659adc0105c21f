"""Training of models with an image likelihood (`vaes.models.decoders`).

A run is a function of (configuration, recipe, seed, dataset). Random numbers come from the streams "init", "data",
"noise" and "calibration" of the seed, so that decoders that are compared see the same images in the same order with the
same posterior noise. The loss is the mean over the batch of NLL + KL, each summed over the values of an image.

A model that can be trained here has ``config.image_shape`` (shape of one item), ``decoder``, ``initialise(generator,
images)``, ``draw_noise(count, generator)``, and its call ``model(images, noise)`` returns terms with ``images``,
``output``, ``nll`` and ``kl`` (B,) and ``objective(kl_weight)`` (B,). Its configuration has ``build(device, dtype)``.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vaes import checkpoints
from vaes.data import BatchSource
from vaes.ops import optimisers, schedules
from vaes.seeding import global_generators, stream
from vaes.training_loop import DTYPES, LoopRecipe, TrainingLoop

CHUNK = 256
"""Images in one pass of a calibration."""


class LevelImages(Protocol):
    """The part of a dataset that training needs."""

    @property
    def id(self) -> str:
        """Name."""

    @property
    def train(self) -> Tensor:
        """Images (N, ...) as integer levels."""

    @property
    def levels(self) -> int:
        """Number of levels."""

    @property
    def checksum(self) -> str:
        """Hash of the levels."""


@dataclass(frozen=True)
class ImageRecipe(LoopRecipe):
    """How a model is trained; the optimiser's part is that of `vaes.training_loop.LoopRecipe`.

    Parameters
    ----------
    kl_weight : float
        Final weight of the KL.
    kl_warmup : float
        Steps over which the weight rises linearly from 0 (KL annealing); 0 is none.
    ema : float, optional
        Decay of an exponential moving average of the parameters, from their start on and without correction for it;
        the average is what `ImageTrainer.evaluation_model` returns.
    """

    batch: int = 128
    learning_rate: float = 1e-3
    kl_weight: float = 1.0
    kl_warmup: float = 0.0
    ema: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        for name in ("kl_weight", "kl_warmup"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be >= 0 and finite, got {getattr(self, name)}")
        if self.ema is not None and not 0 <= self.ema < 1:
            raise ValueError(f"ema must be in [0, 1), got {self.ema}")

    def kl_weight_at(self, step: int) -> float:
        """Weight of the KL at optimiser step ``step``, counted from 0."""
        if self.kl_warmup == 0:
            return self.kl_weight
        return self.kl_weight * float(
            schedules.kl_warmup(torch.tensor(float(step), dtype=torch.float64), 0.0, self.kl_warmup)
        )


Hook = Callable[["ImageTrainer", Any], None]


class ImageTrainer(TrainingLoop):
    """The loop for one model.

    Parameters
    ----------
    model :
        A model of the kind that the module's docstring describes, initialised.
    dataset : LevelImages
        Images as integer levels; those of its ``train`` are used.
    recipe : ImageRecipe
    seed : int
        Root of the streams.
    """

    def __init__(self, model: nn.Module, dataset: LevelImages, recipe: ImageRecipe, seed: int) -> None:
        _check_data(model, dataset)
        super().__init__(model, recipe)
        self.dataset, self.seed = dataset, seed
        self.levels = dataset.train.to(self.device)
        self.batches = BatchSource(len(self.levels), recipe.batch, stream(seed, "data", device=self.device))
        self.noise = stream(seed, "noise", device=self.device)
        self.average: dict[str, Tensor] = {}
        if recipe.ema is not None:
            self.average = {name: p.detach().clone() for name, p in model.named_parameters()}

    def evaluation_model(self) -> Any:
        """Copy of the model for evaluation: averaged parameters if the recipe has them, calibrated on all of train."""
        model = copy.deepcopy(self.model).eval()
        model.load_state_dict(self.average, strict=False)
        generator = stream(self.seed, "calibration", device=self.device)
        return calibrate(model, self.levels, self.dataset.levels, generator)

    def _pass(self) -> tuple[Any, Tensor]:
        images = _intensities(
            self.levels.index_select(0, self.batches.next()), self.dataset.levels, DTYPES[self.recipe.dtype]
        )
        noise = self.model.draw_noise(len(images), self.noise)
        # By step: a resumed run then draws the masks of an uninterrupted one.
        with global_generators(stream(self.seed, "dropout", self.step, device=self.device)):
            terms = self.model(images, noise)
        return terms, terms.objective(self.recipe.kl_weight_at(self.step)).mean()

    def _advance(self) -> Any:
        terms = super()._advance()
        with torch.no_grad():
            for name, average in self.average.items():
                average.copy_(optimisers.ema(average, self.model.get_parameter(name), self.recipe.ema))
        return terms

    def _named(self, terms: Any) -> Mapping[str, Tensor]:
        return {"output": terms.output, "nll": terms.nll, "kl": terms.kl}

    def _streams(self) -> dict[str, Tensor]:
        batches = {f"batches.{name}": value for name, value in self.batches.state().items()}
        average = {f"ema.{name}": value for name, value in self.average.items()}
        return {**batches, "noise": self.noise.get_state(), **average}

    def _restore_streams(self, tensors: Mapping[str, Tensor]) -> None:
        self.batches.restore(checkpoints.below(tensors, "batches."))
        self.noise.set_state(tensors["noise"].cpu())
        self.average = checkpoints.below(tensors, "ema.")

    def _identity(self) -> str:
        parts = (asdict(self.model.config), self.recipe.identity(), self.seed)
        return json.dumps([*parts, self.dataset.id, self.dataset.checksum], sort_keys=True)


@dataclass
class Trajectory:
    """A hook that keeps batch means of every step it sees, in nats per image: NLL, KL, squared error, log scale.

    The log scale is that of the decoder (of a learned one: after the step), NaN where it has none.
    """

    step: list[int] = field(default_factory=list)
    nll: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    squared_error: list[float] = field(default_factory=list)
    log_scale: list[float] = field(default_factory=list)

    @torch.no_grad()
    def __call__(self, trainer: ImageTrainer, terms: Any) -> None:
        """Add a step."""
        decoder = trainer.model.decoder
        scale = decoder.log_scale
        self.step.append(trainer.step)
        self.nll.append(terms.nll.mean().item())
        self.kl.append(terms.kl.mean().item())
        self.squared_error.append(decoder.squared_error(terms.output, terms.images).mean().item())
        self.log_scale.append(math.nan if scale is None else scale.item())


@torch.no_grad()
def calibrate(model: Any, levels: Tensor, count: int, generator: torch.Generator) -> Any:
    """Freeze what the model's decoder fits in closed form, at one posterior sample of each image; returns the model.

    Parameters
    ----------
    model :
        The model; it is in evaluation mode afterwards.
    levels : Tensor
        All training images as integer levels (N, ...).
    count : int
        Number of levels L.
    generator : torch.Generator
        Of the posterior noise.
    """
    model.eval()
    if not model.decoder.needs_calibration:
        return model
    dtype = next(model.parameters()).dtype
    errors = []
    for chunk in levels.split(CHUNK):
        terms = model(_intensities(chunk, count, dtype), model.draw_noise(len(chunk), generator))
        errors.append(model.decoder.squared_error(terms.output, terms.images).double())
    model.decoder.calibrate(torch.cat(errors), terms.images[0].numel())
    return model


def initial_model(
    config: Any, recipe: ImageRecipe, seed: int, dataset: LevelImages, device: torch.device | str = "cpu"
) -> Any:
    """Fresh model from the stream "init"; it may look at the first training batch (data-dependent start)."""
    model = config.build(device=device, dtype=DTYPES[recipe.dtype])
    _check_data(model, dataset)
    rows = BatchSource(len(dataset.train), recipe.batch, stream(seed, "data")).next()
    images = _intensities(dataset.train[rows].to(device), dataset.levels, DTYPES[recipe.dtype])
    return model.initialise(stream(seed, "init"), images)


def train_image_model(
    config: Any,
    recipe: ImageRecipe,
    seed: int,
    dataset: LevelImages,
    *,
    device: torch.device | str = "cpu",
    hooks: Sequence[tuple[int, Hook]] = (),
) -> ImageTrainer:
    """Train one model from scratch and return its trainer; evaluate what `ImageTrainer.evaluation_model` gives.

    Raises
    ------
    ValueError
        If the images do not fit the model.
    NonFinite
        If a loss or parameter is not finite.
    """
    trainer = ImageTrainer(initial_model(config, recipe, seed, dataset, device), dataset, recipe, seed)
    trainer.run(hooks=hooks)
    return trainer


def _check_data(model: Any, dataset: LevelImages) -> None:
    shape = tuple(dataset.train.shape[1:])
    if tuple(model.config.image_shape) != shape:
        raise ValueError(f"image_shape must be {shape} as in {dataset.id}, got {tuple(model.config.image_shape)}")
    if model.decoder.config.levels != dataset.levels:
        raise ValueError(f"levels must be {dataset.levels} as in {dataset.id}, got {model.decoder.config.levels}")


def _intensities(levels: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    return levels.to(dtype) / (count - 1)

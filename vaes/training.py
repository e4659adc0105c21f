"""Training of Hermite VAEs, one model or a stack of them.

A run is a function of (configuration, recipe, members, dataset): the same bits on the same machine. Random numbers
come from five streams per root seed, "init", "data", "binarisation", "noise" and "smoothing", so that members that
share a seed share parameters at the start, data order and posterior noise whatever their rho. A `Trainer` drives one
model (``HVAE(config)``, one member) or a stack of them (see `vaes.ensembles`) with the same code: the loss is the sum
of the members' losses and Adam is elementwise, so members do not influence each other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from vaes import checkpoints
from vaes.data import BatchSource, Dataset
from vaes.models.hvae import HVAE, HierarchicalTerms, HVAEConfig, Smoothing, objective
from vaes.ops import schedules
from vaes.seeding import stream
from vaes.training_loop import DTYPES, LoopRecipe, NonFinite, TrainingLoop

__all__ = ["DTYPES", "Feed", "Hook", "Member", "NonFinite", "Recipe", "Trainer", "initial_model", "train"]


@dataclass(frozen=True)
class Member:
    """One arm of a comparison: what may differ between the models of an ensemble.

    Parameters
    ----------
    rho : float
        Smoothing strength in [0, 1]; 1 is the ordinary VAE.
    seed : int
        Root seed of the streams.
    beta : float
        Final weight of the KL sum.
    free_bits : float, optional
        Nats per layer, see `vaes.models.hvae.objective`.
    warmup : bool
        Whether the recipe's KL warm-up applies.
    """

    rho: float = 1.0
    seed: int = 0
    beta: float = 1.0
    free_bits: float | None = None
    warmup: bool = True

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.rho <= 1:
            raise ValueError(f"rho must be in [0, 1], got {self.rho}")
        if not self.beta >= 0:
            raise ValueError(f"beta must be >= 0, got {self.beta}")


@dataclass(frozen=True)
class Recipe(LoopRecipe):
    """How all members of a run are trained; the optimiser's part is that of `vaes.training_loop.LoopRecipe`.

    Parameters
    ----------
    samples : int
        Correlated samples K of the smoothed conditionals.
    importance : int
        Importance samples k of the objective; 1 is the ELBO.
    warmup_start, warmup_length : float
        KL warm-up in steps; length 0 is none.
    """

    samples: int = 5
    importance: int = 1
    warmup_start: float = 0.0
    warmup_length: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        for name in ("samples", "importance"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")


Hook = Callable[["Trainer", HierarchicalTerms], None]


class Feed:
    """Mini-batches and noise of one root seed, from the streams "data", "binarisation", "noise" and "smoothing"."""

    def __init__(self, dataset: Dataset, seed: int, config: HVAEConfig, recipe: Recipe, device: torch.device) -> None:
        dtype = DTYPES[recipe.dtype]
        self.recipe = recipe
        self.options: dict[str, Any] = {"device": device, "dtype": dtype}
        self.images = (dataset.train if dataset.grey is None else dataset.grey).to(device=device, dtype=dtype)
        self.dynamic = dataset.grey is not None
        self.batches = BatchSource(len(self.images), recipe.batch, stream(seed, "data", device=device))
        names = ("binarisation", "noise", "smoothing")
        self.generators = {name: stream(seed, name, device=device) for name in names}
        rows = recipe.importance * recipe.batch
        self.noise_shapes = [(rows, units) for units in config.latents]
        self.fresh_shapes = [(recipe.samples, rows, units) for units in config.latents[1:]]

    def images_and_noise(self) -> tuple[Tensor, list[Tensor]]:
        """Next images (B, data) and posterior noise (k * B, n_l) per layer."""
        x = self.images[self.batches.next()]
        if self.dynamic:
            uniform = torch.rand(x.shape, generator=self.generators["binarisation"], **self.options)
            x = (uniform < x).to(x.dtype)
        return x, self._normal("noise", self.noise_shapes)

    def fresh(self) -> list[Tensor]:
        """Next noise (K, k * B, n_{l+1}) of the correlated samples per smoothed conditional."""
        return self._normal("smoothing", self.fresh_shapes)

    def state(self) -> dict[str, Tensor]:
        """Tensors that `restore` needs."""
        generators = {name: generator.get_state() for name, generator in self.generators.items()}
        return {**generators, **{f"batches.{name}": value for name, value in self.batches.state().items()}}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken."""
        for name, generator in self.generators.items():
            generator.set_state(state[name].cpu())
        self.batches.restore({name: state[f"batches.{name}"] for name in ("order", "generator")})

    def _normal(self, name: str, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """One draw for all layers, cut into contiguous pieces."""
        sizes = [math.prod(shape) for shape in shapes]
        flat = torch.randn(sum(sizes), generator=self.generators[name], **self.options)
        return [piece.view(shape) for piece, shape in zip(flat.split(sizes), shapes, strict=True)]


class Trainer(TrainingLoop):
    """The objective of one model or of a stack, maximised; hooks get the terms (smoothed ones: not an ELBO).

    Parameters
    ----------
    model : HVAE
        One model with one member, or a stack with its members in order, those with rho = 1 first.
    members : sequence of Member
    dataset : Dataset
    recipe : Recipe
    """

    def __init__(self, model: HVAE, members: Sequence[Member], dataset: Dataset, recipe: Recipe) -> None:
        if len(members) != (model.members or 1):
            raise ValueError(f"members must number {model.members or 1}, got {len(members)}")
        if model.config.data != dataset.dims:
            raise ValueError(f"data must be the {dataset.dims} values of {dataset.id}, got {model.config.data}")
        super().__init__(model, recipe)
        self.members, self.dataset = tuple(members), dataset
        self.seeds = tuple(dict.fromkeys(member.seed for member in members))
        self.feeds = [Feed(dataset, seed, model.config, recipe, self.device) for seed in self.seeds]
        self._prepare()

    def _prepare(self) -> None:
        """Per-member constants in the shapes that broadcast against a stack."""
        rho = [member.rho for member in self.members]
        self._plain = sum(value == 1 for value in rho)
        if any(value == 1 for value in rho[self._plain :]):
            raise ValueError(f"members with rho = 1 must come first, got rho = {rho}")
        # With depth 1 there is nothing to smooth, and K = 1 is still smoothed: it averages one fresh copy.
        self._smooths = self._plain < len(rho) and self.model.config.depth > 1
        floors = [member.free_bits for member in self.members]
        self._free_bits: float | Tensor | None = None
        self._rows: Tensor | None = None
        options: dict[str, Any] = {"device": self.device, "dtype": DTYPES[self.recipe.dtype]}
        if self.model.members is None:
            self._rho: float | Tensor = rho[0]
            self._free_bits = floors[0]
            return
        self._rho = torch.tensor(rho[self._plain :], **options)[:, None, None, None]
        if any(floor is not None for floor in floors):
            self._free_bits = torch.tensor([-math.inf if f is None else f for f in floors], **options)
        if len(self.seeds) > 1:
            rows = [self.seeds.index(member.seed) for member in self.members]
            self._rows = torch.tensor(rows, device=self.device)

    def _pass(self) -> tuple[HierarchicalTerms, Tensor]:
        x, noise, smoothing = self._inputs()
        terms = self.model(x, noise, smoothing)
        value = objective(terms, beta=self._beta(), free_bits=self._free_bits, importance=self.recipe.importance)
        return terms, -value

    def _inputs(self) -> tuple[Tensor, list[Tensor], Smoothing | None]:
        drawn = [feed.images_and_noise() for feed in self.feeds]
        x = self._spread([images for images, _ in drawn], self._rows)
        layers = zip(*(noise for _, noise in drawn), strict=True)
        noise = [self._spread(layer, self._rows) for layer in layers]
        if not self._smooths:
            return x, noise, None
        rows = None if self._rows is None else self._rows[self._plain :]
        fresh = zip(*(feed.fresh() for feed in self.feeds), strict=True)
        plain = 0 if self.model.members is None else self._plain
        return x, noise, Smoothing(self._rho, tuple(self._spread(layer, rows) for layer in fresh), plain)

    def _spread(self, values: Sequence[Tensor], rows: Tensor | None) -> Tensor:
        """One array per seed -> one per member; members of a single seed share a broadcast one."""
        if self.model.members is None:
            return values[0]
        if rows is None:
            return values[0].unsqueeze(0)
        return torch.stack(tuple(values)).index_select(0, rows)

    def _beta(self) -> float | Tensor:
        warm = 1.0
        if self.recipe.warmup_length > 0:
            step = torch.tensor(float(self.step), dtype=torch.float64)
            warm = float(schedules.kl_warmup(step, self.recipe.warmup_start, self.recipe.warmup_length))
        values = [member.beta * (warm if member.warmup else 1.0) for member in self.members]
        if len(set(values)) == 1:
            return values[0]
        return torch.tensor(values, device=self.device, dtype=DTYPES[self.recipe.dtype])

    def _named(self, terms: HierarchicalTerms) -> Mapping[str, Tensor]:
        named = {"log_likelihood": terms.log_likelihood}
        for layer, (prior, posterior) in enumerate(zip(terms.log_prior, terms.log_posterior, strict=True), 1):
            named |= {f"log_posterior of layer {layer}": posterior, f"log_prior of layer {layer}": prior}
        return named

    def _where(self, finite: Tensor) -> str:
        member = 0 if self.model.members is None else int((~finite).reshape(len(finite), -1).any(1).nonzero()[0])
        return f"step {self.step} in {self.members[member]}"

    def _streams(self) -> dict[str, Tensor]:
        pairs = zip(self.seeds, self.feeds, strict=True)
        return {f"feed.{seed}.{name}": value for seed, feed in pairs for name, value in feed.state().items()}

    def _restore_streams(self, tensors: Mapping[str, Tensor]) -> None:
        for seed, feed in zip(self.seeds, self.feeds, strict=True):
            feed.restore(checkpoints.below(tensors, f"feed.{seed}."))

    def _identity(self) -> str:
        parts = (asdict(self.model.config), self.recipe.identity(), [asdict(m) for m in self.members])
        return json.dumps([*parts, self.dataset.id, self.dataset.checksum], sort_keys=True)


def initial_model(config: HVAEConfig, recipe: Recipe, seed: int, dataset: Dataset) -> HVAE:
    """Fresh single model on the CPU, drawn from the stream "init" of ``seed``."""
    return HVAE(config, dtype=DTYPES[recipe.dtype]).initialise(stream(seed, "init"), dataset.mean_image)


def train(
    config: HVAEConfig,
    recipe: Recipe,
    member: Member,
    dataset: Dataset,
    *,
    device: torch.device | str = "cpu",
    hooks: Sequence[tuple[int, Hook]] = (),
) -> Trainer:
    """Train one model from scratch and return its trainer (``.model`` is the model)."""
    model = initial_model(config, recipe, member.seed, dataset).to(device)
    trainer = Trainer(model, (member,), dataset, recipe)
    trainer.run(hooks=hooks)
    return trainer

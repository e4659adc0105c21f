"""The stacked-Gaussian hierarchical VAE, with Ornstein-Uhlenbeck smoothing of its generative conditionals in training.

p(x, z) = p(x|z_1) p(z_1|z_2) .. p(z_{L-1}|z_L) N(z_L; 0, I) and q(z|x) = q(z_1|x) q(z_2|z_1) .. q(z_L|z_{L-1}), every
conditional a small perceptron. Layer 1 is next to the data. All values are nats per image.

One class serves one model and a stack of M models: with ``members=M`` every array below gains a leading axis M.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from vaes.layers.mlp import ACTIVATIONS, MLP, StackedMLP, glorot_
from vaes.models.configuration import from_values
from vaes.ops import bernoulli, bounds, gaussian, ornstein_uhlenbeck

POSITIVITY: dict[str, Callable[[Tensor], Tensor]] = {
    # The shift makes the scale 1.001 where the raw output is 0, so that a fresh model starts near its prior.
    "softplus(raw + 0.5413) + 1e-3": lambda raw: softplus(raw + 0.5413) + 1e-3,
    "softplus(raw) + 1e-3": lambda raw: softplus(raw) + 1e-3,
    "exp(raw)": torch.exp,
}
SMOOTHING = ("mu_sigma", "mu", "ratio")
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class HVAEConfig:
    """Everything that defines a model but its parameters.

    Parameters
    ----------
    data : int
        Values per image.
    latents, hidden : tuple of int
        Latent units and hidden units of each stage, bottom to top. Stage l's hidden width serves q(z_l|z_{l-1}) and
        p(z_{l-1}|z_l).
    hidden_layers : int
        Hidden layers in every network.
    activation : str
        "tanh", or "identity" for linear-Gaussian models.
    positivity : str
        Map from a raw network output to a standard deviation, a key of `POSITIVITY`. Not stated in the paper.
    smoothing : str
        What is averaged over the correlated samples: "mu_sigma" (mean and scale), "mu" (mean only), "ratio" (mean /
        scale, and the scale).
    detach_smoothing_inputs : bool
        Ablation: no gradient through the correlated samples into the posterior.
    centre_input, mean_image_bias : bool
        Subtract the mean image from the encoder's input; start the output bias at the logit of the mean image. Plain
        models of 28x28 images get stuck without.
    mean_image_clip : float
        The mean image is clipped to [clip, 1 - clip] before the logit.
    """

    data: int = 784
    latents: tuple[int, ...] = (40, 40, 40, 40)
    hidden: tuple[int, ...] = (200, 200, 200, 200)
    hidden_layers: int = 2
    activation: str = "tanh"
    positivity: str = "softplus(raw + 0.5413) + 1e-3"
    smoothing: str = "mu_sigma"
    detach_smoothing_inputs: bool = False
    centre_input: bool = False
    mean_image_bias: bool = False
    mean_image_clip: float = 0.01

    def __post_init__(self) -> None:
        """Check the values."""
        if len(self.latents) != len(self.hidden) or not self.latents:
            raise ValueError(f"latents and hidden must have equal length >= 1, got {self.latents} and {self.hidden}")
        if min(self.data, self.hidden_layers, *self.latents, *self.hidden) < 1:
            raise ValueError(f"data, hidden_layers, latents and hidden must be >= 1, got {self}")
        for name, allowed in (("activation", ACTIVATIONS), ("positivity", POSITIVITY), ("smoothing", SMOOTHING)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if not 0 < self.mean_image_clip < 0.5:
            raise ValueError(f"mean_image_clip must be in (0, 0.5), got {self.mean_image_clip}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HVAEConfig:
        """Build from a mapping (lists for tuples are fine); unknown keys are an error that names them."""
        return from_values(cls, values)

    @property
    def depth(self) -> int:
        """Number of stochastic layers L."""
        return len(self.latents)


class Gaussian(NamedTuple):
    """Mean and standard deviation, each (..., rows, units)."""

    mean: Tensor
    scale: Tensor


@dataclass(frozen=True)
class Smoothing:
    """How the generative conditionals are smoothed in a training pass.

    ``rho`` is a float, or (M - plain, 1, 1, 1) for a stack. ``fresh`` holds, for each of the L-1 conditionals, the
    noise (..., K, rows, n_{l+1}) of the K correlated copies of z_{l+1}. The first ``plain`` members of a stack are not
    smoothed and pay no K-fold pass.
    """

    rho: float | Tensor
    fresh: tuple[Tensor, ...]
    plain: int = 0


@dataclass(frozen=True)
class HierarchicalTerms:
    """Terms of one joint posterior sample per row, in nats, each (..., rows); tuples run bottom to top.

    ``log_prior[l]`` is log p(z_l|z_{l+1}) (with smoothed parameters where the pass was smoothed, N(0, I) at the top),
    ``log_posterior[l]`` is log q(z_l|z_{l-1}).
    """

    log_likelihood: Tensor
    log_prior: tuple[Tensor, ...]
    log_posterior: tuple[Tensor, ...]
    posterior: tuple[Gaussian, ...]
    samples: tuple[Tensor, ...]

    @property
    def layer_terms(self) -> tuple[Tensor, ...]:
        """T_l = log q - log p of each layer: a single-sample log ratio, negative values are legitimate."""
        return tuple(q - p for q, p in zip(self.log_posterior, self.log_prior, strict=True))

    @property
    def top_kl(self) -> Tensor:
        """Analytic KL of q(z_L|z_{L-1}) from N(0, I), summed over units."""
        return gaussian.kl_standard(*self.posterior[-1])

    @property
    def kl_sum(self) -> Tensor:
        """Sum of the layer terms, log q(z|x) - log p(z)."""
        return reduce(add, self.layer_terms)

    @property
    def log_weight(self) -> Tensor:
        """Log importance weight log p(x, z) - log q(z|x); its mean is the ELBO of an unsmoothed pass."""
        return self.log_likelihood - self.kl_sum


class HVAE(nn.Module):
    """The model. ``x`` is (..., B, data); noise arrays are (..., R * B, n_l): R >= 1 posterior samples per image.

    Parameters
    ----------
    config : HVAEConfig
    members : int, optional
        Number of stacked models; None for one model made of `torch.nn.Linear` layers.
    """

    centre: Tensor | None

    def __init__(
        self,
        config: HVAEConfig,
        members: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.config, self.members = config, members
        self._positive = POSITIVITY[config.positivity]

        def network(inputs: int, hidden: int, outputs: int) -> MLP | StackedMLP:
            sizes = (inputs, *[hidden] * config.hidden_layers, outputs)
            if members is None:
                return MLP(sizes, config.activation, device, dtype)
            return StackedMLP(members, sizes, config.activation, device, dtype)

        below = (config.data, *config.latents[:-1])
        stages = list(zip(below, config.hidden, config.latents, strict=True))
        self.posteriors = nn.ModuleList(network(b, h, 2 * n) for b, h, n in stages)
        self.priors = nn.ModuleList(network(n, h, 2 * b) for b, h, n in stages[1:])
        self.likelihood = network(config.latents[0], config.hidden[0], config.data)
        centre = torch.zeros(config.data, device=device, dtype=dtype) if config.centre_input else None
        self.register_buffer("centre", centre)

    def initialise(self, generator: torch.Generator, mean_image: Tensor | None = None) -> HVAE:
        """Draw fresh parameters (one model, not a stack): Glorot-uniform weights, zero biases.

        ``mean_image`` (data,) is needed by the options ``centre_input`` and ``mean_image_bias``.
        """
        if self.members is not None:
            raise ValueError(f"initialise needs a single model, got a stack of {self.members}")
        *conditionals, likelihood = self._networks()
        for network in conditionals:
            glorot_(network, 2, generator)
        glorot_(likelihood, 1, generator)
        if not (self.config.centre_input or self.config.mean_image_bias):
            return self
        if mean_image is None:
            raise ValueError("centre_input and mean_image_bias need mean_image, got None")
        with torch.no_grad():
            if self.config.mean_image_bias:
                clip = self.config.mean_image_clip
                likelihood.layers[-1].bias.copy_(mean_image.clamp(clip, 1 - clip).logit())
            if self.centre is not None:
                self.centre.copy_(mean_image)
        return self

    @classmethod
    def stack(cls, models: Sequence[HVAE]) -> HVAE:
        """Stack single models of one configuration (and one data mean) into one of ``len(models)`` members."""
        first = next(models[0].parameters())
        stacked = cls(models[0].config, len(models), first.device, first.dtype)
        for member, model in enumerate(models):
            for own, network in zip(stacked._networks(), model._networks(), strict=True):
                own.load_member(member, network)
        if stacked.centre is not None and models[0].centre is not None:
            stacked.centre.copy_(models[0].centre)
        return stacked

    def member(self, index: int) -> HVAE:
        """Copy one member out of a stack, as a model of `torch.nn.Linear` layers."""
        first = next(self.parameters())
        model = HVAE(self.config, None, first.device, first.dtype)
        for own, network in zip(self._networks(), model._networks(), strict=True):
            own.store_member(index, network)
        if self.centre is not None and model.centre is not None:
            model.centre.copy_(self.centre)
        return model

    def infer(self, x: Tensor, noise: Sequence[Tensor]) -> tuple[tuple[Gaussian, ...], tuple[Tensor, ...]]:
        """Posterior parameters and samples of all layers, bottom to top; q(z_1|x) is run once per image."""
        if self.centre is not None:
            x = x - self.centre
        current, repeats = x, noise[0].shape[-2] // x.shape[-2]
        posterior, samples = [], []
        for layer, network in enumerate(self.posteriors):
            distribution = self._gaussian(network(current))
            if layer == 0 and repeats > 1:
                distribution = Gaussian(*(_repeat_rows(value, repeats) for value in distribution))
            current = gaussian.reparameterise(*distribution, noise[layer])
            posterior.append(distribution)
            samples.append(current)
        return tuple(posterior), tuple(samples)

    def conditional(self, layer: int, z: Tensor) -> Gaussian:
        """Unsmoothed p(z_layer | parents = z), counting layers from 0; see `parents`."""
        return self._gaussian(self.priors[layer](z))

    def parents(self, above: Sequence[Tensor]) -> Tensor:
        """What a layer depends on in the generative model, out of the values of all layers above it, next one first."""
        return above[0]

    def forward(self, x: Tensor, noise: Sequence[Tensor], smoothing: Smoothing | None = None) -> HierarchicalTerms:
        """Terms of the objective at one posterior sample per row of ``noise``.

        Parameters
        ----------
        x : Tensor
            Images (..., B, data).
        noise : sequence of Tensor
            Standard normal draws (..., R * B, n_l) of each layer, bottom to top.
        smoothing : Smoothing, optional
            None (rho = 1) is the ordinary VAE.
        """
        posterior, samples = self.infer(x, noise)
        log_prior = []
        for layer in range(self.config.depth - 1):
            if smoothing is None:
                prior = self.conditional(layer, self.parents(samples[layer + 1 :]))
            else:
                above = layer + 1
                prior = self._smoothed_stack(layer, samples[above], posterior[above], noise[above], smoothing)
            log_prior.append(gaussian.log_density(samples[layer], *prior))
        log_prior.append(-(0.5 * samples[-1].square() + _HALF_LOG_TWO_PI).sum(-1))
        return HierarchicalTerms(
            log_likelihood=self.log_likelihood(x, samples[0]),
            log_prior=tuple(log_prior),
            # (z - mean) / scale is the noise: no rounding error, and no gradient terms that only cancel.
            log_posterior=tuple(
                -(0.5 * e.square() + _HALF_LOG_TWO_PI).sum(-1) - q.scale.log().sum(-1)
                for e, q in zip(noise, posterior, strict=True)
            ),
            posterior=posterior,
            samples=samples,
        )

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z_1) (..., R * B) of images (..., B, data) at samples (..., R * B, n_1)."""
        if z.shape[-2] != x.shape[-2]:
            x = _repeat_rows(x, z.shape[-2] // x.shape[-2])
        return bernoulli.log_likelihood(x, self.likelihood(z))

    def log_weights(self, x: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """Log importance weights (..., R, B) of the unsmoothed model."""
        return self(x, noise).log_weight.unflatten(-1, (-1, x.shape[-2]))

    def descend(self, z: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """Ancestral pass of the unsmoothed model from the top latent down: samples of z_1 (..., rows, n_1).

        ``noise`` holds draws (..., rows, n_l) for the layers below the top, bottom to top.
        """
        samples = [z]
        for layer in reversed(range(self.config.depth - 1)):
            conditional = self.conditional(layer, self.parents(samples))
            samples.insert(0, gaussian.reparameterise(*conditional, noise[layer]))
        return samples[0]

    def sample(self, noise: Sequence[Tensor]) -> Tensor:
        """Pixel probabilities (..., rows, data) of ancestral samples; ``noise`` (..., rows, n_l) for every layer."""
        return self.likelihood(self.descend(noise[-1], noise[:-1])).sigmoid()

    def _networks(self) -> list[Any]:
        return [*self.posteriors, *self.priors, self.likelihood]

    def _gaussian(self, raw: Tensor) -> Gaussian:
        mean, scale = raw.chunk(2, -1)
        return Gaussian(mean, self._positive(scale))

    def _smoothed_stack(self, layer: int, z: Tensor, q: Gaussian, noise: Tensor, smoothing: Smoothing) -> Gaussian:
        """Smoothed conditional for all members, the first ``smoothing.plain`` of them without smoothing."""
        network: Any = self.priors[layer]
        plain = smoothing.plain
        if plain == 0:
            return self._smoothed(network, z, q, noise, smoothing.fresh[layer], smoothing.rho)
        first, others = network.split(plain)
        rest = Gaussian(q.mean[plain:], q.scale[plain:])
        noise = noise if len(noise) == 1 else noise[plain:]
        smoothed = self._smoothed(others, z[plain:], rest, noise, smoothing.fresh[layer], smoothing.rho)
        unsmoothed = self._gaussian(first(z[:plain]))
        return Gaussian(*(torch.cat(pair) for pair in zip(unsmoothed, smoothed, strict=True)))

    def _smoothed(
        self,
        network: Callable[[Tensor], Tensor],
        z: Tensor,
        q: Gaussian,
        noise: Tensor,
        fresh: Tensor,
        rho: float | Tensor,
    ) -> Gaussian:
        """p(z_l | z_{l+1}) with parameters averaged over K copies correlated with z_{l+1} under q(z_{l+1} | z_l)."""
        copies = ornstein_uhlenbeck.correlated_sample(
            q.mean.unsqueeze(-3), q.scale.unsqueeze(-3), noise.unsqueeze(-3), fresh, rho
        )
        if self.config.detach_smoothing_inputs:
            copies = copies.detach()
        fold = copies.shape[-3:-1]
        p = self._gaussian(network(copies.flatten(-3, -2)))
        mean, scale = (value.unflatten(-2, fold) for value in p)
        if self.config.smoothing == "mu":
            return Gaussian(mean.mean(-3), self._gaussian(network(z)).scale)
        if self.config.smoothing == "ratio":
            smooth = scale.mean(-3)
            return Gaussian(smooth * (mean / scale).mean(-3), smooth)
        return Gaussian(mean.mean(-3), scale.mean(-3))


def objective(
    terms: HierarchicalTerms,
    *,
    beta: float | Tensor = 1.0,
    free_bits: float | Tensor | None = None,
    importance: int = 1,
) -> Tensor:
    """Objective J to be maximised, mean over the batch: () for one model, (M,) for a stack.

    A smoothed J is no lower bound of the log likelihood; never report it as an ELBO.

    Parameters
    ----------
    terms : HierarchicalTerms
    beta : float or Tensor
        Weight of the whole KL sum; (M,) for a stack.
    free_bits : float or Tensor, optional
        Nats per layer below which the batch mean of a layer's term costs no less and gives no gradient; minus
        infinity switches it off for a member.
    importance : int
        Importance samples k: rows of the terms are (k, B) flattened.

    Raises
    ------
    ValueError
        If free bits and importance samples are combined, which has no meaning here.
    """
    if importance > 1:
        if free_bits is not None:
            raise ValueError(f"free_bits must be None with importance > 1, got {free_bits}")
        log_weight = terms.log_likelihood - _column(beta) * terms.kl_sum
        return bounds.importance_weighted(log_weight.unflatten(-1, (importance, -1)).movedim(-2, 0)).mean(-1)
    if free_bits is None:
        return (terms.log_likelihood - _column(beta) * terms.kl_sum).mean(-1)
    means = [term.mean(-1) for term in terms.layer_terms]
    floor = torch.as_tensor(free_bits, dtype=means[0].dtype, device=means[0].device)
    return terms.log_likelihood.mean(-1) - beta * reduce(add, (torch.maximum(mean, floor) for mean in means))


def _column(value: float | Tensor) -> float | Tensor:
    return value.unsqueeze(-1) if isinstance(value, Tensor) else value


def _repeat_rows(value: Tensor, repeats: int) -> Tensor:
    """(..., B, n) -> (..., repeats * B, n), whole batches one after another."""
    shape = (*value.shape[:-2], repeats, *value.shape[-2:])
    return value.unsqueeze(-3).expand(shape).flatten(-3, -2)


PRESETS: dict[str, HVAEConfig] = {
    "mlp4x40": HVAEConfig(),
    "mlp_pyramid4": HVAEConfig(latents=(64, 32, 16, 8), hidden=(512, 256, 128, 64)),
    "mlp_pyramid5": HVAEConfig(latents=(64, 32, 16, 8, 4), hidden=(512, 256, 128, 64, 32)),
    "mlp3x200": HVAEConfig(latents=(200,) * 3, hidden=(200,) * 3),
    "tiny": HVAEConfig(data=64, latents=(8,) * 3, hidden=(64,) * 3),
}
"""The paper's MLP models for 28x28 images and their CPU-sized sibling; `preset` adds the grid ``mlp_grid``."""


def preset(name: str, *, depth: int | None = None, width: int | None = None, **overrides: Any) -> HVAEConfig:
    """Named configuration; ``mlp_grid`` takes ``depth`` and ``width``, all take overrides of `HVAEConfig` fields."""
    if name == "mlp_grid":
        if not depth or not width:
            raise ValueError(f"mlp_grid needs depth >= 1 and width >= 1, got {depth} and {width}")
        base = HVAEConfig(latents=(width,) * depth, hidden=(200,) * depth)
    elif name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join((*PRESETS, 'mlp_grid'))}, got {name!r}")
    elif depth is not None or width is not None:
        raise ValueError(f"depth and width belong to mlp_grid, got them for {name!r}")
    else:
        base = PRESETS[name]
    return HVAEConfig.from_dict({**{f.name: getattr(base, f.name) for f in fields(base)}, **overrides})


def hvae(
    name: str,
    *,
    members: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **overrides: Any,
) -> HVAE:
    """Build a model from a named preset (see `preset`); parameters are uninitialised until `HVAE.initialise`."""
    return HVAE(preset(name, **overrides), members, device, dtype)

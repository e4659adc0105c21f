"""The residual convolutional Hermite VAE: `vaes.models.hvae.HVAE` with feature maps in place of hidden units.

Every latent is a stack of maps of one size. q(z_1|x) halves the image down to it and p(x|z_1) doubles it back; the
networks between latents keep the size, and the L - 1 generative ones among them are what smoothing runs K times.
With stochastic skips (HVAE+) p(z_l|.) sees all latents above it, not only the next one.

The paper gives the number of blocks (6), of feature maps (100) and the latents (8 maps of 16x16); kernels, block type,
heads and resizing are not stated. The layout here has 12,399,718 parameters with 4 layers and 16,811,382 with 6, as
printed (12.4M, 16.8M), and 10,193,886 with 3, where 9.95M is printed. No layout whose count grows evenly with depth
has all three.

Images, latents and noise are flat vectors, as everywhere: (..., B, data), in the order of `vaes.data.Dataset.shape`
(channels last), with values in [0, 1]. All log probabilities are nats per image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from vaes.layers.residual_network import ResidualNetwork, glorot_
from vaes.models.configuration import from_values
from vaes.models.hvae import HVAE, POSITIVITY, SMOOTHING, Gaussian, HierarchicalTerms, Smoothing
from vaes.ops import bernoulli, gaussian, likelihoods

LEVELS = 256
SMALLEST_LOG_SCALE = -7.0
LIKELIHOODS = ("bernoulli", "discretised_logistic", "mixture_of_logistics")


@dataclass(frozen=True)
class HVAEConvConfig:
    """Everything that defines a model but its parameters. What the paper does not state is marked (assumed).

    Parameters
    ----------
    image : tuple of int
        (height, width) or (height, width, channels).
    depth : int
        Number of stochastic layers L.
    latent_maps : int
        Maps of every latent.
    maps, blocks : int
        Feature maps of all networks, residual blocks in each.
    halvings : int
        Times that q(z_1|x) halves the image: its last blocks, and the first ones of p(x|z_1) (assumed).
    kernel, bottom_kernel : int
        Kernel sides in the networks between latents, and in q(z_1|x) and p(x|z_1) (assumed).
    likelihood : str
        "bernoulli"; "discretised_logistic", a mean and a log scale for each value; "mixture_of_logistics" with
        ``components``, green given red and blue given both (assumed).
    skips : bool
        Stochastic skips: a 1x1 convolution of all latents above the next one joins the first feature map of each
        p(z_l|.) (assumed).
    stable_start : bool
        Divide what every residual block adds at first by the root of their number (assumed). Without, fresh models of
        four layers start below -1e9 nats.
    positivity, smoothing, detach_smoothing_inputs :
        As in `vaes.models.hvae.HVAEConfig`.
    """

    image: tuple[int, ...] = (32, 32, 3)
    depth: int = 4
    latent_maps: int = 8
    maps: int = 100
    blocks: int = 6
    halvings: int = 1
    kernel: int = 3
    bottom_kernel: int = 5
    likelihood: str = "discretised_logistic"
    components: int = 10
    skips: bool = False
    stable_start: bool = True
    positivity: str = "softplus(raw + 0.5413) + 1e-3"
    smoothing: str = "mu_sigma"
    detach_smoothing_inputs: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        if len(self.image) not in (2, 3):
            raise ValueError(f"image must be (height, width) or (height, width, channels), got {self.image}")
        for name in ("depth", "latent_maps", "maps", "blocks", "components"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not 0 <= self.halvings <= self.blocks:
            raise ValueError(f"halvings must be between 0 and the {self.blocks} blocks, got {self.halvings}")
        if any(side < 1 or side % 2**self.halvings for side in self.image[:2]):
            raise ValueError(f"sides of the image must be multiples of {2**self.halvings}, got {self.image}")
        for name in ("kernel", "bottom_kernel"):
            if getattr(self, name) < 1 or getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} must be odd and >= 1, got {getattr(self, name)}")
        allowed = {"likelihood": LIKELIHOODS, "positivity": tuple(POSITIVITY), "smoothing": SMOOTHING}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} must be one of {', '.join(values)}, got {getattr(self, name)!r}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HVAEConvConfig:
        """Build from a mapping (a list for the tuple is fine); unknown keys are an error that names them."""
        return from_values(cls, values)

    @property
    def data(self) -> int:
        """Values per image."""
        return math.prod(self.image)

    @property
    def channels(self) -> int:
        """Channels of the image."""
        return self.image[2] if len(self.image) == 3 else 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the image."""
        return self.channels, self.image[0], self.image[1]

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Maps, height and width of every latent."""
        _, height, width = self.image_shape
        return self.latent_maps, height // 2**self.halvings, width // 2**self.halvings

    @property
    def latents(self) -> tuple[int, ...]:
        """Latent units of each layer, bottom to top."""
        return (math.prod(self.latent_shape),) * self.depth

    @property
    def hidden(self) -> tuple[int, ...]:
        """Values of the largest feature map of each layer: what one image costs in a pass without gradients."""
        _, height, width = self.image_shape
        return (self.maps * height * width,) * self.depth

    @property
    def output_maps(self) -> int:
        """Maps that p(x|z_1) puts out."""
        if self.likelihood == "mixture_of_logistics":
            return self.components * (1 + (3 if self.channels == 3 else 2) * self.channels)
        return self.channels * (2 if self.likelihood == "discretised_logistic" else 1)


class HVAEConv(HVAE):
    """The model; it trains and is evaluated like `HVAE`, one model at a time.

    With skips, the parents of a layer are all latents above it, the next one first, in one vector.

    Parameters
    ----------
    config : HVAEConvConfig
    """

    config: HVAEConvConfig  # type: ignore[assignment]
    likelihood: ResidualNetwork  # type: ignore[assignment]

    def __init__(
        self,
        config: HVAEConvConfig,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        # Past HVAE's own constructor, which builds perceptrons: what is inherited only asks for networks on vectors.
        nn.Module.__init__(self)
        self.config, self.members = config, None  # type: ignore[assignment]
        self._positive = POSITIVITY[config.positivity]
        self.register_buffer("centre", None)
        network = partial(ResidualNetwork, maps=config.maps, blocks=config.blocks, device=device, dtype=dtype)
        latent, moments = config.latent_shape, 2 * config.latent_maps
        bottom: dict[str, Any] = {"kernel": config.bottom_kernel, "halvings": config.halvings}
        above = range(config.depth - 2, -1, -1) if config.skips else [0] * (config.depth - 1)
        self.posteriors = nn.ModuleList([network(config.image_shape, moments, stem=False, **bottom)])
        self.posteriors.extend(network(latent, moments, kernel=config.kernel) for _ in range(config.depth - 1))
        self.priors = nn.ModuleList(
            network(latent, moments, kernel=config.kernel, further=further * config.latent_maps) for further in above
        )
        self.likelihood = network(latent, config.output_maps, head=1, resize="up", **bottom)

    def initialise(self, generator: torch.Generator, mean_image: Tensor | None = None) -> HVAEConv:
        """Draw fresh parameters: Glorot-uniform weights, zero biases; ``mean_image`` is not used."""
        *conditionals, likelihood = self._networks()
        for network in conditionals:
            glorot_(network, 2, generator, self.config.stable_start)
        glorot_(likelihood, 1, generator, self.config.stable_start)
        return self

    def infer(self, x: Tensor, noise: Sequence[Tensor]) -> tuple[tuple[Gaussian, ...], tuple[Tensor, ...]]:
        """Posterior parameters and samples of all layers, bottom to top; q(z_1|x) is run once per image."""
        return super().infer(2 * self._channels_first(x) - 1, noise)

    def forward(self, x: Tensor, noise: Sequence[Tensor], smoothing: Smoothing | None = None) -> HierarchicalTerms:
        """Terms of the objective at one posterior sample per row of ``noise``; arguments as in `HVAE.forward`.

        With skips the copies of all latents above a layer are joint: the k-th copy of each goes with the k-th of the
        others, and a layer's copies are the same for every layer below it.
        """
        posterior, samples = self.infer(x, noise)
        log_prior = [
            gaussian.log_density(samples[layer], *self._prior(layer, posterior, samples, noise, smoothing))
            for layer in range(self.config.depth - 1)
        ]
        log_prior.append(_standard_log_density(samples[-1]))
        return HierarchicalTerms(
            log_likelihood=self.log_likelihood(x, samples[0]),
            log_prior=tuple(log_prior),
            # (z - mean) / scale is the noise: no rounding error, and no gradient terms that only cancel.
            log_posterior=tuple(
                _standard_log_density(e) - q.scale.log().sum(-1) for e, q in zip(noise, posterior, strict=True)
            ),
            posterior=posterior,
            samples=samples,
        )

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z_1) (..., R * B) of images (..., B, data) at samples (..., R * B, n_1)."""
        outputs = self.likelihood(z).unflatten(-2, (-1, x.shape[-2]))
        x = self._channels_first(x).unsqueeze(-3)
        return _LOG_LIKELIHOODS[self.config.likelihood](self.config, x, outputs).flatten(-2)

    def parents(self, above: Sequence[Tensor]) -> Tensor:
        """What a layer depends on in the generative model, out of the values of all layers above it, next one first."""
        return torch.cat(tuple(above), -1) if self.config.skips and len(above) > 1 else above[0]

    def sample(self, noise: Sequence[Tensor]) -> Tensor:
        """Means of the pixels, in [0, 1], (..., rows, data) of ancestral samples; ``noise`` for every layer."""
        outputs = self.likelihood(self.descend(noise[-1], noise[:-1]))
        return self._channels_last(_MEANS[self.config.likelihood](self.config, outputs))

    def _prior(
        self,
        layer: int,
        posterior: Sequence[Gaussian],
        samples: Sequence[Tensor],
        noise: Sequence[Tensor],
        smoothing: Smoothing | None,
    ) -> Gaussian:
        """p(z_layer | latents above), smoothed or not."""
        above = slice(layer + 1, None)
        z = self.parents(samples[above])
        if smoothing is None:
            return self.conditional(layer, z)
        q = Gaussian(*(self.parents(values) for values in zip(*posterior[above], strict=True)))
        fresh = self.parents(smoothing.fresh[layer:])
        return self._smoothed(self.priors[layer], z, q, self.parents(noise[above]), fresh, smoothing.rho)

    def _channels_first(self, x: Tensor) -> Tensor:
        if self.config.channels == 1:
            return x
        return x.unflatten(-1, (-1, self.config.channels)).mT.flatten(-2)

    def _channels_last(self, x: Tensor) -> Tensor:
        if self.config.channels == 1:
            return x
        return x.unflatten(-1, (self.config.channels, -1)).mT.flatten(-2)


def _standard_log_density(z: Tensor) -> Tensor:
    return -(0.5 * z.square() + gaussian.HALF_LOG_TWO_PI).sum(-1)


def _codes(x: Tensor) -> Tensor:
    return ((LEVELS - 1) * x).round()


def _logistic_parameters(outputs: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_scale = outputs.chunk(2, -1)
    return mean, log_scale.clamp(min=SMALLEST_LOG_SCALE).exp()


def _mixture_parameters(config: HVAEConvConfig, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    _, height, width = config.image_shape
    maps, coloured = outputs.unflatten(-1, (-1, height, width)), config.channels == 3
    logits, means, log_scales, *rest = likelihoods.split_mixture(maps, config.components, config.channels, coloured)
    return logits, means, log_scales, rest[0] if coloured else None


def _bernoulli(config: HVAEConvConfig, x: Tensor, outputs: Tensor) -> Tensor:
    return bernoulli.log_likelihood(x, outputs)


def _logistic(config: HVAEConvConfig, x: Tensor, outputs: Tensor) -> Tensor:
    return likelihoods.discretised_logistic(_codes(x), *_logistic_parameters(outputs), LEVELS, low=-1.0).sum(-1)


def _mixture(config: HVAEConvConfig, x: Tensor, outputs: Tensor) -> Tensor:
    codes = _codes(x).unflatten(-1, config.image_shape)
    parameters = _mixture_parameters(config, outputs)
    return likelihoods.mixture_of_logistics(codes, *parameters, LEVELS, floor=SMALLEST_LOG_SCALE).sum((-2, -1))


def _bernoulli_mean(config: HVAEConvConfig, outputs: Tensor) -> Tensor:
    return outputs.sigmoid()


def _logistic_mean(config: HVAEConvConfig, outputs: Tensor) -> Tensor:
    return _to_unit(_logistic_parameters(outputs)[0])


def _mixture_mean(config: HVAEConvConfig, outputs: Tensor) -> Tensor:
    logits, means, _, coefficients = _mixture_parameters(config, outputs)
    return _to_unit(likelihoods.mixture_mean(logits, means, coefficients)).flatten(-3)


def _to_unit(x: Tensor) -> Tensor:
    return (0.5 * (x + 1)).clamp(0, 1)


_LOG_LIKELIHOODS: dict[str, Callable[[HVAEConvConfig, Tensor, Tensor], Tensor]] = dict(
    zip(LIKELIHOODS, (_bernoulli, _logistic, _mixture), strict=True)
)
_MEANS: dict[str, Callable[[HVAEConvConfig, Tensor], Tensor]] = dict(
    zip(LIKELIHOODS, (_bernoulli_mean, _logistic_mean, _mixture_mean), strict=True)
)

_GREY: dict[str, Any] = {"image": (28, 28), "maps": 64, "blocks": 5, "bottom_kernel": 3, "likelihood": "bernoulli"}
PRESETS: dict[str, HVAEConvConfig] = {
    **{f"cifar10-l{depth}": HVAEConvConfig(depth=depth) for depth in (3, 4, 6)},
    "cifar10-l3-skips": HVAEConvConfig(depth=3, skips=True),
    "grey-14x14": HVAEConvConfig(**_GREY),
    "grey-7x7": HVAEConvConfig(**_GREY, halvings=2),
    "tiny": HVAEConvConfig((8, 8), 3, 2, maps=8, blocks=2, bottom_kernel=3, likelihood="bernoulli"),
}
"""The paper's residual models for CIFAR-10 (Tables 5 and 6) and for binary 28x28 images (Section 5.2.1; Figure 1,
right), and their CPU-sized sibling for 8x8 digits."""


def preset(name: str, **overrides: Any) -> HVAEConvConfig:
    """Named configuration with overrides of its fields."""
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return HVAEConvConfig.from_dict({**asdict(PRESETS[name]), **overrides})


def hvae_conv(
    name: str, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None, **overrides: Any
) -> HVAEConv:
    """Build a model from a named preset (see `preset`); parameters are uninitialised until `HVAEConv.initialise`."""
    return HVAEConv(preset(name, **overrides), device, dtype)

"""The hierarchical VAE with a bottom-up posterior and a top-down prior that share nothing.

Stage l holds gated residual blocks up to the posterior of latent z_l, and the same blocks in reverse order from z_l
down to the prior of z_{l-1} (below the first stage: to the image). Plain skips join consecutive stages on either side;
no posterior sees the generative path. Layer 1 is next to the image, layer L the top with prior N(0, I).

Images are (B, C, H, W) in [0, 1] and enter as 2 x - 1. Noise is one flat vector per image, (B, latent), the layers'
maps from bottom to top. All terms are nats per image. The divergence is a single-sample estimate: log q - log p at the
posterior sample, which may be negative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vaes.layers.gated_block import GatedBlock, NormalisedConv
from vaes.models.configuration import from_values
from vaes.models.decoders import DecoderConfig, decoder
from vaes.models.hvae import Gaussian
from vaes.ops import balancing, calibration, gaussian, hierarchical
from vaes.seeding import global_generators, stream

LOG_VARIANCES = ("softplus", "none")


@dataclass(frozen=True)
class Stage:
    """One stage: its blocks as (kernel, stride) from the image up, and its latent.

    Parameters
    ----------
    blocks : tuple of (int, int)
        Kernel and stride of every block of the inference path; the generative path has them reversed, transposed.
    maps : int
        Channels of the latent.
    kernel : int
        Side of the kernels of the latent's posterior and prior.
    """

    blocks: tuple[tuple[int, int], ...]
    maps: int
    kernel: int

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.blocks or min(min(block) for block in self.blocks) < 1:
            raise ValueError(f"blocks must be pairs of a kernel and a stride of at least 1, got {self.blocks}")
        if any(stride > 1 for _, stride in self.blocks[:-1]):
            raise ValueError(f"blocks below the last one must have stride 1, got {self.blocks}")
        if self.maps < 1 or self.kernel < 1:
            raise ValueError(f"maps and kernel must be >= 1, got {self.maps} and {self.kernel}")

    @property
    def stride(self) -> int:
        """How much smaller than its input the latent is."""
        return math.prod(stride for _, stride in self.blocks)


@dataclass(frozen=True)
class HierarchicalVAEConfig:
    """Everything that defines a model but its parameters.

    Parameters
    ----------
    channels, height, width : int
        Of the image.
    stages : tuple of Stage
        Bottom to top.
    filters : int
        Channels of all blocks.
    skips : bool
        Whether consecutive stages are joined by skips.
    log_variance : str
        "softplus" of the network's output, so that every standard deviation is at least 1, or "none".
    free_bits : float
        Nats per layer and image below which a divergence has no gradient; 0 switches it off.
    dropout : tuple of float
        In the inference and in the generative path.
    decoder : DecoderConfig
    """

    channels: int
    height: int
    width: int
    stages: tuple[Stage, ...]
    filters: int = 96
    skips: bool = True
    log_variance: str = "softplus"
    free_bits: float = 2.0
    dropout: tuple[float, float] = (0.0, 0.0)
    decoder: DecoderConfig = field(default_factory=lambda: DecoderConfig("optimal"))

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.stages:
            raise ValueError("stages must hold at least one stage, got none")
        if self.log_variance not in LOG_VARIANCES:
            raise ValueError(f"log_variance must be one of {', '.join(LOG_VARIANCES)}, got {self.log_variance!r}")
        if not self.free_bits >= 0:
            raise ValueError(f"free_bits must be >= 0, got {self.free_bits}")
        total = math.prod(stage.stride for stage in self.stages)
        for name in ("height", "width"):
            size = getattr(self, name)
            if size < 1 or size % total:
                raise ValueError(f"{name} must be a multiple of {total}, the product of all strides, got {size}")
        for name in ("channels", "filters"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HierarchicalVAEConfig:
        """Build from plain values, as `dataclasses.asdict` or JSON give them; unknown keys are an error."""
        return from_values(cls, values, stages=_stages_of, decoder=DecoderConfig.of)

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """Channels, height and width of every latent, bottom to top."""
        found, height, width = [], self.height, self.width
        for stage in self.stages:
            height, width = height // stage.stride, width // stage.stride
            found.append((stage.maps, height, width))
        return tuple(found)

    @property
    def latents(self) -> tuple[int, ...]:
        """Latent scalars of every layer, bottom to top."""
        return tuple(math.prod(shape) for shape in self.shapes)

    @property
    def latent(self) -> int:
        """Latent scalars of one image."""
        return sum(self.latents)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the image."""
        return self.channels, self.height, self.width

    def build(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> HierarchicalVAE:
        """Model of this configuration, uninitialised."""
        return HierarchicalVAE(self, device, dtype)


@dataclass(frozen=True)
class HierarchicalImageTerms:
    """Terms of the bound for ``images`` (B, C, H, W) at one posterior sample per image.

    ``nll`` (B,) in nats; ``layer_kl`` (L, B), single-sample and not clamped, bottom to top; ``output`` (B, head, H, W)
    of the decoder network; ``posterior`` and ``samples`` for every layer, bottom to top, flat (B, n_l); ``free_bits``
    of the objective.
    """

    images: Tensor
    nll: Tensor
    layer_kl: Tensor
    output: Tensor
    posterior: tuple[Gaussian, ...]
    samples: tuple[Tensor, ...]
    free_bits: float

    @property
    def kl(self) -> Tensor:
        """Divergence (B,) of all layers."""
        return hierarchical.total_kld(self.layer_kl)

    @property
    def nelbo(self) -> Tensor:
        """Bound (B,) on the negative log likelihood; without free bits."""
        return calibration.nelbo(self.nll, self.kl)

    def objective(self, kl_weight: float = 1.0) -> Tensor:
        """Training loss (B,) in nats: NLL plus the weighted divergence, with free bits per image and layer."""
        kl = balancing.free_bits_per_image(self.layer_kl, self.free_bits) if self.free_bits > 0 else self.kl
        return self.nll + kl_weight * kl


class HierarchicalVAE(nn.Module):
    """The model.

    Parameters
    ----------
    config : HierarchicalVAEConfig
    """

    def __init__(
        self,
        config: HierarchicalVAEConfig,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        self.decoder = decoder(config.decoder, config.channels, **options)
        self.up = nn.ModuleList(_inference(config, index, options) for index in range(len(config.stages)))
        self.down = nn.ModuleList(_generation(config, index, options) for index in range(len(config.stages)))
        moments = [(config.filters, 2 * stage.maps, stage.kernel) for stage in config.stages]
        self.posteriors = nn.ModuleList(NormalisedConv(*shape, **options) for shape in moments)
        self.priors = nn.ModuleList(NormalisedConv(*shape, **options) for shape in moments[:-1])
        self.head = NormalisedConv(config.filters, self.decoder.head_channels, 1, **options)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, images: Tensor) -> HierarchicalVAE:
        """Draw fresh parameters and fit gain and bias of every convolution to a batch of images (B, C, H, W).

        Every convolution's output then has mean 0 and deviation 0.01 on that batch. To be called before an optimiser
        or a moving average copies the parameters.
        """
        layers = [module for module in self.modules() if isinstance(module, NormalisedConv)]
        for layer in layers:
            layer.initialise(generator)
            layer.from_data = True
        noise = self.draw_noise(len(images), generator)
        try:
            with global_generators(stream(generator.initial_seed(), "dropout", device=images.device)):
                self(images, noise)
        finally:
            for layer in layers:
                layer.from_data = False
        return self

    def draw_noise(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard Gaussian noise (count, latent), drawn where the generator lives."""
        like = self.head.bias
        noise = torch.randn(count, self.config.latent, generator=generator, device=generator.device, dtype=like.dtype)
        return noise.to(like.device)

    def forward(self, x: Tensor, noise: Tensor) -> HierarchicalImageTerms:
        """Terms of the bound for images (B, C, H, W) in [0, 1] at the posterior samples of ``noise`` (B, latent).

        Raises
        ------
        ValueError
            If images or noise have another shape.
        """
        expected = self.config.image_shape
        if x.ndim != 4 or x.shape[1:] != expected:
            raise ValueError(f"x must be images of shape (B, {', '.join(map(str, expected))}), got {tuple(x.shape)}")
        if noise.shape != (len(x), self.config.latent):
            raise ValueError(f"noise must have shape {(len(x), self.config.latent)}, got {tuple(noise.shape)}")
        posterior, samples = self.infer(x, noise)
        priors, output = self.descend(samples[-1], lambda layer, _: samples[layer])
        return HierarchicalImageTerms(
            images=x,
            nll=self.decoder.nll(output, x),
            layer_kl=single_sample_kl(posterior, samples, priors),
            output=output,
            posterior=posterior,
            samples=samples,
            free_bits=self.config.free_bits,
        )

    def infer(self, x: Tensor, noise: Tensor) -> tuple[tuple[Gaussian, ...], tuple[Tensor, ...]]:
        """Posterior parameters and samples of all layers, bottom to top, flat (B, n_l)."""
        posterior, samples = [], []
        current = state = 2 * x - 1
        parts = noise.split(self.config.latents, 1)
        for blocks, moments, shape, part in zip(self.up, self.posteriors, self.config.shapes, parts, strict=True):
            skip, state = state, current
            for block in blocks:  # type: ignore[attr-defined]
                state = block(state, skip if block.skip is not None else None)
            mean, scale = self._gaussian(moments, state)
            sample = gaussian.reparameterise(mean, scale, part)
            posterior.append(Gaussian(mean, scale))
            samples.append(sample)
            current = sample.unflatten(1, shape)
        return tuple(posterior), tuple(samples)

    def descend(self, top: Tensor, latent: Callable[[int, Gaussian], Tensor]) -> tuple[list[Gaussian], Tensor]:
        """Generative path from the top latent (B, n_L) down.

        ``latent`` gives the latent (B, n_l) of a layer, numbered from 0 at the bottom, from its prior. Returns the
        priors of all layers below the top, bottom to top, and the head's output (B, head, H, W).
        """
        last = len(self.config.stages) - 1
        outputs = self._stage(last, top, ())
        priors: list[Gaussian] = []
        for layer in reversed(range(last)):
            prior = Gaussian(*self._gaussian(self.priors[layer], outputs[-1]))
            priors.insert(0, prior)
            outputs = self._stage(layer, latent(layer, prior), outputs)
        return priors, self.head(functional.elu(outputs[-1]))

    def generate(self, count: int, generator: torch.Generator, draw: bool = False) -> Tensor:
        """Images (count, C, H, W) from the prior: means of the decoder, or draws from it."""
        *below, top = self.draw_noise(count, generator).split(self.config.latents, 1)
        output = self.descend(top, lambda layer, prior: gaussian.reparameterise(*prior, below[layer]))[1]
        return self.decoder.sample(output, generator) if draw else self.decoder.mean(output)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Means (B, C, H, W) of the decoder at the posterior means."""
        zeros = torch.zeros(len(x), self.config.latent, device=x.device, dtype=x.dtype)
        return self.decoder.mean(self.forward(x, zeros).output)

    def _stage(self, layer: int, z: Tensor, above: Sequence[Tensor]) -> list[Tensor]:
        """Outputs of a stage's generative blocks; ``above`` are those of the stage above."""
        state, outputs = z.unflatten(1, self.config.shapes[layer]), []
        blocks: Any = self.down[layer]
        for index, block in enumerate(blocks):
            state = block(state, above[index] if block.skip is not None else None)
            outputs.append(state)
        return outputs

    def _gaussian(self, moments: nn.Module, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, flat, from a feature map."""
        mean, raw = moments(functional.elu(state)).flatten(1).chunk(2, 1)
        log_variance = functional.softplus(raw) if self.config.log_variance == "softplus" else raw
        return mean, (0.5 * log_variance).exp()


def single_sample_kl(posterior: Sequence[Gaussian], samples: Sequence[Tensor], priors: Sequence[Gaussian]) -> Tensor:
    """Single-sample divergences (L, B) in nats, bottom to top; ``priors`` are those below the top."""
    return hierarchical.layer_terms(
        samples,
        [q.mean for q in posterior],
        [q.scale for q in posterior],
        [p.mean for p in priors],
        [p.scale for p in priors],
    )


def _inference(config: HierarchicalVAEConfig, index: int, options: Mapping[str, Any]) -> nn.ModuleList:
    """Blocks of one stage from the image or the latent below up."""
    inputs = config.channels if index == 0 else config.stages[index - 1].maps
    skip = config.filters if config.skips and index > 0 else 0
    blocks = nn.ModuleList()
    for number, (kernel, stride) in enumerate(config.stages[index].blocks):
        blocks.append(
            GatedBlock(
                config.filters if number else inputs,
                config.filters,
                kernel,
                stride=stride,
                residual=number > 0 or index > 0,
                skip=skip,
                dropout=config.dropout[0],
                **options,
            )
        )
    return blocks


def _generation(config: HierarchicalVAEConfig, index: int, options: Mapping[str, Any]) -> nn.ModuleList:
    """Blocks of one stage from its latent down; block j of the stage above feeds block j."""
    above = len(config.stages[index + 1].blocks) if config.skips and index + 1 < len(config.stages) else 0
    blocks, scale = nn.ModuleList(), 1
    for number, (kernel, stride) in enumerate(reversed(config.stages[index].blocks)):
        blocks.append(
            GatedBlock(
                config.filters if number else config.stages[index].maps,
                config.filters,
                kernel,
                stride=stride,
                up=True,
                residual=number > 0,
                skip=config.filters if number < above else 0,
                skip_stride=scale,
                dropout=config.dropout[1],
                **options,
            )
        )
        scale *= stride
    return blocks


def _stages_of(values: Sequence[Mapping[str, Any]]) -> tuple[Stage, ...]:
    return tuple(from_values(Stage, stage, blocks=lambda blocks: tuple(map(tuple, blocks))) for stage in values)


def _stages(strides: Sequence[int], kernels: Sequence[int], maps: Sequence[int], size: int) -> tuple[Stage, ...]:
    """Stages of three blocks whose last one has the stride; the latent's kernel is as large as its map."""
    stages = []
    for stride, kernel, count in zip(strides, kernels, maps, strict=True):
        size //= stride
        stages.append(Stage(((kernel, 1), (kernel, 1), (kernel, stride)), count, size))
    return tuple(stages)


PRESETS: dict[str, HierarchicalVAEConfig] = {
    "hvae15": HierarchicalVAEConfig(
        3,
        32,
        32,
        _stages([2, *[1] * 9, 2, 1, 1, 1, 2], [5, *[3] * 14], range(38, 8, -2), 32),
        dropout=(0.2, 0.0),
    ),
    "hvae6": HierarchicalVAEConfig(
        1, 28, 28, _stages([2, 1, 2, 1, 1, 1], [5, *[3] * 5], [16, 14, 12, 10, 8, 8], 28), filters=48
    ),
    "hvae-s": HierarchicalVAEConfig(
        1,
        8,
        8,
        (
            Stage(((3, 1), (3, 2)), 4, 4),
            Stage(((3, 1), (3, 1)), 3, 4),
            Stage(((3, 1), (3, 2)), 4, 2),
        ),
        filters=16,
    ),
}
"""The paper's model for 32x32 colour images, a middle-sized one for 28x28 digits, and a small one for 8x8 digits."""


def preset(name: str, **overrides: Any) -> HierarchicalVAEConfig:
    """Named configuration with overrides of its fields."""
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return HierarchicalVAEConfig.from_dict({**asdict(PRESETS[name]), **overrides})

"""The small convolutional VAE of the sigma-VAE paper, for images of any size and any decoder likelihood.

Encoder: convolutions 3x3 (C -> f), 4x4 with stride 2 (-> 2f) and 5x5 with stride 2 (-> 4f), each with ReLU, then one
linear layer each for mean and log variance. Decoder: a linear layer without activation, transposed convolutions 6x6
with stride 2 (-> 2f, -> f), each with ReLU, and 5x5 to the channels of the likelihood's head. No normalisation, no
dropout. The standard normal prior and the diagonal Gaussian posterior have ``latent`` units; all values are nats per
image.

The paper's appendix also speaks of a "5-layer" network, a number that no count of these layers gives (four on each
side, eight in all, nine with both posterior heads). ``layers=5`` is the nearest reading that has five on each side: one
more 3x3 convolution 4f -> 4f with ReLU that keeps the size, next to the linear layers of either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from vaes.layers.initialisation import torch_default_
from vaes.models.configuration import from_values
from vaes.models.decoders import DecoderConfig, decoder
from vaes.models.hvae import Gaussian
from vaes.ops import gaussian

LAYERS = (4, 5)
CHUNK = 256
"""Images that are decoded at a time where no gradient is needed."""


@dataclass(frozen=True)
class SigmaVAEConfig:
    """Everything that defines a model but its parameters.

    Parameters
    ----------
    channels, height, width : int
        Of the images. Sides that are not multiples of 4 are decoded on the next multiple and cropped at the end.
    features : int
        Feature maps f of the first convolution; the others have 2f and 4f.
    latent : int
        Units of z.
    layers : int
        4 or 5 on each side, see the module's docstring.
    decoder : DecoderConfig
        The likelihood.
    """

    channels: int = 3
    height: int = 28
    width: int = 28
    features: int = 32
    latent: int = 20
    layers: int = 4
    decoder: DecoderConfig = field(default_factory=DecoderConfig)

    def __post_init__(self) -> None:
        """Check the values."""
        for name, least in (("channels", 1), ("height", 2), ("width", 2), ("features", 1), ("latent", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}, got {getattr(self, name)}")
        if self.layers not in LAYERS:
            raise ValueError(f"layers must be 4 or 5, got {self.layers}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SigmaVAEConfig:
        """Build from a mapping (one for the decoder is fine); unknown keys are an error that names them."""
        return from_values(cls, values, decoder=DecoderConfig.of)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.channels, self.height, self.width

    def build(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> SigmaVAE:
        """Model of this configuration, uninitialised."""
        return SigmaVAE(self, device, dtype)


@dataclass(frozen=True)
class ImageTerms:
    """Terms of the bound at one posterior sample per image, in nats: ``nll`` and ``kl`` are (B,)."""

    images: Tensor
    nll: Tensor
    kl: Tensor
    output: Tensor
    posterior: Gaussian
    sample: Tensor

    @property
    def nelbo(self) -> Tensor:
        """Negative evidence lower bound (B,), if the negative log likelihood is one."""
        return self.nll + self.kl

    def objective(self, kl_weight: float = 1.0) -> Tensor:
        """What training minimises (B,)."""
        return self.nll + kl_weight * self.kl


class SigmaVAE(nn.Module):
    """The model. Images are (B, C, H, W) in [0, 1]; parameters are uninitialised until `initialise`.

    Parameters
    ----------
    config : SigmaVAEConfig
    """

    def __init__(
        self,
        config: SigmaVAEConfig,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": device or "cpu", "dtype": dtype}
        self.config = config
        self.decoder = decoder(config.decoder, config.channels, **options)
        f, extra = config.features, config.layers - 4

        def layer(kind: type[nn.Module], *sizes: int, **geometry: int) -> Any:
            # Torch's constructors would draw from the global generator.
            return skip_init(kind, *sizes, **geometry, **options)

        self.encoder_network = nn.Sequential(
            *(layer(nn.Conv2d, config.channels, f, kernel_size=3, padding=1), nn.ReLU()),
            *(layer(nn.Conv2d, f, 2 * f, kernel_size=4, stride=2, padding=1), nn.ReLU()),
            *(layer(nn.Conv2d, 2 * f, 4 * f, kernel_size=5, stride=2, padding=2), nn.ReLU()),
            *(extra * (layer(nn.Conv2d, 4 * f, 4 * f, kernel_size=3, padding=1), nn.ReLU())),
        )
        # A side of odd length loses its last half step in the second convolution; the third one rounds up.
        encoded = 4 * f * _half_up(config.height // 2) * _half_up(config.width // 2)
        self.posterior_mean = layer(nn.Linear, encoded, config.latent)
        self.posterior_log_variance = layer(nn.Linear, encoded, config.latent)
        self.grid = (4 * f, -(-config.height // 4), -(-config.width // 4))
        self.from_latent = layer(nn.Linear, config.latent, self.grid[0] * self.grid[1] * self.grid[2])
        self.decoder_network = nn.Sequential(
            *(extra * (layer(nn.ConvTranspose2d, 4 * f, 4 * f, kernel_size=3, padding=1), nn.ReLU())),
            *(layer(nn.ConvTranspose2d, 4 * f, 2 * f, kernel_size=6, stride=2, padding=2), nn.ReLU()),
            *(layer(nn.ConvTranspose2d, 2 * f, f, kernel_size=6, stride=2, padding=2), nn.ReLU()),
            layer(nn.ConvTranspose2d, f, self.decoder.head_channels, kernel_size=5, padding=2),
        )

    def initialise(self, generator: torch.Generator, images: Tensor | None = None) -> SigmaVAE:
        """Draw fresh parameters from PyTorch's default law; ``images`` are not used."""
        return torch_default_(self, generator)

    def draw_noise(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard normal noise (count, latent) for `forward`."""
        like = self.posterior_mean.weight
        return torch.randn(count, self.config.latent, generator=generator, dtype=like.dtype, device=like.device)

    def encode(self, x: Tensor) -> Gaussian:
        """Posterior of images (B, C, H, W): mean and standard deviation, each (B, latent)."""
        features = self.encoder_network(x).flatten(1)
        return Gaussian(self.posterior_mean(features), (0.5 * self.posterior_log_variance(features)).exp())

    def decode(self, z: Tensor) -> Tensor:
        """Raw output (B, head, H, W) of the decoder's network at latents (B, latent)."""
        output = self.decoder_network(self.from_latent(z).unflatten(1, self.grid))
        return output[..., : self.config.height, : self.config.width]

    def forward(self, x: Tensor, noise: Tensor) -> ImageTerms:
        """Terms of the objective; ``noise`` (B, latent) is standard normal."""
        posterior = self.encode(x)
        z = gaussian.reparameterise(*posterior, noise)
        output = self.decode(z)
        return ImageTerms(x, self.decoder.nll(output, x), gaussian.kl_standard(*posterior), output, posterior, z)

    @torch.no_grad()
    def generate(self, count: int, generator: torch.Generator, draw: bool = False) -> Tensor:
        """Images (count, C, H, W) in [0, 1] of the prior: means of the likelihood, or draws from it."""
        chunks = self.draw_noise(count, generator).split(CHUNK)
        show = (lambda output: self.decoder.sample(output, generator)) if draw else self.decoder.mean
        return torch.cat([show(self.decode(z)) for z in chunks])

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """Mean images (B, C, H, W) in [0, 1] at the posterior means of images ``x``."""
        return torch.cat([self.decoder.mean(self.decode(self.encode(chunk).mean)) for chunk in x.split(CHUNK)])


PRESETS: dict[str, SigmaVAEConfig] = {
    "small_conv_vae": SigmaVAEConfig(),
    "five_layer": SigmaVAEConfig(layers=5),
    "conv8": SigmaVAEConfig(channels=1, height=8, width=8, features=16, decoder=DecoderConfig(levels=16)),
}
"""The paper's model for 28x28 colour images, its variant, and their CPU-sized sibling for 8x8 digits."""


def preset(name: str, **overrides: Any) -> SigmaVAEConfig:
    """Named configuration with overrides of its fields; a mapping for ``decoder`` overrides fields of that."""
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    values = asdict(PRESETS[name])
    if isinstance(overrides.get("decoder"), Mapping):
        overrides = {**overrides, "decoder": {**values["decoder"], **overrides["decoder"]}}
    return SigmaVAEConfig.from_dict({**values, **overrides})


def sigma_vae(
    name: str, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None, **overrides: Any
) -> SigmaVAE:
    """Build a model from a named preset (see `preset`); parameters are uninitialised until `SigmaVAE.initialise`."""
    return SigmaVAE(preset(name, **overrides), device, dtype)


def _half_up(side: int) -> int:
    return -(-side // 2)

"""A conditional video model with a learned prior: stochastic video generation (SVG-LP) with a calibrated decoder.

At every step an encoder maps the last frame to a vector; a recurrent posterior sees the coming frame, a recurrent prior
the last one; a recurrent predictor turns the vector and the latent into the vector of the next frame, which a decoder
draws with the help of the feature maps of an earlier frame (the skips).

Frames are (B, T, C, S, S) in [0, 1], noise (B, T - 1, z): one latent for every frame but the first. All terms are nats
per sequence unless said otherwise. Batch normalisation always uses the statistics of its batch, as in the public
script, in evaluation too: what is measured depends, slightly, on which sequences are measured together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vaes.models.configuration import from_values
from vaes.models.decoders import DecoderConfig, decoder
from vaes.ops import calibration, gaussian
from vaes.ops.convolution import nearest

NETWORKS = ("vgg", "dcgan")
SLOPE = 0.2
START = 0.02
VGG = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))


@dataclass(frozen=True)
class SVGConfig:
    """Everything that defines a model but its parameters.

    Parameters
    ----------
    channels, size : int
        Of a frame; ``size`` is 4 times a power of two.
    network : str
        "vgg", the encoder and decoder for 64x64 frames, or "dcgan", one strided convolution per scale.
    widths : tuple of int
        Channels of each scale of "dcgan", fine to coarse; not used by "vgg".
    features : int
        Length of a frame's vector.
    latent : int
        Latents per frame.
    hidden, predictor_layers : int
        Width of the recurrent cells, and cells of the predictor; prior and posterior have one cell each.
    past, future : int
        Given frames, and frames to predict.
    last_frame_skip : bool
        Skips come from the frame before the one that is drawn. Otherwise they are renewed only while the coming frame
        is a given one: with two given frames they come from the first.
    decoder : DecoderConfig
        Of one frame. Its scale is shared by all frames of a batch.
    """

    channels: int = 3
    size: int = 64
    network: str = "vgg"
    widths: tuple[int, ...] = (64, 128, 256, 512)
    features: int = 128
    latent: int = 64
    hidden: int = 256
    predictor_layers: int = 2
    past: int = 2
    future: int = 10
    last_frame_skip: bool = False
    decoder: DecoderConfig = field(default_factory=lambda: DecoderConfig("optimal"))

    def __post_init__(self) -> None:
        """Check the values."""
        if self.network not in NETWORKS:
            raise ValueError(f"network must be one of {', '.join(NETWORKS)}, got {self.network!r}")
        scales = len(self.widths) if self.network == "dcgan" else len(VGG)
        if self.size != 4 * 2**scales:
            raise ValueError(f"size must be {4 * 2**scales} with {scales} scales, got {self.size}")
        for name in ("channels", "features", "latent", "hidden", "predictor_layers", "past", "future"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SVGConfig:
        """Build from plain values, as `dataclasses.asdict` or JSON give them; unknown keys are an error."""
        return from_values(cls, values, decoder=DecoderConfig.of)

    def build(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> SVGLP:
        """Model of this configuration, uninitialised."""
        return SVGLP(self, device, dtype)

    @property
    def length(self) -> int:
        """Frames of a sequence."""
        return self.past + self.future

    @property
    def image_shape(self) -> tuple[int, int, int, int]:
        """Frames, channels, height and width of a sequence."""
        return self.length, self.channels, self.size, self.size

    @property
    def dims(self) -> int:
        """Values per frame."""
        return self.channels * self.size**2


@dataclass(frozen=True)
class VideoTerms:
    """Terms of the bound for ``images`` (B, T, C, S, S) at one posterior sample per frame.

    ``frame_nll`` and ``frame_kl`` (B, T - 1) in nats, for all frames but the first; ``output`` (B, T - 1, head, S, S)
    of the decoder network.
    """

    images: Tensor
    frame_nll: Tensor
    frame_kl: Tensor
    output: Tensor

    @property
    def nll(self) -> Tensor:
        """Reconstruction term (B,) of all frames."""
        return self.frame_nll.sum(1)

    @property
    def kl(self) -> Tensor:
        """Divergence (B,) of all frames."""
        return self.frame_kl.sum(1)

    @property
    def nelbo(self) -> Tensor:
        """Bound (B,) on the negative log density of all frames but the first, given the first."""
        return calibration.nelbo(self.nll, self.kl)

    def objective(self, kl_weight: float = 1.0) -> Tensor:
        """Training loss (B,) in nats: NLL plus the weighted divergence."""
        return self.nll + kl_weight * self.kl


class SVGLP(nn.Module):
    """The model.

    Parameters
    ----------
    config : SVGConfig
    """

    def __init__(
        self, config: SVGConfig, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.config = config
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        self.decoder = decoder(config.decoder, config.channels, **options)
        head = self.decoder.head_channels
        # The head is linear: the decoder's likelihood applies the sigmoid of the public network itself.
        if config.network == "vgg":
            self.encode: nn.Module = VGGEncoder(config.channels, config.features, **options)
            self.draw: nn.Module = VGGDecoder(head, config.features, **options)
        else:
            self.encode = DCGANEncoder(config.channels, config.widths, config.features, **options)
            self.draw = DCGANDecoder(head, config.widths, config.features, **options)
        layers = config.predictor_layers
        inputs, moments = config.features + config.latent, (config.latent, config.latent)
        self.predictor = Recurrent(inputs, (config.features,), config.hidden, layers, **options)
        self.posterior = Recurrent(config.features, moments, config.hidden, **options)
        self.prior = Recurrent(config.features, moments, config.hidden, **options)

    def initialise(self, generator: torch.Generator, images: Tensor | None = None) -> SVGLP:
        """Draw fresh parameters: N(0, 0.02^2) weights, gains N(1, 0.02^2), zero biases; recurrent cells uniform.

        ``images`` are not used; models that start from data take them here.
        """
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.BatchNorm2d):
                    module.weight.normal_(float(isinstance(module, nn.BatchNorm2d)), START, generator=generator)
                    module.bias.zero_()  # type: ignore[union-attr]
                elif isinstance(module, nn.LSTMCell):
                    bound = module.hidden_size**-0.5
                    for parameter in module.parameters():
                        parameter.uniform_(-bound, bound, generator=generator)
        return self

    def forward(self, frames: Tensor, noise: Tensor) -> VideoTerms:
        """Terms of the bound for frames (B, T, C, S, S) at the posterior samples of ``noise`` (B, T - 1, z).

        Raises
        ------
        ValueError
            If frames or noise have another shape, or there are fewer than two frames.
        """
        self._check(frames, noise)
        posterior, prior, predictor = self.posterior.start(), self.prior.start(), self.predictor.start()
        encoded = [self.encode(frames[:, t]) for t in range(frames.shape[1])]
        skips: Sequence[Tensor] = ()
        kl, outputs = [], []
        for t in range(1, frames.shape[1]):
            (vector, skips) = (encoded[t - 1][0], self._skips(t, encoded[t - 1][1], skips))
            q = _gaussian(posterior(encoded[t][0]))
            p = _gaussian(prior(vector))
            z = gaussian.reparameterise(*q, noise[:, t - 1])
            outputs.append(self.draw(_bounded(predictor(torch.cat([vector, z], 1))), skips))
            kl.append(gaussian.kl(*q, *p))
        output = torch.stack(outputs, 1)
        nll = self.decoder.nll(output.flatten(0, 1), frames[:, 1:].flatten(0, 1))
        return VideoTerms(frames, nll.unflatten(0, (len(frames), -1)), torch.stack(kl, 1), output)

    def draw_noise(self, count: int, generator: torch.Generator) -> Tensor:
        """Standard Gaussian noise (count, T - 1, z), drawn where the generator lives."""
        like = next(self.prior.parameters())
        shape = (count, self.config.length - 1, self.config.latent)
        noise = torch.randn(shape, generator=generator, device=generator.device, dtype=like.dtype)
        return noise.to(like.device)

    @torch.no_grad()
    def rollout(self, frames: Tensor, noise: Tensor) -> Tensor:
        """Frames 1 to T - 1 (B, T - 1, C, S, S): given ones as they are, then means of predictions fed back.

        Parameters
        ----------
        frames : Tensor
            Sequences of which only the first ``past`` frames are looked at.
        noise : Tensor
            (B, T - 1, z): for the posterior of the given frames, then for the prior.
        """
        self._check(frames, noise)
        past = self.config.past
        posterior, prior, predictor = self.posterior.start(), self.prior.start(), self.predictor.start()
        current, skips, shown = frames[:, 0], (), []
        for t in range(1, noise.shape[1] + 1):
            vector, fresh = self.encode(current)
            skips = self._skips(t, fresh, skips)
            moments = _gaussian(prior(vector))
            if t < past:
                moments = _gaussian(posterior(self.encode(frames[:, t])[0]))
            z = gaussian.reparameterise(*moments, noise[:, t - 1])
            predicted = _bounded(predictor(torch.cat([vector, z], 1)))
            current = frames[:, t] if t < past else self.decoder.mean(self.draw(predicted, skips))
            shown.append(current)
        return torch.stack(shown, 1)

    def _skips(self, t: int, fresh: Sequence[Tensor], kept: Sequence[Tensor]) -> Sequence[Tensor]:
        return fresh if self.config.last_frame_skip or t < self.config.past or not kept else kept

    def _check(self, frames: Tensor, noise: Tensor) -> None:
        expected = (self.config.channels, self.config.size, self.config.size)
        if frames.ndim != 5 or frames.shape[2:] != expected or frames.shape[1] < 2:
            shape = f"(B, T, {', '.join(map(str, expected))}) with T >= 2"
            raise ValueError(f"frames must have shape {shape}, got {tuple(frames.shape)}")
        if noise.shape != (len(frames), frames.shape[1] - 1, self.config.latent):
            shape = str((len(frames), frames.shape[1] - 1, self.config.latent))
            raise ValueError(f"noise must have shape {shape}, got {tuple(noise.shape)}")


class Recurrent(nn.Module):
    """Linear embedding, LSTM cells, and one linear output for each of ``outputs``.

    The state of a sequence lives in what `start` returns, not in the module.
    """

    def __init__(
        self,
        inputs: int,
        outputs: Sequence[int],
        hidden: int,
        layers: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": device, "dtype": dtype}
        self.embed = nn.Linear(inputs, hidden, **options)
        self.cells = nn.ModuleList(nn.LSTMCell(hidden, hidden, **options) for _ in range(layers))
        self.outputs = nn.ModuleList(nn.Linear(hidden, size, **options) for size in outputs)

    def start(self) -> Any:
        """Return a function of one input (B, inputs) at a time that remembers its state, from a zero state on."""
        states: list[tuple[Tensor, Tensor] | None] = [None] * len(self.cells)

        def advance(x: Tensor) -> tuple[Tensor, ...]:
            h = self.embed(x)
            for index, cell in enumerate(self.cells):
                states[index] = cell(h, states[index])
                h = states[index][0]  # type: ignore[index]
            return tuple(output(h) for output in self.outputs)

        return advance


class DCGANEncoder(nn.Module):
    """One 4x4 convolution of stride 2 per scale, then one over the whole map: (B, C, S, S) -> vector, feature maps."""

    def __init__(self, channels: int, widths: Sequence[int], features: int, **options: Any) -> None:
        super().__init__()
        pairs = zip([channels, *widths[:-1]], widths, strict=True)
        self.scales = nn.ModuleList(
            _normalised(nn.Conv2d(one, two, 4, 2, 1, **options), two, **options) for one, two in pairs
        )
        self.last = _vector(widths[-1], features, **options)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Vector (B, features) and the maps of all scales, fine to coarse."""
        maps = []
        for scale in self.scales:
            x = scale(x)
            maps.append(x)
        return self.last(x).flatten(1), maps


class DCGANDecoder(nn.Module):
    """Mirror image of `DCGANEncoder`, with its maps as second inputs: (B, features) -> (B, head, S, S)."""

    def __init__(self, head: int, widths: Sequence[int], features: int, **options: Any) -> None:
        super().__init__()
        self.first = _map(features, widths[-1], **options)
        pairs = zip(widths[:0:-1], widths[-2::-1], strict=True)
        self.scales = nn.ModuleList(
            _normalised(nn.ConvTranspose2d(2 * one, two, 4, 2, 1, **options), two, **options) for one, two in pairs
        )
        self.last = nn.ConvTranspose2d(2 * widths[0], head, 4, 2, 1, **options)

    def forward(self, vector: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Draw a frame; ``maps`` fine to coarse."""
        x = self.first(vector[..., None, None])
        *finer, coarsest = maps
        x = torch.cat([x, coarsest], 1)
        for scale, skip in zip(self.scales, reversed(finer), strict=True):
            x = torch.cat([scale(x), skip], 1)
        return self.last(x)


class VGGEncoder(nn.Module):
    """Four stages of 3x3 convolutions, each followed by pooling: (B, C, 64, 64) -> vector, maps before pooling."""

    def __init__(self, channels: int, features: int, **options: Any) -> None:
        super().__init__()
        firsts = [channels, *(stage[-1] for stage in VGG[:-1])]
        self.scales = nn.ModuleList(_stage(first, stage, **options) for first, stage in zip(firsts, VGG, strict=True))
        self.last = _vector(VGG[-1][-1], features, **options)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Vector (B, features) and the maps of all scales, fine to coarse."""
        maps = []
        for scale in self.scales:
            maps.append(scale(x))
            x = functional.max_pool2d(maps[-1], 2)
        return self.last(x).flatten(1), maps


class VGGDecoder(nn.Module):
    """Enlargement, the encoder's maps and 3x3 convolutions, four times: (B, features) -> (B, head, 64, 64)."""

    def __init__(self, head: int, features: int, **options: Any) -> None:
        super().__init__()
        self.first = _map(features, VGG[-1][-1], **options)
        # Each stage ends with the width of the next finer map, so that twice that width enters the next one.
        ends = [stage[0] for stage in VGG[-2::-1]]
        stages = [(*stage[:-1], end) for stage, end in zip(VGG[:0:-1], ends, strict=True)] + [VGG[0][:1]]
        firsts = [2 * stage[-1] for stage in VGG[::-1]]
        self.scales = nn.ModuleList(
            _stage(first, stage, **options) for first, stage in zip(firsts, stages, strict=True)
        )
        self.last = nn.ConvTranspose2d(VGG[0][0], head, 3, 1, 1, **options)

    def forward(self, vector: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Draw a frame; ``maps`` fine to coarse."""
        x = self.first(vector[..., None, None])
        for scale, skip in zip(self.scales, reversed(maps), strict=True):
            x = scale(torch.cat([nearest(x, 2), skip], 1))
        return self.last(x)


def _gaussian(moments: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    mean, log_variance = moments
    return mean, (0.5 * log_variance).exp()


def _bounded(outputs: tuple[Tensor]) -> Tensor:
    return outputs[0].tanh()


def _normalised(convolution: nn.Module, width: int, **options: Any) -> nn.Sequential:
    norm = nn.BatchNorm2d(width, track_running_stats=False, **options)
    return nn.Sequential(convolution, norm, nn.LeakyReLU(SLOPE))


def _stage(inputs: int, widths: Sequence[int], **options: Any) -> nn.Sequential:
    pairs = zip([inputs, *widths[:-1]], widths, strict=True)
    return nn.Sequential(*(_normalised(nn.Conv2d(one, two, 3, 1, 1, **options), two, **options) for one, two in pairs))


def _vector(width: int, features: int, **options: Any) -> nn.Sequential:
    norm = nn.BatchNorm2d(features, track_running_stats=False, **options)
    return nn.Sequential(nn.Conv2d(width, features, 4, **options), norm, nn.Tanh())


def _map(features: int, width: int, **options: Any) -> nn.Sequential:
    return _normalised(nn.ConvTranspose2d(features, width, 4, **options), width, **options)


def public_default(config: SVGConfig, kl_weight: float = 1e-4) -> DecoderConfig:
    """Decoder of the constant variance that the public script's loss stands for.

    That loss is the squared error, averaged over batch and pixels, plus ``kl_weight`` times the divergence, averaged
    over the batch.
    """
    return DecoderConfig("beta", beta=float(calibration.equivalent_variance(config.dims, 1, kl_weight)))


PRESETS: dict[str, SVGConfig] = {
    "svg_lp": SVGConfig(),
    "svg-dcgan": SVGConfig(channels=1, network="dcgan", latent=10, past=5),
    "svg-s": SVGConfig(
        channels=1, size=16, network="dcgan", widths=(24, 48), features=32, latent=8, hidden=64, past=2, future=6
    ),
}
"""The paper's model, the public script's one for moving MNIST digits, and a small one for `vaes.moving_digits`."""


def preset(name: str, **overrides: Any) -> SVGConfig:
    """Named configuration with overrides of its fields."""
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return SVGConfig.from_dict({**asdict(PRESETS[name]), **overrides})

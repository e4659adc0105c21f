"""Decoder likelihoods p(x|z) of images, all behind one interface: a network's raw output in, nats per image out.

Images are (B, C, H, W) with values in [0, 1]; discrete decoders read them as levels k/(L-1). ``output`` is what the
network's last layer gives, (B, `Decoder.head_channels`, H, W), before any sigmoid. Values are summed over channels and
pixels and keep their constants, so that numbers of different decoders of one kind can be compared: densities on [0, 1]
with densities, masses of the L levels with masses.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from vaes.models.configuration import from_values
from vaes.ops import bernoulli, calibration, likelihoods, optimisers, quantisation

SCALE_ESTIMATES = ("batch", "running", "held_out")
LEAST_LOG_SCALE = -7.0
"""Of a component of a mixture of logistics, in units of [-1, 1]."""
HYPERPRIOR_STEPS = 50
LEAST_SPREAD = 1e-6
TINY = 1e-12
_SCALE = ("soft_clip", "min_sigma")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "bernoulli": (),
    "gaussian": ("soft_clip",),
    "beta": ("beta",),
    "shared": _SCALE,
    "optimal": (*_SCALE, "scale_estimate", "decay"),
    "per_image": (*_SCALE, "variational", "decay"),
    "predicted": _SCALE,
    "categorical": (),
    "bitwise": (),
    "discretised_gaussian": _SCALE,
    "discretised_logistic": _SCALE,
    "logistic_mixture": ("components", "autoregressive"),
}
DECODERS = tuple(_OPTIONS)


@dataclass(frozen=True)
class DecoderConfig:
    """Which likelihood, and its options; an option that the likelihood does not have must keep its default.

    Parameters
    ----------
    name : str
        One of `DECODERS`. Gaussian densities: "gaussian" (unit variance), "beta" (constant variance beta: the
        beta-VAE), "shared" (learned scalar), "optimal" (root mean squared error), "per_image" (the same, image by
        image), "predicted" (a map of log scales from the network). Masses: "categorical", "bitwise",
        "discretised_gaussian" and "discretised_logistic" (learned scalar scale), "logistic_mixture". And "bernoulli",
        which on grey values is a cross-entropy and no likelihood.
    levels : int
        Grey levels L of the data; a power of two for "bitwise". Draws of all decoders but "bernoulli" lie on them.
    components : int
        Of a mixture of logistics.
    autoregressive : bool
        Mixture only: green given red, and blue given both. Needs three channels.
    beta : float
        Variance of "beta".
    scale_estimate : str
        Where "optimal" takes its variance from in training: "batch" (the batch that is scored), "held_out" (the batch
        before), "running" (average of all batches before, with ``decay``).
    decay : float
        Of running averages, in [0, 1).
    variational : bool
        Train "per_image" on its bound with a log-normal posterior of sigma, whose prior follows running moments.
    soft_clip : float, optional
        Smooth lower bound on every log scale (-6 in the public code); it also lifts ordinary values a little. None:
        the exact formula with the floor ``min_sigma``.
    min_sigma : float
        Hard floor of fitted scales.
    """

    name: str = "optimal"
    levels: int = 256
    components: int = 10
    autoregressive: bool = False
    beta: float = 1.0
    scale_estimate: str = "batch"
    decay: float = 0.99
    variational: bool = False
    soft_clip: float | None = None
    min_sigma: float = math.exp(-6)

    def __post_init__(self) -> None:
        """Check the values."""
        if self.name not in _OPTIONS:
            raise ValueError(f"name must be one of {', '.join(DECODERS)}, got {self.name!r}")
        self._check_options()
        for name, least in (("levels", 2), ("components", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}, got {getattr(self, name)}")
        if self.name == "bitwise" and self.levels & (self.levels - 1):
            raise ValueError(f"levels must be a power of two for bitwise, got {self.levels}")
        for name in ("beta", "min_sigma"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be > 0 and finite, got {getattr(self, name)}")
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay must be in [0, 1), got {self.decay}")
        if self.scale_estimate not in SCALE_ESTIMATES:
            raise ValueError(f"scale_estimate must be one of {', '.join(SCALE_ESTIMATES)}, got {self.scale_estimate!r}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DecoderConfig:
        """Build from a mapping; unknown keys are an error that names them."""
        return from_values(cls, values)

    @classmethod
    def of(cls, value: DecoderConfig | Mapping[str, Any]) -> DecoderConfig:
        """Return a configuration as it is, and build one from a mapping."""
        return value if isinstance(value, cls) else cls.from_dict(value)  # type: ignore[arg-type]

    def _check_options(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("name", "levels", *_OPTIONS[self.name]) and value != field.default:
                raise ValueError(f"{field.name} must keep its default {field.default} for {self.name}, got {value}")
        averages = self.scale_estimate == "running" or self.variational
        if self.decay != type(self).decay and not averages:
            raise ValueError(f"decay needs scale_estimate running, or variational, got {self.decay} without")
        if self.soft_clip is not None and self.min_sigma != type(self).min_sigma:
            raise ValueError(f"min_sigma must keep its default with soft_clip, got {self.min_sigma}")


class Decoder(nn.Module, ABC):
    """A likelihood. ``output`` is (B, `head_channels`, H, W), ``x`` is (B, C, H, W) in [0, 1].

    ``kind`` is "density" (on [0, 1]), "mass" (of the levels) or "cross_entropy" (neither).

    Parameters
    ----------
    config : DecoderConfig
    channels : int
        Channels C of the images.
    """

    kind: str = "density"
    needs_calibration = False

    def __init__(
        self,
        config: DecoderConfig,
        channels: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels must be >= 1, got {channels}")
        self.config, self.channels = config, channels
        self.options: dict[str, Any] = {"device": device, "dtype": dtype}
        # Below a soft clip a hard floor only keeps the logarithm of a zero error finite.
        self.floor = config.min_sigma if config.soft_clip is None else TINY

    @property
    def discrete(self) -> bool:
        """Whether it gives masses of levels."""
        return self.kind == "mass"

    @property
    def head_channels(self) -> int:
        """Channels of the network's last layer."""
        return self.channels

    @property
    def log_scale(self) -> Tensor | None:
        """Log of the one scale of all values, after clipping; None where there is no such scale."""
        return None

    @abstractmethod
    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Negative log likelihood (B,) in nats per image in the form that is trained; it may use batch statistics."""

    def evaluation_nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Negative log likelihood (B,), or its bound, in nats per image, with everything fitted frozen.

        Raises
        ------
        ValueError
            If the decoder needs calibration and has none.
        """
        return self.nll(output, x)

    def mass_nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Negative log mass (B,) of the levels of ``x`` in nats per image, also for Gaussian densities.

        Raises
        ------
        ValueError
            If the decoder gives levels no mass, or has no frozen scale.
        """
        raise ValueError(f"decoder must give levels a mass, got {self.config.name}")

    def mean(self, output: Tensor) -> Tensor:
        """Mean image (B, C, H, W) in [0, 1] (of a discretised law: its location)."""
        return output.sigmoid()

    @abstractmethod
    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draw images (B, C, H, W) on the grid of levels; tails are clipped to [0, 1]."""

    def squared_error(self, output: Tensor, x: Tensor) -> Tensor:
        """Sum of squared errors (B,) of the mean."""
        return calibration.sse(x.flatten(1), self.mean(output).flatten(1))

    def calibrate(self, squared_error: Tensor, dims: int) -> None:
        """Freeze what is fitted in closed form, from errors (N,) of posterior samples of all training images."""

    def _to_grid(self, values: Tensor) -> Tensor:
        return self._to_values(quantisation.nearest_code(values, self.config.levels), values)

    def _to_values(self, codes: Tensor, like: Tensor) -> Tensor:
        return codes.to(like.dtype) / (self.config.levels - 1)

    def _bounded(self, log_scale: Tensor) -> Tensor:
        if self.config.soft_clip is not None:
            return calibration.soft_clip(log_scale, self.config.soft_clip)
        return log_scale.clamp(min=math.log(self.floor))


class Bernoulli(Decoder):
    """Independent binary pixels; on grey values the same formula is a cross-entropy, not a likelihood."""

    kind = "cross_entropy"

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Cross-entropy (B,) in nats per image."""
        return -bernoulli.log_likelihood(x.flatten(1), output.flatten(1))

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draw binary images."""
        return bernoulli.binarise(output.sigmoid(), _uniform(output.shape, output, generator))


class GaussianDecoder(Decoder):
    """What the Gaussian densities have in common; they differ in where the log standard deviation comes from."""

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Negative log density (B,) in nats per image."""
        return self._density(output, x, self._training_log_sigma(output, x))

    @abstractmethod
    def _training_log_sigma(self, output: Tensor, x: Tensor) -> Tensor:
        """Log standard deviation in training, (), (B, 1) or (B, D)."""

    def _density(self, output: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
        return calibration.gaussian_nll(x.flatten(1), self.mean(output).flatten(1), log_sigma)


class FrozenSigma(GaussianDecoder):
    """Gaussians whose standard deviation is known without the image that is scored, once training is over."""

    def evaluation_nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Negative log density (B,) in nats per image at the frozen scale."""
        return self._density(output, x, self._frozen_log_sigma(output))

    def mass_nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Negative log mass (B,) of the levels under the same Gaussian at the frozen scale, tails in the edge bins."""
        codes = quantisation.nearest_code(x, self.config.levels).flatten(1)
        scale = self._frozen_log_sigma(output).exp()
        mean = self.mean(output).flatten(1)
        return -likelihoods.discretised_gaussian(codes, mean, scale, self.config.levels).sum(1)

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draw images at the frozen scale, clipped and rounded to the levels."""
        mean = self.mean(output)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        scale = self._frozen_log_sigma(output).exp().expand_as(mean.flatten(1)).reshape(mean.shape)
        return self._to_grid(mean + scale * noise)

    def _training_log_sigma(self, output: Tensor, x: Tensor) -> Tensor:
        return self._frozen_log_sigma(output)

    @abstractmethod
    def _frozen_log_sigma(self, output: Tensor) -> Tensor:
        """Log standard deviation after training, () or (B, D)."""


class ConstantSigma(FrozenSigma):
    """Unit variance, or the variance beta that a beta-VAE stands for: NLL + KL = L_beta / beta + a constant."""

    constant: Tensor

    def __init__(self, config: DecoderConfig, channels: int, **options: Any) -> None:
        super().__init__(config, channels, **options)
        constant = torch.tensor(0.5 * math.log(config.beta), **self.options)
        if config.soft_clip is not None:
            constant = calibration.soft_clip(constant, config.soft_clip)
        self.register_buffer("constant", constant)

    @property
    def log_scale(self) -> Tensor:
        """Log standard deviation ()."""
        return self.constant

    def _frozen_log_sigma(self, output: Tensor) -> Tensor:
        return self.constant


class SharedSigma(FrozenSigma):
    """One learned log standard deviation, 0 at the start."""

    def __init__(self, config: DecoderConfig, channels: int, **options: Any) -> None:
        super().__init__(config, channels, **options)
        self.log_sigma = nn.Parameter(torch.zeros((), **self.options))

    @property
    def log_scale(self) -> Tensor:
        """Log standard deviation ()."""
        return self._bounded(self.log_sigma)

    def _frozen_log_sigma(self, output: Tensor) -> Tensor:
        return self.log_scale


class OptimalSigma(FrozenSigma):
    """The standard deviation that is best for given errors: root mean squared error of a batch, then of all data.

    Gradients pass through the batch's own estimate (without a soft clip they vanish); those of other batches are
    constants. `log_scale` is the one last used.
    """

    needs_calibration = True
    average: Tensor
    weight: Tensor
    calibrated: Tensor

    def __init__(self, config: DecoderConfig, channels: int, **options: Any) -> None:
        super().__init__(config, channels, **options)
        for name, value in (("average", 0.0), ("weight", 0.0), ("calibrated", math.nan), ("current", math.nan)):
            self.register_buffer(name, torch.tensor(value, **self.options))

    @property
    def log_scale(self) -> Tensor:
        """Log standard deviation () that was last used or fitted; NaN before."""
        return self.current

    def calibrate(self, squared_error: Tensor, dims: int) -> None:
        """Freeze the root mean squared error of all training images."""
        sigma = calibration.optimal_sigma(squared_error.double(), dims, self.floor)
        self.calibrated = self._bounded(sigma.log()).to(self.calibrated)
        self.current = self.calibrated.clone()

    def _training_log_sigma(self, output: Tensor, x: Tensor) -> Tensor:
        dims = x[0].numel()
        error = self.squared_error(output, x)
        if self.config.scale_estimate != "batch":
            error = self._of_earlier_batches(error.mean().detach())
        log_sigma = self._bounded(calibration.optimal_sigma(error, dims, self.floor).log())
        self.current = log_sigma.detach()
        return log_sigma

    def _of_earlier_batches(self, error: Tensor) -> Tensor:
        """Average error of the batches before this one (this one, if it is the first), which then joins them."""
        earlier = torch.where(self.weight > 0, self.average / self.weight, error)
        if self.training:
            decay = self.config.decay if self.config.scale_estimate == "running" else 0.0
            self.average = optimisers.ema(self.average, error, decay)
            # The sum of all weights so far corrects the average for its start at 0.
            self.weight = optimisers.ema(self.weight, torch.ones_like(self.weight), decay)
        return earlier

    def _frozen_log_sigma(self, output: Tensor) -> Tensor:
        return _calibrated(self.config.name, self.calibrated)


class PerImageSigma(GaussianDecoder):
    """A standard deviation for each image.

    Trained greedily (each image at its own root mean squared error: no likelihood), or on the bound with a log-normal
    posterior of sigma. Evaluation is always the bound, under the prior that fits the training images best.
    """

    needs_calibration = True
    moments: Tensor
    weight: Tensor
    prior: Tensor

    def __init__(self, config: DecoderConfig, channels: int, **options: Any) -> None:
        super().__init__(config, channels, **options)
        self.register_buffer("moments", torch.zeros(2, **self.options))
        self.register_buffer("weight", torch.zeros((), **self.options))
        self.register_buffer("prior", torch.full((2,), math.nan, **self.options))
        self.register_buffer("current", torch.full((), math.nan, **self.options))

    @property
    def log_scale(self) -> Tensor:
        """Mean () over the last batch of the log standard deviation; NaN before."""
        return self.current

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Nats per image (B,): greedy, or the bound with sigma's KL, whose prior comes from the batches before."""
        if not self.config.variational:
            return super().nll(output, x)
        error, dims = self._floored_error(output, x), x[0].numel()
        mean_p, variance_p = self._running_prior(error.detach(), dims)
        # At the best posterior its parameters have no slope: constants give the same gradient.
        mean_q, variance_q = calibration.optimal_lognormal(error.detach(), dims, mean_p, variance_p)
        self.current = mean_q.mean()
        if self.training:
            moments = torch.stack([mean_q.mean(), (variance_q + mean_q.square()).mean()])
            self.moments = optimisers.ema(self.moments, moments, self.config.decay)
            self.weight = optimisers.ema(self.weight, torch.ones_like(self.weight), self.config.decay)
        return -calibration.lognormal_sigma_bound(error, dims, mean_q, variance_q, mean_p, variance_p)

    def evaluation_nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Bound (B,) in nats per image, with sigma's KL from the calibrated prior."""
        mean_p, variance_p = _calibrated(self.config.name, self.prior)
        error, dims = self._floored_error(output, x), x[0].numel()
        posterior = calibration.optimal_lognormal(error, dims, mean_p, variance_p)
        return -calibration.lognormal_sigma_bound(error, dims, *posterior, mean_p, variance_p)

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draw images, each with a standard deviation from the calibrated prior."""
        mean = self.mean(output)
        mean_p, variance_p = _calibrated(self.config.name, self.prior)
        noise = torch.randn(len(mean), 1, 1, 1, generator=generator, dtype=mean.dtype, device=mean.device)
        scale = (mean_p + variance_p.sqrt() * noise).exp()
        return self._to_grid(
            mean + scale * torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        )

    def calibrate(self, squared_error: Tensor, dims: int) -> None:
        """Fit the prior of the log standard deviation: the fixed point where its moments are the posteriors'."""
        error = squared_error.double().clamp(min=dims * self.floor**2)
        mean_p, variance_p = _moments_of(error, dims)
        for _ in range(HYPERPRIOR_STEPS):
            mean_q, variance_q = calibration.optimal_lognormal(error, dims, mean_p, variance_p)
            mean_p = mean_q.mean()
            variance_p = (variance_q + (mean_q - mean_p).square()).mean().clamp(min=LEAST_SPREAD)
        self.prior = torch.stack([mean_p, variance_p]).to(self.prior)

    def _training_log_sigma(self, output: Tensor, x: Tensor) -> Tensor:
        log_sigma = self._bounded(0.5 * (self._floored_error(output, x) / x[0].numel()).log())
        self.current = log_sigma.detach().mean()
        return log_sigma[:, None]

    def _floored_error(self, output: Tensor, x: Tensor) -> Tensor:
        return self.squared_error(output, x).clamp(min=x[0].numel() * self.floor**2)

    def _running_prior(self, error: Tensor, dims: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of log sigma over the batches before, or of this one if it is the first."""
        first, second = self.moments / self.weight
        mean, variance = _moments_of(error, dims)
        earlier = self.weight > 0
        variance = torch.where(earlier, (second - first.square()).clamp(min=LEAST_SPREAD), variance)
        return torch.where(earlier, first, mean), variance


class PredictedSigma(FrozenSigma):
    """Mean and log standard deviation of every value from the network: first C means, then C raw log scales."""

    @property
    def head_channels(self) -> int:
        """Channels of the network's last layer."""
        return 2 * self.channels

    def mean(self, output: Tensor) -> Tensor:
        """Mean image (B, C, H, W) in [0, 1]."""
        return output[:, : self.channels].sigmoid()

    def _frozen_log_sigma(self, output: Tensor) -> Tensor:
        return self._bounded(output[:, self.channels :]).flatten(1)


class MassDecoder(Decoder):
    """What decoders of levels have in common."""

    kind = "mass"

    @abstractmethod
    def log_mass(self, output: Tensor, codes: Tensor) -> Tensor:
        """Log mass of integer levels (B, C, H, W), per value (B, C, H, W) or per pixel (B, H, W), in nats."""

    def nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Negative log mass (B,) in nats per image."""
        return -self.log_mass(output, quantisation.nearest_code(x, self.config.levels)).flatten(1).sum(1)

    def mass_nll(self, output: Tensor, x: Tensor) -> Tensor:
        """Negative log mass (B,) in nats per image."""
        return self.evaluation_nll(output, x)


class Categorical(MassDecoder):
    """One logit for each level of each value; channels of ``output`` in the order [C][L]."""

    @property
    def head_channels(self) -> int:
        """Channels of the network's last layer."""
        return self.channels * self.config.levels

    def log_mass(self, output: Tensor, codes: Tensor) -> Tensor:
        """Log mass (B, C, H, W) in nats per value."""
        return likelihoods.categorical(codes, self._logits(output))

    def mean(self, output: Tensor) -> Tensor:
        """Mean image (B, C, H, W) in [0, 1]."""
        return self._to_values(likelihoods.categorical_mean(self._logits(output)), output)

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draw images."""
        logits = self._logits(output)
        codes = likelihoods.categorical_sample(logits, _uniform(logits.shape, output, generator))
        return self._to_values(codes, output)

    def _logits(self, output: Tensor) -> Tensor:
        return output.unflatten(1, (self.channels, -1)).movedim(2, -1)


class Bitwise(Categorical):
    """Independent bits of each value, least significant first; channels of ``output`` in the order [C][bit]."""

    @property
    def head_channels(self) -> int:
        """Channels of the network's last layer."""
        return self.channels * (self.config.levels - 1).bit_length()

    def log_mass(self, output: Tensor, codes: Tensor) -> Tensor:
        """Log mass (B, C, H, W) in nats per value."""
        return likelihoods.bitwise(codes, self._logits(output))

    def mean(self, output: Tensor) -> Tensor:
        """Mean image (B, C, H, W) in [0, 1]."""
        return self._to_values(likelihoods.bitwise_mean(self._logits(output)), output)

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draw images."""
        logits = self._logits(output)
        codes = likelihoods.bitwise_sample(logits, _uniform(logits.shape, output, generator))
        return self._to_values(codes, output)


class DiscretisedGaussian(MassDecoder):
    """Gaussian with its mass collected in the bins of the levels, and one learned log scale, 0 at the start."""

    def __init__(self, config: DecoderConfig, channels: int, **options: Any) -> None:
        super().__init__(config, channels, **options)
        self.raw_log_scale = nn.Parameter(torch.zeros((), **self.options))

    @property
    def log_scale(self) -> Tensor:
        """Log scale ()."""
        return self._bounded(self.raw_log_scale)

    def log_mass(self, output: Tensor, codes: Tensor) -> Tensor:
        """Log mass (B, C, H, W) in nats per value."""
        return likelihoods.discretised_gaussian(codes, self.mean(output), self.log_scale.exp(), self.config.levels)

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draw images."""
        noise = torch.randn(output.shape, generator=generator, dtype=output.dtype, device=output.device)
        return self._to_grid(self.mean(output) + self.log_scale.exp() * noise)


class DiscretisedLogistic(DiscretisedGaussian):
    """Logistic with its mass collected in the bins of the levels, and one learned log scale, 0 at the start."""

    def log_mass(self, output: Tensor, codes: Tensor) -> Tensor:
        """Log mass (B, C, H, W) in nats per value."""
        return likelihoods.discretised_logistic(codes, self.mean(output), self.log_scale.exp(), self.config.levels)

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draw images."""
        noise = _uniform(output.shape, output, generator)
        return self._to_grid(likelihoods.logistic_sample(self.mean(output), self.log_scale.exp(), noise))


class LogisticMixture(MassDecoder):
    """Mixture of discretised logistics; the channels of a pixel share the component.

    Locations and scales are in units of [-1, 1]. Channels of ``output``: M logits, then per channel M means and M log
    scales (and M coefficients).
    """

    def __init__(self, config: DecoderConfig, channels: int, **options: Any) -> None:
        super().__init__(config, channels, **options)
        if config.autoregressive and channels != 3:
            raise ValueError(f"channels must be 3 for an autoregressive mixture, got {channels}")

    @property
    def head_channels(self) -> int:
        """Channels of the network's last layer."""
        return self.config.components * (1 + (3 if self.config.autoregressive else 2) * self.channels)

    def log_mass(self, output: Tensor, codes: Tensor) -> Tensor:
        """Log mass (B, H, W) in nats per pixel."""
        parameters = self._mixture(output)
        return likelihoods.mixture_of_logistics(codes, *parameters, self.config.levels, floor=LEAST_LOG_SCALE)

    def mean(self, output: Tensor) -> Tensor:
        """Average location of the components (B, C, H, W) in [0, 1]."""
        logits, means, _, coefficients = self._mixture(output)
        return 0.5 * (likelihoods.mixture_mean(logits, means, coefficients) + 1)

    def sample(self, output: Tensor, generator: torch.Generator) -> Tensor:
        """Draw images; with autoregression channel after channel."""
        logits, means, log_scales, coefficients = self._mixture(output)
        component_noise = _uniform(logits.shape, output, generator)
        noise = _uniform((len(output), self.channels, *output.shape[2:]), output, generator)
        parameters = (logits, means, log_scales.clamp(min=LEAST_LOG_SCALE), coefficients)
        return self._to_grid(0.5 * (likelihoods.mixture_sample(*parameters, component_noise, noise) + 1))

    def _mixture(self, output: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        config = self.config
        parts = likelihoods.split_mixture(output, config.components, self.channels, config.autoregressive)
        logits, means, log_scales, *rest = parts
        return logits, means, log_scales, rest[0] if rest else None


_CLASSES: dict[str, type[Decoder]] = {
    "bernoulli": Bernoulli,
    "gaussian": ConstantSigma,
    "beta": ConstantSigma,
    "shared": SharedSigma,
    "optimal": OptimalSigma,
    "per_image": PerImageSigma,
    "predicted": PredictedSigma,
    "categorical": Categorical,
    "bitwise": Bitwise,
    "discretised_gaussian": DiscretisedGaussian,
    "discretised_logistic": DiscretisedLogistic,
    "logistic_mixture": LogisticMixture,
}


def decoder(
    config: DecoderConfig,
    channels: int,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Decoder:
    """Build the likelihood that ``config`` names, for images of ``channels`` channels."""
    return _CLASSES[config.name](config, channels, device=device, dtype=dtype)


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)


def _calibrated(name: str, value: Tensor) -> Tensor:
    if value.isnan().any():
        raise ValueError(f"decoder {name} must be calibrated on the training images first, got none of it")
    return value


def _moments_of(error: Tensor, dims: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of the log standard deviations of images, whose own uncertainty is about 1 / (2 dims)."""
    log_sigma = 0.5 * (error / dims).log()
    return log_sigma.mean(), log_sigma.var(correction=0) + 0.5 / dims

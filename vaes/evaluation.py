"""What a trained hierarchical VAE is worth: metrics of the unsmoothed model, for one model or a stack.

Nothing here knows rho or K: smoothing exists in training only. All members of a stack are evaluated on the same images
with the same noise. Values are nats per image; `METRICS` says for every metric what it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from vaes.models.hvae import HVAE, Gaussian
from vaes.ops import gaussian
from vaes.seeding import stream

ACTIVE_THRESHOLD = 0.01


@dataclass(frozen=True)
class Metric:
    """What a number is: unit, how it was reduced, posterior samples per image, and bound, estimate or exact."""

    unit: str
    reduction: str
    kind: str
    samples: int | None = None


_MEAN = "mean over images"
_UNITS = "number of latent units"
METRICS: dict[str, Metric] = {
    "elbo": Metric("nats per image", f"{_MEAN} and samples, L_1", "bound"),
    "iw_bound": Metric("nats per image", f"{_MEAN}, L_k with k = samples", "bound"),
    "reconstruction": Metric("nats per image", f"E_q log p(x|z_1), {_MEAN} and samples", "estimate"),
    "kl_sum": Metric("nats per image", f"log q(z|x) - log p(z), {_MEAN} and samples", "estimate"),
    "layer_term": Metric("nats per image", f"log q - log p of one layer, {_MEAN} and samples; may be < 0", "estimate"),
    "top_kl": Metric("nats per image", f"analytic KL, sum over units, {_MEAN} and samples below", "estimate"),
    "active_units": Metric(_UNITS, "variance over images of E mu_q > 0.01, corrected for sampling", "estimate"),
    "active_units_one_sample": Metric(_UNITS, "variance over images of mu_q > 0.01, one sample", "estimate", 1),
    "active_units_kl": Metric(_UNITS, "mean KL term of the unit > 0.01 nat", "estimate"),
    "between_fraction": Metric("1", "share of the variance of mu_q that is between images, A / (A + W)", "estimate"),
    "top_down_gap": Metric("nats per image", f"NLL given another image's z_L minus given its own, {_MEAN}", "estimate"),
    "information_top": Metric("nats", "I_q(x; z_L), nested Monte Carlo on a subset of the images", "estimate"),
}
"""By base name; suffixes are ``_l1`` .. ``_lL`` (layer, bottom to top), ``_top`` and ``_k100`` (samples)."""


@dataclass(frozen=True)
class Protocol:
    """How much sampling an evaluation does.

    Parameters
    ----------
    samples : int
        Posterior samples per image: those of the ELBO's average and the k of the importance-weighted bound.
    gap_samples : int
        Samples per image of the top-down gap.
    information_images, information_samples : int
        Images of the mutual information and samples per image of its mixtures; 0 images leaves it out.
    rows : int, optional
        Images x samples per member in one pass (memory); part of the protocol, because noise is drawn per pass.
    """

    samples: int = 100
    gap_samples: int = 10
    information_images: int = 256
    information_samples: int = 32
    rows: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        for name, least in (("samples", 2), ("gap_samples", 0), ("information_images", 0), ("information_samples", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}, got {getattr(self, name)}")


def metric(name: str, protocol: Protocol | None = None) -> Metric:
    """Description of a metric by its full name, with the number of samples of ``protocol`` filled in."""
    protocol = protocol or Protocol()
    base = re.sub(r"_(l\d+|top|k\d+)$", "", name) if name not in METRICS else name
    if base not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)} with a suffix, got {name!r}")
    samples = {"top_down_gap": protocol.gap_samples, "information_top": protocol.information_samples}
    described = METRICS[base]
    return described if described.samples else replace(described, samples=samples.get(base, protocol.samples))


@torch.inference_mode()
def evaluate(model: HVAE, x: Tensor, *, seed: int, protocol: Protocol | None = None) -> list[dict[str, float | None]]:
    """All metrics of every member of ``model`` on images ``x`` (N, data), binary or as its likelihood takes them.

    Parameters
    ----------
    model : HVAE
        One model or a stack.
    x : Tensor
        Images (N, data), N >= 2.
    seed : int
        Root of the stream "evaluation".
    protocol : Protocol, optional

    Returns
    -------
    list of dict
        One record per member, in the order of the stack. None stands for a metric that does not exist here.
    """
    if x.ndim != 2 or len(x) < 2 or x.shape[1] != model.config.data:
        raise ValueError(f"x must be (N >= 2, {model.config.data}), got {tuple(x.shape)}")
    protocol = protocol or Protocol()
    first = next(model.parameters())
    x = x.to(first)
    sampler = _Sampler(model, stream(seed, "evaluation", device=first.device), protocol)
    totals = _bound_pass(sampler, x)
    values = _bound_metrics(totals, model.config.latents, protocol)
    if protocol.gap_samples:
        values["top_down_gap"] = _top_down_gap(sampler, x)
    if protocol.information_images:
        values["information_top"] = _information_top(sampler, x)
    lists = {name: value.double().tolist() for name, value in values.items()}
    return [
        {name: None if math.isnan(column[member]) else column[member] for name, column in lists.items()}
        for member in range(model.members or 1)
    ]


@dataclass
class _Sampler:
    """Noise for passes of a fixed size; one draw serves all members."""

    model: HVAE
    generator: torch.Generator
    protocol: Protocol
    rows: int = field(init=False)

    def __post_init__(self) -> None:
        config = self.model.config
        self.rows = self.protocol.rows or max(64, 2**17 // max(config.data, *config.hidden))

    def noise(self, rows: int) -> list[Tensor]:
        first = next(self.model.parameters())
        options: dict[str, Any] = {"generator": self.generator, "device": first.device, "dtype": first.dtype}
        return [torch.randn(1, rows, units, **options) for units in self.model.config.latents]

    def passes(self, images: Tensor, samples: int) -> Iterator[tuple[int, list[Tensor]]]:
        """(replicates, noise) until every image has its samples."""
        most = max(1, self.rows // len(images))
        for done in range(0, samples, most):
            replicates = min(most, samples - done)
            yield replicates, self.noise(replicates * len(images))


class _Totals:
    """Sums over images and samples, in float64; a leading axis of members appears with the first addition."""

    def __init__(self, x: Tensor, depth: int) -> None:
        zero = torch.zeros((), dtype=torch.float64, device=x.device)
        self.images = len(x)
        self.log_likelihood = self.log_mean_weight = self.unit_top_kl = zero
        self.unit_terms = [zero] * depth
        self.posterior_means: list[Tensor] = []
        self.within: list[Tensor] = []
        self.first_means: list[Tensor] = []


def _bound_pass(sampler: _Sampler, x: Tensor) -> _Totals:
    """One sweep over images and samples that collects everything but the gap and the information."""
    totals = _Totals(x, sampler.model.config.depth)
    chunks = [_bound_chunk(sampler, images, totals) for images in x.split(sampler.rows)]
    for layer in range(sampler.model.config.depth):
        totals.posterior_means.append(torch.cat([chunk[0][layer] for chunk in chunks], 1))
        totals.within.append(torch.cat([chunk[1][layer] for chunk in chunks], 1).mean(1))
        totals.first_means.append(torch.cat([chunk[2][layer] for chunk in chunks], 1))
    return totals


def _bound_chunk(sampler: _Sampler, x: Tensor, totals: _Totals) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Add a chunk of images to ``totals``; return mean and variance over samples, and first sample, of each mu_q."""
    model, samples = sampler.model, sampler.protocol.samples
    depth = model.config.depth
    zero = torch.zeros((), dtype=torch.float64, device=x.device)
    log_weight = zero - math.inf
    sums, squares = [zero] * depth, [zero] * depth
    first: list[Tensor] = []
    for replicates, noise in sampler.passes(x, samples):
        posterior, z = model.infer(x[None], noise)
        log_likelihood = model.log_likelihood(x[None], z[0]).double()
        unit_terms = _unit_terms(model, posterior, z, noise)
        weight = log_likelihood - torch.stack([term.sum(-1) for term in unit_terms]).sum(0)
        log_weight = torch.logaddexp(log_weight, weight.unflatten(-1, (replicates, len(x))).logsumexp(-2))
        totals.log_likelihood = totals.log_likelihood + log_likelihood.sum(-1)
        q = posterior[-1]
        unit_kl = gaussian.kl_standard(q.mean[..., None], q.scale[..., None]).double()
        totals.unit_top_kl = totals.unit_top_kl + unit_kl.sum(1)
        for layer in range(depth):
            totals.unit_terms[layer] = totals.unit_terms[layer] + unit_terms[layer].sum(1)
            means = posterior[layer].mean.unflatten(-2, (replicates, len(x)))
            if len(first) < depth:
                first.append(means[:, 0].double())
            # Shifting by the first sample keeps the variance accurate where it is small beside the mean.
            shifted = means.double() - first[layer][:, None]
            sums[layer] = sums[layer] + shifted.sum(1)
            squares[layer] = squares[layer] + shifted.square().sum(1)
    totals.log_mean_weight = totals.log_mean_weight + (log_weight - math.log(samples)).sum(-1)
    means_over = [s / samples + f for s, f in zip(sums, first, strict=True)]
    variances = [(q - s * s / samples).clamp(min=0) / (samples - 1) for q, s in zip(squares, sums, strict=True)]
    return means_over, variances, first


def _unit_terms(
    model: HVAE, posterior: tuple[Gaussian, ...], z: tuple[Tensor, ...], noise: list[Tensor]
) -> list[Tensor]:
    """Return log q - log p of every unit (M, rows, n_l), float64, of the unsmoothed model."""
    terms = []
    for layer, (q, sample) in enumerate(zip(posterior, z, strict=True)):
        if layer + 1 < len(z):
            prior = model.conditional(layer, model.parents(z[layer + 1 :]))
        else:
            prior = Gaussian(torch.zeros_like(sample), torch.ones_like(sample))
        log_p = gaussian.log_density(sample[..., None], prior.mean[..., None], prior.scale[..., None])
        zero = torch.zeros_like(noise[layer])[..., None]
        log_q = gaussian.log_density(noise[layer][..., None], zero, zero + 1) - q.scale.log()
        terms.append(log_q.double() - log_p.double())
    return terms


def _bound_metrics(totals: _Totals, latents: tuple[int, ...], protocol: Protocol) -> dict[str, Tensor]:
    count = totals.images * protocol.samples
    unit_terms = [term / count for term in totals.unit_terms]
    layer_terms = [term.sum(-1) for term in unit_terms]
    reconstruction, kl_sum = totals.log_likelihood / count, torch.stack(layer_terms).sum(0)
    unit_top_kl = totals.unit_top_kl / count
    values = {
        "elbo": reconstruction - kl_sum,
        f"iw_bound_k{protocol.samples}": totals.log_mean_weight / totals.images,
        "reconstruction": reconstruction,
        "kl_sum": kl_sum,
        "top_kl": unit_top_kl.sum(-1),
    }
    between = [m.var(1) - w / protocol.samples for m, w in zip(totals.posterior_means, totals.within, strict=True)]
    counts: dict[str, list[Tensor]] = {
        "active_units": between,
        "active_units_one_sample": [mean.var(1) for mean in totals.first_means],
        "active_units_kl": [*unit_terms[:-1], unit_top_kl],
    }
    for name, scores in counts.items():
        active = [(score > ACTIVE_THRESHOLD).sum(-1) for score in scores]
        values[name] = torch.stack(active).sum(0)
        values |= _by_layer(name, active)
    clamped = [score.clamp(min=0).sum(-1) for score in between]
    fractions = [a / (a + w.sum(-1)) for a, w in zip(clamped, totals.within, strict=True)]
    return values | _by_layer("layer_term", layer_terms) | _by_layer("between_fraction", fractions)


def _by_layer(name: str, layers: list[Tensor]) -> dict[str, Tensor]:
    return {f"{name}_l{layer}": value for layer, value in enumerate(layers, 1)} | {f"{name}_top": layers[-1]}


def _top_down_gap(sampler: _Sampler, x: Tensor) -> Tensor:
    """NLL of images decoded from another image's z_L minus from their own, with shared noise below the top."""
    model = sampler.model
    gap = torch.zeros((), dtype=torch.float64, device=x.device)
    for sample in range(sampler.protocol.gap_samples):
        chunks = [model.infer(images[None], sampler.noise(len(images)))[1][-1] for images in x.split(sampler.rows)]
        own = torch.cat(chunks, 1)
        # Another shift for every sample, so that the partner is not always the same image and never the image itself.
        other = own.roll(1 + sample % (len(x) - 1), 1)
        pieces = (x.split(sampler.rows), own.split(sampler.rows, 1), other.split(sampler.rows, 1))
        for images, a, b in zip(*pieces, strict=True):
            noise = sampler.noise(len(images))
            gap = gap + (_decode(model, images, a, noise) - _decode(model, images, b, noise)).sum(-1)
    return gap / (len(x) * sampler.protocol.gap_samples)


def _decode(model: HVAE, x: Tensor, top: Tensor, noise: list[Tensor]) -> Tensor:
    return model.log_likelihood(x[None], model.descend(top, noise[:-1])).double()


def _information_top(sampler: _Sampler, x: Tensor) -> Tensor:
    """I_q(x; z_L) = E log q(z_L|x) - log q(z_L), both mixtures by sampling; z_L from a draw of its own."""
    model, samples = sampler.model, sampler.protocol.information_samples
    x = x[: sampler.protocol.information_images]
    draws: list[Gaussian] = []
    for _ in range(samples):
        draws.append(model.infer(x[None], sampler.noise(len(x)))[0][-1])
    z = model.infer(x[None], sampler.noise(len(x)))[1][-1]
    means = torch.stack([q.mean for q in draws], 1).flatten(1, 2).double()
    scales = torch.stack([q.scale for q in draws], 1).flatten(1, 2).double()
    members = zip(z.double(), means, scales, strict=True)
    return torch.stack([_information(own, mean, scale, samples) for own, mean, scale in members])


def _information(z: Tensor, mean: Tensor, scale: Tensor, samples: int) -> Tensor:
    """One member: z (N, n) against components (samples * N, n), sample by sample. All pairs in one product."""
    precision = scale**-2
    pairs = torch.cat([z.square(), z], 1) @ torch.cat([-0.5 * precision, mean * precision], 1).mT
    pairs = (pairs - (0.5 * mean.square() * precision + scale.log()).sum(-1)).unflatten(1, (samples, len(z)))
    conditional = pairs.diagonal(dim1=0, dim2=2).logsumexp(0) - math.log(samples)
    marginal = pairs.flatten(1).logsumexp(1) - math.log(samples * len(z))
    return (conditional - marginal).mean()

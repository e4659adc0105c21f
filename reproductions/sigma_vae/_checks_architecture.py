"""The paper's three networks built without memory: layers, shapes, parameters, and what a training step keeps."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from scipy import integrate, stats

import claims
from reproductions.sigma_vae import _configurations, _cost
from reproductions.sigma_vae.tables import printed

Metrics = dict[str, float]
GIBI = 2**30
ENCODER, DECODER = ("encoder_network", "posterior_mean", "posterior_log_variance"), ("from_latent", "decoder_network")
MIXTURE: dict[str, Any] = {"name": "logistic_mixture", "components": 10}


def counts_in_check(claim: str) -> list[int]:
    """The exact counts in the text of a check, in their order: numbers like 992,427."""
    found = re.findall(r"\d{1,3}(?:,\d{3})+", claims.find(f"sigma-vae/{claim}").check)
    return [int(text.replace(",", "")) for text in found]


def _small(channels: int = 3, **decoder: Any) -> Any:
    from vaes.models.sigma_vae import sigma_vae

    return sigma_vae("small_conv_vae", device="meta", channels=channels, decoder=decoder or {"name": "gaussian"})


def _count(model: Any) -> int:
    from vaes.accounting import parameter_count

    return parameter_count(model)


def _layers(model: Any, parts: tuple[str, ...]) -> list[Any]:
    """Modules with weights below the named parts of the network, in order."""
    return [layer for part in parts for layer in getattr(model, part).modules() if hasattr(layer, "weight")]


def scalar_scales() -> Metrics:
    """Trainable parameters of the five rows of Table 4 on three channels."""
    counts = {row: _count(_small(**decoder)) for row, decoder in _configurations.TABLE_4.items()}
    unit = counts.pop("gaussian")
    surplus = counts.pop("categorical") - unit
    return {"scale_surplus_error": max(abs(count - unit - 1) for count in counts.values()), "surplus": surplus}


def layer_count() -> Metrics:
    """Weight layers per side, in all, and with both posterior heads; the nearest that any count comes to five."""
    model = _small()
    encoder, decoder = len(_layers(model, ENCODER)) - 1, len(_layers(model, DECODER))
    countings = (encoder, decoder, encoder + decoder, encoder + decoder + 1)
    (stated,) = printed("appendix-a/five-layer-network").values()
    return {
        "encoder_layers": encoder,
        "decoder_layers": decoder,
        "layers": encoder + decoder,
        "weights": encoder + decoder + 1,
        "nearest_count_error": min(abs(count - stated) for count in countings),
    }


def shapes() -> Metrics:
    """Kinds of layers in order, sizes on the way down and up, and parameters for three channels and for one."""
    import torch
    from torch import nn

    model = _small()
    kinds = [type(layer) for layer in _layers(model, ENCODER + DECODER)]
    wanted = [nn.Conv2d] * 3 + [nn.Linear] * 3 + [nn.ConvTranspose2d] * 3
    sides: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, output: sides.append(output.shape[-1]))
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]
    posterior = model.encode(torch.empty(1, 3, 28, 28, device="meta"))
    model.decode(posterior.mean)
    for hook in hooks:
        hook.remove()
    listed = counts_in_check("appendix-b/encoder-decoder-shape")
    return {
        "kind_differences": sum(a != b for a, b in zip(kinds, wanted, strict=True)),
        "side_differences": sum(a != b for a, b in zip(sides, [28, 14, 7, 14, 28, 28], strict=True)),
        "flat": model.posterior_mean.in_features,
        "count_error": max(abs(_count(_small(c)) - n) for c, n in zip((3, 1), listed, strict=True)),
    }


def channels() -> Metrics:
    """Width of each convolution of the encoder."""
    widths = [layer.out_channels for layer in _layers(_small(), ENCODER[:1])]
    return {f"width_{index}": width for index, width in enumerate(widths, start=1)}


def latent() -> Metrics:
    """Size of the posterior heads, and the KL against quadrature and against PyTorch's own."""
    import torch
    from torch.distributions import Normal, kl_divergence

    from vaes.ops import gaussian

    model = _small()
    heads = [layer for layer in _layers(model, ENCODER) if layer.weight.ndim == 2]
    # Beyond 40 standard deviations nothing is left of the density.
    cases = [(0.0, 1.0), (1.5, 0.3), (-2.0, 2.0), (0.1, 1e-2), (3.0, 1.0)]
    errors = []
    for mean, scale in cases:
        kl = gaussian.kl_standard(*(torch.tensor([value], dtype=torch.float64) for value in (mean, scale))).item()
        q = stats.norm(mean, scale)
        quadrature, _ = integrate.quad(
            lambda z, q=q: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)),
            mean - 40 * scale,
            mean + 40 * scale,
            points=[mean],
            epsabs=1e-12,
            limit=200,
        )
        one, two, zero, unit = (torch.tensor(value, dtype=torch.float64) for value in (mean, scale, 0.0, 1.0))
        other = kl_divergence(Normal(one, two), Normal(zero, unit)).item()
        errors += [abs(kl - quadrature), abs(kl - other)]
    zero, one = torch.zeros(20, dtype=torch.float64), torch.ones(20, dtype=torch.float64)
    return {
        "heads": len(heads),
        "head_inputs": heads[0].in_features,
        "latent_units": heads[0].out_features,
        "kl_error": max(errors),
        "kl_of_prior": gaussian.kl_standard(zero, one).item(),
    }


def mixture_parameters() -> Metrics:
    """Head and network of the mixture against the categorical, and their outputs for one image of 1024x1024."""
    mixture, categorical = _small(**MIXTURE), _small(**_configurations.DECODERS["categorical"])
    mebi = 4 * 1024**2 / 2**20
    return {
        "mixture_head": mixture.decoder.head_channels,
        "categorical_head": categorical.decoder.head_channels,
        "mixture_parameters": _count(mixture),
        "categorical_parameters": _count(categorical),
        "mixture_output": mebi * mixture.decoder.head_channels,
        "categorical_output": mebi * categorical.decoder.head_channels,
    }


def same_settings() -> Metrics:
    """Fields other than the decoder in which two runs of one comparison differ, over all pairs."""
    runs = _configurations.families()
    differing = sum(
        one[field] != other[field]
        for family in runs.values()
        for one in family
        for other in family
        for field in one.keys() | other.keys()
        if field != "decoder"
    )
    equal = sum(len({str(run["decoder"]) for run in family}) < len(family) for family in runs.values())
    return {
        "other_differences": differing,
        "equal_decoders": equal,
        "runs": sum(len(family) for family in runs.values()),
    }


def _hierarchical(head: dict[str, Any] | None = None, **overrides: Any) -> Any:
    from vaes.models.hierarchical_vae import HierarchicalVAE, preset

    likelihood = head or {"name": "logistic_mixture", "components": 10, "autoregressive": True}
    return HierarchicalVAE(preset("hvae15", decoder=likelihood, **overrides), device="meta")


def hierarchical_layers() -> Metrics:
    """Stochastic layers, their grids, latent scalars and parameters of the hierarchical VAE."""
    from collections import Counter

    model = _hierarchical()
    grids = Counter(shape[1] for shape in model.config.shapes)
    listed = counts_in_check("appendix-b/hierarchical-15-layers")
    counts = [model.config.latent, _count(model), _count(_hierarchical({"name": "gaussian"}))]
    return {
        "stochastic_layers": len(model.config.stages),
        "grid_differences": sum(grids[side] != number for side, number in {16: 10, 8: 4, 4: 1}.items()),
        "count_error": max(abs(a - b) for a, b in zip(counts, listed, strict=True)),
    }


def no_generative_state() -> Metrics:
    """Parameters with and without skips, and whether a posterior reads the generative path."""
    import torch

    from vaes.models.hierarchical_vae import HierarchicalVAE, preset
    from vaes.seeding import stream

    plain, no_skips, bidirectional = counts_in_check("appendix-b/no-top-down-bottom-up")
    counts = [_count(_hierarchical()), _count(_hierarchical(skips=False))]
    small = HierarchicalVAE(preset("hvae-s"), dtype=torch.float64)
    x = torch.rand(2, *small.config.image_shape, generator=stream(0, "images"), dtype=torch.float64)
    small.initialise(stream(0, "init"), x)
    posterior, _ = small.infer(x, small.draw_noise(2, stream(0, "noise")))
    moments = torch.cat([part.flatten() for layer in posterior for part in layer]).square().sum()
    generative = [*small.down.parameters(), *small.priors.parameters(), *small.head.parameters()]
    gradients = torch.autograd.grad(moments, generative, allow_unused=True, retain_graph=True)
    own = torch.autograd.grad(moments, list(small.posteriors.parameters()))
    return {
        "count_error": max(abs(a - b) for a, b in zip(counts, (plain, no_skips), strict=True)),
        "share_of_bidirectional": counts[0] / bidirectional,
        "generative_gradient": max((float(g.abs().max()) for g in gradients if g is not None), default=0.0),
        "posterior_gradient": max(float(g.abs().max()) for g in own),
    }


def svg_default() -> Metrics:
    """Constant variance that the default loss of the video model stands for, by gradients, and its parameters."""
    import torch

    from reference import calibration
    from vaes.models.svg_lp import PRESETS, SVGLP

    rng = torch.Generator().manual_seed(0)
    weight, batch, errors = 1e-4, 3, []
    variances = {}
    for name, dims in (("colour", 3 * 64 * 64), ("grey", 64 * 64)):
        variances[name] = float(calibration.equivalent_variance(dims, batch, weight))
        x = torch.rand(batch, dims, generator=rng, dtype=torch.float64)
        mean = torch.rand(batch, dims, generator=rng, dtype=torch.float64, requires_grad=True)
        divergence = torch.rand(batch, generator=rng, dtype=torch.float64, requires_grad=True)
        error = (x - mean).square()
        public = error.mean() + weight * divergence.sum() / batch
        gaussian = (error.sum() / (2 * variances[name]) + divergence.sum()) / batch
        one = torch.cat([g.flatten() for g in torch.autograd.grad(public, [mean, divergence], retain_graph=True)])
        two = torch.cat([g.flatten() for g in torch.autograd.grad(gaussian, [mean, divergence])])
        errors.append(float((one - weight * two).abs().max() / one.abs().max()))
    model = SVGLP(PRESETS["svg_lp"], device="meta")
    return {
        "gradient_difference": max(errors),
        "variance_colour": variances["colour"],
        "variance_grey": variances["grey"],
        "sigma_colour": float(np.sqrt(variances["colour"])),
        "parameters": _count(model),
    }


def single_device() -> Metrics:
    """Gibibytes of a training step of each network: kept tensors, and 16 bytes for each parameter."""
    import torch

    from vaes.models.svg_lp import PRESETS, SVGLP

    small = _small(**_configurations.DECODERS["categorical"])
    video = SVGLP(PRESETS["svg_lp"], device="meta")
    steps = {"small": (small, 128), "hierarchical": (_hierarchical(), 48), "video": (video, 100)}
    found = {}
    for name, (model, batch) in steps.items():
        x = torch.empty(batch, *model.config.image_shape, device="meta")
        noise = torch.empty(_cost.noise_shape(model, batch), device="meta")
        found[f"memory_{name}"] = _training_gib(model, x, noise)
    return found


def _training_gib(model: Any, x: Any, noise: Any) -> float:
    from vaes import accounting

    kept = accounting.kept_for_backward(lambda: model(x, noise).objective().mean(), model, (x, noise))
    return accounting.training_bytes(kept, _count(model)) / GIBI

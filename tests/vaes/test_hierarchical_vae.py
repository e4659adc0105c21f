"""The hierarchical VAE and its gated blocks."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch.nn.functional import conv_transpose2d, elu

from vaes.layers.gated_block import GatedBlock, NormalisedConv
from vaes.models.decoders import DecoderConfig
from vaes.models.hierarchical_vae import HierarchicalVAE, HierarchicalVAEConfig, Stage, preset
from vaes.ops import gaussian
from vaes.seeding import stream

GREY = DecoderConfig("gaussian", levels=16)


def images(count: int = 48, side: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 1, side, side, generator=stream(seed, "images"), dtype=torch.float64)


def model(name: str = "hvae-s", seed: int = 0, **overrides: Any) -> HierarchicalVAE:
    config = preset(name, **{"decoder": GREY, **overrides})
    built = HierarchicalVAE(config, dtype=torch.float64)
    return built.initialise(stream(seed, "init"), images(side=config.height))


def parameters(name: str, **overrides: Any) -> int:
    built = HierarchicalVAE(preset(name, **overrides), device="meta")
    return sum(parameter.numel() for parameter in built.parameters())


@pytest.mark.parametrize(
    ("name", "overrides", "expected"),
    [
        (
            "hvae15",
            {"decoder": DecoderConfig("logistic_mixture", components=10, autoregressive=True)},
            54_402_880,
        ),
        (
            "hvae15",
            {
                "skips": False,
                "decoder": DecoderConfig("logistic_mixture", components=10, autoregressive=True),
            },
            53_022_784,
        ),
        ("hvae15", {"decoder": DecoderConfig("gaussian")}, 54_393_374),
        ("hvae15", {"skips": False, "decoder": DecoderConfig("gaussian")}, 53_013_278),
        ("hvae15", {"decoder": DecoderConfig("categorical")}, 54_468_344),
        ("hvae-s", {"decoder": GREY}, 85_130),
    ],
)
def test_parameter_counts(name: str, overrides: dict[str, Any], expected: int) -> None:
    assert parameters(name, **overrides) == expected


def test_latents_of_the_paper() -> None:
    config = preset("hvae15")
    grids = [shape[1:] for shape in config.shapes]
    assert grids == [(16, 16)] * 10 + [(8, 8)] * 4 + [(4, 4)]
    assert [shape[0] for shape in config.shapes] == list(range(38, 8, -2))
    assert config.latent == sum(config.latents) == 78_240


@pytest.mark.parametrize(("kernel", "stride"), [(2, 1), (3, 1), (4, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("up", [False, True])
def test_convolution_by_loops(kernel: int, stride: int, up: bool) -> None:
    layer = NormalisedConv(2, 3, kernel, stride, up, dtype=torch.float64)
    layer.initialise(stream(0, "layer"))
    with torch.no_grad():
        layer.gain.copy_(torch.tensor([0.5, 1.0, 2.0]))
        layer.bias.copy_(torch.tensor([0.1, 0.0, -0.3]))
    x = torch.randn(1, 2, 4, 4, generator=stream(0, "x"), dtype=torch.float64)
    size, before = (4 * stride if up else 4 // stride), (kernel - stride) // 2
    direction = layer.direction.detach().transpose(0, 1) if up else layer.direction.detach()
    weight = layer.gain.detach()[:, None, None, None] * direction / direction.square().sum((1, 2, 3), True).sqrt()
    expected = layer.bias.detach().reshape(3, 1, 1).repeat(1, size, size)
    for u, v, a, b in itertools.product(range(4), range(4), range(kernel), range(kernel)):
        # Where pixel (u, v) goes through entry (a, b) of the kernel; only every stride-th place of a small map exists.
        i, j = (stride * u + a - before, stride * v + b - before) if up else (u + before - a, v + before - b)
        if not up and (i % stride or j % stride):
            continue
        i, j = (i, j) if up else (i // stride, j // stride)
        if 0 <= i < size and 0 <= j < size:
            expected[:, i, j] += weight[:, :, a, b] @ x[0, :, u, v]
    torch.testing.assert_close(layer(x)[0].detach(), expected, rtol=0, atol=1e-12)


def test_weight_does_not_depend_on_the_length_of_the_direction() -> None:
    layer = NormalisedConv(2, 3, 3, 2, True, dtype=torch.float64)
    layer.initialise(stream(0, "layer"))
    before = layer.weight.detach().clone()
    with torch.no_grad():
        layer.direction.mul_(7)
    torch.testing.assert_close(layer.weight.detach(), before)


def test_every_convolution_starts_with_the_moments_of_the_paper() -> None:
    built = model()
    seen: dict[str, torch.Tensor] = {}
    for name, module in built.named_modules():
        if isinstance(module, NormalisedConv):

            def record(module: Any, inputs: Any, output: torch.Tensor, name: str = name) -> None:
                if module.up:
                    output = conv_transpose2d(inputs[0], module.weight, module.bias, stride=module.stride)
                seen[name] = output.detach()

            module.register_forward_hook(record)
    # The batch and the noise of the start.
    generator = stream(0, "init")
    fresh = HierarchicalVAE(built.config, dtype=torch.float64)
    for module in fresh.modules():
        if isinstance(module, NormalisedConv):
            module.initialise(generator)
    built(images(), built.draw_noise(48, generator))
    assert len(seen) == sum(isinstance(module, NormalisedConv) for module in built.modules())
    for name, output in seen.items():
        torch.testing.assert_close(output.mean((0, 2, 3)), torch.zeros(output.shape[1]).double(), rtol=0, atol=1e-10)
        # The start adds 1e-8 to a variance, which a nearly constant output shows.
        assert (output.var((0, 2, 3), correction=0).sqrt() <= 0.01 + 1e-10).all(), name
        assert output.var((0, 2, 3), correction=0).sqrt().median() > 0.0099, name


def test_block_by_its_formula() -> None:
    block = GatedBlock(20, 16, 3, stride=2, skip=5, dtype=torch.float64)
    for module in (block.first, block.second, block.skip):
        assert module is not None
        module.initialise(stream(0, "block"))
    x = torch.randn(2, 20, 6, 6, generator=stream(0, "x"), dtype=torch.float64)
    skip = torch.randn(2, 5, 6, 6, generator=stream(0, "skip"), dtype=torch.float64)
    hidden = block.second(elu(block.first(elu(x)) + block.skip(elu(skip))))
    value, gate = hidden[:, :16], hidden[:, 16:]
    # SAME zero padding puts its one row and column at the end; zeros count in the mean.
    padded = torch.zeros(2, 16, 7, 7, dtype=torch.float64)
    padded[:, :, :6, :6] = x[:, :16]
    pooled = torch.stack(
        [padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].sum((2, 3)) / 9 for i in range(3) for j in range(3)], -1
    ).unflatten(-1, (3, 3))
    torch.testing.assert_close(block(x, skip), value / (1 + (-gate).exp()) + pooled)


def test_blocks_without_shortcut() -> None:
    x = torch.randn(2, 16, 4, 4, generator=stream(0, "x"), dtype=torch.float64)
    for settings, residual_input in (
        ({"residual": False}, False),
        ({"stride": 2, "up": True}, True),
    ):
        block = GatedBlock(16, 16, 3, dtype=torch.float64, **settings)
        block.first.initialise(stream(0, "first"))
        block.second.initialise(stream(0, "second"))
        hidden = block.second(elu(block.first(elu(x) if residual_input else x)))
        torch.testing.assert_close(block(x), hidden[:, :16] * hidden[:, 16:].sigmoid())
    assert not GatedBlock(3, 16, 3).shortcut
    assert GatedBlock(16, 16, 3, stride=2).shortcut


def test_small_model_op_by_op() -> None:
    """The whole network written out once more, from the description of its stages."""
    built = model()
    x, noise = images(5, seed=1), built.draw_noise(5, stream(1, "noise"))
    up, down, config = built.up, built.down, built.config
    parts = noise.split(config.latents, 1)
    state = [None, None, None]
    z: list[torch.Tensor] = []
    q = []
    current = 2 * x - 1
    for stage in range(3):
        h = current
        for block in up[stage]:
            h = block(h) if stage == 0 else block(h, state[stage - 1])
        state[stage] = h
        mean, raw = built.posteriors[stage](elu(h)).chunk(2, 1)
        scale = (0.5 * (1 + raw.exp()).log()).exp()
        sample = mean + scale * parts[stage].view_as(mean)
        q.append((mean, scale))
        z.append(sample)
        current = sample
    top = [down[2][0](z[2])]
    top.append(down[2][1](top[0]))
    middle = [down[1][0](z[1], top[0])]
    middle.append(down[1][1](middle[0], top[1]))
    bottom = [down[0][0](z[0], middle[0])]
    bottom.append(down[0][1](bottom[0], middle[1]))
    p = []
    for layer, above in enumerate((middle, top)):
        mean, raw = built.priors[layer](elu(above[-1])).chunk(2, 1)
        p.append((mean, (0.5 * (1 + raw.exp()).log()).exp()))
    p.append((torch.zeros_like(z[2]), torch.ones_like(z[2])))
    terms = built(x, noise)
    torch.testing.assert_close(terms.output, built.head(elu(bottom[-1])))
    for layer in range(3):
        ratio = torch.distributions.Normal(*q[layer]).log_prob(z[layer]) - torch.distributions.Normal(
            *p[layer]
        ).log_prob(z[layer])
        torch.testing.assert_close(terms.layer_kl[layer], ratio.flatten(1).sum(1))
        torch.testing.assert_close(terms.samples[layer], z[layer].flatten(1))
    error = (built.decoder.mean(terms.output) - x).flatten(1).square().sum(1)
    torch.testing.assert_close(terms.nelbo, 0.5 * error + 32 * math.log(2 * math.pi) + terms.layer_kl.sum(0))


def test_single_sample_divergence_has_the_right_mean() -> None:
    built = model()
    x = images(1, seed=1).expand(400, -1, -1, -1)
    with torch.no_grad():
        terms = built(x, built.draw_noise(400, stream(2, "noise")))
    top = terms.posterior[-1]
    # The top prior is fixed, and given the sample below its posterior is known: average the closed form.
    exact = gaussian.kl_standard(top.mean, top.scale)
    gap = terms.layer_kl[-1] - exact
    assert abs(gap.mean()) < 4 * gap.std() / math.sqrt(len(gap))
    assert terms.layer_kl.min() < 0


def test_every_deviation_is_at_least_one_with_softplus() -> None:
    x = images(4, seed=1)
    soft, plain = model(), model(log_variance="none")
    for built, least in ((soft, 1.0), (plain, 0.9)):
        terms = built(x, built.draw_noise(4, stream(1, "noise")))
        assert min(q.scale.min() for q in terms.posterior) >= least
    assert min(q.scale.min() for q in terms.posterior) < 1


def test_free_bits_are_per_image_and_layer() -> None:
    built = model()
    x = images(16, seed=1)
    terms = built(x, built.draw_noise(16, stream(1, "noise")))
    assert (terms.layer_kl < 2).any()
    clamped = sum(torch.maximum(layer, torch.tensor(2.0)) for layer in terms.layer_kl)
    torch.testing.assert_close(terms.objective(), terms.nll + clamped)
    torch.testing.assert_close(terms.objective(0.5), terms.nll + 0.5 * clamped)
    free = model(free_bits=0.0)
    terms = free(x, free.draw_noise(16, stream(1, "noise")))
    torch.testing.assert_close(terms.objective(), terms.nelbo)


def test_posterior_does_not_see_the_generative_path() -> None:
    built = model()
    x = images(4, seed=1)
    terms = built(x, built.draw_noise(4, stream(1, "noise")))
    moments = sum(q.mean.sum() + q.scale.sum() for q in terms.posterior)
    generative = [*built.down.parameters(), *built.priors.parameters(), *built.head.parameters()]
    gradients = torch.autograd.grad(moments, generative, allow_unused=True)
    assert all(gradient is None for gradient in gradients)
    inference = [*built.up.parameters(), *built.posteriors.parameters()]
    assert all(gradient is not None for gradient in torch.autograd.grad(moments, inference))


def test_without_skips_stages_meet_in_the_latents_alone() -> None:
    built = model(skips=False)
    x, noise = images(2, seed=1), built.draw_noise(2, stream(1, "noise"))
    base = built(x, noise)
    # The top latent reaches the image through the prior of the layers below only: not where these are given.
    moved = [sample.clone() for sample in base.samples]
    output = built.descend(moved[-1] + 1, lambda layer, _: moved[layer])[1]
    torch.testing.assert_close(output, base.output)
    skipping = model()
    base = skipping(x, noise)
    output = skipping.descend(base.samples[-1] + 1, lambda layer, _: base.samples[layer])[1]
    assert not torch.allclose(output, base.output)


def test_samples_and_reconstructions() -> None:
    built = model()
    samples = built.generate(3, stream(0, "samples"))
    assert samples.shape == (3, 1, 8, 8)
    assert 0 <= samples.min() <= samples.max() <= 1
    torch.testing.assert_close(samples, built.generate(3, stream(0, "samples")))
    drawn = built.generate(3, stream(0, "samples"), draw=True) * 15
    torch.testing.assert_close(drawn, drawn.round(), atol=1e-9, rtol=0)
    assert built.reconstruct(images(2)).shape == (2, 1, 8, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": ()}, "stages must hold"),
        ({"log_variance": "exp"}, "log_variance must be one of softplus, none"),
        ({"free_bits": -1.0}, "free_bits must be >= 0"),
        ({"height": 6}, "height must be a multiple of 4"),
        ({"filters": 0}, "filters must be >= 1"),
        ({"depth": 3}, "got depth"),
    ],
)
def test_bad_configurations(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preset("hvae-s", **change)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 1, 1), "blocks must be pairs"),
        ((((3, 2), (3, 1)), 1, 1), "blocks below the last one must have stride 1"),
        ((((3, 1),), 0, 1), "maps and kernel must be >= 1"),
    ],
)
def test_bad_stages(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stage(*arguments)


def test_bad_input() -> None:
    built = model()
    with pytest.raises(ValueError, match="preset must be one of"):
        preset("hvae")
    with pytest.raises(ValueError, match=r"x must be images of shape \(B, 1, 8, 8\), got \(2, 3, 8, 8\)"):
        built(torch.zeros(2, 3, 8, 8).double(), torch.zeros(2, 128))
    with pytest.raises(ValueError, match=r"noise must have shape \(2, 128\)"):
        built(torch.zeros(2, 1, 8, 8).double(), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="skip must be absent"):
        GatedBlock(2, 2, 3)(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4))


def test_configuration_survives_json() -> None:
    import json
    from dataclasses import asdict

    config = preset("hvae15", decoder={"name": "beta", "beta": 0.1})
    assert HierarchicalVAEConfig.from_dict(json.loads(json.dumps(asdict(config)))) == config

"""The small convolutional VAE: its size to the last parameter, its law at the start, and its terms."""

import math
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from vaes.layers.initialisation import torch_default_
from vaes.models.decoders import DECODERS, DecoderConfig
from vaes.models.sigma_vae import SigmaVAE, SigmaVAEConfig, preset, sigma_vae
from vaes.ops import gaussian
from vaes.seeding import stream

GAUSSIAN = ("bernoulli", "gaussian", "beta", "optimal", "per_image")
LEARNED = ("shared", "discretised_gaussian", "discretised_logistic")
# Parameters for three channels and for one, by specification.
COUNTS = {
    **dict.fromkeys(GAUSSIAN, (992_427, 990_249)),
    **dict.fromkeys(LEARNED, (992_428, 990_250)),
    "predicted": (994_830, 991_050),
    "categorical": (1_605_192, 1_194_504),
    "bitwise": (1_009_248, 995_856),
    "logistic_mixture": (1_046_094, 1_013_478),
}


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def tiny(**changes):
    model = sigma_vae("conv8", features=4, latent=3, **changes)
    return model.initialise(stream(0, "init"))


def images(model, rows=4):
    levels = model.config.decoder.levels
    codes = torch.randint(levels, (rows, *model.config.image_shape), generator=stream(0, "images"))
    return codes / (levels - 1)


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("name", DECODERS)
def test_parameter_counts(name, channels):
    model = sigma_vae("small_conv_vae", device="meta", channels=channels, decoder={"name": name})
    assert parameters(model) == COUNTS[name][channels == 1]


def test_parameter_count_of_the_autoregressive_mixture():
    decoder = {"name": "logistic_mixture", "autoregressive": True}
    assert parameters(sigma_vae("small_conv_vae", device="meta", decoder=decoder)) == 1_070_124


def test_the_layers_are_those_of_the_specification():
    model = sigma_vae("small_conv_vae", device="meta")
    counts = {name: parameters(module) for name, module in model.named_modules() if not list(module.children())}
    assert [n for n in counts.values() if n] == [
        896, 32_832, 204_928, 125_460, 125_460, 131_712, 294_976, 73_760, 2_403,
    ]  # fmt: skip
    assert [type(layer) for layer in model.encoder_network] == [nn.Conv2d, nn.ReLU] * 3
    assert [type(layer) for layer in model.decoder_network] == [nn.ConvTranspose2d, nn.ReLU] * 2 + [nn.ConvTranspose2d]


def test_five_layers_add_one_convolution_on_each_side():
    five, four = (sigma_vae(name, device="meta") for name in ("five_layer", "small_conv_vae"))
    assert parameters(five) - parameters(four) == 2 * (128 * 128 * 9 + 128)
    kinds = (nn.Linear, nn.Conv2d)
    # Four convolutions and one linear layer from the image to the mean.
    assert sum(isinstance(m, kinds) for m in [*five.encoder_network, five.posterior_mean]) == 5
    model = tiny(layers=5)
    assert model(images(model), torch.zeros(4, 3)).nll.shape == (4,)


def test_conv8_is_the_same_network_on_8x8_images():
    model = sigma_vae("conv8", device="meta")
    f = 16
    wanted = (9 * f + f) + (f * 2 * f * 16 + 2 * f) + (2 * f * 4 * f * 25 + 4 * f) + 2 * (256 * 20 + 20)
    wanted += (20 * 256 + 256) + (4 * f * 2 * f * 36 + 2 * f) + (2 * f * f * 36 + f) + (f * 25 + 1)
    assert parameters(model) == wanted
    assert model.config.decoder.levels == 16
    assert preset("conv8", decoder={"name": "shared"}).decoder == DecoderConfig("shared", levels=16)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("size", [(8, 8), (28, 20), (7, 9), (2, 2), (5, 31), (6, 3)])
def test_images_of_any_size_and_channels(size, channels):
    config = SigmaVAEConfig(channels, *size, features=4, latent=3)
    model = SigmaVAE(config).initialise(stream(0, "init"))
    x = images(model)
    terms = model(x, torch.zeros(4, 3))
    assert terms.output.shape == x.shape
    assert terms.nll.shape == terms.kl.shape == (4,)
    assert model.reconstruct(x).shape == x.shape
    assert model.generate(2, stream(0, "z")).shape == (2, channels, *size)


def test_every_pixel_of_an_odd_image_is_seen_and_reached():
    model = SigmaVAE(SigmaVAEConfig(1, 7, 9, features=4, latent=3), dtype=torch.float64).initialise(stream(0, "init"))
    x = images(model, 1).double().requires_grad_()
    (seen,) = torch.autograd.grad(model.encode(x).mean.square().sum(), x)
    assert (seen != 0).all()
    outputs = model.decode(torch.randn(2, 3, generator=stream(0, "z"), dtype=torch.float64))
    assert (outputs[0] != outputs[1]).all()


@pytest.mark.parametrize(
    ("kind", "sizes"), [(nn.Linear, (300, 200)), (nn.Conv2d, (16, 32, 5)), (nn.ConvTranspose2d, (32, 16, 6))]
)
def test_initial_parameters_follow_the_default_law_of_torch(kind, sizes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = kind(*sizes)
    ours = torch_default_(kind(*sizes), stream(0, "init"))
    bound = ours.weight[0].numel() ** -0.5
    for layer in (ours, theirs):
        assert 0.999 * bound < layer.weight.abs().max() <= bound
        assert 0.75 * bound < layer.bias.abs().max() <= bound
        assert layer.weight.detach().std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_start_is_a_function_of_the_stream_and_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    models = [sigma_vae("conv8", dtype=dtype).initialise(stream(seed, "init")) for seed, dtype in
              [(0, None), (0, torch.float64), (1, None)]]  # fmt: skip
    assert torch.equal(before, torch.random.get_rng_state())
    first, wide, other = (nn.utils.parameters_to_vector(m.parameters()).detach() for m in models)
    assert torch.equal(first, wide.float())
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", DECODERS)
def test_terms_of_the_objective(name):
    model = tiny(channels=3, decoder={"name": name})
    x, noise = images(model), torch.randn(4, 3, generator=stream(0, "noise"))
    terms = model(x, noise)
    posterior = model.encode(x)
    z = posterior.mean + posterior.scale * noise
    assert torch.allclose(terms.sample, z)
    assert torch.allclose(terms.kl, gaussian.kl_standard(*posterior))
    assert torch.allclose(terms.nll, model.decoder.nll(model.decode(z), x))
    assert torch.equal(terms.objective(0.3), terms.nll + 0.3 * terms.kl)
    assert torch.equal(terms.nelbo, terms.objective())
    terms.objective().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_scale_of_the_posterior_is_half_the_log_variance():
    model = tiny()
    with torch.no_grad():
        model.posterior_log_variance.weight.zero_()
        model.posterior_log_variance.bias.fill_(math.log(0.25))
    assert torch.allclose(model.encode(images(model)).scale, torch.tensor(0.5))


def test_generated_images_are_means_or_draws_of_the_prior():
    model = tiny(decoder={"name": "bernoulli"})
    means, draws = (model.generate(300, stream(0, "z"), draw=draw) for draw in (False, True))
    z = torch.randn(300, 3, generator=stream(0, "z"))
    assert torch.allclose(means, model.decode(z).sigmoid().detach(), atol=1e-6)
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert (draws - means).mean().abs() < 0.02


def test_reconstruction_is_the_mean_at_the_posterior_mean():
    model = tiny()
    x = images(model, 300)
    assert torch.allclose(model.reconstruct(x), model.decode(model.encode(x).mean).sigmoid().detach(), atol=1e-6)


def test_bound_equals_its_parts_by_quadrature():
    """Of one latent unit: E_q of the NLL by quadrature is the mean over noise."""
    model = SigmaVAE(SigmaVAEConfig(1, 4, 4, features=2, latent=1, decoder=DecoderConfig("gaussian"))).double()
    model.initialise(stream(0, "init"))
    x = images(model, 1).double()
    nodes = torch.linspace(-8, 8, 2001, dtype=torch.float64)
    weights = (-0.5 * nodes.square()).exp()
    with torch.no_grad():
        values = model(x.expand(2001, -1, -1, -1), nodes[:, None]).nll
        exact = (values * weights).sum() / weights.sum()
        noise = model.draw_noise(20_000, stream(0, "noise"))
        draws = model(x.expand(20_000, -1, -1, -1), noise).nll
    assert abs(draws.mean() - exact) < 5 * draws.std() / math.sqrt(20_000)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SigmaVAEConfig(channels=0), "channels must be >= 1, got 0"),
        (lambda: SigmaVAEConfig(height=1), "height must be >= 2, got 1"),
        (lambda: SigmaVAEConfig(latent=0), "latent must be >= 1"),
        (lambda: SigmaVAEConfig(layers=3), "layers must be 4 or 5, got 3"),
        (lambda: SigmaVAEConfig.from_dict({"heigth": 3}), "got heigth"),
        (lambda: preset("small", latent=3), "preset must be one of small_conv_vae"),
        (lambda: preset("conv8", decoder={"name": "categorial"}), "got 'categorial'"),
    ],
)
def test_nonsense_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_configuration_survives_a_dictionary():
    config = replace(preset("conv8"), decoder=DecoderConfig("optimal", levels=16, scale_estimate="running", decay=0.9))
    assert SigmaVAEConfig.from_dict(asdict(config)) == config

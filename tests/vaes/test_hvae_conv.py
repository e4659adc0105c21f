"""The residual convolutional hierarchical VAE: counts, layout, likelihoods, smoothing, skips, training."""

from functools import partial

import pytest
import torch
from torch.distributions import Normal
from torch.nn import functional

from vaes import data
from vaes.evaluation import Protocol, evaluate
from vaes.layers.residual_network import ResidualBlock, ResidualNetwork, glorot_
from vaes.models.hvae import Smoothing, objective
from vaes.models.hvae_conv import LIKELIHOODS, PRESETS, HVAEConv, HVAEConvConfig, hvae_conv, preset
from vaes.ops import blocks
from vaes.seeding import stream
from vaes.training import Member, Recipe, Trainer

SMALL = {"image": (8, 4), "depth": 3, "latent_maps": 2, "maps": 3, "blocks": 2, "kernel": 3, "bottom_kernel": 5}
COLOUR = {"image": (4, 6, 3)}


def model_of(seed=0, dtype=torch.float64, **overrides):
    config = HVAEConvConfig(**{**SMALL, "likelihood": "bernoulli", **overrides})
    return HVAEConv(config, dtype=dtype).initialise(stream(seed, "init"))


def inputs(config, rows, samples=3, seed=1, dtype=torch.float64):
    generator = stream(seed, "test")
    draw = partial(torch.randn, generator=generator, dtype=dtype)
    levels = 1 if config.likelihood == "bernoulli" else 255
    x = torch.randint(levels + 1, (rows, config.data), generator=generator).to(dtype) / levels
    noise = [draw(rows, n) for n in config.latents]
    return x, noise, tuple(draw(samples, rows, n) for n in config.latents[1:])


def size(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cifar10-l3", 10_193_886),
        ("cifar10-l4", 12_399_718),
        ("cifar10-l6", 16_811_382),
        ("cifar10-l3-skips", 10_193_886 + 900),
    ],
)
def test_parameter_counts_are_the_specified_ones(name, count):
    assert size(hvae_conv(name, device="meta")) == count


def test_counts_of_the_variants():
    assert [size(hvae_conv("cifar10-l4", device="meta", depth=d, blocks=5)) for d in (3, 4, 6)] == [
        8_472_686,
        10_318_118,
        14_008_982,
    ]
    mixture = hvae_conv("cifar10-l3", device="meta", likelihood="mixture_of_logistics")
    assert size(mixture) == 10_193_886 + 9_494
    # Edges from z_j to p(z_i|.), j > i + 1, of four layers: 800 weights each, one bias for each network that has any.
    assert size(hvae_conv("cifar10-l4", device="meta", skips=True)) == 12_399_718 + 3 * 800 + 2 * 100


@pytest.mark.parametrize("name", PRESETS)
def test_presets_run_on_the_meta_device(name):
    model = hvae_conv(name, device="meta")
    config = model.config
    noise = [torch.empty(2, n, device="meta") for n in config.latents]
    fresh = tuple(torch.empty(5, 2, n, device="meta") for n in config.latents[1:])
    terms = model(torch.empty(2, config.data, device="meta"), noise, Smoothing(0.9, fresh))
    assert terms.log_weight.shape == (2,)
    assert all(p.grad is None for p in model.parameters())
    objective(terms).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_stated_sizes_of_the_presets():
    assert preset("cifar10-l6").latent_shape == (8, 16, 16)
    assert preset("grey-14x14").latent_shape == (8, 14, 14)
    assert preset("grey-7x7").latent_shape == (8, 7, 7)
    assert preset("cifar10-l4").data == 3072


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"depht": 3}, "keys of HVAEConvConfig must be its fields, got depht"),
        ({"depth": 0}, "depth must be >= 1, got 0"),
        ({"image": (8,)}, r"image must be \(height, width\) or \(height, width, channels\), got \(8,\)"),
        ({"image": [8, 6], "halvings": 2}, r"sides of the image must be multiples of 4, got \(8, 6\)"),
        ({"halvings": 3}, "halvings must be between 0 and the 2 blocks, got 3"),
        ({"kernel": 4}, "kernel must be odd and >= 1, got 4"),
        ({"likelihood": "normal"}, "likelihood must be one of bernoulli, .* got 'normal'"),
        ({"smoothing": "sigma"}, "smoothing must be one of mu_sigma, mu, ratio, got 'sigma'"),
        ({"positivity": "square"}, "positivity must be one of .* got 'square'"),
    ],
)
def test_a_bad_configuration_is_one_clear_error(overrides, message):
    with pytest.raises(ValueError, match=message):
        preset("tiny", **overrides)


def test_unknown_presets_are_named():
    with pytest.raises(ValueError, match="got 'cifar10-l5'"):
        hvae_conv("cifar10-l5")


@pytest.mark.parametrize("resize", ["none", "down", "up"])
def test_residual_block_written_out(resize):
    block = ResidualBlock(3, 3, 5, resize, dtype=torch.float64)
    x = torch.randn(2, 3, 4, 6, generator=stream(0, "x"), dtype=torch.float64)
    first = functional.conv2d(functional.elu(x), block.conv1.weight, block.conv1.bias, padding=2)
    weight, bias = block.conv2.weight, block.conv2.bias
    if resize == "up":
        # A transposed convolution of stride 2 is a convolution of the map with zeros between its pixels.
        spread = torch.zeros(2, 3, 8, 12, dtype=torch.float64)
        spread[..., ::2, ::2] = functional.elu(first)
        second = functional.conv2d(spread, weight.flip(-1, -2).transpose(0, 1), bias, padding=2)
        shortcut = functional.interpolate(x, scale_factor=2)
    else:
        second = functional.conv2d(functional.elu(first), weight, bias, padding=2)
        shortcut = x
        if resize == "down":
            second = second[..., ::2, ::2]
            shortcut = x.unfold(2, 2, 2).unfold(3, 2, 2).mean((-2, -1))
    torch.testing.assert_close(block(x), second + shortcut)


def test_a_block_that_changes_the_width_has_no_shortcut():
    block = ResidualBlock(2, 3, 3, dtype=torch.float64)
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.randn(1, 2, 4, 4, generator=stream(0, "x"), dtype=torch.float64)
    torch.testing.assert_close(block(x), block.conv2.bias[:, None, None].expand(1, 3, 4, 4))


def test_further_maps_enter_as_the_reference_skip():
    """The whole input side of a network with skips against `vaes.ops.blocks.stochastic_skip`, latent by latent."""
    network = ResidualNetwork((2, 3, 3), 4, maps=5, blocks=1, kernel=3, further=4, dtype=torch.float64)
    glorot_(network, 2, stream(0, "init"))
    torch.nn.init.normal_(network.skip.bias, generator=stream(1, "init"))
    z = torch.randn(2, 6, 3, 3, generator=stream(0, "z"), dtype=torch.float64)
    latents, weights = (value.split(2, 1) for value in (z[:, 2:], network.skip.weight))
    first = blocks.stochastic_skip(network.stem(z[:, :2]), latents, weights, network.skip.bias)
    wanted = network.head(functional.elu(network.blocks(first)))
    torch.testing.assert_close(network(z.flatten(1)), wanted.flatten(1))


def test_networks_say_what_they_got():
    with pytest.raises(ValueError, match="x must hold 16 values in its last axis, got 15"):
        model_of().priors[0](torch.zeros(1, 15, dtype=torch.float64))


def test_glorot_bounds_count_heads_apart():
    network = ResidualNetwork((2, 3, 3), 4, maps=5, blocks=1, kernel=3)
    glorot_(network, 2, stream(0, "init"))
    for layer, fans in ((network.stem, 2 + 5), (network.blocks[0].conv1, 5 + 5), (network.head, 5 + 2)):
        bound = (6 / (9 * fans)) ** 0.5
        assert 0.93 * bound < layer.weight.abs().max() <= bound
        assert not layer.bias.any()


def test_a_stable_start_divides_what_blocks_add_by_the_root_of_their_number():
    plain, stable = (model_of(stable_start=stable, blocks=4) for stable in (False, True))
    for one, two in zip(plain.priors[0].blocks, stable.priors[0].blocks, strict=True):
        assert torch.equal(one.conv1.weight, two.conv1.weight)
        torch.testing.assert_close(one.conv2.weight, 2 * two.conv2.weight)


def test_a_stable_start_is_much_nearer_to_the_prior():
    kl = []
    for stable in (False, True):
        model = hvae_conv("grey-14x14", maps=16, stable_start=stable).initialise(stream(0, "init"))
        x, noise, _ = inputs(model.config, 2, dtype=torch.float32)
        with torch.no_grad():
            kl.append(model(x, noise).kl_sum.mean())
    assert kl[1] < 0.01 * kl[0]


def test_terms_are_the_densities_of_the_sample():
    model = model_of()
    x, noise, _ = inputs(model.config, 4)
    terms = model(x, noise)
    for value, q, z in zip(terms.log_posterior, terms.posterior, terms.samples, strict=True):
        torch.testing.assert_close(value, Normal(*q).log_prob(z).sum(-1))
    for layer, value in enumerate(terms.log_prior[:-1]):
        p = model.conditional(layer, terms.samples[layer + 1])
        torch.testing.assert_close(value, Normal(*p).log_prob(terms.samples[layer]).sum(-1))
    torch.testing.assert_close(terms.log_prior[-1], Normal(0, 1).log_prob(terms.samples[-1]).sum(-1))


def test_importance_samples_see_their_own_image():
    model = model_of()
    x, _, _ = inputs(model.config, 3)
    _, noise, _ = inputs(model.config, 6)
    weights = model.log_weights(x, noise)
    for row in range(2):
        alone = model(x, [e[3 * row : 3 * row + 3] for e in noise]).log_weight
        torch.testing.assert_close(weights[row], alone)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("skips", [False, True])
def test_smoothing_at_rho_one_changes_only_rounding(likelihood, skips):
    model = model_of(likelihood=likelihood, skips=skips, **COLOUR)
    x, noise, fresh = inputs(model.config, 3)
    plain, smooth = model(x, noise), model(x, noise, Smoothing(1.0, fresh))
    torch.testing.assert_close(smooth.log_weight, plain.log_weight, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(model(x, noise, Smoothing(0.5, fresh)).log_weight, plain.log_weight)


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("variant", ["mu_sigma", "mu", "ratio"])
def test_smoothing_averages_parameters_over_joint_correlated_copies(variant, skips):
    """Written out copy by copy: z'_j = mean + scale (rho e + sqrt(1 - rho^2) w) for every layer above."""
    model = model_of(smoothing=variant, skips=skips)
    x, noise, fresh = inputs(model.config, 4)
    rho = 0.6
    terms = model(x, noise, Smoothing(rho, fresh))
    for layer in range(2):
        above = range(layer + 1, 3 if skips else layer + 2)
        found = []
        for k in range(len(fresh[0])):
            moved = [rho * noise[j] + 0.8 * fresh[j - 1][k] for j in above]
            copies = [q.mean + q.scale * e for q, e in zip((terms.posterior[j] for j in above), moved, strict=True)]
            found.append(model.conditional(layer, torch.cat(copies, -1)))
        mean, scale = (torch.stack(values) for values in zip(*found, strict=True))
        own = model.conditional(layer, torch.cat([terms.samples[j] for j in above], -1)).scale
        wanted = {
            "mu_sigma": (mean.mean(0), scale.mean(0)),
            "mu": (mean.mean(0), own),
            "ratio": (scale.mean(0) * (mean / scale).mean(0), scale.mean(0)),
        }[variant]
        torch.testing.assert_close(terms.log_prior[layer], Normal(*wanted).log_prob(terms.samples[layer]).sum(-1))


def test_smoothing_leaves_everything_but_the_conditionals_between_latents_alone():
    model = model_of()
    x, noise, fresh = inputs(model.config, 4)
    plain, smooth = model(x, noise), model(x, noise, Smoothing(0.3, fresh))
    assert torch.equal(plain.log_likelihood, smooth.log_likelihood)
    assert torch.equal(plain.log_prior[-1], smooth.log_prior[-1])
    assert all(torch.equal(a, b) for a, b in zip(plain.log_posterior, smooth.log_posterior, strict=True))


def test_detached_copies_give_the_same_value_and_other_gradients():
    results = []
    for detach in (False, True):
        model = model_of(detach_smoothing_inputs=detach)
        x, noise, fresh = inputs(model.config, 3)
        value = objective(model(x, noise, Smoothing(0.5, fresh)))
        value.backward()
        results.append((value.detach(), model.posteriors[2].head.weight.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert not torch.allclose(results[0][1], results[1][1])


@pytest.mark.parametrize(("skips", "pairs"), [(False, set()), (True, {(0, 2), (0, 3), (1, 3)})])
def test_which_latents_reach_which_conditional(skips, pairs):
    """Moving the noise of z_j leaves all below it alone, so p(z_i|.), i < j - 1, changes through a skip only."""
    model = model_of(depth=4, skips=skips)
    x, noise, _ = inputs(model.config, 2)
    before, changed = model(x, noise).log_prior, set()
    for upper in range(2, 4):
        after = model(x, [e + (layer == upper) for layer, e in enumerate(noise)]).log_prior
        changed |= {(i, upper) for i in range(upper - 1) if not torch.equal(before[i], after[i])}
    assert changed == pairs


def test_skips_with_zero_weights_give_the_plain_model():
    plain, skipping = model_of(depth=4), model_of(seed=5, depth=4, skips=True)
    missing = skipping.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert {name.split(".")[2] for name in missing} == {"skip"}
    for network in list(skipping.priors)[:2]:
        torch.nn.init.zeros_(network.skip.weight)
        torch.nn.init.zeros_(network.skip.bias)
    x, noise, fresh = inputs(plain.config, 3)
    assert torch.equal(plain(x, noise).log_weight, skipping(x, noise).log_weight)
    smooth = [model(x, noise, Smoothing(0.7, fresh)).log_weight for model in (plain, skipping)]
    assert torch.equal(*smooth)
    assert torch.equal(plain.sample(noise), skipping.sample(noise))


def test_logistic_likelihood_of_colour_images_pixel_by_pixel():
    """Bins of the logistic law on 256 levels from -1 to 1, in sigmoids, on pixels of (height, width, channel)."""
    model = model_of(likelihood="discretised_logistic", **COLOUR)
    x, noise, _ = inputs(model.config, 3)
    z = model(x, noise).samples[0]
    mean, log_scale = model.likelihood(z).view(3, 2, 3, 4, 6).unbind(1)
    pixels = 2 * x.view(3, 4, 6, 3).permute(0, 3, 1, 2) - 1
    upper = torch.where(pixels > 0.999, torch.inf, pixels + 1 / 255)
    lower = torch.where(pixels < -0.999, -torch.inf, pixels - 1 / 255)
    scale = log_scale.exp()
    mass = ((upper - mean) / scale).sigmoid() - ((lower - mean) / scale).sigmoid()
    torch.testing.assert_close(model.log_likelihood(x, z), mass.log().sum((1, 2, 3)))


def test_mixture_of_one_component_without_coefficients_is_the_logistic():
    logistic = model_of(likelihood="discretised_logistic", **COLOUR)
    mixture = model_of(likelihood="mixture_of_logistics", components=1, **COLOUR)
    values = torch.randn(3, 2, generator=stream(3, "bias"), dtype=torch.float64)
    for model in (logistic, mixture):
        torch.nn.init.zeros_(model.likelihood.head.weight)
    with torch.no_grad():
        logistic.likelihood.head.bias.copy_(values.T.flatten())
        # One logit, then mean, log scale and coefficient of each channel.
        mixture.likelihood.head.bias[1:] = torch.cat([values, torch.zeros(3, 1, dtype=torch.float64)], 1).flatten()
    x, noise, _ = inputs(logistic.config, 3)
    got = [model.log_likelihood(x, noise[0]) for model in (logistic, mixture)]
    torch.testing.assert_close(*got)
    torch.testing.assert_close(logistic.sample(noise), mixture.sample(noise))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_samples_are_images(likelihood):
    model = model_of(likelihood=likelihood, skips=True, **COLOUR)
    _, noise, _ = inputs(model.config, 3)
    torch.nn.init.zeros_(model.likelihood.head.weight)
    with torch.no_grad():
        model.likelihood.head.bias.fill_(0.5)
    images = model.sample(noise)
    assert images.shape == (3, model.config.data)
    assert torch.all((images >= 0) & (images <= 1))


def test_channels_come_last():
    model = model_of(likelihood="bernoulli", **COLOUR)
    torch.nn.init.zeros_(model.likelihood.head.weight)
    with torch.no_grad():
        model.likelihood.head.bias.copy_(torch.tensor([-1.0, 0.0, 2.0]))
    _, noise, _ = inputs(model.config, 2)
    pixels = model.sample(noise).view(2, 4, 6, 3)
    torch.testing.assert_close(pixels, torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64).sigmoid().expand_as(pixels))


def test_ancestral_pass_gives_every_layer_all_samples_above_it():
    model = model_of(skips=True)
    _, noise, _ = inputs(model.config, 3)
    z3 = noise[2]
    p2 = model.conditional(1, z3)
    z2 = p2.mean + p2.scale * noise[1]
    p1 = model.conditional(0, torch.cat([z2, z3], -1))
    torch.testing.assert_close(model.descend(z3, noise[:2]), p1.mean + p1.scale * noise[0])


@pytest.fixture(scope="module")
def digits():
    return data.load("digits/static")


def trained(dataset, steps, rho=0.9, seed=0, **overrides):
    recipe = Recipe(steps=steps, batch=32, samples=3)
    model = hvae_conv("tiny", **overrides).initialise(stream(seed, "init"))
    trainer = Trainer(model, [Member(rho=rho, seed=seed)], dataset, recipe)
    trainer.run()
    return trainer.model


def bound_of(model, x):
    noise = [torch.randn(len(x), n, generator=stream(9, "noise")) for n in model.config.latents]
    with torch.no_grad():
        return model(x, noise).log_weight.mean().item()


@pytest.mark.parametrize("skips", [False, True])
def test_a_few_steps_on_digits_raise_the_bound(digits, skips):
    before = bound_of(hvae_conv("tiny", skips=skips).initialise(stream(0, "init")), digits.test)
    after = bound_of(trained(digits, 60, skips=skips), digits.test)
    assert after > before + 10


def test_a_run_repeats_bit_for_bit(digits):
    one, two, other = (trained(digits, 5, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_a_checkpoint_goes_on_to_the_same_numbers(digits, tmp_path):
    recipe = Recipe(steps=6, batch=16, samples=2)
    trainers = []
    for stop in (6, 3):
        model = hvae_conv("tiny").initialise(stream(0, "init"))
        trainers.append(Trainer(model, [Member(rho=0.8)], digits, recipe))
        trainers[-1].run(stop)
    trainers[1].save(tmp_path / "half.safetensors")
    resumed = Trainer(hvae_conv("tiny").initialise(stream(4, "init")), [Member(rho=0.8)], digits, recipe)
    resumed.load(tmp_path / "half.safetensors")
    resumed.run()
    pairs = zip(trainers[0].model.parameters(), resumed.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_evaluator_takes_the_model(digits):
    model = hvae_conv("tiny").initialise(stream(0, "init"))
    protocol = Protocol(samples=20, gap_samples=2, information_images=16, information_samples=4)
    (values,) = evaluate(model, digits.test[:40], seed=1, protocol=protocol)
    assert values["elbo"] <= values["iw_bound_k20"]
    assert values["reconstruction"] - values["kl_sum"] == pytest.approx(values["elbo"])
    assert values["top_kl"] == pytest.approx(values["layer_term_top"], rel=0.2)
    assert None not in values.values()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("skips", [False, True])
def test_the_evaluator_against_the_forward_pass_on_the_same_draws(likelihood, skips):
    """One pass (4 x 5 rows), so the noise can be drawn again here."""
    model = model_of(likelihood=likelihood, skips=skips, depth=4, **COLOUR)
    x, _, _ = inputs(model.config, 5)
    (values,) = evaluate(model, x, seed=2, protocol=Protocol(samples=4, gap_samples=0, information_images=0))
    generator = stream(2, "evaluation")
    noise = [torch.randn(1, 20, n, generator=generator, dtype=torch.float64)[0] for n in model.config.latents]
    with torch.no_grad():
        terms = model(x, noise)
    assert values["elbo"] == pytest.approx(terms.log_weight.mean().item(), rel=1e-10)
    for layer, term in enumerate(terms.layer_terms, 1):
        assert values[f"layer_term_l{layer}"] == pytest.approx(term.mean().item(), rel=1e-8)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("skips", [False, True])
def test_the_top_down_gap_against_its_definition(likelihood, skips):
    """Both passes share the noise below the top; the partner is the next image."""
    model = model_of(likelihood=likelihood, skips=skips, **COLOUR)
    x, _, _ = inputs(model.config, 5)
    (values,) = evaluate(model, x, seed=2, protocol=Protocol(samples=2, gap_samples=1, information_images=0))
    generator = stream(2, "evaluation")
    _, up, down = (
        [torch.randn(1, rows, n, generator=generator, dtype=torch.float64)[0] for n in model.config.latents]
        for rows in (10, 5, 5)
    )
    with torch.no_grad():
        top = model.infer(x, up)[1][-1]
        own, other = (model.log_likelihood(x, model.descend(z, down[:-1])) for z in (top, top.roll(1, 0)))
    assert values["top_down_gap"] == pytest.approx((own - other).mean().item(), rel=1e-8)
    assert abs(values["top_down_gap"]) > 1e-6

"""Decoder likelihoods: every one normalises, keeps its constants, draws what it scores, and refuses nonsense."""

import math

import pytest
import torch

from vaes.models.decoders import DECODERS, DecoderConfig, decoder
from vaes.ops import calibration, gaussian, likelihoods
from vaes.seeding import stream

SIZE = 28
MASSES = ("categorical", "bitwise", "discretised_gaussian", "discretised_logistic", "logistic_mixture")
# Largest distance from 1 of a sum over 256 masses, measured in float32 at 28x28; the tests allow four times that.
MEASURED = {
    "categorical": 1.6e-7,
    "bitwise": 3.4e-7,
    "discretised_gaussian": 5.8e-6,
    "discretised_logistic": 3.6e-6,
    "logistic_mixture": 3.3e-7,
}


def raw_output(model, rows=1, size=SIZE, spread=2.0, seed=0, dtype=torch.float32):
    generator = stream(seed, "output")
    shape = (rows, model.head_channels, size, size)
    return (spread * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)


def images(rows=1, channels=3, size=SIZE, levels=256, seed=0, dtype=torch.float32):
    codes = torch.randint(levels, (rows, channels, size, size), generator=stream(seed, "images"))
    return codes.to(dtype) / (levels - 1)


def calibrated(model, output, x):
    model.calibrate(model.squared_error(output, x), x[0].numel())
    return model


def total_masses(model, output, channels, levels):
    """Sum over all levels of every value, the same level everywhere at a time."""
    total = 0.0
    for level in range(levels):
        codes = torch.full((1, channels, SIZE, SIZE), level)
        total = total + model.log_mass(output, codes).double().exp()
    return total


@pytest.mark.parametrize("scale", [1.0, 0.05, 0.002])
@pytest.mark.parametrize("name", [name for name in MASSES if name != "logistic_mixture"])
def test_masses_of_all_256_values_sum_to_one(name, scale):
    model = decoder(DecoderConfig(name), 3)
    if model.log_scale is not None:
        model = decoder(DecoderConfig(name, min_sigma=1e-4), 3)
        torch.nn.init.constant_(model.raw_log_scale, math.log(scale))
    with torch.no_grad():
        total = total_masses(model, raw_output(model, spread=2 / scale**0.3), 3, 256)
    assert total.shape == (1, 3, SIZE, SIZE)
    assert (total - 1).abs().max() < 4 * MEASURED[name]


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
def test_mixture_of_grey_pixels_sums_to_one(spread):
    model = decoder(DecoderConfig("logistic_mixture"), 1)
    with torch.no_grad():
        total = total_masses(model, raw_output(model, spread=spread), 1, 256)
    assert (total - 1).abs().max() < 4 * MEASURED["logistic_mixture"]


@pytest.mark.parametrize("autoregressive", [False, True])
def test_mixture_of_colours_sums_to_the_mass_of_the_other_channels(autoregressive):
    """Summed over the 256 values of blue the mass is that of red and green, which a two-channel mixture gives."""
    model = decoder(DecoderConfig("logistic_mixture", autoregressive=autoregressive), 3)
    output = raw_output(model, spread=1.0)
    logits, means, log_scales, *rest = likelihoods.split_mixture(output, 10, 3, autoregressive)
    codes = torch.randint(256, (1, 3, SIZE, SIZE), generator=stream(1, "codes"))
    means = means[:, :2].clone()
    if autoregressive:
        red = 2 * codes[:, :1] / 255 - 1
        means[:, 1] += rest[0][:, 0].tanh() * red
    wanted = likelihoods.mixture_of_logistics(codes[:, :2], logits, means, log_scales[:, :2], floor=-7.0).double().exp()
    total = 0.0
    with torch.no_grad():
        for level in range(256):
            codes[:, 2] = level
            total = total + model.log_mass(output, codes).double().exp()
    # Relative to masses of some 1e-6, whose logarithms are rounded.
    assert (total / wanted - 1).abs().max() < 4 * 1.6e-6


@pytest.mark.parametrize("autoregressive", [False, True])
def test_mixture_of_all_colours_of_six_levels_sums_to_one(autoregressive):
    model = decoder(DecoderConfig("logistic_mixture", levels=6, components=4, autoregressive=autoregressive), 3)
    colours = torch.cartesian_prod(*[torch.arange(6)] * 3)[:, :, None, None].expand(-1, -1, 4, 4)
    output = raw_output(model, size=4, spread=1.0).expand(len(colours), -1, -1, -1)
    with torch.no_grad():
        total = model.log_mass(output, colours).double().exp().sum(0)
    assert (total - 1).abs().max() < 4 * MEASURED["logistic_mixture"]


@pytest.mark.parametrize("levels", [16, 32])
@pytest.mark.parametrize("name", MASSES)
def test_masses_of_other_numbers_of_levels_sum_to_one(name, levels):
    model = decoder(DecoderConfig(name, levels=levels), 1)
    with torch.no_grad():
        total = total_masses(model, raw_output(model), 1, levels)
    assert (total - 1).abs().max() < 4 * MEASURED[name]


@pytest.mark.parametrize("name", MASSES)
def test_nll_of_an_image_is_the_sum_over_its_values(name):
    model, x = decoder(DecoderConfig(name), 3), images(2)
    output = raw_output(model, 2)
    with torch.no_grad():
        parts = model.log_mass(output, (x * 255).round().long())
        assert torch.allclose(model.nll(output, x), -parts.double().flatten(1).sum(1).float(), rtol=1e-5)
        assert torch.equal(model.nll(output, x), model.evaluation_nll(output, x))
        assert torch.equal(model.nll(output, x), model.mass_nll(output, x))


@pytest.mark.parametrize(
    "config",
    [
        DecoderConfig("gaussian"),
        DecoderConfig("gaussian", soft_clip=-6.0),
        DecoderConfig("beta", beta=0.01),
        DecoderConfig("shared"),
        DecoderConfig("optimal"),
        DecoderConfig("predicted"),
    ],
    ids=str,
)
def test_densities_integrate_to_one(config):
    model = decoder(config, 1, dtype=torch.float64)
    output = raw_output(model, size=1, dtype=torch.float64)
    if model.needs_calibration:
        model.calibrate(torch.tensor([0.04, 0.05], dtype=torch.float64), 1)
    x = torch.linspace(-12, 13, 200_001, dtype=torch.float64)
    with torch.no_grad():
        nll = model.evaluation_nll(output.expand(len(x), -1, -1, -1), x[:, None, None, None])
    assert torch.trapezoid((-nll).exp(), x).item() == pytest.approx(1, abs=1e-9)


def test_bound_of_a_variance_per_image_integrates_to_less_than_one():
    model = decoder(DecoderConfig("per_image", min_sigma=1e-9), 1, dtype=torch.float64)
    model.calibrate(torch.tensor([0.02, 0.05, 0.11], dtype=torch.float64), 1)
    # Away from the mean itself, where an error of zero has no logarithm.
    half = torch.logspace(-9, 2, 100_001, dtype=torch.float64)
    x = 0.5 + half[:, None, None, None]
    with torch.no_grad():
        nll = model.evaluation_nll(torch.zeros_like(x), x)
    assert 0.8 < 2 * torch.trapezoid((-nll).exp(), half).item() < 1


@pytest.mark.parametrize("beta", [1.0, 0.04])
def test_gaussian_keeps_its_constant(beta):
    model = decoder(DecoderConfig("beta", beta=beta) if beta != 1 else DecoderConfig("gaussian"), 3)
    output = raw_output(model, 2)
    got = model.nll(output, model.mean(output))
    assert torch.allclose(got, torch.full((2,), 2352 * (0.5 * math.log(beta) + 0.918938533)), rtol=1e-6)


def test_beta_is_the_variance_of_an_equivalent_gaussian():
    model, x = decoder(DecoderConfig("beta", beta=0.1), 1), images(4, 1)
    output, kl = raw_output(model, 4), torch.rand(4)
    wanted = calibration.beta_as_variance(
        calibration.beta_vae_objective(model.squared_error(output, x), kl, 0.1), torch.tensor(0.1), 784
    )
    assert torch.allclose(model.nll(output, x) + kl, wanted, rtol=1e-6)


def test_unit_gaussian_of_the_public_code_is_a_little_wider():
    model = decoder(DecoderConfig("gaussian", soft_clip=-6.0), 1)
    assert model.log_scale.item() == pytest.approx(0.0024757, abs=1e-7)


def test_shared_sigma_starts_at_one_and_has_the_known_slope():
    model, x = decoder(DecoderConfig("shared"), 1), images(4, 1)
    output = raw_output(model, 4)
    assert model.log_scale.item() == 0
    model.nll(output, x).mean().backward()
    wanted = calibration.shared_sigma_gradient(model.squared_error(output, x), torch.tensor(0.0), 784)
    assert model.log_sigma.grad.item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize("soft_clip", [None, -6.0])
def test_log_scales_are_bounded_below(soft_clip):
    for name in ("shared", "discretised_logistic"):
        model = decoder(DecoderConfig(name, soft_clip=soft_clip), 1)
        for parameter in model.parameters():
            torch.nn.init.constant_(parameter, -30.0)
        assert model.log_scale.item() == pytest.approx(-6, abs=1e-6)


def test_same_batch_estimate_gives_the_optimal_loss():
    model, x = decoder(DecoderConfig("optimal"), 3), images(4)
    output = raw_output(model, 4).requires_grad_()
    loss = model.nll(output, x).mean()
    wanted = calibration.batch_optimal_sigma_loss(model.squared_error(output, x), torch.zeros(4), 2352)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-6)
    (got,), (direct,) = torch.autograd.grad(loss, output), torch.autograd.grad(wanted, output)
    torch.testing.assert_close(got, direct, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("estimate", "decay"), [("held_out", 0.0), ("running", 0.7)])
def test_estimates_from_earlier_batches_lag_by_one(estimate, decay):
    options = {"decay": decay} if estimate == "running" else {}
    model = decoder(DecoderConfig("optimal", scale_estimate=estimate, **options), 1)
    variances, used = [], []
    for step in range(6):
        x, output = images(4, 1, seed=step), raw_output(model, 4, seed=step, spread=step + 1.0)
        variances.append(model.squared_error(output, x).mean() / 784)
        model.nll(output, x)
        used.append((2 * model.log_scale).exp())
    averages = calibration.running_variance(torch.stack(variances), torch.tensor(decay))
    assert used[0] == pytest.approx(variances[0].item(), rel=1e-5)
    torch.testing.assert_close(torch.stack(used[1:]), averages[:-1], rtol=1e-5, atol=0)


def test_running_average_rests_outside_training():
    model = decoder(DecoderConfig("optimal", scale_estimate="running"), 1)
    model.eval().nll(raw_output(model), images(1, 1))
    assert model.weight.item() == 0


def test_calibration_freezes_the_root_mean_squared_error():
    model, x = decoder(DecoderConfig("optimal"), 1), images(8, 1)
    output = raw_output(model, 8)
    error = model.squared_error(output, x)
    with pytest.raises(ValueError, match="must be calibrated"):
        model.evaluation_nll(output, x)
    calibrated(model, output, x)
    assert model.log_scale.item() == pytest.approx(0.5 * math.log(error.double().mean().item() / 784), rel=1e-6)
    assert model.evaluation_nll(output, x).mean().item() == pytest.approx(model.nll(output, x).mean().item(), rel=1e-6)
    other = decoder(DecoderConfig("optimal"), 1)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.evaluation_nll(output, x), model.evaluation_nll(output, x))


def test_greedy_variance_per_image_is_the_known_loss():
    model, x = decoder(DecoderConfig("per_image"), 1), images(4, 1)
    output = raw_output(model, 4)
    wanted = calibration.per_image_sigma_loss(model.squared_error(output, x), torch.zeros(4), 784)
    torch.testing.assert_close(model.nll(output, x), wanted, rtol=1e-5, atol=0)


def test_variational_bound_of_a_variance_per_image_costs_a_few_nats_more_than_the_greedy_value():
    greedy, x = decoder(DecoderConfig("per_image"), 1), images(16, 1)
    # Errors that differ between images.
    output = raw_output(greedy, 16) * torch.linspace(0.1, 2, 16)[:, None, None, None]
    model = decoder(DecoderConfig("per_image", variational=True), 1)
    for _ in range(500):
        bound = model.nll(output, x)
    penalty = bound - greedy.nll(output, x)
    assert (penalty > 0.5).all()
    assert (penalty < 10).all()
    # The running prior of a repeated batch ends where calibration finds it.
    calibrated(model, output, x)
    torch.testing.assert_close(model.evaluation_nll(output, x), bound, rtol=1e-4, atol=0)


def test_calibrated_prior_is_the_best_one():
    model, x = decoder(DecoderConfig("per_image"), 1, dtype=torch.float64), images(16, 1, dtype=torch.float64)
    output = raw_output(model, 16, dtype=torch.float64) * torch.linspace(0.1, 2, 16)[:, None, None, None]
    best = calibrated(model, output, x).evaluation_nll(output, x).mean()
    for shift in torch.tensor([[0.01, 0], [-0.01, 0], [0, 3e-4], [0, -3e-4]], dtype=torch.float64):
        prior = model.prior.clone()
        model.prior = prior + shift
        assert model.evaluation_nll(output, x).mean() > best
        model.prior = prior


def test_predicted_map_of_one_value_is_a_shared_scale():
    shared, predicted, x = decoder(DecoderConfig("shared"), 3), decoder(DecoderConfig("predicted"), 3), images(2)
    torch.nn.init.constant_(shared.log_sigma, -1.5)
    output = raw_output(shared, 2)
    both = torch.cat([output, torch.full_like(output, -1.5)], 1)
    torch.testing.assert_close(predicted.nll(both, x), shared.nll(output, x), rtol=1e-6, atol=0)


def test_mass_of_a_narrow_density_is_its_density_times_the_width_of_a_bin():
    model, x = decoder(DecoderConfig("beta", beta=0.05**2), 1, dtype=torch.float64), images(2, 1, dtype=torch.float64)
    x = x.clamp(0.2, 0.8).mul(255).round() / 255
    output = torch.logit(x.clamp(0.1, 0.9) + 0.02)
    wanted = model.evaluation_nll(output, x) + 784 * math.log(255)
    torch.testing.assert_close(model.mass_nll(output, x), wanted, rtol=2e-3, atol=0)


def test_equal_logits_are_a_uniform_law():
    for name in ("categorical", "bitwise"):
        model, x = decoder(DecoderConfig(name), 3), images(2)
        output = torch.zeros(2, model.head_channels, SIZE, SIZE)
        assert torch.allclose(model.nll(output, x), torch.tensor(13042.26), rtol=1e-6)


def test_categorical_channels_are_ordered_channel_first():
    model = decoder(DecoderConfig("categorical", levels=16), 3)
    output = torch.zeros(1, 48, 1, 1)
    for channel, level in enumerate((2, 7, 15)):
        output[0, 16 * channel + level] = 50.0
    draw = model.sample(output, stream(0, "draw"))
    assert torch.allclose(15 * draw.flatten(), torch.tensor([2.0, 7, 15]))
    assert torch.allclose(15 * model.mean(output).flatten(), torch.tensor([2.0, 7, 15]))


@pytest.mark.parametrize("name", MASSES)
def test_draws_have_the_frequencies_of_the_masses(name):
    model = decoder(DecoderConfig(name, levels=16), 1)
    if model.log_scale is not None:
        torch.nn.init.constant_(model.raw_log_scale, -2.0)
    check_draws(model, raw_output(model, size=1, spread=0.7), torch.arange(16)[:, None])


def test_draws_of_an_autoregressive_mixture_have_the_frequencies_of_the_masses():
    model = decoder(DecoderConfig("logistic_mixture", levels=16, components=3, autoregressive=True), 3)
    check_draws(model, raw_output(model, size=1, spread=0.7), torch.cartesian_prod(*[torch.arange(16)] * 3))


def check_draws(model, output, colours, count=40_000):
    """Counts of drawn colours (N, C) against their masses."""
    channels = colours.shape[1]
    with torch.no_grad():
        draws = model.sample(output.expand(count, -1, -1, -1), stream(0, "draws"))
        masses = model.log_mass(output.expand(len(colours), -1, -1, -1), colours[:, :, None, None]).exp().flatten()
    codes = (15 * draws).round().long().flatten(1)
    assert torch.equal(draws.flatten(1), codes / 15)
    numbers = (codes * 16 ** torch.arange(channels - 1, -1, -1)).sum(1)
    check_counts(torch.bincount(numbers, minlength=len(colours)), masses)


def check_counts(counts, masses):
    """Chi-square statistic; rare colours count as one."""
    expected = masses.double() * counts.sum()
    frequent = expected > 20
    counts = torch.cat([counts[frequent], counts[~frequent].sum()[None]]).double()
    expected = torch.cat([expected[frequent], expected[~frequent].sum()[None]])
    statistic, freedom = ((counts - expected).square() / expected.clamp(min=1)).sum().item(), len(counts) - 1
    # Five standard deviations.
    assert statistic < freedom + 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("name", DECODERS)
def test_means_and_draws_are_images(name):
    model, x = decoder(DecoderConfig(name, levels=16), 3), images(4, levels=16)
    output = raw_output(model, 4, spread=4.0)
    with torch.no_grad():
        calibrated(model, output, x)
        mean, draws = model.mean(output), [model.sample(output, stream(3, "draw")) for _ in range(2)]
    assert mean.shape == draws[0].shape == x.shape
    assert torch.equal(*draws)
    for image in (mean, *draws):
        assert image.min() >= 0
        assert image.max() <= 1
    assert torch.allclose(15 * draws[0], (15 * draws[0]).round(), atol=1e-5)


@pytest.mark.parametrize("name", ["shared", "optimal", "predicted"])
def test_gaussian_draws_spread_by_sigma(name):
    model = decoder(DecoderConfig(name), 1)
    output = torch.zeros(1, model.head_channels, 100, 100)
    model.calibrate(torch.tensor([0.01]), 1)
    with torch.no_grad():
        if name == "shared":
            model.log_sigma.fill_(math.log(0.1))
        if name == "predicted":
            output[:, 1:] = math.log(0.1)
        draw = model.sample(output, stream(0, "draw"))
    assert draw.mean().item() == pytest.approx(0.5, abs=0.005)
    assert draw.std().item() == pytest.approx(0.1, rel=0.05)


def test_draws_with_a_variance_per_image_take_it_from_the_prior():
    model = decoder(DecoderConfig("per_image"), 1)
    model.calibrate(100 * torch.tensor([0.05, 0.1, 0.2]).square(), 100)
    with torch.no_grad():
        draws = model.sample(torch.zeros(300, 1, 20, 20), stream(0, "draw"))
    log_spread = draws.flatten(1).std(1).log()
    mean, variance = model.prior
    assert log_spread.mean().item() == pytest.approx(mean.item(), abs=0.1)
    assert log_spread.var().item() == pytest.approx(variance.item(), rel=0.4)


@pytest.mark.parametrize("name", DECODERS)
def test_extreme_outputs_have_finite_values_and_gradients_in_float32(name):
    model, x = decoder(DecoderConfig(name), 3), images(2)
    for size in (0.0, 30.0, 100.0):
        output = (size * torch.sign(raw_output(model, 2))).requires_grad_()
        loss = model.nll(output, x).sum()
        loss.backward()
        assert math.isfinite(loss.item())
        assert output.grad.isfinite().all()


@pytest.mark.parametrize("name", ["optimal", "per_image", "shared"])
@pytest.mark.parametrize("soft_clip", [None, -6.0])
def test_exact_reconstruction_has_a_finite_loss(name, soft_clip):
    model = decoder(DecoderConfig(name, soft_clip=soft_clip), 1)
    output = torch.zeros(2, 1, 4, 4, requires_grad=True)
    loss = model.nll(output, torch.full((2, 1, 4, 4), 0.5)).sum()
    loss.backward()
    assert math.isfinite(loss.item())
    assert output.grad.isfinite().all()


def test_bernoulli_is_no_likelihood_of_grey_values():
    model = decoder(DecoderConfig("bernoulli"), 1)
    assert model.kind == "cross_entropy"
    assert not model.discrete
    with pytest.raises(ValueError, match="give levels a mass, got bernoulli"):
        model.mass_nll(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    # A pixel of one half costs log 2 at best.
    half = torch.full((1, 1, 1, 1), 0.5)
    assert model.nll(torch.zeros(1, 1, 1, 1), half).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize(("name", "grey", "colour"), [
    ("bernoulli", 1, 3), ("gaussian", 1, 3), ("beta", 1, 3), ("shared", 1, 3), ("optimal", 1, 3), ("per_image", 1, 3),
    ("predicted", 2, 6), ("categorical", 256, 768), ("bitwise", 8, 24), ("discretised_gaussian", 1, 3),
    ("discretised_logistic", 1, 3), ("logistic_mixture", 30, 70),
])  # fmt: skip
def test_head_channels(name, grey, colour):
    assert decoder(DecoderConfig(name), 1).head_channels == grey
    assert decoder(DecoderConfig(name), 3).head_channels == colour


def test_every_decoder_is_tested_for_its_head():
    assert set(DECODERS) == {mark.args[1][i][0] for mark in test_head_channels.pytestmark for i in range(12)}
    assert decoder(DecoderConfig("logistic_mixture", autoregressive=True), 3).head_channels == 100


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DecoderConfig("laplace"), "name must be one of bernoulli"),
        (lambda: DecoderConfig("gaussian", beta=0.5), r"beta must keep its default 1.0 for gaussian, got 0.5"),
        (lambda: DecoderConfig("categorical", soft_clip=-6.0), "soft_clip must keep its default"),
        (lambda: DecoderConfig("bitwise", levels=17), "power of two"),
        (lambda: DecoderConfig("beta", beta=0.0), "beta must be > 0"),
        (lambda: DecoderConfig("beta", beta=math.nan), "beta must be > 0"),
        (lambda: DecoderConfig(levels=1), "levels must be >= 2"),
        (lambda: DecoderConfig(scale_estimate="train"), "scale_estimate must be one of"),
        (lambda: DecoderConfig(decay=0.5), "decay needs"),
        (lambda: DecoderConfig(scale_estimate="running", decay=1.0), r"decay must be in \[0, 1\)"),
        (lambda: DecoderConfig(min_sigma=0.0), "min_sigma must be > 0"),
        (lambda: DecoderConfig("shared", min_sigma=0.1, soft_clip=-6.0), "min_sigma must keep"),
        (lambda: DecoderConfig.from_dict({"nme": "optimal"}), "got nme"),
        (lambda: decoder(DecoderConfig("logistic_mixture", autoregressive=True), 1), "channels must be 3"),
        (lambda: decoder(DecoderConfig(), 0), "channels must be >= 1"),
    ],
)
def test_nonsense_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_density_agrees_with_the_gaussian_of_the_equations():
    model, x = decoder(DecoderConfig("beta", beta=0.09), 3), images(2)
    output = raw_output(model, 2)
    wanted = gaussian.log_density(x.flatten(1), output.sigmoid().flatten(1), torch.tensor(0.3))
    torch.testing.assert_close(-model.nll(output, x), wanted, rtol=1e-5, atol=0)

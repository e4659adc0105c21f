"""The hierarchical VAE: counts, objective, smoothing, exact oracles."""

import math
from functools import partial

import pytest
import torch

from vaes.layers.mlp import MLP, StackedMLP
from vaes.models.hvae import HVAE, HVAEConfig, Smoothing, hvae, objective, preset
from vaes.seeding import stream

SMALL = {"data": 6, "latents": (3, 2, 2), "hidden": (5, 4, 4)}


def model_of(seed=0, dtype=torch.float64, **overrides):
    config = HVAEConfig(**{**SMALL, **overrides})
    return HVAE(config, dtype=dtype).initialise(stream(seed, "init"), torch.full((config.data,), 0.3))


def inputs(config, rows, generator=None, samples=3, dtype=torch.float64):
    draw = partial(torch.randn, generator=generator or stream(1, "test"), dtype=dtype)
    x = (draw(rows, config.data) > 0).to(dtype)
    noise = [draw(rows, n) for n in config.latents]
    return x, noise, tuple(draw(samples, rows, n) for n in config.latents[1:])


@pytest.mark.parametrize(
    ("name", "count"),
    [("mlp4x40", 806_144), ("mlp_pyramid4", 1_699_296), ("mlp_pyramid5", 1_702_648), ("mlp3x200", 1_158_784)],
)
def test_parameter_counts_are_the_specified_ones(name, count):
    model = hvae(name, device="meta")
    assert sum(p.numel() for p in model.parameters()) == count
    stacked = hvae(name, device="meta", members=3)
    assert sum(p.numel() for p in stacked.parameters()) == 3 * count


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grid_count_follows_the_formula(depth):
    n, h = 10, 200
    q = sum((a + 1) * h + (h + 1) * h + 2 * (h + 1) * n for a in (784, *[n] * (depth - 1)))
    p = (n + 1) * h + (h + 1) * h + (h + 1) * 784 + (depth - 1) * ((n + 1) * h + (h + 1) * h + 2 * (h + 1) * n)
    model = hvae("mlp_grid", depth=depth, width=n, device="meta")
    assert sum(x.numel() for x in model.parameters()) == q + p


def test_forward_on_the_meta_device():
    model = hvae("tiny", members=2, device="meta")
    noise = [torch.empty(1, 4, 8, device="meta") for _ in range(3)]
    terms = model(torch.empty(1, 4, 64, device="meta"), noise)
    assert terms.log_weight.shape == (2, 4)


def test_unknown_keys_and_presets_are_named():
    with pytest.raises(ValueError, match="latent, widht"):
        HVAEConfig.from_dict({"latent": [1], "widht": 2})
    with pytest.raises(ValueError, match="mlp4x41"):
        preset("mlp4x41")
    with pytest.raises(ValueError, match="positivity"):
        preset("tiny", positivity="square")
    assert preset("tiny", latents=[4, 4], hidden=[8, 8]).depth == 2


def test_sigma_is_one_where_the_raw_output_is_zero():
    model = model_of()
    assert model._positive(torch.zeros(())).item() == pytest.approx(1.001, abs=1e-4)


def test_terms_add_up():
    model = model_of()
    terms = model(*inputs(model.config, 7)[:2])
    total = terms.log_likelihood + sum(terms.log_prior) - sum(terms.log_posterior)
    torch.testing.assert_close(terms.log_weight, total)
    torch.testing.assert_close(terms.kl_sum, sum(terms.layer_terms))


def test_log_posterior_is_the_density_at_the_sample():
    model = model_of()
    terms = model(*inputs(model.config, 7)[:2])
    for value, q, z in zip(terms.log_posterior, terms.posterior, terms.samples, strict=True):
        torch.testing.assert_close(value, torch.distributions.Normal(*q).log_prob(z).sum(-1))


def test_smoothing_at_rho_one_changes_only_rounding():
    model = model_of()
    x, noise, fresh = inputs(model.config, 5)
    plain, smooth = model(x, noise), model(x, noise, Smoothing(1.0, fresh))
    torch.testing.assert_close(smooth.log_weight, plain.log_weight, rtol=1e-13, atol=1e-13)


def test_smoothing_averages_parameters_over_correlated_copies_of_the_posterior():
    """Written out for one layer: z' from q's own mean, scale and noise, then one density at mean parameters."""
    model = model_of(latents=(3, 2), hidden=(5, 4))
    x, noise, fresh = inputs(model.config, 5)
    rho = 0.6
    terms = model(x, noise, Smoothing(rho, fresh))
    mean, scale = terms.posterior[1]
    copies = [mean + scale * (rho * noise[1] + math.sqrt(1 - rho**2) * extra) for extra in fresh[0]]
    parameters = [model.conditional(0, z) for z in copies]
    p = torch.distributions.Normal(*(torch.stack(value).mean(0) for value in zip(*parameters, strict=True)))
    torch.testing.assert_close(terms.log_prior[0], p.log_prob(terms.samples[0]).sum(-1))
    wrong = torch.stack([torch.distributions.Normal(*q).log_prob(terms.samples[0]).sum(-1) for q in parameters]).mean(0)
    assert (terms.log_prior[0] - wrong).abs().max() > 1e-3


@pytest.mark.parametrize("variant", ["mu", "ratio"])
def test_smoothing_variants(variant):
    model = model_of(smoothing=variant)
    x, noise, fresh = inputs(model.config, 5)
    plain = model(x, noise).log_weight
    torch.testing.assert_close(model(x, noise, Smoothing(1.0, fresh)).log_weight, plain)
    assert not torch.allclose(model(x, noise, Smoothing(0.5, fresh)).log_weight, plain)


def test_ratio_variant_equals_the_default_for_constant_scales():
    default, ratio = model_of(), model_of(smoothing="ratio")
    for model in (default, ratio):
        for network in model.priors:
            half = network.layers[-1].out_features // 2
            network.layers[-1].weight.data[half:] = 0
    x, noise, fresh = inputs(default.config, 5)
    got = [model(x, noise, Smoothing(0.5, fresh)).log_weight for model in (default, ratio)]
    torch.testing.assert_close(*got)


def test_detached_smoothing_inputs_give_no_gradient_to_the_posterior_through_the_copies():
    gradients = []
    for detach in (False, True):
        model = model_of(detach_smoothing_inputs=detach)
        x, noise, fresh = inputs(model.config, 5)
        objective(model(x, noise, Smoothing(0.5, fresh))).backward()
        gradients.append([p.grad for p in model.posteriors[2].parameters()])
    values = [model_of(detach_smoothing_inputs=d)(x, noise, Smoothing(0.5, fresh)).log_weight for d in (False, True)]
    assert torch.equal(*values)
    assert any(not torch.allclose(a, b) for a, b in zip(*gradients, strict=True))


def test_only_intermediate_networks_see_k_times_the_batch():
    model = model_of()
    rows = {}

    def count(name):
        return lambda module, args, output: rows.setdefault(name, []).append(len(args[0]))

    for name in ("posteriors", "priors"):
        for index, network in enumerate(getattr(model, name)):
            network.register_forward_hook(count(f"{name}.{index}"))
    model.likelihood.register_forward_hook(count("likelihood"))
    x, noise, fresh = inputs(model.config, 7, samples=5)
    model(x, noise, Smoothing(0.9, fresh))
    assert rows == {
        "posteriors.0": [7], "posteriors.1": [7], "posteriors.2": [7],
        "priors.0": [35], "priors.1": [35], "likelihood": [7],
    }  # fmt: skip
    rows.clear()
    model(x, noise)
    assert all(seen == [7] for seen in rows.values())
    assert len(rows) == 6


def test_one_correlated_sample_leaves_the_expectation():
    """K = 1 smooths nothing on average, at any rho; five samples do."""
    model = model_of(latents=(3, 2), hidden=(5, 4))
    for p in model.parameters():
        p.data *= 2
    config, rows = model.config, 200_000
    _, noise, fresh = inputs(config, rows, samples=5)
    x = torch.ones(rows, config.data, dtype=torch.float64)
    with torch.no_grad():
        plain = model(x, noise).log_prior[0]
        one = model(x, noise, Smoothing(0.2, (fresh[0][:1],))).log_prior[0]
        five = model(x, noise, Smoothing(0.2, fresh)).log_prior[0]

    def z_score(difference):
        return abs(difference.mean() / (difference.std() / math.sqrt(rows))).item()

    assert z_score(one - plain) < 4
    assert z_score(five - plain) > 20


def linear_gaussian():
    """q(z1)=N(.5,.8), q(z2|z1)=N(1.2 z1,.3), p(z1|z2)=N(.7 z2,.4), as networks without activation."""
    config = HVAEConfig(
        data=1, latents=(1, 1), hidden=(1, 1), hidden_layers=1, activation="identity", positivity="exp(raw)"
    )
    model = HVAE(config, dtype=torch.float64)
    settings = ((model.posteriors[0], 0, 0.5, 0.8), (model.posteriors[1], 1.2, 0, 0.3), (model.priors[0], 0.7, 0, 0.4))
    with torch.no_grad():
        for network, slope, offset, scale in settings:
            network.layers[0].weight.fill_(1)
            network.layers[0].bias.zero_()
            network.layers[1].weight.copy_(torch.tensor([[slope], [0]]))
            network.layers[1].bias.copy_(torch.tensor([offset, math.log(scale)]))
    return model


def test_layer_term_of_a_linear_gaussian_model_is_negative_and_not_the_analytic_kl():
    model, rows = linear_gaussian(), 200_000
    x, noise, _ = inputs(model.config, rows)
    with torch.no_grad():
        terms = model(x, noise)
        term = terms.layer_terms[0]
        p = model.conditional(0, terms.samples[1])
    standard_error = term.std() / math.sqrt(rows)
    assert abs(term.mean() + 0.98413) < 4 * standard_error < 0.02
    q = torch.distributions.Normal(*terms.posterior[0])
    wrong = torch.distributions.kl_divergence(q, torch.distributions.Normal(*p)).mean()
    assert wrong == pytest.approx(2.37587, abs=0.03)
    # The top is a true KL of N(1.2 z1, .3) from N(0, 1), with E z1^2 = .89.
    exact = 0.5 * (1.44 * 0.89 + 0.09 - 1) - math.log(0.3)
    assert terms.top_kl.mean() == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize(
    "options", [{}, {"beta": 0.3}, {"free_bits": 0.7}, {"importance": 4}, {"free_bits": -math.inf}], ids=str
)
def test_gradient_of_the_objective_against_finite_differences(options):
    model = model_of()
    importance = options.get("importance", 1)
    x, _, _ = inputs(model.config, 6)
    _, noise, fresh = inputs(model.config, 6 * importance)

    def value():
        return objective(model(x, noise, Smoothing(0.7, fresh)), **options)

    parameters = list(model.parameters())
    gradient = torch.autograd.grad(value(), parameters)
    generator = stream(3, "direction")
    direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    values, step = [], 1e-5
    with torch.no_grad():
        for sign in (1, -2):
            for p, d in zip(parameters, direction, strict=True):
                p += sign * step * d
            values.append(value())
    exact = sum((g * d).sum() for g, d in zip(gradient, direction, strict=True))
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(exact.item(), rel=1e-7)


def test_free_bits_stop_the_gradient_of_a_layer_below_the_floor():
    model = model_of()
    x, noise, _ = inputs(model.config, 6)
    floor = max(term.mean().item() for term in model(x, noise).layer_terms) + 1
    value = objective(model(x, noise), free_bits=floor)
    assert value.item() == pytest.approx(model(x, noise).log_likelihood.mean().item() - 3 * floor)
    value.backward()
    assert all(p.grad is None or not p.grad.any() for p in model.priors.parameters())


def test_importance_weighted_objective_of_one_sample_is_the_elbo():
    model = model_of()
    x, noise, _ = inputs(model.config, 6)
    repeated = [n.repeat(4, 1) for n in noise]
    torch.testing.assert_close(objective(model(x, repeated), importance=4), objective(model(x, noise)))
    with pytest.raises(ValueError, match="free_bits"):
        objective(model(x, repeated), importance=4, free_bits=1.0)


def test_log_weights_arrange_samples_and_images():
    model = model_of()
    x, noise, _ = inputs(model.config, 6)
    repeated = [torch.cat([n, n + 1]) for n in noise]
    want = torch.stack([model(x, noise).log_weight, model(x, [n + 1 for n in noise]).log_weight])
    torch.testing.assert_close(model.log_weights(x, repeated), want)


def test_ancestral_sampling_of_a_linear_gaussian_model_has_the_exact_moments():
    model, rows = linear_gaussian(), 100_000
    _, noise, _ = inputs(model.config, rows)
    with torch.no_grad():
        model.likelihood.layers[0].weight.fill_(1)
        model.likelihood.layers[0].bias.zero_()
        model.likelihood.layers[1].weight.fill_(1)
        model.likelihood.layers[1].bias.zero_()
        z1 = model.sample(noise).logit()
    assert z1.mean().item() == pytest.approx(0, abs=0.01)
    assert z1.var().item() == pytest.approx(0.49 + 0.16, rel=0.02)


def test_mean_image_options():
    mean = torch.linspace(0, 1, 6)
    model = HVAE(HVAEConfig(**SMALL, centre_input=True, mean_image_bias=True)).initialise(stream(0, "init"), mean)
    want = mean.clamp(0.01, 0.99)
    torch.testing.assert_close(model.likelihood.layers[-1].bias.sigmoid(), want)
    torch.testing.assert_close(model.centre, mean)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in model_of().parameters())
    with pytest.raises(ValueError, match="mean_image"):
        HVAE(HVAEConfig(**SMALL, centre_input=True)).initialise(stream(0, "init"))


@pytest.mark.parametrize("activation", ["tanh", "identity"])
def test_stacked_network_equals_its_members_and_its_gradient_is_right(activation):
    sizes = (5, 7, 6, 4)
    singles = [MLP(sizes, activation, dtype=torch.float64) for _ in range(3)]
    stacked = StackedMLP(3, sizes, activation, dtype=torch.float64)
    for member, network in enumerate(singles):
        stacked.load_member(member, network)
    x = torch.randn(3, 4, 5, dtype=torch.float64, generator=stream(0, "x"), requires_grad=True)
    want = torch.stack([network(rows) for network, rows in zip(singles, x, strict=True)])
    torch.testing.assert_close(stacked(x), want, rtol=1e-14, atol=1e-14)
    parameters = [p for pair in zip(stacked.weights, stacked.biases, strict=True) for p in pair]
    assert torch.autograd.gradcheck(lambda x, *p: stacked._apply_stack(x, list(p)), (x, *parameters))


def test_split_stack_equals_the_whole():
    model = HVAE.stack([model_of(seed) for seed in range(3)])
    x, noise, fresh = inputs(model.config, 4)
    x, noise = x[None], [n[None] for n in noise]
    rho = torch.tensor([1.0, 1.0, 0.5], dtype=torch.float64)[:, None, None, None]
    fresh = tuple(f[None] for f in fresh)
    whole = model(x, noise, Smoothing(rho, fresh)).log_weight
    torch.testing.assert_close(model(x, noise, Smoothing(rho[2:], fresh, plain=2)).log_weight, whole)


def test_member_round_trip():
    singles = [model_of(seed) for seed in range(2)]
    copy = HVAE.stack(singles).member(1)
    assert all(torch.equal(a, b) for a, b in zip(copy.parameters(), singles[1].parameters(), strict=True))

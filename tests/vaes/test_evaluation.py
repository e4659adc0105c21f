"""Metrics of the unsmoothed model."""

import math
from dataclasses import replace

import pytest
import torch

from vaes import data
from vaes.ensembles import train_ensemble
from vaes.evaluation import METRICS, Protocol, _information_top, _Sampler, _top_down_gap, evaluate, metric
from vaes.models.hvae import HVAE, HVAEConfig
from vaes.ops import bernoulli, bounds, collapse
from vaes.seeding import stream
from vaes.training import Member, Recipe

CONFIG = HVAEConfig(data=64, latents=(4, 3, 3), hidden=(10, 8, 8))
QUICK = Protocol(samples=8, gap_samples=2, information_images=20, information_samples=4, rows=400)


@pytest.fixture(scope="module")
def images():
    return data.load("digits/static").test[:50]


def model_of(seed=0, config=CONFIG, gain=1.0):
    model = HVAE(config, dtype=torch.float64).initialise(stream(seed, "init"))
    for parameter in model.parameters():
        parameter.data *= gain
    return model


def test_every_metric_is_described(images):
    for name in evaluate(model_of(), images, seed=0, protocol=QUICK)[0]:
        described = metric(name, QUICK)
        assert described.kind in ("bound", "estimate", "exact")
        assert described.samples
        assert described.unit
        assert described.reduction
    assert metric("iw_bound_k8", QUICK).samples == 8
    assert metric("active_units_one_sample_top").samples == 1
    assert metric("top_down_gap", QUICK).samples == 2
    with pytest.raises(ValueError, match="metric must be"):
        metric("accuracy")
    assert set(METRICS) >= {"elbo", "iw_bound", "top_kl", "top_down_gap", "information_top"}


def test_values_against_the_ops_on_the_same_draws(images):
    """One pass (8 x 50 = 400 rows), so the noise can be drawn again here."""
    model = model_of(gain=1.5)
    got = evaluate(model, images, seed=5, protocol=QUICK)[0]
    generator = stream(5, "evaluation")
    noise = [torch.randn(1, 400, n, generator=generator, dtype=torch.float64)[0] for n in CONFIG.latents]
    x = images.double()
    with torch.no_grad():
        terms = model(x, noise)
    weights = terms.log_weight.unflatten(-1, (8, 50))
    assert got["elbo"] == pytest.approx(weights.mean().item(), rel=1e-12)
    assert got["iw_bound_k8"] == pytest.approx(bounds.importance_weighted(weights).mean().item(), rel=1e-12)
    assert got["reconstruction"] == pytest.approx(terms.log_likelihood.mean().item(), rel=1e-12)
    assert got["kl_sum"] == pytest.approx(terms.kl_sum.mean().item(), rel=1e-12)
    assert got["top_kl"] == pytest.approx(terms.top_kl.mean().item(), rel=1e-12)
    for layer, (term, q) in enumerate(zip(terms.layer_terms, terms.posterior, strict=True), 1):
        means = q.mean.unflatten(0, (8, 50))
        assert got[f"layer_term_l{layer}"] == pytest.approx(term.mean().item(), rel=1e-10)
        assert got[f"active_units_l{layer}"] == collapse.active_units(means).sum().item()
        assert got[f"active_units_one_sample_l{layer}"] == (means[0].var(0) > 0.01).sum().item()
        assert got[f"between_fraction_l{layer}"] == pytest.approx(collapse.between_fraction(means).item(), abs=1e-12)
    assert got["between_fraction_l1"] == 1
    assert got["active_units"] == sum(got[f"active_units_l{layer}"] for layer in (1, 2, 3))


def test_elbo_is_reconstruction_minus_the_layer_terms_and_below_the_tighter_bound(images):
    got = evaluate(model_of(gain=1.5), images, seed=0, protocol=replace(QUICK, rows=120))[0]
    total = sum(got[f"layer_term_l{layer}"] for layer in (1, 2, 3))
    assert got["elbo"] == pytest.approx(got["reconstruction"] - total, rel=1e-12)
    assert got["elbo"] <= got["iw_bound_k8"]


def test_size_of_a_pass_changes_the_noise_only(images):
    model, protocol = model_of(gain=1.5), Protocol(samples=200, gap_samples=20, information_images=0)
    one, two = (evaluate(model, images, seed=0, protocol=replace(protocol, rows=rows))[0] for rows in (33, 5000))
    for name in ("elbo", "iw_bound_k200", "reconstruction", "top_kl", "between_fraction_top"):
        assert one[name] == pytest.approx(two[name], rel=0.02, abs=0.05)


def test_stack_is_evaluated_as_its_members_are_alone(images):
    singles = [model_of(seed, gain=1.5) for seed in range(3)]
    together = evaluate(HVAE.stack(singles), images, seed=0, protocol=QUICK)
    for record, model in zip(together, singles, strict=True):
        assert record == pytest.approx(evaluate(model, images, seed=0, protocol=QUICK)[0], rel=1e-9, abs=1e-12)


def test_evaluation_is_a_function_of_the_parameters_alone(images):
    """Both rho and K exist in training only: equal parameters give equal bits whatever they were trained with."""
    digits = data.load("digits/static")
    recipe = Recipe(steps=3, batch=16, samples=2)
    trained = train_ensemble(CONFIG, recipe, [Member(0.5, 3)], digits).model
    other = train_ensemble(CONFIG, replace(recipe, samples=7), [Member(0.9, 3)], digits).model
    other.load_state_dict(trained.state_dict())
    records = [evaluate(model, images, seed=0, protocol=QUICK) for model in (trained, other)]
    assert records[0] == records[1]
    assert evaluate(trained, images, seed=0, protocol=QUICK) == records[0]


def test_upper_layers_that_ignore_their_input_are_collapsed(images):
    model = model_of()
    for network in (*model.posteriors[1:], *model.priors):
        network.layers[-1].weight.data.zero_()
    got = evaluate(model, images, seed=0, protocol=QUICK)[0]
    assert got["active_units_top"] == got["active_units_one_sample_top"] == got["active_units_kl_top"] == 0
    assert got["between_fraction_top"] is None
    assert got["top_kl"] == pytest.approx(0, abs=1e-5)
    assert got["top_down_gap"] == pytest.approx(0, abs=1e-12)
    assert got["information_top"] == pytest.approx(0, abs=1e-12)


def test_information_of_a_noiseless_code_is_the_log_of_the_number_of_images():
    config = HVAEConfig(data=64, latents=(3,), hidden=(8,))
    model = model_of(config=config)
    network = model.posteriors[0].layers[-1]
    network.weight.data[3:] = 0
    network.bias.data[3:] = -30
    x = torch.eye(64)[:20]
    sampler = _Sampler(model, stream(0, "evaluation"), QUICK)
    with torch.no_grad():
        assert _information_top(sampler, x.double()).item() == pytest.approx(math.log(20), abs=1e-3)


def test_one_sample_counts_units_that_only_carry_noise(images):
    """q(z_2|z_1) follows z_1, and z_1 is noise about x: active by one sample, inactive by the corrected variance."""
    model = model_of()
    first, second = model.posteriors[0], model.posteriors[1]
    first.layers[-1].weight.data.zero_()
    second.layers[-1].weight.data *= 3
    got = evaluate(model, images, seed=0, protocol=replace(QUICK, samples=400))[0]
    assert got["active_units_one_sample_l2"] == 3
    assert got["active_units_l2"] == 0
    assert got["between_fraction_l2"] < 0.05


def test_top_down_gap_against_its_definition(images):
    """Both passes share the noise below the top; the partner is the next image."""
    model, x = model_of(gain=3.0), images.double()
    sampler = _Sampler(model, stream(1, "evaluation"), replace(QUICK, gap_samples=1))
    with torch.no_grad():
        got = _top_down_gap(sampler, x).item()
        generator = stream(1, "evaluation")
        up, down = (
            [torch.randn(1, 50, n, generator=generator, dtype=torch.float64)[0] for n in CONFIG.latents] for _ in "12"
        )
        top = model.infer(x, up)[1][-1]
        own, other = (
            bernoulli.log_likelihood(x, model.likelihood(model.descend(z, down[:-1])))
            for z in (top, torch.cat([top[-1:], top[:-1]]))
        )
    assert got == pytest.approx(collapse.top_down_gap(own, other).item(), rel=1e-12)
    assert abs(got) > 1e-3


def test_bad_input_is_refused(images):
    with pytest.raises(ValueError, match="x must be"):
        evaluate(model_of(), images[:1], seed=0)
    with pytest.raises(ValueError, match="samples must be"):
        Protocol(samples=1)

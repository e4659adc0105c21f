"""The variant with a smoothed posterior: identity at rho = 1, the averages it claims, gradients through the copies."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from reference import sampling
from vaes.data import load
from vaes.models.hvae import HVAE, HVAEConfig, Smoothing, objective
from vaes.models.hvae_posterior import SmoothedPosteriorHVAE, smoothed_posterior_trainer
from vaes.seeding import stream
from vaes.training import Member, Recipe

CONFIG = HVAEConfig(data=6, latents=(3, 2, 2), hidden=(5, 5, 5), positivity="exp(raw)")


def model_and_inputs(
    samples: int = 4,
) -> tuple[SmoothedPosteriorHVAE, torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
    single = HVAE(CONFIG, dtype=torch.float64).initialise(stream(0, "init"))
    generator = stream(0, "inputs")

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    x = (normal(1, 5, 6) > 0).double()
    noise = [normal(1, 5, units) for units in CONFIG.latents]
    fresh = [normal(1, samples, 5, units) for units in (*CONFIG.latents[1:], CONFIG.latents[0])]
    return SmoothedPosteriorHVAE.stack([single]), x, noise, fresh


def smoothing(rho: float, fresh: list[torch.Tensor]) -> Smoothing:
    return Smoothing(torch.full((1, 1, 1, 1), rho, dtype=torch.float64), tuple(fresh))


def test_rho_one_is_the_ordinary_model() -> None:
    model, x, noise, fresh = model_and_inputs()
    plain, smoothed = model(x, noise), model(x, noise, smoothing(1.0, fresh))
    torch.testing.assert_close(smoothed.log_weight, plain.log_weight, rtol=1e-12, atol=1e-12)
    assert torch.equal(model(x, noise).log_weight, HVAE.forward(model, x, noise).log_weight)


def test_posterior_parameters_are_averages_over_the_copies() -> None:
    model, x, noise, fresh = model_and_inputs()
    terms = model(x, noise, smoothing(0.7, fresh))
    member = model.member(0)
    q = terms.posterior

    def network(copies: object) -> object:
        return member.posteriors[1](torch.as_tensor(copies)).detach().numpy()

    wanted = sampling.smoothed_posterior_sample(
        network,
        *(v[0].detach().numpy() for v in (q[0].mean, q[0].scale, noise[0], fresh[-1], noise[1])),
        0.7,
    )
    torch.testing.assert_close(terms.samples[1][0], torch.as_tensor(wanted), rtol=1e-10, atol=1e-10)


def test_gradient_reaches_the_bottom_encoder_through_the_copies() -> None:
    model, x, noise, fresh = model_and_inputs()
    weight = model.posteriors[0].weights[0]

    def loss() -> torch.Tensor:
        return -objective(model(x, noise, smoothing(0.6, fresh))).sum()

    (gradient,) = torch.autograd.grad(loss(), weight)
    step = 1e-6
    with torch.no_grad():
        weight[0, 2, 3] += step
        high = loss()
        weight[0, 2, 3] -= 2 * step
        low = loss()
    torch.testing.assert_close(gradient[0, 2, 3], (high - low) / (2 * step), rtol=1e-6, atol=1e-8)


def test_trainer_starts_and_draws_data_as_the_default_one() -> None:
    dataset, recipe = load("digits/static"), Recipe(steps=3, batch=8, samples=2)
    config = dataclasses.replace(CONFIG, data=64, positivity=HVAEConfig().positivity)
    trainer = smoothed_posterior_trainer(config, recipe, [Member(rho=0.8, seed=3)], dataset)
    start = HVAE(config).initialise(stream(3, "init"), dataset.mean_image)
    torch.testing.assert_close(trainer.model.member(0).state_dict(), start.state_dict())
    trainer.run()
    assert trainer.step == 3
    with pytest.raises(ValueError, match="rho must be below 1"):
        smoothed_posterior_trainer(config, recipe, [Member()], dataset)
    with pytest.raises(ValueError, match="importance must be 1"):
        smoothed_posterior_trainer(config, dataclasses.replace(recipe, importance=2), [Member(rho=0.8)], dataset)

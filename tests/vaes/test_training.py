"""The training loop and ensembles: exactness, determinism, resume, failure."""

from dataclasses import replace

import pytest
import torch

from vaes import data
from vaes.ensembles import ensemble_trainer, train_ensemble
from vaes.models.hvae import HVAEConfig
from vaes.seeding import stream
from vaes.training import Member, NonFinite, Recipe, Trainer, initial_model, train

CONFIG = HVAEConfig(data=64, latents=(4, 3, 3), hidden=(10, 8, 8))
RECIPE = Recipe(steps=50, batch=16, samples=3, dtype="float64")


@pytest.fixture(scope="module")
def digits():
    return data.load("digits/static")


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def assert_members_equal(trainer, recipe, dataset, tolerance):
    for index, member in enumerate(trainer.members):
        alone = train(trainer.model.config, recipe, member, dataset).model
        difference = (parameters(trainer.model.member(index)) - parameters(alone)).abs().max().item()
        assert difference < tolerance, f"{member} differs by {difference}"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"samples": 1},
        {"importance": 3},
        {"warmup_start": 5, "warmup_length": 30, "schedule": "cosine"},
    ],
    ids=str,
)
def test_member_of_an_ensemble_equals_the_member_alone(digits, changes):
    recipe = replace(RECIPE, **changes)
    members = [Member(0.5, 3), Member(1.0, 3), Member(1.0, 4), Member(0.9, 4)]
    assert_members_equal(train_ensemble(CONFIG, recipe, members, digits), recipe, digits, 1e-10)


def test_members_may_differ_in_weights_of_the_kl_sum(digits):
    members = [
        Member(0.8, 3), Member(1.0, 3, beta=0.5), Member(0.8, 4, free_bits=1.0), Member(1.0, 4, warmup=False),
    ]  # fmt: skip
    recipe = replace(RECIPE, warmup_length=30)
    assert_members_equal(train_ensemble(CONFIG, recipe, members, digits), recipe, digits, 1e-10)


def test_member_of_a_float32_ensemble_equals_the_member_alone_to_rounding(digits):
    recipe = replace(RECIPE, dtype="float32")
    members = [Member(rho, 3) for rho in (1.0, 0.9)]
    assert_members_equal(train_ensemble(CONFIG, recipe, members, digits), recipe, digits, 1e-4)


def test_ensemble_on_dynamic_data_equals_the_members_alone():
    dynamic = data.load("digits/dynamic")
    members = [Member(0.8, 3), Member(0.8, 4)]
    assert_members_equal(train_ensemble(CONFIG, RECIPE, members, dynamic), RECIPE, dynamic, 1e-10)


@pytest.mark.parametrize("samples", [1, 5])
def test_rho_one_is_the_plain_vae_bit_for_bit(digits, samples):
    """Against a loop written out here, which knows nothing of smoothing."""
    recipe = replace(RECIPE, samples=samples, steps=20)
    got = train(CONFIG, recipe, Member(1.0, 3), digits)
    model = initial_model(CONFIG, recipe, 3, digits)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    batches = data.BatchSource(len(digits.train), 16, stream(3, "data"))
    generator = stream(3, "noise")
    for _ in range(20):
        x = digits.train[batches.next()].double()
        flat = torch.randn(16 * 10, generator=generator, dtype=torch.float64)
        noise = [piece.view(16, -1) for piece in flat.split([64, 48, 48])]
        terms = model(x, noise)
        ratios = [q - p for q, p in zip(terms.log_posterior, terms.log_prior, strict=True)]
        loss = -(terms.log_likelihood - (ratios[0] + ratios[1] + ratios[2])).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.equal(parameters(got.model), parameters(model))
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(got.model.parameters(), model.parameters(), strict=True))


def test_one_layer_does_not_depend_on_rho(digits):
    config = HVAEConfig(data=64, latents=(4,), hidden=(10,))
    runs = [train(config, RECIPE, Member(rho, 3), digits).model for rho in (1.0, 0.3)]
    assert torch.equal(*map(parameters, runs))


def test_rho_changes_neither_images_nor_posterior_noise(digits):
    """Arms of a seed share their streams: before the first update the encoder's terms are equal bit for bit."""
    seen = []
    for rho in (1.0, 0.3):
        trainer = Trainer(initial_model(CONFIG, RECIPE, 3, digits), (Member(rho, 3),), digits, RECIPE)
        for parameter in trainer.model.parameters():
            parameter.requires_grad_(True)
        trainer.optimiser.param_groups[0]["lr"] = 0.0
        trainer.recipe = replace(RECIPE, learning_rate=1e-300)
        trainer.run(3, [(1, lambda _, terms: seen.append(terms.log_posterior))])
    assert all(torch.equal(a, b) for a, b in zip(seen[0], seen[3], strict=True))
    torch.testing.assert_close(seen[2], seen[5])


def test_smoothing_changes_the_result(digits):
    runs = [train(CONFIG, RECIPE, Member(rho, 3), digits).model for rho in (1.0, 0.3)]
    assert not torch.equal(*map(parameters, runs))


def test_two_runs_are_identical(digits):
    members = [Member(rho, 3) for rho in (1.0, 0.9, 0.5)]
    runs = [train_ensemble(CONFIG, replace(RECIPE, dtype="float32"), members, digits).model for _ in range(2)]
    assert torch.equal(*map(parameters, runs))


@pytest.mark.parametrize("name", ["digits/static", "digits/dynamic"])
def test_resume_from_a_checkpoint_gives_the_same_numbers(tmp_path, name):
    dataset = data.load(name)
    # 150 steps of 16 images cross the end of an epoch of 1500.
    recipe = replace(RECIPE, steps=150, dtype="float32", warmup_length=100, schedule="cosine")
    members = [Member(0.8, 3), Member(1.0, 4)]
    straight = ensemble_trainer(CONFIG, recipe, members, dataset)
    straight.run(77)
    straight.save(tmp_path / "run.safetensors")
    straight.run()
    resumed = ensemble_trainer(CONFIG, recipe, members, dataset)
    resumed.load(tmp_path / "run.safetensors")
    assert resumed.step == 77
    resumed.run()
    assert torch.equal(parameters(straight.model), parameters(resumed.model))
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]


def test_adamax_is_a_choice_and_resumes_to_the_same_numbers(tmp_path, digits):
    recipe = replace(RECIPE, steps=30, optimiser="adamax", schedule="exponential", learning_rate_decay=0.99)
    straight, resumed = (ensemble_trainer(CONFIG, recipe, [Member(0.8, 3), Member(1.0, 4)], digits) for _ in range(2))
    straight.run(11)
    straight.save(tmp_path / "run.safetensors")
    straight.run()
    resumed.load(tmp_path / "run.safetensors")
    resumed.run()
    assert torch.equal(parameters(straight.model), parameters(resumed.model))
    adam = ensemble_trainer(CONFIG, replace(recipe, optimiser="adam"), straight.members, digits)
    adam.run()
    assert not torch.equal(parameters(straight.model), parameters(adam.model))


def test_recipes_of_older_checkpoints_are_recognised():
    older = {"steps", "batch", "learning_rate", "schedule", "final_learning_rate", "samples", "importance",
             "warmup_start", "warmup_length", "betas", "epsilon", "dtype"}  # fmt: skip
    assert set(RECIPE.identity()) == older
    assert replace(RECIPE, optimiser="adamax").identity()["optimiser"] == "adamax"


def test_checkpoint_of_another_run_is_refused(tmp_path, digits):
    train(CONFIG, replace(RECIPE, steps=1), Member(0.8, 3), digits).save(tmp_path / "a.safetensors")
    other = Trainer(initial_model(CONFIG, RECIPE, 3, digits), (Member(0.9, 3),), digits, RECIPE)
    with pytest.raises(ValueError, match="must belong to this run"):
        other.load(tmp_path / "a.safetensors")


def test_non_finite_parameter_is_named_with_member_and_step(digits):
    members = [Member(1.0, 3), Member(0.9, 3)]
    trainer = ensemble_trainer(CONFIG, RECIPE, members, digits)
    trainer.run(4)
    with torch.no_grad():
        trainer.model.priors[1].weights[0][1, 0, 0] = float("nan")
    with pytest.raises(NonFinite, match=r"parameter priors\.1\.weights\.0 .* step 4 .*rho=0\.9"):
        trainer.run()


def test_non_finite_term_is_named(digits):
    model = initial_model(CONFIG, RECIPE, 3, digits)
    broken = replace(digits, train=torch.full_like(digits.train, float("inf")))
    with pytest.raises(NonFinite, match="log_likelihood must be finite"):
        Trainer(model, (Member(1.0, 3),), broken, RECIPE).run()


def test_hooks_see_steps_and_terms(digits):
    seen = []
    train(CONFIG, RECIPE, Member(0.9, 3), digits, hooks=[(20, lambda t, terms: seen.append((t.step, terms.top_kl)))])
    assert [step for step, _ in seen] == [20, 40]
    assert seen[0][1].shape == (16,)


def test_training_raises_the_objective(digits):
    values = []
    recipe = replace(RECIPE, steps=200, learning_rate=5e-3)
    train(CONFIG, recipe, Member(0.9, 3), digits, hooks=[(10, lambda _, t: values.append(t.log_weight.mean().item()))])
    assert sum(values[-3:]) / 3 > sum(values[:3]) / 3 + 5


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Member(rho=1.1), "rho must be in"),
        (lambda: Member(beta=-1), "beta"),
        (lambda: Recipe(steps=0), "steps"),
        (lambda: Recipe(schedule="linear"), "schedule"),
        (lambda: Recipe(dtype="half"), "dtype"),
        (lambda: Recipe(learning_rate=0), "learning_rate"),
        (lambda: Recipe(samples=0), "samples"),
        (lambda: Recipe(optimiser="sgd"), "optimiser"),
    ],
)
def test_values_out_of_their_domain_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_members_of_an_ensemble_are_checked(digits):
    with pytest.raises(ValueError, match="non-empty"):
        train_ensemble(CONFIG, RECIPE, [], digits)
    with pytest.raises(ValueError, match="differ"):
        train_ensemble(CONFIG, RECIPE, [Member(), Member()], digits)
    with pytest.raises(ValueError, match="64 values"):
        train(replace(CONFIG, data=5), RECIPE, Member(), digits)

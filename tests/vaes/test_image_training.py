"""Training of image models: exactness, determinism, resume, averages, annealing, failure."""

import math
from dataclasses import replace

import pytest
import torch

from vaes.data import BatchSource
from vaes.image_data import ImageDataset
from vaes.image_training import ImageRecipe, ImageTrainer, Trajectory, calibrate, initial_model, train_image_model
from vaes.models import hierarchical_vae
from vaes.models.decoders import DECODERS, DecoderConfig
from vaes.models.sigma_vae import SigmaVAE, preset
from vaes.ops import calibration, optimisers
from vaes.seeding import stream
from vaes.training_loop import NonFinite

CONFIG = preset("conv8", features=4, latent=3)
DROPOUT = hierarchical_vae.preset("hvae-s", filters=4, dropout=(0.2, 0.1), decoder=DecoderConfig("shared", levels=16))
RECIPE = ImageRecipe(steps=12, batch=16, dtype="float64")


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    levels = torch.from_numpy(load_digits().images).clamp(max=15).to(torch.uint8)[:, None]
    return ImageDataset("digits", levels[:500], levels[500:600], levels[600:700], 16, "none", "")


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def with_decoder(*names, **options):
    return replace(CONFIG, decoder=DecoderConfig(*names, levels=16, **options))


@pytest.mark.parametrize(("optimiser", "kl_warmup"), [("adam", 0.0), ("adamax", 6.0)])
def test_a_run_is_the_loop_written_out(digits, optimiser, kl_warmup):
    recipe = replace(RECIPE, optimiser=optimiser, kl_warmup=kl_warmup, kl_weight=0.5, schedule="exponential",
                     learning_rate_decay=0.9, final_learning_rate=5e-4)  # fmt: skip
    got = train_image_model(with_decoder("shared"), recipe, 3, digits)
    model = SigmaVAE(with_decoder("shared"), dtype=torch.float64).initialise(stream(3, "init"))
    batches, noise = BatchSource(500, 16, stream(3, "data")), stream(3, "noise")
    kind = torch.optim.Adam if optimiser == "adam" else torch.optim.Adamax
    theirs = kind(model.parameters(), lr=1e-3)
    for step in range(12):
        x = digits.images("train", torch.float64)[batches.next()]
        terms = model(x, torch.randn(16, 3, generator=noise, dtype=torch.float64))
        weight = 0.5 * (min(1.0, step / kl_warmup) if kl_warmup else 1.0)
        loss = (terms.nll + weight * terms.kl).mean()
        theirs.zero_grad()
        loss.backward()
        theirs.param_groups[0]["lr"] = max(1e-3 * 0.9**step, 5e-4)
        theirs.step()
    torch.testing.assert_close(parameters(got.model), parameters(model), rtol=1e-12, atol=1e-14)


def test_decoders_see_the_same_images_and_the_same_noise(digits):
    seen = {}
    for name in ("gaussian", "categorical"):
        trainer = ImageTrainer(initial_model(with_decoder(name), RECIPE, 3, digits), digits, RECIPE, 3)
        terms = []
        trainer.run(3, [(1, lambda _, t, terms=terms: terms.append(t))])
        standard = [(t.sample - t.posterior.mean) / t.posterior.scale for t in terms]
        seen[name] = torch.cat([t.images.flatten() for t in terms] + [e.detach().flatten() for e in standard])
    torch.testing.assert_close(seen["gaussian"], seen["categorical"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_learns(digits, name):
    trace = Trajectory()
    recipe = ImageRecipe(steps=40, batch=32, learning_rate=5e-3)
    trainer = train_image_model(with_decoder(name), recipe, 3, digits, hooks=[(1, trace)])
    assert sum(trace.nll[-5:]) < sum(trace.nll[:5])
    model = trainer.evaluation_model()
    x = digits.images("test")
    with torch.no_grad():
        values = model.decoder.evaluation_nll(model(x, torch.zeros(100, 3)).output, x)
    assert values.isfinite().all()


@pytest.mark.parametrize("config", [CONFIG, DROPOUT], ids=["small", "dropout"])
def test_two_runs_are_identical_and_leave_the_global_generator_alone(digits, config):
    recipe = replace(RECIPE, dtype="float32")
    runs = []
    for seed in (3, 3, 4):
        # A run must neither draw from this generator nor leave it elsewhere.
        torch.manual_seed(len(runs))
        before = torch.random.get_rng_state()
        runs.append(parameters(train_image_model(config, recipe, seed, digits).model))
        assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_dropout_masks_change_from_step_to_step(digits):
    frozen = ImageTrainer(initial_model(DROPOUT, RECIPE, 3, digits), digits, replace(RECIPE, learning_rate=1e-30), 3)
    frozen.batches.next = lambda: torch.arange(16)
    frozen.model.draw_noise = lambda count, _: torch.zeros(count, DROPOUT.latent, dtype=torch.float64)
    outputs = []
    frozen.run(3, [(1, lambda _, terms: outputs.append(terms.output.detach()))])
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (with_decoder("optimal", scale_estimate="running", decay=0.9), {"ema": 0.9}),
        (with_decoder("per_image", variational=True), {"kl_warmup": 30.0}),
        (with_decoder("shared"), {"optimiser": "adamax", "schedule": "cosine"}),
        (DROPOUT, {}),
    ],
    ids=["running", "variational", "adamax", "dropout"],
)
def test_resume_from_a_checkpoint_gives_the_same_numbers(tmp_path, digits, config, changes):
    # 40 steps of 16 images cross the end of an epoch of 500.
    recipe = ImageRecipe(steps=40, batch=16, **changes)

    def trainer():
        return ImageTrainer(initial_model(config, recipe, 3, digits), digits, recipe, 3)

    straight, resumed = trainer(), trainer()
    straight.run(23)
    straight.save(tmp_path / "run.safetensors")
    straight.run()
    resumed.load(tmp_path / "run.safetensors")
    assert resumed.step == 23
    resumed.run()
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]
    got, wanted = resumed.state(), straight.state()
    assert got.keys() == wanted.keys()
    # The scale last used is NaN where it was never used.
    assert all(torch.equal(got[name].nan_to_num(), wanted[name].nan_to_num()) for name in wanted)
    models = [t.evaluation_model().state_dict() for t in (straight, resumed)]
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(*(m.values() for m in models), strict=True))


def test_checkpoint_of_another_run_and_broken_files_are_refused(tmp_path, digits):
    path = tmp_path / "run.safetensors"
    train_image_model(CONFIG, replace(RECIPE, steps=1), 3, digits).save(path)
    other = ImageTrainer(initial_model(CONFIG, RECIPE, 4, digits), digits, RECIPE, 4)
    with pytest.raises(ValueError, match="must belong to this run"):
        other.load(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match="must be a safetensors file"):
        other.load(path)
    with pytest.raises(ValueError, match="no such file"):
        other.load(tmp_path / "none")
    with pytest.raises(ValueError, match=r"folder of checkpoint .* must exist"):
        other.save(tmp_path / "none" / "run.safetensors")


def test_failed_write_leaves_the_old_checkpoint_and_no_other_file(tmp_path, digits, monkeypatch):
    path = tmp_path / "run.safetensors"
    trainer = train_image_model(CONFIG, replace(RECIPE, steps=1), 3, digits)
    trainer.save(path)
    before = path.read_bytes()

    def half_written(tensors, name, metadata):
        name.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("vaes.checkpoints.save_file", half_written)
    with pytest.raises(OSError, match="disk full"):
        trainer.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]


def test_average_of_the_parameters_starts_at_the_start(digits):
    recipe = replace(RECIPE, ema=0.8)
    start = initial_model(CONFIG, recipe, 3, digits)
    average, trainer = parameters(start), ImageTrainer(start, digits, recipe, 3)
    plain = parameters(train_image_model(CONFIG, RECIPE, 3, digits).model)

    def follow(trainer, _):
        nonlocal average
        average = optimisers.ema(average, parameters(trainer.model), 0.8)

    trainer.run(hooks=[(1, follow)])
    torch.testing.assert_close(parameters(trainer.evaluation_model()), average)
    assert torch.equal(parameters(trainer.model), plain)


def test_annealing_starts_at_zero_and_ends_at_the_weight():
    recipe = ImageRecipe(kl_weight=2.0, kl_warmup=100.0)
    assert [recipe.kl_weight_at(step) for step in (0, 25, 100, 101)] == [0.0, 0.5, 2.0, 2.0]
    assert ImageRecipe(kl_weight=2.0).kl_weight_at(0) == 2.0


def test_weight_beta_on_unit_variance_is_the_constant_variance_beta(digits):
    """SGD-like check on one step: gradients are proportional, so the first updates of Adam agree."""
    steps = replace(RECIPE, steps=20, epsilon=1e-300)
    beta = train_image_model(with_decoder("beta", beta=0.1), steps, 3, digits)
    weighted = train_image_model(with_decoder("gaussian"), replace(steps, kl_weight=0.1), 3, digits)
    torch.testing.assert_close(parameters(beta.model), parameters(weighted.model), rtol=1e-9, atol=1e-11)


def test_trajectory_holds_every_step(digits):
    trace = Trajectory()
    trainer = train_image_model(with_decoder("optimal"), RECIPE, 3, digits, hooks=[(1, trace)])
    assert trace.step == list(range(1, 13))
    errors = torch.tensor(trace.squared_error, dtype=torch.float64)
    log_sigma = torch.tensor(trace.log_scale, dtype=torch.float64)
    torch.testing.assert_close(log_sigma, 0.5 * (errors / 64).log())
    # At the batch's own optimum the squared error weighs D/2.
    constant = 32 * (2 * log_sigma + math.log(2 * math.pi) + 1)
    torch.testing.assert_close(torch.tensor(trace.nll, dtype=torch.float64), constant)
    assert trainer.step == 12
    none = Trajectory()
    train_image_model(with_decoder("bernoulli"), replace(RECIPE, steps=1), 3, digits, hooks=[(1, none)])
    assert math.isnan(none.log_scale[0])


def test_shared_sigma_drifts_by_the_learning_rate(digits):
    trace = Trajectory()
    train_image_model(with_decoder("shared"), ImageRecipe(steps=20, batch=16), 3, digits, hooks=[(1, trace)])
    assert trace.log_scale[-1] == pytest.approx(-0.02, rel=0.05)


def test_evaluation_sigma_is_that_of_the_whole_training_set(digits):
    trainer = train_image_model(with_decoder("optimal"), RECIPE, 3, digits)
    model = trainer.evaluation_model()
    noise = stream(3, "calibration")
    x = digits.images("train", torch.float64)
    with torch.no_grad():
        parts = [trainer.model(c, torch.randn(len(c), 3, generator=noise, dtype=torch.float64)) for c in x.split(256)]
    errors = torch.cat([calibration.sse(t.images.flatten(1), t.output.sigmoid().flatten(1)) for t in parts])
    assert model.decoder.log_scale.item() == pytest.approx(0.5 * math.log(errors.mean() / 64), rel=1e-9)
    assert trainer.model.decoder.calibrated.isnan()


def test_calibration_moves_no_running_average(digits):
    trainer = train_image_model(with_decoder("optimal", scale_estimate="running"), RECIPE, 3, digits)
    before = trainer.model.decoder.average.clone()
    model = calibrate(trainer.model, digits.train, 16, stream(0, "calibration"))
    assert torch.equal(model.decoder.average, before)


def test_non_finite_numbers_are_named_with_the_step(digits):
    trainer = ImageTrainer(initial_model(CONFIG, RECIPE, 3, digits), digits, RECIPE, 3)
    trainer.run(4)
    with torch.no_grad():
        trainer.model.from_latent.bias[2] = float("nan")
    with pytest.raises(NonFinite, match=r"parameter from_latent\.bias .* at step 4"):
        trainer.run()
    trainer = ImageTrainer(initial_model(CONFIG, RECIPE, 3, digits), digits, RECIPE, 3)
    with torch.no_grad():
        trainer.model.posterior_log_variance.bias.fill_(3000.0)
    with pytest.raises(NonFinite, match=r"output must be finite, got a value that is not at step 0"):
        trainer.run()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda d: ImageRecipe(optimiser="sgd"), "optimiser must be one of adam, adamax, got 'sgd'"),
        (lambda d: ImageRecipe(ema=1.0), r"ema must be in \[0, 1\), got 1.0"),
        (lambda d: ImageRecipe(kl_weight=-1.0), "kl_weight must be >= 0"),
        (lambda d: ImageRecipe(kl_warmup=math.inf), "kl_warmup must be >= 0 and finite"),
        (lambda d: ImageRecipe(learning_rate_decay=1.5), "learning_rate_decay must be in"),
        (lambda d: train_image_model(replace(CONFIG, channels=3), RECIPE, 0, d), r"image_shape must be \(1, 8, 8\)"),
        (lambda d: train_image_model(replace(CONFIG, decoder=DecoderConfig()), RECIPE, 0, d), "levels must be 16"),
        (lambda d: train_image_model(CONFIG, replace(RECIPE, batch=501), 0, d), "batch must be between 1 and"),
    ],
)
def test_nonsense_is_refused(digits, build, message):
    with pytest.raises(ValueError, match=message):
        build(digits)

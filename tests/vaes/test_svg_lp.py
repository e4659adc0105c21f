"""The conditional video model, its data and its training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import linear

from vaes.models.decoders import DecoderConfig
from vaes.models.svg_lp import SVGLP, SVGConfig, preset, public_default
from vaes.moving_digits import MovingDigits, Sequences, load_moving_digits, movdig16, paths
from vaes.ops import calibration, gaussian, video
from vaes.seeding import stream
from vaes.training_loop import LoopRecipe
from vaes.video_training import VideoTrainer, calibrate, evaluation_nll, train_video_model

RECIPE = LoopRecipe(steps=3, batch=4)


@pytest.fixture(scope="module")
def source() -> MovingDigits:
    return movdig16()


def model(decoder: str = "gaussian", **overrides: Any) -> SVGLP:
    config = preset("svg-s", **{"decoder": DecoderConfig(decoder), **overrides})
    built = SVGLP(config, dtype=torch.float64).initialise(stream(0, "init"))
    # Weights of 0.02 hardly let anything through: the tests look at what depends on what.
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            if "decoder" not in name:
                parameter.mul_(3)
    return built


def frames(count: int = 4, length: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, length, 1, 16, 16, generator=stream(seed, "frames"), dtype=torch.float64)


def noise(count: int = 4, length: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, length - 1, 8, generator=stream(seed, "noise"), dtype=torch.float64)


def size(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts_of_the_public_models() -> None:
    large = SVGLP(preset("svg_lp", decoder=DecoderConfig("gaussian")), device="meta")
    parts = (large.encode, large.draw, large.predictor, large.posterior, large.prior)
    assert [size(part) for part in parts] == [8_689_600, 11_822_659, 1_134_976, 592_256, 592_256]
    assert size(large) == 22_831_747
    assert size(SVGLP(preset("svg-dcgan", decoder=DecoderConfig("gaussian")), device="meta")) == 12_614_057


def test_public_loss_stands_for_a_constant_variance() -> None:
    assert public_default(preset("svg_lp")).beta == pytest.approx(0.6144)
    assert public_default(preset("svg-dcgan")).beta == pytest.approx(0.2048)
    config = preset("svg-s", decoder=public_default(preset("svg-s")))
    assert config.decoder.beta == pytest.approx(0.0128)
    built = SVGLP(config, dtype=torch.float64).initialise(stream(0, "init"))
    x = frames()
    terms = built(x, noise())
    # Summed over time: squared error, mean over batch and pixels, plus 1e-4 of the divergence, mean over the batch.
    error = (built.decoder.mean(terms.output.flatten(0, 1)).view_as(x[:, 1:]) - x[:, 1:]).square()
    public = error.mean((0, 2, 3, 4)).sum() + 1e-4 * terms.kl.mean()
    parameters = [parameter for parameter in built.parameters() if parameter.requires_grad]
    ours = torch.autograd.grad(terms.objective().mean(), parameters, retain_graph=True)
    theirs = torch.autograd.grad(public, parameters)
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(1e-4 * one, two, rtol=1e-9, atol=1e-15)


def test_bound_is_the_sequence_nelbo() -> None:
    x = frames()
    for name in ("gaussian", "shared", "optimal"):
        built = model(name)
        terms = built(x, noise())
        mean = built.decoder.mean(terms.output.flatten(0, 1)).view_as(x[:, 1:])
        error = calibration.sse(x[:, 1:].flatten(2), mean.flatten(2)).T
        log_sigma = calibration.optimal_sigma(error, 256).log() if name == "optimal" else torch.zeros(()).double()
        expected = video.sequence_nelbo(error, terms.frame_kl.T, log_sigma, 256)
        torch.testing.assert_close(terms.nelbo, expected)
        torch.testing.assert_close(terms.objective(0.5), terms.nll + 0.5 * terms.kl)


def cell(part: Any, x: torch.Tensor, states: list[Any]) -> tuple[torch.Tensor, ...]:
    """One step of a recurrent part by the equations of its gates; ``states`` are changed in place."""
    h = linear(x, part.embed.weight, part.embed.bias)
    for index, layer in enumerate(part.cells):
        before, memory = states[index]
        gates = linear(h, layer.weight_ih, layer.bias_ih) + linear(before, layer.weight_hh, layer.bias_hh)
        i, f, g, o = gates.chunk(4, 1)
        memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
        h = o.sigmoid() * memory.tanh()
        states[index] = (h, memory)
    return tuple(linear(h, output.weight, output.bias) for output in part.outputs)


@pytest.mark.parametrize("last", [False, True])
def test_sequence_op_by_op(last: bool) -> None:
    """The loop over frames written out once more, with states and skips of its own."""
    built = model(last_frame_skip=last)
    x, draws = frames(), noise()
    zeros = torch.zeros(4, 64, dtype=torch.float64)
    states = {
        name: [(zeros, zeros)] * (2 if name == "predictor" else 1) for name in ("posterior", "prior", "predictor")
    }
    terms = built(x, draws)
    for t in range(1, 8):
        vector, fresh = built.encode(x[:, t - 1])
        first = built.encode(x[:, 0])[1]
        # With two given frames the skips are those of the first frame, for the second frame as for all that follow.
        skips = fresh if last else first
        mean_q, log_q = cell(built.posterior, built.encode(x[:, t])[0], states["posterior"])
        mean_p, log_p = cell(built.prior, vector, states["prior"])
        z = mean_q + (0.5 * log_q).exp() * draws[:, t - 1]
        predicted = cell(built.predictor, torch.cat([vector, z], 1), states["predictor"])[0].tanh()
        torch.testing.assert_close(terms.output[:, t - 1], built.draw(predicted, skips))
        kl = gaussian.kl(mean_q, (0.5 * log_q).exp(), mean_p, (0.5 * log_p).exp())
        torch.testing.assert_close(terms.frame_kl[:, t - 1], kl)


def test_networks_op_by_op() -> None:
    built = model()
    x = frames()[:, 0]
    h, maps = x, []

    def normalised(y: torch.Tensor, norm: Any) -> torch.Tensor:
        mean, variance = y.mean((0, 2, 3), True), y.var((0, 2, 3), correction=0, keepdim=True)
        gain, bias = norm.weight[:, None, None], norm.bias[:, None, None]
        return (y - mean) / (variance + 1e-5).sqrt() * gain + bias

    def leaky(y: torch.Tensor) -> torch.Tensor:
        return torch.where(y > 0, y, 0.2 * y)

    for stage, width in zip(built.encode.scales, (24, 48), strict=True):  # type: ignore[arg-type]
        h = leaky(normalised(stage[0](h), stage[1]))
        maps.append(h)
        assert h.shape[1] == width
    last: Any = built.encode.last
    vector = normalised(last[0](h), last[1]).tanh().flatten(1)
    torch.testing.assert_close(built.encode(x)[0], vector)
    draw: Any = built.draw
    y = leaky(normalised(draw.first[0](vector[:, :, None, None]), draw.first[1]))
    y = leaky(normalised(draw.scales[0][0](torch.cat([y, maps[1]], 1)), draw.scales[0][1]))
    torch.testing.assert_close(draw(vector, maps), draw.last(torch.cat([y, maps[0]], 1)))


def test_large_networks_have_the_shapes_of_the_description() -> None:
    large = SVGLP(preset("svg_lp", decoder=DecoderConfig("gaussian")), device="meta")
    x = torch.empty(2, 3, 3, 64, 64, device="meta")
    vector, maps = large.encode(x[:, 0])
    assert vector.shape == (2, 128)
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8)]
    assert large(x, torch.empty(2, 2, 64, device="meta")).output.shape == (2, 2, 3, 64, 64)
    grey = SVGLP(preset("svg-dcgan", decoder=DecoderConfig("gaussian")), device="meta")
    maps = grey.encode(x[:, 0, :1])[1]
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]
    assert grey(x[:, :, :1], torch.empty(2, 2, 10, device="meta")).output.shape == (2, 2, 1, 64, 64)


def test_rollout_looks_at_the_given_frames_alone() -> None:
    built = model()
    x, draws = frames(), noise()
    rolled = built.rollout(x, draws)
    assert rolled.shape == (4, 7, 1, 16, 16)
    torch.testing.assert_close(rolled[:, 0], x[:, 1])
    other = torch.cat([x[:, :2], frames(seed=1)[:, 2:]], 1)
    torch.testing.assert_close(built.rollout(other, draws), rolled)
    assert not torch.allclose(built.rollout(torch.cat([frames(seed=1)[:, :2], x[:, 2:]], 1), draws), rolled)
    moved = draws.clone()
    moved[:, 3] += 1
    later = built.rollout(x, moved)
    torch.testing.assert_close(later[:, :3], rolled[:, :3])
    assert all(not torch.allclose(later[:, t], rolled[:, t]) for t in range(3, 7))


def test_rollout_of_one_step_draws_from_the_prior() -> None:
    built = model(past=1, future=1)
    x, draws = frames(length=2), noise(length=2)
    vector, skips = built.encode(x[:, 0])
    zeros = torch.zeros(4, 64, dtype=torch.float64)
    mean, log_variance = cell(built.prior, vector, [(zeros, zeros)])
    z = mean + (0.5 * log_variance).exp() * draws[:, 0]
    predicted = cell(built.predictor, torch.cat([vector, z], 1), [(zeros, zeros)] * 2)[0].tanh()
    torch.testing.assert_close(built.rollout(x, draws)[:, 0], built.draw(predicted, skips).sigmoid())


def test_initial_law() -> None:
    built = SVGLP(preset("svg-s")).initialise(stream(0, "init"))
    assert built.draw.last.weight.detach().std().item() == pytest.approx(0.02, rel=0.1)  # type: ignore[union-attr]
    norms = [m for m in built.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    gains = torch.cat([m.weight.detach() for m in norms])
    assert gains.mean().item() == pytest.approx(1, abs=0.01)
    assert gains.std().item() == pytest.approx(0.02, rel=0.3)
    assert all((m.bias == 0).all() for m in norms)
    cells = torch.cat([p.detach().flatten() for p in built.predictor.cells.parameters()])
    assert cells.abs().max() <= 1 / 8
    assert cells.std().item() == pytest.approx(1 / 8 / 3**0.5, rel=0.05)


def test_training_and_test_digits_are_disjoint(source: MovingDigits) -> None:
    train = {digit.numpy().tobytes() for digit in source.train}
    test = {digit.numpy().tobytes() for digit in source.test}
    assert (len(source.train), len(source.test)) == (1437, 360)
    # scikit-learn's digits hold no image twice.
    assert not train & test


def test_sequences_are_a_function_of_the_generator(source: MovingDigits) -> None:
    one, two, other = (source.sequences("train", 5, 8, stream(seed, "data")) for seed in (0, 0, 1))
    torch.testing.assert_close(one.frames, two.frames, rtol=0, atol=0)
    torch.testing.assert_close(one.digits, two.digits, rtol=0, atol=0)
    assert not torch.equal(one.frames, other.frames)
    held = source.held_out(6, 8)
    torch.testing.assert_close(held.frames, source.held_out(6, 8).frames, rtol=0, atol=0)
    torch.testing.assert_close(held.digits, held.digits)


def test_every_frame_holds_its_digit(source: MovingDigits) -> None:
    drawn: Sequences = source.sequences("test", 20, 8, stream(3, "data"))
    assert drawn.frames.shape == (20, 8, 1, 16, 16)
    assert drawn.frames.min() >= 0
    assert drawn.frames.max() <= 1
    for sequence, digit in zip(drawn.frames[:, :, 0], drawn.digits, strict=True):
        for frame in sequence:
            assert any(torch.equal(frame[r : r + 8, c : c + 8], digit) for r in range(9) for c in range(9))
            assert frame.sum() == pytest.approx(float(digit.sum()), rel=1e-5)


def test_paths_bounce_at_random() -> None:
    room, speed = torch.tensor([8, 8]), 2
    places = paths(4000, 12, room, speed, stream(0, "paths"))
    steps = places.diff(dim=1)
    assert places.min() == 0
    assert places.max() == 8
    assert steps.abs().max() == 2
    inside = ((places > 2) & (places < 6)).all(-1)
    # Where a digit is clear of the sides before and after a step, nothing changes its velocity.
    clear = inside[:, 1:-1]
    torch.testing.assert_close(steps[:, 1:][clear], steps[:, :-1][clear])
    first = torch.bincount(places[:, 0, 0], minlength=9)
    assert (first > 4000 / 9 * 0.8).all()
    assert len(first) == 9


@pytest.mark.parametrize("track", [(3, 1, 0), (5, 7, 8)])
def test_a_digit_leaves_the_side_that_stopped_it(track: tuple[int, int, int]) -> None:
    # No side in reach along the columns: two rows per frame go on until half a step is cut off.
    places = paths(4000, 4, torch.tensor([8, 10**6]), 2, stream(0, "paths"))[..., 0]
    stopped = (places[:, :3] == torch.tensor(track)).all(1)
    away = (places[:, 3] - places[:, 2])[stopped].abs()
    assert set(away.tolist()) == {1, 2}


def test_bounce_renews_the_velocity_along_the_side() -> None:
    room = torch.tensor([0, 100])
    places = paths(3000, 3, room, 2, stream(0, "paths"))
    # The rows have no room: whoever moves along them bounces at once and may change columns.
    changed = (places[:, 1, 1] - places[:, 0, 1]) != (places[:, 2, 1] - places[:, 1, 1])
    # A row velocity of 0 has probability 1/5; otherwise the new column velocity differs with probability 4/5.
    assert changed.float().mean().item() == pytest.approx(0.64, abs=0.04)


def test_several_digits_add_up_and_are_cut_at_one() -> None:
    digits = torch.full((3, 2, 2), 0.75)
    double = MovingDigits("two", digits, digits, 3, 1, count=2)
    drawn = double.sequences("train", 200, 2, stream(0, "data")).frames
    assert set(drawn.unique().tolist()) == {0.0, 0.75, 1.0}


def test_64_pixel_frames_need_the_data_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mnist"):
        load_moving_digits("movdig64", tmp_path)
    with pytest.raises(ValueError, match="name must be one of movdig16, movdig64"):
        load_moving_digits("movdig32")


def test_training_is_repeatable_and_goes_on_from_a_checkpoint(source: MovingDigits, tmp_path: Path) -> None:
    config = preset("svg-s")
    whole = train_video_model(config, RECIPE, 0, source)
    part = VideoTrainer(SVGLP(config).initialise(stream(0, "init")), source, RECIPE, 0)
    part.run(2)
    part.save(tmp_path / "model.safetensors")
    again = VideoTrainer(SVGLP(config), source, RECIPE, 0)
    again.load(tmp_path / "model.safetensors")
    again.run()
    for one, two in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, two)
    with pytest.raises(ValueError, match="must belong to this run"):
        VideoTrainer(SVGLP(config), source, RECIPE, 1).load(tmp_path / "model.safetensors")


def test_training_lowers_the_bound(source: MovingDigits) -> None:
    losses: list[float] = []
    hooks = [(1, lambda _, terms: losses.append(terms.objective().mean().item()))]
    train_video_model(preset("svg-s"), LoopRecipe(steps=30, batch=8), 0, source, hooks=hooks)
    assert losses[-1] < losses[0] - 200


def test_calibration_is_the_root_mean_squared_error(source: MovingDigits) -> None:
    built = SVGLP(preset("svg-s")).initialise(stream(0, "init"))
    x = source.sequences("train", 6, 8, stream(0, "data")).frames
    calibrate(built, x, stream(0, "calibration"))
    terms = built(x, built.draw_noise(6, stream(0, "calibration")))
    mean = terms.output.sigmoid()
    sigma = (mean - x[:, 1:]).square().mean().sqrt()
    torch.testing.assert_close(built.decoder.log_scale.exp(), sigma)  # type: ignore[union-attr]
    torch.testing.assert_close(evaluation_nll(built, terms), terms.frame_nll)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "resnet"}, "network must be one of vgg, dcgan"),
        ({"size": 20}, "size must be 16 with 2 scales, got 20"),
        ({"past": 0}, "past must be >= 1"),
        ({"depth": 3}, "got depth"),
    ],
)
def test_bad_configurations(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preset("svg-s", **change)


def test_bad_input(source: MovingDigits) -> None:
    built = SVGLP(preset("svg-s"))
    with pytest.raises(ValueError, match="preset must be one of"):
        preset("svg")
    with pytest.raises(ValueError, match=r"frames must have shape \(B, T, 1, 16, 16\)"):
        built(torch.zeros(2, 8, 3, 16, 16), torch.zeros(2, 7, 8))
    with pytest.raises(ValueError, match=r"noise must have shape \(2, 7, 8\)"):
        built(torch.zeros(2, 8, 1, 16, 16), torch.zeros(2, 8, 8))
    with pytest.raises(ValueError, match="part must be one of train, test"):
        source.sequences("validation", 1, 1, stream(0))
    with pytest.raises(ValueError, match="number and length must be >= 1"):
        source.sequences("train", 0, 1, stream(0))
    with pytest.raises(ValueError, match="size must be at least 8"):
        MovingDigits("small", source.train, source.test, 7, 2)
    with pytest.raises(ValueError, match="train must be digits"):
        MovingDigits("none", source.train[:0], source.test, 16, 2)
    with pytest.raises(ValueError, match="speed and count must be >= 1"):
        MovingDigits("still", source.train, source.test, 16, 0)
    with pytest.raises(ValueError, match="channels and size must be"):
        VideoTrainer(SVGLP(preset("svg-s", channels=3)), source, RECIPE, 0)


def test_configuration_survives_json() -> None:
    config = preset("svg_lp", decoder={"name": "beta", "beta": 0.1})
    assert SVGConfig.from_dict(json.loads(json.dumps(asdict(config)))) == config

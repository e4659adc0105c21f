"""Batch norm, its fusion with Swish, weight norm and its initialisation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given

from reference import activations, normalisation
from tests.conformance.implementation import DTYPES, to_numpy
from tests.conformance.inputs import normalisation as inputs

functional = torch.nn.functional


def per_channel(x: np.ndarray) -> list[list[float]]:
    """The values of each channel as a plain list."""
    return [np.moveaxis(x, 1, 0)[c].ravel().tolist() for c in range(x.shape[1])]


@given(inputs.batch_norm())
def test_batch_norm_matches_torch(case) -> None:
    x, gain, bias = (torch.as_tensor(case[n]) for n in ("x", "gain", "bias"))
    wanted = functional.batch_norm(x, None, None, gain, bias, training=True, eps=case.get("epsilon", 1e-5))
    np.testing.assert_allclose(normalisation.batch_norm(**case), wanted.numpy(), rtol=1e-9, atol=1e-9)


@given(inputs.batch_norm())
def test_batch_norm_by_loops(case) -> None:
    got = normalisation.batch_norm(**case)
    for c, values in enumerate(per_channel(case["x"])):
        mean = math.fsum(values) / len(values)
        variance = math.fsum((v - mean) ** 2 for v in values) / len(values)
        wanted = [
            case["gain"][c] * (v - mean) / math.sqrt(variance + case.get("epsilon", 1e-5)) + case["bias"][c]
            for v in values
        ]
        np.testing.assert_allclose(per_channel(got)[c], wanted, rtol=1e-9, atol=1e-9)


@given(inputs.batch_norm_eval())
def test_batch_norm_eval_matches_torch(case) -> None:
    x, gain, bias, mean, variance = (torch.as_tensor(case[n]) for n in ("x", "gain", "bias", "mean", "variance"))
    wanted = functional.batch_norm(x, mean, variance, gain, bias, training=False, eps=case.get("epsilon", 1e-5))
    np.testing.assert_allclose(normalisation.batch_norm_eval(**case), wanted.numpy(), rtol=1e-9, atol=1e-9)
    wanted = functional.silu(wanted).numpy()
    np.testing.assert_allclose(normalisation.batch_norm_swish_eval(**case), wanted, rtol=1e-9, atol=1e-9)


@given(inputs.batch_norm())
def test_batch_norm_eval_at_the_batch_statistics(case) -> None:
    axes = (0, *range(2, case["x"].ndim))
    statistics = {"mean": case["x"].mean(axes), "variance": case["x"].var(axes)}
    for train, evaluate in (
        (normalisation.batch_norm, normalisation.batch_norm_eval),
        (normalisation.batch_norm_swish, normalisation.batch_norm_swish_eval),
    ):
        np.testing.assert_allclose(evaluate(**case, **statistics), train(**case), rtol=1e-12, atol=1e-12)


@given(inputs.batch_norm_eval())
def test_batch_norm_swish_eval_by_pieces(case) -> None:
    affine = normalisation.batch_norm_eval(**case)
    wanted = [y / (1 + math.exp(-y)) if y > -700 else 0.0 for y in affine.ravel().tolist()]
    np.testing.assert_allclose(normalisation.batch_norm_swish_eval(**case).ravel(), wanted, rtol=1e-10, atol=1e-300)


@given(inputs.batch_norm())
def test_batch_norm_forgets_scale_and_shift(implementation, case) -> None:
    """Without epsilon x -> a x + c changes nothing; channels have mean bias and deviation gain."""
    case = {**case, "x": inputs._varied(case["x"]), "epsilon": 1e-12}
    got = implementation.call("normalisation.batch_norm", **case)
    moved = implementation.call("normalisation.batch_norm", **{**case, "x": 3 * case["x"] + 7})
    np.testing.assert_allclose(moved, got, rtol=1e-8, atol=1e-8)
    axes = (0, *range(2, got.ndim))
    np.testing.assert_allclose(got.mean(axes), case["bias"], atol=1e-9)
    np.testing.assert_allclose(got.std(axes), np.abs(case["gain"]), rtol=1e-8, atol=1e-9)


@given(inputs.batch_norm_eval())
def test_batch_norm_eval_is_affine(implementation, case) -> None:
    def value(x: np.ndarray) -> np.ndarray:
        return implementation.call("normalisation.batch_norm_eval", **{**case, "x": x})

    x, zero = case["x"], 0 * case["x"]
    np.testing.assert_allclose(value(2 * x) - value(x), value(x) - value(zero), rtol=1e-9, atol=1e-9)
    shape = (-1, *[1] * (x.ndim - 2))
    at_mean = value(zero + case["mean"].reshape(shape))
    np.testing.assert_allclose(at_mean, zero + case["bias"].reshape(shape), atol=1e-12)
    spread = np.sqrt(case["variance"] + case.get("epsilon", 1e-5))
    one_above = value(zero + (case["mean"] + spread).reshape(shape))
    np.testing.assert_allclose(one_above - at_mean, zero + case["gain"].reshape(shape), rtol=1e-9, atol=1e-9)


def test_batch_norm_of_two_images_knows_their_difference_alone(implementation) -> None:
    """They become 1 and -1 but for epsilon: here less is lost than the rounding of their mean would move them."""
    one = np.ones(1)
    for dtype, first, second in (("float32", 8.0, 7.536710262298584), ("float64", 1e6, 1e6 + 2**-13 + 2**-33)):
        case = {"x": np.array([[first], [second]]), "gain": one, "bias": one}
        size = math.exp(-0.5 * math.log1p(1e-5 / ((first - second) / 2) ** 2))
        wanted = 1 + size * np.sign([[first - second], [second - first]])
        for name, after in (("batch_norm", lambda y: y), ("batch_norm_swish", activations.silu)):
            got = to_numpy(implementation.find(f"normalisation.{name}")(**implementation.tensors(case, dtype)))
            np.testing.assert_allclose(got, after(wanted), rtol=0, atol=3 * torch.finfo(DTYPES[dtype]).eps)
            reference = getattr(normalisation, name)(**case)
            np.testing.assert_allclose(reference, after(wanted), rtol=0, atol=3 * np.finfo(float).eps)


def test_batch_norm_gradient_sums_to_zero(implementation) -> None:
    """No change of all values of a channel together, or of their scale, matters."""
    for name in ("batch_norm", "batch_norm_swish"):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(4, 3, 2, 2, generator=generator, dtype=torch.float64).to(implementation.device).requires_grad_()
        gain = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64, device=implementation.device)
        y = implementation.find(f"normalisation.{name}")(x, gain, gain, 1e-14)
        (slope,) = torch.autograd.grad(
            (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape).to(y)).sum(), x
        )
        np.testing.assert_allclose(slope.sum((0, 2, 3)).cpu(), 0, atol=1e-12)
        np.testing.assert_allclose((slope * x.detach()).sum((0, 2, 3)).cpu(), 0, atol=1e-10)


@given(inputs.batch_norm())
def test_batch_norm_swish_matches_torch(case) -> None:
    x, gain, bias = (torch.as_tensor(case[n]) for n in ("x", "gain", "bias"))
    epsilon = case.get("epsilon", 1e-5)
    wanted = functional.silu(functional.batch_norm(x, None, None, gain, bias, training=True, eps=epsilon))
    np.testing.assert_allclose(normalisation.batch_norm_swish(**case), wanted.numpy(), rtol=1e-9, atol=1e-9)


@given(inputs.batch_norm())
def test_batch_norm_swish_by_pieces(case) -> None:
    wanted = activations.silu(normalisation.batch_norm(**case))
    np.testing.assert_array_equal(normalisation.batch_norm_swish(**case), wanted)


def test_batch_norm_swish_backward_is_exact(implementation) -> None:
    """The hand-written backward against differences and against torch's own; only x and five small vectors are kept."""
    fused = implementation.find("normalisation.batch_norm_swish")
    generator = torch.Generator().manual_seed(1)
    x = (
        (3 * torch.randn(3, 2, 2, 2, generator=generator, dtype=torch.float64) + 1)
        .to(implementation.device)
        .requires_grad_()
    )
    gain, bias = (
        torch.tensor(v, dtype=torch.float64, device=x.device, requires_grad=True) for v in ([0.7, -1.3], [0.2, 0.0])
    )
    assert torch.autograd.gradcheck(fused, (x, gain, bias))
    weights = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x)
    plain = functional.silu(functional.batch_norm(x, None, None, gain, bias, training=True))
    saved: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        own = fused(x, gain, bias)
    slopes = [torch.autograd.grad((y * weights).sum(), (x, gain, bias)) for y in (own, plain)]
    for one, two in zip(*slopes, strict=True):
        np.testing.assert_allclose(one.cpu(), two.cpu(), rtol=1e-12, atol=1e-13)
    assert sum(t.numel() == x.numel() for t in saved) == 1


@given(inputs.batch_norm())
def test_batch_norm_swish_is_swish_of_batch_norm(implementation, case) -> None:
    plain = implementation.call("normalisation.batch_norm", **case)
    got = implementation.call("normalisation.batch_norm_swish", **case)
    np.testing.assert_allclose(got, activations.silu(plain), rtol=1e-11, atol=1e-12)


@given(inputs.batch_norm_eval())
def test_batch_norm_swish_eval_is_swish_of_the_affine_map(implementation, case) -> None:
    plain = implementation.call("normalisation.batch_norm_eval", **case)
    got = implementation.call("normalisation.batch_norm_swish_eval", **case)
    np.testing.assert_allclose(got, activations.silu(plain), rtol=1e-11, atol=1e-12)


@given(inputs.running_statistics())
def test_running_statistics_match_torch(case) -> None:
    mean, variance = (torch.as_tensor(case[n].copy()) for n in ("mean", "variance"))
    functional.batch_norm(torch.as_tensor(case["x"]), mean, variance, training=True, momentum=case["momentum"])
    for got, wanted in zip(normalisation.running_statistics(**case), (mean, variance), strict=True):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-10, atol=1e-10)


@given(inputs.running_statistics())
def test_running_statistics_by_loops(case) -> None:
    m = case["momentum"]
    new_mean, new_variance = normalisation.running_statistics(**case)
    for c, values in enumerate(per_channel(case["x"])):
        mean = math.fsum(values) / len(values)
        unbiased = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
        assert new_mean[c] == pytest.approx((1 - m) * case["mean"][c] + m * mean, abs=1e-9)
        assert new_variance[c] == pytest.approx((1 - m) * case["variance"][c] + m * unbiased, rel=1e-9, abs=1e-9)


@given(inputs.running_statistics())
def test_running_statistics_at_the_ends(implementation, case) -> None:
    kept = implementation.call("normalisation.running_statistics", **{**case, "momentum": 0.0})
    for got, wanted in zip(kept, (case["mean"], case["variance"]), strict=True):
        np.testing.assert_array_equal(got, wanted)
    axes = (0, *range(2, case["x"].ndim))
    fresh = implementation.call("normalisation.running_statistics", **{**case, "momentum": 1.0})
    np.testing.assert_allclose(fresh[0], case["x"].mean(axes), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fresh[1], case["x"].var(axes, ddof=1), rtol=1e-9, atol=1e-9)


@given(inputs.readjusted_statistics())
def test_readjusted_statistics_match_torch(case) -> None:
    """A BatchNorm in training mode over all passes, then read."""
    mean, variance = (torch.as_tensor(case[n].copy()) for n in ("mean", "variance"))
    for batch in torch.as_tensor(case["batches"]):
        functional.batch_norm(batch, mean, variance, training=True, momentum=case["momentum"])
    for got, wanted in zip(normalisation.readjusted_statistics(**case), (mean, variance), strict=True):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-10, atol=1e-10)


@given(inputs.readjusted_statistics())
def test_readjusted_statistics_are_a_weighted_sum(case) -> None:
    m, batches = case["momentum"], case["batches"]
    count, axes = len(batches), (1, *range(3, batches.ndim))
    weights = m * (1 - m) ** np.arange(count - 1, -1, -1)
    first = (1 - m) ** count
    assert first + weights.sum() == pytest.approx(1)
    mean, variance = normalisation.readjusted_statistics(**case)
    np.testing.assert_allclose(mean, first * case["mean"] + weights @ batches.mean(axes), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        variance, first * case["variance"] + weights @ batches.var(axes, ddof=1), rtol=1e-9, atol=1e-9
    )


def test_readjusted_statistics_forget_the_training_run() -> None:
    """After 500 passes the old statistics have weight 7e-12; a constant generator gives its mean and variance."""
    batch = np.array([[1.0], [3.0], [5.0]])
    mean, variance = normalisation.readjusted_statistics([100.0], [50.0], np.tile(batch, (500, 1, 1)), 0.05)
    assert pytest.approx(7e-12, rel=0.05) == 0.95**500
    assert float(mean[0]) == pytest.approx(3, abs=1e-9)
    assert float(variance[0]) == pytest.approx(4, abs=1e-9)


@given(inputs.readjusted_statistics())
def test_readjusted_statistics_are_repeated_updates(implementation, case) -> None:
    state = case["mean"], case["variance"]
    for batch in case["batches"]:
        arguments = {"mean": state[0], "variance": state[1], "x": batch, "momentum": case["momentum"]}
        state = implementation.call("normalisation.running_statistics", **arguments)
    for got, wanted in zip(implementation.call("normalisation.readjusted_statistics", **case), state, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("momentum", [0.05, 0.2, 0.9])
def test_effective_batches_by_summation(momentum: float) -> None:
    weights = momentum * (1 - momentum) ** np.arange(500)
    assert float(normalisation.effective_batches(momentum)) == pytest.approx(1 / np.sum(weights**2), rel=1e-9)


def test_effective_batches_of_the_paper(rng) -> None:
    """0.05 gives 39: the variance of the moving average of independent batch means is 1/39 of theirs."""
    assert float(normalisation.effective_batches(0.05)) == pytest.approx(39)
    noise = rng.standard_normal((500, 20_000))
    average = 0.05 * 0.95 ** np.arange(500) @ noise
    assert 1 / average.var() == pytest.approx(39, rel=0.05)


@given(inputs.effective_batches())
def test_effective_batches_lie_between_one_and_twice_the_memory(implementation, case) -> None:
    got = implementation.call("normalisation.effective_batches", **case)
    assert (got >= 1).all()
    np.testing.assert_allclose((got + 1) * case["momentum"], 2, rtol=1e-12)


@given(inputs.gain_penalty())
def test_gain_penalty_is_a_sum_of_norms(case) -> None:
    wanted = sum(np.linalg.norm(g, np.inf) for g in case["gains"])
    assert float(normalisation.gain_penalty(**case)) == pytest.approx(float(wanted), rel=1e-13)


@given(inputs.gain_penalty())
def test_gain_penalty_is_a_norm(case) -> None:
    """Homogeneous, convex, blind to signs; the number of layers when all gains are 1."""
    gains = case["gains"]
    got = float(normalisation.gain_penalty(gains))
    assert float(normalisation.gain_penalty([-2 * g for g in gains])) == pytest.approx(2 * got)
    middle = float(normalisation.gain_penalty([0.5 * (g + 1) for g in gains]))
    assert middle <= 0.5 * (got + len(gains)) + 1e-12
    assert float(normalisation.gain_penalty([np.ones(3)] * 364)) == 364


def test_gain_penalty_shares_the_gradient_between_ties(implementation) -> None:
    gains = [
        torch.ones(4, dtype=torch.float64, device=implementation.device),
        torch.tensor([0.5, -2.0], dtype=torch.float64),
    ]
    gains = [g.to(implementation.device).requires_grad_() for g in gains]
    slopes = torch.autograd.grad(implementation.find("normalisation.gain_penalty")(gains), gains)
    np.testing.assert_allclose(slopes[0].cpu(), 0.25)
    np.testing.assert_allclose(slopes[1].cpu(), [0, -1])


@given(inputs.weight_norm())
def test_weight_norm_matches_torch(case) -> None:
    if case["epsilon"] == 0:
        v = torch.as_tensor(case["direction"])
        wanted = torch._weight_norm(v, torch.as_tensor(case["gain"]).reshape(-1, *[1] * (v.ndim - 1)), 0)
        np.testing.assert_allclose(normalisation.weight_norm(**case), wanted.numpy(), rtol=1e-12, atol=1e-15)


@given(inputs.weight_norm())
def test_weight_norm_has_its_size(case) -> None:
    w, v = (a.reshape(len(case["gain"]), -1) for a in (normalisation.weight_norm(**case), case["direction"]))
    for row, direction, gain in zip(w.tolist(), v.tolist(), case["gain"].tolist(), strict=True):
        norm = math.hypot(*direction)
        assert math.hypot(*row) == pytest.approx(abs(gain) * norm / (norm + case["epsilon"]), rel=1e-12)
        cosine = sum(a * b for a, b in zip(row, direction, strict=True))
        assert cosine == pytest.approx(gain * norm * norm / (norm + case["epsilon"]), rel=1e-12)


@given(inputs.weight_norm())
def test_weight_norm_forgets_the_size_of_the_direction(implementation, case) -> None:
    case = {**case, "epsilon": 0.0}
    got = implementation.call("normalisation.weight_norm", **case)
    longer = implementation.call("normalisation.weight_norm", **{**case, "direction": 5 * case["direction"]})
    np.testing.assert_allclose(longer, got, rtol=1e-12, atol=1e-15)
    rows = got.reshape(len(got), -1)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), np.abs(case["gain"]), rtol=1e-12)


def test_weight_norm_gradient_is_orthogonal_to_the_direction(implementation) -> None:
    generator = torch.Generator().manual_seed(2)
    v = torch.randn(3, 2, 3, 3, generator=generator, dtype=torch.float64).to(implementation.device).requires_grad_()
    w = implementation.find("normalisation.weight_norm")(v, torch.ones(3, dtype=v.dtype, device=v.device))
    (slope,) = torch.autograd.grad((w * torch.randn(w.shape, generator=generator, dtype=w.dtype).to(w)).sum(), v)
    np.testing.assert_allclose((slope * v.detach()).sum((1, 2, 3)).cpu(), 0, atol=1e-12)


@given(inputs.initial_log_gain())
def test_initial_log_gain_by_loops(case) -> None:
    rows = case["direction"].reshape(len(case["direction"]), -1).tolist()
    wanted = [math.log(math.hypot(*row) + 0.01) for row in rows]
    np.testing.assert_allclose(normalisation.initial_log_gain(**case), wanted, rtol=1e-12, atol=1e-13)


def test_initial_log_gain_enlarges_the_weight(rng) -> None:
    """Default initialisation, uniform of bound 1 / sqrt(16 * 9): norms of 0.577, so the weight grows by 1.017."""
    v = rng.uniform(-1, 1, (64, 16, 3, 3)) / math.sqrt(16 * 9)
    w = normalisation.weight_norm(v, np.exp(normalisation.initial_log_gain(v)), 1e-5)
    assert np.mean(w / v) == pytest.approx(1.017, abs=1e-3)


@given(inputs.initial_log_gain())
def test_initial_log_gain_exceeds_the_norm(implementation, case) -> None:
    norms = np.linalg.norm(case["direction"].reshape(len(case["direction"]), -1), axis=1)
    got = implementation.call("normalisation.initial_log_gain", **case)
    np.testing.assert_allclose(np.exp(got) - norms, 0.01, rtol=1e-6)


@pytest.mark.parametrize("target", [0.2, 1.0])
def test_init_by_deviation_sets_the_moments(rng, target: float) -> None:
    x = 3 + 2 * rng.standard_normal((50, 4, 5, 5))
    gain, bias = normalisation.init_by_deviation(x, target)
    y = gain[:, None, None] * x + bias[:, None, None]
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.std((0, 2, 3), ddof=1), target, rtol=1e-5)


@given(inputs.init_by_deviation())
def test_init_by_deviation_by_loops(case) -> None:
    gain, bias = normalisation.init_by_deviation(**case)
    for c, values in enumerate(per_channel(case["output"])):
        mean = math.fsum(values) / len(values)
        d = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
        inverse = 1 / (d / case.get("target", 0.2) + 1e-5)
        assert gain[c] == pytest.approx(inverse, rel=1e-10)
        assert bias[c] == pytest.approx(-mean * inverse, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("target", [0.01, 1.0])
def test_init_by_variance_sets_the_moments(rng, target: float) -> None:
    x = -1 + 0.5 * rng.standard_normal((50, 4, 5, 5))
    gain, bias = normalisation.init_by_variance(x, target)
    y = gain[:, None, None] * x + bias[:, None, None]
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.std((0, 2, 3)), target, rtol=1e-6)


@given(inputs.init_by_variance())
def test_init_by_variance_by_loops(case) -> None:
    gain, bias = normalisation.init_by_variance(**case)
    for c, values in enumerate(per_channel(case["output"])):
        mean = math.fsum(values) / len(values)
        inverse = case.get("target", 0.01) / math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values) + 1e-8)
        assert gain[c] == pytest.approx(inverse, rel=1e-10)
        assert bias[c] == pytest.approx(-mean * inverse, rel=1e-9, abs=1e-9)


@given(inputs.init_by_deviation())
def test_init_centres_the_output(implementation, case) -> None:
    for name, target, correction in (("init_by_deviation", 0.2, 1), ("init_by_variance", 0.01, 0)):
        gain, bias = implementation.call(f"normalisation.{name}", output=case["output"])
        shape = (-1, *[1] * (case["output"].ndim - 2))
        axes = (0, *range(2, case["output"].ndim))
        y = gain.reshape(shape) * case["output"] + bias.reshape(shape)
        np.testing.assert_allclose(y.mean(axes), 0, atol=1e-10)
        np.testing.assert_allclose(y.std(axes, ddof=correction), target, rtol=1e-4)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (normalisation.batch_norm, ([[1.0]], [1.0, 2.0], [0.0]), r"gain must have shape \(1,\), got \(2,\)"),
        (normalisation.batch_norm, ([1.0], [1.0], [0.0]), r"x must have shape \(B, C, \.\.\.\)"),
        (normalisation.batch_norm_eval, ([[1.0]], [1.0], [0.0], [0.0], [-1.0]), r"variance must be >= 0, got -1\.0"),
        (normalisation.batch_norm_swish, ([[1.0]], [1.0], [0.0], 0.0), r"epsilon must be > 0, got 0\.0"),
        (normalisation.batch_norm_swish_eval, ([[1.0]], [np.nan], [0.0], [0.0], [1.0]), r"gain must not contain NaN"),
        (normalisation.running_statistics, ([0.0], [1.0], [[1.0]], 0.1), r"x must hold at least 2 values per channel"),
        (normalisation.readjusted_statistics, ([0.0], [1.0], [[[1.0], [2.0]]], 2.0), r"momentum must lie in \[0, 1\]"),
        (normalisation.effective_batches, (0.0,), r"momentum must be > 0, got 0\.0"),
        (normalisation.gain_penalty, ([[1.0], []],), r"gains must hold at least one channel per layer"),
        (normalisation.weight_norm, ([[0.0]], [1.0]), r"norm of direction \+ epsilon must be > 0, got 0\.0"),
        (normalisation.initial_log_gain, ([1.0],), r"direction must have shape \(O, \.\.\.\), got \(1,\)"),
        (normalisation.init_by_deviation, ([[1.0], [2.0]], 0.0), r"target must be > 0, got 0\.0"),
        (
            normalisation.init_by_deviation,
            ([[1.0]], 1.0),
            r"output must hold at least 2 values per channel, got shape \(1, 1\)",
        ),
        (normalisation.init_by_variance, ([[1.0], [2.0]], 1.0, 0.0), r"epsilon must be > 0, got 0\.0"),
    ],
)
def test_bad_input_is_named(function, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(
            *[
                np.asarray(a) if isinstance(a, list) and function is not normalisation.gain_penalty else a
                for a in arguments
            ]
        )

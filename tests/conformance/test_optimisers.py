"""Optimisers: recursions against torch.optim, averages, clipping, skipping, loss scales."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given

from reference import convolution, normalisation, optimisers, residual_normal
from tests.conformance.first_principles import SAMPLES, assert_mean
from tests.conformance.gradients import assert_no_gradient
from tests.conformance.inputs import optimisers as inputs
from vaes.ops import convolution as convolution_ops
from vaes.ops import normalisation as normalisation_ops
from vaes.ops import optimisers as optimiser_ops
from vaes.ops import residual_normal as residual_normal_ops

STEPS = 25
SHAPE = (3, 4)


def torch_path(optimiser_type, gradients: np.ndarray, start: np.ndarray, **options) -> np.ndarray:
    """Parameters after each step of a torch optimiser."""
    parameter = torch.tensor(start, requires_grad=True)
    optimiser = optimiser_type([parameter], **options)
    path = []
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimiser.step()
        path.append(parameter.detach().numpy().copy())
    return np.stack(path)


def own_path(step, gradients: np.ndarray, start: np.ndarray, **options) -> np.ndarray:
    """Parameters after each step of a recursion."""
    state, path = (start, np.zeros_like(start), np.zeros_like(start)), []
    for i, gradient in enumerate(gradients):
        parameter, *moments = state
        state = step(parameter, gradient, *moments, count=i + 1, **options)
        path.append(np.asarray(state[0]))
    return np.stack(path)


def problem(rng) -> tuple[np.ndarray, np.ndarray]:
    """Gradients with zeros, spikes and a change of scale, and a start."""
    gradients = rng.standard_normal((STEPS, *SHAPE)) * np.exp(rng.uniform(-6, 3, (STEPS, 1, 1)))
    gradients[0, 0, 0] = gradients[5] = 0
    gradients[10] *= 1e4
    return gradients, rng.standard_normal(SHAPE)


@pytest.mark.parametrize("options", [{}, {"epsilon": 1e-3}, {"beta1": 0.5, "beta2": 0.9}])
def test_adam_matches_torch(rng, options) -> None:
    gradients, start = problem(rng)
    ours = {"betas": (options.get("beta1", 0.9), options.get("beta2", 0.999)), "eps": options.get("epsilon", 1e-8)}
    wanted = torch_path(torch.optim.Adam, gradients, start, lr=1e-3, **ours)
    np.testing.assert_allclose(own_path(optimisers.adam, gradients, start, rate=1e-3, **options), wanted, rtol=1e-12)


@pytest.mark.parametrize("decay", [0.0, 0.01, 0.5])
def test_adamw_matches_torch(rng, decay: float) -> None:
    gradients, start = problem(rng)
    wanted = torch_path(torch.optim.AdamW, gradients, start, lr=1e-2, betas=(0.9, 0.9), weight_decay=decay)
    got = own_path(optimisers.adamw, gradients, start, rate=1e-2, decay=decay, beta2=0.9)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("decay", "epsilon"), [(0.0, 1e-8), (3e-4, 1e-3)])
def test_adamax_matches_torch(rng, decay: float, epsilon: float) -> None:
    gradients, start = problem(rng)
    wanted = torch_path(torch.optim.Adamax, gradients, start, lr=2e-3, weight_decay=decay, eps=epsilon)
    got = own_path(optimisers.adamax, gradients, start, rate=2e-3, decay=decay, epsilon=epsilon)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("gradient", [0.3, -2e-9, 50.0])
def test_adam_of_a_constant_gradient(gradient: float) -> None:
    """Every step is rate * g / (|g| + epsilon): the corrected moments are g and g^2 from the start."""
    path = own_path(optimisers.adam, np.full((STEPS, 1), gradient), np.zeros(1), rate=0.1)
    wanted = -0.1 * gradient / (abs(gradient) + 1e-8) * np.arange(1, STEPS + 1)[:, None]
    np.testing.assert_allclose(path, wanted, rtol=1e-12)


@pytest.mark.parametrize("gradient", [0.3, -2e-9, 50.0])
def test_adamax_of_a_constant_gradient(gradient: float) -> None:
    path = own_path(optimisers.adamax, np.full((STEPS, 1), gradient), np.zeros(1), rate=0.1)
    wanted = -0.1 * gradient / (abs(gradient) + 1e-8) * np.arange(1, STEPS + 1)[:, None]
    np.testing.assert_allclose(path, wanted, rtol=1e-12)


def test_decoupled_decay_of_a_zero_gradient() -> None:
    """Without gradient AdamW shrinks geometrically; Adamax with decay in the gradient moves by the rate."""
    zeros = np.zeros((STEPS, 1))
    path = own_path(optimisers.adamw, zeros, np.ones(1), rate=0.1, decay=0.01)
    np.testing.assert_allclose(path[:, 0], 0.999 ** np.arange(1, STEPS + 1), rtol=1e-13)
    coupled = own_path(optimisers.adamax, zeros, np.ones(1), rate=0.01, decay=1e-3)
    np.testing.assert_allclose(coupled[0], 1 - 0.01, rtol=1e-6)


def test_only_large_spikes_are_forgotten_sooner_by_adamax() -> None:
    """The papers' reason for Adamax holds only for spikes above 1 / (1 - beta2) times the usual gradient.

    After a spike G the norm is G beta2^k in Adamax and G sqrt(1 - beta2) beta2^(k/2) in Adam: a decay twice as fast
    from a higher start (31.6 times at beta2 = 0.999, 10 times here).
    """
    options = {"rate": 1e-9, "beta1": 0.0, "beta2": 0.99}

    def steps_to_forget(step, spike: float) -> int:
        zero = np.zeros(())
        state = step(zero, np.asarray(spike), zero, zero, count=1, **options)
        for k in range(10_000):
            size = state[2] if step is optimisers.adamax else math.sqrt(state[2])
            if size <= 1:
                return k
            state = step(state[0], zero, *state[1:], count=k + 2, **options)
        raise AssertionError("never forgotten")

    for spike, sooner, later in (
        (50.0, optimisers.adam, optimisers.adamax),
        (500.0, optimisers.adamax, optimisers.adam),
    ):
        assert steps_to_forget(sooner, spike) < steps_to_forget(later, spike)


@given(inputs.adam())
def test_adam_is_scale_invariant(implementation, case) -> None:
    """With epsilon = 0 a power of two in the gradients leaves the step alone, bit for bit."""
    case = {**case, "gradient": np.where(case["gradient"] == 0, 0.5, case["gradient"]), "epsilon": 0.0}
    scaled = {**case, "gradient": 8 * case["gradient"], "first": 8 * case["first"], "second": 64 * case["second"]}
    plain, other = (implementation.call("optimisers.adam", **c) for c in (case, scaled))
    np.testing.assert_allclose(other[0], plain[0], rtol=1e-13)
    np.testing.assert_allclose(other[1], 8 * plain[1], rtol=1e-13)
    assert (plain[2] >= 0).all()


@given(inputs.adamw())
def test_adamw_without_decay_is_adam(implementation, case) -> None:
    plain = {name: value for name, value in case.items() if name != "decay"}
    wanted = implementation.call("optimisers.adam", **plain)
    got = implementation.call("optimisers.adamw", **case)
    for one, two in zip(got[1:], wanted[1:], strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(
        got[0], wanted[0] - case["rate"] * case["decay"] * case["parameter"], rtol=1e-9, atol=1e-9
    )


@given(inputs.adamax())
def test_adamax_first_step_is_at_most_the_rate(implementation, case) -> None:
    zero = np.zeros_like(case["parameter"])
    first = {**case, "first": zero, "norm": zero, "count": 1, "decay": 0.0}
    parameter, _, norm = implementation.call("optimisers.adamax", **first)
    assert (np.abs(parameter - case["parameter"]) <= case["rate"] * (1 + 1e-9) + 1e-12).all()
    np.testing.assert_allclose(norm, np.abs(case["gradient"]) + case.get("epsilon", 1e-8), rtol=1e-12)


def test_ema_is_a_weighted_sum(rng) -> None:
    values, decay = rng.standard_normal(12), 0.7
    average = values[0]
    for value in values[1:]:
        average = optimisers.ema(average, value, decay)
    weights = np.array([decay**11, *((1 - decay) * decay ** np.arange(10, -1, -1))])
    assert weights.sum() == pytest.approx(1)
    assert float(average) == pytest.approx(weights @ values, rel=1e-12)


def test_ema_half_life() -> None:
    """With 0.9999 a change of the parameter has entered by half after 6931 steps."""
    average = np.asarray(0.0)
    for _ in range(6931):
        average = optimisers.ema(average, 1.0, 0.9999)
    assert float(average) == pytest.approx(0.5, abs=1e-4)


def test_ema_matches_torch(rng) -> None:
    values = torch.as_tensor(rng.standard_normal((10, 3)))
    module = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64)
    module.weight.data = values[:1].clone()
    averaged = torch.optim.swa_utils.AveragedModel(module, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    averaged.update_parameters(module)
    average = values[0].numpy()
    for value in values[1:]:
        module.weight.data = value[None].clone()
        averaged.update_parameters(module)
        average = optimisers.ema(average, value.numpy(), 0.9)
    np.testing.assert_allclose(average, averaged.module.weight.detach().numpy()[0], rtol=1e-12)


@given(inputs.ema())
def test_ema_lies_between(implementation, case) -> None:
    got = implementation.call("optimisers.ema", **case)
    low, high = np.minimum(case["average"], case["parameter"]), np.maximum(case["average"], case["parameter"])
    slack = 1e-12 * (1 + np.abs(low) + np.abs(high))
    assert ((got >= low - slack) & (got <= high + slack)).all()
    kept = implementation.call("optimisers.ema", **{**case, "decay": 1.0})
    np.testing.assert_array_equal(kept, case["average"])


@given(inputs.adam())
def test_adam_carries_no_gradient(implementation, case) -> None:
    assert_no_gradient(implementation, "optimisers.adam", case)


@given(inputs.adamw())
def test_adamw_carries_no_gradient(implementation, case) -> None:
    assert_no_gradient(implementation, "optimisers.adamw", case)


@given(inputs.adamax())
def test_adamax_carries_no_gradient(implementation, case) -> None:
    assert_no_gradient(implementation, "optimisers.adamax", case)


@given(inputs.ema())
def test_ema_carries_no_gradient(implementation, case) -> None:
    assert_no_gradient(implementation, "optimisers.ema", case)


@given(inputs.global_norm())
def test_global_norm_is_that_of_one_vector(case) -> None:
    vector = np.concatenate([g.ravel() for g in case["gradients"]])
    np.testing.assert_allclose(optimisers.global_norm(**case), np.linalg.norm(vector), rtol=1e-13)


@given(inputs.clip_by_global_norm())
def test_clip_by_global_norm_matches_torch(case) -> None:
    """Torch adds 1e-6 to the norm, the definition does not."""
    parameters = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in case["gradients"]]
    for parameter, gradient in zip(parameters, case["gradients"], strict=True):
        parameter.grad = torch.as_tensor(gradient.copy())
    norm = torch.nn.utils.clip_grad_norm_(parameters, case["most"])
    np.testing.assert_allclose(optimisers.global_norm(case["gradients"]), norm.numpy(), rtol=1e-12)
    for got, parameter in zip(optimisers.clip_by_global_norm(**case), parameters, strict=True):
        np.testing.assert_allclose(got, parameter.grad.numpy(), rtol=1e-5)


@given(inputs.clip_by_global_norm())
def test_clip_by_global_norm_by_cases(case) -> None:
    norm = math.sqrt(sum(x * x for g in case["gradients"] for x in g.ravel().tolist()))
    for got, gradient in zip(optimisers.clip_by_global_norm(**case), case["gradients"], strict=True):
        wanted = gradient if norm <= case["most"] else gradient * case["most"] / norm
        np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_global_norm_survives_large_and_broken_gradients() -> None:
    assert float(optimisers.global_norm([[3e200], [4e200]])) == pytest.approx(5e200)
    assert float(optimisers.global_norm([[0.0], [0.0, 0.0]])) == 0
    assert np.isinf(optimisers.global_norm([[1.0], [np.inf]]))
    assert np.isnan(optimisers.global_norm([[1.0, np.nan], [np.inf]]))
    assert optimisers.skips(optimisers.global_norm([[np.nan]]), 800.0)


@given(inputs.global_norm())
def test_global_norm_is_homogeneous(implementation, case) -> None:
    """The norm is linear in the loss, also where a square overflows or underflows."""
    got = implementation.call("optimisers.global_norm", **case)
    for factor in (-3.0, 2.0**-600, 2.0**600):
        scaled = [g * factor for g in case["gradients"]]
        np.testing.assert_allclose(
            implementation.call("optimisers.global_norm", gradients=scaled), abs(factor) * got, rtol=1e-12
        )
    broken = [*case["gradients"], np.array([np.nan])]
    assert np.isnan(implementation.call("optimisers.global_norm", gradients=broken))
    infinite = [*case["gradients"], np.array([-np.inf])]
    assert np.isinf(implementation.call("optimisers.global_norm", gradients=infinite))


@given(inputs.clip_by_global_norm())
def test_clip_by_global_norm_keeps_the_direction(implementation, case) -> None:
    got = implementation.call("optimisers.clip_by_global_norm", **case)
    norm = float(implementation.call("optimisers.global_norm", gradients=list(got)))
    assert norm <= case["most"] * (1 + 1e-12)
    before = float(implementation.call("optimisers.global_norm", gradients=case["gradients"]))
    for one, gradient in zip(got, case["gradients"], strict=True):
        np.testing.assert_allclose(one * before, gradient * norm, rtol=1e-9, atol=1e-9)
        if before < case["most"]:
            np.testing.assert_array_equal(one, gradient)


@given(inputs.skips())
def test_skips_by_cases(case) -> None:
    wanted = [math.isnan(n) or math.isinf(n) or n >= case["threshold"] for n in case["norm"].tolist()]
    assert optimisers.skips(**case).tolist() == wanted
    assert float(optimisers.skip_rate(**case)) == pytest.approx(sum(wanted) / len(wanted))


@pytest.mark.parametrize(
    ("norm", "skipped"), [(799.9, False), (800.0, True), (math.nan, True), (math.inf, True), (0.0, False)]
)
def test_skips_at_the_threshold_of_the_paper(norm: float, skipped: bool) -> None:
    assert bool(optimisers.skips(norm, 800.0)) == skipped
    assert bool(optimisers.skips(norm, math.inf)) == (not math.isfinite(norm))


@given(inputs.skips())
def test_skip_rate_falls_with_the_threshold(implementation, case) -> None:
    """Monotone in the threshold; what is not finite is skipped under every threshold."""
    rates = [
        float(implementation.call("optimisers.skip_rate", **{**case, "threshold": t}))
        for t in (1.0, 800.0, 1e7, math.inf)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(np.mean(~np.isfinite(case["norm"])))


def test_skip_rate_of_a_replayed_run() -> None:
    norms = [1.0, 900.0, 2.0, math.nan, 3.0, 800.0, 10.0, 799.0, math.inf, 5.0]
    assert float(optimisers.skip_rate(norms, 800.0)) == pytest.approx(0.4)
    assert float(optimisers.skip_rate(norms, 1200.0)) == pytest.approx(0.2)


@given(inputs.skip_rate())
def test_skip_rate_carries_no_gradient(implementation, case) -> None:
    assert_no_gradient(implementation, "optimisers.skip_rate", case)


@given(inputs.skips())
def test_skips_are_the_complement_of_applied_updates(implementation, case) -> None:
    got = implementation.call("optimisers.skips", **case)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(got, ~(np.isfinite(case["norm"]) & (case["norm"] < case["threshold"])))


@given(inputs.diverged())
def test_diverged_by_string_search(case) -> None:
    word = "".join("s" if s else "." for s in optimisers.skips(case["norm"], case["threshold"]))
    assert bool(optimisers.diverged(**case)) == ("s" * case["patience"] in word)


def test_diverged_needs_consecutive_skips() -> None:
    rarely = [math.nan, 1.0] * 200
    assert not optimisers.diverged(rarely, 800.0)
    assert optimisers.diverged([1.0] * 5 + [math.nan] * 100, 800.0)
    assert not optimisers.diverged([1.0] * 5 + [math.nan] * 99, 800.0)


@given(inputs.diverged())
def test_diverged_ignores_what_comes_after(implementation, case) -> None:
    """Nothing that follows a divergence takes it back, and a run shorter than the patience cannot diverge."""
    longer = {**case, "norm": np.concatenate([case["norm"], [1e-3]])}
    plain = bool(implementation.call("optimisers.diverged", **case))
    assert not plain or bool(implementation.call("optimisers.diverged", **longer))
    assert not implementation.call("optimisers.diverged", **{**case, "patience": len(case["norm"]) + 1})
    broken = np.full(case["patience"], np.nan)
    assert implementation.call("optimisers.diverged", **{**case, "norm": broken})


def test_unscale_matches_the_gradient_scaler() -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for broken in (0.0, math.inf, math.nan):
        parameter = torch.zeros(3, requires_grad=True)
        optimiser = torch.optim.SGD([parameter], lr=1.0)
        scaler.scale(torch.zeros(()))
        parameter.grad = torch.tensor([1024.0, -3.0, 7.0 + broken])
        scaled = parameter.grad.double().numpy().copy()
        scaler.unscale_(optimiser)
        (gradient,), usable = optimisers.unscale([scaled], scaler.get_scale()), optimisers.all_finite([scaled])
        np.testing.assert_array_equal(gradient, parameter.grad.double().numpy())
        scaler.step(optimiser)
        assert bool(usable) == bool((parameter != 0).any())
        scaler.update()


def test_loss_scale_matches_the_gradient_scaler(rng) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=3)
    parameter = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.SGD([parameter], lr=0.0)
    scale, streak = 1024.0, 0
    for overflow in rng.random(60) < 0.2:
        scaler.scale(torch.zeros(()))
        parameter.grad = torch.tensor([math.inf if overflow else 1.0])
        scaler.step(optimiser)
        scaler.update()
        scale, streak = (x.item() for x in optimisers.loss_scale(scale, streak, not overflow, 3))
        assert scale == scaler.get_scale()


@pytest.mark.parametrize("scale", [1.0, 2.0**10, 2.0**14])
def test_update_is_independent_of_the_loss_scale(scale: float) -> None:
    """A power of two costs no digits in half precision while nothing overflows; without it small gradients vanish."""
    gradient = np.array([1.5, -(2.0**-12)])
    half = (gradient * scale).astype(np.float16).astype(float)
    np.testing.assert_array_equal(optimisers.unscale([half], scale)[0], gradient)
    tiny = 2.0**-30
    assert np.float16(tiny) == 0
    assert optimisers.unscale([float(np.float16(tiny * 2.0**10))], 2.0**10)[0] == tiny


def test_overflow_in_half_precision_is_found() -> None:
    with np.errstate(over="ignore"):
        half = np.array([1.5, 2.0**-12]) * 2.0 ** np.array([[14], [16]]).astype(np.float64)
        rows = half.astype(np.float16).astype(float)
    assert optimisers.all_finite([rows[0]])
    assert not optimisers.all_finite([rows[0], rows[1]])


def residual_cell(norms, convolutions, x, layers, excite):
    """Batch normalisation, Swish and convolution, three times, then the gate; ``norms`` and ``convolutions`` do it."""
    for gain, shift, kernel, bias in layers:
        x = convolutions.same(norms.batch_norm_swish(x, gain, shift), kernel, bias, 1)
    return convolutions.squeeze_excite(x, *excite)


def cell_in_half_precision(rng) -> tuple[np.ndarray, list[list[np.ndarray]], list[np.ndarray]]:
    """Input, layers (1x1, depthwise 5x5, 1x1) and gate, exact in half precision; squares of the input overflow."""

    def draw(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * rng.standard_normal(shape)).astype(np.float16).astype(float)

    layers = []
    for inputs_, outputs, share, side in [(8, 24, 8, 1), (24, 24, 1, 5), (24, 8, 24, 1)]:
        kernel = draw(outputs, share, side, side, scale=1 / math.sqrt(share * side**2))
        layers.append([1 + draw(inputs_, scale=0.125), draw(inputs_, scale=0.1), kernel, draw(outputs, scale=0.1)])
    layers[0][0] = np.ones(8)
    excite = [draw(4, 8, scale=0.3), draw(4), draw(8, 4, scale=0.5), draw(8)]
    return draw(4, 8, 16, 16, scale=100.0), layers, excite


def largest_relative_error(got: torch.Tensor, wanted: np.ndarray) -> float:
    return float(np.abs(got.detach().double().numpy() - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("seed", range(3))
def test_half_precision_forward_is_near_double(seed: int) -> None:
    """Measured once: at most 0.0017 in half precision (frozen: 0.004); with three bits fewer the bound must break."""
    x, layers, excite = cell_in_half_precision(np.random.default_rng(seed))
    assert (x**2).max() > np.finfo(np.float16).max
    wanted = residual_cell(normalisation, convolution, x, layers, excite)

    def error(dtype: torch.dtype) -> float:
        narrow = [[torch.as_tensor(a).to(dtype) for a in arrays] for arrays in ([x], *layers, excite)]
        got = residual_cell(normalisation_ops, convolution_ops, narrow[0][0], narrow[1:-1], narrow[-1])
        assert got.dtype == dtype
        return largest_relative_error(got, wanted)

    assert error(torch.float16) < 0.004 < error(torch.bfloat16)


@pytest.mark.parametrize("loss", [1.0, 2.0**-17])
def test_half_precision_backward_reaches_the_master_weights(rng, loss: float) -> None:
    """Half precision in between, a loss scale of 2^10: float32 gradients near those in float64.

    Those of the small loss arrive only because of the scale.
    """
    x, layers, excite = cell_in_half_precision(rng)
    cotangent = rng.choice([-1.0, 1.0], x.shape)

    def gradients(master: torch.dtype, inner: torch.dtype, scale: float) -> list[torch.Tensor]:
        weights = [[torch.as_tensor(a).to(master).requires_grad_() for a in layer] for layer in layers]
        narrow = [[w.to(inner) for w in layer] for layer in weights]
        fixed = [torch.as_tensor(a).to(inner) for a in excite]
        out = residual_cell(normalisation_ops, convolution_ops, torch.as_tensor(x).to(inner), narrow, fixed)
        out.backward(torch.as_tensor(scale * loss * cotangent / 64).to(inner))
        return [w.grad for layer in weights for w in layer]

    exact = gradients(torch.float64, torch.float64, 1.0)
    found = optimiser_ops.unscale(gradients(torch.float32, torch.float16, 1024.0), torch.tensor(1024.0))
    assert optimiser_ops.all_finite(found)
    assert all(g.dtype == torch.float32 for g in found)
    size = max(float(g.abs().max()) for g in exact)
    assert max(float((g.double() - w).abs().max()) for g, w in zip(found, exact, strict=True)) < 0.01 * size
    if loss < 1:
        lost = gradients(torch.float32, torch.float16, 1.0)
        assert max(float((g.double() - w).abs().max()) for g, w in zip(lost, exact, strict=True)) > 0.1 * size


def test_sums_of_divergences_need_single_precision() -> None:
    """300 latents at the largest ratio of scales: their sum is infinite in half precision."""
    raw = [torch.full((300,), value) for value in (0.0, -60.0, 0.0, 120.0)]
    total = residual_normal_ops.bounded_kl(*raw)
    exact = residual_normal.bounded_kl(*(r.double().numpy() for r in raw))
    assert float(total) == pytest.approx(float(exact), rel=1e-5)
    assert torch.isinf(total.half())


@given(inputs.all_finite())
def test_all_finite_by_counting(case) -> None:
    entries = [x for g in case["gradients"] for x in g.ravel().tolist()]
    assert bool(optimisers.all_finite(**case)) == all(map(math.isfinite, entries))


@given(inputs.all_finite())
def test_all_finite_sees_one_bad_entry(implementation, case) -> None:
    got = implementation.call("optimisers.all_finite", **case)
    assert bool(got) == all(np.isfinite(g).all() for g in case["gradients"])
    for bad in (np.nan, np.inf, -np.inf):
        assert not implementation.call("optimisers.all_finite", gradients=[*case["gradients"], np.array([1.0, bad])])


@given(inputs.unscale())
def test_unscale_loses_no_digits(implementation, case) -> None:
    for got, gradient in zip(implementation.call("optimisers.unscale", **case), case["gradients"], strict=True):
        np.testing.assert_array_equal(got * case["scale"], gradient)


@given(inputs.loss_scale())
def test_loss_scale_rules(implementation, case) -> None:
    scale, streak = implementation.call("optimisers.loss_scale", **case)
    ratio = float(scale / case["scale"])
    assert ratio == (0.5 if not case["usable"] else 2.0 if case["streak"] + 1 == case["interval"] else 1.0)
    assert int(streak) == (case["streak"] + 1 if ratio == 1 else 0)


@given(inputs.weight_decay_penalty())
def test_weight_decay_penalty_by_summation(case) -> None:
    with mpmath.workdps(30):
        total = sum(mpmath.mpf(x) ** 2 for w in case["weights"] for x in w.ravel().tolist())
        wanted = float(case["coefficient"] * total / 2)
    assert float(optimisers.weight_decay_penalty(**case)) == pytest.approx(wanted, rel=1e-12)


def test_weight_decay_penalty_is_the_decay_of_sgd(rng) -> None:
    """Torch's coupled weight decay is the gradient of this penalty."""
    start = torch.as_tensor(rng.standard_normal(4)).requires_grad_()
    optimiser = torch.optim.SGD([start], lr=0.1, weight_decay=1e-2)
    before, h = start.detach().numpy().copy(), 1e-5
    start.grad = torch.zeros(4, dtype=torch.float64)
    optimiser.step()
    for i, moved in enumerate(start.detach().numpy()):
        step = h * np.eye(4)[i]
        slope = optimisers.weight_decay_penalty([before + step], 1e-2) - optimisers.weight_decay_penalty(
            [before - step], 1e-2
        )
        assert moved == pytest.approx(before[i] - 0.1 * float(slope) / (2 * h), rel=1e-8)


@given(inputs.weight_decay_penalty())
def test_weight_decay_penalty_is_quadratic(implementation, case) -> None:
    got = implementation.call("optimisers.weight_decay_penalty", **case)
    doubled = {**case, "weights": [-2 * w for w in case["weights"]]}
    np.testing.assert_allclose(implementation.call("optimisers.weight_decay_penalty", **doubled), 4 * got, rtol=1e-12)
    split = {**case, "weights": [w.ravel() for w in case["weights"][::-1]]}
    np.testing.assert_allclose(implementation.call("optimisers.weight_decay_penalty", **split), got, rtol=1e-12)


def test_gradient_variance_of_a_linear_model(rng) -> None:
    """Half the squared error of w x + s e - y: the gradient (w x + s e - y) x has variance s^2 |x|^2."""
    x, y, w, s = np.array([0.5, -1.0, 2.0]), 0.7, np.array([1.0, 0.5, -0.25]), 0.6
    gradients = (w @ x - y + s * rng.standard_normal((SAMPLES // 4, 1))) * x
    variances = np.array([optimisers.gradient_variance(block)[0] for block in gradients.reshape(-1, 10, 3)])
    assert_mean(variances, s**2 * x @ x, planted=0.03)
    _, ratio = optimisers.gradient_variance(gradients)
    assert float(ratio) == pytest.approx((w @ x - y) ** 2 / s**2, rel=0.02)


@given(inputs.gradient_variance())
def test_gradient_variance_by_pairs(case) -> None:
    """Half the mean squared difference over all pairs of draws."""
    g = case["gradients"]
    pairs = [np.sum((g[i] - g[j]) ** 2) for i in range(len(g)) for j in range(i)]
    variance, ratio = optimisers.gradient_variance(g)
    np.testing.assert_allclose(variance, np.mean(pairs) / 2, rtol=1e-10)
    np.testing.assert_allclose(ratio, np.sum((sum(g) / len(g)) ** 2) / variance, rtol=1e-10)


def test_gradient_variance_without_noise() -> None:
    variance, ratio = optimisers.gradient_variance(np.ones((4, 3)))
    assert float(variance) == 0
    assert np.isinf(ratio)


@given(inputs.gradient_variance())
def test_gradient_variance_ignores_a_shift(implementation, case) -> None:
    variance, _ = implementation.call("optimisers.gradient_variance", **case)
    moved, _ = implementation.call("optimisers.gradient_variance", gradients=case["gradients"] + 3.0)
    np.testing.assert_allclose(moved, variance, rtol=1e-9)
    doubled, _ = implementation.call("optimisers.gradient_variance", gradients=2 * case["gradients"])
    np.testing.assert_allclose(doubled, 4 * variance, rtol=1e-9)
    twice = np.repeat(case["gradients"], 2, axis=0)
    repeated, _ = implementation.call("optimisers.gradient_variance", gradients=twice)
    draws = len(case["gradients"])
    np.testing.assert_allclose(repeated * (2 * draws - 1), 2 * variance * (draws - 1), rtol=1e-9)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (optimisers.adam, (0.0, 1.0, 0.0, -1.0, 1, 1e-3), r"second must be >= 0, got -1\.0"),
        (optimisers.adam, (0.0, np.nan, 0.0, 0.0, 1, 1e-3), r"gradient must not contain NaN, got nan"),
        (optimisers.adamw, (0.0, 1.0, 0.0, 0.0, 1, 1e-3, -0.1), r"decay must be >= 0, got -0\.1"),
        (optimisers.adamax, (0.0, 1.0, 0.0, 0.0, 0, 1e-3), r"count must be an integer >= 1, got 0"),
        (optimisers.ema, (0.0, 1.0, 1.5), r"decay must lie in \[0, 1\], got 1\.5"),
        (optimisers.global_norm, ([],), r"at least one array is needed, got none"),
        (optimisers.clip_by_global_norm, ([[1.0]], 0.0), r"most must be > 0, got 0\.0"),
        (optimisers.skips, ([1.0], math.nan), r"threshold must be > 0, got nan"),
        (optimisers.skip_rate, (1.0, 800.0), r"norm must have shape \(T >= 1,\), got \(\)"),
        (optimisers.diverged, ([1.0], 800.0, 0), r"patience must be an integer >= 1, got 0"),
        (optimisers.unscale, ([[1.0]], 0.0), r"scale must be > 0, got 0\.0"),
        (optimisers.all_finite, ([],), r"at least one array is needed, got none"),
        (optimisers.loss_scale, (1.0, -1, True), r"streak must be an integer >= 0, got -1"),
        (optimisers.weight_decay_penalty, ([[1.0]], -1.0), r"coefficient must be >= 0, got -1\.0"),
        (optimisers.gradient_variance, ([[1.0]],), r"gradients must have shape \(S >= 2, P\), got \(1, 1\)"),
    ],
)
def test_bad_input_is_named(function, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)

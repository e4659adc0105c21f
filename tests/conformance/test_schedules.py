"""Schedules."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from reference import schedules
from tests.conformance.first_principles import at_50_digits
from tests.conformance.gradients import assert_no_gradient
from tests.conformance.inputs import schedules as inputs


@given(inputs.kl_warmup())
def test_kl_warmup_matches_interpolation(case) -> None:
    start, end = case["start"], case["start"] + case["length"]
    np.testing.assert_allclose(schedules.kl_warmup(**case), np.interp(case["step"], [start, end], [0, 1]), atol=1e-12)


@pytest.mark.parametrize(
    ("step", "weight"), [(0, 0), (10_000, 0), (260_000, 0.5), (500_000, 0.98), (510_000, 1), (10**6, 1)]
)
def test_kl_warmup_of_the_paper(step: int, weight: float) -> None:
    """The weight reaches 1 at step 510,000, not 500,000."""
    assert float(schedules.kl_warmup(step, 10_000, 500_000)) == pytest.approx(weight)


@given(inputs.kl_warmup())
def test_kl_warmup_never_falls(implementation, case) -> None:
    weights = implementation.call("schedules.kl_warmup", **{**case, "step": np.sort(case["step"])})
    assert (np.diff(weights) >= 0).all()
    assert weights.min() >= 0
    assert weights.max() <= 1


@given(inputs.kl_warmup_shifted())
def test_kl_warmup_shifted_matches_interpolation(case) -> None:
    start, length = case["start"], case["length"]
    wanted = np.maximum(np.interp(case["step"], [start, 2 * start + length], [0, 1]), case["floor"])
    np.testing.assert_allclose(schedules.kl_warmup_shifted(**case), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("step", "weight"), [(0, 1e-4), (21, 1e-4), (5021, 5000 / 5021), (5041, 5020 / 5021), (5042, 1)]
)
def test_kl_warmup_shifted_of_the_code(step: int, weight: float) -> None:
    """One is first reached at step 5042 = 2 * 21 + 5000."""
    assert float(schedules.kl_warmup_shifted(step, 21, 5000, 1e-4)) == pytest.approx(weight, abs=1e-15)


@given(inputs.kl_warmup_shifted())
def test_kl_warmup_shifted_never_falls(implementation, case) -> None:
    weights = implementation.call("schedules.kl_warmup_shifted", **{**case, "step": np.sort(case["step"])})
    assert (np.diff(weights) >= 0).all()
    assert weights.min() >= case["floor"]
    end = np.array([2 * case["start"] + case["length"]])
    np.testing.assert_array_equal(implementation.call("schedules.kl_warmup_shifted", **{**case, "step": end}), 1)


@given(inputs.kl_warmup_portion())
def test_kl_warmup_portion_matches_interpolation(case) -> None:
    total, delay, portion = case["total"], case["delay"], case["portion"]
    if portion:
        line = np.interp(case["step"], [delay * total, (delay + portion) * total], [0, 1])
        np.testing.assert_allclose(schedules.kl_warmup_portion(**case), np.maximum(line, case["floor"]), atol=1e-12)


@pytest.mark.parametrize(("step", "weight"), [(0, 1e-4), (11_708, 0.5), (23_407, 1), (23_408, 1), (78_000, 1)])
def test_kl_warmup_portion_of_the_code(step: int, weight: float) -> None:
    """CIFAR-10 has 78,000 steps; the first weight of exactly 1 is at 23,408 = ceil(0.3001 * 78,000)."""
    got = float(schedules.kl_warmup_portion(step, 78_000, 1e-4, 0.3, 1e-4))
    assert got == pytest.approx(weight, abs=1e-4 if step == 23_407 else 1e-5)
    assert (got == 1) == (step >= 23_408)


@given(inputs.kl_warmup_portion())
def test_kl_warmup_portion_stays_between_floor_and_one(implementation, case) -> None:
    weights = implementation.call("schedules.kl_warmup_portion", **{**case, "step": np.sort(case["step"])})
    assert (np.diff(weights) >= 0).all()
    assert ((weights >= case["floor"]) & (weights <= 1)).all()
    whole = implementation.call("schedules.kl_warmup_portion", **{**case, "portion": 0.0})
    np.testing.assert_array_equal(whole, 1)


@given(inputs.kl_warmup_logistic())
def test_kl_warmup_logistic_has_logit_linear_in_the_step(case) -> None:
    weights = schedules.kl_warmup_logistic(**case)
    wanted = case["rate"] * (case["step"] - case["midpoint"])
    inner = np.abs(wanted) < 20
    np.testing.assert_allclose(special.logit(weights[inner]), wanted[inner], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("step", [0.0, 10_000.0, 300_000.0])
def test_kl_warmup_logistic_at_50_digits(step: float) -> None:
    wanted = at_50_digits(lambda t, g: 1 / (1 + mpmath.exp(-g * (t - 10_000))), step, 1e-5)
    got = float(schedules.kl_warmup_logistic(step, 10_000, 1e-5))
    assert got == pytest.approx(wanted, rel=1e-14)
    assert step > 0 or got == pytest.approx(0.475, abs=1e-4)


@given(inputs.kl_warmup_logistic())
def test_kl_warmup_logistic_is_symmetric(implementation, case) -> None:
    early = implementation.call("schedules.kl_warmup_logistic", **case)
    late = implementation.call("schedules.kl_warmup_logistic", **{**case, "step": 2 * case["midpoint"] - case["step"]})
    np.testing.assert_allclose(early + late, 1, rtol=1e-12)
    assert ((early <= 0.5) == (case["step"] <= case["midpoint"])).all()


@pytest.mark.parametrize("epochs_left", [0, 1, 4])
def test_warmup_then_cosine_near_its_end_at_50_digits(implementation, epochs_left: int) -> None:
    """The cosine is nearly -1 there, and 1 added to it has lost digits."""
    floor, epochs = 1e-9, 400
    wanted = at_50_digits(
        lambda peak, low: low + (peak - low) / 2 * (1 + mpmath.cos(mpmath.pi * (1 - mpmath.mpf(epochs_left) / 398))),
        1e-2,
        floor,
    )
    arguments = {"steps_per_epoch": 3, "warmup_epochs": 1, "epochs": epochs, "peak": 1e-2, "floor": floor}
    arguments["step"] = np.array(3.0 * (epochs - 1 - epochs_left))
    for found in (
        schedules.warmup_then_cosine(**arguments),
        implementation.call("schedules.warmup_then_cosine", **arguments),
    ):
        assert float(found) == pytest.approx(wanted, rel=1e-14, abs=0)


@pytest.mark.parametrize(("first", "last"), [(10.0, 0.01), (1.0, 0.1), (0.3, 0.3)])
def test_geometric_interpolation_matches_geomspace(first: float, last: float) -> None:
    got = schedules.geometric_interpolation(np.linspace(0, 1, 11), first, last)
    np.testing.assert_allclose(got, np.geomspace(first, last, 11), rtol=1e-13)


def test_geometric_interpolation_midpoint() -> None:
    assert float(schedules.geometric_interpolation(0.5, 10, 0.01)) == pytest.approx(0.3162, abs=5e-5)
    curve = np.log(schedules.geometric_interpolation(np.linspace(0, 1, 5), 10, 0.01))
    np.testing.assert_allclose(np.diff(curve, 2), 0, atol=1e-13)


@given(inputs.geometric_interpolation())
def test_geometric_interpolation_lies_between_its_ends(implementation, case) -> None:
    got = implementation.call("schedules.geometric_interpolation", **case)
    low, high = sorted((case["first"], case["last"]))
    assert ((got >= low * (1 - 1e-12)) & (got <= high * (1 + 1e-12))).all()
    ends = implementation.call("schedules.geometric_interpolation", **{**case, "weight": np.array([0.0, 1.0])})
    np.testing.assert_allclose(ends, [case["first"], case["last"]], rtol=1e-12)


def torch_rates(scheduler, optimiser, epochs: int) -> list[float]:
    rates = []
    for _ in range(epochs):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("carry", [False, True])
def test_warmup_then_cosine_matches_torch(carry: bool) -> None:
    """The recursive cosine of torch, started at the peak or at the last rate of the warm-up."""
    n, warm, epochs, peak, floor = 4, 3, 40, 0.01, 1e-4
    start = peak * (1 - 1 / (warm * n)) if carry else peak
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=start)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs - warm - 1, floor)
    wanted = torch_rates(cosine, optimiser, epochs - warm)
    steps = n * np.arange(warm, epochs)
    got = schedules.warmup_then_cosine(steps, n, warm, epochs, peak, floor, carry)
    np.testing.assert_allclose(got, wanted, rtol=1e-10)
    ramp = schedules.warmup_then_cosine(np.arange(n * warm), n, warm, epochs, peak, floor, carry)
    np.testing.assert_allclose(ramp, np.linspace(0, peak, n * warm + 1)[:-1], rtol=1e-12)


def test_warmup_then_cosine_of_the_paper() -> None:
    run = {"steps_per_epoch": 195, "warmup_epochs": 5, "epochs": 400, "peak": 1e-2, "floor": 1e-4}
    assert float(schedules.warmup_then_cosine(200 * 195, **run)) == pytest.approx(0.0051289, abs=5e-8)
    assert float(schedules.warmup_then_cosine(200 * 195, **run, carry_deficit=True)) == pytest.approx(
        0.0051237, abs=5e-8
    )
    assert float(schedules.warmup_then_cosine(400 * 195 - 1, **run)) == pytest.approx(1e-4, rel=1e-12)


@given(inputs.warmup_then_cosine())
def test_warmup_then_cosine_rises_then_falls(implementation, case) -> None:
    case = {**case, "carry_deficit": False}
    ramp = case["warmup_epochs"] * case["steps_per_epoch"]
    run = np.arange(case["steps_per_epoch"] * case["epochs"], dtype=float)
    rates = implementation.call("schedules.warmup_then_cosine", **{**case, "step": run})
    assert (np.diff(rates[:ramp]) >= 0).all()
    assert (np.diff(rates[ramp:]) <= 1e-15).all()
    assert rates.max() <= case["peak"] * (1 + 1e-12)
    np.testing.assert_allclose([rates[0], rates[-1]], [0, case["floor"]], rtol=1e-9)
    # Symmetric about the middle of the decay.
    decay = rates[ramp :: case["steps_per_epoch"]]
    np.testing.assert_allclose(decay + decay[::-1], decay[0] + decay[-1], rtol=1e-9)


# Images, workers, batch per worker, epochs; the table's total number of steps.
RUNS = [(60_000, 2, 200, 400, 60_000), (50_000, 8, 32, 400, 78_000), (1_281_167, 24, 24, 45, 100_080)]


@pytest.mark.parametrize(("images", "workers", "batch", "epochs", "total"), RUNS)
def test_steps_per_epoch_of_the_paper(images: int, workers: int, batch: int, epochs: int, total: int) -> None:
    assert schedules.steps_per_epoch(images, workers, batch) * epochs == total


@given(inputs.steps_per_epoch())
def test_steps_per_epoch_by_counting(case) -> None:
    shares = [len(range(0, images, case["workers"])) for images in case["images"].tolist()]
    wanted = [len(range(case["batch"], share + 1, case["batch"])) for share in shares]
    assert schedules.steps_per_epoch(**case).tolist() == wanted


@given(inputs.steps_per_epoch())
def test_steps_per_epoch_uses_every_full_batch(implementation, case) -> None:
    steps = implementation.call("schedules.steps_per_epoch", **case)
    padded = case["images"] + (-case["images"]) % case["workers"]
    used = steps * case["batch"] * case["workers"]
    assert (used <= padded).all()
    assert (padded < used + case["batch"] * case["workers"]).all()


def test_hold_then_cosine_matches_torch() -> None:
    """Torch's cosine with a step counted from the start of the decay."""
    peak, floor, start, length = 1e-3, 2e-4, 30, 200
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=peak)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, length, floor)
    wanted = torch_rates(cosine, optimiser, length + 1)
    got = schedules.hold_then_cosine(start + np.arange(length + 1), peak, floor, 10, start, length)
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_recursive_cosine_matches_torch() -> None:
    """The official PyTorch code: torch's recursion entered at the absolute step, past its minimum too."""
    peak, floor, start, length = 1e-3, 2e-4, 50, 200
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=peak)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, length, floor)
    # Up to the start the rate is constant; the recursion then goes on from the absolute step.
    cosine.last_epoch = start - 1
    rates = []
    for _ in range(start, start + length):
        optimiser.step()
        cosine.step()
        rates.append(optimiser.param_groups[0]["lr"])
    got = schedules.hold_then_cosine(np.arange(start, start + length), peak, floor, 10, start, length, True)
    np.testing.assert_allclose(got, rates, rtol=1e-8)


@pytest.mark.parametrize(
    ("step", "plain", "recursive"),
    [
        (0, 0, 0),
        (50, 5e-4, 5e-4),
        (100, 1e-3, 1e-3),
        (49_999, 1e-3, 1e-3),
        (425_000, 6e-4, 5.20e-4),
        (800_000, 2e-4, 2.087e-4),
    ],
)
def test_hold_then_cosine_of_the_paper(step: int, plain: float, recursive: float) -> None:
    run = {"peak": 1e-3, "floor": 2e-4, "warmup": 100, "start": 50_000, "length": 750_000}
    assert float(schedules.hold_then_cosine(step, **run)) == pytest.approx(plain, abs=5e-7)
    assert float(schedules.hold_then_cosine(step, **run, recursive=True)) == pytest.approx(recursive, abs=5e-7)


@given(inputs.hold_then_cosine())
def test_hold_then_cosine_falls_to_the_floor(implementation, case) -> None:
    case = {**case, "recursive": False}
    start, length = case["start"], case["length"]
    run = np.linspace(start, start + length, 41)
    rates = implementation.call("schedules.hold_then_cosine", **{**case, "step": run})
    assert (np.diff(rates) < 0).all()
    middle = 0.5 * (case["peak"] + case["floor"])
    np.testing.assert_allclose(rates[[0, 20, 40]], [case["peak"], middle, case["floor"]], rtol=1e-9, atol=1e-15)
    early = implementation.call("schedules.hold_then_cosine", **{**case, "step": np.array([0.0, 50.0, 99.0])})
    np.testing.assert_allclose(early, case["peak"] * np.array([0, 0.5, 0.99]), rtol=1e-12)
    np.testing.assert_array_equal(
        implementation.call("schedules.hold_then_cosine", **{**case, "step": run[:1]}), rates[0]
    )


@given(inputs.exponential_decay())
def test_exponential_decay_by_recursion(case) -> None:
    rate, rates = case["initial"], []
    for _ in range(200):
        rates.append(max(rate, case["floor"]))
        rate *= case["factor"]
    got = schedules.exponential_decay(**{**case, "step": np.arange(200)})
    np.testing.assert_allclose(got, rates, rtol=1e-11)


def test_exponential_decay_of_the_paper() -> None:
    assert float(schedules.exponential_decay(30_000, 2e-3, 0.999999, 1e-4)) == pytest.approx(1.94e-3, abs=5e-6)
    assert float(schedules.exponential_decay(3e6, 2e-3, 0.999999, 1e-4)) == 1e-4


@given(inputs.exponential_decay())
def test_exponential_decay_of_sums_of_steps(implementation, case) -> None:
    """Without a floor, eta(s + t) eta(0) = eta(s) eta(t)."""
    s, t = case["step"][:2], case["step"][2:]

    def rate(step: np.ndarray) -> np.ndarray:
        return implementation.call("schedules.exponential_decay", **{**case, "step": step, "floor": 0.0})

    np.testing.assert_allclose(rate(s + t) * case["initial"], rate(s) * rate(t), rtol=1e-9)
    floored = implementation.call("schedules.exponential_decay", **case)
    np.testing.assert_allclose(floored, np.maximum(rate(case["step"]), case["floor"]), rtol=1e-12)


MILESTONES, THIRDS = [600_000, 750_000, 950_000], [0.3, 0.3, 0.3]


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 3e-3), (599_999, 3e-3), (600_000, 9e-4), (750_000, 2.7e-4), (950_000, 8.1e-5)]
)
def test_step_decay_of_the_paper(step: int, rate: float) -> None:
    assert float(schedules.step_decay(step, 3e-3, THIRDS, MILESTONES)) == pytest.approx(rate, rel=1e-12)


def test_step_decay_matches_torch() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=3e-3)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimiser, [6, 7, 9], 0.3)
    wanted = torch_rates(scheduler, optimiser, 12)
    np.testing.assert_allclose(schedules.step_decay(np.arange(12), 3e-3, THIRDS, [6, 7, 9]), wanted, rtol=1e-12)


@given(inputs.step_decay())
def test_step_decay_changes_at_its_milestones_only(implementation, case) -> None:
    for i, milestone in enumerate(case["milestones"]):
        around = {**case, "step": np.array([milestone - 1, milestone])}
        before, after = implementation.call("schedules.step_decay", **around)
        np.testing.assert_allclose(after, before * case["factors"][i], rtol=1e-12)
    start = implementation.call("schedules.step_decay", **{**case, "step": np.array([-1.0])})
    np.testing.assert_allclose(start, case["initial"], rtol=1e-12)


@given(inputs.plateau_decay())
def test_plateau_decay_matches_torch(case) -> None:
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=case["initial"])
    least = case["initial"] * case["factor"] ** case["most"]
    if case["factor"] == 1:
        np.testing.assert_array_equal(schedules.plateau_decay(**case), case["initial"])
        return
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, mode="max", factor=case["factor"], patience=case["patience"], threshold=0, min_lr=least, eps=0
    )
    wanted = []
    for value in case["values"]:
        scheduler.step(float(value))
        wanted.append(optimiser.param_groups[0]["lr"])
    np.testing.assert_allclose(schedules.plateau_decay(**case), wanted, rtol=1e-12)


def test_plateau_decay_by_hand() -> None:
    got = schedules.plateau_decay([-90, -89, -89, -89, -89, -89, -80, -81], 1.0, 0.5, 1, 4)
    assert got.tolist() == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert schedules.plateau_decay([0] * 9, 1.0, 0.5, 0, 2).tolist() == [1, 0.5, 0.25] + [0.25] * 6


@given(inputs.plateau_decay())
def test_plateau_decay_carries_no_gradient(implementation, case) -> None:
    assert_no_gradient(implementation, "schedules.plateau_decay", case)


@given(inputs.plateau_decay())
def test_plateau_decay_keeps_the_rate_while_the_bound_rises(implementation, case) -> None:
    rising = {**case, "values": np.arange(len(case["values"]), dtype=float)}
    np.testing.assert_allclose(implementation.call("schedules.plateau_decay", **rising), case["initial"], rtol=1e-12)
    stalled = {**case, "values": np.zeros(12)}
    rates = implementation.call("schedules.plateau_decay", **stalled)
    decreases = min(case["most"], 11 // (case["patience"] + 1))
    np.testing.assert_allclose(rates[-1], case["initial"] * case["factor"] ** decreases, rtol=1e-12)


@given(inputs.linear_ramp())
def test_linear_ramp_matches_linspace(case) -> None:
    wanted = np.linspace(case["first"], case["last"], case["links"], endpoint=False)
    np.testing.assert_allclose(schedules.linear_ramp(**case), wanted, atol=1e-15)


def test_linear_ramp_stops_one_step_short() -> None:
    np.testing.assert_allclose(schedules.linear_ramp(4, 0.4, 0.8), [0.4, 0.5, 0.6, 0.7], rtol=1e-14)
    assert schedules.linear_ramp(3, 0.9, 0.3).tolist() == pytest.approx([0.9, 0.7, 0.5])


@given(inputs.linear_ramp())
def test_linear_ramp_never_reaches_its_end(implementation, case) -> None:
    got = implementation.call("schedules.linear_ramp", **case)
    np.testing.assert_allclose(got[0], case["first"])
    np.testing.assert_allclose(got[-1] + (case["last"] - case["first"]) / case["links"], case["last"], atol=1e-12)


@given(st.floats(0, 1))
def test_schedules_agree_where_they_are_the_same(weight: float) -> None:
    """Warm-ups from step 0: the plain, the shifted and the portion form are one line."""
    step = 1000 * weight
    plain = float(schedules.kl_warmup(step, 0, 1000))
    assert plain == pytest.approx(min(1, step / 1000))
    assert float(schedules.kl_warmup_shifted(step, 0, 1000, 0.0)) == pytest.approx(plain)
    assert float(schedules.kl_warmup_portion(step, 4000, 0.0, 0.25, 0.0)) == pytest.approx(plain)
    assert math.isclose(plain, weight, abs_tol=1e-12)


@pytest.mark.parametrize(
    ("step", "weight"), [(0, 0), (150_000, 0.5), (299_999, 1 - 1 / 300_000), (300_000, 1), (300_001, 1)]
)
def test_kl_warmup_of_dvaepp(step: int, weight: float) -> None:
    assert float(schedules.kl_warmup(step, 0, 300_000)) == pytest.approx(weight, rel=1e-12)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (schedules.kl_warmup, (-1, 0, 10), r"step must be >= 0, got -1\.0"),
        (schedules.kl_warmup_shifted, (0, 0, 10, 1.5), r"floor must lie in \[0, 1\], got 1\.5"),
        (schedules.kl_warmup_portion, (0, 0, 0, 0.3, 0), r"total must be > 0, got 0\.0"),
        (schedules.kl_warmup_logistic, (0, 0, 0), r"rate must be > 0, got 0\.0"),
        (schedules.geometric_interpolation, (0.5, 0, 1), r"first must be > 0, got 0\.0"),
        (schedules.warmup_then_cosine, (0, 10, 5, 6, 0.01, 0), r"epochs must be an integer >= 7, got 6"),
        (schedules.warmup_then_cosine, (99, 10, 1, 5, 0.01, 0), r"step must lie in \[0, 49\], got 99\.0"),
        (schedules.steps_per_epoch, (0, 1, 1), r"images must be an integer >= 1, got 0"),
        (schedules.steps_per_epoch, (10, 0, 1), r"workers must be an integer >= 1, got 0"),
        (schedules.hold_then_cosine, (0, 1e-3, 2e-3, 100, 200, 300), r"peak - floor must be > 0"),
        (schedules.hold_then_cosine, (0, 1e-3, 0, 100, 50, 300), r"start - warmup must be >= 0, got -50\.0"),
        (schedules.exponential_decay, (0, 1e-3, 1.5, 0), r"factor must lie in \[0, 1\], got 1\.5"),
        (schedules.step_decay, (0, 1e-3, [0.5], [1, 2]), r"factors and milestones must both be \(M,\)"),
        (schedules.plateau_decay, ([[0.0]], 1e-3, 0.5, 1, 1), r"values must have shape \(T,\), got \(1, 1\)"),
        (schedules.linear_ramp, (0, 0.5, 1), r"links must be an integer >= 1, got 0"),
    ],
)
def test_bad_input_is_named(function, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)

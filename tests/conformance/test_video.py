"""Video: bound of a sequence, proxies of predicted frames."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from scipy import ndimage, signal, stats

from reference import calibration, video
from tests.conformance.first_principles import assert_mean
from tests.conformance.inputs import video as inputs

FRAME = np.zeros((2, 2))
BAD = [
    (
        "sequence_nelbo",
        {"squared_error": [1.0], "kl": [1.0, 2.0], "log_sigma": 0.0, "dims": 1},
        r"one shape \(T - 1, \.\.\.\)",
    ),
    ("ink_ratio", {"predicted": FRAME, "true": FRAME}, r"total of true must be > 0, got 0\.0"),
    ("peak_ratio", {"predicted": [1.0], "true": FRAME}, r"must be \(\.\.\., H, W\), got shapes \(1,\), \(2, 2\)"),
    ("presence", {"predicted": FRAME, "template": np.eye(3)}, r"template must fit into a frame, got shapes \(3, 3\)"),
    ("presence", {"predicted": FRAME, "template": FRAME}, r"variation of template must be > 0, got 0\.0"),
    (
        "best_of_n_sse",
        {"rollouts": FRAME, "true": FRAME},
        r"rollouts must be \(n >= 1, \*true\), got \(2, 2\), \(2, 2\)",
    ),
    (
        "rollout_diversity",
        {"rollouts": FRAME[None]},
        r"rollouts must be \(n >= 2, \.\.\., H, W\), got shape \(1, 2, 2\)",
    ),
    ("psnr", {"mean_squared_error": 0.0}, r"mean_squared_error must be > 0, got 0\.0"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(BAD)])
def test_bad_input_is_named(name: str, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(video, name)(**arguments)


def test_sequence_nelbo_matches_scipy(rng) -> None:
    frames, means, kl = *rng.normal(size=(2, 5, 3, 7)), rng.exponential(size=(5, 3))
    wanted = (-stats.norm.logpdf(frames, means, 0.3).sum(-1) + kl).sum(0)
    got = video.sequence_nelbo(calibration.sse(frames, means), kl, math.log(0.3), 7)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_sequence_nelbo_of_two_frames_is_a_conditional_vae(rng) -> None:
    errors, kl = rng.exponential(size=(1, 4)), rng.exponential(size=(1, 4))
    wanted = calibration.shared_sigma_objective(errors[0], kl[0], -0.5, 12)
    assert float(np.mean(video.sequence_nelbo(errors, kl, -0.5, 12))) == pytest.approx(float(wanted), rel=1e-12)


@given(inputs.sequence_nelbo())
def test_sequence_nelbo_adds_frames(implementation, case) -> None:
    whole = implementation.call("video.sequence_nelbo", **case)
    parts = [
        implementation.call(
            "video.sequence_nelbo", **{**case, **{n: case[n][t : t + 1] for n in ("squared_error", "kl")}}
        )
        for t in range(len(case["kl"]))
    ]
    np.testing.assert_allclose(whole, np.sum(parts, axis=0), rtol=1e-9, atol=1e-7)


def test_ratios_of_a_blurred_digit() -> None:
    """A point spread over four pixels keeps its ink and loses three quarters of its peak."""
    true, blurred = np.zeros((2, 6, 6))
    true[2, 2] = 0.8
    blurred[2:4, 2:4] = 0.2
    assert float(video.ink_ratio(blurred, true)) == pytest.approx(1)
    assert float(video.peak_ratio(blurred, true)) == pytest.approx(0.25)
    assert float(video.ink_ratio(0 * true, true)) == float(video.peak_ratio(0 * true, true)) == 0


def test_ratios_under_a_filter(rng) -> None:
    """A periodic blur keeps the ink and lowers the peak, more when it is wider."""
    true = rng.random((3, 8, 8))
    peaks = []
    for width in (0.5, 1.0, 2.0):
        blurred = ndimage.gaussian_filter(true, (0, width, width), mode="wrap")
        np.testing.assert_allclose(video.ink_ratio(blurred, true), 1, rtol=1e-10)
        peaks.append(video.peak_ratio(blurred, true))
    assert (np.diff(peaks, axis=0) < 0).all()


@given(inputs.ink_ratio())
def test_ratios_are_linear_in_the_prediction(implementation, case) -> None:
    for name in ("ink_ratio", "peak_ratio"):
        got = implementation.call(f"video.{name}", **case)
        halved = implementation.call(f"video.{name}", **{**case, "predicted": 0.5 * case["predicted"]})
        np.testing.assert_allclose(halved, 0.5 * got, rtol=1e-12)
        own = implementation.call(f"video.{name}", **{**case, "predicted": case["true"]})
        np.testing.assert_allclose(own, 1, rtol=1e-12)
        shuffled = {k: v[..., ::-1, ::-1].copy() for k, v in case.items()}
        np.testing.assert_allclose(implementation.call(f"video.{name}", **shuffled), got, rtol=1e-12)


def test_presence_finds_a_moved_template(rng) -> None:
    template = ndimage.gaussian_filter(rng.random((4, 4)), 0.7)
    frames = np.zeros((3, 10, 10))
    frames[0, 5:9, 2:6] = 0.3 * template
    frames[2] = 0.4
    assert video.presence(frames, template).tolist() == [True, False, False]


@given(inputs.presence())
def test_presence_matches_a_loop_over_windows(case) -> None:
    """Pearson's correlation of every window with the template, one by one."""
    frames, template = case["predicted"], case["template"]
    got = video.presence(**case)
    size = template.shape[0]
    for index in np.ndindex(frames.shape[:-2]):
        offsets = range(frames.shape[-1] - size + 1)
        windows = [frames[(*index, slice(i, i + size), slice(j, j + size))] for i in offsets for j in offsets]
        found = [np.corrcoef(w.ravel(), template.ravel())[0, 1] if np.ptp(w) > 1e-9 else 0 for w in windows]
        assert bool(got[index]) == (max(found) > 0.5)


def test_presence_agrees_with_a_filtered_correlation(rng) -> None:
    """Numerator by scipy's correlate2d with the centred template: centring the window changes nothing in it."""
    frame, template = rng.random((9, 9)), rng.random((3, 3))
    pattern = template - template.mean()
    numerator = signal.correlate2d(frame, pattern, mode="valid")
    box = np.ones((3, 3))
    square = signal.correlate2d(frame**2, box, mode="valid") - signal.correlate2d(frame, box, mode="valid") ** 2 / 9
    best = float((numerator / np.sqrt(square * np.sum(pattern**2))).max())
    assert bool(video.presence(frame, template, best - 1e-9))
    assert not bool(video.presence(frame, template, best + 1e-9))


@given(inputs.presence())
def test_presence_ignores_brightness_and_contrast(implementation, case) -> None:
    got = implementation.call("video.presence", **case)
    other = implementation.call("video.presence", **{**case, "predicted": 4 * case["predicted"] + 0.5})
    np.testing.assert_array_equal(got, other)
    size = case["template"].shape[0]
    frames = case["predicted"].copy()
    frames[..., :size, :size] = case["template"]
    assert implementation.call("video.presence", **{**case, "predicted": frames}).all()


def test_best_of_n_sse_of_known_rollouts() -> None:
    true, other = np.zeros((2, 3, 3)), np.ones((2, 3, 3))
    rollouts = np.stack([other, 0.5 * other, 2 * other])
    np.testing.assert_allclose(video.best_of_n_sse(rollouts, true), [2.25, 2.25])


def test_best_of_n_sse_falls_with_n(rng) -> None:
    """Least of n chi-square variables with 4 degrees of freedom, by the integral of the survival function."""
    from scipy import integrate

    rollouts = rng.standard_normal((8, 200_000, 2, 2))
    for n in (1, 4, 8):
        wanted = integrate.quad(lambda t, n=n: stats.chi2.sf(t, 4) ** n, 0, np.inf)[0]
        assert_mean(video.best_of_n_sse(rollouts[:n], np.zeros((200_000, 2, 2))), wanted, planted=0.02)


@given(inputs.best_of_n_sse())
def test_best_of_n_sse_is_the_least(implementation, case) -> None:
    got = implementation.call("video.best_of_n_sse", **case)
    each = [np.sum((rollout - case["true"]) ** 2, axis=(-2, -1)) for rollout in case["rollouts"]]
    np.testing.assert_allclose(got, np.min(each, axis=0), rtol=1e-9)
    exact = np.concatenate([case["rollouts"], case["true"][None]])
    np.testing.assert_allclose(implementation.call("video.best_of_n_sse", **{**case, "rollouts": exact}), 0, atol=1e-15)


def test_rollout_diversity_is_unbiased(rng) -> None:
    rollouts = rng.normal(0.5, 0.2, size=(3, 200_000, 2, 2))
    assert_mean(video.rollout_diversity(rollouts), 4 * 0.04)


def test_rollout_diversity_is_half_the_mean_distance_of_pairs(rng) -> None:
    rollouts = rng.random((5, 3, 4))
    pairs = [np.sum((a - b) ** 2) for i, a in enumerate(rollouts) for b in rollouts[:i]]
    assert float(video.rollout_diversity(rollouts)) == pytest.approx(np.mean(pairs) / 2, rel=1e-12)


def test_slope_of_the_diversity_of_near_rollouts_keeps_its_digits(implementation) -> None:
    steps = np.random.default_rng(5).integers(-50, 50, (5, 3, 3))
    # Numbers of single precision, whose means are not.
    rollouts = implementation.tensors({"rollouts": 0.5 + steps * 2.0**-20}, "float32")["rollouts"].requires_grad_()
    implementation.find("video.rollout_diversity")(rollouts).backward()
    wanted = 0.5 * (steps - steps.mean(axis=0)) * 2.0**-20
    np.testing.assert_allclose(rollouts.grad.cpu(), wanted, rtol=1e-5, atol=0)


@given(inputs.rollout_diversity())
def test_rollout_diversity_vanishes_for_copies(implementation, case) -> None:
    got = implementation.call("video.rollout_diversity", **case)
    scaled = implementation.call("video.rollout_diversity", rollouts=1 - 2 * case["rollouts"])
    np.testing.assert_allclose(scaled, 4 * got, rtol=1e-9, atol=1e-12)
    copies = np.broadcast_to(case["rollouts"][:1], case["rollouts"].shape).copy()
    np.testing.assert_allclose(implementation.call("video.rollout_diversity", rollouts=copies), 0, atol=1e-15)


@pytest.mark.parametrize(("error", "scale", "wanted"), [(0.01, 1.0, 20.0), (1.0, 1.0, 0.0), (65.025, 255.0, 30.0)])
def test_psnr_of_round_numbers(error: float, scale: float, wanted: float) -> None:
    assert float(video.psnr(error, scale)) == pytest.approx(wanted, abs=1e-12)


def test_psnr_at_50_digits() -> None:
    import mpmath

    from tests.conformance.first_principles import at_50_digits

    wanted = at_50_digits(lambda e: -10 * mpmath.log10(e), 0.003)
    assert float(video.psnr(0.003)) == pytest.approx(wanted, rel=1e-14)


@given(inputs.psnr())
def test_psnr_ignores_the_scale_of_the_data(implementation, case) -> None:
    got = implementation.call("video.psnr", **case)
    scaled = {"mean_squared_error": 4 * case["mean_squared_error"], "data_range": 2 * case["data_range"]}
    np.testing.assert_allclose(implementation.call("video.psnr", **scaled), got, rtol=1e-9, atol=1e-9)
    worse = implementation.call("video.psnr", **{**case, "mean_squared_error": 10 * case["mean_squared_error"]})
    np.testing.assert_allclose(got - worse, 10, rtol=1e-9)

"""Decoding from coarse to fine: a partition of the pixels, a normalised likelihood, and no look ahead."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit

from reference import multiscale
from tests.conformance.inputs import multiscale as inputs

RNG = np.random.default_rng(8)
WEIGHTS, BIAS = RNG.normal(size=(2, 16, 16)), RNG.normal(size=(2, 16))
MASKS = multiscale.pixel_subsets(4, 4, [2, 1])


def predict(image: np.ndarray) -> np.ndarray:
    """Logits (2, B, 4, 4) of a linear predictor per scale, which sees only the coarser pixels."""
    seen = multiscale.visible(image, MASKS).reshape(2, -1, 16)
    return (np.einsum("sbi,sij->sbj", seen, WEIGHTS) + BIAS[:, None]).reshape(2, -1, 4, 4)


def all_images(pixels: int) -> np.ndarray:
    return (np.arange(2**pixels)[:, None] >> np.arange(pixels) & 1).astype(float)


@pytest.mark.parametrize(
    ("size", "strides", "counts"),
    [
        (16, [4, 2, 1], [16, 48, 192]),
        (32, [8, 4, 2, 1], [16, 48, 192, 768]),
        (28, [8, 4, 2, 1], [16, 33, 147, 588]),
    ],
)
def test_pixel_subsets_have_their_sizes(size: int, strides: list[int], counts: list[int]) -> None:
    masks = multiscale.pixel_subsets(size, size, strides)
    assert masks.sum((1, 2)).tolist() == counts
    assert sum(counts) == size**2


@given(inputs.pixel_subsets())
def test_pixel_subsets_by_loops(case) -> None:
    masks = multiscale.pixel_subsets(**case)
    for r in range(case["height"]):
        for c in range(case["width"]):
            first = next(i for i, s in enumerate(case["strides"]) if r % s == 0 and c % s == 0)
            assert masks[:, r, c].tolist() == [i == first for i in range(len(masks))]


@given(inputs.pixel_subsets())
def test_pixel_subsets_are_a_partition(implementation, case) -> None:
    masks = implementation.call("multiscale.pixel_subsets", **case)
    assert (masks.sum(0) == 1).all()
    assert masks[0, 0, 0]


@given(inputs.visible())
def test_visible_and_own_pixels_make_the_grid(case) -> None:
    """x_{<i} and x_i together are x_{<i+1}; after the last scale the whole image."""
    image, masks = case["image"], case["masks"]
    seen = multiscale.visible(image, masks)
    assert not seen[0].any()
    for i in range(len(masks)):
        after = seen[i] + image * masks[i]
        np.testing.assert_array_equal(after, seen[i + 1] if i + 1 < len(masks) else image)


def test_predictions_depend_on_coarser_pixels_only() -> None:
    """Change one pixel: the logits of its own and of coarser scales stay, those of finer scales move."""
    image = RNG.integers(0, 2, (1, 4, 4)).astype(float)
    plain = predict(image)
    for r in range(4):
        for c in range(4):
            changed = image.copy()
            changed[0, r, c] = 1 - changed[0, r, c]
            moved = (predict(changed) != plain).any(axis=(1, 2, 3))
            scale = int(MASKS[:, r, c].argmax())
            assert moved.tolist() == [i > scale for i in range(2)]


def test_likelihood_sums_to_one() -> None:
    """All 2^16 binary images of 4x4 pixels."""
    total = 0.0
    for images in np.split(all_images(16).reshape(-1, 4, 4), 16):
        total += float(np.exp(multiscale.log_likelihood(images, predict(images), MASKS)).sum())
    assert total == pytest.approx(1, abs=1e-12)
    # A predictor that sees its own pixels is not normalised.
    images = all_images(16).reshape(-1, 4, 4)[::16]
    leaking = predict(images) + 3 * (2 * images - 1)
    assert np.exp(multiscale.log_likelihood(images, leaking, MASKS)).sum() > 1


def test_likelihood_by_loops() -> None:
    image, logits = RNG.random((4, 4)), 3 * RNG.normal(size=(2, 4, 4))
    wanted = 0.0
    for r in range(4):
        for c in range(4):
            logit = logits[0 if r % 2 == c % 2 == 0 else 1, r, c]
            wanted += image[r, c] * math.log(expit(logit)) + (1 - image[r, c]) * math.log(expit(-logit))
    assert float(multiscale.log_likelihood(image, logits, MASKS)) == pytest.approx(wanted, rel=1e-12)


@given(inputs.log_likelihood())
def test_likelihood_matches_torch(case) -> None:
    own = np.where(
        case["masks"].reshape(len(case["masks"]), *[1] * (case["image"].ndim - 2), *case["image"].shape[-2:]),
        case["logits"],
        0,
    )
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.as_tensor(own.sum(0)), torch.as_tensor(case["image"]), reduction="none"
    )
    np.testing.assert_allclose(multiscale.log_likelihood(**case), -loss.sum((-2, -1)).numpy(), rtol=1e-12, atol=1e-12)


def test_sampling_scale_by_scale_has_the_likelihood(rng) -> None:
    """Ancestral samples of a 2x2 image against the enumerated probabilities, chi-square; false alarm 1e-4."""
    masks, size = multiscale.pixel_subsets(2, 2, [2, 1]), 200_000
    weights, bias = rng.normal(size=(2, 4, 4)), rng.normal(size=(2, 4))

    def logits_of(image):
        seen = multiscale.visible(image, masks).reshape(2, -1, 4)
        return (np.einsum("sbi,sij->sbj", seen, weights) + bias[:, None]).reshape(2, -1, 2, 2)

    drawn = np.zeros((size, 2, 2))
    for i in range(2):
        fresh = rng.random(drawn.shape) < expit(logits_of(drawn)[i])
        drawn = np.where(masks[i], fresh, drawn)
    images = all_images(4).reshape(-1, 2, 2)
    wanted = np.exp(multiscale.log_likelihood(images, logits_of(images), masks))
    found = np.bincount((drawn.reshape(-1, 4) @ [1, 2, 4, 8]).astype(int), minlength=16)
    assert stats.chisquare(found, wanted / wanted.sum() * size).pvalue > 1e-4


@given(inputs.visible())
def test_visible_ignores_the_finest_pixels(implementation, case) -> None:
    changed = np.where(case["masks"][-1], 7.0, case["image"])
    one, two = (implementation.call("multiscale.visible", **{**case, "image": x}) for x in (case["image"], changed))
    np.testing.assert_array_equal(one, two)


@given(inputs.log_likelihood(), st.sampled_from([1.0, -50.0]))
def test_likelihood_ignores_logits_of_other_pixels(implementation, case, shift: float) -> None:
    masks = case["masks"].reshape(len(case["masks"]), *[1] * (case["image"].ndim - 2), *case["image"].shape[-2:])
    moved = {**case, "logits": np.where(masks, case["logits"], case["logits"] + shift)}
    one, two = (implementation.call("multiscale.log_likelihood", **c) for c in (case, moved))
    np.testing.assert_array_equal(one, two)
    assert (one <= 0).all()


@pytest.mark.parametrize(
    ("function", "wrong", "message"),
    [
        (
            multiscale.pixel_subsets,
            (4, 4, [4, 2]),
            r"strides must be a chain of multiples that ends in 1, got \[4, 2\]",
        ),
        (multiscale.pixel_subsets, (4, 4, [3, 2, 1]), r"chain of multiples that ends in 1, got \[3, 2, 1\]"),
        (multiscale.pixel_subsets, (0, 4, [1]), "height must be an integer >= 1, got 0"),
        (multiscale.visible, (np.zeros((3, 4)), MASKS), r"masks must be a partition .* got \(2, 4, 4\) for \(3, 4\)"),
        (multiscale.visible, (np.full((4, 4), np.inf), MASKS), "image must be finite, got inf at index"),
        (
            multiscale.log_likelihood,
            (np.full((4, 4), 2.0), np.zeros((2, 4, 4)), MASKS),
            r"image must lie in \[0, 1\], got 2.0",
        ),
        (
            multiscale.log_likelihood,
            (np.zeros((4, 4)), np.zeros((1, 4, 4)), MASKS),
            r"one grid per scale, got \(1, 4, 4\)",
        ),
    ],
)
def test_bad_input_is_named(function, wrong, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*wrong)

"""Pruning: mean KL per channel, masks, sizes; the arithmetic of Efficient-VDVAE's Table 5."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from reference import gaussian, pruning
from tests.conformance.inputs import pruning as inputs

FULL, BIG = 15_760_512, 43_442_304
PRINTED = {0.025: 110.8, 0.03: 133.0, 0.04: 177.3, 0.05: 221.7, 0.07: 310.3, 1.0: 4433.3}
BAD = [
    ("average_kl_per_variate", {"kl": [1.0]}, r"kl must be \(N >= 1, v, r, r\), got shape \(1,\)"),
    ("prune_mask", {"average_kl": [1.0], "fraction": 1.5}, r"fraction must lie in \[0, 1\], got 1\.5"),
    ("prune_mask", {"average_kl": [], "fraction": 0.5}, r"average_kl must be \(n >= 1,\), got shape \(0,\)"),
    (
        "pruned_latent",
        {"posterior": np.ones((1, 2, 1, 1)), "prior": np.ones((1, 2, 1, 1)), "mask": [True]},
        r"mask must",
    ),
    ("kept_fraction", {"masks": [[True]], "resolutions": []}, r"must hold L >= 1 layers, got 1, 0"),
    ("encoded_dataset_bytes", {"images": 0, "dims": 1, "fraction": 1.0}, r"images must be an integer >= 1, got 0"),
    ("pixel_bytes", {"images": 1, "resolution": 0}, r"resolution must be an integer >= 1, got 0"),
    ("code_to_pixel_ratio", {"code_bytes": 1.0, "pixel_bytes": 0.0}, r"pixel_bytes must be > 0, got 0\.0"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(BAD)])
def test_bad_input_is_named(name: str, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(pruning, name)(**arguments)


def test_average_kl_of_constant_parameters() -> None:
    """A channel with posterior N(0.5 j, 1) and prior N(0, 1) has j^2/8 nats at every position, whatever the side."""
    for side in (1, 4):
        kl = np.stack([np.full((5, side, side), float(gaussian.kl_standard([j / 2], [1.0]))) for j in range(3)], axis=1)
        np.testing.assert_allclose(pruning.average_kl_per_variate(kl) * math.log(2), [0, 1 / 8, 1 / 2], rtol=1e-12)


def test_average_kl_adds_up_to_the_total(rng) -> None:
    """Weighted by their positions and channels the means return the total KL."""
    layers = [rng.exponential(size=(6, 3, 2, 2)), rng.exponential(size=(6, 5, 4, 4))]
    total = sum(layer.sum() for layer in layers) / 6
    parts = sum(layer.shape[-1] ** 2 * pruning.average_kl_per_variate(layer).sum() for layer in layers)
    assert parts * math.log(2) == pytest.approx(total, rel=1e-12)


@given(inputs.average_kl_per_variate())
def test_average_kl_does_not_depend_on_the_resolution(implementation, case) -> None:
    finer = {"kl": np.repeat(np.repeat(case["kl"], 2, axis=2), 2, axis=3)}
    got, wanted = (implementation.call("pruning.average_kl_per_variate", **c) for c in (finer, case))
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


@pytest.mark.parametrize(("channels", "kept"), [(2400, 72), (4416, 133)])
def test_prune_mask_keeps_the_counts_of_the_models(rng, channels: int, kept: int) -> None:
    assert pruning.prune_mask(rng.exponential(size=channels), 0.03).sum() == kept
    assert pruning.prune_mask(rng.exponential(size=channels), 1.0).all()


@given(inputs.prune_mask())
def test_prune_mask_by_counting(case) -> None:
    """Enumerate: kept channels are a top set in the order of the KL, ties with the threshold dropped together."""
    values, fraction = case["average_kl"], case["fraction"]
    mask = pruning.prune_mask(**case)
    if fraction == 1:
        assert mask.all()
        return
    position = (1 - fraction) * (len(values) - 1)
    assert mask.sum() <= len(values) - 1 - math.floor(position)
    assert all(values[i] > values[j] for i in np.flatnonzero(mask) for j in np.flatnonzero(~mask))
    above = sorted(values)[math.ceil(position)]
    assert mask[values > above].all()


@given(inputs.prune_mask())
def test_prune_masks_are_nested(implementation, case) -> None:
    masks = [implementation.call("pruning.prune_mask", **{**case, "fraction": f}) for f in (0.0, 0.25, 0.5, 0.875, 1.0)]
    for small, large in pairwise(masks):
        assert not (small & ~large).any()
    assert not masks[0].any()
    assert masks[-1].all()


@given(inputs.pruned_latent())
def test_pruned_latent_takes_each_channel_from_its_source(implementation, case) -> None:
    got = implementation.call("pruning.pruned_latent", **case)
    for j, kept in enumerate(case["mask"]):
        np.testing.assert_array_equal(got[:, j], (case["posterior"] if kept else case["prior"])[:, j])


def test_pruned_latent_limits(rng) -> None:
    posterior, prior = rng.normal(size=(2, 3, 4, 2, 2))
    np.testing.assert_array_equal(pruning.pruned_latent(posterior, prior, np.ones(4, bool)), posterior)
    np.testing.assert_array_equal(pruning.pruned_latent(posterior, prior, np.zeros(4, bool)), prior)


def test_pruned_latent_is_the_masked_sum(rng) -> None:
    posterior, prior = rng.normal(size=(2, 3, 4, 2, 2))
    mask = np.array([True, False, False, True])
    wanted = np.einsum("v,nvab->nvab", mask, posterior) + np.einsum("v,nvab->nvab", ~mask, prior)
    np.testing.assert_allclose(pruning.pruned_latent(posterior, prior, mask), wanted)


@given(inputs.kept_fraction())
def test_kept_fraction_by_enumeration(case) -> None:
    kept = [bool(m) for mask, r in zip(case["masks"], case["resolutions"], strict=True) for m in mask for _ in range(r)]
    weights = [r for mask, r in zip(case["masks"], case["resolutions"], strict=True) for _ in mask for _ in range(r)]
    wanted = sum(w for w, k in zip(weights, kept, strict=True) if k) / sum(weights)
    assert float(pruning.kept_fraction(**case)) == pytest.approx(wanted, rel=1e-12)


def test_kept_fraction_is_not_the_fraction_of_channels() -> None:
    """72 of 2400 channels (3 %) of the 75-layer model: from 4.6e-6 to 0.299 of its dimensions."""
    layers, resolutions = [4, 6, 6, 10, 22, 14, 9, 4], [1, 4, 8, 16, 32, 64, 128, 256]
    channels = [32 * n for n in layers]
    assert sum(c * r * r for c, r in zip(channels, resolutions, strict=True)) == FULL
    extremes = []
    for first in (0, 7):
        masks = [np.zeros(c, bool) for c in channels]
        masks[first][:72] = True
        extremes.append(float(pruning.kept_fraction(masks, resolutions)))
    np.testing.assert_allclose(extremes, [4.57e-6, 0.2994], rtol=2e-3)


@given(inputs.kept_fraction())
def test_kept_fraction_of_a_uniform_mask_is_its_share(implementation, case) -> None:
    masks = [np.asarray([True, False, False, True]) for _ in case["masks"]]
    got = implementation.call("pruning.kept_fraction", masks=masks, resolutions=case["resolutions"])
    np.testing.assert_allclose(got, 0.5, rtol=1e-12)
    inverted = [~mask for mask in case["masks"]]
    both = [implementation.call("pruning.kept_fraction", **{**case, "masks": m}) for m in (case["masks"], inverted)]
    np.testing.assert_allclose(sum(both), 1, rtol=1e-12)


def test_encoded_dataset_bytes_reconstructs_the_table() -> None:
    """Erratum: the column is 133 GB times f / 0.03, and 133 GB is 1.9 MB (rounded) times 70 000 images."""
    exact = float(pruning.encoded_dataset_bytes(70_000, FULL, 1.0)) / 1e9
    assert exact == pytest.approx(4412.9, abs=0.1)
    megabytes = round(float(pruning.encoded_dataset_bytes(1, FULL, 0.03)) / 1e6, 1)
    for fraction, printed in PRINTED.items():
        assert megabytes * 70_000 / 1e3 / 0.03 * fraction == pytest.approx(printed, abs=0.05)
    assert float(pruning.encoded_dataset_bytes(70_000, BIG, 1.0)) / 1e9 == pytest.approx(12163.8, abs=0.1)
    assert float(pruning.encoded_dataset_bytes(70_000, FULL, 1.0, 8)) / 1e9 == pytest.approx(8825.9, abs=0.1)


def test_encoded_dataset_bytes_counts_an_array() -> None:
    code = np.zeros((7, 5, 4), dtype=np.float32)
    assert float(pruning.encoded_dataset_bytes(7, 20, 1.0)) == code.nbytes
    assert float(pruning.encoded_dataset_bytes(7, 20, 0.25)) == code[:, :, :1].nbytes


@given(inputs.encoded_dataset_bytes())
def test_encoded_dataset_bytes_is_linear(implementation, case) -> None:
    got = implementation.call("pruning.encoded_dataset_bytes", **case)
    twice = implementation.call("pruning.encoded_dataset_bytes", **{**case, "images": 2 * case["images"]})
    np.testing.assert_allclose(twice, 2 * got, rtol=1e-12)
    bits = implementation.call("pruning.encoded_dataset_bytes", **{**case, "bytes_per_value": 1})
    np.testing.assert_allclose(got, case["bytes_per_value"] * bits, rtol=1e-12)


def test_pixel_bytes_of_the_data_set() -> None:
    assert float(pruning.pixel_bytes(70_000, 256)) / 1e9 == pytest.approx(13.76, abs=0.005)
    assert float(pruning.pixel_bytes(70_000, 256, 4)) / 1e9 == pytest.approx(55.05, abs=0.005)


@given(inputs.pixel_bytes())
def test_pixel_bytes_counts_an_array(implementation, case) -> None:
    one = np.broadcast_to(np.uint8(0), (case["channels"], case["resolution"], case["resolution"]))
    got = implementation.call("pruning.pixel_bytes", **case)
    assert got == one.size * case["images"] * case["bytes_per_value"]
    assert float(pruning.pixel_bytes(**case)) == got


def test_code_to_pixel_ratio_of_the_table() -> None:
    """Erratum: the 3 % code is 2.4 times the float32 pixels and 9.7 times the real, 8-bit ones."""
    assert float(pruning.code_to_pixel_ratio(133e9, pruning.pixel_bytes(70_000, 256))) == pytest.approx(9.67, abs=0.01)
    assert float(pruning.code_to_pixel_ratio(133e9, pruning.pixel_bytes(70_000, 256, 4))) == pytest.approx(
        2.42, abs=0.01
    )


def test_code_to_pixel_ratio_of_equal_arrays() -> None:
    """As many kept values as sub-pixels, of the same width, is neither larger nor smaller."""
    code = pruning.encoded_dataset_bytes(10, 3 * 8 * 8, 1.0, 4)
    assert float(pruning.code_to_pixel_ratio(code, pruning.pixel_bytes(10, 8, 4))) == 1


@given(inputs.code_to_pixel_ratio())
def test_code_to_pixel_ratio_inverts_with_its_sides(implementation, case) -> None:
    got = implementation.call("pruning.code_to_pixel_ratio", **case)
    np.testing.assert_allclose(got * case["pixel_bytes"], case["code_bytes"], rtol=1e-12)

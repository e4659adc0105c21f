"""Images as levels: the sets are what they are said to be, rounded to their grid, and refuse what is not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from vaes import data
from vaes.data import DataError
from vaes.image_data import ImageDataset, available_images, colourised, image_dataset, load_images, resized

PINNED = {
    "digits16": "614c459fb3ef",
    "huedigits": "52d7e781ca99",
}
"""Beginnings of the checksums of sets that do not depend on the machine's JPEG decoder."""


@pytest.mark.parametrize(("name", "beginning"), PINNED.items())
def test_embedded_sets_are_the_known_ones(name: str, beginning: str) -> None:
    assert load_images(name).checksum.startswith(beginning)


def test_digits_keep_sixteen_levels_and_every_image_once() -> None:
    from sklearn.datasets import load_digits

    digits = load_images("digits16")
    assert (len(digits.train), len(digits.validation), len(digits.test)) == (1437, 0, 360)
    assert digits.shape == (1, 8, 8)
    assert digits.dims == 64
    both = torch.cat([digits.train, digits.test]).flatten(1)
    assert int(both.max()) == 15
    raw = np.minimum(load_digits().images, 15).reshape(-1, 64)
    assert sorted(map(bytes, both.numpy())) == sorted(map(bytes, raw.astype(np.uint8)))
    assert (
        torch.bincount(torch.cat([digits.extra["train/label"], digits.extra["test/label"]])).tolist()
        == np.bincount(load_digits().target).tolist()
    )


def test_intensities_lie_on_the_grid() -> None:
    digits = load_images("digits16")
    x = digits.images("test", torch.float64)
    assert torch.equal((15 * x).round(), 15 * x)
    assert torch.equal((15 * x).to(torch.uint8), digits.test)
    with pytest.raises(ValueError, match="split must be one of"):
        digits.images("valid")


def test_colours_are_saturated_and_have_their_hue() -> None:
    level = np.full((6, 1, 1), 15)
    rgb = colourised(level, np.arange(6) / 6, 15)[:, :, 0, 0]
    assert rgb.tolist() == [[15, 0, 0], [15, 15, 0], [0, 15, 0], [0, 15, 15], [0, 0, 15], [15, 0, 15]]
    coloured, grey = load_images("huedigits"), load_images("digits16")
    assert torch.equal(coloured.train.amax(1), grey.train[:, 0]), "the brightest channel is the grey level"
    assert torch.equal(coloured.train.amin(1), torch.zeros_like(grey.train[:, 0]))
    assert 0 <= float(coloured.extra["train/hue"].min()) < 0.01 < 0.99 < float(coloured.extra["train/hue"].max()) < 1


def test_patches_are_rounded_means_from_columns_apart() -> None:
    from sklearn.datasets import load_sample_images

    patches = load_images("photo8")
    assert patches.train.shape == (5000, 3, 8, 8)
    assert patches.test.shape == (1000, 3, 8, 8)
    photographs = np.stack(load_sample_images().images).astype(np.float64)
    for split, columns in (("train", slice(0, 480)), ("test", slice(512, 640))):
        windows = np.lib.stride_tricks.sliding_window_view(photographs[:, :, columns], (2, 2), axis=(1, 2)).mean(
            (-2, -1)
        )
        known = {bytes(np.rint(block).astype(np.uint8)) for block in windows.reshape(-1, 3)}
        assert {
            bytes(pixel) for pixel in getattr(patches, split)[:5].permute(0, 2, 3, 1).reshape(-1, 3).numpy()
        } <= known


def test_resizing_rounds_keeps_constants_and_undoes_nothing_at_its_own_size() -> None:
    images = torch.randint(0, 256, (3, 1, 28, 20), dtype=torch.uint8)
    assert torch.equal(resized(images, 28, 20), images)
    assert resized(images, 28, 28).dtype == torch.uint8
    assert bool((resized(torch.full((1, 1, 32, 32), 77, dtype=torch.uint8), 28, 28) == 77).all())
    # Bilinear enlargement of two pixels, half-pixel centres: 0, 1/4, 3/4, 1 of the way.
    pair = torch.tensor([[[[0, 200]]]], dtype=torch.uint8)
    assert resized(pair, 1, 4).flatten().tolist() == [0, 50, 150, 200]


def test_local_sets_have_the_split_of_their_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 28, 28), dtype=np.uint8), rng.integers(0, 10, 30, dtype=np.uint8)
    np.savez(tmp_path / "mnist-10k.npz", images=images, labels=labels)
    checksum = hashlib.sha256((tmp_path / "mnist-10k.npz").read_bytes()).hexdigest()
    source = data.SOURCES["mnist10k"]
    small = type(source)(**{**vars(source), "split": (20, 4, 6), "sha256": checksum})
    monkeypatch.setitem(data.SOURCES, "mnist10k", small)
    loaded = load_images("mnist28", tmp_path)
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (20, 4, 6)
    for split in ("train", "validation", "test"):
        expected = (255 * getattr(data.load("mnist10k/raw", tmp_path), split)).round().view(-1, 1, 28, 28)
        assert torch.equal(getattr(loaded, split).float(), expected)
        for image, label in zip(getattr(loaded, split)[:, 0].numpy(), loaded.extra[f"{split}/label"], strict=True):
            (row,) = np.flatnonzero((images == image).all((1, 2)))
            assert labels[row] == label


def test_missing_files_and_unknown_names_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(data.DATA_VARIABLE, raising=False)
    with pytest.raises(DataError, match="needs a data directory") as missing:
        load_images("frey28")
    assert "\n" not in str(missing.value)
    with pytest.raises(DataError, match="must exist"):
        load_images("mnist28", tmp_path)
    with pytest.raises(DataError, match="name must be one of digits16"):
        load_images("digits")
    assert set(available_images()) >= {"digits16", "huedigits", "photo8", "mnist28", "frey28", "cifar28"}


def test_wrong_levels_are_refused() -> None:
    good = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="levels below 4, got 4"):
        image_dataset("x", {"train": good + 4}, 4, "")
    with pytest.raises(ValueError, match="levels must be between 2 and 256"):
        image_dataset("x", {"train": good}, 1, "")
    with pytest.raises(ValueError, match="train must be uint8"):
        ImageDataset("x", good.float(), good, good, 4, "", "")
    with pytest.raises(ValueError, match="test must have images of shape"):
        image_dataset("x", {"train": good, "test": good[:, :, :2]}, 4, "")
    assert image_dataset("x", {"train": good}, 4, "").checksum != image_dataset("x", {"train": good}, 5, "").checksum

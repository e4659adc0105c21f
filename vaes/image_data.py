"""Images as levels on a grid, for decoders that are a density or a mass on that grid: embedded sets and local files.

An image is stored as integer levels k of 0..L-1, never as reals: resizing and averaging are rounded back to levels
before anything is modelled, so that every decoder sees the same images and a discrete likelihood finds them exactly on
its grid. ``images`` gives x = k / (L - 1).

``digits16``
    scikit-learn's 8x8 digits, k = min(count, 15), L = 16: a power of two, so that bits waste no code.
``huedigits``
    The same digits in one random colour each, 3x8x8, L = 16; ``extra["hue"]`` is the colour.
``photo8``
    16x16 crops of scikit-learn's two photographs, averaged to 3x8x8, L = 256; test crops from columns apart.
``mnist28``, ``frey28``, ``cifar28``, ``cifar28-full``
    Local files, 28x28, L = 256: MNIST as it is, Frey Face, the JPEG copy of CIFAR-10 and CIFAR-10 itself resized by
    bilinear filtering.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vaes.data import DATA_SEED, DATA_VARIABLE, SOURCES, DataError, load, load_levels
from vaes.seeding import numpy_stream

SPLITS = ("train", "validation", "test")
SIDE = 28
"""Height and width of the resized data sets: the paper's working resolution."""


@dataclass(frozen=True)
class ImageDataset:
    """Images as integer levels.

    Parameters
    ----------
    id : str
        Name of the data set.
    train, validation, test : Tensor
        Levels, uint8, of shape (N, C, H, W); validation may be empty.
    levels : int
        Number of levels L, 2..256; every entry is below it.
    checksum : str
        SHA-256 of the levels of the three splits, as they are modelled.
    note : str
        What the images are and what they must not be compared with.
    extra : mapping
        Named tensors with one row per image of a split, keys ``"<split>/<name>"``, such as labels.

    Raises
    ------
    ValueError
        If a split has another shape or type than this, or a level is out of range.
    """

    id: str
    train: Tensor
    validation: Tensor
    test: Tensor
    levels: int
    checksum: str
    note: str
    extra: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check shapes, types and range."""
        if not 2 <= self.levels <= 256:
            raise ValueError(f"levels must be between 2 and 256, got {self.levels}")
        for split in SPLITS:
            values = getattr(self, split)
            if values.dtype != torch.uint8 or values.ndim != 4:
                raise ValueError(f"{split} must be uint8 of shape (N, C, H, W), got {values.dtype} {values.shape}")
            if values.shape[1:] != self.train.shape[1:]:
                raise ValueError(f"{split} must have images of shape {self.shape}, got {tuple(values.shape[1:])}")
            if values.numel() and int(values.max()) >= self.levels:
                raise ValueError(f"{split} must have levels below {self.levels}, got {int(values.max())}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.train.shape[1:]
        return channels, height, width

    @property
    def dims(self) -> int:
        """Values per image."""
        return self.train[0].numel()

    def images(self, split: str = "train", dtype: torch.dtype = torch.float32) -> Tensor:
        """Intensities k / (L - 1) in [0, 1] of a split, shape (N, C, H, W)."""
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        return getattr(self, split).to(dtype) / (self.levels - 1)


def load_images(name: str, data_dir: str | os.PathLike[str] | None = None) -> ImageDataset:
    """Load a data set of images by name; `available_images` lists them.

    Parameters
    ----------
    name : str
        One of the names of the module's docstring.
    data_dir : path, optional
        Folder of the local files; default: the environment variable ``EVIDENCE_DATA``.

    Raises
    ------
    DataError
        If the name is unknown, or the file is missing or not the expected one.
    """
    if name not in _MAKERS:
        raise DataError(f"name must be one of {', '.join(_MAKERS)}, got {name!r}")
    return _MAKERS[name](data_dir)


def available_images() -> list[str]:
    """Names of all data sets of images, whether their files are at hand or not."""
    return list(_MAKERS)


def image_dataset(
    name: str,
    splits: Mapping[str, np.ndarray | Tensor],
    levels: int,
    note: str,
    extra: Mapping[str, np.ndarray] | None = None,
) -> ImageDataset:
    """Make a data set of integer levels (N, C, H, W) by split; a missing split is empty."""
    first = splits["train"]
    tensors = {}
    for split in SPLITS:
        values = torch.as_tensor(splits[split] if split in splits else first[:0])
        tensors[split] = values.to(torch.uint8).contiguous()
    digest = hashlib.sha256()
    for split, values in tensors.items():
        digest.update(f"{split} {tuple(values.shape)} {levels}\0".encode() + values.numpy().tobytes())
    return ImageDataset(
        id=name,
        **tensors,
        levels=levels,
        checksum=digest.hexdigest(),
        note=note,
        extra={key: torch.as_tensor(values) for key, values in (extra or {}).items()},
    )


def resized(levels: Tensor, height: int, width: int) -> Tensor:
    """Resize uint8 images (N, C, H, W) by bilinear filtering and round back to uint8.

    The filter widens when it shrinks images, as in image libraries, so that no pixel is passed over.
    """
    options: dict[str, Any] = {"mode": "bilinear", "align_corners": False, "antialias": True}
    smooth = F.interpolate(levels.to(torch.float32), size=(height, width), **options)
    return smooth.round().clamp(0, 255).to(torch.uint8)


def colourised(levels: np.ndarray, hue: np.ndarray, top: int) -> np.ndarray:
    """Levels (N, H, W) in the fully saturated colours of ``hue`` (N,) in [0, 1): (N, 3, H, W), rounded.

    A channel is the level times max(0, min(1, |6 h' - 3| - 1)), h' the hue from the channel's own.
    """
    turned = (hue[:, None] - np.array([0.0, 1 / 3, 2 / 3])) % 1
    rgb = np.clip(np.abs(6 * turned - 3) - 1, 0, 1)
    return np.rint(np.minimum(levels, top)[:, None] * rgb[:, :, None, None]).astype(np.uint8)


def _digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels (1797, 8, 8) of 0..15, labels, and the order of the split."""
    from sklearn.datasets import load_digits

    # The checked loader refuses digits that are not the known ones.
    load("digits/raw")
    bunch = load_digits()
    levels = np.minimum(bunch.images, 15).astype(np.uint8)
    return levels, bunch.target.astype(np.int64), np.random.default_rng(0).permutation(len(levels))


DIGITS_TRAIN = 1437


def _digits16(_: object) -> ImageDataset:
    levels, labels, order = _digits()
    train, test = order[:DIGITS_TRAIN], order[DIGITS_TRAIN:]
    return image_dataset(
        "digits16",
        {"train": levels[train, None], "test": levels[test, None]},
        16,
        "scikit-learn's 8x8 digits, count 16 taken as 15",
        {"train/label": labels[train], "test/label": labels[test]},
    )


def _huedigits(_: object) -> ImageDataset:
    levels, labels, order = _digits()
    hue = numpy_stream(DATA_SEED, "huedigits", "hue").random(len(levels))
    coloured = colourised(levels, hue, 15)
    train, test = order[:DIGITS_TRAIN], order[DIGITS_TRAIN:]
    return image_dataset(
        "huedigits",
        {"train": coloured[train], "test": coloured[test]},
        16,
        "scikit-learn's 8x8 digits, each in one saturated random colour",
        {
            "train/label": labels[train],
            "test/label": labels[test],
            "train/hue": hue[train],
            "test/hue": hue[test],
        },
    )


PHOTO_CROPS = {"train": 5000, "test": 1000}


def _photo8(_: object) -> ImageDataset:
    from sklearn.datasets import load_sample_images

    photographs = np.stack(load_sample_images().images)
    random = numpy_stream(DATA_SEED, "photo8", "crops")
    width = photographs.shape[2]
    columns = {"train": (0, width * 3 // 4), "test": (width * 4 // 5, width)}
    splits = {part: _crops(photographs, columns[part], count, random) for part, count in PHOTO_CROPS.items()}
    return image_dataset(
        "photo8", splits, 256, "16x16 crops of scikit-learn's two photographs, averaged to 8x8; test columns apart"
    )


def _crops(photographs: np.ndarray, columns: tuple[int, int], count: int, random: np.random.Generator) -> np.ndarray:
    """Random 16x16 crops whose columns lie in a range, averaged 2x2 and rounded: (count, 3, 8, 8)."""
    which = random.integers(0, len(photographs), count)
    top = random.integers(0, photographs.shape[1] - 16 + 1, count)
    left = random.integers(columns[0], columns[1] - 16 + 1, count)
    crops = np.stack([photographs[p, t : t + 16, c : c + 16] for p, t, c in zip(which, top, left, strict=True)])
    means = crops.reshape(count, 8, 2, 8, 2, 3).astype(np.float64).mean((2, 4))
    return np.rint(means).astype(np.uint8).transpose(0, 3, 1, 2)


def _local(name: str, source: str, *, labelled: bool = True) -> Callable[[Any], ImageDataset]:
    """Maker of a data set from a local file, split as `vaes.data` splits it, at 28x28."""

    def make(data_dir: str | os.PathLike[str] | None) -> ImageDataset:
        splits = {}
        for split, levels in load_levels(source, data_dir).items():
            planes = torch.from_numpy(levels.reshape((*levels.shape, 1)[:4])).permute(0, 3, 1, 2)
            splits[split] = planes if planes.shape[2:] == (SIDE, SIDE) else resized(planes, SIDE, SIDE)
        extra = _labels(source, data_dir) if labelled else None
        return image_dataset(name, splits, 256, f"{SOURCES[source].note}; {SIDE}x{SIDE}", extra)

    return make


def _labels(source: str, data_dir: str | os.PathLike[str] | None) -> dict[str, np.ndarray]:
    """Labels of a local file in the order of its split; the file's checksum has been verified."""
    description = SOURCES[source]
    folder = Path(data_dir if data_dir is not None else os.environ[DATA_VARIABLE])
    with np.load(folder / str(description.file), allow_pickle=False) as archive:
        labels = archive["labels"].astype(np.int64)
    order = numpy_stream(DATA_SEED, source, "split").permutation(len(labels))
    parts = np.split(labels[order], np.cumsum(description.split)[:-1])
    return {f"{split}/label": part for split, part in zip(SPLITS, parts, strict=True)}


_MAKERS: dict[str, Callable[[Any], ImageDataset]] = {
    "digits16": _digits16,
    "huedigits": _huedigits,
    "photo8": _photo8,
    "mnist28": _local("mnist28", "mnist10k"),
    "frey28": _local("frey28", "frey-face", labelled=False),
    "cifar28": _local("cifar28", "cifar10-jpeg-10k"),
    "cifar28-full": _local("cifar28-full", "cifar10", labelled=False),
}

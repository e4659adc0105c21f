"""Datasets: embedded ones (scikit-learn) and local files, with checksums, splits and binarisation.

MNIST, OMNIGLOT and CIFAR-10 are read from the files that their authors published (`vaes.data_files`).

A dataset's id is ``name/binarisation``: what the model sees is part of its name, because a log likelihood of
thresholded images, of one fixed Bernoulli draw, and of a fresh draw at every presentation are different quantities.

``static``
    Binary images that never change. How they are made is a property of the source (`Source.static`).
``dynamic``
    x ~ Bernoulli(grey level), drawn anew whenever a training image is presented; validation and test are one fixed
    draw from a recorded stream.
``raw``
    Grey or colour levels in [0, 1], not binarised.
"""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaes.data_files import (
    BINARISED_MNIST,
    CIFAR10,
    MNIST,
    OMNIGLOT,
    DataError,
    PublishedImages,
    digest,
    digest_of_all,
    verify,
)
from vaes.seeding import numpy_stream

DATA_SEED = 20210503
"""Root seed of all splits and fixed draws: streams ``(DATA_SEED, source name, "split" | "static" | part)``."""

DATA_VARIABLE = "EVIDENCE_DATA"
BINARISATIONS = ("static", "dynamic", "raw")


@dataclass(frozen=True)
class Source:
    """Where images come from and what they are.

    ``sha256`` is that of the file for local files; of the array's bytes for embedded data (None: not pinned, because
    the bytes depend on the JPEG decoder of the machine). Published files have their own checksums; ``static_images``
    are those of the static variant where they were published too. ``shuffle`` says which images are permuted before
    they are split: all, those for training and validation, or none.
    """

    name: str
    shape: tuple[int, ...]
    split: tuple[int, int, int]
    static: str
    note: str
    sha256: str | None
    file: str | None = None
    images: Callable[[], Any] | None = None
    binarisations: tuple[str, ...] = BINARISATIONS
    published: PublishedImages | None = None
    static_images: PublishedImages | None = None
    shuffle: str = "all"

    def published_images(self, binarisation: str) -> PublishedImages | None:
        """Files of one variant, if they are published ones."""
        return self.static_images if binarisation == "static" and self.static_images else self.published


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory: flattened float32 images, one row each.

    ``grey`` holds the training grey levels of a dynamic dataset (`train` is then one fixed draw of them) and is None
    otherwise. ``shape`` is (height, width) or (height, width, channels). ``checksum`` is the sha256 of the source; of
    several files, that of their list as ``sha256sum FILES | sha256sum`` prints it.
    """

    id: str
    train: Tensor
    validation: Tensor
    test: Tensor
    grey: Tensor | None
    shape: tuple[int, ...]
    checksum: str
    note: str

    @property
    def dims(self) -> int:
        """Values per image."""
        return self.train.shape[1]

    @property
    def mean_image(self) -> Tensor:
        """Mean training image (dims,), of the grey levels where there are any."""
        return (self.train if self.grey is None else self.grey).double().mean(0)


def load(dataset: str, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a dataset by id.

    Parameters
    ----------
    dataset : str
        ``name/binarisation``, for example ``digits/static`` or ``mnist10k/dynamic``; see `available`.
    data_dir : path, optional
        Folder of the local files; default: the environment variable ``EVIDENCE_DATA``.

    Raises
    ------
    DataError
        If the id is unknown, the folder or file is missing, or the file's content is not the one expected.
    """
    name, _, binarisation = dataset.partition("/")
    source = SOURCES.get(name)
    if source is None:
        raise DataError(f"dataset must be one of {', '.join(available())}, got {dataset!r}")
    if binarisation not in source.binarisations:
        raise DataError(f"binarisation of {name} must be one of {', '.join(source.binarisations)}, got {dataset!r}")
    levels, checksum = _levels(source, binarisation, data_dir)
    parts = {part: _scaled(values) for part, values in _split(source, levels).items()}
    arrays = {part: _binarise(source, binarisation, part, values) for part, values in parts.items()}
    return Dataset(
        id=dataset,
        **{part: torch.from_numpy(values) for part, values in arrays.items()},
        grey=torch.from_numpy(_flat(parts["train"])) if binarisation == "dynamic" else None,
        shape=source.shape,
        checksum=checksum,
        note=source.note if binarisation != "static" else f"{source.note}; static: {source.static}",
    )


def load_levels(name: str, data_dir: str | os.PathLike[str] | None = None) -> dict[str, np.ndarray]:
    """Load integer levels, for decoders on a grid and for resizing: 255 times the images of ``name/raw``, exactly.

    Parameters
    ----------
    name : str
        A data set of local files, without binarisation, such as "cifar10".
    data_dir : path, optional
        As for `load`.

    Returns
    -------
    dict
        uint8 levels of 0..255 of shape (N, height, width) or (N, height, width, channels), under "train",
        "validation" and "test", in the order of `load`.

    Raises
    ------
    DataError
        As `load`; also if the images are not stored as such levels.
    """
    source = SOURCES.get(name)
    if source is None:
        raise DataError(f"name must be one of {', '.join(SOURCES)}, got {name!r}")
    levels, _ = _levels(source, "raw", data_dir)
    if levels.dtype != np.uint8:
        raise DataError(f"name must be a data set that is stored as levels of 0..255, got {name!r}")
    return _split(source, levels)


def available() -> list[str]:
    """Ids of all datasets, whether their files are present or not."""
    return [f"{source.name}/{kind}" for source in SOURCES.values() for kind in source.binarisations]


def describe(data_dir: str | os.PathLike[str] | None = None) -> list[dict[str, str | None]]:
    """One record per source: name, source (embedded or file), path, status, sha256, notes. Raises nothing.

    ``status`` is "ok", or the reason why the data cannot be used. Static images in files of their own have a record of
    their own, ``name/static``.
    """
    return [
        _record(source, binarisation, data_dir)
        for source in SOURCES.values()
        for binarisation in ("raw", *(("static",) if source.static_images else ()))
    ]


def _record(source: Source, binarisation: str, data_dir: str | os.PathLike[str] | None) -> dict[str, str | None]:
    path: str | None = None
    checksum: str | None = None
    try:
        if source.images is None:
            paths = _paths(source, binarisation, data_dir)
            path = str(paths[0] if len(paths) == 1 else paths[0].parent)
        status, checksum = "ok", _checked(source, binarisation, data_dir)
    except DataError as error:
        status, checksum = str(error), source.sha256
    static = binarisation == "static"
    return {
        "name": f"{source.name}/static" if static else source.name,
        "source": "embedded" if source.images is not None else "file",
        "path": path,
        "status": status,
        "sha256": checksum,
        "notes": source.static if static else source.note,
    }


class BatchSource:
    """Endless mini-batches of row numbers: a new permutation per epoch, batches run on across its end.

    Sources with equal generators give equal batches, so that compared arms see the same images in the same order.
    """

    def __init__(self, count: int, batch: int, generator: torch.Generator) -> None:
        if not 1 <= batch <= count:
            raise ValueError(f"batch must be between 1 and the number of images {count}, got {batch}")
        self.count, self.batch, self.generator = count, batch, generator
        self._order = self._permutation()
        self._at = 0

    def next(self) -> Tensor:
        """Row numbers (batch,) of the next mini-batch."""
        if self._at + self.batch > len(self._order):
            self._order = torch.cat([self._order[self._at :], self._permutation()])
            self._at = 0
        rows = self._order[self._at : self._at + self.batch]
        self._at += self.batch
        return rows

    def state(self) -> dict[str, Tensor]:
        """Tensors that `restore` needs to go on with the same batches."""
        return {"order": self._order[self._at :].clone(), "generator": self.generator.get_state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken."""
        self._order, self._at = state["order"].to(self._order.device), 0
        self.generator.set_state(state["generator"].cpu())

    def _permutation(self) -> Tensor:
        return torch.randperm(self.count, generator=self.generator, device=self.generator.device)


def _split(source: Source, levels: np.ndarray) -> dict[str, np.ndarray]:
    """Permute as the source says, then split."""
    first, second, total = np.cumsum(source.split)
    count = {"all": len(levels), "training": second, "none": 0}[source.shuffle]
    if count:
        order = np.arange(len(levels))
        order[:count] = numpy_stream(DATA_SEED, source.name, "split").permutation(count)
        levels = levels[order]
    return {"train": levels[:first], "validation": levels[first:second], "test": levels[second:total]}


def _scaled(levels: np.ndarray) -> np.ndarray:
    return levels / np.float32(255) if levels.dtype == np.uint8 else levels


def _binarise(source: Source, binarisation: str, part: str, levels: np.ndarray) -> np.ndarray:
    if binarisation == "static" and source.static == "threshold at one half":
        return _flat(levels >= 0.5)
    if binarisation == "static" and source.static == "threshold at the patch mean":
        return _flat(levels >= levels.mean(axis=(1, 2), keepdims=True))
    if binarisation == "raw" or levels.dtype == np.bool_:
        return _flat(levels)
    return _flat(numpy_stream(DATA_SEED, source.name, binarisation, part).random(levels.shape) < levels)


def _flat(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.reshape(len(values), math.prod(values.shape[1:])), dtype=np.float32)


def _levels(source: Source, binarisation: str, data_dir: str | os.PathLike[str] | None) -> tuple[np.ndarray, str]:
    """Images (N, *shape), and the checksum: levels 0..255 (uint8), levels in [0, 1] (real), or binary ones (bool)."""
    if source.images is not None:
        return _embedded(source, source.images)
    checksum = _checked(source, binarisation, data_dir)
    paths = _paths(source, binarisation, data_dir)
    published = source.published_images(binarisation)
    if published is None:
        return _read(paths[0], source), checksum
    return np.concatenate(list(_counted(source, paths, published.read(paths, source.shape)))), checksum


def _counted(source: Source, paths: list[Path], parts: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield what was read from published files if it has the shape and the numbers of images that it must have."""
    train, validation, test = source.split
    counts = source.split if len(parts) == 3 else (train + validation, test)
    names = ("training", "validation", "test") if len(parts) == 3 else ("training", "test")
    for number, (name, count, images) in enumerate(zip(names, counts, parts, strict=True)):
        want = (count, *source.shape)
        if images.shape != want:
            path = paths[min(number, len(paths) - 1)]
            raise DataError(f"{path}: {name} images must be of shape {want}, got {images.shape}")
        yield images


def _embedded(source: Source, images: Callable[[], Any]) -> tuple[np.ndarray, str]:
    values, checksum = images()
    if source.sha256 not in (None, checksum):
        raise DataError(f"embedded {source.name}: sha256 must be {source.sha256}, got {checksum}")
    return values, checksum


def _checked(source: Source, binarisation: str, data_dir: str | os.PathLike[str] | None) -> str:
    """Return the sha256 of the source, once it is the one expected."""
    if source.images is not None:
        return _embedded(source, source.images)[1]
    paths = _paths(source, binarisation, data_dir)
    published = source.published_images(binarisation)
    if published is None:
        checksum = digest(paths[0])
        if checksum != source.sha256:
            raise DataError(f"{paths[0]}: sha256 must be {source.sha256}, got {checksum}")
        return checksum
    for path, file in zip(paths, published.files, strict=True):
        verify(path, file)
    return digest_of_all(paths)


def _paths(source: Source, binarisation: str, data_dir: str | os.PathLike[str] | None) -> list[Path]:
    """Paths of the files of one variant; they exist."""
    folder = data_dir if data_dir is not None else os.environ.get(DATA_VARIABLE)
    if not folder:
        raise DataError(f"{source.name}: needs a data directory (--data-dir or {DATA_VARIABLE}), got none")
    if not Path(folder).is_dir():
        raise DataError(f"{source.name}: the data directory must exist, got {folder}")
    published = source.published_images(binarisation)
    names = [str(source.file)] if published is None else [file.name for file in published.files]
    paths = [Path(folder) / name for name in names]
    for path in paths:
        if not path.is_file():
            remedy = "" if published is None else f" (evidence data --fetch {source.name} downloads it)"
            raise DataError(f"{source.name}: {path} must exist, got no such file{remedy}")
    return paths


def _read(path: Path, source: Source) -> np.ndarray:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            images = archive["images"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: must be an npz archive with an array 'images', got {reason}") from None
    if images.dtype != np.uint8 or images.shape != (sum(source.split), *source.shape):
        want = (sum(source.split), *source.shape)
        raise DataError(f"{path}: images must be uint8 of shape {want}, got {images.dtype} of shape {images.shape}")
    return images


def _digits() -> tuple[np.ndarray, str]:
    from sklearn.datasets import load_digits

    images = load_digits().images
    return images.astype(np.float32) / 16, hashlib.sha256(images.astype(np.uint8).tobytes()).hexdigest()


def _patches() -> tuple[np.ndarray, str]:
    """Patches of 8x8 from the 2x2-averaged grey photographs, training first, then test.

    Test patches come from a strip at the right edge that no training patch touches.
    """
    from sklearn.datasets import load_sample_images

    photographs = np.stack(load_sample_images().images)
    grey = photographs.astype(np.float64).mean(-1) / 255
    height, width = grey.shape[1] // 2 * 2, grey.shape[2] // 2 * 2
    grey = grey[:, :height, :width].reshape(len(grey), height // 2, 2, width // 2, 2).mean((2, 4))
    strip = grey.shape[2] - 48
    random = numpy_stream(DATA_SEED, "patches", "split")
    train = random.permutation(_windows(grey[:, :, :strip]))[:2600]
    test = random.permutation(_windows(grey[:, :, strip:]))[:400]
    return np.concatenate([train, test]).astype(np.float32), hashlib.sha256(photographs.tobytes()).hexdigest()


def _windows(images: np.ndarray, size: int = 8, stride: int = 5) -> np.ndarray:
    views = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    return views[:, ::stride, ::stride].reshape(-1, size, size)


_FIXED_DRAW = "one Bernoulli draw from the recorded stream"
SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            name="digits",
            shape=(8, 8),
            split=(1500, 0, 297),
            static="threshold at one half",
            note="scikit-learn's 8x8 digits, grey level = count / 16",
            sha256="8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3",
            images=_digits,
        ),
        Source(
            name="patches",
            shape=(8, 8),
            split=(2600, 0, 400),
            static="threshold at the patch mean",
            note="8x8 patches of scikit-learn's two sample photographs, 2x2-averaged; test patches from a strip apart",
            sha256=None,
            images=_patches,
            binarisations=("static", "raw"),
            shuffle="none",
        ),
        Source(
            name="mnist10k",
            file="mnist-10k.npz",
            shape=(28, 28),
            split=(8000, 1000, 1000),
            static=_FIXED_DRAW,
            note="the 10,000 MNIST test images, split anew: NOT comparable with published MNIST numbers",
            sha256="af5595f05f0cc260498196e07655cfa443d2d96874d5ba0dcfeaea06defbda81",
        ),
        Source(
            name="omniglot-small",
            file="omniglot-small.npz",
            shape=(28, 28),
            split=(3872, 484, 484),
            static=_FIXED_DRAW,
            note="OMNIGLOT background small 1 and 2, 28x28: NOT the 24345/8070 split, not comparable with the papers",
            sha256="8bb77fff3a2f43a2a30d9dd990e2b0d3963634326cce65c6504d354cbef42c5a",
        ),
        Source(
            name="frey-face",
            file="frey-face.npz",
            shape=(28, 20),
            split=(1565, 200, 200),
            static=_FIXED_DRAW,
            note="Frey Face frames, random split of a video: test frames have close neighbours in training",
            sha256="3c70375e0a9c4751ad49ad5f1f692bd094c46f133cf4aa8ea77d1cb14e1efcd1",
        ),
        Source(
            name="cifar10-jpeg-10k",
            file="cifar10-jpeg-10k.npz",
            shape=(32, 32, 3),
            split=(8000, 1000, 1000),
            static=_FIXED_DRAW,
            note="the 10,000 CIFAR-10 test images after JPEG, split anew: NOT comparable with published bits/dim",
            sha256="51b738f4f96bf38e77295b2730660cb23ba54fbcdacec0dca22eff776d379ae5",
            binarisations=("raw",),
        ),
        Source(
            name="mnist",
            shape=(28, 28),
            split=(50_000, 10_000, 10_000),
            static="the fixed binary images of Larochelle and Murray",
            note="MNIST; the last 10,000 of its 60,000 training images for validation",
            sha256=None,
            published=MNIST,
            static_images=BINARISED_MNIST,
            shuffle="none",
        ),
        Source(
            name="omniglot",
            shape=(28, 28),
            split=(23_000, 1345, 8070),
            static=_FIXED_DRAW,
            note="OMNIGLOT, 28x28 (Burda et al.); 1,345 of its 24,345 training images, at random, for validation",
            sha256=None,
            published=OMNIGLOT,
            shuffle="training",
        ),
        Source(
            name="cifar10",
            shape=(32, 32, 3),
            split=(50_000, 0, 10_000),
            static=_FIXED_DRAW,
            note="CIFAR-10; no validation images",
            sha256=None,
            published=CIFAR10,
            binarisations=("raw",),
            shuffle="none",
        ),
    )
}

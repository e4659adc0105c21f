"""Datasets: embedded ones (scikit-learn) and local files, with checksums, splits and binarisation.

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaes.seeding import numpy_stream

DATA_SEED = 20210503
"""Root seed of all splits and fixed draws: streams ``(DATA_SEED, source name, "split" | "static" | part)``."""

DATA_VARIABLE = "EVIDENCE_DATA"
BINARISATIONS = ("static", "dynamic", "raw")


class DataError(ValueError):
    """A dataset that is unknown, missing, or not what its checksum says; the message is one line."""


@dataclass(frozen=True)
class Source:
    """Where images come from and what they are.

    ``sha256`` is that of the file for local files; of the array's bytes for embedded data (None: not pinned, because
    the bytes depend on the JPEG decoder of the machine).
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


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory: flattened float32 images, one row each.

    ``grey`` holds the training grey levels of a dynamic dataset (`train` is then one fixed draw of them) and is None
    otherwise. ``shape`` is (height, width) or (height, width, channels). ``checksum`` is the sha256 of the source.
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
    levels, checksum = _levels(source, data_dir)
    order = numpy_stream(DATA_SEED, name, "split").permutation(len(levels)) if name != "patches" else None
    parts = _split(source, levels if order is None else levels[order])
    arrays = {part: _binarise(source, binarisation, part, values) for part, values in parts.items()}
    return Dataset(
        id=dataset,
        **{part: torch.from_numpy(values) for part, values in arrays.items()},
        grey=torch.from_numpy(_flat(parts["train"])) if binarisation == "dynamic" else None,
        shape=source.shape,
        checksum=checksum,
        note=source.note if binarisation != "static" else f"{source.note}; static: {source.static}",
    )


def available() -> list[str]:
    """Ids of all datasets, whether their files are present or not."""
    return [f"{source.name}/{kind}" for source in SOURCES.values() for kind in source.binarisations]


def describe(data_dir: str | os.PathLike[str] | None = None) -> list[dict[str, str | None]]:
    """One record per source: name, source (embedded or file), path, status, sha256, notes. Raises nothing.

    ``status`` is "ok", or the reason why the data cannot be used.
    """
    records: list[dict[str, str | None]] = []
    for source in SOURCES.values():
        path: str | None = None
        checksum: str | None = None
        try:
            if source.file is not None:
                path = str(_path(source, data_dir))
            status, checksum = "ok", _levels(source, data_dir)[1]
        except DataError as error:
            status, checksum = str(error), source.sha256
        records.append(
            {
                "name": source.name,
                "source": "embedded" if source.file is None else "file",
                "path": path,
                "status": status,
                "sha256": checksum,
                "notes": source.note,
            }
        )
    return records


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
    first, second = np.cumsum(source.split)[:2]
    return {"train": levels[:first], "validation": levels[first:second], "test": levels[second : sum(source.split)]}


def _binarise(source: Source, binarisation: str, part: str, levels: np.ndarray) -> np.ndarray:
    if binarisation == "static" and source.static == "threshold at one half":
        return _flat(levels >= 0.5)
    if binarisation == "static" and source.static == "threshold at the patch mean":
        return _flat(levels >= levels.mean(axis=(1, 2), keepdims=True))
    if binarisation == "raw":
        return _flat(levels)
    return _flat(numpy_stream(DATA_SEED, source.name, binarisation, part).random(levels.shape) < levels)


def _flat(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.reshape(len(values), math.prod(values.shape[1:])), dtype=np.float32)


def _levels(source: Source, data_dir: str | os.PathLike[str] | None) -> tuple[np.ndarray, str]:
    """Grey levels in [0, 1] as (N, *shape), and the checksum."""
    if source.images is not None:
        values, checksum = source.images()
        if source.sha256 is not None and checksum != source.sha256:
            raise DataError(f"embedded {source.name}: sha256 must be {source.sha256}, got {checksum}")
        return values, checksum
    path = _path(source, data_dir)
    checksum = _checksum(path)
    if checksum != source.sha256:
        raise DataError(f"{path}: sha256 must be {source.sha256}, got {checksum}")
    return _read(path, source), checksum


def _path(source: Source, data_dir: str | os.PathLike[str] | None) -> Path:
    folder = data_dir if data_dir is not None else os.environ.get(DATA_VARIABLE)
    if not folder:
        raise DataError(f"{source.name}: needs a data directory (--data-dir or {DATA_VARIABLE}), got none")
    if not Path(folder).is_dir():
        raise DataError(f"{source.name}: the data directory must exist, got {folder}")
    path = Path(folder) / str(source.file)
    if not path.is_file():
        raise DataError(f"{source.name}: {path} must exist, got no such file")
    return path


_CHECKSUMS: dict[tuple[str, int, int], str] = {}


def _checksum(path: Path) -> str:
    status = path.stat()
    key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    if key not in _CHECKSUMS:
        with path.open("rb") as file:
            _CHECKSUMS[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _CHECKSUMS[key]


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
    return images / np.float32(255)


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
    )
}

"""MNIST, OMNIGLOT and CIFAR-10 as their authors published them: the files, their checksums, and how to read them.

The files lie in the data directory under their published names, compressed as published. `vaes.data_fetch` downloads
them; nothing here does. A file is checked twice: its checksum, then, as it is read, the form that it must have.

Where the checksums are from: the SHA-256 sums of MNIST and CIFAR-10 stand in several public loaders next to the MD5
sums of torchvision; those of the binarised MNIST in the list of TensorFlow Datasets; of ``chardata.mat`` only an MD5
sum is known to us, from a single public loader.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import math
import pickle
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Reader = Callable[[Sequence[Path], tuple[int, ...]], list[np.ndarray]]
"""Takes the paths and the shape of an image; returns (training, test) or (training, validation, test) images."""


class DataError(ValueError):
    """A data set that is unknown, missing, or not what its checksum says; the message is one line."""


@dataclass(frozen=True)
class DataFile:
    """One published file; ``checksum`` is ``"sha256:..."`` or ``"md5:..."`` in hexadecimal digits."""

    name: str
    url: str
    checksum: str


@dataclass(frozen=True)
class PublishedImages:
    """Images in published files, and the function that reads them.

    ``read`` gives arrays (N, *shape): uint8 levels of 0..255, real levels in [0, 1], or booleans.
    """

    files: tuple[DataFile, ...]
    read: Reader


_DIGESTS: dict[tuple[str, int, int, str], str] = {}


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file; computed once for as long as its size and its time of change stay."""
    status = path.stat()
    key = (str(path.resolve()), status.st_size, status.st_mtime_ns, algorithm)
    if key not in _DIGESTS:
        with path.open("rb") as file:
            _DIGESTS[key] = hashlib.file_digest(file, algorithm).hexdigest()
    return _DIGESTS[key]


def digest_of_all(paths: Sequence[Path]) -> str:
    """SHA-256 of a file; of several, that of their list as ``sha256sum FILES | sha256sum`` prints it."""
    if len(paths) == 1:
        return digest(paths[0])
    return hashlib.sha256("".join(f"{digest(path)}  {path.name}\n" for path in paths).encode()).hexdigest()


def verify(path: Path, file: DataFile, name: str | None = None) -> None:
    """Refuse a file whose checksum is not the published one; ``name`` is told instead of the path.

    Raises
    ------
    DataError
        If it differs.
    """
    algorithm, _, expected = file.checksum.partition(":")
    found = digest(path, algorithm)
    if found != expected:
        raise DataError(f"{name or path}: {algorithm} must be {expected}, got {found}")


def read_idx(path: Path) -> np.ndarray:
    """Read images in a gzip-compressed IDX file, the form of MNIST.

    Returns
    -------
    numpy.ndarray
        uint8 of the shape (N, height, width) that the file states.

    Raises
    ------
    DataError
        If the file is damaged, its magic number is not 2051, or the number of bytes is not that of its shape.
    """
    with _as_data_error(path, "a gzip-compressed IDX file"), gzip.open(path) as file:
        content = file.read()
    magic = int.from_bytes(content[:4], "big")
    if magic != IDX_IMAGES:
        raise DataError(f"{path}: the magic number must be {IDX_IMAGES}, got {magic}")
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in (4, 8, 12))
    if len(content) != 16 + math.prod(shape):
        raise DataError(f"{path}: images of shape {shape} must be {math.prod(shape)} bytes, got {len(content) - 16}")
    return np.frombuffer(content, np.uint8, offset=16).reshape(shape)


IDX_IMAGES = 0x803
"""Magic number of an IDX file with bytes in three dimensions."""


def read_binary_text(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read binary images in a text of one line per image, digits 0 and 1 with a blank between them.

    Returns
    -------
    numpy.ndarray
        Booleans (N, *shape).

    Raises
    ------
    DataError
        If a line has another number of digits than an image, or something else stands in it.
    """
    with _as_data_error(path, "a readable file"):
        content = np.frombuffer(path.read_bytes(), np.uint8)
    width = 2 * math.prod(shape)
    if len(content) == 0 or len(content) % width:
        raise DataError(f"{path}: the size must be a multiple of {width} bytes, a line, got {len(content)}")
    lines = content.reshape(-1, width)
    digits, blanks, ends = lines[:, ::2], lines[:, 1:-1:2], lines[:, -1]
    strange = ~np.isin(digits, tuple(b"01"))
    if strange.any():
        raise DataError(f"{path}: pixels must be 0 or 1, got {chr(digits[strange][0])!r}")
    if (blanks != ord(" ")).any() or (ends != ord("\n")).any():
        raise DataError(f"{path}: a line must be {width // 2} digits with one blank between them, got another")
    return (digits == ord("1")).reshape(-1, *shape)


def read_omniglot(path: Path, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Read training and test images of ``chardata.mat``, the 28x28 OMNIGLOT of Burda et al.

    The matrices "data" and "testdata" have a column per image, its pixels column by column; ink is 1.

    Returns
    -------
    list of numpy.ndarray
        Training and test images, float32 in [0, 1] of shape (N, *shape).

    Raises
    ------
    DataError
        If the file is no such MATLAB file, or a matrix has other rows or values.
    """
    from scipy.io import loadmat

    names = ("data", "testdata")
    with _as_data_error(path, f"a MATLAB file with the matrices {' and '.join(names)}"):
        found = loadmat(path, variable_names=names)
        matrices = [np.asarray(found[name], dtype=np.float32) for name in names]
    for name, matrix in zip(names, matrices, strict=True):
        if matrix.ndim != 2 or len(matrix) != math.prod(shape):
            raise DataError(f"{path}: {name} must have {math.prod(shape)} rows, got the shape {matrix.shape}")
        if not ((matrix >= 0) & (matrix <= 1)).all():
            raise DataError(f"{path}: {name} must be in [0, 1], got values in [{matrix.min()}, {matrix.max()}]")
    return [matrix.T.reshape(-1, *shape[::-1]).transpose(0, 2, 1) for matrix in matrices]


CIFAR_BATCHES = {
    "training": tuple(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)),
    "test": ("cifar-10-batches-py/test_batch",),
}
"""Files in the archive of CIFAR-10, in order."""


def read_cifar10(path: Path, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Read training and test images of the Python version of CIFAR-10 without unpacking it.

    Its batches are pickles: only those are read whose objects are arrays and plain values, and nothing that a pickle
    names is called but what rebuilds an array.

    Returns
    -------
    list of numpy.ndarray
        Training and test images, uint8 (N, height, width, channels).

    Raises
    ------
    DataError
        If the archive is damaged, lacks a batch, or a batch is not rows of bytes of this shape.
    """
    wanted = [name for names in CIFAR_BATCHES.values() for name in names]
    found: dict[str, np.ndarray] = {}
    with _as_data_error(path, "the archive of CIFAR-10 for Python"), tarfile.open(path, "r:gz") as archive:
        for member in archive:
            if member.name in wanted and member.isfile():
                content: Any = archive.extractfile(member)
                found[member.name] = _ArrayUnpickler(io.BytesIO(content.read()), encoding="bytes").load()[b"data"]
    height, width, channels = shape
    for name in wanted:
        if name not in found:
            raise DataError(f"{path}: must hold {name}, got {', '.join(found) or 'no batch'}")
        batch = found[name]
        if not isinstance(batch, np.ndarray) or batch.dtype != np.uint8 or batch.shape[1:] != (math.prod(shape),):
            got = f"{batch.dtype} of shape {batch.shape}" if isinstance(batch, np.ndarray) else type(batch).__name__
            raise DataError(f"{path}: {name} must be uint8 of shape (N, {math.prod(shape)}), got {got}")
    # A row holds the channels one after the other.
    rows = [np.concatenate([found[name] for name in names]) for names in CIFAR_BATCHES.values()]
    return [np.ascontiguousarray(part.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)) for part in rows]


class _ArrayUnpickler(pickle.Unpickler):
    """Reads arrays and plain values; any other object is refused, so that no pickle can run code."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what rebuilds an array, under the names of older and newer NumPy."""
        if (module, name) in (("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")):
            return _empty_array
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} in a batch")


def _empty_array(kind: type[np.ndarray], shape: tuple[int, ...], _: bytes) -> np.ndarray:
    """Array that the state of the pickle then fills, as NumPy's own function makes it."""
    return np.ndarray.__new__(kind, shape, np.int8)


@contextlib.contextmanager
def _as_data_error(path: Path, form: str) -> Iterator[None]:
    """Say in one line what a file must be."""
    try:
        yield
    # Damaged bytes make parsers raise almost anything.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: must be {form}, got {reason}") from None


_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_BINARISED = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"

MNIST = PublishedImages(
    files=(
        DataFile(
            "train-images-idx3-ubyte.gz",
            _MNIST + "train-images-idx3-ubyte.gz",
            "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        DataFile(
            "t10k-images-idx3-ubyte.gz",
            _MNIST + "t10k-images-idx3-ubyte.gz",
            "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
    ),
    read=lambda paths, shape: [read_idx(path) for path in paths],
)
BINARISED_MNIST = PublishedImages(
    files=(
        DataFile(
            "binarized_mnist_train.amat",
            _BINARISED + "binarized_mnist_train.amat",
            "sha256:ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
        ),
        DataFile(
            "binarized_mnist_valid.amat",
            _BINARISED + "binarized_mnist_valid.amat",
            "sha256:1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
        ),
        DataFile(
            "binarized_mnist_test.amat",
            _BINARISED + "binarized_mnist_test.amat",
            "sha256:e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
        ),
    ),
    read=lambda paths, shape: [read_binary_text(path, shape) for path in paths],
)
OMNIGLOT = PublishedImages(
    files=(
        DataFile(
            "chardata.mat",
            "https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat",
            "md5:21ecaf34373511aa7691cf2e0802aa3d",
        ),
    ),
    read=lambda paths, shape: read_omniglot(paths[0], shape),
)
CIFAR10 = PublishedImages(
    files=(
        DataFile(
            "cifar-10-python.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
    ),
    read=lambda paths, shape: read_cifar10(paths[0], shape),
)

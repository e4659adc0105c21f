"""Tiny MNIST, OMNIGLOT and CIFAR-10 in the true formats of the published files, and a server for them."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import io
import pickle
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from scipy.io import savemat

from vaes import data
from vaes.data_files import CIFAR_BATCHES, PublishedImages

SHAPES: dict[str, tuple[int, ...]] = {"mnist": (3, 4), "omniglot": (3, 4), "cifar10": (2, 3, 3)}
SPLITS = {"mnist": (5, 2, 3), "omniglot": (6, 2, 3), "cifar10": (10, 0, 2)}
URL = "http://127.0.0.1:9/"


def levels(count: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Random levels of 0..255."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def idx(images: np.ndarray, magic: int = 2051, count: int | None = None) -> bytes:
    """Images as a compressed IDX file."""
    header = struct.pack(">4I", magic, len(images) if count is None else count, *images.shape[1:])
    return gzip.compress(header + images.tobytes())


def binary_text(images: np.ndarray) -> bytes:
    """Binary images as lines of digits."""
    return b"".join(" ".join(map(str, image.ravel().astype(int))).encode() + b"\n" for image in images)


def matlab(**matrices: np.ndarray) -> bytes:
    """Matrices as a MATLAB file."""
    file = io.BytesIO()
    savemat(file, matrices, do_compression=True)
    return file.getvalue()


def matlab_columns(images: np.ndarray) -> np.ndarray:
    """A column per image, as MATLAB's ``image(:)`` makes it."""
    return np.stack([image.flatten(order="F") for image in images], axis=1).astype(np.float64)


class _Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Writes byte strings as Python 2 did, as in the published batches."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_bytes(self, value: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes


def pickled(value: Any) -> bytes:
    """A value as a pickle of Python 2."""
    file = io.BytesIO()
    _Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def batch(rows: Any, numpy: bytes = b"numpy.core.multiarray") -> bytes:
    """One pickled batch of CIFAR-10, by the module name of an old or a new NumPy."""
    content = {b"batch_label": b"tiny", b"labels": [0] * len(rows), b"data": rows, b"filenames": [b"a.png"] * len(rows)}
    return pickled(content).replace(b"numpy._core.multiarray", numpy)


def archive(members: Mapping[str, bytes]) -> bytes:
    """A compressed tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as target:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            target.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def cifar_batches(images: np.ndarray) -> dict[str, bytes]:
    """Batches of two images each in the order of the archive, with the files that stand beside them."""
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    names = [name for names in CIFAR_BATCHES.values() for name in names]
    pairs = zip(names, np.split(rows, len(names)), strict=True)
    return {"cifar-10-batches-py/readme.html": b"<p>", **{name: batch(pair) for name, pair in pairs}}


def contents() -> dict[str, bytes]:
    """Every published file by name, tiny."""
    grey = levels(10, SHAPES["mnist"])
    binary = grey >= 128
    drawings = levels(11, SHAPES["omniglot"], 1) / 255
    return {
        "train-images-idx3-ubyte.gz": idx(grey[:7]),
        "t10k-images-idx3-ubyte.gz": idx(grey[7:]),
        "binarized_mnist_train.amat": binary_text(binary[:5]),
        "binarized_mnist_valid.amat": binary_text(binary[5:7]),
        "binarized_mnist_test.amat": binary_text(binary[7:]),
        "chardata.mat": matlab(data=matlab_columns(drawings[:8]), testdata=matlab_columns(drawings[8:])),
        "cifar-10-python.tar.gz": archive(cifar_batches(levels(12, SHAPES["cifar10"], 2))),
    }


def install(monkeypatch: Any, files: Mapping[str, bytes], url: str = URL) -> None:
    """Make `vaes.data` expect these files, at this address, in place of the published ones."""

    def own(published: PublishedImages | None) -> PublishedImages | None:
        if published is None:
            return None
        described = [
            replace(file, url=url + file.name, checksum=f"{kind}:{hashlib.new(kind, files[file.name]).hexdigest()}")
            for file in published.files
            for kind in [file.checksum.partition(":")[0]]
        ]
        return replace(published, files=tuple(described))

    for name, shape in SHAPES.items():
        source = data.SOURCES[name]
        tiny = replace(
            source,
            shape=shape,
            split=SPLITS[name],
            published=own(source.published),
            static_images=own(source.static_images),
        )
        monkeypatch.setitem(data.SOURCES, name, tiny)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put files into a folder."""
    for name, content in files.items():
        (folder / name).write_bytes(content)


@contextlib.contextmanager
def serve(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Run a local server that answers each GET by this function; yield its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

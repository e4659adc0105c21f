"""The published files of MNIST, OMNIGLOT and CIFAR-10: what is read, how it is split, and what is refused."""

from __future__ import annotations

import hashlib
import os
import pickle

import numpy as np
import pytest
import torch

from tests import published_files as tiny
from vaes import data
from vaes.data_files import BINARISED_MNIST, CIFAR10, CIFAR_BATCHES, MNIST, OMNIGLOT, read_cifar10
from vaes.image_data import load_images, resized

FILES = tiny.contents()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with all files, tiny, and `vaes.data` expecting them."""
    monkeypatch.delenv(data.DATA_VARIABLE, raising=False)
    tiny.write(tmp_path, FILES)
    tiny.install(monkeypatch, FILES)
    return tmp_path


def parts(loaded):
    return [part.numpy() for part in (loaded.train, loaded.validation, loaded.test)]


def test_mnist_keeps_the_published_order_and_split(folder):
    loaded = data.load("mnist/raw", folder)
    want = tiny.levels(10, (3, 4)).reshape(10, 12) / np.float32(255)
    assert [len(part) for part in parts(loaded)] == [5, 2, 3]
    assert np.array_equal(np.concatenate(parts(loaded)), want)
    assert loaded.shape == (3, 4)
    dynamic = data.load("mnist/dynamic", folder)
    assert np.array_equal(dynamic.grey, want[:5])
    assert dynamic.train.unique().tolist() == [0, 1]


def test_static_mnist_is_the_published_binary_images(folder):
    loaded = data.load("mnist/static", folder)
    want = (tiny.levels(10, (3, 4)) >= 128).reshape(10, 12)
    assert [len(part) for part in parts(loaded)] == [5, 2, 3]
    assert np.array_equal(np.concatenate(parts(loaded)), want)
    assert loaded.train.dtype == torch.float32
    assert loaded.grey is None
    assert "Larochelle" in loaded.note


def test_omniglot_is_upright_and_its_test_images_stay_apart(folder):
    loaded = data.load("omniglot/raw", folder)
    want = (tiny.levels(11, (3, 4), 1) / 255).astype(np.float32).reshape(11, 12)
    train, validation, test = parts(loaded)
    assert (len(train), len(validation)) == (6, 2)
    assert np.array_equal(test, want[8:])
    assert sorted(map(bytes, [*train, *validation])) == sorted(map(bytes, want[:8]))
    assert not np.array_equal(train, want[:6])
    assert torch.equal(loaded.train, data.load("omniglot/raw", folder).train)


def test_omniglot_is_drawn_anew_or_once(folder):
    static, dynamic = data.load("omniglot/static", folder), data.load("omniglot/dynamic", folder)
    assert torch.equal(dynamic.grey, data.load("omniglot/raw", folder).train)
    assert static.train.unique().tolist() == [0, 1]
    assert not torch.equal(static.train, dynamic.train)


def test_cifar10_has_channels_last_and_no_validation_images(folder):
    loaded = data.load("cifar10/raw", folder)
    want = tiny.levels(12, (2, 3, 3), 2)
    assert [len(part) for part in parts(loaded)] == [10, 0, 2]
    assert np.array_equal(np.concatenate(parts(loaded)), want.reshape(12, 18) / np.float32(255))
    found = data.load_levels("cifar10", folder)
    assert found["train"].dtype == np.uint8
    assert np.array_equal(found["train"], want[:10])
    assert np.array_equal(found["test"], want[10:])


def test_all_of_cifar10_is_a_set_of_images_on_the_grid(folder):
    found = load_images("cifar28-full", folder)
    planes = torch.from_numpy(tiny.levels(12, (2, 3, 3), 2)).permute(0, 3, 1, 2)
    assert (found.shape, found.levels, len(found.validation)) == ((3, 28, 28), 256, 0)
    assert torch.equal(found.train, resized(planes[:10], 28, 28))
    assert torch.equal(found.test, resized(planes[10:], 28, 28))


@pytest.mark.parametrize("numpy", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_batches_of_any_numpy_and_in_any_order_are_read(tmp_path, numpy):
    rows = tiny.levels(12, (12,)).reshape(6, 2, 12)
    names = [name for names in CIFAR_BATCHES.values() for name in names]
    path = tmp_path / "cifar.tar.gz"
    batches = {name: tiny.batch(two, numpy) for name, two in zip(names, rows, strict=True)}
    path.write_bytes(tiny.archive(dict(reversed(batches.items()))))
    train, test = read_cifar10(path, (2, 2, 3))
    assert (train.shape, test.shape) == ((10, 2, 2, 3), (2, 2, 2, 3))
    assert np.array_equal(train[:, :, :, 2].reshape(10, 4), rows[:5].reshape(10, 12)[:, 8:])
    assert np.array_equal(test[1, :, :, 2].ravel(), rows[5, 1, 8:])


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_levels_are_the_raw_images_exactly(folder, name):
    loaded, found = data.load(f"{name}/raw", folder), data.load_levels(name, folder)
    for part, values in found.items():
        assert np.array_equal(getattr(loaded, part), values.reshape(len(values), loaded.dims) / np.float32(255))


@pytest.mark.parametrize("name", ["omniglot", "digits", "nothing"])
def test_levels_are_refused_where_there_are_none(folder, name):
    with pytest.raises(data.DataError, match=f"name must be .*, got '{name}'"):
        data.load_levels(name, folder)


def test_checksum_is_that_of_the_files(folder):
    listing = "".join(
        f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}\n"
        for name in ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
    )
    assert data.load("mnist/raw", folder).checksum == hashlib.sha256(listing.encode()).hexdigest()
    assert data.load("omniglot/raw", folder).checksum == hashlib.sha256(FILES["chardata.mat"]).hexdigest()
    described = {record["name"]: record for record in data.describe(folder)}
    for name in ("mnist", "mnist/static", "omniglot", "cifar10"):
        loaded = data.load(name if "/" in name else f"{name}/raw", folder)
        assert (described[name]["status"], described[name]["sha256"]) == ("ok", loaded.checksum)


def test_static_images_are_described_apart(folder):
    (folder / "binarized_mnist_valid.amat").unlink()
    described = {record["name"]: record for record in data.describe(folder)}
    assert described["mnist"]["status"] == "ok"
    assert "binarized_mnist_valid.amat must exist" in described["mnist/static"]["status"]
    assert "data --fetch mnist" in described["mnist/static"]["status"]
    assert data.load("mnist/dynamic", folder).dims == 12
    assert "binarized_mnist_valid.amat must exist" in refusal("mnist/static", folder)


def refusal(dataset, folder):
    with pytest.raises(data.DataError) as caught:
        data.load(dataset, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("dataset", "name", "algorithm"),
    [
        ("mnist/raw", "t10k-images-idx3-ubyte.gz", "sha256"),
        ("mnist/static", "binarized_mnist_train.amat", "sha256"),
        ("omniglot/raw", "chardata.mat", "md5"),
        ("cifar10/raw", "cifar-10-python.tar.gz", "sha256"),
    ],
)
def test_another_file_is_refused_by_its_checksum(folder, dataset, name, algorithm):
    (folder / name).write_bytes(FILES[name] + b"x")
    message = refusal(dataset, folder)
    assert f"{folder / name}: {algorithm} must be {hashlib.new(algorithm, FILES[name]).hexdigest()}, got " in message


GREY = tiny.levels(7, (3, 4))
TEXT = tiny.binary_text(GREY[:5] >= 128)
COLUMNS = tiny.matlab_columns(tiny.levels(8, (3, 4)) / 255)
BATCHES = tiny.cifar_batches(tiny.levels(12, (2, 3, 3), 2))
LAST = "cifar-10-batches-py/test_batch"
TRAIN = "train-images-idx3-ubyte.gz"
DAMAGES = {
    "idx cut": (TRAIN, tiny.idx(GREY)[:-9], "must be a gzip-compressed IDX file, got "),
    "idx no gzip": (TRAIN, b"no", "must be a gzip-compressed IDX file, got "),
    "idx empty": (TRAIN, b"", "the magic number must be 2051, got 0"),
    "idx labels": (TRAIN, tiny.idx(GREY, magic=2049), "the magic number must be 2051, got 2049"),
    "idx bytes": (TRAIN, tiny.idx(GREY, count=8), "images of shape (8, 3, 4) must be 96 bytes, got 84"),
    "idx count": (TRAIN, tiny.idx(GREY[:6]), "training images must be of shape (7, 3, 4), got (6, 3, 4)"),
    "idx size": (TRAIN, tiny.idx(GREY[:, :2]), "training images must be of shape (7, 3, 4), got (7, 2, 4)"),
    "text cut": ("binarized_mnist_train.amat", TEXT[:-1], "must be a multiple of 24 bytes, a line, got 119"),
    "text empty": ("binarized_mnist_train.amat", b"", "must be a multiple of 24 bytes, a line, got 0"),
    "text grey": ("binarized_mnist_train.amat", b"2" + TEXT[1:], "pixels must be 0 or 1, got '2'"),
    "text shifted": ("binarized_mnist_train.amat", TEXT[24:] + TEXT[:24].replace(b"\n", b" "), "12 digits with one"),
    "text count": ("binarized_mnist_valid.amat", TEXT, "validation images must be of shape (2, 3, 4), got (5, 3, 4)"),
    "mat garbage": ("chardata.mat", b"no" * 100, "must be a MATLAB file with the matrices data and testdata, got "),
    "mat empty": ("chardata.mat", b"", "must be a MATLAB file with the matrices data and testdata, got "),
    "mat lacks one": ("chardata.mat", tiny.matlab(data=COLUMNS), "the matrices data and testdata, got 'testdata'"),
    "mat rows": ("chardata.mat", tiny.matlab(data=COLUMNS[1:], testdata=COLUMNS), "data must have 12 rows, got the"),
    "mat range": ("chardata.mat", tiny.matlab(data=COLUMNS, testdata=2 * COLUMNS), "testdata must be in [0, 1], got"),
    "mat nan": ("chardata.mat", tiny.matlab(data=np.nan * COLUMNS, testdata=COLUMNS), "data must be in [0, 1], got"),
    "mat count": (
        "chardata.mat",
        tiny.matlab(data=COLUMNS, testdata=COLUMNS),
        "test images must be of shape (3, 3, 4), got (8, 3, 4)",
    ),
    "tar cut": ("cifar-10-python.tar.gz", FILES["cifar-10-python.tar.gz"][:400], "must be the archive of CIFAR-10"),
    "tar no tar": ("cifar-10-python.tar.gz", b"no", "must be the archive of CIFAR-10 for Python, got "),
    "tar lacks one": (
        "cifar-10-python.tar.gz",
        tiny.archive({name: content for name, content in BATCHES.items() if name != LAST}),
        f"must hold {LAST}, got cifar-10-batches-py/data_batch_1, ",
    ),
    "batch rows": (
        "cifar-10-python.tar.gz",
        tiny.archive(BATCHES | {LAST: tiny.batch(tiny.levels(2, (17,)))}),
        f"{LAST} must be uint8 of shape (N, 18), got uint8 of shape (2, 17)",
    ),
    "batch type": (
        "cifar-10-python.tar.gz",
        tiny.archive(BATCHES | {LAST: tiny.batch([1, 2])}),
        f"{LAST} must be uint8 of shape (N, 18), got list",
    ),
    "batch count": (
        "cifar-10-python.tar.gz",
        tiny.archive(BATCHES | {LAST: tiny.batch(tiny.levels(3, (18,)))}),
        "test images must be of shape (2, 2, 3, 3), got (3, 2, 3, 3)",
    ),
}
OWNER = {"train": "mnist/raw", "binarized": "mnist/static", "chardata": "omniglot/raw", "cifar": "cifar10/raw"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_content_is_checked_beyond_the_checksum(folder, monkeypatch, damage):
    name, content, message = DAMAGES[damage]
    tiny.write(folder, {name: content})
    tiny.install(monkeypatch, FILES | {name: content})
    dataset = next(dataset for start, dataset in OWNER.items() if name.startswith(start))
    told = refusal(dataset, folder)
    assert told.startswith(f"{folder / name}: ")
    assert message in told


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_batch_cannot_run_code(folder, monkeypatch):
    harmful = tiny.pickled({b"data": Harmful(str(folder / "made"))})
    content = {"cifar-10-python.tar.gz": tiny.archive(BATCHES | {LAST: harmful})}
    tiny.write(folder, content)
    tiny.install(monkeypatch, FILES | content)
    assert f"got {os.mkdir.__module__}.mkdir in a batch" in refusal("cifar10/raw", folder)
    assert not (folder / "made").exists()
    pickle.loads(harmful)
    assert (folder / "made").exists()


def test_full_data_sets_have_their_usual_splits():
    splits = {name: data.SOURCES[name].split for name in ("mnist", "omniglot", "cifar10")}
    assert splits == {
        "mnist": (50_000, 10_000, 10_000),
        "omniglot": (23_000, 24_345 - 23_000, 8070),
        "cifar10": (50_000, 0, 10_000),
    }
    assert {name: data.SOURCES[name].shape for name in splits} == {
        "mnist": (28, 28),
        "omniglot": (28, 28),
        "cifar10": (32, 32, 3),
    }


def test_every_checksum_is_a_whole_digest():
    for published in (MNIST, BINARISED_MNIST, OMNIGLOT, CIFAR10):
        for file in published.files:
            algorithm, _, digits = file.checksum.partition(":")
            assert len(bytes.fromhex(digits)) == hashlib.new(algorithm).digest_size
            assert file.url.endswith(f"/{file.name}")

"""Datasets: contents, splits, binarisation, checksums, errors."""

import hashlib
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from vaes import data
from vaes.seeding import stream


@pytest.fixture
def local(tmp_path, monkeypatch):
    """A small local file that stands for mnist10k, with its right checksum."""
    levels = np.random.default_rng(0).integers(0, 256, (30, 4, 5), dtype=np.uint8)
    path = tmp_path / "mnist-10k.npz"
    np.savez(path, images=levels)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    source = replace(data.SOURCES["mnist10k"], shape=(4, 5), split=(20, 6, 4), sha256=checksum)
    monkeypatch.setitem(data.SOURCES, "mnist10k", source)
    monkeypatch.delenv(data.DATA_VARIABLE, raising=False)
    return path, levels


@pytest.mark.parametrize("name", ["digits/static", "patches/static"])
def test_embedded_sets_are_binary_with_the_documented_sizes(name):
    loaded = data.load(name)
    sizes = {"digits/static": (1500, 297), "patches/static": (2600, 400)}[name]
    assert (len(loaded.train), len(loaded.test), len(loaded.validation)) == (*sizes, 0)
    assert loaded.dims == 64
    assert loaded.train.unique().tolist() == [0, 1]
    assert loaded.train.dtype == torch.float32


def test_digits_are_all_there_and_thresholded_at_one_half():
    from sklearn.datasets import load_digits

    loaded = data.load("digits/static")
    got = torch.cat([loaded.train, loaded.test]).numpy()
    want = (load_digits().images.reshape(-1, 64) >= 8).astype(np.float32)
    assert sorted(map(bytes, got)) == sorted(map(bytes, want))


def test_dynamic_digits_have_the_grey_means_and_a_fixed_test_draw():
    loaded, again = data.load("digits/dynamic"), data.load("digits/dynamic")
    assert torch.equal(loaded.test, again.test)
    standard_error = (loaded.grey * (1 - loaded.grey)).sum(0).sqrt() / len(loaded.grey)
    deviation = (loaded.train.mean(0) - loaded.grey.mean(0)).abs()
    assert (deviation <= 4.5 * standard_error + 1e-7).all()


def test_patches_use_both_values_about_equally():
    assert 0.4 < data.load("patches/static").train.mean() < 0.6


def test_local_file_is_split_without_loss(local):
    path, levels = local
    loaded = data.load("mnist10k/raw", path.parent)
    parts = torch.cat([loaded.train, loaded.validation, loaded.test]).numpy()
    assert [len(part) for part in (loaded.train, loaded.validation, loaded.test)] == [20, 6, 4]
    want = levels.reshape(30, -1) / np.float32(255)
    assert sorted(map(bytes, parts)) == sorted(map(bytes, want))
    assert "NOT comparable" in loaded.note


def test_static_and_dynamic_draws_differ_and_repeat(local):
    folder = local[0].parent
    static, dynamic = data.load("mnist10k/static", folder), data.load("mnist10k/dynamic", folder)
    assert not torch.equal(static.train, dynamic.train)
    assert torch.equal(static.train, data.load("mnist10k/static", folder).train)
    assert static.grey is None
    assert dynamic.grey is not None


def test_data_directory_from_the_environment(local, monkeypatch):
    monkeypatch.setenv(data.DATA_VARIABLE, str(local[0].parent))
    assert data.load("mnist10k/static").dims == 20


def refusal(name, folder=None):
    with pytest.raises(data.DataError) as caught:
        data.load(name, folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_errors_are_one_line_and_name_the_thing(local, tmp_path):
    path, _ = local
    assert "digits/static" in refusal("svhn/static")
    assert "static, dynamic, raw" in refusal("digits")
    assert "--data-dir" in refusal("mnist10k/static")
    assert "must exist" in refusal("mnist10k/static", tmp_path / "nowhere")
    assert "frey-face.npz" in refusal("frey-face/static", tmp_path)
    path.write_bytes(path.read_bytes() + b"x")
    assert "sha256 must be" in refusal("mnist10k/static", tmp_path)


@pytest.mark.parametrize("kind", ["corrupt", "pickle", "no images", "shape"])
def test_content_is_checked_beyond_the_checksum(local, monkeypatch, kind):
    path, levels = local
    if kind == "corrupt":
        path.write_bytes(path.read_bytes()[:200])
    elif kind == "pickle":
        np.savez(path, images=np.array([{"a": 1}], dtype=object))
    else:
        np.savez(path, **{"images" if kind == "shape" else "other": levels[1:]})
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(data.SOURCES, "mnist10k", replace(data.SOURCES["mnist10k"], sha256=checksum))
    assert "images" in refusal("mnist10k/static", path.parent)


def test_checksum_is_read_again_when_the_file_changes(local):
    path, _ = local
    data.load("mnist10k/static", path.parent)
    content = bytearray(path.read_bytes())
    content[-60] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(0, 0))
    assert "sha256" in refusal("mnist10k/static", path.parent)


def test_describe_says_what_is_missing(local):
    records = {record["name"]: record for record in data.describe(local[0].parent)}
    assert records["digits"]["status"] == "ok"
    assert records["mnist10k"]["status"] == "ok"
    assert "must exist" in records["frey-face"]["status"]


def test_batches_cover_an_epoch_and_run_on():
    source = data.BatchSource(10, 4, stream(0, "data"))
    rows = torch.cat([source.next() for _ in range(5)])
    assert sorted(rows[:10].tolist()) == list(range(10))
    assert sorted(rows[10:].tolist()) == list(range(10))


def test_batches_repeat_and_resume():
    one, two = (data.BatchSource(10, 4, stream(0, "data")) for _ in range(2))
    one.next()
    saved = one.state()
    rest = [one.next() for _ in range(6)]
    two.restore(saved)
    assert all(torch.equal(a, two.next()) for a in rest)

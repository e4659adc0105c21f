"""Folders of image files as datasets: what is read, how it is resized, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from vaes.data import DataError
from vaes.image_data import resized
from vaes.image_folder import image_folder


def write(folder, name, values, mode=None):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, dtype=np.uint8))
    (image if mode is None else image.convert(mode)).save(path)
    return path


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    for index in range(20):
        write(tmp_path, f"{index:02}.png", random.integers(0, 256, (12, 10, 3)))
    return tmp_path


def test_levels_are_those_of_the_files(photos):
    dataset = image_folder(photos, held_out=0.1)
    assert dataset.shape == (3, 12, 10)
    assert dataset.levels == 256
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (18, 0, 2)
    found = {image.numpy().tobytes() for image in torch.cat([dataset.train, dataset.test])}
    files = {np.asarray(Image.open(path)).transpose(2, 0, 1).tobytes() for path in photos.iterdir()}
    assert found == files


def test_split_is_the_same_every_time_and_may_be_empty(photos):
    assert image_folder(photos).checksum == image_folder(photos).checksum
    assert len(image_folder(photos, held_out=0.0).test) == 0


def test_other_files_are_passed_over_and_folders_are_entered(photos):
    (photos / "notes.txt").write_text("no image")
    (photos / ".hidden.png").write_bytes(b"no image")
    write(photos, "more/last.bmp", np.zeros((12, 10, 3)))
    assert len(image_folder(photos, held_out=0.0).train) == 21


def test_images_are_cropped_in_the_middle_and_shrunk(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (24, 40))
    write(tmp_path, "a.png", values)
    got = image_folder(tmp_path, size=(8, 8), held_out=0.0)
    middle = torch.from_numpy(values[:, 8:32].astype(np.uint8))[None, None]
    assert got.train.shape == (1, 1, 8, 8)
    assert torch.equal(got.train, resized(middle, 8, 8))
    theirs = Image.fromarray(middle[0, 0].numpy()).resize((8, 8), Image.Resampling.BILINEAR)
    assert np.abs(got.train[0, 0].numpy().astype(int) - np.asarray(theirs)).max() <= 1


def test_grey_and_colour_are_found_or_asked_for(tmp_path):
    write(tmp_path, "a.png", np.full((4, 4), 100))
    assert image_folder(tmp_path, held_out=0.0).shape == (1, 4, 4)
    assert image_folder(tmp_path, channels=3, held_out=0.0).shape == (3, 4, 4)
    write(tmp_path, "b.png", np.full((4, 4, 3), 100))
    with pytest.raises(DataError, match=r"channels must be given where images differ, got 1 .*a.png.*, 3 .*b.png"):
        image_folder(tmp_path)
    assert (image_folder(tmp_path, channels=1, held_out=0.0).train == 100).all()


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("LA", 1), ("P", 3), ("RGBA", 3)])
def test_modes_of_8_bits_are_read(tmp_path, mode, channels):
    write(tmp_path, "a.png", np.full((4, 4, 3), 255), mode)
    dataset = image_folder(tmp_path, held_out=0.0)
    assert dataset.shape[0] == channels
    assert (dataset.train == 255).all()


def corrupt(folder):
    path = write(folder, "bad.png", np.random.default_rng(0).integers(0, 256, (40, 40, 3)))
    path.write_bytes(path.read_bytes()[:500])


def sixteen_bits(folder):
    Image.fromarray(np.full((9, 9), 4000, dtype=np.uint16)).save(folder / "deep.png")


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (corrupt, {}, r"bad\.png: must be an image that can be read, got "),
        (lambda folder: (folder / "bad.jpg").write_bytes(b""), {}, r"bad\.jpg: must be an image that can be read"),
        (lambda folder: (folder / "bad.jpg").write_text("hello"), {}, r"bad\.jpg: must be an image that can be read"),
        (sixteen_bits, {}, r"deep\.png: must have 8 bits per channel, got Pillow mode I;16"),
        (lambda folder: None, {"size": (13, 10)}, r"00\.png: must be at least 13x10, got 12x10"),
        (lambda folder: None, {"size": (0, 10)}, r"size must be a height and a width >= 1, got \(0, 10\)"),
        (lambda folder: None, {"channels": 4}, "channels must be 1 or 3, got 4"),
        (lambda folder: None, {"held_out": 1.0}, r"held_out must be in \[0, 1\), got 1.0"),
        (lambda folder: write(folder, "z.png", np.zeros((5, 5, 3))), {}, "size must be given where images differ"),
    ],
    ids=["truncated", "empty file", "text", "16 bits", "small", "no size", "channels", "held out", "sizes"],
)
def test_bad_images_give_one_clear_line(photos, spoil, options, message):
    spoil(photos)
    with pytest.raises(DataError, match=message) as caught:
        image_folder(photos, **options)
    assert "\n" not in str(caught.value)


def test_bad_folders_give_one_clear_line(tmp_path):
    with pytest.raises(DataError, match=r"folder of images must exist, got .*nowhere"):
        image_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"must hold images \(\.bmp, .*\), got none"):
        image_folder(tmp_path)

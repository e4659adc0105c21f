"""A folder of image files as a dataset of levels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vaes.data import DATA_SEED, DataError
from vaes.image_data import ImageDataset, image_dataset, resized
from vaes.seeding import numpy_stream

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "RGB", "RGBA", "CMYK", "YCbCr")
"""Of Pillow: all with 8 bits per channel."""


def image_folder(
    folder: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    held_out: float = 0.1,
) -> ImageDataset:
    """Read all image files below a folder, in the order of their names, with 256 levels.

    Parameters
    ----------
    folder : path
        Files that do not end like an image (`SUFFIXES`), and hidden ones, are passed over.
    size : (int, int), optional
        Height and width: images are cropped in the middle to these proportions and shrunk by `vaes.image_data.resized`.
        None: all images must have one size, which is kept.
    channels : int, optional
        1 makes grey images, 3 makes RGB images of all files. None: what the files are, all grey or all in colour.
    held_out : float
        Share of the images, picked by a fixed stream, that becomes the test split.

    Raises
    ------
    DataError
        If the folder or images in it are missing, a file cannot be read, or an image does not fit.
    """
    if channels not in (None, 1, 3):
        raise DataError(f"channels must be 1 or 3, got {channels}")
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise DataError(f"size must be a height and a width >= 1, got {size}")
    if not 0 <= held_out < 1:
        raise DataError(f"held_out must be in [0, 1), got {held_out}")
    files = _files(Path(folder))
    images = [_read(file, size, channels) for file in files]
    _check_alike(files, images, "channels", [image.shape[0] for image in images])
    _check_alike(files, images, "size", [image.shape[1:] for image in images])
    order = numpy_stream(DATA_SEED, "image_folder", "split").permutation(len(images))
    levels, tests = torch.stack(images)[torch.from_numpy(order)], int(held_out * len(images))
    splits = {"train": levels[tests:], "test": levels[:tests]}
    return image_dataset(Path(folder).resolve().name, splits, 256, f"{len(images)} images of a folder")


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"folder of images must exist, got {folder}")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    files = sorted(path for path in found if not path.name.startswith("."))
    if not files:
        raise DataError(f"folder {folder} must hold images ({', '.join(SUFFIXES)}), got none")
    return files


def _read(file: Path, size: tuple[int, int] | None, channels: int | None) -> Tensor:
    """Levels (C, H, W) of one file."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            image.load()
    except Exception as error:  # whatever a format's reader trips over
        reason = " ".join(str(error).split())
        raise DataError(f"{file}: must be an image that can be read, got {reason}") from None
    if image.mode not in GREY_MODES + COLOUR_MODES:
        raise DataError(f"{file}: must have 8 bits per channel, got Pillow mode {image.mode}")
    if channels is None:
        channels = 1 if image.mode in GREY_MODES else 3
    pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
    levels = torch.from_numpy(pixels).view(*pixels.shape[:2], channels).permute(2, 0, 1)
    if size is None:
        return levels
    if levels.shape[1] < size[0] or levels.shape[2] < size[1]:
        raise DataError(f"{file}: must be at least {size[0]}x{size[1]}, got {levels.shape[1]}x{levels.shape[2]}")
    return resized(_middle(levels, size)[None], *size)[0]


def _middle(levels: Tensor, size: tuple[int, int]) -> Tensor:
    """Largest centred part of an image (C, H, W) with the proportions of ``size``."""
    scale = min(levels.shape[1] / size[0], levels.shape[2] / size[1])
    height, width = (round(scale * side) for side in size)
    top, left = (levels.shape[1] - height) // 2, (levels.shape[2] - width) // 2
    return levels[:, top : top + height, left : left + width]


def _check_alike(files: Sequence[Path], images: Sequence[Tensor], name: str, values: Sequence[object]) -> None:
    for file, value in zip(files, values, strict=True):
        if value != values[0]:
            raise DataError(f"{name} must be given where images differ, got {values[0]} ({files[0]}), {value} ({file})")

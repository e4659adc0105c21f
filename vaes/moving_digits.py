"""Sequences of real digits that move on a dark square and bounce off its sides at random.

A digit moves by its velocity, in pixels per frame, until it would leave the square. It then stops at the side and
leaves it with a new velocity: away from the side, of magnitude 1 to ``speed``, and anything from ``-speed`` to
``speed`` along it. Where a digit goes after a bounce cannot be told from the frames before. Several digits add up,
cut at 1.

Training and test digits are different images. Sequences are drawn from a generator: the same generator, the same
sequences.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vaes.data import DATA_SEED
from vaes.image_data import load_images, resized
from vaes.seeding import stream

PARTS = ("train", "test")


@dataclass(frozen=True)
class Sequences:
    """Frames (N, T, 1, S, S) in [0, 1] and the first digit (N, h, w) of each sequence."""

    frames: Tensor
    digits: Tensor


@dataclass(frozen=True)
class MovingDigits:
    """A source of sequences.

    Parameters
    ----------
    name : str
    train, test : Tensor
        Digits (N, h, w) in [0, 1], no image in both.
    size : int
        Side of the frames.
    speed : int
        Largest velocity along an axis, pixels per frame.
    count : int
        Digits per sequence.
    checksum : str
        Of the digits' source.
    """

    name: str
    train: Tensor
    test: Tensor
    size: int
    speed: int
    count: int = 1
    checksum: str = ""

    def __post_init__(self) -> None:
        """Check the values."""
        for part in PARTS:
            digits = getattr(self, part)
            if digits.ndim != 3 or not len(digits):
                raise ValueError(f"{part} must be digits of shape (N, h, w), got {tuple(digits.shape)}")
            if max(digits.shape[1:]) > self.size:
                raise ValueError(f"size must be at least {max(digits.shape[1:])}, got {self.size}")
        if self.speed < 1 or self.count < 1:
            raise ValueError(f"speed and count must be >= 1, got {self.speed} and {self.count}")

    def sequences(self, part: str, number: int, length: int, generator: torch.Generator) -> Sequences:
        """Draw ``number`` sequences of ``length`` frames of the digits of a part, "train" or "test".

        Raises
        ------
        ValueError
            If the part is unknown, or number or length is below 1.
        """
        if part not in PARTS:
            raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
        if number < 1 or length < 1:
            raise ValueError(f"number and length must be >= 1, got {number} and {length}")
        source: Tensor = getattr(self, part)
        rows = torch.randint(len(source), (self.count, number), generator=generator)
        room = torch.tensor([self.size - side for side in source.shape[1:]])
        frames = torch.zeros(number, length, self.size, self.size)
        for digits in source[rows]:
            frames += self._placed(digits, paths(number, length, room, self.speed, generator))
        return Sequences(frames.clamp(max=1).unsqueeze(2), source[rows[0]])

    def held_out(self, number: int, length: int) -> Sequences:
        """Test sequences from a recorded stream: the same ones for every model and seed."""
        return self.sequences("test", number, length, stream(DATA_SEED, self.name, "test"))

    def _placed(self, digits: Tensor, corners: Tensor) -> Tensor:
        """Frames (N, T, S, S) with digits (N, h, w) at corners (N, T, 2)."""
        number, length, _ = corners.shape
        height, width = digits.shape[1:]
        rows = corners[..., 0, None] + torch.arange(height)
        columns = corners[..., 1, None] + torch.arange(width)
        places = (rows[..., :, None] * self.size + columns[..., None, :]).flatten(2)
        values = digits.flatten(1)[:, None].expand(number, length, -1)
        frames = torch.zeros(number, length, self.size**2)
        return frames.scatter_(2, places, values).unflatten(2, (self.size, self.size))


def paths(number: int, length: int, room: Tensor, speed: int, generator: torch.Generator) -> Tensor:
    """Corners (number, length, 2) of digits that may stand from 0 to ``room`` (2,), as whole pixels."""
    place = (torch.rand(number, 2, generator=generator) * (room + 1)).long()
    velocity = _whole(number, -speed, speed, generator)
    visited = []
    for _ in range(length):
        visited.append(place)
        place = place + velocity
        low, high = place < 0, place > room
        place = place.clamp(min=torch.zeros_like(room), max=room)
        away, along = _whole(number, 1, speed, generator), _whole(number, -speed, speed, generator)
        # A digit that meets one side gets a new velocity along both axes, in a corner away from both.
        velocity = torch.where((low | high).any(1, keepdim=True), along, velocity)
        velocity = torch.where(low, away, torch.where(high, -away, velocity))
    return torch.stack(visited, 1)


def movdig16(data_dir: str | os.PathLike[str] | None = None) -> MovingDigits:
    """One 8x8 digit in 16x16 frames, velocities -2 to 2."""
    source = load_images("digits16", data_dir)
    return MovingDigits(
        "movdig16", source.images("train")[:, 0], source.images("test")[:, 0], 16, 2, checksum=source.checksum
    )


def movdig64(data_dir: str | os.PathLike[str] | None = None) -> MovingDigits:
    """Two MNIST digits, enlarged to 32x32, in 64x64 frames, velocities -4 to 4; needs the data directory."""
    source = load_images("mnist28", data_dir)
    train, test = (resized(getattr(source, part), 32, 32)[:, 0] / 255 for part in PARTS)
    return MovingDigits("movdig64", train, test, 64, 4, count=2, checksum=source.checksum)


SOURCES: dict[str, Callable[..., MovingDigits]] = {"movdig16": movdig16, "movdig64": movdig64}


def load_moving_digits(name: str, data_dir: str | os.PathLike[str] | None = None) -> MovingDigits:
    """Load a source of sequences by name.

    Raises
    ------
    ValueError
        If the name is unknown, or the digits are missing (`vaes.data.DataError`).
    """
    if name not in SOURCES:
        raise ValueError(f"name must be one of {', '.join(SOURCES)}, got {name!r}")
    return SOURCES[name](data_dir)


def _whole(number: int, low: int, high: int, generator: torch.Generator) -> Tensor:
    """Uniform whole numbers (number, 2) from ``low`` to ``high``, both included."""
    return torch.randint(low, high + 1, (number, 2), generator=generator)

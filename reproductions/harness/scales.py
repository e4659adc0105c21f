"""The five scales of a run, from a smoke test to the papers' own configurations."""

from __future__ import annotations

SCALES = ("smoke", "laptop", "night", "gpu", "paper")
DEFAULT_SCALE = "laptop"
FIRST_REPORTED_SEED = 1000


def check_scale(scale: str) -> str:
    """Return ``scale`` if it is one of `SCALES`.

    Raises
    ------
    ValueError
        If it is not, naming the scales that exist.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    return scale


def rank(scale: str) -> int:
    """Return the position of ``scale`` in `SCALES`: larger means more expensive and stronger evidence."""
    return SCALES.index(check_scale(scale))


def reported_seeds(count: int) -> tuple[int, ...]:
    """Return the first ``count`` seeds for reported runs, 1000 and up (0..99 are validation and pilot seeds).

    Raises
    ------
    ValueError
        If ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f"seeds must be at least 1, got {count}")
    return tuple(range(FIRST_REPORTED_SEED, FIRST_REPORTED_SEED + count))

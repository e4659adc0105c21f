"""Build a model's configuration from plain values, as a checkpoint or a reproduction holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

Config = TypeVar("Config")


def from_values(kind: type[Config], values: Mapping[str, Any], **convert: Callable[[Any], Any]) -> Config:
    """Return the dataclass ``kind`` of a mapping.

    Parameters
    ----------
    kind : type
        A dataclass.
    values : mapping
        Fields by name; a list stands for a tuple, as JSON has no tuples.
    **convert
        For fields that need more than that: what makes the field's value from the plain one.

    Raises
    ------
    ValueError
        If a key is not a field, with its name.
    """
    unknown = sorted(set(values) - {field.name for field in fields(kind)})  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"keys of {kind.__name__} must be its fields, got {', '.join(unknown)}")
    return kind(**{name: convert.get(name, _plain)(value) for name, value in values.items()})


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

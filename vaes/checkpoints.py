"""Checkpoint files: named tensors and text, in safetensors, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


def write(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a checkpoint under a temporary name and move it into place; a failure leaves no file behind.

    Raises
    ------
    ValueError
        If the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"folder of checkpoint {path} must exist, got none")
    temporary = path.with_name(path.name + ".partial")
    try:
        whole = {name: value.detach().contiguous() for name, value in tensors.items()}
        save_file(whole, temporary, metadata=dict(metadata))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a checkpoint.

    Raises
    ------
    ValueError
        If there is no such file, or it is not a safetensors file.
    """
    if not Path(path).is_file():
        raise ValueError(f"checkpoint {path} must exist, got no such file")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return tensors, file.metadata() or {}
    except SafetensorError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"checkpoint {path} must be a safetensors file, got {reason}") from None


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names start with ``prefix``, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

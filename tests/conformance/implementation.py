"""The implementation under test: a module, a package or a file that holds functions with the reference's names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

DEFAULT = "vaes.ops"
DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}


class MissingFunction(pytest.skip.Exception):
    """The implementation under test has no function of this name: the test is skipped, by name."""


class Implementation:
    """Functions found by the reference's names, called with NumPy arguments on a device and in a dtype.

    ``gaussian.kl`` is looked up as ``gaussian.kl`` (a package like ``vaes.ops``), as ``gaussian_kl``, and as ``kl``
    when the file is called ``gaussian.py``. In a file of faulty functions, ``path.py::kl__half_missing``
    picks one fault and ``path.py`` alone the first fault of each function.
    """

    def __init__(self, source: str = DEFAULT, device: str = "cpu") -> None:
        self.source, self.device = source, device
        self.location, _, self.only = source.partition("::")
        self.module = _load(self.location)
        self.topic = Path(self.location).stem if self.location.endswith(".py") else ""
        self.called: set[str] = set()

    def find(self, function: str) -> Callable[..., Any]:
        """Return the function ``"topic.name"`` of the implementation; raise ``MissingFunction`` if it has none."""
        topic, name = function.split(".")
        if self.only:
            candidates = [(self.module, self.only)] if self.topic == topic and _fault_of(self.only) == name else []
        else:
            candidates = [(self._submodule(topic), name), (self.module, f"{topic}_{name}")]
            if self.topic == topic:
                candidates += [(self.module, n) for n in vars(self.module) if _fault_of(n) == name]
        for holder, attribute in candidates:
            if callable(found := getattr(holder, attribute, None)):
                return found
        raise MissingFunction(f"{self.source} has no {function}")

    def call(self, function: str, dtype: str = "float64", **arguments: Any) -> Any:
        """Call a function with NumPy arguments as tensors; return float64 arrays (or a tuple of them)."""
        self.called.add(function)
        return to_numpy(self.find(function)(**self.tensors(arguments, dtype)))

    def tensors(self, arguments: dict[str, Any], dtype: str) -> dict[str, Any]:
        """Return the arguments with arrays (also inside lists) as tensors on the device, floats in ``dtype``."""
        return {name: self._tensor(value, DTYPES[dtype]) for name, value in arguments.items()}

    def _tensor(self, value: Any, dtype: torch.dtype) -> Any:
        if isinstance(value, np.ndarray):
            kind = dtype if value.dtype.kind == "f" else None
            return torch.as_tensor(value).to(device=self.device, dtype=kind)
        return [self._tensor(item, dtype) for item in value] if isinstance(value, list) else value

    def _submodule(self, topic: str) -> Any:
        held = getattr(self.module, topic, None)
        # What a file imports is not what it implements.
        if held is not None and not (isinstance(held, ModuleType) and self.location.endswith(".py")):
            return held
        if not hasattr(self.module, "__path__"):
            return None
        name = f"{self.module.__name__}.{topic}"
        return importlib.import_module(name) if importlib.util.find_spec(name) else None


def to_numpy(value: Any) -> Any:
    """Return tensors as arrays (floats as float64), tuples element by element."""
    if isinstance(value, tuple):
        return tuple(to_numpy(item) for item in value)
    if isinstance(value, torch.Tensor):
        array = value.detach().to("cpu")
        return (array.double() if array.is_floating_point() else array).numpy()
    return np.asarray(value)


def _fault_of(name: str) -> str:
    """The function that a faulty function stands for: ``kl`` of ``kl__half_missing``; a plain name is itself."""
    return name.split("__")[0] if not name.startswith("_") else ""


def _load(location: str) -> ModuleType:
    if not location.endswith(".py"):
        if Path(location).is_dir():
            location = location.rstrip("/").replace("/", ".")
        try:
            return importlib.import_module(location)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"implementation must be an importable module or a .py file, got {location!r}: {error}"
            ) from None
    path = Path(location)
    if not path.is_file():
        raise ValueError(f"implementation must be an existing file, got {location!r}")
    name = f"implementation_under_test_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module

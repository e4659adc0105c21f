"""Where a result comes from: versions, device, threads, data checksums, time and memory."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("vae-evidence", "numpy", "scipy", "torch", "scikit-learn")
VOLATILE = ("started", "seconds", "peak_memory_bytes")


def describe(device: str, threads: int, data: Mapping[str, str | None]) -> dict[str, Any]:
    """Describe this process, without the name of the machine or of its user.

    Parameters
    ----------
    device
        ``"cpu"`` or ``"cuda"``.
    threads
        Threads that numerical libraries may use.
    data
        SHA-256 of each data set that the unit reads.
    """
    return {
        "versions": versions(),
        "device": device,
        "device_name": device_name(device),
        "threads": threads,
        "data": dict(sorted(data.items())),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can move a number, without importing them."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def device_name(device: str) -> str:
    """Return the model of the processor or of the GPU, ``"unknown"`` where there is none to ask."""
    if device == "cuda":
        return _gpu_name()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu_name() -> str:
    try:
        import torch

        return str(torch.cuda.get_device_name())
    except (ImportError, RuntimeError, AssertionError):
        return "unknown"


def reset_peak_memory() -> None:
    """Start a new measurement of peak memory, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_bytes() -> int | None:
    """Return the largest resident size since `reset_peak_memory` (or the start)."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if os.name != "posix":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)

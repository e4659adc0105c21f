"""Warm-up over no steps at all, and the steps at which the pieces meet."""

from __future__ import annotations

from typing import Any

import numpy as np

STEPS = np.array([0.0, 1.0, 7.0, 8.0, 23407.0, 23408.0, 78000.0])
NO_GRADIENTS = dict.fromkeys(("kl_warmup_portion", "kl_warmup", "kl_warmup_shifted"), "steps are counted")


def kl_warmup_portion() -> list[dict[str, Any]]:
    fixed = {"step": STEPS, "total": 78000.0, "floor": 1e-4}
    return [{**fixed, "delay": delay, "portion": portion} for delay in (0.0, 1e-4) for portion in (0.0, 0.3)]


def kl_warmup() -> list[dict[str, Any]]:
    return [{"step": np.array([0.0, 9999.0, 1e4, 10001.0, 2.6e5, 5.1e5, 1e6]), "start": 1e4, "length": 5e5}]


def kl_warmup_shifted() -> list[dict[str, Any]]:
    return [{"step": np.array([0.0, 21.0, 22.0, 5041.0, 5042.0]), "start": 21.0, "length": 5e3, "floor": 1e-4}]

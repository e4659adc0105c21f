"""Two layers: the worked example of the erratum, collapsing and equal scales, far samples."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np


def layer_terms() -> list[dict[str, Any]]:
    cases = itertools.product((1e-4, 0.3, 1.0, 1e4), (1e-4, 0.4, 1e4), (-30.0, 0.0, 1.3))
    return [
        {
            "z": [np.array([z]), np.array([1.2 * z])],
            "mean_q": [np.array([0.5]), np.array([1.2 * z])],
            "scale_q": [np.array([0.8]), np.array([scale_q])],
            "mean_p": [np.array([0.84 * z])],
            "scale_p": [np.array([scale_p])],
        }
        for scale_q, scale_p, z in cases
    ]

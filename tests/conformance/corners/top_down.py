"""The corners of the Gaussian divergence, as one group of a hierarchy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import Product, gaussian


def group_kl() -> list[dict[str, Any]]:
    grid = []
    for point in gaussian.kl():
        arrays = (value[..., 0].ravel()[:, None] for value in np.broadcast_arrays(*point.values()))
        grid.append(Product({name: [array] for name, array in zip(point, arrays, strict=True)}))
    return grid

"""Makers of claims and of result tables for the tests of the claims package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from claims.schema import Claim


@pytest.fixture(scope="session")
def make_claim() -> Callable[..., Claim]:
    """Build a valid claim with the given tests."""

    def make(*tests: dict[str, Any], tier: str = "scaled", name: str = "effect", **fields: Any) -> Claim:
        content: dict[str, Any] = {
            "id": f"paper/fig-1/{name}",
            "where": "Figure 1",
            "says": "A is above B.",
            "numbers": [],
            "kind": "ordering",
            "tier": tier,
            "check": "A above B.",
            "equations": [],
            "needs": [],
        }
        if tests:
            content |= {"reproduction": "paper/effect", "tests": list(tests)}
        else:
            content["not_run"] = "waits for the model"
        return Claim.model_validate(content | fields)

    return make


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., list[dict[str, Any]]]:
    """Rows of one arm, one per seed from 1000 on."""

    def make(values: Any, metric: str = "score", first_seed: int = 1000, **arm: Any) -> list[dict[str, Any]]:
        return [
            {"arm": dict(arm), "seed": first_seed + i, "metrics": {metric: value}, "series": {}, "unit": "k"}
            for i, value in enumerate(np.asarray(values, dtype=object).tolist())
        ]

    return make


@pytest.fixture(scope="session")
def make_curves(make_rows: Callable[..., list[dict[str, Any]]]) -> Callable[..., list[dict[str, Any]]]:
    """Rows of curves of shape (seeds, grid) along rho."""

    def make(rho: Any, curves: Any, metric: str = "top_kl", **arm: Any) -> list[dict[str, Any]]:
        table: list[dict[str, Any]] = []
        for point, column in zip(rho, np.asarray(curves).T, strict=True):
            table += make_rows(column, metric=metric, rho=float(point), **arm)
        return table

    return make

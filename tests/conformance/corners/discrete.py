"""Logits from -100 to 100 and infinite ones; equal and nearly equal distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import Product, both_signs, logits, product, together


def bernoulli_log_pmf() -> list[dict[str, Any]]:
    return product(summed=True, z=np.array([0, 1]), logits=logits())


def bernoulli_entropy() -> list[dict[str, Any]]:
    return product(summed=True, logits=logits())


def bernoulli_kl() -> list[dict[str, Any]]:
    """Finite unless the prior excludes what the posterior allows; nearly equal logits beside the product."""
    shift, prior = np.meshgrid(both_signs(*2.0 ** -np.arange(0, 22, 3)), logits(certain=False))
    near = together(logits=(prior + shift).reshape(-1, 1), prior_logits=prior.reshape(-1, 1))
    return product(summed=True, logits=logits(), prior_logits=logits(certain=False)) + near


def posterior_given_zeta() -> list[dict[str, Any]]:
    return product(logits=logits(certain=False), log_ratio=np.concatenate([logits(), [-1e3, 1e3]]))


def joint_marginal_gap() -> list[dict[str, Any]]:
    axes = {"logits": logits(certain=False)[::2], "prior_logits": logits(certain=False)[1::2], "log_ratio": logits()}
    grid = product(summed=True, **axes)
    # One sample: the first axis is the one that the bound averages over.
    return [Product({n: value[None] if n == "log_ratio" else value for n, value in point.items()}) for point in grid]

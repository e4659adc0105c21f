"""Decisions over seeds and orders: how far two rankings agree, and what paired seeds support."""

from __future__ import annotations

import torch
from torch import Tensor


def rank_concordance(first: Tensor, second: Tensor) -> Tensor:
    """Kendall's tau-b of two scores (n,) of the same methods; NaN when all scores of one side tie."""
    differences = [(scores[:, None] - scores).flatten() for scores in (first, second)]
    # torch.sign(NaN) is 0.
    signs = [torch.where(d.isnan(), d, d.sign()) for d in differences]
    # The cosine of two vectors of signs: every pair counts twice above and below.
    return (signs[0] * signs[1]).sum() / (signs[0].square().sum() * signs[1].square().sum()).sqrt()


def paired_decision(differences: Tensor, standard_errors: float = 2.0) -> Tensor:
    """What paired differences (n,) support: 1, the opposite -1, or neither 0, as int64."""
    count = differences.shape[0]
    far = differences.mean().square() * count > standard_errors**2 * differences.var()
    sign = differences.mean().sign()
    agreeing = (differences * sign > 0).sum()
    return torch.where(far & (agreeing >= count - count // 5), sign, 0).long()

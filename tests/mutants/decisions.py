"""Faults of the decisions."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import decisions


@killed_by("test_value")
def rank_concordance__ties_in_the_divisor(first, second):
    """Tau-a: ties count as pairs."""
    pairs = first.shape[0] * (first.shape[0] - 1)
    signs = [(s[:, None] - s).sign() for s in (first, second)]
    return (signs[0] * signs[1]).sum() / pairs


@killed_by("test_rank_concordance_reads_only_the_order")
def rank_concordance__of_the_scores(first, second):
    return torch.corrcoef(torch.stack([first, second]))[0, 1]


@killed_by("test_paired_decision_turns_with_its_sides")
def paired_decision__one_sided(differences, standard_errors=2.0):
    return decisions.paired_decision(differences, standard_errors).clamp(min=0)


@killed_by("test_value")
def paired_decision__signs_forgotten(differences, standard_errors=2.0):
    error = differences.std() / differences.shape[0] ** 0.5
    far = differences.mean().abs() > standard_errors * error
    return torch.where(far, differences.mean().sign(), 0).long()


@killed_by("test_value")
def paired_decision__deviation_for_error(differences, standard_errors=2.0):
    return decisions.paired_decision(differences, standard_errors * differences.shape[0] ** 0.5)

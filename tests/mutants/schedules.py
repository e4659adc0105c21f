"""Faults of the schedules."""

from __future__ import annotations

from tests.mutants import killed_by
from vaes.ops import schedules


@killed_by("test_value")
def kl_warmup__ends_at_the_length(step, start, length):
    return schedules.kl_warmup(step, start, length - start if length > start else length)


@killed_by("test_kl_warmup_never_falls")
def kl_warmup__falling(step, start, length):
    return 1 - schedules.kl_warmup(step, start, length)

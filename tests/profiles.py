"""Hypothesis profiles of the project: the same draws in every run unless one asks for fuzzing."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers

COMMON = {
    "deadline": None,
    "print_blob": False,
    "report_multiple_bugs": False,
    "phases": [phase for phase in Phase if phase is not Phase.explain],
    "suppress_health_check": [HealthCheck.too_slow],
}


def load() -> None:
    """Register the profiles ``ci`` and ``thorough`` and load the first.

    Hypothesis also draws constants that it finds in the modules imported so far, even when it is told to be
    deterministic; which these are depends on the worker and on the tests before, so they are left out.
    """
    providers._get_local_constants = providers.Constants
    settings.register_profile("ci", max_examples=20, derandomize=True, database=None, **COMMON)
    settings.register_profile("thorough", max_examples=500, **COMMON)
    settings.load_profile("ci")

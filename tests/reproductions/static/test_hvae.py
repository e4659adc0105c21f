"""What only the Hermite VAE has: checks of a model under faults, and names that hold numbers."""

from __future__ import annotations

import pytest

from reproductions.hvae import tables
from tests.reproductions.static.hvae import PAPER


def test_a_smoothed_evaluator_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluator whose conditionals drift with training passes, and one that runs a network twice."""
    from vaes.models.hvae import HVAE

    right, passes = HVAE.conditional, []

    def drifting(self, layer, z):
        passes.append(layer)
        mean, scale = right(self, layer, z)
        right(self, layer, z)
        return type(right(self, layer, z))(mean, scale * (1 + 1e-6 * len(passes)))

    monkeypatch.setattr(HVAE, "conditional", drifting)
    metrics = PAPER.run_again("sec-2-2/training-only-substitution")["metrics"]
    assert metrics["evaluation_difference"] > 0
    assert metrics["extra_passes"] > 0


def test_smoothing_the_likelihood_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from vaes.models.hvae import HVAE

    right = HVAE.log_likelihood

    def twice(self, x, z):
        self.likelihood(z)
        return right(self, x, z)

    monkeypatch.setattr(HVAE, "log_likelihood", twice)
    metrics = PAPER.run_again("sec-2-2/only-intermediate-generative-layers-smoothed")["metrics"]
    assert metrics["call_count_errors"] == 1


def test_widths_and_half_units_are_read_from_the_print() -> None:
    assert tables._widths("IWAE (64-32-16-8)") == [64, 32, 16, 8]
    assert (tables.half_unit(9.95), tables.half_unit(12.4)) == (0.005, 0.05)
    with pytest.raises(ValueError, match="got 'IWAE'"):
        tables._widths("IWAE")

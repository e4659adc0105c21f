"""What only the sigma-VAE has: the numbers of its tables come from the claims."""

from __future__ import annotations

import pytest

from reproductions.sigma_vae import tables


def test_a_changed_cell_changes_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers come from the claims: with another FID of the optimal row on Frey Face it would win there too."""
    right = tables.printed
    monkeypatch.setattr(tables, "printed", lambda claim: right(claim) | {"Optimal sigma-VAE / Frey Face / FID": 30.0})
    assert tables.optimal_against_shared_fid()["columns_not_lower"] == 0
    assert tables.calibrated_best()["columns_not_calibrated"] == 0


def test_a_constant_that_is_not_quoted_is_an_error() -> None:
    with pytest.raises(ValueError, match="must contain"):
        tables._quoted("no number here", r"Frey 28x28 (0\.\d+)")

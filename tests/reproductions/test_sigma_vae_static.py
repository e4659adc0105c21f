"""The static reproductions of the sigma-VAE: they answer what the claims ask, and faults change the answers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import claims
from claims import decide
from reference import calibration, image_metrics, likelihoods, optimisers, quantisation
from reproductions.harness import Context, DataInfo
from reproductions.harness.discovery import discover
from reproductions.sigma_vae import identities, tables

# One worker: the rows of the module are computed once.
pytestmark = pytest.mark.xdist_group("sigma-vae static")

PAPER = claims.load_paper("sigma-vae")
CONTRADICTED = {
    "sigma-vae/table-3/calibrated-best-print",
    "sigma-vae/table-3/optimal-vs-shared-fid-print",
    "sigma-vae/table-3/mixture-best-discrete-nll-print",
    "sigma-vae/table-3/mixture-best-discrete-fid-print",
    "sigma-vae/table-3/ordering-consistent-print",
    "sigma-vae/table-3/unit-variance-floor",
    "sigma-vae/table-3/frey-shared-needs-1000-steps",
    "sigma-vae/table-4/column-identity",
    "sigma-vae/table-4/cross-table-mismatch",
    "sigma-vae/appendix-c/eq-11-sigma-vs-variance",
    "sigma-vae/appendix-d/eq-12-signs",
}


def claims_of(reproduction: str) -> dict[str, claims.Claim]:
    return {claim.id: claim for claim in PAPER.claims if claim.reproduction == reproduction}


@pytest.fixture(scope="module")
def rows():
    """All rows of both reproductions by claim, each with the seed that the harness adds."""
    torch.set_num_threads(1)
    found = {}
    for module in (identities, tables):
        for unit in module.units("laptop", None, DataInfo()):
            for row in module.run(dict(unit.config), unit.seed, Context()):
                found[row["arm"]["claim"]] = {**row, "seed": unit.seed}
    return found


def metrics_of(claim: str) -> dict[str, float]:
    if claim in tables.CHECKS:
        return tables.CHECKS[claim]()
    (row,) = identities.run({"claim": claim}, 1000, Context())
    return row["metrics"]


@pytest.mark.parametrize("module", [identities, tables])
def test_every_claim_of_the_reproduction_has_a_check(module) -> None:
    assert set(module.CHECKS) == set(claims_of(module.REPRODUCTION.id))


@pytest.mark.parametrize("module", [identities, tables])
def test_rows_hold_exactly_the_metrics_that_the_claims_ask_for(module, rows) -> None:
    for claim in claims_of(module.REPRODUCTION.id).values():
        assert set(rows[claim.id]["metrics"]) == {test.metric for test in claim.tests}, claim.id


@pytest.mark.parametrize("module", [identities, tables])
def test_every_metric_is_described_and_every_description_used(module, rows) -> None:
    given = {name for claim in module.CHECKS for name in rows[claim]["metrics"]}
    assert given == set(module.METRICS)


def test_metrics_are_finite_numbers(rows) -> None:
    for claim, row in rows.items():
        for name, value in row["metrics"].items():
            assert np.isfinite(float(value)), f"{claim}: {name} = {value}"


def test_verdicts(rows) -> None:
    verdicts = {
        claim.id: decide(claim, [rows[claim.id]], scale="laptop", n_tests_in_family=1)
        for name in ("sigma-vae/identities", "sigma-vae/tables")
        for claim in claims_of(name).values()
    }
    wrong = {key: v for key, v in verdicts.items() if v.status != "supported"}
    assert set(wrong) == CONTRADICTED, {key: v.reason for key, v in wrong.items()}
    assert all(v.status == "contradicted" for v in wrong.values())


def test_both_are_discovered_and_need_no_torch_to_be_listed() -> None:
    assert {"sigma-vae/identities", "sigma-vae/tables"} <= set(discover())
    modules = "reproductions.sigma_vae.identities, reproductions.sigma_vae.tables"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "claim",
    [
        "sigma-vae/appendix-c/same-batch-biased",
        "sigma-vae/figure-9/beta-is-constant-variance",
        "sigma-vae/appendix-e/bins-integrate-density",
    ],
)
def test_two_runs_agree_in_every_bit(claim, rows) -> None:
    assert metrics_of(claim) == rows[claim]["metrics"]


# Planted faults: name of a claim, what to break, and the metric that must leave its criterion.
FAULTS = {
    "variance for sigma": (
        "appendix-c/eq-11-optimal-variance",
        (calibration, "optimal_sigma", lambda right: lambda error, dims: right(error, dims) ** 2),
        "fit_error",
    ),
    "slope of a larger error": (
        "appendix-c/eq-11-optimal-variance",
        (calibration, "shared_sigma_gradient", lambda right: lambda e, s, d: right(1.001 * e, s, d)),
        "argmax_error",
    ),
    "no clip": (
        "method/softclip-bias",
        (calibration, "soft_clip", lambda right: lambda value: np.maximum(value, -6.0)),
        "shift_3_5",
    ),
    "bound above the evidence": (
        "appendix-d/eq-12-corrected-bound",
        (calibration, "gamma_precision_bound", lambda right: lambda *a: right(*a) + 0.01),
        "bound_violations",
    ),
    "held-out bias of the other sign": (
        "appendix-c/different-batch-correction",
        (calibration, "held_out_sigma_bias", lambda right: lambda d, n: -right(d, n)),
        "non_positive_biases",
    ),
    "start of the average not corrected": (
        "appendix-c/running-average-variance",
        (calibration, "running_variance", lambda right: lambda v, rho: right(v, rho) * (1 - rho)),
        "constant_error",
    ),
    "distance one part in a million off": (
        "appendix-b/fid-inception",
        (image_metrics, "frechet_distance", lambda right: lambda a, b: right(a, b) * (1 + 1e-6)),
        "route_difference",
    ),
    "Adam without correction of its start": (
        "appendix-b/adam-first-steps",
        (optimisers, "adam", lambda right: lambda p, g, m, v, count, rate: right(p, g, m, v, count + 1, rate)),
        "constant_gradient_error",
    ),
    "edges off by a bin": (
        "appendix-e/end-bins",
        (quantisation, "bin_edges", lambda right: lambda n: tuple(part + 1 / 255 for part in right(n))),
        "end_error",
    ),
    "bits with a leak": (
        "appendix-e/bitwise-eight-values",
        (likelihoods, "bitwise", lambda right: lambda k, a: right(k, a) - 1e-9),
        "mass_error",
    ),
    "mixture of eleven": (
        "appendix-e/single-logistic-special-case",
        (likelihoods, "mixture_of_logistics", lambda right: lambda k, a, m, s: right(k, 1.1 * a, m, s + 1e-6)),
        "single_difference",
    ),
    "floor without the constant": (
        "table-3/resolution-28",
        (calibration, "unit_gaussian_floor", lambda right: lambda dims: 0.9 * right(dims)),
        "largest_dims_celeba",
    ),
    "a million bytes more": (
        "appendix-e/memory-ratio",
        (quantisation, "decoder_output_bytes", lambda right: lambda *a: right(*a) + 10**6),
        "ratio",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, (module, function, break_it), metric = FAULTS[fault]
    claim_id = f"sigma-vae/{name}"
    monkeypatch.setattr(module, function, break_it(getattr(module, function)))
    row = {"arm": {"claim": claim_id}, "seed": 1000, "metrics": metrics_of(claim_id)}
    claim = {claim.id: claim for claim in PAPER.claims}[claim_id]
    verdict = decide(claim, [row], scale="laptop", n_tests_in_family=1)
    (own,) = (result for spec, result in zip(claim.tests, verdict.tests, strict=True) if spec.metric == metric)
    assert own.status == "contradicted", row["metrics"]


def test_a_changed_cell_changes_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers come from the claims: with another FID of the optimal row on Frey Face it would win there too."""
    right = tables.printed
    monkeypatch.setattr(tables, "printed", lambda claim: right(claim) | {"Optimal sigma-VAE / Frey Face / FID": 30.0})
    assert tables.optimal_against_shared_fid()["columns_not_lower"] == 0
    assert tables.calibrated_best()["columns_not_calibrated"] == 0


def test_a_constant_that_is_not_quoted_is_an_error() -> None:
    with pytest.raises(ValueError, match="must contain"):
        tables._quoted("no number here", r"Frey 28x28 (0\.\d+)")

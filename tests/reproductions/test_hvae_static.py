"""The static reproductions of the Hermite VAE: they answer what the claims ask, and faults change the answers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import claims
from claims import decide
from reference import gaussian, hermite, linear_gaussian, ornstein_uhlenbeck, schedules, smoothing
from reproductions.harness import Context, DataInfo
from reproductions.harness.discovery import discover
from reproductions.hvae import identities, tables

# One worker: the rows of the module are computed once.
pytestmark = pytest.mark.xdist_group("hvae static")

PAPER = claims.load_paper("hvae")
REPORTED_ONLY = {
    "hvae/sec-3/new-variance-order-rho-squared": {"even_slope"},
    "hvae/sec-3/state-dependent-sigma-analogue": {"cross_term"},
    "hvae/table-5/about-seven-times-fewer-parameters": {"ratio_table_6"},
}
CONTRADICTED = {"hvae/eq-1/layer-terms-are-kl-divergences"}


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
    (row,) = identities.run({"claim": claim}, 1000, Context())
    return row["metrics"]


@pytest.mark.parametrize("module", [identities, tables])
def test_every_claim_of_the_reproduction_has_a_check(module) -> None:
    assert set(module.CHECKS) == set(claims_of(module.REPRODUCTION.id))


@pytest.mark.parametrize("module", [identities, tables])
def test_rows_hold_exactly_the_metrics_that_the_claims_ask_for(module, rows) -> None:
    for claim in claims_of(module.REPRODUCTION.id).values():
        given = set(rows[claim.id]["metrics"])
        assert given == {test.metric for test in claim.tests} | REPORTED_ONLY.get(claim.id, set()), claim.id


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
        for name in ("hvae/identities", "hvae/tables")
        for claim in claims_of(name).values()
    }
    wrong = {key: v for key, v in verdicts.items() if v.status != "supported"}
    assert set(wrong) == CONTRADICTED, {key: v.reason for key, v in wrong.items()}
    assert all(v.status == "contradicted" for v in wrong.values())


def test_both_are_discovered_and_need_no_torch_to_be_listed() -> None:
    assert {"hvae/identities", "hvae/tables"} <= set(discover())
    code = "import sys, reproductions.hvae.identities, reproductions.hvae.tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "claim",
    [
        "hvae/sec-2-2/monte-carlo-average-estimates-ou",
        "hvae/eq-4/correlated-sample-reparameterised",
        "hvae/sec-2-2/rho-one-recovers-original-vae",
    ],
)
def test_two_runs_agree_in_every_bit(claim, rows) -> None:
    assert metrics_of(claim) == rows[claim]["metrics"]


# Planted faults: name of a claim, what to break, and the metric that must leave its criterion.


def weaker(rho):
    return 0.99 * np.asarray(rho)


FAULTS = {
    "recursion": (
        "hvae/sec-2-1/hermite-basis-orthonormal",
        (hermite, "basis", lambda right: lambda z, degree: right(z, degree) * (1 + 1e-9)),
        "gram_error",
    ),
    "noise not complementary": (
        "hvae/eq-3/ou-operator-definition",
        (ornstein_uhlenbeck, "correlated_noise", lambda right: lambda z, w, rho: rho * z + (1 - rho) * w),
        "quadrature_error",
    ),
    "mean scaled": (
        "hvae/prop-1/mean-preserved",
        (ornstein_uhlenbeck, "operator", lambda right: lambda f, z, rho, nodes: right(f, z, rho, nodes) * (1 + 1e-3)),
        "network_error",
    ),
    "strength of another rho": (
        "hvae/sec-2-1/semigroup",
        (ornstein_uhlenbeck, "operator", lambda right: lambda f, z, rho, nodes: right(f, z, weaker(rho), nodes)),
        "composition_error",
    ),
    "decay by the degree squared": (
        "hvae/sec-2-1/ou-decays-coefficients-by-degree",
        (ornstein_uhlenbeck, "on_coefficients", lambda right: lambda c, i, rho: right(c, i, rho**2)),
        "coefficient_error",
    ),
    "variance decays half as fast": (
        "hvae/eq-5/variance-decays-by-degree",
        (ornstein_uhlenbeck, "variance", lambda right: lambda c, i, rho: right(c, i, np.sqrt(rho))),
        "polynomial_error",
    ),
    "estimate with too little fresh noise": (
        "hvae/sec-2-2/monte-carlo-average-estimates-ou",
        (ornstein_uhlenbeck, "monte_carlo", lambda right: lambda f, z, w, rho: right(f, z, 0.9 * w, rho)),
        "error_standard_errors",
    ),
    "bias with the wrong sign": (
        "hvae/sec-3/bias-is-variance-difference",
        (smoothing, "bias", lambda right: lambda c, i, s, rho: -right(c, i, s, rho)),
        "bias_error",
    ),
    "scale one percent too large": (
        "hvae/sec-1/elbo-lower-bounds-log-likelihood",
        (gaussian, "log_density", lambda right: lambda z, m, s: right(z, m, 1.01 * np.asarray(s))),
        "smoothed_excess_081",
    ),
    "descent of the plain objective": (
        "hvae/fig-1/toy-transition-exact",
        (linear_gaussian, "descend", lambda right: lambda k, steps, rate: right(np.ones_like(k), steps, rate)),
        "onset_product_largest",
    ),
    "annealing counted from zero": (
        "hvae/sec-5-1/kl-annealing-schedule",
        (schedules, "kl_warmup", lambda right: lambda step, start, length: right(step, start, length - start)),
        "break_point_error",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claim_id, (module, name, break_it), metric = FAULTS[fault]
    monkeypatch.setattr(module, name, break_it(getattr(module, name)))
    row = {"arm": {"claim": claim_id}, "seed": 1000, "metrics": metrics_of(claim_id)}
    claim = claims_of("hvae/identities")[claim_id]
    verdict = decide(claim, [row], scale="laptop", n_tests_in_family=1)
    (own,) = (result for spec, result in zip(claim.tests, verdict.tests, strict=True) if spec.metric == metric)
    assert own.status == "contradicted", row["metrics"]


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
    metrics = metrics_of("hvae/sec-2-2/training-only-substitution")
    assert metrics["evaluation_difference"] > 0
    assert metrics["extra_passes"] > 0


def test_smoothing_the_likelihood_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from vaes.models.hvae import HVAE

    right = HVAE.log_likelihood

    def twice(self, x, z):
        self.likelihood(z)
        return right(self, x, z)

    monkeypatch.setattr(HVAE, "log_likelihood", twice)
    assert metrics_of("hvae/sec-2-2/only-intermediate-generative-layers-smoothed")["call_count_errors"] == 1


def test_widths_and_half_units_are_read_from_the_print() -> None:
    assert tables._widths("IWAE (64-32-16-8)") == [64, 32, 16, 8]
    assert (tables.half_unit(9.95), tables.half_unit(12.4)) == (0.005, 0.05)
    with pytest.raises(ValueError, match="got 'IWAE'"):
        tables._widths("IWAE")

"""The static reproductions of DVAE++: they answer what the claims ask, and faults change the answers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import claims
from claims import decide
from reference import balancing, boltzmann, discrete, multiscale, relaxations, schedules
from reproductions.dvaepp import identities, tables
from reproductions.harness import Context, DataInfo
from reproductions.harness.discovery import discover

# One worker: the rows of the module are computed once.
pytestmark = pytest.mark.xdist_group("dvaepp static")

PAPER = claims.load_paper("dvaepp")
REPORTED_ONLY = {
    "dvaepp/app-a/inverse-cdf-by-log": {"printed_failures_float64", "printed_failures_float32"},
}
CONTRADICTED = {"dvaepp/app-b/change-of-variable-is-numerically-stable"}


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
        for name in ("dvaepp/identities", "dvaepp/tables")
        for claim in claims_of(name).values()
    }
    wrong = {key: v for key, v in verdicts.items() if v.status != "supported"}
    assert set(wrong) == CONTRADICTED, {key: v.reason for key, v in wrong.items()}
    assert all(v.status == "contradicted" for v in wrong.values())


def test_the_printed_root_fails_where_the_stable_one_does_not(rows) -> None:
    metrics = rows["dvaepp/app-a/inverse-cdf-by-log"]["metrics"]
    assert metrics["printed_failures_float64"] > 100
    assert metrics["printed_failures_float32"] > 100


def test_both_are_discovered_and_need_no_torch_to_be_listed() -> None:
    assert {"dvaepp/identities", "dvaepp/tables"} <= set(discover())
    modules = "reproductions.dvaepp.identities, reproductions.dvaepp.tables"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "claim",
    [
        "dvaepp/main/rbm-cross-entropy-is-unbiased",
        "dvaepp/app-i/evaluation-uses-training-beta",
        "dvaepp/app-h/balancing-formula",
    ],
)
def test_two_runs_agree_in_every_bit(claim, rows) -> None:
    assert metrics_of(claim) == rows[claim]["metrics"]


# Planted faults: name of a claim, what to break, and the metric that must leave its criterion.
FAULTS = {
    "distribution function a little high": (
        "app-a/exponential-mixture-cdf",
        (relaxations, "overlap_exp_cdf", lambda right: lambda *a: right(*a) + 1e-9),
        "cdf_error",
    ),
    "inverse a millionth off": (
        "app-a/inverse-cdf-by-log",
        (relaxations, "overlap_exp_icdf", lambda right: lambda *a: right(*a) * (1 - 1e-6)),
        "round_trip_float64",
    ),
    "slope a millionth off": (
        "app-a/inverse-cdf-differentiable",
        (relaxations, "overlap_exp_grad", lambda right: lambda *a: tuple(g * (1 + 1e-6) for g in right(*a))),
        "difference_error",
    ),
    "offsets from another anchor": (
        "app-b/logistic-mixture-quadratic-and-inverse",
        (relaxations, "overlap_logistic_offsets", lambda right: lambda *a: right(*a)[::-1]),
        "round_trip_float64",
    ),
    "ratio of the other sign": (
        "app-b/q-is-the-bernoulli-mean",
        (relaxations, "smoothing_log_ratio", lambda right: lambda *a: -right(*a)),
        "mean_error",
    ),
    "a spike that is not one": (
        "fig-5/spike-exp-dead-zone",
        (relaxations, "inverse_cdf_curve", lambda right: lambda *a: tuple(v + 1e-12 for v in right(*a))),
        "not_zero_below",
    ),
    "gap a percent too large": (
        "app-d/marginal-bound-is-tighter",
        (discrete, "joint_marginal_gap", lambda right: lambda *a: 1.01 * right(*a)),
        "gap_error",
    ),
    "marginal bound below the joint one": (
        "app-d/marginal-bound-is-tighter",
        (discrete, "marginal_elbo", lambda right: lambda *a: right(*a) - 2),
        "violations",
    ),
    "moments of other biases": (
        "app-e/gradient-of-log-z",
        (boltzmann, "moments", lambda right: lambda a, b, w: right(a, b + 1e-6, w)),
        "difference",
    ),
    "pair term with the mean before the draw": (
        "main/rbm-cross-entropy-is-unbiased",
        (
            boltzmann,
            "hierarchical_cross_entropy",
            lambda right: lambda *a: right(*a[:2], 0 * a[2], *a[3:]),
        ),
        "enumeration_error",
    ),
    "weights with a forgotten term": (
        "app-i/evaluation-uses-training-beta",
        (boltzmann, "log_weight", lambda right: lambda *a: right(*a[:-1], 0.2)),
        "binary_standard_errors",
    ),
    "milestone one step late": (
        "app-f/learning-rate-schedule",
        (schedules, "step_decay", lambda right: lambda step, *rest: right(np.maximum(step - 1, 0), *rest)),
        "schedule_error",
    ),
    "weights of sum one": (
        "app-h/balancing-formula",
        (balancing, "balance_weights", lambda right: lambda kl, f, e: right(kl, f, e) / len(kl)),
        "sum_error",
    ),
    "softening left out": (
        "app-h/epsilon-softens-small-kl",
        (balancing, "balance_weights", lambda right: lambda kl, f, e: right(kl, f, 0.0)),
        "distance_from_one",
    ),
    "weights half way to one": (
        "app-h/coefficients-only-during-annealing",
        (balancing, "regularised_loss", lambda right: lambda n, k, g, a, *rest: right(n, k, g, 0.5 + a / 2, *rest)),
        "loss_difference_below_one",
    ),
    "a bit at the end of annealing": (
        "app-h/coefficients-only-during-annealing",
        (balancing, "regularised_loss", lambda right: lambda *a: right(*a) * (1 + 2**-52)),
        "loss_difference_at_one",
    ),
    "pixels shared by two scales": (
        "fig-8/pixel-subsets-partition-the-image",
        (multiscale, "pixel_subsets", lambda right: lambda *a: np.cumsum(right(*a), axis=0).astype(bool)),
        "overlaps",
    ),
    "predictor sees its own pixels": (
        "fig-8/consistent-probabilistic-model",
        (multiscale, "visible", lambda right: lambda image, masks: np.stack([image] * len(masks))),
        "mass_error",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, (module, function, break_it), metric = FAULTS[fault]
    claim_id = f"dvaepp/{name}"
    monkeypatch.setattr(module, function, break_it(getattr(module, function)))
    row = {"arm": {"claim": claim_id}, "seed": 1000, "metrics": metrics_of(claim_id)}
    claim = {claim.id: claim for claim in PAPER.claims}[claim_id]
    verdict = decide(claim, [row], scale="laptop", n_tests_in_family=1)
    (own,) = (result for spec, result in zip(claim.tests, verdict.tests, strict=True) if spec.metric == metric)
    assert own.status == "contradicted", row["metrics"]


def test_a_changed_cell_changes_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers come from the claims: a worse value at 24 groups breaks the trend."""
    right = tables.printed
    monkeypatch.setattr(tables, "printed", lambda claim: right(claim) | {"24 local groups": 3.46})
    assert tables.table_5_trend()["increases"] == 1

"""The static reproductions of NVAE: they answer what the claims ask, and faults change the answers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import claims
from claims import decide
from reference import (
    activations,
    architecture,
    balancing,
    bernoulli,
    bounds,
    collapse,
    flows,
    gaussian,
    normalisation,
    optimisers,
    residual_normal,
    schedules,
    spectral,
    top_down,
)
from reproductions.harness import Context, DataInfo
from reproductions.harness.discovery import discover
from reproductions.nvae import identities, tables

# One worker: the rows of the module are computed once.
pytestmark = pytest.mark.xdist_group("nvae static")

SLUG = "nvae"
PAPER = claims.load_paper(SLUG)
REPORTED_ONLY = {
    "table-1/imagenet-32-ranking": {"ties"},
    "table-1/flows-help-slightly-except-mnist": {"gain_mnist"},
    "table-1/gap-to-autoregressive-reduced": {"imagenet_before", "imagenet_after"},
}
# Contradicted claims and the tests that fail.
CONTRADICTED = {
    "sec-3-1-3/throughput-versus-train-time": {"images_per_second", "images_per_second_per_gpu"},
    "table-1/flows-help-slightly-except-mnist": {"harmed"},
    "table-6/smaller-model-note-consistency": {"printed_difference"},
    "app-a/size-factor-direction": {"log_ratio_printed_to_public"},
}
TWICE = ("eq-1/elbo-lower-bound", "app-a/optimiser-settings")


def claims_of(reproduction: str) -> dict[str, claims.Claim]:
    return {claim.id: claim for claim in PAPER.claims if claim.reproduction == reproduction}


def full(names: dict | set) -> set[str]:
    return {f"{SLUG}/{name}" for name in names}


@pytest.fixture(scope="module")
def rows():
    """All rows of both reproductions by claim, each with the seed that the harness adds."""
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
        reported = REPORTED_ONLY.get(claim.id.removeprefix(f"{SLUG}/"), set())
        assert given == {test.metric for test in claim.tests} | reported, claim.id


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
        for module in (identities, tables)
        for claim in claims_of(module.REPRODUCTION.id).values()
    }
    wrong = {key: v for key, v in verdicts.items() if v.status != "supported"}
    assert set(wrong) == full(CONTRADICTED), {key: v.reason for key, v in wrong.items()}
    for key, verdict in wrong.items():
        assert verdict.status == "contradicted", key
        tests = zip(PAPER_TESTS[key], verdict.tests, strict=True)
        failed = {spec.metric for spec, result in tests if result.status == "contradicted"}
        assert failed == CONTRADICTED[key.removeprefix(f"{SLUG}/")], key


PAPER_TESTS = {claim.id: claim.tests for claim in PAPER.claims}


def test_both_are_discovered_and_need_no_torch_to_be_listed() -> None:
    assert full({"identities", "tables"}) <= set(discover())
    code = "import sys, reproductions.nvae.identities, reproductions.nvae.tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("claim", TWICE)
def test_two_runs_agree_in_every_bit(claim, rows) -> None:
    assert metrics_of(f"{SLUG}/{claim}") == rows[f"{SLUG}/{claim}"]["metrics"]


# Planted faults: what to break, the claim that sees it, and the metric that must leave its criterion.
FAULTS = {
    "mean of the logarithms": (
        "sec-1/likelihood-depends-only-on-generative-model",
        (bounds, "importance_weighted", lambda right: lambda w: np.mean(w, axis=0)),
        "limit_standard_errors",
    ),
    "divergence of one percent more": (
        "eq-1/elbo-lower-bound",
        (gaussian, "kl", lambda right: lambda *a: 1.01 * right(*a)),
        "gap_relative_error",
    ),
    "posterior density of the wrong scale": (
        "eq-1/elbo-lower-bound",
        (top_down, "log_density", lambda right: lambda z, m, s: right(z, m, [1.01 * v for v in s])),
        "estimators_standard_errors",
    ),
    "pixels that see each other": (
        "sec-1/unconditional-decoder",
        (bernoulli, "log_likelihood", lambda right: lambda x, a: right(x, a + 0.1 * x.mean())),
        "bernoulli_changes_elsewhere",
    ),
    "bias counted": (
        "footnote-1/conv-parameter-counts",
        (architecture, "parameter_count", lambda right: lambda rows, others: right(rows, others) + rows[0][1]),
        "parameter_differences",
    ),
    "swish of twice the slope": (
        "sec-3-1-1/swish-definition",
        (activations, "silu", lambda right: lambda u: right(2 * np.asarray(u)) / 2),
        "ulps_from_definition",
    ),
    "ratio read as a variance": (
        "eq-2/residual-kl-closed-form",
        (residual_normal, "kl", lambda right: lambda m, s, r: right(m, np.sqrt(s), np.sqrt(r))),
        "relative_error",
    ),
    "posterior that stays": (
        "sec-3-2/posterior-moves-with-prior",
        (residual_normal, "parameters", lambda right: lambda m, s, dm, r: (np.asarray(dm), right(m, s, dm, r)[1])),
        "shift_difference",
    ),
    "iteration that forgets": (
        "sec-3-2/power-iteration-estimates-top-singular-value",
        (spectral, "power_iteration", lambda right: lambda w, v, n: right(w, np.ones_like(v), n)),
        "tracking_error",
    ),
    "reshaped norm passed off as the operator's": (
        "sec-3-2/lipschitz-per-layer",
        (spectral, "lipschitz_bounds", lambda right: lambda w, g: (right(w, g)[0], right(w, g)[0])),
        "bound_violations",
    ),
    "mask that shows the variable itself": (
        "app-a/flow-is-volume-preserving",
        (flows, "dense_mask", lambda right: lambda *a, **k: right(*a, **(k | {"strict": False}))),
        "diagonal_error",
    ),
    "sum where the mean is meant": (
        "footnote-5/active-channel-definition",
        (collapse, "active_channels", lambda right: lambda kl, d=0.1, mean_over_space=True: right(kl, d, False)),
        "mistakes",
    ),
    "warm-up of the wrong portion": (
        "app-a/kl-warmup",
        (schedules, "kl_warmup_portion", lambda right: lambda k, t, d, p, f: right(k, t, d, 1.01 * p, f)),
        "schedule_error",
    ),
    "epsilon of PyTorch": (
        "app-a/optimiser-settings",
        (optimisers, "adamax", lambda right: lambda *a, **k: right(*a, **(k | {"epsilon": 1e-8}))),
        "trajectory_error",
    ),
    "one group too few": (
        "table-6/celeba-hq-configuration",
        (architecture, "groups_per_scale", lambda right: lambda *a: right(*a) - (np.arange(a[1]) == 4)),
        "group_differences",
    ),
    "gain forgotten": (
        "sec-3-1-1/bn-shift-amplified-by-gain",
        (normalisation, "batch_norm_eval", lambda right: lambda x, g, *rest: right(x, np.ones_like(g), *rest)),
        "shift_error",
    ),
    "statistics of the unscaled batch": (
        "app-a/wn-has-no-effect-under-bn",
        (normalisation, "batch_norm", lambda right: lambda x, g, b, e: right(x, g, b, 0.1)),
        "output_difference",
    ),
    "factor left out": (
        "app-a/size-factor-direction",
        (balancing, "balance_weights", lambda right: lambda kl, factor, floor: right(kl, np.ones(2), floor)),
        "printed_coarse",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, (module, function, break_it), metric = FAULTS[fault]
    monkeypatch.setattr(module, function, break_it(getattr(module, function)))
    claim = claims_of(identities.REPRODUCTION.id)[f"{SLUG}/{name}"]
    row = {"arm": {"claim": claim.id}, "seed": 1000, "metrics": metrics_of(claim.id)}
    verdict = decide(claim, [row], scale="laptop", n_tests_in_family=1)
    (own,) = (result for spec, result in zip(claim.tests, verdict.tests, strict=True) if spec.metric == metric)
    assert own.status == "contradicted", row["metrics"]


def test_cells_are_read_by_name() -> None:
    assert tables.own("mnist") == {"without": 78.01, "with": 78.19}
    assert set(tables.quoted("celeba-hq", autoregressive=True)) == {"MaCow", "SPN"}
    assert tables.group_counts("celeba-64") == [5, 10, 20]

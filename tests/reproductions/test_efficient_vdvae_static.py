"""The static reproductions of Efficient-VDVAE: they answer what the claims ask, and faults change the answers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import claims
from claims import decide
from reference import architecture, gaussian, likelihoods, optimisers, pruning, quantisation, residual_normal, top_down
from reproductions.efficient_vdvae import identities, tables
from reproductions.harness import Context, DataInfo
from reproductions.harness.discovery import discover

# One worker: the rows of the module are computed once.
pytestmark = pytest.mark.xdist_group("efficient-vdvae static")

SLUG = "efficient-vdvae"
PAPER = claims.load_paper(SLUG)
REPORTED_ONLY = {
    "sec-5-3-1/worst-case-updates": {"released_mean_gain", "released_largest_gain"},
    "table-5/encoded-size-dense": {"gigabytes_69_layers"},
    "table-5/pixel-size-50-gb": {"gigabytes_70000", "code_to_pixels", "code_to_byte_pixels"},
    "sec-6-2/five-bit-likelihood-mass": {"eight_bit_error_unbounded"},
}
# Contradicted claims and the tests that fail.
CONTRADICTED = {
    "sec-5-3-1/worst-case-clock": {"smallest_gain"},
    "sec-5-3-1/nll-loss-002-percent": {"loss_percent"},
    "sec-5-3-1/nll-similar-or-better-than-vdvae": {"c1_worst_excess"},
    "sec-5-3-2/sota-all-but-cifar": {"columns_not_best"},
    "table-1a/layer-rows": {"changes_at_8_row_5"},
    "table-3/params-imagenet-32-c2": {"millions"},
    "table-3/params-ffhq-256-5-bit-c1": {"millions"},
    "table-3/c1-differs-only-in-width": {"other_differences"},
    "table-3/batch": {"file_differences"},
    "table-3/optimiser-and-rate": {"vdvae_differences"},
    "app-a-1/pool-is-1x1": {"printed_form_difference"},
    "sec-6-2/five-bit-likelihood-mass": {"mass_excess"},
    "sec-6-2/bound-gain-toy": {"official_bounded", "official_unbounded"},
    "eq-4/joint-misprinted": {"printed_total_error"},
}
TWICE = ("eq-5/hierarchical-elbo", "sec-4-2/adam-second-moment")


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
    code = "import sys; from reproductions.efficient_vdvae import identities, tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("claim", TWICE)
def test_two_runs_agree_in_every_bit(claim, rows) -> None:
    assert metrics_of(f"{SLUG}/{claim}") == rows[f"{SLUG}/{claim}"]["metrics"]


# Planted faults: what to break, the claim that sees it, and the metric that must leave its criterion.
FAULTS = {
    "a parameter too many": (
        "table-3/params-cifar-10-c1",
        (architecture, "efficient_vdvae_parameter_count", lambda right: lambda *a: right(*a) + 1),
        "count_error",
    ),
    "a layer lost": (
        "table-6/ffhq-256",
        (architecture, "layer_count", lambda right: lambda extra: right(extra) - (len(extra) == 18)),
        "differences",
    ),
    "values of two bytes": (
        "table-5/encoded-size-dense",
        (pruning, "encoded_dataset_bytes", lambda right: lambda images, dims, share: right(images, dims, share, 2)),
        "gigabytes",
    ),
    "one colour": (
        "table-5/pixel-size-50-gb",
        (pruning, "pixel_bytes", lambda right: lambda images, side, size=1: right(images, side, size, 1)),
        "gibibytes_70000",
    ),
    "proper bins passed off as official": (
        "sec-6-2/five-bit-likelihood-mass",
        (quantisation, "half_bin", lambda right: lambda bits, convention: right(bits, "proper")),
        "mass_005",
    ),
    "edges without tails": (
        "sec-6-2/five-bit-likelihood-mass",
        (likelihoods, "total_mass", lambda right: lambda *a: right(*a) * (1 - 1e-9)),
        "eight_bit_error",
    ),
    "slope left out of the denominator": (
        "sec-4-2/softplus-beta-formula",
        (residual_normal, "softplus_scale", lambda right: lambda y, b: right(y, b) * b),
        "relative_error",
    ),
    "gradient of a slope of 1": (
        "sec-4-2/smoothing-inverse-std-gradient",
        (residual_normal, "scale_gradients", lambda right: lambda y, b: right(y, 1.0)),
        "closed_form_error",
    ),
    "second moment of the wrong decay": (
        "sec-4-2/adam-second-moment",
        (optimisers, "adam", lambda right: lambda *a, **k: right(*a, beta2=0.99, **k)),
        "adam_error",
    ),
    "joint without its prior": (
        "eq-1/joint-factorisation",
        (top_down, "log_joint", lambda right: lambda fit, z, m, s: fit),
        "joint_error",
    ),
    "divergence halved": (
        "eq-2/elbo-bound",
        (gaussian, "kl", lambda right: lambda *a: right(*a) / 2),
        "gap_error",
    ),
    "a group of the divergence lost": (
        "eq-5/hierarchical-elbo",
        (top_down, "group_kl", lambda right: lambda *a: right(*a)[1:]),
        "mc_standard_errors",
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
    assert tables.table_3("memory-cells")["FFHQ 256 5-bit", "VDVAE"] == 512
    assert tables.losses()["ImageNet 32", "C1"] == 3.6
    assert list(tables.layer_rows().values())[4] == {32: 41, 16: 20, 8: 10, 4: 7, 1: 6}
    assert set(tables.others(tables.table_4()["MNIST (nats)"], augmented=False)) == {
        "NVAE",
        "PixelVAE++",
        "Locally Masked PixelCNN",
    }
    with pytest.raises(ValueError, match="check must contain"):
        tables._numbers(r"gains ([\d.]+)", "no gain")

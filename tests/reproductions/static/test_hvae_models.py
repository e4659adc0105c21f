"""The Hermite VAE's counts of parameters, bytes and operations: verdicts, and faults that must be seen.

Rows of `hvae/memory` are kinds of training that several claims share, so the tests of one row per claim do not fit.
"""

from __future__ import annotations

import functools
import subprocess
import sys

import numpy as np
import pytest
import torch

import claims
from claims import decide
from reproductions.harness import Context, DataInfo
from reproductions.harness.discovery import discover
from reproductions.hvae import _checks_model, _comparators, _figures_memory, _passes, memory, parameters
from vaes import accounting
from vaes.models import hvae, hvae_conv
from vaes.ops import ornstein_uhlenbeck
from vaes.seeding import stream

pytestmark = pytest.mark.xdist_group("hvae models")

MODULES = (memory, parameters)
REPORTED_ONLY = {
    "memory": {"parameters", "inputs"},
    "parameters": {"quoted_only", "step_5_blocks", "lvae_parameters"},
}


@functools.cache
def rows_of(module):
    found = []
    for unit in module.units("laptop", None, DataInfo()):
        found += [{**row, "seed": unit.seed} for row in module.run(dict(unit.config), unit.seed, Context())]
    return found


def claims_of(module):
    return [claim for claim in claims.load_paper("hvae").claims if claim.reproduction == module.REPRODUCTION.id]


def status(name, rows):
    return decide(claims.find(f"hvae/{name}"), rows, scale="laptop", n_tests_in_family=1).status


@pytest.mark.parametrize("module", MODULES)
def test_every_claim_is_supported(module):
    verdicts = {c.id: decide(c, rows_of(module), scale="laptop", n_tests_in_family=1) for c in claims_of(module)}
    assert {key: v.reason for key, v in verdicts.items() if v.status != "supported"} == {}
    assert len(verdicts) == {memory: 6, parameters: 9}[module]


def test_every_claim_of_the_counts_has_a_check():
    assert set(parameters.CHECKS) == {claim.id for claim in claims_of(parameters)}


@pytest.mark.parametrize("module", MODULES)
def test_metrics_are_finite_described_and_asked_for(module):
    given = {name for row in rows_of(module) for name in row["metrics"]}
    asked = {test.metric for claim in claims_of(module) for test in claim.tests}
    assert given == set(module.METRICS) == asked | REPORTED_ONLY[module.__name__.rpartition(".")[2]]
    assert all(np.isfinite(value) for row in rows_of(module) for value in row["metrics"].values())


def test_both_are_discovered_and_need_no_torch_to_be_listed():
    assert {"hvae/memory", "hvae/parameters"} <= set(discover())
    code = "import sys, reproductions.hvae.memory, reproductions.hvae.parameters; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_two_runs_agree():
    config = {"of": "training", "network": "mlp4x40"}
    assert memory.run(config, 1000, Context()) == memory.run(config, 1000, Context())


def test_smoke_runs_small_models():
    rows = [row for unit in memory.units("smoke", None, DataInfo()) for row in memory.run(unit.config, 1000, Context())]
    assert len(rows) == 9


def ratio(training, depth, blocks=6, metric="memory_to_vae"):
    wanted = {"network": "cifar10", "depth": depth, "blocks": blocks, "training": training}
    (row,) = [row for row in rows_of(memory) if row["arm"] == wanted]
    return row["metrics"][metric]


@pytest.mark.parametrize(
    ("depth", "gibibytes", "smoothed", "weighted"),
    [(3, 1.91, 1.67, 3.53), (4, 2.27, 1.85, 3.70), (6, 2.98, 2.08, 3.92)],
)
def test_memory_is_that_of_the_specification(depth, gibibytes, smoothed, weighted):
    assert ratio("VAE", depth, metric="memory") == pytest.approx(gibibytes, abs=0.01)
    assert ratio("HVAE", depth) == pytest.approx(smoothed, abs=0.006)
    assert ratio("IWAE", depth) == pytest.approx(weighted, abs=0.006)


def test_the_table_puts_our_numbers_beside_the_printed_ones():
    rows = _figures_memory.memory_rows(rows_of(memory))
    assert {row[:2] for row in rows} == {(name, depth) for name in ("VAE", "HVAE", "IWAE") for depth in (4, 6)}
    (smoothed,) = [row for row in rows if row[:2] == ("HVAE", 6)]
    assert smoothed == ("HVAE", 6, 16.8, 16.81, 4.6, 6.18, 1.88, 2.08)
    assert all(len(row) == len(_figures_memory.COLUMNS) for row in rows)
    assert _figures_memory.memory_rows([]) == []


def measured(claim_rows, **changes):
    """Rows with some metrics of the smoothed training replaced by a function of their own."""
    found = []
    for row in claim_rows:
        change = changes if row["arm"].get("training") == "HVAE" else {}
        new = {name: change[name](value) if name in change else value for name, value in row["metrics"].items()}
        found.append({**row, "metrics": new})
    return found


@pytest.mark.parametrize(
    ("name", "metric", "factor", "verdict"),
    [
        ("table-6/memory-ratios", "memory", 1.3, "inconclusive"),
        ("table-6/memory-ratios", "memory", 1.7, "contradicted"),
        ("table-6/memory-ratios", "memory", 0.7, "inconclusive"),
        ("table-6/memory-ordering", "memory_to_vae", 0.5, "contradicted"),
        ("table-6/memory-ordering", "memory_to_vae", 3.0, "contradicted"),
        ("sec-2-2/five-samples-cost-far-below-five-times", "activations", 1.4, "inconclusive"),
        ("sec-2-2/five-samples-cost-far-below-five-times", "forward_cost", 3.0, "contradicted"),
        ("sec-2-2/last-layer-dominates-feature-maps", "memory_to_vae", 1.5, "contradicted"),
    ],
)
def test_doctored_costs_change_the_verdict(name, metric, factor, verdict):
    assert status(name, rows_of(memory)) == "supported"
    assert status(name, measured(rows_of(memory), **{metric: lambda value: factor * value})) == verdict


def run_sweep():
    rows = memory.run({"of": "samples", "network": "mlp4x40"}, 1000, Context())
    return status("sec-2-2/extra-cost-proportional-to-samples", [{**row, "seed": 1000} for row in rows])


def test_a_pass_beside_the_samples_would_be_seen(monkeypatch):
    """A smoothed network that also runs unsmoothed for every second sample: neither a line nor its slope."""
    right = hvae.HVAE._smoothed

    def wasteful(self, network, z, q, noise, fresh, rho):
        for _ in range(len(fresh) // 2):
            self.likelihood(z)
        return right(self, network, z, q, noise, fresh, rho)

    assert run_sweep() == "supported"
    monkeypatch.setattr(hvae.HVAE, "_smoothed", wasteful)
    assert run_sweep() == "contradicted"


def run_check(name):
    row = {"arm": {"claim": f"hvae/{name}"}, "metrics": parameters.CHECKS[f"hvae/{name}"](), "seed": 1000}
    return status(name, [row])


FAULTS = {
    "tanh in one network only": ("sec-5-1/mlp-architectures", hvae.PRESETS, "mlp4x40", {"activation": "identity"}),
    "another hidden width": (
        "sec-5-1/mlp-architectures",
        hvae.PRESETS,
        "mlp_pyramid4",
        {"hidden": (512, 256, 128, 60)},
    ),
    "a block fewer": ("sec-5-2-1/omniglot-resnet-architecture", hvae_conv.PRESETS, "grey-14x14", {"blocks": 4}),
    "a halving more": ("sec-5-2-1/omniglot-resnet-architecture", hvae_conv.PRESETS, "grey-14x14", {"halvings": 2}),
    "skips": ("sec-5-2-1/omniglot-resnet-architecture", hvae_conv.PRESETS, "grey-14x14", {"skips": True}),
    "a layer fewer": ("table-5/layer-counts", hvae_conv.PRESETS, "cifar10-l6", {"depth": 5}),
    "5x5 kernels above": ("table-5/hvae-parameter-counts", hvae_conv.PRESETS, "cifar10-l4", {"kernel": 5}),
    "another step": ("table-5/stage-matches-six-two-conv-blocks", hvae_conv.PRESETS, "cifar10-l6", {"kernel": 5}),
    "narrow maps": ("table-5/resnet-architecture", hvae_conv.PRESETS, "cifar10-l6", {"maps": 99}),
    "latents of 8x8": ("table-5/resnet-architecture", hvae_conv.PRESETS, "cifar10-l6", {"halvings": 2}),
    "costly skips": ("table-5/skip-adds-no-parameters", hvae_conv.PRESETS, "cifar10-l3-skips", {"latent_maps": 100}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_model_that_is_not_the_papers_is_seen(fault, monkeypatch):
    name, presets, preset, change = FAULTS[fault]
    kind = type(presets[preset])
    monkeypatch.setitem(presets, preset, kind.from_dict({**vars(presets[preset]), **change}))
    assert run_check(name) == "contradicted"


def test_comparators_of_another_width_are_seen(monkeypatch):
    monkeypatch.setattr(_comparators, "FILTERS", 95)
    assert run_check("table-5/comparator-parameter-counts") == "contradicted"


def test_a_training_that_leaves_parameters_alone_is_seen(monkeypatch):
    right = hvae_conv.HVAEConv._smoothed

    def detached(self, network, z, q, noise, fresh, rho):
        return hvae.Gaussian(*(value.detach() for value in right(self, network, z, q, noise, fresh, rho)))

    monkeypatch.setattr(hvae_conv.HVAEConv, "_smoothed", detached)
    assert run_check("table-6/hvae-adds-no-parameters") == "contradicted"


def test_configurations_are_compared_number_by_number(monkeypatch):
    assert memory._configuration_differences() == 0
    monkeypatch.setattr(memory, "SAMPLES", 10)
    monkeypatch.setattr(memory, "BLOCKS", (5, 6))
    assert memory._configuration_differences() == 2


def moments_of_a_fresh_model():
    model = hvae.hvae("tiny", latents=(4, 4), hidden=(20, 20)).initialise(stream(0, "init"))
    return _checks_model._moments_against_plain(model, 0, torch.ones(1, 64), 0.8, 5, np.random.default_rng(0))


def test_moments_of_smoothed_parameters_hold():
    found = moments_of_a_fresh_model()
    assert found["mean_standard_errors"] < 4
    assert found["variance_standard_errors"] < 4
    assert found["variance_ratio"] < 0.85


@pytest.mark.parametrize(
    ("fault", "metric"),
    [
        # Copies correlated around zero, as if z were a standard Gaussian.
        (lambda mean, scale, noise, fresh, rho: rho * (mean + scale * noise) + 0.6 * fresh, "mean_standard_errors"),
        # One fresh draw for all copies that are averaged.
        (
            lambda mean, scale, noise, fresh, rho: (
                mean + scale * (rho * noise + 0.6 * torch.cat([fresh[:1].expand(5, -1, -1), fresh[5:]]))
            ),
            "variance_standard_errors",
        ),
    ],
)
def test_copies_of_another_law_are_seen(fault, metric, monkeypatch):
    monkeypatch.setattr(ornstein_uhlenbeck, "correlated_sample", fault)
    assert moments_of_a_fresh_model()[metric] > 5


def test_unknown_trainings_are_named():
    with pytest.raises(ValueError, match="got 'WAE'"):
        _passes.training_pass(hvae.hvae("tiny", device="meta"), "WAE", 2, 2)


def test_counting_needs_no_memory_for_activations():
    """A batch that would keep a tebibyte."""
    model = hvae_conv.hvae_conv("cifar10-l4", device="meta")
    each = _passes.training_pass(model, "IWAE", batch=2**13, samples=5)
    assert accounting.kept_for_backward(each.run, model, each.inputs).total > 2**40
    assert all(value.device == torch.device("meta") for value in each.inputs)

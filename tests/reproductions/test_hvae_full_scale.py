"""The paper's own runs: each paper-scale claim has them and their cost, each builds, and one of each kind runs."""

from __future__ import annotations

import pytest

from claims import Claim, load_paper
from reproductions.harness import Context, DataInfo
from reproductions.harness.work import clean_rows
from reproductions.hvae import _cost, full_scale
from reproductions.hvae.full_scale import RUNS, Run

HALF_A_DIGIT = 0.051
"""Costs are written with two significant digits."""


def paper_scale_claims() -> list[Claim]:
    return [claim for claim in load_paper("hvae").claims if claim.tier == "paper-scale"]


def test_every_paper_scale_claim_has_its_runs_and_their_estimated_cost() -> None:
    assert len(paper_scale_claims()) == 19
    for claim in paper_scale_claims():
        assert claim.configuration is not None, claim.id
        assert claim.cost is not None, claim.id
        assert claim.configuration.reproduction == "hvae/full_scale"
        written = {unit: hours for unit in ("core_hours", "gpu_hours") if (hours := getattr(claim.cost, unit))}
        # After `python -m benchmarks.step_time` on another machine the claim file must follow.
        assert written == pytest.approx(_cost.total(claim.configuration.runs), rel=HALF_A_DIGIT), claim.id


def test_every_run_serves_a_claim() -> None:
    named = [name for claim in paper_scale_claims() if claim.configuration for name in claim.configuration.runs]
    assert set(full_scale.named(*named)) == set(RUNS)
    with pytest.raises(ValueError, match="got 'table-9'"):
        full_scale.named("table-9")


@pytest.mark.parametrize("model", sorted({run.model for run in RUNS.values()}))
def test_models_build_with_the_images_of_their_data(model: str) -> None:
    sizes = {"mnist": 784, "omniglot": 784, "cifar10": 3072}
    for run in RUNS.values():
        if run.model == model:
            built = full_scale.build(run, "meta")
            assert built.config.data == sizes[run.dataset.split("/")[0]]


def test_settings_that_the_paper_states() -> None:
    steps = {name: run.steps for name, run in RUNS.items()}
    assert {steps[name] for name in full_scale.named("table-3", "table-4")} == {1_000_000}
    assert {steps[name] for name in full_scale.named("figure-2")} == {2_000_000}
    assert {RUNS[name].rho for name in full_scale.named("figure-2")} == {1.0, 0.9, 0.8}
    assert {RUNS[name].bound_samples for name in full_scale.named("table-1", "table-2")} == {5000}
    annealed = full_scale.recipe_fields(RUNS["table-4/annealing"])
    assert (annealed["warmup_start"], annealed["warmup_length"]) == (10_000, 500_000)
    assert "warmup_length" not in full_scale.recipe_fields(RUNS["table-4/vae"])
    assert {RUNS[f"table-6/{depth}-layers/iwae"].importance for depth in (4, 6)} == {5}


def test_units_are_of_the_data_at_hand() -> None:
    mnist = DataInfo(describe=lambda folder: [{"name": "mnist", "status": "ok"}])
    found = full_scale.units("paper", None, mnist)
    assert len(found) == sum(run.dataset.startswith("mnist/") for run in RUNS.values()) > 20
    assert {unit.seed for unit in found} == {1000}
    assert full_scale.units("paper", None, DataInfo()) == full_scale.units("gpu", None, mnist) == []


@pytest.mark.parametrize("name", full_scale.SMOKE)
def test_a_run_of_each_kind_takes_two_steps(name: str) -> None:
    (unit,) = [unit for unit in full_scale.units("smoke", None, DataInfo()) if unit.config["run"] == name]
    rows, problems = clean_rows(full_scale.run(dict(unit.config), unit.seed, Context()), full_scale.METRICS)
    assert not problems
    metrics = rows[0]["metrics"]
    assert rows[0]["arm"] == {"run": name}
    assert metrics["elbo"] <= metrics["iw_bound_k2"] < 0
    assert metrics["active_units_l3"] is not None
    assert (metrics["bits_per_dim"] is None) == (name == "smoke/perceptron")


def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(full_scale, "CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(full_scale._sweep, "TRACE_EVERY", 1)
    seen: list[float] = []
    context = Context(checkpoint_dir=tmp_path, report=lambda done, total, metrics: seen.append(done))
    config = full_scale.configuration("smoke/perceptron", full_scale.SMOKE["smoke/perceptron"])
    whole = full_scale.run(config, 1000, context)
    assert seen == [1, 2]
    # The checkpoint of the last step: nothing is left to train, and the numbers are the same.
    assert full_scale.run(config, 1000, context) == whole
    assert seen == [1, 2]


def test_cost_follows_its_definition(monkeypatch) -> None:
    run = Run("mlp4x40", "mnist/static", steps=1000, bound_samples=2)
    one = {"model": "mlp4x40", "training": "VAE"}
    times = {"single": [one | {"seconds": 0.036}], "multiply_adds": [one | _cost.count(run)]}
    monkeypatch.setattr(_cost, "step_times", lambda: times)
    # Multiply-adds by hand: networks q, p and p(x|z_1) of `mlp4x40`, weights alone; the backward pass costs twice the
    # forward one, less the gradient for the images in the first layer.
    first, weights = 784 * 200, 801_600
    step = 100 * (3 * weights - first)
    assert _cost.count(run) == {"step": step, "sample": weights}
    hours = 0.036 * (1000 + 2 * 10_000 * weights / step) / 3600
    assert _cost.of_run(run).core_hours == pytest.approx(hours)


def test_residual_runs_cost_their_counted_multiply_adds() -> None:
    rows = {(row["model"], row["training"]): row for row in _cost.step_times()["multiply_adds"]}
    for run in RUNS.values():
        assert (run.model, run.training) in rows
    name = "table-6/4-layers/vae"
    assert _cost.count(RUNS[name])["step"] == rows["cifar10-l4", "VAE"]["step"]
    cost = _cost.of_run(RUNS[name])
    assert cost.core_hours is None
    assert cost.gpu_hours == pytest.approx(10 * rows["cifar10-l4", "VAE"]["step"] / _cost.GPU_MULTIPLY_ADDS / 3600)

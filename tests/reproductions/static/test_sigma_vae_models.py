"""Networks and linear VAE of the sigma-VAE: what the static reproductions count, and faults that must be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from claims import decide, find
from reproductions.harness import Context, DataInfo
from reproductions.harness.work import clean_rows
from reproductions.sigma_vae import (
    _answers,
    _checks_architecture,
    _checks_linear,
    _configurations,
    _cost,
    architectures,
    full_scale,
    linear_vae,
)
from vaes.models import sigma_vae

PREFIX = "sigma-vae/"
CONTRADICTED = {"appendix-a/five-layer-network"}


def rows_of(module: Any, **config: Any) -> list[dict[str, Any]]:
    returned = module.run(config, module.SEED, Context())
    rows, problems = clean_rows(returned, module.REPRODUCTION.metrics)
    assert not problems
    return [{**row, "seed": module.SEED} for row in rows]


@pytest.mark.parametrize("claim", architectures.CHECKS)
def test_counts_decide_their_claim(claim: str) -> None:
    verdict = decide(find(claim), rows_of(architectures, claim=claim), scale="laptop")
    expected = "contradicted" if claim.removeprefix(PREFIX) in CONTRADICTED else "supported"
    assert verdict.status == expected, verdict.reason


def test_another_width_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = sigma_vae.preset("small_conv_vae", features=31)
    monkeypatch.setitem(sigma_vae.PRESETS, "small_conv_vae", narrow)
    assert _checks_architecture.channels()["width_1"] == 31
    assert _checks_architecture.shapes()["count_error"] > 0


def test_a_row_with_settings_of_its_own_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = _configurations.small

    def tuned(dataset: str, decoder: str) -> dict[str, Any]:
        run = right(dataset, decoder)
        return run | ({"recipe": run["recipe"] | {"learning_rate": 2e-3}} if decoder == "optimal" else {})

    monkeypatch.setattr(_configurations, "small", tuned)
    assert _checks_architecture.same_settings()["other_differences"] > 0


def test_linear_units_follow_the_data_directory() -> None:
    named = {unit.config["images"] for unit in linear_vae.units("laptop", None, DataInfo())}
    assert named == {"digits16", *linear_vae.SYNTHETIC}
    full = DataInfo(describe=lambda folder: [{"name": name, "status": "ok"} for name in ("mnist10k", "frey-face")])
    everywhere = {unit.config["images"] for unit in linear_vae.units("laptop", None, full)}
    assert everywhere == named | {"mnist28", "frey28", "frey"}


def test_fixed_point_on_digits_and_without_the_noise_of_the_posterior() -> None:
    (row,) = rows_of(linear_vae, claim=linear_vae.FIXED_POINT, images="digits16")
    assert row["metrics"]["fixed_point_error"] < 1e-10
    assert row["metrics"]["means_not_smaller"] == 0
    images = np.random.default_rng(0).normal(size=(50, 30))
    right = _checks_linear.fixed_point(images)
    assert right["fixed_point_error"] < 1e-10
    assert right["shortfall_error"] < 1e-10


def test_optimised_linear_model_finds_the_closed_form() -> None:
    (row,) = rows_of(linear_vae, claim=linear_vae.THRESHOLD, images="synthetic-8")
    assert row["metrics"]["wrong_active_counts"] == 0
    assert row["metrics"]["bound_error"] < 1e-6


def test_a_wrong_closed_form_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = _checks_linear.linear_vae.fixed_variance_optimum

    def without_the_kl(values: Any, variance: Any, latents: int) -> Any:
        bound, kl = right(values, variance, latents)
        return bound - kl, kl

    monkeypatch.setattr(_checks_linear.linear_vae, "fixed_variance_optimum", without_the_kl)
    rng = np.random.default_rng(0)
    found = _checks_linear.threshold_in_optimised(_checks_linear.synthetic_covariance(rng, 6), rng, 3)
    assert found["bound_error"] > 1e-3


def test_full_scale_runs_have_names_and_build() -> None:
    assert len(full_scale.named("table-4")) == 5
    assert len(full_scale.named("small/svhn/optimal", "hvae15")) == 1 + 8
    with pytest.raises(ValueError, match="name must be a run"):
        full_scale.named("table-5")
    for name in ("small/frey/bitwise", "table-4/disc_logistic", "hvae15/cifar/beta", "svglp/bair/svg_default"):
        assert full_scale.build(full_scale.RUNS[name]).decoder.config.name


def test_cost_is_that_of_the_counted_layers() -> None:
    """Forward pass by hand for one grey image; the backward pass takes twice that, but for the first layer."""
    encoder = 9 * 32 * 784 + 16 * 32 * 64 * 196 + 25 * 64 * 128 * 49 + 2 * 6272 * 20
    decoder = 20 * 6272 + 36 * 128 * 64 * 49 + 36 * 64 * 32 * 196 + 25 * 32 * 784
    counted = _cost.step_multiply_adds(full_scale.RUNS["small/frey/optimal"])
    assert counted == 128 * (3 * (encoder + decoder) - 9 * 32 * 784)
    hours = _cost.gpu_hours(["small/frey/optimal"])
    assert hours == pytest.approx(counted * 130 / _cost.GPU_MULTIPLY_ADDS / 3600)


def test_step_times_cover_every_decoder_and_are_told_beside_the_unit_gaussian() -> None:
    decoders = [row["decoder"] for row in _cost.step_times()["28x28, 32 feature maps"]]
    assert set(_configurations.DECODERS) <= set(decoders)
    shown = dict(zip(decoders, _answers.step_rows(_cost.step_times()), strict=True))
    assert shown["gaussian"][0] == "unit Gaussian"
    assert shown["gaussian"][2:] == (1, 1, 1)
    assert all(low <= ratio <= high for _, _, ratio, low, high in shown.values())
    assert len(_answers.STEP_COLUMNS) == len(shown["gaussian"])


def test_full_scale_needs_its_data_and_runs_small() -> None:
    assert full_scale.units("paper", None, DataInfo()) == []
    assert full_scale.units("night", None, DataInfo()) == []
    faces = DataInfo(describe=lambda folder: [{"name": "frey-face", "status": "ok"}])
    assert len(full_scale.units("paper", None, faces)) == 3 * len(_configurations.DECODERS)
    (unit,) = full_scale.units("smoke", None, DataInfo())
    rows, problems = clean_rows(full_scale.run(unit.config, unit.seed, Context()), full_scale.REPRODUCTION.metrics)
    assert not problems
    assert rows[0]["metrics"]["nelbo"] > 0

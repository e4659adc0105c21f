"""The trained reproductions of the sigma-VAE: a smoke unit of each gives what its claims ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from claims.tables import matches
from reproductions.harness import Context, DataInfo
from reproductions.report import style
from reproductions.sigma_vae import _estimates, _runs, decoders
from tests.reproductions.smoke_units import claims_of, module, selectors, smoke_table
from vaes.ops import calibration

EFFECTS = ("decoders", "beta_grid", "discretised", "colour", "strategies", "frey", "order")
OF_GPU = {"frey", "order", "decoders"}
"""Effects some of whose claims need data sets or arms that only the gpu scale has."""
AT_HAND = ("digits", "patches", "mnist10k", "frey-face")

# The tests of an effect on one worker: its smoke units run once.
BY_EFFECT = [pytest.param(effect, marks=pytest.mark.xdist_group(f"sigma-vae {effect}")) for effect in EFFECTS]


def everything(folder: Path | None) -> list[dict[str, str]]:
    return [{"name": name, "status": "ok"} for name in AT_HAND]


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_smoke_unit_has_distinct_arms_and_no_other_metrics(effect: str) -> None:
    rows = smoke_table(f"sigma-vae/{effect}")
    arms = [tuple(sorted(row["arm"].items(), key=str)) for row in rows]
    assert len(set(arms)) == len(arms), "two rows of one seed have the same arm"
    assert {metric for row in rows for metric in row["metrics"]} <= set(module(f"sigma-vae/{effect}").METRICS)


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_claims_find_their_metrics(effect: str) -> None:
    rows = smoke_table(f"sigma-vae/{effect}")
    assert claims_of(f"sigma-vae/{effect}")
    for claim in claims_of(f"sigma-vae/{effect}"):
        for test in claim.tests or ():
            for selector in selectors(test):
                if effect in OF_GPU and selector.get("dataset") in ("frey28", "photo8", "mnist28"):
                    continue
                found = [row for row in rows if matches(selector, row["arm"]) and test.metric in row["metrics"]]
                assert len(found) == 1, (claim.id, test, selector)


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_units_of_the_scales(effect: str) -> None:
    own = module(f"sigma-vae/{effect}")
    for scale in ("laptop", "night", "gpu"):
        units = own.units(scale, None, DataInfo(describe=everything))
        keys = {(str(unit.config), unit.seed) for unit in units}
        assert len(keys) == len(units)
        assert all(unit.seed >= 1000 for unit in units)
        assert not units or len({unit.seed for unit in units}) >= 5
    assert own.units("gpu", None, DataInfo(describe=everything))
    assert own.units("paper", None, DataInfo(describe=everything)) == []


@pytest.mark.parametrize("effect", ["decoders", "frey", "order"])
def test_without_the_data_directory_no_unit_asks_for_it(effect: str) -> None:
    embedded = DataInfo(describe=lambda folder: everything(folder)[:2])
    for scale in ("laptop", "night", "gpu"):
        units = module(f"sigma-vae/{effect}").units(scale, None, embedded)
        assert all(set(unit.config["datasets"]) <= {"digits", "patches"} for unit in units)


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_figures_from_whole_and_from_empty_tables(effect: str) -> None:
    draw = module(f"sigma-vae/{effect}").figures
    drawn = draw(smoke_table(f"sigma-vae/{effect}"), style)
    assert effect == "frey" or any(figure is not None for figure in drawn.values())
    empty = draw([], style)
    assert empty.keys() == drawn.keys()
    assert all(figure is None for figure in empty.values())
    for figure in drawn.values():
        assert figure is None or style.svg_bytes(figure)


def test_faces_with_the_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part on Frey Face, on digits that stand for it: crossing, bounds of both sigmas, errors."""
    own = module("sigma-vae/frey")
    config = own.faces("smoke")
    config |= {"images": "digits16", "datasets": ["digits"]}
    monkeypatch.setitem(own.PRINTED, "shared", 1e9)
    rows = own.run(config, 1000, Context())
    assert _runs.row_of(rows, summary="crossing")["metrics"]["crossing"] == config["look_from"]
    assert _runs.row_of(rows, arm="optimal")["metrics"]["miss"] > 0
    monkeypatch.setitem(own.PRINTED, "shared", -1e9)
    rows = own.run(config, 1000, Context())
    assert _runs.row_of(rows, summary="crossing")["metrics"] == {}


def test_arrival_of_a_trajectory_and_the_lead_of_the_other() -> None:
    """A learned sigma on a straight line and a closed-form one that is there at once."""
    steps = torch.arange(1, 31)
    falling, fast = (-0.01 * steps).tolist(), torch.full((30,), -0.5).tolist()
    series = {"shared": (falling, [5.0] * 30), "optimal": (fast, [2.0] * 29 + [9.0])}
    rows: list[dict[str, Any]] = []
    for name, (sigma, bounds) in series.items():
        for at, bound in ((100, 3.0), (300, 1.0)):
            metrics = {"nelbo": bound + (1.0 if name == "shared" else 0.0)}
            rows.append({"arm": {"arm": name, "steps": at}, "metrics": metrics})
        rows[-1]["series"] = {"log_sigma": sigma, "nelbo": bounds}

    class Job:
        seed = 0

    reference = torch.full((1, 4), -0.3, dtype=torch.float64).exp().square()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_runs, "errors", lambda *arguments: reference)
        found = decoders.convergence(Job(), rows, None, (100, 300))  # type: ignore[arg-type]
    assert rows[1]["metrics"]["t_conv"] == 210, "first step whose log sigma is below -0.3 + 0.1"
    assert rows[3]["metrics"]["t_conv"] == 10
    assert found["slope_error"] == pytest.approx(0, abs=1e-6)
    assert found["gap_share"] == pytest.approx(1)
    assert found["least_lead"] == pytest.approx(3), "the last point lies after the arrival"


def test_biases_of_gaussian_residuals_are_those_of_the_formulas() -> None:
    """Errors of D = 4 independent residuals: chi-square, whose biases are known exactly."""
    generator = torch.Generator().manual_seed(0)
    errors = torch.randn(200_000, 4, generator=generator, dtype=torch.float64).square().mean(1)
    found = _estimates.biases(errors, 4, 0, 40_000)
    numbers = torch.tensor(4.0 * _estimates.BATCH, dtype=torch.float64)
    assert found["same_batch_bias"] == pytest.approx(float(calibration.same_batch_bias(4, numbers)), rel=0.05)
    assert found["other_batch_bias"] == pytest.approx(float(calibration.held_out_sigma_bias(4, numbers)), rel=0.05)
    assert 0 < found["running_bias"] < found["other_batch_bias"]


def test_standard_errors_of_independent_errors_follow_the_root_of_n() -> None:
    errors = 1 + 0.3 * torch.randn(40, 2000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = _estimates.standard_errors(errors, 0)
    assert found["batch_error"] == pytest.approx(100 * 0.15 / 128**0.5, rel=0.1)
    assert found["one_sample_error"] == pytest.approx(100 * 0.15 / 2000**0.5, rel=0.4)
    assert found["total_variation"] == pytest.approx(0.3, rel=0.02)


def test_stages_name_the_same_times_at_every_scale() -> None:
    for lengths in decoders.LENGTHS.values():
        assert decoders.stage({"arm": "optimal", "steps": lengths["late"]}, lengths) == "late"
        assert decoders.stage({"arm": "optimal", "steps": lengths["early"]}, lengths) == "early"
        assert decoders.stage({"arm": "bitwise", "steps": lengths["discrete"]}, lengths) == "discrete"
        assert decoders.stage({"arm": "gaussian", "steps": lengths["common"]}, lengths) == "common"
        assert decoders.stage({"arm": "mean_mse", "steps": lengths["blunt"]}, lengths) == "blunt"

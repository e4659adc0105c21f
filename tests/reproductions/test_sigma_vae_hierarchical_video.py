"""The hierarchical and the video reproduction of the sigma-VAE: smoke units, measures of known predictions, figures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from claims import load_paper
from claims.tables import matches
from reproductions.harness import DataInfo
from reproductions.report import style
from reproductions.sigma_vae import hierarchical, video
from tests.reproductions.smoke_units import module, smoke_table
from vaes.models.svg_lp import preset
from vaes.moving_digits import MovingDigits, movdig16

EFFECTS = ("hierarchical", "video")
BY_EFFECT = [pytest.param(effect, marks=pytest.mark.xdist_group(f"sigma-vae {effect}")) for effect in EFFECTS]
MNIST = DataInfo(describe=lambda folder: [{"name": "mnist10k", "status": "ok"}])


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_smoke_unit_has_the_declared_metrics(effect: str) -> None:
    rows = smoke_table(f"sigma-vae/{effect}", may_be_missing="presence_kept")
    arms = [tuple(sorted(row["arm"].items())) for row in rows]
    assert len(set(arms)) == len(arms), "two rows of one seed have the same arm"
    for metric in module(f"sigma-vae/{effect}").REPRODUCTION.metrics:
        assert any(metric in row["metrics"] for row in rows), metric


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_claims_find_one_row_per_seed(effect: str) -> None:
    rows = smoke_table(f"sigma-vae/{effect}", may_be_missing="presence_kept")
    claims = [claim for claim in load_paper("sigma-vae").claims if claim.reproduction == f"sigma-vae/{effect}"]
    assert claims
    for claim in claims:
        for test in claim.tests or ():
            for name in ("where", "greater", "less", "numerator", "denominator"):
                selector = getattr(test, name, None)
                if selector:
                    found = [row for row in rows if matches(selector, row["arm"]) and test.metric in row["metrics"]]
                    assert len(found) == 1, (claim.id, selector)


@pytest.mark.parametrize("effect", EFFECTS)
def test_units_of_the_scales(effect: str) -> None:
    units = module(f"sigma-vae/{effect}").units
    night = units("night", None, DataInfo())
    assert min(unit.seed for unit in night) == 1000
    assert len({(str(unit.config), unit.seed) for unit in night}) == len(night)
    assert not units("laptop", None, DataInfo())
    assert not units("gpu", None, DataInfo())
    assert units("gpu", None, MNIST)


def test_decided_arms_have_five_seeds() -> None:
    decoders = [unit for unit in hierarchical.units("night", None, DataInfo()) if unit.config["group"] == "decoders"]
    assert len(decoders) == 5
    for decoder in ("gaussian", "optimal"):
        found = [
            unit.seed
            for unit in video.units("night", None, DataInfo())
            if (unit.config["decoder"], unit.config["skips"]) == (decoder, "first")
        ]
        assert found == list(range(1000, 1005))


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_figures_from_whole_and_from_empty_tables(effect: str) -> None:
    draw = module(f"sigma-vae/{effect}").figures
    drawn = draw(smoke_table(f"sigma-vae/{effect}", may_be_missing="presence_kept"), style)
    assert all(figure is not None and style.svg_bytes(figure) for figure in drawn.values())
    assert all(figure is None for figure in draw([], style).values())


@pytest.mark.parametrize(("bound", "allowed"), [(200.0, 202.0), (-30.0, -29.7)])
def test_allowance_is_one_percent_above(bound: float, allowed: float) -> None:
    rows = [
        {"arm": {"decoder": name, "variant": "default"}, "metrics": {"nelbo": value}}
        for name, value in (("gaussian", 62.0), ("beta", bound))
    ]
    row = hierarchical.allowance(rows)
    assert row["arm"] == {"decoder": hierarchical.ALLOWED, "variant": "default"}
    assert row["metrics"] == {"nelbo": pytest.approx(allowed)}


class Predictor(torch.nn.Module):
    """A video model that predicts what it is told to."""

    def __init__(self, predicted: Any, kl: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.config, self.predicted, self.kl = preset("svg-s"), predicted, kl
        self.decoder = SimpleNamespace(
            log_scale=torch.tensor(0.0), evaluation_nll=lambda output, x: torch.full((len(output),), 3.0)
        )

    def draw_noise(self, count: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(count, 7, 8, generator=generator)

    def rollout(self, frames: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return self.predicted(frames[:, 1:])

    def forward(self, frames: torch.Tensor, noise: torch.Tensor) -> Any:
        kl = self.kl * torch.arange(1.0, 8.0).expand(len(frames), 7)
        return SimpleNamespace(images=frames, output=frames[:, 1:], frame_kl=kl)


@pytest.fixture(scope="module")
def source() -> MovingDigits:
    return movdig16()


def test_measures_of_perfect_predictions(source: MovingDigits) -> None:
    metrics, series = video.measure(Predictor(lambda frames: frames, 0.5), source, 0, 5)
    for name in ("sharpness_ratio", "presence", "ink_ratio", "peak_ratio"):
        assert metrics[f"{name}_last"] == pytest.approx(1)
    assert metrics["presence_kept"] == 1
    assert metrics["best_of_8_sse_last"] == metrics["rollout_diversity"] == 0
    # Frames 3 to 8 are predicted; the second one is given.
    assert metrics["rate_per_frame"] == pytest.approx(0.5 * (2 + 3 + 4 + 5 + 6 + 7) / 6)
    assert metrics["nelbo"] == pytest.approx(7 * 3.0 + 0.5 * 28)
    assert len(series["rate"]) == 6
    held_out = source.held_out(5, 8).frames
    assert series["true"] == (255 * held_out[0]).round().flatten().tolist()
    assert series["predicted"] == (255 * held_out[0, 2:]).round().flatten().tolist()


def test_measures_of_a_digit_that_vanishes(source: MovingDigits) -> None:
    def vanishing(frames: torch.Tensor) -> torch.Tensor:
        left = frames.clone()
        left[:, -1] = 0
        return left

    metrics, series = video.measure(Predictor(vanishing, 0.0), source, 0, 5)
    assert metrics["presence_first"] == 1
    assert metrics["presence_last"] == metrics["presence_kept"] == metrics["ink_ratio_last"] == 0
    assert series["presence"] == [1, 1, 1, 1, 1, 0]
    squares = source.held_out(5, 8).frames[:, -1].square().sum((1, 2, 3)).mean()
    assert metrics["best_of_8_sse_last"] == pytest.approx(squares.item(), rel=1e-5)
    nothing, _ = video.measure(Predictor(torch.zeros_like, 0.0), source, 0, 5)
    assert nothing["presence_kept"] is None


def test_measures_of_rollouts_that_differ(source: MovingDigits) -> None:
    calls = iter(range(8))
    metrics, _ = video.measure(Predictor(lambda frames: frames + 0.1 * next(calls), 0.0), source, 0, 5)
    # The first rollout is right; eight equidistant values 0.1 apart have variance 0.06.
    assert metrics["best_of_8_sse_last"] == pytest.approx(0, abs=1e-9)
    assert metrics["rollout_diversity"] == pytest.approx(256 * 0.06, rel=1e-4)


def test_video_arms_have_their_decoders() -> None:
    betas = {"gaussian": ("gaussian", 1.0), "svg_default": ("beta", 0.0128), "optimal": ("optimal", 1.0)}
    for (name, skips), _ in video.ARMS.items():
        built = video._model(video.configuration("night", name, skips))
        assert (built.decoder.name, built.decoder.beta) == (betas[name][0], pytest.approx(betas[name][1]))
        assert built.last_frame_skip == (skips == "last")
        assert (built.past, built.future) == (2, 6)

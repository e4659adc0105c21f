"""The trained reproductions of the Hermite VAE: a smoke unit of each gives what its claims ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from claims.tables import matches
from reproductions.harness import DataInfo
from reproductions.report import style
from tests.reproductions.smoke_units import claims_of, module, selectors, smoke_table

EFFECTS = (
    "baselines",
    "colour_patches",
    "depth_width",
    "five_layers",
    "free_bits",
    "gradient_variance",
    "linear_mechanism",
    "smoothing_variants",
    "training_length",
    "transition_by_shape",
)

# The tests of an effect on one worker: its smoke units run once.
BY_EFFECT = [pytest.param(effect, marks=pytest.mark.xdist_group(f"hvae {effect}")) for effect in EFFECTS]


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_smoke_unit_has_the_declared_metrics(effect: str) -> None:
    rows = smoke_table(f"hvae/{effect}")
    arms = [tuple(sorted(row["arm"].items(), key=str)) for row in rows]
    assert len(set(arms)) == len(arms), "two rows of one seed have the same arm"
    for metric in module(f"hvae/{effect}").REPRODUCTION.metrics:
        assert any(metric in row["metrics"] for row in rows), metric


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_claims_find_their_metrics(effect: str) -> None:
    rows = smoke_table(f"hvae/{effect}")
    for claim in claims_of(f"hvae/{effect}"):
        for test in claim.tests or ():
            for selector in selectors(test):
                # The smoke scale has other widths and depths than the claims: ask for the same fields only.
                found = [row for row in rows if test.metric in row["metrics"] and set(selector) <= set(row["arm"])]
                assert found, (claim.id, test)
                exact = [row for row in found if matches(_without_shape(selector), row["arm"])]
                assert exact, (claim.id, selector)


def _without_shape(selector: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in selector.items() if name not in ("width", "depth", "units", "layers")}


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_night_units_have_the_arms_of_the_claims(effect: str) -> None:
    units = module(f"hvae/{effect}").units(
        "night", None, DataInfo(describe=lambda folder: [{"name": "mnist10k", "status": "ok"}])
    )
    seeds = {unit.seed for unit in units}
    assert min(seeds) >= 1000
    assert len(seeds) >= 5
    assert len({(str(unit.config), unit.seed) for unit in units}) == len(units)


@pytest.mark.parametrize("effect", BY_EFFECT)
def test_figures_from_whole_and_from_empty_tables(effect: str) -> None:
    draw = module(f"hvae/{effect}").figures
    drawn = draw(smoke_table(f"hvae/{effect}"), style)
    assert any(figure is not None for figure in drawn.values())
    assert all(figure is None for figure in draw([], style).values())
    for figure in drawn.values():
        assert figure is None or style.svg_bytes(figure)


def test_grid_shares_count_cells() -> None:
    effect = module("hvae/depth_width")
    inactive = {(1, 2): 0.0, (1, 4): 0.1, (2, 2): 0.31, (2, 4): 0.9}
    cells = [
        {
            "arm": {"rho": rho, "depth": depth, "width": width},
            "metrics": {"inactive_fraction": value if rho == 1 else 0.0, "bound_gain": -0.5 if width == 2 else 0.6},
        }
        for rho in (1.0, 0.9)
        for (depth, width), value in inactive.items()
    ]
    plain, smoothed = (row["metrics"] for row in effect._shares(cells))
    assert plain == {"cells_active": 0.5, "deep_cells_inactive": 1.0, "cells_similar": 0.5}
    assert smoothed == {"cells_active": 1.0, "deep_cells_inactive": 0.0, "cells_similar": 0.5}
    by_depth = {row["arm"]["layers"]: row["metrics"]["inactive_fraction"] for row in effect._margins(cells)[:2]}
    assert by_depth == pytest.approx({1: 0.05, 2: 0.605})


def test_curve_row_places_the_drop() -> None:
    grid = np.array([0.7, 0.8, 0.85, 0.88, 0.91, 0.94, 0.96, 0.98, 1.0])
    rows = [
        {"arm": {"dataset": "digits", "K": 5, "rho": rho, "width": 8, "depth": 3}, "metrics": {"top_kl": kl}}
        for rho, kl in zip(grid[::-1], 4 / (1 + np.exp((grid[::-1] - 0.9) / 0.005)), strict=True)
    ]
    row = module("hvae/transition_by_shape").curve_row(rows)
    assert row["arm"] == {"dataset": "digits", "K": 5, "units": 8, "layers": 3}
    assert row["metrics"]["rho_half"] == pytest.approx(0.9, abs=0.01)
    assert 0.9 < row["metrics"]["rho_on"] < 0.94
    assert row["metrics"]["max_drop"] == pytest.approx(4 * row["metrics"]["sharpness"], rel=0.02)


def test_steps_to_a_target_and_jumps_of_a_loss() -> None:
    effect = module("hvae/free_bits")
    assert effect.steps_to(-20.0, [-30.0, -21.0, -19.0, -18.0]) == 3 * effect.MEASURE_EVERY
    assert effect.steps_to(-20.0, [-30.0, -21.0]) is None
    rng = np.random.default_rng(0)
    # The fall at the start is no jump, and must not hide a later one.
    calm = 30 + 200 * np.exp(-np.arange(400) / 15) + rng.normal(size=400)
    assert effect.largest_jump(calm) < effect.SPIKE
    calm[300] += 15
    assert effect.largest_jump(calm) > effect.SPIKE
    assert effect.largest_jump([1.0] * 10) == 0


def test_gradients_of_copies_are_those_of_single_models() -> None:
    torch = pytest.importorskip("torch")
    from vaes.models.hvae import HVAE, HVAEConfig, Smoothing, objective
    from vaes.seeding import stream

    effect = module("hvae/gradient_variance")
    config = HVAEConfig(data=6, latents=(2, 2), hidden=(4, 4))
    model = HVAE(config).initialise(stream(0, "init"))
    images = (torch.rand(5, 6, generator=stream(0, "x")) < 0.5).float()
    (found,) = effect.draw_gradients(HVAE.stack([model] * 3), images, 0.8, 7, 6)
    assert found.shape == (6, sum(p.numel() for p in model.priors.parameters()))
    generator = stream(7, "gradient noise")
    noise = [torch.randn(3, 5, 2, generator=generator) for _ in config.latents]
    fresh = torch.randn(3, effect.SAMPLES, 5, 2, generator=generator)
    loss = -objective(model(images, [e[1] for e in noise], Smoothing(0.8, (fresh[1],))))
    loss.backward()
    wanted = torch.cat([p.grad.T.flatten() if p.ndim == 2 else p.grad for p in model.priors[0].parameters()])
    # A stack stores all weights before all biases; sorting makes the order irrelevant.
    torch.testing.assert_close(found[1].float().sort().values, wanted.sort().values, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="multiple of the 3 copies"):
        effect.draw_gradients(HVAE.stack([model] * 3), images, 0.8, 7, 4)


def test_sampled_objective_has_the_closed_form_as_its_mean() -> None:
    torch = pytest.importorskip("torch")
    from reference import linear_gaussian, ornstein_uhlenbeck

    effect = module("hvae/linear_mechanism")
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Any:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    theta = torch.tensor([0.7, 0.6, -0.4, -0.5], dtype=torch.float64)[:, None, None].repeat(1, 2, 1)
    rho = torch.tensor([[0.5], [1.0]], dtype=torch.float64)
    batches = torch.stack(
        [effect.sampled_objective(theta, normal(4000), normal(4000), normal(5, 1, 4000), rho) for _ in range(100)]
    )
    strength = ornstein_uhlenbeck.effective_strength(rho[:, 0].numpy(), 5)
    wanted = linear_gaussian.objective(0.7, 0.6, np.exp(-0.4), np.exp(-0.25), 1.0, strength)
    error = batches.std(0) / 10
    assert torch.all((batches.mean(0) - torch.tensor(wanted)).abs() < 5 * error)
    assert not np.isclose(wanted[0], wanted[1], atol=float(10 * error.max())), "the two strengths must differ"


def test_colour_patches_keep_test_images_apart() -> None:
    pytest.importorskip("torch")
    effect = module("hvae/colour_patches")
    dataset = effect.colour_patches()
    assert dataset.train.shape == (effect.TRAIN, 192)
    assert dataset.test.shape == (effect.TEST, 192)
    levels = dataset.train * 255
    assert float((levels - levels.round()).abs().max()) < 1e-4
    assert 0 <= float(dataset.train.min()) < float(dataset.train.max()) <= 1
    # Channels last: neighbouring pixels of one channel are closer than the channels of one pixel.
    pixels = dataset.train.unflatten(1, (8, 8, 3))
    assert (pixels[:, :, 1:] - pixels[:, :, :-1]).abs().mean() < (pixels[..., 1:] - pixels[..., :-1]).abs().mean()
    train = {row.tobytes() for row in dataset.train.numpy()}
    # Flat patches of equal colour exist in both; anything else would be a leak.
    shared = [row for row in dataset.test.numpy() if row.tobytes() in train and len(set(row.tolist())) > 6]
    assert not shared

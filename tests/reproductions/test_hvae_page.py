"""What the page of the Hermite VAE says: sentences and tables follow the results, and no claim lost its laptop runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from claims import load_paper
from claims.tables import matches
from reproductions.harness import DataInfo
from reproductions.harness.store import Store
from reproductions.hvae import __main__ as command
from reproductions.hvae import _answers, _beside, _cost, collapse, phase_transition
from reproductions.report import gather
from reproductions.report.nb import Page

Rows = list[dict[str, Any]]
BOUND = "iw_bound_k100"


def rows(arm: Mapping[str, Any], **metrics: list[float]) -> Rows:
    """One row for each seed."""
    seeds = range(len(next(iter(metrics.values()))))
    return [
        {"arm": dict(arm), "seed": 1000 + i, "metrics": {name: values[i] for name, values in metrics.items()}}
        for i in seeds
    ]


def answer(index: int, tables: Mapping[str, Rows]) -> str:
    return " ".join(_answers.QUESTIONS[index].answer(tables))


def collapse_table() -> Rows:
    plain = rows({"rho": 1.0}, top_kl=[0.01, 0.02, 0.03], early_collapse=[1.0, 0.0, 1.0], iw_bound_k100=[-18, -17, -16])
    smoothed = rows(
        {"rho": 0.9}, top_kl=[3.0, 4.0, 5.0], early_collapse=[0.0, 0.0, 0.0], iw_bound_k100=[-17.5, -16.4, -15.6]
    )
    return plain + smoothed


def baseline_table() -> Rows:
    levels = {"vae": (0.0, -18.0), "annealing": (0.1, -17.0), "free_bits_3": (2.8, -18.2), "hermite_0.9": (3.6, -17.5)}
    table: Rows = []
    for method, (kl, bound) in levels.items():
        arm = {"method": method, "shape": "flat", "dataset": "digits"}
        metrics = {"top_kl": kl, "top_down_gap": 7 * (kl if "free" in method else kl / 3), BOUND: bound}
        table += rows(arm, **{name: [value] * 3 for name, value in metrics.items()}, active_units_top=[4.0] * 3)
    return table


def sweep_table(**places: float) -> Rows:
    table: Rows = []
    for dataset, place in places.items():
        for rho in phase_transition.GRID:
            kl = 5 / (1 + np.exp((rho - place) / 0.006))
            arm = {"dataset": dataset, "K": 5, "rho": rho, "width": 8, "depth": 3}
            table += rows(arm, top_kl=[kl] * 5, top_down_gap=[3 * kl] * 5, information_top=[-0.001] * 5)
    return table


def test_without_results_nothing_is_said() -> None:
    for question in _answers.QUESTIONS:
        assert list(question.answer({})) == []


def test_collapse_and_its_prevention_are_counted() -> None:
    tables = {"hvae/collapse": collapse_table(), "hvae/baselines": baseline_table()}
    assert "stays there in 2 of 3 runs; on held-out images it ends at 0.02 nats." in answer(0, tables)
    told = answer(1, tables)
    assert r"ends at 4.00 nats at $\rho=0.9$ (medians over 3 runs)" in told
    assert r"free bits 3 keeps most, 2.80 nats, against 3.60 nats at $\rho=0.9$" in told


def test_depths_and_widths_are_told_by_their_ends() -> None:
    grid: Rows = []
    for rho in (1.0, 0.9):
        for depth, share in ((1, 0.05), (2, 0.3), (4, 0.6)):
            arm = {"rho": rho, "mean_over": "depth", "layers": depth}
            grid += rows(arm, inactive_fraction=[share if rho == 1 else 0.0] * 3)
    assert "5% of all units are inactive at depth 1, 60% at 4." in answer(0, {"hvae/depth_width": grid})
    wholes: Rows = []
    for width, sharpness in ((2, 8.0), (8, 12.0), (40, 20.0)):
        wholes += rows({"dataset": "digits", "K": 5, "units": width, "layers": 3}, sharpness=[sharpness] * 3)
    told = answer(2, {"hvae/transition_by_shape": wholes})
    assert r"by up to 8 per unit of $\rho$ at width 2, by up to 20 at width 40" in told


def test_the_transition_is_placed_and_compared() -> None:
    tables = {"hvae/phase_transition": sweep_table(digits=0.93, patches=0.90)}
    assert r"On digits half of the KL is gone at a $\rho$ of 0.93" in answer(2, tables)
    assert "a logistic step fits better than a straight line" in answer(2, tables)
    assert r"The onset of collapse on digits less that on patches is +0.03" in answer(3, tables)
    swapped = {"hvae/phase_transition": sweep_table(digits=0.90, patches=0.93)}
    assert "is \u22120.03" in answer(3, swapped)
    assert answer(3, {"hvae/phase_transition": sweep_table(digits=0.90)}) == ""


def test_lengths_of_training_are_told_by_their_ends() -> None:
    table = rows({"length": 750}, rho_on=[0.93, 0.94]) + rows({"length": 6000}, rho_on=[0.97, 0.98])
    assert "From 750 steps of training to 6000 the onset of collapse goes from 0.935 to 0.975." in answer(
        2, {"hvae/training_length": table}
    )


def test_gains_of_the_bound_are_paired_by_seed() -> None:
    told = answer(4, {"hvae/collapse": collapse_table(), "hvae/baselines": baseline_table()})
    assert r"changes by a mean of +0.50 [+0.43, +0.60] at $\rho=0.9$" in told
    assert "of 4 methods: KL annealing (\u221217.00)" in told
    assert "the plain VAE has \u221218.00" in told
    unpaired = [row for row in collapse_table() if row["arm"]["rho"] != 1 or row["seed"] == 1000]
    assert answer(4, {"hvae/collapse": unpaired}) == ""


def test_use_of_the_top_layer_is_told_beside_its_kl() -> None:
    tables = {"hvae/phase_transition": sweep_table(digits=0.93), "hvae/baselines": baseline_table()}
    told = answer(5, tables)
    assert r"On digits at $\rho=0.9$ the top layer has a KL of 4.97 nats" in told
    assert r"costs 14.90 nats (at $\rho=1$: 0.00 nats)" in told
    assert "estimated at 0.00 nats" in told
    assert r"free bits 3 has the decoder use the top layer most, 19.60 nats" in told


@pytest.fixture
def page(tmp_path: Path) -> Callable[[Rows], Page]:
    """Return a function that gives the paper's page over a store with one unit of `hvae/collapse`."""

    def build(table: Rows) -> Page:
        record = {"schema": 1, "key": "0" * 64, "reproduction": "hvae/collapse", "config": {}, "seed": 1000}
        record |= {"scale": "laptop", "code": "c", "status": "done", "rows": table, "error": None}
        Store(tmp_path / "store").save(record | {"metrics_info": {}, "provenance": {"started": "2026-01-02"}})
        papers = [gather.paper_file(load_paper("hvae"))]
        site, _ = gather.gather(tmp_path / "store", None, papers=papers, equations=(), decide=lambda *_: [])
        return Page("hvae", site, tmp_path / "out")

    return build


def test_the_block_of_answers_names_claims_and_what_is_missing(page: Callable[[Rows], Page]) -> None:
    markup = _answers.show(page(rows({"rho": 1.0}, top_kl=[0.01], early_collapse=[1.0]))).markup
    assert markup.count("<h3>") == 6
    assert "in 1 of 1 runs" in markup
    assert markup.count("No results yet.") == 5
    assert "<code>evidence run hvae/phase_transition hvae/baselines --scale night</code>" in markup
    assert 'href="#fig-2--vae-collapses-hvae-does-not"' in markup


def test_printed_tables_stand_beside_ours() -> None:
    tables = _beside.baseline_tables(baseline_table())
    # Table 3 has no flat model at rho = 0.9, and there is no pyramid here.
    assert {caption[:7]: [row[0] for row in found] for caption, found in tables.items()} == {
        "Table 3": ["KL annealing"],
        "Table 4": ["VAE", "KL annealing", "Hermite, rho = 0.9"],
    }
    assert tables[next(name for name in tables if name.startswith("Table 4"))][-1] == (
        "Hermite, rho = 0.9",
        19.5,
        "3.60",
        "40 of 40",
        "4 of 8",
    )
    assert _beside.baseline_tables([]) == {}


def test_five_layers_against_four_in_print_and_here() -> None:
    table = rows({"depth": 4}, iw_bound_k100=[-18.0, -17.0]) + rows({"depth": 5}, iw_bound_k100=[-17.5, -16.8])
    found = {name: (theirs, ours) for name, theirs, ours in _beside.depth_rows(table)}
    assert found["Hermite VAE, four layers"] == (-81.2, -17.5)
    assert found["five layers less four"] == (0.1, 0.35)
    assert found["five layers less LadderVAE (L=5)"] == (0.6, None)
    assert _beside.depth_rows([])[2] == ("five layers less four", 0.1, None)


def test_measured_steps_become_hours() -> None:
    times = {
        "ensembles": [
            {"model": "mlp4x40", "training": "grid of rho", "members": 11, "seconds": 0.18},
            {"model": "1 x 2", "training": "cell of Figure 3", "members": 2, "seconds": 0.01},
            {"model": "4 x 2", "training": "cell of Figure 3", "members": 2, "seconds": 0.03},
        ]
    }
    assert _beside.step_rows(times) == [
        ("mlp4x40", "grid of rho", 11, 180.0, 5.0),
        ("grid of Figure 3", "2 cells", 4, 40.0, 1.1),
    ]
    measured = {(row[0], row[1]) for row in _beside.step_rows(_cost.step_times())}
    assert {(model, "grid of rho") for model in ("mlp4x40", "mlp_pyramid4", "mlp3x200")} <= measured


def test_one_command_prints_both_tables_of_size(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    counts = rows({"claim": "x"}, parameters_4_layers=[12.399718])
    sizes = {"parameters": 12_399_718, "memory": 4.19, "memory_to_vae": 1.85}
    memory = rows({"training": "HVAE", "depth": 4, "blocks": 6}, **{name: [value] for name, value in sizes.items()})
    monkeypatch.setattr(command, "counted", lambda module: counts if module is command.parameters else memory)
    monkeypatch.setenv("COLUMNS", "200")
    command.main()
    printed = capsys.readouterr().out
    assert [cell.strip() for cell in printed.split("Hermite VAE, 4 layers")[1].split("\u2502")[1:3]] == [
        "12.4",
        "12.40",
    ]
    assert [cell.strip() for cell in printed.split("HVAE")[-1].split("\u2502")[4:6]] == ["3.74", "4.19"]


@pytest.mark.parametrize("module", [phase_transition, collapse])
def test_laptop_units_have_every_arm_that_a_claim_asks_for(module: Any) -> None:
    units = module.units("laptop", None, DataInfo())
    arms = [
        {
            "dataset": unit.config["dataset"].split("/")[0],
            "K": unit.config["K"],
            "rho": rho,
            "width": unit.config["model"]["latents"][0],
            "depth": len(unit.config["model"]["latents"]),
        }
        for unit in units
        for rho in unit.config["rho"]
    ]
    asked = 0
    for claim in load_paper("hvae").claims:
        if claim.reproduction != module.REPRODUCTION.id:
            continue
        for test in claim.tests or ():
            for name in ("where", "greater", "less", "numerator", "denominator", "first", "second"):
                if selector := getattr(test, name, None):
                    asked += 1
                    assert sum(matches(selector, arm) for arm in arms) >= 5, (claim.id, selector)
    assert asked > 5


def test_the_night_scale_adds_to_the_laptop_scale_and_changes_nothing() -> None:
    small, large = (phase_transition.units(scale, None, DataInfo()) for scale in ("laptop", "night"))
    assert [unit for unit in small if unit not in large] == []
    assert {unit.config["K"] for unit in large if unit not in small} == {2}

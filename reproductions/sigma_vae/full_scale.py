"""Tables 3 and 4 and Figures 5 to 9 at the paper's own size: the configurations of the claims that nobody has run here.

`RUNS` names each of them, a claim of tier paper-scale says which it needs, and `reproductions.sigma_vae._cost` what
they take. A unit is one run of the small network and seed. `vaes.image_data` knows neither SVHN nor CelebA: Frey Face
and CIFAR-10 have units here, where the data directory holds them. The hierarchical and the video runs are
configurations that build; their training is that of sigma-vae/hierarchical and sigma-vae/video. At the smoke scale one
small run takes a few steps on digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproductions.harness import Context, DataInfo, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.sigma_vae import _configurations, _runs

IMAGES = {"frey": "frey28", "cifar": "cifar28-full"}
"""Name in `vaes.image_data` of the paper's data sets that it knows."""


def _runs_by_name() -> dict[str, dict[str, Any]]:
    named = {
        f"small/{dataset}/{decoder}": _configurations.small(dataset, decoder)
        for dataset in _configurations.SMALL_DATA
        for decoder in _configurations.DECODERS
    }
    named |= {f"table-4/{row}": _configurations.table_4(row) for row in _configurations.TABLE_4}
    named |= {
        f"hvae15/{dataset}/{decoder}": _configurations.hierarchical(dataset, decoder)
        for dataset in _configurations.HIERARCHICAL_DATA
        for decoder in _configurations.GAUSSIANS
    }
    return named | {f"svglp/bair/{decoder}": _configurations.video(decoder) for decoder in _configurations.VIDEO}


RUNS = _runs_by_name()
SMOKE = "small/frey/optimal"


def named(*names: str) -> dict[str, dict[str, Any]]:
    """Return the runs of these names; a name such as ``small/svhn`` stands for all below it.

    Raises
    ------
    ValueError
        If there is no such run.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        own = {key: run for key, run in RUNS.items() if key == name or key.startswith(f"{name}/")}
        if not own:
            raise ValueError(f"name must be a run of sigma-vae/full_scale or a beginning of some, got {name!r}")
        found |= own
    return found


def build(run: Mapping[str, Any]) -> Any:
    """Build the model of a run on the meta device."""
    from vaes.models import hierarchical_vae, sigma_vae, svg_lp

    preset = run["model"]["preset"]
    if preset == "small_conv_vae":
        channels = run["model"]["channels"]
        return sigma_vae.sigma_vae(preset, device="meta", channels=channels, decoder=run["decoder"])
    if preset == "svg_lp":
        return svg_lp.SVGLP(svg_lp.preset(preset, decoder=run["decoder"]), device="meta")
    return hierarchical_vae.HierarchicalVAE(hierarchical_vae.preset(preset, decoder=run["decoder"]), device="meta")


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per run of the small network and seed, of the runs whose data are at hand."""
    if scale == "smoke":
        arm = {"decoder": RUNS[SMOKE]["decoder"], "steps": 4}
        return [Unit(_runs.configuration(scale, "digits16", {SMOKE: arm}), seed) for seed in reported_seeds(1)]
    if scale != "paper":
        return []
    return [
        Unit(configuration(name), seed)
        for name, run in RUNS.items()
        if name.startswith("small/") and run["dataset"] in IMAGES and data.has(_runs.DATASETS[IMAGES[run["dataset"]]])
        for seed in reported_seeds(seeds or run["seeds"])
    ]


def configuration(name: str) -> dict[str, Any]:
    """Return the plain configuration of one unit: one arm, the paper's width, batch and number of steps."""
    run = RUNS[name]
    arm = {"decoder": run["decoder"], "steps": run["recipe"]["steps"]}
    return _runs.configuration("paper", IMAGES[run["dataset"]], {name: arm})


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train and measure one model."""
    job = _runs.prepare(config, seed, context)
    rows, _ = _runs.run_arms(job, config["arms"])
    return rows


REPRODUCTION = Reproduction(
    id="sigma-vae/full_scale",
    title="The paper's own runs, tables 3 and 4, figures 5 to 9",
    tier="paper-scale",
    units=units,
    run=run,
    metrics=_runs.METRICS | _runs.REAL_METRICS,
    sources=(*_runs.SOURCES, "reproductions/sigma_vae/_configurations.py"),
)

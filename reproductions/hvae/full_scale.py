"""Tables 1 to 6 and Figure 2 at the paper's own size: the configurations of the claims that nobody has run here.

`RUNS` names each of them, a claim of tier paper-scale says which it needs, and `reproductions.hvae._cost` what they
take. A unit is one run and seed. They need the whole MNIST, OMNIGLOT and CIFAR-10 in their usual splits, which
``evidence data --fetch NAME`` downloads: where the files of a run's data are not at hand it has no units. At the smoke
scale one run of each kind of model takes two steps on digits.

What the paper does not state is assumed, as in the specification: OMNIGLOT binarised anew at every presentation,
23,000 images for training and 1,345 for validation; K = 5, Adam from 1e-3 to 1e-4 by a cosine, batches of 100; for
residual models from 2e-3, batches of 64, as many steps as the perceptrons, rho = 0.9.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row
from reproductions.hvae import _arms, _sweep

STEP_TIMES = Path(__file__).with_name("step_times.json")
"""CPU seconds and multiply-adds of a training step, from ``python -m benchmarks.step_time``."""

SAMPLES = 5
MILLION = 1_000_000
RECIPE: dict[str, Any] = {"batch": 100, "learning_rate": 1e-3, "schedule": "cosine", "samples": SAMPLES}
RESIDUAL_RECIPE = RECIPE | {"batch": 64, "learning_rate": 2e-3}
TWO_LAYERS: dict[str, Any] = {"latents": (100, 50), "hidden": (200, 100)}
"""Of the paper that Table 1 quotes for a VAE and an IWAE of two layers."""
CHECKPOINT_EVERY = 10_000
IMAGE_SETS = {"mnist": 10_000, "omniglot": 8070, "cifar10": 10_000}
"""Full data sets by name, and the number of their test images."""


@dataclass(frozen=True)
class Run:
    """One training run of the paper.

    Parameters
    ----------
    model : str
        Preset of `vaes.models.hvae` or `vaes.models.hvae_conv`, or "mlp2" for `TWO_LAYERS`.
    dataset : str
        Id of the data set.
    steps : int
    rho, free_bits, warmup :
        Fields of `vaes.training.Member`.
    importance : int
        Importance samples of the objective.
    bound_samples : int
        Importance samples of the bound that is reported; 0 where only the memory of training is.
    images : str
        "test" or "validation".
    """

    model: str
    dataset: str
    steps: int = MILLION
    rho: float = 1.0
    free_bits: float | None = None
    warmup: bool = False
    importance: int = 1
    bound_samples: int = 100
    images: str = "validation"

    @property
    def convolutional(self) -> bool:
        """Whether it is a residual convolutional model."""
        return self.model.startswith(("cifar10", "grey", "tiny-residual"))

    @property
    def training(self) -> str:
        """VAE, IWAE or HVAE, which is what the cost of a step depends on."""
        return "IWAE" if self.importance > 1 else "HVAE" if self.rho < 1 else "VAE"


def _runs() -> Iterator[tuple[str, Run]]:
    """Names and runs, table by table."""
    iwae: dict[str, Any] = {"importance": SAMPLES}
    test: dict[str, Any] = {"bound_samples": 5000, "images": "test"}
    free_bits = {f"free-bits-{value:g}": {"free_bits": value} for value in (0.5, 1.0, 2.0, 3.0)}
    yield "table-1/hvae", Run("mlp4x40", "mnist/static", rho=0.95, warmup=True, **test)
    yield "table-1/vae-2-layers", Run("mlp2", "mnist/static", **test)
    yield "table-1/iwae-2-layers", Run("mlp2", "mnist/static", **iwae, **test)
    yield "table-2/4-layers", Run("mlp_pyramid4", "mnist/dynamic", rho=0.95, **test)
    yield "table-2/5-layers", Run("mlp_pyramid5", "mnist/dynamic", rho=0.95, **test)
    baselines: dict[str, dict[str, Any]] = {"iwae": iwae, "annealing": {"warmup": True}, **free_bits}
    for shape, model in (("pyramid", "mlp_pyramid4"), ("flat", "mlp4x40")):
        hermite = {f"hermite-{rho:g}": {"rho": rho} for rho in ((0.95, 0.9) if shape == "pyramid" else (0.95,))}
        for name, arm in (baselines | hermite).items():
            yield f"table-3/{shape}/{name}", Run(model, "mnist/dynamic", **arm)
    arms = {"vae": {}, **baselines, "hermite-0.85": {"rho": 0.85}, "hermite-0.9": {"rho": 0.9}}
    for name, arm in (arms | {"hermite-0.95-annealing": {"rho": 0.95, "warmup": True}}).items():
        yield f"table-4/{name}", Run("mlp4x40", "mnist/static", **arm)
    for rho in (1.0, 0.9, 0.8):
        yield f"figure-2/rho-{rho:g}", Run("mlp4x40", "mnist/static", 2 * MILLION, rho=rho)
    colour: dict[str, Any] = {"rho": 0.9, "images": "test"}
    for name in ("cifar10-l3", "cifar10-l4", "cifar10-l6", "cifar10-l3-skips"):
        yield f"table-5/{name}", Run(name, "cifar10/raw", **colour)
    yield "section-5-1/annealing", Run("cifar10-l3", "cifar10/raw", warmup=True, **colour)
    yield "section-5-2-1/omniglot", Run("grey-14x14", "omniglot/dynamic", rho=0.9)
    for depth in (4, 6):
        trainings: dict[str, dict[str, Any]] = {"vae": {}, "iwae": iwae, "hvae": {"rho": 0.9}}
        for name, arm in trainings.items():
            yield (
                f"table-6/{depth}-layers/{name}",
                Run(f"cifar10-l{depth}", "cifar10/raw", 10, **arm, bound_samples=0),
            )


RUNS: dict[str, Run] = dict(_runs())
SMOKE: dict[str, Run] = {
    "smoke/perceptron": Run("tiny", "digits/static", 2, rho=0.9, warmup=True, bound_samples=2, images="test"),
    "smoke/residual": Run("tiny-residual", "digits/static", 2, rho=0.9, bound_samples=2, images="test"),
}

_BITS = "-bound of the mean test image in bits per value"
METRICS = {
    **{name: metric for name, metric in _arms.METRICS.items() if not name.startswith("iw_bound")},
    **{
        f"iw_bound_k{k}": Metric("nats", "mean over images, unsmoothed model", "bound", k)
        for k in sorted({run.bound_samples for run in (*RUNS.values(), *SMOKE.values())} - {0})
    },
    **{
        f"{name}_l{layer}": Metric("units", f"{_arms.METRICS[f'{name}_top'].reduction}, one layer")
        for name in ("active_units", "active_units_one_sample")
        for layer in range(1, 7)
    },
    "bits_per_dim": Metric("bits/dim", f"{_BITS}, L_1", "bound"),
    "bits_per_dim_iw": Metric("bits/dim", f"{_BITS}, L_k", "bound", 100),
    "peak_memory": Metric("GiB", "largest memory of the allocator in training, on a GPU", "exact"),
}


def named(*names: str) -> dict[str, Run]:
    """Return the runs of these names; the name of a table stands for all of its runs.

    Raises
    ------
    ValueError
        If there is no such run.
    """
    found: dict[str, Run] = {}
    for name in names:
        own = {key: run for key, run in RUNS.items() if key == name or key.startswith(f"{name}/")}
        if not own:
            raise ValueError(f"name must be a run or a table of hvae/full_scale, got {name!r}")
        found |= own
    return found


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per run and seed, of the runs whose data are at hand."""
    if scale == "smoke":
        return [Unit(configuration(name, run), seed) for name, run in SMOKE.items() for seed in reported_seeds(1)]
    if scale != "paper":
        return []
    return [
        Unit(configuration(name, run), seed)
        for name, run in RUNS.items()
        if _at_hand(run.dataset, data)
        for seed in reported_seeds(seeds or 1)
    ]


def _at_hand(dataset: str, data: DataInfo) -> bool:
    """Say whether the files of a data set are there; static images may have files of their own."""
    return data.has(dataset if dataset in data.datasets else dataset.split("/")[0])


def configuration(name: str, run: Run) -> dict[str, Any]:
    """Return the plain configuration of one unit; every number that a run depends on stands in it."""
    return {"run": name, **asdict(run), "recipe": recipe_fields(run)}


def recipe_fields(run: Run) -> dict[str, Any]:
    """Return the fields of `vaes.training.Recipe`; the warm-up is the paper's as shares of the run."""
    fields = RESIDUAL_RECIPE if run.convolutional else RECIPE
    warmup = {"warmup_start": run.steps / 100, "warmup_length": run.steps / 2} if run.warmup else {}
    return fields | warmup | {"steps": run.steps, "importance": run.importance}


def build(run: Run, device: str | None = None) -> Any:
    """Build the model of a run; parameters are uninitialised."""
    from vaes.models.hvae import HVAE
    from vaes.models.hvae_conv import hvae_conv

    if run.convolutional:
        return hvae_conv(run.model.removesuffix("-residual"), device=device)
    return HVAE(perceptron(run.model), device=device)


def perceptron(model: str) -> Any:
    """Return the configuration of a perceptron model by its name in `Run`."""
    from vaes.models.hvae import HVAEConfig, preset

    # Plain models of 28x28 images get stuck near a blank image without these two.
    stable: dict[str, Any] = {"centre_input": True, "mean_image_bias": True}
    return HVAEConfig(**TWO_LAYERS, **stable) if model == "mlp2" else preset(model, **stable)


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train one model, with checkpoints, and evaluate it; return its row."""
    import torch

    from vaes.data import load

    torch.set_num_threads(context.threads)
    own = Run(**{name: value for name, value in config.items() if name not in ("run", "recipe")})
    dataset = load(own.dataset, context.data_dir)
    trainer = _train(own, config["recipe"], dataset, seed, context)
    on_gpu = trainer.device.type == "cuda"
    metrics = {"peak_memory": torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None}
    if own.bound_samples:
        metrics |= _evaluate(own, trainer.model, getattr(dataset, own.images).to(context.device), seed)
    return [{"arm": {"run": config["run"]}, "metrics": metrics}]


def _evaluate(own: Run, model: Any, images: Any, seed: int) -> dict[str, float | None]:
    """Metrics of the unsmoothed model; bits per dimension for residual models."""
    import torch

    from vaes.evaluation import Protocol, evaluate
    from vaes.ops.bounds import bits_per_dim

    (values,) = evaluate(model, images, seed=seed, protocol=Protocol(samples=own.bound_samples))
    metrics = _arms.metrics_of(values, model.config.latents)
    metrics |= {name: value for name, value in values.items() if name in METRICS}
    for name, bound in (("bits_per_dim", "elbo"), ("bits_per_dim_iw", f"iw_bound_k{own.bound_samples}")):
        bits = bits_per_dim(torch.tensor(values[bound]), model.config.data) if own.convolutional else None
        metrics[name] = None if bits is None else float(bits)
    return metrics


def _train(own: Run, recipe: Mapping[str, Any], dataset: Any, seed: int, context: Context) -> Any:
    """Train from scratch or from the last checkpoint, and return the trainer."""
    from vaes.seeding import stream
    from vaes.training import Member, Recipe, Trainer

    model = build(own).initialise(stream(seed, "init"), dataset.mean_image)
    member = Member(rho=own.rho, seed=seed, free_bits=own.free_bits, warmup=own.warmup)
    trainer = Trainer(model.to(context.device), [member], dataset, Recipe(**recipe))
    path = None if context.checkpoint_dir is None else context.checkpoint_dir / "trainer.safetensors"
    if path is not None and path.exists():
        trainer.load(path)

    def progress(current: Any, terms: Any) -> None:
        context.progress(current.step, own.steps, top_kl=terms.top_kl.mean().item())

    def save(current: Any, _: Any) -> None:
        if path is not None:
            current.save(path)

    trainer.run(hooks=[(_sweep.TRACE_EVERY, progress), (CHECKPOINT_EVERY, save)])
    return trainer


REPRODUCTION = Reproduction(
    id="hvae/full_scale",
    title="The paper's own runs, tables 1 to 6",
    tier="paper-scale",
    units=units,
    run=run,
    metrics=METRICS,
    sources=(
        *_sweep.SOURCES,
        "reproductions/hvae/_arms.py",
        "vaes/data_files.py",
        "vaes/layers/residual_network.py",
        "vaes/models/configuration.py",
        "vaes/models/hvae_conv.py",
        "vaes/ops/likelihoods.py",
    ),
)

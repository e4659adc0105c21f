"""Train small VAEs that differ in their decoder alone, and measure them on held-out images and on samples.

The arms of one seed share the start of their common weights' stream, data order and posterior noise, so that they are
paired. An arm may be measured several times along its run. Everything is measured with frozen scales: closed-form ones
are fitted to all training images, never to what is scored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reproductions.harness import Context, Metric
from reproductions.harness.scales import FIRST_REPORTED_SEED
from reproductions.harness.units import Row

if TYPE_CHECKING:
    from torch import Tensor

    from vaes.features import Extractor
    from vaes.image_data import ImageDataset

SOURCES = (
    "reproductions/sigma_vae/_many_samples.py",
    "reproductions/sigma_vae/_runs.py",
    "vaes/checkpoints.py",
    "vaes/data.py",
    "vaes/data_files.py",
    "vaes/features.py",
    "vaes/image_data.py",
    "vaes/image_training.py",
    "vaes/layers/initialisation.py",
    "vaes/models/configuration.py",
    "vaes/models/decoders.py",
    "vaes/models/sigma_vae.py",
    "vaes/ops/bernoulli.py",
    "vaes/ops/calibration.py",
    "vaes/ops/gaussian.py",
    "vaes/ops/image_metrics.py",
    "vaes/ops/likelihoods.py",
    "vaes/ops/optimisers.py",
    "vaes/ops/quantisation.py",
    "vaes/ops/schedules.py",
    "vaes/seeding.py",
    "vaes/training_loop.py",
)
DATASETS = {
    "digits16": "digits",
    "huedigits": "digits",
    "photo8": "patches",
    "mnist28": "mnist10k",
    "frey28": "frey-face",
    "cifar28-full": "cifar10",
}
"""Name in `vaes.data` of what each data set is made from."""
SAMPLES, POSTERIOR_SAMPLES = 2000, 8
EFFORT = {"samples": SAMPLES, "posterior_samples": POSTERIOR_SAMPLES, "encodings": 60, "resampled": 200_000}
LITTLE_EFFORT = {"samples": 100, "posterior_samples": 1, "encodings": 3, "resampled": 4000}
"""Of the smoke scale, whose samples are also compared by random features: a classifier takes seconds to train."""
FEATURES = {"smoke": 4, "gpu": 32, "paper": 32}
"""Feature maps of the first convolution: the paper has 32, a CPU 16."""
TRACE_EVERY = 10
SHOWN = 10
"""Samples and reconstructions that are kept for the figures, of the first seed only."""

_TEST = "mean over test images, 8 posterior samples each"
_PRIOR = f"{SAMPLES} decoder means of prior samples against the training images"
METRICS = {
    "nelbo": Metric("nats", f"sum over values, {_TEST}; of the decoder's own density or mass", "bound"),
    "mass_nelbo": Metric("nats", f"sum over values, {_TEST}; of the mass of the levels", "bound"),
    "nll": Metric("nats", f"reconstruction term, {_TEST}"),
    "rate": Metric("nats", "KL of the posterior from the prior, mean over test images"),
    "log_sigma": Metric("1", "log standard deviation (logistic: log scale) of the decoder, frozen"),
    "error": Metric("1", f"mean squared error per value, {_TEST}"),
    "active_units": Metric("units", "variance of the posterior mean over test images > 0.01"),
    "fd_mean": Metric("1", f"Frechet distance of features, {_PRIOR}"),
    "fd_draw": Metric("1", f"Frechet distance of features, {_PRIOR.replace('means', 'draws')}"),
    "sharpness_ratio": Metric("1", f"neighbour differences, {_PRIOR}"),
    "variance_ratio": Metric("1", f"total variance, {_PRIOR}"),
    "diversity_ratio": Metric("1", f"mean squared distance of pairs, {_PRIOR}"),
    "saturation_ratio": Metric("1", f"range over channels, {_PRIOR}"),
}
REAL_METRICS = {
    "real_distance": Metric("1", "Frechet distance of features, test against training images"),
    "classifier_accuracy": Metric("1", "share of the test images that the feature extractor's classifier knows"),
    "extractor_weights": Metric("1", "first 48 bits of the SHA-256 of the feature extractor's weights", "exact"),
}


@dataclass(frozen=True)
class Job:
    """What all arms of a unit share.

    Parameters
    ----------
    dataset : ImageDataset
    extractor : Extractor
    seed : int
    context : Context
    model : mapping
        Fields of `vaes.models.sigma_vae.SigmaVAEConfig` beyond shape, levels and decoder.
    batch : int
        Batch size.
    effort : mapping
        Numbers of prior samples, posterior samples, encodings and resampled batches; see `EFFORT`.
    """

    dataset: ImageDataset
    extractor: Extractor
    seed: int
    context: Context
    model: Mapping[str, Any]
    batch: int
    effort: Mapping[str, int]

    @property
    def shown(self) -> bool:
        """Whether this unit keeps images for the figures."""
        return self.seed == FIRST_REPORTED_SEED


def configuration(scale: str, images: str, arms: Mapping[str, Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Return the plain configuration of one unit.

    Parameters
    ----------
    scale : str
        One of the scales; it says the width of the network and the effort of the measurements.
    images : str
        Name of the data set, see `vaes.image_data`.
    arms : mapping
        Name of each arm to ``decoder`` (fields of `DecoderConfig`), ``steps`` and optionally ``measure`` (steps after
        which it is measured, besides the last), ``recipe`` (fields of `ImageRecipe`), ``log_scale`` (where a learned
        log scale starts) and ``posterior_samples`` (per image in training).
    **more
        Further plain fields.
    """
    smoke = scale == "smoke"
    return {
        "images": images,
        "datasets": [DATASETS[images]],
        "model": {"features": FEATURES.get(scale, 16)},
        "batch": 128,
        "extractor": "random" if smoke else "own",
        "effort": LITTLE_EFFORT if smoke else EFFORT,
        "arms": {name: dict(arm) for name, arm in arms.items()},
        **more,
    }


def prepare(config: Mapping[str, Any], seed: int, context: Context) -> Job:
    """Load data and extractor of a unit."""
    import torch

    from vaes.features import extractor_for, random_features
    from vaes.image_data import load_images

    torch.set_num_threads(context.threads)
    dataset = load_images(config["images"], context.data_dir)
    extractor = random_features(dataset.shape[0]) if config["extractor"] == "random" else extractor_for(dataset)
    return Job(dataset, extractor, seed, context, config["model"], config["batch"], config["effort"])


def run_arms(job: Job, arms: Mapping[str, Mapping[str, Any]]) -> tuple[list[Row], dict[str, Any]]:
    """Train and measure all arms; return their rows and the final models, calibrated."""
    total, done = sum(arm["steps"] for arm in arms.values()), 0
    rows: list[Row] = []
    models: dict[str, Any] = {}
    for name, arm in arms.items():
        found, models[name] = run_arm(job, name, arm, (done, total))
        rows += found
        done += arm["steps"]
    return [*rows, real_row(job)], models


def run_arm(job: Job, name: str, arm: Mapping[str, Any], part: tuple[int, int]) -> tuple[list[Row], Any]:
    """Train one arm; return a row for each time that it is measured, and its final model, calibrated.

    ``part`` is how many steps of how many the unit has behind it, for the progress bar.
    """
    from vaes.image_training import Trajectory

    trainer, trace = trainer_of(job, arm), Trajectory()
    done, total = part
    hooks = [(TRACE_EVERY, trace), (TRACE_EVERY, lambda current, _: job.context.progress(done + current.step, total))]
    rows = []
    for until in sorted({*arm.get("measure", ()), arm["steps"]}):
        trainer.run(until=until, hooks=hooks)
        model = trainer.evaluation_model()
        row: Row = {"arm": identity(job, name, arm, until), "metrics": measure(job, model)}
        if until == arm["steps"]:
            row["series"] = trajectory_series(trace) | (images_to_show(job, model) if job.shown else {})
        rows.append(row)
    return rows, model


def identity(job: Job, name: str, arm: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Arm fields of a measurement."""
    fields = {"dataset": job.dataset.id, "arm": name, "steps": steps}
    return fields | ({"beta": arm["decoder"]["beta"]} if "beta" in arm["decoder"] else {})


def trainer_of(job: Job, arm: Mapping[str, Any]) -> Any:
    """Trainer of an arm at step 0."""
    import torch

    from reproductions.sigma_vae._many_samples import ManySamplesTrainer
    from vaes.image_training import ImageRecipe, ImageTrainer, initial_model
    from vaes.models.sigma_vae import SigmaVAEConfig

    channels, height, width = job.dataset.shape
    config = SigmaVAEConfig.from_dict(
        {
            "channels": channels,
            "height": height,
            "width": width,
            **job.model,
            "decoder": {"levels": job.dataset.levels, **arm["decoder"]},
        }
    )
    recipe = ImageRecipe(steps=arm["steps"], batch=job.batch, **arm.get("recipe", {}))
    model = initial_model(config, recipe, job.seed, job.dataset, job.context.device)
    if "log_scale" in arm:
        with torch.no_grad():
            next(p for p in model.decoder.parameters() if p.ndim == 0).fill_(arm["log_scale"])
    if "posterior_samples" in arm:
        return ManySamplesTrainer(model, job.dataset, recipe, job.seed, arm["posterior_samples"])
    return ImageTrainer(model, job.dataset, recipe, job.seed)


def measure(job: Job, model: Any) -> dict[str, float]:
    """All metrics of a calibrated model that it has."""
    import torch

    from vaes.ops import image_metrics
    from vaes.seeding import stream

    found = bound(job, model, job.effort["posterior_samples"])
    device = job.context.device
    samples = {
        draw: model.generate(job.effort["samples"], stream(job.seed, "prior", device=device), draw=draw).cpu()
        for draw in (False, True)
    }
    train = job.dataset.images("train")
    reference = reference_features(job)
    for draw, name in ((False, "fd_mean"), (True, "fd_draw")):
        features = job.extractor(samples[draw]).double()
        found[name] = image_metrics.frechet_distance(features, reference).item()
    ratios = ["sharpness_ratio", "variance_ratio", "diversity_ratio"]
    for name in ratios + (["saturation_ratio"] if train.shape[1] == 3 else []):
        found[name] = getattr(image_metrics, name)(samples[False].double(), train.double()).item()
    scale = model.decoder.log_scale
    if scale is not None and torch.isfinite(scale):
        found["log_sigma"] = scale.item()
    return found


def reference_features(job: Job) -> Tensor:
    """Features of all training images, float64."""
    key = (job.dataset.checksum, job.extractor.checksum)
    if key not in _REFERENCES:
        _REFERENCES[key] = job.extractor(job.dataset.images("train")).double()
    return _REFERENCES[key]


_REFERENCES: dict[tuple[str, str], Any] = {}


def bound(job: Job, model: Any, samples: int) -> dict[str, float]:
    """Bound, its two parts, error and active units of a calibrated model on the test images."""
    import torch

    from vaes.ops import gaussian
    from vaes.seeding import stream

    decoder, dims = model.decoder, job.dataset.dims
    generator = stream(job.seed, "evaluation", device=job.context.device)
    sums: dict[str, float] = dict.fromkeys(("nll", "rate", "error", "mass"), 0.0)
    means, images = [], job.dataset.images("test").to(job.context.device)
    with torch.no_grad():
        for x in images.split(500):
            posterior = model.encode(x)
            means.append(posterior.mean)
            sums["rate"] += gaussian.kl_standard(*posterior).double().sum().item()
            for _ in range(samples):
                output = model.decode(
                    gaussian.reparameterise(posterior.mean, posterior.scale, model.draw_noise(len(x), generator))
                )
                sums["nll"] += decoder.evaluation_nll(output, x).double().sum().item() / samples
                sums["error"] += decoder.squared_error(output, x).double().sum().item() / (samples * dims)
                if has_mass(decoder):
                    sums["mass"] += decoder.mass_nll(output, x).double().sum().item() / samples
    mean = {name: value / len(images) for name, value in sums.items()}
    found = {"rate": mean["rate"], "error": mean["error"]}
    found["active_units"] = int((torch.cat(means).var(0, correction=0) > 0.01).sum())
    if decoder.kind != "cross_entropy":
        found |= {"nll": mean["nll"], "nelbo": mean["nll"] + mean["rate"]}
    if has_mass(decoder):
        found["mass_nelbo"] = mean["mass"] + mean["rate"]
    return found


def has_mass(decoder: Any) -> bool:
    """Whether a decoder gives the levels a mass."""
    return decoder.kind != "cross_entropy" and decoder.config.name != "per_image"


def errors(job: Job, model: Any, split: str, encodings: int, stream_name: str = "encodings") -> Tensor:
    """Mean squared errors per value (encodings, N) of a split, each encoding with fresh posterior noise, float64."""
    import torch

    from vaes.ops import gaussian
    from vaes.seeding import stream

    generator = stream(job.seed, stream_name, device=job.context.device)
    parts = []
    with torch.no_grad():
        for x in job.dataset.images(split).to(job.context.device).split(500):
            posterior = model.encode(x)
            parts.append(
                torch.stack(
                    [
                        model.decoder.squared_error(
                            model.decode(
                                gaussian.reparameterise(
                                    posterior.mean, posterior.scale, model.draw_noise(len(x), generator)
                                )
                            ),
                            x,
                        )
                        for _ in range(encodings)
                    ]
                )
            )
    return torch.cat(parts, 1).double().cpu() / job.dataset.dims


def real_row(job: Job) -> Row:
    """What real images get, and which extractor said so."""
    from vaes.features import real_distance

    metrics = {
        "real_distance": real_distance(job.extractor, job.dataset),
        "extractor_weights": int(job.extractor.checksum[:12], 16),
    }
    if job.extractor.accuracy is not None:
        metrics["classifier_accuracy"] = job.extractor.accuracy
    return {"arm": {"dataset": job.dataset.id, "arm": "real"}, "metrics": metrics}


def trajectory_series(trace: Any) -> dict[str, list[float | None]]:
    """Series of a training run, every `TRACE_EVERY` steps: log scale, bound and error of the training batches."""
    scales = [None if math.isnan(value) else round(value, 5) for value in trace.log_scale]
    bounds = [round(a + b, 3) for a, b in zip(trace.nll, trace.kl, strict=True)]
    return {"log_sigma": scales, "nelbo": bounds, "squared_error": [round(value, 4) for value in trace.squared_error]}


def images_to_show(job: Job, model: Any) -> dict[str, list[int]]:
    """Bytes of a few prior samples (means), and of test images and their reconstructions, flat."""
    from vaes.seeding import stream

    samples = model.generate(SHOWN, stream(job.seed, "shown", device=job.context.device))
    x = job.dataset.images("test")[:SHOWN].to(job.context.device)
    sets = {"samples": samples, "originals": x, "reconstructions": model.reconstruct(x)}
    return {name: (255 * images).round().int().flatten().tolist() for name, images in sets.items()}


def row_of(rows: Sequence[Row], **fields: Any) -> Row:
    """The one row whose arm has the given fields."""
    found = [row for row in rows if all(row["arm"].get(key) == value for key, value in fields.items())]
    if len(found) != 1:
        raise ValueError(f"fields must name one row, {fields} name {len(found)}")
    return found[0]

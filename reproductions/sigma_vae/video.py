"""Conditional video with and without a fitted sigma (Figure 7): blur, vanishing objects, use of the latent.

Plan S18 of the specification: a digit that moves through 16x16 frames and bounces at random, two given frames and six
predicted ones, a small stochastic video model (SVG-LP) with a learned prior, batch 32, Adam at 2e-3. Decoders: unit
variance; the constant variance 0.0128 that the public script's default loss stands for; optimal sigma, one for all
frames of a batch. A unit is one decoder, one source of the skips and one seed; decoders of one seed share parameters at
the start, sequences and noise. By the public script's rule the skips come from the first frame; with them from the last
frame two seeds are shown and decide nothing, as are three seeds of the constant variance.

What is measured: predictions for 256 test sequences of digits that were not trained on, 8 rollouts each with latents
from the prior, decoder means. Sharpness, presence and squared error belong to the last predicted frame. Presence asks
for a normalised correlation above 0.5 with the sequence's own digit at the best place: it sees shape, not brightness,
and a blurred digit often passes.

The specification asks for 2000 steps; the night scale has 1000 of the 17 runs, about twenty minutes of one core.

At the gpu scale: two MNIST digits in 64x64 frames, ten predicted frames, the public script's network for them, 5000
steps; its cost has not been measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.harness.scales import reported_seeds
from reproductions.harness.units import Row

if TYPE_CHECKING:
    from vaes.moving_digits import MovingDigits

FIRST, LAST = "first", "last"
ARMS = {
    ("gaussian", FIRST): 5,
    ("optimal", FIRST): 5,
    ("svg_default", FIRST): 3,
    ("gaussian", LAST): 2,
    ("optimal", LAST): 2,
}
"""Decoder and source of the skips, with the number of seeds."""
SCALES: dict[str, dict[str, Any]] = {
    "smoke": {"dataset": "movdig16", "model": {"preset": "svg-s"}, "steps": 2, "batch": 4, "sequences": 6},
    "night": {"dataset": "movdig16", "model": {"preset": "svg-s"}, "steps": 1000, "batch": 32, "sequences": 256},
    "gpu": {
        "dataset": "movdig64",
        "model": {"preset": "svg-dcgan", "past": 2, "future": 10},
        "steps": 5000,
        "batch": 64,
        "sequences": 256,
    },
}
ROLLOUTS, CALIBRATION = 8, 512
TRACE_EVERY = 25
_ROLLOUTS = f"mean over test sequences and {ROLLOUTS} prior rollouts"
_LAST = f"last predicted frame, {_ROLLOUTS}"
METRICS = {
    "nelbo": Metric("nats", "per sequence, all frames but the first, mean over test sequences", "bound"),
    "rate_per_frame": Metric("nats", "KL at posterior samples, mean over predicted frames and test sequences"),
    "sigma": Metric("1", "standard deviation of the decoder, from training sequences where it is fitted"),
    "sharpness_ratio_last": Metric("1", f"neighbouring pixels, predicted over true, {_LAST}"),
    "presence_first": Metric(
        "1", f"share with a correlation above 0.5 with the digit, first predicted frame, {_ROLLOUTS}"
    ),
    "presence_last": Metric("1", f"share with a correlation above 0.5 with the digit, {_LAST}"),
    "presence_kept": Metric("1", "presence in the last predicted frame over that in the first; missing if that is 0"),
    "ink_ratio_last": Metric("1", f"total intensity, predicted over true, {_LAST}"),
    "peak_ratio_last": Metric("1", f"highest intensity, predicted over true, {_LAST}"),
    f"best_of_{ROLLOUTS}_sse_last": Metric(
        "1", f"least squared error of {ROLLOUTS} prior rollouts, last predicted frame, mean over test sequences"
    ),
    "rollout_diversity": Metric(
        "1",
        f"variance over {ROLLOUTS} prior rollouts summed over pixels, mean over predicted frames and test sequences",
    ),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """Return one unit per decoder, source of the skips and seed."""
    if scale not in SCALES or (scale == "gpu" and not data.has("mnist10k")):
        return []
    return [
        Unit(configuration(scale, decoder, skips), seed)
        for (decoder, skips), count in ARMS.items()
        for seed in reported_seeds(seeds or (1 if scale == "smoke" else count))
    ]


def configuration(scale: str, decoder: str, skips: str) -> dict[str, Any]:
    """Return the plain configuration of one unit."""
    settings = SCALES[scale]
    recipe = {"steps": settings["steps"], "batch": settings["batch"], "learning_rate": 2e-3}
    kept = {name: settings[name] for name in ("dataset", "model", "sequences")}
    return {**kept, "decoder": decoder, "skips": skips, "recipe": recipe}


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[Row]:
    """Train one model and measure its predictions; return its row."""
    import torch

    from vaes.moving_digits import load_moving_digits
    from vaes.seeding import stream
    from vaes.training_loop import LoopRecipe
    from vaes.video_training import calibrate, train_video_model

    torch.set_num_threads(context.threads)
    source, recipe = load_moving_digits(config["dataset"], context.data_dir), LoopRecipe(**config["recipe"])

    def progress(trainer: Any, terms: Any) -> None:
        context.progress(trainer.step, recipe.steps, rate=terms.frame_kl.mean().item())

    hooks = [(TRACE_EVERY, progress)]
    trainer = train_video_model(_model(config), recipe, seed, source, device=context.device, hooks=hooks)
    generator = stream(seed, "calibration")
    count = min(CALIBRATION, 2 * config["sequences"])
    frames = source.sequences("train", count, trainer.model.config.length, generator).frames
    calibrate(trainer.model, frames.to(context.device), generator)
    metrics, series = measure(trainer.model, source, seed, config["sequences"])
    arm = {name: config[name] for name in ("dataset", "decoder", "skips")}
    return [{"arm": arm, "metrics": metrics, "series": series}]


def _model(config: Mapping[str, Any]) -> Any:
    from vaes.models.decoders import DecoderConfig
    from vaes.models.svg_lp import preset, public_default

    overrides = {name: value for name, value in config["model"].items() if name != "preset"}
    plain = preset(config["model"]["preset"], last_frame_skip=config["skips"] == LAST, **overrides)
    name = config["decoder"]
    decoder = public_default(plain) if name == "svg_default" else DecoderConfig(name)
    return preset(config["model"]["preset"], last_frame_skip=plain.last_frame_skip, **overrides, decoder=decoder)


def measure(
    model: Any, source: MovingDigits, seed: int, count: int
) -> tuple[dict[str, float | None], dict[str, list[float]]]:
    """Metrics of a calibrated model on ``count`` test sequences, and the same by predicted frame with one example."""
    import torch

    from vaes.ops import image_metrics, video
    from vaes.seeding import stream
    from vaes.video_training import evaluation_nll

    past, device = model.config.past, next(model.parameters()).device
    generator = stream(seed, "evaluation", device=device)
    held_out = source.held_out(count, model.config.length)
    frames, digits = held_out.frames.to(device), held_out.digits.to(device)
    with torch.inference_mode():
        terms = model(frames, model.draw_noise(count, generator))
        nelbo = (evaluation_nll(model, terms) + terms.frame_kl).sum(1).mean()
        rolled = [model.rollout(frames, model.draw_noise(count, generator)) for _ in range(ROLLOUTS)]
        # Predicted frames alone, (rollouts, sequences, frames, S, S) and (sequences, frames, S, S).
        predicted, true = torch.stack(rolled)[:, :, past - 1 :, 0], frames[:, past:, 0]
        present = [video.presence(predicted[:, row], digit) for row, digit in enumerate(digits)]
        by_frame = {
            "rate": terms.frame_kl[:, past - 1 :].mean(0),
            "sharpness_ratio": _sharpness(predicted, true, image_metrics.sharpness_ratio),
            "presence": torch.stack(present).double().mean((0, 1)),
            "ink_ratio": video.ink_ratio(predicted, true).mean((0, 1)),
            "peak_ratio": video.peak_ratio(predicted, true).mean((0, 1)),
            "best_sse": video.best_of_n_sse(predicted, true).mean(0),
            "diversity": video.rollout_diversity(predicted).mean(0),
        }
    series = {name: values.double().tolist() for name, values in by_frame.items()}
    first = series["presence"][0]
    metrics: dict[str, float | None] = {
        "nelbo": nelbo.item(),
        "rate_per_frame": sum(series["rate"]) / len(series["rate"]),
        "sigma": model.decoder.log_scale.exp().item(),
        "sharpness_ratio_last": series["sharpness_ratio"][-1],
        "presence_first": first,
        "presence_last": series["presence"][-1],
        "presence_kept": series["presence"][-1] / first if first > 0 else None,
        "ink_ratio_last": series["ink_ratio"][-1],
        "peak_ratio_last": series["peak_ratio"][-1],
        f"best_of_{ROLLOUTS}_sse_last": series["best_sse"][-1],
        "rollout_diversity": sum(series["diversity"]) / len(series["diversity"]),
    }
    return metrics, series | {"true": _grey(frames[0]), "predicted": _grey(predicted[0, 0])}


def _sharpness(predicted: Any, true: Any, ratio: Any) -> Any:
    """Sharpness ratio (frames,) of all rollouts of all sequences."""
    import torch

    frames = range(true.shape[1])
    return torch.stack([ratio(predicted[:, :, t].flatten(0, 1)[:, None], true[:, t][:, None]) for t in frames])


def _grey(frames: Any) -> list[float]:
    """Pixels as whole numbers from 0 to 255, in one list."""
    return (255 * frames).round().flatten().tolist()


def figures(table: Sequence[Mapping[str, Any]], style: Any) -> dict[str, Any]:
    """Draw predicted frames beside the true ones, and every measure against the predicted frame."""
    from reproductions.sigma_vae import _calibration_figures

    return _calibration_figures.video_figures(table, style)


REPRODUCTION = Reproduction(
    id="sigma-vae/video",
    title="Conditional video with and without a fitted sigma",
    tier="scaled",
    units=units,
    run=run,
    metrics=METRICS,
    figures=figures,
    sources=(
        "vaes/data.py",
        "vaes/image_data.py",
        "vaes/models/configuration.py",
        "vaes/models/decoders.py",
        "vaes/models/svg_lp.py",
        "vaes/moving_digits.py",
        "vaes/ops/calibration.py",
        "vaes/ops/gaussian.py",
        "vaes/ops/image_metrics.py",
        "vaes/ops/video.py",
        "vaes/seeding.py",
        "vaes/training_loop.py",
        "vaes/video_training.py",
    ),
)

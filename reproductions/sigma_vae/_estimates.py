"""What a trained model says about estimates of its variance: standard errors, biases, and one variance per image.

Everything rests on the mean squared errors m of images under posterior samples; D is the number of values per image.
Plans S08, S09 and S11 of the specification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reproductions.harness import Metric
from reproductions.sigma_vae import _runs

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 128
BATCHES = 2000
CHUNK = 2000
DECAY = 0.99
LEAKED = 20
WARM_UP = 1000
"""Batches before the running average is used: more than ten times its memory."""

STANDARD_ERRORS = {
    "batch_error": Metric("%", f"relative standard error of sigma from {BATCH} images, over {BATCHES} random batches"),
    "one_sample_error": Metric(
        "%",
        f"relative standard error of sigma from one sample per training image, {_runs.EFFORT['encodings']} encodings",
    ),
    "fixed_batch_error": Metric("%", f"the same for one fixed batch of {BATCH} images that is encoded anew"),
    "error_ratio": Metric("1", "batch error over one-sample error"),
    "total_variation": Metric("1", "coefficient of variation of the errors of images"),
}
_RESAMPLED = f"{_runs.EFFORT['resampled']} batches"
BIASES = {
    "same_batch_bias": Metric("nats", f"error of the bound, sigma of the scored batch, {_RESAMPLED}"),
    "other_batch_bias": Metric("nats", f"error of the bound, sigma of another batch, {_RESAMPLED}"),
    "running_bias": Metric("nats", f"error of the bound, running average of earlier batches, decay {DECAY}"),
    "predicted_bias": Metric("nats", "-D SE^2 with the relative standard error of sigma from a batch"),
    "bias_ratio": Metric("1", "same-batch bias over the predicted one"),
    "running_share": Metric("1", "size of the running average's bias over the smaller one of single batches"),
}
PER_IMAGE = {
    "infinite_bounds": Metric("images", "test images whose bound is not finite", "exact"),
    "penalty": Metric("nats", "bound with one variance per image less the greedy value, mean over test images"),
    "leak": Metric("nats", "change of a test image's bound when it joins the fit of the prior, mean over the first 20"),
    "gap": Metric("nats", "D/2 (log of the mean error less mean of the log errors), test images"),
    "gap_over_prediction": Metric("1", "that gap over D/4 times the squared coefficient of variation"),
    "gap_over_penalty": Metric("1", "that gap over the penalty"),
    "gain": Metric("nats", "bound with one shared variance less the bound with one per image, same weights"),
}


def standard_errors(errors: Tensor, seed: int) -> dict[str, float]:
    """Relative standard errors of sigma, by the spread of estimates; ``errors`` (encodings, N) of training images."""
    import torch

    from vaes.seeding import stream

    generator = stream(seed, "resampling")
    rows = torch.rand(BATCHES, errors.shape[1], generator=generator).argsort(1)[:, :BATCH]
    batch = _relative_spread(errors[0][rows].mean(1))
    one_sample = _relative_spread(errors.mean(1))
    return {
        "batch_error": 100 * batch,
        "one_sample_error": 100 * one_sample,
        "fixed_batch_error": 100 * _relative_spread(errors[:, :BATCH].mean(1)),
        "error_ratio": batch / one_sample,
        "total_variation": float(errors.std() / errors.mean()),
    }


def _relative_spread(variances: Tensor) -> float:
    """Relative standard deviation of the square roots of estimated variances."""
    sigma = variances.sqrt()
    return float(sigma.std() / sigma.mean())


def biases(errors: Tensor, dims: int, seed: int, count: int) -> dict[str, float]:
    """Biases of the bound in nats per image from ``count`` batches drawn with replacement from errors (any shape)."""
    import torch

    from vaes.ops import optimisers
    from vaes.seeding import stream

    generator, pool = stream(seed, "biases"), errors.flatten()
    mean = pool.mean()
    batches = torch.cat(
        [
            pool[torch.randint(len(pool), (CHUNK, BATCH), generator=generator)].mean(1) / mean
            for _ in range(count // CHUNK)
        ]
    )
    average, running = torch.ones((), dtype=torch.float64), []
    for value in batches[: count // 4]:
        running.append(average)
        average = optimisers.ema(average, value, DECAY)
    earlier = torch.stack(running[min(WARM_UP, len(running) // 2) :])
    # log v - (v - 1) has the expectation of log v, the mean of v being 1, and far less spread.
    same = 0.5 * dims * (batches.log() - (batches - 1)).mean()
    other = 0.5 * dims * (batches.log() + 1 / batches - 1).mean()
    late = 0.5 * dims * (earlier.log() + 1 / earlier - 1).mean()
    predicted = -dims * _relative_spread(batches) ** 2
    return {
        "same_batch_bias": float(same),
        "other_batch_bias": float(other),
        "running_bias": float(late),
        "predicted_bias": predicted,
        "bias_ratio": float(same) / predicted,
        "running_share": abs(float(late)) / min(abs(float(same)), abs(float(other))),
    }


def per_image(job: _runs.Job, model: Any) -> dict[str, float]:
    """Score test images with one variance each, the log-normal prior of their deviations fitted on training images.

    Works on the errors of any Gaussian model: one posterior sample per image.
    """
    import torch

    from vaes.models.decoders import DecoderConfig, decoder
    from vaes.ops import calibration

    dims = job.dataset.dims
    train, test = (dims * _runs.errors(job, model, split, 1, f"per image {split}")[0] for split in ("train", "test"))
    judge: Any = decoder(
        DecoderConfig("per_image", levels=job.dataset.levels), job.dataset.shape[0], dtype=torch.float64
    )

    def bounds(fitted_on: Tensor) -> Tensor:
        judge.calibrate(fitted_on, dims)
        mean_p, variance_p = judge.prior
        posterior = calibration.optimal_lognormal(test, dims, mean_p, variance_p)
        return -calibration.lognormal_sigma_bound(test, dims, *posterior, mean_p, variance_p)

    scored, zero = bounds(train), torch.zeros_like(test)
    leaked = torch.stack([bounds(torch.cat([train, test[i : i + 1]]))[i] for i in range(min(LEAKED, len(test)))])
    greedy = calibration.per_image_sigma_loss(test, zero, dims, judge.floor)
    shared = calibration.shared_sigma_objective(test, zero, calibration.optimal_sigma(train, dims).log(), dims)
    gap = float(calibration.per_image_gain(test, dims))
    penalty = float((scored - greedy).mean())
    return {
        "infinite_bounds": int((~scored.isfinite()).sum()),
        "penalty": penalty,
        "leak": abs(float((leaked - scored[:LEAKED]).mean())),
        "gap": gap,
        "gap_over_prediction": gap / float(0.25 * dims * (test.std() / test.mean()) ** 2),
        "gap_over_penalty": gap / penalty,
        "gain": float(shared - scored.mean()),
    }

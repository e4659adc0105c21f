"""Bad input: the reference refuses it with the argument's name, and no twin turns NaN into a number unannounced.

Every exception is listed with its reason, and a test fails once it is no longer needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from reference import registry
from tests.conformance import inputs
from tests.conformance.implementation import Implementation, to_numpy

FUNCTIONS = sorted(registry.functions())
Place = tuple[str, str]

# Settings under which every argument of the drawn example matters.
SETTINGS: dict[str, dict[str, Any]] = {
    "likelihoods.mixture_sample": {"coefficients": np.zeros((2, 3, 5, 1, 2))},
    "linear_gaussian.descend": {"steps": 2},
    "ornstein_uhlenbeck.effective_strength": {"degree": 1},
    "relaxations.smoothing_log_ratio": {"family": "overlap_logistic"},
    "schedules.hold_then_cosine": {"step": np.array([60.0, 1e5])},
    "schedules.kl_warmup_portion": {"step": np.array([5.0]), "portion": 0.5},
    "schedules.step_decay": {"step": np.array([1e6])},
    "schedules.warmup_then_cosine": {"step": np.array([2.0])},
}

JUDGES = "says whether a gradient is usable, and NaN is not"
ACCEPTS_NAN: dict[Place, str] = {
    ("optimisers.all_finite", "gradients"): JUDGES,
    ("optimisers.diverged", "norm"): JUDGES,
    ("optimisers.global_norm", "gradients"): "passes NaN on to the functions that judge it",
    ("optimisers.skip_rate", "norm"): JUDGES,
    ("optimisers.skips", "norm"): JUDGES,
    ("optimisers.unscale", "gradients"): "passes NaN on to the functions that judge it",
}

# Twins that answer with numbers although every entry of the argument is NaN.
DRAW = "a binary state: the draw compares uniform noise with a probability, and no comparison with NaN holds"
COMPARED = "is only compared with, and no comparison with NaN holds"
HIDDEN: dict[Place, str] = {
    ("bernoulli.binarise", "intensity"): DRAW,
    ("bernoulli.binarise", "noise"): DRAW,
    ("boltzmann.block_gibbs", "bias_left"): DRAW,
    ("boltzmann.block_gibbs", "bias_right"): DRAW,
    ("boltzmann.block_gibbs", "coupling"): DRAW,
    ("boltzmann.block_gibbs", "uniforms_left"): DRAW,
    ("boltzmann.block_gibbs", "uniforms_right"): DRAW,
    ("boltzmann.persistent_update", "bias_left"): DRAW,
    ("boltzmann.persistent_update", "uniforms_left"): DRAW,
    ("boltzmann.persistent_update", "uniforms_right"): DRAW,
    ("likelihoods.mixture_sample", "component_noise"): "only chooses a component, by the largest score",
    ("likelihoods.mixture_sample", "logits"): "only chooses a component, by the largest score",
    ("likelihoods.thresholded_logistic", "bottom"): COMPARED,
    ("likelihoods.thresholded_logistic", "top"): COMPARED,
    ("optimisers.skip_rate", "norm"): JUDGES,
    ("optimisers.skip_rate", "threshold"): "nothing is below such a threshold: all updates are skipped",
    ("sampling.fixed_scales", "kept"): "no scale is fixed: all noise is fresh",
    ("schedules.plateau_decay", "values"): COMPARED,
    ("schedules.step_decay", "milestones"): COMPARED,
    ("schedules.step_decay", "step"): COMPARED,
    ("tempering.annealed_log_weights", "uniforms_left"): DRAW,
    ("tempering.annealed_log_weights", "uniforms_right"): DRAW,
    ("tempering.parallel_tempering", "inverse_temperatures"): DRAW,
    ("tempering.parallel_tempering", "uniforms_left"): DRAW,
    ("tempering.parallel_tempering", "uniforms_right"): DRAW,
    ("tempering.parallel_tempering", "uniforms_swap"): DRAW,
}

# Twins that answer with numbers when the first entry is NaN, but not when all are.
OUTSIDE = "the first pixel lies outside what is compared"
PARTLY_HIDDEN: dict[Place, str] = {
    ("bernoulli.padded_log_likelihood", "logits"): OUTSIDE,
    ("bernoulli.padded_log_likelihood", "x"): OUTSIDE,
    ("convolution.convolve", "x"): "a stride larger than the kernel steps over the first pixel",
    ("image_metrics.nearest_training_distance", "samples"): OUTSIDE,
    ("image_metrics.nearest_training_distance", "training"): OUTSIDE,
    ("likelihoods.mixture_sample", "coefficients"): "the first component is not chosen",
    ("likelihoods.mixture_sample", "log_scales"): "the first component is not chosen",
    ("likelihoods.mixture_sample", "means"): "the first component is not chosen",
    ("pruning.pruned_latent", "posterior"): "the first channel is taken from the prior",
}


# Twins that raise, as their docstrings say.
RAISES: dict[Place, type[Exception]] = {
    ("calibration.beta_grid", "highest"): ValueError,
    ("calibration.beta_grid", "lowest"): ValueError,
    ("image_metrics.frechet_distance", "features"): torch.linalg.LinAlgError,
    ("image_metrics.frechet_distance", "other"): torch.linalg.LinAlgError,
    ("image_metrics.linear_probe", "latents"): torch.linalg.LinAlgError,
    ("linear_vae.negative_log_evidence", "sigma"): torch.linalg.LinAlgError,
    ("linear_vae.negative_log_evidence", "weights"): torch.linalg.LinAlgError,
    ("pruning.prune_mask", "fraction"): ValueError,
    ("spectral.conv_norm", "weight"): torch.linalg.LinAlgError,
    ("spectral.lipschitz_bounds", "weight"): torch.linalg.LinAlgError,
}

# Arguments whose shape has nothing to fit.
APART = "two sets of images are compared by their own averages"
ELEMENTWISE = "the result has its shape: nothing else in it has axes"
ANY_SHAPE: dict[Place, str] = {
    ("architecture.parameter_count", "others"): "a count of parameters of its own",
    ("balancing.regularised_loss", "penalties"): "all penalties are summed",
    ("calibration.rate_distortion", "log_sigma"): ELEMENTWISE,
    ("calibration.shared_sigma_gradient", "log_sigma"): ELEMENTWISE,
    ("calibration.shared_sigma_objective", "log_sigma"): ELEMENTWISE,
    ("hierarchical.ratio_bias", "z"): ELEMENTWISE,
    ("image_metrics.diversity_ratio", "samples"): APART,
    ("image_metrics.saturation_ratio", "samples"): APART,
    ("image_metrics.sharpness_ratio", "samples"): APART,
    ("image_metrics.variance_ratio", "samples"): APART,
    ("schedules.step_decay", "step"): ELEMENTWISE,
    ("tempering.bennett", "energies"): "samples, in any order",
    ("tempering.bennett", "energies_next"): "samples, in any order",
    ("video.presence", "predicted"): "images in any number of axes before the last two",
}
# Fits no shape that the strategies draw.
ODD_SHAPE = (7, 5, 17, 19)


def example(function: str) -> dict[str, Any]:
    return {**inputs.example(function), **SETTINGS.get(function, {})}


def with_nan(value: Any, entire: bool = False) -> Iterator[Any]:
    """Copies of an argument with NaN in it: one per float array, also in nested lists; none if nothing is a float."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            for bad in with_nan(item, entire):
                yield [*value[:i], bad, *value[i + 1 :]]
    elif isinstance(value, float):
        yield math.nan
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
        bad = value.copy()
        bad.flat[slice(None) if entire else 0] = math.nan
        yield bad


def refusal(function: str, arguments: dict[str, Any]) -> str | None:
    """The message of the reference's ``ValueError``; None if it accepts the arguments."""
    reference = registry.resolve(registry.functions()[function][0].id)
    try:
        with np.errstate(all="ignore"):
            reference(**arguments)
    except ValueError as error:
        return str(error)
    return None


def shows_nan(twin: Any, arguments: dict[str, Any]) -> bool:
    """Whether NaN reaches the result; a result without floats (codes, decisions) cannot show it."""
    result = to_numpy(twin(**arguments))
    floats = [part for part in (result if isinstance(result, tuple) else (result,)) if part.dtype.kind == "f"]
    return not floats or any(np.isnan(part).any() for part in floats)


FAMILIES = [
    *(("relaxations.inverse_cdf_curve", family) for family in ("concrete", "overlap_exp", "overlap_logistic")),
    *(("relaxations.smoothed_log_density", family) for family in ("normal", "overlap_exp", "overlap_logistic")),
    *(("relaxations.smoothing_inverse_cdf", family) for family in ("normal", "overlap_exp", "overlap_logistic")),
    *(("relaxations.smoothing_log_ratio", family) for family in ("normal", "overlap_exp", "overlap_logistic")),
    ("relaxations.inverse_cdf_curve", "spike_exp"),
    ("relaxations.smoothing_inverse_cdf", "spike_exp"),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_reference_refuses_nan_by_name(function: str) -> None:
    arguments = example(function)
    for name, value in arguments.items():
        for bad in with_nan(value):
            message = refusal(function, {**arguments, name: bad})
            if (function, name) in ACCEPTS_NAN:
                assert message is None, f"{name} is refused by now: {message}"
            else:
                assert message is not None, f"{name} with NaN is accepted"
                assert re.match(rf"{name}\b", message), f"NaN in {name} is reported as: {message}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_reference_refuses_wrong_numbers_by_name(function: str) -> None:
    arguments = example(function)
    whole = {n: v for n, v in arguments.items() if isinstance(v, int) and not isinstance(v, bool)}
    for name, value in whole.items():
        for bad in (-1, value + 0.5):
            message = refusal(function, {**arguments, name: bad})
            assert message is not None, f"{name} = {bad} is accepted"
            assert re.match(rf"{name}\b", message), f"{name} = {bad} is reported as: {message}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_reference_refuses_shapes_that_do_not_fit(function: str) -> None:
    arguments = example(function)
    arrays = {n: v for n, v in arguments.items() if isinstance(v, np.ndarray)}
    for name, value in arrays.items():
        others = [size for n, v in arrays.items() if n != name for size in v.shape]
        if value.size and max(others, default=1) > 1:
            bad = np.full(ODD_SHAPE, value.flat[0], value.dtype)
            message = refusal(function, {**arguments, name: bad})
            if (function, name) in ANY_SHAPE:
                assert message is None, f"{name} of another shape is refused by now: {message}"
            else:
                assert message is not None, f"{name} of shape {ODD_SHAPE} is accepted"
                # Of two shapes that do not fit, the message may blame either.
                named = [n for n in arguments if re.search(rf"\b{n}\b", message)]
                assert named, f"the shape of {name} is reported as: {message}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nan_is_not_hidden(function: str, implementation: Implementation) -> None:
    arguments, twin = example(function), implementation.find(function)
    for name, value in arguments.items():

        def shown(entire: bool, name: str = name, value: Any = value) -> list[bool]:
            changed = ({**arguments, name: bad} for bad in with_nan(value, entire))
            return [shows_nan(twin, implementation.tensors(one, "float64")) for one in changed]

        place = (function, name)
        if place in RAISES:
            with pytest.raises(RAISES[place]):
                shown(entire=False)
        elif place in HIDDEN:
            assert not all(shown(entire=True)), f"{name}: the exception is not needed"
        elif place in PARTLY_HIDDEN:
            assert not all(shown(entire=False)), f"{name}: the exception is not needed"
            assert all(shown(entire=True)), f"{name} is all NaN and the result has none"
        else:
            assert all(shown(entire=False)), f"{name} has a NaN and the result has none"


@pytest.mark.parametrize(("function", "family"), FAMILIES)
def test_no_smoothing_family_hides_nan(function: str, family: str, implementation: Implementation) -> None:
    names = [name for name in inputs.example(function) if name != "family"]
    numbers = {n: np.array([0.6]) if n != "setting" else 3.0 for n in names}
    for name in names:
        arguments = {**numbers, name: next(with_nan(numbers[name])), "family": family}
        tensors = implementation.tensors(arguments, "float64")
        assert shows_nan(implementation.find(function), tensors), f"{name} is NaN and the result is not"


def test_exceptions_are_of_arguments_that_exist() -> None:
    for function, name in [*ACCEPTS_NAN, *HIDDEN, *PARTLY_HIDDEN, *RAISES, *ANY_SHAPE]:
        assert name in example(function), f"{function} has no argument {name}"
    assert not HIDDEN.keys() & PARTLY_HIDDEN.keys()

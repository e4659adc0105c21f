"""Noise and probabilities at and next to 0, 1 and the ridge rho = 1 - q; families from very blunt to very sharp."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from reference import relaxations as reference
from tests.conformance.corners import Ridge, both_signs, logits, probabilities, product

BETAS = np.array([1e-6, 1e-4, 1e-2, 0.5, 1, 2, 5, 8, 10, 16, 20, 30, 50, 88, 89, 100, 300, 1e3])
SCALES = np.array([1e-6, 1e-5, 1e-4, 1e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 10])
TEMPERATURES = np.array([0.01, 1 / 3, 0.5, 2 / 3, 1, 2, 10])
POINTS = np.array([0.0, 1e-30, 1e-6, 1e-3, 0.25, 0.5, 0.75, 0.999, 1 - 2.0**-20, 1.0])
EPS = 2.0**-24
LOCATIONS = {"mean_0": np.array([0.0]), "mean_1": np.array([1.0])}
NO_GRADIENTS = dict.fromkeys(
    ("spike_exp_grad", "overlap_exp_grad", "overlap_logistic_grad"), "it is a derivative, and has none of its own"
) | {"inverse_cdf_curve": "it is a figure", "gumbel_softmax.uniform": "noise depends on nothing"}


def spike_exp_cdf() -> list[dict[str, Any]]:
    return product(zeta=POINTS, logits=logits(), beta=BETAS)


def spike_exp_icdf() -> list[dict[str, Any]]:
    return product(rho=probabilities(), logits=logits(), beta=BETAS) + _ridge(beta=BETAS)


def overlap_exp_log_pdf() -> list[dict[str, Any]]:
    return product(zeta=np.append(POINTS, [-0.5, 1.5]), z=np.array([0, 1]), beta=BETAS)


def overlap_exp_cdf() -> list[dict[str, Any]]:
    return spike_exp_cdf()


def overlap_exp_icdf() -> list[dict[str, Any]]:
    return product(rho=probabilities(), logits=logits(), beta=BETAS) + _ridge(beta=BETAS)


def overlap_exp_grad() -> list[dict[str, Any]]:
    return product(rho=probabilities(), logits=logits(), beta=BETAS)


def spike_exp_grad() -> list[dict[str, Any]]:
    return overlap_exp_grad()


def overlap_exp_moments() -> list[dict[str, Any]]:
    return product(logits=logits(), beta=BETAS)


def overlap_exp_bernoulli_limit() -> list[dict[str, Any]]:
    return product(logits=logits(certain=False), beta=BETAS)


def overlap_normal_cdf() -> list[dict[str, Any]]:
    # A zero of zeta moved by rounding is a jump for the sharpest scales.
    return product(
        zeta=both_signs(1e-3, 0.5, 1, 1.5, 40)[[0, 1, 2, 3, 4, 6, 7, 8, 9, 10]], logits=logits(), scale=SCALES
    )


def overlap_normal_icdf() -> list[dict[str, Any]]:
    return product(rho=probabilities()[1:-1:2], logits=logits()[::2], scale=SCALES[3:])


def logistic_log_pdf() -> list[dict[str, Any]]:
    return product(zeta=both_signs(1e-6, 0.5, 1, 40), mean=np.array([0.0, 1.0]), scale=SCALES)


def overlap_logistic_cdf() -> list[dict[str, Any]]:
    return product(zeta=both_signs(1e-6, 0.5, 1, 2), logits=logits(), scale=SCALES, **LOCATIONS)


def overlap_logistic_icdf() -> list[dict[str, Any]]:
    return _located(probabilities())


def overlap_logistic_offsets() -> list[dict[str, Any]]:
    return _located(probabilities())


def overlap_logistic_grad() -> list[dict[str, Any]]:
    return product(rho=probabilities()[1:-1], logits=logits(), scale=SCALES, **LOCATIONS)


def overlap_logistic_bernoulli_limit() -> list[dict[str, Any]]:
    return product(logits=logits(certain=False), scale=SCALES, **LOCATIONS)


def binary_concrete_logit() -> list[dict[str, Any]]:
    return product(rho=probabilities(), logits=logits(certain=False), temperature=TEMPERATURES)


def binary_concrete_icdf() -> list[dict[str, Any]]:
    return binary_concrete_logit()


def binary_concrete_log_density() -> list[dict[str, Any]]:
    y = both_signs(1e-3, 1, 30, 100, 1e4)
    return product(y=y, logits=logits(certain=False), temperature=TEMPERATURES)


def smoothed_log_density() -> list[dict[str, Any]]:
    return [point for family in _families() for point in product(family, zeta=POINTS, logits=logits())]


def smoothing_log_ratio() -> list[dict[str, Any]]:
    return [point for family in _families() for point in product(family, zeta=POINTS)]


def inverse_cdf_curve() -> list[dict[str, Any]]:
    """The curves of Fig. 5 with both ends of q; the spike away from its jump, which no rounded input can hit."""
    q = np.array([0.0, 2.0**-126, 1e-20, 1e-6, 0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1 - 1e-6, 1.0])
    settings = {"concrete": (1.0, 2 / 3, 1 / 3), "spike_exp": (5.0, 8.0, 10.0), "overlap_exp": (5.0, 8.0, 10.0)}
    settings |= {"overlap_logistic": (0.2, 0.1, 0.05)}
    return [
        point
        for family, values in settings.items()
        for value in values
        for point in product({"family": family, "setting": value, "rho": np.asarray(0.25)}, q=q)
    ]


def gumbel_softmax() -> list[dict[str, Any]]:
    """Temperatures down to 0.01, weights that are certain, noise next to both ends."""
    weights = [np.zeros(3), np.array([0.0, -100.0, -1.0]), np.array([-30.0, -30.0, -80.0])]
    uniforms = [np.array([0.5, 0.25, 0.75]), np.array([2.0**-126, 0.5, 1 - 2.0**-10])]
    return [
        {"log_weights": weight, "uniform": uniform, "temperature": temperature}
        for weight in weights
        for uniform in uniforms
        for temperature in TEMPERATURES.tolist()
    ]


def _families() -> list[dict[str, Any]]:
    settings = {"overlap_exp": BETAS[::3], "overlap_logistic": SCALES[::3], "normal": SCALES[3::3]}
    return [{"family": family, "setting": float(value)} for family, values in settings.items() for value in values]


def _ridge(**axes: np.ndarray) -> list[dict[str, Any]]:
    """Noise at 1 - q, where the discriminant of the quadratic turns its sign."""
    sizes = np.array([-16, -8, -2, -0.5, -1e-3, 0, 1e-3, 1, 5, 12, 30, 60])
    (name, values), *_ = axes.items()
    rho, at, value = np.broadcast_arrays(expit(-sizes)[:, None], sizes[:, None], values)
    return [Ridge({"rho": rho.ravel(), "logits": at.ravel(), name: value.ravel()})]


def _located(rho: np.ndarray) -> list[dict[str, Any]]:
    equal = product(rho=rho, logits=logits(), mean_0=np.array([0.5]), mean_1=np.array([0.5]), scale=SCALES)
    ridge = [Ridge(points | {"mean_0": np.zeros(1), "mean_1": np.ones(1)}) for points in _ridge(scale=SCALES)]
    return product(rho=rho, logits=logits(), scale=SCALES, **LOCATIONS) + equal + ridge


def _round_trip(reached: np.ndarray, rho: np.ndarray, zeta: np.ndarray | float, density: np.ndarray) -> np.ndarray:
    """Residual of a round trip in the specification's unit: one rounding of the noise, and of the sample it allows."""
    return np.abs(reached - rho) / (EPS * (1 + np.abs(zeta) * density))


def _spike_exp(got: list[np.ndarray], rho: np.ndarray, logits: np.ndarray, beta: np.ndarray) -> np.ndarray:
    density = expit(logits) * beta * np.exp(-beta * (1 - got[0])) / -np.expm1(-beta)
    reached = reference.spike_exp_cdf(got[0], logits, beta)
    return _round_trip(reached, np.maximum(rho, expit(-logits)), got[0], density)


def _overlap_exp(got: list[np.ndarray], rho: np.ndarray, logits: np.ndarray, beta: np.ndarray) -> np.ndarray:
    pdf = reference.overlap_exp_log_pdf
    density = expit(-logits) * np.exp(pdf(got[0], 0, beta)) + expit(logits) * np.exp(pdf(got[0], 1, beta))
    return _round_trip(reference.overlap_exp_cdf(got[0], logits, beta), rho, got[0], density)


def _overlap_logistic(got: list[np.ndarray], rho: np.ndarray, logits: np.ndarray, **family: np.ndarray) -> np.ndarray:
    density = sum(
        expit(sign * logits) * np.exp(reference.logistic_log_pdf(got[0], family[mean], family["scale"]))
        for sign, mean in ((-1, "mean_0"), (1, "mean_1"))
    )
    return _round_trip(reference.overlap_logistic_cdf(got[0], logits, **family), rho, got[0], density)


def _offsets(got: list[np.ndarray], rho: np.ndarray, logits: np.ndarray, **_: np.ndarray) -> np.ndarray:
    reached = expit(-logits) * expit(got[0]) + expit(logits) * expit(got[1])
    return _round_trip(reached, rho, 0.0, rho)


RESIDUALS = {
    "spike_exp_icdf": _spike_exp,
    "overlap_exp_icdf": _overlap_exp,
    "overlap_logistic_icdf": _overlap_logistic,
    "overlap_logistic_offsets": _offsets,
}

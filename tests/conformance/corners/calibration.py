"""Errors of exactly zero with and without a floor, scales whose squares leave single precision, large shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.corners import both_signs, product

ERRORS = np.array([0.0, 2.0**-126, 1e-30, 1e-10, 1e-3, 1.0, 1e3, 1e10, 1e30])
LOG_SIGMAS = np.array([-60.0, -45.0, -40.0, -20.0, -6.0, -3.5, -2.2, 0.0, 1.0, 20.0, 40.0, 80.0])
DIMS = 2352
FLOOR = 2.0**-9


def gaussian_nll() -> list[dict[str, Any]]:
    residuals = both_signs(1e-20, 1e-10, 1e-3, 1, 30)
    return product(summed=True, x=residuals, mean=np.array([0.0, 0.5]), log_sigma=LOG_SIGMAS)


def soft_clip() -> list[dict[str, Any]]:
    values = both_signs(1e-3, 1, 2.2, 3.5, 6, 20, 88, 100, 200, 1e4)
    return product(value=np.append(values, [-5.999, -6.001]), minimum=np.array([-6.0, 0.0]))


def optimal_sigma() -> list[dict[str, Any]]:
    return [{"squared_error": np.array([error]), "dims": DIMS, "floor": FLOOR} for error in ERRORS]


def batch_optimal_sigma_loss() -> list[dict[str, Any]]:
    kl = np.array([0.5])
    return [{"squared_error": np.array([error]), "kl": kl, "dims": DIMS, "floor": FLOOR} for error in ERRORS]


def per_image_sigma_loss() -> list[dict[str, Any]]:
    return batch_optimal_sigma_loss()


def shared_sigma_gradient() -> list[dict[str, Any]]:
    return [
        {"squared_error": np.array([error]), "log_sigma": np.asarray(s), "dims": DIMS}
        for error in ERRORS
        for s in LOG_SIGMAS
        if error < 1e20 or s > -6
    ]


def gamma_marginal() -> list[dict[str, Any]]:
    axes = {
        "squared_error": ERRORS[:-1],
        "shape_p": np.array([0.1, 1, 2, 64, 1e4, 1e6]),
        "rate_p": np.array([1e-3, 1, 1e3]),
    }
    return product({"dims": DIMS}, **axes) + product({"dims": 6}, **axes)


def optimal_gamma() -> list[dict[str, Any]]:
    return gamma_marginal()


def gamma_kl() -> list[dict[str, Any]]:
    shapes, rates = np.array([0.1, 1, 2, 64, 1e4, 1e6]), np.array([1e-3, 1, 1e3])
    return product(shape_q=shapes, rate_q=rates, shape_p=shapes, rate_p=rates)


def lognormal_sigma_bound() -> list[dict[str, Any]]:
    means, variances = np.array([-6.0, -2.2, 0.0, 3.0]), np.array([1e-6, 1e-3, 0.25, 4.0])
    axes = {"mean_q": means, "variance_q": variances, "mean_p": means, "variance_p": variances}
    return product({"dims": DIMS}, squared_error=ERRORS[3:7], **axes)


def optimal_lognormal() -> list[dict[str, Any]]:
    means, variances = np.array([-6.0, -2.2, 0.0, 3.0]), np.array([1e-6, 1e-3, 0.25, 4.0, 100.0])
    axes = {"squared_error": ERRORS[3:7], "mean_p": means, "variance_p": variances}
    return product({"dims": DIMS}, **axes)


def calibration_gap() -> list[dict[str, Any]]:
    ratios = np.concatenate([1 + both_signs(*2.0 ** -np.arange(2, 24, 3)), [1e-3, 0.1, 10, 1e3]])
    return product({"dims": DIMS}, sigma=ratios, optimal=np.array([1.0]))


def same_batch_bias() -> list[dict[str, Any]]:
    return product({"dims": DIMS}, numbers=np.array([0.5, 1, 2.5, 10, 1e2, 1e4, 1e6, 1e8]))


def held_out_sigma_bias() -> list[dict[str, Any]]:
    return product({"dims": DIMS}, numbers=np.array([2.0625, 2.5, 10, 1e2, 1e4, 1e6, 1e8]))


def variational_sigma_bound() -> list[dict[str, Any]]:
    return product(log_likelihood=both_signs(1, 1e4), kl=np.array([0.0, 1e-6, 10, 1e4]), kl_sigma=np.array([0.0, 3.5]))

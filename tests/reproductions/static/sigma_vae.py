"""The static reproductions of the sigma-VAE: which claims fail, and faults that must be seen."""

from __future__ import annotations

import numpy as np

from reference import calibration, image_metrics, likelihoods, optimisers, quantisation
from reproductions.sigma_vae import identities, tables
from tests.reproductions.static.paper import Fault, StaticPaper

REPORTED_ONLY: dict[str, set[str]] = {}
CONTRADICTED = {
    "table-3/calibrated-best-print": {"columns_not_calibrated"},
    "table-3/optimal-vs-shared-fid-print": {"columns_not_lower"},
    "table-3/mixture-best-discrete-nll-print": {"columns_not_minimum"},
    "table-3/mixture-best-discrete-fid-print": {"columns_not_minimum"},
    "table-3/ordering-consistent-print": {"pairs_not_above_half"},
    "table-3/unit-variance-floor": {"cells_below_floor"},
    "table-3/frey-shared-needs-1000-steps": {"shortfall"},
    "table-4/column-identity": {"fewest_violations"},
    "table-4/cross-table-mismatch": {"pairs_beyond_one_percent"},
    "appendix-c/eq-11-sigma-vs-variance": {"printed_error"},
    "appendix-d/eq-12-signs": {"excess_over_marginal"},
}
TWICE = (
    "appendix-c/same-batch-biased",
    "figure-9/beta-is-constant-variance",
    "appendix-e/bins-integrate-density",
)

FAULTS = {
    "variance for sigma": Fault(
        "appendix-c/eq-11-optimal-variance",
        calibration,
        "optimal_sigma",
        lambda right: lambda error, dims: right(error, dims) ** 2,
        "fit_error",
    ),
    "slope of a larger error": Fault(
        "appendix-c/eq-11-optimal-variance",
        calibration,
        "shared_sigma_gradient",
        lambda right: lambda e, s, d: right(1.001 * e, s, d),
        "argmax_error",
    ),
    "no clip": Fault(
        "method/softclip-bias",
        calibration,
        "soft_clip",
        lambda right: lambda value: np.maximum(value, -6.0),
        "shift_3_5",
    ),
    "bound above the evidence": Fault(
        "appendix-d/eq-12-corrected-bound",
        calibration,
        "gamma_precision_bound",
        lambda right: lambda *a: right(*a) + 0.01,
        "bound_violations",
    ),
    "held-out bias of the other sign": Fault(
        "appendix-c/different-batch-correction",
        calibration,
        "held_out_sigma_bias",
        lambda right: lambda d, n: -right(d, n),
        "non_positive_biases",
    ),
    "start of the average not corrected": Fault(
        "appendix-c/running-average-variance",
        calibration,
        "running_variance",
        lambda right: lambda v, rho: right(v, rho) * (1 - rho),
        "constant_error",
    ),
    "distance one part in a million off": Fault(
        "appendix-b/fid-inception",
        image_metrics,
        "frechet_distance",
        lambda right: lambda a, b: right(a, b) * (1 + 1e-6),
        "route_difference",
    ),
    "Adam without correction of its start": Fault(
        "appendix-b/adam-first-steps",
        optimisers,
        "adam",
        lambda right: lambda p, g, m, v, count, rate: right(p, g, m, v, count + 1, rate),
        "constant_gradient_error",
    ),
    "edges off by a bin": Fault(
        "appendix-e/end-bins",
        quantisation,
        "bin_edges",
        lambda right: lambda n: tuple(part + 1 / 255 for part in right(n)),
        "end_error",
    ),
    "bits with a leak": Fault(
        "appendix-e/bitwise-eight-values",
        likelihoods,
        "bitwise",
        lambda right: lambda k, a: right(k, a) - 1e-9,
        "mass_error",
    ),
    "mixture of eleven": Fault(
        "appendix-e/single-logistic-special-case",
        likelihoods,
        "mixture_of_logistics",
        lambda right: lambda k, a, m, s: right(k, 1.1 * a, m, s + 1e-6),
        "single_difference",
    ),
    "floor without the constant": Fault(
        "table-3/resolution-28",
        calibration,
        "unit_gaussian_floor",
        lambda right: lambda dims: 0.9 * right(dims),
        "largest_dims_celeba",
    ),
    "a million bytes more": Fault(
        "appendix-e/memory-ratio",
        quantisation,
        "decoder_output_bytes",
        lambda right: lambda *a: right(*a) + 10**6,
        "ratio",
    ),
}

PAPER = StaticPaper((identities, tables), REPORTED_ONLY, CONTRADICTED, TWICE, FAULTS)

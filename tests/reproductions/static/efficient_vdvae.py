"""The static reproductions of Efficient-VDVAE: which claims fail, and faults that must be seen."""

from __future__ import annotations

from reference import architecture, gaussian, likelihoods, optimisers, pruning, quantisation, residual_normal, top_down
from reproductions.efficient_vdvae import identities, tables
from tests.reproductions.static.paper import Fault, StaticPaper

REPORTED_ONLY = {
    "sec-5-3-1/worst-case-updates": {"released_mean_gain", "released_largest_gain"},
    "table-5/encoded-size-dense": {"gigabytes_69_layers"},
    "table-5/pixel-size-50-gb": {"gigabytes_70000", "code_to_pixels", "code_to_byte_pixels"},
    "sec-6-2/five-bit-likelihood-mass": {"eight_bit_error_unbounded"},
}
CONTRADICTED = {
    "sec-5-3-1/worst-case-clock": {"smallest_gain"},
    "sec-5-3-1/nll-loss-002-percent": {"loss_percent"},
    "sec-5-3-1/nll-similar-or-better-than-vdvae": {"c1_worst_excess"},
    "sec-5-3-2/sota-all-but-cifar": {"columns_not_best"},
    "table-1a/layer-rows": {"changes_at_8_row_5"},
    "table-3/params-imagenet-32-c2": {"millions"},
    "table-3/params-ffhq-256-5-bit-c1": {"millions"},
    "table-3/c1-differs-only-in-width": {"other_differences"},
    "table-3/batch": {"file_differences"},
    "table-3/optimiser-and-rate": {"vdvae_differences"},
    "app-a-1/pool-is-1x1": {"printed_form_difference"},
    "sec-6-2/five-bit-likelihood-mass": {"mass_excess"},
    "sec-6-2/bound-gain-toy": {"official_bounded", "official_unbounded"},
    "eq-4/joint-misprinted": {"printed_total_error"},
}
TWICE = (
    "eq-5/hierarchical-elbo",
    "sec-4-2/adam-second-moment",
)

FAULTS = {
    "a parameter too many": Fault(
        "table-3/params-cifar-10-c1",
        architecture,
        "efficient_vdvae_parameter_count",
        lambda right: lambda *a: right(*a) + 1,
        "count_error",
    ),
    "a layer lost": Fault(
        "table-6/ffhq-256",
        architecture,
        "layer_count",
        lambda right: lambda extra: right(extra) - (len(extra) == 18),
        "differences",
    ),
    "values of two bytes": Fault(
        "table-5/encoded-size-dense",
        pruning,
        "encoded_dataset_bytes",
        lambda right: lambda images, dims, share: right(images, dims, share, 2),
        "gigabytes",
    ),
    "one colour": Fault(
        "table-5/pixel-size-50-gb",
        pruning,
        "pixel_bytes",
        lambda right: lambda images, side, size=1: right(images, side, size, 1),
        "gibibytes_70000",
    ),
    "proper bins passed off as official": Fault(
        "sec-6-2/five-bit-likelihood-mass",
        quantisation,
        "half_bin",
        lambda right: lambda bits, convention: right(bits, "proper"),
        "mass_005",
    ),
    "edges without tails": Fault(
        "sec-6-2/five-bit-likelihood-mass",
        likelihoods,
        "total_mass",
        lambda right: lambda *a: right(*a) * (1 - 1e-9),
        "eight_bit_error",
    ),
    "slope left out of the denominator": Fault(
        "sec-4-2/softplus-beta-formula",
        residual_normal,
        "softplus_scale",
        lambda right: lambda y, b: right(y, b) * b,
        "relative_error",
    ),
    "gradient of a slope of 1": Fault(
        "sec-4-2/smoothing-inverse-std-gradient",
        residual_normal,
        "scale_gradients",
        lambda right: lambda y, b: right(y, 1.0),
        "closed_form_error",
    ),
    "second moment of the wrong decay": Fault(
        "sec-4-2/adam-second-moment",
        optimisers,
        "adam",
        lambda right: lambda *a, **k: right(*a, beta2=0.99, **k),
        "adam_error",
    ),
    "joint without its prior": Fault(
        "eq-1/joint-factorisation", top_down, "log_joint", lambda right: lambda fit, z, m, s: fit, "joint_error"
    ),
    "divergence halved": Fault("eq-2/elbo-bound", gaussian, "kl", lambda right: lambda *a: right(*a) / 2, "gap_error"),
    "a group of the divergence lost": Fault(
        "eq-5/hierarchical-elbo", top_down, "group_kl", lambda right: lambda *a: right(*a)[1:], "mc_standard_errors"
    ),
}

PAPER = StaticPaper((identities, tables), REPORTED_ONLY, CONTRADICTED, TWICE, FAULTS)

"""Efficient-VDVAE: structural similarity, pruning, sizes, diagnostics of the hierarchy."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="efficient-vdvae/E38",
        name="Mean KL per variate",
        where="Section 7",
        function="pruning.average_kl_per_variate",
        oracles=(
            Oracle("closed form", "test_average_kl_of_constant_parameters"),
            Oracle("identity", "test_average_kl_adds_up_to_the_total"),
        ),
        names=("average_kl_per_variate",),
    ),
    Equation(
        id="efficient-vdvae/E39",
        name="Mask of the kept channels",
        where="Section 7",
        function="pruning.prune_mask",
        oracles=(
            Oracle("enumeration", "test_prune_mask_by_counting"),
            Oracle("printed value", "test_prune_mask_keeps_the_counts_of_the_models"),
        ),
        names=("prune_mask",),
    ),
    Equation(
        id="efficient-vdvae/E39-pruned_latent",
        name="Pruned latent",
        where="Section 7",
        function="pruning.pruned_latent",
        oracles=(
            Oracle("linear algebra", "test_pruned_latent_is_the_masked_sum"),
            Oracle("limit", "test_pruned_latent_limits"),
        ),
        names=("pruned_latent",),
    ),
    Equation(
        id="efficient-vdvae/E40",
        name="Kept fraction of latent dimensions",
        where="Table 5",
        function="pruning.kept_fraction",
        oracles=(
            Oracle("enumeration", "test_kept_fraction_by_enumeration"),
            Oracle("closed form", "test_kept_fraction_is_not_the_fraction_of_channels"),
        ),
        names=("kept_fraction",),
        erratum="Table 5 treats the fraction of channels as the fraction of dimensions.",
    ),
    Equation(
        id="efficient-vdvae/E41",
        name="Size of the encoded data set",
        where="Table 5",
        function="pruning.encoded_dataset_bytes",
        oracles=(
            Oracle("printed value", "test_encoded_dataset_bytes_reconstructs_the_table"),
            Oracle("enumeration", "test_encoded_dataset_bytes_counts_an_array"),
        ),
        names=("encoded_dataset_bytes",),
        erratum="The printed column multiplies a rounded 1.9 MB per image; the exact full size is 4412.9 GB, not 4433.",
    ),
    Equation(
        id="efficient-vdvae/E42",
        name="Structural similarity",
        where="Figure 2",
        function="image_metrics.ssim",
        oracles=(
            Oracle("scipy", "test_ssim_matches_gaussian_filters"),
            Oracle("closed form", "test_ssim_of_constant_images"),
            Oracle("limit", "test_ssim_is_symmetric_and_at_most_one"),
        ),
        names=("ssim",),
        note="The public code pads with zeros, the definition uses inner windows only; both are here.",
    ),
    Equation(
        id="efficient-vdvae/E44",
        name="Active groups",
        where="Public code",
        function="collapse.active_groups",
        oracles=(
            Oracle("enumeration", "test_active_groups_by_enumeration"),
            Oracle("closed form", "test_active_groups_by_hand"),
        ),
        names=("active_groups",),
    ),
    Equation(
        id="efficient-vdvae/E45",
        name="Generalisation gap of the KL",
        where="Appendix C.4",
        function="collapse.generalisation_gap",
        oracles=(
            Oracle("closed form", "test_generalisation_gap_of_shifted_sets"),
            Oracle("monte carlo", "test_generalisation_gap_at_initialisation_is_noise"),
        ),
        names=("generalisation_gap",),
    ),
    Equation(
        id="efficient-vdvae/E48",
        name="Size of the pixels",
        where="Table 5",
        function="pruning.pixel_bytes",
        oracles=(
            Oracle("printed value", "test_pixel_bytes_of_the_data_set"),
            Oracle("enumeration", "test_pixel_bytes_counts_an_array"),
        ),
        names=("pixel_bytes",),
    ),
    Equation(
        id="efficient-vdvae/E48-code_to_pixel_ratio",
        name="Code to pixel ratio",
        where="Table 5",
        function="pruning.code_to_pixel_ratio",
        oracles=(
            Oracle("printed value", "test_code_to_pixel_ratio_of_the_table"),
            Oracle("identity", "test_code_to_pixel_ratio_of_equal_arrays"),
        ),
        names=("code_to_pixel_ratio",),
        erratum="'About 50 GB' counts pixels as float32; against 8-bit pixels the 3 % code is 9.7 times larger.",
    ),
    Equation(
        id="efficient-vdvae/E49",
        name="Rate and distortion",
        where="Section 6.1",
        function="calibration.nelbo",
        oracles=(
            Oracle("enumeration", "test_nelbo_of_a_bits_back_code"),
            Oracle("enumeration", "test_nelbo_of_a_discrete_model_by_enumeration"),
            Oracle("quadrature", "test_nelbo_gap_is_the_divergence_by_quadrature"),
        ),
        names=("rate_distortion_split",),
    ),
)

"""Sigma-VAE: Simple and Effective VAE Training with Calibrated Decoders."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="sigma-vae/E38",
        name="KL annealing",
        where="Section B",
        function="schedules.kl_warmup",
        oracles=(
            Oracle("enumeration", "test_kl_warmup_matches_interpolation"),
            Oracle("enumeration", "test_schedules_agree_where_they_are_the_same"),
        ),
        names=("kl_annealing",),
        formula=r"w_t=\min(1,t/T_w)",
        note=(
            "Evaluate with weight 1. For unit Gaussians it is a schedule of the variance, so it ends at the "
            "same objective."
        ),
    ),
    Equation(
        id="sigma-vae/E39",
        name="Adam",
        where="Experiments",
        function="optimisers.adam",
        oracles=(
            Oracle("torch", "test_adam_matches_torch"),
            Oracle("closed form", "test_adam_of_a_constant_gradient"),
        ),
        names=("adam",),
    ),
    Equation(
        id="sigma-vae/E40",
        name="Adamax",
        where="Hierarchical experiments",
        function="optimisers.adamax",
        oracles=(
            Oracle("torch", "test_adamax_matches_torch"),
            Oracle("closed form", "test_adamax_of_a_constant_gradient"),
        ),
        names=("adamax_schedule_ema",),
    ),
    Equation(
        id="sigma-vae/E40-ema",
        name="Moving average of the parameters",
        where="Hierarchical experiments",
        function="optimisers.ema",
        oracles=(
            Oracle("closed form", "test_ema_is_a_weighted_sum"),
            Oracle("torch", "test_ema_matches_torch"),
        ),
    ),
    Equation(
        id="sigma-vae/E40-schedule",
        name="Learning rate: exponential with a floor",
        where="Hierarchical experiments",
        function="schedules.exponential_decay",
        oracles=(
            Oracle("enumeration", "test_exponential_decay_by_recursion"),
            Oracle("printed value", "test_exponential_decay_of_the_paper"),
        ),
    ),
    Equation(
        id="sigma-vae/E41",
        name="Weight norm",
        where="Hierarchical experiments",
        function="normalisation.weight_norm",
        oracles=(
            Oracle("torch", "test_weight_norm_matches_torch"),
            Oracle("enumeration", "test_weight_norm_has_its_size"),
        ),
        names=("weight_norm_ddi",),
    ),
    Equation(
        id="sigma-vae/E41-init",
        name="Data-dependent initialisation",
        where="Hierarchical experiments",
        function="normalisation.init_by_variance",
        oracles=(
            Oracle("identity", "test_init_by_variance_sets_the_moments"),
            Oracle("enumeration", "test_init_by_variance_by_loops"),
        ),
    ),
    Equation(
        id="sigma-vae/E43",
        name="Free bits per image",
        where="Hierarchical experiments (public code)",
        function="balancing.free_bits_per_image",
        oracles=(
            Oracle("enumeration", "test_free_bits_per_image_by_cases"),
            Oracle("identity", "test_free_bits_per_image_are_above_those_of_the_batch"),
        ),
        names=("free_bits",),
    ),
)

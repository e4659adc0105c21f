"""DVAE++: Discrete Variational Autoencoders with Overlapping Transformations (ICML 2018)."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="dvaepp/E51",
        name="KL annealing",
        where="Appendix F",
        function="schedules.kl_warmup",
        oracles=(
            Oracle("enumeration", "test_kl_warmup_matches_interpolation"),
            Oracle("printed value", "test_kl_warmup_of_dvaepp"),
        ),
        names=("kl_anneal",),
        formula=r"\gamma(t)=\min(1,t/T_a)",
    ),
    Equation(
        id="dvaepp/E52",
        name="Learning rate: steps",
        where="Appendix F",
        function="schedules.step_decay",
        oracles=(
            Oracle("printed value", "test_step_decay_of_the_paper"),
            Oracle("torch", "test_step_decay_matches_torch"),
        ),
        names=("lr_step_schedule",),
        erratum="The public code has other rates and breaks than Appendix F.",
    ),
    Equation(
        id="dvaepp/E53",
        name="Learning rate: plateau",
        where="Appendix G",
        function="schedules.plateau_decay",
        oracles=(
            Oracle("torch", "test_plateau_decay_matches_torch"),
            Oracle("enumeration", "test_plateau_decay_by_hand"),
        ),
        names=("plateau_schedule",),
        note="The paper states neither factor nor patience.",
    ),
    Equation(
        id="dvaepp/E54",
        name="Adamax",
        where="Appendices F and G",
        function="optimisers.adamax",
        oracles=(
            Oracle("torch", "test_adamax_matches_torch"),
            Oracle("closed form", "test_adamax_of_a_constant_gradient"),
        ),
        names=("adamax",),
        note="TensorFlow adds epsilon to the denominator, torch inside the maximum (taken here).",
    ),
    Equation(
        id="dvaepp/E55",
        name="Adam",
        where="Public code",
        function="optimisers.adam",
        oracles=(
            Oracle("torch", "test_adam_matches_torch"),
            Oracle("closed form", "test_adam_of_a_constant_gradient"),
        ),
        names=("adam",),
        note="Epsilon 1e-3 there, unusually large.",
    ),
    Equation(
        id="dvaepp/E56",
        name="Exponential linear unit",
        where="Appendix G",
        function="activations.elu",
        oracles=(
            Oracle("mpmath", "test_activations_at_50_digits"),
            Oracle("torch", "test_activations_match_torch"),
        ),
        names=(
            "elu",
            "selu",
        ),
    ),
    Equation(
        id="dvaepp/E56-selu",
        name="Self-normalising linear unit",
        where="Appendix G",
        function="activations.selu",
        oracles=(
            Oracle("mpmath", "test_activations_at_50_digits"),
            Oracle("torch", "test_activations_match_torch"),
            Oracle("quadrature", "test_selu_keeps_mean_and_variance"),
        ),
    ),
    Equation(
        id="dvaepp/E59",
        name="Batch normalisation",
        where="Appendix G",
        function="normalisation.batch_norm",
        oracles=(
            Oracle("torch", "test_batch_norm_matches_torch"),
            Oracle("enumeration", "test_batch_norm_by_loops"),
        ),
        names=("batch_norm",),
        note="Epsilon 0.01 and momentum 0.2 (0.8 in the convention of TensorFlow) in the public code.",
    ),
    Equation(
        id="dvaepp/E60",
        name="Weight decay penalty",
        where="Public code",
        function="optimisers.weight_decay_penalty",
        oracles=(
            Oracle("mpmath", "test_weight_decay_penalty_by_summation"),
            Oracle("torch", "test_weight_decay_penalty_is_the_decay_of_sgd"),
        ),
        names=("weight_decay",),
    ),
    Equation(
        id="dvaepp/E62",
        name="KL balancing",
        where="Appendix H",
        function="balancing.balance_weights",
        oracles=(
            Oracle("enumeration", "test_balance_weights_by_loops"),
            Oracle("printed value", "test_stopped_gradient_of_balancing"),
            Oracle("limit", "test_balance_weights_of_dead_groups"),
        ),
        names=("kl_balance_coefficients",),
        note="Factor 1, floor 0.1. Without the stopped gradient the smaller term of a pair can be pushed up.",
    ),
    Equation(
        id="dvaepp/E62-excess",
        name="What balancing adds",
        where="Derived (Appendix H)",
        function="balancing.balance_excess",
        oracles=(
            Oracle("identity", "test_balance_excess_is_what_the_weights_add"),
            Oracle("printed value", "test_balance_excess_of_one_active_group"),
        ),
    ),
    Equation(
        id="dvaepp/E63",
        name="Free bits",
        where="Appendix H",
        function="balancing.free_bits",
        oracles=(
            Oracle("enumeration", "test_free_bits_by_cases"),
            Oracle("limit", "test_free_bits_limits"),
        ),
        names=(
            "free_bits",
            "soft_free_bits",
        ),
    ),
    Equation(
        id="dvaepp/E63-soft",
        name="Soft free bits",
        where="Appendix H",
        function="balancing.soft_free_bits",
        oracles=(
            Oracle("enumeration", "test_soft_free_bits_by_cases"),
            Oracle("limit", "test_soft_free_bits_settle_at_their_ends"),
        ),
    ),
)

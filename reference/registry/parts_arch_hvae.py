"""Hermite VAE: skip connections, smoothed posteriors, cost and memory."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="hvae/C18",
        name="Smoothing of the posterior",
        where="Section 2.2",
        function="sampling.smoothed_posterior_sample",
        oracles=(
            Oracle("identity", "test_smoothed_posterior_is_the_smoothed_conditional"),
            Oracle("monte carlo", "test_smoothed_posterior_of_a_linear_network_has_its_law"),
        ),
        names=("ou_on_posterior",),
        note="Off by default: the paper reports little benefit.",
    ),
    Equation(
        id="hvae/C19",
        name="Cost of smoothing",
        where="Section 2.2 (complexity)",
        function="architecture.compute_overhead",
        oracles=(
            Oracle("torch", "test_compute_overhead_matches_a_counter_on_the_meta_device"),
            Oracle("limit", "test_compute_overhead_lies_between_one_and_the_samples"),
        ),
        names=("compute_overhead",),
    ),
    Equation(
        id="hvae/C20",
        name="Memory of activations",
        where="Table 5",
        function="architecture.activation_bytes",
        oracles=(
            Oracle("torch", "test_activation_bytes_of_a_network_listed_by_hand"),
            Oracle("enumeration", "test_activation_bytes_by_enumeration"),
        ),
        names=("activation_memory",),
    ),
    Equation(
        id="hvae/C17",
        name="Skip connections between latents",
        where="Table 5",
        function="blocks.stochastic_skip",
        oracles=(
            Oracle("enumeration", "test_stochastic_skip_matches_loops"),
            Oracle("enumeration", "test_stochastic_skip_has_few_parameters"),
        ),
        names=("stochastic_skip",),
        note="HVAE+ is not specified; one 1x1 convolution per edge fits the printed counts and is assumed.",
    ),
)

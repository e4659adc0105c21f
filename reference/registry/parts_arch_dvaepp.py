"""DVAE++: squeeze-and-excitation, residual blocks."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="dvaepp/E57",
        name="Squeeze-and-excitation",
        where="Appendix (networks)",
        function="convolution.squeeze_excite",
        oracles=(
            Oracle("enumeration", "test_squeeze_excite_matches_loops"),
            Oracle("limit", "test_squeeze_excite_halves_without_output_weights"),
        ),
        names=("squeeze_excite",),
        note="The hidden nonlinearity is not stated; the exponential linear unit is assumed, as elsewhere.",
    ),
    Equation(
        id="dvaepp/E58-transposed",
        name="Transposed convolution",
        where="Appendix (networks)",
        function="convolution.transposed",
        oracles=(
            Oracle("linear algebra", "test_transposed_is_the_adjoint"),
            Oracle("torch", "test_transposed_matches_torch"),
        ),
    ),
    Equation(
        id="dvaepp/E58",
        name="Residual block",
        where="Appendix G, Table 4",
        function="blocks.residual_block",
        oracles=(
            Oracle("torch", "test_residual_block_matches_torch"),
            Oracle("enumeration", "test_residual_block_sizes"),
        ),
        names=("residual_block",),
        note="Kernel sizes, the skip and the place of the nonlinearities are not stated; they are assumed.",
    ),
)

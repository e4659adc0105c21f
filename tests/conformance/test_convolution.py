"""Convolutions, pooling, unpooling, squeeze-and-excitation: loops, SciPy, adjoints, identities."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import signal
from scipy.special import expit
from torch.nn import functional

from reference import convolution
from tests.conformance.first_principles import at_50_digits
from tests.conformance.inputs import convolution as inputs


def tensors(case):
    return {k: torch.as_tensor(v) if isinstance(v, np.ndarray) else v for k, v in case.items()}


@given(inputs.convolve())
def test_convolve_matches_scipy(case) -> None:
    x, weight, stride = case["x"], case["weight"], case["stride"]
    padded = np.pad(x, ((0, 0), (0, 0), *[(case["before"], case["after"])] * 2))
    inputs_per_group = weight.shape[1]
    per_group = len(weight) // (x.shape[1] // inputs_per_group)
    wanted = np.stack(
        [
            [
                sum(
                    signal.correlate2d(image[(o // per_group) * inputs_per_group + c], weight[o, c], "valid")
                    for c in range(inputs_per_group)
                )[::stride, ::stride]
                + case["bias"][o]
                for o in range(len(weight))
            ]
            for image in padded
        ]
    )
    np.testing.assert_allclose(convolution.convolve(**case), wanted, rtol=1e-10, atol=1e-9)


@given(inputs.convolve())
def test_convolve_matches_torch(case) -> None:
    t = tensors(case)
    padded = functional.pad(t["x"], (t["before"], t["after"]) * 2)
    groups = t["x"].shape[1] // t["weight"].shape[1]
    wanted = functional.conv2d(padded, t["weight"], t["bias"], stride=t["stride"], groups=groups).numpy()
    np.testing.assert_allclose(convolution.convolve(**case), wanted, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize(
    ("size", "stride", "height"), [(3, 1, 5), (2, 2, 6), (1, 1, 4), (4, 4, 8), (3, 2, 6), (4, 2, 6)]
)
def test_same_keeps_the_size_over_the_stride(rng, size: int, stride: int, height: int) -> None:
    x, weight = rng.normal(size=(1, 2, height, height)), rng.normal(size=(3, 2, size, size))
    y = convolution.same(x, weight, np.zeros(3), stride)
    assert y.shape == (1, 3, height // stride, height // stride)
    if stride == 1:
        full = sum(signal.correlate2d(x[0, c], weight[0, c], "full") for c in range(2))
        first = (size - 1) - size // 2
        np.testing.assert_allclose(y[0, 0], full[first : first + height, first : first + height], atol=1e-12)


def test_same_puts_the_odd_padding_first() -> None:
    """A 2x2 kernel that picks its last corner gives the map back: the zeros are above and left."""
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    corner = np.array([[[[0.0, 0.0], [0.0, 1.0]]]])
    np.testing.assert_array_equal(convolution.same(x, corner, [0.0], 1), x)


@given(inputs.transposed())
def test_transposed_is_the_adjoint(case) -> None:
    """<y, A x> = <A^T y, x> for every x."""
    free = convolution.transposed(**{**case, "bias": np.zeros_like(case["bias"])})
    other = np.random.default_rng(5).normal(size=free.shape)
    zeros, padding = np.zeros(len(case["weight"])), case["padding"]
    forward = convolution.convolve(other, case["weight"], zeros, case["stride"], padding, padding)
    assert np.sum(forward * case["x"]) == pytest.approx(np.sum(other * free), rel=1e-9, abs=1e-6)


@given(inputs.transposed())
def test_transposed_matches_torch(case) -> None:
    t = tensors(case)
    wanted = functional.conv_transpose2d(t["x"], t["weight"], t["bias"], stride=t["stride"], padding=t["padding"])
    np.testing.assert_allclose(convolution.transposed(**case), wanted.numpy(), rtol=1e-10, atol=1e-9)


@given(inputs.pool())
def test_pool_is_space_to_depth_and_a_matrix(case) -> None:
    x, weight, size = case["x"], case["weight"], case["weight"].shape[-1]
    b, c, h, w = x.shape
    squares = (
        x.reshape(b, c, h // size, size, w // size, size)
        .transpose(0, 2, 4, 1, 3, 5)
        .reshape(b, h // size, w // size, -1)
    )
    wanted = (squares @ weight.reshape(len(weight), -1).T + case["bias"]).transpose(0, 3, 1, 2)
    wanted = np.where(wanted < 0, case["slope"] * wanted, wanted)
    np.testing.assert_allclose(convolution.pool(**case), wanted, rtol=1e-10, atol=1e-9)


@given(inputs.average_pool())
def test_pool_with_constant_kernel_is_the_average(case) -> None:
    x, size = np.abs(case["x"]), case["size"]
    weight = np.eye(2)[:, :, None, None] * np.full((size, size), 1 / size**2)
    np.testing.assert_allclose(convolution.pool(x, weight, np.zeros(2)), convolution.average_pool(x, size), rtol=1e-12)


def test_printed_pool_has_another_shape() -> None:
    """Erratum: a 1x1 kernel with stride s would hold n w weights; the printed counts need s^2 n w."""
    pooled = convolution.pool(np.ones((1, 2, 4, 4)), np.ones((3, 2, 2, 2)), np.zeros(3))
    np.testing.assert_array_equal(pooled, np.full((1, 3, 2, 2), 8.0))


@given(inputs.average_pool())
def test_average_pool_matches_loops(case) -> None:
    x, size = case["x"], case["size"]
    got = convolution.average_pool(**case)
    for i, j in np.ndindex(got.shape[2:]):
        block = x[:, :, i * size : (i + 1) * size, j * size : (j + 1) * size]
        np.testing.assert_allclose(got[:, :, i, j], block.mean((2, 3)), rtol=1e-12, atol=1e-12)


@given(inputs.nearest())
def test_nearest_matches_kron(case) -> None:
    wanted = np.kron(case["x"], np.ones((1, 1, case["scale"], case["scale"])))
    np.testing.assert_array_equal(convolution.nearest(**case), wanted)


@given(inputs.nearest())
def test_average_pool_undoes_nearest(case) -> None:
    larger = convolution.nearest(**case)
    np.testing.assert_allclose(convolution.average_pool(larger, case["scale"]), case["x"], rtol=1e-13)


@given(inputs.unpool())
def test_unpool_matches_a_matrix_per_pixel(case) -> None:
    weight = case["weight"][:, :, 0, 0]
    values = np.einsum("oc,bchw->bohw", weight, case["y"]) + case["bias"][:, None, None]
    values = np.maximum(values, 0.1 * values)
    wanted = np.kron(values, np.ones((1, 1, case["scale"], case["scale"]))) + case["position_bias"]
    np.testing.assert_allclose(convolution.unpool(**case), wanted, rtol=1e-10, atol=1e-9)


@given(inputs.unpool())
def test_unpool_undone_by_average_pool(case) -> None:
    zero = np.zeros_like(case["position_bias"])
    got = convolution.average_pool(convolution.unpool(**{**case, "position_bias": zero}), case["scale"])
    np.testing.assert_allclose(got, convolution.pool(case["y"], case["weight"], case["bias"]), rtol=1e-12)


@given(inputs.mixin())
def test_mixin_matches_kron(case) -> None:
    wanted = np.kron(case["y"], np.ones((1, 1, case["scale"], case["scale"]))) + case["bias"]
    np.testing.assert_allclose(convolution.mixin(**case), wanted, rtol=1e-14)


@given(inputs.mixin())
def test_mixin_without_bias_is_undone_by_the_average(case) -> None:
    got = convolution.mixin(**{**case, "bias": np.zeros_like(case["bias"])})
    np.testing.assert_allclose(convolution.average_pool(got, case["scale"]), case["y"], rtol=1e-13)


@given(inputs.squeeze_excite())
def test_squeeze_excite_matches_loops(case) -> None:
    x = case["x"]
    got = convolution.squeeze_excite(**case)
    for b in range(len(x)):
        hidden = []
        for row, bias in zip(case["weight_in"], case["bias_in"], strict=True):
            h = bias + sum(row[c] * x[b, c].mean() for c in range(x.shape[1]))
            hidden.append(max(h, 0.0) if case["activation"] == "relu" else (h if h > 0 else np.exp(h) - 1))
        for c in range(x.shape[1]):
            gate = expit(case["bias_out"][c] + sum(w * h for w, h in zip(case["weight_out"][c], hidden, strict=True)))
            np.testing.assert_allclose(got[b, c], gate * x[b, c], rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("depth", [-600.25, -36.0, 0.0, 40.0])
def test_squeeze_excite_at_50_digits(implementation, depth: float) -> None:
    """A gate of exp(-600) keeps its digits; at 40 it is 1 - exp(-40)."""
    wanted = at_50_digits(lambda u: 3 / (1 + mpmath.exp(-u)), depth)
    case = {"x": np.full((1, 1, 2, 2), 3.0), "weight_in": np.ones((1, 1)), "bias_in": np.full(1, -2.0)}
    case |= {"weight_out": np.full((1, 1), depth), "bias_out": np.zeros(1)}
    np.testing.assert_allclose(convolution.squeeze_excite(**case), wanted, rtol=1e-15)
    np.testing.assert_allclose(implementation.call("convolution.squeeze_excite", **case), wanted, rtol=1e-15)


@given(inputs.squeeze_excite())
def test_squeeze_excite_halves_without_output_weights(case) -> None:
    zero = {"weight_out": np.zeros_like(case["weight_out"]), "bias_out": np.zeros_like(case["bias_out"])}
    np.testing.assert_array_equal(convolution.squeeze_excite(**{**case, **zero}), case["x"] / 2)


@given(inputs.squeeze_excite())
def test_squeeze_excite_commutes_with_permutations_of_pixels(implementation, case) -> None:
    got = implementation.call("convolution.squeeze_excite", **case)
    flipped = implementation.call("convolution.squeeze_excite", **{**case, "x": case["x"][:, :, ::-1, ::-1].copy()})
    np.testing.assert_allclose(flipped, got[:, :, ::-1, ::-1], rtol=1e-9, atol=1e-12)
    assert (np.abs(got) <= np.abs(case["x"])).all()


@given(inputs.convolve())
def test_convolve_is_linear_in_the_maps(implementation, case) -> None:
    doubled = implementation.call("convolution.convolve", **{**case, "x": 2 * case["x"]})
    once = implementation.call("convolution.convolve", **case)
    bias = case["bias"][:, None, None]
    np.testing.assert_allclose(doubled - bias, 2 * (once - bias), rtol=1e-9, atol=1e-9 * (1 + np.abs(once).max()))


@given(inputs.pool())
def test_pool_of_nothing_is_its_rectified_bias(implementation, case) -> None:
    got = implementation.call("convolution.pool", **{**case, "x": np.zeros_like(case["x"])})
    wanted = np.where(case["bias"] > 0, case["bias"], case["slope"] * case["bias"])
    np.testing.assert_allclose(got, np.broadcast_to(wanted[:, None, None], got.shape), rtol=1e-12)


@given(inputs.nearest())
def test_nearest_is_undone_by_striding(implementation, case) -> None:
    got = implementation.call("convolution.nearest", **case)
    np.testing.assert_array_equal(got[:, :, :: case["scale"], :: case["scale"]], case["x"])


MAP, KERNEL = np.ones((1, 2, 4, 4)), np.ones((3, 2, 3, 3))


@pytest.mark.parametrize(
    ("function", "arguments", "match"),
    [
        ("convolve", (np.ones((2, 4)), KERNEL, np.ones(3), 1, 1, 1), r"x must be \(B, C, H, W\), got shape \(2, 4\)"),
        ("convolve", (MAP, np.ones((3, 2, 3)), np.ones(3), 1, 1, 1), r"weight must be .* got shape \(3, 2, 3\)"),
        ("convolve", (MAP, np.ones((3, 5, 3, 3)), np.ones(3), 1, 1, 1), "got no whole number of groups"),
        ("convolve", (MAP, KERNEL, np.ones(3), 0, 1, 1), "stride must be an integer >= 1, got 0"),
        ("convolve", (MAP, np.ones((3, 2, 5, 5)), np.ones(3), 1, 0, 0), "got kernel 5"),
        ("convolve", (MAP * np.nan, KERNEL, np.ones(3), 1, 1, 1), "x must not contain NaN"),
        (
            "same",
            (MAP, np.ones((3, 2, 1, 1)), np.ones(3), 2),
            "weight size less stride must be an integer >= 0, got -1",
        ),
        ("transposed", (MAP, KERNEL, np.ones(3), 1, 0), r"weight must be \(2, 3, k, k\), got \(3, 2, 3, 3\)"),
        ("transposed", (MAP, np.ones((2, 3, 1, 1)), np.ones(3), 1, 2), "padding must be < 2, got 2"),
        ("pool", (MAP, KERNEL, np.ones(3)), r"multiples of 3, got \(4, 4\)"),
        ("average_pool", (MAP, 3), r"multiples of 3, got \(4, 4\)"),
        ("nearest", (MAP, 0), "scale must be an integer >= 1, got 0"),
        ("unpool", (MAP, KERNEL, np.ones(3), np.ones((3, 4, 4)), 1), "weight must be 1x1, got kernel 3"),
        ("mixin", (MAP, np.full((2, 4, 4), np.inf), 1), "bias must be finite, got inf"),
        (
            "squeeze_excite",
            (MAP, np.ones((4, 3)), np.ones(4), np.ones((3, 4)), np.ones(3)),
            r"weight_in must be \(h, 2\)",
        ),
        (
            "squeeze_excite",
            (MAP, np.ones((4, 2)), np.ones(4), np.ones((2, 4)), np.ones(2), "tanh"),
            "activation must be 'relu' or 'elu', got 'tanh'",
        ),
    ],
)
def test_bad_input_is_named(function: str, arguments: tuple, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        getattr(convolution, function)(*arguments)

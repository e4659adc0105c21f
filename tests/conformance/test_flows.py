"""Inverse autoregressive flows: masks, Jacobians, inversion, change of variables."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import flows, gaussian
from tests.conformance.inputs import flows as inputs


def step(rng, n: int = 2, ratio: int = 3, per_channel: int = 1, mirrored: bool = False):
    shapes = [(n * ratio, n, 3, 3), (n * ratio, 1, 5, 5), (n * per_channel, n * ratio, 1, 1)]
    weights = [rng.normal(size=shape) * 0.5 for shape in shapes]
    return {"weights": weights, "bias": rng.normal(size=n * per_channel), "mirrored": mirrored}


def jacobian(f, z: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """Central differences; rows are outputs in the order (row, column, channel), columns inputs."""
    columns = []
    for index in raster(z.shape):
        shift = np.zeros_like(z)
        shift[index] = h
        difference = (f(z + shift) - f(z - shift)) / (2 * h)
        columns.append([difference[i] for i in raster(z.shape)])
    return np.array(columns).T


def raster(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Indices of one image in the order of the flow."""
    return [(0, c, i, j) for i, j, c in itertools.product(range(shape[2]), range(shape[3]), range(shape[1]))]


def mirrored_raster(shape: tuple[int, ...]) -> list[int]:
    """Positions in the raster of the variables in the mirrored order: pixels reversed, channels not."""
    positions = {index: k for k, index in enumerate(raster(shape))}
    return [
        positions[0, c, i, j]
        for i, j, c in itertools.product(reversed(range(shape[2])), reversed(range(shape[3])), range(shape[1]))
    ]


@given(inputs.dense_mask())
def test_dense_mask_matches_its_definition(case) -> None:
    mask = flows.dense_mask(**case)
    a, b, size = case["inputs"], case["outputs"], case["size"]
    for o, c, p, q in np.ndindex(mask.shape):
        row, column = (size - 1 - p, size - 1 - q) if case["mirrored"] else (p, q)
        before = (row, column) < (size // 2, size // 2)
        blocks = case["blocks"]
        own, other = o // (b // blocks), c // (a // blocks)
        centre = (row, column) == (size // 2, size // 2) and (other < own if case["strict"] else other <= own)
        assert mask[o, c, p, q] == (before or centre)


def test_dense_mask_of_a_small_kernel() -> None:
    mask = flows.dense_mask(2, 2, 2, 3, strict=True, mirrored=False)
    np.testing.assert_array_equal(mask[0, 1], [[1, 1, 1], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(mask[1, 0], [[1, 1, 1], [1, 1, 0], [0, 0, 0]])
    turned = flows.dense_mask(2, 2, 2, 3, strict=True, mirrored=True)
    np.testing.assert_array_equal(turned[1, 0], [[0, 0, 0], [0, 1, 1], [1, 1, 1]])


@given(inputs.depthwise_mask())
def test_depthwise_mask_is_the_diagonal_of_the_dense_one(case) -> None:
    rest = {k: v for k, v in case.items() if k != "channels"}
    dense = flows.dense_mask(case["channels"], case["channels"], case["channels"], **rest)
    wanted = np.stack([dense[c, c] for c in range(case["channels"])])[:, None]
    np.testing.assert_array_equal(flows.depthwise_mask(**case), wanted)


def test_depthwise_mask_counts_the_past() -> None:
    assert flows.depthwise_mask(1, 5, strict=True, mirrored=False).sum() == 12
    assert flows.depthwise_mask(1, 5, strict=False, mirrored=True).sum() == 13


@pytest.mark.parametrize("mirrored", [False, True])
def test_jacobian_is_triangular_with_unit_diagonal(rng, mirrored: bool) -> None:
    parameters, z = step(rng, mirrored=mirrored), rng.normal(size=(1, 2, 3, 4))
    matrix = jacobian(lambda x: flows.additive_step(x, **parameters), z)
    if mirrored:
        order = mirrored_raster(z.shape)
        matrix = matrix[np.ix_(order, order)]
    np.testing.assert_allclose(np.triu(matrix), np.eye(len(matrix)), atol=1e-9)
    assert np.abs(np.tril(matrix, -1)).max() > 0.1
    assert np.linalg.slogdet(matrix)[1] == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("mirrored", [False, True])
def test_additive_step_is_inverted_in_sequence(rng, mirrored: bool) -> None:
    """Fixed-point iteration is exact after as many rounds as there are variables in line."""
    parameters, z = step(rng, mirrored=mirrored), rng.normal(size=(2, 2, 3, 3))
    wanted = flows.additive_step(z, **parameters)
    found = np.zeros_like(z)
    for _ in range(z[0].size):
        found = wanted - flows.autoregressive_shift(found, **parameters)
    np.testing.assert_allclose(found, z, atol=1e-12)


@given(inputs.additive_step())
def test_additive_step_without_network_is_the_identity(case) -> None:
    zero = {"weights": [0 * w for w in case["weights"]], "bias": 0 * case["bias"]}
    np.testing.assert_array_equal(flows.additive_step(**{**case, **zero}), case["z"])


def test_shift_matches_the_definition_on_one_pixel(rng) -> None:
    """One pixel, three channels: only the centres of the kernels act, and the network is a small triangular one."""
    n, ratio = 3, 2
    parameters, z = step(rng, n, ratio), rng.normal(size=(1, n, 1, 1))
    first, depthwise, last = (w[:, :, w.shape[-1] // 2, w.shape[-1] // 2] for w in parameters["weights"])

    def elu(t: float) -> float:
        return t if t > 0 else np.exp(t) - 1

    hidden = [elu(sum(first[o, c] * z[0, c, 0, 0] for c in range(o // ratio))) for o in range(n * ratio)]
    hidden = [elu(elu(depthwise[o, 0] * h)) for o, h in enumerate(hidden)]
    wanted = [sum(last[i, o] * hidden[o] for o in range((i + 1) * ratio)) + parameters["bias"][i] for i in range(n)]
    got = flows.autoregressive_shift(z, **parameters)[0, :, 0, 0]
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    assert got[0] == pytest.approx(parameters["bias"][0])


def test_shift_sees_two_columns_to_the_right_above_at_most(rng) -> None:
    """Blind spot: one row up, the output at column 4 sees columns 1 to 6 and no more, whatever lies to the right."""
    z, parameters = rng.normal(size=(1, 2, 4, 12)), step(rng)
    before = flows.autoregressive_shift(z, **parameters)[0, 1, 2, 4]
    seen = []
    for column in range(12):
        changed = z.copy()
        changed[0, 0, 1, column] += 1
        if flows.autoregressive_shift(changed, **parameters)[0, 1, 2, 4] != before:
            seen.append(column)
    assert seen == list(range(1, 7))


def test_later_pixels_never_change_earlier_outputs_of_the_shift(implementation) -> None:
    rng = np.random.default_rng(4)
    z, parameters = rng.normal(size=(1, 2, 4, 4)), step(rng)
    before = implementation.call("flows.autoregressive_shift", z=z, **parameters)
    for index in itertools.product(range(2), range(4), range(4)):
        changed = z.copy()
        changed[(0, *index)] += 1
        after = implementation.call("flows.autoregressive_shift", z=changed, **parameters)
        place = index[1] * 4 + index[2]
        np.testing.assert_array_equal(after.reshape(2, 16)[:, :place], before.reshape(2, 16)[:, :place])
        np.testing.assert_array_equal(after[0, : index[0] + 1, *index[1:]], before[0, : index[0] + 1, *index[1:]])


@pytest.mark.parametrize("mirrored", [False, True])
def test_affine_log_determinant_is_that_of_the_jacobian(rng, mirrored: bool) -> None:
    parameters, z = step(rng, per_channel=2, mirrored=mirrored), rng.normal(size=(1, 2, 3, 3))
    matrix = jacobian(lambda x: flows.affine_step(x, **parameters)[0], z)
    sign, wanted = np.linalg.slogdet(matrix)
    assert sign == 1
    assert flows.affine_step(z, **parameters)[1][0] == pytest.approx(wanted, abs=1e-6)


def test_affine_step_is_inverted_in_sequence(rng) -> None:
    parameters, z = step(rng, per_channel=2), rng.normal(size=(1, 2, 3, 3))
    wanted, _ = flows.affine_step(z, **parameters)
    found = np.zeros_like(z)
    for _ in range(z.size):
        outputs = flows.autoregressive_shift(found, **parameters)
        found = (wanted - outputs[:, 0::2]) * np.exp(-5 * np.tanh(outputs[:, 1::2] / 5))
    np.testing.assert_allclose(found, z, atol=1e-9)


@given(inputs.affine_step())
def test_affine_step_of_unit_scale_is_additive(implementation, case) -> None:
    """Where the raw log scale vanishes the step adds the shift, and its log determinant is zero."""
    weights = [*case["weights"][:2], case["weights"][2].copy()]
    weights[2][1::2], bias = 0, case["bias"].copy()
    bias[1::2] = 0
    z, log_determinant = implementation.call("flows.affine_step", **{**case, "weights": weights, "bias": bias})
    shift = {"weights": [*weights[:2], weights[2][0::2].copy()], "bias": bias[0::2].copy()}
    wanted = implementation.call("flows.additive_step", z=case["z"], mirrored=case["mirrored"], **shift)
    np.testing.assert_allclose(z, wanted, rtol=1e-9, atol=1e-9 * (1 + np.abs(wanted).max()))
    np.testing.assert_array_equal(log_determinant, 0)


def test_density_after_affine_steps_integrates_to_one(rng) -> None:
    """Two variables (one pixel, two channels): the density of z^1 on a grid, through the inverse, has mass one."""
    parameters = step(rng, 2, 1, per_channel=2)
    grid = np.linspace(-30, 30, 601)
    target = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2, 1, 1)
    z = np.zeros_like(target)
    for _ in range(2):
        outputs = flows.autoregressive_shift(z, **parameters)
        z = (target - outputs[:, 0::2]) * np.exp(-5 * np.tanh(outputs[:, 1::2] / 5))
    start = gaussian.log_density(z.reshape(-1, 2), [0.3, -0.2], [0.8, 1.3])
    log_density = flows.posterior_log_density(start, flows.affine_step(z, **parameters)[1][None])
    assert np.exp(log_density).sum() * 0.1**2 == pytest.approx(1, abs=1e-6)


@given(inputs.posterior_log_density())
def test_posterior_log_density_is_a_running_difference(case) -> None:
    wanted = case["log_density"]
    for determinant in case["log_determinants"]:
        wanted = wanted - determinant
    np.testing.assert_allclose(flows.posterior_log_density(**case), wanted, rtol=1e-12, atol=1e-12 * 500)


@given(inputs.posterior_log_density())
def test_posterior_log_density_without_volume_change(implementation, case) -> None:
    zero = {**case, "log_determinants": 0 * case["log_determinants"]}
    np.testing.assert_array_equal(implementation.call("flows.posterior_log_density", **zero), case["log_density"])


@given(inputs.dense_mask())
def test_dense_mask_shrinks_when_strict(implementation, case) -> None:
    strict, inclusive = (implementation.call("flows.dense_mask", **{**case, "strict": s}) for s in (True, False))
    assert (strict <= inclusive).all()
    assert inclusive[-1, -1, case["size"] // 2, case["size"] // 2] == 1
    assert strict[0, 0, case["size"] // 2, case["size"] // 2] == 0


@given(inputs.additive_step(), st.integers(0, 100))
def test_additive_step_leaves_the_first_variable_to_the_bias(implementation, case, seed: int) -> None:
    z = np.random.default_rng(seed).normal(size=case["z"].shape)
    got = implementation.call("flows.additive_step", **{**case, "z": z})
    first = (-1, -1) if case["mirrored"] else (0, 0)
    np.testing.assert_allclose(got[:, 0, *first], z[:, 0, *first] + case["bias"][0], rtol=1e-12, atol=1e-12)


Z, WEIGHTS = np.ones((1, 2, 3, 3)), [np.ones((4, 2, 3, 3)), np.ones((4, 1, 5, 5)), np.ones((2, 4, 1, 1))]


@pytest.mark.parametrize(
    ("function", "arguments", "match"),
    [
        ("dense_mask", (2, 3, 2, 3, True, False), r"outputs must be a multiple of blocks \(2\), got 3"),
        ("dense_mask", (2, 2, 2, 4, True, False), "size must be odd, got 4"),
        ("depthwise_mask", (0, 3, True, False), "channels must be an integer >= 1, got 0"),
        ("autoregressive_shift", (Z[0], WEIGHTS, np.ones(2), False), r"got shape \(2, 3, 3\) and 3"),
        ("additive_step", (Z, WEIGHTS[:2], np.ones(2), False), r"weights three, got shape \(1, 2, 3, 3\) and 2"),
        ("affine_step", (Z, WEIGHTS, np.ones(2), False), "weights must end with 4 outputs, got 2"),
        ("affine_step", (Z, WEIGHTS, np.ones(2), False, 0.0), "bound must be > 0, got 0.0"),
        ("posterior_log_density", (1.0, 1.0), "got a scalar"),
        ("posterior_log_density", (np.ones(3), np.ones((2, 4))), "shapes must broadcast together"),
    ],
)
def test_bad_input_is_named(function: str, arguments: tuple, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        getattr(flows, function)(*arguments)

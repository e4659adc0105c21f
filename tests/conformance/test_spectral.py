"""Spectral norms: singular values, the unrolled operator, power iteration cold and warm, Lipschitz bounds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given

from reference import spectral
from reference.convolution import convolve
from tests.conformance.inputs import spectral as inputs


def singular_values(weight: np.ndarray) -> np.ndarray:
    return np.linalg.svd(weight.reshape(len(weight), -1), compute_uv=False)


def unrolled(weight: np.ndarray, height: int, width: int, circular: bool) -> np.ndarray:
    """Matrix of a convolution with stride 1, one column per input pixel."""
    size = weight.shape[-1]
    columns = []
    for pixel in np.eye(weight.shape[1] * height * width):
        x = pixel.reshape(1, weight.shape[1], height, width)
        before, after = size // 2, (size - 1) // 2
        if circular:
            x = np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)), mode="wrap")
            before = after = 0
        columns.append(convolve(x, weight, np.zeros(len(weight)), 1, before, after).ravel())
    return np.stack(columns, axis=1)


def estimate(weight: np.ndarray, vector: np.ndarray, iterations: int) -> float:
    return float(spectral.norm_estimate(weight, *spectral.power_iteration(weight, vector, iterations)))


@given(inputs.dominated((4, 2, 3, 3)))
def test_power_iteration_finds_the_singular_vectors(pair) -> None:
    weight, vector = pair
    left, right = spectral.power_iteration(weight, vector, 60)
    u, s, vt = np.linalg.svd(weight.reshape(4, -1))
    assert abs(left @ u[:, 0]) == pytest.approx(1, abs=1e-12)
    assert abs(right @ vt[0]) == pytest.approx(1, abs=1e-12)
    assert float(spectral.norm_estimate(weight, left, right)) == pytest.approx(s[0], rel=1e-12)


@given(inputs.power_iteration())
def test_power_iteration_matches_the_power_of_the_gram_matrix(case) -> None:
    matrix, vector = case["weight"].reshape(len(case["weight"]), -1), case["vector"]
    wanted = np.linalg.matrix_power(matrix @ matrix.T, case["iterations"]) @ vector
    left, _ = spectral.power_iteration(**case)
    length = np.linalg.norm(wanted)
    if length == 0 or np.linalg.norm(left) < 0.999:
        return
    np.testing.assert_allclose(left, wanted / length, atol=1e-9)


@given(inputs.power_iteration())
def test_estimate_is_never_above_the_norm(case) -> None:
    top = singular_values(case["weight"])[0]
    got = [estimate(case["weight"], case["vector"], n) for n in (1, 2, 4, 40)]
    assert all(0 <= g <= top * (1 + 1e-12) for g in got)
    # Products shorter than the floor of the normalisation, 1e-3, are not stretched to length 1: estimates shrink there.
    if got[0] >= 1e-3:
        assert all(a <= b * (1 + 1e-9) + 1e-12 for a, b in itertools.pairwise(got))


def test_rank_one_converges_at_once(rng) -> None:
    weight = np.outer(rng.normal(size=5), rng.normal(size=18)).reshape(5, 2, 3, 3)
    assert estimate(weight, rng.normal(size=5), 1) == pytest.approx(singular_values(weight)[0], rel=1e-12)


def test_zero_weight_has_norm_zero(rng) -> None:
    assert estimate(np.zeros((3, 2, 3, 3)), rng.normal(size=3), 4) == 0


def test_repeated_singular_value_is_no_trouble(rng) -> None:
    orthogonal = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert estimate(3 * orthogonal, rng.normal(size=6), 1) == pytest.approx(3, rel=1e-12)


def test_one_cold_iteration_is_far_off_and_forty_are_not(rng) -> None:
    """A Gaussian 64 x 64 x 3 x 3 weight: the printed one update per step works only from a warm start."""
    weight = rng.normal(size=(64, 64, 3, 3)) / 24
    top, start = singular_values(weight)[0], rng.normal(size=64)
    errors = [1 - estimate(weight, start, n) / top for n in (1, 4, 40, 400)]
    assert errors[0] > 0.15
    assert 0.02 < errors[1] < errors[0]
    assert errors[2] < 0.03
    assert errors[3] < 1e-3


def test_one_warm_iteration_per_step_follows_a_drifting_weight(rng) -> None:
    weight = rng.normal(size=(32, 72))
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    s[1] = 0.99 * s[0]
    weight = u * s @ vt
    vector, _ = spectral.power_iteration(weight, rng.normal(size=32), 40)
    for _ in range(100):
        drift = rng.normal(size=weight.shape)
        weight = weight + 1e-3 * np.linalg.norm(weight) * drift / np.linalg.norm(drift)
        vector, right = spectral.power_iteration(weight, vector, 1)
    assert 1 - spectral.norm_estimate(weight, vector, right) / singular_values(weight)[0] < 5e-3


@given(inputs.power_iterations())
def test_power_iterations_are_those_of_each_layer(case) -> None:
    got = spectral.power_iterations(**case)
    count = len(case["weights"])
    for i, (weight, vector) in enumerate(zip(case["weights"], case["vectors"], strict=True)):
        left, right = spectral.power_iteration(weight, vector, case["iterations"])
        np.testing.assert_array_equal(got[i], left)
        np.testing.assert_array_equal(got[count + i], right)


def test_power_iterations_find_every_norm(rng) -> None:
    weights = [rng.normal(size=s) for s in ((4, 3, 3, 3), (2, 5), (4, 3, 3, 3), (6, 1, 5, 5))]
    vectors = spectral.power_iterations(weights, [rng.normal(size=len(w)) for w in weights], 2000)
    for weight, left, right in zip(weights, vectors[:4], vectors[4:], strict=True):
        assert float(spectral.norm_estimate(weight, left, right)) == pytest.approx(singular_values(weight)[0], rel=1e-9)


@given(inputs.norm_estimate())
def test_norm_estimate_is_a_sum_over_entries(case) -> None:
    matrix = case["weight"].reshape(len(case["weight"]), -1)
    wanted = np.sum(np.outer(case["left"], case["right"]) * matrix)
    assert float(spectral.norm_estimate(**case)) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@given(inputs.norm_estimate())
def test_gradient_of_norm_estimate_is_the_outer_product(implementation, case) -> None:
    """Changing one entry of the weight changes the bilinear form by u_i v_j."""
    weight = case["weight"].copy()
    before = implementation.call("spectral.norm_estimate", **case)
    flat = weight.reshape(len(weight), -1)
    flat[-1, 0] += 1
    after = implementation.call("spectral.norm_estimate", **{**case, "weight": flat.reshape(weight.shape)})
    scale = 1 + np.abs(case["weight"]).sum()
    assert after - before == pytest.approx(case["left"][-1] * case["right"][0], abs=1e-12 * scale)


@given(inputs.regulariser())
def test_regulariser_is_the_sum_of_top_singular_values(case) -> None:
    wanted = sum(singular_values(weight)[0] for weight in case["weights"])
    assert float(spectral.regulariser(**case)) == pytest.approx(wanted, rel=1e-6)


@given(inputs.regulariser())
def test_regulariser_is_the_sum_of_its_layers(case) -> None:
    each = [estimate(w, u, case["iterations"]) for w, u in zip(case["weights"], case["vectors"], strict=True)]
    assert float(spectral.regulariser(**case)) == pytest.approx(sum(each), rel=1e-12)


@given(inputs.regulariser())
def test_regulariser_is_homogeneous_and_orthogonally_invariant(implementation, case) -> None:
    once = implementation.call("spectral.regulariser", **case)
    doubled = implementation.call("spectral.regulariser", **{**case, "weights": [2 * w for w in case["weights"]]})
    assert doubled == pytest.approx(2 * once, rel=1e-9)
    mirrored = [w[::-1].copy() for w in case["weights"]], [u[::-1].copy() for u in case["vectors"]]
    flipped = implementation.call(
        "spectral.regulariser", weights=mirrored[0], vectors=mirrored[1], iterations=case["iterations"]
    )
    assert flipped == pytest.approx(once, rel=1e-9)


def test_batched_step_has_the_norms_and_the_gradients_of_each_layer() -> None:
    """The faster, uncompiled way: one step over layers of mixed shapes, and gradcheck where the iteration converged."""
    import torch

    from vaes.ops import spectral as ops

    rng = np.random.default_rng(6)
    shapes = [(4, 2, 3, 3), (2, 5), (4, 2, 3, 3), (2, 18), (6, 1, 5, 5)]
    weights = [torch.as_tensor(rng.normal(size=s)).requires_grad_() for s in shapes]
    start = [torch.as_tensor(rng.normal(size=s[0])) for s in shapes]
    norms, lefts = ops.batched_step(weights, start, 3)
    scale = torch.as_tensor(rng.normal(size=5))
    gradients = torch.autograd.grad((scale * norms).sum(), weights)
    for i, (weight, vector) in enumerate(zip(weights, start, strict=True)):
        left, right = spectral.power_iteration(weight.detach().numpy(), vector.numpy(), 3)
        np.testing.assert_allclose(lefts[i], left, atol=1e-12)
        assert float(norms[i].detach()) == pytest.approx(
            float(spectral.norm_estimate(weight.detach().numpy(), left, right)), rel=1e-12
        )
        np.testing.assert_allclose(
            gradients[i].reshape(len(left), -1), float(scale[i]) * np.outer(left, right), atol=1e-12
        )
    sharp = [
        torch.as_tensor(np.outer(rng.normal(size=n), rng.normal(size=5)) + 0.01 * rng.normal(size=(n, 5)))
        for n in (3, 2)
    ]
    first = [w.detach().sum(1) for w in sharp]
    assert torch.autograd.gradcheck(lambda *w: ops.batched_step(w, first, 20)[0], [w.requires_grad_() for w in sharp])


def test_gradient_of_the_regulariser_lifts_one_direction(implementation) -> None:
    """The gradient is u v^T: a step against it lowers the top singular value and leaves the others alone."""
    import torch

    rng = np.random.default_rng(3)
    weight = torch.as_tensor(rng.normal(size=(5, 2, 3, 3))).requires_grad_()
    vector = torch.as_tensor(rng.normal(size=5))
    (gradient,) = torch.autograd.grad(
        implementation.find("spectral.regulariser")(weights=[weight], vectors=[vector], iterations=3000), weight
    )
    before, after = (
        singular_values(weight.detach().numpy()),
        singular_values((weight - 1e-3 * gradient).detach().numpy()),
    )
    np.testing.assert_allclose(before - after, [1e-3, 0, 0, 0, 0], atol=1e-8)


@given(inputs.conv_norm())
def test_conv_norm_is_the_singular_value_of_the_unrolled_operator(case) -> None:
    matrix = unrolled(case["weight"], case["height"], case["width"], circular=True)
    assert float(spectral.conv_norm(**case)) == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-10)


def test_conv_norm_of_filters_that_are_known() -> None:
    """The mean has norm 1; a difference doubles the highest frequency; a shift is an isometry."""
    mean, difference = np.full((1, 1, 3, 3), 1 / 9), np.array([[[[0.0, 0.0], [1.0, -1.0]]]])
    shift = np.array([[[[0.0, 1.0], [0.0, 0.0]]]])
    got = [float(spectral.conv_norm(w, 6, 6)) for w in (mean, difference, shift)]
    assert got == pytest.approx([1, 2, 1], rel=1e-12)


def test_conv_norm_estimate_reaches_the_singular_value_of_the_unrolled_operator(rng) -> None:
    for shape, size in [((3, 2, 3, 3), (4, 5)), ((2, 2, 1, 1), (3, 3)), ((4, 1, 5, 5), (6, 4))]:
        weight = rng.normal(size=shape)
        wanted = np.linalg.norm(unrolled(weight, *size, circular=False), 2)
        got = float(spectral.conv_norm_estimate(weight, rng.normal(size=(shape[1], *size)), 3000))
        assert got == pytest.approx(wanted, rel=1e-7)


@given(inputs.conv_norm_estimate())
def test_conv_norm_estimate_matches_powers_of_the_unrolled_operator(case) -> None:
    matrix = unrolled(case["weight"], *case["start"].shape[1:], circular=False)
    x = (
        np.linalg.matrix_power(matrix.T @ matrix / np.linalg.norm(matrix) ** 2, case["iterations"])
        @ case["start"].ravel()
    )
    wanted = np.linalg.norm(matrix @ x) / np.linalg.norm(x)
    assert float(spectral.conv_norm_estimate(**case)) == pytest.approx(wanted, rel=1e-8)


def test_zero_padding_never_exceeds_circular_padding_of_a_larger_map(rng) -> None:
    """Zero padding is circular padding of a padded map, cut: its norm is at most that."""
    weight = rng.normal(size=(3, 3, 3, 3))
    zero = float(spectral.conv_norm_estimate(weight, rng.normal(size=(3, 6, 6)), 500))
    assert zero <= float(spectral.conv_norm(weight, 8, 8)) * (1 + 1e-9)


@given(inputs.conv_norm())
def test_lipschitz_bounds_hold(case) -> None:
    lower, upper = spectral.lipschitz_bounds(case["weight"], 1)
    # Maps as large as the kernel at least: on smaller ones taps coincide.
    norm = float(spectral.conv_norm(case["weight"], 6, 6))
    assert lower * (1 - 1e-9) <= norm <= upper * (1 + 1e-9)


@given(inputs.lipschitz_bounds())
def test_lipschitz_bounds_from_each_group(case) -> None:
    lower, upper = spectral.lipschitz_bounds(**case)
    parts = np.split(case["weight"], case["groups"])
    assert float(lower) == pytest.approx(max(singular_values(part)[0] for part in parts), rel=1e-10)
    norm = max(float(spectral.conv_norm(part, 7, 7)) for part in parts)
    assert lower * (1 - 1e-9) <= norm <= upper * (1 + 1e-9)


def test_reshaped_norm_of_a_depthwise_weight_is_no_bound() -> None:
    """Erratum: 128 equal depthwise filters have the gain of one; their reshaped norm is sqrt(128) times a filter's."""
    one = np.random.default_rng(2).normal(size=(1, 1, 5, 5)) / 5
    equal = np.repeat(one, 128, axis=0)
    lower, upper = (float(b) for b in spectral.lipschitz_bounds(equal, 128))
    assert lower <= float(spectral.conv_norm(one, 16, 16)) <= upper
    assert singular_values(equal)[0] == pytest.approx(np.sqrt(128) * lower, rel=1e-12)
    assert singular_values(equal)[0] > 2 * upper


def test_reshaped_norm_is_not_the_gain_of_a_dense_weight(rng) -> None:
    """Erratum: the gain of a Gaussian weight is well above the norm that the paper calls its Lipschitz constant."""
    weight = rng.normal(size=(16, 16, 3, 3)) / 12
    assert float(spectral.conv_norm(weight, 16, 16)) > 1.3 * singular_values(weight)[0]


@given(inputs.network_bound())
def test_network_bound_matches_logarithms(case) -> None:
    assert float(spectral.network_bound(**case)) == pytest.approx(np.exp(np.log(case["norms"]).sum()), rel=1e-12)


def test_network_bound_is_never_exceeded(rng) -> None:
    """Finite differences of a chain of three circular convolutions with rectifiers."""
    weights = [rng.normal(size=(2, 2, 3, 3)) for _ in range(3)]
    bound = float(spectral.network_bound([spectral.conv_norm(w, 5, 5) for w in weights]))

    def network(x: np.ndarray) -> np.ndarray:
        for weight in weights:
            x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="wrap")
            x = np.maximum(convolve(x, weight, np.zeros(2), 1, 0, 0), 0)
        return x

    for _ in range(50):
        x, y = rng.normal(size=(2, 1, 2, 5, 5))
        assert np.linalg.norm(network(x) - network(y)) <= bound * np.linalg.norm(x - y)


@given(inputs.network_bound())
def test_network_bound_grows_with_every_norm(implementation, case) -> None:
    larger = implementation.call("spectral.network_bound", norms=2 * case["norms"])
    wanted = 2.0 ** len(case["norms"]) * implementation.call("spectral.network_bound", **case)
    assert larger == pytest.approx(wanted, rel=1e-12)


@given(inputs.lipschitz_bounds())
def test_lipschitz_bounds_differ_by_the_kernel_size(implementation, case) -> None:
    lower, upper = implementation.call("spectral.lipschitz_bounds", **case)
    assert upper == pytest.approx(case["weight"].shape[-1] * lower, rel=1e-12)


@given(inputs.power_iteration())
def test_power_iteration_gives_unit_vectors(implementation, case) -> None:
    top = singular_values(case["weight"])[0]
    for vector in implementation.call("spectral.power_iteration", **case):
        assert np.linalg.norm(vector) <= 1 + 1e-12
        if top == 0:
            assert not vector.any()


WEIGHT = np.ones((2, 3, 3, 3))


@pytest.mark.parametrize(
    ("function", "arguments", "match"),
    [
        ("power_iteration", (np.ones(3), np.ones(3), 1), r"weight must have at least two axes, got shape \(3,\)"),
        ("power_iteration", (WEIGHT, np.ones(3), 1), r"vector must be \(2,\), got shape \(3,\)"),
        ("power_iteration", (WEIGHT, np.ones(2), 0), "iterations must be an integer >= 1, got 0"),
        ("power_iterations", ([WEIGHT], [], 1), r"vectors must be as many as weights \(1\), got 0"),
        ("norm_estimate", (WEIGHT, np.ones(2), np.ones(3)), r"left and right must fit the matrix \(2, 27\)"),
        ("regulariser", ([WEIGHT], [np.full(2, np.nan)], 1), r"vectors\[0\] must not contain NaN"),
        ("conv_norm", (np.ones((2, 3)), 4, 4), r"weight must be \(C_out, C_in, k, k\), got shape \(2, 3\)"),
        ("conv_norm", (WEIGHT, 2, 4), "height must be an integer >= 3, got 2"),
        ("conv_norm_estimate", (np.ones((1, 1, 2, 2)), np.ones((1, 4, 4)), 1), "weight must have an odd kernel, got 2"),
        ("conv_norm_estimate", (np.zeros((1, 1, 3, 3)), np.ones((1, 4, 4)), 1), "start must not be mapped to zero"),
        ("lipschitz_bounds", (WEIGHT, 3), "with groups 3, got shape"),
        ("network_bound", ([1.0, -1.0],), "norms must be >= 0, got -1.0 at index"),
    ],
)
def test_bad_input_is_named(function: str, arguments: tuple, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        getattr(spectral, function)(*arguments)

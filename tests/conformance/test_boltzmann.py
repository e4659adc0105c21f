"""Restricted Boltzmann machines: enumeration, chains against their transition matrix, bounds by quadrature."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import expit, logsumexp

from reference import boltzmann, bounds
from tests.conformance.first_principles import assert_mean
from tests.conformance.inputs import boltzmann as inputs

BETA = 6.0
NODES, WEIGHTS = np.polynomial.legendre.leggauss(80)
NODES, WEIGHTS = (NODES + 1) / 2, WEIGHTS / 2


def states(units: int) -> np.ndarray:
    """All bit vectors (2^units, units), the first bit most significant."""
    return np.array([[i >> k & 1 for k in reversed(range(units))] for i in range(2**units)], dtype=float).reshape(
        -1, units
    )


def machine(seed: int, n1: int, n2: int, scale: float = 0.7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return tuple(scale * rng.normal(size=shape) for shape in (n1, n2, (n1, n2)))


def joint(parameters) -> np.ndarray:
    """Probabilities (2^n1, 2^n2) by brute force."""
    n1, n2 = parameters[2].shape
    minus_energy = -boltzmann.energy(states(n1)[:, None, :], states(n2)[None, :, :], *parameters)
    return np.exp(minus_energy - logsumexp(minus_energy))


def transition(parameters) -> np.ndarray:
    """Matrix of one block Gibbs update, from (z1, z2) to (z1', z2')."""
    n1, n2 = parameters[2].shape
    left, right = states(n1), states(n2)
    p_left = boltzmann.conditionals(left[:1], right, *parameters)[0]
    p_right = boltzmann.conditionals(left, right[:1], *parameters)[1]
    to_left = np.prod(np.where(left == 1, p_left[:, None], 1 - p_left[:, None]), axis=-1)
    to_right = np.prod(np.where(right == 1, p_right[:, None], 1 - p_right[:, None]), axis=-1)
    row = (to_left[:, :, None] * to_right[None, :, :]).reshape(2**n2, -1)
    return np.tile(row, (2**n1, 1))


def density(zeta, z):
    """Overlapping exponentials r(zeta|z)."""
    return BETA * np.exp(-BETA * np.where(z == 1, 1 - zeta, zeta)) / -np.expm1(-BETA)


def ratio(zeta):
    return BETA * (2 * zeta - 1)


def test_energy_by_loops() -> None:
    a, b, w = machine(0, 3, 4)
    for left in states(3):
        for right in states(4):
            wanted = -sum(a[i] * left[i] for i in range(3)) - sum(b[j] * right[j] for j in range(4))
            wanted -= sum(left[i] * w[i, j] * right[j] for i in range(3) for j in range(4))
            assert float(boltzmann.energy(left, right, a, b, w)) == pytest.approx(wanted, abs=1e-14)


@given(inputs.energy())
def test_energy_of_the_transposed_machine(implementation, case) -> None:
    turned = {
        "left": case["right"], "right": case["left"], "bias_left": case["bias_right"], "bias_right": case["bias_left"],
        "coupling": case["coupling"].T,
    }  # fmt: skip
    wanted = implementation.call("boltzmann.energy", **case)
    np.testing.assert_allclose(implementation.call("boltzmann.energy", **turned), wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(boltzmann.energy(**turned), boltzmann.energy(**case), rtol=1e-12, atol=1e-12)


def test_conditionals_are_ratios_of_the_joint() -> None:
    parameters = machine(1, 2, 3)
    p = joint(parameters)
    left, right = boltzmann.conditionals(states(2)[:, None, :], states(3)[None, :, :], *parameters)
    np.testing.assert_allclose(left[0], (states(2).T @ p / p.sum(0)).T, rtol=1e-12)
    np.testing.assert_allclose(right[:, 0], p @ states(3) / p.sum(1, keepdims=True), rtol=1e-12)


@given(inputs.conditionals())
def test_conditionals_are_differences_of_energies(implementation, case) -> None:
    p_left, p_right = implementation.call("boltzmann.conditionals", **case)
    for side, p in (("left", p_left), ("right", p_right)):
        for i in range(case[side].shape[-1]):
            off, on = (case[side].copy() for _ in range(2))
            off[..., i], on[..., i] = 0, 1
            low, high = (implementation.call("boltzmann.energy", **{**case, side: z}) for z in (off, on))
            np.testing.assert_allclose(p[..., i], expit(low - high), rtol=1e-9, atol=1e-12)


def test_block_gibbs_leaves_the_machine_invariant() -> None:
    parameters = machine(2, 3, 4)
    p = joint(parameters).ravel()
    np.testing.assert_allclose(p @ transition(parameters), p, atol=1e-15)


def test_block_gibbs_follows_its_transition_matrix(rng) -> None:
    """Chi-square of 400000 two-update transitions from one state; false alarm 1e-4."""
    parameters, chains = machine(3, 2, 2), 400_000
    start = np.array([1.0, 0.0])
    noise = rng.random((2, 2, chains, 2))
    left, right = boltzmann.block_gibbs(np.tile(start, (chains, 1)), *parameters, *noise)
    found = np.bincount((left @ [8, 4] + right @ [2, 1]).astype(int), minlength=16)
    wanted = np.linalg.matrix_power(transition(parameters), 2)[2] * chains
    assert stats.chisquare(found, wanted).pvalue > 1e-4
    # One update instead of two is caught.
    assert stats.chisquare(found, transition(parameters)[2] * chains).pvalue < 1e-10


def test_block_gibbs_keeps_the_moments(rng) -> None:
    parameters, chains = machine(4, 2, 3), 600_000
    start = rng.choice(2**5, size=chains, p=joint(parameters).ravel())
    right = states(5)[start][:, 2:]
    left, right = boltzmann.block_gibbs(right, *parameters, rng.random((1, chains, 2)), rng.random((1, chains, 3)))
    mean_left, mean_right, pairs = boltzmann.moments(*parameters)
    for i in range(2):
        assert_mean(left[:, i], mean_left[i], planted=0.02)
        for j in range(3):
            assert_mean(right[:, j], mean_right[j], planted=0.02)
            assert_mean(left[:, i] * right[:, j], pairs[i, j], planted=0.04)


@given(inputs.block_gibbs(), st.sampled_from([0, 1]))
def test_block_gibbs_with_certain_units(implementation, case, bit: int) -> None:
    certain = {name: np.full_like(case[name], 200.0 * (2 * bit - 1)) for name in ("bias_left", "bias_right")}
    left, right = implementation.call("boltzmann.block_gibbs", **{**case, **certain, "coupling": 0 * case["coupling"]})
    assert (left == bit).all()
    assert (right == bit).all()


@pytest.mark.parametrize(("n1", "n2"), [(1, 1), (3, 4), (6, 2), (2, 7)])
def test_log_partition_by_brute_force(n1: int, n2: int) -> None:
    parameters = machine(5, n1, n2, scale=2.0)
    brute = logsumexp(-boltzmann.energy(states(n1)[:, None, :], states(n2)[None, :, :], *parameters))
    assert float(boltzmann.log_partition(*parameters)) == pytest.approx(float(brute), rel=1e-14)


def test_log_partition_at_50_digits() -> None:
    a, b, w = machine(6, 3, 2, scale=30.0)
    with mpmath.workdps(50):
        total = mpmath.mpf(0)
        for left in states(3):
            for right in states(2):
                exponent = sum(
                    (mpmath.mpf(x) * z for x, z in zip([*a, *b], [*left, *right], strict=True)), mpmath.mpf(0)
                )
                exponent += sum(mpmath.mpf(w[i, j]) * left[i] * right[j] for i in range(3) for j in range(2))
                total += mpmath.exp(exponent)
        wanted = float(mpmath.log(total))
    assert float(boltzmann.log_partition(a, b, w)) == pytest.approx(wanted, rel=1e-14)


@given(inputs.machines())
def test_log_partition_without_couplings(case) -> None:
    wanted = np.logaddexp(0, case["bias_left"]).sum() + np.logaddexp(0, case["bias_right"]).sum()
    got = boltzmann.log_partition(**{**case, "coupling": 0 * case["coupling"]})
    assert float(got) == pytest.approx(wanted, rel=1e-13)
    off = boltzmann.energy(0 * case["bias_left"], 0 * case["bias_right"], **case)
    assert float(off) == 0
    n1, n2 = case["coupling"].shape
    assert float(boltzmann.log_partition(np.zeros(n1), np.zeros(n2), np.zeros((n1, n2)))) == pytest.approx(
        (n1 + n2) * math.log(2)
    )


@given(inputs.machines())
def test_log_partition_of_the_transposed_machine(implementation, case) -> None:
    turned = {"bias_left": case["bias_right"], "bias_right": case["bias_left"], "coupling": case["coupling"].T}
    one, two = (implementation.call("boltzmann.log_partition", **c) for c in (case, turned))
    np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)
    assert float(boltzmann.log_partition(**turned)) == pytest.approx(float(boltzmann.log_partition(**case)), rel=1e-12)


@given(inputs.machines(), inputs.real_numbers(20))
def test_log_partition_grows_by_a_free_unit(implementation, case, bias: float) -> None:
    n2 = len(case["bias_right"])
    larger = {
        "bias_left": np.append(case["bias_left"], bias),
        "bias_right": case["bias_right"],
        "coupling": np.vstack([case["coupling"], np.zeros((1, n2))]),
    }
    one, two = (implementation.call("boltzmann.log_partition", **c) for c in (case, larger))
    np.testing.assert_allclose(two - one, np.logaddexp(0, bias), rtol=1e-9, atol=1e-10)


def test_log_partition_of_a_layer_larger_than_one_block(implementation) -> None:
    """More units than are enumerated in one tensor."""
    case = dict(zip(("bias_left", "bias_right", "coupling"), machine(7, 17, 17, scale=0.3), strict=True))
    wanted = float(boltzmann.log_partition(**case))
    assert float(implementation.call("boltzmann.log_partition", **case)) == pytest.approx(wanted, rel=1e-13)
    for got, right in zip(implementation.call("boltzmann.moments", **case), boltzmann.moments(**case), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-11)


def test_moments_by_brute_force() -> None:
    parameters = machine(8, 3, 2, scale=2.0)
    p = joint(parameters)
    mean_left, mean_right, pairs = boltzmann.moments(*parameters)
    np.testing.assert_allclose(mean_left, p.sum(1) @ states(3), rtol=1e-13)
    np.testing.assert_allclose(mean_right, p.sum(0) @ states(2), rtol=1e-13)
    np.testing.assert_allclose(pairs, states(3).T @ p @ states(2), rtol=1e-13)


def test_moments_with_large_biases_at_50_digits(implementation) -> None:
    """A unit that is nearly always on adds one large term to all log weights, which must not round the others."""
    a, b = np.array([-1.0, 31.6, -18.2]), np.array([50.0, -0.99999])
    w = np.array([[4.0, 1.4], [-0.87, -0.97], [-0.87, 4.0]])
    with mpmath.workdps(50):
        total, pairs = mpmath.mpf(0), [[mpmath.mpf(0)] * 2 for _ in range(3)]
        for left in states(3):
            for right in states(2):
                exponent = sum(mpmath.mpf(x) * z for x, z in zip([*a, *b], [*left, *right], strict=True))
                exponent += sum(mpmath.mpf(w[i, j]) * left[i] * right[j] for i, j in np.ndindex(3, 2))
                total += mpmath.exp(exponent)
                for i, j in np.ndindex(3, 2):
                    pairs[i][j] += mpmath.exp(exponent) * left[i] * right[j]
        wanted = np.array([[float(p / total) for p in row] for row in pairs])
    arguments = {"bias_left": a, "bias_right": b, "coupling": w}
    for found in (boltzmann.moments(**arguments), implementation.call("boltzmann.moments", **arguments)):
        np.testing.assert_allclose(found[2], wanted, rtol=1e-15)


@given(inputs.machines())
def test_moments_without_couplings(case) -> None:
    mean_left, mean_right, pairs = boltzmann.moments(**{**case, "coupling": 0 * case["coupling"]})
    np.testing.assert_allclose(mean_left, expit(case["bias_left"]), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(mean_right, expit(case["bias_right"]), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(pairs, mean_left[:, None] * mean_right, rtol=1e-12, atol=1e-300)


def test_moments_are_the_gradient_of_log_partition() -> None:
    parameters, h = machine(9, 3, 4), 1e-4
    for k, wanted in enumerate(boltzmann.moments(*parameters)):
        for index in np.ndindex(*wanted.shape):
            moved = [[p.copy() for p in parameters] for _ in range(2)]
            moved[0][k][index] -= h
            moved[1][k][index] += h
            low, high = (float(boltzmann.log_partition(*m)) for m in moved)
            assert (high - low) / (2 * h) == pytest.approx(wanted[index], abs=1e-8)


@given(st.integers(0, 10_000))
def test_log_partition_is_convex(seed: int) -> None:
    """Its gradient, the moments, is monotone along every line."""
    one, two = machine(seed, 2, 3, 2.0), machine(seed + 1, 2, 3, 2.0)
    slopes = [
        sum(np.sum(m * (b - a)) for m, a, b in zip(boltzmann.moments(*at), one, two, strict=True)) for at in (one, two)
    ]
    assert slopes[0] <= slopes[1] + 1e-12
    middle = [(a + b) / 2 for a, b in zip(one, two, strict=True)]
    ends = float(boltzmann.log_partition(*one) + boltzmann.log_partition(*two))
    assert float(boltzmann.log_partition(*middle)) <= ends / 2 + 1e-12


@given(inputs.machines())
def test_moments_lie_within_their_bounds(implementation, case) -> None:
    """Frechet: the probability that both are one lies between both-or-none and the rarer one."""
    one, two, pairs = implementation.call("boltzmann.moments", **case)
    assert (pairs >= np.maximum(0, one[:, None] + two - 1) - 1e-9).all()
    assert (pairs <= np.minimum(one[:, None], two) + 1e-9).all()


def test_surrogate_has_the_gradient_of_log_partition() -> None:
    """Weighted with exact probabilities in place of samples; its value is not log Z."""
    parameters, h = machine(10, 2, 2), 1e-3
    p = joint(parameters)

    def weighted(at) -> float:
        return sum(
            p[i, j] * float(boltzmann.log_partition_surrogate(left[None], right[None], *at))
            for i, left in enumerate(states(2))
            for j, right in enumerate(states(2))
        )

    for k, wanted in enumerate(boltzmann.moments(*parameters)):
        for index in np.ndindex(*wanted.shape):
            moved = [[q.copy() for q in parameters] for _ in range(2)]
            moved[0][k][index] -= h
            moved[1][k][index] += h
            assert (weighted(moved[1]) - weighted(moved[0])) / (2 * h) == pytest.approx(wanted[index], abs=1e-11)
    assert abs(weighted(parameters) - float(boltzmann.log_partition(*parameters))) > 1


def test_surrogate_is_added_to_a_loss() -> None:
    """Printed as added to the objective; and as a gradient of Z. Neither fits the exact negative ELBO."""
    parameters, h = machine(11, 2, 2), 1e-4
    p, q = joint(parameters), np.full((4, 4), 1 / 16)

    def mean_energy(weights, at) -> float:
        return float(np.sum(weights * boltzmann.energy(states(2)[:, None, :], states(2)[None, :, :], *at)))

    def surrogate(at) -> float:
        left, right = np.repeat(states(2), 4, axis=0), np.tile(states(2), (4, 1))
        each = [float(boltzmann.log_partition_surrogate(left[[i]], right[[i]], *at)) for i in range(16)]
        return float(p.ravel() @ each)

    def slope(f) -> float:
        a, b, w = parameters
        return (f((a, b, w + h * np.eye(2))) - f((a, b, w - h * np.eye(2)))) / (2 * h)

    exact = slope(lambda at: mean_energy(q, at) + float(boltzmann.log_partition(*at)))
    assert slope(lambda at: mean_energy(q, at) + surrogate(at)) == pytest.approx(exact, abs=1e-8)
    assert abs(slope(lambda at: mean_energy(q, at) - surrogate(at)) - exact) > 0.1
    of_z = slope(lambda at: math.exp(boltzmann.log_partition(*at)))
    assert abs(of_z - slope(surrogate)) > 1
    assert of_z == pytest.approx(math.exp(boltzmann.log_partition(*parameters)) * slope(surrogate), rel=1e-6)


@given(inputs.log_partition_surrogate())
def test_surrogate_sends_no_gradient_into_the_samples(implementation, case) -> None:
    tensors = implementation.tensors(case, "float64")
    samples = [tensors[n].double().requires_grad_() for n in ("left", "right")]
    tensors["coupling"].requires_grad_()
    value = implementation.find("boltzmann.log_partition_surrogate")(
        **{**tensors, "left": samples[0], "right": samples[1]}
    )
    gradients = torch.autograd.grad(value, [tensors["coupling"], *samples], allow_unused=True)
    assert gradients[0] is not None
    assert gradients[1:] == (None, None)


def test_persistent_chains_estimate_the_gradient(rng) -> None:
    """From all zeros, 20 updates: the second eigenvalue is below 0.25, so what is left of the start is below 1e-11."""
    parameters, chains = machine(12, 2, 2), 300_000
    second = np.sort(np.abs(np.linalg.eigvals(transition(parameters))))[-2]
    assert second**20 < 1e-11
    noise = [rng.random((20, chains, 2)) for _ in range(2)]
    left, right, mean_right = boltzmann.persistent_update(np.zeros((chains, 2)), *parameters, *noise)
    mean_left, wanted, pairs = boltzmann.moments(*parameters)
    for i in range(2):
        assert_mean(left[:, i], mean_left[i], planted=0.03)
        for j in range(2):
            assert_mean(right[:, j], wanted[j], planted=0.03)
            assert_mean(left[:, i] * right[:, j], pairs[i, j], planted=0.04)
            assert_mean(left[:, i] * mean_right[:, j], pairs[i, j], planted=0.04)


def test_persistent_conditional_mean_has_less_variance(rng) -> None:
    """Law of total variance: Var z2 = Var E[z2|z1] + E Var(z2|z1)."""
    parameters, chains = machine(13, 3, 2), 100_000
    noise = rng.random((5, chains, 3)), rng.random((5, chains, 2))
    left, right, mean_right = boltzmann.persistent_update(np.zeros((chains, 2)), *parameters, *noise)
    assert (mean_right.var(0) < 0.8 * right.var(0)).all()
    np.testing.assert_allclose(mean_right.var(0) + (mean_right * (1 - mean_right)).mean(0), right.var(0), rtol=0.02)
    np.testing.assert_array_equal(mean_right, boltzmann.conditionals(left, right, *parameters)[1])


def two_groups(logits_left, weight, offset, parameters, f) -> float:
    """Mean of f(logits_right, zeta) over q(zeta) of two left units, the right logits being affine in zeta."""
    zeta = np.stack(np.meshgrid(NODES, NODES, indexing="ij"), -1).reshape(-1, 2)
    measure = np.outer(WEIGHTS, WEIGHTS).ravel()
    for i in range(2):
        q = expit(logits_left[i])
        measure = measure * ((1 - q) * density(zeta[:, i], 0) + q * density(zeta[:, i], 1))
    return float(measure @ f(zeta @ weight + offset, zeta))


def two_group_case():
    parameters = machine(14, 2, 1, scale=1.0)
    return np.array([0.4, -0.9]), np.array([[1.5], [-2.0]]), 0.3, parameters


def exact_two_groups(logits_left, weight, offset, parameters, divergence: bool) -> float:
    """Enumerate z1 and z2, integrate over zeta1: cross-entropy or divergence of the joint over bits and zeta."""
    zeta = np.stack(np.meshgrid(NODES, NODES, indexing="ij"), -1).reshape(-1, 2)
    measure = np.outer(WEIGHTS, WEIGHTS).ravel()
    log_z, total = float(boltzmann.log_partition(*parameters)), 0.0
    for left in states(2):
        log_q1 = -np.logaddexp(0, (1 - 2 * left) * logits_left).sum()
        smoothed = math.exp(log_q1) * np.prod(density(zeta, left), axis=1)
        for right in states(1):
            log_q2 = -np.logaddexp(0, (1 - 2 * right) * (zeta @ weight + offset)).sum(-1)
            log_p = -float(boltzmann.energy(left, right, *parameters)) - log_z
            term = (log_q1 + log_q2 if divergence else 0) - log_p
            total += measure @ (smoothed * np.exp(log_q2) * term)
    return total


def arguments(logits_left, logits_right, zeta, parameters, groups=(0, 1)):
    n1, n2 = parameters[2].shape
    return (
        logits_left, logits_right, ratio(zeta), np.zeros(n2), np.full(n1, groups[0]), np.full(n2, groups[1]),
        *parameters, boltzmann.log_partition(*parameters),
    )  # fmt: skip


def test_cross_entropy_of_two_groups_by_quadrature() -> None:
    logits, weight, offset, parameters = two_group_case()
    wanted = exact_two_groups(logits, weight, offset, parameters, divergence=False)

    def estimate(right, zeta):
        return boltzmann.hierarchical_cross_entropy(*arguments(logits, right, zeta, parameters))

    assert two_groups(logits, weight, offset, parameters, estimate) == pytest.approx(wanted, abs=1e-10)

    def wrong(pair_left):
        def estimate(right, zeta):
            pairs = np.sum(parameters[2] * pair_left(zeta)[..., :, None] * expit(right)[..., None, :], axis=(-2, -1))
            single = expit(logits) @ parameters[0] + expit(right) @ parameters[1]
            return boltzmann.log_partition(*parameters) - single - pairs

        return two_groups(logits, weight, offset, parameters, estimate)

    assert wrong(lambda zeta: expit(logits + ratio(zeta))) == pytest.approx(wanted, abs=1e-10)
    assert abs(wrong(lambda zeta: expit(logits) + 0 * zeta) - wanted) > 0.01
    assert abs(wrong(lambda zeta: zeta) - wanted) > 0.01


def test_cross_entropy_when_the_right_layer_comes_first() -> None:
    """The same model with its layers exchanged."""
    logits, weight, offset, (a, b, w) = two_group_case()
    wanted = exact_two_groups(logits, weight, offset, (a, b, w), divergence=False)
    turned = (b, a, w.T)

    def estimate(right, zeta):
        return boltzmann.hierarchical_cross_entropy(
            right,
            logits,
            np.zeros(1),
            ratio(zeta),
            np.ones(1, int),
            np.zeros(2, int),
            *turned,
            boltzmann.log_partition(*turned),
        )

    assert two_groups(logits, weight, offset, turned, estimate) == pytest.approx(wanted, abs=1e-10)


def test_cross_entropy_sees_the_smoothed_latents(implementation) -> None:
    """Value and slope in the log ratio of the earlier unit of a pair, -W nu (1 - nu) mu; the later one has none."""
    names = ("logits_left", "logits_right", "ratios_left", "ratios_right", "groups_left", "groups_right")
    values = [np.array([x]) for x in (0.4, -0.3, 1.2, 0.7)] + [np.array([0]), np.array([1])]
    machine_of_two = {"bias_left": np.array([0.2]), "bias_right": np.array([-0.1]), "coupling": np.array([[1.5]])}
    case = {**dict(zip(names, values, strict=True)), **machine_of_two, "log_partition": np.array(2.0)}
    tensors = implementation.tensors(case, "float64")
    leaves = [tensors[n].requires_grad_() for n in ("ratios_left", "ratios_right", "log_partition")]
    got = implementation.find("boltzmann.hierarchical_cross_entropy")(**tensors)
    nu, mu = expit(1.6), expit(-0.3)
    assert got.item() == pytest.approx(2 - 0.2 * expit(0.4) + 0.1 * mu - 1.5 * nu * mu, abs=1e-12)
    slopes = [
        float(g)
        for g in torch.autograd.grad(got, leaves, torch.ones_like(got), materialize_grads=True, allow_unused=True)
    ]
    assert slopes == pytest.approx([-1.5 * nu * (1 - nu) * mu, 0, 1], abs=1e-12)
    turned = implementation.call(
        "boltzmann.hierarchical_cross_entropy", **{**case, "groups_left": np.array([1]), "groups_right": np.array([0])}
    )
    wanted = 2 - 0.2 * expit(0.4) + 0.1 * mu - 1.5 * expit(0.4) * expit(0.4)
    np.testing.assert_allclose(turned, wanted, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cross_entropy_of_one_group_by_enumeration(seed: int) -> None:
    parameters, logits = machine(seed, 2, 3), machine(seed + 50, 2, 3, 2.0)[:2]
    p = [np.prod(np.where(states(n) == 1, expit(q), expit(-q)), axis=1) for n, q in zip((2, 3), logits, strict=True)]
    wanted = -np.sum(p[0][:, None] * p[1] * np.log(joint(parameters)))
    case = arguments(*logits, np.zeros(2), parameters, groups=(0, 0))
    assert float(boltzmann.hierarchical_cross_entropy(*case)) == pytest.approx(wanted, rel=1e-12)
    entropy = -sum(np.sum(side * np.log(side)) for side in p)
    assert float(boltzmann.hierarchical_kl(*case)) == pytest.approx(wanted - entropy, rel=1e-12)


def test_cross_entropy_gradient_is_unbiased() -> None:
    """Differences of the exact value, against the mean pathwise gradient: d zeta/d logit = q A (R0 - R1)/q(zeta)."""
    parameters, logit, h = machine(15, 1, 1, 1.0), 0.4, 1e-4

    def mean_over_zeta(at: float, f) -> float:
        q = expit(at)
        return float(WEIGHTS @ (((1 - q) * density(NODES, 0) + q * density(NODES, 1)) * f(NODES)))

    def estimate(at: float, zeta):
        right = (2 * zeta - 0.7)[:, None]
        return boltzmann.hierarchical_cross_entropy(*arguments(np.array([at]), right, zeta[:, None], parameters))

    def exact(at: float) -> float:
        return mean_over_zeta(at, lambda zeta: estimate(at, zeta))

    def pathwise(zeta):
        q, shrink = expit(logit), -np.expm1(-BETA)
        r0 = -np.expm1(-BETA * zeta) / shrink
        r1 = np.exp(-BETA * (1 - zeta)) * r0
        path = q * (1 - q) * (r0 - r1) / ((1 - q) * density(zeta, 0) + q * density(zeta, 1))
        direct = (estimate(logit + h, zeta) - estimate(logit - h, zeta)) / (2 * h)
        return direct + path * (estimate(logit, zeta + h) - estimate(logit, zeta - h)) / (2 * h)

    wanted = (exact(logit + h) - exact(logit - h)) / (2 * h)
    assert mean_over_zeta(logit, pathwise) == pytest.approx(wanted, abs=1e-7)


def test_kl_of_two_groups_by_quadrature() -> None:
    case = two_group_case()

    def estimate(right, zeta):
        return boltzmann.hierarchical_kl(*arguments(case[0], right, zeta, case[3]))

    wanted = exact_two_groups(*case, divergence=True)
    assert two_groups(*case, estimate) == pytest.approx(wanted, abs=1e-10)
    assert wanted > 0


def test_kl_of_the_worked_example() -> None:
    """1+1 units, 0.062626 over bits and zeta; 0.051177 over the bits alone: zeta1 knows more about z2."""
    parameters = (np.array([0.3]), np.array([-0.4]), np.array([[1.5]]))
    q = expit(0.5)
    right = (2 * NODES - 0.7)[:, None]
    draws = boltzmann.hierarchical_kl(*arguments(np.array([0.5]), right, NODES[:, None], parameters))
    mixture = (1 - q) * density(NODES, 0) + q * density(NODES, 1)
    assert WEIGHTS @ (mixture * draws) == pytest.approx(0.062626, abs=5e-7)
    given_left = [WEIGHTS @ (density(NODES, z) * expit(right[:, 0])) for z in (0, 1)]
    bits = np.array(
        [[(1 - q) * (1 - given_left[0]), (1 - q) * given_left[0]], [q * (1 - given_left[1]), q * given_left[1]]]
    )
    assert np.sum(bits * np.log(bits / joint(parameters))) == pytest.approx(0.051177, abs=5e-7)


@given(inputs.hierarchical_kl())
def test_kl_without_couplings(case) -> None:
    """The sum of the Bernoulli divergences."""
    free = {**case, "coupling": 0 * case["coupling"]}
    free["log_partition"] = boltzmann.log_partition(free["bias_left"], free["bias_right"], free["coupling"])
    wanted = np.zeros(case["logits_left"].shape[:-1])
    for side in ("left", "right"):
        k = np.broadcast_to(case[f"bias_{side}"], case[f"logits_{side}"].shape)
        for index in np.ndindex(*k.shape):
            wanted[index[:-1]] += bernoulli_kl(case[f"logits_{side}"][index], k[index])
    np.testing.assert_allclose(boltzmann.hierarchical_kl(**free), wanted, rtol=1e-9, atol=1e-10)


def bernoulli_kl(logit: float, prior: float) -> float:
    with mpmath.workdps(60):
        q, p = (1 / (1 + mpmath.exp(-mpmath.mpf(float(x)))) for x in (logit, prior))
        return float(q * mpmath.log(q / p) + (1 - q) * mpmath.log((1 - q) / (1 - p)))


@given(inputs.machines(), st.sampled_from([(), (3,)]))
def test_kl_vanishes_at_an_independent_prior(implementation, case, batch) -> None:
    free = {**case, "coupling": 0 * case["coupling"]}
    logits = {
        f"logits_{s}": np.broadcast_to(case[f"bias_{s}"], (*batch, *case[f"bias_{s}"].shape)).copy()
        for s in ("left", "right")
    }
    rest = {f"ratios_{s}": 0 * logits[f"logits_{s}"] for s in ("left", "right")}
    groups = {f"groups_{s}": np.zeros(len(case[f"bias_{s}"]), int) for s in ("left", "right")}
    log_z = np.asarray(sum(np.logaddexp(0, case[f"bias_{s}"]).sum() for s in ("left", "right")))
    got = implementation.call("boltzmann.hierarchical_kl", **logits, **rest, **groups, **free, log_partition=log_z)
    np.testing.assert_allclose(got, 0, atol=1e-11)


def spike_sample(rho, q: float):
    """Generalised inverse of the spike-and-exponential distribution, and its derivative in q."""
    t = np.maximum((rho + q - 1) / q, 0)
    zeta = np.log1p(np.expm1(BETA) * t) / BETA
    slope = np.expm1(BETA) * (1 - rho) / q**2 / (1 + np.expm1(BETA) * t) / BETA
    return zeta, np.where(rho > 1 - q, slope, 0)


def spike_case(logit: float):
    """Z W mu(zeta) of one left and one right unit, with its pathwise derivative in the logit as a function of rho."""
    q, w, slope, offset = expit(logit), 1.3, 2.0, -0.4

    def mu(zeta):
        return expit(offset + slope * zeta)

    def pathwise(rho):
        zeta, dzeta = spike_sample(rho, q)
        return (zeta > 0) * w * mu(zeta) * (1 - mu(zeta)) * slope * dzeta * q * (1 - q)

    def missing(rho):
        zeta, _ = spike_sample(rho, q)
        bits = (zeta > 0).astype(float)[..., None]
        return boltzmann.spike_exp_gradient([logit], bits, mu(zeta)[..., None], [[w]])[..., 0]

    def value(at: float) -> float:
        p = expit(at)
        return integrate.quad(lambda rho: w * mu(spike_sample(rho, p)[0]), 1 - p, 1, epsabs=1e-13, limit=200)[0]

    return q, pathwise, missing, value


@pytest.mark.parametrize("logit", [-2.0, 0.3, 4.0])
def test_spike_exp_gradient_completes_the_pathwise_one(logit: float) -> None:
    q, pathwise, missing, value = spike_case(logit)
    h = 1e-4
    wanted = (value(logit + h) - value(logit - h)) / (2 * h)
    naive = integrate.quad(pathwise, 1 - q, 1, epsabs=1e-13, limit=200)[0]
    rest = integrate.quad(missing, 0, 1 - q, epsabs=1e-13)[0]
    assert naive + rest == pytest.approx(wanted, abs=1e-7)
    assert naive < 0.75 * wanted


def test_spike_exp_gradient_by_sampling(rng) -> None:
    _, pathwise, missing, value = spike_case(0.3)
    rho = rng.random(1_000_000)
    wanted = (value(0.301) - value(0.299)) / 0.002
    assert_mean(pathwise(rho) + missing(rho), wanted, planted=0.02)


@given(inputs.spike_exp_gradient())
def test_spike_exp_surrogate_has_both_gradients(implementation, case) -> None:
    tensors = implementation.tensors(case, "float64")
    leaves = [tensors[n].requires_grad_() for n in ("logits", "mean_right", "coupling")]
    value = implementation.find("boltzmann.spike_exp_surrogate")(**tensors)
    got = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    assert all(g is not None for g in got)
    bits, mean_right, coupling = (case[n] for n in ("left", "mean_right", "coupling"))
    pairs = np.einsum("...i,ij,...j->...", bits, coupling, mean_right)
    np.testing.assert_allclose(value.detach().cpu(), pairs, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(got[0].cpu(), boltzmann.spike_exp_gradient(**case), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(got[1].cpu(), bits @ coupling, rtol=1e-9, atol=1e-12)


def toy_decoder(x: int, features) -> np.ndarray:
    """Log p(x | features) of one binary pixel."""
    return -np.logaddexp(0, (1 - 2 * x) * (features @ np.array([2.0, -1.0, 1.5][: features.shape[-1]]) - 0.5))


@pytest.mark.parametrize("x", [0, 1])
def test_elbo_is_below_the_log_evidence(x: int) -> None:
    """1+1 bits and a Gaussian h, enumerated and integrated: the bound is log p(x) less the posterior's divergence."""
    parameters = machine(16, 1, 1, 1.0)
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    logits, mean, scale = (np.array([0.3]), np.array([-0.5])), 0.4, 0.8
    codes = states(2)
    p = joint(parameters).ravel()

    def log_likelihood(h):
        return toy_decoder(x, np.concatenate([np.repeat(codes, len(h), 0), np.tile(h, 4)[:, None]], 1)).reshape(4, -1)

    log_evidence = math.log(float(p @ np.exp(log_likelihood(points)) @ weights))
    q = np.prod(np.where(codes == 1, expit(np.concatenate(logits)), expit(-np.concatenate(logits))), axis=1)
    h = mean + scale * points
    expected = float(q @ log_likelihood(h) @ weights)
    discrete = boltzmann.hierarchical_kl(*arguments(*logits, np.zeros(1), parameters, groups=(0, 0)))
    local = (mean**2 + scale**2 - 1) / 2 - math.log(scale)
    bound = float(boltzmann.elbo(expected, discrete, [local]))
    log_posterior = np.log(p)[:, None] + stats.norm.logpdf(h) + log_likelihood(h) - log_evidence
    gap = q @ ((np.log(q)[:, None] + stats.norm.logpdf(h, mean, scale) - log_posterior) @ weights)
    assert bound == pytest.approx(log_evidence - gap, abs=1e-9)
    assert gap > 0


@given(inputs.logits(), inputs.logits(), inputs.real_numbers(100))
def test_elbo_with_an_empty_machine(one: float, two: float, log_likelihood: float) -> None:
    """No local groups, all parameters zero, one group: log p - n log 2 + H."""
    empty = (np.zeros(1), np.zeros(1), np.zeros((1, 1)))
    kl = boltzmann.hierarchical_kl(*arguments(np.array([one]), np.array([two]), np.zeros(1), empty, groups=(0, 0)))
    wanted = (
        log_likelihood
        - 2 * math.log(2)
        + float(stats.bernoulli.entropy(expit(one)) + stats.bernoulli.entropy(expit(two)))
    )
    assert float(boltzmann.elbo(log_likelihood, kl, np.zeros(0))) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@given(inputs.elbo())
def test_elbo_subtracts_every_divergence(implementation, case) -> None:
    groups = case["group_kls"].shape[-1]
    plain = implementation.call("boltzmann.elbo", **case)
    dearer = implementation.call("boltzmann.elbo", **{**case, "group_kls": case["group_kls"] + 1})
    np.testing.assert_allclose(plain - dearer, groups, atol=1e-9)


def binary_model(posterior_of_right):
    """2+2 bits, one pixel: log p(x), and for every code its log weight and posterior probability."""
    parameters, x = machine(17, 2, 2, 1.0), 1
    codes = states(4)
    features = codes @ np.array([[1.0, 0.0], [0.5, -1.0], [0.0, 1.0], [-1.5, 0.3]])
    log_likelihood = toy_decoder(x, features)
    p = joint(parameters).ravel()
    logits_left = np.tile([0.3, -1.0], (16, 1))
    logits_right = posterior_of_right(codes[:, :2])
    both = np.concatenate([logits_left, logits_right], axis=1)
    q = np.prod(np.where(codes == 1, expit(both), expit(-both)), axis=1)
    log_z = boltzmann.log_partition(*parameters)
    log_w = boltzmann.log_weight(
        log_likelihood, codes[:, :2], codes[:, 2:], logits_left, logits_right, *parameters, log_z, np.zeros(16)
    )
    return math.log(p @ np.exp(log_likelihood)), log_w, q


def test_binary_evaluation_is_unbiased() -> None:
    """The mean weight is p(x) whatever the posterior; one and two samples give L_1 <= L_2 <= log p(x)."""
    log_p, log_w, q = binary_model(lambda left: left @ np.array([[1.0, -2.0], [0.5, 3.0]]) - 0.2)
    assert math.log(q @ np.exp(log_w)) == pytest.approx(log_p, abs=1e-13)
    one = float(q @ bounds.importance_weighted(log_w[None]))
    pairs = bounds.importance_weighted(np.stack(np.broadcast_arrays(log_w[:, None], log_w)))
    two = float(q @ pairs @ q)
    assert one < two < log_p


def test_log_weight_is_constant_at_the_posterior() -> None:
    """1+1 bits, where q(z1) q(z2|z1) can be the posterior: every draw gives log p(x)."""
    parameters, codes = machine(18, 1, 1, 1.0), states(2)
    log_likelihood = toy_decoder(0, codes)
    p = (joint(parameters).ravel() * np.exp(log_likelihood)).reshape(2, 2)
    left = np.full((4, 1), np.log(p[1].sum() / p[0].sum()))
    right = np.log(p[:, 1] / p[:, 0])[codes[:, 0].astype(int), None]
    log_w = boltzmann.log_weight(
        log_likelihood,
        codes[:, :1],
        codes[:, 1:],
        left,
        right,
        *parameters,
        boltzmann.log_partition(*parameters),
        np.zeros(4),
    )
    np.testing.assert_allclose(log_w, math.log(p.sum()), atol=1e-13)


def smoothed_model(beta: float, nodes: int) -> tuple[float, float, float]:
    """1+1 bits, x seen through zeta: p(x) of the smoothed model, its mean weight, and p(x) of the binary model."""
    parameters = machine(19, 1, 1, 1.0)
    u, weights = (np.polynomial.legendre.leggauss(nodes)[k] for k in (0, 1))
    # Nodes in u, zeta = -log(1 - u (1 - e^-beta))/beta has the density r(zeta|0).
    falling = -np.log1p(-(u + 1) / 2 * -np.expm1(-beta)) / beta
    zeta, weights = np.stack([falling, 1 - falling]), weights / 2
    p, log_z = joint(parameters), boltzmann.log_partition(*parameters)
    smoothed = mean_weight = binary = 0.0
    for i in (0, 1):
        for j in (0, 1):
            one, two = (g.ravel() for g in np.meshgrid(zeta[i], zeta[j], indexing="ij"))
            measure = np.outer(weights, weights).ravel()
            log_likelihood = toy_decoder(1, np.stack([one, two], axis=1))
            right = (3 * one - 1)[:, None]
            log_w = boltzmann.log_weight(
                log_likelihood, np.full((one.size, 1), i), np.full((one.size, 1), j), [0.2], right, *parameters, log_z,
                np.zeros(one.size),
            )  # fmt: skip
            q = expit((2 * i - 1) * 0.2) * expit((2 * j - 1) * right[:, 0])
            mean_weight += measure @ (q * np.exp(log_w))
            smoothed += p[i, j] * measure @ np.exp(log_likelihood)
            binary += p[i, j] * float(np.exp(toy_decoder(1, np.array([i, j], float))))
    return smoothed, mean_weight, binary


def test_smoothed_evaluation_is_unbiased() -> None:
    smoothed, mean_weight, binary = smoothed_model(8.0, 60)
    assert mean_weight == pytest.approx(smoothed, rel=1e-10)
    assert abs(smoothed / binary - 1) > 0.01


def test_smoothed_evaluation_tends_to_the_binary_one() -> None:
    distance = []
    for beta in (10.0, 100.0, 1000.0):
        smoothed, mean_weight, binary = smoothed_model(beta, 80)
        assert mean_weight == pytest.approx(smoothed, rel=1e-6)
        distance.append(abs(mean_weight - binary))
    assert distance[0] > 5 * distance[1] > 25 * distance[2]


@given(inputs.log_weight(), st.sampled_from([0.5, 8.0]))
def test_log_weight_falls_with_log_partition(implementation, case, shift: float) -> None:
    plain, shifted = (
        implementation.call("boltzmann.log_weight", **{**case, "log_partition": case["log_partition"] + c})
        for c in (0, shift)
    )
    np.testing.assert_allclose(plain - shifted, shift, atol=1e-9)


def test_correction_moves_every_image() -> None:
    parameters = machine(20, 2, 2, 1.0)
    exact = float(boltzmann.log_partition(*parameters))
    log_likelihood = np.array([-80.0, -100.0, -120.0])
    np.testing.assert_allclose(
        boltzmann.corrected_log_likelihood(log_likelihood, exact - 0.5, exact), log_likelihood - 0.5
    )


def test_correction_is_that_of_the_weights() -> None:
    """Recomputing every weight with the better estimate gives the corrected likelihood."""
    log_p, log_w, q = binary_model(lambda left: np.zeros((16, 2)))
    log_z = float(boltzmann.log_partition(*machine(17, 2, 2, 1.0)))
    biased = math.log(q @ np.exp(log_w - 0.3))
    assert float(boltzmann.corrected_log_likelihood(biased, log_z + 0.3, log_z)) == pytest.approx(log_p, abs=1e-13)


@given(inputs.corrected_log_likelihood())
def test_correction_is_undone_by_its_reverse(implementation, case) -> None:
    once = implementation.call("boltzmann.corrected_log_likelihood", **case)
    back = {"log_partition_used": case["log_partition"], "log_partition": case["log_partition_used"]}
    twice = implementation.call("boltzmann.corrected_log_likelihood", log_likelihood=once, **back)
    np.testing.assert_allclose(twice, case["log_likelihood"], atol=1e-9)


ONE = {"bias_left": [0.0], "bias_right": [0.0], "coupling": [[0.0]]}


@pytest.mark.parametrize(
    ("function", "wrong", "message"),
    [
        (boltzmann.energy, {"left": [2.0], "right": [0.0]}, r"left must lie in \[0, 1\], got 2.0"),
        (boltzmann.energy, {"left": [1.0, 0.0], "right": [0.0]}, r"left must have 1 units .* got shape \(2,\)"),
        (boltzmann.conditionals, {"left": [0.0], "right": [np.nan]}, "right must not contain NaN, got nan"),
        (
            boltzmann.block_gibbs,
            {"right": [0.5], "uniforms_left": [[0.1]], "uniforms_right": [[0.1]]},
            "right must hold bits 0 or 1, got 0.5",
        ),
        (
            boltzmann.block_gibbs,
            {"right": [1.0], "uniforms_left": [[0.1]], "uniforms_right": np.zeros((2, 1))},
            r"as many updates, at least one, got shapes \(1, 1\) and \(2, 1\)",
        ),
        (
            boltzmann.persistent_update,
            {"right": [1.0], "uniforms_left": [[1.5]], "uniforms_right": [[0.1]]},
            r"uniforms_left must lie in \[0, 1\], got 1.5",
        ),
        (
            boltzmann.log_partition,
            {"coupling": [[0.0, 1.0]]},
            r"\(n1,\), \(n2,\) and \(n1, n2\), got \(1,\), \(1,\) and \(1, 2\)",
        ),
        (
            boltzmann.moments,
            {"bias_left": np.zeros(21), "bias_right": np.zeros(21), "coupling": np.zeros((21, 21))},
            "smaller layer must have at most 20 units to be enumerated, got 21",
        ),
        (
            boltzmann.log_partition_surrogate,
            {"left": np.zeros((0, 1)), "right": np.zeros((0, 1))},
            "at least one sample, got 0",
        ),
    ],
)
def test_bad_input_is_named(function, wrong, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(**{**ONE, **wrong})


def test_bad_groups_and_bits_are_named() -> None:
    case = arguments(np.zeros(1), np.zeros(1), np.zeros(1), (np.zeros(1), np.zeros(1), np.zeros((1, 1))))
    with pytest.raises(ValueError, match=r"groups_left and groups_right must number every unit \(1, 1\), got 2 and 1"):
        boltzmann.hierarchical_cross_entropy(*case[:4], np.zeros(2, int), *case[5:])
    with pytest.raises(ValueError, match="log_partition must be finite, got inf"):
        boltzmann.hierarchical_kl(*case[:-1], np.inf)
    with pytest.raises(ValueError, match=r"left must hold bits 0 or 1, got 0.25"):
        boltzmann.spike_exp_gradient([0.0], [0.25], [0.5], [[1.0]])
    with pytest.raises(ValueError, match="group_kls must be finite, got inf at index"):
        boltzmann.elbo(0.0, 0.0, [np.inf])
    with pytest.raises(ValueError, match="logits_left must be finite, got inf at index"):
        boltzmann.log_weight(0.0, [0], [0], [np.inf], [0.0], [0.0], [0.0], [[0.0]], 0.0, 0.0)
    with pytest.raises(ValueError, match="log_partition must be finite, got inf"):
        boltzmann.corrected_log_likelihood([0.0], 0.0, np.inf)

"""Tempered machines: exact laws at every temperature, and four estimates of the same log partition function."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import expit, logsumexp

from reference import boltzmann, tempering
from tests.conformance.first_principles import assert_mean
from tests.conformance.inputs import tempering as inputs
from tests.conformance.test_boltzmann import joint, machine, states

LADDER = np.array([0.0, 0.3, 0.6, 1.0])


def tempered_at(parameters, t: float):
    return tuple(p[0] for p in tempering.tempered(*parameters, [t]))


def energies_of_all(parameters) -> np.ndarray:
    """Energies (2^n1, 2^n2) of all states."""
    n1, n2 = parameters[2].shape
    return boltzmann.energy(states(n1)[:, None, :], states(n2)[None, :, :], *parameters)


def noise(rng, sweeps: int, systems: int, rungs: int, n1: int, n2: int):
    return (
        rng.random((sweeps, systems, rungs, n1)),
        rng.random((sweeps, systems, rungs, n2)),
        rng.random((sweeps, systems, rungs - 1)),
    )


def run(implementation, parameters, ladder, right, uniforms):
    """The implementation's parallel tempering: the reference's loops are too slow for statistics."""
    names = (
        "bias_left",
        "bias_right",
        "coupling",
        "inverse_temperatures",
        "uniforms_left",
        "uniforms_right",
        "uniforms_swap",
    )
    case = dict(zip(names, (*parameters, ladder, *uniforms), strict=True))
    return implementation.call("tempering.parallel_tempering", right=right, **case)


def energies_of_systems(implementation, rng, parameters, ladder, systems: int, sweeps: int) -> np.ndarray:
    """Energies (sweeps, systems, K) after 100 sweeps of burn-in."""
    n1, n2 = parameters[2].shape
    right, kept = np.zeros((systems, len(ladder), n2)), []
    for _ in range(sweeps // 100 + 1):
        _, right, energies = run(
            implementation, parameters, ladder, right, noise(rng, 100, systems, len(ladder), n1, n2)
        )
        kept.append(energies)
    return np.concatenate(kept[1:])


@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_tempered_machine_is_a_power(t: float) -> None:
    parameters = machine(0, 2, 3, 1.5)
    power = joint(parameters) ** t
    np.testing.assert_allclose(joint(tempered_at(parameters, t)), power / power.sum(), rtol=1e-12)


def test_tempered_machine_at_the_ends() -> None:
    parameters = machine(1, 3, 2, 1.5)
    cold, hot = tempered_at(parameters, 1.0), tempered_at(parameters, 0.0)
    assert all((a == b).all() for a, b in zip(cold, parameters, strict=True))
    assert float(boltzmann.log_partition(*hot)) == pytest.approx(5 * math.log(2), rel=1e-15)


@given(inputs.tempered(), st.floats(0, 1))
def test_tempered_parameters_are_proportional(implementation, case, t: float) -> None:
    ladder = case["inverse_temperatures"]
    plain, scaled = (
        implementation.call("tempering.tempered", **{**case, "inverse_temperatures": c * ladder}) for c in (1.0, t)
    )
    for a, b in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(b, t * a, rtol=1e-12, atol=1e-300)


def test_energy_moments_are_derivatives() -> None:
    parameters, h = machine(2, 3, 3, 1.0), 1e-3
    for t in (0.1, 0.5, 1.0):
        low, mid, high = (float(boltzmann.log_partition(*tempered_at(parameters, s))) for s in (t - h, t, t + h))
        mean, variance = tempering.energy_moments(*parameters, [t])
        assert float(mean[0]) == pytest.approx((high - low) / (2 * h), rel=1e-5)
        assert float(variance[0]) == pytest.approx((high - 2 * mid + low) / h**2, rel=1e-4)


@given(inputs.energy_moments())
def test_energy_moments_without_couplings(case) -> None:
    """Independent units: the mean is the sum of b sigma(tb), the variance of b^2 sigma(tb) sigma(-tb)."""
    free = {**case, "coupling": 0 * case["coupling"]}
    bias = np.concatenate([case["bias_left"], case["bias_right"]])
    field = case["inverse_temperatures"][:, None] * bias
    mean, variance = tempering.energy_moments(**free)
    np.testing.assert_allclose(mean, (bias * expit(field)).sum(1), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(variance, (bias**2 * expit(field) * expit(-field)).sum(1), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    ("bias_left", "bias_right", "coupling"),
    [
        # Energies near 100 that differ by 0.001: only their differences say anything about the variance.
        ([-38.5, 46.5, 50.0, 1e-3], [0.0, -13.0], [[-0.625, 0.5], [0.0, 0.25], [0.0, -0.0625], [0.5, 0.0]]),
        # A unit that its bias turns on and its neighbour off.
        ([1e-3], [1e-3], [[-9.7]]),
    ],
    ids=["large biases", "opposed coupling"],
)
def test_energy_moments_at_50_digits(implementation, bias_left, bias_right, coupling) -> None:
    with mpmath.workdps(50):
        values = []
        for left in states(len(bias_left)):
            for right in states(len(bias_right)):
                value = sum(mpmath.mpf(b) * z for b, z in zip([*bias_left, *bias_right], [*left, *right], strict=True))
                pairs = np.ndindex(len(bias_left), len(bias_right))
                values.append(value + sum(mpmath.mpf(coupling[i][j]) * left[i] * right[j] for i, j in pairs))
        weights = [mpmath.exp(v) for v in values]
        mean = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
        variance = sum(w * (v - mean) ** 2 for w, v in zip(weights, values, strict=True)) / sum(weights)
    parts = {"bias_left": bias_left, "bias_right": bias_right, "coupling": coupling, "inverse_temperatures": [1.0]}
    arguments = {name: np.array(values) for name, values in parts.items()}
    for found in (
        tempering.energy_moments(**arguments),
        implementation.call("tempering.energy_moments", **arguments),
    ):
        assert [float(part[0]) for part in found] == pytest.approx([float(mean), float(variance)], rel=4e-15, abs=0)


@given(inputs.energy_moments())
def test_energy_falls_with_the_inverse_temperature(implementation, case) -> None:
    mean, variance = implementation.call("tempering.energy_moments", **case)
    assert (np.diff(mean) >= -1e-9 * (1 + np.abs(mean).max())).all()
    assert (variance >= 0).all()


def test_swaps_are_in_detailed_balance() -> None:
    """For every pair of states of two neighbours: weight times acceptance is symmetric."""
    energies, ladder = energies_of_all(machine(3, 2, 2, 1.5)).ravel(), np.array([0.4, 0.9])
    pairs = np.stack(np.broadcast_arrays(energies[:, None], energies), axis=-1)
    accepted = tempering.swap_probability(pairs, ladder)[..., 0]
    flow = np.exp(-pairs @ ladder) * accepted
    np.testing.assert_allclose(flow, flow.T, rtol=1e-12)
    # Never less than needed: the larger of the two acceptances is one (Metropolis, not Barker).
    np.testing.assert_array_equal(np.maximum(accepted, accepted.T), 1)


def test_swap_probability_of_gaussian_energies(rng) -> None:
    """With E_k - E_{k+1} ~ N(d v, 2 v) at spacing d the mean acceptance is erfc(d sqrt v / 2)."""
    spacing, variance = 0.3, 2.0
    energies = rng.normal(size=(1_000_000, 2)) * math.sqrt(variance) - np.array([0, spacing * variance])
    got = tempering.swap_probability(energies, [0.5, 0.5 + spacing])[:, 0]
    assert_mean(got, math.erfc(spacing * math.sqrt(variance) / 2))


@given(inputs.swap_probability())
def test_swap_probability_is_one_when_the_colder_is_higher(implementation, case) -> None:
    got = implementation.call("tempering.swap_probability", **case)
    rise = np.diff(case["energies"])
    assert (got[rise >= 0] == 1).all()
    assert (got[rise < -1] < 1).all()
    assert ((got >= 0) & (got <= 1)).all()


def test_parallel_tempering_of_one_rung_is_block_gibbs(rng) -> None:
    parameters = machine(4, 3, 2, 1.0)
    left_noise, right_noise, swap_noise = noise(rng, 5, 4, 1, 3, 2)
    start = np.zeros((4, 1, 2))
    left, right, energies = tempering.parallel_tempering(start, *parameters, [1.0], left_noise, right_noise, swap_noise)
    wanted = boltzmann.block_gibbs(start, *parameters, left_noise, right_noise)
    np.testing.assert_array_equal(left, wanted[0])
    np.testing.assert_array_equal(right, wanted[1])
    np.testing.assert_allclose(energies[-1], boltzmann.energy(left, right, *parameters))


def test_parallel_tempering_without_swaps_is_block_gibbs(rng) -> None:
    """Noise of one never accepts: every rung is a chain of its own."""
    parameters = machine(5, 2, 2, 1.0)
    left_noise, right_noise, swap_noise = noise(rng, 6, 3, 4, 2, 2)
    start = np.zeros((3, 4, 2))
    left, right, _ = tempering.parallel_tempering(
        start, *parameters, LADDER, left_noise, right_noise, 0 * swap_noise + 1
    )
    for k, t in enumerate(LADDER):
        one = boltzmann.block_gibbs(start[:, k], *tempered_at(parameters, t), left_noise[:, :, k], right_noise[:, :, k])
        np.testing.assert_array_equal(left[:, k], one[0])
        np.testing.assert_array_equal(right[:, k], one[1])


def test_parallel_tempering_draw_by_draw(implementation) -> None:
    """Twelve sweeps of the reference's loops with the same noise."""
    rng, parameters = np.random.default_rng(5), machine(13, 3, 4, 1.0)
    start, uniforms = rng.integers(0, 2, (3, 5, 4)), noise(rng, 12, 3, 5, 3, 4)
    ladder = np.array([0.0, 0.2, 0.5, 0.7, 1.0])
    wanted = tempering.parallel_tempering(start, *parameters, ladder, *uniforms)
    for got, right in zip(run(implementation, parameters, ladder, start, uniforms), wanted, strict=True):
        np.testing.assert_allclose(got, right, atol=1e-12)


@given(inputs.parallel_tempering())
def test_parallel_tempering_keeps_the_replicas(implementation, case) -> None:
    """Swaps accepted or not, the same states are there: only their order along the ladder differs."""
    case = {n: v[:1] if n.startswith("uniforms") else v for n, v in case.items()}
    sides = []
    for accept in (0.0, 1.0):
        got = implementation.call(
            "tempering.parallel_tempering", **{**case, "uniforms_swap": 0 * case["uniforms_swap"] + accept}
        )
        sides.append(got)
        both = np.concatenate(got[:2], axis=-1)
        sides[-1] = (np.sort(both @ 2.0 ** np.arange(both.shape[-1]), axis=1), got[2])
    np.testing.assert_array_equal(sides[0][0], sides[1][0])
    np.testing.assert_array_equal(sides[0][1], sides[1][1])


def test_parallel_tempering_has_the_law_of_every_temperature(implementation, rng) -> None:
    """100000 systems after 30 sweeps: states at each temperature, chi-square with false alarm 1e-4."""
    parameters, systems = machine(6, 2, 2, 1.5), 100_000
    right = np.zeros((systems, 4, 2))
    for _ in range(3):
        left, right, _ = run(implementation, parameters, LADDER, right, noise(rng, 10, systems, 4, 2, 2))
    codes = (left @ [8, 4] + right @ [2, 1]).astype(int)
    for k, t in enumerate(LADDER):
        found = np.bincount(codes[:, k], minlength=16)
        assert stats.chisquare(found, joint(tempered_at(parameters, t)).ravel() * systems).pvalue > 1e-4
        # A neighbouring temperature is told apart.
        other = joint(tempered_at(parameters, t + 0.1)).ravel()
        assert stats.chisquare(found, other * systems).pvalue < 1e-10
    # Neighbours are independent in equilibrium.
    table = np.histogram2d(codes[:, 2], codes[:, 3], bins=16)[0]
    assert stats.chi2_contingency(table[np.ix_(table.any(1), table.any(0))]).pvalue > 1e-4


@given(inputs.ladders(), st.integers(2, 8))
def test_adaptive_ladder_of_a_linear_barrier(ladder: np.ndarray, rungs: int) -> None:
    """Rejections in proportion to the spacing: the barrier is linear in t, and the new ladder is uniform."""
    got = tempering.adaptive_ladder(ladder, 0.8 * np.diff(ladder), rungs)
    np.testing.assert_allclose(got, np.linspace(0, 1, rungs), atol=1e-12)
    equal = tempering.adaptive_ladder(ladder, np.full(len(ladder) - 1, 0.25), len(ladder))
    np.testing.assert_allclose(equal, ladder, atol=1e-12)


def test_adaptive_ladder_equalises_rejections() -> None:
    """Energies with known exact law (a small machine, all pairs enumerated): five rounds from a uniform ladder."""
    parameters = machine(7, 4, 4, 3.0)
    energies = energies_of_all(parameters).ravel()

    def rejections(ladder) -> np.ndarray:
        log_p = -ladder[:, None] * energies
        p = np.exp(log_p - logsumexp(log_p, axis=1, keepdims=True))
        pairs = np.stack(np.broadcast_arrays(energies[:, None], energies), axis=-1)
        return np.array(
            [
                1 - p[k] @ tempering.swap_probability(pairs, ladder[k : k + 2])[..., 0] @ p[k + 1]
                for k in range(len(ladder) - 1)
            ]
        )

    ladder = np.linspace(0, 1, 8)
    before = rejections(ladder)
    for _ in range(5):
        ladder = tempering.adaptive_ladder(ladder, rejections(ladder), 8)
    after = rejections(ladder)
    assert before.max() / before.min() > 3
    assert after.max() / after.min() < 1.05
    assert (np.diff(ladder) > 0).all()


@given(inputs.adaptive_ladder())
def test_adaptive_ladder_rises_from_end_to_end(implementation, case) -> None:
    got = implementation.call("tempering.adaptive_ladder", **case)
    old = case["inverse_temperatures"]
    np.testing.assert_allclose(got[[0, -1]], old[[0, -1]], atol=1e-12)
    assert (np.diff(got) >= -1e-12).all()
    # In float32 too, however short the last interval is beside the whole barrier.
    narrow = implementation.call("tempering.adaptive_ladder", dtype="float32", **case)
    np.testing.assert_allclose(narrow[-1], old[-1], rtol=2.0**-22)


@given(st.floats(-20, 20), st.floats(-20, 20), st.sampled_from([0.25, 1.0]))
def test_bennett_of_two_samples(e: float, f: float, difference: float) -> None:
    """One sample a side: C = -(delta/2) (E + E')."""
    assert float(tempering.bennett([e], [f], difference)) == pytest.approx(-difference * (e + f) / 2, abs=1e-10)


@pytest.mark.parametrize(
    ("energies", "energies_next", "difference"),
    [
        ([0.001, 0.001, 0.0], [0.714, -1e-5, 0.288, -0.871], 0.0625),
        ([1e-3, 2e-3], [-1e-3], 0.25),
        ([1.0, -1.0, 0.25], [0.5, 0.0], 1.0),
        ([30.0, 25.0], [-40.0, -20.0, -30.0], 1.0),
        ([-12.0, 12.5, -11.0], [-12.0, 12.0, 11.5], 1.0),
    ],
)
def test_bennett_at_50_digits(implementation, energies, energies_next, difference: float) -> None:
    """Also where the root is near 0, and both sides of the equation are nearly the same number."""
    with mpmath.workdps(50):
        first, second = ([mpmath.mpf(e) * difference for e in side] for side in (energies, energies_next))
        odds = mpmath.mpf(len(first)) / len(second)

        def gap(c):
            left = sum(1 / (1 + odds * mpmath.exp(e + c)) for e in first)
            right = sum(1 / (1 + mpmath.exp(-e - c) / odds) for e in second)
            return mpmath.log(left / right)

        wanted = float(mpmath.findroot(gap, -(sum(first) / len(first) + sum(second) / len(second)) / 2))
    arguments = {"energies": np.array(energies), "energies_next": np.array(energies_next)}
    arguments["difference"] = np.array(difference)
    assert float(tempering.bennett(**arguments)) == pytest.approx(wanted, rel=1e-14, abs=0)
    assert float(implementation.call("tempering.bennett", **arguments)) == pytest.approx(wanted, rel=1e-14, abs=0)


@given(inputs.bennett())
def test_bennett_is_antisymmetric(case) -> None:
    """Exchanging the temperatures, with energies negated, changes its sign."""
    one = tempering.bennett(**case)
    two = tempering.bennett(-case["energies_next"], -case["energies"], case["difference"])
    assert float(one) == pytest.approx(-float(two), abs=1e-9)


@given(inputs.bennett(), st.sampled_from([0.5, 8.0]))
def test_bennett_follows_a_shift_of_the_energy(implementation, case, shift: float) -> None:
    moved = {**case, **{n: case[n] + shift for n in ("energies", "energies_next")}}
    one, two = (implementation.call("tempering.bennett", **c) for c in (case, moved))
    np.testing.assert_allclose(two - one, -case["difference"] * shift, atol=1e-9)


def exact_chains(parameters, ladder, size: int) -> np.ndarray:
    """Energies (size, 1, K) in which every state occurs as often as its probability says, to 1 in ``size``."""
    energies = energies_of_all(parameters).ravel()
    order = np.argsort(energies)
    columns = []
    for t in ladder:
        p = np.exp(-t * energies - logsumexp(-t * energies))[order]
        columns.append(
            energies[order][np.searchsorted(np.cumsum(p), (np.arange(size) + 0.5) / size).clip(0, len(p) - 1)]
        )
    return np.stack(columns, axis=-1)[:, None, :]


def test_log_partition_bar_with_exact_weights() -> None:
    parameters = machine(8, 3, 3, 2.0)
    got = tempering.log_partition_bar(exact_chains(parameters, LADDER, 200_000), LADDER, 6 * math.log(2))
    assert got == pytest.approx([float(boltzmann.log_partition(*parameters))], abs=2e-5)


def test_log_partition_ti_with_exact_moments() -> None:
    """The corrected trapezoids are of fourth order, the plain ones of second; both against enumeration."""
    parameters = machine(9, 4, 3, 1.5)
    exact, errors, plain = float(boltzmann.log_partition(*parameters)), [], []
    for rungs in (9, 17):
        ladder = np.linspace(0, 1, rungs)
        mean, variance = tempering.energy_moments(*parameters, ladder)
        # Two samples with this mean and this unbiased variance.
        energies = -mean + np.sqrt(variance / 2) * np.array([-1.0, 1.0])[:, None]
        got = float(tempering.log_partition_ti(energies[:, None, :], ladder, 7 * math.log(2))[0])
        errors.append(abs(got - exact))
        plain.append(abs(7 * math.log(2) + integrate.trapezoid(mean, ladder) - exact))
    assert errors[0] < 0.1 * plain[0]
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.3)
    assert plain[0] / plain[1] == pytest.approx(4, rel=0.1)


@given(inputs.log_partition_ti(), st.sampled_from(["bar", "ti"]))
def test_log_partition_estimates_of_a_constant_energy(implementation, case, estimator: str) -> None:
    """Energy c at every temperature: log Z(0) - c."""
    constant = {**case, "energies": np.full_like(case["energies"], 3.0)}
    got = implementation.call(f"tempering.log_partition_{estimator}", **constant)
    np.testing.assert_allclose(got, case["log_partition_base"] - 3.0, atol=1e-9)


@given(inputs.log_partition_bar(), st.sampled_from(["bar", "ti"]))
def test_log_partition_estimates_ignore_the_order(implementation, case, estimator: str) -> None:
    case = {**case, "energies": np.concatenate([case["energies"], case["energies"] + 1])}
    one, two = (
        implementation.call(f"tempering.log_partition_{estimator}", **{**case, "energies": e})
        for e in (case["energies"], case["energies"][::-1].copy())
    )
    np.testing.assert_allclose(one, two, atol=1e-9)


def test_log_partition_estimates_agree(implementation, rng) -> None:
    """Bennett, integration and annealing against enumeration on 6+5 units, within 4 standard errors."""
    parameters = machine(10, 6, 5, 0.8)
    exact, base = float(boltzmann.log_partition(*parameters)), 11 * math.log(2)
    ladder = np.linspace(0, 1, 9)
    energies = energies_of_systems(implementation, rng, parameters, ladder, systems=16, sweeps=1000)
    for estimator in (tempering.log_partition_bar, tempering.log_partition_ti):
        mean, error = tempering.replicates(estimator(energies, ladder, base))
        assert error < 0.01
        assert abs(float(mean) - exact) < 4 * error
    uniforms = rng.random((99, 2000, 6)), rng.random((100, 2000, 5))
    log_w = tempering.annealed_log_weights(*parameters, np.arange(1, 101) / 100, *uniforms)
    estimate, error = tempering.log_partition_ais(log_w, base)
    assert error < 0.02
    assert abs(float(estimate) - exact) < 4 * error


def test_log_partition_bar_is_calibrated(implementation, rng) -> None:
    """64 systems in 8 groups of 8: z-scores of the groups have a spread near one, and 64 systems have no bias."""
    parameters = machine(11, 4, 4, 0.8)
    exact, ladder = float(boltzmann.log_partition(*parameters)), np.linspace(0, 1, 5)
    energies = energies_of_systems(implementation, rng, parameters, ladder, systems=64, sweeps=300)
    estimates = tempering.log_partition_bar(energies, ladder, 8 * math.log(2))
    mean, error = tempering.replicates(estimates)
    assert abs(float(mean) - exact) < 4 * error
    groups, errors = tempering.replicates(estimates.reshape(8, 8))
    spread = np.std((groups - exact) / errors, ddof=1)
    # Chi-square with 7 degrees of freedom, widened for the t distribution of the scores.
    assert 0.3 < spread < 2.2


@given(inputs.replicates())
def test_replicates_match_scipy(case) -> None:
    mean, error = tempering.replicates(**case)
    np.testing.assert_allclose(mean, np.mean(case["estimates"], axis=0), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(error, stats.sem(case["estimates"], axis=0), rtol=1e-12)


@given(inputs.replicates(), st.sampled_from([0.5, 16.0]))
def test_replicates_scale(implementation, case, factor: float) -> None:
    one, two = (implementation.call("tempering.replicates", estimates=c * case["estimates"]) for c in (1.0, factor))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, factor * a, rtol=1e-9, atol=1e-9)


def test_annealed_weights_are_unbiased(rng) -> None:
    """Mean weight times 2^n is Z, for a crude ladder too; and the mean log estimate is low."""
    parameters, chains = machine(12, 3, 2, 1.0), 300_000
    ladder = np.array([0.25, 0.5, 1.0])
    log_w = tempering.annealed_log_weights(*parameters, ladder, rng.random((2, chains, 3)), rng.random((3, chains, 2)))
    exact = float(boltzmann.log_partition(*parameters)) - 5 * math.log(2)
    assert_mean(np.exp(log_w - exact), 1.0, planted=0.02)
    assert log_w.mean() < exact - 0.05


@given(inputs.annealed_log_weights())
def test_annealed_weights_without_couplings(case) -> None:
    """Only biases of the left layer: it is summed out, and every weight is exact."""
    free = {**case, "coupling": 0 * case["coupling"], "bias_right": 0 * case["bias_right"]}
    wanted = (np.logaddexp(0, case["bias_left"]) - math.log(2)).sum()
    np.testing.assert_allclose(tempering.annealed_log_weights(**free), wanted, rtol=1e-12, atol=1e-12)


@given(inputs.annealed_log_weights())
def test_annealed_weights_of_an_empty_machine(implementation, case) -> None:
    empty = {**case, **{n: 0 * case[n] for n in ("bias_left", "bias_right", "coupling")}}
    np.testing.assert_allclose(implementation.call("tempering.annealed_log_weights", **empty), 0, atol=1e-12)


@given(inputs.log_partition_ais())
def test_log_partition_ais_at_50_digits(case) -> None:
    estimate, error = tempering.log_partition_ais(**case)
    with mpmath.workdps(50):
        weights = [mpmath.exp(mpmath.mpf(float(w))) for w in case["log_weights"]]
        mean = mpmath.fsum(weights) / len(weights)
        variance = mpmath.fsum((w - mean) ** 2 for w in weights) / (len(weights) - 1)
        wanted = float(mpmath.mpf(float(case["log_partition_base"])) + mpmath.log(mean))
        assert float(error) == pytest.approx(float(mpmath.sqrt(variance / len(weights)) / mean), rel=1e-10)
    assert float(estimate) == pytest.approx(wanted, rel=1e-13, abs=1e-12)


@given(inputs.log_partition_ais(), st.sampled_from([0.5, 700.0]))
def test_log_partition_ais_follows_a_shift(implementation, case, shift: float) -> None:
    one, two = (
        implementation.call("tempering.log_partition_ais", **{**case, "log_weights": case["log_weights"] + c})
        for c in (0, shift)
    )
    np.testing.assert_allclose(two[0] - one[0], shift, atol=1e-9)
    np.testing.assert_allclose(two[1], one[1], rtol=1e-9)


ONE = {"bias_left": [0.0], "bias_right": [0.0], "coupling": [[0.0]], "inverse_temperatures": [0.0, 1.0]}


@pytest.mark.parametrize(
    ("function", "wrong", "message"),
    [
        (
            tempering.tempered,
            {"inverse_temperatures": [0.5, 0.2]},
            r"must be >= 0 and not decrease \(K,\), got \[0.5, 0.2\]",
        ),
        (tempering.tempered, {"inverse_temperatures": [-0.5]}, r"must be >= 0 and not decrease \(K,\), got \[-0.5\]"),
        (
            tempering.energy_moments,
            {"bias_left": np.zeros(11), "bias_right": np.zeros(10), "coupling": np.zeros((11, 10))},
            "at most 20 units to be enumerated, got 21",
        ),
        (
            tempering.parallel_tempering,
            {"right": np.zeros((1, 1, 1)), "uniforms_left": [], "uniforms_right": [], "uniforms_swap": []},
            r"right must have shape \(R, 2, 1\), got \(1, 1, 1\)",
        ),
        (
            tempering.annealed_log_weights,
            {"uniforms_left": np.zeros((2, 1, 1)), "uniforms_right": np.zeros((2, 1, 1))},
            "must have lengths 1 and 2, got 2 and 2",
        ),
    ],
)
def test_bad_machine_is_named(function, wrong, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(**{**ONE, **wrong})


def test_bad_numbers_are_named() -> None:
    with pytest.raises(ValueError, match=r"energies must hold 2 temperatures in the last axis, got shape \(3,\)"):
        tempering.swap_probability([0.0, 1.0, 2.0], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"must be at least 2 and increase strictly, got \[0.0, 0.0\]"):
        tempering.adaptive_ladder([0.0, 0.0], [0.5], 3)
    with pytest.raises(ValueError, match=r"rejections must have shape \(1,\), one per pair, got \(2,\)"):
        tempering.adaptive_ladder([0.0, 1.0], [0.5, 0.5], 3)
    with pytest.raises(ValueError, match=r"difference must be > 0, got 0.0"):
        tempering.bennett([0.0], [0.0], 0.0)
    with pytest.raises(ValueError, match="a sample at both temperatures, got 0 and 1"):
        tempering.bennett([], [0.0], 1.0)
    with pytest.raises(ValueError, match=r"shape \(samples >= 1, R, K\), got \(1, 2\)"):
        tempering.log_partition_bar([[0.0, 0.0]], [0.0, 1.0], 0.0)
    with pytest.raises(ValueError, match=r"shape \(samples >= 2, R, K\), got \(1, 1, 2\)"):
        tempering.log_partition_ti([[[0.0, 0.0]]], [0.0, 1.0], 0.0)
    with pytest.raises(ValueError, match=r"at least 2 systems \(R, ...\), got shape \(1,\)"):
        tempering.replicates([1.0])
    with pytest.raises(ValueError, match=r"at least 2 chains \(N,\), got shape \(1,\)"):
        tempering.log_partition_ais([0.0], 0.0)

"""Hermite polynomials, coefficients and quadrature."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from reference import hermite
from tests.conformance import functions
from tests.conformance.first_principles import gaussian_integral
from tests.conformance.functions import KINKED, SMOOTH, Exponential, Polynomial, TanhNetwork, worked_tanh
from tests.conformance.inputs import hermite as inputs

LINE = hermite.multi_indices(1, 20)
SEEDS = st.integers(0, 10_000)


def test_basis_matches_scipy() -> None:
    z = np.linspace(-6, 6, 41)
    got = hermite.basis(z, 20)
    for n, row in enumerate(got):
        np.testing.assert_allclose(
            row, special.eval_hermitenorm(n, z) / math.sqrt(math.factorial(n)), rtol=1e-11, atol=1e-11
        )
    np.testing.assert_allclose(got[2], (z**2 - 1) / math.sqrt(2), atol=1e-14)


def test_basis_is_orthonormal() -> None:
    points, weights = hermite.rule(64)
    table = hermite.basis(points[:, 0], 60)
    assert np.abs(table @ np.diag(weights) @ table.T - np.eye(61)).max() < 1e-12


@given(st.floats(-4, 4), st.floats(-0.8, 0.8))
def test_basis_generating_function(z: float, t: float) -> None:
    terms = [t**n / math.sqrt(math.factorial(n)) * h for n, h in enumerate(hermite.basis(z, 60))]
    assert sum(terms) == pytest.approx(math.exp(t * z - t**2 / 2), rel=1e-10)


def test_basis_derivative_lowers_the_degree() -> None:
    z, h = np.linspace(-3, 3, 7), 1e-5
    slope = (hermite.basis(z + h, 8) - hermite.basis(z - h, 8)) / (2 * h)
    wanted = np.sqrt(np.arange(1, 9))[:, None] * hermite.basis(z, 7)
    np.testing.assert_allclose(slope[1:], wanted, rtol=1e-7, atol=1e-7)


def test_basis_at_zero_and_its_corners() -> None:
    for n, value in enumerate(hermite.basis(0.0, 12)):
        assert value == pytest.approx(functions.hermite_at_zero(n) / math.sqrt(math.factorial(n)), abs=1e-15)
    assert hermite.basis(np.zeros((0, 3)), 4).shape == (5, 0, 3)
    assert hermite.basis([1, 2], 0).tolist() == [[1, 1]]
    assert hermite.basis(12.0, 60)[-1] == pytest.approx(4.2e14, rel=0.01)
    assert hermite.basis(20.0, 200)[-1] == pytest.approx(7.5e42, rel=0.01)


@pytest.mark.parametrize(("dims", "degree"), [(1, 12), (2, 10), (3, 5)])
def test_multi_basis_is_orthonormal(dims: int, degree: int) -> None:
    indices = hermite.multi_indices(dims, degree)
    points, weights = hermite.rule(degree + 2, dims)
    table = hermite.multi_basis(points, indices)
    assert np.abs(table.T @ (weights[:, None] * table) - np.eye(len(indices))).max() < 1e-11


@given(SEEDS)
def test_multi_basis_is_the_product(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, indices = rng.normal(size=(4, 3)), rng.integers(0, 5, size=(6, 3))
    for a, alpha in enumerate(indices):
        wanted = math.prod(hermite.basis(z[:, i], 5)[alpha[i]] for i in range(3))
        np.testing.assert_allclose(hermite.multi_basis(z, indices)[:, a], wanted, rtol=1e-13)


@pytest.mark.parametrize(("dims", "degree"), [(0, 0), (0, 3), (1, 4), (2, 5), (3, 3)])
def test_multi_indices_are_counted_by_the_binomial(dims: int, degree: int) -> None:
    indices = hermite.multi_indices(dims, degree)
    assert len(indices) == math.comb(dims + degree, dims) == len({tuple(row) for row in indices})
    assert (np.diff(indices.sum(1)) >= 0).all()


def test_multi_indices_are_graded_lexicographic() -> None:
    wanted = [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0)]
    assert [tuple(row) for row in hermite.multi_indices(2, 2)] == wanted
    assert hermite.total_degree(hermite.multi_indices(2, 2)).tolist() == [0, 1, 1, 2, 2, 2]


def test_total_degree_is_the_polynomial_degree() -> None:
    """Along a ray t z the highest power of t in h_alpha is |alpha|."""
    indices = hermite.multi_indices(2, 4)
    t = np.array([1e4, 2e4])
    values = np.abs(hermite.multi_basis(t[:, None] * np.array([0.6, 0.8]), indices))
    slope = np.log2(values[1] / values[0])
    np.testing.assert_allclose(slope, hermite.total_degree(indices), atol=1e-6)


def test_polynomial_has_its_coefficients() -> None:
    """z1^2 z2 - 2 z2 + 1 = 1 - h_(0,1) + sqrt(2) h_(2,1)."""
    indices = hermite.multi_indices(2, 5)
    found = hermite.coefficients(lambda z: z[..., 0] ** 2 * z[..., 1] - 2 * z[..., 1] + 1, indices, 12)
    wanted = {(0, 0): 1.0, (0, 1): -1.0, (2, 1): math.sqrt(2)}
    np.testing.assert_allclose(found, [wanted.get(tuple(map(int, alpha)), 0.0) for alpha in indices], atol=1e-12)


def test_rule_moments_are_double_factorials() -> None:
    points, weights = hermite.rule(16)
    for p in range(12):
        assert weights @ points[:, 0] ** (2 * p) == pytest.approx(special.factorial2(2 * p - 1) if p else 1, rel=1e-11)
        assert weights @ points[:, 0] ** (2 * p + 1) == pytest.approx(0, abs=1e-5 * special.factorial2(2 * p + 1))


def test_rule_at_50_digits(implementation) -> None:
    """Nodes by Newton from the roots found, weights by Christoffel's sum; also weights of 1e-32 keep their digits."""

    def exact(nodes: int, start: np.ndarray) -> tuple[list[float], list[float]]:
        def table(x: mpmath.mpf) -> list[mpmath.mpf]:
            h = [mpmath.mpf(1), x]
            for n in range(1, nodes):
                h.append((x * h[n] - mpmath.sqrt(n) * h[n - 1]) / mpmath.sqrt(n + 1))
            return h

        points, weights = [], []
        for x in map(mpmath.mpf, start.tolist()):
            for _ in range(6):
                h = table(x)
                x -= h[nodes] / (mpmath.sqrt(nodes) * h[nodes - 1])
            points.append(float(x))
            weights.append(float(1 / mpmath.fsum(v**2 for v in table(x)[:nodes])))
        return points, weights

    for nodes in (2, 5, 10, 33, 60):
        for points, weights in (hermite.rule(nodes), implementation.call("hermite.rule", nodes=nodes)):
            with mpmath.workdps(50):
                wanted = exact(nodes, points[:, 0])
            np.testing.assert_allclose(points[:, 0], wanted[0], rtol=1e-14, atol=1e-15)
            np.testing.assert_allclose(weights, wanted[1], rtol=2e-12)


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_rule_stops_being_exact(nodes: int) -> None:
    points, weights = hermite.rule(nodes)
    exact = special.factorial2(2 * nodes - 1)
    assert abs(weights @ points[:, 0] ** (2 * nodes) / exact - 1) > 1e-3


def test_rule_matches_scipy() -> None:
    wanted, scaled = special.roots_hermitenorm(200)
    points, weights = hermite.rule(200)
    np.testing.assert_allclose(points[:, 0], wanted, atol=1e-11)
    np.testing.assert_allclose(weights, scaled / math.sqrt(2 * math.pi), atol=1e-14)


@pytest.mark.parametrize("f", [*SMOOTH], ids=lambda f: type(f).__name__)
def test_inner_product_matches_adaptive_quadrature(f) -> None:
    wanted = gaussian_integral(lambda z: f(np.array([z])) * math.cos(z))
    assert float(hermite.inner_product(f, lambda z: np.cos(z[..., 0]), 80)) == pytest.approx(wanted, abs=1e-9)


def test_inner_product_of_exponentials() -> None:
    """E exp(s z) exp(t z) = exp((s + t)^2 / 2), per variable."""
    for dims in (1, 2):
        got = hermite.inner_product(Exponential(0.5), Exponential(0.75), 30, dims)
        assert float(got) == pytest.approx(math.exp(dims * 1.25**2 / 2), rel=1e-12)


@pytest.mark.parametrize("f", SMOOTH, ids=lambda f: type(f).__name__)
def test_coefficients_match_closed_forms(f) -> None:
    wanted = [f.coefficient(int(k)) for k in LINE[:, 0]]
    np.testing.assert_allclose(hermite.coefficients(f, LINE, 120), wanted, atol=1e-10)


@pytest.mark.parametrize("f", KINKED, ids=lambda f: type(f).__name__)
def test_coefficients_of_kinked_functions_by_split_quadrature(f) -> None:
    """A rule converges only like 1/nodes at a kink: split quadrature checks the closed form, the rule is loose."""
    for k in range(8):
        split = gaussian_integral(lambda z, k=k: float(f(np.array([z]))) * hermite.basis(z, 8)[k], kinks=(0.0,))
        assert f.coefficient(k) == pytest.approx(split, abs=1e-10)
    errors = [abs(hermite.coefficients(f, LINE[:2], m)[1] - f.coefficient(1)) for m in (32, 256)]
    assert errors[1] < errors[0] / 4 + 1e-12


@given(SEEDS)
def test_expansion_returns_polynomials(seed: int) -> None:
    f = Polynomial.random(seed, 2, degree=6)
    indices = hermite.multi_indices(2, 6)
    z = np.random.default_rng(seed).normal(size=(5, 2))
    got = hermite.expand(hermite.coefficients(f, indices, 16), indices, z)
    np.testing.assert_allclose(got, f(z), atol=1e-9 * (1 + np.abs(f(z)).max()))


def test_expansion_residual_is_the_plancherel_deficit() -> None:
    points, weights = hermite.rule(200)
    full, last = weights @ worked_tanh(points) ** 2, np.inf
    for degree in (0, 3, 10, 40, 60):
        indices = hermite.multi_indices(1, degree)
        found = hermite.coefficients(worked_tanh, indices, 200)
        residual = weights @ (worked_tanh(points) - hermite.expand(found, indices, points)) ** 2
        assert residual == pytest.approx(full - hermite.squared_norm(found), abs=1e-10)
        assert residual <= last
        last = residual
    assert math.sqrt(last / full) < 1e-2


@given(SEEDS)
def test_plancherel(seed: int) -> None:
    f, g = Polynomial.random(seed, 2, degree=6), Polynomial.random(seed + 1, 2, degree=6)
    indices = hermite.multi_indices(2, 6)
    cf, cg = (hermite.coefficients(h, indices, 16) for h in (f, g))
    norm = hermite.inner_product(f, f, 16, 2)
    np.testing.assert_allclose(hermite.squared_norm(cf), norm, rtol=1e-10)
    np.testing.assert_allclose(cf @ cg, hermite.inner_product(f, g, 16, 2), rtol=1e-9, atol=1e-9 * (1 + norm))


def test_plancherel_of_exponential() -> None:
    for t in (0.1, 0.5, 1.0):
        found = [Exponential(t).coefficient(k) for k in range(60)]
        assert hermite.squared_norm(found) == pytest.approx(math.exp(2 * t**2), rel=1e-12)


def test_bessel_falls_short() -> None:
    """The 2-D tanh example of the specification: degree 14 per axis captures 0.303785 of 0.304638."""
    found = hermite.coefficients(worked_tanh, hermite.multi_indices(1, 14), 200)
    assert hermite.squared_norm(found) < hermite.inner_product(worked_tanh, worked_tanh, 200)


@given(SEEDS)
def test_moments_match_quadrature(seed: int) -> None:
    f = Polynomial.random(seed, 2, degree=6)
    indices = hermite.multi_indices(2, 6)
    found = hermite.coefficients(f, indices, 16)
    points, weights = hermite.rule(16, 2)
    mean = weights @ f(points)
    spread = weights @ (f(points) - mean) ** 2
    assert float(hermite.mean(found, indices)) == pytest.approx(mean, abs=1e-10 * (1 + spread))
    assert float(hermite.variance(found, indices)) == pytest.approx(spread, rel=1e-10, abs=1e-10)


def test_moments_of_exponential() -> None:
    t, indices = 0.6, hermite.multi_indices(1, 50)
    found = hermite.coefficients(Exponential(t), indices, 110)
    assert float(hermite.mean(found, indices)) == pytest.approx(math.exp(t**2 / 2), rel=1e-13)
    assert float(hermite.variance(found, indices)) == pytest.approx(math.exp(t**2) * math.expm1(t**2), rel=1e-12)


@given(SEEDS, st.floats(0, 2 * math.pi))
def test_spectral_profile_is_rotation_invariant(seed: int, angle: float) -> None:
    f, indices = Polynomial.random(seed, 2, degree=5), hermite.multi_indices(2, 5)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    plain, turned = (
        hermite.spectral_profile(hermite.coefficients(g, indices, 12), indices) for g in (f, lambda z: f(z @ turn))
    )
    np.testing.assert_allclose(turned, plain, rtol=1e-8, atol=1e-8 * (1 + plain.max()))
    np.testing.assert_allclose(plain.sum(), hermite.inner_product(f, f, 12, 2), rtol=1e-10)


def test_spectral_profile_of_exponential() -> None:
    """For exp(t (z1 + z2)) the degree-d weight is exp(2 t^2) (2 t^2)^d / d!: a Poisson law times the norm."""
    t, indices = 0.5, hermite.multi_indices(2, 8)
    profile = hermite.spectral_profile(hermite.coefficients(Exponential(t), indices, 30), indices)
    wanted = [math.exp(2 * t**2) * (2 * t**2) ** d / math.factorial(d) for d in range(9)]
    np.testing.assert_allclose(profile, wanted, rtol=1e-9)


@given(inputs.basis())
def test_basis_has_parity(implementation, case) -> None:
    sign = (-1.0) ** np.arange(case["degree"] + 1).reshape(-1, *[1] * case["z"].ndim)
    got = implementation.call("hermite.basis", **{**case, "z": -case["z"]})
    np.testing.assert_allclose(got, sign * implementation.call("hermite.basis", **case), rtol=1e-12, atol=1e-12)


@given(inputs.with_indices())
def test_mean_and_variance_make_the_norm(implementation, case) -> None:
    mean, variance = (implementation.call(f"hermite.{name}", **case) for name in ("mean", "variance"))
    norm = implementation.call("hermite.squared_norm", coefficients=case["coefficients"])
    np.testing.assert_allclose(mean**2 + variance, norm, rtol=1e-12, atol=1e-12)


@given(inputs.networks(2), st.integers(5, 20))
def test_constant_shifts_only_the_mean_coefficient(implementation, f: TanhNetwork, nodes: int) -> None:
    indices = hermite.multi_indices(2, 2)
    plain, shifted = (
        implementation.call("hermite.coefficients", f=g, indices=indices, nodes=nodes) for g in (f, lambda z: f(z) + 3)
    )
    np.testing.assert_allclose(shifted - plain, [[3.0, 3.0]] + [[0.0, 0.0]] * (len(indices) - 1), atol=1e-10)

"""Checks of Sections 2.1 and 2.2: Hermite expansions and the Ornstein-Uhlenbeck operator.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics.
"""

from __future__ import annotations

import math

import numpy as np

from reference import hermite, ornstein_uhlenbeck
from reference.hermite import Array, Function
from reproductions.hvae._functions import (
    Known,
    Networks,
    Polynomials,
    known_functions,
    largest,
    line_coefficients,
    split_rule,
    worked_mean,
    worked_tanh,
)

Metrics = dict[str, float]
RHO_GRID = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)
DRAWS = 100_000


def hermite_basis_orthonormal(rng: np.random.Generator) -> Metrics:
    """Gram matrix, h_2 as printed by the specification, completeness on tanh(2z + 0.3)."""
    points, weights = hermite.rule(64)
    table = hermite.basis(points[:, 0], 60)
    z = np.linspace(-6, 6, 1201)
    fine, fine_weights = split_rule(width=0.1)
    wanted = worked_tanh(fine[:, None])
    values = line_coefficients(worked_tanh, 60, 200)
    partial = np.cumsum(values[:, None] * hermite.basis(fine, 60), axis=0)
    residual = np.sqrt((wanted - partial) ** 2 @ fine_weights / (wanted**2 @ fine_weights))
    return {
        "gram_error": largest((table * weights) @ table.T - np.eye(61)),
        "h2_error": largest(hermite.basis(z, 2)[2] - (z**2 - 1) / math.sqrt(2)),
        "tanh_residual": float(residual[-1]),
        "residual_increases": int(np.sum(np.diff(residual) > 0)),
    }


def multi_index_product_basis(rng: np.random.Generator) -> Metrics:
    """Gram matrices of the product basis in two and three variables."""
    gram, count = [], []
    for dims, degree in ((2, 10), (3, 5)):
        indices = hermite.multi_indices(dims, degree)
        points, weights = hermite.rule(degree + 2, dims)
        table = hermite.multi_basis(points, indices)
        gram.append(largest(table.T @ (weights[:, None] * table) - np.eye(len(indices))))
        count.append(len(indices) - math.comb(dims + degree, dims))
    return {"gram_error": max(gram), "index_count_error": largest(*count)}


def coefficients_by_inner_product(rng: np.random.Generator) -> Metrics:
    """Closed-form coefficients against quadrature, and the residual norm against the Plancherel deficit."""
    coefficient, deficit = [], []
    indices = hermite.multi_indices(1, 20)
    wanted_names = ("exp", "cos", "sin", "sign", "relu", "normal cdf")
    for f in (known for known in known_functions() if known.name in wanted_names):
        closed = np.array([f.coefficient(k) for k in range(21)])
        points, weights = split_rule(f.kink)
        if f.kink is None:
            found = hermite.coefficients(f, indices, 100)
        else:
            found = hermite.basis(points, 20) @ (weights * f.at(points))
        coefficient.append(largest(found - closed))
        series = hermite.expand(closed, indices, points[:, None])
        deficit.append(weights @ (f.at(points) - series) ** 2 - (f.mean_square - hermite.squared_norm(closed)))
    return {"coefficient_error": max(coefficient), "deficit_error": largest(*deficit)}


def plancherel(rng: np.random.Generator) -> Metrics:
    """1000 random polynomials against the moments of the Gaussian, and exp(tz)."""
    gaps = []
    for dims in (1, 2):
        f = Polynomials.random(rng, 500, 12, dims)
        found = hermite.squared_norm(hermite.coefficients(f, hermite.multi_indices(dims, 12), 26))
        exact = f.mean_square()
        by_rule = hermite.inner_product(f, f, 26, dims)
        gaps.append(largest(found / exact - 1, found / by_rule - 1))
    times = np.array([0.1, 0.25, 0.5, 0.75, 1.0])
    found = hermite.squared_norm(hermite.coefficients(lambda z: np.exp(times * z), hermite.multi_indices(1, 60), 150))
    return {"polynomial_gap": max(gaps), "exponential_gap": largest(found / np.exp(2 * times**2) - 1)}


def ou_operator_definition(rng: np.random.Generator) -> Metrics:
    """The operator at 50 points against its closed forms, by quadrature and by Monte Carlo."""
    z = np.linspace(-3, 3, 50)
    quadrature, sampling = [], []
    for rho in RHO_GRID:
        fresh = rng.standard_normal(DRAWS)
        for f in known_functions():
            wanted = f.under_operator(z, rho)
            quadrature.append(largest(_apply(f, z, rho) - wanted))
            second = _apply(Known(f.name, _squared(f), f.coefficient, f.smoothed, 0.0, f.kink), z, rho)
            spread = np.sqrt(np.maximum(second - wanted**2, 0))
            sampling.append(_standard_errors(f, z, rho, fresh, wanted, spread))
    return {"quadrature_error": max(quadrature), "mc_standard_errors": max(sampling)}


def _squared(f: Known) -> Function:
    return lambda z: f.at(z) ** 2


def _apply(f: Known, z: Array, rho: float) -> Array:
    """U_rho f(z) by Gauss-Hermite quadrature, or with panels split where the argument crosses the kink."""
    if f.kink is None:
        return ornstein_uhlenbeck.operator(f, z[:, None], rho, 100)
    spread = math.sqrt(1 - rho**2)
    values = []
    for point in z:
        nodes, weights = split_rule((f.kink - rho * point) / spread if spread else None)
        values.append(weights @ f.at(rho * point + spread * nodes))
    return np.array(values)


def _standard_errors(f: Known, z: Array, rho: float, fresh: Array, wanted: Array, spread: Array) -> float:
    """Largest distance of the Monte Carlo estimate from the closed form, in standard errors."""
    worst = 0.0
    for point, exact, known_spread in zip(z, wanted, spread, strict=True):
        values = f.at(rho * point + math.sqrt(1 - rho**2) * fresh)
        # Both spreads, because a rare jump may be missed by the sample (or be the only one in it); at rho = 1 both
        # vanish and rounding is what is left.
        error = max(float(values.std()), float(known_spread)) / math.sqrt(len(fresh)) + 1e-12 * (1 + abs(exact))
        worst = max(worst, abs(float(values.mean()) - float(exact)) / error)
    return worst


def semigroup(rng: np.random.Generator) -> Metrics:
    """Composition, the Mehler kernel, the identity and self-adjointness."""
    f, g = Polynomials.random(rng, 20, 10), Polynomials.random(rng, 20, 10)
    z = np.linspace(-3, 3, 21)[:, None]
    pairs = ((0.3, 0.9), (0.5, 0.5), (0.7, 0.6), (0.95, 0.2), (1.0, 0.4), (0.0, 0.4))
    composition, kernel, adjoint = [], [], []
    points, weights = hermite.rule(24)
    fine, fine_weights = split_rule(width=0.1)
    for a, b in pairs:
        twice = ornstein_uhlenbeck.operator(_smoothed(f, b, 24), z, a, 24)
        composition.append(largest(twice - ornstein_uhlenbeck.operator(f, z, a * b, 24)))
        one = np.asarray(f(points)) * ornstein_uhlenbeck.operator(g, points, a, 24)
        two = ornstein_uhlenbeck.operator(f, points, a, 24) * np.asarray(g(points))
        adjoint.append(largest(weights @ (one - two)))
        if a < 1:
            x = np.linspace(-2, 2, 9)[:, None, None]
            through = [ornstein_uhlenbeck.mehler_kernel(x, fine[:, None], rho) for rho in (a, b)]
            joint = (through[0] * fine_weights) @ through[1].T
            kernel.append(largest(joint - ornstein_uhlenbeck.mehler_kernel(x, x[:, 0], a * b)))
    return {
        "composition_error": max(composition),
        "chapman_kolmogorov_error": max(kernel),
        "identity_error": largest(ornstein_uhlenbeck.operator(f, z, 1.0, 24) - f(z)),
        "self_adjoint_error": max(adjoint),
    }


def _smoothed(f: Function, rho: float, nodes: int) -> Function:
    """U_rho f as a function of points (..., n), by quadrature."""

    def smooth(z: Array) -> Array:
        values = ornstein_uhlenbeck.operator(f, z.reshape(-1, z.shape[-1]), rho, nodes)
        return values.reshape(*z.shape[:-1], *values.shape[1:])

    return smooth


def ou_decays_coefficients_by_degree(rng: np.random.Generator) -> Metrics:
    """Coefficients of the smoothed function, by quadrature of the operator, against powers of rho."""
    one, two = hermite.multi_indices(1, 12), hermite.multi_indices(2, 8)
    waves = tuple(f for f in known_functions() if f.name in ("exp", "cos", "sin"))
    smooth: list[tuple[Function, hermite.Indices, int]] = [(f, one, 60) for f in waves]
    smooth += [(_along_diagonal(f), two, 24) for f in waves]
    smooth += [(Polynomials.random(rng, 20, 10), one, 24), (Polynomials.random(rng, 10, 6, 2), two, 16)]
    errors = [_decay_error(f, indices, nodes, rho) for f, indices, nodes in smooth for rho in (0.0, 0.3, 0.7, 0.9, 1.0)]
    tanh = [_decay_error(worked_tanh, hermite.multi_indices(1, 60), 200, rho) for rho in (0.0, 0.5, 0.9)]
    return {"coefficient_error": max(errors), "tanh_error": max(tanh)}


def _along_diagonal(f: Known) -> Function:
    """A function of two variables that is ``f`` along the unit diagonal."""
    return lambda z: f.at(z.sum(-1) / math.sqrt(2))


def _decay_error(f: Function, indices: hermite.Indices, nodes: int, rho: float) -> float:
    found = hermite.coefficients(_smoothed(f, rho, nodes), indices, nodes)
    return largest(found - ornstein_uhlenbeck.on_coefficients(hermite.coefficients(f, indices, nodes), indices, rho))


def mean_preserved(rng: np.random.Generator) -> Metrics:
    """E of the smoothed function, by two quadratures, against the exact mean."""
    strengths = (0.0, 0.3, 0.7, 0.95, 1.0)
    polynomials = Polynomials.random(rng, 20, 10)
    waves = tuple(f for f in known_functions() if f.name in ("exp", "cos", "sin"))
    cases: list[tuple[Function, Array]] = [(polynomials, polynomials.mean())]
    cases += [(f, np.asarray(f.coefficient(0))) for f in waves]
    plain, affine = [], []
    points, weights = hermite.rule(60)
    fine, fine_weights = split_rule(width=0.1)
    for rho in strengths:
        plain += [largest(weights @ _smoothed(f, rho, 60)(points) - wanted) for f, wanted in cases]
        for mean, scale in ((0.4, 0.6), (-1.0, 1.3)):
            for f, _ in cases:
                z = mean + scale * points
                smoothed = ornstein_uhlenbeck.affine_operator(f, z, [mean], [scale], rho, 60)
                wanted = fine_weights @ np.asarray(f((mean + scale * fine)[:, None]))
                affine.append(largest(weights @ smoothed - wanted))
    networks = Networks.random(rng, 200)
    exact = fine_weights @ networks(fine[:, None])
    by_nodes = [max(_network_mean_error(networks, exact, rho, nodes) for rho in strengths) for nodes in (64, 128, 200)]
    return {
        "polynomial_error": max(plain),
        "affine_error": max(affine),
        "network_error": by_nodes[-1],
        "network_error_increases": int(np.sum(np.diff(by_nodes) > 0)),
    }


def _network_mean_error(networks: Networks, exact: Array, rho: float, nodes: int) -> float:
    points, weights = hermite.rule(nodes)
    return largest(weights @ ornstein_uhlenbeck.operator(networks, points, rho, nodes) - exact)


def interpolates_variable_and_expectation(rng: np.random.Generator) -> Metrics:
    """Both end points, both norms along rho, and their limits for Lipschitz functions."""
    polynomials = Polynomials.random(rng, 20, 10)
    z = np.linspace(-3, 3, 21)[:, None]
    ends = largest(
        ornstein_uhlenbeck.operator(polynomials, z, 1.0, 24) - polynomials(z),
        ornstein_uhlenbeck.operator(polynomials, z, 0.0, 24) - polynomials.mean(),
    )
    lipschitz: list[Function] = [worked_tanh, *(f for f in known_functions() if f.name in ("cos", "sin", "normal cdf"))]
    grid = np.linspace(0, 1, 50)
    violations, limits = 0, []
    functions: list[Function] = [*lipschitz, polynomials]
    for f in functions:
        norms = np.array([_distances(f, rho) for rho in grid])
        # Norms on a quadrature grid: a step against the order that is pure rounding does not count.
        violations += int(np.sum(np.diff(norms[:, 0], axis=0) < -1e-12) + np.sum(np.diff(norms[:, 1], axis=0) > 1e-12))
    for f in lipschitz:
        limits += [_distances(f, 1e-4)[0], _distances(f, 1 - 1e-6)[1]]
    return {"end_point_error": ends, "monotonicity_violations": violations, "limit_distance": largest(*limits)}


def _distances(f: Function, rho: float) -> tuple[Array, Array]:
    """Norms of U_rho f - E f and of U_rho f - f."""
    points, weights = hermite.rule(100)
    values = np.asarray(f(points))
    smoothed = ornstein_uhlenbeck.operator(f, points, rho, 100)
    return np.sqrt(weights @ (smoothed - weights @ values) ** 2), np.sqrt(weights @ (smoothed - values) ** 2)


def mean_variance_from_coefficients(rng: np.random.Generator) -> Metrics:
    """Mean and variance from coefficients, against exact moments and (tanh) another quadrature."""
    errors = []
    for dims, degree in ((1, 12), (2, 8)):
        f, indices = Polynomials.random(rng, 100, degree, dims), hermite.multi_indices(dims, degree)
        found = hermite.coefficients(f, indices, 2 * degree + 2)
        errors.append(hermite.mean(found, indices) - f.mean())
        errors.append(hermite.variance(found, indices) - (f.mean_square() - f.mean() ** 2))
    found, line = line_coefficients(worked_tanh, 150, 200), hermite.multi_indices(1, 150)
    mean, variance = _exact_moments(worked_tanh)
    return {
        "polynomial_error": largest(*errors),
        "tanh_error": largest(hermite.mean(found, line) - mean, hermite.variance(found, line) - variance),
    }


def _exact_moments(f: Function) -> tuple[Array, Array]:
    """Mean and variance with panels fine enough for tanh."""
    points, weights = split_rule(width=0.1)
    values = np.asarray(f(points[:, None]))
    mean = weights @ values
    return mean, weights @ (values - mean) ** 2


def variance_decays_by_degree(rng: np.random.Generator) -> Metrics:
    """Variance of the smoothed function by quadrature, its bound, and the printed middle member."""
    rho = 0.8
    polynomials, indices = Polynomials.random(rng, 500, 10), hermite.multi_indices(1, 10)
    networks, affine = Networks.random(rng, 500), Polynomials.random(rng, 50, 1)
    found = hermite.coefficients(polynomials, indices, 24)
    errors = [
        _variance(polynomials, s, 24)[1] - ornstein_uhlenbeck.variance(found, indices, s) for s in (0.0, 0.3, rho, 1.0)
    ]
    line, series = hermite.multi_indices(1, 150), line_coefficients(worked_tanh, 150, 200)
    full, smoothed = _variance(worked_tanh, rho, 200)
    gaps, straight = [], []
    for strength in (0.3, rho):
        for f, nodes in ((polynomials, 24), (networks, 200)):
            plain, smooth = _variance(f, strength, nodes)
            gaps.append(strength**2 * plain - smooth)
        plain, smooth = _variance(affine, strength, 24)
        straight.append(strength**2 * plain - smooth)
    gap, line_gap = np.concatenate(gaps), np.concatenate(straight)
    return {
        "polynomial_error": largest(*errors),
        "tanh_error": largest(smoothed - ornstein_uhlenbeck.variance(series, line, rho)),
        "bound_violations": int(np.sum(gap < -1e-12) + np.sum(line_gap < -1e-12)),
        "equality_violations": int(np.sum(np.abs(gap) < 1e-10) + np.sum(np.abs(line_gap) > 1e-10)),
        "printed_member": float(full),
        "smoothed_variance": float(smoothed),
    }


def _variance(f: Function, rho: float, nodes: int) -> tuple[Array, Array]:
    """Variance of f and of U_rho f, both by quadrature."""
    points, weights = hermite.rule(nodes)
    both = np.asarray(f(points)), ornstein_uhlenbeck.operator(f, points, rho, nodes)
    plain, smooth = (weights @ (values - weights @ values) ** 2 for values in both)
    return plain, smooth


def smoothed_function_is_smoother(rng: np.random.Generator) -> Metrics:
    """Gradient of the smoothed network by differences, and its degree profile by quadrature."""
    rho, nodes, h = 0.8, 200, 2e-3
    networks = Networks.random(rng, 200)
    points, weights = hermite.rule(nodes)
    shifts = {k: ornstein_uhlenbeck.operator(networks, points + k * h, rho, nodes) for k in (-2, -1, 0, 1, 2)}
    slope = (shifts[-2] - 8 * shifts[-1] + 8 * shifts[1] - shifts[2]) / (12 * h)
    excess = weights @ slope**2 - rho**2 * (weights @ networks.slope(points) ** 2)
    table = hermite.basis(points[:, 0], 20) * weights
    before, after = (table @ networks(points)) ** 2, (table @ shifts[0]) ** 2
    ratio = after.sum(1) / before.sum(1)
    return {
        "dirichlet_excess": max(0.0, float(excess.max())),
        "profile_error": largest(after - rho ** (2 * np.arange(21)[:, None]) * before),
        "profile_increases": int(np.sum(np.diff(ratio) > 0)),
    }


def monte_carlo_average_estimates_ou(rng: np.random.Generator) -> Metrics:
    """Bias and mean squared error of the K-sample estimate, and the rate of the error in K."""
    bias, error, slopes = [], [], []
    line = hermite.multi_indices(1, 150)
    counts = (1, 2, 5, 10, 20)
    for rho in (0.5, 0.9):
        lost = ornstein_uhlenbeck.variance_lost(line_coefficients(worked_tanh, 150, 200), line, rho)
        z = rng.standard_normal((DRAWS, 1))
        exact = _smoothed(worked_tanh, rho, 100)(z)
        squares = []
        for samples in counts:
            fresh = rng.standard_normal((samples, DRAWS, 1))
            miss = ornstein_uhlenbeck.monte_carlo(worked_tanh, z, fresh, rho) - exact
            squares.append(np.mean(miss**2))
            if samples in (1, 5, 10):
                bias.append(_z_score(miss, 0.0))
                error.append(_z_score(miss**2, float(lost) / samples))
        slopes.append(float(np.polyfit(np.log(counts), np.log(squares), 1)[0]))
    return {
        "bias_standard_errors": max(bias),
        "error_standard_errors": max(error),
        "slope": max(slopes, key=lambda s: abs(s + 1)),
    }


def _z_score(values: Array, expected: float) -> float:
    return abs(float(values.mean()) - expected) / (float(values.std(ddof=1)) / math.sqrt(values.size))


def five_to_ten_samples_realised_smoothing(rng: np.random.Generator) -> Metrics:
    """Share of the smoothing bias that the expected K-sample objective realises, by quadrature over z and z'."""
    rho, z1, nodes = 0.9, 0.7, 100
    points, weights = hermite.rule(nodes)

    def mean(e: Array) -> Array:
        return worked_mean(0.4 + 0.6 * e)[..., 0]

    smoothed = ornstein_uhlenbeck.operator(mean, points, rho, nodes)
    second = ornstein_uhlenbeck.operator(lambda e: mean(e) ** 2, points, rho, nodes)
    full = weights @ (z1 - mean(points)) ** 2
    ideal = weights @ (z1 - smoothed) ** 2

    def fraction(samples: int) -> float:
        # Given z, the average of K copies has mean U mu and variance (U mu^2 - (U mu)^2) / K.
        expected = weights @ ((z1 - smoothed) ** 2 + (second - smoothed**2) / samples)
        return float((full - expected) / (full - ideal))

    return {f"fraction_k{samples}": fraction(samples) for samples in (1, 5, 10)}

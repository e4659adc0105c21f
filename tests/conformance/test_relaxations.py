"""Smoothing transformations: inverse distribution functions where they are hard, their derivatives, their limits."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import integrate, optimize, special, stats

from reference import relaxations
from tests.conformance.first_principles import assert_mean, at_50_digits
from tests.conformance.inputs import relaxations as inputs

EPS = 2.0**-52
BETAS = [1e-6, 1e-3, 0.5, 3.0, 8.0, 40.0, 100.0, 1e3]
SCALES = [10.0, 1.0, 0.1, 0.02, 1e-3, 1e-6]
RHO = np.array([1e-300, 1e-30, 1e-8, 0.01, 0.25, 0.5, 0.7, 0.99, 1 - 2.0**-30, 1 - 2.0**-53])
LOGITS = np.array([-100.0, -20.0, -2.5, -1e-3, 0.0, 0.3, 4.0, 30.0, 100.0])
SETTINGS = {"spike_exp": 5.0, "overlap_exp": 8.0, "overlap_logistic": 0.1, "normal": 0.2}
CURVE_Q = [0.1, 0.25, 0.5, 0.75, 0.9]
# family, setting, sample and slope at CURVE_Q for rho = 0.25
CURVES = [
    ("concrete", 1.0, [0.0357, 0.1, 0.25, 0.5, 0.75], [0.383, 0.48, 0.75, 1.333, 2.083]),
    ("concrete", 2 / 3, [0.0071, 0.0357, 0.1614, 0.5, 0.8386], [0.117, 0.276, 0.812, 2.0, 2.256]),
    ("concrete", 1 / 3, [0.0001, 0.0014, 0.0357, 0.5, 0.9643], [0.002, 0.022, 0.413, 4.0, 1.148]),
    ("spike_exp", 5.0, [0, 0, 0, 0, 0.6483], [0, 0, 0, 0, 1.068]),
    ("spike_exp", 8.0, [0, 0, 0, 0, 0.7762], [0, 0, 0, 0, 0.693]),
    ("spike_exp", 10.0, [0, 0, 0, 0, 0.8208], [0, 0, 0, 0, 0.555]),
    ("overlap_exp", 5.0, [0.0645, 0.0801, 0.1347, 0.3996, 0.6523], [0.084, 0.129, 0.370, 2.308, 0.978]),
    ("overlap_exp", 8.0, [0.0407, 0.0507, 0.0865, 0.4327, 0.7764], [0.053, 0.083, 0.249, 7.551, 0.690]),
    ("overlap_exp", 10.0, [0.0325, 0.0405, 0.0693, 0.4455, 0.8209], [0.043, 0.067, 0.200, 16.87, 0.555]),
    ("overlap_logistic", 0.1, [-0.0956, -0.0693, 0, 0.4447, 0.8391], [0.154, 0.2, 0.4, 17.14, 0.666]),
]


def exact_exponential(rho: float, logit: float, beta: float) -> mpmath.mpf:
    """The one-line closed form at many digits, exact in the given floats."""
    with mpmath.workdps(1000 if beta > 100 else 400):
        rho, beta, q = mpmath.mpf(rho), mpmath.mpf(beta), 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
        u, v = rho - mpmath.mpf(1) / 2, q - mpmath.mpf(1) / 2
        argument = (u * mpmath.sinh(beta / 2) + v * mpmath.cosh(beta / 2)) / mpmath.sqrt(q * (1 - q))
        return mpmath.mpf(1) / 2 + (mpmath.asinh(argument) - mpmath.log(q / (1 - q)) / 2) / beta


def exact_logistic(rho: float, logit: float, kappa: float) -> mpmath.mpf:
    """Offset from the lower location in units of the scale."""
    with mpmath.workdps(400 + int(kappa)):
        rho, kappa, q = mpmath.mpf(rho), mpmath.mpf(kappa), 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
        u, v = rho - mpmath.mpf(1) / 2, q - mpmath.mpf(1) / 2
        argument = (u * mpmath.cosh(kappa / 2) + v * mpmath.sinh(kappa / 2)) / mpmath.sqrt(rho * (1 - rho))
        return kappa / 2 + mpmath.log(rho / (1 - rho)) / 2 + mpmath.asinh(argument)


def exact_spike(rho: float, logit: float, beta: float) -> mpmath.mpf:
    with mpmath.workdps(700):
        rho, beta, q = mpmath.mpf(rho), mpmath.mpf(beta), 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
        t = (rho + q - 1) / q
        return mpmath.log(1 + (mpmath.exp(beta) - 1) * t) / beta if t > 0 else mpmath.mpf(0)


def differences(f, arguments: tuple[float, ...], place: int) -> float:
    """Central difference of a function of many digits, far below the digits that are compared."""
    with mpmath.workdps(300):
        step = mpmath.mpf(10) ** -60 * (1 + abs(mpmath.mpf(arguments[place])))
        moved = [[mpmath.mpf(a) + s * step * (i == place) for i, a in enumerate(arguments)] for s in (1, -1)]
        return float((f(*moved[0]) - f(*moved[1])) / (2 * step))


def exponential_case(case):
    """The arguments of one elementwise case as equal shapes."""
    return np.broadcast_arrays(case["rho"], case["logits"], case["beta"])


# Inverse distribution functions


@pytest.mark.parametrize("family", SETTINGS)
def test_generic_inverse_is_the_closed_form(rng, family: str) -> None:
    """Bisection of the distribution function against the roots of the quadratics; for normals, the residual."""
    rho, logits, setting = rng.uniform(size=200), 3 * rng.standard_normal(200), SETTINGS[family]
    found = relaxations.smoothing_inverse_cdf(rho, logits, family, setting)
    closed = {
        "spike_exp": lambda: relaxations.spike_exp_icdf(rho, logits, setting),
        "overlap_exp": lambda: relaxations.overlap_exp_icdf(rho, logits, setting),
        "overlap_logistic": lambda: relaxations.overlap_logistic_icdf(rho, logits, 0, 1, setting),
        "normal": lambda: relaxations.overlap_normal_icdf(rho, logits, setting),
    }[family]()
    np.testing.assert_allclose(found, closed, atol=1e-9)


@pytest.mark.parametrize("family", SETTINGS)
def test_ancestral_samples_have_uniform_ranks(rng, family: str) -> None:
    """Draw z, then zeta given z: the mixture's distribution function makes it uniform, and samples agree in law."""
    n, logit, setting = 100_000, 0.4, SETTINGS[family]
    z = np.where(rng.uniform(size=n) < special.expit(logit), np.inf, -np.inf)
    ancestral = relaxations.smoothing_inverse_cdf(rng.uniform(size=n), z, family, setting)
    inverse = relaxations.smoothing_inverse_cdf(rng.uniform(size=n), logit, family, setting)
    assert stats.ks_2samp(ancestral, inverse).pvalue > 1e-3
    if family != "spike_exp":
        cdfs = {
            "overlap_exp": lambda x: relaxations.overlap_exp_cdf(x, logit, setting),
            "overlap_logistic": lambda x: relaxations.overlap_logistic_cdf(x, logit, 0, 1, setting),
            "normal": lambda x: relaxations.overlap_normal_cdf(x, logit, setting),
        }
        assert stats.kstest(cdfs[family](ancestral), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("logit", [-3.0, 0.0, 1.0])
def test_mean_derivative_is_the_distance_of_the_means(implementation, logit: float) -> None:
    """Over uniform noise d zeta / d q averages to E[zeta|1] - E[zeta|0], for every q and family."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    a = special.expit(-logit)
    # The spike's jump and the steep part of the others lie at rho = 1 - q.
    rho = np.concatenate([0.5 * a * (nodes + 1), a + 0.5 * (1 - a) * (nodes + 1)])
    weights = np.concatenate([0.5 * a * weights, 0.5 * (1 - a) * weights])
    arguments = {"rho": rho, "logits": np.array(logit)}
    unit = {**arguments, "mean_0": np.array(-0.5), "mean_1": np.array(1.5), "scale": np.array(0.5)}
    for beta in (2.0, 5.0, 8.0):
        e_0 = 1 / beta - 1 / math.expm1(beta)
        for name, wanted in (("overlap_exp_grad", 1 - 2 * e_0), ("spike_exp_grad", 1 - e_0)):
            for call in (getattr(relaxations, name), lambda n=name, **c: implementation.call(f"relaxations.{n}", **c)):
                assert weights @ call(**arguments, beta=np.array(beta))[0] == pytest.approx(wanted, rel=1e-5)
    logistic = relaxations.overlap_logistic_grad(**unit)[0]
    assert weights @ logistic == pytest.approx(2, rel=1e-6)
    assert weights @ implementation.call("relaxations.overlap_logistic_grad", **unit)[0] == pytest.approx(2, rel=1e-6)
    step = 1e-4
    normal = [relaxations.overlap_normal_icdf(rho, logit + s * step, 0.5) for s in (1, -1)]
    slope = (normal[0] - normal[1]) / (2 * step) / (a * (1 - a))
    assert weights @ slope == pytest.approx(1, rel=1e-5)


@given(inputs.smoothing_inverse_cdf())
def test_generic_inverse_reaches_its_noise(implementation, case) -> None:
    """The mass below the sample is the noise, to the resolution of the sample."""
    found = implementation.call("relaxations.smoothing_inverse_cdf", **case)
    nearby = [found - 1e-9 * (1 + np.abs(found)), found + 1e-9 * (1 + np.abs(found))]
    mass = [
        special.expit(-case["logits"]) * low + special.expit(case["logits"]) * high
        for low, high in (relaxations._component_cdfs(x, case["family"], case["setting"]) for x in nearby)
    ]
    assert (mass[0] <= case["rho"] + 1e-9).all()
    assert (mass[1] >= case["rho"] - 1e-9).all()


@given(inputs.smoothing_inverse_cdf())
def test_samples_rise_with_noise_and_logits(implementation, case) -> None:
    base = implementation.call("relaxations.smoothing_inverse_cdf", **case)
    for moved in ({"rho": np.minimum(case["rho"] * 1.125, 1 - 2.0**-9)}, {"logits": case["logits"] + 0.125}):
        later = implementation.call("relaxations.smoothing_inverse_cdf", **{**case, **moved})
        rises = later >= base - 1e-12 * (1 + np.abs(base))
        assert (rises | (moved.get("rho", case["rho"]) < case["rho"])).all()


# Densities and distribution functions


@pytest.mark.parametrize("logit", [-np.inf, -2.0, 0.0, 5.0])
@pytest.mark.parametrize("family", ["overlap_exp", "overlap_logistic", "normal"])
def test_smoothed_density_integrates_to_one(family: str, logit: float) -> None:
    def density(x: float) -> float:
        return math.exp(relaxations.smoothed_log_density(x, logit, family, SETTINGS[family]))

    ends = (0, 1) if family == "overlap_exp" else (-12, 13)
    total, _ = integrate.quad(density, *ends, points=[0, 0.5, 1], limit=400, epsabs=1e-13)
    assert total == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("family", ["overlap_exp", "overlap_logistic", "normal"])
def test_smoothed_density_is_the_slope_of_the_cdf(implementation, family: str) -> None:
    zeta, logits, step = np.array([0.1, 0.45, 0.8]), np.array([0.7, -2.0, 3.0]), 1e-5
    setting = {
        "overlap_exp": {"beta": 8.0},
        "overlap_logistic": {"mean_0": 0.0, "mean_1": 1.0, "scale": 0.1},
        "normal": {"scale": 0.2},
    }
    cdf = f"overlap_{family.removeprefix('overlap_')}_cdf"
    above, below = (
        implementation.call(f"relaxations.{cdf}", zeta=zeta + s * step, logits=logits, **setting[family])
        for s in (1, -1)
    )
    found = relaxations.smoothed_log_density(zeta, logits, family, SETTINGS[family])
    np.testing.assert_allclose(np.exp(found), (above - below) / (2 * step), rtol=1e-6)
    exact = {
        "overlap_exp": relaxations.overlap_exp_cdf,
        "overlap_logistic": relaxations.overlap_logistic_cdf,
        "normal": relaxations.overlap_normal_cdf,
    }
    slope = [exact[family](zeta + s * step, logits, **setting[family]) for s in (1, -1)]
    np.testing.assert_allclose(np.exp(found), (slope[0] - slope[1]) / (2 * step), rtol=1e-6)


# Spike and exponential


@pytest.mark.parametrize("beta", BETAS)
def test_spike_exp_at_50_digits(implementation, beta: float) -> None:
    rho, logits = (x.reshape(-1) for x in np.meshgrid(RHO, LOGITS))
    wanted = np.array([float(exact_spike(r, a, beta)) for r, a in zip(rho, logits, strict=True)])
    arguments = {"rho": rho, "logits": logits, "beta": np.array(beta)}
    # The residual in the noise is what an implementation can promise: the density may be steep.
    for found in (
        relaxations.spike_exp_icdf(**arguments),
        implementation.call("relaxations.spike_exp_icdf", **arguments),
    ):
        assert np.isfinite(found).all()
        mass = relaxations.spike_exp_cdf(found, logits, beta)
        slope = special.expit(logits) * beta * np.exp(beta * (found - 1)) / -np.expm1(-beta)
        assert (np.abs(mass - np.maximum(rho, special.expit(-logits))) <= 8 * EPS * (1 + found * slope)).all()
        assert (np.abs(found - wanted) * np.minimum(slope, 1) <= 64 * EPS).all()


@pytest.mark.parametrize("beta", [0.5, 5.0, 30.0])
def test_spike_exp_matches_truncexpon(beta: float) -> None:
    """Given z = 1, one less the sample is an exponential cut off at 1."""
    zeta, rho = np.linspace(0, 1, 21), np.linspace(0.01, 0.99, 21)
    law = stats.truncexpon(b=beta, scale=1 / beta)
    np.testing.assert_allclose(relaxations.spike_exp_cdf(zeta, np.inf, beta), law.sf(1 - zeta), atol=1e-12)
    np.testing.assert_allclose(relaxations.spike_exp_icdf(rho, np.inf, beta), 1 - law.isf(rho), atol=1e-10)
    mixed = special.expit(-0.4) + special.expit(0.4) * law.sf(1 - zeta)
    np.testing.assert_allclose(relaxations.spike_exp_cdf(zeta, 0.4, beta), mixed, atol=1e-12)


def test_spike_exp_moments_by_sampling(rng) -> None:
    zeta = relaxations.spike_exp_icdf(rng.uniform(size=1_000_000), 0.4, 5.0)
    assert_mean(zeta, special.expit(0.4) * (1 - 0.2 + 1 / math.expm1(5)))
    assert_mean((zeta == 0).astype(float), special.expit(-0.4))


@pytest.mark.parametrize(
    ("rho", "logit", "beta"), [(0.37, 40.0, 1e3), (0.9, 1.0, 1e-6), (0.75, 0.3, 1.0), (1 - 2.0**-30, -3.0, 100.0)]
)
def test_spike_exp_gradient_next_to_one_at_50_digits(implementation, rho: float, logit: float, beta: float) -> None:
    """Samples so near 1 that one less the sample cannot be read off them, and blunt exponentials."""
    arguments = {"rho": np.array(rho), "logits": np.array(logit), "beta": np.array(beta)}
    wanted = [differences(exact_spike, (rho, logit, beta), place) for place in (1, 0, 2)]
    for found in (
        relaxations.spike_exp_grad(**arguments),
        implementation.call("relaxations.spike_exp_grad", **arguments),
    ):
        assert [float(part) for part in found[1:]] == pytest.approx(wanted, rel=2e-14, abs=0)


@given(inputs.spike_exp_icdf())
def test_spike_exp_cdf_of_its_inverse(implementation, case) -> None:
    """A generalised inverse: the mass is the noise above the spike, and the spike's below."""
    zeta = implementation.call("relaxations.spike_exp_icdf", **case)
    mass = implementation.call("relaxations.spike_exp_cdf", zeta=zeta, logits=case["logits"], beta=case["beta"])
    assert ((zeta >= 0) & (zeta <= 1)).all()
    wanted = np.maximum(case["rho"], special.expit(-case["logits"]))
    steep = 1 + case["beta"] * np.abs(zeta)
    assert (np.abs(mass - wanted) <= 32 * EPS * steep).all()
    exact = relaxations.spike_exp_cdf(relaxations.spike_exp_icdf(**case), case["logits"], case["beta"])
    assert (np.abs(exact - wanted) <= 32 * EPS * steep).all()


@pytest.mark.parametrize(
    ("rho", "logit", "beta"), [(0.9, 1.0, 5.0), (0.4, 1.0, 8.0), (0.99, -3.0, 0.01), (0.5, 30.0, 100.0)]
)
def test_spike_exp_gradient_at_50_digits(rho: float, logit: float, beta: float) -> None:
    _, by_logits, by_rho, by_beta = relaxations.spike_exp_grad(rho, logit, beta)
    for place, found in ((0, by_rho), (1, by_logits), (2, by_beta)):
        assert float(found) == pytest.approx(differences(exact_spike, (rho, logit, beta), place), rel=1e-10)
    assert all(float(part) == 0 for part in relaxations.spike_exp_grad(0.1, 0.0, beta))


# Overlapping exponentials


@pytest.mark.parametrize("beta", [1e-3, 0.5, 8.0, 30.0])
def test_overlap_exp_matches_truncexpon(beta: float) -> None:
    law, zeta = stats.truncexpon(b=beta, scale=1 / beta), np.linspace(0, 1, 21)
    np.testing.assert_allclose(relaxations.overlap_exp_log_pdf(zeta, 0, beta), law.logpdf(zeta), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        relaxations.overlap_exp_log_pdf(zeta, 1, beta), law.logpdf(1 - zeta), rtol=1e-9, atol=1e-12
    )
    mixed = special.expit(-0.4) * law.cdf(zeta) + special.expit(0.4) * law.sf(1 - zeta)
    np.testing.assert_allclose(relaxations.overlap_exp_cdf(zeta, 0.4, beta), mixed, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("beta", [1e-6, 8.0, 1e3])
def test_overlap_exp_density_integrates_to_one(beta: float) -> None:
    for z in (0, 1):
        total, _ = integrate.quad(
            lambda x, z=z: math.exp(relaxations.overlap_exp_log_pdf(x, z, beta)),
            0,
            1,
            points=[0.01, 0.99],
            epsabs=1e-13,
        )
        assert total == pytest.approx(1, abs=1e-11)
    np.testing.assert_array_equal(relaxations.overlap_exp_log_pdf([-0.1, 1.1], 0, beta), -np.inf)


@given(inputs.overlap_exp_log_pdf())
def test_overlap_exp_densities_mirror_each_other(implementation, case) -> None:
    one = implementation.call("relaxations.overlap_exp_log_pdf", **case)
    two = implementation.call(
        "relaxations.overlap_exp_log_pdf", **{**case, "zeta": 1 - case["zeta"], "z": 1 - case["z"]}
    )
    np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-9)


@given(inputs.overlap_exp_cdf())
def test_overlap_exp_cdf_at_one_half(implementation, case) -> None:
    """F(1/2) = A sigma(beta/2) + q sigma(-beta/2); 0 and 1 at the ends; point symmetric."""
    logits, beta = case["logits"], case["beta"]

    def both(zeta, logits=logits):
        arguments = {"zeta": np.broadcast_to(zeta, logits.shape).astype(float).copy(), "logits": logits, "beta": beta}
        found = implementation.call("relaxations.overlap_exp_cdf", **arguments)
        np.testing.assert_allclose(found, relaxations.overlap_exp_cdf(**arguments), rtol=1e-12, atol=1e-15)
        return found

    wanted = special.expit(-logits) * special.expit(beta / 2) + special.expit(logits) * special.expit(-beta / 2)
    np.testing.assert_allclose(both(0.5), wanted, rtol=1e-12)
    np.testing.assert_allclose(both(0.0), 0, atol=1e-300)
    np.testing.assert_allclose(both(1.0), 1, rtol=1e-15)
    np.testing.assert_allclose(both(case["zeta"]) + both(1 - case["zeta"], -logits), 1, rtol=1e-9)


def test_overlap_exp_cdf_is_the_integral_of_the_density() -> None:
    for zeta in (0.05, 0.5, 0.93):
        total, _ = integrate.quad(
            lambda x: math.exp(relaxations.smoothed_log_density(x, 0.7, "overlap_exp", 8.0)), 0, zeta, epsabs=1e-14
        )
        assert float(relaxations.overlap_exp_cdf(zeta, 0.7, 8.0)) == pytest.approx(total, rel=1e-12)


def test_printed_root_of_overlapping_exponentials_where_it_works(rng) -> None:
    (rho, q), beta = rng.uniform(0.01, 0.99, (2, 500)), rng.uniform(0.5, 8, 500)
    found = relaxations.overlap_exp_icdf_quadratic(rho, q, beta)
    np.testing.assert_allclose(found, relaxations.overlap_exp_icdf(rho, special.logit(q), beta), atol=1e-9)


@pytest.mark.parametrize(("rho", "q", "beta"), [(0.25, 0.3, 5.0), (0.9, 0.6, 2.0), (0.5, 0.5, 8.0)])
def test_printed_quadratic_has_these_roots(rho: float, q: float, beta: float) -> None:
    d = math.exp(-beta)
    b, c = (rho + d * (q - rho)) / (1 - q) - 1, -q * d / (1 - q)
    roots = sorted(np.roots([1, b, c]).real)
    kept = math.exp(-beta * float(relaxations.overlap_exp_icdf_quadratic(rho, q, beta)))
    assert kept == pytest.approx(roots[1], rel=1e-10)
    assert roots[0] <= 0
    assert d <= kept <= 1
    assert kept * roots[0] == pytest.approx(c, rel=1e-10)


def test_printed_root_of_overlapping_exponentials_fails(implementation) -> None:
    """Erratum: it loses every digit for rho > 1 - q from beta = 50 on, where the form in use has them all."""
    rho, q = np.random.default_rng(0).uniform(size=(2, 4000))
    for beta, low, high in ((8.0, 0.0, 0.0), (36.0, 0.03, 0.07), (40.0, 0.3, 0.42), (60.0, 0.45, 0.55)):
        found = relaxations.overlap_exp_icdf_quadratic(rho, q, beta)
        assert low <= np.mean(~np.isfinite(found)) <= high
    assert float(exact_exponential(0.6, special.logit(0.8), 40.0)) == pytest.approx(
        float(relaxations.overlap_exp_icdf(0.6, special.logit(0.8), 40.0)), rel=1e-14
    )
    assert np.isinf(relaxations.overlap_exp_icdf_quadratic(0.6, 0.8, 80.0))
    right = implementation.call("relaxations.overlap_exp_icdf", rho=rho, logits=special.logit(q), beta=np.array(40.0))
    assert np.isfinite(right).all()
    narrow = [x.astype(np.float32) for x in (rho, q, np.array(20.0))]
    d = np.exp(-narrow[2])
    b, c = (narrow[0] + d * (narrow[1] - narrow[0])) / (1 - narrow[1]) - 1, -narrow[1] * d / (1 - narrow[1])
    assert np.mean(-b + np.sqrt(b * b - 4 * c) == 0) > 0.3
    with pytest.raises(ValueError, match="q must lie in"):
        relaxations.overlap_exp_icdf_quadratic(0.5, 1.0, 8.0)


@pytest.mark.parametrize("beta", BETAS)
def test_overlap_exp_icdf_at_50_digits(implementation, beta: float) -> None:
    """Against the other closed form, exact: the error in the sample and the residual in the noise."""
    rho, logits = (x.reshape(-1) for x in np.meshgrid(RHO, LOGITS))
    wanted = np.array([float(exact_exponential(r, a, beta)) for r, a in zip(rho, logits, strict=True)])
    arguments = {"rho": rho, "logits": logits, "beta": np.array(beta)}
    for found in (
        relaxations.overlap_exp_icdf(**arguments),
        implementation.call("relaxations.overlap_exp_icdf", **arguments),
    ):
        assert np.isfinite(found).all()
        density = np.exp(relaxations.smoothed_log_density(found, logits, "overlap_exp", beta))
        residual = np.abs(relaxations.overlap_exp_cdf(found, logits, beta) - rho)
        assert (residual <= 8 * EPS * (1 + found * density)).all()
        assert (np.abs(found - wanted) * np.minimum(density, 1) <= 64 * EPS).all()
    small = wanted < 0.1 / beta
    mild = small & (np.abs(logits) < 5)
    np.testing.assert_allclose(relaxations.overlap_exp_icdf(**arguments)[mild], wanted[mild], rtol=1e-13)


@pytest.mark.parametrize(("logit", "beta"), [(0.3, 5.0), (-4.0, 20.0), (2.0, 0.5)])
def test_overlap_exp_icdf_by_root_finding(logit: float, beta: float) -> None:
    for rho in (0.03, 0.4, 0.77, 0.98):
        wanted = optimize.brentq(lambda x, r=rho: relaxations.overlap_exp_cdf(x, logit, beta) - r, 0, 1, xtol=1e-15)
        assert float(relaxations.overlap_exp_icdf(rho, logit, beta)) == pytest.approx(wanted, abs=1e-10)


@given(inputs.overlap_exp_icdf())
def test_overlap_exp_icdf_special_cases(implementation, case) -> None:
    """Certain z, the middle, the ends, mirror symmetry."""
    rho, logits, beta = (np.array(x) for x in exponential_case(case))
    rho = np.clip(rho, 2.0**-20, 1 - 2.0**-20)

    def both(**arguments):
        found = implementation.call("relaxations.overlap_exp_icdf", **arguments)
        np.testing.assert_allclose(found, relaxations.overlap_exp_icdf(**arguments), rtol=1e-6, atol=1e-12)
        return found

    certain = both(rho=rho, logits=np.full_like(rho, -np.inf), beta=beta)
    np.testing.assert_allclose(certain, -np.log1p(rho * np.expm1(-beta)) / beta, rtol=1e-9)
    np.testing.assert_array_equal(both(rho=0 * rho, logits=logits, beta=beta), 0)
    np.testing.assert_array_equal(both(rho=0 * rho + 1, logits=logits, beta=beta), 1)
    np.testing.assert_allclose(both(rho=0 * rho + 0.5, logits=0 * rho, beta=beta), 0.5, rtol=1e-12)
    mirrored = both(rho=1 - rho, logits=-logits, beta=beta)
    slack = 1e-9 + 1e-12 / np.exp(
        np.clip(relaxations.smoothed_log_density(mirrored, -logits, "overlap_exp", float(beta.flat[0])), -20, 0)
    )
    assert (np.abs(both(rho=rho, logits=logits, beta=beta) + mirrored - 1) <= slack).all()
    blunt = both(rho=rho, logits=logits, beta=0 * beta + 1e-6)
    np.testing.assert_allclose(blunt, rho, atol=1e-6)


def test_asinh_form_of_overlapping_exponentials_has_these_values() -> None:
    for beta, wanted in ((5, 0.0871312109), (8, 0.0551902869), (10, 0.0441790718)):
        assert float(relaxations.overlap_exp_icdf_asinh(0.25, 0.3, beta)) == pytest.approx(wanted, abs=1e-10)


@given(inputs.overlap_exp_icdf_asinh())
def test_asinh_form_of_overlapping_exponentials_where_it_works(implementation, case) -> None:
    wanted = relaxations.overlap_exp_icdf(case["rho"], special.logit(case["q"]), case["beta"])
    np.testing.assert_allclose(relaxations.overlap_exp_icdf_asinh(**case), wanted, atol=1e-13)
    np.testing.assert_allclose(implementation.call("relaxations.overlap_exp_icdf_asinh", **case), wanted, atol=1e-13)


def test_asinh_form_cancels_for_sharp_exponentials() -> None:
    exact = float(exact_exponential(0.01, special.logit(0.99), 100.0))
    assert abs(float(relaxations.overlap_exp_icdf_asinh(0.01, 0.99, 100.0)) - exact) > 0.01
    assert float(relaxations.overlap_exp_icdf(0.01, special.logit(0.99), 100.0)) == pytest.approx(exact, abs=0.3)


@pytest.mark.parametrize("beta", [1e-3, 0.3, 2.0, 8.0, 40.0])
@pytest.mark.parametrize(("rho", "logit"), [(0.3, 0.4), (1e-8, 3.0), (0.999, 10.0), (0.4, -30.0), (0.5, 0.0)])
def test_overlap_exp_gradient_at_50_digits(implementation, rho: float, logit: float, beta: float) -> None:
    arguments = {"rho": np.array(rho), "logits": np.array(logit), "beta": np.array(beta)}
    wanted = [differences(exact_exponential, (rho, logit, beta), place) for place in (1, 0, 2)]
    for found in (
        relaxations.overlap_exp_grad(**arguments),
        implementation.call("relaxations.overlap_exp_grad", **arguments),
    ):
        by_q, *rest = (float(part) for part in found)
        size = abs(wanted[0]) + abs(wanted[1]) * rho
        assert rest == pytest.approx(wanted, rel=1e-9, abs=1e-9 * size)
        assert by_q * special.expit(logit) * special.expit(-logit) == pytest.approx(rest[0], rel=1e-13)


@pytest.mark.parametrize(
    ("rho", "logit", "beta"),
    [(1e-30, 0.0, 1e-6), (0.75, 0.0, 7.5e-6), (2.0**-24, 1e-3, 7e-5), (0.6, 0.3, 1.0), (1e-30, 100.0, 1e3)],
)
def test_overlap_exp_gradient_at_its_corners(implementation, rho: float, logit: float, beta: float) -> None:
    """Equal weights of blunt exponentials, where the derivative by beta is of first order in beta; far tails."""
    arguments = {"rho": np.array(rho), "logits": np.array(logit), "beta": np.array(beta)}
    wanted = [differences(exact_exponential, (rho, logit, beta), place) for place in (1, 0, 2)]
    for found in (
        relaxations.overlap_exp_grad(**arguments),
        implementation.call("relaxations.overlap_exp_grad", **arguments),
    ):
        assert [float(part) for part in found[1:]] == pytest.approx(wanted, rel=2e-14, abs=0)


@given(inputs.overlap_exp_grad())
def test_overlap_exp_gradient_special_cases(implementation, case) -> None:
    """sinh^2(beta/4)/beta in the middle, its bound elsewhere, and the reciprocal of the density by the noise."""
    rho, logits, beta = (np.array(x) for x in exponential_case(case))
    beta = np.minimum(beta, 100.0)
    found = implementation.call("relaxations.overlap_exp_grad", rho=rho, logits=logits, beta=beta)
    peak = np.sinh(beta / 4) ** 2 / beta
    bound = 2 * np.exp(0.5 * (special.log_expit(logits) + special.log_expit(-logits))) * peak
    assert (found[1] >= 0).all()
    assert (found[1] <= bound * (1 + 1e-9)).all()
    half = 0 * rho + 0.5
    for call in (relaxations.overlap_exp_grad, lambda **c: implementation.call("relaxations.overlap_exp_grad", **c)):
        np.testing.assert_allclose(call(rho=half, logits=0 * half, beta=beta)[1], peak, rtol=1e-9)
    inside = (rho > 1e-6) & (rho < 1 - 1e-6) & (np.abs(logits) < 15)
    zeta = relaxations.overlap_exp_icdf(rho, logits, beta)
    density = np.exp(relaxations.smoothed_log_density(zeta, logits, "overlap_exp", float(beta.flat[0])))
    np.testing.assert_allclose((found[2] * density)[inside], 1, rtol=1e-6)


@pytest.mark.parametrize("beta", [1e-3, 0.4, 2.0, 8.0, 30.0])
def test_overlap_exp_moments_match_truncexpon(beta: float) -> None:
    law = stats.truncexpon(b=beta, scale=1 / beta)
    mean, variance = relaxations.overlap_exp_moments(-np.inf, beta)
    assert float(mean) == pytest.approx(law.mean(), rel=1e-9)
    assert float(variance) == pytest.approx(law.var(), rel=1e-5)


@pytest.mark.parametrize("beta", [1e-6, 0.9, 1.1, 8.0, 100.0])
def test_overlap_exp_moments_by_quadrature(implementation, beta: float) -> None:
    logits = np.array([-2.0, 0.3])
    nodes, weights = np.polynomial.legendre.leggauss(400)
    zeta, weights = 0.5 * (nodes + 1), 0.5 * weights
    density = weights * np.exp(relaxations.smoothed_log_density(zeta, logits[:, None], "overlap_exp", beta))
    mean = density @ zeta
    variance = np.sum(density * (zeta - mean[:, None]) ** 2, axis=1)
    arguments = {"logits": logits, "beta": np.array(beta)}
    for found in (
        relaxations.overlap_exp_moments(**arguments),
        implementation.call("relaxations.overlap_exp_moments", **arguments),
    ):
        np.testing.assert_allclose(found[0], mean, rtol=1e-11)
        np.testing.assert_allclose(found[1], variance, rtol=1e-10)


@pytest.mark.parametrize("beta", [1e-6, 1e-3, 0.999, 1.1, 2.0, 3.99, 4.0, 30.0, 1e3])
def test_overlap_exp_moments_at_50_digits(implementation, beta: float) -> None:
    def given_1(beta):
        return 1 - 1 / beta + 1 / mpmath.expm1(beta), 1 / beta**2 - 1 / (4 * mpmath.sinh(beta / 2) ** 2)

    wanted = [at_50_digits(lambda b, k=k: given_1(b)[k], beta) for k in range(2)]
    arguments = {"logits": np.array(np.inf), "beta": np.array(beta)}
    for found in (
        relaxations.overlap_exp_moments(**arguments),
        implementation.call("relaxations.overlap_exp_moments", **arguments),
    ):
        assert [float(part) for part in found] == pytest.approx(wanted, rel=2e-15, abs=0)


@pytest.mark.parametrize(
    ("logit", "beta"),
    [(8.1, 1e3), (-7.0, 1e-6), (1.0, 1e-6), (0.2, 1.5), (-7.3, 1.0), (20.0, 3.0), (60.0, 1e-3)],
)
def test_exponential_bernoulli_limit_at_50_digits(implementation, logit: float, beta: float) -> None:
    """Where 1 - q is no difference (the crossing hangs on its last digits) and where the integrals nearly cancel."""
    with mpmath.workdps(900):
        x, b = mpmath.mpf(logit), mpmath.mpf(beta)
        q, a = 1 / (1 + mpmath.exp(-x)), 1 / (1 + mpmath.exp(x))
        low = exact_exponential(a, x, b)
        near, far = (
            [f(b * c) for c in (low, 1 - low)]
            for f in (lambda y: 1 - mpmath.exp(-y) * (1 + y), lambda y: y - 1 + mpmath.exp(-y))
        )
        parts = a * near[0] + q * near[1], q * mpmath.exp(b * (low - 1)) * far[0] + a * mpmath.exp(-b * low) * far[1]
        wanted = float(sum(parts) / (b * -mpmath.expm1(-b)))
    arguments = {"logits": np.array(logit), "beta": np.array(beta)}
    for found in (
        relaxations.overlap_exp_bernoulli_limit(**arguments),
        implementation.call("relaxations.overlap_exp_bernoulli_limit", **arguments),
    ):
        assert float(found) == pytest.approx(wanted, rel=4e-15, abs=0)


@pytest.mark.parametrize("beta", [0.1, 2.0, 8.0, 50.0])
@pytest.mark.parametrize("logit", [-3.0, 0.0, 0.8])
def test_exponential_bernoulli_limit_by_quadrature(logit: float, beta: float) -> None:
    a = special.expit(-logit)
    crossing = float(relaxations.overlap_exp_icdf(a, logit, beta))
    wanted, _ = integrate.quad(
        lambda x: abs(float(relaxations.overlap_exp_cdf(x, logit, beta)) - a),
        0,
        1,
        points=[crossing, 0.05, 0.95],
        limit=400,
        epsabs=1e-13,
    )
    assert float(relaxations.overlap_exp_bernoulli_limit(logit, beta)) == pytest.approx(wanted, rel=1e-8)


@given(inputs.overlap_exp_bernoulli_limit())
def test_exponential_bernoulli_limit_special_cases(implementation, case) -> None:
    """tanh(beta/4)/beta at q = 1/2, at most e_0, falling in beta, even in the logit."""
    distance = implementation.call("relaxations.overlap_exp_bernoulli_limit", **case)
    beta = case["beta"]
    e_0, _ = relaxations.overlap_exp_moments(-np.inf, beta)
    assert (distance <= e_0 * (1 + 1e-9)).all()
    mirrored = implementation.call("relaxations.overlap_exp_bernoulli_limit", logits=-case["logits"], beta=beta)
    np.testing.assert_allclose(distance, mirrored, rtol=1e-9)
    sharper = implementation.call("relaxations.overlap_exp_bernoulli_limit", logits=case["logits"], beta=1.5 * beta)
    assert (sharper <= distance * (1 + 1e-9)).all()
    half = {"logits": np.zeros(1), "beta": beta}
    for found in (
        relaxations.overlap_exp_bernoulli_limit(**half),
        implementation.call("relaxations.overlap_exp_bernoulli_limit", **half),
    ):
        np.testing.assert_allclose(found, np.tanh(beta / 4) / beta, rtol=1e-12)


# Normals


@given(inputs.overlap_normal_cdf())
def test_overlap_normal_cdf_matches_scipy(case) -> None:
    parts = [stats.norm.cdf(case["zeta"], loc=z, scale=case["scale"]) for z in (0, 1)]
    wanted = special.expit(-case["logits"]) * parts[0] + special.expit(case["logits"]) * parts[1]
    np.testing.assert_allclose(relaxations.overlap_normal_cdf(**case), wanted, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("scale", [0.05, 0.3, 4.0])
def test_overlap_normal_icdf_by_root_finding(scale: float) -> None:
    for rho, logit in ((0.01, 0.5), (0.4, -1.0), (0.9, 3.0)):
        wanted = optimize.brentq(
            lambda x, r=rho, a=logit: float(relaxations.overlap_normal_cdf(x, a, scale)) - r, -30, 30, xtol=1e-15
        )
        assert float(relaxations.overlap_normal_icdf(rho, logit, scale)) == pytest.approx(wanted, abs=1e-10)


@given(inputs.overlap_normal_icdf())
def test_overlap_normal_icdf_mirrors(implementation, case) -> None:
    rho = np.clip(case["rho"], 2.0**-10, 1 - 2.0**-10)
    logits, scale = np.clip(case["logits"], -4, 4), np.maximum(case["scale"], 0.1)
    one = implementation.call("relaxations.overlap_normal_icdf", rho=rho, logits=logits, scale=scale)
    two = implementation.call("relaxations.overlap_normal_icdf", rho=1 - rho, logits=-logits, scale=scale)
    np.testing.assert_allclose(one + two, 1, atol=1e-6)


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_overlap_normal_gradient(implementation, scale: float) -> None:
    """The closed-form derivatives against differences of the reference."""
    point = {"rho": np.array([0.2, 0.7]), "logits": np.array([0.5, -2.0]), "scale": np.array(scale)}
    tensors = {n: torch.tensor(v, requires_grad=True) for n, v in point.items()}
    found = torch.autograd.grad(
        implementation.find("relaxations.overlap_normal_icdf")(**tensors).sum(), list(tensors.values())
    )
    for (name, value), gradient in zip(point.items(), found, strict=True):
        step = 1e-6
        up, down = (relaxations.overlap_normal_icdf(**{**point, name: value + s * step}) for s in (1, -1))
        slope = (up - down) / (2 * step)
        np.testing.assert_allclose(gradient, slope if value.ndim else slope.sum(), rtol=1e-6)


# Logistics


@given(inputs.logistic_log_pdf())
def test_logistic_density_matches_scipy(case) -> None:
    wanted = stats.logistic.logpdf(case["zeta"], loc=case["mean"], scale=case["scale"])
    np.testing.assert_allclose(relaxations.logistic_log_pdf(**case), wanted, rtol=1e-10, atol=1e-12)


def test_logistic_moments() -> None:
    def moment(f) -> float:
        return integrate.quad(
            lambda x: f(x) * math.exp(relaxations.logistic_log_pdf(x, 1.0, 0.3)), -20, 22, points=[1], limit=400
        )[0]

    assert moment(lambda x: 1) == pytest.approx(1, abs=1e-10)
    assert moment(lambda x: (x - 1) ** 2) == pytest.approx((math.pi * 0.3) ** 2 / 3, rel=1e-9)
    assert moment(lambda x: abs(x - 1)) == pytest.approx(0.6 * math.log(2), rel=1e-9)


def test_logistic_is_close_to_the_normal() -> None:
    """With the variance of a standard normal, the distribution functions differ by 0.0227 at most."""
    x, scale = np.linspace(-6, 6, 20_001), math.sqrt(3) / math.pi
    below = np.cumsum(np.exp(relaxations.logistic_log_pdf(x, 0, scale))) * (x[1] - x[0]) + special.expit(-6 / scale)
    assert np.max(np.abs(below - special.ndtr(x))) == pytest.approx(0.0227, abs=3e-4)
    assert np.max(np.abs(special.expit(x / scale) - special.ndtr(x))) == pytest.approx(0.02266, abs=1e-5)


@given(inputs.logistic_log_pdf())
def test_logistic_density_is_even(implementation, case) -> None:
    one = implementation.call("relaxations.logistic_log_pdf", **case)
    mirrored = {**case, "zeta": -case["zeta"], "mean": -case["mean"]}
    np.testing.assert_allclose(one, implementation.call("relaxations.logistic_log_pdf", **mirrored), rtol=1e-12)


@given(inputs.overlap_logistic_cdf())
def test_overlap_logistic_cdf_matches_scipy(case) -> None:
    parts = [stats.logistic.cdf(case["zeta"], loc=case[m], scale=case["scale"]) for m in ("mean_0", "mean_1")]
    wanted = special.expit(-case["logits"]) * parts[0] + special.expit(case["logits"]) * parts[1]
    np.testing.assert_allclose(relaxations.overlap_logistic_cdf(**case), wanted, rtol=1e-9, atol=1e-300)


def test_overlap_logistic_cdf_in_powers() -> None:
    """(1-q)/(1 + d_0 m) + q/(1 + d_1 m) with m = exp(-zeta/s), d_i = exp(mu_i/s)."""
    zeta, q, s = np.linspace(-1, 2, 7), 0.3, 0.4
    m = np.exp(-zeta / s)
    wanted = (1 - q) / (1 + math.exp(0.2 / s) * m) + q / (1 + math.exp(0.9 / s) * m)
    np.testing.assert_allclose(
        relaxations.overlap_logistic_cdf(zeta, special.logit(q), 0.2, 0.9, s), wanted, rtol=1e-13
    )


@given(inputs.overlap_logistic_icdf_quadratic())
def test_printed_roots_of_overlapping_logistics_where_they_work(implementation, case) -> None:
    logits = special.logit(case["q"])
    wanted = relaxations.overlap_logistic_icdf(case["rho"], logits, *(case[n] for n in ("mean_0", "mean_1", "scale")))
    np.testing.assert_allclose(relaxations.overlap_logistic_icdf_quadratic(**case), wanted, atol=1e-8)
    np.testing.assert_allclose(relaxations.overlap_logistic_icdf_mprime(**case), wanted, atol=1e-8)
    for name in ("overlap_logistic_icdf_quadratic", "overlap_logistic_icdf_mprime"):
        np.testing.assert_allclose(implementation.call(f"relaxations.{name}", **case), wanted, atol=1e-8)


def test_printed_roots_of_overlapping_logistics_fail() -> None:
    """Erratum: the change of variable only halves the scale of the overflow, and cancels as before for b > 0."""

    def lost(rho: float, q: float, scale: float) -> tuple[bool, bool]:
        plain = relaxations.overlap_logistic_icdf_quadratic(rho, q, 0, 1, scale)
        moved = relaxations.overlap_logistic_icdf_mprime(rho, q, 0, 1, scale)
        return not np.isfinite(plain), not np.isfinite(moved)

    assert lost(0.25, 0.3, 0.0029) == (False, False)
    assert lost(0.25, 0.3, 0.0027) == (True, False)
    assert lost(0.25, 0.3, 0.0013) == (True, True)
    assert lost(0.6, 0.8, 0.028) == (False, False)
    assert lost(0.6, 0.8, 0.025) == (True, True)
    for scale in (0.025, 0.0013, 1e-6):
        for rho, q in ((0.25, 0.3), (0.6, 0.8)):
            exact = exact_logistic(rho, float(special.logit(q)), 1 / scale) if scale > 1e-3 else None
            found = float(relaxations.overlap_logistic_icdf(rho, special.logit(q), 0, 1, scale))
            assert np.isfinite(found)
            assert exact is None or found == pytest.approx(float(exact) * scale, rel=1e-11)


@pytest.mark.parametrize("scale", [0.02, 0.3, 4.0])
def test_overlap_logistic_icdf_by_root_finding(scale: float) -> None:
    for rho, logit in ((0.01, 0.5), (0.4, -1.0), (0.9, 3.0)):
        wanted = optimize.brentq(
            lambda x, r=rho, a=logit: float(relaxations.overlap_logistic_cdf(x, a, 0, 1, scale)) - r,
            -30,
            30,
            xtol=1e-15,
        )
        assert float(relaxations.overlap_logistic_icdf(rho, logit, 0, 1, scale)) == pytest.approx(wanted, abs=1e-10)


@given(inputs.overlap_logistic_icdf())
def test_overlap_logistic_icdf_special_cases(implementation, case) -> None:
    """Certain z: a plain logistic; equal locations: the same; the middle; infinite ends."""
    names = ("mean_0", "mean_1", "scale")
    low, high, scale = (case[n] for n in names)
    rho = np.clip(case["rho"], 2.0**-20, 1 - 2.0**-20)
    place = {n: case[n] for n in names}

    def both(rho, logits, **where):
        arguments = {"rho": rho, "logits": logits, **place, **where}
        found = implementation.call("relaxations.overlap_logistic_icdf", **arguments)
        np.testing.assert_allclose(found, relaxations.overlap_logistic_icdf(**arguments), rtol=1e-9, atol=1e-9)
        return found

    for logits, mean in ((-np.inf, low), (np.inf, high)):
        found = both(rho, np.full_like(rho, logits))
        np.testing.assert_allclose(found, mean + scale * special.logit(rho), rtol=1e-9, atol=1e-12)
    found = both(rho, case["logits"], mean_1=low)
    np.testing.assert_allclose(found, low + scale * special.logit(rho), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(both(0 * rho + 0.5, 0 * rho), 0.5 * (low + high), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(both(0 * rho, case["logits"]), -np.inf)
    np.testing.assert_array_equal(both(0 * rho + 1, case["logits"]), np.inf)


@given(inputs.overlap_logistic_grad())
def test_overlap_logistic_icdf_is_equivariant(implementation, case) -> None:
    """Shift and stretch of locations and scale shift and stretch the sample."""
    shifted = {**case, **{n: 2 * case[n] + 3 for n in ("mean_0", "mean_1")}, "scale": 2 * case["scale"]}
    for call in (
        relaxations.overlap_logistic_icdf,
        lambda **c: implementation.call("relaxations.overlap_logistic_icdf", **c),
    ):
        np.testing.assert_allclose(call(**shifted), 2 * call(**case) + 3, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", SCALES[:5])
def test_overlap_logistic_offsets_at_50_digits(implementation, scale: float) -> None:
    rho, logits = (x.reshape(-1) for x in np.meshgrid(RHO, LOGITS[1:-1]))
    kappa = 1 / scale
    wanted = np.array([float(exact_logistic(r, a, kappa)) for r, a in zip(rho, logits, strict=True)])
    arguments = {
        "rho": rho,
        "logits": logits,
        "mean_0": np.array(0.0),
        "mean_1": np.array(1.0),
        "scale": np.array(scale),
    }
    for found in (
        relaxations.overlap_logistic_offsets(**arguments),
        implementation.call("relaxations.overlap_logistic_offsets", **arguments),
    ):
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found[0] - found[1], kappa, rtol=1e-12)
        density = special.expit(-logits) * special.expit(found[0]) * special.expit(-found[0])
        density += special.expit(logits) * special.expit(found[1]) * special.expit(-found[1])
        mass = special.expit(-logits) * special.expit(found[0]) + special.expit(logits) * special.expit(found[1])
        near = np.minimum(np.abs(found[0]), np.abs(found[1]))
        assert (np.abs(mass - rho) <= 4 * EPS * (1 + near)).all()
        assert (np.abs(found[0] - wanted) * np.minimum(density, 1) <= 32 * EPS * (1 + np.abs(wanted))).all()


@given(inputs.overlap_logistic_offsets())
def test_overlap_logistic_offsets_belong_to_the_sample(implementation, case) -> None:
    offsets = implementation.call("relaxations.overlap_logistic_offsets", **case)
    sample = relaxations.overlap_logistic_icdf(**case)
    for mean, offset in zip(("mean_0", "mean_1"), offsets, strict=True):
        np.testing.assert_allclose(case[mean] + case["scale"] * offset, sample, rtol=1e-9, atol=1e-9)
    exact = relaxations.overlap_logistic_offsets(**case)
    np.testing.assert_allclose(case["mean_0"] + case["scale"] * exact[0], sample, rtol=1e-9, atol=1e-9)


@given(inputs.overlap_logistic_icdf_asinh())
def test_asinh_form_of_overlapping_logistics_where_it_works(implementation, case) -> None:
    place = (case[n] for n in ("mean_0", "mean_1", "scale"))
    wanted = relaxations.overlap_logistic_icdf(case["rho"], special.logit(case["q"]), *place)
    np.testing.assert_allclose(relaxations.overlap_logistic_icdf_asinh(**case), wanted, atol=1e-11)
    np.testing.assert_allclose(
        implementation.call("relaxations.overlap_logistic_icdf_asinh", **case), wanted, atol=1e-11
    )


@pytest.mark.parametrize(("rho", "q", "scale"), [(0.25, 0.3, 0.2), (0.9, 0.75, 0.5), (0.5, 0.01, 3.0)])
def test_asinh_form_of_overlapping_logistics_at_50_digits(rho: float, q: float, scale: float) -> None:
    wanted = float(exact_logistic(rho, float(special.logit(q)), 1 / scale)) * scale
    assert float(relaxations.overlap_logistic_icdf_asinh(rho, q, 0, 1, scale)) == pytest.approx(
        wanted, rel=1e-12, abs=1e-13
    )


@pytest.mark.parametrize("scale", [0.05, 0.3, 2.0])
@pytest.mark.parametrize(("rho", "logit"), [(0.3, 0.4), (1e-8, 3.0), (0.999, 10.0), (0.4, -30.0), (0.5, 0.0)])
def test_overlap_logistic_gradient_at_50_digits(implementation, rho: float, logit: float, scale: float) -> None:
    def sample(rho, logit, mean_0, mean_1, scale):
        return mean_0 + scale * exact_logistic(rho, logit, (mean_1 - mean_0) / scale)

    values = (rho, logit, 0.25, 1.25, scale)
    arguments = dict(zip(("rho", "logits", "mean_0", "mean_1", "scale"), map(np.array, values), strict=True))
    wanted = [differences(sample, values, place) for place in (1, 0, 2, 3, 4)]
    for found in (
        relaxations.overlap_logistic_grad(**arguments),
        implementation.call("relaxations.overlap_logistic_grad", **arguments),
    ):
        by_q, *rest = (float(part) for part in found)
        assert rest == pytest.approx(wanted, rel=1e-9, abs=1e-11)
        assert by_q * special.expit(logit) * special.expit(-logit) == pytest.approx(rest[0], rel=1e-12)


@pytest.mark.parametrize(
    ("rho", "logit", "scale"),
    [(1e-30, 0.0, 1.0078125), (1e-30, 11.75, 8.0), (2.0**-24, -4.5, 10.0), (0.714, -4.595, 10.0), (0.9, 3.0, 0.05)],
)
def test_overlap_logistic_gradient_at_its_corners(implementation, rho: float, logit: float, scale: float) -> None:
    """Far tails, where the power of a logarithm has lost digits, and blunt logistics, whose difference has."""

    def sample(rho, logit, mean_0, mean_1, scale):
        return mean_0 + scale * exact_logistic(rho, logit, (mean_1 - mean_0) / scale)

    values = (rho, logit, 0.0, 1.0, scale)
    arguments = dict(zip(("rho", "logits", "mean_0", "mean_1", "scale"), map(np.array, values), strict=True))
    wanted = [differences(sample, values, place) for place in (1, 0, 2, 3, 4)]
    for found in (
        relaxations.overlap_logistic_grad(**arguments),
        implementation.call("relaxations.overlap_logistic_grad", **arguments),
    ):
        assert [float(part) for part in found[1:]] == pytest.approx(wanted, rel=4e-15, abs=0)


@given(inputs.overlap_logistic_grad())
def test_overlap_logistic_gradient_is_homogeneous(implementation, case) -> None:
    """The shares of the locations add up to 1, and Euler's relation for a common stretch."""
    for call in (
        relaxations.overlap_logistic_grad,
        lambda **c: implementation.call("relaxations.overlap_logistic_grad", **c),
    ):
        _, _, _, by_mean_0, by_mean_1, by_scale = call(**case)
        np.testing.assert_allclose(by_mean_0 + by_mean_1, 1, rtol=1e-12)
        euler = case["mean_0"] * by_mean_0 + case["mean_1"] * by_mean_1 + case["scale"] * by_scale
        np.testing.assert_allclose(euler, relaxations.overlap_logistic_icdf(**case), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("scale", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("logit", [-3.0, 0.0, 0.8])
def test_logistic_bernoulli_limit_by_quadrature(logit: float, scale: float) -> None:
    a = special.expit(-logit)

    def gap(x: float) -> float:
        step = 0 if x < 0 else a if x < 1 else 1
        return abs(float(relaxations.overlap_logistic_cdf(x, logit, 0, 1, scale)) - step)

    crossing = float(relaxations.overlap_logistic_icdf(a, logit, 0, 1, scale))
    edges = sorted(
        {-60 * scale, 0.0, *(c for c in (crossing, 3 * scale, 1 - 3 * scale) if 0 < c < 1), 1.0, 1 + 60 * scale}
    )
    wanted = sum(
        integrate.quad(gap, low, np.nextafter(high, low), limit=200, epsabs=1e-14)[0]
        for low, high in itertools.pairwise(edges)
    )
    distance, upper = relaxations.overlap_logistic_bernoulli_limit(logit, 0, 1, scale)
    assert float(distance) == pytest.approx(wanted, rel=1e-7)
    assert float(upper) == pytest.approx(
        1 - float(relaxations.overlap_logistic_cdf(0.5, logit, 0, 1, scale)), rel=1e-10
    )


def test_slopes_of_logistic_masses_keep_their_digits_near_one(implementation) -> None:
    # The middle of the locations is as many scales away as make the masses beside it round to 0 and 1.
    for dtype, width in (("float32", 0.06), ("float64", 0.028)):
        case = {"logits": np.zeros(1), "mean_0": 0.0, "mean_1": 2.0, "scale": np.array(width)}
        tensors = implementation.tensors(case, dtype)
        scale = tensors["scale"].requires_grad_()
        near = float(scale.detach())
        density = special.expit(1 / near) * special.expit(-1 / near) / near**2
        upper = implementation.find("relaxations.overlap_logistic_bernoulli_limit")(**tensors)[1]
        # Equal weights: what leaves one location for the middle comes from the other.
        assert torch.autograd.grad(upper.sum(), scale)[0].item() == pytest.approx(0, abs=1e-5 * density)
        logits = implementation.tensors({"logits": np.array([-3.0])}, dtype)["logits"]
        below = implementation.find("relaxations.overlap_logistic_cdf")(
            zeta=torch.ones_like(logits), **{**tensors, "logits": logits}
        )
        wanted = (special.expit(-3.0) - special.expit(3.0)) * density
        assert torch.autograd.grad(below.sum(), scale)[0].item() == pytest.approx(wanted, rel=1e-4, abs=0)


@given(inputs.overlap_logistic_bernoulli_limit())
def test_logistic_bernoulli_limit_bounds(implementation, case) -> None:
    for found in (
        relaxations.overlap_logistic_bernoulli_limit(**case),
        implementation.call("relaxations.overlap_logistic_bernoulli_limit", **case),
    ):
        distance, upper = found
        assert (distance >= 0).all()
        assert (distance <= 2 * case["scale"] * math.log(2) * (1 + 1e-12)).all()
        drift = special.expit(-(case["mean_1"] - case["mean_0"]) / (2 * case["scale"]))
        assert (np.abs(upper - special.expit(case["logits"])) <= drift * (1 + 1e-9) + 1e-15).all()


# Concrete


@pytest.mark.parametrize(("rho", "logit", "temperature"), [(0.3, 1.0, 0.01), (1e-9, 100.0, 10.0), (0.999, -4.0, 0.5)])
def test_concrete_logit_at_50_digits(rho: float, logit: float, temperature: float) -> None:
    with mpmath.workdps(50):
        r = mpmath.mpf(rho)
        wanted = float((mpmath.mpf(logit) + mpmath.log(r / (1 - r))) / mpmath.mpf(temperature))
    assert float(relaxations.binary_concrete_logit(rho, logit, temperature)) == pytest.approx(wanted, rel=1e-14, abs=0)


@given(inputs.binary_concrete_log_density())
def test_concrete_matches_torch(case) -> None:
    # Its density overflows far out, and its sampler clips probabilities next to 0 and 1.
    case = {**case, "logits": np.clip(case["logits"], -12, 12), "y": np.clip(case["y"], -30, 30)}
    law = torch.distributions.relaxed_bernoulli.LogitRelaxedBernoulli(
        torch.tensor(case["temperature"]), logits=torch.tensor(case["logits"])
    )
    wanted = law.log_prob(torch.tensor(case["y"])).numpy()
    np.testing.assert_allclose(relaxations.binary_concrete_log_density(**case), wanted, rtol=1e-6, atol=1e-6)
    torch.manual_seed(0)
    sample = law.rsample().numpy()
    torch.manual_seed(0)
    rho = torch.distributions.utils.clamp_probs(torch.rand(case["logits"].shape, dtype=torch.float64)).numpy()
    logit = relaxations.binary_concrete_logit(rho, case["logits"], case["temperature"])
    np.testing.assert_allclose(logit, sample, rtol=1e-6, atol=1e-6)


def test_concrete_density_integrates_to_its_cdf() -> None:
    """The density of y below a point is the noise that the point comes from."""
    for rho, logit, temperature in ((0.3, 1.0, 0.5), (0.8, -2.0, 2.0)):
        y = float(relaxations.binary_concrete_logit(rho, logit, temperature))
        total, _ = integrate.quad(
            lambda x, a=logit, t=temperature: math.exp(relaxations.binary_concrete_log_density(x, a, t)),
            y - 80 / temperature,
            y,
            limit=400,
        )
        assert total == pytest.approx(rho, rel=1e-8)


@given(inputs.binary_concrete_icdf())
def test_concrete_sample_has_its_cdf(implementation, case) -> None:
    """Above 1/2 exactly for noise above 1 - q; and sigma(lambda logit(zeta) - l) gives the noise back."""
    for call in (
        relaxations.binary_concrete_icdf,
        lambda **c: implementation.call("relaxations.binary_concrete_icdf", **c),
    ):
        zeta = call(**case)
        away = np.abs(case["rho"] - special.expit(-case["logits"])) > 1e-9
        np.testing.assert_array_equal((zeta > 0.5)[away], (case["rho"] > special.expit(-case["logits"]))[away])
        inside = (zeta > 1e-6) & (zeta < 1 - 1e-6)
        back = special.expit(case["temperature"] * special.logit(zeta) - case["logits"])
        np.testing.assert_allclose(back[inside], np.broadcast_to(case["rho"], zeta.shape)[inside], rtol=1e-6)


@given(inputs.binary_concrete_logit())
def test_concrete_sample_is_the_sigmoid_of_its_logit(implementation, case) -> None:
    one, two = (implementation.call(f"relaxations.binary_concrete_{n}", **case) for n in ("icdf", "logit"))
    np.testing.assert_allclose(one, special.expit(two), rtol=1e-12)


def test_concrete_is_the_two_class_gumbel_softmax(rng) -> None:
    n, logit = 400_000, 0.4
    for temperature in (0.5, 2.0):
        two = relaxations.gumbel_softmax([0.0, logit], rng.uniform(size=(n, 2)), temperature)[:, 1]
        assert stats.kstest(two, lambda x, t=temperature: special.expit(t * special.logit(x) - logit)).pvalue > 1e-3
        one = relaxations.binary_concrete_icdf(rng.uniform(size=n), logit, temperature)
        assert stats.ks_2samp(one, two).pvalue > 1e-3


def test_gumbel_argmax_is_categorical(rng) -> None:
    log_weights = np.log([0.5, 0.3, 0.2])
    drawn = np.argmax(relaxations.gumbel_softmax(log_weights, rng.uniform(size=(300_000, 3)), 0.7), axis=1)
    assert stats.chisquare(np.bincount(drawn), 300_000 * np.exp(log_weights)).pvalue > 1e-3


@given(inputs.gumbel_softmax())
def test_gumbel_softmax_becomes_one_hot(implementation, case) -> None:
    perturbed = case["log_weights"] - np.log(-np.log(case["uniform"]))
    for call in (relaxations.gumbel_softmax, lambda **c: implementation.call("relaxations.gumbel_softmax", **c)):
        found = call(**case)
        np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-12)
        sharp = call(**{**case, "temperature": 1e-6})
        gap = np.sort(perturbed, axis=-1)
        clear = (gap[..., -1] - gap[..., -2] > 1e-3) if gap.shape[-1] > 1 else np.ones(gap.shape[:-1], bool)
        np.testing.assert_allclose(sharp.max(-1)[clear], 1)


# Curves over the probability, log ratio


@pytest.mark.parametrize(("family", "setting", "zeta", "slope"), CURVES)
def test_curves_have_these_values(family: str, setting: float, zeta: list[float], slope: list[float]) -> None:
    found = relaxations.inverse_cdf_curve(CURVE_Q, 0.25, family, setting)
    np.testing.assert_allclose(found[0], zeta, atol=6e-5)
    np.testing.assert_allclose(found[1], slope, rtol=6e-4, atol=6e-4)


@pytest.mark.parametrize(("family", "setting"), [(c[0], c[1]) for c in CURVES])
def test_curve_slope_is_the_derivative(implementation, family: str, setting: float) -> None:
    q, step = np.array([0.1, 0.3, 0.6, 0.72, 0.9]), 1e-6
    up, down = (relaxations.inverse_cdf_curve(q + s * step, 0.25, family, setting)[0] for s in (1, -1))
    arguments = {"q": q, "rho": np.array(0.25), "family": family, "setting": setting}
    for found in (
        relaxations.inverse_cdf_curve(**arguments),
        implementation.call("relaxations.inverse_cdf_curve", **arguments),
    ):
        np.testing.assert_allclose(found[1], (up - down) / (2 * step), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("family", "setting"), [(c[0], c[1]) for c in CURVES])
def test_curve_area_is_the_difference_of_its_ends(family: str, setting: float) -> None:
    """The mean slope over q is zeta(1) - zeta(0): 1 for Concrete, 0.791 for exponentials of sharpness 8."""
    area, _ = integrate.quad(
        lambda q: float(relaxations.inverse_cdf_curve(q, 0.25, family, setting)[1]), 0, 1, points=[0.75], limit=400
    )
    ends = relaxations.inverse_cdf_curve([0.0, 1.0], 0.25, family, setting)[0]
    assert area == pytest.approx(ends[1] - ends[0], rel=1e-6)
    known = {("concrete", 1.0): 1.0, ("overlap_exp", 8.0): 0.791}
    assert area == pytest.approx(known.get((family, setting), area), abs=5e-4)


def test_claim_of_the_figure_is_local() -> None:
    """Erratum: true where both others are flat; at temperature 1 Concrete is the steeper at both ends of q."""
    q = np.linspace(0, 1, 2001)[1:-1]

    def slope(family, setting):
        return relaxations.inverse_cdf_curve(q, 0.25, family, setting)[1]

    for beta in (5.0, 8.0, 10.0):
        ours, spike = slope("overlap_exp", beta), slope("spike_exp", beta)
        for temperature in (2 / 3, 0.5, 1 / 3):
            concrete = slope("concrete", temperature)
            flat = (concrete < 0.02) & (spike < 0.02)
            assert (ours[flat] > np.maximum(concrete, spike)[flat]).all()
        assert (slope("concrete", 1.0)[[0, -1]] > ours[[0, -1]]).all()
    assert slope("overlap_exp", 10.0).min() == pytest.approx(0.033, abs=5e-4)
    assert (slope("spike_exp", 8.0)[q < 0.75] == 0).all()


@given(inputs.smoothing_log_ratio())
def test_log_ratio_is_the_difference_of_the_densities(implementation, case) -> None:
    family, setting, zeta = case["family"], case["setting"], case["zeta"]
    found = implementation.call("relaxations.smoothing_log_ratio", **case)
    np.testing.assert_allclose(found, relaxations.smoothing_log_ratio(**case), rtol=1e-9, atol=1e-9)
    inside = (zeta >= 0) & (zeta <= 1) if family == "overlap_exp" else np.ones(zeta.shape, bool)
    if family != "spike_exp":
        up, down = (relaxations.smoothed_log_density(zeta[inside], a, family, setting) for a in (np.inf, -np.inf))
        np.testing.assert_allclose(found[inside], up - down, rtol=1e-9, atol=1e-9)
        mirrored = implementation.call("relaxations.smoothing_log_ratio", **{**case, "zeta": 1 - zeta})
        np.testing.assert_allclose(found, -mirrored, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize(
    ("zeta", "scale"), [(0.4211, 3.0), (0.486, 3.0), (0.4533, 0.93), (0.45, 0.05), (2.0**-20, 0.02), (7.5, 0.8)]
)
def test_logistic_log_ratio_at_50_digits(implementation, zeta: float, scale: float) -> None:
    def log_ratio(zeta, s):
        return 2 * mpmath.log(mpmath.cosh(zeta / (2 * s)) / mpmath.cosh((zeta - 1) / (2 * s)))

    wanted = at_50_digits(log_ratio, zeta, scale)
    case = {"zeta": np.array(zeta), "family": "overlap_logistic", "setting": scale}
    assert float(relaxations.smoothing_log_ratio(**case)) == pytest.approx(wanted, rel=2e-15, abs=0)
    assert float(implementation.call("relaxations.smoothing_log_ratio", **case)) == pytest.approx(
        wanted, rel=2e-15, abs=0
    )


@pytest.mark.parametrize(
    ("zeta", "logit", "beta"), [(0.2667, -1e-3, 0.125), (2.0**-20, 0.0, 0.125), (0.35, 1e-3, 0.9), (0.8, 5.0, 0.3)]
)
def test_blunt_log_density_at_50_digits(implementation, zeta: float, logit: float, beta: float) -> None:
    """Next to 0, where the sum over both values leaves 1 and no digit of its logarithm."""

    def log_density(zeta, logit, beta):
        q, a = 1 / (1 + mpmath.exp(-logit)), 1 / (1 + mpmath.exp(logit))
        mixture = a * mpmath.exp(-beta * zeta) + q * mpmath.exp(beta * (zeta - 1))
        return mpmath.log(mixture * beta / -mpmath.expm1(-beta))

    wanted = at_50_digits(log_density, zeta, logit, beta)
    case = {"zeta": np.array(zeta), "logits": np.array(logit), "family": "overlap_exp", "setting": beta}
    assert float(relaxations.smoothed_log_density(**case)) == pytest.approx(wanted, rel=2e-15, abs=0)
    assert float(implementation.call("relaxations.smoothed_log_density", **case)) == pytest.approx(
        wanted, rel=2e-15, abs=0
    )


# Gradients, devices of failure


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("spike_exp_icdf", (5.0,)),
        ("overlap_exp_icdf", (8.0,)),
        ("overlap_exp_icdf", (0.3,)),
        ("overlap_logistic_icdf", (0.0, 1.0, 0.3)),
        ("overlap_logistic_offsets", (-0.5, 1.0, 0.3)),
        ("overlap_normal_icdf", (0.3,)),
        ("binary_concrete_icdf", (0.5,)),
    ],
)
def test_closed_form_gradients_pass_gradcheck(implementation, name: str, extra: tuple[float, ...]) -> None:
    values = [torch.tensor([0.3, 0.9, 0.62]), torch.tensor([0.4, 1.0, -0.3]), *(torch.tensor(e) for e in extra)]
    leaves = [v.double().requires_grad_() for v in values]
    assert torch.autograd.gradcheck(implementation.find(f"relaxations.{name}"), leaves)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["spike_exp_icdf", "overlap_exp_icdf"])
def test_gradients_are_finite_at_every_corner(implementation, name: str, dtype: torch.dtype) -> None:
    """Certain z, noise at its ends, tiny and moderate sharpness: no NaN from a branch that is not taken."""
    rho, logits = torch.meshgrid(
        torch.tensor([0.0, 1e-30, 0.25, 0.5, 0.99, 1.0]),
        torch.tensor([-torch.inf, -100, 0.0, 3, 100, torch.inf]),
        indexing="ij",
    )
    for beta in (1e-6, 8.0, 60.0):
        leaf = logits.to(dtype, copy=True).requires_grad_()
        sample = implementation.find(f"relaxations.{name}")(rho.to(dtype), leaf, beta)
        (gradient,) = torch.autograd.grad(sample.sum(), leaf)
        assert sample.isfinite().all()
        assert gradient.isfinite().all()
        assert (gradient >= 0).all()
    assert implementation.find(f"relaxations.{name}")(torch.tensor([torch.nan]), torch.zeros(1), 8.0).isnan().all()
    steep = torch.zeros(1, dtype=dtype, requires_grad=True)
    sample = implementation.find(f"relaxations.{name}")(torch.tensor([0.5 + 2.0**-8], dtype=dtype), steep, 1e3)
    assert torch.autograd.grad(4 * sample.sum(), steep)[0].isfinite().all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: relaxations.overlap_exp_icdf(1.5, 0.0, 8.0), r"rho must lie in \[0, 1\], got 1.5"),
        (lambda: relaxations.overlap_exp_icdf(0.5, np.nan, 8.0), "logits must not contain NaN"),
        (lambda: relaxations.overlap_exp_icdf(0.5, 0.0, 0.0), "beta must be > 0, got 0.0"),
        (lambda: relaxations.overlap_exp_icdf([0.5, 0.5], [0.0] * 3, 8.0), "shapes must broadcast together"),
        (lambda: relaxations.overlap_exp_log_pdf(0.5, 0.5, 8.0), "z must be 0 or 1, got 0.5"),
        (lambda: relaxations.spike_exp_grad(-0.1, 0.0, 8.0), "rho must lie in"),
        (lambda: relaxations.overlap_exp_moments(0.0, -1.0), "beta must be > 0, got -1.0"),
        (lambda: relaxations.overlap_exp_bernoulli_limit(np.inf, 1.0), "logits must be finite"),
        (lambda: relaxations.overlap_normal_icdf(0.5, 0.0, 0.0), "scale must be > 0, got 0.0"),
        (lambda: relaxations.logistic_log_pdf(0.0, np.inf, 1.0), "mean must be finite"),
        (lambda: relaxations.overlap_logistic_icdf(0.5, 0.0, 1.0, 0.0, 1.0), "mean_1 must be at least mean_0"),
        (lambda: relaxations.overlap_logistic_icdf_mprime(0.0, 0.5, 0.0, 1.0, 1.0), "rho must be > 0, got 0.0"),
        (lambda: relaxations.binary_concrete_icdf(0.5, 0.0, -1.0), "temperature must be > 0, got -1.0"),
        (lambda: relaxations.gumbel_softmax([0.0], [1.0], 1.0), "uniform must lie strictly between 0 and 1"),
        (lambda: relaxations.smoothing_inverse_cdf(0.5, 0.0, "cauchy", 1.0), "family must be one of .* got 'cauchy'"),
        (lambda: relaxations.overlap_exp_icdf_asinh(0.5, 1.5, 8.0), r"q must lie in \[0, 1\], got 1\.5"),
        (lambda: relaxations.smoothed_log_density(0.5, 0.0, "spike_exp", 1.0), "family must be .* got 'spike_exp'"),
        (lambda: relaxations.smoothing_log_ratio(0.5, "cauchy", 1.0), "family must be one of .* got 'cauchy'"),
        (lambda: relaxations.inverse_cdf_curve(0.5, 0.5, "normal", 1.0), "family must be .* got 'normal'"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("beta", [0.5, 8.0])
def test_smoothed_density_ends_with_the_unit_interval(implementation, beta: float) -> None:
    zeta = np.array([-0.5, 1.0 + 1e-9, 1.5])
    arguments = {"zeta": zeta, "logits": np.zeros(3), "family": "overlap_exp", "setting": beta}
    assert np.all(relaxations.smoothed_log_density(**arguments) == -np.inf)
    assert np.all(implementation.call("relaxations.smoothed_log_density", **arguments) == -np.inf)

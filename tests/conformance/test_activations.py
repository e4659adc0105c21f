"""Nonlinearities."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import optimize

from reference import activations
from tests.conformance.first_principles import at_50_digits, gaussian_integral
from tests.conformance.inputs import activations as inputs

POINTS = [-30.0, -12.0, -1.278465, -1e-9, 0.0, 1e-9, 0.7, 30.0]


@pytest.mark.parametrize("u", POINTS)
def test_activations_at_50_digits(u: float) -> None:
    exact = {
        activations.silu: lambda x: x / (1 + mpmath.exp(-x)),
        activations.gelu: lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
        activations.elu: lambda x: x if x > 0 else mpmath.expm1(x),
        activations.selu: lambda x: (
            mpmath.mpf(activations.SELU_SCALE) * (x if x > 0 else mpmath.mpf(activations.SELU_ALPHA) * mpmath.expm1(x))
        ),
    }
    for function, formula in exact.items():
        assert float(function(u)) == pytest.approx(at_50_digits(formula, u), rel=1e-13, abs=0)


@given(inputs.silu())
def test_activations_match_torch(case) -> None:
    u = case["u"]
    tensor = torch.as_tensor(u)
    wanted = {
        activations.silu: torch.nn.functional.silu,
        activations.gelu: torch.nn.functional.gelu,
        activations.elu: torch.nn.functional.elu,
        activations.selu: torch.nn.functional.selu,
    }
    for function, torchs in wanted.items():
        np.testing.assert_allclose(function(u), torchs(tensor).numpy(), rtol=1e-12, atol=1e-14)


@given(inputs.leaky_relu())
def test_leaky_relu_matches_torch(case) -> None:
    wanted = torch.nn.functional.leaky_relu(torch.as_tensor(case["u"]), case["slope"]).numpy()
    np.testing.assert_allclose(activations.leaky_relu(**case), wanted, rtol=1e-15)


@given(inputs.leaky_relu())
def test_leaky_relu_by_cases(case) -> None:
    wanted = [u if u > 0 else case["slope"] * u for u in case["u"].ravel().tolist()]
    assert activations.leaky_relu(**case).ravel().tolist() == pytest.approx(wanted, rel=1e-15)


def test_silu_minimum() -> None:
    found = optimize.minimize_scalar(lambda u: float(activations.silu(u)), bracket=(-2, -1, 0), tol=1e-10)
    assert found.x == pytest.approx(-1.278465, abs=1e-5)
    assert found.fun == pytest.approx(-0.278465, abs=1e-6)


def test_selu_keeps_mean_and_variance() -> None:
    """The two constants are the fixed point of mean 0 and variance 1 under a standard Gaussian input."""
    mean = gaussian_integral(lambda u: float(activations.selu(u)), kinks=(0.0,))
    square = gaussian_integral(lambda u: float(activations.selu(u)) ** 2, kinks=(0.0,))
    assert mean == pytest.approx(0, abs=1e-10)
    assert square == pytest.approx(1, abs=1e-10)


def test_elu_twice_is_not_elu() -> None:
    once = activations.elu(-1.0)
    assert float(once) == pytest.approx(-0.6321, abs=5e-5)
    assert float(activations.elu(once)) == pytest.approx(-0.4685, abs=5e-5)
    assert math.exp(-1e-17) - 1 == 0
    assert float(activations.elu(-1e-17)) == -1e-17


def test_gelu_is_an_expectation() -> None:
    """U P(Z <= u), by quadrature; the tanh approximation is another function."""
    for u in (-2.0, 0.5, 1.5):
        wanted = u * gaussian_integral(lambda z, u=u: float(z <= u), kinks=(u,))
        assert float(activations.gelu(u)) == pytest.approx(wanted, abs=1e-11)
        approximate = torch.nn.functional.gelu(torch.tensor(u, dtype=torch.float64), approximate="tanh")
        assert abs(float(approximate) - wanted) > 1e-5


def test_silu_backward_is_its_derivative(implementation) -> None:
    """The hand-written backward, in double precision, and nothing but the input is kept for it."""
    silu = implementation.find("activations.silu")
    u = torch.linspace(-20, 20, 41, dtype=torch.float64, device=implementation.device, requires_grad=True)
    assert torch.autograd.gradcheck(silu, u)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        silu(u)
    assert len(saved) == 1


@given(inputs.silu())
def test_silu_less_its_mirror_is_the_identity(implementation, case) -> None:
    got = implementation.call("activations.silu", **case)
    mirrored = implementation.call("activations.silu", u=-case["u"])
    np.testing.assert_allclose(got - mirrored, case["u"], rtol=1e-12, atol=1e-15)
    assert (got >= -0.2784646).all()


@given(inputs.gelu())
def test_gelu_less_its_mirror_is_the_identity(implementation, case) -> None:
    got = implementation.call("activations.gelu", **case)
    mirrored = implementation.call("activations.gelu", u=-case["u"])
    np.testing.assert_allclose(got - mirrored, case["u"], rtol=1e-12, atol=1e-15)
    one = implementation.call("activations.gelu", u=np.array([1.0]))
    np.testing.assert_allclose(one, 0.841344746068543, rtol=1e-12)


@given(inputs.leaky_relu())
def test_leaky_relu_is_homogeneous(implementation, case) -> None:
    got = implementation.call("activations.leaky_relu", **case)
    np.testing.assert_allclose(implementation.call("activations.leaky_relu", **{**case, "u": 4 * case["u"]}), 4 * got)
    np.testing.assert_array_equal(got[case["u"] >= 0], case["u"][case["u"] >= 0])
    assert (got >= case["u"]).all()


@given(inputs.elu())
def test_elu_is_bounded_below(implementation, case) -> None:
    got = implementation.call("activations.elu", **case)
    assert (got >= -case.get("alpha", 1.0)).all()
    np.testing.assert_array_equal(got[case["u"] >= 0], case["u"][case["u"] >= 0])
    near = {**case, "u": np.array([-(2.0**-60)])}
    np.testing.assert_allclose(implementation.call("activations.elu", **near), -case.get("alpha", 1.0) * 2.0**-60)


@given(inputs.selu())
def test_selu_is_a_scaled_elu(implementation, case) -> None:
    got = implementation.call("activations.selu", **case)
    wanted = 1.0507009873554805 * implementation.call("activations.elu", **case, alpha=1.6732632423543772)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (activations.silu, (np.nan,), r"u must not contain NaN, got nan"),
        (activations.gelu, (np.inf,), r"u must be finite, got inf"),
        (activations.leaky_relu, (0.0, 1.5), r"slope must lie in \[0, 1\], got 1\.5"),
        (activations.elu, (0.0, 0.0), r"alpha must be > 0, got 0\.0"),
        (activations.selu, (-np.inf,), r"u must be finite, got -inf"),
    ],
)
def test_bad_input_is_named(function, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)

"""Initial weights: bounds, variances, laws, PyTorch's own, stability over depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import stats
from torch import nn

from reference import initialisation
from tests.conformance.first_principles import assert_mean
from tests.conformance.inputs import initialisation as inputs


def test_xavier_uniform_has_its_law(rng) -> None:
    """U(-a, a) with a = sqrt(6 / ((c_in + c_out) k^2)): variance a^2 / 3, and no other shape."""
    w = initialisation.xavier_uniform(rng.uniform(-1, 1, size=(400, 300, 3, 3))).ravel()
    a = np.sqrt(6 / (700 * 9))
    assert_mean(w**2, a**2 / 3)
    assert stats.kstest(w[:50_000], stats.uniform(-a, 2 * a).cdf).pvalue > 1e-4


@pytest.mark.parametrize("shape", [(7, 5), (4, 6, 3, 3), (6, 1, 5, 5)])
def test_xavier_uniform_is_that_of_torch(shape: tuple[int, ...]) -> None:
    """With the same seed, the library's draws divided by its bound are the uniform draws."""
    wanted = nn.init.xavier_uniform_(
        torch.empty(shape, dtype=torch.float64), generator=torch.Generator().manual_seed(3)
    )
    uniform = torch.empty(shape, dtype=torch.float64).uniform_(-1, 1, generator=torch.Generator().manual_seed(3))
    np.testing.assert_allclose(initialisation.xavier_uniform(uniform.numpy()), wanted.numpy(), rtol=1e-10, atol=1e-15)


def test_kaiming_uniform_default_has_its_law(rng) -> None:
    w = initialisation.kaiming_uniform_default(rng.uniform(-1, 1, size=(400, 300, 3, 3))).ravel()
    a = 1 / np.sqrt(300 * 9)
    assert_mean(w**2, a**2 / 3)
    assert stats.kstest(w[:50_000], stats.uniform(-a, 2 * a).cdf).pvalue > 1e-4


def test_kaiming_uniform_default_is_that_of_torch_modules() -> None:
    torch.manual_seed(5)
    layer = nn.Conv2d(6, 4, 3).double()
    bound = float(initialisation.kaiming_uniform_default(np.ones((4, 6, 3, 3)))[0, 0, 0, 0])
    largest = float(layer.weight.detach().abs().max())
    assert 0.9 * bound < largest <= bound * (1 + 1e-6)
    assert float(layer.bias.detach().abs().max()) <= bound * (1 + 1e-6)


@pytest.mark.parametrize("layers", [1, 4, 64])
def test_stable_scale_keeps_the_variance_of_the_sum(rng, layers: int) -> None:
    """The variance of sum of W_l z_l / sqrt(L) is that of one term; without the scale it is L times that."""
    weights, z = rng.normal(size=(layers, 1, 8)), rng.normal(size=(layers, 8, 40_000))
    weights /= np.linalg.norm(weights, axis=2, keepdims=True)
    total = sum(initialisation.stable_scale(w, layers) @ e for w, e in zip(weights, z, strict=True))
    assert_mean(total.ravel() ** 2, 1.0, planted=0.1)
    plain = sum(w @ e for w, e in zip(weights, z, strict=True))
    assert np.mean(plain**2) == pytest.approx(layers, rel=0.05)


@given(inputs.stable_scale())
def test_stable_scale_is_a_ratio_of_norms(case) -> None:
    ratio = np.linalg.norm(initialisation.stable_scale(**case)) / np.linalg.norm(case["weight"])
    assert ratio**2 * case["layers"] == pytest.approx(1, rel=1e-12)


@given(inputs.stable_scale())
def test_one_layer_is_left_alone(implementation, case) -> None:
    got = implementation.call("initialisation.stable_scale", weight=case["weight"], layers=1)
    np.testing.assert_array_equal(got, case["weight"])


@given(inputs.xavier_uniform())
def test_xavier_ignores_the_direction(implementation, case) -> None:
    """Glorot's bound is the same for a weight and its transpose."""
    got = implementation.call("initialisation.xavier_uniform", **case)
    turned = implementation.call("initialisation.xavier_uniform", uniform=case["uniform"].swapaxes(0, 1).copy())
    np.testing.assert_allclose(turned.swapaxes(0, 1), got, rtol=1e-14)


@given(inputs.kaiming_uniform_default())
def test_kaiming_ignores_the_outputs(implementation, case) -> None:
    got = implementation.call("initialisation.kaiming_uniform_default", **case)
    first = implementation.call("initialisation.kaiming_uniform_default", uniform=case["uniform"][:1])
    np.testing.assert_array_equal(got[:1], first)


@pytest.mark.parametrize(
    ("function", "arguments", "match"),
    [
        ("xavier_uniform", (np.full((2, 2), 1.5),), r"uniform must lie in \[-1, 1\], got 1.5"),
        ("kaiming_uniform_default", (np.ones(3),), r"uniform must be \(c_out, c_in, ...\), got shape \(3,\)"),
        ("stable_scale", (np.ones((2, 2)), 0), "layers must be an integer >= 1, got 0"),
    ],
)
def test_bad_input_is_named(function: str, arguments: tuple, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        getattr(initialisation, function)(*arguments)

"""Blocks with explicit weights: pixel by pixel loops, PyTorch modules, identities at special weights, counts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import stats
from torch import nn
from torch.nn import functional

from reference import blocks, convolution
from tests.conformance.inputs import blocks as inputs


def t(value):
    return [torch.as_tensor(v) for v in value] if isinstance(value, list) else torch.as_tensor(value)


def pixel_loop(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolution of one image with an odd kernel, one number at a time."""
    size = weight.shape[-1]
    y = np.zeros((len(weight), *x.shape[1:]))
    for o, i, j in np.ndindex(y.shape):
        total = bias[o]
        for c, p, q in np.ndindex(weight.shape[1:]):
            row, column = i + p - size // 2, j + q - size // 2
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                total += weight[o, c, p, q] * x[c, row, column]
        y[o, i, j] = total
    return y


def act(name: str, x: np.ndarray) -> np.ndarray:
    flat = [v / (1 + math.exp(-v)) if name == "silu" else 0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.ravel()]
    return np.reshape(flat, x.shape)


def module(cell, activation: str) -> nn.Module:
    """Bottleneck cell of PyTorch modules with these weights."""
    layers: list[nn.Module] = []
    for weight, bias in zip(cell[::2], cell[1::2], strict=True):
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], padding=weight.shape[-1] // 2).double()
        conv.load_state_dict({"weight": t(weight), "bias": t(bias)})
        layers += [nn.SiLU() if activation == "silu" else nn.GELU(), conv]
    return nn.Sequential(*layers)


def silent(cell: list[np.ndarray]) -> list[np.ndarray]:
    """The cell with its last convolution zero."""
    return [*cell[:6], 0 * cell[6], 0 * cell[7]]


@given(inputs.bottleneck())
def test_bottleneck_matches_loops(case) -> None:
    got = blocks.bottleneck(**case)
    for image, out in zip(case["x"], got, strict=True):
        h = image
        for weight, bias in zip(case["cell"][::2], case["cell"][1::2], strict=True):
            h = pixel_loop(act(case["activation"], h), weight, bias)
        np.testing.assert_allclose(out, h + image if case["residual"] else h, rtol=1e-9, atol=1e-9)


@given(inputs.bottleneck())
def test_bottleneck_matches_modules(case) -> None:
    wanted = module(case["cell"], case["activation"])(t(case["x"])).detach().numpy()
    wanted = wanted + case["x"] if case["residual"] else wanted
    np.testing.assert_allclose(blocks.bottleneck(**case), wanted, rtol=1e-9, atol=1e-9)


def test_bottleneck_has_the_counted_parameters() -> None:
    """N m + m + 2 (k^2 m^2 + m) + m o + o."""
    n, m, k, o = 8, 2, 3, 6
    cell = [np.ones(s) for s in ((m, n, 1, 1), (m,), (m, m, k, k), (m,), (m, m, k, k), (m,), (o, m, 1, 1), (o,))]
    assert blocks.bottleneck(np.ones((1, n, 2, 2)), cell, "silu", False).shape == (1, o, 2, 2)
    assert sum(a.size for a in cell) == n * m + m + 2 * (k * k * m * m + m) + m * o + o


@given(inputs.bottom_up())
def test_bottom_up_matches_modules(case) -> None:
    state = t(case["x"]) + module(case["cell"], "silu")(t(case["x"]))
    features = functional.conv2d(state, *t(case["skip"]))
    if case["pooling"]:
        weight, bias = t(case["pooling"])
        state = functional.leaky_relu(functional.conv2d(state, weight, bias, stride=weight.shape[-1]), 0.1)
    got = blocks.bottom_up(**case)
    for one, two in zip(got, (state, features), strict=True):
        np.testing.assert_allclose(one, two.detach().numpy(), rtol=1e-9, atol=1e-9)


@given(inputs.bottom_up())
def test_bottom_up_of_a_silent_cell(case) -> None:
    """W3 = 0 makes the cell the identity: the features are a 1x1 convolution of the input, whatever the pooling."""
    state, features = blocks.bottom_up(**{**case, "cell": silent(case["cell"])})
    wanted = np.stack([pixel_loop(image, *case["skip"]) for image in case["x"]])
    np.testing.assert_allclose(features, wanted, rtol=1e-9, atol=1e-9)
    pooled = convolution.pool(case["x"], *case["pooling"]) if case["pooling"] else case["x"]
    np.testing.assert_array_equal(state, pooled)


def softplus(x: np.ndarray, beta: float) -> np.ndarray:
    flat = [(max(beta * v, 0) + math.log1p(math.exp(-abs(beta * v)))) / beta for v in x.ravel()]
    return np.reshape(flat, x.shape)


@given(inputs.prior())
def test_prior_matches_modules(case) -> None:
    outputs = module(case["cell"], "silu")(t(case["y"])).detach().numpy()
    width = case["y"].shape[1]
    raw = np.stack([pixel_loop(image, *case["head"]) for image in outputs[:, width:]])
    v = raw.shape[1] // 2
    got = blocks.prior(**case)
    for one, two in zip(got, (outputs[:, :width], raw[:, :v], softplus(raw[:, v:], case["beta"])), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@given(inputs.prior())
def test_prior_of_a_silent_cell_is_its_head_bias(case) -> None:
    head = [case["head"][0], np.zeros_like(case["head"][1])]
    residual, mean, scale = blocks.prior(case["y"], silent(case["cell"]), head, math.log(2))
    np.testing.assert_array_equal(residual, 0)
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_allclose(scale, 1, rtol=1e-15)


@given(inputs.posterior())
def test_posterior_matches_modules(case) -> None:
    joined = torch.cat([t(case["y"]), t(case["features"])], 1)
    hidden = module(case["cell"], "silu")(joined).detach().numpy()
    raw = np.stack([pixel_loop(image, *case["head"]) for image in hidden])
    v = raw.shape[1] // 2
    got = blocks.posterior(**case)
    np.testing.assert_allclose(got[0], raw[:, :v], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(got[1], softplus(raw[:, v:], case["beta"]), rtol=1e-9, atol=1e-12)


@given(inputs.posterior())
def test_posterior_is_the_head_of_the_joined_bottleneck(case) -> None:
    joined = np.concatenate([case["y"], case["features"]], axis=1)
    hidden = blocks.bottleneck(joined, case["cell"], "silu", False)
    raw = convolution.same(hidden, *case["head"], 1)
    np.testing.assert_allclose(blocks.posterior(**case)[0], np.split(raw, 2, axis=1)[0], rtol=1e-12, atol=1e-12)


@given(inputs.merge())
def test_merge_matches_modules(case) -> None:
    state = t(case["y"]) + t(case["residual"]) + functional.conv2d(t(case["z"]), *t(case["latent"]))
    wanted = (state + module(case["cell"], case["activation"])(state)).detach().numpy()
    np.testing.assert_allclose(blocks.merge(**case), wanted, rtol=1e-9, atol=1e-9)


@given(inputs.merge())
def test_merge_without_latent_and_cell_adds_the_residual(case) -> None:
    zero = {"latent": [0 * a for a in case["latent"]], "cell": silent(case["cell"])}
    np.testing.assert_allclose(blocks.merge(**{**case, **zero}), case["y"] + case["residual"], rtol=1e-14)


def test_generation_with_the_posterior_sample_reproduces_the_training_pass(rng) -> None:
    """A top-down block reaches the state through the latent alone; the posterior leaves no other trace."""
    w, v = 3, 2

    def cell(n: int, o: int) -> list[np.ndarray]:
        shapes = ((2, n, 1, 1), (2,), (2, 2, 3, 3), (2,), (2, 2, 3, 3), (2,), (o, 2, 1, 1), (o,))
        return [rng.normal(size=s) for s in shapes]

    heads = [[rng.normal(size=(2 * v, w, 1, 1)), rng.normal(size=2 * v)] for _ in range(2)]
    latent, prior_cell, posterior_cell, last = (
        [rng.normal(size=(w, v, 1, 1)), rng.normal(size=w)],
        cell(w, 2 * w),
        cell(2 * w, w),
        cell(w, w),
    )
    y, chi, noise = rng.normal(size=(1, w, 4, 4)), rng.normal(size=(1, w, 4, 4)), rng.normal(size=(1, v, 4, 4))
    residual, *_ = blocks.prior(y, prior_cell, heads[0], math.log(2))
    mean, scale = blocks.posterior(y, chi, posterior_cell, heads[1], math.log(2))
    z = mean + scale * noise
    trained = blocks.merge(y, residual, z, latent, last, "silu")
    again, prior_mean, prior_scale = blocks.prior(y, prior_cell, heads[0], math.log(2))
    own_noise = (z - prior_mean) / prior_scale
    generated = blocks.merge(y, again, prior_mean + prior_scale * own_noise, latent, last, "silu")
    np.testing.assert_allclose(generated, trained, rtol=1e-12, atol=1e-12)


def test_bottleneck_keeps_the_lower_tail_of_gelu(implementation) -> None:
    """At -8 the distribution function is 6e-16; one minus it would leave no digit. A weight of 1e15 shows them."""
    one, zero = np.ones((1, 1, 1, 1)), np.zeros(1)
    case = {"x": np.full((1, 1, 1, 1), -8.0), "cell": [1e15 * one, zero, one, zero, one, zero, one, zero]}
    case |= {"activation": "gelu", "residual": False}
    wanted = np.float64(1e15) * -8 * stats.norm.cdf(-8)
    for _ in range(3):
        wanted = wanted * stats.norm.cdf(wanted)
    np.testing.assert_allclose(blocks.bottleneck(**case), wanted, rtol=1e-12)
    np.testing.assert_allclose(implementation.call("blocks.bottleneck", **case), wanted, rtol=1e-12)


@given(inputs.vdvae_prior())
def test_vdvae_prior_matches_modules(case) -> None:
    outputs = module(case["cell"], "gelu")(t(case["y"])).detach().numpy()
    v = (outputs.shape[1] - case["y"].shape[1]) // 2
    got = blocks.vdvae_prior(**case)
    for one, two in zip(got, (outputs[:, 2 * v :], outputs[:, :v], np.exp(outputs[:, v : 2 * v])), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@given(inputs.vdvae_prior())
def test_vdvae_prior_starts_standard(case) -> None:
    residual, mean, scale = blocks.vdvae_prior(case["y"], silent(case["cell"]))
    np.testing.assert_array_equal(residual, 0)
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_array_equal(scale, 1)


@given(inputs.vdvae_posterior())
def test_vdvae_posterior_matches_modules(case) -> None:
    outputs = module(case["cell"], "gelu")(torch.cat([t(case["y"]), t(case["features"])], 1)).detach().numpy()
    mean, scale = blocks.vdvae_posterior(**case)
    v = outputs.shape[1] // 2
    np.testing.assert_allclose(mean, outputs[:, :v], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scale, np.exp(outputs[:, v:]), rtol=1e-9, atol=1e-9)


@given(inputs.vdvae_posterior())
def test_vdvae_posterior_has_the_density_of_its_parameters(case) -> None:
    """KL at initialisation, where the prior is N(0, 1), from the parameters and from SciPy's entropy and moments."""
    mean, scale = blocks.vdvae_posterior(**case)
    kl = 0.5 * (mean**2 + scale**2 - 1) - np.log(scale)
    wanted = -stats.norm.entropy(mean, scale) + 0.5 * (mean**2 + scale**2 + math.log(2 * math.pi))
    np.testing.assert_allclose(kl, wanted, rtol=1e-9, atol=1e-9)
    joined = np.concatenate([case["y"], case["features"]], axis=1)
    np.testing.assert_allclose(
        np.concatenate([mean, np.log(scale)], 1), blocks.bottleneck(joined, case["cell"], "gelu", False), atol=1e-9
    )


@given(inputs.residual_block())
def test_residual_block_matches_torch(case) -> None:
    x, (first, bias, second, second_bias), crop = t(case["x"]), t(case["layers"]), case["crop"]
    stride = 2 if case["resize"] == "down" else 1
    skip = t(case["skip"])
    if case["resize"] == "up":
        keep = slice(0, 2 * x.shape[2] - crop), slice(0, 2 * x.shape[3] - crop)
        h = functional.conv_transpose2d(functional.elu(x), first, bias, stride=2, padding=1)[:, :, keep[0], keep[1]]
        base = functional.conv_transpose2d(x, *skip, stride=2)[:, :, keep[0], keep[1]]
    else:
        h = functional.conv2d(functional.elu(x), first, bias, stride=stride, padding=1)
        base = functional.conv2d(x, *skip, stride=stride) if skip else x
    y = functional.conv2d(functional.elu(h), second, second_bias, padding=1)
    if case["excite"]:
        w1, b1, w2, b2 = t(case["excite"])
        y = (
            y
            * torch.sigmoid(functional.linear(functional.elu(functional.linear(y.mean((2, 3)), w1, b1)), w2, b2))[
                :, :, None, None
            ]
        )
    np.testing.assert_allclose(blocks.residual_block(**case), (base + y).numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("resize", "crop", "sizes"),
    [("down", 0, [28, 14, 7, 4, 2, 1]), ("up", 0, [4, 8, 16]), ("none", 0, [7, 7]), ("up", 1, [4, 7, 13])],
)
def test_residual_block_sizes(resize: str, crop: int, sizes: list[int]) -> None:
    """Downwards a map is halved and rounded up: 28, 14, 7, 4; upwards 4 becomes 8, or 7 when cut."""
    kernel = 4 if resize == "up" else 3
    layers = [np.ones((1, 1, kernel, kernel)), np.ones(1), np.ones((1, 1, 3, 3)), np.ones(1)]
    skip = {"none": [], "down": [np.ones((1, 1, 1, 1)), np.ones(1)], "up": [np.ones((1, 1, 2, 2)), np.ones(1)]}[resize]
    for before, after in itertools.pairwise(sizes):
        got = blocks.residual_block(np.ones((1, 1, before, before)), layers, skip, [], resize, crop)
        assert got.shape == (1, 1, after, after)


@given(inputs.residual_block())
def test_residual_block_without_second_convolution_is_the_skip(implementation, case) -> None:
    first, bias, second, second_bias = case["layers"]
    silent_layers = [first, bias, 0 * second, 0 * second_bias]
    got = implementation.call("blocks.residual_block", **{**case, "layers": silent_layers})
    wanted, crop = case["x"], case["crop"]
    if case["skip"] and case["resize"] == "up":
        wanted = convolution.transposed(wanted, *case["skip"], 2, 0)
        wanted = wanted[:, :, : wanted.shape[2] - crop, : wanted.shape[3] - crop]
    elif case["skip"]:
        wanted = convolution.convolve(wanted, *case["skip"], 2 if case["resize"] == "down" else 1, 0, 0)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


@given(inputs.stochastic_skip())
def test_stochastic_skip_matches_loops(case) -> None:
    got = blocks.stochastic_skip(**case)
    wanted = case["features"][0] + case["bias"][:, None, None]
    for z, weight in zip(case["latents"], case["weights"], strict=True):
        wanted = wanted + pixel_loop(z[0], weight, np.zeros(len(weight)))
    np.testing.assert_allclose(got[0], wanted, rtol=1e-9, atol=1e-9)


def test_stochastic_skip_has_few_parameters() -> None:
    """One 1x1 convolution of 8 latent channels to 100 has 900 parameters; three layers have one edge, six have ten."""
    edge = 8 * 100 + 100
    got = blocks.stochastic_skip(
        np.zeros((1, 100, 2, 2)), [np.ones((1, 8, 2, 2))], [np.ones((100, 8, 1, 1))], np.ones(100)
    )
    np.testing.assert_array_equal(got, 9)
    assert edge < 10_000
    assert sum(1 for i in range(1, 7) for j in range(i + 2, 7)) * edge < 10_000


@given(inputs.stochastic_skip())
def test_stochastic_skip_of_zero_weights_is_none(implementation, case) -> None:
    zero = {"weights": [0 * w for w in case["weights"]], "bias": 0 * case["bias"]}
    np.testing.assert_array_equal(implementation.call("blocks.stochastic_skip", **{**case, **zero}), case["features"])


@given(inputs.bottleneck())
def test_silent_bottleneck_is_the_identity_or_nothing(implementation, case) -> None:
    got = implementation.call("blocks.bottleneck", **{**case, "cell": silent(case["cell"])})
    np.testing.assert_array_equal(got, case["x"] if case["residual"] else 0)


@given(inputs.bottom_up())
def test_pooling_never_touches_the_features(implementation, case) -> None:
    _, features = implementation.call("blocks.bottom_up", **case)
    _, plain = implementation.call("blocks.bottom_up", **{**case, "pooling": []})
    np.testing.assert_array_equal(features, plain)


@given(inputs.posterior())
def test_posterior_scale_is_positive(implementation, case) -> None:
    _, scale = implementation.call("blocks.posterior", **case)
    assert (scale > 0).all()


MAP = np.ones((1, 2, 2, 2))
CELL = [np.ones(s) for s in ((2, 2, 1, 1), (2,), (2, 2, 3, 3), (2,), (2, 2, 3, 3), (2,), (2, 2, 1, 1), (2,))]
ODD = [*CELL[:6], np.ones((3, 2, 1, 1)), np.ones(3)]
HEAD = [np.ones((3, 1, 1, 1)), np.ones(3)]
LAYERS = [np.ones((2, 2, 3, 3)), np.ones(2), np.ones((2, 2, 3, 3)), np.ones(2)]


@pytest.mark.parametrize(
    ("function", "arguments", "match"),
    [
        ("bottleneck", (MAP, CELL, "relu", True), "activation must be 'silu' or 'gelu', got 'relu'"),
        ("bottleneck", (MAP, CELL[:6], "silu", True), "cell must be four weights and biases, got 6 arrays"),
        ("bottleneck", (MAP, ODD, "silu", True), "cell must keep the 2 channels to be residual, got 3"),
        ("bottom_up", (MAP * np.nan, CELL, CELL[:2], []), "x must not contain NaN"),
        ("prior", (MAP, CELL, HEAD, 1.0), "head must have an even number of outputs, got 3"),
        ("posterior", (MAP, MAP[:, :0], CELL, [np.ones((2, 2, 1, 1)), np.ones(2)], 0.0), "beta must be > 0, got 0.0"),
        ("merge", (MAP, MAP, MAP * np.inf, CELL[:2], CELL, "silu"), "z must be finite"),
        ("vdvae_prior", (MAP, ODD), r"cell must have 2 v \+ 2 outputs, got 3"),
        ("vdvae_posterior", (MAP, MAP[:, :0], ODD), "cell must have an even number of outputs, got 3"),
        ("residual_block", (MAP, LAYERS, [], [], "sideways"), "resize must be 'none', 'down' or 'up', got 'sideways'"),
        ("residual_block", (MAP, LAYERS, [], [], "none", 1), "crop must be 0 or, upwards, 1, got 1 with resize 'none'"),
        ("residual_block", (MAP, LAYERS, [], [], "down"), r"skip must give \(1, 2, 1, 1\), got \(1, 2, 2, 2\)"),
        ("stochastic_skip", (MAP, [MAP], [], np.ones(2)), r"weights must be as many as latents \(1\), got 0"),
    ],
)
def test_bad_input_is_named(function: str, arguments: tuple, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        getattr(blocks, function)(*arguments)

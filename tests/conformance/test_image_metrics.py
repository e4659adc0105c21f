"""Image metrics: Frechet distance, structural similarity, proxies of sample quality, probes."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, ndimage, spatial
from sklearn.linear_model import LinearRegression

from reference import image_metrics
from tests.conformance.first_principles import assert_mean
from tests.conformance.inputs import image_metrics as inputs

SQUARE = np.zeros((1, 1, 4, 4))
BAD = [
    (
        "frechet_distance",
        {"features": [[1.0]], "other": [[1.0], [2.0]]},
        r"\(n >= 2, d\), got shapes \(1, 1\), \(2, 1\)",
    ),
    ("ssim", {"a": SQUARE, "b": SQUARE, "padding": False}, r"at least 11 wide unpadded, got \(1, 1, 4, 4\)"),
    ("sharpness_ratio", {"samples": SQUARE, "data": SQUARE}, r"sharpness of data must be > 0, got 0\.0"),
    ("variance_ratio", {"samples": SQUARE, "data": SQUARE}, r"samples must hold at least 2 images, got 1"),
    ("saturation_ratio", {"samples": SQUARE, "data": SQUARE}, r"saturation of data must be > 0, got 0\.0"),
    ("diversity_ratio", {"samples": np.zeros(3), "data": SQUARE}, r"samples must be \(N, C, H, W\), got shape \(3,\)"),
    ("colour_means", {"images": SQUARE}, r"images must have 3 channels, got shape \(1, 1, 4, 4\)"),
    ("linear_probe", {n: [1.0] for n in ("latents", "targets", "test_latents", "test_targets")}, r"must be \(N, k\)"),
    ("nearest_training_image", {"samples": SQUARE, "training": SQUARE, "factor": 3}, r"one size that factor 3 divides"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=[name for name, _, _ in BAD])
def test_bad_input_is_named(name: str, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(image_metrics, name)(**arguments)


@given(inputs.frechet_distance())
def test_frechet_distance_matches_the_matrix_root(case) -> None:
    """The root of the product, from scipy, with its imaginary part checked."""
    one, two = (np.atleast_2d(np.cov(case[name], rowvar=False)) for name in ("features", "other"))
    root = linalg.sqrtm(one @ two)
    assert np.abs(np.imag(root)).max() < 1e-6
    shift = case["features"].mean(axis=0) - case["other"].mean(axis=0)
    wanted = shift @ shift + np.trace(one + two) - 2 * np.trace(np.real(root))
    assert float(image_metrics.frechet_distance(**case)) == pytest.approx(wanted, rel=1e-7, abs=1e-7)


def test_frechet_distance_of_near_neighbours(implementation) -> None:
    """Features stretched by 1 + 2^-20: the traces agree in six digits, the distance is 2^-40 of one of them."""
    features = np.random.default_rng(0).standard_normal((9, 3))
    features -= features.mean(axis=0)
    wanted = 2.0**-40 * np.sum(features**2) / 8
    case = {"features": features, "other": features * (1 + 2.0**-20)}
    assert float(image_metrics.frechet_distance(**case)) == pytest.approx(wanted, rel=1e-8, abs=0)
    assert float(implementation.call("image_metrics.frechet_distance", **case)) == pytest.approx(
        wanted, rel=1e-8, abs=0
    )
    few = {"features": features[:2], "other": np.concatenate([features[:2], features[:2]])}
    assert float(implementation.call("image_metrics.frechet_distance", **few)) == pytest.approx(
        float(image_metrics.frechet_distance(**few)), rel=1e-12
    )


def test_frechet_distance_in_one_dimension(rng) -> None:
    one, two = rng.normal(2, 3, size=(40, 1)), rng.normal(-1, 0.5, size=(30, 1))
    wanted = (one.mean() - two.mean()) ** 2 + (one.std(ddof=1) - two.std(ddof=1)) ** 2
    assert float(image_metrics.frechet_distance(one, two)) == pytest.approx(wanted, rel=1e-12)


def test_frechet_distance_is_positively_biased(rng) -> None:
    """Two sets from one law: far from 0 at n = 2 d, and falling with n."""
    found = [
        float(image_metrics.frechet_distance(*(rng.standard_normal((n, 16)) for _ in range(2))))
        for n in (32, 160, 3200)
    ]
    assert found[0] > 4
    assert found[0] > found[1] > found[2] > 0


@given(inputs.frechet_distance())
def test_frechet_distance_is_a_squared_distance(implementation, case) -> None:
    def call(one: np.ndarray, two: np.ndarray) -> float:
        return float(implementation.call("image_metrics.frechet_distance", features=one, other=two))

    one, two = case["features"], case["other"]
    plain = call(one, two)
    scale = 1 + plain + one.var() + two.var()
    assert plain >= -1e-9 * scale
    np.testing.assert_allclose(call(two, one), plain, atol=1e-9 * scale)
    np.testing.assert_allclose(call(one, one), 0, atol=1e-9 * scale)
    np.testing.assert_allclose(call(-2 * one, -2 * two), 4 * plain, atol=1e-8 * scale)
    np.testing.assert_allclose(call(one, one + 1), one.shape[1], atol=1e-9 * scale)


def skipped(images: np.ndarray, padding: bool) -> np.ndarray:
    """Gaussian window of 11 by scipy, padded with zeros or cut to the inside."""
    blurred = ndimage.gaussian_filter(images, (0, 0, 1.5, 1.5), mode="constant", truncate=5 / 1.5)
    return blurred if padding else blurred[:, :, 5:-5, 5:-5]


@given(inputs.ssim())
def test_ssim_matches_gaussian_filters(case) -> None:
    a, b, padding = case["a"], case["b"], case["padding"]
    ma, mb, aa, bb, ab = (skipped(t, padding) for t in (a, b, a * a, b * b, a * b))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    first = (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
    wanted = first * (2 * (ab - ma * mb) + c2) / (aa - ma**2 + bb - mb**2 + c2)
    assert float(image_metrics.ssim(**case)) == pytest.approx(wanted.mean(), abs=1e-9)


def test_ssim_of_a_flat_image_at_50_digits(implementation) -> None:
    """One window: the variance of the flat image is nothing, next to squares of 16384."""
    a, b = np.round(255 * np.random.default_rng(1).random((11, 11))), np.full((11, 11), 128.0)
    with mpmath.workdps(50):
        weights = [mpmath.exp(-((mpmath.mpf(i) / 1.5) ** 2) / 2) for i in range(-5, 6)]
        weights = np.array([[v * w for v in weights] for w in weights], dtype=object) / mpmath.fsum(weights) ** 2
        mean_a, mean_b = (mpmath.fsum((weights * image).ravel()) for image in (a, b))
        from_a, from_b = a - mean_a, b - mean_b
        c1, c2 = (mpmath.mpf(255) / 100) ** 2, (mpmath.mpf(765) / 100) ** 2
        moments = [mpmath.fsum((weights * p).ravel()) for p in (from_a**2, from_b**2, from_a * from_b)]
        luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        wanted = float(luminance * (2 * moments[2] + c2) / (moments[0] + moments[1] + c2))
    case = {"a": a[None, None], "b": b[None, None], "padding": False}
    assert float(image_metrics.ssim(**case)) == pytest.approx(wanted, rel=3e-14, abs=0)
    assert float(implementation.call("image_metrics.ssim", **case)) == pytest.approx(wanted, rel=3e-14, abs=0)


@pytest.mark.parametrize(
    ("side", "padding", "wanted"), [(32, False, 0.92309), (32, True, 0.89131), (256, True, 0.91859)]
)
def test_ssim_of_constant_images(side: int, padding: bool, wanted: float) -> None:
    """Constant 100 against 150: inside, the first factor alone; zero padding changes both, more on small images."""
    a, b = np.full((1, 1, side, side), 100.0), np.full((1, 1, side, side), 150.0)
    assert float(image_metrics.ssim(a, b, padding=padding)) == pytest.approx(wanted, abs=5e-6)
    c1 = 2.55**2
    assert (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1) == pytest.approx(0.92309, abs=5e-6)


@given(inputs.ssim())
def test_ssim_is_symmetric_and_at_most_one(implementation, case) -> None:
    got = implementation.call("image_metrics.ssim", **case)
    swapped = implementation.call("image_metrics.ssim", **{**case, "a": case["b"], "b": case["a"]})
    np.testing.assert_allclose(got, swapped, atol=1e-9)
    assert -1 - 1e-9 <= got <= 1 + 1e-9
    np.testing.assert_allclose(implementation.call("image_metrics.ssim", **{**case, "b": case["a"]}), 1, atol=1e-9)
    rescaled = {"a": case["a"] / 255, "b": case["b"] / 255, "padding": case["padding"], "data_range": 1.0}
    np.testing.assert_allclose(implementation.call("image_metrics.ssim", **rescaled), got, atol=1e-9)


def pictures(rng, channels: int = 3) -> np.ndarray:
    return ndimage.gaussian_filter(rng.standard_normal((20, channels, 16, 16)), (0, 0, 1, 1), mode="wrap")


def test_sharpness_falls_with_blur(rng) -> None:
    data = pictures(rng)
    widths = (0.3, 0.6, 1.0, 2.0, 4.0)
    blurred = [ndimage.gaussian_filter(data, (0, 0, w, w), mode="wrap") for w in widths]
    found = [float(image_metrics.sharpness_ratio(b, data)) for b in blurred]
    assert 1 > found[0] > found[1] > found[2] > found[3] > found[4] > 0
    assert float(image_metrics.sharpness_ratio(data, data)) == 1


def test_sharpness_of_a_checkerboard_and_a_ramp() -> None:
    """Every neighbour of a checkerboard differs by 1, of a ramp along one axis by 1/7: 2 against 1/49."""
    board = np.indices((8, 8)).sum(axis=0) % 2.0
    ramp = np.tile(np.arange(8) / 7, (8, 1))
    assert float(image_metrics.sharpness_ratio(ramp[None, None], board[None, None])) == pytest.approx(1 / 98, rel=1e-12)


def test_variance_ratio_of_scaled_images(rng) -> None:
    data = pictures(rng)
    assert float(image_metrics.variance_ratio(0.5 * data + 3, data)) == pytest.approx(0.25, rel=1e-12)
    assert float(image_metrics.variance_ratio(np.ones((2, 3, 16, 16)), data)) == 0


def test_variance_ratio_is_a_ratio_of_traces(rng) -> None:
    one, two = pictures(rng), pictures(rng) ** 3
    traces = [np.trace(np.cov(images.reshape(20, -1), rowvar=False)) for images in (one, two)]
    assert float(image_metrics.variance_ratio(one, two)) == pytest.approx(traces[0] / traces[1], rel=1e-10)


def test_saturation_of_known_colours() -> None:
    """Pure red has range 1, half mixed with grey has 1/2, grey has 0."""
    red = np.zeros((2, 3, 4, 4))
    red[:, 0] = 1
    assert float(image_metrics.saturation_ratio(0.5 * red + 0.25, red)) == 0.5
    assert float(image_metrics.saturation_ratio(np.full_like(red, 0.3), red)) == 0


def test_saturation_matches_the_colour_model_of_matplotlib(rng) -> None:
    """Saturation times value of the hexagonal colour model is the range over channels."""
    from matplotlib.colors import rgb_to_hsv

    one, two = rng.random((2, 3, 3, 4, 4))
    ranges = [np.prod(rgb_to_hsv(np.moveaxis(images, 1, -1))[..., 1:], axis=-1).mean() for images in (one, two)]
    assert float(image_metrics.saturation_ratio(one, two)) == pytest.approx(ranges[0] / ranges[1], rel=1e-10)


def test_diversity_ratio_by_all_pairs(rng) -> None:
    one, two = pictures(rng)[:6], pictures(rng)[:5] * 2

    def mean_of_pairs(images: np.ndarray) -> float:
        return np.mean([np.sum((x - y) ** 2) for i, x in enumerate(images) for y in images[:i]])

    assert float(image_metrics.diversity_ratio(one, two)) == pytest.approx(
        mean_of_pairs(one) / mean_of_pairs(two), rel=1e-10
    )


def test_diversity_of_two_modes() -> None:
    """Half of the images at each of two points at distance d: N/(2(N - 1)) d^2 per pair."""
    images = np.zeros((10, 1, 2, 2))
    images[5:] = 1.0
    both = np.stack([images[0], images[9]])
    assert float(image_metrics.diversity_ratio(images, both)) == pytest.approx(5 / 9, rel=1e-12)


@given(inputs.diversity_ratio(), st.sampled_from(["sharpness_ratio", "variance_ratio", "diversity_ratio"]))
def test_ratios_are_one_for_the_data(implementation, case, name: str) -> None:
    same = {"samples": case["data"], "data": case["data"]}
    np.testing.assert_allclose(implementation.call(f"image_metrics.{name}", **same), 1, rtol=1e-12)
    plain = implementation.call(f"image_metrics.{name}", **case)
    doubled = implementation.call(f"image_metrics.{name}", **{**case, "samples": 0.5 - 2 * case["samples"]})
    np.testing.assert_allclose(doubled, 4 * plain, rtol=1e-9, atol=1e-9)
    flat = {**case, "samples": np.full_like(case["samples"], 0.25)}
    np.testing.assert_allclose(implementation.call(f"image_metrics.{name}", **flat), 0, atol=1e-12)


@given(inputs.saturation_ratio())
def test_saturation_ignores_brightness(implementation, case) -> None:
    plain = implementation.call("image_metrics.saturation_ratio", **case)
    other = {**case, "samples": 3 * case["samples"][:, ::-1].copy() + 0.5}
    np.testing.assert_allclose(
        implementation.call("image_metrics.saturation_ratio", **other), 3 * plain, rtol=1e-9, atol=1e-12
    )


def test_colour_means_of_pure_colours() -> None:
    colours = np.eye(3)[:, :, None, None] * np.ones((3, 3, 2, 2))
    wanted = [[0.299, -0.299, 0.701], [0.587, -0.587, -0.587], [0.114, 0.886, -0.114]]
    np.testing.assert_allclose(image_metrics.colour_means(colours), wanted, atol=1e-15)


def test_colour_means_match_the_standard_library(rng) -> None:
    """YIQ has the same luma to one digit (0.30, 0.59, 0.11); grey has no colour difference at all."""
    import colorsys

    colour = rng.random(3)
    luma, blue, red = image_metrics.colour_means(np.broadcast_to(colour[:, None, None], (3, 4, 5))[None])[0]
    assert luma == pytest.approx(colorsys.rgb_to_yiq(*colour)[0], abs=0.005)
    assert (blue + luma, red + luma) == pytest.approx((colour[2], colour[0]))


@given(inputs.colour_means())
def test_colour_means_of_grey_have_no_colour(implementation, case) -> None:
    grey = case["images"][:, :1].repeat(3, axis=1)
    got = implementation.call("image_metrics.colour_means", images=grey)
    np.testing.assert_allclose(got[:, 0], grey.mean(axis=(1, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(got[:, 1:], 0, atol=1e-12)


def test_chroma_error_of_a_shift() -> None:
    """More blue by 0.5: luma moves by 0.057, C_b by 0.443 and C_r by -0.057; more light moves nothing."""
    images = np.full((3, 3, 2, 2), 0.25)
    bluer = images + np.array([0, 0, 0.5])[:, None, None]
    assert float(image_metrics.chroma_error(images, bluer)) == pytest.approx((0.443**2 + 0.057**2) / 2, rel=1e-12)
    assert float(image_metrics.chroma_error(images, images + 0.3)) == pytest.approx(0, abs=1e-30)


def test_chroma_error_of_noise(rng) -> None:
    """Independent noise of variance v per pixel: the weights of C_b and C_r squared, over the pixels."""
    noise = 0.2 * rng.standard_normal((60_000, 3, 2, 2))
    weights = np.array([[-0.299, -0.587, 0.886], [0.701, -0.587, -0.114]])
    errors = (noise.mean(axis=(2, 3)) @ weights.T) ** 2
    wanted = 0.04 / 4 * np.sum(weights**2, axis=1).mean()
    assert_mean(errors.mean(axis=1), wanted, planted=0.05)
    assert float(image_metrics.chroma_error(noise, 0 * noise)) == pytest.approx(errors.mean(), rel=1e-9)


@given(inputs.chroma_error())
def test_chroma_error_is_symmetric(implementation, case) -> None:
    got = implementation.call("image_metrics.chroma_error", **case)
    swapped = {"images": case["reconstructions"], "reconstructions": case["images"]}
    np.testing.assert_allclose(got, implementation.call("image_metrics.chroma_error", **swapped), rtol=1e-9, atol=1e-15)
    brighter = {**case, "reconstructions": case["reconstructions"] + 0.5}
    np.testing.assert_allclose(
        implementation.call("image_metrics.chroma_error", **brighter), got, rtol=1e-9, atol=1e-12
    )


def test_colour_differences_of_grey_images_vanish(implementation) -> None:
    grey = np.broadcast_to(np.linspace(0, 1, 7)[:, None, None, None], (7, 3, 3, 3)).copy()
    for dtype in ("float64", "float32"):
        assert (implementation.call("image_metrics.colour_means", dtype, images=grey)[:, 1:] == 0).all()
    assert (image_metrics.colour_means(grey)[:, 1:] == 0).all()


def test_slope_of_the_variance_of_near_images_keeps_its_digits(implementation) -> None:
    steps = np.random.default_rng(4).integers(-50, 50, (2, 5, 1, 3, 3))
    # Numbers of single precision, whose means are not.
    samples, data = 0.5 + steps * 2.0**-20
    wanted = 2 * (steps[0] - steps[0].mean(axis=0)) / (4 * steps[1].var(axis=0, ddof=1).sum()) * 2.0**20
    for name in ("variance_ratio", "diversity_ratio"):
        tensors = implementation.tensors({"samples": samples, "data": data}, "float32")
        implementation.find(f"image_metrics.{name}")(
            **tensors | {"samples": tensors["samples"].requires_grad_()}
        ).backward()
        np.testing.assert_allclose(tensors["samples"].grad.cpu(), wanted, rtol=1e-5, atol=0)


@given(inputs.linear_probe())
def test_linear_probe_matches_scikit_learn(case) -> None:
    model = LinearRegression().fit(case["latents"], case["targets"])
    for j in range(case["targets"].shape[1]):
        prediction, truth = model.predict(case["test_latents"])[:, j], case["test_targets"][:, j]
        wanted = 1 - np.sum((truth - prediction) ** 2) / np.sum((truth - truth.mean()) ** 2)
        assert float(image_metrics.linear_probe(**case)[j]) == pytest.approx(wanted, rel=1e-8, abs=1e-8)


def test_linear_probe_limits(rng) -> None:
    """The targets themselves are read exactly; from noise, the mean score is at or below 0."""
    z, z_test = rng.standard_normal((2, 40, 3))
    assert image_metrics.linear_probe(z, z[:, :2], z_test, z_test[:, :2]) == pytest.approx(1)
    scores = [
        image_metrics.linear_probe(*rng.standard_normal((2, 40, 3)), *rng.standard_normal((2, 40, 3)))
        for _ in range(50)
    ]
    assert np.mean(scores) < 0


def test_linear_probe_that_reads_next_to_nothing_keeps_its_digits(implementation) -> None:
    """The deviations (-1, 2, -1) of the targets and a fit of 1e-6 in each: p (2d - p), over their squares."""
    latents, test_latents = np.array([[-1.0], [1.0]]), np.array([[-1.0], [2.0], [-1.0]])
    case = {"latents": latents, "targets": 1e-6 * latents, "test_latents": test_latents, "test_targets": test_latents}
    wanted = float(2 * Fraction(1e-6) - Fraction(1e-6) ** 2)
    for got in (image_metrics.linear_probe(**case), implementation.call("image_metrics.linear_probe", **case)):
        assert got == pytest.approx([wanted], rel=1e-15, abs=0)


@given(inputs.linear_probe())
def test_linear_probe_of_a_collapsed_latent_is_that_of_the_others(implementation, case) -> None:
    constant = {
        name: np.column_stack([case[name], np.full(len(case[name]), 0.1)]) for name in ("latents", "test_latents")
    }
    alone = {name: part[:, -1:] for name, part in constant.items()}
    truth, mean = case["test_targets"], case["targets"].mean(axis=0)
    none = 1 - ((truth - mean) ** 2).sum(axis=0) / ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    for probe in (
        image_metrics.linear_probe,
        lambda **arguments: implementation.call("image_metrics.linear_probe", **arguments),
    ):
        np.testing.assert_allclose(probe(**{**case, **constant}), probe(**case), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(probe(**{**case, **alone}), none, rtol=1e-9, atol=1e-9)


@given(inputs.linear_probe())
def test_linear_probe_ignores_the_basis_of_the_latents(implementation, case) -> None:
    got = implementation.call("image_metrics.linear_probe", **case)
    width = case["latents"].shape[1]
    turn = np.eye(width)[::-1] * 2 + 0.5 * np.tri(width)
    moved = {**case, "latents": case["latents"] @ turn + 3, "test_latents": case["test_latents"] @ turn + 3}
    np.testing.assert_allclose(implementation.call("image_metrics.linear_probe", **moved), got, rtol=1e-6, atol=1e-6)
    scaled = {**case, "targets": 1 - 4 * case["targets"], "test_targets": 1 - 4 * case["test_targets"]}
    np.testing.assert_allclose(implementation.call("image_metrics.linear_probe", **scaled), got, rtol=1e-9, atol=1e-9)
    assert (got <= 1 + 1e-12).all()


def block_means(images: np.ndarray, factor: int) -> np.ndarray:
    """The reduced central half, by loops."""
    count, _, height, width = images.shape
    rows, columns = height // factor, width // factor
    cells = [
        images[:, :, i * factor : (i + 1) * factor, j * factor : (j + 1) * factor].mean(axis=(2, 3))
        for i in range(rows // 4, rows - rows // 4)
        for j in range(columns // 4, columns - columns // 4)
    ]
    return np.stack(cells, axis=-1).reshape(count, -1)


@given(inputs.nearest_training_image())
def test_nearest_training_image_matches_a_tree(case) -> None:
    tree = spatial.KDTree(block_means(case["training"], case["factor"]))
    distance, index = tree.query(block_means(case["samples"], case["factor"]))
    np.testing.assert_array_equal(image_metrics.nearest_training_image(**case), index)
    np.testing.assert_allclose(image_metrics.nearest_training_distance(**case), distance, rtol=1e-9, atol=1e-12)


def test_nearest_training_image_by_brute_force(rng) -> None:
    samples, training = rng.random((3, 2, 16, 16)), rng.random((7, 2, 16, 16))
    index = image_metrics.nearest_training_image(samples, training)
    distance = image_metrics.nearest_training_distance(samples, training)
    for n, sample in enumerate(samples):
        every = [math.dist(*(block_means(x[None], 4)[0] for x in (sample, t))) for t in training]
        assert int(index[n]) == int(np.argmin(every))
        assert float(distance[n]) == pytest.approx(min(every), rel=1e-12)


def test_nearest_training_distance_is_not_the_rounding_of_the_block_means(implementation) -> None:
    one = [[0.21679672598838806, 0.5476183891296387], [0.7067182660102844, 0.8511968851089478]]
    two = [[0.44515421986579895, 0.47571828961372375], [0.7236552834510803, 0.9058412909507751]]
    three = [[0.03605452179908752, 0.7725334167480469], [0.918979823589325, 0.03753452375531197]]
    case = {"samples": np.array([[one], [three]]), "training": np.array([[two], [one]]), "factor": 2}
    found = implementation.call("image_metrics.nearest_training_distance", "float32", **case)
    np.testing.assert_allclose(found, image_metrics.nearest_training_distance(**case), rtol=1e-7)


@given(inputs.nearest_training_image())
def test_training_image_retrieves_itself(implementation, case) -> None:
    def call(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        names = ("nearest_training_image", "nearest_training_distance")
        return tuple(implementation.call(f"image_metrics.{n}", **{**case, "samples": samples}) for n in names)

    index, distance = call(case["training"])
    np.testing.assert_array_equal(index, np.arange(len(case["training"])))
    np.testing.assert_allclose(distance, 0, atol=1e-12)
    if case["training"].shape[2] // case["factor"] == 4:
        edge = case["training"].copy()
        edge[:, :, 0] += 7
        edge[:, :, :, -1] -= 7
        moved, zero = call(edge)
        np.testing.assert_array_equal(moved, index)
        np.testing.assert_allclose(zero, 0, atol=1e-12)

"""Calibrated decoders: densities, fitted, averaged and variational standard deviations, and their identities."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, optimize, special, stats

from reference import calibration, gaussian, linear_vae
from tests.conformance.first_principles import SAMPLES, assert_mean, at_50_digits, gaussian_integral
from tests.conformance.inputs import calibration as inputs
from vaes.ops import calibration as ops

TOY = {"squared_error": 0.8, "dims": 6, "shape_p": 2.0, "rate_p": 0.05}
BAD = [
    ("sse", {"x": [np.nan], "mean": [0.0]}, r"x must not contain NaN"),
    ("mse", {"x": [1.0, 2.0], "mean": [0.0, 0.0, 0.0]}, r"shapes must broadcast together, got x \(2,\), mean \(3,\)"),
    ("gaussian_nll", {"x": [0.0], "mean": [0.0], "log_sigma": np.inf}, r"log_sigma must be finite, got inf"),
    ("unit_gaussian_floor", {"dims": 0}, r"dims must be an integer >= 1, got 0"),
    ("beta_vae_objective", {"squared_error": -1.0, "kl": 0.0, "beta": 1.0}, r"squared_error must be >= 0, got -1\.0"),
    ("beta_as_variance", {"objective": 1.0, "beta": 0.0, "dims": 2}, r"beta must be > 0, got 0\.0"),
    ("equivalent_variance", {"dims": 3, "batch": 0}, r"batch must be an integer >= 1, got 0"),
    ("beta_grid", {"highest": 1.0, "lowest": 0.3}, r"whole number of steps above lowest, got 1\.0, 0\.3"),
    ("optimal_sigma", {"squared_error": [1.0], "dims": 1, "floor": -1.0}, r"floor must be >= 0, got -1\.0"),
    (
        "batch_optimal_sigma_loss",
        {"squared_error": [0.0], "kl": [0.0], "dims": 1},
        r"squared_error or floor must be > 0",
    ),
    ("per_image_gain", {"squared_error": [0.0], "dims": 1}, r"squared_error must be > 0, got 0\.0 at index \(0,\)"),
    ("error_variances", {"errors": [[1.0, 2.0]]}, r"errors must be \(S >= 2, N >= 2\), got shape \(1, 2\)"),
    (
        "sigma_standard_error",
        {"mean": 1.0, "variance": 1.0, "images": 9, "population": 5},
        r"population .* >= 9, got 5",
    ),
    ("held_out_sigma_bias", {"dims": 1, "numbers": 2.0}, r"numbers - 2 must be > 0, got 0\.0"),
    ("running_variance", {"variances": [1.0], "decay": 1.0}, r"decay must be < 1, got 1\.0"),
    ("gamma_kl", {"shape_q": 1.0, "rate_q": 0.0, "shape_p": 1.0, "rate_p": 1.0}, r"rate_q must be > 0, got 0\.0"),
    ("convergence_step", {"log_sigma": 0.0, "log_reference": 0.0}, r"log_sigma must be \(T, \.\.\.\), got shape \(\)"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=[name for name, _, _ in BAD])
def test_bad_input_is_named(name: str, arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(calibration, name)(**arguments)


@given(inputs.sse())
def test_squared_errors_match_numpy(case) -> None:
    x, mean = np.broadcast_arrays(case["x"], case["mean"])
    wanted = np.linalg.norm(x - mean, axis=-1) ** 2
    np.testing.assert_allclose(calibration.sse(**case), wanted, rtol=1e-12)
    np.testing.assert_allclose(calibration.mse(**case), wanted / x.shape[-1], rtol=1e-12)


@given(inputs.sse(), st.randoms(use_true_random=False))
def test_squared_errors_ignore_the_order_of_pixels(implementation, case, random) -> None:
    size = case["x"].shape[-1]
    order = random.sample(range(size), size)
    shuffled = {name: value[..., order] for name, value in case.items()}
    for name in ("sse", "mse"):
        got, wanted = (implementation.call(f"calibration.{name}", **c) for c in (shuffled, case))
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
        scaled = {key: -4 * value for key, value in case.items()}
        np.testing.assert_allclose(implementation.call(f"calibration.{name}", **scaled), 16 * wanted, rtol=1e-12)


def test_squared_error_at_50_digits() -> None:
    x, mean = [0.1, 0.7, 1e-9], [0.25, 0.7 + 2**-40, 0.0]
    wanted = at_50_digits(lambda *v: sum((a - b) ** 2 for a, b in zip(v[:3], v[3:], strict=True)), *x, *mean)
    assert float(calibration.sse(x, mean)) == pytest.approx(wanted, rel=1e-15)
    assert float(calibration.mse(x, mean)) == pytest.approx(wanted / 3, rel=1e-15)


@given(inputs.gaussian_nll())
def test_gaussian_nll_matches_scipy(case) -> None:
    wanted = -stats.norm.logpdf(case["x"], case["mean"], np.exp(case["log_sigma"])).sum(-1)
    np.testing.assert_allclose(calibration.gaussian_nll(**case), wanted, rtol=1e-11, atol=1e-11)


def test_gaussian_nll_matches_the_multivariate_normal(rng) -> None:
    x, mean = rng.normal(size=(2, 5))
    wanted = -stats.multivariate_normal(mean, 0.3**2 * np.eye(5)).logpdf(x)
    assert float(calibration.gaussian_nll(x, mean, math.log(0.3))) == pytest.approx(wanted, rel=1e-12)


def test_gaussian_density_integrates_to_one() -> None:
    total, _ = integrate.quad(lambda x: math.exp(-calibration.gaussian_nll([x], [0.4], -1.2)), -4, 5, points=[0.4])
    assert total == pytest.approx(1, abs=1e-10)


def test_gaussian_nll_is_finite_where_the_inverse_variance_overflows(implementation) -> None:
    """In float32 exp(2 * 50) is infinite; the standardised residual is not."""
    arguments = {"x": np.array([1e-20]), "mean": np.zeros(1), "log_sigma": np.asarray(-50.0)}
    got = implementation.call("calibration.gaussian_nll", dtype="float32", **arguments)
    np.testing.assert_allclose(got, calibration.gaussian_nll(**arguments), rtol=1e-5)


@given(inputs.gaussian_nll())
def test_gaussian_nll_moves_with_the_scale_of_the_data(implementation, case) -> None:
    plain = implementation.call("calibration.gaussian_nll", **case)
    dims = np.broadcast_shapes(*(np.shape(v) for v in case.values()))[-1]
    scaled = {"x": 2 * case["x"], "mean": 2 * case["mean"], "log_sigma": np.asarray(case["log_sigma"] + math.log(2))}
    got = implementation.call("calibration.gaussian_nll", **scaled)
    np.testing.assert_allclose(got, plain + dims * math.log(2), rtol=1e-9, atol=1e-9)


@given(inputs.sse(), inputs.LOG_SIGMAS)
def test_constant_map_of_sigmas_is_the_shared_sigma(implementation, case, log_sigma: float) -> None:
    shape = np.broadcast_shapes(case["x"].shape, case["mean"].shape)
    shared, whole = np.asarray(log_sigma), np.full(shape, log_sigma)
    got = [
        implementation.call("calibration.gaussian_nll", **case, log_sigma=s) for s in (shared, whole, whole[..., :1])
    ]
    np.testing.assert_allclose(got[1], got[0], rtol=1e-12)
    np.testing.assert_allclose(got[2], got[0], rtol=1e-12)


def test_gradient_of_the_calibration_gap_is_checked() -> None:
    delta = torch.linspace(-0.7, 0.9, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ops._ScaleDivergence.apply, [delta])
    assert torch.autograd.gradgradcheck(ops._ScaleDivergence.apply, [delta])


def test_best_sigma_of_a_pixel_is_its_error() -> None:
    """Why a map of sigmas diverges on an exact pixel: the optimum is |x - mean|."""
    found = optimize.minimize_scalar(
        lambda s: float(calibration.gaussian_nll([0.3], [0.1], s)), bounds=(-5, 2), method="bounded"
    )
    assert math.exp(found.x) == pytest.approx(0.2, rel=1e-4)


@pytest.mark.parametrize(("dims", "printed"), [(784, 720.448), (2352, 2161.343), (3072, 2822.979)])
def test_unit_gaussian_floor_of_common_sizes(dims: int, printed: float) -> None:
    assert float(calibration.unit_gaussian_floor(dims)) == pytest.approx(printed, abs=5e-4)


def test_unit_gaussian_floor_contradicts_printed_cells() -> None:
    """Tables 3 and 4, CIFAR at 28x28x3: 1409 and 740.5 are impossible; CelebA 2201 and Frey 726.4 are not."""
    colour, grey = calibration.unit_gaussian_floor(2352), calibration.unit_gaussian_floor(784)
    assert max(1409, 740.5) < colour < 2201
    assert grey < 726.4
    assert calibration.unit_gaussian_floor(3072) > 2201


@given(inputs.gaussian_nll())
def test_unit_gaussian_floor_is_the_nll_of_an_exact_reconstruction(implementation, case) -> None:
    assume(case["log_sigma"].ndim == 0)
    shape = np.broadcast_shapes(case["x"].shape, case["mean"].shape)
    floor = implementation.call("calibration.unit_gaussian_floor", dims=shape[-1], log_sigma=case["log_sigma"])
    exact = calibration.gaussian_nll(case["x"], case["x"], case["log_sigma"])
    np.testing.assert_allclose(exact, np.broadcast_to(floor, exact.shape), rtol=1e-12, atol=1e-12)
    assert (calibration.gaussian_nll(**case) >= floor - 1e-9).all()


@given(inputs.beta_vae_objective(), inputs.DIMS)
def test_beta_is_the_variance(implementation, case, dims: int) -> None:
    """The objective at KL weight beta, turned into a NELBO, is the NELBO at sigma^2 = beta: two codes, one number."""
    objective = implementation.call("calibration.beta_vae_objective", **case)
    got = implementation.call("calibration.beta_as_variance", objective=objective, beta=case["beta"], dims=dims)
    log_sigma = 0.5 * np.log(case["beta"])
    wanted = [
        float(calibration.shared_sigma_objective([error], [kl], log_sigma, dims))
        for error, kl in zip(case["squared_error"], case["kl"], strict=True)
    ]
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9 * dims)


def linear_autoencoder(
    weights: torch.Tensor, x: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared error and KL per image of a small linear VAE; weights (3, D, q): encoder, log variance, decoder."""
    mean, log_variance = x @ weights[0], x @ weights[1]
    z = mean + (0.5 * log_variance).exp() * noise
    kl = 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum(-1)
    return ops.sse(x, z @ weights[2].T), kl


@pytest.mark.parametrize("beta", [0.01, 0.5, 4.0])
def test_beta_vae_and_constant_variance_train_alike(beta: float) -> None:
    """Fifty SGD steps at rate eta on one and at eta * beta on the other (Figure 9), in float64."""
    generator = torch.Generator().manual_seed(3)
    x = 0.5 * torch.randn(8, 4, generator=generator, dtype=torch.float64)
    start = 0.3 * torch.randn(3, 4, 2, generator=generator, dtype=torch.float64)
    one, two = (start.clone().requires_grad_() for _ in range(2))
    log_sigma = torch.tensor(0.5 * math.log(beta), dtype=torch.float64)
    for _ in range(50):
        noise = torch.randn(8, 2, generator=generator, dtype=torch.float64)
        loss = ops.beta_vae_objective(*linear_autoencoder(one, x, noise), beta).mean()
        other = ops.shared_sigma_objective(*linear_autoencoder(two, x, noise), log_sigma, 4)
        assert other.item() == pytest.approx(float(calibration.beta_as_variance(loss.item(), beta, 4)), rel=1e-9)
        (first,), (second,) = torch.autograd.grad(loss, [one]), torch.autograd.grad(other, [two])
        with torch.no_grad():
            one -= 0.01 * first
            two -= 0.01 * beta * second
    torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12)
    assert (one - start).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("flags", "beta", "dims", "batch", "wanted"),
    [
        ((False, False, False), 1.0, 2352, 128, 0.5),
        ((True, True, True), 1.0, 2352, 128, 2352 / 2),
        ((True, True, False), 1.0, 2352, 128, 150528),
        ((True, True, True), 1e-4, 12288, 100, 0.6144),
        ((True, True, True), 1e-4, 4096, 100, 0.2048),
    ],
)
def test_equivalent_variance_of_known_codes(flags, beta: float, dims: int, batch: int, wanted: float) -> None:
    assert float(calibration.equivalent_variance(dims, batch, beta, *flags)) == pytest.approx(wanted, rel=1e-12)


@given(inputs.equivalent_variance())
def test_equivalent_variance_makes_losses_proportional(implementation, case) -> None:
    """The reduced loss, differentiated in (error, KL), is parallel to the NELBO at the equivalent variance."""
    variance = implementation.call("calibration.equivalent_variance", **case)
    error = (1 / case["dims"] if case["error_mean_over_dims"] else 1) * (
        1 / case["batch"] if case["error_mean_over_batch"] else 1
    )
    kl = case["kl_weight"] * (1 / case["batch"] if case["kl_mean_over_batch"] else 1)
    np.testing.assert_allclose(error / kl, 1 / (2 * variance), rtol=1e-12)


def test_beta_grid_of_the_paper() -> None:
    np.testing.assert_allclose(calibration.beta_grid(), [100, 10, 1, 0.1, 0.01, 0.001, 0.0001], rtol=1e-14)
    half = calibration.beta_grid(per_decade=2)
    assert len(half) == 13
    assert math.sqrt(half[0]) == 10
    assert math.sqrt(half[-1]) == pytest.approx(0.01)


@given(inputs.beta_grid())
def test_beta_grid_is_geometric(implementation, case) -> None:
    grid = implementation.call("calibration.beta_grid", **case)
    wanted = np.geomspace(case["highest"], case["lowest"], len(grid))
    np.testing.assert_allclose(grid, wanted, rtol=1e-12)
    assert len(calibration.beta_grid(**case)) == len(grid)
    np.testing.assert_allclose(grid[:-1] / grid[1:], 10 ** (1 / case["per_decade"]), rtol=1e-9)


def test_shared_sigma_objective_is_the_mean_nll_plus_kl(rng) -> None:
    x, mean, kl = rng.normal(size=(7, 5)), rng.normal(size=(7, 5)), rng.exponential(size=7)
    wanted = np.mean(-stats.norm.logpdf(x, mean, 0.7).sum(-1) + kl)
    got = calibration.shared_sigma_objective(calibration.sse(x, mean), kl, math.log(0.7), 5)
    assert float(got) == pytest.approx(wanted, rel=1e-12)


@given(inputs.shared_sigma_gradient())
def test_shared_sigma_gradient_is_the_derivative(case) -> None:
    def objective(s: mpmath.mpf) -> mpmath.mpf:
        error = mpmath.fsum(mpmath.mpf(float(e)) for e in case["squared_error"]) / len(case["squared_error"])
        return case["dims"] * s + error * mpmath.exp(-2 * s) / 2

    with mpmath.workdps(50):
        wanted = float(mpmath.diff(objective, mpmath.mpf(float(case["log_sigma"]))))
    scale = case["dims"] + case["squared_error"].mean() * math.exp(-2 * case["log_sigma"])
    assert float(calibration.shared_sigma_gradient(**case)) == pytest.approx(wanted, rel=1e-9, abs=1e-12 * scale)


@given(inputs.shared_sigma_gradient())
def test_shared_sigma_gradient_vanishes_at_the_optimum(implementation, case) -> None:
    best = implementation.call("calibration.optimal_sigma", squared_error=case["squared_error"], dims=case["dims"])
    at_best = {**case, "log_sigma": np.asarray(np.log(best))}
    slope = implementation.call("calibration.shared_sigma_gradient", **at_best)
    np.testing.assert_allclose(slope, 0, atol=1e-12 * case["dims"])


@given(inputs.shared_sigma_objective())
def test_shared_sigma_objective_is_least_at_the_optimum(implementation, case) -> None:
    error, dims = case["squared_error"], case["dims"]
    best = {**case, "log_sigma": np.asarray(np.log(calibration.optimal_sigma(error, dims)))}
    here, least = (implementation.call("calibration.shared_sigma_objective", **c) for c in (case, best))
    gap = calibration.calibration_gap(np.exp(case["log_sigma"]), calibration.optimal_sigma(error, dims), dims)
    np.testing.assert_allclose(here - least, gap, rtol=1e-9, atol=1e-9 * (abs(least) + dims))


def test_adam_drifts_by_its_rate() -> None:
    """A gradient that keeps its sign moves the log standard deviation by the learning rate at every step."""
    s = torch.zeros((), dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([s], lr=1e-3)
    for _ in range(300):
        adam.zero_grad()
        ops.shared_sigma_objective(torch.tensor([0.01 * 64]), torch.zeros(1), s, 64).backward()
        adam.step()
    assert s.item() == pytest.approx(-0.3, rel=0.02)
    exact = ops.shared_sigma_objective(torch.zeros(1), torch.zeros(1), s, 64).item()
    assert exact >= float(calibration.drift_floor(300, 1.001e-3, 64))


def test_drift_floor_refutes_ten_epochs_on_frey() -> None:
    """160 steps cannot reach the printed -49.78 (Table 3); about 980 can, and the hard bound of Adam gives 324."""
    assert float(calibration.drift_floor(160, 1e-3, 784)) == pytest.approx(595, abs=0.5)
    assert float(calibration.drift_floor(160, 1e-3 * 0.1 / math.sqrt(0.001), 784)) == pytest.approx(324, abs=0.5)
    assert float(calibration.drift_floor(980, 1e-3, 784)) == pytest.approx(-48, abs=1)
    assert calibration.drift_floor(981, 1e-3, 784) > -49.78 > calibration.drift_floor(984, 1e-3, 784)


@given(inputs.drift_floor())
def test_drift_floor_starts_at_the_unit_gaussian(implementation, case) -> None:
    start = implementation.call("calibration.drift_floor", **{**case, "steps": 0})
    np.testing.assert_allclose(start, case["dims"] * 0.5 * math.log(2 * math.pi), rtol=1e-12)
    fall = start - implementation.call("calibration.drift_floor", **case)
    np.testing.assert_allclose(
        fall, case["dims"] * case["steps"] * case["learning_rate"], rtol=1e-9, atol=1e-9 * case["dims"]
    )


def test_optimal_sigma_is_the_numeric_arg_max(rng) -> None:
    """Erratum of Eq. 11: the arg max over sigma is the root of the mean squared error, not the error itself."""
    residuals = 0.44 * rng.standard_normal((30, 6))
    found = optimize.minimize_scalar(
        lambda s: -stats.norm.logpdf(residuals, 0, math.exp(s)).sum(),
        bounds=(-4, 2),
        method="bounded",
        options={"xatol": 1e-10},
    )
    best = float(calibration.optimal_sigma((residuals**2).sum(-1), 6))
    assert math.exp(found.x) == pytest.approx(best, rel=1e-6)
    assert abs(np.mean(residuals**2) - best) > 0.2


def test_optimal_sigma_is_the_fit_of_scipy(rng) -> None:
    residuals = 0.1 * rng.standard_normal((50, 4))
    assert float(calibration.optimal_sigma((residuals**2).sum(-1), 4)) == pytest.approx(
        stats.norm.fit(residuals, floc=0)[1], rel=1e-12
    )


def test_optimal_sigma_of_a_linear_model_is_its_noise(rng) -> None:
    """At the fitted linear VAE the mean error of posterior samples is the fitted variance; that of means is less."""
    eigenvalues, noise = np.array([4.0, 2.0, 0.5, 0.3]), 0.4
    variance = linear_vae.fitted_optimum(eigenvalues, 2)[0]
    assert float(variance) == pytest.approx(noise)
    active = eigenvalues[:2]
    samples = active * (noise / active) ** 2 + (1 - noise / active) * noise
    means = active * (noise / active) ** 2
    assert samples.sum() + eigenvalues[2:].sum() == pytest.approx(4 * noise)
    assert means.sum() + eigenvalues[2:].sum() < 4 * noise - 0.5
    assert float(calibration.optimal_sigma([samples.sum() + eigenvalues[2:].sum()], 4)) == pytest.approx(
        math.sqrt(noise)
    )


@given(inputs.optimal_sigma())
def test_optimal_sigma_averages_variances(implementation, case) -> None:
    got = implementation.call("calibration.optimal_sigma", **{**case, "floor": 0.0})
    np.testing.assert_allclose(got**2 * case["dims"], case["squared_error"].mean(), rtol=1e-12)
    assert implementation.call("calibration.optimal_sigma", **case) >= case["floor"]


@given(inputs.calibration_gap())
def test_calibration_gap_is_a_divergence(case) -> None:
    sigma, optimal = case["sigma"][:, None], case["optimal"][:, None]
    wanted = case["dims"] * gaussian.kl(np.zeros_like(sigma), optimal, np.zeros_like(sigma), sigma)
    np.testing.assert_allclose(calibration.calibration_gap(**case), wanted, rtol=1e-9, atol=1e-9)


def test_calibration_gap_of_the_soft_clip() -> None:
    """What the public code's soft clip costs in nats per image."""
    for dims, value, cost in [(2352, -2.2, 1.134), (784, -3.5, 4.632)]:
        clipped = float(calibration.soft_clip(value))
        assert float(calibration.calibration_gap(math.exp(clipped), math.exp(value), dims)) == pytest.approx(
            cost, abs=5e-4
        )


@given(inputs.calibration_gap())
def test_calibration_gap_is_quadratic_near_the_optimum(implementation, case) -> None:
    near = {**case, "sigma": case["optimal"] * np.exp(1e-3)}
    got = implementation.call("calibration.calibration_gap", **near)
    np.testing.assert_allclose(got, case["dims"] * 1e-6, rtol=1e-3)
    assert (implementation.call("calibration.calibration_gap", **case) >= 0).all()


@given(inputs.batch_optimal_sigma_loss())
def test_batch_optimal_loss_is_the_nelbo_at_the_batch_sigma(case) -> None:
    best = float(calibration.optimal_sigma(case["squared_error"], case["dims"], case["floor"]))
    wanted = calibration.shared_sigma_objective(case["squared_error"], case["kl"], math.log(best), case["dims"])
    np.testing.assert_allclose(calibration.batch_optimal_sigma_loss(**case), wanted, rtol=1e-11, atol=1e-10)


def test_batch_optimal_loss_is_the_numeric_minimum() -> None:
    errors, kl = np.array([0.8, 2.5, 1.1]), np.array([1.0, 2.0, 3.0])
    found = optimize.minimize_scalar(
        lambda s: float(calibration.shared_sigma_objective(errors, kl, s, 12)), bounds=(-4, 2), method="bounded"
    )
    assert float(calibration.batch_optimal_sigma_loss(errors, kl, 12)) == pytest.approx(found.fun, abs=1e-9)


def test_gradients_agree_with_and_without_the_variance() -> None:
    """Envelope: at the optimum the variance may be held constant; under the soft clip it may not."""
    x = torch.linspace(0, 1, 12, dtype=torch.float64).reshape(3, 4)
    mean = (x + 0.3 * torch.sin(7 * x)).requires_grad_()
    errors = ops.sse(x, mean)
    (through,) = torch.autograd.grad(ops.batch_optimal_sigma_loss(errors, torch.zeros(3), 4), [mean], retain_graph=True)
    s = ops.optimal_sigma(errors, 4).log()
    (constant,) = torch.autograd.grad(
        ops.shared_sigma_objective(errors, torch.zeros(3), s.detach(), 4), [mean], retain_graph=True
    )
    torch.testing.assert_close(through, constant, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(through, (mean - x).detach() / (3 * s.exp().square()), rtol=1e-12, atol=1e-14)
    clipped = ops.soft_clip(s, -1.5)
    one, two = (
        torch.autograd.grad(ops.shared_sigma_objective(errors, torch.zeros(3), c, 4), [mean], retain_graph=True)[0]
        for c in (clipped, clipped.detach())
    )
    assert (one - two).norm() > 1e-2 * two.norm()


@given(inputs.batch_optimal_sigma_loss())
def test_batch_optimal_loss_moves_with_the_scale_of_the_data(implementation, case) -> None:
    plain = {**case, "floor": 0.0}
    scaled = {**plain, "squared_error": 4 * case["squared_error"]}
    got, wanted = (implementation.call("calibration.batch_optimal_sigma_loss", **c) for c in (scaled, plain))
    np.testing.assert_allclose(got - wanted, case["dims"] * math.log(2), rtol=1e-9, atol=1e-8)


@given(inputs.per_image_sigma_loss())
def test_per_image_loss_is_the_batch_loss_of_one_image(implementation, case) -> None:
    each = implementation.call("calibration.per_image_sigma_loss", **case)
    for i, got in enumerate(each):
        one = {**case, "squared_error": case["squared_error"][i : i + 1], "kl": case["kl"][i : i + 1]}
        wanted = implementation.call("calibration.batch_optimal_sigma_loss", **one)
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-10)
    whole = implementation.call("calibration.batch_optimal_sigma_loss", **case)
    assert each.mean() <= whole + 1e-9 * (1 + abs(whole))


def test_per_image_loss_is_the_numeric_minimum() -> None:
    for error in (0.02, 3.0):
        found = optimize.minimize_scalar(
            lambda s, e=error: float(calibration.shared_sigma_objective([e], [1.5], s, 9)),
            bounds=(-6, 2),
            method="bounded",
        )
        assert float(calibration.per_image_sigma_loss(error, 1.5, 9)) == pytest.approx(found.fun, abs=1e-8)


@given(inputs.per_image_gain())
def test_per_image_gain_is_the_difference_of_the_losses(case) -> None:
    errors, dims = case["squared_error"], case["dims"]
    zeros = np.zeros_like(errors)
    wanted = (
        calibration.batch_optimal_sigma_loss(errors, zeros, dims)
        - calibration.per_image_sigma_loss(errors, zeros, dims).mean()
    )
    assert float(calibration.per_image_gain(errors, dims)) == pytest.approx(float(wanted), abs=1e-10 * dims)


def test_per_image_gain_at_small_variation() -> None:
    """D/4 times the squared coefficient of variation, and the ratio of the two means from scipy."""
    errors = 1 + 0.01 * np.cos(np.arange(200))
    got = float(calibration.per_image_gain(errors, 64))
    assert got == pytest.approx(16 * errors.var() / errors.mean() ** 2, rel=0.01)
    assert got == pytest.approx(32 * math.log(errors.mean() / stats.gmean(errors)), rel=1e-9)


def test_per_image_gain_at_50_digits(implementation) -> None:
    """Nearly equal errors, where the gain is of second order, and errors six decades apart."""

    def exact(*errors: mpmath.mpf) -> mpmath.mpf:
        mean = mpmath.fsum(errors) / len(errors)
        return 3 * (mpmath.log(mean) - mpmath.fsum(mpmath.log(e) for e in errors) / len(errors)) / 2

    for errors in ([1.0, 1 + 2.0**-20, 1 - 2.0**-21], [1e-3, 1e3, 1.0], [0.3, 0.3, 0.3 + 1e-9]):
        wanted = at_50_digits(exact, *errors)
        # Rounding the errors themselves changes the gain by this much.
        spread = np.ptp(errors) / np.mean(errors)
        assert float(calibration.per_image_gain(errors, 3)) == pytest.approx(wanted, abs=1e-15 * spread)
        got = implementation.call("calibration.per_image_gain", squared_error=np.array(errors), dims=3)
        assert float(got) == pytest.approx(wanted, abs=1e-15 * spread)
    assert float(calibration.per_image_gain([0.1] * 3, 3)) == pytest.approx(0, abs=1e-30)


@given(inputs.per_image_gain())
def test_per_image_gain_is_a_divergence_of_gaussians(implementation, case) -> None:
    """The mean over images of KL(N(0, m_x) || N(0, mean m)) per value: no formula of its own."""
    errors, dims = torch.as_tensor(case["squared_error"]), case["dims"]
    own, shared = (torch.distributions.Normal(0.0, variance.sqrt()) for variance in (errors, errors.mean()))
    wanted = dims * float(torch.distributions.kl_divergence(own, shared).mean())
    for got in (calibration.per_image_gain(**case), implementation.call("calibration.per_image_gain", **case)):
        assert float(got) == pytest.approx(wanted, rel=1e-9, abs=1e-14 * dims)


def test_error_variances_of_equal_errors_are_nothing(implementation) -> None:
    """In single precision the mean of three equal numbers may be another number; neither value nor slope see it."""
    for level in torch.arange(1, 50, device=implementation.device) / 7:
        errors = level.repeat(3, 3).requires_grad_()
        found = implementation.find("calibration.error_variances")(errors)
        sum(found).backward()
        assert [float(v.detach()) for v in found] == [0, 0]
        assert (errors.grad == 0).all()


@given(inputs.per_image_gain())
def test_per_image_gain_is_non_negative(implementation, case) -> None:
    assert implementation.call("calibration.per_image_gain", **case) >= -1e-12 * case["dims"]
    equal = {**case, "squared_error": np.full_like(case["squared_error"], case["squared_error"][0])}
    np.testing.assert_allclose(implementation.call("calibration.per_image_gain", **equal), 0, atol=1e-12 * case["dims"])


@pytest.mark.parametrize(("value", "raised"), [(0.0, 0.0024757), (-2.2, 0.022124), (-3.5, 0.078890), (-6.0, 0.693147)])
def test_soft_clip_of_common_values(value: float, raised: float) -> None:
    assert float(calibration.soft_clip(value)) - value == pytest.approx(raised, abs=5e-7)


@pytest.mark.parametrize("value", [-80.0, -30.0, -6.0, -5.999, 0.0, 5.0, 90.0])
def test_soft_clip_at_50_digits(value: float) -> None:
    wanted = at_50_digits(lambda v: -6 + mpmath.log(1 + mpmath.exp(v + 6)), value)
    assert float(calibration.soft_clip(value)) == pytest.approx(wanted, rel=1e-15)


@given(inputs.soft_clip())
def test_soft_clip_lies_above_both(implementation, case) -> None:
    got = implementation.call("calibration.soft_clip", **case)
    assert (got >= np.maximum(case["value"], case["minimum"])).all()
    assert (got <= np.maximum(case["value"], case["minimum"]) + math.log(2) + 1e-12).all()
    mirrored = implementation.call("calibration.soft_clip", **{**case, "value": 2 * case["minimum"] - case["value"]})
    np.testing.assert_allclose(got - mirrored, case["value"] - case["minimum"], rtol=1e-12, atol=1e-12)


def test_error_variances_of_a_known_encoder(rng) -> None:
    """Between-image variance 0.36 and encoder variance 0.04, many small experiments."""
    images = 1 + 0.6 * rng.standard_normal((200_000, 1, 4))
    errors = images + 0.2 * rng.standard_normal((200_000, 3, 4))
    parts = np.array([calibration.error_variances(e) for e in errors[:50_000]])
    assert_mean(parts[:, 0], 0.36, planted=0.05)
    assert_mean(parts[:, 1], 0.04, planted=0.05)


@given(inputs.error_variances())
def test_error_variances_follow_the_law_of_total_variance(implementation, case) -> None:
    """Population variances add up exactly; the unbiased ones are those, rescaled by their divisors."""
    errors = case["errors"]
    draws, images = errors.shape
    between, within = implementation.call("calibration.error_variances", **case)
    inside = within * (draws - 1) / draws
    outside = (between + within / draws) * (images - 1) / images
    np.testing.assert_allclose(inside + outside, errors.var(), rtol=1e-9, atol=1e-12)


def test_sigma_standard_error_of_gaussian_residuals(rng) -> None:
    """The relative spread of the fitted sigma over re-drawn batches, and the exact chi distribution."""
    images, dims = 128, 16
    fitted = np.sqrt(rng.chisquare(images * dims, size=200_000) / (images * dims))
    got = float(calibration.sigma_standard_error(1.0, 2 / dims, images))
    assert fitted.std() == pytest.approx(got, rel=0.01)
    assert stats.chi(images * dims).std() / math.sqrt(images * dims) == pytest.approx(got, rel=1e-3)


def test_sigma_standard_error_without_replacement(rng) -> None:
    errors = rng.gamma(4, size=40)
    batches = np.array([rng.choice(errors, 30, replace=False).mean() for _ in range(40_000)])
    got = float(calibration.sigma_standard_error(errors.mean(), errors.var(ddof=1), 30, 40))
    assert np.sqrt(batches).std() / math.sqrt(errors.mean()) == pytest.approx(got, rel=0.03)
    assert float(calibration.sigma_standard_error(1.0, 1.0, 40, 40)) == 0


def test_sigma_standard_error_printed_values() -> None:
    """Section C: 2 % at a batch of 128 is a coefficient of variation of 0.4525; 0.26 % fits no single reading."""
    assert float(calibration.sigma_standard_error(1.0, 0.4525**2, 128)) == pytest.approx(0.02, abs=5e-5)
    for images, needed in [(73257, 1.41), (26032, 0.84), (128, 0.059)]:
        assert float(calibration.sigma_standard_error(1.0, needed**2, images)) == pytest.approx(0.0026, abs=3e-5)


@given(inputs.sigma_standard_error())
def test_sigma_standard_error_ignores_units(implementation, case) -> None:
    got = implementation.call("calibration.sigma_standard_error", **case)
    scaled = {**case, "mean": 3 * case["mean"], "variance": 9 * case["variance"]}
    np.testing.assert_allclose(implementation.call("calibration.sigma_standard_error", **scaled), got, rtol=1e-12)
    alone = implementation.call("calibration.sigma_standard_error", **{**case, "population": None})
    assert (got <= alone * (1 + 1e-12)).all()
    np.testing.assert_allclose(
        alone * math.sqrt(case["images"]), 0.5 * np.sqrt(case["variance"]) / case["mean"], rtol=1e-12
    )


def bias_50(dims, numbers):
    return dims / 2 * (mpmath.digamma(numbers / 2) - mpmath.log(numbers / 2))


@pytest.mark.parametrize("numbers", [0.7, 3.0, 20.0, 31.9, 32.1, 1e3, 301_056.0, 1e8])
def test_same_batch_bias_at_50_digits(numbers: float) -> None:
    wanted = at_50_digits(bias_50, 4, numbers)
    assert float(calibration.same_batch_bias(4, numbers)) == pytest.approx(wanted, rel=1e-13)
    if numbers > 2:
        held_out = at_50_digits(lambda d, n: bias_50(d, n) + d / (n - 2), 4, numbers)
        assert float(calibration.held_out_sigma_bias(4, numbers)) == pytest.approx(held_out, rel=1e-12)


def test_sigma_biases_by_simulation(rng) -> None:
    """For n = 20, D = 4 the same batch is optimistic, another one pessimistic, by the same amount to first order."""
    own, other = rng.chisquare(20, size=(2, 4 * SAMPLES)) / 20
    assert_mean(2 * (np.log(own) + 1) - 2, float(calibration.same_batch_bias(4, 20)), planted=0.03)
    assert_mean(2 * (np.log(other) + own / other) - 2, float(calibration.held_out_sigma_bias(4, 20)), planted=0.05)
    assert float(calibration.same_batch_bias(4, 20)) == pytest.approx(-0.1017, abs=5e-5)
    assert float(calibration.held_out_sigma_bias(4, 20)) == pytest.approx(0.1206, abs=5e-5)


def test_same_batch_bias_of_the_paper() -> None:
    """2 % standard error at D = 2352 is -0.94 nats of about -1800: negligible, as Section C says."""
    numbers = 1 / (2 * 0.02**2)  # relative standard error 1/sqrt(2 n) of a Gaussian fit
    assert float(calibration.same_batch_bias(2352, numbers)) == pytest.approx(-0.94, abs=0.01)


@given(inputs.held_out_sigma_bias())
def test_sigma_biases_have_their_signs(implementation, case) -> None:
    own = implementation.call("calibration.same_batch_bias", **case)
    other = implementation.call("calibration.held_out_sigma_bias", **case)
    assert (own < 0).all()
    assert (other > 0).all()
    np.testing.assert_allclose(other - own, case["dims"] / (case["numbers"] - 2), rtol=1e-9)


@given(inputs.running_variance())
def test_running_variance_is_a_weighted_mean(case) -> None:
    decay, variances = float(case["decay"]), case["variances"]
    got = calibration.running_variance(**case)
    for t in range(1, len(variances) + 1):
        weights = [decay ** (t - i) if t > i else 1.0 for i in range(1, t + 1)]
        wanted = np.average(variances[:t], axis=0, weights=weights)
        np.testing.assert_allclose(got[t - 1], wanted, rtol=1e-10)


def test_running_variance_of_a_long_run_shrinks(rng) -> None:
    """Stationary variance (1 - decay)/(1 + decay) of that of one batch: 0.00503 at 0.99."""
    batches = rng.normal(1, 0.1, size=(2000, 500))
    late = calibration.running_variance(batches, 0.99)[-1]
    assert late.var() / 0.01 == pytest.approx(0.00503, rel=0.25)
    assert_mean(late, 1.0)


@given(inputs.running_variance())
def test_running_variance_keeps_a_constant(implementation, case) -> None:
    constant = np.ones_like(case["variances"]) * case["variances"][0]
    got = implementation.call("calibration.running_variance", **{**case, "variances": constant})
    np.testing.assert_allclose(got, constant, rtol=1e-10)
    plain = implementation.call("calibration.running_variance", **{**case, "decay": np.asarray(0.0)})
    np.testing.assert_allclose(plain, case["variances"], rtol=1e-12)


def gamma_integral(f, shape: float, rate: float) -> float:
    return integrate.quad(
        lambda t: f(t) * stats.gamma.pdf(t, shape, scale=1 / rate), 0, np.inf, epsabs=1e-12, limit=400
    )[0]


def test_variational_sigma_bound_is_tight_at_the_posterior() -> None:
    """Erratum of Eq. 12: with the printed plus signs the 'bound' -1.754 exceeds the exact -4.3345."""
    a, b = calibration.optimal_gamma(**TOY)
    kl = calibration.gamma_kl(a, b, 2.0, 0.05)
    likelihood = calibration.gamma_precision_bound(0.8, 6, a, b, 2.0, 0.05) + kl
    exact = float(calibration.gamma_marginal(**TOY))
    assert exact == pytest.approx(-4.3345, abs=5e-5)
    assert float(calibration.variational_sigma_bound(likelihood, 0.0, kl)) == pytest.approx(exact, abs=1e-12)
    assert float(likelihood + kl) == pytest.approx(-1.754, abs=5e-4)


def test_variational_sigma_bound_of_a_discrete_posterior() -> None:
    """Two values of sigma, enumerated: the bound is below the exact evidence and tight at the posterior."""
    prior, sigmas = np.array([0.3, 0.7]), np.array([0.2, 0.5])
    joint = np.log(prior) - calibration.gaussian_nll([0.3, -0.1], [0.0, 0.0], np.log(sigmas)[:, None])
    evidence = special.logsumexp(joint)
    for q in (np.exp(joint - evidence), np.array([0.5, 0.5]), np.array([0.9, 0.1])):
        expected = q @ (joint - np.log(prior))
        bound = float(calibration.variational_sigma_bound(expected, 0.0, q @ np.log(q / prior)))
        assert bound <= evidence + 1e-12
    assert float(calibration.variational_sigma_bound(*_at_posterior(joint, prior))) == pytest.approx(
        evidence, abs=1e-12
    )


def _at_posterior(joint: np.ndarray, prior: np.ndarray) -> tuple[float, float, float]:
    q = special.softmax(joint)
    return q @ (joint - np.log(prior)), 0.0, q @ np.log(q / prior)


@given(inputs.variational_sigma_bound())
def test_variational_sigma_bound_charges_both(implementation, case) -> None:
    got = implementation.call("calibration.variational_sigma_bound", **case)
    more = {**case, "kl": case["kl"] + 1, "kl_sigma": case["kl_sigma"] + 2}
    np.testing.assert_allclose(got - implementation.call("calibration.variational_sigma_bound", **more), 3, atol=1e-9)


@pytest.mark.parametrize("case", [(5.0, 0.45, 2.0, 0.05), (2.0, 1.0, 2.0, 1.0), (1.0, 3.0, 4.0, 0.5)])
def test_gamma_kl_matches_quadrature(case) -> None:
    a, b, a0, b0 = case

    def log_ratio(t: float) -> float:
        return stats.gamma.logpdf(t, a, scale=1 / b) - stats.gamma.logpdf(t, a0, scale=1 / b0)

    assert float(calibration.gamma_kl(*case)) == pytest.approx(gamma_integral(log_ratio, a, b), abs=1e-8)


# Large shapes, equal means (b0/b = a0/a), small shapes close together: log Gamma is 491 at a = 128.
GAMMAS = [
    (128.0, 0.9921875, 64.0, 0.48190529),
    (128.0, 3.47176353, 7.06046204, 0.18653279),
    (80.0, 64.0, 64.0, 51.2),
    (0.26244489037447205, 1.0078125, 0.20995591229957764, 1.0),
    (2000.0, 3.0, 1000.0, 1.5),
]


def exact_gamma_kl(a: mpmath.mpf, b: mpmath.mpf, a0: mpmath.mpf, b0: mpmath.mpf) -> mpmath.mpf:
    shapes = (a - a0) * mpmath.digamma(a) - mpmath.loggamma(a) + mpmath.loggamma(a0)
    return shapes + a0 * mpmath.log(b / b0) + a * (b0 - b) / b


def test_gamma_kl_at_50_digits(implementation) -> None:
    for case in GAMMAS:
        wanted = at_50_digits(exact_gamma_kl, *case)
        arguments = dict(zip(("shape_q", "rate_q", "shape_p", "rate_p"), np.array(case)[:, None], strict=True))
        assert float(calibration.gamma_kl(*case)) == pytest.approx(wanted, rel=2e-13, abs=0)
        assert implementation.call("calibration.gamma_kl", **arguments)[0] == pytest.approx(wanted, rel=2e-13, abs=0)


def test_gamma_precision_bound_at_50_digits(implementation) -> None:
    def exact(a: mpmath.mpf, b: mpmath.mpf, a0: mpmath.mpf, b0: mpmath.mpf) -> mpmath.mpf:
        expected = 3 * (mpmath.digamma(a) - mpmath.log(2 * mpmath.pi * b)) / 2 - a / (2 * b)
        return expected - exact_gamma_kl(a, b, a0, b0)

    for case in GAMMAS:
        wanted = at_50_digits(exact, *case)
        arguments = dict(zip(("shape_q", "rate_q", "shape_p", "rate_p"), np.array(case)[:, None], strict=True))
        arguments = {"squared_error": np.ones(1), "dims": 3, **arguments}
        assert float(calibration.gamma_precision_bound(1.0, 3, *case)) == pytest.approx(wanted, rel=2e-14, abs=0)
        got = implementation.call("calibration.gamma_precision_bound", **arguments)
        assert got[0] == pytest.approx(wanted, rel=2e-14, abs=0)


@pytest.mark.parametrize("numbers", [0.5, 3.0, 3.99, 4.0, 4.01, 16.5884672, 31.99, 32.0, 44.1, 1e6, 1e12])
def test_sigma_biases_at_50_digits(implementation, numbers: float) -> None:
    """Around the places where a series takes over, and where psi and log agree in twelve digits."""
    wanted = at_50_digits(lambda n: mpmath.digamma(n / 2) - mpmath.log(n / 2), numbers)
    arguments = {"dims": 2, "numbers": np.array([numbers])}
    assert float(calibration.same_batch_bias(2, numbers)) == pytest.approx(wanted, rel=4e-15, abs=0)
    assert implementation.call("calibration.same_batch_bias", **arguments)[0] == pytest.approx(wanted, rel=4e-15, abs=0)
    if numbers > 2:
        wanted = at_50_digits(lambda n: mpmath.digamma(n / 2) - mpmath.log(n / 2) + 2 / (n - 2), numbers)
        assert float(calibration.held_out_sigma_bias(2, numbers)) == pytest.approx(wanted, rel=2e-14, abs=0)
        got = implementation.call("calibration.held_out_sigma_bias", **arguments)
        assert got[0] == pytest.approx(wanted, rel=2e-14, abs=0)


@given(inputs.gamma_kl())
def test_gamma_kl_matches_torch(case) -> None:
    q, p = (
        torch.distributions.Gamma(torch.as_tensor(case[f"shape_{n}"]), torch.as_tensor(case[f"rate_{n}"])) for n in "qp"
    )
    wanted = torch.distributions.kl_divergence(q, p).numpy()
    np.testing.assert_allclose(calibration.gamma_kl(**case), wanted, rtol=1e-8, atol=1e-8)


@given(inputs.gamma_kl())
def test_gamma_kl_is_non_negative(implementation, case) -> None:
    assert (implementation.call("calibration.gamma_kl", **case) >= -1e-9).all()
    equal = {**case, "shape_q": case["shape_p"], "rate_q": case["rate_p"]}
    np.testing.assert_allclose(implementation.call("calibration.gamma_kl", **equal), 0, atol=1e-10)


@pytest.mark.parametrize("case", [(5.0, 0.45), (3.0, 1.0), (8.0, 0.2)])
def test_gamma_precision_bound_matches_quadrature(case) -> None:
    a, b = case

    def integrand(precision: float) -> float:
        density = 3 * math.log(precision / (2 * math.pi)) - 0.4 * precision
        return density + stats.gamma.logpdf(precision, 2, scale=20) - stats.gamma.logpdf(precision, a, scale=1 / b)

    wanted = gamma_integral(integrand, a, b)
    assert float(calibration.gamma_precision_bound(0.8, 6, a, b, 2.0, 0.05)) == pytest.approx(wanted, abs=1e-7)


@given(inputs.gamma_precision_bound())
def test_gamma_precision_bound_is_below_the_marginal(implementation, case) -> None:
    prior = {name: case[name] for name in ("squared_error", "dims", "shape_p", "rate_p")}
    marginal = calibration.gamma_marginal(**prior)
    slack = 1e-9 * (1 + np.abs(marginal))
    bound = implementation.call("calibration.gamma_precision_bound", **case)
    assert (bound <= marginal + 1e-9 * (1 + np.abs(bound))).all()
    a, b = calibration.optimal_gamma(**prior)
    tight = implementation.call("calibration.gamma_precision_bound", **{**case, "shape_q": a, "rate_q": b})
    assert (np.abs(tight - marginal) <= slack).all()


def test_optimal_gamma_is_the_numeric_maximum() -> None:
    def negative(t: np.ndarray) -> float:
        return -float(calibration.gamma_precision_bound(0.8, 6, *np.exp(t), 2.0, 0.05))

    found = optimize.minimize(
        negative, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 2000}
    )
    np.testing.assert_allclose(np.exp(found.x), calibration.optimal_gamma(**TOY), rtol=1e-5)


def test_optimal_gamma_is_the_posterior() -> None:
    """Bayes on a grid of precisions: posterior density ratio against scipy's gamma."""
    a, b = (float(v) for v in calibration.optimal_gamma(**TOY))
    grid = np.array([0.5, 3.0, 9.0, 20.0])
    joint = stats.gamma.logpdf(grid, 2, scale=20) + 3 * np.log(grid) - 0.4 * grid
    np.testing.assert_allclose(np.diff(joint), np.diff(stats.gamma.logpdf(grid, a, scale=1 / b)), rtol=1e-10)


@given(inputs.optimal_gamma())
def test_optimal_gamma_counts_half_a_value_each(implementation, case) -> None:
    shape, rate = implementation.call("calibration.optimal_gamma", **case)
    np.testing.assert_allclose(2 * (shape - case["shape_p"]), case["dims"], rtol=1e-9)
    np.testing.assert_allclose(2 * (rate - case["rate_p"]), case["squared_error"], rtol=1e-9)


@pytest.mark.parametrize("dims", [1, 6, 40])
def test_gamma_marginal_is_a_student_t(rng, dims: int) -> None:
    x = 0.4 * rng.standard_normal(dims)
    wanted = stats.multivariate_t.logpdf(x, np.zeros(dims), 0.05 / 2 * np.eye(dims), df=4)
    assert float(calibration.gamma_marginal(x @ x, dims, 2.0, 0.05)) == pytest.approx(wanted, rel=1e-11)


def test_gamma_marginal_matches_quadrature() -> None:
    wanted = math.log(gamma_integral(lambda t: (t / (2 * math.pi)) ** 3 * math.exp(-0.4 * t), 2.0, 0.05))
    assert float(calibration.gamma_marginal(**TOY)) == pytest.approx(wanted, abs=1e-8)


@given(inputs.gamma_marginal())
def test_gamma_marginal_moves_with_the_scale_of_the_data(implementation, case) -> None:
    scaled = {**case, "squared_error": 4 * case["squared_error"], "rate_p": 4 * case["rate_p"]}
    got, wanted = (implementation.call("calibration.gamma_marginal", **c) for c in (scaled, case))
    np.testing.assert_allclose(got, wanted - case["dims"] * math.log(2), rtol=1e-9, atol=1e-8)


def test_lognormal_sigma_bound_matches_quadrature() -> None:
    """E over q of the Gaussian density, less the KL of two Gaussians."""
    m, v, m0, v0 = -1.1, 0.06, -0.9, 0.3
    expected = gaussian_integral(lambda s: -6 * s - 0.4 * math.exp(-2 * s) - 3 * math.log(2 * math.pi), m, math.sqrt(v))
    wanted = expected - float(gaussian.kl([m], [math.sqrt(v)], [m0], [math.sqrt(v0)]))
    assert float(calibration.lognormal_sigma_bound(0.8, 6, m, v, m0, v0)) == pytest.approx(wanted, abs=1e-9)


def test_lognormal_sigma_bound_is_below_the_marginal() -> None:
    """D = 6, SSE = 0.8, prior N(-0.5, 0.5^2): the best bound is below the quadrature over sigma, the gap is small."""
    m0, v0 = -0.5, 0.25
    density = gaussian_integral(
        lambda s: math.exp(-6 * s - 0.4 * math.exp(-2 * s) - 3 * math.log(2 * math.pi)), m0, 0.5
    )
    best = calibration.optimal_lognormal(0.8, 6, m0, v0)
    bound = float(calibration.lognormal_sigma_bound(0.8, 6, *best, m0, v0))
    assert math.log(density) - 0.1 < bound < math.log(density)


def test_lognormal_penalty_in_closed_form() -> None:
    """At m = m0 the price against the greedy per-image value is log(2 D v0 + 1)/2: 3.54 nats at D = 2352, v0 = 0.25."""
    for dims in (50, 784, 2352):
        greedy = float(calibration.per_image_sigma_loss(0.01 * dims, 0.0, dims))
        best = calibration.optimal_lognormal(0.01 * dims, dims, math.log(0.1), 0.25)
        bound = float(calibration.lognormal_sigma_bound(0.01 * dims, dims, *best, math.log(0.1), 0.25))
        assert -bound - greedy == pytest.approx(0.5 * math.log(2 * dims * 0.25 + 1), abs=1e-3)
    assert -bound - greedy == pytest.approx(3.54, abs=5e-3)


@given(inputs.lognormal_sigma_bound())
def test_lognormal_sigma_bound_of_a_narrow_posterior(implementation, case) -> None:
    """With q = p and a vanishing width the bound is the log density at that sigma."""
    width = np.full_like(case["variance_p"], 1e-12)
    narrow = {**case, "variance_q": width, "variance_p": width, "mean_q": case["mean_p"]}
    got = implementation.call("calibration.lognormal_sigma_bound", **narrow)
    wanted = [
        -float(calibration.shared_sigma_objective([e], [0.0], s, case["dims"]))
        for e, s in zip(case["squared_error"], case["mean_p"], strict=True)
    ]
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-8)


@given(inputs.optimal_lognormal())
def test_optimal_lognormal_is_stationary(implementation, case) -> None:
    m, v = implementation.call("calibration.optimal_lognormal", **case)
    pull = case["dims"] + (m - case["mean_p"]) / case["variance_p"]
    np.testing.assert_allclose(np.log(case["squared_error"]) - 2 * m + 2 * v, np.log(pull), rtol=1e-7, atol=1e-5)
    np.testing.assert_allclose(v * (2 * pull + 1 / case["variance_p"]), 1, rtol=1e-7)


def test_optimal_lognormal_is_the_numeric_maximum() -> None:
    def negative(t: np.ndarray) -> float:
        return -float(calibration.lognormal_sigma_bound(0.8, 6, t[0], math.exp(t[1]), -0.5, 0.25))

    found = optimize.minimize(
        negative, [0.0, -2.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 2000}
    )
    m, v = calibration.optimal_lognormal(0.8, 6, -0.5, 0.25)
    np.testing.assert_allclose([found.x[0], math.exp(found.x[1])], [m, v], rtol=1e-5)


def test_nelbo_of_a_discrete_model_by_enumeration() -> None:
    """Three values of z: equality at the exact posterior, a gap of KL(q || posterior) elsewhere."""
    prior, likelihood = np.array([0.2, 0.5, 0.3]), np.array([0.7, 0.05, 0.2])
    evidence = math.log(prior @ likelihood)
    posterior = prior * likelihood / math.exp(evidence)
    for q in (posterior, prior, np.array([0.6, 0.2, 0.2])):
        got = float(calibration.nelbo(-q @ np.log(likelihood), q @ np.log(q / prior)))
        assert got + evidence == pytest.approx(q @ np.log(q / posterior), abs=1e-12)
        assert got >= -evidence - 1e-12


def test_nelbo_gap_is_the_divergence_by_quadrature() -> None:
    """Model z ~ N(0, 1), x | z ~ N(sin z, 0.5^2): NELBO + log p(x) is KL(q || p(z|x)), integrated on its own."""
    x, (m, s) = 0.6, (0.4, 0.6)
    evidence = math.log(gaussian_integral(lambda z: stats.norm.pdf(x, math.sin(z), 0.5)))
    nll = gaussian_integral(lambda z: -stats.norm.logpdf(x, math.sin(z), 0.5), m, s)
    got = float(calibration.nelbo(nll, gaussian.kl_standard([m], [s]))) + evidence

    def log_ratio(z: float) -> float:
        joint = stats.norm.logpdf(x, math.sin(z), 0.5) + stats.norm.logpdf(z) - evidence
        return stats.norm.logpdf(z, m, s) - joint

    assert got == pytest.approx(gaussian_integral(log_ratio, m, s), abs=1e-9)
    assert got > 0


def test_nelbo_is_tight_for_the_linear_model(rng) -> None:
    weights, x, sigma = rng.normal(size=(4, 2)), rng.normal(size=4), 0.7
    precision = np.eye(2) + weights.T @ weights / sigma**2
    mean = np.linalg.solve(precision, weights.T @ x / sigma**2)
    covariance = np.linalg.inv(precision)
    error = np.sum((x - weights @ mean) ** 2) + np.trace(weights @ covariance @ weights.T)
    kl = 0.5 * (mean @ mean + np.trace(covariance) - 2 + np.linalg.slogdet(precision)[1])
    nll = calibration.shared_sigma_objective([error], [0.0], math.log(sigma), 4)
    wanted = linear_vae.negative_log_evidence(x, weights, np.zeros(4), sigma)
    assert float(calibration.nelbo(nll, kl)) == pytest.approx(float(wanted), rel=1e-12)


def test_nelbo_of_a_bits_back_code() -> None:
    """Two latents, three images: no code is shorter than the entropy, and the exact posterior reaches it."""
    joint = np.random.default_rng(0).dirichlet(np.ones(6)).reshape(3, 2)
    prior, images = joint.sum(0), joint.sum(1)
    entropy = -images @ np.log2(images)
    for q in (joint / images[:, None], np.array([[0.5, 0.5], [0.1, 0.9], [0.7, 0.3]]), np.tile(prior, (3, 1))):
        nll, kl = -np.sum(q * np.log2(joint / prior), axis=1), np.sum(q * np.log2(q / prior), axis=1)
        assert images @ calibration.nelbo(nll, kl) >= entropy - 1e-12
    q = joint / images[:, None]
    exact = calibration.nelbo(-np.sum(q * np.log2(joint / prior), axis=1), np.sum(q * np.log2(q / prior), axis=1))
    assert images @ exact == pytest.approx(entropy, rel=1e-12)


@given(inputs.nelbo())
def test_nelbo_is_a_sum(implementation, case) -> None:
    np.testing.assert_allclose(
        implementation.call("calibration.nelbo", **case), case["nll"] + case["kl"], rtol=1e-12, atol=1e-9
    )


@given(inputs.rate_distortion())
def test_rate_distortion_adds_up(implementation, case) -> None:
    total, nll, rate, error = implementation.call("calibration.rate_distortion", **case)
    np.testing.assert_allclose(total, nll + rate, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(error * case["dims"], case["squared_error"].mean(), rtol=1e-9)


@given(inputs.rate_distortion())
def test_rate_distortion_at_the_optimum(case) -> None:
    """At the batch's own optimal sigma the quadratic part is D/2, whatever the errors."""
    log_sigma = np.log(calibration.optimal_sigma(case["squared_error"], case["dims"]))
    _, nll, _, error = calibration.rate_distortion(**{**case, "log_sigma": log_sigma})
    np.testing.assert_allclose(
        nll, calibration.unit_gaussian_floor(case["dims"], log_sigma) + case["dims"] / 2, rtol=1e-10, atol=1e-9
    )
    np.testing.assert_allclose(np.sqrt(error), np.exp(log_sigma), rtol=1e-12)


def test_rate_distortion_matches_scipy(rng) -> None:
    x, mean, kl = rng.normal(size=(7, 5)), rng.normal(size=(7, 5)), rng.exponential(size=7)
    got = calibration.rate_distortion(calibration.sse(x, mean), kl, math.log(0.7), 5)
    nll = np.mean(-stats.norm.logpdf(x, mean, 0.7).sum(-1))
    np.testing.assert_allclose(got, [nll + kl.mean(), nll, kl.mean(), np.mean((x - mean) ** 2)], rtol=1e-12)


def test_convergence_step_of_drawn_curves() -> None:
    assert int(calibration.convergence_step([1.0, 0.05, 0.5, 0.05, 0.0], 0.0)) == 3
    assert int(calibration.convergence_step([0.01, 0.0], 0.0)) == 0
    assert int(calibration.convergence_step([0.0, 1.0], 0.0)) == 2
    # ln sigma falls by 0.001 per step from 0 to -2.2: it is within 0.1 of the end after 2100 steps.
    assert int(calibration.convergence_step(-0.001 * np.arange(2201), -2.2)) in (2100, 2101)


@given(inputs.convergence_step())
def test_convergence_step_is_the_first_of_a_settled_tail(implementation, case) -> None:
    trajectory, reference = case["log_sigma"], case["log_reference"]
    got = implementation.call("calibration.convergence_step", **case)
    for index in np.ndindex(reference.shape):
        inside = np.abs(trajectory[(slice(None), *index)] - reference[index]) < case["tolerance"]
        wanted = next(t for t in range(len(inside) + 1) if inside[t:].all())
        assert got[index] == wanted

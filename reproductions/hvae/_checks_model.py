"""Checks of the trained system: which networks are smoothed, when, and what smoothing leaves alone.

Each function checks one claim: it takes the generator of its random numbers and returns the claim's metrics. PyTorch is
imported inside, so that the list of reproductions stays light.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from reference import ornstein_uhlenbeck
from reference.hermite import Array
from reproductions.hvae._functions import largest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vaes.data import Dataset
    from vaes.models.hvae import HVAE, HVAEConfig

Metrics = dict[str, float]
SETTINGS = ((0.0, 1), (0.5, 5), (0.9, 10))
"""Pairs (rho, K)."""
ROWS, DATA = 32, 16


def correlated_sample_reparameterised(rng: np.random.Generator) -> Metrics:
    """Both forms of Eq. 4 in two precisions, the law of the sample, and rho = 1."""
    import torch

    from vaes.ops import ornstein_uhlenbeck as twin

    size = 1000
    mean, noise, fresh = (rng.normal(size=size) * spread for spread in (3, 1, 1))
    scale, rho = np.exp(rng.normal(size=size)), rng.uniform(0, 1, size)
    size_of = np.abs(mean) + scale * (np.abs(noise) + np.abs(fresh))
    double = ornstein_uhlenbeck.correlated_sample(mean, scale, noise, fresh, rho)
    exact = ornstein_uhlenbeck.correlated_sample(mean, scale, noise, fresh, 1.0)
    mismatches = int(np.sum(exact != mean + scale * noise))
    errors = {torch.float64: [largest((double - _second_form(mean, scale, noise, fresh, rho)) / size_of)]}
    for dtype in (torch.float64, torch.float32):
        m, s, e, w, r = (torch.tensor(value, dtype=dtype) for value in (mean, scale, noise, fresh, rho))
        gap = (twin.correlated_sample(m, s, e, w, r) - _second_form(m, s, e, w, r)).double().numpy()
        errors.setdefault(dtype, []).append(largest(gap / size_of))
        mismatches += int(torch.count_nonzero(twin.correlated_sample(m, s, e, w, 1.0) - torch.addcmul(m, s, e)))
    return {
        "float64_error": max(errors[torch.float64]),
        "float32_error": max(errors[torch.float32]),
        "moment_standard_errors": _moment_standard_errors(rng),
        "rho_one_mismatches": mismatches,
    }


def _second_form(mean: Any, scale: Any, noise: Any, fresh: Any, rho: Any) -> Any:
    """Rho z + (1 - rho) mu + sigma sqrt(1 - rho^2) eps2, on arrays or tensors."""
    z = mean + scale * noise
    return rho * z + (1 - rho) * mean + scale * ((1 - rho) * (1 + rho)) ** 0.5 * fresh


def _moment_standard_errors(rng: np.random.Generator) -> float:
    """Mean, variance and correlation with z of 1e6 samples of N(1.5, 0.7^2)."""
    count, worst = 1_000_000, 0.0
    for rho in (0.0, 0.5, 0.9):
        noise, fresh = rng.standard_normal((2, count))
        sample = ornstein_uhlenbeck.correlated_sample(1.5, 0.7, noise, fresh, rho)
        e = (sample - 1.5) / 0.7
        errors = (e.mean(), (np.mean(e**2) - 1) / math.sqrt(2), (np.mean(e * noise) - rho) / math.sqrt(1 + rho**2))
        worst = max(worst, *(abs(float(error)) * math.sqrt(count) for error in errors))
    return worst


def mean_preserved_high_frequencies_attenuated(rng: np.random.Generator) -> Metrics:
    """A fresh conditional 40 -> 200 -> 200 -> 40 under q = N(mu_q, sigma_q): K = 5 copies, rho = 0.8, 1e5 draws."""
    import torch

    from vaes.models.hvae import HVAE, HVAEConfig
    from vaes.ops import ornstein_uhlenbeck as twin

    rho, samples, batch, batches = 0.8, 5, 2500, 40
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    config = HVAEConfig(data=8, latents=(40, 40), hidden=(200, 200))
    model = HVAE(config).initialise(generator)
    mean_q = torch.randn(40, generator=generator)
    scale_q = 0.3 + torch.rand(40, generator=generator)
    rows: list[tuple[Array, Array, Array]] = []
    with torch.no_grad():
        for _ in range(batches):
            noise = torch.randn(batch, 40, generator=generator)
            fresh = torch.randn(samples, batch, 40, generator=generator)
            copies = twin.correlated_sample(mean_q, scale_q, noise, fresh, rho)
            plain = torch.cat(model.conditional(0, mean_q + scale_q * noise), -1)
            smooth = torch.cat(model.conditional(0, copies), -1).mean(0)
            rows.append((noise.double().numpy(), plain.double().numpy(), smooth.double().numpy()))
    strength = float(ornstein_uhlenbeck.effective_strength(rho, samples))
    differences = np.stack([(smooth - plain).mean(0) for _, plain, smooth in rows])
    excess = np.stack([smooth.var(0, ddof=1) - strength * plain.var(0, ddof=1) for _, plain, smooth in rows])
    return {
        "mean_standard_errors": float(np.abs(_t(differences)).max()),
        "profile_standard_errors": _profile_standard_errors(rows, rho),
        "variance_excess_standard_errors": max(0.0, float(_t(excess).max())),
    }


def _t(batches: Array) -> Array:
    """Mean over batches (first axis) in standard errors."""
    return batches.mean(0) / (batches.std(0, ddof=1) / math.sqrt(len(batches)))


def _profile_standard_errors(rows: list[tuple[Array, Array, Array]], rho: float) -> float:
    """Weights of degree 1 and 2 of the smoothed network against rho^(2d) times those of the network.

    A product of coefficient estimates from two independent batches has the squared coefficient as its mean.
    """
    first, second = np.triu_indices(40, 1)
    found: list[Array] = []
    for noise, plain, smooth in rows:
        quadratic = np.concatenate([(noise**2 - 1) / math.sqrt(2), noise[:, first] * noise[:, second]], axis=1)
        both = np.concatenate([plain, smooth], axis=1) / len(noise)
        found.append(np.concatenate([noise.T @ both, quadratic.T @ both]))
    differences = []
    for one, two in zip(found[::2], found[1::2], strict=True):
        products = one * two
        weights = np.stack([products[:40].sum(0), products[40:].sum(0)]).reshape(2, 2, 2, 40).sum(-1)
        # Axes: degree, network and smoothed network, mean and scale.
        differences.append(weights[:, 1] - np.array([rho**2, rho**4])[:, None] * weights[:, 0])
    return float(np.abs(_t(np.stack(differences))).max())


def parameters_keep_mean_and_lose_variance(rng: np.random.Generator) -> Metrics:
    """Conditionals of mlp4x40 on 8x8 digits, fresh and after 200 steps at rho = 0.9, given q(z_{l+1}|z_l) at one z_l.

    Mean and scale of all 40 units of the three smoothed networks, K = 5.
    """
    from vaes.data import load
    from vaes.models.hvae import preset
    from vaes.training import Member, Recipe, initial_model, train

    dataset = load("digits/static")
    config = preset("mlp4x40", data=dataset.dims)
    recipe, member = Recipe(steps=200, samples=5), Member(rho=0.9, seed=int(rng.integers(2**31)))
    models = (
        initial_model(config, recipe, member.seed, dataset),
        train(config, recipe, member, dataset).model,
    )
    found = [
        _moments_against_plain(model, layer, dataset.test[:1], member.rho, recipe.samples, rng)
        for model in models
        for layer in range(config.depth - 1)
    ]
    return {name: max(each[name] for each in found) for name in found[0]}


def _moments_against_plain(
    model: HVAE, layer: int, x: Tensor, rho: float, samples: int, rng: np.random.Generator, rows: int = 200
) -> Metrics:
    """Smoothed against plain parameters of p(z_layer|z_{layer+1}): means, ratio of variances and its prediction.

    The variance of U_rho f is the covariance of f at two correlated copies, drawn apart from those that are averaged.
    """
    import torch

    from vaes.ops import ornstein_uhlenbeck as twin

    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    differences, excess, variances = [], [], []
    with torch.no_grad():
        noise = [torch.randn(1, units, generator=generator) for units in model.config.latents]
        q = model.infer(x, noise)[0][layer + 1]
        for _ in range(100):
            e = torch.randn(rows, q.mean.shape[-1], generator=generator)
            fresh = torch.randn(samples + 2, *e.shape, generator=generator)
            plain = torch.cat(model.conditional(layer, q.mean + q.scale * e), -1).double().numpy()
            copies = twin.correlated_sample(q.mean, q.scale, e, fresh, rho)
            values = torch.cat(model.conditional(layer, copies), -1).double().numpy()
            smooth, (one, two) = values[:samples].mean(0), values[samples:]
            ideal = np.mean((one - one.mean(0)) * (two - two.mean(0)), 0) * rows / (rows - 1)
            own = plain.var(0, ddof=1)
            differences.append((smooth - plain).mean(0))
            variances.append((smooth.var(0, ddof=1), own))
            excess.append(variances[-1][0] - (1 - 1 / samples) * ideal - own / samples)
    smoothed, original = np.mean(variances, axis=0)
    return {
        "mean_standard_errors": float(np.abs(_t(np.stack(differences))).max()),
        "variance_ratio": float((smoothed / original).max()),
        "variance_standard_errors": float(np.abs(_t(np.stack(excess))).max()),
    }


def only_intermediate_generative_layers_smoothed(rng: np.random.Generator) -> Metrics:
    """Rows that each network sees in a smoothed pass with L = 4 and K = 5; a model with L = 1 at several rho."""
    from vaes.models.hvae import Smoothing

    model = _model(rng, depth=4)
    x, noise = _inputs(model.config, rng)
    seen = _rows_seen(model, lambda: model(x, noise, Smoothing(0.9, _fresh(model.config, 5, rng))))
    wanted = {name: [5 * ROWS if name.startswith("priors") else ROWS] for name in _networks(model)}
    single = _model(rng, depth=1)
    x, noise = _inputs(single.config, rng)
    plain = _loss_and_gradients(single, x, noise, None)
    gaps = [
        largest(*(a - b for a, b in zip(plain, _loss_and_gradients(single, x, noise, Smoothing(rho, ())), strict=True)))
        for rho in (0.0, 0.5, 0.9, 1.0)
    ]
    return {
        "call_count_errors": sum(seen.get(name) != rows for name, rows in wanted.items())
        + len(set(seen) - set(wanted)),
        "single_layer_difference": max(gaps),
    }


def training_only_substitution(rng: np.random.Generator) -> Metrics:
    """The evaluator on one checkpoint after smoothed passes of several (rho, K), and its passes per network."""
    from vaes.evaluation import Protocol, evaluate
    from vaes.models.hvae import Smoothing

    model = _model(rng, depth=3)
    x, noise = _inputs(model.config, rng)
    full = Protocol(samples=20, gap_samples=3, information_images=ROWS, information_samples=4)
    (before,) = evaluate(model, x, seed=1000, protocol=full)
    gaps = []
    for rho, samples in SETTINGS:
        # Gradients are left in place; nothing of a training pass may reach the evaluator.
        _loss_and_gradients(model, x, noise, Smoothing(rho, _fresh(model.config, samples, rng)))
        (after,) = evaluate(model, x, seed=1000, protocol=full)
        gaps += [_difference(before[name], after[name]) for name in before]
    bound_only = Protocol(samples=4, gap_samples=0, information_images=0, rows=4 * ROWS)
    seen = _rows_seen(model, lambda: evaluate(model, x, seed=1000, protocol=bound_only))
    return {
        "evaluation_difference": max(gaps),
        "extra_passes": sum(len(rows) - 1 for rows in seen.values()) + len(set(_networks(model)) - set(seen)),
    }


def _difference(one: float | None, two: float | None) -> float:
    """Absolute difference of two metrics; one that exists only once is infinitely far."""
    if one is None or two is None:
        return 0.0 if one is two else math.inf
    return abs(one - two)


def rho_one_recovers_original_vae(rng: np.random.Generator) -> Metrics:
    """Training steps at rho = 1 with any K against the plain VAE, and the K-fold pass at rho = 1 without shortcut."""
    from vaes.models.hvae import HVAE, Smoothing

    model = _model(rng, depth=3)
    x, noise = _inputs(model.config, rng)
    plain = _loss_and_gradients(model, x, noise, None)
    stack, pair = HVAE.stack([model, model]), [value[None] for value in noise]
    stacked = _loss_and_gradients(stack, x[None], pair, None)
    full, shortcut = [], []
    for samples in (1, 5, 10):
        fresh = _fresh(model.config, samples, rng)
        smoothed = _loss_and_gradients(model, x, noise, Smoothing(1.0, fresh))
        full += [abs(float(smoothed[0] / plain[0] - 1)), _relative(smoothed[1:], plain[1:])]
        # In a stack the shortcut is the slice of plain members: the first of these two.
        mixed = Smoothing(0.9, tuple(value[None] for value in fresh), plain=1)
        found = _loss_and_gradients(stack, x[None], pair, mixed)
        shortcut.append(largest(*(a[0] - b[0] for a, b in zip(found, stacked, strict=True))))
        shortcut.append(_trained_gap(samples))
    return {"shortcut_difference": max(shortcut), "full_path_error": max(full)}


def _relative(found: list[Array], wanted: list[Array]) -> float:
    """Norm of the difference of two gradients over the norm of the second, all parameters as one vector."""
    one, two = (np.concatenate([value.ravel() for value in values]) for values in (found, wanted))
    return float(np.linalg.norm(one - two) / np.linalg.norm(two))


def _trained_gap(samples: int) -> float:
    """Largest difference after three steps of the trainer at rho = 1 and of plain gradient steps on the same draws."""
    import torch

    from vaes.models.hvae import objective
    from vaes.training import Feed, Member, Recipe, Trainer, initial_model

    dataset = _dataset()
    config, recipe = _config(3, dataset.dims), Recipe(steps=3, batch=16, samples=samples)
    trainer = Trainer(initial_model(config, recipe, 1000, dataset), [Member(rho=1.0, seed=1000)], dataset, recipe)
    trainer.run()
    model = initial_model(config, recipe, 1000, dataset)
    feed = Feed(dataset, 1000, config, recipe, torch.device("cpu"))
    optimiser = torch.optim.Adam(
        model.parameters(), lr=recipe.learning_rate, betas=recipe.betas, eps=recipe.epsilon, fused=True
    )
    for _ in range(recipe.steps):
        optimiser.zero_grad()
        loss = -objective(model(*feed.images_and_noise()))
        loss.backward()
        optimiser.step()
    # Parameters after several steps, and the gradients of the last one.
    pairs = zip(_parameters_and_gradients(trainer.model), _parameters_and_gradients(model), strict=True)
    return largest(*(one - two for one, two in pairs))


def _parameters_and_gradients(model: HVAE) -> list[Array]:
    values = [value for parameter in model.parameters() for value in (parameter.detach(), parameter.grad)]
    return [value.numpy().copy() for value in values if value is not None]


def top_kl_on_unsmoothed_model(rng: np.random.Generator) -> Metrics:
    """Top KL of a smoothed and of an ordinary pass at the same parameters."""
    from vaes.models.hvae import Smoothing

    gaps = []
    for _ in range(5):
        model = _model(rng, depth=3)
        x, noise = _inputs(model.config, rng)
        plain = model(x, noise).top_kl
        for rho, samples in SETTINGS:
            smoothed = model(x, noise, Smoothing(rho, _fresh(model.config, samples, rng)))
            gaps.append(largest((smoothed.top_kl - plain).detach().numpy()))
    return {"top_kl_difference": max(gaps)}


def _config(depth: int, data: int = DATA) -> HVAEConfig:
    from vaes.models.hvae import HVAEConfig

    return HVAEConfig(data=data, latents=(6, 5, 4, 3)[:depth], hidden=(12,) * depth)


def _model(rng: np.random.Generator, depth: int) -> HVAE:
    """Return a float32 model, as in training, with parameters large enough to be far from linear."""
    import torch

    from vaes.models.hvae import HVAE

    model = HVAE(_config(depth)).initialise(torch.Generator().manual_seed(int(rng.integers(2**31))))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model


def _inputs(config: HVAEConfig, rng: np.random.Generator) -> tuple[Tensor, list[Tensor]]:
    import torch

    x = torch.tensor(rng.random((ROWS, config.data)) < 0.4, dtype=torch.float32)
    noise = [torch.tensor(rng.standard_normal((ROWS, units)), dtype=torch.float32) for units in config.latents]
    return x, noise


def _fresh(config: HVAEConfig, samples: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
    import torch

    shapes = [(samples, ROWS, units) for units in config.latents[1:]]
    return tuple(torch.tensor(rng.standard_normal(shape), dtype=torch.float32) for shape in shapes)


def _loss_and_gradients(model: HVAE, x: Tensor, noise: list[Tensor], smoothing: Any) -> list[Array]:
    from vaes.models.hvae import objective

    model.zero_grad(set_to_none=True)
    loss = -objective(model(x, noise, smoothing))
    loss.sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    return [loss.detach().numpy(), *(gradient.numpy().copy() for gradient in gradients if gradient is not None)]


def _networks(model: HVAE) -> dict[str, torch.nn.Module]:
    lists = {"posteriors": model.posteriors, "priors": model.priors}
    found = {f"{name}.{i}": network for name, networks in lists.items() for i, network in enumerate(networks)}
    return {**found, "likelihood": model.likelihood}


def _rows_seen(model: HVAE, run: Any) -> dict[str, list[int]]:
    """Rows of every pass of every network while ``run()`` runs."""
    seen: dict[str, list[int]] = {}

    def hook(name: str) -> Any:
        return lambda module, arguments, output: seen.setdefault(name, []).append(arguments[0].shape[-2])

    handles = [network.register_forward_hook(hook(name)) for name, network in _networks(model).items()]
    run()
    for handle in handles:
        handle.remove()
    return seen


def _dataset() -> Dataset:
    from vaes.data import load

    return load("digits/static")

"""What training costs: counts by hand, and equal answers on meta, fake and real tensors."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from vaes.accounting import Kept, flops, kept_for_backward, parameter_count, training_bytes
from vaes.layers.residual_network import ResidualBlock
from vaes.models.hvae import Smoothing, hvae, objective
from vaes.models.hvae_conv import hvae_conv
from vaes.ops.architecture import compute_overhead

FLOAT = 4


def training_run(model, kind, rows, samples, device) -> tuple[Callable[[], torch.Tensor], list[torch.Tensor]]:
    """Loss of one kind of training on random numbers, and its inputs."""
    latents, importance = model.config.latents, samples if kind == "IWAE" else 1
    x = torch.rand(rows, model.config.data, device=device)
    noise = [torch.randn(importance * rows, n, device=device) for n in latents]
    fresh = tuple(torch.randn(samples, rows, n, device=device) for n in latents[1:]) if kind == "HVAE" else ()
    smoothing = Smoothing(0.9, fresh) if fresh else None
    return lambda: objective(model(x, noise, smoothing), importance=importance), [x, *noise, *fresh]


def two_layers(device="cpu"):
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).to(device)


def test_parameters_of_two_layers_by_hand():
    assert parameter_count(two_layers()) == 4 * 3 + 3 + 3 * 2 + 2


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("rows", [1, 7])
def test_two_layers_by_hand(device, rows):
    """Linear keeps its input, tanh its output, which the second Linear keeps too: one storage."""
    model, x = two_layers(device), torch.ones(rows, 4, device=device)
    assert kept_for_backward(lambda: model(x), model, [x]) == Kept(computed=rows * 3 * FLOAT, given=rows * 4 * FLOAT)


def test_an_input_that_is_not_named_counts_as_computed():
    model, x = two_layers(), torch.ones(2, 4)
    assert kept_for_backward(lambda: model(x), model) == Kept(computed=2 * 7 * FLOAT, given=0)


def test_parameters_and_buffers_are_not_counted():
    model = nn.BatchNorm1d(3)
    x = torch.ones(5, 3)
    # The statistics of the batch are kept, mean and inverse deviation; weight, bias and running ones are the model's.
    assert kept_for_backward(lambda: model(x), model, [x]) == Kept(computed=2 * 3 * FLOAT, given=5 * 3 * FLOAT)


def test_a_view_counts_with_the_whole_storage_once():
    whole = torch.ones(10, requires_grad=True).clone()
    kept = kept_for_backward(lambda: (whole[:2].exp(), whole[2:4].square(), whole[4:6].square()), nn.Module())
    # exp keeps its result (2 numbers); the squares keep views of the ten.
    assert kept.total == (2 + 10) * FLOAT


def test_nothing_is_kept_without_gradients():
    model, x = two_layers(), torch.ones(2, 4)
    with torch.no_grad():
        assert kept_for_backward(lambda: model(x), model, [x]).total == 0


def test_a_residual_block_keeps_four_maps():
    """x, ELU(x), the first convolution and its ELU; the sum at the end is the next block's x."""
    block = ResidualBlock(3, 3, 3)
    x = torch.ones(2, 3, 4, 4, requires_grad=True)
    one_map = x.numel() * FLOAT
    assert kept_for_backward(lambda: block(x), block, [x]) == Kept(computed=3 * one_map, given=one_map)


@pytest.mark.parametrize("kind", ["VAE", "HVAE", "IWAE"])
@pytest.mark.parametrize("name", ["tiny", "tiny with skips", "tiny in colour", "perceptrons"])
def test_meta_fake_and_real_tensors_give_the_same(name, kind):
    colour = {"image": (8, 8, 3), "likelihood": "discretised_logistic"}
    overrides = {"tiny with skips": {"skips": True}, "tiny in colour": colour}.get(name, {})
    build = hvae if name == "perceptrons" else hvae_conv

    def measured(device):
        model = build("tiny", device=device, **overrides)
        run, inputs = training_run(model, kind, 3, 2, device)
        return kept_for_backward(run, model, inputs), flops(run), flops(lambda: run().backward())

    real = measured("cpu")
    assert measured("meta") == real
    with FakeTensorMode():
        assert measured("cpu") == real
    assert min(real[0].computed, real[0].given, *real[1:]) > 0


def test_kept_bytes_are_linear_in_the_batch():
    model = hvae_conv("tiny", device="meta")
    one, two, five = (kept_for_backward(*arguments(model, rows)).total for rows in (1, 2, 5))
    assert five - one == 4 * (two - one)


def arguments(model, rows, kind="HVAE"):
    run, inputs = training_run(model, kind, rows, 3, "meta")
    return run, model, inputs


def test_operations_of_a_product_and_of_a_convolution_by_hand():
    x = torch.ones(5, 4, device="meta")
    assert flops(lambda: nn.Linear(4, 3, device="meta")(x)) == 2 * 5 * 4 * 3
    image = torch.ones(2, 3, 8, 8, device="meta")
    conv = nn.Conv2d(3, 6, 5, stride=2, padding=2, device="meta")
    assert flops(lambda: conv(image)) == 2 * 2 * 16 * (3 * 6 * 25)


def test_a_smoothed_pass_with_one_sample_costs_what_a_plain_one_does():
    model = hvae_conv("tiny", device="meta")
    plain, _ = training_run(model, "VAE", 4, 1, "meta")
    smooth, _ = training_run(model, "HVAE", 4, 1, "meta")
    assert flops(lambda: smooth().backward()) == flops(lambda: plain().backward())


@pytest.mark.parametrize(
    ("name", "five", "ten"),
    [("mlp4x40", 1.958, 3.156), ("mlp_pyramid4", 1.330, 1.743), ("mlp_pyramid5", 1.333, 1.750)],
)
def test_forward_cost_of_the_perceptrons(name, five, ten):
    """The specified ratios, and the closed form of the operations of each part."""
    model = hvae(name, device="meta")
    plain = flops(training_run(model, "VAE", 8, 1, "meta")[0])
    latents = [torch.empty(8, n, device="meta") for n in model.config.latents]
    upper = sum(flops(lambda n=n, z=z: n(z)) for n, z in zip(model.priors, latents[1:], strict=True))
    bottom = flops(lambda: model.likelihood(latents[0]))
    for samples, wanted in ((5, five), (10, ten)):
        ratio = flops(training_run(model, "HVAE", 8, samples, "meta")[0]) / plain
        assert ratio == pytest.approx(wanted, abs=5e-4)
        parts = (torch.tensor(float(value)) for value in (samples, plain - upper - bottom, upper, bottom))
        assert ratio == pytest.approx(compute_overhead(*parts).item())


def test_training_bytes_add_sixteen_for_each_parameter():
    assert training_bytes(Kept(computed=100, given=20), parameters=10) == 120 + 160

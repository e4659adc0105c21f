"""Accounting: the printed totals, modules on the meta device, counted operations, kept tensors, seen pixels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from reference import architecture
from tests.conformance.inputs import architecture as inputs

NVAE = {
    "mnist": (1, 1, 32, 2, 3, [10, 5], 20, 0, 4),
    "cifar-10": (3, 100, 128, 1, 2, [30], 20, 1, 16),
    "imagenet-32": (3, 100, 192, 1, 2, [28], 20, 1, 16),
    "celeba-64": (3, 100, 64, 1, 2, [20, 10, 5], 20, 1, 8),
    "celeba-hq": (3, 100, 30, 1, 2, [16, 8, 4, 4, 4], 20, 2, 8),
}
# Rows: side, bottom-up blocks, links, top-down layers, width, middle width, latents.
CIFAR_C1 = [[32, 12, 12, 22, 48, 48, 16], [16, 7, 7, 11, 96, 48, 16], [8, 7, 7, 7, 192, 48, 16]]
CIFAR_C1 += [[4, 4, 4, 4, 384, 96, 16], [1, 3, 3, 3, 384, 96, 16]]
CIFAR_C2 = [
    [s, up, 1, down, 384, 96, 16] for s, up, down in ((32, 12, 22), (16, 7, 11), (8, 7, 7), (4, 4, 4), (1, 3, 3))
]
CIFAR_BASE = [
    [s, n, n, down, 384, 96, 32] for s, n, down in ((32, 12, 22), (16, 7, 11), (8, 7, 7), (4, 4, 4), (1, 3, 3))
]
IMAGENET_C1 = [[32, 16, 16, 16, 64, 64, 48], [16, 10, 10, 25, 128, 64, 48], [8, 9, 9, 19, 256, 64, 48]]
IMAGENET_C1 += [[4, 7, 7, 7, 512, 128, 48], [1, 6, 6, 6, 512, 128, 48]]
FFHQ = zip(
    (256, 128, 64, 32, 16, 8, 4, 1),
    (4, 9, 13, 18, 8, 6, 6, 4),
    (1, 8, 13, 18, 8, 5, 4, 2),
    (1, 8, 14, 22, 10, 5, 4, 2),
    strict=True,
)
FFHQ_C2 = [[*row, 512, 128, 32] for row in FFHQ]
MNIST = [[s, n, n, n, w, w, 32] for s, n, w in ((32, 1, 32), (16, 2, 64), (8, 10, 128), (4, 5, 256), (1, 5, 512))]


class Convolution(nn.Conv2d):
    """Convolution with the gain of a weight normalisation."""

    def __init__(self, ci: int, co: int, k: int, groups: int = 1, bias: bool = True, gain: bool = True) -> None:
        super().__init__(ci, co, k, groups=groups, bias=bias, device="meta")
        if gain:
            self.gain = nn.Parameter(torch.empty(co, device="meta"))


def squeeze(c: int) -> nn.Module:
    hidden = max(c // 16, 4)
    return nn.Sequential(nn.Linear(c, hidden, device="meta"), nn.Linear(hidden, c, device="meta"))


def regular(a: int, b: int) -> nn.Module:
    norms = [nn.BatchNorm2d(c, device="meta") for c in (a, b)]
    skip = [Convolution(a, part, 1) for part in (b // 4, b // 4, b // 4, b - 3 * (b // 4))] if a != b else []
    return nn.ModuleList([*norms, Convolution(a, b, 3), Convolution(b, b, 3), squeeze(b), *skip])


def separable(a: int, b: int, expansion: int) -> nn.Module:
    h = expansion * a
    norms = [nn.BatchNorm2d(c, device="meta") for c in (a, h, h, b)]
    plain = [Convolution(a, h, 1, bias=False, gain=False), Convolution(h, h, 5, h, bias=False, gain=False)]
    skip = [Convolution(a, b, 1, bias=False)] if a != b else []
    return nn.ModuleList([*norms, *plain, Convolution(h, b, 1, bias=False, gain=False), squeeze(b), *skip])


def flow(n: int) -> nn.Module:
    layers = (
        Convolution(n, 6 * n, 3, bias=False),
        Convolution(6 * n, 6 * n, 5, 6 * n, bias=False),
        Convolution(6 * n, n, 1),
    )
    return nn.ModuleList(layers)


def nvae(image, outputs, channels, pre_blocks, pre_cells, groups, n, pairs, top, cells=2) -> nn.Module:
    """The layout of the paper, walked as the image walks it: up through the encoder, down through the decoder."""
    parts: list[nn.Module] = [Convolution(image, channels, 3)]
    w = channels
    for _ in range(pre_blocks):
        parts += [*(regular(w, w) for _ in range(pre_cells - 1)), regular(w, 2 * w)]
        w *= 2
    for scale, count in enumerate(groups):
        for group in range(count):
            parts += [regular(w, w) for _ in range(cells)]
            if (scale, group) != (len(groups) - 1, count - 1):
                parts.append(Convolution(w, w, 1))
        if scale < len(groups) - 1:
            parts.append(regular(w, 2 * w))
            w *= 2
    parts += [Convolution(w, w, 1), nn.ParameterList([nn.Parameter(torch.empty(w, top, top, device="meta"))])]
    first = True
    for scale, count in reversed(list(enumerate(groups))):
        for _ in range(count):
            if not first:
                parts += [*(separable(w, w, 6) for _ in range(cells)), Convolution(w, 2 * n, 1)]
            parts += [Convolution(w, 2 * n, 3), *(flow(n) for _ in range(2 * pairs)), Convolution(w + n, w, 1)]
            first = False
        if scale:
            parts.append(separable(w, w // 2, 6))
            w //= 2
    for _ in range(pre_blocks):
        parts += [separable(w, w // 2, 3), *(separable(w // 2, w // 2, 3) for _ in range(pre_cells - 1))]
        w //= 2
    return nn.ModuleList([*parts, Convolution(w, outputs, 3)])


def numel(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def conv(a: int, b: int, k: int = 1) -> nn.Module:
    return nn.Conv2d(a, b, k, device="meta")


def bottleneck(a: int, m: int, k: int, b: int) -> nn.Module:
    return nn.ModuleList([conv(a, m), conv(m, m, k), conv(m, m, k), conv(m, b)])


def efficient_vdvae(table, image: int, outputs: int) -> nn.Module:
    """Bottom-up, then top-down blocks, each as the module it is."""
    parts: list[nn.Module] = [conv(image, table[0][4])]
    for place, (side, up, links, _, w, m, _) in enumerate(table):
        k = 1 if side == 1 else 3
        parts += [bottleneck(w, m, k, w) for _ in range(up)] + [conv(w, w) for _ in range(links)]
        if place + 1 < len(table):
            parts.append(conv(w, table[place + 1][4], side // table[place + 1][0]))
    constants = [nn.Parameter(torch.empty(1, table[-1][4], 1, 1, device="meta"))]
    lower = None
    for side, _, _, down, w, m, v in reversed(table):
        k = 1 if side == 1 else 3
        if lower is not None:
            parts.append(conv(lower, w))
            constants.append(nn.Parameter(torch.empty(1, w, side, side, device="meta")))
        for _ in range(down):
            parts += [bottleneck(w, m, k, 2 * w), bottleneck(2 * w, m, k, w), bottleneck(w, m, k, w)]
            parts += [conv(w, 2 * v), conv(w, 2 * v), conv(v, w)]
        lower = w
    return nn.ModuleList([*parts, nn.ParameterList(constants), conv(table[0][4], outputs)])


def vdvae(table, w: int, z: int) -> nn.Module:
    parts: list[nn.Module] = [conv(3, w, 3), conv(w, 100)]
    constants = [nn.Parameter(torch.empty(2, w, device="meta"))]
    for side, encoder, decoder in table:
        k, m = (3 if side > 2 else 1), w // 4
        parts += [bottleneck(w, m, k, w) for _ in range(encoder)]
        for _ in range(decoder):
            parts += [
                bottleneck(2 * w, m, k, 2 * z),
                bottleneck(w, m, k, 2 * z + w),
                bottleneck(w, m, k, w),
                conv(z, w),
            ]
        if side <= 64:
            constants.append(nn.Parameter(torch.empty(w, side, side, device="meta")))
    return nn.ModuleList([*parts, nn.ParameterList(constants)])


@given(inputs.parameter_count())
def test_parameter_count_matches_modules(case) -> None:
    layers = [Convolution(ci, co, k, g, bool(b), bool(n)) for ci, co, k, g, b, n in case["convolutions"].tolist()]
    assert architecture.parameter_count(**case) == sum(map(numel, layers)) + sum(case["others"].tolist())


@pytest.mark.parametrize(
    ("rows", "others", "wanted"),
    [
        ([[3, 128, 3, 1, 1, 1]], [], 3_712),
        ([[256, 256, 1, 1, 1, 1]], [], 66_048),
        (30 * [[256, 40, 3, 1, 1, 1]], [], 2_767_200),
        (29 * [[256, 40, 1, 1, 1, 1]], [], 299_280),
        (60 * [[20, 120, 3, 1, 0, 1], [120, 120, 5, 120, 0, 1], [120, 20, 1, 1, 1, 1]], [], 1_636_800),
        ([[128, 100, 3, 1, 1, 1]], [], 115_400),
        ([], [256 * 16 * 16], 65_536),
    ],
)
def test_parameter_count_of_the_parts_of_nvae(rows, others, wanted: int) -> None:
    assert architecture.parameter_count(rows, others) == wanted


@pytest.mark.parametrize(
    ("channels", "wanted"), [(64, (74_820, 61_124)), (128, (298_120, 221_576)), (256, (1_190_160, 840_464))]
)
def test_parameter_count_of_the_cells_of_nvae(channels: int, wanted: tuple[int, int]) -> None:
    assert (numel(regular(channels, channels)), numel(separable(channels, channels, 6))) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("mnist", 33_363_134),
        ("cifar-10", 130_852_480),
        ("imagenet-32", 268_509_444),
        ("celeba-64", 153_281_364),
        ("celeba-hq", 330_798_664),
    ],
)
def test_nvae_has_the_parameters_of_the_public_model(name: str, wanted: int) -> None:
    assert architecture.nvae_parameter_count(*NVAE[name]) == wanted


def test_nvae_without_flows_and_with_one_cell() -> None:
    without = [architecture.nvae_parameter_count(*NVAE[n][:7], 0, NVAE[n][8]) for n in ("cifar-10", "celeba-hq")]
    assert without == [129_215_680, 326_870_344]
    assert architecture.nvae_parameter_count(*NVAE["mnist"], 1) == 18_853_518
    pair = architecture.nvae_parameter_count(*NVAE["cifar-10"]) - without[0]
    assert pair == 54_560 * 30


@settings(max_examples=10)
@given(inputs.nvae_parameter_count())
def test_nvae_matches_modules_on_the_meta_device(case) -> None:
    module = nvae(*case.values())
    assert architecture.nvae_parameter_count(**case) == numel(module)


@pytest.mark.parametrize(
    ("table", "outputs", "wanted"),
    [
        (CIFAR_C1, 100, 18_124_020),
        (CIFAR_C2, 100, 51_012_324),
        (CIFAR_BASE, 100, 56_598_692),
        (IMAGENET_C1, 100, 52_289_316),
        (FFHQ_C2, 100, 197_677_156),
        (MNIST, 1, 69_919_585),
    ],
    ids=["cifar c1", "cifar c2", "cifar baseline", "imagenet c1", "ffhq c2", "mnist"],
)
def test_efficient_vdvae_has_the_parameters_of_the_public_model(table, outputs: int, wanted: int) -> None:
    assert architecture.efficient_vdvae_parameter_count(table, 1 if outputs == 1 else 3, outputs) == wanted


@settings(max_examples=10)
@given(inputs.efficient_vdvae_parameter_count())
def test_efficient_vdvae_matches_modules_on_the_meta_device(case) -> None:
    module = efficient_vdvae(case["table"].tolist(), case["image_channels"], case["outputs"])
    assert architecture.efficient_vdvae_parameter_count(**case) == numel(module)


@pytest.mark.parametrize(
    ("width", "encoder", "decoder", "sides", "wanted"),
    [
        (384, (12, 7, 7, 4, 3), (22, 11, 6, 3, 1), (32, 16, 8, 4, 1), 39_145_700),
        (512, (16, 10, 9, 7, 6), (41, 20, 10, 5, 2), (32, 16, 8, 4, 1), 119_280_868),
        (512, (12, 21, 10, 9, 8, 5), (13, 32, 16, 8, 4, 2), (64, 32, 16, 8, 4, 1), 125_005_860),
        (512, (4, 9, 13, 18, 8, 6, 6, 4), (1, 8, 14, 22, 10, 5, 4, 2), (256, 128, 64, 32, 16, 8, 4, 1), 114_874_852),
    ],
)
def test_vdvae_has_the_parameters_of_the_public_model(width, encoder, decoder, sides, wanted: int) -> None:
    table = list(zip(sides, encoder, decoder, strict=True))
    assert architecture.vdvae_parameter_count(table, width, 16) == wanted


@settings(max_examples=10)
@given(inputs.vdvae_parameter_count())
def test_vdvae_matches_modules_on_the_meta_device(case) -> None:
    wanted = numel(vdvae(case["table"].tolist(), case["width"], case["latents"]))
    assert architecture.vdvae_parameter_count(**case) == wanted


def test_multiply_adds_match_a_counter_on_the_meta_device() -> None:
    network = nn.Sequential(conv(3, 8, 3), nn.Conv2d(8, 8, 5, groups=8, padding=2, device="meta"), conv(8, 4))
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, 10, 10, device="meta"))
    table, positions = [[3, 8, 3, 1, 1, 0], [8, 8, 5, 8, 1, 0], [8, 4, 1, 1, 1, 0]], [64, 64, 64]
    assert 2 * architecture.multiply_adds(table, positions) == counter.get_total_flops()


@pytest.mark.parametrize("c", [1, 25, 64])
def test_multiply_adds_of_the_cells_of_nvae(c: int) -> None:
    """18 C^2 against 12 C^2 + 150 C per position, equal at C = 25; a dense 5x5 at the expanded width: 900 C^2."""
    regular_cell = architecture.multiply_adds(2 * [[c, c, 3, 1, 1, 1]], [1, 1])
    separable_cell = architecture.multiply_adds(
        [[c, 6 * c, 1, 1, 0, 0], [6 * c, 6 * c, 5, 6 * c, 0, 0], [6 * c, c, 1, 1, 0, 0]], [1] * 3
    )
    assert (regular_cell, separable_cell) == (18 * c * c, 12 * c * c + 150 * c)
    assert (separable_cell < regular_cell) == (c > 25)
    assert architecture.multiply_adds([[6 * c, 6 * c, 5, 1, 0, 0]], [1]) == 900 * c * c


@given(inputs.multiply_adds())
def test_depthwise_costs_a_channel_number_less(implementation, case) -> None:
    rows = case["convolutions"].copy()
    rows[:, 1] = rows[:, 0]
    dense, depthwise = rows.copy(), rows.copy()
    dense[:, 3], depthwise[:, 3] = 1, rows[:, 0]
    each = [
        implementation.call("architecture.multiply_adds", convolutions=r, positions=case["positions"])
        for r in (dense, depthwise)
    ]
    weights = (depthwise[:, 0] * depthwise[:, 2] ** 2 * case["positions"]).sum()
    assert each[1] == weights
    assert each[0] == (depthwise[:, 0] ** 2 * depthwise[:, 2] ** 2 * case["positions"]).sum()


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((10, 2, True, 1), [10, 5]),
        ((20, 3, True, 1), [20, 10, 5]),
        ((16, 5, True, 4), [16, 8, 4, 4, 4]),
        ((30, 1, True, 1), [30]),
    ],
)
def test_groups_per_scale_of_the_paper(arguments, wanted: list[int]) -> None:
    np.testing.assert_array_equal(architecture.groups_per_scale(*arguments), wanted)


@given(inputs.groups_per_scale())
def test_groups_per_scale_by_floor_division(case) -> None:
    wanted = [
        max(case["groups"] // 2**s, case["least"]) if case["adaptive"] else case["groups"]
        for s in range(case["scales"])
    ]
    np.testing.assert_array_equal(architecture.groups_per_scale(**case), wanted)


@given(inputs.groups_per_scale())
def test_groups_per_scale_never_grow_with_coarseness(implementation, case) -> None:
    counts = implementation.call("architecture.groups_per_scale", **case)
    assert counts[0] == case["groups"]
    assert (np.diff(counts) <= 0).all()
    assert (counts >= 1).all()


@given(inputs.channel_schedule())
def test_channels_double(case) -> None:
    got = architecture.channel_schedule(**case)
    assert got[0] == case["channels"]
    np.testing.assert_array_equal(got[1:], 2 * got[:-1])


def test_channels_of_the_paper() -> None:
    """Width of the learned constant: 256, 256, 512 and 960."""
    tops = [architecture.channel_schedule(c, d)[-1] for c, d in ((32, 3), (128, 1), (64, 3), (30, 5))]
    assert tops == [256, 256, 512, 960]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [((32, 2, 2), [8, 4]), ((32, 1, 1), [16]), ((64, 1, 3), [32, 16, 8]), ((256, 1, 5), [128, 64, 32, 16, 8])],
)
def test_scale_sizes_of_the_paper(arguments, wanted: list[int]) -> None:
    np.testing.assert_array_equal(architecture.scale_sizes(*arguments), wanted)


@given(inputs.scale_sizes())
def test_scale_sizes_are_shapes_of_pooled_maps(case) -> None:
    x = torch.empty(1, 1, case["resolution"], case["resolution"], device="meta")
    shapes = []
    for halving in range(case["halvings"] + case["scales"]):
        if halving >= case["halvings"]:
            shapes.append(x.shape[-1])
        x = nn.functional.avg_pool2d(x, 2) if x.shape[-1] > 1 else x
    np.testing.assert_array_equal(architecture.scale_sizes(**case), shapes)


@pytest.mark.parametrize(
    ("groups", "latents", "sizes", "wanted"),
    [
        ([10, 5], 20, [8, 4], 14_400),
        ([30], 20, [16], 153_600),
        ([28], 20, [16], 143_360),
        ([20, 10, 5], 20, [32, 16, 8], 467_200),
        ([16, 8, 4, 4, 4], 20, [128, 64, 32, 16, 8], 6_005_760),
        ([22, 11, 7, 4, 3], 32, [32, 16, 8, 4, 1], 827_488),
        ([22, 11, 6, 3, 1], 16, [32, 16, 8, 4, 1], 412_432),
        ([1, 2, 10, 5, 5], 32, [32, 16, 8, 4, 1], 72_352),
    ],
)
def test_latent_dims_of_the_papers(groups, latents: int, sizes, wanted: int) -> None:
    assert architecture.latent_dims(groups, latents, sizes) == wanted


@given(inputs.latent_dims())
def test_latent_dims_are_elements_of_the_latents(case) -> None:
    c = int(case["channels"])
    pairs = zip(case["groups"].tolist(), case["sizes"].tolist(), strict=True)
    wanted = sum(torch.empty(c, h, h, device="meta").numel() for n, h in pairs for _ in range(n))
    assert architecture.latent_dims(**case) == wanted


@given(inputs.layer_count())
def test_layer_count_by_enumeration(case) -> None:
    assert architecture.layer_count(**case) == len([1 for d in case["extra"] for _ in range(1 + d)])


def test_layer_count_of_the_paper() -> None:
    """FFHQ C2: 66 stochastic layers on 59 links; the CIFAR-10 model 47 on 5."""
    ffhq = [0, *8 * [0], 1, *12 * [0], 4, *17 * [0], 2, *7 * [0], *11 * [0]]
    assert (len(ffhq), architecture.layer_count(ffhq)) == (59, 66)
    assert architecture.layer_count([21, 10, 6, 3, 2]) == 47


@pytest.mark.parametrize(
    ("kernels", "strides", "wanted"), [((3, 3), (1, 1), 5), ((1, 5, 1), (1, 1, 1), 5), ((3, 3, 3), (2, 2, 1), 15)]
)
def test_receptive_field_of_the_cells(kernels, strides, wanted: int) -> None:
    assert architecture.receptive_field(kernels, strides) == wanted


@settings(max_examples=15)
@given(inputs.receptive_field())
def test_receptive_field_is_the_support_of_the_gradient(case) -> None:
    wanted = int(architecture.receptive_field(**case))
    x = torch.zeros(1, 1, 1, wanted + 20, requires_grad=True)
    y = x
    for k, s in zip(case["kernels"].tolist(), case["strides"].tolist(), strict=True):
        y = nn.functional.conv2d(y, torch.ones(1, 1, 1, k), stride=(1, s))
    (gradient,) = torch.autograd.grad(y[0, 0, 0, 0], x)
    assert torch.nonzero(gradient).shape[0] == sum(1 for g in gradient.flatten() if g != 0)
    assert int(torch.nonzero(gradient)[:, -1].max()) + 1 == wanted


class FusedNormSwish(torch.autograd.Function):
    """Keeps its input alone."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return nn.functional.silu(nn.functional.batch_norm(x, None, None, training=True))

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def kept_maps(cell: str, expansion: int, fused: bool, squeeze_excite: bool) -> Fraction:
    """Run a cell and add up the distinct maps that autograd keeps, in units of its input."""
    c, size = 4, 6

    def norm_swish(x):
        return FusedNormSwish.apply(x) if fused else nn.functional.silu(nn.BatchNorm2d(x.shape[1])(x))

    def forward(x):
        if cell == "separable":
            x = nn.Conv2d(c, expansion * c, 1)(nn.BatchNorm2d(c)(x))
            x = nn.Conv2d(expansion * c, expansion * c, 5, padding=2, groups=expansion * c)(norm_swish(x))
            x = nn.BatchNorm2d(c)(nn.Conv2d(expansion * c, c, 1)(norm_swish(x)))
        else:
            for _ in range(2):
                x = nn.Conv2d(c, c, 3, padding=1)(norm_swish(x) if cell == "regular" else nn.functional.elu(x))
        return x * torch.ones(2, c, 1, 1, requires_grad=True) if squeeze_excite else x

    kept: dict[int, int] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        if t.shape[-2:] == (size, size):
            kept[t.untyped_storage().data_ptr()] = t.numel()
        held.append(t)
        return t

    held: list[torch.Tensor] = []
    x = torch.randn(2, c, size, size, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = forward(x)
    assert y.shape == x.shape
    return Fraction(sum(kept.values()), x.numel())


@settings(max_examples=24)
@given(inputs.saved_maps())
def test_saved_maps_are_those_that_autograd_keeps(case) -> None:
    assert architecture.saved_maps(**case) == kept_maps(*case.values())


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [(("separable", 6, f), w) for f, w in ((True, 28), (False, 40))]
    + [(("separable", 3, f), w) for f, w in ((True, 16), (False, 22))]
    + [(("regular", 1, True), 5), (("regular", 1, False), 7), (("plain", 1, False), 5)],
)
def test_saved_maps_of_the_specification(arguments, wanted: int) -> None:
    assert architecture.saved_maps(*arguments, True) == wanted
    assert architecture.saved_maps(*arguments, False) == wanted - 1


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_activation_bytes_of_a_network_listed_by_hand(batch: int) -> None:
    """Linear(5, 7), rectifier, Linear(7, 3): autograd keeps the input and the rectified hidden layer."""
    network = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))
    parameters = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, int] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        storage = t.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return t

    x = torch.randn(batch, 5)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = network(x)
    assert y.shape == (batch, 3)
    assert architecture.activation_bytes([5, 7], [4, 4], batch) == sum(kept.values())


@given(inputs.activation_bytes())
def test_activation_bytes_by_enumeration(case) -> None:
    wanted = sum(e * w for e, w in zip(case["elements"].tolist(), case["widths"].tolist(), strict=True)) * case["batch"]
    assert architecture.activation_bytes(**case) == wanted


@given(inputs.activation_bytes())
def test_activation_bytes_are_linear_in_the_batch(implementation, case) -> None:
    one = implementation.call("architecture.activation_bytes", **{**case, "batch": 1})
    assert implementation.call("architecture.activation_bytes", **case) == case["batch"] * one


@pytest.mark.parametrize(
    ("mebibytes", "batch", "replicas", "parameters", "wanted"),
    [
        (195.6, 16, 1, 18_124_020, 3.6),
        (697.1, 16, 2, 51_012_324, 13.7),
        (714.5, 16, 2, 56_598_692, 14.25),
        (566.7, 32, 2, 39_145_700, 20.6),
    ],
)
def test_training_bytes_of_the_measured_models(mebibytes, batch, replicas, parameters, wanted: float) -> None:
    got = architecture.training_bytes(mebibytes * 2**20, batch, parameters, replicas, 20, 0) / 1e9
    assert float(got) == pytest.approx(wanted, abs=0.05)


def test_training_bytes_fit_table_3_of_nvae() -> None:
    """Four pairs of cells: one batch and one overhead give 6.3, 10.6, 10.7 and 14.9 GB."""
    activation = np.array([0.0563, 0.1428, 0.1421, 0.2285]) * 2**30
    parameters = np.array([38_383_804, 33_568_060, 33_874_428, 29_058_684])
    got = architecture.training_bytes(activation, 50.8, parameters, 1, 16, 2.9 * 2**30) / 2**30
    np.testing.assert_allclose(got, [6.3, 10.6, 10.7, 14.9], atol=0.1)


@given(inputs.training_bytes())
def test_training_bytes_are_affine_in_every_argument(implementation, case) -> None:
    once = implementation.call("architecture.training_bytes", **case)
    for name, value in case.items():
        none, twice = (
            implementation.call("architecture.training_bytes", **{**case, name: np.asarray(f * value)}) for f in (0, 2)
        )
        np.testing.assert_allclose(twice - once, once - none, rtol=1e-6, atol=1e-6 * np.abs(once).max())


def test_throughput_of_the_paper() -> None:
    """CIFAR-10: 400 epochs of 49,920 images in 55 hours are 100.8 images per second, not 64."""
    assert float(architecture.throughput(195 * 256, 400, 55)) == pytest.approx(100.8, abs=0.05)


@given(inputs.throughput())
def test_throughput_is_the_inverse_of_time(case) -> None:
    seconds = case["hours"] * 3600 / (case["images"] * case["epochs"])
    np.testing.assert_allclose(architecture.throughput(**case) * seconds, 1, rtol=1e-12)


def test_capacity_gain_of_the_paper() -> None:
    """Mixed precision (40 %) and fusing (18 %) make room for 2.03 times the batch; the paper went from 34 to 64."""
    assert float(architecture.capacity_gain([0.4, 0.18])) == pytest.approx(2.033, abs=5e-4)
    assert float(architecture.capacity_gain([0.4, 0.18])) > 64 / 34


@given(inputs.capacity_gain())
def test_capacity_gain_in_sequence(case) -> None:
    memory = 1.0
    for saving in case["savings"]:
        memory -= saving * memory
    assert float(architecture.capacity_gain(**case)) == pytest.approx(1 / memory, rel=1e-12)


def test_gain_of_the_paper() -> None:
    """CIFAR-10: 32 GB to 8 GB (C1) and 17 GB (C2)."""
    np.testing.assert_allclose(architecture.gain(32, [8, 17]), [4, 32 / 17])


@given(inputs.gain())
def test_gain_is_reciprocal(case) -> None:
    back = architecture.gain(case["ours"], case["baseline"])
    np.testing.assert_allclose(architecture.gain(**case) * back, 1, rtol=1e-14)


def test_clock_gain_is_update_gain_times_seconds_per_update() -> None:
    hours, iterations = np.array([250.0, 62.0]), np.array([1_100_000.0, 800_000.0])
    seconds = architecture.seconds_per_update(hours, iterations)
    clock, update = architecture.gain(*hours), architecture.gain(*iterations)
    assert float(clock) == pytest.approx(float(update * architecture.gain(*seconds)), rel=1e-14)


@given(inputs.seconds_per_update())
def test_seconds_per_update_add_up_to_the_hours(case) -> None:
    total = architecture.seconds_per_update(**case) * case["iterations"]
    np.testing.assert_allclose(total, 3600 * case["hours"], rtol=1e-13)


def test_images_seen_of_the_paper() -> None:
    assert float(architecture.images_seen(32, 800_000)) == 25_600_000


@given(inputs.images_seen())
def test_images_seen_step_by_step(case) -> None:
    batch = np.ravel(case["batch"])[0]
    assert float(architecture.images_seen(batch, 7)) == pytest.approx(sum([batch] * 7), rel=1e-12)


def test_compute_overhead_matches_a_counter_on_the_meta_device() -> None:
    """Two upper networks run on K samples, encoder and image network on one."""
    encoders, uppers, bottom = (
        [nn.Linear(a, b, device="meta") for a, b in s] for s in ([(50, 8), (8, 8)], [(8, 16), (8, 16)], [(8, 50)])
    )

    def cost(samples: int, networks) -> int:
        with FlopCounterMode(display=False) as counter:
            for network in networks:
                network(torch.empty(samples, network.in_features, device="meta"))
        return counter.get_total_flops()

    parts = [cost(1, networks) for networks in (encoders, uppers, bottom)]
    for samples in (1, 5, 10):
        wanted = (parts[0] + cost(samples, uppers) + parts[2]) / sum(parts)
        assert float(architecture.compute_overhead(samples, *parts)) == pytest.approx(wanted, rel=1e-12)


@given(inputs.compute_overhead())
def test_compute_overhead_lies_between_one_and_the_samples(case) -> None:
    got = architecture.compute_overhead(**case)
    assert (got >= 1).all()
    assert (got <= case["samples"]).all()
    np.testing.assert_array_equal(architecture.compute_overhead(**{**case, "upper": 0 * case["upper"]}), 1)


@given(inputs.compute_overhead())
def test_compute_overhead_is_affine_in_the_samples(implementation, case) -> None:
    at = [
        implementation.call("architecture.compute_overhead", **{**case, "samples": np.asarray(k)})
        for k in (1.0, 2.0, 3.0)
    ]
    np.testing.assert_allclose(at[0], 1, rtol=1e-12)
    np.testing.assert_allclose(at[2] - at[1], at[1] - at[0], rtol=1e-9, atol=1e-12)


@given(inputs.parameter_count())
def test_parameters_add_over_layers(implementation, case) -> None:
    none = np.zeros(0, dtype=np.int64)
    each = [
        implementation.call("architecture.parameter_count", convolutions=row[None], others=none)
        for row in case["convolutions"]
    ]
    assert implementation.call("architecture.parameter_count", **case) == sum(each) + case["others"].sum()


ROW = [[4, 4, 3, 1, 1, 0]]


@pytest.mark.parametrize(
    ("function", "arguments", "match"),
    [
        ("parameter_count", ([[4, 4, 3, 1]], []), r"convolutions must be \(N, 6\), got shape \(1, 4\)"),
        ("parameter_count", ([[4, 4, 3, 3, 1, 0]], []), "must be multiples of their groups"),
        ("parameter_count", (ROW, [1.5]), r"others must hold whole numbers >= 0, got \[1.5\]"),
        ("multiply_adds", (ROW, [1, 2]), r"positions must be \(1,\), got shape \(2,\)"),
        ("groups_per_scale", (4, 2, True, 5), r"least must lie in \[1, 4\], got 5.0"),
        ("channel_schedule", (0, 1), "channels must be an integer >= 1, got 0"),
        ("scale_sizes", (30, 1, 2), "resolution must be a multiple of 4, got 30"),
        ("latent_dims", ([1, 2], 3, [4]), r"groups and sizes must have one shape, got \(2,\) and \(1,\)"),
        ("layer_count", ([-1],), r"extra must hold whole numbers >= 0, got \[-1.0\]"),
        ("nvae_parameter_count", (3, 100, 8, 1, 2, [0], 4, 0, 4), "groups must be an integer >= 1, got 0"),
        ("efficient_vdvae_parameter_count", ([[4, 1, 1]], 3, 100), r"table must be \(R, 7\), got shape \(1, 3\)"),
        (
            "efficient_vdvae_parameter_count",
            ([[5, 1, 1, 1, 4, 4, 2], [2, 1, 1, 1, 4, 4, 2]], 3, 100),
            "side 5 must be a multiple",
        ),
        ("vdvae_parameter_count", ([[4, 1, 1]], 6, 4), "width must be a multiple of 4, got 6"),
        ("receptive_field", ([3], [0]), r"strides must lie in \[1, inf\], got 0.0"),
        ("saved_maps", ("dense", 6, True, True), "cell must be one of separable, regular, plain, got 'dense'"),
        ("activation_bytes", ([1], [4, 4], 1), r"elements and widths must have one shape, got \(1,\) and \(2,\)"),
        ("training_bytes", (1, 1, -1, 1, 16, 0), "parameters must be >= 0, got -1.0"),
        ("throughput", (1, 1, 0), "hours must be > 0, got 0.0"),
        ("capacity_gain", ([1.0],), r"savings must lie in \[0, 1\], got 1.0"),
        ("gain", (1, 0), "ours must be > 0, got 0.0"),
        ("images_seen", (0, 1), "batch must be > 0, got 0.0"),
        ("seconds_per_update", (1, 0), "iterations must be > 0, got 0.0"),
        ("compute_overhead", (0.5, 1, 1, 1), "samples must lie in"),
    ],
)
def test_bad_input_is_named(function: str, arguments: tuple, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        getattr(architecture, function)(*arguments)

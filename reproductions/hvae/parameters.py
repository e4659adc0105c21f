"""Architectures and parameter counts of the paper's models, built on the meta device, and of their comparators.

What the paper states (layers, blocks, maps, latents) is read from the claims and looked for in the built models. The
residual models are a reconstruction: agreement of a count says that such a layout exists, not that it is the authors'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import claims
from reproductions.harness import Context, DataInfo, Metric, Reproduction, Unit
from reproductions.hvae import _comparators
from reproductions.hvae.tables import half_unit, printed

if TYPE_CHECKING:
    import torch

    from vaes.models.hvae import HVAE
    from vaes.models.hvae_conv import HVAEConv

Metrics = dict[str, float]
SEED = 1000
MILLION = 1e6


def counts_in_check(claim: str) -> list[int]:
    """The exact counts in the text of a check, in their order: numbers like 12,399,718."""
    found = re.findall(r"\d{1,3}(?:,\d{3})+", claims.find(f"hvae/{claim}").check)
    return [int(text.replace(",", "")) for text in found]


def _count(name: str, **overrides: Any) -> int:
    from vaes.accounting import parameter_count

    return parameter_count(_residual(name, **overrides))


def _residual(name: str, **overrides: Any) -> HVAEConv:
    from vaes.models.hvae_conv import hvae_conv

    return hvae_conv(name, device="meta", **overrides)


def mlp_architectures() -> Metrics:
    """Shapes of all linear layers and parameter counts of the three perceptron models."""
    from vaes.accounting import parameter_count
    from vaes.models.hvae import hvae

    claim = "sec-5-1/mlp-architectures"
    numbers, listed = printed(claim), counts_in_check(claim)
    pyramid = [(numbers[f"latents layer {i}"], numbers[f"hidden width layer {i}"]) for i in range(1, 6)]
    equal = [(numbers["second model latents"], numbers["second model hidden width"])] * 4
    wanted = {"mlp4x40": equal, "mlp_pyramid4": pyramid[:4], "mlp_pyramid5": pyramid}
    shapes, counts = 0, []
    for name, stages in wanted.items():
        model = hvae(name, device="meta")
        counts.append(parameter_count(model))
        networks = _networks(model)
        built = [[tuple(layer.weight.shape) for layer in network.layers] for network in networks]
        expected = _perceptron_shapes(stages, int(numbers["hidden layers per stage"]), model.config.data)
        shapes += sum(a != b for a, b in zip(built, expected, strict=True))
        shapes += sum(network.activation != "tanh" for network in networks)
    return {
        "shape_differences": shapes,
        "count_error": max(abs(a - b) for a, b in zip(counts, listed, strict=True)),
        "layer_differences": sum(len(wanted[name]) != numbers["stochastic layers"] for name in list(wanted)[:2]),
    }


def _perceptron_shapes(stages: list[tuple[float, float]], hidden_layers: int, data: int) -> list[list[tuple[int, int]]]:
    """Weights (out, in) of every network: q bottom to top, p(z_l|z_{l+1}) bottom to top, p(x|z_1)."""
    latents, hidden = [int(n) for n, _ in stages], [int(h) for _, h in stages]
    below = [data, *latents[:-1]]

    def network(inputs: int, width: int, outputs: int) -> list[tuple[int, int]]:
        sizes = [inputs, *[width] * hidden_layers, outputs]
        return list(zip(sizes[1:], sizes[:-1], strict=True))

    posteriors = [network(b, h, 2 * n) for b, h, n in zip(below, hidden, latents, strict=True)]
    priors = [network(n, h, 2 * b) for b, h, n in zip(below, hidden, latents, strict=True)][1:]
    return [*posteriors, *priors, network(latents[0], hidden[0], data)]


def omniglot_residual() -> Metrics:
    """The 14x14 model: latents, blocks, halvings, and which latents reach which conditional."""
    numbers = printed("sec-5-2-1/omniglot-resnet-architecture")
    model = _residual("grey-14x14")
    side = int(numbers["feature-map side"])
    networks = _networks(model)
    return {
        "shape_differences": sum(shape[-2:] != (side, side) for shape in _latent_shapes(model)),
        "block_differences": sum(
            len(network.blocks) != numbers["ResNet blocks between stochastic layers"] for network in networks
        ),
        "layer_differences": abs(model.config.depth - numbers["stochastic layers"]),
        "halvings": sum(block.resize == "down" for network in networks for block in network.blocks),
        "stochastic_skips": _stochastic_skips(),
    }


def _networks(model: HVAE) -> list[Any]:
    return [*model.posteriors, *model.priors, model.likelihood]


def _latent_shapes(model: HVAEConv) -> list[torch.Size]:
    """Shapes of the maps that the heads of q put out, from a pass of two images."""
    import torch

    shapes: list[torch.Size] = []
    networks: list[Any] = list(model.posteriors)
    hooks = [
        network.head.register_forward_hook(lambda module, args, output: shapes.append(output.shape))
        for network in networks
    ]
    noise = [torch.empty(2, units, device="meta") for units in model.config.latents]
    model(torch.empty(2, model.config.data, device="meta"), noise)
    for hook in hooks:
        hook.remove()
    return shapes


def _stochastic_skips(**overrides: Any) -> int:
    """Pairs i, j > i + 1 for which log p(z_i|.) changes with the noise of z_j. z_i and z_{i+1} do not."""
    import torch

    from vaes.models.hvae_conv import hvae_conv
    from vaes.seeding import stream

    # Narrow maps: the question is which tensors meet, and the answer does not depend on their width.
    model = hvae_conv("grey-14x14", maps=4, **overrides).initialise(stream(SEED, "init"))
    generator, latents = stream(SEED, "noise"), model.config.latents
    x = torch.rand(1, model.config.data, generator=generator)
    noise = [torch.randn(1, units, generator=generator) for units in latents]
    with torch.no_grad():
        before = model(x, noise).log_prior
        changed = 0
        for upper in range(2, len(latents)):
            moved = [e + 1 if layer == upper else e for layer, e in enumerate(noise)]
            after = model(x, moved).log_prior
            changed += sum(not torch.equal(before[i], after[i]) for i in range(upper - 1))
    return changed


def layer_counts() -> Metrics:
    """Stochastic layers of the built models and of the comparators' configuration against Table 5."""
    numbers = printed("table-5/layer-counts")
    built = {
        "HVAE, first": len(_residual("cifar10-l3").posteriors),
        "HVAE, second": len(_residual("cifar10-l4").posteriors),
        "HVAE, third": len(_residual("cifar10-l6").posteriors),
        "HVAE+ L1": len(_residual("cifar10-l3-skips").posteriors),
        "HVAE+ L100": len(_residual("cifar10-l3-skips").posteriors),
        "LVAE": len(_comparators.LATENTS),
        "BIVA": len(_comparators.LATENTS),
    }
    return {
        "layer_differences": sum(count != numbers[name] for name, count in built.items()),
        "quoted_only": len(numbers) - len(built),
    }


def hvae_parameter_counts() -> Metrics:
    """Parameters in millions of the layout with 3, 4 and 6 layers."""
    counts = {depth: _count(f"cifar10-l{depth}") for depth in (3, 4, 6)}
    listed = counts_in_check("table-5/hvae-parameter-counts")
    return {
        "count_error": max(abs(counts[depth] - count) for depth, count in zip((4, 6, 3), listed, strict=True)),
        **{f"parameters_{depth}_layers": count / MILLION for depth, count in counts.items()},
    }


def stage_of_two_convolution_blocks() -> Metrics:
    """Parameters that a stochastic layer adds, in millions, against the step between the printed 4 and 6 layers."""
    numbers = printed("table-5/hvae-parameter-counts")
    four, six = numbers["4 layers"], numbers["6 layers"]
    steps = {
        blocks: (_count("cifar10-l6", blocks=blocks) - _count("cifar10-l4", blocks=blocks)) / 2 / MILLION
        for blocks in (6, 5)
    }
    middle, rounding = (six - four) / 2, (half_unit(six) + half_unit(four)) / 2
    return {
        "step_6_blocks": steps[6],
        "step_5_blocks": steps[5],
        "rounding_5_blocks": abs(steps[5] - middle) / rounding,
    }


def residual_architecture() -> Metrics:
    """Shapes of the 6-layer CIFAR-10 model: latents, feature maps, blocks."""
    numbers = printed("table-5/resnet-architecture")
    model = _residual("cifar10-l6")
    maps, side = numbers["latent maps"], numbers["latent side"]
    # A head puts out means and scales.
    latents = [(shape[1] / 2, *shape[2:]) != (maps, side, side) for shape in _latent_shapes(model)]
    layers = [layer for network in _networks(model) for block in network.blocks for layer in (block.conv1, block.conv2)]
    return {
        "shape_differences": sum(latents) + abs(len(latents) - numbers["stochastic layers"]),
        "feature_map_differences": sum(layer.out_channels != numbers["feature maps"] for layer in layers),
        "block_differences": sum(len(network.blocks) != numbers["ResNet blocks"] for network in _networks(model)),
    }


def skip_parameters() -> Metrics:
    """Parameters of the stochastic skips of the 3-layer model."""
    return {"skip_parameters": _count("cifar10-l3-skips") - _count("cifar10-l3")}


def comparator_parameter_counts() -> Metrics:
    """Parameters of the public BIVA and LVAE, in millions, and the exact counts of the check."""
    biva, with_gains = _comparators.parameters("BIVA"), _comparators.parameters("LVAE")
    without = _comparators.parameters("LVAE", gains=False)
    listed = counts_in_check("table-5/comparator-parameter-counts")
    return {
        "count_error": max(abs(a - b) for a, b in zip((biva, with_gains, without), listed, strict=True)),
        "biva_parameters": biva / MILLION,
        "lvae_parameters_without_gains": without / MILLION,
        "lvae_parameters": with_gains / MILLION,
    }


def equal_counts() -> Metrics:
    """One module under the three trainings: keys, counts, and which parameters get a gradient."""
    from reproductions.hvae import _passes
    from vaes.accounting import parameter_count

    numbers = printed("table-6/hvae-adds-no-parameters")
    differences, printed_differences = 0, 0
    for depth in (4, 6):
        seen = []
        for training in ("VAE", "IWAE", "HVAE"):
            model = _residual(f"cifar10-l{depth}")
            _passes.training_pass(model, training, batch=2, samples=5).run()[0].backward()
            learned = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
            seen.append((tuple(model.state_dict()), parameter_count(model), learned))
        differences += sum(one != seen[0] for one in seen) + (len(seen[0][2]) != len(seen[0][0]))
        printed_differences += len({numbers[f"{name} {depth} layers"] for name in ("VAE", "IWAE", "HVAE")}) - 1
    return {"module_differences": differences, "printed_differences": printed_differences}


CHECKS: dict[str, Callable[[], Metrics]] = {
    "hvae/sec-5-1/mlp-architectures": mlp_architectures,
    "hvae/sec-5-2-1/omniglot-resnet-architecture": omniglot_residual,
    "hvae/table-5/layer-counts": layer_counts,
    "hvae/table-5/hvae-parameter-counts": hvae_parameter_counts,
    "hvae/table-5/stage-matches-six-two-conv-blocks": stage_of_two_convolution_blocks,
    "hvae/table-5/resnet-architecture": residual_architecture,
    "hvae/table-5/skip-adds-no-parameters": skip_parameters,
    "hvae/table-5/comparator-parameter-counts": comparator_parameter_counts,
    "hvae/table-6/hvae-adds-no-parameters": equal_counts,
}


def _differences(of: str) -> Metric:
    return Metric("1", f"number of {of} that are not as stated", "exact")


METRICS = {
    "shape_differences": _differences("layers or latents"),
    "block_differences": _differences("networks by their number of blocks"),
    "feature_map_differences": _differences("convolutions by their number of feature maps"),
    "layer_differences": _differences("stochastic layers, or models by their number of them"),
    "module_differences": _differences("trainings by keys, parameter count and parameters with a gradient"),
    "printed_differences": _differences("printed counts of equal depth"),
    "count_error": Metric("1", "largest difference from a count in the check, parameters", "exact"),
    "halvings": Metric("1", "blocks that halve the map, whole model", "exact"),
    "quoted_only": Metric("1", "printed models that are not built", "exact"),
    "stochastic_skips": Metric("1", "pairs i, j > i + 1 for which p(z_i|.) depends on z_j", "exact"),
    "skip_parameters": Metric("1", "number", "exact"),
    **{f"parameters_{depth}_layers": Metric("M", "number", "exact") for depth in (3, 4, 6)},
    **{f"step_{blocks}_blocks": Metric("M", "parameters per stochastic layer", "exact") for blocks in (6, 5)},
    "rounding_5_blocks": Metric("1", "distance from the printed step in units of its rounding", "exact"),
    "biva_parameters": Metric("M", "number", "exact"),
    "lvae_parameters": Metric("M", "number, gains of weight normalisation included", "exact"),
    "lvae_parameters_without_gains": Metric("M", "number, gains of weight normalisation left out", "exact"),
}


def units(scale: str, seeds: int | None, data: DataInfo) -> list[Unit]:
    """One unit: all of it is counting."""
    return [Unit({}, SEED)]


def run(config: Mapping[str, Any], seed: int, context: Context) -> list[dict[str, Any]]:
    """Check every claim about architectures and counts."""
    return [{"arm": {"claim": claim}, "metrics": check()} for claim, check in CHECKS.items()]


REPRODUCTION = Reproduction(
    id="hvae/parameters",
    title="Architectures and parameter counts, built",
    tier="static",
    units=units,
    run=run,
    metrics=METRICS,
    sources=(
        "claims/hvae.yaml",
        "reference/architecture.py",
        "reproductions/hvae/_comparators.py",
        "reproductions/hvae/_passes.py",
        "reproductions/hvae/tables.py",
        "vaes/accounting.py",
        "vaes/layers/mlp.py",
        "vaes/layers/residual_network.py",
        "vaes/models/configuration.py",
        "vaes/models/hvae.py",
        "vaes/models/hvae_conv.py",
        "vaes/seeding.py",
    ),
)

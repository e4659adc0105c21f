"""The layouts of the public training commands, for the counts of Table 6."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reference import architecture
from reference.architecture import Counts

EXPANSION, POST_EXPANSION = 6, 3


@dataclass(frozen=True)
class Layout:
    """One column: image, widths, groups from fine to coarse, and flows."""

    resolution: int
    image_channels: int
    outputs: int
    channels: int
    pre_blocks: int
    pre_cells: int
    finest_groups: int
    scales: int
    flow_pairs: int
    data_dims: int
    least_groups: int = 1
    latents: int = 20
    cells: int = 2

    @property
    def groups(self) -> Counts:
        """Groups per scale, fine to coarse."""
        return architecture.groups_per_scale(self.finest_groups, self.scales, self.scales > 1, self.least_groups)

    @property
    def sides(self) -> Counts:
        """Sides of the latents, fine to coarse."""
        return architecture.scale_sizes(self.resolution, self.pre_blocks, self.scales)

    @property
    def widths(self) -> Counts:
        """Channels at every resolution, high to low."""
        return architecture.channel_schedule(self.channels, self.pre_blocks + self.scales - 1)

    def latent_dims(self) -> int:
        """Latent variables of one image."""
        return int(architecture.latent_dims(self.groups, self.latents, self.sides))

    def parameters(self) -> int:
        """Number of parameters."""
        count = architecture.nvae_parameter_count(
            self.image_channels,
            self.outputs,
            self.channels,
            self.pre_blocks,
            self.pre_cells,
            self.groups.tolist(),
            self.latents,
            self.flow_pairs,
            int(self.sides[-1]),
            self.cells,
        )
        return int(count)

    def depthwise_widths(self) -> list[int]:
        """Channels of the depthwise layers in the cells of the decoder."""
        post = self.widths[: self.pre_blocks + 1] * POST_EXPANSION
        tower = self.widths[self.pre_blocks :] * EXPANSION
        return np.unique(np.concatenate([post, tower])).tolist()


_LARGE = {"least_groups": 4, "data_dims": 3 * 256**2}
LAYOUTS = {
    "mnist": Layout(32, 1, 1, 32, 2, 3, 10, 2, 0, 28**2),
    "cifar-10": Layout(32, 3, 100, 128, 1, 2, 30, 1, 1, 3 * 32**2),
    "imagenet-32": Layout(32, 3, 100, 192, 1, 2, 28, 1, 1, 3 * 32**2),
    "celeba-64": Layout(64, 3, 100, 64, 1, 2, 20, 3, 1, 3 * 64**2),
    "celeba-hq": Layout(256, 3, 100, 30, 1, 2, 16, 5, 2, **_LARGE),
    "ffhq": Layout(256, 3, 100, 30, 1, 2, 16, 5, 2, **_LARGE),
}

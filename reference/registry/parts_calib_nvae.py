"""NVAE: activity of channels and groups."""

from __future__ import annotations

from reference.registry.row import Equation, Oracle

ROWS = (
    Equation(
        id="nvae/E36",
        name="Active channels",
        where="Footnote 5, Figure 10",
        function="collapse.active_channels",
        oracles=(
            Oracle("closed form", "test_active_channels_of_planted_maps"),
            Oracle("enumeration", "test_active_channels_by_enumeration"),
        ),
        names=("active_channels",),
        erratum="The public code sums over space where the paper averages.",
    ),
    Equation(
        id="nvae/E37",
        name="KL per group",
        where="Figure 5b",
        function="collapse.kl_per_group",
        oracles=(
            Oracle("closed form", "test_kl_per_group_of_planted_gaussians"),
            Oracle("identity", "test_kl_per_group_adds_up"),
        ),
        names=("kl_per_group",),
    ),
    Equation(
        id="nvae/E37-inactive_groups",
        name="Groups that are turned off",
        where="Figure 5b",
        function="collapse.inactive_groups",
        oracles=(
            Oracle("closed form", "test_inactive_groups_at_the_edge"),
            Oracle("enumeration", "test_inactive_groups_never_take_the_largest"),
        ),
        note="The paper does not define 'turned off'; below one hundredth of the mean KL of a group is our reading.",
    ),
    Equation(
        id="nvae/E39",
        name="Nearest training image",
        where="Appendix B.1, Figure 6",
        function="image_metrics.nearest_training_image",
        oracles=(
            Oracle("scipy", "test_nearest_training_image_matches_a_tree"),
            Oracle("enumeration", "test_nearest_training_image_by_brute_force"),
        ),
        names=("nearest_training_image",),
        note="The fraction of the crop is not stated; the middle half is our choice.",
    ),
    Equation(
        id="nvae/E39-distance",
        name="Distance to the nearest training image",
        where="Appendix B.1, Figure 6",
        function="image_metrics.nearest_training_distance",
        oracles=(
            Oracle("scipy", "test_nearest_training_image_matches_a_tree"),
            Oracle("enumeration", "test_nearest_training_image_by_brute_force"),
        ),
    ),
)

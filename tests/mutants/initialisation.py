"""Faults of the initialisations."""

from __future__ import annotations

from tests.mutants import killed_by
from vaes.ops import initialisation


@killed_by("test_value")
def xavier_uniform__normal_bound(uniform):
    return initialisation.xavier_uniform(uniform) / 3**0.5


@killed_by("test_xavier_ignores_the_direction")
def xavier_uniform__inputs_only(uniform):
    return initialisation.kaiming_uniform_default(uniform) * 3**0.5


@killed_by("test_kaiming_ignores_the_outputs")
def kaiming_uniform_default__outputs_only(uniform):
    return uniform * uniform[:, 0].numel() ** -0.5


@killed_by("test_value")
def stable_scale__depth_not_rooted(weight, layers):
    return weight / layers


@killed_by("test_one_layer_is_left_alone")
def stable_scale__one_layer_too_many(weight, layers):
    return initialisation.stable_scale(weight, layers + 1)

"""Faults of the balancing functions."""

from __future__ import annotations

from tests.mutants import killed_by


@killed_by("test_value")
def free_bits__maximum_per_image(layer_terms, floor):
    return layer_terms.clamp(min=floor).mean(1).sum()


@killed_by("test_free_bits_never_fall_below_the_allowance")
def free_bits__subtracted(layer_terms, floor):
    return (layer_terms.mean(1) - floor).clamp(min=0).sum()


@killed_by("test_free_bits_give_no_gradient_below_the_floor")
def free_bits__gradient_through_the_floor(layer_terms, floor):
    mean = layer_terms.mean(1)
    return (mean + (mean.clamp(min=floor) - mean).detach()).sum()

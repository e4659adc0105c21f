"""Faults of the schedules."""

from __future__ import annotations

import torch

from tests.mutants import killed_by
from vaes.ops import schedules


@killed_by("test_value")
def kl_warmup__ends_at_the_length(step, start, length):
    return schedules.kl_warmup(step, start, length - start if length > start else length)


@killed_by("test_kl_warmup_never_falls")
def kl_warmup__falling(step, start, length):
    return 1 - schedules.kl_warmup(step, start, length)


@killed_by("test_kl_warmup_shifted_never_falls")
def kl_warmup_shifted__denominator_without_start(step, start, length, floor):
    """Also the reading of the paper; the official code needs longer to reach 1. The end is then passed, not met."""
    return ((step - start) / length).clamp(min=floor)


@killed_by("test_value")
def kl_warmup_shifted__length_alone(step, start, length, floor):
    return torch.clamp((step - start) / length, floor, 1)


@killed_by("test_kl_warmup_portion_stays_between_floor_and_one")
def kl_warmup_portion__no_floor(step, total, delay, portion, floor):
    return torch.clamp((step - delay * total) / (portion * total), 0, 1)


@killed_by("test_value")
def kl_warmup_portion__delay_in_steps(step, total, delay, portion, floor):
    return schedules.kl_warmup_portion(step + (delay + 0.01) * total, total, delay, portion, floor)


@killed_by("test_kl_warmup_logistic_is_symmetric")
def kl_warmup_logistic__midpoint_ignored(step, midpoint, rate):
    return torch.sigmoid(rate * (step - 100))


@killed_by("test_value")
def geometric_interpolation__linear(weight, first, last):
    return (1 - weight) * first + weight * last


@killed_by("test_geometric_interpolation_lies_between_its_ends")
def geometric_interpolation__reversed(weight, first, last):
    return schedules.geometric_interpolation(weight, last, first)


@killed_by("test_warmup_then_cosine_rises_then_falls")
def warmup_then_cosine__period_one_longer(
    step, steps_per_epoch, warmup_epochs, epochs, peak, floor, carry_deficit=False
):
    return schedules.warmup_then_cosine(step, steps_per_epoch, warmup_epochs, epochs + 1, peak, floor, carry_deficit)


@killed_by("test_value")
def warmup_then_cosine__per_step(step, steps_per_epoch, warmup_epochs, epochs, peak, floor, carry_deficit=False):
    n = steps_per_epoch
    return schedules.warmup_then_cosine(step, 1, n * warmup_epochs, n * epochs, peak, floor, carry_deficit)


@killed_by("test_value")
def steps_per_epoch__last_batch_kept(images, workers, batch):
    shares = (images + workers - 1) // workers
    return (shares + batch - 1) // batch


@killed_by("test_steps_per_epoch_uses_every_full_batch")
def steps_per_epoch__workers_forgotten(images, workers, batch):
    return images // batch


@killed_by("test_hold_then_cosine_falls_to_the_floor")
def hold_then_cosine__always_recursive(step, peak, floor, warmup, start, length, recursive=False):
    return schedules.hold_then_cosine(step, peak, floor, warmup, start, length, True)


@killed_by("test_value")
def hold_then_cosine__floor_added(step, peak, floor, warmup, start, length, recursive=False):
    return schedules.hold_then_cosine(step, peak, 0.0, warmup, start, length, recursive) + floor


@killed_by("test_value")
def exponential_decay__one_step_late(step, initial, factor, floor):
    return schedules.exponential_decay((step - 1).clamp(min=0), initial, factor, floor)


@killed_by("test_exponential_decay_of_sums_of_steps")
def exponential_decay__linear(step, initial, factor, floor):
    return (initial * (1 - (1 - factor) * step)).clamp(min=floor)


@killed_by("test_step_decay_changes_at_its_milestones_only")
def step_decay__one_step_late(step, initial, factors, milestones):
    return schedules.step_decay(step, initial, factors, milestones + 1)


@killed_by("test_value")
def step_decay__first_factor_for_all(step, initial, factors, milestones):
    passed = (step.unsqueeze(-1) >= milestones).sum(-1)
    return initial * factors[0] ** passed


@killed_by("test_value")
def plateau_decay__patience_one_less(values, initial, factor, patience, most):
    return schedules.plateau_decay(values, initial, factor, patience - 1, most)


@killed_by("test_plateau_decay_keeps_the_rate_while_the_bound_rises")
def plateau_decay__lower_is_better(values, initial, factor, patience, most):
    return schedules.plateau_decay(-values, initial, factor, patience, most)


@killed_by("test_linear_ramp_never_reaches_its_end")
def linear_ramp__end_reached(links, first, last):
    return torch.linspace(first, last, links, dtype=torch.float64)


@killed_by("test_plateau_decay_carries_no_gradient")
def plateau_decay__attached_to_the_values(values, initial, factor, patience, most):
    return schedules.plateau_decay(values, initial, factor, patience, most) + 0 * values


@killed_by("test_nan_is_not_hidden")
def kl_warmup__nan_is_no_warmup(step, start, length):
    return torch.where((step - start) / length < 1, schedules.kl_warmup(step, start, length), 1)

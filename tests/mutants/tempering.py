"""Faults of the tempered machines."""

from __future__ import annotations

import math

import torch

from tests.mutants import killed_by
from vaes.ops import boltzmann, tempering


@killed_by("test_tempered_parameters_are_proportional")
def tempered__biases_left_as_they_are(bias_left, bias_right, coupling, inverse_temperatures):
    _, _, couplings = tempering.tempered(bias_left, bias_right, coupling, inverse_temperatures)
    rungs = len(inverse_temperatures)
    return bias_left.expand(rungs, -1), bias_right.expand(rungs, -1), couplings


@killed_by("test_value")
def tempered__temperature_for_its_inverse(bias_left, bias_right, coupling, inverse_temperatures):
    return tempering.tempered(bias_left, bias_right, coupling, 1 / (inverse_temperatures + 1e-3))


@killed_by("test_energy_falls_with_the_inverse_temperature")
def energy_moments__of_the_energy(bias_left, bias_right, coupling, inverse_temperatures):
    mean, variance = tempering.energy_moments(bias_left, bias_right, coupling, inverse_temperatures)
    return -mean, variance


@killed_by("test_value")
def energy_moments__second_moment(bias_left, bias_right, coupling, inverse_temperatures):
    mean, variance = tempering.energy_moments(bias_left, bias_right, coupling, inverse_temperatures)
    return mean, variance + mean.square()


@killed_by("test_swap_probability_is_one_when_the_colder_is_higher")
def swap_probability__sign(energies, inverse_temperatures):
    return tempering.swap_probability(-energies, inverse_temperatures)


@killed_by("test_value")
def swap_probability__barker(energies, inverse_temperatures):
    return torch.sigmoid(inverse_temperatures.diff() * energies.diff())


def _without_swaps(right, bias_left, bias_right, coupling, inverse_temperatures, uniforms_left, uniforms_right):
    kept = []
    for one, two in zip(uniforms_left, uniforms_right, strict=True):
        field = inverse_temperatures[:, None] * (bias_left + right.to(coupling) @ coupling.T)
        left = (one < torch.sigmoid(field)).to(coupling)
        right = (two < torch.sigmoid(inverse_temperatures[:, None] * (bias_right + left @ coupling))).to(coupling)
        kept.append(boltzmann.energy(left, right, bias_left, bias_right, coupling))
    return left, right, torch.stack(kept)


@killed_by("test_parallel_tempering_draw_by_draw")
def parallel_tempering__no_swaps(
    right, bias_left, bias_right, coupling, inverse_temperatures, uniforms_left, uniforms_right, uniforms_swap
):
    arguments = (right, bias_left, bias_right, coupling, inverse_temperatures, uniforms_left, uniforms_right)
    return _without_swaps(*arguments)


@killed_by("test_parallel_tempering_keeps_the_replicas")
def parallel_tempering__copies_instead_of_swaps(
    right, bias_left, bias_right, coupling, inverse_temperatures, uniforms_left, uniforms_right, uniforms_swap
):
    arguments = (right, bias_left, bias_right, coupling, inverse_temperatures, uniforms_left, uniforms_right)
    left, right, energies = _without_swaps(*arguments)
    if uniforms_swap.shape[-1] and float(uniforms_swap.min()) < 0.5:
        left[:, 0], right[:, 0] = left[:, 1], right[:, 1]
    return left, right, energies


@killed_by("test_parallel_tempering_draw_by_draw")
def parallel_tempering__always_even_pairs(
    right, bias_left, bias_right, coupling, inverse_temperatures, uniforms_left, uniforms_right, uniforms_swap
):
    kept = []
    for k in range(len(uniforms_left)):
        left, right, energies = tempering.parallel_tempering(
            right, bias_left, bias_right, coupling, inverse_temperatures, uniforms_left[k : k + 1],
            uniforms_right[k : k + 1], uniforms_swap[k : k + 1],
        )  # fmt: skip
        kept.append(energies)
    return left, right, torch.cat(kept)


@killed_by("test_value")
def adaptive_ladder__uniform(inverse_temperatures, rejections, rungs):
    return inverse_temperatures[-1] * torch.linspace(0, 1, rungs, dtype=rejections.dtype)


@killed_by("test_adaptive_ladder_rises_from_end_to_end")
def adaptive_ladder__barrier_shifted(inverse_temperatures, rejections, rungs):
    return (
        tempering.adaptive_ladder(inverse_temperatures[:-1], rejections[:-1], rungs)
        if len(rejections) > 1
        else (tempering.adaptive_ladder(inverse_temperatures / 2, rejections, rungs))
    )


@killed_by("test_bennett_follows_a_shift_of_the_energy")
def bennett__one_sided(energies, energies_next, difference):
    """Exponential averaging over the lower temperature alone, and the spacing applied twice."""
    return difference * torch.logsumexp(-difference * energies, 0) - math.log(len(energies))


@killed_by("test_value")
def bennett__sizes_ignored(energies, energies_next, difference):
    return tempering.bennett(energies, energies_next, difference) + math.log(len(energies) / len(energies_next))


@killed_by("test_value")
def log_partition_bar__exponential_averaging(energies, inverse_temperatures, log_partition_base):
    exponents = -inverse_temperatures.diff() * energies[..., :-1]
    return log_partition_base + (exponents.logsumexp(0) - math.log(len(energies))).sum(-1)


@killed_by("test_log_partition_estimates_of_a_constant_energy")
def log_partition_bar__base_left_out(energies, inverse_temperatures, log_partition_base):
    return tempering.log_partition_bar(energies, inverse_temperatures, 0 * log_partition_base)


@killed_by("test_gradient")
def log_partition_bar__root_detached(energies, inverse_temperatures, log_partition_base):
    return tempering.log_partition_bar(energies.detach(), inverse_temperatures.detach(), log_partition_base)


@killed_by("test_value")
def log_partition_ti__plain_trapezoids(energies, inverse_temperatures, log_partition_base):
    return log_partition_base - torch.trapezoid(energies.mean(0), inverse_temperatures)


@killed_by("test_value")
def log_partition_ti__correction_sign(energies, inverse_temperatures, log_partition_base):
    plain = log_partition_base - torch.trapezoid(energies.mean(0), inverse_temperatures)
    return 2 * plain - tempering.log_partition_ti(energies, inverse_temperatures, log_partition_base)


@killed_by("test_value")
def replicates__spread_for_error(estimates):
    return estimates.mean(0), estimates.std(0)


@killed_by("test_replicates_scale")
def replicates__variance(estimates):
    return estimates.mean(0), estimates.var(0) / len(estimates)


@killed_by("test_value")
def annealed_log_weights__weight_after_the_move(
    bias_left, bias_right, coupling, inverse_temperatures, uniforms_left, uniforms_right
):
    later = torch.cat([inverse_temperatures[1:], inverse_temperatures[-1:]])
    return tempering.annealed_log_weights(bias_left, bias_right, coupling, later, uniforms_left, uniforms_right)


@killed_by("test_annealed_weights_of_an_empty_machine")
def annealed_log_weights__base_included(
    bias_left, bias_right, coupling, inverse_temperatures, uniforms_left, uniforms_right
):
    plain = tempering.annealed_log_weights(
        bias_left, bias_right, coupling, inverse_temperatures, uniforms_left, uniforms_right
    )
    return plain + (len(bias_left) + len(bias_right)) * math.log(2)


@killed_by("test_value")
def log_partition_ais__mean_of_logs(log_weights, log_partition_base):
    _, error = tempering.log_partition_ais(log_weights, log_partition_base)
    return log_partition_base + log_weights.mean(0), error


@killed_by("test_log_partition_ais_follows_a_shift")
def log_partition_ais__absolute_error(log_weights, log_partition_base):
    estimate, error = tempering.log_partition_ais(log_weights, log_partition_base)
    return estimate, error * (log_weights.logsumexp(0) - math.log(len(log_weights)) + 1)


@killed_by("test_nan_is_not_hidden")
def swap_probability__nan_is_accepted(energies, inverse_temperatures):
    exponent = inverse_temperatures.diff() * energies.diff()
    return torch.where(exponent < 0, exponent.exp(), 1)

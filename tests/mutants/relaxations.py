"""Faults of the smoothing transformations."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid

from tests.mutants import killed_by
from vaes.ops import relaxations


def tensor(value, like):
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


@killed_by("test_value")
def smoothing_inverse_cdf__noise_reversed(rho, logits, family, setting):
    return relaxations.smoothing_inverse_cdf(1 - rho, logits, family, setting)


@killed_by("test_samples_rise_with_noise_and_logits")
def smoothing_inverse_cdf__logits_reversed(rho, logits, family, setting):
    return relaxations.smoothing_inverse_cdf(rho, -logits, family, setting)


@killed_by("test_value")
def smoothing_inverse_cdf__setting_inverted(rho, logits, family, setting):
    return relaxations.smoothing_inverse_cdf(rho, logits, family, 1.1 * setting)


@killed_by("test_value")
def smoothed_log_density__mean_of_logs(zeta, logits, family, setting):
    down, up = (
        relaxations.smoothed_log_density(zeta, torch.full_like(logits, s), family, setting)
        for s in (-torch.inf, torch.inf)
    )
    return torch.sigmoid(-logits) * down + logits.sigmoid() * up


@killed_by("test_value")
def spike_exp_cdf__atom_forgotten(zeta, logits, beta):
    return relaxations.spike_exp_cdf(zeta, logits, beta) - torch.sigmoid(-logits)


@killed_by("test_spike_exp_cdf_of_its_inverse")
def spike_exp_icdf__atom_forgotten(rho, logits, beta):
    return relaxations.spike_exp_icdf(rho, torch.full_like(logits, torch.inf), beta)


@killed_by("test_value")
def spike_exp_icdf__exponential_overflows(rho, logits, beta):
    q = logits.sigmoid()
    t = ((rho + q - 1) / q).clamp(min=0)
    return torch.log(1 + (torch.exp(tensor(beta, rho)) - 1) * t) / beta


@killed_by("test_value")
def spike_exp_grad__by_logit_for_by_q(rho, logits, beta):
    found = relaxations.spike_exp_grad(rho, logits, beta)
    return found[1], found[1], found[2], found[3]


@killed_by("test_value")
def spike_exp_grad__not_cut_at_the_spike(rho, logits, beta):
    by_q, by_logits, by_rho, by_beta = relaxations.spike_exp_grad(rho, logits, beta)
    floor = 1 / (torch.as_tensor(beta) * logits.sigmoid())
    return torch.where(by_q == 0, floor, by_q), by_logits, by_rho, by_beta


@killed_by("test_overlap_exp_densities_mirror_each_other")
def overlap_exp_log_pdf__same_for_both_values(zeta, z, beta):
    return relaxations.overlap_exp_log_pdf(zeta, 0 * z, beta)


@killed_by("test_value")
def overlap_exp_log_pdf__normaliser_of_the_half_line(zeta, z, beta):
    return relaxations.overlap_exp_log_pdf(zeta, z, beta) + torch.log(-torch.expm1(-torch.as_tensor(beta)))


@killed_by("test_overlap_exp_cdf_at_one_half")
def overlap_exp_cdf__weights_exchanged(zeta, logits, beta):
    return relaxations.overlap_exp_cdf(zeta, -logits, beta)


@killed_by("test_value")
def overlap_exp_icdf_quadratic__other_root(rho, q, beta):
    d = torch.exp(-tensor(beta, rho))
    b, c = (rho + d * (q - rho)) / (1 - q) - 1, -q * d / (1 - q)
    return -torch.log(0.5 * (b + torch.sqrt(b * b - 4 * c))) / beta


@killed_by("test_value")
def overlap_exp_icdf__printed_root(rho, logits, beta):
    return relaxations.overlap_exp_icdf_quadratic(rho, logits.sigmoid(), beta)


@killed_by("test_gradient")
def overlap_exp_icdf__autograd_through_where(rho, logits, beta):
    q, d = logits.sigmoid(), torch.exp(-tensor(beta, rho))
    b = (rho + q - 1) + d * (q - rho)
    s = torch.sqrt(b * b + 4 * (1 - q) * q * d)
    m = torch.where(b < 0, (s - b) / (2 * (1 - q)), 2 * q * d / (b + s))
    return torch.where(rho <= 0, 0, torch.where(rho >= 1, 1, -m.log() / beta)).clamp(0, 1)


@killed_by("test_gradient")
def overlap_exp_icdf__gradient_of_beta_missing(rho, logits, beta):
    return relaxations.overlap_exp_icdf(rho, logits, beta.detach())


@killed_by("test_value")
def overlap_exp_icdf_asinh__logit_not_halved(rho, q, beta):
    return relaxations.overlap_exp_icdf_asinh(rho, q, beta) - 0.5 * torch.logit(q) / beta


@killed_by("test_value")
def overlap_exp_grad__density_forgotten(rho, logits, beta):
    by_q, by_logits, by_rho, by_beta = relaxations.overlap_exp_grad(rho, logits, beta)
    return by_q / by_rho, by_logits, by_rho, by_beta


@killed_by("test_value")
def overlap_exp_grad__by_q_for_by_logit(rho, logits, beta):
    by_q, _, by_rho, by_beta = relaxations.overlap_exp_grad(rho, logits, beta)
    return by_q, by_q, by_rho, by_beta


@killed_by("test_value")
def overlap_exp_moments__between_variance_forgotten(logits, beta):
    mean, _ = relaxations.overlap_exp_moments(logits, beta)
    return mean, relaxations.overlap_exp_moments(torch.full_like(logits, torch.inf), beta)[1]


@killed_by("test_exponential_bernoulli_limit_special_cases")
def overlap_exp_bernoulli_limit__mean_distance(logits, beta):
    """The difference of the means in place of the transport distance."""
    return (relaxations.overlap_exp_moments(logits, beta)[0] - logits.sigmoid()).abs()


@killed_by("test_value")
def overlap_normal_cdf__variance_for_scale(zeta, logits, scale):
    return relaxations.overlap_normal_cdf(zeta, logits, scale.square())


@killed_by("test_overlap_normal_icdf_mirrors")
def overlap_normal_icdf__both_around_zero(rho, logits, scale):
    return scale * torch.special.ndtri(rho) + 0 * logits


@killed_by("test_gradient")
def overlap_normal_icdf__gradient_detached(rho, logits, scale):
    return relaxations.overlap_normal_icdf(rho, logits.detach(), scale)


@killed_by("test_value")
def logistic_log_pdf__scale_forgotten(zeta, mean, scale):
    return relaxations.logistic_log_pdf((zeta - mean) / scale, 0.0 * mean, torch.ones_like(scale))


@killed_by("test_value")
def overlap_logistic_cdf__weights_exchanged(zeta, logits, mean_0, mean_1, scale):
    return relaxations.overlap_logistic_cdf(zeta, -logits, mean_0, mean_1, scale)


@killed_by("test_value")
def overlap_logistic_icdf_quadratic__locations_exchanged(rho, q, mean_0, mean_1, scale):
    return relaxations.overlap_logistic_icdf_quadratic(rho, 1 - q, mean_0, mean_1, scale)


@killed_by("test_value")
def overlap_logistic_icdf_mprime__middle_forgotten(rho, q, mean_0, mean_1, scale):
    return relaxations.overlap_logistic_icdf_mprime(rho, q, mean_0, mean_1, scale) - 0.5 * (mean_0 + mean_1)


@killed_by("test_value")
def overlap_logistic_icdf__change_of_variable_as_printed(rho, logits, mean_0, mean_1, scale):
    return relaxations.overlap_logistic_icdf_mprime(rho, logits.sigmoid(), mean_0, mean_1, scale)


@killed_by("test_gradient")
def overlap_logistic_icdf__gradient_of_scale_missing(rho, logits, mean_0, mean_1, scale):
    return relaxations.overlap_logistic_icdf(rho, logits, mean_0, mean_1, scale.detach())


@killed_by("test_value")
def overlap_logistic_offsets__from_the_rounded_sample(rho, logits, mean_0, mean_1, scale):
    zeta = relaxations.overlap_logistic_icdf(rho, logits, mean_0, mean_1, scale).float().to(rho.dtype)
    return (zeta - mean_0) / scale, (zeta - mean_1) / scale


@killed_by("test_value")
def overlap_logistic_icdf_asinh__logit_not_halved(rho, q, mean_0, mean_1, scale):
    return relaxations.overlap_logistic_icdf_asinh(rho, q, mean_0, mean_1, scale) + 0.5 * scale * torch.logit(rho)


@killed_by("test_overlap_logistic_gradient_is_homogeneous")
def overlap_logistic_grad__shares_exchanged(rho, logits, mean_0, mean_1, scale):
    by_q, by_logits, by_rho, by_mean_0, by_mean_1, by_scale = relaxations.overlap_logistic_grad(
        rho, logits, mean_0, mean_1, scale
    )
    return by_q, by_logits, by_rho, by_mean_1, by_mean_0, by_scale


@killed_by("test_logistic_bernoulli_limit_bounds")
def overlap_logistic_bernoulli_limit__twice(logits, mean_0, mean_1, scale):
    distance, upper = relaxations.overlap_logistic_bernoulli_limit(logits, mean_0, mean_1, scale)
    return 2 * distance, upper


@killed_by("test_slopes_of_logistic_masses_keep_their_digits_near_one")
def overlap_logistic_bernoulli_limit__slope_of_a_rounded_mass(logits, mean_0, mean_1, scale):
    distance, _ = relaxations.overlap_logistic_bernoulli_limit(logits, mean_0, mean_1, scale)
    half = 0.5 * (mean_1 - mean_0) / scale
    return distance, logits.sigmoid() * half.sigmoid() + torch.sigmoid(-logits) * torch.sigmoid(-half)


@killed_by("test_value")
def binary_concrete_logit__temperature_multiplies(rho, logits, temperature):
    return relaxations.binary_concrete_logit(rho, logits, 1 / temperature)


@killed_by("test_concrete_sample_has_its_cdf")
def binary_concrete_icdf__logits_tempered_only(rho, logits, temperature):
    return torch.sigmoid(logits / temperature + torch.logit(rho))


@killed_by("test_value")
def binary_concrete_log_density__of_the_sample(y, logits, temperature):
    """The density of zeta in place of that of its logit."""
    return relaxations.binary_concrete_log_density(y, logits, temperature) - logsigmoid(y) - logsigmoid(-y)


@killed_by("test_gumbel_softmax_becomes_one_hot")
def gumbel_softmax__sigmoid(log_weights, uniform, temperature):
    return torch.sigmoid((log_weights - torch.log(-uniform.log())) / temperature)


@killed_by("test_value")
def gumbel_softmax__sign_of_the_noise(log_weights, uniform, temperature):
    return ((log_weights + torch.log(-uniform.log())) / temperature).softmax(-1)


@killed_by("test_value")
def inverse_cdf_curve__slope_by_logit(q, rho, family, setting):
    zeta, slope = relaxations.inverse_cdf_curve(q, rho, family, setting)
    return zeta, slope * q * (1 - q)


@killed_by("test_value")
def smoothing_log_ratio__reversed(zeta, family, setting):
    return -relaxations.smoothing_log_ratio(zeta, family, setting)

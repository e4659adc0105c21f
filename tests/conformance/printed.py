"""Formulas as they are printed, or as public code evaluates them: measured beside the twins, never used.

Each form has the arguments of the function that it stands for. Some are right on paper and lose their digits in single
precision; others are the misprints of the errata, or another reading of the same symbols. ``NOT_MEASURED`` says of
every other erratum why it has no formula to evaluate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from vaes.ops import hermite, likelihoods, quantisation, relaxations

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Form:
    """One formula: the equation that prints it, the function that it stands for, and what it is."""

    equation: str
    function: str
    label: str
    call: Callable[..., Any]


FORMS: list[Form] = []

NOT_MEASURED = {
    "sigma-vae/E07": "two printed numbers are wrong, no formula",
    "sigma-vae/E26": "the grid of levels has no argument in single precision; the other reading has 254 bins",
    "sigma-vae/E51": "printed numbers of a table",
    "efficient-vdvae/E4": "the left side names another density; the right side is the formula of the twin",
    "efficient-vdvae/E31": "a kernel size in words",
    "efficient-vdvae/E40": "a column of a table names another quantity",
    "efficient-vdvae/E41": "a product of rounded printed numbers",
    "efficient-vdvae/E46": "printed parameter counts",
    "efficient-vdvae/E48-code_to_pixel_ratio": "a printed number counts other bytes",
    "nvae/E1": "a misprinted index",
    "nvae/E19-regulariser": "the sign with which it enters the loss: measured as nvae/E12",
    "nvae/E19b": "a claim about a bound, tested by a counterexample",
    "nvae/E27": "a count of steps in a table",
    "nvae/E27-autoregressive_shift": "the public code has another network",
    "nvae/E46": "printed throughputs",
    "hvae/A16": "the mode of convergence, in words",
    "hvae/B13": "the display is lost",
    "hvae/B14": "a term dropped without changing the value",
    "hvae/B18": "an order of growth without its condition",
    "dvaepp/E11": "half of a brace is lost",
    "dvaepp/E21": "a claim about a figure",
    "dvaepp/E28": "a lost brace",
    "dvaepp/E33": "says of which function the gradient is taken; the value is the same",
    "dvaepp/E44": "the name of a column",
    "dvaepp/E52": "rates and breaks of the public code",
}


def of(function: str) -> list[Form]:
    """Return the forms that stand for a function."""
    return [form for form in FORMS if form.function == function]


def form(equation: str, function: str, label: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a formula into the list; one formula may stand for several functions."""

    def enter(call: Callable[..., Any]) -> Callable[..., Any]:
        FORMS.append(Form(equation, function, label, call))
        return call

    return enter


# Gaussians


@form("nvae/E5", "gaussian.kl", "as printed")
def kl_sum(mean_q: Tensor, scale_q: Tensor, mean_p: Tensor, scale_p: Tensor) -> Tensor:
    """The sum of the printed terms: near equality it is a difference of ones."""
    terms = ((mean_q - mean_p) ** 2 / scale_p**2 + scale_q**2 / scale_p**2) / 2 - 0.5 - torch.log(scale_q / scale_p)
    return terms.sum(-1)


@form("sigma-vae/E03", "gaussian.kl", "public video code, each log variance exponentiated by itself")
def kl_of_variances(mean_q: Tensor, scale_q: Tensor, mean_p: Tensor, scale_p: Tensor) -> Tensor:
    """The public video code: a variance leaves the range long before a ratio of two does."""
    l_q, l_p = 2 * scale_q.log(), 2 * scale_p.log()
    return 0.5 * (l_p - l_q + l_q.exp() / l_p.exp() + (mean_q - mean_p) ** 2 * torch.exp(-l_p) - 1).sum(-1)


@form("sigma-vae/E02", "gaussian.kl_standard", "as printed")
def kl_standard_sum(mean: Tensor, scale: Tensor) -> Tensor:
    """The printed sum of the square, the variance and its logarithm."""
    variance = scale**2
    return 0.5 * (mean**2 + variance - 1 - variance.log()).sum(-1)


@form("nvae/E9", "gaussian.kl_gradient", "as printed")
def kl_gradient_of_variances(mean_q: Tensor, scale_q: Tensor, mean_p: Tensor, scale_p: Tensor) -> tuple[Tensor, Tensor]:
    """Both derivatives with squared scales in the denominators."""
    by_log_scale = 1 - (scale_q**2 + (mean_q - mean_p) ** 2) / scale_p**2
    return ((mean_q - mean_p) / scale_p**2).expand_as(by_log_scale), by_log_scale


@form("hvae/B3", "gaussian.log_density", "as the text reads, sigma a variance")
def log_density_of_variance(z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """The density that the text describes when it calls sigma a variance."""
    return -(0.5 * (z - mean) ** 2 / scale + 0.5 * scale.log() + HALF_LOG_TWO_PI).sum(-1)


@form("nvae/E4", "gaussian.log_density", "common code, squares before the division")
def log_density_of_squares(z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """The quotient of two squares."""
    return -((z - mean) ** 2 / (2 * scale**2) + scale.log() + HALF_LOG_TWO_PI).sum(-1)


# Bernoulli variables


@form("dvaepp/E64", "bernoulli.log_likelihood", "common code, logarithms of the probabilities")
def bernoulli_of_probabilities(x: Tensor, logits: Tensor) -> Tensor:
    """Through the probability, which rounds to 0 or 1."""
    q = logits.sigmoid()
    return (x * q.log() + (1 - x) * (1 - q).log()).sum(-1)


@form("sigma-vae/E23-normaliser", "bernoulli.log_normaliser", "as printed")
def normaliser_of_probability(logits: Tensor) -> Tensor:
    """The printed quotient, 0/0 at one half."""
    q = logits.sigmoid()
    return ((2 * q - 1) / (q.log() - (1 - q).log())).log()


@form("dvaepp/E1", "discrete.bernoulli_log_pmf", "as printed")
def log_pmf_printed(z: Tensor, logits: Tensor) -> Tensor:
    """The printed difference, which cancels for the likelier value."""
    return (z * logits - functional.softplus(logits)).sum(-1)


@form("dvaepp/E1-entropy", "discrete.bernoulli_entropy", "as printed")
def entropy_printed(logits: Tensor) -> Tensor:
    """The printed difference of two terms that grow with the logit."""
    return (functional.softplus(logits) - logits * logits.sigmoid()).sum(-1)


@form("dvaepp/E1-kl", "discrete.bernoulli_kl", "as printed")
def bernoulli_kl_printed(logits: Tensor, prior_logits: Tensor) -> Tensor:
    """The printed sum, of second order in a difference that its terms do not show."""
    terms = logits.sigmoid() * (logits - prior_logits) + functional.softplus(prior_logits)
    return (terms - functional.softplus(logits)).sum(-1)


@form("dvaepp/E26", "discrete.joint_marginal_gap", "as printed, with the divergence as printed")
def gap_printed(logits: Tensor, prior_logits: Tensor, log_ratio: Tensor) -> Tensor:
    """The mean divergence of the two posteriors."""
    return bernoulli_kl_printed(logits + log_ratio, prior_logits + log_ratio).mean(0)


# Parameterisations of Gaussians


@form("nvae/E7", "residual_normal.kl", "as printed")
def residual_kl_printed(mean_shift: Tensor, scale_p: Tensor, scale_ratio: Tensor) -> Tensor:
    """The printed sum with squares and the logarithm of a square."""
    square = scale_ratio**2
    return 0.5 * (mean_shift**2 / scale_p**2 + square - square.log() - 1).sum(-1)


@form("nvae/E7", "residual_normal.kl", "as printed, the second argument read as a variance")
def residual_kl_of_variances(mean_shift: Tensor, scale_p: Tensor, scale_ratio: Tensor) -> Tensor:
    """What the same symbols mean for N(mean, variance)."""
    return 0.5 * (mean_shift**2 / scale_p + scale_ratio - scale_ratio.log() - 1).sum(-1)


@form("nvae/E8-kl", "residual_normal.bounded_kl", "as printed (Eq. 2), on the raw parameters")
def residual_kl_of_raw_parameters(
    raw_mean_p: Tensor, raw_log_scale_p: Tensor, raw_mean_shift: Tensor, raw_log_scale_shift: Tensor
) -> Tensor:
    """What the paper says is optimised, where the public code clamps first."""
    shape = torch.broadcast_tensors(raw_mean_p, raw_mean_shift)[1]
    return residual_kl_printed(shape, raw_log_scale_p.exp(), raw_log_scale_shift.exp())


@form("efficient-vdvae/E7", "residual_normal.softplus_scale", "as printed")
def softplus_printed(raw: Tensor, slope: float) -> Tensor:
    """The logarithm of 1 plus an exponential that overflows, or that 1 absorbs."""
    return torch.log(1 + torch.exp(slope * raw)) / slope


@form(
    "efficient-vdvae/E7-logarithm",
    "residual_normal.log_softplus_scale",
    "common code, logarithm of the library's softplus",
)
def log_of_softplus(raw: Tensor, slope: float) -> Tensor:
    """The logarithm of a scale that underflows."""
    return functional.softplus(raw, beta=slope).log()


@form("efficient-vdvae/E8", "residual_normal.scale_gradients", "as printed")
def scale_gradients_printed(raw: Tensor, slope: float) -> tuple[Tensor, Tensor, Tensor]:
    """The sigmoid divided by a scale that underflows."""
    scale, rise = functional.softplus(raw, beta=slope), torch.sigmoid(slope * raw)
    return rise, rise / scale, -rise / scale**2


@form("efficient-vdvae/E9-kl", "residual_normal.exponential_kl", "official JAX code, slope left out of one term")
def exponential_kl_without_slope(mean_q: Tensor, raw_q: Tensor, mean_p: Tensor, raw_p: Tensor, slope: float) -> Tensor:
    """The linear term has the raw scales instead of the log scales."""
    square = torch.exp(2 * slope * (raw_q - raw_p)) + ((mean_q - mean_p) * torch.exp(-slope * raw_p)) ** 2
    return (0.5 * (square - 1) - raw_q + raw_p).sum(-1)


# Relaxed binary variables


@form("dvaepp/E3", "relaxations.smoothed_log_density", "as printed, logarithm of the sum of the densities")
def smoothed_density_printed(zeta: Tensor, logits: Tensor, family: str, setting: float) -> Tensor:
    """The mixture of the densities themselves."""
    if family == "overlap_exp":
        parts = [relaxations.overlap_exp_log_pdf(zeta, z, setting) for z in (0, 1)]
    elif family == "overlap_logistic":
        parts = [logistic_density_printed(zeta, torch.tensor(float(z)), torch.tensor(setting)) for z in (0, 1)]
    else:
        parts = [-0.5 * ((zeta - z) / setting) ** 2 - math.log(setting) - HALF_LOG_TWO_PI for z in (0, 1)]
    q = logits.sigmoid()
    return ((1 - q) * parts[0].exp() + q * parts[1].exp()).log()


@form("dvaepp/E4", "relaxations.spike_exp_icdf", "as printed")
def spike_root_printed(rho: Tensor, logits: Tensor, beta: Tensor) -> Tensor:
    """With the exponential of the sharpness, which overflows from 89 on."""
    q = logits.sigmoid()
    sample = torch.log(1 + (torch.exp(beta) - 1) * (rho + q - 1) / q) / beta
    return torch.where(rho <= 1 - q, 0, sample)


@form("dvaepp/E4-cdf", "relaxations.spike_exp_cdf", "as printed")
def spike_cdf_printed(zeta: Tensor, logits: Tensor, beta: Tensor) -> Tensor:
    """A quotient of two exponentials that overflow."""
    q = logits.sigmoid()
    return 1 - q + q * (torch.exp(beta * zeta) - 1) / (torch.exp(beta) - 1)


@form("dvaepp/E5", "relaxations.overlap_exp_log_pdf", "as printed")
def exponential_density_printed(zeta: Tensor, z: Tensor, beta: Tensor) -> Tensor:
    """With the normaliser as a quotient that is 0/0 for a small sharpness."""
    inside = torch.where(z == 1, beta * (zeta - 1), -beta * zeta) - torch.log((1 - torch.exp(-beta)) / beta)
    return torch.where((zeta >= 0) & (zeta <= 1), inside, -torch.inf)


@form("dvaepp/E6", "relaxations.overlap_exp_cdf", "as printed")
def exponential_cdf_printed(zeta: Tensor, logits: Tensor, beta: Tensor) -> Tensor:
    """Differences of exponentials over a difference from 1."""
    q, d = logits.sigmoid(), torch.exp(-beta)
    below = (1 - torch.exp(-beta * zeta)) / (1 - d), (torch.exp(beta * (zeta - 1)) - d) / (1 - d)
    return (1 - q) * below[0] + q * below[1]


@form("dvaepp/E7", "relaxations.overlap_exp_icdf", "as printed, the root of Appendix A")
def exponential_root_printed(rho: Tensor, logits: Tensor, beta: Tensor) -> Tensor:
    """Divides by 1 - q, and cancels for b > 0."""
    q, d = logits.sigmoid(), torch.exp(-beta)
    b = (rho + d * (q - rho)) / (1 - q) - 1
    return -torch.log(0.5 * (-b + torch.sqrt(b**2 + 4 * q * d / (1 - q)))) / beta


@form("dvaepp/E8b", "relaxations.overlap_exp_icdf", "closed form with arcsinh")
def exponential_root_by_arcsinh(rho: Tensor, logits: Tensor, beta: Tensor) -> Tensor:
    """Hyperbolic functions overflow, and cancel on the ridge."""
    return relaxations.overlap_exp_icdf_asinh(rho, logits.sigmoid(), beta)


@form("dvaepp/E9-moments", "relaxations.overlap_exp_moments", "as printed")
def exponential_moments_printed(logits: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of reciprocals that grow as the sharpness falls."""
    q = logits.sigmoid()
    first = 1 / beta - 1 / (torch.exp(beta) - 1)
    within = 1 / beta**2 - torch.exp(beta) / (torch.exp(beta) - 1) ** 2
    return (1 - q) * first + q * (1 - first), within + q * (1 - q) * (1 - 2 * first) ** 2


@form("dvaepp/E12", "relaxations.logistic_log_pdf", "common code, logarithm of the density")
def logistic_density_printed(zeta: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Exponentials that overflow below the location."""
    decay = torch.exp(-(zeta - mean) / scale)
    return torch.log(decay / (scale * (1 + decay) ** 2))


@form("dvaepp/E14", "relaxations.overlap_logistic_icdf", "as printed, the root of Appendix B")
def logistic_root_printed(rho: Tensor, logits: Tensor, mean_0: Tensor, mean_1: Tensor, scale: Tensor) -> Tensor:
    """Exponentials of the locations over the scale; their products overflow, and the root cancels."""
    q, d_0, d_1 = logits.sigmoid(), torch.exp(mean_0 / scale), torch.exp(mean_1 / scale)
    a, b = rho * d_0 * d_1, d_0 * (rho - q) + d_1 * (rho + q - 1)
    return -scale * torch.log((-b + torch.sqrt(b**2 - 4 * a * (rho - 1))) / (2 * a))


@form("dvaepp/E15", "relaxations.overlap_logistic_icdf", "as printed, the root that Appendix B calls stable")
def logistic_root_substituted(rho: Tensor, logits: Tensor, mean_0: Tensor, mean_1: Tensor, scale: Tensor) -> Tensor:
    """Halves the exponent and keeps the cancellation."""
    q, half = logits.sigmoid(), (mean_1 - mean_0) / (2 * scale)
    b = torch.exp(-half) * (rho - q) + torch.exp(half) * (rho + q - 1)
    root = (-b + torch.sqrt(b**2 - 4 * rho * (rho - 1))) / (2 * rho)
    return (mean_0 + mean_1) / 2 - scale * torch.log(root)


@form("dvaepp/E16b", "relaxations.overlap_logistic_icdf", "closed form with arcsinh")
def logistic_root_by_arcsinh(rho: Tensor, logits: Tensor, mean_0: Tensor, mean_1: Tensor, scale: Tensor) -> Tensor:
    """Hyperbolic functions overflow, and cancel on the ridge."""
    return relaxations.overlap_logistic_icdf_asinh(rho, logits.sigmoid(), mean_0, mean_1, scale)


@form("dvaepp/E19", "relaxations.binary_concrete_icdf", "as printed, with the odds of the noise as a quotient")
def concrete_printed(rho: Tensor, logits: Tensor, temperature: Tensor) -> Tensor:
    """The logit of the noise from 1 - rho."""
    return ((logits + torch.log(rho / (1 - rho))) / temperature).sigmoid()


@form("dvaepp/E19-density", "relaxations.binary_concrete_log_density", "as printed, softplus as log(1 + exp)")
def concrete_density_printed(y: Tensor, logits: Tensor, temperature: Tensor) -> Tensor:
    """An exponential that overflows."""
    t = temperature * y - logits
    return temperature.log() + t - 2 * torch.log(1 + t.exp())


@form("dvaepp/E22", "relaxations.smoothing_log_ratio", "by definition, difference of the log densities")
def log_ratio_of_densities(zeta: Tensor, family: str, setting: float) -> Tensor:
    """The difference of two log densities, large in the tails."""
    if family == "overlap_exp":
        return relaxations.overlap_exp_log_pdf(zeta, 1, setting) - relaxations.overlap_exp_log_pdf(zeta, 0, setting)
    if family == "normal":
        return -0.5 * ((zeta - 1) / setting) ** 2 + 0.5 * (zeta / setting) ** 2
    return relaxations.logistic_log_pdf(zeta, 1.0, setting) - relaxations.logistic_log_pdf(zeta, 0.0, setting)


# Pixels


@form(
    "sigma-vae/E27",
    "likelihoods.discretised_gaussian",
    "as printed, logarithm of the difference of distribution functions",
)
def gaussian_bins_printed(codes: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """The difference is 0 in the tails."""
    return _log_difference(codes, mean, scale, 0.0, torch.special.ndtr)


@form(
    "sigma-vae/E28",
    "likelihoods.discretised_logistic",
    "as printed, logarithm of the difference of distribution functions",
)
def logistic_bins_printed(codes: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """The difference is 0 in the tails."""
    return _log_difference(codes, mean, scale, 0.0, torch.sigmoid)


@form(
    "sigma-vae/E28-thresholded",
    "likelihoods.discretised_logistic",
    "public code, density where the difference is small",
)
def logistic_bins_switched(codes: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """The difference where it is above 1e-5, else the density at the centre times the width."""
    return likelihoods.thresholded_logistic(codes, 2 * mean - 1, 2 * scale)


@form("nvae/E31-top_edge", "likelihoods.discretised_logistic", "public code, level 254 taken for the top too")
def logistic_bins_with_two_tops(codes: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Level 254 of 255 too takes everything above."""
    return likelihoods.thresholded_logistic(codes, 2 * mean - 1, 2 * scale, top=0.99)


@form("efficient-vdvae/E14-scale_gradient", "likelihoods.scale_gradient", "as printed, inside the range")
def scale_gradient_printed(codes: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Densities over the difference of distribution functions."""
    offset, half = codes.to(mean) / 127.5 - 1 - mean, 1 / 255
    a, b = (offset + half) / scale, (offset - half) / scale
    above, below = torch.sigmoid(a), torch.sigmoid(b)
    first, last = a * above * (1 - above), b * below * (1 - below)
    inside = -(first - last) / (scale * (above - below))
    return torch.where(
        codes == 0, -first / (scale * above), torch.where(codes == 255, last / scale / (1 - below), inside)
    )


@form("efficient-vdvae/E13", "likelihoods.mixture_log_scale", "public code, logarithm of the floored scale")
def log_of_floored_scale(activation: Tensor, slope: Tensor, floor: float, form: str) -> Tensor:
    """A floor of exp(-250) is none in single precision: the logarithm of 0."""
    if form == "exponential":
        return torch.exp(slope * activation.clamp(min=floor)).log()
    scale = torch.log(1 + torch.exp(slope * activation)) / slope
    return torch.maximum(scale, torch.exp(torch.tensor(floor))).log()


@form("efficient-vdvae/E19", "likelihoods.total_mass", "public code, half bin 1/(2^b - 1)")
def mass_of_overlapping_bins(mean: Tensor, scale: Tensor, levels: int, low: float = -1.0, high: float = 1.0) -> Tensor:
    """Bins as wide as if the last level were 1: with five bits they overlap."""
    return likelihoods.total_mass(mean, scale, levels, low, high, half_bin=1 / (levels - 1))


@form("nvae/E31", "likelihoods.mixture_of_logistics", "public code, density where the difference is small")
def mixture_switched(codes: Tensor, logits: Tensor, means: Tensor, log_scales: Tensor, floor: float) -> Tensor:
    """The mixture of the switched bins, one channel."""
    scales = log_scales.clamp(min=floor).exp()
    terms = likelihoods.thresholded_logistic(codes[..., None, :, :], means, scales).sum(-4)
    return (terms + logits.log_softmax(-3)).logsumexp(-3)


@form("nvae/E32", "likelihoods.mixture_sample", "public code, noise divided by the temperature")
def mixture_sample_colder_noisier(
    logits: Tensor, means: Tensor, log_scales: Tensor, coefficients: None, temperature: float, **noises: Tensor
) -> Tensor:
    """One component: the component is certain, the noise is not multiplied."""
    shifted = log_scales - 2 * math.log(temperature)
    return likelihoods.mixture_sample(logits, means, shifted, coefficients, temperature=temperature, **noises)


@form("sigma-vae/E24", "likelihoods.categorical", "common code, logarithm of the softmax")
def categorical_of_probabilities(codes: Tensor, logits: Tensor) -> Tensor:
    """Exponentials without their largest taken out."""
    weights = logits.exp()
    return (weights / weights.sum(-1, keepdim=True)).gather(-1, codes[..., None])[..., 0].log()


@form("sigma-vae/E25", "likelihoods.bitwise", "common code, logarithms of the probabilities")
def bitwise_of_probabilities(codes: Tensor, logits: Tensor) -> Tensor:
    """Cross entropies through the probability of a bit."""
    return bernoulli_of_probabilities(quantisation.to_bits(codes, logits.shape[-1]).to(logits), logits)


# Calibrated decoders


@form("sigma-vae/E06", "calibration.gaussian_nll", "as printed")
def gaussian_nll_printed(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """The squared error times a precision that overflows."""
    return (0.5 * (x - mean) ** 2 * torch.exp(-2 * log_sigma) + log_sigma + HALF_LOG_TWO_PI).sum(-1)


@form("sigma-vae/E11", "calibration.optimal_sigma", "as printed, sigma equal to the mean squared error")
def sigma_is_variance(squared_error: Tensor, dims: int, floor: float) -> Tensor:
    """Eq. 11 without the root."""
    return (squared_error.mean() / dims).clamp(min=floor)


@form("sigma-vae/E12", "calibration.batch_optimal_sigma_loss", "as printed, without a floor")
def optimal_loss_without_floor(squared_error: Tensor, kl: Tensor, dims: int, floor: float) -> Tensor:
    """The logarithm of an error that may be 0."""
    return 0.5 * dims * (torch.log(squared_error.mean() / dims) + 1 + math.log(2 * math.pi)) + kl.mean()


@form("sigma-vae/E13", "calibration.soft_clip", "as printed")
def soft_clip_printed(value: Tensor, minimum: Tensor) -> Tensor:
    """The logarithm of 1 plus an exponential that overflows."""
    return minimum + torch.log(1 + torch.exp(value - minimum))


@form("sigma-vae/E11-calibration_gap", "calibration.calibration_gap", "as printed")
def gap_of_sigma_printed(sigma: Tensor, optimal: Tensor, dims: int) -> Tensor:
    """Of second order, from terms of first order."""
    delta = torch.log(sigma / optimal)
    return dims * (delta + 0.5 * torch.exp(-2 * delta) - 0.5)


@form("sigma-vae/E17", "calibration.same_batch_bias", "as printed")
def bias_of_digamma(dims: int, numbers: Tensor) -> Tensor:
    """The difference of the digamma function and the logarithm."""
    return 0.5 * dims * (torch.digamma(numbers / 2) - torch.log(numbers / 2))


@form("sigma-vae/E18", "calibration.held_out_sigma_bias", "as said: another batch has no bias")
def no_bias(dims: int, numbers: Tensor) -> Tensor:
    """Zero."""
    return torch.zeros_like(numbers)


@form("sigma-vae/E20", "calibration.variational_sigma_bound", "as printed, both divergences added")
def bound_with_plus_signs(log_likelihood: Tensor, kl: Tensor, kl_sigma: Tensor) -> Tensor:
    """Eq. 12, which is no bound."""
    return log_likelihood + kl + kl_sigma


@form("sigma-vae/E21-kl", "calibration.gamma_kl", "as printed")
def gamma_kl_printed(shape_q: Tensor, rate_q: Tensor, shape_p: Tensor, rate_p: Tensor) -> Tensor:
    """Differences of log gamma functions."""
    shapes = (shape_q - shape_p) * torch.digamma(shape_q) - torch.lgamma(shape_q) + torch.lgamma(shape_p)
    return shapes + shape_p * (rate_q.log() - rate_p.log()) + shape_q * (rate_p - rate_q) / rate_q


@form("sigma-vae/E21-marginal", "calibration.gamma_marginal", "as printed")
def gamma_marginal_printed(squared_error: Tensor, dims: int, shape_p: Tensor, rate_p: Tensor) -> Tensor:
    """The ratio of two gamma functions as a difference."""
    a, b = shape_p + dims / 2, rate_p + squared_error / 2
    gammas = shape_p * rate_p.log() - torch.lgamma(shape_p) + torch.lgamma(a)
    return gammas - a * b.log() - dims * HALF_LOG_TWO_PI


# Hermite analysis


@form("hvae/A1", "hermite.basis", "as extracted, the second polynomial without its square")
def basis_without_square(z: Tensor, degree: int) -> Tensor:
    """(z - 1)/sqrt 2 in place of (z^2 - 1)/sqrt 2."""
    values = hermite.basis(z, degree).clone()
    if degree >= 2:
        values[2] = (z - 1) / math.sqrt(2)
    return values


@form("hvae/A1", "hermite.basis", "common code, divided by the root of the factorial")
def basis_by_factorials(z: Tensor, degree: int) -> Tensor:
    """Probabilists' polynomials first: they and the factorial overflow."""
    table = [torch.ones_like(z), z]
    for n in range(1, degree):
        table.append(z * table[n] - n * table[n - 1])
    roots = torch.arange(degree + 1).to(z).clamp(min=1).cumprod(0).sqrt()
    return torch.stack(table[: degree + 1]) / roots.reshape(-1, *[1] * z.ndim)


@form("hvae/A10", "ornstein_uhlenbeck.correlated_noise", "as extracted, without the root")
def noise_without_root(noise: Tensor, fresh: Tensor, rho: Tensor) -> Tensor:
    """The variance is then no longer 1."""
    return rho * noise + (1 - rho**2) * fresh


@form("hvae/A10", "ornstein_uhlenbeck.correlated_noise", "common code, root of 1 - rho^2")
def noise_of_square(noise: Tensor, fresh: Tensor, rho: Tensor) -> Tensor:
    """The square rounds to 1 before rho does."""
    return rho * noise + torch.sqrt(1 - rho**2) * fresh


@form("hvae/A22", "ornstein_uhlenbeck.correlated_sample", "as printed, the second form of Eq. 4")
def sample_through_z(mean: Tensor, scale: Tensor, noise: Tensor, fresh: Tensor, rho: Tensor) -> Tensor:
    """The correlation times the sample plus the rest of the mean."""
    z = mean + scale * noise
    return rho * z + (1 - rho) * mean + scale * torch.sqrt(1 - rho**2) * fresh


@form("hvae/A13", "ornstein_uhlenbeck.mehler_kernel", "as printed")
def mehler_printed(x: Tensor, y: Tensor, rho: Tensor) -> Tensor:
    """The exponent with 1 - rho^2 below a difference."""
    rest = 1 - rho**2
    exponent = -(rho**2 * (x**2 + y**2) - 2 * rho * x * y) / (2 * rest)
    return (exponent.exp() / rest.sqrt()).prod(-1)


@form("hvae/A18", "ornstein_uhlenbeck.variance", "as printed, the middle member without the operator")
def variance_without_operator(coefficients: Tensor, indices: Tensor, rho: Tensor) -> Tensor:
    """The variance of the function itself."""
    return hermite.variance(coefficients, indices)


@form("hvae/A18b", "ornstein_uhlenbeck.variance_lost", "as printed, difference of the two variances")
def variance_lost_as_difference(coefficients: Tensor, indices: Tensor, rho: Tensor) -> Tensor:
    """Cancels as rho goes to 1."""
    factors = rho ** (2 * hermite.total_degree(indices))
    return hermite.variance(coefficients, indices) - hermite.variance(factors.sqrt() * coefficients, indices)


@form("hvae/B6", "hierarchical.layer_terms", "as printed, divergences in closed form")
def layer_divergences(
    z: Sequence[Tensor],
    mean_q: Sequence[Tensor],
    scale_q: Sequence[Tensor],
    mean_p: Sequence[Tensor],
    scale_p: Sequence[Tensor],
) -> Tensor:
    """Right for a top-down posterior; here the upper sample was drawn from the lower one."""
    means, scales = [*mean_p, torch.zeros_like(z[-1])], [*scale_p, torch.ones_like(z[-1])]
    return torch.stack([kl_sum(*layer) for layer in zip(mean_q, scale_q, means, scales, strict=True)])


@form("hvae/B22b", "linear_gaussian.profile", "as printed")
def profile_printed(ratio: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of quotients next to 1."""
    gain = 0.5 * torch.log(strength * (1 + ratio) / (1 + strength * ratio))
    return gain, (0.5 * torch.log(1 + 1 / ratio)).expand_as(gain)


@form("hvae/B22f", "linear_gaussian.top_kl", "as printed")
def top_kl_printed(slope_q: Tensor, scale_q: Tensor, variance: Tensor) -> Tensor:
    """The terms of the objective that belong to the top."""
    return 0.5 * (slope_q**2 * variance + scale_q**2 - 1 - torch.log(scale_q**2))


# Bounds, balancing, optimisers, layers


@form("dvaepp/E40", "bounds.importance_weighted", "as printed, logarithm of the mean weight")
def logarithm_of_mean_weight(log_weights: Tensor) -> Tensor:
    """Weights that under- and overflow."""
    return log_weights.exp().mean(0).log()


@form("hvae/C3", "bounds.importance_weights", "as printed, weights divided by their sum")
def weights_over_sum(log_weights: Tensor) -> Tensor:
    """Weights that under- and overflow."""
    return log_weights.exp() / log_weights.exp().sum(0)


@form("efficient-vdvae/E21", "balancing.balance_weights", "as printed")
def balance_printed(group_kl: Tensor, factor: Tensor, floor: float) -> Tensor:
    """0/0 when no group has any divergence."""
    raw = factor * (group_kl.abs().mean(1) + floor)
    return len(raw) * raw / raw.sum()


@form("nvae/E22", "balancing.balance_weights", "as printed, multiplied by the size of a group")
def balance_by_size(group_kl: Tensor, factor: Tensor, floor: float) -> Tensor:
    """The text multiplies by what the code divides by."""
    return balance_printed(group_kl, 1 / factor, floor)


@form("nvae/E12", "balancing.regularised_loss", "as printed, the penalty added to the bound")
def loss_with_penalty_added_to_the_bound(
    negative_log_likelihood: Tensor,
    group_kl: Tensor,
    weight: float,
    group_weights: Tensor,
    penalties: Tensor,
    coefficient: float,
) -> Tensor:
    """The loss is minus the bound: the penalty is then rewarded."""
    divergence = weight * (group_weights[:, None] * group_kl).sum(0)
    return (negative_log_likelihood + divergence).mean() - coefficient * penalties.sum()


@form("nvae/E36", "collapse.active_channels", "public code, summed over space")
def channels_summed_over_space(kl: Tensor) -> Tensor:
    """A threshold that is laxer by the number of positions."""
    return kl.mean(0).sum((1, 2)) > 0.1


@form("efficient-vdvae/E26-norm", "optimisers.global_norm", "as printed, root of the sum of squares")
def norm_of_squares(gradients: Sequence[Tensor]) -> Tensor:
    """Squares that leave the range."""
    return sum(gradient.square().sum() for gradient in gradients).sqrt()


@form("efficient-vdvae/E24", "optimisers.adamax", "common code, without the constant in the norm")
def adamax_without_constant(
    parameter: Tensor, gradient: Tensor, first: Tensor, norm: Tensor, count: int, rate: float
) -> tuple[Tensor, Tensor, Tensor]:
    """0/0 for a gradient that has always been 0."""
    first, norm = 0.9 * first + 0.1 * gradient, torch.maximum(0.999 * norm, gradient.abs())
    return parameter - rate / (1 - 0.9**count) * first / norm, first, norm


@form("efficient-vdvae/E32", "convolution.unpool", "as described, without the rectifier and the bias per position")
def unpool_as_described(y: Tensor, weight: Tensor, bias: Tensor, position_bias: Tensor, scale: int) -> Tensor:
    """A 1x1 convolution, enlarged."""
    return functional.conv2d(y, weight, bias).repeat_interleave(scale, -1).repeat_interleave(scale, -2)


@form("nvae/E13", "activations.silu", "common code, a quotient")
def silu_quotient(u: Tensor) -> Tensor:
    """An exponential that overflows for very negative arguments."""
    return u / (1 + torch.exp(-u))


@form("nvae/E14", "activations.elu", "as printed, exp(u) - 1")
def elu_difference(u: Tensor) -> Tensor:
    """No digits next to 0."""
    return torch.where(u > 0, u, torch.exp(u) - 1)


@form("efficient-vdvae/E28-gelu", "activations.gelu", "as printed, with the error function")
def gelu_of_erf(u: Tensor) -> Tensor:
    """1 + erf cancels in the left tail."""
    return 0.5 * u * (1 + torch.erf(u / math.sqrt(2)))


def _log_difference(
    codes: Tensor, mean: Tensor, scale: Tensor, low: float, cumulative: Callable[[Tensor], Tensor]
) -> Tensor:
    """log(F(upper edge) - F(lower edge)) on the grid of 256 levels from ``low`` to 1, open at the ends."""
    step = (1 - low) / 255
    centre = low + codes.to(mean) * step
    upper = torch.where(codes == 255, 1, cumulative((centre + step / 2 - mean) / scale))
    lower = torch.where(codes == 0, 0, cumulative((centre - step / 2 - mean) / scale))
    return torch.log(upper - lower)

"""Hierarchies of Gaussian latents with a bottom-up posterior.

Layer 1 is next to the data, layer L is the top. Sequences run from layer 1 to layer L; the generative parameters of
layer i < L are those of p(z_i | z_{i+1}), and the top prior is the standard Gaussian. Arrays are (..., n_i).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference import gaussian, hermite, ornstein_uhlenbeck
from reference.checks import Array, broadcast, each, finite, non_negative, positive, single

Conditional = Callable[[Array], tuple[Array, Array]]


def layer_terms(
    z: Sequence[ArrayLike],
    mean_q: Sequence[ArrayLike],
    scale_q: Sequence[ArrayLike],
    mean_p: Sequence[ArrayLike],
    scale_p: Sequence[ArrayLike],
) -> Array:
    r"""Contribution of each stochastic layer to the ELBO, for one joint sample of the latents.

    .. math:: T_i=\log q(z_i|z_{i-1})-\log p(z_i|z_{i+1})\quad(i<L),\qquad
              T_L=\log q(z_L|z_{L-1})-\log\mathcal N(z_L;0,I),\qquad z_0:=x

    Parameters
    ----------
    z : sequence of L array_like (..., n_i)
        Sampled latents.
    mean_q, scale_q : sequences of L array_like (..., n_i)
        Posterior parameters of each layer given the sample below.
    mean_p, scale_p : sequences of L - 1 array_like (..., n_i)
        Generative parameters of layers 1 to L - 1 given the sample above.

    Returns
    -------
    ndarray (L, ...)
        Nats. A single term may be negative; the expected sum is KL(q(z|x) || p(z)).

    Raises
    ------
    ValueError
        If the sequences disagree in length or as :func:`reference.gaussian.log_density`.

    Source: Hermite VAE, Eq. 1. Erratum: for i < L the printed analytic KL(q(z_i|z_{i-1}) || p(z_i|z_{i+1})) is a
    different number, because z_{i+1} was drawn from this z_i: the KL replaces z_i by an independent copy.
    """
    depth = len(z)
    if depth == 0 or len(mean_q) != depth or len(scale_q) != depth:
        raise ValueError(f"z, mean_q, scale_q must hold L >= 1 layers, got {depth}, {len(mean_q)}, {len(scale_q)}")
    if len(mean_p) != depth - 1 or len(scale_p) != depth - 1:
        raise ValueError(f"mean_p, scale_p must hold L - 1 = {depth - 1} layers, got {len(mean_p)}, {len(scale_p)}")
    prior_mean, prior_scale = [*mean_p, np.zeros(())], [*scale_p, np.ones(())]
    layers = zip(z, mean_q, scale_q, prior_mean, prior_scale, strict=True)
    return np.stack([_log_ratio(*layer) for layer in layers])


def elbo(log_likelihood: ArrayLike, layer_terms: ArrayLike) -> Array:
    r"""Evidence lower bound of a hierarchy, for one joint sample of the latents.

    .. math:: \mathcal L(x)=\mathbb E_q\Big[\log p(x|z_1)-\sum_{i=1}^LT_i\Big]\le\log p(x)

    Parameters
    ----------
    log_likelihood : array_like (...)
        Reconstruction term :math:`\log p(x|z_1)` in nats.
    layer_terms : array_like (L, ...)
        Layer terms :math:`T_i` in nats, from :func:`layer_terms`.

    Returns
    -------
    ndarray (...)
        One-sample estimate in nats per image; equality iff q is the posterior.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not agree.

    Source: Hermite VAE, Section 1; Tables 1-4.
    """
    log_likelihood, terms = finite("log_likelihood", log_likelihood), finite("layer_terms", layer_terms)
    if terms.shape[1:] != log_likelihood.shape:
        raise ValueError(f"layer_terms must be (L, *{log_likelihood.shape}), got {terms.shape}")
    return log_likelihood - terms.sum(axis=0)


def smoothed_conditional(mean_p: ArrayLike, scale_p: ArrayLike) -> tuple[Array, Array]:
    r"""Generative parameters averaged over correlated samples of the layer above.

    .. math:: \tilde\mu=\frac1K\sum_k\mu(z'_k),\qquad\tilde\sigma=\frac1K\sum_k\sigma(z'_k)

    Parameters
    ----------
    mean_p, scale_p : array_like (K, ..., n)
        Mean and standard deviation at each correlated sample :math:`z'_k` of the layer above.

    Returns
    -------
    mean, scale : ndarray (..., n)
        Parameters of one Gaussian. Averaging the log densities instead has the unsmoothed expectation: no smoothing.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale_p`` is not positive, or there is no sample.

    Source: Hermite VAE, Section 2.2.
    """
    mean_p, scale_p = _samples("mean_p", finite("mean_p", mean_p)), positive("scale_p", scale_p)
    broadcast(mean_p=mean_p, scale_p=scale_p)
    return mean_p.mean(axis=0), _samples("scale_p", scale_p).mean(axis=0)


def smoothed_conditional_ratio(mean_p: ArrayLike, scale_p: ArrayLike) -> tuple[Array, Array]:
    r"""Generative parameters when the ratio of mean to scale is smoothed.

    .. math:: \tilde\sigma=\frac1K\sum_k\sigma(z'_k),\qquad
              \tilde\mu=\tilde\sigma\,\frac1K\sum_k\frac{\mu(z'_k)}{\sigma(z'_k)}

    Parameters
    ----------
    mean_p, scale_p : array_like (K, ..., n)
        Mean and standard deviation at each correlated sample :math:`z'_k` of the layer above.

    Returns
    -------
    mean, scale : ndarray (..., n)
        Parameters of one Gaussian; equal to :func:`smoothed_conditional` when the scale is constant.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale_p`` is not positive, or there is no sample.

    Source: Hermite VAE, Section 2.2 (alternative; how the ratio enters the density is not said there).
    """
    mean_p, scale_p = _samples("mean_p", finite("mean_p", mean_p)), positive("scale_p", scale_p)
    scale = _samples("scale_p", scale_p).mean(axis=0)
    broadcast(mean_p=mean_p, scale_p=scale_p)
    return scale * np.mean(mean_p / scale_p, axis=0), scale


def generate(noise: Sequence[ArrayLike], conditionals: Sequence[Conditional]) -> tuple[Array, ...]:
    r"""Ancestral sample of the hierarchy, from the top down.

    .. math:: z_L=\epsilon_L,\qquad z_i=\mu_i(z_{i+1})+\sigma_i(z_{i+1})\,\epsilon_i\quad(i<L),\qquad
              p(z)=p(z_L)\prod_{i<L}p(z_i|z_{i+1})

    Parameters
    ----------
    noise : sequence of L array_like (..., n_i)
        Standard Gaussian noise :math:`\epsilon_i` of each layer.
    conditionals : sequence of L - 1 callables
        Mean and scale of layer i given the sample of layer i + 1, unsmoothed.

    Returns
    -------
    tuple of L ndarray (..., n_i)
        Samples from layer 1 to layer L.

    Raises
    ------
    ValueError
        If the sequences disagree in length, noise or a mean is not finite, or a scale is not positive.

    Source: Hermite VAE, Section 1. Erratum: the text calls the scale a variance; Eqs. 4 and 7 fix it as a deviation.
    """
    if len(noise) == 0 or len(conditionals) != len(noise) - 1:
        raise ValueError(
            f"conditionals must hold L - 1 layers for L >= 1 of noise, got {len(conditionals)}, {len(noise)}"
        )
    samples = [finite("noise", noise[-1])]
    for layer_noise, conditional in zip(noise[-2::-1], conditionals[::-1], strict=True):
        mean, scale = conditional(samples[0])
        samples.insert(0, gaussian.reparameterise(mean, scale, layer_noise))
    return tuple(samples)


def infer(x: ArrayLike, noise: Sequence[ArrayLike], conditionals: Sequence[Conditional]) -> tuple[Array, ...]:
    r"""Sample of the posterior of the hierarchy, from the bottom up.

    .. math:: z_1=\mu_1(x)+\sigma_1(x)\,\epsilon_1,\qquad
              z_{i+1}=\mu_{i+1}(z_i)+\sigma_{i+1}(z_i)\,\epsilon_{i+1},\qquad q(z|x)=q(z_1|x)\prod_{i<L}q(z_{i+1}|z_i)

    Parameters
    ----------
    x : array_like (..., D)
        Images.
    noise : sequence of L array_like (..., n_i)
        Standard Gaussian noise :math:`\epsilon_i` of each layer.
    conditionals : sequence of L callables
        Mean and scale of layer 1 given the image, then of each layer given the sample below.

    Returns
    -------
    tuple of L ndarray (..., n_i)
        Samples from layer 1 to layer L; the unsmoothed sample feeds the layer above.

    Raises
    ------
    ValueError
        If the sequences disagree in length, an input or a mean is not finite, or a scale is not positive.

    Source: Hermite VAE, Section 1.
    """
    if len(noise) == 0 or len(conditionals) != len(noise):
        raise ValueError(f"noise, conditionals must hold L >= 1 layers, got {len(noise)}, {len(conditionals)}")
    samples, below = [], finite("x", x)
    for layer_noise, conditional in zip(noise, conditionals, strict=True):
        mean, scale = conditional(below)
        below = gaussian.reparameterise(mean, scale, layer_noise)
        samples.append(below)
    return tuple(samples)


def log_joint(
    log_likelihood: ArrayLike, z: Sequence[ArrayLike], mean_p: Sequence[ArrayLike], scale_p: Sequence[ArrayLike]
) -> Array:
    r"""Log density of an image and its latents under the hierarchy.

    .. math:: \log p(x,z)=\log p(x|z_1)+\sum_{i<L}\log\mathcal N(z_i;\mu_i,\sigma_i^2)+\log\mathcal N(z_L;0,I)

    Parameters
    ----------
    log_likelihood : array_like (...)
        Reconstruction term :math:`\log p(x|z_1)` in nats.
    z : sequence of L array_like (..., n_i)
        Latents.
    mean_p, scale_p : sequences of L - 1 array_like (..., n_i)
        Generative parameters of layers 1 to L - 1 given the sample above.

    Returns
    -------
    ndarray (...)
        Nats.

    Raises
    ------
    ValueError
        If the sequences disagree in length or as :func:`reference.gaussian.log_density`.

    Source: Hermite VAE, Section 1.
    """
    if len(z) == 0 or len(mean_p) != len(z) - 1 or len(scale_p) != len(z) - 1:
        raise ValueError(
            f"z, mean_p, scale_p must hold L, L - 1, L - 1 layers, got {len(z)}, {len(mean_p)}, {len(scale_p)}"
        )
    prior_mean = [*each(finite, "mean_p", mean_p), np.zeros(())]
    prior_scale = [*each(positive, "scale_p", scale_p), np.ones(())]
    layers = zip(z, prior_mean, prior_scale, strict=True)
    return finite("log_likelihood", log_likelihood) + sum(gaussian.log_density(*layer) for layer in layers)


def total_kld(layer_terms: ArrayLike) -> Array:
    r"""The part of the ELBO that is not reconstruction, for one joint sample of the latents.

    .. math:: \mathrm{KLD}=\sum_{i=1}^LT_i=\log q(z|x)-\log p(z),\qquad
              \mathcal L=\mathrm{Reconstruction}-\mathrm{KLD}

    Parameters
    ----------
    layer_terms : array_like (L, ...)
        Layer terms :math:`T_i` in nats, from :func:`layer_terms`.

    Returns
    -------
    ndarray (...)
        Nats per image; its mean is KL(q(z|x) || p(z)), a single draw may be negative.

    Raises
    ------
    ValueError
        If ``layer_terms`` is not finite or has no layer.

    Source: Hermite VAE, Table 3.
    """
    return _samples("layer_terms", finite("layer_terms", layer_terms)).sum(axis=0)


def smoothed_elbo(
    log_likelihood: ArrayLike,
    z: Sequence[ArrayLike],
    mean_q: Sequence[ArrayLike],
    scale_q: Sequence[ArrayLike],
    mean_p: Sequence[ArrayLike],
    scale_p: Sequence[ArrayLike],
    beta: ArrayLike = 1.0,
) -> Array:
    r"""Training objective of the Hermite VAE: the ELBO with smoothed conditionals.

    .. math:: \mathcal J=\log p(x|z_1)+\beta\Big(\sum_{i<L}\log\tilde p_\rho(z_i|z_{i+1})+\log p(z_L)
              -\log q(z_1|x)-\sum_{i<L}\log q(z_{i+1}|z_i)\Big)

    Parameters
    ----------
    log_likelihood : array_like (...)
        Reconstruction term :math:`\log p(x|z_1)` in nats, unsmoothed.
    z : sequence of L array_like (..., n_i)
        Sampled latents, unsmoothed.
    mean_q, scale_q : sequences of L array_like (..., n_i)
        Posterior parameters of each layer given the sample below.
    mean_p, scale_p : sequences of L - 1 array_like (K, ..., n_i)
        Generative parameters of layers 1 to L - 1 at each of K correlated samples of the layer above.
    beta : array_like
        Weight :math:`\beta\ge0` of the whole KL, for warm-up.

    Returns
    -------
    ndarray (...)
        One-sample estimate in nats per image, to be maximised. Not a bound: evaluate with :func:`elbo`.

    Raises
    ------
    ValueError
        As :func:`layer_terms` and :func:`smoothed_conditional`, and if ``beta`` is negative.

    Source: Hermite VAE, Section 2.2.
    """
    smoothed = [smoothed_conditional(mean, scale) for mean, scale in zip(mean_p, scale_p, strict=True)]
    terms = layer_terms(z, mean_q, scale_q, [mean for mean, _ in smoothed], [scale for _, scale in smoothed])
    return elbo(log_likelihood, single("beta", non_negative("beta", beta)) * terms)


def ratio_bias(
    mean_ratio: ArrayLike, inverse_scale: ArrayLike, indices: NDArray[np.int_], z: ArrayLike, rho: float
) -> Array:
    r"""Change of the expected quadratic term when only the ratio of mean to scale is smoothed.

    .. math:: \mathbb E\Big[-\frac12(z_1a-U_\rho b)^2\Big]-\mathbb E\Big[-\frac12(z_1a-b)^2\Big]
              =\frac12(\mathrm{Var}\,b-\mathrm{Var}\,U_\rho b)-z_1\big(\mathrm{Cov}(a,b)-\mathrm{Cov}(a,U_\rho b)\big)

    Parameters
    ----------
    mean_ratio : array_like (A,)
        Hermite coefficients of :math:`b=\mu(z_2)/\sigma(z_2)` under the posterior of :math:`z_2`.
    inverse_scale : array_like (A,)
        Hermite coefficients of :math:`a=1/\sigma(z_2)`; of a constant scale only the first is not zero.
    indices : ndarray of int (A, n)
        Their multi-indices.
    z : array_like ()
        First-layer latent :math:`z_1`.
    rho : float
        Correlation :math:`\rho\in[0,1]`.

    Returns
    -------
    ndarray ()
        Nats. With a = 0 it is the bias of smoothing the whole residual; mind the minus sign of the covariance.

    Raises
    ------
    ValueError
        If an argument is not finite, ``rho`` leaves [0, 1], or the shapes do not agree.

    Source: Hermite VAE, end of Section 3 (scale that depends on the latent).
    """
    b, a = finite("mean_ratio", mean_ratio), finite("inverse_scale", inverse_scale)
    if a.shape != b.shape:
        raise ValueError(f"mean_ratio, inverse_scale must have one shape, got {b.shape}, {a.shape}")
    lost = ornstein_uhlenbeck.variance_lost(b, indices, rho)
    # The covariance with the part that smoothing removes; 1 - rho^d cancels near rho = 1.
    degree = hermite.total_degree(indices)
    with np.errstate(divide="ignore"):
        removed = -np.expm1(np.maximum(degree, 1) * np.log(rho))
    covariance = np.sum(np.where(degree > 0, removed, 0) * a * b)
    return 0.5 * lost - finite("z", z) * covariance


def _samples(name: str, array: Array) -> Array:
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"{name} must hold at least one sample (K, ...), got shape {array.shape}")
    return array


def _log_ratio(z: ArrayLike, mean_q: ArrayLike, scale_q: ArrayLike, mean_p: ArrayLike, scale_p: ArrayLike) -> Array:
    """Log q(z) - log p(z) in nats for diagonal Gaussians, summed over the last axis.

    Two log densities agree in most digits where q is near p. The difference of the squared residuals is taken as a
    product, and, with similar scales, the difference of the residuals from the parameters, since both contain z.
    """
    z, mean_q, scale_q = finite("z", z), finite("mean_q", mean_q), positive("scale_q", scale_q)
    mean_p, scale_p = finite("mean_p", mean_p), positive("scale_p", scale_p)
    broadcast(z=z, mean_q=mean_q, scale_q=scale_q, mean_p=mean_p, scale_p=scale_p)
    of_q, of_p, widening = (z - mean_q) / scale_q, (z - mean_p) / scale_p, scale_q - scale_p
    from_parameters = (mean_q - mean_p + widening * of_q) / scale_p
    gap = np.where(np.abs(widening) < 0.5 * scale_p, from_parameters, of_p - of_q)
    return np.sum(0.5 * gap * (of_p + of_q) - np.log(scale_q / scale_p), axis=-1)

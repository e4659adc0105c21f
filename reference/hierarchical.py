"""Hierarchies of Gaussian latents with a bottom-up posterior.

Layer 1 is next to the data, layer L is the top. Sequences run from layer 1 to layer L; the generative parameters of
layer i < L are those of p(z_i | z_{i+1}), and the top prior is the standard Gaussian. Arrays are (..., n_i).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from reference import gaussian
from reference.checks import Array, finite, positive


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
    return np.stack(
        [gaussian.log_density(zi, mq, sq) - gaussian.log_density(zi, mp, sp) for zi, mq, sq, mp, sp in layers]
    )


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
    return scale * np.mean(mean_p / scale_p, axis=0), scale


def _samples(name: str, array: Array) -> Array:
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"{name} must hold at least one sample (K, ...), got shape {array.shape}")
    return array

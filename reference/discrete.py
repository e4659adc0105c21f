r"""Binary latent variables: their probabilities, their posterior given a smoothed copy, and the bounds built on them.

Every Bernoulli is given by its logit: :math:`q=\sigma(\ell)` and :math:`1-q=\sigma(-\ell)` are then both known to
full relative precision. A smoothed variable enters through its log ratio :math:`\Lambda(\zeta)`
(:func:`reference.relaxations.smoothing_log_ratio`). Sums run over the last axis, the units.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit

from reference.boltzmann import _relative_values
from reference.checks import Array, broadcast, finite, non_negative, real


def bernoulli_log_pmf(z: ArrayLike, logits: ArrayLike) -> Array:
    r"""Log probability of binary variables.

    .. math:: \log q(z)=\sum_j\big[z_j\ell_j-\log(1+e^{\ell_j})\big],\qquad z_j\in\{0,1\}

    Parameters
    ----------
    z : array_like (..., n)
        Values :math:`z`, 0 or 1.
    logits : array_like (..., n)
        Logits :math:`\ell`; infinite ones are certain.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis.

    Raises
    ------
    ValueError
        If ``z`` is not binary, ``logits`` holds NaN, or the shapes do not broadcast.

    Source: DVAE++, used throughout.
    """
    z, logits = _binary("z", z), real("logits", logits)
    broadcast(z=z, logits=logits)
    # For binary z the two terms are one: log sigma of the logit towards z. An infinite logit then gives no inf - inf.
    return np.sum(log_expit((2 * z - 1) * logits), axis=-1)


def bernoulli_entropy(logits: ArrayLike) -> Array:
    r"""Entropy of binary variables.

    .. math:: H=\sum_j\big[\log(1+e^{\ell_j})-\ell_j\,\sigma(\ell_j)\big]

    Parameters
    ----------
    logits : array_like (..., n)
        Logits :math:`\ell`; infinite ones have no entropy.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis; at most n log 2.

    Raises
    ------
    ValueError
        If ``logits`` holds NaN.

    Source: DVAE++, used throughout.
    """
    # An even function: with |l| the two terms add up instead of cancelling for large l.
    size = np.minimum(np.abs(real("logits", logits)), 1e6)
    return np.sum(np.logaddexp(0, -size) + size * expit(-size), axis=-1)


def bernoulli_kl(logits: ArrayLike, prior_logits: ArrayLike) -> Array:
    r"""Kullback-Leibler divergence between two factorial Bernoulli distributions.

    .. math:: \mathrm{KL}=\sum_j\big[\sigma(\ell_j)(\ell_j-k_j)+\log(1+e^{k_j})-\log(1+e^{\ell_j})\big]
              =\sum_j\delta_j^2\int_0^1t\,\sigma'(k_j+t\delta_j)\,dt,\qquad\delta=\ell-k

    Parameters
    ----------
    logits : array_like (..., n)
        Logits :math:`\ell` of the first distribution.
    prior_logits : array_like (..., n)
        Logits :math:`k` of the second distribution.

    Returns
    -------
    ndarray (...)
        Nats, summed over the last axis; zero exactly when the logits agree.

    Raises
    ------
    ValueError
        If an argument holds NaN, or the shapes do not broadcast.

    Source: DVAE++, used throughout.
    """
    logits, prior_logits = real("logits", logits), real("prior_logits", prior_logits)
    broadcast(logits=logits, prior_logits=prior_logits)
    with np.errstate(invalid="ignore"):
        return np.sum(_divergence(prior_logits, logits - prior_logits, logits), axis=-1)


def posterior_given_zeta(logits: ArrayLike, log_ratio: ArrayLike) -> Array:
    r"""Probability of a binary variable when its smoothed copy is known.

    .. math:: \nu=q(z{=}1\mid x,\zeta)=\sigma\big(\ell+\Lambda(\zeta)\big),\qquad
              \mathbb E_{q(\zeta\mid x)}[\nu]=q(z{=}1\mid x)

    Parameters
    ----------
    logits : array_like
        Logits :math:`\ell` before the copy is known; those of a prior give :math:`p(z{=}1\mid\zeta)`.
    log_ratio : array_like
        Log ratio :math:`\Lambda(\zeta)=\log r(\zeta\mid1)/r(\zeta\mid0)`; infinite for separate supports.

    Returns
    -------
    ndarray
        Probability in [0, 1], elementwise.

    Raises
    ------
    ValueError
        If ``logits`` is not finite, ``log_ratio`` holds NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix D and main text.
    """
    logits, log_ratio = finite("logits", logits), real("log_ratio", log_ratio)
    broadcast(logits=logits, log_ratio=log_ratio)
    return expit(logits + log_ratio)


def joint_elbo(log_likelihood: ArrayLike, logits: ArrayLike, prior_logits: ArrayLike) -> Array:
    r"""Variational bound that keeps the binary and the smoothed variables.

    .. math:: \mathcal L_J=\mathbb E_{q(\zeta\mid x)}[\log p(x\mid\zeta)]-\mathrm{KL}\big(q(z\mid x)\,\|\,p(z)\big)

    Parameters
    ----------
    log_likelihood : array_like (S, ...)
        :math:`\log p(x\mid\zeta_s)` in nats at S samples of :math:`q(\zeta\mid x)`.
    logits : array_like (..., n)
        Logits of :math:`q(z\mid x)`.
    prior_logits : array_like (..., n)
        Logits of :math:`p(z)`.

    Returns
    -------
    ndarray (...)
        Nats per example. The smoothing density cancels.

    Raises
    ------
    ValueError
        If ``log_likelihood`` is not finite or has no sample axis, a logit is NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix D, Fig. 6 (c, d).
    """
    expected, kl = np.mean(_samples("log_likelihood", log_likelihood), axis=0), bernoulli_kl(logits, prior_logits)
    broadcast(log_likelihood=expected, logits=kl)
    return expected - kl


def marginal_elbo(log_likelihood: ArrayLike, logits: ArrayLike, prior_logits: ArrayLike, log_ratio: ArrayLike) -> Array:
    r"""Variational bound with the binary variables summed out.

    .. math:: \mathcal L_M=\mathbb E_{q(\zeta\mid x)}\Big[\log p(x\mid\zeta)
              -\sum_j\log\frac{q(\zeta_j\mid x)}{p(\zeta_j)}\Big],\qquad
              \log\frac{q(\zeta)}{p(\zeta)}=\log\frac{(1-q)+q\,e^{\Lambda}}{(1-p)+p\,e^{\Lambda}}

    Parameters
    ----------
    log_likelihood : array_like (S, ...)
        :math:`\log p(x\mid\zeta_s)` in nats at S samples.
    logits : array_like (..., n)
        Logits of :math:`q(z\mid x)`.
    prior_logits : array_like (..., n)
        Logits of :math:`p(z)`.
    log_ratio : array_like (S, ..., n)
        Log ratio :math:`\Lambda(\zeta_s)` at the same samples.

    Returns
    -------
    ndarray (...)
        Nats per example; :math:`r(\zeta\mid0)` cancels.

    Raises
    ------
    ValueError
        If an argument is not finite, a sample axis is missing, or the shapes do not broadcast.

    Source: DVAE++, Appendix D, Fig. 6 (e, f).
    """
    log_likelihood = _samples("log_likelihood", log_likelihood)
    ratio = _smoothed_log_ratio(logits, prior_logits, log_ratio)
    broadcast(log_likelihood=log_likelihood, log_ratio=ratio)
    return np.mean(log_likelihood - ratio, axis=0)


def joint_marginal_gap(logits: ArrayLike, prior_logits: ArrayLike, log_ratio: ArrayLike) -> Array:
    r"""How far the joint bound lies below the marginal one.

    .. math:: \mathcal L_M-\mathcal L_J
              =\mathbb E_{q(\zeta\mid x)}\,\mathrm{KL}\big(q(z\mid x,\zeta)\,\|\,p(z\mid\zeta)\big)\ge0

    Parameters
    ----------
    logits : array_like (..., n)
        Logits of :math:`q(z\mid x)`.
    prior_logits : array_like (..., n)
        Logits of :math:`p(z)`.
    log_ratio : array_like (S, ..., n)
        Log ratio :math:`\Lambda(\zeta_s)` at S samples of :math:`q(\zeta\mid x)`.

    Returns
    -------
    ndarray (...)
        Nats per example; zero if posterior and prior agree or the supports of both values are separate.

    Raises
    ------
    ValueError
        If a logit is not finite, ``log_ratio`` holds NaN or has no sample axis, or the shapes do not broadcast.

    Source: DVAE++, Appendix D.
    """
    logits, prior_logits = finite("logits", logits), finite("prior_logits", prior_logits)
    log_ratio = real("log_ratio", log_ratio)
    if log_ratio.ndim == 0:
        raise ValueError("log_ratio must have a sample axis first, got a scalar")
    broadcast(logits=logits, prior_logits=prior_logits, log_ratio=log_ratio)
    # The difference of the logits does not change with the log ratio; that of the two sums would be rounded.
    divergences = _divergence(prior_logits + log_ratio, logits - prior_logits, logits + log_ratio)
    return np.mean(np.sum(divergences, axis=-1), axis=0)


def directed_elbo(
    log_likelihood: ArrayLike,
    logits: Sequence[ArrayLike],
    prior_logits: Sequence[ArrayLike],
    log_ratio: Sequence[ArrayLike] | None = None,
) -> Array:
    r"""Bound of a hierarchy of binary groups with a directed prior, joint or marginal.

    .. math:: \mathcal L=\mathbb E\Big[\log p(x\mid\zeta)-\sum_i\mathrm{KL}_i(\zeta_{<i})\Big],\qquad
              \mathrm{KL}_i=\begin{cases}
              \mathrm{KL}\big(q(z_i\mid x,\zeta_{<i})\,\|\,p(z_i\mid\zeta_{<i})\big)&\text{joint}\\
              \log q(\zeta_i\mid x,\zeta_{<i})-\log p(\zeta_i\mid\zeta_{<i})&\text{marginal}\end{cases}

    Parameters
    ----------
    log_likelihood : array_like (S, ...)
        :math:`\log p(x\mid\zeta_s)` in nats at S samples of the whole hierarchy.
    logits : sequence of array_like (S, ..., n_i)
        Logits of :math:`q(z_i\mid x,\zeta_{<i})`, one entry per group, at the same samples.
    prior_logits : sequence of array_like (S, ..., n_i)
        Logits of :math:`p(z_i\mid\zeta_{<i})`; a factorial prior is one row that broadcasts.
    log_ratio : sequence of array_like (S, ..., n_i), optional
        Log ratios :math:`\Lambda(\zeta_i)`. Given: the marginal bound. None: the joint bound.

    Returns
    -------
    ndarray (...)
        Nats per example.

    Raises
    ------
    ValueError
        If the numbers of groups differ or are zero, or as :func:`joint_elbo` and :func:`marginal_elbo`.

    Source: DVAE++, main text (directed priors) and Appendix D.
    """
    groups = {len(logits), len(prior_logits), len(logits if log_ratio is None else log_ratio)}
    if len(groups) != 1 or groups == {0}:
        raise ValueError(f"logits, prior_logits and log_ratio must hold the same groups, got {sorted(groups)}")
    total = _samples("log_likelihood", log_likelihood)
    for i, (posterior, prior) in enumerate(zip(logits, prior_logits, strict=True)):
        if log_ratio is None:
            total = total - bernoulli_kl(posterior, prior)
        else:
            total = total - _smoothed_log_ratio(posterior, prior, log_ratio[i])
    return np.mean(total, axis=0)


def rbm_marginal_density(
    log_density_0: ArrayLike, log_ratio: ArrayLike, bias_1: ArrayLike, bias_2: ArrayLike, weights: ArrayLike
) -> Array:
    r"""Log density of the smoothed variables under a small Boltzmann machine, its binary variables summed out.

    .. math:: \log p(\zeta)=\log\sum_zp(z)\prod_ir(\zeta_i\mid z_i)
              =\sum_i\log r(\zeta_i\mid0)+\log\frac{Z(a+\Lambda(\zeta),W)}{Z(a,W)},\qquad
              p(z)\propto e^{a_1^\top z_1+a_2^\top z_2+z_1^\top Wz_2}

    Parameters
    ----------
    log_density_0 : array_like (..., n1 + n2)
        :math:`\log r(\zeta_i\mid0)`; the units of the first layer stand first.
    log_ratio : array_like (..., n1 + n2)
        Log ratio :math:`\Lambda(\zeta_i)`.
    bias_1, bias_2 : array_like (n1,), (n2,)
        Biases :math:`a_1,a_2`.
    weights : array_like (n1, n2)
        Couplings :math:`W`. All :math:`2^{n_1+n_2}` states are enumerated, at most :math:`2^{20}`.

    Returns
    -------
    ndarray (...)
        Nats.

    Raises
    ------
    ValueError
        If an argument is not finite, the shapes do not fit, or there are more than 20 units.

    Source: DVAE++, Section on Boltzmann priors (why the marginal bound is not used with one).
    """
    log_density_0, log_ratio = finite("log_density_0", log_density_0), finite("log_ratio", log_ratio)
    bias_1, bias_2, weights = finite("bias_1", bias_1), finite("bias_2", bias_2), finite("weights", weights)
    units = bias_1.size + bias_2.size
    if weights.shape != (bias_1.size, bias_2.size) or log_ratio.shape[-1:] != (units,):
        raise ValueError(
            f"weights must be (n1, n2) and log_ratio (..., n1 + n2) for biases of {bias_1.size} and {bias_2.size} "
            f"units, got {weights.shape} and {log_ratio.shape}"
        )
    if units > 20:
        raise ValueError(f"bias_1 and bias_2 must have at most 20 units in all, got {units}")
    broadcast(log_density_0=log_density_0, log_ratio=log_ratio)
    states = np.array(list(itertools.product([0.0, 1.0], repeat=units)))
    first, second = states[:, : bias_1.size], states[:, bias_1.size :]
    likeliest = int(np.argmax(first @ bias_1 + second @ bias_2 + np.einsum("si,ij,sj->s", first, weights, second)))
    log_p = _relative_values(first, second, likeliest, bias_1, bias_2, weights)
    log_p = log_p - np.logaddexp.reduce(log_p)
    # log r(zeta_i | z_i) = log r(zeta_i | 0) + z_i Lambda_i
    return np.sum(log_density_0, axis=-1) + _log_mean_exp(log_p, log_ratio @ states.T)


def active_units(logits: ArrayLike, threshold: float = 0.05) -> NDArray[np.bool_]:
    r"""Which binary units react to the data.

    .. math:: \mathrm{Var}_x\big[\sigma(\ell_j(x))\big]>\tau

    Parameters
    ----------
    logits : array_like (B, n)
        Posterior logits :math:`\ell_j(x)` of n units for B images.
    threshold : float
        Threshold :math:`\tau\ge0` on the population variance; at most 1/4 can be reached.

    Returns
    -------
    ndarray of bool (n,)

    Raises
    ------
    ValueError
        If ``logits`` holds NaN or has not two axes, or ``threshold`` is negative.

    Source: DVAE++, released code (diagnostics); the paper does not define it.
    """
    logits, threshold = real("logits", logits), non_negative("threshold", threshold)
    if logits.ndim != 2 or len(logits) == 0:
        raise ValueError(f"logits must have shape (B, n) with B >= 1, got {logits.shape}")
    return np.var(expit(logits), axis=0) > threshold


def _divergence(prior_logits: Array, difference: Array, logits: Array) -> Array:
    """Elementwise divergence; ``difference`` is logits - prior_logits, or nearer to it than these can say."""
    terms = []
    for sign in (-1, 1):
        probability, log_probability = expit(sign * logits), log_expit(sign * logits)
        with np.errstate(invalid="ignore"):
            term = probability * (log_probability - log_expit(sign * prior_logits))
        terms.append(np.where(probability > 0, term, 0))
    # Near equality the sum keeps no digit of its second-order value; the integral is a sum of positive terms.
    near = np.abs(difference) < 1
    delta = np.where(near, difference, 0)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    between = np.where(near, prior_logits, 0)[..., None] + 0.5 * (nodes + 1) * delta[..., None]
    slope = expit(between) * expit(-between)
    integral = delta**2 * np.sum(0.25 * weights * (nodes + 1) * slope, axis=-1)
    return np.where(near, integral, terms[0] + terms[1])


def _smoothed_log_ratio(logits: ArrayLike, prior_logits: ArrayLike, log_ratio: ArrayLike) -> Array:
    """Return log q(zeta) - log p(zeta), summed over units."""
    logits, prior_logits = finite("logits", logits), finite("prior_logits", prior_logits)
    log_ratio = finite("log_ratio", log_ratio)
    if log_ratio.ndim == 0:
        raise ValueError("log_ratio must have a sample axis first, got a scalar")
    broadcast(logits=logits, prior_logits=prior_logits, log_ratio=log_ratio)
    # Exchanging the two states changes nothing; where the ratio is most of both terms it leaves their difference.
    flip = np.where(logits + prior_logits + log_ratio > 0, -1, 1)
    logits, prior_logits, log_ratio = flip * logits, flip * prior_logits, flip * log_ratio
    # A weak ratio leaves the sum of both weights no digits beyond 1.
    near = np.abs(log_ratio) < 1
    weak = np.expm1(np.where(near, log_ratio, 0))
    posterior, prior = (
        np.where(near, np.log1p(expit(k) * weak), np.logaddexp(log_expit(-k), log_expit(k) + log_ratio))
        for k in (logits, prior_logits)
    )
    return np.sum(posterior - prior, axis=-1)


def _binary(name: str, value: ArrayLike) -> Array:
    array = finite(name, value)
    if not np.isin(array, (0.0, 1.0)).all():
        wrong = array[~np.isin(array, (0.0, 1.0))].reshape(-1)[0]
        raise ValueError(f"{name} must be 0 or 1, got {float(wrong)!r}")
    return array


def _samples(name: str, value: ArrayLike) -> Array:
    array = finite(name, value)
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"{name} must have at least one sample along its first axis, got shape {array.shape}")
    return array


def _log_mean_exp(log_probability: Array, values: Array) -> Array:
    """Logarithm of sum p e^value over the last axis; near the likeliest state's value by what the others add."""
    likeliest = values[..., np.argmax(log_probability), None]
    above, probability = values - likeliest, np.exp(log_probability)
    strong = np.exp(np.minimum(log_probability + above, 1)) - probability
    added = np.sum(np.where(np.abs(above) < 1, probability * np.expm1(np.clip(above, -1, 1)), strong), axis=-1)
    near = np.abs(added) < 0.5
    nearly = likeliest[..., 0] + np.log1p(np.where(near, added, 0))
    return np.where(near, nearly, np.logaddexp.reduce(log_probability + values, axis=-1))

"""Restricted Boltzmann machines as priors: energy, block Gibbs, exact sums, and the terms of a bound with such a prior.

The binary latents fall into a left layer (n1 units) and a right layer (n2 units); only units of different layers
interact. ``logits`` are those of an approximate posterior, ``ratios`` the log ratios log r(zeta|1)/r(zeta|0) of a
smoothed latent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logsumexp

from reference.checks import Array, broadcast, finite, within

Indices = NDArray[np.int64]
LARGEST_LAYER = 20


def energy(
    left: ArrayLike, right: ArrayLike, bias_left: ArrayLike, bias_right: ArrayLike, coupling: ArrayLike
) -> Array:
    r"""Energy of a restricted Boltzmann machine.

    .. math:: E_\theta(z_1,z_2)=-a_1^\top z_1-a_2^\top z_2-z_1^\top Wz_2,\qquad
              p_\theta(z_1,z_2)=\frac{e^{-E_\theta(z_1,z_2)}}{Z_\theta}

    Parameters
    ----------
    left : array_like (..., n1)
        Left states :math:`z_1` in {0, 1}, or means in [0, 1].
    right : array_like (..., n2)
        Right states :math:`z_2`, or means.
    bias_left, bias_right : array_like (n1,), (n2,)
        Biases :math:`a_1,a_2`.
    coupling : array_like (n1, n2)
        Couplings :math:`W`; the left layer is its first axis.

    Returns
    -------
    ndarray (...)
        Nats.

    Raises
    ------
    ValueError
        If a state leaves [0, 1], a parameter is not finite, or the shapes do not fit.

    Source: DVAE++, Appendix E. Erratum: the text loses the opening brace of theta = {a_1, a_2, W}.
    """
    bias_left, bias_right, coupling = _parameters(bias_left, bias_right, coupling)
    left, right = _states("left", left, bias_left), _states("right", right, bias_right)
    return -left @ bias_left - right @ bias_right - np.einsum("...i,ij,...j->...", left, coupling, right)


def conditionals(
    left: ArrayLike, right: ArrayLike, bias_left: ArrayLike, bias_right: ArrayLike, coupling: ArrayLike
) -> tuple[Array, Array]:
    r"""Probability of a one in each layer, given the other.

    .. math:: p(z_1=1|z_2)=\sigma(a_1+Wz_2),\qquad p(z_2=1|z_1)=\sigma(a_2+W^\top z_1)

    Parameters
    ----------
    left, right, bias_left, bias_right, coupling
        As in :func:`energy`.

    Returns
    -------
    left_given_right : ndarray (..., n1)
    right_given_left : ndarray (..., n2)

    Raises
    ------
    ValueError
        As :func:`energy`.

    Source: DVAE++, Appendix E (block Gibbs sampling).
    """
    bias_left, bias_right, coupling = _parameters(bias_left, bias_right, coupling)
    left, right = _states("left", left, bias_left), _states("right", right, bias_right)
    return expit(bias_left + right @ coupling.T), expit(bias_right + left @ coupling)


def block_gibbs(
    right: ArrayLike,
    bias_left: ArrayLike,
    bias_right: ArrayLike,
    coupling: ArrayLike,
    uniforms_left: ArrayLike,
    uniforms_right: ArrayLike,
) -> tuple[Array, Array]:
    r"""Block Gibbs sampling: all left units, then all right units, some updates in a row.

    .. math:: z_1\leftarrow\mathbb 1[u_1<p(z_1=1|z_2)],\qquad z_2\leftarrow\mathbb 1[u_2<p(z_2=1|z_1)]

    Parameters
    ----------
    right : array_like (..., n2)
        Right states of the chains, 0 or 1; the left ones are drawn anew first.
    bias_left, bias_right, coupling
        As in :func:`energy`.
    uniforms_left : array_like (updates, ..., n1)
        Uniform noise :math:`u_1\in[0,1]`, drawn by the caller; its first axis is the number of updates, >= 1.
    uniforms_right : array_like (updates, ..., n2)
        Uniform noise :math:`u_2`.

    Returns
    -------
    left, right : ndarray (..., n1), (..., n2)
        States 0 or 1 after the last update.

    Raises
    ------
    ValueError
        If a state is not a bit, the noise leaves [0, 1], a parameter is not finite, or the shapes do not fit.

    Source: DVAE++, Appendix E (40 updates per parameter update).
    """
    bias_left, bias_right, coupling = _parameters(bias_left, bias_right, coupling)
    states = _bits("right", right)
    uniforms_left, uniforms_right = (
        within("uniforms_left", uniforms_left, 0, 1),
        within("uniforms_right", uniforms_right, 0, 1),
    )
    if states.shape[-1:] != bias_right.shape:
        raise ValueError(f"right must be (..., {len(bias_right)}), got {states.shape}")
    if len(uniforms_left) == 0 or len(uniforms_left) != len(uniforms_right):
        shapes = f"{uniforms_left.shape} and {uniforms_right.shape}"
        raise ValueError(
            f"uniforms_left and uniforms_right must hold as many updates, at least one, got shapes {shapes}"
        )
    for noise_left, noise_right in zip(uniforms_left, uniforms_right, strict=True):
        left = (noise_left < expit(bias_left + states @ coupling.T)).astype(float)
        states = (noise_right < expit(bias_right + left @ coupling)).astype(float)
    return left, states


def persistent_update(
    right: ArrayLike,
    bias_left: ArrayLike,
    bias_right: ArrayLike,
    coupling: ArrayLike,
    uniforms_left: ArrayLike,
    uniforms_right: ArrayLike,
) -> tuple[Array, Array, Array]:
    r"""Persistent chains after a parameter update: block Gibbs from where they stand, never reset.

    .. math:: (z_1,z_2)^{(l)}\leftarrow\mathrm{Gibbs}_\theta^k\big(z_2^{(l)}\big),\qquad
              \bar z_2^{(l)}=\mathbb E[z_2|z_1^{(l)}]

    Parameters
    ----------
    right : array_like (L, n2)
        Right states of the L persistent chains.
    bias_left, bias_right, coupling, uniforms_left, uniforms_right
        As in :func:`block_gibbs`.

    Returns
    -------
    left, right : ndarray (L, n1), (L, n2)
        States to keep for the next update.
    mean_right : ndarray (L, n2)
        Conditional mean of the right layer. In place of ``right`` it leaves the mean of the gradient estimate as it is
        and never raises its variance (Rao-Blackwell).

    Raises
    ------
    ValueError
        As :func:`block_gibbs`.

    Source: DVAE++, Appendix E (persistent contrastive divergence).
    """
    left, right = block_gibbs(right, bias_left, bias_right, coupling, uniforms_left, uniforms_right)
    return left, right, conditionals(left, right, bias_left, bias_right, coupling)[1]


def log_partition(bias_left: ArrayLike, bias_right: ArrayLike, coupling: ArrayLike) -> Array:
    r"""Exact log partition function, by enumeration of the smaller layer.

    .. math:: \log Z=\log\sum_{z_1\in\{0,1\}^{n_1}}\exp\Big[a_1^\top z_1
              +\sum_j\log\big(1+e^{a_{2j}+(W^\top z_1)_j}\big)\Big]

    Parameters
    ----------
    bias_left, bias_right, coupling
        As in :func:`energy`; the smaller layer has at most 20 units.

    Returns
    -------
    ndarray ()
        Nats; (n1 + n2) log 2 when all parameters vanish.

    Raises
    ------
    ValueError
        If a parameter is not finite, the shapes do not fit, or both layers are larger than 20.

    Source: DVAE++, Section 4 and Appendix E (the normalisation of the prior).
    """
    _, log_weights, _, _ = _enumerated(bias_left, bias_right, coupling)
    return logsumexp(log_weights) + np.maximum(bias_left, 0).sum() + np.maximum(bias_right, 0).sum()


def moments(bias_left: ArrayLike, bias_right: ArrayLike, coupling: ArrayLike) -> tuple[Array, Array, Array]:
    r"""Exact means of the sufficient statistics: the gradient of the log partition function.

    .. math:: \frac{\partial\log Z}{\partial\theta}
              =-\mathbb E_{p_\theta}\Big[\frac{\partial E_\theta}{\partial\theta}\Big]
              =\big(\mathbb E z_1,\;\mathbb E z_2,\;\mathbb E z_1z_2^\top\big)

    Parameters
    ----------
    bias_left, bias_right, coupling
        As in :func:`log_partition`.

    Returns
    -------
    mean_left, mean_right : ndarray (n1,), (n2,)
    mean_pairs : ndarray (n1, n2)

    Raises
    ------
    ValueError
        As :func:`log_partition`.

    Source: DVAE++, Appendix E.
    """
    states, log_weights, means, turned = _enumerated(bias_left, bias_right, coupling)
    weights = np.exp(log_weights - log_weights.max())
    weights = weights / weights.sum()
    pairs = states.T @ (weights[:, None] * means)
    if turned:
        return weights @ means, weights @ states, pairs.T
    return weights @ states, weights @ means, pairs


def log_partition_surrogate(
    left: ArrayLike, right: ArrayLike, bias_left: ArrayLike, bias_right: ArrayLike, coupling: ArrayLike
) -> Array:
    r"""Negative mean energy of samples, whose gradient estimates that of the log partition function.

    .. math:: \widetilde{\log Z}=-\frac1L\sum_{l=1}^LE_\theta\big(\mathrm{sg}[z_1^{(l)}],\mathrm{sg}[z_2^{(l)}]\big),
              \qquad\nabla\widetilde{\log Z}\approx\nabla\log Z

    Parameters
    ----------
    left, right : array_like (L, n1), (L, n2)
        Samples of the machine; no gradient flows into them. ``right`` may hold conditional means.
    bias_left, bias_right, coupling
        As in :func:`energy`.

    Returns
    -------
    ndarray ()
        A number without meaning of its own: only its gradient counts. Never report it within a bound.

    Raises
    ------
    ValueError
        As :func:`energy`, or if there is no sample.

    Source: DVAE++, Appendix E. Erratum: the gradient is that of log Z, not of Z as printed; and the term is added to a
    loss that is minimised (the negative ELBO), subtracted from an objective that is maximised.
    """
    energies = energy(left, right, bias_left, bias_right, coupling)
    if energies.size == 0:
        raise ValueError(f"left and right must hold at least one sample, got {energies.size}")
    return -np.mean(energies, axis=0)


def hierarchical_cross_entropy(
    logits_left: ArrayLike,
    logits_right: ArrayLike,
    ratios_left: ArrayLike,
    ratios_right: ArrayLike,
    groups_left: Indices,
    groups_right: Indices,
    bias_left: ArrayLike,
    bias_right: ArrayLike,
    coupling: ArrayLike,
    log_partition: ArrayLike,
) -> Array:
    r"""Cross-entropy between a hierarchical posterior and the prior, from one draw of the smoothed latents.

    .. math:: -\mathbb E_q[\log p(z_1,z_2)]\approx\log Z-a_1^\top\mu_1-a_2^\top\mu_2-\sum_{ij}W_{ij}
              \begin{cases}\mu_{1i}\mu_{2j}&g_i=g_j\\\nu_{1i}\mu_{2j}&g_i<g_j\\\mu_{1i}\nu_{2j}&g_i>g_j\end{cases},
              \quad\mu=\sigma(\ell),\;\nu=\sigma(\ell+\Lambda(\zeta))

    Parameters
    ----------
    logits_left, logits_right : array_like (..., n1), (..., n2)
        Posterior logits :math:`\ell`, each given the smoothed latents of earlier groups.
    ratios_left, ratios_right : array_like (..., n1), (..., n2)
        Log ratios :math:`\Lambda(\zeta)` of each unit's own smoothed latent.
    groups_left, groups_right : ndarray of int (n1,), (n2,)
        Group :math:`g` of each unit, in the order of sampling. The earlier unit of a pair enters by its mean given its
        smoothed latent, which the later one has seen; units of one group are independent.
    bias_left, bias_right, coupling
        As in :func:`energy`.
    log_partition : array_like ()
        :math:`\log Z`, or its surrogate where only the gradient matters.

    Returns
    -------
    ndarray (...)
        Nats, unbiased over the smoothed latents, and so is its gradient along their reparameterised path.

    Raises
    ------
    ValueError
        If a number is not finite or the shapes do not fit.

    Source: DVAE++, Section 4 (two groups, one per layer: the second case alone).
    """
    bias_left, bias_right, coupling = _parameters(bias_left, bias_right, coupling)
    mean_left, seen_left = _means("left", logits_left, ratios_left, bias_left)
    mean_right, seen_right = _means("right", logits_right, ratios_right, bias_right)
    group_left, group_right = np.asarray(groups_left)[:, None], np.asarray(groups_right)[None, :]
    if (group_left.size, group_right.size) != coupling.shape:
        raise ValueError(
            f"groups_left and groups_right must number every unit {coupling.shape}, "
            f"got {group_left.size} and {group_right.size}"
        )
    left = np.where(group_left < group_right, seen_left[..., :, None], mean_left[..., :, None])
    right = np.where(group_left > group_right, seen_right[..., None, :], mean_right[..., None, :])
    pairs = np.sum(coupling * left * right, axis=(-2, -1))
    log_partition = finite("log_partition", log_partition)
    broadcast(log_partition=log_partition, logits=pairs)
    return log_partition - mean_left @ bias_left - mean_right @ bias_right - pairs


def hierarchical_kl(
    logits_left: ArrayLike,
    logits_right: ArrayLike,
    ratios_left: ArrayLike,
    ratios_right: ArrayLike,
    groups_left: Indices,
    groups_right: Indices,
    bias_left: ArrayLike,
    bias_right: ArrayLike,
    coupling: ArrayLike,
    log_partition: ArrayLike,
) -> Array:
    r"""Divergence of a hierarchical posterior over binary and smoothed latents from the machine's prior.

    .. math:: \mathrm{KL}\big(q(z,\zeta|x)\,\|\,p_\theta(z)r(\zeta|z)\big)
              =-\mathbb E_q[\log p(z_1,z_2)]-\mathbb E\Big[\sum_iH(\sigma(\ell_i))\Big]

    Parameters
    ----------
    logits_left, logits_right, ratios_left, ratios_right, groups_left, groups_right, bias_left, bias_right, coupling, \
log_partition
        As in :func:`hierarchical_cross_entropy`.

    Returns
    -------
    ndarray (...)
        Nats from one draw; its mean over draws is >= 0 with the true log Z. It exceeds the divergence of q(z|x) alone
        by the information of the smoothed latents about later groups.

    Raises
    ------
    ValueError
        As :func:`hierarchical_cross_entropy`.

    Source: DVAE++, Section 4 and Appendix G.
    """
    cross_entropy = hierarchical_cross_entropy(
        logits_left, logits_right, ratios_left, ratios_right, groups_left, groups_right,
        bias_left, bias_right, coupling, log_partition,
    )  # fmt: skip
    return cross_entropy - _entropy(logits_left) - _entropy(logits_right)


def spike_exp_gradient(logits: ArrayLike, left: ArrayLike, mean_right: ArrayLike, coupling: ArrayLike) -> Array:
    r"""What autodiff misses in the gradient of the pair term when the left layer is smoothed with a spike at zero.

    .. math:: \frac{\partial q_i}{\partial\ell_i}\,\frac{1-z_{1i}}{1-q_i}\,(W\mu_2)_i=q_i\,(1-z_{1i})\,(W\mu_2)_i,
              \qquad q_i=\sigma(\ell_i)

    Parameters
    ----------
    logits : array_like (..., n1)
        Posterior logits :math:`\ell` of the left layer.
    left : array_like (..., n1)
        Left bits :math:`z_1=\mathbb 1[\zeta_1>0]`.
    mean_right : array_like (..., n2)
        Posterior means :math:`\mu_2` of the right layer at this draw of :math:`\zeta_1`.
    coupling : array_like (n1, n2)
        Couplings :math:`W`.

    Returns
    -------
    ndarray (..., n1)
        To be added to the pathwise derivative of :math:`z_1^\top W\mu_2` with respect to the logits.

    Raises
    ------
    ValueError
        If ``left`` holds no bits, ``mean_right`` leaves [0, 1], a number is not finite, or the shapes do not fit.

    Source: DVAE++, Appendices C and F (the baseline of Rolfe 2016). In logits the factor 1/(1 - q) cancels, and with
    it the need to clip q below 1.
    """
    logits, left, coupling = finite("logits", logits), _bits("left", left), finite("coupling", coupling)
    mean_right = within("mean_right", mean_right, 0, 1)
    if coupling.ndim != 2 or mean_right.shape[-1:] != coupling.shape[1:]:
        raise ValueError(f"mean_right, coupling must be (..., n2), (n1, n2), got {mean_right.shape}, {coupling.shape}")
    broadcast(logits=logits, left=left)
    return expit(logits) * (1 - left) * (mean_right @ coupling.T)


def elbo(log_likelihood: ArrayLike, discrete_kl: ArrayLike, group_kls: ArrayLike) -> Array:
    r"""Objective with a binary global code under a Boltzmann prior and G groups of continuous local latents.

    .. math:: \mathcal L=\mathbb E_q[\log p(x|\zeta,h)]-\mathrm{KL}\big(q(z,\zeta|x)\,\|\,p_\theta(z)r(\zeta|z)\big)
              -\sum_{j=1}^G\mathbb E_q\mathrm{KL}\big(q(h_j|x,\zeta,h_{<j})\,\|\,p(h_j|\zeta,h_{<j})\big)

    Parameters
    ----------
    log_likelihood : array_like (...)
        Log likelihood of the image given the smoothed code and the local latents; it never sees the bits.
    discrete_kl : array_like (...)
        Divergence of the code, :func:`hierarchical_kl`.
    group_kls : array_like (..., G)
        Divergences of the local groups; G may be 0.

    Returns
    -------
    ndarray (...)
        Nats per image, a lower bound in expectation.

    Raises
    ------
    ValueError
        If a number is not finite or the shapes do not broadcast.

    Source: DVAE++, Appendix G.
    """
    log_likelihood, discrete_kl = finite("log_likelihood", log_likelihood), finite("discrete_kl", discrete_kl)
    local = finite("group_kls", group_kls).sum(axis=-1)
    broadcast(log_likelihood=log_likelihood, discrete_kl=discrete_kl, local=local)
    return log_likelihood - discrete_kl - local


def log_weight(
    log_likelihood: ArrayLike,
    left: ArrayLike,
    right: ArrayLike,
    logits_left: ArrayLike,
    logits_right: ArrayLike,
    bias_left: ArrayLike,
    bias_right: ArrayLike,
    coupling: ArrayLike,
    log_partition: ArrayLike,
    local_log_ratio: ArrayLike,
) -> Array:
    r"""Log importance weight of a draw of the binary code (and of the local latents).

    .. math:: \log w=\log p(x|\cdot)-E_\theta(z)-\log Z-\sum_i\log q(z_i|x,\cdot)+\log\frac{p(h|\cdot)}{q(h|x,\cdot)},
              \qquad\log q(z_i|\cdot)=z_i\ell_i-\log(1+e^{\ell_i})

    Parameters
    ----------
    log_likelihood : array_like (...)
        Log likelihood of the image.
    left, right : array_like (..., n1), (..., n2)
        Bits drawn from the posterior.
    logits_left, logits_right : array_like (..., n1), (..., n2)
        Their posterior logits. All networks see bits (the binary model, temperature infinity) or all see smoothed
        latents (the model as trained, where r(zeta|z) cancels): two different models, never to be mixed in one table.
    bias_left, bias_right, coupling
        As in :func:`energy`.
    log_partition : array_like ()
        :math:`\log Z`; its error is common to all images.
    local_log_ratio : array_like (...)
        Log prior less log posterior of the local latents, 0 without them.

    Returns
    -------
    ndarray (...)
        Nats; the mean of exp over draws estimates p(x) without bias when log Z is exact.

    Raises
    ------
    ValueError
        As :func:`energy`, or if the shapes do not broadcast.

    Source: DVAE++, Section 7 (bits) and Appendix I (smoothed latents).
    """
    left, right = _bits("left", left), _bits("right", right)
    log_partition = finite("log_partition", log_partition)
    energies = energy(left, right, bias_left, bias_right, coupling)
    broadcast(log_partition=log_partition, energies=energies)
    log_prior = -energies - log_partition
    log_posterior = _log_mass("logits_left", logits_left, left) + _log_mass("logits_right", logits_right, right)
    log_likelihood, local = finite("log_likelihood", log_likelihood), finite("local_log_ratio", local_log_ratio)
    broadcast(log_likelihood=log_likelihood, log_prior=log_prior, log_posterior=log_posterior, local_log_ratio=local)
    return log_likelihood + log_prior - log_posterior + local


def corrected_log_likelihood(
    log_likelihood: ArrayLike, log_partition_used: ArrayLike, log_partition: ArrayLike
) -> Array:
    r"""Log likelihoods after a better estimate of the log partition function.

    .. math:: \log p(x)=\log p_{\hat Z}(x)+\log\hat Z-\log Z

    Parameters
    ----------
    log_likelihood : array_like
        Log likelihoods computed with :math:`\log\hat Z`.
    log_partition_used : array_like ()
        The estimate :math:`\log\hat Z` in them.
    log_partition : array_like ()
        The better one, :math:`\log Z`.

    Returns
    -------
    ndarray
        Nats. Every image moves by the same amount: an estimate that is too low flatters the model, and averaging over
        images does not help. Report the standard error of :math:`\log Z`, and keep it below 0.02 nats.

    Raises
    ------
    ValueError
        If a number is not finite.

    Source: DVAE++, Section 7 (log Z by parallel tempering).
    """
    log_likelihood, used = finite("log_likelihood", log_likelihood), finite("log_partition_used", log_partition_used)
    log_partition = finite("log_partition", log_partition)
    broadcast(log_likelihood=log_likelihood, log_partition_used=used, log_partition=log_partition)
    return log_likelihood + used - log_partition


def _enumerated(bias_left: ArrayLike, bias_right: ArrayLike, coupling: ArrayLike) -> tuple[Array, Array, Array, bool]:
    """States of the smaller layer, their log weights, the other layer's means, and whether the smaller is the right.

    Log weights are relative to all positive biases: a large one, common to all likely states, would round the rest.
    """
    bias_left, bias_right, coupling = _parameters(bias_left, bias_right, coupling)
    turned = len(bias_right) < len(bias_left)
    if turned:
        bias_left, bias_right, coupling = bias_right, bias_left, coupling.T
    states = _all_states(len(bias_left))
    pull = states @ coupling
    from_left = np.where(bias_left > 0, states - 1, states) @ bias_left
    from_right = np.logaddexp(-np.maximum(bias_right, 0), np.minimum(bias_right, 0) + pull).sum(axis=1)
    return states, from_left + from_right, expit(bias_right + pull), turned


def _entropy(logits: ArrayLike) -> Array:
    """Entropy of independent bits, summed: log(1 + e^-|l|) + |l| sigma(-|l|) has no cancellation."""
    size = np.abs(finite("logits", logits))
    return np.sum(np.log1p(np.exp(-size)) + size * expit(-size), axis=-1)


def _log_mass(name: str, logits: ArrayLike, states: Array) -> Array:
    logits = finite(name, logits)
    broadcast(**{name: logits, "states": states})
    # log sigma(l) for a one and log sigma(-l) for a zero: z l - log(1 + e^l) cancels for large l.
    return -np.logaddexp(0, (1 - 2 * states) * logits).sum(axis=-1)


def _means(side: str, logits: ArrayLike, ratios: ArrayLike, bias: Array) -> tuple[Array, Array]:
    """Posterior means, and those given the unit's own smoothed latent."""
    logits, ratios = finite(f"logits_{side}", logits), finite(f"ratios_{side}", ratios)
    broadcast(**{f"logits_{side}": logits, f"ratios_{side}": ratios, f"bias_{side}": bias})
    return expit(logits), expit(logits + ratios)


def _states(name: str, states: ArrayLike, bias: Array) -> Array:
    states = within(name, states, 0, 1)
    if states.ndim == 0 or states.shape[-1] != len(bias):
        raise ValueError(f"{name} must have {len(bias)} units in its last axis, got shape {states.shape}")
    return states


def _relative_values(
    left: Array, right: Array, best: int, bias_left: Array, bias_right: Array, coupling: Array
) -> Array:
    """Negative energies less that of the state ``best``, bit by bit: large energies that differ little cancel."""
    above_left, above_right = left - left[best], right - right[best]
    pairs = np.sum((above_left @ coupling) * right, axis=1) + (left[best] @ coupling) @ above_right.T
    return above_left @ bias_left + above_right @ bias_right + pairs


def _all_states(units: int) -> Array:
    if units > LARGEST_LAYER:
        raise ValueError(f"the smaller layer must have at most {LARGEST_LAYER} units to be enumerated, got {units}")
    return (np.arange(2**units)[:, None] >> np.arange(units) & 1).astype(float)


def _bits(name: str, states: ArrayLike) -> Array:
    states = finite(name, states)
    if not np.isin(states, (0, 1)).all():
        raise ValueError(f"{name} must hold bits 0 or 1, got {float(states[~np.isin(states, (0, 1))][0])!r}")
    return states


def _parameters(bias_left: ArrayLike, bias_right: ArrayLike, coupling: ArrayLike) -> tuple[Array, Array, Array]:
    bias_left, bias_right = finite("bias_left", bias_left), finite("bias_right", bias_right)
    coupling = finite("coupling", coupling)
    if bias_left.ndim != 1 or bias_right.ndim != 1 or coupling.shape != (len(bias_left), len(bias_right)):
        shapes = f"{bias_left.shape}, {bias_right.shape} and {coupling.shape}"
        raise ValueError(f"bias_left, bias_right and coupling must have shapes (n1,), (n2,) and (n1, n2), got {shapes}")
    return bias_left, bias_right, coupling

"""Balancing the KL terms of a hierarchy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, finite, integer, non_negative, positive, within


def free_bits(layer_terms: ArrayLike, floor: float) -> Array:
    r"""KL part of the loss with a free allowance per stochastic layer.

    .. math:: \sum_i\max\Big(\lambda,\frac1B\sum_bT_{i,b}\Big)

    Parameters
    ----------
    layer_terms : array_like (L, B)
        Layer terms :math:`T_{i,b}` in nats, one row per layer, one column per image; may be negative.
    floor : float
        Allowance :math:`\lambda\ge0` in nats per layer, the same for every layer.

    Returns
    -------
    ndarray ()
        Nats per image. A layer whose batch mean is below the floor has gradient exactly zero.

    Raises
    ------
    ValueError
        If ``layer_terms`` is not finite or has other than two axes, or ``floor`` is negative.

    Source: Hermite VAE, Section 5.1. The batch mean is inside the maximum; the text leaves open whether the unit is
    nats (taken here) or bits.
    """
    terms, floor = finite("layer_terms", layer_terms), non_negative("floor", floor)
    if terms.ndim != 2 or terms.shape[1] == 0:
        raise ValueError(f"layer_terms must have shape (layers, images), got {terms.shape}")
    return np.sum(np.maximum(floor, terms.mean(axis=1)))


def free_bits_per_image(layer_terms: ArrayLike, floor: float) -> Array:
    r"""KL part of the loss with a free allowance per stochastic layer and image.

    .. math:: \sum_l\max\big(\lambda,T_{l,b}\big)

    Parameters
    ----------
    layer_terms : array_like (L, B)
        KL :math:`T_{l,b}` of each layer and image in nats; may be negative where it is a one-sample estimate.
    floor : float
        Allowance :math:`\lambda\ge0` in nats per layer and image (2 in the paper).

    Returns
    -------
    ndarray (B,)
        Nats per image. Its batch mean is at least :func:`free_bits` (Jensen). Reported bounds use the plain sum.

    Raises
    ------
    ValueError
        If ``layer_terms`` is not finite or has other than two axes, or ``floor`` is negative.

    Source: Sigma-VAE, hierarchical experiments (public code).
    """
    return np.sum(np.maximum(non_negative("floor", floor), _table("layer_terms", layer_terms)), axis=0)


def soft_free_bits(
    rates: ArrayLike, group_kl: ArrayLike, target: float, step: float = 0.1, least: float = 0.01
) -> Array:
    r"""Weights of the KL terms, moved so that each group keeps a target of information.

    .. math:: \gamma_l\leftarrow\mathrm{clip}\big(\gamma_l(1\pm s),\gamma_{\min},1\big),\qquad
              +\text{ iff }\tfrac1B\sum_b\mathrm{KL}_{l,b}>\lambda

    Parameters
    ----------
    rates : array_like (L,)
        Weights :math:`\gamma_l\in(0,1]` before the step.
    group_kl : array_like (L, B)
        KL of each group and image in nats.
    target : float
        Target :math:`\lambda\ge0` in nats per group.
    step, least : float
        Relative step :math:`s\in[0,1]` and least weight :math:`\gamma_{\min}\in(0,1]`.

    Returns
    -------
    ndarray (L,)
        Weights after the step; they carry no gradient.

    Raises
    ------
    ValueError
        If an argument is not finite or leaves its domain, or the lengths differ.

    Source: DVAE++, Appendix H (named as an alternative; step and least weight are assumed).
    """
    group_kl, rates = _table("group_kl", group_kl), within("rates", positive("rates", rates), 0, 1)
    if rates.shape != group_kl.shape[:1]:
        raise ValueError(f"rates must have shape ({len(group_kl)},), got {rates.shape}")
    step, least = within("step", step, 0, 1), within("least", positive("least", least), 0, 1)
    direction = np.where(group_kl.mean(axis=1) > non_negative("target", target), 1, -1)
    return np.clip(rates * (1 + direction * step), least, 1)


def balance_weights(group_kl: ArrayLike, factor: ArrayLike, floor: float) -> Array:
    r"""Weights of the KL terms that make groups of little information cheap, with mean one.

    .. math:: \gamma_l=\frac{L\,\hat\alpha_l}{\sum_j\hat\alpha_j},\qquad
              \hat\alpha_l=f_l\Big(\frac1B\sum_b|\mathrm{KL}_{l,b}|+\epsilon\Big)

    Parameters
    ----------
    group_kl : array_like (L, B)
        KL :math:`\mathrm{KL}_{l,b}` of each group and image in nats, summed over the variables of the group. A sampled
        KL may be negative, hence the absolute value.
    factor : array_like (L,)
        Factor :math:`f_l>0`: 1 (DVAE++), the size of the group (text of NVAE), the inverse of :func:`scale_weights`
        (code of NVAE), or the inverse size (Efficient-VDVAE).
    floor : float
        :math:`\epsilon\ge0` outside the mean: 0.1 (DVAE++), 0.01 (NVAE), 0 (Efficient-VDVAE).

    Returns
    -------
    ndarray (L,)
        Weights :math:`\gamma_l\ge0` of mean 1, to be used without gradient; all 1 when every KL and the floor are 0.

    Raises
    ------
    ValueError
        If ``group_kl`` is not finite or not of two axes, ``factor`` is not positive or of another length, or ``floor``
        is negative.

    Source: DVAE++, Appendix H; NVAE, Appendix A; Efficient-VDVAE, official objective. Erratum: the text of NVAE
    multiplies by the size where its code divides by it.
    """
    group_kl, factor = _table("group_kl", group_kl), positive("factor", factor)
    if factor.shape != group_kl.shape[:1]:
        raise ValueError(f"factor must have shape ({len(group_kl)},), got {factor.shape}")
    raw = factor * (np.abs(group_kl).mean(axis=1) + non_negative("floor", floor))
    return len(raw) * raw / raw.sum() if raw.any() else np.ones_like(raw)


def scale_weights(groups: ArrayLike) -> Array:
    r"""Size of a spatial scale per group, relative to the smallest.

    .. math:: \alpha_i=\frac{4^i/n_i}{\min_j4^j/n_j}

    Parameters
    ----------
    groups : array_like of int (S,)
        Groups :math:`n_i\ge1` at each scale, from the coarsest; each has four times the variables of the one before.

    Returns
    -------
    ndarray (S,)
        At least 1.

    Raises
    ------
    ValueError
        If ``groups`` is not of one axis or holds a number below 1.

    Source: NVAE, public code.
    """
    groups = positive("groups", groups)
    if groups.ndim != 1:
        raise ValueError(f"groups must have shape (S,), got {groups.shape}")
    size = 4.0 ** np.arange(len(groups)) / groups
    return size / size.min()


def balance_excess(group_kl: ArrayLike, floor: float) -> Array:
    r"""What balancing adds to the total KL penalty: it never lowers it.

    .. math:: \sum_l\gamma_lK_l-\sum_lK_l=\frac{L\,\mathrm{Var}(K)}{\overline K+\epsilon}\ge0

    Parameters
    ----------
    group_kl : array_like (L,)
        Batch means :math:`K_l\ge0` of the KL of each group in nats.
    floor : float
        :math:`\epsilon>0` of :func:`balance_weights` with factors 1.

    Returns
    -------
    ndarray ()
        Nats; the variance over groups has divisor L.

    Raises
    ------
    ValueError
        If a KL is negative, there is none, or ``floor`` is not positive.

    Source: derived for DVAE++, Appendix H.
    """
    group_kl = non_negative("group_kl", group_kl)
    if group_kl.ndim != 1 or not len(group_kl):
        raise ValueError(f"group_kl must have shape (L >= 1,), got {group_kl.shape}")
    # Around the first: equal divergences have no variance, but around their rounded mean they would
    variance = np.var(group_kl - group_kl[0])
    return len(group_kl) * variance / (group_kl.mean() + positive("floor", floor))


def training_loss(
    negative_log_likelihood: ArrayLike, group_kl: ArrayLike, weight: float, group_weights: ArrayLike, dims: int
) -> Array:
    r"""Training loss of a hierarchy per dimension of the data.

    .. math:: \frac1{BD}\sum_b\Big[-\log p(x_b|z_b)+\beta\sum_l\gamma_l\,\mathrm{KL}_{l,b}\Big]

    Parameters
    ----------
    negative_log_likelihood : array_like (B,)
        :math:`-\log p(x_b|z_b)` in nats.
    group_kl : array_like (L, B)
        KL :math:`\mathrm{KL}_{l,b}` in nats.
    weight : float
        Warm-up weight :math:`\beta\in[0,1]`.
    group_weights : array_like (L,)
        Balancing weights :math:`\gamma_l\ge0`; 1 after the warm-up and in evaluation.
    dims : int
        Dimensions :math:`D\ge1` of an image; 1 for a loss in nats per image.

    Returns
    -------
    ndarray ()
        Nats per dimension. Thresholds on gradient norms refer to it: without the division gradients are D times larger.

    Raises
    ------
    ValueError
        If an argument is not finite or leaves its domain, or the shapes do not agree.

    Source: Efficient-VDVAE, Section 4 (in prose).
    """
    nll, group_kl = finite("negative_log_likelihood", negative_log_likelihood), _table("group_kl", group_kl)
    weight, gamma = within("weight", weight, 0, 1), non_negative("group_weights", group_weights)
    if nll.shape != group_kl.shape[1:] or gamma.shape != group_kl.shape[:1]:
        raise ValueError(
            f"negative_log_likelihood (B,), group_kl (L, B), group_weights (L,) must agree, "
            f"got {nll.shape}, {group_kl.shape}, {gamma.shape}"
        )
    return np.asarray(np.mean(nll + weight * gamma @ group_kl) / integer("dims", dims, 1))


def regularised_loss(
    negative_log_likelihood: ArrayLike,
    group_kl: ArrayLike,
    weight: float,
    group_weights: ArrayLike,
    penalties: ArrayLike,
    coefficient: float,
) -> Array:
    r"""Training loss of a hierarchy in nats per image, with penalties on the weights.

    .. math:: \frac1B\sum_b\Big[-\log p(x_b|z_b)+\beta\sum_l\gamma_l\,\mathrm{KL}_{l,b}\Big]+\lambda\sum_ir_i

    Parameters
    ----------
    negative_log_likelihood : array_like (B,)
        :math:`-\log p(x_b|z_b)` in nats.
    group_kl : array_like (L, B)
        KL :math:`\mathrm{KL}_{l,b}` in nats.
    weight : float
        Warm-up weight :math:`\beta\in[0,1]`.
    group_weights : array_like (L,)
        Balancing weights :math:`\gamma_l\ge0`.
    penalties : array_like (P,)
        Penalties :math:`r_i\ge0`: spectral norms of the convolutions and largest gains of the batch norms.
    coefficient : float
        Coefficient :math:`\lambda\ge0`, on the scale of nats per image.

    Returns
    -------
    ndarray ()

    Raises
    ------
    ValueError
        As :func:`training_loss`, and if a penalty or the coefficient is negative.

    Source: NVAE, Section 3.2 and Appendix A. Erratum: the text adds the penalty to a bound that is maximised.
    """
    loss = training_loss(negative_log_likelihood, group_kl, weight, group_weights, 1)
    return loss + non_negative("coefficient", coefficient) * np.sum(non_negative("penalties", penalties))


def _table(name: str, value: ArrayLike) -> Array:
    table = finite(name, value)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"{name} must have shape (layers, images), got {table.shape}")
    return table

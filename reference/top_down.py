"""Hierarchies whose prior and posterior both run from the top to the image (NVAE, VDVAE).

Groups run from 1 (top) to L in the order in which they are drawn. The parameters of group l are those computed from the
sampled groups above it, so every conditional is a known diagonal Gaussian. Arrays are (..., n_l).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from reference import gaussian
from reference.checks import Array, each, finite, positive


def log_density(z: Sequence[ArrayLike], mean: Sequence[ArrayLike], scale: Sequence[ArrayLike]) -> Array:
    r"""Log density of all groups of a hierarchy: the prior or the posterior, by the chain rule.

    .. math:: \log p(z)=\log p(z_1)+\sum_{l=2}^L\log p(z_l\mid z_{<l}),\qquad
              \log q(z\mid x)=\log q(z_1\mid x)+\sum_{l=2}^L\log q(z_l\mid x,z_{<l})

    Parameters
    ----------
    z : sequence of L array_like (..., n_l)
        Sampled groups.
    mean, scale : sequences of L array_like (..., n_l)
        Mean and standard deviation of each group given the groups above it.

    Returns
    -------
    ndarray (...)
        Nats, summed over groups and variables.

    Raises
    ------
    ValueError
        If the sequences are empty or differ in length, or as :func:`reference.gaussian.log_density`.

    Source: NVAE, Section 2; Efficient-VDVAE, Eq. 3. Erratum: NVAE lists the groups as z1, z1, ..., zL.
    """
    _same_length(z=z, mean=mean, scale=scale)
    return cast("Array", sum(gaussian.log_density(*group) for group in zip(z, mean, scale, strict=True)))


def log_joint(
    log_likelihood: ArrayLike,
    z: Sequence[ArrayLike],
    mean_p: Sequence[ArrayLike],
    scale_p: Sequence[ArrayLike],
) -> Array:
    r"""Joint log density of an image and all groups.

    .. math:: \log p(x,z)=\log p(x\mid z)+\log p(z_1)+\sum_{l=2}^L\log p(z_l\mid z_{<l})

    Parameters
    ----------
    log_likelihood : array_like (...)
        :math:`\log p(x\mid z)` in nats, given every group (not only the last).
    z : sequence of L array_like (..., n_l)
        Sampled groups.
    mean_p, scale_p : sequences of L array_like (..., n_l)
        Prior parameters of each group given the groups above it.

    Returns
    -------
    ndarray (...)
        Nats.

    Raises
    ------
    ValueError
        If ``log_likelihood`` is not finite, or as :func:`log_density`.

    Source: Efficient-VDVAE, Eqs. 1 and 4. Erratum: Eq. 4 prints the conditional p(x|z) on its left side and p(x|z_L) on
    its right one; integrated over x the right side gives p(z) and not 1, and x depends on every group.
    """
    mean_p, scale_p = each(finite, "mean_p", mean_p), each(positive, "scale_p", scale_p)
    return finite("log_likelihood", log_likelihood) + log_density(z, mean_p, scale_p)


def group_kl(
    mean_q: Sequence[ArrayLike],
    scale_q: Sequence[ArrayLike],
    mean_p: Sequence[ArrayLike],
    scale_p: Sequence[ArrayLike],
) -> Array:
    r"""Analytic divergence of each group, given the sampled groups above it.

    .. math:: \mathrm{KL}_l=\mathrm{KL}\big(q(z_l\mid x,z_{<l})\,\|\,p(z_l\mid z_{<l})\big)

    Parameters
    ----------
    mean_q, scale_q, mean_p, scale_p : sequences of L array_like (..., n_l)
        Posterior and prior parameters of each group.

    Returns
    -------
    ndarray (L, ...)
        Nats, summed over the variables of a group, never averaged; >= 0.

    Raises
    ------
    ValueError
        If the sequences are empty or differ in length, or as :func:`reference.gaussian.kl`.

    Source: NVAE, Eq. 1; Efficient-VDVAE, Eq. 5.
    """
    _same_length(mean_q=mean_q, scale_q=scale_q, mean_p=mean_p, scale_p=scale_p)
    return np.stack([gaussian.kl(*group) for group in zip(mean_q, scale_q, mean_p, scale_p, strict=True)])


def elbo(
    log_likelihood: ArrayLike,
    mean_q: Sequence[ArrayLike],
    scale_q: Sequence[ArrayLike],
    mean_p: Sequence[ArrayLike],
    scale_p: Sequence[ArrayLike],
) -> Array:
    r"""Evidence lower bound of a top-down hierarchy, for one ancestral sample of the posterior.

    .. math:: \mathcal L(x)=\mathbb E_q[\log p(x\mid z)]-\mathrm{KL}\big(q(z_1|x)\|p(z_1)\big)
              -\sum_{l=2}^L\mathbb E_{q(z_{<l}|x)}\mathrm{KL}\big(q(z_l|x,z_{<l})\|p(z_l|z_{<l})\big)\le\log p(x)

    Parameters
    ----------
    log_likelihood : array_like (...)
        :math:`\log p(x\mid z)` in nats at the sample.
    mean_q, scale_q, mean_p, scale_p : sequences of L array_like (..., n_l)
        Posterior and prior parameters of each group along that sample.

    Returns
    -------
    ndarray (...)
        Unbiased one-sample estimate of the bound in nats per image.

    Raises
    ------
    ValueError
        If ``log_likelihood`` is not finite, or as :func:`group_kl`.

    Source: NVAE, Eq. 1; Efficient-VDVAE, Eqs. 2 and 5 (one posterior sample per image, no importance sampling).
    """
    return finite("log_likelihood", log_likelihood) - group_kl(mean_q, scale_q, mean_p, scale_p).sum(axis=0)


def _same_length(**groups: Sequence[ArrayLike]) -> None:
    lengths = {name: len(group) for name, group in groups.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"{', '.join(groups)} must hold the same number L >= 1 of groups, got {[*lengths.values()]}")

"""Decisions over seeds and orders: how far two rankings agree, and what paired seeds support."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, finite, positive


def rank_concordance(first: ArrayLike, second: ArrayLike) -> Array:
    r"""Kendall's tau-b of two scores of the same methods.

    .. math:: \tau_b=\frac{\sum_{i<j}\mathrm{sgn}(a_i-a_j)\,\mathrm{sgn}(b_i-b_j)}
              {\sqrt{\#\{i<j:a_i\ne a_j\}\ \#\{i<j:b_i\ne b_j\}}}

    Parameters
    ----------
    first, second : array_like (n,)
        Scores :math:`a`, :math:`b` of n >= 2 methods on two data sets.

    Returns
    -------
    ndarray ()
        In [-1, 1]; 1 is the same order. NaN when all scores of one side tie.

    Raises
    ------
    ValueError
        If a score is not finite or the shapes are not (n >= 2,).

    Source: sigma-VAE, Section A (order of methods across data sets). Erratum: the printed FIDs have tau 0.50, 0.00 and
    -0.17 between CelebA, CIFAR-10 and Frey Face, not a consistent order.
    """
    first, second = finite("first", first), finite("second", second)
    if first.ndim != 1 or first.shape != second.shape or len(first) < 2:
        raise ValueError(f"first, second must have one shape (n >= 2,), got {first.shape}, {second.shape}")
    i, j = np.triu_indices(len(first), 1)
    signs = [np.sign(scores[i] - scores[j]) for scores in (first, second)]
    pairs = np.sqrt(np.prod([np.sum(sign**2) for sign in signs]))
    return np.sum(signs[0] * signs[1]) / pairs if pairs > 0 else np.asarray(np.nan)


def paired_decision(differences: ArrayLike, standard_errors: float = 2.0) -> Array:
    r"""Whether seeds support that one arm exceeds the other: enough signs, and a mean well off zero.

    .. math:: +1\iff\#\{d_i>0\}\ge n-\lfloor n/5\rfloor\ \text{and}\ \bar d>k\,\frac{s_d}{\sqrt n}

    Parameters
    ----------
    differences : array_like (n,)
        Differences :math:`d_i` of the two arms at each of n >= 3 seeds that share data order and noise.
    standard_errors : float
        Standard errors :math:`k>0` by which the mean must exceed zero.

    Returns
    -------
    ndarray of int ()
        1 supported (4 of 5 seeds, 3 of 3), -1 the opposite by the same rule, 0 inconclusive.

    Raises
    ------
    ValueError
        If ``differences`` is not finite or not (n >= 3,), or ``standard_errors`` is not positive.

    Source: rule of the scaled experiments on sigma-VAE (ours).
    """
    differences, factor = finite("differences", differences), positive("standard_errors", standard_errors)
    if differences.ndim != 1 or len(differences) < 3:
        raise ValueError(f"differences must be (n >= 3,), got shape {differences.shape}")
    needed = len(differences) - len(differences) // 5
    far = abs(differences.mean()) > factor * differences.std(ddof=1) / np.sqrt(len(differences))
    sign = int(np.sum(differences > 0) >= needed) - int(np.sum(differences < 0) >= needed)
    return np.asarray(sign if far and sign == np.sign(differences.mean()) else 0)

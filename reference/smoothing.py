"""What smoothing the mean of a generative conditional does to the KL term (a bias that rewards smooth functions).

The setting of the paper's Section 3: a first-layer latent z1, a posterior q(z2|z1) = N(mean_q, scale_q^2), and a
conditional p(z1|z2) = N(mean_p(z2), scale_p^2) with constant scale. Points are (B, n) for z2 and (B, m) for z1.
Coefficients are those of e -> mean_p(mean_q + scale_q e) and therefore depend on z1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reference import gaussian, ornstein_uhlenbeck
from reference.checks import Array, broadcast, finite, integer, positive, within
from reference.hermite import Function, Indices, mean, rule


def moments(f: Function, mean_q: ArrayLike, scale_q: ArrayLike, nodes: int) -> tuple[Array, Array]:
    r"""Mean and variance of a function under a diagonal Gaussian, by quadrature.

    .. math:: \mathbb E_{z\sim\mathcal N(\mu,\sigma^2)}f(z),\qquad\mathrm{Var}f

    Parameters
    ----------
    f : callable
        Function of points (..., n) with values (..., m).
    mean_q, scale_q : array_like (B, n)
        Mean and standard deviation > 0 of the Gaussian of each row.
    nodes : int
        Nodes of the rule per axis.

    Returns
    -------
    mean, variance : ndarray (B, m)

    Raises
    ------
    ValueError
        If ``mean_q`` is not finite or ``scale_q`` not positive, or as :func:`reference.hermite.rule`.

    Source: Hermite VAE, Eq. 7 (the inner expectation).
    """
    values, weights = _on_grid(f, mean_q, scale_q, nodes)
    expected = np.einsum("q,bqm->bm", weights, values)
    return expected, np.einsum("q,bqm->bm", weights, (values - expected[:, None]) ** 2)


def cross_term(
    mean_p: Function, scale_p: float, z1: ArrayLike, mean_q: ArrayLike, scale_q: ArrayLike, nodes: int
) -> Array:
    r"""Expected log conditional prior of the first layer, for given z1.

    .. math:: \mathbb E_{q(z_2|z_1)}\big[\log\mathcal N(z_1;\mu_p(z_2),\sigma_p^2)\big]

    Parameters
    ----------
    mean_p : callable
        Mean function :math:`\mu_p` of points (..., n) with values (..., m).
    scale_p : float
        Constant standard deviation :math:`\sigma_p>0`.
    z1 : array_like (B, m)
        First-layer latent.
    mean_q, scale_q : array_like (B, n)
        Parameters of the posterior of z2 given z1.
    nodes : int
        Nodes of the rule per axis.

    Returns
    -------
    ndarray (B,)
        Nats, summed over the coordinates of z1.

    Raises
    ------
    ValueError
        If a number is not finite, a scale is not positive, or as :func:`reference.hermite.rule`.

    Source: Hermite VAE, Eq. 6 (its last step is lost in the extracted text).
    """
    z1, scale_p = finite("z1", z1), positive("scale_p", scale_p)
    values, weights = _on_grid(mean_p, mean_q, scale_q, nodes)
    broadcast(z1=z1, mean_p=values[:, 0], scale_p=scale_p)
    return gaussian.log_density(z1[:, None, :], values, scale_p) @ weights


def quadratic_term(
    mean_p: Function, scale_p: float, z1: ArrayLike, mean_q: ArrayLike, scale_q: ArrayLike, nodes: int
) -> Array:
    r"""Quadratic part of the cross term, split into a squared mean error and a variance.

    .. math:: \frac1{2\sigma_p^2}\mathbb E_{q(z_2|z_1)}\big[(z_1-\mu_p(z_2))^2\big]
              =\frac1{2\sigma_p^2}\big[(z_1-\mathbb E\mu_p)^2+\mathrm{Var}(\mu_p)\big]

    Parameters
    ----------
    mean_p, scale_p, z1, mean_q, scale_q, nodes
        As in :func:`cross_term`.

    Returns
    -------
    ndarray (B,)
        Nats, summed over the coordinates of z1.

    Raises
    ------
    ValueError
        As :func:`cross_term`.

    Source: Hermite VAE, Eq. 7, completed by the cross term that the paper drops.
    """
    z1, scale_p = finite("z1", z1), positive("scale_p", scale_p)
    expected, variance = moments(mean_p, mean_q, scale_q, nodes)
    broadcast(z1=z1, mean_p=expected, scale_p=scale_p)
    return np.sum((z1 - expected) ** 2 + variance, axis=-1) / (2 * scale_p**2)


def spectral_term(coefficients: ArrayLike, indices: Indices, scale_p: float, rho: float = 1.0) -> Array:
    r"""Quadratic part of the KL in Hermite coefficients, smoothed or not.

    .. math:: \frac1{2\sigma_p^2}\Big[\hat\mu_p(0)^2+\sum_{|\alpha|>0}\rho^{2|\alpha|}\hat\mu_p(\alpha)^2\Big]
              =\frac1{2\sigma_p^2}\big[(\mathbb E\,U_\rho\mu_p)^2+\mathrm{Var}(U_\rho\mu_p)\big]

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Hermite coefficients :math:`\hat\mu_p(\alpha)` of the standardised mean function.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.
    scale_p : float
        Constant standard deviation :math:`\sigma_p>0`.
    rho : float
        Correlation :math:`\rho\in[0,1]`; 1 is the objective without smoothing.

    Returns
    -------
    ndarray () or (m,)
        Nats.

    Raises
    ------
    ValueError
        If ``coefficients`` is not finite, ``scale_p`` is not positive or ``rho`` leaves [0, 1].

    Source: Hermite VAE, Eq. 8 (rho = 1) and Eq. 9.
    """
    scale_p = positive("scale_p", scale_p)
    smoothed = ornstein_uhlenbeck.variance(coefficients, indices, rho)
    broadcast(coefficients=smoothed, scale_p=scale_p)
    return (mean(coefficients, indices) ** 2 + smoothed) / (2 * scale_p**2)


def bias(coefficients: ArrayLike, indices: Indices, scale_p: float, rho: float) -> Array:
    r"""Amount by which smoothing raises the objective.

    .. math:: J_\rho-J=\frac1{2\sigma_p^2}\big[\mathrm{Var}(\mu_p)-\mathrm{Var}(U_\rho\mu_p)\big]\ge0

    Parameters
    ----------
    coefficients, indices, scale_p, rho
        As in :func:`spectral_term`.

    Returns
    -------
    ndarray () or (m,)
        Nats; the smoothed objective is larger than the ELBO and is no lower bound.

    Raises
    ------
    ValueError
        As :func:`spectral_term`.

    Source: Hermite VAE, Section 3 (unnumbered display). Erratum: the order O(1 - rho^2) needs a finite Dirichlet
    energy; for a step function the bias is of order sqrt(1 - rho^2).
    """
    lost, scale_p = ornstein_uhlenbeck.variance_lost(coefficients, indices, rho), positive("scale_p", scale_p)
    broadcast(coefficients=lost, scale_p=scale_p)
    return lost / (2 * scale_p**2)


def bias_bounds(coefficients: ArrayLike, indices: Indices, scale_p: float, rho: float) -> tuple[Array, Array]:
    r"""Lower and upper bound of the smoothing bias, both of order 1 - rho^2.

    .. math:: \frac{1-\rho^2}{2\sigma_p^2}\mathrm{Var}f\le J_\rho-J
              \le\frac{1-\rho^2}{2\sigma_p^2}\mathbb E\|\nabla f\|^2

    Parameters
    ----------
    coefficients, indices, scale_p, rho
        As in :func:`spectral_term`.

    Returns
    -------
    lower, upper : ndarray () or (m,)
        Nats; equal for an affine function.

    Raises
    ------
    ValueError
        As :func:`spectral_term`.

    Source: Hermite VAE, Section 3 (orders O(rho^2) and O(1 - rho^2)).
    """
    rho, scale_p = within("rho", rho, 0, 1), positive("scale_p", scale_p)
    broadcast(scale_p=scale_p, rho=rho)
    factor = (1 - rho) * (1 + rho) / (2 * scale_p**2)
    variance = ornstein_uhlenbeck.variance(coefficients, indices, 1.0)
    broadcast(coefficients=variance, scale_p=scale_p, rho=rho)
    return factor * variance, factor * ornstein_uhlenbeck.dirichlet_energy(coefficients, indices)


def sample_bias(bias: ArrayLike, samples: int) -> Array:
    r"""Expected bias of the objective that averages K correlated samples instead of infinitely many.

    .. math:: \mathbb E[J_{\rho,K}]-J=\Big(1-\frac1K\Big)(J_\rho-J)

    Parameters
    ----------
    bias : array_like
        Bias :math:`J_\rho-J\ge0` of ideal smoothing, in nats.
    samples : int
        Number of samples :math:`K\ge1`: 5 realise 80 %, 10 realise 90 %, 1 realises nothing.

    Returns
    -------
    ndarray
        Nats.

    Raises
    ------
    ValueError
        If ``bias`` is not finite or ``samples`` is not an integer >= 1.

    Source: derived from Hermite VAE, Section 2.2 (5 to 10 samples) and Section 3.
    """
    return (1 - 1 / integer("samples", samples, 1)) * finite("bias", bias)


def _on_grid(f: Function, mean_q: ArrayLike, scale_q: ArrayLike, nodes: int) -> tuple[Array, Array]:
    """Values (B, Q, m) of ``f`` on the quadrature grid of each row's Gaussian, and the weights (Q,)."""
    mean_q, scale_q = finite("mean_q", mean_q), positive("scale_q", scale_q)
    if mean_q.ndim != 2:
        raise ValueError(f"mean_q must have shape (B, n), got {mean_q.shape}")
    if scale_q.ndim > 2:
        raise ValueError(f"scale_q must have shape (B, n), got {scale_q.shape}")
    broadcast(mean_q=mean_q, scale_q=scale_q)
    points, weights = rule(nodes, mean_q.shape[1])
    return np.asarray(f(mean_q[:, None, :] + scale_q[:, None, :] * points)), weights

"""The Ornstein-Uhlenbeck operator: smoothing a function by averaging it over correlated Gaussian samples.

Functions, points and coefficients have the shapes of :mod:`reference.hermite`. ``rho`` is the correlation: 1 leaves a
function as it is, 0 replaces it by its mean. ``samples`` is K, the number of correlated samples of an average.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Array, broadcast, finite, integer, positive, single, within
from reference.hermite import Function, Indices, rule, total_degree
from reference.hermite import variance as total_variance


def correlated_noise(noise: ArrayLike, fresh: ArrayLike, rho: ArrayLike) -> Array:
    r"""Standard Gaussian noise with a given correlation to another.

    .. math:: z'=\rho z+\sqrt{1-\rho^2}\,\omega

    Parameters
    ----------
    noise : array_like
        Standard Gaussian noise :math:`z`.
    fresh : array_like
        Independent standard Gaussian noise :math:`\omega`.
    rho : array_like
        Correlation :math:`\rho\in[0,1]`; 1 returns ``noise`` bit for bit.

    Returns
    -------
    ndarray
        Noise :math:`z'` of the broadcast shape, again standard Gaussian.

    Raises
    ------
    ValueError
        If an argument is not finite, ``rho`` leaves [0, 1], or the shapes do not broadcast.

    Source: Hermite VAE, before Eq. 3. Erratum: the extracted text loses the root.
    """
    noise, fresh, rho = finite("noise", noise), finite("fresh", fresh), within("rho", rho, 0, 1)
    broadcast(noise=noise, fresh=fresh, rho=rho)
    return rho * noise + _complement(rho) * fresh


def correlated_sample(mean: ArrayLike, scale: ArrayLike, noise: ArrayLike, fresh: ArrayLike, rho: ArrayLike) -> Array:
    r"""Sample of a diagonal Gaussian with a given correlation to the sample that came from ``noise``.

    .. math:: z=\mu+\sigma\odot\epsilon_1,\qquad
              z'=\mu+\sigma\odot(\rho\,\epsilon_1+\sqrt{1-\rho^2}\,\epsilon_2)
              =\rho z+(1-\rho)\mu+\sigma\sqrt{1-\rho^2}\odot\epsilon_2

    Parameters
    ----------
    mean : array_like
        Mean :math:`\mu`.
    scale : array_like
        Standard deviation :math:`\sigma>0`.
    noise : array_like
        Noise :math:`\epsilon_1` of the sample :math:`z`.
    fresh : array_like
        Independent noise :math:`\epsilon_2`; a leading axis gives several correlated samples of one ``noise``.
    rho : array_like
        Correlation :math:`\rho\in[0,1]`; 1 returns :math:`z` bit for bit.

    Returns
    -------
    ndarray
        Sample :math:`z'\sim\mathcal N(\mu,\sigma^2)` of the broadcast shape.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` is not positive, ``rho`` leaves [0, 1], or the shapes do not broadcast.

    Source: Hermite VAE, Eq. 4.
    """
    mean, scale = finite("mean", mean), positive("scale", scale)
    broadcast(mean=mean, scale=scale, noise=np.asarray(noise), fresh=np.asarray(fresh))
    # The noise form: it needs no division by scale and is exact at rho = 1.
    return mean + scale * correlated_noise(noise, fresh, rho)


def operator(f: Function, z: ArrayLike, rho: float, nodes: int) -> Array:
    r"""Apply the Ornstein-Uhlenbeck operator to a function, by quadrature.

    .. math:: U_\rho f(z)=\mathbb E_{\omega\sim\mathcal N(0,I)}\big[f(\rho z+\sqrt{1-\rho^2}\,\omega)\big]

    Parameters
    ----------
    f : callable
        Function :math:`f` of points (..., n).
    z : array_like (B, n)
        Points :math:`z`.
    rho : float
        Correlation :math:`\rho\in[0,1]`.
    nodes : int
        Nodes of the rule per axis (n at most 3).

    Returns
    -------
    ndarray (B,) or (B, m)

    Raises
    ------
    ValueError
        If ``z`` is not finite or not of two axes, ``rho`` leaves [0, 1], or as :func:`reference.hermite.rule`.

    Source: Hermite VAE, Eq. 3. The mean is kept (Proposition 1); the limits are f and E f (Proposition 2, in mean
    square: at a jump of f the value at the point does not converge).
    """
    z, rho = _rows("z", z), within("rho", rho, 0, 1)
    return _average(f, rho * z, _complement(rho), nodes)


def affine_operator(f: Function, z: ArrayLike, mean: ArrayLike, scale: ArrayLike, rho: float, nodes: int) -> Array:
    r"""Apply the Ornstein-Uhlenbeck operator that belongs to a Gaussian with mean and scale.

    .. math:: (U_\rho^{\mu,\sigma}f)(z)=(U_\rho g)\Big(\frac{z-\mu}{\sigma}\Big)
              =\mathbb E_{\omega\sim\mathcal N(0,I)}\big[f(\rho z+(1-\rho)\mu+\sigma\sqrt{1-\rho^2}\,\omega)\big],
              \qquad g(e)=f(\mu+\sigma e)

    Parameters
    ----------
    f : callable
        Function :math:`f` of points (..., n).
    z : array_like (B, n)
        Points :math:`z`.
    mean, scale : array_like (n,)
        Mean :math:`\mu` and standard deviation :math:`\sigma>0` of the Gaussian.
    rho : float
        Correlation :math:`\rho\in[0,1]`.
    nodes : int
        Nodes of the rule per axis.

    Returns
    -------
    ndarray (B,) or (B, m)

    Raises
    ------
    ValueError
        As :func:`operator`, and if ``scale`` is not positive.

    Source: Hermite VAE, Section 2.2 (the posterior q(z2|z1) takes the place of the standard Gaussian).
    """
    z, mean, scale = _rows("z", z), finite("mean", mean), positive("scale", scale)
    rho = within("rho", rho, 0, 1)
    broadcast(z=z, mean=mean, scale=scale)
    # The last form: the way to (z - mean) / scale and back leaves the rounding of the mean in points next to zero.
    return _average(f, rho * z + (1 - rho) * mean, _complement(rho) * scale, nodes)


def on_coefficients(coefficients: ArrayLike, indices: Indices, rho: float) -> Array:
    r"""Hermite coefficients of the smoothed function.

    .. math:: \widehat{U_\rho f}(\alpha)=\rho^{|\alpha|}\hat f(\alpha),\qquad\rho^0=1\text{ also at }\rho=0

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.
    rho : float
        Correlation :math:`\rho\in[0,1]`.

    Returns
    -------
    ndarray (A,) or (A, m)

    Raises
    ------
    ValueError
        If ``coefficients`` is not finite or ``rho`` leaves [0, 1].

    Source: Hermite VAE, Section 2.1.
    """
    coefficients, rho = finite("coefficients", coefficients), single("rho", within("rho", rho, 0, 1))
    return _along_first(rho ** total_degree(indices), coefficients) * coefficients


def generator(coefficients: ArrayLike, indices: Indices) -> Array:
    r"""Hermite coefficients of the generator of the semigroup of Ornstein-Uhlenbeck operators.

    .. math:: \widehat{Lf}(\alpha)=-|\alpha|\,\hat f(\alpha),\qquad
              Lf=\Delta f-z\cdot\nabla f=\lim_{t\to0}\frac{U_{e^{-t}}f-f}{t},\qquad U_aU_b=U_{ab}

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.

    Returns
    -------
    ndarray (A,) or (A, m)

    Raises
    ------
    ValueError
        If ``coefficients`` is not finite.

    Source: Hermite VAE, Section 2.1 (semigroup).
    """
    coefficients = finite("coefficients", coefficients)
    return -_along_first(total_degree(indices), coefficients) * coefficients


def mehler_kernel(x: ArrayLike, y: ArrayLike, rho: ArrayLike) -> Array:
    r"""Kernel of the Ornstein-Uhlenbeck operator with respect to the standard Gaussian measure.

    .. math:: M_\rho(x,y)=\prod_i\frac1{\sqrt{1-\rho^2}}
              \exp\Big(-\frac{\rho^2(x_i^2+y_i^2)-2\rho x_iy_i}{2(1-\rho^2)}\Big)
              =\sum_\alpha\rho^{|\alpha|}h_\alpha(x)h_\alpha(y)

    Parameters
    ----------
    x, y : array_like (..., n)
        Points :math:`x,y`.
    rho : array_like (...)
        Correlation :math:`\rho\in[0,1)`; the kernel is a delta at 1.

    Returns
    -------
    ndarray (...)

    Raises
    ------
    ValueError
        If an argument is not finite, or ``rho`` leaves [0, 1).

    Source: Hermite VAE, relied on by Eq. 3.
    """
    x, y, rho = finite("x", x), finite("y", y), within("rho", rho, 0, np.nextafter(1, 0))
    rho = rho[..., None]
    broadcast(x=x, y=y, rho=rho)
    remainder = (1 - rho) * (1 + rho)
    log_kernel = -0.5 * np.log(remainder) + 0.5 * y**2 - 0.5 * (y - rho * x) ** 2 / remainder
    return np.exp(np.sum(log_kernel, axis=-1))


def variance(coefficients: ArrayLike, indices: Indices, rho: float) -> Array:
    r"""Variance of the smoothed function.

    .. math:: \mathrm{Var}[U_\rho f]=\mathbb E[(U_\rho f-\hat f(0))^2]
              =\sum_{|\alpha|>0}\rho^{2|\alpha|}\hat f(\alpha)^2\le\rho^2\,\mathrm{Var}f

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)` of the function before smoothing.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.
    rho : float
        Correlation :math:`\rho\in[0,1]`.

    Returns
    -------
    ndarray () or (m,)

    Raises
    ------
    ValueError
        If ``coefficients`` is not finite or ``rho`` leaves [0, 1].

    Source: Hermite VAE, Eq. 5. Erratum: the printed middle member is E[(f - f(0))^2] without the operator, which is
    Var f and makes the chain false for rho < 1; the decay is by the factor rho^(2|alpha|), not by an amount.
    """
    return total_variance(on_coefficients(coefficients, indices, rho), indices)


def covariance(coefficients: ArrayLike, indices: Indices, rho: float) -> Array:
    r"""Covariance of a function at two correlated points (noise stability less the squared mean).

    .. math:: \mathrm{Cov}(f(z),f(z'))=\langle f,U_\rho f\rangle-\hat f(0)^2
              =\sum_{|\alpha|>0}\rho^{|\alpha|}\hat f(\alpha)^2

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.
    rho : float
        Correlation :math:`\rho\in[0,1]` of :math:`z` and :math:`z'`.

    Returns
    -------
    ndarray () or (m,)

    Raises
    ------
    ValueError
        If ``coefficients`` is not finite or ``rho`` leaves [0, 1].

    Source: Hermite VAE, Section 2.1 (noise stability). The power is |alpha|, not 2|alpha| as in the variance.
    """
    return variance(coefficients, indices, float(np.sqrt(single("rho", within("rho", rho, 0, 1)))))


def dirichlet_energy(coefficients: ArrayLike, indices: Indices) -> Array:
    r"""Mean squared gradient of a function from its Hermite coefficients.

    .. math:: \mathbb E\|\nabla f\|^2=\sum_\alpha|\alpha|\,\hat f(\alpha)^2\ \ge\ \mathrm{Var}f

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.

    Returns
    -------
    ndarray () or (m,)

    Raises
    ------
    ValueError
        If ``coefficients`` is not finite.

    Source: Hermite VAE, Section 3 (implied by the order of the bias). Companions: the gradient commutes up to rho,
    grad U_rho f = rho U_rho grad f, and the inequality is Poincare's.
    """
    coefficients = finite("coefficients", coefficients)
    return np.sum(_along_first(total_degree(indices), coefficients) * coefficients**2, axis=0)


def hypercontractive_exponent(p: ArrayLike, rho: ArrayLike) -> Array:
    r"""Largest norm in which smoothing is a contraction from :math:`L^p` (Nelson).

    .. math:: \|U_\rho f\|_q\le\|f\|_p\quad\text{for all }q\le1+\frac{p-1}{\rho^2}

    Parameters
    ----------
    p : array_like
        Exponent :math:`p>1`.
    rho : array_like
        Correlation :math:`\rho\in(0,1]`.

    Returns
    -------
    ndarray
        The exponent :math:`q`; sharp for exp(t z).

    Raises
    ------
    ValueError
        If ``p`` is not > 1 or ``rho`` leaves (0, 1].

    Source: O'Donnell, Analysis of Boolean Functions, Chapter 11; used to test the operator, not by the paper.
    """
    excess = positive("p - 1", finite("p", p) - 1)
    rho = within("rho", positive("rho", rho), 0, 1)
    broadcast(p=excess, rho=rho)
    return 1 + excess / rho**2


def monte_carlo(f: Function, noise: ArrayLike, fresh: ArrayLike, rho: ArrayLike) -> Array:
    r"""Monte Carlo estimate of the smoothed function: the mean over correlated samples.

    .. math:: \hat U_{\rho,K}f(z)=\frac1K\sum_{k=1}^Kf(z'_k),\qquad z'_k=\rho z+\sqrt{1-\rho^2}\,\omega_k

    Parameters
    ----------
    f : callable
        Function :math:`f` of points (..., n).
    noise : array_like (B, n)
        Points :math:`z`.
    fresh : array_like (K, B, n)
        Independent noise :math:`\omega_k`, one slice per correlated sample.
    rho : array_like
        Correlation :math:`\rho\in[0,1]`.

    Returns
    -------
    ndarray (B,) or (B, m)

    Raises
    ------
    ValueError
        As :func:`correlated_noise`, and if there is no sample.

    Source: Hermite VAE, Section 2.2.
    """
    fresh = finite("fresh", fresh)
    if fresh.ndim == 0 or len(fresh) == 0:
        raise ValueError(f"fresh must hold at least one sample (K, B, n), got shape {fresh.shape}")
    return np.mean(f(correlated_noise(noise, fresh, rho)), axis=0)


def effective_strength(rho: ArrayLike, samples: int, degree: int = 1) -> Array:
    r"""Factor by which an average over K correlated samples scales the variance of a component of given degree.

    .. math:: \kappa_d(\rho,K)=\rho^{2d}+\frac{1-\rho^{2d}}K

    Parameters
    ----------
    rho : array_like
        Correlation :math:`\rho\in[0,1]`.
    samples : int
        Number of samples :math:`K\ge1`; one sample reduces nothing.
    degree : int
        Degree :math:`d\ge0`; 1 is the linear part (:math:`r=\kappa_1`).

    Returns
    -------
    ndarray
        Factor in [1/K, 1].

    Raises
    ------
    ValueError
        If ``rho`` leaves [0, 1] or an integer is out of range.

    Source: derived from Hermite VAE, Section 2.2, by the law of total variance.
    """
    rho, samples, degree = within("rho", rho, 0, 1), integer("samples", samples, 1), integer("degree", degree, 0)
    power = rho ** (2 * degree)
    return power + (1 - power) / samples


def monte_carlo_variance(coefficients: ArrayLike, indices: Indices, rho: float, samples: int) -> Array:
    r"""Total variance of the Monte Carlo estimate of the smoothed function.

    .. math:: \mathrm{Var}(\hat U_{\rho,K}f)=\Big(1-\frac1K\Big)\mathrm{Var}(U_\rho f)+\frac1K\mathrm{Var}f
              =\sum_{|\alpha|>0}\kappa_{|\alpha|}(\rho,K)\,\hat f(\alpha)^2

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.
    rho : float
        Correlation :math:`\rho\in[0,1]`.
    samples : int
        Number of samples :math:`K\ge1`.

    Returns
    -------
    ndarray () or (m,)
        Never below Var f / K.

    Raises
    ------
    ValueError
        If ``coefficients`` is not finite, ``rho`` leaves [0, 1] or ``samples`` is not an integer >= 1.

    Source: derived from Hermite VAE, Section 2.2.
    """
    smoothed, full = variance(coefficients, indices, rho), total_variance(coefficients, indices)
    return smoothed + (full - smoothed) / integer("samples", samples, 1)


def monte_carlo_error(coefficients: ArrayLike, indices: Indices, rho: float, samples: int) -> Array:
    r"""Mean squared error of the Monte Carlo estimate around the smoothed function.

    .. math:: \mathbb E_z\mathrm{Var}(\hat U_{\rho,K}f\mid z)=\frac1K(\mathrm{Var}f-\mathrm{Var}U_\rho f)

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.
    rho : float
        Correlation :math:`\rho\in[0,1]`.
    samples : int
        Number of samples :math:`K\ge1`.

    Returns
    -------
    ndarray () or (m,)

    Raises
    ------
    ValueError
        If ``coefficients`` is not finite, ``rho`` leaves [0, 1] or ``samples`` is not an integer >= 1.

    Source: derived from Hermite VAE, Section 2.2.
    """
    return variance_lost(coefficients, indices, rho) / integer("samples", samples, 1)


def variance_lost(coefficients: ArrayLike, indices: Indices, rho: float) -> Array:
    r"""Variance that smoothing removes.

    .. math:: \mathrm{Var}f-\mathrm{Var}U_\rho f=\sum_{|\alpha|>0}(1-\rho^{2|\alpha|})\,\hat f(\alpha)^2

    Parameters
    ----------
    coefficients : array_like (A,) or (A, m)
        Coefficients :math:`\hat f(\alpha)`.
    indices : ndarray of int (A, n)
        Their multi-indices :math:`\alpha`.
    rho : float
        Correlation :math:`\rho\in[0,1]`.

    Returns
    -------
    ndarray () or (m,)
        Between (1 - rho^2) Var f and (1 - rho^2) E||grad f||^2.

    Raises
    ------
    ValueError
        If ``coefficients`` is not finite or ``rho`` leaves [0, 1].

    Source: Hermite VAE, Section 3.
    """
    coefficients, rho = finite("coefficients", coefficients), single("rho", within("rho", rho, 0, 1))
    degree = total_degree(indices)
    # 1 - rho^(2d) cancels near rho = 1; expm1 of 2 d log(rho) does not (log 0 = -inf gives the right 1).
    with np.errstate(divide="ignore"):
        lost = -np.expm1(2 * np.maximum(degree, 1) * np.log(rho))
    return np.sum(_along_first(np.where(degree > 0, lost, 0), coefficients) * coefficients**2, axis=0)


def _along_first(weights: NDArray[Any], values: Array) -> Array:
    """Weights (A,) with as many trailing axes as ``values`` (A, ...) has."""
    if values.shape[:1] != weights.shape:
        raise ValueError(f"coefficients must be one per row of indices ({len(weights)}), got shape {values.shape}")
    return np.reshape(weights, (-1,) + (1,) * (values.ndim - 1))


def _rows(name: str, z: ArrayLike) -> Array:
    """Points of two axes, checked."""
    z = finite(name, z)
    if z.ndim != 2:
        raise ValueError(f"{name} must have shape (B, n), got {z.shape}")
    return z


def _complement(rho: Array) -> Array:
    """sqrt(1 - rho^2), as a product, because rho**2 rounds to 1 before rho does."""
    return np.sqrt((1 - rho) * (1 + rho))


def _average(f: Function, centre: Array, spread: Array, nodes: int) -> Array:
    """Mean of ``f`` over Gaussians around each row of ``centre`` (B, n), by quadrature: (B,) or (B, m)."""
    points, weights = rule(nodes, centre.shape[1])
    values = np.asarray(f(centre[:, None, :] + spread * points))
    return np.einsum("q,bq...->b...", weights, values)

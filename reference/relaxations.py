r"""Continuous stand-ins for binary variables: smoothing transformations with their inverse distribution functions.

A binary variable with logit :math:`\ell` (probability :math:`q=\sigma(\ell)` of 1, :math:`A=1-q` of 0) is replaced
by :math:`\zeta` with density :math:`A\,r(\zeta\mid0)+q\,r(\zeta\mid1)`. Families: a spike at 0 with an
exponential, two overlapping exponentials on [0, 1], two overlapping logistics or normals on the line; and the Concrete
distribution, which is no such mixture. Everything is elementwise, and arrays broadcast.

The same names mean the same everywhere:

``rho``
    Uniform noise :math:`\rho`; the sample is the point with the mass :math:`\rho` below it.
``logits``, ``q``
    Logit :math:`\ell` or probability :math:`q` of 1; infinite logits, where allowed, are certain values.
``beta``
    Sharpness :math:`\beta` of an exponential; the two densities separate as it grows. :math:`d=e^{-\beta}`.
``mean_0``, ``mean_1``, ``scale``
    Locations :math:`\mu_0\le\mu_1` and the scale :math:`s` of two logistics (standard deviation :math:`\pi s/\sqrt3`),
    :math:`\kappa=(\mu_1-\mu_0)/s`. Normals have means 0 and 1 and the standard deviation ``scale``, :math:`\sigma`.
``family``, ``setting``
    ``"spike_exp"`` and ``"overlap_exp"`` with their sharpness, ``"overlap_logistic"`` (locations 0 and 1) and
    ``"normal"`` (means 0 and 1) with their scale.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit, logit, ndtr, ndtri, softmax

from reference.checks import Array, broadcast, finite, positive, real, within

# Gauss-Legendre rule on [0, 1]: integrals over a blunt exponential, whose closed forms cancel
NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)
NODES, WEIGHTS = 0.5 * (NODES + 1), 0.5 * WEIGHTS
FAMILIES = ("spike_exp", "overlap_exp", "overlap_logistic", "normal")


def smoothing_inverse_cdf(rho: ArrayLike, logits: ArrayLike, family: str, setting: float) -> Array:
    r"""Smoothed binary variable as the inverse distribution function of uniform noise, for any family, by bisection.

    .. math:: \zeta=F_q^{-1}(\rho),\qquad F_q(\zeta)=A\,R_0(\zeta)+q\,R_1(\zeta),\qquad\rho\sim U(0,1)

    Parameters
    ----------
    rho, logits : array_like
        Noise :math:`\rho\in[0,1]`, logits :math:`\ell` (also infinite).
    family : str
        Family, one of ``FAMILIES``.
    setting : float
        Its sharpness or its scale, > 0.

    Returns
    -------
    ndarray
        The sample :math:`\zeta`: the smallest point whose mass reaches ``rho``.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Derivatives for any family: :math:`\partial\zeta/\partial q=(R_0-R_1)/q(\zeta)`,
    :math:`\partial\zeta/\partial\rho=1/q(\zeta)`; over uniform noise the first has mean
    :math:`\mathbb E[\zeta\mid1]-\mathbb E[\zeta\mid0]`.

    Source: DVAE++, Sections 2-3 (main text).
    """
    rho, logits = within("rho", rho, 0, 1), real("logits", logits)
    shape = broadcast(rho=rho, logits=logits)

    def mass(zeta: Array) -> Array:
        below_0, below_1 = _component_cdfs(zeta, family, setting)
        return expit(-logits) * below_0 + expit(logits) * below_1

    low, high = _component_quantiles(rho, family, setting)
    return _bisect(mass, np.broadcast_to(rho, shape), low, high)


def smoothed_log_density(zeta: ArrayLike, logits: ArrayLike, family: str, setting: float) -> Array:
    r"""Log density of a smoothed binary variable.

    .. math:: \log q(\zeta)=\log\big[A\,r(\zeta\mid0)+q\,r(\zeta\mid1)\big]

    Parameters
    ----------
    zeta, logits : array_like
        Smoothed variable :math:`\zeta`, logits :math:`\ell` (also infinite).
    family : str
        ``"overlap_exp"``, ``"overlap_logistic"`` or ``"normal"``; the atom at 0 of ``spike_exp`` has no density.
    setting : float
        Its sharpness or its scale, > 0.

    Returns
    -------
    ndarray
        Nats, elementwise; -inf outside the support.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Sections 2-3 (main text).
    """
    zeta, logits, setting = real("zeta", zeta), real("logits", logits), positive("setting", setting)
    broadcast(zeta=zeta, logits=logits)
    if family == "overlap_exp" and setting < 1:
        return _blunt_log_density(zeta, logits, setting)
    if family == "overlap_exp":
        parts = overlap_exp_log_pdf(zeta, 0, setting), overlap_exp_log_pdf(zeta, 1, setting)
    elif family == "overlap_logistic":
        parts = logistic_log_pdf(zeta, 0, setting), logistic_log_pdf(zeta, 1, setting)
    elif family == "normal":
        parts = tuple(-0.5 * ((zeta - m) / setting) ** 2 - np.log(setting * np.sqrt(2 * np.pi)) for m in (0, 1))
    else:
        raise ValueError(f"family must be overlap_exp, overlap_logistic or normal, got {family!r}")
    return np.logaddexp(log_expit(-logits) + parts[0], log_expit(logits) + parts[1])


def spike_exp_cdf(zeta: ArrayLike, logits: ArrayLike, beta: ArrayLike) -> Array:
    r"""Distribution function of a binary variable smoothed with a spike at 0 and an exponential.

    .. math:: F_q(\zeta)=A+q\,\frac{e^{\beta\zeta}-1}{e^\beta-1}\ (0\le\zeta\le1),\qquad
              r(\zeta\mid0)=\delta(\zeta),\quad r(\zeta\mid1)=\frac{\beta e^{\beta\zeta}}{e^\beta-1}

    Parameters
    ----------
    zeta, logits, beta : array_like
        Smoothed variable :math:`\zeta`, logits :math:`\ell` (also infinite), sharpness :math:`\beta>0`.

    Returns
    -------
    ndarray
        Mass at or below ``zeta``; it jumps by A at 0.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendices C and F (the smoothing of Rolfe's discrete VAE).
    """
    zeta, logits, beta = _exponential_arguments(zeta=zeta, logits=logits, beta=beta)
    inside = np.clip(zeta, 0, 1)
    # The quotient of the two powers, as exp(beta (zeta - 1)) times a ratio: exp(beta) overflows from 710 on.
    ratio = np.exp(beta * (inside - 1)) * np.expm1(-beta * inside) / np.expm1(-beta)
    return np.where(zeta < 0, 0, expit(-logits) + expit(logits) * ratio)


def spike_exp_icdf(rho: ArrayLike, logits: ArrayLike, beta: ArrayLike) -> Array:
    r"""Sample of a binary variable smoothed with a spike at 0 and an exponential.

    .. math:: F_q^{-1}(\rho)=\begin{cases}0&\rho\le A\\
              \frac1\beta\log\big(1+(e^\beta-1)\,t\big),\quad t=\frac{\rho+q-1}q&\rho>A\end{cases}

    Parameters
    ----------
    rho, logits, beta : array_like
        Noise :math:`\rho\in[0,1]`, logits :math:`\ell` (also infinite), sharpness :math:`\beta>0`.

    Returns
    -------
    ndarray
        The sample in [0, 1]. A generalised inverse: :math:`F(F^{-1}(\rho))=\max(\rho,A)`.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendices C and F.
    """
    rho, logits, beta = _noise_arguments(rho=rho, logits=logits, beta=beta)
    above = _above(rho, 1 - rho, logits)
    t = np.where(above > 0, above / np.maximum(expit(logits), np.finfo(float).tiny), 0)
    # "invalid": inf - inf where q underflows; that branch is then not taken.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        moderate = np.log1p(np.expm1(np.minimum(beta, 700)) * t) / beta
        # exp(beta) overflows; the argument of the logarithm is e^beta t + (1 - t) with 1 - t = (1 - rho) / q
        large = 1 + np.logaddexp(np.log(t), np.log(1 - rho) - log_expit(logits) - beta) / beta
    return np.where(above > 0, np.clip(np.where(beta < 700, moderate, large), 0, 1), 0)


def spike_exp_grad(rho: ArrayLike, logits: ArrayLike, beta: ArrayLike) -> tuple[Array, Array, Array, Array]:
    r"""Derivatives of a sample with a spike at 0 and an exponential.

    .. math:: \frac{\partial\zeta}{\partial q}=\frac{(1-\rho)(1-d)}{\beta q^2[d+(1-d)t]},\quad
              \frac{\partial\zeta}{\partial\ell}=qA\frac{\partial\zeta}{\partial q},\quad
              \frac{\partial\zeta}{\partial\rho}=\frac{1-d}{\beta q[d+(1-d)t]},\quad
              \frac{\partial\zeta}{\partial\beta}=\frac1\beta\Big[\frac t{d+(1-d)t}-\zeta\Big]
              =\frac{(1-\zeta)(1-e^{-\beta\zeta})-\zeta e^{-\beta\zeta}(1-e^{-\beta(1-\zeta)})}{\beta(1-d)}
              \qquad(\rho>A;\ \text{else }0)

    Parameters
    ----------
    rho, logits, beta : array_like
        Noise :math:`\rho\in[0,1]`, logits :math:`\ell` (also infinite), sharpness :math:`\beta>0`.

    Returns
    -------
    by_q, by_logits, by_rho, by_beta : ndarray
        All zero for :math:`\rho\le A`; the first jumps to about :math:`e^\beta/(\beta q)` there.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendices C and F (Fig. 5).
    """
    rho, logits, beta = _noise_arguments(rho=rho, logits=logits, beta=beta)
    zeta, above = spike_exp_icdf(rho, logits, beta), _above(rho, 1 - rho, logits)
    q, rise = expit(logits), -np.expm1(-beta)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        t, beyond, active = above / q, (1 - rho) / q, above > 0
        m = t + beyond * np.exp(-beta)
        slope = rise / (beta * q * m)
        by_q = slope * beyond
        # 1 - zeta = -log(m) / beta: a sharp sample lies so near 1 that the difference has no digits.
        rest = -np.where(m < 0.5, np.log(m), np.log1p(-beyond * rise)) / beta
        by_beta = _slope_by_beta(zeta, rest, np.asarray(np.inf), beta)
    found = by_q, by_q * q * expit(-logits), slope, by_beta
    by_q, by_logits, by_rho, by_beta = (np.where(active, value, 0) for value in found)
    return by_q, by_logits, by_rho, by_beta


def overlap_exp_log_pdf(zeta: ArrayLike, z: ArrayLike, beta: ArrayLike) -> Array:
    r"""Log density of one exponential of the overlapping pair.

    .. math:: r(\zeta\mid0)=\frac{e^{-\beta\zeta}}{Z_\beta},\quad r(\zeta\mid1)=\frac{e^{\beta(\zeta-1)}}{Z_\beta},\quad
              Z_\beta=\frac{1-e^{-\beta}}\beta,\quad\zeta\in[0,1]

    Parameters
    ----------
    zeta, z, beta : array_like
        Smoothed variable :math:`\zeta`, binary variable :math:`z\in\{0,1\}`, sharpness :math:`\beta>0`.

    Returns
    -------
    ndarray
        Nats, elementwise; -inf outside [0, 1].

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix A.
    """
    zeta, z, beta = _exponential_arguments(zeta=zeta, z=z, beta=beta)
    if not np.isin(z, (0, 1)).all():
        raise ValueError(f"z must be 0 or 1, got {float(z[~np.isin(z, (0, 1))].reshape(-1)[0])!r}")
    # log Z cancels for small beta: there from Z - 1, an integral.
    small = np.log1p(np.sum(WEIGHTS * np.expm1(-np.minimum(beta, 1)[..., None] * NODES), axis=-1))
    log_normaliser = np.where(beta < 1, small, np.log(-np.expm1(-beta)) - np.log(beta))
    inside = (zeta >= 0) & (zeta <= 1)
    return np.where(inside, -beta * np.where(z == 1, 1 - zeta, zeta) - log_normaliser, -np.inf)


def overlap_exp_cdf(zeta: ArrayLike, logits: ArrayLike, beta: ArrayLike) -> Array:
    r"""Distribution function of the mixture of two overlapping exponentials.

    .. math:: F_q(\zeta)=A\,\frac{1-e^{-\beta\zeta}}{1-e^{-\beta}}+q\,\frac{e^{\beta(\zeta-1)}-e^{-\beta}}{1-e^{-\beta}}
              =\frac{1-e^{-\beta\zeta}}{1-e^{-\beta}}\big[A+q\,e^{-\beta(1-\zeta)}\big]

    Parameters
    ----------
    zeta, logits, beta : array_like
        Smoothed variable :math:`\zeta`, logits :math:`\ell` (also infinite), sharpness :math:`\beta>0`.

    Returns
    -------
    ndarray
        Mass below ``zeta``; 0 left of 0 and 1 right of 1.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix A, first display.
    """
    zeta, logits, beta = _exponential_arguments(zeta=zeta, logits=logits, beta=beta)
    zeta = np.clip(zeta, 0, 1)
    below_0 = np.expm1(-beta * zeta) / np.expm1(-beta)
    return below_0 * (expit(-logits) + expit(logits) * np.exp(-beta * (1 - zeta)))


def overlap_exp_icdf_quadratic(rho: ArrayLike, q: ArrayLike, beta: ArrayLike) -> Array:
    r"""Sample of the mixture of two overlapping exponentials, by the root as printed. Not for use: see below.

    .. math:: m^2+b\,m+c=0,\quad b=\frac{\rho+d(q-\rho)}{1-q}-1,\quad c=-\frac{q\,d}{1-q},\quad
              m=\frac{-b+\sqrt{b^2-4c}}2,\quad\zeta=-\frac1\beta\log m

    Parameters
    ----------
    rho, q, beta : array_like
        Noise :math:`\rho\in[0,1]`, probability :math:`0\le q<1`, sharpness :math:`\beta>0`.

    Returns
    -------
    ndarray
        The sample, where rounding leaves it.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Erratum: the form divides by zero at q = 1, and for b > 0 (nearly every rho > 1 - q) the two terms of the root
    cancel until m = 0 and the sample is infinite: from beta = 8 on in single precision for one draw in 50 000, in
    double precision for a twentieth of all draws at beta = 36, a third at 40 and half from 50 on.
    :func:`overlap_exp_icdf` is the form to use.

    Source: DVAE++, Appendix A.
    """
    rho, q, beta = within("rho", rho, 0, 1), within("q", q, 0, np.nextafter(1, 0)), positive("beta", beta)
    broadcast(rho=rho, q=q, beta=beta)
    d = np.exp(-beta)
    b, c = (rho + d * (q - rho)) / (1 - q) - 1, -q * d / (1 - q)
    m = 0.5 * (-b + np.sqrt(b**2 - 4 * c))
    with np.errstate(divide="ignore"):
        return -np.log(m) / beta


def overlap_exp_icdf(rho: ArrayLike, logits: ArrayLike, beta: ArrayLike) -> Array:
    r"""Sample of the mixture of two overlapping exponentials.

    .. math:: A\,m^2+B\,m-q\,d=0,\quad m=e^{-\beta\zeta},\quad B=(\rho-A)+d(q-\rho),\quad S=\sqrt{B^2+4Aqd},
              \qquad m=\begin{cases}\frac{|B|+S}{2A}&B<0\\ \frac{2qd}{B+S}&B\ge0\end{cases}

    Parameters
    ----------
    rho, logits, beta : array_like
        Noise :math:`\rho\in[0,1]`, logits :math:`\ell` (also infinite), sharpness :math:`\beta>0`.

    Returns
    -------
    ndarray
        The sample in [0, 1], smooth and strictly increasing in ``rho`` and ``logits``.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix A (its quadratic with the roots that do not cancel).
    """
    rho, logits, beta = _noise_arguments(rho=rho, logits=logits, beta=beta)
    return _overlap_exp_root(rho, 1 - rho, logits, beta)


def overlap_exp_icdf_asinh(rho: ArrayLike, q: ArrayLike, beta: ArrayLike) -> Array:
    r"""Sample of the mixture of two overlapping exponentials, in one closed form.

    .. math:: \zeta=\frac12+\frac1\beta\Big[\operatorname{arcsinh}\frac{(\rho-\frac12)\sinh\frac\beta2
              +(q-\frac12)\cosh\frac\beta2}{\sqrt{q(1-q)}}-\frac12\log\frac q{1-q}\Big]

    Parameters
    ----------
    rho, q, beta : array_like
        Noise :math:`\rho\in[0,1]`, probability :math:`0<q<1`, sharpness :math:`\beta>0`.

    Returns
    -------
    ndarray
        The sample; accurate in double precision for beta in [1, 8] and q, rho in [0.01, 0.99].

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: derived from DVAE++, Appendix A, with :math:`m=\sqrt{qd/A}\,e^t`; used as an oracle.
    """
    rho, q, beta = within("rho", rho, 0, 1), within("q", q, 0, 1), positive("beta", beta)
    broadcast(rho=rho, q=q, beta=beta)
    u, v = rho - 0.5, q - 0.5
    argument = (u * np.sinh(beta / 2) + v * np.cosh(beta / 2)) / np.sqrt(q * (1 - q))
    return 0.5 + (np.arcsinh(argument) - 0.5 * np.log(q / (1 - q))) / beta


def overlap_exp_grad(rho: ArrayLike, logits: ArrayLike, beta: ArrayLike) -> tuple[Array, Array, Array, Array]:
    r"""Derivatives of a sample of the mixture of two overlapping exponentials.

    .. math:: \frac{\partial\zeta}{\partial q}=\frac{(1-e^{-\beta\zeta})(1-e^{-\beta(1-\zeta)})}{\beta S},\quad
              \frac{\partial\zeta}{\partial\ell}=qA\frac{\partial\zeta}{\partial q},\quad
              \frac{\partial\zeta}{\partial\rho}=\frac{1-d}{\beta S},\quad
              \frac{\partial\zeta}{\partial\beta}=\nu\,g(\zeta)-(1-\nu)\,g(1-\zeta),
              \qquad S=A\,e^{-\beta\zeta}+q\,e^{-\beta(1-\zeta)},\quad\nu=\frac{q\,e^{-\beta(1-\zeta)}}S,\quad
              g(x)=\frac{(1-x)(1-e^{-\beta x})-x\,e^{-\beta x}(1-e^{-\beta(1-x)})}{\beta(1-d)}

    Parameters
    ----------
    rho, logits, beta : array_like
        Noise :math:`\rho\in[0,1]`, logits :math:`\ell` (also infinite), sharpness :math:`\beta>0`.

    Returns
    -------
    by_q, by_logits, by_rho, by_beta : ndarray
        Zero at the fixed ends rho = 0 and 1 (not the third). The second is at most
        :math:`2\sqrt{qA}\sinh^2(\beta/4)/\beta`.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix A.
    """
    rho, logits, beta = _noise_arguments(rho=rho, logits=logits, beta=beta)
    q, a, rise = expit(logits), expit(-logits), -np.expm1(-beta)
    # 1 - zeta is the sample of the mirrored problem: the difference loses the digits of a sample next to 1.
    zeta, rest = _overlap_exp_root(rho, 1 - rho, logits, beta), _overlap_exp_root(1 - rho, rho, -logits, beta)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        s = a * np.exp(-beta * zeta) + q * np.exp(-beta * rest)
        by_q = np.expm1(-beta * zeta) * np.expm1(-beta * rest) / (beta * s)
        by_rho = rise / (beta * s)
    inside = (rho > 0) & (rho < 1)
    by_q, by_beta = (np.where(inside, value, 0) for value in (by_q, _slope_by_beta(zeta, rest, logits, beta)))
    return by_q, by_q * q * a, by_rho, by_beta


def overlap_exp_moments(logits: ArrayLike, beta: ArrayLike) -> tuple[Array, Array]:
    r"""Mean and variance of the mixture of two overlapping exponentials.

    .. math:: \mathbb E\zeta=A\,e_0+q(1-e_0),\quad
              \mathrm{Var}\,\zeta=\frac1{\beta^2}-\frac{e^\beta}{(e^\beta-1)^2}+qA(1-2e_0)^2,\quad
              e_0=\mathbb E[\zeta\mid0]=\frac1\beta-\frac1{e^\beta-1}

    Parameters
    ----------
    logits, beta : array_like
        Logits :math:`\ell` (also infinite), sharpness :math:`\beta>0`.

    Returns
    -------
    mean, variance : ndarray

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Over uniform noise the derivative of the sample by q has mean :math:`1-2e_0` for every q.

    Source: DVAE++, Appendix A.
    """
    logits, beta = real("logits", logits), positive("beta", beta)
    broadcast(logits=logits, beta=beta)
    q, a = expit(logits), expit(-logits)
    e_0, given_z = _exponential_moments(beta)
    # 1 - 2 e_0 is the distance of the two means
    return a * e_0 + q * (1 - e_0), given_z + q * a * (1 - 2 * e_0) ** 2


def overlap_exp_bernoulli_limit(logits: ArrayLike, beta: ArrayLike) -> Array:
    r"""Wasserstein distance between the mixture of two overlapping exponentials and the Bernoulli variable.

    .. math:: W_1=\int_0^1|F_q(\zeta)-A|\,d\zeta=\int_0^c\zeta\,q(\zeta)\,d\zeta+\int_c^1(1-\zeta)\,q(\zeta)\,d\zeta,
              \qquad F_q(c)=A
              \qquad\big(\le e_0(\beta)\le1/\beta\big)

    Parameters
    ----------
    logits, beta : array_like
        Finite logits :math:`\ell`, sharpness :math:`\beta>0`.

    Returns
    -------
    ndarray
        The distance; :math:`\tanh(\beta/4)/\beta` at q = 1/2.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Total variation does not measure this limit: it is 1 for every finite beta.

    Source: DVAE++, Section 3 (the limit of large beta).
    """
    logits, beta = finite("logits", logits), positive("beta", beta)
    broadcast(logits=logits, beta=beta)
    q, a, rise = expit(logits), expit(-logits), -np.expm1(-beta)
    # With 1 - q from its own logit: the point between two sharp densities hangs on the last digits of q.
    low, high = _overlap_exp_root(a, q, logits, beta), _overlap_exp_root(q, a, -logits, beta)

    # The integrals of u r(u | 0) and u r(u | 1) over [0, c] cancel in closed form for small beta c.
    def near(c: Array) -> Array:
        x, small = beta * c, np.minimum(beta * c, 2)[..., None]
        blunt = x**2 * np.sum(WEIGHTS * NODES * np.exp(-small * NODES), axis=-1)
        return np.where(x < 2, blunt, 1 - np.exp(-x) * (1 + x)) / (beta * rise)

    def far(c: Array) -> Array:
        x, small = beta * c, np.minimum(beta * c, 2)[..., None]
        blunt = x**2 * np.sum(WEIGHTS * (1 - NODES) * np.exp(-small * NODES), axis=-1)
        return np.exp(-beta * (1 - c)) * np.where(x < 2, blunt, x - 1 + np.exp(-x)) / (beta * rise)

    return a * near(low) + q * far(low) + a * far(high) + q * near(high)


def overlap_normal_cdf(zeta: ArrayLike, logits: ArrayLike, scale: ArrayLike) -> Array:
    r"""Distribution function of the mixture of two normals around 0 and 1.

    .. math:: F_q(\zeta)=A\,\Phi(\zeta/\sigma)+q\,\Phi((\zeta-1)/\sigma),\qquad
              r(\zeta\mid z)=\mathcal N(z,\sigma^2)

    Parameters
    ----------
    zeta, logits, scale : array_like
        Smoothed variable :math:`\zeta`, logits :math:`\ell` (also infinite), standard deviation :math:`\sigma>0`.

    Returns
    -------
    ndarray
        Mass below ``zeta``.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix B. Erratum: the extracted text keeps only half of the brace that defines both densities.
    """
    zeta, logits, scale = real("zeta", zeta), real("logits", logits), positive("scale", scale)
    broadcast(zeta=zeta, logits=logits, scale=scale)
    return expit(-logits) * ndtr(zeta / scale) + expit(logits) * ndtr((zeta - 1) / scale)


def overlap_normal_icdf(rho: ArrayLike, logits: ArrayLike, scale: ArrayLike) -> Array:
    r"""Sample of the mixture of two normals around 0 and 1, by bisection (there is no closed form).

    .. math:: A\,\Phi(\zeta/\sigma)+q\,\Phi((\zeta-1)/\sigma)=\rho,\qquad
              \frac{\partial\zeta}{\partial q}=\frac{\Phi(\zeta/\sigma)-\Phi((\zeta-1)/\sigma)}{q(\zeta)}

    Parameters
    ----------
    rho, logits, scale : array_like
        Noise :math:`\rho\in[0,1]`, logits :math:`\ell` (also infinite), standard deviation :math:`\sigma>0`.

    Returns
    -------
    ndarray
        The sample, between the quantiles of the two normals.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix B (the remark that motivates the logistic).
    """
    rho, logits, scale = within("rho", rho, 0, 1), real("logits", logits), positive("scale", scale)
    shape = broadcast(rho=rho, logits=logits, scale=scale)
    low = np.broadcast_to(scale * ndtri(rho), shape)
    return _bisect(lambda zeta: overlap_normal_cdf(zeta, logits, scale), np.broadcast_to(rho, shape), low, low + 1)


def logistic_log_pdf(zeta: ArrayLike, mean: ArrayLike, scale: ArrayLike) -> Array:
    r"""Log density of a logistic variable.

    .. math:: \log r(\zeta)=-\log s-\log(1+e^x)-\log(1+e^{-x}),\qquad x=\frac{\zeta-\mu}s

    Parameters
    ----------
    zeta, mean, scale : array_like
        Smoothed variable :math:`\zeta`, location :math:`\mu`, scale :math:`s>0`.

    Returns
    -------
    ndarray
        Nats, elementwise.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix B. With the variance of a normal, the two distribution functions differ by at most 0.0227.
    """
    zeta, mean, scale = finite("zeta", zeta), finite("mean", mean), positive("scale", scale)
    broadcast(zeta=zeta, mean=mean, scale=scale)
    x = (zeta - mean) / scale
    return log_expit(x) + log_expit(-x) - np.log(scale)


def overlap_logistic_cdf(
    zeta: ArrayLike, logits: ArrayLike, mean_0: ArrayLike, mean_1: ArrayLike, scale: ArrayLike
) -> Array:
    r"""Distribution function of the mixture of two logistics.

    .. math:: F_q(\zeta)=A\,\sigma\Big(\frac{\zeta-\mu_0}s\Big)+q\,\sigma\Big(\frac{\zeta-\mu_1}s\Big)
              =\frac{1-q}{1+d_0m}+\frac q{1+d_1m},\quad m=e^{-\zeta/s},\ d_i=e^{\mu_i/s}

    Parameters
    ----------
    zeta, logits, mean_0, mean_1, scale : array_like
        Smoothed variable :math:`\zeta`, logits :math:`\ell` (also infinite), locations :math:`\mu_0\le\mu_1`, scale
        :math:`s>0`.

    Returns
    -------
    ndarray
        Mass below ``zeta``.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix B.
    """
    zeta, logits = real("zeta", zeta), real("logits", logits)
    mean_0, mean_1, scale = _locations(mean_0, mean_1, scale)
    broadcast(zeta=zeta, logits=logits, mean_0=mean_0, mean_1=mean_1, scale=scale)
    return expit(-logits) * expit((zeta - mean_0) / scale) + expit(logits) * expit((zeta - mean_1) / scale)


def overlap_logistic_icdf_quadratic(
    rho: ArrayLike, q: ArrayLike, mean_0: ArrayLike, mean_1: ArrayLike, scale: ArrayLike
) -> Array:
    r"""Sample of the mixture of two logistics, by the root as printed. Not for use: see below.

    .. math:: a\,m^2+b\,m+c=0,\quad a=\rho\,d_0d_1,\quad b=d_0(\rho-q)+d_1(\rho+q-1),\quad c=\rho-1,\quad
              \zeta=-s\log\frac{-b+\sqrt{b^2-4ac}}{2a}

    Parameters
    ----------
    rho, q, mean_0, mean_1, scale : array_like
        Noise :math:`0<\rho\le1`, probability :math:`q\in[0,1]`, locations :math:`\mu_0\le\mu_1`, scale :math:`s>0`.

    Returns
    -------
    ndarray
        The sample, where rounding leaves it.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Erratum: :math:`e^{\mu_1/s}` and its square overflow, and for b > 0 the root cancels. With locations 0 and 1 the
    value is lost in double precision from s = 0.0028 (b < 0) and s = 0.026 (b > 0) on. Use
    :func:`overlap_logistic_icdf`.

    Source: DVAE++, Appendix B.
    """
    rho, q = within("rho", positive("rho", rho), 0, 1), within("q", q, 0, 1)
    mean_0, mean_1, scale = _locations(mean_0, mean_1, scale)
    broadcast(rho=rho, q=q, mean_0=mean_0, mean_1=mean_1, scale=scale)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        d_0, d_1 = np.exp(mean_0 / scale), np.exp(mean_1 / scale)
        a, b, c = rho * d_0 * d_1, d_0 * (rho - q) + d_1 * (rho + q - 1), rho - 1
        return -scale * np.log((-b + np.sqrt(b**2 - 4 * a * c)) / (2 * a))


def overlap_logistic_icdf_mprime(
    rho: ArrayLike, q: ArrayLike, mean_0: ArrayLike, mean_1: ArrayLike, scale: ArrayLike
) -> Array:
    r"""Sample of the mixture of two logistics, by the change of variable that is called stable. Not for use: see below.

    .. math:: \rho\,m'^2+b'm'+(\rho-1)=0,\quad b'=e^{-\Delta}(\rho-q)+e^\Delta(\rho+q-1),\quad
              \Delta=\frac{\mu_1-\mu_0}{2s},\quad
              \zeta=\frac{\mu_0+\mu_1}2-s\log m'

    Parameters
    ----------
    rho, q, mean_0, mean_1, scale : array_like
        Noise :math:`0<\rho\le1`, probability :math:`q\in[0,1]`, locations :math:`\mu_0\le\mu_1`, scale :math:`s>0`.

    Returns
    -------
    ndarray
        The sample, where rounding leaves it.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Erratum: the change of variable halves the exponent, so that the overflow comes at half the scale (s = 0.0014 in
    double precision), and does nothing against the cancellation for b' > 0. Use :func:`overlap_logistic_icdf`.

    Source: DVAE++, Appendix B.
    """
    rho, q = within("rho", positive("rho", rho), 0, 1), within("q", q, 0, 1)
    mean_0, mean_1, scale = _locations(mean_0, mean_1, scale)
    broadcast(rho=rho, q=q, mean_0=mean_0, mean_1=mean_1, scale=scale)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        half = (mean_1 - mean_0) / (2 * scale)
        b = np.exp(-half) * (rho - q) + np.exp(half) * (rho + q - 1)
        m = (-b + np.sqrt(b**2 + 4 * rho * (1 - rho))) / (2 * rho)
        return 0.5 * (mean_0 + mean_1) - scale * np.log(m)


def overlap_logistic_icdf(
    rho: ArrayLike, logits: ArrayLike, mean_0: ArrayLike, mean_1: ArrayLike, scale: ArrayLike
) -> Array:
    r"""Sample of the mixture of two logistics.

    .. math:: B=(\rho+q-1)+e^{-\kappa}(\rho-q),\quad S=\sqrt{B^2+4\rho(1-\rho)e^{-\kappa}},\quad
              \kappa=\frac{\mu_1-\mu_0}s,
              \qquad\zeta=\begin{cases}\mu_0-s\big[\log\frac{|B|+S}2-\log\rho\big]&B<0\\
              \mu_1+s\big[\log\frac{B+S}2-\log(1-\rho)\big]&B\ge0\end{cases}

    Parameters
    ----------
    rho, logits, mean_0, mean_1, scale : array_like
        Noise :math:`\rho\in[0,1]`, logits :math:`\ell` (also infinite), locations :math:`\mu_0\le\mu_1`, scale
        :math:`s>0`.

    Returns
    -------
    ndarray
        The sample; infinite for ``rho`` 0 or 1.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix B (its quadratic, anchored at the nearer location and evaluated in logarithms).
    """
    x_0, x_1 = overlap_logistic_offsets(rho, logits, mean_0, mean_1, scale)
    mean_0, mean_1, scale = np.asarray(mean_0), np.asarray(mean_1), np.asarray(scale)
    return np.where(np.abs(x_0) < np.abs(x_1), mean_0 + scale * x_0, mean_1 + scale * x_1)


def overlap_logistic_offsets(
    rho: ArrayLike, logits: ArrayLike, mean_0: ArrayLike, mean_1: ArrayLike, scale: ArrayLike
) -> tuple[Array, Array]:
    r"""Sample of the mixture of two logistics, measured from both locations in units of the scale.

    .. math:: x_i=\frac{\zeta-\mu_i}s,\qquad x_0-x_1=\kappa=\frac{\mu_1-\mu_0}s

    Parameters
    ----------
    rho, logits, mean_0, mean_1, scale : array_like
        Noise :math:`\rho\in[0,1]`, logits :math:`\ell` (also infinite), locations :math:`\mu_0\le\mu_1`, scale
        :math:`s>0`.

    Returns
    -------
    x_0, x_1 : ndarray
        The smaller one in size resolves what a rounded :math:`\zeta\approx1` with :math:`s=10^{-6}` cannot.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: derived from DVAE++, Appendix B.
    """
    rho, logits = within("rho", rho, 0, 1), real("logits", logits)
    mean_0, mean_1, scale = _locations(mean_0, mean_1, scale)
    broadcast(rho=rho, logits=logits, mean_0=mean_0, mean_1=mean_1, scale=scale)
    kappa = (mean_1 - mean_0) / scale
    low, log_sum, _ = _overlap_logistic_root(rho, logits, kappa)
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = np.log(rho) - log_sum, log_sum - np.log1p(-rho)
    x_0 = np.where(low, left, right + kappa)
    x_0 = np.where(rho == 0, -np.inf, np.where(rho == 1, np.inf, x_0))
    return x_0, np.where(low & (rho > 0), left - kappa, np.where((rho > 0) & (rho < 1), right, x_0))


def overlap_logistic_icdf_asinh(
    rho: ArrayLike, q: ArrayLike, mean_0: ArrayLike, mean_1: ArrayLike, scale: ArrayLike
) -> Array:
    r"""Sample of the mixture of two logistics, in one closed form.

    .. math:: \zeta=\frac{\mu_0+\mu_1}2+s\Big[\frac12\log\frac\rho{1-\rho}+\operatorname{arcsinh}
              \frac{(\rho-\frac12)\cosh\Delta+(q-\frac12)\sinh\Delta}{\sqrt{\rho(1-\rho)}}\Big],\quad\Delta=\frac{\mu_1-\mu_0}{2s}

    Parameters
    ----------
    rho, q, mean_0, mean_1, scale : array_like
        Noise :math:`0<\rho<1`, probability :math:`q\in[0,1]`, locations :math:`\mu_0\le\mu_1`, scale :math:`s>0`.

    Returns
    -------
    ndarray
        The sample; accurate in double precision for s from a tenth of the distance of the locations on.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: derived from DVAE++, Appendix B; the dual of :func:`overlap_exp_icdf_asinh` under an exchange of rho and q.
    """
    rho, q = within("rho", rho, 0, 1), within("q", q, 0, 1)
    mean_0, mean_1, scale = _locations(mean_0, mean_1, scale)
    broadcast(rho=rho, q=q, mean_0=mean_0, mean_1=mean_1, scale=scale)
    half, u, v = (mean_1 - mean_0) / (2 * scale), rho - 0.5, q - 0.5
    argument = (u * np.cosh(half) + v * np.sinh(half)) / np.sqrt(rho * (1 - rho))
    return 0.5 * (mean_0 + mean_1) + scale * (0.5 * np.log(rho / (1 - rho)) + np.arcsinh(argument))


def overlap_logistic_grad(
    rho: ArrayLike, logits: ArrayLike, mean_0: ArrayLike, mean_1: ArrayLike, scale: ArrayLike
) -> tuple[Array, ...]:
    r"""Derivatives of a sample of the mixture of two logistics.

    .. math:: \frac{\partial\zeta}{\partial q}=\frac{\sigma(x_0)-\sigma(x_1)}{q(\zeta)}=\frac{s(1-e^{-\kappa})}S,\quad
              \frac{\partial\zeta}{\partial\ell}=qA\frac{\partial\zeta}{\partial q},\quad
              \frac{\partial\zeta}{\partial\rho}=\frac1{q(\zeta)}=\frac{s(1+e^{-x_0})(1+e^{x_1})}S,\quad
              \frac{\partial\zeta}{\partial\mu_1}=w_1,\quad
              \frac{\partial\zeta}{\partial\mu_0}=1-w_1,\quad\frac{\partial\zeta}{\partial s}=(1-w_1)x_0+w_1x_1,
              \qquad w_1=\frac{q\,r(\zeta\mid1)}{q(\zeta)}

    Parameters
    ----------
    rho, logits, mean_0, mean_1, scale : array_like
        Noise :math:`0<\rho<1`, logits :math:`\ell` (also infinite), locations :math:`\mu_0\le\mu_1`, scale :math:`s>0`.

    Returns
    -------
    by_q, by_logits, by_rho, by_mean_0, by_mean_1, by_scale : ndarray
        Over uniform noise the first has mean :math:`\mu_1-\mu_0` for every q.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix B.
    """
    x_0, x_1 = overlap_logistic_offsets(rho, logits, mean_0, mean_1, scale)
    rho, logits, scale = np.asarray(rho), real("logits", logits), positive("scale", scale)
    kappa = (np.asarray(mean_1) - np.asarray(mean_0)) / scale
    low, log_sum, log_s = _overlap_logistic_root(rho, logits, kappa)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # e^-x_0 and e^x_1 from the noise itself: far out a logarithm has lost the digits that its power needs.
        falling = np.where(low, np.exp(log_sum) / rho, np.exp(-kappa - log_sum) * (1 - rho))
        rising = np.where(low, np.exp(-kappa - log_sum) * rho, np.exp(log_sum) / (1 - rho))
        stretch = scale * np.exp(-log_s)
        by_q, by_rho = -np.expm1(-kappa) * stretch, (1 + falling) * (1 + rising) * stretch
        log_ratio = _logistic_log_ratio(0.5 * (x_0 + x_1), kappa)
        w_0, w_1 = (expit(sign * (logits + log_ratio)) for sign in (-1, 1))
        by_scale = w_0 * x_0 + w_1 * x_1
    return by_q, by_q * expit(logits) * expit(-logits), by_rho, w_0, w_1, by_scale


def overlap_logistic_bernoulli_limit(
    logits: ArrayLike, mean_0: ArrayLike, mean_1: ArrayLike, scale: ArrayLike
) -> tuple[Array, Array]:
    r"""How near the mixture of two logistics is to the Bernoulli variable on its locations.

    .. math:: W_1=\int|F_q(\zeta)-F_{\mathrm{Bern}}(\zeta)|\,d\zeta
              =2s\big[\log2+\log(1+e^{-\kappa})-A\log(1+e^{-x_0(c)})
              -q\log(1+e^{x_1(c)})\big]\le2s\log2,\qquad F_q(c)=A,
              \qquad P\big(\zeta>\tfrac{\mu_0+\mu_1}2\big)=q\,\sigma(\kappa/2)+A\,\sigma(-\kappa/2)

    Parameters
    ----------
    logits, mean_0, mean_1, scale : array_like
        Finite logits :math:`\ell`, locations :math:`\mu_0\le\mu_1`, scale :math:`s>0`.

    Returns
    -------
    distance, upper : ndarray
        Wasserstein distance (c cut to the interval of the locations) and the mass above their middle.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix B (the limit of small scales).
    """
    logits = finite("logits", logits)
    mean_0, mean_1, scale = _locations(mean_0, mean_1, scale)
    broadcast(logits=logits, mean_0=mean_0, mean_1=mean_1, scale=scale)
    q, a, kappa = expit(logits), expit(-logits), (mean_1 - mean_0) / scale
    # F(c) = A in closed form: c lies between the locations, or is cut off there
    middle = -0.5 * logits - np.arcsinh(np.exp(-kappa / 2) * np.sinh(logits / 2))
    c = np.clip(middle, -kappa / 2, kappa / 2)
    beyond = a * np.logaddexp(0, -c - kappa / 2) + q * np.logaddexp(0, c - kappa / 2)
    distance = 2 * scale * (np.log(2) + np.logaddexp(0, -kappa) - beyond)
    return distance, q * expit(kappa / 2) + a * expit(-kappa / 2)


def binary_concrete_logit(rho: ArrayLike, logits: ArrayLike, temperature: ArrayLike) -> Array:
    r"""Logit of a sample of the binary Concrete distribution.

    .. math:: y=\frac1\lambda\big(\ell+\operatorname{logit}\rho\big)

    Parameters
    ----------
    rho, logits, temperature : array_like
        Noise :math:`\rho\in[0,1]`, finite logits :math:`\ell`, temperature :math:`\lambda>0`.

    Returns
    -------
    ndarray
        The logit :math:`y` of the sample: it keeps what the sample loses next to 0 and 1.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix C.
    """
    rho, logits, temperature = within("rho", rho, 0, 1), finite("logits", logits), positive("temperature", temperature)
    broadcast(rho=rho, logits=logits, temperature=temperature)
    return (logits + logit(rho)) / temperature


def binary_concrete_icdf(rho: ArrayLike, logits: ArrayLike, temperature: ArrayLike) -> Array:
    r"""Sample of the binary Concrete distribution.

    .. math:: \zeta=\sigma\Big(\frac{\ell+\operatorname{logit}\rho}\lambda\Big),\qquad
              F(\zeta)=\sigma(\lambda\operatorname{logit}\zeta-\ell),\qquad P(\zeta>\tfrac12)=q

    Parameters
    ----------
    rho, logits, temperature : array_like
        Noise :math:`\rho\in[0,1]`, finite logits :math:`\ell`, temperature :math:`\lambda>0`.

    Returns
    -------
    ndarray
        The sample in [0, 1].

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    :math:`\partial\zeta/\partial q=\zeta(1-\zeta)/(\lambda q(1-q))`.

    Source: DVAE++, Appendix C.
    """
    return expit(binary_concrete_logit(rho, logits, temperature))


def binary_concrete_log_density(y: ArrayLike, logits: ArrayLike, temperature: ArrayLike) -> Array:
    r"""Log density of the logit of a binary Concrete variable.

    .. math:: \log p(y)=\log\lambda+(\lambda y-\ell)-2\log\big(1+e^{\lambda y-\ell}\big),\qquad
              \log p(\zeta)=\log p(y)-\log\zeta-\log(1-\zeta)

    Parameters
    ----------
    y, logits, temperature : array_like
        Logit :math:`y` of the sample, finite logits :math:`\ell`, temperature :math:`\lambda>0`.

    Returns
    -------
    ndarray
        Nats, elementwise. Posterior less prior at one sample is the relaxed KL used in training.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix C.
    """
    y, logits, temperature = finite("y", y), finite("logits", logits), positive("temperature", temperature)
    broadcast(y=y, logits=logits, temperature=temperature)
    x = temperature * y - logits
    return np.log(temperature) + log_expit(x) + log_expit(-x)


def gumbel_softmax(log_weights: ArrayLike, uniform: ArrayLike, temperature: float) -> Array:
    r"""Relaxed sample of a categorical variable.

    .. math:: y_k=\frac{\exp((\log\pi_k+g_k)/\lambda)}{\sum_j\exp((\log\pi_j+g_j)/\lambda)},\qquad g=-\log(-\log u)

    Parameters
    ----------
    log_weights : array_like (..., K)
        Log weights :math:`\log\pi`, up to a constant.
    uniform : array_like (..., K)
        Uniform noise :math:`u`, strictly between 0 and 1.
    temperature : float
        Temperature :math:`\lambda>0`.

    Returns
    -------
    ndarray (..., K)
        Point of the simplex; its largest entry is a categorical sample with weights :math:`\pi`.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, Appendix C.
    """
    log_weights, temperature = finite("log_weights", log_weights), positive("temperature", temperature)
    uniform = within("uniform", uniform, 0, 1)
    broadcast(log_weights=log_weights, uniform=uniform)
    if (uniform == 0).any() or (uniform == 1).any():
        raise ValueError("uniform must lie strictly between 0 and 1, got one of the ends")
    return softmax((log_weights - np.log(-np.log(uniform))) / temperature, axis=-1)


def inverse_cdf_curve(q: ArrayLike, rho: ArrayLike, family: str, setting: float) -> tuple[Array, Array]:
    r"""Sample at fixed noise as a function of the probability, with its slope: the curves of Fig. 5.

    .. math:: q\mapsto\Big(F_q^{-1}(\rho),\ \frac{\partial F_q^{-1}(\rho)}{\partial q}\Big),\qquad
              \int_0^1\frac{\partial F_q^{-1}(\rho)}{\partial q}\,dq=F_1^{-1}(\rho)-F_0^{-1}(\rho)

    Parameters
    ----------
    q, rho : array_like
        Probability :math:`q\in[0,1]`, noise :math:`\rho\in[0,1]` (0.25 in the figure).
    family : str
        ``"concrete"``, ``"spike_exp"``, ``"overlap_exp"`` or ``"overlap_logistic"`` (locations 0 and 1).
    setting : float
        Temperature, sharpness or scale of the family.

    Returns
    -------
    zeta, slope : ndarray

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Erratum: that Concrete loses its gradient where the overlapping exponentials keep theirs holds locally and for
    temperatures below 1. At temperature 1 Concrete has the larger slope at both ends of q, and every family has the
    area :math:`\zeta(q{=}1)-\zeta(q{=}0)` under its slope.

    Source: DVAE++, Appendix C, Fig. 5. The figure's settings are not in the text.
    """
    q, rho, setting = within("q", q, 0, 1), within("rho", rho, 0, 1), positive("setting", setting)
    broadcast(q=q, rho=rho)
    logits = logit(q)
    if family == "spike_exp":
        return spike_exp_icdf(rho, logits, setting), spike_exp_grad(rho, logits, setting)[0]
    if family == "overlap_exp":
        return overlap_exp_icdf(rho, logits, setting), overlap_exp_grad(rho, logits, setting)[0]
    if family == "overlap_logistic":
        return overlap_logistic_icdf(rho, logits, 0, 1, setting), overlap_logistic_grad(rho, logits, 0, 1, setting)[0]
    if family != "concrete":
        raise ValueError(f"family must be concrete, spike_exp, overlap_exp or overlap_logistic, got {family!r}")
    power, odds = 1 / setting, (rho / (1 - rho)) ** (1 / setting)
    bottom = (1 - q) ** power + odds * q**power
    with np.errstate(divide="ignore"):
        slope = power * odds * q ** (power - 1) * (1 - q) ** (power - 1) / bottom**2
    return odds * q**power / bottom, slope


def smoothing_log_ratio(zeta: ArrayLike, family: str, setting: float) -> Array:
    r"""Log ratio of the two densities of a smoothed variable.

    .. math:: \Lambda(\zeta)=\log\frac{r(\zeta\mid1)}{r(\zeta\mid0)}=\begin{cases}\beta(2\zeta-1)&\text{exponential}\\
              \kappa-2\log\frac{1+e^{-x_1}}{1+e^{-x_0}}&\text{logistic}\\ \frac{2\zeta-1}{2\sigma^2}&\text{normal}\\
              \pm\infty&\text{spike}\end{cases}

    Parameters
    ----------
    zeta : array_like
        Smoothed variable :math:`\zeta`.
    family : str
        Family, one of ``FAMILIES``.
    setting : float
        Its sharpness or its scale, > 0.

    Returns
    -------
    ndarray
        Nats, elementwise, odd about the middle; bounded by :math:`\kappa=1/s` for the logistic.

    Raises
    ------
    ValueError
        If an argument is out of its domain or NaN, or the shapes do not broadcast.

    Source: DVAE++, main text (needed for the posterior of z given its smoothed copy).
    """
    zeta, setting = finite("zeta", zeta), positive("setting", setting)
    if family == "overlap_exp":
        return setting * (2 * zeta - 1)
    if family == "normal":
        return (2 * zeta - 1) / (2 * setting**2)
    if family == "overlap_logistic":
        return _logistic_log_ratio((zeta - 0.5) / setting, 1 / setting)
    if family == "spike_exp":
        return np.where(zeta > 0, np.inf, -np.inf)
    raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {family!r}")


def _noise_arguments(*, rho: ArrayLike, logits: ArrayLike, beta: ArrayLike) -> tuple[Array, Array, Array]:
    rho, logits, beta = within("rho", rho, 0, 1), real("logits", logits), positive("beta", beta)
    broadcast(rho=rho, logits=logits, beta=beta)
    return rho, logits, beta


def _exponential_arguments(*, beta: ArrayLike, **others: ArrayLike) -> tuple[Array, ...]:
    arrays = {name: real(name, value) for name, value in others.items()}
    beta = positive("beta", beta)
    broadcast(**arrays, beta=beta)
    return *arrays.values(), beta


def _locations(mean_0: ArrayLike, mean_1: ArrayLike, scale: ArrayLike) -> tuple[Array, Array, Array]:
    mean_0, mean_1, scale = finite("mean_0", mean_0), finite("mean_1", mean_1), positive("scale", scale)
    broadcast(mean_0=mean_0, mean_1=mean_1, scale=scale)
    if not (mean_1 >= mean_0).all():
        raise ValueError(f"mean_1 must be at least mean_0, got {mean_1!r} and {mean_0!r}")
    return mean_0, mean_1, scale


def _above(rho: Array, left: Array, logits: Array) -> Array:
    """Return rho + q - 1 with left = 1 - rho from the smaller two of the four, so that none is rounded to 1 first."""
    return np.where(rho < 0.5, rho - expit(-logits), expit(logits) - left)


def _overlap_exp_root(rho: Array, left: Array, logits: Array, beta: Array) -> Array:
    """Sample of two overlapping exponentials, with left = 1 - rho."""
    q, a, d, rise = expit(logits), expit(-logits), np.exp(-beta), -np.expm1(-beta)
    b = _above(rho, left, logits) + d * (q - rho)
    s = np.hypot(b, 2 * np.sqrt(a * q) * np.exp(-beta / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        # 1 - m keeps the relative accuracy of a small sample; of the two forms of m the one without cancellation.
        w = 2 * rho * rise / (a + q * d + rho * rise + s)
        log_m = np.where(b < 0, np.log((np.abs(b) + s) / (2 * a)), np.log(2 * q / (b + s)) - beta)
        zeta = np.where(w < 0.5, -np.log1p(-w), -log_m) / beta
    return np.where(rho == 0, 0, np.where(left == 0, 1, np.clip(zeta, 0, 1)))


def _overlap_logistic_root(rho: Array, logits: Array, kappa: Array) -> tuple[NDArray[np.bool_], Array, Array]:
    """Whether B < 0 (the sample is anchored at the lower location), and the logs of (|B| + S)/2 and of S."""
    b = _above(rho, 1 - rho, logits) + np.exp(-kappa) * (rho - expit(logits))
    with np.errstate(divide="ignore", invalid="ignore"):
        # In logarithms: e^-kappa underflows from s = 0.0014 on, and S is all that is left at B = 0.
        log_root = np.log(2) + 0.5 * (np.log(rho) + np.log1p(-rho) - kappa)
        log_s = 0.5 * np.logaddexp(2 * np.log(np.abs(b)), 2 * log_root)
        log_sum = np.logaddexp(np.log(np.abs(b)), log_s) - np.log(2)
    return (b < 0) | ((b == 0) & (rho <= 0.5)), log_sum, log_s


def _logistic_log_ratio(middle: Array, kappa: Array) -> Array:
    """Log r(zeta|1) - log r(zeta|0) from the distance ``middle`` to the middle of the locations in units of scale."""
    # Of two blunt densities nearly all cancels: there from the ratio of cosh(x_0/2) and cosh(x_1/2), less 1.
    # With tanh: the powers of a far middle carry its rounding.
    middle_tanh, quarter = np.tanh(0.5 * middle), 0.25 * np.minimum(kappa, 2)
    weighted = middle_tanh * np.sinh(quarter)
    blunt = 2 * np.log1p(2 * weighted / (np.cosh(quarter) - weighted))
    # Between sharp ones |x_0| - |x_1| is twice the distance, cut off beyond the locations.
    tails = [np.log1p(np.exp(-np.abs(middle + side * 0.5 * kappa))) for side in (1, -1)]
    return np.where(kappa < 2, blunt, np.clip(2 * middle, -kappa, kappa) + 2 * (tails[0] - tails[1]))


def _slope_by_beta(zeta: Array, rest: Array, logits: Array, beta: Array) -> Array:
    """Derivative by beta of a sample of two overlapping exponentials at fixed noise, with rest = 1 - zeta."""

    def single(x: Array, y: Array) -> Array:
        """Derivative for the exponential next to 1 alone, with y = 1 - x."""
        return (x * np.exp(-beta * x) * np.expm1(-beta * y) - y * np.expm1(-beta * x)) / -(beta * np.expm1(-beta))

    with np.errstate(invalid="ignore"):
        nu_0, nu_1 = (expit(sign * (logits + beta * (zeta - rest))) for sign in (-1, 1))
        sharp = nu_1 * single(zeta, rest) - nu_0 * single(rest, zeta)
    # For small beta all terms cancel. There as an integral, in which the logit and the distance from the middle are
    # left to cancel each other, as they do in the derivative itself.
    small = np.minimum(beta, 2)
    half, middle = 0.5 * small[..., None], (0.5 * small * (zeta - rest))[..., None]
    tilt = np.tanh(0.5 * logits)[..., None]
    growth = np.sinh(half * NODES) / np.sinh(half)
    tilted = np.sinh(middle * NODES) + tilt * np.cosh(middle * NODES)
    blunt = zeta * rest * np.sum(WEIGHTS * growth * tilted / (np.cosh(middle) + tilt * np.sinh(middle)), axis=-1)
    return np.where(beta < 2, blunt, sharp)


def _blunt_log_density(zeta: Array, logits: Array, beta: Array) -> Array:
    """Log density of two overlapping exponentials for small beta, when it is nearly 0 everywhere."""
    # The density is (cosh x + tanh(l/2) sinh x) / int_0^1 cosh(beta t / 2) dt with x = beta (zeta - 1/2): both less 1.
    x = beta * (np.clip(zeta, 0, 1) - 0.5)
    excess = 2 * np.sinh(x / 2) ** 2 + np.tanh(0.5 * logits) * np.sinh(x)
    normaliser = np.sum(WEIGHTS * 2 * np.sinh(beta * NODES / 4) ** 2)
    return np.where((zeta >= 0) & (zeta <= 1), np.log1p(excess) - np.log1p(normaliser), -np.inf)


def _exponential_moments(beta: Array) -> tuple[Array, Array]:
    """Mean and variance of the exponential on [0, 1] next to 0."""
    # Their plain forms cancel for small beta: there as integrals.
    density = WEIGHTS * np.exp(-np.minimum(beta, 2)[..., None] * NODES)
    density = density / density.sum(axis=-1, keepdims=True)
    mean = np.sum(density * NODES, axis=-1)
    variance = np.sum(density * (NODES - mean[..., None]) ** 2, axis=-1)
    with np.errstate(over="ignore"):
        plain = 1 / beta - 1 / np.expm1(beta), 1 / beta**2 - 0.25 / np.sinh(beta / 2) ** 2
    return np.where(beta < 2, mean, plain[0]), np.where(beta < 2, variance, plain[1])


def _component_cdfs(zeta: Array, family: str, setting: float) -> tuple[Array, Array]:
    """R_0 and R_1 of a family."""
    if family == "spike_exp":
        return spike_exp_cdf(zeta, -np.inf, setting), spike_exp_cdf(zeta, np.inf, setting)
    if family == "overlap_exp":
        return overlap_exp_cdf(zeta, -np.inf, setting), overlap_exp_cdf(zeta, np.inf, setting)
    if family == "overlap_logistic":
        return expit(zeta / setting), expit((zeta - 1) / setting)
    return ndtr(zeta / setting), ndtr((zeta - 1) / setting)


def _component_quantiles(rho: Array, family: str, setting: float) -> tuple[Array, Array]:
    """Points between which every mixture of the two components has its quantile."""
    setting = positive("setting", setting)
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {family!r}")
    if family in ("spike_exp", "overlap_exp"):
        return np.zeros_like(rho), np.ones_like(rho)
    low = setting * (logit(rho) if family == "overlap_logistic" else ndtri(rho))
    return low, low + 1


def _bisect(mass: Callable[[Array], Array], rho: Array, low: Array, high: Array) -> Array:
    """Smallest zeta in [low, high] with mass(zeta) >= rho, to the last bit."""
    low, high = np.broadcast_to(low, rho.shape), np.broadcast_to(high, rho.shape)
    if (mass_at_low := mass(low)).shape != rho.shape:
        raise ValueError(f"shapes must broadcast to that of rho, got {mass_at_low.shape} and {rho.shape}")
    found = np.where(mass_at_low >= rho, low, high)
    done = (mass_at_low >= rho) | ~np.isfinite(low)
    # 1100 halvings reach the smallest float from 1; a hundred suffice unless the sample is next to 0.
    for _ in range(1100):
        middle = 0.5 * (low + high)
        if np.all(done | (middle == low) | (middle == high)):
            break
        reached = mass(middle) >= rho
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return np.where(done, found, high)

"""Tempered restricted Boltzmann machines: parallel tempering, its ladder, and estimates of the log partition function.

A ladder is an increasing sequence of inverse temperatures t_1 = 0 < ... < t_K = 1; at t the machine has the density
proportional to exp(-t E). Energies are always those of the untempered machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

from reference.boltzmann import _all_states, _bits, _parameters, _relative_values, energy
from reference.checks import Array, finite, integer, positive, single, within

LEAST_REJECTION = 0.01


def tempered(
    bias_left: ArrayLike, bias_right: ArrayLike, coupling: ArrayLike, inverse_temperatures: ArrayLike
) -> tuple[Array, Array, Array]:
    r"""Parameters of the machine at each inverse temperature.

    .. math:: p_t(z)\propto e^{-tE_\theta(z)}=e^{-E_{t\theta}(z)},\qquad\log Z(0)=(n_1+n_2)\log2

    Parameters
    ----------
    bias_left, bias_right, coupling : array_like (n1,), (n2,), (n1, n2)
        Parameters :math:`\theta` of the machine.
    inverse_temperatures : array_like (K,)
        Inverse temperatures :math:`t\ge0`; 0 is a fair coin per unit, 1 the machine itself.

    Returns
    -------
    bias_left, bias_right, coupling : ndarray (K, n1), (K, n2), (K, n1, n2)

    Raises
    ------
    ValueError
        If a number is not finite, the shapes do not fit, or an inverse temperature is negative or decreases.

    Source: DVAE++, Appendix G (last paragraph).
    """
    bias_left, bias_right, coupling = _parameters(bias_left, bias_right, coupling)
    ladder = _ladder(inverse_temperatures)
    return ladder[:, None] * bias_left, ladder[:, None] * bias_right, ladder[:, None, None] * coupling


def energy_moments(
    bias_left: ArrayLike, bias_right: ArrayLike, coupling: ArrayLike, inverse_temperatures: ArrayLike
) -> tuple[Array, Array]:
    r"""Exact mean and variance of the negative energy along a ladder: the derivatives of the log partition function.

    .. math:: \frac{d}{dt}\log Z(t)=\mathbb E_t[-E],\qquad\frac{d^2}{dt^2}\log Z(t)=\mathrm{Var}_t(E)

    Parameters
    ----------
    bias_left, bias_right, coupling, inverse_temperatures
        As in :func:`tempered`; both layers together have at most 20 units.

    Returns
    -------
    mean, variance : ndarray (K,)
        Nats, and nats squared.

    Raises
    ------
    ValueError
        As :func:`tempered`, or if there are more than 20 units.

    Source: derived for DVAE++, Appendix G (last paragraph).
    """
    bias_left, bias_right, coupling = _parameters(bias_left, bias_right, coupling)
    states = _all_states(len(bias_left) + len(bias_right))
    left, right = states[:, : len(bias_left)], states[:, len(bias_left) :]
    energies = energy(left, right, bias_left, bias_right, coupling)
    # Less the largest: of large energies that differ little the variance has no digits.
    best = int(np.argmin(energies))
    values = _relative_values(left, right, best, bias_left, bias_right, coupling)
    log_weights = _ladder(inverse_temperatures)[:, None] * values
    weights = np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True))
    mean = weights @ values
    return mean - energies[best], np.sum(weights * (values - mean[:, None]) ** 2, axis=1)


def swap_probability(energies: ArrayLike, inverse_temperatures: ArrayLike) -> Array:
    r"""Probability of accepting the swap of two neighbours on the ladder.

    .. math:: \alpha_k=\min\{1,\exp\big[(t_k-t_{k+1})(E_k-E_{k+1})\big]\}

    Parameters
    ----------
    energies : array_like (..., K)
        Energy :math:`E_k` of the state at each temperature.
    inverse_temperatures : array_like (K,)
        Inverse temperatures :math:`t_k`, increasing.

    Returns
    -------
    ndarray (..., K - 1)
        One where the colder of two neighbours has the higher energy.

    Raises
    ------
    ValueError
        If a number is not finite, the ladder decreases, or the shapes do not fit.

    Source: DVAE++, Appendix G (last paragraph).
    """
    energies, ladder = _on_ladder(energies, inverse_temperatures)
    return np.exp(np.minimum(0, np.diff(ladder) * np.diff(energies, axis=-1)))


def parallel_tempering(
    right: ArrayLike,
    bias_left: ArrayLike,
    bias_right: ArrayLike,
    coupling: ArrayLike,
    inverse_temperatures: ArrayLike,
    uniforms_left: ArrayLike,
    uniforms_right: ArrayLike,
    uniforms_swap: ArrayLike,
) -> tuple[Array, Array, Array]:
    r"""Parallel tempering: in each sweep a block Gibbs update at every temperature, then swaps of neighbours.

    .. math:: z^{(k)}\leftarrow\mathrm{Gibbs}_{t_k}(z^{(k)}),\qquad
              z^{(k)}\leftrightarrow z^{(k+1)}\text{ if }u_k<\alpha_k,\quad k\equiv s\ (\mathrm{mod}\ 2)

    Parameters
    ----------
    right : array_like (R, K, n2)
        Right states 0 or 1 of R independent systems, one replica per temperature.
    bias_left, bias_right, coupling, inverse_temperatures
        As in :func:`tempered`.
    uniforms_left, uniforms_right : array_like (sweeps, R, K, n1), (sweeps, R, K, n2)
        Uniform noise of the Gibbs updates, drawn by the caller.
    uniforms_swap : array_like (sweeps, R, K - 1)
        Uniform noise :math:`u` of the swaps; sweep s = 0, 1, ... uses the pairs (k, k + 1) with k - s even, k from 0.

    Returns
    -------
    left, right : ndarray (R, K, n1), (R, K, n2)
        States after the last sweep.
    energies : ndarray (sweeps, R, K)
        Energy at each temperature after the Gibbs update, before the swap.

    Raises
    ------
    ValueError
        If the states are no bits, the noise leaves [0, 1], or as :func:`tempered`.

    Source: DVAE++, Appendix G (last paragraph).
    """
    bias_left, bias_right, coupling = _parameters(bias_left, bias_right, coupling)
    ladder, right = _ladder(inverse_temperatures), _bits("right", right).copy()
    if right.ndim != 3 or right.shape[1:] != (len(ladder), len(bias_right)):
        raise ValueError(f"right must have shape (R, {len(ladder)}, {len(bias_right)}), got {right.shape}")
    uniforms_left, uniforms_right = (
        within("uniforms_left", uniforms_left, 0, 1),
        within("uniforms_right", uniforms_right, 0, 1),
    )
    uniforms_swap = within("uniforms_swap", uniforms_swap, 0, 1)
    left = np.zeros((*right.shape[:2], len(bias_left)))
    sweeps = (len(uniforms_left), len(right))
    for name, noise, shape in (
        ("uniforms_left", uniforms_left, (*sweeps, len(ladder), len(bias_left))),
        ("uniforms_right", uniforms_right, (*sweeps, len(ladder), len(bias_right))),
        ("uniforms_swap", uniforms_swap, (*sweeps, len(ladder) - 1)),
    ):
        if noise.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {noise.shape}")
    energies = np.zeros((len(uniforms_left), *right.shape[:2]))
    for sweep in range(len(energies)):
        for system in range(right.shape[0]):
            for k, t in enumerate(ladder):
                p_left = expit(t * (bias_left + coupling @ right[system, k]))
                left[system, k] = uniforms_left[sweep, system, k] < p_left
                p_right = expit(t * (bias_right + left[system, k] @ coupling))
                right[system, k] = uniforms_right[sweep, system, k] < p_right
                energies[sweep, system, k] = energy(left[system, k], right[system, k], bias_left, bias_right, coupling)
            accepted = uniforms_swap[sweep, system] < swap_probability(energies[sweep, system], ladder)
            for k in range(sweep % 2, len(ladder) - 1, 2):
                if accepted[k]:
                    left[system, [k, k + 1]] = left[system, [k + 1, k]]
                    right[system, [k, k + 1]] = right[system, [k + 1, k]]
    return left, right, energies


def adaptive_ladder(inverse_temperatures: ArrayLike, rejections: ArrayLike, rungs: int) -> Array:
    r"""Ladder on which all pairs of neighbours reject equally often.

    .. math:: \Lambda_k=\sum_{j<k}r_j,\qquad t'_m=t\Big(\frac{m}{K'-1}\Lambda_K\Big),\quad m=0..K'-1,
              \quad t(\cdot)\text{ the monotone cubic interpolant of }(\Lambda_k,t_k)

    Parameters
    ----------
    inverse_temperatures : array_like (K,)
        Ladder :math:`t_k` on which the rejections were measured, strictly increasing.
    rejections : array_like (K - 1,)
        Mean rejection :math:`r_k\in[0,1]` of each pair of neighbours. Below 0.01 it counts as 0.01 (the barrier
        :math:`\Lambda` must grow), so that without any rejection pairs keep equal shares of the old rungs.
    rungs : int
        Number :math:`K'\ge2` of temperatures of the new ladder.

    Returns
    -------
    ndarray (rungs,)
        From the same first to the same last inverse temperature.

    Raises
    ------
    ValueError
        If the ladder is not strictly increasing, a rejection leaves [0, 1], the shapes do not fit, or ``rungs`` < 2.

    Source: DVAE++, Appendix G ("adaptive number of temperatures", no details). Repeat 3 to 5 short rounds; while the
    largest rejection exceeds 0.5, use half as many rungs again. Freeze the ladder before measuring.
    """
    ladder, rejections = _rising_ladder(inverse_temperatures), within("rejections", rejections, 0, 1)
    if rejections.shape != (len(ladder) - 1,):
        raise ValueError(f"rejections must have shape ({len(ladder) - 1},), one per pair, got {rejections.shape}")
    barrier = np.concatenate([[0], np.cumsum(np.maximum(rejections, LEAST_REJECTION))])
    return PchipInterpolator(barrier, ladder)(np.linspace(0, barrier[-1], integer("rungs", rungs, 2)))


def bennett(energies: ArrayLike, energies_next: ArrayLike, difference: ArrayLike) -> Array:
    r"""Bennett's acceptance ratio: log ratio of the partition functions at two neighbouring temperatures.

    .. math:: \sum_{i=1}^{n}\frac1{1+e^{M+\delta E_i+C}}=\sum_{j=1}^{n'}\frac1{1+e^{-M-\delta E'_j-C}},
              \qquad C=\log\frac{Z_{k+1}}{Z_k},\quad M=\log\frac{n}{n'}

    Parameters
    ----------
    energies : array_like (n,)
        Energies :math:`E_i` of samples at the lower inverse temperature.
    energies_next : array_like (n',)
        Energies :math:`E'_j` of samples at the higher one.
    difference : array_like ()
        Difference :math:`\delta>0` of the inverse temperatures.

    Returns
    -------
    ndarray ()
        The root :math:`C`, in nats; both sides are monotone in it.

    Raises
    ------
    ValueError
        If a number is not finite, ``difference`` is not positive, or there is no sample.

    Source: Bennett 1976, chosen for DVAE++, Appendix G (last paragraph).
    """
    energies, energies_next = np.ravel(finite("energies", energies)), np.ravel(finite("energies_next", energies_next))
    difference = single("difference", positive("difference", difference))
    if energies.size == 0 or energies_next.size == 0:
        raise ValueError(
            f"energies must hold a sample at both temperatures, got {energies.size} and {energies_next.size}"
        )
    first_size, next_size = energies.size, energies_next.size
    shift, total = np.log(first_size / next_size), first_size + next_size

    def gap(c: float) -> float:
        t = np.tanh(0.5 * (all_values + c))
        if np.max(np.abs(t)) < 0.5:
            # Each side is nearly n n' / (n + n'); what every sample adds or takes, so that a root near 0 has digits.
            return -2 * first_size * next_size / total * np.sum(t / (total + (first_size - next_size) * t))
        # Terms near 1 are counted: what they lack of 1 has its own digits
        first, second = (shift + difference * values + c for values in (energies, energies_next))
        both = np.concatenate([first, second])
        return np.sum(first < 0) - np.sum(second >= 0) + np.where(both < 0, -expit(both), expit(-both)).sum()

    all_values = difference * np.concatenate([energies, energies_next])
    # With every exponent of one sign the sides are on a known side of each other.
    low, high = -all_values.max() - 1, -all_values.min() + 1
    return np.asarray(brentq(gap, low, high, xtol=1e-300, rtol=4 * np.finfo(float).eps, maxiter=2000))


def log_partition_bar(energies: ArrayLike, inverse_temperatures: ArrayLike, log_partition_base: ArrayLike) -> Array:
    r"""Log partition function from the energies of parallel tempering, pair by pair with Bennett's ratio.

    .. math:: \widehat{\log Z}=\log Z(t_1)+\sum_{k=1}^{K-1}C_k

    Parameters
    ----------
    energies : array_like (samples, R, K)
        Energies at each temperature, of R independent systems.
    inverse_temperatures : array_like (K,)
        Strictly increasing, as a rule from 0 to 1.
    log_partition_base : array_like ()
        Log partition function at the first one; (n1 + n2) log 2 for inverse temperature 0.

    Returns
    -------
    ndarray (R,)
        Log partition function at the last one in nats, one estimate per system. The error bar is
        that of :func:`replicates`: the errors of the pairs of one system are correlated.

    Raises
    ------
    ValueError
        If a number is not finite, the ladder does not increase strictly, or the shapes do not fit.

    Source: DVAE++, Appendix G (log Z by parallel tempering; the estimator is not named).
    """
    energies, ladder = _samples(energies, inverse_temperatures)
    base, steps = single("log_partition_base", finite("log_partition_base", log_partition_base)), np.diff(ladder)
    ratios = [sum(bennett(e[:, k], e[:, k + 1], step) for k, step in enumerate(steps)) for e in energies.swapaxes(0, 1)]
    return base + np.asarray(ratios)


def log_partition_ti(energies: ArrayLike, inverse_temperatures: ArrayLike, log_partition_base: ArrayLike) -> Array:
    r"""Log partition function by thermodynamic integration, with the corrected trapezoidal rule.

    .. math:: \widehat{\log Z}=\log Z(t_1)+\sum_k\delta_k\frac{m_k+m_{k+1}}2
              -\sum_k\frac{\delta_k^2}{12}(v_{k+1}-v_k),\quad m_k=\mathbb E_{t_k}[-E],\;v_k=\mathrm{Var}_{t_k}(E)

    Parameters
    ----------
    energies, inverse_temperatures, log_partition_base
        As in :func:`log_partition_bar`; at least two samples.

    Returns
    -------
    ndarray (R,)
        Nats, one estimate per system. The second sum (the slope of the integrand is the variance) takes the error of
        the rule from third to fifth order in the spacing of the ladder.

    Raises
    ------
    ValueError
        As :func:`log_partition_bar`, or if there are fewer than two samples.

    Source: derived for DVAE++, Appendix G (a check of the estimate by parallel tempering).
    """
    energies, ladder = _samples(energies, inverse_temperatures, at_least=2)
    steps = np.diff(ladder)
    mean, variance = -energies.mean(axis=0), energies.var(axis=0, ddof=1)
    trapezoids = steps * (mean[:, :-1] + mean[:, 1:]) / 2
    corrections = steps**2 / 12 * np.diff(variance, axis=1)
    base = single("log_partition_base", finite("log_partition_base", log_partition_base))
    return base + np.sum(trapezoids - corrections, axis=1)


def replicates(estimates: ArrayLike) -> tuple[Array, Array]:
    r"""Mean of independent estimates and its standard error.

    .. math:: \bar a=\frac1R\sum_ra_r,\qquad\mathrm{SE}=\frac1{\sqrt R}\sqrt{\frac1{R-1}\sum_r(a_r-\bar a)^2}

    Parameters
    ----------
    estimates : array_like (R,) or (R, ...)
        Estimates of R >= 2 independent systems; use at least 8.

    Returns
    -------
    mean, standard_error : ndarray () or (...)

    Raises
    ------
    ValueError
        If a number is not finite or there are fewer than two estimates.

    Source: derived for DVAE++, Section 7 (log Z is printed without an error).
    """
    estimates = finite("estimates", estimates)
    if estimates.ndim == 0 or len(estimates) < 2:
        raise ValueError(f"estimates must be of at least 2 systems (R, ...), got shape {estimates.shape}")
    return estimates.mean(axis=0), estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))


def annealed_log_weights(
    bias_left: ArrayLike,
    bias_right: ArrayLike,
    coupling: ArrayLike,
    inverse_temperatures: ArrayLike,
    uniforms_left: ArrayLike,
    uniforms_right: ArrayLike,
) -> Array:
    r"""Log weights of annealed importance sampling, the left layer summed out.

    .. math:: \log w=\sum_{k=1}^T\big[f_{t_k}(z_2^{(k-1)})-f_{t_{k-1}}(z_2^{(k-1)})\big],\qquad
              f_t(z_2)=t\,a_2^\top z_2+\sum_i\log\big(1+e^{t(a_1+Wz_2)_i}\big)

    Parameters
    ----------
    bias_left, bias_right, coupling
        As in :func:`tempered`.
    inverse_temperatures : array_like (T,)
        :math:`t_1..t_T`, not decreasing, as a rule up to 1; :math:`t_0=0` is added.
    uniforms_left : array_like (T - 1, N, n1)
        Uniform noise of the left layer of N chains, for the updates at :math:`t_1..t_{T-1}`.
    uniforms_right : array_like (T, N, n2)
        Uniform noise of the right layer; the first slice draws :math:`z_2^{(0)}` from fair coins.

    Returns
    -------
    ndarray (N,)
        Nats; the mean of :math:`2^{n_1+n_2}e^{\log w}` is Z without bias.

    Raises
    ------
    ValueError
        If a number is not finite, the noise leaves [0, 1], the ladder decreases, or the shapes do not fit.

    Source: public code of the authors, for DVAE++, Section 7 (1000 temperatures, 1024 chains).
    """
    bias_left, bias_right, coupling = _parameters(bias_left, bias_right, coupling)
    ladder = np.concatenate([[0], _ladder(inverse_temperatures)])
    uniforms_left, uniforms_right = (
        within("uniforms_left", uniforms_left, 0, 1),
        within("uniforms_right", uniforms_right, 0, 1),
    )
    steps = len(ladder) - 1
    if len(uniforms_right) != steps or len(uniforms_left) != steps - 1:
        got = f"{len(uniforms_left)} and {len(uniforms_right)}"
        raise ValueError(f"uniforms_left and uniforms_right must have lengths {steps - 1} and {steps}, got {got}")

    def increment(k: int, right: Array) -> Array:
        fields = bias_left + right @ coupling.T
        softplus = _softplus_difference(ladder[k] * fields, ladder[k + 1] * fields)
        return (ladder[k + 1] - ladder[k]) * right @ bias_right + softplus.sum(axis=1)

    right = (uniforms_right[0] < 0.5).astype(float)
    log_weights = increment(0, right)
    for k in range(1, steps):
        left = (uniforms_left[k - 1] < expit(ladder[k] * (bias_left + right @ coupling.T))).astype(float)
        right = (uniforms_right[k] < expit(ladder[k] * (bias_right + left @ coupling))).astype(float)
        log_weights = log_weights + increment(k, right)
    return log_weights


def log_partition_ais(log_weights: ArrayLike, log_partition_base: ArrayLike) -> tuple[Array, Array]:
    r"""Log partition function from the weights of annealed importance sampling, with its standard error.

    .. math:: \widehat{\log Z}=\log Z(0)+\log\bar w,\qquad
              \mathrm{SE}=\frac{\mathrm{std}(w)}{\bar w\sqrt N}

    Parameters
    ----------
    log_weights : array_like (N,)
        Log weights of N >= 2 chains.
    log_partition_base : array_like ()
        :math:`\log Z(0)`, (n1 + n2) log 2 with fair coins.

    Returns
    -------
    estimate, standard_error : ndarray ()
        Nats. The estimate is low in expectation (Jensen), and far too low without warning when the chains miss the
        heavy states: the standard error only knows the weights that were seen.

    Raises
    ------
    ValueError
        If a number is not finite or there are fewer than two chains.

    Source: public code of the authors, for DVAE++, Section 7.
    """
    log_weights = finite("log_weights", log_weights)
    if log_weights.ndim != 1 or log_weights.size < 2:
        raise ValueError(f"log_weights must be of at least 2 chains (N,), got shape {log_weights.shape}")
    log_mean = logsumexp(log_weights) - np.log(log_weights.size)
    # Weights relative to the largest: they under- and overflow themselves, and a mean of 900 is rounded at 1e-13.
    weights = np.exp(log_weights - log_weights.max())
    spread = np.std(weights, ddof=1) / (np.mean(weights) * np.sqrt(log_weights.size))
    return single("log_partition_base", finite("log_partition_base", log_partition_base)) + log_mean, spread


def _softplus_difference(first: Array, last: Array) -> Array:
    r""":math:`\log\frac{1+e^b}{1+e^a}`, where small :math:`a` and :math:`b` leave the two logs no digits."""
    step = last - first
    rising = step + np.log1p(expit(-first) * np.expm1(-np.maximum(step, 0)))
    return np.where(step > 0, rising, np.log1p(expit(first) * np.expm1(np.minimum(step, 0))))


def _ladder(inverse_temperatures: ArrayLike) -> Array:
    ladder = finite("inverse_temperatures", inverse_temperatures)
    if ladder.ndim != 1 or ladder.size == 0 or ladder[0] < 0 or (np.diff(ladder) < 0).any():
        raise ValueError(f"inverse_temperatures must be >= 0 and not decrease (K,), got {ladder.tolist()}")
    return ladder


def _rising_ladder(inverse_temperatures: ArrayLike) -> Array:
    ladder = _ladder(inverse_temperatures)
    if len(ladder) < 2 or (np.diff(ladder) <= 0).any():
        raise ValueError(f"inverse_temperatures must be at least 2 and increase strictly, got {ladder.tolist()}")
    return ladder


def _on_ladder(energies: ArrayLike, inverse_temperatures: ArrayLike) -> tuple[Array, Array]:
    energies, ladder = finite("energies", energies), _ladder(inverse_temperatures)
    if energies.ndim == 0 or energies.shape[-1] != len(ladder):
        raise ValueError(f"energies must hold {len(ladder)} temperatures in the last axis, got shape {energies.shape}")
    return energies, ladder


def _samples(energies: ArrayLike, inverse_temperatures: ArrayLike, at_least: int = 1) -> tuple[Array, Array]:
    energies, ladder = _on_ladder(energies, _rising_ladder(inverse_temperatures))
    if energies.ndim != 3 or len(energies) < at_least:
        raise ValueError(f"energies must have shape (samples >= {at_least}, R, K), got {energies.shape}")
    return energies, ladder

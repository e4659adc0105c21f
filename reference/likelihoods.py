"""Likelihoods of discrete pixels: categorical, bitwise, discretised Gaussian and logistic, mixture of logistics.

``codes`` are integer levels 0..L-1, never floats: an edge bin is chosen by its code. A grid has equidistant ``levels``
from ``low`` to ``high``; the first and the last bin reach to infinity. ``half_bin`` is half the spacing of the grid
unless given. Mixtures have images in the last axes: codes (..., C, H, W), logits (..., M, H, W), means and log scales
(..., C, M, H, W) for M components; the component is shared by the channels of a pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_ndtr, log_softmax, logsumexp, softmax

from reference.checks import Array, broadcast, finite, integer, positive, real, within
from reference.quantisation import Codes, from_bits, to_bits


def categorical(codes: ArrayLike, logits: ArrayLike) -> Array:
    r"""Log mass of a categorical variable from logits.

    .. math:: \log p(k)=a_k-\log\sum_je^{a_j}

    Parameters
    ----------
    codes : array_like of int (...)
        Levels :math:`k\in\{0..L-1\}`.
    logits : array_like (..., L)
        Logits :math:`a`.

    Returns
    -------
    ndarray (...)
        Nats per value.

    Raises
    ------
    ValueError
        If ``codes`` are not levels or ``logits`` is not finite.

    Source: sigma-VAE, Section E (256-way categorical).
    """
    logits = finite("logits", logits)
    codes = _codes(codes, logits.shape[-1])
    if broadcast(codes=codes, logits=logits[..., 0]) != logits.shape[:-1]:
        raise ValueError(f"codes must fit logits (..., L), got {codes.shape} and {logits.shape}")
    codes = np.broadcast_to(codes, logits.shape[:-1])[..., None]
    chosen, others = np.take_along_axis(logits, codes, axis=-1)[..., 0], logits.copy()
    np.put_along_axis(others, codes, -np.inf, axis=-1)
    # log p = -log(1 + sum of the others' odds): a_k - logsumexp(a) has no digits next to p = 1.
    return -np.logaddexp(0, logsumexp(others, axis=-1) - chosen)


def bitwise(codes: ArrayLike, logits: ArrayLike) -> Array:
    r"""Log mass of a level whose bits are independent Bernoulli variables.

    .. math:: \log p(k)=\sum_{j=0}^{n-1}\big[b_ja_j-\log(1+e^{a_j})\big],\qquad b_j=\lfloor k/2^j\rfloor\bmod2

    Parameters
    ----------
    codes : array_like of int (...)
        Levels :math:`k\in\{0..2^n-1\}`.
    logits : array_like (..., n)
        Logit :math:`a_j` of each bit, least significant first.

    Returns
    -------
    ndarray (...)
        Nats per value; normalised over the 2^n levels.

    Raises
    ------
    ValueError
        If ``codes`` are not levels or ``logits`` is not finite.

    Source: sigma-VAE, Section E (bitwise-categorical). It cannot represent dependence between the bits of a value.
    """
    logits = finite("logits", logits)
    digits = to_bits(_codes(codes, 2 ** logits.shape[-1]), logits.shape[-1])
    broadcast(codes=digits, logits=logits)
    # log F(a) for a one, log F(-a) for a zero; logaddexp does not overflow.
    return -np.sum(np.logaddexp(0, np.where(digits == 1, -logits, logits)), axis=-1)


def discretised_gaussian(
    codes: ArrayLike, mean: ArrayLike, scale: ArrayLike, levels: int = 256, low: float = 0.0, high: float = 1.0
) -> Array:
    r"""Log mass of a level under a Gaussian, with the tails in the edge bins.

    .. math:: \log\big[\Phi(t^+)-\Phi(t^-)\big],\quad t^\pm=\frac{c_k\pm\Delta/2-\mu}\sigma;\qquad
              \log\Phi(t^+)\ (k=0),\quad\log\Phi(-t^-)\ (k=L-1)

    Parameters
    ----------
    codes : array_like of int
        Levels :math:`k`, with values :math:`c_k`.
    mean, scale : array_like
        Mean :math:`\mu` and standard deviation :math:`\sigma>0`.
    levels : int
        Number of levels :math:`L\ge2`.
    low, high : float
        Values of the first and the last level; :math:`\Delta` is the spacing.

    Returns
    -------
    ndarray
        Nats per value, of the broadcast shape.

    Raises
    ------
    ValueError
        If ``codes`` are not levels, ``mean`` or ``scale`` is not finite, ``scale`` is not positive, or the shapes do
        not broadcast.

    Source: sigma-VAE, Table 4 and Section E.
    """
    offset, half, scale, codes = _offsets(codes, mean, scale, levels, low, high, None)
    offset, half = offset / scale, half / scale
    # The mirror image has the same mass; on the lower side log Phi keeps its digits.
    flip = np.where(codes == 0, 1.0, np.where(codes == levels - 1, -1.0, -np.sign(offset) + (offset == 0)))
    centre = flip * offset
    edge = (codes == 0) | (codes == levels - 1)
    upper, lower = log_ndtr(centre + half), log_ndtr(np.where(edge, -np.inf, centre - half))
    # A bin that is narrow for the density: Phi(t+) and Phi(t-) agree in their first digits, the integral does not.
    narrow = ~edge & (2 * half * (1 + np.abs(centre)) < 1)
    wide = upper + _log1mexp(np.where(narrow, 1.0, upper - lower))
    return np.where(narrow, _narrow_log_mass(np.where(narrow, centre, 0), np.where(narrow, half, 1)), wide)


def discretised_logistic(
    codes: ArrayLike,
    mean: ArrayLike,
    scale: ArrayLike,
    levels: int = 256,
    low: float = 0.0,
    high: float = 1.0,
    half_bin: float | None = None,
) -> Array:
    r"""Log mass of a level under a logistic distribution, with the tails in the edge bins.

    .. math:: \log\big[F(a)-F(b)\big]=\log F(a)+\log F(-b)+\log\big(1-e^{-(a-b)}\big),\quad
              a,b=\frac{c_k\pm h-\mu}s;\qquad\log F(a)\ (k=0),\quad\log F(-b)\ (k=L-1)

    Parameters
    ----------
    codes : array_like of int
        Levels :math:`k`, with values :math:`c_k`.
    mean, scale : array_like
        Location :math:`\mu` and scale :math:`s>0`; the standard deviation is :math:`s\pi/\sqrt3`.
    levels : int
        Number of levels :math:`L\ge2`.
    low, high : float
        Values of the first and the last level.
    half_bin : float, optional
        Half width :math:`h>0` of a bin; half the spacing unless given. Anything else is not normalised.

    Returns
    -------
    ndarray
        Nats per value, of the broadcast shape.

    Raises
    ------
    ValueError
        If ``codes`` are not levels, ``mean`` or ``scale`` is not finite, ``scale`` or ``half_bin`` is not positive, or
        the shapes do not broadcast.

    Source: sigma-VAE, Table 4 and Section E; Kingma et al. 2016.
    """
    offset, half, scale, codes = _offsets(codes, mean, scale, levels, low, high, half_bin)
    a, b = (offset + half) / scale, (offset - half) / scale
    # F(a) - F(b) = F(a) F(-b) (1 - exp(b - a)) exactly; the difference of the values of F is 0 in both tails.
    below, above = -np.logaddexp(0, -a), -np.logaddexp(0, b)
    inside = below + above + _log1mexp(2 * half / scale)
    return np.where(codes == 0, below, np.where(codes == levels - 1, above, inside))


def thresholded_logistic(
    codes: ArrayLike,
    mean: ArrayLike,
    scale: ArrayLike,
    levels: int = 256,
    half_bin: float | None = None,
    bottom: float = -0.999,
    top: float = 0.999,
    high: float = 1.0,
) -> Array:
    r"""Log mass of a level in the form of the public codes: a density where the difference is small, edges by value.

    .. math:: \log\max(F(a)-F(b),10^{-12})\ \text{if }F(a)-F(b)>10^{-5},\quad
              u-\log s-2\log(1+e^u)+\log2h\ \text{else},\quad u=\frac{x-\mu}s

    Parameters
    ----------
    codes : array_like of int
        Levels, with values :math:`x` from -1 to ``high``.
    mean, scale : array_like
        Location :math:`\mu` and scale :math:`s>0`.
    levels : int
        Number of levels :math:`L\ge2`.
    half_bin : float, optional
        Half width :math:`h` of a bin, 1/(L - 1) unless given.
    bottom, top : float
        A value below ``bottom`` takes log F(a), one above ``top`` takes log F(-b).
    high : float
        Value of the last level.

    Returns
    -------
    ndarray
        Nats per value: not normalised. Where the density is taken it is too low by w/2 + log(1 - e^-w) - log w, with
        w = 2h/s, deep in a tail.

    Raises
    ------
    ValueError
        As :func:`discretised_logistic`.

    Source: public codes of PixelCNN++, VDVAE, Efficient-VDVAE (edges 0.999) and NVAE (top edge 0.99: with 8 bits the
    levels 254 and 255 then both take everything above, and the masses sum to more than one).
    """
    half_bin = 1 / (integer("levels", levels, 2) - 1) if half_bin is None else half_bin
    offset, half, scale, codes = _offsets(codes, mean, scale, levels, -1.0, high, half_bin)
    bottom, top = real("bottom", bottom), real("top", top)
    value = _level_values(codes, levels, -1.0, high)
    a, b, u = (offset + half) / scale, (offset - half) / scale, offset / scale
    # F(a) - F(b); its plain form has few digits next to the threshold.
    difference = expit(a) * expit(-b) * -np.expm1(-2 * half / scale)
    density = u - np.log(scale) - 2 * np.logaddexp(0, u) + np.log(2 * half)
    inside = np.where(difference > 1e-5, np.log(np.maximum(difference, 1e-12)), density)
    return np.where(value < bottom, -np.logaddexp(0, -a), np.where(value > top, -np.logaddexp(0, b), inside))


def mixture_of_logistics(
    codes: ArrayLike,
    logits: ArrayLike,
    means: ArrayLike,
    log_scales: ArrayLike,
    coefficients: ArrayLike | None = None,
    levels: int = 256,
    low: float = -1.0,
    high: float = 1.0,
    half_bin: float | None = None,
    floor: float = -np.inf,
) -> Array:
    r"""Log mass of pixels under a mixture of discretised logistics, whose component the channels share.

    .. math:: \log p(x)=\log\sum_m\pi_m\prod_cP(x_c;\mu_{cm},s_{cm}),\qquad\pi=\mathrm{softmax}(a),\quad
              \mu_1=m_1,\;\mu_2=m_2+\tanh(r_1)x_1,\;\mu_3=m_3+\tanh(r_2)x_1+\tanh(r_3)x_2

    Parameters
    ----------
    codes : array_like of int (..., C, H, W)
        Levels of the pixels, with values :math:`x`; P is :func:`discretised_logistic`.
    logits : array_like (..., M, H, W)
        Mixture logits :math:`a`.
    means, log_scales : array_like (..., C, M, H, W)
        Locations :math:`m` and logarithms of the scales :math:`s`.
    coefficients : array_like (..., 3, M, H, W), optional
        Coefficients :math:`r` before tanh (three channels only): green from red, blue from red, blue from green.
        Without them the channels are independent given the component.
    levels : int
        Number of levels.
    low, high : float
        Values of the first and the last level.
    half_bin : float, optional
        Half width of a bin; half the spacing unless given.
    floor : float
        Least log scale: smaller ones count as this one.

    Returns
    -------
    ndarray (..., H, W)
        Nats per pixel, all channels together.

    Raises
    ------
    ValueError
        If ``codes`` are not levels, an array is not finite, shapes disagree, or coefficients are given for other than
        three channels.

    Source: sigma-VAE, Section E; Efficient-VDVAE, Sections 4.2 and 6; NVAE and DVAE++ public settings.
    """
    logits, means, log_scales = finite("logits", logits), finite("means", means), finite("log_scales", log_scales)
    codes, low, high = _codes(codes, levels), float(finite("low", low)), float(finite("high", high))
    if means.ndim < 4 or logits.ndim < 3 or means.shape[-3] != logits.shape[-3] or means.shape[-4] != codes.shape[-3]:
        raise ValueError(
            "codes must be (..., C, H, W), logits (..., M, H, W), means (..., C, M, H, W), "
            f"got {codes.shape}, {logits.shape}, {means.shape}"
        )
    if coefficients is not None:
        x: NDArray[Any] = _level_values(codes[..., None, :, :], levels, low, high)
        means = means + _from_earlier_channels(x, finite("coefficients", coefficients))
    scales = np.exp(np.maximum(log_scales, real("floor", floor)))
    masses = discretised_logistic(codes[..., None, :, :], means, scales, levels, low, high, half_bin)
    masses = masses.sum(axis=-4)
    rest = np.sum(softmax(logits, axis=-3) * np.expm1(masses), axis=-3)
    # The log of a sum next to 1 has few digits; 1 plus a sum of small terms of one sign has them all.
    return np.where(
        rest > -0.5, np.log1p(np.maximum(rest, -0.5)), logsumexp(log_softmax(logits, axis=-3) + masses, axis=-3)
    )


def split_mixture(outputs: ArrayLike, components: int, channels: int, coefficients: bool) -> tuple[Array, ...]:
    r"""Parameters of a mixture of logistics from the channels of a network's output.

    .. math:: M+C\cdot PM\ \text{channels: first }a_{1..M},\text{ then for each colour }
              m_{1..M},\;\log s_{1..M},\;r_{1..M},\qquad P=2\text{ or }3

    Parameters
    ----------
    outputs : array_like (..., M (1 + P C), H, W)
        Output of the last layer.
    components : int
        Components :math:`M\ge1`.
    channels : int
        Colours :math:`C\ge1`.
    coefficients : bool
        Whether each colour also holds coefficients :math:`r` (P = 3).

    Returns
    -------
    logits : ndarray (..., M, H, W)
    means, log_scales : ndarray (..., C, M, H, W)
    coefficients : ndarray (..., C, M, H, W)
        Only if asked for.

    Raises
    ------
    ValueError
        If the number of channels is another one.

    Source: Efficient-VDVAE, Section 4.2 (100 channels for 10 components); PixelCNN++ layout.
    """
    outputs = finite("outputs", outputs)
    components, channels = integer("components", components, 1), integer("channels", channels, 1)
    kinds = 3 if coefficients else 2
    expected = components * (1 + kinds * channels)
    if outputs.ndim < 3 or outputs.shape[-3] != expected:
        raise ValueError(f"outputs must be (..., {expected}, H, W), got shape {outputs.shape}")
    logits, rest = np.split(outputs, [components], axis=-3)
    *batch, _, height, width = outputs.shape
    rest = rest.reshape(*batch, channels, kinds, components, height, width)
    return (logits, *(rest[..., i, :, :, :] for i in range(kinds)))


def mixture_log_scale(activation: ArrayLike, slope: ArrayLike, floor: float = -np.inf, form: str = "softplus") -> Array:
    r"""Log scale of a logistic from a network's output: smoothed or exponential, with a floor.

    .. math:: \log s=\max\Big(\log\frac{\log(1+e^{\beta y})}\beta,\;\ell_{\min}\Big)\ \text{(softplus)},\qquad
              \log s=\beta\max(y,\ell_{\min})\ \text{(exponential)}

    Parameters
    ----------
    activation : array_like
        Output :math:`y` of the network.
    slope : array_like
        Slope :math:`\beta>0`; log 2 and 0.4 in Efficient-VDVAE, 1 for a plain log scale.
    floor : float
        Least log scale :math:`\ell_{\min}` (least activation in the exponential form); -7 in VDVAE and NVAE.
    form : {"softplus", "exponential"}

    Returns
    -------
    ndarray
        :math:`\log s`.

    Raises
    ------
    ValueError
        If ``activation`` is not finite, ``slope`` is not positive, or ``form`` is unknown.

    Source: Efficient-VDVAE, Sections 4.2 and 6. Erratum: the public floor of -250 is none in float32, where exp(-250)
    is 0.
    """
    activation, slope, floor = finite("activation", activation), positive("slope", slope), real("floor", floor)
    broadcast(activation=activation, slope=slope)
    if form == "exponential":
        return slope * np.maximum(activation, floor)
    if form != "softplus":
        raise ValueError(f"form must be 'softplus' or 'exponential', got {form!r}")
    u = slope * activation
    # log(1 + e^u) underflows for u < -745; there its logarithm is u - e^u / 2 to all digits.
    small = u < -30
    log_softplus = np.where(small, u - 0.5 * np.exp(np.minimum(u, 0)), np.log(np.logaddexp(0, np.where(small, 0, u))))
    return np.maximum(log_softplus - np.log(slope), floor)


def scale_gradient(
    codes: ArrayLike,
    mean: ArrayLike,
    scale: ArrayLike,
    levels: int = 256,
    low: float = -1.0,
    high: float = 1.0,
    half_bin: float | None = None,
) -> Array:
    r"""Derivative of the log mass of a discretised logistic with respect to its scale.

    .. math:: \frac{\partial\log P}{\partial s}=-\frac{af(a)-bf(b)}{s\,(F(a)-F(b))},\qquad f=F(1-F)

    Parameters
    ----------
    codes : array_like of int
        Levels; arguments :math:`a,b` as in :func:`discretised_logistic`.
    mean, scale : array_like
        Location and scale :math:`s>0`.
    levels : int
        Number of levels.
    low, high : float
        Values of the first and the last level.
    half_bin : float, optional
        Half width of a bin; half the spacing unless given.

    Returns
    -------
    ndarray
        Nats per unit of scale; times 1 - exp(-beta s) it is the derivative with respect to a smoothed scale's input.

    Raises
    ------
    ValueError
        As :func:`discretised_logistic`.

    Source: Efficient-VDVAE, Section 4.2 ("sharp gradients").
    """
    offset, half, scale, codes = _offsets(codes, mean, scale, levels, low, high, half_bin)
    a, b, d = (offset + half) / scale, (offset - half) / scale, 2 * half / scale
    # f(a) / (F(a) - F(b)) = F(-a) + 1 / (e^d - 1), and with -b for a likewise: the quotient itself is 0/0 in the tails.
    below, above = a * expit(-a), -b * expit(b)
    with np.errstate(over="ignore"):
        inside = below + above + d / np.expm1(d)
    return -np.where(codes == 0, below, np.where(codes == levels - 1, above, inside)) / scale


def total_mass(
    mean: ArrayLike,
    scale: ArrayLike,
    levels: int = 256,
    low: float = -1.0,
    high: float = 1.0,
    half_bin: float | None = None,
) -> Array:
    r"""Sum of the masses of all levels under a discretised logistic.

    .. math:: M(\mu,s)=\sum_{k=0}^{L-1}P(k)
              =1+\sum_{k=0}^{L-2}\Big[F\Big(\frac{c_k+h-\mu}s\Big)-F\Big(\frac{c_{k+1}-h-\mu}s\Big)\Big]

    Parameters
    ----------
    mean, scale : array_like
        Location :math:`\mu` and scale :math:`s>0`.
    levels : int
        Number of levels :math:`L`.
    low, high : float
        Values of the first and the last level.
    half_bin : float, optional
        Half width :math:`h` of a bin; half the spacing unless given.

    Returns
    -------
    ndarray
        1 for the proper half bin; up to 2 for overlapping bins.

    Raises
    ------
    ValueError
        As :func:`discretised_logistic`.

    Source: derived for Efficient-VDVAE, Section 6.2. Erratum: the 5-bit likelihoods of the public code are not
    normalised, and the more so the smaller the scale.
    """
    mean, scale = finite("mean", mean), positive("scale", scale)
    codes = np.arange(integer("levels", levels, 2))
    masses = discretised_logistic(codes, mean[..., None], scale[..., None], levels, low, high, half_bin)
    return np.exp(masses).sum(axis=-1)


def mixture_sample(
    logits: ArrayLike,
    means: ArrayLike,
    log_scales: ArrayLike,
    coefficients: ArrayLike | None,
    component_noise: ArrayLike,
    noise: ArrayLike,
    low: float = -1.0,
    high: float = 1.0,
    temperature: float = 1.0,
    margin: float = 1e-5,
) -> Array:
    r"""Draw pixels from a mixture of logistics: one component per pixel, then the channels in order.

    .. math:: m^*=\operatorname{arg\,max}_m\big[a_m/T-\log(-\log U_m)\big],\quad
              x_c=\mathrm{clip}\big(\mu_{cm^*}(x_{<c})+T\,s_{cm^*}\log\tfrac u{1-u}\big)

    Parameters
    ----------
    logits : array_like (..., M, H, W)
        Mixture logits :math:`a`.
    means, log_scales : array_like (..., C, M, H, W)
        Locations and logarithms of the scales :math:`s`.
    coefficients : array_like (..., 3, M, H, W), optional
        As in :func:`mixture_of_logistics`; they act on the clipped draws of the earlier channels.
    component_noise : array_like (..., M, H, W)
        Uniform noise :math:`U` in [0, 1].
    noise : array_like (..., C, H, W)
        Uniform noise :math:`u` in [0, 1].
    low, high : float
        Ends to which each channel is clipped.
    temperature : float
        Temperature :math:`T>0`.
    margin : float
        Noise is mapped to [margin, 1 - margin]; 1e-5 bounds the logistic noise by 11.51.

    Returns
    -------
    ndarray (..., C, H, W)
        Values in [low, high], not rounded to levels.

    Raises
    ------
    ValueError
        If an array is not finite, noise leaves [0, 1], ``temperature`` is not positive or ``margin`` leaves (0, 0.5).

    Source: Efficient-VDVAE (generation); NVAE public code. Erratum: the latter divides the noise by its temperature.
    """
    logits, means, log_scales = finite("logits", logits), finite("means", means), finite("log_scales", log_scales)
    temperature, margin = positive("temperature", temperature), within("margin", positive("margin", margin), 0, 0.5)
    gumbel, logistic = (
        margin + (1 - 2 * margin) * within(n, u, 0, 1)
        for n, u in (("component_noise", component_noise), ("noise", noise))
    )
    broadcast(logits=logits, component_noise=gumbel)
    chosen = np.argmax(logits / temperature - np.log(-np.log(gumbel)), axis=-3)[..., None, None, :, :]

    def pick(values: Array) -> Array:
        return np.take_along_axis(values, chosen, axis=-3)[..., 0, :, :]

    low, high = real("low", low), real("high", high)
    if means.ndim < 4 or log_scales.shape != means.shape:
        raise ValueError(f"means, log_scales must both be (..., C, M, H, W), got {means.shape}, {log_scales.shape}")
    broadcast(means=means[..., 0, :, :], noise=logistic)
    drawn = pick(means) + temperature * np.exp(pick(log_scales)) * (np.log(logistic) - np.log1p(-logistic))
    if coefficients is None:
        return _in_order(drawn, None, low, high)
    coefficients = finite("coefficients", coefficients)
    if coefficients.shape != means.shape or means.shape[-4] != 3:
        raise ValueError(f"coefficients and means must be (..., 3, M, H, W), got {coefficients.shape}, {means.shape}")
    return _in_order(drawn, np.tanh(pick(coefficients)), low, high)


def mixture_mean(
    logits: ArrayLike, means: ArrayLike, coefficients: ArrayLike | None = None, low: float = -1.0, high: float = 1.0
) -> Array:
    r"""Averaged location of a mixture of logistics, the picture that public codes show as its mean.

    .. math:: \bar m_c=\sum_m\pi_mm_{cm},\quad\bar r=\sum_m\pi_m\tanh(r_m),\qquad
              x_c=\mathrm{clip}\big(\bar m_c+\bar r\,x_{<c}\big)

    Parameters
    ----------
    logits : array_like (..., M, H, W)
        Mixture logits, :math:`\pi=\mathrm{softmax}`.
    means : array_like (..., C, M, H, W)
        Locations :math:`m`.
    coefficients : array_like (..., 3, M, H, W), optional
        Coefficients :math:`r` before tanh.
    low, high : float
        Ends to which each channel is clipped.

    Returns
    -------
    ndarray (..., C, H, W)
        Not the mean of the mixture: clipping and the products of averages are in the way.

    Raises
    ------
    ValueError
        If an array is not finite.

    Source: NVAE public code.
    """
    logits, means, low, high = finite("logits", logits), finite("means", means), real("low", low), real("high", high)
    weights = softmax(logits, axis=-3)[..., None, :, :, :]
    broadcast(logits=weights, means=means)
    ratios = None
    if coefficients is not None:
        ratios = (weights * np.tanh(finite("coefficients", coefficients))).sum(axis=-3)
    return _in_order((weights * means).sum(axis=-3), ratios, low, high)


def categorical_sample(logits: ArrayLike, noise: ArrayLike) -> Codes:
    r"""Draw levels from a categorical distribution (Gumbel maximum).

    .. math:: k=\operatorname{arg\,max}_j\big[a_j-\log(-\log U_j)\big]

    Parameters
    ----------
    logits : array_like (..., L)
        Logits :math:`a`.
    noise : array_like (..., L)
        Uniform noise :math:`U` in (0, 1).

    Returns
    -------
    ndarray of int (...)

    Raises
    ------
    ValueError
        If ``logits`` is not finite or ``noise`` leaves (0, 1).

    Source: sigma-VAE, Section E (draws of the categorical decoder).
    """
    logits = finite("logits", logits)
    noise, _ = positive("noise", noise), positive("1 - noise", 1 - finite("noise", noise))
    broadcast(logits=logits, noise=noise)
    return np.argmax(logits - np.log(-np.log(noise)), axis=-1)


def categorical_mean(logits: ArrayLike) -> Array:
    r"""Mean level of a categorical distribution.

    .. math:: \mathbb E[k]=\sum_kk\,\mathrm{softmax}(a)_k

    Parameters
    ----------
    logits : array_like (..., L)
        Logits :math:`a`.

    Returns
    -------
    ndarray (...)
        In [0, L - 1].

    Raises
    ------
    ValueError
        If ``logits`` is not finite.

    Source: sigma-VAE, Section E (display of the categorical decoder).
    """
    weights = softmax(finite("logits", logits), axis=-1)
    return np.sum(np.arange(weights.shape[-1]) * weights, axis=-1)


def bitwise_sample(logits: ArrayLike, noise: ArrayLike) -> Codes:
    r"""Draw levels bit by bit.

    .. math:: b_j=\mathbb 1\big[U_j<F(a_j)\big],\qquad k=\sum_j2^jb_j

    Parameters
    ----------
    logits : array_like (..., n)
        Logit :math:`a_j` of each bit, least significant first; F is the logistic function.
    noise : array_like (..., n)
        Uniform noise :math:`U` in [0, 1].

    Returns
    -------
    ndarray of int (...)

    Raises
    ------
    ValueError
        If ``logits`` is not finite or ``noise`` leaves [0, 1].

    Source: sigma-VAE, Section E (draws of the bitwise decoder).
    """
    logits, noise = finite("logits", logits), within("noise", noise, 0, 1)
    broadcast(logits=logits, noise=noise)
    return from_bits(noise < expit(logits))


def bitwise_mean(logits: ArrayLike) -> Array:
    r"""Mean level of independent bits.

    .. math:: \mathbb E[k]=\sum_{j=0}^{n-1}2^jF(a_j)

    Parameters
    ----------
    logits : array_like (..., n)
        Logit :math:`a_j` of each bit, least significant first; F is the logistic function.

    Returns
    -------
    ndarray (...)
        In [0, 2^n - 1].

    Raises
    ------
    ValueError
        If ``logits`` is not finite.

    Source: sigma-VAE, Section E (display of the bitwise decoder).
    """
    chances = expit(finite("logits", logits))
    return np.sum(2.0 ** np.arange(chances.shape[-1]) * chances, axis=-1)


def logistic_sample(mean: ArrayLike, scale: ArrayLike, noise: ArrayLike) -> Array:
    r"""Draw from a logistic distribution by its inverse distribution function.

    .. math:: x=\mu+s\,\big(\log u-\log(1-u)\big)

    Parameters
    ----------
    mean, scale : array_like
        Location :math:`\mu` and scale :math:`s>0`.
    noise : array_like
        Uniform noise :math:`u` in (0, 1).

    Returns
    -------
    ndarray
        To be clipped and rounded to a level: :func:`reference.quantisation.nearest_code`.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` is not positive, ``noise`` leaves (0, 1), or the shapes do not
        broadcast.

    Source: sigma-VAE, Section E (draws of the discretised logistic).
    """
    mean, scale, noise = finite("mean", mean), positive("scale", scale), positive("noise", noise)
    positive("1 - noise", 1 - noise)
    broadcast(mean=mean, scale=scale, noise=noise)
    return mean + scale * (np.log(noise) - np.log1p(-noise))


def _codes(codes: ArrayLike, levels: int) -> Codes:
    codes = within("codes", codes, 0, integer("levels", levels, 2) - 1)
    if (codes != np.floor(codes)).any():
        raise ValueError(f"codes must be integers, got {float(codes[codes != np.floor(codes)][0])!r}")
    return codes.astype(np.int64)


def _offsets(
    codes: ArrayLike,
    mean: ArrayLike,
    scale: ArrayLike,
    levels: int,
    low: float,
    high: float,
    half_bin: float | None,
) -> tuple[Array, Array, Array, Codes]:
    """Distance of each level from the mean, the half width of a bin, and the checked scale and codes."""
    codes, mean, scale = _codes(codes, levels), finite("mean", mean), positive("scale", scale)
    broadcast(codes=codes, mean=mean, scale=scale)
    spacing = positive("high - low", finite("high", high) - finite("low", low)) / (levels - 1)
    half = spacing / 2 if half_bin is None else positive("half_bin", half_bin)
    return _level_values(codes, levels, low, high) - mean, half, scale, codes


def _level_values(codes: Codes, levels: int, low: float, high: float) -> Array:
    """Values of levels as weighted means of the two ends: sums of rounded spacings lose the digits of those near 0."""
    return np.asarray((low * (levels - 1 - codes) + high * codes) / (levels - 1))


def _log1mexp(d: Array) -> Array:
    """log(1 - exp(-d)) for d > 0: each form where it keeps its digits."""
    with np.errstate(over="ignore"):
        return np.where(d < np.log(2), np.log(-np.expm1(-d)), np.log1p(-np.exp(-d)))


def _narrow_log_mass(centre: Array, half: Array) -> Array:
    """Log of the standard Gaussian mass of [centre - half, centre + half] by Gauss-Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    values = np.exp(-(half[..., None] * nodes) * (centre[..., None] + 0.5 * half[..., None] * nodes))
    return np.log(half * (values @ weights)) - 0.5 * centre**2 - 0.5 * np.log(2 * np.pi)


def _from_earlier_channels(x: Array, coefficients: Array) -> Array:
    """What the observed earlier channels add to the locations; ``x`` has shape (..., 3, 1, H, W)."""
    if x.shape[-4] != 3 or coefficients.ndim < 4 or coefficients.shape[-4] != 3:
        shapes = f"{x.shape[-4]} channels and coefficients {coefficients.shape}"
        raise ValueError(f"coefficients must be (..., 3, M, H, W) for three channels, got {shapes}")
    r = np.tanh(coefficients)
    red, green = x[..., 0, :, :, :], x[..., 1, :, :, :]
    green_shift = r[..., 0, :, :, :] * red
    blue_shift = r[..., 1, :, :, :] * red + r[..., 2, :, :, :] * green
    return np.stack([np.zeros_like(green_shift), green_shift, blue_shift], axis=-4)


def _in_order(values: Array, ratios: Array | None, low: Array, high: Array) -> Array:
    """Clip the channels one after the other, each after the contribution of the clipped earlier ones."""
    if ratios is None:
        return np.clip(values, low, high)
    red = np.clip(values[..., 0, :, :], low, high)
    green = np.clip(values[..., 1, :, :] + ratios[..., 0, :, :] * red, low, high)
    blue = values[..., 2, :, :] + ratios[..., 1, :, :] * red + ratios[..., 2, :, :] * green
    return np.stack([red, green, np.clip(blue, low, high)], axis=-3)

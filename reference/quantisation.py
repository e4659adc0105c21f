"""Grids of pixel levels: bins, rounding, bits, and what a density says about the mass of a bin."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Array, broadcast, finite, integer, positive, within

Codes = NDArray[np.int64]


def bin_edges(
    levels: int, low: float = 0.0, high: float = 1.0, convention: str = "centred"
) -> tuple[Array, Array, Array]:
    r"""Bins of a pixel grid; the first and the last one reach to infinity.

    .. math:: c_k=x_0+k\Delta,\quad\Delta=\frac{x_1-x_0}{L-1},\qquad
              \text{bin }k=\Big[c_k-\frac\Delta2,\,c_k+\frac\Delta2\Big],\quad
              \text{bin }0=\Big(-\infty,\,x_0+\frac\Delta2\Big],\quad
              \text{bin }L-1=\Big[x_1-\frac\Delta2,\,\infty\Big)

    Parameters
    ----------
    levels : int
        Number of levels :math:`L\ge2`.
    low, high : float
        Values :math:`x_0<x_1` of the first and the last level.
    convention : {"centred", "left"}
        ``"left"`` is the grid of k/L: bin k is [c_k, c_k + width) with width (high - low)/L, so that ``high`` is the
        upper edge of the last bin and not a level.

    Returns
    -------
    values, lower, upper : ndarray (L,)
        Value of each level, lower and upper edge of its bin.

    Raises
    ------
    ValueError
        If ``levels`` is not an integer >= 2, ``high`` is not above ``low``, or ``convention`` is unknown.

    Source: sigma-VAE, Section E. Erratum: the first and last bins include (-inf, 0] and [1, inf), they do not equal
    them: 254 bins would be left for the open interval and their centres would miss the levels.
    """
    levels, span = integer("levels", levels, 2), positive("high - low", finite("high", high) - finite("low", low))
    if convention not in ("centred", "left"):
        raise ValueError(f"convention must be 'centred' or 'left', got {convention!r}")
    left = convention == "left"
    width = span / (levels if left else levels - 1)
    values = low + np.arange(levels) * width
    edges = low + (np.arange(1, levels) - (0 if left else 0.5)) * width
    return values, np.concatenate([[-np.inf], edges]), np.concatenate([edges, [np.inf]])


def quantise(x: ArrayLike, levels: int) -> Codes:
    r"""Level of a real intensity: the unit interval cut into equal parts.

    .. math:: k=\min(\lfloor xL\rfloor,\,L-1)

    Parameters
    ----------
    x : array_like
        Intensity :math:`x\in[0,1]`.
    levels : int
        Number of levels :math:`L\ge2`.

    Returns
    -------
    ndarray of int
        Codes in {0..L-1}; bytes divided by 255 come back as they were (L = 256).

    Raises
    ------
    ValueError
        If ``x`` leaves [0, 1] or ``levels`` is not an integer >= 2.

    Source: sigma-VAE, Section E and public code.
    """
    levels = integer("levels", levels, 2)
    return np.minimum(np.floor(within("x", x, 0, 1) * levels), levels - 1).astype(np.int64)


def nearest_code(x: ArrayLike, levels: int, low: float = 0.0, high: float = 1.0) -> Codes:
    r"""Level nearest to a value: how a continuous draw or a mean becomes a pixel.

    .. math:: k=\mathrm{round}\Big((L-1)\,\frac{\mathrm{clip}(x,x_0,x_1)-x_0}{x_1-x_0}\Big)

    Parameters
    ----------
    x : array_like
        Values; beyond the ends they are clipped.
    levels : int
        Number of levels :math:`L\ge2`.
    low, high : float
        Values :math:`x_0<x_1` of the first and the last level.

    Returns
    -------
    ndarray of int
        Codes in {0..L-1}; halves go to the even code.

    Raises
    ------
    ValueError
        If ``x`` is not finite, ``levels`` is not an integer >= 2, or ``high`` is not above ``low``.

    Source: sigma-VAE, Section E (samples); the paper does not say whether means or draws are shown.
    """
    levels, span = integer("levels", levels, 2), positive("high - low", finite("high", high) - finite("low", low))
    return np.round((np.clip(finite("x", x), low, high) - low) / span * (levels - 1)).astype(np.int64)


def quantise_bits(pixels: ArrayLike, bits: int) -> Codes:
    r"""Leading bits of 8-bit pixels.

    .. math:: k=\left\lfloor\frac u{2^{8-b}}\right\rfloor

    Parameters
    ----------
    pixels : array_like of int
        Bytes :math:`u\in\{0..255\}`.
    bits : int
        Bits kept, :math:`1\le b\le8`.

    Returns
    -------
    ndarray of int
        Codes in {0..2^b - 1}; the reduced byte is :math:`2^{8-b}k`.

    Raises
    ------
    ValueError
        If ``pixels`` leaves [0, 255] or ``bits`` is not an integer in [1, 8].

    Source: Efficient-VDVAE, Section 6.2; NVAE (5-bit CelebA-HQ and FFHQ).
    """
    pixels = within("pixels", pixels, 0, 255)
    return np.floor(pixels / 2 ** (8 - _bits(bits))).astype(np.int64)


def scale_pixels(codes: ArrayLike, bits: int, convention: str = "bytes") -> Array:
    r"""Values in [-1, 1] of b-bit codes.

    .. math:: x=\frac{2^{8-b}k-127.5}{127.5}\ \text{(bytes)},\qquad x=\frac{2k}{2^b-1}-1\ \text{(levels)}

    Parameters
    ----------
    codes : array_like of int
        Codes :math:`k\in\{0..2^b-1\}`.
    bits : int
        Bits, :math:`1\le b\le8`.
    convention : {"bytes", "levels"}
        ``"bytes"`` scales the reduced byte, so that the last 5-bit level is 0.945; ``"levels"`` ends at 1.

    Returns
    -------
    ndarray
        Values; both conventions agree for 8 bits.

    Raises
    ------
    ValueError
        If ``codes`` leaves its range, ``bits`` is not an integer in [1, 8], or ``convention`` is unknown.

    Source: Efficient-VDVAE, Section 6.2 ("bytes"); NVAE public code ("levels").
    """
    bits = _bits(bits)
    codes = within("codes", codes, 0, 2**bits - 1)
    if convention not in ("bytes", "levels"):
        raise ValueError(f"convention must be 'bytes' or 'levels', got {convention!r}")
    codes, half = (codes * 2 ** (8 - bits), 127.5) if convention == "bytes" else (codes, (2**bits - 1) / 2)
    return (codes - half) / half


def half_bin(bits: int, convention: str = "proper") -> Array:
    r"""Half width of a bin on the grid of b-bit bytes scaled to [-1, 1].

    .. math:: h=\frac{2^{8-b}}{255}\ \text{(proper: half the spacing)},\qquad h=\frac1{2^b-1}\ \text{(official)}

    Parameters
    ----------
    bits : int
        Bits, :math:`1\le b\le8`.
    convention : {"proper", "official"}
        ``"official"`` is what the public codes of Efficient-VDVAE and VDVAE use; below 8 bits their bins overlap.

    Returns
    -------
    ndarray ()

    Raises
    ------
    ValueError
        If ``bits`` is not an integer in [1, 8] or ``convention`` is unknown.

    Source: Efficient-VDVAE, Section 6.2. Erratum: with the official half bin 5-bit probabilities sum to more than one.
    """
    bits = _bits(bits)
    if convention not in ("proper", "official"):
        raise ValueError(f"convention must be 'proper' or 'official', got {convention!r}")
    return np.asarray(2 ** (8 - bits) / 255 if convention == "proper" else 1 / (2**bits - 1))


def to_bits(codes: ArrayLike, count: int) -> Codes:
    r"""Binary digits of integer codes, least significant first.

    .. math:: b_j=\lfloor k/2^j\rfloor\bmod2,\qquad j=0..n-1

    Parameters
    ----------
    codes : array_like of int (...)
        Codes :math:`k\in\{0..2^n-1\}`.
    count : int
        Number of bits :math:`n\ge1`.

    Returns
    -------
    ndarray of int (..., n)

    Raises
    ------
    ValueError
        If ``codes`` leaves {0..2^n - 1} or ``count`` is not an integer >= 1.

    Source: sigma-VAE, Section E (bitwise-categorical decoder).
    """
    count = integer("count", count, 1)
    codes = within("codes", codes, 0, 2**count - 1)
    return (np.floor(codes[..., None] / 2 ** np.arange(count)) % 2).astype(np.int64)


def from_bits(digits: ArrayLike) -> Codes:
    r"""Integer codes of binary digits, least significant first.

    .. math:: k=\sum_{j=0}^{n-1}2^jb_j

    Parameters
    ----------
    digits : array_like of int (..., n)
        Digits :math:`b_j\in\{0,1\}`.

    Returns
    -------
    ndarray of int (...)

    Raises
    ------
    ValueError
        If ``digits`` leaves [0, 1].

    Source: sigma-VAE, Section E (bitwise-categorical decoder).
    """
    digits = within("digits", digits, 0, 1)
    return np.sum(digits * 2 ** np.arange(digits.shape[-1]), axis=-1).astype(np.int64)


def density_to_mass(x: ArrayLike, mean: ArrayLike, scale: ArrayLike, width: ArrayLike) -> Array:
    r"""Log mass of a bin from a Gaussian density at its centre, to second order in the width.

    .. math:: \ln P\approx\ln f(x)+\ln\Delta+\frac{\Delta^2}{24\sigma^2}(t^2-1),\qquad
              t=\frac{x-\mu}\sigma,\quad f=\mathcal N(\mu,\sigma^2)

    Parameters
    ----------
    x : array_like
        Centre of the bin.
    mean, scale : array_like
        Mean :math:`\mu` and standard deviation :math:`\sigma>0`.
    width : array_like
        Width :math:`\Delta>0` of the bin.

    Returns
    -------
    ndarray
        Nats per value; D values of L levels on the unit interval add D ln(L - 1) to the negative log density.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` or ``width`` is not positive, or the shapes do not broadcast.

    Source: sigma-VAE, Table 4 (log pdf and log p).
    """
    t, ratio, log_mass = _centre(x, mean, scale, width)
    return log_mass + ratio**2 * (t**2 - 1) / 24


def dequantised_log_mass(x: ArrayLike, mean: ArrayLike, scale: ArrayLike, width: ArrayLike) -> Array:
    r"""Mean log Gaussian density over a bin: the lower bound on its log mass by uniform dequantisation.

    .. math:: \ln\Delta+\frac1\Delta\int_{x-\Delta/2}^{x+\Delta/2}\ln f(y)\,dy
              =\ln f(x)+\ln\Delta-\frac{\Delta^2}{24\sigma^2}\le\ln\int_{x-\Delta/2}^{x+\Delta/2}f(y)\,dy

    Parameters
    ----------
    x : array_like
        Centre of the bin.
    mean, scale : array_like
        Mean :math:`\mu` and standard deviation :math:`\sigma>0` of the Gaussian density f.
    width : array_like
        Width :math:`\Delta>0` of the bin.

    Returns
    -------
    ndarray
        Nats per value.

    Raises
    ------
    ValueError
        If an argument is not finite, ``scale`` or ``width`` is not positive, or the shapes do not broadcast.

    Source: derived for sigma-VAE, Table 4 (Jensen's inequality).
    """
    _, ratio, log_mass = _centre(x, mean, scale, width)
    return log_mass - ratio**2 / 24


def decoder_output_bytes(
    decoder: str, channels: int, height: int, width: int, levels: int = 256, components: int = 10
) -> int:
    r"""Memory of the distribution parameters that a decoder puts out for one image, in float32.

    .. math:: 4\,CHW\,p,\qquad p=1,\;2,\;L,\;\log_2L;\qquad 4\,HW(1+2C)M,\quad 4\,HW(1+3C)M

    Parameters
    ----------
    decoder : {"gaussian", "gaussian_map", "categorical", "bitwise", "mixture", "mixture_autoregressive"}
        Mean only; mean and scale map; ``levels`` logits; log2 ``levels`` logits; mixtures of logistics without and with
        coefficients between the channels, in this order of the formula.
    channels, height, width : int
        Shape :math:`C,H,W` of the image.
    levels : int
        Number of levels :math:`L`; a power of two for ``"bitwise"``.
    components : int
        Mixture components :math:`M`.

    Returns
    -------
    int
        Bytes. A grey mixture has no coefficients: 3 M values per pixel.

    Raises
    ------
    ValueError
        If ``decoder`` is unknown, an integer is below 1 (``levels`` below 2), or ``levels`` is no power of two where it
        must be.

    Source: sigma-VAE, Section E (3 GB for a 1024 x 1024 categorical output).
    """
    pixels = integer("height", height, 1) * integer("width", width, 1)
    values, mixtures = integer("channels", channels, 1) * pixels, integer("components", components, 1) * pixels
    levels = integer("levels", levels, 2)
    if decoder == "bitwise" and levels & (levels - 1):
        raise ValueError(f"levels must be a power of two for 'bitwise', got {levels}")
    counts = {
        "gaussian": values,
        "gaussian_map": 2 * values,
        "categorical": levels * values,
        "bitwise": (levels.bit_length() - 1) * values,
        "mixture": (1 + 2 * channels) * mixtures,
        "mixture_autoregressive": (1 + (3 if channels > 1 else 2) * channels) * mixtures,
    }
    if decoder not in counts:
        raise ValueError(f"decoder must be one of {', '.join(counts)}, got {decoder!r}")
    return 4 * counts[decoder]


def _bits(bits: int) -> int:
    bits = integer("bits", bits, 1)
    if bits > 8:
        raise ValueError(f"bits must be <= 8, got {bits}")
    return bits


def _centre(x: ArrayLike, mean: ArrayLike, scale: ArrayLike, width: ArrayLike) -> tuple[Array, Array, Array]:
    """Standardised centre, width in standard deviations, and log of density times width."""
    x, mean = finite("x", x), finite("mean", mean)
    scale, width = positive("scale", scale), positive("width", width)
    broadcast(x=x, mean=mean, scale=scale, width=width)
    t, ratio = (x - mean) / scale, width / scale
    return t, ratio, np.log(ratio) - 0.5 * t**2 - 0.5 * np.log(2 * np.pi)

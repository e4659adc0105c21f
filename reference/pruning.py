"""Pruning of latent channels by their mean KL, and the size of what is left.

A channel is one latent map (a variate) of one layer; ``resolutions`` gives the side r of each layer's square maps, and
``kl`` one array per layer, (N, v, r, r), in nats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Array, broadcast, finite, integer, non_negative, positive, within


def average_kl_per_variate(kl: ArrayLike) -> Array:
    r"""Mean KL of each channel of a layer, in bits per position.

    .. math:: \bar K_j=\frac1{Nr^2\log2}\sum_n\sum_{a,b}D_{\mathrm{KL}}(n,j,a,b)

    Parameters
    ----------
    kl : array_like (N, v, r, r)
        KL of every latent value in nats: images, channels, rows, columns.

    Returns
    -------
    ndarray (v,)
        Bits: a mean over images and positions, so that it does not depend on the resolution.

    Raises
    ------
    ValueError
        If ``kl`` is not finite or not (N >= 1, v, r, r).

    Source: Efficient-VDVAE, Section 7.
    """
    return np.mean(_maps("kl", kl), axis=(0, 2, 3)) / np.log(2)


def prune_mask(average_kl: ArrayLike, fraction: float) -> NDArray[np.bool_]:
    r"""Channels that are kept: those whose mean KL is above a quantile.

    .. math:: M_j=[\bar K_j>\theta_f],\qquad\theta_f=\mathrm{quantile}(\{\bar K_j\},1-f)

    Parameters
    ----------
    average_kl : array_like (n,)
        Mean KL :math:`\bar K_j` of every channel of every layer.
    fraction : float
        Fraction kept :math:`f\in[0,1]`; 1 keeps all (the strict inequality alone would drop the least).

    Returns
    -------
    ndarray of bool (n,)
        The quantile interpolates linearly; channels that tie with it are dropped.

    Raises
    ------
    ValueError
        If ``average_kl`` is not finite or empty, or ``fraction`` leaves [0, 1].

    Source: Efficient-VDVAE, Section 7 and Table 5.
    """
    average_kl, fraction = finite("average_kl", average_kl), within("fraction", fraction, 0, 1)
    if average_kl.ndim != 1 or average_kl.size == 0:
        raise ValueError(f"average_kl must be (n >= 1,), got shape {average_kl.shape}")
    return (average_kl > np.quantile(average_kl, 1 - fraction)) | (fraction == 1)


def pruned_latent(posterior: ArrayLike, prior: ArrayLike, mask: ArrayLike) -> Array:
    r"""Latent maps with the pruned channels drawn from the prior.

    .. math:: z=M\odot z_q+(1-M)\odot z_p

    Parameters
    ----------
    posterior, prior : array_like (N, v, r, r)
        Samples :math:`z_q` of the posterior and :math:`z_p` of the prior.
    mask : array_like of bool (v,)
        Channels :math:`M` that are kept.

    Returns
    -------
    ndarray (N, v, r, r)

    Raises
    ------
    ValueError
        If a sample is not finite or the shapes do not agree.

    Source: Efficient-VDVAE, Section 7.
    """
    posterior, prior, mask = _maps("posterior", posterior), _maps("prior", prior), np.asarray(mask, dtype=bool)
    if prior.shape != posterior.shape or mask.shape != posterior.shape[1:2]:
        raise ValueError(
            f"prior, mask must be {posterior.shape}, {posterior.shape[1:2]}, got {prior.shape}, {mask.shape}"
        )
    return np.where(mask[:, None, None], posterior, prior)


def kept_fraction(masks: Sequence[ArrayLike], resolutions: Sequence[int]) -> Array:
    r"""Fraction of latent dimensions (not of channels) that a mask keeps.

    .. math:: \frac{\sum_{l,j}M_{lj}r_l^2}{\sum_lv_lr_l^2}

    Parameters
    ----------
    masks : sequence of L array_like of bool (v_l,)
        Channels kept in each layer.
    resolutions : sequence of L int
        Side :math:`r_l\ge1` of the maps of each layer.

    Returns
    -------
    ndarray ()
        In [0, 1].

    Raises
    ------
    ValueError
        If the sequences are empty or differ in length, or a resolution is not an integer >= 1.

    Source: Efficient-VDVAE, Table 5. Erratum: the table treats the fraction of channels as one of dimensions.
    """
    if len(masks) == 0 or len(masks) != len(resolutions):
        raise ValueError(f"masks, resolutions must hold L >= 1 layers, got {len(masks)}, {len(resolutions)}")
    areas = [integer("resolutions", r, 1) ** 2 for r in resolutions]
    layers = [np.asarray(mask, dtype=bool) for mask in masks]
    kept = sum(area * np.sum(layer) for area, layer in zip(areas, layers, strict=True))
    return np.asarray(kept / sum(area * layer.size for area, layer in zip(areas, layers, strict=True)))


def encoded_dataset_bytes(images: int, dims: int, fraction: ArrayLike, bytes_per_value: int = 4) -> Array:
    r"""Size of an encoded data set.

    .. math:: N\,b\,f\sum_lv_lr_l^2

    Parameters
    ----------
    images : int
        Images :math:`N\ge1`.
    dims : int
        Latent dimensions :math:`\sum_lv_lr_l^2\ge1`.
    fraction : array_like
        Fraction kept :math:`f\in[0,1]`.
    bytes_per_value : int
        Bytes :math:`b\ge1` per dimension: 4 for one float32, 8 for a mean and a deviation.

    Returns
    -------
    ndarray
        Bytes (the table's GB are 10^9).

    Raises
    ------
    ValueError
        If an integer is not >= 1 or ``fraction`` leaves [0, 1].

    Source: Efficient-VDVAE, Table 5. Erratum: the printed column rounds to 1.9 MB per image before it is multiplied.
    """
    values = integer("images", images, 1) * integer("dims", dims, 1) * integer("bytes_per_value", bytes_per_value, 1)
    return values * within("fraction", fraction, 0, 1)


def pixel_bytes(images: int, resolution: int, bytes_per_value: int = 1, channels: int = 3) -> Array:
    r"""Size of a data set of images.

    .. math:: N\,C\,r^2\,b

    Parameters
    ----------
    images : int
        Images :math:`N\ge1`.
    resolution : int
        Side :math:`r\ge1`.
    bytes_per_value : int
        Bytes :math:`b\ge1`: 1 for 8-bit pixels, 4 for float32.
    channels : int
        Channels :math:`C\ge1`.

    Returns
    -------
    ndarray ()
        Bytes.

    Raises
    ------
    ValueError
        If an argument is not an integer >= 1.

    Source: Efficient-VDVAE, Table 5.
    """
    names = {"images": images, "channels": channels, "bytes_per_value": bytes_per_value}
    sizes = [integer(name, value, 1) for name, value in names.items()]
    return np.asarray(float(np.prod(sizes) * integer("resolution", resolution, 1) ** 2))


def code_to_pixel_ratio(code_bytes: ArrayLike, pixel_bytes: ArrayLike) -> Array:
    r"""How many times larger the encoded data set is than its pixels.

    .. math:: \frac{\text{bytes of the code}}{\text{bytes of the pixels}}

    Parameters
    ----------
    code_bytes : array_like
        Bytes of the code, from :func:`encoded_dataset_bytes`.
    pixel_bytes : array_like
        Bytes of the pixels, from :func:`pixel_bytes`.

    Returns
    -------
    ndarray
        Below 1 is compression.

    Raises
    ------
    ValueError
        If ``code_bytes`` is negative, ``pixel_bytes`` is not positive, or the shapes do not broadcast.

    Source: Efficient-VDVAE, Table 5. Erratum: its "50 GB" are pixels as float32; against 8-bit pixels the 3 % code is
    9.7 times larger.
    """
    code_bytes, pixel_bytes = non_negative("code_bytes", code_bytes), positive("pixel_bytes", pixel_bytes)
    broadcast(code_bytes=code_bytes, pixel_bytes=pixel_bytes)
    return code_bytes / pixel_bytes


def _maps(name: str, value: ArrayLike) -> Array:
    maps = finite(name, value)
    if maps.ndim != 4 or len(maps) == 0:
        raise ValueError(f"{name} must be (N >= 1, v, r, r), got shape {maps.shape}")
    return maps

"""Images decoded scale by scale: each scale's pixels given all pixels of the coarser ones.

Scales have decreasing strides; the pixels of a scale are those at multiples of its stride that no coarser scale has.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Array, finite, integer

Masks = NDArray[np.bool_]


def pixel_subsets(height: int, width: int, strides: Sequence[int]) -> Masks:
    r"""Partition of an image into the pixels that each scale adds.

    .. math:: S_i=\{(r,c):r\equiv c\equiv0\ (\mathrm{mod}\ s_i)\},\qquad x_0=x[S_0],\quad x_i=x[S_i\setminus S_{i-1}]

    Parameters
    ----------
    height, width : int
        Size of the image.
    strides : sequence of int (S,)
        Strides :math:`s_i`, each a multiple of the next, the last one 1: 8, 4, 2, 1 for 28x28 and 32x32 images.

    Returns
    -------
    ndarray of bool (S, height, width)
        Every pixel belongs to exactly one scale. The top left pixel stands for its block.

    Raises
    ------
    ValueError
        If a size is not an integer >= 1, or the strides are not a chain of multiples that ends in 1.

    Source: DVAE++, Appendix G.1 and Figure 8.
    """
    height, width = integer("height", height, 1), integer("width", width, 1)
    steps = [integer("strides", s, 1) for s in strides]
    if not steps or steps[-1] != 1 or any(a == b or a % b for a, b in pairwise(steps)):
        raise ValueError(f"strides must be a chain of multiples that ends in 1, got {steps}")
    rows, columns = np.arange(height)[:, None], np.arange(width)
    grids = np.stack([(rows % s == 0) & (columns % s == 0) for s in steps])
    coarser = np.concatenate([np.zeros_like(grids[:1]), grids[:-1]])
    return grids & ~coarser


def visible(image: ArrayLike, masks: Masks) -> Array:
    r"""What the predictor of each scale may see: the pixels of all coarser scales, zero elsewhere.

    .. math:: x_{<i}=x\odot\sum_{j<i}m_j

    Parameters
    ----------
    image : array_like (..., H, W)
        The image, or in sampling as much of it as has been drawn.
    masks : ndarray of bool (S, H, W)
        Subsets of :func:`pixel_subsets`.

    Returns
    -------
    ndarray (S, ..., H, W)
        All zero for the first scale.

    Raises
    ------
    ValueError
        If ``image`` is not finite or the masks are no partition of its pixels.

    Source: DVAE++, Appendix G.1 and Figure 8.
    """
    image, masks = finite("image", image), _partition(image, masks)
    scales = [np.any(masks[:i], axis=0) for i in range(len(masks))]
    return np.stack([image * scale for scale in scales])


def log_likelihood(image: ArrayLike, logits: ArrayLike, masks: Masks) -> Array:
    r"""Log likelihood of binary images under a decoder that goes from coarse to fine.

    .. math:: \log p(x|\zeta,h)=\sum_i\log p(x_i|\zeta,h,x_{<i})
              =\sum_i\sum_{(r,c)}m_{i,rc}\big[x_{rc}\ell_{i,rc}-\log(1+e^{\ell_{i,rc}})\big]

    Parameters
    ----------
    image : array_like (..., H, W)
        Pixels :math:`x` in [0, 1].
    logits : array_like (S, ..., H, W)
        Logits :math:`\ell_i` of each scale, predicted from :func:`visible` (and the latents); those outside of the
        scale's own pixels do not count.
    masks : ndarray of bool (S, H, W)
        Subsets :math:`m_i` of :func:`pixel_subsets`.

    Returns
    -------
    ndarray (...)
        Nats per image. Within a scale the pixels are independent.

    Raises
    ------
    ValueError
        If a pixel leaves [0, 1], a number is not finite, the masks are no partition, or the shapes do not fit.

    Source: DVAE++, Appendix G.1 and Figure 8.
    """
    image, logits = finite("image", image), finite("logits", logits)
    if (image < 0).any() or (image > 1).any():
        raise ValueError(f"image must lie in [0, 1], got {float(image[(image < 0) | (image > 1)][0])!r}")
    masks = _partition(image, masks)
    if logits.shape != (len(masks), *image.shape):
        raise ValueError(f"logits must have shape {(len(masks), *image.shape)}, one grid per scale, got {logits.shape}")
    # x l - log(1 + e^l) cancels for large l; both terms here have one sign.
    log_mass = -image * np.logaddexp(0, -logits) - (1 - image) * np.logaddexp(0, logits)
    by_scale = masks.reshape(len(masks), *[1] * (image.ndim - 2), *image.shape[-2:])
    return np.sum(np.where(by_scale, log_mass, 0), axis=(0, -2, -1))


def _partition(image: ArrayLike, masks: Masks) -> Masks:
    masks = np.asarray(masks, dtype=bool)
    if masks.ndim != 3 or np.shape(image)[-2:] != masks.shape[1:] or not (masks.sum(axis=0) == 1).all():
        raise ValueError(f"masks must be a partition (S, H, W) of the pixels, got {masks.shape} for {np.shape(image)}")
    return masks

"""Volume-preserving and affine inverse autoregressive flows on feature maps, from masked convolutions.

A variable precedes another if it comes earlier in the order (row, column, channel). A step adds to every variable a
function of the variables before it, so its Jacobian is triangular. A mirrored step
reverses rows and columns, not channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import Array, broadcast, finite, integer, positive
from reference.convolution import convolve


def dense_mask(inputs: int, outputs: int, blocks: int, size: int, strict: bool, mirrored: bool) -> Array:
    r"""Mask of a dense convolution kernel that keeps the autoregressive order.

    .. math:: M_{o,c,p,q}=1\iff (p,q)\text{ before the centre, or at the centre and }\beta(c)<\beta(o)
              \ (\le\text{ if inclusive})

    Parameters
    ----------
    inputs, outputs : int
        Channels, both multiples of ``blocks``.
    blocks : int
        Number n of latent channels: :math:`\beta` is the latent channel that a channel belongs to (of h = 6 n hidden
        channels the first six belong to the first).
    size : int
        Odd kernel size k; the centre is :math:`(\lfloor k/2\rfloor,\lfloor k/2\rfloor)`.
    strict : bool
        Whether an output may not see inputs of its own block (needed once per step).
    mirrored : bool
        Whether rows and columns are reversed; channels keep their order.

    Returns
    -------
    ndarray (outputs, inputs, k, k)
        Zeros and ones.

    Raises
    ------
    ValueError
        If a channel number is no multiple of ``blocks``, or ``size`` is even.

    Source: NVAE, Appendix A (additional details in the public code).
    """
    blocks, channels = integer("blocks", blocks, 1), {"inputs": inputs, "outputs": outputs}
    for name, number in channels.items():
        if integer(name, number, 1) % blocks:
            raise ValueError(f"{name} must be a multiple of blocks ({blocks}), got {number}")
    of_output, of_input = np.arange(outputs) * blocks // outputs, np.arange(inputs) * blocks // inputs
    centre = of_input < of_output[:, None] if strict else of_input <= of_output[:, None]
    mask = np.broadcast_to(_past(size), (outputs, inputs, size, size)).copy()
    mask[:, :, size // 2, size // 2] = centre
    return mask[:, :, ::-1, ::-1] if mirrored else mask


def depthwise_mask(channels: int, size: int, strict: bool, mirrored: bool) -> Array:
    r"""Mask of a depthwise convolution kernel that keeps the autoregressive order.

    .. math:: M_{c,1,p,q}=1\iff (p,q)\text{ before the centre, or at the centre if inclusive}

    Parameters
    ----------
    channels : int
        Channels, at least 1.
    size : int
        Odd kernel size k.
    strict : bool
        Whether the centre is hidden.
    mirrored : bool
        Whether rows and columns are reversed.

    Returns
    -------
    ndarray (channels, 1, k, k)
        Zeros and ones.

    Raises
    ------
    ValueError
        If ``channels`` is not positive or ``size`` is even.

    Source: NVAE, Appendix A (additional details in the public code).
    """
    mask = np.broadcast_to(_past(size), (integer("channels", channels, 1), 1, size, size)).copy()
    mask[:, :, size // 2, size // 2] = not strict
    return mask[:, :, ::-1, ::-1] if mirrored else mask


def autoregressive_shift(z: ArrayLike, weights: Sequence[ArrayLike], bias: ArrayLike, mirrored: bool) -> Array:
    r"""Network of a flow step: a function of each variable's predecessors only.

    .. math:: b(z)=(M_3W_3)*\mathrm{ELU}\big(\mathrm{ELU}((M_2W_2)\circledast\mathrm{ELU}((M_1W_1)*z))\big)+\beta

    Parameters
    ----------
    z : array_like (B, n, H, W)
        Latents :math:`z`.
    weights : sequence of array_like
        :math:`W_1` (h, n, 3, 3) with a strict mask, depthwise :math:`W_2` (h, 1, 5, 5) and :math:`W_3` (m, h, 1, 1)
        with inclusive ones; h and m are multiples of n (NVAE: 6 n and n), and they come after weight normalisation.
    bias : array_like (m,)
        :math:`\beta`.
    mirrored : bool
        Whether rows and columns are reversed.

    Returns
    -------
    ndarray (B, m, H, W)
        Block i of the outputs depends on the predecessors of channel i.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not fit together.

    Source: NVAE, Appendix A, Figure 3a. Erratum: the public code has a masked 3x3 convolution in place of the 1x1
    expansion, applies the second nonlinearity twice, and ignores the encoder's feature map.
    """
    z, kernels, bias = finite("z", z), [finite("weights", w) for w in weights], finite("bias", bias)
    if z.ndim != 4 or len(kernels) != 3:
        raise ValueError(f"z must be (B, n, H, W) and weights three, got shape {z.shape} and {len(kernels)}")
    (hidden, n, k1, _), k2, outputs = kernels[0].shape, kernels[1].shape[-1], len(kernels[2])
    masks = (
        dense_mask(n, hidden, n, k1, strict=True, mirrored=mirrored),
        depthwise_mask(hidden, k2, strict=False, mirrored=mirrored),
        dense_mask(hidden, outputs, n, 1, strict=False, mirrored=mirrored),
    )
    x = z
    for kernel, mask, repeats in zip(kernels, masks, (1, 2, 0), strict=True):
        padding = kernel.shape[-1] // 2
        x = convolve(x, mask * kernel, np.zeros(len(kernel)), 1, padding, padding)
        for _ in range(repeats):
            x = _elu(x)
    if bias.shape != (outputs,):
        raise ValueError(f"bias must be ({outputs},), got {bias.shape}")
    return x + bias[:, None, None]


def additive_step(z: ArrayLike, weights: Sequence[ArrayLike], bias: ArrayLike, mirrored: bool) -> Array:
    r"""Volume-preserving step of an inverse autoregressive flow.

    .. math:: z'=z+b(z),\qquad\det\frac{\partial z'}{\partial z}=1

    Parameters
    ----------
    z : array_like (B, n, H, W)
        Latents :math:`z`.
    weights : sequence of array_like
        Kernels of :func:`autoregressive_shift`, the last with n outputs.
    bias : array_like (n,)
        Its bias; zero kernels and a zero bias give the identity.
    mirrored : bool
        Whether rows and columns are reversed. A pair of NVAE is a plain step, then a mirrored one.

    Returns
    -------
    ndarray (B, n, H, W)

    Raises
    ------
    ValueError
        As :func:`autoregressive_shift`.

    Source: NVAE, Appendix A (the public code subtracts; the sign is immaterial). Erratum: Table 6 counts steps, the
    public commands pairs.
    """
    return finite("z", z) + autoregressive_shift(z, weights, bias, mirrored)


def affine_step(
    z: ArrayLike, weights: Sequence[ArrayLike], bias: ArrayLike, mirrored: bool, bound: float = 5.0
) -> tuple[Array, Array]:
    r"""Affine step of an inverse autoregressive flow.

    .. math:: z'=a(z)\odot z+b(z),\qquad\log a=c\tanh(r/c),\qquad
              \log\Big|\det\frac{\partial z'}{\partial z}\Big|=\sum_j\log a_j(z)

    Parameters
    ----------
    z : array_like (B, n, H, W)
        Latents :math:`z`.
    weights : sequence of array_like
        Kernels of :func:`autoregressive_shift`, the last with 2 n outputs: for every variable the shift :math:`b`, then
        the raw log scale :math:`r`.
    bias : array_like (2 n,)
        Its bias, in the same order.
    mirrored : bool
        Whether rows and columns are reversed.
    bound : float
        Bound :math:`c>0` of :math:`|\log a|`.

    Returns
    -------
    z : ndarray (B, n, H, W)
        :math:`z'`.
    log_determinant : ndarray (B,)
        In nats; zero where :math:`r=0`, which gives :func:`additive_step`.

    Raises
    ------
    ValueError
        As :func:`autoregressive_shift`, or if ``bound`` is not positive or the outputs are not 2 n.

    Source: NVAE, Appendix A (examined and dropped there).
    """
    z, bound = finite("z", z), positive("bound", bound)
    outputs = autoregressive_shift(z, weights, bias, mirrored)
    if outputs.shape[1] != 2 * z.shape[1]:
        raise ValueError(f"weights must end with {2 * z.shape[1]} outputs, got {outputs.shape[1]}")
    shift, raw = outputs[:, 0::2], outputs[:, 1::2]
    log_scale = bound * np.tanh(raw / bound)
    return np.exp(log_scale) * z + shift, log_scale.sum(axis=(1, 2, 3))


def posterior_log_density(log_density: ArrayLike, log_determinants: ArrayLike) -> Array:
    r"""Log density of a flow's last variable, from its first.

    .. math:: \log q(z^K|x)=\log\mathcal N(z^0;\mu,\sigma^2)-\sum_{k=1}^K\log|\det J_k|

    Parameters
    ----------
    log_density : array_like (...)
        Log density of the first variable :math:`z^0` in nats.
    log_determinants : array_like (K, ...)
        Log determinants of the steps; all zero for additive steps, and no step (K = 0) leaves the density.

    Returns
    -------
    ndarray (...)
        Nats. The group's KL is then estimated by log q - log p(z^K) of one sample, which may be negative.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not agree.

    Source: NVAE, Appendix A.
    """
    start, steps = finite("log_density", log_density), finite("log_determinants", log_determinants)
    if steps.ndim == 0:
        raise ValueError("log_determinants must be (K, ...), got a scalar")
    broadcast(log_density=start, log_determinants=steps[:0].sum(axis=0))
    return start - steps.sum(axis=0)


def _past(size: int) -> Array:
    """Kernel positions before the centre in raster order."""
    if integer("size", size, 1) % 2 == 0:
        raise ValueError(f"size must be odd, got {size}")
    return (np.arange(size * size) < size * size // 2).reshape(size, size).astype(np.float64)


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))

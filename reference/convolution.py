"""Convolutions of feature maps and what is built from one: pooling, unpooling, squeeze-and-excitation.

Feature maps are (B, C, H, W), weights (C_out, C_in / groups, k, k); the number of groups follows from the two. As in
all of deep learning, "convolution" is correlation: the kernel is not flipped.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike
from scipy.special import expit

from reference.checks import Array, broadcast, finite, integer


def convolve(x: ArrayLike, weight: ArrayLike, bias: ArrayLike, stride: int, before: int, after: int) -> Array:
    r"""Convolution with zero padding.

    .. math:: y_{b,o,i,j}=\beta_o+\sum_{c,p,q}W_{o,c,p,q}\,\bar x_{b,c,\,is+p,\,js+q}

    Parameters
    ----------
    x : array_like (B, C_in, H, W)
        Feature maps :math:`x`; :math:`\bar x` is padded with ``before`` zeros above and left, ``after`` below, right.
    weight : array_like (C_out, C_in / groups, k, k)
        Kernel :math:`W`; with groups, block g of the outputs sees block g of the inputs (depthwise: one input each).
    bias : array_like (C_out,)
        Bias :math:`\beta`.
    stride : int
        Stride :math:`s\ge1`.
    before, after : int
        Padding, at least 0.

    Returns
    -------
    ndarray (B, C_out, H', W')
        :math:`H'=\lfloor(H+\mathrm{before}+\mathrm{after}-k)/s\rfloor+1`.

    Raises
    ------
    ValueError
        If an argument is not finite, the shapes do not fit together, or the kernel is larger than the padded map.

    Source: NVAE, Section 3.1; Efficient-VDVAE, Appendix A.1.
    """
    x, weight, bias = _maps(x), _kernel(weight), finite("bias", bias)
    stride = integer("stride", stride, 1)
    padding = (integer("before", before, 0), integer("after", after, 0))
    groups = _group_count(x, weight, bias)
    padded = np.pad(x, ((0, 0), (0, 0), padding, padding))
    size = weight.shape[-1]
    if min(padded.shape[2:]) < size:
        raise ValueError(f"weight must not be larger than the padded map {padded.shape[2:]}, got kernel {size}")
    patches = sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    patches = patches.reshape(len(x), groups, -1, *patches.shape[2:])
    blocks = weight.reshape(groups, -1, *weight.shape[1:])
    y = np.einsum("bgchwpq,gocpq->bgohw", patches, blocks)
    return y.reshape(len(x), len(weight), *y.shape[3:]) + bias[:, None, None]


def same(x: ArrayLike, weight: ArrayLike, bias: ArrayLike, stride: int) -> Array:
    r"""Convolution padded so that the map keeps its size, divided by the stride.

    .. math:: p=k-s,\qquad\text{before}=\lceil p/2\rceil,\qquad\text{after}=\lfloor p/2\rfloor

    Parameters
    ----------
    x : array_like (B, C_in, H, W)
        Feature maps.
    weight : array_like (C_out, C_in / groups, k, k)
        Kernel of size :math:`k\ge s`.
    bias : array_like (C_out,)
        Bias.
    stride : int
        Stride :math:`s`, at least 1; no padding when it equals k.

    Returns
    -------
    ndarray (B, C_out, H // s, W // s)

    Raises
    ------
    ValueError
        As :func:`convolve`, and if the kernel is smaller than the stride.

    Source: Efficient-VDVAE, Appendix A.1.
    """
    padding = integer("weight size less stride", np.shape(weight)[-1] - integer("stride", stride, 1), 0)
    return convolve(x, weight, bias, stride, (padding + 1) // 2, padding // 2)


def transposed(x: ArrayLike, weight: ArrayLike, bias: ArrayLike, stride: int, padding: int) -> Array:
    r"""Transposed convolution: the adjoint of a convolution, plus a bias.

    .. math:: y_{b,o,\,is+p-a,\,js+q-a}\mathrel{+}=W_{c,o,p,q}\,x_{b,c,i,j}

    Parameters
    ----------
    x : array_like (B, C_in, H, W)
        Feature maps :math:`x`.
    weight : array_like (C_in, C_out, k, k)
        Kernel :math:`W` of the convolution whose adjoint this is (its outputs are the inputs here).
    bias : array_like (C_out,)
        Bias.
    stride : int
        Stride :math:`s\ge1`.
    padding : int
        Rows and columns :math:`a\ge0` cut from each side.

    Returns
    -------
    ndarray (B, C_out, (H - 1) s + k - 2a, (W - 1) s + k - 2a)

    Raises
    ------
    ValueError
        If an argument is not finite, the shapes do not fit together, or nothing is left after the cut.

    Source: DVAE++, Appendix (residual block, resizing upwards).
    """
    x, weight, bias = _maps(x), _kernel(weight), finite("bias", bias)
    stride, padding = integer("stride", stride, 1), integer("padding", padding, 0)
    if weight.shape[0] != x.shape[1] or bias.shape != weight.shape[1:2]:
        raise ValueError(f"weight must be ({x.shape[1]}, {bias.size}, k, k), got {weight.shape}")
    height, width = x.shape[2:]
    size = weight.shape[-1]
    y = np.zeros((len(x), weight.shape[1], (height - 1) * stride + size, (width - 1) * stride + size))
    for p in range(size):
        for q in range(size):
            rows, columns = slice(p, p + height * stride, stride), slice(q, q + width * stride, stride)
            y[:, :, rows, columns] += np.einsum("bchw,co->bohw", x, weight[:, :, p, q])
    if min(y.shape[2:]) <= 2 * padding:
        raise ValueError(f"padding must be < {min(y.shape[2:]) / 2:g}, got {padding}")
    return y[:, :, padding : y.shape[2] - padding, padding : y.shape[3] - padding] + bias[:, None, None]


def pool(x: ArrayLike, weight: ArrayLike, bias: ArrayLike, slope: float = 0.1) -> Array:
    r"""Trainable pooling: a convolution whose stride is its kernel, then a leaky rectifier.

    .. math:: y=\mathrm{LeakyReLU}_a(W*x+\beta),\qquad k=s

    Parameters
    ----------
    x : array_like (B, C_in, H, W)
        Feature maps :math:`x`.
    weight : array_like (C_out, C_in, s, s)
        Kernel :math:`W`; its size is the stride.
    bias : array_like (C_out,)
        Bias :math:`\beta`.
    slope : float
        Slope :math:`a\ge0` below zero.

    Returns
    -------
    ndarray (B, C_out, H / s, W / s)

    Raises
    ------
    ValueError
        As :func:`convolve`, if ``slope`` is not finite, or if a side of the map is no multiple of s.

    Source: Efficient-VDVAE, Figure 5, Appendix A.1. Erratum: the appendix calls the convolution 1x1; the printed
    parameter counts need s x s.
    """
    size = _kernel(weight).shape[-1]
    _divisible(_maps(x), size)
    y = convolve(x, weight, bias, size, 0, 0)
    return np.where(y > 0, y, finite("slope", slope) * y)


def average_pool(x: ArrayLike, size: int) -> Array:
    r"""Mean over disjoint squares.

    .. math:: y_{b,c,i,j}=\frac1{s^2}\sum_{p,q<s}x_{b,c,\,is+p,\,js+q}

    Parameters
    ----------
    x : array_like (B, C, H, W)
        Feature maps :math:`x`.
    size : int
        Side :math:`s\ge1` of the squares.

    Returns
    -------
    ndarray (B, C, H / s, W / s)

    Raises
    ------
    ValueError
        If ``x`` is not finite or a side of the map is no multiple of ``size``.

    Source: Efficient-VDVAE, Section 4 (the pooling of VDVAE).
    """
    x, size = _maps(x), integer("size", size, 1)
    _divisible(x, size)
    batch, channels, height, width = x.shape
    return x.reshape(batch, channels, height // size, size, width // size, size).mean(axis=(3, 5))


def nearest(x: ArrayLike, scale: int) -> Array:
    r"""Nearest-neighbour enlargement.

    .. math:: y_{b,c,i,j}=x_{b,c,\lfloor i/s\rfloor,\lfloor j/s\rfloor}

    Parameters
    ----------
    x : array_like (B, C, H, W)
        Feature maps :math:`x`.
    scale : int
        Factor :math:`s\ge1`.

    Returns
    -------
    ndarray (B, C, s H, s W)

    Raises
    ------
    ValueError
        If ``x`` is not finite or ``scale`` is no integer >= 1.

    Source: Efficient-VDVAE, Figure 5.
    """
    scale = integer("scale", scale, 1)
    return _maps(x).repeat(scale, axis=2).repeat(scale, axis=3)


def unpool(
    y: ArrayLike, weight: ArrayLike, bias: ArrayLike, position_bias: ArrayLike, scale: int, slope: float = 0.1
) -> Array:
    r"""Trainable unpooling: a 1x1 convolution and a leaky rectifier, enlarged, plus a bias per channel and position.

    .. math:: x=\mathrm{nearest}_{\times s}\big(\mathrm{LeakyReLU}_a(W_{1\times1}y+\beta)\big)+b

    Parameters
    ----------
    y : array_like (B, C_in, H, W)
        Feature maps :math:`y`.
    weight : array_like (C_out, C_in, 1, 1)
        Kernel :math:`W_{1\times1}`.
    bias : array_like (C_out,)
        Bias :math:`\beta`.
    position_bias : array_like (C_out, s H, s W)
        Bias :math:`b`, one value per channel and position.
    scale : int
        Factor :math:`s\ge1`.
    slope : float
        Slope :math:`a` below zero.

    Returns
    -------
    ndarray (B, C_out, s H, s W)

    Raises
    ------
    ValueError
        As :func:`convolve` and :func:`nearest`, or if ``weight`` is not 1x1.

    Source: Efficient-VDVAE, Figure 5, Appendix A.1. Erratum: neither mentions the rectifier nor the position bias,
    which holds 44.7 of the 197.7 million parameters of the FFHQ C2 model.
    """
    if _kernel(weight).shape[-1] != 1:
        raise ValueError(f"weight must be 1x1, got kernel {np.shape(weight)[-1]}")
    x, position_bias = nearest(pool(finite("y", y), weight, bias, slope), scale), finite("position_bias", position_bias)
    broadcast(y=x, position_bias=position_bias)
    return x + position_bias


def mixin(y: ArrayLike, bias: ArrayLike, scale: int) -> Array:
    r"""Unpooling without a convolution: the coarser state enlarged, plus a learned bias per channel and position.

    .. math:: y_r=b_r+\mathrm{nearest}_{\times s}(y_{r'})

    Parameters
    ----------
    y : array_like (B, C, H, W)
        State :math:`y_{r'}` of the coarser resolution.
    bias : array_like (C, s H, s W)
        Bias :math:`b_r`; zeros stand for the resolutions (above 64) that have none.
    scale : int
        Factor :math:`s\ge1`.

    Returns
    -------
    ndarray (B, C, s H, s W)

    Raises
    ------
    ValueError
        As :func:`nearest`, or if ``bias`` is not finite.

    Source: Efficient-VDVAE, Section 4 (the unpooling of VDVAE).
    """
    bias, enlarged = finite("bias", bias), nearest(finite("y", y), scale)
    broadcast(y=enlarged, bias=bias)
    return bias + enlarged


def squeeze_excite(
    x: ArrayLike,
    weight_in: ArrayLike,
    bias_in: ArrayLike,
    weight_out: ArrayLike,
    bias_out: ArrayLike,
    activation: str = "relu",
) -> Array:
    r"""Squeeze-and-excitation: every channel multiplied by a gate that is computed from the means of all channels.

    .. math:: \mathrm{SE}(x)=x\odot\mathrm{sigmoid}\Big(W_2\,f\Big(W_1\frac1{HW}\sum_{i,j}x_{\cdot ij}+b_1\Big)+b_2\Big)

    Parameters
    ----------
    x : array_like (B, C, H, W)
        Feature maps :math:`x`.
    weight_in : array_like (h, C)
        :math:`W_1`; NVAE has h = max(C // 16, 4), DVAE++ h = max(C // 4, 1).
    bias_in : array_like (h,)
        :math:`b_1`.
    weight_out : array_like (C, h)
        :math:`W_2`.
    bias_out : array_like (C,)
        :math:`b_2`.
    activation : {"relu", "elu"}
        :math:`f`; the rectifier in NVAE, the exponential linear unit in DVAE++.

    Returns
    -------
    ndarray (B, C, H, W)
        Never larger than ``x`` in absolute value.

    Raises
    ------
    ValueError
        If an argument is not finite, the shapes do not fit together, or ``activation`` is unknown.

    Source: NVAE, Section 3.1.1; DVAE++, Appendix (decoder and encoder; the hidden nonlinearity is not stated there).
    """
    x = _maps(x)
    inner, outer = finite("weight_in", weight_in), finite("weight_out", weight_out)
    bias_in, bias_out = finite("bias_in", bias_in), finite("bias_out", bias_out)
    if inner.ndim != 2 or inner.shape[1] != x.shape[1] or outer.shape != inner.shape[::-1]:
        raise ValueError(
            f"weight_in must be (h, {x.shape[1]}) and weight_out its mirror, got {inner.shape}, {outer.shape}"
        )
    if (*bias_out.shape, *bias_in.shape) != outer.shape:
        raise ValueError(f"bias_in and bias_out must be {inner.shape}, got {bias_in.shape} and {bias_out.shape}")
    before = x.mean(axis=(2, 3)) @ inner.T + bias_in
    if activation not in ("relu", "elu"):
        raise ValueError(f"activation must be 'relu' or 'elu', got {activation!r}")
    negative = 0 if activation == "relu" else np.expm1(np.minimum(before, 0))
    gate = expit(np.where(before > 0, before, negative) @ outer.T + bias_out)
    return x * gate[:, :, None, None]


def _maps(x: ArrayLike) -> Array:
    r"""Return feature maps as a float64 array; raise unless they are finite and (B, C, H, W)."""
    array = finite("x", x)
    if array.ndim != 4:
        raise ValueError(f"x must be (B, C, H, W), got shape {array.shape}")
    return array


def _kernel(weight: ArrayLike) -> Array:
    array = finite("weight", weight)
    if array.ndim != 4 or array.shape[2] != array.shape[3]:
        raise ValueError(f"weight must be (C_out, C_in / groups, k, k), got shape {array.shape}")
    return array


def _group_count(x: Array, weight: Array, bias: Array) -> int:
    """Number of groups, from the channels of the maps and of the kernel."""
    outputs, inputs = weight.shape[:2]
    groups = x.shape[1] // inputs if inputs else 0
    if groups == 0 or groups * inputs != x.shape[1] or outputs % groups or bias.shape != (outputs,):
        raise ValueError(
            f"weight {weight.shape} must fit maps {x.shape} and bias {bias.shape}, got no whole number of groups"
        )
    return groups


def _divisible(x: Array, size: int) -> None:
    if x.shape[2] % size or x.shape[3] % size:
        raise ValueError(f"x must have sides that are multiples of {size}, got {x.shape[2:]}")

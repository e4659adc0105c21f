"""Blocks of deep hierarchical VAEs as pure functions of explicit weights.

A layer is a list ``[weight, bias]``, a bottleneck cell a list of four layers one after another:
``[W0, b0, W1, b1, W2, b2, W3, b3]`` with a 1x1, two k x k (k odd) and a 1x1 convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, ndtr

from reference.checks import Array, broadcast, each, finite, integer, positive
from reference.convolution import convolve, pool, squeeze_excite, transposed

Layer = Sequence[Any]
ACTIVATIONS = {"silu": lambda x: x * expit(x), "gelu": lambda x: x * ndtr(x)}


def bottleneck(x: ArrayLike, cell: Layer, activation: str, residual: bool) -> Array:
    r"""Bottleneck cell: the nonlinearity comes before each of four convolutions.

    .. math:: h_0=W_0f(x)+b_0,\quad h_1=W_1*f(h_0)+b_1,\quad h_2=W_2*f(h_1)+b_2,\quad h_3=W_3f(h_2)+b_3,\qquad
              \text{out}=x+h_3\text{ or }h_3

    Parameters
    ----------
    x : array_like (B, n, H, W)
        Feature maps :math:`x`.
    cell : list of array_like
        :math:`W_0` (m, n, 1, 1), :math:`b_0`, :math:`W_1,W_2` (m, m, k, k), :math:`W_3` (o, m, 1, 1), and their biases.
    activation : {"silu", "gelu"}
        :math:`f`: the sigmoid linear unit in Efficient-VDVAE, the exact Gaussian one in VDVAE.
    residual : bool
        Whether the input is added (needs o = n).

    Returns
    -------
    ndarray (B, o, H, W)

    Raises
    ------
    ValueError
        If an argument is not finite, the shapes do not fit together, or ``activation`` is unknown.

    Source: Efficient-VDVAE, Figure 5.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be 'silu' or 'gelu', got {activation!r}")
    if len(cell) != 8:
        raise ValueError(f"cell must be four weights and biases, got {len(cell)} arrays")
    h, cell = (x := finite("x", x)), each(finite, "cell", cell)
    for weight, bias in zip(cell[::2], cell[1::2], strict=True):
        h = _layer(ACTIVATIONS[activation](h), [weight, bias])
    if residual and h.shape != x.shape:
        raise ValueError(f"cell must keep the {x.shape[1]} channels to be residual, got {h.shape[1]}")
    return x + h if residual else h


def bottom_up(x: ArrayLike, cell: Layer, skip: Layer, pooling: Layer) -> tuple[Array, Array]:
    r"""Linked bottom-up block: residual cell, features for the top-down side, then pooling.

    .. math:: x\leftarrow x+\mathrm{cell}(x),\qquad\chi=W_\chi x+b_\chi,\qquad x\leftarrow\mathrm{pool}(x)\text{ if any}

    Parameters
    ----------
    x : array_like (B, w, H, W)
        State :math:`x`.
    cell : list of array_like
        Residual bottleneck cell.
    skip : list of array_like
        :math:`W_\chi` (w, w, 1, 1) and :math:`b_\chi`.
    pooling : list of array_like
        Weight (w', w, s, s) and bias of :func:`reference.convolution.pool`; empty where the resolution stays.

    Returns
    -------
    state : ndarray (B, w', H / s, W / s)
    features : ndarray (B, w, H, W)
        :math:`\chi`, taken before the pooling, without nonlinearity.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not fit together.

    Source: Efficient-VDVAE, Figure 5b.
    """
    state = bottleneck(x, cell, "silu", residual=True)
    features = _layer(state, each(finite, "skip", skip))
    if not len(pooling):
        return state, features
    weight, bias = each(finite, "pooling", pooling)
    return pool(state, weight, bias), features


def prior(y: ArrayLike, cell: Layer, head: Layer, beta: float) -> tuple[Array, Array, Array]:
    r"""Prior of a top-down block, with the residual that its cell adds to the state.

    .. math:: [y_{\text{res}},h_p]=\mathrm{cell}(y),\qquad(\mu_p,s_p)=W_ph_p+b_p,\qquad
              \sigma_p=\frac1\beta\log(1+e^{\beta s_p})

    Parameters
    ----------
    y : array_like (B, w, H, W)
        State :math:`y` (after the unpooling, if any).
    cell : list of array_like
        Bottleneck cell with 2 w outputs, not residual.
    head : list of array_like
        :math:`W_p` (2 v, w, 1, 1) and :math:`b_p`.
    beta : float
        Sharpness :math:`\beta>0` of the softplus; log 2 gives :math:`\sigma=1` at 0.

    Returns
    -------
    residual : ndarray (B, w, H, W)
        :math:`y_{\text{res}}`.
    mean, scale : ndarray (B, v, H, W)
        :math:`\mu_p,\sigma_p`.

    Raises
    ------
    ValueError
        If an argument is not finite, the shapes do not fit together, or ``beta`` is not positive.

    Source: Efficient-VDVAE, Figure 5c.
    """
    outputs = bottleneck(finite("y", y), cell, "silu", residual=False)
    residual, features = np.split(outputs, 2, axis=1)
    return residual, *_normal(_layer(features, each(finite, "head", head)), beta)


def posterior(y: ArrayLike, features: ArrayLike, cell: Layer, head: Layer, beta: float) -> tuple[Array, Array]:
    r"""Posterior of a top-down block.

    .. math:: h_q=\mathrm{cell}([y;\chi]),\qquad(\mu_q,s_q)=W_qh_q+b_q,\qquad\sigma_q=\frac1\beta\log(1+e^{\beta s_q})

    Parameters
    ----------
    y : array_like (B, w, H, W)
        State :math:`y`, before the residual of the prior's cell is added.
    features : array_like (B, w', H, W)
        Features :math:`\chi` from the bottom-up side; the state comes first.
    cell : list of array_like
        Bottleneck cell with w + w' inputs, not residual.
    head : list of array_like
        :math:`W_q` (2 v, w, 1, 1) and :math:`b_q`.
    beta : float
        Sharpness :math:`\beta>0` of the softplus.

    Returns
    -------
    mean, scale : ndarray (B, v, H, W)
        :math:`\mu_q,\sigma_q`.

    Raises
    ------
    ValueError
        As :func:`prior`.

    Source: Efficient-VDVAE, Figure 5c.
    """
    joined = _joined(finite("y", y), finite("features", features))
    outputs = bottleneck(joined, cell, "silu", residual=False)
    return _normal(_layer(outputs, each(finite, "head", head)), beta)


def merge(y: ArrayLike, residual: ArrayLike, z: ArrayLike, latent: Layer, cell: Layer, activation: str) -> Array:
    r"""End of a top-down block: the prior's residual and the latent join the state.

    .. math:: y\leftarrow y+y_{\text{res}}+W_zz+b_z,\qquad y\leftarrow y+\mathrm{cell}(y)

    Parameters
    ----------
    y : array_like (B, w, H, W)
        State :math:`y`.
    residual : array_like (B, w, H, W)
        :math:`y_{\text{res}}` from the prior's cell.
    z : array_like (B, v, H, W)
        Latent :math:`z`: of the posterior in training, of the prior in generation.
    latent : list of array_like
        :math:`W_z` (w, v, 1, 1) and :math:`b_z`.
    cell : list of array_like
        Residual bottleneck cell.
    activation : {"silu", "gelu"}
        Nonlinearity of the cell.

    Returns
    -------
    ndarray (B, w, H, W)

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not fit together.

    Source: Efficient-VDVAE, Figure 5c, Section 4 (VDVAE ends its block in the same way).
    """
    y, residual, z = finite("y", y), finite("residual", residual), finite("z", z)
    _same_maps(y=y, residual=residual, z=z)
    addition = _layer(z, each(finite, "latent", latent))
    if not y.shape == residual.shape == addition.shape:
        raise ValueError(f"residual and latent must give {y.shape}, as y, got {residual.shape} and {addition.shape}")
    state = y + residual + addition
    return bottleneck(state, cell, activation, residual=True)


def vdvae_prior(y: ArrayLike, cell: Layer) -> tuple[Array, Array, Array]:
    r"""Prior of a VDVAE block, with the residual that its cell adds to the state.

    .. math:: (\mu_p,\log\sigma_p,y_{\text{res}})=\mathrm{cell}(y)

    Parameters
    ----------
    y : array_like (B, w, H, W)
        State :math:`y`.
    cell : list of array_like
        Bottleneck cell with 2 v + w outputs, not residual; its last weight and bias start at zero.

    Returns
    -------
    residual : ndarray (B, w, H, W)
    mean, scale : ndarray (B, v, H, W)
        At initialisation exactly N(0, 1), with no residual.

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not fit together.

    Source: Efficient-VDVAE, Section 4, Appendix A.
    """
    y = finite("y", y)
    outputs = bottleneck(y, cell, "gelu", residual=False)
    latents = (outputs.shape[1] - y.shape[1]) // 2
    if latents < 1 or outputs.shape[1] != 2 * latents + y.shape[1]:
        raise ValueError(f"cell must have 2 v + {y.shape[1]} outputs, got {outputs.shape[1]}")
    mean, log_scale, residual = np.split(outputs, [latents, 2 * latents], axis=1)
    return residual, mean, np.exp(log_scale)


def vdvae_posterior(y: ArrayLike, features: ArrayLike, cell: Layer) -> tuple[Array, Array]:
    r"""Posterior of a VDVAE block.

    .. math:: (\mu_q,\log\sigma_q)=\mathrm{cell}([y;\chi])

    Parameters
    ----------
    y : array_like (B, w, H, W)
        State :math:`y`.
    features : array_like (B, w', H, W)
        Features :math:`\chi` from the bottom-up side.
    cell : list of array_like
        Bottleneck cell with 2 v outputs, not residual.

    Returns
    -------
    mean, scale : ndarray (B, v, H, W)

    Raises
    ------
    ValueError
        If an argument is not finite or the shapes do not fit together.

    Source: Efficient-VDVAE, Section 4, Appendix A.
    """
    joined = _joined(finite("y", y), finite("features", features))
    outputs = bottleneck(joined, cell, "gelu", residual=False)
    if outputs.shape[1] % 2:
        raise ValueError(f"cell must have an even number of outputs, got {outputs.shape[1]}")
    mean, log_scale = np.split(outputs, 2, axis=1)
    return mean, np.exp(log_scale)


def residual_block(x: ArrayLike, layers: Layer, skip: Layer, excite: Layer, resize: str, crop: int = 0) -> Array:
    r"""Residual block of two convolutions with squeeze-and-excitation; the first convolution resizes.

    .. math:: y=W_2*\mathrm{ELU}\big(W_1*\mathrm{ELU}(x)+b_1\big)+b_2,\qquad\text{out}=\mathrm{skip}(x)+\mathrm{SE}(y)

    Parameters
    ----------
    x : array_like (B, C, H, W)
        Feature maps :math:`x`.
    layers : list of array_like
        :math:`W_1,b_1,W_2,b_2`: 3x3 convolutions with one pixel of padding; upwards :math:`W_1` is (C, C', 4, 4) and
        transposed with stride 2 and padding 1.
    skip : list of array_like
        Weight and bias of the skip: a 1x1 convolution (with stride 2 downwards), upwards (C, C', 2, 2) and transposed
        with stride 2. Empty for the identity.
    excite : list of array_like
        Four arrays of :func:`reference.convolution.squeeze_excite` with the exponential linear unit; empty for none.
    resize : {"none", "down", "up"}
        Whether the map keeps its size, is halved (rounded up: 7 gives 4) or doubled.
    crop : int
        Rows and columns cut from the end of a doubled map, 0 or 1 (8 becomes 7).

    Returns
    -------
    ndarray (B, C', H', W')

    Raises
    ------
    ValueError
        If an argument is not finite, the shapes do not fit together, or ``resize`` is unknown.

    Source: DVAE++, Appendix G, Table 4. Kernel sizes, skip and order of operations are not stated there but assumed.
    """
    if resize not in ("none", "down", "up"):
        raise ValueError(f"resize must be 'none', 'down' or 'up', got {resize!r}")
    if integer("crop", crop, 0) > (resize == "up"):
        raise ValueError(f"crop must be 0 or, upwards, 1, got {crop} with resize {resize!r}")
    x, (first, bias, second, second_bias) = finite("x", x), each(finite, "layers", layers)
    skip, excite = each(finite, "skip", skip), each(finite, "excite", excite)
    stride = 2 if resize == "down" else 1
    if resize == "up":
        h = _cropped(transposed(_elu(x), first, bias, 2, 1), crop)
    else:
        h = convolve(_elu(x), first, bias, stride, 1, 1)
    y = convolve(_elu(h), second, second_bias, 1, 1, 1)
    if len(excite):
        y = squeeze_excite(y, *cast("tuple[Any, Any, Any, Any]", excite), activation="elu")
    if len(skip):
        pair = cast("tuple[Any, Any]", skip)
        x = _cropped(transposed(x, *pair, 2, 0), crop) if resize == "up" else convolve(x, *pair, stride, 0, 0)
    if x.shape != y.shape:
        raise ValueError(f"skip must give {y.shape}, got {x.shape}")
    return x + y


def stochastic_skip(
    features: ArrayLike, latents: Sequence[ArrayLike], weights: Sequence[Any], bias: ArrayLike
) -> Array:
    r"""First feature map of a generative network, given all latents above the next one as well.

    .. math:: h\leftarrow h+\beta+\sum_{j>i+1}W_jz_j\qquad\text{for }p(z_i|z_{i+1},z_{i+2},\dots,z_L)

    Parameters
    ----------
    features : array_like (B, c, H, W)
        First feature map :math:`h` of the network of :math:`p(z_i|z_{i+1})`.
    latents : sequence of array_like (B, v, H, W)
        Higher latents :math:`z_{i+2},\dots,z_L`; none at the top.
    weights : sequence of array_like (c, v, 1, 1)
        :math:`W_j`; zero weights give the unskipped network.
    bias : array_like (c,)
        :math:`\beta`.

    Returns
    -------
    ndarray (B, c, H, W)

    Raises
    ------
    ValueError
        If an argument is not finite, or there are not as many weights as latents.

    Source: Hermite VAE, Table 5 ("HVAE+", not specified there: the printed counts leave room for fewer than 10,000
    parameters, which one 1x1 convolution per edge respects). For smoothing, all higher latents are drawn jointly.
    """
    h, bias = finite("features", features), finite("bias", bias)
    latents, weights = each(finite, "latents", latents), each(finite, "weights", weights)
    if len(latents) != len(weights):
        raise ValueError(f"weights must be as many as latents ({len(latents)}), got {len(weights)}")
    if h.ndim != 4 or bias.shape != h.shape[1:2]:
        raise ValueError(f"features must be (B, c, H, W) and bias (c,), got {h.shape} and {bias.shape}")
    for z, weight in zip(latents, weights, strict=True):
        edge = convolve(z, weight, np.zeros(len(weight)), 1, 0, 0)
        broadcast(features=h, latents=edge)
        h = h + edge
    return h + bias[:, None, None]


def _joined(y: Array, features: Array) -> Array:
    """State and features of the bottom-up side as one map, the state first."""
    _same_maps(y=y, features=features)
    return np.concatenate([y, features], axis=1)


def _same_maps(**maps: Array) -> None:
    """Raise unless all are maps of as many images of one size; the channels may differ."""
    shapes = [m.shape for m in maps.values()]
    if any(len(s) != 4 or (s[0], *s[2:]) != (shapes[0][0], *shapes[0][2:]) for s in shapes):
        raise ValueError(f"{', '.join(maps)} must be (B, C, H, W) with one B, H and W, got {shapes}")


def _layer(x: Array, layer: Layer) -> Array:
    """Convolution with an odd kernel that keeps the size of the map."""
    weight, bias = layer
    padding = np.shape(weight)[-1] // 2
    return convolve(x, weight, bias, 1, padding, padding)


def _normal(outputs: Array, beta: float) -> tuple[Array, Array]:
    """Mean and softplus scale from the outputs of a head."""
    if outputs.shape[1] % 2:
        raise ValueError(f"head must have an even number of outputs, got {outputs.shape[1]}")
    mean, raw = np.split(outputs, 2, axis=1)
    return mean, np.logaddexp(0, positive("beta", beta) * raw) / beta


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _cropped(x: Array, crop: int) -> Array:
    return x[:, :, : x.shape[2] - crop, : x.shape[3] - crop]

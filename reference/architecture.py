"""Accounting of architectures: parameters, latent dimensions, groups, receptive field, cost, memory, throughput.

A network is a table of its convolutions, one row each: inputs, outputs, kernel size, groups, bias (0 or 1), gain of a
weight normalisation (0 or 1). A linear layer is a 1x1 convolution; everything that is not a convolution is a number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Array, broadcast, finite, integer, non_negative, positive, within

Counts = NDArray[np.int64]
Row = tuple[int, int, int, int, int, int]


def parameter_count(convolutions: ArrayLike, others: ArrayLike) -> Counts:
    r"""Number of parameters of a network.

    .. math:: P=\sum_{\text{conv}}\Big[\frac{k^2c_ic_o}g+(\text{bias}+\text{gain})\,c_o\Big]+\sum_{\text{other}}n

    Parameters
    ----------
    convolutions : array_like of int (N, 6)
        Table of convolutions: :math:`c_i,c_o,k,g`, bias, gain.
    others : array_like of int (M,)
        Sizes of all other tensors: two vectors per batch normalisation, learned constants.

    Returns
    -------
    ndarray of int ()

    Raises
    ------
    ValueError
        If the table is not (N, 6), holds a negative number, or channels are no multiples of the groups.

    Source: NVAE, Table 6; Efficient-VDVAE, Tables 3, 6.
    """
    rows, others = _table(convolutions), _whole("others", others)
    return (
        np.sum([k * k * ci * co // g + (bias + gain) * co for ci, co, k, g, bias, gain in rows], dtype=np.int64)
        + others.sum()
    )


def multiply_adds(convolutions: ArrayLike, positions: ArrayLike) -> Counts:
    r"""Multiply-adds of the convolutions of a network, for one image.

    .. math:: \sum_{\text{conv}}\frac{k^2c_ic_o}g\,n

    Parameters
    ----------
    convolutions : array_like of int (N, 6)
        Table of convolutions: :math:`c_i,c_o,k,g`, bias, gain.
    positions : array_like of int (N,)
        Output positions :math:`n` of each; 1 gives the cost per position, which is the number of weights.

    Returns
    -------
    ndarray of int ()
        Biases are not counted. A depthwise convolution costs c times less than a dense one.

    Raises
    ------
    ValueError
        As :func:`parameter_count`, or if ``positions`` is negative or of another length.

    Source: NVAE, Section 3.1.2, footnote 1.
    """
    rows, positions = _table(convolutions), _whole("positions", positions)
    if positions.shape != (len(rows),):
        raise ValueError(f"positions must be ({len(rows)},), got shape {positions.shape}")
    return np.array(
        [n * k * k * ci * co // g for (ci, co, k, g, _, _), n in zip(rows, positions, strict=True)], dtype=np.int64
    ).sum()


def groups_per_scale(groups: int, scales: int, adaptive: bool, least: int) -> Counts:
    r"""Latent groups at each scale, fine to coarse.

    .. math:: n_0=N,\qquad n_{s+1}=\max(\lfloor n_s/2\rfloor,n_{\min})\text{ if adaptive, else }N

    Parameters
    ----------
    groups : int
        Groups :math:`N\ge1` at the finest scale.
    scales : int
        Number of scales, at least 1.
    adaptive : bool
        Whether coarser scales have fewer groups.
    least : int
        Smallest number :math:`n_{\min}` of groups, 1 to N.

    Returns
    -------
    ndarray of int (scales,)

    Raises
    ------
    ValueError
        If an argument is no integer in its range.

    Source: NVAE, Table 6 (which lists the groups coarse to fine).
    """
    counts = [integer("groups", groups, 1)]
    within("least", integer("least", least, 1), 1, groups)
    for _ in range(integer("scales", scales, 1) - 1):
        counts.append(max(counts[-1] // 2, least) if adaptive else groups)
    return np.array(counts, dtype=np.int64)


def channel_schedule(channels: int, halvings: int) -> Counts:
    r"""Channels at each resolution: doubled whenever the map is halved.

    .. math:: c_d=2^dC,\qquad d=0,\dots,D

    Parameters
    ----------
    channels : int
        Channels :math:`C\ge1` at full resolution.
    halvings : int
        Number :math:`D\ge0` of times the map is halved.

    Returns
    -------
    ndarray of int (halvings + 1,)

    Raises
    ------
    ValueError
        If an argument is no integer in its range.

    Source: NVAE, Section 3.1, Table 6.
    """
    channels = integer("channels", channels, 1)
    return np.array([channels * 2**d for d in range(integer("halvings", halvings, 0) + 1)], dtype=np.int64)


def scale_sizes(resolution: int, halvings: int, scales: int) -> Counts:
    r"""Sides of the maps at each latent scale, fine to coarse.

    .. math:: h_s=R/2^{p+s},\qquad s=0,\dots,S-1

    Parameters
    ----------
    resolution : int
        Side :math:`R` of the (padded) image, a multiple of :math:`2^{p+S-1}`.
    halvings : int
        Halvings :math:`p\ge0` before the first latent scale.
    scales : int
        Number :math:`S\ge1` of latent scales.

    Returns
    -------
    ndarray of int (scales,)

    Raises
    ------
    ValueError
        If an argument is no integer in its range, or the resolution cannot be halved so often.

    Source: NVAE, Table 6.
    """
    divisor = 2 ** (integer("halvings", halvings, 0) + integer("scales", scales, 1) - 1)
    if integer("resolution", resolution, 1) % divisor:
        raise ValueError(f"resolution must be a multiple of {divisor}, got {resolution}")
    return np.array([resolution // 2 ** (halvings + s) for s in range(scales)], dtype=np.int64)


def latent_dims(groups: ArrayLike, channels: ArrayLike, sizes: ArrayLike) -> Counts:
    r"""Number of latent variables per image.

    .. math:: \sum_sn_s\,c_s\,h_s^2

    Parameters
    ----------
    groups : array_like of int (S,)
        Groups (stochastic layers) :math:`n_s` at each scale.
    channels : array_like of int () or (S,)
        Channels :math:`c_s` of each group.
    sizes : array_like of int (S,)
        Sides :math:`h_s` of the maps.

    Returns
    -------
    ndarray of int ()

    Raises
    ------
    ValueError
        If an argument is negative, not whole, or of another length.

    Source: NVAE, Table 6; Efficient-VDVAE, Section 7.
    """
    groups, channels, sizes = (_whole(n, v) for n, v in (("groups", groups), ("channels", channels), ("sizes", sizes)))
    if groups.shape != sizes.shape:
        raise ValueError(f"groups and sizes must have one shape, got {groups.shape} and {sizes.shape}")
    broadcast(groups=groups, channels=channels)
    return np.sum(groups * channels * sizes * sizes)


def layer_count(extra: ArrayLike) -> Counts:
    r"""Stochastic layers of an asymmetric hierarchy.

    .. math:: L=\sum_i(1+d_i)

    Parameters
    ----------
    extra : array_like of int (links,)
        Further layers :math:`d_i\ge0` that use the features of each link again (0 throughout: a symmetric model).

    Returns
    -------
    ndarray of int ()

    Raises
    ------
    ValueError
        If ``extra`` is negative or not whole.

    Source: Efficient-VDVAE, Section 5, Table 3.
    """
    return (1 + _whole("extra", extra)).sum()


def nvae_parameter_count(
    image_channels: int,
    outputs: int,
    channels: int,
    pre_blocks: int,
    pre_cells: int,
    groups: Sequence[int],
    latents: int,
    flow_pairs: int,
    top: int,
    cells: int = 2,
) -> Counts:
    r"""Number of parameters of an NVAE with regular encoder cells and separable decoder cells.

    .. math:: P=P_{\text{stem}}+P_{\text{pre}}+P_{\text{encoder}}+P_{\text{heads}}+P_{\text{flows}}+P_{\text{decoder}}
              +P_{\text{post}}+P_{\text{image}}+c_{\text{top}}h_{\text{top}}^2

    Parameters
    ----------
    image_channels, outputs : int
        Channels of the image (1 or 3) and of the image head (1, or 100 for ten discretised logistics).
    channels : int
        Channels C at full resolution; doubled at each halving.
    pre_blocks, pre_cells : int
        Pre-process blocks, each of which halves the map in its last cell, and cells per block; mirrored by
        post-process blocks.
    groups : sequence of int
        Latent groups per scale, fine to coarse.
    latents : int
        Channels of each latent group.
    flow_pairs : int
        Pairs of flow steps per group.
    top : int
        Side of the learned constant on top.
    cells : int
        Cells per group, in the encoder and in the decoder.

    Returns
    -------
    ndarray of int ()

    Raises
    ------
    ValueError
        If an argument is no integer in its range.

    Source: NVAE, Table 6, Figures 2-3, with the layout of the public code. Note: Table 6 prints one cell per group for
    MNIST, the public command has two.
    """
    counts = [integer("groups", g, 1) for g in groups]
    blocks, inside = integer("pre_blocks", pre_blocks, 0), integer("pre_cells", pre_cells, 1)
    latents, cells, pairs = (
        integer("latents", latents, 1),
        integer("cells", cells, 1),
        integer("flow_pairs", flow_pairs, 0),
    )
    widths = channel_schedule(channels, blocks + len(counts) - 1).tolist()
    rows: list[Row] = [(integer("image_channels", image_channels, 1), widths[0], 3, 1, 1, 1)]
    others: list[int] = []
    for width in widths[:blocks]:
        _regular(rows, others, width, width, inside - 1)
        _regular(rows, others, width, 2 * width, 1)
        _separable(rows, others, width, width, 3, inside - 1)
        _separable(rows, others, 2 * width, width, 3, 1)
    for scale, (width, count) in enumerate(zip(widths[blocks:], counts, strict=True)):
        _regular(rows, others, width, width, cells * count)
        # The very first group of the coarsest scale has no combiner, no decoder cells and no prior head.
        later = count - (scale == len(counts) - 1)
        rows += later * [(width, width, 1, 1, 1, 1), (width, 2 * latents, 1, 1, 1, 1)]
        _separable(rows, others, width, width, 6, cells * later)
        rows += count * [(width, 2 * latents, 3, 1, 1, 1), (width + latents, width, 1, 1, 1, 1)]
        rows += 2 * pairs * count * _flow_step(latents)
        if scale + 1 < len(counts):
            _regular(rows, others, width, 2 * width, 1)
            _separable(rows, others, 2 * width, width, 6, 1)
    rows += [(widths[-1], widths[-1], 1, 1, 1, 1), (widths[0], integer("outputs", outputs, 1), 3, 1, 1, 1)]
    return parameter_count(rows, [*others, widths[-1] * integer("top", top, 1) ** 2])


def efficient_vdvae_parameter_count(table: ArrayLike, image_channels: int, outputs: int) -> Counts:
    r"""Number of parameters of an Efficient-VDVAE.

    .. math:: \mathrm{cell}(n,m,k,o)=nm+m+2(k^2m^2+m)+mo+o,\qquad
              P=\sum_{\text{bottom-up}}\mathrm{cell}
              +\sum_{\text{top-down}}\big[3\text{ cells}+\text{heads}\big]+\text{links, pools, unpools, ends}

    Parameters
    ----------
    table : array_like of int (R, 7)
        One row per resolution, high to low: side r, bottom-up blocks, links, top-down layers, width w, middle width
        (the floor of w times the bottleneck ratio), latent channels v.
    image_channels : int
        Channels of the image.
    outputs : int
        Channels of the output: 10 (3 C + 1) for ten logistics, 1 for MNIST.

    Returns
    -------
    ndarray of int ()

    Raises
    ------
    ValueError
        If the table is not (R, 7), holds a negative number, or a side is no multiple of the next.

    Source: Efficient-VDVAE, Tables 3, 6, Figure 5.
    """
    resolutions = _whole("table", table)
    if resolutions.ndim != 2 or resolutions.shape[1] != 7:
        raise ValueError(f"table must be (R, 7), got shape {resolutions.shape}")
    first, last = resolutions[0], resolutions[-1]
    rows: list[Row] = [_plain(integer("image_channels", image_channels, 1), first[4])]
    others = [int(last[4])]
    for place, (side, up, links, down, width, middle, latents) in enumerate(resolutions):
        size = 1 if side == 1 else 3
        rows += int(up) * _bottleneck(width, middle, size, width) + int(links) * [_plain(width, width)]
        for _ in range(down):
            rows += _bottleneck(width, middle, size, width) + _bottleneck(2 * width, middle, size, width)
            rows += _bottleneck(width, middle, size, 2 * width)
            rows += [*2 * [_plain(width, 2 * latents)], _plain(latents, width)]
        if place + 1 < len(resolutions):
            lower_side, lower = resolutions[place + 1, 0], resolutions[place + 1, 4]
            if side % lower_side:
                raise ValueError(f"side {side} must be a multiple of the next, got {lower_side}")
            rows += [(width, lower, side // lower_side, 1, 1, 0), _plain(lower, width)]
            others.append(int(width * side * side))
    return parameter_count([*rows, _plain(first[4], integer("outputs", outputs, 1))], others)


def vdvae_parameter_count(table: ArrayLike, width: int, latents: int) -> Counts:
    r"""Number of parameters of a VDVAE of one width, for colour images.

    .. math:: P=28w+\sum_{\text{enc}}\mathrm{cell}(w,\tfrac w4,k,w)
              +\sum_{\text{dec}}\big[\mathrm{cell}(2w,\tfrac w4,k,2v)+\mathrm{cell}(w,\tfrac w4,k,2v+w)+vw+w
              +\mathrm{cell}(w,\tfrac w4,k,w)\big]+\sum_{r\le64}wr^2+2w+100w+100

    Parameters
    ----------
    table : array_like of int (R, 3)
        One row per resolution: side r, encoder blocks, decoder layers; k is 3 for r > 2 and else 1.
    width : int
        Width w, a multiple of 4.
    latents : int
        Latent channels v.

    Returns
    -------
    ndarray of int ()

    Raises
    ------
    ValueError
        If the table is not (R, 3) or holds a negative number, or ``width`` is no multiple of 4.

    Source: Efficient-VDVAE, Table 3 (the baseline).
    """
    resolutions = _whole("table", table)
    if resolutions.ndim != 2 or resolutions.shape[1] != 3:
        raise ValueError(f"table must be (R, 3), got shape {resolutions.shape}")
    if integer("width", width, 4) % 4:
        raise ValueError(f"width must be a multiple of 4, got {width}")
    latents, middle = integer("latents", latents, 1), width // 4
    rows: list[Row] = [(3, width, 3, 1, 1, 0), _plain(width, 100)]
    others = [2 * width]
    for side, encoder, decoder in resolutions.tolist():
        size = 3 if side > 2 else 1
        rows += encoder * _bottleneck(width, middle, size, width)
        layer = _bottleneck(2 * width, middle, size, 2 * latents) + _bottleneck(
            width, middle, size, 2 * latents + width
        )
        rows += decoder * [*layer, _plain(latents, width), *_bottleneck(width, middle, size, width)]
        others.append(width * side * side if side <= 64 else 0)
    return parameter_count(rows, others)


def receptive_field(kernels: ArrayLike, strides: ArrayLike) -> Counts:
    r"""Side of the square of inputs that one output of a chain of convolutions sees.

    .. math:: r=1+\sum_i(k_i-1)\prod_{j<i}s_j

    Parameters
    ----------
    kernels : array_like of int (N,)
        Kernel sizes :math:`k_i\ge1`, input side first.
    strides : array_like of int (N,)
        Strides :math:`s_i\ge1`.

    Returns
    -------
    ndarray of int ()
        Pixels. Squeeze-and-excitation is left out: it sees everything.

    Raises
    ------
    ValueError
        If an argument is not whole or below 1, or the lengths differ.

    Source: NVAE, Section 3.1.2. A regular cell (3, 3) sees as far as a separable one (1, 5, 1): 5 pixels.
    """
    kernels, strides = _whole("kernels", kernels), _whole("strides", strides)
    if kernels.shape != strides.shape or kernels.ndim != 1:
        raise ValueError(f"kernels and strides must be (N,), got shapes {kernels.shape} and {strides.shape}")
    within("kernels", kernels, 1, np.inf)
    within("strides", strides, 1, np.inf)
    field, step = 1, 1
    for k, s in zip(kernels.tolist(), strides.tolist(), strict=True):
        field, step = field + (k - 1) * step, step * s
    return np.asarray(field)


def saved_maps(cell: str, expansion: int, fused: bool, squeeze: bool) -> Counts:
    r"""Feature maps that a residual cell keeps for the backward pass, in units of its input.

    .. math:: \text{separable: }4+4E\ (\text{fused}),\ 4+6E;\qquad\text{regular: }5\ (\text{fused}),\ 7;\qquad
              \text{without squeeze-and-excitation one less}

    Parameters
    ----------
    cell : {"separable", "regular", "plain"}
        Kind of cell: normalisation and nonlinearity around an expanded depthwise convolution, around two 3x3
        convolutions, or two 3x3 convolutions without batch normalisation.
    expansion : int
        Expansion :math:`E\ge1` of the separable cell (NVAE: 6).
    fused : bool
        Whether batch normalisation and the nonlinearity that follows keep their common input only.
    squeeze : bool
        Whether the cell ends with squeeze-and-excitation.

    Returns
    -------
    ndarray of int ()
        Skip connection excluded.

    Raises
    ------
    ValueError
        If ``cell`` is unknown or ``expansion`` no integer >= 1.

    Source: NVAE, Section 3.1.3 (derived).
    """
    wide = integer("expansion", expansion, 1)
    # (operation, width of its input, whether fusing spares it)
    kept = {
        "separable": [
            ("norm", 1, False),
            ("1x1", 1, False),
            ("norm", wide, False),
            ("swish", wide, True),
            ("depthwise", wide, False),
            ("norm", wide, False),
            ("swish", wide, True),
            ("1x1", wide, False),
            ("norm", 1, False),
        ],
        "regular": 2 * [("norm", 1, False), ("swish", 1, True), ("3x3", 1, False)],
        "plain": 2 * [("elu", 1, False), ("3x3", 1, False)],
    }
    if cell not in kept:
        raise ValueError(f"cell must be one of {', '.join(kept)}, got {cell!r}")
    return np.asarray(sum(width for _, width, spared in kept[cell] if not (fused and spared)) + bool(squeeze))


def activation_bytes(elements: ArrayLike, widths: ArrayLike, batch: int) -> Counts:
    r"""Bytes of the tensors that a forward pass keeps for the backward pass.

    .. math:: A=B\sum_ie_iw_i

    Parameters
    ----------
    elements : array_like of int (N,)
        Elements :math:`e_i` per image of each distinct storage that is kept, parameters excluded.
    widths : array_like of int (N,)
        Bytes :math:`w_i` per element (4, or 2 in half precision).
    batch : int
        Images :math:`B\ge1`.

    Returns
    -------
    ndarray of int ()
        Bytes; linear in the batch.

    Raises
    ------
    ValueError
        If an argument is negative, not whole, or of another length.

    Source: Efficient-VDVAE, Tables 1, 3, 8, 9; Hermite VAE, Table 5; NVAE, Section 3.1.3.
    """
    elements, widths = _whole("elements", elements), _whole("widths", widths)
    if elements.shape != widths.shape:
        raise ValueError(f"elements and widths must have one shape, got {elements.shape} and {widths.shape}")
    return integer("batch", batch, 1) * np.sum(elements * widths)


def training_bytes(
    activation: ArrayLike,
    batch: ArrayLike,
    parameters: ArrayLike,
    replicas: ArrayLike,
    per_parameter: ArrayLike,
    overhead: ArrayLike,
) -> Array:
    r"""Memory of training.

    .. math:: M=B\,A+G\,(b\,P+o)

    Parameters
    ----------
    activation : array_like
        Bytes :math:`A\ge0` of activations per image.
    batch : array_like
        Images :math:`B` per step, over all devices.
    parameters : array_like
        Number :math:`P` of parameters.
    replicas : array_like
        Devices :math:`G`, each with a copy of the parameters.
    per_parameter : array_like
        Bytes :math:`b` per parameter: 16 for weight, gradient and two moments in float32, 20 with a moving average.
    overhead : array_like
        Bytes :math:`o` of context and workspaces per device; 0 for a model of the network alone.

    Returns
    -------
    ndarray
        Bytes, of the broadcast shape.

    Raises
    ------
    ValueError
        If an argument is not finite or negative.

    Source: NVAE, Section 3.1.3, Table 3; Efficient-VDVAE, Tables 1, 3, 8, 9; Hermite VAE, Table 5.
    """
    activation, batch = non_negative("activation", activation), non_negative("batch", batch)
    parameters, replicas = non_negative("parameters", parameters), non_negative("replicas", replicas)
    per_parameter, overhead = non_negative("per_parameter", per_parameter), non_negative("overhead", overhead)
    broadcast(
        activation=activation, batch=batch, parameters=parameters, replicas=replicas, per_parameter=per_parameter,
        overhead=overhead,
    )  # fmt: skip
    return batch * activation + replicas * (per_parameter * parameters + overhead)


def throughput(images: ArrayLike, epochs: ArrayLike, hours: ArrayLike) -> Array:
    r"""Images per second of a training run.

    .. math:: \frac{E\,N}{3600\,T}

    Parameters
    ----------
    images : array_like
        Images :math:`N\ge0` per epoch (those of full batches).
    epochs : array_like
        Epochs :math:`E\ge0`.
    hours : array_like
        Hours :math:`T>0`.

    Returns
    -------
    ndarray
        Images per second.

    Raises
    ------
    ValueError
        If an argument is not finite, ``images`` or ``epochs`` negative, or ``hours`` not positive.

    Source: NVAE, Section 3.1.3, Table 6. Erratum: 64 images per second and 55 hours for 400 epochs of CIFAR-10
    (100.8 images per second) cannot be the same setting.
    """
    images, epochs, hours = non_negative("images", images), non_negative("epochs", epochs), positive("hours", hours)
    broadcast(images=images, epochs=epochs, hours=hours)
    return epochs * images / (3600 * hours)


def capacity_gain(savings: ArrayLike) -> Array:
    r"""Factor by which a batch can grow when savings of memory are applied one after another.

    .. math:: \prod_i\frac1{1-s_i}

    Parameters
    ----------
    savings : array_like (N,)
        Share :math:`s_i\in[0,1)` of the memory that each step saves of what is left.

    Returns
    -------
    ndarray ()

    Raises
    ------
    ValueError
        If ``savings`` leaves [0, 1).

    Source: NVAE, Section 3.1.3 (40 % by mixed precision, then 18 % by fusing).
    """
    return (1 / (1 - within("savings", savings, 0, np.nextafter(1, 0)))).prod()


def gain(baseline: ArrayLike, ours: ArrayLike) -> Array:
    r"""How many times less of something a model needs than its baseline: memory, updates or hours.

    .. math:: \frac{M_V}{M_E},\qquad\frac{I_V}{I_E},\qquad\frac{T_V}{T_E}

    Parameters
    ----------
    baseline : array_like
        Amount of the baseline, positive.
    ours : array_like
        Amount of the model, positive.

    Returns
    -------
    ndarray
        Above 1 if the model needs less; "up to" is the largest over data sets, the worst case the smallest.

    Raises
    ------
    ValueError
        If an argument is not finite or not positive.

    Source: Efficient-VDVAE, Section 5.3.1, Table 3. The clock gain is the update gain times the ratio of seconds per
    update; the hours are of different numbers of devices.
    """
    baseline, ours = positive("baseline", baseline), positive("ours", ours)
    broadcast(baseline=baseline, ours=ours)
    return baseline / ours


def images_seen(batch: ArrayLike, iterations: ArrayLike) -> Array:
    r"""Images that training has seen.

    .. math:: B\,I

    Parameters
    ----------
    batch : array_like
        Images :math:`B>0` per update.
    iterations : array_like
        Updates :math:`I\ge0`.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If ``batch`` is not positive or ``iterations`` is negative.

    Source: Efficient-VDVAE, Section 5.3.1, Table 3.
    """
    batch, iterations = positive("batch", batch), non_negative("iterations", iterations)
    broadcast(batch=batch, iterations=iterations)
    return batch * iterations


def seconds_per_update(hours: ArrayLike, iterations: ArrayLike) -> Array:
    r"""Seconds of one update.

    .. math:: \frac{3600\,T}I

    Parameters
    ----------
    hours : array_like
        Hours :math:`T>0` of training.
    iterations : array_like
        Updates :math:`I>0`.

    Returns
    -------
    ndarray
        Seconds.

    Raises
    ------
    ValueError
        If an argument is not finite or not positive.

    Source: Efficient-VDVAE, Section 5.3.1, Table 3.
    """
    hours, iterations = positive("hours", hours), positive("iterations", iterations)
    broadcast(hours=hours, iterations=iterations)
    return 3600 * hours / iterations


def compute_overhead(samples: ArrayLike, encoder: ArrayLike, upper: ArrayLike, bottom: ArrayLike) -> Array:
    r"""Cost of a smoothed hierarchical VAE, in units of the unsmoothed one.

    .. math:: 1+\frac{(K-1)\,C_{\text{up}}}{C_{\text{enc}}+C_{\text{up}}+C_{\text{bottom}}}

    Parameters
    ----------
    samples : array_like
        Correlated samples :math:`K\ge1`.
    encoder : array_like
        Cost :math:`C_{\text{enc}}\ge0` of the encoders.
    upper : array_like
        Cost :math:`C_{\text{up}}\ge0` of the networks of :math:`p(z_i|z_{i+1})`.
    bottom : array_like
        Cost :math:`C_{\text{bottom}}>0` of the network of :math:`p(x|z_1)`, which is not smoothed.

    Returns
    -------
    ndarray
        Between 1 and K.

    Raises
    ------
    ValueError
        If a cost is negative, ``bottom`` not positive, or ``samples`` below 1.

    Source: Hermite VAE, Section 2.2 (complexity). K, not K + 1: training needs no unsmoothed pass.
    """
    samples = within("samples", samples, 1, np.finfo(float).max)
    encoder, upper, bottom = non_negative("encoder", encoder), non_negative("upper", upper), positive("bottom", bottom)
    broadcast(samples=samples, encoder=encoder, upper=upper, bottom=bottom)
    return 1 + (samples - 1) * upper / (encoder + upper + bottom)


def _whole(name: str, value: ArrayLike) -> Counts:
    array = finite(name, value)
    if (array != np.round(array)).any() or (array < 0).any():
        raise ValueError(f"{name} must hold whole numbers >= 0, got {array.tolist()}")
    return array.astype(np.int64)


def _table(convolutions: ArrayLike) -> list[list[int]]:
    rows = _whole("convolutions", np.reshape(convolutions, (0, 6)) if np.size(convolutions) == 0 else convolutions)
    if rows.ndim != 2 or rows.shape[1] != 6:
        raise ValueError(f"convolutions must be (N, 6), got shape {rows.shape}")
    if (rows[:, 3] < 1).any() or (rows[:, :2] % rows[:, 3:4]).any():
        raise ValueError("channels of convolutions must be multiples of their groups, got a row that is not")
    return rows.tolist()


def _plain(inputs: int, outputs: int) -> Row:
    """1x1 convolution with bias."""
    return (int(inputs), int(outputs), 1, 1, 1, 0)


def _bottleneck(inputs: int, middle: int, size: int, outputs: int) -> list[Row]:
    """1x1, two k x k, 1x1, all with bias."""
    inside = (int(middle), int(middle), size, 1, 1, 0)
    return [_plain(inputs, middle), inside, inside, _plain(middle, outputs)]


def _squeeze(channels: int) -> list[Row]:
    hidden = max(channels // 16, 4)
    return [_plain(channels, hidden), _plain(hidden, channels)]


def _regular(rows: list[Row], others: list[int], inputs: int, outputs: int, times: int) -> None:
    """Regular cells of the encoder; a change of width adds the four strided 1x1 convolutions of the skip."""
    rows += times * [(inputs, outputs, 3, 1, 1, 1), (outputs, outputs, 3, 1, 1, 1), *_squeeze(outputs)]
    others += times * [2 * inputs, 2 * outputs]
    if outputs != inputs:
        quarter = outputs // 4
        rows += times * [(inputs, part, 1, 1, 1, 1) for part in (quarter, quarter, quarter, outputs - 3 * quarter)]


def _separable(rows: list[Row], others: list[int], inputs: int, outputs: int, expansion: int, times: int) -> None:
    """Separable cells of the decoder; a change of width adds the 1x1 convolution of the skip."""
    wide = expansion * inputs
    cell = [(inputs, wide, 1, 1, 0, 0), (wide, wide, 5, wide, 0, 0), (wide, outputs, 1, 1, 0, 0), *_squeeze(outputs)]
    rows += times * cell
    others += times * [2 * inputs, 2 * wide, 2 * wide, 2 * outputs]
    if outputs != inputs:
        rows += times * [(inputs, outputs, 1, 1, 0, 1)]


def _flow_step(latents: int) -> list[Row]:
    wide = 6 * latents
    return [(latents, wide, 3, 1, 0, 1), (wide, wide, 5, wide, 0, 1), (wide, latents, 1, 1, 1, 1)]

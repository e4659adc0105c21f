"""Metrics of images and samples: Frechet distance, structural similarity, proxies of sample quality, probes.

Images are (N, C, H, W), colours in the order red, green, blue.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from scipy import linalg
from scipy.spatial import distance

from reference.checks import Array, finite, integer, positive

LUMA = np.array([0.299, 0.587, 0.114])


def frechet_distance(features: ArrayLike, other: ArrayLike) -> Array:
    r"""Squared Frechet distance between Gaussians fitted to two sets of features (FID on Inception features).

    .. math:: \|m_1-m_2\|^2+\mathrm{tr}\,S_1+\mathrm{tr}\,S_2-2\,\mathrm{tr}\big(S_1^{1/2}S_2S_1^{1/2}\big)^{1/2}

    Parameters
    ----------
    features, other : array_like (n, d)
        Features of the two sets, at least 2 rows each; means :math:`m_i`, covariances :math:`S_i` (divisor n - 1).

    Returns
    -------
    ndarray ()
        Biased upwards, by about d/n times the trace: compare equal numbers of samples, n above 10 d.

    Raises
    ------
    ValueError
        If an argument is not finite, has fewer than 2 rows, or the numbers of features differ.

    Source: sigma-VAE, Tables 3-4 (FID).
    """
    features, other = finite("features", features), finite("other", other)
    if features.ndim != 2 or other.ndim != 2 or min(len(features), len(other)) < 2:
        raise ValueError(f"features, other must be (n >= 2, d), got shapes {features.shape}, {other.shape}")
    if features.shape[1] != other.shape[1]:
        raise ValueError(f"features, other must have the same width, got shapes {features.shape}, {other.shape}")
    shift = np.sum((features.mean(axis=0) - other.mean(axis=0)) ** 2)
    # Symmetric roots; the root of the product S1 S2 itself is not symmetric and turns complex by rounding.
    root, other_root = _covariance_root(features), _covariance_root(other)
    # The three traces are the least squared distance of the roots over all rotations of one; added up, they cancel.
    rotation, _ = linalg.orthogonal_procrustes(root, other_root)
    return shift + np.sum((root @ rotation - other_root) ** 2)


def ssim(a: ArrayLike, b: ArrayLike, data_range: float = 255.0, padding: bool = True) -> Array:
    r"""Structural similarity, mean over positions, colours and images.

    .. math:: \langle\frac{2\mu_a\mu_b+c_1}{\mu_a^2+\mu_b^2+c_1}\cdot
              \frac{2\sigma_{ab}+c_2}{\sigma_a^2+\sigma_b^2+c_2}\rangle,\qquad c_1=(0.01R)^2,\quad c_2=(0.03R)^2

    Parameters
    ----------
    a, b : array_like (N, C, H, W)
        Images on the scale 0 to R.
    data_range : float
        Range :math:`R>0`.
    padding : bool
        Zero padding to the size of the image, as in the public code; otherwise only windows inside the image, as in
        the definition (H, W >= 11 then).

    Returns
    -------
    ndarray ()
        In [-1, 1], 1 iff the images agree. Local moments have Gaussian weights of sum 1: window 11, deviation 1.5.

    Raises
    ------
    ValueError
        If an image is not finite, the shapes differ or are not (N, C, H, W), or an image is smaller than the window.

    Source: Efficient-VDVAE, Figure 2 and public code. Erratum: zero padding changes even the comparison of constant
    images, which the definition settles by their means alone.
    """
    a, b, scale = _images("a", a), _images("b", b), positive("data_range", data_range)
    if a.shape != b.shape or (not padding and min(a.shape[2:]) < 11):
        raise ValueError(f"a, b must have one shape (N, C, H, W), at least 11 wide unpadded, got {a.shape}, {b.shape}")
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weights /= weights.sum()

    def windows(images: Array) -> Array:
        padded = np.pad(images, ((0, 0), (0, 0), (5, 5), (5, 5))) if padding else images
        return sliding_window_view(padded, (11, 11), axis=(2, 3))

    def local_mean(patches: Array) -> Array:
        return np.einsum("nchwij,i,j->nchw", patches, weights, weights)

    mean_a, mean_b = local_mean(windows(a)), local_mean(windows(b))
    # Central moments from deviations: the mean square less the squared mean cancels where an image is flat.
    from_a, from_b = windows(a) - mean_a[..., None, None], windows(b) - mean_b[..., None, None]
    variance_a, variance_b, covariance = local_mean(from_a**2), local_mean(from_b**2), local_mean(from_a * from_b)
    c1, c2 = (0.01 * scale) ** 2, (0.03 * scale) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (luminance * (2 * covariance + c2) / (variance_a + variance_b + c2)).mean()


def sharpness_ratio(samples: ArrayLike, data: ArrayLike) -> Array:
    r"""Sharpness of samples relative to data: mean squared difference of neighbouring pixels.

    .. math:: \frac{\langle(\partial_hx)^2\rangle+\langle(\partial_vx)^2\rangle\ \text{of samples}}{\text{of data}}

    Parameters
    ----------
    samples, data : array_like (N, C, H, W)
        Images, H and W at least 2.

    Returns
    -------
    ndarray ()
        1 for the data themselves, below 1 for blurred images, 0 for flat ones.

    Raises
    ------
    ValueError
        If an image is not finite or smaller than 2 x 2, or the data are flat.

    Source: sigma-VAE, Figures 5-8 (proxy ours: blurry).
    """
    return _sharpness("samples", samples) / positive("sharpness of data", _sharpness("data", data))


def variance_ratio(samples: ArrayLike, data: ArrayLike) -> Array:
    r"""Variance of samples relative to data, summed over pixels.

    .. math:: \frac{\mathrm{tr}\,\mathrm{Cov}(x_{\text{samples}})}{\mathrm{tr}\,\mathrm{Cov}(x_{\text{data}})}

    Parameters
    ----------
    samples, data : array_like (N, C, H, W)
        Images, at least 2 of each.

    Returns
    -------
    ndarray ()
        Well below 1 is muted. Divisors N - 1.

    Raises
    ------
    ValueError
        If an image is not finite, there are fewer than 2, or the data do not vary.

    Source: sigma-VAE, Figures 5-8 (proxy ours: muted).
    """
    return _total_variance("samples", samples) / positive("variance of data", _total_variance("data", data))


def saturation_ratio(samples: ArrayLike, data: ArrayLike) -> Array:
    r"""Colourfulness of samples relative to data: mean over pixels of the range over channels.

    .. math:: \frac{\langle\max_cx_c-\min_cx_c\rangle\ \text{of samples}}{\text{of data}}

    Parameters
    ----------
    samples, data : array_like (N, C, H, W)
        Images.

    Returns
    -------
    ndarray ()

    Raises
    ------
    ValueError
        If an image is not finite or the data are grey.

    Source: sigma-VAE, Figures 5-8 (proxy ours: muted colours).
    """
    return _saturation("samples", samples) / positive("saturation of data", _saturation("data", data))


def diversity_ratio(samples: ArrayLike, data: ArrayLike) -> Array:
    r"""Diversity of samples relative to data: mean squared distance of pairs.

    .. math:: \frac{\langle\|x_i-x_j\|^2\rangle_{i<j}\ \text{of samples}}{\text{of data}}

    Parameters
    ----------
    samples, data : array_like (N, C, H, W)
        Images, at least 2 of each.

    Returns
    -------
    ndarray ()
        Equal to :func:`variance_ratio`: the mean squared distance of pairs is twice the total variance.

    Raises
    ------
    ValueError
        If an image is not finite, there are fewer than 2, or the data are all equal.

    Source: sigma-VAE, Figures 5-8 (proxy ours).
    """
    return _diversity("samples", samples) / positive("diversity of data", _diversity("data", data))


def colour_means(images: ArrayLike) -> Array:
    r"""Mean luma and the two mean colour differences of an image.

    .. math:: Y=0.299\bar R+0.587\bar G+0.114\bar B,\qquad C_b=\bar B-Y,\qquad C_r=\bar R-Y

    Parameters
    ----------
    images : array_like (N, 3, H, W)
        Colour images.

    Returns
    -------
    ndarray (N, 3)
        Columns Y, C_b, C_r.

    Raises
    ------
    ValueError
        If ``images`` is not finite or not (N, 3, H, W).

    Source: sigma-VAE, Section E (probe ours).
    """
    images = _images("images", images)
    if images.shape[1] != 3:
        raise ValueError(f"images must have 3 channels, got shape {images.shape}")
    means = images.mean(axis=(2, 3))
    red, _, blue = means.T
    # Y, B - Y and R - Y; the last two from differences, which vanish for grey
    differences = [(colour[:, None] - means) @ LUMA for colour in (blue, red)]
    return np.stack([means @ LUMA, *differences], axis=1)


def chroma_error(images: ArrayLike, reconstructions: ArrayLike) -> Array:
    r"""Error of the mean colour of reconstructions.

    .. math:: \frac1{2N}\sum_n\big[(C_b-\hat C_b)^2+(C_r-\hat C_r)^2\big]

    Parameters
    ----------
    images, reconstructions : array_like (N, 3, H, W)
        Images, and draws of the decoder given their latents.

    Returns
    -------
    ndarray ()

    Raises
    ------
    ValueError
        As :func:`colour_means`, and if the shapes differ.

    Source: sigma-VAE, Section E (probe ours).
    """
    one, two = _images("images", images), _images("reconstructions", reconstructions)
    if one.shape != two.shape:
        raise ValueError(f"images, reconstructions must have one shape, got {one.shape}, {two.shape}")
    return ((colour_means(one) - colour_means(two))[:, 1:] ** 2).mean()


def linear_probe(latents: ArrayLike, targets: ArrayLike, test_latents: ArrayLike, test_targets: ArrayLike) -> Array:
    r"""How well a linear map reads targets off latents: coefficient of determination on test data.

    .. math:: R^2=1-\frac{\sum\|y-\hat y\|^2}{\sum\|y-\bar y\|^2},\qquad\hat y=\hat A[z;1],\quad
              \hat A=\mathrm{argmin}_A\sum_{\text{train}}\|y-A[z;1]\|^2

    Parameters
    ----------
    latents : array_like (N, k)
        Posterior means of the training images. Of equally good maps the one with the least weights is meant: a latent
        that is constant, as after collapse, has weight 0.
    targets : array_like (N, m)
        Targets of the training images.
    test_latents, test_targets : array_like (M, k), (M, m)
        The same of test images.

    Returns
    -------
    ndarray (m,)
        Per target, at most 1; below 0 when the fit is worse than the test mean.

    Raises
    ------
    ValueError
        If an argument is not finite, the shapes do not agree, or a test target does not vary.

    Source: sigma-VAE, Section E (probe ours: colour in the latent).
    """
    z, y = finite("latents", latents), finite("targets", targets)
    z_test, y_test = finite("test_latents", test_latents), finite("test_targets", test_targets)
    if not (z.ndim == y.ndim == z_test.ndim == y_test.ndim == 2) or len(z) != len(y) or len(z_test) != len(y_test):
        raise ValueError(f"latents, targets must be (N, k), (N, m), got {[a.shape for a in (z, y, z_test, y_test)]}")
    if z.shape[1] != z_test.shape[1] or y.shape[1] != y_test.shape[1]:
        raise ValueError(f"test data must have the same columns, got {[a.shape for a in (z, y, z_test, y_test)]}")
    # Centred, and from the first: a collapsed latent is constant and then gets weight 0
    z, z_test = z - z[0], z_test - z[0]
    mean = z.mean(axis=0)
    design, test_design = (np.column_stack([part - mean, np.ones(len(part))]) for part in (z, z_test))
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    # Once more on what is left: the decomposition alone loses a dozen times the rounding of the data.
    weights = weights + np.linalg.lstsq(design, y - design @ weights, rcond=None)[0]
    mean = y_test.mean(axis=0)
    deviation, predicted = y_test - mean, test_design @ weights - mean
    # d^2 - (d - p)^2 = p (2d - p): one minus a ratio next to one would cancel where the latent says little
    explained = np.sum(predicted * (2 * deviation - predicted), axis=0)
    return explained / positive("variation of test_targets", np.sum(deviation**2, axis=0))


def nearest_training_image(samples: ArrayLike, training: ArrayLike, factor: int = 4) -> NDArray[np.intp]:
    r"""Nearest training image of each sample, by the distance of the reduced central halves.

    .. math:: i^\star(x)=\mathrm{argmin}_i\|Px-Px_i\|_2,\qquad P:\text{mean over blocks, then the middle half}

    Parameters
    ----------
    samples : array_like (N, C, H, W)
        Samples.
    training : array_like (T, C, H, W)
        Training images.
    factor : int
        Side of the blocks >= 1 that are averaged; it must divide H and W.

    Returns
    -------
    ndarray of int (N,)
        First nearest training image.

    Raises
    ------
    ValueError
        If an image is not finite, the shapes differ, or ``factor`` does not divide the sides.

    Source: NVAE, Appendix B.1 and Figure 6 (the crop is not stated; the middle half is ours).
    """
    return _distances(samples, training, factor).argmin(axis=1)


def nearest_training_distance(samples: ArrayLike, training: ArrayLike, factor: int = 4) -> Array:
    r"""Distance from each sample to its nearest training image.

    .. math:: d(x)=\min_i\|Px-Px_i\|_2,\qquad P:\text{mean over blocks, then the middle half}

    Parameters
    ----------
    samples : array_like (N, C, H, W)
        Samples.
    training : array_like (T, C, H, W)
        Training images.
    factor : int
        Side of the blocks >= 1 that are averaged; it must divide H and W.

    Returns
    -------
    ndarray (N,)
        Euclidean distance of the reduced crops; 0 for a memorised image.

    Raises
    ------
    ValueError
        As :func:`nearest_training_image`.

    Source: NVAE, Appendix B.1 and Figure 6.
    """
    return _distances(samples, training, factor).min(axis=1)


def _distances(samples: ArrayLike, training: ArrayLike, factor: int) -> Array:
    """Table (N, T) of the distances of reduced crops."""
    samples, training, factor = _images("samples", samples), _images("training", training), integer("factor", factor, 1)
    if samples.shape[1:] != training.shape[1:] or samples.shape[2] % factor or samples.shape[3] % factor:
        shapes = f"{samples.shape}, {training.shape}"
        raise ValueError(f"samples, training must have one size that factor {factor} divides, got {shapes}")
    return distance.cdist(_reduced(samples, factor), _reduced(training, factor))


def _covariance_root(features: Array) -> Array:
    """Symmetric root of the covariance, from the singular values: forming the covariance halves their digits."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    _, values, vectors = linalg.svd(centred, full_matrices=False)
    return (vectors.T * values) @ vectors


def _images(name: str, value: ArrayLike) -> Array:
    images = finite(name, value)
    if images.ndim != 4 or images.size == 0:
        raise ValueError(f"{name} must be (N, C, H, W), got shape {images.shape}")
    return images


def _sharpness(name: str, value: ArrayLike) -> Array:
    images = _images(name, value)
    if min(images.shape[2:]) < 2:
        raise ValueError(f"{name} must be at least 2 x 2, got shape {images.shape}")
    return (np.diff(images, axis=2) ** 2).mean() + (np.diff(images, axis=3) ** 2).mean()


def _several(name: str, value: ArrayLike) -> Array:
    images = _images(name, value)
    if len(images) < 2:
        raise ValueError(f"{name} must hold at least 2 images, got {len(images)}")
    return images


def _total_variance(name: str, value: ArrayLike) -> Array:
    images = _several(name, value)
    # Around the first: near images differ by less than the rounding of their mean
    return np.sum(np.var(images - images[0], axis=0, ddof=1))


def _saturation(name: str, value: ArrayLike) -> Array:
    images = _images(name, value)
    return np.mean(images.max(axis=1) - images.min(axis=1))


def _diversity(name: str, value: ArrayLike) -> Array:
    images = _several(name, value)
    return np.mean(distance.pdist(images.reshape(len(images), -1), "sqeuclidean"))


def _reduced(images: Array, factor: int) -> Array:
    """Block means, central half, flattened."""
    count, channels, height, width = images.shape
    blocks = images.reshape(count, channels, height // factor, factor, width // factor, factor).mean(axis=(3, 5))
    rows, columns = blocks.shape[2:]
    top, left = rows // 4, columns // 4
    return blocks[:, :, top : rows - top, left : columns - left].reshape(count, -1)

"""Frozen feature extractors for the Frechet distance of samples, each with a name and a checksum of its weights.

``cfd``
    32 features of a small classifier of digits, trained here from a fixed seed until it knows 97% of the test images.
``rfd``
    64 features of a convolutional network with random orthogonal weights: channel means and deviations over space.
``fid``
    Those of a TorchScript file that the user brings, such as the 2048 pooled features of an Inception network.

A distance is called FID only with the last one. Distances of different extractors or reference sets are not comparable,
and all are biased upwards by about the number of features over the number of images: `real_distance` is what real
images of the test set get, the floor below which nothing can be told.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaes.data import BatchSource
from vaes.image_data import ImageDataset
from vaes.layers.initialisation import torch_default_
from vaes.ops.image_metrics import frechet_distance
from vaes.seeding import stream

FEATURE_SEED = 20210504
"""Root seed of all weights and batches here: streams ``(FEATURE_SEED, extractor, ...)``."""
CLASSES = 10
CLASSIFIER_FEATURES, RANDOM_FEATURES = 32, 64
# 12 epochs stop short of the accuracy from some starts, 16 from none of four.
EPOCHS, BATCH = 16, 64
DEMANDED_ACCURACY = 0.97
INCEPTION_SIDE = 299
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CHUNK = 500


class FeatureError(ValueError):
    """An extractor that cannot be made or used; the message is one line."""


@dataclass(frozen=True)
class Extractor:
    """A frozen map from images in [0, 1] to features.

    Parameters
    ----------
    name : str
        ``cfd``, ``rfd`` or ``fid``.
    network : Module
        Maps images (N, C, H, W) to features (N, d).
    checksum : str
        SHA-256 of the weights (of the file, for ``fid``).
    accuracy : float or None
        Share of the test images that a classifier knows.
    chunk : int
        Images in one pass.
    """

    name: str
    network: nn.Module
    checksum: str
    accuracy: float | None = None
    chunk: int = CHUNK

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features (N, d) of images (N, C, H, W) in [0, 1]."""
        if images.ndim != 4 or not len(images):
            raise FeatureError(f"images must be (N, C, H, W) with N > 0, got shape {tuple(images.shape)}")
        parts = [self.network(part.to(torch.float32)) for part in images.split(self.chunk)]
        features = torch.cat(parts)
        if features.ndim != 2:
            raise FeatureError(f"features of {self.name} must be (N, d), got shape {tuple(features.shape)}")
        return features

    def distance(self, images: Tensor, reference: Tensor) -> float:
        """Squared Frechet distance between the features of two sets of images, in float64."""
        return float(frechet_distance(self(images).double(), self(reference).double()))


def real_distance(extractor: Extractor, dataset: ImageDataset) -> float:
    """Distance of the test images from the training images: the floor of what samples can get."""
    return extractor.distance(dataset.images("test"), dataset.images("train"))


class DigitClassifier(nn.Module):
    """Two convolutions, 32 features, ten classes; the features are those after the rectifier."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.hidden = nn.Linear(64 * ((height + 1) // 2) * ((width + 1) // 2), CLASSIFIER_FEATURES)
        self.output = nn.Linear(CLASSIFIER_FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, 32) of images (N, C, H, W)."""
        return self.hidden(self.conv2(self.conv1(x).relu()).relu().flatten(1)).relu()

    def logits(self, x: Tensor) -> Tensor:
        """Log odds (N, 10) of the classes."""
        return self.output(self(x))


class RandomNetwork(nn.Module):
    """Three convolutions with orthogonal weights; mean and deviation over space of the last 32 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = RANDOM_FEATURES // 2
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(channels, half, 3, padding=1, bias=False),
                nn.Conv2d(half, half, 3, stride=2, padding=1, bias=False),
                nn.Conv2d(half, half, 3, padding=1, bias=False),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, 64) of images (N, C, H, W)."""
        hidden = 2 * x - 1
        for layer in self.layers:
            hidden = layer(hidden).relu()
        flat = hidden.flatten(2)
        return torch.cat([flat.mean(-1), flat.std(-1, correction=0)], 1)


class TorchScriptFeatures(nn.Module):
    """A user's TorchScript network on images of any size: colour, resizing and scaling before it, (N, d) after it."""

    def __init__(self, network: nn.Module, side: int, normalise: bool) -> None:
        super().__init__()
        self.network, self.side = network, side
        mean, deviation = (IMAGENET_MEAN, IMAGENET_DEVIATION) if normalise else ((0.0,) * 3, (1.0,) * 3)
        self.mean, self.deviation = (torch.tensor(values)[:, None, None] for values in (mean, deviation))

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, d) of images (N, 1 or 3, H, W)."""
        if x.shape[1] not in (1, 3):
            raise FeatureError(f"images must have 1 or 3 channels, got {x.shape[1]}")
        large = F.interpolate(x.expand(-1, 3, -1, -1), size=(self.side, self.side), mode="bilinear", antialias=True)
        return self.network((large - self.mean) / self.deviation).flatten(1)


def classifier_features(dataset: ImageDataset) -> Extractor:
    """Train the classifier of a labelled data set of ten classes and freeze it; ``cfd``.

    The result is a function of the data: seed, batches and weights are fixed, and it is kept for the process.

    Raises
    ------
    FeatureError
        If the data set has no labels, or the classifier knows less than 97% of its test images.
    """
    if dataset.checksum in _TRAINED:
        return _TRAINED[dataset.checksum]
    if "train/label" not in dataset.extra:
        raise FeatureError(f"a data set with labels is needed for cfd, got {dataset.id}")
    network = DigitClassifier(*dataset.shape)
    torch_default_(network, stream(FEATURE_SEED, "cfd", "init"))
    _train(network, dataset.images("train"), dataset.extra["train/label"])
    with torch.no_grad():
        found = network.logits(dataset.images("test")).argmax(1)
    accuracy = (found == dataset.extra["test/label"]).double().mean().item()
    if accuracy < DEMANDED_ACCURACY:
        raise FeatureError(
            f"accuracy of the classifier of {dataset.id} must be {DEMANDED_ACCURACY}, got {accuracy:.4f}"
        )
    _TRAINED[dataset.checksum] = Extractor("cfd", _frozen(network), weights_checksum(network), accuracy)
    return _TRAINED[dataset.checksum]


_TRAINED: dict[str, Extractor] = {}


def _train(network: DigitClassifier, images: Tensor, labels: Tensor) -> None:
    batches = BatchSource(len(images), BATCH, stream(FEATURE_SEED, "cfd", "data"))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(EPOCHS * len(images) // BATCH):
        rows = batches.next()
        optimiser.zero_grad()
        F.cross_entropy(network.logits(images[rows]), labels[rows]).backward()
        optimiser.step()


def random_features(channels: int) -> Extractor:
    """Frozen random network for images with any number of channels; ``rfd``."""
    network = RandomNetwork(channels)
    generator = stream(FEATURE_SEED, "rfd", channels)
    for weight in network.parameters():
        # The gain of rectifiers keeps the size of the signal.
        nn.init.orthogonal_(weight, gain=2**0.5, generator=generator)
    return Extractor("rfd", _frozen(network), weights_checksum(network))


def extractor_for(dataset: ImageDataset) -> Extractor:
    """The extractor of a data set: ``cfd`` where its images are grey and labelled, else ``rfd``."""
    if dataset.shape[0] == 1 and "train/label" in dataset.extra:
        return classifier_features(dataset)
    return random_features(dataset.shape[0])


def inception(path: str | os.PathLike[str], *, side: int = INCEPTION_SIDE, normalise: bool = True) -> Extractor:
    """Load the user's TorchScript network; with ImageNet's Inception-v3 up to its pooling, distances are FIDs.

    The paper used PyTorch's Inception: images are enlarged to 299x299 and scaled by ImageNet's mean and deviation.
    Distances of other Inception weights, or of files that scale by themselves, are on another scale.

    Parameters
    ----------
    path : path
        TorchScript file; it maps (N, 3, side, side) to (N, d) or (N, d, 1, 1). Load only files that you trust.
    side : int
        Size to which images are resized.
    normalise : bool
        False for a file that takes intensities in [0, 1].

    Raises
    ------
    FeatureError
        If the file is missing or is no TorchScript.
    """
    path = Path(path)
    if not path.is_file():
        raise FeatureError(f"path must be a TorchScript file, got {path}, which is no file")
    try:
        with warnings.catch_warnings():
            # TorchScript is deprecated, but it is what Inception networks for FID are shared as.
            warnings.simplefilter("ignore", DeprecationWarning)
            network = torch.jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FeatureError(f"path must be a TorchScript file, got {path}: {reason}") from None
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return Extractor("fid", _frozen(TorchScriptFeatures(network, side, normalise)), checksum, chunk=50)


def weights_checksum(network: nn.Module) -> str:
    """SHA-256 of the names, shapes and float32 bytes of a network's weights."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)}\0".encode() + value.detach().float().numpy().tobytes())
    return digest.hexdigest()


def _frozen(network: nn.Module) -> nn.Module:
    return network.eval().requires_grad_(False)

"""Feature extractors: fixed by their seeds, able to tell good from bad samples, and clear about what they cannot do."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vaes import features
from vaes.features import FeatureError, classifier_features, extractor_for, inception, random_features, real_distance
from vaes.image_data import ImageDataset, load_images


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_images("digits16")


def test_classifier_knows_the_digits_and_is_kept(digits: ImageDataset) -> None:
    found = classifier_features(digits)
    assert found.name == "cfd"
    assert found.accuracy is not None
    assert found.accuracy >= 0.97
    assert found(digits.images("test")).shape == (360, 32)
    assert classifier_features(digits) is found
    assert not any(parameter.requires_grad for parameter in found.network.parameters())


def test_distance_tells_digits_from_blurred_and_from_blank_ones(digits: ImageDataset) -> None:
    found = classifier_features(digits)
    test, train = digits.images("test"), digits.images("train")
    floor = real_distance(found, digits)
    blurred = nn.functional.avg_pool2d(test, 3, stride=1, padding=1)
    blank = train.mean(0, keepdim=True) + 0.01 * torch.randn(360, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    distances = [floor, found.distance(blurred, train), found.distance(blank, train)]
    assert distances == sorted(distances)
    assert distances[1] > 3 * floor
    assert found.distance(train, train) < 1e-6


def test_random_features_do_not_depend_on_global_state() -> None:
    torch.manual_seed(1)
    first = random_features(3)
    torch.manual_seed(2)
    second = random_features(3)
    assert first.checksum == second.checksum
    x = torch.rand(5, 3, 8, 8)
    assert torch.equal(first(x), second(x))
    assert first(x).shape == (5, 64)
    assert random_features(1).checksum != first.checksum
    weight = first.network.layers[1].weight.flatten(1)  # type: ignore[union-attr, index]
    assert torch.allclose(weight @ weight.T, 2 * torch.eye(32), atol=1e-5), (
        "orthogonal rows with the gain of rectifiers"
    )


def test_own_extractor_of_a_data_set(digits: ImageDataset) -> None:
    assert extractor_for(digits).name == "cfd"
    assert extractor_for(load_images("huedigits")).name == "rfd"
    assert extractor_for(load_images("photo8")).name == "rfd"


def test_a_classifier_that_is_not_good_enough_is_refused(digits: ImageDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "EPOCHS", 1)
    monkeypatch.setattr(features, "_TRAINED", {})
    with pytest.raises(FeatureError, match=r"accuracy of the classifier of digits16 must be 0.97, got 0\.\d+"):
        classifier_features(digits)
    with pytest.raises(FeatureError, match="labels is needed for cfd, got photo8"):
        classifier_features(load_images("photo8"))


class Pooled(nn.Module):
    """Stands for a user's network: channel means of images of one size."""

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1] == 3
        assert x.shape[2] == 299
        return x.mean((2, 3), keepdim=True)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "network.pt"
    with warnings.catch_warnings():
        # TorchScript is deprecated; users' Inception networks are still shared as such files.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Pooled()).save(str(path))
    return path


def test_users_network_gets_large_normalised_colour_images(script: Path) -> None:
    found = inception(script)
    assert found.name == "fid"
    grey = torch.full((2, 1, 8, 8), 0.5)
    mean, deviation = torch.tensor(features.IMAGENET_MEAN), torch.tensor(features.IMAGENET_DEVIATION)
    assert torch.allclose(found(grey), ((0.5 - mean) / deviation).expand(2, 3), atol=1e-6)
    assert torch.allclose(inception(script, normalise=False)(grey), torch.full((2, 3), 0.5), atol=1e-6)
    images = torch.rand(40, 3, 8, 8)
    assert found.distance(images, images) < 1e-6
    assert found.distance(images, images.clamp(max=0.5)) > 0.01


def test_bad_files_and_images_are_one_line(script: Path, tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="is no file"):
        inception(tmp_path / "missing.pt")
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"not a network")
    with pytest.raises(FeatureError, match="must be a TorchScript file") as error:
        inception(broken)
    assert "\n" not in str(error.value)
    with pytest.raises(FeatureError, match="1 or 3 channels, got 2"):
        inception(script)(torch.rand(1, 2, 8, 8))
    with pytest.raises(FeatureError, match="with N > 0"):
        random_features(1)(torch.rand(0, 1, 8, 8))

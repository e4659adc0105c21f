"""The README's way in: train on a folder, save, load, sample; and bad input at every step."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from vaes import fit
from vaes.models.decoders import DECODERS, DecoderConfig
from vaes.training_loop import NonFinite

README = Path(__file__).parents[2] / "README.md"
QUICK = {"steps": 2, "features": 2, "latent": 3}


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(6):
        Image.fromarray(random.integers(0, 256, (32, 40, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    return folder


@pytest.fixture
def fitted(photos):
    return fit.fit_folder(photos, size=(8, 8), **QUICK)


def test_the_example_of_the_readme_runs(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    (block,) = re.findall(r"```python\n(from vaes import fit\n.*?)```", README.read_text(), re.DOTALL)
    assert block.count("steps=3000") == 1
    names = {}
    exec(block.replace("steps=3000", "steps=2"), names)
    for images in (names["new"], names["same"]):
        assert images.shape == (16, 3, 28, 28)
        assert images.min() >= 0
        assert images.max() <= 1
    assert sorted(path.name for path in photos.parent.iterdir()) == ["photos", "photos.safetensors"]


def test_the_readme_names_every_decoder():
    text = README.read_text()
    assert all(f"`{name}`" in text for name in DECODERS)


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_is_trained_saved_and_loaded_in_one_call_each(photos, tmp_path, name):
    vae = fit.fit_folder(photos, name, size=(8, 8), **QUICK)
    vae.save(tmp_path / "vae.safetensors")
    again = fit.load(tmp_path / "vae.safetensors")
    assert again.model.config == vae.model.config
    assert not again.model.training
    for draw in (False, True):
        assert torch.equal(vae.sample(3, 1, draw=draw), again.sample(3, 1, draw=draw))
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(vae.reconstruct(images), again.reconstruct(images))


def test_a_fit_is_a_function_of_its_seed(photos):
    runs = [fit.fit_folder(photos, size=(8, 8), seed=seed, **QUICK).sample(2) for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_options_of_the_decoder_are_kept(photos, tmp_path):
    config = DecoderConfig("logistic_mixture", components=2, autoregressive=True)
    fit.fit_folder(photos, config, size=(8, 8), **QUICK).save(tmp_path / "vae.safetensors")
    assert fit.load(tmp_path / "vae.safetensors").model.config.decoder == config


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 1, 8, 8), "images must have 3 channels, got 1"),
        (torch.zeros(2, 3, 9, 8), "images must be 8x8, got 9x8"),
        (torch.zeros(3, 8, 8), r"images must have shape \(N >= 1, 3, 8, 8\), got \(3, 8, 8\)"),
        (torch.zeros(0, 3, 8, 8), r"got \(0, 3, 8, 8\)"),
        (torch.full((1, 3, 8, 8), 255.0), r"values in \[0, 1\], got values from 255 to 255"),
        (torch.full((1, 3, 8, 8), -0.1), r"values in \[0, 1\]"),
        (torch.full((1, 3, 8, 8), torch.nan), r"values in \[0, 1\]"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"images must be floats in \[0, 1\], got torch.uint8"),
    ],
    ids=["grey", "size", "no batch", "none", "bytes", "negative", "nan", "integers"],
)
def test_images_of_another_kind_give_one_clear_line(fitted, images, message):
    with pytest.raises(ValueError, match=message) as caught:
        fitted.reconstruct(images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decoder": "gausian"}, "name must be one of"),
        ({"size": (1, 8)}, "height must be >= 2, got 1"),
        ({"size": (40, 40)}, r"must be at least 40x40, got 32x40"),
        ({"steps": 0}, "steps must be >= 1"),
        ({"decoder": DecoderConfig(levels=16)}, "levels must be 256"),
        ({"batch": 0}, "batch must be >= 1"),
    ],
    ids=["decoder", "tiny", "small", "steps", "levels", "batch"],
)
def test_bad_options_give_one_clear_line(photos, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        fit.fit_folder(photos, **{"size": (8, 8), **QUICK, **options})
    assert "\n" not in str(caught.value)


def test_a_grey_model_takes_no_colour_images(photos):
    vae = fit.fit_folder(photos, size=(8, 8), channels=1, **QUICK)
    with pytest.raises(ValueError, match="images must have 1 channels, got 3"):
        vae.reconstruct(torch.zeros(1, 3, 8, 8))


def test_no_images_are_no_sample(fitted):
    with pytest.raises(ValueError, match="count must be >= 1, got 0"):
        fitted.sample(0)


def test_files_that_are_no_model_give_one_clear_line(fitted, tmp_path):
    path = tmp_path / "vae.safetensors"
    fitted.save(path)
    whole = path.read_bytes()

    def refused(message):
        with pytest.raises(ValueError, match=message) as caught:
            fit.load(path)
        assert "\n" not in str(caught.value)

    path.write_bytes(whole[:-10])
    refused("must be a safetensors file")
    path.write_bytes(whole)
    tensors = load_file(path)
    save_file(tensors, path)
    refused("must have the format 'vaes.fit 1', got None")
    fitted.save(path)
    path.write_bytes(path.read_bytes().replace(b"from_latent.bias", b"from_latent.bisa"))
    refused("must hold the tensors of its configuration")
    path.unlink()
    refused("no such file")


def test_a_run_that_breaks_down_leaves_no_file(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    with pytest.raises(NonFinite):
        fit.fit_folder("photos", size=(8, 8), **{**QUICK, "steps": 50, "learning_rate": 1e30}).save("vae.safetensors")
    assert [path.name for path in photos.parent.iterdir()] == ["photos"]


def test_saving_into_no_folder_gives_one_clear_line(fitted, tmp_path):
    with pytest.raises(ValueError, match=r"folder of checkpoint .* must exist"):
        fitted.save(tmp_path / "none" / "vae.safetensors")

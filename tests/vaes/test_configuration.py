"""Configurations of all models: from JSON and back, and refused keys."""

import json
from dataclasses import asdict

import pytest

from vaes.models import hierarchical_vae, hvae, hvae_conv, sigma_vae, svg_lp
from vaes.models.decoders import DecoderConfig

CONFIGURATIONS = [
    DecoderConfig("logistic_mixture", components=3, autoregressive=True),
    hierarchical_vae.preset("hvae15", decoder=DecoderConfig("shared")),
    hvae.preset(next(iter(hvae.PRESETS))),
    hvae_conv.preset(next(iter(hvae_conv.PRESETS))),
    sigma_vae.preset("conv8"),
    svg_lp.preset("svg-s"),
]
IDS = [type(config).__name__ for config in CONFIGURATIONS]


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=IDS)
def test_a_configuration_survives_json(config):
    found = type(config).from_dict(json.loads(json.dumps(asdict(config))))
    assert found == config
    assert hash(found) == hash(config)


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=IDS)
def test_an_unknown_key_is_named(config):
    kind = type(config)
    with pytest.raises(ValueError, match=f"^keys of {kind.__name__} must be its fields, got depht$"):
        kind.from_dict(asdict(config) | {"depht": 3})


def test_keys_inside_are_checked_too():
    with pytest.raises(ValueError, match="keys of DecoderConfig must be its fields, got nmae"):
        sigma_vae.preset("conv8", decoder={"nmae": "shared"})
    stage = {"blocks": [[3, 1], [3, 2]], "maps": 4, "kernel": 4, "stride": 2}
    with pytest.raises(ValueError, match="keys of Stage must be its fields, got stride"):
        hierarchical_vae.preset("hvae-s", stages=[stage])

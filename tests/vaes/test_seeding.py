"""Random streams by name."""

import pytest
import torch

from vaes.seeding import global_generators, numpy_stream, stream

STABLE_TORCH = [617580182, 659747112, 1728021204, 1096705405]
STABLE_NUMPY = [523243352, 1922638313, 1776326168, 350654717]


def draws(generator):
    return torch.randint(0, 2**31, (4,), generator=generator).tolist()


def test_streams_with_different_names_differ():
    paths = [(0,), (1,), (0, "noise"), (0, "data"), (0, "noise", 1), (0, "noise", "1"), (0, "no", "ise"), (1, "noise")]
    assert len({tuple(draws(stream(*path))) for path in paths}) == len(paths)
    assert len({numpy_stream(*path).integers(2**62) for path in paths}) == len(paths)


def test_streams_do_not_depend_on_the_order_of_asking():
    first = draws(stream(7, "a")), draws(stream(7, "b"))
    second = draws(stream(7, "b")), draws(stream(7, "a"))
    assert first == second[::-1]


def test_values_are_stable():
    # A change here changes every published number.
    assert draws(stream(1000, "noise")) == STABLE_TORCH
    assert numpy_stream(1000, "noise").integers(2**31, size=4).tolist() == STABLE_NUMPY


def test_the_global_generators_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    draws(stream(0, "data"))
    assert torch.equal(before, torch.get_rng_state())


def test_global_generators_are_seeded_inside_and_restored_after():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with global_generators(stream(0, "dropout", 1)):
        first = torch.rand(3)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    with global_generators(stream(0, "dropout", 1)):
        assert torch.equal(first, torch.rand(3))
    with global_generators(stream(0, "dropout", 2)):
        assert not torch.equal(first, torch.rand(3))


def test_global_generators_of_other_devices_are_not_seeded(monkeypatch):
    def refuse(seed):
        raise AssertionError(f"no other device must be seeded, got {seed}")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    with global_generators(stream(0, "dropout", 1)):
        torch.rand(3)


@pytest.mark.parametrize("path", [("0",), (True,), (1.0,), (0, None), (0, True)])
def test_other_types_are_refused(path):
    with pytest.raises(ValueError, match="must be"):
        stream(*path)

"""What only Efficient-VDVAE has: the cells of its tables are read by name."""

from __future__ import annotations

import pytest

from reproductions.efficient_vdvae import tables


def test_cells_are_read_by_name() -> None:
    assert tables.table_3("memory-cells")["FFHQ 256 5-bit", "VDVAE"] == 512
    assert tables.losses()["ImageNet 32", "C1"] == 3.6
    assert list(tables.layer_rows().values())[4] == {32: 41, 16: 20, 8: 10, 4: 7, 1: 6}
    assert set(tables.others(tables.table_4()["MNIST (nats)"], augmented=False)) == {
        "NVAE",
        "PixelVAE++",
        "Locally Masked PixelCNN",
    }
    with pytest.raises(ValueError, match="check must contain"):
        tables._numbers(r"gains ([\d.]+)", "no gain")

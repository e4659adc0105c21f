"""What only NVAE has: the cells of its tables are read by name."""

from __future__ import annotations

from reproductions.nvae import tables


def test_cells_are_read_by_name() -> None:
    assert tables.own("mnist") == {"without": 78.01, "with": 78.19}
    assert set(tables.quoted("celeba-hq", autoregressive=True)) == {"MaCow", "SPN"}
    assert tables.group_counts("celeba-64") == [5, 10, 20]

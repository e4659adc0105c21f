"""Tables 5 and 6 with our numbers beside the printed ones: ``python -m reproductions.hvae``, half a minute, no GPU.

The models have their full size and live on the meta device; parameters, bytes and operations are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from reproductions.harness import Context, DataInfo
from reproductions.hvae import _beside, _figures_memory, memory, parameters
from reproductions.report.render import number


def counted(module: Any) -> list[dict[str, Any]]:
    """Rows of all units of a counting reproduction."""
    units = module.units("laptop", None, DataInfo())
    return [row for unit in units for row in module.run(dict(unit.config), unit.seed, Context())]


def show(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print one table, numbers to the right."""
    table = Table(*columns, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*(number(cell) for cell in row))
    console.print(table)


def main() -> None:
    """Count and print both tables."""
    console = Console()
    show(console, "Table 5: parameters", _beside.PARAMETER_COLUMNS, _beside.parameter_rows(counted(parameters)))
    rows = _figures_memory.memory_rows(counted(memory))
    show(console, "Table 6: memory of training, batch 64, five samples", _figures_memory.COLUMNS, rows)


if __name__ == "__main__":
    main()

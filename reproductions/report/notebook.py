"""A paper's page from its notebook: py:percent script, executed, exported, free of scripts."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

from reproductions.report.errors import ReportError
from reproductions.report.model import Site
from reproductions.report.prose import markdown_math

NOTEBOOKS = Path(__file__).parent / "notebooks"
GENERIC = "generic"
CONTEXT_VARIABLE = "EVIDENCE_REPORT_CONTEXT"
CELL_SECONDS = 300


def script_for(slug: str, folder: Path = NOTEBOOKS) -> Path:
    """Return the notebook script of a paper: its own, or the one that serves every paper."""
    own = folder / f"{slug.replace('-', '_')}.py"
    return own if own.is_file() else folder / f"{GENERIC}.py"


def run_notebook(script: Path, slug: str, site: Site, out_dir: Path) -> str:
    """Execute a notebook script for a paper and return the body of its page as HTML.

    Parameters
    ----------
    script : Path
        jupytext script in the py:percent format.
    slug : str
        The paper.
    site : Site
        The report's model; the kernel gets a copy.
    out_dir : Path
        Root of the report being built; figures go to its ``figures/<slug>/``.

    Raises
    ------
    ReportError
        When a cell fails; with the notebook, the cell and the message.
    """
    import jupytext  # type: ignore[import-untyped]

    book = jupytext.read(script, fmt="py:percent")
    for index, cell in enumerate(book.cells):
        # jupytext draws random ids; the page must not change from build to build.
        cell["id"] = f"{slug}-{index}"
    with tempfile.TemporaryDirectory(prefix="evidence-notebook-") as scratch:
        context = Path(scratch) / "context.pickle"
        context.write_bytes(pickle.dumps({"slug": slug, "site": site, "out_dir": str(out_dir)}))
        _execute(book, script, Path(scratch), context)
    return _export(book, script)


def _execute(book: Any, script: Path, scratch: Path, context: Path) -> None:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    # Only the kernel of this very interpreter, whatever kernels the user has; sockets in a private folder.
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    manager.transport = "ipc"
    manager.ip = str(scratch / "kernel")
    manager.connection_file = str(scratch / "kernel.json")
    environment = {**os.environ, CONTEXT_VARIABLE: str(context), "MPLBACKEND": "agg", "PYTHONHASHSEED": "0"}
    environment["IPYTHONDIR"] = str(scratch / "ipython")
    client = NotebookClient(
        book,
        km=manager,
        timeout=CELL_SECONDS,
        extra_arguments=["--log-level=50"],
        resources={"metadata": {"path": str(scratch)}},
    )
    try:
        # The client did not make its manager, so it must be told to end the kernel.
        client.execute(env=environment, cleanup_kc=True)
    except CellExecutionError as error:
        raise ReportError(f"notebook {script.name}, {_failed_cell(book)}: {error.ename}: {error.evalue}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise ReportError(f"notebook {script.name}: {type(error).__name__}: {error}") from error


def _failed_cell(book: Any) -> str:
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, start=1):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return f"code cell {number} ({cell.source.strip().splitlines()[0]})"
    return "a code cell"


def _export(book: Any, script: Path) -> str:
    from nbconvert import HTMLExporter

    for cell in book.cells:
        if cell.cell_type == "markdown":
            try:
                cell.source = markdown_math(cell.source)
            except ValueError as error:
                raise ReportError(f"notebook {script.name}: {error}") from error
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise ReportError(f"notebook {script.name} wrote to stderr: {output.text.strip()}")
    exporter = HTMLExporter(
        template_name="basic",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    body, _ = exporter.from_notebook_node(book)
    return str(body)

"""One look for every figure: colour-blind safe, readable in print, byte-for-byte repeatable.

Series differ by colour, marker and line style at once, so that a grey print still tells them apart.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1f2328"
MUTED = "#5c6470"
GRID = "#dfe3e8"
PAPER = "#ffffff"

# Okabe and Ito's palette, darkest first; its yellow is left out because it vanishes on white paper.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.6)), (0, (7, 2, 1.5, 2)), (0, (4, 1, 1, 1, 1, 1)), (0, (1, 1)))

# The same drawing for a dark page: every colour above has a counterpart with contrast against it.
DARK = {
    INK: "#e8e6e1",
    MUTED: "#a9b0ba",
    GRID: "#343a43",
    PAPER: "#1a1e24",
    "#0072b2": "#5ab4f0",
    "#d55e00": "#ff8a3d",
    "#009e73": "#2fcf9f",
    "#cc79a7": "#e79bc6",
    "#56b4e9": "#8fd0f5",
    "#e69f00": "#f5b93a",
}

WIDTH, HEIGHT = 7.2, 4.3


@dataclass(frozen=True)
class Look:
    """Colour, marker and line style of one series."""

    color: str
    marker: str
    line: Any


def look(index: int) -> Look:
    """Return the look of the ``index``-th series of a figure; six differ in everything, then they repeat."""
    i = index % len(PALETTE)
    return Look(PALETTE[i], MARKERS[i], LINES[i])


def parameters() -> dict[str, Any]:
    """Return the matplotlib settings of the report."""
    return {
        "figure.figsize": (WIDTH, HEIGHT),
        "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "figure.constrained_layout.use": True,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 10.5,
        "axes.titlesize": 11.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 10,
        "axes.labelsize": 10.5,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.facecolor": PAPER,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "lines.linewidth": 2.0,
        "lines.markersize": 5.0,
        "legend.frameon": False,
        "legend.fontsize": 9.5,
        "legend.handlelength": 2.8,
        "savefig.dpi": 200,
        "svg.fonttype": "path",
        "svg.hashsalt": "evidence",
        "mathtext.fontset": "dejavusans",
    }


@contextmanager
def applied() -> Iterator[None]:
    """Use the report's settings inside a ``with`` block, whatever the user's matplotlibrc says."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(parameters())  # type: ignore[arg-type]
        yield


def subplots(rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Return a figure and its axes that need no window system and no global state of pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = options.pop("figsize", (WIDTH, HEIGHT * (1 if rows == 1 else 0.8 * rows)))
    with applied():
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, **options)
    return figure, axes


def svg_bytes(figure: Figure) -> bytes:
    """Return the figure as SVG without date or random ids."""
    with applied():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue().decode("utf-8")
    # The metadata block names vocabularies by address; the drawing does not need it.
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!DOCTYPE.*?>\n?", "", text, flags=re.DOTALL)
    return text.encode("utf-8")


def darken(svg: bytes, colours: Mapping[str, str] = DARK) -> bytes:
    """Return the drawing for a dark page by exchanging the style's colours."""
    pattern = re.compile("|".join(re.escape(colour) for colour in colours), flags=re.IGNORECASE)
    return pattern.sub(lambda m: colours[m.group().lower()], svg.decode("utf-8")).encode("utf-8")

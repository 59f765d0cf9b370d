"""One look for all figures: page width, white ground (readable in dark mode), colours safe for colour-blind readers."""

from __future__ import annotations

import io
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lvutils.stats import mean_interval

WIDTH = 6.4  # inches, the book's text width at 100 pixels an inch
DPI = 200  # two pixels for each of the page: sharp on a dense screen

# Okabe-Ito colours by role: the same role has the same colour in all chapters.
COLORS = {
    "method": "#0072B2",
    "baseline": "#D55E00",
    "theory": "#000000",
    "second": "#009E73",
    "third": "#CC79A7",
    "fourth": "#E69F00",
    "fifth": "#56B4E9",
    "muted": "#8A8A8A",
}
_CYCLE = [COLORS[role] for role in ("method", "baseline", "second", "third", "fourth", "fifth", "muted")]


def use_style() -> None:
    """Set the book's style for this process: of plots, and of tables, in which dollars are no formulas."""
    pd.options.display.html.use_mathjax = False
    sns.set_theme(context="notebook", style="ticks", font="DejaVu Sans", font_scale=0.8)
    mpl.rcParams.update(
        {
            "figure.figsize": (WIDTH, 3.2),
            "figure.dpi": DPI,
            "savefig.dpi": DPI,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": mpl.cycler(color=_CYCLE) + mpl.cycler(linestyle=["-", "--", "-.", ":", "-", "--", "-."]),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#E6E6E6",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "axes.titlesize": "medium",
            "image.cmap": "viridis",
            "legend.frameon": False,
            "lines.linewidth": 1.6,
            "lines.markersize": 5,
        }
    )
    if "ipykernel" in sys.modules:
        _draw_once()


def words(text: str, most: int = 30) -> str:
    """A reader's word (a name, a label) for a figure, drawn as it is: no formula, no part of it lost.

    most: characters after which it is cut, with an ellipsis.
    """
    text = " ".join(str(text).split())
    text = text if len(text) <= most else text[: most - 1] + "…"
    # A legend leaves out what begins with an underscore, unless a space without width stands before it.
    return text.replace("$", r"\$") if not text.startswith("_") else "\u200b" + text.replace("$", r"\$")


def _draw_once() -> None:
    """In a kernel, draw each figure once. Jupyter does it twice, to lay it out and to crop it to what is drawn.

    A figure then comes at its own size; what is stored loses its empty margins all the same (``lvutils refresh``).
    """
    import matplotlib.pyplot as plt
    from IPython import get_ipython

    def png(figure: Figure) -> bytes:
        buffer = io.BytesIO()
        figure.canvas.print_png(buffer, pil_kwargs={"compress_level": 1})  # what is stored is packed tightly later
        return buffer.getvalue()

    if (shell := get_ipython()) is not None:
        plt.switch_backend(mpl.get_backend())  # on loading, Jupyter's backend puts its own formatter there
        shell.display_formatter.formatters["image/png"].for_type(Figure, png)


def band(ax, x, samples, *, label: str, color: str, **line) -> None:
    """Mean over runs as a line with its 95 % t interval as a band.

    x: [k]. samples: [runs, k], at least two runs.
    """
    intervals = [mean_interval(column) for column in np.asarray(samples, dtype=float).T]
    ax.plot(x, [i.mean for i in intervals], label=label, color=color, **line)
    ax.fill_between(x, [i.low for i in intervals], [i.high for i in intervals], color=color, alpha=0.18, linewidth=0)

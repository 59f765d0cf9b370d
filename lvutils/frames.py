"""Pictures in rows, and pictures that a reader steps through."""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.image
import numpy as np
from matplotlib.figure import Figure

from lvutils.plot import COLORS, DPI, WIDTH


def mosaic(pictures, levels: int | None = None) -> np.ndarray:
    """Pictures in rows and columns as one, with white lines between.

    pictures: [rows, columns, height, width] (grey) or [rows, columns, height, width, 3], values from 0 to 1.
    levels: round values to so many, which makes a noisy picture's file small.
    Returns [rows * (height + 1) - 1, columns * (width + 1) - 1], and the colours.
    """
    pictures = np.asarray(pictures, dtype=float)
    if pictures.ndim not in (4, 5):
        raise ValueError(f"pictures must be [rows, columns, height, width] or [..., 3], got {pictures.shape}")
    if levels is not None:
        pictures = np.round(pictures.clip(0, 1) * (levels - 1)) / (levels - 1)
    rows, columns, height, width, *colours = pictures.shape
    framed = np.ones((rows, columns, height + 1, width + 1, *colours))
    framed[:, :, :height, :width] = pictures
    return np.swapaxes(framed, 1, 2).reshape(rows * (height + 1), columns * (width + 1), *colours)[:-1, :-1]


MAX_FRAMES = 40
_STILLS = 5
_FRAMES_STYLE = (
    ".KEY{display:flex;flex-wrap:wrap;justify-content:center;gap:.25rem;border:0;margin:0;padding:.5rem;"
    "background:#fff;color:#222}"
    ".KEY legend{float:left;width:100%;text-align:center;font-size:.9rem}"
    ".KEY .stage{order:-1;overflow:hidden;width:100%;margin:0 auto}"
    ".KEY img{display:block;width:100%;height:auto;max-width:none;margin:0;image-rendering:pixelated}"
    ".KEY input{position:absolute;opacity:0}"
    ".KEY label{margin:0;padding:.15rem .5rem;min-width:2rem;text-align:center;border:1px solid #6b7380;"
    "border-radius:.3rem;cursor:pointer;font-size:.85rem}"
    f".KEY input:checked+label{{background:{COLORS['method']};color:#fff}}"
    f".KEY input:focus-visible+label{{outline:3px solid {COLORS['fourth']};outline-offset:1px}}"
)


class Frames:
    """Pictures that a reader steps through, as the last value of a cell: arrow keys, mouse or touch choose one.

    The frames are stored in the notebook and no script runs: the control is a row of radio buttons, so the keyboard and
    screen readers know it. Where HTML is not shown, five of the frames stand side by side as one still picture.

    images: [n, height, width] (grey) or [n, height, width, 3], values from 0 to 1, n from 2 to 40.
    labels: n short texts, one under each button. legend: what the control changes. alt: what one would see, for those
    who cannot (what the cell's metadata say reaches the still picture only). width: on a wide screen, in pixels.
    Raises ValueError where shapes, values or the number of labels do not fit.
    """

    def __init__(self, images, labels: Sequence[str], *, legend: str, alt: str, width: int = 480):
        images = np.asarray(images, dtype=float)
        if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
            raise ValueError(f"frames must be [n, height, width] or [n, height, width, 3], got {images.shape}")
        if not 2 <= len(images) <= MAX_FRAMES or len(labels) != len(images):
            raise ValueError(
                f"2 to {MAX_FRAMES} frames, each with a label, are needed; got {len(images)}, {len(labels)}"
            )
        if not (images.min() >= 0 and images.max() <= 1):  # also false for what is not a number
            raise ValueError(f"values must lie between 0 and 1, got {images.min():g} to {images.max():g}")
        self.images, self.labels, self.legend = images, [str(x) for x in labels], legend
        self.alt, self.width = alt, width

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self._html(), "image/png": base64.b64encode(self._still()).decode()}

    def _html(self) -> str:
        n, height, width = self.images.shape[:3]
        strip = _png(self.images.reshape(n * height, *self.images.shape[2:]))
        key = "frames-" + hashlib.sha256(strip + "".join([self.legend, *self.labels]).encode()).hexdigest()[:10]
        shift = "".join(
            f".{key} input:nth-of-type({k + 1}):checked~.stage img{{transform:translateY(-{100 * k / n:.4f}%)}}"
            for k in range(n)
        )
        buttons = "".join(
            f'<input type="radio" name="{key}" id="{key}-{k}"{" checked" * (k == 0)}>'
            f'<label for="{key}-{k}">{html.escape(label)}</label>'
            for k, label in enumerate(self.labels)
        )
        style = (
            _FRAMES_STYLE.replace("KEY", key)
            + f".{key} .stage{{max-width:{self.width}px;aspect-ratio:{width}/{height}}}"
        )
        picture = f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{base64.b64encode(strip).decode()}">'
        return (
            f"<style>{style}{shift}</style>"
            f'<fieldset class="{key}"><legend>{html.escape(self.legend)}</legend>{buttons}'
            f'<div class="stage">{picture}</div></fieldset>'
        )

    def _still(self) -> bytes:
        shown = np.unique(np.linspace(0, len(self.images) - 1, _STILLS).round().astype(int))
        height, width = self.images.shape[1:3]
        wide = width > 2 * height  # such frames stand below each other
        rows, columns = (len(shown), 1) if wide else (1, len(shown))
        each = (WIDTH - 0.8 * wide) / columns * height / width + 0.3 * (not wide)
        figure = Figure((WIDTH, min(rows * each + 0.2, 8)), dpi=DPI, layout="constrained")
        for ax, k in zip(figure.subplots(rows, columns), shown, strict=True):
            ax.imshow(self.images[k], "gray", vmin=0, vmax=1)
            if wide:
                ax.text(-0.01, 0.5, self.labels[k], transform=ax.transAxes, ha="right", va="center")
            else:
                ax.set_title(self.labels[k])
            ax.axis("off")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    mpl.image.imsave(buffer, image, cmap="gray", vmin=0, vmax=1, format="png", metadata={"Software": None})
    return buffer.getvalue()

"""Notebooks as files: reading, cleaning, writing. Plain JSON, so that a bad call is answered before heavy imports."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lvutils.files import parse_json
from lvutils.parameters import Parameter, ParameterError, parse_parameters
from lvutils.paths import ROOT
from lvutils.press.errors import Misuse

if TYPE_CHECKING:
    from PIL import Image

PARAMETERS_TAG = "parameters"
_ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
_STYLER = re.compile(r"\b(T_)[0-9a-f]{5}")  # the id that pandas gives a styled table


def read_notebook(path: Path) -> dict:
    """A notebook (format 4). Raises Misuse where the file is missing or is not one."""
    try:
        notebook = parse_json(path.read_text(encoding="utf-8"))
        if notebook["nbformat"] != 4 or not isinstance(notebook["cells"], list):
            raise ValueError("not notebook format 4")
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
            cell.setdefault("metadata", {})
    except OSError as error:
        raise Misuse(f"{shown(path)}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Misuse(f"{shown(path)} is not a Jupyter notebook ({type(error).__name__}: {error})") from None
    return notebook


def code_cells(notebook: dict) -> Iterator[tuple[int, dict]]:
    """Number in the notebook (from 1) and content of each code cell."""
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code":
            yield number, cell


def tags(cell: dict) -> list[str]:
    """The tags of a cell."""
    return cell["metadata"].get("tags", [])


def parameters_of(notebook: dict, name: str) -> dict[str, Parameter]:
    """The parameters that a notebook declares. ``name`` is for messages. Raises Misuse where they are not readable."""
    tagged = [cell for _, cell in code_cells(notebook) if PARAMETERS_TAG in tags(cell)]
    if len(tagged) != 1:
        raise Misuse(f"{name}: expected one cell tagged 'parameters', found {len(tagged)}")
    try:
        return parse_parameters(tagged[0]["source"])
    except (ParameterError, SyntaxError) as error:
        raise Misuse(f"{name}: {error}") from None


def clean(notebook: dict) -> dict:
    """The notebook as it is stored: counts 1..n, no timings, no machine's traces, no progress bars, text joined, no
    object's address or random id.
    """
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    for count, (_, cell) in enumerate(code_cells(notebook), 1):
        cell["execution_count"] = count
        outputs = [o for o in cell["outputs"] if not (o["output_type"] == "stream" and o["name"] == "stderr")]
        cell["outputs"] = _join_streams(outputs)
        for output in cell["outputs"]:
            output.pop("metadata", None) if output["output_type"] == "stream" else output.update(metadata={})
            if "execution_count" in output:
                output["execution_count"] = count
            data = output.get("data", {})
            for mime in {"text/plain", "text/html"} & data.keys():
                text = "".join(data[mime])
                text = _ADDRESS.sub(">", text) if mime == "text/plain" else _STYLER.sub(rf"\g<1>{count}", text)
                data[mime] = text
            if "image/png" in data:
                data["image/png"], width = small_png(data["image/png"])
                output["metadata"] = {"image/png": {"width": width}}  # JupyterLab's, in pixels of the page
    for cell in notebook["cells"]:
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k in ("tags", "mystnb")}
        if not cell["metadata"].get("tags", True):
            del cell["metadata"]["tags"]
    _fold(notebook)
    return notebook


def _fold(notebook: dict) -> None:
    """Have JupyterLab fold what the page folds: cells tagged so, and the code of solutions with what it gives."""
    in_solution = False
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for edge in re.findall(r"^(?:`{3,}|:{3,})\{solution-(start|end)\}", cell["source"], re.MULTILINE):
                in_solution = edge == "start"
        elif in_solution:
            cell["metadata"]["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
        elif "hide-input" in tags(cell):
            cell["metadata"]["jupyter"] = {"source_hidden": True}


_MARGIN = 0.1  # inches that stay around what a figure shows
_PAGE_DPI = 100  # pixels of the page an inch


def small_png(encoded: str | list[str]) -> tuple[str, int]:
    """The same picture in fewer bytes, and its width on a page: narrow margins, a palette of 256 colours that is made
    for it (no transparency, since figures have a white ground).
    """
    from PIL import Image, ImageChops

    image = Image.open(io.BytesIO(base64.b64decode("".join(encoded))))
    dpi = image.info.get("dpi", (_PAGE_DPI, _PAGE_DPI))
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
    if image.mode == "RGB":
        margin = round(_MARGIN * dpi[0])
        drawn = ImageChops.difference(image, Image.new("RGB", image.size, "white")).getbbox()
        if drawn is not None:
            left, top, right, bottom = drawn
            width, height = image.size
            image = image.crop(
                (
                    max(left - margin, 0),
                    max(top - margin, 0),
                    min(right + margin, width),
                    min(bottom + margin, height),
                )
            )
        image = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, "png", optimize=True, dpi=dpi)
    return base64.b64encode(buffer.getvalue()).decode(), page_width(image)


def page_width(image: Image.Image) -> int:
    """How wide a figure is to stand on a page, in its pixels: one of twice the pixels is a sharp one, no larger."""
    return round(image.width * _PAGE_DPI / image.info.get("dpi", (_PAGE_DPI,))[0])


def dump(notebook: dict) -> str:
    """The notebook's text, in the form that Jupyter writes (so that a save in JupyterLab changes nothing else)."""
    stored = json.loads(json.dumps(notebook))
    for cell in stored["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = "".join(output["text"]).splitlines(keepends=True)
            for mime, value in output.get("data", {}).items():
                if mime.startswith("text/") and isinstance(value, str):
                    output["data"][mime] = value.splitlines(keepends=True)
    return json.dumps(stored, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def shown(path: Path) -> str:
    """A path for a message: relative to the project where it lies inside."""
    try:
        return str(Path(path).resolve().relative_to(ROOT))
    except ValueError:
        return str(path)


def _join_streams(outputs: list[dict]) -> list[dict]:
    joined: list[dict] = []
    for output in outputs:
        if output["output_type"] == "stream":
            output["text"] = "".join(output["text"])
            if joined and joined[-1]["output_type"] == "stream":
                joined[-1]["text"] += output["text"]
                continue
        joined.append(output)
    return joined

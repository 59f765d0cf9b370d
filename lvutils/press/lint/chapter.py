"""A chapter as the linter reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lvutils.parameters import Parameter
from lvutils.press import catalogue
from lvutils.press.errors import Misuse
from lvutils.press.notebook import code_cells, parameters_of, read_notebook, tags
from lvutils.press.pool import stored_results

Found = Iterator[tuple[int | None, str]]  # number of the cell or None, message with the cure


class Chapter:
    """A chapter with its cells numbered from 1 and sorted into sections."""

    def __init__(self, path: Path):
        self.path = path
        self.slug = path.stem
        self.paper = catalogue.find(self.slug)
        self.notebook = read_notebook(path)
        self.cells = list(enumerate(self.notebook["cells"], 1))
        self.results = stored_results(path)
        self.sections: dict[str, list[tuple[int, dict]]] = {"": []}
        self.headings: list[tuple[int, str]] = []
        current = ""
        for number, cell in self.cells:
            if cell["cell_type"] != "markdown":
                self.sections[current].append((number, cell))
                continue
            before, *parts = re.split(r"^## (.+)$", cell["source"], flags=re.MULTILINE)
            self.sections[current].append((number, {**cell, "source": before}))
            for title, text in zip(parts[::2], parts[1::2], strict=True):
                current = title.strip()
                self.headings.append((number, current))
                self.sections.setdefault(current, []).append((number, {**cell, "source": text}))

    @property
    def code(self) -> list[tuple[int, dict]]:
        return list(code_cells(self.notebook))

    @property
    def view(self) -> list[tuple[int, dict]]:
        """The code cells that the page shows unfolded."""
        return [(number, cell) for number, cell in self.code if "hide-input" not in tags(cell)]

    @property
    def declared(self) -> dict[str, Parameter]:
        """The parameters; none where they are not readable, which a check of its own says."""
        try:
            return parameters_of(self.notebook, self.slug)
        except Misuse:
            return {}

    @property
    def markdown(self) -> str:
        return "\n\n".join(c["source"] for _, c in self.cells if c["cell_type"] == "markdown")


def markdown(cell: dict) -> str:
    return _without_code(cell["source"]) if cell["cell_type"] == "markdown" else ""


def _without_code(text: str) -> str:
    """Markdown without fenced program code; directives stay."""
    kept, fence = [], None
    for line in text.splitlines():
        marks = re.match(r"`{3,}", line)
        if fence is None and marks:
            fence = (marks[0], "{" in line)
        elif fence and marks and line.strip() == fence[0]:
            fence = None
            continue
        if fence is None or fence[1]:
            kept.append(line)
    return "\n".join(kept)


def printed(cell: dict) -> str:
    outputs = cell.get("outputs", [])
    return "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream" and o["name"] == "stdout")


def shown_html(cell: dict) -> str:
    return "".join("".join(o.get("data", {}).get("text/html", "")) for o in cell.get("outputs", []))

"""The form of a chapter: a valid notebook, the headings, executed cells, figures, sizes."""

from __future__ import annotations

import base64
import io
import re
import warnings

from PIL import Image

from lvutils.parameters import nearest
from lvutils.press import links
from lvutils.press.lint.chapter import Chapter, Found, markdown, printed
from lvutils.press.new import headings as headings_of_new
from lvutils.press.notebook import page_width, tags

HEADINGS = headings_of_new()
CHECKED_SECTIONS = ("Data", "Check the implementation", "Does the claim hold?")
TAGS = {"caption", "parameters", "hide-input", "nbval-check-output", "nbval-ignore-output"}
MAX_BYTES, MAX_FIGURES, MAX_CELLS, MAX_FIGURE_PX = 600_000, 8, 60, 700
MAX_CODE_LINES, MAX_LINE, MAX_FOLDED_LINE = 600, 88, 120  # lines as written, folded ones too; the page shows no more


def notebook(c: Chapter) -> Found:
    """A valid notebook, with no more metadata than it needs, nothing left to do, known tags."""
    import nbformat

    try:
        with warnings.catch_warnings(action="ignore"):  # what it warns of is said below
            nbformat.validate(nbformat.from_dict({**c.notebook}))
    except nbformat.ValidationError as error:
        yield None, f"not a valid notebook: {str(error).splitlines()[0]}"
    extra = set(c.notebook["metadata"]) - {"kernelspec", "language_info"}
    if extra:
        yield (
            None,
            f"notebook metadata {', '.join(sorted(extra))}: refresh the chapter, it keeps only the kernel's name",
        )
    ids = [cell.get("id") for _, cell in c.cells]
    for number, cell in c.cells:
        if not cell.get("id") or ids.count(cell["id"]) > 1:
            yield number, "cell id is missing or not unique; give it one of its own"
        if "TODO" in cell["source"] or "TODO" in str(cell["metadata"]):
            yield number, "TODO is left; fill it in"
        for tag in tags(cell):
            if tag not in TAGS:
                yield number, f"unknown tag {tag!r}{nearest(tag, TAGS)}"


def head(c: Chapter) -> Found:
    """Label, title and paper card as in the catalogue."""
    first = c.cells[0][1]
    if first["cell_type"] != "markdown":
        yield 1, "the first cell must be Markdown: label, title and paper card"
        return
    expected = f"(ch-{c.slug})=\n# {c.paper.short}"
    if not first["source"].startswith(expected + "\n"):
        yield 1, f"must start with the label and the catalogue's short title: {expected!r}"
    if c.paper.card() not in first["source"]:
        yield 1, f"the paper card differs from the catalogue's; replace it by:\n{c.paper.card()}"
    title_cells = [n for n, cell in c.cells if re.search(r"^# ", markdown(cell), re.MULTILINE)]
    if title_cells != [1]:
        yield None, f"expected one '# ' heading, in cell 1; found some in cells {title_cells}"


def headings(c: Chapter) -> Found:
    """The ten headings in their order."""
    titles = [title for _, title in c.headings]
    if titles != list(HEADINGS):
        wrong = next((i for i, (a, b) in enumerate(zip(titles, HEADINGS, strict=False)) if a != b), None)
        if wrong is None:
            wrong = min(len(titles), len(HEADINGS))
        number = c.headings[wrong][0] if wrong < len(titles) else None
        want = f"'## {HEADINGS[wrong]}'" if wrong < len(HEADINGS) else "no further heading"
        yield number, f"'## ' heading {wrong + 1}: expected {want}; the ten headings and their order are fixed"


def executed(c: Chapter) -> Found:
    """Every cell ran, in order, without error."""
    for count, (number, cell) in enumerate(c.code, 1):
        if not cell["source"].strip():
            yield number, "empty code cell; delete it"
        elif cell.get("execution_count") is None:
            yield number, f"was never run; run: lvutils refresh {c.slug}"
        elif cell["execution_count"] != count:
            yield (
                number,
                f"execution count is {cell['execution_count']}, expected {count}; run: lvutils refresh {c.slug}",
            )
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield number, f"stored error output {output.get('ename')}; mend the cell and refresh"
            if output["output_type"] == "stream" and output.get("name") == "stderr":
                yield number, "stored stderr output; mend its cause and refresh"
            if any("widget" in mime for mime in output.get("data", {})):
                yield number, "stored widget output; show a picture or text instead"


def checked_cells(c: Chapter) -> Found:
    """Checked cells print what is the same on every machine."""
    for section in CHECKED_SECTIONS:
        if not any("nbval-check-output" in tags(cell) for _, cell in c.sections.get(section, [])):
            yield None, f"'## {section}' has no cell tagged nbval-check-output"
    for number, cell in c.code:
        if "nbval-check-output" not in tags(cell):
            continue
        if "nbval-ignore-output" in tags(cell):
            yield number, "tagged both nbval-check-output and nbval-ignore-output; keep one"
        text = printed(cell)
        if not text.strip():
            yield number, "tagged nbval-check-output but prints nothing; print what must stay the same"
        if any(o["output_type"] != "stream" for o in cell["outputs"]):
            yield number, "a checked cell may only print; show tables and figures in a cell of their own"
        if raw := re.search(r"\d\.\d{4,}|\d[eE]-\d\d", text):
            yield number, f"checked text holds a raw float ({raw[0]}...); print counts, verdicts or rounded values"


def figures(c: Chapter) -> Found:
    """One figure a cell, named, referred to, with caption and alt text, folded, not too wide."""
    names, referred = [], links.referred(c.markdown)
    captioned = {
        figure["metadata"]["mystnb"]["figure"]["name"]
        for figure, below in links.captions(c.notebook)
        if below is not None and len(links.caption(below)) >= 40
    }
    for number, cell in c.code:
        images = [o["data"]["image/png"] for o in cell["outputs"] if "image/png" in o.get("data", {})]
        if not images:
            continue
        if len(images) > 1:
            yield number, f"draws {len(images)} figures; one cell, one figure"
        elif sum("data" in o for o in cell["outputs"]) > 1:  # the book would give the figure's label to both
            yield number, "a figure's cell shows something else beside it; end it with plt.show()"
        mystnb = cell["metadata"].get("mystnb", {})
        name = mystnb.get("figure", {}).get("name", "")
        names.append(name)
        if not name.startswith(f"fig-{c.slug}-"):
            yield number, f"figure name {name!r}: set mystnb.figure.name to fig-{c.slug}-..."
        elif name not in referred:
            yield number, f"no text refers to this figure; write [Figure {len(names)}](#{name})"
        if name not in captioned:
            yield number, "figure without a caption; give it a cell below, tagged caption (one or two sentences)"
        if len(mystnb.get("image", {}).get("alt", "")) < 40:
            yield number, "figure without alt text; set mystnb.image.alt in the cell's metadata (what one would see)"
        if "hide-input" not in tags(cell):
            yield number, "a cell that draws is folded; tag it hide-input"
        for image in images:
            with Image.open(io.BytesIO(base64.b64decode("".join(image)))) as opened:
                width = page_width(opened)
            if width > MAX_FIGURE_PX:
                yield (
                    number,
                    f"figure is {width} pixels of the page wide, at most {MAX_FIGURE_PX}; keep figsize in 6.4 inches",
                )
    for name in sorted({n for n in names if n and names.count(n) > 1}):
        yield None, f"figure name {name} is used twice"
    if not names:
        yield None, "no figure; the idea in one picture is part of the contract"
    if len(names) > MAX_FIGURES:
        yield None, f"{len(names)} figures, at most {MAX_FIGURES}"
    idea = c.sections.get("The idea in one picture", [])
    if names and not any("image/png" in o.get("data", {}) for _, cell in idea for o in cell.get("outputs", [])):
        yield None, "'## The idea in one picture' has no picture"


def labels(c: Chapter) -> Found:
    """Labels start with the slug; the model has a numbered equation."""
    for number, cell in c.cells:
        for kind, label in re.findall(r"\((eq|fig|tab|ex)-([^)\s]+)\)", markdown(cell)):
            if not label.startswith(c.slug):
                yield number, f"label {kind}-{label}: labels start with the slug, {kind}-{c.slug}-..."
    model = "\n".join(markdown(cell) for _, cell in c.sections.get("The model", []))
    if f"(eq-{c.slug}-" not in model:
        yield None, f"'## The model' has no numbered equation; write $$ ... $$ (eq-{c.slug}-name)"


def paths(c: Chapter) -> Found:
    """No path of a machine, no path upwards."""
    for number, cell in c.cells:
        where = cell["source"] + "".join(
            "".join(o.get("text", "")) + "".join(o.get("data", {}).get("text/plain", ""))
            for o in cell.get("outputs", [])
        )
        if "../" in re.sub(r"\]\(\.\./[\w-]+/[\w-]+\.ipynb\)", "", where):
            yield number, "a path with '../': take paths from lvutils.paths; only links to other notebooks have one"
        if machine := re.search(r"(?<![\w.])/(?:home|root|tmp|Users|work|mnt)/[\w.-]+|[A-Z]:\\\\", where):
            yield number, f"a path of one machine ({machine[0]})"


def references(c: Chapter) -> Found:
    """References in the form that JupyterLab shows, with the numbers of what they lead to."""
    for number, cell in c.cells:
        for role in links.ROLES.finditer(markdown(cell)):
            yield number, f"{role[0]!r} is nothing to JupyterLab; write a link (CONTRIBUTING, References)"
    known = links.numbers(c.notebook)
    for label in sorted(links.referred(c.markdown) - known.keys()):
        yield None, f"a reference leads to {label}, which is not in the chapter{nearest(label, known)}"
    right = {**c.notebook, "cells": [dict(cell) for _, cell in c.cells]}
    links.number(right)
    for (number, cell), other in zip(c.cells, right["cells"], strict=True):
        if cell["source"] != other["source"]:
            yield number, f"a number of a figure or equation is not that of its place; run: lvutils number {c.slug}"


def size(c: Chapter) -> Found:
    """Bytes and cells."""
    size = c.path.stat().st_size
    if size > MAX_BYTES:
        yield None, f"{size / 1000:.0f} kB, at most {MAX_BYTES / 1000:.0f}; draw fewer or plainer figures"
    n = sum(links.CAPTION not in tags(cell) for _, cell in c.cells)
    if n > MAX_CELLS:
        yield None, f"{n} cells, at most {MAX_CELLS}"


def length(c: Chapter) -> Found:
    """Lines of code, folded ones included."""
    n = sum(bool(line.strip()) for _, cell in c.code for line in cell["source"].splitlines())
    if n > MAX_CODE_LINES:
        yield None, f"{n} lines of code, at most {MAX_CODE_LINES}; an experiment that no claim needs goes"


def width(c: Chapter) -> Found:
    """Lines in view fit the page."""
    for number, cell in c.code:
        most = MAX_FOLDED_LINE if "hide-input" in tags(cell) else MAX_LINE
        if long := next((line for line in cell["source"].splitlines() if len(line) > most), None):
            yield (
                number,
                f"a line of {len(long)} characters scrolls sideways, at most {most} here: {long.strip()[:40]}...",
            )

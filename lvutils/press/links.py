"""References and captions of a chapter, in a form that JupyterLab shows and that becomes the book's own in the build.

In a notebook they are plain Markdown, readable wherever a notebook is: a citation is a link to the paper whose title is
the key in the bibliography, ``[Lucas et al., 2019](https://... "lucas2019dont")``, in brackets where it is no part of
the sentence; a reference to a figure or an
equation is ``[Figure 2](#fig-SLUG-name)`` or ``[(3)](#eq-SLUG-name)``, numbered in the order of the chapter; a sibling
is ``[its title](../PART/SLUG.ipynb)``; and the caption of a figure is a cell of its own below it, tagged ``caption``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from lvutils.paths import BOOK
from lvutils.press import catalogue
from lvutils.press.notebook import tags

CAPTION = "caption"
_LINK, _KEY = r'\[[^\]\n]+\]\([^\s"]+ "{}"\)', r"[\w:-]+"
_CITATION = re.compile(_LINK.format(f"({_KEY})"))
_IN_BRACKETS = re.compile(rf"\((?:{_LINK.format(_KEY)}(?:[,;] )?)+\)")
_REFERENCE = re.compile(r"\[(Figure \d+|\(\d+\))\]\(#((fig|eq)-[\w-]+)\)")
_SIBLING = re.compile(r"\[([^\]\n]+)\]\(\.\./[\w-]+/([\w-]+)\.ipynb\)")
_HEAD = re.compile(r"\*\*Figure (\d+)\.\*\* ")
_EQUATION = re.compile(r"^\$\$ ?\((eq-[\w-]+)\)[ \t]*$", re.MULTILINE)
ROLES = re.compile(r"\{(footcite|cite|numref|eq|ref|doc)(?::\w+)?\}`([^`]+)`|```\{(footbibliography)\}")


def citation(key: str) -> str:
    """A citation as it stands in a notebook. Raises KeyError for a key that is not in the bibliography."""
    entry = _bibliography()[key]
    people = entry.persons.get("author", entry.persons.get("editor", []))
    names = [" ".join(str(name) for name in p.rich_prelast_names + p.rich_last_names) for p in people]
    who = names[0] if len(names) == 1 else f"{names[0]} and {names[1]}" if len(names) == 2 else f"{names[0]} et al."
    fields = entry.fields
    where = fields.get("url") or (f"https://doi.org/{fields['doi']}" if "doi" in fields else "#Further-reading")
    if "eprint" in fields:
        where = f"https://arxiv.org/abs/{fields['eprint']}"
    return f'[{who}, {fields["year"]}]({where} "{key}")'


def cited(text: str) -> list[str]:
    """Keys of the works that a Markdown text cites, in its order."""
    return [match[1] for match in _CITATION.finditer(text)]


def referred(text: str) -> set[str]:
    """Labels of the figures and equations that a Markdown text refers to."""
    return {match[2] for match in _REFERENCE.finditer(text)}


def numbers(notebook: Mapping) -> dict[str, int]:
    """The number of each figure and equation of a chapter by its label, in their order."""
    figures = [cell["metadata"]["mystnb"]["figure"]["name"] for cell in notebook["cells"] if _figure(cell)]
    texts = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    equations = [label for text in texts for label in _EQUATION.findall(text)]
    return {label: k for labels in (figures, equations) for k, label in enumerate(labels, 1)}


def captions(notebook: Mapping) -> Iterator[tuple[dict, dict | None]]:
    """Each figure's cell and that of its caption, None where the next cell is none."""
    cells = notebook["cells"]
    for k, cell in enumerate(cells):
        if _figure(cell):
            below = cells[k + 1] if k + 1 < len(cells) else None
            yield cell, below if below is not None and CAPTION in tags(below) else None


def caption(cell: Mapping) -> str:
    """The text of a caption's cell, without its number."""
    return _HEAD.sub("", "".join(cell["source"]), count=1)


def number(notebook: Mapping) -> None:
    """Write the right number into each reference and caption of a chapter."""
    known = numbers(notebook)

    def right(match: re.Match) -> str:
        k = known.get(match[2])
        return match[0] if k is None else f"[{f'Figure {k}' if match[3] == 'fig' else f'({k})'}](#{match[2]})"

    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _REFERENCE.sub(right, "".join(cell["source"]))
    for figure, below in captions(notebook):
        if below is not None:
            k = known[figure["metadata"]["mystnb"]["figure"]["name"]]
            below["source"] = f"**Figure {k}.** {caption(below)}"


def for_sphinx(notebook: Mapping) -> None:
    """Turn a chapter's links into Sphinx's roles, its captions' cells into captions, and add its bibliography."""
    for figure, below in list(captions(notebook)):
        if below is not None:
            figure["metadata"]["mystnb"]["figure"]["caption"] = _roles(caption(below))
            notebook["cells"].remove(below)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _roles("".join(cell["source"]))
            if re.search(r"^## Further reading$", cell["source"], re.MULTILINE):
                cell["source"] += "\n\n```{footbibliography}\n```"


def _roles(text: str) -> str:
    written = {paper.slug for paper in catalogue.written()}
    text = _IN_BRACKETS.sub(lambda m: f"{{footcite:p}}`{','.join(cited(m[0]))}`", text)
    text = _CITATION.sub(r"{footcite:t}`\1`", text)
    text = _REFERENCE.sub(lambda m: f"{{{'numref' if m[3] == 'fig' else 'eq'}}}`{m[2]}`", text)
    return _SIBLING.sub(lambda m: f"{{ref}}`{m[1]} <ch-{m[2]}>`" if m[2] in written else m[0], text)


def _figure(cell: Mapping) -> bool:
    return cell["cell_type"] == "code" and "figure" in cell["metadata"].get("mystnb", {})


@cache
def _bibliography() -> Mapping:
    from pybtex.database import parse_file

    return parse_file(str(BOOK / "references.bib")).entries

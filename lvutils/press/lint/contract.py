"""The contract of a chapter: parameters, sources, exercises, what differs, links."""

from __future__ import annotations

import re
from functools import cache

from lvutils.parameters import nearest
from lvutils.paths import BOOK, NOTEBOOKS
from lvutils.press import catalogue, links
from lvutils.press.errors import Misuse
from lvutils.press.lint.chapter import Chapter, Found, markdown
from lvutils.press.notebook import parameters_of, tags

OBJECTIONS = ("**What the authors would object to first", "**What a referee would")


def parameters(c: Chapter) -> Found:
    """The parameters cell, and begin() after it."""
    try:
        parameters_of(c.notebook, "parameters")
    except Misuse as error:
        yield None, str(error)
        return
    code = c.code
    at = next(i for i, (_, cell) in enumerate(code) if "parameters" in tags(cell))
    number = code[at][0]
    if number not in [n for n, _ in c.sections.get("Set-up", [])]:
        yield number, "the parameters cell belongs under '## Set-up'"
    following = code[at + 1] if at + 1 < len(code) else (None, {"source": ""})
    if f'begin("{c.slug}", globals())' not in following[1]["source"]:
        yield following[0], f'the cell after the parameters must call begin("{c.slug}", globals())'
    for number, cell in code:
        if re.search(r"\bif\b[^\n]*\bprofile\s*(?:==|!=|in\b)", cell["source"]):
            yield number, "no 'if profile ...': run.choose() sets sizes, min_profile leaves a claim untested"


def differences(c: Chapter) -> Found:
    """A table of what differs from the paper."""
    text = "\n".join(markdown(cell) for _, cell in c.sections.get("What differs from the paper", []))
    head = re.search(r"^\|([^|\n]+)\|([^|\n]+)\|([^|\n]+)\|\s*\n\|[\s:|-]+\|", text, re.MULTILINE)
    if not head:
        yield (
            None,
            "'## What differs from the paper' needs a table with three columns: paper | here | what it may change",
        )


def exercises(c: Chapter) -> Found:
    """Two or three exercises with folded solutions, one a rerun."""
    cells = c.sections.get("Exercises", [])
    text = "\n".join(markdown(cell) for _, cell in cells)
    exercises = re.findall(r"\{exercise(?:-start)?\}[^\n]*\n(?::[^\n]*\n)*?:label: (\S+)", text)
    solutions = re.findall(r"\{solution(?:-start)?\} (\S+)", text)
    if not 2 <= len(exercises) <= 3:
        yield None, f"{len(exercises)} exercises, expected two or three with a :label:"
    for label in exercises:
        if label not in solutions:
            yield None, f"exercise {label} has no solution"
        if not label.startswith(f"ex-{c.slug}"):
            yield None, f"exercise label {label}: start it with ex-{c.slug}"
    if text.count(":class: dropdown") < len(solutions):
        yield None, "solutions are folded; give each ':class: dropdown'"
    if not re.search(rf"lvutils (run|sweep) {re.escape(c.slug)} ", text):
        yield None, f"no exercise gives the command line of a rerun; write lvutils run {c.slug} -p ..."


def citations(c: Chapter) -> Found:
    """Citations are in the bibliography."""
    for key in sorted(set(links.cited(c.markdown)) - _bib_keys()):
        yield None, f"citation {key} is not in book/references.bib{nearest(key, _bib_keys())[:80]}"


def free_text(c: Chapter) -> Found:
    """A parameter that is a text has a checked form."""
    for p in c.declared.values():
        if p.type is str and not p.choices and not p.path:
            yield (
                None,
                f"parameter {p.name} takes any text; give it 'one of ...', a path, or a list of numbers as its type",
            )


def objections(c: Chapter) -> Found:
    """What stays open stands in the chapter."""
    text = "\n".join(markdown(cell) for _, cell in c.sections.get("What differs from the paper", []))
    for start in OBJECTIONS:
        if start not in text:
            yield None, f"'## What differs from the paper' has no paragraph that starts with {start}**"


def trains(c: Chapter) -> Found:
    """A chapter trains its own models; notebooks of their own are for models that several share."""
    if (NOTEBOOKS / "models" / f"{c.slug}.ipynb").is_file():
        yield (
            None,
            "its models are trained by a notebook of their own; train them in the chapter, with run.trained(...)",
        )


def siblings(c: Chapter) -> Found:
    """Chapters that are named in the text are links: ``*slug*`` becomes one in the build, ``{ref}`` is one."""
    slugs = "|".join(re.escape(p.slug) for p in catalogue.written() if p.slug != c.slug)
    if not slugs:
        return
    for number, cell in c.cells:
        for mention in re.finditer(rf"(?<![\w/*-])(`?)({slugs})(?![\w*-])", markdown(cell)):
            before = markdown(cell)[: mention.start()].rpartition("\n")[2]
            if "{ref}" not in before and "lvutils " not in before and "ch-" not in before[-4:]:
                yield number, f"names the chapter {mention[2]} without a link; write *{mention[2]}*"


@cache
def _bib_keys() -> frozenset[str]:
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^@\w+\{([^,\s]+),", text, re.MULTILINE))

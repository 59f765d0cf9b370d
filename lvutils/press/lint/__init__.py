"""The contract of a chapter, checked. A message names the file, the cell and the cure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml

from lvutils.paths import NOTEBOOKS
from lvutils.press.errors import Misuse
from lvutils.press.lint import contract, evidence, form
from lvutils.press.lint.chapter import Chapter, Found
from lvutils.press.notebook import shown

CHECKS: dict[str, Callable[[Chapter], Found]] = {
    check.__name__: check
    for check in (
        form.notebook,
        form.head,
        form.headings,
        form.executed,
        form.checked_cells,
        form.figures,
        form.labels,
        form.references,
        form.paths,
        form.size,
        form.length,
        form.width,
        contract.parameters,
        contract.free_text,
        contract.differences,
        contract.objections,
        contract.exercises,
        contract.citations,
        contract.siblings,
        contract.trains,
        evidence.claims,
        evidence.explained,
        evidence.in_step,
        evidence.controls,
        evidence.coverage,
        evidence.exact,
        evidence.reach,
        evidence.ends,
        evidence.steady,
    )
}
EXCEPTIONS = NOTEBOOKS / "exceptions.yml"


@cache
def exceptions() -> dict[str, list[str]]:
    """Checks that chapters from before they were there do not meet yet, by chapter. The list only shrinks."""
    return yaml.safe_load(EXCEPTIONS.read_text(encoding="utf-8")) or {} if EXCEPTIONS.is_file() else {}


def lint_chapter(path: Path) -> list[str]:
    """All problems of a chapter, in the order of its cells; empty where it keeps the contract.

    A check among its :func:`exceptions` may fail; one that is met must be taken off that list.
    """
    try:
        chapter = Chapter(path)
    except Misuse as error:
        return [str(error)]
    found = []
    excepted = exceptions().get(chapter.slug, [])
    for name, check in CHECKS.items():
        problems = [(number or 0, message) for number, message in check(chapter)]
        if name not in excepted:
            found += problems
        elif not problems:
            found.append((0, f"meets the check {name!r} now; take it off {shown(EXCEPTIONS)}"))
    where = shown(path)
    ordered = sorted(found, key=lambda item: item[0])
    return [f"{where}{f' cell {number}' if number else ''}: {message}" for number, message in ordered]

"""The contract of a chapter, checked. A message names the file, the cell and the cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lvutils.press.errors import Misuse
from lvutils.press.lint import contract, evidence, form
from lvutils.press.lint.chapter import Chapter, Found
from lvutils.press.notebook import shown

CHECKS: tuple[Callable[[Chapter], Found], ...] = (
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


def lint_chapter(path: Path) -> list[str]:
    """All problems of a chapter, in the order of its cells; empty where it keeps the contract."""
    try:
        chapter = Chapter(path)
    except Misuse as error:
        return [str(error)]
    found = [(number or 0, message) for check in CHECKS for number, message in check(chapter)]
    where = shown(path)
    ordered = sorted(found, key=lambda item: item[0])
    return [f"{where}{f' cell {number}' if number else ''}: {message}" for number, message in ordered]

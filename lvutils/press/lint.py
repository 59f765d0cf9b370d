"""The contract of a chapter, checked. A message names the file, the cell and the cure."""

from __future__ import annotations

import base64
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from lvutils.parameters import PROFILES, nearest
from lvutils.paths import BOOK
from lvutils.press import catalogue
from lvutils.press.errors import Misuse
from lvutils.press.notebook import code_cells, code_hash, parameters_of, read_notebook, shown, tags
from lvutils.press.refresh import results_path, stored_results

HEADINGS = (
    "The idea in one picture",
    "Set-up",
    "Data",
    "The model",
    "Check the implementation",
    "Experiments",
    "Does the claim hold?",
    "What differs from the paper",
    "Exercises",
    "Further reading",
)
CHECKED_SECTIONS = ("Data", "Check the implementation", "Does the claim hold?")
TAGS = {"parameters", "hide-input", "nbval-check-output", "nbval-ignore-output"}
AGAINST = {"fails here", "inconclusive", "direction holds", "untested"}
MAX_BYTES, MAX_FIGURES, MAX_CELLS, MAX_CODE_LINES, MAX_LINE, MAX_FIGURE_PX = 600_000, 8, 60, 400, 120, 700

Problem = str
Check = Callable[["Chapter"], Iterator[tuple[int | None, str]]]


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
    def markdown(self) -> str:
        return "\n\n".join(c["source"] for _, c in self.cells if c["cell_type"] == "markdown")


def lint_chapter(path: Path) -> list[Problem]:
    """All problems of a chapter, in the order of its cells; empty where it keeps the contract."""
    try:
        chapter = Chapter(path)
    except Misuse as error:
        return [str(error)]
    found = [(number or 0, message) for check in _CHECKS for number, message in check(chapter)]
    where = shown(path)
    return [f"{where}{f' cell {number}' if number else ''}: {message}" for number, message in sorted(found, key=_first)]


def _first(item: tuple[int, str]) -> int:
    return item[0]


# --- the checks: each yields (number of the cell or None, message with the cure) -----------------------------------


def _form(c: Chapter):
    import nbformat

    try:
        with warnings.catch_warnings(action="ignore"):  # what it warns of is said below
            nbformat.validate(nbformat.from_dict({**c.notebook}))
    except nbformat.ValidationError as error:
        yield None, f"not a valid notebook: {str(error).splitlines()[0]}"
    extra = set(c.notebook["metadata"]) - {"kernelspec", "language_info"}
    if extra:
        yield None, f"notebook metadata {', '.join(sorted(extra))}: refresh the chapter, it keeps only the kernel's name"
    ids = [cell.get("id") for _, cell in c.cells]
    for number, cell in c.cells:
        if not cell.get("id") or ids.count(cell["id"]) > 1:
            yield number, "cell id is missing or not unique; give it one of its own"
        if "TODO" in cell["source"] or "TODO" in str(cell["metadata"]):
            yield number, "TODO is left; fill it in"
        for tag in tags(cell):
            if tag not in TAGS:
                yield number, f"unknown tag {tag!r}{nearest(tag, TAGS)}"


def _head(c: Chapter):
    first = c.cells[0][1]
    if first["cell_type"] != "markdown":
        yield 1, "the first cell must be Markdown: label, title and paper card"
        return
    expected = f"(ch-{c.slug})=\n# {c.paper.short}"
    if not first["source"].startswith(expected + "\n"):
        yield 1, f"must start with the label and the catalogue's short title: {expected!r}"
    if c.paper.card() not in first["source"]:
        yield 1, f"the paper card differs from the catalogue's; replace it by:\n{c.paper.card()}"
    title_cells = [n for n, cell in c.cells if re.search(r"^# ", _markdown(cell), re.MULTILINE)]
    if title_cells != [1]:
        yield None, f"expected one '# ' heading, in cell 1; found some in cells {title_cells}"


def _headings(c: Chapter):
    titles = [title for _, title in c.headings]
    if titles != list(HEADINGS):
        wrong = next((i for i, (a, b) in enumerate(zip(titles, HEADINGS, strict=False)) if a != b), None)
        if wrong is None:
            wrong = min(len(titles), len(HEADINGS))
        number = c.headings[wrong][0] if wrong < len(titles) else None
        want = f"'## {HEADINGS[wrong]}'" if wrong < len(HEADINGS) else "no further heading"
        yield number, f"'## ' heading {wrong + 1}: expected {want}; the ten headings and their order are fixed"


def _parameters(c: Chapter):
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


def _executed(c: Chapter):
    for count, (number, cell) in enumerate(c.code, 1):
        if not cell["source"].strip():
            yield number, "empty code cell; delete it"
        elif cell.get("execution_count") is None:
            yield number, f"was never run; run: lvutils refresh {c.slug}"
        elif cell["execution_count"] != count:
            yield number, f"execution count is {cell['execution_count']}, expected {count}; run: lvutils refresh {c.slug}"
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield number, f"stored error output {output.get('ename')}; mend the cell and refresh"
            if output["output_type"] == "stream" and output.get("name") == "stderr":
                yield number, "stored stderr output; mend its cause and refresh"
            if any("widget" in mime for mime in output.get("data", {})):
                yield number, "stored widget output; show a picture or text instead"


def _checked_cells(c: Chapter):
    for section in CHECKED_SECTIONS:
        if not any("nbval-check-output" in tags(cell) for _, cell in c.sections.get(section, [])):
            yield None, f"'## {section}' has no cell tagged nbval-check-output"
    for number, cell in c.code:
        if "nbval-check-output" not in tags(cell):
            continue
        if "nbval-ignore-output" in tags(cell):
            yield number, "tagged both nbval-check-output and nbval-ignore-output; keep one"
        text = _text(cell)
        if not text.strip():
            yield number, "tagged nbval-check-output but prints nothing; print what must stay the same"
        if any(o["output_type"] != "stream" for o in cell["outputs"]):
            yield number, "a checked cell may only print; show tables and figures in a cell of their own"
        if raw := re.search(r"\d\.\d{4,}|\d[eE]-\d\d", text):
            yield number, f"checked text holds a raw float ({raw[0]}...); print counts, verdicts or rounded values"


def _figures(c: Chapter):
    names = []
    for number, cell in c.code:
        images = [o["data"]["image/png"] for o in cell["outputs"] if "image/png" in o.get("data", {})]
        if not images:
            continue
        if len(images) > 1:
            yield number, f"draws {len(images)} figures; one cell, one figure"
        mystnb = cell["metadata"].get("mystnb", {})
        name = mystnb.get("figure", {}).get("name", "")
        names.append(name)
        if not name.startswith(f"fig-{c.slug}-"):
            yield number, f"figure name {name!r}: set mystnb.figure.name to fig-{c.slug}-..."
        elif f"`{name}`" not in c.markdown:
            yield number, f"no text refers to this figure; write {{numref}}`{name}`"
        if len(mystnb.get("figure", {}).get("caption", "")) < 40:
            yield number, "figure without a caption; set mystnb.figure.caption in the cell's metadata (one or two sentences)"
        if len(mystnb.get("image", {}).get("alt", "")) < 40:
            yield number, "figure without alt text; set mystnb.image.alt in the cell's metadata (what one would see)"
        if "hide-input" not in tags(cell):
            yield number, "a cell that draws is folded; tag it hide-input"
        for image in images:
            width = struct.unpack(">I", base64.b64decode("".join(image))[16:20])[0]
            if width > MAX_FIGURE_PX:
                yield number, f"figure is {width} pixels wide, at most {MAX_FIGURE_PX}; keep figsize within 6.4 inches"
    for name in sorted({n for n in names if n and names.count(n) > 1}):
        yield None, f"figure name {name} is used twice"
    if not names:
        yield None, "no figure; the idea in one picture is part of the contract"
    if len(names) > MAX_FIGURES:
        yield None, f"{len(names)} figures, at most {MAX_FIGURES}"
    idea = c.sections.get("The idea in one picture", [])
    if names and not any("image/png" in o.get("data", {}) for _, cell in idea for o in cell.get("outputs", [])):
        yield None, "'## The idea in one picture' has no picture"


def _labels(c: Chapter):
    for number, cell in c.cells:
        for kind, label in re.findall(r"\((eq|fig|tab|ex)-([^)\s]+)\)", _markdown(cell)):
            if not label.startswith(c.slug):
                yield number, f"label {kind}-{label}: labels start with the slug, {kind}-{c.slug}-..."
    model = "\n".join(_markdown(cell) for _, cell in c.sections.get("The model", []))
    if f"(eq-{c.slug}-" not in model:
        yield None, f"'## The model' has no numbered equation; write $$ ... $$ (eq-{c.slug}-name)"


def _sizes(c: Chapter):
    size = c.path.stat().st_size
    if size > MAX_BYTES:
        yield None, f"{size / 1000:.0f} kB, at most {MAX_BYTES / 1000:.0f}; draw fewer or plainer figures"
    if len(c.cells) > MAX_CELLS:
        yield None, f"{len(c.cells)} cells, at most {MAX_CELLS}"
    n_visible = 0
    for number, cell in c.code:
        if "hide-input" in tags(cell):
            continue
        lines = [line for line in cell["source"].splitlines() if line.strip()]
        n_visible += len(lines)
        if long := next((line for line in lines if len(line) > MAX_LINE), None):
            yield number, f"a line of {len(long)} characters scrolls sideways on the page, at most {MAX_LINE}: {long[:40]}..."
    if n_visible > MAX_CODE_LINES:
        yield None, f"{n_visible} lines of code in view, at most {MAX_CODE_LINES}; fold plumbing with hide-input"


def _paths(c: Chapter):
    for number, cell in c.cells:
        where = cell["source"] + "".join(
            "".join(o.get("text", "")) + "".join(o.get("data", {}).get("text/plain", "")) for o in cell.get("outputs", [])
        )
        if "../" in where:
            yield number, "a path with '../': take paths from lvutils.paths, links by label or {doc}"
        if machine := re.search(r"(?<![\w.])/(?:home|root|tmp|Users|work|mnt)/[\w.-]+|[A-Z]:\\\\", where):
            yield number, f"a path of one machine ({machine[0]})"


def _claims(c: Chapter):
    cells = c.sections.get("Does the claim hold?", [])
    printed = re.findall(r"^(C\d) (.+)$", "".join(_text(cell) for _, cell in cells), re.MULTILINE)
    if not 3 <= len(printed) <= 5:
        yield None, f"'## Does the claim hold?' prints {len(printed)} verdicts, expected 3 to 5 (scorecard)"
    if c.results is None:
        yield None, f"{results_path(c.path).name} is missing; run: lvutils refresh {c.slug}"
        return
    if [(r["id"], r["verdict"]) for r in c.results["claims"]] != printed:
        yield None, f"the printed verdicts are not those of the results file; run: lvutils refresh {c.slug}"
    for claim in c.results["claims"]:
        if claim["verdict"] in AGAINST and not (claim["why"] or claim["reason"]):
            yield None, f"{claim['id']} {claim['verdict']} without a word on why; set why= in its Claim"
        if len(claim["over_seeds"]) > 1:
            verdicts = ", ".join(f"{n} {word}" for word, n in claim["over_seeds"].items())
            yield None, f"{claim['id']} hangs on the seed ({verdicts}); measure more, or set unsettled= in its Claim"
    if not c.results["figures"]:
        yield None, "no figure is recorded; run.record() the numbers that matter"
    table = any(f'<table class="lv-scorecard"' in _html(cell) for _, cell in cells)
    if not table:
        yield None, "the scorecard's table is not shown; end a folded cell with 'card'"


def _in_step(c: Chapter):
    if c.results is None:
        return
    if c.results["code"] != code_hash(c.notebook):
        yield None, f"the code changed since the outputs were stored; run: lvutils refresh {c.slug}"
    defaults = {name: p.default for name, p in _declared(c).items()}
    if defaults and c.results["parameters"] != defaults:
        yield None, f"the stored results are of other parameters; run: lvutils refresh {c.slug}"
    if c.results["parameters"].get("profile") != PROFILES[1]:
        yield None, "the stored outputs must be of the book profile; set it as the default"


def _differences(c: Chapter):
    text = "\n".join(_markdown(cell) for _, cell in c.sections.get("What differs from the paper", []))
    head = re.search(r"^\|([^|\n]+)\|([^|\n]+)\|([^|\n]+)\|\s*\n\|[\s:|-]+\|", text, re.MULTILINE)
    if not head:
        yield None, "'## What differs from the paper' needs a table with three columns: paper | here | what it may change"


def _exercises(c: Chapter):
    cells = c.sections.get("Exercises", [])
    text = "\n".join(_markdown(cell) for _, cell in cells)
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


def _citations(c: Chapter):
    keys = {k.strip() for group in re.findall(r"\{foot(?:full)?cite(?::\w+)?\}`([^`]+)`", c.markdown) for k in group.split(",")}
    for key in sorted(keys - _bib_keys()):
        yield None, f"citation {key} is not in book/references.bib{nearest(key, _bib_keys())[:80]}"
    further = "\n".join(_markdown(cell) for _, cell in c.sections.get("Further reading", []))
    if "{footbibliography}" not in further:
        yield None, "'## Further reading' has no ```{footbibliography}``` block"
    if c.markdown.count("{cite}"):
        yield None, "use {footcite}: {cite} collides across the book's pages"


_CHECKS: tuple[Check, ...] = (
    _form,
    _head,
    _headings,
    _parameters,
    _executed,
    _checked_cells,
    _figures,
    _labels,
    _sizes,
    _paths,
    _claims,
    _in_step,
    _differences,
    _exercises,
    _citations,
)


def _markdown(cell: dict) -> str:
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


def _text(cell: dict) -> str:
    outputs = cell.get("outputs", [])
    return "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream" and o["name"] == "stdout")


def _html(cell: dict) -> str:
    return "".join("".join(o.get("data", {}).get("text/html", "")) for o in cell.get("outputs", []))


def _declared(c: Chapter) -> dict:
    try:
        return parameters_of(c.notebook, c.slug)
    except Misuse:
        return {}


@cache
def _bib_keys() -> frozenset[str]:
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^@\w+\{([^,\s]+),", text, re.MULTILINE))

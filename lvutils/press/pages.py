"""Pages made from the catalogue and the stored results: table of contents, gallery, scoreboard, status."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections import Counter
from pathlib import Path

from lvutils.files import write_text
from lvutils.paths import BOOK, NOTEBOOKS, ROOT
from lvutils.press import catalogue
from lvutils.press.catalogue import Paper
from lvutils.press.notebook import code_cells, read_notebook, shown
from lvutils.press.pool import stored_results
from lvutils.record import VERDICTS, ClaimRecord, Results, Verdicts
from lvutils.scorecard import chip_html, controls_html, effects_html, note_html, row_id, seeds_text

THUMBNAILS = BOOK / "_static" / "thumbnails"
THUMBNAIL_WIDTH = 480
CITATION = ROOT / "CITATION.cff"
README = ROOT / "README.md"

OBJECTIONS = "**What the authors would object to first.**", "**What a referee would.**"
FRONT = ("how-to-read", "how-to-run", "how-to-rerun", "gallery", "scoreboard")
BACK = ("notation", "glossary", "status", "contribute", "api", "bibliography")


def write_pages() -> list[str]:
    """Write the generated pages where their content changed; the paths written."""
    pages = {
        ROOT / "_toc.yml": toc(),
        BOOK / "gallery.md": gallery(),
        BOOK / "scoreboard.md": scoreboard(),
        BOOK / "status.md": status(),
        CITATION: citation(CITATION.read_text(encoding="utf-8"), catalogue.repository()[0]),
        README: readme(README.read_text(encoding="utf-8"), catalogue.repository()[0]),
    }
    changed = [path for path, text in pages.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        write_text(path, pages[path])
    return [shown(path) for path in changed + _write_thumbnails()]


def toc() -> str:
    """The book's table of contents: the written chapters by part, between the front and the back pages."""
    lines = [
        "# Made by `lvutils pages` from book/papers.yml; tests/test_catalogue.py holds it against it.",
        "format: jb-book",
        "root: book/intro",
        "parts:",
        "- caption: Using the book",
        "  chapters:",
        *(f"  - file: book/{page}" for page in FRONT),
    ]
    for part in catalogue.parts():
        chapters = [p for p in catalogue.written() if p.part == part.id]
        if chapters:
            lines += [f"- caption: {part.title}", "  numbered: true", "  chapters:"]
            if (BOOK / f"part-{part.id}.md").is_file():
                lines += [f"  - file: book/part-{part.id}"]
            lines += [f"  - file: notebooks/{p.part}/{p.slug}" for p in chapters]
    trainings = sorted(NOTEBOOKS.glob("models/*.ipynb"))
    if trainings:
        lines += [
            "- caption: Trained models",
            "  chapters:",
            *(f"  - file: notebooks/models/{p.stem}" for p in trainings),
        ]
    lines += ["- caption: Reference", "  chapters:", *(f"  - file: book/{page}" for page in BACK)]
    return "\n".join(lines) + "\n"


def citation(text: str, repository: str) -> str:
    """CITATION.cff with the project's address, or without one where there is none."""
    lines = [line for line in text.splitlines() if not line.startswith("repository-code:")]
    return "\n".join(lines + ([f"repository-code: {repository}"] if repository else [])) + "\n"


def readme(text: str, repository: str) -> str:
    """README.md with the clone command between its two marks, or with nothing there where there is no address."""
    command = f"```bash\n{catalogue.clone(repository)}\n```\n" if repository else ""
    return re.sub(r"(<!-- clone -->\n).*?(?=<!-- /clone -->)", lambda m: m[1] + command, text, flags=re.DOTALL)


def gallery() -> str:
    """A card a paper, with the chapter's picture, filterable by part and keyword; planned chapters greyed."""
    all_papers = catalogue.papers()
    keywords = Counter(k for p in all_papers for k in p.keywords)
    part_options = "".join(f'<option value="{p.id}">{_(p.title)}</option>' for p in catalogue.parts())
    keyword_options = "".join(f'<option value="{_(k)}">{_(k)} ({n})</option>' for k, n in sorted(keywords.items()))
    cards = "\n".join(_card(p) for p in sorted(all_papers, key=lambda p: not p.notebook.is_file()))
    n = len(catalogue.written())
    return f"""# Gallery

{len(all_papers)} papers, {n} chapter{"s" if n != 1 else ""} written. A picture opens its chapter. Grey cards are planned chapters, with a link to the paper.

```{{raw}} html
<form class="lv-filter" role="search" aria-label="Filter the gallery" autocomplete="off" onsubmit="return false">
<label>Part <select data-filter="part"><option value="">all</option>{part_options}</select></label>
<label>Keyword <select data-filter="keywords"><option value="">all</option>{keyword_options}</select></label>
<label>State <select data-filter="state"><option value="">all</option><option>written</option><option>planned</option></select></label>
<label>Text <input type="text" data-filter="text" placeholder="author, venue, year"></label>
<output aria-live="polite"></output>
<button type="reset" hidden>Clear filters</button>
</form>
<div class="lv-gallery" data-filterable>
{cards}
</div>
```
"""


def scoreboard() -> str:
    """Every claim of every chapter."""
    rows, counts = [], Counter()
    for paper in catalogue.written():
        results = stored_results(paper.notebook)
        for claim in results.claims if results else []:
            counts[results.verdict(claim)] += 1
            rows.append(_claim_row(paper, results, claim))
    total = sum(counts.values())
    bar = "".join(
        f'<span class="lv-{v.replace(" ", "-")}" style="flex-grow:{counts[v]}" title="{counts[v]} {v}">{counts[v]} {v}</span>'
        for v in VERDICTS
        if counts[v]
    )
    verdicts = "".join(f"<option>{v}</option>" for v in VERDICTS if counts[v])
    part_options = "".join(
        f'<option value="{p.id}">{_(p.title)}</option>'
        for p in catalogue.parts()
        if any(w.part == p.id for w in catalogue.written())
    )
    return f"""# Scoreboard

Every claim of every chapter, with the paper's figure, ours and the verdict. {total} claims of {len(catalogue.written())} chapters so far.
What the words mean, and how a verdict is reached, stands in {{doc}}`how-to-read`. The verdict is the book's: what at least five of
six runs under different seeds give. Beside each effect stand the same measure in a world in which the claim is false (−) and, where
the verdict goes against the paper, in one made so that it is true (+). Under the seeds stands how many of the other five estimates
of each effect lie inside its interval, widened for their own error.{"".join(f" No claim has the verdict *{v}* so far." for v in VERDICTS if not counts[v])}

```{{raw}} html
<div class="lv-bar" role="img" aria-label="Verdicts: {", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v])}">{bar}</div>
<form class="lv-filter" role="search" aria-label="Filter the scoreboard" autocomplete="off" onsubmit="return false">
<label>Verdict <select data-filter="verdict"><option value="">all</option>{verdicts}</select></label>
<label>Part <select data-filter="part"><option value="">all</option>{part_options}</select></label>
<label>Text <input type="text" data-filter="text" placeholder="claim, C1, author"></label>
<output aria-live="polite"></output>
<button type="reset" hidden>Clear filters</button>
</form>
<div class="lv-scroll" tabindex="0" role="region" aria-label="All claims">
<table class="lv-scorecard lv-scoreboard">
<thead><tr><th>Chapter</th><th>Claim</th><th>The paper</th><th>Here, with 95&nbsp;% interval</th><th>Controls</th><th>Verdict</th></tr></thead>
<tbody data-filterable>
{chr(10).join(rows)}
</tbody></table></div>
```

:::{{rubric}} What would be objected
:heading-level: 2
:::

Chapter by chapter, what the authors of the paper and a referee of the chapter would say first.

{chr(10).join(map(_objections, catalogue.written()))}
"""


def unused_verdicts() -> list[str]:
    """The verdicts that no claim has."""
    found = [stored_results(paper.notebook) for paper in catalogue.written()]
    used = {results.verdict(claim) for results in found if results for claim in results.claims}
    return [verdict for verdict in VERDICTS if verdict not in used]


def status() -> str:
    """What each chapter's stored run took and was made with."""
    rows, machines = [], Counter()
    for paper in catalogue.written():
        results = stored_results(paper.notebook)
        if not results:
            continue
        cost = results.cost
        machines[json.dumps(cost.versions)] += 1
        rows.append(
            f"| {{doc}}`{paper.short} <../notebooks/{paper.part}/{paper.slug}>` | {cost.date} | {cost.cpu_seconds:.0f} s "
            f"| {cost.memory_mib} MiB | {len(results.values)} | {len(results.claims)} |"
        )
    versions = [", ".join(f"{k} {v}" for k, v in json.loads(text).items()) for text in machines]
    return f"""# Status

What each chapter's stored outputs took to make, under the `book` profile: processor time
of one core, start of the kernel included. The values recorded
are held against each fresh run within their tolerances.

| chapter | last refresh | processor time | peak memory | values | claims |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

Made with {"; ".join(versions) or "nothing yet"}.
"""


def chips(results: Results) -> str:
    """The verdicts of a chapter as a row of chips, each a link to its claim's row of the scorecard."""
    return " ".join(
        f'<a href="#{row_id(c.id)}" title="{_(c.claim)}">'
        f"{chip_html(results.verdict(c), f'{c.id} {results.verdict(c)}')}</a>"
        for c in results.claims
    )


def _card(paper: Paper) -> str:
    written = paper.notebook.is_file()
    authors = paper.authors[0] + (
        " and others" if len(paper.authors) > 2 else f" and {paper.authors[1]}" if len(paper.authors) == 2 else ""
    )
    href = f"../notebooks/{paper.part}/{paper.slug}.html" if written else paper.link
    picture = (
        f'<img src="../_static/thumbnails/{paper.slug}.png" alt="" loading="lazy">'
        if written
        else '<div class="lv-nopicture" aria-hidden="true">planned</div>'
    )
    title = f'<a href="{href}">{_(paper.short)}</a>' if href else _(paper.short)
    part = next(p for p in catalogue.parts() if p.id == paper.part)
    return (
        f'<article class="lv-card{"" if written else " lv-planned"}" data-part="{paper.part}" data-keywords="{_("|".join(paper.keywords))}" '
        f'data-state="{"written" if written else "planned"}" data-text="{_(_words(paper, *paper.keywords))}">{picture}'
        f'<div class="lv-card-body"><p class="lv-part">{_(part.title)}</p><h2>{title}</h2>'
        f'<p class="lv-citation">{_(authors)}, <cite>{_(paper.title)}</cite>, {_(paper.venue)}</p>'
        f'<p class="lv-keywords">{" ".join(_keyword(k) for k in paper.keywords)}</p></div></article>'
    )


def _keyword(keyword: str) -> str:
    return f'<button type="button" class="lv-keyword" data-keyword="{_(keyword)}" aria-pressed="false">{_(keyword)}</button>'


def _words(paper: Paper, *more: str) -> str:
    """What the text filter finds a paper by: all that its card prints, and its slug."""
    parts = (paper.slug, paper.short, paper.title, *paper.authors, paper.venue, str(paper.year), *more)
    return " ".join(parts).lower()


def _claim_row(paper: Paper, results: Results, claim: ClaimRecord) -> str:
    href = f"../notebooks/{paper.part}/{paper.slug}.html"
    verdict = results.verdict(claim)
    pooled = results.book.claims.get(claim.id) if results.book else None
    seeds = f'<div class="lv-note">{_(seeds_text(claim, pooled))}</div>' if pooled and claim.tested else ""
    return (
        f'<tr data-part="{paper.part}" data-verdict="{verdict}" data-text="{_(_words(paper, claim.id, claim.claim))}">'
        f'<td><a href="{href}">{_(paper.short)}</a></td>'
        f"<td><strong>{claim.id}</strong> {_(claim.claim)}{f'<br><small>Rule: {_(claim.rule)}</small>' if claim.rule else ''}</td>"
        f"<td>{_(claim.paper)} <em>({_(claim.source)})</em></td><td>{effects_html(claim.measured)}</td>"
        f"<td>{controls_html(claim)}</td>"
        f'<td><a href="{href}#{row_id(claim.id)}">{chip_html(verdict)}</a>{seeds}'
        f"{note_html(claim, pooled)}{_coverage(pooled) if claim.tested else ''}</td></tr>"
    )


def _coverage(pooled: Verdicts | None) -> str:
    counts = pooled.inside if pooled else {}
    said = "; ".join(f"{f'{_(name)} ' if name else ''}{k} of {n}" for name, (k, n) in counts.items())
    return f'<div class="lv-note">Inside: {said}.</div>' if said else ""


def _objections(paper: Paper) -> str:
    """Two paragraphs of a chapter, in a box to be opened; links become plain words, since they lead about the chapter."""
    texts = "\n".join(c["source"] for c in read_notebook(paper.notebook)["cells"] if c["cell_type"] == "markdown")
    found = [line for line in texts.splitlines() if line.startswith(OBJECTIONS)]
    words = [re.sub(r"(?<!!)\[([^\[\]]+)\]\([^()]*(?:\([^()]*\)[^()]*)*\)", r"\1", line) for line in found]
    return "\n\n".join([f":::{{admonition}} {paper.short}\n:class: dropdown", f"*{paper.slug}*", *words, ":::\n"])


def _write_thumbnails() -> list[Path]:
    """The first picture of each chapter, scaled down; written where it changed."""
    from PIL import Image

    written = []
    THUMBNAILS.mkdir(parents=True, exist_ok=True)
    for paper in catalogue.written():
        pictures = (
            o["data"]["image/png"]
            for _, cell in code_cells(read_notebook(paper.notebook))
            for o in cell["outputs"]
            if "image/png" in o.get("data", {})
        )
        first = next(pictures, None)
        if first is None:
            continue
        image = Image.open(io.BytesIO(base64.b64decode("".join(first)))).convert("RGB")
        image.thumbnail((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH))
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
        path = THUMBNAILS / f"{paper.slug}.png"
        if not path.is_file() or path.read_bytes() != buffer.getvalue():
            path.write_bytes(buffer.getvalue())
            written.append(path)
    return written


def _(text: str) -> str:
    return html.escape(text)

"""The finished HTML of the book: what the themes leave to mend (icons, names for screen readers), and what is searched.

Each page passes through ``tidy`` as it is rendered. The patterns are those of the pinned themes; the browser tests hold
the result against the rules of axe-core.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

from lvutils.files import write_text
from lvutils.paths import BOOK
from lvutils.press import catalogue
from lvutils.press.pool import stored_results
from lvutils.scorecard import row_id

_ICON = re.compile(r'<(i|span) class="(?P<classes>[^"]*\bfa-[a-z][^"]*)"(?P<rest>[^>]*)></\1>')
HOW_TO_READ = "book/how-to-read"
_SIZES = {"lg", "solid", "regular"}


def install(app) -> None:
    """Have each page pass through ``tidy``."""
    templates = getattr(app.builder, "templates", None)
    if templates is not None:
        render = templates.render
        templates.render = lambda template, context: tidy(render(template, context), context)


def tidy(page: str, context: dict) -> str:
    """A rendered page with its icons drawn in place, and without what axe-core finds in the themes' HTML."""
    page = _ICON.sub(_drawn, page)
    page = re.sub(r"\s*<script[^>]*/fontawesome\.js[^>]*></script>", "", page)
    page = _link_unverified(page, context)
    page = re.sub(
        r'\s*<script type="text/x-thebe-config">.*?</script>\s*<script>kernelName = .*?</script>', "", page, flags=re.S
    )
    page = re.sub(r'<a href="([^"]*_sources/[^"]*?([\w-]+\.ipynb))" target="_blank"', _DOWNLOAD, page)
    page = _PART_DRAWING.sub(lambda match: _linked_drawing(match, context), page)
    # Neither of these is used; MathJax is by pages with formulas alone.
    page = re.sub(r"\s*<(?:link|script)[^>]*(?:sphinx-thebe\.css|thebe)[^>]*>(?:</script>)?", "", page)
    if not re.search(r'class="[^"]*\bsd-', page):
        page = re.sub(
            r"\s*<(?:link|script)[^>]*(?:sphinx-design\.min\.css|design-tabs\.js)[^>]*>(?:</script>)?", "", page
        )
    if not _FORMULA.search(page):
        page = re.sub(r"\s*<script[^>]*(?:mathjax/|>window\.MathJax|/math\.js)[^<]*</script>", "", page)
    else:
        page = re.sub(r'(?=src="[^"]*_static/math\.js)', 'data-formulas="yes" ', page)
        page = _FORMULA.sub(_with_room, page)
    # The search page has an index and a script of its own; the other pages need none.
    page = re.sub(r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>', "", page)
    # A name must hold the words that are seen; these controls have words of their own.
    page = re.sub(r'(<button class="btn search-button-field [^>]*?) aria-label="Search"', r"\1", page)
    page = page.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    # All that is read stands in a landmark.
    page = re.sub(r'<div class="sidebar-primary-item">(?=\s*<a class="navbar-brand)', _HOME, page)
    # pandas leaves the corner of a table empty: a cell, not the head of a column.
    page = re.sub(r"<th(?: class=\"blank[^\"]*\")?\s*>(?:\s|&nbsp;|\xa0)*</th>", "<td></td>", page)
    page = re.sub(r'<div role="list" class="citation-list">', '<div class="citation-list">', page)
    return re.sub(r'(<div class="citation"[^>]*) role="doc-biblioentry"', r"\1", page)


_FORMULA = re.compile(r'<(span|div)( class="math notranslate nohighlight"[^>]*)>(.*?)</\1>(?!\\\])', re.DOTALL)


def _with_room(match: re.Match) -> str:
    """A formula with about how wide (inline) or high (displayed) it will be, in em, so that nothing moves later."""
    tag, attributes, source = match.groups()
    latex = html.unescape(source)
    if tag == "span":
        plain = re.sub(r"[_^ ]", "", plain_formula(latex.strip("\\()")))
        return f'<span{attributes} style="--wide:{max(0.56 * len(plain), 0.5):.1f}">{source}</span>'
    rows = latex.partition("\\[")[2].split("\\\\")
    high = sum(3.2 if re.search(r"\\(?:frac|sum|prod|int|Big|sqrt)", row) else 1.8 for row in rows) + 1
    return f'<div{attributes} style="--high:{high:.1f}">{source}</div>'


_PART_DRAWING = re.compile(r'<img alt="(?P<alt>[^"]*)"[^>]*_images/(?P<name>part-[\w-]+)\.svg"[^>]*/?>')


def _linked_drawing(match: re.Match, context: dict) -> str:
    """The drawing of a part in the page itself: each chapter's piece, a line of the file, leads to the chapter."""
    written = {p.slug: context["pathto"](f"notebooks/{p.part}/{p.slug}") for p in catalogue.written()}
    lines = (BOOK / "_static" / f"{match['name']}.svg").read_text(encoding="utf-8").splitlines()
    for k, line in enumerate(lines):
        words = ",".join(re.findall(r">([^<>]+)</text>", line)).replace("-,", "-")  # a long name goes over two lines
        slugs = [word for word in re.split(r",\s*", words) if word in written]
        if len(slugs) == 1:
            lines[k] = f'<a href="{written[slugs[0]]}">{line}</a>'
        for slug in slugs if len(slugs) > 1 else ():
            lines[k] = re.sub(rf"\b{slug}\b", f'<a href="{written[slug]}">{slug}</a>', lines[k])
    lines[0] = lines[0].replace("<svg ", f'<svg class="lv-drawing" role="group" aria-label="{match["alt"]}" ')
    return "\n".join(lines)


def _link_unverified(page: str, context: dict) -> str:
    """The word "unverified" leads to what it means, wherever it stands in prose or in a scorecard."""
    pagename = context.get("pagename", "")
    head, opening, article = page.partition("<article")
    if not opening or "unverified" not in article or pagename == HOW_TO_READ:
        return page
    link = f'<a href="{context["pathto"](HOW_TO_READ)}#unverified">unverified</a>'
    skipped, parts = 0, re.split(r"(<[^>]*>)", article)
    for k, part in enumerate(parts):
        if k % 2:
            if tag := re.match(r"<(/?)(?:a|pre|code|script|style|summary|h\d)\b", part):
                skipped += -1 if tag[1] else 1
        elif not skipped:
            parts[k] = re.sub(r"\bunverified\b", link, part)
    return head + opening + "".join(parts)


_DOWNLOAD = r'<a href="\1" download="\2"'
_HOME = '<div class="sidebar-primary-item" role="navigation" aria-label="Home">'


def _drawn(match: re.Match) -> str:
    """An icon as a drawing in the page: a dozen of them weigh 5 kB, the theme's script of all icons 1.5 MB."""
    classes = match["classes"].split()
    name = next(c[3:] for c in classes if c.startswith("fa-") and c[3:] not in _SIZES)
    width, height, path = _icons()[name]
    rest = re.sub(r'\s*title="[^"]*"', "", match["rest"])
    kept = " ".join(["svg-inline--fa", *(c for c in classes if c not in ("fas", "fa-solid"))])
    return (
        f'<svg class="{kept}" aria-hidden="true" focusable="false" viewBox="0 0 {width} {height}"{rest}>'
        f'<path fill="currentColor" d="{path}"/></svg>'
    )


@cache
def _icons() -> dict[str, tuple[str, str, str]]:
    """Width, height and outline of the theme's icons by name, read from its own script."""
    import pydata_sphinx_theme

    theme = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme"
    script = (theme / "static" / "scripts" / "fontawesome.js").read_text(encoding="utf-8")
    icons: dict[str, tuple[str, str, str]] = {}
    entry = re.compile(r'[{,]"?([a-z0-9-]+)"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","(M[^"]+)"\]')
    for name, width, height, path in entry.findall(script):
        icons[name] = (width, height, path)  # the filled ones come last
    return icons


def write_downloads(app, exception: Exception | None) -> None:
    """The notebooks for download, each with a first code cell that says what it needs where ``lvutils`` is missing.

    Beside each its text as a script: a page opened as a file may load this alone (download.js).
    """
    if exception is None and app.builder.name == "html":
        needs = {"cell_type": "code", "id": "needs", "execution_count": None, "metadata": {}, "outputs": []}
        needs["source"] = needs_lvutils(app.config.html_theme_options.get("repository_url", ""))
        for path in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
            notebook = json.loads(path.read_text(encoding="utf-8"))
            notebook["cells"] = [c for c in notebook["cells"] if c.get("id") != needs["id"]]
            first = next((k for k, c in enumerate(notebook["cells"]) if c["cell_type"] == "code"), 0)
            notebook["cells"].insert(first, needs)
            text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
            write_text(path, text)
            write_text(path.with_name(path.name + ".js"), f"window.lvNotebook = {json.dumps(text)};\n")


def needs_lvutils(url: str) -> str:
    """A cell that ends a chapter in one line where its package is missing, and else does nothing.

    The package alone is not enough, since the data lie in the project's folder; so it is fetched whole.
    """
    where = f"git clone {url}" if url else "fetch the project as its page 'How to run a chapter' says"
    said = f"This chapter needs lvutils and the book's data: {where}, then start JupyterLab there with: make lab"
    return f"""from importlib.util import find_spec

if find_spec("lvutils") is None:
    class Missing(ImportError):
        _render_traceback_ = lambda self: [str(self)]  # one line in place of a traceback

    raise Missing({json.dumps(said)})"""


# --- search -----------------------------------------------------------------------------------------------------------


def write_search_data(app, exception: Exception | None) -> None:
    """The prose of each page by section, as a script, since a page opened as a file may read nothing else."""
    if exception is not None or app.builder.name != "html":
        return
    papers = {f"notebooks/{p.part}/{p.slug}": p for p in catalogue.written()}
    parts = {p.id: p.title for p in catalogue.parts()}
    pages = []
    for docname in sorted(app.env.found_docs):
        title = app.env.titles[docname].astext()
        sections = [list(section) for section in _sections(app.env.get_doctree(docname), title)]
        about = shown = ""
        if paper := papers.get(docname):
            shown = f"{parts[paper.part]} · {', '.join(paper.authors)} · {paper.venue}"
            about = " ".join((shown, str(paper.year), paper.title, paper.slug, *paper.keywords))
            sections += [[row_id(c.id), f"Claim {c.id}", c.claim] for c in stored_results(paper.notebook).claims]
        url = app.builder.get_target_uri(docname)
        pages.append({"url": url, "title": title, "about": about, "shown": shown, "sections": sections})
    text = json.dumps(pages, ensure_ascii=False, separators=(",", ":"))
    write_text(Path(app.outdir) / "searchdata.js", f"window.searchData={text};\n")


def _sections(doctree: nodes.document, title: str):
    """Anchor, heading and prose of each section, and of each term of a glossary."""
    for section in doctree.findall(_is_titled):
        heading = section[0].astext()
        text = " ".join(filter(None, map(_prose, section[1:])))
        if text:
            yield section["ids"][0], "" if heading == title else heading, " ".join(text.split())
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            terms = list(item.findall(nodes.term))
            heading = ", ".join(_prose(term) for term in terms)
            yield terms[0]["ids"][0], heading, " ".join(_prose(item.next_node(nodes.definition)).split())


_KINDS = {"eq": "the equation", "fig": "the figure", "tab": "the table", "ex": "the exercise", "ch": "the chapter"}


def _is_titled(node: nodes.Node) -> bool:
    return isinstance(node, nodes.section) and len(node) > 0 and isinstance(node[0], nodes.title)


def _prose(node: nodes.Node) -> str:
    """What a reader reads: no code blocks, no display equations, no raw HTML; inline formulas in plain letters."""
    if isinstance(node, nodes.math):
        return plain_formula(node.astext())
    if isinstance(node, nodes.Text):
        return str(node)
    if _is_titled(node):
        return ""
    if isinstance(node, addnodes.pending_xref) and not node.get("refexplicit") and "-" in node.get("reftarget", ""):
        return _KINDS.get(node["reftarget"].partition("-")[0], "") or node.astext()
    skipped = nodes.literal_block | nodes.math_block | nodes.raw | nodes.comment | nodes.system_message
    if isinstance(node, skipped | addnodes.glossary | addnodes.index | nodes.image | nodes.target):
        return ""
    if "cell" in node.get("classes", ()) or "cell_output" in node.get("classes", ()):
        return ""
    parts = [part for child in node.children if (part := _prose(child))]
    inline = isinstance(node, nodes.TextElement) and not isinstance(node, nodes.Structural)
    return ("" if inline else " ").join(parts)


def plain_formula(latex: str) -> str:
    """A formula as one would write it in a message: ``\\beta_{i}`` is β_i, ``\\mathbb E[x]`` is E[x]."""
    text = re.sub(
        r"\\(?:mathbb|mathcal|mathrm|mathbf|operatorname|text|textstyle|tfrac|frac|bar|hat|tilde)\b\*?", "", latex
    )
    text = re.sub(r"\\([A-Za-z]+)", lambda m: _SYMBOLS.get(m[1]) or _greek(m[1]) or _FUNCTIONS.get(m[1], " "), text)
    text = re.sub(r"\\.|[{}$~]", " ", text)
    return re.sub(r"\s*([_^])\s*", r"\1", " ".join(text.split()))


_SYMBOLS = {"le": "≤", "ge": "≥", "ne": "≠", "neq": "≠", "in": "∈", "to": "→", "times": "×", "approx": "≈", "sim": "~",
            "cdot": "·", "mid": "|", "sum": "Σ", "infty": "∞", "pm": "±", "sqrt": "√",
            "perp": "⊥", "top": "T", "mathsf": "", "dots": "…", "ldots": "…"}  # fmt: skip

_FUNCTIONS = {name: name for name in ("log", "exp", "max", "min", "sin", "cos", "tanh", "det", "arg")}


def _greek(name: str) -> str:
    name = name.removeprefix("var")
    size = "CAPITAL" if name[:1].isupper() else "SMALL"
    name = {"lambda": "lamda", "Lambda": "lamda"}.get(name, name)
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}")
    except KeyError:
        return ""

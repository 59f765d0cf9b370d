"""What the book's build adds to its pages: verdicts and cost at a chapter's head, counts, readable docstrings."""

from __future__ import annotations

import html
import itertools
import json
import re
from pathlib import Path

from docutils import nodes
from PIL import Image

from lvutils.paths import ROOT
from lvutils.press import catalogue, links, site, terms
from lvutils.press.notebook import page_width, tags
from lvutils.press.pages import chips, unused_verdicts
from lvutils.press.pool import results_path, stored_results
from lvutils.record import Results

SHOWN, SHOWN_SMALL = (
    88,
    104,
)  # characters that fit from 1280 pixels on, as usual and in the style sheet's small type


def setup(app):
    """Register with Sphinx (named in ``_config.yml``)."""
    app.connect("config-inited", _configure)
    app.connect("builder-inited", site.install)
    terms.install(app)
    app.connect("build-finished", site.write_search_data)
    app.connect("build-finished", site.write_downloads)
    app.add_js_file("equations.js")
    app.add_js_file("print.js")
    app.add_js_file("math.js")
    app.connect("source-read", _add_count)
    app.connect("source-read", _add_clone)
    app.connect("source-read", _link_chapters)
    app.connect("source-read", _add_glance)
    app.connect("source-read", _add_moves)
    app.connect("source-read", _add_unused_verdicts)
    app.connect("source-read", _name_folded_cells)
    app.connect("source-read", _resolve_links)
    app.connect("doctree-read", _size_figures)
    app.connect("env-get-outdated", _always_one_page)
    app.connect("doctree-resolved", _mark_wide_outputs)
    app.connect("html-page-context", _without_thebe, priority=900)
    app.connect("autodoc-process-docstring", _readable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _configure(app, config) -> None:
    """A home link in the bar above each page, and formulas that the Tab key passes over."""
    # On a phone the side bar with the logo is folded away; on wide screens the style sheet hides this second one.
    config.html_theme_options["article_header_start"] = ["toggle-primary-sidebar.html", "navbar-logo.html"]
    # Each formula would be a tab stop, 167 in a chapter, for a menu that a click opens as well.
    config.mathjax3_config.setdefault("options", {})["menuOptions"] = {"settings": {"inTabOrder": False}}
    config.html_scaled_image_link = False  # a figure fills the window where it is; no link to its file besides
    _point_to_repository(config.html_theme_options, *catalogue.repository(Path(app.confdir) / "_config.yml"))


def _point_to_repository(options: dict, url: str, branch: str) -> None:
    """Buttons to the project's source and issues and to services that run a chapter; none without its address."""
    options |= {"repository_url": url, "repository_branch": branch}
    for button in ("use_repository_button", "use_issues_button", "use_source_button"):
        options[button] = bool(url)
    services = {"binderhub_url": "https://mybinder.org", "colab_url": "https://colab.research.google.com"}
    launch = options.setdefault("launch_buttons", {"notebook_interface": "jupyterlab"})
    launch |= {name: address if url.startswith("https://github.com/") else "" for name, address in services.items()}


def _add_clone(app, docname: str, source: list[str]) -> None:
    """How to get the project, in place of ``<!-- clone -->``, where it has an address."""
    if "<!-- clone -->" in source[0]:
        url = app.config.html_theme_options["repository_url"]
        command = f"```bash\n{catalogue.clone(url)}\n```" if url else ""
        source[0] = source[0].replace("<!-- clone -->", command)


def _add_count(app, docname: str, source: list[str]) -> None:
    """On page one, at the end of its first paragraph: how many of the chapters exist."""
    if docname == app.config.root_doc:
        title, opening, rest = source[0].split("\n\n", 2)
        said = f"{len(catalogue.written())} of {len(catalogue.papers())} chapters are written so far"
        source[0] = f"{title}\n\n{opening} {said}: {{doc}}`see the gallery <gallery>`.\n\n{rest}"


def _always_one_page(app, env, added, changed, removed) -> list[str]:
    """Where no page is out of date Sphinx does not copy changed style sheets and scripts either; so one always is."""
    return [app.config.root_doc]


def _add_glance(app, docname: str, source: list[str]) -> None:
    """Under the paper card: the verdicts, what a run costs and how to rerun it, from the stored results."""
    slug = docname.rsplit("/", 1)[-1]
    if not docname.startswith("notebooks/") or slug not in {p.slug for p in catalogue.written()}:
        return
    paper = catalogue.find(slug)
    app.env.note_dependency(str(results_path(paper.notebook)))
    results = stored_results(paper.notebook)
    if results is None:
        return
    glance = (
        f'\n\n```{{raw}} html\n<p class="lv-glance"><span>Verdicts</span> {chips(results)}</p>\n'
        f'<p class="lv-glance"><span>Runs in</span> {results.cost.cpu_seconds:.0f} s '
        f"and {results.cost.memory_mib / 1024:.1f} GiB on one core · "
        f"<span>Rerun</span> <code>lvutils run {slug}</code></p>\n"
        '<p class="lv-glance"><span>Look up</span> <a href="../../book/notation.html">symbols</a> · '
        '<a href="../../book/glossary.html">terms</a></p>\n```\n'
    )
    notebook = json.loads(source[0])
    first = notebook["cells"][0]
    first["source"] = "".join(first["source"]).replace(paper.card(), paper.card() + glance, 1)
    if table := moves_html(results):
        at = next(k for k, cell in enumerate(notebook["cells"]) if "parameters" in tags(cell))
        text = f"What each parameter moves, changed once under the `quick` profile:\n\n```{{raw}} html\n{table}\n```"
        cell = {"cell_type": "markdown", "id": "what-moves", "metadata": {}, "source": text}
        notebook["cells"].insert(at + 1, cell)
    source[0] = json.dumps(notebook)


def moves_html(results: Results) -> str:
    """A table of what each parameter of a chapter moves; empty where the refresh has not looked."""
    moved = results.book.parameters if results.book else {}
    rows = []
    for name, m in moved.items():
        said = "the chapter refuses this value" if m.failed else ", ".join(m.claims) or "no claim"
        said += f" and {m.n_values} recorded values" if m.n_values and not m.failed else ""
        cells = (f"<code>{name}</code>", f"{_(m.default)} → {_(m.other)}", said)
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "<tr><th>Parameter</th><th>Changed</th><th>Moves the measured effects of</th></tr>"
    return f'<table class="lv-moves"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>' if rows else ""


def _(value: object) -> str:
    return html.escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _add_moves(app, docname: str, source: list[str]) -> None:
    """On the page about reruns: what each parameter of each chapter moves, chapter by chapter, folded."""
    if docname != "book/how-to-rerun":
        return
    parts = []
    for paper in catalogue.written():
        app.env.note_dependency(str(results_path(paper.notebook)))
        results = stored_results(paper.notebook)
        if results and (table := moves_html(results)):
            parts.append(
                f"<details><summary>{html.escape(paper.short)} (<code>{paper.slug}</code>)</summary>{table}</details>"
            )
    source[0] = source[0].replace("<!-- what each parameter moves -->", "```{raw} html\n" + "\n".join(parts) + "\n```")


def _add_unused_verdicts(app, docname: str, source: list[str]) -> None:
    """Where the verdicts are explained: which of them no claim has."""
    if docname != "book/how-to-read":
        return
    for verdict in unused_verdicts():
        row = re.compile(rf"(>{verdict}</span></td><td>.*?)</td></tr>")
        source[0] = row.sub(r"\1 <em>No claim of the book has it so far.</em></td></tr>", source[0], count=1)


def _name_folded_cells(app, docname: str, source: list[str]) -> None:
    """The line of a folded cell says what is in it."""
    if not docname.startswith("notebooks/"):
        return
    notebook = json.loads(source[0])
    for cell, after in itertools.zip_longest(notebook["cells"], notebook["cells"][1:]):
        if cell["cell_type"] == "code" and "hide-input" in tags(cell):
            name = html.escape(folded_name(cell, after), quote=False).replace("{", "{{").replace("}", "}}")
            shown = {"code_prompt_show": f"Show code: {name}", "code_prompt_hide": f"Hide code: {name}"}
            cell["metadata"].setdefault("mystnb", {}).update(shown)
    source[0] = json.dumps(notebook)


def folded_name(cell: dict, after: dict | None = None) -> str:
    """A few words for a cell: its opening comment, the figure that it draws, what it defines, or what it does.

    after: the cell that follows, which is the caption where the cell draws a figure.
    """
    code = "".join(cell["source"]).strip()
    comment = re.match(r"#[ -]*([^\n]*[^\n -])", code)
    if comment and not comment[1].startswith(("noqa", "type:")):
        return _short(comment[1])
    if cell["metadata"].get("mystnb", {}).get("figure"):
        number = re.match(r"\*\*(Figure [\d.]+?)\.\*\*", "".join(after["source"])) if after else None
        return f"the drawing of {number[1]}" if number else "the figure below"
    if re.search(r"\bscorecard\(", code):
        return "the claims and their rules"
    if defined := re.findall(r"^(?:def|class) (\w+)", code, re.MULTILINE):
        said = re.match(r"(?:@.*\n)*(?:def|class) .*\n\s+(?:r?\"\"\")([^\"\n]+)", code)
        return _short(said[1]) if said and len(defined) == 1 else ", ".join(defined[:4]) + " …" * (len(defined) > 4)
    if re.fullmatch(r"\w+", code):
        return "the table below"
    return "a table" if re.search(r"DataFrame\(|\.style\b", code) else "results" if "print(" in code else "computation"


def _short(sentence: str, most: int = 70) -> str:
    sentence = re.split(r"(?<=[a-z)])[.;:] ", sentence.strip())[0].rstrip(".")
    return sentence if len(sentence) <= most else sentence[:most].rsplit(" ", 1)[0].rstrip(",") + " …"


def _link_chapters(app, docname: str, source: list[str]) -> None:
    """A chapter's name in italics, ``*ila-sdp*``, becomes a link as soon as the chapter is there."""
    written = {p.slug: p.short for p in catalogue.written()}
    names = "|".join(p.slug for p in catalogue.papers())
    mention = re.compile(rf"(?<![*\w])\*({names})\*(?![*\w])")

    def linked(text: str) -> str:
        return mention.sub(lambda m: f"{{ref}}`{written[m[1]]} <ch-{m[1]}>`" if m[1] in written else m[0], text)

    if docname.startswith("notebooks/"):
        notebook = json.loads(source[0])
        cells = [c for c in notebook["cells"] if c["cell_type"] == "markdown"]
        if not any(mention.search("".join(c["source"])) for c in cells):
            return
        for cell in cells:
            cell["source"] = linked("".join(cell["source"]))
        source[0] = json.dumps(notebook)
    elif mention.search(source[0]):
        source[0] = linked(source[0])
    else:
        return
    app.env.note_dependency(str(ROOT / "_toc.yml"))  # which changes with each new chapter


def _resolve_links(app, docname: str, source: list[str]) -> None:
    """A chapter's links become references of the book, and its captions' cells captions."""
    if docname.startswith("notebooks/") and docname.rsplit("/", 1)[-1] in {p.slug for p in catalogue.papers()}:
        notebook = json.loads(source[0])
        links.for_sphinx(notebook)
        source[0] = json.dumps(notebook)


def _size_figures(app, doctree) -> None:
    """Each figure of a chapter at its size on the page, whatever the number of its pixels."""
    for image in doctree.findall(nodes.image):
        path = Path(app.srcdir, image["uri"])
        if path.suffix == ".png" and "width" not in image and "jupyter_execute" in path.parts and path.is_file():
            with Image.open(path) as opened:
                image["width"] = f"{page_width(opened)}px"


def _mark_wide_outputs(app, doctree, docname: str) -> None:
    """Classes for the style sheet: which text outputs are columns, not to be wrapped, and which of these are wide."""
    for block in doctree.findall(lambda node: isinstance(node, nodes.literal_block) and "output" in node["classes"]):
        lines = [line for line in block.astext().splitlines() if line.strip()]
        width = max(map(len, lines), default=0)
        if 2 * sum(bool(re.search(r"\S {2,}\S", line)) for line in lines) >= len(lines) > 1:
            block["classes"] += ["lv-columns"] + ["lv-wide"] * (width > SHOWN) + ["lv-wider"] * (width > SHOWN_SMALL)


def _without_thebe(app, pagename, templatename, context, doctree) -> None:
    """Jupyter Book always adds Thebe, whose script lies on a server; the book reads from its own files alone."""
    scripts = context.get("script_files", [])
    context["script_files"] = [s for s in scripts if "thebe" not in f"{s} {getattr(s, 'attributes', '')}".lower()]


def _readable(app, what, name, obj, options, lines: list[str]) -> None:
    """Docstrings as pages: mathematics between dollars, as in the notebooks, and a paragraph an argument."""
    readable = []
    for line in lines:
        line = re.sub(r"\$([^$]+)\$", r":math:`\1`", line)
        if argument := re.match(r"([a-z_]+(?:, [a-z_]+)*): ", line):
            readable.append("")
            line = f"**{argument[1]}**: {line[argument.end() :]}"
        readable.append(line)
    lines[:] = readable

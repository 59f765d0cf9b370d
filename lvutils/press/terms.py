"""Glossary and chapters lead to each other: the first use of a term in a chapter to the term, terms to chapters."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes

from lvutils.press import catalogue

GLOSSARY = "book/glossary"
# Words of the glossary that chapters use as anybody does, and that "How to read" explains.
EVERYDAY = {
    *(
        "anchor",
        "claim",
        "composition",
        "criterion",
        "direction holds",
        "fails here",
        "fidelity",
        "holds",
        "inconclusive",
    ),
    *("intervention", "prior", "profile", "rationale", "rule", "run", "scorecard", "seed", "sweep", "temperature"),
    *("tolerance", "unit", "untested", "value", "verdict"),
}


def install(app) -> None:
    """Have the links made as pages are written."""
    app.connect("env-check-consistency", _find_uses)
    app.connect("doctree-resolved", _link)


def _find_uses(app, env) -> None:
    """Which chapters use which term (by its anchor), kept for the page of the glossary."""
    env.lv_terms = _terms(env) if GLOSSARY in env.found_docs else {}
    env.lv_uses = {}
    for paper in catalogue.written():
        docname = f"notebooks/{paper.part}/{paper.slug}"
        if docname in env.found_docs:
            for _, match in _first_uses(env.get_doctree(docname), env.lv_terms):
                env.lv_uses.setdefault(env.lv_terms[_key(match[0])], []).append((docname, paper.short))


def _link(app, doctree: nodes.document, docname: str) -> None:
    if docname == GLOSSARY:
        _list_chapters(app, doctree)
    elif docname in {f"notebooks/{p.part}/{p.slug}" for p in catalogue.written()}:
        glossary = app.builder.get_relative_uri(docname, GLOSSARY)
        for text, match in _first_uses(doctree, app.env.lv_terms):
            link = nodes.reference("", match[0], internal=True, classes=["lv-term"])
            link["refuri"] = f"{glossary}#{app.env.lv_terms[_key(match[0])]}"
            before, after = str(text)[: match.start()], str(text)[match.end() :]
            text.parent.replace(text, [nodes.Text(before), link, nodes.Text(after)])


def _list_chapters(app, doctree: nodes.document) -> None:
    for item in doctree.findall(nodes.definition_list_item):
        anchors = [anchor for term in item.findall(nodes.term) for anchor in term["ids"]]
        uses = list(dict.fromkeys(use for anchor in anchors for use in app.env.lv_uses.get(anchor, [])))
        if uses:
            line = nodes.paragraph("", "In the chapters: ", classes=["lv-uses"])
            for k, (docname, title) in enumerate(uses):
                uri = app.builder.get_relative_uri(GLOSSARY, docname)
                line += [nodes.Text("; " if k else ""), nodes.reference("", title, internal=True, refuri=uri)]
            item.next_node(nodes.definition).append(line)


def _terms(env) -> dict[str, str]:
    """The anchor of each term that is linked, by its key."""
    found = {}
    for item in env.get_doctree(GLOSSARY).findall(nodes.term):
        name = item.astext().strip()
        if name.lower() not in EVERYDAY:
            found[_key(name)] = item["ids"][0]
    return found


def _key(term: str) -> str:
    """Abbreviations as they are written (EM, not em); else without case, plural and kind of hyphen."""
    if term.isupper():
        return term
    return re.sub(r"(?<=[^s])s$", "", term.lower()).replace("–", "-")


def _first_uses(doctree: nodes.document, terms: dict[str, str]):
    """One term a text node at most, the first use of each in running text, in the order of the page."""
    if not terms:
        return
    names = sorted(terms, key=len, reverse=True)
    pattern = re.compile(r"(?<![\w-])(?:" + "|".join(map(_spelt, names)) + r")(?![\w-])")
    seen = set()
    for text in list(doctree.findall(nodes.Text)):
        if _running(text):
            for match in pattern.finditer(str(text)):
                anchor = terms.get(_key(match[0]))
                if anchor and anchor not in seen:
                    seen.add(anchor)
                    yield text, match
                    break


def _spelt(name: str) -> str:
    if name.isupper():
        return re.escape(name)
    return "(?i:" + re.escape(name).replace(r"\-", "[-–]").replace(r"\ ", r"\s") + "s?)"


def _running(text: nodes.Text) -> bool:
    """Whether a text is prose: in a paragraph, and in no link, code, formula, heading, card or caption."""
    node, in_paragraph = text.parent, False
    while node is not None:
        if isinstance(
            node, nodes.reference | nodes.literal | nodes.math | nodes.title | nodes.literal_block | nodes.footnote
        ):
            return False
        if isinstance(node, nodes.citation | nodes.caption | nodes.raw | nodes.table | addnodes.pending_xref):
            return False
        if "paper-card" in node.get("classes", ()) or "cell_output" in node.get("classes", ()):
            return False
        in_paragraph |= isinstance(node, nodes.paragraph)
        node = node.parent
    return in_paragraph

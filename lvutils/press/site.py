"""The finished HTML of the book's pages: what the themes leave to mend. Small icons, names that screen readers can use.

Each page passes through ``tidy`` as it is rendered. The patterns are those of the pinned themes; the browser tests hold
the result against the rules of axe-core.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_ICON = re.compile(r'<i class="(?P<classes>[^"]*\bfa-(?:solid|regular)?[^"]*|fas [^"]*)"(?P<rest>[^>]*)></i>')
_SIZES = {"lg", "solid", "regular"}


def install(app) -> None:
    """Have each page pass through ``tidy``."""
    templates = getattr(app.builder, "templates", None)
    if templates is not None:
        render = templates.render
        templates.render = lambda template, context: tidy(render(template, context))


def tidy(page: str) -> str:
    """A rendered page with its icons drawn in place, and without what axe-core finds in the themes' HTML."""
    page = _ICON.sub(_drawn, page)
    page = re.sub(r"\s*<script[^>]*/fontawesome\.js[^>]*></script>", "", page)
    # A name must hold the words that are seen; these controls have words of their own.
    page = re.sub(r'(<button class="btn search-button-field [^>]*?) aria-label="Search"', r"\1", page)
    page = page.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    # All that is read stands in a landmark.
    page = re.sub(r'<div class="sidebar-primary-item">(?=\s*<a class="navbar-brand)', _HOME, page)
    # pandas leaves the corner of a table empty: a cell, not the head of a column.
    page = re.sub(r"<th(?: class=\"blank[^\"]*\")?\s*>(?:\s|&nbsp;|\xa0)*</th>", "<td></td>", page)
    page = re.sub(r'<div role="list" class="citation-list">', '<div class="citation-list">', page)
    return re.sub(r'(<div class="citation"[^>]*) role="doc-biblioentry"', r"\1", page)


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

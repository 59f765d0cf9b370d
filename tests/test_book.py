"""The built book: reads offline, no broken links, alt texts everywhere, every claim on the scoreboard."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from lvutils.paths import ROOT
from lvutils.press import catalogue
from lvutils.press.pool import stored_results

HTML = ROOT / "_build" / "html"
LOADING = {  # what a browser fetches by itself
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}
LOADING_RELS = {"stylesheet", "icon", "shortcut icon", "preload", "prefetch", "preconnect", "dns-prefetch", "manifest"}


class Page(HTMLParser):
    """What a page loads, links to, and can be linked at."""

    def __init__(self, path: Path):
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.images: list[dict] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if "id" in a:
            self.ids.add(a["id"])
        if a.get(LOADING.get(tag, "")):
            self.loads.append(a[LOADING[tag]])
        if tag == "link" and (a.get("rel") or "").lower() in LOADING_RELS:
            self.loads.append(a["href"])
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        if tag == "img":
            self.images.append(a)


@cache
def pages() -> dict[Path, Page]:
    assert (HTML / "index.html").is_file(), "the book is not built; run: make book"
    return {path: Page(path) for path in HTML.rglob("*.html") if "_static" not in path.parts}


def test_no_page_loads_anything_from_outside():
    outside = [(p.name, u) for p, page in pages().items() for u in page.loads if urlsplit(u).netloc]
    assert outside == []


def test_no_stylesheet_loads_anything_from_outside():
    for path in HTML.rglob("*.css"):
        found = re.findall(r"""(?:@import\s+|url\()\s*["']?(?:https?:)?//[^)"']+""", path.read_text(errors="replace"))
        assert found == [], path


def test_no_inline_script_or_style_names_a_server():
    """Links are fine, and names of XML schemas; a page's own scripts and styles must not reach out."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        for kind, block in re.findall(r"<(script|style)\b[^>]*>(.*?)</\1>", text, re.DOTALL):
            assert not re.search(r"(?:https?:)?//(?!www\.w3\.org)[\w-]+\.\w+", block), (path.name, kind, block[:200])


def test_every_link_inside_the_book_resolves():
    broken = []
    for path, page in pages().items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or (parts.fragment and target in pages() and not _has(target, parts.fragment)):
                broken.append((str(path.relative_to(HTML)), link))
    assert broken == []


def _has(target: Path, fragment: str) -> bool:
    return fragment in pages()[target].ids or unquote(fragment) in pages()[target].ids


def test_every_picture_of_a_chapter_has_an_alternative_text():
    for paper in catalogue.written():
        page = pages()[HTML / "notebooks" / paper.part / f"{paper.slug}.html"]
        pictures = [i for i in page.images if "_images/" in i["src"]]
        assert pictures, paper.slug
        for picture in pictures:
            assert len(picture.get("alt") or "") >= 40, (paper.slug, picture["src"])


def test_written_chapters_have_a_page_and_planned_ones_have_none():
    built = {p.stem for p in (HTML / "notebooks").rglob("*.html") if p.parent.name != "models"}
    assert built == {p.slug for p in catalogue.written()}


def test_the_gallery_has_a_card_a_paper():
    text = (HTML / "book" / "gallery.html").read_text()
    assert text.count('<article class="lv-card') == 67
    assert text.count("lv-planned") == 67 - len(catalogue.written())
    assert text.count('class="lv-nopicture"') == 67 - len(catalogue.written())


def test_the_scoreboard_shows_every_claim():
    text = (HTML / "book" / "scoreboard.html").read_text()
    claims = [c for p in catalogue.written() for c in stored_results(p.notebook).claims]
    assert text.count("<tr data-part=") == len(claims) >= 3
    assert text.count("<strong>What a referee would.</strong>") == len(catalogue.written())
    assert text.count("<strong>What the authors would object to first.</strong>") == len(catalogue.written())
    assert text.count("Inside: ") >= len([p for p in catalogue.written() if stored_results(p.notebook).book])


def test_each_claim_has_a_row_of_its_own_that_the_chips_lead_to():
    board = pages()[HTML / "book" / "scoreboard.html"]
    for paper in catalogue.written():
        path = HTML / "notebooks" / paper.part / f"{paper.slug}.html"
        text = path.read_text(encoding="utf-8")
        results = stored_results(paper.notebook)
        for claim in results.claims if results else ():
            row = f"claim-{claim.id.lower()}"
            rows = re.findall(rf'<tr id="{row}"><td[^>]*><strong>{claim.id}</strong>', text)
            assert len(rows) == 1, (paper.slug, claim.id)
            assert f"#{row}" in pages()[path].links, (paper.slug, claim.id)
            assert f"../notebooks/{paper.part}/{paper.slug}.html#{row}" in board.links, (paper.slug, claim.id)


def test_page_one_says_how_many_chapters_exist():
    text = (HTML / "book" / "intro.html").read_text(encoding="utf-8")
    assert f"{len(catalogue.written())} of {len(catalogue.papers())} chapters are written so far" in text


@pytest.mark.parametrize("page", ["glossary", "notation", "status", "bibliography", "api", "how-to-rerun"])
def test_reference_pages_are_there_and_not_empty(page):
    assert len((HTML / "book" / f"{page}.html").read_text()) > 10_000


def test_each_chapter_can_be_downloaded():
    for paper in catalogue.written():
        assert (HTML / "_sources" / "notebooks" / paper.part / f"{paper.slug}.ipynb").is_file()


def test_every_module_of_the_library_wing_is_on_the_page_of_the_package():
    shown = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    # Shown as lvutils.begin and lvutils.Run, or used by these and by the press alone.
    inside = {"__init__", "chapter", "files", "paths", "record", "scorecard", "streams", "syntax"}
    modules = {path.stem for path in (ROOT / "lvutils").glob("*.py")} - inside | {"data"}
    assert modules == set(re.findall(r"automodule:: lvutils\.(\w+)", shown))


def test_a_chapter_named_in_italics_is_a_link_once_it_is_written():
    text = (HTML / "book" / "part-autoencoders.html").read_text(encoding="utf-8")
    for paper in catalogue.papers():
        if paper.part == "autoencoders":
            written = paper.notebook.is_file()
            assert (f"notebooks/autoencoders/{paper.slug}.html" in text) == written
            assert (f"<em>{paper.slug}</em>" in text) != written


def test_a_chapter_shows_what_its_parameters_move():
    paper = catalogue.find("posterior-collapse")
    page = (HTML / "notebooks" / paper.part / f"{paper.slug}.html").read_text(encoding="utf-8")
    moved = stored_results(paper.notebook).book.parameters
    assert moved
    table = page[page.index('class="lv-moves"') :].partition("</table>")[0]
    for name, m in moved.items():
        assert f"<code>{name}</code>" in table
        assert all(claim in table for claim in m.claims)
    assert (HTML / "book" / "how-to-rerun.html").read_text(encoding="utf-8").count('class="lv-moves"') >= len(
        [p for p in catalogue.written() if stored_results(p.notebook).book.parameters]
    )


def test_chapters_lead_to_the_glossary_and_back():
    glossary = pages()[HTML / "book" / "glossary.html"]
    for paper in catalogue.written():
        name = f"notebooks/{paper.part}/{paper.slug}.html"
        text = (HTML / name).read_text(encoding="utf-8")
        terms = re.findall(r'<a class="lv-term[^"]*" href="../../book/glossary.html#([^"]+)">', text)
        assert terms, name
        assert len(terms) == len(set(terms))  # the first use alone
        assert f"../{name}" in glossary.links, name
        assert not re.search(r"<(h\d|pre|code|summary)\b(?:(?!</\1>).)*lv-term", text, re.DOTALL), name
        assert {"../../book/notation.html", "../../book/glossary.html"} <= set(pages()[HTML / name].links)


def test_unverified_leads_to_what_it_means():
    assert "unverified" in pages()[HTML / "book" / "how-to-read.html"].ids
    for path in (HTML / "book" / "scoreboard.html", HTML / "notebooks" / "mixtures" / "ila-sdp.html"):
        assert any(link.endswith("how-to-read.html#unverified") for link in pages()[path].links)


def test_folded_cells_say_what_is_in_them():
    for paper in catalogue.written():
        text = (HTML / "notebooks" / paper.part / f"{paper.slug}.html").read_text(encoding="utf-8")
        assert "Show code cell" not in text
        assert text.count("Show code: ") > 3

"""One catalogue: what is made from it is in step with it, and nothing is left out."""

import re
from collections import Counter

from lvutils.paths import BOOK, NOTEBOOKS, ROOT
from lvutils.press import catalogue, pages
from lvutils.press.lint import lint_chapter
from lvutils.press.refresh import results_path


def test_there_are_67_papers_each_once():
    papers = catalogue.papers()
    assert sorted(p.number for p in papers) == list(range(1, 68))
    assert len({p.slug for p in papers}) == len({p.bibkey for p in papers}) == len({p.short for p in papers}) == 67


def test_papers_stand_in_the_order_of_the_parts():
    order = [p.id for p in catalogue.parts()]
    places = [order.index(p.part) for p in catalogue.papers()]
    assert places == sorted(places)
    assert set(places) == set(range(len(order)))


def test_every_entry_is_complete():
    slugs = {p.slug for p in catalogue.papers()}
    for paper in catalogue.papers():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", paper.slug)
        assert paper.link, f"{paper.slug} has neither arXiv number nor url"
        assert not paper.arxiv or re.fullmatch(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}", paper.arxiv), paper.slug
        assert not paper.code or paper.code.startswith("https://"), paper.slug
        assert 2 <= len(paper.keywords) <= 4, paper.slug
        assert 15 <= len(paper.adds.split()) <= 35, paper.slug
        assert set(paper.see_also) <= slugs - {paper.slug}, paper.slug


def test_every_keyword_filters_something():
    keywords = Counter(k for p in catalogue.papers() for k in p.keywords)
    listed = set(re.findall(r"^#   ([a-z-]+)  ", (BOOK / "papers.yml").read_text(), re.MULTILINE))
    assert set(keywords) <= listed
    assert min(keywords.values()) >= 3


def test_every_bib_key_is_in_the_bibliography():
    from pybtex.database import parse_file

    entries = parse_file(BOOK / "references.bib").entries
    for paper in catalogue.papers():
        entry = entries[paper.bibkey]
        plain = re.sub(r"[{}\\]", "", entry.fields["title"]).lower()
        assert plain[:20] == paper.title.lower()[:20] or "note" in entry.fields or "howpublished" in entry.fields
        assert len(entry.persons["author"]) == len(paper.authors), paper.slug


def test_every_notebook_is_a_chapter_of_the_catalogue_with_its_results():
    on_disk = {p for p in NOTEBOOKS.glob("*/*.ipynb") if p.parent.name != "models"}
    assert on_disk == {p.notebook for p in catalogue.written()}
    results = set(NOTEBOOKS.glob("*/*.results.json"))
    assert results == {results_path(p) for p in on_disk}


def test_the_table_of_contents_is_that_of_the_catalogue():
    assert (ROOT / "_toc.yml").read_text() == pages.toc(), "run: lvutils pages"


def test_every_chapter_keeps_the_contract():
    problems = [problem for paper in catalogue.written() for problem in lint_chapter(paper.notebook)]
    assert not problems, "\n".join(problems)


def test_the_package_names_no_paper():
    """But for its command line, which reads the catalogue."""
    source = "".join(p.read_text() for p in (ROOT / "lvutils").rglob("*.py"))
    assert [p.slug for p in catalogue.papers() if len(p.slug) > 8 and p.slug in source] == []


def test_the_library_wing_never_imports_the_press_wing():
    for module in (ROOT / "lvutils").glob("*.py"):
        assert not re.search(r"lvutils\.runs|from lvutils import runs", _code(module.read_text())), module.name


def _code(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if line.lstrip().startswith(("import ", "from ")))
